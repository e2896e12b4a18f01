/*
 * pq.h - product quantization of residuals, fitted to the queries
 *
 * What a search needs of a code is not the row but the product of a query with it. So codes keep the error of that product
 * small for the queries that come: with M the second moment of queries, the error of a row is
 * (r - r')^T M (r - r'). Factor M = L L^T and turn y = V^T L^T r, V the principal axes of L^T r over the residuals: then errors of
 * y count alike along all axes, axes come in the order of what they matter, and q . r = (V^T L^-1 q) . y.
 *
 *     residual r [dim] --encode--> y [n_axes] --groups of 1 to 8 neighbouring axes--> one of 16 codewords each: 4 bits
 *     query q    [dim] --query---> t [n_axes] --products with the codewords--------> tables [n_groups][16]
 *
 * Bits go where the variance is (reverse water-filling): a strong axis has a group of its own, eight weak ones share one, and axes
 * behind the last group are left out. Against equal groups in principal axes of the residuals alone, at the same 32 bytes a
 * row, the share of the true ten nearest among the best 50 by code rises from .60 to .86 for pictures and from .39 to .63
 * for texts (300,000 CLIP vectors, 2,048 partitions).
 *
 * Source: Jegou, Douze, Schmid 2011 (product quantization of residuals); Ge et al. 2013 (optimized product quantization); the weight of
 * the query distribution as in Guo et al. 2020 (score-aware loss), here by its moment instead of along the row itself.
 */
#ifndef PN_INDEX_PQ_H
#define PN_INDEX_PQ_H

#include "base/arena.h"
#include "base/status.h"
#include "os/pool.h"

enum { PN_PQ_ENTRIES = 16, PN_PQ_MAX_GROUP = 8 };

/* All arrays may be mapped from a file. */
typedef struct pn_pq {
    size_t dim, n_axes, n_groups;
    const uint32_t *group_starts; /* [n_groups + 1] first axis of a group */
    const float *encode;          /* [n_axes][dim] */
    const float *query;           /* [n_axes][dim] */
    const float *codewords; /* [n_axes][16]: those of a group's axes lie together, [axes][16] */
    const float *bias;      /* [n_groups][16] -|codeword|^2 / 2 */
    const float *spread;    /* [n_axes] variance of residuals along an axis */
    const float *loss;      /* [n_axes] mean squared error that the codes leave */
    float tail; /* variance of q . r along the axes left out, over queries like those of training */
} pn_pq;

/*
 * residuals  [n][dim], n >= 1,000 or so
 * moment     [dim][dim] second moment of the queries; a share of the identity is added, so that no direction counts nothing
 * n_groups   a multiple of 4, at most dim
 */
typedef struct pn_pq_training {
    const float *residuals;
    size_t n, dim, n_groups;
    const double *moment;
    uint64_t seed;
    pn_pool *pool;
} pn_pq_training;

/* The arrays of *out live in arena. Same training gives the same codes, for any pool. Errors: NOMEM. */
PN_NODISCARD pn_status pn_pq_train(const pn_pq_training *training, pn_arena *arena, pn_pq *out,
                                   pn_error *err);

/* Mean of x x^T over n >= 1 rows, [dim][dim]. Errors: NOMEM. */
PN_NODISCARD pn_status pn_second_moment(const float *rows, size_t n, size_t dim, double *out,
                                        pn_error *err);

/* codes [n][n_groups], one byte each, of residuals [n][dim]; scratch [n][n_axes] floats. packed: encode, as panels (gemm_pack). */
void pn_pq_encode(const pn_pq *pq, const float *packed, const float *residuals, size_t n,
                  float *scratch, uint8_t *codes);

/* Means over n rows of |y|^2 and |y - codewords|^2, of what pn_pq_encode() left in scratch and codes: what the rows vary, and what their
 * codes miss, in the measure of the queries. */
void pn_pq_measure(const pn_pq *pq, const float *projected, const uint8_t *codes, size_t n,
                   double *energy, double *loss);

/*
 * The codes of pq for rows of another kind: what they vary and what their codes miss is measured, the codes stay the same. The arrays of *out that
 * differ live in arena, the others where those of pq do.
 *
 * packed      pq->encode, as panels
 * residuals   [n][dim], n >= 1
 * tail_scale  of the axes left out: what those rows vary over what the rows of the training did
 *
 * Errors: NOMEM.
 */
PN_NODISCARD pn_status pn_pq_adapt(const pn_pq *pq, const float *packed, const float *residuals,
                                   size_t n, float tail_scale, pn_arena *arena, pn_pq *out,
                                   pn_error *err);

/* out [n][n_axes] = what pq->query makes of vectors [n][dim]. packed: query, as panels. */
void pn_pq_turn(const pn_pq *pq, const float *packed, const float *vectors, size_t n, float *out);

/* out[i] = the product of vector i and what the codes of row i stand for. A vector is given as pq->query turns it, [n_axes]; from one to
 * the next are stride floats, 0 when it is the same for all rows. */
void pn_pq_decoded_products(const pn_pq *pq, const float *turned, size_t stride,
                            const uint8_t *codes, size_t n, float *out);

/* What a query q, less a vector m, makes of the codes of a row: (q - m) . r ~ low + step * (sum of 7-bit entries). */
typedef struct pn_pq_tables {
    uint8_t *entries; /* [n_groups][16], the caller's */
    float low, step;
    float spread; /* standard deviation of q . r over residuals */
    float loss;   /* standard deviation of the error of the sum */
} pn_pq_tables;

/* turned [n_axes]: a query as pq->query turns it. */
void pn_pq_turn_query(const pn_pq *pq, const float *query, float *turned);

/* turned and turned_mean: q and m as pq->query turns them, [n_axes]; scratch [n_axes + 16 n_groups] floats. */
void pn_pq_tables_make(const pn_pq *pq, const float *turned, const float *turned_mean,
                       float *scratch, pn_pq_tables *tables);

#endif

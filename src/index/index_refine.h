/*
 * index_refine.h - from rows that codes found to rows whose scores are known
 */
#ifndef PN_INDEX_INDEX_REFINE_H
#define PN_INDEX_INDEX_REFINE_H

#include "index/internal.h"
#include "kernels/kernels.h"

#include <math.h>

/* A row that codes found. */
typedef struct pn_found_row {
    float most;    /* its score by its codes, and what may be missing there */
    float product; /* query . centroid of its partition */
    uint32_t position;
} pn_found_row;

/* A row whose score is known within limits. */
typedef struct pn_refined_row {
    uint32_t position;
    float high;
} pn_refined_row;

typedef struct pn_refiner {
    const pn_index *x;
    const pn_index_query *q;
    const pn_kernels *kernels;
    size_t dim, half; /* bytes of half a copy */
    pn_query16 query;
    float coarse; /* between a score by the upper half of a copy and its limits, in scales */
    float margin, certain; /* by a whole copy: this many times the copy's error, and so much */
    bool is_certain;
    pn_index_bar bar; /* of rows found elsewhere */

    pn_topk codes;                 /* the k best by codes, as distances -score */
    pn_found_row *found, *ordered; /* [capacity]; the second while they are refined */
    size_t n_found, capacity;
    pn_refined_row *refined;
    size_t n_refined, refined_capacity;
    pn_topk best; /* of lower limits, as distances -low */
    uint64_t n_looked_at;
    pn_arena *arena; /* for all of it */
} pn_refiner;

/* What is allocated is the arena's, also later. Errors: NOMEM. */
PN_NODISCARD pn_status pn_refiner_init(pn_refiner *r, const pn_index *index,
                                       const pn_index_query *query, size_t k, pn_arena *arena,
                                       pn_error *err);

/* The score that a row has to reach to matter; below everything while fewer than k are known. */
static inline float pn_refiner_bar(const pn_refiner *r)
{
    return r->best.n < r->best.k ? r->bar.score : PN_MAX(-r->best.heap[0].distance, r->bar.score);
}

/* What a row has to reach at most: the k-th score by codes. Not the k-th score itself, which is above it by what codes miss of near
 * rows, more for one query than for another. */
static inline float pn_refiner_codes_bar(const pn_refiner *r)
{
    return r->codes.n < r->codes.k ? r->bar.by_codes
                                   : PN_MAX(-r->codes.heap[0].distance, r->bar.by_codes);
}

/* Room for so many more rows. */
PN_NODISCARD pn_status pn_refiner_reserve(pn_refiner *r, size_t more, pn_error *err);
/* score: by codes, which may be off by slack. */
static inline void pn_refiner_add(pn_refiner *r, uint32_t position, float product, float score,
                                  float slack)
{
    r->found[r->n_found++] = (pn_found_row){score + slack, product, position};
    pn_topk_push(&r->codes, -score, position);
}

/* Look at all rows found, the best first. */
void pn_refiner_look(pn_refiner *r);

/* Exact scores of those whose limits reach the bar, into topk, which is sorted; returns how many. */
size_t pn_refiner_finish(pn_refiner *r, pn_topk *topk);

#endif

/*
 * lance_ivf.h - a vector index that LanceDB made: partitions, and codes or vectors of their rows
 *
 *     <table>.lance/_indices/<uuid>/index.idx        what kind, which metric, the centroids
 *                                   auxiliary.idx    partition by partition: row addresses, and codes (IVF_PQ) or vectors (IVF_FLAT)
 *
 * Both are Lance files. A search goes to the partitions nearest to the query, ranks their rows by code, and compares the best of them
 * with the query by the table's own vectors: what comes back is exact, only completeness is not promised by the index, but
 * measured (pn_lance_ivf_measure).
 *
 * Nothing in the files is trusted: shapes, numbers and places are checked when they are opened, and every row against the
 * fragments that the index is said to cover, each at most once.
 *
 * Threads: an open index is immutable.
 * Source: the public Lance index format; Jegou, Douze, Schmid 2011 (inverted lists of residual codes).
 */
#ifndef PN_INDEX_LANCE_IVF_H
#define PN_INDEX_LANCE_IVF_H

#include "base/limits.h"
#include "base/topk.h"
#include "column/rowset.h"
#include "index/flat_index.h"
#include "os/pool.h"

typedef struct pn_lance_ivf pn_lance_ivf;

/* A fragment that the index is said to cover, by the table. */
typedef struct pn_lance_covered {
    uint32_t id, n_rows; /* physical rows */
} pn_lance_covered;

/*
 * folder   of the index, with its two files
 * dim      of the table's vectors
 * covered  [n] sorted by id. Rows of other fragments are passed over: those have gone since
 *
 * Errors: NOT_FOUND, CORRUPT (what contradicts itself or the table, by name), UNSUPPORTED (another kind of index, by name), LIMIT, NOMEM.
 * Cost: one look at every row address; codes are decoded unless they lie plainly in the file.
 */
PN_NODISCARD pn_status pn_lance_ivf_open(const char *folder, size_t dim,
                                         const pn_lance_covered *covered, size_t n,
                                         pn_lance_ivf **out, pn_error *err);
void pn_lance_ivf_close(pn_lance_ivf *ivf); /* NULL is welcome */

typedef struct pn_lance_ivf_info {
    const char *kind;   /* "IVF_PQ", "IVF_FLAT" */
    const char *metric; /* "l2", "cosine", "dot" */
    uint64_t n_rows, file_bytes;
    size_t n_partitions, code_bytes; /* of a row; 0: vectors */
} pn_lance_ivf_info;
void pn_lance_ivf_info_get(const pn_lance_ivf *ivf, pn_lance_ivf_info *out);

/* The rows of a covered fragment that the index has, as words of n_rows bits; NULL: the fragment was not among those covered. */
const uint64_t *pn_lance_ivf_listed(const pn_lance_ivf *ivf, uint32_t fragment_id, uint32_t n_rows);

/* The vectors of the fragments of one version whose rows are searched. */
typedef struct pn_lance_fragment {
    uint32_t id;
    const pn_flat_run *runs; /* ascending; with their deletions. `allowed` is ignored */
    size_t n_runs;
} pn_lance_fragment;

typedef struct pn_lance_rows {
    const pn_lance_fragment *fragments; /* sorted by id */
    size_t n;
} pn_lance_rows;

/* How hard to look. */
typedef struct pn_lance_effort {
    uint32_t partitions; /* that are looked at, and more until k rows were found */
    uint32_t refined;    /* rows whose vectors are compared; at least k are */
} pn_lance_effort;

typedef struct pn_lance_query {
    const float *vector; /* [dim], unit length */
    pn_lance_effort effort;
    const pn_lance_rows *rows;
    const pn_rowset *allowed; /* NULL: every row */
    const _Atomic bool *cancel;
} pn_lance_query;

typedef struct pn_lance_stats {
    uint64_t n_partitions, n_scanned, n_refined;
} pn_lance_stats;

/*
 * The k nearest rows among those looked at by 1 - cosine, exact distances; ids are row addresses. Sorted. Fewer than k come back when
 * fewer rows are listed, there and allowed, or when vectors are no numbers.
 *
 * Errors: NOMEM, CANCELLED.
 */
PN_NODISCARD pn_status pn_lance_ivf_search(const pn_lance_ivf *ivf, const pn_lance_query *query,
                                           pn_topk *topk, pn_lance_stats *stats, pn_error *err);

/* ---- which effort finds how much (lance_ivf_effort.c) ---- */

enum { PN_LANCE_PROBE_LEVELS = 32, PN_LANCE_REFINE_LEVELS = 24, PN_LANCE_K_CLASSES = 3 };

/* Recall by effort, less one standard error. */
typedef float pn_lance_recalls[PN_LANCE_K_CLASSES][PN_LANCE_PROBE_LEVELS][PN_LANCE_REFINE_LEVELS];

/* Of pictures, and of texts, which lie elsewhere: what finds nine of ten neighbours of a picture finds two of a text's. */
enum { PN_LANCE_PICTURES, PN_LANCE_TEXTS, PN_LANCE_KINDS };

typedef struct pn_lance_measure {
    size_t n_probe_levels, n_refine_levels;
    uint32_t probes[PN_LANCE_PROBE_LEVELS];
    uint32_t refined[PN_LANCE_REFINE_LEVELS];
    struct {
        bool is_measured;
        float mean[PN_INDEX_MAX_DIM]; /* [dim] of the queries */
        float least_best,
            least_mean; /* products with the best centroid, with the mean: of nearly all of them at least so much */
        pn_lance_recalls recall;
    } kinds[PN_LANCE_KINDS];
} pn_lance_measure;

/*
 * Measure it: rows of the table as pictures that are asked for, and texts when there are some, against up to 65,536 rows of the
 * index, whose neighbours are known by looking at all of them. What is found of a part of the rows is found of all: the k nearest of
 * a tenth are the 10 k nearest of all, and lie farther.
 *
 * texts  [n_texts][dim] unit vectors, NULL: none, and then nothing is said of them
 *
 * Errors: NOMEM, CANCELLED; NOT_FOUND: too few rows have vectors.
 * Cost: 256 to 512 queries against at most 65,536 vectors, which are read: 0.1 GB at dim 512.
 */
PN_NODISCARD pn_status pn_lance_ivf_measure(const pn_lance_ivf *ivf, const pn_lance_rows *rows,
                                            const float *texts, size_t n_texts, pn_pool *pool,
                                            const _Atomic bool *cancel, pn_lance_measure *out,
                                            pn_error *err);

/* What a query is to be searched for by. */
typedef struct pn_lance_wish {
    const float *query; /* [dim], unit length */
    double share;       /* of the index's rows, how many may be returned */
    size_t k;
    float min_recall;
} pn_lance_wish;

/*
 * The cheapest effort of that recall, for queries of the kind whose mean is nearer. *recall 0: none is enough, or the query is like none that
 * was measured (farther from every centroid, or from the mean), or k is too large a part of the rows to say.
 */
pn_lance_effort pn_lance_ivf_effort_for(const pn_lance_ivf *ivf, const pn_lance_measure *measure,
                                        const pn_lance_wish *wish, float *recall);
/* So many partitions, and what finds most of what they have; *recall as above. */
pn_lance_effort pn_lance_ivf_effort_at(const pn_lance_ivf *ivf, const pn_lance_measure *measure,
                                       const pn_lance_wish *wish, uint32_t partitions,
                                       float *recall);

#endif

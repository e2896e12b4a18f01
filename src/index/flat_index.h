/*
 * flat_index.h - exact nearest neighbours by scanning vectors
 *
 * Small sets, rows that no index covers, and the truth that every index is measured against.
 */
#ifndef PN_INDEX_FLAT_INDEX_H
#define PN_INDEX_FLAT_INDEX_H

#include "base/topk.h"
#include "column/rowset.h"
#include "os/pool.h"

/* One contiguous run of rows of a fragment. */
typedef struct pn_flat_run {
    const float *vectors; /* [n_rows][dim] */
    uint32_t fragment_id, first_row, n_rows;
    const uint64_t *deleted; /* words of the whole fragment, or NULL */
    const uint64_t *allowed; /* words of the whole fragment: only these rows; NULL: all rows */
    bool any_length; /* the vectors are not known to be unit vectors: divide by their lengths */
    /* Of an index, whose rows may have moved: what is added to a row, modulo 2^32, to have its place in the fragment now. */
    uint32_t shift;
} pn_flat_run;

/*
 * The k nearest of all runs to a unit query by distance 1 - cosine. Rows are unit vectors too, or their run says
 * any_length, where a vector of zeros has the distance 1. A candidate's id is the row address. NaN rows are never returned, nor, of any
 * length, those whose length is no finite float.
 *
 * topk     initialised by the caller with room for k; sorted on return
 * cancel   NULL, or a flag that ends the scan with PN_ERR_CANCELLED
 *
 * Same data and query give the same answer for any number of threads. Cost: one pass over the vectors; for runs of any length
 * each wanted row is gone over once more while it is in the cache.
 */
PN_NODISCARD pn_status pn_flat_search(const pn_flat_run *runs, size_t n_runs, const float *query,
                                      size_t dim, pn_pool *pool, const _Atomic bool *cancel,
                                      pn_topk *topk, pn_error *err);

#endif

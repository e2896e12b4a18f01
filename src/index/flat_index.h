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

#include <math.h>

typedef struct pn_flat_copy pn_flat_copy; /* flat_copy.h */

/* One contiguous run of rows of a fragment. */
typedef struct pn_flat_run {
    const float *vectors; /* [n_rows][dim] */
    uint32_t fragment_id, first_row, n_rows;
    const uint64_t *deleted; /* words of the whole fragment, or NULL */
    const uint64_t *allowed; /* words of the whole fragment: only these rows; NULL: all rows */
    bool any_length; /* the vectors are not known to be unit vectors: divide by their lengths */
    /* NULL: without any_length they are unit vectors. Else they should be: whether they are is looked at, and kept here, of 64 rows of the
     * run each (pn_vector_run of the dataset). */
    _Atomic uint8_t *units;
    /* Of an index, whose rows may have moved: what is added to a row, modulo 2^32, to have its place in the fragment now. */
    uint32_t shift;
    const pn_flat_copy *copy; /* of the vectors; NULL: none was made */
} pn_flat_run;

/*
 * What the product of a unit query and a vector of this length is divided by. Where vectors should have the length 1 those that have it but for
 * rounding are taken as they are, and only others divided: a table with a model's name has unit vectors, but other programs may add
 * what they like. 1 for a vector of zeros, NaN for one whose length is no number.
 */
#define PN_UNIT_ROUNDING 1e-3f
static inline float pn_vector_divisor(float length, bool any_length)
{
    if (!isfinite(length))
        return NAN;
    bool is_unit = !any_length && fabsf(length - 1) <= PN_UNIT_ROUNDING;
    return is_unit || !(length > 0) ? 1 : length;
}

/*
 * The k nearest of all runs to a unit query by distance 1 - cosine. Rows are unit vectors too, or their run says
 * any_length or has units, where a vector of zeros has the distance 1. A candidate's id is the row address. NaN rows are never returned, nor
 * there those whose length is no finite float.
 *
 * bar      rows with a lower score may be left out: k others reach it; -INFINITY: all count
 * topk     initialised by the caller with room for k; sorted on return
 * cancel   NULL, or a flag that ends the scan with PN_ERR_CANCELLED
 *
 * Same data and query give the same answer for any number of threads, with copies or without. Cost: one pass over the vectors, or their copies; for runs of any length
 * each wanted row is gone over once more while it is in the cache.
 */
PN_NODISCARD pn_status pn_flat_search(const pn_flat_run *runs, size_t n_runs, const float *query,
                                      size_t dim, float bar, pn_pool *pool,
                                      const _Atomic bool *cancel, pn_topk *topk, pn_error *err);

#endif

/*
 * recall.h - the truth: exact neighbours of many queries at once
 */
#ifndef PN_INDEX_RECALL_H
#define PN_INDEX_RECALL_H

#include "index/vector_rows.h"

/*
 * The k nearest of all rows that are not deleted to each of n queries, by 1 - cosine.
 *
 * queries  [n][dim] unit vectors
 * every    look at every so-many-th row only (1: all), as if the others were not there
 * nearest  [n][k], sorted, ids are ordinals; the distance is infinite behind the last one found
 *
 * Cost: n * rows * dim multiply-adds, one pass over the vectors. Errors: NOMEM, CANCELLED.
 */
PN_NODISCARD pn_status pn_exact_nearest(const pn_vector_rows *rows, const float *queries, size_t n,
                                        size_t k, uint64_t every, pn_pool *pool,
                                        const _Atomic bool *cancel, pn_candidate *nearest,
                                        pn_error *err);

#endif

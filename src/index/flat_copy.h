/*
 * flat_copy.h - 8-bit copies of a run's vectors: which rows cannot be among the nearest, for a quarter of the bytes
 *
 * For the rows that no index covers yet. They are scanned by every search, and most of them are far from the question.
 *
 * Threads: a copy is immutable and counted.
 */
#ifndef PN_INDEX_FLAT_COPY_H
#define PN_INDEX_FLAT_COPY_H

#include "index/flat_index.h"

#include <stdatomic.h>

/* Immutable and counted. */
struct pn_flat_copy {
    _Atomic unsigned n_refs;
    uint32_t n_rows;
    float *centre; /* [dim] mean of the rows, which the bytes are relative to */
    float centre_length;
    uint8_t *bytes; /* [n_rows][dim] offset by 128 */
    float *scales;  /* [n_rows] what a step of them is worth */
    float *errors;  /* [n_rows] length of what they lack, rounded up; infinite: no number */
};

/* Of vectors as they are compared, that is, divided by their lengths where a search does so (any_length and units of the run). NOMEM. */
PN_NODISCARD pn_status pn_flat_copy_make(const pn_flat_run *run, size_t dim, pn_flat_copy **out,
                                         pn_error *err);
pn_flat_copy *pn_flat_copy_ref(pn_flat_copy *copy);
void pn_flat_copy_unref(pn_flat_copy *copy); /* NULL is welcome */

#endif

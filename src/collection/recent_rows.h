/*
 * recent_rows.h - 8-bit copies of the rows that no index covers yet
 *
 * Every search scans them, from one index to the next, so their vectors are copied once, when a version has them first; a scan then reads
 * a quarter. Of many rows none are copied: that is a table without an index, which is not to cost another quarter of its memory.
 */
#ifndef PN_COLLECTION_RECENT_ROWS_H
#define PN_COLLECTION_RECENT_ROWS_H

#include "dataset/dataset.h"
#include "index/flat_copy.h"

/* Of so many rows none are made: four times what an index is due for. 16 MB of 512 dimensions. */
enum { PN_RECENT_ROWS = 32768 };
/* Nor of runs of fewer: the centre of a run is a vector too. 16,384 rows one by one took 5.5 ms with copies, 2.1 ms without. */
enum { PN_RECENT_RUN_ROWS = 8 };

typedef struct pn_recent_run {
    const float *vectors; /* of the run */
    pn_flat_copy *copy;
} pn_recent_run;

/* Zero it first. */
typedef struct pn_recent_rows {
    pn_recent_run *runs; /* [n] by vectors */
    size_t n;
    bool any_length; /* they were divided by their lengths */
} pn_recent_rows;

/*
 * Copies of the fragments that are listed; a fragment that cannot be read has none, and its scan tells why. Nor do short runs.
 *
 * fragments   [n_fragments] by place in the dataset
 * before      those of an earlier version whose vectors are still mapped, which share what is the same, if their any_length is; NULL is welcome
 *
 * Errors: NOMEM.
 */
PN_NODISCARD pn_status pn_recent_rows_make(pn_dataset *dataset, const size_t *fragments,
                                           size_t n_fragments, const char *column, size_t dim,
                                           bool any_length, const pn_recent_rows *before,
                                           pn_recent_rows *out, pn_error *err);
void pn_recent_rows_reset(pn_recent_rows *recent);
/* NULL: none was made. */
const pn_flat_copy *pn_recent_rows_find(const pn_recent_rows *recent, const pn_flat_run *run);

#endif

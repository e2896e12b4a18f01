/*
 * recent_rows.h - 8-bit copies of the rows that no index covers yet
 *
 * Every search scans them, from one index to the next, so their vectors are copied once, and a scan then reads a quarter. Of many
 * rows none are copied: that is a table without an index, which is not to cost another quarter of its memory.
 *
 * Cost: 2 microseconds a row of 512 floats, on one thread. Threads: any; a pn_recent_rows is immutable and counted.
 */
#ifndef PN_COLLECTION_RECENT_ROWS_H
#define PN_COLLECTION_RECENT_ROWS_H

#include "dataset/dataset.h"
#include "index/flat_copy.h"

/* Rows with more bytes of copies have none: 32,768 of 512 dimensions, four times what an index is due for. */
#define PN_RECENT_BYTES ((size_t)16 << 20)
/* Nor have runs of fewer: the centre of a run is a vector too. 16,384 rows one by one took 5.5 ms with copies, 2.1 ms without. */
enum { PN_RECENT_RUN_ROWS = 8 };

typedef struct pn_recent_rows pn_recent_rows;

/*
 * Copies of the fragments that are listed; a fragment that cannot be read has none, and its scan tells why. Nor do short runs.
 *
 * fragments   [n_fragments] by place in the dataset, which is held, so that its vectors stay mapped
 * before      those of another version, which share what is the same, if their any_length is; NULL is welcome
 *
 * Errors: NOMEM.
 */
PN_NODISCARD pn_status pn_recent_rows_make(pn_dataset *dataset, const size_t *fragments,
                                           size_t n_fragments, const char *column, size_t dim,
                                           bool any_length, const pn_recent_rows *before,
                                           pn_recent_rows **out, pn_error *err);
pn_recent_rows *pn_recent_rows_ref(pn_recent_rows *recent); /* NULL is welcome */
void pn_recent_rows_unref(pn_recent_rows *recent);          /* NULL is welcome */

/* NULL: none was made; also where recent is NULL. */
pn_flat_copy *pn_recent_rows_find(const pn_recent_rows *recent, const pn_flat_run *run);

#endif

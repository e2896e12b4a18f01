/*
 * row_writer.h - embedded pictures -> committed rows
 *
 * Collects rows and commits them together: new ones in one version, changed ones (which keep their id and replace the old
 * row) in another. Threads: one at a time.
 */
#ifndef PN_INGEST_ROW_WRITER_H
#define PN_INGEST_ROW_WRITER_H

#include "collection/engine.h"
#include "ingest/ingest_item.h"

typedef struct pn_row_writer pn_row_writer;

PN_NODISCARD pn_status pn_row_writer_create(pn_engine *engine, pn_row_writer **out, pn_error *err);
void pn_row_writer_free(
    pn_row_writer *writer); /* what was not committed is dropped; NULL is welcome */

/* item->vector is there. id is the old row's when item->replaces, otherwise ignored. */
PN_NODISCARD pn_status pn_row_writer_add(pn_row_writer *writer, const pn_ingest_item *item,
                                         int64_t id, pn_error *err);
/* Must be committed before the next row is added. */
bool pn_row_writer_is_full(const pn_row_writer *writer);
size_t pn_row_writer_pending(const pn_row_writer *writer);
/* *n_committed rows are on the disk afterwards; 0 after a failure of the first commit. */
PN_NODISCARD pn_status pn_row_writer_commit(pn_row_writer *writer, uint64_t *n_committed,
                                            pn_error *err);

/* The id of the first new row of the last commit, the others' follow; -1: there was none, or it has no id. */
int64_t pn_row_writer_first_id(const pn_row_writer *writer);

/* "image_path = '...'" with quotes doubled; in arena. NULL: no memory. */
PN_NODISCARD char *pn_path_filter(const char *path, pn_arena *arena);

#endif

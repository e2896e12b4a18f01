/*
 * fold_log.h - which data files became which, so that indexes go on covering their rows
 *
 *     <table>.lance/_pennon/index/folds.log, a line each:
 *     fold <new file> <rows> <old file>:<rows>:<deleted> ... <hash>
 *
 * An index knows a row by the file of its vectors and its place in there. When fragments are folded (dataset/compact.h), the rows of the
 * new file are those of the old ones in order, without the deleted ones; a line says so, and is written before the fold is
 * committed. A line of a fold that never came names a file that no version has, and does no harm: a file may have become several,
 * of which a version has one at most. A line that is lost, or torn by a power cut, makes rows uncovered until the next index. So
 * lines are not synced, and those with a wrong hash are passed over.
 *
 * deleted: "-" for none, else ranges of rows, "3-5,9".
 *
 * Threads: a log is guarded by its owner. Writers are of one process at a time, or lose lines.
 */
#ifndef PN_COLLECTION_FOLD_LOG_H
#define PN_COLLECTION_FOLD_LOG_H

#include "dataset/compact.h"

/* A fold that dropped more ranges of deleted rows than this is not told of. */
enum { PN_FOLD_MAX_GAPS = 4096 };

/* Rows [first, first + n) of an old file, which are gone. */
typedef struct pn_fold_gap {
    uint32_t first, n;
} pn_fold_gap;

/* An old file in the one that it became a part of. */
typedef struct pn_fold_part {
    const char *old_file, *new_file;
    uint32_t n_rows;    /* of the old one, deleted ones too */
    uint32_t first_row; /* in the new one */
    const pn_fold_gap *gaps;
    size_t n_gaps;
    size_t line; /* that tells of it */
} pn_fold_part;

typedef struct pn_fold_log pn_fold_log;

/* folder: of the table's indexes. Nothing is read yet. NOMEM. */
PN_NODISCARD pn_status pn_fold_log_create(const char *folder, pn_fold_log **out, pn_error *err);
void pn_fold_log_free(pn_fold_log *log); /* NULL is welcome */

/* Read what came since the last time; one look at the file system when nothing did. */
PN_NODISCARD pn_status pn_fold_log_refresh(pn_fold_log *log, pn_error *err);

/* What became of a file, [*n], as the lines tell it from first to last: a fold that came to nothing is tried again, and an old version that
 * was restored is folded anew. *n 0: it was not folded. Lives until the next refresh. */
const pn_fold_part *pn_fold_log_find(const pn_fold_log *log, const char *old_file, size_t *n);

/* Tell of folds that are about to be committed, of a table with a folder for indexes; else nothing is written. column: of the
 * vectors. */
PN_NODISCARD pn_status pn_fold_log_write(const char *folder, const char *column, pn_dataset *read,
                                         const pn_compact_fold *folds, size_t n, pn_error *err);

/* Leave out what leads from none of these files. Nobody builds an index meanwhile: it may need what no index needs yet. */
PN_NODISCARD pn_status pn_fold_log_trim(pn_fold_log *log, const char *const *files, size_t n,
                                        pn_error *err);
/* Lines, to be trimmed when there are many. */
size_t pn_fold_log_count(const pn_fold_log *log);

#endif

/*
 * moved_rows.h - where the rows of a file are after it was folded, perhaps more than once
 */
#ifndef PN_COLLECTION_MOVED_ROWS_H
#define PN_COLLECTION_MOVED_ROWS_H

#include "collection/fold_log.h"
#include "collection/run_list.h"

/* Rows [first_row, first_row + n_rows) of the old file are rows `at` and following of the new one. */
typedef struct pn_moved_run {
    uint32_t first_row, n_rows, at;
} pn_moved_run;

/* Ascending; rows in between are gone. */
typedef struct pn_moved_rows {
    const char *file;
    pn_moved_run *runs;
    size_t n_runs;
    uint32_t n_old; /* rows of the old file */
} pn_moved_rows;

/* All rows of a file, where they are. runs are in arena. */
PN_NODISCARD pn_status pn_moved_rows_begin(const char *file, uint32_t n_rows, pn_arena *arena,
                                           pn_moved_rows *out, pn_error *err);
/* Follow them through a fold of their file; *moved false, and out as it was, when it is one of another file of that name. */
PN_NODISCARD pn_status pn_moved_rows_follow(const pn_fold_part *part, pn_arena *arena,
                                            const pn_moved_rows *rows, pn_moved_rows *out,
                                            bool *moved, pn_error *err);
uint64_t pn_moved_rows_count(const pn_moved_rows *rows);

/*
 * Add the runs of a fragment's rows as the old file counts them, so that an index of the old file can use them: runs of rows that are
 * gone have no vectors, and are deleted. The deletions of all are in arena.
 */
PN_NODISCARD pn_status pn_moved_rows_add(const pn_moved_rows *rows, pn_dataset *dataset,
                                         size_t fragment_i, const char *column, bool any_length,
                                         pn_arena *arena, pn_run_list *list, pn_error *err);

/* Add a fragment where it is, for an index, which wants all of its rows: where pn_run_list_add() has none, because all are null, there are
 * runs without vectors, and their rows are deleted. */
PN_NODISCARD pn_status pn_whole_rows_add(pn_dataset *dataset, size_t fragment_i, const char *column,
                                         bool any_length, pn_arena *arena, pn_run_list *list,
                                         pn_error *err);

/* The words of the fragment as words of the old file: fragment_words of a filter. out [pn_words_for_bits(rows of the old)], zero. */
void pn_moved_words(const pn_flat_run *runs, size_t n_runs, const uint64_t *fragment_words,
                    uint64_t *out);

#endif

/*
 * table_export.h - rows of a table as NDJSON, CSV or a NumPy matrix
 *
 *     NDJSON   an object a line, its members in the order of the columns (json_value.h)
 *     CSV      a line of names, then rows (csv_rows.h); values with parts as JSON (a vector is [0.1,...])
 *     NPY      float32[rows][dim] of one vector column (a null is a row of NaN), and the other columns as NDJSON beside it
 *
 * Threads: one.
 */
#ifndef PN_TRANSFER_TABLE_EXPORT_H
#define PN_TRANSFER_TABLE_EXPORT_H

#include "dataset/dataset.h"

typedef enum pn_row_format { PN_ROWS_NDJSON, PN_ROWS_CSV, PN_ROWS_NPY } pn_row_format;

typedef pn_status (*pn_write_all)(void *context, const void *bytes, size_t n, pn_error *err);

typedef struct pn_export_plan {
    pn_row_format format;
    const char *filter;         /* NULL: every row */
    uint64_t limit;             /* 0: every row */
    const char *const *columns; /* NULL: all */
    size_t n_columns;
    const char *vector_column; /* NPY */
    pn_write_all write;
    void *write_context;
    pn_write_all write_rest; /* NPY: the other columns; NULL: they are left out */
    void *rest_context;
    /* Now and then: rows so far, of how many (0: not known), bytes written. False: stop. May be NULL. */
    bool (*progress)(void *context, uint64_t n_rows, uint64_t n_all, uint64_t n_bytes);
    void *progress_context;
} pn_export_plan;

/*
 * n_rows  that were written; also on failure
 * Errors: INVALID (a column, the filter, a text that is not UTF-8), UNSUPPORTED (a struct with two members of one name), CANCELLED; those
 *         of the writers and of reading.
 */
PN_NODISCARD pn_status pn_table_export(pn_dataset *dataset, const pn_export_plan *plan,
                                       uint64_t *n_rows, pn_error *err);

#endif

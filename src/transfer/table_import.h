/*
 * table_import.h - rows from NDJSON, CSV or a NumPy matrix into a table
 *
 * The forms are those of table_export.h; a NumPy matrix may be of float16, float32 or float64. All rows become visible with one commit, or
 * none does. Threads: one.
 */
#ifndef PN_TRANSFER_TABLE_IMPORT_H
#define PN_TRANSFER_TABLE_IMPORT_H

#include "dataset/upsert.h"
#include "transfer/table_export.h"
#include "transfer/text_source.h"

typedef enum pn_import_mode {
    PN_IMPORT_APPEND,   /* to a table that is there */
    PN_IMPORT_CREATE,   /* a new one; EXISTS otherwise */
    PN_IMPORT_EXIST_OK, /* a new one, or append to the one that is there */
    PN_IMPORT_OVERWRITE /* these rows and their columns alone, whatever was there; its old versions stay */
} pn_import_mode;

/* What becomes of a row whose vector has a wrong length or a NaN, or is null where that is not allowed. */
typedef enum pn_vectors_policy {
    PN_VECTORS_ERROR, /* the import fails */
    PN_VECTORS_DROP,  /* the row is left out */
    PN_VECTORS_FILL,  /* all its numbers are the fill value */
    PN_VECTORS_NULL   /* the vector is null, where the column may be */
} pn_vectors_policy;

typedef struct pn_import_plan {
    pn_row_format format;
    pn_import_mode mode;
    const char
        *schema_json; /* of a table that is made (schema_json.h); NULL: guessed (guess_schema.h) */
    const char *data_format;   /* of a table that is made: "2.0" to "2.3"; NULL: the usual */
    const char *vector_column; /* of a NumPy file, and when guessing */
    pn_vectors_policy on_bad_vectors;
    double fill_value;
    /* Match rows by key instead of appending them; NULL: append. The columns that come are those of the CSV's first line, or of the
     * first 4 MiB of NDJSON; what does not come keeps its value in rows that are there. */
    const pn_upsert_options *upsert;
    pn_read_some read;
    void *read_context;
    pn_read_some read_rest; /* NPY: the other columns as NDJSON; NULL: none */
    void *rest_context;
    /* Now and then: rows and bytes so far. False: stop. May be NULL. */
    bool (*progress)(void *context, uint64_t n_rows, uint64_t n_bytes);
    void *progress_context;
} pn_import_plan;

typedef struct pn_import_counts {
    uint64_t n_rows;        /* taken: added, unless an upsert found what to do with them */
    uint64_t n_bad_vectors; /* dropped, filled or made null */
    uint64_t n_dropped;
    uint64_t version; /* that has the rows */
    pn_upsert_report upserted;
} pn_import_counts;

/*
 * Errors: NOT_FOUND (no table to append to), EXISTS, INVALID (a row; the message says which line, column and why; the schema), CANCELLED,
 *         LIMIT; those of the readers and of commits. A table that an upsert made stays, without
 *         rows, when the rows fail; others come to be with their rows.
 */
PN_NODISCARD pn_status pn_table_import(const char *path, const pn_import_plan *plan,
                                       pn_import_counts *out, pn_error *err);

#endif

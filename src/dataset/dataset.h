/*
 * dataset.h - a versioned table of fragments (Lance table format)
 *
 * A pn_dataset is one version of one table: immutable, counted, shared between threads. Every change is a function
 * that takes the version it was decided on and commits a new one; a lost race is rebased and tried again when the
 * format's rules allow it, PN_ERR_CONFLICT otherwise. Nothing is visible before the commit's one rename, and nothing is
 * lost after it: files and folders are synced in that order.
 */
#ifndef PN_DATASET_DATASET_H
#define PN_DATASET_DATASET_H

#include "column/array.h"
#include "column/rowset.h"
#include "os/mapping.h"

typedef struct pn_dataset pn_dataset;

/*
 * Make a table in the folder path (usually "<db>/<name>.lance"), version 1, without rows.
 * Field ids are assigned; schema->metadata becomes the table's schema metadata.
 * Errors: EXISTS when there is a table; INVALID for the schema (names what); IO.
 */
PN_NODISCARD pn_status pn_dataset_create(const char *path, const pn_schema *schema,
                                         pn_dataset **out, pn_error *err);

/* The same with data files of another version: "2.1", "2.2" (which the first one takes) or "2.3". NULL: that. UNSUPPORTED: another one. */
PN_NODISCARD pn_status pn_dataset_create_format(const char *path, const pn_schema *schema,
                                                const char *format, pn_dataset **out,
                                                pn_error *err);

/* version 0: the newest. NOT_FOUND (no table, or no such version), CORRUPT, UNSUPPORTED (feature flags, file versions). */
PN_NODISCARD pn_status pn_dataset_open(const char *path, uint64_t version, pn_dataset **out,
                                       pn_error *err);
/* Was it refused because its bytes make no sense? Not so where it is of a kind that is not supported, or the disk cannot be read. */
static inline bool pn_is_damage(pn_status status)
{
    return status == PN_ERR_CORRUPT || status == PN_ERR_LIMIT;
}
pn_dataset *pn_dataset_ref(pn_dataset *dataset);
void pn_dataset_unref(pn_dataset *dataset); /* NULL is welcome */

/* The newest version: *out is dataset itself (with one more reference) when nothing was committed since. Opened data
 * files are shared between versions. */
PN_NODISCARD pn_status pn_dataset_latest(pn_dataset *dataset, pn_dataset **out, pn_error *err);
/* Are both versions of one table? Not when it was removed meanwhile and another one was made in its place, which pn_dataset_latest() opens anew. */
bool pn_dataset_is_kin(const pn_dataset *a, const pn_dataset *b);

/* The versions that are open of those that came from one another by pn_dataset_latest() and by changes, with repetitions; in arena. */
PN_NODISCARD pn_status pn_dataset_pinned(const pn_dataset *dataset, pn_arena *arena,
                                         uint64_t **versions, size_t *n, pn_error *err);

const char *pn_dataset_path(const pn_dataset *dataset);
uint64_t pn_dataset_version(const pn_dataset *dataset);
int64_t pn_dataset_timestamp_ms(const pn_dataset *dataset); /* when this version was committed */
const pn_schema *pn_dataset_schema(const pn_dataset *dataset);
uint64_t pn_dataset_count_rows(const pn_dataset *dataset); /* without deleted ones */
/* What the data files of this version weigh on disk. */
uint64_t pn_dataset_data_bytes(const pn_dataset *dataset);

typedef struct pn_fragment_info {
    uint32_t id;
    uint32_t physical_rows;
    uint32_t deleted_rows;
} pn_fragment_info;
size_t pn_dataset_n_fragments(const pn_dataset *dataset);
void pn_dataset_fragment(const pn_dataset *dataset, size_t fragment_i, pn_fragment_info *out);
/* The name of the data file that has a fragment's values of a column, which tells what a side index knows from what was
 * written over it since; "" when no file has any. Lives with the dataset. */
const char *pn_dataset_column_file(const pn_dataset *dataset, size_t fragment_i,
                                   const char *column);
/* Deleted offsets of a fragment as words of bits (1 = deleted), or NULL when there are none. Lives with the dataset. */
PN_NODISCARD pn_status pn_dataset_deletions(pn_dataset *dataset, size_t fragment_i,
                                            const uint64_t **words, pn_error *err);

/* What the versions behind another one did to the rows of the table. */
typedef enum pn_growth {
    PN_GROWTH_NONE,   /* rows moved or went; none came */
    PN_GROWTH_ADDED,  /* rows came, in fragments of new ids */
    PN_GROWTH_UNKNOWN /* another table came in its place, or a version in between cannot be read */
} pn_growth;
/* Only transactions are read, and of too many versions nothing is said. NOMEM. */
PN_NODISCARD pn_status pn_dataset_growth(const pn_dataset *dataset, uint64_t since, pn_growth *out,
                                         pn_error *err);

typedef struct pn_version_info {
    uint64_t version;
    int64_t timestamp_ms;
    uint64_t n_rows;
    const char *operation; /* "create", "append", "delete", "update", "rewrite", ... */
} pn_version_info;
/* Ascending. The array lives in arena. Manifests that cannot be read are an error that names them. */
PN_NODISCARD pn_status pn_dataset_list_versions(const char *path, pn_arena *arena,
                                                pn_version_info **out, size_t *n, pn_error *err);

/* ---- changes ---- */

/* Rows on their way into a table: written to new data files, invisible until committed. One thread at a time. */
typedef struct pn_append pn_append;
PN_NODISCARD pn_status pn_append_begin(pn_dataset *dataset, pn_append **out, pn_error *err);
/* The batch has the table's columns by name, in any order; absent nullable columns become null. */
PN_NODISCARD pn_status pn_append_batch(pn_append *append, const pn_batch *batch, pn_error *err);
/*
 * Commit what was appended, and in the same version delete the rows of `replaced` (NULL: none), addresses of the dataset
 * given to begin. Ends the append in every case. *out is the new version (also when there were no rows: then the
 * unchanged dataset with one more reference).
 */
PN_NODISCARD pn_status pn_append_commit(pn_append *append, const pn_rowset *replaced,
                                        pn_dataset **out, pn_error *err);
void pn_append_abort(pn_append *append); /* removes its files; NULL is welcome */

/*
 * The same for a table that takes the place of this one: a new schema (field ids are assigned), only the new rows, no index.
 * Older versions stay. Commits of others meanwhile are replaced, too, but for another overwrite: CONFLICT.
 * Errors: INVALID for the schema; UNSUPPORTED for columns that data files of the table's version do not have.
 */
PN_NODISCARD pn_status pn_overwrite_begin(pn_dataset *dataset, const pn_schema *schema,
                                          pn_append **out, pn_error *err);

/*
 * The same for a table that is not there yet: version 1 has the rows, and before it there is no table. format is as for
 * pn_dataset_create_format(). When another writer makes the table meanwhile: with joins the rows are appended to that one, if it has the
 * same columns, and CONFLICT otherwise; without it EXISTS. Errors: EXISTS; INVALID for the schema; UNSUPPORTED.
 */
PN_NODISCARD pn_status pn_create_begin(const char *path, const pn_schema *schema,
                                       const char *format, bool joins, pn_append **out,
                                       pn_error *err);

/* Delete rows by address. predicate is text for the transaction's record, may be NULL. *n_deleted counts rows that
 * were not deleted before. */
PN_NODISCARD pn_status pn_dataset_delete(pn_dataset *dataset, const pn_rowset *rows,
                                         const char *predicate, uint64_t *n_deleted,
                                         pn_dataset **out, pn_error *err);

/*
 * Make an old version the newest again: a new version with its content. What came after it stays in the versions between. The newest
 * version may be damaged (pn_is_damage()); then dataset is any that can be read.
 * Errors: NOT_FOUND; CORRUPT when a file of that version is missing.
 */
PN_NODISCARD pn_status pn_dataset_restore(pn_dataset *dataset, uint64_t version, pn_dataset **out,
                                          pn_error *err);

/* ---- columns ----
 *
 * These are decided again when another writer comes in between, on the newest version. */

/* Top-level columns by name. NOT_FOUND; INVALID: no column would be left. Indexes of them go, too. */
PN_NODISCARD pn_status pn_dataset_drop_columns(pn_dataset *dataset, const char *const *names,
                                               size_t n, pn_dataset **out, pn_error *err);
/* A top-level column. NOT_FOUND; EXISTS; INVALID: an empty name, or one with a dot. */
PN_NODISCARD pn_status pn_dataset_rename_column(pn_dataset *dataset, const char *from,
                                                const char *to, pn_dataset **out, pn_error *err);

/* Where the values of a new column come from. */
typedef struct pn_column_source {
    const char *const *columns; /* of the table, that fill wants to see; may be NULL */
    size_t n_columns;
    /*
     * rows are some rows of a fragment in order, deleted ones too (whose values do not matter); *out gets a value for each, in
     * arena. Called for all rows, and all of them again when another writer came in between.
     */
    pn_status (*fill)(void *context, const pn_batch *rows, const pn_row_addr *addrs,
                      pn_arena *arena, pn_array *out, pn_error *err);
    void *context;
} pn_column_source;
/*
 * Add a column; the field's id is assigned. source NULL: null for all rows, which writes nothing but the schema.
 * Errors: EXISTS; INVALID: the name, or a field that cannot be null without values; UNSUPPORTED: types that are not written.
 */
PN_NODISCARD pn_status pn_dataset_add_column(pn_dataset *dataset, const pn_field *field,
                                             const pn_column_source *source, pn_dataset **out,
                                             pn_error *err);
/* The same with one value for all rows: value has one row, its field is the column's. */
PN_NODISCARD pn_status pn_dataset_add_constant(pn_dataset *dataset, const pn_array *value,
                                               pn_dataset **out, pn_error *err);

/* ---- reading ---- */

typedef struct pn_scan_options {
    const char *const *columns; /* NULL: all */
    size_t n_columns;
    const char *filter; /* filter language; NULL: every row */
    size_t batch_rows;  /* 0: 4096 */
    uint32_t first_id;  /* of fragments: those with smaller ids are left out */
    uint64_t end_id;    /* and those from this one on; 0: none */
    bool deleted_too;   /* rows whose values are still in their file */
} pn_scan_options;
#define PN_SCAN_OPTIONS_INIT                                                                       \
    {                                                                                              \
        NULL, 0, NULL, 0, 0, 0, false                                                              \
    }

/* Rows in fragment order, deleted ones left out unless asked for. One thread at a time per scan. */
typedef struct pn_scan pn_scan;
PN_NODISCARD pn_status pn_scan_begin(pn_dataset *dataset, const pn_scan_options *options,
                                     pn_scan **out, pn_error *err);
const pn_schema *pn_scan_schema(const pn_scan *scan); /* the columns of its batches */
/* *n_rows of the batch 0: the end. addrs[i] is the address of row i. The batch lives until the next call. */
PN_NODISCARD pn_status pn_scan_next(pn_scan *scan, pn_batch *batch, const pn_row_addr **addrs,
                                    pn_error *err);
void pn_scan_end(pn_scan *scan); /* NULL is welcome */

/* The rows that pass the filter, deleted ones left out. Only the filter's columns are read. */
PN_NODISCARD pn_status pn_dataset_filter_rows(pn_dataset *dataset, pn_str filter, pn_rowset *out,
                                              pn_error *err);

/*
 * Rows by address, in the order asked for. columns NULL: all.
 * Errors: NOT_FOUND for an address that is not in the table or is deleted.
 * The batch lives in arena and, for mapped values, with the dataset.
 */
PN_NODISCARD pn_status pn_dataset_take(pn_dataset *dataset, const pn_row_addr *addrs, size_t n,
                                       const char *const *columns, size_t n_columns,
                                       pn_arena *arena, pn_batch *out, pn_error *err);

/* The data file with a fragment's values of a column, as memory; it lives with the dataset. *mapping NULL: there is none. */
PN_NODISCARD pn_status pn_dataset_column_memory(pn_dataset *dataset, size_t fragment_i,
                                                const char *column, const pn_mapping **mapping,
                                                const char **path, pn_error *err);

/*
 * The vectors of a fragment as float32[n_rows][dim] runs: mapped where the file's layout allows, decoded into
 * memory kept with the dataset's file otherwise (null vectors become NaN, which no search returns). Physical rows: deleted ones are in.
 */
typedef struct pn_vector_run {
    uint32_t first_row, n_rows;
    const float *vectors;
    /* [ceil(n_rows / 64)] of 64 rows each, for who scans them: 1 when all were found to be unit vectors. Live with the file */
    _Atomic uint8_t *units;
} pn_vector_run;
PN_NODISCARD pn_status pn_dataset_vectors(pn_dataset *dataset, size_t fragment_i,
                                          const char *column, const pn_vector_run **runs,
                                          size_t *n_runs, pn_error *err);

#endif

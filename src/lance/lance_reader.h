/*
 * lance_reader.h - one Lance data file, mapped: rows of columns -> arrays
 *
 * Versions 2.0 to 2.3. Threads: an open file is immutable; any thread may read, with an arena of its own.
 */
#ifndef PN_LANCE_LANCE_READER_H
#define PN_LANCE_LANCE_READER_H

#include "base/str.h"
#include "column/array.h"
#include "os/mapping.h"

typedef struct pn_lance_file pn_lance_file;

/* Errors: NOT_FOUND, CORRUPT, UNSUPPORTED (another version), LIMIT, IO. */
PN_NODISCARD pn_status pn_lance_file_open(const char *path, pn_lance_file **out, pn_error *err);
void pn_lance_file_close(pn_lance_file *file); /* NULL is welcome */

uint64_t pn_lance_file_rows(const pn_lance_file *file);
uint64_t pn_lance_file_bytes(const pn_lance_file *file);
uint16_t pn_lance_file_major(const pn_lance_file *file);
uint16_t pn_lance_file_minor(const pn_lance_file *file);
/* The file as memory, and its path; both live with it. */
const pn_mapping *pn_lance_file_mapping(const pn_lance_file *file, const char **path);
size_t pn_lance_file_columns(const pn_lance_file *file);
/* The column of a leaf of the file's own schema, depth first; -1: there are no more. */
int32_t pn_lance_file_leaf_column(const pn_lance_file *file, size_t leaf_i);
/* What the pages of one column take; 0 when there is no such column. */
uint64_t pn_lance_file_column_bytes(const pn_lance_file *file, int32_t column);
const pn_schema *pn_lance_file_schema(const pn_lance_file *file); /* as the file tells it */

/* What index files have beside their rows: a value of the schema's metadata, as bytes that live with the file. CORRUPT:
 * there is none. */
PN_NODISCARD pn_status pn_lance_file_metadata(const pn_lance_file *file, const char *key,
                                              pn_str *out, pn_error *err);
/* And global buffers, in the mapping, counted from the file's descriptor (0) on. CORRUPT: there is none,
 * or it lies outside of the file. */
PN_NODISCARD pn_status pn_lance_file_global(const pn_lance_file *file, uint64_t i, pn_str *out,
                                            pn_error *err);

/*
 * What a reader that goes through files in windows remembers: the page in hand of each column, decoded, where a page cannot
 * be read in parts. With it a scan decodes each page once. For one thread; all files and fields that were read with it stay
 * until it is cleared or freed.
 */
typedef struct pn_lance_memo pn_lance_memo;
PN_NODISCARD pn_status pn_lance_memo_create(pn_lance_memo **out, pn_error *err);
void pn_lance_memo_clear(pn_lance_memo *memo);
void pn_lance_memo_free(pn_lance_memo *memo); /* NULL is welcome */
/* Pages that were decoded as a whole so far. */
uint64_t pn_lance_memo_decoded(const pn_lance_memo *memo);

/*
 * Rows [first, first + n) of one top-level field.
 *
 * field         what to make of the columns; lives as long as the array
 * leaf_columns  [n_leaves] column of the file for each leaf of field, depth first; -1: not in this file, reads as null
 * memo          may be NULL
 * arena         where the values go; some are borrowed from the mapping, which lives until the file is closed
 *
 * Errors: CORRUPT and UNSUPPORTED name the file and the column; LIMIT when the rows would take more memory than
 *         limits.h allows for pages of this size; NOMEM.
 */
PN_NODISCARD pn_status pn_lance_file_read(pn_lance_file *file, const pn_field *field,
                                          const int32_t *leaf_columns, size_t n_leaves,
                                          uint64_t first, uint64_t n, pn_lance_memo *memo,
                                          pn_arena *arena, pn_array *out, pn_error *err);

/* Chosen rows, ascending; duplicates are allowed. */
PN_NODISCARD pn_status pn_lance_file_take(pn_lance_file *file, const pn_field *field,
                                          const int32_t *leaf_columns, size_t n_leaves,
                                          const uint64_t *rows, size_t n, pn_lance_memo *memo,
                                          pn_arena *arena, pn_array *out, pn_error *err);

/* n nulls of a field that no file has. */
PN_NODISCARD pn_status pn_lance_absent(const pn_field *field, size_t n, pn_arena *arena,
                                       pn_array *out, pn_error *err);

/* A vector column's pages as float32[n_rows][dim] straight in the mapping, when every page is full-zip without levels over
 * plain floats; *mappable is false otherwise. */
typedef struct pn_lance_run {
    uint64_t first_row, n_rows;
    const float *vectors;
} pn_lance_run;
PN_NODISCARD pn_status pn_lance_file_map_vectors(pn_lance_file *file, int32_t column, int32_t dim,
                                                 pn_arena *arena, pn_lance_run **runs,
                                                 size_t *n_runs, bool *mappable, pn_error *err);

#endif

/*
 * lance_writer.h - batches -> one Lance data file of version 2.0 to 2.3
 *
 * Nothing is compressed. In version 2.0 values are arrays; later every leaf is written full-zip (booleans, and lists in structs that are null, as mini-blocks, columns of
 * nothing but nulls as constants). The page of a vector column without nulls is float32[rows][dim] at a multiple of
 * 4,096, ready to be mapped and scanned.
 * Threads: one at a time.
 */
#ifndef PN_LANCE_LANCE_WRITER_H
#define PN_LANCE_LANCE_WRITER_H

#include "column/array.h"
#include "os/sync_list.h"

typedef struct pn_lance_writer pn_lance_writer;

/* schema is borrowed; its fields have ids. path must not exist. Errors: EXISTS, IO, UNSUPPORTED (a type, by name). */
PN_NODISCARD pn_status pn_lance_writer_create(const char *path, const pn_schema *schema,
                                              pn_lance_writer **out, pn_error *err);
/* Whether such a file could be written, of minor version 2.minor. Errors: as of creating one, without a file. */
PN_NODISCARD pn_status pn_lance_writer_check(const pn_schema *schema, uint16_t minor,
                                             pn_error *err);
/* The same in another minor version of 2: a table's files are of one version. UNSUPPORTED: not 0 to 3, or a column that the
 * version has not (maps came with 2.2). */
PN_NODISCARD pn_status pn_lance_writer_create_version(const char *path, const pn_schema *schema,
                                                      uint16_t minor, pn_lance_writer **out,
                                                      pn_error *err);
/* batch->columns are in the order of schema. The rows of a leaf are collected until they have 8 MiB, then they become a page.
 * INVALID: other types or lengths, a null where none may be; LIMIT: a row with over 16,383 (in version 2.1: 1,300) empty lists
 * on end in lists of booleans or dictionaries; more different values in a page of a dictionary than its index counts; UNSUPPORTED: in
 * version 2.0 a null of a struct. After an error the writer can only be closed. */
PN_NODISCARD pn_status pn_lance_writer_append(pn_lance_writer *writer, const pn_batch *batch,
                                              pn_error *err);
/* What index files have beside their rows: key and value, kept in the schema's metadata, of any length; and bytes as the next global
 * buffer. The first one is number 1. */
PN_NODISCARD pn_status pn_lance_writer_add_metadata(pn_lance_writer *writer, const char *key,
                                                    const char *value, pn_error *err);
PN_NODISCARD pn_status pn_lance_writer_add_global(pn_lance_writer *writer, const void *bytes,
                                                  size_t n, pn_error *err);
/* Write what is left and the footer. The file goes to unsynced: it is on the disk once that is settled; NULL: on return. */
PN_NODISCARD pn_status pn_lance_writer_finish(pn_lance_writer *writer, pn_sync_list *unsynced,
                                              uint64_t *n_rows, uint64_t *size_bytes,
                                              pn_error *err);
/* Without finish before it: the file is removed. NULL is welcome. */
void pn_lance_writer_close(pn_lance_writer *writer);

#endif

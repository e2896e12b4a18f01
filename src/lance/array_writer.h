/*
 * array_writer.h - batches -> pages of version 2.0, column by column
 *
 * Where later versions have a column a leaf, 2.0 has one for each node of the schema, depth first (array_encode.h).
 * Threads: one at a time.
 */
#ifndef PN_LANCE_ARRAY_WRITER_H
#define PN_LANCE_ARRAY_WRITER_H

#include "column/array.h"
#include "lance/array_encode.h"

typedef struct pn_array_writer pn_array_writer;

/* Takes the pages of all columns as they are made; those of one column in order. */
typedef pn_status (*pn_array_page_sink)(void *context, size_t column, const pn_encoded_page *page,
                                        uint64_t n_rows, pn_error *err);

/*
 * schema          borrowed; no map, blob or packed struct is in it, nor a fixed-size list of other than plain values
 * page_bytes      a column's page ends at so many bytes of values
 * max_page_bytes  and may not become larger than this: one value is never cut
 */
PN_NODISCARD pn_status pn_array_writer_create(const pn_schema *schema, size_t page_bytes,
                                              size_t max_page_bytes, pn_array_page_sink sink,
                                              void *context, pn_array_writer **out, pn_error *err);
size_t pn_array_writer_columns(const pn_array_writer *writer);
/* batch has the shape of schema. INVALID: a null where none may be; UNSUPPORTED: a null of a struct, which the version has not;
 * LIMIT: more different values in a page of a dictionary than its index counts. After an error the writer can only be freed. */
PN_NODISCARD pn_status pn_array_writer_append(pn_array_writer *writer, const pn_batch *batch,
                                              pn_error *err);
/* The last page of each column. */
PN_NODISCARD pn_status pn_array_writer_finish(pn_array_writer *writer, pn_error *err);
void pn_array_writer_free(pn_array_writer *writer); /* NULL is welcome */

#endif

/*
 * blob_page.h - a page of large values that lie elsewhere in the file
 */
#ifndef PN_LANCE_BLOB_PAGE_H
#define PN_LANCE_BLOB_PAGE_H

#include "lance/array_values.h"
#include "lance/page.h"

/* Append the entries of the ranges to stream; path->nodes' leaf is of bytes. */
PN_NODISCARD pn_status pn_blob_page_read(pn_decoder *d, const pn_page *page,
                                         const pn_leaf_path *path, const pn_row_range *ranges,
                                         size_t n_ranges, pn_stream *stream);

/* The leaf that positions and sizes are, 16 bytes a row. members are two. */
void pn_blob_descriptor(pn_field *members, pn_field *out);
/* Of a file of version 2.0: positions and sizes -> values, and which there are. All is in d->arena. */
PN_NODISCARD pn_status pn_blob_array(pn_decoder *d, pn_slice file, const pn_values *descriptors,
                                     pn_array_values *out);

#endif

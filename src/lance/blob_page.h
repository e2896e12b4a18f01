/*
 * blob_page.h - a page of large values that lie elsewhere in the file
 */
#ifndef PN_LANCE_BLOB_PAGE_H
#define PN_LANCE_BLOB_PAGE_H

#include "lance/page.h"

/* Append the entries of the ranges to stream; path->nodes' leaf is of bytes. */
PN_NODISCARD pn_status pn_blob_page_read(pn_decoder *d, const pn_page *page,
                                         const pn_leaf_path *path, const pn_row_range *ranges,
                                         size_t n_ranges, pn_stream *stream);

#endif

/*
 * sparse_page.h - a page of version 2.3 that tells its nulls and lists by position
 */
#ifndef PN_LANCE_SPARSE_PAGE_H
#define PN_LANCE_SPARSE_PAGE_H

#include "lance/page.h"

/* Append the entries of the ranges to stream. The whole page is decoded. */
PN_NODISCARD pn_status pn_sparse_page_read(pn_decoder *d, const pn_page *page,
                                           const pn_leaf_path *path, const pn_row_range *ranges,
                                           size_t n_ranges, pn_stream *stream);

#endif

/*
 * page_memo.h - reading rows of a page through a memo (pn_lance_memo, lance_reader.h)
 */
#ifndef PN_LANCE_PAGE_MEMO_H
#define PN_LANCE_PAGE_MEMO_H

#include "lance/container.h"
#include "lance/lance_reader.h"

/* As pn_page_read() for a page that pn_page_is_read_whole(); from is the page in its file's column, which names it. */
PN_NODISCARD pn_status pn_memo_page_read(pn_lance_memo *memo, pn_decoder *d,
                                         const pn_file_column *column, const pn_file_page *from,
                                         const pn_page *page, const pn_leaf_path *path,
                                         const pn_row_range *ranges, size_t n_ranges,
                                         pn_stream *stream);

#endif

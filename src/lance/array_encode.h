/*
 * array_encode.h - the rows of one column -> one page of a file of version 2.0
 *
 * Before 2.1 there are no levels: each node of the schema has a column, and a page of it an Arrow array in a tree of encodings
 * (array_values.c reads them). A stream holds the rows, an entry and a value each:
 *
 *     leaf      stop 0: a value, another: a null; values as page_encode.h has them
 *     list      the same; offsets: where the items of each row end, counted from the page's first item, with a leading 0
 */
#ifndef PN_LANCE_ARRAY_ENCODE_H
#define PN_LANCE_ARRAY_ENCODE_H

#include "lance/page_encode.h"

/* Of a leaf or a list. page is as initialised; its layout becomes an ArrayEncoding message. LIMIT: more different values than the
 * index of a dictionary counts; NOMEM. */
PN_NODISCARD pn_status pn_array_encode(const pn_stream *rows, const pn_field *field,
                                       pn_encoded_page *page, pn_error *err);
/* The page of a struct, which has no bytes: structs of such a file are never null. */
PN_NODISCARD pn_status pn_array_encode_struct(pn_encoded_page *page, pn_error *err);

#endif

/*
 * page_encode.h - the entries of one leaf -> one page
 *
 * The stream holds entries as shred makes them: repetition and stop a byte each, the values of visible entries side by side
 * (booleans a byte each; null values have a slot of zeros, or no bytes), offsets with a leading 0.
 */
#ifndef PN_LANCE_PAGE_ENCODE_H
#define PN_LANCE_PAGE_ENCODE_H

#include "lance/stream.h"

/* The bytes of a chunk's levels, two each, are counted in 16 bits. */
#define PN_LANCE_MAX_CHUNK_LEVELS 32767
/* In version 2.1 a chunk has 32 KiB: room for two values of 8 KiB, with so many entries without one in front of each, and as
 * many more of one row, 4 bytes each. */
#define PN_LANCE_SMALL_CHUNK_VALUE_BYTES 8192
#define PN_LANCE_SMALL_CHUNK_BARREN 1300

typedef struct pn_encoded_page {
    pn_buffer layout; /* a PageLayout message */
    pn_buffer buffers[4];
    const pn_buffer *
        as_it_lies; /* the stream's own, instead of buffer 0, until the stream changes; NULL: none */
    size_t n_buffers;
    size_t alignment; /* in the file, of buffer 0 */
} pn_encoded_page;

/* Can a struct of the path be null that would have a list inside? Such leaves are written in chunks if these can hold them. */
bool pn_page_may_hide_lists(const pn_leaf_path *path);

void pn_encoded_page_init(pn_encoded_page *page, size_t max_bytes);
void pn_encoded_page_reset(pn_encoded_page *page);
/* As initialised, for the next page; buffers of at most kept_bytes keep their memory. */
void pn_encoded_page_clear(pn_encoded_page *page, size_t kept_bytes);

/* minor is of the file's version, 2.minor. page is as initialised. LIMIT: booleans with more
 * entries without a value between them than chunks take; NOMEM. */
PN_NODISCARD pn_status pn_page_encode(const pn_stream *entries, const pn_leaf_path *path,
                                      size_t n_rows, uint16_t minor, pn_encoded_page *page,
                                      pn_error *err);

#endif

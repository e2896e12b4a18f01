/*
 * page_encode.h - the entries of one leaf -> one page
 *
 * The stream holds entries as shred makes them: repetition and stop a byte each, the values of visible entries side by side
 * (booleans a byte each; null values have a slot of zeros, or no bytes), offsets with a leading 0.
 */
#ifndef PN_LANCE_PAGE_ENCODE_H
#define PN_LANCE_PAGE_ENCODE_H

#include "lance/stream.h"

/* A page of list columns of booleans is one chunk, whose levels are counted in 16 bits. */
#define PN_LANCE_MAX_CHUNK_LEVELS 32767

typedef struct pn_encoded_page {
    pn_buffer layout; /* a PageLayout message */
    pn_buffer buffers[3];
    size_t n_buffers;
    size_t alignment; /* in the file, of buffer 0 */
} pn_encoded_page;

void pn_encoded_page_init(pn_encoded_page *page, size_t max_bytes);
void pn_encoded_page_reset(pn_encoded_page *page);

/* minor is of the file's version, 2.minor. page is freshly initialised. LIMIT: more booleans in lists than one chunk takes; NOMEM. */
PN_NODISCARD pn_status pn_page_encode(const pn_stream *entries, const pn_leaf_path *path,
                                      size_t n_rows, uint16_t minor, pn_encoded_page *page,
                                      pn_error *err);

#endif

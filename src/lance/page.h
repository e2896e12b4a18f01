/*
 * page.h - one page of a file of version 2.1 to 2.3: layout and levels -> entries of a stream
 */
#ifndef PN_LANCE_PAGE_H
#define PN_LANCE_PAGE_H

#include "lance/stream.h"

/* Rows [first, first + n) of a page; ascending, may repeat and overlap. */
typedef struct pn_row_range {
    uint64_t first, n;
} pn_row_range;

typedef struct pn_page {
    const Pn__Lance__PageLayout *layout;
    const pn_slice *buffers; /* inside the mapped file */
    size_t n_buffers;
    uint64_t n_rows;
    pn_slice file;    /* for values that lie outside of their page */
    bool wide_chunks; /* version 2.2 and later: chunk words may have 32 bits */
} pn_page;

/* Where the rows of a page with lists begin: numbers of entries and of values. */
typedef struct pn_row_starts {
    size_t *entry, *value; /* [n_rows + 1] */
} pn_row_starts;
/* piece is the whole page; *out is in d->arena. CORRUPT when it has another number of rows. */
PN_NODISCARD pn_status pn_page_find_rows(pn_decoder *d, const pn_leaf_path *path,
                                         const pn_piece *piece, uint64_t n_rows,
                                         pn_row_starts *out);

/* Does reading a few rows cost as much as reading all: no index, no chunks that can be passed over? */
bool pn_page_is_read_whole(const pn_page *page, const pn_leaf_path *path);

/* Append the entries of the ranges to stream. d->arena is scratch. */
PN_NODISCARD pn_status pn_page_read(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                                    const pn_row_range *ranges, size_t n_ranges, pn_stream *stream);

/* The values of one chunk without levels; wide: sizes in it have 32 bits. */
PN_NODISCARD pn_status pn_page_chunk_values(pn_decoder *d, const Pn__Lance__Compression *how,
                                            uint64_t n_buffers, bool wide, pn_slice chunk,
                                            size_t n_values, pn_values *out);
/* Append those entries of a piece, which is a whole page, that the ranges choose. */
PN_NODISCARD pn_status pn_page_append(pn_decoder *d, const pn_leaf_path *path,
                                      const pn_piece *piece, uint64_t n_rows,
                                      const pn_row_range *ranges, size_t n_ranges,
                                      pn_stream *stream);

/* Definition levels of a page -> stops. table gets a stop for every level; *n_levels is how many there are. */
PN_NODISCARD pn_status pn_page_levels(pn_decoder *d, const pn_leaf_path *path,
                                      const int32_t *layers, size_t n_layers,
                                      uint8_t table[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1],
                                      unsigned *n_levels, unsigned *n_rep_levels);

#endif

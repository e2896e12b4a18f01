/*
 * stream.h - what one leaf column says about a run of rows
 *
 * Repetition and definition levels mean something else in every page, because a page leaves out the layers it does not need.
 * Here they are translated: an entry has a repetition level (the number of list layers means a new row) and a stop, which
 * is 0 for a value, or names the node of the path from the column down to the leaf at which a null or an empty list stands.
 *
 *     path      metadata (map) > entries (struct) > value (string)
 *     node      0                1                  2
 *     stop      PN_STOP_NULL(0) = the map is null, PN_STOP_EMPTY(0) = it is empty, PN_STOP_NULL(2) = the value is null
 */
#ifndef PN_LANCE_STREAM_H
#define PN_LANCE_STREAM_H

#include "base/buffer.h"
#include "base/limits.h"
#include "column/type.h"
#include "lance/values.h"

#define PN_STOP_NULL(node) ((uint8_t)((node)*2 + 1))
#define PN_STOP_EMPTY(node) ((uint8_t)((node)*2 + 2))

/* From the column (node 0) to the leaf (node n - 1). */
typedef struct pn_leaf_path {
    const pn_field *nodes[PN_SCHEMA_MAX_DEPTH_NODES];
    unsigned n;
    unsigned n_lists;
    int innermost_list; /* node index, -1: none */
} pn_leaf_path;

/* Entries of the rows asked for, growing page by page. */
typedef struct pn_stream {
    size_t n_entries, n_values;
    bool variable;
    size_t width; /* of fixed values; 0 until the first page */
    bool is_bits;
    pn_buffer rep;     /* a byte an entry; empty when the path has no list */
    pn_buffer stop;    /* a byte an entry */
    bool all_valid;    /* no stop other than 0 so far */
    pn_buffer data;    /* fixed values, or bytes */
    pn_buffer offsets; /* int64 [n_values + 1], variable only */
    /* Fixed-size lists, from the outermost in: items in a value; a byte an item, empty: all valid. */
    size_t n_items[PN_FIXED_LIST_MAX_DEPTH];
    pn_buffer item_valid[PN_FIXED_LIST_MAX_DEPTH];
} pn_stream;

void pn_stream_init(pn_stream *stream, size_t max_bytes);
void pn_stream_reset(pn_stream *stream);
/* As initialised, but buffers of at most kept_bytes keep their memory. */
void pn_stream_clear(pn_stream *stream, size_t kept_bytes);
size_t pn_stream_bytes(const pn_stream *stream); /* that it holds */
/* UNSUPPORTED when fixed-size lists are nested deeper than limits.h says. */
PN_NODISCARD pn_status pn_stream_expect(pn_stream *stream, const pn_field *leaf, pn_error *err);

/* Does an entry with this stop have a value slot? */
static inline bool pn_stop_is_visible(const pn_leaf_path *path, uint8_t stop)
{
    return stop == 0 || (stop % 2 == 1 && (stop - 1) / 2 > path->innermost_list);
}

/* Entries of one page or chunk, before rows are chosen. rep and stop may be NULL (no lists; all valid). */
typedef struct pn_piece {
    size_t n_entries;
    const uint8_t *rep, *stop;
    pn_values values; /* of the visible entries */
} pn_piece;

/* All that a stream holds, as a piece that lives until the stream changes. */
pn_piece pn_stream_piece(const pn_stream *stream);

/* Append entries [first, first + n), whose first value is the first_value-th. */
PN_NODISCARD pn_status pn_stream_append(pn_stream *stream, const pn_leaf_path *path,
                                        const pn_piece *piece, size_t first, size_t n,
                                        size_t first_value, pn_error *err);

#endif

/*
 * page.c - the layouts of a page
 *
 *     mini_block  chunks of up to a few thousand values, each with its levels and buffers
 *     full_zip    values with their levels in front, row by row: large values and vectors
 *     constant    one value, or none
 *
 * and the doors to two more, blob_page.c and sparse_page.c.
 *
 * A page without lists has one entry a row, so rows are found by counting, and chunks that hold none of the rows asked for
 * are passed over unread. With lists the page's levels must be walked from the start.
 */
#include "lance/page.h"

#include "base/bits.h"
#include "base/endian.h"
#include "lance/blob_page.h"
#include "lance/sparse_page.h"

#include <inttypes.h>
#include <string.h>

static pn_status corrupt(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_CORRUPT, "%s: %s", d->where, what);
}

/* Layers, innermost first: 1 valid item, 2 valid list, 3 nullable item, 4 nullable list, 5 list with empties, 6 both. */
pn_status pn_page_levels(pn_decoder *d, const pn_leaf_path *path, const int32_t *layers,
                         size_t n_layers, uint8_t table[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1],
                         unsigned *n_levels, unsigned *n_rep_levels)
{
    if (n_layers != path->n)
        return corrupt(d, "a page has another number of layers than its column");
    unsigned n = 1;
    table[0] = 0;
    for (size_t i = 0; i < n_layers; i++) {
        unsigned node = path->n - 1 - (unsigned)i;
        bool is_list = pn_type_is_list(path->nodes[node]->type);
        bool says_list = layers[i] == 2 || (layers[i] >= 4 && layers[i] <= 6);
        if (layers[i] < 1 || layers[i] > 6 || is_list != says_list)
            return corrupt(d, "a page's layers do not fit its column");
        if (layers[i] == 3 || layers[i] == 4 || layers[i] == 6)
            table[n++] = PN_STOP_NULL(node);
        if (layers[i] == 5 || layers[i] == 6)
            table[n++] = PN_STOP_EMPTY(node);
    }
    *n_levels = n;
    *n_rep_levels = path->n_lists + 1;
    return PN_OK;
}

typedef struct page_levels {
    uint8_t table[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1];
    unsigned n, n_rep;
} page_levels;

/* Level values as stored (16 bits) -> bytes, checked; through table when there is one. */
static pn_status take_levels(pn_decoder *d, const pn_values *levels, const uint8_t *table,
                             unsigned n_known, size_t n, const uint8_t **out)
{
    if (levels->variable || levels->width != 2 || levels->n < n)
        return corrupt(d, "levels are not 16-bit numbers");
    uint8_t *bytes = pn_arena_alloc(d->arena, n + 1);
    if (!bytes)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < n; i++) {
        unsigned level = pn_load_le16(levels->data + 2 * i);
        if (level >= n_known)
            return corrupt(d, "a level is out of range");
        bytes[i] = table ? table[level] : (uint8_t)level;
    }
    *out = bytes;
    return PN_OK;
}

static size_t count_visible(const pn_leaf_path *path, const uint8_t *stop, size_t n)
{
    size_t visible = n;
    if (stop) {
        visible = 0;
        for (size_t i = 0; i < n; i++)
            visible += pn_stop_is_visible(path, stop[i]);
    }
    return visible;
}

/* ---- choosing rows ---- */

/* One entry a row: the piece holds rows [first_row, first_row + n_entries). Without nulls inside lists every entry is visible. */
static pn_status append_flat(pn_decoder *d, const pn_leaf_path *path, const pn_piece *piece,
                             uint64_t first_row, const pn_row_range *ranges, size_t n_ranges,
                             pn_stream *stream)
{
    uint64_t end_row = first_row + piece->n_entries;
    for (size_t i = 0; i < n_ranges; i++) {
        uint64_t from = PN_MAX(ranges[i].first, first_row),
                 to = PN_MIN(ranges[i].first + ranges[i].n, end_row);
        if (from < to)
            PN_TRY(pn_stream_append(stream, path, piece, (size_t)(from - first_row),
                                    (size_t)(to - from), (size_t)(from - first_row), d->err));
    }
    return PN_OK;
}

pn_status pn_page_find_rows(pn_decoder *d, const pn_leaf_path *path, const pn_piece *piece,
                            uint64_t n_rows, pn_row_starts *out)
{
    size_t *entry = NULL, *value = NULL;
    if (n_rows < piece->n_entries + 1) {
        entry = PN_ARENA_NEW(d->arena, size_t, (size_t)n_rows + 1);
        value = PN_ARENA_NEW(d->arena, size_t, (size_t)n_rows + 1);
    } else {
        return corrupt(d, "a page has fewer entries than rows");
    }
    if (!entry || !value)
        return pn_fail_nomem(d->err);
    size_t row = 0, values = 0;
    for (size_t i = 0; i < piece->n_entries; i++) {
        if (piece->rep[i] == path->n_lists) {
            if (row == n_rows)
                return corrupt(d, "a page has more rows than it says");
            entry[row] = i;
            value[row++] = values;
        } else if (i == 0) {
            return corrupt(d, "a page begins inside a row");
        }
        values += !piece->stop || pn_stop_is_visible(path, piece->stop[i]);
    }
    if (row != n_rows)
        return corrupt(d, "a page has fewer rows than it says");
    entry[row] = piece->n_entries;
    value[row] = values;
    *out = (pn_row_starts){entry, value};
    return PN_OK;
}

/* The piece is the whole page. */
static pn_status append_nested(pn_decoder *d, const pn_leaf_path *path, const pn_piece *piece,
                               uint64_t n_rows, const pn_row_range *ranges, size_t n_ranges,
                               pn_stream *stream)
{
    pn_row_starts starts;
    if (!piece->rep)
        return corrupt(d, "a page of a list column has no repetition levels");
    PN_TRY(pn_page_find_rows(d, path, piece, n_rows, &starts));
    for (size_t i = 0; i < n_ranges; i++) {
        size_t first = starts.entry[ranges[i].first],
               end = starts.entry[ranges[i].first + ranges[i].n];
        PN_TRY(pn_stream_append(stream, path, piece, first, end - first,
                                starts.value[ranges[i].first], d->err));
    }
    return PN_OK;
}

pn_status pn_page_append(pn_decoder *d, const pn_leaf_path *path, const pn_piece *piece,
                         uint64_t n_rows, const pn_row_range *ranges, size_t n_ranges,
                         pn_stream *stream)
{
    if (path->n_lists > 0)
        return append_nested(d, path, piece, n_rows, ranges, n_ranges, stream);
    if (piece->n_entries != n_rows)
        return corrupt(d, "a page has another number of levels than rows");
    return append_flat(d, path, piece, 0, ranges, n_ranges, stream);
}

static bool any_in(const pn_row_range *ranges, size_t n_ranges, uint64_t first, uint64_t end)
{
    for (size_t i = 0; i < n_ranges; i++)
        if (ranges[i].first < end && ranges[i].first + ranges[i].n > first)
            return true;
    return false;
}

/* ---- mini-block ---- */

typedef struct chunk_reader {
    const Pn__Lance__MiniBlock *how;
    page_levels levels;
    const pn_leaf_path *path;
    pn_values dictionary;
    size_t n_value_buffers;
    bool wide;
} chunk_reader;

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

typedef struct chunk_parts {
    unsigned n_levels;
    pn_slice rep, def, values[8];
} chunk_parts;

static pn_status split_chunk(pn_decoder *d, const chunk_reader *r, pn_slice chunk, chunk_parts *out)
{
    size_t size_bytes = r->wide ? 4 : 2, n = r->n_value_buffers;
    size_t header = 2 + (r->how->rep ? 2 : 0) + (r->how->def ? 2 : 0) + n * size_bytes;
    if (chunk.n < header)
        return corrupt(d, "a chunk is too short for its header");
    const uint8_t *at = chunk.data;
    size_t sizes[10] = {0}, n_parts = 0;
    out->n_levels = pn_load_le16(at);
    at += 2;
    for (int i = 0; i < 2; i++) {
        if (i == 0 ? r->how->rep != NULL : r->how->def != NULL) {
            sizes[n_parts] = pn_load_le16(at);
            at += 2;
        }
        n_parts++;
    }
    for (size_t i = 0; i < n; i++, at += size_bytes)
        sizes[n_parts++] = r->wide ? pn_load_le32(at) : pn_load_le16(at);
    size_t offset = padded(header);
    for (size_t i = 0; i < n_parts; i++) {
        if (i < 2 && sizes[i] == 0)
            continue;
        if (offset > chunk.n || sizes[i] > chunk.n - offset)
            return corrupt(d, "a chunk's buffers do not fit");
        *(i == 0   ? &out->rep
          : i == 1 ? &out->def
                   : &out->values[i - 2]) = (pn_slice){chunk.data + offset, sizes[i]};
        offset = padded(offset + sizes[i]);
    }
    return PN_OK;
}

static pn_status look_up(pn_decoder *d, const pn_values *dictionary, const pn_values *indices,
                         pn_values *out)
{
    if (indices->variable || indices->width > 8 || indices->width == 0)
        return corrupt(d, "dictionary indices are not numbers");
    size_t n = indices->n, total = 0;
    if (dictionary->n_items[0] > 0)
        return pn_fail(d->err, PN_ERR_UNSUPPORTED,
                       "%s: encoding \"dictionary\" of fixed-size lists is not supported",
                       d->where);
    uint64_t *at = PN_ARENA_NEW(d->arena, uint64_t, n + 1);
    int64_t *offsets = PN_ARENA_NEW(d->arena, int64_t, n + 1);
    if (!at || !offsets)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < n; i++) {
        memcpy(&at[i], indices->data + i * indices->width, indices->width);
        if (at[i] >= dictionary->n)
            at[i] = dictionary->n; // nulls have an unspecified index: an empty value stands there
        offsets[i] = (int64_t)total;
        if (at[i] < dictionary->n)
            total += dictionary->variable
                         ? (size_t)(dictionary->offsets[at[i] + 1] - dictionary->offsets[at[i]])
                         : dictionary->width;
        else
            total += dictionary->variable ? 0 : dictionary->width;
        if (total > d->max_bytes)
            return pn_fail(d->err, PN_ERR_LIMIT, "%s: a page of over %zu bytes", d->where,
                           d->max_bytes);
    }
    offsets[n] = (int64_t)total;
    uint8_t *data = pn_arena_alloc_zero(d->arena, total + 1, 1);
    if (!data)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *from = dictionary->data;
        if (at[i] < dictionary->n) {
            from += dictionary->variable ? (size_t)dictionary->offsets[at[i]]
                                         : (size_t)at[i] * dictionary->width;
            memcpy(data + offsets[i], from, (size_t)(offsets[i + 1] - offsets[i]));
        }
    }
    *out = (pn_values){.n = n,
                       .variable = dictionary->variable,
                       .width = dictionary->variable ? 0 : dictionary->width,
                       .data = data,
                       .offsets = dictionary->variable ? offsets : NULL,
                       .is_bits = dictionary->is_bits};
    return PN_OK;
}

/* n_values: what the chunk word says (visible values). */
static pn_status read_chunk(pn_decoder *d, const chunk_reader *r, pn_slice chunk, size_t n_values,
                            pn_piece *piece)
{
    chunk_parts parts = {0};
    pn_values levels, values;
    *piece = (pn_piece){0};
    PN_TRY(split_chunk(d, r, chunk, &parts));
    bool has_levels = r->how->rep || r->how->def;
    piece->n_entries = has_levels ? parts.n_levels : n_values;
    if (r->how->rep) {
        PN_TRY(pn_values_decode_block(d, r->how->rep, parts.rep, parts.n_levels, &levels));
        PN_TRY(take_levels(d, &levels, NULL, r->levels.n_rep, parts.n_levels, &piece->rep));
    }
    if (r->how->def) {
        PN_TRY(pn_values_decode_block(d, r->how->def, parts.def, parts.n_levels, &levels));
        PN_TRY(take_levels(d, &levels, r->levels.table, r->levels.n, parts.n_levels, &piece->stop));
    }
    if (count_visible(r->path, piece->stop, piece->n_entries) != n_values)
        return corrupt(d, "a chunk's levels and values do not agree");
    PN_TRY(
        pn_values_decode(d, r->how->values, parts.values, r->n_value_buffers, n_values, &values));
    if (r->how->dictionary)
        return look_up(d, &r->dictionary, &values, &piece->values);
    piece->values = values;
    return PN_OK;
}

pn_status pn_page_chunk_values(pn_decoder *d, const Pn__Lance__Compression *how, uint64_t n_buffers,
                               bool wide, pn_slice chunk, size_t n_values, pn_values *out)
{
    const Pn__Lance__MiniBlock no_levels = PN__LANCE__MINI_BLOCK__INIT;
    const chunk_reader r = {.how = &no_levels, .n_value_buffers = (size_t)n_buffers, .wide = wide};
    chunk_parts parts = {0};
    if (n_buffers == 0 || n_buffers > PN_COUNT_OF(parts.values) ||
        n_buffers != pn_values_count_buffers(how))
        return corrupt(d, "a page has another number of buffers than its encoding");
    PN_TRY(split_chunk(d, &r, chunk, &parts));
    return pn_values_decode(d, how, parts.values, r.n_value_buffers, n_values, out);
}

/* Join the chunks of a page with lists into one piece. */
static pn_status join_chunks(pn_decoder *d, const pn_leaf_path *path, const pn_piece *pieces,
                             size_t n, pn_stream *all, pn_piece *out)
{
    for (size_t i = 0; i < n; i++)
        PN_TRY(pn_stream_append(all, path, &pieces[i], 0, pieces[i].n_entries, 0, d->err));
    *out = pn_stream_piece(all);
    return PN_OK;
}

typedef struct chunk_word {
    pn_slice bytes;
    size_t n_values;
} chunk_word;

/* The table of chunks, from the words in buffer 0. */
static pn_status list_chunks(pn_decoder *d, const chunk_reader *r, const pn_page *page,
                             chunk_word **out, size_t *n_out)
{
    size_t word_bytes = r->wide ? 4 : 2, n = page->buffers[0].n / word_bytes, offset = 0;
    uint64_t left = r->how->n_items;
    chunk_word *chunks = PN_ARENA_NEW(d->arena, chunk_word, n + 1);
    if (!chunks)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = page->buffers[0].data + i * word_bytes;
        uint32_t word = r->wide ? pn_load_le32(at) : pn_load_le16(at);
        size_t bytes = ((size_t)(word >> 4) + 1) * 8;
        uint64_t values = word & 15 ? (uint64_t)1 << (word & 15) : left;
        if ((word & 15) == 0 && i + 1 < n)
            values = 1; // log2 of one value, in a chunk that is not the last
        if (values > left || offset > page->buffers[1].n || bytes > page->buffers[1].n - offset)
            return corrupt(d, "the table of chunks does not fit the page");
        if (values > PN_LANCE_MAX_CHUNK_VALUES)
            return pn_fail(d->err, PN_ERR_LIMIT,
                           "%s: %" PRIu64 " values in a chunk, the limit is %u", d->where, values,
                           PN_LANCE_MAX_CHUNK_VALUES);
        chunks[i] = (chunk_word){{page->buffers[1].data + offset, bytes}, (size_t)values};
        left -= values;
        offset += bytes;
    }
    if (left != 0)
        return corrupt(d, "the table of chunks ends before the page");
    *out = chunks;
    *n_out = n;
    return PN_OK;
}

static pn_status read_chunks(pn_decoder *d, const chunk_reader *r, const pn_page *page,
                             const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    chunk_word *chunks;
    size_t n;
    uint64_t row = 0;
    PN_TRY(list_chunks(d, r, page, &chunks, &n));
    if (r->path->n_lists == 0) {
        for (size_t i = 0; i < n; row += chunks[i++].n_values) {
            pn_piece piece;
            if (!any_in(ranges, n_ranges, row, row + chunks[i].n_values))
                continue;
            PN_TRY(read_chunk(d, r, chunks[i].bytes, chunks[i].n_values, &piece));
            PN_TRY(append_flat(d, r->path, &piece, row, ranges, n_ranges, stream));
        }
        return row == page->n_rows ? PN_OK
                                   : corrupt(d, "a page has another number of values than rows");
    }
    pn_piece *pieces = PN_ARENA_NEW(d->arena, pn_piece, n + 1), whole;
    if (!pieces)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < n; i++)
        PN_TRY(read_chunk(d, r, chunks[i].bytes, chunks[i].n_values, &pieces[i]));
    pn_stream all;
    pn_stream_init(&all, d->max_bytes);
    pn_status status = pn_stream_expect(&all, r->path->nodes[r->path->n - 1], d->err);
    if (status == PN_OK)
        status = join_chunks(d, r->path, pieces, n, &all, &whole);
    if (status == PN_OK)
        status = append_nested(d, r->path, &whole, page->n_rows, ranges, n_ranges, stream);
    pn_stream_reset(&all);
    return status;
}

static pn_status read_mini_block(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                                 const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    const Pn__Lance__MiniBlock *how = page->layout->mini_block;
    chunk_reader r = {.how = how, .path = path, .wide = how->has_large_chunk && page->wide_chunks};
    size_t needed = 2 + (how->dictionary ? 1 : 0);
    if (page->n_buffers < needed)
        return corrupt(d, "a mini-block page lacks a buffer");
    r.n_value_buffers = how->has_n_buffers ? (size_t)how->n_buffers : 1;
    if (r.n_value_buffers == 0 || r.n_value_buffers > 8 ||
        r.n_value_buffers != pn_values_count_buffers(how->values))
        return corrupt(d, "a mini-block page has another number of buffers than its encoding");
    PN_TRY(pn_page_levels(d, path, how->layers, how->n_layers, r.levels.table, &r.levels.n,
                          &r.levels.n_rep));
    if (how->dictionary) {
        if (how->n_dictionary_items > d->max_bytes)
            return corrupt(d, "a dictionary of impossible size");
        PN_TRY(pn_values_decode_block(d, how->dictionary, page->buffers[2],
                                      (size_t)how->n_dictionary_items, &r.dictionary));
    }
    return read_chunks(d, &r, page, ranges, n_ranges, stream);
}

/* ---- full-zip ---- */

/* A fixed-width value behind its levels: the validity of its items, list by list, then the items. */
typedef struct zip_value {
    size_t n_items[PN_FIXED_LIST_MAX_DEPTH];        /* in a value, from the outermost list in */
    size_t validity_bytes[PN_FIXED_LIST_MAX_DEPTH]; /* 0: no item is null */
    size_t n_lists, all_validity_bytes;
    size_t stored_bytes; /* of the items; 0: all of them are null */
    size_t width;        /* decoded */
    bool is_bits;        /* booleans: a byte each when decoded */
    bool is_stored_as_bits;
} zip_value;

typedef struct zip_reader {
    const Pn__Lance__FullZip *how;
    const pn_leaf_path *path;
    page_levels levels;
    unsigned control_bytes;
    bool variable;
    size_t slot_bytes;   /* fixed: bytes of a visible value as stored, validity in front */
    size_t length_bytes; /* variable */
    size_t
        row_bytes; /* of a packed struct stored like strings though its members are all of fixed width; 0: it is not one */
    zip_value value; /* fixed */
    bool
        is_indexed; /* rows are cut out by the page's index, which must agree with what is in them */
    const pn_page *page;
} zip_reader;

static unsigned load_control(const uint8_t *at, unsigned bytes)
{
    return bytes == 1 ? at[0] : bytes == 2 ? pn_load_le16(at) : pn_load_le32(at);
}

/* How a fixed value is laid out; false: not in a way that we read. */
static bool find_zip_value(pn_decoder *d, const Pn__Lance__Compression *how, zip_value *out)
{
    size_t n = 1, bits;
    const pn_field *leaf = d->leaf; // what a constant stands for
    for (; how && how->kind_case == PN__LANCE__COMPRESSION__KIND_FIXED_LIST;
         how = how->fixed_list->values) {
        const Pn__Lance__FixedList *list = how->fixed_list;
        if (out->n_lists == PN_FIXED_LIST_MAX_DEPTH || list->items == 0 ||
            list->items > UINT32_MAX || !pn_size_mul(n, (size_t)list->items, &n) || n > 1u << 30)
            return false;
        out->n_items[out->n_lists] = n;
        out->validity_bytes[out->n_lists] = list->has_validity ? pn_bytes_for_bits(n) : 0;
        out->all_validity_bytes += out->validity_bytes[out->n_lists++];
        leaf = leaf && leaf->type == PN_TYPE_FIXED_SIZE_LIST ? leaf->children : NULL;
    }
    if (how && how->kind_case == PN__LANCE__COMPRESSION__KIND_CONSTANT && !how->constant->has_value)
        return leaf && pn_size_mul(n, pn_values_width(leaf, &out->is_bits), &out->width) &&
               out->width > 0 && out->width <= d->max_bytes;
    if (how && how->kind_case == PN__LANCE__COMPRESSION__KIND_PACKED_STRUCT &&
        pn_values_check_packed(d, how->packed_struct) == PN_OK)
        how = how->packed_struct->values;
    if (!how || how->kind_case != PN__LANCE__COMPRESSION__KIND_FLAT || how->flat->bits == 0 ||
        how->flat->bits > 1u << 30 || !pn_size_mul(n, (size_t)how->flat->bits, &bits) ||
        bits % 8 != 0)
        return false;
    out->stored_bytes = bits / 8;
    out->is_stored_as_bits = how->flat->bits == 1;
    out->is_bits =
        out->is_stored_as_bits || (leaf && leaf->type == PN_TYPE_BOOL && how->flat->bits == 8);
    out->width = out->is_stored_as_bits ? n : out->stored_bytes;
    return out->is_stored_as_bits || how->flat->bits % 8 == 0;
}

static pn_status begin_zip(pn_decoder *d, const Pn__Lance__FullZip *how, const pn_leaf_path *path,
                           zip_reader *r)
{
    *r = (zip_reader){.how = how, .path = path};
    PN_TRY(pn_page_levels(d, path, how->layers, how->n_layers, r->levels.table, &r->levels.n,
                          &r->levels.n_rep));
    unsigned bits = how->bits_rep + how->bits_def;
    if (how->bits_rep > 16 || how->bits_def > 16)
        return corrupt(d, "levels of over 16 bits");
    r->control_bytes = bits == 0 ? 0 : bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
    r->variable = how->has_bits_per_offset && how->bits_per_offset > 0;
    if (r->variable) {
        bool is_bits;
        r->row_bytes = d->leaf && d->leaf->is_packed ? pn_values_width(d->leaf, &is_bits) : 0;
        r->length_bytes = how->bits_per_offset / 8;
        if (how->bits_per_offset != 32 && how->bits_per_offset != 64)
            return corrupt(d, "lengths that are neither 32 nor 64 bits");
        return PN_OK;
    }
    if (!find_zip_value(d, how->values, &r->value))
        return pn_fail(d->err, PN_ERR_UNSUPPORTED,
                       "%s: encoding \"%s\" of a full-zip page is not supported", d->where,
                       pn_values_encoding_name(how->values));
    r->slot_bytes = r->value.all_validity_bytes + r->value.stored_bytes;
    if ((uint64_t)how->bits_per_value != (uint64_t)r->slot_bytes * 8)
        return corrupt(d, "a full-zip page's value width does not fit its encoding");
    return PN_OK;
}

/* No levels, nothing in front of the values: they are an array already. */
static pn_status read_zip_plain(pn_decoder *d, const zip_reader *r, const pn_page *page,
                                const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    size_t needed;
    if (!pn_size_mul((size_t)page->n_rows, r->slot_bytes, &needed) || needed > page->buffers[0].n)
        return corrupt(d, "a full-zip page is too short");
    pn_piece piece = {.n_entries = (size_t)page->n_rows,
                      .values = {.n = (size_t)page->n_rows,
                                 .width = r->slot_bytes,
                                 .is_bits = r->value.is_bits,
                                 .data = page->buffers[0].data}};
    return append_flat(d, r->path, &piece, 0, ranges, n_ranges, stream);
}

/* Growing piece while entries are parsed. */
typedef struct zip_piece {
    uint8_t *rep, *stop, *item_valid[PN_FIXED_LIST_MAX_DEPTH];
    pn_buffer data, offsets;
    size_t n_entries, n_values, capacity;
} zip_piece;

static void take_bits(const uint8_t *bits, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = bits[i / 8] >> (i % 8) & 1;
}

static pn_status take_zip_fixed(pn_decoder *d, const zip_reader *r, pn_slice *rest,
                                zip_piece *piece)
{
    const zip_value *v = &r->value;
    if (rest->n < r->slot_bytes)
        return corrupt(d, "a full-zip page is too short");
    const uint8_t *at = rest->data;
    for (size_t i = 0; i < v->n_lists; at += v->validity_bytes[i++])
        if (v->validity_bytes[i] > 0)
            take_bits(at, v->n_items[i], piece->item_valid[i] + piece->n_values * v->n_items[i]);
    if (v->stored_bytes == 0 || v->is_stored_as_bits) {
        PN_TRY(pn_buffer_append_fill(&piece->data, 0, v->width, d->err));
        if (v->stored_bytes > 0)
            take_bits(at, v->width, piece->data.data + piece->data.n_bytes - v->width);
    } else {
        PN_TRY(pn_buffer_append(&piece->data, at, v->stored_bytes, d->err));
    }
    rest->data += r->slot_bytes;
    rest->n -= r->slot_bytes;
    piece->n_values++;
    return PN_OK;
}

static pn_status take_zip_variable(pn_decoder *d, const zip_reader *r, pn_slice *rest, bool stored,
                                   zip_piece *piece)
{
    if (stored) {
        pn_slice value;
        if (rest->n < r->length_bytes)
            return corrupt(d, "a full-zip page is too short");
        uint64_t n = r->length_bytes == 8 ? pn_load_le64(rest->data) : pn_load_le32(rest->data);
        if (n > rest->n - r->length_bytes)
            return corrupt(d, "a full-zip value is longer than its page");
        PN_TRY(pn_values_decode_one(d, r->how->values,
                                    (pn_slice){rest->data + r->length_bytes, (size_t)n}, &value));
        if (r->row_bytes > 0 && value.n != r->row_bytes)
            return corrupt(d, "a packed struct's row has another width than its type");
        PN_TRY(pn_buffer_append(&piece->data, value.data, value.n, d->err));
        rest->data += r->length_bytes + n;
        rest->n -= r->length_bytes + (size_t)n;
    }
    if (!stored && r->row_bytes > 0) // nulls have a slot
        PN_TRY(pn_buffer_append_fill(&piece->data, 0, r->row_bytes, d->err));
    int64_t end = (int64_t)piece->data.n_bytes;
    PN_TRY(pn_buffer_append(&piece->offsets, &end, sizeof end, d->err));
    piece->n_values++;
    return PN_OK;
}

static pn_status take_zip_entry(pn_decoder *d, const zip_reader *r, pn_slice *rest,
                                zip_piece *piece)
{
    unsigned control = 0;
    if (rest->n < r->control_bytes)
        return corrupt(d, "a full-zip page is too short");
    if (r->control_bytes > 0)
        control = load_control(rest->data, r->control_bytes);
    rest->data += r->control_bytes;
    rest->n -= r->control_bytes;
    unsigned def = control & ((1u << r->how->bits_def) - 1), rep = control >> r->how->bits_def;
    if (def >= r->levels.n || rep >= r->levels.n_rep)
        return corrupt(d, "a level is out of range");
    uint8_t stop = r->levels.table[def];
    piece->stop[piece->n_entries] = stop;
    piece->rep[piece->n_entries++] = (uint8_t)rep;
    if (!pn_stop_is_visible(r->path, stop))
        return PN_OK;
    return r->variable ? take_zip_variable(d, r, rest, stop == 0, piece)
                       : take_zip_fixed(d, r, rest, piece);
}

/* Byte offset of a row from the page's index in buffer 1. */
static pn_status zip_row_offset(pn_decoder *d, const pn_page *page, uint64_t row, uint64_t *out)
{
    pn_slice index = page->buffers[1];
    if (page->n_rows >= index.n) // a byte for each row, and one more
        return corrupt(d, "a full-zip page's index is too short");
    uint64_t n = page->n_rows + 1;
    size_t width = index.n / n >= 8 ? 8 : index.n / n >= 4 ? 4 : index.n / n >= 2 ? 2 : 1;
    const uint8_t *at = index.data + row * width;
    *out = width == 8   ? pn_load_le64(at)
           : width == 4 ? pn_load_le32(at)
           : width == 2 ? pn_load_le16(at)
                        : *at;
    return *out <= page->buffers[0].n ? PN_OK
                                      : corrupt(d, "a full-zip page's index points outside of it");
}

/* Who reads rows one by one goes by the index, so who reads all of them looks whether it is right. at: of the entry taken last. */
static pn_status check_zip_row(pn_decoder *d, const zip_reader *r, const uint8_t *at,
                               const zip_piece *piece, uint64_t *row)
{
    uint64_t told;
    if (!r->is_indexed || piece->rep[piece->n_entries - 1] != r->path->n_lists)
        return PN_OK;
    if (*row >= r->page->n_rows)
        return corrupt(d, "a full-zip page has more rows than its index");
    PN_TRY(zip_row_offset(d, r->page, (*row)++, &told));
    return told == (uint64_t)(at - r->page->buffers[0].data)
               ? PN_OK
               : corrupt(d, "a full-zip page's index does not fit its rows");
}

/* Room for the entries. */
static pn_status begin_zip_piece(pn_decoder *d, const zip_reader *r, pn_slice bytes,
                                 size_t max_entries, zip_piece *piece)
{
    int64_t zero = 0;
    /* An entry has a control word, a length or a value: so many fit at most. */
    size_t least =
        PN_MAX(r->control_bytes +
                   (r->control_bytes == 0 ? (r->variable ? r->length_bytes : r->slot_bytes) : 0),
               1u);
    piece->capacity = PN_MIN(max_entries, bytes.n / least + 1);
    piece->rep = PN_ARENA_NEW(d->arena, uint8_t, piece->capacity + 1);
    piece->stop = PN_ARENA_NEW(d->arena, uint8_t, piece->capacity + 1);
    if (!piece->rep || !piece->stop)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < r->value.n_lists; i++) {
        size_t n_slots = PN_MIN(piece->capacity, bytes.n / PN_MAX(r->slot_bytes, 1u) + 1), n_items;
        if (r->value.validity_bytes[i] == 0)
            continue;
        if (!pn_size_mul(n_slots, r->value.n_items[i], &n_items) || n_items > d->max_bytes)
            return corrupt(d, "a page of vectors is too large");
        piece->item_valid[i] = PN_ARENA_NEW(d->arena, uint8_t, n_items + 1);
        if (!piece->item_valid[i])
            return pn_fail_nomem(d->err);
    }
    return r->variable ? pn_buffer_append(&piece->offsets, &zero, sizeof zero, d->err) : PN_OK;
}

static pn_status parse_zip(pn_decoder *d, const zip_reader *r, pn_slice bytes, uint64_t first_row,
                           size_t max_entries, zip_piece *piece)
{
    PN_TRY(begin_zip_piece(d, r, bytes, max_entries, piece));
    while (bytes.n > 0 && piece->n_entries < piece->capacity) {
        const uint8_t *at = bytes.data;
        PN_TRY(take_zip_entry(d, r, &bytes, piece));
        PN_TRY(check_zip_row(d, r, at, piece, &first_row));
    }
    if (bytes.n > 0 && r->is_indexed)
        return corrupt(d, "a full-zip page has more entries than its index has rows");
    return PN_OK;
}

static pn_piece as_piece(const zip_reader *r, const zip_piece *from)
{
    pn_piece piece = {.n_entries = from->n_entries,
                      .rep = from->rep,
                      .stop = from->stop,
                      .values = {.n = from->n_values,
                                 .variable = r->variable && r->row_bytes == 0,
                                 .width = r->variable ? r->row_bytes : r->value.width,
                                 .is_bits = r->value.is_bits,
                                 .data = from->data.data,
                                 .offsets = (const int64_t *)(const void *)from->offsets.data}};
    for (size_t i = 0; i < r->value.n_lists; i++) {
        piece.values.n_items[i] = r->value.n_items[i];
        piece.values.item_valid[i] = from->item_valid[i];
    }
    return piece;
}

static pn_status read_zip_bytes(pn_decoder *d, const zip_reader *r, pn_slice bytes,
                                uint64_t first_row, uint64_t n_rows, const pn_row_range *ranges,
                                size_t n_ranges, pn_stream *stream)
{
    zip_piece parsed = {0};
    pn_buffer_init(&parsed.data, d->max_bytes);
    pn_buffer_init(&parsed.offsets, d->max_bytes);
    size_t max_entries = r->path->n_lists == 0 ? (size_t)n_rows : SIZE_MAX;
    pn_status status = parse_zip(d, r, bytes, first_row, max_entries, &parsed);
    pn_piece piece = as_piece(r, &parsed);
    if (status == PN_OK && r->path->n_lists == 0 && piece.n_entries != n_rows)
        status = corrupt(d, "a full-zip page has fewer entries than rows");
    if (status == PN_OK) {
        if (r->path->n_lists == 0)
            status = append_flat(d, r->path, &piece, first_row, ranges, n_ranges, stream);
        else
            status = append_nested(d, r->path, &piece, n_rows, ranges, n_ranges, stream);
    }
    pn_buffer_reset(&parsed.data);
    pn_buffer_reset(&parsed.offsets);
    return status;
}

static pn_status read_full_zip(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                               const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    zip_reader r;
    if (page->n_buffers < 1)
        return corrupt(d, "a full-zip page lacks a buffer");
    PN_TRY(begin_zip(d, page->layout->full_zip, path, &r));
    r.page = page;
    if (r.control_bytes == 0 && !r.variable && r.value.all_validity_bytes == 0 &&
        !r.value.is_stored_as_bits)
        return read_zip_plain(d, &r, page, ranges, n_ranges, stream);
    r.is_indexed = page->n_buffers >= 2 && (r.variable || path->n_lists > 0);
    if (!r.is_indexed)
        return read_zip_bytes(d, &r, page->buffers[0], 0, page->n_rows, ranges, n_ranges, stream);
    for (size_t i = 0; i < n_ranges; i++) { // only the bytes of these rows
        uint64_t from, to;
        PN_TRY(zip_row_offset(d, page, ranges[i].first, &from));
        PN_TRY(zip_row_offset(d, page, ranges[i].first + ranges[i].n, &to));
        if (from > to)
            return corrupt(d, "a full-zip page's index is out of order");
        pn_row_range here = {path->n_lists == 0 ? ranges[i].first : 0, ranges[i].n};
        PN_TRY(read_zip_bytes(d, &r, (pn_slice){page->buffers[0].data + from, (size_t)(to - from)},
                              ranges[i].first, ranges[i].n, &here, 1, stream));
    }
    return PN_OK;
}

/* ---- constant ---- */

/* Buffer 0 of a constant page: u32 number of parts, u32 length of each, the parts; strings have offsets and bytes. */
static pn_status constant_value(pn_decoder *d, pn_slice from, pn_slice *out, bool *variable)
{
    if (from.n < 8)
        return corrupt(d, "a constant is too short");
    uint32_t n_parts = pn_load_le32(from.data);
    if ((n_parts != 1 && n_parts != 2) || from.n < 4 + 4 * (size_t)n_parts)
        return corrupt(d, "a constant of unknown shape");
    size_t first = pn_load_le32(from.data + 4),
           second = n_parts == 2 ? pn_load_le32(from.data + 8) : 0;
    size_t header = 4 + 4 * (size_t)n_parts;
    if (first > from.n - header || second > from.n - header - first)
        return corrupt(d, "a constant is longer than its buffer");
    *variable = n_parts == 2;
    *out = n_parts == 2 ? (pn_slice){from.data + header + first, second}
                        : (pn_slice){from.data + header, first};
    return PN_OK;
}

/* n copies of one value; all zero bytes when value.data is NULL (nulls have slots too). */
static pn_status repeat_value(pn_decoder *d, pn_slice value, bool variable, bool is_bits, size_t n,
                              pn_values *out)
{
    size_t total;
    if (!pn_size_mul(n, value.n, &total) || total > d->max_bytes)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: a constant of %zu bytes repeated %zu times",
                       d->where, value.n, n);
    uint8_t *data = pn_arena_alloc_zero(d->arena, total + 1, 1);
    int64_t *offsets = variable ? PN_ARENA_NEW(d->arena, int64_t, n + 1) : NULL;
    if (!data || (variable && !offsets))
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < n; i++) {
        if (value.data && value.n > 0)
            memcpy(data + i * value.n, value.data, value.n);
        if (variable)
            offsets[i + 1] = (int64_t)((i + 1) * value.n);
    }
    *out = (pn_values){.n = n,
                       .variable = variable,
                       .width = variable ? 0 : value.n,
                       .data = data,
                       .offsets = offsets,
                       .is_bits = is_bits};
    return PN_OK;
}

static pn_status constant_levels(pn_decoder *d, const Pn__Lance__Compression *how, pn_slice from,
                                 uint64_t n, const uint8_t *table, unsigned n_known,
                                 const uint8_t **out)
{
    pn_values levels = {.n = from.n / 2, .width = 2, .data = from.data};
    if (from.n == 0) {
        *out = NULL;
        return PN_OK;
    }
    if (n > d->max_bytes)
        return corrupt(d, "a page with an impossible number of levels");
    if (how)
        PN_TRY(pn_values_decode_block(d, how, from, (size_t)n, &levels));
    return take_levels(d, &levels, table, n_known, levels.n, out);
}

typedef struct constant_page {
    page_levels levels;
    pn_slice value;
    bool variable, has_value;
    const uint8_t *rep, *stop;
    uint64_t n_entries;
} constant_page;

static pn_status parse_constant(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                                constant_page *out)
{
    const Pn__Lance__Constant *how = page->layout->constant;
    const pn_field *leaf = path->nodes[path->n - 1];
    PN_TRY(pn_page_levels(d, path, how->layers, how->n_layers, out->levels.table, &out->levels.n,
                          &out->levels.n_rep));
    size_t n = page->n_buffers, value_buffers = n == 1 || n == 3 ? 1 : 0;
    if (n > 3)
        return corrupt(d, "a constant page has too many buffers");
    out->variable = pn_values_are_variable(leaf);
    if (leaf->is_packed && (value_buffers || how->has_inline_value))
        return pn_fail(d->err, PN_ERR_UNSUPPORTED,
                       "%s: encoding \"constant\" of a packed struct is not supported", d->where);
    if (value_buffers) {
        PN_TRY(constant_value(d, page->buffers[0], &out->value, &out->variable));
        out->has_value = true;
    } else if (how->has_inline_value) {
        out->value = (pn_slice){how->inline_value.data, how->inline_value.len};
        out->has_value = true;
    }
    if (out->variable != pn_values_are_variable(leaf))
        return corrupt(d, "a constant of another kind than its column");
    out->n_entries = page->n_rows;
    if (n < 2)
        return PN_OK;
    pn_slice rep = page->buffers[n - 2], def = page->buffers[n - 1];
    uint64_t n_rep = how->rep ? how->n_rep : rep.n / 2, n_def = how->def ? how->n_def : def.n / 2;
    PN_TRY(constant_levels(d, how->rep, rep, n_rep, NULL, out->levels.n_rep, &out->rep));
    PN_TRY(constant_levels(d, how->def, def, n_def, out->levels.table, out->levels.n, &out->stop));
    if (out->rep || out->stop)
        out->n_entries = out->rep ? n_rep : n_def;
    if (out->rep && out->stop && n_rep != n_def)
        return corrupt(d, "a constant page's levels do not agree");
    return PN_OK;
}

static pn_status read_constant(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                               const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    constant_page c = {0};
    const pn_field *leaf = path->nodes[path->n - 1];
    pn_piece piece = {0};
    PN_TRY(parse_constant(d, page, path, &c));
    bool by_rows = path->n_lists == 0 && !c.stop; // then only the rows asked for need exist
    uint64_t wanted = 0;
    for (size_t i = 0; i < n_ranges; i++)
        wanted += ranges[i].n;
    uint64_t n = by_rows ? wanted : c.n_entries;
    if (n > d->max_bytes)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: a page of %" PRIu64 " rows is too large",
                       d->where, n);
    piece.n_entries = (size_t)n;
    piece.rep = c.rep;
    piece.stop = c.stop;
    if (!c.has_value && !c.stop) { // no value at all: every entry is null at the leaf
        uint8_t null_level = c.levels.n == 2 ? c.levels.table[1] : 0;
        if (null_level == 0 && leaf->type != PN_TYPE_NULL)
            return corrupt(d, "a constant page without a value that is not null");
        uint8_t *stop = pn_arena_alloc(d->arena, piece.n_entries + 1);
        if (!stop)
            return pn_fail_nomem(d->err);
        memset(stop, null_level ? null_level : PN_STOP_NULL(path->n - 1), piece.n_entries);
        piece.stop = stop;
    }
    bool is_bits = false;
    size_t width = pn_values_width(leaf, &is_bits);
    if (!c.has_value)
        c.value = (pn_slice){NULL, c.variable ? 0 : width};
    if (!c.variable && c.value.n != width)
        return corrupt(d, "a constant of another width than its column");
    PN_TRY(repeat_value(d, c.value, c.variable, is_bits,
                        count_visible(path, piece.stop, piece.n_entries), &piece.values));
    if (by_rows)
        return pn_stream_append(stream, path, &piece, 0, piece.n_entries, 0, d->err);
    return pn_page_append(d, path, &piece, page->n_rows, ranges, n_ranges, stream);
}

bool pn_page_is_read_whole(const pn_page *page, const pn_leaf_path *path)
{
    const Pn__Lance__PageLayout *layout = page->layout;
    if (layout->layout_case == PN__LANCE__PAGE_LAYOUT__LAYOUT_MINI_BLOCK)
        return path->n_lists > 0 || layout->mini_block->dictionary;
    if (layout->layout_case == PN__LANCE__PAGE_LAYOUT__LAYOUT_CONSTANT)
        return page->n_buffers >= 2;
    if (layout->layout_case == PN__LANCE__PAGE_LAYOUT__LAYOUT_SPARSE)
        return true;
    if (layout->layout_case != PN__LANCE__PAGE_LAYOUT__LAYOUT_FULL_ZIP)
        return false;
    const Pn__Lance__FullZip *how = layout->full_zip;
    bool variable = how->has_bits_per_offset && how->bits_per_offset > 0;
    bool plain = !variable && how->bits_rep + how->bits_def == 0 && how->values &&
                 how->values->kind_case == PN__LANCE__COMPRESSION__KIND_FIXED_LIST &&
                 !how->values->fixed_list->has_validity;
    return !plain && !(page->n_buffers >= 2 && (variable || path->n_lists > 0));
}

pn_status pn_page_read(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                       const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    switch ((int)page->layout->layout_case) {
    case PN__LANCE__PAGE_LAYOUT__LAYOUT_MINI_BLOCK:
        return read_mini_block(d, page, path, ranges, n_ranges, stream);
    case PN__LANCE__PAGE_LAYOUT__LAYOUT_CONSTANT:
        return read_constant(d, page, path, ranges, n_ranges, stream);
    case PN__LANCE__PAGE_LAYOUT__LAYOUT_FULL_ZIP:
        return read_full_zip(d, page, path, ranges, n_ranges, stream);
    case PN__LANCE__PAGE_LAYOUT__LAYOUT_BLOB:
        return pn_blob_page_read(d, page, path, ranges, n_ranges, stream);
    case PN__LANCE__PAGE_LAYOUT__LAYOUT_SPARSE:
        return pn_sparse_page_read(d, page, path, ranges, n_ranges, stream);
    default:
        return pn_fail(d->err, PN_ERR_UNSUPPORTED,
                       "%s: a layout that is not known is not supported", d->where);
    }
}

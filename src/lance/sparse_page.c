/*
 * sparse_page.c - positions -> levels
 *
 * LanceDB writes this layout in files of 2.3: of nested columns whose levels are too many for the chunks of a mini-block page, and
 * of columns that ask for it. Each node of the path has a layer, the outermost first, with a slot for each of its values. A layer
 * says which slots are null, a list's also which are not empty and how many items those have: they are the slots of the next layer.
 *
 *     tags (list)      4 slots    filled 0, 3    counts 2, 1    null 1
 *     item (string)    3 slots    null 1
 *
 *     entries          rep    1   0            1            1             1
 *                      stop   0   NULL(item)   NULL(tags)   EMPTY(tags)   0
 *
 *     buffer 0         per chunk u32 bytes / 8 - 1, u32 number of values
 *     buffer 1         chunks, as in a mini-block page without levels; null values of the innermost list have a slot
 *     others           what the layers list, in the order in which they do: filled, counts, null
 *
 * Sets of positions are a range, all, none, or listed as differences. A slot below a null struct is there and says nothing.
 * Source: the public description in the format's protos.
 */
#include "lance/sparse_page.h"

#include "base/endian.h"

#include <inttypes.h>
#include <string.h>

typedef struct layer {
    size_t n_slots;
    const uint8_t *is_null; /* a byte a slot; NULL: none is */
    const uint64_t *counts; /* lists: items of each slot */
} layer;

typedef struct sparse_reader {
    pn_decoder *d;
    const pn_page *page;
    const pn_leaf_path *path;
    size_t next_buffer;
    layer layers[PN_SCHEMA_MAX_DEPTH_NODES];
    size_t next[PN_SCHEMA_MAX_DEPTH_NODES]; /* slot */
    uint8_t *rep, *stop;
    size_t n_entries, max_entries;
} sparse_reader;

static pn_status corrupt(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_CORRUPT, "%s: %s", d->where, what);
}

/* ---- layers ---- */

static pn_status check_size(const pn_decoder *d, uint64_t n)
{
    if (n > d->max_bytes / sizeof(uint64_t))
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: %" PRIu64 " values in a page is too many",
                       d->where, n);
    return PN_OK;
}

/* n numbers of 64 bits from the next buffer. */
static pn_status take_numbers(sparse_reader *r, const Pn__Lance__Compression *how, size_t n,
                              const uint8_t **out)
{
    pn_decoder plain = *r->d;
    pn_values values;
    plain.leaf = NULL;
    if (r->next_buffer >= r->page->n_buffers)
        return corrupt(r->d, "a sparse page lacks a buffer");
    PN_TRY(pn_values_decode_block(&plain, how, r->page->buffers[r->next_buffer++], n, &values));
    if (values.variable || values.width != sizeof(uint64_t) || values.n < n)
        return corrupt(r->d, "positions that are not 64-bit numbers");
    *out = values.data;
    return PN_OK;
}

static pn_status mark_listed(sparse_reader *r, const Pn__Lance__Positions *set, size_t n_slots,
                             uint8_t *marks)
{
    const uint8_t *numbers;
    uint64_t at = 0;
    PN_TRY(take_numbers(r, set->listed, (size_t)set->n, &numbers));
    for (size_t i = 0; i < set->n; i++) {
        uint64_t step = pn_load_le64(numbers + i * sizeof at);
        if (step >= n_slots - at || (i > 0 && step == 0)) // at < n_slots, or both are 0
            return corrupt(r->d, "positions that are out of order");
        at += step;
        marks[at] = 1;
    }
    return PN_OK;
}

/* A byte a slot: 1 for those in the set. */
static pn_status mark_positions(sparse_reader *r, const Pn__Lance__Positions *set, size_t n_slots,
                                uint8_t **out)
{
    uint64_t n = set ? set->n : 0, first = 0;
    uint8_t *marks = pn_arena_alloc_zero(r->d->arena, n_slots + 1, 1);
    if (!marks)
        return pn_fail_nomem(r->d->err);
    *out = marks;
    if (n > n_slots)
        return corrupt(r->d, "more positions than slots");
    switch (set ? (int)set->kind_case : PN__LANCE__POSITIONS__KIND__NOT_SET) {
    case PN__LANCE__POSITIONS__KIND_LISTED:
        return mark_listed(r, set, n_slots, marks);
    case PN__LANCE__POSITIONS__KIND_RANGE:
        first = set->range->start;
        if (set->range->length != n || first > n_slots - n)
            return corrupt(r->d, "a range of positions that are not there");
        break;
    case PN__LANCE__POSITIONS__KIND_ALL:
        if (n != n_slots)
            return corrupt(r->d, "all positions are not as many as slots");
        break;
    case PN__LANCE__POSITIONS__KIND_NONE:
        if (n != 0)
            return corrupt(r->d, "no positions, but a number of them");
        break;
    default:
        return corrupt(r->d, "a set of positions without a kind");
    }
    memset(marks + first, 1, (size_t)n);
    return PN_OK;
}

static pn_status take_validity(sparse_reader *r, const Pn__Lance__Validity *how, size_t n_slots,
                               const uint8_t **is_null)
{
    enum { NULLS = 1, VALIDS = 2 };
    uint8_t *marks;
    if (!how || (how->meaning != NULLS && how->meaning != VALIDS))
        return corrupt(r->d, "a layer that does not say what is null");
    PN_TRY(mark_positions(r, how->positions, n_slots, &marks));
    for (size_t i = 0; how->meaning == VALIDS && i < n_slots; i++)
        marks[i] = !marks[i];
    *is_null = marks;
    return PN_OK;
}

/* How many items the slots of a list have that are not empty. */
static pn_status take_counts(sparse_reader *r, const Pn__Lance__ListLayer *how,
                             const uint8_t *filled, uint64_t *counts)
{
    const Pn__Lance__Counts *set = how->counts;
    uint64_t n = how->filled ? how->filled->n : 0, total = 0, at = 0, each = 0;
    const uint8_t *listed = NULL;
    if (set && set->kind_case == PN__LANCE__COUNTS__KIND_LISTED)
        PN_TRY(take_numbers(r, set->listed, (size_t)n, &listed));
    else if (set && set->kind_case == PN__LANCE__COUNTS__KIND_CONSTANT)
        each = set->constant->value;
    else if (n > 0)
        return corrupt(r->d, "lists with items, but no number of them");
    for (size_t i = 0; i < how->n_slots; i++) {
        if (!filled[i])
            continue;
        counts[i] = listed ? pn_load_le64(listed + at++ * sizeof n) : each;
        if (counts[i] == 0 || !pn_u64_add(total, counts[i], &total))
            return corrupt(r->d, "a list of an impossible number of items");
    }
    return total == how->n_child_slots
               ? PN_OK
               : corrupt(r->d, "lists have another number of items than the layer below");
}

static pn_status take_list_layer(sparse_reader *r, const Pn__Lance__ListLayer *how, layer *out)
{
    uint8_t *filled;
    PN_TRY(check_size(r->d, how->n_slots));
    PN_TRY(check_size(r->d, how->n_child_slots));
    size_t n = (size_t)how->n_slots;
    uint64_t *counts = pn_arena_alloc_zero(r->d->arena, n + 1, sizeof *counts);
    if (!counts)
        return pn_fail_nomem(r->d->err);
    PN_TRY(mark_positions(r, how->filled, n, &filled));
    PN_TRY(take_counts(r, how, filled, counts));
    *out = (layer){.n_slots = n, .counts = counts};
    PN_TRY(take_validity(r, how->validity, n, &out->is_null));
    for (size_t i = 0; i < n; i++)
        if (out->is_null[i] && counts[i] > 0)
            return corrupt(r->d, "a null list that has items");
    return PN_OK;
}

/* The layer of a node of the path; *n_slots: how many it must have, then how many the next one. */
static pn_status take_layer(sparse_reader *r, unsigned node, uint64_t *n_slots)
{
    const Pn__Lance__SparseLayer *how = r->page->layout->sparse->layers[node];
    bool is_list = pn_type_is_list(r->path->nodes[node]->type);
    layer *out = &r->layers[node];
    if (is_list != (how->kind_case == PN__LANCE__SPARSE_LAYER__KIND_LIST) ||
        (!is_list && how->kind_case != PN__LANCE__SPARSE_LAYER__KIND_ITEM))
        return corrupt(r->d, "a page's layers do not fit its column");
    if ((is_list ? how->list->n_slots : how->item->n_slots) != *n_slots)
        return corrupt(r->d, "a layer has another number of slots than the one above");
    if (is_list) {
        *n_slots = how->list->n_child_slots;
        return take_list_layer(r, how->list, out);
    }
    PN_TRY(check_size(r->d, *n_slots));
    out->n_slots = (size_t)*n_slots;
    return take_validity(r, how->item->validity, out->n_slots, &out->is_null);
}

/* A flat column of which nothing is null may have no layer. */
static pn_status take_layers(sparse_reader *r)
{
    const Pn__Lance__Sparse *how = r->page->layout->sparse;
    uint64_t n_slots = r->page->n_rows;
    r->next_buffer = 2;
    if (how->n_layers == 0 && r->path->n == 1 && r->path->n_lists == 0) {
        PN_TRY(check_size(r->d, n_slots));
        r->layers[0].n_slots = (size_t)n_slots;
    } else if (how->n_layers != r->path->n) {
        return corrupt(r->d, "a page has another number of layers than its column");
    }
    for (unsigned node = 0; node < how->n_layers; node++)
        PN_TRY(take_layer(r, node, &n_slots));
    if (n_slots != how->n_visible_items)
        return corrupt(r->d, "a page has another number of values than its layers");
    return r->next_buffer == r->page->n_buffers
               ? PN_OK
               : corrupt(r->d, "a sparse page has more buffers than its layers");
}

/* ---- levels ---- */

static pn_status put_entry(sparse_reader *r, uint8_t rep, uint8_t stop)
{
    if (r->n_entries == r->max_entries)
        return corrupt(r->d, "a page has more entries than it says");
    r->rep[r->n_entries] = rep;
    r->stop[r->n_entries++] = stop;
    return PN_OK;
}

/* Pass over a slot below a null struct. Below it a list must be empty: the values of lists would have no entry. */
static pn_status skip_slot(sparse_reader *r, unsigned node)
{
    for (; node < r->path->n; node++) {
        size_t slot = r->next[node]++;
        if (r->layers[node].counts && r->layers[node].counts[slot] > 0)
            return corrupt(r->d, "a list in a null struct has items");
        if (r->layers[node].counts)
            return PN_OK;
    }
    return PN_OK;
}

/* The next slot of a node and all that is below it. As deep as the schema. */
static pn_status expand(sparse_reader *r, unsigned node, unsigned lists_above, uint8_t rep)
{
    const layer *l = &r->layers[node];
    size_t slot = r->next[node]++;
    if (l->is_null && l->is_null[slot]) {
        PN_TRY(put_entry(r, rep, PN_STOP_NULL(node)));
        return l->counts ? PN_OK : skip_slot(r, node + 1);
    }
    if (!l->counts)
        return node + 1 == r->path->n ? put_entry(r, rep, 0)
                                      : expand(r, node + 1, lists_above, rep);
    if (l->counts[slot] == 0)
        return put_entry(r, rep, PN_STOP_EMPTY(node));
    uint8_t again = (uint8_t)(r->path->n_lists - lists_above - 1);
    for (uint64_t i = 0; i < l->counts[slot]; i++)
        PN_TRY(expand(r, node + 1, lists_above + 1, i == 0 ? rep : again));
    return PN_OK;
}

static pn_status expand_rows(sparse_reader *r)
{
    uint64_t n = r->page->layout->sparse->n_items;
    PN_TRY(check_size(r->d, n));
    r->max_entries = (size_t)n;
    r->rep = PN_ARENA_NEW(r->d->arena, uint8_t, r->max_entries + 1);
    r->stop = PN_ARENA_NEW(r->d->arena, uint8_t, r->max_entries + 1);
    if (!r->rep || !r->stop)
        return pn_fail_nomem(r->d->err);
    for (uint64_t row = 0; row < r->page->n_rows; row++)
        PN_TRY(expand(r, 0, 0, (uint8_t)r->path->n_lists));
    return r->n_entries == r->max_entries ? PN_OK
                                          : corrupt(r->d, "a page has fewer entries than it says");
}

/* ---- values ---- */

static pn_status append_chunk(const sparse_reader *r, pn_slice bytes, size_t n, pn_stream *out)
{
    const Pn__Lance__Sparse *how = r->page->layout->sparse;
    const pn_leaf_path flat = {
        .nodes = {r->path->nodes[r->path->n - 1]}, .n = 1, .innermost_list = -1};
    pn_piece piece = {.n_entries = n};
    if (n > PN_LANCE_MAX_CHUNK_VALUES)
        return pn_fail(r->d->err, PN_ERR_LIMIT, "%s: %zu values in a chunk, the limit is %u",
                       r->d->where, n, PN_LANCE_MAX_CHUNK_VALUES);
    PN_TRY(pn_page_chunk_values(r->d, how->values, how->n_buffers, how->has_large_chunk, bytes, n,
                                &piece.values));
    return pn_stream_append(out, &flat, &piece, 0, n, 0, r->d->err);
}

static pn_status append_chunks(const sparse_reader *r, pn_stream *out)
{
    enum { WORD_BYTES = 8 };
    pn_slice words = r->page->buffers[0], chunks = r->page->buffers[1];
    uint64_t left = r->page->layout->sparse->n_visible_items;
    for (; words.n >= WORD_BYTES; words.data += WORD_BYTES, words.n -= WORD_BYTES) {
        size_t bytes = ((size_t)pn_load_le32(words.data) + 1) * 8;
        size_t n = pn_load_le32(words.data + 4);
        if (bytes > chunks.n || n > left)
            return corrupt(r->d, "the table of chunks does not fit the page");
        pn_arena_mark mark = pn_arena_get_mark(r->d->arena);
        PN_TRY(append_chunk(r, (pn_slice){chunks.data, bytes}, n, out));
        pn_arena_rewind(r->d->arena, mark);
        chunks.data += bytes;
        chunks.n -= bytes;
        left -= n;
    }
    return left == 0 && words.n == 0 ? PN_OK
                                     : corrupt(r->d, "the table of chunks does not fit the page");
}

pn_status pn_sparse_page_read(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                              const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    sparse_reader r = {.d = d, .page = page, .path = path};
    pn_stream values;
    pn_status status = PN_OK;
    if (page->n_buffers < 2)
        return corrupt(d, "a sparse page lacks a buffer");
    PN_TRY(take_layers(&r));
    PN_TRY(expand_rows(&r));
    pn_stream_init(&values, d->max_bytes);
    PN_GOTO(done, pn_stream_expect(&values, path->nodes[path->n - 1], d->err));
    PN_GOTO(done, append_chunks(&r, &values));
    pn_piece piece = pn_stream_piece(&values);
    piece.n_entries = r.n_entries;
    piece.rep = path->n_lists > 0 ? r.rep : NULL;
    piece.stop = r.stop;
    PN_GOTO(done, pn_page_append(d, path, &piece, page->n_rows, ranges, n_ranges, stream));
done:
    pn_stream_reset(&values);
    return status;
}

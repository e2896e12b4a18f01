/*
 * page_encode.c - the simplest pages that LanceDB likes
 *
 *     fixed width      (control word, value)*                    full-zip; buffer 1: row index, for lists only
 *     variable         (control word, length, bytes)*            full-zip; buffer 1: row index
 *     no levels        value*                                    full-zip; an array, at a multiple of 4,096
 *     booleans         chunks of up to 1,024 values              mini-block; full-zip values are whole bytes
 *     dictionaries     the same, of indices                      mini-block; buffer 2: the values
 *     hidden lists     the same                                  mini-block; of structs that may be null with lists inside
 *     nothing          the levels alone                          constant
 *
 * Only here, with all entries of a page at hand, is it known which nulls and empty lists occur in it. That decides the page's
 * layers and so the numbers of its definition levels: counting from the leaf outward, each kind that occurs takes the next
 * number, 0 is a value. Nothing is compressed: vectors do not compress, and a page can be read where it lies.
 *
 * Full-zip pages find a row at once, mini-blocks must be walked. But LanceDB 0.39 counts every layer of nullable structs in a
 * full-zip page among those whose nulls have a value slot, also structs outside of the list, and loses its place as soon as an
 * entry has none; it does so in pages of its own. Mini-blocks it reads. A chunk but the last has two values at least (a page
 * of none is a constant), so these and the entries without a value around them must fit one chunk: 32 KiB in 2.1, 32,767
 * levels later. Rows of values too wide for that go full-zip, and are read as long as each entry of the page has a value.
 */
#include "lance/page_encode.h"

#include "base/bits.h"
#include "base/endian.h"
#include "lance/page_dictionary.h"

#include <string.h>

enum {
    BUFFER_ALIGNMENT = 64,
    MAPPED_ALIGNMENT = 4096,
    CHUNK_VALUES = 1024,
    CHUNK_PADDING = 0xFE,
    STRING_PADDING = 'H'
};
enum {
    CHUNK_OVERHEAD = 64,          /* header and padding, at most */
    CHUNK_BYTES = 16 << 10,       /* of a chunk of many values */
    SMALL_CHUNK_BYTES = 32 << 10, /* what a word of 16 bits can tell */
    LARGE_CHUNK_BYTES = 1 << 30   /* of the fewest values, where words have 32 bits */
};

typedef struct encoding {
    const pn_stream *entries;
    const pn_leaf_path *path;
    const pn_field *leaf;
    const pn_page_dictionary
        *dictionary; /* NULL: none; otherwise entries and leaf are of its indices */
    size_t n_rows;
    bool small_chunks; /* version 2.1: sizes of chunks have 16 bits */
    int32_t layers[PN_SCHEMA_MAX_DEPTH_NODES];
    uint8_t level_of[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1]; /* stop -> definition level */
    unsigned max_def, bits_rep, bits_def;
    size_t validity_bytes; /* in front of each value: some item of a fixed-size list is null */
    pn_error *err;
} encoding;

void pn_encoded_page_init(pn_encoded_page *page, size_t max_bytes)
{
    *page = (pn_encoded_page){.alignment = BUFFER_ALIGNMENT};
    pn_buffer_init(&page->layout, 1u << 20);
    for (size_t i = 0; i < PN_COUNT_OF(page->buffers); i++)
        pn_buffer_init(&page->buffers[i], max_bytes);
}

void pn_encoded_page_reset(pn_encoded_page *page)
{
    pn_buffer_reset(&page->layout);
    for (size_t i = 0; i < PN_COUNT_OF(page->buffers); i++)
        pn_buffer_reset(&page->buffers[i]);
}

void pn_encoded_page_clear(pn_encoded_page *page, size_t kept_bytes)
{
    pn_buffer_clear(&page->layout);
    for (size_t i = 0; i < PN_COUNT_OF(page->buffers); i++)
        pn_buffer_trim(&page->buffers[i], kept_bytes);
    page->as_it_lies = NULL;
    page->n_buffers = 0;
    page->alignment = BUFFER_ALIGNMENT;
}

/* ---- levels ---- */

static unsigned bit_length(unsigned value)
{
    unsigned n = 0;
    for (; value > 0; value >>= 1)
        n++;
    return n;
}

/* Does an entry of the page end further out than the node? */
static bool stops_outside(const bool *seen, unsigned node)
{
    for (unsigned k = 0; k < node; k++)
        if (seen[PN_STOP_NULL(k)] || seen[PN_STOP_EMPTY(k)])
            return true;
    return false;
}

bool pn_page_may_hide_lists(const pn_leaf_path *path)
{
    for (unsigned i = 0; (int)i < path->innermost_list; i++)
        if (path->nodes[i]->type == PN_TYPE_STRUCT && path->nodes[i]->nullable)
            return true;
    return false;
}

/* A layer is declared to have what it has in the page, with two exceptions that LanceDB 0.39 asks for. In a list that is
 * declared "all valid" (2) it miscounts the entries that end outside of it: such a list is declared to have empties. And where
 * one page of a batch has nulls of a struct (or item) and another declares none of them, it takes one value of the column for
 * one struct: in columns with lists whatever may be null is declared so in every page. */
static void number_levels(encoding *e)
{
    bool seen[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1] = {false};
    for (size_t i = 0; i < e->entries->n_entries; i++)
        seen[e->entries->stop.data[i]] = true;
    for (unsigned i = 0; i < e->path->n; i++) {
        unsigned node = e->path->n - 1 - i; // innermost first
        bool null = seen[PN_STOP_NULL(node)], empty = seen[PN_STOP_EMPTY(node)];
        if (pn_type_is_list(e->path->nodes[node]->type)) {
            empty |= !null && stops_outside(seen, node);
            e->layers[i] = null && empty ? 6 : empty ? 5 : null ? 4 : 2;
        } else {
            null |= e->path->n_lists > 0 && e->path->nodes[node]->nullable;
            e->layers[i] = null ? 3 : 1;
        }
        if (null)
            e->level_of[PN_STOP_NULL(node)] = (uint8_t)++e->max_def;
        if (empty)
            e->level_of[PN_STOP_EMPTY(node)] = (uint8_t)++e->max_def;
    }
    e->bits_rep = bit_length(e->path->n_lists);
    e->bits_def = bit_length(e->max_def);
}

static unsigned level_at(const encoding *e, size_t entry)
{
    return e->level_of[e->entries->stop.data[entry]];
}

static pn_status append_levels(const encoding *e, bool repetition, size_t first, size_t n,
                               pn_buffer *out)
{
    for (size_t i = first; i < first + n; i++) {
        uint8_t level[2];
        pn_store_le16(level, (uint16_t)(repetition ? e->entries->rep.data[i] : level_at(e, i)));
        PN_TRY(pn_buffer_append(out, level, sizeof level, e->err));
    }
    return PN_OK;
}

/* ---- values ---- */

/* A byte each -> a bit each. */
static pn_status append_bits(const encoding *e, const uint8_t *bytes, size_t n, pn_buffer *out)
{
    size_t at = out->n_bytes;
    PN_TRY(pn_buffer_append_fill(out, 0, pn_bytes_for_bits(n), e->err));
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            pn_bit_set(out->data + at, i);
    return PN_OK;
}

static const int64_t *offsets_of(const encoding *e)
{
    return (const int64_t *)(const void *)e->entries->offsets.data;
}

/* ---- messages ---- */

static pn_status pack_layout(Pn__Lance__PageLayout *layout, pn_buffer *out, pn_error *err)
{
    size_t n = pn__lance__page_layout__get_packed_size(layout);
    PN_TRY(pn_buffer_reserve(out, n, err));
    out->n_bytes += pn__lance__page_layout__pack(layout, out->data + out->n_bytes);
    return PN_OK;
}

/* How values are described: flat, variable, or a list of flats. */
typedef struct description {
    Pn__Lance__Compression how, inner;
    Pn__Lance__Flat flat;
    Pn__Lance__Variable variable;
    Pn__Lance__FixedList list;
} description;

static void describe_flat(Pn__Lance__Compression *how, Pn__Lance__Flat *flat, uint64_t bits)
{
    pn__lance__compression__init(how);
    pn__lance__flat__init(flat);
    flat->has_bits = 1;
    flat->bits = bits;
    how->kind_case = PN__LANCE__COMPRESSION__KIND_FLAT;
    how->flat = flat;
}

static unsigned length_bits(const pn_field *field)
{
    return field->type == PN_TYPE_LARGE_STRING || field->type == PN_TYPE_LARGE_BINARY ? 64 : 32;
}

static void describe_values(const encoding *e, const pn_field *field, description *d)
{
    pn__lance__compression__init(&d->how);
    if (pn_type_is_variable(field->type)) {
        describe_flat(&d->inner, &d->flat, length_bits(field));
        pn__lance__variable__init(&d->variable);
        d->variable.offsets = &d->inner;
        d->how.kind_case = PN__LANCE__COMPRESSION__KIND_VARIABLE;
        d->how.variable = &d->variable;
    } else if (field->type == PN_TYPE_FIXED_SIZE_LIST) {
        describe_flat(&d->inner, &d->flat, pn_type_width(&field->children[0]) * 8);
        pn__lance__fixed_list__init(&d->list);
        d->list.has_items = 1;
        d->list.items = (uint64_t)field->size;
        d->list.values = &d->inner;
        d->list.has_has_validity = d->list.has_validity = e->validity_bytes > 0;
        d->how.kind_case = PN__LANCE__COMPRESSION__KIND_FIXED_LIST;
        d->how.fixed_list = &d->list;
    } else {
        describe_flat(&d->how, &d->flat,
                      field->type == PN_TYPE_BOOL ? 1 : pn_type_width(field) * 8);
    }
}

/* ---- full-zip ---- */

static pn_status append_control(const encoding *e, size_t entry, pn_buffer *out)
{
    uint8_t bytes[4];
    unsigned bits = e->bits_rep + e->bits_def;
    uint32_t rep = e->path->n_lists > 0 ? e->entries->rep.data[entry] : 0;
    pn_store_le32(bytes, rep << e->bits_def | level_at(e, entry));
    size_t n = bits == 0 ? 0 : bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
    return pn_buffer_append(out, bytes, n, e->err);
}

/* A bit for each item of n values, 0 for null. */
static pn_status append_item_validity(const encoding *e, size_t value, size_t n, pn_buffer *out)
{
    size_t items = (size_t)e->leaf->size;
    return append_bits(e, e->entries->item_valid[0].data + value * items, n * items, out);
}

static pn_status append_variable(const encoding *e, size_t value, pn_buffer *out)
{
    const int64_t *offsets = offsets_of(e);
    uint8_t length[8];
    size_t n = (size_t)(offsets[value + 1] - offsets[value]);
    pn_store_le64(length, n);
    PN_TRY(pn_buffer_append(out, length, length_bits(e->leaf) / 8, e->err));
    return pn_buffer_append(out, e->entries->data.data + offsets[value], n, e->err);
}

/* What stands behind the control word: null values of fixed width have a slot, null strings have nothing. */
static pn_status append_slot(const encoding *e, size_t entry, size_t value, pn_buffer *out)
{
    if (pn_type_is_variable(e->leaf->type))
        return e->entries->stop.data[entry] == 0 ? append_variable(e, value, out) : PN_OK;
    size_t width = pn_type_width(e->leaf);
    if (e->validity_bytes > 0)
        PN_TRY(append_item_validity(e, value, 1, out));
    return pn_buffer_append(out, e->entries->data.data + value * width, width, e->err);
}

/* Eight-byte numbers -> the smallest of 1, 2, 4, 8 bytes that holds the last, which is the largest. */
static void narrow_index(pn_buffer *index)
{
    size_t n = index->n_bytes / 8;
    uint64_t last = pn_load_le64(index->data + (n - 1) * 8);
    size_t width = last <= UINT8_MAX ? 1 : last <= UINT16_MAX ? 2 : last <= UINT32_MAX ? 4 : 8;
    for (size_t i = 0; i < n; i++)
        memmove(index->data + i * width, index->data + i * 8, width);
    index->n_bytes = n * width;
}

static pn_status append_row_start(const encoding *e, pn_encoded_page *page)
{
    uint8_t bytes[8];
    pn_store_le64(bytes, page->buffers[0].n_bytes);
    return pn_buffer_append(&page->buffers[1], bytes, sizeof bytes, e->err);
}

static pn_status zip_entries(const encoding *e, pn_encoded_page *page)
{
    bool indexed = pn_type_is_variable(e->leaf->type) || e->path->n_lists > 0;
    size_t value = 0;
    for (size_t i = 0; i < e->entries->n_entries; i++) {
        bool starts = e->path->n_lists == 0 || e->entries->rep.data[i] == e->path->n_lists;
        if (indexed && starts)
            PN_TRY(append_row_start(e, page));
        PN_TRY(append_control(e, i, &page->buffers[0]));
        if (pn_stop_is_visible(e->path, e->entries->stop.data[i]))
            PN_TRY(append_slot(e, i, value++, &page->buffers[0]));
    }
    page->n_buffers = 1;
    if (indexed) {
        PN_TRY(append_row_start(e, page)); // where the last row ends
        pn_assert(page->buffers[1].n_bytes == (e->n_rows + 1) * 8);
        narrow_index(&page->buffers[1]);
        page->n_buffers = 2;
    }
    return PN_OK;
}

static pn_status encode_zip(encoding *e, pn_encoded_page *page)
{
    const pn_stream *s = e->entries;
    bool variable = pn_type_is_variable(e->leaf->type);
    if (e->bits_rep + e->bits_def == 0 && !variable && e->validity_bytes == 0) {
        if (!e->dictionary)
            page->as_it_lies = &s->data;
        else // whose stream does not outlive the encoding
            PN_TRY(pn_buffer_append(&page->buffers[0], s->data.data, s->data.n_bytes, e->err));
        page->n_buffers = 1;
    } else {
        PN_TRY(zip_entries(e, page));
    }
    if (e->leaf->type == PN_TYPE_FIXED_SIZE_LIST)
        page->alignment = MAPPED_ALIGNMENT;
    description values;
    Pn__Lance__FullZip zip = PN__LANCE__FULL_ZIP__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    describe_values(e, e->leaf, &values);
    zip.has_bits_rep = e->bits_rep > 0;
    zip.bits_rep = e->bits_rep;
    zip.has_bits_def = e->bits_def > 0;
    zip.bits_def = e->bits_def;
    zip.has_bits_per_offset = variable;
    zip.bits_per_offset = length_bits(e->leaf);
    zip.has_bits_per_value = !variable;
    zip.bits_per_value = (uint32_t)((pn_type_width(e->leaf) + e->validity_bytes) * 8);
    zip.has_n_items = zip.has_n_visible_items = 1;
    zip.n_items = s->n_entries;
    zip.n_visible_items = s->n_values;
    zip.values = &values.how;
    zip.n_layers = e->path->n;
    zip.layers = e->layers;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_FULL_ZIP;
    layout.full_zip = &zip;
    return pack_layout(&layout, &page->layout, e->err);
}

/* ---- mini-block ---- */

/* Entries [first_entry, end_entry) and their values. */
typedef struct chunk {
    size_t first_entry, n_entries, first_value, n_values;
} chunk;

static pn_status pad_chunk(const encoding *e, pn_buffer *out)
{
    return pn_buffer_append_fill(out, CHUNK_PADDING, (size_t)(-(uint64_t)out->n_bytes & 7), e->err);
}

/* Offsets from the buffer's start, which they are in themselves; then the bytes, to a multiple of an offset's width. */
static pn_status append_strings(const encoding *e, const chunk *c, pn_buffer *out)
{
    const int64_t *offsets = offsets_of(e) + c->first_value;
    size_t width = length_bits(e->leaf) / 8, head = (c->n_values + 1) * width;
    size_t n = (size_t)(offsets[c->n_values] - offsets[0]);
    for (size_t i = 0; i <= c->n_values; i++) {
        uint8_t bytes[8];
        pn_store_le64(bytes, head + (uint64_t)(offsets[i] - offsets[0]));
        PN_TRY(pn_buffer_append(out, bytes, width, e->err));
    }
    PN_TRY(pn_buffer_append(out, e->entries->data.data + offsets[0], n, e->err));
    return pn_buffer_append_fill(out, STRING_PADDING, (size_t)(-(uint64_t)n & (width - 1)), e->err);
}

/* Bytes of the value buffer of n values from the first on. */
static size_t values_bytes(const encoding *e, size_t first, size_t n)
{
    if (e->leaf->type == PN_TYPE_BOOL)
        return pn_bytes_for_bits(n);
    if (!pn_type_is_variable(e->leaf->type))
        return n * pn_type_width(e->leaf);
    size_t width = length_bits(e->leaf) / 8;
    size_t bytes = (size_t)(offsets_of(e)[first + n] - offsets_of(e)[first]);
    return (n + 1) * width + (bytes + width - 1) / width * width;
}

static pn_status append_values(const encoding *e, const chunk *c, pn_buffer *out)
{
    const uint8_t *data = e->entries->data.data;
    size_t width = pn_type_width(e->leaf);
    if (e->leaf->type == PN_TYPE_BOOL)
        return append_bits(e, data + c->first_value, c->n_values, out);
    if (pn_type_is_variable(e->leaf->type))
        return append_strings(e, c, out);
    return pn_buffer_append(out, data + c->first_value * width, c->n_values * width, e->err);
}

/* Header, repetition, definition, validity of items, values, each padded to 8 bytes; then the chunk's word. */
static pn_status append_chunk(const encoding *e, const chunk *c, pn_encoded_page *page)
{
    pn_buffer *out = &page->buffers[1];
    uint8_t header[16], word[4];
    size_t n_header = 2, start = out->n_bytes, size_bytes = e->small_chunks ? 2 : 4;
    bool has_rep = e->path->n_lists > 0, has_def = e->max_def > 0;
    size_t items = e->validity_bytes > 0 ? (size_t)e->leaf->size : 0;
    pn_store_le16(header, has_rep || has_def ? (uint16_t)c->n_entries : 0);
    for (int i = 0; i < has_rep + has_def; i++, n_header += 2)
        pn_store_le16(header + n_header, (uint16_t)(2 * c->n_entries));
    if (items > 0) {
        pn_store_le32(header + n_header, (uint32_t)pn_bytes_for_bits(c->n_values * items));
        n_header += size_bytes;
    }
    pn_store_le32(header + n_header, (uint32_t)values_bytes(e, c->first_value, c->n_values));
    PN_TRY(pn_buffer_append(out, header, n_header + size_bytes, e->err));
    PN_TRY(pad_chunk(e, out));
    if (has_rep)
        PN_TRY(append_levels(e, true, c->first_entry, c->n_entries, out));
    PN_TRY(pad_chunk(e, out));
    if (has_def)
        PN_TRY(append_levels(e, false, c->first_entry, c->n_entries, out));
    PN_TRY(pad_chunk(e, out));
    if (items > 0)
        PN_TRY(append_item_validity(e, c->first_value, c->n_values, out));
    PN_TRY(pad_chunk(e, out));
    PN_TRY(append_values(e, c, out));
    PN_TRY(pad_chunk(e, out));
    bool last = c->first_entry + c->n_entries == e->entries->n_entries;
    uint32_t eighths = (uint32_t)((out->n_bytes - start) / 8 - 1);
    pn_assert(eighths < 1u << (e->small_chunks ? 12 : 28));
    pn_store_le32(word, eighths << 4 | (last ? 0u : bit_length((unsigned)c->n_values) - 1));
    return pn_buffer_append(&page->buffers[0], word, size_bytes, e->err);
}

/* Room of a chunk: as much as its word can tell, less header and padding. */
static size_t chunk_bytes(const encoding *e, const chunk *c)
{
    size_t levels = (e->path->n_lists > 0) + (e->max_def > 0u);
    size_t items = e->validity_bytes > 0 ? (size_t)e->leaf->size : 0;
    return CHUNK_OVERHEAD + 2 * levels * c->n_entries + pn_bytes_for_bits(c->n_values * items) +
           values_bytes(e, c->first_value, c->n_values);
}

/* Entries from the first on until n values are among them; SIZE_MAX: more than a chunk takes. */
static size_t entries_until(const encoding *e, size_t first, size_t n_values)
{
    const pn_stream *s = e->entries;
    for (size_t i = first, n = 0; i < s->n_entries && i - first < PN_LANCE_MAX_CHUNK_LEVELS; i++) {
        n += pn_stop_is_visible(e->path, s->stop.data[i]);
        if (n == n_values)
            return i + 1 - first;
    }
    return SIZE_MAX;
}

/* Entries without a value at first: they can go to either chunk. */
static size_t leading_entries(const encoding *e, size_t first)
{
    size_t i = first;
    while (i < e->entries->n_entries && !pn_stop_is_visible(e->path, e->entries->stop.data[i]))
        i++;
    return i - first;
}

static size_t max_barren(const encoding *e)
{
    return e->small_chunks ? PN_LANCE_SMALL_CHUNK_BARREN : PN_LANCE_MAX_CHUNK_LEVELS - 1;
}

static bool fits(const encoding *e, const chunk *c)
{
    size_t most = e->small_chunks    ? SMALL_CHUNK_BYTES
                  : c->n_values <= 2 ? LARGE_CHUNK_BYTES
                                     : CHUNK_BYTES;
    return c->n_entries <= PN_LANCE_MAX_CHUNK_LEVELS && chunk_bytes(e, c) <= most;
}

/* The next chunk: the rest if that fits, or the greatest power of two of values that does. False: not one does. */
static bool next_chunk(const encoding *e, size_t entry, size_t value, chunk *out)
{
    const pn_stream *s = e->entries;
    chunk c = {entry, s->n_entries - entry, value, s->n_values - value};
    bool is_rest = c.n_values <= CHUNK_VALUES && fits(e, &c);
    for (size_t n = CHUNK_VALUES; !is_rest; n /= 2) {
        if (n < 2) // LanceDB takes a single value in the last chunk only
            return false;
        c.n_values = n;
        if (n >= s->n_values - value)
            continue;
        c.n_entries = entries_until(e, entry, n);
        if (!fits(e, &c))
            continue;
        size_t behind = leading_entries(e, entry + c.n_entries), most = max_barren(e);
        if (behind > most) // too many for the next: some stay here
            c.n_entries += behind - most;
        if (fits(e, &c))
            break;
    }
    *out = c;
    return true;
}

/* Rows that end in the chunk, entries behind the last end. */
static pn_status append_rows_ended(const encoding *e, const chunk *c, pn_encoded_page *page)
{
    const pn_stream *s = e->entries;
    uint64_t ended = 0, behind = 0;
    for (size_t i = c->first_entry + 1; i <= c->first_entry + c->n_entries; i++) {
        bool ends = i == s->n_entries || s->rep.data[i] == e->path->n_lists;
        ended += ends;
        behind = ends ? 0 : behind + 1;
    }
    uint8_t pair[16];
    pn_store_le64(pair, ended);
    pn_store_le64(pair + 8, behind);
    return pn_buffer_append(&page->buffers[e->dictionary ? 3 : 2], pair, sizeof pair, e->err);
}

/* *all_fit: whether the chunks of this version can hold the page. */
static pn_status append_chunks(const encoding *e, pn_encoded_page *page, bool *all_fit)
{
    bool has_rep = e->path->n_lists > 0;
    page->n_buffers = 2u + has_rep + (e->dictionary != NULL);
    if (e->dictionary)
        PN_TRY(pn_page_dictionary_block(e->dictionary, e->path->nodes[e->path->n - 1],
                                        &page->buffers[2], e->err));
    *all_fit = true;
    chunk c = {0};
    while (c.first_entry < e->entries->n_entries) {
        *all_fit = next_chunk(e, c.first_entry, c.first_value, &c);
        if (!*all_fit)
            return PN_OK;
        PN_TRY(append_chunk(e, &c, page));
        if (has_rep)
            PN_TRY(append_rows_ended(e, &c, page));
        c.first_entry += c.n_entries;
        c.first_value += c.n_values;
    }
    return PN_OK;
}

static pn_status encode_chunks(encoding *e, pn_encoded_page *page, bool *all_fit)
{
    PN_TRY(append_chunks(e, page, all_fit));
    if (!*all_fit)
        return PN_OK;
    description values, items, rep, def;
    Pn__Lance__MiniBlock block = PN__LANCE__MINI_BLOCK__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    describe_values(e, e->leaf, &values);
    describe_flat(&rep.how, &rep.flat, 16);
    describe_flat(&def.how, &def.flat, 16);
    block.values = &values.how;
    if (e->dictionary) {
        describe_values(e, e->path->nodes[e->path->n - 1], &items);
        block.dictionary = &items.how;
        block.has_n_dictionary_items = 1;
        block.n_dictionary_items = e->dictionary->n_items;
    }
    block.rep = e->path->n_lists > 0 ? &rep.how : NULL;
    block.def = e->max_def > 0 ? &def.how : NULL;
    block.n_layers = e->path->n;
    block.layers = e->layers;
    block.has_n_buffers = block.has_n_items = 1;
    block.n_buffers = e->validity_bytes > 0 ? 2 : 1;
    block.n_items = e->entries->n_values;
    block.has_has_large_chunk = block.has_large_chunk = !e->small_chunks;
    block.has_repetition_index_depth = e->path->n_lists > 0;
    block.repetition_index_depth = 1;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_MINI_BLOCK;
    layout.mini_block = &block;
    return pack_layout(&layout, &page->layout, e->err);
}

/* ---- constant, for columns of nulls and pages without a value ---- */

static pn_status encode_nothing(encoding *e, pn_encoded_page *page)
{
    bool only_nulls = e->path->n == 1 && e->layers[0] == 3;
    size_t n = e->entries->n_entries;
    description rep, def;
    Pn__Lance__Constant constant = PN__LANCE__CONSTANT__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    if (!only_nulls) {
        page->n_buffers = 2;
        describe_flat(&rep.how, &rep.flat, 16);
        describe_flat(&def.how, &def.flat, 16);
        if (e->path->n_lists > 0) {
            PN_TRY(append_levels(e, true, 0, n, &page->buffers[0]));
            constant.rep = e->small_chunks ? NULL : &rep.how; // 2.1 knows raw levels only
            constant.has_n_rep = !e->small_chunks;
            constant.n_rep = n;
        }
        PN_TRY(append_levels(e, false, 0, n, &page->buffers[1]));
        constant.def = e->small_chunks ? NULL : &def.how;
        constant.has_n_def = !e->small_chunks;
        constant.n_def = n;
    }
    constant.n_layers = e->path->n;
    constant.layers = e->layers;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_CONSTANT;
    layout.constant = &constant;
    return pack_layout(&layout, &page->layout, e->err);
}

/* *done: whether chunks hold it. If not, only what LanceDB reads badly otherwise may be written otherwise. */
static pn_status try_chunks(encoding *e, pn_encoded_page *page, bool *done)
{
    PN_TRY(encode_chunks(e, page, done));
    if (*done)
        return PN_OK;
    if (e->leaf->type == PN_TYPE_BOOL || e->dictionary)
        return pn_fail(e->err, PN_ERR_LIMIT,
                       "column \"%s\": a row with that many empty lists on end in lists of %s is "
                       "not written",
                       e->path->nodes[0]->name, e->dictionary ? "dictionaries" : "booleans");
    for (size_t i = 0; i < page->n_buffers; i++)
        page->buffers[i].n_bytes = 0;
    return PN_OK;
}

static pn_status encode(encoding *e, pn_encoded_page *page)
{
    number_levels(e);
    if (e->entries->item_valid[0].n_bytes > 0)
        e->validity_bytes = pn_bytes_for_bits((size_t)e->leaf->size);
    bool done = false;
    bool in_chunks =
        e->leaf->type == PN_TYPE_BOOL || e->dictionary || pn_page_may_hide_lists(e->path);
    if (e->leaf->type == PN_TYPE_NULL || (e->entries->n_values == 0 && in_chunks))
        return encode_nothing(e, page);
    if (in_chunks)
        PN_TRY(try_chunks(e, page, &done));
    return done ? PN_OK : encode_zip(e, page);
}

pn_status pn_page_encode(const pn_stream *entries, const pn_leaf_path *path, size_t n_rows,
                         uint16_t minor, pn_encoded_page *page, pn_error *err)
{
    encoding e = {.entries = entries,
                  .path = path,
                  .leaf = path->nodes[path->n - 1],
                  .n_rows = n_rows,
                  .small_chunks = minor == 1,
                  .err = err};
    if (!e.leaf->is_dictionary)
        return encode(&e, page);
    pn_page_dictionary dictionary;
    pn_status status = pn_page_dictionary_make(entries, path, false, &dictionary, err);
    e.dictionary = &dictionary;
    e.entries = &dictionary.indices;
    e.leaf = &dictionary.index;
    if (status == PN_OK)
        status = encode(&e, page);
    pn_page_dictionary_reset(&dictionary);
    return status;
}

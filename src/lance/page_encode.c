/*
 * page_encode.c - the simplest pages that LanceDB likes
 *
 *     fixed width      (control word, value)*                    full-zip; buffer 1: row index, for lists only
 *     variable         (control word, length, bytes)*            full-zip; buffer 1: row index
 *     no levels        value*                                    full-zip; an array, at a multiple of 4,096
 *     booleans         chunks of 1,024, or one chunk in lists    mini-block; full-zip values are whole bytes
 *     nothing          the levels alone                          constant
 *
 * Only here, with all entries of a page at hand, is it known which nulls and empty lists occur in it. That decides the page's
 * layers and so the numbers of its definition levels: counting from the leaf outward, each kind that occurs takes the next
 * number, 0 is a value. Nothing is compressed: vectors do not compress, and a page can be read where it lies.
 */
#include "lance/page_encode.h"

#include "base/bits.h"
#include "base/endian.h"

#include <string.h>

enum { BUFFER_ALIGNMENT = 64, MAPPED_ALIGNMENT = 4096, CHUNK_VALUES = 1024, CHUNK_PADDING = 0xFE };

typedef struct encoding {
    const pn_stream *entries;
    const pn_leaf_path *path;
    const pn_field *leaf;
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

/* ---- levels ---- */

static unsigned bit_length(unsigned value)
{
    unsigned n = 0;
    for (; value > 0; value >>= 1)
        n++;
    return n;
}

static void number_levels(encoding *e)
{
    bool seen[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1] = {false};
    for (size_t i = 0; i < e->entries->n_entries; i++)
        seen[e->entries->stop.data[i]] = true;
    for (unsigned i = 0; i < e->path->n; i++) {
        unsigned node = e->path->n - 1 - i; // innermost first
        bool null = seen[PN_STOP_NULL(node)], empty = seen[PN_STOP_EMPTY(node)];
        if (pn_type_is_list(e->path->nodes[node]->type))
            e->layers[i] = null && empty ? 6 : empty ? 5 : null ? 4 : 2;
        else
            e->layers[i] = null ? 3 : 1;
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

static void describe_values(const encoding *e, description *d)
{
    const pn_field *field = e->leaf;
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

static pn_status append_item_validity(const encoding *e, size_t value, pn_buffer *out)
{
    size_t items = (size_t)e->leaf->size, at = out->n_bytes;
    PN_TRY(pn_buffer_append_fill(out, 0, e->validity_bytes, e->err));
    for (size_t i = 0; i < items; i++)
        if (e->entries->item_valid[0].data[value * items + i])
            pn_bit_set(out->data + at, i);
    return PN_OK;
}

static pn_status append_variable(const encoding *e, size_t value, pn_buffer *out)
{
    const int64_t *offsets = (const int64_t *)(const void *)e->entries->offsets.data;
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
        PN_TRY(append_item_validity(e, value, out));
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
    if (s->item_valid[0].n_bytes > 0)
        e->validity_bytes = pn_bytes_for_bits((size_t)e->leaf->size);
    if (e->bits_rep + e->bits_def == 0 && !variable && e->validity_bytes == 0) {
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
    describe_values(e, &values);
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

/* ---- mini-block, for booleans ---- */

static pn_status pad_chunk(const encoding *e, pn_buffer *out)
{
    return pn_buffer_append_fill(out, CHUNK_PADDING, (size_t)(-(uint64_t)out->n_bytes & 7), e->err);
}

static pn_status append_bits(const encoding *e, size_t first, size_t n, pn_buffer *out)
{
    size_t at = out->n_bytes;
    PN_TRY(pn_buffer_append_fill(out, 0, pn_bytes_for_bits(n), e->err));
    for (size_t i = 0; i < n; i++)
        if (e->entries->data.data[first + i])
            pn_bit_set(out->data + at, i);
    return pad_chunk(e, out);
}

/* Header, repetition, definition, bits, each padded to 8 bytes. */
static pn_status append_chunk(const encoding *e, size_t first_entry, size_t n_entries,
                              size_t first_value, size_t n_values, pn_encoded_page *page)
{
    pn_buffer *out = &page->buffers[1];
    uint8_t header[10], word[4];
    size_t n_header = 2, start = out->n_bytes;
    bool has_rep = e->path->n_lists > 0, has_def = e->max_def > 0;
    pn_store_le16(header, has_rep || has_def ? (uint16_t)n_entries : 0);
    for (int i = 0; i < has_rep + has_def; i++, n_header += 2)
        pn_store_le16(header + n_header, (uint16_t)(2 * n_entries));
    pn_store_le32(header + n_header, (uint32_t)pn_bytes_for_bits(n_values)); // in 16 bits, too
    PN_TRY(pn_buffer_append(out, header, n_header + (e->small_chunks ? 2 : 4), e->err));
    PN_TRY(pad_chunk(e, out));
    if (has_rep)
        PN_TRY(append_levels(e, true, first_entry, n_entries, out));
    PN_TRY(pad_chunk(e, out));
    if (has_def)
        PN_TRY(append_levels(e, false, first_entry, n_entries, out));
    PN_TRY(pad_chunk(e, out));
    PN_TRY(append_bits(e, first_value, n_values, out));
    bool last = first_entry + n_entries == e->entries->n_entries;
    uint32_t eighths = (uint32_t)((out->n_bytes - start) / 8 - 1);
    pn_store_le32(word, eighths << 4 | (last ? 0u : 10u)); // 2^10 values; 0: the rest
    if (e->small_chunks && eighths >= 1u << 12)
        return pn_fail(e->err, PN_ERR_LIMIT,
                       "column \"%s\": a row with that many booleans in lists is not written",
                       e->path->nodes[0]->name);
    return pn_buffer_append(&page->buffers[0], word, e->small_chunks ? 2 : 4, e->err);
}

static pn_status append_chunks(const encoding *e, pn_encoded_page *page)
{
    size_t n = e->entries->n_entries;
    page->n_buffers = 2;
    if (e->path->n_lists == 0) { // an entry, a value, a row are one thing
        for (size_t at = 0; at < n; at += CHUNK_VALUES) {
            size_t here = PN_MIN(n - at, (size_t)CHUNK_VALUES);
            PN_TRY(append_chunk(e, at, here, at, here, page));
        }
        return PN_OK;
    }
    if (n > PN_LANCE_MAX_CHUNK_LEVELS)
        return pn_fail(e->err, PN_ERR_LIMIT,
                       "column \"%s\": a row with over %d booleans in lists is not written",
                       e->path->nodes[0]->name, PN_LANCE_MAX_CHUNK_LEVELS / 2);
    uint8_t index[16] = {0}; // rows that end in the chunk, entries behind the last end
    pn_store_le64(index, e->n_rows);
    PN_TRY(pn_buffer_append(&page->buffers[2], index, sizeof index, e->err));
    page->n_buffers = 3;
    return append_chunk(e, 0, n, 0, e->entries->n_values, page);
}

static pn_status encode_booleans(encoding *e, pn_encoded_page *page)
{
    PN_TRY(append_chunks(e, page));
    description values, rep, def;
    Pn__Lance__MiniBlock block = PN__LANCE__MINI_BLOCK__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    describe_values(e, &values);
    describe_flat(&rep.how, &rep.flat, 16);
    describe_flat(&def.how, &def.flat, 16);
    block.values = &values.how;
    block.rep = e->path->n_lists > 0 ? &rep.how : NULL;
    block.def = e->max_def > 0 ? &def.how : NULL;
    block.n_layers = e->path->n;
    block.layers = e->layers;
    block.has_n_buffers = block.has_n_items = 1;
    block.n_buffers = 1;
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

pn_status pn_page_encode(const pn_stream *entries, const pn_leaf_path *path, size_t n_rows,
                         uint16_t minor, pn_encoded_page *page, pn_error *err)
{
    encoding e = {.entries = entries,
                  .path = path,
                  .leaf = path->nodes[path->n - 1],
                  .n_rows = n_rows,
                  .small_chunks = minor == 1,
                  .err = err};
    number_levels(&e);
    if (e.leaf->type == PN_TYPE_NULL || (e.leaf->type == PN_TYPE_BOOL && entries->n_values == 0))
        return encode_nothing(&e, page);
    return e.leaf->type == PN_TYPE_BOOL ? encode_booleans(&e, page) : encode_zip(&e, page);
}

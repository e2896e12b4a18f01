/*
 * lance_writer.c - the simplest writer that LanceDB likes
 *
 * For each leaf the entries of the rows so far are kept plain: repetition, stop, values. When one leaf has 8 MiB, or at the
 * end, every leaf's rows become a page: only then is it known which nulls and empty lists occur in it, which decides the
 * layers and so the numbers of the levels.
 *
 *     page, fixed width    (control word, value)*                      buffer 1: row index, for lists only
 *     page, variable       (control word, length u32, bytes)*          buffer 1: row index
 *     page, no levels      value*: an array, at a multiple of 4,096
 *     page of booleans     mini-block: chunks of 1,024
 *     page of nothing      constant
 */
#include "lance/lance_writer.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "lance/container.h"
#include "lance/lance_schema.h"
#include "lance/shred.h"
#include "os/fd.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE_BYTES = 8 << 20, BUFFER_ALIGNMENT = 64, MAPPED_ALIGNMENT = 4096, CHUNK_VALUES = 1024 };
static const size_t MAX_PAGE_BYTES = (size_t)2 << 30;

typedef struct leaf_writer {
    pn_leaf_path path;
    size_t field_i, leaf_i; /* top-level column, leaf within it */
    pn_stream stream;       /* entries since the last page; values as they will be stored */
    size_t n_rows;          /* since the last page */
    uint64_t pages_rows;    /* in pages so far */
    pn_buffer pages;        /* Page messages: serialized, each as field 2 of ColumnMetadata */
} leaf_writer;

struct pn_lance_writer {
    char *path;
    pn_fd fd;
    bool finished;
    const pn_schema *schema;
    leaf_writer *leaves;
    size_t n_leaves;
    uint64_t offset; /* bytes written */
    uint64_t n_rows;
};

/* ---- bytes ---- */

static pn_status write_bytes(pn_lance_writer *w, const void *bytes, size_t n, pn_error *err)
{
    PN_TRY(pn_fd_write(w->fd, w->path, bytes, n, err));
    w->offset += n;
    return PN_OK;
}

static pn_status align(pn_lance_writer *w, size_t alignment, pn_error *err)
{
    static const uint8_t padding[MAPPED_ALIGNMENT]; // its content does not matter
    return write_bytes(w, padding, (size_t)(-w->offset & (alignment - 1)), err);
}

static pn_status append_packed(pn_buffer *out, const void *message, size_t (*size)(const void *),
                               size_t (*pack)(const void *, uint8_t *), pn_error *err)
{
    size_t n = size(message);
    PN_TRY(pn_buffer_reserve(out, n, err));
    out->n_bytes += pack(message, out->data + out->n_bytes);
    return PN_OK;
}

static size_t layout_size(const void *message)
{
    return pn__lance__page_layout__get_packed_size(message);
}

static size_t layout_pack(const void *message, uint8_t *out)
{
    return pn__lance__page_layout__pack(message, out);
}

static size_t any_size(const void *message)
{
    return pn__lance__any__get_packed_size(message);
}

static size_t any_pack(const void *message, uint8_t *out)
{
    return pn__lance__any__pack(message, out);
}

/* ---- collecting entries ---- */

static bool is_nullish_leaf(const pn_field *field)
{
    return field->type == PN_TYPE_NULL;
}

static pn_status append_value(leaf_writer *leaf, const pn_field *field, const pn_array *array,
                              size_t i, pn_error *err)
{
    pn_stream *s = &leaf->stream;
    if (pn_type_is_variable(field->type)) {
        pn_str bytes = array ? pn_array_bytes(array, i) : (pn_str){NULL, 0};
        PN_TRY(pn_buffer_append(&s->data, bytes.ptr, bytes.len, err));
        int64_t end = (int64_t)s->data.n_bytes;
        PN_TRY(pn_buffer_append(&s->offsets, &end, sizeof end, err));
    } else if (field->type == PN_TYPE_BOOL) {
        uint8_t byte = array ? pn_bit_get(array->values, i) : 0;
        PN_TRY(pn_buffer_append(&s->data, &byte, 1, err));
    } else if (!is_nullish_leaf(field)) {
        size_t width = pn_type_width(field);
        const pn_array *from = array;
        if (array && field->type == PN_TYPE_FIXED_SIZE_LIST) {
            from = &array->children[0];
            for (size_t k = 0; from->validity && k < (size_t)field->size; k++)
                if (!pn_bit_get(from->validity, i * (size_t)field->size + k))
                    return pn_fail(err, PN_ERR_UNSUPPORTED,
                                   "column \"%s\": a null inside a fixed-size list", field->name);
        }
        if (from)
            PN_TRY(
                pn_buffer_append(&s->data, (const uint8_t *)from->values + i * width, width, err));
        else
            PN_TRY(pn_buffer_append_fill(&s->data, 0, width, err));
    }
    s->n_values++;
    return PN_OK;
}

static pn_status take_entry(void *context, pn_entry entry, const pn_array *array, pn_error *err)
{
    leaf_writer *leaf = context;
    pn_stream *s = &leaf->stream;
    const pn_field *field = leaf->path.nodes[leaf->path.n - 1];
    if (leaf->path.n_lists > 0)
        PN_TRY(pn_buffer_append(&s->rep, &entry.rep, 1, err));
    PN_TRY(pn_buffer_append(&s->stop, &entry.stop, 1, err));
    s->all_valid = s->all_valid && entry.stop == 0;
    s->n_entries++;
    if (!pn_stop_is_visible(&leaf->path, entry.stop))
        return PN_OK;
    return append_value(leaf, field, array, entry.value, err);
}

/* A whole array of plain fixed-width values without nulls goes in one copy. */
static bool is_plain(const leaf_writer *leaf, const pn_array *array)
{
    const pn_field *field = array->field;
    bool vector = field->type == PN_TYPE_FIXED_SIZE_LIST;
    return leaf->path.n == 1 && !array->validity && pn_type_width(field) > 0 &&
           (!vector || (!array->children[0].validity && array->children[0].n_children == 0));
}

static pn_status take_array(leaf_writer *leaf, const pn_array *array, pn_error *err)
{
    pn_stream *s = &leaf->stream;
    leaf->n_rows += array->length;
    if (!is_plain(leaf, array))
        return pn_shred(array, &leaf->path, take_entry, leaf, err);
    const void *values =
        array->field->type == PN_TYPE_FIXED_SIZE_LIST ? array->children[0].values : array->values;
    PN_TRY(pn_buffer_append(&s->data, values, array->length * pn_type_width(array->field), err));
    PN_TRY(pn_buffer_append_fill(&s->stop, 0, array->length, err));
    s->n_entries += array->length;
    s->n_values += array->length;
    return PN_OK;
}

/* ---- levels ---- */

typedef struct page_numbers {
    int32_t layers[PN_SCHEMA_MAX_DEPTH_NODES];
    uint8_t level_of[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1]; /* stop -> definition level */
    unsigned max_def;
} page_numbers;

static void number_levels(const leaf_writer *leaf, page_numbers *out)
{
    bool seen[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1] = {false};
    *out = (page_numbers){0};
    for (size_t i = 0; i < leaf->stream.n_entries; i++)
        seen[leaf->stream.stop.data[i]] = true;
    for (unsigned i = 0; i < leaf->path.n; i++) {
        unsigned node = leaf->path.n - 1 - i;
        bool null = seen[PN_STOP_NULL(node)], empty = seen[PN_STOP_EMPTY(node)];
        if (pn_type_is_list(leaf->path.nodes[node]->type))
            out->layers[i] = null && empty ? 6 : empty ? 5 : null ? 4 : 2;
        else
            out->layers[i] = null ? 3 : 1;
        if (null)
            out->level_of[PN_STOP_NULL(node)] = (uint8_t)++out->max_def;
        if (empty)
            out->level_of[PN_STOP_EMPTY(node)] = (uint8_t)++out->max_def;
    }
}

static unsigned bit_length(unsigned value)
{
    unsigned n = 0;
    for (; value > 0; value >>= 1)
        n++;
    return n;
}

/* ---- pages ---- */

typedef struct page_buffers {
    pn_buffer bytes[2];
    size_t n;
    size_t alignment; /* of the first */
} page_buffers;

/* One Page message for what was written at these places. */
static pn_status add_page(pn_lance_writer *w, leaf_writer *leaf, Pn__Lance__PageLayout *layout,
                          const page_buffers *buffers, pn_error *err)
{
    uint64_t offsets[2], sizes[2];
    for (size_t i = 0; i < buffers->n; i++) {
        PN_TRY(align(w, i == 0 ? buffers->alignment : BUFFER_ALIGNMENT, err));
        offsets[i] = w->offset;
        sizes[i] = buffers->bytes[i].n_bytes;
        PN_TRY(write_bytes(w, buffers->bytes[i].data, buffers->bytes[i].n_bytes, err));
    }
    pn_buffer packed_layout, packed_any;
    pn_buffer_init(&packed_layout, 1u << 20);
    pn_buffer_init(&packed_any, 1u << 20);
    pn_status status = append_packed(&packed_layout, layout, layout_size, layout_pack, err);
    char url[] = PN_LANCE_PAGE_LAYOUT_URL;
    Pn__Lance__Any any = PN__LANCE__ANY__INIT;
    any.type_url = url;
    any.has_value = 1;
    any.value = (ProtobufCBinaryData){packed_layout.n_bytes, packed_layout.data};
    if (status == PN_OK)
        status = append_packed(&packed_any, &any, any_size, any_pack, err);
    Pn__Lance__DirectEncoding direct = PN__LANCE__DIRECT_ENCODING__INIT;
    Pn__Lance__Encoding encoding = PN__LANCE__ENCODING__INIT;
    Pn__Lance__Page page = PN__LANCE__PAGE__INIT;
    direct.has_encoding = 1;
    direct.encoding = (ProtobufCBinaryData){packed_any.n_bytes, packed_any.data};
    encoding.direct = &direct;
    page.n_buffer_offsets = page.n_buffer_sizes = buffers->n;
    page.buffer_offsets = offsets;
    page.buffer_sizes = sizes;
    page.has_length = page.has_priority = 1;
    page.length = leaf->n_rows;
    page.priority = leaf->pages_rows;
    page.encoding = &encoding;
    uint8_t head[16];
    size_t n = pn__lance__page__get_packed_size(&page), n_head = 0;
    head[n_head++] = 0x12; // field 2 of ColumnMetadata, length-delimited
    for (size_t rest = n; n_head == 1 || rest > 0; rest >>= 7)
        head[n_head++] = (uint8_t)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
    if (status == PN_OK)
        status = pn_buffer_append(&leaf->pages, head, n_head, err);
    if (status == PN_OK)
        status = pn_buffer_reserve(&leaf->pages, n, err);
    if (status == PN_OK)
        leaf->pages.n_bytes += pn__lance__page__pack(&page, leaf->pages.data + leaf->pages.n_bytes);
    pn_buffer_reset(&packed_layout);
    pn_buffer_reset(&packed_any);
    return status;
}

/* How values are described: flat, variable, or a list of flats. */
typedef struct value_encoding {
    Pn__Lance__Compression how, inner;
    Pn__Lance__Flat flat;
    Pn__Lance__Variable variable;
    Pn__Lance__FixedList list;
} value_encoding;

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

static void describe_values(const pn_field *field, value_encoding *e)
{
    pn__lance__compression__init(&e->how);
    if (pn_type_is_variable(field->type)) {
        describe_flat(&e->inner, &e->flat, length_bits(field));
        pn__lance__variable__init(&e->variable);
        e->variable.offsets = &e->inner;
        e->how.kind_case = PN__LANCE__COMPRESSION__KIND_VARIABLE;
        e->how.variable = &e->variable;
    } else if (field->type == PN_TYPE_FIXED_SIZE_LIST) {
        describe_flat(&e->inner, &e->flat, pn_type_width(&field->children[0]) * 8);
        pn__lance__fixed_list__init(&e->list);
        e->list.has_items = 1;
        e->list.items = (uint64_t)field->size;
        e->list.values = &e->inner;
        e->how.kind_case = PN__LANCE__COMPRESSION__KIND_FIXED_LIST;
        e->how.fixed_list = &e->list;
    } else {
        describe_flat(&e->how, &e->flat,
                      field->type == PN_TYPE_BOOL ? 1 : pn_type_width(field) * 8);
    }
}

static pn_status append_control(pn_buffer *out, const leaf_writer *leaf,
                                const page_numbers *numbers, size_t i, unsigned bits_def,
                                unsigned bits_all, pn_error *err)
{
    uint8_t bytes[4];
    uint32_t rep = leaf->path.n_lists > 0 ? leaf->stream.rep.data[i] : 0;
    pn_store_le32(bytes, rep << bits_def | numbers->level_of[leaf->stream.stop.data[i]]);
    return pn_buffer_append(out, bytes,
                            bits_all == 0    ? 0
                            : bits_all <= 8  ? 1
                            : bits_all <= 16 ? 2
                                             : 4,
                            err);
}

/* The value of entry i, if it has a slot; *value_i counts them. */
static pn_status append_slot(pn_buffer *out, const leaf_writer *leaf, size_t i, size_t *value_i,
                             pn_error *err)
{
    const pn_stream *s = &leaf->stream;
    const pn_field *field = leaf->path.nodes[leaf->path.n - 1];
    uint8_t length[8];
    if (!pn_stop_is_visible(&leaf->path, s->stop.data[i]))
        return PN_OK;
    size_t v = (*value_i)++;
    if (!pn_type_is_variable(field->type)) {
        size_t width = pn_type_width(field);
        return pn_buffer_append(out, s->data.data + v * width, width, err);
    }
    if (s->stop.data[i] != 0)
        return PN_OK; // a null string has nothing behind its control word
    const int64_t *ends = (const int64_t *)(const void *)s->offsets.data;
    int64_t start = v > 0 ? ends[v - 1] : 0;
    pn_store_le64(length, (uint64_t)(ends[v] - start));
    PN_TRY(pn_buffer_append(out, length, length_bits(field) / 8, err));
    return pn_buffer_append(out, s->data.data + start, (size_t)(ends[v] - start), err);
}

/* Row starts as the smallest of 1, 2, 4, 8 bytes that holds the last. */
static pn_status append_index(pn_buffer *out, const uint64_t *starts, size_t n, pn_error *err)
{
    uint64_t last = starts[n - 1];
    size_t width = last <= UINT8_MAX ? 1 : last <= UINT16_MAX ? 2 : last <= UINT32_MAX ? 4 : 8;
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[8];
        pn_store_le64(bytes, starts[i]);
        PN_TRY(pn_buffer_append(out, bytes, width, err));
    }
    return PN_OK;
}

static pn_status fill_zip(const leaf_writer *leaf, const page_numbers *numbers, unsigned bits_def,
                          unsigned bits_all, page_buffers *out, pn_error *err)
{
    const pn_stream *s = &leaf->stream;
    uint64_t *starts = pn_alloc_array(leaf->n_rows + 1, sizeof *starts);
    size_t row = 0, value_i = 0;
    if (!starts)
        return pn_fail_nomem(err);
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < s->n_entries; i++) {
        if (leaf->path.n_lists == 0 || s->rep.data[i] == leaf->path.n_lists)
            starts[row++] = out->bytes[0].n_bytes;
        status = append_control(&out->bytes[0], leaf, numbers, i, bits_def, bits_all, err);
        if (status == PN_OK)
            status = append_slot(&out->bytes[0], leaf, i, &value_i, err);
    }
    pn_assert(status != PN_OK || row == leaf->n_rows);
    starts[leaf->n_rows] = out->bytes[0].n_bytes;
    bool variable = pn_type_is_variable(leaf->path.nodes[leaf->path.n - 1]->type);
    if (status == PN_OK && (variable || leaf->path.n_lists > 0)) {
        out->n = 2;
        status = append_index(&out->bytes[1], starts, leaf->n_rows + 1, err);
    }
    pn_free(starts);
    return status;
}

static pn_status write_zip_page(pn_lance_writer *w, leaf_writer *leaf, const page_numbers *numbers,
                                page_buffers *buffers, pn_error *err)
{
    const pn_field *field = leaf->path.nodes[leaf->path.n - 1];
    bool variable = pn_type_is_variable(field->type);
    unsigned bits_rep = bit_length(leaf->path.n_lists), bits_def = bit_length(numbers->max_def);
    buffers->n = 1;
    buffers->alignment =
        field->type == PN_TYPE_FIXED_SIZE_LIST ? MAPPED_ALIGNMENT : BUFFER_ALIGNMENT;
    if (bits_rep + bits_def == 0 && !variable)
        PN_TRY(pn_buffer_append(&buffers->bytes[0], leaf->stream.data.data,
                                leaf->stream.data.n_bytes, err));
    else
        PN_TRY(fill_zip(leaf, numbers, bits_def, bits_rep + bits_def, buffers, err));
    value_encoding values;
    int32_t layers[PN_SCHEMA_MAX_DEPTH_NODES];
    memcpy(layers, numbers->layers, sizeof layers);
    Pn__Lance__FullZip zip = PN__LANCE__FULL_ZIP__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    describe_values(field, &values);
    zip.has_bits_rep = bits_rep > 0;
    zip.bits_rep = bits_rep;
    zip.has_bits_def = bits_def > 0;
    zip.bits_def = bits_def;
    zip.has_bits_per_offset = variable;
    zip.bits_per_offset = length_bits(field);
    zip.has_bits_per_value = !variable;
    zip.bits_per_value = (uint32_t)(pn_type_width(field) * 8);
    zip.has_n_items = zip.has_n_visible_items = 1;
    zip.n_items = leaf->stream.n_entries;
    zip.n_visible_items = leaf->stream.n_values;
    zip.values = &values.how;
    zip.n_layers = leaf->path.n;
    zip.layers = layers;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_FULL_ZIP;
    layout.full_zip = &zip;
    return add_page(w, leaf, &layout, buffers, err);
}

static pn_status append_padding(pn_buffer *out, pn_error *err)
{
    return pn_buffer_append_fill(out, 0xFE, (size_t)(-(uint64_t)out->n_bytes & 7), err);
}

/* One chunk of booleans: header, levels, bits, each padded to 8. */
static pn_status append_bool_chunk(const leaf_writer *leaf, const page_numbers *numbers,
                                   size_t first, size_t n, pn_buffer *out, pn_error *err)
{
    uint8_t header[8];
    size_t n_header = 0;
    bool levels = numbers->max_def > 0;
    pn_store_le16(header, levels ? (uint16_t)n : 0);
    n_header += 2;
    if (levels) {
        pn_store_le16(header + n_header, (uint16_t)(2 * n));
        n_header += 2;
    }
    pn_store_le32(header + n_header, (uint32_t)pn_bytes_for_bits(n));
    PN_TRY(pn_buffer_append(out, header, n_header + 4, err));
    PN_TRY(append_padding(out, err));
    for (size_t i = 0; levels && i < n; i++) {
        uint8_t level[2];
        pn_store_le16(level, numbers->level_of[leaf->stream.stop.data[first + i]]);
        PN_TRY(pn_buffer_append(out, level, 2, err));
    }
    PN_TRY(append_padding(out, err));
    size_t at = out->n_bytes;
    PN_TRY(pn_buffer_append_fill(out, 0, pn_bytes_for_bits(n), err));
    for (size_t i = 0; i < n; i++)
        if (leaf->stream.data.data[first + i])
            pn_bit_set(out->data + at, i);
    return append_padding(out, err);
}

static pn_status write_bool_page(pn_lance_writer *w, leaf_writer *leaf, const page_numbers *numbers,
                                 page_buffers *buffers, pn_error *err)
{
    size_t n = leaf->stream.n_entries;
    buffers->n = 2;
    buffers->alignment = BUFFER_ALIGNMENT;
    for (size_t first = 0; first < n; first += CHUNK_VALUES) {
        size_t here = PN_MIN(n - first, (size_t)CHUNK_VALUES), start = buffers->bytes[1].n_bytes;
        uint8_t word[4];
        PN_TRY(append_bool_chunk(leaf, numbers, first, here, &buffers->bytes[1], err));
        uint32_t eighths = (uint32_t)((buffers->bytes[1].n_bytes - start) / 8 - 1);
        pn_store_le32(word,
                      eighths << 4 | (first + here < n ? 10u : 0u)); // 2^10 values; 0: the rest
        PN_TRY(pn_buffer_append(&buffers->bytes[0], word, sizeof word, err));
    }
    value_encoding values, level;
    int32_t layers[1] = {numbers->layers[0]};
    Pn__Lance__MiniBlock block = PN__LANCE__MINI_BLOCK__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    describe_values(leaf->path.nodes[0], &values);
    describe_flat(&level.how, &level.flat, 16);
    block.values = &values.how;
    block.def = numbers->max_def > 0 ? &level.how : NULL;
    block.n_layers = 1;
    block.layers = layers;
    block.has_n_buffers = block.has_n_items = block.has_has_large_chunk = 1;
    block.n_buffers = 1;
    block.n_items = n;
    block.has_large_chunk = 1;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_MINI_BLOCK;
    layout.mini_block = &block;
    return add_page(w, leaf, &layout, buffers, err);
}

static pn_status write_null_page(pn_lance_writer *w, leaf_writer *leaf, const page_buffers *buffers,
                                 pn_error *err)
{
    int32_t layers[1] = {3};
    Pn__Lance__Constant constant = PN__LANCE__CONSTANT__INIT;
    Pn__Lance__PageLayout layout = PN__LANCE__PAGE_LAYOUT__INIT;
    constant.n_layers = 1;
    constant.layers = layers;
    layout.layout_case = PN__LANCE__PAGE_LAYOUT__LAYOUT_CONSTANT;
    layout.constant = &constant;
    return add_page(w, leaf, &layout, buffers, err);
}

static pn_status write_page(pn_lance_writer *w, leaf_writer *leaf, pn_error *err)
{
    const pn_field *field = leaf->path.nodes[leaf->path.n - 1];
    page_numbers numbers;
    page_buffers buffers = {.n = 0, .alignment = BUFFER_ALIGNMENT};
    if (leaf->n_rows == 0)
        return PN_OK;
    pn_buffer_init(&buffers.bytes[0], MAX_PAGE_BYTES);
    pn_buffer_init(&buffers.bytes[1], MAX_PAGE_BYTES);
    number_levels(leaf, &numbers);
    pn_status status = field->type == PN_TYPE_NULL ? write_null_page(w, leaf, &buffers, err)
                       : field->type == PN_TYPE_BOOL
                           ? write_bool_page(w, leaf, &numbers, &buffers, err)
                           : write_zip_page(w, leaf, &numbers, &buffers, err);
    pn_buffer_reset(&buffers.bytes[0]);
    pn_buffer_reset(&buffers.bytes[1]);
    leaf->pages_rows += leaf->n_rows;
    leaf->n_rows = 0;
    size_t items = leaf->stream.items_per_value;
    pn_stream_reset(&leaf->stream);
    pn_stream_init(&leaf->stream, MAX_PAGE_BYTES);
    leaf->stream.items_per_value = items;
    return status;
}

/* ---- the writer ---- */

static pn_status check_leaf(const leaf_writer *leaf, pn_error *err)
{
    const pn_field *field = leaf->path.nodes[leaf->path.n - 1];
    bool deep = leaf->path.n > 1 && (field->type == PN_TYPE_BOOL || field->type == PN_TYPE_NULL);
    bool odd_list =
        field->type == PN_TYPE_FIXED_SIZE_LIST && pn_type_width(&field->children[0]) == 0;
    if (deep || odd_list)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "column \"%s\": writing this type is not supported",
                       leaf->path.nodes[0]->name);
    return PN_OK;
}

static pn_status make_leaves(pn_lance_writer *w, pn_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < w->schema->n_fields; i++)
        n += pn_lance_count_leaves(&w->schema->fields[i]);
    w->leaves = pn_alloc_zero((n + 1) * sizeof *w->leaves);
    if (!w->leaves)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < w->schema->n_fields; i++) {
        for (size_t k = 0; k < pn_lance_count_leaves(&w->schema->fields[i]); k++) {
            leaf_writer *leaf = &w->leaves[w->n_leaves++];
            leaf->field_i = i;
            leaf->leaf_i = k;
            pn_leaf_path_make(&w->schema->fields[i], k, &leaf->path);
            pn_stream_init(&leaf->stream, MAX_PAGE_BYTES);
            pn_buffer_init(&leaf->pages, 256u << 20);
            PN_TRY(check_leaf(leaf, err));
        }
    }
    return PN_OK;
}

pn_status pn_lance_writer_create(const char *path, const pn_schema *schema, pn_lance_writer **out,
                                 pn_error *err)
{
    pn_status status = PN_OK;
    pn_lance_writer *w = pn_alloc_zero(sizeof *w);
    if (!w)
        return pn_fail_nomem(err);
    w->fd = PN_FD_NONE;
    w->schema = schema;
    PN_GOTO(done, make_leaves(w, err));
    w->path = pn_strdup(path);
    if (!w->path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_fd_open(path, PN_OPEN_CREATE_NEW, &w->fd, err));
    *out = w;
    w = NULL;
done:
    pn_lance_writer_close(w);
    return status;
}

pn_status pn_lance_writer_append(pn_lance_writer *w, const pn_batch *batch, pn_error *err)
{
    bool full = false;
    for (size_t i = 0; i < w->n_leaves; i++) {
        leaf_writer *leaf = &w->leaves[i];
        const pn_array *array = &batch->columns[leaf->field_i];
        /* The walk compares addresses of fields, and the batch may be under a copy of our schema. */
        pn_leaf_path_make(array->field, leaf->leaf_i, &leaf->path);
        PN_TRY(take_array(leaf, array, err));
        full = full || leaf->stream.data.n_bytes >= PAGE_BYTES;
    }
    w->n_rows += batch->n_rows;
    for (size_t i = 0; full && i < w->n_leaves; i++)
        PN_TRY(write_page(w, &w->leaves[i], err));
    return PN_OK;
}

/* {2 encoding: the one constant there is, behind its key} then the pages. */
static pn_status write_metadata(pn_lance_writer *w, pn_buffer *table, pn_error *err)
{
    static const char encoding[] =
        "\x0a\x29\x12\x27\x0a\x25\x0a\x1f/lance.encodings.ColumnEncoding\x12\x02\x0a\x00";
    for (size_t i = 0; i < w->n_leaves; i++) {
        uint8_t entry[16];
        pn_store_le64(entry, w->offset);
        PN_TRY(write_bytes(w, encoding, sizeof encoding - 1, err));
        PN_TRY(write_bytes(w, w->leaves[i].pages.data, w->leaves[i].pages.n_bytes, err));
        pn_store_le64(entry + 8, w->offset - pn_load_le64(entry));
        PN_TRY(pn_buffer_append(table, entry, sizeof entry, err));
    }
    return PN_OK;
}

static pn_status write_descriptor(pn_lance_writer *w, uint64_t *position, uint64_t *length,
                                  pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    Pn__Lance__Schema schema = PN__LANCE__SCHEMA__INIT;
    Pn__Lance__FileDescriptor descriptor = PN__LANCE__FILE_DESCRIPTOR__INIT;
    pn_status status =
        pn_lance_schema_encode(w->schema, &arena, &schema.fields, &schema.n_fields, err);
    descriptor.schema = &schema;
    descriptor.has_length = 1;
    descriptor.length = w->n_rows;
    if (status == PN_OK)
        status = align(w, BUFFER_ALIGNMENT, err);
    *position = w->offset;
    size_t n = status == PN_OK ? pn__lance__file_descriptor__get_packed_size(&descriptor) : 0;
    uint8_t *bytes = pn_arena_alloc(&arena, n + 1);
    if (status == PN_OK && !bytes)
        status = pn_fail_nomem(err);
    if (status == PN_OK) {
        *length = pn__lance__file_descriptor__pack(&descriptor, bytes);
        status = write_bytes(w, bytes, n, err);
    }
    pn_arena_reset(&arena);
    return status;
}

static pn_status write_tail(pn_lance_writer *w, pn_buffer *table, pn_error *err)
{
    uint64_t descriptor_off, descriptor_bytes;
    uint8_t global[16], footer[PN_LANCE_FOOTER_BYTES] = {0};
    PN_TRY(write_descriptor(w, &descriptor_off, &descriptor_bytes, err));
    PN_TRY(align(w, BUFFER_ALIGNMENT, err));
    pn_store_le64(footer, w->offset);
    PN_TRY(write_metadata(w, table, err));
    pn_store_le64(footer + 8, w->offset);
    PN_TRY(write_bytes(w, table->data, table->n_bytes, err));
    pn_store_le64(footer + 16, w->offset);
    pn_store_le64(global, descriptor_off);
    pn_store_le64(global + 8, descriptor_bytes);
    PN_TRY(write_bytes(w, global, sizeof global, err));
    pn_store_le32(footer + 24, 1);
    pn_store_le32(footer + 28, (uint32_t)w->n_leaves);
    pn_store_le16(footer + 32, 2);
    pn_store_le16(footer + 34, 2);
    memcpy(footer + 36, PN_LANCE_MAGIC, 4);
    PN_TRY(write_bytes(w, footer, sizeof footer, err));
    return pn_fd_sync(w->fd, w->path, err);
}

pn_status pn_lance_writer_finish(pn_lance_writer *w, uint64_t *n_rows, uint64_t *size_bytes,
                                 pn_error *err)
{
    for (size_t i = 0; i < w->n_leaves; i++)
        PN_TRY(write_page(w, &w->leaves[i], err));
    pn_buffer table;
    pn_buffer_init(&table, 1u << 20);
    pn_status status = write_tail(w, &table, err);
    pn_buffer_reset(&table);
    PN_TRY(status);
    w->finished = true;
    *n_rows = w->n_rows;
    *size_bytes = w->offset;
    return PN_OK;
}

void pn_lance_writer_close(pn_lance_writer *w)
{
    if (!w)
        return;
    pn_fd_close(w->fd);
    if (!w->finished && w->fd != PN_FD_NONE && pn_path_remove(w->path, NULL) != PN_OK)
        w->finished = true; // it stays: nobody refers to it, and clean-up finds it
    for (size_t i = 0; w->leaves && i < w->n_leaves; i++) {
        pn_stream_reset(&w->leaves[i].stream);
        pn_buffer_reset(&w->leaves[i].pages);
    }
    pn_free(w->leaves);
    pn_free(w->path);
    pn_free(w);
}

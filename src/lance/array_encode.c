/*
 * array_encode.c - the encodings of version 2.0 that LanceDB's own writer makes, and no other
 *
 *     fixed width    nullable(flat)                        some nulls: a bit a value in front; all: nothing but the word
 *     booleans       the same, of a bit a value
 *     fixed lists    nullable(fixed_list(nullable(flat)))  without nulls the array as it lies, at a multiple of 4,096
 *     strings        binary(ends, bytes)                   ends are 64 bits; a null adds null_adjustment, larger than any, to its own
 *     dictionaries   dictionary(indices, items)            a null is an item
 *     lists          list(ends)                            as strings; the items are rows of the columns below
 *     structs        struct                                nothing
 *
 * Buffers are numbered in the order in which they are met. Nothing is compressed or packed: LanceDB compresses strings of this
 * version where a column asks for it, and packs nothing.
 */
#include "lance/array_encode.h"

#include "base/bits.h"
#include "base/endian.h"
#include "lance/page_dictionary.h"

enum { MAPPED_ALIGNMENT = 4096, MAX_PARTS = 8 };

typedef Pn__Lance__ArrayEncoding message;

/* Room for one encoding of the tree, whichever it is. */
typedef struct part {
    message how;
    union {
        Pn__Lance__ArrayFlat flat;
        Pn__Lance__ArrayNullable nullable;
        Pn__Lance__ArrayFixedList fixed_list;
        Pn__Lance__ArrayList list;
        Pn__Lance__ArrayBinary binary;
        Pn__Lance__ArrayDictionary dictionary;
        Pn__Lance__Opaque nothing;
    };
    union {
        Pn__Lance__ArrayBuffer buffer;
        Pn__Lance__ArrayNoNulls no_nulls;
        Pn__Lance__ArraySomeNulls some_nulls;
        Pn__Lance__Opaque all_nulls;
    };
} part;

typedef struct encoding {
    pn_encoded_page *page;
    part parts[MAX_PARTS]; /* a dictionary of strings has most, seven */
    size_t n_parts;
    pn_error *err;
} encoding;

static part *add_part(encoding *e, int kind)
{
    pn_assert(e->n_parts < MAX_PARTS);
    part *p = &e->parts[e->n_parts++];
    pn__lance__array_encoding__init(&p->how);
    p->how.kind_case = kind;
    return p;
}

/* ---- buffers ---- */

static pn_buffer *add_buffer(encoding *e)
{
    pn_assert(e->page->n_buffers < PN_COUNT_OF(e->page->buffers));
    return &e->page->buffers[e->page->n_buffers++];
}

/* A byte each -> a bit each. What is not zero is 1, or 0 where the bytes say what is null. */
static pn_status append_bits(encoding *e, const uint8_t *bytes, size_t n, bool inverted)
{
    pn_buffer *out = add_buffer(e);
    PN_TRY(pn_buffer_append_fill(out, 0, pn_bytes_for_bits(n), e->err));
    for (size_t i = 0; i < n; i++)
        if ((bytes[i] != 0) != inverted)
            pn_bit_set(out->data, i);
    return PN_OK;
}

static pn_status append_bytes(encoding *e, const pn_buffer *bytes)
{
    pn_buffer *out = add_buffer(e);
    return bytes->n_bytes > 0 ? pn_buffer_append(out, bytes->data, bytes->n_bytes, e->err) : PN_OK;
}

/* Numbers of 64 bits, without the leading 0 of offsets; stops may be NULL: no nulls. */
static pn_status append_ends(encoding *e, const int64_t *ends, const uint8_t *stops, size_t n,
                             uint64_t null_adjustment)
{
    pn_buffer *out = add_buffer(e);
    PN_TRY(pn_buffer_append_fill(out, 0, n * sizeof(uint64_t), e->err));
    for (size_t i = 0; i < n; i++)
        pn_store_le64(out->data + i * sizeof(uint64_t),
                      (uint64_t)ends[i] + (stops && stops[i] != 0 ? null_adjustment : 0));
    return PN_OK;
}

/* ---- encodings: each function describes the buffer that was added last ---- */

static message *flat(encoding *e, uint64_t bits)
{
    part *p = add_part(e, PN__LANCE__ARRAY_ENCODING__KIND_FLAT);
    pn__lance__array_flat__init(&p->flat);
    pn__lance__array_buffer__init(&p->buffer);
    p->buffer.has_index = 1;
    p->buffer.index = (uint32_t)(e->page->n_buffers - 1);
    p->flat.has_bits = 1;
    p->flat.bits = bits;
    p->flat.buffer = &p->buffer;
    p->how.flat = &p->flat;
    return &p->how;
}

/* validity NULL: no nulls. */
static message *nullable(encoding *e, message *validity, message *values)
{
    part *p = add_part(e, PN__LANCE__ARRAY_ENCODING__KIND_NULLABLE);
    pn__lance__array_nullable__init(&p->nullable);
    p->how.nullable = &p->nullable;
    if (validity) {
        pn__lance__array_some_nulls__init(&p->some_nulls);
        p->some_nulls.validity = validity;
        p->some_nulls.values = values;
        p->nullable.kind_case = PN__LANCE__ARRAY_NULLABLE__KIND_SOME_NULLS;
        p->nullable.some_nulls = &p->some_nulls;
    } else {
        pn__lance__array_no_nulls__init(&p->no_nulls);
        p->no_nulls.values = values;
        p->nullable.kind_case = PN__LANCE__ARRAY_NULLABLE__KIND_NO_NULLS;
        p->nullable.no_nulls = &p->no_nulls;
    }
    return &p->how;
}

static message *all_nulls(encoding *e)
{
    part *p = add_part(e, PN__LANCE__ARRAY_ENCODING__KIND_NULLABLE);
    pn__lance__array_nullable__init(&p->nullable);
    pn__lance__opaque__init(&p->all_nulls);
    p->nullable.kind_case = PN__LANCE__ARRAY_NULLABLE__KIND_ALL_NULLS;
    p->nullable.all_nulls = &p->all_nulls;
    p->how.nullable = &p->nullable;
    return &p->how;
}

static message *fixed_list(encoding *e, int32_t size, message *items)
{
    part *p = add_part(e, PN__LANCE__ARRAY_ENCODING__KIND_FIXED_LIST);
    pn__lance__array_fixed_list__init(&p->fixed_list);
    p->fixed_list.has_dimension = 1;
    p->fixed_list.dimension = (uint32_t)size;
    p->fixed_list.items = items;
    p->how.fixed_list = &p->fixed_list;
    return &p->how;
}

static message *binary(encoding *e, message *indices, message *bytes, uint64_t null_adjustment)
{
    part *p = add_part(e, PN__LANCE__ARRAY_ENCODING__KIND_BINARY);
    pn__lance__array_binary__init(&p->binary);
    p->binary.indices = indices;
    p->binary.bytes = bytes;
    p->binary.has_null_adjustment = 1;
    p->binary.null_adjustment = null_adjustment;
    p->how.binary = &p->binary;
    return &p->how;
}

/* ---- pages ---- */

static size_t count_nulls(const pn_stream *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n_entries; i++)
        n += rows->stop.data[i] != 0;
    return n;
}

/* The values themselves, of fixed width. */
static pn_status encode_values(encoding *e, const pn_stream *rows, const pn_field *field,
                               message **out)
{
    message *validity = NULL;
    if (field->type == PN_TYPE_BOOL) {
        PN_TRY(append_bits(e, rows->data.data, rows->n_values, false));
        *out = flat(e, 1);
        return PN_OK;
    }
    bool is_list = field->type == PN_TYPE_FIXED_SIZE_LIST;
    if (is_list && rows->item_valid[0].n_bytes > 0) {
        PN_TRY(
            append_bits(e, rows->item_valid[0].data, rows->n_values * (size_t)field->size, false));
        validity = flat(e, 1);
    }
    if (e->page->n_buffers == 0) { // before there is validity: the stream outlives the page
        e->page->as_it_lies = &rows->data;
        e->page->alignment = is_list ? MAPPED_ALIGNMENT : e->page->alignment;
        (void)add_buffer(e); // stays empty
    } else {
        PN_TRY(append_bytes(e, &rows->data));
    }
    *out = flat(e, pn_type_width(is_list ? &field->children[0] : field) * 8);
    if (is_list)
        *out = fixed_list(e, field->size, nullable(e, validity, *out));
    return PN_OK;
}

static pn_status encode_fixed(encoding *e, const pn_stream *rows, const pn_field *field,
                              message **out)
{
    size_t n_nulls = count_nulls(rows);
    message *validity = NULL, *values;
    if (field->type == PN_TYPE_NULL || n_nulls == rows->n_entries) {
        *out = all_nulls(e);
        return PN_OK;
    }
    if (n_nulls > 0) {
        PN_TRY(append_bits(e, rows->stop.data, rows->n_entries, true));
        validity = flat(e, 1);
    }
    PN_TRY(encode_values(e, rows, field, &values));
    *out = nullable(e, validity, values);
    return PN_OK;
}

static pn_status encode_binary(encoding *e, const int64_t *ends, const uint8_t *stops, size_t n,
                               const pn_buffer *bytes, message **out)
{
    uint64_t null_adjustment = (uint64_t)bytes->n_bytes + 1;
    PN_TRY(append_ends(e, ends, stops, n, null_adjustment));
    message *indices = nullable(e, NULL, flat(e, 64));
    PN_TRY(append_bytes(e, bytes));
    *out = binary(e, indices, flat(e, 8), null_adjustment);
    return PN_OK;
}

static const int64_t *numbers_of(const pn_buffer *buffer)
{
    return (const int64_t *)(const void *)buffer->data;
}

/* The items of a dictionary, of which the last may be a null. */
static pn_status encode_items(encoding *e, const pn_page_dictionary *d, const pn_field *field,
                              message **out)
{
    uint8_t *stops = NULL;
    message *validity = NULL;
    pn_buffer nulls;
    pn_buffer_init(&nulls, SIZE_MAX);
    pn_status status = pn_buffer_append_fill(&nulls, 0, d->n_items, e->err);
    if (status == PN_OK && d->null_item != SIZE_MAX) {
        stops = nulls.data;
        stops[d->null_item] = 1;
    }
    if (status == PN_OK && pn_type_is_variable(field->type)) {
        status = encode_binary(e, numbers_of(&d->ends), stops, d->n_items, &d->bytes, out);
    } else if (status == PN_OK) {
        if (stops) {
            status = append_bits(e, stops, d->n_items, true);
            validity = flat(e, 1);
        }
        if (status == PN_OK)
            status = append_bytes(e, &d->bytes);
        *out = nullable(e, validity, flat(e, pn_type_width(field) * 8));
    }
    pn_buffer_reset(&nulls);
    return status;
}

static pn_status encode_dictionary(encoding *e, const pn_stream *rows, const pn_field *field,
                                   message **out)
{
    const pn_leaf_path path = {.nodes = {field}, .n = 1, .innermost_list = -1};
    pn_page_dictionary d;
    message *items = NULL;
    pn_status status = pn_page_dictionary_make(rows, &path, true, &d, e->err);
    if (status == PN_OK)
        status = append_bytes(e, &d.indices.data); // which do not outlive d
    if (status == PN_OK) {
        message *indices = nullable(e, NULL, flat(e, pn_type_width(&d.index) * 8));
        status = encode_items(e, &d, field, &items);
        part *p = add_part(e, PN__LANCE__ARRAY_ENCODING__KIND_DICTIONARY);
        pn__lance__array_dictionary__init(&p->dictionary);
        p->dictionary.indices = indices;
        p->dictionary.items = items;
        p->dictionary.has_n_items = 1;
        p->dictionary.n_items = (uint32_t)d.n_items;
        p->how.dictionary = &p->dictionary;
        *out = &p->how;
    }
    pn_page_dictionary_reset(&d);
    return status;
}

static pn_status encode_list(encoding *e, const pn_stream *rows, message **out)
{
    const int64_t *ends = numbers_of(&rows->offsets) + 1;
    uint64_t n_items = (uint64_t)ends[rows->n_values - 1];
    PN_TRY(append_ends(e, ends, rows->stop.data, rows->n_values, n_items + 1));
    message *offsets = nullable(e, NULL, flat(e, 64));
    part *p = add_part(e, PN__LANCE__ARRAY_ENCODING__KIND_LIST);
    pn__lance__array_list__init(&p->list);
    p->list.offsets = offsets;
    p->list.has_null_adjustment = p->list.has_n_items = 1;
    p->list.null_adjustment = n_items + 1;
    p->list.n_items = n_items;
    p->how.list = &p->list;
    *out = &p->how;
    return PN_OK;
}

static pn_status pack(const message *how, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_reserve(out, pn__lance__array_encoding__get_packed_size(how), err));
    out->n_bytes += pn__lance__array_encoding__pack(how, out->data + out->n_bytes);
    return PN_OK;
}

pn_status pn_array_encode(const pn_stream *rows, const pn_field *field, pn_encoded_page *page,
                          pn_error *err)
{
    encoding e = {.page = page, .err = err};
    message *how;
    pn_assert(rows->n_entries > 0 && rows->n_entries == rows->n_values);
    if (pn_type_is_list(field->type))
        PN_TRY(encode_list(&e, rows, &how));
    else if (field->is_dictionary)
        PN_TRY(encode_dictionary(&e, rows, field, &how));
    else if (pn_type_is_variable(field->type))
        PN_TRY(encode_binary(&e, numbers_of(&rows->offsets) + 1, rows->stop.data, rows->n_values,
                             &rows->data, &how));
    else
        PN_TRY(encode_fixed(&e, rows, field, &how));
    return pack(how, &page->layout, err);
}

pn_status pn_array_encode_struct(pn_encoded_page *page, pn_error *err)
{
    encoding e = {.page = page, .err = err};
    part *p = add_part(&e, PN__LANCE__ARRAY_ENCODING__KIND_STRUCT_);
    pn__lance__opaque__init(&p->nothing);
    p->how.struct_ = &p->nothing;
    return pack(&p->how, &page->layout, err);
}

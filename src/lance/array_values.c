/*
 * array_values.c - the encodings of version 2.0
 *
 * Before 2.1 a page described an Arrow array as a tree of encodings, and each leaf of the tree named a buffer:
 *
 *     nullable some_nulls
 *       validity  flat 1 bit                 -> page buffer 0
 *       values    fixed_list 4
 *                   items  nullable no_nulls
 *                            flat 32         -> page buffer 1
 *
 * All rows of a page can be reached by arithmetic, so a run of rows is decoded from where it lies. Only compressed buffers are
 * opened whole; LanceDB makes them of strings, where the column asks for zstd, lz4 or (which is not one) none.
 *
 * Strings and lists say where each value ends. A null adds a number larger than any end to its own (null_adjustment), which is how
 * it is told from an empty one. A dictionary of strings begins with the null: its index 0 is none, index i is item i - 1; in
 * columns whose type is a dictionary an index is an item.
 *
 * Missing: bit packing and constants, which LanceDB's writer has for later versions only.
 */
#include "lance/array_values.h"

#include <string.h>

typedef Pn__Lance__ArrayEncoding encoding;

static pn_status corrupt(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_CORRUPT, "%s: %s", d->where, what);
}

static pn_status unsupported(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_UNSUPPORTED, "%s: encoding \"%s\" is not supported", d->where,
                   what);
}

static pn_status room(const pn_decoder *d, size_t n, size_t each, void *out)
{
    size_t bytes;
    if (!pn_size_mul(n, each, &bytes) || bytes > d->max_bytes)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: %zu values of %zu bytes: the limit is %zu bytes",
                       d->where, n, each, d->max_bytes);
    void *memory = pn_arena_alloc_aligned(d->arena, 64, bytes + 64);
    if (!memory)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: a read of over %zu bytes", d->where,
                       d->arena->max_bytes);
    memset(memory, 0, bytes);
    memcpy(out, &memory, sizeof memory);
    return PN_OK;
}

typedef struct place {
    const pn_array_buffers *buffers;
    uint64_t first; /* row of the array */
    size_t n;
    unsigned depth;
} place;

static place below(const place *at)
{
    place inner = *at;
    inner.depth++;
    return inner;
}

static pn_status decode(pn_decoder *d, const encoding *how, place at, pn_array_values *out);

static pn_status find_buffer(pn_decoder *d, const place *at, const Pn__Lance__ArrayBuffer *which,
                             pn_slice *out)
{
    const pn_array_buffers *b = at->buffers;
    uint32_t index = which ? which->index : 0;
    if (which && which->kind == 2)
        return unsupported(d, "buffer of the whole file");
    bool of_column = which && which->kind == 1;
    if (index >= (of_column ? b->n_column : b->n_page))
        return corrupt(d, "an encoding names a buffer that is not there");
    *out = of_column ? b->column[index] : b->page[index];
    return PN_OK;
}

static pn_status decompress(pn_decoder *d, const Pn__Lance__ArrayCompression *how, pn_slice *bytes)
{
    const char *scheme = how && how->scheme ? how->scheme : "none";
    if (strcmp(scheme, "none") == 0)
        return PN_OK;
    bool is_zstd = strcmp(scheme, "zstd") == 0;
    if (!is_zstd && strcmp(scheme, "lz4") != 0)
        return unsupported(d, "flat of another compression than zstd and lz4");
    return pn_values_decompress(d, is_zstd ? 2 : 1, *bytes, bytes);
}

static pn_status decode_flat(pn_decoder *d, const Pn__Lance__ArrayFlat *how, const place *at,
                             pn_array_values *out)
{
    pn_slice bytes;
    PN_TRY(find_buffer(d, at, how->buffer, &bytes));
    PN_TRY(decompress(d, how->compression, &bytes));
    uint64_t bits = how->bits, first_bit, n_bits, end_bit;
    if (bits == 0 || bits > 1u << 30 || (bits != 1 && bits % 8 != 0))
        return unsupported(d, "flat with a partial byte");
    if (!pn_u64_mul(at->first, bits, &first_bit) || !pn_u64_mul(at->n, bits, &n_bits) ||
        !pn_u64_add(first_bit, n_bits, &end_bit) || end_bit / 8 + (end_bit % 8 != 0) > bytes.n)
        return corrupt(d, "a value buffer is too short");
    *out = (pn_array_values){.values = {.n = at->n, .width = (size_t)(bits / 8)}};
    if (bits > 1) {
        out->values.data = bytes.data + first_bit / 8;
        return PN_OK;
    }
    uint8_t *unpacked;
    PN_TRY(room(d, at->n, 1, &unpacked));
    for (size_t i = 0; i < at->n; i++)
        unpacked[i] = bytes.data[(first_bit + i) / 8] >> ((first_bit + i) % 8) & 1;
    out->values = (pn_values){.n = at->n, .width = 1, .data = unpacked, .is_bits = true};
    return PN_OK;
}

/* n values that are all null: slots of zeros, or empty strings. */
static pn_status make_nulls(pn_decoder *d, size_t n, pn_array_values *out)
{
    uint8_t *zeros, *valid;
    int64_t *offsets = NULL;
    bool is_bits = false;
    size_t width = d->leaf ? pn_values_width(d->leaf, &is_bits) : 0;
    bool variable = d->leaf && pn_values_are_variable(d->leaf);
    PN_TRY(room(d, n, width, &zeros));
    PN_TRY(room(d, n, 1, &valid));
    if (variable)
        PN_TRY(room(d, n + 1, sizeof *offsets, &offsets));
    *out = (pn_array_values){.values = {.n = n,
                                        .variable = variable,
                                        .width = width,
                                        .data = zeros,
                                        .offsets = offsets,
                                        .is_bits = is_bits},
                             .valid = valid};
    return PN_OK;
}

static pn_status decode_nullable(pn_decoder *d, const Pn__Lance__ArrayNullable *how, place at,
                                 pn_array_values *out)
{
    pn_array_values validity;
    switch ((int)how->kind_case) {
    case PN__LANCE__ARRAY_NULLABLE__KIND_NO_NULLS:
        return decode(d, how->no_nulls->values, below(&at), out);
    case PN__LANCE__ARRAY_NULLABLE__KIND_ALL_NULLS:
        return make_nulls(d, at.n, out);
    case PN__LANCE__ARRAY_NULLABLE__KIND_SOME_NULLS:
        PN_TRY(decode(d, how->some_nulls->validity, below(&at), &validity));
        PN_TRY(decode(d, how->some_nulls->values, below(&at), out));
        if (!validity.values.is_bits || validity.values.width != 1 || validity.valid)
            return corrupt(d, "a validity that is not of a bit a value");
        if (out->valid)
            return unsupported(d, "nullable of nullable");
        out->valid = validity.values.data;
        return PN_OK;
    default:
        return corrupt(d, "a nullable encoding without a kind");
    }
}

static pn_status decode_fixed_list(pn_decoder *d, const Pn__Lance__ArrayFixedList *how, place at,
                                   pn_array_values *out)
{
    pn_array_values items;
    place inner = below(&at);
    pn_decoder of_items = *d;
    of_items.leaf = d->leaf && d->leaf->type == PN_TYPE_FIXED_SIZE_LIST ? d->leaf->children : NULL;
    if (how->dimension == 0 || !pn_u64_mul(at.first, how->dimension, &inner.first) ||
        !pn_size_mul(at.n, how->dimension, &inner.n))
        return corrupt(d, "a fixed-size list of impossible size");
    PN_TRY(decode(&of_items, how->items, inner, &items));
    if (items.values.variable || items.values.n_items[PN_FIXED_LIST_MAX_DEPTH - 1] > 0)
        return unsupported(d, "fixed-size lists of strings, or nested deep");
    *out = (pn_array_values){.values = items.values};
    out->values.n = at.n;
    if (!pn_size_mul(items.values.width, how->dimension, &out->values.width))
        return corrupt(d, "a fixed-size list of impossible size");
    out->values.n_items[0] = how->dimension;
    out->values.item_valid[0] = items.valid;
    for (size_t i = 1; i < PN_FIXED_LIST_MAX_DEPTH; i++) {
        out->values.n_items[i] = how->dimension * items.values.n_items[i - 1];
        out->values.item_valid[i] = items.values.item_valid[i - 1];
    }
    return PN_OK;
}

/* Values of whole bytes, one by one: no lists, strings or bits. */
static bool are_plain(const pn_values *v)
{
    return !v->variable && !v->is_bits && v->width > 0 && v->n_items[0] == 0;
}

/* Plain unsigned numbers of any width, as 64 bits. */
static pn_status decode_numbers(pn_decoder *d, const encoding *how, place at, uint64_t **out)
{
    pn_array_values from;
    pn_decoder of_numbers = *d;
    of_numbers.leaf = NULL;
    PN_TRY(decode(&of_numbers, how, at, &from));
    if (from.valid || !are_plain(&from.values) || from.values.width > sizeof **out)
        return corrupt(d, "offsets that are not numbers");
    PN_TRY(room(d, at.n, sizeof **out, out));
    for (size_t i = 0; i < at.n; i++)
        memcpy(&(*out)[i], from.values.data + i * from.values.width, from.values.width);
    return PN_OK;
}

/* Where values [at.first, at.first + at.n) end, and where the first begins, with the nulls among them. */
static pn_status decode_ends(pn_decoder *d, const encoding *how, uint64_t null_adjustment, place at,
                             uint64_t *begin, uint64_t *ends, uint8_t *is_null)
{
    uint64_t *numbers, previous = 0;
    size_t before = at.first > 0 ? 1 : 0;
    at.first -= before;
    at.n += before;
    PN_TRY(decode_numbers(d, how, at, &numbers));
    for (size_t i = 0; i < at.n; i++) {
        bool null = null_adjustment > 0 && numbers[i] >= null_adjustment;
        uint64_t end = null ? numbers[i] - null_adjustment : numbers[i];
        if (i == 0)
            previous = before ? end : 0;
        if (end < previous)
            return corrupt(d, "offsets are out of order");
        previous = end;
        if (i >= before) {
            ends[i - before] = end;
            is_null[i - before] = null;
        } else {
            *begin = end;
        }
    }
    if (!before)
        *begin = 0;
    return PN_OK;
}

static pn_status decode_binary(pn_decoder *d, const Pn__Lance__ArrayBinary *how, place at,
                               pn_array_values *out)
{
    uint64_t *ends, begin;
    uint8_t *valid;
    int64_t *offsets;
    pn_array_values bytes;
    bool any_null = false;
    PN_TRY(room(d, at.n + 1, sizeof *ends, &ends));
    PN_TRY(room(d, at.n + 1, 1, &valid));
    PN_TRY(room(d, at.n + 1, sizeof *offsets, &offsets));
    PN_TRY(decode_ends(d, how->indices, how->null_adjustment, below(&at), &begin, ends, valid));
    for (size_t i = 0; i < at.n; i++) {
        any_null = any_null || valid[i];
        valid[i] = !valid[i];
        offsets[i + 1] = (int64_t)(ends[i] - begin);
    }
    place of_bytes = {at.buffers, begin, at.n > 0 ? (size_t)(ends[at.n - 1] - begin) : 0,
                      at.depth + 1};
    pn_decoder plain = *d;
    plain.leaf = NULL;
    PN_TRY(decode(&plain, how->bytes, of_bytes, &bytes));
    if (bytes.valid || !are_plain(&bytes.values) || bytes.values.width != 1)
        return corrupt(d, "strings that are not made of bytes");
    *out = (pn_array_values){
        .values = {.n = at.n, .variable = true, .data = bytes.values.data, .offsets = offsets},
        .valid = any_null ? valid : NULL};
    return PN_OK;
}

/* Is the null one of the dictionary's indices? Then 0 is it. */
static bool begins_with_null(const pn_decoder *d)
{
    return d->leaf && !d->leaf->is_dictionary;
}

static pn_status pick_items(pn_decoder *d, const pn_array_values *items, const uint64_t *indices,
                            size_t n, pn_array_values *out)
{
    const pn_values *from = &items->values;
    size_t total = 0, shift = begins_with_null(d) ? 1 : 0;
    int64_t *offsets;
    uint8_t *valid, *data;
    PN_TRY(room(d, n, 1, &valid));
    PN_TRY(room(d, n + 1, sizeof *offsets, &offsets));
    for (size_t i = 0; i < n; i++) {
        uint64_t item = indices[i] - shift; // wraps for the null
        if (item >= from->n && !(shift && indices[i] == 0))
            return corrupt(d, "an index outside of its dictionary");
        valid[i] = item < from->n && (!items->valid || items->valid[item]);
        total += !from->variable ? from->width
                 : valid[i]      ? (size_t)(from->offsets[item + 1] - from->offsets[item])
                                 : 0;
        offsets[i + 1] = (int64_t)total;
        if (total > d->max_bytes)
            return pn_fail(d->err, PN_ERR_LIMIT, "%s: a page of over %zu bytes", d->where,
                           d->max_bytes);
    }
    PN_TRY(room(d, total, 1, &data));
    for (size_t i = 0; i < n; i++) {
        uint64_t item = indices[i] - shift;
        size_t start =
            valid[i] && from->variable ? (size_t)from->offsets[item] : (size_t)item * from->width;
        if (valid[i] && offsets[i + 1] > offsets[i])
            memcpy(data + offsets[i], from->data + start, (size_t)(offsets[i + 1] - offsets[i]));
    }
    *out = (pn_array_values){.values = {.n = n,
                                        .variable = from->variable,
                                        .width = from->width,
                                        .is_bits = from->is_bits,
                                        .data = data,
                                        .offsets = from->variable ? offsets : NULL},
                             .valid = valid};
    return PN_OK;
}

static pn_status decode_dictionary(pn_decoder *d, const Pn__Lance__ArrayDictionary *how, place at,
                                   pn_array_values *out)
{
    pn_array_values indices, items;
    pn_decoder of_indices = *d;
    of_indices.leaf = NULL;
    PN_TRY(decode(&of_indices, how->indices, below(&at), &indices));
    if (!are_plain(&indices.values) || indices.values.width > sizeof(uint64_t))
        return corrupt(d, "dictionary indices are not numbers");
    place all = {at.buffers, 0, how->n_items, at.depth + 1};
    PN_TRY(decode(d, how->items, all, &items));
    if (items.values.n_items[0] > 0)
        return unsupported(d, "dictionary of fixed-size lists");
    uint64_t *numbers;
    PN_TRY(room(d, at.n, sizeof *numbers, &numbers));
    for (size_t i = 0; i < at.n; i++)
        if (!indices.valid || indices.valid[i])
            memcpy(&numbers[i], indices.values.data + i * indices.values.width,
                   indices.values.width);
    if (indices.valid && how->n_items == 0) // all of them are null
        return make_nulls(d, at.n, out);
    PN_TRY(pick_items(d, &items, numbers, at.n, out));
    if (indices.valid) {
        uint8_t *valid;
        PN_TRY(room(d, at.n, 1, &valid));
        for (size_t i = 0; i < at.n; i++)
            valid[i] = out->valid[i] && indices.valid[i];
        out->valid = valid;
    }
    return PN_OK;
}

static pn_status decode_fsst(pn_decoder *d, const Pn__Lance__ArrayFsst *how, place at,
                             pn_array_values *out)
{
    pn_array_values packed;
    PN_TRY(decode(d, how->binary, below(&at), &packed));
    if (!packed.values.variable)
        return corrupt(d, "symbols of fixed width");
    *out = packed;
    return pn_values_expand_symbols(d, &how->table, &packed.values, &out->values);
}

static pn_status decode_fixed_binary(pn_decoder *d, const Pn__Lance__ArrayFixedBinary *how,
                                     place at, pn_array_values *out)
{
    place inner = below(&at);
    pn_decoder plain = *d;
    plain.leaf = NULL;
    if (how->width == 0 || !pn_u64_mul(at.first, how->width, &inner.first) ||
        !pn_size_mul(at.n, how->width, &inner.n))
        return corrupt(d, "binary values of impossible width");
    PN_TRY(decode(&plain, how->bytes, inner, out));
    if (out->valid || !are_plain(&out->values) || out->values.width != 1)
        return corrupt(d, "binary values that are not made of bytes");
    out->values.n = at.n;
    out->values.width = how->width;
    return PN_OK;
}

static pn_status decode_packed(pn_decoder *d, const Pn__Lance__ArrayPacked *how, const place *at,
                               pn_array_values *out)
{
    pn_slice bytes;
    bool is_bits = false;
    size_t width = d->leaf && d->leaf->is_packed ? pn_values_width(d->leaf, &is_bits) : 0;
    uint64_t start, size, end;
    if (width == 0 || how->n_inner != d->leaf->n_children)
        return unsupported(d, "packed struct of these members");
    PN_TRY(find_buffer(d, at, how->buffer, &bytes));
    if (!pn_u64_mul(at->first, width, &start) || !pn_u64_mul(at->n, width, &size) ||
        !pn_u64_add(start, size, &end) || end > bytes.n)
        return corrupt(d, "a packed struct's buffer is too short");
    *out = (pn_array_values){.values = {.n = at->n, .width = width, .data = bytes.data + start}};
    return PN_OK;
}

static pn_status decode(pn_decoder *d, const encoding *how, place at, pn_array_values *out)
{
    if (!how)
        return corrupt(d, "a page without an encoding");
    if (at.depth > PN_ENCODING_MAX_DEPTH)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: encodings nested over %d deep", d->where,
                       PN_ENCODING_MAX_DEPTH);
    switch ((int)how->kind_case) {
    case PN__LANCE__ARRAY_ENCODING__KIND_FLAT:
        return decode_flat(d, how->flat, &at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_NULLABLE:
        return decode_nullable(d, how->nullable, at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_FIXED_LIST:
        return decode_fixed_list(d, how->fixed_list, at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_BINARY:
        return decode_binary(d, how->binary, at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_DICTIONARY:
        return decode_dictionary(d, how->dictionary, at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_FSST:
        return decode_fsst(d, how->fsst, at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_FIXED_BINARY:
        return decode_fixed_binary(d, how->fixed_binary, at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_PACKED_STRUCT:
        return decode_packed(d, how->packed_struct, &at, out);
    case PN__LANCE__ARRAY_ENCODING__KIND_BITPACKED:
    case PN__LANCE__ARRAY_ENCODING__KIND_BITPACKED_FOR_NON_NEG:
        return unsupported(d, "bit packing of version 2.0");
    case PN__LANCE__ARRAY_ENCODING__KIND_CONSTANT:
        return unsupported(d, "constant of version 2.0");
    case PN__LANCE__ARRAY_ENCODING__KIND_LIST:
    case PN__LANCE__ARRAY_ENCODING__KIND_STRUCT_:
        return corrupt(d, "a page of another type than its column");
    default:
        return unsupported(d, "unknown");
    }
}

pn_status pn_array_values_decode(pn_decoder *d, const pn_array_buffers *buffers,
                                 const encoding *how, uint64_t first, size_t n,
                                 pn_array_values *out)
{
    return decode(d, how, (place){buffers, first, n, 0}, out);
}

pn_status pn_array_list_decode(pn_decoder *d, const pn_array_buffers *buffers,
                               const Pn__Lance__ArrayList *how, uint64_t first, size_t n,
                               uint64_t *begin, uint64_t *ends, uint8_t *is_null)
{
    PN_TRY(decode_ends(d, how->offsets, how->null_adjustment, (place){buffers, first, n, 0}, begin,
                       ends, is_null));
    if (n > 0 && ends[n - 1] > how->n_items)
        return corrupt(d, "lists reach past the items of their page");
    return PN_OK;
}

/* What is inside of encodings that say that there are no nulls. */
static const encoding *without_nulls(const encoding *how)
{
    for (unsigned depth = 0; how && how->kind_case == PN__LANCE__ARRAY_ENCODING__KIND_NULLABLE;
         depth++) {
        if (depth > PN_ENCODING_MAX_DEPTH ||
            how->nullable->kind_case != PN__LANCE__ARRAY_NULLABLE__KIND_NO_NULLS)
            return NULL;
        how = how->nullable->no_nulls->values;
    }
    return how;
}

const uint8_t *pn_array_plain_floats(const pn_array_buffers *buffers, const encoding *how,
                                     uint64_t n_rows, uint32_t dim)
{
    size_t bytes;
    how = without_nulls(how);
    if (!how || how->kind_case != PN__LANCE__ARRAY_ENCODING__KIND_FIXED_LIST ||
        how->fixed_list->dimension != dim)
        return NULL;
    how = without_nulls(how->fixed_list->items);
    if (!how || how->kind_case != PN__LANCE__ARRAY_ENCODING__KIND_FLAT || how->flat->bits != 32 ||
        how->flat->compression || (how->flat->buffer && how->flat->buffer->kind != 0))
        return NULL;
    uint32_t index = how->flat->buffer ? how->flat->buffer->index : 0;
    if (index >= buffers->n_page || !pn_size_mul((size_t)n_rows, (size_t)dim * 4, &bytes) ||
        bytes > buffers->page[index].n || (uintptr_t)buffers->page[index].data % sizeof(float) != 0)
        return NULL;
    return buffers->page[index].data;
}

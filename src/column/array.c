/*
 * array.c - reading values, and new arrays from old ones
 *
 * gather and concat go through a builder: one row at a time, correct for every nesting. Results are k rows of a search or one
 * batch; the bulk paths (scans, vectors) never come here.
 */
#include "column/array.h"

#include "base/alloc.h"
#include "base/half.h"
#include "column/builder.h"

#include <string.h>

static const void *value_at(const pn_array *array, size_t i, size_t width)
{
    return (const uint8_t *)array->values + i * width;
}

uint64_t pn_array_u64(const pn_array *array, size_t i)
{
    if (array->field->type == PN_TYPE_BOOL)
        return pn_bit_get(array->values, i);
    size_t width = pn_type_width(array->field);
    uint64_t value = 0;
    pn_assert(width <= sizeof value);
    memcpy(&value, value_at(array, i, width), width); // little-endian
    return value;
}

int64_t pn_array_i64(const pn_array *array, size_t i)
{
    uint64_t value = pn_array_u64(array, i);
    pn_type_id type = array->field->type;
    size_t bits = pn_type_width(array->field) * 8;
    bool is_unsigned = type == PN_TYPE_BOOL || (type >= PN_TYPE_UINT8 && type <= PN_TYPE_UINT64);
    if (is_unsigned || bits == 64)
        return (int64_t)value;
    uint64_t sign = (uint64_t)1 << (bits - 1);
    return (int64_t)((value ^ sign) - sign);
}

double pn_array_double(const pn_array *array, size_t i)
{
    uint16_t half;
    float single;
    double value;
    switch ((int)array->field->type) {
    case PN_TYPE_HALF:
        memcpy(&half, value_at(array, i, sizeof half), sizeof half);
        return pn_half_value(half);
    case PN_TYPE_FLOAT:
        memcpy(&single, value_at(array, i, sizeof single), sizeof single);
        return (double)single;
    case PN_TYPE_DOUBLE:
        memcpy(&value, value_at(array, i, sizeof value), sizeof value);
        return value;
    case PN_TYPE_UINT64:
        return (double)pn_array_u64(array, i);
    default:
        return (double)pn_array_i64(array, i);
    }
}

bool pn_array_map_get(const pn_array *array, size_t i, pn_str key, pn_str *out)
{
    const pn_array *keys = &array->children[0].children[0],
                   *values = &array->children[0].children[1];
    bool found = false;
    if (!pn_array_is_valid(array, i))
        return false;
    for (int64_t e = array->offsets[i]; e < array->offsets[i + 1]; e++) {
        if (!pn_str_equal(pn_array_bytes(keys, (size_t)e), key))
            continue;
        found = pn_array_is_valid(values, (size_t)e);
        if (found)
            *out = pn_array_bytes(values, (size_t)e);
    }
    return found;
}

size_t pn_array_count_nulls(const pn_array *array)
{
    size_t n = 0;
    if (array->field->type == PN_TYPE_NULL)
        return array->length;
    for (size_t i = 0; array->validity && i < array->length; i++)
        n += !pn_bit_get(array->validity, i);
    return n;
}

/* Bits [start, start + n) at the beginning of a byte; NULL: no memory. */
static const uint8_t *slice_bits(const uint8_t *bits, size_t start, size_t n, pn_arena *arena)
{
    if (start % 8 == 0)
        return bits + start / 8;
    uint8_t *copy = PN_ARENA_NEW(arena, uint8_t, pn_bytes_for_bits(n) + 1);
    for (size_t i = 0; copy && i < n; i++)
        if (pn_bit_get(bits, start + i))
            pn_bit_set(copy, i);
    return copy;
}

pn_status pn_array_slice(const pn_array *array, size_t start, size_t length, pn_arena *arena,
                         pn_array *out, pn_error *err)
{
    pn_assert(start <= array->length && length <= array->length - start);
    const pn_field *field = array->field;
    pn_array slice = *array;
    slice.length = length;
    if (array->validity && !(slice.validity = slice_bits(array->validity, start, length, arena)))
        return pn_fail_nomem(err);
    if (array->offsets) {
        slice.offsets = array->offsets + start; // the first may be other than 0
    } else if (field->type == PN_TYPE_BOOL) {
        if (!(slice.values = slice_bits(array->values, start, length, arena)))
            return pn_fail_nomem(err);
    } else if (field->type == PN_TYPE_STRUCT || field->type == PN_TYPE_FIXED_SIZE_LIST) {
        size_t each = field->type == PN_TYPE_STRUCT ? 1 : (size_t)field->size;
        pn_array *children = PN_ARENA_NEW(arena, pn_array, array->n_children + 1);
        if (!children)
            return pn_fail_nomem(err);
        for (size_t i = 0; i < array->n_children; i++)
            PN_TRY(pn_array_slice(&array->children[i], start * each, length * each, arena,
                                  &children[i], err));
        slice.children = children;
    } else if (array->values) {
        slice.values = value_at(array, start, pn_type_width(field));
    }
    *out = slice;
    return PN_OK;
}

/* Copy a view of a builder into arena, so that it outlives the builder. */
static pn_status copy_array(const pn_array *array, pn_arena *arena, pn_array *out, pn_error *err)
{
    const pn_field *field = array->field;
    pn_array copy = *array;
    size_t value_bytes = field->type == PN_TYPE_BOOL ? pn_bytes_for_bits(array->length)
                         : array->offsets && pn_type_is_variable(field->type)
                             ? (size_t)array->offsets[array->length]
                         : field->n_children == 0 ? pn_type_width(field) * array->length
                                                  : 0;
    uint8_t *values = pn_arena_alloc_aligned(arena, 64, value_bytes + 8);
    uint8_t *validity =
        array->validity ? pn_arena_alloc(arena, pn_bytes_for_bits(array->length) + 8) : NULL;
    int64_t *offsets =
        array->offsets ? pn_arena_alloc(arena, (array->length + 1) * sizeof *offsets) : NULL;
    pn_array *children = PN_ARENA_NEW(arena, pn_array, array->n_children + 1);
    if (!values || !children || (array->validity && !validity) || (array->offsets && !offsets))
        return pn_fail_nomem(err);
    if (value_bytes > 0)
        memcpy(values, array->values, value_bytes);
    if (validity)
        memcpy(validity, array->validity, pn_bytes_for_bits(array->length));
    if (offsets)
        memcpy(offsets, array->offsets, (array->length + 1) * sizeof *offsets);
    for (size_t i = 0; i < array->n_children; i++)
        PN_TRY(copy_array(&array->children[i], arena, &children[i], err));
    copy.values = values;
    copy.validity = validity;
    copy.offsets = offsets;
    copy.children = children;
    *out = copy;
    return PN_OK;
}

static pn_status finish(pn_builder *builder, pn_status status, pn_arena *arena, pn_array *out,
                        pn_error *err)
{
    pn_array view;
    if (status == PN_OK)
        status = pn_builder_view(builder, &view, err);
    if (status == PN_OK)
        status = copy_array(&view, arena, out, err);
    pn_builder_free(builder);
    return status;
}

pn_status pn_array_gather(const pn_array *array, const uint32_t *indices, size_t n, pn_arena *arena,
                          pn_array *out, pn_error *err)
{
    pn_builder *builder;
    PN_TRY(pn_builder_create(array->field, PTRDIFF_MAX, &builder, err));
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < n; i++)
        status = pn_builder_append_row(builder, array, indices[i], err);
    return finish(builder, status, arena, out, err);
}

pn_status pn_array_concat(const pn_array *const *arrays, size_t n, pn_arena *arena, pn_array *out,
                          pn_error *err)
{
    pn_builder *builder;
    pn_assert(n >= 1);
    if (n == 1) {
        *out = *arrays[0];
        return PN_OK;
    }
    PN_TRY(pn_builder_create(arrays[0]->field, PTRDIFF_MAX, &builder, err));
    pn_status status = PN_OK;
    for (size_t a = 0; a < n; a++)
        for (size_t i = 0; status == PN_OK && i < arrays[a]->length; i++)
            status = pn_builder_append_row(builder, arrays[a], i, err);
    return finish(builder, status, arena, out, err);
}

static bool scalar_equal(const pn_array *a, size_t i, const pn_array *b, size_t j)
{
    const pn_field *field = a->field;
    if (field->type == PN_TYPE_BOOL)
        return pn_bit_get(a->values, i) == pn_bit_get(b->values, j);
    if (pn_type_is_variable(field->type))
        return pn_str_equal(pn_array_bytes(a, i), pn_array_bytes(b, j));
    if (field->type == PN_TYPE_HALF || field->type == PN_TYPE_FLOAT ||
        field->type == PN_TYPE_DOUBLE) {
        double x = pn_array_double(a, i), y = pn_array_double(b, j);
        return x == y || (isnan(x) && isnan(y));
    }
    size_t width = pn_type_width(field);
    return memcmp(value_at(a, i, width), value_at(b, j, width), width) == 0;
}

static bool value_equal(const pn_array *a, size_t i, const pn_array *b, size_t j)
{
    const pn_field *field = a->field;
    if (field->type == PN_TYPE_NULL)
        return true;
    bool valid = pn_array_is_valid(a, i);
    if (valid != pn_array_is_valid(b, j))
        return false;
    if (!valid)
        return true;
    if (field->type == PN_TYPE_STRUCT) {
        for (size_t c = 0; c < a->n_children; c++)
            if (!value_equal(&a->children[c], i, &b->children[c], j))
                return false;
        return true;
    }
    if (field->n_children == 0)
        return scalar_equal(a, i, b, j);
    bool fixed = field->type == PN_TYPE_FIXED_SIZE_LIST;
    size_t size = fixed ? (size_t)field->size : (size_t)(a->offsets[i + 1] - a->offsets[i]);
    size_t first_a = fixed ? i * size : (size_t)a->offsets[i],
           first_b = fixed ? j * size : (size_t)b->offsets[j];
    if (!fixed && size != (size_t)(b->offsets[j + 1] - b->offsets[j]))
        return false;
    for (size_t e = 0; e < size; e++)
        if (!value_equal(&a->children[0], first_a + e, &b->children[0], first_b + e))
            return false;
    return true;
}

/* Can values of both be laid side by side? */
static bool same_shape(const pn_array *a, const pn_array *b)
{
    pn_type_id type = a->field->type;
    bool sized = type == PN_TYPE_FIXED_SIZE_LIST || type == PN_TYPE_FIXED_SIZE_BINARY;
    if (type != b->field->type || a->n_children != b->n_children ||
        (sized && a->field->size != b->field->size))
        return false;
    for (size_t i = 0; i < a->n_children; i++)
        if (!same_shape(&a->children[i], &b->children[i]))
            return false;
    return true;
}

bool pn_array_equal(const pn_array *a, const pn_array *b)
{
    if (a->length != b->length || !same_shape(a, b))
        return false;
    for (size_t i = 0; i < a->length; i++)
        if (!value_equal(a, i, b, i))
            return false;
    return true;
}

const pn_array *pn_batch_column(const pn_batch *batch, const char *name)
{
    ptrdiff_t at = pn_schema_find(batch->schema, pn_str_of(name));
    return at < 0 ? NULL : &batch->columns[at];
}

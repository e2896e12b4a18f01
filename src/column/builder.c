/*
 * builder.c - growable buffers that look like an Arrow array
 *
 * The validity bitmap is made only when the first null comes: most columns never need one. Offsets begin at 0. A fixed-size
 * list of floats, the vector column, gets its values in one copy, straight into the item child's buffer.
 */
#include "column/builder.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/limits.h"

#include <math.h>
#include <string.h>

struct pn_builder {
    const pn_field *field;
    size_t length;
    pn_buffer validity; /* bits; empty while all are valid */
    pn_buffer values;
    pn_buffer offsets; /* int64 */
    pn_builder **children;
    pn_array *child_views;
};

static pn_status create(const pn_field *field, size_t max_bytes, unsigned depth, pn_builder **out,
                        pn_error *err);

static pn_status create_children(pn_builder *b, size_t max_bytes, unsigned depth, pn_error *err)
{
    size_t n = b->field->n_children;
    b->children = pn_alloc_zero((n + 1) * sizeof(pn_builder *));
    b->child_views = pn_alloc_zero((n + 1) * sizeof *b->child_views);
    if (!b->children || !b->child_views)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        PN_TRY(create(&b->field->children[i], max_bytes, depth + 1, &b->children[i], err));
    return PN_OK;
}

static bool has_offsets(const pn_field *field)
{
    return pn_type_is_variable(field->type) || pn_type_is_list(field->type);
}

static pn_status append_offset(pn_builder *b, int64_t offset, pn_error *err)
{
    return pn_buffer_append(&b->offsets, &offset, sizeof offset, err);
}

static pn_status create(const pn_field *field, size_t max_bytes, unsigned depth, pn_builder **out,
                        pn_error *err)
{
    if (depth > PN_SCHEMA_MAX_DEPTH)
        return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": nested over %d deep", field->name,
                       PN_SCHEMA_MAX_DEPTH);
    pn_builder *b = pn_alloc_zero(sizeof *b);
    if (!b)
        return pn_fail_nomem(err);
    b->field = field;
    pn_buffer_init(&b->validity, max_bytes);
    pn_buffer_init(&b->values, max_bytes);
    pn_buffer_init(&b->offsets, max_bytes);
    pn_status status = create_children(b, max_bytes, depth, err);
    if (status == PN_OK && has_offsets(field))
        status = append_offset(b, 0, err);
    if (status != PN_OK) {
        pn_builder_free(b);
        return status;
    }
    *out = b;
    return PN_OK;
}

pn_status pn_builder_create(const pn_field *field, size_t max_bytes, pn_builder **out,
                            pn_error *err)
{
    return create(field, max_bytes, 0, out, err);
}

void pn_builder_free(pn_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; b->children && i < b->field->n_children; i++)
        pn_builder_free(b->children[i]);
    pn_free(b->children);
    pn_free(b->child_views);
    pn_buffer_reset(&b->validity);
    pn_buffer_reset(&b->values);
    pn_buffer_reset(&b->offsets);
    pn_free(b);
}

size_t pn_builder_length(const pn_builder *b)
{
    return b->length;
}

pn_builder *pn_builder_child(pn_builder *b, size_t i)
{
    pn_assert(i < b->field->n_children);
    return b->children[i];
}

/* Set the validity of the next value and count it. */
static pn_status end_value(pn_builder *b, bool valid, pn_error *err)
{
    size_t bytes = pn_bytes_for_bits(b->length + 1);
    if (!valid && b->validity.n_bytes == 0 && b->length > 0) {
        PN_TRY(pn_buffer_append_fill(&b->validity, 0xFF, pn_bytes_for_bits(b->length), err));
        for (size_t i = b->length; i < b->validity.n_bytes * 8; i++)
            pn_bit_clear(b->validity.data, i);
    }
    if (!valid || b->validity.n_bytes > 0) {
        if (b->validity.n_bytes < bytes)
            PN_TRY(pn_buffer_append_fill(&b->validity, 0, bytes - b->validity.n_bytes, err));
        if (valid)
            pn_bit_set(b->validity.data, b->length);
    }
    b->length++;
    return PN_OK;
}

static pn_status append_bool(pn_builder *b, bool value, pn_error *err)
{
    if (b->length % 8 == 0)
        PN_TRY(pn_buffer_append_fill(&b->values, 0, 1, err));
    if (value)
        pn_bit_set(b->values.data, b->length);
    return PN_OK;
}

static pn_status append_nothing(pn_builder *b, pn_error *err);

/* Content for a null row, so that children and buffers keep step. */
static pn_status append_filler(pn_builder *b, pn_error *err)
{
    const pn_field *field = b->field;
    if (has_offsets(field))
        return append_offset(
            b, (int64_t)(pn_type_is_list(field->type) ? b->children[0]->length : b->values.n_bytes),
            err);
    if (field->type == PN_TYPE_BOOL)
        return append_bool(b, false, err);
    if (field->type == PN_TYPE_FIXED_SIZE_LIST) {
        for (int32_t i = 0; i < field->size; i++)
            PN_TRY(append_nothing(b->children[0], err));
        return PN_OK;
    }
    if (field->type == PN_TYPE_STRUCT) {
        for (size_t i = 0; i < field->n_children; i++)
            PN_TRY(append_nothing(b->children[i], err));
        return PN_OK;
    }
    return pn_buffer_append_fill(&b->values, 0, pn_type_width(field), err);
}

/* A null where the field allows it, zero content otherwise: below a null parent nobody looks. */
static pn_status append_nothing(pn_builder *b, pn_error *err)
{
    PN_TRY(append_filler(b, err));
    return end_value(b, !b->field->nullable, err);
}

pn_status pn_builder_append_null(pn_builder *b, pn_error *err)
{
    if (!b->field->nullable)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" cannot be null", b->field->name);
    PN_TRY(append_filler(b, err));
    return end_value(b, false, err);
}

static bool fits_signed(int64_t value, size_t width)
{
    if (width == 8)
        return true;
    int64_t limit = (int64_t)1 << (width * 8 - 1);
    return value >= -limit && value < limit;
}

pn_status pn_builder_append_i64(pn_builder *b, int64_t value, pn_error *err)
{
    const pn_field *field = b->field;
    bool is_unsigned = field->type >= PN_TYPE_UINT8 && field->type <= PN_TYPE_UINT64;
    if (field->type == PN_TYPE_BOOL) {
        PN_TRY(append_bool(b, value != 0, err));
        return end_value(b, true, err);
    }
    if (is_unsigned) {
        if (value < 0)
            return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": %lld does not fit", field->name,
                           (long long)value);
        return pn_builder_append_u64(b, (uint64_t)value, err);
    }
    size_t width = pn_type_width(field);
    bool is_time = field->type >= PN_TYPE_DATE32 && field->type <= PN_TYPE_DURATION;
    if ((!pn_type_is_integer(field->type) && !is_time) || width == 0)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" does not take integers", field->name);
    if (!fits_signed(value, width))
        return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": %lld does not fit", field->name,
                       (long long)value);
    PN_TRY(pn_buffer_append(&b->values, &value, width,
                            err)); // little-endian: the low bytes come first
    return end_value(b, true, err);
}

pn_status pn_builder_append_u64(pn_builder *b, uint64_t value, pn_error *err)
{
    const pn_field *field = b->field;
    bool is_unsigned = field->type >= PN_TYPE_UINT8 && field->type <= PN_TYPE_UINT64;
    if (!is_unsigned) {
        if (value > INT64_MAX)
            return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": %llu does not fit", field->name,
                           (unsigned long long)value);
        return pn_builder_append_i64(b, (int64_t)value, err);
    }
    size_t width = pn_type_width(field);
    if (width < 8 && value >> (width * 8) != 0)
        return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": %llu does not fit", field->name,
                       (unsigned long long)value);
    PN_TRY(pn_buffer_append(&b->values, &value, width, err));
    return end_value(b, true, err);
}

/* To IEEE half, rounding to nearest even; straight from double, because rounding twice by way of float is not that. */
static uint16_t half_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned sign = (unsigned)(bits >> 48) & 0x8000u;
    uint64_t magnitude = bits & INT64_MAX;
    if (magnitude >= (uint64_t)0x7FF << 52) // infinity, or NaN with its quiet bit
        return (uint16_t)(sign | 0x7C00u | (magnitude > (uint64_t)0x7FF << 52 ? 0x200u : 0));
    if (magnitude >= 0x40EFFE0000000000u) // 65520, half-way from the largest half to the next
        return (uint16_t)(sign | 0x7C00u);
    uint64_t mantissa, shift;
    if (magnitude < (uint64_t)(1023 - 14) << 52) { // subnormal half
        if (magnitude < (uint64_t)(1023 - 25) << 52)
            return (uint16_t)sign;
        shift = 1051 - (magnitude >> 52);
        mantissa = (magnitude & 0xFFFFFFFFFFFFFu) | (uint64_t)1 << 52;
    } else {
        shift = 42;
        mantissa = magnitude - ((uint64_t)(1023 - 15) << 52);
    }
    uint64_t half = mantissa >> shift, rest = mantissa & (((uint64_t)1 << shift) - 1),
             middle = (uint64_t)1 << (shift - 1);
    half += rest > middle || (rest == middle && (half & 1));
    return (uint16_t)(sign | half);
}

bool pn_real_fits(double value, pn_type_id type)
{
    return isinf(value) || (type == PN_TYPE_FLOAT  ? !isinf((float)value)
                            : type == PN_TYPE_HALF ? (half_of(value) & 0x7FFFu) != 0x7C00u
                                                   : true);
}

pn_status pn_builder_append_double(pn_builder *b, double value, pn_error *err)
{
    float as_float = (float)value;
    uint16_t as_half;
    if (!pn_real_fits(value, b->field->type))
        return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": %.17g does not fit", b->field->name,
                       value);
    switch ((int)b->field->type) {
    case PN_TYPE_DOUBLE:
        PN_TRY(pn_buffer_append(&b->values, &value, sizeof value, err));
        break;
    case PN_TYPE_FLOAT:
        PN_TRY(pn_buffer_append(&b->values, &as_float, sizeof as_float, err));
        break;
    case PN_TYPE_HALF:
        as_half = half_of(value);
        PN_TRY(pn_buffer_append(&b->values, &as_half, sizeof as_half, err));
        break;
    default:
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" does not take floating-point numbers",
                       b->field->name);
    }
    return end_value(b, true, err);
}

pn_status pn_builder_append_bytes(pn_builder *b, const void *bytes, size_t n, pn_error *err)
{
    const pn_field *field = b->field;
    if (pn_type_is_variable(field->type)) {
        PN_TRY(pn_buffer_append(&b->values, bytes, n, err));
        PN_TRY(append_offset(b, (int64_t)b->values.n_bytes, err));
        return end_value(b, true, err);
    }
    size_t width = field->n_children == 0 ? pn_type_width(field) : 0;
    if (width == 0 || n != width)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" does not take %zu raw bytes",
                       field->name, n);
    PN_TRY(pn_buffer_append(&b->values, bytes, n, err));
    return end_value(b, true, err);
}

pn_status pn_builder_append_floats(pn_builder *b, const float *values, size_t n, pn_error *err)
{
    const pn_field *field = b->field;
    if (field->type != PN_TYPE_FIXED_SIZE_LIST || field->children[0].type != PN_TYPE_FLOAT ||
        n != (size_t)field->size)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" does not take vectors of %zu floats",
                       field->name, n);
    pn_builder *item = b->children[0];
    if (item->validity.n_bytes > 0) { // a null item came before: go one by one
        for (size_t i = 0; i < n; i++)
            PN_TRY(pn_builder_append_bytes(item, &values[i], sizeof values[i], err));
    } else {
        PN_TRY(pn_buffer_append(&item->values, values, n * sizeof *values, err));
        item->length += n;
    }
    return end_value(b, true, err);
}

pn_status pn_builder_close_row(pn_builder *b, pn_error *err)
{
    const pn_field *field = b->field;
    if (pn_type_is_list(field->type)) {
        PN_TRY(append_offset(b, (int64_t)b->children[0]->length, err));
        return end_value(b, true, err);
    }
    size_t wanted = b->length + 1;
    if (field->type == PN_TYPE_FIXED_SIZE_LIST)
        wanted *= (size_t)field->size;
    else if (field->type != PN_TYPE_STRUCT)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" has no children", field->name);
    for (size_t i = 0; i < field->n_children; i++)
        if (b->children[i]->length != wanted)
            return pn_fail(err, PN_ERR_INVALID,
                           "column \"%s\": child \"%s\" has %zu values, %zu were expected",
                           field->name, field->children[i].name, b->children[i]->length, wanted);
    return end_value(b, true, err);
}

static pn_status append_nested(pn_builder *b, const pn_array *array, size_t i, pn_error *err)
{
    if (array->field->type == PN_TYPE_STRUCT) {
        for (size_t c = 0; c < array->n_children; c++)
            PN_TRY(pn_builder_append_row(b->children[c], &array->children[c], i, err));
        return pn_builder_close_row(b, err);
    }
    size_t first, end;
    if (array->field->type == PN_TYPE_FIXED_SIZE_LIST) {
        first = i * (size_t)array->field->size;
        end = first + (size_t)array->field->size;
    } else {
        first = (size_t)array->offsets[i];
        end = (size_t)array->offsets[i + 1];
    }
    for (size_t at = first; at < end; at++)
        PN_TRY(pn_builder_append_row(b->children[0], &array->children[0], at, err));
    return pn_builder_close_row(b, err);
}

pn_status pn_builder_append_row(pn_builder *b, const pn_array *array, size_t i, pn_error *err)
{
    const pn_field *field = array->field;
    if (field->type != b->field->type || array->n_children != b->field->n_children)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": the row has another type",
                       b->field->name);
    if (field->type == PN_TYPE_NULL)
        return end_value(b, false, err);
    if (!pn_array_is_valid(array, i))
        return b->field->nullable ? pn_builder_append_null(b, err) : append_nothing(b, err);
    if (field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].type == PN_TYPE_FLOAT &&
        !array->children[0].validity)
        return pn_builder_append_floats(b, pn_array_floats(array, i), (size_t)field->size, err);
    if (field->n_children > 0 || field->type == PN_TYPE_STRUCT) // which may have no member
        return append_nested(b, array, i, err);
    if (field->type == PN_TYPE_BOOL)
        return pn_builder_append_i64(b, pn_bit_get(array->values, i), err);
    if (pn_type_is_variable(field->type)) {
        pn_str bytes = pn_array_bytes(array, i);
        return pn_builder_append_bytes(b, bytes.ptr, bytes.len, err);
    }
    size_t width = pn_type_width(field);
    return pn_builder_append_bytes(b, (const uint8_t *)array->values + i * width, width, err);
}

pn_status pn_builder_view(pn_builder *b, pn_array *out, pn_error *err)
{
    static const uint64_t nothing[2]; /* an address for buffers that hold no byte */
    for (size_t i = 0; i < b->field->n_children; i++)
        PN_TRY(pn_builder_view(b->children[i], &b->child_views[i], err));
    *out = (pn_array){
        .field = b->field,
        .length = b->length,
        .validity = b->validity.n_bytes > 0 ? b->validity.data : NULL,
        .values = b->values.data ? (const void *)b->values.data : (const void *)nothing,
        .offsets = has_offsets(b->field) ? (const int64_t *)(const void *)b->offsets.data : NULL,
        .children = b->child_views,
        .n_children = b->field->n_children};
    return PN_OK;
}

void pn_builder_clear(pn_builder *b)
{
    b->length = 0;
    pn_buffer_clear(&b->validity);
    pn_buffer_clear(&b->values);
    b->offsets.n_bytes = has_offsets(b->field) ? sizeof(int64_t) : 0; // the leading 0 stays
    for (size_t i = 0; i < b->field->n_children; i++)
        pn_builder_clear(b->children[i]);
}

/*
 * column_model.c - draw, append, compare: one switch over the types for each
 */
#include "support/column_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>

/* ---- fields */

static pn_field *new_fields(pn_arena *arena, size_t n)
{
    pn_field *fields = PN_ARENA_NEW(arena, pn_field, n);
    assert_non_null(fields);
    return fields;
}

static void random_entries(pn_rng *rng, pn_arena *arena, unsigned depth, pn_field *out)
{
    pn_field *members = new_fields(arena, 2);
    do
        model_random_field(rng, arena, depth, &members[1]);
    while (members[1].type == PN_TYPE_NULL);
    pn_field_init(&members[0], "key", PN_TYPE_STRING, false);
    members[1].name = "value";
    pn_field_init(out, "entries", PN_TYPE_STRUCT, false);
    out->children = members;
    out->n_children = 2;
}

static void add_children(pn_rng *rng, pn_arena *arena, unsigned depth, pn_field *field)
{
    field->n_children = field->type == PN_TYPE_STRUCT ? pn_rng_below(rng, 4) : 1;
    field->children = new_fields(arena, field->n_children + 1);
    if (field->type == PN_TYPE_MAP) {
        random_entries(rng, arena, depth, field->children);
        return;
    }
    for (size_t i = 0; i < field->n_children; i++)
        model_random_field(rng, arena, depth, &field->children[i]);
    if (field->type == PN_TYPE_FIXED_SIZE_LIST)
        field->size = (int32_t)pn_rng_below(rng, 5);
}

void model_random_field(pn_rng *rng, pn_arena *arena, unsigned depth, pn_field *out)
{
    static const pn_type_id nested[] = {PN_TYPE_STRUCT, PN_TYPE_LIST, PN_TYPE_LARGE_LIST,
                                        PN_TYPE_FIXED_SIZE_LIST, PN_TYPE_MAP};
    bool nests = depth > 0 && pn_rng_below(rng, 2) == 0;
    pn_type_id type = nests ? nested[pn_rng_below(rng, PN_COUNT_OF(nested))]
                            : (pn_type_id)pn_rng_below(rng, PN_TYPE_FIXED_SIZE_LIST);
    pn_field_init(out, "column", type, type == PN_TYPE_NULL || pn_rng_below(rng, 3) > 0);
    uint64_t unit = pn_rng_below(rng, 4);
    out->unit = type == PN_TYPE_TIME32   ? (pn_time_unit)(unit % 2)
                : type == PN_TYPE_TIME64 ? (pn_time_unit)(PN_UNIT_MICRO + unit % 2)
                                         : (pn_time_unit)unit;
    if (type == PN_TYPE_FIXED_SIZE_BINARY)
        out->size = 1 + (int32_t)pn_rng_below(rng, 20);
    if (nests)
        add_children(rng, arena, depth - 1, out);
}

/* ---- values */

static pn_str random_bytes(pn_rng *rng, pn_arena *arena, size_t n)
{
    char *bytes = pn_arena_alloc(arena, n + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)pn_rng_below(rng, 256);
    return pn_str_make(bytes, n);
}

/* Any integer of the width, its ends more often than chance would have it. */
static int64_t random_integer(pn_rng *rng, const pn_field *field)
{
    bool is_unsigned = field->type >= PN_TYPE_UINT8 && field->type <= PN_TYPE_UINT64;
    size_t unused = 64 - pn_type_width(field) * 8;
    uint64_t bits = pn_rng_below(rng, 4) == 0   ? (uint64_t)1 << 63
                    : pn_rng_below(rng, 4) == 0 ? INT64_MAX
                                                : pn_rng_u64(rng);
    if (is_unsigned)
        return (int64_t)(bits >> unused);
    return (int64_t)bits / ((int64_t)1 << (unused < 63 ? unused : 62));
}

static double random_number(pn_rng *rng, pn_type_id type)
{
    static const double odd[] = {0.0, -0.0, (double)INFINITY, -(double)INFINITY, (double)NAN};
    if (pn_rng_below(rng, 10) == 0)
        return odd[pn_rng_below(rng, PN_COUNT_OF(odd))];
    if (type == PN_TYPE_HALF) // 11 bits are exact
        return ldexp((double)pn_rng_below(rng, 2048), (int)pn_rng_below(rng, 20) - 15);
    double value = pn_rng_normal(rng);
    return type == PN_TYPE_FLOAT ? (double)(float)value : value;
}

static void random_items(pn_rng *rng, pn_arena *arena, const pn_field *field, model_value *out)
{
    if (field->type != PN_TYPE_STRUCT) {
        out->n_items =
            field->type == PN_TYPE_FIXED_SIZE_LIST ? (size_t)field->size : pn_rng_below(rng, 5);
        out->items = model_random_values(rng, arena, &field->children[0], out->n_items);
        return;
    }
    model_value *members = PN_ARENA_NEW(arena, model_value, field->n_children + 1);
    assert_non_null(members);
    for (size_t i = 0; i < field->n_children; i++)
        members[i] = *model_random_values(rng, arena, &field->children[i], 1);
    out->items = members;
    out->n_items = field->n_children;
}

static void random_value(pn_rng *rng, pn_arena *arena, const pn_field *field, model_value *out)
{
    if (field->type == PN_TYPE_NULL || (field->nullable && pn_rng_below(rng, 5) == 0))
        out->is_null = true;
    else if (field->n_children > 0 || field->type == PN_TYPE_STRUCT)
        random_items(rng, arena, field, out);
    else if (field->type == PN_TYPE_BOOL)
        out->i = (int64_t)pn_rng_below(rng, 2);
    else if (pn_type_is_variable(field->type))
        out->bytes = random_bytes(rng, arena, pn_rng_below(rng, 12));
    else if (field->type >= PN_TYPE_HALF && field->type <= PN_TYPE_DOUBLE)
        out->f = random_number(rng, field->type);
    else if (pn_type_width(field) <= 8 && field->type != PN_TYPE_FIXED_SIZE_BINARY)
        out->i = random_integer(rng, field);
    else
        out->bytes = random_bytes(rng, arena, pn_type_width(field));
}

model_value *model_random_values(pn_rng *rng, pn_arena *arena, const pn_field *field, size_t n)
{
    model_value *values = PN_ARENA_NEW(arena, model_value, n + 1);
    assert_non_null(values);
    bool no_nulls = pn_rng_below(rng, 3) == 0; // columns without a validity bitmap
    pn_field chosen = *field;
    chosen.nullable = field->nullable && !no_nulls;
    for (size_t i = 0; i < n; i++)
        random_value(rng, arena, &chosen, &values[i]);
    return values;
}

/* ---- building */

static bool is_whole_vector(const pn_field *field, const model_value *value)
{
    for (size_t i = 0; i < value->n_items; i++)
        if (value->items[i].is_null)
            return false;
    return field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].type == PN_TYPE_FLOAT;
}

static pn_status append_vector(pn_builder *builder, const model_value *value, pn_error *err)
{
    float floats[8];
    assert_true(value->n_items <= PN_COUNT_OF(floats));
    for (size_t i = 0; i < value->n_items; i++)
        floats[i] = (float)value->items[i].f;
    return pn_builder_append_floats(builder, floats, value->n_items, err);
}

static pn_status append_nested(pn_builder *builder, const pn_field *field, const model_value *value,
                               pn_error *err)
{
    for (size_t i = 0; i < value->n_items; i++)
        PN_TRY(model_append(pn_builder_child(builder, field->type == PN_TYPE_STRUCT ? i : 0),
                            &value->items[i], err));
    return pn_builder_close_row(builder, err);
}

static const pn_field *field_of(pn_builder *builder)
{
    pn_array view;
    assert_int_equal(pn_builder_view(builder, &view, NULL), PN_OK);
    return view.field;
}

pn_status model_append(pn_builder *builder, const model_value *value, pn_error *err)
{
    const pn_field *field = field_of(builder);
    if (value->is_null)
        return pn_builder_append_null(builder, err);
    if (field->n_children > 0 || field->type == PN_TYPE_STRUCT)
        return is_whole_vector(field, value) ? append_vector(builder, value, err)
                                             : append_nested(builder, field, value, err);
    if (field->type == PN_TYPE_UINT64)
        return pn_builder_append_u64(builder, (uint64_t)value->i, err);
    if (value->bytes.ptr)
        return pn_builder_append_bytes(builder, value->bytes.ptr, value->bytes.len, err);
    if (field->type >= PN_TYPE_HALF && field->type <= PN_TYPE_DOUBLE)
        return pn_builder_append_double(builder, value->f, err);
    return pn_builder_append_i64(builder, value->i, err);
}

pn_builder *model_build(const pn_field *field, const model_value *values, size_t n, pn_array *out)
{
    pn_error err = {0};
    pn_builder *builder;
    assert_int_equal(pn_builder_create(field, PTRDIFF_MAX, &builder, &err), PN_OK);
    for (size_t i = 0; i < n; i++)
        if (model_append(builder, &values[i], &err) != PN_OK)
            fail_msg("%s", err.message);
    assert_int_equal(pn_builder_length(builder), n);
    assert_int_equal(pn_builder_view(builder, out, &err), PN_OK);
    return builder;
}

/* ---- comparing */

static bool items_are(const pn_array *array, size_t i, const model_value *value)
{
    if (array->field->type == PN_TYPE_STRUCT) {
        for (size_t c = 0; c < value->n_items; c++)
            if (!model_is(&array->children[c], i, &value->items[c]))
                return false;
        return array->n_children == value->n_items;
    }
    size_t first, n;
    if (array->field->type == PN_TYPE_FIXED_SIZE_LIST) {
        n = (size_t)array->field->size;
        first = i * n;
    } else {
        first = (size_t)array->offsets[i];
        n = (size_t)array->offsets[i + 1] - first;
    }
    for (size_t e = 0; e < n && n == value->n_items; e++)
        if (!model_is(&array->children[0], first + e, &value->items[e]))
            return false;
    return n == value->n_items;
}

bool model_is(const pn_array *array, size_t i, const model_value *value)
{
    const pn_field *field = array->field;
    size_t width = pn_type_width(field);
    if (i >= array->length)
        return false;
    if (field->type == PN_TYPE_NULL)
        return value->is_null;
    if (pn_array_is_valid(array, i) == value->is_null)
        return false;
    if (value->is_null)
        return true;
    if (field->n_children > 0 || field->type == PN_TYPE_STRUCT)
        return items_are(array, i, value);
    if (pn_type_is_variable(field->type))
        return pn_str_equal(pn_array_bytes(array, i), value->bytes);
    if (value->bytes.ptr)
        return memcmp((const uint8_t *)array->values + i * width, value->bytes.ptr, width) == 0;
    if (field->type >= PN_TYPE_HALF && field->type <= PN_TYPE_DOUBLE) {
        double got = pn_array_double(array, i);
        return isnan(value->f) ? isnan(got)
                               : got == value->f && !signbit(got) == !signbit(value->f);
    }
    return pn_array_i64(array, i) == value->i &&
           (width < 8 || pn_array_u64(array, i) == (uint64_t)value->i);
}

void model_expect(const pn_array *array, const model_value *values, size_t n)
{
    size_t n_nulls = 0;
    assert_int_equal(array->length, n);
    for (size_t i = 0; i < n; i++) {
        n_nulls += values[i].is_null;
        if (!model_is(array, i, &values[i]))
            fail_msg("row %zu of %zu, type %d: not the value that was put in", i, n,
                     (int)array->field->type);
    }
    assert_int_equal(pn_array_count_nulls(array), n_nulls);
}

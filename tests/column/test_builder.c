/*
 * test_builder.c - what goes in comes out, and what does not fit is refused
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "support/column_model.h"
#include "support/faults.h"

static pn_builder *make(const pn_field *field)
{
    pn_error err = {0};
    pn_builder *builder = NULL;
    if (pn_builder_create(field, PTRDIFF_MAX, &builder, &err) != PN_OK)
        fail_msg("%s", err.message);
    return builder;
}

static pn_array view(pn_builder *builder)
{
    pn_array array;
    assert_int_equal(pn_builder_view(builder, &array, NULL), PN_OK);
    return array;
}

/* One value into a fresh builder of that type; the value read back. */
static pn_status put_i64(pn_type_id type, int64_t value, int64_t *back)
{
    pn_field field;
    pn_error err = {0};
    pn_field_init(&field, "n", type, false);
    pn_builder *builder = make(&field);
    pn_status status = pn_builder_append_i64(builder, value, &err);
    assert_int_equal(pn_builder_length(builder), status == PN_OK);
    if (status == PN_OK) {
        pn_array array = view(builder);
        *back = pn_array_i64(&array, 0);
    } else {
        assert_non_null(strstr(err.message, "\"n\""));
    }
    pn_builder_free(builder);
    return status;
}

static pn_status put_u64(pn_type_id type, uint64_t value, uint64_t *back)
{
    pn_field field;
    pn_field_init(&field, "n", type, false);
    pn_builder *builder = make(&field);
    pn_status status = pn_builder_append_u64(builder, value, NULL);
    if (status == PN_OK) {
        pn_array array = view(builder);
        *back = pn_array_u64(&array, 0);
    }
    pn_builder_free(builder);
    return status;
}

static void integers__are_taken_up_to_their_ends(void **state)
{
    (void)state;
    static const struct {
        pn_type_id type;
        int64_t low, high;
    } cases[] = {
        {PN_TYPE_INT8, INT8_MIN, INT8_MAX},
        {PN_TYPE_INT16, INT16_MIN, INT16_MAX},
        {PN_TYPE_INT32, INT32_MIN, INT32_MAX},
        {PN_TYPE_INT64, INT64_MIN, INT64_MAX},
        {PN_TYPE_UINT8, 0, UINT8_MAX},
        {PN_TYPE_UINT16, 0, UINT16_MAX},
        {PN_TYPE_UINT32, 0, UINT32_MAX},
        {PN_TYPE_UINT64, 0, INT64_MAX},
        {PN_TYPE_DATE32, INT32_MIN, INT32_MAX},
        {PN_TYPE_DATE64, INT64_MIN, INT64_MAX},
        {PN_TYPE_TIME32, INT32_MIN, INT32_MAX},
        {PN_TYPE_TIME64, INT64_MIN, INT64_MAX},
        {PN_TYPE_TIMESTAMP, INT64_MIN, INT64_MAX},
        {PN_TYPE_DURATION, INT64_MIN, INT64_MAX},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        int64_t back = 0;
        uint64_t unsigned_back = 0;
        pn_type_id type = cases[i].type;
        assert_int_equal(put_i64(type, cases[i].low, &back), PN_OK);
        assert_true(back == cases[i].low);
        assert_int_equal(put_i64(type, cases[i].high, &back), PN_OK);
        assert_true(back == cases[i].high);
        if (cases[i].low > INT64_MIN)
            assert_int_equal(put_i64(type, cases[i].low - 1, &back), PN_ERR_LIMIT);
        if (cases[i].high < INT64_MAX) {
            assert_int_equal(put_i64(type, cases[i].high + 1, &back), PN_ERR_LIMIT);
            assert_int_equal(put_u64(type, (uint64_t)cases[i].high + 1, &unsigned_back),
                             PN_ERR_LIMIT);
        }
        assert_int_equal(put_u64(type, (uint64_t)cases[i].high, &unsigned_back), PN_OK);
        assert_true(unsigned_back == (uint64_t)cases[i].high);
        assert_int_equal(put_u64(type, UINT64_MAX, &unsigned_back),
                         type == PN_TYPE_UINT64 ? PN_OK : PN_ERR_LIMIT);
    }
}

static void integers__are_refused_by_other_columns(void **state)
{
    (void)state;
    static const pn_type_id types[] = {PN_TYPE_NULL,       PN_TYPE_FLOAT,
                                       PN_TYPE_STRING,     PN_TYPE_BINARY,
                                       PN_TYPE_DECIMAL128, PN_TYPE_FIXED_SIZE_BINARY};
    int64_t back;
    uint64_t unsigned_back;
    for (size_t i = 0; i < PN_COUNT_OF(types); i++) {
        assert_int_equal(put_i64(types[i], 1, &back), PN_ERR_INVALID);
        assert_int_equal(put_u64(types[i], 1, &unsigned_back), PN_ERR_INVALID);
    }
    assert_int_equal(put_i64(PN_TYPE_BOOL, -5, &back), PN_OK);
    assert_int_equal(back, 1);
    assert_int_equal(put_u64(PN_TYPE_BOOL, 0, &unsigned_back), PN_OK);
    assert_int_equal(unsigned_back, 0);
}

static void doubles__are_refused_by_other_columns(void **state)
{
    (void)state;
    static const pn_type_id types[] = {PN_TYPE_BOOL, PN_TYPE_INT64, PN_TYPE_STRING, PN_TYPE_LIST};
    for (size_t i = 0; i < PN_COUNT_OF(types); i++) {
        pn_field field;
        pn_error err = {0};
        pn_field item;
        pn_field_init(&item, "item", PN_TYPE_DOUBLE, true);
        pn_field_init(&field, "n", types[i], true);
        if (types[i] == PN_TYPE_LIST)
            field.children = &item, field.n_children = 1;
        pn_builder *builder = make(&field);
        assert_int_equal(pn_builder_append_double(builder, 1, &err), PN_ERR_INVALID);
        assert_non_null(strstr(err.message, "\"n\" does not take floating-point numbers"));
        pn_builder_free(builder);
    }
}

/* ---- half floats */

static uint16_t half_of(double value)
{
    pn_field field;
    pn_field_init(&field, "h", PN_TYPE_HALF, false);
    pn_builder *builder = make(&field);
    assert_int_equal(pn_builder_append_double(builder, value, NULL), PN_OK);
    uint16_t bits;
    pn_array array = view(builder);
    memcpy(&bits, array.values, sizeof bits);
    pn_builder_free(builder);
    return bits;
}

static double double_of(uint16_t bits)
{
    pn_field field;
    pn_field_init(&field, "h", PN_TYPE_HALF, false);
    pn_array array = {.field = &field, .length = 1, .values = &bits};
    return pn_array_double(&array, 0);
}

static void halves__survive_a_round_trip(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 0xFFFF; bits++) {
        double value = double_of((uint16_t)bits);
        if ((bits & 0x7FFF) > 0x7C00) {
            assert_true(isnan(value));
            assert_int_equal(half_of(value) & 0x7E00, 0x7E00);
        } else if (half_of(value) != bits) {
            fail_msg("0x%04x is %.17g, which became 0x%04x", bits, value, half_of(value));
        }
    }
}

static void a_real_beyond_its_type__is_refused(void **state)
{
    static const struct {
        pn_type_id type;
        double value;
        bool fits;
    } cases[] = {
        {PN_TYPE_HALF, 65504, true},
        {PN_TYPE_HALF, 65520, false},
        {PN_TYPE_HALF, -1e300, false},
        {PN_TYPE_HALF, (double)INFINITY, true},
        {PN_TYPE_HALF, (double)NAN, true},
        {PN_TYPE_FLOAT, 3.4028235e38, true},
        {PN_TYPE_FLOAT, -3.41e38, false},
        {PN_TYPE_FLOAT, 1e300, false},
        {PN_TYPE_FLOAT, -(double)INFINITY, true},
        {PN_TYPE_FLOAT, (double)NAN, true},
        {PN_TYPE_FLOAT, 1e-300, true},
        {PN_TYPE_DOUBLE, 1e300, true},
    };
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field field;
        pn_builder *builder;
        pn_error err = {0};
        pn_field_init(&field, "r", cases[i].type, false);
        assert_int_equal(pn_builder_create(&field, 1024, &builder, NULL), PN_OK);
        assert_int_equal(pn_builder_append_double(builder, cases[i].value, &err),
                         cases[i].fits ? PN_OK : PN_ERR_LIMIT);
        assert_int_equal(pn_builder_length(builder), cases[i].fits);
        assert_true(cases[i].fits || strstr(err.message, "column \"r\": "));
        pn_builder_free(builder);
    }
}

static void halves__are_rounded_to_the_nearest_and_ties_to_even(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 0x7BFF; bits++) {
        double low = double_of((uint16_t)bits), high = double_of((uint16_t)(bits + 1));
        double middle = low + (high - low) / 2;
        unsigned even = bits % 2 == 0 ? bits : bits + 1;
        if (half_of(middle) != even || half_of(nextafter(middle, 0)) != bits ||
            half_of(nextafter(middle, (double)INFINITY)) != bits + 1 ||
            half_of(-middle) != (even | 0x8000))
            fail_msg("around %.17g: 0x%04x 0x%04x 0x%04x", middle, half_of(nextafter(middle, 0)),
                     half_of(middle), half_of(nextafter(middle, (double)INFINITY)));
    }
    assert_int_equal(half_of(nextafter(65520, 0)), 0x7BFF);
    assert_int_equal(half_of(5e-324), 0);
    assert_int_equal(half_of(-5e-324), 0x8000);
}

/* ---- bytes and vectors */

static void bytes__must_have_the_width_of_the_column(void **state)
{
    (void)state;
    static const uint8_t bytes[33] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const struct {
        pn_type_id type;
        size_t width;
    } cases[] = {{PN_TYPE_INT8, 1},
                 {PN_TYPE_HALF, 2},
                 {PN_TYPE_DATE32, 4},
                 {PN_TYPE_TIMESTAMP, 8},
                 {PN_TYPE_DECIMAL128, 16},
                 {PN_TYPE_DECIMAL256, 32},
                 {PN_TYPE_FIXED_SIZE_BINARY, 5}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field field;
        pn_error err = {0};
        pn_field_init(&field, "b", cases[i].type, false);
        field.size = 5;
        pn_builder *builder = make(&field);
        assert_int_equal(pn_builder_append_bytes(builder, bytes, cases[i].width - 1, &err),
                         PN_ERR_INVALID);
        assert_int_equal(pn_builder_append_bytes(builder, bytes, cases[i].width + 1, &err),
                         PN_ERR_INVALID);
        assert_non_null(strstr(err.message, "does not take"));
        assert_int_equal(pn_builder_append_bytes(builder, bytes, cases[i].width, &err), PN_OK);
        pn_array array = view(builder);
        assert_int_equal(array.length, 1);
        assert_memory_equal(array.values, bytes, cases[i].width);
        pn_builder_free(builder);
    }
}

static void bytes__are_refused_by_bits_and_nested_columns(void **state)
{
    (void)state;
    pn_arena arena;
    pn_field fields[2];
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&fields[0], "bit", PN_TYPE_BOOL, false);
    assert_true(pn_field_init_vector(&fields[1], "vector", 2, &arena));
    for (size_t i = 0; i < 2; i++) {
        pn_builder *builder = make(&fields[i]);
        assert_int_equal(pn_builder_append_bytes(builder, "12345678", 8, NULL), PN_ERR_INVALID);
        assert_int_equal(pn_builder_append_bytes(builder, "", 0, NULL), PN_ERR_INVALID);
        pn_builder_free(builder);
    }
    pn_arena_reset(&arena);
}

static void floats__must_be_as_many_as_the_vector_has(void **state)
{
    (void)state;
    static const float floats[4] = {1, 2, 3, 4};
    pn_arena arena;
    pn_field field, plain, item;
    pn_error err = {0};
    pn_arena_init(&arena, SIZE_MAX);
    assert_true(pn_field_init_vector(&field, "vector", 3, &arena));
    pn_builder *builder = make(&field);
    assert_int_equal(pn_builder_append_floats(builder, floats, 2, &err), PN_ERR_INVALID);
    assert_int_equal(pn_builder_append_floats(builder, floats, 4, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "vectors of 4 floats"));
    assert_int_equal(pn_builder_append_floats(builder, floats, 3, &err), PN_OK);
    pn_array array = view(builder);
    assert_memory_equal(pn_array_floats(&array, 0), floats, 3 * sizeof *floats);
    pn_builder_free(builder);
    pn_field_init(&plain, "plain", PN_TYPE_FLOAT, false);
    builder = make(&plain);
    assert_int_equal(pn_builder_append_floats(builder, floats, 1, NULL), PN_ERR_INVALID);
    pn_builder_free(builder);
    pn_field_init(&item, "item", PN_TYPE_DOUBLE, true);
    field.children = &item;
    builder = make(&field);
    assert_int_equal(pn_builder_append_floats(builder, floats, 3, NULL), PN_ERR_INVALID);
    pn_builder_free(builder);
    pn_arena_reset(&arena);
}

static void floats__may_follow_a_vector_with_a_null_in_it(void **state)
{
    (void)state;
    static const uint32_t bits[2] = {0x40a00000, 0x7f856375}; // a signalling NaN stays one
    float floats[2];
    pn_arena arena;
    pn_field field;
    memcpy(floats, bits, sizeof floats);
    pn_arena_init(&arena, SIZE_MAX);
    assert_true(pn_field_init_vector(&field, "vector", 2, &arena));
    pn_builder *builder = make(&field);
    assert_int_equal(pn_builder_append_null(pn_builder_child(builder, 0), NULL), PN_OK);
    assert_int_equal(pn_builder_append_double(pn_builder_child(builder, 0), 4, NULL), PN_OK);
    assert_int_equal(pn_builder_close_row(builder, NULL), PN_OK);
    assert_int_equal(pn_builder_append_floats(builder, floats, 2, NULL), PN_OK);
    pn_array array = view(builder);
    assert_int_equal(array.children[0].length, 4);
    assert_int_equal(pn_array_count_nulls(&array.children[0]), 1);
    assert_false(pn_array_is_valid(&array.children[0], 0));
    assert_memory_equal(pn_array_floats(&array, 1), floats, sizeof floats);
    pn_builder_free(builder);
    pn_arena_reset(&arena);
}

/* ---- nulls and rows */

static void null__is_refused_where_it_may_not_be(void **state)
{
    (void)state;
    pn_field field;
    pn_error err = {0};
    pn_field_init(&field, "n", PN_TYPE_INT32, false);
    pn_builder *builder = make(&field);
    assert_int_equal(pn_builder_append_null(builder, &err), PN_ERR_INVALID);
    assert_string_equal(err.message, "column \"n\" cannot be null");
    assert_int_equal(pn_builder_length(builder), 0);
    pn_builder_free(builder);
}

/* A bitmap is made at the first null and covers what came before, wherever in a byte that is. */
static void the_first_null__may_come_at_any_row(void **state)
{
    (void)state;
    pn_field field;
    pn_field_init(&field, "n", PN_TYPE_INT8, true);
    for (size_t at = 0; at < 40; at++) {
        pn_builder *builder = make(&field);
        for (size_t i = 0; i < 50; i++) {
            assert_true((view(builder).validity == NULL) == (i <= at));
            assert_int_equal(i == at ? pn_builder_append_null(builder, NULL)
                                     : pn_builder_append_i64(builder, (int64_t)i, NULL),
                             PN_OK);
        }
        pn_array array = view(builder);
        assert_int_equal(pn_array_count_nulls(&array), 1);
        for (size_t i = 0; i < 50; i++) {
            assert_int_equal(pn_array_is_valid(&array, i), i != at);
            assert_int_equal(pn_array_i64(&array, i), i == at ? 0 : i);
        }
        pn_builder_free(builder);
    }
}

static void null__fills_the_children_of_every_nesting(void **state)
{
    (void)state;
    pn_field item, members[3], field;
    pn_field_init(&item, "item", PN_TYPE_INT16, false); // cannot be null: gets zeros
    pn_field_init(&members[0], "flag", PN_TYPE_BOOL, false);
    pn_field_init(&members[1], "triple", PN_TYPE_FIXED_SIZE_LIST, true);
    members[1].children = &item, members[1].n_children = 1, members[1].size = 3;
    pn_field_init(&members[2], "list", PN_TYPE_LIST, false);
    members[2].children = &item, members[2].n_children = 1;
    pn_field_init(&field, "all", PN_TYPE_STRUCT, true);
    field.children = members, field.n_children = 3;
    pn_builder *builder = make(&field);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pn_builder_append_null(builder, NULL), PN_OK);
    pn_array array = view(builder);
    assert_int_equal(pn_array_count_nulls(&array), 10);
    assert_int_equal(array.children[0].length, 10);
    assert_null(array.children[0].validity);
    assert_int_equal(array.children[1].length, 10);
    assert_int_equal(pn_array_count_nulls(&array.children[1]), 10);
    assert_int_equal(array.children[1].children[0].length, 30);
    assert_null(array.children[1].children[0].validity);
    assert_int_equal(array.children[2].length, 10);
    assert_int_equal(array.children[2].offsets[10], 0);
    assert_int_equal(array.children[2].children[0].length, 0);
    pn_builder_free(builder);
}

static void close_row__wants_the_right_number_of_values(void **state)
{
    (void)state;
    pn_arena arena;
    pn_field members[2], field, vector, plain;
    pn_error err = {0};
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&members[0], "a", PN_TYPE_INT32, true);
    pn_field_init(&members[1], "b", PN_TYPE_INT32, true);
    pn_field_init(&field, "both", PN_TYPE_STRUCT, true);
    field.children = members, field.n_children = 2;
    pn_builder *builder = make(&field);
    assert_int_equal(pn_builder_append_i64(pn_builder_child(builder, 0), 1, NULL), PN_OK);
    assert_int_equal(pn_builder_close_row(builder, &err), PN_ERR_INVALID);
    assert_string_equal(err.message, "column \"both\": child \"b\" has 0 values, 1 were expected");
    assert_int_equal(pn_builder_append_i64(pn_builder_child(builder, 1), 2, NULL), PN_OK);
    assert_int_equal(pn_builder_close_row(builder, &err), PN_OK);
    pn_builder_free(builder);

    assert_true(pn_field_init_vector(&vector, "vector", 2, &arena));
    builder = make(&vector);
    for (int n = 1; n <= 3; n++) {
        assert_int_equal(pn_builder_append_double(pn_builder_child(builder, 0), n, NULL), PN_OK);
        pn_status status = pn_builder_close_row(builder, &err);
        assert_int_equal(status, n == 2 ? PN_OK : PN_ERR_INVALID);
    }
    pn_builder_free(builder);

    pn_field_init(&plain, "plain", PN_TYPE_INT32, true);
    builder = make(&plain);
    assert_int_equal(pn_builder_close_row(builder, &err), PN_ERR_INVALID);
    assert_string_equal(err.message, "column \"plain\" has no children");
    pn_builder_free(builder);
    pn_arena_reset(&arena);
}

/* ---- append_row */

static void append_row__refuses_a_row_of_another_shape(void **state)
{
    (void)state;
    pn_field members[3], pair, triple, number, text;
    pn_array row;
    pn_error err = {0};
    for (size_t i = 0; i < 3; i++)
        pn_field_init(&members[i], "m", PN_TYPE_INT32, true);
    pn_field_init(&pair, "pair", PN_TYPE_STRUCT, true);
    pn_field_init(&triple, "triple", PN_TYPE_STRUCT, true);
    pair.children = triple.children = members;
    pair.n_children = 2;
    triple.n_children = 3;
    pn_field_init(&number, "number", PN_TYPE_INT32, true);
    pn_field_init(&text, "text", PN_TYPE_STRING, true);
    const pn_field *shapes[] = {&pair, &triple, &number, &text};
    const model_value items[3] = {{.i = 1}, {.i = 2}, {.i = 3}};
    const model_value values[] = {{.items = items, .n_items = 2},
                                  {.items = items, .n_items = 3},
                                  {.i = 5},
                                  {.bytes = PN_STR_LITERAL("five")}};
    for (size_t from = 0; from < 4; from++)
        for (size_t to = 0; to < 4; to++) {
            pn_builder *source = model_build(shapes[from], &values[from], 1, &row);
            pn_builder *builder = make(shapes[to]);
            assert_int_equal(pn_builder_append_row(builder, &row, 0, &err),
                             from == to ? PN_OK : PN_ERR_INVALID);
            assert_int_equal(pn_builder_length(builder), from == to);
            pn_builder_free(builder);
            pn_builder_free(source);
        }
    assert_non_null(strstr(err.message, "the row has another type"));
}

static void append_row__of_a_null_where_none_may_be_gives_zeros(void **state)
{
    (void)state;
    pn_field may, must;
    pn_array row;
    const model_value null = {.is_null = true};
    pn_field_init(&may, "n", PN_TYPE_INT32, true);
    pn_field_init(&must, "n", PN_TYPE_INT32, false);
    pn_builder *source = model_build(&may, &null, 1, &row);
    pn_builder *builder = make(&must);
    assert_int_equal(pn_builder_append_row(builder, &row, 0, NULL), PN_OK);
    pn_array array = view(builder);
    assert_true(pn_array_is_valid(&array, 0));
    assert_int_equal(pn_array_i64(&array, 0), 0);
    pn_builder_free(builder);
    pn_builder_free(source);
}

/* ---- limits and memory */

/* Fields nested in each other; the innermost is an integer. */
static void nest(pn_field *fields, size_t n)
{
    pn_field_init(&fields[n - 1], "leaf", PN_TYPE_INT32, true);
    for (size_t i = n - 1; i-- > 0;) {
        pn_field_init(&fields[i], "level", PN_TYPE_STRUCT, true);
        fields[i].children = &fields[i + 1];
        fields[i].n_children = 1;
    }
}

static void create__bounds_the_nesting(void **state)
{
    (void)state;
    pn_field fields[PN_SCHEMA_MAX_DEPTH + 2];
    pn_builder *builder = NULL;
    pn_error err = {0};
    nest(fields, PN_SCHEMA_MAX_DEPTH + 1);
    pn_builder_free(make(fields));
    nest(fields, PN_SCHEMA_MAX_DEPTH + 2);
    assert_int_equal(pn_builder_create(fields, 1000, &builder, &err), PN_ERR_LIMIT);
    assert_null(builder);
    assert_non_null(strstr(err.message, "nested over 32 deep"));
    pn_builder_free(NULL);
    assert_int_equal(pn_alloc_live(), 0);
}

static void a_buffer_that_is_full__is_a_limit(void **state)
{
    (void)state;
    enum { MOST = 64 };
    static const pn_type_id types[] = {PN_TYPE_BOOL,  PN_TYPE_INT8,   PN_TYPE_INT64,
                                       PN_TYPE_FLOAT, PN_TYPE_STRING, PN_TYPE_DECIMAL128};
    static const size_t rows[] = {MOST * 8, MOST, MOST / 8, MOST / 4, MOST / 8 - 1, MOST / 16};
    static const char bytes[16] = "";
    for (size_t i = 0; i < PN_COUNT_OF(types); i++) {
        pn_field field;
        pn_builder *builder;
        pn_error err = {0};
        pn_status status = PN_OK;
        size_t n = 0;
        pn_field_init(&field, "c", types[i], false);
        assert_int_equal(pn_builder_create(&field, MOST, &builder, &err), PN_OK);
        for (; status == PN_OK; n += status == PN_OK)
            status = types[i] == PN_TYPE_STRING  ? pn_builder_append_bytes(builder, "x", 1, &err)
                     : types[i] == PN_TYPE_FLOAT ? pn_builder_append_double(builder, 1, &err)
                     : types[i] == PN_TYPE_DECIMAL128
                         ? pn_builder_append_bytes(builder, bytes, 16, &err)
                         : pn_builder_append_i64(builder, 1, &err);
        assert_int_equal(status, PN_ERR_LIMIT);
        assert_int_equal(n, rows[i]);
        assert_int_equal(pn_builder_length(builder), n);
        pn_builder_clear(builder); // and it can be used again
        assert_int_equal(pn_builder_length(builder), 0);
        if (types[i] == PN_TYPE_STRING) {
            assert_int_equal(pn_builder_append_bytes(builder, "yz", 2, &err), PN_OK);
            pn_array array = view(builder);
            assert_true(pn_str_is(pn_array_bytes(&array, 0), "yz"));
        }
        pn_builder_free(builder);
    }
}

typedef struct column {
    pn_field field;
    const model_value *values;
    size_t n;
} column;

static pn_status build_column(void *context, pn_error *err)
{
    const column *c = context;
    pn_builder *builder = NULL, *copy = NULL;
    pn_array array;
    pn_status status = PN_OK;
    PN_GOTO(done, pn_builder_create(&c->field, PTRDIFF_MAX, &builder, err));
    for (size_t i = 0; i < c->n; i++)
        PN_GOTO(done, model_append(builder, &c->values[i], err));
    PN_GOTO(done, pn_builder_view(builder, &array, err));
    model_expect(&array, c->values, c->n);
    PN_GOTO(done, pn_builder_create(&c->field, PTRDIFF_MAX, &copy, err));
    for (size_t i = 0; i < c->n; i++)
        PN_GOTO(done, pn_builder_append_row(copy, &array, i, err));
done:
    pn_builder_free(copy);
    pn_builder_free(builder);
    return status;
}

/* Vectors of which none, one or all are null, some with a null inside. */
static void make_vectors(pn_arena *arena, column *out)
{
    enum { N = 40, DIM = 3 };
    model_value *values = PN_ARENA_NEW(arena, model_value, N);
    model_value *items = PN_ARENA_NEW(arena, model_value, N * DIM);
    assert_true(values && items && pn_field_init_vector(&out->field, "vector", DIM, arena));
    out->field.nullable = true;
    for (size_t i = 0; i < N; i++) {
        values[i] = (model_value){.is_null = i % 9 == 8, .items = items + i * DIM, .n_items = DIM};
        for (size_t k = 0; k < DIM; k++)
            items[i * DIM + k] = (model_value){.f = (double)i, .is_null = i == 20 && k == 1};
    }
    out->values = values;
    out->n = N;
}

static void no_memory__is_said_and_leaves_nothing(void **state)
{
    (void)state;
    int64_t n = 0;
    for (uint64_t seed = 0; seed < 150; seed++) {
        pn_arena arena;
        pn_rng rng = pn_rng_seed(seed);
        column c = {.n = 30};
        pn_arena_init(&arena, SIZE_MAX);
        if (seed == 0) {
            make_vectors(&arena, &c);
        } else {
            model_random_field(&rng, &arena, 2, &c.field);
            c.values = model_random_values(&rng, &arena, &c.field, c.n);
        }
        n += faults_each_allocation(build_column, &c);
        pn_arena_reset(&arena);
    }
    assert_true(n > 150 * 6);
    assert_int_equal(pn_alloc_live(), 0);
}

/* ---- anything */

static void builder__keeps_what_was_appended(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 600; seed++) {
        pn_arena arena;
        pn_field field;
        pn_array array, copied;
        pn_rng rng = pn_rng_seed(seed);
        pn_arena_init(&arena, SIZE_MAX);
        model_random_field(&rng, &arena, 3, &field);
        size_t n = pn_rng_below(&rng, 80);
        const model_value *values = model_random_values(&rng, &arena, &field, n);
        pn_builder *builder = model_build(&field, values, n, &array), *copy = make(&field);
        model_expect(&array, values, n);
        for (int round = 0; round < 2; round++) { // the second time after a clear
            for (size_t i = 0; i < n; i++)
                assert_int_equal(pn_builder_append_row(copy, &array, i, NULL), PN_OK);
            copied = view(copy);
            model_expect(&copied, values, n);
            assert_true(pn_array_equal(&array, &copied));
            pn_builder_clear(copy);
        }
        copied = view(copy);
        model_expect(&copied, NULL, 0);
        pn_builder_free(copy);
        pn_builder_free(builder);
        pn_arena_reset(&arena);
    }
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers__are_taken_up_to_their_ends),
        cmocka_unit_test(integers__are_refused_by_other_columns),
        cmocka_unit_test(doubles__are_refused_by_other_columns),
        cmocka_unit_test(halves__survive_a_round_trip),
        cmocka_unit_test(a_real_beyond_its_type__is_refused),
        cmocka_unit_test(halves__are_rounded_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(bytes__must_have_the_width_of_the_column),
        cmocka_unit_test(bytes__are_refused_by_bits_and_nested_columns),
        cmocka_unit_test(floats__must_be_as_many_as_the_vector_has),
        cmocka_unit_test(floats__may_follow_a_vector_with_a_null_in_it),
        cmocka_unit_test(null__is_refused_where_it_may_not_be),
        cmocka_unit_test(the_first_null__may_come_at_any_row),
        cmocka_unit_test(null__fills_the_children_of_every_nesting),
        cmocka_unit_test(close_row__wants_the_right_number_of_values),
        cmocka_unit_test(append_row__refuses_a_row_of_another_shape),
        cmocka_unit_test(append_row__of_a_null_where_none_may_be_gives_zeros),
        cmocka_unit_test(create__bounds_the_nesting),
        cmocka_unit_test(a_buffer_that_is_full__is_a_limit),
        cmocka_unit_test(no_memory__is_said_and_leaves_nothing),
        cmocka_unit_test(builder__keeps_what_was_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_json_value.c - any value through JSON and back
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "support/plain_column.h"
#include "transfer/json_value.h"
#include "transfer/scalar_text.h"
#include "transfer/schema_json.h"

/* Rows as JSON, read into a builder again. */
static void expect_round_trip(const pn_field *field, const pn_array *array,
                              const model_value *values, size_t n)
{
    pn_error err = {0};
    pn_builder *builder;
    pn_array back;
    pn_buffer text;
    pn_buffer_init(&text, 1u << 24);
    assert_int_equal(pn_builder_create(field, PTRDIFF_MAX, &builder, &err), PN_OK);
    for (size_t i = 0; i < n; i++) {
        json_t *json;
        pn_buffer_clear(&text);
        if (pn_value_to_json(array, i, &text, &err) != PN_OK ||
            pn_json_parse(pn_str_make((char *)text.data, text.n_bytes), &json, &err) != PN_OK)
            fail_msg("row %zu: %s: %.*s", i, err.message, (int)text.n_bytes, (char *)text.data);
        if (pn_value_from_json(builder, field, json, &err) != PN_OK)
            fail_msg("row %zu: %s: %.*s", i, err.message, (int)text.n_bytes, (char *)text.data);
        json_decref(json);
    }
    assert_int_equal(pn_builder_view(builder, &back, &err), PN_OK);
    model_expect(&back, values, n);
    pn_builder_free(builder);
    pn_buffer_reset(&text);
}

static void json_value__reads_back_what_it_wrote(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(7);
    for (int round = 0; round < 1500; round++) {
        pn_arena arena;
        pn_field field;
        pn_array array;
        pn_arena_init(&arena, SIZE_MAX);
        plain_random_field(&rng, &arena, "column", 3, &field);
        model_value *values = plain_random_values(&rng, &arena, &field, 20);
        pn_builder *builder = model_build(&field, values, 20, &array);
        expect_round_trip(&field, &array, values, 20);
        pn_builder_free(builder);
        pn_arena_reset(&arena);
    }
}

/* The schema of such a field, too. */
static void same_field(const pn_field *a, const pn_field *b)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    assert_string_equal(a->name, b->name);
    assert_string_equal(pn_type_text(a, &arena), pn_type_text(b, &arena));
    assert_int_equal(a->nullable, b->nullable);
    assert_int_equal(a->n_children, b->n_children);
    /* A fixed-size list of plain values is one field on disk: the item has no name and no flag. */
    bool is_one = a->type == PN_TYPE_FIXED_SIZE_LIST && a->children[0].n_children == 0;
    for (size_t i = 0; i < a->n_children && !is_one; i++)
        same_field(&a->children[i], &b->children[i]);
    pn_arena_reset(&arena);
}

static void schema_json__reads_back_what_it_wrote(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(8);
    pn_kv metadata[] = {{"pennon.model", "clip \"b\"\n"}, {"empty", ""}};
    for (int round = 0; round < 500; round++) {
        pn_arena arena;
        pn_error err = {0};
        pn_field fields[3];
        pn_schema schema = {fields, 3, metadata, 2}, back;
        pn_arena_init(&arena, SIZE_MAX);
        for (int i = 0; i < 3; i++) {
            plain_random_field(&rng, &arena,
                               i == 0   ? "id"
                               : i == 1 ? "\xE5\x90\x8D"
                                        : "c,\"d",
                               3, &fields[i]);
        }
        json_t *json = pn_schema_to_json(&schema, &arena);
        if (pn_schema_from_json(json, &arena, &back, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_int_equal(back.n_fields, 3);
        for (int i = 0; i < 3; i++)
            same_field(&fields[i], &back.fields[i]);
        assert_int_equal(back.n_metadata, 2);
        assert_string_equal(pn_schema_metadata(&back, "pennon.model"), "clip \"b\"\n");
        json_decref(json);
        pn_arena_reset(&arena);
    }
}

static void schema_json__takes_short_forms_and_refuses_others(void **state)
{
    static const struct {
        const char *text, *type, *message;
    } cases[] = {
        {"list<string>", "list<string>", NULL},
        {"map<string, list<int32>>", "map<string, list<int32>>", NULL},
        {"map<string, timestamp[us, UTC]>", "map<string, timestamp[us, UTC]>", NULL},
        {"map<decimal128(3, 1), float>", "map<decimal128(3, 1), float>", NULL},
        {"fixed_size_list<float>[512]", "fixed_size_list<float>[512]", NULL},
        {"decimal256(76, -3)", "decimal256(76, -3)", NULL},
        {"time64[ns]", "time64[ns]", NULL},
        {"int33", NULL, "\"int33\" is not the text of a type"},
        {"int32 ", NULL, "is not the text of a type"},
        {"list<int32", NULL, "\"list<int32\" is not the text of a type"},
        {"time32[m]", NULL, "is not the text of a type"},
        {"time32[s, UTC]", NULL, "is not the text of a type"},
        {"fixed_size_list<float>[-1]", NULL, "is not the text of a type"},
        {"map<string>", NULL, "\"map<string>\" is not the text of a type"},
        {"decimal128(77, 0)", NULL, "is not the text of a type"},
    };
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_arena arena;
        pn_error err = {0};
        pn_schema schema;
        pn_arena_init(&arena, SIZE_MAX);
        json_t *json = json_pack("[{s:s, s:s}]", "name", "x", "type", cases[i].text);
        pn_status status = pn_schema_from_json(json, &arena, &schema, &err);
        assert_int_equal(status, cases[i].message ? PN_ERR_INVALID : PN_OK);
        if (cases[i].message && !strstr(err.message, cases[i].message))
            fail_msg("\"%s\": %s", cases[i].text, err.message);
        if (!cases[i].message) {
            assert_string_equal(pn_type_text(&schema.fields[0], &arena), cases[i].type);
            assert_true(schema.fields[0].nullable);
        }
        json_decref(json);
        pn_arena_reset(&arena);
    }
}

/* "nullable" is true where nothing is said, but not of a map's keys. */
static void schema_json__knows_that_keys_are_no_nulls(void **state)
{
    static const char text[] = "[{\"name\":\"m\",\"type\":\"map\",\"children\":["
                               "{\"name\":\"key\",\"type\":\"string\"},"
                               "{\"name\":\"value\",\"type\":\"int8\"}]}]";
    pn_error err = {0};
    pn_arena arena;
    pn_schema schema;
    json_t *json;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_json_parse(pn_str_of(text), &json, &err), PN_OK);
    assert_int_equal(pn_schema_from_json(json, &arena, &schema, &err), PN_OK);
    const pn_field *members = schema.fields[0].children[0].children;
    assert_false(members[0].nullable);
    assert_true(members[1].nullable);
    json_decref(json);
    pn_arena_reset(&arena);
}

static void scalar_text__is_exact_and_readable(void **state)
{
    static const struct {
        pn_type_id type;
        pn_time_unit unit;
        int32_t scale;
        const char *in, *out; /* out NULL: refused */
    } cases[] = {
        {PN_TYPE_TIMESTAMP, PN_UNIT_MILLI, 0, "2024-03-17T09:05:00.25Z",
         "2024-03-17T09:05:00.250Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_NANO, 0, "1969-12-31T23:59:59.999999999Z",
         "1969-12-31T23:59:59.999999999Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_NANO, 0, "-9223372036854775808",
         "1677-09-21T00:12:43.145224192Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_NANO, 0, "1677-09-21T00:12:43.145224192Z",
         "1677-09-21T00:12:43.145224192Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_NANO, 0, "9999-01-01", NULL},
        {PN_TYPE_TIMESTAMP, PN_UNIT_SECOND, 0, "2024-03-17T09:05:00+08:00", "2024-03-17T01:05:00Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_SECOND, 0, "9223372036854775807", "9223372036854775807"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_SECOND, 0, "yesterday", NULL},
        {PN_TYPE_DATE32, PN_UNIT_MILLI, 0, "2024-02-29", "2024-02-29"},
        {PN_TYPE_DATE32, PN_UNIT_MILLI, 0, "2023-02-29", NULL},
        {PN_TYPE_DATE32, PN_UNIT_MILLI, 0, "2147483647", "2147483647"},
        {PN_TYPE_DATE64, PN_UNIT_MILLI, 0, "1710633600001", "1710633600001"},
        {PN_TYPE_DATE64, PN_UNIT_MILLI, 0, "1710633600000", "2024-03-17"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 2, "12.5", "12.50"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 2, "-0.05", "-0.05"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 2, "1e3", "1000.00"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 2, "0.125", NULL},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 2, "0.1200", "0.12"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, -2, "1200", "1200"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 0, "99999999999999999999999999999999999999",
         "99999999999999999999999999999999999999"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 0, "-99999999999999999999999999999999999999",
         "-99999999999999999999999999999999999999"},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 0, "100000000000000000000000000000000000000", NULL},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 0, "-170141183460469231731687303715884105728", NULL},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 0, "170141183460469231731687303715884105728", NULL},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 0, "", NULL},
        {PN_TYPE_DECIMAL128, PN_UNIT_MILLI, 0, "1.2.3", NULL},
        {PN_TYPE_DOUBLE, PN_UNIT_MILLI, 0, "-0.0", "-0.0"},
        {PN_TYPE_DOUBLE, PN_UNIT_MILLI, 0, "-Infinity", "-Infinity"},
        {PN_TYPE_DOUBLE, PN_UNIT_MILLI, 0, "inf", NULL},
        {PN_TYPE_FLOAT, PN_UNIT_MILLI, 0, "0.1", "0.1"},
        {PN_TYPE_INT8, PN_UNIT_MILLI, 0, "-128", "-128"},
        {PN_TYPE_INT8, PN_UNIT_MILLI, 0, "128", NULL},
        {PN_TYPE_UINT64, PN_UNIT_MILLI, 0, "18446744073709551615", "18446744073709551615"},
        {PN_TYPE_BOOL, PN_UNIT_MILLI, 0, "true", "true"},
        {PN_TYPE_BOOL, PN_UNIT_MILLI, 0, "yes", NULL},
        {PN_TYPE_BINARY, PN_UNIT_MILLI, 0, "", ""},
        {PN_TYPE_BINARY, PN_UNIT_MILLI, 0, "AP8=", "AP8="},
        {PN_TYPE_BINARY, PN_UNIT_MILLI, 0, "A*", NULL},
        {PN_TYPE_STRING, PN_UNIT_MILLI, 0, "\xC3", NULL},
    };
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_field field;
        pn_builder *builder;
        pn_array array;
        pn_buffer text;
        bool is_bare;
        pn_field_init(&field, "x", cases[i].type, true);
        field.unit = cases[i].unit;
        field.precision = 38;
        field.scale = cases[i].scale;
        pn_buffer_init(&text, 4096);
        assert_int_equal(pn_builder_create(&field, 4096, &builder, &err), PN_OK);
        pn_status status = pn_scalar_from_text(builder, &field, pn_str_of(cases[i].in), &err);
        if ((status == PN_OK) != (cases[i].out != NULL))
            fail_msg("\"%s\": %s", cases[i].in, err.message);
        if (status == PN_OK) {
            assert_int_equal(pn_builder_view(builder, &array, &err), PN_OK);
            assert_int_equal(pn_scalar_to_text(&array, 0, &text, &is_bare, &err), PN_OK);
            assert_string_equal(pn_buffer_text(&text), cases[i].out);
        } else {
            assert_non_null(strstr(err.message, "column \"x\""));
        }
        pn_builder_free(builder);
        pn_buffer_reset(&text);
    }
}

static void json_value__says_what_does_not_fit(void **state)
{
    static const struct {
        const char *type, *json, *message;
    } cases[] = {
        {"int32", "\"12\"", NULL},
        {"int32", "3.0", NULL},
        {"int32", "3.5", "column \"x\" holds int32, and here is a number"},
        {"int32", "[1]", "column \"x\" holds int32, and here is an array"},
        {"int8", "300", "does not fit"},
        {"bool", "1", "holds bool"},
        {"string", "12.5", NULL},
        {"string", "true", NULL},
        {"string", "{}", "here is an object"},
        {"list<int32>", "3", "holds list<int32>, and here is a number"},
        {"fixed_size_list<float>[2]", "[1,2,3]", "3 items, and it takes 2"},
        {"map<string, string>", "{\"a\":1,\"b\":null}", NULL},
        {"map<string, string>", "[[\"a\",\"b\"],[\"a\",null]]", NULL},
        {"map<string, string>", "[[\"a\"]]", "pairs"},
        {"map<string, string>", "[[null,\"b\"]]", "cannot be null"},
        {"decimal128(10, 2)", "12.5", NULL},
        {"decimal128(10, 2)", "12.555", "decimal"},
        {"decimal128(5, 2)", "\"-999.99\"", NULL},
        {"decimal128(5, 2)", "\"00999.990\"", NULL},
        {"decimal128(5, 2)", "1000", "\"1000\" is not a decimal number that the column can hold"},
        {"decimal128(5, 2)", "\"-1e3\"", "can hold"},
        {"decimal128(38, 0)", "\"99999999999999999999999999999999999999\"", NULL},
        {"decimal128(38, 0)", "\"100000000000000000000000000000000000000\"", "can hold"},
        {"decimal128(3, -2)", "\"99900\"", NULL},
        {"decimal128(3, -2)", "\"100000\"", "can hold"},
        {"decimal256(76, 76)", "\"1\"", "can hold"},
        {"timestamp[ms]", "1710633600000", NULL},
        {"double", "true", "here is true"},
        {"float", "1e300", "column \"x\": 1.0000000000000001e+300 does not fit"},
        {"float", "\"-1e39\"", "does not fit"},
        {"float", "3e38", NULL},
    };
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_arena arena;
        pn_error err = {0};
        pn_schema schema;
        pn_builder *builder;
        json_t *json;
        pn_arena_init(&arena, SIZE_MAX);
        json_t *described = json_pack("[{s:s, s:s}]", "name", "x", "type", cases[i].type);
        assert_int_equal(pn_schema_from_json(described, &arena, &schema, &err), PN_OK);
        assert_int_equal(pn_builder_create(&schema.fields[0], 4096, &builder, &err), PN_OK);
        assert_int_equal(pn_json_parse(pn_str_of(cases[i].json), &json, &err), PN_OK);
        pn_status status = pn_value_from_json(builder, &schema.fields[0], json, &err);
        if ((status == PN_OK) != !cases[i].message ||
            (cases[i].message && !strstr(err.message, cases[i].message)))
            fail_msg("%s into %s: %s", cases[i].json, cases[i].type, err.message);
        json_decref(json);
        json_decref(described);
        pn_builder_free(builder);
        pn_arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_value__reads_back_what_it_wrote),
        cmocka_unit_test(schema_json__reads_back_what_it_wrote),
        cmocka_unit_test(schema_json__takes_short_forms_and_refuses_others),
        cmocka_unit_test(schema_json__knows_that_keys_are_no_nulls),
        cmocka_unit_test(scalar_text__is_exact_and_readable),
        cmocka_unit_test(json_value__says_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

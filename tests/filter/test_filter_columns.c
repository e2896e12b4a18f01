/*
 * test_filter_columns.c - columns of every type, odd names, and memory that ends anywhere on the way
 *
 * The table of json_rows.h has the usual types. Here is one with all of them, built by builders: its rows 0 and 1 hold the
 * values below and row 2 is null throughout.
 */
#include "base/alloc.h"
#include "column/decimal.h"
#include "filter/filter.h"
#include "support/json_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { N_ROWS = 3, MOST_COLUMNS = 40 };

typedef struct table {
    pn_arena arena;
    pn_schema schema;
    pn_builder *builders[MOST_COLUMNS];
    pn_array columns[MOST_COLUMNS];
    pn_batch batch;
} table;

static const char long_name[] =
    "a name of so many letters that nobody types it by mistake for another one, is it";

static pn_builder *add(table *t, const char *name, pn_type_id type)
{
    size_t at = t->schema.n_fields++;
    assert_true(at < MOST_COLUMNS);
    pn_field *field = &t->schema.fields[at];
    pn_field_init(field, name, type, true);
    field->size = 3;
    assert_int_equal(pn_builder_create(field, 1 << 20, &t->builders[at], NULL), PN_OK);
    return t->builders[at];
}

static void add_integers(table *t, const char *name, pn_type_id type, int64_t a, int64_t b)
{
    pn_builder *builder = add(t, name, type);
    assert_int_equal(pn_builder_append_i64(builder, a, NULL), PN_OK);
    assert_int_equal(pn_builder_append_i64(builder, b, NULL), PN_OK);
    assert_int_equal(pn_builder_append_null(builder, NULL), PN_OK);
}

static void add_bytes(table *t, const char *name, pn_type_id type, const char *a, const char *b)
{
    pn_builder *builder = add(t, name, type);
    assert_int_equal(pn_builder_append_bytes(builder, a, strlen(a), NULL), PN_OK);
    assert_int_equal(pn_builder_append_bytes(builder, b, strlen(b), NULL), PN_OK);
    assert_int_equal(pn_builder_append_null(builder, NULL), PN_OK);
}

static void add_decimals(table *t, const char *name, pn_type_id type, int32_t scale, const char *a,
                         const char *b)
{
    const char *const texts[] = {a, b};
    size_t at = t->schema.n_fields++;
    assert_true(at < MOST_COLUMNS);
    pn_field *field = &t->schema.fields[at];
    pn_field_init(field, name, type, true);
    field->precision = type == PN_TYPE_DECIMAL128 ? 38 : 76;
    field->scale = scale;
    assert_int_equal(pn_builder_create(field, 1 << 20, &t->builders[at], NULL), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        uint8_t bytes[PN_DECIMAL_MAX_BYTES];
        size_t width = pn_type_width(field);
        assert_true(
            pn_decimal_from_text(pn_str_of(texts[i]), field->precision, scale, bytes, width));
        assert_int_equal(pn_builder_append_bytes(t->builders[at], bytes, width, NULL), PN_OK);
    }
    assert_int_equal(pn_builder_append_null(t->builders[at], NULL), PN_OK);
}

/* A map whose keys are numbers; every row is null. */
static void add_numbered_map(table *t)
{
    size_t at = t->schema.n_fields++;
    pn_field *field = &t->schema.fields[at];
    assert_true(pn_field_init_string_map(field, "numbered", true, &t->arena));
    field->children[0].children[0].type = PN_TYPE_INT32;
    assert_int_equal(pn_builder_create(field, 1 << 20, &t->builders[at], NULL), PN_OK);
    for (int i = 0; i < N_ROWS; i++)
        assert_int_equal(pn_builder_append_null(t->builders[at], NULL), PN_OK);
}

static void make_table(table *t)
{
    *t = (table){0};
    pn_arena_init(&t->arena, SIZE_MAX);
    t->schema.fields = PN_ARENA_NEW(&t->arena, pn_field, MOST_COLUMNS);
    assert_non_null(t->schema.fields);
    pn_builder *nothing = add(t, "nothing", PN_TYPE_NULL);
    for (int i = 0; i < N_ROWS; i++)
        assert_int_equal(pn_builder_append_null(nothing, NULL), PN_OK);
    add_integers(t, "bit", PN_TYPE_BOOL, 1, 0);
    add_integers(t, "i8", PN_TYPE_INT8, -128, 127);
    add_integers(t, "i16", PN_TYPE_INT16, -32768, 32767);
    add_integers(t, "i32", PN_TYPE_INT32, INT32_MIN, INT32_MAX);
    add_integers(t, "i64", PN_TYPE_INT64, INT64_MIN, INT64_MAX);
    add_integers(t, "u8", PN_TYPE_UINT8, 0, 255);
    add_integers(t, "u16", PN_TYPE_UINT16, 0, 65535);
    add_integers(t, "u32", PN_TYPE_UINT32, 0, UINT32_MAX);
    add_integers(t, "u64", PN_TYPE_UINT64, 0, INT64_MAX);
    add_integers(t, "day64", PN_TYPE_DATE64, -1, 86400000);
    add_integers(t, "clock32", PN_TYPE_TIME32, 0, 1);
    add_integers(t, "clock64", PN_TYPE_TIME64, 0, 1);
    add_integers(t, "span", PN_TYPE_DURATION, 0, 1);
    add_bytes(t, "text", PN_TYPE_STRING, "abc", "");
    add_bytes(t, "long_text", PN_TYPE_LARGE_STRING, "abc", "");
    add_bytes(t, "blob", PN_TYPE_BINARY, "abc", "");
    add_bytes(t, "long_blob", PN_TYPE_LARGE_BINARY, "abc", "");
    add_bytes(t, "three", PN_TYPE_FIXED_SIZE_BINARY, "abc", "\x7f\x01z");
    add_decimals(t, "price", PN_TYPE_DECIMAL128, 2, "-0.10", "1234567890123.45");
    add_decimals(t, "number", PN_TYPE_DECIMAL128, 0, "9007199254740993", "-9223372036854775808");
    add_decimals(t, "huge", PN_TYPE_DECIMAL256, 0, "7", "9223372036854775808");
    add_decimals(t, "wide", PN_TYPE_DECIMAL256, 30, "0.3", "-123456.75");
    add_decimals(t, "round", PN_TYPE_DECIMAL128, -3, "12000", "0");
    add_decimals(t, "odd", PN_TYPE_DECIMAL128, 0, "1", "2");
    t->schema.fields[t->schema.n_fields - 1].scale = 100;
    add_integers(t, "1st", PN_TYPE_INT32, 1, 2);
    add_integers(t, "select", PN_TYPE_INT32, 1, 2);
    add_integers(t, "the \"other\"", PN_TYPE_INT32, 1, 2);
    add_integers(t, "", PN_TYPE_INT32, 1, 2);
    add_integers(t, long_name, PN_TYPE_INT32, 1, 2);
    add_numbered_map(t);
    for (size_t c = 0; c < t->schema.n_fields; c++)
        assert_int_equal(pn_builder_view(t->builders[c], &t->columns[c], NULL), PN_OK);
    t->batch = (pn_batch){.schema = &t->schema, .columns = t->columns, .n_rows = N_ROWS};
}

static void free_table(table *t)
{
    for (size_t c = 0; c < t->schema.n_fields; c++)
        pn_builder_free(t->builders[c]);
    pn_arena_reset(&t->arena);
}

static pn_status evaluate(const pn_schema *schema, const pn_batch *batch, const char *text,
                          pn_arena *arena, pn_mask *mask, pn_error *err)
{
    pn_filter *filter, *again;
    char *printed, *printed_again;
    PN_TRY(pn_filter_compile(pn_str_of(text), schema, arena, &filter, err));
    PN_TRY(pn_filter_eval(filter, batch, arena, mask, err));
    PN_TRY(pn_filter_print(filter, arena, &printed, err));
    PN_TRY(pn_filter_compile(pn_str_of(printed), schema, arena, &again, err));
    PN_TRY(pn_filter_print(again, arena, &printed_again, err));
    assert_string_equal(printed, printed_again);
    return PN_OK;
}

static void columns__of_every_type_can_be_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned rows; /* a bit each */
    } cases[] = {
        {"nothing IS NULL", 7},
        {"nothing = 1 OR nothing", 0},
        {"bit", 1},
        {"NOT bit", 2},
        {"i8 = -128", 1},
        {"i8 = 127", 2},
        {"i16 = -32768", 1},
        {"i16 > 0", 2},
        {"i32 = -2147483648", 1},
        {"i64 = -9223372036854775808", 1},
        {"i64 = 9223372036854775807", 2},
        {"u8 = 255", 2},
        {"u16 = 65535", 2},
        {"u32 = 4294967295", 2},
        {"u64 = 9223372036854775807", 2},
        {"u64 < 1", 1},
        {"day64 = date '1969-12-31'", 1},
        {"day64 = date '1970-01-02'", 2},
        {"CAST(day64 AS text) = '1970-01-02'", 2},
        {"clock32 IS NULL", 4},
        {"clock64 IS NOT NULL", 3},
        {"span IS NULL", 4},
        {"text = 'abc'", 1},
        {"long_text = 'abc'", 1},
        {"long_text LIKE 'a%' AND text ILIKE '%C'", 1},
        {"blob = x'616263'", 1},
        {"long_blob = x''", 2},
        {"three = x'616263'", 1},
        {"three = x'7F017A'", 2},
        {"three < x'7F'", 1},
        {"price = -0.1", 1},
        {"price = 1234567890123.45", 2},
        {"price < 1234567890123.46 AND price > 1234567890123.44", 2},
        {"price IN (7, -0.10)", 1},
        {"price IS NULL", 4},
        {"price * 10 = -1", 1},
        {"price BETWEEN -1 AND 0", 1},
        {"CAST(price AS text) = '-0.1'", 1},
        {"number = 9007199254740993", 1},
        {"number = 9007199254740992", 0},
        {"number % 2 = 1", 1},
        {"number = -9223372036854775808", 2},
        {"huge IS NULL", 4},
        {"wide = 0.3", 1},
        {"wide = -123456.75", 2},
        {"round = 12000", 1},
        {"round < 0.5", 2},
        {"odd IS NOT NULL", 3},
        {"\"1st\" = 1", 1},
        {"\"select\" = 1", 1},
        {"\"the \"\"other\"\"\" = 1", 1},
        {"\"\" = 1", 1},
        {"numbered IS NULL", 7},
        {"cardinality(numbered) = 0", 0},
    };
    table t;
    make_table(&t);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_mask mask;
        if (evaluate(&t.schema, &t.batch, cases[i].text, &t.arena, &mask, &err) != PN_OK)
            fail_msg("%s\n%s", cases[i].text, err.message);
        if (mask.words[0] != cases[i].rows)
            fail_msg("%s: rows 0x%x, 0x%x were expected", cases[i].text, (unsigned)mask.words[0],
                     cases[i].rows);
    }
    free_table(&t);
}

static void errors__name_what_cannot_be_done(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        pn_status status;
    } cases[] = {
        {"clock32 = 1", "clock32", PN_ERR_UNSUPPORTED},
        {"odd = 1", "decimal128(38, 100)", PN_ERR_UNSUPPORTED},
        {"huge = 7",
         "column \"huge\" has 9223372036854775808, which is beyond the 64 bits that filters count "
         "with",
         PN_ERR_LIMIT},
        {"numbered['a'] = 'x'", "the keys of this map are no texts", PN_ERR_INVALID},
        {"bits", "did you mean \"bit\"?", PN_ERR_INVALID},
        {"\"x\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3"
         "\xA9\xC3\xA9"
         "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
         "\xC3\xA9"
         "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
         "\xC3\xA9\" = 1",
         "unknown column \"x", PN_ERR_INVALID},
    };
    table t;
    make_table(&t);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_mask mask;
        assert_int_equal(evaluate(&t.schema, &t.batch, cases[i].text, &t.arena, &mask, &err),
                         cases[i].status);
        if (!strstr(err.message, cases[i].message) || !pn_str_is_utf8(pn_str_of(err.message)))
            fail_msg("%s\n%s", cases[i].text, err.message);
    }
    free_table(&t);
}

/* A long value in a message, and a long line around the place of the fault: cut, but never inside a character. */
static void messages__are_cut_between_characters(void **state)
{
    (void)state;
    table t;
    make_table(&t);
    for (size_t shift = 0; shift < 4; shift++)
        for (size_t n = 20; n < 400; n += 19) {
            char text[2400] = "text = '";
            pn_error err = {0};
            pn_mask mask;
            memset(text + strlen(text), 'x', shift);
            for (size_t i = 0; i < n; i++)
                strcat(text, "\xE6\x97\xA5");
            strcat(text, "' OR CAST('");
            for (size_t i = 0; i < n; i++)
                strcat(text, "\xC3\xA9");
            strcat(text, "' AS int) = 1");
            assert_int_equal(evaluate(&t.schema, &t.batch, text, &t.arena, &mask, &err),
                             PN_ERR_INVALID);
            assert_true(pn_str_is_utf8(pn_str_of(err.message)));
            assert_non_null(strchr(err.message, '^'));
        }
    free_table(&t);
}

/* What the allocations of a filter are for: every kind of node, function and literal. */
static const char *const rich_filters[] = {
    "metadata['a'] < 5 AND (title ILIKE '%e%' OR id IN (1, 2, 3, metadata['b']))",
    "regexp_match(title, '^R') OR title LIKE '_\\%' ESCAPE '\\' OR thumbnail = x'00ff'",
    "concat(title, id, NULL) <> lower(title) AND upper(title) || 'it''s' = \"two words\"",
    "tags[1] = 'x' AND array_has(map_keys(metadata), 'b') AND metadata[title] = title",
    "cardinality(map_extract(metadata, title)) = 1 OR size.width * 2 + id / 3 % 2 = -stock",
    "CAST(price AS text) = title OR TRY_CAST(title AS timestamp) > now() OR day IS NULL",
    "coalesce(price, stock, 1.5) BETWEEN 1 AND 2 OR NOT available IS DISTINCT FROM NULL",
    "taken > timestamp '2024-01-01 00:00:00.123456' AND day < date '2024-01-01'",
    "stock IN (1, 2.5, NULL) OR stock NOT IN (3, 4) OR title IN ('a', 'b', 'c', 'd', 'e')",
    "substr(title, 2, 3) = trim(title) AND round(price, 1) = abs(price)",
    "CAST(title AS int) = 5",
};

static const char rows_json[] =
    "[{\"id\": 1, \"title\": \"Red Shoe\", \"price\": 2.5, \"stock\": 7, \"available\": true, "
    "\"metadata\": {\"a\": \"1\"}, \"tags\": [\"x\", null], \"size\": {\"width\": 1}, "
    "\"day\": \"2024-01-01\", \"taken\": 5, \"thumbnail\": \"ab\"}, {\"title\": \"12\", "
    "\"metadata\": {}}, "
    "{}]";

/* An arena that takes so much and no more: each allocation is the first that fails for some of these. */
static void a_full_arena__is_no_memory_wherever_it_is_met(void **state)
{
    (void)state;
    pn_arena kept;
    pn_schema schema;
    json_rows rows;
    size_t n_failed = 0;
    pn_arena_init(&kept, SIZE_MAX);
    json_rows_shop_schema(&kept, &schema);
    json_rows_make(&schema, rows_json, &rows);
    for (size_t i = 0; i < PN_COUNT_OF(rich_filters); i++)
        for (size_t most = 64;; most += 24) {
            pn_arena arena;
            pn_error err = {0};
            pn_mask mask;
            pn_arena_init(&arena, most);
            pn_status status = evaluate(&schema, &rows.batch, rich_filters[i], &arena, &mask, &err);
            pn_arena_reset(&arena);
            if (status == PN_OK)
                break;
            if (status == PN_ERR_INVALID && strstr(err.message, "CAST: 'Red Shoe'"))
                break; // of the last one: also only when there was memory
            if (status != PN_ERR_NOMEM)
                fail_msg("%s\nwith %zu bytes: status %d: %s", rich_filters[i], most, status,
                         err.message);
            n_failed++;
        }
    assert_true(n_failed > 100 * PN_COUNT_OF(rich_filters));
    json_rows_free(&rows);
    pn_arena_reset(&kept);
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns__of_every_type_can_be_asked_for),
        cmocka_unit_test(errors__name_what_cannot_be_done),
        cmocka_unit_test(messages__are_cut_between_characters),
        cmocka_unit_test(a_full_arena__is_no_memory_wherever_it_is_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

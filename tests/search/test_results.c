/*
 * test_results.c - what people get to see of a row, whoever made the table
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "column/decimal.h"
#include "search/results.h"
#include "support/faults.h"
#include "support/json_rows.h"
#include "support/search_table.h"

enum { DIM = SEARCH_TABLE_DIM };

/* ---- one value */

static void expect_text(const pn_field *field, const char *json, const char *want)
{
    pn_arena arena;
    json_rows rows;
    char text[200];
    pn_schema schema = {.fields = (pn_field *)field, .n_fields = 1};
    (void)snprintf(text, sizeof text, "[{\"c\": %s}]", json);
    pn_arena_init(&arena, SIZE_MAX);
    json_rows_make(&schema, text, &rows);
    char *got = pn_value_text(&rows.batch.columns[0], 0, &arena);
    if (strcmp(got, want) != 0)
        fail_msg("%s is shown as \"%s\", \"%s\" was expected", json, got, want);
    json_rows_free(&rows);
    pn_arena_reset(&arena);
}

static void values__are_shown_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        pn_type_id type;
        pn_time_unit unit;
        const char *json, *text;
    } cases[] = {
        {PN_TYPE_NULL, 0, "null", ""},
        {PN_TYPE_STRING, 0, "null", ""},
        {PN_TYPE_BOOL, 0, "true", "true"},
        {PN_TYPE_BOOL, 0, "false", "false"},
        {PN_TYPE_INT8, 0, "-128", "-128"},
        {PN_TYPE_INT64, 0, "-9223372036854775808", "-9223372036854775808"},
        {PN_TYPE_UINT32, 0, "4294967295", "4294967295"},
        {PN_TYPE_UINT64, 0, "18446744073709551615", "18446744073709551615"},
        {PN_TYPE_HALF, 0, "0.5", "0.5"},
        {PN_TYPE_FLOAT, 0, "0.1", "0.1"},
        {PN_TYPE_DOUBLE, 0, "0.1", "0.1"},
        {PN_TYPE_DOUBLE, 0, "59.90", "59.9"},
        {PN_TYPE_DOUBLE, 0, "3", "3"},
        {PN_TYPE_STRING, 0, "\"a b\"", "a b"},
        {PN_TYPE_LARGE_STRING, 0, "\"\"", ""},
        {PN_TYPE_BINARY, 0, "\"abc\"", "<3 bytes>"},
        {PN_TYPE_LARGE_BINARY, 0, "\"\"", "<0 bytes>"},
        {PN_TYPE_DATE32, 0, "\"2024-03-17\"", "2024-03-17"},
        {PN_TYPE_DATE64, 0, "\"2024-03-17\"", "2024-03-17T00:00:00.000Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_SECOND, "1", "1970-01-01T00:00:01.000Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_MILLI, "-1", "1969-12-31T23:59:59.999Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_MICRO, "1500000", "1970-01-01T00:00:01.500Z"},
        {PN_TYPE_TIMESTAMP, PN_UNIT_NANO, "1", "1970-01-01T00:00:00.000Z"},
        {PN_TYPE_TIME32, PN_UNIT_MILLI, "5", ""}, // nothing we could say
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field field;
        pn_field_init(&field, "c", cases[i].type, true);
        field.unit = cases[i].unit;
        expect_text(&field, cases[i].json, cases[i].text);
    }
}

static void decimals__are_shown_with_all_their_digits(void **state)
{
    (void)state;
    static const struct {
        pn_type_id type;
        int32_t scale;
        const char *text;
    } cases[] = {
        {PN_TYPE_DECIMAL128, 2, "59.90"},
        {PN_TYPE_DECIMAL128, 0, "-12345678901234567890123456789012345678"},
        {PN_TYPE_DECIMAL256, 40, "0.0000000000000000000000000000000000000001"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field field;
        pn_arena arena;
        uint8_t bytes[PN_DECIMAL_MAX_BYTES];
        pn_field_init(&field, "c", cases[i].type, true);
        field.scale = cases[i].scale;
        pn_arena_init(&arena, SIZE_MAX);
        assert_true(pn_decimal_from_text(pn_str_of(cases[i].text), 38, cases[i].scale, bytes,
                                         pn_type_width(&field)));
        const pn_array array = {.field = &field, .length = 1, .values = bytes};
        assert_string_equal(pn_value_text(&array, 0, &arena), cases[i].text);
        pn_arena_reset(&arena);
    }
}

static void nested_values__are_not_shown(void **state)
{
    (void)state;
    pn_arena arena;
    pn_field list, item;
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&item, "item", PN_TYPE_INT32, true);
    assert_true(pn_field_init_list(&list, "c", &item, true, &arena));
    expect_text(&list, "[1, 2]", "");
    pn_arena_reset(&arena);
}

/* ---- rows */

static pn_status find(search_table *t, pn_snapshot *snapshot, int64_t id, pn_row_addr *out)
{
    return t->engine->find_id(t->engine->self, snapshot, id, out, NULL);
}

static void expect_pair(const pn_hit *hit, size_t i, const char *key, const char *value)
{
    assert_true(i < hit->n_metadata);
    assert_string_equal(hit->metadata[i].key, key);
    assert_string_equal(hit->metadata[i].value, value);
}

static const char image_rows[] =
    "[{\"id\": 4, \"vector\": [1, 0, 0, 0], \"image_path\": \"a.jpg\", \"metadata\": {\"color\": "
    "\"red\", "
    "\"price\": \"5\", \"none\": null}, \"timestamp\": 1700000000000, \"thumbnail\": \"xx\", "
    "\"content_hash\": \"h\"}, "
    "{\"id\": 9, \"vector\": [0, 0.5, 0, 0.25], \"image_path\": \"b/c.jpg\", \"metadata\": {}, "
    "\"timestamp\": -1}]";

static void an_image_table__gives_its_columns(void **state)
{
    (void)state;
    static const float want[DIM] = {0, 0.5f, 0, 0.25f}, distances[] = {0.5f, 0.25f};
    search_table t;
    pn_snapshot *snapshot;
    pn_row_addr addrs[2];
    pn_hits hits;
    search_table_make(NULL, &t);
    search_table_append(&t, image_rows);
    assert_int_equal(t.engine->pin(t.engine->self, &snapshot, NULL), PN_OK);
    assert_int_equal(find(&t, snapshot, 9, &addrs[0]), PN_OK);
    assert_int_equal(find(&t, snapshot, 4, &addrs[1]), PN_OK);
    assert_int_equal(
        pn_hits_fetch(t.engine, snapshot, addrs, distances, 2, PN_SEARCH_WITH_VECTORS, &hits, NULL),
        PN_OK);
    t.engine->unpin(t.engine->self, snapshot); // not needed any more
    assert_int_equal(hits.n, 2);
    assert_int_equal(hits.dim, DIM);
    assert_true(hits.table_has_thumbnails);
    assert_int_equal(hits.hits[0].id, 9);
    assert_true(hits.hits[0].addr == addrs[0]);
    assert_true(hits.hits[0].distance == 0.5f);
    assert_string_equal(hits.hits[0].path, "b/c.jpg");
    assert_true(hits.hits[0].timestamp_ms == -1);
    assert_int_equal(hits.hits[0].n_metadata, 0);
    assert_memory_equal(hits.hits[0].vector, want, sizeof want);
    assert_int_equal(hits.hits[1].id, 4);
    assert_true(hits.hits[1].timestamp_ms == 1700000000000);
    assert_int_equal(hits.hits[1].n_metadata, 3); // neither thumbnail nor hash
    expect_pair(&hits.hits[1], 0, "color", "red");
    expect_pair(&hits.hits[1], 1, "price", "5");
    expect_pair(&hits.hits[1], 2, "none", "");
    pn_hits_free(&hits);
    search_table_free(&t);
    assert_int_equal(pn_alloc_live(), 0);
}

static void no_vectors_and_no_distances__unless_asked_for(void **state)
{
    (void)state;
    search_table t;
    pn_snapshot *snapshot;
    pn_row_addr addr;
    pn_hits hits;
    search_table_make(NULL, &t);
    search_table_append(&t, image_rows);
    assert_int_equal(t.engine->pin(t.engine->self, &snapshot, NULL), PN_OK);
    assert_int_equal(find(&t, snapshot, 4, &addr), PN_OK);
    assert_int_equal(
        pn_hits_fetch(t.engine, snapshot, &addr, NULL, 1, PN_SEARCH_WITHOUT_VECTORS, &hits, NULL),
        PN_OK);
    assert_null(hits.hits[0].vector);
    assert_true(hits.hits[0].distance == 0);
    pn_hits_free(&hits);
    assert_int_equal(
        pn_hits_fetch(t.engine, snapshot, NULL, NULL, 0, PN_SEARCH_WITHOUT_VECTORS, &hits, NULL),
        PN_OK);
    assert_int_equal(hits.n, 0);
    pn_hits_free(&hits);
    pn_row_addr nowhere = pn_row_addr_make(77, 1);
    assert_int_equal(pn_hits_fetch(t.engine, snapshot, &nowhere, NULL, 1, PN_SEARCH_WITHOUT_VECTORS,
                                   &hits, NULL),
                     PN_ERR_NOT_FOUND);
    assert_int_equal(hits.n, 0);
    pn_hits_free(&hits);
    t.engine->unpin(t.engine->self, snapshot);
    search_table_free(&t);
}

/* A table as somebody else would make it: ids of texts, no path; columns of its own, some of which cannot be shown. */
static void foreign_schema(pn_arena *arena, pn_schema *out)
{
    enum { N = 8 };
    pn_field *fields = PN_ARENA_NEW(arena, pn_field, N), item;
    assert_non_null(fields);
    pn_field_init(&item, "item", PN_TYPE_INT32, true);
    pn_field_init(&fields[0], "category", PN_TYPE_STRING, true);
    assert_true(pn_field_init_vector(&fields[1], "vector", DIM, arena));
    fields[1].nullable = true;
    assert_true(pn_field_init_list(&fields[2], "sizes", &item, true, arena));
    pn_field_init(&fields[3], "price", PN_TYPE_DOUBLE, true);
    assert_true(pn_field_init_string_map(&fields[4], "extra", true, arena));
    pn_field_init(&fields[5], "day", PN_TYPE_DATE32, true);
    pn_field_init(&fields[6], "timestamp", PN_TYPE_INT64, true); // of the name, not of the type
    pn_field_init(&fields[7], "id", PN_TYPE_STRING, true);
    *out = (pn_schema){.fields = fields, .n_fields = N};
}

static const char foreign_rows[] =
    "[{\"category\": \"shoe\", \"vector\": [1, 0, 0, 0], \"sizes\": [1, 2], \"price\": 2.5, "
    "\"extra\": "
    "{\"k\": \"v\"}, \"day\": \"2024-01-01\", \"timestamp\": 5, \"id\": \"S-1\"}, {\"price\": 1}]";

static void a_foreign_table__shows_what_it_has(void **state)
{
    (void)state;
    pn_arena arena;
    pn_schema schema;
    search_table t;
    pn_snapshot *snapshot;
    pn_hits hits;
    pn_arena_init(&arena, SIZE_MAX);
    foreign_schema(&arena, &schema);
    search_table_make(&schema, &t);
    search_table_append(&t, foreign_rows);
    assert_int_equal(t.engine->pin(t.engine->self, &snapshot, NULL), PN_OK);
    const pn_row_addr addrs[] = {pn_row_addr_make(0, 0), pn_row_addr_make(0, 1)};
    pn_row_addr found;
    assert_int_equal(find(&t, snapshot, (int64_t)addrs[1], &found),
                     PN_OK); // ids are addresses here
    assert_true(found == addrs[1]);
    assert_int_equal(
        pn_hits_fetch(t.engine, snapshot, addrs, NULL, 2, PN_SEARCH_WITH_VECTORS, &hits, NULL),
        PN_OK);
    const pn_hit *hit = &hits.hits[0];
    assert_false(hits.table_has_thumbnails);
    assert_int_equal(hit->id, addrs[0]);
    assert_string_equal(hit->path, "");
    assert_true(hit->timestamp_ms == PN_NO_TIMESTAMP);
    assert_int_equal(hit->n_metadata, 6);
    expect_pair(hit, 0, "category", "shoe");
    expect_pair(hit, 1, "price", "2.5");
    expect_pair(hit, 2, "k", "v");
    expect_pair(hit, 3, "day", "2024-01-01");
    expect_pair(hit, 4, "timestamp", "5");
    expect_pair(hit, 5, "id", "S-1");
    assert_non_null(hit->vector);
    assert_int_equal(hits.hits[1].n_metadata, 1); // nulls are left out
    expect_pair(&hits.hits[1], 0, "price", "1");
    assert_null(hits.hits[1].vector);
    pn_hits_free(&hits);
    t.engine->unpin(t.engine->self, snapshot);
    search_table_free(&t);
    pn_arena_reset(&arena);
    assert_int_equal(pn_alloc_live(), 0);
}

/* ---- no memory */

typedef struct fetching {
    search_table *table;
    pn_snapshot *snapshot;
    size_t n;
} fetching;

static pn_status fetch(void *context, pn_error *err)
{
    enum { MOST = 64 };
    fetching *f = context;
    pn_row_addr addrs[MOST];
    pn_hits hits;
    for (size_t i = 0; i < f->n; i++)
        addrs[i] = pn_row_addr_make(0, (uint32_t)i);
    pn_status status = pn_hits_fetch(f->table->engine, f->snapshot, addrs, NULL, f->n,
                                     PN_SEARCH_WITH_VECTORS, &hits, err);
    assert_int_equal(hits.n, status == PN_OK ? f->n : 0);
    pn_hits_free(&hits);
    return status;
}

/* Paths and values of 3 KiB, so that each is the one that needs another block now and then. */
static void no_memory__is_said_and_leaves_nothing(void **state)
{
    (void)state;
    enum { LONG = 3000, N_ROWS = 12 };
    static char json[N_ROWS * (4 * LONG + 300)];
    char text[LONG + 1];
    search_table t;
    size_t n = (size_t)snprintf(json, sizeof json, "[");
    memset(text, 'x', LONG);
    for (int i = 0; i < N_ROWS; i++) {
        text[LONG - 100 * i] = '\0'; // shorter and shorter
        n += (size_t)snprintf(
            json + n, sizeof json - n,
            "%s{\"id\": %d, \"vector\": [1, 0, 0, 0], \"image_path\": \"%s\", \"metadata\": "
            "{\"%s\": \"%s\"}, \"timestamp\": 1}",
            i > 0 ? "," : "", i, text, text, text);
    }
    strcat(json, "]");
    search_table_make(NULL, &t);
    search_table_append(&t, json);
    fetching f = {.table = &t, .n = N_ROWS};
    assert_int_equal(t.engine->pin(t.engine->self, &f.snapshot, NULL), PN_OK);
    assert_int_equal(fetch(&f, NULL), PN_OK); // what stays in memory is there now
    for (f.n = 1; f.n <= N_ROWS; f.n++)
        assert_true(faults_each_allocation(fetch, &f) >= 2);
    t.engine->unpin(t.engine->self, f.snapshot);
    search_table_free(&t);
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values__are_shown_as_people_write_them),
        cmocka_unit_test(decimals__are_shown_with_all_their_digits),
        cmocka_unit_test(nested_values__are_not_shown),
        cmocka_unit_test(an_image_table__gives_its_columns),
        cmocka_unit_test(no_vectors_and_no_distances__unless_asked_for),
        cmocka_unit_test(a_foreign_table__shows_what_it_has),
        cmocka_unit_test(no_memory__is_said_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

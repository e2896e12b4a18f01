/*
 * test_filter_hostile.c - texts that nobody writes by mistake
 *
 * Whatever comes in, the answer is a filter or an error with a message; nothing crashes, hangs, or takes memory without
 * bound. Accepted texts must survive being printed and compiled again.
 */
#include "support/json_rows.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "filter/filter.h"
#include "os/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MEMORY = 512 << 20, TEXT_MAX = 200000 };

typedef struct fixture {
    pn_arena arena, work;
    pn_schema schema;
    json_rows rows;
} fixture;

static const char rows_json[] =
    "[{\"id\": 1, \"title\": \"Red Shoe\", \"price\": 2.5, \"stock\": 0, \"available\": true, "
    "\"metadata\": {\"a\": \"1\"}, \"tags\": [\"x\", null], \"size\": {\"width\": 1}, "
    "\"timestamp\": 0, "
    "\"day\": \"2024-01-01\", \"taken\": 5, \"thumbnail\": \"ab\", \"vector\": [1, 2]}, "
    "{\"id\": -9223372036854775808, \"views\": 18446744073709551615, \"title\": \"\", \"price\": "
    "\"NaN\", \"metadata\": {}}, {}]";

static int setup(void **state)
{
    fixture *f = pn_alloc_zero(sizeof *f);
    assert_non_null(f);
    pn_arena_init(&f->arena, SIZE_MAX);
    pn_arena_init(&f->work, MEMORY);
    json_rows_shop_schema(&f->arena, &f->schema);
    json_rows_make(&f->schema, rows_json, &f->rows);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    json_rows_free(&f->rows);
    pn_arena_reset(&f->work);
    pn_arena_reset(&f->arena);
    pn_free(f);
    return 0;
}

/* Compile and evaluate; the printed text must do the same. */
static pn_status try_text(fixture *f, const char *text, size_t n, pn_error *err)
{
    pn_filter *filter, *again;
    pn_mask mask, mask_again;
    char *printed, *printed_again;
    pn_arena_reset(&f->work);
    *err = (pn_error){0};
    char *copy = pn_alloc(n); // exactly n bytes: reading past them is seen
    assert_non_null(copy);
    memcpy(copy, text, n);
    pn_status status = pn_filter_compile(pn_str_make(copy, n), &f->schema, &f->work, &filter, err);
    pn_free(copy); // the filter has its own
    if (status == PN_OK)
        status = pn_filter_eval(filter, &f->rows.batch, &f->work, &mask, err);
    if (status != PN_OK) {
        assert_int_equal(err->status, status);
        assert_true(err->message[0] != '\0' && strlen(err->message) < PN_ERROR_MESSAGE_BYTES);
        assert_true(pn_str_is_utf8(pn_str_of(err->message)));
        return status;
    }
    assert_int_equal(pn_filter_print(filter, &f->work, &printed, err), PN_OK);
    status = pn_filter_compile(pn_str_of(printed), &f->schema, &f->work, &again, err);
    if (status == PN_ERR_LIMIT)
        return PN_OK; // a text near the limit may be longer when printed
    if (status != PN_OK)
        fail_msg("%.*s\nwas printed as\n%s\n%s", (int)n, text, printed, err->message);
    assert_int_equal(pn_filter_print(again, &f->work, &printed_again, err), PN_OK);
    assert_string_equal(printed, printed_again);
    assert_int_equal(pn_filter_eval(again, &f->rows.batch, &f->work, &mask_again, err), PN_OK);
    assert_memory_equal(mask.words, mask_again.words, 8);
    return PN_OK;
}

/* head, then n times part, then tail */
static pn_status try_repeated(fixture *f, const char *head, const char *part, size_t n,
                              const char *tail, pn_error *err)
{
    static char text[TEXT_MAX];
    size_t at = strlen(head), length = strlen(part);
    assert_true(at + n * length + strlen(tail) < sizeof text);
    memcpy(text, head, at);
    for (size_t i = 0; i < n; i++, at += length)
        memcpy(text + at, part, length);
    memcpy(text + at, tail, strlen(tail));
    return try_text(f, text, at + strlen(tail), err);
}

static void filter__limits_depth(void **state)
{
    static const struct {
        const char *head, *part, *tail;
    } towers[] = {
        {"", "(", "1"},
        {"", "NOT ", "TRUE"},
        {"id = ", "+", "1"},
        {"id = ", "- ", "id"},
        {"", "lower(", "title"},
        {"", "CAST(", "id"},
        {"", "tags[", "1"},
        {"id = id", " + id", ""},
        {"id = id", "::int", ""},
        {"available", " IS TRUE", ""},
        {"id", ".a", " = 1"},
        {"id = id", " || id", ""},
        {"id IN (", "coalesce(", "1"},
        {"", "(NOT ", "TRUE"},
        {"id = (", "-(", "1"},
    };
    pn_error err;
    for (size_t i = 0; i < PN_COUNT_OF(towers); i++) {
        assert_int_not_equal(
            try_repeated(*state, towers[i].head, towers[i].part, 6000, towers[i].tail, &err),
            PN_OK);
        assert_true(strstr(err.message, "128 levels") != NULL);
        for (size_t n = 100; n < 140; n++) // around the limit: either way, but never a crash
            (void)try_repeated(*state, towers[i].head, towers[i].part, n, towers[i].tail, &err);
    }
}

static void filter__takes_long_chains(void **state)
{
    pn_error err;
    if (try_repeated(*state, "id = 1", " OR id = 2", 4000, "", &err) != PN_OK)
        fail_msg("%s", err.message);
    if (try_repeated(*state, "id = 1", " AND (id = 1)", 4000, "", &err) != PN_OK)
        fail_msg("%s", err.message);
    if (try_repeated(*state, "id IN (1", ",123", 12000, ")", &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(try_repeated(*state, "id IN (1", ",1", 20000, ")", &err), PN_ERR_LIMIT);
    assert_int_equal(try_repeated(*state, "id = 1", "          ", 7000, "", &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "65536"));
}

static void filter__refuses_broken_texts(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *message;
    } cases[] = {
        {"", 0, "empty"},
        {" \n\t", 3, "empty"},
        {"-- nothing", 10, "the filter ends here"},
        {"id = 1\0", 7, "a NUL byte"},
        {"title = '\0'", 11, "a NUL byte"},
        {"title = '\xff'", 11, "not UTF-8: byte 0xff"},
        {"title = '\xc3", 10, "not UTF-8"},
        {"\xed\xa0\x80 = 1", 7, "not UTF-8"},
        {"\xef\xbb\xbfid = 1", 9, "unknown column"},
        {"id = \x01", 6, "has no meaning"},
        {"'", 1, "never closed"},
        {"\"", 1, "never closed"},
        {"x'", 2, "never closed"},
        {"id =", 4, "ends here"},
        {".", 1, "expected"},
        {"id = 1e999", 10, "too large"},
        {"\"\" = 1", 6, "unknown column"},
    };
    pn_error err;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        assert_int_equal(try_text(*state, cases[i].text, cases[i].n, &err), PN_ERR_INVALID);
        if (!strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
    }
}

/* Every error of a text with a line in it has three lines, and the caret stands where the column says. */
static void error__points_at_the_place(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"id = 1 AND\n  colr = 2",
         "filter, line 2, column 3: unknown column \"colr\"; keys of the map "
         "are written metadata['key']\n  colr = 2\n  ^"},
        {"title = '日本' AND x = 1",
         "filter, column 18: unknown column \"x\"; keys of the map are "
         "written metadata['key']\ntitle = '日本' AND x = 1\n              "
         "     ^"},
        {"\tprise = 1",
         "filter, column 2: unknown column \"prise\"; did you mean \"price\"?\n prise = 1\n ^"},
    };
    pn_error err;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        assert_int_equal(try_text(*state, cases[i].text, strlen(cases[i].text), &err),
                         PN_ERR_INVALID);
        assert_string_equal(err.message, cases[i].message);
    }
    (void)try_repeated(*state, "id = 1", " AND id = 1", 500, " AND idd = 1", &err);
    const char *second = strchr(err.message, '\n') + 1, *third = strchr(second, '\n') + 1;
    assert_memory_equal(second + (strchr(third, '^') - third), "idd = 1", 7);
    assert_memory_equal(second, "...", 3);
}

static void filter__bounds_the_work_of_patterns(void **state)
{
    fixture *f = *state;
    static char json[120000] = "[{\"title\": \"";
    static char text[60000];
    pn_error err = {0};
    json_rows rows;
    pn_filter *filter;
    pn_mask mask;
    size_t n = strlen(json);
    memset(json + n, 'a', 100000);
    strcpy(json + n + 100000, "\"}]");
    json_rows_make(&f->schema, json, &rows);
    static const char *const heads[] = {"title LIKE '%", "title ILIKE '%", "regexp_match(title, '"};
    static const char *const parts[] = {"_a", "a%", "a*"};
    static const char *const tails[] = {"b%'", "b'", "b')"};
    for (size_t h = 0; h < PN_COUNT_OF(heads); h++)
        for (size_t p = 0; p < PN_COUNT_OF(parts); p++) {
            strcpy(text, heads[h]);
            for (int i = 0; i < 20000; i++)
                strcpy(text + strlen(heads[h]) + 2 * (size_t)i, parts[p]);
            strcat(text, tails[h]);
            pn_arena_reset(&f->work);
            int64_t start = pn_clock_monotonic_ns();
            pn_status status =
                pn_filter_compile(pn_str_of(text), &f->schema, &f->work, &filter, &err);
            if (status == PN_OK)
                status = pn_filter_eval(filter, &rows.batch, &f->work, &mask, &err);
            assert_true(status != PN_ERR_BUG);
            assert_true(pn_clock_monotonic_ns() - start < (int64_t)30e9);
        }
    pn_arena_reset(&f->work);
    assert_int_equal(pn_filter_compile(PN_STR_LITERAL("regexp_match(title, '^(a+)+[bc]$')"),
                                       &f->schema, &f->work, &filter, &err),
                     PN_OK);
    assert_int_equal(pn_filter_eval(filter, &rows.batch, &f->work, &mask, &err), PN_ERR_LIMIT);
    json_rows_free(&rows);
}

/* Words of the language in no order, and good filters with bytes changed. */
static void filter__survives_random_texts(void **state)
{
    static const char *const words[] = {
        "id",
        "title",
        "price",
        "metadata",
        "['a']",
        "tags",
        "size",
        ".width",
        "timestamp",
        "day",
        "views",
        "available",
        "weight",
        "AND",
        "OR",
        "NOT",
        "IN",
        "(",
        ")",
        ",",
        "LIKE",
        "ILIKE",
        "'a%'",
        "'2024-01-01'",
        "BETWEEN",
        "IS",
        "NULL",
        "TRUE",
        "DISTINCT FROM",
        "=",
        "<",
        ">=",
        "<>",
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "::",
        "int",
        "double",
        "CAST(",
        "AS",
        "lower(",
        "coalesce(",
        "round(",
        "map_keys(",
        "array_has(",
        "cardinality(",
        "regexp_match(",
        "timestamp_ms(",
        "1",
        "0",
        "-1",
        "2.5",
        "9223372036854775807",
        "18446744073709551615",
        "'x'",
        "x'00'",
        "date '2024-01-01'",
        "timestamp '2024-01-01 00:00:00.123456'",
        "[",
        "]",
        "[1]",
        "~",
        "ESCAPE '!'",
        "now()",
        "TRY_CAST(",
        "text",
        "thumbnail",
        "cost",
        "vector",
    };
    static const char *const good[] = {
        "metadata['category'] = 'footwear' AND timestamp > timestamp_ms(1700000000000)",
        "CAST(metadata['price'] AS double) < 50 OR title ILIKE '%sh_e%' ESCAPE '!'",
        "NOT (id IN (1, 2, NULL) OR price BETWEEN -1.5e3 AND .5) IS NOT TRUE",
        "array_has(map_keys(metadata), 'a') AND tags[1] || 'x' = concat(title, 1, NULL)",
        "day >= date '2024-01-01' AND taken < '2024-01-01 12:00:00.25' AND size.width IS NULL",
        "regexp_match(title, '^R.*', 'i') AND abs(-stock) % 3 = round(price, 1)::int",
    };
    pn_rng rng = pn_rng_seed(21);
    pn_error err;
    size_t n_accepted = 0;
    char text[2048];
    for (int i = 0; i < 60000; i++) {
        size_t n = 0;
        for (size_t w = 1 + pn_rng_below(&rng, 12); w > 0; w--)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s",
                                  words[pn_rng_below(&rng, PN_COUNT_OF(words))],
                                  pn_rng_below(&rng, 3) ? " " : "");
        if (i % 2 == 0) {
            const char *base = good[pn_rng_below(&rng, PN_COUNT_OF(good))];
            n = strlen(base);
            memcpy(text, base, n);
            for (size_t c = pn_rng_below(&rng, 4); c > 0; c--) {
                size_t at = pn_rng_below(&rng, n), to = pn_rng_below(&rng, n);
                text[at] = pn_rng_below(&rng, 3) ? text[to] : (char)pn_rng_below(&rng, 256);
            }
            n -= pn_rng_below(&rng, 5) == 0 ? pn_rng_below(&rng, n) : 0;
        }
        n_accepted += try_text(*state, text, n, &err) == PN_OK;
    }
    print_message("%zu of 60000 texts were filters\n", n_accepted);
    assert_true(n_accepted > 500);
}

static void filter__says_when_there_is_no_memory(void **state)
{
    static const char text[] = "metadata['a'] < 5 AND (title ILIKE '%e%' OR regexp_match(title, "
                               "'^R') OR id IN (1, 2, 3)) AND "
                               "concat(title, id) <> lower('X') AND tags[1] = 'x' AND NOT "
                               "array_has(map_keys(metadata), 'b')";
    fixture *f = *state;
    for (int64_t n = 1;; n++) {
        pn_arena arena;
        pn_error err = {0};
        pn_filter *filter;
        pn_mask mask;
        char *printed;
        int64_t live = pn_alloc_live();
        pn_arena_init(&arena, SIZE_MAX);
        pn_alloc_fail_after(n);
        pn_status status = pn_filter_compile(pn_str_of(text), &f->schema, &arena, &filter, &err);
        if (status == PN_OK)
            status = pn_filter_eval(filter, &f->rows.batch, &arena, &mask, &err);
        if (status == PN_OK)
            status = pn_filter_print(filter, &arena, &printed, &err);
        pn_alloc_fail_after(0);
        pn_arena_reset(&arena);
        assert_int_equal(pn_alloc_live(), live);
        if (status == PN_OK)
            break;
        assert_int_equal(status, PN_ERR_NOMEM);
        assert_true(n < 10000);
    }
    for (size_t bytes = 1024; bytes < 200000; bytes += 1024) { // an arena that is full is the same
        pn_arena arena;
        pn_error err = {0};
        pn_filter *filter;
        pn_mask mask;
        pn_arena_init(&arena, bytes);
        pn_status status = pn_filter_compile(pn_str_of(text), &f->schema, &arena, &filter, &err);
        if (status == PN_OK)
            status = pn_filter_eval(filter, &f->rows.batch, &arena, &mask, &err);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        pn_arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter__limits_depth),
        cmocka_unit_test(filter__takes_long_chains),
        cmocka_unit_test(filter__refuses_broken_texts),
        cmocka_unit_test(error__points_at_the_place),
        cmocka_unit_test(filter__bounds_the_work_of_patterns),
        cmocka_unit_test(filter__survives_random_texts),
        cmocka_unit_test(filter__says_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/*
 * test_list_row.c - lists as people make them, fed in pieces of every size
 *
 * Each case is a list and what must come of it, one line an item: path|time|key=value|..., or !place: reason. Every case is fed
 * byte by byte, in sevens, and at once: what comes of it must not depend on that.
 */
#include "ingest/list_row.h"

#include "base/alloc.h"
#include "base/buffer.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

typedef struct sunk {
    pn_buffer text;
    size_t n_items, stop_after;
} sunk;

static void put(sunk *s, const char *text)
{
    pn_error err = {0};
    if (pn_buffer_append_text(&s->text, text, &err) != PN_OK)
        fail_msg("%s", err.message);
}

static pn_status take_item(void *context, pn_ingest_item *item, pn_error *err)
{
    sunk *s = context;
    char number[32];
    put(s, item->path);
    (void)snprintf(number, sizeof number, "|%" PRId64, item->timestamp_ms);
    put(s, item->timestamp_ms == PN_INGEST_NO_TIME ? "|-" : number);
    for (size_t i = 0; i < item->n_metadata; i++) {
        put(s, "|");
        put(s, item->metadata[i].key);
        put(s, "=");
        put(s, item->metadata[i].value);
    }
    put(s, "\n");
    pn_ingest_item_free(item);
    s->n_items++;
    return s->stop_after > 0 && s->n_items == s->stop_after
               ? pn_fail(err, PN_ERR_CANCELLED, "enough")
               : PN_OK;
}

static void take_bad_row(void *context, const char *where, pn_status status, const char *reason)
{
    sunk *s = context;
    assert_int_not_equal(status, PN_OK);
    put(s, "!");
    put(s, where);
    put(s, ": ");
    put(s, reason);
    put(s, "\n");
}

static pn_status feed(pn_list_kind kind, const pn_source_options *options, const char *list,
                      size_t n, size_t piece, sunk *s, pn_error *err)
{
    pn_source_sink sink = {.context = s, .item = take_item, .bad_row = take_bad_row};
    pn_list_reader *reader;
    pn_status status = pn_list_reader_create("shop/list", kind, options, &sink, &reader, err);
    assert_int_equal(status, PN_OK);
    for (size_t at = 0; at < n && status == PN_OK; at += piece) {
        /* Each piece in memory of its own, so that reading past its end is seen. */
        size_t length = PN_MIN(piece, n - at);
        char *copy = malloc(length);
        assert_non_null(copy);
        memcpy(copy, list + at, length);
        status = pn_list_reader_feed(reader, copy, length, err);
        free(copy);
    }
    if (status == PN_OK)
        status = pn_list_reader_feed(reader, NULL, 0, err);
    pn_list_reader_free(reader);
    return status;
}

static const size_t PIECES[] = {1, 7, SIZE_MAX / 2};

static void expect(pn_list_kind kind, const pn_source_options *options, const char *list,
                   const char *want)
{
    for (size_t i = 0; i < PN_COUNT_OF(PIECES); i++) {
        pn_error err = {0};
        sunk s = {0};
        pn_buffer_init(&s.text, 1u << 20);
        pn_status status = feed(kind, options, list, strlen(list), PIECES[i], &s, &err);
        if (status != PN_OK)
            fail_msg("%s: %s", list, err.message);
        assert_string_equal(pn_buffer_text(&s.text), want);
        pn_buffer_reset(&s.text);
    }
}

static void expect_failure(pn_list_kind kind, const pn_source_options *options, const char *list,
                           size_t n, pn_status want, const char *message)
{
    for (size_t i = 0; i < PN_COUNT_OF(PIECES); i++) {
        pn_error err = {0};
        sunk s = {0};
        pn_buffer_init(&s.text, 1u << 20);
        size_t piece = n > 100000 ? PN_MAX(PIECES[i], (size_t)65536) : PIECES[i];
        assert_int_equal(feed(kind, options, list, n, piece, &s, &err), want);
        if (!strstr(err.message, message))
            fail_msg("no \"%s\" in \"%s\"", message, err.message);
        pn_buffer_reset(&s.text);
    }
}

static const pn_source_options usual = {NULL, NULL, NULL};

static void csv__is_read_as_spreadsheets_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *list, *want;
    } cases[] = {
        {"path,title\na.jpg,Shoe\n", "a.jpg|-|title=Shoe\n"},
        {"path,title\r\na.jpg,Shoe\r\nb.jpg,Hat", "a.jpg|-|title=Shoe\nb.jpg|-|title=Hat\n"},
        {"path,title\ra.jpg,Shoe\r", "a.jpg|-|title=Shoe\n"},
        {"\xEF\xBB\xBFpath,title\na.jpg,Shoe\n", "a.jpg|-|title=Shoe\n"},
        {"\xEF\xBB\xBF\"path\";title\na.jpg;Shoe\n", "a.jpg|-|title=Shoe\n"},
        {"path\ttitle\na.jpg\tRed, new\n", "a.jpg|-|title=Red, new\n"},
        {"path;price\na.jpg;1,5\n", "a.jpg|-|price=1,5\n"},
        {"path,title\na.jpg,\"Red, \"\"new\"\"\"\n", "a.jpg|-|title=Red, \"new\"\n"},
        {"path,title\na.jpg,\"two\nlines\"\nb.jpg,x\n",
         "a.jpg|-|title=two\nlines\nb.jpg|-|title=x\n"},
        {"\n\npath,title\n\na.jpg,Shoe\n\n", "a.jpg|-|title=Shoe\n"},
        {" Image_Path , Title \n./a.jpg,Shoe\n", "a.jpg|-|Title=Shoe\n"},
        {"file,filename\na.jpg,b.jpg\n", "a.jpg|-|filename=b.jpg\n"},
        {"path,title,title\na,one,two\nb,,two\n", "a|-|title=one\nb|-|title=two\n"},
        {"path,,x\na,unnamed,1\n", "a|-|x=1\n"},
        {"path,title\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++)
        expect(PN_LIST_CSV, &usual, cases[i].list, cases[i].want);
}

static void csv__reports_rows_that_make_no_sense(void **state)
{
    (void)state;
    expect(PN_LIST_CSV, &usual, "path,title\na.jpg\nb.jpg,x,y\n,nameless\nc.jpg,ok\n",
           "!shop/list, row 2: 1 cells, the header has 2\n"
           "!shop/list, row 3: 3 cells, the header has 2\n"
           "!shop/list, row 4: no path\n"
           "c.jpg|-|title=ok\n");
}

static void csv__without_a_path_column_is_refused(void **state)
{
    (void)state;
    static const char list[] = "title,price\nShoe,1\n";
    expect_failure(PN_LIST_CSV, &usual, list, strlen(list), PN_ERR_INVALID, "no column \"path\"");
    const pn_source_options named = {.path_column = "photo"};
    static const char other[] = "path,title\na,b\n";
    expect_failure(PN_LIST_CSV, &named, other, strlen(other), PN_ERR_INVALID,
                   "no column \"photo\"");
    const pn_source_options timed = {.timestamp_column = "when"};
    expect_failure(PN_LIST_CSV, &timed, other, strlen(other), PN_ERR_INVALID, "no column \"when\"");
}

static void csv__takes_the_columns_that_are_named(void **state)
{
    (void)state;
    const pn_source_options named = {.path_column = "photo", .timestamp_column = "bought"};
    expect(PN_LIST_CSV, &named, "path,photo,bought,date\na,b,2024-03-17,x\n",
           "b|1710633600000|path=a|date=x\n");
}

static void csv__bounds_a_quote_that_never_ends(void **state)
{
    (void)state;
    size_t n = 6u << 20;
    char *list = malloc(n);
    assert_non_null(list);
    memset(list, 'x', n);
    memcpy(list, "path,title\na,\"", 14);
    expect_failure(PN_LIST_CSV, &usual, list, n, PN_ERR_LIMIT, "a quote that never ends?");
    for (size_t i = 11; i < n; i++) // cells without end
        list[i] = ',';
    expect_failure(PN_LIST_CSV, &usual, list, n, PN_ERR_LIMIT, "1024 cells");
    free(list);
}

static void csv__stops_when_the_sink_has_enough(void **state)
{
    (void)state;
    static const char list[] = "path\na\nb\nc\n";
    pn_error err = {0};
    sunk s = {.stop_after = 2};
    pn_buffer_init(&s.text, 1u << 20);
    assert_int_equal(feed(PN_LIST_CSV, &usual, list, strlen(list), 100, &s, &err),
                     PN_ERR_CANCELLED);
    assert_int_equal(s.n_items, 2);
    pn_buffer_reset(&s.text);
}

static void times__are_found_and_understood(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* want "": it is no time, and stays metadata */
    } cases[] = {
        {"2024-03-17", "1710633600000"},
        {"2024/03/17", "1710633600000"},
        {"2024-03-17T09:05:30Z", "1710666330000"},
        {"2024-03-17 09:05:30.25+08:00", "1710637530250"},
        {"1710633600", "1710633600000"},
        {"1710633600123", "1710633600123"},
        {" 2024-03-17 ", "1710633600000"},
        {"2024-02-30", ""},
        {"2024", ""},
        {"17.03.2024", ""},
        {"soon", ""},
        {"9223372036854775807", ""},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        char list[256], want[256];
        (void)snprintf(list, sizeof list, "path,created_at\na.jpg,%s\n", cases[i].text);
        if (cases[i].want[0])
            (void)snprintf(want, sizeof want, "a.jpg|%s\n", cases[i].want);
        else
            (void)snprintf(want, sizeof want, "a.jpg|-|created_at=%s\n", cases[i].text);
        expect(PN_LIST_CSV, &usual, list, want);
        (void)snprintf(list, sizeof list, "{\"path\":\"a.jpg\",\"created_at\":\"%s\"}\n",
                       cases[i].text);
        expect(PN_LIST_JSON, &usual, list, want);
    }
    expect(PN_LIST_JSON, &usual,
           "{\"path\":\"a\",\"date\":1710633600}\n{\"path\":\"b\",\"date\":1.5}",
           "a|1710633600000\nb|-|date=1.5\n");
}

static void jsonl__is_read_with_every_kind_of_value(void **state)
{
    (void)state;
    expect(PN_LIST_JSON, &usual,
           "\xEF\xBB\xBF{\"path\":\"a\",\"price\":59.9,\"n\":3,\"new\":true,\"gone\":null,"
           "\"tags\":[\"x\",1],\"deep\":{\"k\":\"v\"}}\r\n"
           "\n"
           "{\"image\":\"./\xE7\xBA\xA2.jpg\",\"title\":\"\\u7ea2\\\"\"}",
           "a|-|price=59.9|n=3|new=true|tags=[\"x\",1]|deep={\"k\":\"v\"}\n"
           "\xE7\xBA\xA2.jpg|-|title=\xE7\xBA\xA2\"\n");
}

static void jsonl__reports_lines_that_make_no_sense(void **state)
{
    (void)state;
    expect(PN_LIST_JSON, &usual,
           "[1]\n{\"title\":\"x\"}\n{\"path\":\"\"}\n{\"path\":5}\n{\"path\":\"ok\"}\n",
           "!shop/list, line 1: not a JSON object\n"
           "!shop/list, line 2: no path\n"
           "!shop/list, line 3: no path\n"
           "!shop/list, line 4: no path\n"
           "ok|-\n");
    static const char *const broken[] = {"{\"path\":\"a\"", "{\"path\":\"a\",\"path\":\"b\"}",
                                         "{\"path\":\"\xFF\"}", "{\"path\":\"a\\u0000b\"}",
                                         "{path:1}"};
    for (size_t i = 0; i < PN_COUNT_OF(broken); i++) {
        pn_error err = {0};
        sunk s = {0};
        pn_buffer_init(&s.text, 1u << 20);
        assert_int_equal(feed(PN_LIST_JSON, &usual, broken[i], strlen(broken[i]), 5, &s, &err),
                         PN_OK);
        const char *text = pn_buffer_text(&s.text);
        assert_int_equal(s.n_items, 0);
        assert_memory_equal(text, "!shop/list, line 1: ", 20);
        pn_buffer_reset(&s.text);
    }
}

static void jsonl__bounds_a_line(void **state)
{
    (void)state;
    size_t n = 5u << 20;
    char *list = malloc(n);
    assert_non_null(list);
    memset(list, ' ', n);
    expect_failure(PN_LIST_JSON, &usual, list, n, PN_ERR_LIMIT, "line 1");
    free(list);
}

static void paths__may_be_mixed_with_rows(void **state)
{
    (void)state;
    expect(PN_LIST_PATHS, &usual,
           "\xEF\xBB\xBF a.jpg \r\n\n{\"path\":\"b.jpg\",\"k\":\"v\"}\n./c d.jpg\n/e.jpg",
           "a.jpg|-\nb.jpg|-|k=v\nc d.jpg|-\n/e.jpg|-\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv__is_read_as_spreadsheets_write_it),
        cmocka_unit_test(csv__reports_rows_that_make_no_sense),
        cmocka_unit_test(csv__without_a_path_column_is_refused),
        cmocka_unit_test(csv__takes_the_columns_that_are_named),
        cmocka_unit_test(csv__bounds_a_quote_that_never_ends),
        cmocka_unit_test(csv__stops_when_the_sink_has_enough),
        cmocka_unit_test(times__are_found_and_understood),
        cmocka_unit_test(jsonl__is_read_with_every_kind_of_value),
        cmocka_unit_test(jsonl__reports_lines_that_make_no_sense),
        cmocka_unit_test(jsonl__bounds_a_line),
        cmocka_unit_test(paths__may_be_mixed_with_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

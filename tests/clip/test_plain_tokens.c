/*
 * test_plain_tokens.c - what the quick reader takes, a JSON library reads alike
 *
 * It may give up on whatever it likes but the files that exist; what it takes must be valid JSON, and mean the same.
 */
#include "base/rng.h"
#include "clip/plain_tokens.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the four above */
#include <cmocka.h>

static bool read_plain(pn_str text, pn_arena *arena, pn_plain_token **tokens, size_t *n)
{
    /* a copy that ends where the text ends, so that a byte read beyond it is noticed */
    char *exact = malloc(text.len + (text.len == 0));
    if (text.len > 0)
        memcpy(exact, text.ptr, text.len);
    bool taken = pn_plain_tokens_read(pn_str_make(exact, text.len), arena, tokens, n);
    for (size_t i = 0; taken && i < *n; i++)
        (*tokens)[i].text =
            pn_str_of(pn_arena_strndup(arena, (*tokens)[i].text.ptr, (*tokens)[i].text.len));
    free(exact);
    return taken;
}

/* Duplicates are the library's to find: the last one counts there. */
static bool check_against_library(pn_str text)
{
    pn_arena arena;
    pn_plain_token *tokens;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    bool taken = read_plain(text, &arena, &tokens, &n);
    if (taken) {
        json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
        if (!json_is_object(root))
            fail_msg("taken: %.*s", (int)text.len, text.ptr);
        for (size_t i = 0; i < n; i++) {
            json_t *id = json_object_get(root, tokens[i].text.ptr);
            assert_true(json_is_integer(id));
            bool again = false;
            for (size_t j = i + 1; j < n; j++)
                again = again || pn_str_equal(tokens[i].text, tokens[j].text);
            if (!again)
                assert_int_equal(json_integer_value(id), tokens[i].id);
        }
        assert_true(json_object_size(root) <= n);
        json_decref(root);
    }
    pn_arena_reset(&arena);
    return taken;
}

static void read__takes_what_vocabularies_are_made_of(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":0}",
        " {\n\t\"a</w>\" : 12 ,\r\n \"\\u0120b\": 99999999}\n",
        "{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":1,\"\\u00e9\\uFB01\\u0041\":2,\"\xF0\x9F\x98\x80\":3}",
        "{\"\":7,\"plain\\u0021behind\":8}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!check_against_library(pn_str_of(texts[i])))
            fail_msg("not taken: %s", texts[i]);
}

static void read__gives_up_on_the_rest(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\":1}x",
        "{\"a\":-1}",
        "{\"a\":01}",
        "{\"a\":1.0}",
        "{\"a\":1e3}",
        "{\"a\":\"1\"}",
        "{\"a\":100000000}",
        "{\"a\":99999999999999999999}",
        "{\"a\":[1]}",
        "{\"a\":null}",
        "{a:1}",
        "{\"a:1}",
        "{\"a\\\":1}",
        "{\"\\u0000\":1}",
        "{\"\\ud83d\\ude00\":1}",
        "{\"\\u12\":1}",
        "{\"\\u12g4\":1}",
        "{\"\\x\":1}",
        "{\"\\",
        "{\"\\u",
        "{\"a\tb\":1}",
        "{\"\\na\tb\":1}",
        "{\"\xFF\":1}",
        "{\"\xC0\x80\":1}",
        "{\"\xED\xA0\x80\":1}",
        "\xEF\xBB\xBF{\"a\":1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\" 1}",
        "{,\"a\":1}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (check_against_library(pn_str_of(texts[i])))
            fail_msg("taken: %s", texts[i]);
}

static void read__means_what_the_library_reads(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "{",       "}",     "\"", "\"a\"", "\"b\\u00E9\"",   "\"\\\\\"", ":",    ",",    "1",
        "0",       "23",    " ",  "\n",    "\"\\n\"",        "\\",       "\\u0", "\xC3", "\xA9",
        "\"c\":4", "\"\":", ".",  "-",     "\"d\":5,\"e\":6"};
    pn_rng rng = pn_rng_seed(11);
    size_t n_taken = 0;
    for (int round = 0; round < 200000; round++) {
        char text[256] = "{";
        size_t n = 1;
        bool odd = pn_rng_below(&rng, 2) == 0;
        for (size_t i = pn_rng_below(&rng, 8); i > 0; i--)
            n += (size_t)snprintf(text + n, sizeof text - n, odd ? "%s" : "\"%s\" : %s,",
                                  pieces[pn_rng_below(&rng, sizeof pieces / sizeof *pieces)],
                                  pieces[8 + pn_rng_below(&rng, 3)]);
        n -= !odd && n > 1;
        text[n++] = '}';
        n_taken += check_against_library(pn_str_make(text, n));
    }
    assert_true(n_taken > 5000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__takes_what_vocabularies_are_made_of),
        cmocka_unit_test(read__gives_up_on_the_rest),
        cmocka_unit_test(read__means_what_the_library_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

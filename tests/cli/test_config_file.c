/*
 * test_config_file.c - YAML that means harm: it is refused or taken, quickly, and nothing is lost or overrun
 *
 * What the keys do to the program is tests/cli/run_config.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "base/buffer.h"
#include "base/rng.h"
#include "cli/config_file.h"
#include "cli/config_keys.h"
#include "os/fd.h"
#include "support/faults.h"
#include "support/scratch_folder.h"

static int setup(void **state)
{
    unsetenv("PENNON_TABLE");
    unsetenv("PENNON_TOKEN");
    unsetenv("PENNON_MODEL");
    return scratch_folder_setup(state);
}

static int teardown(void **state)
{
    return scratch_folder_teardown(state);
}

static pn_status apply(const char *file, pn_config *config, pn_error *err)
{
    static char program[] = "pennon serve", option[] = "--verbose";
    static char *argv[] = {program, option, NULL};
    *config = (pn_config){0};
    return pn_config_apply(file, "serve", 2, argv, config, err);
}

static pn_status apply_bytes(scratch_folder *s, const void *bytes, size_t n, pn_error *err)
{
    pn_config config;
    char *path = scratch_path(s, "c.yaml");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    pn_status status = apply(path, &config, err);
    if (status == PN_OK) {
        assert_true(config.argc >= 2);
        assert_string_equal(config.argv[config.argc - 1], "--verbose");
        assert_null(config.argv[config.argc]);
    }
    pn_config_end(&config);
    return status;
}

static void refuse(scratch_folder *s, const char *text, const char *message)
{
    pn_error err = {0};
    assert_int_equal(apply_bytes(s, text, strlen(text), &err), PN_ERR_INVALID);
    if (!strstr(err.message, message))
        fail_msg("\"%s\" is refused with: %s", text, err.message);
}

static void options__come_in_order_of_what_wins(void **state)
{
    scratch_folder *s = *state;
    pn_config config;
    pn_error err = {0};
    char *path = scratch_file(s, "a.yaml",
                              "search: {threads: 3}\nserve: {threads: 2, port: 9}\nthreads: 1\n"
                              "table: a b\npreprocess: pad\n");
    assert_int_equal(apply(path, &config, &err), PN_OK);
    static const char *const want[] = {"pennon serve", "--threads=1", "--table=a b",
                                       "--threads=2",  "--port=9",    "--verbose"};
    assert_int_equal(config.argc, PN_COUNT_OF(want));
    for (size_t i = 0; i < PN_COUNT_OF(want); i++)
        assert_string_equal(config.argv[i], want[i]);
    pn_config_end(&config);
}

static void wrong_names__suggest_the_right_ones(void **state)
{
    scratch_folder *s = *state;
    refuse(s, "serve: {prot: 1}",
           "line 1, column 9: \"serve.prot\" is not a key: is \"serve.port\" meant?");
    refuse(s, "port: 1", "is \"serve.port\" meant?");
    refuse(s, "sreve: {port: 1}", "is \"serve\" meant?");
    refuse(s, "list: {cuont: 1}", "is \"search.count\" meant?");
    refuse(s, "serve: {treads: 1}", "is \"serve.threads\" meant?");
    refuse(s, "max_body: 1", "is \"serve.max-body\" meant?");
    refuse(s, "entirely-different: 1", "is not a key. There are table, model");
    refuse(s, "a: 1", "is not a key. There are");
    refuse(s, "serve: {preprocess: pad}", "\"serve.preprocess\" is not a key");
    refuse(s, "<<: {table: x}", "\"<<\" is not a key");
}

static void aliases__are_nodes_not_copies(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char bomb[4096];
    size_t used = (size_t)snprintf(bomb, sizeof bomb, "a0: &a0 [x, x]\n");
    for (int i = 1; i < 60; i++)
        used += (size_t)snprintf(bomb + used, sizeof bomb - used, "a%d: &a%d [*a%d, *a%d, *a%d]\n",
                                 i, i, i - 1, i - 1, i - 1);
    refuse(s, bomb, "line 1, column 1: \"a0\" is not a key");
    (void)snprintf(bomb, sizeof bomb, "serve: &s\n  port: 1\nsearch: *s\n");
    refuse(s, bomb, "line 2, column 3: \"search.port\" is not a key");
    refuse(s, "&a serve: &b {serve: *b}", "\"serve.serve\" is not a key");
    refuse(s, "serve: &b {*b : 1}", "\"serve.?\" is not a key");
    refuse(s, "&r {serve: *r}", "\"serve.serve\" is not a key");
    refuse(s, "table: *nowhere", "undefined alias");
    const char *fine = "table: &t x\nserve: {ingest-root: *t}\n";
    assert_int_equal(apply_bytes(s, fine, strlen(fine), &err), PN_OK);
}

static void repeat(char *out, size_t n_out, const char *what)
{
    for (size_t i = 0; i < n_out; i++)
        out[i] = what[i % strlen(what)];
}

static void deep_and_huge__are_refused(void **state)
{
    scratch_folder *s = *state;
    static const char *const units[] = {"[",  "{", "- ",  "? ", "[{",   "{a: ", "a:\n", "!!", "&a ",
                                        "\"", "'", "|\n", "%",  "--- ", "- - ", "*",    "[,", "\t"};
    enum { N = 60000 };
    char *text = malloc(2 * N);
    assert_non_null(text);
    for (size_t i = 0; i < PN_COUNT_OF(units); i++) {
        pn_error err = {0};
        repeat(text, N, units[i]);
        if (apply_bytes(s, text, N, &err) != PN_ERR_INVALID)
            fail_msg("60,000 bytes of \"%s\": %s", units[i], err.message);
    }
    refuse(s, "table: [[[[[[[[[[]]]]]]]]]]", "line 1, column 15: nested more than 8 deep");
    pn_error err = {0};
    repeat(text, 2 * N, "# comment\n");
    assert_int_equal(apply_bytes(s, text, 2 * N, &err), PN_ERR_LIMIT);
    assert_int_equal(apply_bytes(s, text, N, &err), PN_OK);
    pn_config config;
    assert_int_equal(apply("/dev/zero", &config, &err), PN_ERR_LIMIT);
    pn_config_end(&config);
    free(text);
}

static void bytes_that_are_no_text__name_their_line(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    refuse(s, "table: x\nmodel: \xff\n", "line 2, column 8: ");
    refuse(s, "table: \xc3(\n", "line 1, column 9: ");
    refuse(s, "table: \xed\xa0\x80\n", "line 1, column 8: ");
    refuse(s, "table: a\x01z\n", "line 1, column 9: ");
    refuse(s, "table: \"\\e[2J\"\n", "line 1, column 8: table: a text is needed");
    refuse(s, "\"\\e[2J\": x\n", "\"?\" is not a key");
    refuse(s, "table: \"a\\0b\"\n", "table: a text is needed");
    assert_int_equal(apply_bytes(s, "table: a\0b\n", 11, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "line 1, column 9"));
    assert_int_equal(apply_bytes(s, "\0", 1, &err), PN_ERR_INVALID);
    assert_int_equal(apply_bytes(s, "\xff\xfet\0a\0b\0l\0e\0:\0 \0x\0", 18, &err), PN_OK); // UTF-16
    assert_int_equal(apply_bytes(s, "\xff\xfet", 3, &err), PN_ERR_INVALID);
    assert_int_equal(apply_bytes(s, "\xef\xbb\xbftable: x\n", 12, &err), PN_OK);
}

static void types__are_what_they_look_like(void **state)
{
    scratch_folder *s = *state;
    refuse(s, "table: ~", "table: a text is needed");
    refuse(s, "table: null", "table: a text is needed");
    refuse(s, "table: !!binary eA==", "table: a text is needed");
    refuse(s, "serve: {port: !!int \"8\"}", "serve.port: a whole number from 0 to 65535 is needed");
    refuse(s, "serve: {port: 1e3}", "serve.port: a whole number");
    refuse(s, "serve: {port: -1}", "serve.port: a whole number");
    refuse(s, "serve: {port: 99999999999999999999999}", "serve.port: a whole number");
    refuse(s, "serve: {verbose: yes}", "serve.verbose: true or false");
    refuse(s, "ingest: {commit-seconds: .inf}", "a number of seconds");
    refuse(s, "serve: 1", "line 1, column 8: serve: a mapping of keys is needed");
}

/* A good file with bytes changed, cut and doubled. */
static void mutations__never_hurt(void **state)
{
    scratch_folder *s = *state;
    static const char good[] =
        "# all of it\ntable: &t shop.lance\nmodel: \"m\\u00e9\"\nthreads: 2\n"
        "ingest: {commit-rows: 10, quiet: true, base: *t}\nserve:\n  host: '::1'\n  port: 0\n"
        "  token: |\n    abc\n  read-only: false\nsearch:\n  ? count\n  : 3\n";
    static const char odd[] = "\0\xff[]{}&*!|>'\"%@`#,:?-\n\t ~";
    pn_rng rng = pn_rng_seed(7);
    size_t n_taken = 0;
    for (int round = 0; round < 3000; round++) {
        pn_error err = {0};
        char text[sizeof good];
        size_t n = sizeof good - 1;
        memcpy(text, good, sizeof good);
        for (uint64_t k = pn_rng_below(&rng, 4) + 1; k > 0; k--)
            text[pn_rng_below(&rng, n)] = odd[pn_rng_below(&rng, sizeof odd - 1)];
        if (round % 3 == 0)
            n = pn_rng_below(&rng, n);
        n_taken += apply_bytes(s, text, n, &err) == PN_OK;
    }
    assert_in_range(n_taken, 1, 2999);
}

static pn_status apply_once(void *context, pn_error *err)
{
    pn_config config;
    pn_status status = apply(context, &config, err);
    pn_config_end(&config);
    return status;
}

static void memory__may_end_anywhere(void **state)
{
    scratch_folder *s = *state;
    char *path = scratch_file(s, "a.yaml", "table: x\nserve: {port: 1, token: y}\n");
    assert_true(faults_each_allocation(apply_once, path) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(options__come_in_order_of_what_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_names__suggest_the_right_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(aliases__are_nodes_not_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_and_huge__are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_text__name_their_line, setup, teardown),
        cmocka_unit_test_setup_teardown(types__are_what_they_look_like, setup, teardown),
        cmocka_unit_test_setup_teardown(mutations__never_hurt, setup, teardown),
        cmocka_unit_test_setup_teardown(memory__may_end_anywhere, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

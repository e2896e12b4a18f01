/*
 * test_log.c - who hears what
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/log.h"

typedef struct heard {
    int n;
    pn_log_level level;
    char message[2048];
} heard;

static void listen(void *context, pn_log_level level, const char *message)
{
    heard *h = context;
    h->n++;
    h->level = level;
    (void)snprintf(h->message, sizeof h->message, "%s", message);
}

static int setup(void **state)
{
    static heard h;
    h = (heard){0};
    *state = &h;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pn_log_set(NULL, NULL, PN_LOG_ERROR);
    return 0;
}

static void nobody__hears_nothing(void **state)
{
    heard *h = *state;
    pn_log(PN_LOG_ERROR, "into the %s", "void");
    pn_log_set(listen, h, PN_LOG_DEBUG);
    pn_log_set(NULL, NULL, PN_LOG_DEBUG);
    pn_log(PN_LOG_ERROR, "into the %s", "void");
    assert_int_equal(h->n, 0);
}

static void messages__below_the_threshold_are_left_out(void **state)
{
    heard *h = *state;
    for (pn_log_level least = PN_LOG_DEBUG; least <= PN_LOG_ERROR; least++)
        for (pn_log_level level = PN_LOG_DEBUG; level <= PN_LOG_ERROR; level++) {
            *h = (heard){0};
            pn_log_set(listen, h, least);
            pn_log(level, "%d of %s", 7, "9");
            assert_int_equal(h->n, level >= least);
            if (h->n) {
                assert_int_equal(h->level, level);
                assert_string_equal(h->message, "7 of 9");
            }
        }
}

static void a_long_line__is_cut_between_characters(void **state)
{
    heard *h = *state;
    char text[3000];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4); // a euro sign
        pn_log_set(listen, h, PN_LOG_DEBUG);
        pn_log(PN_LOG_INFO, "%s", text);
        size_t n = strlen(h->message);
        assert_in_range(n, 1000, 1023);
        assert_int_equal((n - shift) % 3, 0);
        assert_memory_equal(h->message, text, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody__hears_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(messages__below_the_threshold_are_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_long_line__is_cut_between_characters, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

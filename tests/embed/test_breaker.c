/*
 * test_breaker.c - three failures, a pause, one probe
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "embed/breaker.h"

static const int64_t MS = 1000000;

static void fail_times(pn_breaker *b, unsigned n, int64_t now)
{
    for (unsigned i = 0; i < n; i++)
        pn_breaker_fail(b, now);
}

static void breaker__opens_after_failures_in_a_row(void **state)
{
    (void)state;
    pn_breaker b;
    pn_breaker_init(&b, 100);
    fail_times(&b, PN_BREAKER_FAILURES - 1, 0);
    pn_breaker_succeed(&b); // not in a row
    fail_times(&b, PN_BREAKER_FAILURES - 1, 0);
    assert_int_equal(pn_breaker_ask(&b, 0), PN_BREAKER_GO);
    pn_breaker_fail(&b, 5 * MS);
    assert_int_equal(pn_breaker_ask(&b, 5 * MS), PN_BREAKER_REFUSED);
    assert_int_equal(pn_breaker_wait_ns(&b, 5 * MS), 100 * MS);
    fail_times(&b, 4, 50 * MS); // those that were under way
    assert_int_equal(pn_breaker_wait_ns(&b, 5 * MS), 100 * MS);
    assert_int_equal(pn_breaker_ask(&b, 104 * MS), PN_BREAKER_REFUSED);
}

static void breaker__lets_one_probe_through(void **state)
{
    (void)state;
    pn_breaker b;
    pn_breaker_init(&b, 100);
    fail_times(&b, PN_BREAKER_FAILURES, 0);
    assert_int_equal(pn_breaker_ask(&b, 100 * MS), PN_BREAKER_PROBE);
    assert_int_equal(pn_breaker_ask(&b, 100 * MS), PN_BREAKER_REFUSED);
    pn_breaker_forget(&b);
    assert_int_equal(pn_breaker_ask(&b, 100 * MS), PN_BREAKER_PROBE);
    pn_breaker_succeed(&b);
    assert_int_equal(pn_breaker_ask(&b, 100 * MS), PN_BREAKER_GO);
    assert_int_equal(b.n_failures, 0);
}

static void breaker__waits_twice_as_long_after_a_failed_probe(void **state)
{
    (void)state;
    pn_breaker b;
    int64_t now = 0, pause = 100 * MS;
    pn_breaker_init(&b, 100);
    fail_times(&b, PN_BREAKER_FAILURES, now);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pn_breaker_wait_ns(&b, now), pause);
        now += pause;
        assert_int_equal(pn_breaker_ask(&b, now), PN_BREAKER_PROBE);
        pn_breaker_fail(&b, now);
        pause = PN_MIN(2 * pause, (int64_t)PN_BREAKER_PAUSE_MS_MAX * MS);
    }
    now += pause;
    assert_int_equal(pn_breaker_ask(&b, now), PN_BREAKER_PROBE);
    pn_breaker_succeed(&b);
    fail_times(&b, PN_BREAKER_FAILURES, now);
    assert_int_equal(pn_breaker_wait_ns(&b, now), 100 * MS); // from the beginning
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(breaker__opens_after_failures_in_a_row),
        cmocka_unit_test(breaker__lets_one_probe_through),
        cmocka_unit_test(breaker__waits_twice_as_long_after_a_failed_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

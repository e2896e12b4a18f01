/*
 * test_clock.c - forward, near the C library's clock, and no sleep too short
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "os/clock.h"

static void monotonic__never_goes_back(void **state)
{
    (void)state;
    int64_t last = pn_clock_monotonic_ns();
    for (int i = 0; i < 100000; i++) {
        int64_t now = pn_clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void wall__is_the_time_of_day(void **state)
{
    (void)state;
    time_t before = time(NULL);
    int64_t now = pn_clock_wall_ns() / 1000000000;
    time_t after = time(NULL);
    assert_true(now >= before - 1 && now <= after + 1);
}

static void on_alarm(int number)
{
    (void)number;
}

static void sleep__lasts_in_spite_of_signals(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_alarm}, old;
    struct itimerval often = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
    (void)sigaction(SIGALRM, &action, &old);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    int64_t begin = pn_clock_monotonic_ns();
    pn_clock_sleep_ms(50);
    int64_t slept = pn_clock_monotonic_ns() - begin;
    (void)setitimer(ITIMER_REAL, &never, NULL);
    (void)sigaction(SIGALRM, &old, NULL);
    assert_true(slept >= 50000000);
    begin = pn_clock_monotonic_ns();
    pn_clock_sleep_ms(0);
    pn_clock_sleep_ms(-1000000);
    assert_true(pn_clock_monotonic_ns() - begin < (int64_t)5 * 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic__never_goes_back),
        cmocka_unit_test(wall__is_the_time_of_day),
        cmocka_unit_test(sleep__lasts_in_spite_of_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

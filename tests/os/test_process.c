/*
 * test_process.c - stop signals as a flag, usage, the terminal, the environment
 */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/process.h"

/* A child that ends by _exit() or a signal would not be counted in coverage builds; the others have no such function. */
extern void __gcov_dump(void) __attribute__((weak));

static void keep_coverage(void)
{
    if (__gcov_dump)
        __gcov_dump();
}

/* Runs act in a child; its exit status, or 128 + the signal that ended it. */
static int in_a_child(int (*act)(void))
{
    int code = 0;
    pid_t child = fork();
    if (child == 0) {
        int result = act();
        keep_coverage();
        _exit(result);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    return WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code);
}

static int stop_by(int signal_number)
{
    pn_process_catch_stop();
    if (pn_process_stop_requested() || atomic_load(pn_process_stop_flag()))
        return 1;
    (void)raise(signal_number);
    if (!pn_process_stop_requested() || !atomic_load(pn_process_stop_flag()))
        return 2;
    pn_process_wait_for_stop(-1); // returns at once
    keep_coverage();
    (void)raise(signal_number); // the second one ends the process
    return 3;
}

static int stop_by_int(void)
{
    return stop_by(SIGINT);
}

static int stop_by_term(void)
{
    return stop_by(SIGTERM);
}

static void the_first_signal__sets_the_flag_and_the_second_ends(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(stop_by_int), 128 + SIGINT);
    assert_int_equal(in_a_child(stop_by_term), 128 + SIGTERM);
    assert_false(pn_process_stop_requested());
}

static int write_to_a_broken_pipe(void)
{
    int ends[2];
    pn_process_catch_stop();
    pn_process_catch_stop(); // twice is fine
    if (pipe(ends) != 0)
        return 1;
    (void)close(ends[0]);
    return write(ends[1], "x", 1) == -1 ? 0 : 2;
}

static void a_broken_pipe__is_no_death(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(write_to_a_broken_pipe), 0);
}

static int wait_for_a_signal(void)
{
    pn_process_catch_stop();
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        pn_clock_sleep_ms(50);
        (void)kill(parent, SIGTERM);
        _exit(0);
    }
    int64_t begin = pn_clock_monotonic_ns();
    pn_process_wait_for_stop(60000);
    int64_t waited_ms = (pn_clock_monotonic_ns() - begin) / 1000000;
    (void)waitpid(child, NULL, 0);
    return pn_process_stop_requested() && waited_ms >= 40 && waited_ms < 30000 ? 0 : 1;
}

static int wait_in_vain(void)
{
    pn_process_catch_stop();
    int64_t begin = pn_clock_monotonic_ns();
    pn_process_wait_for_stop(30);
    int64_t waited_ms = (pn_clock_monotonic_ns() - begin) / 1000000;
    pn_process_wait_for_stop(0);
    return !pn_process_stop_requested() && waited_ms >= 29 ? 0 : 1;
}

static void wait__ends_with_the_signal_or_the_time(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(wait_for_a_signal), 0);
    assert_int_equal(in_a_child(wait_in_vain), 0);
}

static void usage__is_of_this_process(void **state)
{
    (void)state;
    pn_process_usage before, after;
    volatile double busy = 0;
    pn_process_get_usage(&before);
    for (int i = 0; i < 30000000; i++)
        busy = busy + 1;
    int extra[3];
    for (int i = 0; i < 3; i++)
        extra[i] = dup(STDERR_FILENO);
    pn_process_get_usage(&after);
    for (int i = 0; i < 3; i++)
        (void)close(extra[i]);
    assert_true(before.resident_bytes > 100000);
    assert_true(before.peak_resident_bytes >= before.resident_bytes / 2);
    assert_true(before.virtual_bytes >= before.resident_bytes);
    assert_true(after.cpu_seconds > before.cpu_seconds);
    assert_int_equal(after.open_descriptors, before.open_descriptors + 3);
    assert_true(after.max_descriptors >= after.open_descriptors);
    assert_true(after.start_time_seconds > (double)time(NULL) - 3600);
    assert_true(after.start_time_seconds < (double)time(NULL) + 60);
}

static void a_terminal__is_known_and_has_a_width(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_false(pn_terminal_is(ends[0]));
    assert_int_equal(pn_terminal_columns(ends[0], 77), 77);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_false(pn_terminal_is(-1));
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        (void)close(master);
        skip(); // no pseudo-terminals here
    }
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct winsize size = {.ws_row = 40, .ws_col = 123};
    bool is = pn_terminal_is(slave);
    unsigned unknown = pn_terminal_columns(slave, 77); // a new one has the size 0 x 0
    (void)ioctl(slave, TIOCSWINSZ, &size);
    unsigned columns = pn_terminal_columns(slave, 77);
    (void)close(slave);
    (void)close(master);
    assert_true(is);
    assert_int_equal(unknown, 77);
    assert_int_equal(columns, 123);
}

static void environment__takes_empty_for_unset(void **state)
{
    (void)state;
    (void)setenv("PN_TEST_VARIABLE", "value", 1);
    assert_string_equal(pn_environment("PN_TEST_VARIABLE"), "value");
    (void)setenv("PN_TEST_VARIABLE", "", 1);
    assert_null(pn_environment("PN_TEST_VARIABLE"));
    (void)unsetenv("PN_TEST_VARIABLE");
    assert_null(pn_environment("PN_TEST_VARIABLE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_signal__sets_the_flag_and_the_second_ends),
        cmocka_unit_test(a_broken_pipe__is_no_death),
        cmocka_unit_test(wait__ends_with_the_signal_or_the_time),
        cmocka_unit_test(usage__is_of_this_process),
        cmocka_unit_test(a_terminal__is_known_and_has_a_width),
        cmocka_unit_test(environment__takes_empty_for_unset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

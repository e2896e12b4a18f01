/*
 * test_compiler.c - checked arithmetic at the edges, and what an assertion does
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"

static void sizes__are_checked_at_the_edge(void **state)
{
    (void)state;
    size_t out = 77;
    assert_true(pn_size_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(pn_size_add(SIZE_MAX, 1, &out));
    assert_true(pn_size_mul(SIZE_MAX, 1, &out));
    assert_true(pn_size_mul(0, SIZE_MAX, &out));
    assert_int_equal(out, 0);
    assert_false(pn_size_mul(SIZE_MAX / 2 + 1, 2, &out));
    uint64_t wide;
    assert_true(pn_u64_add(UINT64_MAX, 0, &wide));
    assert_false(pn_u64_add(UINT64_MAX, 1, &wide));
    assert_true(pn_u64_mul(UINT32_MAX, UINT32_MAX, &wide));
    assert_true(wide == UINT64_MAX - 2 * (uint64_t)UINT32_MAX);
    assert_false(pn_u64_mul((uint64_t)1 << 32, (uint64_t)1 << 32, &wide));
}

static void signed_values__are_checked_at_both_edges(void **state)
{
    (void)state;
    int64_t out;
    assert_true(pn_i64_add(INT64_MAX, INT64_MIN, &out));
    assert_int_equal(out, -1);
    assert_false(pn_i64_add(INT64_MAX, 1, &out));
    assert_false(pn_i64_add(INT64_MIN, -1, &out));
    assert_true(pn_i64_subtract(-1, INT64_MAX, &out));
    assert_true(out == INT64_MIN);
    assert_false(pn_i64_subtract(0, INT64_MIN, &out));
    assert_true(pn_i64_multiply(INT64_MIN, 1, &out));
    assert_false(pn_i64_multiply(INT64_MIN, -1, &out));
}

static void assertion__says_where_and_aborts(void **state)
{
    (void)state;
    int ends[2], code = 0;
    char text[512] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        volatile int two = 2;
        pn_assert(two == 2);
        pn_assert(two == 3);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_non_null(strstr(text, "two == 3"));
    assert_non_null(strstr(text, "test_compiler.c:"));
    assert_true(WIFSIGNALED(code) ? WTERMSIG(code) == SIGABRT : WEXITSTATUS(code) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes__are_checked_at_the_edge),
        cmocka_unit_test(signed_values__are_checked_at_both_edges),
        cmocka_unit_test(assertion__says_where_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_eigen.c - eigenvectors of random, degenerate and awkward matrices, checked by what defines them
 */
#include "index/eigen.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MOST = 130 };

static double a[MOST * MOST], kept[MOST * MOST], values[MOST], vectors[MOST * MOST];

static double row_dot(const double *x, const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void check_vector(size_t n, size_t i, double largest)
{
    const double *v = vectors + i * n;
    double most = 0, least = 0;
    for (size_t r = 0; r < n; r++) { /* A v = l v */
        double off = row_dot(kept + r * n, v, n) - values[i] * v[r];
        if (!(fabs(off) <= 1e-13 * (double)(n + 10) * largest))
            fail_msg("n %zu, value %zu (%g of %g), row %zu: off by %g", n, i, values[i], largest, r,
                     off);
        most = PN_MAX(most, v[r]);
        least = PN_MIN(least, v[r]);
    }
    assert_true(most >= -least);
    for (size_t j = 0; j <= i; j++)
        assert_true(fabs(row_dot(v, vectors + j * n, n) - (i == j)) < 1e-13 * (double)(n + 10));
    if (i > 0)
        assert_true(values[i] <= values[i - 1]);
}

/* Of what is in a. */
static void check(size_t n)
{
    pn_error err = {0};
    memcpy(kept, a, n * n * sizeof *a);
    assert_int_equal(pn_eigen_symmetric(a, n, values, vectors, &err), PN_OK);
    double largest = PN_MAX(fabs(values[0]), fabs(values[n - 1]));
    for (size_t i = 0; i < n; i++)
        check_vector(n, i, largest);
}

static void fill_random(size_t n, pn_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            a[i * n + j] = a[j * n + i] = pn_rng_normal(rng);
}

/* X^T X of `rank` random rows, columns scaled like a spectrum that falls over `decades`. */
static void fill_moment(size_t n, size_t rank, double decades, pn_rng *rng)
{
    static double x[MOST];
    memset(a, 0, n * n * sizeof *a);
    for (size_t r = 0; r < rank; r++) {
        for (size_t i = 0; i < n; i++)
            x[i] = pn_rng_normal(rng) * pow(10, -decades * (double)i / (double)n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                a[i * n + j] += x[i] * x[j];
    }
}

static void eigen__of_random_matrices(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(1);
    for (size_t n = 1; n <= MOST; n += n < 20 ? 1 : 11) {
        fill_random(n, &rng);
        check(n);
        fill_moment(n, n + 5, 3, &rng);
        check(n);
        fill_moment(n, (n + 2) / 3, 0, &rng); // most values are zero
        check(n);
        fill_moment(n, 2 * n, 9, &rng);
        check(n);
    }
}

static void eigen__of_degenerate_matrices(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 40; n += 3) {
        memset(a, 0, n * n * sizeof *a); // nothing
        check(n);
        for (size_t i = 0; i < n; i++) // the identity
            a[i * n + i] = 1;
        check(n);
        for (size_t i = 0; i < n * n; i++) // all the same
            a[i] = 2;
        check(n);
        for (size_t i = 0; i < n; i++) // diagonal, ascending, of both signs
            for (size_t j = 0; j < n; j++)
                a[i * n + j] = i == j ? (double)i - 5 : 0;
        check(n);
        for (size_t i = 0; i < n; i++) // two blocks that do not know each other
            for (size_t j = 0; j < n; j++)
                a[i * n + j] = i < n / 2 && j < n / 2 ? 1 : (i == j ? 3 : 0);
        check(n);
    }
}

static void eigen__of_tiny_and_huge_numbers(void **state)
{
    (void)state;
    static const double scales[] = {1e-150, 1e-30, 1e30, 1e150};
    pn_rng rng = pn_rng_seed(2);
    for (size_t s = 0; s < PN_COUNT_OF(scales); s++) {
        fill_random(25, &rng);
        for (size_t i = 0; i < 25 * 25; i++)
            a[i] *= scales[s];
        check(25);
    }
}

static void eigen__of_a_matrix_that_is_known(void **state)
{
    (void)state;
    enum { N = 50 }; // -1, 2, -1: values 2 - 2 cos(pi k / (n + 1))
    memset(a, 0, sizeof a);
    for (size_t i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i > 0)
            a[i * N + i - 1] = a[(i - 1) * N + i] = -1;
    }
    check(N);
    for (size_t i = 0; i < N; i++)
        assert_true(fabs(values[i] - (2 - 2 * cos(M_PI * (double)(N - i) / (N + 1)))) < 1e-13);
}

static void eigen__says_when_there_is_no_memory(void **state)
{
    (void)state;
    pn_error err = {0};
    a[0] = 1;
    pn_alloc_fail_after(1);
    assert_int_equal(pn_eigen_symmetric(a, 1, values, vectors, &err), PN_ERR_NOMEM);
    pn_alloc_fail_after(0);
}

static void cholesky__gives_the_factor(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(3);
    for (size_t n = 1; n <= MOST; n += n < 20 ? 1 : 11) {
        fill_moment(n, n, 2, &rng);
        for (size_t i = 0; i < n; i++)
            a[i * n + i] += 0.1;
        memcpy(kept, a, n * n * sizeof *a);
        assert_true(pn_cholesky(a, n));
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                assert_true(fabs(row_dot(a + i * n, a + j * n, n) - kept[i * n + j]) <
                            1e-11 * (double)n);
                assert_true(j <= i || (a[i * n + j] >= 0 && a[i * n + j] <= 0));
            }
    }
}

static void cholesky__refuses_what_is_not_positive(void **state)
{
    (void)state;
    double zero[1] = {0}, negative[4] = {1, 2, 2, 1}, nan[1] = {NAN};
    assert_false(pn_cholesky(zero, 1));
    assert_false(pn_cholesky(negative, 2));
    assert_false(pn_cholesky(nan, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigen__of_random_matrices),
        cmocka_unit_test(eigen__of_degenerate_matrices),
        cmocka_unit_test(eigen__of_tiny_and_huge_numbers),
        cmocka_unit_test(eigen__of_a_matrix_that_is_known),
        cmocka_unit_test(eigen__says_when_there_is_no_memory),
        cmocka_unit_test(cholesky__gives_the_factor),
        cmocka_unit_test(cholesky__refuses_what_is_not_positive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

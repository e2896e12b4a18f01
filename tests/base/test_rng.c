/*
 * test_rng.c - the published sequence, ranges, and moments
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>

#include "base/rng.h"

static void sequence__is_splitmix64(void **state)
{
    (void)state;
    /* The first values from seed 1234567, as the authors' reference code prints them. */
    static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u,
                                    9817491932198370423u, 4593380528125082431u,
                                    16408922859458223821u};
    pn_rng rng = pn_rng_seed(1234567);
    for (size_t i = 0; i < PN_COUNT_OF(want); i++)
        assert_true(pn_rng_u64(&rng) == want[i]);
}

static void below__is_in_range_and_even(void **state)
{
    (void)state;
    enum { N = 7, ROUNDS = 70000 };
    unsigned counts[N] = {0};
    pn_rng rng = pn_rng_seed(10);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t value = pn_rng_below(&rng, N);
        assert_true(value < N);
        counts[value]++;
    }
    for (int i = 0; i < N; i++) // 5 standard deviations of sqrt(10000 * 6 / 7)
        assert_in_range(counts[i], ROUNDS / N - 463, ROUNDS / N + 463);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pn_rng_below(&rng, 1), 0);
    uint64_t high = 0;
    for (int i = 0; i < 100; i++)
        high = PN_MAX(high, pn_rng_below(&rng, UINT64_MAX));
    assert_true(high > UINT64_MAX / 2);
}

static void unit__is_in_zero_to_one(void **state)
{
    (void)state;
    double sum = 0;
    pn_rng rng = pn_rng_seed(11);
    for (int i = 0; i < 100000; i++) {
        double value = pn_rng_unit(&rng);
        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
}

static void normal__has_mean_zero_and_deviation_one(void **state)
{
    (void)state;
    enum { N = 100000 };
    double sum = 0, squares = 0;
    int beyond_two = 0;
    pn_rng rng = pn_rng_seed(12);
    for (int i = 0; i < N; i++) {
        double value = pn_rng_normal(&rng);
        assert_true(isfinite(value));
        sum += value;
        squares += value * value;
        beyond_two += fabs(value) > 2;
    }
    assert_true(fabs(sum / N) < 0.016);
    assert_true(fabs(squares / N - 1) < 0.025);
    assert_true(fabs((double)beyond_two / N - 0.0455) < 0.0035);
}

static void seeds__give_streams_of_their_own(void **state)
{
    (void)state;
    pn_rng a = pn_rng_seed(1), again = pn_rng_seed(1), b = pn_rng_seed(2);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = pn_rng_u64(&a);
        assert_true(value == pn_rng_u64(&again));
        same += value == pn_rng_u64(&b);
    }
    assert_int_equal(same, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence__is_splitmix64),
        cmocka_unit_test(below__is_in_range_and_even),
        cmocka_unit_test(unit__is_in_zero_to_one),
        cmocka_unit_test(normal__has_mean_zero_and_deviation_one),
        cmocka_unit_test(seeds__give_streams_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

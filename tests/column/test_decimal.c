/*
 * test_decimal.c - decimals as numbers; their digits are tested where they are read and written (transfer/test_json_value)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/rng.h"
#include "column/decimal.h"

enum { N_NUMBERS = 20000 };

/* So many digits, with a sign and a point somewhere; *scale is how many stand behind it. */
static void random_number(pn_rng *rng, size_t n_digits, char *out, int32_t *scale)
{
    size_t point = pn_rng_below(rng, n_digits + 1), at = 0;
    if (pn_rng_below(rng, 2))
        out[at++] = '-';
    for (size_t i = 0; i < n_digits; i++) {
        if (i == point)
            out[at++] = '.';
        out[at++] = (char)('0' + pn_rng_below(rng, 10));
    }
    out[at] = '\0';
    *scale = (int32_t)(n_digits - point);
}

static void decimals__become_the_nearest_double(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(3);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        char text[96];
        int32_t scale;
        uint8_t bytes[PN_DECIMAL_MAX_BYTES];
        size_t n_bytes = i % 2 ? 16 : PN_DECIMAL_MAX_BYTES;
        size_t most = n_bytes == 16 ? 38 : 76;
        double got;
        random_number(&rng, 1 + pn_rng_below(&rng, most), text, &scale);
        assert_true(pn_decimal_from_text(pn_str_of(text), (int32_t)most, scale, bytes, n_bytes));
        assert_true(pn_decimal_to_double(bytes, n_bytes, scale, &got));
        double want = strtod(text, NULL);
        if (got != want)
            fail_msg("%s: %.17g instead of %.17g", text, got, want);
    }
}

static void decimals__of_whole_numbers_become_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fits;
    } cases[] = {
        {"0", true},
        {"-1", true},
        {"9223372036854775807", true},
        {"-9223372036854775808", true},
        {"9223372036854775808", false},
        {"-9223372036854775809", false},
        {"18446744073709551616", false},
        {"-18446744073709551616", false},
        {"99999999999999999999999999999999999999", false},
    };
    for (size_t n_bytes = 16; n_bytes <= PN_DECIMAL_MAX_BYTES; n_bytes *= 2)
        for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
            uint8_t bytes[PN_DECIMAL_MAX_BYTES];
            int64_t got;
            assert_true(pn_decimal_from_text(pn_str_of(cases[i].text), 38, 0, bytes, n_bytes));
            assert_int_equal(pn_decimal_to_i64(bytes, n_bytes, &got), cases[i].fits);
            if (cases[i].fits)
                assert_int_equal(got, strtoll(cases[i].text, NULL, 10));
        }
}

static void a_scale_out_of_bounds__is_refused(void **state)
{
    (void)state;
    const uint8_t one[PN_DECIMAL_MAX_BYTES] = {1};
    double got;
    assert_false(pn_decimal_to_double(one, 16, PN_DECIMAL_MAX_SCALE + 1, &got));
    assert_false(pn_decimal_to_double(one, 16, -PN_DECIMAL_MAX_SCALE - 1, &got));
    assert_true(pn_decimal_to_double(one, PN_DECIMAL_MAX_BYTES, PN_DECIMAL_MAX_SCALE, &got));
    assert_true(got == 1e-76);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals__become_the_nearest_double),
        cmocka_unit_test(decimals__of_whole_numbers_become_integers),
        cmocka_unit_test(a_scale_out_of_bounds__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_convert.c - all 65,536 values of f16 and bf16, on every level
 */
#include "kernels/levels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static double f16_value(uint32_t h)
{
    int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
    double sign = h & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static double bf16_value(uint32_t h)
{
    int exponent = (int)(h >> 7 & 255), fraction = (int)(h & 127);
    double sign = h & 0x8000 ? -1 : 1;
    if (exponent == 255)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, -133);
    return sign * ldexp(128 + fraction, exponent - 134);
}

static void expect_same(const char *level, uint32_t h, float got, double want)
{
    bool same = isnan(want) ? isnan(got) : (double)got == want && !signbit(got) == !signbit(want);
    if (!same)
        fail_msg("%s: 0x%04x gives %.9g, expected %.9g", level, h, (double)got, want);
}

static void check_all_values(const pn_kernels *k)
{
    enum { N = 65536 };
    uint8_t *in = guarded_alloc(2 * N + 1, 0);
    float *out = guarded_alloc(N * sizeof *out, 4);
    for (uint32_t h = 0; h < N; h++) {
        in[1 + 2 * h] = (uint8_t)h; /* at an odd address */
        in[2 + 2 * h] = (uint8_t)(h >> 8);
    }
    k->f16_to_f32(out, in + 1, N);
    for (uint32_t h = 0; h < N; h++)
        expect_same(k->level, h, out[h], f16_value(h));
    k->bf16_to_f32(out, in + 1, N);
    for (uint32_t h = 0; h < N; h++)
        expect_same(k->level, h, out[h], bf16_value(h));
    guarded_free(in);
    guarded_free(out);
}

static void convert__every_value_is_exact(void **state)
{
    (void)state;
    for_every_level(check_all_values);
}

static void check_lengths(const pn_kernels *k)
{
    for (size_t n = 0; n <= 130; n++) {
        uint8_t *in = guarded_alloc(2 * n, n % 64);
        float *out = guarded_alloc(n * sizeof *out, (n * 4) % 64);
        for (size_t i = 0; i < 2 * n; i++)
            in[i] = (uint8_t)(i * 37 + 11);
        k->f16_to_f32(out, in, n);
        for (size_t i = 0; i < n; i++) {
            uint32_t h = in[2 * i] | (uint32_t)in[2 * i + 1] << 8;
            expect_same(k->level, h, out[i], f16_value(h));
        }
        k->bf16_to_f32(out, in, n);
        for (size_t i = 0; i < n; i++) {
            uint32_t h = in[2 * i] | (uint32_t)in[2 * i + 1] << 8;
            expect_same(k->level, h, out[i], bf16_value(h));
        }
        guarded_free(in);
        guarded_free(out);
    }
}

static void convert__any_length_stays_inside(void **state)
{
    (void)state;
    for_every_level(check_lengths);
}

/* Every 16-bit value comes back from f32, and what lies between two goes to the nearer, to the even one from the middle. */
static void expect_narrow(const pn_kernels *k, bool f16, float in, uint32_t want)
{
    uint8_t out[3];
    (f16 ? k->f32_to_f16 : k->f32_to_bf16)(out + 1, &in, 1);
    uint32_t got = out[1] | (uint32_t)out[2] << 8;
    if (got != want)
        fail_msg("%s: %.9g becomes 0x%04x, expected 0x%04x", k->level, (double)in, got, want);
}

static void check_narrowing(const pn_kernels *k)
{
    for (int f16 = 0; f16 < 2; f16++) {
        uint32_t infinity = f16 ? 0x7C00 : 0x7F80;
        for (uint32_t h = 0; h < infinity; h++) {
            double low = f16 ? f16_value(h) : bf16_value(h);
            double high = h + 1 < infinity ? (f16 ? f16_value(h + 1) : bf16_value(h + 1))
                                           : 2 * low - (f16 ? f16_value(h - 1) : bf16_value(h - 1));
            float middle = (float)((low + high) / 2); /* exact: 11 bits, or 8, and one more */
            expect_narrow(k, f16, (float)low, h);
            expect_narrow(k, f16, -(float)low, h | 0x8000);
            expect_narrow(k, f16, middle, h % 2 ? h + 1 : h);
            expect_narrow(k, f16, nextafterf(middle, 0), h);
            expect_narrow(k, f16, nextafterf(middle, INFINITY), h + 1);
        }
        expect_narrow(k, f16, INFINITY, infinity);
        float nan = NAN, back;
        uint8_t out[2];
        (f16 ? k->f32_to_f16 : k->f32_to_bf16)(out, &nan, 1);
        (f16 ? k->f16_to_f32 : k->bf16_to_f32)(&back, out, 1);
        assert_true(isnan(back));
    }
}

static void convert__narrowing_goes_to_the_nearest_even(void **state)
{
    (void)state;
    for_every_level(check_narrowing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convert__every_value_is_exact),
        cmocka_unit_test(convert__narrowing_goes_to_the_nearest_even),
        cmocka_unit_test(convert__any_length_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

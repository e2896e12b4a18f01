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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convert__every_value_is_exact),
        cmocka_unit_test(convert__any_length_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

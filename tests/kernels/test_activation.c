/*
 * test_activation.c - every level against the formulas in double
 */
#include "kernels/levels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MAX_N = 131 };

static double gelu(double x)
{
    return 0.5 * x * erfc(-x / sqrt(2.0));
}

static double quick_gelu(double x)
{
    return x / (1 + exp(-1.702 * x));
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

typedef struct {
    const char *name;
    void (*kernel)(float *x, size_t n);
    double (*want)(double x);
} pointwise;

static void expect_pointwise(const pn_kernels *k, const pointwise *f, float x, float got)
{
    double want = f->want((double)x);
    if (!(fabs((double)got - want) <= 1e-6 * fmax(1, fabs((double)x))))
        fail_msg("%s %s(%.9g): %.9g, expected %.9g", k->level, f->name, (double)x, (double)got,
                 want);
}

static void check_pointwise(const pn_kernels *k)
{
    const pointwise all[] = {{"gelu", k->gelu_f32, gelu},
                             {"quick_gelu", k->quick_gelu_f32, quick_gelu},
                             {"gelu_tanh", k->gelu_tanh_f32, gelu_tanh}};
    for (size_t f = 0; f < PN_COUNT_OF(all); f++) {
        /* every length, odd addresses */
        for (size_t n = 0; n < MAX_N; n++) {
            float *x = random_floats(n, (n * 4) % 64, n, 3);
            float y[MAX_N];
            if (n > 0)
                memcpy(y, x, n * sizeof *x);
            all[f].kernel(x, n);
            for (size_t i = 0; i < n; i++)
                expect_pointwise(k, &all[f], y[i], x[i]);
            guarded_free(x);
        }
        /* the whole range, densely where something happens */
        for (double at = -120; at < 120; at += fabs(at) < 9 ? 0.001 : 0.1) {
            float x = (float)at, y = x;
            all[f].kernel(&y, 1);
            expect_pointwise(k, &all[f], x, y);
        }
        float ends[] = {0.0f, -0.0f, 1e30f, INFINITY, NAN, 1e-40f};
        all[f].kernel(ends, PN_COUNT_OF(ends));
        assert_true(ends[0] == 0 && ends[1] == 0 && ends[2] == 1e30f);
        assert_true(isinf(ends[3]) && isnan(ends[4]) && fabsf(ends[5]) <= 1e-40f);
    }
}

static void gelus__every_level_agrees_with_double(void **state)
{
    (void)state;
    for_every_level(check_pointwise);
}

/* gelu is the accuracy-critical one: within 1.5e-7 where activations live. */
static void check_gelu_accuracy(const pn_kernels *k)
{
    double worst = 0;
    for (double at = -8; at < 2; at += 0.0003) {
        float x = (float)at, y = x;
        k->gelu_f32(&y, 1);
        worst = fmax(worst, fabs((double)y - gelu((double)x)));
    }
    if (worst > 1.5e-7)
        fail_msg("%s: gelu off by %g", k->level, worst);
}

static void gelu__is_exact_to_rounding(void **state)
{
    (void)state;
    for_every_level(check_gelu_accuracy);
}

static void check_softmax_one(const pn_kernels *k, size_t n, double spread, float scale)
{
    float *x = random_floats(n, (n * 4) % 64, n, spread);
    double want[MAX_N], most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, (double)x[i]);
    for (size_t i = 0; i < n; i++)
        sum += want[i] = exp(((double)x[i] - most) * (double)scale);
    k->softmax_f32(x, n, scale);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)x[i] - want[i] / sum) <= 1e-6 * fmax(1, spread / 20)))
            fail_msg("%s n %zu: %.9g, expected %.9g", k->level, n, (double)x[i], want[i] / sum);
    guarded_free(x);
}

static void check_softmax(const pn_kernels *k)
{
    for (size_t n = 0; n < MAX_N; n++) {
        check_softmax_one(k, n, 1, 1);
        check_softmax_one(k, n, 10, 0.125f);
        check_softmax_one(k, n, 100, 1);
        check_softmax_one(k, n, 1e6, 1); /* no overflow */
    }
    float one = -1e30f;
    k->softmax_f32(&one, 1, 1);
    assert_true(one == 1.0f);
}

static void softmax__every_level_agrees_with_double(void **state)
{
    (void)state;
    for_every_level(check_softmax);
}

/* Bytes of a softmax: near enough, their sum beside them, zeros behind them. */
static void check_softmax_u8_one(const pn_kernels *k, size_t n, double spread, float scale)
{
    const size_t depth = pn_gemm_i8_depth(n);
    float *x = random_floats(n, (n * 4) % 64, n, spread), step = -1;
    uint8_t *out = guarded_alloc(depth, n % 64);
    double most = -INFINITY;
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, (double)x[i]);
    k->softmax_u8(out, &step, x, n, scale);
    for (size_t i = 0; i < n; i++) {
        double want = 255 * exp(((double)x[i] - most) * (double)scale);
        if (!(fabs(out[i] - want) <= 0.52))
            fail_msg("%s n %zu: %d, expected %.9g", k->level, n, out[i], want);
        sum += out[i];
    }
    for (size_t i = n; i < depth; i++)
        assert_int_equal(out[i], 0);
    assert_true(step == (n > 0 ? 1.0f / (float)sum : 0));
    guarded_free(x);
    guarded_free(out);
}

static void check_softmax_u8(const pn_kernels *k)
{
    for (size_t n = 0; n < MAX_N; n++) {
        check_softmax_u8_one(k, n, 1, 1);
        check_softmax_u8_one(k, n, 10, 0.125f);
        check_softmax_u8_one(k, n, 0.01, 0.125f); /* all alike: the largest sums */
        check_softmax_u8_one(k, n, 1e6, 1);
    }
}

static void softmax_u8__every_level_agrees_with_double(void **state)
{
    (void)state;
    for_every_level(check_softmax_u8);
}

static void check_layer_norm_one(const pn_kernels *k, size_t n, double offset)
{
    size_t shift = (n * 4) % 64;
    float *x = random_floats(n, shift, n, 2), *out = random_floats(n, 0, 1, 1);
    float *weight = random_floats(n, shift, n + 1, 1), *bias = random_floats(n, 8, n + 2, 1);
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)((double)x[i] + offset);
        mean += (double)x[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    k->layer_norm_f32(out, x, weight, bias, n, 1e-5f);
    double bound = 2e-6 * (1 + fabs(offset));
    for (size_t i = 0; i < n; i++) {
        double want = ((double)x[i] - mean) / sqrt(variance + 1e-5) * (double)weight[i];
        want += (double)bias[i];
        if (!(fabs((double)out[i] - want) <= bound * fmax(1, fabs(want))))
            fail_msg("%s n %zu: %.9g, expected %.9g", k->level, n, (double)out[i], want);
    }
    k->layer_norm_f32(x, x, weight, bias, n, 1e-5f); /* in place */
    if (n > 0)
        assert_memory_equal(x, out, n * sizeof *x);
    guarded_free(x);
    guarded_free(out);
    guarded_free(weight);
    guarded_free(bias);
}

static void check_layer_norm(const pn_kernels *k)
{
    for (size_t n = 0; n < MAX_N; n++) {
        check_layer_norm_one(k, n, 0);
        /* two nearly equal large numbers have no digits left to compare */
        check_layer_norm_one(k, n, n > 4 ? 20 : 0);
    }
    check_layer_norm_one(k, 768, 3);
    check_layer_norm_one(k, 1025, 0);
}

static void layer_norm__every_level_agrees_with_double(void **state)
{
    (void)state;
    for_every_level(check_layer_norm);
}

static void check_normalise(const pn_kernels *k)
{
    for (size_t n = 1; n < MAX_N; n++) {
        float *x = random_floats(n, 4, n, 7);
        double squares = 0;
        float length = k->normalise_f32(x, n);
        for (size_t i = 0; i < n; i++)
            squares += (double)x[i] * (double)x[i];
        assert_true(length > 0 && fabs(squares - 1) < 1e-6);
        guarded_free(x);
    }
    float zeros[3] = {0, 0, 0};
    assert_true(k->normalise_f32(zeros, 3) == 0 && zeros[0] == 0 && zeros[2] == 0);
}

static void normalise__gives_unit_length_and_leaves_zero_alone(void **state)
{
    (void)state;
    for_every_level(check_normalise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelus__every_level_agrees_with_double),
        cmocka_unit_test(gelu__is_exact_to_rounding),
        cmocka_unit_test(softmax__every_level_agrees_with_double),
        cmocka_unit_test(softmax_u8__every_level_agrees_with_double),
        cmocka_unit_test(layer_norm__every_level_agrees_with_double),
        cmocka_unit_test(normalise__gives_unit_length_and_leaves_zero_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

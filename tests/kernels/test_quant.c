/*
 * test_quant.c - 8-bit rows, weights and products: the same bytes on every level, and products of exactly those bytes
 */
#include "kernels/levels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static pn_kernels portable(void)
{
    pn_kernels k;
    assert_true(pn_kernels_init_level(&k, "portable"));
    return k;
}

/* ---- rows */

static void expect_row(const pn_kernels *k, const float *in, size_t n)
{
    const pn_kernels reference = portable();
    size_t depth = pn_gemm_i8_depth(n);
    uint8_t *got = guarded_alloc(depth, n % 64), *want = guarded_alloc(depth, 0);
    float step, low, want_step, want_low;
    k->quantise_u8(got, &step, &low, in, n);
    reference.quantise_u8(want, &want_step, &want_low, in, n);
    assert_memory_equal(got, want, depth);
    assert_true(step == want_step && low == want_low);
    for (size_t i = 0; i < n; i++) {
        double back = (double)step * got[i] + (double)low;
        double allowed = (double)step * 0.5001 + 1e-6 * fabs((double)in[i]);
        if (!(fabs(back - (double)in[i]) <= allowed))
            fail_msg("%s: %.9g became %.9g, a step is %.9g", k->level, (double)in[i], back,
                     (double)step);
    }
    for (size_t i = n; i < depth; i++)
        assert_int_equal(got[i], 0);
    guarded_free(got);
    guarded_free(want);
}

static void check_rows(const pn_kernels *k)
{
    for (size_t n = 0; n <= 130; n++) {
        float *in = random_floats(n, n * 4 % 64, n + 7, 3);
        expect_row(k, in, n);
        for (size_t i = 0; i < n; i++)
            in[i] = (float)(i % 3) * 1e-3f + 1000; /* far from zero, little variation */
        expect_row(k, in, n);
        guarded_free(in);
    }
}

static void quantise__every_level_gives_the_same_bytes_within_half_a_step(void **state)
{
    (void)state;
    for_every_level(check_rows);
}

static void check_odd_rows(const pn_kernels *k)
{
    enum { N = 37 };
    float in[N];
    uint8_t out[40];
    float step, low;
    static const float values[] = {0, -3.5f, 1e30f, 1e-40f};
    for (size_t v = 0; v < PN_COUNT_OF(values); v++) {
        for (size_t i = 0; i < N; i++)
            in[i] = values[v];
        k->quantise_u8(out, &step, &low, in, N);
        for (size_t i = 0; i < sizeof out; i++)
            assert_int_equal(out[i], 0);
        assert_true(low == values[v] && step == 0);
    }
    in[5] = 2e-40f; /* a range whose inverse is infinite */
    k->quantise_u8(out, &step, &low, in, N);
    for (size_t i = 0; i < N; i++)
        assert_true(fabsf(step * (float)out[i] + low - in[i]) <= 1e-30f);
}

static void quantise__rows_of_one_value_have_no_step(void **state)
{
    (void)state;
    for_every_level(check_odd_rows);
}

/* ---- weights */

static void expect_portable_weights(const int8_t *packed, const float *scale, const float *sums,
                                    const float *panel, size_t depth)
{
    const pn_kernels reference = portable();
    const size_t bytes = pn_gemm_i8_depth(depth) * PN_GEMM_PANEL;
    int8_t *want = guarded_alloc(bytes, 0);
    float want_scale[PN_GEMM_PANEL], want_sums[PN_GEMM_PANEL];
    reference.gemm_pack_i8(want, want_scale, want_sums, panel, depth);
    assert_memory_equal(packed, want, bytes);
    assert_memory_equal(scale, want_scale, sizeof want_scale);
    assert_memory_equal(sums, want_sums, sizeof want_sums);
    guarded_free(want);
}

static void check_packing(const pn_kernels *k)
{
    for (size_t depth = 1; depth <= 70; depth += 3) {
        size_t padded = pn_gemm_i8_depth(depth);
        float *panel = random_floats(depth * PN_GEMM_PANEL, 4, depth, 0.1);
        int8_t *packed = guarded_alloc(padded * PN_GEMM_PANEL, 0);
        float scale[PN_GEMM_PANEL], sums[PN_GEMM_PANEL];
        for (size_t p = 0; p < depth; p++)
            panel[p * PN_GEMM_PANEL + 3] = 0; /* a column of zeros */
        k->gemm_pack_i8(packed, scale, sums, panel, depth);
        expect_portable_weights(packed, scale, sums, panel, depth);
        for (size_t j = 0; j < PN_GEMM_PANEL; j++) {
            int most = 0, sum = 0;
            for (size_t p = 0; p < padded; p++) {
                int w = packed[(p / 4 * PN_GEMM_PANEL + j) * 4 + p % 4];
                double value = p < depth ? (double)panel[p * PN_GEMM_PANEL + j] : 0;
                assert_true(fabs((double)scale[j] * w - value) <= 0.5001 * (double)scale[j]);
                most = PN_MAX(most, w < 0 ? -w : w);
                sum += w;
            }
            assert_int_equal(most, j == 3 ? 0 : 127);
            assert_true(fabsf(sums[j] - scale[j] * (float)sum) <= 1e-6f * fabsf(sums[j]));
        }
        guarded_free(panel);
        guarded_free(packed);
    }
}

static void pack_i8__layout_and_rounding_are_as_documented(void **state)
{
    (void)state;
    for_every_level(check_packing);
}

/* ---- products */

typedef struct {
    size_t m, n, k, ldc, stride;
    uint8_t *rows;
    float *step, *low, *scale, *sums, *bias, *c;
    int8_t *packed;
} problem;

static void setup(const pn_kernels *kernels, problem *p, size_t m, size_t n, size_t k)
{
    const size_t panels = pn_gemm_panels(n), depth = pn_gemm_i8_depth(k);
    *p = (problem){.m = m, .n = n, .k = k, .ldc = n + 5, .stride = depth + 12};
    p->rows = guarded_alloc((m - 1) * p->stride + depth, 1);
    p->step = guarded_alloc(m * sizeof(float), 4);
    p->low = guarded_alloc(m * sizeof(float), 8);
    p->scale = guarded_alloc(panels * PN_GEMM_PANEL * sizeof(float), 0);
    p->sums = guarded_alloc(panels * PN_GEMM_PANEL * sizeof(float), 0);
    p->packed = guarded_alloc(panels * PN_GEMM_PANEL * depth, 0);
    p->bias = random_floats(n, 12, k + 3, 1);
    p->c = random_floats(m * p->ldc, 4, 99, 1);
    memset(p->rows, 0xAA, (m - 1) * p->stride + depth); /* what lies between rows is nobody's */
    for (size_t i = 0; i < m; i++) {
        float *row = random_floats(k, 0, i + 1, 1);
        kernels->quantise_u8(p->rows + i * p->stride, p->step + i, p->low + i, row, k);
        guarded_free(row);
    }
    for (size_t i = 0; i < panels; i++) {
        float *panel = random_floats(k * PN_GEMM_PANEL, 0, i + 50, 0.1);
        kernels->gemm_pack_i8(p->packed + i * PN_GEMM_PANEL * depth, p->scale + i * PN_GEMM_PANEL,
                              p->sums + i * PN_GEMM_PANEL, panel, k);
        guarded_free(panel);
    }
}

static void teardown(problem *p)
{
    void *const all[] = {p->rows, p->step, p->low, p->scale, p->sums, p->bias, p->c, p->packed};
    for (size_t i = 0; i < PN_COUNT_OF(all); i++)
        guarded_free(all[i]);
}

static pn_gemm gemm_of(const problem *p)
{
    return (pn_gemm){
        .c = p->c,
        .ldc = p->ldc,
        .a8 = {p->rows, p->stride, p->step, p->low},
        .w = {.packed = p->packed, .scale = p->scale, .sums = p->sums, .type = PN_PANEL_I8},
        .bias = p->bias,
        .m = p->m,
        .n = p->n,
        .k = p->k};
}

static double weight_of(const problem *p, size_t j, size_t q)
{
    const size_t depth = pn_gemm_i8_depth(p->k);
    int w = p->packed[j / PN_GEMM_PANEL * PN_GEMM_PANEL * depth +
                      (q / 4 * PN_GEMM_PANEL + j % PN_GEMM_PANEL) * 4 + q % 4];
    return (double)p->scale[j] * w;
}

static void expect_product(const pn_kernels *kernels, const problem *p, const float *before,
                           bool with_bias)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double sum = with_bias ? (double)p->bias[j] : 0, magnitude = fabs(sum);
            if (before)
                sum += (double)before[i * p->ldc + j];
            for (size_t q = 0; q < p->k; q++) {
                double u = (double)p->step[i] * p->rows[i * p->stride + q] + (double)p->low[i];
                double t = u * weight_of(p, j, q);
                sum += t;
                magnitude += fabs(t);
            }
            double got = (double)p->c[i * p->ldc + j];
            if (!(fabs(got - sum) <= 2e-6 * (magnitude + fabs(sum)) + 1e-30))
                fail_msg("%s %zux%zux%zu [%zu][%zu]: %.9g, expected %.9g", kernels->level, p->m,
                         p->n, p->k, i, j, got, sum);
        }
}

static void check_size(const pn_kernels *kernels, size_t m, size_t n, size_t k)
{
    problem p;
    setup(kernels, &p, m, n, k);
    float *before = random_floats(m * p.ldc, 0, 99, 1); /* what c holds */
    pn_gemm g = gemm_of(&p);
    kernels->gemm_i8(&g, 0, pn_gemm_panels(n));
    expect_product(kernels, &p, NULL, true);
    g.bias = NULL;
    g.accumulate = true;
    memcpy(p.c, before, m * p.ldc * sizeof *before);
    kernels->gemm_i8(&g, 0, pn_gemm_panels(n));
    expect_product(kernels, &p, before, false);
    for (size_t i = 0; i < m; i++) /* the gap behind each row */
        assert_memory_equal(p.c + i * p.ldc + n, before + i * p.ldc + n, 5 * sizeof *before);
    guarded_free(before);
    teardown(&p);
}

static void check_sizes(const pn_kernels *kernels)
{
    static const size_t ns[] = {1, 5, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 70};
    static const size_t ks[] = {1, 3, 4, 7, 16, 33, 66};
    for (size_t m = 1; m <= 31; m++)
        for (size_t i = 0; i < PN_COUNT_OF(ns); i++)
            check_size(kernels, m, ns[i], ks[(m + i) % PN_COUNT_OF(ks)]);
    check_size(kernels, 50, 96, 130);
}

static void gemm_i8__every_size_agrees_with_double(void **state)
{
    (void)state;
    for_every_level(check_sizes);
}

/* The largest sums there can be: nothing saturates. */
static void check_extremes(const pn_kernels *kernels)
{
    problem p;
    setup(kernels, &p, 3, 16, 4096);
    memset(p.rows, 255, 2 * p.stride + p.k);
    for (size_t i = 0; i < p.k * PN_GEMM_PANEL; i++)
        p.packed[i] = i / 4 % 2 ? -127 : 127;
    memset(p.low, 0, p.m * sizeof *p.low); /* then the sums of the former weights do not matter */
    pn_gemm g = gemm_of(&p);
    kernels->gemm_i8(&g, 0, 1);
    expect_product(kernels, &p, NULL, true);
    teardown(&p);
}

static void gemm_i8__the_largest_sums_do_not_saturate(void **state)
{
    (void)state;
    for_every_level(check_extremes);
}

static void check_division(const pn_kernels *kernels)
{
    problem p;
    setup(kernels, &p, 29, 85, 77);
    pn_gemm g = gemm_of(&p);
    g.activate = kernels->gelu_f32;
    const size_t panels = pn_gemm_panels(p.n), bytes = p.m * p.ldc * sizeof(float);
    kernels->gemm_i8(&g, 0, panels);
    float *whole = guarded_alloc(bytes, 0);
    memcpy(whole, p.c, bytes);
    for (size_t i = panels; i-- > 0;)
        kernels->gemm_i8(&g, i, i + 1);
    assert_memory_equal(p.c, whole, bytes);
    for (size_t i = 0; i <= panels; i++) /* a thread that got nothing to do */
        kernels->gemm_i8(&g, i, i);
    assert_memory_equal(p.c, whole, bytes);
    for (size_t row = 0; row < p.m; row++) {
        pn_gemm one = g;
        one.a8.rows += row * p.stride;
        one.a8.step += row;
        one.a8.low += row;
        one.c += row * p.ldc;
        one.m = 1;
        memset(one.c, 0, p.n * sizeof *one.c);
        kernels->gemm_i8(&one, 0, panels);
    }
    assert_memory_equal(p.c, whole, bytes);
    guarded_free(whole);
    teardown(&p);
}

static void gemm_i8__division_over_threads_and_rows_changes_no_bit(void **state)
{
    (void)state;
    for_every_level(check_division);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantise__every_level_gives_the_same_bytes_within_half_a_step),
        cmocka_unit_test(quantise__rows_of_one_value_have_no_step),
        cmocka_unit_test(pack_i8__layout_and_rounding_are_as_documented),
        cmocka_unit_test(gemm_i8__every_size_agrees_with_double),
        cmocka_unit_test(gemm_i8__the_largest_sums_do_not_saturate),
        cmocka_unit_test(gemm_i8__division_over_threads_and_rows_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

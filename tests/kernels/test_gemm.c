/*
 * test_gemm.c - packed products of every level against double arithmetic: every number of rows and columns around a
 * tile, bias, accumulation, activation, strides, and independence of how the work is cut
 */
#include "kernels/levels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

typedef struct {
    size_t m, n, k;
    float *a, *w, *bias, *packed, *c;
    size_t lda, ldc;
} problem;

static void setup(const pn_kernels *kernels, problem *p, size_t m, size_t n, size_t k)
{
    *p = (problem){.m = m, .n = n, .k = k, .lda = k + 3, .ldc = n + 5};
    p->a = random_floats(m * p->lda, 4, m + 1, 1);
    p->w = random_floats(n * k, 8, n + 2, 1);
    p->bias = random_floats(n, 12, k + 3, 1);
    p->c = random_floats(m * p->ldc, 4, 99, 1);
    p->packed =
        guarded_alloc(pn_gemm_panels(n) * PN_GEMM_PANEL * k * sizeof *p->packed, (n * 4) % 64);
    kernels->gemm_pack(p->packed, p->w, n, k, k, 1);
}

static void teardown(problem *p)
{
    guarded_free(p->a);
    guarded_free(p->w);
    guarded_free(p->bias);
    guarded_free(p->c);
    guarded_free(p->packed);
}

static pn_gemm gemm_of(const problem *p)
{
    return (pn_gemm){.c = p->c,
                     .ldc = p->ldc,
                     .a = p->a,
                     .lda = p->lda,
                     .w = {.packed = p->packed},
                     .bias = p->bias,
                     .m = p->m,
                     .n = p->n,
                     .k = p->k};
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
                double t = (double)p->a[i * p->lda + q] * (double)p->w[j * p->k + q];
                sum += t;
                magnitude += fabs(t);
            }
            double got = (double)p->c[i * p->ldc + j];
            if (!(fabs(got - sum) <= 1e-6 * (magnitude + fabs(sum)) + 1e-30))
                fail_msg("%s %zux%zux%zu [%zu][%zu]: %.9g, expected %.9g", kernels->level, p->m,
                         p->n, p->k, i, j, got, sum);
        }
}

/* The ldc - n values behind each row must not change. */
static void expect_gap(const problem *p, const float *before)
{
    for (size_t i = 0; i < p->m; i++)
        assert_memory_equal(p->c + i * p->ldc + p->n, before + i * p->ldc + p->n,
                            (p->ldc - p->n) * sizeof *p->c);
}

static void check_size(const pn_kernels *kernels, size_t m, size_t n, size_t k)
{
    problem p;
    setup(kernels, &p, m, n, k);
    float *before = random_floats(m * p.ldc, 0, 99, 1); /* what c holds */
    pn_gemm g = gemm_of(&p);
    kernels->gemm_f32(&g, 0, pn_gemm_panels(n));
    expect_product(kernels, &p, NULL, true);
    expect_gap(&p, before);

    g.bias = NULL;
    g.accumulate = true;
    memcpy(p.c, before, m * p.ldc * sizeof *before);
    kernels->gemm_f32(&g, 0, pn_gemm_panels(n));
    expect_product(kernels, &p, before, false);
    expect_gap(&p, before);
    guarded_free(before);
    teardown(&p);
}

static void check_sizes(const pn_kernels *kernels)
{
    static const size_t ns[] = {1, 5, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, 64, 70};
    static const size_t ks[] = {1, 2, 7, 16, 33};
    for (size_t m = 1; m <= 31; m++)
        for (size_t i = 0; i < PN_COUNT_OF(ns); i++)
            check_size(kernels, m, ns[i], ks[(m + i) % PN_COUNT_OF(ks)]);
    check_size(kernels, 50, 96, 130);
    check_size(kernels, 3, 20, 0); /* an empty sum is the bias */
}

static void gemm__every_size_agrees_with_double(void **state)
{
    (void)state;
    for_every_level(check_sizes);
}

static void check_division(const pn_kernels *kernels)
{
    problem p;
    setup(kernels, &p, 29, 85, 77);
    pn_gemm g = gemm_of(&p);
    g.activate = kernels->gelu_f32;
    size_t panels = pn_gemm_panels(p.n);
    kernels->gemm_f32(&g, 0, panels);
    float *whole = guarded_alloc(p.m * p.ldc * sizeof *whole, 0);
    memcpy(whole, p.c, p.m * p.ldc * sizeof *whole);

    /* panel by panel, back to front */
    for (size_t i = 0; i < p.m * p.ldc; i++)
        if (i % p.ldc < p.n)
            p.c[i] = -7;
    for (size_t i = panels; i-- > 0;)
        kernels->gemm_f32(&g, i, i + 1);
    assert_memory_equal(p.c, whole, p.m * p.ldc * sizeof *whole);

    /* row by row */
    for (size_t row = 0; row < p.m; row++) {
        pn_gemm one = g;
        one.a += row * p.lda;
        one.c += row * p.ldc;
        one.m = 1;
        memset(one.c, 0, p.n * sizeof *one.c);
        kernels->gemm_f32(&one, 0, panels);
    }
    assert_memory_equal(p.c, whole, p.m * p.ldc * sizeof *whole);
    guarded_free(whole);
    teardown(&p);
}

static void gemm__division_over_threads_and_rows_changes_no_bit(void **state)
{
    (void)state;
    for_every_level(check_division);
}

/* Panels of 16 bits give the bits of the f32 panels they are equal to. */
static void check_narrow_panels(const pn_kernels *kernels)
{
    static const size_t ms[] = {1, 3, 13, 14, 15, 40}, ns[] = {1, 16, 17, 47, 96};
    for (size_t i = 0; i < PN_COUNT_OF(ms) * PN_COUNT_OF(ns); i++) {
        problem p;
        setup(kernels, &p, ms[i % PN_COUNT_OF(ms)], ns[i / PN_COUNT_OF(ms)], 21 + i % 5);
        const size_t values = pn_gemm_panels(p.n) * PN_GEMM_PANEL * p.k, bytes = p.m * p.ldc * 4;
        uint8_t *narrow = guarded_alloc(2 * values, 0);
        float *want = guarded_alloc(bytes, 0);
        for (int type = PN_PANEL_F16; type <= PN_PANEL_BF16; type++) {
            bool f16 = type == PN_PANEL_F16;
            (f16 ? kernels->f32_to_f16 : kernels->f32_to_bf16)(narrow, p.packed, values);
            (f16 ? kernels->f16_to_f32 : kernels->bf16_to_f32)(p.packed, narrow, values);
            pn_gemm g = gemm_of(&p);
            kernels->gemm_f32(&g, 0, pn_gemm_panels(p.n));
            memcpy(want, p.c, bytes);
            g.w = (pn_panels){.packed = narrow, .type = (pn_panel_type)type};
            kernels->gemm_f32(&g, 0, pn_gemm_panels(p.n));
            assert_memory_equal(p.c, want, bytes);
        }
        guarded_free(narrow);
        guarded_free(want);
        teardown(&p);
    }
}

static void gemm__panels_of_16_bits_give_the_bits_of_f32(void **state)
{
    (void)state;
    for_every_level(check_narrow_panels);
}

static void check_packing(const pn_kernels *kernels)
{
    for (size_t n = 1; n <= 40; n += 3) {
        size_t k = 9, floats = pn_gemm_panels(n) * PN_GEMM_PANEL * k;
        float *w = random_floats(n * k, 4, n, 1), *t = random_floats(n * k, 8, n, 1);
        for (size_t j = 0; j < n; j++)
            for (size_t q = 0; q < k; q++)
                t[q * n + j] = w[j * k + q];
        float *a = guarded_alloc(floats * sizeof *a, 0), *b = guarded_alloc(floats * sizeof *b, 4);
        kernels->gemm_pack(a, w, n, k, k, 1);
        kernels->gemm_pack(b, t, n, k, 1, n); /* the same matrix stored [k][n] */
        assert_memory_equal(a, b, floats * sizeof *a);
        for (size_t i = 0; i < floats; i++) {
            size_t j = i / (PN_GEMM_PANEL * k) * PN_GEMM_PANEL + i % PN_GEMM_PANEL;
            size_t q = i / PN_GEMM_PANEL % k;
            float want = j < n ? w[j * k + q] : 0;
            assert_memory_equal(&want, a + i, sizeof want);
        }
        guarded_free(w);
        guarded_free(t);
        guarded_free(a);
        guarded_free(b);
    }
}

static void gemm_pack__both_orders_give_the_documented_layout(void **state)
{
    (void)state;
    for_every_level(check_packing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm__every_size_agrees_with_double),
        cmocka_unit_test(gemm__division_over_threads_and_rows_changes_no_bit),
        cmocka_unit_test(gemm__panels_of_16_bits_give_the_bits_of_f32),
        cmocka_unit_test(gemm_pack__both_orders_give_the_documented_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

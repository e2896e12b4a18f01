/*
 * test_gemm_bf16.c - products of bf16 with bf16: the layout, the sums, and what the division of a product must not change
 */
#include "kernels/levels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

typedef struct {
    size_t m, n, k, ldc, stride;
    uint16_t *rows, *packed;
    float *a, *w, *bias, *c; /* a [m][k] and w [panels * 16][k] hold the rounded values */
} problem;

static float rounded(const pn_kernels *k, float x)
{
    uint16_t half;
    k->f32_to_bf16(&half, &x, 1);
    k->bf16_to_f32(&x, &half, 1);
    return x;
}

static void setup(const pn_kernels *kernels, problem *p, size_t m, size_t n, size_t k)
{
    const size_t panels = pn_gemm_panels(n), depth = pn_gemm_bf16_depth(k);
    *p = (problem){.m = m, .n = n, .k = k, .ldc = n + 5, .stride = depth + 3};
    p->a = random_floats(m * k, 0, m + 1, 1);
    p->w = random_floats(panels * PN_GEMM_PANEL * k, 0, n + 2, 0.1);
    p->bias = random_floats(n, 12, k + 3, 1);
    p->c = random_floats(m * p->ldc, 4, 99, 1);
    p->rows = guarded_alloc(((m - 1) * p->stride + depth) * 2, 2);
    p->packed = guarded_alloc(panels * PN_GEMM_PANEL * depth * 2, 4);
    memset(p->rows, 0xFF, ((m - 1) * p->stride + depth) * 2); /* between rows: not a number */
    for (size_t i = 0; i < m; i++) {
        kernels->f32_to_bf16(p->rows + i * p->stride, p->a + i * k, k);
        if (depth > k)
            p->rows[i * p->stride + k] = 0;
    }
    float *panel = guarded_alloc(k * PN_GEMM_PANEL * sizeof *panel, 0);
    for (size_t i = 0; i < panels; i++) {
        kernels->gemm_pack(panel, p->w + i * PN_GEMM_PANEL * k, PN_GEMM_PANEL, k, k, 1);
        kernels->gemm_pack_bf16(p->packed + i * PN_GEMM_PANEL * depth, panel, k);
    }
    guarded_free(panel);
    for (size_t i = 0; i < m * k; i++)
        p->a[i] = rounded(kernels, p->a[i]);
    for (size_t i = 0; i < panels * PN_GEMM_PANEL * k; i++)
        p->w[i] = rounded(kernels, p->w[i]);
}

static void teardown(problem *p)
{
    void *const all[] = {p->rows, p->packed, p->a, p->w, p->bias, p->c};
    for (size_t i = 0; i < PN_COUNT_OF(all); i++)
        guarded_free(all[i]);
}

static pn_gemm gemm_of(const problem *p)
{
    return (pn_gemm){.c = p->c,
                     .ldc = p->ldc,
                     .a16 = {p->rows, p->stride},
                     .w = {.packed = p->packed, .type = PN_PANEL_BF16_PAIRS},
                     .bias = p->bias,
                     .m = p->m,
                     .n = p->n,
                     .k = p->k};
}

static void expect_product(const pn_kernels *kernels, const problem *p, const float *before,
                           const float *bias)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double sum = bias ? (double)bias[j] : 0, magnitude = fabs(sum);
            if (before)
                sum += (double)before[i * p->ldc + j];
            magnitude += before ? fabs((double)before[i * p->ldc + j]) : 0;
            for (size_t q = 0; q < p->k; q++) {
                double t = (double)p->a[i * p->k + q] * (double)p->w[j * p->k + q];
                sum += t;
                magnitude += fabs(t);
            }
            double got = (double)p->c[i * p->ldc + j];
            if (!(fabs(got - sum) <= 1e-6 * magnitude * (1 + (double)p->k / 65536) + 1e-30))
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
    kernels->gemm_bf16(&g, 0, pn_gemm_panels(n));
    expect_product(kernels, &p, NULL, p.bias);
    g.bias = NULL;
    g.accumulate = true;
    memcpy(p.c, before, m * p.ldc * sizeof *before);
    kernels->gemm_bf16(&g, 0, pn_gemm_panels(n));
    expect_product(kernels, &p, before, NULL);
    for (size_t i = 0; i < m; i++) /* the gap behind each row */
        assert_memory_equal(p.c + i * p.ldc + n, before + i * p.ldc + n, 5 * sizeof *before);
    guarded_free(before);
    teardown(&p);
}

static void check_sizes(const pn_kernels *kernels)
{
    static const size_t ns[] = {1, 5, 15, 16, 17, 31, 32, 33, 48, 70};
    static const size_t ks[] = {1, 2, 3, 7, 16, 33, 66};
    for (size_t m = 1; m <= 31; m++)
        for (size_t i = 0; i < PN_COUNT_OF(ns); i++)
            check_size(kernels, m, ns[i], ks[(m + i) % PN_COUNT_OF(ks)]);
    check_size(kernels, 50, 96, 768);
}

static void gemm_bf16__every_size_agrees_with_double(void **state)
{
    (void)state;
    for_every_level(check_sizes);
}

/* The order of the additions is the definition's on every level, and values this large round alike. */
static void check_bits(const pn_kernels *kernels)
{
    pn_kernels portable;
    assert_true(pn_kernels_init_level(&portable, "portable"));
    for (size_t k = 1; k <= 301; k += 20) {
        problem p;
        setup(kernels, &p, 15, 50, k);
        pn_gemm g = gemm_of(&p);
        const size_t bytes = p.m * p.ldc * sizeof(float);
        kernels->gemm_bf16(&g, 0, pn_gemm_panels(p.n));
        float *got = guarded_alloc(bytes, 0);
        memcpy(got, p.c, bytes);
        portable.gemm_bf16(&g, 0, pn_gemm_panels(p.n));
        assert_memory_equal(got, p.c, bytes);
        guarded_free(got);
        teardown(&p);
    }
}

static void gemm_bf16__pairs_are_added_in_the_order_of_the_definition(void **state)
{
    (void)state;
    for_every_level(check_bits);
}

static void check_division(const pn_kernels *kernels)
{
    problem p;
    setup(kernels, &p, 29, 85, 77);
    pn_gemm g = gemm_of(&p);
    g.activate = kernels->gelu_f32;
    const size_t panels = pn_gemm_panels(p.n), bytes = p.m * p.ldc * sizeof(float);
    kernels->gemm_bf16(&g, 0, panels);
    float *whole = guarded_alloc(bytes, 0);
    memcpy(whole, p.c, bytes);
    for (size_t i = panels; i-- > 0;)
        kernels->gemm_bf16(&g, i, i + 1);
    assert_memory_equal(p.c, whole, bytes);
    for (size_t i = 0; i <= panels; i++) /* a thread that got nothing to do */
        kernels->gemm_bf16(&g, i, i);
    for (size_t row = 0; row < p.m; row++) {
        pn_gemm one = g;
        one.a16.rows = p.rows + row * p.stride;
        one.c += row * p.ldc;
        one.m = 1;
        memset(one.c, 0, p.n * sizeof *one.c);
        kernels->gemm_bf16(&one, 0, panels);
    }
    assert_memory_equal(p.c, whole, bytes);
    guarded_free(whole);
    teardown(&p);
}

static void gemm_bf16__division_over_threads_and_rows_changes_no_bit(void **state)
{
    (void)state;
    for_every_level(check_division);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_bf16__every_size_agrees_with_double),
        cmocka_unit_test(gemm_bf16__pairs_are_added_in_the_order_of_the_definition),
        cmocka_unit_test(gemm_bf16__division_over_threads_and_rows_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

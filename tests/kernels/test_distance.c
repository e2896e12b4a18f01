/*
 * test_distance.c - every level against double arithmetic, lengths 0..130 and odd ones, at odd addresses
 */
#include "kernels/levels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static const size_t lengths[] = {191, 255, 256, 257, 511, 512, 768, 1000, 1025, 4099};
enum { SMALL = 131, N_LENGTHS = SMALL + (int)PN_COUNT_OF(lengths) };

static size_t length_at(int i)
{
    return i < SMALL ? (size_t)i : lengths[i - SMALL];
}

static float *random_array(size_t n, size_t shift, uint64_t seed)
{
    float *v = guarded_alloc(n * sizeof *v, shift);
    pn_rng rng = pn_rng_seed(seed);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)pn_rng_normal(&rng);
    return v;
}

/* The class "reduction" of kernels.h. */
static void expect_near(float got, double want, double magnitude, size_t n, const char *level)
{
    double bound = 1e-6 * magnitude * (1 + (double)n / 65536) + 1e-30;
    if (!(fabs((double)got - want) <= bound))
        fail_msg("%s, n %zu: %.9g, expected %.9g", level, n, (double)got, want);
}

static void check_pair(const pn_kernels *k, size_t n, size_t shift)
{
    float *a = random_array(n, shift, n);
    float *b = random_array(n, (shift + 12) % 64, n + 1);
    double dot = 0, magnitude = 0, l2 = 0, aa = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i];
        dot += x * y;
        magnitude += fabs(x * y);
        l2 += (x - y) * (x - y);
        aa += x * x;
    }
    expect_near(k->dot_f32(a, b, n), dot, magnitude, n, k->level);
    expect_near(k->l2sq_f32(a, b, n), l2, l2, n, k->level);
    expect_near(k->norm_f32(a, n), sqrt(aa), sqrt(aa), n, k->level);
    guarded_free(a);
    guarded_free(b);
}

static void distance__every_level_agrees_with_double(void **state)
{
    (void)state;
    for (size_t l = 0; l < PN_COUNT_OF(levels); l++) {
        pn_kernels k;
        if (!pn_kernels_init_level(&k, levels[l]))
            continue;
        for (int i = 0; i < N_LENGTHS; i++)
            for (size_t shift = 0; shift < 64; shift += 20)
                check_pair(&k, length_at(i), shift);
    }
}

static void check_many(const pn_kernels *k, size_t n_rows, size_t dim)
{
    float *rows = random_array(n_rows * dim, 4, dim);
    float *query = random_array(dim, 8, dim + 7);
    float *out = guarded_alloc(n_rows * sizeof *out, 4);
    k->dot_many_f32(out, query, rows, n_rows, dim);
    for (size_t i = 0; i < n_rows; i++) {
        float one = k->dot_f32(query, rows + i * dim, dim);
        assert_memory_equal(&one, out + i, sizeof one);
    }
    k->l2sq_many_f32(out, query, rows, n_rows, dim);
    for (size_t i = 0; i < n_rows; i++) {
        float one = k->l2sq_f32(query, rows + i * dim, dim);
        assert_memory_equal(&one, out + i, sizeof one);
    }
    guarded_free(rows);
    guarded_free(query);
    guarded_free(out);
}

static void distance__one_to_many_is_one_to_one_bit_for_bit(void **state)
{
    (void)state;
    for (size_t l = 0; l < PN_COUNT_OF(levels); l++) {
        pn_kernels k;
        if (!pn_kernels_init_level(&k, levels[l]))
            continue;
        for (size_t n_rows = 0; n_rows <= 9; n_rows++)
            for (int i = 0; i < N_LENGTHS; i += 7)
                check_many(&k, n_rows, length_at(i));
    }
}

static void distance__passes_nan_on(void **state)
{
    (void)state;
    for (size_t l = 0; l < PN_COUNT_OF(levels); l++) {
        pn_kernels k;
        if (!pn_kernels_init_level(&k, levels[l]))
            continue;
        for (size_t at = 0; at < 70; at++) {
            float v[70];
            for (size_t i = 0; i < 70; i++)
                v[i] = i == at ? NAN : 1.0f;
            assert_true(isnan(k.dot_f32(v, v, 70)));
            assert_true(isnan(k.l2sq_f32(v, v, 70)));
        }
    }
}

static void kernels__level_is_capped_and_named(void **state)
{
    (void)state;
    pn_kernels k;
    assert_true(pn_kernels_init_level(&k, "portable"));
    assert_string_equal(k.level, "portable");
    assert_false(pn_kernels_init_level(&k, "avx1024"));
    print_message("level here: %s\n", pn_kernels_get()->level);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance__every_level_agrees_with_double),
        cmocka_unit_test(distance__one_to_many_is_one_to_one_bit_for_bit),
        cmocka_unit_test(distance__passes_nan_on),
        cmocka_unit_test(kernels__level_is_capped_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

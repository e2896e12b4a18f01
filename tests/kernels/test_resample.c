/*
 * test_resample.c - weighted sums of pixels on every level, against the definition, at every width and between guard pages
 */
#include "kernels/levels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MOST = 23, MANY = 1030 };

/* Weights of both signs whose sizes add up to less than 2^23: overshoots in both directions. */
static void random_weights(pn_rng *rng, int32_t *weights, size_t n)
{
    for (size_t j = 0; j < n; j++)
        weights[j] = (int32_t)(pn_rng_below(rng, 1u << 23) / n) - (int32_t)((1u << 21) / n);
    if (n > 2)
        weights[pn_rng_below(rng, n)] = 0;
}

static uint8_t *random_bytes(pn_rng *rng, size_t n, size_t shift)
{
    uint8_t *v = guarded_alloc(n, shift);
    for (size_t i = 0; i < n; i++)
        v[i] = (uint8_t)(pn_rng_below(rng, 4) * 85); // full contrast
    return v;
}

static uint8_t clamped(int64_t sum)
{
    sum = (sum + (1 << 21)) >> 22;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

typedef struct shape {
    size_t n_in, n_out, n_rows, most; /* taps */
    bool in_order; /* windows follow each other, as in a resize; else they are anywhere */
} shape;

/* The last window is at the end. */
static void check_across_one(const pn_kernels *k, shape s)
{
    const size_t n_in = s.n_in, n_out = s.n_out, n_rows = s.n_rows, most = s.most;
    pn_rng rng = pn_rng_seed(n_in * 1000 + n_out * 10 + n_rows);
    uint32_t *first = guarded_alloc(n_out * sizeof *first, 4),
             *n = guarded_alloc(n_out * sizeof *n, 4);
    int32_t *weights = guarded_alloc(n_out * most * sizeof *weights, 4);
    uint8_t *in = random_bytes(&rng, n_rows * n_in * 3, n_in % 64);
    uint8_t *out = guarded_alloc(n_rows * n_out * 3, n_out % 64);
    for (size_t x = 0; x < n_out; x++) {
        n[x] = 1 + (uint32_t)pn_rng_below(&rng, PN_MIN(n_in, most));
        first[x] = (uint32_t)(s.in_order ? x * (n_in - n[x]) / n_out
                                         : pn_rng_below(&rng, n_in - n[x] + 1));
        if (x + 1 == n_out)
            first[x] = (uint32_t)n_in - n[x];
        random_weights(&rng, weights + x * most, n[x]);
    }
    const pn_taps taps = {.first = first, .n = n, .weights = weights, .most = most, .n_out = n_out};
    k->resample_across_u8(out, in, n_in, n_rows, &taps);
    for (size_t i = 0; i < n_rows * n_out * 3; i++) {
        const size_t y = i / 3 / n_out, x = i / 3 % n_out, c = i % 3;
        int64_t sum = 0;
        for (size_t j = 0; j < n[x]; j++)
            sum += (int64_t)weights[x * most + j] * in[(y * n_in + first[x] + j) * 3 + c];
        if (out[i] != clamped(sum))
            fail_msg("%s: %zu of %zu pixels, %u taps: %u, expected %u", k->level, x, n_in,
                     (unsigned)n[x], out[i], clamped(sum));
    }
    guarded_free(out);
    guarded_free(in);
    guarded_free(weights);
    guarded_free(n);
    guarded_free(first);
}

static void check_across(const pn_kernels *k)
{
    for (size_t n_in = 1; n_in <= 70; n_in++)
        for (size_t n_rows = 0; n_rows <= 3; n_rows++)
            check_across_one(k, (shape){n_in, 1 + n_in % 9, n_rows, MOST, false});
    for (size_t n_in = 1; n_in <= 70; n_in++)
        check_across_one(k, (shape){n_in, 1 + n_in % 40, 14 + n_in % 5, MOST, n_in % 2});
    check_across_one(k, (shape){1000, 224, 17, MOST, false});
    check_across_one(k, (shape){1000, 224, 37, MOST, true});
    check_across_one(k, (shape){90, 700, 16, 5, true}); // larger
    check_across_one(k, (shape){1500, 60, 33, 600, true});
    check_across_one(k, (shape){7, 0, 2, MOST, false});
}

static void across__is_exact_at_any_width(void **state)
{
    (void)state;
    for_every_level(check_across);
}

static void check_down_one(const pn_kernels *k, size_t n, size_t n_rows)
{
    pn_rng rng = pn_rng_seed(n * 100 + n_rows);
    int32_t weights[MANY];
    uint8_t *in = random_bytes(&rng, n * n_rows, n % 64), *out = guarded_alloc(n, (n * 3) % 64);
    random_weights(&rng, weights, n_rows);
    k->resample_down_u8(out, in, n, weights, n_rows);
    for (size_t x = 0; x < n; x++) {
        int64_t sum = 0;
        for (size_t j = 0; j < n_rows; j++)
            sum += (int64_t)weights[j] * in[j * n + x];
        if (out[x] != clamped(sum))
            fail_msg("%s: byte %zu of %zu, %zu rows: %u, expected %u", k->level, x, n, n_rows,
                     out[x], clamped(sum));
    }
    guarded_free(out);
    guarded_free(in);
}

static void check_down(const pn_kernels *k)
{
    for (size_t n = 0; n <= 200; n++)
        for (size_t n_rows = 1; n_rows <= MOST; n_rows += 1 + n_rows / 2)
            check_down_one(k, n, n_rows);
    for (size_t n_rows = MANY - 10; n_rows <= MANY; n_rows++)
        check_down_one(k, 133, n_rows);
}

static void down__is_exact_at_any_length(void **state)
{
    (void)state;
    for_every_level(check_down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(across__is_exact_at_any_width),
        cmocka_unit_test(down__is_exact_at_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_codes.c - rows of 4-bit codes: every level finds what portable C finds, with nothing behind the arrays
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

static uint8_t *random_bytes(size_t n, size_t shift, uint64_t below, pn_rng *rng)
{
    uint8_t *bytes = guarded_alloc(n, shift);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)pn_rng_below(rng, below);
    return bytes;
}

/* ---- scan_codes */

typedef struct problem {
    pn_codes codes;
    pn_code_query query;
    uint8_t *blocks, *tables;
    uint32_t *rows, *want_rows;
    int16_t *scores, *want_scores;
} problem;

static void setup(problem *p, size_t n_rows, size_t n_groups, pn_rng *rng)
{
    size_t blocks = pn_code_blocks(n_rows), shift = pn_rng_below(rng, 16) * 4;
    p->blocks = random_bytes(blocks * pn_code_block_bytes(n_groups), shift + 1, 256, rng);
    p->tables = random_bytes(n_groups * PN_CODE_ENTRIES, 63 - shift, PN_CODE_MAX_ENTRY + 1, rng);
    p->codes = (pn_codes){.blocks = p->blocks, .n_rows = n_rows, .n_groups = n_groups};
    p->query = (pn_code_query){.tables = p->tables,
                               .zero = (int16_t)(n_groups * PN_CODE_MAX_ENTRY / 2),
                               .offset_scale = (int16_t)pn_rng_below(rng, 1000)};
    if (n_groups % 8 ==
        0) { /* fetching is only a wish, and what is behind the end may be asked for, too */
        p->codes.ahead = p->tables;
        p->codes.ahead_bytes = n_rows * n_groups;
    }
    p->rows = guarded_alloc(blocks * PN_CODE_BLOCK * sizeof *p->rows, shift % 64);
    p->scores = guarded_alloc(blocks * PN_CODE_BLOCK * sizeof *p->scores, shift % 64);
    p->want_rows = guarded_alloc(blocks * PN_CODE_BLOCK * sizeof *p->rows, 0);
    p->want_scores = guarded_alloc(blocks * PN_CODE_BLOCK * sizeof *p->scores, 0);
}

static void teardown(problem *p)
{
    guarded_free(p->blocks);
    guarded_free(p->tables);
    guarded_free(p->rows);
    guarded_free(p->scores);
    guarded_free(p->want_rows);
    guarded_free(p->want_scores);
}

static size_t expect_scan(const pn_kernels *k, problem *p, int32_t least)
{
    const pn_kernels reference = portable();
    p->query.least = least;
    size_t want = reference.scan_codes(p->want_rows, p->want_scores, &p->codes, &p->query);
    size_t got = k->scan_codes(p->rows, p->scores, &p->codes, &p->query);
    if (got != want)
        fail_msg("%s: %zu rows instead of %zu of %zu, %zu groups, at least %d", k->level, got, want,
                 p->codes.n_rows, p->codes.n_groups, least);
    assert_memory_equal(p->rows, p->want_rows, got * sizeof *p->rows);
    assert_memory_equal(p->scores, p->want_scores, got * sizeof *p->scores);
    return got;
}

static const size_t row_counts[] = {0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 257};
static const size_t group_counts[] = {4, 8, 12, 16, 20, 60, 64, 128, 252, 256};

static void check_scans(const pn_kernels *k)
{
    pn_rng rng = pn_rng_seed(1);
    for (size_t r = 0; r < PN_COUNT_OF(row_counts); r++)
        for (size_t g = 0; g < PN_COUNT_OF(group_counts); g++) {
            problem p;
            size_t n = row_counts[r];
            int32_t width = (int32_t)group_counts[g] * PN_CODE_MAX_ENTRY / 8;
            setup(&p, n, group_counts[g], &rng);
            assert_int_equal(expect_scan(k, &p, INT32_MIN), n);
            assert_int_equal(expect_scan(k, &p, INT16_MIN), n);
            for (size_t i = 0; i < 6; i++)
                (void)expect_scan(k, &p,
                                  (int32_t)pn_rng_below(&rng, 2 * (uint64_t)width + 1) - width);
            if (n > 0) { /* exactly a score that there is, and one more */
                assert_int_equal(expect_scan(k, &p, INT16_MIN), n);
                int16_t last = p.scores[n - 1];
                assert_true(expect_scan(k, &p, last) > 0);
                (void)expect_scan(k, &p, last + 1);
            }
            assert_int_equal(expect_scan(k, &p, 32768), 0);
            assert_int_equal(expect_scan(k, &p, INT32_MAX), 0);
            teardown(&p);
        }
}

static void scan_codes__every_level_finds_the_same_rows(void **state)
{
    (void)state;
    for_every_level(check_scans);
}

/* Sums from 0 to 32,512, and what a query makes of them up to both ends of 16 bits. */
static void check_extreme_scans(const pn_kernels *k)
{
    static const int32_t bounds[] = {INT32_MIN, -32768, -32767, -255,  -1,    0,        1,
                                     127,       128,    32511,  32512, 32767, INT32_MAX};
    static const int16_t ends[] = {INT16_MIN, -1, 0, 32512, INT16_MAX};
    pn_rng rng = pn_rng_seed(2);
    for (size_t g = 0; g < PN_COUNT_OF(group_counts); g++) {
        problem p;
        size_t n_groups = group_counts[g], n = 96, block = pn_code_block_bytes(n_groups);
        setup(&p, n, n_groups, &rng);
        for (int fill = 0; fill < 3 * (int)PN_COUNT_OF(ends); fill++) {
            /* all 0; all 127; the low codes 127 and the high ones 0, so that rows' sums go from one end to the other */
            for (size_t i = 0; i < n_groups * PN_CODE_ENTRIES; i++)
                p.tables[i] =
                    fill % 3 == 0 ? 0 : (fill % 3 == 1 || i % 16 < 8 ? PN_CODE_MAX_ENTRY : 0);
            for (size_t i = 0; fill == 2 && i < 3 * block; i++)
                if (i % block < n_groups * PN_CODE_ENTRIES)
                    p.blocks[i] = i % block / 16 <= i % 16 * n_groups / 16 ? 0xF0 : 0x0F;
            p.query.zero = ends[fill / 3];
            p.query.offset_scale = fill % 2 ? INT16_MAX : (int16_t)fill;
            for (size_t b = 0; b < PN_COUNT_OF(bounds); b++)
                (void)expect_scan(k, &p, bounds[b]);
        }
        teardown(&p);
    }
}

static void scan_codes__the_largest_sums_do_not_wrap(void **state)
{
    (void)state;
    for_every_level(check_extreme_scans);
}

/* x / n, rounded to the nearest, halves up. */
static int64_t divided(int64_t x, int64_t n)
{
    int64_t doubled = 2 * x + n, quotient = doubled / (2 * n);
    return quotient - (doubled % (2 * n) < 0);
}

static int64_t within_16_bits(int64_t x)
{
    return PN_MAX(PN_MIN(x, (int64_t)INT16_MAX), (int64_t)INT16_MIN);
}

/* The layout and the score of kernels.h, by hand. */
static void check_layout(const pn_kernels *k)
{
    enum { GROUPS = 4, ROWS = 40, BLOCK = GROUPS * 16 + 64 };
    static const int16_t zeros[] = {0, 60, -200, 30000, -32768};
    static const int16_t scales[] = {0, 1, 128, 4000, 32767};
    uint8_t blocks[2 * BLOCK] = {0}, tables[GROUPS * PN_CODE_ENTRIES];
    uint32_t rows[2 * PN_CODE_BLOCK];
    int16_t scores[2 * PN_CODE_BLOCK];
    assert_int_equal(pn_code_block_bytes(GROUPS), BLOCK);
    for (size_t i = 0; i < sizeof tables; i++)
        tables[i] = (uint8_t)(i % 16 + i / 16 * 15);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t g = 0; g < GROUPS; g++) {
            unsigned code = (unsigned)(r * 7 + g * 3) % 16;
            size_t at = r / 32 * BLOCK + g * 16 + r % 16;
            blocks[at] |= (uint8_t)(r % 32 < 16 ? code : code << 4);
        }
        blocks[r / 32 * BLOCK + 64 + r % 32] = (uint8_t)(r * 6);
        blocks[r / 32 * BLOCK + 96 + r % 32] = (uint8_t)(r * 11);
    }
    pn_codes codes = {.blocks = blocks, .n_rows = ROWS, .n_groups = GROUPS};
    for (size_t turn = 0; turn < PN_COUNT_OF(zeros) * PN_COUNT_OF(scales); turn++) {
        pn_code_query query = {tables, zeros[turn % PN_COUNT_OF(zeros)],
                               scales[turn / PN_COUNT_OF(zeros)], INT16_MIN};
        assert_int_equal(k->scan_codes(rows, scores, &codes, &query), ROWS);
        for (size_t r = 0; r < ROWS; r++) {
            int64_t x = 0, factor = (uint8_t)(r * 6), offset = (uint8_t)(r * 11);
            offset -= offset < 128 ? 0 : 256;
            for (size_t g = 0; g < GROUPS; g++)
                x += (int64_t)((r * 7 + g * 3) % 16 + g * 15);
            x = within_16_bits(x - query.zero);
            x = within_16_bits(x + within_16_bits(2 * divided(x * factor, 256)));
            x = within_16_bits(x + divided(offset * query.offset_scale, 128));
            assert_int_equal(rows[r], r);
            assert_int_equal(scores[r], x);
        }
    }
}

static void scan_codes__reads_the_documented_layout(void **state)
{
    (void)state;
    for_every_level(check_layout);
}

/* ---- products of a vector in 16 bits */

typedef struct wide_vector {
    pn_i16_vector of;
    int16_t *values;
    int8_t *high, *low;
} wide_vector;

static void make_vector(wide_vector *v, size_t n)
{
    v->values = guarded_alloc(n * sizeof *v->values, 2 * (n % 32));
    v->high = guarded_alloc(n, n % 64);
    v->low = guarded_alloc(n, (n + 5) % 64);
    v->of = (pn_i16_vector){v->values, v->high, v->low, 0, 0};
}

static void free_vector(wide_vector *v)
{
    guarded_free(v->values);
    guarded_free(v->high);
    guarded_free(v->low);
}

/* how 0: any numbers; else the largest, of one sign or of both. */
static void fill_vector(wide_vector *v, size_t n, int how, pn_rng *rng)
{
    const int32_t limit = pn_i16_limit(n);
    v->of.sum = v->of.high_sum = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t any = (int32_t)pn_rng_below(rng, 2 * (uint64_t)limit + 1) - limit;
        int32_t value = how == 0 ? any : (how == 1 || (how == 3 && i % 2) ? limit : -limit);
        int32_t high = (value + 128) >> 8;
        assert_true(high >= -127 && high <= 127);
        v->values[i] = (int16_t)value;
        v->high[i] = (int8_t)high;
        v->low[i] = (int8_t)(value - 256 * high);
        v->of.sum += value;
        v->of.high_sum += high;
    }
}

/* Bytes: any, all 0, all 255, or the one and the other. */
static void fill_bytes(uint8_t *bytes, size_t n, int how, pn_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(how == 0 ? pn_rng_below(rng, 256)
                                      : (how == 1 || (how == 3 && i % 2) ? 255 : 0));
}

static void expect_product(const pn_kernels *k, const char *what, size_t n, int64_t got,
                           int64_t want)
{
    if (got != want)
        fail_msg("%s: %s of %zu: %lld instead of %lld", k->level, what, n, (long long)got,
                 (long long)want);
}

static void check_dots(const pn_kernels *k)
{
    pn_rng rng = pn_rng_seed(3);
    for (size_t n = 0; n <= 2048; n += n < 130 ? 1 : 137) {
        wide_vector v;
        uint8_t *b = guarded_alloc(n, n % 64);
        make_vector(&v, n);
        for (int how = 0; how < 16; how++) {
            int64_t want = 0;
            fill_vector(&v, n, how % 4, &rng);
            fill_bytes(b, n, how / 4, &rng);
            for (size_t i = 0; i < n; i++)
                want += (int64_t)v.values[i] * (b[i] - 128);
            expect_product(k, "dot_i16_u8", n, k->dot_i16_u8(&v.of, b, n), want);
        }
        guarded_free(b);
        free_vector(&v);
    }
}

static void dot_i16_u8__is_exact_up_to_its_limit(void **state)
{
    (void)state;
    for_every_level(check_dots);
}

static void check_halves(const pn_kernels *k)
{
    pn_rng rng = pn_rng_seed(5);
    for (size_t n = 0; n <= 1024; n += n < 130 ? 1 : 137) {
        wide_vector v;
        uint8_t *upper = guarded_alloc(n, n % 64), *lower = guarded_alloc(n, (n + 9) % 64);
        make_vector(&v, 2 * n);
        for (int how = 0; how < 64; how++) {
            int64_t want = 0, want_upper = 0;
            fill_vector(&v, 2 * n, how % 4, &rng);
            fill_bytes(upper, n, how / 4 % 4, &rng);
            fill_bytes(lower, n, how / 16, &rng);
            for (
                size_t i = 0; i < 2 * n;
                i++) { /* value i is in the low four bits of byte i, or in the high ones of byte i - n */
                int shift = i < n ? 0 : 4;
                int up = upper[i % n] >> shift & 15, down = lower[i % n] >> shift & 15;
                want += (int64_t)v.values[i] * (16 * up + down - 128);
                want_upper += v.high[i] * up;
            }
            expect_product(k, "dot_i16_halves", n, k->dot_i16_halves(&v.of, upper, lower, n), want);
            expect_product(k, "dot_i8_u4", n, k->dot_i8_u4(v.high, upper, n), want_upper);
        }
        guarded_free(upper);
        guarded_free(lower);
        free_vector(&v);
    }
}

static void dot_i16_halves__and_of_one_half_are_exact_up_to_their_limit(void **state)
{
    (void)state;
    for_every_level(check_halves);
}

static void check_many(const pn_kernels *k)
{
    static const size_t row_counts_of_many[] = {0, 1, 2, 3, 4, 5, 7, 8, 63};
    pn_rng rng = pn_rng_seed(6);
    for (size_t dim = 0; dim <= 2048; dim += dim < 130 ? 1 : 137)
        for (size_t i = 0; i < PN_COUNT_OF(row_counts_of_many); i++) {
            size_t n = row_counts_of_many[i];
            int how = (int)pn_rng_below(&rng, 4);
            int8_t *a = guarded_alloc(dim, dim % 64);
            uint8_t *rows = guarded_alloc(n * dim, (dim + 3) % 64);
            int32_t *out = guarded_alloc(n * sizeof *out, 4 * (n % 16));
            fill_bytes(rows, n * dim, how, &rng);
            for (size_t d = 0; d < dim; d++)
                a[d] = (int8_t)(how == 0 ? (int)pn_rng_below(&rng, 256) - 128 : -128);
            k->dot_many_i8_u8(out, a, rows, n, dim);
            for (size_t r = 0; r < n; r++) {
                int64_t want = 0;
                for (size_t d = 0; d < dim; d++)
                    want += a[d] * rows[r * dim + d];
                expect_product(k, "dot_many_i8_u8", dim, out[r], want);
            }
            guarded_free(a);
            guarded_free(rows);
            guarded_free(out);
        }
}

static void dot_many_i8_u8__is_exact(void **state)
{
    (void)state;
    for_every_level(check_many);
}

/* A lone half may come with a vector of any bytes. */
static void check_least_bytes(const pn_kernels *k)
{
    int8_t a[2048];
    uint8_t halves[1024];
    memset(a, -128, sizeof a);
    memset(halves, 255, sizeof halves);
    for (size_t n = 0; n <= sizeof halves; n++)
        assert_int_equal(k->dot_i8_u4(a, halves, n), -128 * 15 * 2 * (int)n);
}

static void dot_i8_u4__takes_the_least_bytes(void **state)
{
    (void)state;
    for_every_level(check_least_bytes);
}

/* ---- nearest_of_16 */

static double nearness(const float *codewords, const float *bias, const float *row, size_t dims,
                       size_t c)
{
    double sum = (double)bias[c];
    for (size_t d = 0; d < dims; d++)
        sum += (double)row[d] * (double)codewords[d * PN_CODE_ENTRIES + c];
    return sum;
}

/* The order of additions is the level's own: so no other codeword may be better by more than their error. */
static void expect_nearest(const pn_kernels *k, size_t n_rows, size_t dims, size_t stride)
{
    float *codewords = random_floats(dims * PN_CODE_ENTRIES, 4, dims + 1, 1);
    float *bias = random_floats(PN_CODE_ENTRIES, 8, dims + 2, 1);
    float *rows = random_floats(n_rows > 0 ? (n_rows - 1) * stride + dims : 0, 12, n_rows, 1);
    uint8_t *out = guarded_alloc(n_rows, 3);
    k->nearest_of_16(out, codewords, bias, rows, stride, n_rows, dims);
    for (size_t r = 0; r < n_rows; r++) {
        assert_true(out[r] < PN_CODE_ENTRIES);
        double own = nearness(codewords, bias, rows + r * stride, dims, out[r]);
        for (size_t c = 0; c < PN_CODE_ENTRIES; c++)
            assert_true(nearness(codewords, bias, rows + r * stride, dims, c) <= own + 1e-5);
    }
    guarded_free(codewords);
    guarded_free(bias);
    guarded_free(rows);
    guarded_free(out);
}

static void check_nearest(const pn_kernels *k)
{
    static const size_t counts[] = {0, 1, 2, 31, 32, 33, 100};
    for (size_t i = 0; i < PN_COUNT_OF(counts); i++)
        for (size_t dims = 0; dims <= 9; dims++)
            for (size_t gap = 0; gap < 8; gap += 7)
                expect_nearest(k, counts[i], dims, dims + gap);
}

static void nearest_of_16__none_is_nearer(void **state)
{
    (void)state;
    for_every_level(check_nearest);
}

/* Whole numbers are added without error, so the first among equals is the same everywhere. */
static void check_ties(const pn_kernels *k)
{
    float codewords[2 * PN_CODE_ENTRIES], bias[PN_CODE_ENTRIES];
    pn_rng rng = pn_rng_seed(4);
    for (size_t turn = 0; turn < 2000; turn++) {
        float row[2] = {(float)pn_rng_below(&rng, 3) - 1, (float)pn_rng_below(&rng, 3) - 1};
        for (size_t c = 0; c < PN_CODE_ENTRIES; c++) {
            bias[c] = -(float)pn_rng_below(&rng, 3);
            codewords[c] = (float)pn_rng_below(&rng, 3) - 1;
            codewords[PN_CODE_ENTRIES + c] = (float)pn_rng_below(&rng, 3) - 1;
        }
        uint8_t got, want = 0;
        k->nearest_of_16(&got, codewords, bias, row, 2, 1, 2);
        for (uint8_t c = 1; c < PN_CODE_ENTRIES; c++)
            if (nearness(codewords, bias, row, 2, c) > nearness(codewords, bias, row, 2, want))
                want = c;
        assert_int_equal(got, want);
    }
}

static void nearest_of_16__takes_the_first_among_equals(void **state)
{
    (void)state;
    for_every_level(check_ties);
}

static void check_odd_rows(const pn_kernels *k)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 1e38f, -1e38f, 1e-45f};
    float codewords[PN_CODE_ENTRIES], bias[PN_CODE_ENTRIES] = {0};
    for (size_t c = 0; c < PN_CODE_ENTRIES; c++)
        codewords[c] = ((float)c - 7.5f) * 1e10f;
    for (size_t i = 0; i < PN_COUNT_OF(values); i++) {
        uint8_t got = 255;
        k->nearest_of_16(&got, codewords, bias, &values[i], 1, 1, 1);
        assert_true(got < PN_CODE_ENTRIES);
    }
}

static void nearest_of_16__gives_a_code_whatever_the_row(void **state)
{
    (void)state;
    for_every_level(check_odd_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_codes__every_level_finds_the_same_rows),
        cmocka_unit_test(scan_codes__the_largest_sums_do_not_wrap),
        cmocka_unit_test(scan_codes__reads_the_documented_layout),
        cmocka_unit_test(dot_i16_u8__is_exact_up_to_its_limit),
        cmocka_unit_test(dot_i16_halves__and_of_one_half_are_exact_up_to_their_limit),
        cmocka_unit_test(dot_i8_u4__takes_the_least_bytes),
        cmocka_unit_test(dot_many_i8_u8__is_exact),
        cmocka_unit_test(nearest_of_16__none_is_nearer),
        cmocka_unit_test(nearest_of_16__takes_the_first_among_equals),
        cmocka_unit_test(nearest_of_16__gives_a_code_whatever_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

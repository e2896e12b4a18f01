/*
 * test_quant_amx.c - the AMX kernel on a model of the tiles
 *
 * Few machines have AMX, so the kernel is compiled once more here, with the tile instructions replaced by the C below, after
 * Intel's manual (volume 2, LDTILECFG and on): every shape is checked where the processor would fault, a change of shape
 * loses what the tiles hold, and memory is read by memcpy() between guards. What comes out has to be what the VNNI kernel
 * gives, bit for bit. The scaling is AVX-512 as it stands, so a processor with that is needed. The instructions
 * themselves are tested by test_quant.c, where they exist.
 */
#include "kernels/levels.h"

#include <immintrin.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

/* ---- the model */

enum { N_TILES = 8, MAX_ROWS_OF_TILE = 16, MAX_BYTES = 64 };

static struct {
    bool shaped;
    size_t rows[N_TILES], bytes[N_TILES];
    uint8_t data[N_TILES][MAX_ROWS_OF_TILE][MAX_BYTES];
} tiles;

static void model_loadconfig(const void *config)
{
    uint8_t bytes[64];
    memcpy(bytes, config, sizeof bytes);
    memset(&tiles, 0, sizeof tiles);
    assert_int_equal(bytes[0], 1); /* the palette */
    for (size_t i = 1; i < 16; i++)
        assert_int_equal(bytes[i], 0); /* no interrupted load; reserved */
    for (size_t i = 0; i < 16; i++) {
        size_t row_bytes = bytes[16 + 2 * i] | (size_t)bytes[17 + 2 * i] << 8, rows = bytes[48 + i];
        assert_true(rows <= MAX_ROWS_OF_TILE && row_bytes <= MAX_BYTES);
        assert_true((rows == 0) == (row_bytes == 0));
        assert_true(i < N_TILES || rows == 0);
        if (i < N_TILES) {
            tiles.rows[i] = rows;
            tiles.bytes[i] = row_bytes;
        }
    }
    tiles.shaped = true;
}

static void expect_shaped(size_t tile)
{
    assert_true(tiles.shaped);
    assert_true(tiles.rows[tile] > 0);
}

static void model_loadd(size_t tile, const void *from, size_t stride)
{
    expect_shaped(tile);
    memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
    for (size_t r = 0; r < tiles.rows[tile]; r++)
        memcpy(tiles.data[tile][r], (const uint8_t *)from + r * stride, tiles.bytes[tile]);
}

static void model_stored(size_t tile, void *to, size_t stride)
{
    expect_shaped(tile);
    for (size_t r = 0; r < tiles.rows[tile]; r++)
        memcpy((uint8_t *)to + r * stride, tiles.data[tile][r], tiles.bytes[tile]);
}

static void model_zero(size_t tile)
{
    expect_shaped(tile);
    memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
}

static int32_t dot_of_four(const uint8_t *u, const uint8_t *w)
{
    int32_t sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += u[i] * (int8_t)w[i];
    return sum;
}

static void model_dpbusd(size_t sums, size_t rows, size_t columns)
{
    expect_shaped(sums);
    expect_shaped(rows);
    expect_shaped(columns);
    assert_true(sums != rows && sums != columns && rows != columns);
    assert_int_equal(tiles.rows[sums], tiles.rows[rows]);
    assert_int_equal(tiles.bytes[sums], tiles.bytes[columns]);
    assert_int_equal(tiles.bytes[rows], 4 * tiles.rows[columns]);
    for (size_t r = 0; r < tiles.rows[sums]; r++)
        for (size_t j = 0; j < tiles.bytes[sums]; j += 4) {
            int32_t sum;
            memcpy(&sum, tiles.data[sums][r] + j, sizeof sum);
            for (size_t p = 0; p < tiles.rows[columns]; p++)
                sum += dot_of_four(tiles.data[rows][r] + 4 * p, tiles.data[columns][p] + j);
            memcpy(tiles.data[sums][r] + j, &sum, sizeof sum);
        }
}

static void model_release(void)
{
    memset(&tiles, 0, sizeof tiles);
}

/* ---- the kernel, in its terms */

#undef _tile_loadconfig
#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbusd
#undef _tile_release
#define _tile_loadconfig model_loadconfig
#define _tile_loadd model_loadd
#define _tile_stored model_stored
#define _tile_zero model_zero
#define _tile_dpbusd model_dpbusd
#define _tile_release model_release
#define pn_quant_init_amx init_amx_on_the_model
#include "../src/kernels/quant_amx.c"

/* ---- the test */

typedef struct {
    size_t m, n, k, stride;
    uint8_t *rows;
    int8_t *packed;
    float *step, *low, *scale, *sums, *bias, *c, *want;
} problem;

static void setup(problem *p, size_t m, size_t n, size_t k)
{
    const size_t columns = pn_gemm_panels(n) * PN_GEMM_PANEL, depth = pn_gemm_i8_depth(k);
    pn_rng rng = pn_rng_seed(m * 1000003 + n * 1009 + k);
    *p = (problem){.m = m, .n = n, .k = k, .stride = depth + m % 7};
    p->rows = guarded_alloc((m - 1) * p->stride + depth, 3);
    p->packed = guarded_alloc(columns * depth, 1);
    for (size_t i = 0; i < (m - 1) * p->stride + depth; i++)
        p->rows[i] = (uint8_t)pn_rng_below(&rng, 256);
    for (size_t i = 0; i < columns * depth; i++)
        p->packed[i] = (int8_t)((int)pn_rng_below(&rng, 255) - 127);
    p->step = random_floats(m, 4, n, 1);
    p->low = random_floats(m, 8, k, 1);
    p->scale = random_floats(columns, 4, m, 1);
    p->sums = random_floats(columns, 0, m + k, 1);
    p->bias = random_floats(n, 12, 3, 1);
    p->c = random_floats(m * (n + 3), 4, 5, 1);
    p->want = random_floats(m * (n + 3), 4, 5, 1);
}

static void teardown(problem *p)
{
    void *const all[] = {p->rows, p->packed, p->step, p->low, p->scale,
                         p->sums, p->bias,   p->c,    p->want};
    for (size_t i = 0; i < PN_COUNT_OF(all); i++)
        guarded_free(all[i]);
}

static void run(const pn_kernels *k, const problem *p, float *c, size_t case_i)
{
    const size_t panels = pn_gemm_panels(p->n), cut = case_i % (panels + 1);
    pn_gemm g = {.c = c, .ldc = p->n + 3, .a8 = {p->rows, p->stride, p->step, p->low}};
    g.w = (pn_panels){p->packed, p->scale, p->sums, PN_PANEL_I8};
    g.bias = case_i % 3 ? p->bias : NULL;
    g.accumulate = case_i % 2;
    g.activate = g.accumulate ? NULL : k->gelu_f32;
    g.m = p->m;
    g.n = p->n;
    g.k = p->k;
    k->gemm_i8(&g, 0, cut);
    k->gemm_i8(&g, cut, panels);
}

static void gemm_i8__gives_the_bits_of_vnni(void **state)
{
    (void)state;
    static const size_t ns[] = {1, 16, 17, 32, 40, 48, 100, 130, 150, 260};
    static const size_t ks[] = {0, 1, 4, 60, 63, 64, 65, 127, 128, 200, 256};
    pn_kernels vnni, amx;
    if (!pn_kernels_init_level(&vnni, "avx512"))
        skip();
    amx = vnni;
    init_amx_on_the_model(&amx);
    assert_true(amx.gemm_i8 != vnni.gemm_i8);
    size_t case_i = 0;
    for (size_t m = 1; m <= 70; m++)
        for (size_t i = 0; i < 6; i++, case_i++) {
            problem p;
            setup(&p, m, ns[case_i % PN_COUNT_OF(ns)], ks[case_i % PN_COUNT_OF(ks)]);
            run(&vnni, &p, p.want, case_i);
            run(&amx, &p, p.c, case_i);
            if (memcmp(p.c, p.want, m * (p.n + 3) * sizeof *p.c) != 0)
                fail_msg("%zu x %zu x %zu differs", m, p.n, p.k);
            assert_false(tiles.shaped); /* a thread leaves no state to be saved */
            teardown(&p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_i8__gives_the_bits_of_vnni),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

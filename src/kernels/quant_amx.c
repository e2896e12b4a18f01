/*
 * quant_amx.c - 8-bit products with AMX: blocks of 32 rows x 32 columns
 *
 *     per 64 steps of k: 2 tile loads of 16 rows, 2 of 16 columns, 4 tdpbusd
 *     tiles: 4 sums + 2 rows + 2 panels = 8 of 8
 *
 *              panel    panel + 1              a tile has up to 16 rows of 64 bytes:
 *             +--------+--------+                rows     16 rows x 64 values of u
 *     top     | sums 0 | sums 1 |                panel    16 fours of k x 16 columns x 4 weights
 *     bottom  | sums 2 | sums 3 |                sums     16 rows x 16 columns, 32 bits each
 *             +--------+--------+
 *
 * An I8 panel, [k / 4][16][4], is a column of such tiles already, and rows are read where they lie: nothing is packed here.
 * tdpbusd does 16 x 16 x 64 multiply-adds in 16 cycles, one row a cycle: 1,024 a cycle, where two vpdpbusd do 128. What
 * is left over of k (k % 64) comes from copies filled up with zeros, because a reshaped tile loses what is in it.
 *
 * Panels are walked in groups, the blocks of rows inside: a group of 8 panels stays in the second-level cache (393 KB for
 * k = 3,072) while all rows pass by, and the tiles are shaped once per block and group. Sums go through memory to be
 * scaled; their arithmetic is that of the VNNI kernel, so both give the same bits and a row does not depend on its neighbours.
 *
 * G multiply-adds a second on one core of a Xeon of 2023, VNNI in brackets: 1 row 101 (77), 4 rows 396 (226), 16 rows 1,020 (331),
 * 50 to 400 rows 640 to 1,080 (317 to 349).
 *
 * The tiles are shaped and released inside a call. A task switch saves 8 KB more only while they are in use.
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.
 */
#if defined(__AMXTILE__) && defined(__AMXINT8__) /* as clang 14 spells them */
#    define PN_HAS_TILES 1
#elif defined(__AMX_TILE__) && defined(__AMX_INT8__)
#    define PN_HAS_TILES 1
#else
#    define PN_HAS_TILES 0
#endif
#if !defined(__AVX512F__) || !PN_HAS_TILES
#    error "build this file with -mavx512f -mamx-tile -mamx-int8"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <stdatomic.h>
#include <string.h>

enum {
    LANES = PN_GEMM_PANEL,
    TILE_ROWS = 16,
    TILE_BYTES = 64, /* of a row of a tile: 64 steps of k, or 16 sums */
    TILE_PANEL = TILE_ROWS * TILE_BYTES,
    BLOCK = 2 * TILE_ROWS,
    GROUP = 8
};

/* The instructions want literal numbers. */
#define SUMS_0 0
#define SUMS_1 1
#define SUMS_2 2
#define SUMS_3 3
#define TOP 4
#define BOTTOM 5
#define LEFT 6
#define RIGHT 7

/* What ldtilecfg reads. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;
_Static_assert(sizeof(tile_shapes) == 64, "the processor reads 64 bytes");

/* Up to 32 rows of a product, and the last k % 64 values of each, with zeros behind them. */
typedef struct block {
    const pn_gemm *g;
    size_t row, rows,
        top; /* top: how many of the rows are in the upper tiles; the rest are in the lower */
    uint8_t rest[BLOCK][TILE_BYTES];
} block;

/* The intrinsics of gcc 12 do not say which memory a tile is loaded from: it has to be told that all stores count. */
static inline void finish_stores(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

static void shape_tiles(size_t top, size_t bottom)
{
    tile_shapes shapes = {.palette = 1};
    const size_t rows[] = {top, top, bottom, bottom, top, bottom, TILE_ROWS, TILE_ROWS};
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        shapes.rows[i] = (uint8_t)PN_MAX(rows[i], (size_t)1); /* an unused tile has a shape, too */
        shapes.row_bytes[i] = TILE_BYTES;
    }
    finish_stores();
    _tile_loadconfig(&shapes);
    finish_stores(); /* nor that all of the shapes are read */
}

static void prepare(block *b, const pn_gemm *g, size_t row, size_t rows)
{
    const size_t depth = pn_gemm_i8_depth(g->k), rest = depth % TILE_BYTES;
    b->g = g;
    b->row = row;
    b->rows = rows;
    b->top = rows <= TILE_ROWS ? rows : rows - rows / 2;
    for (size_t r = 0; rest > 0 && r < rows; r++) {
        memcpy(b->rest[r], g->a8.rows + (row + r) * g->a8.stride + depth - rest, rest);
        memset(b->rest[r] + rest, 0, TILE_BYTES - rest);
    }
    shape_tiles(b->top, rows - b->top);
}

/* Scale 16 columns of the block. */
static void finish(const block *b, size_t panel, const int32_t *sums, size_t stride)
{
    const pn_gemm *g = b->g;
    const size_t column = panel * LANES, width = g->n - column;
    const __mmask16 mask = (__mmask16)(width >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - width));
    const __m512 scale = _mm512_loadu_ps(g->w.scale + column);
    const __m512 weights = _mm512_loadu_ps(g->w.sums + column);
    const __m512 bias =
        g->bias ? _mm512_maskz_loadu_ps(mask, g->bias + column) : _mm512_setzero_ps();
    for (size_t r = 0; r < b->rows; r++) {
        float *c = g->c + (b->row + r) * g->ldc + column;
        __m512 sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + r * stride));
        __m512 value = _mm512_mul_ps(_mm512_set1_ps(g->a8.low[b->row + r]), weights);
        value = _mm512_fmadd_ps(sum, _mm512_mul_ps(_mm512_set1_ps(g->a8.step[b->row + r]), scale),
                                value);
        if (g->bias)
            value = _mm512_add_ps(value, bias);
        if (g->accumulate)
            value = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), value);
        _mm512_mask_storeu_ps(c, mask, value);
    }
}

/* Add 64 steps of k to the sums. */
static PN_ALWAYS_INLINE void multiply_add(const uint8_t *top, const uint8_t *bottom, size_t stride,
                                          const int8_t *left, const int8_t *right)
{
    _tile_loadd(LEFT, left, TILE_BYTES);
    _tile_loadd(TOP, top, stride);
    _tile_dpbusd(SUMS_0, TOP, LEFT);
    if (right) {
        _tile_loadd(RIGHT, right, TILE_BYTES);
        _tile_dpbusd(SUMS_1, TOP, RIGHT);
    }
    if (bottom) {
        _tile_loadd(BOTTOM, bottom, stride);
        _tile_dpbusd(SUMS_2, BOTTOM, LEFT);
    }
    if (right && bottom)
        _tile_dpbusd(SUMS_3, BOTTOM, RIGHT);
}

/* The last steps of k of one panel, with zeros behind them. */
static const int8_t *rest_of_panel(int8_t *out, const int8_t *panel, size_t depth)
{
    const size_t rest = depth % TILE_BYTES * LANES;
    memcpy(out, panel + depth * LANES - rest, rest);
    memset(out + rest, 0, TILE_PANEL - rest);
    return out;
}

/* The whole block times one panel or two. */
static PN_ALWAYS_INLINE void multiply(const block *b, size_t panel, const bool lower,
                                      const bool two)
{
    const size_t depth = pn_gemm_i8_depth(b->g->k), stride = b->g->a8.stride;
    const int8_t *left = (const int8_t *)b->g->w.packed + panel * LANES * depth;
    const int8_t *right = left + LANES * depth;
    const uint8_t *top = b->g->a8.rows + b->row * stride, *bottom = top + b->top * stride;
    PN_ALIGNED(64) int32_t sums[BLOCK][2][LANES];
    _tile_zero(SUMS_0);
    _tile_zero(SUMS_1);
    _tile_zero(SUMS_2);
    _tile_zero(SUMS_3);
    size_t p = 0;
    for (; p + TILE_BYTES <= depth; p += TILE_BYTES)
        multiply_add(top + p, lower ? bottom + p : NULL, stride, left + p * LANES,
                     two ? right + p * LANES : NULL);
    if (p < depth) {
        PN_ALIGNED(64) int8_t rest[2][TILE_PANEL];
        left = rest_of_panel(rest[0], left, depth);
        right = two ? rest_of_panel(rest[1], right, depth) : NULL;
        finish_stores();
        multiply_add(b->rest[0], lower ? b->rest[b->top] : NULL, TILE_BYTES, left, right);
    }
    _tile_stored(SUMS_0, sums[0][0], sizeof sums[0]);
    if (two)
        _tile_stored(SUMS_1, sums[0][1], sizeof sums[0]);
    if (lower)
        _tile_stored(SUMS_2, sums[b->top][0], sizeof sums[0]);
    if (lower && two)
        _tile_stored(SUMS_3, sums[b->top][1], sizeof sums[0]);
    finish(b, panel, sums[0][0], sizeof sums[0] / sizeof sums[0][0][0]);
    if (two)
        finish(b, panel + 1, sums[0][1], sizeof sums[0] / sizeof sums[0][0][0]);
}

static void multiply_block(const block *b, size_t panel_begin, size_t panel_end)
{
    const bool lower = b->rows > b->top;
    size_t panel = panel_begin;
    for (; panel + 2 <= panel_end; panel += 2) {
        if (lower)
            multiply(b, panel, true, true);
        else
            multiply(b, panel, false, true);
    }
    if (panel < panel_end && lower)
        multiply(b, panel, true, false);
    else if (panel < panel_end)
        multiply(b, panel, false, false);
}

static void multiply_group(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    const size_t n_blocks = (g->m + BLOCK - 1) / BLOCK;
    size_t row = 0;
    for (size_t i = 0; i < n_blocks; i++) {
        block b;
        prepare(&b, g, row, (g->m - row) / (n_blocks - i));
        multiply_block(&b, panel_begin, panel_end);
        row += b.rows;
    }
    if (!g->activate)
        return;
    const size_t column = panel_begin * LANES;
    for (row = 0; row < g->m; row++)
        g->activate(g->c + row * g->ldc + column, PN_MIN(g->n, panel_end * LANES) - column);
}

static void gemm_i8(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    pn_assert_hot(!(g->accumulate && g->activate));
    for (size_t panel = panel_begin; panel < panel_end; panel += GROUP)
        multiply_group(g, panel, PN_MIN(panel + GROUP, panel_end));
    _tile_release();
}

void pn_quant_init_amx(pn_kernels *k)
{
    k->gemm_i8 = gemm_i8;
}

/*
 * quant_arm.h - 8-bit products on Arm: the tile that quant_neon.c, quant_dotprod.c and quant_i8mm.c share
 *
 *     per 16 steps of k: 1 load a row, 16 loads of 4 columns x 4 weights, each times 4 bytes of every row
 *
 * The three differ in one instruction, which the file defines before it includes this one:
 *
 *     MULTIPLY_ADD(sums, weights, row, lane)   sums[j] += the four weights of column j x bytes [4 lane, 4 lane + 4) of row
 *     ROWS_ARE_SIGNED                          1 when the bytes of row are taken as signed, 0 when they are what they are
 *     MAX_ROWS                                 rows of a tile: 4 of its 32 registers hold sums for each, 1 its bytes
 *
 * Where both factors have to be signed, u = (u ^ 128) + 128 with the exclusive or read as a signed byte, and
 *
 *     sum(u w) = sum((u - 128) w) - sum(-128 w)
 *
 * The second sum is made by the same instruction, once a tile: a row of nothing but -128. All of them fit 32 bits.
 */
#ifndef PN_KERNELS_QUANT_ARM_H
#define PN_KERNELS_QUANT_ARM_H

#include "kernels/internal.h"

#include <arm_neon.h>
#include <string.h>

/* Before it gives out registers, gcc 12 mixes the quarters for speed, and then has to keep half of the sums in memory. */
#if defined(__GNUC__) && !defined(__clang__)
#    pragma GCC optimize("no-schedule-insns")
#endif

enum {
    LANES = 4,
    QUARTERS = PN_GEMM_PANEL / LANES,
    LINE = PN_GEMM_PANEL * PN_GEMM_I8_DEPTH, /* bytes of a panel per 4 steps of k */
    STEP = 16                                /* bytes of a row in a register */
};

/* Write 4 columns of one row, of which width exist. */
static inline void finish(const pn_gemm *g, size_t row, size_t column, size_t width, int32x4_t sum)
{
    float *c = g->c + row * g->ldc + column;
    float32x4_t scale = vmulq_n_f32(vld1q_f32(g->w.scale + column), g->a8.step[row]);
    float32x4_t value = vmulq_n_f32(vld1q_f32(g->w.sums + column), g->a8.low[row]);
    value = vfmaq_f32(value, vcvtq_f32_s32(sum), scale);
    if (width >= LANES) {
        if (g->bias)
            value = vaddq_f32(value, vld1q_f32(g->bias + column));
        if (g->accumulate)
            value = vaddq_f32(vld1q_f32(c), value);
        vst1q_f32(c, value);
        return;
    }
    float values[LANES];
    vst1q_f32(values, value);
    for (size_t j = 0; j < width; j++) {
        float one = values[j] + (g->bias ? g->bias[column + j] : 0);
        c[j] = g->accumulate ? c[j] + one : one;
    }
}

static inline uint8x16_t as_factor(uint8x16_t row)
{
    return ROWS_ARE_SIGNED ? veorq_u8(row, vdupq_n_u8(128)) : row;
}

static inline uint8x16_t broadcast4(const uint8_t *at)
{
    uint32_t four;
    memcpy(&four, at, sizeof four);
    return vreinterpretq_u8_u32(vdupq_n_u32(four));
}

/* Four steps of k, bytes [4 lane, 4 lane + 4) of each row, times one line of the panel: in tile(), whose names it takes. */
#define MULTIPLY_LINE(line, lane)                                                                  \
    PN_UNROLL for (int q = 0; q < QUARTERS; q++)                                                   \
    {                                                                                              \
        const int8x16_t weights = vld1q_s8((line) + q * STEP);                                     \
        if (ROWS_ARE_SIGNED)                                                                       \
            shift[q] = MULTIPLY_ADD(shift[q], weights, vdupq_n_u8(128), lane);                     \
        PN_UNROLL for (int r = 0; r < rows; r++)                                                   \
        {                                                                                          \
            sum[r][q] = MULTIPLY_ADD(sum[r][q], weights, bytes[r], lane);                          \
        }                                                                                          \
    }

static PN_ALWAYS_INLINE void tile(const pn_gemm *g, size_t row, size_t panel, const int rows)
{
    const size_t depth = pn_gemm_i8_depth(g->k), stride = g->a8.stride;
    const int8_t *b = (const int8_t *)g->w.packed + panel * PN_GEMM_PANEL * depth;
    const uint8_t *a = g->a8.rows + row * stride;
    int32x4_t sum[MAX_ROWS][QUARTERS], shift[QUARTERS];
    uint8x16_t bytes[MAX_ROWS];
    PN_UNROLL for (int q = 0; q < QUARTERS; q++)
    {
        shift[q] = vdupq_n_s32(0);
        PN_UNROLL for (int r = 0; r < rows; r++) sum[r][q] = vdupq_n_s32(0);
    }
    size_t p = 0;
    for (; p + STEP <= depth; p += STEP, b += 4 * LINE) {
        PN_UNROLL for (int r = 0; r < rows; r++) bytes[r] =
            as_factor(vld1q_u8(a + (size_t)r * stride + p));
        MULTIPLY_LINE(b, 0)
        MULTIPLY_LINE(b + LINE, 1)
        MULTIPLY_LINE(b + 2 * LINE, 2)
        MULTIPLY_LINE(b + 3 * LINE, 3)
    }
    for (; p < depth; p += PN_GEMM_I8_DEPTH, b += LINE) {
        PN_UNROLL for (int r = 0; r < rows; r++) bytes[r] =
            as_factor(broadcast4(a + (size_t)r * stride + p));
        MULTIPLY_LINE(b, 0)
    }
    const size_t first = panel * PN_GEMM_PANEL;
    PN_UNROLL for (size_t q = 0; q < QUARTERS; q++)
    {
        const size_t column = first + q * LANES;
        if (column < g->n)
            PN_UNROLL for (int r = 0; r < rows; r++)
                finish(g, row + (size_t)r, column, g->n - column, vsubq_s32(sum[r][q], shift[q]));
    }
}

#define DEFINE_TILE(rows)                                                                          \
    static void tile_##rows(const pn_gemm *g, size_t row, size_t panel)                            \
    {                                                                                              \
        tile(g, row, panel, rows);                                                                 \
    }

#endif

/*
 * quant_neon.c - 8-bit rows on every 64-bit Arm, and products without dot instructions: tiles of 4 rows x 16 columns
 *
 *     16 multiply-adds: 2 smull (8 products of 16 bits each), 1 addp, 1 sadalp
 *     registers: 16 sums + 4 shifts + 4 rows + 1 weights + 1 broadcast + 2 products = 28 of 32
 *
 * Two products of a byte in [-128, 127] and a weight in [-127, 127] fit 16 bits, 2 x 128 x 127 = 32,512, so pairs are added
 * before they are widened. That is no more multiply-adds an instruction than fmla has on f32, but a quarter of the memory.
 */
#if !defined(__ARM_NEON) || !defined(__aarch64__)
#    error "this file is for 64-bit Arm"
#endif
#include <arm_neon.h>

static inline int32x4_t add_products(int32x4_t sums, int8x16_t weights, uint32x4_t row)
{
    const int8x16_t bytes = vreinterpretq_s8_u32(row);
    int16x8_t left = vmull_s8(vget_low_s8(bytes), vget_low_s8(weights));
    int16x8_t right = vmull_high_s8(bytes, weights);
    return vpadalq_s16(sums, vpaddq_s16(left, right));
}

#define MAX_ROWS 4
#define ROWS_ARE_SIGNED 1
#define MULTIPLY_ADD(sums, weights, row, lane)                                                     \
    add_products(sums, weights, vdupq_laneq_u32(vreinterpretq_u32_u8(row), lane))
#include "kernels/quant_arm.h"

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)

static void gemm_i8(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    static const pn_gemm_tile one[MAX_ROWS] = {tile_1, tile_2, tile_3, tile_4};
    static const pn_gemm_tiles tiles = {MAX_ROWS, one, NULL};
    pn_gemm_drive(g, panel_begin, panel_end, &tiles);
}

/* ---- rows */

/* Values [i, i + 4) of a row of n; behind its end, its first again. */
static inline float32x4_t load_values(const float *in, size_t i, size_t n)
{
    float last[LANES];
    if (n - i >= LANES)
        return vld1q_f32(in + i);
    for (size_t j = 0; j < LANES; j++)
        last[j] = i + j < n ? in[i + j] : in[0];
    return vld1q_f32(last);
}

static void quantise_u8(uint8_t *out, float *step, float *low, const float *in, size_t n)
{
    float32x4_t lows = vdupq_n_f32(n > 0 ? in[0] : 0), highs = lows;
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t v = load_values(in, i, n);
        lows = vminq_f32(lows, v);
        highs = vmaxq_f32(highs, v);
    }
    float least = vminvq_f32(lows), range = vmaxvq_f32(highs) - least;
    float32x4_t base = vdupq_n_f32(least), factor = vdupq_n_f32(pn_quant_factor(range));
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t v = vmulq_f32(vsubq_f32(load_values(in, i, n), base), factor);
        uint16x4_t words = vqmovun_s32(vcvtnq_s32_f32(v));
        uint8_t bytes[2 * LANES];
        vst1_u8(bytes, vqmovn_u16(vcombine_u16(words, words)));
        memcpy(out + i, bytes, PN_MIN(n - i, (size_t)LANES));
    }
    memset(out + n, 0, pn_gemm_i8_depth(n) - n);
    *step = range / 255.0f;
    *low = least;
}

void pn_quant_init_neon(pn_kernels *k)
{
    k->quantise_u8 = quantise_u8;
    k->gemm_i8 = gemm_i8;
}

/*
 * codes_neon.c - a byte shuffle is 16 table lookups: one group of 16 rows
 *
 *     vqtbl1q_u8      16 entries of a group's table, by 16 codes
 *     vaddw_u8        into 8 sums of 16 bits; vaddw_high_u8 the other 8
 *     vmlal_s16       16-bit products of a query and a copy into 32 bits
 *
 * Widening additions cost nothing extra here, so sums lie in row order from the beginning. A block is skipped after one look at its
 * largest sum.
 */
#if !defined(__ARM_NEON)
#    error "this file is for 64-bit Arm"
#endif
#include "kernels/internal.h"

#include <arm_neon.h>

enum { HALF = PN_CODE_ENTRIES, LANES = 4, QUARTERS = PN_CODE_ENTRIES / LANES };

/* The sums of 32 rows, eight by eight. */
typedef struct sums32 {
    uint16x8_t of[4];
} sums32;

static inline sums32 sum_block(const uint8_t *block, const uint8_t *tables, size_t n_groups)
{
    const uint16x8_t zero = vdupq_n_u16(0);
    sums32 s = {{zero, zero, zero, zero}};
    for (size_t g = 0; g < n_groups; g++) {
        uint8x16_t both = vld1q_u8(block + g * PN_CODE_ENTRIES);
        uint8x16_t table = vld1q_u8(tables + g * PN_CODE_ENTRIES);
        uint8x16_t lower = vqtbl1q_u8(table, vandq_u8(both, vdupq_n_u8(15)));
        uint8x16_t upper = vqtbl1q_u8(table, vshrq_n_u8(both, 4));
        s.of[0] = vaddw_u8(s.of[0], vget_low_u8(lower));
        s.of[1] = vaddw_high_u8(s.of[1], lower);
        s.of[2] = vaddw_u8(s.of[2], vget_low_u8(upper));
        s.of[3] = vaddw_high_u8(s.of[3], upper);
    }
    return s;
}

static size_t scan_codes(uint32_t *rows, uint16_t *sums, const pn_codes *codes,
                         const uint8_t *tables, uint32_t least)
{
    size_t n = 0;
    if (least > UINT16_MAX)
        return 0;
    for (size_t first = 0; first < codes->n_rows; first += PN_CODE_BLOCK) {
        sums32 s = sum_block(codes->blocks + first * codes->n_groups / 2, tables, codes->n_groups);
        uint16x8_t most = vmaxq_u16(vmaxq_u16(s.of[0], s.of[1]), vmaxq_u16(s.of[2], s.of[3]));
        if (vmaxvq_u16(most) < least)
            continue;
        uint16_t all[PN_CODE_BLOCK];
        for (size_t i = 0; i < PN_COUNT_OF(s.of); i++)
            vst1q_u16(all + 8 * i, s.of[i]);
        size_t left = PN_MIN(codes->n_rows - first, (size_t)PN_CODE_BLOCK);
        for (size_t r = 0; r < left; r++) {
            rows[n] =
                (uint32_t)(first + r); /* without a branch: there is room for all of a block */
            sums[n] = all[r];
            n += all[r] >= least;
        }
    }
    return n;
}

static int32_t dot_i16_i8(const int16_t *a, const int8_t *b, size_t n)
{
    int32x4_t s0 = vdupq_n_s32(0), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        int8x16_t bytes = vld1q_s8(b + i);
        int16x8_t b0 = vmovl_s8(vget_low_s8(bytes)), b1 = vmovl_high_s8(bytes);
        int16x8_t a0 = vld1q_s16(a + i), a1 = vld1q_s16(a + i + 8);
        s0 = vmlal_s16(s0, vget_low_s16(a0), vget_low_s16(b0));
        s1 = vmlal_high_s16(s1, a0, b0);
        s2 = vmlal_s16(s2, vget_low_s16(a1), vget_low_s16(b1));
        s3 = vmlal_high_s16(s3, a1, b1);
    }
    int32_t sum = vaddvq_s32(vaddq_s32(vaddq_s32(s0, s1), vaddq_s32(s2, s3)));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void nearest_of_16(uint8_t *out, const float *codewords, const float *bias,
                          const float *rows, size_t stride, size_t n_rows, size_t dims)
{
    for (size_t r = 0; r < n_rows; r++) {
        float near[HALF];
        float32x4_t x[QUARTERS];
        for (size_t j = 0; j < QUARTERS; j++)
            x[j] = vld1q_f32(bias + LANES * j);
        for (size_t d = 0; d < dims; d++)
            for (size_t j = 0; j < QUARTERS; j++)
                x[j] = vfmaq_n_f32(x[j], vld1q_f32(codewords + d * PN_CODE_ENTRIES + LANES * j),
                                   rows[r * stride + d]);
        for (size_t j = 0; j < QUARTERS; j++)
            vst1q_f32(near + LANES * j, x[j]);
        unsigned best = 0;
        for (unsigned c = 1; c < PN_CODE_ENTRIES; c++)
            best = near[c] > near[best] ? c : best;
        out[r] = (uint8_t)best;
    }
}

void pn_codes_init_neon(pn_kernels *k)
{
    k->scan_codes = scan_codes;
    k->dot_i16_i8 = dot_i16_i8;
    k->nearest_of_16 = nearest_of_16;
}

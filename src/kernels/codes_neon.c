/*
 * codes_neon.c - a byte shuffle is 16 table lookups: one group of 16 rows
 *
 *     vqtbl1q_u8      16 entries of a group's table, by 16 codes
 *     vaddq_u8        those of two groups, which fit a byte
 *     vaddw_u8        into 8 sums of 16 bits; vaddw_high_u8 the other 8
 *     vqrdmulhq_s16   a sum times its row's factor, rounded
 *     vmlal_s16       16-bit products of a query and a copy into 32 bits
 *     vmlal_s8        8-bit products of a query and half a copy into 16 bits, 16 of which fit (16 * 15 * 128 = 30,720)
 *
 * Widening additions cost nothing extra here, so sums lie in row order from the beginning. A block is skipped after one look at its
 * largest sum.
 */
#if !defined(__ARM_NEON)
#    error "this file is for 64-bit Arm"
#endif
#include "kernels/internal.h"

#include <arm_neon.h>

enum {
    PAIR = 2,
    HALF = PN_CODE_ENTRIES,
    BYTES = 16,
    LANES = 4,
    QUARTERS = PN_CODE_ENTRIES / LANES
};

/* The sums of 32 rows, eight by eight. */
typedef struct sums32 {
    uint16x8_t of[4];
} sums32;

static inline sums32 sum_block(const uint8_t *block, const uint8_t *tables, size_t n_groups)
{
    const uint16x8_t zero = vdupq_n_u16(0);
    sums32 s = {{zero, zero, zero, zero}};
    for (size_t g = 0; g < n_groups; g += PAIR) {
        uint8x16_t lower = vdupq_n_u8(0), upper = lower;
        PN_UNROLL for (size_t i = g; i < g + PAIR; i++)
        {
            uint8x16_t both = vld1q_u8(block + i * PN_CODE_ENTRIES);
            uint8x16_t table = vld1q_u8(tables + i * PN_CODE_ENTRIES);
            lower = vaddq_u8(lower, vqtbl1q_u8(table, vandq_u8(both, vdupq_n_u8(15))));
            upper = vaddq_u8(upper, vqtbl1q_u8(table, vshrq_n_u8(both, 4)));
        }
        s.of[0] = vaddw_u8(s.of[0], vget_low_u8(lower));
        s.of[1] = vaddw_high_u8(s.of[1], lower);
        s.of[2] = vaddw_u8(s.of[2], vget_low_u8(upper));
        s.of[3] = vaddw_high_u8(s.of[3], upper);
    }
    return s;
}

/* Scores of 8 rows out of their sums. */
static inline int16x8_t score(uint16x8_t sums, const uint8_t *factors, const pn_code_query *query)
{
    int16x8_t f = vreinterpretq_s16_u16(vshll_n_u8(vld1_u8(factors), 7));
    int16x8_t o = vshlq_n_s16(vmovl_s8(vreinterpret_s8_u8(vld1_u8(factors + PN_CODE_BLOCK))), 8);
    int16x8_t x = vqsubq_s16(vreinterpretq_s16_u16(sums), vdupq_n_s16(query->zero));
    int16x8_t half = vqrdmulhq_s16(x, f);
    x = vqaddq_s16(x, vqaddq_s16(half, half));
    return vqaddq_s16(x, vqrdmulhq_s16(o, vdupq_n_s16(query->offset_scale)));
}

static size_t scan_codes(uint32_t *rows, int16_t *scores, const pn_codes *codes,
                         const pn_code_query *query)
{
    const size_t block_bytes = pn_code_block_bytes(codes->n_groups);
    const uint8_t *block = codes->blocks;
    size_t n = 0;
    for (size_t first = 0; first < codes->n_rows; first += PN_CODE_BLOCK, block += block_bytes) {
        pn_codes_fetch_ahead(codes, (size_t)(block - codes->blocks), block_bytes);
        const uint8_t *factors = block + codes->n_groups * PN_CODE_ENTRIES;
        sums32 s = sum_block(block, query->tables, codes->n_groups);
        int16x8_t x[PN_COUNT_OF(s.of)];
        for (size_t i = 0; i < PN_COUNT_OF(s.of); i++)
            x[i] = score(s.of[i], factors + 8 * i, query);
        int16x8_t most = vmaxq_s16(vmaxq_s16(x[0], x[1]), vmaxq_s16(x[2], x[3]));
        if (vmaxvq_s16(most) < query->least)
            continue;
        int16_t all[PN_CODE_BLOCK];
        for (size_t i = 0; i < PN_COUNT_OF(s.of); i++)
            vst1q_s16(all + 8 * i, x[i]);
        size_t left = PN_MIN(codes->n_rows - first, (size_t)PN_CODE_BLOCK);
        for (size_t r = 0; r < left; r++) {
            rows[n] =
                (uint32_t)(first + r); /* without a branch: there is room for all of a block */
            scores[n] = all[r];
            n += all[r] >= query->least;
        }
    }
    return n;
}

/* 16 bytes times 16 values, added to 4 sums. The bytes are as they are, [0, 255]: with the sign changed they stand for byte - 128. */
static inline int32x4_t multiply_add(int32x4_t sums, uint8x16_t bytes, const int16_t *values)
{
    int8x16_t b = vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(128)));
    int16x8_t b0 = vmovl_s8(vget_low_s8(b)), b1 = vmovl_high_s8(b);
    int16x8_t a0 = vld1q_s16(values), a1 = vld1q_s16(values + 8);
    sums = vmlal_s16(sums, vget_low_s16(a0), vget_low_s16(b0));
    sums = vmlal_high_s16(sums, a0, b0);
    sums = vmlal_s16(sums, vget_low_s16(a1), vget_low_s16(b1));
    return vmlal_high_s16(sums, a1, b1);
}

static int32_t dot_i16_u8(const pn_i16_vector *a, const uint8_t *b, size_t n)
{
    int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
    size_t i = 0;
    for (; i + 2 * (size_t)BYTES <= n; i += 2 * (size_t)BYTES) {
        s0 = multiply_add(s0, vld1q_u8(b + i), a->values + i);
        s1 = multiply_add(s1, vld1q_u8(b + i + BYTES), a->values + i + BYTES);
    }
    int32_t sum = vaddvq_s32(vaddq_s32(s0, s1));
    for (; i < n; i++)
        sum += a->values[i] * (b[i] - 128);
    return sum;
}

static int32_t dot_i16_halves(const pn_i16_vector *a, const uint8_t *upper, const uint8_t *lower,
                              size_t n)
{
    int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES) {
        uint8x16_t u = vld1q_u8(upper + i), l = vld1q_u8(lower + i);
        s0 = multiply_add(s0, vsliq_n_u8(l, u, 4), a->values + i);
        s1 = multiply_add(s1, vsriq_n_u8(u, l, 4), a->values + n + i);
    }
    int32_t sum = vaddvq_s32(vaddq_s32(s0, s1));
    for (; i < n; i++) {
        sum += a->values[i] * ((upper[i] & 15) * 16 + (lower[i] & 15) - 128);
        sum += a->values[n + i] * ((upper[i] >> 4) * 16 + (lower[i] >> 4) - 128);
    }
    return sum;
}

static int32_t dot_i8_u4(const int8_t *a, const uint8_t *halves, size_t n)
{
    enum { TURNS = 4 };
    int32x4_t sums = vdupq_n_s32(0);
    size_t i = 0;
    while (i + BYTES <= n) {
        int16x8_t part = vdupq_n_s16(0);
        for (int turn = 0; turn < TURNS && i + BYTES <= n; turn++, i += BYTES) {
            uint8x16_t both = vld1q_u8(halves + i);
            int8x16_t x = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));
            int8x16_t y = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
            int8x16_t a0 = vld1q_s8(a + i), a1 = vld1q_s8(a + n + i);
            part = vmlal_s8(part, vget_low_s8(a0), vget_low_s8(x));
            part = vmlal_high_s8(part, a0, x);
            part = vmlal_s8(part, vget_low_s8(a1), vget_low_s8(y));
            part = vmlal_high_s8(part, a1, y);
        }
        sums = vpadalq_s16(sums, part);
    }
    int32_t sum = vaddvq_s32(sums);
    for (; i < n; i++)
        sum += a[i] * (halves[i] & 15) + a[n + i] * (halves[i] >> 4);
    return sum;
}

static int32_t dot_i8_u8(const int8_t *a, const uint8_t *b, size_t n)
{
    int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES) {
        int8x16_t v = vld1q_s8(a + i);
        uint8x16_t bytes = vld1q_u8(b + i);
        int16x8_t v0 = vmovl_s8(vget_low_s8(v)), v1 = vmovl_high_s8(v);
        int16x8_t b0 = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
        int16x8_t b1 = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
        s0 = vmlal_s16(s0, vget_low_s16(v0), vget_low_s16(b0));
        s0 = vmlal_high_s16(s0, v0, b0);
        s1 = vmlal_s16(s1, vget_low_s16(v1), vget_low_s16(b1));
        s1 = vmlal_high_s16(s1, v1, b1);
    }
    int32_t sum = vaddvq_s32(vaddq_s32(s0, s1));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void dot_many_i8_u8(int32_t *out, const int8_t *a, const uint8_t *rows, size_t n_rows,
                           size_t dim)
{
    for (size_t r = 0; r < n_rows; r++)
        out[r] = dot_i8_u8(a, rows + r * dim, dim);
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
    k->dot_i16_u8 = dot_i16_u8;
    k->dot_i16_halves = dot_i16_halves;
    k->dot_i8_u4 = dot_i8_u4;
    k->dot_many_i8_u8 = dot_many_i8_u8;
    k->nearest_of_16 = nearest_of_16;
}

/*
 * convert_neon.c - f16 and bf16 to f32, 4 at a time
 */
#if !defined(__ARM_NEON)
#    error "this file is for 64-bit Arm"
#endif
#include "kernels/internal.h"

#include <arm_neon.h>
#include <string.h>

enum { LANES = 4 };

static inline float32x4_t widen(uint16x4_t narrow, bool bf16)
{
    if (!bf16)
        return vcvt_f32_f16(vreinterpret_f16_u16(narrow));
    return vreinterpretq_f32_u32(vshll_n_u16(narrow, 16));
}

static PN_ALWAYS_INLINE void convert(float *out, const uint8_t *in, size_t n, const bool bf16)
{
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = PN_MIN(n - i, (size_t)LANES);
        uint16_t narrow[LANES] = {0};
        float wide[LANES];
        memcpy(narrow, in + 2 * i, 2 * left);
        vst1q_f32(wide, widen(vld1_u16(narrow), bf16));
        memcpy(out + i, wide, left * sizeof *out);
    }
}

static void f16_to_f32(float *out, const void *in, size_t n)
{
    convert(out, in, n, false);
}

static void bf16_to_f32(float *out, const void *in, size_t n)
{
    convert(out, in, n, true);
}

void pn_convert_init_neon(pn_kernels *k)
{
    k->f16_to_f32 = f16_to_f32;
    k->bf16_to_f32 = bf16_to_f32;
}

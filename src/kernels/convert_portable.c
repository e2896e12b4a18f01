/*
 * convert_portable.c - f16 and bf16 to f32, exactly
 *
 *     f16    1 sign, 5 exponent (bias 15), 10 fraction      f32    1 sign, 8 exponent (bias 127), 23 fraction
 *     bf16   the upper half of an f32
 *
 * Every f16 is an f32. Normal numbers only need their exponent moved; subnormal ones are fraction * 2^-24, which the
 * floating-point unit computes exactly; an all-ones exponent is infinity or NaN.
 */
#include "kernels/internal.h"

#include "base/endian.h"

static float widen_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 0x1Fu;
    uint32_t fraction = h & 0x3FFu;
    uint32_t bits;
    if (exponent == 0) {
        float subnormal = (float)fraction * 0x1.0p-24f;
        memcpy(&bits, &subnormal, sizeof bits);
        bits |= sign;
    } else if (exponent == 0x1F) {
        /* The quiet bit is set on a NaN, as the processor's own instruction does. */
        bits = sign | 0x7F800000u | fraction << 13 | (fraction ? 0x400000u : 0);
    } else {
        bits = sign | (exponent + 127 - 15) << 23 | fraction << 13;
    }
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

static void f16_to_f32(float *out, const void *in, size_t n)
{
    const uint8_t *at = in;
    for (size_t i = 0; i < n; i++)
        out[i] = widen_f16(pn_load_le16(at + 2 * i));
}

static void bf16_to_f32(float *out, const void *in, size_t n)
{
    const uint8_t *at = in;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)pn_load_le16(at + 2 * i) << 16;
        memcpy(out + i, &bits, sizeof bits);
    }
}

void pn_convert_init_portable(pn_kernels *k)
{
    k->f16_to_f32 = f16_to_f32;
    k->bf16_to_f32 = bf16_to_f32;
}

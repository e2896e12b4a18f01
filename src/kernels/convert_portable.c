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

float pn_f16_value(uint16_t h)
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

float pn_bf16_value(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/*
 * Narrowing keeps the upper bits and rounds on what falls off: half of the last place is added, a little less when the
 * last place is even. A carry out of the fraction moves the exponent up, which is right, also into infinity.
 */
static uint32_t round_off(uint32_t bits, unsigned n)
{
    return (bits + (1u << (n - 1)) - 1 + (bits >> n & 1)) >> n;
}

uint16_t pn_bf16_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return (uint16_t)(bits >> 16 | 0x40u); // stays a NaN whatever falls off
    return (uint16_t)round_off(bits, 16);
}

static uint16_t narrow_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, size = bits & 0x7FFFFFFFu;
    if (size > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u | (size >> 13 & 0x3FFu));
    if (size >= 0x47800000u) // 65536 and more, infinity too
        return (uint16_t)(sign | 0x7C00u);
    if (size < 0x38800000u) { // below 2^-14: a whole number of 2^-24, which the adder rounds
        float magnitude;
        memcpy(&magnitude, &size, sizeof magnitude);
        magnitude += 0.5f; // the last place of [1/2, 1) is 2^-24
        memcpy(&size, &magnitude, sizeof size);
        return (uint16_t)(sign | (size - 0x3F000000u));
    }
    return (uint16_t)(sign | round_off(size - ((127 - 15) << 23), 13));
}

static void f16_to_f32(float *out, const void *in, size_t n)
{
    const uint8_t *at = in;
    for (size_t i = 0; i < n; i++)
        out[i] = pn_f16_value(pn_load_le16(at + 2 * i));
}

static void bf16_to_f32(float *out, const void *in, size_t n)
{
    const uint8_t *at = in;
    for (size_t i = 0; i < n; i++)
        out[i] = pn_bf16_value(pn_load_le16(at + 2 * i));
}

static void f32_to_f16(void *out, const float *in, size_t n)
{
    uint8_t *at = out;
    for (size_t i = 0; i < n; i++)
        pn_store_le16(at + 2 * i, narrow_f16(in[i]));
}

static void f32_to_bf16(void *out, const float *in, size_t n)
{
    uint8_t *at = out;
    for (size_t i = 0; i < n; i++)
        pn_store_le16(at + 2 * i, pn_bf16_of(in[i]));
}

void pn_convert_init_portable(pn_kernels *k)
{
    k->f16_to_f32 = f16_to_f32;
    k->bf16_to_f32 = bf16_to_f32;
    k->f32_to_f16 = f32_to_f16;
    k->f32_to_bf16 = f32_to_bf16;
}

/*
 * resample_portable.c - weighted sums of pixels, next to each other and below each other: the definition
 *
 * Weights are whole numbers of 2^-22, so the sums are whole as well and the same in any order. A sum of 8-bit values fits 32
 * bits: |weights| of a cubic kernel add up to 1.3 at most, times 255 is below 2^31 of these units.
 */
#include "kernels/internal.h"

enum { BITS = PN_RESAMPLE_FRACTION_BITS, HALF = 1 << (BITS - 1), BLOCK = 64 };

static uint8_t clamp(int32_t sum)
{
    int32_t v = sum >> BITS; // arithmetic on every compiler we build with
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void across_row(uint8_t *out, const uint8_t *in, const pn_taps *taps)
{
    for (size_t x = 0; x < taps->n_out; x++, out += 3) {
        const int32_t *weights = taps->weights + x * taps->most;
        const uint8_t *from = in + (size_t)taps->first[x] * 3;
        int32_t r = HALF, g = HALF, b = HALF;
        for (uint32_t j = 0; j < taps->n[x]; j++, from += 3) {
            r += weights[j] * from[0];
            g += weights[j] * from[1];
            b += weights[j] * from[2];
        }
        out[0] = clamp(r);
        out[1] = clamp(g);
        out[2] = clamp(b);
    }
}

static void across_u8(uint8_t *out, const uint8_t *in, size_t n_in, size_t n_rows,
                      const pn_taps *taps)
{
    for (size_t y = 0; y < n_rows; y++)
        across_row(out + y * taps->n_out * 3, in + y * n_in * 3, taps);
}

static void down_u8(uint8_t *out, const uint8_t *in, size_t n, const int32_t *weights,
                    size_t n_rows)
{
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        const size_t width = PN_MIN(n - begin, (size_t)BLOCK);
        int32_t sums[BLOCK];
        for (size_t x = 0; x < width; x++)
            sums[x] = HALF;
        for (size_t j = 0; j < n_rows; j++)
            for (size_t x = 0; x < width; x++)
                sums[x] += weights[j] * in[j * n + begin + x];
        for (size_t x = 0; x < width; x++)
            out[begin + x] = clamp(sums[x]);
    }
}

void pn_resample_init_portable(pn_kernels *k)
{
    k->resample_across_u8 = across_u8;
    k->resample_down_u8 = down_u8;
}

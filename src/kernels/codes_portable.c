/*
 * codes_portable.c - rows of 4-bit codes: the definition
 */
#include "kernels/internal.h"

static unsigned code_at(const uint8_t *block, size_t group, size_t row)
{
    unsigned both = block[group * PN_CODE_ENTRIES + row % PN_CODE_ENTRIES];
    return row < PN_CODE_ENTRIES ? both & 15 : both >> 4;
}

static size_t scan_codes(uint32_t *rows, uint16_t *sums, const pn_codes *codes,
                         const uint8_t *tables, uint32_t least)
{
    size_t n = 0;
    for (size_t r = 0; r < codes->n_rows; r++) {
        const uint8_t *block =
            codes->blocks + r / PN_CODE_BLOCK * codes->n_groups * PN_CODE_ENTRIES;
        unsigned sum = 0;
        for (size_t g = 0; g < codes->n_groups; g++)
            sum += tables[g * PN_CODE_ENTRIES + code_at(block, g, r % PN_CODE_BLOCK)];
        if (sum < least)
            continue;
        rows[n] = (uint32_t)r;
        sums[n++] = (uint16_t)sum;
    }
    return n;
}

static int32_t dot_i16_u8(const pn_i16_vector *a, const uint8_t *b, size_t n)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a->values[i] * (b[i] - 128);
    return sum;
}

static int32_t dot_i16_halves(const pn_i16_vector *a, const uint8_t *upper, const uint8_t *lower,
                              size_t n)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += a->values[i] * ((upper[i] & 15) * 16 + (lower[i] & 15) - 128);
        sum += a->values[n + i] * ((upper[i] >> 4) * 16 + (lower[i] >> 4) - 128);
    }
    return sum;
}

static int32_t dot_i8_u4(const int8_t *a, const uint8_t *halves, size_t n)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * (halves[i] & 15) + a[n + i] * (halves[i] >> 4);
    return sum;
}

static void dot_many_i8_u8(int32_t *out, const int8_t *a, const uint8_t *rows, size_t n_rows,
                           size_t dim)
{
    for (size_t r = 0; r < n_rows; r++) {
        out[r] = 0;
        for (size_t i = 0; i < dim; i++)
            out[r] += a[i] * rows[r * dim + i];
    }
}

static void nearest_of_16(uint8_t *out, const float *codewords, const float *bias,
                          const float *rows, size_t stride, size_t n_rows, size_t dims)
{
    for (size_t r = 0; r < n_rows; r++) {
        float nearness[PN_CODE_ENTRIES];
        for (size_t c = 0; c < PN_CODE_ENTRIES; c++)
            nearness[c] = bias[c];
        for (size_t d = 0; d < dims; d++)
            for (size_t c = 0; c < PN_CODE_ENTRIES; c++)
                nearness[c] += rows[r * stride + d] * codewords[d * PN_CODE_ENTRIES + c];
        unsigned best = 0;
        for (unsigned c = 1; c < PN_CODE_ENTRIES; c++)
            best = nearness[c] > nearness[best] ? c : best;
        out[r] = (uint8_t)best;
    }
}

void pn_codes_init_portable(pn_kernels *k)
{
    k->scan_codes = scan_codes;
    k->dot_i16_u8 = dot_i16_u8;
    k->dot_i16_halves = dot_i16_halves;
    k->dot_i8_u4 = dot_i8_u4;
    k->dot_many_i8_u8 = dot_many_i8_u8;
    k->nearest_of_16 = nearest_of_16;
}

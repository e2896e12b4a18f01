/*
 * codes_portable.c - rows of 4-bit codes: the definition
 */
#include "kernels/internal.h"

static unsigned code_at(const uint8_t *block, size_t group, size_t row)
{
    unsigned both = block[group * PN_CODE_ENTRIES + row % PN_CODE_ENTRIES];
    return row < PN_CODE_ENTRIES ? both & 15 : both >> 4;
}

static int saturate(int x)
{
    return x < INT16_MIN ? INT16_MIN : (x > INT16_MAX ? INT16_MAX : x);
}

static int score_of(const uint8_t *block, size_t n_groups, size_t row, const pn_code_query *query)
{
    const uint8_t *factors = block + n_groups * PN_CODE_ENTRIES, *offsets = factors + PN_CODE_BLOCK;
    int x = 0;
    for (size_t g = 0; g < n_groups; g++)
        x += query->tables[g * PN_CODE_ENTRIES + code_at(block, g, row)];
    x = saturate(x - query->zero);
    x = saturate(x + saturate(2 * ((x * factors[row] + 128) >> 8)));
    return saturate(x + (((int8_t)offsets[row] * query->offset_scale + 64) >> 7));
}

static size_t scan_codes(uint32_t *rows, int16_t *scores, const pn_codes *codes,
                         const pn_code_query *query)
{
    const size_t block_bytes = pn_code_block_bytes(codes->n_groups);
    size_t n = 0;
    for (size_t r = 0; r < codes->n_rows; r++) {
        int score = score_of(codes->blocks + r / PN_CODE_BLOCK * block_bytes, codes->n_groups,
                             r % PN_CODE_BLOCK, query);
        if (score < query->least)
            continue;
        rows[n] = (uint32_t)r;
        scores[n++] = (int16_t)score;
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

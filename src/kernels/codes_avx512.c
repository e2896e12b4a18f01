/*
 * codes_avx512.c - a byte shuffle is 64 table lookups: four groups of 16 rows
 *
 * As codes_avx2.c, twice as wide: 16-bit sums, an odd byte's spoil taken off at the end. Per four groups of 32 rows: 2 loads, a
 * shift, 2 ands, 2 shuffles, 2 shifts and 4 additions.
 */
#if !defined(__AVX512F__) || !defined(__AVX512BW__)
#    error "build this file with -mavx512f -mavx512bw"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { HALF = PN_CODE_ENTRIES, LANES = 16 };

typedef struct sums16 {
    __m512i even, odd;
} sums16;

static inline void add(sums16 *s, __m512i looked_up)
{
    s->even = _mm512_add_epi16(s->even, looked_up);
    s->odd = _mm512_add_epi16(s->odd, _mm512_srli_epi16(looked_up, 8));
}

static inline __m128i add_lanes(__m512i x)
{
    __m256i y = _mm256_add_epi16(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
    return _mm_add_epi16(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
}

/* 16 sums in row order. */
static inline __m256i finish(const sums16 *s)
{
    __m128i e = add_lanes(_mm512_sub_epi16(s->even, _mm512_slli_epi16(s->odd, 8)));
    __m128i o = add_lanes(s->odd);
    return _mm256_set_m128i(_mm_unpackhi_epi16(e, o), _mm_unpacklo_epi16(e, o));
}

static size_t scan_codes(uint32_t *rows, uint16_t *sums, const pn_codes *codes,
                         const uint8_t *tables, uint32_t least)
{
    size_t n = 0;
    if (least > UINT16_MAX)
        return 0;
    const __m512i low = _mm512_set1_epi8(15), bound = _mm512_set1_epi16((int16_t)least);
    const size_t block_bytes = codes->n_groups * PN_CODE_ENTRIES;
    for (size_t first = 0; first < codes->n_rows; first += PN_CODE_BLOCK) {
        const uint8_t *block = codes->blocks + first / PN_CODE_BLOCK * block_bytes;
        sums16 lower = {_mm512_setzero_si512(), _mm512_setzero_si512()}, upper = lower;
        for (size_t at = 0; at < block_bytes; at += 64) {
            __m512i both = _mm512_loadu_si512(block + at), table = _mm512_loadu_si512(tables + at);
            __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
            add(&lower, _mm512_shuffle_epi8(table, _mm512_and_si512(both, low)));
            add(&upper, _mm512_shuffle_epi8(table, high));
        }
        __m512i s = _mm512_inserti64x4(_mm512_castsi256_si512(finish(&lower)), finish(&upper), 1);
        __mmask32 found = _mm512_cmpge_epu16_mask(s, bound);
        size_t left = codes->n_rows - first;
        if (left < PN_CODE_BLOCK)
            found &= (__mmask32)((1u << left) - 1);
        if (found == 0)
            continue;
        uint16_t all[PN_CODE_BLOCK];
        memcpy(all, &s, sizeof all);
        for (uint32_t bits = found; bits != 0; bits &= bits - 1) {
            unsigned r = (unsigned)__builtin_ctz(bits);
            rows[n] = (uint32_t)first + r;
            sums[n++] = all[r];
        }
    }
    return n;
}

static int32_t dot_i16_i8(const int16_t *a, const int8_t *b, size_t n)
{
    __m512i s0 = _mm512_setzero_si512(), s1 = s0;
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512i b0 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(b + i)));
        __m512i b1 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(b + i + 32)));
        s0 = _mm512_add_epi32(s0, _mm512_madd_epi16(_mm512_loadu_si512(a + i), b0));
        s1 = _mm512_add_epi32(s1, _mm512_madd_epi16(_mm512_loadu_si512(a + i + 32), b1));
    }
    int32_t sum = _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void nearest_of_16(uint8_t *out, const float *codewords, const float *bias,
                          const float *rows, size_t stride, size_t n_rows, size_t dims)
{
    const __m512 start = _mm512_loadu_ps(bias);
    for (size_t r = 0; r < n_rows; r++) {
        __m512 near = start;
        for (size_t d = 0; d < dims; d++)
            near = _mm512_fmadd_ps(_mm512_set1_ps(rows[r * stride + d]),
                                   _mm512_loadu_ps(codewords + d * LANES), near);
        __m512 greatest = _mm512_set1_ps(_mm512_reduce_max_ps(near));
        unsigned equal = _mm512_cmp_ps_mask(near, greatest, _CMP_EQ_OQ);
        out[r] = (uint8_t)(equal != 0 ? __builtin_ctz(equal) : 0);
    }
}

void pn_codes_init_avx512(pn_kernels *k)
{
    k->scan_codes = scan_codes;
    k->dot_i16_i8 = dot_i16_i8;
    k->nearest_of_16 = nearest_of_16;
}

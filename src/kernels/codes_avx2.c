/*
 * codes_avx2.c - a byte shuffle is 32 table lookups: two groups of 16 rows
 *
 * Sums grow in 16-bit lanes. A looked-up register is added twice: as it is, where an odd byte spoils the lane by 256 times
 * its value, and shifted right by a byte, which gives the odd rows alone; the spoil is taken off once at the end, since
 * lanes wrap around.
 */
#if !defined(__AVX2__)
#    error "build this file with -mavx2 -mfma"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { HALF = PN_CODE_ENTRIES };

/* Sums of rows 0, 2, ... (with spoil) and 1, 3, ... of 16 rows, the register's two lanes over different groups. */
typedef struct sums16 {
    __m256i even, odd;
} sums16;

static inline void add(sums16 *s, __m256i looked_up)
{
    s->even = _mm256_add_epi16(s->even, looked_up);
    s->odd = _mm256_add_epi16(s->odd, _mm256_srli_epi16(looked_up, 8));
}

/* 16 sums in row order. */
static inline __m256i finish(const sums16 *s)
{
    __m256i even = _mm256_sub_epi16(s->even, _mm256_slli_epi16(s->odd, 8));
    __m128i e = _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
    __m128i o = _mm_add_epi16(_mm256_castsi256_si128(s->odd), _mm256_extracti128_si256(s->odd, 1));
    return _mm256_set_m128i(_mm_unpackhi_epi16(e, o), _mm_unpacklo_epi16(e, o));
}

/* Bit r: sum r is at least `least`, which fits 16 bits. */
static inline uint32_t reaches(__m256i sums, __m256i least)
{
    __m256i good = _mm256_cmpeq_epi16(_mm256_max_epu16(sums, least), sums);
    __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(good), _mm256_extracti128_si256(good, 1));
    return (uint32_t)_mm_movemask_epi8(bytes);
}

static size_t scan_codes(uint32_t *rows, uint16_t *sums, const pn_codes *codes,
                         const uint8_t *tables, uint32_t least)
{
    size_t n = 0;
    if (least > UINT16_MAX)
        return 0;
    const __m256i low = _mm256_set1_epi8(15), bound = _mm256_set1_epi16((int16_t)least);
    const size_t block_bytes = codes->n_groups * PN_CODE_ENTRIES;
    for (size_t first = 0; first < codes->n_rows; first += PN_CODE_BLOCK) {
        const uint8_t *block = codes->blocks + first / PN_CODE_BLOCK * block_bytes;
        sums16 lower = {_mm256_setzero_si256(), _mm256_setzero_si256()}, upper = lower;
        for (size_t at = 0; at < block_bytes; at += 32) {
            __m256i both = _mm256_loadu_si256((const __m256i *)(block + at));
            __m256i table = _mm256_loadu_si256((const __m256i *)(tables + at));
            __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
            add(&lower, _mm256_shuffle_epi8(table, _mm256_and_si256(both, low)));
            add(&upper, _mm256_shuffle_epi8(table, high));
        }
        __m256i s[2] = {finish(&lower), finish(&upper)};
        uint32_t found = reaches(s[0], bound) | reaches(s[1], bound) << HALF;
        size_t left = codes->n_rows - first;
        if (left < PN_CODE_BLOCK)
            found &= (1u << left) - 1;
        if (found == 0)
            continue;
        uint16_t all[PN_CODE_BLOCK];
        memcpy(all, s, sizeof all);
        for (; found != 0; found &= found - 1) {
            unsigned r = (unsigned)__builtin_ctz(found);
            rows[n] = (uint32_t)first + r;
            sums[n++] = all[r];
        }
    }
    return n;
}

static int32_t dot_i16_i8(const int16_t *a, const int8_t *b, size_t n)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i b0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + i)));
        __m256i b1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + i + 16)));
        __m256i a0 = _mm256_loadu_si256((const __m256i *)(a + i));
        __m256i a1 = _mm256_loadu_si256((const __m256i *)(a + i + 16));
        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(a0, b0));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(a1, b1));
    }
    s0 = _mm256_add_epi32(s0, s1);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
    int32_t sum = _mm_cvtsi128_si32(s);
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The index of the greatest of 16 floats, the first among equals. */
static inline unsigned first_greatest(__m256 x, __m256 y)
{
    __m256 m = _mm256_max_ps(x, y);
    m = _mm256_max_ps(m, _mm256_permute2f128_ps(m, m, 1));
    m = _mm256_max_ps(m, _mm256_permute_ps(m, 0x4E));
    m = _mm256_max_ps(m, _mm256_permute_ps(m, 0xB1));
    unsigned equal = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x, m, _CMP_EQ_OQ)) |
                     (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(y, m, _CMP_EQ_OQ)) << 8;
    return equal != 0 ? (unsigned)__builtin_ctz(equal) : 0;
}

static void nearest_of_16(uint8_t *out, const float *codewords, const float *bias,
                          const float *rows, size_t stride, size_t n_rows, size_t dims)
{
    __m256 bias0 = _mm256_loadu_ps(bias), bias1 = _mm256_loadu_ps(bias + 8);
    for (size_t r = 0; r < n_rows; r++) {
        __m256 x = bias0, y = bias1;
        for (size_t d = 0; d < dims; d++) {
            __m256 v = _mm256_set1_ps(rows[r * stride + d]);
            x = _mm256_fmadd_ps(v, _mm256_loadu_ps(codewords + d * PN_CODE_ENTRIES), x);
            y = _mm256_fmadd_ps(v, _mm256_loadu_ps(codewords + d * PN_CODE_ENTRIES + 8), y);
        }
        out[r] = (uint8_t)first_greatest(x, y);
    }
}

void pn_codes_init_avx2(pn_kernels *k)
{
    k->scan_codes = scan_codes;
    k->dot_i16_i8 = dot_i16_i8;
    k->nearest_of_16 = nearest_of_16;
}

/*
 * codes_avx2.c - a byte shuffle is 32 table lookups: two groups of 16 rows
 *
 * Two looked-up registers are added as bytes, which they fit; then sums grow in 16-bit lanes. A register of bytes is added twice: as it
 * is, where an odd byte spoils the lane by 256 times its value, and shifted right by a byte, which gives the odd rows alone;
 * the spoil is taken off once at the end, since lanes wrap around.
 *
 * Bytes are widened to 16 bits for their products with a vector's 16: vpmaddubsw would saturate. For halves of 4 bits it does not, and
 * four pairs of its products fit 16 bits (4 * 2 * 2 * 15 * 128 = 30,720).
 */
#if !defined(__AVX2__)
#    error "build this file with -mavx2 -mfma"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { HALF = PN_CODE_ENTRIES, BYTES = 32 };

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

/* Bit r: score r is at least `least`. */
static inline uint32_t reaches(__m256i scores, __m256i least)
{
    __m256i good = _mm256_cmpeq_epi16(_mm256_max_epi16(scores, least), scores);
    __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(good), _mm256_extracti128_si256(good, 1));
    return (uint32_t)_mm_movemask_epi8(bytes);
}

/* The entries of one register of codes: of rows 0 to 15, and of 16 to 31. */
static inline void look_up(const uint8_t *block, const uint8_t *tables, __m256i *lower,
                           __m256i *upper)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i both = _mm256_loadu_si256((const __m256i *)block);
    __m256i table = _mm256_loadu_si256((const __m256i *)tables);
    *lower = _mm256_shuffle_epi8(table, _mm256_and_si256(both, low));
    *upper = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(both, 4), low));
}

/* Sums of rows 0 to 15 and of 16 to 31. */
static inline void sum_block(const uint8_t *block, const uint8_t *tables, size_t n_bytes,
                             __m256i out[2])
{
    sums16 lower = {_mm256_setzero_si256(), _mm256_setzero_si256()}, upper = lower;
    __m256i l, u, more_l, more_u;
    size_t at = 0;
    for (; at + 2 * (size_t)BYTES <= n_bytes; at += 2 * (size_t)BYTES) {
        look_up(block + at, tables + at, &l, &u);
        look_up(block + at + BYTES, tables + at + BYTES, &more_l, &more_u);
        add(&lower, _mm256_add_epi8(l, more_l));
        add(&upper, _mm256_add_epi8(u, more_u));
    }
    out[0] = finish(&lower);
    out[1] = finish(&upper);
}

/* Scores of 16 rows out of their sums. */
static inline __m256i score(__m256i sums, const uint8_t *factors, const pn_code_query *query)
{
    __m256i f = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)factors));
    __m256i o = _mm256_cvtepi8_epi16(
        _mm_loadu_si128((const __m128i *)(const void *)(factors + PN_CODE_BLOCK)));
    __m256i x = _mm256_subs_epi16(sums, _mm256_set1_epi16(query->zero));
    __m256i half = _mm256_mulhrs_epi16(x, _mm256_slli_epi16(f, 7));
    x = _mm256_adds_epi16(x, _mm256_adds_epi16(half, half));
    return _mm256_adds_epi16(
        x, _mm256_mulhrs_epi16(_mm256_slli_epi16(o, 8), _mm256_set1_epi16(query->offset_scale)));
}

static size_t scan_codes(uint32_t *rows, int16_t *scores, const pn_codes *codes,
                         const pn_code_query *query)
{
    size_t n = 0;
    if (query->least > INT16_MAX)
        return 0;
    const __m256i bound = _mm256_set1_epi16((int16_t)PN_MAX(query->least, INT16_MIN));
    const size_t code_bytes = codes->n_groups * PN_CODE_ENTRIES;
    const size_t block_bytes = pn_code_block_bytes(codes->n_groups);
    const uint8_t *block = codes->blocks;
    for (size_t first = 0; first < codes->n_rows; first += PN_CODE_BLOCK, block += block_bytes) {
        pn_codes_fetch_ahead(codes, (size_t)(block - codes->blocks), block_bytes);
        __m256i s[2];
        sum_block(block, query->tables, code_bytes, s);
        s[0] = score(s[0], block + code_bytes, query);
        s[1] = score(s[1], block + code_bytes + HALF, query);
        uint32_t found = reaches(s[0], bound) | reaches(s[1], bound) << HALF;
        size_t left = codes->n_rows - first;
        if (left < PN_CODE_BLOCK)
            found &= (1u << left) - 1;
        if (found == 0)
            continue;
        int16_t all[PN_CODE_BLOCK];
        memcpy(all, s, sizeof all);
        for (; found != 0; found &= found - 1) {
            unsigned r = (unsigned)__builtin_ctz(found);
            rows[n] = (uint32_t)first + r;
            scores[n++] = all[r];
        }
    }
    return n;
}

static inline int32_t add_lanes(__m256i x)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
}

/* 32 bytes times 32 values, added to 8 sums. */
static inline __m256i multiply_add(__m256i sums, __m256i bytes, const int16_t *values)
{
    __m256i b0 = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes));
    __m256i b1 = _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1));
    __m256i a0 = _mm256_loadu_si256((const __m256i *)values);
    __m256i a1 = _mm256_loadu_si256((const __m256i *)(values + 16));
    return _mm256_add_epi32(sums,
                            _mm256_add_epi32(_mm256_madd_epi16(a0, b0), _mm256_madd_epi16(a1, b1)));
}

/* Sums of bytes as they are, [0, 255], may wrap around; less 128 times that of the values they are right. */
static int32_t dot_i16_u8(const pn_i16_vector *a, const uint8_t *b, size_t n)
{
    __m256i s = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES)
        s = multiply_add(s, _mm256_loadu_si256((const __m256i *)(b + i)), a->values + i);
    uint32_t sum = (uint32_t)add_lanes(s);
    for (; i < n; i++)
        sum += (uint32_t)(a->values[i] * b[i]);
    return pn_join_i16(0, (int32_t)sum, a->sum);
}

static int32_t dot_i16_halves(const pn_i16_vector *a, const uint8_t *upper, const uint8_t *lower,
                              size_t n)
{
    const __m256i low = _mm256_set1_epi8(15), ends = _mm256_set1_epi8((char)0xF0);
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES) {
        __m256i u = _mm256_loadu_si256((const __m256i *)(upper + i));
        __m256i l = _mm256_loadu_si256((const __m256i *)(lower + i));
        __m256i x = _mm256_or_si256(_mm256_and_si256(_mm256_slli_epi16(u, 4), ends),
                                    _mm256_and_si256(l, low));
        __m256i y = _mm256_or_si256(_mm256_and_si256(u, ends),
                                    _mm256_and_si256(_mm256_srli_epi16(l, 4), low));
        s0 = multiply_add(s0, x, a->values + i);
        s1 = multiply_add(s1, y, a->values + n + i);
    }
    uint32_t sum = (uint32_t)add_lanes(_mm256_add_epi32(s0, s1));
    for (; i < n; i++) {
        sum += (uint32_t)(a->values[i] * ((upper[i] & 15) * 16 + (lower[i] & 15)));
        sum += (uint32_t)(a->values[n + i] * ((upper[i] >> 4) * 16 + (lower[i] >> 4)));
    }
    return pn_join_i16(0, (int32_t)sum, a->sum);
}

static int32_t dot_i8_u4(const int8_t *a, const uint8_t *halves, size_t n)
{
    enum { TURNS = 4 };
    const __m256i low = _mm256_set1_epi8(15), one = _mm256_set1_epi16(1);
    __m256i sums = _mm256_setzero_si256();
    size_t i = 0;
    while (i + BYTES <= n) {
        __m256i part = _mm256_setzero_si256();
        for (int turn = 0; turn < TURNS && i + BYTES <= n; turn++, i += BYTES) {
            __m256i both = _mm256_loadu_si256((const __m256i *)(halves + i));
            __m256i x = _mm256_and_si256(both, low);
            __m256i y = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
            __m256i a0 = _mm256_loadu_si256((const __m256i *)(a + i));
            __m256i a1 = _mm256_loadu_si256((const __m256i *)(a + n + i));
            part = _mm256_add_epi16(part, _mm256_maddubs_epi16(x, a0));
            part = _mm256_add_epi16(part, _mm256_maddubs_epi16(y, a1));
        }
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(part, one));
    }
    int32_t sum = add_lanes(sums);
    for (; i < n; i++)
        sum += a[i] * (halves[i] & 15) + a[n + i] * (halves[i] >> 4);
    return sum;
}

static int32_t dot_i8_u8(const int8_t *a, const uint8_t *b, size_t n)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES) {
        __m256i b0 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(b + i)));
        __m256i b1 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(b + i + 16)));
        __m256i a0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + i)));
        __m256i a1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + i + 16)));
        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(a0, b0));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(a1, b1));
    }
    int32_t sum = add_lanes(_mm256_add_epi32(s0, s1));
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
    k->dot_i16_u8 = dot_i16_u8;
    k->dot_i16_halves = dot_i16_halves;
    k->dot_i8_u4 = dot_i8_u4;
    k->dot_many_i8_u8 = dot_many_i8_u8;
    k->nearest_of_16 = nearest_of_16;
}

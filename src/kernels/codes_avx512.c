/*
 * codes_avx512.c - a byte shuffle is 64 table lookups: four groups of 16 rows
 *
 * As codes_avx2.c, twice as wide: 8 groups are added as bytes, then to 16-bit sums, an odd byte's spoil taken off at the end. Per
 * 8 groups of 32 rows: 4 loads, 2 shifts, 4 ands, 4 shuffles and 8 more for the sums; vpmulhrsw is a product with a factor, rounded.
 *
 * Products of a vector's 16 bits with bytes are two of its bytes with them: vpdpbusd multiplies 4 unsigned by 4 signed bytes and
 * adds the four to a lane, without saturation. No byte has to be widened.
 */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VNNI__)
#    error "build this file with -mavx512f -mavx512bw -mavx512vnni"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { HALF = PN_CODE_ENTRIES, LANES = 16, BYTES = 64 };

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

/* The entries of one register of codes: of rows 0 to 15, and of 16 to 31. */
static inline void look_up(const uint8_t *block, const uint8_t *tables, __m512i *lower,
                           __m512i *upper)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i both = _mm512_loadu_si512(block), table = _mm512_loadu_si512(tables);
    *lower = _mm512_shuffle_epi8(table, _mm512_and_si512(both, low));
    *upper = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(both, 4), low));
}

/* 32 sums in row order. */
static inline __m512i sum_block(const uint8_t *block, const uint8_t *tables, size_t n_bytes)
{
    sums16 lower = {_mm512_setzero_si512(), _mm512_setzero_si512()}, upper = lower;
    __m512i l, u, more_l, more_u;
    size_t at = 0;
    for (; at + 2 * (size_t)BYTES <= n_bytes; at += 2 * (size_t)BYTES) {
        look_up(block + at, tables + at, &l, &u);
        look_up(block + at + BYTES, tables + at + BYTES, &more_l, &more_u);
        add(&lower, _mm512_add_epi8(l, more_l));
        add(&upper, _mm512_add_epi8(u, more_u));
    }
    if (at < n_bytes) {
        look_up(block + at, tables + at, &l, &u);
        add(&lower, l);
        add(&upper, u);
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(finish(&lower)), finish(&upper), 1);
}

/* Scores out of sums; of[0]: the rows' factors, then their offsets. */
static inline __m512i score(__m512i sums, const uint8_t *of, const pn_code_query *query)
{
    __m512i factors = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)of));
    __m512i offsets = _mm512_cvtepi8_epi16(
        _mm256_loadu_si256((const __m256i *)(const void *)(of + PN_CODE_BLOCK)));
    __m512i x = _mm512_subs_epi16(sums, _mm512_set1_epi16(query->zero));
    __m512i half = _mm512_mulhrs_epi16(x, _mm512_slli_epi16(factors, 7));
    x = _mm512_adds_epi16(x, _mm512_adds_epi16(half, half));
    return _mm512_adds_epi16(x, _mm512_mulhrs_epi16(_mm512_slli_epi16(offsets, 8),
                                                    _mm512_set1_epi16(query->offset_scale)));
}

static size_t scan_codes(uint32_t *rows, int16_t *scores, const pn_codes *codes,
                         const pn_code_query *query)
{
    size_t n = 0;
    if (query->least > INT16_MAX)
        return 0;
    const __m512i bound = _mm512_set1_epi16((int16_t)PN_MAX(query->least, INT16_MIN));
    const size_t code_bytes = codes->n_groups * PN_CODE_ENTRIES;
    const size_t block_bytes = pn_code_block_bytes(codes->n_groups);
    const uint8_t *block = codes->blocks;
    for (size_t first = 0; first < codes->n_rows; first += PN_CODE_BLOCK, block += block_bytes) {
        pn_codes_fetch_ahead(codes, (size_t)(block - codes->blocks), block_bytes);
        __m512i s = score(sum_block(block, query->tables, code_bytes), block + code_bytes, query);
        __mmask32 found = _mm512_cmpge_epi16_mask(s, bound);
        size_t left = codes->n_rows - first;
        if (left < PN_CODE_BLOCK)
            found &= (__mmask32)((1u << left) - 1);
        if (found == 0)
            continue;
        int16_t all[PN_CODE_BLOCK];
        memcpy(all, &s, sizeof all);
        for (uint32_t bits = found; bits != 0; bits &= bits - 1) {
            unsigned r = (unsigned)__builtin_ctz(bits);
            rows[n] = (uint32_t)first + r;
            scores[n++] = all[r];
        }
    }
    return n;
}

static inline __mmask64 mask_of(size_t n)
{
    return n >= BYTES ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

/* The sum of 16 lanes, which may wrap around on the way; that of the header's says it does not. */
static inline int32_t sum_of_lanes(__m512i x)
{
    __m256i y = _mm256_add_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
}

/* The sums of lanes, over two bytes' products with a vector. */
typedef struct wide_sums {
    __m512i high, low;
} wide_sums;

static inline void multiply_add(wide_sums *s, const pn_i16_vector *a, size_t i, __m512i bytes,
                                __mmask64 mask)
{
    s->high = _mm512_dpbusd_epi32(s->high, bytes, _mm512_maskz_loadu_epi8(mask, a->high + i));
    s->low = _mm512_dpbusd_epi32(s->low, bytes, _mm512_maskz_loadu_epi8(mask, a->low + i));
}

static inline int32_t join(const wide_sums *s, const wide_sums *t, int32_t sum)
{
    __m512i high = _mm512_add_epi32(s->high, t->high), low = _mm512_add_epi32(s->low, t->low);
    high = _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
    return pn_join_i16(0, sum_of_lanes(high), sum);
}

static int32_t dot_i16_u8(const pn_i16_vector *a, const uint8_t *b, size_t n)
{
    const __mmask64 all = ~(__mmask64)0, last = mask_of(n % BYTES);
    wide_sums s = {_mm512_setzero_si512(), _mm512_setzero_si512()}, t = s;
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES)
        multiply_add(&s, a, i, _mm512_loadu_si512(b + i), all);
    multiply_add(&t, a, i, _mm512_maskz_loadu_epi8(last, b + i), last);
    return join(&s, &t, a->sum);
}

/* Values i and n + i of 64 bytes. */
static inline void multiply_add_halves(wide_sums *s, wide_sums *t, const pn_i16_vector *a, size_t i,
                                       size_t n, __m512i upper, __m512i lower, __mmask64 mask)
{
    const __m512i ends = _mm512_set1_epi8((char)0xF0);
    /* 0xE4: where the mask is set the first, elsewhere the second */
    multiply_add(s, a, i, _mm512_ternarylogic_epi32(_mm512_slli_epi16(upper, 4), lower, ends, 0xE4),
                 mask);
    multiply_add(t, a, n + i,
                 _mm512_ternarylogic_epi32(upper, _mm512_srli_epi16(lower, 4), ends, 0xE4), mask);
}

static int32_t dot_i16_halves(const pn_i16_vector *a, const uint8_t *upper, const uint8_t *lower,
                              size_t n)
{
    const __mmask64 all = ~(__mmask64)0, last = mask_of(n % BYTES);
    wide_sums s = {_mm512_setzero_si512(), _mm512_setzero_si512()}, t = s;
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES)
        multiply_add_halves(&s, &t, a, i, n, _mm512_loadu_si512(upper + i),
                            _mm512_loadu_si512(lower + i), all);
    if (i < n)
        multiply_add_halves(&s, &t, a, i, n, _mm512_maskz_loadu_epi8(last, upper + i),
                            _mm512_maskz_loadu_epi8(last, lower + i), last);
    return join(&s, &t, a->sum);
}

static int32_t dot_i8_u4(const int8_t *a, const uint8_t *halves, size_t n)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i s0 = _mm512_setzero_si512(), s1 = s0;
    size_t i = 0;
    for (; i + BYTES <= n; i += BYTES) {
        __m512i both = _mm512_loadu_si512(halves + i);
        __m512i x = _mm512_and_si512(both, low);
        __m512i y = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
        s0 = _mm512_dpbusd_epi32(s0, x, _mm512_loadu_si512(a + i));
        s1 = _mm512_dpbusd_epi32(s1, y, _mm512_loadu_si512(a + n + i));
    }
    int32_t sum = sum_of_lanes(_mm512_add_epi32(s0, s1));
    for (; i < n; i++)
        sum += a[i] * (halves[i] & 15) + a[n + i] * (halves[i] >> 4);
    return sum;
}

/* The sums over four registers' lanes. */
static inline __m128i add_four(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i s = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i t = _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64(s, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1));
}

static void dot_many_i8_u8(int32_t *out, const int8_t *a, const uint8_t *rows, size_t n_rows,
                           size_t dim)
{
    enum { ROWS = 4 };
    size_t r = 0;
    for (; r < n_rows; r += ROWS) {
        /* the last row stands in for those behind it */
        const uint8_t *row[ROWS];
        __m512i s[ROWS];
        PN_UNROLL for (size_t j = 0; j < ROWS; j++)
        {
            row[j] = rows + (r + j < n_rows ? r + j : n_rows - 1) * dim;
            s[j] = _mm512_setzero_si512();
        }
        size_t i = 0;
        for (; i + BYTES <= dim; i += BYTES) {
            __m512i v = _mm512_loadu_si512(a + i);
            PN_UNROLL for (size_t j = 0; j < ROWS; j++) s[j] =
                _mm512_dpbusd_epi32(s[j], _mm512_loadu_si512(row[j] + i), v);
        }
        const __mmask64 last = mask_of(dim - i);
        __m512i v = _mm512_maskz_loadu_epi8(last, a + i);
        PN_UNROLL for (size_t j = 0; j < ROWS; j++) s[j] =
            _mm512_dpbusd_epi32(s[j], _mm512_maskz_loadu_epi8(last, row[j] + i), v);
        __m128i sums = add_four(s[0], s[1], s[2], s[3]);
        _mm_mask_storeu_epi32(
            out + r, (__mmask8)(n_rows - r >= ROWS ? 15 : 15 >> (ROWS - (n_rows - r))), sums);
    }
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
    k->dot_i16_u8 = dot_i16_u8;
    k->dot_i16_halves = dot_i16_halves;
    k->dot_i8_u4 = dot_i8_u4;
    k->dot_many_i8_u8 = dot_many_i8_u8;
    k->nearest_of_16 = nearest_of_16;
}

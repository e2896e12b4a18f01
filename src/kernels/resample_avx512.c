/*
 * resample_avx512.c - eight pixels at a time, in pairs, and four rows at once
 *
 *     across   r0g0b0 r1g1b1 ...  --vpshufb-->  r0r1 g0g1 b0b1 00, four of these  --vpmovzxbw-->  32 lanes of 16 bits
 *              vpdpwssd with the weights' upper bits, w0w1 w0w1 w0w1 w0w1 w2w3 ..., and with their lower 12
 *     down     16 bytes of a row widened to 16 lanes, 4 sums at once
 *
 * A weight of 24 bits is upper * 2^12 + lower, and both parts fit the 16 bits that vpdpwssd multiplies: two multiply-adds a
 * lane and two taps, where vpmulld and vpaddd need four. All is modulo 2^32, so the sum is exact whatever its parts do.
 * At the end the four pairs are added, of four rows together.
 *
 * What lies behind the last tap is masked away, pixels and weights, so nothing is read outside.
 */
#if !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512VNNI__)
#    error "build this file with -mavx512bw -mavx512vl -mavx512vnni"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum {
    BITS = PN_RESAMPLE_FRACTION_BITS,
    HALF = 1 << (BITS - 1),
    LOWER_BITS = 12,
    LANES = 16,
    PIXELS = 8,
    ROWS = 4,
    SUMS = 4,
    BLOCK = SUMS * LANES
};

/* Four rows of pixels, and where their outputs go. The same row may be there more than once. */
typedef struct four_rows {
    const uint8_t *in[ROWS];
    uint8_t *out[ROWS];
} four_rows;

/* Up to eight weights in pairs of 16 bits, each pair four times. */
static inline __m512i spread(__m256i weights)
{
    const __m512i each = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return _mm512_permutexvar_epi32(each, _mm512_castsi128_si512(_mm256_cvtepi32_epi16(weights)));
}

/* Eight pixels, those outside of the masks zero. */
static inline __m512i load_pixels(const uint8_t *in, __mmask16 first, __mmask16 second)
{
    const __m256i pairs = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1));
    __m256i bytes = _mm256_castsi128_si256(_mm_maskz_loadu_epi8(first, in));
    bytes = _mm256_inserti128_si256(bytes, _mm_maskz_loadu_epi8(second, in + 12), 1);
    return _mm512_cvtepu8_epi16(_mm256_shuffle_epi8(bytes, pairs));
}

/* The sums of the four 128-bit parts of each: one row's in each part. */
static inline __m512i add_parts(const __m512i sums[ROWS])
{
    enum { LOW = 0x44, HIGH = 0xEE, EVEN = 0x88, ODD = 0xDD };
    __m512i a = _mm512_add_epi32(_mm512_shuffle_i32x4(sums[0], sums[1], LOW),
                                 _mm512_shuffle_i32x4(sums[0], sums[1], HIGH));
    __m512i b = _mm512_add_epi32(_mm512_shuffle_i32x4(sums[2], sums[3], LOW),
                                 _mm512_shuffle_i32x4(sums[2], sums[3], HIGH));
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, EVEN), _mm512_shuffle_i32x4(a, b, ODD));
}

/* Sums without the half, as bytes. */
static inline __m128i to_bytes(__m512i sums)
{
    sums = _mm512_srai_epi32(_mm512_add_epi32(sums, _mm512_set1_epi32(HALF)), BITS);
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(sums, _mm512_setzero_si512()));
}

static inline void store_pixel(uint8_t *out, int32_t pixel)
{
    memcpy(out, &pixel, 3);
}

static inline void across_four(const four_rows *rows, const pn_taps *taps, size_t x)
{
    const int32_t *weights = taps->weights + x * taps->most;
    const size_t n = taps->n[x], first = (size_t)taps->first[x] * 3;
    __m512i upper[ROWS], lower[ROWS];
    PN_UNROLL for (size_t i = 0; i < ROWS; i++) upper[i] = lower[i] = _mm512_setzero_si512();
    for (size_t j = 0; j < n; j += PIXELS) {
        const size_t unused = PIXELS - PN_MIN(n - j, (size_t)PIXELS);
        const uint32_t bytes = 0xFFFFFFu >> 3 * unused;
        const __mmask16 head = (__mmask16)(bytes & 0xFFF), tail = (__mmask16)(bytes >> 12);
        const __m256i w = _mm256_maskz_loadu_epi32((__mmask8)(0xFFu >> unused), weights + j);
        const __m512i high = spread(_mm256_srai_epi32(w, LOWER_BITS));
        const __m512i low = spread(_mm256_and_si256(w, _mm256_set1_epi32((1 << LOWER_BITS) - 1)));
        PN_UNROLL for (size_t i = 0; i < ROWS; i++)
        {
            const __m512i pixels = load_pixels(rows->in[i] + first + j * 3, head, tail);
            upper[i] = _mm512_dpwssd_epi32(upper[i], pixels, high);
            lower[i] = _mm512_dpwssd_epi32(lower[i], pixels, low);
        }
    }
    PN_UNROLL for (size_t i = 0; i < ROWS; i++) upper[i] =
        _mm512_add_epi32(_mm512_slli_epi32(upper[i], LOWER_BITS), lower[i]);
    const __m128i pixels = to_bytes(add_parts(upper));
    store_pixel(rows->out[0] + x * 3, _mm_cvtsi128_si32(pixels));
    store_pixel(rows->out[1] + x * 3, _mm_extract_epi32(pixels, 1));
    store_pixel(rows->out[2] + x * 3, _mm_extract_epi32(pixels, 2));
    store_pixel(rows->out[3] + x * 3, _mm_extract_epi32(pixels, 3));
}

static void across_u8(uint8_t *out, const uint8_t *in, size_t n_in, size_t n_rows,
                      const pn_taps *taps)
{
    for (size_t y = 0; y < n_rows; y += ROWS) {
        four_rows rows;
        PN_UNROLL for (size_t i = 0; i < ROWS; i++)
        {
            const size_t row = PN_MIN(y + i, n_rows - 1); // behind the last: the last once more
            rows.in[i] = in + row * n_in * 3;
            rows.out[i] = out + row * taps->n_out * 3;
        }
        for (size_t x = 0; x < taps->n_out; x++)
            across_four(&rows, taps, x);
    }
}

static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - n));
}

/* 64 sums, clamped by the saturation of both packs: a sum >> 22 lies within [-512, 511]. */
static inline __m512i pack_64(const __m512i sums[SUMS])
{
    const __m512i half = _mm512_set1_epi32(HALF);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i v[SUMS];
    PN_UNROLL for (size_t i = 0; i < SUMS; i++) v[i] =
        _mm512_srai_epi32(_mm512_add_epi32(sums[i], half), BITS);
    __m512i bytes =
        _mm512_packus_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
    return _mm512_permutexvar_epi32(order, bytes); // packs work within 128 bits
}

static void down_u8(uint8_t *out, const uint8_t *in, size_t n, const int32_t *weights,
                    size_t n_rows)
{
    size_t x = 0;
    for (; x + BLOCK <= n; x += BLOCK) {
        __m512i sums[SUMS];
        PN_UNROLL for (size_t i = 0; i < SUMS; i++) sums[i] = _mm512_setzero_si512();
        for (size_t j = 0; j < n_rows; j++) {
            const __m512i w = _mm512_set1_epi32(weights[j]);
            const uint8_t *from = in + j * n + x;
            PN_UNROLL for (size_t i = 0; i < SUMS; i++)
            {
                __m128i bytes = _mm_loadu_si128((const void *)(from + i * LANES));
                sums[i] =
                    _mm512_add_epi32(sums[i], _mm512_mullo_epi32(w, _mm512_cvtepu8_epi32(bytes)));
            }
        }
        _mm512_storeu_si512(out + x, pack_64(sums));
    }
    for (; x < n; x += LANES) {
        const __mmask16 mask = mask_of(n - x);
        __m512i sums = _mm512_setzero_si512();
        for (size_t j = 0; j < n_rows; j++) {
            __m128i bytes = _mm_maskz_loadu_epi8(mask, in + j * n + x);
            sums = _mm512_add_epi32(sums, _mm512_mullo_epi32(_mm512_set1_epi32(weights[j]),
                                                             _mm512_cvtepu8_epi32(bytes)));
        }
        _mm_mask_storeu_epi8(out + x, mask, to_bytes(sums));
    }
}

void pn_resample_init_avx512(pn_kernels *k)
{
    k->resample_across_u8 = across_u8;
    k->resample_down_u8 = down_u8;
}

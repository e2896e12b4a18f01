/*
 * resample_avx2.c - two pixels at a time, each in its own 128 bits
 *
 *     across   rgb rgb  --vpshufb-->  rgb0 rgb0  --vpmovzxbd-->  8 lanes     weights  0000 1111
 *              one vpmulld, one vpaddd; at the end the two pixels' sums are added
 *     down     8 bytes of a row widened to 8 lanes, 4 sums at once
 *
 * Two pixels are 6 bytes and a load is 8: at the end of a row, and of a picture, the bytes that are left are copied first.
 * Both packs saturate, which is the clamp: a sum >> 22 lies within [-512, 511].
 */
#if !defined(__AVX2__)
#    error "build this file with -mavx2"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum {
    BITS = PN_RESAMPLE_FRACTION_BITS,
    HALF = 1 << (BITS - 1),
    LANES = 8,
    SUMS = 4,
    PIXELS = 2,
    BLOCK = SUMS * LANES
};

/* 8 bytes, of which left exist; zeros behind. */
static inline __m128i load_8(const uint8_t *in, size_t left)
{
    if (PN_LIKELY(left >= LANES))
        return _mm_loadl_epi64((const void *)in);
    uint64_t some = 0;
    memcpy(&some, in, left);
    return _mm_cvtsi64_si128((int64_t)some);
}

/* The weights of a pair of taps; the second is missing behind an odd number. */
static inline __m256i load_weights(const int32_t *weights, size_t n)
{
    __m128i first = _mm_set1_epi32(weights[0]), second = _mm_set1_epi32(n > 1 ? weights[1] : 0);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

/* One output of a row of n_bytes. */
static inline void across_one(uint8_t *out, const uint8_t *in, size_t n_bytes, const pn_taps *taps,
                              size_t x)
{
    const __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const int32_t *weights = taps->weights + x * taps->most;
    const size_t n = taps->n[x], first = (size_t)taps->first[x] * 3;
    __m256i sums = _mm256_setzero_si256();
    for (size_t j = 0; j < n; j += PIXELS) {
        const size_t at = first + j * 3;
        const __m128i pair = _mm_shuffle_epi8(load_8(in + at, n_bytes - at), spread);
        sums = _mm256_add_epi32(
            sums, _mm256_mullo_epi32(load_weights(weights + j, n - j), _mm256_cvtepu8_epi32(pair)));
    }
    __m128i one = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    one = _mm_srai_epi32(_mm_add_epi32(one, _mm_set1_epi32(HALF)), BITS);
    one = _mm_packs_epi32(one, one);
    const int32_t pixel = _mm_cvtsi128_si32(_mm_packus_epi16(one, one));
    memcpy(out + x * 3, &pixel, 3);
}

static void across_u8(uint8_t *out, const uint8_t *in, size_t n_in, size_t n_rows,
                      const pn_taps *taps)
{
    for (size_t y = 0; y < n_rows; y++)
        for (size_t x = 0; x < taps->n_out; x++)
            across_one(out + y * taps->n_out * 3, in + y * n_in * 3, n_in * 3, taps, x);
}

/* sums >> BITS as bytes, in the lower half. */
static inline __m128i to_bytes(__m256i sums)
{
    sums = _mm256_srai_epi32(sums, BITS);
    __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_packus_epi16(words, words);
}

static inline __m256i weighted(int32_t weight, __m128i bytes)
{
    return _mm256_mullo_epi32(_mm256_set1_epi32(weight), _mm256_cvtepu8_epi32(bytes));
}

static void down_u8(uint8_t *out, const uint8_t *in, size_t n, const int32_t *weights,
                    size_t n_rows)
{
    size_t x = 0;
    for (; x + BLOCK <= n; x += BLOCK) {
        __m256i sums[SUMS];
        PN_UNROLL for (size_t i = 0; i < SUMS; i++) sums[i] = _mm256_set1_epi32(HALF);
        for (size_t j = 0; j < n_rows; j++)
            PN_UNROLL for (size_t i = 0; i < SUMS; i++)
            {
                const uint8_t *from = in + j * n + x + i * LANES;
                sums[i] = _mm256_add_epi32(sums[i], weighted(weights[j], load_8(from, LANES)));
            }
        PN_UNROLL for (size_t i = 0; i < SUMS; i++)
            _mm_storel_epi64((void *)(out + x + i * LANES), to_bytes(sums[i]));
    }
    for (; x < n; x += LANES) {
        __m256i sums = _mm256_set1_epi32(HALF);
        for (size_t j = 0; j < n_rows; j++)
            sums = _mm256_add_epi32(sums, weighted(weights[j], load_8(in + j * n + x, n - x)));
        const int64_t bytes = _mm_cvtsi128_si64(to_bytes(sums));
        memcpy(out + x, &bytes, PN_MIN(n - x, (size_t)LANES));
    }
}

void pn_resample_init_avx2(pn_kernels *k)
{
    k->resample_across_u8 = across_u8;
    k->resample_down_u8 = down_u8;
}

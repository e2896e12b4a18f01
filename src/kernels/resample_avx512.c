/*
 * resample_avx512.c - sixteen rows at once, or four; pixels in pairs
 *
 *     across   16 rows   turned by 90 degrees, a tile at a time: a column is 16 bytes; pairs of columns, one pixel apart, mixed byte by
 *                        byte  --vpmovzxbw-->  16 rows of 2 pixels; vpdpwssd with two weights for all of them; turned back
 *              4 rows    r0g0b0 r1g1b1 ...  --vpshufb-->  r0r1 g0g1 b0b1 00, four of these  --vpmovzxbw-->  32 lanes of 16 bits;
 *                        vpdpwssd with w0w1 w0w1 w0w1 w0w1 w2w3 ...: for what 16 rows leave, and for outputs of many taps
 *     down     16 bytes of a row widened to 16 lanes, 4 sums at once
 *
 * With rows in the lanes nothing is added across lanes, weights are spread once for 16 rows, and no lane is idle. Turning costs as
 * much as the sums themselves; together it is a third of what four rows at a time need.
 *
 * A weight of 24 bits is upper * 2^12 + lower, and both parts fit the 16 bits that vpdpwssd multiplies: two multiply-adds a
 * lane and two taps, where vpmulld and vpaddd need four. All is modulo 2^32, so the sum is exact whatever its parts do.
 * Of four rows the four pairs are added at the end, together.
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
    TALL = 16,
    TILE_IN = 256, /* pixels: pairs take 24 KB */
    TILE_OUT = 128,
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

/* Outputs [x, end) of rows [y, n_rows), four rows at a time. */
static void across_fours(uint8_t *out, const uint8_t *in, size_t n_in, size_t y, size_t n_rows,
                         const pn_taps *taps, size_t x, size_t end)
{
    for (; y < n_rows; y += ROWS) {
        four_rows rows;
        PN_UNROLL for (size_t i = 0; i < ROWS; i++)
        {
            const size_t row = PN_MIN(y + i, n_rows - 1); // behind the last: the last once more
            rows.in[i] = in + row * n_in * 3;
            rows.out[i] = out + row * taps->n_out * 3;
        }
        for (size_t i = x; i < end; i++)
            across_four(&rows, taps, i);
    }
}

static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - n));
}

/* Outputs [x, end) whose inputs are the pixels [first, last). */
typedef struct tile {
    size_t x, end, first, last;
    _Alignas(64) uint8_t columns[TILE_IN * 3 + LANES + 3][TALL];
    _Alignas(64) uint8_t pairs[TILE_IN * 3][2 * TALL];
    _Alignas(64) uint8_t sums[TILE_OUT * 3 + LANES][TALL]; /* columns of out */
} tile;

/* 16 x 16 bytes, rows to columns: four perfect shuffles. */
static inline void turn(__m128i v[TALL])
{
    for (int step = 0; step < 4; step++) {
        __m128i w[TALL];
        PN_UNROLL for (size_t i = 0; i < TALL / 2; i++)
        {
            w[2 * i] = _mm_unpacklo_epi8(v[i], v[i + TALL / 2]);
            w[2 * i + 1] = _mm_unpackhi_epi8(v[i], v[i + TALL / 2]);
        }
        PN_UNROLL for (size_t i = 0; i < TALL; i++) v[i] = w[i];
    }
}

/* As many outputs from t->x on as fit. False: not even one. */
static bool choose_tile(tile *t, const pn_taps *taps)
{
    t->end = t->x;
    t->first = t->last = taps->first[t->x];
    while (t->end < taps->n_out && t->end - t->x < TILE_OUT) {
        const size_t first = taps->first[t->end], last = first + taps->n[t->end];
        if (first < t->first || last - t->first > TILE_IN)
            break;
        t->last = PN_MAX(t->last, last);
        t->end++;
    }
    return t->end > t->x;
}

static void turn_in(tile *t, const uint8_t *in, size_t row_bytes)
{
    const size_t n = (t->last - t->first) * 3;
    in += t->first * 3;
    for (size_t c = 0; c < n; c += LANES) {
        const __mmask16 mask = mask_of(n - c);
        __m128i v[TALL];
        PN_UNROLL for (size_t i = 0; i < TALL; i++) v[i] =
            _mm_maskz_loadu_epi8(mask, in + i * row_bytes + c);
        turn(v);
        PN_UNROLL for (size_t i = 0; i < TALL; i++)
            _mm_store_si128((void *)t->columns[c + i], v[i]);
    }
    memset(t->columns[n], 0, sizeof t->columns[n] * 3); // beside the last pixel
    for (size_t c = 0; c < n; c++) {
        const __m128i a = _mm_load_si128((const void *)t->columns[c]);
        const __m128i b = _mm_load_si128((const void *)t->columns[c + 3]);
        _mm_store_si128((void *)t->pairs[c], _mm_unpacklo_epi8(a, b));
        _mm_store_si128((void *)(t->pairs[c] + TALL), _mm_unpackhi_epi8(a, b));
    }
}

static inline __m512i two_pixels(const uint8_t *pair)
{
    return _mm512_cvtepu8_epi16(_mm256_load_si256((const void *)pair));
}

static void sum_tall(tile *t, const pn_taps *taps, size_t x)
{
    const int32_t *weights = taps->weights + x * taps->most;
    const size_t n = taps->n[x];
    uint8_t(*pairs)[2 * TALL] = t->pairs + (taps->first[x] - t->first) * 3;
    uint8_t(*out)[TALL] = t->sums + (x - t->x) * 3;
    __m512i upper[3], lower[3];
    PN_UNROLL for (size_t i = 0; i < 3; i++) upper[i] = lower[i] = _mm512_setzero_si512();
    for (size_t j = 0; j < n; j += 2) {
        const __m128i w = _mm_maskz_loadu_epi32(n - j > 1 ? 3 : 1, weights + j);
        const __m512i high =
            _mm512_broadcastd_epi32(_mm_cvtepi32_epi16(_mm_srai_epi32(w, LOWER_BITS)));
        const __m512i low = _mm512_broadcastd_epi32(
            _mm_cvtepi32_epi16(_mm_and_si128(w, _mm_set1_epi32((1 << LOWER_BITS) - 1))));
        PN_UNROLL for (size_t i = 0; i < 3; i++)
        {
            const __m512i pixels = two_pixels(pairs[j * 3 + i]);
            upper[i] = _mm512_dpwssd_epi32(upper[i], pixels, high);
            lower[i] = _mm512_dpwssd_epi32(lower[i], pixels, low);
        }
    }
    PN_UNROLL for (size_t i = 0; i < 3; i++)
    {
        const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(upper[i], LOWER_BITS), lower[i]);
        _mm_store_si128((void *)out[i], to_bytes(sum));
    }
}

static void turn_out(const tile *t, uint8_t *out, size_t row_bytes)
{
    const size_t n = (t->end - t->x) * 3;
    out += t->x * 3;
    for (size_t c = 0; c < n; c += LANES) {
        const __mmask16 mask = mask_of(n - c);
        __m128i v[TALL];
        PN_UNROLL for (size_t i = 0; i < TALL; i++) v[i] =
            c + i < n ? _mm_load_si128((const void *)t->sums[c + i]) : _mm_setzero_si128();
        turn(v);
        PN_UNROLL for (size_t i = 0; i < TALL; i++)
            _mm_mask_storeu_epi8(out + i * row_bytes + c, mask, v[i]);
    }
}

static void across_u8(uint8_t *out, const uint8_t *in, size_t n_in, size_t n_rows,
                      const pn_taps *taps)
{
    const size_t n_tall = n_rows - n_rows % TALL, in_bytes = n_in * 3, out_bytes = taps->n_out * 3;
    tile t;
    for (t.x = 0; n_tall > 0 && t.x < taps->n_out; t.x = t.end) {
        if (!choose_tile(&t, taps)) {
            t.end = t.x + 1;
            across_fours(out, in, n_in, 0, n_tall, taps, t.x, t.end);
            continue;
        }
        for (size_t y = 0; y < n_tall; y += TALL) {
            turn_in(&t, in + y * in_bytes, in_bytes);
            for (size_t x = t.x; x < t.end; x++)
                sum_tall(&t, taps, x);
            turn_out(&t, out + y * out_bytes, out_bytes);
        }
    }
    across_fours(out, in, n_in, n_tall, n_rows, taps, 0, taps->n_out);
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

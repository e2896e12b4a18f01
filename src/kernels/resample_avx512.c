/*
 * resample_avx512.c - sixteen rows at once, or four; pixels in fours
 *
 *     across   16 rows   4 pixels of each  --vpshufb, a turn by 90 degrees-->  16 x r0r1r2r3, 16 x g0g1g2g3, 16 x b0b1b2b3; vpdpbusd with
 *                        four weights for all rows; the sums turned back
 *              4 rows    r0g0b0 r1g1b1 ...  --vpshufb-->  r0r1 g0g1 b0b1 00, four of these  --vpmovzxbw-->  32 lanes of 16 bits;
 *                        vpdpwssd with w0w1 w0w1 w0w1 w0w1 w2w3 ...: for what 16 rows leave, and for outputs of many taps
 *     down     64 bytes of four rows, interleaved, and the same four weights for all
 *
 * With rows in the lanes nothing is added across lanes, weights are spread once for 16 rows, and no lane is idle.
 *
 * A weight of 24 bits is three signed bytes, d2 2^16 + d1 2^8 + d0, and vpdpbusd multiplies four bytes by four pixels as they are: three
 * instructions a lane and four taps, where vpmulld and vpaddd need eight and the pixels widened. Of four rows at a time a weight is
 * upper * 2^12 + lower, for vpdpwssd. All is modulo 2^32, so the sum is exact whatever its parts do.
 * Of four rows the four pairs are added at the end, together.
 *
 * What lies behind the last tap has the weight 0, and is masked away where it is outside.
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
    FOUR = 4,      /* pixels, or rows, that are multiplied together */
    DIGITS = 3,    /* bytes of a weight */
    TILE_IN = 256, /* pixels: they take 12 KB */
    TILE_OUT = 128,
    TILE_FOURS = 1024, /* of weights */
    DOWN_FOURS = 256,  /* likewise */
    BLOCK = 64
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

/* Four weights, byte by byte. */
typedef struct four_weights {
    int32_t digit[DIGITS];
} four_weights;

/* Put a weight at the i-th place of four that are zero there. */
static void set_weight(four_weights *four, size_t i, int32_t weight)
{
    for (size_t d = 0; d < DIGITS; d++) {
        const int8_t digit = (int8_t)weight;
        four->digit[d] |= (int32_t)((uint32_t)(uint8_t)digit << 8 * i);
        weight = (weight - digit) >> 8;
    }
    pn_assert_hot(weight == 0);
}

/* Outputs [x, end) whose inputs are the pixels [first, last). */
typedef struct tile {
    size_t x, end, first, last;
    four_weights weights[TILE_FOURS];                       /* output after output */
    _Alignas(64) uint8_t pixels[TILE_IN / FOUR * 3][BLOCK]; /* fours of pixels; r, g, b; rows */
    _Alignas(64) uint8_t sums[TILE_OUT * 3 + LANES][TALL];  /* columns of out */
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

/* Fours of the tile's pixels that hold the taps of x: [*first, *end). */
static void find_fours(const tile *t, const pn_taps *taps, size_t x, size_t *first, size_t *end)
{
    const size_t at = taps->first[x] - t->first;
    *first = at / FOUR;
    *end = (at + taps->n[x] + FOUR - 1) / FOUR;
}

/* As many outputs from t->x on as fit. False: not even one. */
static bool choose_tile(tile *t, const pn_taps *taps)
{
    size_t n_fours = 0;
    t->end = t->x;
    t->first = t->last = taps->first[t->x];
    while (t->end < taps->n_out && t->end - t->x < TILE_OUT) {
        const size_t first = taps->first[t->end], last = first + taps->n[t->end];
        if (first < t->first || last - t->first > TILE_IN)
            break;
        size_t four, four_end;
        find_fours(t, taps, t->end, &four, &four_end);
        n_fours += four_end - four;
        if (n_fours > TILE_FOURS)
            break;
        t->last = PN_MAX(t->last, last);
        t->end++;
    }
    return t->end > t->x;
}

static void take_weights(tile *t, const pn_taps *taps)
{
    four_weights *to = t->weights;
    for (size_t x = t->x; x < t->end; x++) {
        size_t four, end;
        find_fours(t, taps, x, &four, &end);
        const size_t lead = (taps->first[x] - t->first) % FOUR; /* pixels that are not x's */
        memset(to, 0, (end - four) * sizeof *to);
        for (size_t j = 0; j < taps->n[x]; j++)
            set_weight(&to[(lead + j) / FOUR], (lead + j) % FOUR,
                       taps->weights[x * taps->most + j]);
        to += end - four;
    }
}

/* Pixels four by four of 16 rows, from `in` on; n_bytes of each row are there. */
static inline void turn_four(uint8_t (*to)[BLOCK], const uint8_t *in, size_t row_bytes,
                             size_t n_bytes)
{
    const __m512i by_colour =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1));
    const __mmask16 mask = mask_of(n_bytes);
    __m512i z[FOUR]; /* rows i, i + 4, i + 8, i + 12 */
    PN_UNROLL for (size_t i = 0; i < FOUR; i++)
    {
        const uint8_t *row = in + i * row_bytes;
        z[i] = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, row));
        z[i] = _mm512_inserti32x4(z[i], _mm_maskz_loadu_epi8(mask, row + 4 * row_bytes), 1);
        z[i] = _mm512_inserti32x4(z[i], _mm_maskz_loadu_epi8(mask, row + 8 * row_bytes), 2);
        z[i] = _mm512_inserti32x4(z[i], _mm_maskz_loadu_epi8(mask, row + 12 * row_bytes), 3);
        z[i] = _mm512_shuffle_epi8(z[i], by_colour);
    }
    const __m512i rg01 = _mm512_unpacklo_epi32(z[0], z[1]), b01 = _mm512_unpackhi_epi32(z[0], z[1]);
    const __m512i rg23 = _mm512_unpacklo_epi32(z[2], z[3]), b23 = _mm512_unpackhi_epi32(z[2], z[3]);
    _mm512_store_si512((void *)to[0], _mm512_unpacklo_epi64(rg01, rg23));
    _mm512_store_si512((void *)to[1], _mm512_unpackhi_epi64(rg01, rg23));
    _mm512_store_si512((void *)to[2], _mm512_unpacklo_epi64(b01, b23));
}

static void turn_in(tile *t, const uint8_t *in, size_t row_bytes)
{
    const size_t n = t->last - t->first;
    for (size_t i = 0; i < n; i += FOUR)
        turn_four(t->pixels + i / FOUR * 3, in + (t->first + i) * 3, row_bytes,
                  PN_MIN(n - i, (size_t)FOUR) * 3);
}

static inline void multiply(__m512i sums[DIGITS], __m512i pixels, const four_weights *weights)
{
    PN_UNROLL for (size_t d = 0; d < DIGITS; d++) sums[d] =
        _mm512_dpbusd_epi32(sums[d], pixels, _mm512_set1_epi32(weights->digit[d]));
}

static inline __m512i whole(const __m512i sums[DIGITS])
{
    return _mm512_add_epi32(
        sums[0], _mm512_add_epi32(_mm512_slli_epi32(sums[1], 8), _mm512_slli_epi32(sums[2], 16)));
}

/* Output x of 16 rows; where the next one's weights begin is returned. */
static const four_weights *sum_tall(tile *t, const pn_taps *taps, size_t x,
                                    const four_weights *weights)
{
    size_t four, end;
    find_fours(t, taps, x, &four, &end);
    uint8_t(*out)[TALL] = t->sums + (x - t->x) * 3;
    __m512i sums[3][DIGITS];
    PN_UNROLL for (size_t i = 0; i < 3; i++) PN_UNROLL for (size_t d = 0; d < DIGITS; d++)
        sums[i][d] = _mm512_setzero_si512();
    for (; four < end; four++, weights++) {
        PN_UNROLL for (size_t i = 0; i < 3; i++)
            multiply(sums[i], _mm512_load_si512((const void *)t->pixels[four * 3 + i]), weights);
    }
    PN_UNROLL for (size_t i = 0; i < 3; i++)
        _mm_store_si128((void *)out[i], to_bytes(whole(sums[i])));
    return weights;
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
        take_weights(&t, taps);
        for (size_t y = 0; y < n_tall; y += TALL) {
            turn_in(&t, in + y * in_bytes, in_bytes);
            const four_weights *weights = t.weights;
            for (size_t x = t.x; x < t.end; x++)
                weights = sum_tall(&t, taps, x, weights);
            turn_out(&t, out + y * out_bytes, out_bytes);
        }
    }
    across_fours(out, in, n_in, n_tall, n_rows, taps, 0, taps->n_out);
}

/* 64 sums, clamped by the saturation of both packs: a sum >> 22 lies within [-512, 511]. */
static inline __m512i pack_64(const __m512i sums[FOUR])
{
    const __m512i half = _mm512_set1_epi32(HALF);
    __m512i v[FOUR];
    PN_UNROLL for (size_t i = 0; i < FOUR; i++) v[i] =
        _mm512_srai_epi32(_mm512_add_epi32(sums[i], half), BITS);
    return _mm512_packus_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
}

/* The bytes of four rows next to each other: of each 128 bits the first four, and so on, as packs join them again. */
static inline void interleave(const __m512i rows[FOUR], __m512i fours[FOUR])
{
    const __m512i a = _mm512_unpacklo_epi8(rows[0], rows[1]),
                  b = _mm512_unpackhi_epi8(rows[0], rows[1]);
    const __m512i c = _mm512_unpacklo_epi8(rows[2], rows[3]),
                  d = _mm512_unpackhi_epi8(rows[2], rows[3]);
    fours[0] = _mm512_unpacklo_epi16(a, c);
    fours[1] = _mm512_unpackhi_epi16(a, c);
    fours[2] = _mm512_unpacklo_epi16(b, d);
    fours[3] = _mm512_unpackhi_epi16(b, d);
}

/* The bytes in the mask, of up to 64, of n_rows rows, weighted, added to what sums hold. */
static inline void add_down(__m512i sums[FOUR][DIGITS], const uint8_t *in, size_t n, size_t n_rows,
                            const four_weights *weights, __mmask64 mask)
{
    for (size_t j = 0; j < n_rows; j += FOUR, weights++) {
        __m512i rows[FOUR], fours[FOUR];
        PN_UNROLL for (size_t i = 0; i < FOUR; i++) rows[i] =
            _mm512_maskz_loadu_epi8(mask, in + PN_MIN(j + i, n_rows - 1) * n);
        interleave(rows, fours);
        PN_UNROLL for (size_t i = 0; i < FOUR; i++) multiply(sums[i], fours[i], weights);
    }
}

/* The rows behind are those of the next output, as a rule, and a picture is larger than the second-level cache. */
static void down_some(uint8_t *out, const uint8_t *in, size_t n, size_t n_rows,
                      const four_weights *weights)
{
    for (size_t x = 0; x < n; x += BLOCK) {
        const __mmask64 mask = n - x >= BLOCK ? ~(__mmask64)0 : ~(__mmask64)0 >> (BLOCK - (n - x));
        __m512i sums[FOUR][DIGITS], sum[FOUR];
        PN_UNROLL for (size_t i = 0; i < FOUR; i++) PN_UNROLL for (size_t d = 0; d < DIGITS; d++)
            sums[i][d] = _mm512_setzero_si512();
        PN_UNROLL for (size_t i = 0; i < FOUR; i++) PN_PREFETCH(in + x + (n_rows + i) * n);
        add_down(sums, in + x, n, n_rows, weights, mask);
        PN_UNROLL for (size_t i = 0; i < FOUR; i++) sum[i] = whole(sums[i]);
        _mm512_mask_storeu_epi8(out + x, mask, pack_64(sum));
    }
}

/* Any number of rows. */
static void down_many(uint8_t *out, const uint8_t *in, size_t n, const int32_t *weights,
                      size_t n_rows)
{
    for (size_t x = 0; x < n; x += LANES) {
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

/* For pictures that are made less than a thousand times smaller. */
static void down_u8(uint8_t *out, const uint8_t *in, size_t n, const int32_t *weights,
                    size_t n_rows)
{
    four_weights fours[DOWN_FOURS];
    if (n_rows > (size_t)DOWN_FOURS * FOUR) {
        down_many(out, in, n, weights, n_rows);
        return;
    }
    memset(fours, 0, (n_rows + FOUR - 1) / FOUR * sizeof *fours);
    for (size_t j = 0; j < n_rows; j++)
        set_weight(&fours[j / FOUR], j % FOUR, weights[j]);
    down_some(out, in, n, n_rows, fours);
}

void pn_resample_init_avx512(pn_kernels *k)
{
    k->resample_across_u8 = across_u8;
    k->resample_down_u8 = down_u8;
}

/*
 * quant_avx2.c - 8-bit products without VNNI: tiles of 4 rows x 8 columns
 *
 *     per 4 steps of k: 2 loads of 4 columns x 4 weights, widened to 16 bits; 4 broadcasts of 4 bytes, widened;
 *     8 vpmaddwd, 8 additions
 *     registers: 8 sums + 4 rows + 1 weights + 1 product = 14 of 16
 *
 * vpmaddubsw would multiply bytes at once, but it adds two products in 16 bits, and 255 * 127 * 2 does not fit: it
 * saturates silently. So both sides are widened first; the sums are exact. Each column's four products lie in two lanes
 * until the end of the tile.
 */
#if !defined(__AVX2__) || !defined(__FMA__)
#    error "build this file with -mavx2 -mfma"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = 8, MAX_ROWS = 4, LINE = PN_GEMM_PANEL * PN_GEMM_I8_DEPTH };

static float least_of(__m256 v)
{
    __m128 half = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_min_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_min_ss(half, _mm_movehdup_ps(half)));
}

static float most_of(__m256 v)
{
    return -least_of(_mm256_sub_ps(_mm256_setzero_ps(), v));
}

static void narrow(uint8_t *out, __m256i v)
{
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)(void *)out, _mm_packus_epi16(words, words));
}

static void quantise_u8(uint8_t *out, float *step, float *low, const float *in, size_t n)
{
    float first = n > 0 ? in[0] : 0, tail[LANES];
    const size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < LANES; i++)
        tail[i] = whole + i < n ? in[whole + i] : first;
    __m256 last = _mm256_loadu_ps(tail), lows = last, highs = last;
    for (size_t i = 0; i < whole; i += LANES) {
        __m256 v = _mm256_loadu_ps(in + i);
        lows = _mm256_min_ps(lows, v);
        highs = _mm256_max_ps(highs, v);
    }
    float least = least_of(lows), range = most_of(highs) - least;
    __m256 base = _mm256_set1_ps(least), factor = _mm256_set1_ps(pn_quant_factor(range));
    for (size_t i = 0; i < whole; i += LANES) {
        __m256 v = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(in + i), base), factor);
        narrow(out + i, _mm256_cvtps_epi32(v));
    }
    uint8_t bytes[LANES];
    narrow(bytes, _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_sub_ps(last, base), factor)));
    memcpy(out + whole, bytes, n - whole);
    memset(out + n, 0, pn_gemm_i8_depth(n) - n);
    *step = range / 255.0f;
    *low = least;
}

static inline __m256i widen_weights(const int8_t *at)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

static inline __m256i broadcast_row(const uint8_t *at)
{
    int32_t four;
    memcpy(&four, at, sizeof four);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
}

/* Two lanes a column, of columns 0-3 and 4-7, become one lane a column. */
static inline __m256 join(__m256i left, __m256i right)
{
    __m256i mixed = _mm256_hadd_epi32(left, right); /* 0 1 4 5 2 3 6 7 */
    return _mm256_cvtepi32_ps(_mm256_permute4x64_epi64(mixed, 0xD8));
}

/* One row's 8 sums, of which width columns exist. */
static inline void finish(const pn_gemm *g, size_t row, size_t column, size_t width, __m256 sum)
{
    float values[LANES];
    float *c = g->c + row * g->ldc + column;
    __m256 scale =
        _mm256_mul_ps(_mm256_set1_ps(g->a8.step[row]), _mm256_loadu_ps(g->w.scale + column));
    __m256 value =
        _mm256_mul_ps(_mm256_set1_ps(g->a8.low[row]), _mm256_loadu_ps(g->w.sums + column));
    value = _mm256_fmadd_ps(sum, scale, value);
    if (width >= LANES) {
        if (g->bias)
            value = _mm256_add_ps(value, _mm256_loadu_ps(g->bias + column));
        if (g->accumulate)
            value = _mm256_add_ps(_mm256_loadu_ps(c), value);
        _mm256_storeu_ps(c, value);
        return;
    }
    _mm256_storeu_ps(values, value);
    for (size_t j = 0; j < width; j++) {
        float one = values[j] + (g->bias ? g->bias[column + j] : 0);
        c[j] = g->accumulate ? c[j] + one : one;
    }
}

/* Columns [8 half, 8 half + 8) of one panel. */
static PN_ALWAYS_INLINE void half_tile(const pn_gemm *g, size_t row, size_t panel, size_t half,
                                       const int rows)
{
    const size_t depth = pn_gemm_i8_depth(g->k), stride = g->a8.stride;
    const int8_t *b =
        (const int8_t *)g->w.packed + panel * PN_GEMM_PANEL * depth + half * (LINE / 2);
    const uint8_t *a = g->a8.rows + row * stride;
    __m256i sum[MAX_ROWS][2];
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        sum[r][0] = _mm256_setzero_si256();
        sum[r][1] = _mm256_setzero_si256();
    }
    for (size_t p = 0; p < depth; p += PN_GEMM_I8_DEPTH, b += LINE) {
        __m256i left = widen_weights(b), right = widen_weights(b + LINE / 4);
        PN_UNROLL for (int r = 0; r < rows; r++)
        {
            __m256i value = broadcast_row(a + (size_t)r * stride + p);
            sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(value, left));
            sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(value, right));
        }
    }
    const size_t column = panel * PN_GEMM_PANEL + half * LANES;
    if (column < g->n)
        PN_UNROLL for (int r = 0; r < rows; r++)
            finish(g, row + (size_t)r, column, g->n - column, join(sum[r][0], sum[r][1]));
}

#define DEFINE_TILE(rows)                                                                          \
    static void tile_##rows(const pn_gemm *g, size_t row, size_t panel)                            \
    {                                                                                              \
        half_tile(g, row, panel, 0, rows);                                                         \
        half_tile(g, row, panel, 1, rows);                                                         \
    }
DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)

static void gemm_i8(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    static const pn_gemm_tile one[MAX_ROWS] = {tile_1, tile_2, tile_3, tile_4};
    static const pn_gemm_tiles tiles = {MAX_ROWS, one, NULL};
    pn_gemm_drive(g, panel_begin, panel_end, &tiles);
}

void pn_quant_init_avx2(pn_kernels *k)
{
    k->quantise_u8 = quantise_u8;
    k->gemm_i8 = gemm_i8;
}

/*
 * quant_avx512.c - 8-bit products with VNNI: tiles of 14 rows x 32 columns
 *
 *     per 4 steps of k: 2 loads of two panels, 14 broadcasts of 4 bytes, 28 vpdpbusd
 *     registers: 28 sums + 2 panel + 1 broadcast = 31 of 32
 *
 * vpdpbusd multiplies 4 unsigned by 4 signed bytes and adds the four products to a 32-bit lane without saturation: 64
 * multiply-adds where an FMA does 16, at the same rate.
 */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VNNI__)
#    error "build this file with -mavx512f -mavx512bw -mavx512vnni"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = PN_GEMM_PANEL, MAX_ROWS = PN_GEMM_MAX_ROWS };

static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - n));
}

static inline __m128i steps_of(__m512 values, __m512 base, __m512 factor)
{
    return _mm512_cvtusepi32_epi8(
        _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(values, base), factor)));
}

static void quantise_u8(uint8_t *out, float *step, float *low, const float *in, size_t n)
{
    const size_t whole = n - n % LANES;
    const __mmask16 rest = mask_of(n - whole);
    __m512 lows = _mm512_set1_ps(n > 0 ? in[0] : 0), highs = lows;
    for (size_t i = 0; i < whole; i += LANES) {
        __m512 v = _mm512_loadu_ps(in + i);
        lows = _mm512_min_ps(lows, v);
        highs = _mm512_max_ps(highs, v);
    }
    __m512 last = _mm512_mask_loadu_ps(lows, rest, in + whole);
    lows = _mm512_min_ps(lows, last);
    highs = _mm512_max_ps(highs, last);
    float least = _mm512_reduce_min_ps(lows), range = _mm512_reduce_max_ps(highs) - least;
    __m512 base = _mm512_set1_ps(least), factor = _mm512_set1_ps(pn_quant_factor(range));
    for (size_t i = 0; i < whole; i += LANES)
        _mm_storeu_si128((__m128i *)(void *)(out + i),
                         steps_of(_mm512_loadu_ps(in + i), base, factor));
    if (rest)
        _mm_mask_storeu_epi8(out + whole, rest, steps_of(last, base, factor));
    memset(out + n, 0, pn_gemm_i8_depth(n) - n);
    *step = range / 255.0f;
    *low = least;
}

/* Line p of a panel as numbers in [-127, 127], one a lane; the lines behind k are zeros. */
static inline __m512i numbers(const float *panel, size_t p, size_t k, __m512 factor)
{
    if (p >= k)
        return _mm512_setzero_si512();
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(panel + p * LANES), factor));
}

static void pack_i8(int8_t *packed, float *scale, float *sums, const float *panel, size_t k)
{
    __m512 most = _mm512_setzero_ps();
    for (size_t p = 0; p < k; p++)
        most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_loadu_ps(panel + p * LANES)));
    __mmask16 some = _mm512_cmp_ps_mask(most, _mm512_setzero_ps(), _CMP_GT_OQ);
    __m512 factor = _mm512_maskz_div_ps(some, _mm512_set1_ps(127.0f), most);
    const __m512i byte = _mm512_set1_epi32(0xFF);
    __m512i sum = _mm512_setzero_si512();
    for (size_t p = 0; p < k; p += PN_GEMM_I8_DEPTH) {
        __m512i a = numbers(panel, p, k, factor), b = numbers(panel, p + 1, k, factor);
        __m512i c = numbers(panel, p + 2, k, factor), d = numbers(panel, p + 3, k, factor);
        sum =
            _mm512_add_epi32(sum, _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d)));
        /* the lane's four bytes, from low to high */
        __m512i low = _mm512_or_si512(_mm512_and_si512(a, byte),
                                      _mm512_slli_epi32(_mm512_and_si512(b, byte), 8));
        __m512i high = _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(c, byte), 16),
                                       _mm512_slli_epi32(d, 24));
        _mm512_storeu_si512(packed + p * LANES, _mm512_or_si512(low, high));
    }
    __m512 each = _mm512_div_ps(most, _mm512_set1_ps(127.0f));
    _mm512_storeu_ps(scale, each);
    _mm512_storeu_ps(sums, _mm512_mul_ps(each, _mm512_cvtepi32_ps(sum)));
}

/* One row's 16 sums of one panel, of which width columns exist. */
static inline void finish(const pn_gemm *g, size_t row, size_t column, size_t width, __m512i sum)
{
    __mmask16 mask = mask_of(width);
    float *c = g->c + row * g->ldc + column;
    __m512 scale =
        _mm512_mul_ps(_mm512_set1_ps(g->a8.step[row]), _mm512_loadu_ps(g->w.scale + column));
    __m512 value =
        _mm512_mul_ps(_mm512_set1_ps(g->a8.low[row]), _mm512_loadu_ps(g->w.sums + column));
    value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, value);
    if (g->bias)
        value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, g->bias + column));
    if (g->accumulate)
        value = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), value);
    _mm512_mask_storeu_ps(c, mask, value);
}

static inline __m512i broadcast4(const uint8_t *at)
{
    int32_t four;
    memcpy(&four, at, sizeof four);
    return _mm512_set1_epi32(four);
}

/* Sums are kept as what the instruction takes: gcc 12 leaves an array of __m512i in memory here. */
typedef int32_t sums16 __attribute__((vector_size(64)));

static inline sums16 multiply_add(sums16 sum, __m512i row, __m512i weights)
{
    return (sums16)_mm512_dpbusd_epi32((__m512i)sum, row, weights);
}

static PN_ALWAYS_INLINE void tile_i8(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                     const int panels)
{
    const size_t depth = pn_gemm_i8_depth(g->k), stride = g->a8.stride;
    const size_t panel_bytes = LANES * depth;
    const uint8_t *b = (const uint8_t *)g->w.packed + panel * panel_bytes, *next = b + panel_bytes;
    const uint8_t *a[MAX_ROWS / 3 + 1];
    PN_UNROLL for (int r = 0; r < rows; r += 3) a[r / 3] = g->a8.rows + (row + (size_t)r) * stride;
    sums16 sum[MAX_ROWS][2];
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        sum[r][0] = (sums16){0};
        sum[r][1] = (sums16){0};
    }
    pn_gemm_fetch_sums(g, row, panel, rows, panels);
    pn_gemm_ahead ahead = pn_gemm_look_ahead(g, b + 2 * panel_bytes, panel_bytes,
                                             (size_t)LANES * PN_GEMM_I8_DEPTH, row, (size_t)rows);
    for (size_t p = 0; p < depth; p += PN_GEMM_I8_DEPTH, ahead.at += ahead.step) {
        PN_PREFETCH_FAR(ahead.at);
        PN_PREFETCH_FAR(ahead.at + panel_bytes);
        __m512i b0 = _mm512_loadu_si512(b + p * LANES);
        __m512i b1 = panels == 2 ? _mm512_loadu_si512(next + p * LANES) : b0;
        PN_UNROLL for (int r = 0; r < rows; r++)
        {
            __m512i value = broadcast4(a[r / 3] + p + (size_t)(r % 3) * stride);
            sum[r][0] = multiply_add(sum[r][0], value, b0);
            if (panels == 2)
                sum[r][1] = multiply_add(sum[r][1], value, b1);
        }
    }
    size_t column = panel * LANES, width = g->n - column;
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        finish(g, row + (size_t)r, column, width, (__m512i)sum[r][0]);
        if (panels == 2)
            finish(g, row + (size_t)r, column + LANES, width - LANES, (__m512i)sum[r][1]);
    }
}

PN_GEMM_DEFINE_TILES(i8)

static void gemm_i8(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    pn_gemm_drive(g, panel_begin, panel_end, &tiles_i8);
}

void pn_quant_init_avx512(pn_kernels *k)
{
    k->quantise_u8 = quantise_u8;
    k->gemm_pack_i8 = pack_i8;
    k->gemm_i8 = gemm_i8;
    k->fast_i8 = true;
}

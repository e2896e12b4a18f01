/*
 * gemm_avx512.c - tiles of 14 rows x 32 columns
 *
 *     per step of k: 2 loads of two panels, 14 broadcasts, 28 FMAs
 *     registers: 28 sums + 2 panel + 1 broadcast = 31 of 32
 *
 * 16 loads for 28 FMAs: on cores with two wide FMA units (Ice Lake and later) the FMAs still come first. The two panels
 * are two streams, each read from front to back.
 *
 * Panels of 16-bit weights are the same streams at half the width: each line is widened on its way into the register, by
 * units that the FMAs do not use.
 *
 * Packing matters in attention, where every head's keys are turned into panels: 16 x 16 values at a time are transposed
 * in registers.
 */
#if !defined(__AVX512F__)
#    error "build this file with -mavx512f"
#endif
#include "kernels/internal.h"

#include <immintrin.h>

enum { LANES = PN_GEMM_PANEL, MAX_ROWS = PN_GEMM_MAX_ROWS };

/* Write 16 sums of one row, of which width columns exist. */
static inline void finish(const pn_gemm *g, float *c, size_t column, size_t width, __m512 sum)
{
    __mmask16 mask = (__mmask16)(width >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - width));
    if (g->bias)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, g->bias + column));
    if (g->accumulate)
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), sum);
    _mm512_mask_storeu_ps(c, mask, sum);
}

/* Line p of a panel. */
static PN_ALWAYS_INLINE __m512 line(const uint8_t *panel, size_t p, const pn_panel_type type)
{
    if (type == PN_PANEL_F32)
        return _mm512_loadu_ps(panel + p * LANES * 4);
    __m256i narrow = _mm256_loadu_si256((const __m256i *)(const void *)(panel + p * LANES * 2));
    if (type == PN_PANEL_F16)
        return _mm512_cvtph_ps(narrow);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

static PN_ALWAYS_INLINE void tile(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                  const int panels, const pn_panel_type type)
{
    const size_t lda = g->lda, k = g->k,
                 line_bytes = (size_t)LANES * (type == PN_PANEL_F32 ? 4 : 2);
    const size_t panel_bytes = k * line_bytes;
    const uint8_t *b = (const uint8_t *)g->w.packed + panel * panel_bytes, *next = b + panel_bytes;
    /* Three rows hang on one pointer: base, base + lda, base + 2 lda are one address each. */
    const float *a[MAX_ROWS / 3 + 1];
    PN_UNROLL for (int r = 0; r < rows; r += 3) a[r / 3] = g->a + (row + (size_t)r) * lda;
    __m512 sum[MAX_ROWS][2];
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        sum[r][0] = _mm512_setzero_ps();
        sum[r][1] = _mm512_setzero_ps();
    }
    pn_gemm_fetch_sums(g, row, panel, rows, panels);
    pn_gemm_ahead ahead =
        pn_gemm_look_ahead(g, b + 2 * panel_bytes, panel_bytes, line_bytes, row, (size_t)rows);
    for (size_t p = 0; p < k; p++, ahead.at += ahead.step) {
        PN_PREFETCH_FAR(ahead.at);
        PN_PREFETCH_FAR(ahead.at + panel_bytes);
        __m512 b0 = line(b, p, type);
        __m512 b1 = panels == 2 ? line(next, p, type) : b0;
        PN_UNROLL for (int r = 0; r < rows; r++)
        {
            __m512 value = _mm512_set1_ps(a[r / 3][p + (size_t)(r % 3) * lda]);
            sum[r][0] = _mm512_fmadd_ps(value, b0, sum[r][0]);
            if (panels == 2)
                sum[r][1] = _mm512_fmadd_ps(value, b1, sum[r][1]);
        }
    }
    size_t column = panel * LANES;
    size_t width = g->n - column;
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        float *c = g->c + (row + (size_t)r) * g->ldc + column;
        finish(g, c, column, width, sum[r][0]);
        if (panels == 2)
            finish(g, c + LANES, column + LANES, width - LANES, sum[r][1]);
    }
}

static PN_ALWAYS_INLINE void tile_f32(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                      const int panels)
{
    tile(g, row, panel, rows, panels, PN_PANEL_F32);
}
PN_GEMM_DEFINE_TILES(f32)

static PN_ALWAYS_INLINE void tile_f16(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                      const int panels)
{
    tile(g, row, panel, rows, panels, PN_PANEL_F16);
}
PN_GEMM_DEFINE_TILES(f16)

static PN_ALWAYS_INLINE void tile_bf16(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                       const int panels)
{
    tile(g, row, panel, rows, panels, PN_PANEL_BF16);
}
PN_GEMM_DEFINE_TILES(bf16)

static void gemm(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    const pn_gemm_tiles *tiles = g->w.type == PN_PANEL_F32   ? &tiles_f32
                                 : g->w.type == PN_PANEL_F16 ? &tiles_f16
                                                             : &tiles_bf16;
    pn_gemm_drive(g, panel_begin, panel_end, tiles);
}

/* ---- packing */

static inline __m512 pairs(__m512 a, __m512 b, bool high)
{
    __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(c, d) : _mm512_unpacklo_pd(c, d));
}

/* line[i][j] becomes line[j][i]: within quarters of a register first, then the quarters themselves. */
static inline void transpose(__m512 line[LANES])
{
    __m512 a[LANES], b[LANES];
    PN_UNROLL for (int i = 0; i < LANES; i += 2)
    {
        a[i] = _mm512_unpacklo_ps(line[i], line[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(line[i], line[i + 1]);
    }
    PN_UNROLL for (int i = 0; i < LANES; i += 4)
    {
        b[i] = pairs(a[i], a[i + 2], false);
        b[i + 1] = pairs(a[i], a[i + 2], true);
        b[i + 2] = pairs(a[i + 1], a[i + 3], false);
        b[i + 3] = pairs(a[i + 1], a[i + 3], true);
    }
    PN_UNROLL for (int i = 0; i < 4; i++)
    {
        __m512 even0 = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
        __m512 odd0 = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xDD);
        __m512 even1 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
        __m512 odd1 = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xDD);
        line[i] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        line[i + 4] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        line[i + 8] = _mm512_shuffle_f32x4(even0, even1, 0xDD);
        line[i + 12] = _mm512_shuffle_f32x4(odd0, odd1, 0xDD);
    }
}

static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - n));
}

/* One panel from columns that are contiguous in w: 16 lines at a time. */
static void pack_columns(float *packed, const float *w, size_t columns, size_t k, size_t n_stride)
{
    for (size_t p = 0; p < k; p += LANES) {
        __m512 line[LANES];
        PN_UNROLL for (size_t j = 0; j < LANES; j++)
        {
            __mmask16 mask = j < columns ? mask_of(k - p) : 0;
            line[j] = _mm512_maskz_loadu_ps(mask, w + (mask ? j * n_stride + p : 0));
        }
        transpose(line);
        PN_UNROLL for (size_t i = 0; i < LANES; i++)
        {
            if (p + i < k)
                _mm512_storeu_ps(packed + (p + i) * LANES, line[i]);
        }
    }
}

/* One panel whose lines are contiguous in w. */
static void pack_lines(float *packed, const float *w, size_t columns, size_t k, size_t k_stride)
{
    const __mmask16 mask = mask_of(columns);
    for (size_t p = 0; p < k; p++)
        _mm512_storeu_ps(packed + p * LANES, _mm512_maskz_loadu_ps(mask, w + p * k_stride));
}

static void pack(float *packed, const float *w, size_t n, size_t k, size_t n_stride,
                 size_t k_stride)
{
    pn_assert_hot(n_stride == 1 || k_stride == 1);
    for (size_t j = 0; j < n; j += LANES) {
        if (n_stride == 1)
            pack_lines(packed + j * k, w + j, n - j, k, k_stride);
        else
            pack_columns(packed + j * k, w + j * n_stride, n - j, k, n_stride);
    }
}

void pn_gemm_init_avx512(pn_kernels *k)
{
    k->gemm_pack = pack;
    k->gemm_f32 = gemm;
}

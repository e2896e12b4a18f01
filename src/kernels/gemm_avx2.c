/*
 * gemm_avx2.c - tiles of 6 rows x 16 columns
 *
 *     per step of k: 2 loads of the panel, 6 broadcasts, 12 FMAs
 *     registers: 12 sums + 2 panel + 1 broadcast = 15 of 16
 *
 * 12 independent sums cover the 4 cycles of latency at 2 FMAs a cycle; 8 loads in 6 cycles are within what every
 * AVX2 core can do. 16-bit weights are widened on their way into the register.
 */
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#    error "build this file with -mavx2 -mfma -mf16c"
#endif
#include "kernels/internal.h"

#include <immintrin.h>

enum { LANES = 8, HALVES = PN_GEMM_PANEL / LANES, MAX_ROWS = 6 };

static inline __m256i mask_of(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)PN_MIN(n, (size_t)LANES)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Write 8 sums of one row, of which width columns exist. */
static inline void finish(const pn_gemm *g, float *c, size_t column, size_t width, __m256 sum)
{
    if (width >= LANES) {
        if (g->bias)
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(g->bias + column));
        if (g->accumulate)
            sum = _mm256_add_ps(_mm256_loadu_ps(c), sum);
        _mm256_storeu_ps(c, sum);
        return;
    }
    __m256i mask = mask_of(width);
    if (g->bias)
        sum = _mm256_add_ps(sum, _mm256_maskload_ps(g->bias + column, mask));
    if (g->accumulate)
        sum = _mm256_add_ps(_mm256_maskload_ps(c, mask), sum);
    _mm256_maskstore_ps(c, mask, sum);
}

/* Values [i, i + 8) of a panel. */
static PN_ALWAYS_INLINE __m256 half_line(const uint8_t *panel, size_t i, const pn_panel_type type)
{
    if (type == PN_PANEL_F32)
        return _mm256_loadu_ps((const float *)(const void *)panel + i);
    __m128i narrow = _mm_loadu_si128((const __m128i *)(const void *)(panel + 2 * i));
    if (type == PN_PANEL_F16)
        return _mm256_cvtph_ps(narrow);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
}

static PN_ALWAYS_INLINE void tile(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                  const pn_panel_type type)
{
    const size_t lda = g->lda, k = g->k;
    const size_t line_bytes = (size_t)PN_GEMM_PANEL * (type == PN_PANEL_F32 ? 4 : 2);
    const uint8_t *b = (const uint8_t *)g->w.packed + panel * k * line_bytes;
    /* Three rows hang on one pointer: base, base + lda, base + 2 lda are one address each. */
    const float *a0 = g->a + row * lda, *a3 = a0 + 3 * lda;
    __m256 sum[MAX_ROWS][HALVES];
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        sum[r][0] = _mm256_setzero_ps();
        sum[r][1] = _mm256_setzero_ps();
    }
    pn_gemm_fetch_sums(g, row, panel, rows, 1);
    pn_gemm_ahead ahead =
        pn_gemm_look_ahead(g, b + k * line_bytes, k * line_bytes, line_bytes, row, (size_t)rows);
    for (size_t p = 0; p < k; p++, ahead.at += ahead.step) {
        PN_PREFETCH_FAR(ahead.at);
        __m256 b0 = half_line(b, p * PN_GEMM_PANEL, type);
        __m256 b1 = half_line(b, p * PN_GEMM_PANEL + LANES, type);
        PN_UNROLL for (int r = 0; r < rows; r++)
        {
            const float *base = r < 3 ? a0 : a3;
            __m256 value = _mm256_broadcast_ss(base + p + (size_t)(r % 3) * lda);
            sum[r][0] = _mm256_fmadd_ps(value, b0, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(value, b1, sum[r][1]);
        }
    }
    size_t column = panel * PN_GEMM_PANEL;
    size_t width = g->n - column;
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        float *c = g->c + (row + (size_t)r) * g->ldc + column;
        finish(g, c, column, width, sum[r][0]);
        if (width > LANES)
            finish(g, c + LANES, column + LANES, width - LANES, sum[r][1]);
    }
}

#define DEFINE_TILE(rows, name, type)                                                              \
    static void name##_##rows(const pn_gemm *g, size_t row, size_t panel)                          \
    {                                                                                              \
        tile(g, row, panel, rows, type);                                                           \
    }
#define DEFINE_TILES(name, type)                                                                   \
    DEFINE_TILE(1, name, type)                                                                     \
    DEFINE_TILE(2, name, type)                                                                     \
    DEFINE_TILE(3, name, type)                                                                     \
    DEFINE_TILE(4, name, type)                                                                     \
    DEFINE_TILE(5, name, type)                                                                     \
    DEFINE_TILE(6, name, type)                                                                     \
    static const pn_gemm_tile name##_by_rows[MAX_ROWS] = {name##_1, name##_2, name##_3,            \
                                                          name##_4, name##_5, name##_6};           \
    static const pn_gemm_tiles name##_tiles = {MAX_ROWS, name##_by_rows, NULL};
DEFINE_TILES(f32, PN_PANEL_F32)
DEFINE_TILES(f16, PN_PANEL_F16)
DEFINE_TILES(bf16, PN_PANEL_BF16)

static void gemm(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    const pn_gemm_tiles *tiles = g->w.type == PN_PANEL_F32   ? &f32_tiles
                                 : g->w.type == PN_PANEL_F16 ? &f16_tiles
                                                             : &bf16_tiles;
    pn_gemm_drive(g, panel_begin, panel_end, tiles);
}

void pn_gemm_init_avx2(pn_kernels *k)
{
    k->gemm_f32 = gemm;
}

/*
 * gemm_avx512.c - tiles of 14 rows x 32 columns
 *
 *     per step of k: 2 loads of two panels, 14 broadcasts, 28 FMAs
 *     registers: 28 sums + 2 panel + 1 broadcast = 31 of 32
 *
 * 16 loads for 28 FMAs: on cores with two wide FMA units (Ice Lake and later) the FMAs still come first. The two panels
 * are two streams, each read from front to back.
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

static PN_ALWAYS_INLINE void tile(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                  const int panels)
{
    const size_t lda = g->lda, k = g->k;
    const float *b = g->packed + panel * LANES * k, *next = b + LANES * k;
    /* Three rows hang on one pointer: base, base + lda, base + 2 lda are one address each. */
    const float *a[MAX_ROWS / 3 + 1];
    PN_UNROLL for (int r = 0; r < rows; r += 3) a[r / 3] = g->a + (row + (size_t)r) * lda;
    __m512 sum[MAX_ROWS][2];
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        sum[r][0] = _mm512_setzero_ps();
        sum[r][1] = _mm512_setzero_ps();
    }
    for (size_t p = 0; p < k; p++) {
        __m512 b0 = _mm512_loadu_ps(b + p * LANES);
        __m512 b1 = panels == 2 ? _mm512_loadu_ps(next + p * LANES) : b0;
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

#define DEFINE_TILE(rows)                                                                          \
    static void one_##rows(const pn_gemm *g, size_t row, size_t panel)                             \
    {                                                                                              \
        tile(g, row, panel, rows, 1);                                                              \
    }                                                                                              \
    static void two_##rows(const pn_gemm *g, size_t row, size_t panel)                             \
    {                                                                                              \
        tile(g, row, panel, rows, 2);                                                              \
    }
DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)
DEFINE_TILE(7)
DEFINE_TILE(8)
DEFINE_TILE(9)
DEFINE_TILE(10)
DEFINE_TILE(11)
DEFINE_TILE(12)
DEFINE_TILE(13)
DEFINE_TILE(14)

static void gemm(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    static const pn_gemm_tile one[MAX_ROWS] = {one_1,  one_2,  one_3,  one_4, one_5,
                                               one_6,  one_7,  one_8,  one_9, one_10,
                                               one_11, one_12, one_13, one_14};
    static const pn_gemm_tile two[MAX_ROWS] = {two_1,  two_2,  two_3,  two_4, two_5,
                                               two_6,  two_7,  two_8,  two_9, two_10,
                                               two_11, two_12, two_13, two_14};
    static const pn_gemm_tiles tiles = {MAX_ROWS, one, two};
    pn_gemm_drive(g, panel_begin, panel_end, &tiles);
}

void pn_gemm_init_avx512(pn_kernels *k)
{
    k->gemm_f32 = gemm;
}

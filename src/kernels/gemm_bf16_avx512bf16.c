/*
 * gemm_bf16_avx512bf16.c - products of bf16 with vdpbf16ps: tiles of 14 rows x 32 columns
 *
 *     per 2 steps of k: 2 loads of two panels, 14 broadcasts of a pair, 28 vdpbf16ps
 *     registers: 28 sums + 2 panel + 1 broadcast = 31 of 32
 *
 * vdpbf16ps adds two products to a lane: 32 multiply-adds where an FMA does 16. At the shapes of ViT-B/32 a Zen 4 does 108
 * to 117 G multiply-adds a second with it on one core, and 54 to 58 G with FMA on f32. It takes values below 2^-126 as
 * zero and writes none.
 */
#if !defined(__AVX512F__) || !defined(__AVX512BF16__)
#    error "build this file with -mavx512f -mavx512bf16"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <string.h>

enum { LANES = PN_GEMM_PANEL, MAX_ROWS = PN_GEMM_MAX_ROWS, PAIR = 4 };

/* Sums are kept as what gcc 12 leaves in registers: see quant_avx512.c. */
typedef float sums16 __attribute__((vector_size(64)));

static inline sums16 multiply_add(sums16 sum, __m512i row, __m512i weights)
{
    return (sums16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)row, (__m512bh)weights);
}

static inline __m512i broadcast_pair(const uint8_t *at)
{
    int32_t pair;
    memcpy(&pair, at, sizeof pair);
    return _mm512_set1_epi32(pair);
}

/* One row's 16 sums of one panel, of which width columns exist. */
static inline void finish(const pn_gemm *g, size_t row, size_t column, size_t width, __m512 value)
{
    const __mmask16 mask = (__mmask16)(width >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - width));
    float *c = g->c + row * g->ldc + column;
    if (g->bias)
        value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, g->bias + column));
    if (g->accumulate)
        value = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), value);
    _mm512_mask_storeu_ps(c, mask, value);
}

static PN_ALWAYS_INLINE void tile_bf16_pairs(const pn_gemm *g, size_t row, size_t panel,
                                             const int rows, const int panels)
{
    const size_t bytes = pn_gemm_bf16_depth(g->k) * 2, stride = g->a16.stride * 2;
    const size_t panel_bytes = LANES * bytes;
    const uint8_t *b = (const uint8_t *)g->w.packed + panel * panel_bytes, *next = b + panel_bytes;
    const uint8_t *a[MAX_ROWS / 3 + 1];
    PN_UNROLL for (int r = 0; r < rows; r += 3) a[r / 3] =
        (const uint8_t *)g->a16.rows + (row + (size_t)r) * stride;
    sums16 sum[MAX_ROWS][2];
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        sum[r][0] = (sums16){0};
        sum[r][1] = (sums16){0};
    }
    pn_gemm_fetch_sums(g, row, panel, rows, panels);
    pn_gemm_ahead ahead = pn_gemm_look_ahead(g, b + 2 * panel_bytes, panel_bytes,
                                             (size_t)LANES * PAIR, row, (size_t)rows);
    for (size_t p = 0; p < bytes; p += PAIR, ahead.at += ahead.step) {
        PN_PREFETCH_FAR(ahead.at);
        PN_PREFETCH_FAR(ahead.at + panel_bytes);
        __m512i b0 = _mm512_loadu_si512(b + p * LANES);
        __m512i b1 = panels == 2 ? _mm512_loadu_si512(next + p * LANES) : b0;
        PN_UNROLL for (int r = 0; r < rows; r++)
        {
            __m512i pair = broadcast_pair(a[r / 3] + p + (size_t)(r % 3) * stride);
            sum[r][0] = multiply_add(sum[r][0], pair, b0);
            if (panels == 2)
                sum[r][1] = multiply_add(sum[r][1], pair, b1);
        }
    }
    const size_t column = panel * LANES, width = g->n - column;
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        finish(g, row + (size_t)r, column, width, (__m512)sum[r][0]);
        if (panels == 2)
            finish(g, row + (size_t)r, column + LANES, width - LANES, (__m512)sum[r][1]);
    }
}

PN_GEMM_DEFINE_TILES(bf16_pairs)

static void gemm_bf16(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    pn_gemm_drive(g, panel_begin, panel_end, &tiles_bf16_pairs);
}

void pn_gemm_bf16_init_avx512bf16(pn_kernels *k)
{
    k->gemm_bf16 = gemm_bf16;
    k->bf16_is_fast = true;
}

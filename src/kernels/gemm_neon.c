/*
 * gemm_neon.c - tiles of 6 rows x 16 columns
 *
 *     per step of k: 4 loads of the panel, 6 broadcasts, 24 FMAs
 *     registers: 24 sums + 4 panel + 1 broadcast = 29 of 32
 */
#if !defined(__ARM_NEON)
#    error "this file is for 64-bit Arm"
#endif
#include "kernels/internal.h"

#include <arm_neon.h>
#include <string.h>

enum { LANES = 4, QUARTERS = PN_GEMM_PANEL / LANES, MAX_ROWS = 6 };

/* Write 16 sums of one row, of which width columns exist. */
static inline void finish(const pn_gemm *g, float *c, size_t column, const float32x4_t *sum)
{
    float values[PN_GEMM_PANEL];
    for (int q = 0; q < QUARTERS; q++)
        vst1q_f32(values + LANES * q, sum[q]);
    size_t width = PN_MIN(g->n - column, (size_t)PN_GEMM_PANEL);
    for (size_t j = 0; j < width; j++) {
        float value = values[j] + (g->bias ? g->bias[column + j] : 0);
        c[j] = g->accumulate ? c[j] + value : value;
    }
}

/* Values [i, i + 4) of a panel. */
static PN_ALWAYS_INLINE float32x4_t quarter_line(const uint8_t *panel, size_t i,
                                                 const pn_panel_type type)
{
    if (type == PN_PANEL_F32)
        return vld1q_f32((const float *)(const void *)panel + i);
    uint16x4_t narrow = vld1_u16((const uint16_t *)(const void *)panel + i);
    if (type == PN_PANEL_F16)
        return vcvt_f32_f16(vreinterpret_f16_u16(narrow));
    return vreinterpretq_f32_u32(vshll_n_u16(narrow, 16));
}

static PN_ALWAYS_INLINE void tile(const pn_gemm *g, size_t row, size_t panel, const int rows,
                                  const pn_panel_type type)
{
    const size_t lda = g->lda, k = g->k;
    const uint8_t *b =
        (const uint8_t *)g->w.packed + panel * PN_GEMM_PANEL * k * (type == PN_PANEL_F32 ? 4 : 2);
    const float *a = g->a + row * lda;
    float32x4_t sum[MAX_ROWS][QUARTERS];
    PN_UNROLL for (int r = 0; r < rows; r++)
    {
        PN_UNROLL for (int q = 0; q < QUARTERS; q++) sum[r][q] = vdupq_n_f32(0);
    }
    for (size_t p = 0; p < k; p++) {
        float32x4_t line[QUARTERS];
        PN_UNROLL for (int q = 0; q < QUARTERS; q++) line[q] =
            quarter_line(b, p * PN_GEMM_PANEL + LANES * (size_t)q, type);
        PN_UNROLL for (int r = 0; r < rows; r++)
        {
            float32x4_t value = vld1q_dup_f32(a + (size_t)r * lda + p);
            PN_UNROLL for (int q = 0; q < QUARTERS; q++) sum[r][q] =
                vfmaq_f32(sum[r][q], value, line[q]);
        }
    }
    size_t column = panel * PN_GEMM_PANEL;
    for (int r = 0; r < rows; r++)
        finish(g, g->c + (row + (size_t)r) * g->ldc + column, column, sum[r]);
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

void pn_gemm_init_neon(pn_kernels *k)
{
    k->gemm_f32 = gemm;
}

/*
 * gemm_portable.c - products with packed weights: the packing, the definition, and the loops of the vector levels
 *
 *     a [m][k]          packed: panel 0, panel 1, ...           c [m][n]
 *     row r  ------>    k x 16 floats, one after the other      rows r.., columns 16 panel..
 *
 * A tile keeps R x 16 (or R x 32) sums in registers and walks once through k: per step it loads one line of the panel
 * and broadcasts R values of a. There is no blocking of k: a tile's panels (16 x 3072 floats = 196 KB for the largest
 * layer of ViT-B) stay in the second-level cache while all rows pass by, and the sum of an element has one order,
 * whatever the number of rows. Rows are divided evenly (50 rows as 13 + 13 + 12 + 12, not 14 + 14 + 14 + 8), because a
 * thin tile waits for the panel.
 *
 * Bias and accumulation happen while a tile is written; the activation runs over the fresh columns while they are in
 * the first-level cache.
 */
#include "kernels/internal.h"

#include "base/endian.h"

static void pack_panel(float *packed, const float *w, size_t columns, size_t k, size_t n_stride,
                       size_t k_stride)
{
    if (columns < PN_GEMM_PANEL)
        memset(packed, 0, k * PN_GEMM_PANEL * sizeof *packed);
    if (n_stride == 1) { /* lines of the panel are contiguous in w */
        for (size_t p = 0; p < k; p++)
            memcpy(packed + p * PN_GEMM_PANEL, w + p * k_stride, columns * sizeof *w);
        return;
    }
    for (size_t j = 0; j < columns; j++)
        for (size_t p = 0; p < k; p++)
            packed[p * PN_GEMM_PANEL + j] = w[j * n_stride + p * k_stride];
}

static void pack(float *packed, const float *w, size_t n, size_t k, size_t n_stride,
                 size_t k_stride)
{
    for (size_t j = 0; j < n; j += PN_GEMM_PANEL)
        pack_panel(packed + j * k, w + j * n_stride, PN_MIN(n - j, (size_t)PN_GEMM_PANEL), k,
                   n_stride, k_stride);
}

/* W[column j of the panel][p] */
static float weight(const pn_gemm *g, size_t panel, size_t p, size_t j)
{
    size_t i = (panel * g->k + p) * PN_GEMM_PANEL + j;
    if (g->w.type == PN_PANEL_F32)
        return ((const float *)g->w.packed)[i];
    uint16_t narrow = pn_load_le16((const uint8_t *)g->w.packed + 2 * i);
    return g->w.type == PN_PANEL_F16 ? pn_f16_value(narrow) : pn_bf16_value(narrow);
}

static void row_times_panel(float *sums, const pn_gemm *g, size_t row, size_t panel)
{
    for (size_t j = 0; j < PN_GEMM_PANEL; j++)
        sums[j] = 0;
    for (size_t p = 0; p < g->k; p++)
        for (size_t j = 0; j < PN_GEMM_PANEL; j++)
            sums[j] += g->a[row * g->lda + p] * weight(g, panel, p, j);
}

static void gemm(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    for (size_t panel = panel_begin; panel < panel_end; panel++) {
        size_t column = panel * PN_GEMM_PANEL;
        size_t width = PN_MIN(g->n - column, (size_t)PN_GEMM_PANEL);
        for (size_t row = 0; row < g->m; row++) {
            float sums[PN_GEMM_PANEL];
            row_times_panel(sums, g, row, panel);
            float *c = g->c + row * g->ldc + column;
            for (size_t j = 0; j < width; j++) {
                float value = sums[j] + (g->bias ? g->bias[column + j] : 0);
                c[j] = g->accumulate ? c[j] + value : value;
            }
            if (g->activate)
                g->activate(c, width);
        }
    }
}

void pn_gemm_drive(const pn_gemm *g, size_t panel_begin, size_t panel_end,
                   const pn_gemm_tiles *tiles)
{
    pn_assert_hot(!(g->accumulate && g->activate));
    size_t n_blocks = g->m / tiles->max_rows + (g->m % tiles->max_rows != 0);
    size_t step;
    for (size_t panel = panel_begin; panel < panel_end; panel += step) {
        bool two = tiles->two && panel + 2 <= panel_end;
        const pn_gemm_tile *tile = two ? tiles->two : tiles->one;
        step = two ? 2 : 1;
        size_t row = 0;
        for (size_t block = 0; block < n_blocks; block++) {
            size_t rows = (g->m - row) / (n_blocks - block);
            tile[rows - 1](g, row, panel);
            row += rows;
        }
        if (g->activate) {
            size_t column = panel * PN_GEMM_PANEL;
            size_t width = PN_MIN(g->n - column, step * PN_GEMM_PANEL);
            for (row = 0; row < g->m; row++)
                g->activate(g->c + row * g->ldc + column, width);
        }
    }
}

void pn_gemm_init_portable(pn_kernels *k)
{
    k->gemm_pack = pack;
    k->gemm_f32 = gemm;
}

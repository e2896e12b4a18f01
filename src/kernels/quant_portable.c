/*
 * quant_portable.c - 8-bit rows and weights: the definition
 *
 *     a row      [least, largest] cut into 255 steps              u = nearest((x - least) * 255 / range)
 *     a column   [-largest, largest] cut into 254 steps           w = nearest(x * 127 / largest)
 *
 * Rows are asymmetric because half of them, behind a gelu, are: almost nothing below zero. Weights are symmetric, so
 * that a row's least value needs one number a column (the sum of its weights) to be put right, not a second product.
 *
 * The divisions are made once: every value is multiplied by the same factor on every level, so that rows and weights
 * are the same bytes everywhere.
 */
#include "kernels/internal.h"

#include <math.h>
#include <string.h>

static void quantise_u8(uint8_t *out, float *step, float *low, const float *in, size_t n)
{
    float least = n > 0 ? in[0] : 0, most = least;
    for (size_t i = 1; i < n; i++) {
        least = PN_MIN(least, in[i]);
        most = PN_MAX(most, in[i]);
    }
    float range = most - least, factor = pn_quant_factor(range);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)lrintf((in[i] - least) * factor);
    memset(out + n, 0, pn_gemm_i8_depth(n) - n);
    *step = range / 255.0f;
    *low = least;
}

static void pack_i8(int8_t *packed, float *scale, float *sums, const float *panel, size_t k)
{
    const size_t depth = pn_gemm_i8_depth(k);
    memset(packed, 0, depth * PN_GEMM_PANEL);
    for (size_t j = 0; j < PN_GEMM_PANEL; j++) {
        float most = 0;
        for (size_t p = 0; p < k; p++)
            most = PN_MAX(most, fabsf(panel[p * PN_GEMM_PANEL + j]));
        float factor = most > 0 ? 127.0f / most : 0;
        int32_t sum = 0;
        for (size_t p = 0; p < k; p++) {
            int8_t w = (int8_t)lrintf(panel[p * PN_GEMM_PANEL + j] * factor);
            packed[(p / PN_GEMM_I8_DEPTH * PN_GEMM_PANEL + j) * PN_GEMM_I8_DEPTH +
                   p % PN_GEMM_I8_DEPTH] = w;
            sum += w;
        }
        scale[j] = most / 127.0f;
        sums[j] = scale[j] * (float)sum;
    }
}

static int32_t integer_sum(const pn_gemm *g, size_t row, size_t column)
{
    const size_t depth = pn_gemm_i8_depth(g->k), panel = column / PN_GEMM_PANEL;
    const int8_t *w = (const int8_t *)g->w.packed + panel * PN_GEMM_PANEL * depth +
                      column % PN_GEMM_PANEL * PN_GEMM_I8_DEPTH;
    const uint8_t *u = g->a8.rows + row * g->a8.stride;
    int32_t sum = 0;
    for (size_t p = 0; p < depth; p++)
        sum += u[p] *
               w[p / PN_GEMM_I8_DEPTH * PN_GEMM_PANEL * PN_GEMM_I8_DEPTH + p % PN_GEMM_I8_DEPTH];
    return sum;
}

static void gemm_i8(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    const size_t first = panel_begin * PN_GEMM_PANEL;
    if (panel_begin >= panel_end) /* behind the last panel there is no column to count from */
        return;
    const size_t width = PN_MIN(g->n, panel_end * PN_GEMM_PANEL) - first;
    for (size_t row = 0; row < g->m; row++) {
        float *c = g->c + row * g->ldc + first;
        for (size_t j = 0; j < width; j++) {
            size_t column = first + j;
            float value =
                (float)integer_sum(g, row, column) * (g->a8.step[row] * g->w.scale[column]) +
                g->a8.low[row] * g->w.sums[column] + (g->bias ? g->bias[column] : 0);
            c[j] = g->accumulate ? c[j] + value : value;
        }
        if (g->activate)
            g->activate(c, width);
    }
}

void pn_quant_init_portable(pn_kernels *k)
{
    k->quantise_u8 = quantise_u8;
    k->gemm_pack_i8 = pack_i8;
    k->gemm_i8 = gemm_i8;
}

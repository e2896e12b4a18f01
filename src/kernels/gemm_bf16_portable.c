/*
 * gemm_bf16_portable.c - products of rows and weights that are both bf16: the definition
 *
 *     panel     line p: 16 columns, each with its weights of depths 2 p and 2 p + 1
 *     sum       += a[2 p + 1] w[2 p + 1], then += a[2 p] w[2 p], for p = 0, 1, 2, ...
 *
 * A product of two bf16 has 16 bits and is exact in f32, so the addition is the only rounding of a term. The second of a
 * pair comes first because vdpbf16ps has it so.
 */
#include "kernels/internal.h"

#include "base/endian.h"

enum { PAIR = 4, LINE = PN_GEMM_PANEL * PAIR }; /* bytes */

static void pack_bf16(void *packed, const float *panel, size_t k)
{
    uint8_t *at = packed;
    for (size_t p = 0; p < pn_gemm_bf16_depth(k); p += 2)
        for (size_t j = 0; j < PN_GEMM_PANEL; j++, at += PAIR) {
            const float *w = panel + p * PN_GEMM_PANEL + j;
            pn_store_le16(at, pn_bf16_of(w[0]));
            pn_store_le16(at + 2, p + 1 < k ? pn_bf16_of(w[PN_GEMM_PANEL]) : 0);
        }
}

static float load(const uint8_t *at)
{
    return pn_bf16_value(pn_load_le16(at));
}

static float dot(const pn_gemm *g, size_t row, size_t column)
{
    const size_t depth = pn_gemm_bf16_depth(g->k), panel = column / PN_GEMM_PANEL;
    const uint8_t *a = (const uint8_t *)g->a16.rows + row * g->a16.stride * 2;
    const uint8_t *w = (const uint8_t *)g->w.packed + panel * PN_GEMM_PANEL * depth * 2 +
                       column % PN_GEMM_PANEL * PAIR;
    float sum = 0;
    for (size_t p = 0; p < depth; p += 2, a += PAIR, w += LINE) {
        sum += load(a + 2) * load(w + 2);
        sum += load(a) * load(w);
    }
    return sum;
}

static void gemm_bf16(const pn_gemm *g, size_t panel_begin, size_t panel_end)
{
    const size_t first = panel_begin * PN_GEMM_PANEL, end = PN_MIN(g->n, panel_end * PN_GEMM_PANEL);
    for (size_t row = 0; row < g->m && first < end; row++) {
        float *c = g->c + row * g->ldc;
        for (size_t column = first; column < end; column++) {
            float value = dot(g, row, column) + (g->bias ? g->bias[column] : 0);
            c[column] = g->accumulate ? c[column] + value : value;
        }
        if (g->activate)
            g->activate(c + first, end - first);
    }
}

void pn_gemm_bf16_init_portable(pn_kernels *k)
{
    k->gemm_pack_bf16 = pack_bf16;
    k->gemm_bf16 = gemm_bf16;
}

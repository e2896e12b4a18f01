/*
 * weight_panels.c - from tensors to the panels that the kernels like
 *
 *     tensor [n][k], f32 | f16 | bf16          16 rows at a time, by the pool's threads
 *       |  widen 16 rows to f32                exact
 *       |  turn them into one panel            kernels.h: [k][16]
 *       |  hash and check the panel            while it is in the cache
 *       v  store it as f32, in 16 bits, or in 8
 *     packed [panels]
 *
 * A stored-transposed projection ([k][n]) is already in panel order: each line of a panel is 16 neighbours of one row.
 * OpenAI's in_proj is three matrices in one tensor; each is packed on its own, padded to whole panels, exactly as
 * three tensors of the Hugging Face layout are. Since the hash runs over panels of f32 values, all layouts of one model
 * have the same one, at every precision.
 *
 * A value that is not finite makes every embedding NaN, so it is looked for here, where the tensor's name is known:
 * the dot product of a panel with itself is finite exactly when (for any sane weights) all values are.
 *
 * Eight bits, and the norm before them. A row of x^ = (x - mean) / deviation times gamma, plus beta, goes into W. Channels
 * differ: gamma is large for a few, and the step of a row's 255 is set by its largest value. So beta moves into the bias,
 * and gamma into the weights, but for a part t that balances the two sides:
 *
 *     W (gamma x^ + beta) + b  =  (W gamma / t) (t x^)  +  (b + W beta)        t_p = sqrt(max_j |W_jp gamma_p|), mean 1
 *
 * which is exact before rounding, needs no example pictures, and costs nothing afterwards: the norm multiplies by t where it
 * multiplied by gamma. The square root is the even split of Xiao et al. 2023 (SmoothQuant, alpha = 1/2).
 *
 * In bf16 the blocks' products have rows of bf16, too. Where the processor multiplies such pairs, panels hold pairs; elsewhere
 * they are the BF16 ones, and the rows are rounded to bf16 values: the same factors, summed in another order.
 */
#include "clip/weight_loader.h"

#include "base/alloc.h"

#include <math.h>
#include <stdatomic.h>

typedef struct packing {
    pn_weight_loader *l;
    const pn_matrix *m;
    size_t panels_each, panels;
    pn_panel_type type;
    uint8_t *packed;
    float *scale, *sums;      /* I8 */
    float *largest;           /* [threads][k], while balancing */
    float *multiplier;        /* [k]: gamma / t */
    uint64_t *hashes;         /* [panels] */
    _Atomic size_t bad_panel; /* one that is not finite; SIZE_MAX: none */
} packing;

static const float LEAST_BALANCE = 1e-2f, MOST_BALANCE = 1e2f;

pn_panel_type pn_panel_type_of(pn_clip_precision precision, pn_dtype dtype, bool in_block)
{
    if (precision == PN_CLIP_INT8 && in_block)
        return PN_PANEL_I8;
    if (precision == PN_CLIP_F32)
        return PN_PANEL_F32;
    if (precision == PN_CLIP_F16)
        return PN_PANEL_F16;
    if (precision == PN_CLIP_BF16)
        return in_block && pn_kernels_get()->bf16_is_fast ? PN_PANEL_BF16_PAIRS : PN_PANEL_BF16;
    return dtype == PN_DTYPE_F16    ? PN_PANEL_F16
           : dtype == PN_DTYPE_BF16 ? PN_PANEL_BF16
                                    : PN_PANEL_F32;
}

static size_t panel_bytes(pn_panel_type type, size_t k)
{
    if (type == PN_PANEL_I8)
        return PN_GEMM_PANEL * pn_gemm_i8_depth(k);
    if (type == PN_PANEL_BF16_PAIRS)
        return PN_GEMM_PANEL * pn_gemm_bf16_depth(k) * 2;
    return PN_GEMM_PANEL * k * (type == PN_PANEL_F32 ? 4 : 2);
}

static float *scratch_of(const packing *p, unsigned worker, size_t i)
{
    return p->l->scratch + (2 * (size_t)worker + i) * p->l->scratch_floats;
}

/* Panel i as f32. */
static void make_panel(const packing *p, size_t i, unsigned worker, float *out)
{
    const pn_matrix *m = p->m;
    const pn_matrix_source *from = &m->sources[i / p->panels_each];
    size_t row = i % p->panels_each * PN_GEMM_PANEL;
    size_t rows = PN_MIN(m->rows - row, (size_t)PN_GEMM_PANEL);
    if (m->transposed) {
        memset(out, 0, PN_GEMM_PANEL * m->k * sizeof *out);
        for (size_t q = 0; q < m->k; q++)
            pn_tensor_widen(from->tensor, q * m->rows + row, rows, out + q * PN_GEMM_PANEL);
        return;
    }
    if (m->values) {
        p->l->kernels->gemm_pack(out, m->values + row * m->k, rows, m->k, m->k, 1);
        return;
    }
    float *wide = scratch_of(p, worker, 0);
    pn_tensor_widen(from->tensor, (from->first_row + row) * m->k, rows * m->k, wide);
    p->l->kernels->gemm_pack(out, wide, rows, m->k, m->k, 1);
}

/* ---- balancing with the norm before */

static void find_largest(void *context, size_t i, unsigned worker)
{
    const packing *p = context;
    float *panel = scratch_of(p, worker, 1), *largest = p->largest + worker * p->m->k;
    make_panel(p, i, worker, panel);
    for (size_t q = 0; q < p->m->k; q++)
        for (size_t j = 0; j < PN_GEMM_PANEL; j++)
            largest[q] = PN_MAX(largest[q], fabsf(panel[q * PN_GEMM_PANEL + j]));
}

static void set_balance(const packing *p, size_t threads)
{
    const pn_matrix *m = p->m;
    double sum = 0;
    for (size_t q = 0; q < m->k; q++) {
        float most = 0;
        for (size_t t = 0; t < threads; t++)
            most = PN_MAX(most, p->largest[t * m->k + q]);
        m->balance[q] = sqrtf(most * fabsf(m->gamma[q]));
        sum += (double)m->balance[q];
    }
    float mean = (float)(sum / (double)m->k);
    for (size_t q = 0; q < m->k; q++) {
        float t = mean > 0 ? m->balance[q] / mean : 1;
        m->balance[q] = PN_MIN(PN_MAX(t, LEAST_BALANCE), MOST_BALANCE);
        p->multiplier[q] = m->gamma[q] / m->balance[q];
    }
}

static pn_status balance(packing *p)
{
    size_t threads = pn_pool_threads(p->l->pool);
    p->multiplier = pn_alloc_array(p->m->k, sizeof *p->multiplier);
    p->largest = pn_alloc_zero(threads * p->m->k * sizeof *p->largest);
    if (!p->multiplier || !p->largest)
        return pn_fail_nomem(p->l->err);
    pn_pool_for(p->l->pool, p->panels, find_largest, p);
    set_balance(p, threads);
    return PN_OK;
}

/* The panel takes gamma / t, the bias takes W beta. */
static void fold(const packing *p, size_t i, float *panel)
{
    const pn_matrix *m = p->m;
    float *bias = m->folded_bias + i * PN_GEMM_PANEL;
    memset(bias, 0, PN_GEMM_PANEL * sizeof *bias);
    for (size_t q = 0; q < m->k; q++)
        for (size_t j = 0; j < PN_GEMM_PANEL; j++) {
            float *w = panel + q * PN_GEMM_PANEL + j;
            bias[j] += *w * m->beta[q];
            *w *= p->multiplier[q];
        }
}

/* ---- storing */

static void store_panel(const packing *p, size_t i, const float *panel)
{
    const pn_kernels *kernels = p->l->kernels;
    uint8_t *out = p->packed + i * panel_bytes(p->type, p->m->k);
    size_t n = PN_GEMM_PANEL * p->m->k, column = i * PN_GEMM_PANEL;
    switch (p->type) {
    case PN_PANEL_F32:
        memcpy(out, panel, n * sizeof *panel);
        break;
    case PN_PANEL_F16:
        kernels->f32_to_f16(out, panel, n);
        break;
    case PN_PANEL_BF16:
        kernels->f32_to_bf16(out, panel, n);
        break;
    case PN_PANEL_I8:
        kernels->gemm_pack_i8((int8_t *)out, p->scale + column, p->sums + column, panel, p->m->k);
        break;
    case PN_PANEL_BF16_PAIRS:
        kernels->gemm_pack_bf16(out, panel, p->m->k);
        break;
    }
}

static void pack_panel(void *context, size_t i, unsigned worker)
{
    packing *p = context;
    size_t n = PN_GEMM_PANEL * p->m->k;
    float *panel = scratch_of(p, worker, 1);
    make_panel(p, i, worker, panel);
    p->hashes[i] = pn_hash64(panel, n * sizeof *panel);
    if (!isfinite(p->l->kernels->dot_f32(panel, panel, n)))
        atomic_store(&p->bad_panel, i);
    if (p->multiplier)
        fold(p, i, panel);
    store_panel(p, i, panel);
}

static pn_status fill(packing *p)
{
    pn_weight_loader *l = p->l;
    p->hashes = pn_alloc_array(p->panels, sizeof *p->hashes);
    if (!p->hashes)
        return pn_fail_nomem(l->err);
    if (p->m->gamma && p->type == PN_PANEL_I8)
        PN_TRY(balance(p));
    pn_pool_for(l->pool, p->panels, pack_panel, p);
    pn_hasher_update(l->hasher, p->hashes, p->panels * sizeof *p->hashes);
    size_t bad = atomic_load(&p->bad_panel);
    if (bad != SIZE_MAX)
        return pn_loader_not_finite(l, p->m->sources[bad / p->panels_each].tensor->name);
    return PN_OK;
}

static pn_status take_pieces(packing *p)
{
    pn_weight_loader *l = p->l;
    size_t bytes;
    void *packed = NULL;
    if (!pn_size_mul(p->panels, panel_bytes(p->type, p->m->k), &bytes))
        return pn_fail_nomem(l->err);
    PN_TRY(pn_weight_store_take(&l->w->store, bytes, &packed, l->err));
    p->packed = packed;
    if (p->type != PN_PANEL_I8)
        return PN_OK;
    PN_TRY(pn_loader_floats(l, p->panels * PN_GEMM_PANEL, &p->scale));
    return pn_loader_floats(l, p->panels * PN_GEMM_PANEL, &p->sums);
}

static pn_panel_type type_of(const pn_weight_loader *l, const pn_matrix *m)
{
    pn_dtype dtype = m->values ? PN_DTYPE_F32 : m->sources[0].tensor->dtype;
    for (size_t i = 1; i < m->n_sources; i++)
        if (m->sources[i].tensor->dtype != dtype)
            dtype = PN_DTYPE_F32; // which holds them all
    return pn_panel_type_of(l->precision, dtype, m->in_block);
}

pn_status pn_matrix_pack(pn_weight_loader *loader, const pn_matrix *matrix, pn_linear *out)
{
    packing p = {.l = loader,
                 .m = matrix,
                 .panels_each = pn_gemm_panels(matrix->rows),
                 .type = type_of(loader, matrix)};
    p.panels = p.panels_each * matrix->n_sources;
    atomic_init(&p.bad_panel, SIZE_MAX);
    PN_TRY(take_pieces(&p));
    pn_status status = pn_loader_fills(loader) ? fill(&p) : PN_OK;
    pn_free(p.hashes);
    pn_free(p.largest);
    pn_free(p.multiplier);
    PN_TRY(status);
    out->w = (pn_panels){.packed = p.packed, .scale = p.scale, .sums = p.sums, .type = p.type};
    out->rounds_rows =
        matrix->in_block && loader->precision == PN_CLIP_BF16 && p.type == PN_PANEL_BF16;
    out->k = matrix->k;
    out->n = matrix->n_sources == 1 ? matrix->rows : p.panels * PN_GEMM_PANEL;
    return PN_OK;
}

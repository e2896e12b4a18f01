/*
 * weight_block.c - one transformer block, or a pooling head, from its tensors
 *
 * In 8 bits the norm before a product is folded into it (weight_panels.c), so the two are loaded together.
 *
 * A pruned encoder (TinyCLIP's) has lost heads and hidden values here and there: how many are left in a block, no configuration says,
 * but the shapes of its two last products do. What else the block has must then have the same sizes.
 */
#include "clip/weight_loader.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef pn_weight_loader loader;

/* ---- products and the norms before them */

/* A norm that the next product takes up: in 8 bits it is folded into that product. */
typedef struct folded_norm {
    pn_matrix *matrix; /* gets gamma, beta, balance and folded_bias */
    float *memory;
} folded_norm;

static pn_status load_folded_norm(loader *l, const char *stem, size_t width, size_t panels,
                                  folded_norm *f, pn_norm *out)
{
    char name[PN_TENSOR_NAME_BYTES];
    const uint64_t dims[] = {width};
    const pn_tensor *gamma = NULL, *beta = NULL;
    float *balance = NULL, *zeros = NULL;
    pn_loader_join(name, stem, ".weight", "");
    PN_TRY(pn_loader_find(l, name, dims, 1, &gamma));
    pn_loader_join(name, stem, ".bias", "");
    PN_TRY(pn_loader_find(l, name, dims, 1, &beta));
    PN_TRY(pn_loader_floats(l, width, &balance));
    PN_TRY(pn_loader_floats(l, width, &zeros));
    *out = (pn_norm){.weight = balance, .bias = zeros};
    if (!pn_loader_fills(l))
        return PN_OK;
    f->memory = pn_alloc_array(2 * width + panels * PN_GEMM_PANEL, sizeof *f->memory);
    if (!f->memory)
        return pn_fail_nomem(l->err);
    PN_TRY(pn_loader_take_values(l, gamma, 0, width, f->memory));
    PN_TRY(pn_loader_take_values(l, beta, 0, width, f->memory + width));
    memset(zeros, 0, width * sizeof *zeros);
    f->matrix->gamma = f->memory;
    f->matrix->beta = f->memory + width;
    f->matrix->folded_bias = f->memory + 2 * width;
    f->matrix->balance = balance;
    return PN_OK;
}

/* The norm called stem, before the product that *f is about. */
static pn_status load_norm_before(loader *l, const char *stem, const pn_encoder_config *c,
                                  size_t panels, folded_norm *f, pn_norm *out)
{
    bool folded = f->matrix->in_block && l->precision == PN_CLIP_INT8 && !c->post_norm;
    return folded ? load_folded_norm(l, stem, c->width, panels, f, out)
                  : pn_loader_norm(l, stem, c->width, out);
}

/* What beta became, onto the bias [n]. */
static void add_folded_bias(const pn_matrix *m, size_t n, float *bias)
{
    if (m->folded_bias)
        for (size_t i = 0; i < n; i++)
            bias[i] += m->folded_bias[i];
}

static pn_status load_bias(loader *l, const char *stem, const pn_matrix *m, size_t n,
                           pn_linear *out)
{
    PN_TRY(pn_loader_vector(l, stem, ".bias", n, &out->bias));
    if (pn_loader_fills(l))
        add_folded_bias(m, n, (float *)(uintptr_t)out->bias);
    return PN_OK;
}

static pn_status load_linear(loader *l, const char *stem, pn_matrix *m, pn_linear *out)
{
    char name[PN_TENSOR_NAME_BYTES];
    const uint64_t dims[] = {m->rows, m->k};
    m->n_sources = 1;
    pn_loader_join(name, stem, ".weight", "");
    PN_TRY(pn_loader_find(l, name, dims, 2, &m->sources[0].tensor));
    PN_TRY(pn_matrix_pack(l, m, out));
    return load_bias(l, stem, m, m->rows, out);
}

static pn_status load_plain(loader *l, const char *stem, size_t n, size_t k, bool in_block,
                            pn_linear *out)
{
    pn_matrix m = {.rows = n, .k = k, .in_block = in_block};
    return load_linear(l, stem, &m, out);
}

/* q, k, v: the weights of three tensors, or rows of one or two; their biases alike. */
static pn_status find_qkv(loader *l, const pn_qkv_name names[3], const char *block,
                          const pn_matrix *m, pn_matrix_source weights[3],
                          pn_matrix_source biases[3])
{
    char name[PN_TENSOR_NAME_BYTES];
    for (size_t i = 0; i < 3; i++) {
        const uint64_t dims[] = {names[i].pieces * m->rows, m->k};
        pn_loader_join(name, block, names[i].weight, "");
        PN_TRY(pn_loader_find(l, name, dims, 2, &weights[i].tensor));
        pn_loader_join(name, block, names[i].bias, "");
        PN_TRY(pn_loader_find(l, name, dims, 1, &biases[i].tensor));
        weights[i].first_row = biases[i].first_row = names[i].piece * m->rows;
    }
    return PN_OK;
}

static pn_status load_qkv_bias(loader *l, const pn_matrix *m, const pn_matrix_source biases[3],
                               pn_linear *out)
{
    const size_t stride = pn_qkv_stride(m->rows);
    float *bias = NULL;
    PN_TRY(pn_loader_floats(l, 3 * stride, &bias));
    out->bias = bias;
    if (!pn_loader_fills(l))
        return PN_OK;
    memset(bias, 0, 3 * stride * sizeof *bias);
    for (size_t i = 0; i < 3; i++)
        PN_TRY(pn_loader_take_values(l, biases[i].tensor, biases[i].first_row, m->rows,
                                     bias + i * stride));
    add_folded_bias(m, 3 * stride, bias);
    return PN_OK;
}

/* A part of a model: which names it has, where, and whether it is a block or a head. */
typedef struct place {
    const pn_block_names *names;
    const char *block; /* the folder, written out */
    const pn_encoder_config *config;
    bool in_block;
} place;

/* norm1, if there is one, and the product behind it. */
static pn_status load_qkv(loader *l, const place *p, pn_block *out)
{
    pn_matrix m = {
        .n_sources = 3, .rows = out->attention, .k = p->config->width, .in_block = p->in_block};
    pn_matrix_source biases[3] = {0};
    folded_norm f = {.matrix = &m};
    char stem[PN_TENSOR_NAME_BYTES];
    pn_status status = PN_OK;
    if (p->names->norm1) {
        pn_loader_join(stem, p->block, p->names->norm1, "");
        status = load_norm_before(l, stem, p->config, 3 * pn_gemm_panels(m.rows), &f, &out->norm1);
    }
    if (status == PN_OK)
        status = find_qkv(l, p->names->qkv, p->block, &m, m.sources, biases);
    if (status == PN_OK)
        status = pn_matrix_pack(l, &m, &out->qkv);
    if (status == PN_OK)
        status = load_qkv_bias(l, &m, biases, &out->qkv);
    pn_free(f.memory);
    return status;
}

/* norm2 and the product behind it, of so many rows. */
static pn_status load_fc1(loader *l, const place *p, size_t mlp, pn_block *out)
{
    const pn_encoder_config *c = p->config;
    pn_matrix m = {.rows = mlp, .k = c->width, .in_block = p->in_block};
    folded_norm f = {.matrix = &m};
    char stem[PN_TENSOR_NAME_BYTES];
    pn_loader_join(stem, p->block, p->names->norm2, "");
    pn_status status = load_norm_before(l, stem, c, pn_gemm_panels(mlp), &f, &out->norm2);
    pn_loader_join(stem, p->block, p->names->fc1, "");
    if (status == PN_OK)
        status = load_linear(l, stem, &m, &out->fc1);
    pn_free(f.memory);
    return status;
}

/* Values that the product called stem reads: as its shape says, when that is `most` or some steps less. Any other shape is left
 * to the walk, which names it. */
static size_t inner_width(const loader *l, const char *block, const char *stem, size_t step,
                          size_t most)
{
    char name[PN_TENSOR_NAME_BYTES];
    pn_loader_join(name, block, stem, ".weight");
    const pn_tensor *t = pn_safetensors_find(l->tensors, name);
    bool pruned =
        t && t->n_dims == 2 && t->dims[1] > 0 && t->dims[1] < most && t->dims[1] % step == 0;
    return pruned ? (size_t)t->dims[1] : most;
}

static pn_status load_place(loader *l, const place *p, pn_block *out)
{
    const pn_encoder_config *c = p->config;
    char stem[PN_TENSOR_NAME_BYTES];
    out->attention = inner_width(l, p->block, p->names->out, c->head_width, pn_attention_width(c));
    out->heads = out->attention / c->head_width;
    const size_t mlp = inner_width(l, p->block, p->names->fc2, 1, c->mlp);
    PN_TRY(load_qkv(l, p, out));
    pn_loader_join(stem, p->block, p->names->out, "");
    PN_TRY(load_plain(l, stem, c->width, out->attention, p->in_block, &out->out));
    PN_TRY(load_fc1(l, p, mlp, out));
    pn_loader_join(stem, p->block, p->names->fc2, "");
    return load_plain(l, stem, c->width, mlp, p->in_block, &out->fc2);
}

/* "encoder.layers.#." with the number in the place of '#'. */
static void block_folder(const char *pattern, uint32_t number, char out[PN_TENSOR_NAME_BYTES])
{
    int head = (int)strcspn(pattern, "#");
    (void)snprintf(out, PN_TENSOR_NAME_BYTES, "%.*s%" PRIu32 "%s", head, pattern, number,
                   pattern + head + 1);
}

pn_status pn_loader_blocks(loader *l, bool is_text, pn_block **out)
{
    const pn_tensor_names *names = l->names;
    const pn_encoder_config *c = is_text ? &l->config->text : &l->config->vision;
    const pn_block_names *block_names = is_text ? names->text_block : names->vision_block;
    pn_block *blocks = *out ? *out : PN_ARENA_NEW(&l->w->arena, pn_block, c->layers);
    if (!blocks)
        return pn_fail_nomem(l->err);
    *out = blocks; /* the second walk fills the same ones */
    for (uint32_t i = 0; i < c->layers; i++) {
        char folder[PN_TENSOR_NAME_BYTES], block[PN_TENSOR_NAME_BYTES];
        block_folder(block_names->folder, i, folder);
        pn_loader_name(l, is_text, is_text ? names->text : names->vision, folder, block);
        const place p = {block_names, block, c, true};
        PN_TRY(load_place(l, &p, &blocks[i]));
    }
    return PN_OK;
}

/* The probe's query never changes: it is computed here. */
static pn_status load_probe(loader *l, const char *block, float *query)
{
    const size_t width = l->config->vision.width;
    const pn_qkv_name *q = &l->names->head->qkv[0];
    const uint64_t dims[] = {1, 1, width}, wide[] = {q->pieces * width, width};
    const pn_tensor *probe = NULL, *weight = NULL, *bias = NULL;
    char name[PN_TENSOR_NAME_BYTES];
    pn_loader_name(l, false, l->names->vision, l->names->probe, name);
    PN_TRY(pn_loader_find(l, name, dims, 3, &probe));
    pn_loader_join(name, block, q->weight, "");
    PN_TRY(pn_loader_find(l, name, wide, 2, &weight));
    pn_loader_join(name, block, q->bias, "");
    PN_TRY(pn_loader_find(l, name, wide, 1, &bias));
    if (!pn_loader_fills(l))
        return PN_OK;
    float *values = l->scratch, *row = values + width; /* of the first worker: 32 rows */
    PN_TRY(pn_loader_take_values(l, probe, 0, width, values));
    pn_tensor_widen(bias, q->piece * width, width, query);
    for (size_t j = 0; j < width; j++) {
        pn_tensor_widen(weight, (q->piece * width + j) * width, width, row);
        query[j] += l->kernels->dot_f32(values, row, width);
    }
    return PN_OK;
}

pn_status pn_loader_head(loader *l, pn_block *out, const float **probe_query)
{
    char block[PN_TENSOR_NAME_BYTES];
    float *query = NULL;
    pn_loader_name(l, false, l->names->vision, l->names->head->folder, block);
    const place p = {l->names->head, block, &l->config->vision, false};
    PN_TRY(load_place(l, &p, out));
    PN_TRY(pn_loader_floats(l, l->config->vision.width, &query));
    *probe_query = query;
    return load_probe(l, block, query);
}

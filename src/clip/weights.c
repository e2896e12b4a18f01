/*
 * weights.c - the walk over a model's tensors, by name
 *
 * The parts of the two encoders are visited in one fixed order. Each tensor is looked up under the name its layout gives
 * it, its shape is compared with the configuration, and it takes its piece of the store: vectors and tables as f32,
 * matrices as panels (weight_panels.c). weight_store.h says why the walk is made twice, or once over a file of before.
 *
 * Every tensor that was used is ticked off. What is left over is ignored (position ids, OpenAI's three scalars), unless
 * it is inside a transformer block: then the model computes something that we do not.
 */
#include "clip/weights.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "clip/weight_loader.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 256, ALIGNMENT = 64 };

typedef pn_weight_loader loader;

void pn_tensor_widen(const pn_tensor *t, size_t first, size_t n, float *out)
{
    const pn_kernels *k = pn_kernels_get();
    pn_assert(first <= t->n_values && n <= t->n_values - first);
    if (t->dtype == PN_DTYPE_F16)
        k->f16_to_f32(out, t->data + 2 * first, n);
    else if (t->dtype == PN_DTYPE_BF16)
        k->bf16_to_f32(out, t->data + 2 * first, n);
    else if (n > 0)
        memcpy(out, t->data + 4 * first, n * sizeof *out);
}

/* ---- finding a tensor */

/* a + b + c. All pieces are the house's own, so the room is always enough. */
static void join(char out[NAME_BYTES], const char *a, const char *b, const char *c)
{
    int n = snprintf(out, NAME_BYTES, "%s%s%s", a, b, c);
    pn_assert(n >= 0 && n < NAME_BYTES);
}

/* prefix + naming's text part (for the text encoder) + part + name */
static void full_name(const loader *l, bool is_text, const char *part, const char *name,
                      char out[NAME_BYTES])
{
    int n = snprintf(out, NAME_BYTES, "%s%s%s%s", l->naming->prefix, is_text ? l->naming->text : "",
                     part, name);
    pn_assert(n > 0 && n < NAME_BYTES);
}

static pn_status find(loader *l, const char *name, const uint64_t *dims, uint32_t n_dims,
                      const pn_tensor **out)
{
    const pn_tensor *t = pn_safetensors_find(l->tensors, name);
    if (!t)
        return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s is missing", name);
    if (t->dtype != PN_DTYPE_F32 && t->dtype != PN_DTYPE_F16 && t->dtype != PN_DTYPE_BF16)
        return pn_fail(l->err, PN_ERR_UNSUPPORTED, "tensor %s: %s weights", name, t->dtype_name);
    if (t->n_dims != n_dims || memcmp(t->dims, dims, n_dims * sizeof *dims) != 0) {
        char found[PN_SHAPE_TEXT_BYTES], wanted[PN_SHAPE_TEXT_BYTES];
        pn_shape_text(t->dims, t->n_dims, found);
        pn_shape_text(dims, n_dims, wanted);
        return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s: shape %s, the configuration says %s",
                       name, found, wanted);
    }
    size_t i = (size_t)(t - pn_safetensors_at(l->tensors, 0));
    if (!l->used[i])
        l->w->n_parameters += t->n_values;
    l->used[i] = true;
    *out = t;
    return PN_OK;
}

pn_status pn_loader_floats(loader *l, size_t n, float **out)
{
    size_t bytes;
    void *piece = NULL;
    if (!pn_size_mul(n, sizeof **out, &bytes))
        return pn_fail_nomem(l->err);
    PN_TRY(pn_weight_store_take(&l->w->store, bytes, &piece, l->err));
    *out = piece;
    return PN_OK;
}

pn_status pn_loader_not_finite(loader *l, const char *name)
{
    return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s: not all values are finite", name);
}

/* ---- vectors and tables */

/* n values of t from first on, behind each other at out. */
static pn_status take_values(loader *l, const pn_tensor *t, size_t first, size_t n, float *out)
{
    pn_tensor_widen(t, first, n, out);
    pn_hasher_update(l->hasher, out, n * sizeof *out);
    return isfinite(l->kernels->dot_f32(out, out, n)) ? PN_OK : pn_loader_not_finite(l, t->name);
}

static pn_status load_values(loader *l, const char *name, const uint64_t *dims, uint32_t n_dims,
                             const float **out)
{
    const pn_tensor *t = NULL;
    float *values = NULL;
    PN_TRY(find(l, name, dims, n_dims, &t));
    pn_assert(t);
    PN_TRY(pn_loader_floats(l, t->n_values, &values));
    if (pn_loader_fills(l))
        PN_TRY(take_values(l, t, 0, t->n_values, values));
    *out = values;
    return PN_OK;
}

static pn_status load_vector(loader *l, const char *stem, const char *ending, size_t n,
                             const float **out)
{
    char name[NAME_BYTES];
    join(name, stem, ending, "");
    const uint64_t dims[] = {n};
    return load_values(l, name, dims, 1, out);
}

static pn_status load_norm(loader *l, const char *stem, size_t width, pn_norm *out)
{
    PN_TRY(load_vector(l, stem, ".weight", width, &out->weight));
    return load_vector(l, stem, ".bias", width, &out->bias);
}

/* ---- matrices */

/* A norm that the next product takes up: in 8 bits it is folded into that product. */
typedef struct folded_norm {
    pn_matrix *matrix; /* gets gamma, beta, balance and folded_bias */
    float *memory;
} folded_norm;

static pn_status load_folded_norm(loader *l, const char *stem, size_t width, size_t panels,
                                  folded_norm *f, pn_norm *out)
{
    char name[NAME_BYTES];
    const uint64_t dims[] = {width};
    const pn_tensor *gamma = NULL, *beta = NULL;
    float *balance = NULL, *zeros = NULL;
    join(name, stem, ".weight", "");
    PN_TRY(find(l, name, dims, 1, &gamma));
    join(name, stem, ".bias", "");
    PN_TRY(find(l, name, dims, 1, &beta));
    PN_TRY(pn_loader_floats(l, width, &balance));
    PN_TRY(pn_loader_floats(l, width, &zeros));
    *out = (pn_norm){.weight = balance, .bias = zeros};
    if (!pn_loader_fills(l))
        return PN_OK;
    f->memory = pn_alloc_array(2 * width + panels * PN_GEMM_PANEL, sizeof *f->memory);
    if (!f->memory)
        return pn_fail_nomem(l->err);
    PN_TRY(take_values(l, gamma, 0, width, f->memory));
    PN_TRY(take_values(l, beta, 0, width, f->memory + width));
    memset(zeros, 0, width * sizeof *zeros);
    f->matrix->gamma = f->memory;
    f->matrix->beta = f->memory + width;
    f->matrix->folded_bias = f->memory + 2 * width;
    f->matrix->balance = balance;
    return PN_OK;
}

static bool is_folded(const loader *l)
{
    return l->precision == PN_CLIP_INT8;
}

static pn_status load_norm_before(loader *l, const char *stem, size_t width, size_t panels,
                                  folded_norm *f, pn_norm *out)
{
    return is_folded(l) ? load_folded_norm(l, stem, width, panels, f, out)
                        : load_norm(l, stem, width, out);
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
    PN_TRY(load_vector(l, stem, ".bias", n, &out->bias));
    if (pn_loader_fills(l))
        add_folded_bias(m, n, (float *)(uintptr_t)out->bias);
    return PN_OK;
}

static pn_status load_linear(loader *l, const char *stem, pn_matrix *m, pn_linear *out)
{
    char name[NAME_BYTES];
    const uint64_t dims[] = {m->rows, m->k};
    m->n_sources = 1;
    join(name, stem, ".weight", "");
    PN_TRY(find(l, name, dims, 2, &m->sources[0].tensor));
    PN_TRY(pn_matrix_pack(l, m, out));
    return load_bias(l, stem, m, m->rows, out);
}

static pn_status load_block_linear(loader *l, const char *stem, size_t n, size_t k, pn_linear *out)
{
    pn_matrix m = {.rows = n, .k = k, .in_block = true};
    return load_linear(l, stem, &m, out);
}

static pn_status load_projection(loader *l, const char *name, size_t k, pn_linear *out)
{
    bool transposed = l->names->projections_transposed;
    uint64_t dims[] = {l->w->dim, k};
    if (transposed) {
        dims[0] = k;
        dims[1] = l->w->dim;
    }
    pn_matrix m = {.n_sources = 1, .rows = l->w->dim, .k = k, .transposed = transposed};
    PN_TRY(find(l, name, dims, 2, &m.sources[0].tensor));
    return pn_matrix_pack(l, &m, out);
}

/* q, k, v: the weights of three tensors, or of the three thirds of one; their biases alike. */
static pn_status find_qkv(loader *l, const char *block, size_t width, pn_matrix_source weights[3],
                          pn_matrix_source biases[3])
{
    const pn_block_names *names = &l->names->block;
    const char *const stems[] = {names->q, names->k, names->v};
    char name[NAME_BYTES];
    for (size_t i = 0; i < 3; i++) {
        bool own = stems[i] != NULL;
        const uint64_t dims[] = {own ? width : 3 * width, width};
        join(name, block, own ? stems[i] : names->qkv_weight, own ? ".weight" : "");
        PN_TRY(find(l, name, dims, 2, &weights[i].tensor));
        join(name, block, own ? stems[i] : names->qkv_bias, own ? ".bias" : "");
        PN_TRY(find(l, name, dims, 1, &biases[i].tensor));
        weights[i].first_row = biases[i].first_row = own ? 0 : i * width;
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
        PN_TRY(take_values(l, biases[i].tensor, biases[i].first_row, m->rows, bias + i * stride));
    add_folded_bias(m, 3 * stride, bias);
    return PN_OK;
}

/* norm1 and the product behind it. */
static pn_status load_qkv(loader *l, const char *block, size_t width, pn_block *out)
{
    pn_matrix m = {.n_sources = 3, .rows = width, .k = width, .in_block = true};
    pn_matrix_source biases[3] = {0};
    folded_norm f = {.matrix = &m};
    char stem[NAME_BYTES];
    join(stem, block, l->names->block.norm1, "");
    pn_status status = load_norm_before(l, stem, width, 3 * pn_gemm_panels(width), &f, &out->norm1);
    if (status == PN_OK)
        status = find_qkv(l, block, width, m.sources, biases);
    if (status == PN_OK)
        status = pn_matrix_pack(l, &m, &out->qkv);
    if (status == PN_OK)
        status = load_qkv_bias(l, &m, biases, &out->qkv);
    pn_free(f.memory);
    return status;
}

/* norm2 and the product behind it. */
static pn_status load_fc1(loader *l, const char *block, const pn_encoder_config *c, pn_block *out)
{
    pn_matrix m = {.rows = c->mlp, .k = c->width, .in_block = true};
    folded_norm f = {.matrix = &m};
    char stem[NAME_BYTES];
    join(stem, block, l->names->block.norm2, "");
    pn_status status = load_norm_before(l, stem, c->width, pn_gemm_panels(c->mlp), &f, &out->norm2);
    join(stem, block, l->names->block.fc1, "");
    if (status == PN_OK)
        status = load_linear(l, stem, &m, &out->fc1);
    pn_free(f.memory);
    return status;
}

/* ---- the encoders */

/* "encoder.layers.#." with the number in the place of '#'. */
static void block_folder(const char *pattern, uint32_t number, char out[NAME_BYTES])
{
    int head = (int)strcspn(pattern, "#");
    (void)snprintf(out, NAME_BYTES, "%.*s%" PRIu32 "%s", head, pattern, number, pattern + head + 1);
}

static pn_status load_block(loader *l, const char *block, const pn_encoder_config *c, pn_block *out)
{
    const pn_block_names *names = &l->names->block;
    char stem[NAME_BYTES];
    PN_TRY(load_qkv(l, block, c->width, out));
    join(stem, block, names->out, "");
    PN_TRY(load_block_linear(l, stem, c->width, c->width, &out->out));
    PN_TRY(load_fc1(l, block, c, out));
    join(stem, block, names->fc2, "");
    return load_block_linear(l, stem, c->width, c->mlp, &out->fc2);
}

static pn_status load_blocks(loader *l, bool is_text, const char *part, const pn_encoder_config *c,
                             pn_block **out)
{
    pn_block *blocks = *out ? *out : PN_ARENA_NEW(&l->w->arena, pn_block, c->layers);
    if (!blocks)
        return pn_fail_nomem(l->err);
    *out = blocks; /* the second walk fills the same ones */
    for (uint32_t i = 0; i < c->layers; i++) {
        char folder[NAME_BYTES], block[NAME_BYTES];
        block_folder(l->names->block.folder, i, folder);
        full_name(l, is_text, part, folder, block);
        PN_TRY(load_block(l, block, c, &blocks[i]));
    }
    return PN_OK;
}

static pn_status load_vision(loader *l)
{
    const pn_tensor_names *names = l->names;
    const pn_clip_config *c = l->config;
    pn_clip_weights *w = l->w;
    const size_t width = c->vision.width;
    char name[NAME_BYTES];

    const uint64_t patch_dims[] = {width, 3, c->patch, c->patch};
    pn_matrix m = {.n_sources = 1, .rows = width, .k = (size_t)3 * c->patch * c->patch};
    full_name(l, false, names->vision, names->patch, name);
    PN_TRY(find(l, name, patch_dims, 4, &m.sources[0].tensor));
    PN_TRY(pn_matrix_pack(l, &m, &w->patch));
    full_name(l, false, names->vision, names->class_embedding, name);
    PN_TRY(load_vector(l, name, "", width, &w->class_embedding));
    const uint64_t position_dims[] = {1 + (uint64_t)pn_clip_patches(c), width};
    full_name(l, false, names->vision, names->vision_position, name);
    PN_TRY(load_values(l, name, position_dims, 2, &w->vision_position));
    full_name(l, false, names->vision, names->pre_norm, name);
    PN_TRY(load_norm(l, name, width, &w->pre_norm));
    PN_TRY(load_blocks(l, false, names->vision, &c->vision, &w->vision_blocks));
    full_name(l, false, names->vision, names->post_norm, name);
    PN_TRY(load_norm(l, name, width, &w->post_norm));
    full_name(l, false, "", names->vision_projection, name);
    return load_projection(l, name, width, &w->vision_projection);
}

typedef struct table_check {
    loader *l;
    const pn_tensor *table;
    size_t chunk; /* values a task looks at */
    uint64_t *hashes;
    atomic_bool bad;
} table_check;

static void check_chunk(void *context, size_t i, unsigned worker)
{
    table_check *c = context;
    float *wide = c->l->scratch + 2 * (size_t)worker * c->l->scratch_floats;
    size_t first = i * c->chunk, n = PN_MIN(c->chunk, c->table->n_values - first);
    pn_tensor_widen(c->table, first, n, wide);
    c->hashes[i] = pn_hash64(wide, n * sizeof *wide);
    if (!isfinite(c->l->kernels->dot_f32(wide, wide, n)))
        atomic_store(&c->bad, true);
}

/* The token embedding stays where it is; only its hash is taken. */
static pn_status load_token_embedding(loader *l)
{
    char name[NAME_BYTES];
    const uint64_t dims[] = {l->config->vocabulary, l->config->text.width};
    full_name(l, true, l->names->text, l->names->token_embedding, name);
    table_check c = {.l = l, .chunk = l->scratch_floats};
    PN_TRY(find(l, name, dims, 2, &c.table));
    pn_assert(c.table);
    l->w->token_embedding = c.table;
    l->w->dtype = c.table->dtype;
    if (!pn_loader_fills(l))
        return PN_OK;
    size_t chunks = c.table->n_values / c.chunk + (c.table->n_values % c.chunk != 0);
    c.hashes = pn_alloc_array(chunks, sizeof *c.hashes);
    if (!c.hashes)
        return pn_fail_nomem(l->err);
    atomic_init(&c.bad, false);
    pn_pool_for(l->pool, chunks, check_chunk, &c);
    pn_hasher_update(l->hasher, c.hashes, chunks * sizeof *c.hashes);
    pn_free(c.hashes);
    return atomic_load(&c.bad) ? pn_loader_not_finite(l, name) : PN_OK;
}

static pn_status load_text(loader *l)
{
    const pn_tensor_names *names = l->names;
    const pn_clip_config *c = l->config;
    pn_clip_weights *w = l->w;
    char name[NAME_BYTES];
    PN_TRY(load_token_embedding(l));
    const uint64_t position_dims[] = {c->context, c->text.width};
    full_name(l, true, names->text, names->text_position, name);
    PN_TRY(load_values(l, name, position_dims, 2, &w->text_position));
    PN_TRY(load_blocks(l, true, names->text, &c->text, &w->text_blocks));
    full_name(l, true, names->text, names->final_norm, name);
    PN_TRY(load_norm(l, name, c->text.width, &w->final_norm));
    full_name(l, true, "", names->text_projection, name);
    return load_projection(l, name, c->text.width, &w->text_projection);
}

/* ---- the rest */

static pn_status load_logit_scale(loader *l)
{
    char name[NAME_BYTES];
    full_name(l, false, "", l->names->logit_scale, name);
    const pn_tensor *t = pn_safetensors_find(l->tensors, name);
    const uint64_t dims[] = {1};
    PN_TRY(find(l, name, dims, t && t->n_dims == 0 ? 0 : 1, &t)); /* [] or [1] */
    if (pn_loader_fills(l)) {
        float value;
        PN_TRY(take_values(l, t, 0, 1, &value));
        l->w->logit_scale = exp((double)value);
    }
    return PN_OK;
}

/* The embedding's size: what the configuration says, or what the vision projection has. */
static pn_status find_dim(loader *l)
{
    char name[NAME_BYTES];
    full_name(l, false, "", l->names->vision_projection, name);
    const pn_tensor *t = pn_safetensors_find(l->tensors, name);
    uint64_t dim = l->config->dim;
    if (dim == 0 && t && t->n_dims == 2)
        dim = t->dims[l->names->projections_transposed ? 1 : 0];
    if (dim > PN_EMBEDDING_MAX_DIM)
        return pn_fail(l->err, PN_ERR_LIMIT,
                       "tensor %s: embeddings of %" PRIu64 " values, the limit is %d", name, dim,
                       PN_EMBEDDING_MAX_DIM);
    if (dim == 0)
        return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s: no matrix", name);
    l->w->dim = (uint32_t)dim;
    return PN_OK;
}

/* No tensor of a transformer block may be left over. */
static pn_status check_leftovers(loader *l)
{
    const char *pattern = l->names->block.folder;
    const char *const parts[] = {l->names->vision, l->names->text};
    for (size_t e = 0; e < 2; e++) {
        char stem[NAME_BYTES], pieces[NAME_BYTES];
        (void)snprintf(pieces, sizeof pieces, "%.*s", (int)strcspn(pattern, "#"), pattern);
        full_name(l, e == 1, parts[e], pieces, stem);
        for (size_t i = 0; i < pn_safetensors_count(l->tensors); i++) {
            const char *name = pn_safetensors_at(l->tensors, i)->name;
            if (!l->used[i] && strncmp(name, stem, strlen(stem)) == 0)
                return pn_fail(
                    l->err, PN_ERR_UNSUPPORTED,
                    "tensor %s has no place in the model that the configuration describes", name);
        }
    }
    return PN_OK;
}

static pn_status load_all(loader *l)
{
    PN_TRY(find_dim(l));
    PN_TRY(load_vision(l));
    PN_TRY(load_text(l));
    PN_TRY(load_logit_scale(l));
    return check_leftovers(l);
}

static size_t scratch_floats(const pn_clip_config *c)
{
    size_t deepest = (size_t)3 * c->patch * c->patch;
    deepest = PN_MAX(deepest, (size_t)PN_MAX(c->vision.mlp, c->text.mlp));
    deepest = PN_MAX(deepest, (size_t)PN_MAX(c->vision.width, c->text.width));
    return PN_GEMM_PANEL * deepest;
}

/* One walk. The first one looks at every name and shape before a byte is read. */
static pn_status walk(loader *l)
{
    memset(l->used, 0, pn_safetensors_count(l->tensors) * sizeof *l->used);
    l->w->n_parameters = 0;
    return load_all(l);
}

static void write_facts(const pn_clip_weights *w, pn_store_facts *out)
{
    *out = (pn_store_facts){.logit_scale = w->logit_scale,
                            .n_parameters = w->n_parameters,
                            .dim = w->dim,
                            .dtype = w->dtype};
    memcpy(out->values_hash, w->values_hash, sizeof out->values_hash);
}

/* From the file of before, if there is one. */
static pn_status map_prepared(loader *l, const pn_weight_cache *cache)
{
    pn_store_facts facts;
    PN_TRY(pn_weight_store_map(&l->w->store, cache->path, cache->key, l->pool, &facts, l->err));
    PN_TRY(walk(l));
    if (l->w->store.used != l->w->store.capacity || facts.dim != l->w->dim)
        return pn_fail(l->err, PN_ERR_CORRUPT, "%s: another model's weights", cache->path);
    l->w->logit_scale = facts.logit_scale;
    memcpy(l->w->values_hash, facts.values_hash, sizeof facts.values_hash);
    l->w->values_hash[sizeof l->w->values_hash - 1] = '\0';
    return PN_OK;
}

/* From now on the file's pages, which the system may drop and read again, in the place of our own memory. */
static pn_status change_over(loader *l, const pn_weight_cache *cache)
{
    pn_store_facts facts;
    pn_error why = {0};
    if (pn_weight_store_map(&l->w->store, cache->path, cache->key, l->pool, &facts, &why) == PN_OK)
        return walk(l);
    pn_log(PN_LOG_WARN, "prepared weights stay in memory: %s", why.message);
    return PN_OK;
}

static pn_status prepare(loader *l, const pn_weight_cache *cache)
{
    pn_store_facts facts;
    pn_weight_store_reset(&l->w->store);
    PN_TRY(walk(l));
    PN_TRY(pn_weight_store_begin_fill(&l->w->store, l->err));
    PN_TRY(walk(l));
    pn_hasher_text(l->hasher, l->w->values_hash);
    if (!cache)
        return PN_OK;
    pn_error why = {0};
    write_facts(l->w, &facts);
    if (pn_weight_store_save(&l->w->store, cache->path, cache->key, l->pool, &facts, &why) == PN_OK)
        return change_over(l, cache);
    pn_log(PN_LOG_WARN, "prepared weights are not kept: %s", why.message);
    return PN_OK;
}

static pn_status load(loader *l, const pn_weight_cache *cache)
{
    size_t floats = 2 * l->scratch_floats * pn_pool_threads(l->pool);
    l->hasher = pn_hasher_create();
    l->used = pn_alloc_zero(pn_safetensors_count(l->tensors) * sizeof *l->used);
    if (!l->hasher || !l->used)
        return pn_fail_nomem(l->err);
    if (cache && map_prepared(l, cache) == PN_OK) {
        l->w->prepared = true;
        return PN_OK;
    }
    l->scratch = pn_alloc_aligned(ALIGNMENT, floats * sizeof *l->scratch);
    if (!l->scratch)
        return pn_fail_nomem(l->err);
    return prepare(l, cache);
}

pn_status pn_clip_weights_load(const pn_safetensors *tensors, const pn_clip_naming *naming,
                               const pn_clip_config *config, const pn_weight_options *options,
                               pn_clip_weights *out, pn_error *err)
{
    pn_clip_weights w = {.precision = options->precision};
    loader l = {.tensors = tensors,
                .naming = naming,
                .names = pn_tensor_names_of(naming->layout),
                .config = config,
                .precision = options->precision,
                .kernels = pn_kernels_get(),
                .pool = options->pool,
                .w = &w,
                .scratch_floats = scratch_floats(config),
                .err = err};
    pn_weight_store_init(&w.store);
    pn_arena_init(&w.arena, SIZE_MAX); /* the blocks' structs: their number is limited */
    pn_status status = load(&l, options->cache);
    if (status == PN_OK)
        *out = w;
    else
        pn_clip_weights_reset(&w);
    pn_hasher_free(l.hasher);
    pn_free(l.used);
    pn_free(l.scratch);
    return status;
}

void pn_clip_weights_reset(pn_clip_weights *weights)
{
    pn_weight_store_reset(&weights->store);
    pn_arena_reset(&weights->arena);
    *weights = (pn_clip_weights){0};
}

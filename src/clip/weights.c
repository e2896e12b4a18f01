/*
 * weights.c - from names in a file to matrices the kernels like
 *
 *     tensor [n][k], f32 | f16 | bf16          16 rows at a time, by the pool's threads
 *       |  widen 16 rows to f32                exact
 *       |  pack them as one panel              kernels.h: [k][16]
 *       v  hash and check the panel            while it is in the cache
 *     packed [panels][k][16]
 *
 * A stored-transposed projection ([k][n]) is already in panel order: each line of a panel is 16 neighbours of one row.
 * OpenAI's in_proj is three matrices in one tensor; each is packed on its own, padded to whole panels, exactly as
 * three tensors of the Hugging Face layout are. Since the hash runs over packed f32 values, all layouts of one model
 * have the same one.
 *
 * A value that is not finite makes every embedding NaN, so it is looked for here, where the tensor's name is known:
 * the dot product of a panel with itself is finite exactly when (for any sane weights) all values are.
 *
 * Every tensor that was used is ticked off. What is left over is ignored (position ids, OpenAI's three scalars), unless
 * it is inside a transformer block: then the model computes something that we do not.
 */
#include "clip/weights.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "clip/tensor_names.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 256, ALIGNMENT = 64 };

typedef struct loader {
    const pn_safetensors *tensors;
    const pn_clip_naming *naming;
    const pn_tensor_names *names;
    const pn_clip_config *config;
    const pn_kernels *kernels;
    pn_pool *pool;
    pn_clip_weights *w;
    pn_hasher *hasher;
    bool *used;            /* [count of tensors] */
    float *scratch;        /* [threads][scratch_floats] */
    size_t scratch_floats; /* 16 rows of the deepest matrix */
    pn_error *err;
} loader;

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

static pn_status new_floats(loader *l, size_t n, float **out)
{
    size_t bytes;
    if (!pn_size_mul(n, sizeof **out, &bytes))
        return pn_fail_nomem(l->err);
    *out = pn_arena_alloc_aligned(&l->w->arena, ALIGNMENT, bytes);
    return *out ? PN_OK : pn_fail_nomem(l->err);
}

static pn_status not_finite(loader *l, const char *name)
{
    return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s: not all values are finite", name);
}

/* ---- vectors and tables */

/* n values of t from first on, behind each other at out. */
static pn_status take_values(loader *l, const pn_tensor *t, size_t first, size_t n, float *out)
{
    pn_tensor_widen(t, first, n, out);
    pn_hasher_update(l->hasher, out, n * sizeof *out);
    return isfinite(l->kernels->dot_f32(out, out, n)) ? PN_OK : not_finite(l, t->name);
}

static pn_status load_values(loader *l, const char *name, const uint64_t *dims, uint32_t n_dims,
                             const float **out)
{
    const pn_tensor *t = NULL;
    float *values = NULL;
    PN_TRY(find(l, name, dims, n_dims, &t));
    pn_assert(t);
    PN_TRY(new_floats(l, t->n_values, &values));
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

/* Up to three tensors, or pieces of one, that become one packed matrix. */
typedef struct source {
    const pn_tensor *tensor;
    size_t first_row; /* of a piece, in rows of k values */
} source;

typedef struct packing {
    loader *l;
    source sources[3];
    size_t n_sources;
    size_t rows; /* of each source */
    size_t k;
    bool transposed; /* stored [k][rows] */
    float *packed;
    uint64_t *hashes;         /* [panels] */
    _Atomic size_t bad_panel; /* one that is not finite; SIZE_MAX: none */
} packing;

static void pack_panel(void *context, size_t panel, unsigned worker)
{
    packing *p = context;
    const pn_kernels *kernels = p->l->kernels;
    size_t panels_each = pn_gemm_panels(p->rows);
    const source *from = &p->sources[panel / panels_each];
    size_t row = panel % panels_each * PN_GEMM_PANEL;
    size_t rows = PN_MIN(p->rows - row, (size_t)PN_GEMM_PANEL);
    float *out = p->packed + panel * PN_GEMM_PANEL * p->k;
    if (p->transposed) {
        memset(out, 0, PN_GEMM_PANEL * p->k * sizeof *out);
        for (size_t q = 0; q < p->k; q++)
            pn_tensor_widen(from->tensor, q * p->rows + row, rows, out + q * PN_GEMM_PANEL);
    } else {
        float *wide = p->l->scratch + worker * p->l->scratch_floats;
        pn_tensor_widen(from->tensor, (from->first_row + row) * p->k, rows * p->k, wide);
        kernels->gemm_pack(out, wide, rows, p->k, p->k, 1);
    }
    p->hashes[panel] = pn_hash64(out, PN_GEMM_PANEL * p->k * sizeof *out);
    if (!isfinite(kernels->dot_f32(out, out, PN_GEMM_PANEL * p->k)))
        atomic_store(&p->bad_panel, panel);
}

static pn_status pack(loader *l, packing *p, pn_linear *out)
{
    size_t panels_each = pn_gemm_panels(p->rows);
    size_t panels = panels_each * p->n_sources;
    p->l = l;
    atomic_init(&p->bad_panel, SIZE_MAX);
    PN_TRY(new_floats(l, panels * PN_GEMM_PANEL * p->k, &p->packed));
    p->hashes = pn_alloc_array(panels, sizeof *p->hashes);
    if (!p->hashes)
        return pn_fail_nomem(l->err);
    pn_pool_for(l->pool, panels, pack_panel, p);
    pn_hasher_update(l->hasher, p->hashes, panels * sizeof *p->hashes);
    pn_free(p->hashes);
    size_t bad = atomic_load(&p->bad_panel);
    if (bad != SIZE_MAX)
        return not_finite(l, p->sources[bad / panels_each].tensor->name);
    out->packed = p->packed;
    out->k = p->k;
    out->n = p->n_sources == 1 ? p->rows : panels * PN_GEMM_PANEL;
    return PN_OK;
}

static pn_status load_linear(loader *l, const char *stem, size_t n, size_t k, pn_linear *out)
{
    char name[NAME_BYTES];
    const uint64_t dims[] = {n, k};
    packing p = {.n_sources = 1, .rows = n, .k = k};
    join(name, stem, ".weight", "");
    PN_TRY(find(l, name, dims, 2, &p.sources[0].tensor));
    PN_TRY(pack(l, &p, out));
    return load_vector(l, stem, ".bias", n, &out->bias);
}

static pn_status load_projection(loader *l, const char *name, size_t k, pn_linear *out)
{
    bool transposed = l->names->projections_transposed;
    uint64_t dims[] = {l->w->dim, k};
    if (transposed) {
        dims[0] = k;
        dims[1] = l->w->dim;
    }
    packing p = {.n_sources = 1, .rows = l->w->dim, .k = k, .transposed = transposed};
    PN_TRY(find(l, name, dims, 2, &p.sources[0].tensor));
    return pack(l, &p, out);
}

/* q, k, v: the weights of three tensors, or of the three thirds of one; their biases alike. */
static pn_status find_qkv(loader *l, const char *block, size_t width, source weights[3],
                          source biases[3])
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

static pn_status load_qkv(loader *l, const char *block, size_t width, pn_linear *out)
{
    packing p = {.n_sources = 3, .rows = width, .k = width};
    source biases[3] = {0};
    float *bias = NULL;
    size_t stride = pn_qkv_stride(width);
    PN_TRY(find_qkv(l, block, width, p.sources, biases));
    PN_TRY(pack(l, &p, out));
    PN_TRY(new_floats(l, 3 * stride, &bias));
    pn_assert(bias);
    memset(bias, 0, 3 * stride * sizeof *bias);
    for (size_t i = 0; i < 3; i++)
        PN_TRY(take_values(l, biases[i].tensor, biases[i].first_row, width, bias + i * stride));
    out->bias = bias;
    return PN_OK;
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
#define STEM(name) (join(stem, block, name, ""), stem)
    PN_TRY(load_norm(l, STEM(names->norm1), c->width, &out->norm1));
    PN_TRY(load_qkv(l, block, c->width, &out->qkv));
    PN_TRY(load_linear(l, STEM(names->out), c->width, c->width, &out->out));
    PN_TRY(load_norm(l, STEM(names->norm2), c->width, &out->norm2));
    PN_TRY(load_linear(l, STEM(names->fc1), c->mlp, c->width, &out->fc1));
    return load_linear(l, STEM(names->fc2), c->width, c->mlp, &out->fc2);
#undef STEM
}

static pn_status load_blocks(loader *l, bool is_text, const char *part, const pn_encoder_config *c,
                             pn_block **out)
{
    pn_block *blocks = PN_ARENA_NEW(&l->w->arena, pn_block, c->layers);
    if (!blocks)
        return pn_fail_nomem(l->err);
    for (uint32_t i = 0; i < c->layers; i++) {
        char folder[NAME_BYTES], block[NAME_BYTES];
        block_folder(l->names->block.folder, i, folder);
        full_name(l, is_text, part, folder, block);
        PN_TRY(load_block(l, block, c, &blocks[i]));
    }
    *out = blocks;
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
    packing p = {.n_sources = 1, .rows = width, .k = (size_t)3 * c->patch * c->patch};
    full_name(l, false, names->vision, names->patch, name);
    PN_TRY(find(l, name, patch_dims, 4, &p.sources[0].tensor));
    PN_TRY(pack(l, &p, &w->patch));
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
    float *wide = c->l->scratch + worker * c->l->scratch_floats;
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
    size_t chunks = c.table->n_values / c.chunk + (c.table->n_values % c.chunk != 0);
    c.hashes = pn_alloc_array(chunks, sizeof *c.hashes);
    if (!c.hashes)
        return pn_fail_nomem(l->err);
    atomic_init(&c.bad, false);
    pn_pool_for(l->pool, chunks, check_chunk, &c);
    pn_hasher_update(l->hasher, c.hashes, chunks * sizeof *c.hashes);
    pn_free(c.hashes);
    if (atomic_load(&c.bad))
        return not_finite(l, name);
    l->w->token_embedding = c.table;
    l->w->dtype = c.table->dtype;
    return PN_OK;
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
    float value;
    PN_TRY(take_values(l, t, 0, 1, &value));
    l->w->logit_scale = exp((double)value);
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

pn_status pn_clip_weights_load(const pn_safetensors *tensors, const pn_clip_naming *naming,
                               const pn_clip_config *config, pn_pool *pool, pn_clip_weights *out,
                               pn_error *err)
{
    pn_clip_weights w = {0};
    loader l = {.tensors = tensors,
                .naming = naming,
                .names = pn_tensor_names_of(naming->layout),
                .config = config,
                .kernels = pn_kernels_get(),
                .pool = pool,
                .w = &w,
                .scratch_floats = scratch_floats(config),
                .err = err};
    pn_arena_init(&w.arena, SIZE_MAX); /* bounded by the files' size: every tensor was checked */
    size_t floats = l.scratch_floats * pn_pool_threads(pool);
    l.hasher = pn_hasher_create();
    l.used = pn_alloc_zero(pn_safetensors_count(tensors) * sizeof *l.used);
    l.scratch = pn_alloc_aligned(ALIGNMENT, floats * sizeof *l.scratch);
    pn_status status = PN_OK;
    if (!l.hasher || !l.used || !l.scratch)
        status = pn_fail_nomem(err);
    else
        status = load_all(&l);
    if (status == PN_OK) {
        pn_hasher_text(l.hasher, w.values_hash);
        *out = w;
    } else {
        pn_arena_reset(&w.arena);
        *out = (pn_clip_weights){0};
    }
    pn_hasher_free(l.hasher);
    pn_free(l.used);
    pn_free(l.scratch);
    return status;
}

void pn_clip_weights_reset(pn_clip_weights *weights)
{
    pn_arena_reset(&weights->arena);
    *weights = (pn_clip_weights){0};
}

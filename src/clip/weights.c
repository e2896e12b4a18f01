/*
 * weights.c - the walk over a model's tensors, by name
 *
 * The parts of the two encoders are visited in one fixed order. Each tensor is looked up under the name its layout gives
 * it, its shape is compared with the configuration (weight_find.c), and it takes its piece of the store: vectors and
 * tables as f32, matrices as panels (weight_block.c, weight_panels.c). weight_store.h says why the walk is made twice, or
 * once over a file of before.
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

enum { ALIGNMENT = 64 };

typedef pn_weight_loader loader;

/* [dim][k], or [k][dim] when transposed; with a bias in some families. */
static pn_status load_projection(loader *l, bool is_text, const char *name, const char *bias,
                                 pn_linear *out)
{
    char full[PN_TENSOR_NAME_BYTES];
    const bool transposed =
        is_text ? l->names->text_projection_transposed : l->names->vision_projection_transposed;
    const size_t k = is_text ? l->config->text.width : l->config->vision.width;
    uint64_t dims[] = {l->w->dim, k};
    if (transposed) {
        dims[0] = k;
        dims[1] = l->w->dim;
    }
    pn_matrix m = {.n_sources = 1, .rows = l->w->dim, .k = k, .transposed = transposed};
    pn_loader_name(l, is_text, "", name, full);
    PN_TRY(pn_loader_find(l, full, dims, 2, &m.sources[0].tensor));
    PN_TRY(pn_matrix_pack(l, &m, out));
    if (!bias)
        return PN_OK;
    pn_loader_name(l, is_text, "", bias, full);
    return pn_loader_vector(l, full, "", l->w->dim, &out->bias);
}

/* ---- the encoders; a part without a name is not there */

static pn_status load_optional_norm(loader *l, bool is_text, const char *stem, pn_norm *out)
{
    char name[PN_TENSOR_NAME_BYTES];
    const pn_encoder_config *c = is_text ? &l->config->text : &l->config->vision;
    if (!stem)
        return PN_OK;
    pn_loader_name(l, is_text, is_text ? l->names->text : l->names->vision, stem, name);
    return pn_loader_norm(l, name, c->width, out);
}

static pn_status load_patches(loader *l)
{
    const pn_tensor_names *names = l->names;
    const pn_clip_config *c = l->config;
    const size_t width = c->vision.width;
    const uint64_t dims[] = {width, 3, c->patch, c->patch};
    pn_matrix m = {.n_sources = 1, .rows = width, .k = (size_t)3 * c->patch * c->patch};
    char name[PN_TENSOR_NAME_BYTES];
    pn_loader_name(l, false, names->vision, names->patch, name);
    PN_TRY(pn_loader_find(l, name, dims, 4, &m.sources[0].tensor));
    PN_TRY(pn_matrix_pack(l, &m, &l->w->patch));
    if (names->patch_bias) {
        pn_loader_name(l, false, names->vision, names->patch_bias, name);
        PN_TRY(pn_loader_vector(l, name, "", width, &l->w->patch.bias));
    }
    if (names->class_embedding) {
        pn_loader_name(l, false, names->vision, names->class_embedding, name);
        PN_TRY(pn_loader_vector(l, name, "", width, &l->w->class_embedding));
    }
    const uint64_t positions[] = {pn_clip_rows(c), width};
    pn_loader_name(l, false, names->vision, names->vision_position, name);
    return pn_loader_values(l, name, positions, 2, &l->w->vision_position);
}

static pn_status load_vision(loader *l)
{
    const pn_tensor_names *names = l->names;
    pn_clip_weights *w = l->w;
    if (!names->vision_block)
        return pn_loader_resnet(l, &w->resnet);
    PN_TRY(load_patches(l));
    PN_TRY(load_optional_norm(l, false, names->pre_norm, &w->pre_norm));
    PN_TRY(pn_loader_blocks(l, false, &w->vision_blocks));
    PN_TRY(load_optional_norm(l, false, names->post_norm, &w->post_norm));
    if (names->head)
        PN_TRY(pn_loader_head(l, &w->head, &w->probe_query));
    if (!names->vision_projection)
        return PN_OK;
    return load_projection(l, false, names->vision_projection, NULL, &w->vision_projection);
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
    char name[PN_TENSOR_NAME_BYTES];
    const uint64_t dims[] = {l->config->vocabulary, l->config->text.width};
    pn_loader_name(l, true, l->names->text, l->names->token_embedding, name);
    table_check c = {.l = l, .chunk = l->scratch_floats};
    PN_TRY(pn_loader_find(l, name, dims, 2, &c.table));
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

/* All texts are of type 0, so that type's vector is added to every position's. */
static pn_status load_positions(loader *l)
{
    const pn_tensor_names *names = l->names;
    const size_t width = l->config->text.width, n = l->config->positions;
    const uint64_t dims[] = {n, width};
    char name[PN_TENSOR_NAME_BYTES];
    pn_loader_name(l, true, names->text, names->text_position, name);
    PN_TRY(pn_loader_values(l, name, dims, 2, &l->w->text_position));
    if (!names->token_type)
        return PN_OK;
    const pn_tensor *types = NULL;
    pn_loader_name(l, true, names->text, names->token_type, name);
    const pn_tensor *there = pn_safetensors_find(l->tensors, name);
    const uint64_t type_dims[] = {there && there->n_dims == 2 ? PN_MAX(there->dims[0], 1u) : 2,
                                  width};
    PN_TRY(pn_loader_find(l, name, type_dims, 2, &types));
    if (!pn_loader_fills(l))
        return PN_OK;
    float *type = l->scratch, *positions = (float *)(uintptr_t)l->w->text_position;
    PN_TRY(pn_loader_take_values(l, types, 0, width, type));
    for (size_t i = 0; i < n * width; i++)
        positions[i] += type[i % width];
    return PN_OK;
}

static pn_status load_text(loader *l)
{
    const pn_tensor_names *names = l->names;
    pn_clip_weights *w = l->w;
    PN_TRY(load_token_embedding(l));
    PN_TRY(load_positions(l));
    PN_TRY(load_optional_norm(l, true, names->embedding_norm, &w->embedding_norm));
    PN_TRY(pn_loader_blocks(l, true, &w->text_blocks));
    PN_TRY(load_optional_norm(l, true, names->final_norm, &w->final_norm));
    return load_projection(l, true, names->text_projection, names->text_projection_bias,
                           &w->text_projection);
}

/* ---- the rest */

static pn_status load_logit_scale(loader *l)
{
    char name[PN_TENSOR_NAME_BYTES];
    pn_loader_name(l, false, "", l->names->logit_scale, name);
    const pn_tensor *t = pn_safetensors_find(l->tensors, name);
    const uint64_t dims[] = {1};
    PN_TRY(pn_loader_find(l, name, dims, t && t->n_dims == 0 ? 0 : 1, &t)); /* [] or [1] */
    if (pn_loader_fills(l)) {
        float value;
        PN_TRY(pn_loader_take_values(l, t, 0, 1, &value));
        l->w->logit_scale = exp((double)value);
    }
    return PN_OK;
}

/* The embedding's size: what the configuration says, or what the projection has. */
static pn_status find_dim(loader *l)
{
    char name[PN_TENSOR_NAME_BYTES];
    const pn_tensor_names *names = l->names;
    bool vision = names->vision_projection != NULL;
    bool transposed =
        vision ? names->vision_projection_transposed : names->text_projection_transposed;
    pn_loader_name(l, !vision, "", vision ? names->vision_projection : names->text_projection,
                   name);
    const pn_tensor *t = pn_safetensors_find(l->tensors, name);
    uint64_t dim = l->config->dim;
    if (dim == 0 && t && t->n_dims == 2)
        dim = t->dims[transposed ? 1 : 0];
    if (dim > PN_EMBEDDING_MAX_DIM)
        return pn_fail(l->err, PN_ERR_LIMIT,
                       "tensor %s: embeddings of %" PRIu64 " values, the limit is %d", name, dim,
                       PN_EMBEDDING_MAX_DIM);
    if (dim == 0)
        return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s: no matrix", name);
    if (!vision && !l->config->resnet.width && dim != l->config->vision.width)
        return pn_fail(l->err, PN_ERR_CORRUPT,
                       "tensor %s: texts of %" PRIu64 " values, pictures of %" PRIu32, name, dim,
                       l->config->vision.width);
    l->w->dim = (uint32_t)dim;
    return PN_OK;
}

/* Is there a tensor whose name begins with the folder's, up to '#', that nobody asked for? */
static pn_status check_folder(loader *l, bool is_text, const char *folder)
{
    char stem[PN_TENSOR_NAME_BYTES], pieces[PN_TENSOR_NAME_BYTES];
    (void)snprintf(pieces, sizeof pieces, "%.*s", (int)strcspn(folder, "#"), folder);
    pn_loader_name(l, is_text, is_text ? l->names->text : l->names->vision, pieces, stem);
    for (size_t i = 0; i < pn_safetensors_count(l->tensors); i++) {
        const pn_tensor *t = pn_safetensors_at(l->tensors, i);
        if (!l->used[i] && t->dtype != PN_DTYPE_I64 && strncmp(t->name, stem, strlen(stem)) == 0)
            return pn_fail(l->err, PN_ERR_UNSUPPORTED,
                           "tensor %s has no place in the model that the configuration describes",
                           t->name);
    }
    return PN_OK;
}

/* No tensor of a block may be left over. Whole numbers count things, or number positions. */
static pn_status check_leftovers(loader *l)
{
    const pn_tensor_names *names = l->names;
    PN_TRY(check_folder(l, false, names->vision_block ? names->vision_block->folder : "layer"));
    if (names->head)
        PN_TRY(check_folder(l, false, names->head->folder));
    return check_folder(l, true, names->text_block->folder);
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
    size_t deepest = c->resnet.width ? PN_RESNET_DEEPEST * (size_t)c->resnet.width
                                     : (size_t)3 * c->patch * c->patch;
    deepest = PN_MAX(deepest, (size_t)PN_MAX(c->vision.mlp, c->text.mlp));
    deepest = PN_MAX(deepest, (size_t)PN_MAX(c->vision.width, c->text.width));
    deepest = PN_MAX(deepest, (size_t)pn_attention_width(&c->vision));
    deepest = PN_MAX(deepest, (size_t)pn_attention_width(&c->text));
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
                .names = naming->names,
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

/*
 * clip.c - a model directory as one object
 *
 *     directory --> safetensors --> naming --> configuration --> weights
 *                                                    tokenizer --^-- fingerprint
 *
 * The fingerprint says which space the vectors live in: the numbers of the architecture, every weight, and what the
 * tokenizer does. It does not depend on the layout, the file type or the name of the folder, so one model converted from
 * layout to layout keeps its fingerprint as long as its numbers stay the same.
 */
#include "clip/clip.h"

#include "base/alloc.h"
#include "base/log.h"
#include "clip/block.h"
#include "clip/text.h"
#include "clip/vision.h"
#include "clip/weight_cache.h"

#include <math.h>
#include <stdio.h>

struct pn_clip {
    pn_safetensors *tensors;
    pn_clip_config config;
    pn_clip_weights weights;
    pn_tokenizer *tokenizer;
    pn_scratch *scratch;
    pn_first_row *first_row;
    pn_clip_info info;
};

static void describe_encoder(const pn_encoder_config *e, char *out, size_t n)
{
    (void)snprintf(out, n, "%u %u %u %u %s %.9g", e->width, e->layers, e->heads, e->mlp,
                   pn_clip_activation_name(e->activation), (double)e->eps);
}

static pn_status make_fingerprint(pn_clip *clip, pn_error *err)
{
    const pn_clip_config *c = &clip->config;
    char vision[128], text[128], all[512];
    /* "first end token" and "first largest id" are one rule when the end token is the largest there is */
    int64_t end_token = c->end_token == (int64_t)c->vocabulary - 1 ? -1 : c->end_token;
    describe_encoder(&c->vision, vision, sizeof vision);
    describe_encoder(&c->text, text, sizeof text);
    int n = snprintf(all, sizeof all, "%s 1; vision %s; text %s; %ux%u/%u; %u %u %lld; %s; %016llx",
                     pn_clip_family_name(c->family), vision, text, c->image_width, c->image_height,
                     c->patch, c->context, c->vocabulary, (long long)end_token,
                     clip->weights.values_hash,
                     (unsigned long long)pn_tokenizer_fingerprint(clip->tokenizer));
    if (n < 0 || (size_t)n >= sizeof all)
        return pn_fail(err, PN_ERR_BUG, "the description of a model does not fit");
    pn_hash128_text(all, (size_t)n, clip->info.fingerprint);
    return PN_OK;
}

static const char *dtype_name(pn_dtype dtype)
{
    return dtype == PN_DTYPE_F16 ? "f16" : dtype == PN_DTYPE_BF16 ? "bf16" : "f32";
}

static void fill_info(pn_clip *clip)
{
    const pn_clip_config *c = &clip->config;
    clip->info = (pn_clip_info){
        .family = pn_clip_family_name(c->family),
        .layout = pn_clip_layout_name(c->layout),
        .weights_type = dtype_name(clip->weights.dtype),
        .dim = clip->weights.dim,
        .context = c->context,
        .vocabulary = c->vocabulary,
        .image_width = c->image_width,
        .image_height = c->image_height,
        .patch_px = c->patch,
        .vision_width = c->vision.width,
        .vision_layers = c->vision.layers,
        .vision_heads = c->vision.heads,
        .text_width = c->text.width,
        .text_layers = c->text.layers,
        .text_heads = c->text.heads,
        .activation = pn_clip_activation_name(c->vision.activation),
        .n_parameters = clip->weights.n_parameters,
        .weights_bytes = pn_safetensors_bytes(clip->tensors),
        .precision = clip->weights.precision,
        .prepared = clip->weights.prepared,
        .logit_scale = clip->weights.logit_scale,
    };
}

/* A tokenizer of another model gives ids that mean something else, or nothing. */
static pn_status check_tokenizer(const pn_clip *clip, const char *dir, pn_error *err)
{
    uint32_t there = pn_tokenizer_vocabulary(clip->tokenizer);
    if (there > clip->config.vocabulary)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the tokenizer has %u tokens, the model %u", dir,
                       there, clip->config.vocabulary);
    return PN_OK;
}

/* The weights, with a cache where that is possible: what cannot be kept is prepared all the same. */
static pn_status load_weights(pn_clip *clip, const char *dir, const pn_clip_naming *naming,
                              const pn_clip_options *options, pn_error *err)
{
    pn_arena arena;
    pn_weight_cache cache = {0};
    pn_error why = {0};
    const pn_weight_cache_query query = {options->cache, dir, clip->tensors, &clip->config,
                                         options->precision};
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_weight_cache_find(&query, &arena, &cache, &why) != PN_OK)
        pn_log(PN_LOG_WARN, "prepared weights are not kept: %s", why.message);
    const pn_weight_options how = {options->precision, options->pool, cache.path ? &cache : NULL};
    pn_status status =
        pn_clip_weights_load(clip->tensors, naming, &clip->config, &how, &clip->weights, err);
    pn_arena_reset(&arena);
    return status;
}

static pn_status open_parts(pn_clip *clip, const char *dir, const pn_clip_options *options,
                            pn_error *err)
{
    pn_clip_naming naming;
    clip->scratch = pn_scratch_create();
    if (!clip->scratch)
        return pn_fail_nomem(err);
    PN_TRY(pn_safetensors_open_directory(dir, &clip->tensors, err));
    pn_status status = pn_clip_naming_detect(clip->tensors, &naming, err);
    if (status == PN_OK)
        status = pn_clip_config_load(dir, clip->tensors, &naming, &clip->config, err);
    if (status == PN_OK)
        status = load_weights(clip, dir, &naming, options, err);
    if (status != PN_OK)
        return status == PN_ERR_NOMEM ? status : pn_fail_wrap(err, status, "%s: ", dir);
    pn_safetensors_rest(clip->tensors); /* all but some rows of the token embedding were copied */
    PN_TRY(pn_tokenizer_load(dir, NULL, &clip->tokenizer, err));
    PN_TRY(check_tokenizer(clip, dir, err));
    clip->first_row = pn_first_row_create(pn_text_first_row_floats(&clip->config.text));
    if (!clip->first_row)
        return pn_fail_nomem(err);
    fill_info(clip);
    return make_fingerprint(clip, err);
}

pn_status pn_clip_open(const char *dir, const pn_clip_options *options, pn_clip **out,
                       pn_error *err)
{
    static const pn_clip_options usual = {.cache = ""};
    pn_clip *clip = pn_alloc_zero(sizeof *clip);
    if (!clip)
        return pn_fail_nomem(err);
    pn_status status = open_parts(clip, dir, options ? options : &usual, err);
    if (status == PN_OK)
        *out = clip;
    else
        pn_clip_close(clip);
    return status;
}

void pn_clip_close(pn_clip *clip)
{
    if (!clip)
        return;
    pn_clip_weights_reset(&clip->weights);
    pn_safetensors_close(clip->tensors);
    pn_tokenizer_free(clip->tokenizer);
    pn_scratch_free(clip->scratch);
    pn_first_row_free(clip->first_row);
    pn_free(clip);
}

const pn_clip_info *pn_clip_get_info(const pn_clip *clip)
{
    return &clip->info;
}

const pn_tokenizer *pn_clip_tokenizer(const pn_clip *clip)
{
    return clip->tokenizer;
}

const pn_preprocess *pn_clip_preprocess(const pn_clip *clip)
{
    return &clip->config.preprocess;
}

/* Unit length where asked for, and never a vector that compares with nothing. */
static pn_status finish(const pn_clip *clip, pn_clip_norm norm, const char *what, size_t n,
                        float *out, pn_error *err)
{
    const pn_kernels *k = pn_kernels_get();
    const size_t dim = clip->weights.dim;
    for (size_t i = 0; i < n; i++) {
        float *row = out + i * dim;
        float length = norm == PN_CLIP_UNIT ? k->normalise_f32(row, dim) : k->norm_f32(row, dim);
        if (!isfinite(length) || (norm == PN_CLIP_UNIT && length == 0))
            return pn_fail(err, PN_ERR_INVALID,
                           "%s %zu: the embedding has no direction (length %g)", what, i,
                           (double)length);
    }
    return PN_OK;
}

pn_status pn_clip_embed_images(const pn_clip *clip, const float *pixels, size_t n,
                               pn_clip_norm norm, pn_pool *pool, float *out, pn_error *err)
{
    if (n == 0)
        return pn_fail(err, PN_ERR_INVALID, "no picture to embed");
    const pn_clip_means means = {clip->scratch, pool, clip->first_row};
    PN_TRY(pn_vision_run(&clip->config, &clip->weights, pixels, n, &means, out, err));
    return finish(clip, norm, "picture", n, out, err);
}

size_t pn_clip_share_images(const pn_clip *clip, size_t threads)
{
    return clip->weights.resnet ? 0 : pn_share_least(pn_clip_rows(&clip->config), threads);
}

pn_status pn_clip_embed_ids(const pn_clip *clip, const uint32_t *ids, const size_t *lengths,
                            size_t n, pn_clip_norm norm, pn_pool *pool, float *out, pn_error *err)
{
    if (n == 0)
        return pn_fail(err, PN_ERR_INVALID, "no text to embed");
    const pn_clip_means means = {clip->scratch, pool, clip->first_row};
    PN_TRY(pn_text_run(&clip->config, &clip->weights, ids, lengths, n, &means, out, err));
    return finish(clip, norm, "text", n, out, err);
}

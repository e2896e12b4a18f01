/*
 * pn_model.c - section 2 of pennon.h: words and pictures -> vectors
 */
#include "api/internal.h"

#include "base/alloc.h"
#include "image/decode.h"

static pn_status open_model(pn_model *model, const char *spec, const pn_model_options *options,
                            pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char *dir;
    pn_status status = pn_clip_locate(spec, &arena, &dir, err);
    if (status == PN_OK) {
        model->name = pn_strdup(spec);
        model->directory = pn_strdup(dir);
        if (!model->name || !model->directory)
            status = pn_fail_nomem(err);
    }
    pn_arena_reset(&arena);
    PN_TRY(status);
    pn_local_options local = {.model = spec,
                              .preprocess = options->preprocess,
                              .pool = model->library->pool,
                              .cache = options->cache,
                              .exact_decode = options->exact_decode != 0};
    if (options->precision &&
        !pn_clip_precision_parse(pn_str_of(options->precision), &local.precision))
        return pn_fail(err, PN_ERR_INVALID,
                       "precision \"%s\": there are exact, f32, f16, bf16 and int8",
                       options->precision);
    return pn_local_embedder_create(&local, &model->embedder, err);
}

pn_status pn_model_open(pn_library *library, const char *spec, const pn_model_options *options,
                        pn_model **out, pn_error *err)
{
    pn_model_options own = PN_MODEL_OPTIONS_INIT;
    PN_TAKE_OPTIONS(own, options, err);
    if (!spec || spec[0] == '\0')
        return pn_fail(err, PN_ERR_INVALID, "no model was named");
    pn_model *model = pn_alloc_zero(sizeof *model);
    if (!model)
        return pn_fail_nomem(err);
    model->library = library;
    pn_status status = open_model(model, spec, &own, err);
    if (status != PN_OK) {
        pn_model_close(model);
        return status;
    }
    *out = model;
    return PN_OK;
}

void pn_model_close(pn_model *model)
{
    if (!model)
        return;
    pn_embedder_free(model->embedder);
    pn_free(model->name);
    pn_free(model->directory);
    pn_free(model);
}

void pn_model_get_info(const pn_model *model, pn_model_info *out)
{
    const pn_clip_info *info = pn_clip_get_info(pn_local_embedder_clip(model->embedder));
    const pn_preprocess *preprocess = pn_local_embedder_preprocess(model->embedder);
    *out = (pn_model_info){.name = model->name,
                           .directory = model->directory,
                           .layout = info->layout,
                           .weights_type = info->weights_type,
                           .activation = info->activation,
                           .preprocess = pn_preprocess_mode_name(preprocess->mode),
                           .identity = model->embedder->identity,
                           .dim = info->dim,
                           .context = info->context,
                           .image_width = preprocess->width,
                           .image_height = preprocess->height,
                           .n_parameters = info->n_parameters,
                           .weights_bytes = info->weights_bytes,
                           .precision = pn_clip_precision_name(info->precision)};
}

pn_status pn_model_embed_text(pn_model *model, const char *text, float *out, pn_error *err)
{
    if (!text)
        return pn_fail(err, PN_ERR_INVALID, "there is no text");
    pn_str str = pn_str_of(text);
    return model->embedder->embed_texts(model->embedder->self, &str, 1, NULL, out, err);
}

pn_status pn_model_embed_image(pn_model *model, const void *bytes, size_t n_bytes, const char *name,
                               float *out, pn_error *err)
{
    return pn_embedder_embed_file(model->embedder, bytes, n_bytes, name ? name : "picture", NULL,
                                  out, err);
}

pn_status pn_model_tokenize(pn_model *model, const char *text, size_t text_bytes, uint32_t *ids,
                            size_t max_ids, size_t *n_ids, pn_error *err)
{
    const pn_clip *clip = pn_local_embedder_clip(model->embedder);
    size_t context = pn_clip_get_info(clip)->context;
    if (max_ids < context)
        return pn_fail(err, PN_ERR_INVALID, "room for %zu ids, the model's context has %zu",
                       max_ids, context);
    return pn_tokenizer_encode(pn_clip_tokenizer(clip), (pn_str){text, text_bytes}, context, ids,
                               n_ids, err);
}

pn_status pn_model_preprocess(pn_model *model, const void *bytes, size_t n_bytes, const char *name,
                              float *out, pn_error *err)
{
    pn_image image = {0};
    PN_TRY(pn_image_decode(bytes, n_bytes, name ? name : "picture", NULL, &image, err));
    pn_status status =
        pn_preprocess_tensor(pn_local_embedder_preprocess(model->embedder), &image, out, err);
    pn_image_free(&image);
    return status;
}

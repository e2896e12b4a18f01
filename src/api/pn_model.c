/*
 * pn_model.c - section 2 of pennon.h: words and pictures -> vectors
 */
#include "api/internal.h"

#include "base/alloc.h"
#include "image/decode.h"

static pn_status open_local(pn_model *model, const char *spec, const pn_model_options *options,
                            pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char *dir;
    pn_status status = pn_clip_locate(spec, &arena, &dir, err);
    if (status == PN_OK) {
        model->directory = pn_strdup(dir);
        if (!model->directory)
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

static bool is_opening_cancelled(void *context)
{
    const pn_model_options *options = context;
    return options->cancelled(options->context) != 0;
}

static pn_status open_hosted(pn_model *model, const char *spec, pn_model_options *options,
                             pn_error *err)
{
    const pn_embed_how how = {PN_EMBED_QUERY, options->cancelled ? is_opening_cancelled : NULL,
                              options};
    const pn_hosted_options hosted = {.model = spec,
                                      .base = options->url,
                                      .key = options->api_key,
                                      .plain_http = options->allow_http ? PN_HOSTED_HTTP_ANYWHERE
                                                                        : PN_HOSTED_HTTP_LOCAL,
                                      .dim = options->dim,
                                      .n_parallel = options->n_requests,
                                      .deadline_ms = options->deadline_ms,
                                      .how = &how};
    if (options->preprocess && strcmp(options->preprocess, "server") != 0)
        return pn_fail(err, PN_ERR_INVALID,
                       "preprocessing \"%s\": the server of %s prepares pictures its own way",
                       options->preprocess, spec);
    model->directory = pn_strdup("");
    if (!model->directory)
        return pn_fail_nomem(err);
    return pn_hosted_embedder_create(&hosted, &model->embedder, err);
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
    model->name = pn_strdup(spec);
    pn_status status = !model->name              ? pn_fail_nomem(err)
                       : pn_hosted_is_name(spec) ? open_hosted(model, spec, &own, err)
                                                 : open_local(model, spec, &own, err);
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
    const pn_clip *clip = pn_local_embedder_clip(model->embedder);
    if (!clip) {
        *out = (pn_model_info){.name = model->name,
                               .directory = model->directory,
                               .layout = "roboflow",
                               .weights_type = "",
                               .activation = "",
                               .preprocess = model->embedder->preprocess,
                               .identity = model->embedder->identity,
                               .dim = model->embedder->dim,
                               .precision = ""};
        return;
    }
    const pn_clip_info *info = pn_clip_get_info(clip);
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

pn_status pn_model_get_server(const pn_model *model, pn_model_server *out, pn_error *err)
{
    static const pn_server_state states[] = {[PN_BREAKER_CLOSED] = PN_SERVER_ASKED,
                                             [PN_BREAKER_OPEN] = PN_SERVER_LEFT_ALONE,
                                             [PN_BREAKER_TRYING] = PN_SERVER_TRIED};
    pn_embed_service *service = pn_hosted_embedder_service(model->embedder);
    if (!service)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s is a model of this machine", model->name);
    pn_embed_service_stats stats;
    pn_embed_service_get_stats(service, &stats);
    const pn_model_server ours = {.struct_bytes = sizeof ours,
                                  .state = states[stats.breaker],
                                  .retry_seconds = stats.breaker_seconds,
                                  .n_requests = stats.n_requests,
                                  .n_retries = stats.n_retries,
                                  .n_failures = stats.n_failures,
                                  .n_rejected = stats.n_rejected,
                                  .seconds = stats.seconds};
    return pn_give_struct(&ours, sizeof ours, out, err);
}

pn_status pn_model_check_local(const pn_model *model, pn_error *err)
{
    if (pn_local_embedder_clip(model->embedder))
        return PN_OK;
    return pn_fail(err, PN_ERR_UNSUPPORTED,
                   "%s is computed by a server: what is inside of it is not seen from here",
                   model->name);
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
    PN_TRY(pn_model_check_local(model, err));
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
    PN_TRY(pn_model_check_local(model, err));
    PN_TRY(pn_image_decode(bytes, n_bytes, name ? name : "picture", NULL, &image, err));
    pn_status status =
        pn_preprocess_tensor(pn_local_embedder_preprocess(model->embedder), &image, out, err);
    pn_image_free(&image);
    return status;
}

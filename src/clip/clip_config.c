/*
 * clip_config.c - which configuration file, and what holds for all of them
 */
#include "clip/internal.h"
#include "clip/tensor_names.h"

/* Heads have an even share of the width, unless the file said how wide they are. */
static pn_status share_width(pn_encoder_config *e, const char *name, const char *file,
                             pn_error *err)
{
    if (e->head_width == 0 && e->width % e->heads != 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %u heads do not divide the %s width %u", file,
                       e->heads, name, e->width);
    if (e->head_width == 0)
        e->head_width = e->width / e->heads;
    return PN_OK;
}

pn_status pn_config_check(pn_clip_config *c, const char *file, pn_error *err)
{
    PN_TRY(share_width(&c->vision, "vision", file, err));
    PN_TRY(share_width(&c->text, "text", file, err));
    if (c->context > c->positions)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: texts of %u tokens, but %u positions", file,
                       c->context, c->positions);
    if (c->padded && c->pad_token >= c->vocabulary)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: padding with token %u of %u", file, c->pad_token,
                       c->vocabulary);
    if (c->patch > c->image_width || c->patch > c->image_height)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a patch of %u in a picture of %ux%u", file,
                       c->patch, c->image_width, c->image_height);
    if (pn_clip_patches(c) > PN_CLIP_MAX_PATCHES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %u patches, the limit is %d", file,
                       pn_clip_patches(c), PN_CLIP_MAX_PATCHES);
    return PN_OK;
}

static pn_status load_huggingface(const char *dir, const pn_clip_naming *naming,
                                  pn_clip_config *out, pn_error *err)
{
    json_t *config = NULL, *processor = NULL;
    pn_status status = PN_OK;
    PN_GOTO(done, pn_json_load(dir, "config.json", &config, err));
    if (!config) {
        status = pn_fail(err, PN_ERR_NOT_FOUND, "%s: no config.json", dir);
        goto done;
    }
    PN_GOTO(done, pn_config_read_huggingface(config, naming->names, out, err));
    PN_GOTO(done, pn_config_check(out, "config.json", err));
    pn_config_default_preprocess(out);
    PN_GOTO(done, pn_json_load(dir, "preprocessor_config.json", &processor, err));
    if (processor)
        PN_GOTO(done, pn_config_read_processor(processor, out, err));
done:
    json_decref(config);
    json_decref(processor);
    return status;
}

/* open_clip's file; else a Hugging Face file, which converted models keep beside OpenAI's names; else the shapes. */
static pn_status load_openai(const char *dir, const pn_safetensors *tensors,
                             const pn_clip_naming *naming, pn_clip_config *out, pn_error *err)
{
    json_t *open_clip = NULL, *config = NULL;
    const char *file = "open_clip_config.json";
    pn_status status = PN_OK;
    PN_GOTO(done, pn_json_load(dir, file, &open_clip, err));
    if (!open_clip)
        PN_GOTO(done, pn_json_load(dir, "config.json", &config, err));
    if (open_clip) {
        PN_GOTO(done, pn_config_read_open_clip(open_clip, tensors, naming, out, err));
    } else if (json_is_object(json_object_get(config, "vision_config"))) {
        file = "config.json";
        PN_GOTO(done, pn_config_read_huggingface(config, naming->names, out, err));
        out->layout = PN_CLIP_OPENAI;
    } else {
        file = "tensor shapes";
        PN_GOTO(done, pn_config_read_shapes(tensors, naming, out, err));
    }
    PN_GOTO(done, pn_config_check(out, file, err));
    pn_config_default_preprocess(out);
    const json_t *preprocess_cfg = json_object_get(open_clip, "preprocess_cfg");
    PN_GOTO(done, pn_config_read_preprocess_cfg(preprocess_cfg, out, err));
done:
    json_decref(open_clip);
    json_decref(config);
    return status;
}

pn_status pn_clip_config_load(const char *dir, const pn_safetensors *tensors,
                              const pn_clip_naming *naming, pn_clip_config *out, pn_error *err)
{
    pn_clip_config c = {0};
    if (naming->layout == PN_CLIP_HUGGINGFACE)
        PN_TRY(load_huggingface(dir, naming, &c, err));
    else
        PN_TRY(load_openai(dir, tensors, naming, &c, err));
    *out = c;
    return PN_OK;
}

void pn_config_set_heads(pn_encoder_config *e, uint32_t head_width)
{
    e->head_width = PN_MIN(head_width, e->width);
    e->heads = (e->width + e->head_width - 1) / e->head_width;
}

void pn_config_set_resnet(pn_clip_config *c, uint32_t head_width)
{
    c->patch = PN_RESNET_STRIDE;
    c->vision.width = PN_RESNET_STRIDE * c->resnet.width;
    c->vision.layers = c->vision.mlp = 1;
    c->vision.heads = PN_MAX(c->vision.width / head_width, 1u);
    c->vision.head_width = 0; // an even share
    c->vision.eps = 1e-5f;
}

void pn_config_take_traits(const pn_tensor_names *names, pn_clip_config *c)
{
    c->family = names->family;
    c->class_token = names->class_embedding != NULL;
    c->vision.pooling = names->vision_pooling;
    c->text.pooling = names->text_pooling;
    c->text.causal = names->text_causal;
    c->text.post_norm = names->text_post_norm;
    c->padded = names->text_padded;
}

const char *pn_clip_layout_name(pn_clip_layout layout)
{
    static const char *const names[] = {[PN_CLIP_HUGGINGFACE] = "huggingface",
                                        [PN_CLIP_OPEN_CLIP] = "open_clip",
                                        [PN_CLIP_OPENAI] = "openai"};
    return names[layout];
}

const char *pn_clip_family_name(pn_clip_family family)
{
    static const char *const names[] = {[PN_FAMILY_CLIP] = "clip",
                                        [PN_FAMILY_CHINESE_CLIP] = "chinese-clip",
                                        [PN_FAMILY_SIGLIP] = "siglip"};
    return names[family];
}

const char *pn_clip_activation_name(pn_clip_activation activation)
{
    static const char *const names[] = {[PN_CLIP_QUICK_GELU] = "quick_gelu",
                                        [PN_CLIP_GELU] = "gelu",
                                        [PN_CLIP_GELU_TANH] = "gelu_tanh"};
    return names[activation];
}

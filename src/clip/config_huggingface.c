/*
 * config_huggingface.c - config.json of a CLIPModel, ChineseCLIPModel or SiglipModel
 *
 *     {"model_type": "clip", "projection_dim": 512, "text_config": {...}, "vision_config": {...}}
 *
 * Real files leave out whatever has its default, so every key has one here. Old files repeat the two parts as
 * text_config_dict and vision_config_dict, and those win where they are present. The projection_dim inside the parts
 * is unreliable and not read.
 */
#include "clip/internal.h"
#include "clip/tensor_names.h"

#include <stddef.h>
#include <string.h>

static const char file[] = "config.json";

/* fallback: what each family's framework means when the key is missing */
typedef struct key_row {
    const char *key;
    size_t offset; /* of a uint32_t in pn_clip_config */
    uint32_t fallback[PN_FAMILY_SIGLIP + 1], most;
} key_row;

#define FIELD(member) offsetof(pn_clip_config, member)
static const key_row text_keys[] = {
    {"hidden_size", FIELD(text.width), {512, 768, 768}, PN_CLIP_MAX_WIDTH},
    {"intermediate_size", FIELD(text.mlp), {2048, 3072, 3072}, PN_CLIP_MAX_MLP},
    {"num_hidden_layers", FIELD(text.layers), {12, 12, 12}, PN_CLIP_MAX_LAYERS},
    {"num_attention_heads", FIELD(text.heads), {8, 12, 12}, PN_CLIP_MAX_WIDTH},
    {"vocab_size", FIELD(vocabulary), {49408, 30522, 32000}, PN_CLIP_MAX_VOCABULARY},
    {"max_position_embeddings", FIELD(positions), {77, 512, 64}, PN_CLIP_MAX_CONTEXT},
};
static const key_row vision_keys[] = {
    {"hidden_size", FIELD(vision.width), {768, 768, 768}, PN_CLIP_MAX_WIDTH},
    {"intermediate_size", FIELD(vision.mlp), {3072, 3072, 3072}, PN_CLIP_MAX_MLP},
    {"num_hidden_layers", FIELD(vision.layers), {12, 12, 12}, PN_CLIP_MAX_LAYERS},
    {"num_attention_heads", FIELD(vision.heads), {12, 12, 12}, PN_CLIP_MAX_WIDTH},
    {"patch_size", FIELD(patch), {32, 32, 16}, PN_CLIP_MAX_PATCH_PX},
};

/* The same for what is no whole number. Chinese-CLIP's encoders differ from each other. */
typedef struct encoder_defaults {
    const char *activation;
    double eps;
} encoder_defaults;
static const encoder_defaults vision_defaults[] = {
    [PN_FAMILY_CLIP] = {"quick_gelu", 1e-5},
    [PN_FAMILY_CHINESE_CLIP] = {"quick_gelu", 1e-5},
    [PN_FAMILY_SIGLIP] = {"gelu_pytorch_tanh", 1e-6}};
static const encoder_defaults text_defaults[] = {[PN_FAMILY_CLIP] = {"quick_gelu", 1e-5},
                                                 [PN_FAMILY_CHINESE_CLIP] = {"gelu", 1e-12},
                                                 [PN_FAMILY_SIGLIP] = {"gelu_pytorch_tanh", 1e-6}};

/* A part of the configuration: the newer object, and the older one that overrules it. Either may be NULL. */
typedef struct part {
    const json_t *plain, *overruling;
} part;

static part part_of(const json_t *config, const char *name, const char *overruling_name)
{
    return (part){json_object_get(config, name), json_object_get(config, overruling_name)};
}

/* The object that has the key, or NULL. */
static const json_t *holder(part p, const char *key)
{
    return json_object_get(p.overruling, key) ? p.overruling : p.plain;
}

static pn_status read_keys(part p, const key_row *rows, size_t n, pn_clip_config *out,
                           pn_error *err)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t value;
        PN_TRY(pn_json_u32(holder(p, rows[i].key), file, rows[i].key, 1, rows[i].most,
                           rows[i].fallback[out->family], &value, err));
        memcpy((char *)out + rows[i].offset, &value, sizeof value);
    }
    return PN_OK;
}

static pn_status read_activation(part p, const char *fallback, pn_clip_activation *out,
                                 pn_error *err)
{
    static const struct {
        const char *name;
        pn_clip_activation activation;
    } names[] = {{"quick_gelu", PN_CLIP_QUICK_GELU},       {"gelu", PN_CLIP_GELU},
                 {"gelu_pytorch_tanh", PN_CLIP_GELU_TANH}, {"gelu_new", PN_CLIP_GELU_TANH},
                 {"gelu_fast", PN_CLIP_GELU_TANH},         {"gelu_python", PN_CLIP_GELU}};
    const json_t *value = json_object_get(holder(p, "hidden_act"), "hidden_act");
    const char *name = value ? json_string_value(value) : fallback;
    for (size_t i = 0; name && i < PN_COUNT_OF(names); i++)
        if (strcmp(name, names[i].name) == 0) {
            *out = names[i].activation;
            return PN_OK;
        }
    return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: hidden_act \"%s\"", file, name ? name : "");
}

static pn_status read_encoder(part p, encoder_defaults defaults, pn_encoder_config *out,
                              pn_error *err)
{
    double eps;
    PN_TRY(read_activation(p, defaults.activation, &out->activation, err));
    PN_TRY(pn_json_number(holder(p, "layer_norm_eps"), file, "layer_norm_eps", defaults.eps, &eps,
                          err));
    if (!(eps >= 0 && eps < 1))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: layer_norm_eps %g", file, eps);
    out->eps = (float)eps;
    return PN_OK;
}

/* 2 was written into every old configuration by mistake; the models pool at the largest id. */
static pn_status read_end_token(part p, int64_t *out, pn_error *err)
{
    const json_t *value = json_object_get(holder(p, "eos_token_id"), "eos_token_id");
    json_int_t id = value ? json_integer_value(value) : 49407;
    if (value && (!json_is_integer(value) || id < 0))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: eos_token_id is not a token", file);
    *out = id == 2 ? -1 : (int64_t)id;
    return PN_OK;
}

static pn_status check_model_type(const json_t *config, const char *wanted, pn_error *err)
{
    const json_t *value = json_object_get(config, "model_type");
    const char *type = json_string_value(value);
    if (value && (!type || strcmp(type, wanted) != 0))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: model_type \"%s\": only \"%s\" is supported with these tensors", file,
                       type ? type : "", wanted);
    return PN_OK;
}

/* How many tokens a text may have, and what fills it up. */
static pn_status read_text_length(part text, pn_clip_config *c, pn_error *err)
{
    c->context = c->positions;
    if (c->family == PN_FAMILY_CHINESE_CLIP)
        c->context = PN_MIN(c->positions, (uint32_t)PN_CHINESE_CONTEXT);
    if (c->padded)
        PN_TRY(pn_json_u32(holder(text, "pad_token_id"), file, "pad_token_id", 0, c->vocabulary - 1,
                           1, &c->pad_token, err));
    return PN_OK;
}

/* SigLIP has no common projection: both encoders end in the same width. */
static pn_status read_dim(const json_t *config, part text, pn_clip_config *c, pn_error *err)
{
    if (c->family != PN_FAMILY_SIGLIP)
        return pn_json_u32(config, file, "projection_dim", 1, PN_CLIP_MAX_WIDTH, 0, &c->dim, err);
    PN_TRY(pn_json_u32(holder(text, "projection_size"), file, "projection_size", 1,
                       PN_CLIP_MAX_WIDTH, c->text.width, &c->dim, err));
    if (c->dim != c->vision.width)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: texts of %u values, pictures of %u", file, c->dim,
                       c->vision.width);
    return PN_OK;
}

pn_status pn_config_read_huggingface(const json_t *config, const pn_tensor_names *names,
                                     pn_clip_config *out, pn_error *err)
{
    if (!json_is_object(config))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: not an object", file);
    PN_TRY(check_model_type(config, names->model_type, err));
    part text = part_of(config, "text_config", "text_config_dict");
    part vision = part_of(config, "vision_config", "vision_config_dict");
    pn_clip_config c = {.layout = PN_CLIP_HUGGINGFACE};
    pn_config_take_traits(names, &c);
    PN_TRY(read_keys(text, text_keys, PN_COUNT_OF(text_keys), &c, err));
    PN_TRY(read_keys(vision, vision_keys, PN_COUNT_OF(vision_keys), &c, err));
    PN_TRY(read_encoder(text, text_defaults[c.family], &c.text, err));
    PN_TRY(read_encoder(vision, vision_defaults[c.family], &c.vision, err));
    PN_TRY(read_text_length(text, &c, err));
    if (c.text.pooling == PN_POOL_END)
        PN_TRY(read_end_token(text, &c.end_token, err));
    PN_TRY(read_dim(config, text, &c, err));

    uint32_t channels;
    PN_TRY(pn_json_u32(holder(vision, "num_channels"), file, "num_channels", 1, 1024, 3, &channels,
                       err));
    if (channels != 3)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: num_channels %u: only 3 is supported", file,
                       channels);
    c.image_height = c.image_width = 224;
    const json_t *image_size = json_object_get(holder(vision, "image_size"), "image_size");
    if (image_size)
        PN_TRY(pn_json_size(image_size, file, "image_size", PN_CLIP_MAX_IMAGE_PX, &c.image_height,
                            &c.image_width, err));
    *out = c;
    return PN_OK;
}

/*
 * config_open_clip.c - open_clip_config.json
 *
 *     {"model_cfg": {"embed_dim": 512, "quick_gelu": false, "vision_cfg": {...}, "text_cfg": {...}},
 *      "preprocess_cfg": {...}}
 *
 * open_clip can switch dozens of details on. Those that change the computation are listed in `refused`, with the value
 * that means "off"; anything else there stops the model at the door with the setting's name.
 */
#include "clip/internal.h"
#include "clip/tensor_names.h"

#include <math.h>
#include <string.h>

static const char file[] = "open_clip_config.json";

typedef enum cfg_part { IN_MODEL, IN_VISION, IN_TEXT } cfg_part;
static const char *const part_names[] = {"model_cfg", "vision_cfg", "text_cfg"};

/* Missing, null, false and `allowed` pass; anything else is UNSUPPORTED. */
typedef struct refused_row {
    cfg_part part;
    const char *key;
    const char *allowed;
} refused_row;

static const refused_row refused[] = {
    {IN_MODEL, "multimodal_cfg", NULL},
    {IN_MODEL, "audio_cfg", NULL},
    {IN_VISION, "ls_init_value", NULL},
    {IN_VISION, "attentional_pool", NULL},
    {IN_VISION, "input_patchnorm", NULL},
    {IN_VISION, "global_average_pool", NULL},
    {IN_VISION, "no_ln_pre", NULL},
    {IN_VISION, "pos_embed_type", "learnable"},
    {IN_VISION, "final_ln_after_pool", NULL},
    {IN_VISION, "pool_type", "tok"},
    {IN_VISION, "qk_norm", NULL},
    {IN_VISION, "block_type", "default"},
    {IN_VISION, "scaled_cosine_attn", NULL},
    {IN_VISION, "scale_heads", NULL},
    {IN_VISION, "scale_attn_inner", NULL},
    {IN_VISION, "scale_attn", NULL},
    {IN_VISION, "scale_fc", NULL},
    {IN_TEXT, "hf_model_name", NULL},
    {IN_TEXT, "ls_init_value", NULL},
    {IN_TEXT, "embed_cls", NULL},
    {IN_TEXT, "final_ln_after_pool", NULL},
    {IN_TEXT, "proj_type", "linear"},
    {IN_TEXT, "qk_norm", NULL},
    {IN_TEXT, "block_type", "default"},
    {IN_TEXT, "scaled_cosine_attn", NULL},
    {IN_TEXT, "scale_heads", NULL},
    {IN_TEXT, "scale_attn_inner", NULL},
    {IN_TEXT, "scale_attn", NULL},
    {IN_TEXT, "scale_fc", NULL},
};

static pn_status check_refused(const json_t *const parts[3], pn_error *err)
{
    for (size_t i = 0; i < PN_COUNT_OF(refused); i++) {
        const refused_row *row = &refused[i];
        const json_t *value = json_object_get(parts[row->part], row->key);
        const char *text = json_string_value(value);
        if (pn_json_is_off(value) || (text && row->allowed && strcmp(text, row->allowed) == 0))
            continue;
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: %s: %s%s%s is not supported", file,
                       part_names[row->part], row->key, text ? " " : "", text ? text : "");
    }
    return PN_OK;
}

/* Settings that a family has, and the others do not. */
static pn_status check_family(const json_t *text, pn_clip_family family, pn_error *err)
{
    const bool siglip = family == PN_FAMILY_SIGLIP;
    static const char *const switches[] = {"no_causal_mask", "proj_bias"};
    for (size_t i = 0; i < PN_COUNT_OF(switches); i++)
        if (pn_json_is_off(json_object_get(text, switches[i])) == siglip)
            return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: text_cfg: %s is %s with these tensors",
                           file, switches[i], siglip ? "needed" : "not supported");
    const char *wanted = siglip ? "last" : "argmax";
    const json_t *pool = json_object_get(text, "pool_type");
    const char *name = json_string_value(pool);
    if (!(pool || siglip) || (name && strcmp(name, wanted) == 0))
        return PN_OK;
    return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: text_cfg: pool_type %s is not supported", file,
                   name ? name : "(missing)");
}

/* canonicalize cleans texts as SigLIP's tokenizer does; CLIP's does otherwise */
static pn_status check_cleaning(const json_t *text, pn_clip_family family, pn_error *err)
{
    const json_t *clean = json_object_get(json_object_get(text, "tokenizer_kwargs"), "clean");
    const char *name = json_string_value(clean);
    if (pn_json_is_off(clean))
        return PN_OK;
    if (name && (family == PN_FAMILY_SIGLIP
                     ? strcmp(name, "canonicalize") == 0
                     : strcmp(name, "lower") == 0 || strcmp(name, "whitespace") == 0))
        return PN_OK;
    return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: tokenizer_kwargs: clean %s", file,
                   name ? name : "");
}

/* act_kwargs and norm_kwargs of one encoder. */
static pn_status read_details(const json_t *part, bool quick_gelu, pn_encoder_config *out,
                              pn_error *err)
{
    const json_t *approximate = json_object_get(json_object_get(part, "act_kwargs"), "approximate");
    const char *name = json_string_value(approximate);
    out->activation = quick_gelu ? PN_CLIP_QUICK_GELU : PN_CLIP_GELU;
    if (name && strcmp(name, "tanh") == 0)
        out->activation = PN_CLIP_GELU_TANH;
    else if (!pn_json_is_off(approximate) && !(name && strcmp(name, "none") == 0))
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: act_kwargs: approximate %s", file,
                       name ? name : "");
    double eps;
    PN_TRY(pn_json_number(json_object_get(part, "norm_kwargs"), file, "eps", 1e-5, &eps, err));
    if (!(eps >= 0 && eps < 1))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: norm_kwargs: eps %g", file, eps);
    out->eps = (float)eps;
    return PN_OK;
}

static pn_status read_mlp(const json_t *part, pn_encoder_config *out, pn_error *err)
{
    double ratio;
    PN_TRY(pn_json_number(part, file, "mlp_ratio", 4.0, &ratio, err));
    double mlp = floor(ratio * out->width); /* as the reference's int() */
    if (!(mlp >= 1 && mlp <= PN_CLIP_MAX_MLP))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: mlp_ratio %g", file, ratio);
    out->mlp = (uint32_t)mlp;
    return PN_OK;
}

static pn_status read_image_size(const json_t *part, pn_clip_config *c, pn_error *err)
{
    c->image_height = c->image_width = 224;
    const json_t *image_size = json_object_get(part, "image_size");
    if (!image_size || json_is_null(image_size))
        return PN_OK;
    return pn_json_size(image_size, file, "image_size", PN_CLIP_MAX_IMAGE_PX, &c->image_height,
                        &c->image_width, err);
}

/* {"layers": [3, 4, 6, 3], "width": 64}: a ModifiedResNet */
static pn_status read_resnet(const json_t *part, pn_clip_config *c, pn_error *err)
{
    const json_t *layers = json_object_get(part, "layers");
    uint32_t head_width;
    if (json_array_size(layers) != PN_COUNT_OF(c->resnet.layers))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: vision_cfg: layers of %zu stages", file,
                       json_array_size(layers));
    for (size_t i = 0; i < PN_COUNT_OF(c->resnet.layers); i++) {
        json_int_t n = json_integer_value(json_array_get(layers, i));
        if (n < 1 || n > PN_CLIP_MAX_LAYERS)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: vision_cfg: layers", file);
        c->resnet.layers[i] = (uint32_t)n;
    }
    PN_TRY(pn_json_u32(part, file, "width", 1, PN_CLIP_MAX_WIDTH / PN_RESNET_STRIDE, 64,
                       &c->resnet.width, err));
    PN_TRY(pn_json_u32(part, file, "head_width", 1, PN_CLIP_MAX_WIDTH, 64, &head_width, err));
    pn_config_set_resnet(c, head_width);
    return read_image_size(part, c, err);
}

/* timm's models by name: what their shapes do not tell. */
typedef struct timm_row {
    const char *name; /* how it begins: the picture's size follows */
    uint32_t heads;
    pn_clip_activation activation;
} timm_row;
static const timm_row timm_models[] = {
    {"vit_base_patch16_siglip_", 12, PN_CLIP_GELU},
    {"vit_base_patch32_siglip_", 12, PN_CLIP_GELU_TANH},
};

static pn_status read_timm(const json_t *part, const json_t *text, const pn_safetensors *tensors,
                           const pn_clip_naming *naming, pn_clip_config *c, pn_error *err)
{
    const char *name = json_string_value(json_object_get(part, "timm_model_name"));
    const char *pool = json_string_value(json_object_get(part, "timm_pool"));
    const char *projection = json_string_value(json_object_get(part, "timm_proj"));
    if (!name || !pool || strcmp(pool, "map") != 0 ||
        (projection && strcmp(projection, "none") != 0))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: vision_cfg: timm_model_name %s with timm_pool %s, timm_proj %s", file,
                       name ? name : "(missing)", pool ? pool : "(missing)",
                       projection ? projection : "(missing)");
    PN_TRY(pn_config_read_vision_shapes(tensors, naming, c, err));
    c->vision.eps = 1e-6f;    /* timm's */
    c->vision.head_width = 0; // the number of heads follows
    for (size_t i = 0; i < PN_COUNT_OF(timm_models); i++)
        if (strncmp(name, timm_models[i].name, strlen(timm_models[i].name)) == 0) {
            c->vision.heads = timm_models[i].heads;
            c->vision.activation = timm_models[i].activation;
            return read_image_size(part, c, err);
        }
    /* one of somebody's own, if the file says what we would have to guess */
    if (!json_object_get(part, "heads"))
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: timm_model_name %s", file, name);
    PN_TRY(pn_json_u32(part, file, "heads", 1, PN_CLIP_MAX_WIDTH, 12, &c->vision.heads, err));
    pn_encoder_config details = {0};
    PN_TRY(read_details(json_object_get(part, "act_kwargs") ? part : text, false, &details, err));
    c->vision.activation = details.activation;
    return read_image_size(part, c, err);
}

static pn_status read_vision(const json_t *part, pn_clip_config *c, pn_error *err)
{
    uint32_t head_width;
    PN_TRY(pn_json_u32(part, file, "width", 1, PN_CLIP_MAX_WIDTH, 768, &c->vision.width, err));
    PN_TRY(pn_json_u32(part, file, "layers", 1, PN_CLIP_MAX_LAYERS, 12, &c->vision.layers, err));
    PN_TRY(pn_json_u32(part, file, "head_width", 1, PN_CLIP_MAX_WIDTH, 64, &head_width, err));
    PN_TRY(pn_json_u32(part, file, "patch_size", 1, PN_CLIP_MAX_PATCH_PX, 16, &c->patch, err));
    if (c->vision.width % head_width != 0 && head_width != PN_USUAL_HEAD_WIDTH)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: head_width %u does not divide width %u", file,
                       head_width, c->vision.width);
    pn_config_set_heads(&c->vision, head_width); // pruning leaves widths that 64 does not divide
    PN_TRY(read_image_size(part, c, err));
    return read_mlp(part, &c->vision, err);
}

static pn_status read_text(const json_t *part, pn_clip_config *c, pn_error *err)
{
    PN_TRY(pn_json_u32(part, file, "width", 1, PN_CLIP_MAX_WIDTH, 512, &c->text.width, err));
    PN_TRY(pn_json_u32(part, file, "layers", 1, PN_CLIP_MAX_LAYERS, 12, &c->text.layers, err));
    PN_TRY(pn_json_u32(part, file, "heads", 1, PN_CLIP_MAX_WIDTH, 8, &c->text.heads, err));
    pn_encoder_config usual = c->text;
    pn_config_set_heads(&usual, PN_USUAL_HEAD_WIDTH);
    if (usual.heads == c->text.heads) // also of an odd width, which pruning leaves
        c->text.head_width = usual.head_width;
    PN_TRY(pn_json_u32(part, file, "context_length", 1, PN_CLIP_MAX_CONTEXT, 77, &c->context, err));
    PN_TRY(pn_json_u32(part, file, "vocab_size", 1, PN_CLIP_MAX_VOCABULARY, 49408, &c->vocabulary,
                       err));
    c->positions = c->context;
    if (c->padded) /* open_clip's class fills up with 1, T5's end token, whatever the tokenizer */
        PN_TRY(pn_json_u32(part, file, "pad_id", 0, c->vocabulary - 1, 1, &c->pad_token, err));
    return read_mlp(part, &c->text, err);
}

/* The vision encoder that the tensors have, with its own part of the file. */
static pn_status read_any_vision(const json_t *const parts[3], const pn_safetensors *tensors,
                                 const pn_clip_naming *naming, bool quick_gelu, pn_clip_config *c,
                                 pn_error *err)
{
    const json_t *part = parts[IN_VISION];
    if (naming->names->family == PN_FAMILY_SIGLIP)
        return read_timm(part, parts[IN_TEXT], tensors, naming, c, err);
    if (!pn_json_is_off(json_object_get(part, "timm_model_name")))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: vision_cfg: timm_model_name is not supported with these tensors", file);
    bool is_resnet = json_is_array(json_object_get(part, "layers"));
    if (is_resnet != !naming->names->vision_block)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: vision_cfg: layers: the tensors are of a %s", file,
                       is_resnet ? "transformer" : "ResNet");
    if (is_resnet)
        return read_resnet(part, c, err);
    PN_TRY(read_vision(part, c, err));
    return read_details(part, quick_gelu, &c->vision, err);
}

pn_status pn_config_read_open_clip(const json_t *config, const pn_safetensors *tensors,
                                   const pn_clip_naming *naming, pn_clip_config *out, pn_error *err)
{
    const json_t *model = json_object_get(config, "model_cfg");
    const json_t *const parts[3] = {model, json_object_get(model, "vision_cfg"),
                                    json_object_get(model, "text_cfg")};
    for (size_t i = 0; i < 3; i++)
        if (!json_is_object(parts[i]))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: no %s", file, part_names[i]);
    const pn_clip_family family = naming->names->family;
    PN_TRY(check_refused(parts, err));
    PN_TRY(check_family(parts[IN_TEXT], family, err));
    PN_TRY(check_cleaning(parts[IN_TEXT], family, err));
    bool quick_gelu = json_is_true(json_object_get(model, "quick_gelu"));
    pn_clip_config c = {.layout = PN_CLIP_OPEN_CLIP, .end_token = -1};
    pn_config_take_traits(naming->names, &c);
    PN_TRY(read_any_vision(parts, tensors, naming, quick_gelu, &c, err));
    PN_TRY(read_text(parts[IN_TEXT], &c, err));
    PN_TRY(read_details(parts[IN_TEXT], quick_gelu, &c.text, err));
    PN_TRY(pn_json_u32(model, file, "embed_dim", 1, PN_CLIP_MAX_WIDTH, 0, &c.dim, err));
    *out = c;
    return PN_OK;
}

/*
 * tensor_names.c - the rows of names, and the tensors that tell which row it is
 *
 * The architecture is detected from the tensors and not from a name in a file: files get renamed, weights do not.
 * `markers` is read from top to bottom; the first row whose tensor is there (under one of the known prefixes) decides.
 * Rows with a reason are architectures that we know and refuse.
 *
 * pre_layrnorm is misspelt in every Hugging Face file and has to stay so.
 */
#include "clip/tensor_names.h"

#include <string.h>

/* ---- blocks */

#define APART(stem)                                                                                \
    {                                                                                              \
        stem ".weight", stem ".bias", 0, 1                                                         \
    }
#define PIECE(weight, bias, i, n)                                                                  \
    {                                                                                              \
        weight, bias, i, n                                                                         \
    }

static const pn_block_names huggingface_block = {
    .folder = "encoder.layers.#.",
    .norm1 = "layer_norm1",
    .norm2 = "layer_norm2",
    .out = "self_attn.out_proj",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
    .qkv = {APART("self_attn.q_proj"), APART("self_attn.k_proj"), APART("self_attn.v_proj")},
};

static const pn_block_names openai_block = {
    .folder = "transformer.resblocks.#.",
    .norm1 = "ln_1",
    .norm2 = "ln_2",
    .out = "attn.out_proj",
    .fc1 = "mlp.c_fc",
    .fc2 = "mlp.c_proj",
    .qkv = {PIECE("attn.in_proj_weight", "attn.in_proj_bias", 0, 3),
            PIECE("attn.in_proj_weight", "attn.in_proj_bias", 1, 3),
            PIECE("attn.in_proj_weight", "attn.in_proj_bias", 2, 3)},
};

static const pn_block_names timm_block = {
    .folder = "blocks.#.",
    .norm1 = "norm1",
    .norm2 = "norm2",
    .out = "attn.proj",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
    .qkv = {PIECE("attn.qkv.weight", "attn.qkv.bias", 0, 3),
            PIECE("attn.qkv.weight", "attn.qkv.bias", 1, 3),
            PIECE("attn.qkv.weight", "attn.qkv.bias", 2, 3)},
};

static const pn_block_names bert_block = {
    .folder = "encoder.layer.#.",
    .norm1 = "attention.output.LayerNorm",
    .norm2 = "output.LayerNorm",
    .out = "attention.output.dense",
    .fc1 = "intermediate.dense",
    .fc2 = "output.dense",
    .qkv = {APART("attention.self.query"), APART("attention.self.key"),
            APART("attention.self.value")},
};

static const pn_block_names siglip_head = {
    .folder = "head.",
    .norm2 = "layernorm",
    .out = "attention.out_proj",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
    .qkv = {PIECE("attention.in_proj_weight", "attention.in_proj_bias", 0, 3),
            PIECE("attention.in_proj_weight", "attention.in_proj_bias", 1, 3),
            PIECE("attention.in_proj_weight", "attention.in_proj_bias", 2, 3)},
};

static const pn_block_names timm_head = {
    .folder = "attn_pool.",
    .norm2 = "norm",
    .out = "proj",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
    .qkv = {APART("q"), PIECE("kv.weight", "kv.bias", 0, 2), PIECE("kv.weight", "kv.bias", 1, 2)},
};

/* ---- encoders, shared by several rows */

#define HUGGINGFACE_VISION                                                                         \
    .vision = "vision_model.", .patch = "embeddings.patch_embedding.weight",                       \
    .vision_position = "embeddings.position_embedding.weight", .post_norm = "post_layernorm",      \
    .vision_block = &huggingface_block
#define HUGGINGFACE_CLIP_VISION                                                                    \
    HUGGINGFACE_VISION, .class_embedding = "embeddings.class_embedding",                           \
                        .pre_norm = "pre_layrnorm",                                                \
                        .vision_projection = "visual_projection.weight"
#define HUGGINGFACE_TEXT                                                                           \
    .text = "text_model.", .token_embedding = "embeddings.token_embedding.weight",                 \
    .text_position = "embeddings.position_embedding.weight", .final_norm = "final_layer_norm",     \
    .text_block = &huggingface_block
#define OPENAI_VISION                                                                              \
    .vision = "visual.", .patch = "conv1.weight", .class_embedding = "class_embedding",            \
    .vision_position = "positional_embedding", .pre_norm = "ln_pre", .post_norm = "ln_post",       \
    .vision_block = &openai_block, .vision_projection = "visual.proj",                             \
    .vision_projection_transposed = true
#define OPENAI_TEXT                                                                                \
    .text = "", .token_embedding = "token_embedding.weight",                                       \
    .text_position = "positional_embedding", .final_norm = "ln_final", .text_block = &openai_block
#define OPENAI_TEXT_PROJECTION                                                                     \
    .text_projection = "text_projection", .text_projection_transposed = true
#define BERT_TEXT                                                                                  \
    .token_embedding = "embeddings.word_embeddings.weight",                                        \
    .text_position = "embeddings.position_embeddings.weight",                                      \
    .token_type = "embeddings.token_type_embeddings.weight",                                       \
    .embedding_norm = "embeddings.LayerNorm", .text_block = &bert_block,                           \
    .text_pooling = PN_POOL_FIRST, .text_post_norm = true

/* ---- rows */

static const pn_tensor_names huggingface_clip = {
    .family = PN_FAMILY_CLIP,
    .model_type = "clip",
    HUGGINGFACE_CLIP_VISION,
    HUGGINGFACE_TEXT,
    .text_projection = "text_projection.weight",
    .vision_pooling = PN_POOL_FIRST,
    .text_pooling = PN_POOL_END,
    .text_causal = true,
    .logit_scale = "logit_scale",
};

static const pn_tensor_names openai_clip = {
    .family = PN_FAMILY_CLIP,
    .model_type = "clip",
    OPENAI_VISION,
    OPENAI_TEXT,
    OPENAI_TEXT_PROJECTION,
    .vision_pooling = PN_POOL_FIRST,
    .text_pooling = PN_POOL_END,
    .text_causal = true,
    .logit_scale = "logit_scale",
};

static const pn_tensor_names huggingface_chinese = {
    .family = PN_FAMILY_CHINESE_CLIP,
    .model_type = "chinese_clip",
    HUGGINGFACE_CLIP_VISION,
    .text = "text_model.",
    BERT_TEXT,
    .text_projection = "text_projection.weight",
    .vision_pooling = PN_POOL_FIRST,
    .logit_scale = "logit_scale",
};

static const pn_tensor_names original_chinese = {
    .family = PN_FAMILY_CHINESE_CLIP,
    .model_type = "chinese_clip",
    OPENAI_VISION,
    .text = "bert.",
    BERT_TEXT,
    OPENAI_TEXT_PROJECTION,
    .vision_pooling = PN_POOL_FIRST,
    .logit_scale = "logit_scale",
};

static const pn_tensor_names huggingface_siglip = {
    .family = PN_FAMILY_SIGLIP,
    .model_type = "siglip",
    HUGGINGFACE_VISION,
    .patch_bias = "embeddings.patch_embedding.bias",
    .probe = "head.probe",
    .head = &siglip_head,
    HUGGINGFACE_TEXT,
    .text_projection = "text_model.head.weight",
    .text_projection_bias = "text_model.head.bias",
    .vision_pooling = PN_POOL_PROBE,
    .text_pooling = PN_POOL_LAST,
    .text_padded = true,
    .logit_scale = "logit_scale",
};

static const pn_tensor_names timm_siglip = {
    .family = PN_FAMILY_SIGLIP,
    .model_type = "siglip",
    .vision = "visual.trunk.",
    .patch = "patch_embed.proj.weight",
    .patch_bias = "patch_embed.proj.bias",
    .vision_position = "pos_embed",
    .post_norm = "norm",
    .vision_block = &timm_block,
    .probe = "attn_pool.latent",
    .head = &timm_head,
    OPENAI_TEXT,
    .text_projection = "text_projection.weight",
    .text_projection_bias = "text_projection.bias",
    .vision_pooling = PN_POOL_PROBE,
    .text_pooling = PN_POOL_LAST,
    .text_padded = true,
    .logit_scale = "logit_scale",
};

static const pn_tensor_names openai_resnet = {
    .family = PN_FAMILY_CLIP,
    .model_type = "clip",
    .vision = "visual.",
    OPENAI_TEXT,
    OPENAI_TEXT_PROJECTION,
    .text_pooling = PN_POOL_END,
    .text_causal = true,
    .logit_scale = "logit_scale",
};

/* ---- telling them apart */

typedef struct marker_row {
    const char *tensor; /* a name; one that ends in "." is a prefix of names */
    const pn_tensor_names *names;
    const char *refused; /* without names: why not */
    pn_clip_layout layout;
} marker_row;

static const marker_row markers[] = {
    {"text_model.encoder.layer.0.attention.self.query.weight", &huggingface_chinese, NULL,
     PN_CLIP_HUGGINGFACE},
    {"bert.embeddings.word_embeddings.weight", &original_chinese, NULL, PN_CLIP_OPENAI},
    {"vision_model.head.probe", &huggingface_siglip, NULL, PN_CLIP_HUGGINGFACE},
    {"visual.trunk.attn_pool.latent", &timm_siglip, NULL, PN_CLIP_OPENAI},
    {"visual.trunk.", NULL, "a timm vision encoder (MobileCLIP and others)", PN_CLIP_OPENAI},
    {"visual.layer1.0.conv1.weight", &openai_resnet, NULL, PN_CLIP_OPENAI},
    {"image_encoder.", NULL, "MobileCLIP (hybrid vision encoder)", PN_CLIP_OPENAI},
    {"text.transformer.embeddings.", NULL, "a text encoder of another library", PN_CLIP_OPENAI},
    {"visual_projection.weight", &huggingface_clip, NULL, PN_CLIP_HUGGINGFACE},
    {"visual.proj", &openai_clip, NULL, PN_CLIP_OPENAI},
};

static const char *const prefixes[] = {"", "model.", "module."};

/* Is there a tensor prefix + name, or one that begins so when name ends in a dot? */
static bool has(const pn_safetensors *tensors, const char *prefix, const char *name)
{
    size_t p = strlen(prefix), n = strlen(name);
    bool any = name[n - 1] == '.';
    for (size_t i = 0; i < pn_safetensors_count(tensors); i++) {
        const char *there = pn_safetensors_at(tensors, i)->name;
        if (strncmp(there, prefix, p) == 0 &&
            (any ? strncmp(there + p, name, n) == 0 : strcmp(there + p, name) == 0))
            return true;
    }
    return false;
}

pn_status pn_clip_naming_detect(const pn_safetensors *tensors, pn_clip_naming *out, pn_error *err)
{
    for (size_t i = 0; i < PN_COUNT_OF(prefixes); i++)
        for (size_t j = 0; j < PN_COUNT_OF(markers); j++) {
            const char *prefix = prefixes[i];
            if (!has(tensors, prefix, markers[j].tensor))
                continue;
            if (!markers[j].names)
                return pn_fail(err, PN_ERR_UNSUPPORTED,
                               "%s is not supported (the weights have %s%s)", markers[j].refused,
                               prefix, markers[j].tensor);
            bool custom = has(tensors, prefix, "text.token_embedding.weight");
            *out = (pn_clip_naming){markers[j].layout, markers[j].names, prefix,
                                    custom ? "text." : ""};
            return PN_OK;
        }
    return pn_fail(
        err, PN_ERR_UNSUPPORTED,
        "no known CLIP model: neither visual_projection.weight nor visual.proj is there");
}

/*
 * tensor_names.c - the table of names
 *
 * pre_layrnorm is misspelt in every Hugging Face file and has to stay so.
 */
#include "clip/tensor_names.h"

static const pn_tensor_names huggingface = {
    .vision = "vision_model.",
    .text = "text_model.",
    .patch = "embeddings.patch_embedding.weight",
    .class_embedding = "embeddings.class_embedding",
    .vision_position = "embeddings.position_embedding.weight",
    .pre_norm = "pre_layrnorm",
    .post_norm = "post_layernorm",
    .token_embedding = "embeddings.token_embedding.weight",
    .text_position = "embeddings.position_embedding.weight",
    .final_norm = "final_layer_norm",
    .vision_projection = "visual_projection.weight",
    .text_projection = "text_projection.weight",
    .projections_transposed = false,
    .logit_scale = "logit_scale",
    .block = {.folder = "encoder.layers.#.",
              .norm1 = "layer_norm1",
              .norm2 = "layer_norm2",
              .out = "self_attn.out_proj",
              .fc1 = "mlp.fc1",
              .fc2 = "mlp.fc2",
              .q = "self_attn.q_proj",
              .k = "self_attn.k_proj",
              .v = "self_attn.v_proj"},
};

static const pn_tensor_names openai = {
    .vision = "visual.",
    .text = "",
    .patch = "conv1.weight",
    .class_embedding = "class_embedding",
    .vision_position = "positional_embedding",
    .pre_norm = "ln_pre",
    .post_norm = "ln_post",
    .token_embedding = "token_embedding.weight",
    .text_position = "positional_embedding",
    .final_norm = "ln_final",
    .vision_projection = "visual.proj",
    .text_projection = "text_projection",
    .projections_transposed = true,
    .logit_scale = "logit_scale",
    .block = {.folder = "transformer.resblocks.#.",
              .norm1 = "ln_1",
              .norm2 = "ln_2",
              .out = "attn.out_proj",
              .fc1 = "mlp.c_fc",
              .fc2 = "mlp.c_proj",
              .qkv_weight = "attn.in_proj_weight",
              .qkv_bias = "attn.in_proj_bias"},
};

const pn_tensor_names *pn_tensor_names_of(pn_clip_layout layout)
{
    return layout == PN_CLIP_HUGGINGFACE ? &huggingface : &openai;
}

/*
 * tensor_names.h - what each published layout calls the tensors of CLIP
 *
 * One row a layout. A name is put together as prefix + part + name, the part being that of the encoder; names of blocks
 * hold the block's number in the place of '#'.
 */
#ifndef PN_CLIP_TENSOR_NAMES_H
#define PN_CLIP_TENSOR_NAMES_H

#include "clip/clip_config.h"

/* Names inside a block; ".weight" and ".bias" are appended by the reader. */
typedef struct pn_block_names {
    const char *folder; /* "encoder.layers.#." */
    const char *norm1, *norm2, *out, *fc1, *fc2;
    const char *q, *k, *v; /* NULL when one tensor holds all three */
    const char *qkv_weight, *qkv_bias;
} pn_block_names;

typedef struct pn_tensor_names {
    /* parts; the text part of OpenAI's names comes from pn_clip_naming */
    const char *vision, *text;
    const char *patch, *class_embedding, *vision_position, *pre_norm, *post_norm;
    const char *token_embedding, *text_position, *final_norm;
    /* without the part; [dim][width], or [width][dim] when transposed */
    const char *vision_projection, *text_projection;
    bool projections_transposed;
    const char *logit_scale;
    pn_block_names block;
} pn_tensor_names;

/* layout: HUGGINGFACE or OPENAI, as in pn_clip_naming. */
const pn_tensor_names *pn_tensor_names_of(pn_clip_layout layout);

#endif

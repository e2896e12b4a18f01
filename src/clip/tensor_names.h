/*
 * tensor_names.h - what each published layout calls the tensors of a model, and which parts that model has
 *
 * One row a layout of a family. A name is put together as prefix + part + name, the part being that of the encoder; names of
 * blocks hold the block's number in the place of '#'. A NULL name is a part that the family does without. Norms and products
 * are named by their stem; ".weight" and ".bias" are appended by the reader.
 *
 * So a family is its row: another one with the same kinds of parts needs no line of code.
 */
#ifndef PN_CLIP_TENSOR_NAMES_H
#define PN_CLIP_TENSOR_NAMES_H

#include "clip/clip_config.h"

/* Where one of q, k and v lies: rows [piece, piece + 1) of `pieces` equal parts of a tensor. */
typedef struct pn_qkv_name {
    const char *weight, *bias;
    uint32_t piece, pieces;
} pn_qkv_name;

typedef struct pn_block_names {
    const char *folder; /* "encoder.layers.#." */
    const char *norm1;  /* NULL: the pooling head, whose input has been normed */
    const char *norm2, *out, *fc1, *fc2;
    pn_qkv_name qkv[3];
} pn_block_names;

struct pn_tensor_names {
    pn_clip_family family;
    const char *model_type; /* of config.json */

    /* vision */
    const char *vision; /* the part */
    const char *patch, *patch_bias;
    const char *class_embedding, *vision_position, *pre_norm, *post_norm;
    const pn_block_names *vision_block; /* NULL: a ResNet (resnet.h) */
    const char *probe;                  /* of the pooling head */
    const pn_block_names *head;
    const char
        *vision_projection; /* without the part; [dim][width], or [width][dim] when transposed */
    bool vision_projection_transposed;

    /* text; the part of open_clip's custom_text comes from pn_clip_naming */
    const char *text;
    const char *token_embedding, *text_position, *token_type, *embedding_norm, *final_norm;
    const pn_block_names *text_block;
    const char *text_projection,
        *text_projection_bias; /* without the part, but with the naming's */
    bool text_projection_transposed;

    /* how the encoders pool, and what they see */
    pn_pooling vision_pooling, text_pooling;
    bool text_causal, text_post_norm, text_padded;

    const char *logit_scale;
};

#endif

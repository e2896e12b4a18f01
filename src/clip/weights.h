/*
 * weights.h - the named tensors as structs
 *
 * Every tensor of the architecture is looked up under the names of its layout, its shape is compared with the
 * configuration, and it is brought into the form the encoders compute with: vectors as f32, matrices packed for the
 * kernels, projections the same way round. Only the token embedding, by far the largest table and read a few rows at a
 * time, stays in the file as it is.
 * Threads: immutable once loaded.
 */
#ifndef PN_CLIP_WEIGHTS_H
#define PN_CLIP_WEIGHTS_H

#include "base/arena.h"
#include "base/hash.h"
#include "clip/clip_config.h"
#include "clip/precision.h"
#include "clip/weight_store.h"
#include "kernels/kernels.h"
#include "os/pool.h"

/* y = x W^T + bias, W [n][k] packed as kernels.h says. bias NULL: none. */
typedef struct pn_linear {
    pn_panels w;
    const float *bias; /* [n] */
    size_t n, k;
    bool rounds_rows; /* its rows become bf16 values first, in f32: panels of BF16 */
} pn_linear;

/* A product that reads something else than f32 has its rows converted first: bytes a value then, 0 for none. */
static inline size_t pn_linear_row_bytes(const pn_linear *linear)
{
    if (linear->w.type == PN_PANEL_I8)
        return 1;
    if (linear->w.type == PN_PANEL_BF16_PAIRS)
        return 2;
    return linear->rounds_rows ? sizeof(float) : 0;
}

typedef struct pn_norm {
    const float *weight, *bias; /* [width] */
} pn_norm;

/*
 * One transformer block. qkv holds three matrices one after the other, each padded with zero columns to whole panels:
 * q at column 0, k at qkv_stride, v at 2 * qkv_stride. attention and mlp are the block's own: what out and fc2 read. They are
 * the configuration's, or less in a pruned model.
 */
typedef struct pn_block {
    pn_norm norm1, norm2;
    size_t heads, attention; /* attention = heads * the encoder's head_width */
    pn_linear qkv;           /* n = 3 * qkv_stride, k = width */
    pn_linear out;           /* n = width, k = attention */
    pn_linear fc1;           /* n = mlp, k = width */
    pn_linear fc2;           /* n = width, k = mlp */
} pn_block;

static inline size_t pn_qkv_stride(size_t attention)
{
    return pn_gemm_panels(attention) * PN_GEMM_PANEL;
}

typedef struct pn_resnet_weights pn_resnet_weights;

typedef struct pn_clip_weights {
    pn_arena arena;        /* the structs */
    pn_weight_store store; /* the numbers */

    /* Parts that the family does without are zero. */
    pn_linear patch;              /* n = width, k = 3 * patch * patch */
    const float *class_embedding; /* [vision width] */
    const float *vision_position; /* [rows][vision width] */
    pn_norm pre_norm, post_norm;
    pn_block *vision_blocks;     /* [vision layers] */
    pn_block head;               /* of the pooling: no norm1 */
    const float *probe_query;    /* [vision width], the head's */
    pn_linear vision_projection; /* n = dim, k = vision width */
    pn_resnet_weights *resnet;   /* in the place of all above; resnet.h */

    const pn_tensor *token_embedding; /* [vocabulary][text width], in the mapped file */
    const float *text_position;       /* [positions][text width] */
    pn_norm embedding_norm;
    pn_block *text_blocks; /* [text layers] */
    pn_norm final_norm;
    pn_linear text_projection; /* n = dim, k = text width */

    pn_clip_precision precision;
    bool prepared;      /* mapped from the cache */
    double logit_scale; /* exp() taken */
    uint32_t dim;
    uint64_t n_parameters;
    pn_dtype dtype; /* of the token embedding: what the file is said to be made of */
    /* hash of all values in f32: the same for every layout and type that holds the same numbers */
    char values_hash[PN_HASH_TEXT_BYTES];
} pn_clip_weights;

/* Where prepared weights are kept for the next time. */
typedef struct pn_weight_cache {
    const char *path;
    char key[PN_HASH_TEXT_BYTES]; /* of everything they are made from */
} pn_weight_cache;

typedef struct pn_weight_options {
    pn_clip_precision precision;
    pn_pool *pool;
    const pn_weight_cache *cache; /* NULL: prepared in memory, every time */
} pn_weight_options;

/*
 * Load the weights of a model.
 *
 * tensors  must outlive *out
 * config   as loaded for these tensors; its dim, when it is not 0, must be the projections'
 * options  a cache that cannot be written is a warning in the log, no error
 * out      the caller's: pn_clip_weights_reset(). Zeroed on failure
 *
 * Errors:  CORRUPT (names the tensor: missing, another shape than the configuration says, not finite); UNSUPPORTED (a dtype
 *          that is no floating point number of 16 or 32 bits; a tensor inside a block that no CLIP block has); NOMEM.
 * Cost:    reads every weight once; B/32: about 0.2 s on two cores.
 */
PN_NODISCARD pn_status pn_clip_weights_load(const pn_safetensors *tensors,
                                            const pn_clip_naming *naming,
                                            const pn_clip_config *config,
                                            const pn_weight_options *options, pn_clip_weights *out,
                                            pn_error *err);
void pn_clip_weights_reset(pn_clip_weights *weights); /* a zeroed one is welcome */

/* Values [first, first + n) of a floating-point tensor as f32. */
void pn_tensor_widen(const pn_tensor *tensor, size_t first, size_t n, float *out);

#endif

/*
 * resnet.h - CLIP's ModifiedResNet: the vision encoder of RN50 and its larger sizes
 *
 *     stem          conv 3x3 /2, conv 3x3, conv 3x3, mean of 2x2
 *     four stages   of bottlenecks: conv 1x1, conv 3x3, mean of 2x2 in the place of a stride, conv 1x1, + shortcut
 *     attention     the mean of all places, as one more of them, asks; the places answer
 *
 * A batch norm follows every convolution; it is folded into its weights. All but a bottleneck's last convolution end in a
 * ReLU, which there comes after the sum.
 * Source: docs/CLIP.md, ModifiedResNet.
 */
#ifndef PN_CLIP_RESNET_H
#define PN_CLIP_RESNET_H

#include "clip/scratch.h"
#include "clip/weights.h"

/* A convolution over rows of channels, one row a place: its matrix has k = side * side * channels in, places first. */
typedef struct pn_conv {
    pn_linear linear;
    uint32_t side; /* 1 or 3 */
} pn_conv;

typedef struct pn_bottleneck {
    pn_conv conv[3];
    pn_conv shortcut; /* of the mean of stride x stride; side 0: the input itself */
    uint32_t stride;  /* 1 or 2 */
} pn_bottleneck;

enum { PN_RESNET_STAGES = 4 };

struct pn_resnet_weights {
    pn_conv stem[3];
    pn_bottleneck *blocks; /* of all stages, behind each other */
    size_t n_blocks;
    const float *positions; /* [1 + places][vision width] */
    pn_linear qkv[3];       /* n = k = vision width */
    pn_linear out;          /* n = dim, k = vision width */
};

/* pixels [n][3][image_height][image_width], normalised -> out [n][dim], not normalised. Errors: NOMEM. One picture at a
 * time; spread over the pool. */
PN_NODISCARD pn_status pn_resnet_run(const pn_clip_config *config, const pn_resnet_weights *weights,
                                     const float *pixels, size_t n, const pn_clip_means *means,
                                     float *out, pn_error *err);

#endif

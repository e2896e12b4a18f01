/*
 * precision.h - how a model's matrices are stored, and so how exactly products are computed
 *
 *     exact   as the file has them: 16-bit weights stay 16-bit and are widened as they are read, which gives the bits of
 *             f32 at half of the memory
 *     f32     four bytes a weight, whatever the file has
 *     f16     two bytes a weight, rounded; products in f32
 *     bf16    two bytes a weight, eight bits of mantissa; rows of the products inside the blocks are rounded as well, and their
 *             sums are f32. Where the processor multiplies bf16, in half of the time
 *     int8    products inside the blocks in 8 bits: weights by column, rows by row (weight_panels.c); patches and
 *             projections stay exact
 *
 * Vectors of one model at two precisions may be compared with each other: they differ by rounding alone.
 */
#ifndef PN_CLIP_PRECISION_H
#define PN_CLIP_PRECISION_H

#include "base/str.h"

typedef enum pn_clip_precision {
    PN_CLIP_EXACT,
    PN_CLIP_F32,
    PN_CLIP_F16,
    PN_CLIP_BF16,
    PN_CLIP_INT8
} pn_clip_precision;

const char *pn_clip_precision_name(pn_clip_precision precision); /* "exact", "f32", ... */
PN_NODISCARD bool pn_clip_precision_parse(pn_str text, pn_clip_precision *out);

#endif

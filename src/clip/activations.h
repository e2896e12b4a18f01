/*
 * activations.h - all memory of one forward pass, laid out once
 *
 *     x         [rows][x_stride]          the residual stream
 *     normed    [rows][x_stride]          layer norm's output, then attention's
 *     wide      [rows][wide_stride]       q, k and v; then the hidden layer; at the start the patches
 *     query     [sequences][x_stride]     the pooled rows' queries in the last block
 *     indices   [3][sequences + 1]        where sequences start, and what else an encoder has to know of each
 *     bytes     [rows][bytes_stride]      a product's rows as it reads them, when that is not f32
 *     steps, lows  [rows]                 of rows in 8 bits
 *     attention [threads][attention_floats]   packed k and v of one head, a block of scores
 *
 * Rows start on cache lines, and strides are never a large power of two: such rows would fall into the same few
 * lines of the first-level cache.
 */
#ifndef PN_CLIP_ACTIVATIONS_H
#define PN_CLIP_ACTIVATIONS_H

#include "base/status.h"
#include "clip/scratch.h"

/* Rows of queries whose scores are held at a time: bounds the scores of long sequences. */
enum { PN_ATTENTION_ROWS = 48 };

typedef struct pn_activation_sizes {
    size_t rows;      /* of all sequences together */
    size_t sequences; /* pictures or texts */
    size_t longest;   /* rows of the longest sequence */
    size_t width;     /* of the widest row of x, normed and query */
    size_t head_width;
    size_t wide;      /* the widest row of `wide` */
    size_t row_bytes; /* a value of `bytes`: pn_linear_row_bytes() */
    size_t threads;
} pn_activation_sizes;

typedef struct pn_activations {
    float *memory; /* of scratch */
    pn_scratch *scratch;
    float *x, *normed, *wide, *query, *attention;
    uint8_t *bytes;
    float *steps, *lows; /* [rows] */
    size_t bytes_stride;
    size_t *indices; /* [3][sequences + 1], the encoder's own */
    size_t x_stride, wide_stride;
    size_t scores_stride;
    size_t attention_floats; /* of each thread */
} pn_activations;

PN_NODISCARD pn_status pn_activations_init(const pn_activation_sizes *sizes, pn_scratch *scratch,
                                           pn_activations *out, pn_error *err);
void pn_activations_reset(pn_activations *activations); /* a zeroed one is welcome */

/* The padded distance of rows of n values. */
size_t pn_row_stride(size_t n);

#endif

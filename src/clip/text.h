/*
 * text.h - the text encoder: tokens -> blocks -> projection
 */
#ifndef PN_CLIP_TEXT_H
#define PN_CLIP_TEXT_H

#include "clip/scratch.h"
#include "clip/weights.h"

/* What pn_first_row_create() has to make room for. */
size_t pn_text_first_row_floats(const pn_encoder_config *config);

/*
 * ids [n][context], lengths[i] of them meant -> out [n][dim], not normalised. n >= 1.
 *
 * Errors:  INVALID (an id outside the vocabulary, a length outside [1, context], no end token); NOMEM.
 * Threads: pure; spread over the pool. Memory: bounded, whatever n.
 */
PN_NODISCARD pn_status pn_text_run(const pn_clip_config *config, const pn_clip_weights *weights,
                                   const uint32_t *ids, const size_t *lengths, size_t n,
                                   const pn_clip_means *means, float *out, pn_error *err);

#endif

/*
 * vision.h - the vision encoder: patches -> blocks -> projection
 */
#ifndef PN_CLIP_VISION_H
#define PN_CLIP_VISION_H

#include "clip/scratch.h"
#include "clip/weights.h"

/* pixels [n][3][image_height][image_width], normalised -> out [n][dim], not normalised. n >= 1.
 * Errors: NOMEM. Threads: pure; spread over the pool. Memory: bounded, whatever n. */
PN_NODISCARD pn_status pn_vision_run(const pn_clip_config *config, const pn_clip_weights *weights,
                                     const float *pixels, size_t n, const pn_clip_means *means,
                                     float *out, pn_error *err);

#endif

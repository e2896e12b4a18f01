/*
 * selftest_inputs.h - pictures and texts for a self-test, the same ones everywhere
 * Threads: pure.
 */
#ifndef PN_EMBED_SELFTEST_INPUTS_H
#define PN_EMBED_SELFTEST_INPUTS_H

#include "base/str.h"
#include "image/image.h"

/* Picture number i: a slope of colours with shapes on it, some with stripes; side about side_px. pn_image_free(). */
PN_NODISCARD pn_status pn_selftest_picture(uint32_t i, uint32_t side_px, pn_image *out,
                                           pn_error *err);

extern const char *const pn_selftest_texts[];
extern const size_t pn_selftest_n_texts;

#endif

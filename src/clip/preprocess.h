/*
 * preprocess.h - pn_image -> the tensor a vision encoder was trained on
 *
 *     CROP    shorter side to S, antialiased bicubic, centre crop (halves to even): the reference
 *     PAD     longer side to S, centred, padded with pad_rgb: for tall product shots
 *     SQUASH  both sides to S, no crop
 *
 * The mode is kept with the table, because vectors of two modes do not compare.
 */
#ifndef PN_CLIP_PREPROCESS_H
#define PN_CLIP_PREPROCESS_H

#include "base/str.h"
#include "image/image.h"
#include "image/resize.h"

typedef enum pn_preprocess_mode {
    PN_PREPROCESS_CROP,
    PN_PREPROCESS_PAD,
    PN_PREPROCESS_SQUASH
} pn_preprocess_mode;

typedef struct pn_preprocess {
    pn_preprocess_mode mode;
    pn_resize_filter filter;
    uint32_t width, height; /* of the tensor; equal for almost every model */
    float mean[3], std[3];
    uint8_t pad_rgb[3];
} pn_preprocess;

/* "crop", "pad", "squash". */
const char *pn_preprocess_mode_name(pn_preprocess_mode mode);
PN_NODISCARD bool pn_preprocess_mode_parse(pn_str name, pn_preprocess_mode *out);

/* The resized and cropped pixels [height][width][3], before normalisation. */
PN_NODISCARD pn_status pn_preprocess_pixels(const pn_preprocess *preprocess, const pn_image *image,
                                            uint8_t *out, pn_error *err);
/* Pixels [height][width][3] -> out [3][height][width] = (pixel / 255 - mean) / std. Threads: pure. */
void pn_preprocess_normalise(const pn_preprocess *preprocess, const uint8_t *pixels, float *out);
/* Both. Threads: pure. */
PN_NODISCARD pn_status pn_preprocess_tensor(const pn_preprocess *preprocess, const pn_image *image,
                                            float *out, pn_error *err);
/* Everything that decides the output, as text: "crop bicubic 224x224 mean 0.48145466,... std ..." */
#define PN_PREPROCESS_TEXT_BYTES 256
void pn_preprocess_text(const pn_preprocess *preprocess, char out[PN_PREPROCESS_TEXT_BYTES]);

#endif

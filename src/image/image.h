/*
 * image.h - a picture in memory: RGB, 8 bits, rows contiguous
 * Threads: immutable once made; may be shared.
 */
#ifndef PN_IMAGE_IMAGE_H
#define PN_IMAGE_IMAGE_H

#include "base/status.h"

typedef struct pn_image {
    uint8_t *pixels; /* [height][width][3], owned (pn_alloc) */
    uint32_t width, height;
} pn_image;

/* LIMIT over PN_IMAGE_MAX_SIDE_PX or PN_IMAGE_MAX_PIXELS; INVALID for an empty side. Pixels are not initialised. */
PN_NODISCARD pn_status pn_image_create(uint32_t width, uint32_t height, pn_image *out,
                                       pn_error *err);
void pn_image_free(pn_image *image); /* a zeroed one is welcome */

/* From the EXIF orientation 2 to 8 that it was stored in; others leave it as it is. NOMEM: it is as before. */
PN_NODISCARD pn_status pn_image_turn_upright(pn_image *image, int orientation, pn_error *err);

#endif

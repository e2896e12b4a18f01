/*
 * thumbnail.h - small JPEGs of a picture: for result pages, and for the way to a server (libjpeg)
 */
#ifndef PN_IMAGE_THUMBNAIL_H
#define PN_IMAGE_THUMBNAIL_H

#include "base/buffer.h"
#include "image/image.h"

#define PN_THUMBNAIL_SIDE_DEFAULT 320
#define PN_THUMBNAIL_SIDE_MIN 16
#define PN_THUMBNAIL_SIDE_MAX 2048

/* A JPEG (quality 82, no metadata) whose longer side is at most side_px; never enlarged. Appended to out.
 * INVALID for a side outside of MIN to MAX, LIMIT when out is full.
 * Threads: any. */
PN_NODISCARD pn_status pn_thumbnail_make(const pn_image *image, uint32_t side_px, pn_buffer *out,
                                         pn_error *err);

/* The same at another quality, 1 to 100. */
PN_NODISCARD pn_status pn_small_jpeg_make(const pn_image *image, uint32_t side_px, int quality,
                                          pn_buffer *out, pn_error *err);

#endif

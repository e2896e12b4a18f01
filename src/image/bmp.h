/*
 * bmp.h - Windows bitmaps, uncompressed, 24 and 32 bits
 *
 * libvips reads them only through ImageMagick, whose hundred formats we do not want near files from outside.
 */
#ifndef PN_IMAGE_BMP_H
#define PN_IMAGE_BMP_H

#include "image/decode.h"

bool pn_bmp_is(const void *bytes, size_t n);
/* UNSUPPORTED for palettes and compression, CORRUPT, LIMIT. */
PN_NODISCARD pn_status pn_bmp_decode(const void *bytes, size_t n, const char *name,
                                     const pn_decode_options *options, pn_image *out,
                                     pn_error *err);

#endif

/*
 * decode.h - bytes of a picture file -> upright sRGB pixels (libjpeg, libvips)
 *
 * JPEG (baseline, progressive, gray, CMYK, YCCK), PNG (all colour types, 16 bit, interlaced), WebP, GIF (first
 * frame), AVIF/HEIC, TIFF (first page), BMP where the installed libvips has a safe loader. The EXIF orientation is applied;
 * alpha is composited over white; 16-bit values keep their high byte; CMYK is converted without a profile as the
 * reference does. Profiles are ignored, as the models were trained that way.
 *
 * Only loaders of an allow-list run (by content, never by name). Width, height and pixels are checked against
 * base/limits.h and the options before the pixels' memory is taken. A truncated or damaged file is an error, and so is one
 * that takes too long: its time counts from before the header, is looked at after it and between rows, and is the processor's: a
 * program that was stopped meanwhile, or waited for others, loses no picture (patience.h).
 */
#ifndef PN_IMAGE_DECODE_H
#define PN_IMAGE_DECODE_H

#include "image/image.h"

typedef struct pn_decode_options {
    uint32_t max_side_px; /* 0: PN_IMAGE_MAX_SIDE_PX */
    uint64_t max_pixels;  /* 0: PN_IMAGE_MAX_PIXELS */
    uint32_t max_ms;      /* 0: PN_IMAGE_MAX_MS */
    /* A JPEG may be decoded at 1/2, 1/4 or 1/8 as long as its shorter side keeps this many pixels: its blocks are then
     * transformed at that size, which leaves out most of the work and changes pixels a little. 0: every pixel as it is. */
    uint32_t shrink_to_px;
    uint32_t shrink_long_px; /* ... and its longer side this many */
} pn_decode_options;
#define PN_DECODE_OPTIONS_INIT                                                                     \
    {                                                                                              \
        0, 0, 0, 0, 0                                                                              \
    }

/* Start libvips. The first picture that needs it does so; before, it can only be done sooner. Safe to call from any thread. */
PN_NODISCARD pn_status pn_image_library_init(pn_error *err);

/*
 * Decode the n bytes of a picture file.
 *
 * name     for messages only: the file, or "upload"
 * options  NULL: the defaults
 * out      the caller's: pn_image_free()
 *
 * Errors:  UNSUPPORTED (not a picture of a known format), CORRUPT (with the decoder's reason), LIMIT, NOMEM.
 * Threads: any; one call uses one thread.
 */
PN_NODISCARD pn_status pn_image_decode(const void *bytes, size_t n, const char *name,
                                       const pn_decode_options *options, pn_image *out,
                                       pn_error *err);

/* LIMIT: width and height that a file claims are over the options' limits, or ours. */
PN_NODISCARD pn_status pn_decode_check_size(uint64_t width, uint64_t height, const char *name,
                                            const pn_decode_options *options, pn_error *err);

/* "image/jpeg", ... by the first bytes, or NULL when no known format. */
const char *pn_image_mime_type(const void *bytes, size_t n);

#endif

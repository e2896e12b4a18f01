/*
 * jpeg.h - JPEG straight from and to libjpeg
 *
 * Nine in ten pictures of a catalogue are JPEGs, and with an 8-bit tower their pixels are a third of an ingest: here they are
 * decoded without a pipeline around them, at the fraction of their size that suffices.
 */
#ifndef PN_IMAGE_JPEG_H
#define PN_IMAGE_JPEG_H

#include "base/buffer.h"
#include "image/decode.h"

bool pn_jpeg_is(const void *bytes, size_t n);

/*
 * Decode a JPEG of gray, YCbCr or RGB samples, upright.
 *
 * taken  false: of another kind (CMYK), and nothing was done
 *
 * Errors: as pn_image_decode().
 */
PN_NODISCARD pn_status pn_jpeg_decode(const void *bytes, size_t n, const char *name,
                                      const pn_decode_options *options, bool *taken, pn_image *out,
                                      pn_error *err);

/* pixels [height][width][3] as a JPEG of half the colour resolution, without metadata, appended to out.
 * Errors: LIMIT when out is full, and then it is as before; NOMEM. */
PN_NODISCARD pn_status pn_jpeg_encode(const pn_image *image, int quality, pn_buffer *out,
                                      pn_error *err);

/* EXIF's orientation, 1 to 8, of an APP1 segment's content ("Exif", two zeros, a TIFF header, a directory); 0: it says none. */
unsigned pn_exif_orientation(const uint8_t *bytes, size_t n);

#endif

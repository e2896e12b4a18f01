/*
 * resize.h - the reference's antialiased resize, bit for bit
 *
 * Equal to Pillow's ImagingResample for 8-bit pictures: horizontal pass first, each pass rounded to 8 bits, weights
 * in double rounded to 22 fraction bits. Only the window asked for is computed. Vertical first is cheaper where a picture becomes
 * much smaller, and for eyes the same: what is rounded in between is another picture.
 * Source: Pillow's resampling as described in docs/CLIP.md.
 */
#ifndef PN_IMAGE_RESIZE_H
#define PN_IMAGE_RESIZE_H

#include "image/image.h"

typedef enum pn_resize_filter {
    PN_RESIZE_BICUBIC,
    PN_RESIZE_BILINEAR,
    PN_RESIZE_AREA /* not the reference's: the mean of the pixels that lie below, parts of them by their part; bilinear when enlarging */
} pn_resize_filter;

/* Window [left, left + width) x [top, top + height) of the picture resized to full_width x full_height, as
 * out [height][width][3]. The window lies inside. The full size may be large (a very long picture): memory is
 * proportional to the window and to the source rows it needs. */
typedef struct pn_resize_window {
    uint32_t full_width, full_height;
    uint32_t left, top, width, height;
    bool down_first; /* not the reference's order */
} pn_resize_window;

PN_NODISCARD pn_status pn_image_resize(const pn_image *image, pn_resize_filter filter,
                                       const pn_resize_window *window, uint8_t *out, pn_error *err);

#endif

/*
 * thumbnail.c - a smaller picture, and a JPEG of it
 *
 * The mean of what lies below a pixel is enough for a picture to look at, and has a third of the cubic filter's taps. Huffman tables made
 * for each picture would take a second pass over its coefficients; the standard ones do. What goes to a server is resized as for a model.
 */
#include "image/thumbnail.h"

#include "image/jpeg.h"
#include "image/resize.h"

static const int THUMBNAIL_QUALITY = 82;

/* side * target / longest, rounded, and at least 1. */
static uint32_t scaled(uint32_t side, uint32_t target, uint32_t longest)
{
    uint64_t twice = 2 * (uint64_t)side * target;
    return PN_MAX((uint32_t)((twice / longest + 1) / 2), 1u);
}

static pn_status make(const pn_image *image, uint32_t side_px, pn_resize_filter filter, int quality,
                      pn_buffer *out, pn_error *err)
{
    if (side_px < PN_THUMBNAIL_SIDE_MIN || side_px > PN_THUMBNAIL_SIDE_MAX)
        return pn_fail(err, PN_ERR_INVALID, "a thumbnail of %u pixels; %d to %d can be made",
                       (unsigned)side_px, PN_THUMBNAIL_SIDE_MIN, PN_THUMBNAIL_SIDE_MAX);
    const uint32_t longest = PN_MAX(image->width, image->height);
    if (longest <= side_px)
        return pn_jpeg_encode(image, quality, out, err);
    pn_image small;
    const uint32_t width = scaled(image->width, side_px, longest);
    const uint32_t height = scaled(image->height, side_px, longest);
    PN_TRY(pn_image_create(width, height, &small, err));
    const pn_resize_window whole = {.full_width = width,
                                    .full_height = height,
                                    .width = width,
                                    .height = height,
                                    .down_first = true};
    pn_status status = pn_image_resize(image, filter, &whole, small.pixels, err);
    if (status == PN_OK)
        status = pn_jpeg_encode(&small, quality, out, err);
    pn_image_free(&small);
    return status;
}

pn_status pn_small_jpeg_make(const pn_image *image, uint32_t side_px, int quality, pn_buffer *out,
                             pn_error *err)
{
    return make(image, side_px, PN_RESIZE_BILINEAR, quality, out, err);
}

pn_status pn_thumbnail_make(const pn_image *image, uint32_t side_px, pn_buffer *out, pn_error *err)
{
    return make(image, side_px, PN_RESIZE_AREA, THUMBNAIL_QUALITY, out, err);
}

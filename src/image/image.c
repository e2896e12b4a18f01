/*
 * image.c - memory for pixels, with the limits in front
 */
#include "image/image.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <inttypes.h>
#include <string.h>

pn_status pn_image_create(uint32_t width, uint32_t height, pn_image *out, pn_error *err)
{
    if (width == 0 || height == 0)
        return pn_fail(err, PN_ERR_INVALID, "a picture of %" PRIu32 " x %" PRIu32 " pixels", width,
                       height);
    if (width > PN_IMAGE_MAX_SIDE_PX || height > PN_IMAGE_MAX_SIDE_PX ||
        (uint64_t)width * height > PN_IMAGE_MAX_PIXELS)
        return pn_fail(err, PN_ERR_LIMIT,
                       "%" PRIu32 " x %" PRIu32 " pixels: the limits are %d a side and %d in all",
                       width, height, PN_IMAGE_MAX_SIDE_PX, PN_IMAGE_MAX_PIXELS);
    uint8_t *pixels = pn_alloc((size_t)width * height * 3);
    if (!pixels)
        return pn_fail_nomem(err);
    *out = (pn_image){.pixels = pixels, .width = width, .height = height};
    return PN_OK;
}

void pn_image_free(pn_image *image)
{
    pn_free(image->pixels);
    *image = (pn_image){0};
}

/* Where the pixel that belongs at (x, y) upright is stored, for the EXIF orientations 1 to 8. */
static size_t stored_at(int orientation, size_t x, size_t y, size_t w, size_t h)
{
    switch (orientation) {
    case 2:
        return y * w + (w - 1 - x);
    case 3:
        return (h - 1 - y) * w + (w - 1 - x);
    case 4:
        return (h - 1 - y) * w + x;
    case 5:
        return x * w + y;
    case 6:
        return (h - 1 - x) * w + y;
    case 7:
        return (h - 1 - x) * w + (w - 1 - y);
    case 8:
        return x * w + (w - 1 - y);
    default:
        return y * w + x;
    }
}

pn_status pn_image_turn_upright(pn_image *image, int orientation, pn_error *err)
{
    pn_image turned;
    size_t w = image->width, h = image->height;
    if (orientation < 2 || orientation > 8)
        return PN_OK;
    bool swapped = orientation >= 5;
    PN_TRY(pn_image_create(swapped ? image->height : image->width,
                           swapped ? image->width : image->height, &turned, err));
    for (size_t y = 0; y < turned.height; y++)
        for (size_t x = 0; x < turned.width; x++)
            memcpy(turned.pixels + (y * turned.width + x) * 3,
                   image->pixels + stored_at(orientation, x, y, w, h) * 3, 3);
    pn_image_free(image);
    *image = turned;
    return PN_OK;
}

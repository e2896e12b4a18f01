/*
 * image.c - memory for pixels, with the limits in front
 */
#include "image/image.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <inttypes.h>

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

/*
 * thumbnail.c - libvips shrinks and writes the JPEG
 */
#include "image/thumbnail.h"

#include "image/decode.h"
#include "image/vips_visit.h"

#include <vips/vips.h>

static const int THUMBNAIL_QUALITY = 82;

static pn_status fail(pn_error *err)
{
    return pn_fail(err, PN_ERR_IO, "a thumbnail cannot be made");
}

pn_status pn_small_jpeg_make(const pn_image *image, uint32_t side_px, int quality, pn_buffer *out,
                             pn_error *err)
{
    if (side_px < PN_THUMBNAIL_SIDE_MIN || side_px > PN_THUMBNAIL_SIDE_MAX)
        return pn_fail(err, PN_ERR_INVALID, "a thumbnail of %u pixels; %d to %d can be made",
                       (unsigned)side_px, PN_THUMBNAIL_SIDE_MIN, PN_THUMBNAIL_SIDE_MAX);
    PN_TRY(pn_image_library_init(err));
    size_t n = (size_t)image->width * image->height * 3, n_jpeg = 0;
    void *jpeg = NULL;
    pn_vips_visit visit;
    pn_vips_enter(&visit);
    VipsImage *full = vips_image_new_from_memory(image->pixels, n, (int)image->width,
                                                 (int)image->height, 3, VIPS_FORMAT_UCHAR);
    if (!full) {
        (void)pn_vips_leave(&visit); // our message does not quote libvips
        return fail(err);
    }
    full->Type = VIPS_INTERPRETATION_sRGB;
    VipsImage *small = NULL;
    bool ok = vips_thumbnail_image(full, &small, (int)side_px, "height", (int)side_px, "size",
                                   VIPS_SIZE_DOWN, NULL) == 0 &&
              vips_jpegsave_buffer(small, &jpeg, &n_jpeg, "Q", quality, "strip", TRUE,
                                   "optimize_coding", TRUE, NULL) == 0;
    pn_status status = ok ? pn_buffer_append(out, jpeg, n_jpeg, err) : fail(err);
    g_free(jpeg);
    if (small)
        g_object_unref(small);
    g_object_unref(full);
    (void)pn_vips_leave(&visit);
    vips_thread_shutdown(); // this thread's buffers
    return status;
}

pn_status pn_thumbnail_make(const pn_image *image, uint32_t side_px, pn_buffer *out, pn_error *err)
{
    return pn_small_jpeg_make(image, side_px, THUMBNAIL_QUALITY, out, err);
}

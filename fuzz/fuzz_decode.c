/*
 * fuzz_decode.c - bytes to pixels, by all loaders of the list
 *
 * What decodes has to lie within the limits, be readable to its last byte, and decode to the same pixels again; shrunk as far
 * as it can be, it decodes as well, and a thumbnail of it is a picture.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "image/decode.h"
#include "image/thumbnail.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
const char *__lsan_default_suppressions(void);

/* libheif 1.15 keeps 40 bytes of what it hands to libdav1d when that refuses it: theirs, and not what we look for. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libdav1d";
}

/* Of a picture that decodes in full. */
static void check_small(const uint8_t *bytes, size_t n, const pn_image *whole)
{
    static const pn_decode_options options = {
        .max_side_px = 4096, .max_pixels = 1 << 18, .shrink_to_px = 1};
    pn_image small = {0};
    pn_buffer thumbnail;
    pn_buffer_init(&thumbnail, 1u << 20);
    if (pn_image_decode(bytes, n, "fuzz", &options, &small, NULL) != PN_OK ||
        small.width > whole->width || small.height > whole->height)
        abort();
    pn_image_free(&small);
    if (pn_thumbnail_make(whole, 64, &thumbnail, NULL) != PN_OK ||
        pn_image_decode(thumbnail.data, thumbnail.n_bytes, "small", NULL, &small, NULL) != PN_OK ||
        small.width > 64 || small.height > 64)
        abort();
    pn_image_free(&small);
    pn_buffer_reset(&thumbnail);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    /* small, so that a run tries many files and not one large one */
    static const pn_decode_options options = {.max_side_px = 4096, .max_pixels = 1 << 18};
    pn_image first = {0}, second = {0};
    pn_error err = {0};
    int64_t live = pn_alloc_live();
    (void)pn_image_mime_type(bytes, n); // only its safety matters here
    if (pn_image_decode(bytes, n, "fuzz", &options, &first, &err) == PN_OK) {
        size_t n_bytes = (size_t)first.width * first.height * 3;
        if (first.width == 0 || first.height == 0 || first.width > 4096 || first.height > 4096)
            abort();
        if (pn_image_decode(bytes, n, "fuzz", &options, &second, &err) != PN_OK)
            abort();
        if (second.width != first.width || memcmp(first.pixels, second.pixels, n_bytes) != 0)
            abort();
        check_small(bytes, n, &first);
    } else if (!strstr(err.message, "fuzz") || strchr(err.message, '\n')) {
        abort();
    }
    pn_image_free(&first);
    pn_image_free(&second);
    if (pn_alloc_live() != live)
        abort();
    return 0;
}

/*
 * fuzz_decode.c - bytes to pixels, by all loaders of the list
 *
 * What decodes has to lie within the limits, be readable to its last byte, and decode to the same pixels again.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "image/decode.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
const char *__lsan_default_suppressions(void);

/* libheif 1.15 keeps 40 bytes of what it hands to libdav1d when that refuses it: theirs, and not what we look for. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libdav1d";
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
    } else if (!strstr(err.message, "fuzz") || strchr(err.message, '\n')) {
        abort();
    }
    pn_image_free(&first);
    pn_image_free(&second);
    if (pn_alloc_live() != live)
        abort();
    return 0;
}

/*
 * bmp.c - rows of BGR, bottom up, padded to four bytes
 *
 *     "BM" u32 size, 4 unused, u32 pixel offset | u32 header size, i32 width, i32 height (negative: top down), u16 planes,
 *     u16 bits, u32 compression (0: none)
 */
#include "image/bmp.h"

#include "base/endian.h"
#include "base/limits.h"

#include <inttypes.h>

enum { HEADERS_BYTES = 54 };

bool pn_bmp_is(const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    return n >= 2 && at[0] == 'B' && at[1] == 'M';
}

pn_status pn_bmp_decode(const void *bytes, size_t n, const char *name,
                        const pn_decode_options *options, pn_image *out, pn_error *err)
{
    const uint8_t *at = bytes;
    if (n < HEADERS_BYTES)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a bitmap without its headers", name);
    uint64_t pixels_off = pn_load_le32(at + 10);
    int64_t width = (int32_t)pn_load_le32(at + 18), height = (int32_t)pn_load_le32(at + 22);
    unsigned bits = pn_load_le16(at + 28);
    bool top_down = height < 0;
    height = top_down ? -height : height;
    if ((bits != 24 && bits != 32) || pn_load_le32(at + 30) != 0)
        return pn_fail(
            err, PN_ERR_UNSUPPORTED,
            "%s: a bitmap of %u bits or with compression; 24 and 32 plain bits can be read", name,
            bits);
    int64_t max_side =
        options && options->max_side_px ? options->max_side_px : PN_IMAGE_MAX_SIDE_PX;
    if (width < 1 || height < 1)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a bitmap of %" PRId64 " x %" PRId64 " pixels",
                       name, width, height);
    if (width > max_side || height > max_side)
        return pn_fail(err, PN_ERR_LIMIT,
                       "%s: %" PRId64 " x %" PRId64 " pixels: the limit is %" PRId64 " a side",
                       name, width, height, max_side);
    size_t pixel_bytes = bits / 8, row_bytes = ((size_t)width * pixel_bytes + 3) & ~(size_t)3;
    if (pixels_off > n || row_bytes * (size_t)height > n - pixels_off)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a bitmap cut short", name);
    PN_TRY(pn_image_create((uint32_t)width, (uint32_t)height, out, err));
    for (size_t y = 0; y < (size_t)height; y++) {
        const uint8_t *row = at + pixels_off + (top_down ? y : (size_t)height - 1 - y) * row_bytes;
        uint8_t *to = out->pixels + y * (size_t)width * 3;
        for (size_t x = 0; x < (size_t)width; x++, row += pixel_bytes, to += 3) {
            to[0] = row[2];
            to[1] = row[1];
            to[2] = row[0];
        }
    }
    return PN_OK;
}

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

enum { FILE_HEADER_BYTES = 14, HEADERS_BYTES = 54 };

bool pn_bmp_is(const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    return n >= 2 && at[0] == 'B' && at[1] == 'M';
}

/* Where the pixels are and how they lie; checked against the file. */
typedef struct layout {
    const uint8_t *pixels;
    size_t width, height, pixel_bytes, row_bytes;
    bool top_down;
} layout;

static pn_status read_headers(const uint8_t *at, size_t n, const char *name,
                              const pn_decode_options *options, layout *out, pn_error *err)
{
    if (n < HEADERS_BYTES)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a bitmap without its headers", name);
    uint64_t pixels_off = pn_load_le32(at + 10), header_bytes = pn_load_le32(at + 14);
    int64_t width = (int32_t)pn_load_le32(at + 18), height = (int32_t)pn_load_le32(at + 22);
    unsigned bits = pn_load_le16(at + 28);
    if (header_bytes < HEADERS_BYTES - FILE_HEADER_BYTES)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: a bitmap with a header of %" PRIu64 " bytes",
                       name, header_bytes);
    if ((bits != 24 && bits != 32) || pn_load_le32(at + 30) != 0)
        return pn_fail(
            err, PN_ERR_UNSUPPORTED,
            "%s: a bitmap of %u bits or with compression; 24 and 32 plain bits can be read", name,
            bits);
    if (width < 1 || height == 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a bitmap of %" PRId64 " x %" PRId64 " pixels",
                       name, width, height);
    *out = (layout){.width = (size_t)width,
                    .height = (size_t)(height < 0 ? -height : height),
                    .pixel_bytes = bits / 8,
                    .top_down = height < 0};
    PN_TRY(pn_decode_check_size(out->width, out->height, name, options, err));
    out->row_bytes = (out->width * out->pixel_bytes + 3) & ~(size_t)3;
    if (pixels_off < FILE_HEADER_BYTES + header_bytes || pixels_off > n ||
        out->row_bytes * out->height > n - pixels_off)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a bitmap cut short", name);
    out->pixels = at + pixels_off;
    return PN_OK;
}

pn_status pn_bmp_decode(const void *bytes, size_t n, const char *name,
                        const pn_decode_options *options, pn_image *out, pn_error *err)
{
    layout l;
    PN_TRY(read_headers(bytes, n, name, options, &l, err));
    PN_TRY(pn_image_create((uint32_t)l.width, (uint32_t)l.height, out, err));
    for (size_t y = 0; y < l.height; y++) {
        const uint8_t *row = l.pixels + (l.top_down ? y : l.height - 1 - y) * l.row_bytes;
        uint8_t *to = out->pixels + y * l.width * 3;
        for (size_t x = 0; x < l.width; x++, row += l.pixel_bytes, to += 3) {
            to[0] = row[2];
            to[1] = row[1];
            to[2] = row[0];
        }
    }
    return PN_OK;
}

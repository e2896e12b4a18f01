/*
 * wire_picture.c - the file as it is where that is safe, else a small JPEG of what it shows
 *
 * A server decodes with a library of its own, and libraries differ in what they make of a file: some turn it as its Exif says and
 * some do not, some lay alpha over white and some drop it, few know CMYK. We have decoded the picture anyway, so whatever leaves
 * room for doubt is sent as plain pixels. That also keeps at home what Exif tells beside the picture: place, time, camera.
 *
 * The rest, most pictures of a catalogue, goes as it is: another round of JPEG would only blur it.
 */
#include "embed/wire_picture.h"

#include "base/alloc.h"
#include "image/thumbnail.h"

static const int QUALITY = 90;

static uint32_t be16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
    return be16(at) << 16 | be16(at + 2);
}

static bool are_small(uint32_t width, uint32_t height)
{
    return width >= 1 && height >= 1 && width <= PN_WIRE_AS_IS_SIDE_PX &&
           height <= PN_WIRE_AS_IS_SIDE_PX;
}

/* Segments up to the first scan: ff, marker, length of two bytes that counts itself. ITU T.81, annex B. */
static bool is_plain_jpeg(const uint8_t *bytes, size_t n)
{
    bool is_known = false; // its frame header was seen, and is one of ours
    for (size_t at = 2; n - at >= 4 && bytes[at] == 0xFF;) {
        uint8_t marker = bytes[at + 1];
        const uint8_t *body = bytes + at + 4;
        uint32_t length = be16(bytes + at + 2);
        if (length < 2 || length > n - at - 2)
            return false;
        if (marker == 0xDA)
            return is_known;
        if (marker == 0xE1 && length >= 6 && memcmp(body, "Exif", 4) == 0)
            return false;
        if (marker == 0xC0 || marker == 0xC1 ||
            marker == 0xC2) { // precision, height, width, channels
            is_known = length >= 8 && body[0] == 8 && are_small(be16(body + 3), be16(body + 1)) &&
                       (body[5] == 1 || body[5] == 3);
        }
        at += 2 + length;
    }
    return false;
}

/* IHDR is the first chunk: width, height, bits, colour type. Then length, name, data, checksum. PNG specification, section 11. */
static bool is_plain_png(const uint8_t *bytes, size_t n)
{
    if (n < 33 || memcmp(bytes + 12, "IHDR", 4) != 0 || bytes[24] != 8 ||
        !are_small(be32(bytes + 16), be32(bytes + 20)))
        return false;
    if (bytes[25] != 0 && bytes[25] != 2 && bytes[25] != 3)
        return false;
    for (size_t at = 33; n - at >= 12;) {
        uint32_t length = be32(bytes + at);
        if (length > n - at - 12 || memcmp(bytes + at + 4, "tRNS", 4) == 0 ||
            memcmp(bytes + at + 4, "eXIf", 4) == 0)
            return false;
        if (memcmp(bytes + at + 4, "IDAT", 4) == 0)
            return true;
        at += 12 + (size_t)length;
    }
    return false;
}

bool pn_wire_is_as_is(const void *bytes, size_t n)
{
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF}, png[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10};
    if (n < sizeof png || n > PN_WIRE_AS_IS_BYTES)
        return false;
    if (memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return is_plain_jpeg(bytes, n);
    return memcmp(bytes, png, sizeof png) == 0 && is_plain_png(bytes, n);
}

pn_status pn_wire_picture_make(const pn_embed_picture *picture, pn_embed_input *out, pn_error *err)
{
    pn_buffer jpeg;
    pn_buffer_init(&jpeg, PN_WIRE_MAX_BYTES);
    pn_status status =
        pn_wire_is_as_is(picture->bytes, picture->n_bytes)
            ? pn_buffer_append(&jpeg, picture->bytes, picture->n_bytes, err)
            : pn_small_jpeg_make(picture->image, PN_WIRE_SIDE_PX, QUALITY, &jpeg, err);
    if (status == PN_OK) {
        out->n_bytes = jpeg.n_bytes;
        out->data = pn_buffer_detach(&jpeg);
    }
    pn_buffer_reset(&jpeg);
    return status;
}

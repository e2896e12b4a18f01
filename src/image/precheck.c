/*
 * precheck.c - four chains of blocks, walked from name to name
 *
 *     JPEG   FF marker, length (big-endian, counts itself)     scans: each visits all blocks again, in a few bytes
 *     WebP   name, length, data padded to even                 frames: libwebp takes time in the square of their number
 *     TIFF   count, entries, offset of the next directory      pages: libtiff reads every directory to count them
 *     PNG    length, name, data, CRC                           compressed texts: 8 KB each, 8 MB when unpacked
 *
 * Measured with libvips 8.14: 5,000 empty scans (830 KB) take 42 s and the clock cannot stop them, as the first row comes
 * after the last scan; 100,000 empty WebP frames half a minute; a million TIFF directories 20 s and 230 MiB; 1,000 PNG texts
 * (7.7 MB) 16 s and 2.2 GiB. GIF needs nothing here: libvips stops at 4,096 frames; nor do TIFF tiles: it takes none over
 * 8,192 a side.
 */
#include "image/precheck.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"

#include <string.h>

/* ---- JPEG */

enum { JPEG_SCAN = 0xDA, JPEG_END = 0xD9 };

static bool jpeg_stands_alone(uint8_t marker)
{
    return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

/* Data of a scan may hold FF 00 and restart markers; both are stepped over as markers without a length. */
static size_t count_jpeg_scans(const uint8_t *bytes, size_t n)
{
    size_t scans = 0;
    if (n < 4 || bytes[0] != 0xFF || bytes[1] != 0xD8)
        return 0;
    for (size_t at = 2; at < n;) {
        const uint8_t *found = memchr(bytes + at, 0xFF, n - at);
        if (!found || (at = (size_t)(found - bytes)) + 4 > n || bytes[at + 1] == JPEG_END)
            break;
        uint8_t marker = bytes[at + 1];
        if (marker == 0xFF) { // a fill byte
            at++;
            continue;
        }
        at += 2;
        scans += marker == JPEG_SCAN;
        if (marker != 0 && !jpeg_stands_alone(marker))
            at += (size_t)bytes[at] << 8 | bytes[at + 1];
    }
    return scans;
}

/* ---- WebP */

static size_t count_webp_frames(const uint8_t *bytes, size_t n)
{
    size_t frames = 0;
    if (n < 12 || memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 8, "WEBP", 4) != 0)
        return 0;
    for (size_t at = 12; n - at >= 8;) {
        size_t length = (size_t)pn_load_le32(bytes + at + 4);
        frames += memcmp(bytes + at, "ANMF", 4) == 0;
        at += 8;
        if (length + (length & 1) > n - at)
            break;
        at += length + (length & 1);
    }
    return frames;
}

/* ---- TIFF: both byte orders; offsets of 4 bytes, or of 8 (BigTIFF) */

typedef struct tiff {
    const uint8_t *bytes;
    size_t n;
    bool big_endian, wide;
} tiff;

static uint64_t tiff_number(const tiff *t, uint64_t at, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        value = value << 8 | t->bytes[at + (t->big_endian ? i : n_bytes - 1 - i)];
    return value;
}

static bool tiff_open(const uint8_t *bytes, size_t n, tiff *out)
{
    if (n < 16 || (memcmp(bytes, "II", 2) != 0 && memcmp(bytes, "MM", 2) != 0))
        return false;
    *out = (tiff){.bytes = bytes, .n = n, .big_endian = bytes[0] == 'M'};
    uint64_t version = tiff_number(out, 2, 2);
    out->wide = version == 43;
    return version == 42 || version == 43;
}

/* Directories, at most one more than the limit: the chain may be a circle. */
static size_t count_tiff_pages(const uint8_t *bytes, size_t n)
{
    tiff t;
    if (!tiff_open(bytes, n, &t))
        return 0;
    unsigned count_bytes = t.wide ? 8 : 2, entry_bytes = t.wide ? 20 : 12,
             off_bytes = t.wide ? 8 : 4;
    uint64_t at = tiff_number(&t, t.wide ? 8 : 4, off_bytes);
    size_t pages = 0;
    while (at != 0 && at <= n - count_bytes && pages <= PN_IMAGE_MAX_FRAMES) {
        uint64_t entries = tiff_number(&t, at, count_bytes);
        at += count_bytes;
        pages++;
        if (entries > (n - at) / entry_bytes || entries * entry_bytes + off_bytes > n - at)
            break;
        at = tiff_number(&t, at + entries * entry_bytes, off_bytes);
    }
    return pages;
}

pn_status pn_picture_precheck(const void *bytes, size_t n, const char *name, pn_error *err)
{
    size_t scans = count_jpeg_scans(bytes, n), frames = count_webp_frames(bytes, n),
           pages = count_tiff_pages(bytes, n);
    if (scans > PN_IMAGE_MAX_SCANS)
        return pn_fail(err, PN_ERR_LIMIT, "%s: a progressive JPEG of %zu scans, the limit is %d",
                       name, scans, PN_IMAGE_MAX_SCANS);
    if (frames > PN_IMAGE_MAX_FRAMES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: an animation of %zu frames, the limit is %d", name,
                       frames, PN_IMAGE_MAX_FRAMES);
    if (pages > PN_IMAGE_MAX_FRAMES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: a TIFF of more than %d pages, the limit", name,
                       PN_IMAGE_MAX_FRAMES);
    return PN_OK;
}

/* ---- PNG */

enum { PNG_SIGNATURE_BYTES = 8, PNG_FRAME_BYTES = 12 }; /* of a chunk: length, name, CRC */

/* Chunks with a capital first letter are needed to read the picture; of the others, transparency and orientation. */
static bool png_is_essential(const uint8_t *chunk_name)
{
    return !(chunk_name[0] & 0x20) || memcmp(chunk_name, "tRNS", 4) == 0 ||
           memcmp(chunk_name, "eXIf", 4) == 0;
}

pn_status pn_png_essentials(const void *bytes, size_t n, uint8_t **out, size_t *n_out,
                            pn_error *err)
{
    const uint8_t *from = bytes;
    *out = NULL;
    *n_out = 0;
    if (n < PNG_SIGNATURE_BYTES || memcmp(from, "\x89PNG\r\n\x1a\n", PNG_SIGNATURE_BYTES) != 0)
        return PN_OK;
    uint8_t *copy = pn_alloc(n);
    if (!copy)
        return pn_fail_nomem(err);
    size_t at = PNG_SIGNATURE_BYTES, used = PNG_SIGNATURE_BYTES;
    memcpy(copy, from, used);
    while (n - at >= PNG_FRAME_BYTES) {
        size_t length = (size_t)from[at] << 24 | (size_t)from[at + 1] << 16 |
                        (size_t)from[at + 2] << 8 | from[at + 3];
        if (length > n - at - PNG_FRAME_BYTES)
            break;
        length += PNG_FRAME_BYTES;
        if (png_is_essential(from + at + 4)) {
            memcpy(copy + used, from + at, length);
            used += length;
        }
        at += length;
    }
    memcpy(copy + used, from + at, n - at); // cut short: what is left tells libpng
    *out = copy;
    *n_out = used + (n - at);
    return PN_OK;
}

/* ---- AVIF, HEIC */

bool pn_heif_is(const void *bytes, size_t n)
{
    static const char *const brands[] = {"avif", "avis", "heic", "heix", "heim",
                                         "heis", "hevc", "hevx", "mif1", "msf1"};
    const char *at = bytes;
    if (n < 12 || memcmp(at + 4, "ftyp", 4) != 0)
        return false;
    for (size_t i = 0; i < PN_COUNT_OF(brands); i++)
        if (memcmp(at + 8, brands[i], 4) == 0)
            return true;
    return false;
}

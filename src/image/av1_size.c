/*
 * av1_size.c - from the file's boxes to the sequence headers of its AV1 streams
 *
 *     meta
 *       iinf, infe     item 1: av01     item 2: Exif ...
 *       iloc           item 1: bytes 335 to 360, perhaps in several pieces
 *       iprp, ipco, av1C     4 bytes, then OBUs that the decoder is given first
 *
 *     OBU    type, size, payload      type 1, the sequence header: profile, operating points ..., largest width and height
 *
 * No frame of a sequence is larger than its header says, so these are all that has to be looked at. Pieces of an item are
 * joined as the decoder joins them. A container that leads nowhere is left to libheif, which refuses it.
 *
 * Deliberately missing: the same for HEVC, whose sizes stand behind a longer parse.
 *
 * Sources: ISO/IEC 14496-12, 8.11 (meta boxes); AV1 Bitstream & Decoding Process, 5.3 (OBU) and 5.5 (sequence header).
 */
#include "image/av1_size.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <inttypes.h>
#include <string.h>

enum { OBU_SEQUENCE_HEADER = 1, MAX_ITEMS = 4096, MAX_SHARED = 4 };

/* Bytes, or bits, read in order; past the end there are zeros and `broken`. */
typedef struct reader {
    const uint8_t *bytes;
    size_t n, bit;
    bool broken;
} reader;

static uint64_t read_bits(reader *r, unsigned n_bits)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bits; i++, r->bit++) {
        r->broken = r->broken || r->bit / 8 >= r->n;
        unsigned bit = r->broken ? 0 : r->bytes[r->bit / 8] >> (7 - r->bit % 8) & 1;
        value = value << 1 | bit;
    }
    return value;
}

static size_t position(const reader *r)
{
    return r->bit / 8;
}

/* At a whole byte. */
static uint64_t read_bytes(reader *r, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++, r->bit += 8) {
        r->broken = r->broken || position(r) >= r->n;
        value = value << 8 | (r->broken ? 0 : r->bytes[position(r)]);
    }
    return value;
}

static void skip(reader *r, size_t n_bytes)
{
    if (n_bytes > r->n - PN_MIN(position(r), r->n))
        r->broken = true;
    else
        r->bit += n_bytes * 8;
}

/* ---- AV1 */

static void skip_uvlc(reader *r)
{
    unsigned zeros = 0;
    while (zeros < 32 && !r->broken && read_bits(r, 1) == 0)
        zeros++;
    (void)read_bits(r, zeros);
}

/* Timing and operating points (5.5.1): nothing for us, but in front of the size. */
static void skip_operating_points(reader *r)
{
    unsigned delay_bits = 0;
    if (read_bits(r, 1)) { // timing
        (void)read_bits(r, 64);
        if (read_bits(r, 1))
            skip_uvlc(r);
        if (read_bits(r, 1)) { // decoder model
            delay_bits = (unsigned)read_bits(r, 5) + 1;
            (void)read_bits(r, 32 + 5 + 5);
        }
    }
    bool has_display_delay = read_bits(r, 1);
    for (uint64_t left = read_bits(r, 5) + 1; left > 0; left--) {
        (void)read_bits(r, 12);
        if (read_bits(r, 5) > 7)
            (void)read_bits(r, 1);
        if (delay_bits > 0 && read_bits(r, 1))
            (void)read_bits(r, 2 * delay_bits + 1);
        if (has_display_delay && read_bits(r, 1))
            (void)read_bits(r, 4);
    }
}

static pn_status check_sequence_header(reader r, const char *name, pn_error *err)
{
    (void)read_bits(&r, 4);
    if (read_bits(&r, 1)) // a reduced header, of a still picture
        (void)read_bits(&r, 5);
    else
        skip_operating_points(&r);
    unsigned width_bits = (unsigned)read_bits(&r, 4) + 1,
             height_bits = (unsigned)read_bits(&r, 4) + 1;
    uint64_t width = read_bits(&r, width_bits) + 1, height = read_bits(&r, height_bits) + 1;
    if (!r.broken && (width > PN_IMAGE_MAX_SIDE_PX || height > PN_IMAGE_MAX_SIDE_PX ||
                      width * height > PN_IMAGE_MAX_PIXELS))
        return pn_fail(err, PN_ERR_LIMIT,
                       "%s: AV1 frames of %" PRIu64 " x %" PRIu64
                       " pixels: the limits are %d a side and %d in all",
                       name, width, height, PN_IMAGE_MAX_SIDE_PX, PN_IMAGE_MAX_PIXELS);
    return PN_OK;
}

static uint64_t read_leb128(reader *r)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t byte = read_bytes(r, 1);
        value |= (byte & 0x7F) << i * 7;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

static pn_status check_obus(const uint8_t *bytes, size_t n, const char *name, pn_error *err)
{
    reader r = {.bytes = bytes, .n = n};
    while (!r.broken && position(&r) < n) {
        unsigned head = (unsigned)read_bytes(&r, 1);
        if (head & 4) // an extension
            (void)read_bytes(&r, 1);
        uint64_t size = head & 2 ? read_leb128(&r) : n - PN_MIN(position(&r), n);
        if (r.broken)
            break;
        reader payload = {.bytes = bytes + position(&r), .n = n - position(&r)};
        if ((head >> 3 & 15) == OBU_SEQUENCE_HEADER)
            PN_TRY(check_sequence_header(payload, name, err));
        skip(&r, size > n ? n + 1 : (size_t)size);
    }
    return PN_OK;
}

/* ---- boxes */

/* The next box of the parent, its content in *out; false at the end, or where a size is wrong. */
static bool next_box(reader *parent, char type[4], reader *out)
{
    if (parent->broken || parent->n - position(parent) < 8)
        return false;
    size_t start = position(parent), head = 8;
    uint64_t size = read_bytes(parent, 4);
    memcpy(type, parent->bytes + start + 4, 4);
    skip(parent, 4);
    if (size == 1) {
        size = read_bytes(parent, 8);
        head = 16;
    } else if (size == 0) { // to the end
        size = parent->n - start;
    }
    if (parent->broken || size < head || size > parent->n - start)
        return false;
    *out = (reader){.bytes = parent->bytes + start + head, .n = (size_t)size - head};
    skip(parent, (size_t)size - head);
    return true;
}

static bool find_box(reader parent, const char *type, reader *out)
{
    char found[4];
    while (next_box(&parent, found, out))
        if (memcmp(found, type, 4) == 0)
            return true;
    return false;
}

static pn_status check_configurations(reader meta, const char *name, pn_error *err)
{
    reader properties, list, box;
    char type[4];
    if (!find_box(meta, "iprp", &properties) || !find_box(properties, "ipco", &list))
        return PN_OK;
    while (next_box(&list, type, &box))
        if (memcmp(type, "av1C", 4) == 0 && box.n > 4)
            PN_TRY(check_obus(box.bytes + 4, box.n - 4, name, err));
    return PN_OK;
}

typedef struct av1_items {
    uint64_t ids[MAX_ITEMS];
    size_t n;
} av1_items;

static pn_status list_av1_items(reader iinf, av1_items *out, const char *name, pn_error *err)
{
    reader infe;
    char type[4];
    unsigned version = (unsigned)read_bytes(&iinf, 1);
    skip(&iinf, version == 0 ? 5 : 7); // flags, count
    while (next_box(&iinf, type, &infe)) {
        unsigned infe_version = (unsigned)read_bytes(&infe, 1);
        skip(&infe, 3);
        uint64_t id = read_bytes(&infe, infe_version >= 3 ? 4 : 2);
        skip(&infe, 2);
        if (infe.broken || infe.n - position(&infe) < 4 ||
            memcmp(infe.bytes + position(&infe), "av01", 4) != 0)
            continue;
        if (out->n == MAX_ITEMS)
            return pn_fail(err, PN_ERR_LIMIT, "%s: more than %d pieces of AV1, the limit", name,
                           MAX_ITEMS);
        out->ids[out->n++] = id;
    }
    return PN_OK;
}

static bool is_av1(const av1_items *items, uint64_t id)
{
    for (size_t i = 0; i < items->n; i++)
        if (items->ids[i] == id)
            return true;
    return false;
}

typedef struct locations {
    reader iloc;
    unsigned version, offset_size, length_size, base_size, index_size;
    uint64_t n_items;
} locations;

static locations open_locations(reader iloc)
{
    locations l = {.iloc = iloc};
    reader *r = &l.iloc;
    l.version = (unsigned)read_bytes(r, 1);
    skip(r, 3);
    l.offset_size = (unsigned)read_bits(r, 4);
    l.length_size = (unsigned)read_bits(r, 4);
    l.base_size = (unsigned)read_bits(r, 4);
    l.index_size = (unsigned)read_bits(r, 4);
    l.n_items = read_bytes(r, l.version >= 2 ? 4 : 2);
    return l;
}

/* The next item: its id, and its pieces joined into joined[max]. *n is SIZE_MAX when they are no pieces of this file. */
static uint64_t next_item(locations *l, reader file, reader idat, uint8_t *joined, size_t *n)
{
    reader *r = &l->iloc;
    uint64_t id = read_bytes(r, l->version >= 2 ? 4 : 2);
    unsigned method = l->version >= 1 ? (unsigned)read_bytes(r, 2) & 15 : 0;
    const reader *from = method == 1 ? &idat : &file;
    skip(r, 2);
    uint64_t base = read_bytes(r, l->base_size);
    *n = method > 1 ? SIZE_MAX : 0;
    for (uint64_t left = read_bytes(r, 2); left > 0 && !r->broken; left--) {
        if (l->version >= 1)
            (void)read_bytes(r, l->index_size);
        uint64_t start = base + read_bytes(r, l->offset_size),
                 length = read_bytes(r, l->length_size);
        if (start < from->n && length == 0) // all that is left
            length = from->n - start;
        if (*n == SIZE_MAX || start > from->n || length > from->n - start || length > file.n - *n) {
            *n = SIZE_MAX;
            continue;
        }
        memcpy(joined + *n, from->bytes + start, (size_t)length);
        *n += (size_t)length;
    }
    return id;
}

/* Scratch for one file. */
typedef struct scratch {
    uint8_t *joined;
    size_t n_joined; /* of all items: many may share the same bytes, and cost time each */
    av1_items items;
} scratch;

static pn_status check_items(reader file, reader meta, scratch *s, const char *name, pn_error *err)
{
    reader iinf, iloc, idat = {0};
    if (!find_box(meta, "iinf", &iinf) || !find_box(meta, "iloc", &iloc))
        return PN_OK;
    (void)find_box(meta, "idat", &idat); // most have none
    s->items.n = 0;
    PN_TRY(list_av1_items(iinf, &s->items, name, err));
    locations l = open_locations(iloc);
    for (uint64_t i = 0; i < l.n_items && !l.iloc.broken; i++) {
        size_t n;
        uint64_t id = next_item(&l, file, idat, s->joined, &n);
        if (n == SIZE_MAX)
            continue;
        s->n_joined += n;
        if (s->n_joined > MAX_SHARED * file.n)
            return pn_fail(err, PN_ERR_LIMIT, "%s: items that share the same bytes too often",
                           name);
        if (is_av1(&s->items, id))
            PN_TRY(check_obus(s->joined, n, name, err));
    }
    return PN_OK;
}

static pn_status check_meta(reader file, reader meta, scratch *s, const char *name, pn_error *err)
{
    skip(&meta, 4); // version and flags
    if (meta.broken)
        return PN_OK;
    reader inside = {.bytes = meta.bytes + 4, .n = meta.n - 4};
    PN_TRY(check_configurations(inside, name, err));
    return check_items(file, inside, s, name, err);
}

pn_status pn_av1_check_size(const void *bytes, size_t n, const char *name, pn_error *err)
{
    reader file = {.bytes = bytes, .n = n}, rest = file, box;
    char type[4];
    if (n < 12 || memcmp(file.bytes + 4, "ftyp", 4) != 0)
        return PN_OK;
    scratch *s = pn_alloc_zero(sizeof *s);
    if (!s)
        return pn_fail_nomem(err);
    s->joined = pn_alloc(n);
    pn_status status = s->joined ? PN_OK : pn_fail_nomem(err);
    while (status == PN_OK && next_box(&rest, type, &box))
        if (memcmp(type, "meta", 4) == 0) // all of them: which one a decoder takes is its affair
            status = check_meta(file, box, s, name, err);
    pn_free(s->joined);
    pn_free(s);
    return status;
}

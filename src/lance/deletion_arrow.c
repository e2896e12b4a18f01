/*
 * deletion_arrow.c - as much of an Arrow IPC file as a deletion file is
 *
 *     ARROW1 ... footer (flatbuffer: record batch blocks) i32 length ARROW1
 *     block -> ffffffff, i32, Message flatbuffer -> RecordBatch: length, buffers, compression -> body
 *
 * A flatbuffer table at t has its vtable at t - i32(t); field f's offset in the table is u16(vtable + 4 + 2 f), 0 when absent.
 * Every position is checked against the file.
 * Source: the Arrow columnar format, IPC; FlatBuffers internals.
 */
#include "lance/deletion_arrow.h"

#include "base/endian.h"
#include "lance/values.h"

#include <string.h>

typedef struct reader {
    const uint8_t *bytes;
    size_t n;
    const char *name;
    pn_error *err;
} reader;

static pn_status corrupt(const reader *r, const char *what)
{
    return pn_fail(r->err, PN_ERR_CORRUPT, "%s: %s", r->name, what);
}

static bool has(const reader *r, size_t at, size_t n)
{
    return at <= r->n && n <= r->n - at;
}

/* Position of a table's field; 0: absent or outside. */
static size_t field_at(const reader *r, size_t table, unsigned field)
{
    if (!has(r, table, 4))
        return 0;
    int64_t vtable = (int64_t)table - (int32_t)pn_load_le32(r->bytes + table);
    size_t slot = (size_t)vtable + 4 + 2 * (size_t)field;
    if (vtable < 0 || !has(r, (size_t)vtable, 4) ||
        4 + 2 * (size_t)field + 2 > pn_load_le16(r->bytes + vtable) || !has(r, slot, 2) ||
        pn_load_le16(r->bytes + slot) == 0)
        return 0;
    size_t at = table + pn_load_le16(r->bytes + slot);
    return has(r, at, 4) ? at : 0;
}

/* Where an offset field points; 0: absent or outside. */
static size_t follow(const reader *r, size_t at)
{
    if (at == 0)
        return 0;
    size_t to = at + pn_load_le32(r->bytes + at);
    return has(r, to, 4) ? to : 0;
}

/* A vector of structs: position of the first, count. */
static size_t vector_at(const reader *r, size_t field, size_t each, size_t *count)
{
    size_t at = follow(r, field);
    *count = at ? pn_load_le32(r->bytes + at) : 0;
    size_t bytes;
    if (!at || !pn_size_mul(*count, each, &bytes) || !has(r, at + 4, bytes)) {
        *count = 0;
        return 0;
    }
    return at + 4;
}

/* LanceDB goes over to bitmaps at some 5,000 rows; a file of more than this many is not its. */
enum { MAX_OFFSETS = 1 << 24 };

static pn_status take_buffer(const reader *r, size_t at, size_t n, int codec, size_t n_values,
                             pn_arena *arena, const uint8_t **out)
{
    pn_decoder d = {.arena = arena, .where = r->name, .max_bytes = (size_t)1 << 32, .err = r->err};
    if (codec >= 0) {
        if (n < 8)
            return corrupt(r, "a compressed buffer is too short");
        int64_t size = (int64_t)pn_load_le64(r->bytes + at);
        at += 8;
        n -= 8;
        /* Writers may count the padding. What is longer than that would only take memory. */
        if (size >= 0 && ((uint64_t)size < n_values * 4 || (uint64_t)size > n_values * 4 + 128))
            return corrupt(r, "a compressed buffer has another length than its values");
        if (size >= 0 && codec == 1)
            return pn_zstd_decompress(&d, (pn_slice){r->bytes + at, n}, (size_t)size, out);
        if (size >= 0 && codec == 0)
            return pn_lz4_frame_decompress(&d, (pn_slice){r->bytes + at, n}, (size_t)size, out);
        if (size >= 0)
            return pn_fail(r->err, PN_ERR_UNSUPPORTED, "%s: compression %d is not supported",
                           r->name, codec);
    }
    if (n / 4 < n_values)
        return corrupt(r, "a buffer is too short");
    *out = r->bytes + at;
    return PN_OK;
}

typedef struct offsets_out {
    uint32_t *values;
    size_t n, capacity;
} offsets_out;

/* Twice as much each time, so that many small batches cost no more than one large one. */
static pn_status make_room(const reader *r, size_t n, pn_arena *arena, offsets_out *out)
{
    if (n > MAX_OFFSETS - out->n)
        return pn_fail(r->err, PN_ERR_LIMIT, "%s: over %d deleted rows, which is the limit here",
                       r->name, MAX_OFFSETS);
    if (out->n + n <= out->capacity)
        return PN_OK;
    size_t capacity = (out->n + n) * 2;
    uint32_t *values = PN_ARENA_NEW(arena, uint32_t, capacity);
    if (!values)
        return pn_fail_nomem(r->err);
    if (out->n > 0)
        memcpy(values, out->values, out->n * sizeof *values);
    out->values = values;
    out->capacity = capacity;
    return PN_OK;
}

static pn_status take_batch(const reader *r, size_t block, pn_arena *arena, offsets_out *out)
{
    uint64_t offset = pn_load_le64(r->bytes + block), metadata = pn_load_le32(r->bytes + block + 8);
    if (offset > r->n || metadata > r->n - offset || metadata < 12 ||
        pn_load_le32(r->bytes + offset) != 0xFFFFFFFFu)
        return corrupt(r, "a record batch lies outside of the file");
    size_t root = (size_t)offset + 8, body = (size_t)(offset + metadata);
    size_t batch = follow(r, field_at(r, root + pn_load_le32(r->bytes + root), 2));
    size_t length_at = field_at(r, batch, 0), n_buffers;
    size_t buffers = vector_at(r, field_at(r, batch, 2), 16, &n_buffers);
    if (batch == 0 || n_buffers == 0 || (length_at && !has(r, length_at, 8)))
        return corrupt(r, "a record batch is damaged");
    uint64_t n = length_at ? pn_load_le64(r->bytes + length_at) : 0;
    size_t compression = follow(r, field_at(r, batch, 3)),
           codec_at = compression ? field_at(r, compression, 0) : 0;
    int codec = !compression ? -1 : codec_at ? r->bytes[codec_at] : 0;
    size_t last = buffers + (n_buffers - 1) * 16;
    uint64_t at = pn_load_le64(r->bytes + last), bytes = pn_load_le64(r->bytes + last + 8);
    if (n > UINT32_MAX || at > r->n || !has(r, body, (size_t)at) ||
        !has(r, body + (size_t)at, (size_t)bytes))
        return corrupt(r, "a buffer lies outside of the file");
    const uint8_t *values;
    PN_TRY(make_room(r, (size_t)n, arena, out));
    PN_TRY(take_buffer(r, body + (size_t)at, (size_t)bytes, codec, (size_t)n, arena, &values));
    for (size_t i = 0; i < n; i++)
        out->values[out->n++] = pn_load_le32(values + 4 * i);
    return PN_OK;
}

pn_status pn_lance_deletion_arrow_parse(const uint8_t *bytes, size_t n, const char *name,
                                        pn_arena *arena, uint32_t **offsets, size_t *n_offsets,
                                        pn_error *err)
{
    reader r = {bytes, n, name, err};
    if (n < 20 || memcmp(bytes, "ARROW1", 6) != 0 || memcmp(bytes + n - 6, "ARROW1", 6) != 0)
        return corrupt(&r, "not an Arrow file, or cut short");
    size_t length = pn_load_le32(bytes + n - 10);
    if (length < 8 || length > n - 10)
        return corrupt(&r, "the footer lies outside of the file");
    size_t footer = n - 10 - length, n_blocks;
    size_t blocks =
        vector_at(&r, field_at(&r, footer + pn_load_le32(bytes + footer), 3), 24, &n_blocks);
    offsets_out out = {PN_ARENA_NEW(arena, uint32_t, 1), 0, 1};
    if (!out.values)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_blocks; i++)
        PN_TRY(take_batch(&r, blocks + i * 24, arena, &out));
    *offsets = out.values;
    *n_offsets = out.n;
    return PN_OK;
}

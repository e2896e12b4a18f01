/*
 * values.c - the encodings of values
 *
 *     flat               as it is, 1 bit or whole bytes
 *     variable           offsets, then bytes
 *     inline_packed      a word with the width, then a FastLanes unit
 *     out_of_line        FastLanes units, a raw or packed tail
 *     rle                values, run lengths of one byte
 *     fsst               strings of a symbol table
 *     byte_stream_split  byte 0 of all values, byte 1 of all values, ...
 *     general            lz4 or zstd around another encoding
 *     fixed_list         items of a vector side by side
 *
 * Sizes are checked against the buffer that is there before anything is read or allocated; nesting is bounded; what a
 * compressed buffer claims to hold is bounded by what its codec can make of its bytes, and by d->max_bytes.
 */
#include "lance/values.h"

#include "base/buffer.h"
#include "base/endian.h"
#include "base/limits.h"
#include "lance/bitpack.h"

#include <inttypes.h>
#include <lz4.h>
#include <lz4frame.h>
#include <zstd.h>

typedef Pn__Lance__Compression compression;

static pn_status corrupt(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_CORRUPT, "%s: %s", d->where, what);
}

static pn_status unsupported(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_UNSUPPORTED, "%s: encoding \"%s\" is not supported", d->where,
                   what);
}

bool pn_values_are_variable(const pn_field *leaf)
{
    bool is_bits;
    return pn_type_is_variable(leaf->type) ||
           (leaf->is_packed && pn_values_width(leaf, &is_bits) == 0);
}

static pn_status room(const pn_decoder *d, size_t n, size_t each, void **out)
{
    size_t bytes;
    if (!pn_size_mul(n, each, &bytes) || bytes > d->max_bytes)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: %zu values of %zu bytes: the limit is %zu bytes",
                       d->where, n, each, d->max_bytes);
    *out = pn_arena_alloc_aligned(d->arena, 64, bytes + 64);
    if (!*out && bytes > d->arena->max_bytes - d->arena->used_bytes)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: a read of over %zu bytes", d->where,
                       d->arena->max_bytes);
    return *out ? PN_OK : pn_fail_nomem(d->err);
}

static pn_status decode(pn_decoder *d, const compression *how, const pn_slice *buffers,
                        size_t n_buffers, size_t n, bool block, unsigned depth, pn_values *out);

size_t pn_values_width(const pn_field *leaf, bool *is_bits)
{
    size_t items = 1, width = 0;
    for (; leaf->type == PN_TYPE_FIXED_SIZE_LIST; leaf = &leaf->children[0])
        if (!pn_size_mul(items, (size_t)leaf->size, &items))
            return 0;
    *is_bits = leaf->type == PN_TYPE_BOOL;
    if (!leaf->is_packed)
        return pn_size_mul(items, *is_bits ? 1 : pn_type_width(leaf), &width) ? width : 0;
    for (size_t i = 0; i < leaf->n_children; i++) {
        bool bits;
        size_t member = pn_values_width(&leaf->children[i], &bits);
        if (member == 0 || !pn_size_add(width, member, &width))
            return 0;
    }
    return width;
}

static pn_status decode_flat(pn_decoder *d, uint64_t bits, pn_slice from, size_t n, pn_values *out)
{
    void *bytes;
    if (bits == 1) {
        if (from.n < n / 8 + (n % 8 != 0))
            return corrupt(d, "a boolean buffer is too short");
        PN_TRY(room(d, n, 1, &bytes));
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)bytes)[i] = from.data[i / 8] >> (i % 8) & 1;
        *out = (pn_values){.n = n, .width = 1, .data = bytes, .is_bits = true};
        return PN_OK;
    }
    size_t needed;
    if (bits == 0 || bits % 8 != 0 || bits > (1u << 30))
        return unsupported(d, "flat with a partial byte");
    if (!pn_size_mul(n, (size_t)(bits / 8), &needed) || needed > from.n)
        return corrupt(d, "a value buffer is too short");
    *out = (pn_values){.n = n, .width = (size_t)(bits / 8), .data = from.data};
    return PN_OK;
}

/* offsets relative to base, which is where data begins. */
static pn_status take_offsets(pn_decoder *d, pn_slice from, unsigned width, size_t n, size_t base,
                              size_t end, pn_values *out)
{
    void *memory;
    PN_TRY(room(d, n + 1, sizeof(int64_t), &memory));
    int64_t *offsets = memory;
    uint64_t previous = 0;
    for (size_t i = 0; i <= n; i++) {
        uint64_t at =
            width == 8 ? pn_load_le64(from.data + i * 8) : pn_load_le32(from.data + i * 4);
        if (at < base || at > end || at < previous)
            return corrupt(d, "string offsets are out of order");
        previous = at;
        offsets[i] = (int64_t)(at - base);
    }
    *out = (pn_values){.n = n, .variable = true, .offsets = offsets, .data = from.data};
    return PN_OK;
}

static pn_status decode_variable(pn_decoder *d, const compression *offsets, pn_slice from, size_t n,
                                 bool block, pn_values *out)
{
    uint64_t bits = offsets && offsets->kind_case == PN__LANCE__COMPRESSION__KIND_FLAT
                        ? offsets->flat->bits
                        : 0;
    if (bits != 32 && bits != 64)
        return unsupported(d, "variable with packed offsets");
    unsigned width = (unsigned)bits / 8;
    size_t head = block ? 2 * (size_t)width : 0, table;
    if (!pn_size_mul(n + 1, width, &table) || !pn_size_add(table, head, &table) || table > from.n)
        return corrupt(d, "a string buffer is too short for its offsets");
    if (!block) { // offsets count from the start of the buffer
        PN_TRY(take_offsets(d, from, width, n, 0, from.n, out));
        return PN_OK;
    }
    uint64_t start = width == 8 ? pn_load_le64(from.data + 8) : pn_load_le32(from.data + 4);
    if (start < table || start > from.n)
        return corrupt(d, "a string block's bytes begin outside of it");
    pn_slice table_slice = {from.data + head, from.n - head};
    PN_TRY(take_offsets(d, table_slice, width, n, 0, from.n - start, out));
    out->data = from.data + start;
    return PN_OK;
}

static bool is_packable(uint64_t bits)
{
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

static pn_status decode_inline(pn_decoder *d, uint64_t bits, pn_slice from, size_t n,
                               pn_values *out)
{
    void *memory;
    uint64_t unit[PN_BITPACK_UNIT];
    if (!is_packable(bits))
        return unsupported(d, "inline bit packing of odd widths");
    size_t bytes = (size_t)bits / 8;
    if (n > PN_BITPACK_UNIT || from.n < bytes)
        return corrupt(d, "a bit-packed chunk has the wrong size");
    uint64_t w = 0;
    memcpy(&w, from.data, bytes);
    if (w > bits || from.n < bytes + (size_t)w * PN_BITPACK_UNIT / 8)
        return corrupt(d, "a bit-packed chunk is too short");
    PN_TRY(room(d, n, bytes, &memory)); // a whole unit for each of many small chunks adds up
    pn_bitpack_unpack((unsigned)bits, (unsigned)w, from.data + bytes, (uint8_t *)unit);
    memcpy(memory, unit, n * bytes);
    *out = (pn_values){.n = n, .width = bytes, .data = memory};
    return PN_OK;
}

static pn_status decode_out_of_line(pn_decoder *d, const Pn__Lance__OutOfLine *how, pn_slice from,
                                    size_t n, pn_values *out)
{
    void *memory;
    uint64_t bits = how->bits;
    if (!is_packable(bits) || !how->values ||
        how->values->kind_case != PN__LANCE__COMPRESSION__KIND_FLAT)
        return unsupported(d, "out-of-line bit packing of odd widths");
    uint64_t w = how->values->flat->bits;
    if (w > bits)
        return corrupt(d, "bit packing wider than the type");
    size_t bytes = (size_t)bits / 8, unit = (size_t)w * PN_BITPACK_UNIT / 8;
    size_t whole = n / PN_BITPACK_UNIT, tail = n % PN_BITPACK_UNIT, used;
    const uint8_t *packed =
        from.n > 0 ? from.data : (const uint8_t *)""; // of no bits there are none
    if (!pn_size_mul(whole, unit, &used) || used > from.n)
        return corrupt(d, "a bit-packed buffer is too short");
    PN_TRY(room(d, (whole + 1) * PN_BITPACK_UNIT, bytes, &memory));
    uint8_t *values = memory;
    for (size_t i = 0; i < whole; i++)
        pn_bitpack_unpack((unsigned)bits, (unsigned)w, packed + i * unit,
                          values + i * PN_BITPACK_UNIT * bytes);
    if (tail > 0) {
        uint8_t *to = values + whole * PN_BITPACK_UNIT * bytes;
        size_t left = from.n - used;
        /* One more unit, or plain values where those are not larger: what is left tells, unless both are of one size. */
        if (tail * bytes == unit || (tail * bytes < unit && left < unit)) {
            if (left < tail * bytes)
                return corrupt(d, "a bit-packed tail is too short");
            memcpy(to, packed + used, tail * bytes);
        } else {
            if (left < unit)
                return corrupt(d, "a bit-packed tail is too short");
            pn_bitpack_unpack((unsigned)bits, (unsigned)w, packed + used, to);
        }
    }
    *out = (pn_values){.n = n, .width = bytes, .data = values};
    return PN_OK;
}

/* Early writers cut a chunk inside a run, whose whole length still stands there: in chunks, what is too much is not looked at. */
static pn_status expand_runs(pn_decoder *d, const pn_values *values, const pn_values *lengths,
                             size_t n, bool block, pn_values *out)
{
    void *memory;
    size_t at = 0;
    PN_TRY(room(d, n, values->width, &memory));
    uint8_t *to = memory;
    for (size_t run = 0; run < lengths->n && (at < n || block); run++) {
        uint64_t length = 0;
        memcpy(&length, lengths->data + run * lengths->width, lengths->width);
        if (length > n - at && block)
            return corrupt(d, "runs are longer than the page");
        length = PN_MIN(length, (uint64_t)(n - at));
        for (uint64_t i = 0; i < length; i++, at++)
            memcpy(to + at * values->width, values->data + run * values->width, values->width);
    }
    if (at != n)
        return corrupt(d, "runs are shorter than the page");
    *out = (pn_values){.n = n, .width = values->width, .data = to, .is_bits = values->is_bits};
    return PN_OK;
}

/* Values or lengths of runs, compressed like a block. */
typedef struct run_part {
    const compression *how;
    pn_slice bytes;
} run_part;

static pn_status decompress(pn_decoder *d, const Pn__Lance__General *how, pn_slice from,
                            pn_slice *out);

/* Down to what is inside a general compression, where the number of runs can be seen. */
static pn_status open_part(pn_decoder *d, run_part *part)
{
    for (unsigned depth = 0;
         part->how && part->how->kind_case == PN__LANCE__COMPRESSION__KIND_GENERAL; depth++) {
        if (depth > PN_ENCODING_MAX_DEPTH)
            return corrupt(d, "run lengths are nested too deep");
        PN_TRY(decompress(d, part->how->general, part->bytes, &part->bytes));
        part->how = part->how->general->values;
    }
    return part->how ? PN_OK : corrupt(d, "run lengths without an encoding");
}

/* SIZE_MAX: it does not say how many there are. */
static size_t count_in_part(const run_part *part)
{
    return part->how->kind_case == PN__LANCE__COMPRESSION__KIND_FLAT && part->how->flat->bits >= 8
               ? part->bytes.n / (size_t)(part->how->flat->bits / 8)
               : SIZE_MAX;
}

static pn_status decode_rle(pn_decoder *d, const Pn__Lance__Rle *how, const pn_slice *buffers,
                            size_t n_buffers, size_t n, bool block, unsigned depth, pn_values *out)
{
    run_part part[2] = {{how->values, {0}}, {how->run_lengths, {0}}};
    if (block) {
        if (buffers[0].n < 8 || pn_load_le64(buffers[0].data) > buffers[0].n - 8)
            return corrupt(d, "a run-length block is too short");
        size_t size = (size_t)pn_load_le64(buffers[0].data);
        part[0].bytes = (pn_slice){buffers[0].data + 8, size};
        part[1].bytes = (pn_slice){buffers[0].data + 8 + size, buffers[0].n - 8 - size};
    } else {
        if (n_buffers != 2)
            return corrupt(d, "run-length encoding needs two buffers");
        part[0].bytes = buffers[0];
        part[1].bytes = buffers[1];
    }
    PN_TRY(open_part(d, &part[0]));
    PN_TRY(open_part(d, &part[1]));
    /* One of them says how many runs there are; of a block's lengths the end may be padding. */
    size_t n_runs = PN_MIN(count_in_part(&part[0]), count_in_part(&part[1]));
    if (n_runs == SIZE_MAX)
        return unsupported(d, "run lengths without a number of runs");
    pn_values values, lengths;
    PN_TRY(decode(d, part[0].how, &part[0].bytes, 1, n_runs, true, depth + 1, &values));
    PN_TRY(decode(d, part[1].how, &part[1].bytes, 1, n_runs, true, depth + 1, &lengths));
    if (values.variable || lengths.variable || lengths.width > sizeof(uint64_t))
        return unsupported(d, "runs of strings");
    return expand_runs(d, &values, &lengths, n, block, out);
}

/* The symbol table: u64 header, n symbols of 8 bytes, n lengths. */
typedef struct symbols {
    bool on;
    unsigned n;
    const uint8_t *text, *lengths;
} symbols;

static pn_status parse_symbols(pn_decoder *d, const ProtobufCBinaryData *from, symbols *out)
{
    if (from->len < 8)
        return corrupt(d, "a symbol table is too short");
    uint64_t header = pn_load_le64(from->data);
    *out = (symbols){.on = header >> 24 & 1, .n = (unsigned)(header & 0xFF)};
    if (header >> 32 != 0x46535354u)
        return corrupt(d, "a symbol table without its mark");
    if (from->len < 8 + (size_t)out->n * 9)
        return corrupt(d, "a symbol table is too short");
    out->text = from->data + 8;
    out->lengths = out->text + (size_t)out->n * 8;
    for (unsigned i = 0; i < out->n; i++)
        if (out->lengths[i] > 8)
            return corrupt(d, "a symbol is longer than 8 bytes");
    return PN_OK;
}

/* Writes when out is not NULL; returns the length, or SIZE_MAX for damaged input. */
static size_t expand_symbols(const symbols *table, pn_slice from, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < from.n; i++) {
        unsigned code = from.data[i];
        if (code == 255) {
            if (++i == from.n)
                return SIZE_MAX;
            if (out)
                out[n] = from.data[i];
            n++;
        } else if (code < table->n) {
            if (out)
                memcpy(out + n, table->text + (size_t)code * 8, table->lengths[code]);
            n += table->lengths[code];
        } else {
            return SIZE_MAX;
        }
    }
    return n;
}

pn_status pn_values_expand_symbols(pn_decoder *d, const ProtobufCBinaryData *from,
                                   const pn_values *packed, pn_values *out)
{
    symbols table;
    size_t total = 0, n = packed->n;
    void *memory, *offset_memory;
    PN_TRY(parse_symbols(d, from, &table));
    if (!table.on) {
        *out = *packed;
        return PN_OK;
    }
    PN_TRY(room(d, n + 1, sizeof(int64_t), &offset_memory));
    int64_t *offsets = offset_memory;
    for (size_t i = 0; i < n; i++) {
        pn_slice one = {packed->data + packed->offsets[i],
                        (size_t)(packed->offsets[i + 1] - packed->offsets[i])};
        size_t length = expand_symbols(&table, one, NULL);
        if (length == SIZE_MAX)
            return corrupt(d, "a string has an unknown symbol");
        offsets[i] = (int64_t)total;
        total += length;
    }
    offsets[n] = (int64_t)total;
    PN_TRY(room(d, total, 1, &memory));
    for (size_t i = 0; i < n; i++) {
        pn_slice one = {packed->data + packed->offsets[i],
                        (size_t)(packed->offsets[i + 1] - packed->offsets[i])};
        (void)expand_symbols(&table, one, (uint8_t *)memory + offsets[i]); // measured just now
    }
    *out = (pn_values){.n = n, .variable = true, .offsets = offsets, .data = memory};
    return PN_OK;
}

static pn_status decode_fsst(pn_decoder *d, const Pn__Lance__Fsst *how, const pn_slice *buffers,
                             size_t n_buffers, size_t n, bool block, unsigned depth, pn_values *out)
{
    pn_values packed;
    PN_TRY(decode(d, how->values, buffers, n_buffers, n, block, depth + 1, &packed));
    if (!packed.variable)
        return unsupported(d, "symbols of fixed width");
    return pn_values_expand_symbols(d, &how->table, &packed, out);
}

static pn_status decode_split(pn_decoder *d, const Pn__Lance__ByteStreamSplit *how, pn_slice from,
                              size_t n, pn_values *out)
{
    void *memory;
    size_t needed;
    if (!how->values || how->values->kind_case != PN__LANCE__COMPRESSION__KIND_FLAT ||
        how->values->flat->bits % 8 != 0 || how->values->flat->bits == 0 ||
        how->values->flat->bits > 64)
        return unsupported(d, "byte stream split of odd widths");
    size_t width = (size_t)how->values->flat->bits / 8;
    if (!pn_size_mul(n, width, &needed) || needed > from.n)
        return corrupt(d, "a split buffer is too short");
    PN_TRY(room(d, n, width, &memory));
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)memory)[i * width + b] = from.data[b * n + i];
    *out = (pn_values){.n = n, .width = width, .data = memory};
    return PN_OK;
}

/* A sequence of an lz4 block makes at most 255 bytes of each of its own; a zstd block makes 128 KiB of 4 bytes. */
static bool can_hold(pn_slice from, size_t n, unsigned ratio)
{
    return n / ratio <= from.n;
}
enum { LZ4_MAX_RATIO = 255, ZSTD_MAX_RATIO = (128 << 10) / 4 };

/* The size in the frame's header, where the writer put one, must be the one in front of the frame. */
static bool is_frame_of(pn_slice from, size_t n)
{
    unsigned long long said = ZSTD_getFrameContentSize(from.data, from.n);
    return said != ZSTD_CONTENTSIZE_ERROR && (said == ZSTD_CONTENTSIZE_UNKNOWN || said == n) &&
           can_hold(from, n, ZSTD_MAX_RATIO);
}

pn_status pn_zstd_decompress(pn_decoder *d, pn_slice from, size_t n, const uint8_t **out)
{
    void *memory;
    if (!is_frame_of(from, n))
        return corrupt(d, "a zstd frame has another size than it says");
    PN_TRY(room(d, n, 1, &memory));
    size_t got = ZSTD_decompress(memory, n, from.data, from.n);
    if (ZSTD_isError(got) || got != n)
        return corrupt(d, "a zstd frame is damaged");
    *out = memory;
    return PN_OK;
}

pn_status pn_lz4_frame_decompress(pn_decoder *d, pn_slice from, size_t n, const uint8_t **out)
{
    void *memory;
    LZ4F_dctx *context;
    if (!can_hold(from, n, LZ4_MAX_RATIO))
        return corrupt(d, "an lz4 frame has another size than it says");
    PN_TRY(room(d, n, 1, &memory));
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return pn_fail_nomem(d->err);
    size_t to_n = n, from_n = from.n;
    size_t left = LZ4F_decompress(context, memory, &to_n, from.data, &from_n, NULL);
    (void)LZ4F_freeDecompressionContext(context); // nothing to learn from it
    if (LZ4F_isError(left) || to_n != n)
        return corrupt(d, "an lz4 frame is damaged");
    *out = memory;
    return PN_OK;
}

pn_status pn_values_decompress(pn_decoder *d, int scheme, pn_slice from, pn_slice *out)
{
    if (scheme == 2) { // zstd: u64 size, frame
        if (from.n < 8 || pn_load_le64(from.data) > d->max_bytes)
            return corrupt(d, "a compressed buffer has an impossible size");
        out->n = (size_t)pn_load_le64(from.data);
        return pn_zstd_decompress(d, (pn_slice){from.data + 8, from.n - 8}, out->n, &out->data);
    }
    if (scheme != 1)
        return unsupported(d, "unknown compression scheme");
    void *memory; // lz4: u32 size, raw block
    if (from.n < 4 || pn_load_le32(from.data) > INT32_MAX || from.n - 4 > INT32_MAX)
        return corrupt(d, "a compressed buffer has an impossible size");
    out->n = pn_load_le32(from.data);
    if (!can_hold(from, out->n, LZ4_MAX_RATIO))
        return corrupt(d, "an lz4 block has another size than it says");
    PN_TRY(room(d, out->n, 1, &memory));
    int got =
        LZ4_decompress_safe((const char *)from.data + 4, memory, (int)(from.n - 4), (int)out->n);
    if (got < 0 || (size_t)got != out->n)
        return corrupt(d, "an lz4 block is damaged");
    out->data = memory;
    return PN_OK;
}

static pn_status decompress(pn_decoder *d, const Pn__Lance__General *how, pn_slice from,
                            pn_slice *out)
{
    return pn_values_decompress(d, how->scheme ? how->scheme->scheme : 0, from, out);
}

static pn_status decode_general(pn_decoder *d, const Pn__Lance__General *how,
                                const pn_slice *buffers, size_t n_buffers, size_t n, bool block,
                                unsigned depth, pn_values *out)
{
    pn_slice inner[8];
    if (n_buffers > PN_COUNT_OF(inner))
        return unsupported(d, "compression of many buffers");
    memcpy(inner, buffers, n_buffers * sizeof *inner);
    PN_TRY(decompress(d, how, buffers[0], &inner[0]));
    return decode(d, how->values, inner, n_buffers, n, block, depth + 1, out);
}

/* Validity bits of n values of `items` items each, as a byte an item. */
static pn_status item_validity(pn_decoder *d, pn_slice bits, size_t n_items, const uint8_t **out)
{
    pn_values bytes;
    PN_TRY(decode_flat(d, 1, bits, n_items, &bytes));
    *out = bytes.data;
    return PN_OK;
}

/* All values are one that the encoding says, or null: then their slots are zeros. */
static pn_status decode_constant(pn_decoder *d, const Pn__Lance__ConstantValue *how, size_t n,
                                 pn_values *out)
{
    void *memory;
    bool is_bits = false;
    size_t width = d->leaf ? pn_values_width(d->leaf, &is_bits) : how->value.len;
    if (width == 0 || (how->has_value && how->value.len != width))
        return unsupported(d, "constant of strings");
    PN_TRY(room(d, n, width, &memory));
    if (!how->has_value)
        memset(memory, 0, n * width);
    for (size_t i = 0; i < n && how->has_value; i++)
        memcpy((uint8_t *)memory + i * width, how->value.data, width);
    *out = (pn_values){.n = n, .width = width, .data = memory, .is_bits = is_bits};
    return PN_OK;
}

static pn_status decode_fixed_list(pn_decoder *d, const Pn__Lance__FixedList *how,
                                   const pn_slice *buffers, size_t n_buffers, size_t n, bool block,
                                   unsigned depth, pn_values *out)
{
    size_t n_items, first = how->has_validity ? 1 : 0;
    const uint8_t *valid = NULL;
    pn_values items;
    if (how->items == 0 || how->items > UINT32_MAX || !pn_size_mul(n, (size_t)how->items, &n_items))
        return corrupt(d, "a fixed-size list of impossible size");
    if (n_buffers < first + 1)
        return corrupt(d, "a fixed-size list lacks a buffer");
    if (first)
        PN_TRY(item_validity(d, buffers[0], n_items, &valid));
    pn_decoder inner = *d;
    inner.leaf = d->leaf && d->leaf->type == PN_TYPE_FIXED_SIZE_LIST ? d->leaf->children : NULL;
    PN_TRY(decode(&inner, how->values, buffers + first, n_buffers - first, n_items, block,
                  depth + 1, &items));
    if (items.variable || items.n_items[PN_FIXED_LIST_MAX_DEPTH - 1] > 0)
        return unsupported(d, "fixed-size lists of strings, or nested deep");
    *out = (pn_values){.n = n,
                       .width = items.width * (size_t)how->items,
                       .data = items.data,
                       .is_bits = items.is_bits,
                       .n_items = {(size_t)how->items},
                       .item_valid = {valid}};
    for (size_t i = 1; i < PN_FIXED_LIST_MAX_DEPTH; i++) {
        out->n_items[i] = (size_t)how->items * items.n_items[i - 1];
        out->item_valid[i] = items.item_valid[i - 1];
    }
    return PN_OK;
}

/* Members side by side, row by row: so they stay until arrays are made. */
pn_status pn_values_check_packed(pn_decoder *d, const Pn__Lance__PackedStruct *how)
{
    if (!d->leaf || !d->leaf->is_packed || how->n_bits != d->leaf->n_children)
        return corrupt(d, "a packed struct of another number of members");
    for (size_t i = 0; i < how->n_bits; i++) {
        bool is_bits = false;
        size_t width = pn_values_width(&d->leaf->children[i], &is_bits);
        if (is_bits || width == 0)
            return unsupported(d, "packed struct of booleans or strings");
        if (how->bits[i] != (uint64_t)width * 8)
            return corrupt(d, "a packed struct's member has another width than its type");
    }
    return PN_OK;
}

static pn_status decode_packed(pn_decoder *d, const Pn__Lance__PackedStruct *how,
                               const pn_slice *buffers, size_t n_buffers, size_t n, bool block,
                               unsigned depth, pn_values *out)
{
    PN_TRY(pn_values_check_packed(d, how));
    return decode(d, how->values, buffers, n_buffers, n, block, depth + 1, out);
}

static pn_status decode(pn_decoder *d, const compression *how, const pn_slice *buffers,
                        size_t n_buffers, size_t n, bool block, unsigned depth, pn_values *out)
{
    if (!how || n_buffers == 0)
        return corrupt(d, "a page without an encoding");
    if (depth > PN_ENCODING_MAX_DEPTH)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: encodings nested over %d deep", d->where,
                       PN_ENCODING_MAX_DEPTH);
    switch ((int)how->kind_case) {
    case PN__LANCE__COMPRESSION__KIND_FLAT:
        return decode_flat(d, how->flat->bits, buffers[0], n, out);
    case PN__LANCE__COMPRESSION__KIND_VARIABLE:
        return decode_variable(d, how->variable->offsets, buffers[0], n, block, out);
    case PN__LANCE__COMPRESSION__KIND_OUT_OF_LINE:
        return decode_out_of_line(d, how->out_of_line, buffers[0], n, out);
    case PN__LANCE__COMPRESSION__KIND_INLINE_PACKED:
        return decode_inline(d, how->inline_packed->bits, buffers[0], n, out);
    case PN__LANCE__COMPRESSION__KIND_FSST:
        return decode_fsst(d, how->fsst, buffers, n_buffers, n, block, depth, out);
    case PN__LANCE__COMPRESSION__KIND_RLE:
        return decode_rle(d, how->rle, buffers, n_buffers, n, block, depth, out);
    case PN__LANCE__COMPRESSION__KIND_BYTE_STREAM_SPLIT:
        return decode_split(d, how->byte_stream_split, buffers[0], n, out);
    case PN__LANCE__COMPRESSION__KIND_GENERAL:
        return decode_general(d, how->general, buffers, n_buffers, n, block, depth, out);
    case PN__LANCE__COMPRESSION__KIND_FIXED_LIST:
        return decode_fixed_list(d, how->fixed_list, buffers, n_buffers, n, block, depth, out);
    case PN__LANCE__COMPRESSION__KIND_CONSTANT:
        return decode_constant(d, how->constant, n, out);
    case PN__LANCE__COMPRESSION__KIND_PACKED_STRUCT:
        return decode_packed(d, how->packed_struct, buffers, n_buffers, n, block, depth, out);
    default:
        return unsupported(d, pn_values_encoding_name(how));
    }
}

pn_status pn_values_decode(pn_decoder *d, const compression *how, const pn_slice *buffers,
                           size_t n_buffers, size_t n, pn_values *out)
{
    return decode(d, how, buffers, n_buffers, n, false, 0, out);
}

pn_status pn_values_decode_block(pn_decoder *d, const compression *how, pn_slice block, size_t n,
                                 pn_values *out)
{
    return decode(d, how, &block, 1, n, true, 0, out);
}

/* Move n bytes from the front of rest to the end of out. */
static pn_status move_bytes(pn_decoder *d, pn_slice *rest, size_t n, pn_buffer *out)
{
    if (rest->n < n)
        return corrupt(d, "a packed struct's row is too short");
    PN_TRY(pn_buffer_append(out, rest->data, n, d->err));
    rest->data += n;
    rest->n -= n;
    return PN_OK;
}

static pn_status take_packed_member(pn_decoder *d, const Pn__Lance__StructMember *how, size_t i,
                                    pn_slice *rest, pn_buffer *row)
{
    const pn_field *member = &d->leaf->children[i];
    pn_decoder inner = *d;
    inner.leaf = member;
    if (!pn_type_is_variable(member->type)) {
        bool is_bits = false;
        size_t width = pn_values_width(member, &is_bits);
        const compression *flat = how->value;
        while (flat && flat->kind_case == PN__LANCE__COMPRESSION__KIND_FIXED_LIST &&
               !flat->fixed_list->has_validity)
            flat = flat->fixed_list->values;
        if (width == 0 || is_bits || !flat || flat->kind_case != PN__LANCE__COMPRESSION__KIND_FLAT)
            return unsupported(d, "packed struct of this member");
        if (how->bits != (uint64_t)width * 8)
            return corrupt(d, "a packed struct's member has another width than its type");
        return move_bytes(d, rest, width, row);
    }
    size_t length_bytes = how->length_bits / 8;
    if (how->length_bits != 32 && how->length_bits != 64)
        return corrupt(d, "lengths that are neither 32 nor 64 bits");
    if (rest->n < length_bytes)
        return corrupt(d, "a packed struct's row is too short");
    uint64_t n = length_bytes == 8 ? pn_load_le64(rest->data) : pn_load_le32(rest->data);
    pn_slice value, stored = {rest->data + length_bytes, (size_t)n};
    if (n > rest->n - length_bytes)
        return corrupt(d, "a packed struct's string is longer than its row");
    PN_TRY(pn_values_decode_one(&inner, how->value, stored, &value));
    rest->data += length_bytes + n;
    rest->n -= length_bytes + (size_t)n;
    uint8_t length[8];
    pn_store_le64(length, value.n);
    PN_TRY(pn_buffer_append(row, length, sizeof length, d->err));
    return pn_buffer_append(row, value.data, value.n, d->err);
}

/*
 * A row of a packed struct with strings: each member compressed by itself, strings behind their length. It becomes the row that
 * arrays are made of: fixed members as they are, others behind a length of 64 bits.
 */
static pn_status decode_packed_row(pn_decoder *d, const Pn__Lance__VariableStruct *how,
                                   pn_slice stored, pn_slice *out)
{
    if (!d->leaf || !d->leaf->is_packed || how->n_fields != d->leaf->n_children)
        return corrupt(d, "a packed struct of another number of members");
    pn_buffer row;
    pn_buffer_init(&row, d->max_bytes);
    pn_status status = PN_OK;
    for (size_t i = 0; i < how->n_fields; i++)
        PN_GOTO(done, take_packed_member(d, how->fields[i], i, &stored, &row));
    if (stored.n != 0)
        PN_GOTO(done, corrupt(d, "a packed struct's row is too long"));
    uint8_t *copy = pn_arena_alloc(d->arena, row.n_bytes + 1);
    if (!copy)
        PN_GOTO(done, pn_fail_nomem(d->err));
    if (row.n_bytes > 0)
        memcpy(copy, row.data, row.n_bytes);
    *out = (pn_slice){copy, row.n_bytes};
done:
    pn_buffer_reset(&row);
    return status;
}

pn_status pn_values_decode_one(pn_decoder *d, const compression *how, pn_slice stored,
                               pn_slice *out)
{
    symbols table;
    void *memory;
    if (how && how->kind_case == PN__LANCE__COMPRESSION__KIND_VARIABLE_STRUCT)
        return decode_packed_row(d, how->variable_struct, stored, out);
    if (how && how->kind_case == PN__LANCE__COMPRESSION__KIND_VARIABLE) {
        *out = stored;
        return PN_OK;
    }
    if (how && how->kind_case == PN__LANCE__COMPRESSION__KIND_GENERAL && stored.n > 0 &&
        how->general->values &&
        how->general->values->kind_case == PN__LANCE__COMPRESSION__KIND_VARIABLE)
        return decompress(d, how->general, stored, out);
    if (how && how->kind_case == PN__LANCE__COMPRESSION__KIND_GENERAL && stored.n == 0) {
        *out = stored;
        return PN_OK;
    }
    if (!how || how->kind_case != PN__LANCE__COMPRESSION__KIND_FSST)
        return unsupported(d, "values of a full-zip page");
    PN_TRY(parse_symbols(d, &how->fsst->table, &table));
    size_t n = table.on ? expand_symbols(&table, stored, NULL) : stored.n;
    if (n == SIZE_MAX)
        return corrupt(d, "a string has an unknown symbol");
    PN_TRY(room(d, n, 1, &memory));
    if (table.on)
        (void)expand_symbols(&table, stored, memory); // measured just now
    else if (n > 0)
        memcpy(memory, stored.data, n);
    *out = (pn_slice){memory, n};
    return PN_OK;
}

const char *pn_values_encoding_name(const compression *how)
{
    static const char *const names[] = {"none",
                                        "flat",
                                        "variable",
                                        "constant",
                                        "out-of-line bit packing",
                                        "inline bit packing",
                                        "fsst",
                                        "dictionary",
                                        "run length",
                                        "byte stream split",
                                        "general",
                                        "fixed-size list",
                                        "packed struct",
                                        "variable packed struct",
                                        "range",
                                        "delta"};
    size_t kind = how ? (size_t)how->kind_case : 0;
    return kind < PN_COUNT_OF(names) ? names[kind] : "unknown";
}

size_t pn_values_count_buffers(const compression *how)
{
    for (unsigned depth = 0; how && depth <= PN_ENCODING_MAX_DEPTH; depth++) {
        switch ((int)how->kind_case) {
        case PN__LANCE__COMPRESSION__KIND_RLE:
            return 2;
        case PN__LANCE__COMPRESSION__KIND_GENERAL:
            how = how->general->values;
            break;
        case PN__LANCE__COMPRESSION__KIND_FSST:
            how = how->fsst->values;
            break;
        case PN__LANCE__COMPRESSION__KIND_PACKED_STRUCT:
            how = how->packed_struct->values;
            break;
        case PN__LANCE__COMPRESSION__KIND_FIXED_LIST:
            return (how->fixed_list->has_validity ? 1 : 0) +
                   pn_values_count_buffers(how->fixed_list->values);
        default:
            return 1;
        }
    }
    return 0;
}

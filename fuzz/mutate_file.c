/*
 * mutate_file.c - one change inside of a Lance data file
 *
 *     buffers | global buffers (the schema first) | column metadata | column table | global table | footer
 *
 * The file is taken apart, one part is changed, and what lies behind the buffers is written anew with the right positions. A buffer
 * that grows moves behind the others.
 */
#include "mutate.h"

#include "base/endian.h"

#include <lance.pb-c.h>

#include <stdlib.h>
#include <string.h>

enum { FOOTER = 40, MAX_PARTS = 80, ROOM = 2048 };

typedef struct part {
    uint8_t *bytes; /* room for n + ROOM */
    size_t n;
} part;

typedef struct parts {
    part data;
    part globals[MAX_PARTS], columns[MAX_PARTS];
    uint32_t n_globals, n_columns;
    uint8_t version[4];
} parts;

static bool copy_part(const uint8_t *bytes, size_t n, part *out)
{
    out->bytes = malloc(n + ROOM);
    out->n = n;
    if (out->bytes && n > 0)
        memcpy(out->bytes, bytes, n);
    return out->bytes != NULL;
}

static void free_parts(parts *p)
{
    free(p->data.bytes);
    for (size_t i = 0; i < MAX_PARTS; i++) {
        free(p->globals[i].bytes);
        free(p->columns[i].bytes);
    }
}

/* The entries of a table; *end becomes the least position of one. */
static bool take_table(const uint8_t *bytes, size_t n, uint64_t table, uint32_t n_parts, part *out,
                       uint64_t *end)
{
    for (uint32_t i = 0; i < n_parts; i++) {
        uint64_t at = table + (uint64_t)i * 16;
        if (table > n || at + 16 > n)
            return false;
        uint64_t offset = pn_load_le64(bytes + at), size = pn_load_le64(bytes + at + 8);
        if (offset > n || size > n - offset || !copy_part(bytes + offset, size, &out[i]))
            return false;
        *end = PN_MIN(*end, offset);
    }
    return true;
}

static bool take_apart(const uint8_t *bytes, size_t n, parts *out)
{
    if (n < FOOTER)
        return false;
    const uint8_t *footer = bytes + n - FOOTER;
    uint64_t end = n - FOOTER;
    out->n_globals = pn_load_le32(footer + 24);
    out->n_columns = pn_load_le32(footer + 28);
    memcpy(out->version, footer + 32, sizeof out->version);
    return out->n_globals <= MAX_PARTS && out->n_columns <= MAX_PARTS &&
           take_table(bytes, n, pn_load_le64(footer + 16), out->n_globals, out->globals, &end) &&
           take_table(bytes, n, pn_load_le64(footer + 8), out->n_columns, out->columns, &end) &&
           copy_part(bytes, end, &out->data);
}

/* ---- putting together ---- */

typedef struct sink {
    uint8_t *bytes;
    size_t n, max;
    bool full;
} sink;

static void put(sink *s, const void *bytes, size_t n)
{
    s->full = s->full || n > s->max - s->n;
    if (s->full || n == 0)
        return;
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
}

static void put_number(sink *s, uint64_t value, size_t width)
{
    uint8_t bytes[8];
    pn_store_le64(bytes, value);
    put(s, bytes, width);
}

static void put_table(sink *s, const part *list, uint32_t n, uint64_t begin)
{
    for (uint32_t i = 0; i < n; i++) {
        put_number(s, begin, 8);
        put_number(s, list[i].n, 8);
        begin += list[i].n;
    }
}

static bool put_together(const parts *p, sink *s)
{
    put(s, p->data.bytes, p->data.n);
    size_t globals = s->n;
    for (uint32_t i = 0; i < p->n_globals; i++)
        put(s, p->globals[i].bytes, p->globals[i].n);
    size_t columns = s->n;
    for (uint32_t i = 0; i < p->n_columns; i++)
        put(s, p->columns[i].bytes, p->columns[i].n);
    size_t column_table = s->n;
    put_table(s, p->columns, p->n_columns, columns);
    size_t global_table = s->n;
    put_table(s, p->globals, p->n_globals, globals);
    put_number(s, columns, 8);
    put_number(s, column_table, 8);
    put_number(s, global_table, 8);
    put_number(s, p->n_globals, 4);
    put_number(s, p->n_columns, 4);
    put(s, p->version, sizeof p->version);
    put(s, "LANC", 4);
    return !s->full;
}

/* ---- changes ---- */

static void change_message(const ProtobufCMessageDescriptor *type, part *p, pn_rng *rng)
{
    p->n = fuzz_mutate_message(type, p->bytes, p->n, p->n + ROOM, rng);
}

static void pack_column(const Pn__Lance__ColumnMetadata *column, part *out)
{
    size_t n = pn__lance__column_metadata__get_packed_size(column);
    uint8_t *bytes = malloc(n + ROOM);
    if (!bytes)
        return;
    free(out->bytes);
    out->bytes = bytes;
    out->n = pn__lance__column_metadata__pack(column, bytes);
}

/* The layout lies packed in a message that lies packed in the page. */
static void change_layout(ProtobufCBinaryData *encoding, bool is_array, pn_rng *rng)
{
    Pn__Lance__Any *any = pn__lance__any__unpack(NULL, encoding->len, encoding->data);
    if (!any)
        return;
    part layout = {NULL, 0};
    if (copy_part(any->value.data, any->value.len, &layout)) {
        change_message(is_array ? &pn__lance__array_encoding__descriptor
                                : &pn__lance__page_layout__descriptor,
                       &layout, rng);
        free(any->value.data);
        any->value = (ProtobufCBinaryData){layout.n, layout.bytes};
        any->has_value = 1;
        size_t n = pn__lance__any__get_packed_size(any);
        uint8_t *packed = malloc(n + 1);
        if (packed) {
            free(encoding->data);
            *encoding = (ProtobufCBinaryData){pn__lance__any__pack(any, packed), packed};
        }
    }
    pn__lance__any__free_unpacked(any, NULL);
}

/* In place when it keeps its size, behind all others when not. */
static void change_buffer(part *data, Pn__Lance__Page *page, pn_rng *rng)
{
    size_t i = page->n_buffer_offsets ? pn_rng_below(rng, page->n_buffer_offsets) : 0;
    if (i >= page->n_buffer_sizes || i >= page->n_buffer_offsets)
        return;
    uint64_t offset = page->buffer_offsets[i], size = page->buffer_sizes[i];
    if (offset > data->n || size > data->n - offset)
        return;
    part copy;
    if (!copy_part(data->bytes + offset, size, &copy))
        return;
    copy.n = LLVMFuzzerMutate(copy.bytes, copy.n, copy.n + 256);
    if (copy.n <= size) {
        memcpy(data->bytes + offset, copy.bytes, copy.n);
        page->buffer_sizes[i] = copy.n;
    } else {
        uint8_t *larger = realloc(data->bytes, data->n + copy.n + ROOM);
        if (larger) {
            memcpy(larger + data->n, copy.bytes, copy.n);
            page->buffer_offsets[i] = data->n;
            page->buffer_sizes[i] = copy.n;
            data->bytes = larger;
            data->n += copy.n;
        }
    }
    free(copy.bytes);
}

static void change_page(parts *p, part *column, pn_rng *rng)
{
    Pn__Lance__ColumnMetadata *m =
        pn__lance__column_metadata__unpack(NULL, column->n, column->bytes);
    if (m && m->n_pages > 0) {
        Pn__Lance__Page *page = m->pages[pn_rng_below(rng, m->n_pages)];
        if (pn_rng_below(rng, 3) == 0)
            change_buffer(&p->data, page, rng);
        else if (page->encoding && page->encoding->direct)
            change_layout(&page->encoding->direct->encoding,
                          pn_load_le16(p->version + 2) == 3 && pn_load_le16(p->version) == 0, rng);
        pack_column(m, column);
    }
    if (m)
        pn__lance__column_metadata__free_unpacked(m, NULL);
}

static void change(parts *p, pn_rng *rng)
{
    uint64_t what = pn_rng_below(rng, 12);
    part *column = p->n_columns ? &p->columns[pn_rng_below(rng, p->n_columns)] : NULL;
    if (what == 0 && p->n_globals > 0)
        change_message(&pn__lance__file_descriptor__descriptor, &p->globals[0], rng);
    else if (what == 1)
        p->version[pn_rng_below(rng, 4)] ^= (uint8_t)(1u << pn_rng_below(rng, 3));
    else if (what == 2)
        p->n_columns -= p->n_columns > 0; // its bytes are freed all the same
    else if (what <= 4 && column)
        change_message(&pn__lance__column_metadata__descriptor, column, rng);
    else if (column)
        change_page(p, column, rng);
}

size_t fuzz_mutate_lance_file(uint8_t *bytes, size_t n, size_t max, pn_rng *rng)
{
    parts p = {0};
    sink s = {malloc(max + 1), 0, max, false};
    if (s.bytes && take_apart(bytes, n, &p)) {
        change(&p, rng);
        if (put_together(&p, &s)) {
            memcpy(bytes, s.bytes, s.n);
            n = s.n;
        }
    }
    free_parts(&p);
    free(s.bytes);
    return n;
}

/*
 * blob_page.c - positions and sizes -> bytes
 *
 * A column that is marked lance-encoding:blob keeps, in a page of one of the other layouts, 16 bytes a row: where the value lies in
 * the file and how long it is.
 *
 *     position, size     the value
 *     p, n > 0           bytes [p, p + n) of the file
 *     0, 0               empty
 *     p > 0, 0           none: p is its repetition level and, above 16 bits, its definition level in the layers of this page
 *
 * In version 2.0, whose pages have no levels, 1, 0 is the only null. Since 2.2 such columns are refused by the writer, in favour of a type of its own whose values may lie in other files.
 */
#include "lance/blob_page.h"

#include "base/endian.h"

#include <string.h>

enum { DESCRIPTOR_BYTES = 16, DEFINITION_SHIFT = 16 };

static pn_status corrupt(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_CORRUPT, "%s: %s", d->where, what);
}

void pn_blob_descriptor(pn_field *members, pn_field *out)
{
    pn_field_init(&members[0], "position", PN_TYPE_UINT64, false);
    pn_field_init(&members[1], "size", PN_TYPE_UINT64, false);
    pn_field_init(out, "descriptor", PN_TYPE_STRUCT, false);
    out->is_packed = true;
    out->children = members;
    out->n_children = 2;
}

/* The inner page's rows, as a column of packed structs. */
static pn_status read_descriptors(pn_decoder *d, const pn_page *page, const pn_row_range *ranges,
                                  size_t n_ranges, pn_stream *out)
{
    pn_field members[2], descriptor;
    pn_blob_descriptor(members, &descriptor);
    const pn_leaf_path path = {.nodes = {&descriptor}, .n = 1, .innermost_list = -1};
    pn_decoder inner = *d;
    inner.leaf = &descriptor;
    pn_page inside = *page;
    inside.layout = page->layout->blob->inner;
    if (!inside.layout || inside.layout->layout_case == PN__LANCE__PAGE_LAYOUT__LAYOUT_BLOB)
        return corrupt(d, "a page of blobs without positions");
    PN_TRY(pn_page_read(&inner, &inside, &path, ranges, n_ranges, out));
    if (out->n_values != out->n_entries || !out->all_valid ||
        (out->n_values > 0 && (out->variable || out->width != DESCRIPTOR_BYTES)))
        return corrupt(d, "positions of blobs of another kind");
    return PN_OK;
}

typedef struct blobs {
    uint8_t levels[2 * PN_SCHEMA_MAX_DEPTH_NODES + 1]; /* definition levels as stops */
    unsigned n_levels;
    pn_buffer data, offsets, stops;
} blobs;

static pn_status take_blob(pn_decoder *d, const pn_page *page, uint64_t position, uint64_t size,
                           blobs *b)
{
    uint8_t stop = 0;
    if (size > 0) {
        if (position > page->file.n || size > page->file.n - position)
            return corrupt(d, "a blob lies outside of the file");
        PN_TRY(pn_buffer_append(&b->data, page->file.data + position, (size_t)size, d->err));
    } else if (position > 0) {
        uint64_t level = position >> DEFINITION_SHIFT;
        if (level >= b->n_levels || position % (1u << DEFINITION_SHIFT) != 0)
            return corrupt(d, "a level is out of range");
        stop = b->levels[level];
    }
    int64_t end = (int64_t)b->data.n_bytes;
    PN_TRY(pn_buffer_append(&b->stops, &stop, 1, d->err));
    return pn_buffer_append(&b->offsets, &end, sizeof end, d->err);
}

static pn_status take_blobs(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                            const pn_stream *descriptors, pn_stream *stream)
{
    const int64_t zero = 0;
    unsigned n_rep_levels;
    blobs b;
    pn_status status = PN_OK;
    pn_buffer_init(&b.data, d->max_bytes);
    pn_buffer_init(&b.offsets, d->max_bytes);
    pn_buffer_init(&b.stops, d->max_bytes);
    PN_GOTO(done, pn_page_levels(d, path, page->layout->blob->layers, page->layout->blob->n_layers,
                                 b.levels, &b.n_levels, &n_rep_levels));
    PN_GOTO(done, pn_buffer_append(&b.offsets, &zero, sizeof zero, d->err));
    for (size_t i = 0; i < descriptors->n_values; i++) {
        const uint8_t *at = descriptors->data.data + i * DESCRIPTOR_BYTES;
        PN_GOTO(done, take_blob(d, page, pn_load_le64(at), pn_load_le64(at + 8), &b));
    }
    pn_piece piece = {.n_entries = descriptors->n_values,
                      .stop = b.stops.data,
                      .values = {.n = descriptors->n_values,
                                 .variable = true,
                                 .data = b.data.data,
                                 .offsets = (const int64_t *)(const void *)b.offsets.data}};
    PN_GOTO(done, pn_stream_append(stream, path, &piece, 0, piece.n_entries, 0, d->err));
done:
    pn_buffer_reset(&b.data);
    pn_buffer_reset(&b.offsets);
    pn_buffer_reset(&b.stops);
    return status;
}

pn_status pn_blob_page_read(pn_decoder *d, const pn_page *page, const pn_leaf_path *path,
                            const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    pn_stream descriptors;
    if (path->n_lists > 0 || !pn_type_is_variable(path->nodes[path->n - 1]->type))
        return pn_fail(d->err, PN_ERR_UNSUPPORTED,
                       "%s: encoding \"blob\" in lists is not supported", d->where);
    pn_stream_init(&descriptors, d->max_bytes);
    pn_status status = read_descriptors(d, page, ranges, n_ranges, &descriptors);
    if (status == PN_OK)
        status = take_blobs(d, page, path, &descriptors, stream);
    pn_stream_reset(&descriptors);
    return status;
}

/* ---- version 2.0 ---- */

/* Where each value ends when all of them lie side by side; offsets [n + 1]. */
static pn_status measure(pn_decoder *d, pn_slice file, const pn_values *descriptors,
                         int64_t *offsets, uint8_t *valid)
{
    size_t total = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < descriptors->n; i++) {
        const uint8_t *at = descriptors->data + i * DESCRIPTOR_BYTES;
        uint64_t position = pn_load_le64(at), size = pn_load_le64(at + 8);
        if (size > 0 && (position > file.n || size > file.n - position))
            return corrupt(d, "a blob lies outside of the file");
        if (!pn_size_add(total, (size_t)size, &total) || total > d->max_bytes)
            return pn_fail(d->err, PN_ERR_LIMIT, "%s: blobs of over %zu bytes at once", d->where,
                           d->max_bytes);
        offsets[i + 1] = (int64_t)total;
        valid[i] = size > 0 || position != 1;
    }
    return PN_OK;
}

pn_status pn_blob_array(pn_decoder *d, pn_slice file, const pn_values *descriptors,
                        pn_array_values *out)
{
    size_t n = descriptors->n;
    if (descriptors->variable || descriptors->width != DESCRIPTOR_BYTES)
        return corrupt(d, "positions of blobs of another kind");
    int64_t *offsets = PN_ARENA_NEW(d->arena, int64_t, n + 1);
    uint8_t *valid = PN_ARENA_NEW(d->arena, uint8_t, n + 1);
    if (!offsets || !valid)
        return pn_fail_nomem(d->err);
    PN_TRY(measure(d, file, descriptors, offsets, valid));
    uint8_t *data = PN_ARENA_NEW(d->arena, uint8_t, (size_t)offsets[n] + 1);
    if (!data)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < n; i++)
        if (offsets[i + 1] > offsets[i])
            memcpy(data + offsets[i],
                   file.data + pn_load_le64(descriptors->data + i * DESCRIPTOR_BYTES),
                   (size_t)(offsets[i + 1] - offsets[i]));
    *out = (pn_array_values){.values = {.n = n, .variable = true, .data = data, .offsets = offsets},
                             .valid = valid};
    return PN_OK;
}

/*
 * stream.c - collecting the entries of the rows asked for
 */
#include "lance/stream.h"

#include <string.h>

enum { N_BUFFERS = 4 + PN_FIXED_LIST_MAX_DEPTH };

static pn_buffer *buffer_at(pn_stream *s, size_t i)
{
    pn_buffer *const first[] = {&s->rep, &s->stop, &s->data, &s->offsets};
    return i < PN_COUNT_OF(first) ? first[i] : &s->item_valid[i - PN_COUNT_OF(first)];
}

void pn_stream_init(pn_stream *stream, size_t max_bytes)
{
    *stream = (pn_stream){.all_valid = true};
    for (size_t i = 0; i < N_BUFFERS; i++)
        pn_buffer_init(buffer_at(stream, i), max_bytes);
}

void pn_stream_reset(pn_stream *stream)
{
    for (size_t i = 0; i < N_BUFFERS; i++)
        pn_buffer_reset(buffer_at(stream, i));
}

void pn_stream_clear(pn_stream *stream, size_t kept_bytes)
{
    pn_stream empty = {.all_valid = true};
    for (size_t i = 0; i < N_BUFFERS; i++) {
        pn_buffer_trim(buffer_at(stream, i), kept_bytes);
        *buffer_at(&empty, i) = *buffer_at(stream, i);
    }
    *stream = empty;
}

size_t pn_stream_bytes(const pn_stream *stream)
{
    size_t n =
        stream->rep.n_bytes + stream->stop.n_bytes + stream->data.n_bytes + stream->offsets.n_bytes;
    for (size_t i = 0; i < PN_FIXED_LIST_MAX_DEPTH; i++)
        n += stream->item_valid[i].n_bytes;
    return n;
}

pn_status pn_stream_expect(pn_stream *stream, const pn_field *leaf, pn_error *err)
{
    const pn_field *list = leaf;
    size_t n = 1;
    for (size_t depth = 0; list->type == PN_TYPE_FIXED_SIZE_LIST; depth++) {
        if (depth == PN_FIXED_LIST_MAX_DEPTH)
            return pn_fail(err, PN_ERR_UNSUPPORTED,
                           "column \"%s\": fixed-size lists nested over %d deep", leaf->name,
                           PN_FIXED_LIST_MAX_DEPTH);
        if (!pn_size_mul(n, (size_t)list->size, &n))
            return pn_fail(err, PN_ERR_CORRUPT,
                           "column \"%s\": a fixed-size list of impossible size", leaf->name);
        stream->n_items[depth] = n;
        list = &list->children[0];
    }
    if (list != leaf && pn_type_is_variable(list->type))
        return pn_fail(err, PN_ERR_UNSUPPORTED, "column \"%s\": fixed-size lists of texts",
                       leaf->name);
    return PN_OK;
}

pn_piece pn_stream_piece(const pn_stream *s)
{
    pn_piece piece = {.n_entries = s->n_entries,
                      .rep = s->rep.data,
                      .stop = s->stop.data,
                      .values = {.n = s->n_values,
                                 .variable = s->variable,
                                 .width = s->width,
                                 .data = s->data.data,
                                 .offsets = (const int64_t *)(const void *)s->offsets.data,
                                 .is_bits = s->is_bits}};
    for (size_t i = 0; i < PN_FIXED_LIST_MAX_DEPTH; i++) {
        piece.values.n_items[i] = s->n_items[i];
        if (s->item_valid[i].n_bytes > 0)
            piece.values.item_valid[i] = s->item_valid[i].data;
    }
    return piece;
}

static pn_status append_variable(pn_stream *s, const pn_values *values, size_t first, size_t n,
                                 pn_error *err)
{
    int64_t zero = 0;
    if (s->offsets.n_bytes == 0)
        PN_TRY(pn_buffer_append(&s->offsets, &zero, sizeof zero, err));
    int64_t start = values->offsets[first], base = (int64_t)s->data.n_bytes;
    size_t n_bytes = (size_t)(values->offsets[first + n] - start);
    if (n_bytes > 0) // texts of no length may have no bytes at all
        PN_TRY(pn_buffer_append(&s->data, values->data + start, n_bytes, err));
    for (size_t i = 1; i <= n; i++) {
        int64_t at = base + values->offsets[first + i] - start;
        PN_TRY(pn_buffer_append(&s->offsets, &at, sizeof at, err));
    }
    return PN_OK;
}

/* Of the lists at one depth. */
static pn_status append_item_validity(pn_stream *s, const pn_values *values, size_t first, size_t n,
                                      size_t depth, pn_error *err)
{
    const uint8_t *valid = values->item_valid[depth];
    pn_buffer *to = &s->item_valid[depth];
    size_t items = s->n_items[depth];
    if (values->n_items[depth] != 0 && values->n_items[depth] != items)
        return pn_fail(err, PN_ERR_CORRUPT, "lists of %zu items in a column of lists of %zu",
                       values->n_items[depth], items);
    if (!valid && to->n_bytes == 0)
        return PN_OK;
    size_t before = s->n_values * items; // items that came before without a validity of their own
    if (to->n_bytes < before)
        PN_TRY(pn_buffer_append_fill(to, 1, before - to->n_bytes, err));
    return valid ? pn_buffer_append(to, valid + first * items, n * items, err)
                 : pn_buffer_append_fill(to, 1, n * items, err);
}

static pn_status append_values(pn_stream *s, const pn_values *values, size_t first, size_t n,
                               pn_error *err)
{
    if (first > values->n || n > values->n - first)
        return pn_fail(err, PN_ERR_CORRUPT, "a page has fewer values than its levels say");
    if (n == 0)
        return PN_OK;
    if (s->n_values > 0 && (s->variable != values->variable || s->width != values->width))
        return pn_fail(err, PN_ERR_CORRUPT, "pages of one column have values of different widths");
    s->variable = values->variable;
    s->width = values->width;
    s->is_bits = values->is_bits;
    if (values->variable)
        PN_TRY(append_variable(s, values, first, n, err));
    else if (values->width > 0) // packed structs of nothing have no bytes
        PN_TRY(pn_buffer_append(&s->data, values->data + first * values->width, n * values->width,
                                err));
    for (size_t depth = 0; depth < PN_FIXED_LIST_MAX_DEPTH; depth++)
        PN_TRY(append_item_validity(s, values, first, n, depth, err));
    s->n_values += n;
    return PN_OK;
}

pn_status pn_stream_append(pn_stream *s, const pn_leaf_path *path, const pn_piece *piece,
                           size_t first, size_t n, size_t first_value, pn_error *err)
{
    size_t n_visible = n;
    if (piece->stop) {
        n_visible = 0;
        for (size_t i = first; i < first + n; i++) {
            n_visible += pn_stop_is_visible(path, piece->stop[i]);
            s->all_valid = s->all_valid && piece->stop[i] == 0;
        }
        PN_TRY(pn_buffer_append(&s->stop, piece->stop + first, n, err));
    } else {
        PN_TRY(pn_buffer_append_fill(&s->stop, 0, n, err));
    }
    if (path->n_lists > 0) {
        if (!piece->rep)
            return pn_fail(err, PN_ERR_CORRUPT, "a page of a list column has no repetition levels");
        PN_TRY(pn_buffer_append(&s->rep, piece->rep + first, n, err));
    }
    PN_TRY(append_values(s, &piece->values, first_value, n_visible, err));
    s->n_entries += n;
    return PN_OK;
}

/*
 * stream.c - collecting the entries of the rows asked for
 */
#include "lance/stream.h"

#include <string.h>

void pn_stream_init(pn_stream *stream, size_t max_bytes)
{
    *stream = (pn_stream){.all_valid = true};
    pn_buffer *const buffers[] = {&stream->rep, &stream->stop, &stream->data, &stream->offsets,
                                  &stream->item_valid};
    for (size_t i = 0; i < PN_COUNT_OF(buffers); i++)
        pn_buffer_init(buffers[i], max_bytes);
}

void pn_stream_reset(pn_stream *stream)
{
    pn_buffer *const buffers[] = {&stream->rep, &stream->stop, &stream->data, &stream->offsets,
                                  &stream->item_valid};
    for (size_t i = 0; i < PN_COUNT_OF(buffers); i++)
        pn_buffer_reset(buffers[i]);
}

pn_piece pn_stream_piece(const pn_stream *s)
{
    return (pn_piece){
        .n_entries = s->n_entries,
        .rep = s->rep.data,
        .stop = s->stop.data,
        .values = {.n = s->n_values,
                   .variable = s->variable,
                   .width = s->width,
                   .data = s->data.data,
                   .offsets = (const int64_t *)(const void *)s->offsets.data,
                   .is_bits = s->is_bits,
                   .item_valid = s->item_valid.n_bytes > 0 ? s->item_valid.data : NULL,
                   .n_items = s->items_per_value}};
}

static pn_status append_variable(pn_stream *s, const pn_values *values, size_t first, size_t n,
                                 pn_error *err)
{
    int64_t zero = 0;
    if (s->offsets.n_bytes == 0)
        PN_TRY(pn_buffer_append(&s->offsets, &zero, sizeof zero, err));
    int64_t start = values->offsets[first], base = (int64_t)s->data.n_bytes;
    PN_TRY(pn_buffer_append(&s->data, values->data + start,
                            (size_t)(values->offsets[first + n] - start), err));
    for (size_t i = 1; i <= n; i++) {
        int64_t at = base + values->offsets[first + i] - start;
        PN_TRY(pn_buffer_append(&s->offsets, &at, sizeof at, err));
    }
    return PN_OK;
}

static pn_status append_item_validity(pn_stream *s, const pn_values *values, size_t first, size_t n,
                                      size_t items, pn_error *err)
{
    if (!values->item_valid && s->item_valid.n_bytes == 0)
        return PN_OK;
    if (values->item_valid && values->n_items != items)
        return pn_fail(err, PN_ERR_CORRUPT, "lists of %zu items in a column of lists of %zu",
                       values->n_items, items);
    size_t before = s->n_values * items; // items that came before without a validity of their own
    if (s->item_valid.n_bytes < before)
        PN_TRY(pn_buffer_append_fill(&s->item_valid, 1, before - s->item_valid.n_bytes, err));
    if (values->item_valid)
        return pn_buffer_append(&s->item_valid, values->item_valid + first * items, n * items, err);
    return pn_buffer_append_fill(&s->item_valid, 1, n * items, err);
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
    else
        PN_TRY(pn_buffer_append(&s->data, values->data + first * values->width, n * values->width,
                                err));
    if (s->items_per_value > 0)
        PN_TRY(append_item_validity(s, values, first, n, s->items_per_value, err));
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

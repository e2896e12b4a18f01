/*
 * array_leaf.c - lists of version 2.0: offsets -> levels
 *
 * Before 2.1 a list is a column of its own, which says where the items of each row end; the items are the rows of the next column.
 * A path of lists is walked from the top: the rows asked for give ranges of items, those give ranges of the next column, down to
 * the values.
 *
 *     column    pages of    rows asked for        what comes of it
 *     tags      lists       [10, 14)              lengths 2, null, 0, 1     items [31, 33) and [33, 34)
 *     item      strings     [31, 34)              "a", "b", "c"
 *
 *     entries   rep  1      0    1          1           1
 *               stop 0      0    NULL(tags) EMPTY(tags) 0
 *               value "a"   "b"                         "c"
 *
 * Structs say nothing: they are never null in such a file.
 */
#include "lance/array_leaf.h"

#include "lance/array_values.h"
#include "lance/blob_page.h"

#include <inttypes.h>
#include <string.h>

static pn_status corrupt(const pn_decoder *d, const char *what)
{
    return pn_fail(d->err, PN_ERR_CORRUPT, "%s: %s", d->where, what);
}

/* A growing list of ranges; neighbours become one. */
typedef struct range_list {
    pn_buffer bytes;
    size_t n;
} range_list;

/* Of an empty list NULL, for i = 0. */
static pn_row_range *range_at(const range_list *list, size_t i)
{
    return list->n > 0 ? (pn_row_range *)(void *)list->bytes.data + i : NULL;
}

static pn_status add_range(range_list *list, uint64_t first, uint64_t n, pn_error *err)
{
    pn_row_range *last = list->n > 0 ? range_at(list, list->n - 1) : NULL;
    if (n == 0)
        return PN_OK;
    if (last && last->first + last->n == first) {
        last->n += n;
        return PN_OK;
    }
    pn_row_range range = {first, n};
    PN_TRY(pn_buffer_append(&list->bytes, &range, sizeof range, err));
    list->n++;
    return PN_OK;
}

static pn_array_buffers buffers_of(const pn_file_column *column, const pn_file_page *page)
{
    return (pn_array_buffers){page->buffers, column->buffers, page->n_buffers, column->n_buffers};
}

/* The part of a range that lies in a page; first counts from the page's first row. False: none. */
static bool clip(const pn_row_range *range, const pn_file_page *page, pn_row_range *out)
{
    uint64_t from = PN_MAX(range->first, page->first_row);
    uint64_t to = PN_MIN(range->first + range->n, page->first_row + page->n_rows);
    if (from >= to)
        return false;
    *out = (pn_row_range){from - page->first_row, to - from};
    return true;
}

static pn_status check_ranges(pn_decoder *d, const pn_file_column *column,
                              const pn_row_range *ranges, size_t n_ranges, size_t *n_rows)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n_ranges; i++)
        if (ranges[i].first > column->n_rows || ranges[i].n > column->n_rows - ranges[i].first ||
            !pn_u64_add(total, ranges[i].n, &total))
            return corrupt(d, "lists reach past the last item");
    if (total > d->max_bytes)
        return pn_fail(d->err, PN_ERR_LIMIT, "%s: %" PRIu64 " values at once", d->where, total);
    *n_rows = (size_t)total;
    return PN_OK;
}

/* ---- values ---- */

/* A column of blobs has positions and sizes in its pages. */
static pn_status decode_blobs(pn_decoder *d, pn_slice file, const pn_file_column *column,
                              const pn_file_page *page, pn_row_range rows, pn_array_values *out)
{
    pn_field members[2], descriptor;
    pn_decoder inner = *d;
    pn_array_values got;
    pn_array_buffers buffers = buffers_of(column, page);
    pn_blob_descriptor(members, &descriptor);
    inner.leaf = &descriptor;
    if (!pn_type_is_variable(d->leaf->type))
        return corrupt(d, "blobs in a column that is not of bytes");
    PN_TRY(pn_array_values_decode(&inner, &buffers, page->array, rows.first, (size_t)rows.n, &got));
    return got.valid ? corrupt(d, "positions of blobs that are null")
                     : pn_blob_array(d, file, &got.values, out);
}

/* stop is what a null gets. */
static pn_status append_page(pn_decoder *d, pn_slice file, const pn_leaf_path *path, uint8_t stop,
                             const pn_file_column *column, const pn_file_page *page,
                             pn_row_range rows, pn_stream *stream)
{
    pn_array_values got;
    pn_array_buffers buffers = buffers_of(column, page);
    if (column->is_blob)
        PN_TRY(decode_blobs(d, file, column, page, rows, &got));
    else
        PN_TRY(pn_array_values_decode(d, &buffers, page->array, rows.first, (size_t)rows.n, &got));
    pn_piece piece = {.n_entries = (size_t)rows.n, .values = got.values};
    if (got.valid) {
        uint8_t *stops = PN_ARENA_NEW(d->arena, uint8_t, (size_t)rows.n + 1);
        if (!stops)
            return pn_fail_nomem(d->err);
        for (size_t i = 0; i < rows.n; i++)
            stops[i] = got.valid[i] ? 0 : stop;
        piece.stop = stops;
    }
    return pn_stream_append(stream, path, &piece, 0, (size_t)rows.n, 0, d->err);
}

static pn_status append_values(pn_decoder *d, pn_slice file, const pn_leaf_path *path, uint8_t stop,
                               const pn_file_column *column, const pn_row_range *ranges,
                               size_t n_ranges, pn_stream *stream)
{
    size_t n_rows;
    PN_TRY(check_ranges(d, column, ranges, n_ranges, &n_rows));
    for (size_t i = 0; i < n_ranges; i++) {
        pn_row_range rows;
        for (size_t p = 0; p < column->n_pages; p++)
            if (clip(&ranges[i], &column->pages[p], &rows))
                PN_TRY(append_page(d, file, path, stop, column, &column->pages[p], rows, stream));
    }
    return PN_OK;
}

/* ---- lists ---- */

typedef struct list_level {
    size_t n;
    uint64_t *lengths; /* 0 for nulls */
    uint8_t *is_null;
    uint8_t node; /* of the path */
} list_level;

static pn_status read_page_lists(pn_decoder *d, const pn_file_column *column,
                                 const pn_file_page *page, uint64_t first_item, pn_row_range rows,
                                 list_level *level, range_list *items)
{
    if (!page->array || page->array->kind_case != PN__LANCE__ARRAY_ENCODING__KIND_LIST)
        return corrupt(d, "a page of another type than its column");
    uint64_t begin = 0, *ends = level->lengths + level->n;
    uint8_t *is_null = level->is_null + level->n;
    pn_array_buffers buffers = buffers_of(column, page);
    PN_TRY(pn_array_list_decode(d, &buffers, page->array->list, rows.first, (size_t)rows.n, &begin,
                                ends, is_null));
    for (size_t i = 0; i < rows.n; i++) {
        uint64_t end = ends[i], n = is_null[i] ? 0 : end - begin;
        PN_TRY(add_range(items, first_item + begin, n, d->err));
        ends[i] = n;
        begin = end;
    }
    level->n += (size_t)rows.n;
    return PN_OK;
}

static pn_status read_lists(pn_decoder *d, const pn_file_column *column, const pn_row_range *ranges,
                            size_t n_ranges, list_level *level, range_list *items)
{
    size_t n_lists;
    PN_TRY(check_ranges(d, column, ranges, n_ranges, &n_lists));
    uint64_t *first_items = PN_ARENA_NEW(d->arena, uint64_t, column->n_pages + 1);
    level->lengths = PN_ARENA_NEW(d->arena, uint64_t, n_lists + 1);
    level->is_null = PN_ARENA_NEW(d->arena, uint8_t, n_lists + 1);
    if (!first_items || !level->lengths || !level->is_null)
        return pn_fail_nomem(d->err);
    for (size_t p = 0; p < column->n_pages; p++) {
        const Pn__Lance__ArrayEncoding *how = column->pages[p].array;
        bool is_list = how && how->kind_case == PN__LANCE__ARRAY_ENCODING__KIND_LIST;
        if (!pn_u64_add(first_items[p], is_list ? how->list->n_items : 0, &first_items[p + 1]))
            return corrupt(d, "a column of impossible length");
    }
    for (size_t i = 0; i < n_ranges; i++) {
        pn_row_range rows;
        for (size_t p = 0; p < column->n_pages; p++)
            if (clip(&ranges[i], &column->pages[p], &rows))
                PN_TRY(read_page_lists(d, column, &column->pages[p], first_items[p], rows, level,
                                       items));
    }
    return PN_OK;
}

/* ---- levels ---- */

typedef struct expansion {
    const pn_leaf_path *path;
    const list_level *levels;               /* [path->n_lists] */
    size_t next[PN_SCHEMA_MAX_DEPTH_NODES]; /* list or value in hand, by list layer */
    const uint8_t *value_stops;
    pn_buffer rep, stop;
    pn_error *err;
} expansion;

static pn_status put_entry(expansion *e, uint8_t rep, uint8_t stop)
{
    PN_TRY(pn_buffer_append(&e->rep, &rep, 1, e->err));
    return pn_buffer_append(&e->stop, &stop, 1, e->err);
}

/* The next list of a layer, or the next value below all of them. As deep as the schema. */
static pn_status expand(expansion *e, unsigned layer, uint8_t rep)
{
    size_t i = e->next[layer]++;
    if (layer == e->path->n_lists)
        return put_entry(e, rep, e->value_stops[i]);
    const list_level *level = &e->levels[layer];
    if (level->is_null[i])
        return put_entry(e, rep, PN_STOP_NULL(level->node));
    if (level->lengths[i] == 0)
        return put_entry(e, rep, PN_STOP_EMPTY(level->node));
    for (uint64_t k = 0; k < level->lengths[i]; k++)
        PN_TRY(expand(e, layer + 1, k == 0 ? rep : (uint8_t)(e->path->n_lists - layer - 1)));
    return PN_OK;
}

static pn_status append_expanded(pn_decoder *d, const pn_leaf_path *path, const list_level *levels,
                                 const pn_stream *values, pn_stream *stream)
{
    expansion e = {.path = path, .levels = levels, .value_stops = values->stop.data, .err = d->err};
    pn_status status = PN_OK;
    pn_buffer_init(&e.rep, d->max_bytes);
    pn_buffer_init(&e.stop, d->max_bytes);
    for (size_t i = 0; i < levels[0].n; i++)
        PN_GOTO(done, expand(&e, 0, (uint8_t)path->n_lists));
    pn_piece piece = pn_stream_piece(values);
    piece.n_entries = e.stop.n_bytes;
    piece.rep = e.rep.data;
    piece.stop = e.stop.data;
    PN_GOTO(done, pn_stream_append(stream, path, &piece, 0, piece.n_entries, 0, d->err));
done:
    pn_buffer_reset(&e.rep);
    pn_buffer_reset(&e.stop);
    return status;
}

/* The values below all lists, as a column without any. */
static pn_status read_below_lists(pn_decoder *d, pn_slice file, const pn_leaf_path *path,
                                  const pn_file_column *const *columns, const pn_row_range *ranges,
                                  size_t n_ranges, pn_stream *stream)
{
    list_level *levels = PN_ARENA_NEW(d->arena, list_level, path->n_lists + 1);
    range_list *items = PN_ARENA_NEW(d->arena, range_list, path->n_lists + 1);
    const uint8_t stop = PN_STOP_NULL(path->n - 1);
    pn_leaf_path flat = {.nodes = {path->nodes[path->n - 1]}, .n = path->n, .innermost_list = -1};
    pn_stream values;
    unsigned layer = 0;
    pn_status status = PN_OK;
    if (!levels || !items)
        return pn_fail_nomem(d->err);
    pn_stream_init(&values, d->max_bytes);
    for (unsigned node = 0; node < path->n; node++) {
        if (!pn_type_is_list(path->nodes[node]->type))
            continue;
        levels[layer].node = (uint8_t)node;
        pn_buffer_init(&items[layer].bytes, d->max_bytes);
        PN_GOTO(done,
                read_lists(d, columns[node], ranges, n_ranges, &levels[layer], &items[layer]));
        ranges = range_at(&items[layer], 0);
        n_ranges = items[layer++].n;
    }
    PN_GOTO(done, pn_stream_expect(&values, path->nodes[path->n - 1], d->err));
    PN_GOTO(done,
            append_values(d, file, &flat, stop, columns[path->n - 1], ranges, n_ranges, &values));
    PN_GOTO(done, append_expanded(d, path, levels, &values, stream));
done:
    for (unsigned i = 0; i < path->n_lists; i++)
        pn_buffer_reset(&items[i].bytes);
    pn_stream_reset(&values);
    return status;
}

pn_status pn_array_leaf_read(pn_decoder *d, pn_slice file, const pn_leaf_path *path,
                             const pn_file_column *const *columns, const pn_row_range *ranges,
                             size_t n_ranges, pn_stream *stream)
{
    if (path->n_lists > 0)
        return read_below_lists(d, file, path, columns, ranges, n_ranges, stream);
    return append_values(d, file, path, PN_STOP_NULL(path->n - 1), columns[path->n - 1], ranges,
                         n_ranges, stream);
}

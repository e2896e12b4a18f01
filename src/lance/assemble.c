/*
 * assemble.c - from entries back to rows
 *
 * A column without nesting is copied as it stands. Any other is rebuilt row by row: walk the tree of fields with a cursor in
 * each leaf's stream; an entry's stop says whether the walk ends early (a null struct, an empty list), its repetition level
 * whether the list goes on. All leaves below a node agree on its structure; the first one is asked, the others are checked
 * by the count of rows at the end.
 */
#include "lance/assemble.h"

#include "column/builder.h"

#include <string.h>

typedef struct cursor {
    const pn_leaf_path *path;
    const pn_stream *stream; /* NULL: absent, all null */
    size_t entry, value;
} cursor;

static uint8_t stop_at(const cursor *c)
{
    return c->stream->stop.data[c->entry];
}

static const uint8_t *value_at(const cursor *c)
{
    return c->stream->data.data + c->value * c->stream->width;
}

static void advance(cursor *c)
{
    if (!c->stream)
        return;
    c->value += pn_stop_is_visible(c->path, stop_at(c));
    c->entry++;
}

/* ---- columns without nesting ---- */

static pn_status copy_bytes(pn_arena *arena, const void *from, size_t n, const void **out,
                            pn_error *err)
{
    uint8_t *copy = pn_arena_alloc_aligned(arena, 64, n + 64);
    if (!copy)
        return pn_fail_nomem(err);
    if (n > 0)
        memcpy(copy, from, n);
    *out = copy;
    return PN_OK;
}

static pn_status pack_bits(const uint8_t *bytes, size_t n, pn_arena *arena, const void **out,
                           pn_error *err)
{
    uint8_t *bits = PN_ARENA_NEW(arena, uint8_t, pn_bytes_for_bits(n) + 8);
    if (!bits)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            pn_bit_set(bits, i);
    *out = bits;
    return PN_OK;
}

static pn_status validity_of(const pn_stream *s, pn_arena *arena, const uint8_t **out,
                             pn_error *err)
{
    *out = NULL;
    if (s->all_valid)
        return PN_OK;
    uint8_t *bits = PN_ARENA_NEW(arena, uint8_t, pn_bytes_for_bits(s->n_entries) + 8);
    if (!bits)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < s->n_entries; i++)
        if (s->stop.data[i] == 0)
            pn_bit_set(bits, i);
    *out = bits;
    return PN_OK;
}

static pn_status check_width(const pn_field *leaf, const pn_stream *s, pn_error *err)
{
    bool variable = pn_type_is_variable(leaf->type);
    size_t width = leaf->type == PN_TYPE_BOOL ? 1 : pn_type_width(leaf);
    if (s->n_values == 0 || leaf->type == PN_TYPE_NULL)
        return PN_OK;
    if (s->variable != variable || (!variable && s->width != width) ||
        (leaf->type == PN_TYPE_BOOL && !s->is_bits))
        return pn_fail(err, PN_ERR_CORRUPT, "column \"%s\": values of another width than the type",
                       leaf->name);
    return PN_OK;
}

/* The innermost item of a fixed-size list, with n values. */
static pn_status make_items(const pn_field *list, const pn_stream *s, size_t n, pn_arena *arena,
                            pn_array *out, pn_error *err)
{
    const pn_field *item = &list->children[0];
    if (item->n_children > 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "column \"%s\": lists of fixed-size lists are not supported", list->name);
    *out = (pn_array){.field = item, .length = n * (size_t)list->size};
    if (s->item_valid.n_bytes > 0) {
        const void *bits;
        PN_TRY(pack_bits(s->item_valid.data, PN_MIN(s->item_valid.n_bytes, out->length), arena,
                         &bits, err));
        out->validity = bits;
    }
    return copy_bytes(arena, s->data.data, s->data.n_bytes, &out->values, err);
}

static pn_status assemble_flat(const pn_field *field, const pn_stream *s, size_t n_rows,
                               pn_arena *arena, pn_array *out, pn_error *err)
{
    const void *offsets;
    pn_array array = {.field = field, .length = n_rows};
    PN_TRY(validity_of(s, arena, &array.validity, err));
    if (field->type == PN_TYPE_BOOL) {
        PN_TRY(pack_bits(s->data.data, s->n_values, arena, &array.values, err));
    } else if (field->type == PN_TYPE_FIXED_SIZE_LIST) {
        pn_array *item = PN_ARENA_NEW(arena, pn_array, 1);
        if (!item)
            return pn_fail_nomem(err);
        PN_TRY(make_items(field, s, n_rows, arena, item, err));
        array.children = item;
        array.n_children = 1;
    } else {
        PN_TRY(copy_bytes(arena, s->data.data, s->data.n_bytes, &array.values, err));
        if (pn_type_is_variable(field->type)) {
            PN_TRY(copy_bytes(arena, s->offsets.data, s->offsets.n_bytes, &offsets, err));
            array.offsets = offsets;
            if (s->offsets.n_bytes == 0)
                memset((void *)(uintptr_t)offsets, 0, sizeof(int64_t)); // no row: one offset still
        }
    }
    *out = array;
    return PN_OK;
}

/* ---- nested columns ---- */

typedef struct rebuilding {
    cursor *cursors;
    pn_error *err;
} rebuilding;

static pn_status append_leaf(rebuilding *r, const pn_field *field, cursor *c, pn_builder *b)
{
    const pn_stream *s = c->stream;
    if (field->type == PN_TYPE_NULL)
        return pn_builder_append_null(b, r->err);
    if (field->type == PN_TYPE_BOOL)
        return pn_builder_append_i64(b, *value_at(c), r->err);
    if (field->type == PN_TYPE_FIXED_SIZE_LIST) {
        if (field->children[0].type != PN_TYPE_FLOAT || s->item_valid.n_bytes > 0)
            return pn_fail(r->err, PN_ERR_UNSUPPORTED,
                           "column \"%s\": this fixed-size list inside a list or struct",
                           field->name);
        float *floats = NULL;
        const uint8_t *at = value_at(c);
        memcpy(&floats, &at,
               sizeof floats); // the builder copies bytes; alignment does not matter to memcpy
        return pn_builder_append_floats(b, floats, (size_t)field->size, r->err);
    }
    if (pn_type_is_variable(field->type)) {
        const int64_t *offsets = (const int64_t *)(const void *)s->offsets.data;
        return pn_builder_append_bytes(b, s->data.data + offsets[c->value],
                                       (size_t)(offsets[c->value + 1] - offsets[c->value]), r->err);
    }
    return pn_builder_append_bytes(b, value_at(c), s->width, r->err);
}

static void advance_all(cursor *cursors, size_t n)
{
    for (size_t i = 0; i < n; i++)
        advance(&cursors[i]);
}

/* The first leaf that is in the file; NULL: none. */
static cursor *present(cursor *cursors, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cursors[i].stream)
            return &cursors[i];
    return NULL;
}

static size_t count_leaves(const pn_field *field)
{
    size_t n = 0;
    if (field->n_children == 0 || field->type == PN_TYPE_FIXED_SIZE_LIST)
        return 1;
    for (size_t i = 0; i < field->n_children; i++)
        n += count_leaves(&field->children[i]);
    return n;
}

static pn_status rebuild(rebuilding *r, const pn_field *field, unsigned node, unsigned lists_above,
                         cursor *cursors, pn_builder *b);

static pn_status rebuild_list(rebuilding *r, const pn_field *field, unsigned node,
                              unsigned lists_above, cursor *cursors, size_t n_leaves, pn_builder *b)
{
    cursor *first = present(cursors, n_leaves);
    pn_assert(first && first->stream); // the caller looked
    if (stop_at(first) == PN_STOP_EMPTY(node)) {
        advance_all(cursors, n_leaves);
        return pn_builder_close_row(b, r->err);
    }
    unsigned again =
        first->path->n_lists - 1 - lists_above; // the level of one more element of this list
    do {
        PN_TRY(rebuild(r, &field->children[0], node + 1, lists_above + 1, cursors,
                       pn_builder_child(b, 0)));
    } while (first->entry < first->stream->n_entries &&
             first->stream->rep.data[first->entry] == again);
    return pn_builder_close_row(b, r->err);
}

static pn_status rebuild(rebuilding *r, const pn_field *field, unsigned node, unsigned lists_above,
                         cursor *cursors, pn_builder *b)
{
    size_t n_leaves = count_leaves(field);
    cursor *first = present(cursors, n_leaves);
    if (!first || !first->stream)
        return pn_builder_append_null(b, r->err);
    for (size_t i = 0; i < n_leaves; i++)
        if (cursors[i].stream && cursors[i].entry >= cursors[i].stream->n_entries)
            return pn_fail(r->err, PN_ERR_CORRUPT,
                           "column \"%s\": its leaves have different numbers of entries",
                           field->name);
    if (stop_at(first) == PN_STOP_NULL(node)) {
        advance_all(cursors, n_leaves);
        return pn_builder_append_null(b, r->err);
    }
    if (pn_type_is_list(field->type))
        return rebuild_list(r, field, node, lists_above, cursors, n_leaves, b);
    if (field->type == PN_TYPE_STRUCT) {
        for (size_t i = 0, leaf = 0; i < field->n_children;
             leaf += count_leaves(&field->children[i++]))
            PN_TRY(rebuild(r, &field->children[i], node + 1, lists_above, cursors + leaf,
                           pn_builder_child(b, i)));
        return pn_builder_close_row(b, r->err);
    }
    if (stop_at(first) != 0)
        return pn_fail(r->err, PN_ERR_CORRUPT, "column \"%s\": its leaves disagree about nulls",
                       field->name);
    PN_TRY(append_leaf(r, field, cursors, b));
    advance(cursors);
    return PN_OK;
}

static pn_status copy_out(pn_builder *b, pn_arena *arena, pn_array *out, pn_error *err)
{
    pn_array view;
    PN_TRY(pn_builder_view(b, &view, err));
    uint32_t *all = PN_ARENA_NEW(arena, uint32_t, view.length + 1);
    if (!all)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < view.length; i++)
        all[i] = (uint32_t)i;
    return pn_array_gather(&view, all, view.length, arena, out, err);
}

pn_status pn_assemble(const pn_field *field, const pn_leaf_path *paths, pn_stream *const *streams,
                      size_t n_leaves, size_t n_rows, pn_arena *arena, pn_array *out, pn_error *err)
{
    for (size_t i = 0; i < n_leaves; i++)
        if (streams[i])
            PN_TRY(check_width(paths[i].nodes[paths[i].n - 1], streams[i], err));
    if (n_leaves == 1 && streams[0] && paths[0].n == 1 && field->type != PN_TYPE_NULL) {
        if (streams[0]->n_entries != n_rows || streams[0]->n_values != n_rows)
            return pn_fail(err, PN_ERR_CORRUPT, "column \"%s\": %zu values for %zu rows",
                           field->name, streams[0]->n_values, n_rows);
        return assemble_flat(field, streams[0], n_rows, arena, out, err);
    }
    pn_builder *b;
    PN_TRY(pn_builder_create(field, PTRDIFF_MAX, &b, err));
    pn_status status = PN_OK;
    cursor *cursors = PN_ARENA_NEW(arena, cursor, n_leaves + 1);
    if (!cursors)
        status = pn_fail_nomem(err);
    for (size_t i = 0; status == PN_OK && i < n_leaves; i++)
        cursors[i] = (cursor){.path = &paths[i], .stream = streams[i]};
    rebuilding r = {cursors, err};
    for (size_t i = 0; status == PN_OK && i < n_rows; i++)
        status = rebuild(&r, field, 0, 0, cursors, b);
    for (size_t i = 0; status == PN_OK && i < n_leaves; i++)
        if (streams[i] && cursors[i].entry != streams[i]->n_entries)
            status = pn_fail(err, PN_ERR_CORRUPT,
                             "column \"%s\": entries left over behind the last row", field->name);
    if (status == PN_OK)
        status = copy_out(b, arena, out, err);
    pn_builder_free(b);
    return status;
}

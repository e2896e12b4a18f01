/*
 * assemble.c - from entries back to arrays, a pass per node
 *
 * The values of a leaf are an array already: visible entries have a slot each, nulls too. What is left is the structure above
 * it, and each node of the tree is one pass over the entries of a leaf below it:
 *
 *     path          metadata (map) > entries (struct) > value (string)
 *     entry         rep 1          rep 0              rep 1               rep 1
 *     stop          0              0                  EMPTY(0)            NULL(0)
 *     map           slot 0: 2      -                  slot 1: none        slot 2: null
 *     entries       slot 0         slot 1             -                   -
 *
 * An entry has a slot in a node when it begins an element there (its repetition level is high enough) and did not stop at a
 * null or empty list above it; below a null struct there is a slot, which is null too. A list's offsets count the slots of
 * its child. All leaves below a node agree on its structure: the first one is asked, and the lengths of the others must fit,
 * so that damaged files give errors or odd values, never reads outside of an array.
 */
#include "lance/assemble.h"

#include "base/endian.h"
#include "base/limits.h"

#include <string.h>

typedef struct assembly {
    const pn_leaf_path *paths;
    pn_stream *const *streams;
    pn_arena *arena;
    size_t *null_bytes_left; /* for what is not in the file: it costs the file nothing */
    pn_error *err;
} assembly;

/* A run of leaves below a field whose depth in the tree is node. */
typedef struct below {
    const pn_field *field;
    unsigned node;
    size_t first_leaf, n_leaves;
} below;

static pn_status corrupt(const assembly *a, const pn_field *field, const char *what)
{
    return pn_fail(a->err, PN_ERR_CORRUPT, "column \"%s\": %s", field->name, what);
}

static size_t count_leaves(const pn_field *field)
{
    size_t n = 0;
    if (field->n_children == 0 || field->type == PN_TYPE_FIXED_SIZE_LIST || field->is_packed ||
        field->is_blob)
        return 1;
    for (size_t i = 0; i < field->n_children; i++)
        n += count_leaves(&field->children[i]);
    return n;
}

static pn_status take_bytes(const assembly *a, const pn_buffer *from, const void **out)
{
    uint8_t *copy = pn_arena_alloc_aligned(a->arena, 64, from->n_bytes + 64);
    if (!copy)
        return pn_fail_nomem(a->err);
    if (from->n_bytes > 0)
        memcpy(copy, from->data, from->n_bytes);
    *out = copy;
    return PN_OK;
}

static pn_status pack_bits(const assembly *a, const uint8_t *bytes, size_t n, const void **out)
{
    uint8_t *bits = PN_ARENA_NEW(a->arena, uint8_t, pn_bytes_for_bits(n) + 8);
    if (!bits)
        return pn_fail_nomem(a->err);
    for (size_t i = 0; i < n; i++)
        bits[i / 8] = (uint8_t)(bits[i / 8] | (bytes[i] != 0) << (i % 8));
    *out = bits;
    return PN_OK;
}

static pn_status zeros(const assembly *a, size_t n, size_t each, void *out)
{
    size_t bytes;
    void *memory = pn_size_mul(n, each, &bytes) && bytes < SIZE_MAX - 64
                       ? pn_arena_alloc_zero(a->arena, bytes + 64, 1)
                       : NULL;
    if (!memory)
        return pn_fail_nomem(a->err);
    memcpy(out, &memory, sizeof memory);
    return PN_OK;
}

/* ---- what is not in the file ---- */

static pn_status null_zeros(const assembly *a, size_t n, size_t each, void *out)
{
    size_t bytes;
    if (!pn_size_mul(n, each, &bytes) || bytes > *a->null_bytes_left)
        return pn_fail(a->err, PN_ERR_LIMIT, "column \"%s\": nulls of over %zu bytes at once",
                       a->paths[0].nodes[0]->name, PN_LANCE_READ_FREE_BYTES);
    *a->null_bytes_left -= bytes;
    return zeros(a, n, each, out);
}

/* length nulls, with slots for all. */
static pn_status make_nulls(const assembly *a, const pn_field *field, size_t length, pn_array *out)
{
    size_t width = field->type == PN_TYPE_BOOL ? 1 : field->n_children ? 0 : pn_type_width(field);
    size_t child_length = length;
    pn_array *children;
    *out = (pn_array){.field = field, .length = length, .n_children = field->n_children};
    PN_TRY(null_zeros(a, pn_bytes_for_bits(length), 1, &out->validity));
    PN_TRY(null_zeros(a, length, width, &out->values));
    if (pn_type_is_variable(field->type) || pn_type_is_list(field->type))
        PN_TRY(null_zeros(a, length + 1, sizeof(int64_t), &out->offsets));
    if (pn_type_is_list(field->type))
        child_length = 0;
    if (field->type == PN_TYPE_FIXED_SIZE_LIST &&
        !pn_size_mul(length, (size_t)field->size, &child_length))
        return pn_fail_nomem(a->err);
    PN_TRY(zeros(a, field->n_children, sizeof *children, &children));
    for (size_t i = 0; i < field->n_children; i++)
        PN_TRY(make_nulls(a, &field->children[i], child_length, &children[i]));
    out->children = children;
    return PN_OK;
}

/* ---- structure ---- */

/* Which entries of a leaf have a slot in a node, and whether it is valid. */
typedef struct slots {
    const uint8_t *rep; /* NULL: every entry begins an element */
    const uint8_t *stop;
    size_t n_entries;
    uint8_t least_rep;
    bool exists[256], valid[256]; /* by stop */
} slots;

static void find_slots(const pn_leaf_path *path, const pn_stream *stream, unsigned node, slots *out)
{
    unsigned lists_above = 0, stops = 2 * path->n + 1;
    int last_list_above = -1;
    for (unsigned i = 0; i < node; i++) {
        if (pn_type_is_list(path->nodes[i]->type)) {
            lists_above++;
            last_list_above = (int)i;
        }
    }
    *out = (slots){.rep = path->n_lists > 0 ? stream->rep.data : NULL,
                   .stop = stream->stop.data,
                   .n_entries = stream->n_entries,
                   .least_rep = (uint8_t)(path->n_lists - lists_above)};
    out->exists[0] = out->valid[0] = true;
    for (unsigned stop = 1; stop < stops; stop++) {
        int at = (int)(stop - 1) / 2;
        out->exists[stop] = at > last_list_above;
        out->valid[stop] = at > (int)node || stop == PN_STOP_EMPTY(node);
    }
}

static bool has_slot(const slots *s, size_t entry)
{
    return (!s->rep || s->rep[entry] >= s->least_rep) && s->exists[s->stop[entry]];
}

/* *out is NULL when all are valid. CORRUPT when there are not length slots. */
static pn_status make_validity(const assembly *a, const slots *s, const pn_field *field,
                               size_t length, const uint8_t **out)
{
    uint8_t *bits;
    size_t at = 0, n_null = 0;
    PN_TRY(zeros(a, pn_bytes_for_bits(length), 1, &bits));
    for (size_t i = 0; i < s->n_entries; i++) {
        if (!has_slot(s, i))
            continue;
        if (at == length)
            return corrupt(a, field, "more values than its leaves agree on");
        bool valid = s->valid[s->stop[i]];
        bits[at / 8] = (uint8_t)(bits[at / 8] | valid << (at % 8));
        n_null += !valid;
        at++;
    }
    if (at != length)
        return corrupt(a, field, "fewer values than its leaves agree on");
    *out = n_null > 0 ? bits : NULL;
    return PN_OK;
}

static pn_status make_offsets(const assembly *a, const slots *list, const slots *child,
                              const pn_field *field, size_t length, const int64_t **out)
{
    int64_t *offsets, n_items = 0;
    size_t at = 0;
    PN_TRY(zeros(a, length + 1, sizeof *offsets, &offsets));
    for (size_t i = 0; i < list->n_entries; i++) {
        if (has_slot(list, i)) {
            if (at == length)
                return corrupt(a, field, "more lists than rows");
            offsets[at++] = n_items;
        }
        n_items += has_slot(child, i);
        if (n_items > 0 && at == 0)
            return corrupt(a, field, "items before the first list");
    }
    if (at != length)
        return corrupt(a, field, "fewer lists than rows");
    offsets[length] = n_items;
    *out = offsets;
    return PN_OK;
}

/* ---- leaves ---- */

static pn_status check_width(const assembly *a, const pn_field *leaf, const pn_stream *s)
{
    bool is_bits = false, variable = pn_values_are_variable(leaf);
    size_t width = pn_values_width(leaf, &is_bits);
    if (s->n_values == 0 || leaf->type == PN_TYPE_NULL)
        return PN_OK;
    if (s->variable != variable || (!variable && s->width != width) || (is_bits && !s->is_bits))
        return corrupt(a, leaf, "values of another width than the type");
    return PN_OK;
}

/* The items of a fixed-size list, down to the innermost, which has the values. */
static pn_status make_items(const assembly *a, const pn_stream *s, size_t depth, pn_array *list)
{
    const pn_field *field = &list->field->children[0];
    pn_array *item;
    PN_TRY(zeros(a, 1, sizeof *item, &item));
    *item = (pn_array){.field = field, .length = list->length * (size_t)list->field->size};
    list->children = item;
    list->n_children = 1;
    if (s->item_valid[depth].n_bytes > 0) { // for all values: the stream saw to that
        const void *bits;
        pn_assert(s->item_valid[depth].n_bytes == item->length);
        PN_TRY(pack_bits(a, s->item_valid[depth].data, item->length, &bits));
        item->validity = bits;
    }
    if (field->type == PN_TYPE_FIXED_SIZE_LIST)
        return make_items(a, s, depth + 1, item);
    return field->type == PN_TYPE_BOOL ? pack_bits(a, s->data.data, item->length, &item->values)
                                       : take_bytes(a, &s->data, &item->values);
}

/* ---- packed structs: members side by side in a value (values.c), strings behind a length of 64 bits ---- */

/* Bytes of a member at the front of a row, or SIZE_MAX when it does not fit; *head are those of its length. */
static size_t member_bytes(const pn_field *member, pn_slice row, size_t *head)
{
    bool is_bits = false;
    uint64_t n = pn_values_width(member, &is_bits);
    *head = pn_type_is_variable(member->type) ? sizeof(uint64_t) : 0;
    if (*head > row.n)
        return SIZE_MAX;
    if (*head > 0)
        n = pn_load_le64(row.data);
    return n <= row.n - *head ? (size_t)n : SIZE_MAX;
}

static pn_slice packed_row(const pn_stream *s, size_t i)
{
    const int64_t *offsets = (const int64_t *)(const void *)s->offsets.data;
    return s->variable
               ? (pn_slice){s->data.data + offsets[i], (size_t)(offsets[i + 1] - offsets[i])}
               : (pn_slice){s->data.data + i * s->width, s->width};
}

/* The member_i-th member of row i; nothing of a null row. Structure was checked when the page was decoded. */
static pn_slice find_member(const pn_field *packed, size_t member_i, pn_slice row)
{
    size_t head, n;
    for (size_t m = 0; row.n > 0; m++, row.data += n, row.n -= n) {
        n = member_bytes(&packed->children[m], row, &head);
        if (n == SIZE_MAX)
            break;
        row.data += head;
        row.n -= head;
        if (m == member_i)
            return (pn_slice){row.data, n};
    }
    return (pn_slice){NULL, 0};
}

static pn_status make_fixed_items(const assembly *a, pn_array *list, const void *values)
{
    pn_array *item;
    PN_TRY(zeros(a, 1, sizeof *item, &item));
    *item = (pn_array){.field = &list->field->children[0],
                       .length = list->length * (size_t)list->field->size};
    list->children = item;
    list->n_children = 1;
    if (item->field->type == PN_TYPE_FIXED_SIZE_LIST)
        return make_fixed_items(a, item, values);
    item->values = values;
    return PN_OK;
}

static pn_status make_member(const assembly *a, const pn_stream *s, const pn_field *packed,
                             size_t member_i, pn_array *out)
{
    size_t width = 0, total = 0;
    int64_t *offsets = NULL;
    uint8_t *values;
    bool is_bits = false, variable = pn_type_is_variable(out->field->type);
    if (variable)
        PN_TRY(zeros(a, out->length + 1, sizeof *offsets, &offsets));
    else
        width = pn_values_width(out->field, &is_bits);
    for (size_t i = 0; variable && i < out->length; i++) {
        total += find_member(packed, member_i, packed_row(s, i)).n;
        offsets[i + 1] = (int64_t)total;
    }
    PN_TRY(zeros(a, variable ? total : out->length, variable ? 1 : width, &values));
    for (size_t i = 0; i < out->length; i++) {
        pn_slice from = find_member(packed, member_i, packed_row(s, i));
        if (from.n > 0)
            memcpy(values + (variable ? (size_t)offsets[i] : i * width), from.data, from.n);
    }
    out->offsets = offsets;
    if (out->field->type == PN_TYPE_FIXED_SIZE_LIST)
        return make_fixed_items(a, out, values);
    out->values = values;
    return PN_OK;
}

static pn_status make_packed(const assembly *a, const pn_stream *s, pn_array *array)
{
    pn_array *members;
    PN_TRY(zeros(a, array->field->n_children, sizeof *members, &members));
    for (size_t i = 0; i < array->field->n_children; i++) {
        members[i] = (pn_array){.field = &array->field->children[i], .length = array->length};
        PN_TRY(make_member(a, s, array->field, i, &members[i]));
    }
    array->children = members;
    array->n_children = array->field->n_children;
    return PN_OK;
}

static pn_status make_leaf(const assembly *a, const pn_stream *s, pn_array *array)
{
    const void *offsets;
    const pn_field *field = array->field;
    PN_TRY(check_width(a, field, s));
    if (s->n_values != array->length)
        return corrupt(a, field, "another number of values than rows");
    if (field->type == PN_TYPE_FIXED_SIZE_LIST)
        return make_items(a, s, 0, array);
    if (field->is_packed)
        return make_packed(a, s, array);
    if (field->type == PN_TYPE_NULL)
        return PN_OK;
    if (field->type == PN_TYPE_BOOL)
        return pack_bits(a, s->data.data, array->length, &array->values);
    PN_TRY(take_bytes(a, &s->data, &array->values));
    if (!pn_type_is_variable(field->type))
        return PN_OK;
    if (s->offsets.n_bytes == 0) // no row: one offset still
        return zeros(a, 1, sizeof(int64_t), &array->offsets);
    PN_TRY(take_bytes(a, &s->offsets, &offsets));
    array->offsets = offsets;
    return PN_OK;
}

/* ---- the tree ---- */

static pn_status assemble(const assembly *a, below b, size_t length, pn_array *out);

static pn_status assemble_children(const assembly *a, below b, size_t length, pn_array *array)
{
    pn_array *children;
    below child = {NULL, b.node + 1, b.first_leaf, 0};
    PN_TRY(zeros(a, b.field->n_children, sizeof *children, &children));
    for (size_t i = 0; i < b.field->n_children; i++) {
        child.field = &b.field->children[i];
        child.n_leaves = count_leaves(child.field);
        PN_TRY(assemble(a, child, length, &children[i]));
        child.first_leaf += child.n_leaves;
    }
    array->children = children;
    array->n_children = b.field->n_children;
    return PN_OK;
}

static pn_status assemble(const assembly *a, below b, size_t length, pn_array *out)
{
    size_t leaf = b.first_leaf;
    while (leaf < b.first_leaf + b.n_leaves && !a->streams[leaf])
        leaf++;
    if (leaf == b.first_leaf + b.n_leaves)
        return make_nulls(a, b.field, length, out);
    const pn_leaf_path *path = &a->paths[leaf];
    const pn_stream *stream = a->streams[leaf];
    slots here, child;
    *out = (pn_array){.field = b.field, .length = length};
    find_slots(path, stream, b.node, &here);
    if (path->n_lists > 0 || !stream->all_valid || stream->n_entries != length)
        PN_TRY(make_validity(a, &here, b.field, length, &out->validity));
    if (b.node + 1 == path->n)
        return make_leaf(a, stream, out);
    if (pn_type_is_list(b.field->type)) {
        find_slots(path, stream, b.node + 1, &child);
        PN_TRY(make_offsets(a, &here, &child, b.field, length, &out->offsets));
        length = (size_t)out->offsets[length];
    }
    return assemble_children(a, b, length, out);
}

pn_status pn_assemble(const pn_field *field, const pn_leaf_path *paths, pn_stream *const *streams,
                      size_t n_leaves, size_t n_rows, pn_arena *arena, pn_array *out, pn_error *err)
{
    size_t null_bytes_left = PN_LANCE_READ_FREE_BYTES;
    assembly a = {paths, streams, arena, &null_bytes_left, err};
    return assemble(&a, (below){field, 0, 0, n_leaves}, n_rows, out);
}

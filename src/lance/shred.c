/*
 * shred.c - walk each row down the path to one leaf
 *
 * At every node on the way: a null ends the walk with an entry that says so; a list branches into its elements, an empty one
 * ends with an entry; a struct goes on to the one child the path names.
 * Source: Melnik et al., "Dremel", VLDB 2010, for repetition and definition; the format's own numbering comes later.
 */
#include "lance/shred.h"

#include "base/bits.h"
#include "lance/lance_schema.h"

typedef struct shredding {
    const pn_leaf_path *path;
    pn_entry_visit visit;
    void *context;
    pn_error *err;
} shredding;

void pn_leaf_path_make(const pn_field *field, size_t leaf_i, pn_leaf_path *out)
{
    *out = (pn_leaf_path){.innermost_list = -1};
    for (;;) {
        if (pn_type_is_list(field->type)) {
            out->n_lists++;
            out->innermost_list = (int)out->n;
        }
        out->nodes[out->n++] = field;
        if (pn_lance_is_leaf(field))
            return;
        size_t i = 0;
        for (size_t n; leaf_i >= (n = pn_lance_count_leaves(&field->children[i])); i++)
            leaf_i -= n;
        field = &field->children[i];
    }
}

static const pn_array *child_on_path(const shredding *s, const pn_array *array, unsigned node)
{
    const pn_field *wanted = s->path->nodes[node + 1];
    for (size_t i = 0; i < array->n_children; i++)
        if (&array->field->children[i] == wanted)
            return &array->children[i];
    return NULL;
}

static pn_status shred_value(shredding *s, const pn_array *array, size_t i, unsigned node,
                             unsigned lists_above, uint8_t rep)
{
    const pn_field *field = array->field;
    if (field->type == PN_TYPE_NULL || !pn_array_is_valid(array, i))
        return s->visit(s->context, (pn_entry){rep, PN_STOP_NULL(node), 0}, NULL, s->err);
    if (pn_lance_is_leaf(field))
        return s->visit(s->context, (pn_entry){rep, 0, i}, array, s->err);
    const pn_array *child = child_on_path(s, array, node);
    pn_assert(child != NULL);
    if (field->type == PN_TYPE_STRUCT)
        return shred_value(s, child, i, node + 1, lists_above, rep);
    if (array->offsets[i] == array->offsets[i + 1])
        return s->visit(s->context, (pn_entry){rep, PN_STOP_EMPTY(node), 0}, NULL, s->err);
    uint8_t again = (uint8_t)(s->path->n_lists - 1 - lists_above);
    for (int64_t e = array->offsets[i]; e < array->offsets[i + 1]; e++)
        PN_TRY(shred_value(s, child, (size_t)e, node + 1, lists_above + 1,
                           e == array->offsets[i] ? rep : again));
    return PN_OK;
}

pn_status pn_shred(const pn_array *array, size_t first, size_t n, const pn_leaf_path *path,
                   pn_entry_visit visit, void *context, pn_error *err)
{
    shredding s = {path, visit, context, err};
    for (size_t i = first; i < first + n; i++)
        PN_TRY(shred_value(&s, array, i, 0, 0, (uint8_t)path->n_lists));
    return PN_OK;
}

/* ---- values ---- */

static pn_status append_end(pn_stream *s, pn_error *err)
{
    int64_t zero = 0, end = (int64_t)s->data.n_bytes;
    if (s->offsets.n_bytes == 0)
        PN_TRY(pn_buffer_append(&s->offsets, &zero, sizeof zero, err));
    return pn_buffer_append(&s->offsets, &end, sizeof end, err);
}

/* A byte an item, from the first null item of the page on; before it nothing is kept. */
static pn_status append_item_validity(pn_stream *s, const pn_array *items, size_t first, size_t n,
                                      pn_error *err)
{
    bool all = !items || !items->validity;
    for (size_t i = 0; !all && i < n; i++)
        if (!pn_bit_get(items->validity, first + i))
            break;
        else if (i + 1 == n)
            all = true;
    if (all && s->item_valid[0].n_bytes == 0)
        return PN_OK;
    PN_TRY(pn_buffer_append_fill(&s->item_valid[0], 1,
                                 (s->n_values + 1) * n - s->item_valid[0].n_bytes, err));
    uint8_t *to = s->item_valid[0].data + s->n_values * n;
    for (size_t i = 0; !all && i < n; i++)
        to[i] = pn_bit_get(items->validity, first + i);
    return PN_OK;
}

pn_status pn_shred_value(pn_stream *s, const pn_field *field, const pn_array *array, size_t i,
                         pn_error *err)
{
    size_t width = pn_type_width(field);
    if (pn_type_is_variable(field->type)) {
        pn_str bytes = array ? pn_array_bytes(array, i) : (pn_str){NULL, 0};
        PN_TRY(pn_buffer_append(&s->data, bytes.ptr, bytes.len, err));
        PN_TRY(append_end(s, err));
    } else if (field->type == PN_TYPE_BOOL) {
        uint8_t byte = array ? pn_bit_get(array->values, i) : 0;
        PN_TRY(pn_buffer_append(&s->data, &byte, 1, err));
    } else if (field->type == PN_TYPE_FIXED_SIZE_LIST) {
        size_t items = (size_t)field->size;
        PN_TRY(append_item_validity(s, array ? &array->children[0] : NULL, i * items, items, err));
        array = array ? &array->children[0] : NULL;
    }
    if (field->type != PN_TYPE_BOOL && array)
        PN_TRY(pn_buffer_append(&s->data, (const uint8_t *)array->values + i * width, width, err));
    else if (field->type != PN_TYPE_BOOL)
        PN_TRY(pn_buffer_append_fill(&s->data, 0, width, err));
    s->n_values++;
    return PN_OK;
}

bool pn_shred_is_plain(const pn_stream *stream, const pn_array *array)
{
    const pn_field *field = array->field;
    bool vector = field->type == PN_TYPE_FIXED_SIZE_LIST;
    return !array->validity && pn_type_width(field) > 0 &&
           (!vector || !array->children[0].validity) && stream->item_valid[0].n_bytes == 0;
}

pn_status pn_shred_plain(pn_stream *s, const pn_array *array, size_t first, size_t n, pn_error *err)
{
    size_t width = pn_type_width(array->field);
    const uint8_t *values =
        array->field->type == PN_TYPE_FIXED_SIZE_LIST ? array->children[0].values : array->values;
    PN_TRY(pn_buffer_append(&s->data, values + first * width, n * width, err));
    PN_TRY(pn_buffer_append_fill(&s->stop, 0, n, err));
    s->n_entries += n;
    s->n_values += n;
    return PN_OK;
}

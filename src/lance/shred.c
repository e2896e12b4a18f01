/*
 * shred.c - walk each row down the path to one leaf
 *
 * At every node on the way: a null ends the walk with an entry that says so; a list branches into its elements, an empty one
 * ends with an entry; a struct goes on to the one child the path names.
 * Source: Melnik et al., "Dremel", VLDB 2010, for repetition and definition; the format's own numbering comes later.
 */
#include "lance/shred.h"

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

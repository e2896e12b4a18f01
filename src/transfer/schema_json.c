/*
 * schema_json.c - the columns of a table <-> JSON
 *
 * One object a field, children in it, so that a script can walk the tree without taking type texts apart.
 */
#include "transfer/schema_json.h"

static json_t *pairs_to_json(const pn_kv *pairs, size_t n)
{
    json_t *all = json_object();
    for (size_t i = 0; all && i < n; i++) {
        json_t *value = json_string(pairs[i].value);
        if (value && pn_str_is_utf8(pn_str_of(pairs[i].key)) &&
            json_object_set_new(all, pairs[i].key, value) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static json_t *fields_to_json(const pn_field *fields, size_t n, pn_arena *arena);

/* What is below a field and not said by its type's text. */
static bool add_children(const pn_field *field, json_t *to, pn_arena *arena)
{
    const pn_field *from = field;
    if (field->n_children == 0 ||
        (field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].n_children == 0))
        return true;
    if (field->type == PN_TYPE_MAP)
        from = &field->children[0]; // the entries; key and value are theirs
    return json_object_set_new(to, "children",
                               fields_to_json(from->children, from->n_children, arena)) == 0;
}

static json_t *field_to_json(const pn_field *field, pn_arena *arena)
{
    char *type = pn_type_text(field, arena);
    json_t *one = type ? json_pack("{s:s, s:s, s:b}", "name", field->name, "type", type, "nullable",
                                   (int)field->nullable)
                       : NULL;
    bool ok = one && add_children(field, one, arena);
    if (ok && field->is_dictionary) {
        pn_field index = {.name = "", .type = field->index_type};
        char *text = pn_type_text(&index, arena);
        ok = text && json_object_set_new(one, "dictionary", json_string(text)) == 0;
    }
    if (ok && field->n_metadata > 0)
        ok = json_object_set_new(one, "metadata",
                                 pairs_to_json(field->metadata, field->n_metadata)) == 0;
    if (ok)
        return one;
    json_decref(one);
    return NULL;
}

/* Schemas are read with a limit to their depth, so this recursion has one. */
static json_t *fields_to_json(const pn_field *fields, size_t n, pn_arena *arena)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < n; i++)
        if (json_array_append_new(all, field_to_json(&fields[i], arena)) != 0) {
            json_decref(all);
            return NULL;
        }
    return all;
}

json_t *pn_schema_to_json(const pn_schema *schema, pn_arena *arena)
{
    json_t *columns = fields_to_json(schema->fields, schema->n_fields, arena);
    json_t *metadata = pairs_to_json(schema->metadata, schema->n_metadata);
    if (columns && metadata)
        return json_pack("{s:o, s:o}", "columns", columns, "metadata", metadata);
    json_decref(columns);
    json_decref(metadata);
    return NULL;
}

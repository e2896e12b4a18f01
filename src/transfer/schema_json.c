/*
 * schema_json.c - the columns of a table <-> JSON
 *
 * One object a field, children in it, so that a script can walk the tree without taking type texts apart.
 */
#include "transfer/schema_json.h"

#include "base/limits.h"

/* ---- out ---- */

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

/* ---- in ---- */

/* "list" of "list<int32>", and what stands behind it. */
static pn_str take_word(pn_str *text)
{
    size_t n = 0;
    while (n < text->len && ((text->ptr[n] >= 'a' && text->ptr[n] <= 'z') ||
                             (text->ptr[n] >= '0' && text->ptr[n] <= '9') || text->ptr[n] == '_'))
        n++;
    pn_str word = {text->ptr, n};
    *text = pn_str_make(text->ptr + n, text->len - n);
    return word;
}

/* What is between the brackets that text begins and ends with. */
static bool unwrap(pn_str text, char open, char close, pn_str *out)
{
    if (text.len < 2 || text.ptr[0] != open || text.ptr[text.len - 1] != close)
        return false;
    *out = pn_str_trim(pn_str_make(text.ptr + 1, text.len - 2));
    return true;
}

static bool parse_size(pn_str text, int32_t *out)
{
    pn_str inner;
    int64_t n;
    if (!unwrap(text, '[', ']', &inner) || !pn_str_to_i64(inner, &n) || n < 0 || n > INT32_MAX)
        return false;
    *out = (int32_t)n;
    return true;
}

static bool parse_unit(pn_str text, pn_arena *arena, pn_field *out)
{
    static const char *const names[] = {"s", "ms", "us", "ns"};
    pn_str inner;
    if (!unwrap(text, '[', ']', &inner))
        return false;
    pn_str unit = pn_str_trim(pn_str_split(&inner, ','));
    if (inner.ptr) {
        pn_str zone = pn_str_trim(inner);
        out->timezone = pn_arena_strndup(arena, zone.ptr, zone.len);
        if (out->type != PN_TYPE_TIMESTAMP || zone.len == 0 || !out->timezone)
            return false;
    }
    for (int i = 0; i < 4; i++)
        if (pn_str_is(unit, names[i])) {
            out->unit = (pn_time_unit)i;
            return true;
        }
    return false;
}

static bool parse_decimal(pn_str text, pn_field *out)
{
    pn_str inner;
    int64_t precision, scale;
    if (!unwrap(text, '(', ')', &inner))
        return false;
    pn_str first = pn_str_trim(pn_str_split(&inner, ','));
    if (!inner.ptr || !pn_str_to_i64(first, &precision) ||
        !pn_str_to_i64(pn_str_trim(inner), &scale) || precision < 1 || precision > 76 ||
        scale < -76 || scale > 76)
        return false;
    out->precision = (int32_t)precision;
    out->scale = (int32_t)scale;
    return true;
}

/* "<float>[512]": the size, and the text of the item. */
static bool parse_sized_list(pn_str text, pn_str *item, pn_field *out)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '[')
        at--;
    return at > 0 && parse_size(pn_str_make(text.ptr + at - 1, text.len - at + 1), &out->size) &&
           unwrap(pn_str_make(text.ptr, at - 1), '<', '>', item);
}

/* "<string, list<int32>>" at its outermost comma. */
static bool split_map(pn_str text, pn_str *key, pn_str *value)
{
    pn_str inner;
    int depth = 0;
    if (!unwrap(text, '<', '>', &inner))
        return false;
    for (size_t i = 0; i < inner.len; i++) {
        char c = inner.ptr[i];
        depth += (c == '<' || c == '[' || c == '(') - (c == '>' || c == ']' || c == ')');
        if (c != ',' || depth > 0)
            continue;
        *key = pn_str_trim(pn_str_make(inner.ptr, i));
        *value = pn_str_trim(pn_str_make(inner.ptr + i + 1, inner.len - i - 1));
        return true;
    }
    return false;
}

static pn_status refuse(const pn_field *field, pn_str text, pn_error *err)
{
    return pn_fail(err, PN_ERR_INVALID,
                   "column \"%s\": \"" PN_STR_FORMAT "\" is not the text of a type", field->name,
                   PN_STR_ARG(text));
}

static pn_status type_from_text(pn_str text, unsigned depth, pn_arena *arena, pn_field *out,
                                pn_error *err);

static pn_status child_from_text(const char *name, pn_str text, bool nullable, unsigned depth,
                                 pn_arena *arena, pn_field *out, pn_error *err)
{
    pn_field_init(out, name, PN_TYPE_NULL, nullable);
    return type_from_text(text, depth + 1, arena, out, err);
}

/* Children of a nested type, as far as its text says them; `text` is what stands behind its first word. out->n_children stays 0 where it
 * does not. */
static pn_status children_from_text(pn_str whole, pn_str text, unsigned depth, pn_arena *arena,
                                    pn_field *out, pn_error *err)
{
    pn_str key, value;
    out->children = PN_ARENA_NEW(arena, pn_field, 1);
    if (!out->children)
        return pn_fail_nomem(err);
    if (out->type != PN_TYPE_MAP) {
        bool ok = out->type == PN_TYPE_FIXED_SIZE_LIST ? parse_sized_list(text, &value, out)
                                                       : unwrap(text, '<', '>', &value);
        if (!ok)
            return refuse(out, whole, err);
        PN_TRY(child_from_text("item", value, true, depth, arena, out->children, err));
        out->n_children = 1;
        return PN_OK;
    }
    pn_field *entries = out->children;
    pn_field_init(entries, "entries", PN_TYPE_STRUCT, false);
    entries->children = PN_ARENA_NEW(arena, pn_field, 2);
    if (!entries->children)
        return pn_fail_nomem(err);
    if (!split_map(text, &key, &value))
        return refuse(out, whole, err);
    PN_TRY(child_from_text("key", key, false, depth, arena, &entries->children[0], err));
    PN_TRY(child_from_text("value", value, true, depth, arena, &entries->children[1], err));
    entries->n_children = 2;
    out->n_children = 1;
    return PN_OK;
}

static pn_status type_from_text(pn_str text, unsigned depth, pn_arena *arena, pn_field *out,
                                pn_error *err)
{
    pn_str rest = text;
    pn_str word = take_word(&rest);
    bool ok = true;
    if (depth > PN_SCHEMA_MAX_DEPTH)
        return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": nested over %d deep", out->name,
                       PN_SCHEMA_MAX_DEPTH);
    out->is_json = pn_str_is(word, "json");
    if (out->is_json)
        out->type = PN_TYPE_LARGE_BINARY;
    else if (!pn_type_of_name(word, &out->type))
        return refuse(out, text, err);
    switch ((int)out->type) {
    case PN_TYPE_TIME32:
    case PN_TYPE_TIME64:
    case PN_TYPE_TIMESTAMP:
    case PN_TYPE_DURATION:
        ok = parse_unit(rest, arena, out);
        break;
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
        ok = parse_decimal(rest, out);
        break;
    case PN_TYPE_FIXED_SIZE_BINARY:
        ok = parse_size(rest, &out->size);
        break;
    case PN_TYPE_FIXED_SIZE_LIST:
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
    case PN_TYPE_MAP:
        return children_from_text(text, rest, depth, arena, out, err);
    case PN_TYPE_STRUCT:
        break; // its members stand beside it
    default:
        ok = rest.len == 0;
    }
    return ok ? PN_OK : refuse(out, text, err);
}

static pn_status fields_from_json(const json_t *json, unsigned depth, pn_arena *arena,
                                  pn_field **out, size_t *n, pn_error *err);

/* A nested type whose children stand beside it: of the text the first word counts, and the size of a fixed-size list. The rest has names of
 * members in it, which may be anything. */
static pn_status nested_from_json(pn_str text, const json_t *json, unsigned depth, pn_arena *arena,
                                  pn_field *out, pn_error *err)
{
    pn_field *fields;
    pn_str rest = text, item;
    size_t n, wanted;
    pn_str word = take_word(&rest);
    if (!pn_type_of_name(word, &out->type))
        return refuse(out, text, err);
    if (out->type < PN_TYPE_FIXED_SIZE_LIST)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": its type has no children", out->name);
    if (out->type == PN_TYPE_FIXED_SIZE_LIST && !parse_sized_list(rest, &item, out))
        return refuse(out, text, err);
    PN_TRY(fields_from_json(json, depth + 1, arena, &fields, &n, err));
    wanted = out->type == PN_TYPE_STRUCT ? n : out->type == PN_TYPE_MAP ? 2 : 1;
    if (n != wanted)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %zu children, %zu are needed",
                       out->name, n, wanted);
    if (out->type == PN_TYPE_MAP) {
        pn_field *entries = PN_ARENA_NEW(arena, pn_field, 1);
        if (!entries)
            return pn_fail_nomem(err);
        pn_field_init(entries, "entries", PN_TYPE_STRUCT, false);
        fields[0].nullable = false; // as keys are; the default is the other way
        entries->children = fields;
        entries->n_children = n;
        fields = entries;
        n = 1;
    }
    out->children = fields;
    out->n_children = n;
    return PN_OK;
}

static pn_status pairs_from_json(const json_t *json, pn_arena *arena, const pn_kv **out, size_t *n,
                                 pn_error *err)
{
    const char *key;
    json_t *value;
    pn_kv *pairs = PN_ARENA_NEW(arena, pn_kv, json_object_size(json) + 1);
    if (!pairs)
        return pn_fail_nomem(err);
    *n = 0;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        if (!json_is_string(value))
            return pn_fail(err, PN_ERR_INVALID, "metadata \"%s\" is not a text", key);
        pairs[*n].key = pn_arena_strdup(arena, key);
        pairs[*n].value = pn_arena_strdup(arena, json_string_value(value));
        if (!pairs[*n].key || !pairs[*n].value)
            return pn_fail_nomem(err);
        ++*n;
    }
    *out = pairs;
    return PN_OK;
}

static pn_status field_from_json(const json_t *json, unsigned depth, pn_arena *arena, pn_field *out,
                                 pn_error *err)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *children = json_object_get(json, "children");
    if (!name || !type)
        return pn_fail(err, PN_ERR_INVALID,
                       "a column of the schema has no \"name\" or no \"type\"");
    pn_field_init(out, pn_arena_strdup(arena, name), PN_TYPE_NULL,
                  !json_is_false(json_object_get(json, "nullable")));
    if (!out->name)
        return pn_fail_nomem(err);
    if (children)
        PN_TRY(nested_from_json(pn_str_of(type), children, depth, arena, out, err));
    else
        PN_TRY(type_from_text(pn_str_of(type), depth, arena, out, err));
    return pairs_from_json(json_object_get(json, "metadata"), arena, &out->metadata,
                           &out->n_metadata, err);
}

static pn_status fields_from_json(const json_t *json, unsigned depth, pn_arena *arena,
                                  pn_field **out, size_t *n, pn_error *err)
{
    if (depth > PN_SCHEMA_MAX_DEPTH)
        return pn_fail(err, PN_ERR_LIMIT, "the schema is nested over %d deep", PN_SCHEMA_MAX_DEPTH);
    if (!json_is_array(json))
        return pn_fail(err, PN_ERR_INVALID, "the columns of a schema are an array of objects");
    *n = json_array_size(json);
    *out = PN_ARENA_NEW(arena, pn_field, *n + 1);
    if (!*out)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < *n; i++)
        PN_TRY(field_from_json(json_array_get(json, i), depth, arena, &(*out)[i], err));
    return PN_OK;
}

pn_status pn_schema_from_json(const json_t *json, pn_arena *arena, pn_schema *out, pn_error *err)
{
    pn_schema schema = {0};
    const json_t *columns = json_is_array(json) ? json : json_object_get(json, "columns");
    PN_TRY(fields_from_json(columns, 0, arena, &schema.fields, &schema.n_fields, err));
    PN_TRY(pairs_from_json(json_object_get(json, "metadata"), arena, &schema.metadata,
                           &schema.n_metadata, err));
    *out = schema;
    return PN_OK;
}

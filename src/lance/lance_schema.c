/*
 * lance_schema.c - type strings and trees
 *
 * A row of the table below for each type without parameters; the others are parsed by hand. Unknown strings are refused with
 * the column's name: better no table than a wrong one.
 */
#include "lance/lance_schema.h"

#include "base/limits.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    pn_type_id type;
} plain_types[] = {
    {"null", PN_TYPE_NULL},
    {"bool", PN_TYPE_BOOL},
    {"int8", PN_TYPE_INT8},
    {"int16", PN_TYPE_INT16},
    {"int32", PN_TYPE_INT32},
    {"int64", PN_TYPE_INT64},
    {"uint8", PN_TYPE_UINT8},
    {"uint16", PN_TYPE_UINT16},
    {"uint32", PN_TYPE_UINT32},
    {"uint64", PN_TYPE_UINT64},
    {"halffloat", PN_TYPE_HALF},
    {"float", PN_TYPE_FLOAT},
    {"double", PN_TYPE_DOUBLE},
    {"string", PN_TYPE_STRING},
    {"large_string", PN_TYPE_LARGE_STRING},
    {"binary", PN_TYPE_BINARY},
    {"large_binary", PN_TYPE_LARGE_BINARY},
    {"date32:day", PN_TYPE_DATE32},
    {"date64:ms", PN_TYPE_DATE64},
    {"struct", PN_TYPE_STRUCT},
    {"list", PN_TYPE_LIST},
    {"list.struct", PN_TYPE_LIST},
    {"large_list", PN_TYPE_LARGE_LIST},
    {"large_list.struct", PN_TYPE_LARGE_LIST},
    {"map", PN_TYPE_MAP},
    {"json", PN_TYPE_LARGE_BINARY},
};

static bool parse_unit(pn_str text, pn_time_unit *unit)
{
    static const char *const names[] = {"s", "ms", "us", "ns"};
    for (size_t i = 0; i < PN_COUNT_OF(names); i++) {
        if (pn_str_is(text, names[i])) {
            *unit = (pn_time_unit)i;
            return true;
        }
    }
    return false;
}

static bool parse_i32(pn_str text, int32_t least, int32_t *out)
{
    int64_t value;
    if (!pn_str_to_i64(text, &value) || value < least || value > INT32_MAX)
        return false;
    *out = (int32_t)value;
    return true;
}

static bool parse_type(pn_str text, unsigned depth, pn_field *field, pn_arena *arena);

/* "float:512" behind "fixed_size_list:": the item's type, and the number behind the last colon. */
static bool parse_fixed_list(pn_str rest, unsigned depth, pn_field *field, pn_arena *arena)
{
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    pn_field *item = PN_ARENA_NEW(arena, pn_field, 1);
    if (!item)
        return false;
    pn_field_init(item, "item", PN_TYPE_FLOAT, true);
    field->type = PN_TYPE_FIXED_SIZE_LIST;
    field->children = item;
    field->n_children = 1;
    return parse_i32((pn_str){rest.ptr + colon, rest.len - colon}, 1, &field->size) &&
           parse_type((pn_str){rest.ptr, colon - 1}, depth + 1, item, arena) &&
           item->type != PN_TYPE_STRUCT && !pn_type_is_list(item->type); // whose fields are nowhere
}

static bool parse_timestamp(pn_str rest, pn_field *field, pn_arena *arena)
{
    field->type = PN_TYPE_TIMESTAMP;
    if (!parse_unit(pn_str_split(&rest, ':'), &field->unit))
        return false;
    if (rest.ptr && !pn_str_is(rest, "-")) {
        field->timezone = pn_arena_strndup(arena, rest.ptr, rest.len);
        return field->timezone != NULL;
    }
    return true;
}

static bool parse_decimal(pn_str rest, pn_field *field)
{
    pn_str bits = pn_str_split(&rest, ':'), precision = pn_str_split(&rest, ':');
    field->type = pn_str_is(bits, "256") ? PN_TYPE_DECIMAL256 : PN_TYPE_DECIMAL128;
    return (pn_str_is(bits, "128") || pn_str_is(bits, "256")) &&
           parse_i32(precision, 0, &field->precision) && parse_i32(rest, INT32_MIN, &field->scale);
}

/* "string:int16:false" behind "dict:": the values' type, which has no colon, the index's, whether the values are in order. */
static bool parse_dictionary(pn_str rest, unsigned depth, pn_field *field, pn_arena *arena)
{
    pn_field index;
    pn_str value = pn_str_split(&rest, ':'), index_type = pn_str_split(&rest, ':');
    pn_field_init(&index, "", PN_TYPE_INT32, true);
    if (index_type.len > 0 && !parse_type(index_type, depth + 1, &index, arena))
        return false;
    field->is_dictionary = true;
    field->is_ordered = pn_str_is(rest, "true");
    field->index_type = index.type;
    return parse_type(value, depth + 1, field, arena);
}

static bool parse_type(pn_str text, unsigned depth, pn_field *field, pn_arena *arena)
{
    if (depth > PN_SCHEMA_MAX_DEPTH)
        return false;
    for (size_t i = 0; i < PN_COUNT_OF(plain_types); i++) {
        if (pn_str_is(text, plain_types[i].name)) {
            field->type = plain_types[i].type;
            field->is_json = pn_str_is(text, "json");
            return true;
        }
    }
    pn_str rest = text, head = pn_str_split(&rest, ':');
    if (!rest.ptr)
        return false;
    if (pn_str_is(head, "fixed_size_list"))
        return parse_fixed_list(rest, depth, field, arena);
    if (pn_str_is(head, "timestamp"))
        return parse_timestamp(rest, field, arena);
    if (pn_str_is(head, "decimal"))
        return parse_decimal(rest, field);
    if (pn_str_is(head, "fixed_size_binary")) {
        field->type = PN_TYPE_FIXED_SIZE_BINARY;
        return parse_i32(rest, 1, &field->size);
    }
    field->type = pn_str_is(head, "time32")   ? PN_TYPE_TIME32
                  : pn_str_is(head, "time64") ? PN_TYPE_TIME64
                                              : PN_TYPE_DURATION;
    if (pn_str_is(head, "time32") || pn_str_is(head, "time64") || pn_str_is(head, "duration"))
        return parse_unit(rest, &field->unit);
    return pn_str_is(head, "dict") && parse_dictionary(rest, depth, field, arena);
}

static const char *find_text(const pn_field *field, const char *key)
{
    for (size_t i = 0; i < field->n_metadata; i++)
        if (strcmp(field->metadata[i].key, key) == 0)
            return field->metadata[i].value;
    return NULL;
}

static bool has_flag(const pn_field *field, const char *key)
{
    const char *text = find_text(field, key);
    return text && strcasecmp(text, "true") == 0;
}

static bool is_blob_extension(const char *name)
{
    return name && strcmp(name, "lance.blob.v2") == 0;
}

static pn_status copy_metadata(const Pn__Lance__Field *from, pn_arena *arena, pn_field *to,
                               pn_error *err)
{
    pn_kv *pairs = PN_ARENA_NEW(arena, pn_kv, from->n_metadata + 1);
    if (!pairs)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < from->n_metadata; i++) {
        const Pn__Lance__KeyBytes *pair = from->metadata[i];
        pairs[i].key = pn_arena_strdup(arena, pair->key ? pair->key : "");
        pairs[i].value = pn_arena_strndup(arena, pair->value.data ? (char *)pair->value.data : "",
                                          pair->value.len);
        if (!pairs[i].key || !pairs[i].value)
            return pn_fail_nomem(err);
    }
    to->metadata = pairs;
    to->n_metadata = from->n_metadata;
    return PN_OK;
}

typedef struct decoding {
    Pn__Lance__Field *const *fields;
    size_t n, n_taken;
    pn_arena *arena;
    pn_error *err;
} decoding;

static pn_status check_children(const pn_field *field, pn_error *err)
{
    size_t wanted = pn_type_is_list(field->type) || field->type == PN_TYPE_FIXED_SIZE_LIST ? 1
                    : field->type == PN_TYPE_STRUCT ? field->n_children
                                                    : 0;
    if (field->n_children != wanted)
        return pn_fail(err, PN_ERR_CORRUPT, "column \"%s\": %zu children, %zu were expected",
                       field->name, field->n_children, wanted);
    if (field->type == PN_TYPE_MAP &&
        (field->children[0].type != PN_TYPE_STRUCT || field->children[0].n_children != 2))
        return pn_fail(err, PN_ERR_CORRUPT,
                       "column \"%s\": a map's entries are a struct of key and value", field->name);
    return PN_OK;
}

static pn_status decode_level(decoding *d, int32_t parent, unsigned depth, pn_field **out,
                              size_t *n_out);

static pn_status decode_field(decoding *d, const Pn__Lance__Field *from, unsigned depth,
                              pn_field *to)
{
    const char *type = from->logical_type ? from->logical_type : "";
    /* An id that occurs twice, or is its own parent, would make the tree larger than the list: without bound. */
    if (d->n_taken++ == d->n)
        return pn_fail(d->err, PN_ERR_CORRUPT, "field \"%s\": its id or its parent occurs twice",
                       from->name ? from->name : "");
    pn_field_init(to, pn_arena_strdup(d->arena, from->name ? from->name : ""), PN_TYPE_NULL,
                  from->nullable);
    to->id = from->id;
    if (!to->name)
        return pn_fail_nomem(d->err);
    if (!parse_type(pn_str_of(type), 0, to, d->arena))
        return pn_fail(d->err, PN_ERR_UNSUPPORTED, "column \"%s\": type \"%s\"", to->name, type);
    PN_TRY(copy_metadata(from, d->arena, to, d->err));
    to->is_blob =
        to->type == PN_TYPE_STRUCT && (is_blob_extension(from->extension_name) ||
                                       is_blob_extension(find_text(to, "ARROW:extension:name")));
    to->is_packed = !to->is_blob && to->type == PN_TYPE_STRUCT &&
                    (has_flag(to, "lance-encoding:packed") || has_flag(to, "packed"));
    if (to->is_blob) // its members differ between the table and its files, where they have no ids
        return PN_OK;
    pn_field *children;
    size_t n_children;
    PN_TRY(decode_level(d, from->id, depth + 1, &children, &n_children));
    if (n_children > 0) {
        to->children = children;
        to->n_children = n_children;
    }
    return check_children(to, d->err);
}

/* What has no id is a member of a blob's description, and no column. */
static bool is_child(const Pn__Lance__Field *field, int32_t parent)
{
    return field->parent_id == parent && field->id >= 0;
}

static pn_status decode_level(decoding *d, int32_t parent, unsigned depth, pn_field **out,
                              size_t *n_out)
{
    size_t n = 0, at = 0;
    if (depth > PN_SCHEMA_MAX_DEPTH)
        return pn_fail(d->err, PN_ERR_LIMIT, "the schema is nested over %d deep",
                       PN_SCHEMA_MAX_DEPTH);
    for (size_t i = 0; i < d->n; i++)
        n += is_child(d->fields[i], parent);
    pn_field *fields = PN_ARENA_NEW(d->arena, pn_field, n + 1);
    if (!fields)
        return pn_fail_nomem(d->err);
    for (size_t i = 0; i < d->n; i++)
        if (is_child(d->fields[i], parent))
            PN_TRY(decode_field(d, d->fields[i], depth, &fields[at++]));
    *out = fields;
    *n_out = n;
    return PN_OK;
}

pn_status pn_lance_schema_decode(Pn__Lance__Field *const *fields, size_t n, pn_arena *arena,
                                 pn_schema *out, pn_error *err)
{
    if (n > PN_LANCE_MAX_COLUMNS)
        return pn_fail(err, PN_ERR_LIMIT, "%zu fields, the limit is %d", n, PN_LANCE_MAX_COLUMNS);
    decoding d = {fields, n, 0, arena, err};
    pn_schema schema = {0};
    PN_TRY(decode_level(&d, -1, 0, &schema.fields, &schema.n_fields));
    *out = schema;
    return PN_OK;
}

/* ---- the other way ---- */

static const char *plain_type_string(pn_type_id type)
{
    for (size_t i = 0; i < PN_COUNT_OF(plain_types); i++)
        if (plain_types[i].type == type)
            return plain_types[i].name;
    return NULL;
}

static const char *type_string(const pn_field *field, pn_arena *arena)
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    const char *unit = units[field->unit], *item;
    if (field->is_json)
        return "json";
    switch ((int)field->type) {
    case PN_TYPE_TIME32:
        return pn_arena_printf(arena, "time32:%s", unit);
    case PN_TYPE_TIME64:
        return pn_arena_printf(arena, "time64:%s", unit);
    case PN_TYPE_DURATION:
        return pn_arena_printf(arena, "duration:%s", unit);
    case PN_TYPE_TIMESTAMP:
        return pn_arena_printf(arena, "timestamp:%s:%s", unit,
                               field->timezone ? field->timezone : "-");
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
        return pn_arena_printf(arena, "decimal:%d:%" PRId32 ":%" PRId32,
                               field->type == PN_TYPE_DECIMAL128 ? 128 : 256, field->precision,
                               field->scale);
    case PN_TYPE_FIXED_SIZE_BINARY:
        return pn_arena_printf(arena, "fixed_size_binary:%" PRId32, field->size);
    case PN_TYPE_FIXED_SIZE_LIST:
        item = type_string(&field->children[0], arena);
        return item ? pn_arena_printf(arena, "fixed_size_list:%s:%" PRId32, item, field->size)
                    : NULL;
    case PN_TYPE_LIST:
        return field->children[0].type == PN_TYPE_STRUCT ? "list.struct" : "list";
    case PN_TYPE_LARGE_LIST:
        return field->children[0].type == PN_TYPE_STRUCT ? "large_list.struct" : "large_list";
    default:
        return plain_type_string(field->type);
    }
}

static const char *dictionary_string(const pn_field *field, pn_arena *arena)
{
    const char *value = type_string(field, arena), *index = plain_type_string(field->index_type);
    return value && index ? pn_arena_printf(arena, "dict:%s:%s:%s", value, index,
                                            field->is_ordered ? "true" : "false")
                          : NULL;
}

bool pn_lance_is_leaf(const pn_field *field)
{
    return field->n_children == 0 || field->type == PN_TYPE_FIXED_SIZE_LIST || field->is_packed ||
           field->is_blob;
}

/* The items of fixed-size lists are part of their type. */
static bool has_child_fields(const pn_field *field)
{
    return field->type != PN_TYPE_FIXED_SIZE_LIST;
}

size_t pn_lance_count_nodes(const pn_field *field)
{
    size_t n = 1;
    for (size_t i = 0; has_child_fields(field) && i < field->n_children; i++)
        n += pn_lance_count_nodes(&field->children[i]);
    return n;
}

static pn_status encode_metadata(const pn_field *field, pn_arena *arena, Pn__Lance__Field *to,
                                 pn_error *err)
{
    to->metadata = PN_ARENA_NEW(arena, Pn__Lance__KeyBytes *, field->n_metadata + 1);
    if (!to->metadata)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < field->n_metadata; i++) {
        Pn__Lance__KeyBytes *pair = PN_ARENA_NEW(arena, Pn__Lance__KeyBytes, 1);
        if (!pair)
            return pn_fail_nomem(err);
        pn__lance__key_bytes__init(pair);
        pair->key = pn_arena_strdup(arena, field->metadata[i].key);
        pair->has_value = 1;
        pair->value.len = strlen(field->metadata[i].value);
        pair->value.data = (uint8_t *)pn_arena_strdup(arena, field->metadata[i].value);
        if (!pair->key || !pair->value.data)
            return pn_fail_nomem(err);
        to->metadata[to->n_metadata++] = pair;
    }
    return PN_OK;
}

static pn_status encode_field(const pn_field *field, int32_t parent, pn_arena *arena,
                              Pn__Lance__Field **list, size_t *n, pn_error *err)
{
    Pn__Lance__Field *to = PN_ARENA_NEW(arena, Pn__Lance__Field, 1);
    if (!to)
        return pn_fail_nomem(err);
    pn__lance__field__init(to);
    const char *type =
        field->is_dictionary ? dictionary_string(field, arena) : type_string(field, arena);
    if (!type)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "column \"%s\": a type that is not written",
                       field->name);
    to->name = pn_arena_strdup(arena, field->name);
    to->logical_type = pn_arena_strdup(arena, type);
    if (!to->name || !to->logical_type)
        return pn_fail_nomem(err);
    to->has_id = field->id != 0;
    to->id = field->id;
    to->has_parent_id = 1;
    to->parent_id = parent;
    to->has_nullable = to->nullable = field->nullable;
    to->has_encoding = 1;
    to->encoding = pn_type_is_variable(field->type) ? 2 : 1;
    if (field->is_json)
        to->extension_name = pn_arena_strdup(arena, "lance.json");
    PN_TRY(encode_metadata(field, arena, to, err));
    list[(*n)++] = to;
    for (size_t i = 0; has_child_fields(field) && i < field->n_children; i++)
        PN_TRY(encode_field(&field->children[i], field->id, arena, list, n, err));
    return PN_OK;
}

pn_status pn_lance_schema_encode(const pn_schema *schema, pn_arena *arena,
                                 Pn__Lance__Field ***fields, size_t *n, pn_error *err)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < schema->n_fields; i++)
        total += pn_lance_count_nodes(&schema->fields[i]);
    Pn__Lance__Field **list = PN_ARENA_NEW(arena, Pn__Lance__Field *, total + 1);
    if (!list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < schema->n_fields; i++)
        PN_TRY(encode_field(&schema->fields[i], -1, arena, list, &at, err));
    *fields = list;
    *n = at;
    return PN_OK;
}

static void assign(pn_field *field, int32_t *next)
{
    field->id = (*next)++;
    for (size_t i = 0; i < field->n_children; i++) {
        if (!has_child_fields(field))
            field->children[i].id = -1;
        else
            assign(&field->children[i], next);
    }
}

void pn_lance_schema_assign_ids(pn_schema *schema, int32_t first_id)
{
    for (size_t i = 0; i < schema->n_fields; i++)
        assign(&schema->fields[i], &first_id);
}

/* ---- what may be written ---- */

const char *pn_lance_name_fault(const char *name)
{
    static const char *const taken[] = {"_rowid", "_rowaddr", "_row_created_at_version",
                                        "_row_last_updated_at_version"};
    if (name[0] == '\0')
        return "it is empty";
    for (size_t i = 0; i < PN_COUNT_OF(taken); i++)
        if (strcmp(name, taken[i]) == 0)
            return "Lance has a column of its own by that name";
    if (strchr(name, '`'))
        return "it has a backtick, and LanceDB could not query the table";
    return strchr(name, '.') ? "it has a dot" : NULL; // which LanceDB takes for a path
}

/* Types are made of parts, and not all parts go together. */
static const char *type_fault(const pn_field *field)
{
    switch ((int)field->type) {
    case PN_TYPE_TIME32:
        return field->unit <= PN_UNIT_MILLI ? NULL : "a time32 counts s or ms";
    case PN_TYPE_TIME64:
        return field->unit >= PN_UNIT_MICRO ? NULL : "a time64 counts us or ns";
    case PN_TYPE_TIMESTAMP:
        return field->timezone && strchr(field->timezone, ':') ? "its time zone has a colon" : NULL;
    case PN_TYPE_DECIMAL128:
        return field->precision >= 1 && field->precision <= 38 ? NULL
                                                               : "a decimal128 has 1 to 38 digits";
    case PN_TYPE_DECIMAL256:
        return field->precision >= 1 && field->precision <= 76 ? NULL
                                                               : "a decimal256 has 1 to 76 digits";
    case PN_TYPE_FIXED_SIZE_BINARY:
    case PN_TYPE_FIXED_SIZE_LIST:
        return field->size > 0 ? NULL : "its size is 0";
    case PN_TYPE_STRUCT:
        return field->n_children > 0 || field->is_blob ? NULL : "a struct without members";
    case PN_TYPE_MAP:
        return field->n_children == 1 && field->children[0].n_children == 2 &&
                       field->children[0].children[0].nullable
                   ? "the keys of a map cannot be null"
                   : NULL;
    default:
        return NULL;
    }
}

static pn_status check_field(const pn_field *field, pn_error *err)
{
    const char *fault = type_fault(field);
    if (fault)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %s", field->name, fault);
    for (size_t i = 0; i < field->n_children; i++) {
        for (size_t k = 0; k < i && field->type == PN_TYPE_STRUCT; k++)
            if (strcmp(field->children[i].name, field->children[k].name) == 0)
                return pn_fail(err, PN_ERR_INVALID,
                               "column \"%s\": two members have the name \"%s\"", field->name,
                               field->children[i].name);
        PN_TRY(check_field(&field->children[i], err));
    }
    return PN_OK;
}

/* Whatever else it may be: what comes out of it must go in again. */
static pn_status check_way_back(const pn_schema *schema, pn_arena *arena, pn_error *err)
{
    pn_schema own, back;
    Pn__Lance__Field **fields;
    size_t n;
    PN_TRY(pn_schema_copy(schema, arena, &own, err));
    pn_lance_schema_assign_ids(&own, 0);
    PN_TRY(pn_lance_schema_encode(&own, arena, &fields, &n, err));
    pn_status status = pn_lance_schema_decode(fields, n, arena, &back, err);
    return status == PN_OK || status == PN_ERR_NOMEM || status == PN_ERR_LIMIT
               ? status
               : pn_fail_wrap(err, PN_ERR_INVALID, "what could not be read again: ");
}

pn_status pn_lance_schema_check(const pn_schema *schema, pn_error *err)
{
    pn_arena arena;
    if (schema->n_fields == 0 || schema->n_fields > PN_LANCE_MAX_COLUMNS)
        return pn_fail(err, PN_ERR_INVALID, "a table has 1 to %d columns", PN_LANCE_MAX_COLUMNS);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const char *name = schema->fields[i].name, *fault = pn_lance_name_fault(name);
        if (fault)
            return pn_fail(err, PN_ERR_INVALID, "\"%s\" cannot be a column's name: %s", name,
                           fault);
        if (pn_schema_find(schema, pn_str_of(name)) != (ptrdiff_t)i)
            return pn_fail(err, PN_ERR_INVALID, "two columns are named \"%s\"", name);
        PN_TRY(check_field(&schema->fields[i], err));
    }
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = check_way_back(schema, &arena, err);
    pn_arena_reset(&arena);
    return status;
}

size_t pn_lance_count_leaves(const pn_field *field)
{
    size_t n = 0;
    if (pn_lance_is_leaf(field))
        return 1;
    for (size_t i = 0; i < field->n_children; i++)
        n += pn_lance_count_leaves(&field->children[i]);
    return n;
}

/* Of leaves alone, or of all nodes. */
static void collect_ids(const pn_field *field, bool all, int32_t *ids, size_t *n)
{
    bool is_leaf = pn_lance_is_leaf(field);
    if (is_leaf || all)
        ids[(*n)++] = field->id;
    for (size_t i = 0; !is_leaf && i < field->n_children; i++)
        collect_ids(&field->children[i], all, ids, n);
}

static pn_status list_ids(const pn_schema *schema, bool all, pn_arena *arena, int32_t **ids,
                          size_t *n, pn_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < schema->n_fields; i++)
        total += all ? pn_lance_count_nodes(&schema->fields[i])
                     : pn_lance_count_leaves(&schema->fields[i]);
    int32_t *list = PN_ARENA_NEW(arena, int32_t, total + 1);
    if (!list)
        return pn_fail_nomem(err);
    *n = 0;
    for (size_t i = 0; i < schema->n_fields; i++)
        collect_ids(&schema->fields[i], all, list, n);
    *ids = list;
    return PN_OK;
}

pn_status pn_lance_schema_leaf_ids(const pn_schema *schema, pn_arena *arena, int32_t **ids,
                                   size_t *n, pn_error *err)
{
    return list_ids(schema, false, arena, ids, n, err);
}

pn_status pn_lance_schema_column_ids(const pn_schema *schema, uint16_t minor, pn_arena *arena,
                                     int32_t **ids, size_t *n, pn_error *err)
{
    return list_ids(schema, minor == 0, arena, ids, n, err);
}

/*
 * type.c - fields and schemas: widths, names, copies
 */
#include "column/type.h"

#include "base/limits.h"

#include <string.h>

static size_t scalar_width(const pn_field *field)
{
    switch (field->type) {
    case PN_TYPE_INT8:
    case PN_TYPE_UINT8:
        return 1;
    case PN_TYPE_INT16:
    case PN_TYPE_UINT16:
    case PN_TYPE_HALF:
        return 2;
    case PN_TYPE_INT32:
    case PN_TYPE_UINT32:
    case PN_TYPE_FLOAT:
    case PN_TYPE_DATE32:
    case PN_TYPE_TIME32:
        return 4;
    case PN_TYPE_INT64:
    case PN_TYPE_UINT64:
    case PN_TYPE_DOUBLE:
    case PN_TYPE_DATE64:
    case PN_TYPE_TIME64:
    case PN_TYPE_TIMESTAMP:
    case PN_TYPE_DURATION:
        return 8;
    case PN_TYPE_DECIMAL128:
        return 16;
    case PN_TYPE_DECIMAL256:
        return 32;
    case PN_TYPE_FIXED_SIZE_BINARY:
        return (size_t)field->size;
    case PN_TYPE_NULL:
    case PN_TYPE_BOOL:
    case PN_TYPE_STRING:
    case PN_TYPE_LARGE_STRING:
    case PN_TYPE_BINARY:
    case PN_TYPE_LARGE_BINARY:
    case PN_TYPE_FIXED_SIZE_LIST:
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
    case PN_TYPE_STRUCT:
    case PN_TYPE_MAP:
        return 0;
    }
    return 0;
}

size_t pn_type_width(const pn_field *field)
{
    size_t items = 1;
    for (unsigned depth = 0; field->type == PN_TYPE_FIXED_SIZE_LIST && depth < PN_SCHEMA_MAX_DEPTH;
         depth++) {
        if (field->n_children != 1 || !pn_size_mul(items, (size_t)field->size, &items))
            return 0;
        field = &field->children[0];
    }
    size_t width;
    return pn_size_mul(items, scalar_width(field), &width) ? width : 0;
}

bool pn_type_is_integer(pn_type_id type)
{
    return type >= PN_TYPE_INT8 && type <= PN_TYPE_UINT64;
}

bool pn_type_is_decimal(pn_type_id type)
{
    return type == PN_TYPE_DECIMAL128 || type == PN_TYPE_DECIMAL256;
}

bool pn_type_is_variable(pn_type_id type)
{
    return type >= PN_TYPE_STRING && type <= PN_TYPE_LARGE_BINARY;
}

bool pn_type_is_list(pn_type_id type)
{
    return type == PN_TYPE_LIST || type == PN_TYPE_LARGE_LIST || type == PN_TYPE_MAP;
}

static const char *plain_name(pn_type_id type)
{
    static const char *const names[] = {
        [PN_TYPE_NULL] = "null",
        [PN_TYPE_BOOL] = "bool",
        [PN_TYPE_INT8] = "int8",
        [PN_TYPE_INT16] = "int16",
        [PN_TYPE_INT32] = "int32",
        [PN_TYPE_INT64] = "int64",
        [PN_TYPE_UINT8] = "uint8",
        [PN_TYPE_UINT16] = "uint16",
        [PN_TYPE_UINT32] = "uint32",
        [PN_TYPE_UINT64] = "uint64",
        [PN_TYPE_HALF] = "halffloat",
        [PN_TYPE_FLOAT] = "float",
        [PN_TYPE_DOUBLE] = "double",
        [PN_TYPE_STRING] = "string",
        [PN_TYPE_LARGE_STRING] = "large_string",
        [PN_TYPE_BINARY] = "binary",
        [PN_TYPE_LARGE_BINARY] = "large_binary",
        [PN_TYPE_DATE32] = "date32",
        [PN_TYPE_DATE64] = "date64",
        [PN_TYPE_TIME32] = "time32",
        [PN_TYPE_TIME64] = "time64",
        [PN_TYPE_TIMESTAMP] = "timestamp",
        [PN_TYPE_DURATION] = "duration",
        [PN_TYPE_DECIMAL128] = "decimal128",
        [PN_TYPE_DECIMAL256] = "decimal256",
        [PN_TYPE_FIXED_SIZE_BINARY] = "fixed_size_binary",
        [PN_TYPE_FIXED_SIZE_LIST] = "fixed_size_list",
        [PN_TYPE_LIST] = "list",
        [PN_TYPE_LARGE_LIST] = "large_list",
        [PN_TYPE_STRUCT] = "struct",
        [PN_TYPE_MAP] = "map",
    };
    return names[type];
}

bool pn_type_of_name(pn_str name, pn_type_id *out)
{
    for (int id = PN_TYPE_NULL; id <= PN_TYPE_MAP; id++)
        if (pn_str_is(name, plain_name((pn_type_id)id))) {
            *out = (pn_type_id)id;
            return true;
        }
    return false;
}

static const char *unit_name(pn_time_unit unit)
{
    static const char *const names[] = {"s", "ms", "us", "ns"};
    return names[unit];
}

static char *members_text(const pn_field *parent, pn_arena *arena)
{
    char *text = pn_arena_strdup(arena, "");
    for (size_t i = 0; text && i < parent->n_children; i++) {
        char *type = pn_type_text(&parent->children[i], arena);
        text = type ? pn_arena_printf(arena, "%s%s%s: %s", text, i > 0 ? ", " : "",
                                      parent->children[i].name, type)
                    : NULL;
    }
    return text;
}

char *pn_type_text(const pn_field *field, pn_arena *arena)
{
    const char *name = plain_name(field->type);
    char *inner = NULL;
    switch ((int)field->type) {
    case PN_TYPE_TIME32:
    case PN_TYPE_TIME64:
    case PN_TYPE_DURATION:
        return pn_arena_printf(arena, "%s[%s]", name, unit_name(field->unit));
    case PN_TYPE_TIMESTAMP:
        return field->timezone ? pn_arena_printf(arena, "%s[%s, %s]", name, unit_name(field->unit),
                                                 field->timezone)
                               : pn_arena_printf(arena, "%s[%s]", name, unit_name(field->unit));
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
        return pn_arena_printf(arena, "%s(%d, %d)", name, (int)field->precision, (int)field->scale);
    case PN_TYPE_FIXED_SIZE_BINARY:
        return pn_arena_printf(arena, "%s[%d]", name, (int)field->size);
    case PN_TYPE_FIXED_SIZE_LIST:
        inner = pn_type_text(&field->children[0], arena);
        return inner ? pn_arena_printf(arena, "%s<%s>[%d]", name, inner, (int)field->size) : NULL;
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
        inner = pn_type_text(&field->children[0], arena);
        return inner ? pn_arena_printf(arena, "%s<%s>", name, inner) : NULL;
    case PN_TYPE_STRUCT:
        inner = members_text(field, arena);
        return inner ? pn_arena_printf(arena, "%s<%s>", name, inner) : NULL;
    case PN_TYPE_MAP: {
        const pn_field *entries = &field->children[0];
        inner = pn_type_text(&entries->children[0], arena);
        char *value = inner ? pn_type_text(&entries->children[1], arena) : NULL;
        return value ? pn_arena_printf(arena, "%s<%s, %s>", name, inner, value) : NULL;
    }
    default:
        return pn_arena_strdup(arena, field->is_json ? "json" : name);
    }
}

ptrdiff_t pn_schema_find(const pn_schema *schema, pn_str name)
{
    for (size_t i = 0; i < schema->n_fields; i++)
        if (pn_str_is(name, schema->fields[i].name))
            return (ptrdiff_t)i;
    return -1;
}

const char *pn_schema_metadata(const pn_schema *schema, const char *key)
{
    for (size_t i = 0; i < schema->n_metadata; i++)
        if (strcmp(schema->metadata[i].key, key) == 0)
            return schema->metadata[i].value;
    return NULL;
}

static pn_status copy_pairs(const pn_kv *pairs, size_t n, pn_arena *arena, const pn_kv **out,
                            pn_error *err)
{
    pn_kv *copy = PN_ARENA_NEW(arena, pn_kv, n + 1);
    if (!copy)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        copy[i].key = pn_arena_strdup(arena, pairs[i].key);
        copy[i].value = pn_arena_strdup(arena, pairs[i].value);
        if (!copy[i].key || !copy[i].value)
            return pn_fail_nomem(err);
    }
    *out = copy;
    return PN_OK;
}

static pn_status copy_field(const pn_field *field, unsigned depth, pn_arena *arena, pn_field *out,
                            pn_error *err)
{
    if (depth > PN_SCHEMA_MAX_DEPTH)
        return pn_fail(err, PN_ERR_LIMIT, "column \"%s\": nested over %d deep", field->name,
                       PN_SCHEMA_MAX_DEPTH);
    pn_field copy = *field;
    copy.name = pn_arena_strdup(arena, field->name);
    copy.timezone = field->timezone ? pn_arena_strdup(arena, field->timezone) : NULL;
    copy.children = PN_ARENA_NEW(arena, pn_field, field->n_children + 1);
    if (!copy.name || !copy.children || (field->timezone && !copy.timezone))
        return pn_fail_nomem(err);
    PN_TRY(copy_pairs(field->metadata, field->n_metadata, arena, &copy.metadata, err));
    for (size_t i = 0; i < field->n_children; i++)
        PN_TRY(copy_field(&field->children[i], depth + 1, arena, &copy.children[i], err));
    *out = copy;
    return PN_OK;
}

pn_status pn_field_copy(const pn_field *field, pn_arena *arena, pn_field *out, pn_error *err)
{
    return copy_field(field, 0, arena, out, err);
}

pn_status pn_schema_copy(const pn_schema *schema, pn_arena *arena, pn_schema *out, pn_error *err)
{
    pn_schema copy = {.n_fields = schema->n_fields, .n_metadata = schema->n_metadata};
    copy.fields = PN_ARENA_NEW(arena, pn_field, schema->n_fields + 1);
    if (!copy.fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < schema->n_fields; i++)
        PN_TRY(pn_field_copy(&schema->fields[i], arena, &copy.fields[i], err));
    PN_TRY(copy_pairs(schema->metadata, schema->n_metadata, arena, &copy.metadata, err));
    *out = copy;
    return PN_OK;
}

void pn_field_init(pn_field *field, const char *name, pn_type_id type, bool nullable)
{
    *field = (pn_field){
        .name = name, .type = type, .nullable = nullable, .unit = PN_UNIT_MILLI, .id = -1};
}

bool pn_field_init_list(pn_field *field, const char *name, const pn_field *item, bool nullable,
                        pn_arena *arena)
{
    pn_field *child = PN_ARENA_NEW(arena, pn_field, 1);
    if (!child)
        return false;
    *child = *item;
    pn_field_init(field, name, PN_TYPE_LIST, nullable);
    field->children = child;
    field->n_children = 1;
    return true;
}

bool pn_field_init_vector(pn_field *field, const char *name, int32_t dim, pn_arena *arena)
{
    pn_field item;
    pn_field_init(&item, "item", PN_TYPE_FLOAT, true);
    if (!pn_field_init_list(field, name, &item, false, arena))
        return false;
    field->type = PN_TYPE_FIXED_SIZE_LIST;
    field->size = dim;
    return true;
}

bool pn_field_init_string_map(pn_field *field, const char *name, bool nullable, pn_arena *arena)
{
    pn_field *members = PN_ARENA_NEW(arena, pn_field, 2);
    if (!members)
        return false;
    pn_field entries;
    pn_field_init(&members[0], "key", PN_TYPE_STRING, false);
    pn_field_init(&members[1], "value", PN_TYPE_STRING, true);
    pn_field_init(&entries, "entries", PN_TYPE_STRUCT, false);
    entries.children = members;
    entries.n_children = 2;
    if (!pn_field_init_list(field, name, &entries, nullable, arena))
        return false;
    field->type = PN_TYPE_MAP;
    return true;
}

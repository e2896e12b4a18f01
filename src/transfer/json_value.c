/*
 * json_value.c - values of any type <-> JSON
 *
 * Written by hand, a buffer and no tree: an export is millions of rows with hundreds of numbers each. Read by jansson, a row at a time.
 *
 * A map is an object where that loses nothing. Arrow's maps may have a key twice, keys that are no texts, and texts with a NUL, which
 * jansson's keys cannot have; such a row is written as pairs.
 */
#include "transfer/json_value.h"

#include "transfer/scalar_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_KEYS_COMPARED = 64
}; /* a map of more entries is written as pairs: comparing all keys takes the square */

/* ---- out ---- */

pn_status pn_text_to_json(pn_str text, pn_buffer *out, pn_error *err)
{
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    size_t run = 0;
    PN_TRY(pn_buffer_append(out, "\"", 1, err));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
            continue;
        PN_TRY(pn_buffer_append(out, text.ptr + run, i - run, err));
        const char *at = c ? strchr(special, c) : NULL;
        if (at)
            PN_TRY(pn_buffer_append_format(out, err, "\\%c", letters[at - special]));
        else
            PN_TRY(pn_buffer_append_format(out, err, "\\u%04x", (unsigned)c));
        run = i + 1;
    }
    PN_TRY(pn_buffer_append(out, text.ptr ? text.ptr + run : "", text.len - run, err));
    return pn_buffer_append(out, "\"", 1, err);
}

static bool is_text(pn_type_id type)
{
    return type == PN_TYPE_STRING || type == PN_TYPE_LARGE_STRING;
}

static pn_status scalar_to_json(const pn_array *array, size_t i, pn_buffer *out, pn_error *err)
{
    bool is_bare;
    size_t start = out->n_bytes;
    if (is_text(array->field->type)) {
        pn_str text = pn_array_bytes(array, i);
        if (!pn_str_is_utf8(text))
            return pn_fail(err, PN_ERR_INVALID, "column \"%s\": a text that is not UTF-8",
                           array->field->name);
        return pn_text_to_json(text, out, err);
    }
    PN_TRY(pn_scalar_to_text(array, i, out, &is_bare, err));
    if (is_bare)
        return PN_OK;
    PN_TRY(pn_buffer_append(out, "\"\"", 2, err)); // one of them belongs in front
    memmove(out->data + start + 1, out->data + start, out->n_bytes - start - 2);
    out->data[start] = '"';
    return PN_OK;
}

static pn_status items_to_json(const pn_array *items, size_t first, size_t end, pn_buffer *out,
                               pn_error *err)
{
    PN_TRY(pn_buffer_append(out, "[", 1, err));
    for (size_t i = first; i < end; i++) {
        if (i > first)
            PN_TRY(pn_buffer_append(out, ",", 1, err));
        PN_TRY(pn_value_to_json(items, i, out, err));
    }
    return pn_buffer_append(out, "]", 1, err);
}

static pn_status struct_to_json(const pn_array *array, size_t i, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append(out, "{", 1, err));
    for (size_t c = 0; c < array->n_children; c++) {
        if (c > 0)
            PN_TRY(pn_buffer_append(out, ",", 1, err));
        PN_TRY(pn_text_to_json(pn_str_of(array->children[c].field->name), out, err));
        PN_TRY(pn_buffer_append(out, ":", 1, err));
        PN_TRY(pn_value_to_json(&array->children[c], i, out, err));
    }
    return pn_buffer_append(out, "}", 1, err);
}

/* Can the entries be the members of an object? */
static bool are_members(const pn_array *keys, size_t first, size_t end)
{
    if (!is_text(keys->field->type) || end - first > MAX_KEYS_COMPARED)
        return false;
    for (size_t i = first; i < end; i++) {
        pn_str key = pn_array_is_valid(keys, i) ? pn_array_bytes(keys, i) : (pn_str){"", 1};
        if (key.len > 0 && memchr(key.ptr, '\0', key.len))
            return false; // of a null key, too
        for (size_t k = first; k < i; k++)
            if (pn_str_equal(key, pn_array_bytes(keys, k)))
                return false;
    }
    return true;
}

static pn_status map_to_json(const pn_array *array, size_t i, pn_buffer *out, pn_error *err)
{
    const pn_array *keys = &array->children[0].children[0];
    const pn_array *values = &array->children[0].children[1];
    size_t first = (size_t)array->offsets[i], end = (size_t)array->offsets[i + 1];
    bool members = are_members(keys, first, end);
    PN_TRY(pn_buffer_append(out, members ? "{" : "[", 1, err));
    for (size_t k = first; k < end; k++) {
        if (k > first)
            PN_TRY(pn_buffer_append(out, ",", 1, err));
        if (!members)
            PN_TRY(pn_buffer_append(out, "[", 1, err));
        PN_TRY(pn_value_to_json(keys, k, out, err));
        PN_TRY(pn_buffer_append(out, members ? ":" : ",", 1, err));
        PN_TRY(pn_value_to_json(values, k, out, err));
        if (!members)
            PN_TRY(pn_buffer_append(out, "]", 1, err));
    }
    return pn_buffer_append(out, members ? "}" : "]", 1, err);
}

/* A schema's depth has a limit, so this recursion has one. */
pn_status pn_value_to_json(const pn_array *array, size_t i, pn_buffer *out, pn_error *err)
{
    const pn_field *field = array->field;
    size_t size = field->type == PN_TYPE_FIXED_SIZE_LIST ? (size_t)field->size : 0;
    if (field->type == PN_TYPE_NULL || !pn_array_is_valid(array, i))
        return pn_buffer_append(out, "null", 4, err);
    switch ((int)field->type) {
    case PN_TYPE_FIXED_SIZE_LIST:
        return items_to_json(&array->children[0], i * size, (i + 1) * size, out, err);
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
        return items_to_json(&array->children[0], (size_t)array->offsets[i],
                             (size_t)array->offsets[i + 1], out, err);
    case PN_TYPE_STRUCT:
        return struct_to_json(array, i, out, err);
    case PN_TYPE_MAP:
        return map_to_json(array, i, out, err);
    default:
        return scalar_to_json(array, i, out, err);
    }
}

pn_status pn_value_check_field(const pn_field *field, pn_error *err)
{
    for (size_t i = 0; i < field->n_children; i++) {
        PN_TRY(pn_value_check_field(&field->children[i], err));
        for (size_t k = 0; field->type == PN_TYPE_STRUCT && k < i; k++)
            if (strcmp(field->children[i].name, field->children[k].name) == 0)
                return pn_fail(err, PN_ERR_UNSUPPORTED,
                               "column \"%s\": two members have the name \"%s\"", field->name,
                               field->children[i].name);
    }
    return PN_OK;
}

/* ---- in ---- */

pn_status pn_json_parse(pn_str text, json_t **out, pn_error *err)
{
    json_error_t error;
    json_t *value = json_loadb(text.ptr ? text.ptr : "", text.len,
                               JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value && json_error_code(&error) == json_error_out_of_memory)
        return pn_fail_nomem(err);
    if (!value)
        return pn_fail(err, PN_ERR_INVALID, "not JSON: %s, at character %d", error.text,
                       error.position);
    *out = value;
    return PN_OK;
}

static pn_status wrong_kind(const pn_field *field, const json_t *value, pn_error *err)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *type = pn_type_text(field, &arena);
    pn_status status =
        pn_fail(err, PN_ERR_INVALID, "column \"%s\" holds %s, and here is %s", field->name,
                type ? type : "something else", kinds[json_typeof(value)]);
    pn_arena_reset(&arena);
    return status;
}

static pn_status integer_from_json(pn_builder *builder, const pn_field *field, const json_t *value,
                                   pn_error *err)
{
    json_int_t number = json_integer_value(value);
    char text[PN_NUMBER_TEXT_BYTES];
    if (field->type >= PN_TYPE_HALF && field->type <= PN_TYPE_DOUBLE)
        return pn_builder_append_double(builder, (double)number, err);
    if (field->type == PN_TYPE_BOOL)
        return wrong_kind(field, value, err);
    if (pn_type_is_integer(field->type) ||
        (field->type >= PN_TYPE_DATE32 && field->type <= PN_TYPE_DURATION))
        return pn_builder_append_i64(builder, number, err);
    if (!is_text(field->type) && !pn_type_is_decimal(field->type))
        return wrong_kind(field, value, err);
    (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, number); // 20 characters
    return pn_scalar_from_text(builder, field, pn_str_of(text), err);
}

static pn_status real_from_json(pn_builder *builder, const pn_field *field, const json_t *value,
                                pn_error *err)
{
    double number = json_real_value(value);
    char text[PN_NUMBER_TEXT_BYTES];
    if (field->type >= PN_TYPE_HALF && field->type <= PN_TYPE_DOUBLE)
        return pn_builder_append_double(builder, number, err);
    if (pn_type_is_integer(field->type) && floor(number) == number && fabs(number) < 0x1p53)
        return pn_builder_append_i64(builder, (int64_t)number, err); // 3.0
    if (!is_text(field->type) && !pn_type_is_decimal(field->type))
        return wrong_kind(field, value, err);
    pn_format_double(number, text);
    return pn_scalar_from_text(builder, field, pn_str_of(text), err);
}

static pn_status scalar_from_json(pn_builder *builder, const pn_field *field, const json_t *value,
                                  pn_error *err)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return pn_scalar_from_text(
            builder, field, pn_str_make(json_string_value(value), json_string_length(value)), err);
    case JSON_TRUE:
    case JSON_FALSE:
        if (field->type != PN_TYPE_BOOL && !is_text(field->type))
            return wrong_kind(field, value, err);
        return pn_scalar_from_text(builder, field,
                                   pn_str_of(json_is_true(value) ? "true" : "false"), err);
    case JSON_INTEGER:
        return integer_from_json(builder, field, value, err);
    case JSON_REAL:
        return real_from_json(builder, field, value, err);
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_NULL:
        break;
    }
    return wrong_kind(field, value, err);
}

static pn_status list_from_json(pn_builder *builder, const pn_field *field, const json_t *value,
                                pn_error *err)
{
    size_t n = json_array_size(value);
    if (!json_is_array(value))
        return wrong_kind(field, value, err);
    if (field->type == PN_TYPE_FIXED_SIZE_LIST && n != (size_t)field->size)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %zu items, and it takes %d",
                       field->name, n, (int)field->size);
    for (size_t i = 0; i < n; i++)
        PN_TRY(pn_value_from_json(pn_builder_child(builder, 0), &field->children[0],
                                  json_array_get(value, i), err));
    return pn_builder_close_row(builder, err);
}

static pn_status struct_from_json(pn_builder *builder, const pn_field *field, const json_t *value,
                                  pn_error *err)
{
    size_t n_found = 0;
    if (!json_is_object(value))
        return wrong_kind(field, value, err);
    for (size_t i = 0; i < field->n_children; i++) {
        const json_t *member = json_object_get(value, field->children[i].name);
        n_found += member != NULL;
        PN_TRY(pn_value_from_json(pn_builder_child(builder, i), &field->children[i], member, err));
    }
    if (n_found != json_object_size(value))
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": a member that the column has not",
                       field->name);
    return pn_builder_close_row(builder, err);
}

static pn_status entry_from_json(pn_builder *entries, const pn_field *field, const json_t *key,
                                 const json_t *value, pn_error *err)
{
    PN_TRY(pn_value_from_json(pn_builder_child(entries, 0), &field->children[0], key, err));
    PN_TRY(pn_value_from_json(pn_builder_child(entries, 1), &field->children[1], value, err));
    return pn_builder_close_row(entries, err);
}

static pn_status map_from_json(pn_builder *builder, const pn_field *field, json_t *value,
                               pn_error *err)
{
    pn_builder *entries = pn_builder_child(builder, 0);
    const char *key;
    json_t *member;
    if (!json_is_object(value) && !json_is_array(value))
        return wrong_kind(field, value, err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *pair = json_array_get(value, i);
        if (json_array_size(pair) != 2)
            return pn_fail(err, PN_ERR_INVALID, "column \"%s\": a map is an object, or pairs",
                           field->name);
        PN_TRY(entry_from_json(entries, &field->children[0], json_array_get(pair, 0),
                               json_array_get(pair, 1), err));
    }
    json_object_foreach(value, key, member)
    {
        json_t *text = json_string(key);
        if (!text)
            return pn_fail_nomem(err);
        pn_status status = entry_from_json(entries, &field->children[0], text, member, err);
        json_decref(text);
        PN_TRY(status);
    }
    return pn_builder_close_row(builder, err);
}

pn_status pn_value_from_json(pn_builder *builder, const pn_field *field, const json_t *value,
                             pn_error *err)
{
    if (!value || json_is_null(value))
        return pn_builder_append_null(builder, err);
    switch ((int)field->type) {
    case PN_TYPE_NULL:
        return wrong_kind(field, value, err);
    case PN_TYPE_FIXED_SIZE_LIST:
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
        return list_from_json(builder, field, value, err);
    case PN_TYPE_STRUCT:
        return struct_from_json(builder, field, value, err);
    case PN_TYPE_MAP:
        return map_from_json(builder, field, (json_t *)(uintptr_t)value, err);
    default:
        return scalar_from_json(builder, field, value, err);
    }
}

/*
 * expected.c - comparison driven by the field's type
 */
#include "support/expected.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

json_t *expected_load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_DECODE_ANY, &error);
    if (!root)
        fail_msg("%s: %s (line %d)", path, error.text, error.line);
    return root;
}

static int hex_digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static bool bytes_equal(const json_t *want, pn_str got)
{
    const json_t *hex = json_object_get(want, "$bin"), *size = json_object_get(want, "size");
    if (size) // of a blob the client tells where it lies and how long it is
        return json_integer_value(size) == (json_int_t)got.len;
    if (json_is_string(want))
        return json_string_length(want) == got.len &&
               (got.len == 0 || memcmp(json_string_value(want), got.ptr, got.len) == 0);
    if (!hex || json_string_length(hex) != got.len * 2)
        return false;
    const char *text = json_string_value(hex);
    for (size_t i = 0; i < got.len; i++)
        if (hex_digit(text[2 * i]) * 16 + hex_digit(text[2 * i + 1]) != (unsigned char)got.ptr[i])
            return false;
    return true;
}

/* A unit as parts of a millisecond. */
static double per_ms(pn_time_unit unit)
{
    return unit == PN_UNIT_SECOND  ? 0.001
           : unit == PN_UNIT_MILLI ? 1
           : unit == PN_UNIT_MICRO ? 1000
                                   : 1000000;
}

static bool list_equal(const json_t *want, const pn_array *item, size_t first, size_t n)
{
    if (!json_is_array(want) || json_array_size(want) != n)
        return false;
    for (size_t e = 0; e < n; e++)
        if (!expected_value_equal(json_array_get(want, e), item, first + e))
            return false;
    return true;
}

static bool map_equal(const json_t *want, const pn_array *entries, size_t first, size_t n)
{
    const json_t *pairs = json_object_get(want, "$map");
    if (!json_is_array(pairs) || json_array_size(pairs) != n)
        return false;
    for (size_t e = 0; e < n; e++) {
        const json_t *pair = json_array_get(pairs, e);
        if (!expected_value_equal(json_array_get(pair, 0), &entries->children[0], first + e) ||
            !expected_value_equal(json_array_get(pair, 1), &entries->children[1], first + e))
            return false;
    }
    return true;
}

static bool number_equal(const json_t *want, double got)
{
    return json_is_number(want) && json_number_value(want) == got;
}

static bool struct_equal(const json_t *want, const pn_array *array, size_t i)
{
    if (!json_is_object(want))
        return false;
    for (size_t c = 0; c < array->n_children; c++)
        if (!expected_value_equal(json_object_get(want, array->children[c].field->name),
                                  &array->children[c], i))
            return false;
    return true;
}

bool expected_value_equal(const json_t *want, const pn_array *array, size_t i)
{
    const pn_field *field = array->field;
    if (field->type == PN_TYPE_NULL || !pn_array_is_valid(array, i))
        return json_is_null(want);
    if (!want || json_is_null(want))
        return false;
    if (pn_type_is_variable(field->type))
        return bytes_equal(want, pn_array_bytes(array, i));
    size_t size = (size_t)field->size, first = i * size;
    if (pn_type_is_list(field->type)) {
        first = (size_t)array->offsets[i];
        size = (size_t)(array->offsets[i + 1] - array->offsets[i]);
    }
    switch ((int)field->type) {
    case PN_TYPE_BOOL:
        return json_is_boolean(want) && json_is_true(want) == (pn_array_u64(array, i) != 0);
    case PN_TYPE_DATE32:
        return number_equal(want, 86400000.0 * (double)pn_array_i64(array, i));
    case PN_TYPE_TIMESTAMP:
        return number_equal(want, (double)pn_array_i64(array, i) / per_ms(field->unit));
    case PN_TYPE_FIXED_SIZE_BINARY:
        return bytes_equal(want, (pn_str){(const char *)array->values + first, size});
    case PN_TYPE_FIXED_SIZE_LIST:
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
        return list_equal(want, &array->children[0], first, size);
    case PN_TYPE_MAP:
        return map_equal(want, &array->children[0], first, size);
    case PN_TYPE_STRUCT:
        return struct_equal(want, array, i);
    default:
        return number_equal(want, pn_array_double(array, i));
    }
}

bool expected_column_equal(const json_t *want, const pn_array *array, const char *name)
{
    if (!json_is_array(want) || json_array_size(want) != array->length) {
        print_message("%s: %zu rows, %zu were expected\n", name, array->length,
                      json_array_size(want));
        return false;
    }
    for (size_t i = 0; i < array->length; i++) {
        if (expected_value_equal(json_array_get(want, i), array, i))
            continue;
        char *text = json_dumps(json_array_get(want, i), JSON_ENCODE_ANY | JSON_COMPACT);
        print_message("%s, row %zu: expected %.200s\n", name, i, text ? text : "?");
        return false;
    }
    return true;
}

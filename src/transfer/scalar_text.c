/*
 * scalar_text.c - values without parts <-> text that reads back as the same value
 *
 * Exact is worth more than pretty: a date beyond the year 9999, or before 0, is a plain number, and a number too large for the integers of
 * JSON's readers stands in quotes. Times of day and durations are plain numbers in the column's unit.
 */
#include "transfer/scalar_text.h"

#include "base/base64.h"
#include "column/calendar.h"
#include "column/decimal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAX_SHOWN = 60 };

bool pn_type_is_scalar(pn_type_id type)
{
    return type > PN_TYPE_NULL && type <= PN_TYPE_FIXED_SIZE_BINARY;
}

static int64_t per_second(pn_time_unit unit)
{
    static const int64_t units[] = {1, 1000, 1000000, 1000000000};
    return units[unit];
}

/* ---- out ---- */

static pn_status number_to_text(double value, bool as_float, pn_buffer *out, bool *is_bare,
                                pn_error *err)
{
    char text[PN_NUMBER_TEXT_BYTES];
    *is_bare = isfinite(value);
    if (isnan(value))
        return pn_buffer_append_text(out, "NaN", err);
    if (isinf(value))
        return pn_buffer_append_text(out, value > 0 ? "Infinity" : "-Infinity", err);
    if (value == 0) // "-0" would be read as an integer, which has no sign there
        return pn_buffer_append_text(out, signbit(value) ? "-0.0" : "0", err);
    if (as_float)
        pn_format_float((float)value, text);
    else
        pn_format_double(value, text);
    return pn_buffer_append_text(out, text, err);
}

static pn_status integer_to_text(int64_t value, pn_buffer *out, bool *is_bare, pn_error *err)
{
    *is_bare = true;
    return pn_buffer_append_format(out, err, "%" PRId64, value);
}

static pn_status date_to_text(int64_t days, int64_t plain, pn_buffer *out, bool *is_bare,
                              pn_error *err)
{
    char text[PN_CALENDAR_TEXT_BYTES];
    pn_calendar_format_date(days, text);
    if (strlen(text) != strlen("2024-03-17") || text[4] != '-')
        return integer_to_text(plain, out, is_bare, err);
    *is_bare = false;
    return pn_buffer_append_text(out, text, err);
}

static pn_status timestamp_to_text(int64_t value, pn_time_unit unit, pn_buffer *out, bool *is_bare,
                                   pn_error *err)
{
    char text[PN_CALENDAR_TEXT_BYTES];
    int64_t per = per_second(unit), seconds = value / per, part = value % per;
    if (part < 0) {
        part += per;
        seconds--;
    }
    if (seconds > INT64_MAX / 1000 || seconds < INT64_MIN / 1000)
        return integer_to_text(value, out, is_bare, err);
    pn_calendar_format_ms(seconds * 1000, text);
    size_t n = strlen(text);
    if (n != strlen("2024-03-17T09:05:00.000Z") || text[n - 1] != 'Z')
        return integer_to_text(value, out, is_bare, err);
    *is_bare = false;
    PN_TRY(pn_buffer_append(out, text, n - strlen(".000Z"), err));
    if (unit != PN_UNIT_SECOND)
        PN_TRY(pn_buffer_append_format(out, err, ".%0*" PRId64, 3 * (int)unit, part));
    return pn_buffer_append_text(out, "Z", err);
}

static pn_status string_to_text(const pn_array *array, size_t i, pn_buffer *out, pn_error *err)
{
    pn_str text = pn_array_bytes(array, i);
    if (!pn_str_is_utf8(text))
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": a text that is not UTF-8",
                       array->field->name);
    return pn_buffer_append(out, text.ptr, text.len, err);
}

static pn_status decimal_to_text(const pn_array *array, size_t i, pn_buffer *out, pn_error *err)
{
    char text[PN_DECIMAL_TEXT_BYTES];
    size_t width = pn_type_width(array->field);
    if (!pn_decimal_to_text((const uint8_t *)array->values + i * width, width, array->field->scale,
                            text))
        return pn_fail(err, PN_ERR_UNSUPPORTED, "column \"%s\": decimals of scale %d",
                       array->field->name, (int)array->field->scale);
    return pn_buffer_append_text(out, text, err);
}

pn_status pn_scalar_to_text(const pn_array *array, size_t i, pn_buffer *out, bool *is_bare,
                            pn_error *err)
{
    const pn_field *field = array->field;
    int64_t value;
    size_t width = pn_type_width(field);
    *is_bare = false;
    switch ((int)field->type) {
    case PN_TYPE_BOOL:
        *is_bare = true;
        return pn_buffer_append_text(out, pn_bit_get(array->values, i) ? "true" : "false", err);
    case PN_TYPE_UINT64:
        *is_bare = pn_array_u64(array, i) <= INT64_MAX;
        return pn_buffer_append_format(out, err, "%" PRIu64, pn_array_u64(array, i));
    case PN_TYPE_HALF:
    case PN_TYPE_FLOAT:
    case PN_TYPE_DOUBLE:
        return number_to_text(pn_array_double(array, i), field->type != PN_TYPE_DOUBLE, out,
                              is_bare, err);
    case PN_TYPE_STRING:
    case PN_TYPE_LARGE_STRING:
        return string_to_text(array, i, out, err);
    case PN_TYPE_BINARY:
    case PN_TYPE_LARGE_BINARY:
        return pn_base64_append((const uint8_t *)pn_array_bytes(array, i).ptr,
                                pn_array_bytes(array, i).len, out, err);
    case PN_TYPE_FIXED_SIZE_BINARY:
        return pn_base64_append((const uint8_t *)array->values + i * width, width, out, err);
    case PN_TYPE_DATE32:
        value = pn_array_i64(array, i);
        return date_to_text(value, value, out, is_bare, err);
    case PN_TYPE_DATE64:
        value = pn_array_i64(array, i);
        if (value % 86400000 != 0)
            return integer_to_text(value, out, is_bare, err);
        return date_to_text(value / 86400000, value, out, is_bare, err);
    case PN_TYPE_TIMESTAMP:
        return timestamp_to_text(pn_array_i64(array, i), field->unit, out, is_bare, err);
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
        return decimal_to_text(array, i, out, err);
    default:
        return integer_to_text(pn_array_i64(array, i), out, is_bare, err);
    }
}

/* ---- in ---- */

static pn_status refuse(const pn_field *field, pn_str text, const char *wanted, pn_error *err)
{
    pn_str shown = {text.ptr, PN_MIN(text.len, (size_t)MAX_SHOWN)};
    return pn_fail(err, PN_ERR_INVALID, "column \"%s\": \"" PN_STR_FORMAT "\"%s is not %s",
                   field->name, PN_STR_ARG(shown), text.len > MAX_SHOWN ? "..." : "", wanted);
}

static pn_status number_from_text(pn_builder *builder, const pn_field *field, pn_str text,
                                  pn_error *err)
{
    double value;
    if (pn_str_is(text, "NaN"))
        value = (double)NAN;
    else if (pn_str_is(text, "Infinity") || pn_str_is(text, "-Infinity"))
        value = text.ptr[0] == '-' ? -(double)INFINITY : (double)INFINITY;
    else if (!pn_str_to_double(text, &value))
        return refuse(field, text, "a number", err);
    return pn_builder_append_double(builder, value, err);
}

static pn_status bytes_from_text(pn_builder *builder, const pn_field *field, pn_str text,
                                 pn_error *err)
{
    pn_arena arena;
    uint8_t *bytes = NULL;
    size_t n = 0;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = text.len > 0 ? pn_base64_decode(text, &arena, &bytes, &n, err) : PN_OK;
    if (status == PN_ERR_INVALID)
        status = pn_fail_wrap(err, status, "column \"%s\": ", field->name);
    if (status == PN_OK)
        status = pn_builder_append_bytes(builder, bytes, n, err);
    pn_arena_reset(&arena);
    return status;
}

/* Moves the digits behind the seconds out of a text that fits into copy; as a fraction of per. */
static bool split_fraction(pn_str text, int64_t per, char *copy, size_t room, int64_t *part)
{
    const char *point = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
    size_t head = point ? (size_t)(point - text.ptr) : text.len;
    size_t at = point ? head + 1 : head;
    *part = 0;
    if (text.len >= room)
        return false;
    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++) {
        per /= 10;
        *part += per * (text.ptr[at] - '0'); // digits beyond the unit count nothing
    }
    memcpy(copy, text.ptr, head);
    memcpy(copy + head, text.ptr + at, text.len - at);
    copy[head + text.len - at] = '\0';
    return !point || at > head + 1;
}

static pn_status timestamp_from_text(pn_builder *builder, const pn_field *field, pn_str text,
                                     pn_error *err)
{
    char copy[64];
    int64_t value, ms, part, seconds, per = per_second(field->unit);
    if (pn_str_to_i64(text, &value))
        return pn_builder_append_i64(builder, value, err);
    if (!split_fraction(text, per, copy, sizeof copy, &part) ||
        !pn_calendar_parse_ms(pn_str_of(copy), &ms))
        return refuse(field, text, "a time such as 2024-03-17T09:05:00Z", err);
    seconds = ms / 1000;
    if (seconds < 0 && part > 0) { // the product alone may be below what 64 bits hold
        seconds++;
        part -= per;
    }
    if (!pn_i64_multiply(seconds, per, &value) || !pn_i64_add(value, part, &value))
        return refuse(field, text, "a time that the column's unit can hold", err);
    return pn_builder_append_i64(builder, value, err);
}

static pn_status date_from_text(pn_builder *builder, const pn_field *field, pn_str text,
                                pn_error *err)
{
    int64_t value;
    if (pn_str_to_i64(text, &value))
        return pn_builder_append_i64(builder, value, err);
    if (!pn_calendar_parse_ms(text, &value) || value % 86400000 != 0)
        return refuse(field, text, "a date such as 2024-03-17", err);
    return pn_builder_append_i64(builder, field->type == PN_TYPE_DATE32 ? value / 86400000 : value,
                                 err);
}

static pn_status decimal_from_text(pn_builder *builder, const pn_field *field, pn_str text,
                                   pn_error *err)
{
    uint8_t bytes[PN_DECIMAL_MAX_BYTES];
    size_t width = pn_type_width(field);
    if (!pn_decimal_from_text(text, field->precision, field->scale, bytes, width))
        return refuse(field, text, "a decimal number that the column can hold", err);
    return pn_builder_append_bytes(builder, bytes, width, err);
}

pn_status pn_scalar_from_text(pn_builder *builder, const pn_field *field, pn_str text,
                              pn_error *err)
{
    int64_t value;
    uint64_t large;
    switch ((int)field->type) {
    case PN_TYPE_BOOL:
        if (!pn_str_is(text, "true") && !pn_str_is(text, "false"))
            return refuse(field, text, "true or false", err);
        return pn_builder_append_i64(builder, pn_str_is(text, "true"), err);
    case PN_TYPE_HALF:
    case PN_TYPE_FLOAT:
    case PN_TYPE_DOUBLE:
        return number_from_text(builder, field, text, err);
    case PN_TYPE_STRING:
    case PN_TYPE_LARGE_STRING:
        if (!pn_str_is_utf8(text))
            return pn_fail(err, PN_ERR_INVALID, "column \"%s\": a text that is not UTF-8",
                           field->name);
        return pn_builder_append_bytes(builder, text.ptr, text.len, err);
    case PN_TYPE_BINARY:
    case PN_TYPE_LARGE_BINARY:
    case PN_TYPE_FIXED_SIZE_BINARY:
        return bytes_from_text(builder, field, text, err);
    case PN_TYPE_DATE32:
    case PN_TYPE_DATE64:
        return date_from_text(builder, field, text, err);
    case PN_TYPE_TIMESTAMP:
        return timestamp_from_text(builder, field, text, err);
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
        return decimal_from_text(builder, field, text, err);
    case PN_TYPE_UINT64:
        if (!pn_str_to_u64(text, &large))
            return refuse(field, text, "a whole number", err);
        return pn_builder_append_u64(builder, large, err);
    default:
        if (!pn_str_to_i64(text, &value))
            return refuse(field, text, "a whole number", err);
        return pn_builder_append_i64(builder, value, err);
    }
}

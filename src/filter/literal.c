/*
 * literal.c - what the words of a filter mean as values
 *
 * Times are read by the calendar of column/, which knows milliseconds; the digits beyond them are read here, so that a
 * column of microseconds can be compared exactly. A timestamp keeps the coarsest unit that holds it: the range of
 * nanoseconds ends in 2262, the range of milliseconds never does.
 */
#include "filter/literal.h"

#include "column/calendar.h"

#include <utf8proc.h>

static const int64_t MS_PER_DAY = 86400000;

bool pn_literal_number(pn_str text, pn_value *out)
{
    uint64_t integer;
    if (memchr(text.ptr, '.', text.len) || memchr(text.ptr, 'e', text.len) ||
        memchr(text.ptr, 'E', text.len)) {
        double real;
        if (!pn_str_to_double(text, &real))
            return false;
        *out = (pn_value){.kind = PN_KIND_DOUBLE, .f = real};
        return true;
    }
    if (!pn_str_to_u64(text, &integer))
        return false;
    if (integer <= INT64_MAX)
        *out = (pn_value){.kind = PN_KIND_INT, .i = (int64_t)integer};
    else
        *out = (pn_value){.kind = PN_KIND_UINT, .u = integer};
    return true;
}

bool pn_literal_negate(pn_value *value)
{
    if (value->kind == PN_KIND_DOUBLE) {
        value->f = -value->f;
        return true;
    }
    if (value->kind == PN_KIND_INT) {
        if (value->i == INT64_MIN)
            *value = (pn_value){.kind = PN_KIND_UINT, .u = (uint64_t)INT64_MAX + 1};
        else
            value->i = -value->i;
        return true;
    }
    if (value->kind != PN_KIND_UINT || value->u != (uint64_t)INT64_MAX + 1)
        return false;
    *value = (pn_value){.kind = PN_KIND_INT, .i = INT64_MIN};
    return true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool pn_literal_date(pn_str text, pn_value *out)
{
    int64_t ms;
    if (!pn_calendar_parse_ms(text, &ms))
        return false;
    *out = (pn_value){.kind = PN_KIND_DATE, .i = floor_div(ms, MS_PER_DAY)};
    return true;
}

/* The nanoseconds that the digits of the fraction after the third stand for. */
static int64_t beyond_ms(pn_str text)
{
    const char *point = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
    int64_t ns = 0, scale = 100000000;
    if (!point)
        return 0;
    for (const char *c = point + 1; c < text.ptr + text.len && *c >= '0' && *c <= '9'; c++) {
        if (scale < 1000000)
            ns += (*c - '0') * scale;
        scale /= 10;
    }
    return ns;
}

bool pn_literal_time(pn_str text, pn_value *out)
{
    int64_t ms, value;
    if (!pn_calendar_parse_ms(text, &ms))
        return false;
    int64_t ns = beyond_ms(text);
    pn_value time = {.kind = PN_KIND_TIME, .unit = PN_UNIT_MILLI, .i = ms};
    if (ns % 1000 != 0) {
        if (!pn_time_convert(ms, PN_UNIT_MILLI, PN_UNIT_NANO, &value) || value > INT64_MAX - ns)
            return false;
        time.unit = PN_UNIT_NANO;
        time.i = value + ns;
    } else if (ns != 0) {
        time.unit = PN_UNIT_MICRO;
        time.i = ms * 1000 + ns / 1000; // the calendar ends in the year 9999: this fits
    }
    *out = time;
    return true;
}

bool pn_literal_hex(pn_str text, char *out)
{
    if (text.len % 2 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = pn_hex_digit(text.ptr[i]), low = pn_hex_digit(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (char)(high * 16 + low);
    }
    return true;
}

bool pn_literal_is_one_character(pn_str text)
{
    utf8proc_int32_t c;
    return text.len > 0 &&
           utf8proc_iterate((const utf8proc_uint8_t *)text.ptr, (utf8proc_ssize_t)text.len, &c) ==
               (utf8proc_ssize_t)text.len;
}

/* The first name of each type is the one that is printed. */
static const struct {
    const char *name;
    pn_type_id type;
} type_names[] = {
    {"boolean", PN_TYPE_BOOL},
    {"bool", PN_TYPE_BOOL},
    {"tinyint", PN_TYPE_INT8},
    {"int8", PN_TYPE_INT8},
    {"smallint", PN_TYPE_INT16},
    {"int16", PN_TYPE_INT16},
    {"int", PN_TYPE_INT32},
    {"integer", PN_TYPE_INT32},
    {"int32", PN_TYPE_INT32},
    {"int4", PN_TYPE_INT32},
    {"bigint", PN_TYPE_INT64},
    {"int64", PN_TYPE_INT64},
    {"long", PN_TYPE_INT64},
    {"uint8", PN_TYPE_UINT8},
    {"uint16", PN_TYPE_UINT16},
    {"uint32", PN_TYPE_UINT32},
    {"uint64", PN_TYPE_UINT64},
    {"float", PN_TYPE_FLOAT},
    {"real", PN_TYPE_FLOAT},
    {"float32", PN_TYPE_FLOAT},
    {"float4", PN_TYPE_FLOAT},
    {"double", PN_TYPE_DOUBLE},
    {"float64", PN_TYPE_DOUBLE},
    {"float8", PN_TYPE_DOUBLE},
    {"text", PN_TYPE_STRING},
    {"string", PN_TYPE_STRING},
    {"varchar", PN_TYPE_STRING},
    {"char", PN_TYPE_STRING},
    {"utf8", PN_TYPE_STRING},
    {"date", PN_TYPE_DATE32},
    {"date32", PN_TYPE_DATE32},
    {"timestamp", PN_TYPE_TIMESTAMP},
    {"datetime", PN_TYPE_TIMESTAMP},
    {"decimal", PN_TYPE_DECIMAL128},
    {"numeric", PN_TYPE_DECIMAL128},
    {"decimal128", PN_TYPE_DECIMAL128},
    {"decimal256", PN_TYPE_DECIMAL128},
};

bool pn_literal_type(pn_str name, pn_type_id *out)
{
    for (size_t i = 0; i < PN_COUNT_OF(type_names); i++)
        if (pn_str_equal_ignore_case(name, pn_str_of(type_names[i].name))) {
            *out = type_names[i].type;
            return true;
        }
    return false;
}

const char *pn_literal_type_name(pn_type_id type)
{
    for (size_t i = 0; i < PN_COUNT_OF(type_names); i++)
        if (type_names[i].type == type)
            return type_names[i].name;
    return "unknown";
}

bool pn_time_convert(int64_t value, pn_time_unit from, pn_time_unit to, int64_t *out)
{
    for (; from < to; from++) {
        if (value > INT64_MAX / 1000 || value < INT64_MIN / 1000)
            return false;
        value *= 1000;
    }
    for (; from > to; from--) {
        if (value % 1000 != 0)
            return false;
        value /= 1000;
    }
    *out = value;
    return true;
}

const char *pn_kind_text(pn_kind kind)
{
    static const char *const names[] = {
        [PN_KIND_NULL] = "NULL",
        [PN_KIND_BOOL] = "a boolean",
        [PN_KIND_INT] = "a number",
        [PN_KIND_UINT] = "a number",
        [PN_KIND_DOUBLE] = "a number",
        [PN_KIND_TEXT] = "a text",
        [PN_KIND_BYTES] = "bytes",
        [PN_KIND_DATE] = "a date",
        [PN_KIND_TIME] = "a timestamp",
        [PN_KIND_LIST] = "a list",
        [PN_KIND_MAP] = "a map",
        [PN_KIND_STRUCT] = "a struct",
        [PN_KIND_OTHER] = "of a type that filters cannot compare",
    };
    return names[kind];
}

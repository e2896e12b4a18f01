/*
 * cast.c - one value as another type
 *
 * A double becomes an integer by dropping its fraction; a value that does not fit its new type fails, and whether that is
 * an error (CAST) or NULL (TRY_CAST) is the caller's business. Text is read without white space around it. Timestamps
 * read from text are microseconds: one unit for the whole column, six digits of fraction, all years of the calendar.
 */
#include "filter/literal.h"
#include "filter/vec.h"

#include "column/calendar.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const int64_t MS_PER_DAY = 86400000;

pn_kind pn_cast_kind(pn_type_id type)
{
    pn_field field = {.type = type};
    return pn_field_kind(&field);
}

pn_time_unit pn_cast_unit(pn_kind from, pn_time_unit from_unit)
{
    if (from == PN_KIND_TIME)
        return from_unit;
    return from == PN_KIND_DATE ? PN_UNIT_SECOND : PN_UNIT_MICRO;
}

bool pn_cast_is_possible(pn_kind from, pn_type_id type)
{
    bool is_number = from == PN_KIND_INT || from == PN_KIND_UINT || from == PN_KIND_DOUBLE;
    bool is_time = from == PN_KIND_DATE || from == PN_KIND_TIME;
    if (from == PN_KIND_NULL || from == PN_KIND_TEXT)
        return true;
    if (type == PN_TYPE_DATE32 || type == PN_TYPE_TIMESTAMP)
        return is_time;
    if (type == PN_TYPE_STRING)
        return is_number || is_time || from == PN_KIND_BOOL;
    return is_number || from == PN_KIND_BOOL;
}

static bool to_bool(const pn_value *in, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"t", true},  {"f", false}, {"yes", true},
                 {"no", false},  {"1", true},      {"0", false}, {"on", true}, {"off", false}};
    if (in->kind != PN_KIND_TEXT) {
        *out = in->kind == PN_KIND_BOOL     ? in->b
               : in->kind == PN_KIND_DOUBLE ? in->f != 0
                                            : in->i != 0;
        return true;
    }
    for (size_t i = 0; i < PN_COUNT_OF(words); i++)
        if (pn_str_equal_ignore_case(pn_str_trim(in->text), pn_str_of(words[i].word))) {
            *out = words[i].value;
            return true;
        }
    return false;
}

static bool to_double(const pn_value *in, double *out)
{
    if (in->kind == PN_KIND_TEXT)
        return pn_str_to_double(pn_str_trim(in->text), out);
    *out = in->kind == PN_KIND_BOOL   ? (double)in->b
           : in->kind == PN_KIND_INT  ? (double)in->i
           : in->kind == PN_KIND_UINT ? (double)in->u
                                      : in->f;
    return true;
}

static bool double_to_integer(double f, pn_value *out)
{
    // cppcheck-suppress incorrectLogicOperator ; 2.10 does not read hexadecimal floats
    if (!(f >= -0x1p63 && f < 0x1p64)) // NaN, too
        return false;
    if (f < 0x1p63)
        *out = (pn_value){.kind = PN_KIND_INT, .i = (int64_t)f};
    else
        *out = (pn_value){.kind = PN_KIND_UINT, .u = (uint64_t)f};
    return true;
}

static bool text_to_integer(pn_str text, pn_value *out)
{
    *out = (pn_value){.kind = PN_KIND_INT};
    if (pn_str_to_i64(text, &out->i))
        return true;
    out->kind = PN_KIND_UINT;
    return pn_str_to_u64(text, &out->u);
}

/* As INT, or as UINT when it is above INT64_MAX. */
static bool to_integer(const pn_value *in, pn_value *out)
{
    if (in->kind == PN_KIND_DOUBLE)
        return double_to_integer(in->f, out);
    if (in->kind == PN_KIND_TEXT)
        return text_to_integer(pn_str_trim(in->text), out);
    *out = *in;
    if (in->kind == PN_KIND_BOOL)
        *out = (pn_value){.kind = PN_KIND_INT, .i = in->b};
    else if (in->kind == PN_KIND_UINT && in->u <= INT64_MAX)
        out->kind = PN_KIND_INT;
    return true;
}

static bool to_int_type(const pn_value *in, pn_type_id type, pn_value *out)
{
    static const struct {
        int64_t least, most;
    } ranges[] = {
        [PN_TYPE_INT8] = {INT8_MIN, INT8_MAX},    [PN_TYPE_INT16] = {INT16_MIN, INT16_MAX},
        [PN_TYPE_INT32] = {INT32_MIN, INT32_MAX}, [PN_TYPE_INT64] = {INT64_MIN, INT64_MAX},
        [PN_TYPE_UINT8] = {0, UINT8_MAX},         [PN_TYPE_UINT16] = {0, UINT16_MAX},
        [PN_TYPE_UINT32] = {0, UINT32_MAX},
    };
    pn_value integer;
    if (!to_integer(in, &integer))
        return false;
    if (type == PN_TYPE_UINT64) {
        if (integer.kind == PN_KIND_INT && integer.i < 0)
            return false;
        integer.kind = PN_KIND_UINT;
        *out = integer;
        return true;
    }
    if (integer.kind == PN_KIND_UINT || integer.i < ranges[type].least ||
        integer.i > ranges[type].most)
        return false;
    *out = integer;
    return true;
}

/* Milliseconds of a date or timestamp, rounded down. */
static int64_t milliseconds(const pn_value *in)
{
    if (in->kind == PN_KIND_DATE)
        return in->i * MS_PER_DAY; // a day number has 32 bits
    return pn_calendar_to_ms(in->i, in->unit);
}

static bool to_text(const pn_value *in, pn_arena *arena, pn_str *out, bool *out_of_memory)
{
    char text[PN_CALENDAR_TEXT_BYTES + PN_NUMBER_TEXT_BYTES];
    if (in->kind == PN_KIND_TEXT || in->kind == PN_KIND_BOOL) {
        *out = in->kind == PN_KIND_TEXT ? in->text : pn_str_of(in->b ? "true" : "false");
        return true;
    }
    if (in->kind == PN_KIND_INT)
        (void)snprintf(text, sizeof text, "%" PRId64, in->i); // 20 characters at most
    else if (in->kind == PN_KIND_UINT)
        (void)snprintf(text, sizeof text, "%" PRIu64, in->u);
    else if (in->kind == PN_KIND_DOUBLE)
        pn_format_double(in->f, text);
    else if (in->kind == PN_KIND_DATE)
        pn_calendar_format_date(in->i, text);
    else
        pn_calendar_format_ms(milliseconds(in), text);
    char *copy = pn_arena_strdup(arena, text);
    *out_of_memory = !copy;
    *out = pn_str_of(copy);
    return copy != NULL;
}

static bool to_date(const pn_value *in, pn_value *out)
{
    if (in->kind == PN_KIND_TEXT)
        return pn_literal_date(pn_str_trim(in->text), out);
    int64_t ms = milliseconds(in);
    *out = (pn_value){.kind = PN_KIND_DATE, .i = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0)};
    if (in->kind == PN_KIND_DATE)
        out->i = in->i;
    return true;
}

static bool to_time(const pn_value *in, pn_value *out)
{
    pn_value time = *in;
    if (in->kind == PN_KIND_TEXT) {
        if (!pn_literal_time(pn_str_trim(in->text), &time))
            return false;
        if (time.unit == PN_UNIT_NANO)
            time.i = time.i / 1000 - (time.i % 1000 < 0);
        else if (time.unit == PN_UNIT_MILLI)
            time.i *= 1000; // the calendar ends in the year 9999: this fits
        time.unit = PN_UNIT_MICRO;
    } else if (in->kind == PN_KIND_DATE) {
        if (in->i > INT32_MAX || in->i < INT32_MIN)
            return false;
        time = (pn_value){.kind = PN_KIND_TIME, .unit = PN_UNIT_SECOND, .i = in->i * 86400};
    }
    *out = time;
    return true;
}

bool pn_value_cast(const pn_value *in, pn_type_id type, pn_arena *arena, pn_value *out,
                   bool *out_of_memory)
{
    pn_value result = {.kind = pn_cast_kind(type)};
    *out_of_memory = false;
    bool fits;
    if (type == PN_TYPE_BOOL)
        fits = to_bool(in, &result.b);
    else if (type == PN_TYPE_FLOAT || type == PN_TYPE_DOUBLE)
        fits = to_double(in, &result.f);
    else if (type == PN_TYPE_STRING)
        fits = to_text(in, arena, &result.text, out_of_memory);
    else if (type == PN_TYPE_DATE32)
        fits = to_date(in, &result);
    else if (type == PN_TYPE_TIMESTAMP)
        fits = to_time(in, &result);
    else
        fits = to_int_type(in, type, &result);
    if (fits && type == PN_TYPE_FLOAT)
        result.f = (double)(float)result.f;
    if (fits)
        *out = result;
    return fits;
}

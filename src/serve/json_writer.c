/*
 * json_writer.c - JSON out
 *
 * jansson could print a tree, but a tree of 10,000 rows with 512 floats each is five million small allocations
 * that live for one print, and it refuses texts that are not UTF-8, which tables of other programs may hold. An
 * answer is written once, from front to back, so a buffer and one bit (is a comma due?) are all the state there is.
 *
 * The comma rule: whatever is a value or a key puts one in front when the last thing written at this level was a
 * value; opening brackets and keys say "no comma next", everything else says "comma next".
 *
 * Texts are copied in runs: the escape table names the bytes that end a run (quote, backslash, controls and
 * everything above ASCII, which has to be looked at as UTF-8).
 */
#include "serve/json_writer.h"

#include <inttypes.h>
#include <math.h>

#include "base/str.h"

static void put(pn_json_writer *json, const void *bytes, size_t n)
{
    if (json->status == PN_OK)
        json->status = pn_buffer_append(json->out, bytes, n, &json->err);
}

static void before_value(pn_json_writer *json)
{
    if (json->needs_comma)
        put(json, ",", 1);
    json->needs_comma = true;
}

static void put_value(pn_json_writer *json, const char *text)
{
    before_value(json);
    put(json, text, strlen(text));
}

void pn_json_begin(pn_json_writer *json, pn_buffer *out)
{
    *json = (pn_json_writer){.out = out};
}

pn_status pn_json_end(pn_json_writer *json, pn_error *err)
{
    if (json->status != PN_OK)
        return pn_fail(err, json->status, "the answer: %s", json->err.message);
    pn_assert(json->depth == 0);
    return PN_OK;
}

void pn_json_open(pn_json_writer *json, char bracket)
{
    pn_assert(bracket == '{' || bracket == '[');
    before_value(json);
    put(json, &bracket, 1);
    json->needs_comma = false;
    json->depth++;
}

void pn_json_close(pn_json_writer *json, char bracket)
{
    pn_assert(bracket == '}' || bracket == ']');
    pn_assert(json->depth > 0);
    json->depth--;
    put(json, &bracket, 1);
    json->needs_comma = true;
}

void pn_json_key(pn_json_writer *json, const char *key)
{
    pn_json_text(json, key);
    put(json, ":", 1);
    json->needs_comma = false;
}

/* How many bytes the well-formed UTF-8 sequence at text takes (2 to 4), or 0. Not for ASCII. The ranges of the second
 * byte are Unicode's table 3-7: they keep out overlong forms, surrogates and what lies beyond U+10FFFF. */
static size_t utf8_sequence(const unsigned char *text, size_t n)
{
    unsigned char lead = text[0];
    unsigned char low = 0x80, high = 0xBF;
    size_t length;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        low = lead == 0xE0 ? 0xA0 : low;
        high = lead == 0xED ? 0x9F : high;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        low = lead == 0xF0 ? 0x90 : low;
        high = lead == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (n < length || text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (text[i] < 0x80 || text[i] > 0xBF)
            return 0;
    return length;
}

static void put_escape(pn_json_writer *json, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    const char *short_form = NULL;
    switch (c) {
    case '"':
        short_form = "\\\"";
        break;
    case '\\':
        short_form = "\\\\";
        break;
    case '\n':
        short_form = "\\n";
        break;
    case '\r':
        short_form = "\\r";
        break;
    case '\t':
        short_form = "\\t";
        break;
    default:
        break;
    }
    if (short_form)
        put(json, short_form, 2);
    else
        put(json, text, sizeof text);
}

void pn_json_text_n(pn_json_writer *json, const char *text, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t run = 0; /* first byte not yet written */
    before_value(json);
    put(json, "\"", 1);
    for (size_t i = 0; i < n;) {
        unsigned char c = bytes[i];
        size_t length = c < 0x80 ? 1 : utf8_sequence(bytes + i, n - i);
        if (length > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
            i += length;
            continue;
        }
        put(json, bytes + run, i - run);
        if (length == 0)
            put(json, "\xEF\xBF\xBD", 3); /* U+FFFD */
        else
            put_escape(json, c);
        run = ++i;
    }
    put(json, bytes + run, n - run);
    put(json, "\"", 1);
}

void pn_json_text(pn_json_writer *json, const char *text)
{
    if (text)
        pn_json_text_n(json, text, strlen(text));
    else
        pn_json_null(json);
}

void pn_json_i64(pn_json_writer *json, int64_t value)
{
    before_value(json);
    if (json->status == PN_OK)
        json->status = pn_buffer_append_format(json->out, &json->err, "%" PRId64, value);
}

void pn_json_u64(pn_json_writer *json, uint64_t value)
{
    before_value(json);
    if (json->status == PN_OK)
        json->status = pn_buffer_append_format(json->out, &json->err, "%" PRIu64, value);
}

void pn_json_double(pn_json_writer *json, double value)
{
    char text[PN_NUMBER_TEXT_BYTES];
    if (!isfinite(value)) {
        pn_json_null(json);
        return;
    }
    pn_format_double(value, text);
    put_value(json, text);
}

void pn_json_float(pn_json_writer *json, float value)
{
    char text[PN_NUMBER_TEXT_BYTES];
    if (!isfinite(value)) {
        pn_json_null(json);
        return;
    }
    pn_format_float(value, text);
    put_value(json, text);
}

void pn_json_bool(pn_json_writer *json, bool value)
{
    put_value(json, value ? "true" : "false");
}

void pn_json_null(pn_json_writer *json)
{
    put_value(json, "null");
}

void pn_json_raw(pn_json_writer *json, const char *text)
{
    put_value(json, text);
}

/* Days since 1970 -> year, month, day of the proleptic Gregorian calendar, counting years from March so that the
 * leap day is the last of its year (Hinnant, "chrono-compatible low-level date algorithms"). */
static void civil_of_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468; /* from 0000-03-01 */
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned day_of_era = (unsigned)(z - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

void pn_json_time_ms(pn_json_writer *json, int64_t ms_since_1970)
{
    const int64_t day_ms = 86400000;
    const int64_t year_0_ms = -719528 * day_ms;
    const int64_t year_10000_ms = 2932897 * day_ms;
    if (ms_since_1970 < year_0_ms || ms_since_1970 >= year_10000_ms) {
        pn_json_null(json);
        return;
    }
    int64_t days = ms_since_1970 / day_ms - (ms_since_1970 % day_ms < 0);
    unsigned ms = (unsigned)(ms_since_1970 - days * day_ms);
    int64_t year;
    unsigned month, day;
    civil_of_days(days, &year, &month, &day);
    before_value(json);
    if (json->status == PN_OK)
        json->status = pn_buffer_append_format(
            json->out, &json->err, "\"%04" PRId64 "-%02u-%02uT%02u:%02u:%02u.%03uZ\"", year, month,
            day, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

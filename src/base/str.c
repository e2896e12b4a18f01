/*
 * str.c - text without the locale
 *
 * strtod and printf follow the process's locale, and a library must not change that. Numbers are therefore
 * converted under newlocale("C") with the _l functions, or checked after formatting for the one character that
 * can differ.
 */
#include "base/str.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

int pn_str_compare(pn_str a, pn_str b)
{
    size_t n = PN_MIN(a.len, b.len);
    int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

static char lower_ascii(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool pn_str_equal_ignore_case(pn_str a, pn_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower_ascii(a.ptr[i]) != lower_ascii(b.ptr[i]))
            return false;
    return true;
}

bool pn_str_starts_with(pn_str text, const char *prefix)
{
    size_t n = strlen(prefix);
    return n == 0 || (text.len >= n && memcmp(text.ptr, prefix, n) == 0);
}

bool pn_str_ends_with(pn_str text, const char *suffix)
{
    size_t n = strlen(suffix);
    return n == 0 || (text.len >= n && memcmp(text.ptr + text.len - n, suffix, n) == 0);
}

size_t pn_str_count(pn_str text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == c;
    return n;
}

int pn_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

pn_str pn_str_trim(pn_str text)
{
    while (text.len > 0 && is_space(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

pn_str pn_str_split(pn_str *rest, char separator)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    pn_str part = *rest;
    if (!end) {
        *rest = (pn_str){NULL, 0};
        return part;
    }
    part.len = (size_t)(end - part.ptr);
    rest->ptr = end + 1;
    rest->len -= part.len + 1;
    return part;
}

bool pn_str_to_u64(pn_str text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        if (!pn_u64_mul(value, 10, &value) ||
            !pn_u64_add(value, (uint64_t)(text.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool pn_str_to_i64(pn_str text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        text.ptr++;
        text.len--;
    }
    uint64_t magnitude;
    if (!pn_str_to_u64(text, &magnitude) || magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    pn_assert(c_locale != (locale_t)0);
}

bool pn_str_to_double(pn_str text, double *out)
{
    char copy[128];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", text.ptr[i]) || text.ptr[i] == '\0')
            return false; // no hexadecimal, no "inf", no "nan"
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    pthread_once(&c_locale_once, make_c_locale);
    char *end;
    locale_t previous = uselocale(c_locale);
    double value = strtod(copy, &end);
    uselocale(previous);
    if (end != copy + text.len || !isfinite(value))
        return false;
    *out = value;
    return true;
}

/* The fewest of least..most significant digits that read back as value. 15 digits (a float: 6) always survive, and %g drops their
 * trailing zeros; only subnormal numbers, which have fewer, need the search from 1. */
static void format_shortest(double value, int least, int most, bool as_float,
                            char out[PN_NUMBER_TEXT_BYTES])
{
    pthread_once(&c_locale_once, make_c_locale);
    locale_t previous = uselocale(c_locale);
    for (int digits = least; digits <= most; digits++) {
        (void)snprintf(out, PN_NUMBER_TEXT_BYTES, "%.*g", digits, value); // 24 characters at most
        if (as_float ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value)
            break;
    }
    uselocale(previous);
}

void pn_format_double(double value, char out[PN_NUMBER_TEXT_BYTES])
{
    format_shortest(value, fabs(value) < DBL_MIN ? 1 : 15, 17, false, out);
}

void pn_format_float(float value, char out[PN_NUMBER_TEXT_BYTES])
{
    format_shortest((double)value, fabsf(value) < FLT_MIN ? 1 : 6, 9, true, out);
}

void pn_text_trim_partial(char *text)
{
    size_t n = strlen(text);
    size_t start = n;
    while (start > 0 && n - start < 4 && ((unsigned char)text[start - 1] & 0xC0u) == 0x80u)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xF0u ? 4 : lead >= 0xE0u ? 3 : lead >= 0xC0u ? 2 : 1;
    if (n - start + 1 < wanted)
        text[start - 1] = '\0';
}

/* How many bytes at the beginning are ASCII for certain: eight at a time. */
static size_t count_ascii(const uint8_t *bytes, size_t n)
{
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= n; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    return i;
}

bool pn_str_is_utf8(pn_str text)
{
    const uint8_t *bytes = (const uint8_t *)text.ptr;
    size_t at = count_ascii(bytes, text.len);
    while (at < text.len) {
        utf8proc_int32_t code_point;
        utf8proc_ssize_t n =
            utf8proc_iterate(bytes + at, (utf8proc_ssize_t)(text.len - at), &code_point);
        if (n <= 0)
            return false;
        at += (size_t)n;
        at += count_ascii(bytes + at, text.len - at);
    }
    return true;
}

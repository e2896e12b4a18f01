/*
 * html_unescape.c - &amp; and its two thousand relatives
 *
 * The rules of Python's html.unescape(): a named reference is looked up whole; if that fails, its longest known beginning
 * counts (&notit; is the sign "not" and "it;"). Numbers of 128 to 159 mean Windows-1252, as browsers read them; those
 * that stand for no character vanish or become U+FFFD.
 * Source: HTML standard, 13.5 named character references, 13.2.5.80 numeric character reference end state.
 */
#include "clip/text_clean.h"

#include <stdlib.h>
#include <utf8proc.h>

static const struct {
    const char *name, *text;
} entities[] = {
#include "clip/html_entities.inc"
};

static const uint16_t windows_1252[32] = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

uint32_t pn_windows_1252(uint32_t byte)
{
    return windows_1252[byte - 0x80];
}

static const char *find_entity(pn_str name)
{
    size_t low = 0, high = PN_COUNT_OF(entities);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pn_str_compare(pn_str_of(entities[middle].name), name);
        if (order == 0)
            return entities[middle].text;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static pn_status append_code_point(uint32_t c, pn_buffer *out, pn_error *err)
{
    uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    return pn_buffer_append(out, bytes, (size_t)n, err);
}

static pn_status append_number(uint64_t c, pn_buffer *out, pn_error *err)
{
    if (c == 0 || (c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF)
        return append_code_point(0xFFFD, out, err);
    if (c >= 0x80 && c <= 0x9F)
        return append_code_point(windows_1252[c - 0x80], out, err);
    bool nothing = (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7F ||
                   (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
    return nothing ? PN_OK : append_code_point((uint32_t)c, out, err);
}

static int digit_of(char c, int base)
{
    int digit = pn_hex_digit(c);
    return digit < base ? digit : -1;
}

/* "#123;" or "#x1F;" behind the ampersand; *used 0 when it is none. */
static pn_status numeric(pn_str text, pn_buffer *out, size_t *used, pn_error *err)
{
    int base = text.len > 1 && (text.ptr[1] == 'x' || text.ptr[1] == 'X') ? 16 : 10;
    size_t at = base == 16 ? 2 : 1, first = at;
    uint64_t value = 0;
    for (; at < text.len && digit_of(text.ptr[at], base) >= 0; at++)
        value = PN_MIN(value * (uint64_t)base + (uint64_t)digit_of(text.ptr[at], base),
                       (uint64_t)0x110000);
    *used = 0;
    if (at == first)
        return PN_OK;
    *used = at < text.len && text.ptr[at] == ';' ? at + 1 : at;
    return append_number(value, out, err);
}

/* Characters that may stand in a name, as Python's pattern has it: up to 32 that are none of these. */
static size_t name_length(pn_str text)
{
    size_t n = 0;
    while (n < text.len && n < 32 && !strchr("\t\n\f <&#;", text.ptr[n]) && text.ptr[n] != '\0')
        n++;
    return n < text.len && n > 0 && text.ptr[n] == ';' ? n + 1 : n;
}

static pn_status named(pn_str text, pn_buffer *out, size_t *used, pn_error *err)
{
    for (size_t n = name_length(text); n > 1; n--) {
        const char *found = find_entity((pn_str){text.ptr, n});
        if (found) {
            *used = n;
            return pn_buffer_append_text(out, found, err);
        }
    }
    *used = 0;
    return PN_OK;
}

pn_status pn_html_unescape(pn_str text, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < text.len;) {
        const char *amp = memchr(text.ptr + i, '&', text.len - i);
        size_t plain = amp ? (size_t)(amp - text.ptr) - i : text.len - i;
        PN_TRY(pn_buffer_append(out, text.ptr + i, plain, err));
        i += plain;
        if (!amp)
            break;
        pn_str rest = {text.ptr + i + 1, text.len - i - 1};
        size_t used = 0;
        if (rest.len > 0 && rest.ptr[0] == '#')
            PN_TRY(numeric(rest, out, &used, err));
        else
            PN_TRY(named(rest, out, &used, err));
        if (used == 0)
            PN_TRY(pn_buffer_append(out, "&", 1, err));
        i += 1 + used;
    }
    return PN_OK;
}

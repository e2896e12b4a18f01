/*
 * base64.c - bytes inside JSON
 *
 * Four characters of 6 bits make three bytes. Writers differ in three ways that carry no doubt about the meaning:
 * the last two letters of the alphabet (+/ or -_), the padding, and line breaks; all are taken. What is refused:
 * any other character, anything after padding, a single left-over character (6 bits cannot be a byte), and left-over
 * bits that are not zero (two texts for the same bytes would defeat caches that go by text).
 */
#include "base/base64.h"

enum { WRONG = 255, SPACE = 254, PAD = 253 };

static uint8_t value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
        return SPACE;
    return c == '=' ? PAD : WRONG;
}

/* "data:image/png;base64,AAAA" -> "AAAA". The part before the comma is short in every real one. */
static pn_str without_data_prefix(pn_str text)
{
    if (!pn_str_starts_with(text, "data:"))
        return text;
    size_t look = PN_MIN(text.len, (size_t)256);
    const char *comma = memchr(text.ptr, ',', look);
    if (!comma)
        return text;
    size_t skipped = (size_t)(comma - text.ptr) + 1;
    return pn_str_make(text.ptr + skipped, text.len - skipped);
}

pn_status pn_base64_decode(pn_str text, pn_arena *arena, uint8_t **out, size_t *n_bytes,
                           pn_error *err)
{
    pn_str body = without_data_prefix(text);
    size_t skipped = text.len - body.len;
    size_t n = 0, n_pad = 0, n_characters = 0;
    uint32_t bits = 0;
    uint8_t *bytes = pn_arena_alloc(arena, body.len / 4 * 3 + 3);
    if (!bytes)
        return pn_fail_nomem(err);

    for (size_t i = 0; i < body.len; i++) {
        uint8_t value = value_of((unsigned char)body.ptr[i]);
        if (value == SPACE)
            continue;
        if (value == PAD && n_pad < 2) {
            n_pad++;
            continue;
        }
        if (value > 63 || n_pad > 0)
            return pn_fail(err, PN_ERR_INVALID, "base64: wrong character at position %zu",
                           skipped + i);
        bits = bits << 6 | value;
        n_characters++;
        if (n_characters % 4 != 1)
            bytes[n++] = (uint8_t)(bits >> (6 - (n_characters - 1) % 4 * 2));
    }
    size_t left_over = n_characters % 4;
    if (left_over == 1 || (n_pad > 0 && (left_over + n_pad) != 4))
        return pn_fail(err, PN_ERR_INVALID, "base64: cut off after %zu characters", n_characters);
    if ((left_over == 2 && (bits & 15)) || (left_over == 3 && (bits & 3)))
        return pn_fail(err, PN_ERR_INVALID, "base64: the last character carries bits of no byte");
    if (n == 0)
        return pn_fail(err, PN_ERR_INVALID, "base64: empty");
    *out = bytes;
    *n_bytes = n;
    return PN_OK;
}

pn_status pn_base64_append(const uint8_t *bytes, size_t n, pn_buffer *out, pn_error *err)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    PN_TRY(pn_buffer_reserve(out, (n + 2) / 3 * 4, err));
    uint8_t *to = out->data + out->n_bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);
        *to++ = (uint8_t)alphabet[bits >> 18];
        *to++ = (uint8_t)alphabet[bits >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)alphabet[bits & 63] : '=';
    }
    out->n_bytes += (n + 2) / 3 * 4;
    return PN_OK;
}

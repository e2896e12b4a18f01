/*
 * plain_tokens.c - a reader that gives up easily
 *
 *     { "text" : 12 , "text" : 13 }        blanks anywhere between; texts in UTF-8, with any escapes but
 *                                          \u0000 and halves of surrogate pairs
 *
 * Everything that is not this ends in false: signs, fractions, leading zeros, nested values, bytes behind the end.
 */
#include "clip/plain_tokens.h"

#include <string.h>
#include <utf8proc.h>

typedef struct reader {
    const char *at, *end;
    char *texts; /* room for those with escapes */
} reader;

static void skip_blanks(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* The next byte that is no blank, if it is this one. */
static bool take(reader *r, char c)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* Behind a backslash and a u. 0: no character that stands alone. */
static unsigned take_code(reader *r)
{
    unsigned code = 0;
    if (r->end - r->at < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        int digit = pn_hex_digit(*r->at++);
        if (digit < 0)
            return 0;
        code = code << 4 | (unsigned)digit;
    }
    return code >= 0xD800 && code <= 0xDFFF ? 0 : code;
}

/* Behind a backslash: one character, at most as long as its escape. 0 bytes: none that we know. */
static size_t take_escape(reader *r, char *out)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return 0;
    char name = *r->at++;
    if (name == 'u') {
        unsigned code = take_code(r);
        return code == 0
                   ? 0
                   : (size_t)utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)out);
    }
    const char *found = memchr(names, name, sizeof names - 1);
    if (!found)
        return 0;
    *out = meanings[found - names];
    return 1;
}

/* A text and its closing quote. Escapes become shorter: one buffer, as long as all of the file, has room for all texts. */
static bool take_text(reader *r, pn_str *out)
{
    const char *begin = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (uint8_t)*r->at >= 0x20)
        r->at++;
    size_t n = (size_t)(r->at - begin);
    *out = pn_str_make(begin, n);
    if (r->at < r->end && *r->at == '\\') {
        out->ptr = r->texts;
        memcpy(r->texts, begin, n);
    }
    while (r->at < r->end && *r->at != '"') {
        if ((uint8_t)*r->at < 0x20)
            return false;
        if (*r->at != '\\') {
            r->texts[n++] = *r->at++;
            continue;
        }
        r->at++;
        size_t added = take_escape(r, r->texts + n);
        if (added == 0)
            return false;
        n += added;
    }
    if (out->ptr == r->texts)
        r->texts += n;
    out->len = n;
    return take(r, '"');
}

static bool take_id(reader *r, uint32_t *id)
{
    skip_blanks(r);
    const char *begin = r->at;
    uint32_t value = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && value < PN_PLAIN_TOKEN_MAX_ID / 10)
        value = value * 10 + (uint32_t)(*r->at++ - '0');
    *id = value;
    /* what follows a longer number, or a fraction, is no comma */
    return r->at > begin && (*begin != '0' || r->at == begin + 1);
}

static bool take_token(reader *r, pn_plain_token *out)
{
    return take(r, '"') && take_text(r, &out->text) && take(r, ':') && take_id(r, &out->id);
}

bool pn_plain_tokens_read(pn_str json, pn_arena *arena, pn_plain_token **out, size_t *n)
{
    const size_t most = pn_str_count(json, ':') + 1;
    reader r = {json.ptr, json.ptr + json.len, pn_arena_alloc(arena, json.len + 1)};
    pn_plain_token *tokens = PN_ARENA_NEW(arena, pn_plain_token, most);
    size_t n_tokens = 0;
    if (!r.texts || !tokens || !pn_str_is_utf8(json) || !take(&r, '{'))
        return false;
    do {
        if (!take_token(&r, &tokens[n_tokens++]))
            return false;
    } while (take(&r, ','));
    if (!take(&r, '}'))
        return false;
    skip_blanks(&r);
    *out = tokens;
    *n = n_tokens;
    return r.at == r.end;
}

/*
 * lexer.c - one token at a time, by its first character
 *
 *     name       letter, '_' or any character beyond ASCII; then also digits and '$'
 *     quoted     "..." and `...` are names, '...' is text; the quote itself is written twice
 *     number     12  1.5  .5  1e-3; a letter right behind it is an error, not a new word
 *     operator   the longest of the table below
 *     comment    from -- to the end of the line
 *
 * The text is checked to be UTF-8 before, so that bytes above 0x7F may be taken as letters without looking.
 */
#include "filter/lexer.h"

#include <utf8proc.h>

/* Longest first where one begins another. */
static const char *const operators[] = {"!~*", "<=", ">=", "<>", "!=", "==", "||", "::", "!~",
                                        "~*",  "~",  "<",  ">",  "=",  "+",  "-",  "*",  "/",
                                        "%",   "(",  ")",  "[",  "]",  ",",  "."};

static const char *const reserved[] = {"and",     "or", "not",  "in",   "like",  "ilike",
                                       "between", "is", "null", "true", "false", "escape"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           ((unsigned char)c & 0x80u);
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c) || c == '$';
}

bool pn_lex_is_reserved(pn_str name)
{
    for (size_t i = 0; i < PN_COUNT_OF(reserved); i++)
        if (pn_str_equal_ignore_case(name, pn_str_of(reserved[i])))
            return true;
    return false;
}

bool pn_lex_is_bare(pn_str name)
{
    if (name.len == 0 || !is_name_start(name.ptr[0]) || pn_lex_is_reserved(name))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_name_part(name.ptr[i]))
            return false;
    return true;
}

pn_status pn_lex_check(const pn_filter_source *source, pn_error *err)
{
    pn_str text = source->text;
    if (text.len > PN_FILTER_MAX_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "filter: %zu bytes, the limit is %d", text.len,
                       PN_FILTER_MAX_BYTES);
    for (size_t i = 0; i < text.len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + i,
                                              (utf8proc_ssize_t)(text.len - i), &c);
        if (n <= 0)
            return pn_filter_fail(source, i, PN_ERR_INVALID, err, "not UTF-8: byte 0x%02x",
                                  (unsigned)(unsigned char)text.ptr[i]);
        if (c == 0)
            return pn_filter_fail(source, i, PN_ERR_INVALID, err, "a NUL byte in the filter");
        i += (size_t)n;
    }
    return PN_OK;
}

static size_t skip_blank(pn_str text, size_t at)
{
    for (;;) {
        while (at < text.len &&
               (text.ptr[at] == ' ' || (text.ptr[at] >= '\t' && text.ptr[at] <= '\r')))
            at++;
        if (at + 1 >= text.len || text.ptr[at] != '-' || text.ptr[at + 1] != '-')
            return at;
        while (at < text.len && text.ptr[at] != '\n')
            at++;
    }
}

/* The content between quotes; text.ptr[at] is the opening one. */
static pn_status lex_quoted(const pn_filter_source *source, pn_arena *arena, size_t *at,
                            pn_str *out, pn_error *err)
{
    pn_str text = source->text;
    char quote = text.ptr[*at];
    size_t start = *at + 1, end = start, n_doubled = 0;
    for (;; end++) {
        if (end >= text.len)
            return pn_filter_fail(source, *at, PN_ERR_INVALID, err, "the quote %c is never closed",
                                  quote);
        if (text.ptr[end] != quote)
            continue;
        if (end + 1 >= text.len || text.ptr[end + 1] != quote)
            break;
        n_doubled++;
        end++;
    }
    *out = pn_str_make(text.ptr + start, end - start);
    *at = end + 1;
    if (n_doubled == 0)
        return PN_OK;
    char *copy = pn_arena_alloc(arena, out->len);
    if (!copy)
        return pn_fail_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < out->len; i++) {
        copy[n++] = out->ptr[i];
        i += out->ptr[i] == quote; // the twin
    }
    *out = pn_str_make(copy, n);
    return PN_OK;
}

static size_t skip_digits(pn_str text, size_t at)
{
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at;
}

static pn_status lex_number(const pn_filter_source *source, size_t *at, pn_str *out, pn_error *err)
{
    pn_str text = source->text;
    size_t end = skip_digits(text, *at);
    if (end < text.len && text.ptr[end] == '.')
        end = skip_digits(text, end + 1);
    if (end < text.len && (text.ptr[end] == 'e' || text.ptr[end] == 'E')) {
        size_t exponent = end + 1;
        if (exponent < text.len && (text.ptr[exponent] == '+' || text.ptr[exponent] == '-'))
            exponent++;
        if (exponent < text.len && is_digit(text.ptr[exponent]))
            end = skip_digits(text, exponent);
    }
    if (end < text.len && is_name_part(text.ptr[end]))
        return pn_filter_fail(source, *at, PN_ERR_INVALID, err,
                              "a letter right behind a number; names that begin with a digit stand "
                              "in double quotes, texts in single ones");
    *out = pn_str_make(text.ptr + *at, end - *at);
    *at = end;
    return PN_OK;
}

static pn_status lex_operator(const pn_filter_source *source, size_t *at, pn_str *out,
                              pn_error *err)
{
    pn_str rest = pn_str_make(source->text.ptr + *at, source->text.len - *at);
    for (size_t i = 0; i < PN_COUNT_OF(operators); i++)
        if (pn_str_starts_with(rest, operators[i])) {
            *out = pn_str_make(rest.ptr, strlen(operators[i]));
            *at += out->len;
            return PN_OK;
        }
    const char *hint = rest.ptr[0] == '&'   ? "; write AND"
                       : rest.ptr[0] == '|' ? "; write OR"
                       : rest.ptr[0] == '!' ? "; write NOT"
                       : rest.ptr[0] == ';' ? "; a filter is one expression"
                                            : "";
    return pn_filter_fail(source, *at, PN_ERR_INVALID, err,
                          "the character '%c' has no meaning here%s",
                          rest.ptr[0] >= ' ' ? rest.ptr[0] : '?', hint);
}

pn_status pn_lex(const pn_filter_source *source, pn_arena *arena, size_t *offset, pn_token *out,
                 pn_error *err)
{
    pn_str text = source->text;
    size_t at = skip_blank(text, *offset);
    pn_token token = {.kind = PN_TOKEN_END, .offset = at};
    char c = at < text.len ? text.ptr[at] : '\0';
    char next = at + 1 < text.len ? text.ptr[at + 1] : '\0';
    if (at >= text.len) {
        token.text = pn_str_make(text.ptr + text.len, 0);
    } else if ((c == 'x' || c == 'X') && next == '\'') {
        token.kind = PN_TOKEN_BYTES;
        at++;
        PN_TRY(lex_quoted(source, arena, &at, &token.text, err));
    } else if (is_name_start(c)) {
        size_t start = at;
        token.kind = PN_TOKEN_NAME;
        while (at < text.len && is_name_part(text.ptr[at]))
            at++;
        token.text = pn_str_make(text.ptr + start, at - start);
    } else if (c == '\'' || c == '"' || c == '`') {
        token.kind = c == '\'' ? PN_TOKEN_TEXT : PN_TOKEN_QUOTED_NAME;
        PN_TRY(lex_quoted(source, arena, &at, &token.text, err));
    } else if (is_digit(c) || (c == '.' && is_digit(next))) {
        token.kind = PN_TOKEN_NUMBER;
        PN_TRY(lex_number(source, &at, &token.text, err));
    } else {
        token.kind = PN_TOKEN_OPERATOR;
        PN_TRY(lex_operator(source, &at, &token.text, err));
    }
    *offset = at;
    *out = token;
    return PN_OK;
}

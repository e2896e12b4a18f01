/*
 * filter_error.c - three lines: what, the text, a caret
 *
 *     filter, column 8: unknown column "colour"; did you mean "color"?
 *     price < colour
 *             ^
 *
 * The column counts characters; the caret counts what a terminal shows: a Chinese character is two cells wide, a
 * combining accent none. Error messages have room for 512 bytes, so a long line is cut around the place, and tabs,
 * control characters and broken bytes are shown as one cell each.
 */
#include "filter/expr.h"

#include <stdarg.h>
#include <stdio.h>
#include <utf8proc.h>

enum { BYTES_BEFORE = 72, BYTES_AFTER = 48, MESSAGE_BYTES = 250, NEAREST_MAX_BYTES = 64 };

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0u) == 0x80;
}

size_t pn_filter_name_cut(pn_str name)
{
    size_t n = PN_MIN(name.len, (size_t)PN_FILTER_NAME_BYTES);
    while (n > 0 && n < name.len && is_continuation(name.ptr[n]))
        n--;
    return n;
}

/* The line around offset: *start <= offset <= *end. */
static size_t find_line(pn_str text, size_t offset, size_t *start, size_t *end)
{
    size_t line = 1;
    *start = 0;
    for (size_t i = 0; i < offset; i++)
        if (text.ptr[i] == '\n') {
            line++;
            *start = i + 1;
        }
    *end = offset;
    while (*end < text.len && text.ptr[*end] != '\n')
        (*end)++;
    return line;
}

static size_t count_characters(pn_str text, size_t start, size_t end)
{
    size_t n = 0;
    for (size_t i = start; i < end; i++)
        n += !is_continuation(text.ptr[i]);
    return n;
}

/* Append text[from, to) to out as a terminal can show it; returns its width in cells. */
static size_t show(pn_str text, size_t from, size_t to, char *out, size_t *n_out)
{
    size_t width = 0;
    for (size_t i = from; i < to;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + i,
                                              (utf8proc_ssize_t)(to - i), &c);
        bool plain = n > 0 && utf8proc_category(c) != UTF8PROC_CATEGORY_CC;
        if (plain) {
            memcpy(out + *n_out, text.ptr + i, (size_t)n);
            *n_out += (size_t)n;
            width += (size_t)utf8proc_charwidth(c);
        } else {
            out[(*n_out)++] = n > 0 ? ' ' : '?';
            width++;
        }
        i += n > 0 ? (size_t)n : 1;
    }
    return width;
}

/* The part of the line that is shown, and where its caret stands. */
static size_t show_line(pn_str text, size_t start, size_t offset, size_t end,
                        char out[BYTES_BEFORE + BYTES_AFTER + 8])
{
    size_t n = 0, from = start, to = end, width = 0;
    if (offset - start > BYTES_BEFORE) {
        from = offset - BYTES_BEFORE;
        while (from < offset && is_continuation(text.ptr[from]))
            from++;
        memcpy(out, "...", 3);
        n = width = 3;
    }
    if (end - offset > BYTES_AFTER) {
        to = offset + BYTES_AFTER;
        while (to > offset && is_continuation(text.ptr[to]))
            to--;
    }
    width += show(text, from, offset, out, &n);
    (void)show(text, offset, to, out, &n); // what stands behind the caret does not move it
    if (to < end) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n] = '\0';
    return width;
}

pn_status(pn_filter_fail)(const pn_filter_source *source, size_t offset, pn_status status,
                          pn_error *err, const char *format, ...)
{
    char message[MESSAGE_BYTES], shown[BYTES_BEFORE + BYTES_AFTER + 8], place[64];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (wanted >= (int)sizeof message) {
        size_t n = sizeof message - 1;
        while (n > 0 && is_continuation(message[n - 1]))
            n--;
        if (n > 0 && ((unsigned char)message[n - 1] & 0x80u))
            n--; // the head of a character that may be cut
        message[n] = '\0';
    }
    size_t start, end;
    offset = PN_MIN(offset, source->text.len);
    size_t line = find_line(source->text, offset, &start, &end);
    size_t column = count_characters(source->text, start, offset) + 1;
    size_t caret = show_line(source->text, start, offset, end, shown);
    if (line > 1)
        (void)snprintf(place, sizeof place, "line %zu, column %zu", line, column); // 50 at most
    else
        (void)snprintf(place, sizeof place, "column %zu", column);
    return pn_fail(err, status, "filter, %s: %s\n%s\n%*s^", place, message, shown, (int)caret, "");
}

/* ---- did you mean */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Levenshtein distance of two short texts, letters of different case being half a step apart (in half steps). */
static unsigned edit_distance(pn_str a, pn_str b)
{
    unsigned row[NEAREST_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = (unsigned)j * 2;
    for (size_t i = 0; i < a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)(i + 1) * 2;
        for (size_t j = 0; j < b.len; j++) {
            unsigned step = a.ptr[i] == b.ptr[j] ? 0 : lower(a.ptr[i]) == lower(b.ptr[j]) ? 1 : 2;
            unsigned best = diagonal + step;
            diagonal = row[j + 1];
            best = PN_MIN(best, row[j] + 2);
            row[j + 1] = PN_MIN(best, diagonal + 2);
        }
    }
    return row[b.len];
}

const char *pn_filter_nearest(pn_str name, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    unsigned best_distance = PN_MAX(2u, (unsigned)PN_MIN(name.len, 60u) * 4 / 5) + 1;
    for (size_t i = 0; i < n && name.len <= NEAREST_MAX_BYTES; i++) {
        pn_str candidate = pn_str_of(candidates[i]);
        if (candidate.len > NEAREST_MAX_BYTES)
            continue;
        unsigned distance =
            pn_str_equal_ignore_case(name, candidate) ? 0 : edit_distance(name, candidate);
        if (distance < best_distance) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}

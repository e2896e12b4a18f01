/*
 * like.c - patterns of % and _
 *
 * A pattern is cut at its % into pieces:   'ab%cd%ef'  ->  [ab] [cd] [ef].  The first piece stands at the start, the last
 * at the end, and each one between them at its first place behind the one before: taking the first place never loses
 * a match, so that no backtracking is needed. Pieces without '_' are found by memmem, whose time is linear; pieces with '_'
 * are tried at every place, and the work this takes is counted against a budget.
 *
 * ILIKE folds both sides first. '_' is one character of UTF-8, or one broken byte.
 */
#define _GNU_SOURCE // memmem
#include "filter/like.h"

#include <utf8proc.h>

/* A stretch of the pattern between two '%'. */
typedef struct piece {
    pn_str bytes;    /* with a placeholder byte where a '_' is */
    const bool *any; /* [bytes.len] is it a '_'? NULL: none */
} piece;

struct pn_like {
    pn_case letter_case;
    size_t n_pieces; /* >= 1; one piece: the whole text */
    piece *pieces;
};

size_t pn_character_bytes(pn_str text)
{
    unsigned char lead = (unsigned char)text.ptr[0];
    if (lead < 0x80)
        return 1;
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text.ptr, (utf8proc_ssize_t)text.len, &c);
    return n > 0 ? (size_t)n : 1;
}

static utf8proc_int32_t change_letter(utf8proc_int32_t c, pn_letters letters)
{
    if (letters == PN_LETTERS_LOWER)
        return utf8proc_tolower(c);
    utf8proc_int32_t upper = utf8proc_toupper(c);
    return letters == PN_LETTERS_UPPER ? upper : utf8proc_tolower(upper);
}

bool pn_change_case(pn_str text, pn_letters letters, pn_arena *arena, pn_str *out)
{
    enum { MAX_GROWTH = 4 }; // one byte may become a character of four
    size_t room, n = 0;
    char *to = pn_size_mul(text.len, MAX_GROWTH, &room) ? pn_arena_alloc(arena, room) : NULL;
    if (!to)
        return false;
    for (size_t i = 0; i < text.len;) {
        char c = text.ptr[i];
        if ((unsigned char)c < 0x80) {
            if (letters == PN_LETTERS_UPPER)
                c = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
            else
                c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
            to[n++] = c;
            i++;
            continue;
        }
        utf8proc_int32_t letter;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + i,
                                                   (utf8proc_ssize_t)(text.len - i), &letter);
        if (length <= 0) {
            to[n++] = c;
            i++;
            continue;
        }
        n += (size_t)utf8proc_encode_char(change_letter(letter, letters),
                                          (utf8proc_uint8_t *)to + n);
        i += (size_t)length;
    }
    *out = pn_str_make(to, n);
    return true;
}

/* ---- the pattern */

static pn_status make_pieces(pn_str pattern, pn_str escape, pn_arena *arena, pn_like *like,
                             const char **fault)
{
    char *bytes = pn_arena_alloc(arena, pattern.len + 1);
    bool *any = PN_ARENA_NEW(arena, bool, pattern.len + 1);
    size_t n_pieces = 1;
    for (size_t i = 0; i < pattern.len; i++)
        n_pieces += pattern.ptr[i] == '%';
    like->pieces = PN_ARENA_NEW(arena, piece, n_pieces);
    if (!bytes || !any || !like->pieces)
        return PN_ERR_NOMEM;
    size_t n = 0, start = 0;
    bool has_any = false;
    for (size_t i = 0; i <= pattern.len; i++) {
        pn_str rest = pn_str_make(pattern.ptr + i, pattern.len - i);
        if (i == pattern.len || (rest.ptr[0] == '%' && !pn_str_is(escape, "%"))) {
            like->pieces[like->n_pieces++] = (piece){.bytes = pn_str_make(bytes + start, n - start),
                                                     .any = has_any ? any + start : NULL};
            start = n;
            has_any = false;
        } else if (rest.len >= escape.len && memcmp(rest.ptr, escape.ptr, escape.len) == 0) {
            i += escape.len;
            if (i >= pattern.len) {
                *fault = "the pattern ends in its escape character";
                return PN_ERR_INVALID;
            }
            bytes[n++] = pattern.ptr[i];
        } else {
            any[n] = rest.ptr[0] == '_';
            has_any |= any[n];
            bytes[n++] = rest.ptr[0];
        }
    }
    return PN_OK;
}

pn_status pn_like_compile(pn_str pattern, pn_str escape, pn_case letter_case, pn_arena *arena,
                          const pn_like **out, const char **fault)
{
    pn_like *like = PN_ARENA_NEW(arena, pn_like, 1);
    if (!like)
        return PN_ERR_NOMEM;
    like->letter_case = letter_case;
    if (escape.len == 0)
        escape = PN_STR_LITERAL("\\");
    if (letter_case == PN_CASE_IGNORED) {
        pn_str lower, upper;
        if (!pn_change_case(pattern, PN_LETTERS_FOLD, arena, &pattern) ||
            !pn_change_case(escape, PN_LETTERS_LOWER, arena, &lower) ||
            !pn_change_case(escape, PN_LETTERS_UPPER, arena, &upper))
            return PN_ERR_NOMEM;
        if (!pn_str_equal(lower, upper)) { // both cases of it would escape
            *fault = "with ILIKE the escape cannot be a letter";
            return PN_ERR_INVALID;
        }
    }
    PN_TRY(make_pieces(pattern, escape, arena, like, fault));
    *out = like;
    return PN_OK;
}

/* ---- matching */

/* Does the piece stand at the start of text? *length: what it covers. */
static bool stands_at_start(const piece *p, pn_str text, uint64_t *steps, size_t *length)
{
    size_t at = 0;
    for (size_t i = 0; i < p->bytes.len; i++) {
        if (*steps > 0)
            --*steps;
        if (at >= text.len)
            return false;
        pn_str rest = pn_str_make(text.ptr + at, text.len - at);
        if (p->any && p->any[i])
            at += pn_character_bytes(rest);
        else if (rest.ptr[0] != p->bytes.ptr[i])
            return false;
        else
            at++;
    }
    *length = at;
    return true;
}

/* The first place of the piece in text; false: none. */
static bool find_piece(const piece *p, pn_str text, uint64_t *steps, size_t *place, size_t *length)
{
    if (!p->any) {
        const char *found =
            p->bytes.len == 0 ? text.ptr : memmem(text.ptr, text.len, p->bytes.ptr, p->bytes.len);
        *place = found ? (size_t)(found - text.ptr) : 0;
        *length = p->bytes.len;
        return found != NULL;
    }
    for (size_t at = 0; at <= text.len && *steps > 0;) {
        pn_str rest = pn_str_make(text.ptr + at, text.len - at);
        if (stands_at_start(p, rest, steps, length)) {
            *place = at;
            return true;
        }
        at += rest.len > 0 ? pn_character_bytes(rest) : 1;
    }
    return false;
}

/* Does the piece stand at the very end of text? */
static bool stands_at_end(const piece *p, pn_str text, uint64_t *steps)
{
    size_t length;
    if (!p->any)
        return text.len >= p->bytes.len &&
               memcmp(text.ptr + (text.len - p->bytes.len), p->bytes.ptr, p->bytes.len) == 0;
    for (size_t at = 0; at <= text.len && *steps > 0;) {
        pn_str rest = pn_str_make(text.ptr + at, text.len - at);
        if (stands_at_start(p, rest, steps, &length) && length == rest.len)
            return true;
        at += rest.len > 0 ? pn_character_bytes(rest) : 1;
    }
    return false;
}

static bool match_pieces(const pn_like *like, pn_str text, uint64_t *steps)
{
    size_t length, place, last = like->n_pieces - 1;
    if (!stands_at_start(&like->pieces[0], text, steps, &length))
        return false;
    if (last == 0)
        return length == text.len;
    text = pn_str_make(text.ptr + length, text.len - length);
    for (size_t i = 1; i < last; i++) {
        if (!find_piece(&like->pieces[i], text, steps, &place, &length))
            return false;
        text = pn_str_make(text.ptr + place + length, text.len - place - length);
    }
    return stands_at_end(&like->pieces[last], text, steps);
}

pn_status pn_like_match(const pn_like *like, pn_str text, pn_arena *scratch, uint64_t *steps,
                        bool *matches)
{
    pn_arena_mark mark = pn_arena_get_mark(scratch);
    if (!text.ptr)
        text.ptr = ""; // an empty text of an empty column
    if (like->letter_case == PN_CASE_IGNORED &&
        !pn_change_case(text, PN_LETTERS_FOLD, scratch, &text))
        return PN_ERR_NOMEM;
    *matches = match_pieces(like, text, steps);
    pn_arena_rewind(scratch, mark);
    return *steps > 0 ? PN_OK : PN_ERR_LIMIT;
}

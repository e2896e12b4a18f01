/*
 * text_chars.h - characters of UTF-8 text, as Python's str knows them
 *
 * The references of all three tokenizers are written in Python, so "white space" and "lower case" are Python's here.
 * Threads: pure.
 */
#ifndef PN_CLIP_TEXT_CHARS_H
#define PN_CLIP_TEXT_CHARS_H

#include "base/buffer.h"
#include "base/str.h"

/* The character at `at`; an invalid byte is U+FFFD. Returns its bytes, at least 1. at < text.len. */
size_t pn_char_next(pn_str text, size_t at, uint32_t *c);
PN_NODISCARD pn_status pn_char_append(uint32_t c, pn_buffer *out, pn_error *err);

/* str.isspace(). */
bool pn_char_is_space(uint32_t c);

/* Append the lower case of one character on its own: str.lower() of a text of that character. */
PN_NODISCARD pn_status pn_char_append_lower(uint32_t c, pn_buffer *out, pn_error *err);

/* " ".join(text.split()): runs of white space become one blank, none at the ends. */
PN_NODISCARD pn_status pn_text_collapse(pn_str text, pn_buffer *out, pn_error *err);
/* " ".join(text.lower().split()): a sigma at the end of a word has its own form. */
PN_NODISCARD pn_status pn_text_fold(pn_str text, pn_buffer *out, pn_error *err);

#endif

/*
 * text_clean.h - what is done to a text before it is split into pieces
 *
 * As the reference cleans with ftfy and html.unescape, but for the repair of mojibake: invalid UTF-8 becomes U+FFFD, HTML
 * entities are resolved (twice), terminal escapes and control characters go, ligatures are spelt out, width forms and
 * quotes become plain, NFC, white space becomes one blank, lower case.
 */
#ifndef PN_CLIP_TEXT_CLEAN_H
#define PN_CLIP_TEXT_CLEAN_H

#include "base/buffer.h"
#include "base/str.h"

/* Append the cleaned text. Threads: pure. */
PN_NODISCARD pn_status pn_text_clean(pn_str text, pn_buffer *out, pn_error *err);

/* The same, but letters keep their case. */
PN_NODISCARD pn_status pn_text_repair(pn_str text, pn_buffer *out, pn_error *err);

/* html.unescape() of Python: named references with and without semicolon, numeric ones with the Windows-1252 repairs. */
PN_NODISCARD pn_status pn_html_unescape(pn_str text, pn_buffer *out, pn_error *err);

/* The character that byte 0x80 to 0x9F is in Windows-1252. */
uint32_t pn_windows_1252(uint32_t byte);

#endif

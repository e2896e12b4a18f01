/*
 * charsmap.h - the normalisation rules inside a sentencepiece model
 *
 * Threads: a view; pure.
 */
#ifndef PN_CLIP_CHARSMAP_H
#define PN_CLIP_CHARSMAP_H

#include "base/status.h"
#include "base/str.h"

/* No rules when n_units is 0. */
typedef struct pn_charsmap {
    const uint8_t *units; /* [n_units][4] */
    size_t n_units;
    const char *strings; /* replacements, each with its NUL; the last byte is one */
    size_t n_strings;
} pn_charsmap;

/* Look into a "precompiled_charsmap"; the bytes have to live as long as *out. CORRUPT. */
PN_NODISCARD pn_status pn_charsmap_parse(pn_str bytes, pn_charsmap *out, pn_error *err);

/* The longest rule at the beginning of text: its bytes, and what stands for them. 0: none. */
size_t pn_charsmap_match(const pn_charsmap *map, pn_str text, pn_str *replacement);

#endif

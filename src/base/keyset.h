/*
 * keyset.h - a growing set of texts, by their 128-bit hash (uthash)
 * Threads: one at a time.
 */
#ifndef PN_BASE_KEYSET_H
#define PN_BASE_KEYSET_H

#include "base/status.h"
#include "base/str.h"

typedef struct pn_keyset pn_keyset;

PN_NODISCARD pn_status pn_keyset_create(pn_keyset **out, pn_error *err);
void pn_keyset_free(pn_keyset *set); /* NULL is welcome */

/* *is_new says whether the text was not there before. */
PN_NODISCARD pn_status pn_keyset_add(pn_keyset *set, pn_str text, bool *is_new, pn_error *err);
bool pn_keyset_has(const pn_keyset *set, pn_str text);
size_t pn_keyset_count(const pn_keyset *set);

#endif

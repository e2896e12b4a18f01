/*
 * typical_texts.h - what shoppers type, to calibrate an index with before anybody has typed anything
 *
 * Colours, materials and kinds of goods of every department of a shop, put together as people do, half of them in Chinese. They only have to
 * lie where texts lie, in the model's space; which ones they are hardly matters.
 */
#ifndef PN_SEARCH_TYPICAL_TEXTS_H
#define PN_SEARCH_TYPICAL_TEXTS_H

#include "base/arena.h"
#include "base/str.h"

enum { PN_TYPICAL_TEXTS = 256 };

/* PN_TYPICAL_TEXTS different texts, always the same, in arena. NULL: no memory. */
PN_NODISCARD const pn_str *pn_typical_texts(pn_arena *arena);

#endif

/*
 * mask.h - which rows of one batch: a bit a row
 * The words live in an arena. Threads: one writer, or many readers.
 */
#ifndef PN_COLUMN_MASK_H
#define PN_COLUMN_MASK_H

#include "base/arena.h"
#include "base/bits.h"
#include "base/status.h"

typedef struct pn_mask {
    uint64_t *words; /* [pn_words_for_bits(n_rows)]; bits past n_rows are 0 */
    size_t n_rows;
} pn_mask;

PN_NODISCARD pn_status pn_mask_create(size_t n_rows, bool all, pn_arena *arena, pn_mask *out,
                                      pn_error *err);
void pn_mask_and(pn_mask *into, const pn_mask *other);
void pn_mask_or(pn_mask *into, const pn_mask *other);
void pn_mask_and_not(pn_mask *into, const pn_mask *other);
void pn_mask_not(pn_mask *mask);
size_t pn_mask_count(const pn_mask *mask);
/* Smallest set row >= from, or n_rows. */
size_t pn_mask_next(const pn_mask *mask, size_t from);

#endif

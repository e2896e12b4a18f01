/*
 * mask.c - word-wise boolean algebra on the rows of one batch
 */
#include "column/mask.h"

#include <string.h>

/* Bits past the last row stay 0, so that counting and walking need no special end. */
static void clear_tail(pn_mask *mask)
{
    if (mask->n_rows % 64 != 0)
        mask->words[mask->n_rows / 64] &= ((uint64_t)1 << (mask->n_rows % 64)) - 1;
}

pn_status pn_mask_create(size_t n_rows, bool all, pn_arena *arena, pn_mask *out, pn_error *err)
{
    size_t n_words = pn_words_for_bits(n_rows);
    pn_mask mask = {.words = PN_ARENA_NEW(arena, uint64_t, n_words + 1), .n_rows = n_rows};
    if (!mask.words)
        return pn_fail_nomem(err);
    if (all) {
        memset(mask.words, 0xFF, n_words * sizeof *mask.words);
        clear_tail(&mask);
    }
    *out = mask;
    return PN_OK;
}

void pn_mask_and(pn_mask *into, const pn_mask *other)
{
    pn_assert(into->n_rows == other->n_rows);
    for (size_t i = 0; i < pn_words_for_bits(into->n_rows); i++)
        into->words[i] &= other->words[i];
}

void pn_mask_or(pn_mask *into, const pn_mask *other)
{
    pn_assert(into->n_rows == other->n_rows);
    for (size_t i = 0; i < pn_words_for_bits(into->n_rows); i++)
        into->words[i] |= other->words[i];
}

void pn_mask_and_not(pn_mask *into, const pn_mask *other)
{
    pn_assert(into->n_rows == other->n_rows);
    for (size_t i = 0; i < pn_words_for_bits(into->n_rows); i++)
        into->words[i] &= ~other->words[i];
}

void pn_mask_not(pn_mask *mask)
{
    for (size_t i = 0; i < pn_words_for_bits(mask->n_rows); i++)
        mask->words[i] = ~mask->words[i];
    clear_tail(mask);
}

size_t pn_mask_count(const pn_mask *mask)
{
    size_t n = 0;
    for (size_t i = 0; i < pn_words_for_bits(mask->n_rows); i++)
        n += pn_popcount64(mask->words[i]);
    return n;
}

size_t pn_mask_next(const pn_mask *mask, size_t from)
{
    if (from >= mask->n_rows)
        return mask->n_rows;
    size_t word_i = from / 64;
    uint64_t word = mask->words[word_i] & ~(uint64_t)0 << (from % 64);
    while (word == 0) {
        if (++word_i == pn_words_for_bits(mask->n_rows))
            return mask->n_rows;
        word = mask->words[word_i];
    }
    return word_i * 64 + pn_lowest_bit(word);
}

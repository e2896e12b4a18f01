/*
 * rowset.c - a sorted array of per-fragment bitmaps
 */
#include "column/rowset.h"

#include "base/alloc.h"

#include <string.h>

void pn_rowset_init(pn_rowset *set)
{
    *set = (pn_rowset){0};
}

void pn_rowset_reset(pn_rowset *set)
{
    for (size_t i = 0; i < set->n_parts; i++)
        pn_free(set->parts[i].words);
    pn_free(set->parts);
    pn_rowset_init(set);
}

/* Index of the first part whose fragment id is not less. */
static size_t lower_bound(const pn_rowset *set, uint32_t fragment_id)
{
    size_t low = 0, high = set->n_parts;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->parts[middle].fragment_id < fragment_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

pn_status pn_rowset_part_get(pn_rowset *set, uint32_t fragment_id, uint32_t n_rows,
                             pn_rowset_part **out, pn_error *err)
{
    size_t at = lower_bound(set, fragment_id);
    if (at < set->n_parts && set->parts[at].fragment_id == fragment_id) {
        if (set->parts[at].n_rows != n_rows)
            return pn_fail(err, PN_ERR_BUG, "fragment %u has %u rows and %u rows", fragment_id,
                           set->parts[at].n_rows, n_rows);
        *out = &set->parts[at];
        return PN_OK;
    }
    if (set->n_parts == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 8;
        pn_rowset_part *parts = pn_realloc(set->parts, capacity * sizeof *parts);
        if (!parts)
            return pn_fail_nomem(err);
        set->parts = parts;
        set->capacity = capacity;
    }
    uint64_t *words = pn_alloc_zero((pn_words_for_bits(n_rows) + 1) * sizeof *words);
    if (!words)
        return pn_fail_nomem(err);
    memmove(&set->parts[at + 1], &set->parts[at], (set->n_parts - at) * sizeof *set->parts);
    set->parts[at] = (pn_rowset_part){.fragment_id = fragment_id, .n_rows = n_rows, .words = words};
    set->n_parts++;
    *out = &set->parts[at];
    return PN_OK;
}

const pn_rowset_part *pn_rowset_find(const pn_rowset *set, uint32_t fragment_id)
{
    size_t at = lower_bound(set, fragment_id);
    return at < set->n_parts && set->parts[at].fragment_id == fragment_id ? &set->parts[at] : NULL;
}

bool pn_rowset_has(const pn_rowset *set, pn_row_addr addr)
{
    const pn_rowset_part *part = pn_rowset_find(set, (uint32_t)(addr >> 32));
    uint32_t offset = (uint32_t)addr;
    return part && offset < part->n_rows && pn_word_bit_get(part->words, offset);
}

uint64_t pn_rowset_count(const pn_rowset *set)
{
    uint64_t n = 0;
    for (size_t i = 0; i < set->n_parts; i++)
        for (size_t w = 0; w < pn_words_for_bits(set->parts[i].n_rows); w++)
            n += pn_popcount64(set->parts[i].words[w]);
    return n;
}

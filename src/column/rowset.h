/*
 * rowset.h - rows of a dataset: what filters, deletions and searches hand each other
 *
 * A row address is fragment id << 32 | offset in the fragment. A rowset keeps one bitmap a fragment, sorted by fragment
 * id. A fragment that is not listed has no row in the set.
 * Threads: one writer, or many readers.
 */
#ifndef PN_COLUMN_ROWSET_H
#define PN_COLUMN_ROWSET_H

#include "base/bits.h"
#include "base/status.h"

typedef uint64_t pn_row_addr;

static inline pn_row_addr pn_row_addr_make(uint32_t fragment_id, uint32_t offset)
{
    return (uint64_t)fragment_id << 32 | offset;
}

typedef struct pn_rowset_part {
    uint32_t fragment_id;
    uint32_t n_rows; /* physical rows of the fragment */
    uint64_t *words; /* owned by the rowset */
} pn_rowset_part;

typedef struct pn_rowset {
    pn_rowset_part *parts; /* sorted by fragment_id; owned */
    size_t n_parts, capacity;
} pn_rowset;

void pn_rowset_init(pn_rowset *set);
void pn_rowset_reset(pn_rowset *set);
/* The part of a fragment, made empty when it is not there yet. Pointers to parts move when another is made. */
PN_NODISCARD pn_status pn_rowset_part_get(pn_rowset *set, uint32_t fragment_id, uint32_t n_rows,
                                          pn_rowset_part **out, pn_error *err);
const pn_rowset_part *pn_rowset_find(const pn_rowset *set, uint32_t fragment_id); /* NULL: none */
bool pn_rowset_has(const pn_rowset *set, pn_row_addr addr);
uint64_t pn_rowset_count(const pn_rowset *set);

#endif

/*
 * index_scratch.h - the working memory of searches, kept from one to the next
 *
 * A search of a large index works in a few hundred kilobytes, and is done in a tenth of a millisecond. malloc() gives as much back to the
 * system when it is freed, so that every search would have it mapped and zeroed again, page by page: a quarter of its time.
 *
 * Threads: any. As many arenas are kept as searches ran at once, at most MOST_KEPT of them.
 */
#ifndef PN_INDEX_INDEX_SCRATCH_H
#define PN_INDEX_INDEX_SCRATCH_H

#include "base/arena.h"
#include "base/status.h"

typedef struct pn_index_scratch pn_index_scratch;

/* Errors: NOMEM. */
PN_NODISCARD pn_status pn_index_scratch_create(pn_index_scratch **out, pn_error *err);
void pn_index_scratch_free(pn_index_scratch *scratch); /* NULL is welcome; all arenas are back */

/* An empty arena, which is to be given back. */
pn_arena pn_index_scratch_take(pn_index_scratch *scratch);
void pn_index_scratch_give(pn_index_scratch *scratch, pn_arena *arena);

#endif

/*
 * scratch.h - memory that one forward pass leaves for the next
 *
 * A forward pass needs some megabytes for its activations. Asking the system for them each time costs a page fault for every
 * 4 KiB, which is a tenth of a short text's time. So a model keeps the blocks of the last few passes.
 * Threads: any; a block belongs to who took it until it is given back.
 */
#ifndef PN_CLIP_SCRATCH_H
#define PN_CLIP_SCRATCH_H

#include "clip/first_row.h"
#include "os/pool.h"

typedef struct pn_scratch pn_scratch;
PN_NODISCARD pn_scratch *pn_scratch_create(void); /* NULL: no memory */
void pn_scratch_free(pn_scratch *scratch);        /* no block may be out; NULL is welcome */

/* At least n bytes, at a cache line, with anything in them. NULL: no memory. */
PN_NODISCARD void *pn_scratch_take(pn_scratch *scratch, size_t n);
void pn_scratch_give(pn_scratch *scratch, void *block); /* NULL is welcome */

/* What a forward pass works with. */
typedef struct pn_clip_means {
    pn_scratch *scratch;
    pn_pool *pool;           /* NULL: one thread */
    pn_first_row *first_row; /* of texts */
} pn_clip_means;

#endif

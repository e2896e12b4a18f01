/*
 * index_scratch.c - the working memory of searches, kept from one to the next
 */
#include "index/index_scratch.h"

#include "base/alloc.h"

#include <pthread.h>

enum {
    MOST_KEPT = 64,
    MOST_BYTES = 8 << 20
}; /* arenas; of one: a search of everything needs more */

struct pn_index_scratch {
    pthread_mutex_t mu;
    size_t n;                 /* guarded by mu */
    pn_arena kept[MOST_KEPT]; /* guarded by mu; the latest used last, which is in the caches yet */
};

pn_status pn_index_scratch_create(pn_index_scratch **out, pn_error *err)
{
    pn_index_scratch *scratch = pn_alloc_zero(sizeof *scratch);
    if (!scratch)
        return pn_fail_nomem(err);
    pthread_mutex_init(&scratch->mu, NULL);
    *out = scratch;
    return PN_OK;
}

void pn_index_scratch_free(pn_index_scratch *scratch)
{
    if (!scratch)
        return;
    for (size_t i = 0; i < scratch->n; i++)
        pn_arena_reset(&scratch->kept[i]);
    pthread_mutex_destroy(&scratch->mu);
    pn_free(scratch);
}

pn_arena pn_index_scratch_take(pn_index_scratch *scratch)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pthread_mutex_lock(&scratch->mu);
    if (scratch->n > 0)
        arena = scratch->kept[--scratch->n];
    pthread_mutex_unlock(&scratch->mu);
    return arena;
}

void pn_index_scratch_give(pn_index_scratch *scratch, pn_arena *arena)
{
    pn_arena_clear(arena);
    if (arena->used_bytes > MOST_BYTES)
        pn_arena_reset(arena);
    pthread_mutex_lock(&scratch->mu);
    if (scratch->n < MOST_KEPT) {
        scratch->kept[scratch->n++] = *arena;
        pn_arena_init(arena, SIZE_MAX);
    }
    pthread_mutex_unlock(&scratch->mu);
    pn_arena_reset(arena);
}

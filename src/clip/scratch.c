/*
 * scratch.c - a short list of free blocks
 *
 *     block   [ size | list link | up to a cache line ] [ the caller's bytes ]
 *
 * The smallest block that is large enough is taken. What is given back is kept as long as few blocks of few bytes are kept; else
 * it returns to the system, so that one huge batch is not remembered for ever.
 */
#include "clip/scratch.h"

#include "base/alloc.h"
#include "os/mapping.h"

#include <pthread.h>

enum { ALIGNMENT = 64, MOST_BLOCKS = 16 };
static const size_t MOST_BYTES = (size_t)48 << 20;
static const size_t LEAST_LARGE_BYTES = (size_t)2 * PN_LARGE_PAGE_BYTES;

typedef struct block {
    size_t n_bytes;
    struct block *next;
} block;
_Static_assert(sizeof(block) <= ALIGNMENT, "a block's head fits before the caller's cache line");

struct pn_scratch {
    pthread_mutex_t mu;
    block *first; /* guarded by mu, like the two below */
    size_t n_blocks, n_bytes;
};

pn_scratch *pn_scratch_create(void)
{
    pn_scratch *s = pn_alloc_zero(sizeof *s);
    if (s)
        pthread_mutex_init(&s->mu, NULL);
    return s;
}

void pn_scratch_free(pn_scratch *s)
{
    if (!s)
        return;
    for (block *b = s->first, *next; b; b = next) {
        next = b->next;
        pn_free(b);
    }
    pthread_mutex_destroy(&s->mu);
    pn_free(s);
}

/* The smallest block of at least n bytes off the list; NULL: none. The lock is held. */
static block *find_block(pn_scratch *s, size_t n)
{
    block **best = NULL;
    for (block **at = &s->first; *at; at = &(*at)->next)
        if ((*at)->n_bytes >= n && (!best || (*at)->n_bytes < (*best)->n_bytes))
            best = at;
    if (!best)
        return NULL;
    block *found = *best;
    *best = found->next;
    s->n_blocks--;
    s->n_bytes -= found->n_bytes;
    return found;
}

/* All rows of a batch pass by again and again: where they are many, on large pages. */
static block *make_block(size_t bytes, size_t n)
{
    const bool large = bytes >= LEAST_LARGE_BYTES;
    block *b = pn_alloc_aligned(large ? (size_t)PN_LARGE_PAGE_BYTES : (size_t)ALIGNMENT, bytes);
    if (b && large)
        pn_memory_use_large_pages(b, bytes);
    if (b)
        b->n_bytes = n;
    return b;
}

void *pn_scratch_take(pn_scratch *s, size_t n)
{
    pthread_mutex_lock(&s->mu);
    block *b = find_block(s, n);
    pthread_mutex_unlock(&s->mu);
    size_t bytes;
    if (!b && pn_size_add(n, ALIGNMENT, &bytes))
        b = make_block(bytes, n);
    return b ? (uint8_t *)b + ALIGNMENT : NULL;
}

void pn_scratch_give(pn_scratch *s, void *memory)
{
    if (!memory)
        return;
    block *b = (block *)(void *)((uint8_t *)memory - ALIGNMENT);
    pthread_mutex_lock(&s->mu);
    bool kept = s->n_blocks < MOST_BLOCKS && b->n_bytes <= MOST_BYTES - s->n_bytes;
    if (kept) {
        b->next = s->first;
        s->first = b;
        s->n_blocks++;
        s->n_bytes += b->n_bytes;
    }
    pthread_mutex_unlock(&s->mu);
    if (!kept)
        pn_free(b);
}

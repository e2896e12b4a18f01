/*
 * arena.h - memory for what lives and dies together
 *
 * One request, one parsed filter, one manifest, one batch of rows: everything is bumped off blocks and goes at
 * once. There is no free inside; a mark can be rewound to. Under AddressSanitizer the unused part is poisoned.
 *
 *     pn_arena arena;
 *     pn_arena_init(&arena, 64u << 20);      at most 64 MiB
 *     row *r = PN_ARENA_NEW(&arena, row, n); zeroed; NULL = no memory, or the maximum is reached
 *     pn_arena_reset(&arena);                everything gone, the blocks too
 *
 * Threads: an arena belongs to one thread at a time.
 */
#ifndef PN_BASE_ARENA_H
#define PN_BASE_ARENA_H

#include "base/compiler.h"

typedef struct pn_arena_block pn_arena_block;

typedef struct pn_arena {
    pn_arena_block *head; /* newest block first */
    size_t used_bytes;    /* of all blocks' memory, as asked for from malloc */
    size_t max_bytes;
} pn_arena;

typedef struct pn_arena_mark {
    pn_arena_block *block;
    size_t offset;
} pn_arena_mark;

/* max_bytes bounds what the arena takes from malloc in total; SIZE_MAX for no bound. Takes no memory yet. */
void pn_arena_init(pn_arena *arena, size_t max_bytes);

/* Give everything back. The arena can be used again. */
void pn_arena_reset(pn_arena *arena);

/* Everything gone, but the newest block of memory stays for what comes next: an arena that is filled and cleared again and again soon asks
 * malloc for nothing. */
void pn_arena_clear(pn_arena *arena);

/* Uninitialised memory aligned to 16 (or to alignment, a power of two up to 4096). NULL when there is none. */
PN_NODISCARD void *pn_arena_alloc(pn_arena *arena, size_t bytes);
PN_NODISCARD void *pn_arena_alloc_aligned(pn_arena *arena, size_t alignment, size_t bytes);

/* Zeroed, n * bytes_each checked for overflow. */
PN_NODISCARD void *pn_arena_alloc_zero(pn_arena *arena, size_t n, size_t bytes_each);
#define PN_ARENA_NEW(arena, type, n) ((type *)pn_arena_alloc_zero((arena), (n), sizeof(type)))

/* NUL-terminated copies. */
PN_NODISCARD char *pn_arena_strndup(pn_arena *arena, const char *text, size_t n);
PN_NODISCARD char *pn_arena_strdup(pn_arena *arena, const char *text);
PN_NODISCARD PN_PRINTF(2, 3) char *pn_arena_printf(pn_arena *arena, const char *format, ...);

/* What was allocated after the mark is gone after the rewind. */
pn_arena_mark pn_arena_get_mark(const pn_arena *arena);
void pn_arena_rewind(pn_arena *arena, pn_arena_mark mark);

#endif

/*
 * arena.c - bump allocation over a chain of blocks
 *
 *     head -> [header | used ......| free (poisoned) ] -> [older block] -> NULL
 *
 * Blocks double from 4 KiB to 1 MiB; a larger request gets a block of its own size. Sixteen bytes of alignment
 * serve every type and SSE; more is asked for explicitly.
 */
#include "base/arena.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#    define PN_ARENA_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define PN_ARENA_ASAN 1
#    endif
#endif
#ifdef PN_ARENA_ASAN
#    include <sanitizer/asan_interface.h>
#    define POISON(address, bytes) ASAN_POISON_MEMORY_REGION(address, bytes)
#    define UNPOISON(address, bytes) ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#else
#    define POISON(address, bytes) ((void)(address), (void)(bytes))
#    define UNPOISON(address, bytes) ((void)(address), (void)(bytes))
#endif

enum { FIRST_BLOCK_BYTES = 4096, LARGEST_USUAL_BLOCK_BYTES = 1 << 20, DEFAULT_ALIGNMENT = 16 };

struct pn_arena_block {
    pn_arena_block *older;
    size_t capacity; /* of data */
    size_t used;
    PN_ALIGNED(DEFAULT_ALIGNMENT) unsigned char data[];
};

void pn_arena_init(pn_arena *arena, size_t max_bytes)
{
    *arena = (pn_arena){.max_bytes = max_bytes};
}

static void free_newest_block(pn_arena *arena)
{
    pn_arena_block *block = arena->head;
    arena->head = block->older;
    arena->used_bytes -= sizeof *block + block->capacity;
    UNPOISON(block->data, block->capacity);
    pn_free(block);
}

void pn_arena_reset(pn_arena *arena)
{
    while (arena->head)
        free_newest_block(arena);
}

void pn_arena_clear(pn_arena *arena)
{
    pn_arena_block *kept = arena->head;
    if (!kept)
        return;
    arena->head = kept->older;
    while (arena->head)
        free_newest_block(arena);
    POISON(kept->data, kept->used);
    kept->older = NULL;
    kept->used = 0;
    arena->head = kept;
}

static bool push_block(pn_arena *arena, size_t needed)
{
    size_t left = arena->max_bytes - arena->used_bytes;
    if (left < sizeof(pn_arena_block) || left - sizeof(pn_arena_block) < needed)
        return false;
    left -= sizeof(pn_arena_block);
    size_t usual = arena->head ? arena->head->capacity * 2 : FIRST_BLOCK_BYTES;
    usual = PN_MIN(usual, (size_t)LARGEST_USUAL_BLOCK_BYTES);
    size_t capacity = PN_MIN(PN_MAX(usual, needed), left); // near the maximum: what is left
    size_t total = capacity + sizeof(pn_arena_block);
    pn_arena_block *block = pn_alloc(total);
    if (!block)
        return false;
    *block = (pn_arena_block){.older = arena->head, .capacity = capacity};
    POISON(block->data, capacity);
    arena->head = block;
    arena->used_bytes += total;
    return true;
}

/* Offset of the next aligned byte in block, or SIZE_MAX when bytes do not fit behind it. */
static size_t place(const pn_arena_block *block, size_t alignment, size_t bytes)
{
    uintptr_t address = (uintptr_t)block->data + block->used;
    size_t padding = (size_t)(-address & (alignment - 1));
    size_t end;
    if (!pn_size_add(block->used, padding, &end) || !pn_size_add(end, bytes, &end) ||
        end > block->capacity)
        return SIZE_MAX;
    return block->used + padding;
}

void *pn_arena_alloc_aligned(pn_arena *arena, size_t alignment, size_t bytes)
{
    pn_assert(alignment > 0 && alignment <= 4096 && (alignment & (alignment - 1)) == 0);
    if (bytes > PTRDIFF_MAX - alignment)
        return NULL;
    size_t at = arena->head ? place(arena->head, alignment, bytes) : SIZE_MAX;
    if (at == SIZE_MAX) {
        if (!push_block(arena, bytes + alignment))
            return NULL;
        at = place(arena->head, alignment, bytes);
        pn_assert(at != SIZE_MAX);
    }
    pn_arena_block *block = arena->head;
    block->used = at + bytes;
    UNPOISON(block->data + at, bytes);
    return block->data + at;
}

void *pn_arena_alloc(pn_arena *arena, size_t bytes)
{
    return pn_arena_alloc_aligned(arena, DEFAULT_ALIGNMENT, bytes);
}

void *pn_arena_alloc_zero(pn_arena *arena, size_t n, size_t bytes_each)
{
    size_t bytes;
    void *memory = pn_size_mul(n, bytes_each, &bytes) ? pn_arena_alloc(arena, bytes) : NULL;
    return memory ? memset(memory, 0, bytes) : NULL;
}

char *pn_arena_strndup(pn_arena *arena, const char *text, size_t n)
{
    char *copy = n == SIZE_MAX ? NULL : pn_arena_alloc_aligned(arena, 1, n + 1);
    if (copy) {
        if (n > 0)
            memcpy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

char *pn_arena_strdup(pn_arena *arena, const char *text)
{
    return pn_arena_strndup(arena, text, strlen(text));
}

char *pn_arena_printf(pn_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : pn_arena_alloc_aligned(arena, 1, (size_t)n + 1);
    if (text) {
        va_start(args, format);
        (void)vsnprintf(text, (size_t)n + 1, format, args); // the length was just measured
        va_end(args);
    }
    return text;
}

pn_arena_mark pn_arena_get_mark(const pn_arena *arena)
{
    return (pn_arena_mark){.block = arena->head, .offset = arena->head ? arena->head->used : 0};
}

void pn_arena_rewind(pn_arena *arena, pn_arena_mark mark)
{
    while (arena->head != mark.block)
        free_newest_block(arena);
    if (arena->head) {
        pn_assert(mark.offset <= arena->head->used);
        POISON(arena->head->data + mark.offset, arena->head->used - mark.offset);
        arena->head->used = mark.offset;
    }
}

/*
 * guarded.c - 64 guard bytes, the block, guard bytes
 *
 *     malloc ... | size | GUARD x 64 | block (n bytes) | GUARD x 64
 *
 * With AddressSanitizer the guards are poisoned, so that even a read is caught.
 */
#include "support/guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
#    include <sanitizer/asan_interface.h>
#else
#    define ASAN_POISON_MEMORY_REGION(at, n) ((void)0)
#    define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)0)
#endif

enum { GUARD = 64, BYTE = 0xA5 };

typedef struct {
    void *base;
    size_t n;
} header;

void *guarded_alloc(size_t n, size_t shift)
{
    uint8_t *base = malloc(n + sizeof(header) + 4 * GUARD);
    if (!base)
        fail_msg("no memory");
    uintptr_t at = ((uintptr_t)base + sizeof(header) + GUARD + 63) / 64 * 64 + shift;
    uint8_t *block = base + (at - (uintptr_t)base);
    header h = {base, n};
    memcpy(block - GUARD - sizeof h, &h, sizeof h);
    memset(block - GUARD, BYTE, GUARD);
    memset(block + n, BYTE, GUARD);
    ASAN_POISON_MEMORY_REGION(block - GUARD, GUARD);
    ASAN_POISON_MEMORY_REGION(block + n, GUARD);
    return block;
}

void guarded_free(void *memory)
{
    if (!memory)
        return;
    uint8_t *block = memory;
    header h;
    memcpy(&h, block - GUARD - sizeof h, sizeof h);
    ASAN_UNPOISON_MEMORY_REGION(block - GUARD, GUARD);
    ASAN_UNPOISON_MEMORY_REGION(block + h.n, GUARD);
    for (size_t i = 0; i < GUARD; i++)
        if (block[i - GUARD] != BYTE || block[h.n + i] != BYTE)
            fail_msg("wrote outside a block of %zu bytes", h.n);
    free(h.base);
}

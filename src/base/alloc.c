/*
 * alloc.c - malloc with a count and a fault switch
 *
 * Three relaxed atomic counters are the whole cost in release. Sizes over PTRDIFF_MAX are refused here, because
 * an overflowed multiplication usually looks like that, and some allocators would try.
 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int64_t n_live;
static _Atomic uint64_t n_asked_bytes;
static _Atomic int64_t fail_after; /* > 0: counts down to 1; negative: fails now; 0: off */

static bool refuse(size_t bytes)
{
    atomic_fetch_add_explicit(&n_asked_bytes, bytes, memory_order_relaxed);
    if (bytes > PTRDIFF_MAX)
        return true;
    if (PN_LIKELY(atomic_load_explicit(&fail_after, memory_order_relaxed) == 0))
        return false;
    if (atomic_load(&fail_after) < 0)
        return true;
    if (atomic_fetch_sub(&fail_after, 1) > 1)
        return false;
    atomic_store(&fail_after, -1);
    return true;
}

static void *counted(void *block)
{
    if (block)
        atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    return block;
}

void *pn_alloc(size_t bytes)
{
    return refuse(bytes) ? NULL : counted(malloc(bytes ? bytes : 1));
}

void *pn_alloc_zero(size_t bytes)
{
    return refuse(bytes) ? NULL : counted(calloc(1, bytes ? bytes : 1));
}

void *pn_alloc_array(size_t n, size_t bytes_each)
{
    size_t bytes;
    return pn_size_mul(n, bytes_each, &bytes) ? pn_alloc(bytes) : NULL;
}

void *pn_alloc_aligned(size_t alignment, size_t bytes)
{
    pn_assert(alignment >= sizeof(void *) && (alignment & (alignment - 1)) == 0);
    void *block = NULL;
    if (refuse(bytes) || posix_memalign(&block, alignment, bytes ? bytes : 1) != 0)
        return NULL;
    return counted(block);
}

void *pn_realloc(void *block, size_t bytes)
{
    if (!block)
        return pn_alloc(bytes);
    return refuse(bytes) ? NULL : realloc(block, bytes ? bytes : 1);
}

char *pn_strndup(const char *text, size_t n)
{
    char *copy = n == SIZE_MAX ? NULL : pn_alloc(n + 1);
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

char *pn_strdup(const char *text)
{
    return pn_strndup(text, strlen(text));
}

void pn_free(void *block)
{
    if (block)
        atomic_fetch_sub_explicit(&n_live, 1, memory_order_relaxed);
    free(block);
}

void pn_free_foreign(void *block)
{
    free(block);
}

int64_t pn_alloc_live(void)
{
    return atomic_load(&n_live);
}

uint64_t pn_alloc_asked_bytes(void)
{
    return atomic_load(&n_asked_bytes);
}

void pn_alloc_fail_after(int64_t n)
{
    atomic_store(&fail_after, n);
}

/*
 * alloc.h - the one malloc
 *
 * All memory of the house comes from here (libraries have their own). The count of live allocations lets a
 * test prove that nothing leaked, and a test can make the n-th allocation fail.
 * Threads: all functions may be called from any thread.
 */
#ifndef PN_BASE_ALLOC_H
#define PN_BASE_ALLOC_H

#include "base/compiler.h"

/* NULL when there is no memory, or when bytes is absurd (over PTRDIFF_MAX). Zero bytes give a valid pointer. */
PN_NODISCARD PN_MALLOC void *pn_alloc(size_t bytes);
PN_NODISCARD PN_MALLOC void *pn_alloc_zero(size_t bytes);

/* n * bytes_each, checked for overflow. */
PN_NODISCARD PN_MALLOC void *pn_alloc_array(size_t n, size_t bytes_each);

/* Memory whose address is a multiple of alignment (a power of two >= 8). Free with pn_free(). */
PN_NODISCARD PN_MALLOC void *pn_alloc_aligned(size_t alignment, size_t bytes);

/* As realloc; on NULL the old block is untouched and still the caller's. */
PN_NODISCARD void *pn_realloc(void *block, size_t bytes);

/* A NUL-terminated copy. */
PN_NODISCARD char *pn_strdup(const char *text);
PN_NODISCARD char *pn_strndup(const char *text, size_t n);

/* NULL is welcome. Blocks may come from any function above. */
void pn_free(void *block);

/* For a block that a library took from malloc and gave to us. */
void pn_free_foreign(void *block);

/* Allocations made and not yet freed. */
int64_t pn_alloc_live(void);

/* Bytes asked for since the process began, whether given or refused: a test takes the difference around a call to prove what
 * the call could cost at most. */
uint64_t pn_alloc_asked_bytes(void);

/* For tests: the n-th allocation from now (1 = the next) and every later one fails; 0 switches it off. */
void pn_alloc_fail_after(int64_t n);

#endif

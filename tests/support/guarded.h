/*
 * guarded.h - arrays with nothing behind them
 *
 * Room for n values in a heap block of its own that ends right behind the last one and starts `shift` bytes into an
 * allocation: under AddressSanitizer any access outside is a fault, and the start has the worst alignment a caller
 * can bring. In builds without it, guard bytes on both sides are checked by guarded_free().
 */
#ifndef PN_TESTS_SUPPORT_GUARDED_H
#define PN_TESTS_SUPPORT_GUARDED_H

#include <stddef.h>

/* n bytes that start at an address with address % 64 == shift. */
void *guarded_alloc(size_t n, size_t shift);
/* Fails the running test when a guard byte changed. NULL is welcome. */
void guarded_free(void *block);

#endif

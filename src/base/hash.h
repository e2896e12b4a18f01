/*
 * hash.h - XXH3 (xxHash library): content hashes and hash tables
 *
 * Not cryptographic: equal hashes of different pictures by accident are out of the question at 128 bits, by
 * malice they are not. Threads: pure.
 */
#ifndef PN_BASE_HASH_H
#define PN_BASE_HASH_H

#include "base/compiler.h"

uint64_t pn_hash64(const void *bytes, size_t n);

/* 128 bits as 32 lower-case hex digits and a NUL. */
#define PN_HASH_TEXT_BYTES 33
void pn_hash128_text(const void *bytes, size_t n, char out[PN_HASH_TEXT_BYTES]);

/* The same over several pieces. */
typedef struct pn_hasher pn_hasher;
PN_NODISCARD pn_hasher *pn_hasher_create(void); /* NULL: no memory */
void pn_hasher_update(pn_hasher *hasher, const void *bytes, size_t n);
void pn_hasher_text(const pn_hasher *hasher, char out[PN_HASH_TEXT_BYTES]);
void pn_hasher_free(pn_hasher *hasher);

#endif

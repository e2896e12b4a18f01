/*
 * hash.c - xxHash behind our names
 *
 * On x86-64 the library has its loops three times, for SSE2, AVX2 and AVX-512, and a header whose names choose by the
 * processor; the usual names are SSE2's. A hash is the same by all of them. On Zen 4 a thread hashes 500 MB of prepared
 * weights in 20 ms, not 95, which is every start of a program that embeds.
 */
#include "base/hash.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>
#ifdef PN_XXHASH_DISPATCHES
#    include <xxh_x86dispatch.h> // takes the place of the functions above it
#endif

struct pn_hasher {
    XXH3_state_t *state;
};

uint64_t pn_hash64(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}

static void write_text(XXH128_hash_t hash, char out[PN_HASH_TEXT_BYTES])
{
    (void)snprintf(out, PN_HASH_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64,
                   (uint64_t)hash.high64, // always 32
                   (uint64_t)hash.low64);
}

void pn_hash128_text(const void *bytes, size_t n, char out[PN_HASH_TEXT_BYTES])
{
    write_text(XXH3_128bits(bytes, n), out);
}

pn_hasher *pn_hasher_create(void)
{
    pn_hasher *hasher = pn_alloc(sizeof *hasher);
    if (!hasher)
        return NULL;
    hasher->state = XXH3_createState();
    if (!hasher->state || XXH3_128bits_reset(hasher->state) != XXH_OK) {
        pn_hasher_free(hasher);
        return NULL;
    }
    return hasher;
}

void pn_hasher_update(pn_hasher *hasher, const void *bytes, size_t n)
{
    (void)XXH3_128bits_update(hasher->state, bytes, n); // fails only for a NULL state
}

void pn_hasher_text(const pn_hasher *hasher, char out[PN_HASH_TEXT_BYTES])
{
    write_text(XXH3_128bits_digest(hasher->state), out);
}

void pn_hasher_free(pn_hasher *hasher)
{
    if (!hasher)
        return;
    (void)XXH3_freeState(hasher->state); // always XXH_OK
    pn_free(hasher);
}

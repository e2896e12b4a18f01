/*
 * weight_store.h - all prepared weights of a model in one block of memory, or in one mapped file
 *
 * Preparing weights walks over a model's parts in a fixed order and takes a piece of the store for each. The same walk runs
 * up to three ways:
 *
 *     MEASURE   how large is the block?            nothing is stored, pieces are NULL
 *     FILL      the block is there                 pieces are written to
 *     MAP       the block is a file of before      pieces are read only, and already filled
 *
 * so the order of the walk is the layout, and a file needs no table of contents.
 *
 *     file   header (one page) | block, 64-byte aligned pieces
 *
 * The file is written beside its final name and renamed: it is there whole or not at all. The header holds a key (what
 * the weights were made from, and how), a few numbers, and a hash of the block that is compared at every opening: a
 * damaged file is made anew, never used.
 * Threads: one thread walks; afterwards immutable.
 */
#ifndef PN_CLIP_WEIGHT_STORE_H
#define PN_CLIP_WEIGHT_STORE_H

#include "base/arena.h"
#include "base/hash.h"
#include "os/mapping.h"
#include "os/pool.h"

typedef enum pn_store_phase { PN_STORE_MEASURE, PN_STORE_FILL, PN_STORE_MAP } pn_store_phase;

/* What a file remembers besides the block. Plain data, written as it is. */
typedef struct pn_store_facts {
    double logit_scale;
    uint64_t n_parameters;
    uint32_t dim;
    uint32_t dtype;
    char values_hash[PN_HASH_TEXT_BYTES];
} pn_store_facts;

typedef struct pn_weight_store {
    pn_store_phase phase;
    size_t used, capacity;
    uint8_t *memory; /* FILL: owned */
    const uint8_t *block;
    pn_mapping mapping; /* MAP */
} pn_weight_store;

void pn_weight_store_init(pn_weight_store *store); /* MEASURE */
void pn_weight_store_reset(pn_weight_store *store);

/* Take a piece of n bytes. *out is NULL in MEASURE; in MAP it must not be written to. */
PN_NODISCARD pn_status pn_weight_store_take(pn_weight_store *store, size_t n, void **out,
                                            pn_error *err);
/* From MEASURE to FILL: the block of the size measured, in large pages where the system has them. */
PN_NODISCARD pn_status pn_weight_store_begin_fill(pn_weight_store *store, pn_error *err);

/*
 * Map the file at path, if it was made for this key and is undamaged: then the store is in MAP, and what it held before is
 * freed. Otherwise it stays as it is.
 * Errors: NOT_FOUND (no file, or one of another key), CORRUPT (names the fault), IO. All mean: make it anew.
 */
PN_NODISCARD pn_status pn_weight_store_map(pn_weight_store *store, const char *path,
                                           const char *key, pn_pool *pool, pn_store_facts *facts,
                                           pn_error *err);
/* Write a filled store, in place of whatever is there. What an interrupted call leaves ends in PN_WEIGHT_PART_SUFFIX. */
#define PN_WEIGHT_PART_SUFFIX ".part"
PN_NODISCARD pn_status pn_weight_store_save(const pn_weight_store *store, const char *path,
                                            const char *key, pn_pool *pool,
                                            const pn_store_facts *facts, pn_error *err);

#endif

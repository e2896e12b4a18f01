/*
 * upsert_keys.h - the keys of the rows that come, and which of them a row of the table has
 *
 * A key is the values of one or more columns. Two keys are the same when their values are, of the same type; a key with a null in it
 * is the same as none.
 * Threads: one writer, or many readers.
 */
#ifndef PN_DATASET_UPSERT_KEYS_H
#define PN_DATASET_UPSERT_KEYS_H

#include "base/buffer.h"
#include "column/array.h"

/* Keys that are kept weigh at most so much, and 32 bytes each beside it. */
#define PN_UPSERT_MAX_KEY_BYTES ((size_t)4 << 30)
#define PN_UPSERT_NO_ROW UINT32_MAX

typedef struct pn_known_key {
    uint64_t hash;
    size_t off; /* in bytes */
    uint32_t n_bytes;
    uint32_t row;
} pn_known_key;

typedef struct pn_upsert_keys {
    const pn_field **fields; /* [n_fields] of the key's columns; borrowed */
    size_t n_fields;
    pn_buffer bytes;    /* of all keys */
    pn_known_key *keys; /* owned */
    size_t n, capacity;
    uint32_t *slots; /* [n_slots] of the hash table: place in keys plus 1, or 0; owned */
    size_t n_slots;  /* a power of two */
} pn_upsert_keys;

/* INVALID: no column, one twice; UNSUPPORTED names a column whose values are no keys: what has parts. fields is borrowed. */
PN_NODISCARD pn_status pn_upsert_keys_init(pn_upsert_keys *keys, const pn_field **fields,
                                           size_t n_fields, pn_error *err);
void pn_upsert_keys_reset(pn_upsert_keys *keys); /* a zeroed one is welcome */

/* The key in row i of the columns; false: a null. Lives until the scratch changes, or as long as the columns. */
PN_NODISCARD pn_status pn_upsert_key_at(const pn_upsert_keys *keys, const pn_array *columns,
                                        size_t i, pn_buffer *scratch, pn_str *out, bool *is_null,
                                        pn_error *err);
/* Keep the key of a row that comes. INVALID names a key that is there already; LIMIT. */
PN_NODISCARD pn_status pn_upsert_keys_add(pn_upsert_keys *keys, pn_str key, uint32_t row,
                                          pn_error *err);
/* The row that has the key, or PN_UPSERT_NO_ROW. */
uint32_t pn_upsert_keys_find(const pn_upsert_keys *keys, pn_str key);

#endif

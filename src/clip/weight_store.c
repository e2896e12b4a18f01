/*
 * weight_store.c - the block, and the file it may come from
 *
 *     header page   magic[8] | format u32 | header bytes u32 | block bytes u64 | key[33] | facts | block hash[33] | header hash u64
 *     block         at 4096
 *
 * The block's hash is taken over the hashes of its megabytes, so that all threads can take part: reading every byte once
 * costs 20 ms for 300 MB, and brings the pages in that the first forward pass needs anyway.
 */
#include "clip/weight_store.h"

#include "base/alloc.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64, HEADER_BYTES = 4096, FORMAT = 1, CHUNK_BYTES = 1 << 20, PATH_BYTES = 4096 };
static const char MAGIC[8] = "PNWEIGHT";

typedef struct header {
    char magic[8];
    uint32_t format, header_bytes;
    uint64_t block_bytes;
    char key[PN_HASH_TEXT_BYTES];
    pn_store_facts facts;
    char block_hash[PN_HASH_TEXT_BYTES];
    uint64_t header_hash; /* of all that stands before it */
} header;
_Static_assert(sizeof(header) < HEADER_BYTES, "the header fits its page");

void pn_weight_store_init(pn_weight_store *store)
{
    *store = (pn_weight_store){.phase = PN_STORE_MEASURE};
}

void pn_weight_store_reset(pn_weight_store *store)
{
    pn_free(store->memory);
    pn_mapping_close(&store->mapping);
    pn_weight_store_init(store);
}

pn_status pn_weight_store_take(pn_weight_store *store, size_t n, void **out, pn_error *err)
{
    size_t end;
    if (!pn_size_add(n, ALIGNMENT - 1, &end))
        return pn_fail_nomem(err);
    end = end / ALIGNMENT * ALIGNMENT;
    if (!pn_size_add(store->used, end, &end))
        return pn_fail_nomem(err);
    if (store->phase != PN_STORE_MEASURE && end > store->capacity)
        return pn_fail(err, PN_ERR_CORRUPT, "prepared weights of %zu bytes are too few",
                       store->capacity);
    *out = NULL;
    if (store->phase != PN_STORE_MEASURE)
        *out = (void *)(uintptr_t)(store->block + store->used);
    store->used = end;
    return PN_OK;
}

pn_status pn_weight_store_begin_fill(pn_weight_store *store, pn_error *err)
{
    pn_assert(store->phase == PN_STORE_MEASURE);
    store->capacity = store->used;
    store->memory = pn_alloc_aligned(PN_LARGE_PAGE_BYTES, PN_MAX(store->capacity, (size_t)1));
    if (!store->memory)
        return pn_fail_nomem(err);
    pn_memory_use_large_pages(store->memory, store->capacity);
    store->block = store->memory;
    store->phase = PN_STORE_FILL;
    store->used = 0;
    return PN_OK;
}

/* ---- the file */

typedef struct hashing {
    const uint8_t *block;
    size_t n;
    uint64_t *hashes;
} hashing;

static void hash_chunk(void *context, size_t i, unsigned worker)
{
    (void)worker; /* every chunk has its own place */
    const hashing *h = context;
    size_t begin = i * CHUNK_BYTES;
    h->hashes[i] = pn_hash64(h->block + begin, PN_MIN((size_t)CHUNK_BYTES, h->n - begin));
}

static pn_status hash_block(const uint8_t *block, size_t n, pn_pool *pool,
                            char out[PN_HASH_TEXT_BYTES], pn_error *err)
{
    size_t chunks = n / CHUNK_BYTES + (n % CHUNK_BYTES != 0);
    hashing h = {block, n, pn_alloc_array(chunks + 1, sizeof *h.hashes)};
    if (!h.hashes)
        return pn_fail_nomem(err);
    pn_pool_for(pool, chunks, hash_chunk, &h);
    pn_hash128_text(h.hashes, chunks * sizeof *h.hashes, out);
    pn_free(h.hashes);
    return PN_OK;
}

static uint64_t hash_header(const header *h)
{
    return pn_hash64(h, offsetof(header, header_hash));
}

static pn_status check_header(const pn_mapping *m, const char *path, const char *key, header *out,
                              pn_error *err)
{
    if (m->n_bytes < HEADER_BYTES)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %zu bytes are too few", path, m->n_bytes);
    memcpy(out, m->data, sizeof *out);
    if (memcmp(out->magic, MAGIC, sizeof MAGIC) != 0 || out->header_hash != hash_header(out))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: not prepared weights", path);
    if (out->format != FORMAT || memcmp(out->key, key, sizeof out->key) != 0)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: made from other weights", path);
    if (out->block_bytes != m->n_bytes - HEADER_BYTES)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: %zu bytes, not the %" PRIu64 " it was written with", path, m->n_bytes,
                       out->block_bytes + HEADER_BYTES);
    return PN_OK;
}

static pn_status check_file(const pn_mapping *m, const char *path, const char *key, pn_pool *pool,
                            header *out, pn_error *err)
{
    char hash[PN_HASH_TEXT_BYTES];
    PN_TRY(check_header(m, path, key, out, err));
    PN_TRY(hash_block(m->data + HEADER_BYTES, m->n_bytes - HEADER_BYTES, pool, hash, err));
    if (memcmp(hash, out->block_hash, sizeof hash) != 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: its content has changed", path);
    return PN_OK;
}

pn_status pn_weight_store_map(pn_weight_store *store, const char *path, const char *key,
                              pn_pool *pool, pn_store_facts *facts, pn_error *err)
{
    pn_mapping mapping;
    header h;
    PN_TRY(pn_mapping_open(path, &mapping, err));
    pn_mapping_advise(&mapping, 0, mapping.n_bytes, PN_MAPPING_LARGE_PAGES);
    pn_status status = check_file(&mapping, path, key, pool, &h, err);
    if (status != PN_OK) {
        pn_mapping_close(&mapping);
        return status;
    }
    pn_weight_store_reset(store);
    *store = (pn_weight_store){.phase = PN_STORE_MAP,
                               .capacity = mapping.n_bytes - HEADER_BYTES,
                               .block = mapping.data + HEADER_BYTES,
                               .mapping = mapping};
    *facts = h.facts;
    return PN_OK;
}

static pn_status write_file(const pn_weight_store *store, const char *path, const header *h,
                            pn_error *err)
{
    static const uint8_t zeros[HEADER_BYTES];
    pn_fd fd;
    PN_TRY(pn_fd_open(path, PN_OPEN_REPLACE, &fd, err));
    pn_status status = pn_fd_write(fd, path, h, sizeof *h, err);
    if (status == PN_OK)
        status = pn_fd_write(fd, path, zeros, HEADER_BYTES - sizeof *h, err);
    if (status == PN_OK)
        status = pn_fd_write(fd, path, store->block, store->capacity, err);
    pn_fd_close(fd);
    return status;
}

pn_status pn_weight_store_save(const pn_weight_store *store, const char *path, const char *key,
                               pn_pool *pool, const pn_store_facts *facts, pn_error *err)
{
    header h;
    char beside[PATH_BYTES];
    uint64_t random = 0;
    memset(&h, 0, sizeof h); // padding too: the hash runs over it
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.format = FORMAT;
    h.header_bytes = HEADER_BYTES;
    h.block_bytes = store->capacity;
    memcpy(h.key, key, sizeof h.key);
    h.facts = *facts;
    PN_TRY(hash_block(store->block, store->capacity, pool, h.block_hash, err));
    h.header_hash = hash_header(&h);
    pn_random_bytes(&random, sizeof random); // two processes may do this at once
    int n = snprintf(beside, sizeof beside, "%s.%016" PRIx64 PN_WEIGHT_PART_SUFFIX, path, random);
    if (n < 0 || (size_t)n >= sizeof beside)
        return pn_fail(err, PN_ERR_LIMIT, "%s: the path is too long", path);
    pn_status status = write_file(store, beside, &h, err);
    /* No fsync: after a crash of the machine the hash tells, and the file is made anew. */
    if (status == PN_OK)
        status = pn_path_rename(beside, path, err);
    if (status != PN_OK)
        (void)(pn_path_remove(beside, NULL) == PN_OK); // nothing more can be done about it
    return status;
}

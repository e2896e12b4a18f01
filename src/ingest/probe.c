/*
 * probe.c - a sorted array of (hash of the path, hash of the content, row)
 *
 * Paths are kept as 64-bit hashes seeded twice, 128 bits in all: at three million paths a collision by accident has odds
 * of 1e-26, and a hash table of the texts would take five times the memory. The array is built once per version and
 * sorted; a look-up is a binary search under a lock that loading takes only to swap the new array in.
 */
#include "ingest/probe.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct entry {
    uint64_t path[2];
    uint64_t content; /* of the content hash's text */
    pn_row_addr addr;
    int64_t id;
} entry;

struct pn_probe {
    pthread_mutex_t mu;
    entry *entries; /* sorted by path, then address; guarded by mu */
    size_t n;       /* guarded by mu */
};

typedef struct loading {
    entry *entries;
    size_t n, capacity;
} loading;

static void hash_path(pn_str path, uint64_t out[2])
{
    char text[PN_HASH_TEXT_BYTES];
    pn_hash128_text(path.ptr ? path.ptr : "", path.len, text);
    out[0] = pn_hash64(text, 16);
    out[1] = pn_hash64(text + 16, 16);
}

pn_status pn_probe_create(pn_probe **out, pn_error *err)
{
    pn_probe *probe = pn_alloc_zero(sizeof *probe);
    if (!probe)
        return pn_fail_nomem(err);
    if (pthread_mutex_init(&probe->mu, NULL) != 0) {
        pn_free(probe);
        return pn_fail(err, PN_ERR_IO, "cannot make a lock");
    }
    *out = probe;
    return PN_OK;
}

void pn_probe_free(pn_probe *probe)
{
    if (!probe)
        return;
    pthread_mutex_destroy(&probe->mu);
    pn_free(probe->entries);
    pn_free(probe);
}

static pn_status grow(loading *into, size_t extra, pn_error *err)
{
    if (into->capacity - into->n >= extra)
        return PN_OK;
    size_t capacity = PN_MAX(into->capacity * 2, into->n + extra);
    entry *entries = pn_realloc(into->entries, capacity * sizeof *entries);
    if (!entries)
        return pn_fail_nomem(err);
    into->entries = entries;
    into->capacity = capacity;
    return PN_OK;
}

static pn_status add_batch(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                           pn_error *err)
{
    loading *into = context;
    const pn_array *path = pn_batch_column(batch, PN_COLUMN_IMAGE_PATH);
    const pn_array *hash = pn_batch_column(batch, PN_COLUMN_CONTENT_HASH);
    const pn_array *id = pn_batch_column(batch, PN_COLUMN_ID);
    PN_TRY(grow(into, batch->n_rows, err));
    for (size_t i = 0; i < batch->n_rows; i++) {
        if (!pn_array_is_valid(path, i))
            continue;
        entry *e = &into->entries[into->n++];
        hash_path(pn_array_bytes(path, i), e->path);
        e->content = 0;
        if (hash && pn_array_is_valid(hash, i)) {
            pn_str text = pn_array_bytes(hash, i);
            e->content = pn_hash64(text.ptr, text.len);
        }
        e->addr = addrs[i];
        e->id = id && pn_array_is_valid(id, i) ? pn_array_i64(id, i) : -1;
    }
    return PN_OK;
}

static int compare_paths(const uint64_t a[2], const uint64_t b[2])
{
    if (a[0] != b[0])
        return a[0] < b[0] ? -1 : 1;
    return a[1] < b[1] ? -1 : a[1] > b[1];
}

static int compare_entries(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    int order = compare_paths(a->path, b->path);
    return order != 0 ? order : (a->addr < b->addr ? -1 : a->addr > b->addr);
}

/* The columns to read, of those the table has; 0 when it has no path column. */
static size_t choose_columns(const pn_schema *schema, const char *columns[3])
{
    static const char *const wanted[] = {PN_COLUMN_IMAGE_PATH, PN_COLUMN_CONTENT_HASH,
                                         PN_COLUMN_ID};
    size_t n = 0;
    for (size_t i = 0; i < PN_COUNT_OF(wanted); i++)
        if (pn_schema_find(schema, pn_str_of(wanted[i])) >= 0)
            columns[n++] = wanted[i];
    return pn_schema_find(schema, pn_str_of(PN_COLUMN_IMAGE_PATH)) >= 0 ? n : 0;
}

pn_status pn_probe_load(pn_probe *probe, pn_engine *engine, pn_snapshot *snapshot, pn_error *err)
{
    pn_engine_info info;
    engine->info(engine->self, snapshot, &info);
    const char *columns[3];
    size_t n_columns = choose_columns(info.schema, columns);
    loading into = {0};
    pn_status status = PN_OK;
    if (n_columns > 0)
        status =
            engine->scan(engine->self, snapshot, columns, n_columns, NULL, add_batch, &into, err);
    if (status != PN_OK) {
        pn_free(into.entries);
        return status;
    }
    if (into.n > 0)
        qsort(into.entries, into.n, sizeof into.entries[0], compare_entries);
    pthread_mutex_lock(&probe->mu);
    entry *old = probe->entries;
    probe->entries = into.entries;
    probe->n = into.n;
    pthread_mutex_unlock(&probe->mu);
    pn_free(old);
    return PN_OK;
}

bool pn_probe_find(pn_probe *probe, const char *path, const char *content_hash, pn_probe_entry *out)
{
    uint64_t key[2];
    hash_path(pn_str_of(path), key);
    pthread_mutex_lock(&probe->mu);
    size_t low = 0, high = probe->n;
    while (low < high) { // the first entry behind all of this path
        size_t middle = low + (high - low) / 2;
        if (compare_paths(probe->entries[middle].path, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low > 0 && compare_paths(probe->entries[low - 1].path, key) == 0;
    if (found) {
        const entry *e = &probe->entries[low - 1];
        *out = (pn_probe_entry){.id = e->id,
                                .same_content =
                                    e->content == pn_hash64(content_hash, strlen(content_hash))};
    }
    pthread_mutex_unlock(&probe->mu);
    return found;
}

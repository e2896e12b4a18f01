/*
 * dataset.c - opening a version, and what it says of itself
 *
 * Opening reads one manifest and nothing else: data files and deletion files are opened when they are first needed, under the
 * dataset's lock, and are immutable from then on.
 */
#include "dataset/internal.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "dataset/deletion.h"
#include "lance/lance_schema.h"
#include "os/fd.h"

#include <inttypes.h>
#include <stdlib.h>

static pn_status check_flags(const Pn__Table__Manifest *m, pn_error *err)
{
    uint64_t unknown = m->reader_feature_flags & ~(uint64_t)PN_READER_FLAGS_KNOWN;
    const char *version =
        m->data_format && m->data_format->version ? m->data_format->version : "0.1";
    if (unknown != 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "the table needs features that are not supported (reader flags %" PRIu64 ")",
                       unknown);
    if (strcmp(version, "2.0") != 0 && strcmp(version, "2.1") != 0 && strcmp(version, "2.2") != 0 &&
        strcmp(version, "2.3") != 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "data files of version %s; 2.0 to 2.3 are supported", version);
    return PN_OK;
}

static pn_status take_schema(pn_dataset *dataset, pn_error *err)
{
    const Pn__Table__Manifest *m = dataset->manifest.message;
    PN_TRY(pn_lance_schema_decode(m->fields, m->n_fields, &dataset->arena, &dataset->schema, err));
    pn_kv *pairs = PN_ARENA_NEW(&dataset->arena, pn_kv, m->n_schema_metadata + 1);
    if (!pairs)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < m->n_schema_metadata; i++) {
        const Pn__Lance__KeyBytes *pair = m->schema_metadata[i];
        pairs[i].key = pair->key ? pair->key : "";
        pairs[i].value = pn_arena_strndup(
            &dataset->arena, pair->value.data ? (char *)pair->value.data : "", pair->value.len);
        if (!pairs[i].value)
            return pn_fail_nomem(err);
    }
    dataset->schema.metadata = pairs;
    dataset->schema.n_metadata = m->n_schema_metadata;
    return PN_OK;
}

static uint64_t count_bits(const uint64_t *words, uint32_t n_rows)
{
    uint64_t n = 0;
    for (size_t i = 0; i < pn_words_for_bits(n_rows); i++)
        n += pn_popcount64(words[i]);
    return n;
}

static pn_status take_fragment(pn_dataset *dataset, const Pn__Table__DataFragment *message,
                               pn_fragment *out, pn_error *err)
{
    if (message->id > UINT32_MAX || message->physical_rows > UINT32_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "fragment %" PRIu64 " with %" PRIu64 " rows", message->id,
                       message->physical_rows);
    uint64_t deleted = message->deletion_file ? message->deletion_file->num_deleted_rows : 0;
    if (deleted > message->physical_rows)
        return pn_fail(err, PN_ERR_CORRUPT, "fragment %" PRIu64 " has more deleted rows than rows",
                       message->id);
    if (message->n_files == 0 && message->physical_rows > 0)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "fragment %" PRIu64 " has %" PRIu64 " rows and no data file", message->id,
                       message->physical_rows);
    for (size_t i = 0; i < message->n_files; i++) {
        const Pn__Table__DataFile *file = message->files[i];
        if (!file->path || strstr(file->path, "..") || file->path[0] == '/' ||
            (file->has_base_id && file->base_id != 0))
            return pn_fail(err, PN_ERR_UNSUPPORTED, "data file \"%s\" outside of the table",
                           file->path ? file->path : "");
        if (file->n_fields != file->n_column_indices)
            return pn_fail(err, PN_ERR_CORRUPT,
                           "data file \"%s\" has another number of fields than columns",
                           file->path);
    }
    *out = (pn_fragment){.message = message,
                         .id = (uint32_t)message->id,
                         .n_rows = (uint32_t)message->physical_rows,
                         .n_deleted = (uint32_t)deleted};
    out->files = PN_ARENA_NEW(&dataset->arena, pn_cached_file *, message->n_files + 1);
    if (!out->files)
        return pn_fail_nomem(err);
    /* Old writers did not count: then the file must be read now. */
    if (message->deletion_file && deleted == 0) {
        PN_TRY(pn_deletion_read(dataset->path, out->id, message->deletion_file, out->n_rows,
                                &out->deleted, err));
        out->deletions_read = true;
        out->n_deleted = (uint32_t)count_bits(out->deleted, out->n_rows);
    }
    return PN_OK;
}

static int compare_ids(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* Two fragments of one id would make row addresses mean two rows. */
static pn_status check_ids(pn_dataset *dataset, pn_error *err)
{
    pn_arena_mark mark = pn_arena_get_mark(&dataset->arena);
    uint32_t *ids = PN_ARENA_NEW(&dataset->arena, uint32_t, dataset->n_fragments + 1);
    if (!ids)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < dataset->n_fragments; i++)
        ids[i] = dataset->fragments[i].id;
    qsort(ids, dataset->n_fragments, sizeof *ids, compare_ids);
    pn_status status = PN_OK;
    for (size_t i = 1; i < dataset->n_fragments && status == PN_OK; i++)
        if (ids[i] == ids[i - 1])
            status = pn_fail(err, PN_ERR_CORRUPT, "two fragments have the id %" PRIu32, ids[i]);
    pn_arena_rewind(&dataset->arena, mark);
    return status;
}

static pn_status take_fragments(pn_dataset *dataset, pn_error *err)
{
    const Pn__Table__Manifest *m = dataset->manifest.message;
    if (m->n_fragments > PN_DATASET_MAX_FRAGMENTS)
        return pn_fail(err, PN_ERR_LIMIT, "%zu fragments, the limit is %u", m->n_fragments,
                       PN_DATASET_MAX_FRAGMENTS);
    dataset->fragments = PN_ARENA_NEW(&dataset->arena, pn_fragment, m->n_fragments + 1);
    if (!dataset->fragments)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < m->n_fragments; i++) {
        /* Counted only when it has its list of files, so that a half-built dataset can be released. */
        PN_TRY(take_fragment(dataset, m->fragments[i], &dataset->fragments[i], err));
        dataset->n_fragments = i + 1;
        dataset->n_rows += dataset->fragments[i].n_rows - dataset->fragments[i].n_deleted;
    }
    return check_ids(dataset, err);
}

/* What is said of a manifest's content begins with its name. */
static pn_status name_manifest(const pn_dataset *dataset, pn_status status, pn_error *err)
{
    if (status != PN_ERR_CORRUPT && status != PN_ERR_LIMIT && status != PN_ERR_UNSUPPORTED)
        return status;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *name = pn_manifest_path(dataset->path, dataset->manifest.message->version,
                                        dataset->scheme, &arena);
    status = pn_fail_wrap(err, status, "%s: ", name ? name : dataset->path);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_dataset_from_manifest(const char *path, pn_manifest *manifest,
                                   pn_manifest_scheme scheme, pn_file_cache *cache,
                                   pn_dataset **out, pn_error *err)
{
    pn_status status = PN_OK;
    pn_dataset *dataset = pn_alloc_zero(sizeof *dataset);
    if (!dataset)
        return pn_fail_nomem(err);
    atomic_store(&dataset->n_refs, 1);
    pn_arena_init(&dataset->arena, SIZE_MAX);
    pthread_mutex_init(&dataset->mu, NULL);
    dataset->scheme = scheme;
    dataset->cache = pn_file_cache_ref(cache);
    dataset->manifest = *manifest;
    *manifest = (pn_manifest){0};
    dataset->pin.version = dataset->manifest.message->version;
    pn_file_cache_add_pin(cache, &dataset->pin);
    dataset->path = pn_strdup(path);
    if (!dataset->path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, check_flags(dataset->manifest.message, err));
    PN_GOTO(done, take_schema(dataset, err));
    PN_GOTO(done, take_fragments(dataset, err));
    *out = dataset;
    dataset = NULL;
done:
    if (status != PN_OK)
        status = name_manifest(dataset, status, err);
    pn_dataset_unref(dataset);
    return status;
}

/* What there is of a version's manifest; nothing when it is not there. */
static pn_status look_at_manifest(const char *path, uint64_t version, pn_manifest_scheme scheme,
                                  pn_file_info *out, pn_error *err)
{
    pn_arena arena;
    pn_error why = {0};
    pn_arena_init(&arena, SIZE_MAX);
    *out = (pn_file_info){0};
    const char *name = pn_manifest_path(path, version, scheme, &arena);
    pn_status status = name ? pn_path_info(name, out, &why) : pn_fail_nomem(&why);
    pn_arena_reset(&arena);
    if (status == PN_OK || status == PN_ERR_NOT_FOUND)
        return PN_OK;
    return pn_fail(err, status, "%s", why.message);
}

static pn_status open_version(const char *path, uint64_t version, const pn_version_list *list,
                              pn_file_cache *cache, pn_dataset **out, pn_error *err)
{
    pn_manifest manifest = {0};
    pn_file_info info;
    if (version == 0)
        version = list->versions[list->n - 1];
    PN_TRY(look_at_manifest(path, version, list->scheme, &info, err));
    pn_status status = pn_manifest_read(path, version, list->scheme, &manifest, err);
    if (status == PN_ERR_NOT_FOUND)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no version %" PRIu64, path, version);
    PN_TRY(status);
    status = pn_dataset_from_manifest(path, &manifest, list->scheme, cache, out, err);
    pn_manifest_free(&manifest);
    PN_TRY(status);
    atomic_store(&(*out)->manifest_bytes, info.size_bytes);
    atomic_store(&(*out)->manifest_ns, info.modified_ns);
    return PN_OK;
}

/* The newest that is listed may be cleaned up before it is opened, when somebody commits and cleans up in between: then it is not the newest. */
static pn_status open_listed(const char *path, uint64_t version, pn_file_cache *cache,
                             pn_dataset **out, pn_error *err)
{
    enum { MAX_TRIES = 8 };
    pn_status status = PN_ERR_NOT_FOUND;
    bool is_listed = true;
    for (int i = 0; i < MAX_TRIES && status == PN_ERR_NOT_FOUND && is_listed; i++) {
        pn_arena arena;
        pn_version_list list;
        pn_arena_init(&arena, SIZE_MAX);
        status = pn_manifest_list(path, &arena, &list, err);
        is_listed = status == PN_OK && version == 0;
        if (status == PN_OK)
            status = open_version(path, version, &list, cache, out, err);
        pn_arena_reset(&arena);
    }
    return status;
}

pn_status pn_dataset_open(const char *path, uint64_t version, pn_dataset **out, pn_error *err)
{
    pn_file_cache *cache;
    PN_TRY(pn_file_cache_create(&cache, err));
    pn_status status = open_listed(path, version, cache, out, err);
    pn_file_cache_unref(cache);
    return status;
}

static pn_status version_exists(const pn_dataset *dataset, uint64_t version, pn_arena *scratch,
                                bool *out, pn_error *err)
{
    char *path = pn_manifest_path(dataset->path, version, dataset->scheme, scratch);
    if (!path)
        return pn_fail_nomem(err);
    *out = pn_path_exists(path);
    pn_arena_reset(scratch);
    return PN_OK;
}

/* Of our own manifest, under its name: the file that it was, none, or another. */
typedef enum manifest_state { MANIFEST_KEPT, MANIFEST_GONE, MANIFEST_OTHER } manifest_state;

/* One that was committed here is looked at for the first time now. */
static pn_status find_own(pn_dataset *dataset, manifest_state *out, pn_error *err)
{
    pn_file_info info;
    uint64_t bytes = atomic_load(&dataset->manifest_bytes);
    PN_TRY(
        look_at_manifest(dataset->path, pn_dataset_version(dataset), dataset->scheme, &info, err));
    bool is_kept =
        bytes == info.size_bytes && atomic_load(&dataset->manifest_ns) == info.modified_ns;
    *out = info.size_bytes == 0 ? MANIFEST_GONE : is_kept ? MANIFEST_KEPT : MANIFEST_OTHER;
    if (bytes == 0 && info.size_bytes > 0) {
        atomic_store(&dataset->manifest_ns, info.modified_ns);
        atomic_store(&dataset->manifest_bytes, info.size_bytes);
        *out = MANIFEST_KEPT;
    }
    return PN_OK;
}

/*
 * The newest version, 0 when only a list of the folder can tell. Versions have no gaps where they are made, so the next one's
 * absence says that ours is the newest; unless a clean-up removed the versions in between: then the hint knows more. Who inserts row
 * by row leaves thousands of versions, which nobody wants to list for each of them.
 *
 * *is_replaced: the table was removed and another one made in its place, or none. Its versions say nothing about ours. Ours may be gone
 * by a clean-up, too, but then there are later ones.
 */
static pn_status find_newest(pn_dataset *dataset, uint64_t *out, bool *is_replaced, pn_error *err)
{
    enum { MAX_STEPS = 64 };
    pn_arena scratch;
    uint64_t at = pn_dataset_version(dataset), hint = pn_manifest_hint(dataset->path);
    bool there = true;
    manifest_state own;
    *out = 0;
    PN_TRY(find_own(dataset, &own, err));
    *is_replaced = own == MANIFEST_OTHER;
    if (*is_replaced)
        return PN_OK;
    pn_status status = PN_OK;
    pn_arena_init(&scratch, SIZE_MAX);
    if (hint > at)
        PN_GOTO(done, version_exists(dataset, hint, &scratch, &there, err));
    if (!there)
        goto done;
    at = PN_MAX(at, hint);
    for (int i = 0; i < MAX_STEPS && there; i++) {
        PN_GOTO(done, version_exists(dataset, at + 1, &scratch, &there, err));
        at += there;
    }
    *is_replaced = own == MANIFEST_GONE && at == pn_dataset_version(dataset);
    *out = there || *is_replaced ? 0 : at;
done:
    pn_arena_reset(&scratch);
    return status;
}

bool pn_dataset_is_kin(const pn_dataset *a, const pn_dataset *b)
{
    return a->cache == b->cache;
}

pn_status pn_dataset_latest(pn_dataset *dataset, pn_dataset **out, pn_error *err)
{
    uint64_t newest;
    bool is_replaced;
    PN_TRY(find_newest(dataset, &newest, &is_replaced, err));
    if (is_replaced)
        return pn_dataset_open(dataset->path, 0, out, err);
    if (newest == pn_dataset_version(dataset)) {
        *out = pn_dataset_ref(dataset);
        return PN_OK;
    }
    if (newest == 0)
        return open_listed(dataset->path, 0, dataset->cache, out, err);
    const pn_version_list known = {.scheme = dataset->scheme};
    pn_status status = open_version(dataset->path, newest, &known, dataset->cache, out, err);
    if (status == PN_ERR_NOT_FOUND) // cleaned up now
        status = open_listed(dataset->path, 0, dataset->cache, out, err);
    return status;
}

pn_dataset *pn_dataset_ref(pn_dataset *dataset)
{
    atomic_fetch_add(&dataset->n_refs, 1);
    return dataset;
}

void pn_dataset_unref(pn_dataset *dataset)
{
    if (!dataset || atomic_fetch_sub(&dataset->n_refs, 1) != 1)
        return;
    for (size_t i = 0; i < dataset->n_fragments; i++) {
        pn_fragment *fragment = &dataset->fragments[i];
        for (size_t f = 0; f < fragment->message->n_files; f++)
            pn_file_cache_release(dataset->cache, fragment->files[f]);
        pn_free(fragment->deleted);
    }
    pn_manifest_free(&dataset->manifest);
    pn_file_cache_remove_pin(dataset->cache, &dataset->pin);
    pn_file_cache_unref(dataset->cache);
    pthread_mutex_destroy(&dataset->mu);
    pn_arena_reset(&dataset->arena);
    pn_free(dataset->path);
    pn_free(dataset);
}

pn_status pn_dataset_pinned(const pn_dataset *dataset, pn_arena *arena, uint64_t **versions,
                            size_t *n, pn_error *err)
{
    return pn_file_cache_pins(dataset->cache, arena, versions, n, err);
}

const char *pn_dataset_path(const pn_dataset *dataset)
{
    return dataset->path;
}

uint64_t pn_dataset_version(const pn_dataset *dataset)
{
    return dataset->manifest.message->version;
}

int64_t pn_dataset_timestamp_ms(const pn_dataset *dataset)
{
    return pn_manifest_time_ms(dataset->manifest.message);
}

const pn_schema *pn_dataset_schema(const pn_dataset *dataset)
{
    return &dataset->schema;
}

uint64_t pn_dataset_count_rows(const pn_dataset *dataset)
{
    return dataset->n_rows;
}

uint64_t pn_dataset_data_bytes(const pn_dataset *dataset)
{
    uint64_t total = 0;
    for (size_t i = 0; i < dataset->n_fragments; i++)
        for (size_t f = 0; f < dataset->fragments[i].message->n_files; f++)
            total += dataset->fragments[i].message->files[f]->size;
    return total;
}

size_t pn_dataset_n_fragments(const pn_dataset *dataset)
{
    return dataset->n_fragments;
}

void pn_dataset_fragment(const pn_dataset *dataset, size_t fragment_i, pn_fragment_info *out)
{
    const pn_fragment *fragment = &dataset->fragments[fragment_i];
    *out = (pn_fragment_info){
        .id = fragment->id, .physical_rows = fragment->n_rows, .deleted_rows = fragment->n_deleted};
}

size_t pn_dataset_find_fragment(const pn_dataset *dataset, uint32_t fragment_id)
{
    for (size_t i = 0; i < dataset->n_fragments; i++)
        if (dataset->fragments[i].id == fragment_id)
            return i;
    return SIZE_MAX;
}

pn_status pn_dataset_deletions(pn_dataset *dataset, size_t fragment_i, const uint64_t **words,
                               pn_error *err)
{
    pn_fragment *fragment = &dataset->fragments[fragment_i];
    pn_status status = PN_OK;
    pthread_mutex_lock(&dataset->mu);
    if (!fragment->deletions_read && fragment->message->deletion_file)
        status = pn_deletion_read(dataset->path, fragment->id, fragment->message->deletion_file,
                                  fragment->n_rows, &fragment->deleted, err);
    if (status == PN_OK) {
        fragment->deletions_read = true;
        *words = fragment->deleted;
    }
    pthread_mutex_unlock(&dataset->mu);
    return status;
}

/* ---- versions ---- */

static pn_growth growth_by(const Pn__Table__Transaction *transaction)
{
    switch (pn_transaction_operation(transaction)) { // PN_OPERATION_OURS is one of them
    case PN_OPERATION_DELETE:
    case PN_OPERATION_REWRITE:
    case PN_OPERATION_PROJECT:
    case PN_OPERATION_CREATE_INDEX:
    case PN_OPERATION_CONFIG:
    case PN_OPERATION_RESERVE:
        return PN_GROWTH_NONE;
    case PN_OPERATION_APPEND:
    case PN_OPERATION_UPDATE:
        return PN_GROWTH_ADDED;
    case PN_OPERATION_MERGE:
    case PN_OPERATION_OVERWRITE:
    case PN_OPERATION_RESTORE:
    case PN_OPERATION_REPLACE_DATA:
    case PN_OPERATION_OVERLAY:
    case PN_OPERATION_MEM_WAL:
    case PN_OPERATION_REUSE:
    case PN_OPERATION_CLONE:
    case PN_OPERATION_BASES:
    case PN_OPERATION_UNKNOWN:
    case PN_OPERATION_COUNT:
        break;
    }
    return PN_GROWTH_UNKNOWN;
}

pn_status pn_dataset_growth(const pn_dataset *dataset, uint64_t since, pn_growth *out,
                            pn_error *err)
{
    enum { MAX_VERSIONS = 64 };
    uint64_t version = pn_dataset_version(dataset);
    *out = since <= version && version - since <= MAX_VERSIONS ? PN_GROWTH_NONE : PN_GROWTH_UNKNOWN;
    if (version > since)
        *out = PN_MAX(*out, growth_by(dataset->manifest.transaction));
    for (version--; version > since && *out != PN_GROWTH_UNKNOWN; version--) {
        pn_manifest manifest;
        pn_error ignored = {0};
        pn_status status =
            pn_manifest_read(dataset->path, version, dataset->scheme, &manifest, &ignored);
        if (status == PN_ERR_NOMEM)
            return pn_fail_nomem(err);
        *out = status == PN_OK ? PN_MAX(*out, growth_by(manifest.transaction)) : PN_GROWTH_UNKNOWN;
        if (status == PN_OK)
            pn_manifest_free(&manifest);
    }
    return PN_OK;
}

pn_status pn_dataset_list_versions(const char *path, pn_arena *arena, pn_version_info **out,
                                   size_t *n, pn_error *err)
{
    pn_version_list list;
    PN_TRY(pn_manifest_list(path, arena, &list, err));
    pn_version_info *versions = PN_ARENA_NEW(arena, pn_version_info, list.n);
    if (!versions)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < list.n; i++) {
        pn_manifest manifest;
        PN_TRY(pn_manifest_read(path, list.versions[i], list.scheme, &manifest, err));
        const Pn__Table__Manifest *m = manifest.message;
        versions[i].version = list.versions[i];
        versions[i].timestamp_ms = pn_manifest_time_ms(m);
        versions[i].operation = pn_transaction_name(manifest.transaction);
        versions[i].n_rows = pn_manifest_rows(m);
        pn_manifest_free(&manifest);
    }
    *out = versions;
    *n = list.n;
    return PN_OK;
}

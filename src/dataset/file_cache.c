/*
 * file_cache.c - a list of open files with counts
 *
 * A table has tens to thousands of data files; a linear search by name under one lock costs less than the open it saves. The
 * vectors of a column that cannot be mapped (nullable, small, or compressed) are decoded once and kept: a search asks for them
 * every time.
 */
#include "dataset/file_cache.h"

#include "base/alloc.h"
#include "os/dir.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct vectors {
    int32_t column, dim;
    pn_vector_run *runs;
    size_t n_runs;
    struct vectors *next;
} vectors;

struct pn_cached_file {
    char *name;
    pn_lance_file *file;
    unsigned n_refs;
    pn_arena arena;   /* of vectors */
    vectors *vectors; /* guarded by the cache's mu */
    pn_cached_file *next;
};

struct pn_file_cache {
    _Atomic unsigned n_refs;
    pthread_mutex_t mu;
    pn_cached_file *first; /* guarded by mu */
    pn_version_pin *pins;  /* likewise */
};

pn_status pn_file_cache_create(pn_file_cache **out, pn_error *err)
{
    pn_file_cache *cache = pn_alloc_zero(sizeof *cache);
    if (!cache)
        return pn_fail_nomem(err);
    if (pthread_mutex_init(&cache->mu, NULL) != 0) {
        pn_free(cache);
        return pn_fail(err, PN_ERR_IO, "cannot make a lock");
    }
    atomic_store(&cache->n_refs, 1);
    *out = cache;
    return PN_OK;
}

pn_file_cache *pn_file_cache_ref(pn_file_cache *cache)
{
    atomic_fetch_add(&cache->n_refs, 1);
    return cache;
}

static void free_file(pn_cached_file *file)
{
    pn_lance_file_close(file->file);
    pn_arena_reset(&file->arena);
    pn_free(file->name);
    pn_free(file);
}

void pn_file_cache_unref(pn_file_cache *cache)
{
    if (!cache || atomic_fetch_sub(&cache->n_refs, 1) != 1)
        return;
    while (cache->first) {
        pn_cached_file *file = cache->first;
        cache->first = file->next;
        free_file(file);
    }
    pthread_mutex_destroy(&cache->mu);
    pn_free(cache);
}

/* ---- versions ---- */

void pn_file_cache_add_pin(pn_file_cache *cache, pn_version_pin *pin)
{
    pthread_mutex_lock(&cache->mu);
    pin->before = NULL;
    pin->next = cache->pins;
    if (cache->pins)
        cache->pins->before = pin;
    cache->pins = pin;
    pthread_mutex_unlock(&cache->mu);
}

void pn_file_cache_remove_pin(pn_file_cache *cache, pn_version_pin *pin)
{
    pthread_mutex_lock(&cache->mu);
    if (pin->before)
        pin->before->next = pin->next;
    else
        cache->pins = pin->next;
    if (pin->next)
        pin->next->before = pin->before;
    pthread_mutex_unlock(&cache->mu);
}

pn_status pn_file_cache_pins(pn_file_cache *cache, pn_arena *arena, uint64_t **versions, size_t *n,
                             pn_error *err)
{
    size_t count = 0;
    pthread_mutex_lock(&cache->mu);
    for (const pn_version_pin *pin = cache->pins; pin; pin = pin->next)
        count++;
    uint64_t *list = PN_ARENA_NEW(arena, uint64_t, count + 1);
    *n = 0;
    for (const pn_version_pin *pin = cache->pins; pin && list; pin = pin->next)
        list[(*n)++] = pin->version;
    pthread_mutex_unlock(&cache->mu);
    *versions = list;
    return list ? PN_OK : pn_fail_nomem(err);
}

/* ---- files ---- */

static pn_status open_file(const char *table, const char *name, pn_cached_file **out, pn_error *err)
{
    pn_status status = PN_OK;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_cached_file *file = pn_alloc_zero(sizeof *file);
    char *path = pn_arena_printf(&arena, "%s/data/%s", table, name);
    if (!file || !path)
        PN_GOTO(done, pn_fail_nomem(err));
    pn_arena_init(&file->arena, SIZE_MAX);
    file->name = pn_strdup(name);
    if (!file->name)
        PN_GOTO(done, pn_fail_nomem(err));
    status = pn_lance_file_open(path, &file->file, err);
    if (status == PN_ERR_NOT_FOUND) // the table is there, a part of it is not
        status = pn_fail_wrap(err, PN_ERR_CORRUPT, "a data file of the version is missing: ");
    if (status != PN_OK)
        goto done;
    file->n_refs = 1;
    *out = file;
    file = NULL;
done:
    if (file)
        free_file(file);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_file_cache_open(pn_file_cache *cache, const char *table, const char *name,
                             pn_cached_file **out, pn_error *err)
{
    pn_status status = PN_OK;
    pthread_mutex_lock(&cache->mu);
    pn_cached_file *file = cache->first;
    while (file && strcmp(file->name, name) != 0)
        file = file->next;
    if (file) {
        file->n_refs++;
    } else {
        status = open_file(table, name, &file, err);
        if (status == PN_OK) {
            file->next = cache->first;
            cache->first = file;
        }
    }
    pthread_mutex_unlock(&cache->mu);
    if (status == PN_OK)
        *out = file;
    return status;
}

void pn_file_cache_release(pn_file_cache *cache, pn_cached_file *file)
{
    if (!file)
        return;
    pthread_mutex_lock(&cache->mu);
    bool last = --file->n_refs == 0;
    if (last) {
        pn_cached_file **at = &cache->first;
        while (*at != file)
            at = &(*at)->next;
        *at = file->next;
    }
    pthread_mutex_unlock(&cache->mu);
    if (last)
        free_file(file);
}

pn_lance_file *pn_cached_file_get(const pn_cached_file *file)
{
    return file->file;
}

static pn_status add_run(pn_cached_file *file, vectors *v, uint64_t first, uint64_t n,
                         const float *values, pn_error *err)
{
    _Atomic uint8_t *units = PN_ARENA_NEW(&file->arena, _Atomic uint8_t, (size_t)(n / 64 + 1));
    if (!units)
        return pn_fail_nomem(err);
    v->runs[v->n_runs++] = (pn_vector_run){(uint32_t)first, (uint32_t)n, values, units};
    return PN_OK;
}

static pn_status map_runs(pn_cached_file *file, vectors *v, bool *mappable, pn_error *err)
{
    pn_lance_run *mapped;
    size_t n;
    PN_TRY(pn_lance_file_map_vectors(file->file, v->column, v->dim, &file->arena, &mapped, &n,
                                     mappable, err));
    if (!*mappable)
        return PN_OK;
    v->runs = PN_ARENA_NEW(&file->arena, pn_vector_run, n + 1);
    if (!v->runs)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        PN_TRY(add_run(file, v, mapped[i].first_row, mapped[i].n_rows, mapped[i].vectors, err));
    return PN_OK;
}

/* Rows [first, first + n) as floats; a null row becomes NaN, which no search returns. A window of nulls makes no run: it
 * costs the file nothing and must not cost us anything. */
static pn_status decode_window(pn_cached_file *file, const pn_field *field, vectors *v,
                               uint64_t first, size_t n, pn_lance_memo *memo, pn_arena *scratch,
                               pn_error *err)
{
    pn_array array;
    size_t dim = (size_t)v->dim, n_valid = 0;
    PN_TRY(
        pn_lance_file_read(file->file, field, &v->column, 1, first, n, memo, scratch, &array, err));
    for (size_t i = 0; i < n; i++)
        n_valid += pn_array_is_valid(&array, i);
    if (n_valid == 0)
        return PN_OK;
    float *values = pn_arena_alloc_aligned(&file->arena, 64, n * dim * sizeof(float) + 64);
    if (!values)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        bool valid = pn_array_is_valid(&array, i);
        for (size_t k = 0; k < dim; k++) {
            bool item = valid && pn_array_is_valid(&array.children[0], i * dim + k);
            values[i * dim + k] = item ? pn_array_floats(&array, i)[k] : NAN;
        }
    }
    return add_run(file, v, first, n, values, err);
}

/* In windows of some megabytes, so that what is in hand twice stays small. */
static pn_status decode_runs(pn_cached_file *file, const pn_field *field, vectors *v, pn_error *err)
{
    enum { WINDOW_BYTES = 16 << 20 };
    uint64_t n_rows = pn_lance_file_rows(file->file);
    size_t window = PN_MAX((size_t)WINDOW_BYTES / ((size_t)v->dim * sizeof(float)), 1u);
    pn_lance_memo *memo;
    v->runs = PN_ARENA_NEW(&file->arena, pn_vector_run, (size_t)(n_rows / window) + 1);
    if (!v->runs)
        return pn_fail_nomem(err);
    PN_TRY(pn_lance_memo_create(&memo, err));
    pn_status status = PN_OK;
    for (uint64_t first = 0; first < n_rows && status == PN_OK; first += window) {
        pn_arena scratch;
        pn_arena_init(&scratch, SIZE_MAX);
        status = decode_window(file, field, v, first, (size_t)PN_MIN(window, n_rows - first), memo,
                               &scratch, err);
        pn_arena_reset(&scratch);
    }
    pn_lance_memo_free(memo);
    return status;
}

static pn_status make_vectors(pn_cached_file *file, const pn_field *field, int32_t column,
                              vectors **out, pn_error *err)
{
    bool mappable;
    vectors *v = PN_ARENA_NEW(&file->arena, vectors, 1);
    if (!v)
        return pn_fail_nomem(err);
    v->column = column;
    v->dim = field->size;
    PN_TRY(map_runs(file, v, &mappable, err));
    if (!mappable)
        PN_TRY(decode_runs(file, field, v, err));
    v->next = file->vectors;
    file->vectors = v;
    *out = v;
    return PN_OK;
}

pn_status pn_cached_file_vectors(pn_file_cache *cache, pn_cached_file *file, const pn_field *field,
                                 int32_t column, const pn_vector_run **runs, size_t *n_runs,
                                 pn_error *err)
{
    pn_status status = PN_OK;
    pthread_mutex_lock(&cache->mu);
    vectors *v = file->vectors;
    while (v && (v->column != column || v->dim != field->size))
        v = v->next;
    if (!v)
        status = make_vectors(file, field, column, &v, err);
    if (status == PN_OK) {
        *runs = v->runs;
        *n_runs = v->n_runs;
    }
    pthread_mutex_unlock(&cache->mu);
    return status;
}

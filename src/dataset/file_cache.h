/*
 * file_cache.h - open data files, shared between versions
 *
 * Data files never change, so a file opened for one version serves all. A file is closed when the last version that uses
 * it is released. Threads: any.
 */
#ifndef PN_DATASET_FILE_CACHE_H
#define PN_DATASET_FILE_CACHE_H

#include "dataset/dataset.h"
#include "lance/lance_reader.h"

typedef struct pn_file_cache pn_file_cache;
typedef struct pn_cached_file pn_cached_file;

PN_NODISCARD pn_status pn_file_cache_create(pn_file_cache **out, pn_error *err);
pn_file_cache *pn_file_cache_ref(pn_file_cache *cache);
void pn_file_cache_unref(pn_file_cache *cache); /* NULL is welcome */

/* A version that somebody has open. It lies with the version; the cache only lists it. */
typedef struct pn_version_pin {
    uint64_t version;
    struct pn_version_pin *before, *next; /* guarded by the cache */
} pn_version_pin;
void pn_file_cache_add_pin(pn_file_cache *cache, pn_version_pin *pin);
void pn_file_cache_remove_pin(pn_file_cache *cache, pn_version_pin *pin);
/* Their versions, in arena. NOMEM. */
PN_NODISCARD pn_status pn_file_cache_pins(pn_file_cache *cache, pn_arena *arena,
                                          uint64_t **versions, size_t *n, pn_error *err);

/* Open <table>/data/<name>, or one more reference to it. */
PN_NODISCARD pn_status pn_file_cache_open(pn_file_cache *cache, const char *table, const char *name,
                                          pn_cached_file **out, pn_error *err);
void pn_file_cache_release(pn_file_cache *cache, pn_cached_file *file); /* NULL is welcome */
pn_lance_file *pn_cached_file_get(const pn_cached_file *file);

/* The vectors of a column as runs, mapped or decoded once; they live with the file. field must outlive the call only. */
PN_NODISCARD pn_status pn_cached_file_vectors(pn_file_cache *cache, pn_cached_file *file,
                                              const pn_field *field, int32_t column,
                                              const pn_vector_run **runs, size_t *n_runs,
                                              pn_error *err);

#endif

/*
 * internal.h - what a pinned version is made of
 */
#ifndef PN_DATASET_INTERNAL_H
#define PN_DATASET_INTERNAL_H

#include "dataset/dataset.h"
#include "dataset/file_cache.h"
#include "dataset/manifest.h"
#include "dataset/transaction.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct pn_fragment {
    const Pn__Table__DataFragment *message;
    uint32_t id, n_rows, n_deleted;
    pn_cached_file *
        *files;          /* [message->n_files]; opened on first use; guarded by the dataset's mu */
    uint64_t *deleted;   /* words; NULL: none, or not read yet; guarded by mu until set */
    bool deletions_read; /* guarded by mu */
} pn_fragment;

struct pn_dataset {
    _Atomic unsigned n_refs;
    char *path;
    pn_file_cache *cache;
    pn_version_pin pin;
    pn_manifest manifest;
    pn_manifest_scheme scheme;
    pn_arena arena; /* schema, fragments */
    pn_schema schema;
    pn_fragment *fragments;
    size_t n_fragments;
    uint64_t n_rows;
    pthread_mutex_t mu;
    /* Of the manifest's file when it was read: another one of that name is another table's. 0: not looked at yet */
    _Atomic uint64_t manifest_bytes;
    _Atomic int64_t manifest_ns;
};

/* Where the leaves of a top-level field are in a fragment. */
typedef struct pn_placement {
    pn_lance_file *file;   /* NULL: in none, all null */
    int32_t *leaf_columns; /* [n_leaves] */
    size_t n_leaves;
} pn_placement;

/* Open what is needed. leaf_columns is in arena. */
PN_NODISCARD pn_status pn_fragment_place(pn_dataset *dataset, size_t fragment_i,
                                         const pn_field *field, pn_arena *arena, pn_placement *out,
                                         pn_error *err);
/* Rows [first, first + n), or chosen ascending rows, of one field. memo may be NULL (lance_reader.h). */
PN_NODISCARD pn_status pn_fragment_read(pn_dataset *dataset, size_t fragment_i,
                                        const pn_field *field, uint64_t first, uint64_t n,
                                        pn_lance_memo *memo, pn_arena *arena, pn_array *out,
                                        pn_error *err);
PN_NODISCARD pn_status pn_fragment_take(pn_dataset *dataset, size_t fragment_i,
                                        const pn_field *field, const uint64_t *rows, size_t n,
                                        pn_lance_memo *memo, pn_arena *arena, pn_array *out,
                                        pn_error *err);

/* Open a version whose manifest was read already, sharing a cache (with its own reference). Takes the manifest over. */
PN_NODISCARD pn_status pn_dataset_from_manifest(const char *path, pn_manifest *manifest,
                                                pn_manifest_scheme scheme, pn_file_cache *cache,
                                                pn_dataset **out, pn_error *err);

/* Index of a fragment by its id, or SIZE_MAX. */
size_t pn_dataset_find_fragment(const pn_dataset *dataset, uint32_t fragment_id);

#define PN_FLAG_DELETIONS 1u
#define PN_FLAG_STABLE_ROW_IDS 2u
#define PN_FLAG_NO_TRANSACTION_FILES 32u
/* 1 deletions, 2 stable row ids, 4 an old mark, 8 table config, 16 base paths, 32 no transaction file. */
#define PN_READER_FLAGS_KNOWN (1u | 2u | 4u | 8u | 32u)
#define PN_WRITER_FLAGS_KNOWN (1u | 2u | 4u | 8u | 32u)

#endif

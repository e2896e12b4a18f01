/*
 * ingest.h - pictures in
 *
 *     source  ->  [files]  ->  decoders  ->  [decoded]  ->  embedders  ->  [embedded]  ->  collect, commit
 *     1 thread    bounded      n threads     bounded        n threads      bounded         the calling thread
 *
 * What is committed no crash can lose; what is not is simply ingested again the next time.
 */
#ifndef PN_INGEST_INGEST_H
#define PN_INGEST_INGEST_H

#include "collection/engine.h"
#include "embed/embedder.h"
#include "ingest/path_locks.h"
#include "ingest/source.h"

#define PN_INGEST_COMMIT_ROWS_DEFAULT 1024
#define PN_INGEST_COMMIT_ROWS_MAX 65536
#define PN_INGEST_COMMIT_SECONDS_DEFAULT 10.0

typedef struct pn_ingest_counts {
    uint64_t n_found;
    bool sources_done;
    uint64_t n_added, n_updated, n_unchanged, n_failed, n_committed, bytes_read;
    double seconds;
} pn_ingest_counts;

typedef struct pn_ingest_settings {
    pn_source_options source;
    uint32_t thumbnail_px; /* 0: none */
    size_t commit_rows;    /* 0: the default */
    double commit_seconds; /* 0: the default */
    unsigned n_decoders;   /* at least 1 */
    const char *root;      /* files outside of this folder are refused; NULL: none are */
    /* What pn_ingest_one() holds of its path between its look at the table and its commit, so that two uploads of one path make
     * one row; NULL: the caller sees to that. */
    pn_path_locks *paths;
    void (*progress)(void *context, const pn_ingest_counts *counts);
    void (*failed)(void *context, const char *path, pn_status status, const char *reason);
    bool (*cancelled)(void *context);
    void *context;
} pn_ingest_settings;

/* Take the sources' pictures into the table. *counts is filled in every case.
 * Errors: NOT_FOUND and IO of a source or the table; INVALID; CANCELLED. A picture that fails is counted and reported. */
PN_NODISCARD pn_status pn_ingest_run(pn_engine *engine, pn_embedder *embedder,
                                     const char *const *sources, size_t n_sources,
                                     const pn_ingest_settings *settings, pn_ingest_counts *counts,
                                     pn_error *err);

typedef enum pn_ingest_outcome {
    PN_INGEST_ADDED,
    PN_INGEST_UPDATED,
    PN_INGEST_UNCHANGED
} pn_ingest_outcome;

/* A picture from memory; everything is borrowed. */
typedef struct pn_ingest_picture {
    const char *path; /* names it; need not exist */
    const void *bytes;
    size_t n_bytes;
    const pn_kv *metadata;
    size_t n_metadata;
} pn_ingest_picture;

/* One picture from memory, committed on return. *id is the value of its id column (-1 in a table without ids).
 * Threads: any number of these at once. */
PN_NODISCARD pn_status pn_ingest_one(pn_engine *engine, pn_embedder *embedder,
                                     const pn_ingest_picture *picture,
                                     const pn_ingest_settings *settings, pn_ingest_outcome *outcome,
                                     int64_t *id, pn_error *err);

#endif

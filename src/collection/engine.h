/*
 * engine.h - the door every storage engine implements
 *
 * ingest and search speak to a table only through this struct of functions: the local Lance engine now, others later.
 * A snapshot is one pinned version: consistent whatever is committed meanwhile, shared between threads, counted.
 * Threads: all functions may be called from any thread.
 */
#ifndef PN_COLLECTION_ENGINE_H
#define PN_COLLECTION_ENGINE_H

#include "base/topk.h"
#include "collection/image_schema.h"
#include "column/array.h"
#include "column/rowset.h"
#include "os/pool.h"

typedef struct pn_snapshot pn_snapshot; /* of the engine that made it */

typedef struct pn_engine_search {
    const float *query; /* [dim], unit length */
    size_t k;
    const char *
        filter; /* filter language, NULL: every row. Applied before the search: k rows whenever k pass */
    const _Atomic bool *cancel; /* NULL, or a flag to stop */
    bool exact;                 /* look at every row */
    float min_recall;    /* of the k nearest, how many at least on average; 0: 0.95, 1: exact */
    uint32_t partitions; /* of each index that are looked at; 0: as min_recall asks */
    uint32_t refine;     /* look for so many times k, of which the best are returned; 0: k */
} pn_engine_search;

typedef struct pn_engine_search_stats {
    uint64_t n_rows;     /* of the snapshot */
    uint64_t n_matching; /* that pass the filter */
    uint64_t n_scanned;  /* vectors compared, exactly or by their codes */
    int64_t filter_ns, scan_ns;
    const char *plan; /* "exact", "index", and either with ", prefiltered": a constant */
    float recall;     /* expected; 0 when nobody knows */
    uint64_t n_partitions;
    size_t n_indexes; /* that were asked */
} pn_engine_search_stats;

typedef struct pn_engine_info {
    uint64_t version, n_rows, n_fragments, data_bytes;
    uint64_t n_small; /* fragments of fewer than 1000 rows */
    int64_t timestamp_ms;
    uint32_t dim;
    const pn_schema *schema; /* lives with the snapshot */
} pn_engine_info;

typedef struct pn_engine_index_options {
    bool all;        /* one index of the whole table, instead of one of what needs it */
    bool is_wanted;  /* also where a scan is quick: by default small tables have no index */
    bool low_memory; /* as in pn_index_build_options; without all, also where the largest is so */
    bool lancedb;    /* in LanceDB's format, a version of the table, of all rows; without texts */
    size_t n_partitions;
    const float *texts; /* [n_texts][dim]; kept beside the indexes. NULL: those that were kept */
    size_t n_texts;
    pn_pool *pool; /* NULL: the calling thread alone */
    const _Atomic bool *cancel;
    void (*progress)(void *context, const char *stage, double done);
    void *context;
} pn_engine_index_options;

typedef struct pn_engine_index_report {
    uint64_t n_rows;   /* of the index that was built; 0: none was needed */
    size_t n_replaced; /* older ones that went away */
    uint64_t table_version;
} pn_engine_index_report;

/* One index file, and what it is worth to a snapshot. */
typedef struct pn_engine_index {
    const char *path;
    uint64_t file_bytes, table_version;
    uint64_t n_listed; /* rows when it was built */
    uint64_t n_rows;   /* that it still answers for */
    size_t n_partitions;
    bool has_texts, has_copies;
} pn_engine_index;

/* One that LanceDB made, and what it is worth beside the engine's own. */
typedef struct pn_engine_lance_index {
    const char *name;
    const char *refused; /* why it is not used; NULL: it is, and what follows is known */
    const char *kind, *metric;
    uint64_t file_bytes;
    uint64_t n_rows; /* that it answers for, and no index of the engine's own */
    size_t n_partitions;
} pn_engine_lance_index;

typedef struct pn_engine_index_status {
    const pn_engine_index *indexes;
    size_t n_indexes;
    uint64_t n_covered, n_uncovered; /* rows of the snapshot */
    bool is_due;                     /* index_build() would build one */
    size_t n_texts;                  /* that are kept to calibrate with */
    size_t n_damaged;                /* files that could not be opened */
    const char *damage;              /* why the last one */
    bool are_texts_damaged;          /* one of them is that with the texts; then n_texts is 0 */
    const pn_engine_lance_index *lance;
    size_t n_lance;
} pn_engine_index_status;

/* Versions that upkeep leaves alone: the newest, however old; and below so many, or for so long, they are not thinned out. */
#define PN_VERSIONS_KEPT 100
#define PN_VERSIONS_CROWD 1000
#define PN_VERSIONS_CROWD_MS 120000
#define PN_COMPACTION_BYTES_DEFAULT ((uint64_t)1 << 30)
#define PN_RETENTION_MS_DEFAULT ((int64_t)7 * 24 * 3600 * 1000)

typedef struct pn_engine_upkeep_options {
    bool all; /* fold all small neighbours, not only what is due */
    int64_t
        retention_ms; /* versions that are older may go; negative: none, however many there are */
    int (*cancelled)(void *context); /* NULL: never; nonzero: stop, and keep what is done */
    void *context;
} pn_engine_upkeep_options;
#define PN_ENGINE_UPKEEP_OPTIONS_INIT                                                              \
    {                                                                                              \
        false, PN_RETENTION_MS_DEFAULT, NULL, NULL                                                 \
    }

typedef struct pn_engine_upkeep_report {
    uint64_t n_folded, n_made; /* fragments that went, and those that came for them */
    uint64_t n_versions_removed, n_files_removed, bytes_removed;
} pn_engine_upkeep_report;

/* Since the engine was opened. */
typedef struct pn_engine_upkeep_totals {
    uint64_t n_folds, n_folded, n_versions_removed, n_failures;
    bool failed; /* the last time */
    pn_error last_error;
} pn_engine_upkeep_totals;

typedef struct pn_engine pn_engine;
struct pn_engine {
    void *self;

    /* A version to read: the newest, or one that was it a moment ago where the engine was told that this will do. */
    pn_status (*pin)(void *self, pn_snapshot **out, pn_error *err);
    /* The newest version, for what decides on a change. */
    pn_status (*pin_newest)(void *self, pn_snapshot **out, pn_error *err);
    void (*unpin)(void *self, pn_snapshot *snapshot);
    void (*info)(void *self, const pn_snapshot *snapshot, pn_engine_info *out);

    /* The k nearest rows by 1 - cosine, nearest first. topk is initialised by the caller; ids are row addresses. */
    pn_status (*search)(void *self, pn_snapshot *snapshot, const pn_engine_search *search,
                        pn_topk *topk, pn_engine_search_stats *stats, pn_error *err);
    /* Rows by address, in order; columns NULL: all. The batch lives in arena and with the snapshot. */
    pn_status (*take)(void *self, pn_snapshot *snapshot, const pn_row_addr *addrs, size_t n,
                      const char *const *columns, size_t n_columns, pn_arena *arena, pn_batch *out,
                      pn_error *err);
    /* Rows that pass a filter (NULL: all). *count; rows may be NULL. */
    pn_status (*filter)(void *self, pn_snapshot *snapshot, const char *filter, pn_rowset *rows,
                        uint64_t *count, pn_error *err);
    /* Visit all rows that pass the filter, batch by batch; a status other than PN_OK stops and is returned. */
    pn_status (*scan)(void *self, pn_snapshot *snapshot, const char *const *columns,
                      size_t n_columns, const char *filter,
                      pn_status (*visit)(void *context, const pn_batch *batch,
                                         const pn_row_addr *addrs, pn_error *err),
                      void *context, pn_error *err);
    /* The row whose id column has this value. Row address order decides among several; NOT_FOUND. */
    pn_status (*find_id)(void *self, pn_snapshot *snapshot, int64_t id, pn_row_addr *out,
                         pn_error *err);

    /* Append a batch and delete the rows of `replaced` (may be NULL), which are addresses of `snapshot`, in one commit. The column id may be
     * absent from the batch: the engine gives the rows the next ids. */
    pn_status (*append)(void *self, pn_snapshot *snapshot, const pn_batch *batch,
                        const pn_rowset *replaced, pn_error *err);
    /* The same without rows to replace, together with what other threads insert meanwhile: a commit for all of them. *first_id: the
     * first of the ids given, which count up; -1 when none were. */
    pn_status (*insert)(void *self, const pn_batch *batch, int64_t *first_id, pn_error *err);
    /* Delete the rows that pass a filter. */
    pn_status (*delete_where)(void *self, const char *filter, uint64_t *n_deleted, pn_error *err);

    /* Fold small files and remove old versions, as far as is due. Inserts fold the smallest themselves. */
    pn_status (*upkeep)(void *self, const pn_engine_upkeep_options *options,
                        pn_engine_upkeep_report *out, pn_error *err);
    void (*upkeep_totals)(void *self, pn_engine_upkeep_totals *out);

    /* Build what is due: an index of rows that have none, together with small ones that it makes superfluous. CONFLICT while
     * another thread or process builds; UNSUPPORTED: the engine has no indexes; those of pn_index_build(). */
    pn_status (*index_build)(void *self, const pn_engine_index_options *options,
                             pn_engine_index_report *out, pn_error *err);
    /* Would it, unasked? Asked every second: nothing is read for it. */
    pn_status (*index_due)(void *self, pn_snapshot *snapshot, bool *out, pn_error *err);
    /* Everything lives in arena. */
    pn_status (*index_status)(void *self, pn_snapshot *snapshot, pn_arena *arena,
                              pn_engine_index_status *out, pn_error *err);
    /* Read every index whole: CORRUPT names the first that is damaged. */
    pn_status (*index_check)(void *self, pn_error *err);
    /* Remove all; searches are exact again. CONFLICT as above. */
    pn_status (*index_drop)(void *self, size_t *n_dropped, pn_error *err);
    /* LanceDB's of the vectors, whoever built them, in a new version of the table. */
    pn_status (*lance_drop)(void *self, size_t *n_dropped, pn_error *err);
    void (*free)(void *self);
};

void pn_engine_free(pn_engine *engine); /* NULL is welcome */

#endif

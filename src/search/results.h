/*
 * results.h - the rows that were found, with what people want to see of them
 *
 * Columns other than those of image_schema.h are shown as metadata too, in the order of the schema behind the entries of
 * the map: a table that LanceDB wrote with a plain "category" column looks the same as one with a map.
 * Threads: immutable once made.
 */
#ifndef PN_SEARCH_RESULTS_H
#define PN_SEARCH_RESULTS_H

#include "search/query.h"

#define PN_NO_TIMESTAMP INT64_MIN

typedef struct pn_hit {
    int64_t id; /* the row address where the table has no id column of integers */
    pn_row_addr addr;
    float distance;
    const char *path;     /* "" where the table has none */
    int64_t timestamp_ms; /* PN_NO_TIMESTAMP where it has none */
    const pn_kv *metadata;
    size_t n_metadata;
    const float *vector; /* NULL unless asked for */
} pn_hit;

typedef struct pn_search_times {
    int64_t embed_ns, fetch_ns, total_ns;
} pn_search_times;

typedef struct pn_hits {
    pn_arena arena; /* holds everything below */
    pn_hit *hits;
    size_t n;
    uint32_t dim;
    bool table_has_thumbnails;
    uint64_t table_version;
    pn_engine_search_stats stats;
    pn_search_times times;
} pn_hits;

/* The rows at addrs; distances may be NULL (all 0). hits is initialised by the call; end it with pn_hits_free() also after a failure. */
PN_NODISCARD pn_status pn_hits_fetch(pn_engine *engine, pn_snapshot *snapshot,
                                     const pn_row_addr *addrs, const float *distances, size_t n,
                                     pn_search_vectors vectors, pn_hits *hits, pn_error *err);
void pn_hits_free(pn_hits *hits);

/* One value as people read it: numbers as JSON writes them, decimals with all their digits, times as ISO 8601 in UTC, bytes as "<n bytes>". NULL: no
 * memory; "" for a null or for nested values. */
PN_NODISCARD char *pn_value_text(const pn_array *array, size_t i, pn_arena *arena);

#endif

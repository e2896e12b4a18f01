/*
 * local_search.h - the nearest rows of one version: which index, how far, and what exactly
 *
 *     rows that no index covers          scanned exactly
 *     rows that only LanceDB's covers    by that one, as far as was measured to be enough (lance_indexes.h)
 *     few rows pass the filter           scanned exactly: 8,192 vectors are read in two milliseconds
 *     the rest                           index by index, as far as its calibration asks for the recall; exactly by its copies
 *                                        when that is asked, or when no effort promises the recall
 *
 * So k rows come back whenever k pass, at any selectivity, and the recall promised is that of the worst part.
 */
#ifndef PN_COLLECTION_LOCAL_SEARCH_H
#define PN_COLLECTION_LOCAL_SEARCH_H

#include "collection/engine.h"
#include "collection/filter_cache.h"
#include "collection/lance_indexes.h"
#include "collection/recent_rows.h"

/* So many are scanned rather than looked for by an index. */
enum { PN_FEW_ROWS = 8192 };

/* One version, pinned by whoever made this. */
typedef struct pn_local_scope {
    pn_dataset *dataset;
    const pn_index_views *views;  /* NULL: no index */
    const pn_lance_views *lance;  /* NULL: none of LanceDB's */
    const pn_recent_rows *recent; /* copies of what is scanned; NULL: none */
    const char *texts_folder;     /* to measure those with; of index_texts.h */
    pn_pool *pool;                /* may be NULL */
    uint32_t dim;
    bool any_length; /* the vectors are not known to be of unit length */
} pn_local_scope;

/* filtered NULL: every row. topk as in pn_engine.search; the fields of stats that tell of rows, plan and recall are set. */
PN_NODISCARD pn_status pn_local_search(const pn_local_scope *scope, pn_filtered *filtered,
                                       const pn_engine_search *asked, pn_topk *topk,
                                       pn_engine_search_stats *stats, pn_error *err);

#endif

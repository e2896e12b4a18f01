/*
 * filter_cache.h - the rows that pass a filter, kept for the next question with the same filter
 *
 * A shop's page asks the same few filters again and again ("in stock", "footwear"), and looking at three million rows' columns takes longer
 * than finding their nearest. The latest PN_FILTERS_KEPT of a version are kept, with the masks of its indexes.
 *
 * Threads: any, on the cache and on what it gives out.
 */
#ifndef PN_COLLECTION_FILTER_CACHE_H
#define PN_COLLECTION_FILTER_CACHE_H

#include "collection/index_catalog.h"

#include <pthread.h>

enum { PN_FILTERS_KEPT = 16 };

/* Rows of one version that pass one filter. Counted. */
typedef struct pn_filtered pn_filtered;
const pn_rowset *pn_filtered_rows(const pn_filtered *filtered);
uint64_t pn_filtered_count(const pn_filtered *filtered);
/* The mask of view i of the version, made when it is first asked for; lives with filtered. */
PN_NODISCARD pn_status pn_filtered_mask(pn_filtered *filtered, const pn_index_views *views,
                                        size_t view_i, const pn_index_mask **out, pn_error *err);
void pn_filtered_unref(pn_filtered *filtered); /* NULL is welcome */

typedef struct pn_filter_cache {
    pthread_mutex_t mu;
    pn_filtered *kept[PN_FILTERS_KEPT]; /* the latest used first; guarded by mu */
} pn_filter_cache;

void pn_filter_cache_init(pn_filter_cache *cache);
void pn_filter_cache_reset(pn_filter_cache *cache);
/* The rows of dataset, always the same one for a cache, that pass; *out is to be unreferenced. Errors: those of
 * pn_dataset_filter_rows(). */
PN_NODISCARD pn_status pn_filter_cache_get(pn_filter_cache *cache, pn_dataset *dataset,
                                           const char *filter, pn_filtered **out, pn_error *err);

#endif

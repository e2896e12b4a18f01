/*
 * filter_cache.c - the rows that pass a filter, kept for the next question with the same filter
 *
 * Two threads that ask a new filter at once both look; the first answer is kept.
 */
#include "collection/filter_cache.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <string.h>

struct pn_filtered {
    _Atomic unsigned n_refs;
    char *filter;
    pn_rowset rows;
    uint64_t count;
    pthread_mutex_t mu;
    pn_index_mask **masks; /* [n_masks]; NULL: not made yet. Guarded by mu */
    size_t n_masks;
};

const pn_rowset *pn_filtered_rows(const pn_filtered *filtered)
{
    return &filtered->rows;
}

uint64_t pn_filtered_count(const pn_filtered *filtered)
{
    return filtered->count;
}

static pn_status find_mask(pn_filtered *f, const pn_index_views *views, size_t i,
                           const pn_index_mask **out, pn_error *err)
{
    if (!f->masks) {
        f->masks = pn_alloc_zero((views->n_views + 1) * sizeof(pn_index_mask *));
        if (!f->masks)
            return pn_fail_nomem(err);
        f->n_masks = views->n_views;
    }
    pn_assert(i < f->n_masks);
    if (!f->masks[i])
        PN_TRY(pn_index_view_filter(&views->views[i], &f->rows, &f->masks[i], err));
    *out = f->masks[i];
    return PN_OK;
}

pn_status pn_filtered_mask(pn_filtered *filtered, const pn_index_views *views, size_t view_i,
                           const pn_index_mask **out, pn_error *err)
{
    pthread_mutex_lock(&filtered->mu);
    pn_status status = find_mask(filtered, views, view_i, out, err);
    pthread_mutex_unlock(&filtered->mu);
    return status;
}

void pn_filtered_unref(pn_filtered *filtered)
{
    if (!filtered || atomic_fetch_sub(&filtered->n_refs, 1) != 1)
        return;
    for (size_t i = 0; i < filtered->n_masks; i++)
        pn_index_mask_free(filtered->masks[i]);
    pn_free(filtered->masks);
    pn_rowset_reset(&filtered->rows);
    pthread_mutex_destroy(&filtered->mu);
    pn_free(filtered->filter);
    pn_free(filtered);
}

void pn_filter_cache_init(pn_filter_cache *cache)
{
    *cache = (pn_filter_cache){0};
    pthread_mutex_init(&cache->mu, NULL);
}

void pn_filter_cache_reset(pn_filter_cache *cache)
{
    for (size_t i = 0; i < PN_FILTERS_KEPT; i++)
        pn_filtered_unref(cache->kept[i]);
    pthread_mutex_destroy(&cache->mu);
}

/* Move what is at place i, or comes new, to the front. */
static void put_first(pn_filter_cache *cache, size_t i, pn_filtered *filtered)
{
    memmove(cache->kept + 1, cache->kept, i * sizeof(pn_filtered *));
    cache->kept[0] = filtered;
}

static pn_filtered *find_kept(pn_filter_cache *cache, const char *filter)
{
    pn_filtered *found = NULL;
    pthread_mutex_lock(&cache->mu);
    for (size_t i = 0; i < PN_FILTERS_KEPT && cache->kept[i] && !found; i++)
        if (strcmp(cache->kept[i]->filter, filter) == 0) {
            found = cache->kept[i];
            atomic_fetch_add(&found->n_refs, 1);
            put_first(cache, i, found);
        }
    pthread_mutex_unlock(&cache->mu);
    return found;
}

static void keep(pn_filter_cache *cache, pn_filtered *filtered)
{
    atomic_fetch_add(&filtered->n_refs, 1);
    pthread_mutex_lock(&cache->mu);
    pn_filtered *oldest = cache->kept[PN_FILTERS_KEPT - 1];
    put_first(cache, PN_FILTERS_KEPT - 1, filtered);
    pthread_mutex_unlock(&cache->mu);
    pn_filtered_unref(oldest);
}

static pn_status make(pn_dataset *dataset, const char *filter, pn_filtered **out, pn_error *err)
{
    pn_filtered *f = pn_alloc_zero(sizeof *f);
    char *copy = pn_strdup(filter);
    if (!f || !copy) {
        pn_free(f);
        pn_free(copy);
        return pn_fail_nomem(err);
    }
    atomic_store(&f->n_refs, 1);
    f->filter = copy;
    pthread_mutex_init(&f->mu, NULL);
    pn_rowset_init(&f->rows);
    pn_status status = pn_dataset_filter_rows(dataset, pn_str_of(filter), &f->rows, err);
    if (status != PN_OK) {
        pn_filtered_unref(f);
        return status;
    }
    f->count = pn_rowset_count(&f->rows);
    *out = f;
    return PN_OK;
}

pn_status pn_filter_cache_get(pn_filter_cache *cache, pn_dataset *dataset, const char *filter,
                              pn_filtered **out, pn_error *err)
{
    *out = find_kept(cache, filter);
    if (*out)
        return PN_OK;
    PN_TRY(make(dataset, filter, out, err));
    keep(cache, *out);
    return PN_OK;
}

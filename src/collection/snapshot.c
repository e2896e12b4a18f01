/*
 * snapshot.c - one pinned version of a table of this machine, and what is made of it on first use
 *
 * Views cost a look at every fragment and masks one at every row, so they are made when the first search comes: a table that
 * is only added to or listed pays for neither.
 */
#include "collection/snapshot.h"

#include "base/alloc.h"

/* ---- indexes */

pn_status pn_table_indexes_init(pn_table_indexes *indexes, const char *table, pn_error *err)
{
    *indexes = (pn_table_indexes){0};
    PN_TRY(pn_index_catalog_create(table, &indexes->catalog, err));
    pthread_mutex_init(&indexes->mu, NULL);
    return PN_OK;
}

void pn_table_indexes_reset(pn_table_indexes *indexes)
{
    if (!indexes->catalog)
        return;
    pn_index_views_unref(indexes->latest);
    pn_recent_rows_unref(indexes->recent);
    pn_lance_catalog_reset(&indexes->lance);
    pn_index_catalog_free(indexes->catalog);
    pthread_mutex_destroy(&indexes->mu);
    *indexes = (pn_table_indexes){0};
}

pn_status pn_table_indexes_refresh(pn_table_indexes *indexes, uint64_t *generation, pn_error *err)
{
    pthread_mutex_lock(&indexes->mu);
    pn_status status = pn_index_catalog_refresh(indexes->catalog, err);
    *generation = pn_index_catalog_generation(indexes->catalog);
    pthread_mutex_unlock(&indexes->mu);
    return status;
}

static pn_status make_views(pn_table_indexes *indexes, const pn_snapshot *snapshot,
                            pn_index_views **out, pn_error *err)
{
    PN_TRY(pn_index_views_make(indexes->catalog, snapshot->dataset, PN_COLUMN_VECTOR, snapshot->dim,
                               snapshot->any_length, indexes->latest, out, err));
    pn_index_views_unref(indexes->latest);
    indexes->latest = pn_index_views_ref(*out);
    return PN_OK;
}

/* ---- snapshots */

pn_status pn_snapshot_make(pn_dataset *dataset, pn_table_indexes *indexes, uint64_t generation,
                           pn_snapshot **out, pn_error *err)
{
    uint32_t dim;
    pn_status status =
        pn_image_schema_check(pn_dataset_schema(dataset), pn_dataset_path(dataset), &dim, err);
    pn_snapshot *snapshot = status == PN_OK ? pn_alloc_zero(sizeof *snapshot) : NULL;
    if (status == PN_OK && !snapshot)
        status = pn_fail_nomem(err);
    if (!snapshot) {
        pn_dataset_unref(dataset);
        return status;
    }
    atomic_store(&snapshot->n_refs, 1);
    pthread_mutex_init(&snapshot->mu, NULL);
    pn_filter_cache_init(&snapshot->filters);
    snapshot->dataset = dataset;
    snapshot->dim = dim;
    snapshot->any_length = !pn_schema_metadata(pn_dataset_schema(dataset), PN_META_EMBEDDER);
    snapshot->indexes = indexes;
    snapshot->generation = generation;
    *out = snapshot;
    return PN_OK;
}

void pn_snapshot_unref(pn_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub(&snapshot->n_refs, 1) != 1)
        return;
    pn_filter_cache_reset(&snapshot->filters);
    pn_index_views_unref(snapshot->views);
    pn_lance_views_unref(snapshot->lance);
    pn_recent_rows_unref(snapshot->before);
    pn_recent_rows_unref(snapshot->recent);
    pn_id_index_free(snapshot->ids);
    pn_dataset_unref(snapshot->dataset);
    pthread_mutex_destroy(&snapshot->mu);
    pn_free(snapshot);
}

pn_status pn_snapshot_views(pn_snapshot *snapshot, const pn_index_views **out, pn_error *err)
{
    pn_status status = PN_OK;
    *out = NULL;
    if (!snapshot->indexes)
        return PN_OK;
    pthread_mutex_lock(&snapshot->mu);
    if (!snapshot->views) {
        pthread_mutex_lock(&snapshot->indexes->mu);
        status = make_views(snapshot->indexes, snapshot, &snapshot->views, err);
        pthread_mutex_unlock(&snapshot->indexes->mu);
    }
    *out = snapshot->views;
    pthread_mutex_unlock(&snapshot->mu);
    return status;
}

pn_status pn_snapshot_lance_views(pn_snapshot *snapshot, const pn_lance_views **out, pn_error *err)
{
    const pn_index_views *own;
    *out = NULL;
    if (!snapshot->indexes)
        return PN_OK;
    PN_TRY(pn_snapshot_views(snapshot, &own, err));
    pn_status status = PN_OK;
    pthread_mutex_lock(&snapshot->mu);
    if (!snapshot->lance) {
        pthread_mutex_lock(&snapshot->indexes->mu);
        status =
            pn_lance_views_make(&snapshot->indexes->lance, snapshot->dataset, PN_COLUMN_VECTOR,
                                snapshot->dim, snapshot->any_length, own, &snapshot->lance, err);
        pthread_mutex_unlock(&snapshot->indexes->mu);
    }
    *out = snapshot->lance;
    pthread_mutex_unlock(&snapshot->mu);
    return status;
}

/* ---- copies ---- */

/* Of the fragments that the views leave out; *out NULL when they are too many. */
static pn_status copy_recent(pn_snapshot *snapshot, const pn_index_views *views,
                             const pn_recent_rows *before, pn_recent_rows **out, pn_error *err)
{
    size_t n_fragments = pn_dataset_n_fragments(snapshot->dataset), n = 0;
    uint64_t n_rows = 0, most = PN_RECENT_BYTES / PN_MAX(snapshot->dim, 1u);
    size_t *fragments = pn_alloc_array(n_fragments + 1, sizeof *fragments);
    if (!fragments)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_fragments; i++) {
        pn_fragment_info f;
        if (views->view_of[i] != PN_NO_VIEW)
            continue;
        pn_dataset_fragment(snapshot->dataset, i, &f);
        fragments[n++] = i;
        n_rows += f.physical_rows;
    }
    *out = NULL;
    pn_status status = PN_OK;
    if (n_rows <= most)
        status = pn_recent_rows_make(snapshot->dataset, fragments, n, PN_COLUMN_VECTOR,
                                     snapshot->dim, snapshot->any_length, before, out, err);
    pn_free(fragments);
    return status;
}

/* Without a lock: it may take a while, and nobody has to wait. */
static const pn_recent_rows *make_recent(pn_snapshot *snapshot, const pn_index_views *views)
{
    pn_table_indexes *indexes = snapshot->indexes;
    pn_error why;
    pn_recent_rows *recent = NULL, *old = NULL;
    if (copy_recent(snapshot, views, snapshot->before, &recent, &why) != PN_OK)
        recent = NULL; /* short of memory: vectors are read, then */
    pthread_mutex_lock(&snapshot->mu);
    snapshot->recent = recent;
    pthread_mutex_unlock(&snapshot->mu);
    pthread_mutex_lock(&indexes->mu);
    indexes->is_copying = false;
    if (recent) {
        old = indexes->recent;
        indexes->recent = pn_recent_rows_ref(recent);
    }
    pthread_mutex_unlock(&indexes->mu);
    pn_recent_rows_unref(old);
    return recent;
}

/* Is it this thread that makes them? Holding the snapshot's mu. */
static bool take_turn(pn_snapshot *snapshot, bool may_make)
{
    pn_table_indexes *indexes = snapshot->indexes;
    pthread_mutex_lock(&indexes->mu);
    if (!snapshot->before)
        snapshot->before = pn_recent_rows_ref(indexes->recent);
    bool make = may_make && indexes->was_scanned && !indexes->is_copying;
    indexes->is_copying |= make;
    indexes->was_scanned |= may_make;
    pthread_mutex_unlock(&indexes->mu);
    return make;
}

const pn_recent_rows *pn_snapshot_recent(pn_snapshot *snapshot, const pn_index_views *views,
                                         bool may_make)
{
    pthread_mutex_lock(&snapshot->mu);
    bool make = !snapshot->is_copied && take_turn(snapshot, may_make);
    snapshot->is_copied |= make;
    const pn_recent_rows *recent = snapshot->recent ? snapshot->recent : snapshot->before;
    pthread_mutex_unlock(&snapshot->mu);
    return make ? make_recent(snapshot, views) : recent;
}

pn_status pn_snapshot_ids(pn_snapshot *snapshot, const pn_id_index **out, pn_error *err)
{
    pn_status status = PN_OK;
    pthread_mutex_lock(&snapshot->mu);
    if (!snapshot->ids)
        status = pn_id_index_make(snapshot->dataset, &snapshot->ids, err);
    *out = snapshot->ids;
    pthread_mutex_unlock(&snapshot->mu);
    return status;
}

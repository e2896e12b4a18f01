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

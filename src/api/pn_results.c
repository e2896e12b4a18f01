/*
 * pn_results.c - section 6 of pennon.h: what a search found
 */
#include "api/internal.h"

#include "base/alloc.h"

static pn_status copy_pairs(pn_results *results, pn_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < results->hits.n; i++)
        n += results->hits.hits[i].n_metadata;
    results->pairs = PN_ARENA_NEW(&results->hits.arena, pn_pair, n + 1);
    results->first_pair = PN_ARENA_NEW(&results->hits.arena, size_t, results->hits.n + 1);
    if (!results->pairs || !results->first_pair)
        return pn_fail_nomem(err);
    size_t at = 0;
    for (size_t i = 0; i < results->hits.n; i++) {
        results->first_pair[i] = at;
        for (size_t j = 0; j < results->hits.hits[i].n_metadata; j++, at++)
            results->pairs[at] = (pn_pair){results->hits.hits[i].metadata[j].key,
                                           results->hits.hits[i].metadata[j].value};
    }
    return PN_OK;
}

pn_status pn_results_make(pn_hits *hits, pn_results **out, pn_error *err)
{
    pn_results *results = pn_alloc_zero(sizeof *results);
    if (!results) {
        pn_hits_free(hits);
        return pn_fail_nomem(err);
    }
    results->hits = *hits;
    *hits = (pn_hits){0};
    pn_status status = copy_pairs(results, err);
    if (status != PN_OK) {
        pn_results_free(results);
        return status;
    }
    *out = results;
    return PN_OK;
}

void pn_results_free(pn_results *results)
{
    if (!results)
        return;
    pn_hits_free(&results->hits);
    pn_free(results);
}

size_t pn_results_count(const pn_results *results)
{
    return results->hits.n;
}

void pn_results_get(const pn_results *results, size_t i, pn_result *out)
{
    pn_assert(i < results->hits.n);
    const pn_hit *hit = &results->hits.hits[i];
    *out = (pn_result){.id = hit->id,
                       .row_addr = hit->addr,
                       .distance = hit->distance,
                       .score = 1.0f - hit->distance,
                       .path = hit->path,
                       .timestamp_ms = hit->timestamp_ms,
                       .metadata = results->pairs + results->first_pair[i],
                       .n_metadata = hit->n_metadata,
                       .has_thumbnail = results->hits.table_has_thumbnails,
                       .vector = hit->vector,
                       .vector_dim = hit->vector ? results->hits.dim : 0};
}

void pn_results_get_stats(const pn_results *results, pn_search_stats *out)
{
    const pn_hits *hits = &results->hits;
    *out = (pn_search_stats){.table_version = hits->table_version,
                             .n_rows = hits->stats.n_rows,
                             .n_matching = hits->stats.n_matching,
                             .n_scanned = hits->stats.n_scanned,
                             .plan = hits->stats.plan ? hits->stats.plan : "",
                             .embed_seconds = (double)hits->times.embed_ns * 1e-9,
                             .filter_seconds = (double)hits->stats.filter_ns * 1e-9,
                             .scan_seconds = (double)hits->stats.scan_ns * 1e-9,
                             .fetch_seconds = (double)hits->times.fetch_ns * 1e-9,
                             .total_seconds = (double)hits->times.total_ns * 1e-9};
}

pn_status pn_results_get_effort(const pn_results *results, pn_search_effort *out, pn_error *err)
{
    const pn_engine_search_stats *stats = &results->hits.stats;
    const pn_search_effort effort = {.struct_bytes = sizeof effort,
                                     .recall = (double)stats->recall,
                                     .n_partitions = stats->n_partitions,
                                     .n_indexes = stats->n_indexes};
    return pn_give_struct(&effort, sizeof effort, out, err);
}

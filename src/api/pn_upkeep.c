/*
 * pn_upkeep.c - few files, few versions: section 3 of pennon.h
 */
#include "api/internal.h"

#include "base/arena.h"
#include "collection/local_engine.h"
#include "dataset/manifest.h"

#include <stdio.h>

static const double DAY_MS = 24.0 * 3600 * 1000;

pn_status pn_table_set_compaction_size(pn_table *table, double megabytes, pn_error *err)
{
    static const double most = 1048576;
    if (!(megabytes >= 0 && megabytes <= most))
        return pn_fail(err, PN_ERR_INVALID, "compaction_size: 0 to %.0f MB are possible", most);
    pn_local_engine_set_compaction(table->engine, (uint64_t)(megabytes * (1 << 20)));
    return PN_OK;
}

pn_status pn_table_upkeep(pn_table *table, const pn_upkeep_options *options, pn_upkeep_report *out,
                          pn_error *err)
{
    static const double most_days = 36500;
    pn_upkeep_options ours = PN_UPKEEP_OPTIONS_INIT;
    pn_upkeep_report report = PN_UPKEEP_REPORT_INIT;
    pn_engine_upkeep_report done;
    PN_TAKE_OPTIONS(ours, options, err);
    if (!(ours.retention_days >= 0 && ours.retention_days <= most_days))
        return pn_fail(err, PN_ERR_INVALID, "version_retention: 0 to %.0f days are possible",
                       most_days);
    const pn_engine_upkeep_options engine_options = {
        .all = ours.all != 0,
        .retention_ms = ours.retention_days > 0 ? (int64_t)(ours.retention_days * DAY_MS) : -1,
        .cancelled = ours.cancelled,
        .context = ours.context};
    PN_TRY(table->engine->upkeep(table->engine->self, &engine_options, &done, err));
    report.n_folded = done.n_folded;
    report.n_made = done.n_made;
    report.n_versions_removed = done.n_versions_removed;
    report.n_files_removed = done.n_files_removed;
    report.bytes_removed = done.bytes_removed;
    return out ? pn_give_struct(&report, sizeof report, out, err) : PN_OK;
}

static pn_status fill(pn_table *table, pn_snapshot *snapshot, pn_arena *arena,
                      pn_upkeep_status *out, pn_error *err)
{
    pn_engine *engine = table->engine;
    pn_engine_info info;
    pn_engine_index_status indexes;
    pn_engine_upkeep_totals totals;
    pn_version_list versions;
    PN_TRY(pn_manifest_list(table->path, arena, &versions, err));
    PN_TRY(engine->index_status(engine->self, snapshot, arena, &indexes, err));
    engine->info(engine->self, snapshot, &info);
    engine->upkeep_totals(engine->self, &totals);
    out->n_versions = versions.n;
    out->n_fragments = info.n_fragments;
    out->n_small = info.n_small;
    out->n_indexes = indexes.n_indexes;
    out->n_uncovered = indexes.n_uncovered;
    for (size_t i = 0; i < indexes.n_indexes; i++)
        out->index_bytes += indexes.indexes[i].file_bytes;
    out->n_folds = totals.n_folds;
    out->n_versions_removed = totals.n_versions_removed;
    out->n_failures = totals.n_failures;
    out->failed = totals.failed;
    (void)snprintf(out->last_error, sizeof out->last_error, "%s",
                   totals.last_error.message); // a longer text is cut
    return PN_OK;
}

pn_status pn_table_get_upkeep_status(pn_table *table, pn_upkeep_status *out, pn_error *err)
{
    pn_upkeep_status ours = PN_UPKEEP_STATUS_INIT;
    pn_snapshot *snapshot;
    pn_arena arena;
    PN_TRY(table->engine->pin(table->engine->self, &snapshot, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = fill(table, snapshot, &arena, &ours, err);
    pn_arena_reset(&arena);
    table->engine->unpin(table->engine->self, snapshot);
    return status == PN_OK ? pn_give_struct(&ours, sizeof ours, out, err) : status;
}

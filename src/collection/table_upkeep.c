/*
 * table_upkeep.c - sweeping, folding, cleaning
 */
#include "collection/table_upkeep.h"

#include "base/alloc.h"
#include "collection/fold_log.h"
#include "dataset/cleanup.h"
#include "dataset/compact_preview.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/lockfile.h"

#include <stdlib.h>

#define NS_A_MS INT64_C(1000000)

void pn_table_upkeep_init(pn_table_upkeep *upkeep, const char *table, const char *indexes)
{
    *upkeep = (pn_table_upkeep){
        .table = table, .indexes = indexes, .target_bytes = PN_COMPACTION_BYTES_DEFAULT};
    pthread_mutex_init(&upkeep->sweep_mu, NULL);
    pthread_mutex_init(&upkeep->mu, NULL);
}

void pn_table_upkeep_reset(pn_table_upkeep *upkeep)
{
    pthread_mutex_destroy(&upkeep->sweep_mu);
    pthread_mutex_destroy(&upkeep->mu);
}

void pn_table_upkeep_set_target(pn_table_upkeep *upkeep, uint64_t bytes)
{
    pthread_mutex_lock(&upkeep->mu);
    upkeep->target_bytes = bytes;
    pthread_mutex_unlock(&upkeep->mu);
}

static uint64_t target_of(pn_table_upkeep *upkeep)
{
    pthread_mutex_lock(&upkeep->mu);
    uint64_t bytes = upkeep->target_bytes;
    pthread_mutex_unlock(&upkeep->mu);
    return bytes;
}

void pn_table_upkeep_totals(pn_table_upkeep *upkeep, pn_engine_upkeep_totals *out)
{
    pthread_mutex_lock(&upkeep->mu);
    *out = upkeep->totals;
    pthread_mutex_unlock(&upkeep->mu);
}

/* What was done, and how it ended. */
static void count(pn_table_upkeep *upkeep, const pn_engine_upkeep_report *done, pn_status status,
                  const pn_error *err)
{
    pn_engine_upkeep_totals *t = &upkeep->totals;
    pthread_mutex_lock(&upkeep->mu);
    t->n_folds += done->n_made;
    t->n_folded += done->n_folded;
    t->n_versions_removed += done->n_versions_removed;
    t->last_error = (pn_error){0};
    t->failed = status != PN_OK && status != PN_ERR_CANCELLED;
    t->n_failures += t->failed;
    if (t->failed)
        t->last_error = *err;
    pthread_mutex_unlock(&upkeep->mu);
}

/* ---- classes ---- */

typedef struct class_entry {
    uint32_t fragment_id;
    uint64_t class;
} class_entry;

/* What a fold needs to know of the indexes. */
typedef struct folding {
    pn_table_upkeep *upkeep;
    const pn_engine_upkeep_options *asked; /* NULL: of a sweep */
    class_entry *classes;                  /* by fragment; sorted */
    size_t n_classes;
} folding;

static int by_fragment(const void *left, const void *right)
{
    const class_entry *a = left, *b = right;
    return a->fragment_id < b->fragment_id ? -1 : a->fragment_id > b->fragment_id;
}

/* The class of a fragment is the index that covers it; 0: none, or nobody knows yet. */
static pn_status find_classes(folding *f, pn_snapshot *snapshot, pn_arena *arena, pn_error *err)
{
    const pn_index_views *views;
    PN_TRY(pn_snapshot_views(snapshot, &views, err));
    if (!views || views->n_views == 0)
        return PN_OK;
    f->n_classes = pn_dataset_n_fragments(snapshot->dataset);
    f->classes = PN_ARENA_NEW(arena, class_entry, f->n_classes + 1);
    if (!f->classes)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < f->n_classes; i++) {
        pn_fragment_info info;
        pn_dataset_fragment(snapshot->dataset, i, &info);
        uint64_t class = views->view_of[i] == PN_NO_VIEW ? 0 : (uint64_t)views->view_of[i] + 1;
        f->classes[i] = (class_entry){info.id, class};
    }
    qsort(f->classes, f->n_classes, sizeof *f->classes, by_fragment);
    return PN_OK;
}

static uint64_t class_of(const void *context, uint32_t fragment_id)
{
    const folding *f = context;
    const class_entry key = {.fragment_id = fragment_id};
    const class_entry *found = NULL;
    if (f->n_classes > 0)
        found = bsearch(&key, f->classes, f->n_classes, sizeof key, by_fragment);
    return found ? found->class : 0;
}

static bool is_stopped(const void *context)
{
    const folding *f = context;
    return f->asked && f->asked->cancelled && f->asked->cancelled(f->asked->context) != 0;
}

static pn_status tell_log(void *context, pn_dataset *read, const pn_compact_fold *folds, size_t n,
                          pn_error *err)
{
    folding *f = context;
    return pn_fold_log_write(f->upkeep->indexes, PN_COLUMN_VECTOR, read, folds, n, err);
}

/* ---- folding ---- */

/* With the classes of the snapshot; adds to done. */
static pn_status fold(pn_table_upkeep *upkeep, pn_snapshot *snapshot,
                      const pn_compact_options *which, const pn_engine_upkeep_options *asked,
                      pn_engine_upkeep_report *done, pn_error *err)
{
    pn_arena arena;
    pn_dataset *made;
    pn_compaction *report = NULL;
    folding f = {.upkeep = upkeep, .asked = asked};
    pn_compact_options options = *which;
    options.class_of = class_of;
    options.folding = tell_log;
    options.is_stopped = is_stopped;
    options.context = &f;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = find_classes(&f, snapshot, &arena, err);
    if (status == PN_OK) {
        status = pn_dataset_compact(snapshot->dataset, &options, &report, &made, err);
        if (status == PN_OK)
            pn_dataset_unref(made);
    }
    for (size_t i = 0; report && i < pn_compaction_count(report); i++) {
        pn_compacted one;
        pn_compaction_get(report, i, &one);
        done->n_made++;
        done->n_folded += one.n_old;
    }
    pn_compaction_free(report);
    pn_arena_reset(&arena);
    return status;
}

size_t pn_table_upkeep_count_below(const pn_dataset *dataset, uint64_t rows)
{
    size_t n = 0;
    for (size_t i = 0; i < pn_dataset_n_fragments(dataset); i++) {
        pn_fragment_info info;
        pn_dataset_fragment(dataset, i, &info);
        n += info.physical_rows < rows;
    }
    return n;
}

/* Fragments of fewer rows are swept: of more when there is a crowd, because they come faster than they are folded. One that stays, as of many
 * indexes, is looked at again when there are some more. */
static uint64_t rows_to_sweep(const pn_table_upkeep *upkeep, size_t n)
{
    enum { SOME = 8 };
    if (n <= PN_SWEEP_CROWD || (upkeep->crowd_left > 0 && n <= upkeep->crowd_left + SOME))
        return PN_SWEEP_ROWS;
    return n <= (size_t)2 * PN_SWEEP_CROWD ? PN_SWEEP_WIDER : PN_SWEEP_WIDEST;
}

/* Of a crowd no more than who inserts can wait for: a table that others made of many large files is not for an insert to fold. */
static pn_status plan_sweep(pn_dataset *dataset, pn_compact_options *options,
                            pn_compact_preview *plan, pn_error *err)
{
    PN_TRY(pn_dataset_compact_preview(dataset, options, plan, err));
    while (options->below_rows > PN_SWEEP_ROWS && plan->n_bytes > options->target_bytes / 2) {
        options->below_rows /= 10;
        PN_TRY(pn_dataset_compact_preview(dataset, options, plan, err));
    }
    return PN_OK;
}

void pn_table_upkeep_sweep(pn_table_upkeep *upkeep, pn_snapshot *newest)
{
    pn_engine_upkeep_report done = {0};
    pn_error err = {0};
    pn_compact_preview plan = {0};
    uint64_t target = target_of(upkeep);
    if (target == 0)
        return;
    pthread_mutex_lock(&upkeep->sweep_mu);
    size_t n = pn_table_upkeep_count_below(newest->dataset, PN_SWEEP_WIDEST);
    pn_compact_options options = {.mode = PN_COMPACT_TIERED,
                                  .target_bytes = target,
                                  .first_id = upkeep->first_free,
                                  .below_rows = rows_to_sweep(upkeep, n)};
    bool is_crowd = options.below_rows > PN_SWEEP_ROWS;
    pn_status status = plan_sweep(newest->dataset, &options, &plan, &err);
    if (status == PN_OK && plan.n_new > 0)
        status = fold(upkeep, newest, &options, NULL, &done, &err);
    if (is_crowd || n <= PN_SWEEP_CROWD)
        upkeep->crowd_left = is_crowd && plan.n_new > 0 && done.n_made == 0 ? n : 0;
    pthread_mutex_unlock(&upkeep->sweep_mu);
    if (plan.n_new > 0 || status != PN_OK)
        count(upkeep, &done, status, &err);
}

/* What is there belongs to a fold from now on, or again to nobody. */
static void set_first_free(pn_table_upkeep *upkeep, uint32_t first_free)
{
    pthread_mutex_lock(&upkeep->sweep_mu);
    upkeep->first_free = first_free;
    pthread_mutex_unlock(&upkeep->sweep_mu);
}

static uint32_t last_fragment(const pn_dataset *dataset)
{
    uint32_t last = 0;
    for (size_t i = 0; i < pn_dataset_n_fragments(dataset); i++) {
        pn_fragment_info info;
        pn_dataset_fragment(dataset, i, &info);
        last = PN_MAX(last, info.id);
    }
    return last;
}

static pn_status fold_all(pn_table_upkeep *upkeep, pn_snapshot *newest,
                          const pn_engine_upkeep_options *asked, pn_engine_upkeep_report *done,
                          pn_error *err)
{
    pn_compact_options options = {.mode = asked->all ? PN_COMPACT_FULL : PN_COMPACT_TIERED,
                                  .target_bytes = target_of(upkeep),
                                  .last_id = last_fragment(newest->dataset)};
    if (options.target_bytes == 0)
        options.target_bytes = asked->all ? PN_COMPACTION_BYTES_DEFAULT : 0;
    if (options.target_bytes == 0 || options.last_id == 0)
        return PN_OK;
    set_first_free(upkeep, options.last_id + 1);
    pn_status status = fold(upkeep, newest, &options, asked, done, err);
    set_first_free(upkeep, 0);
    return status;
}

/* ---- cleaning ---- */

/* Looking through all versions is worth it when many came, and once in a while. */
static bool is_clean_due(pn_table_upkeep *upkeep, uint64_t version)
{
    enum { MANY = 1000, OFTEN_MS = 60000, SELDOM_MS = 3600000 };
    int64_t now_ns = pn_clock_monotonic_ns();
    pthread_mutex_lock(&upkeep->mu);
    bool first = upkeep->cleaned_ns == 0;
    int64_t age_ms = (now_ns - upkeep->cleaned_ns) / NS_A_MS;
    uint64_t n_new = version - PN_MIN(version, upkeep->cleaned_version);
    bool due = n_new > 0 && (first || age_ms > SELDOM_MS || (n_new > MANY && age_ms > OFTEN_MS));
    if (due) {
        upkeep->cleaned_ns = now_ns;
        upkeep->cleaned_version = version;
    }
    pthread_mutex_unlock(&upkeep->mu);
    return due;
}

static pn_status clean(pn_table_upkeep *upkeep, pn_snapshot *newest,
                       const pn_engine_upkeep_options *asked, pn_engine_upkeep_report *done,
                       pn_error *err)
{
    pn_arena arena;
    pn_cleanup_report report = {0};
    uint64_t *held;
    pn_cleanup_options options = {.older_than_ms = asked->retention_ms,
                                  .keep_newest = PN_VERSIONS_KEPT,
                                  .orphan_ms = -1,
                                  .crowd = PN_VERSIONS_CROWD,
                                  .crowd_ms = PN_VERSIONS_CROWD_MS};
    if (asked->retention_ms < 0 || !is_clean_due(upkeep, pn_dataset_version(newest->dataset)))
        return PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dataset_pinned(newest->dataset, &arena, &held, &options.n_held, err);
    options.held = held;
    if (status == PN_OK)
        status = pn_dataset_cleanup(upkeep->table, &options, &report, err);
    if (status == PN_ERR_UNSUPPORTED)
        status = PN_OK; // branches share its files: it is left as it is
    done->n_versions_removed = report.n_versions;
    done->n_files_removed = report.n_files;
    done->bytes_removed = report.n_bytes;
    pn_arena_reset(&arena);
    return status;
}

/* ---- both ---- */

static pn_status lock_folds(pn_table_upkeep *upkeep, pn_lockfile **out, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *folder = pn_path_join(&arena, upkeep->table, "_pennon");
    const char *path = folder ? pn_path_join(&arena, folder, "fold.lock") : NULL;
    pn_status status = path ? pn_dir_make(folder, err) : pn_fail_nomem(err);
    if (status == PN_OK)
        status = pn_lockfile_take(path, out, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_table_upkeep_run(pn_table_upkeep *upkeep, pn_snapshot *newest,
                              const pn_engine_upkeep_options *options, pn_engine_upkeep_report *out,
                              pn_error *err)
{
    pn_lockfile *lock;
    pn_error why = {0};
    *out = (pn_engine_upkeep_report){0};
    pn_status status = lock_folds(upkeep, &lock, &why);
    if (status == PN_ERR_CONFLICT)
        return PN_OK;
    if (status == PN_OK) {
        status = fold_all(upkeep, newest, options, out, &why);
        if (status == PN_ERR_CONFLICT)
            status = PN_OK; // others were faster; the next time
        if (status == PN_OK)
            status = clean(upkeep, newest, options, out, &why);
        pn_lockfile_release(lock);
    }
    count(upkeep, out, status, &why);
    return status == PN_OK ? PN_OK : pn_fail(err, status, "%s", why.message);
}

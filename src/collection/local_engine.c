/*
 * local_engine.c - a Lance table and its indexes behind the engine's door
 *
 * A snapshot is a reference to one dataset version. Pinning looks whether a newer one was committed, or an index came or went
 * (two looks at the file system), and hands out the same object until then, so that what was opened stays open. Readers can be told to
 * look only now and then; whoever changes something always looks, and what it commits is seen by the next reader.
 *
 * Ids: new rows get the numbers behind the largest that was ever given (id_source.h). Inserts of several threads become one commit
 * (insert_queue.h), appends that replace rows one each.
 */
#include "collection/local_engine.h"

#include "base/alloc.h"
#include "collection/id_source.h"
#include "collection/index_texts.h"
#include "collection/index_upkeep.h"
#include "collection/insert_queue.h"
#include "collection/lance_upkeep.h"
#include "collection/local_search.h"
#include "collection/page_keeper.h"
#include "collection/snapshot.h"
#include "collection/table_upkeep.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef struct local_engine {
    char *path;
    pn_pool *pool; /* borrowed; may be NULL */
    bool is_fixed; /* opened at a version: newest stays what it is, and nothing is changed */
    pthread_mutex_t mu;
    pn_snapshot *newest; /* guarded by mu */
    int64_t looked_ns;   /* when it was seen to be the newest; guarded by mu */
    int64_t interval_ns; /* how long that is good enough for readers; guarded by mu */
    char *own_folder;    /* for our own files beside the table's */
    pn_insert_queue inserts;
    pthread_mutex_t append_mu; /* one append at a time, because of the ids */
    pn_id_source ids;          /* guarded by append_mu */
    _Atomic bool is_another; /* a table took the place of ours: what ids knows is of the old one */
    pn_table_indexes indexes;
    pn_table_upkeep upkeep;
    pn_page_keeper *pages;
} local_engine;

/* ---- snapshots ---- */

/* The newest dataset, with a reference. */
static pn_status newest_dataset(const local_engine *e, pn_dataset **out, pn_error *err)
{
    if (!e->is_fixed)
        return pn_dataset_latest(e->newest->dataset, out, err);
    *out = pn_dataset_ref(e->newest->dataset);
    return PN_OK;
}

static pn_status refresh(local_engine *e, pn_error *err)
{
    pn_dataset *latest;
    pn_snapshot *fresh;
    uint64_t generation;
    PN_TRY(newest_dataset(e, &latest, err));
    /* Behind it: what a fold did to the indexes is told before its version is there. */
    pn_status status = pn_table_indexes_refresh(&e->indexes, &generation, err);
    if (status != PN_OK) {
        pn_dataset_unref(latest);
        return status;
    }
    if (latest == e->newest->dataset && generation == e->newest->generation) {
        pn_dataset_unref(latest);
        return PN_OK;
    }
    PN_TRY(pn_snapshot_make(latest, &e->indexes, generation, &fresh, err));
    if (!pn_dataset_is_kin(latest, e->newest->dataset))
        atomic_store(&e->is_another, true);
    pn_snapshot_unref(e->newest);
    e->newest = fresh;
    return PN_OK;
}

/* Is what was seen last good enough? The caller holds mu. */
static bool is_fresh(const local_engine *e)
{
    return e->interval_ns > 0 && e->looked_ns != 0 &&
           pn_clock_monotonic_ns() - e->looked_ns < e->interval_ns;
}

static pn_status pin_version(local_engine *e, bool may_be_older, pn_snapshot **out, pn_error *err)
{
    pthread_mutex_lock(&e->mu);
    pn_status status = PN_OK;
    if (!may_be_older || !is_fresh(e)) {
        int64_t now_ns = pn_clock_monotonic_ns(); // a commit may come while we look
        status = refresh(e, err);
        if (status == PN_OK)
            e->looked_ns = now_ns;
    }
    if (status == PN_OK) {
        atomic_fetch_add(&e->newest->n_refs, 1);
        *out = e->newest;
    }
    pthread_mutex_unlock(&e->mu);
    return status;
}

static pn_status pin(void *self, pn_snapshot **out, pn_error *err)
{
    return pin_version(self, true, out, err);
}

static pn_status pin_newest(void *self, pn_snapshot **out, pn_error *err)
{
    return pin_version(self, false, out, err);
}

/* Something was committed: the next reader looks. */
static void expire(local_engine *e)
{
    pthread_mutex_lock(&e->mu);
    e->looked_ns = 0;
    pthread_mutex_unlock(&e->mu);
}

static void unpin(void *self, pn_snapshot *snapshot)
{
    (void)self;
    pn_snapshot_unref(snapshot);
}

static void info(void *self, const pn_snapshot *snapshot, pn_engine_info *out)
{
    const pn_dataset *dataset = snapshot->dataset;
    (void)self;
    *out = (pn_engine_info){.n_small = pn_table_upkeep_count_below(dataset, PN_SWEEP_ROWS),
                            .version = pn_dataset_version(dataset),
                            .n_rows = pn_dataset_count_rows(dataset),
                            .n_fragments = pn_dataset_n_fragments(dataset),
                            .data_bytes = pn_dataset_data_bytes(dataset),
                            .timestamp_ms = pn_dataset_timestamp_ms(dataset),
                            .dim = snapshot->dim,
                            .schema = pn_dataset_schema(dataset)};
}

/* ---- reading ---- */

static pn_status search_version(const local_engine *e, pn_snapshot *snapshot,
                                const pn_engine_search *asked, pn_topk *topk,
                                pn_engine_search_stats *stats, pn_error *err)
{
    pn_local_scope scope = {.dataset = snapshot->dataset,
                            .pool = e->pool,
                            .dim = snapshot->dim,
                            .any_length = snapshot->any_length,
                            .texts_folder = pn_index_catalog_folder(e->indexes.catalog)};
    pn_filtered *filtered = NULL;
    int64_t start = pn_clock_monotonic_ns();
    PN_TRY(pn_snapshot_views(snapshot, &scope.views, err));
    if (scope.views && scope.views->n_uncovered > PN_FEW_ROWS)
        PN_TRY(pn_snapshot_lance_views(snapshot, &scope.lance, err));
    if (asked->filter)
        PN_TRY(pn_filter_cache_get(&snapshot->filters, snapshot->dataset, asked->filter, &filtered,
                                   err));
    if (scope.views)
        scope.recent = pn_snapshot_recent(snapshot, scope.views, !filtered);
    int64_t filtered_at = pn_clock_monotonic_ns();
    pn_status status = pn_local_search(&scope, filtered, asked, topk, stats, err);
    pn_filtered_unref(filtered);
    stats->filter_ns = filtered_at - start;
    stats->scan_ns = pn_clock_monotonic_ns() - filtered_at;
    return status;
}

static pn_status search(void *self, pn_snapshot *snapshot, const pn_engine_search *asked,
                        pn_topk *topk, pn_engine_search_stats *stats, pn_error *err)
{
    const local_engine *e = self;
    pn_page_keeper_search_begins(e->pages);
    pn_status status = search_version(e, snapshot, asked, topk, stats, err);
    pn_page_keeper_search_ends(e->pages);
    return status;
}

static pn_status take(void *self, pn_snapshot *snapshot, const pn_row_addr *addrs, size_t n,
                      const char *const *columns, size_t n_columns, pn_arena *arena, pn_batch *out,
                      pn_error *err)
{
    (void)self;
    return pn_dataset_take(snapshot->dataset, addrs, n, columns, n_columns, arena, out, err);
}

static pn_status filter(void *self, pn_snapshot *snapshot, const char *text, pn_rowset *rows,
                        uint64_t *count, pn_error *err)
{
    pn_rowset found;
    (void)self;
    if (!text && !rows) {
        *count = pn_dataset_count_rows(snapshot->dataset);
        return PN_OK;
    }
    pn_rowset_init(&found);
    PN_TRY(pn_dataset_filter_rows(snapshot->dataset, pn_str_of(text ? text : "true"), &found, err));
    *count = pn_rowset_count(&found);
    if (rows)
        *rows = found;
    else
        pn_rowset_reset(&found);
    return PN_OK;
}

static pn_status scan(void *self, pn_snapshot *snapshot, const char *const *columns,
                      size_t n_columns, const char *text,
                      pn_status (*visit)(void *, const pn_batch *, const pn_row_addr *, pn_error *),
                      void *context, pn_error *err)
{
    pn_scan *rows;
    pn_scan_options options = {.columns = columns, .n_columns = n_columns, .filter = text};
    (void)self;
    PN_TRY(pn_scan_begin(snapshot->dataset, &options, &rows, err));
    pn_status status = PN_OK;
    while (status == PN_OK) {
        pn_batch batch;
        const pn_row_addr *addrs;
        status = pn_scan_next(rows, &batch, &addrs, err);
        if (status == PN_OK && batch.n_rows == 0)
            break;
        if (status == PN_OK)
            status = visit(context, &batch, addrs, err);
    }
    pn_scan_end(rows);
    return status;
}

static pn_status find_id(void *self, pn_snapshot *snapshot, int64_t id, pn_row_addr *out,
                         pn_error *err)
{
    const pn_id_index *ids;
    (void)self;
    PN_TRY(pn_snapshot_ids(snapshot, &ids, err));
    if (!pn_id_index_find(ids, id, out))
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no row with id %" PRId64,
                       pn_dataset_path(snapshot->dataset), id);
    return PN_OK;
}

/* ---- changes ---- */

/* The batch with a column of ids in front, counting up from first. */
static pn_status add_ids(const pn_batch *batch, const pn_field *field, int64_t first,
                         pn_arena *arena, pn_batch *out, pn_error *err)
{
    size_t n = batch->schema->n_fields;
    pn_schema *schema = PN_ARENA_NEW(arena, pn_schema, 1);
    pn_array *columns = PN_ARENA_NEW(arena, pn_array, n + 1);
    int64_t *ids = PN_ARENA_NEW(arena, int64_t, batch->n_rows + 1);
    pn_field *fields = PN_ARENA_NEW(arena, pn_field, n + 1);
    if (!schema || !columns || !ids || !fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < batch->n_rows; i++)
        ids[i] = first + (int64_t)i;
    fields[0] = *field;
    columns[0] = (pn_array){.field = field, .length = batch->n_rows, .values = ids};
    for (size_t i = 0; i < n; i++) {
        fields[i + 1] = batch->schema->fields[i];
        columns[i + 1] = batch->columns[i];
    }
    *schema = (pn_schema){.fields = fields, .n_fields = n + 1};
    *out = (pn_batch){.schema = schema, .columns = columns, .n_rows = batch->n_rows};
    return PN_OK;
}

static bool needs_ids(const pn_snapshot *snapshot, const pn_batch *batch)
{
    const pn_schema *schema = pn_dataset_schema(snapshot->dataset);
    ptrdiff_t at = pn_schema_find(schema, pn_str_of(PN_COLUMN_ID));
    return at >= 0 && pn_schema_find(batch->schema, pn_str_of(PN_COLUMN_ID)) < 0 &&
           schema->fields[at].type == PN_TYPE_INT64;
}

/* Ids for the inserts of a list that bring none. */
static pn_status give_ids(local_engine *e, const pn_snapshot *snapshot, pn_insert *list,
                          pn_error *err)
{
    size_t n = 0;
    int64_t next;
    for (const pn_insert *i = list; i; i = i->next)
        n += needs_ids(snapshot, i->batch) ? i->batch->n_rows : 0;
    if (n == 0)
        return PN_OK;
    if (atomic_exchange(&e->is_another, false))
        e->ids = (pn_id_source){0};
    PN_TRY(pn_id_source_take(&e->ids, e->own_folder, snapshot->dataset, n, &next, err));
    for (pn_insert *i = list; i; i = i->next)
        if (needs_ids(snapshot, i->batch)) {
            i->first_id = next;
            next += (int64_t)i->batch->n_rows;
        }
    return PN_OK;
}

static pn_status append_one(pn_append *append, const pn_snapshot *snapshot, const pn_insert *insert,
                            pn_error *err)
{
    pn_arena arena;
    pn_batch with_ids = *insert->batch;
    pn_status status = PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    if (insert->first_id >= 0) {
        const pn_schema *schema = pn_dataset_schema(snapshot->dataset);
        ptrdiff_t at = pn_schema_find(schema, pn_str_of(PN_COLUMN_ID));
        status =
            add_ids(insert->batch, &schema->fields[at], insert->first_id, &arena, &with_ids, err);
    }
    if (status == PN_OK)
        status = pn_append_batch(append, &with_ids, err);
    pn_arena_reset(&arena);
    return status;
}

/* Replaced rows are addresses of the version that the caller looked at, given: the commit checks them against what came since.
 * *is_ours: it failed before anything was committed. */
static pn_status append_list(const pn_snapshot *snapshot, pn_insert *list,
                             const pn_rowset *replaced, const pn_snapshot *given, bool *is_ours,
                             pn_dataset **made, pn_error *err)
{
    pn_append *append;
    *is_ours = true;
    PN_TRY(pn_append_begin(replaced ? given->dataset : snapshot->dataset, &append, err));
    for (pn_insert *i = list; i; i = i->next) {
        pn_status status = append_one(append, snapshot, i, err);
        if (status == PN_OK)
            continue;
        pn_append_abort(append);
        return status;
    }
    *is_ours = false;
    return pn_append_commit(append, replaced, made, err);
}

/* Holding append_mu. */
static pn_status commit_list(local_engine *e, pn_insert *list, const pn_rowset *replaced,
                             const pn_snapshot *given, bool *is_ours, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_dataset *made;
    *is_ours = true;
    PN_TRY(pin_newest(e, &snapshot, err));
    pn_status status = give_ids(e, snapshot, list, err);
    if (status == PN_OK)
        status = append_list(snapshot, list, replaced, given, is_ours, &made, err);
    if (status == PN_OK) {
        pn_id_source_settle(&e->ids, snapshot->dataset, made);
        pn_dataset_unref(made);
    }
    pn_snapshot_unref(snapshot);
    return status;
}

static void end_list(pn_insert *list, pn_status status, const pn_error *err)
{
    for (pn_insert *i = list; i; i = i->next) {
        i->status = status;
        i->err = *err;
    }
}

/* A batch that is refused spoils no other one: then each is committed alone. */
static void commit_inserts(void *context, pn_insert *list)
{
    local_engine *e = context;
    pn_error err = {0};
    bool is_ours;
    pthread_mutex_lock(&e->append_mu);
    pn_status status = commit_list(e, list, NULL, NULL, &is_ours, &err);
    if (status == PN_OK || !is_ours || !list->next) {
        end_list(list, status, &err);
    } else {
        for (pn_insert *i = list, *next; i; i = next) {
            next = i->next;
            i->next = NULL;
            i->first_id = -1;
            i->err = (pn_error){0};
            i->status = commit_list(e, i, NULL, NULL, &is_ours, &i->err);
            i->next = next;
        }
    }
    expire(e);
    pthread_mutex_unlock(&e->append_mu);
}

static void after_inserts(void *context)
{
    local_engine *e = context;
    pn_snapshot *snapshot;
    pn_error ignored; // the rows are in; what is wrong with the table the next insert will say
    if (pin_newest(e, &snapshot, &ignored) != PN_OK)
        return;
    pn_table_upkeep_sweep(&e->upkeep, snapshot);
    pn_snapshot_unref(snapshot);
    expire(e);
}

static pn_status check_newest(const local_engine *e, pn_error *err)
{
    if (!e->is_fixed)
        return PN_OK;
    return pn_fail(err, PN_ERR_INVALID,
                   "%s: opened at version %" PRIu64 ", which cannot be changed", e->path,
                   pn_dataset_version(e->newest->dataset));
}

static pn_status insert(void *self, const pn_batch *batch, int64_t *first_id, pn_error *err)
{
    local_engine *e = self;
    PN_TRY(check_newest(e, err));
    return pn_insert_queue_run(&e->inserts, batch, commit_inserts, after_inserts, e, first_id, err);
}

static pn_status append(void *self, pn_snapshot *snapshot, const pn_batch *batch,
                        const pn_rowset *replaced, pn_error *err)
{
    local_engine *e = self;
    pn_insert one = {.batch = batch, .first_id = -1};
    bool is_ours;
    int64_t first_id;
    if (!replaced)
        return insert(self, batch, &first_id, err);
    PN_TRY(check_newest(e, err));
    pthread_mutex_lock(&e->append_mu);
    pn_status status = commit_list(e, &one, replaced, snapshot, &is_ours, err);
    expire(e);
    pthread_mutex_unlock(&e->append_mu);
    return status;
}

static pn_status try_delete(local_engine *e, const char *text, uint64_t *n_deleted, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_rowset rows;
    PN_TRY(pin_newest(e, &snapshot, err));
    pn_rowset_init(&rows);
    pn_status status = pn_dataset_filter_rows(snapshot->dataset, pn_str_of(text), &rows, err);
    *n_deleted = 0;
    if (status == PN_OK && pn_rowset_count(&rows) > 0) {
        pn_dataset *made;
        status = pn_dataset_delete(snapshot->dataset, &rows, text, n_deleted, &made, err);
        if (status == PN_OK)
            pn_dataset_unref(made);
    }
    pn_rowset_reset(&rows);
    pn_snapshot_unref(snapshot);
    return status;
}

static pn_status delete_where(void *self, const char *text, uint64_t *n_deleted, pn_error *err)
{
    enum { MAX_ATTEMPTS = 10 };
    PN_TRY(check_newest(self, err));
    for (int attempt = 0;; attempt++) {
        pn_status status = try_delete(self, text, n_deleted, err);
        expire(self);
        if (status != PN_ERR_CONFLICT || attempt == MAX_ATTEMPTS)
            return status;
        pn_clock_sleep_ms(5 << attempt); // a compaction moved the rows: look for them again
    }
}

/* ---- upkeep ---- */

static pn_status upkeep(void *self, const pn_engine_upkeep_options *options,
                        pn_engine_upkeep_report *out, pn_error *err)
{
    local_engine *e = self;
    pn_snapshot *snapshot;
    PN_TRY(check_newest(e, err));
    PN_TRY(pin_newest(e, &snapshot, err));
    pn_status status = pn_table_upkeep_run(&e->upkeep, snapshot, options, out, err);
    pn_snapshot_unref(snapshot);
    expire(e);
    return status;
}

static void upkeep_totals(void *self, pn_engine_upkeep_totals *out)
{
    local_engine *e = self;
    pn_table_upkeep_totals(&e->upkeep, out);
}

/* ---- indexes ---- */

/* The folder of indexes never changes, so reading its name takes no lock. */
static const char *index_folder(const local_engine *e)
{
    return pn_index_catalog_folder(e->indexes.catalog);
}

static pn_status index_build(void *self, const pn_engine_index_options *options,
                             pn_engine_index_report *out, pn_error *err)
{
    local_engine *e = self;
    pn_lockfile *lock;
    pn_snapshot *snapshot;
    PN_TRY(check_newest(e, err));
    PN_TRY(pn_index_upkeep_lock(index_folder(e), &lock, err));
    pn_status status = pin_newest(e, &snapshot, err); /* under the lock: no other index can come */
    if (status == PN_OK) {
        status = options->lancedb
                     ? pn_lance_upkeep_build(snapshot, options, out, err)
                     : pn_index_upkeep_build(index_folder(e), snapshot, options, out, err);
        pn_snapshot_unref(snapshot);
        expire(e);
    }
    pn_lockfile_release(lock);
    return status;
}

static pn_status index_drop(void *self, size_t *n_dropped, pn_error *err)
{
    local_engine *e = self;
    pn_lockfile *lock;
    *n_dropped = 0;
    PN_TRY(check_newest(e, err));
    if (!pn_path_exists(index_folder(e)))
        return PN_OK;
    PN_TRY(pn_index_upkeep_lock(index_folder(e), &lock, err));
    pn_status status = pn_index_upkeep_drop(index_folder(e), n_dropped, err);
    expire(e);
    pn_lockfile_release(lock);
    return status;
}

static pn_status lance_drop(void *self, size_t *n_dropped, pn_error *err)
{
    local_engine *e = self;
    pn_snapshot *snapshot;
    pn_dataset *made;
    PN_TRY(check_newest(e, err));
    PN_TRY(pin_newest(e, &snapshot, err));
    pn_status status =
        pn_dataset_drop_vector_indexes(snapshot->dataset, PN_COLUMN_VECTOR, n_dropped, &made, err);
    pn_snapshot_unref(snapshot);
    expire(e);
    if (status == PN_OK)
        pn_dataset_unref(made);
    return status;
}

static pn_status index_due(void *self, pn_snapshot *snapshot, bool *out, pn_error *err)
{
    const pn_index_views *views;
    (void)self;
    PN_TRY(pn_snapshot_views(snapshot, &views, err));
    *out = pn_index_upkeep_is_due(views, false);
    return PN_OK;
}

/* Those of LanceDB, used ones first. */
static pn_status lance_status(pn_snapshot *snapshot, pn_arena *arena, pn_engine_index_status *out,
                              pn_error *err)
{
    const pn_lance_views *views;
    PN_TRY(pn_snapshot_lance_views(snapshot, &views, err));
    size_t n = views ? views->n_views + views->n_refused : 0;
    pn_engine_lance_index *list = PN_ARENA_NEW(arena, pn_engine_lance_index, n + 1);
    if (!list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const pn_lance_view *view = i < views->n_views ? &views->views[i] : NULL;
        const pn_lance_refusal *refusal = view ? NULL : &views->refused[i - views->n_views];
        pn_lance_ivf_info info = {0};
        if (view)
            pn_lance_ivf_info_get(view->ivf, &info);
        list[i] = (pn_engine_lance_index){
            .name = pn_arena_strdup(arena, view ? view->name : refusal->name),
            .refused = view ? NULL : pn_arena_strdup(arena, refusal->why),
            .kind = info.kind,
            .metric = info.metric,
            .file_bytes = info.file_bytes,
            .n_rows = view ? view->n_rows : 0,
            .n_partitions = info.n_partitions};
        if (!list[i].name || (!view && !list[i].refused))
            return pn_fail_nomem(err);
    }
    out->lance = list;
    out->n_lance = n;
    return PN_OK;
}

/* How many texts there are; files that are damaged, and why one of them is. */
static pn_status damage_status(local_engine *e, const pn_snapshot *snapshot, pn_arena *arena,
                               pn_engine_index_status *out, pn_error *err)
{
    const char *damage;
    const float *texts;
    pn_error why = {0};
    pn_status status =
        pn_index_texts_read(index_folder(e), snapshot->dim, arena, &texts, &out->n_texts, &why);
    out->are_texts_damaged = pn_is_damage(status);
    if (status != PN_OK && !out->are_texts_damaged)
        return pn_fail(err, status, "%s", why.message);
    pthread_mutex_lock(&e->indexes.mu);
    out->n_damaged = pn_index_catalog_damaged(e->indexes.catalog, &damage);
    out->damage = out->n_damaged > 0 ? pn_arena_strdup(arena, damage) : "";
    pthread_mutex_unlock(&e->indexes.mu);
    if (out->are_texts_damaged) {
        out->n_damaged++;
        out->damage = pn_arena_strdup(arena, why.message);
    }
    return out->damage ? PN_OK : pn_fail_nomem(err);
}

static pn_status index_status(void *self, pn_snapshot *snapshot, pn_arena *arena,
                              pn_engine_index_status *out, pn_error *err)
{
    local_engine *e = self;
    const pn_index_views *views;
    PN_TRY(pn_snapshot_views(snapshot, &views, err));
    pn_engine_index *indexes = PN_ARENA_NEW(arena, pn_engine_index, views->n_views + 1);
    if (!indexes)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < views->n_views; i++) {
        const pn_index_view *view = &views->views[i];
        pn_index_info info;
        pn_index_info_get(view->index, &info);
        indexes[i] = (pn_engine_index){.path = pn_arena_strdup(arena, view->path),
                                       .file_bytes = info.file_bytes,
                                       .table_version = info.table_version,
                                       .n_listed = info.n_listed,
                                       .n_rows = view->n_rows,
                                       .n_partitions = info.n_partitions,
                                       .has_texts = info.has_texts,
                                       .has_copies = info.has_copies};
        if (!indexes[i].path)
            return pn_fail_nomem(err);
    }
    *out = (pn_engine_index_status){.indexes = indexes,
                                    .n_indexes = views->n_views,
                                    .n_covered = views->n_covered,
                                    .n_uncovered = views->n_uncovered,
                                    .is_due = pn_index_upkeep_is_due(views, false)};
    PN_TRY(lance_status(snapshot, arena, out, err));
    return damage_status(e, snapshot, arena, out, err);
}

static pn_status index_check(void *self, pn_error *err)
{
    const pn_index_views *views;
    pn_snapshot *snapshot;
    pn_engine_index_status found;
    pn_arena arena;
    PN_TRY(pin(self, &snapshot, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_snapshot_views(snapshot, &views, err);
    if (status == PN_OK)
        status = index_status(self, snapshot, &arena, &found, err);
    if (status == PN_OK && found.n_damaged > 0)
        status = pn_fail(err, PN_ERR_CORRUPT, "%s", found.damage);
    for (size_t i = 0; status == PN_OK && i < views->n_views; i++)
        status = pn_index_check(views->views[i].index, err);
    pn_arena_reset(&arena);
    pn_snapshot_unref(snapshot);
    return status;
}

/* ---- the engine ---- */

static void free_local(void *self)
{
    local_engine *e = self;
    if (!e)
        return;
    pn_page_keeper_free(e->pages); // it looks at all that follows
    if (e->own_folder && !atomic_load(&e->is_another))
        pn_id_source_end(&e->ids, e->own_folder);
    pn_snapshot_unref(e->newest);
    pn_insert_queue_reset(&e->inserts);
    pn_table_upkeep_reset(&e->upkeep);
    pn_table_indexes_reset(&e->indexes);
    pthread_mutex_destroy(&e->mu);
    pthread_mutex_destroy(&e->append_mu);
    pn_free(e->own_folder);
    pn_free(e->path);
    pn_free(e);
}

static pn_status start_local(local_engine *e, const char *path, pn_error *err)
{
    pthread_mutex_init(&e->mu, NULL);
    pthread_mutex_init(&e->append_mu, NULL);
    pn_insert_queue_init(&e->inserts);
    pn_table_upkeep_init(&e->upkeep, NULL, NULL);
    e->path = pn_strdup(path);
    e->own_folder = pn_alloc(strlen(path) + sizeof "/_pennon");
    if (!e->path || !e->own_folder)
        return pn_fail_nomem(err);
    (void)snprintf(e->own_folder, strlen(path) + sizeof "/_pennon", "%s/_pennon", path); // fits
    PN_TRY(pn_page_keeper_create(pin, e, &e->pages, err));
    PN_TRY(pn_table_indexes_init(&e->indexes, path, err));
    e->upkeep.table = e->path;
    e->upkeep.indexes = index_folder(e);
    return PN_OK;
}

/* Takes the dataset over, also on failure. */
static pn_status make_engine(const char *path, pn_dataset *dataset, bool is_fixed, pn_pool *pool,
                             pn_engine **out, pn_error *err)
{
    local_engine *e = pn_alloc_zero(sizeof *e);
    pn_engine *engine = pn_alloc_zero(sizeof *engine);
    pn_status status = e && engine ? PN_OK : pn_fail_nomem(err);
    if (status == PN_OK)
        status = start_local(e, path, err);
    if (status == PN_OK)
        status = pn_snapshot_make(dataset, &e->indexes, 0, &e->newest, err);
    else
        pn_dataset_unref(dataset);
    if (status != PN_OK) {
        free_local(e);
        pn_free(engine);
        return status;
    }
    e->is_fixed = is_fixed;
    e->pool = pool;
    *engine = (pn_engine){.self = e,
                          .pin = pin,
                          .pin_newest = pin_newest,
                          .unpin = unpin,
                          .info = info,
                          .search = search,
                          .take = take,
                          .filter = filter,
                          .scan = scan,
                          .find_id = find_id,
                          .append = append,
                          .insert = insert,
                          .upkeep = upkeep,
                          .upkeep_totals = upkeep_totals,
                          .delete_where = delete_where,
                          .index_build = index_build,
                          .index_due = index_due,
                          .index_status = index_status,
                          .index_check = index_check,
                          .index_drop = index_drop,
                          .lance_drop = lance_drop,
                          .free = free_local};
    *out = engine;
    return PN_OK;
}

pn_status pn_local_engine_open(const char *path, pn_pool *pool, pn_engine **out, pn_error *err)
{
    pn_dataset *dataset;
    PN_TRY(pn_dataset_open(path, 0, &dataset, err));
    return make_engine(path, dataset, false, pool, out, err);
}

pn_status pn_local_engine_open_version(const char *path, uint64_t version, pn_pool *pool,
                                       pn_engine **out, pn_error *err)
{
    pn_dataset *dataset;
    if (version == 0)
        return pn_fail(err, PN_ERR_INVALID, "%s: versions count from 1", path);
    PN_TRY(pn_dataset_open(path, version, &dataset, err));
    return make_engine(path, dataset, true, pool, out, err);
}

pn_status pn_local_engine_create(const char *path, const pn_schema *schema, pn_pool *pool,
                                 pn_engine **out, pn_error *err)
{
    pn_dataset *dataset;
    PN_TRY(pn_dataset_create(path, schema, &dataset, err));
    return make_engine(path, dataset, false, pool, out, err);
}

void pn_local_engine_set_consistency(pn_engine *engine, int64_t interval_ns)
{
    local_engine *e = engine->self;
    pthread_mutex_lock(&e->mu);
    e->interval_ns = interval_ns;
    pthread_mutex_unlock(&e->mu);
}

pn_status pn_local_engine_set_index_cache(pn_engine *engine, uint64_t bytes, pn_error *err)
{
    local_engine *e = engine->self;
    return pn_page_keeper_set_limit(e->pages, bytes, err);
}

uint64_t pn_local_engine_memory_rounds(const pn_engine *engine)
{
    const local_engine *e = engine->self;
    return pn_page_keeper_rounds(e->pages);
}

void pn_local_engine_set_compaction(pn_engine *engine, uint64_t bytes)
{
    local_engine *e = engine->self;
    pn_table_upkeep_set_target(&e->upkeep, bytes);
}

void pn_engine_free(pn_engine *engine)
{
    if (!engine)
        return;
    engine->free(engine->self);
    pn_free(engine);
}

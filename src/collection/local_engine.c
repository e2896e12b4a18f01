/*
 * local_engine.c - a Lance table and exact search behind the engine's door
 *
 * A snapshot is a reference to one dataset version. Pinning looks whether a newer one was committed (one look at the file
 * system) and hands out the same object until then, so that what was opened stays open.
 *
 * Search: a filter becomes a rowset first, so that k rows come back whenever k pass it; the scan then touches only rows that
 * are allowed. Ids: new rows get the numbers behind the largest id of the version they are added to. Two processes that
 * append at once could pick the same numbers; the second commit would be rebased without anybody looking, so appends of one
 * process take turns, and the next ids are those of the version that is newest just before the commit.
 */
#include "collection/local_engine.h"

#include "base/alloc.h"
#include "collection/id_counter.h"
#include "collection/ids.h"
#include "dataset/dataset.h"
#include "index/flat_index.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/lockfile.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

struct pn_snapshot {
    _Atomic unsigned n_refs;
    pn_dataset *dataset;
    uint32_t dim;
    bool any_length;  /* nobody says that the vectors have the length 1 */
    pn_id_index *ids; /* made on first use; guarded by mu */
    pthread_mutex_t mu;
};

typedef struct local_engine {
    char *path;
    pn_pool *pool; /* borrowed; may be NULL */
    bool is_fixed; /* opened at a version: newest stays what it is, and nothing is changed */
    pthread_mutex_t mu;
    pn_snapshot *newest;       /* guarded by mu */
    pthread_mutex_t append_mu; /* one append at a time, because of the ids */
} local_engine;

/* ---- snapshots ---- */

static void unref_snapshot(pn_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub(&snapshot->n_refs, 1) != 1)
        return;
    pn_id_index_free(snapshot->ids);
    pn_dataset_unref(snapshot->dataset);
    pthread_mutex_destroy(&snapshot->mu);
    pn_free(snapshot);
}

/* Takes the dataset over, also on failure. */
static pn_status make_snapshot(pn_dataset *dataset, pn_snapshot **out, pn_error *err)
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
    snapshot->dataset = dataset;
    snapshot->dim = dim;
    snapshot->any_length = !pn_schema_metadata(pn_dataset_schema(dataset), PN_META_EMBEDDER);
    *out = snapshot;
    return PN_OK;
}

static pn_status pin(void *self, pn_snapshot **out, pn_error *err)
{
    local_engine *e = self;
    pn_dataset *latest;
    pn_status status = PN_OK;
    pthread_mutex_lock(&e->mu);
    if (e->is_fixed)
        latest = pn_dataset_ref(e->newest->dataset);
    else
        status = pn_dataset_latest(e->newest->dataset, &latest, err);
    if (status == PN_OK && latest == e->newest->dataset) {
        pn_dataset_unref(latest);
    } else if (status == PN_OK) {
        pn_snapshot *fresh;
        status = make_snapshot(latest, &fresh, err);
        if (status == PN_OK) {
            unref_snapshot(e->newest);
            e->newest = fresh;
        }
    }
    if (status == PN_OK) {
        atomic_fetch_add(&e->newest->n_refs, 1);
        *out = e->newest;
    }
    pthread_mutex_unlock(&e->mu);
    return status;
}

static void unpin(void *self, pn_snapshot *snapshot)
{
    (void)self;
    unref_snapshot(snapshot);
}

static void info(void *self, const pn_snapshot *snapshot, pn_engine_info *out)
{
    const pn_dataset *dataset = snapshot->dataset;
    (void)self;
    *out = (pn_engine_info){.version = pn_dataset_version(dataset),
                            .n_rows = pn_dataset_count_rows(dataset),
                            .n_fragments = pn_dataset_n_fragments(dataset),
                            .data_bytes = pn_dataset_data_bytes(dataset),
                            .timestamp_ms = pn_dataset_timestamp_ms(dataset),
                            .dim = snapshot->dim,
                            .schema = pn_dataset_schema(dataset)};
}

/* ---- reading ---- */

static pn_status collect_runs(pn_snapshot *snapshot, const pn_rowset *allowed, pn_flat_run **out,
                              size_t *n_out, uint64_t *n_rows, pn_error *err)
{
    pn_dataset *dataset = snapshot->dataset;
    size_t n = 0, capacity = 0;
    pn_flat_run *all = NULL;
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < pn_dataset_n_fragments(dataset); i++) {
        pn_fragment_info fragment;
        const pn_vector_run *runs = NULL;
        const uint64_t *deleted = NULL;
        size_t n_runs = 0;
        pn_dataset_fragment(dataset, i, &fragment);
        const pn_rowset_part *part = allowed ? pn_rowset_find(allowed, fragment.id) : NULL;
        if (allowed && !part)
            continue;
        status = pn_dataset_vectors(dataset, i, PN_COLUMN_VECTOR, &runs, &n_runs, err);
        if (status == PN_OK)
            status = pn_dataset_deletions(dataset, i, &deleted, err);
        if (status == PN_OK && n + n_runs > capacity) {
            capacity = PN_MAX(capacity * 2, n + n_runs);
            pn_flat_run *more = pn_realloc(all, capacity * sizeof *all);
            status = more ? PN_OK : pn_fail_nomem(err);
            all = more ? more : all;
        }
        for (size_t r = 0; status == PN_OK && r < n_runs; r++) {
            all[n++] = (pn_flat_run){.vectors = runs[r].vectors,
                                     .fragment_id = fragment.id,
                                     .first_row = runs[r].first_row,
                                     .n_rows = runs[r].n_rows,
                                     .deleted = deleted,
                                     .allowed = part ? part->words : NULL,
                                     .any_length = snapshot->any_length};
            *n_rows += runs[r].n_rows;
        }
    }
    if (status != PN_OK) {
        pn_free(all);
        return status;
    }
    *out = all;
    *n_out = n;
    return PN_OK;
}

static pn_status search(void *self, pn_snapshot *snapshot, const pn_engine_search *asked,
                        pn_topk *topk, pn_engine_search_stats *stats, pn_error *err)
{
    const local_engine *e = self;
    pn_rowset allowed;
    pn_flat_run *runs = NULL;
    size_t n_runs = 0;
    uint64_t n_scanned = 0;
    pn_status status = PN_OK;
    int64_t start = pn_clock_monotonic_ns();
    pn_rowset_init(&allowed);
    if (asked->filter)
        PN_GOTO(done,
                pn_dataset_filter_rows(snapshot->dataset, pn_str_of(asked->filter), &allowed, err));
    int64_t filtered = pn_clock_monotonic_ns();
    PN_GOTO(done, collect_runs(snapshot, asked->filter ? &allowed : NULL, &runs, &n_runs,
                               &n_scanned, err));
    PN_GOTO(done, pn_flat_search(runs, n_runs, asked->query, snapshot->dim, e->pool, asked->cancel,
                                 topk, err));
    uint64_t n_rows = pn_dataset_count_rows(snapshot->dataset);
    *stats = (pn_engine_search_stats){
        .n_rows = n_rows,
        .n_matching = asked->filter ? pn_rowset_count(&allowed) : n_rows,
        .n_scanned = asked->filter ? pn_rowset_count(&allowed) : PN_MIN(n_scanned, n_rows),
        .filter_ns = filtered - start,
        .scan_ns = pn_clock_monotonic_ns() - filtered,
        .plan = asked->filter ? "exact, prefiltered" : "exact"};
done:
    pn_free(runs);
    pn_rowset_reset(&allowed);
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
    pn_status status = PN_OK;
    (void)self;
    pthread_mutex_lock(&snapshot->mu);
    if (!snapshot->ids)
        status = pn_id_index_make(snapshot->dataset, &snapshot->ids, err);
    pthread_mutex_unlock(&snapshot->mu);
    PN_TRY(status);
    if (!pn_id_index_find(snapshot->ids, id, out))
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

static pn_status append_to(pn_dataset *dataset, const pn_batch *batch, const pn_rowset *replaced,
                           uint64_t *version, pn_error *err)
{
    pn_append *append;
    pn_dataset *made;
    PN_TRY(pn_append_begin(dataset, &append, err));
    pn_status status = pn_append_batch(append, batch, err);
    if (status != PN_OK) {
        pn_append_abort(append);
        return status;
    }
    PN_TRY(pn_append_commit(append, replaced, &made, err));
    *version = pn_dataset_version(made);
    pn_dataset_unref(made);
    return PN_OK;
}

/* Other processes' appends wait too, where the folder can be written; the lock goes with its holder. */
static pn_status lock_ids(const char *folder, pn_arena *arena, pn_lockfile **out, pn_error *err)
{
    char *path = pn_path_join(arena, folder, "ids.lock");
    if (!path)
        return pn_fail_nomem(err);
    PN_TRY(pn_dir_make(folder, err));
    pn_status status = PN_OK;
    for (int waited_ms = 0;; waited_ms += 2) {
        status = pn_lockfile_take(path, out, err);
        if (status != PN_ERR_CONFLICT || waited_ms > 60000)
            return status;
        pn_clock_sleep_ms(2);
    }
}

static bool needs_ids(const pn_snapshot *snapshot, const pn_batch *batch)
{
    const pn_schema *schema = pn_dataset_schema(snapshot->dataset);
    ptrdiff_t at = pn_schema_find(schema, pn_str_of(PN_COLUMN_ID));
    return at >= 0 && pn_schema_find(batch->schema, pn_str_of(PN_COLUMN_ID)) < 0 &&
           schema->fields[at].type == PN_TYPE_INT64;
}

/* Replaced rows are addresses of the version the caller looked at: the commit checks them against what came since. */
static pn_status append_with_ids(local_engine *e, const pn_batch *batch, const pn_rowset *replaced,
                                 pn_snapshot *given, pn_error *err)
{
    pn_snapshot *snapshot = NULL;
    pn_lockfile *lock = NULL;
    pn_arena arena;
    pn_batch with_ids;
    int64_t first;
    uint64_t version;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    char *folder = pn_path_join(&arena, e->path, "_pennon");
    if (!folder)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, lock_ids(folder, &arena, &lock, err));
    PN_GOTO(done,
            pin(e, &snapshot, err)); // what was the newest while another held the lock may not be
    PN_GOTO(done, pn_id_counter_take(folder, snapshot->dataset, batch->n_rows, &first, err));
    ptrdiff_t at = pn_schema_find(pn_dataset_schema(snapshot->dataset), pn_str_of(PN_COLUMN_ID));
    PN_GOTO(done, add_ids(batch, &pn_dataset_schema(snapshot->dataset)->fields[at], first, &arena,
                          &with_ids, err));
    PN_GOTO(done, append_to(replaced ? given->dataset : snapshot->dataset, &with_ids, replaced,
                            &version, err));
    /* A foreign writer may have come between: then the next append has to look at its rows. */
    if (version == pn_dataset_version(snapshot->dataset) + 1)
        pn_id_counter_settle(folder, version, first + (int64_t)batch->n_rows);
done:
    pn_lockfile_release(lock);
    pn_arena_reset(&arena);
    unref_snapshot(snapshot);
    return status;
}

static pn_status append_any(local_engine *e, const pn_batch *batch, const pn_rowset *replaced,
                            pn_snapshot *given, pn_error *err)
{
    pn_snapshot *snapshot;
    uint64_t version;
    PN_TRY(pin(e, &snapshot, err));
    pn_status status = needs_ids(snapshot, batch)
                           ? append_with_ids(e, batch, replaced, given, err)
                           : append_to(replaced ? given->dataset : snapshot->dataset, batch,
                                       replaced, &version, err);
    unref_snapshot(snapshot);
    return status;
}

static pn_status check_newest(const local_engine *e, pn_error *err)
{
    if (!e->is_fixed)
        return PN_OK;
    return pn_fail(err, PN_ERR_INVALID,
                   "%s: opened at version %" PRIu64 ", which cannot be changed", e->path,
                   pn_dataset_version(e->newest->dataset));
}

static pn_status append(void *self, pn_snapshot *snapshot, const pn_batch *batch,
                        const pn_rowset *replaced, pn_error *err)
{
    local_engine *e = self;
    PN_TRY(check_newest(e, err));
    pthread_mutex_lock(&e->append_mu);
    pn_status status = append_any(e, batch, replaced, snapshot, err);
    pthread_mutex_unlock(&e->append_mu);
    return status;
}

static pn_status try_delete(local_engine *e, const char *text, uint64_t *n_deleted, pn_error *err)
{
    pn_snapshot *snapshot;
    pn_rowset rows;
    PN_TRY(pin(e, &snapshot, err));
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
    unref_snapshot(snapshot);
    return status;
}

static pn_status delete_where(void *self, const char *text, uint64_t *n_deleted, pn_error *err)
{
    enum { MAX_ATTEMPTS = 10 };
    PN_TRY(check_newest(self, err));
    for (int attempt = 0;; attempt++) {
        pn_status status = try_delete(self, text, n_deleted, err);
        if (status != PN_ERR_CONFLICT || attempt == MAX_ATTEMPTS)
            return status;
        pn_clock_sleep_ms(5 << attempt); // a compaction moved the rows: look for them again
    }
}

/* ---- the engine ---- */

static void free_local(void *self)
{
    local_engine *e = self;
    if (!e)
        return;
    unref_snapshot(e->newest);
    pthread_mutex_destroy(&e->mu);
    pthread_mutex_destroy(&e->append_mu);
    pn_free(e->path);
    pn_free(e);
}

/* Takes the dataset over, also on failure. */
static pn_status make_engine(const char *path, pn_dataset *dataset, bool is_fixed, pn_pool *pool,
                             pn_engine **out, pn_error *err)
{
    pn_snapshot *snapshot;
    PN_TRY(make_snapshot(dataset, &snapshot, err));
    local_engine *e = pn_alloc_zero(sizeof *e);
    pn_engine *engine = pn_alloc_zero(sizeof *engine);
    char *copy = pn_strdup(path);
    if (!e || !engine || !copy) {
        unref_snapshot(snapshot);
        pn_free(e);
        pn_free(engine);
        pn_free(copy);
        return pn_fail_nomem(err);
    }
    pthread_mutex_init(&e->mu, NULL);
    pthread_mutex_init(&e->append_mu, NULL);
    e->path = copy;
    e->is_fixed = is_fixed;
    e->pool = pool;
    e->newest = snapshot;
    *engine = (pn_engine){.self = e,
                          .pin = pin,
                          .unpin = unpin,
                          .info = info,
                          .search = search,
                          .take = take,
                          .filter = filter,
                          .scan = scan,
                          .find_id = find_id,
                          .append = append,
                          .delete_where = delete_where,
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

void pn_engine_free(pn_engine *engine)
{
    if (!engine)
        return;
    engine->free(engine->self);
    pn_free(engine);
}

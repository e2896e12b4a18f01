/*
 * index_upkeep.c - which rows need an index, and building it beside a table that lives
 *
 * The order on disk: the new index gets its name, which is synced, then the ones it replaces lose theirs. A crash in between leaves rows covered
 * twice, which a search sorts out and the next build cleans up.
 */
#include "collection/index_upkeep.h"

#include "base/alloc.h"
#include "base/str.h"
#include "collection/index_texts.h"
#include "collection/moved_rows.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <stdio.h>
#include <string.h>

#define LOCK_NAME "build.lock"

/* ---- what is due */

/* An index is carried along by a new one at most so many times smaller. */
enum { CARRY = 2 };

static bool is_mostly_gone(const pn_index_view *view)
{
    pn_index_info info;
    pn_index_info_get(view->index, &info);
    return view->n_rows < info.n_listed / 2;
}

/* Set carried[i] for the views whose fragments the new index takes over; the rows it will have. Views are sorted, largest first. */
static uint64_t choose_views(const pn_index_views *views, bool all, bool *carried)
{
    uint64_t n = views->n_uncovered;
    for (size_t i = 0; i < views->n_views; i++) {
        carried[i] = all || is_mostly_gone(&views->views[i]);
        n += carried[i] ? views->views[i].n_rows : 0;
    }
    for (size_t i = views->n_views; i-- > 0;) {
        if (carried[i] || views->views[i].n_rows > CARRY * n)
            continue;
        carried[i] = true;
        n += views->views[i].n_rows;
    }
    return n;
}

/* Whether a new index can be made like another, which takes a tenth of a second instead of three. */
static bool has_large(const pn_index_views *views)
{
    pn_index_info info;
    if (views->n_views == 0 || views->views[0].n_rows < PN_INDEX_TABLE_ROWS)
        return false;
    pn_index_info_get(views->views[0].index, &info);
    return !info.scans_all;
}

bool pn_index_upkeep_is_due(const pn_index_views *views, bool is_wanted)
{
    uint64_t n = views->n_covered + views->n_uncovered;
    if (n < PN_INDEX_MIN_ROWS || (!is_wanted && views->n_views == 0 && n < PN_INDEX_TABLE_ROWS))
        return false;
    bool is_first = views->n_views == 0 && is_wanted;
    for (size_t i = 0; i < views->n_views; i++)
        if (is_mostly_gone(&views->views[i]) && views->views[i].n_rows + views->n_uncovered > 0)
            return views->views[i].n_rows + views->n_uncovered >= PN_INDEX_MIN_ROWS;
    return is_first || views->n_uncovered >= (has_large(views) ? PN_INDEX_DUE_ALIKE : PN_INDEX_DUE);
}

/*
 * The index whose codes the new one takes: the largest that stays, at least as large as the new one, and one that was not made like another itself,
 * which knows no efforts but for scanning all of it. NULL: the new one is of its own kind.
 */
static const pn_index *find_like(const pn_index_views *views, const bool *carried, uint64_t n_rows,
                                 bool has_texts)
{
    for (size_t i = 0; i < views->n_views; i++) {
        pn_index_info info;
        pn_index_info_get(views->views[i].index, &info);
        if (!carried[i] && !info.scans_all && info.has_texts == has_texts &&
            views->views[i].n_rows >= n_rows)
            return views->views[i].index;
    }
    return NULL;
}

/* ---- the folder */

pn_status pn_index_upkeep_lock(const char *folder, pn_lockfile **out, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    pn_error why = {0};
    const char *path = pn_path_join(&arena, folder, LOCK_NAME);
    if (!path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_dir_make(folder, err));
    status = pn_lockfile_take(path, out, &why);
    if (status == PN_ERR_CONFLICT)
        status = pn_fail(err, PN_ERR_CONFLICT, "%s: an index is being built already", folder);
    else if (status != PN_OK)
        status = pn_fail(err, status, "%s", why.message);
done:
    pn_arena_reset(&arena);
    return status;
}

/* Remove the files with this ending. */
static pn_status remove_files(const char *folder, const char *ending, size_t *n_removed,
                              pn_error *err)
{
    pn_arena arena;
    char **names;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    *n_removed = 0;
    pn_status status = pn_dir_list(folder, &arena, &names, &n, err);
    for (size_t i = 0; status == PN_OK && i < n; i++) {
        if (!pn_str_ends_with(pn_str_of(names[i]), ending))
            continue;
        const char *path = pn_path_join(&arena, folder, names[i]);
        status = path ? pn_path_remove(path, err) : pn_fail_nomem(err);
        *n_removed += status == PN_OK;
    }
    if (status == PN_OK && *n_removed > 0)
        status = pn_folder_sync(folder, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_index_upkeep_drop(const char *folder, size_t *n_dropped, pn_error *err)
{
    size_t parts;
    PN_TRY(remove_files(folder, ".part", &parts, err));
    return remove_files(folder, PN_INDEX_SUFFIX, n_dropped, err);
}

/* ---- the rows of a new index */

typedef struct chosen_rows {
    pn_index_fragment *fragments;
    size_t n_fragments;
    pn_run_list runs;
    pn_vector_rows rows;
    pn_arena arena; /* of deletions */
} chosen_rows;

static bool is_chosen(const pn_index_views *views, const bool *carried, size_t fragment_i)
{
    uint32_t view = views->view_of[fragment_i];
    return view == PN_NO_VIEW || carried[view];
}

static pn_status add_fragment(const pn_snapshot *snapshot, size_t i, chosen_rows *out,
                              pn_error *err)
{
    pn_fragment_info info;
    size_t before = out->runs.n;
    PN_TRY(pn_whole_rows_add(snapshot->dataset, i, PN_COLUMN_VECTOR, snapshot->any_length,
                             &out->arena, &out->runs, err));
    if (out->runs.n == before)
        return PN_OK; /* no row in it */
    pn_dataset_fragment(snapshot->dataset, i, &info);
    out->fragments[out->n_fragments++] =
        (pn_index_fragment){.id = info.id,
                            .n_rows = info.physical_rows,
                            .name = pn_dataset_column_file(snapshot->dataset, i, PN_COLUMN_VECTOR),
                            .n_runs = out->runs.n - before};
    return PN_OK;
}

static pn_status gather(const pn_snapshot *snapshot, const pn_index_views *views,
                        const bool *carried, chosen_rows *out, pn_error *err)
{
    size_t n = pn_dataset_n_fragments(snapshot->dataset);
    out->fragments = pn_alloc_array(n + 1, sizeof *out->fragments);
    if (!out->fragments)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (is_chosen(views, carried, i))
            PN_TRY(add_fragment(snapshot, i, out, err));
    for (size_t i = 0, at = 0; i < out->n_fragments; at += out->fragments[i++].n_runs)
        out->fragments[i].runs = out->runs.runs + at;
    return pn_vector_rows_init(out->fragments, out->n_fragments, snapshot->dim,
                               snapshot->any_length, &out->rows, err);
}

/* ---- building */

static pn_status build(const char *path, const pn_snapshot *snapshot, const pn_vector_rows *rows,
                       const pn_index *like, const pn_engine_index_options *options, pn_error *err)
{
    const pn_index_build_options build_options = {.n_partitions = options->n_partitions,
                                                  .low_memory = options->low_memory,
                                                  .texts = options->texts,
                                                  .n_texts = options->n_texts,
                                                  .like = like,
                                                  .seed = 1,
                                                  .table_version =
                                                      pn_dataset_version(snapshot->dataset),
                                                  .pool = options->pool,
                                                  .cancel = options->cancel,
                                                  .progress = options->progress,
                                                  .context = options->context};
    return pn_index_build(rows, &build_options, path, err);
}

/* Those carried along, and those that answer for nothing any more. */
static pn_status remove_replaced(const pn_index_views *views, const bool *carried,
                                 size_t *n_replaced, pn_error *err)
{
    for (size_t i = 0; i < views->n_views; i++) {
        if (!carried[i] && views->views[i].n_rows > 0)
            continue;
        PN_TRY(pn_path_remove(views->views[i].path, err));
        (*n_replaced)++;
    }
    return PN_OK;
}

/* What comes later is as sparing as the index that most rows have: who chose that for a table did not choose it for one day. */
static bool is_of_low_memory(const pn_index_views *views)
{
    const pn_index_view *largest = NULL;
    pn_index_info info;
    for (size_t i = 0; i < views->n_views; i++)
        if (!largest || views->views[i].n_rows > largest->n_rows)
            largest = &views->views[i];
    if (!largest)
        return false;
    pn_index_info_get(largest->index, &info);
    return !info.has_copies;
}

static pn_status build_chosen(const char *folder, const char *path, pn_snapshot *snapshot,
                              const pn_index_views *views, const bool *carried,
                              const pn_engine_index_options *options, pn_engine_index_report *out,
                              pn_error *err)
{
    chosen_rows chosen = {0};
    pn_arena_init(&chosen.arena, SIZE_MAX);
    pn_status status = gather(snapshot, views, carried, &chosen, err);
    uint64_t n = status == PN_OK ? pn_vector_rows_count(&chosen.rows) : 0;
    if (status == PN_OK && n >= PN_INDEX_MIN_ROWS) {
        const pn_index *like = find_like(views, carried, n, options->n_texts > 0);
        status = build(path, snapshot, &chosen.rows, like, options, err);
        out->n_rows = n;
        if (status == PN_OK)
            status = pn_folder_sync(folder, err);
        if (status == PN_OK)
            status = remove_replaced(views, carried, &out->n_replaced, err);
    }
    pn_vector_rows_reset(&chosen.rows);
    pn_free(chosen.fragments);
    pn_free(chosen.runs.runs);
    pn_arena_reset(&chosen.arena);
    return status;
}

static pn_status take_texts(const char *folder, size_t dim, pn_engine_index_options *options,
                            pn_arena *arena, pn_error *err)
{
    if (options->n_texts > 0)
        return pn_index_texts_write(folder, options->texts, options->n_texts, dim, err);
    return pn_index_texts_read(folder, dim, arena, &options->texts, &options->n_texts, err);
}

pn_status pn_index_upkeep_build(const char *folder, pn_snapshot *snapshot,
                                const pn_engine_index_options *options, pn_engine_index_report *out,
                                pn_error *err)
{
    const pn_index_views *views;
    pn_arena arena;
    uint8_t uuid[16];
    char name[PN_UUID_TEXT_BYTES + sizeof PN_INDEX_SUFFIX];
    size_t leftovers;
    pn_engine_index_options settled = *options;
    *out = (pn_engine_index_report){.table_version = pn_dataset_version(snapshot->dataset)};
    PN_TRY(remove_files(folder, ".part", &leftovers, err));
    PN_TRY(pn_snapshot_views(snapshot, &views, err));
    pn_assert(views != NULL);
    if (!options->all && !pn_index_upkeep_is_due(views, options->is_wanted))
        return PN_OK;
    pn_uuid_make(uuid);
    pn_uuid_text(uuid, name);
    memcpy(name + PN_UUID_TEXT_BYTES - 1, PN_INDEX_SUFFIX, sizeof PN_INDEX_SUFFIX);
    pn_arena_init(&arena, SIZE_MAX);
    bool *carried = PN_ARENA_NEW(&arena, bool, views->n_views + 1);
    const char *path = pn_path_join(&arena, folder, name);
    pn_status status = carried && path ? PN_OK : pn_fail_nomem(err);
    if (status == PN_OK)
        status = take_texts(folder, snapshot->dim, &settled, &arena, err);
    if (status == PN_OK) {
        (void)choose_views(views, options->all, carried);
        settled.low_memory |= !options->all && is_of_low_memory(views);
        status = build_chosen(folder, path, snapshot, views, carried, &settled, out, err);
    }
    pn_arena_reset(&arena);
    return status;
}

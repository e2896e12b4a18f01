/*
 * lance_upkeep.c - an index in LanceDB's format, as a version of the table
 *
 * The order on disk: files synced, folder moved and synced, manifest. A crash before the last leaves a folder that nobody names, which the
 * next build or clean-up removes; after it everything is there.
 */
#include "collection/lance_upkeep.h"

#include "base/alloc.h"
#include "collection/moved_rows.h"
#include "index/lance_ivf_build.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <string.h>

#define INDEX_NAME "vector_idx" /* as LanceDB calls it */

typedef struct making {
    const pn_snapshot *snapshot;
    pn_arena arena;
    pn_run_list runs;
    pn_vector_rows rows;
    pn_index_fragment *fragments;
    size_t *numbers; /* [n_fragments] theirs in the dataset */
    size_t n_fragments;
    uint8_t uuid[16];
    char *aside, *place, *all; /* where it is built; where it goes; _indices */
    pn_lance_built built;
} making;

/* ---- rows ---- */

static pn_status add_fragment(making *m, size_t i, pn_error *err)
{
    pn_fragment_info info;
    size_t before = m->runs.n;
    PN_TRY(pn_whole_rows_add(m->snapshot->dataset, i, PN_COLUMN_VECTOR, m->snapshot->any_length,
                             &m->arena, &m->runs, err));
    if (m->runs.n == before)
        return PN_OK; /* no row in it */
    pn_dataset_fragment(m->snapshot->dataset, i, &info);
    m->numbers[m->n_fragments] = i;
    m->fragments[m->n_fragments++] = (pn_index_fragment){
        .id = info.id, .n_rows = info.physical_rows, .n_runs = m->runs.n - before};
    return PN_OK;
}

static pn_status gather(making *m, pn_error *err)
{
    size_t n = pn_dataset_n_fragments(m->snapshot->dataset);
    m->fragments = PN_ARENA_NEW(&m->arena, pn_index_fragment, n + 1);
    m->numbers = PN_ARENA_NEW(&m->arena, size_t, n + 1);
    if (!m->fragments || !m->numbers)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        PN_TRY(add_fragment(m, i, err));
    for (size_t i = 0, at = 0; i < m->n_fragments; at += m->fragments[i++].n_runs)
        m->fragments[i].runs = m->runs.runs + at;
    /* Whether their lengths are known or not, LanceDB makes units of them. */
    return pn_vector_rows_init(m->fragments, m->n_fragments, m->snapshot->dim,
                               m->snapshot->any_length, &m->rows, err);
}

/* ---- folders ---- */

static pn_status name_folders(making *m, pn_error *err)
{
    char uuid[PN_UUID_TEXT_BYTES];
    const char *table = pn_dataset_path(m->snapshot->dataset);
    pn_uuid_make(m->uuid);
    pn_uuid_text(m->uuid, uuid);
    m->aside = pn_arena_printf(&m->arena, "%s/_pennon/lance-index", table);
    m->all = pn_arena_printf(&m->arena, "%s/_indices", table);
    m->place = pn_arena_printf(&m->arena, "%s/_indices/%s", table, uuid);
    return m->aside && m->all && m->place ? PN_OK : pn_fail_nomem(err);
}

/* What an earlier build left behind goes. */
static pn_status make_aside(const making *m, pn_error *err)
{
    if (pn_path_exists(m->aside))
        PN_TRY(pn_dir_remove_all(m->aside, err));
    return pn_dir_make(m->aside, err);
}

/* It only takes room, and the error that led here is the one to tell. */
static void remove_folder(const char *path)
{
    if (pn_path_exists(path))
        (void)(pn_dir_remove_all(path, NULL) == PN_OK); // see above
}

static pn_status move_in(const making *m, pn_error *err)
{
    PN_TRY(pn_folder_sync(m->aside, err));
    PN_TRY(pn_dir_make(m->all, err));
    PN_TRY(pn_path_rename(m->aside, m->place, err));
    PN_TRY(pn_folder_sync(m->all, err));
    return pn_folder_sync(pn_dataset_path(m->snapshot->dataset), err);
}

static pn_status commit(const making *m, pn_engine_index_report *out, pn_error *err)
{
    pn_dataset *made;
    bool published;
    const pn_vector_index_file files[] = {{"auxiliary.idx", m->built.fine_bytes},
                                          {"index.idx", m->built.coarse_bytes}};
    pn_new_vector_index index = {.name = INDEX_NAME,
                                 .column = PN_COLUMN_VECTOR,
                                 .fragments = m->numbers,
                                 .n_fragments = m->n_fragments,
                                 .n_subs = m->built.n_subs,
                                 .files = files,
                                 .n_files = PN_COUNT_OF(files)};
    memcpy(index.uuid, m->uuid, sizeof index.uuid);
    pn_status status = pn_dataset_add_vector_index(m->snapshot->dataset, &index, &out->n_replaced,
                                                   &published, &made, err);
    if (!published)
        remove_folder(m->place);
    if (status == PN_OK) {
        out->table_version = pn_dataset_version(made);
        pn_dataset_unref(made);
    }
    return status;
}

/* ---- all ---- */

static pn_status make(making *m, const pn_engine_index_options *options,
                      pn_engine_index_report *out, pn_error *err)
{
    const pn_lance_build_options how = {.n_partitions = options->n_partitions,
                                        .seed = 1,
                                        .pool = options->pool,
                                        .cancel = options->cancel,
                                        .progress = options->progress,
                                        .context = options->context};
    PN_TRY(name_folders(m, err));
    PN_TRY(gather(m, err));
    PN_TRY(make_aside(m, err));
    pn_status status = pn_lance_ivf_build(&m->rows, &how, m->aside, &m->built, err);
    if (status == PN_OK)
        status = move_in(m, err);
    if (status == PN_OK)
        status = commit(m, out, err);
    else
        remove_folder(m->place);
    remove_folder(m->aside);
    out->n_rows = status == PN_OK ? m->built.n_rows : 0;
    return status;
}

pn_status pn_lance_upkeep_build(const pn_snapshot *snapshot, const pn_engine_index_options *options,
                                pn_engine_index_report *out, pn_error *err)
{
    making m = {.snapshot = snapshot};
    pn_engine_index_report report = {0};
    pn_arena_init(&m.arena, SIZE_MAX);
    pn_status status = make(&m, options, &report, err);
    pn_vector_rows_reset(&m.rows);
    pn_free(m.runs.runs);
    pn_arena_reset(&m.arena);
    if (status == PN_OK)
        *out = report;
    return status;
}

/*
 * restore.c - an old version becomes the newest
 *
 * The new version is the old one's manifest under a new number: its schema, fragments and indexes, whatever came after it. Nothing
 * of what came after is lost; it stays in its versions until they are cleaned up. Two numbers do not go back: the highest
 * fragment id and the next row id, which would otherwise be given a second time.
 *
 * A newest version that is damaged is what one goes back from. Then there is nothing to build upon but the old version itself, and those
 * of the versions since that can be read tell which numbers were given; what the damaged one gave, nobody knows.
 */
#include "dataset/commit.h"

#include "os/fd.h"

#include <inttypes.h>

typedef struct restoring {
    uint64_t version;
    pn_manifest old; /* of the last try */
} restoring;

static void forget(void *context)
{
    restoring *r = context;
    pn_manifest_free(&r->old);
}

/* A version whose files were removed by hand is not brought back. */
static pn_status check_file(const pn_dataset *newest, pn_draft *draft, const char *name,
                            pn_error *err)
{
    const char *path = pn_arena_printf(draft->arena, "%s/data/%s", newest->path, name);
    if (!path)
        return pn_fail_nomem(err);
    if (!pn_path_exists(path))
        return pn_fail(err, PN_ERR_CORRUPT, "a data file of the version is missing: %s", path);
    return PN_OK;
}

static void keep_numbers(Pn__Table__Manifest *m, const Pn__Table__Manifest *other)
{
    m->has_max_fragment_id = m->has_max_fragment_id || other->has_max_fragment_id;
    m->max_fragment_id = PN_MAX(m->max_fragment_id, other->max_fragment_id);
    m->has_next_row_id = m->has_next_row_id || other->has_next_row_id;
    m->next_row_id = PN_MAX(m->next_row_id, other->next_row_id);
}

/* Of versions that are passed over because the newest is damaged. */
static pn_status keep_numbers_since(const pn_dataset *newest, Pn__Table__Manifest *m,
                                    pn_arena *arena, pn_error *err)
{
    pn_version_list list;
    PN_TRY(pn_manifest_list(newest->path, arena, &list, err));
    for (size_t i = 0; i < list.n; i++) {
        pn_manifest between = {0};
        pn_status status = PN_ERR_NOT_FOUND;
        if (list.versions[i] > pn_dataset_version(newest))
            status = pn_manifest_read(newest->path, list.versions[i], list.scheme, &between, err);
        if (status == PN_ERR_NOMEM)
            return status;
        if (status == PN_OK)
            keep_numbers(m, between.message);
        pn_manifest_free(&between);
    }
    return PN_OK;
}

static pn_status apply_restore(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    restoring *r = context;
    Pn__Table__Manifest *m = draft->manifest, stamped = *m;
    Pn__Table__Restore *restore = PN_ARENA_NEW(draft->arena, Pn__Table__Restore, 1);
    if (!restore)
        return pn_fail_nomem(err);
    pn_status status = pn_manifest_read(newest->path, r->version, newest->scheme, &r->old, err);
    if (status == PN_ERR_NOT_FOUND)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no version %" PRIu64, newest->path,
                       r->version);
    PN_TRY(status);
    *m = *r->old.message;
    m->version = stamped.version;
    m->timestamp = stamped.timestamp;
    m->writer_version = stamped.writer_version;
    m->transaction_file = stamped.transaction_file;
    keep_numbers(m, &stamped);
    if (stamped.version != pn_dataset_version(newest) + 1)
        PN_TRY(keep_numbers_since(newest, m, draft->arena, err));
    for (size_t i = 0; i < m->n_fragments; i++)
        for (size_t f = 0; f < m->fragments[i]->n_files; f++)
            if (m->fragments[i]->files[f]->path)
                PN_TRY(check_file(newest, draft, m->fragments[i]->files[f]->path, err));
    draft->index_section = r->old.index_section;
    draft->index_section_bytes = r->old.index_section_bytes;
    pn__table__restore__init(restore);
    restore->has_version = 1;
    restore->version = r->version;
    draft->txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_RESTORE;
    draft->txn->restore = restore;
    return PN_OK;
}

pn_status pn_dataset_restore(pn_dataset *dataset, uint64_t version, pn_dataset **out, pn_error *err)
{
    pn_commit_end end;
    restoring r = {.version = version};
    const pn_commit_plan plan = {.operation = PN_OPERATION_RESTORE,
                                 .apply = apply_restore,
                                 .undo = forget,
                                 .context = &r,
                                 .passes_damage = true};
    pn_status status = pn_commit_run(dataset, &plan, &end, out, err);
    pn_manifest_free(&r.old);
    return status;
}

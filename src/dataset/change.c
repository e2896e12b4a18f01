/*
 * change.c - rows that go, and rows that come in the same version
 *
 * A change is decided on one version and applied to the newest, which may be later. Row addresses stay good as long as their
 * fragment does (transaction.c refuses when it was rewritten); what may have happened is that rows were deleted. That is no
 * conflict for a delete, and one for a replacement, which would otherwise bring a deleted picture back.
 */
#include "dataset/change.h"

#include "base/alloc.h"
#include "dataset/data_file.h"
#include "dataset/deletion.h"
#include "dataset/row_ids.h"
#include "lance/lance_schema.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <string.h>

typedef struct pn_effect effect;

static uint64_t count_new(const uint64_t *wanted, const uint64_t *deleted, uint32_t n_rows)
{
    uint64_t n = 0;
    for (size_t i = 0; i < pn_words_for_bits(n_rows); i++)
        n += pn_popcount64(wanted[i] & ~(deleted ? deleted[i] : 0));
    return n;
}

static bool names_rows(const pn_rowset_part *part)
{
    return part && count_new(part->words, NULL, part->n_rows) > 0;
}

static bool has_file(const Pn__Table__DataFragment *fragment, const char *path)
{
    for (size_t i = 0; i < fragment->n_files; i++)
        if (strcmp(fragment->files[i]->path, path) == 0)
            return true;
    return false;
}

/* Does the fragment hold other values than when the change was decided? */
static bool has_new_files(const pn_dataset *read, const Pn__Table__DataFragment *now)
{
    size_t at = pn_dataset_find_fragment(read, (uint32_t)now->id);
    for (size_t i = 0; at != SIZE_MAX && i < now->n_files; i++)
        if (!has_file(read->fragments[at].message, now->files[i]->path))
            return true;
    return false;
}

/* A copy of the fragment with more rows deleted, or its removal when none is left. */
static pn_status delete_in_fragment(pn_change *c, pn_dataset *newest, size_t fragment_i,
                                    const pn_rowset_part *part, effect *e, pn_draft *draft,
                                    pn_error *err)
{
    pn_arena *arena = draft->arena;
    const pn_fragment *fragment = &newest->fragments[fragment_i];
    const uint64_t *deleted;
    if (part->n_rows != fragment->n_rows)
        return pn_fail(err, PN_ERR_CONFLICT,
                       "%s: fragment %" PRIu32 " was rewritten by another writer", newest->path,
                       fragment->id);
    if (has_new_files(c->read, fragment->message))
        return pn_fail(err, PN_ERR_CONFLICT,
                       "%s: columns of fragment %" PRIu32 " were rewritten by another writer",
                       newest->path, fragment->id);
    PN_TRY(pn_dataset_deletions(newest, fragment_i, &deleted, err));
    uint64_t wanted = count_new(part->words, NULL, fragment->n_rows);
    uint64_t fresh = count_new(part->words, deleted, fragment->n_rows);
    if (c->must_all_be_there && fresh != wanted)
        return pn_fail(err, PN_ERR_CONFLICT, "%s: a row to replace was changed by another writer",
                       newest->path);
    if (fresh == 0) {
        e->fragments[e->n_fragments++] = newest->manifest.message->fragments[fragment_i];
        return PN_OK;
    }
    c->n_deleted += fresh;
    if (fresh + fragment->n_deleted == fragment->n_rows) {
        e->removed[e->n_removed++] = fragment->id;
        return PN_OK;
    }
    size_t n_words = pn_words_for_bits(fragment->n_rows);
    uint64_t *words = PN_ARENA_NEW(arena, uint64_t, n_words + 1);
    Pn__Table__DataFragment *copy = PN_ARENA_NEW(arena, Pn__Table__DataFragment, 1);
    Pn__Table__DeletionFile *file = PN_ARENA_NEW(arena, Pn__Table__DeletionFile, 1);
    if (!words || !copy || !file)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_words; i++)
        words[i] = part->words[i] | (deleted ? deleted[i] : 0);
    PN_TRY(pn_deletion_write(newest->path, fragment->id, pn_dataset_version(newest), words,
                             fragment->n_rows, draft->unsynced, file, err));
    *copy = *fragment->message;
    copy->deletion_file = file;
    e->fragments[e->n_fragments++] = copy;
    e->updated[e->n_updated++] = copy;
    return PN_OK;
}

static pn_status delete_rows(pn_change *c, pn_dataset *newest, effect *e, pn_draft *draft,
                             pn_error *err)
{
    uint64_t n_here = 0;
    for (size_t i = 0; i < newest->n_fragments; i++) {
        const pn_rowset_part *part =
            c->rows ? pn_rowset_find(c->rows, newest->fragments[i].id) : NULL;
        if (!names_rows(part)) {
            e->fragments[e->n_fragments++] = newest->manifest.message->fragments[i];
            continue;
        }
        n_here += count_new(part->words, NULL, part->n_rows);
        PN_TRY(delete_in_fragment(c, newest, i, part, e, draft, err));
    }
    if (c->must_all_be_there && c->rows && n_here != pn_rowset_count(c->rows))
        return pn_fail(err, PN_ERR_CONFLICT, "%s: a row to replace was removed by another writer",
                       newest->path);
    return PN_OK;
}

static pn_status add_fragment(const pn_change *c, pn_draft *draft, effect *e,
                              Pn__Table__DataFragment ***in_txn, pn_error *err)
{
    pn_arena *arena = draft->arena;
    Pn__Table__DataFragment *with_id = PN_ARENA_NEW(arena, Pn__Table__DataFragment, 1);
    Pn__Table__DataFragment *without = PN_ARENA_NEW(arena, Pn__Table__DataFragment, 1);
    *in_txn = PN_ARENA_NEW(arena, Pn__Table__DataFragment *, 1);
    if (!with_id || !without || !*in_txn)
        return pn_fail_nomem(err);
    *with_id = *without = *c->added;
    PN_TRY(pn_draft_give_id(draft, with_id, err));
    PN_TRY(pn_draft_give_row_ids(draft, with_id, c->history, err));
    e->fragments[e->n_fragments++] = with_id;
    (*in_txn)[0] = without; // ids are given at commit, so a transaction has none
    return PN_OK;
}

static pn_status fill_append(Pn__Table__Transaction *txn, Pn__Table__DataFragment **added,
                             pn_arena *arena, pn_error *err)
{
    Pn__Table__Append *append = PN_ARENA_NEW(arena, Pn__Table__Append, 1);
    if (!append)
        return pn_fail_nomem(err);
    pn__table__append__init(append);
    append->fragments = added;
    append->n_fragments = 1;
    txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_APPEND;
    txn->append = append;
    return PN_OK;
}

/* Rows move, so all fields may have changed; none was changed where it is. */
static pn_status fill_update(Pn__Table__Transaction *txn, const effect *e,
                             Pn__Table__DataFragment **added, pn_dataset *newest, pn_arena *arena,
                             pn_error *err)
{
    Pn__Table__Update *update = PN_ARENA_NEW(arena, Pn__Table__Update, 1);
    size_t n_leaves;
    int32_t *ids;
    if (!update)
        return pn_fail_nomem(err);
    PN_TRY(pn_lance_schema_leaf_ids(&newest->schema, arena, &ids, &n_leaves, err));
    pn__table__update__init(update);
    update->removed_fragment_ids = e->removed;
    update->n_removed_fragment_ids = e->n_removed;
    update->updated_fragments = e->updated;
    update->n_updated_fragments = e->n_updated;
    update->new_fragments = added;
    update->n_new_fragments = added ? 1 : 0;
    update->fields_preserving = (uint32_t *)(void *)ids;
    update->n_fields_preserving = n_leaves;
    txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_UPDATE;
    txn->update = update;
    return PN_OK;
}

static pn_status fill_delete(Pn__Table__Transaction *txn, const effect *e, const char *predicate,
                             pn_arena *arena, pn_error *err)
{
    Pn__Table__Delete *delete = PN_ARENA_NEW(arena, Pn__Table__Delete, 1);
    if (!delete)
        return pn_fail_nomem(err);
    pn__table__delete__init(delete);
    delete->updated_fragments = e->updated;
    delete->n_updated_fragments = e->n_updated;
    delete->deleted_fragment_ids = e->removed;
    delete->n_deleted_fragment_ids = e->n_removed;
    delete->predicate = pn_arena_strdup(arena, predicate ? predicate : "");
    txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_DELETE;
    txn->delete_ = delete;
    return delete->predicate ? PN_OK : pn_fail_nomem(err);
}

static const pn_field *find_id(const pn_field *fields, size_t n, int32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].id == id)
            return &fields[i];
    return NULL;
}

/* The data file was written for the fields of `then`; in a table of the fields of `now` what it lacks reads as null, and so may
 * what it has: both must be allowed to. */
static pn_status check_nulls(const pn_change *c, const pn_field *then, size_t n_then,
                             const pn_field *now, size_t n_now, pn_error *err)
{
    for (size_t i = 0; i < n_now; i++) {
        const pn_field *old = find_id(then, n_then, now[i].id);
        if (now[i].id >= 0 && !now[i].nullable && (!old || old->nullable))
            return pn_fail(err, PN_ERR_CONFLICT,
                           "%s: another writer %s the column \"%s\", which cannot be null",
                           c->read->path, old ? "changed" : "added", now[i].name);
        if (old && old->type == PN_TYPE_STRUCT)
            PN_TRY(check_nulls(c, old->children, old->n_children, now[i].children,
                               now[i].n_children, err));
    }
    return PN_OK;
}

/* ---- applying a change to the newest version ---- */

/* The deletion files of a try that came to nothing. */
void pn_change_undo(void *context)
{
    pn_change *c = context;
    for (size_t i = 0; i < c->effect.n_updated; i++)
        pn_deletion_remove(c->read->path, c->effect.updated[i]->id,
                           c->effect.updated[i]->deletion_file);
    c->effect = (effect){0};
}

pn_status pn_change_apply(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    pn_change *c = context;
    size_t n = newest->n_fragments + 1;
    effect *e = &c->effect;
    pn_arena *arena = draft->arena;
    *e = (effect){.fragments = PN_ARENA_NEW(arena, Pn__Table__DataFragment *, n),
                  .updated = PN_ARENA_NEW(arena, Pn__Table__DataFragment *, n),
                  .removed = PN_ARENA_NEW(arena, uint64_t, n)};
    Pn__Table__DataFragment **added = NULL;
    c->n_deleted = 0;
    if (!e->fragments || !e->updated || !e->removed)
        return pn_fail_nomem(err);
    if (c->added)
        PN_TRY(check_nulls(c, c->read->schema.fields, c->read->schema.n_fields,
                           newest->schema.fields, newest->schema.n_fields, err));
    PN_TRY(delete_rows(c, newest, e, draft, err));
    if (c->added)
        PN_TRY(add_fragment(c, draft, e, &added, err));
    draft->nothing = !c->added && c->n_deleted == 0;
    draft->manifest->fragments = e->fragments;
    draft->manifest->n_fragments = e->n_fragments;
    if (c->added && !c->rows)
        return fill_append(draft->txn, added, arena, err);
    if (c->added)
        return fill_update(draft->txn, e, added, newest, arena, err);
    return fill_delete(draft->txn, e, c->predicate, arena, err);
}

bool pn_change_touches(const void *context, uint64_t fragment_id)
{
    const pn_change *c = context;
    return c->rows && fragment_id <= UINT32_MAX &&
           names_rows(pn_rowset_find(c->rows, (uint32_t)fragment_id));
}

/* Of an older version rows that are only added know the columns and the format of data files. Their file must still be there: whoever cleans
 * up may have taken it for one that nobody needs, or removed the table that it was written into. */
static pn_status append_anew(const void *context, const pn_dataset *newest, pn_error *err)
{
    const pn_change *c = context;
    const pn_schema *then = &c->read->schema, *now = &newest->schema;
    uint16_t minor_then, minor_now;
    pn_arena arena;
    PN_TRY(pn_data_file_minor(c->read, &minor_then, err));
    PN_TRY(pn_data_file_minor(newest, &minor_now, err));
    if (minor_then != minor_now ||
        !pn_same_columns(then->fields, now->fields, then->n_fields, now->n_fields))
        return pn_fail(err, PN_ERR_CONFLICT, "the table has other columns now");
    bool there = true;
    pn_arena_init(&arena, SIZE_MAX);
    char *folder = pn_path_join(&arena, newest->path, "data");
    for (size_t i = 0; i < c->added->n_files && folder && there; i++) {
        char *path = pn_path_join(&arena, folder, c->added->files[i]->path);
        folder = path ? folder : NULL;
        there = path && pn_path_exists(path);
    }
    pn_arena_reset(&arena);
    if (!folder)
        return pn_fail_nomem(err);
    return there ? PN_OK
                 : pn_fail(err, PN_ERR_CONFLICT, "the file of the new rows was removed, too");
}

pn_status pn_change_commit(pn_change *change, pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    bool only_adds = change->added && !change->rows;
    const pn_commit_plan plan = {.operation = !change->added ? PN_OPERATION_DELETE
                                              : change->rows ? PN_OPERATION_UPDATE
                                                             : PN_OPERATION_APPEND,
                                 .touches = pn_change_touches,
                                 .begin_anew = only_adds ? append_anew : NULL,
                                 .apply = pn_change_apply,
                                 .undo = pn_change_undo,
                                 .unsynced = change->unsynced,
                                 .context = change};
    return pn_commit_run(change->read, &plan, end, out, err);
}

/* Addresses come from the caller: a fragment that is not there, or a row past its end, is his mistake. */
pn_status pn_change_check_rows(const pn_dataset *dataset, const pn_rowset *rows, pn_error *err)
{
    for (size_t i = 0; i < rows->n_parts; i++) {
        const pn_rowset_part *part = &rows->parts[i];
        if (!names_rows(part))
            continue; // a filter makes a part of every fragment
        size_t at = pn_dataset_find_fragment(dataset, part->fragment_id);
        if (at == SIZE_MAX || dataset->fragments[at].n_rows != part->n_rows)
            return pn_fail(
                err, PN_ERR_INVALID,
                "%s: version %" PRIu64 " has no fragment %" PRIu32 " of %" PRIu32 " rows",
                dataset->path, pn_dataset_version(dataset), part->fragment_id, part->n_rows);
        if (part->n_rows % 64 != 0 && part->words[part->n_rows / 64] >> part->n_rows % 64 != 0)
            return pn_fail(err, PN_ERR_INVALID,
                           "%s: a row past the end of fragment %" PRIu32 " is to be deleted",
                           dataset->path, part->fragment_id);
    }
    return PN_OK;
}

pn_status pn_dataset_delete(pn_dataset *dataset, const pn_rowset *rows, const char *predicate,
                            uint64_t *n_deleted, pn_dataset **out, pn_error *err)
{
    pn_commit_end end;
    pn_change c = {.read = dataset, .rows = rows, .predicate = predicate};
    PN_TRY(pn_change_check_rows(dataset, rows, err));
    PN_TRY(pn_change_commit(&c, &end, out, err));
    *n_deleted = c.n_deleted;
    return PN_OK;
}

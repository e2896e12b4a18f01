/*
 * change.c - create, append, delete, replace
 *
 * Rows are written to a new data file first, which nobody sees; then one commit adds the file's fragment and, for replaced
 * rows, marks the old ones deleted. When the commit has to be applied again on a newer version, only numbers and deletion
 * files are made anew; the data file stays.
 *
 * A row to delete may be deleted by now (another writer); that is no conflict for a delete, and one for a replacement, which
 * would otherwise bring a deleted picture back.
 */
#include "dataset/commit.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "column/builder.h"
#include "dataset/deletion.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <string.h>

struct pn_append {
    pn_dataset *dataset;
    pn_arena arena;
    char *name, *path; /* of the data file */
    pn_lance_writer *writer;
    uint64_t n_rows, size_bytes;
};

/* ---- create ---- */

static pn_status fill_create(const pn_schema *schema, pn_arena *arena, Pn__Table__Manifest *m,
                             Pn__Table__Transaction *txn, pn_error *err)
{
    static char file_format[] = "lance", version[] = "2.2";
    Pn__Table__DataFormat *format = PN_ARENA_NEW(arena, Pn__Table__DataFormat, 1);
    Pn__Table__Overwrite *overwrite = PN_ARENA_NEW(arena, Pn__Table__Overwrite, 1);
    Pn__Lance__KeyBytes **pairs =
        PN_ARENA_NEW(arena, Pn__Lance__KeyBytes *, schema->n_metadata + 1);
    if (!format || !overwrite || !pairs)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < schema->n_metadata; i++) {
        pairs[i] = PN_ARENA_NEW(arena, Pn__Lance__KeyBytes, 1);
        if (!pairs[i])
            return pn_fail_nomem(err);
        pn__lance__key_bytes__init(pairs[i]);
        pairs[i]->key = pn_arena_strdup(arena, schema->metadata[i].key);
        pairs[i]->has_value = 1;
        pairs[i]->value.len = strlen(schema->metadata[i].value);
        pairs[i]->value.data = (uint8_t *)pn_arena_strdup(arena, schema->metadata[i].value);
        if (!pairs[i]->key || !pairs[i]->value.data)
            return pn_fail_nomem(err);
    }
    PN_TRY(pn_lance_schema_encode(schema, arena, &m->fields, &m->n_fields, err));
    pn__table__data_format__init(format);
    format->file_format = file_format;
    format->version = version;
    m->data_format = format;
    m->schema_metadata = pairs;
    m->n_schema_metadata = schema->n_metadata;
    pn__table__overwrite__init(overwrite);
    overwrite->schema = m->fields;
    overwrite->n_schema = m->n_fields;
    overwrite->schema_metadata = pairs;
    overwrite->n_schema_metadata = schema->n_metadata;
    txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_OVERWRITE;
    txn->overwrite = overwrite;
    return PN_OK;
}

static pn_status check_schema(const pn_schema *schema, pn_error *err)
{
    if (schema->n_fields == 0 || schema->n_fields > PN_LANCE_MAX_COLUMNS)
        return pn_fail(err, PN_ERR_INVALID, "a table has 1 to %d columns", PN_LANCE_MAX_COLUMNS);
    for (size_t i = 0; i < schema->n_fields; i++) {
        if (schema->fields[i].name[0] == '\0')
            return pn_fail(err, PN_ERR_INVALID, "column %zu has no name", i);
        if (pn_schema_find(schema, pn_str_of(schema->fields[i].name)) != (ptrdiff_t)i)
            return pn_fail(err, PN_ERR_INVALID, "two columns are named \"%s\"",
                           schema->fields[i].name);
    }
    return PN_OK;
}

pn_status pn_dataset_create(const char *path, const pn_schema *schema, pn_dataset **out,
                            pn_error *err)
{
    pn_arena arena;
    pn_schema own;
    Pn__Table__Manifest manifest = PN__TABLE__MANIFEST__INIT;
    Pn__Table__Transaction txn = PN__TABLE__TRANSACTION__INIT;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = check_schema(schema, err);
    if (status == PN_OK)
        status = pn_schema_copy(schema, &arena, &own, err);
    if (status == PN_OK) {
        pn_lance_schema_assign_ids(&own, 0);
        status = fill_create(&own, &arena, &manifest, &txn, err);
    }
    pn_version_list versions;
    if (status == PN_OK) {
        status = pn_manifest_list(path, &arena, &versions, err);
        if (status == PN_OK)
            status = pn_fail(err, PN_ERR_EXISTS, "%s: there is a table already", path);
        else if (status == PN_ERR_NOT_FOUND)
            status = PN_OK;
    }
    if (status == PN_OK)
        status = pn_dir_make(path, err);
    if (status == PN_OK)
        status = pn_commit_create(path, &manifest, &txn, err);
    pn_arena_reset(&arena);
    return status == PN_OK ? pn_dataset_open(path, 1, out, err) : status;
}

/* ---- append ---- */

pn_status pn_append_begin(pn_dataset *dataset, pn_append **out, pn_error *err)
{
    char name[PN_DATA_FILE_NAME_BYTES];
    const Pn__Table__DataFormat *format = dataset->manifest.message->data_format;
    if (!format || !format->version || strcmp(format->version, "2.2") != 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: data files of version %s can be read but not added to; 2.2 can",
                       dataset->path, format && format->version ? format->version : "0.1");
    pn_status status = PN_OK;
    pn_append *append = pn_alloc_zero(sizeof *append);
    if (!append)
        return pn_fail_nomem(err);
    pn_arena_init(&append->arena, SIZE_MAX);
    append->dataset = pn_dataset_ref(dataset);
    pn_commit_data_file_name(name);
    char *folder = pn_path_join(&append->arena, dataset->path, "data");
    append->name = pn_arena_strdup(&append->arena, name);
    append->path = folder ? pn_path_join(&append->arena, folder, name) : NULL;
    if (!append->name || !append->path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_dir_make(folder, err));
    PN_GOTO(done, pn_lance_writer_create(append->path, &dataset->schema, &append->writer, err));
    *out = append;
    append = NULL;
done:
    pn_append_abort(append);
    return status;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What the bytes mean. Names matter in structs only: lists call their item this or that. */
static bool same_type(const pn_field *a, const pn_field *b)
{
    if (a->type != b->type || a->n_children != b->n_children || a->size != b->size ||
        a->unit != b->unit || a->precision != b->precision || a->scale != b->scale ||
        a->is_json != b->is_json || !same_text(a->timezone, b->timezone))
        return false;
    for (size_t i = 0; i < a->n_children; i++) {
        if (a->type == PN_TYPE_STRUCT && !same_text(a->children[i].name, b->children[i].name))
            return false;
        if (!same_type(&a->children[i], &b->children[i]))
            return false;
    }
    return true;
}

static pn_status null_column(const pn_field *field, size_t n, pn_arena *arena, pn_array *out,
                             pn_error *err)
{
    pn_builder *builder;
    pn_array view;
    uint32_t *zeros = PN_ARENA_NEW(arena, uint32_t, n + 1);
    if (!zeros)
        return pn_fail_nomem(err);
    PN_TRY(pn_builder_create(field, PTRDIFF_MAX, &builder, err));
    pn_status status = pn_builder_append_null(builder, err);
    if (status == PN_OK)
        status = pn_builder_view(builder, &view, err);
    if (status == PN_OK)
        status = pn_array_gather(&view, zeros, n, arena, out, err);
    pn_builder_free(builder);
    return status;
}

static pn_status check_column(const pn_field *field, const pn_array *column, size_t n_rows,
                              pn_error *err)
{
    if (!same_type(field, column->field))
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": another type than the table's",
                       field->name);
    if (column->length != n_rows)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %zu rows, the batch has %zu",
                       field->name, column->length, n_rows);
    if (!field->nullable && pn_array_count_nulls(column) > 0)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" cannot be null", field->name);
    return PN_OK;
}

pn_status pn_append_batch(pn_append *append, const pn_batch *batch, pn_error *err)
{
    const pn_schema *schema = &append->dataset->schema;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    pn_array *columns = PN_ARENA_NEW(&arena, pn_array, schema->n_fields);
    if (!columns)
        PN_GOTO(done, pn_fail_nomem(err));
    for (size_t i = 0; i < batch->schema->n_fields; i++)
        if (pn_schema_find(schema, pn_str_of(batch->schema->fields[i].name)) < 0)
            PN_GOTO(done, pn_fail(err, PN_ERR_INVALID, "the table has no column \"%s\"",
                                  batch->schema->fields[i].name));
    for (size_t i = 0; i < schema->n_fields; i++) {
        const pn_array *given = pn_batch_column(batch, schema->fields[i].name);
        if (given) {
            PN_GOTO(done, check_column(&schema->fields[i], given, batch->n_rows, err));
            columns[i] = *given;
        } else {
            PN_GOTO(done, null_column(&schema->fields[i], batch->n_rows, &arena, &columns[i], err));
        }
    }
    pn_batch ordered = {.schema = schema, .columns = columns, .n_rows = batch->n_rows};
    status = pn_lance_writer_append(append->writer, &ordered, err);
done:
    pn_arena_reset(&arena);
    return status;
}

void pn_append_abort(pn_append *append)
{
    if (!append)
        return;
    pn_lance_writer_close(append->writer);
    pn_dataset_unref(append->dataset);
    pn_arena_reset(&append->arena);
    pn_free(append);
}

/* The new fragment; its id is set at each try. */
static pn_status describe_fragment(pn_append *append, Pn__Table__DataFragment **out, pn_error *err)
{
    pn_arena *arena = &append->arena;
    Pn__Table__DataFragment *fragment = PN_ARENA_NEW(arena, Pn__Table__DataFragment, 1);
    Pn__Table__DataFile *file = PN_ARENA_NEW(arena, Pn__Table__DataFile, 1);
    Pn__Table__DataFile **files = PN_ARENA_NEW(arena, Pn__Table__DataFile *, 1);
    if (!fragment || !file || !files)
        return pn_fail_nomem(err);
    pn__table__data_fragment__init(fragment);
    pn__table__data_file__init(file);
    file->path = append->name;
    PN_TRY(pn_lance_schema_leaf_ids(&append->dataset->schema, arena, &file->fields, &file->n_fields,
                                    err));
    file->column_indices = PN_ARENA_NEW(arena, int32_t, file->n_fields + 1);
    if (!file->column_indices)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < file->n_fields; i++)
        file->column_indices[i] = (int32_t)i;
    file->n_column_indices = file->n_fields;
    file->has_major = file->has_minor = file->has_size = 1;
    file->major = file->minor = 2;
    file->size = append->size_bytes;
    files[0] = file;
    fragment->files = files;
    fragment->n_files = 1;
    fragment->has_physical_rows = 1;
    fragment->physical_rows = append->n_rows;
    *out = fragment;
    return PN_OK;
}

/* ---- applying a change to the newest version ---- */

/* The transaction's lists, as they fill. */
typedef struct effect {
    Pn__Table__DataFragment **fragments; /* of the next version */
    size_t n_fragments;
    Pn__Table__DataFragment **updated;
    size_t n_updated;
    uint64_t *removed;
    size_t n_removed;
} effect;

typedef struct change {
    pn_dataset *read;                     /* the version it was decided on */
    const pn_rowset *rows;                /* to delete; NULL: none */
    const Pn__Table__DataFragment *added; /* NULL: none */
    const char *predicate;
    bool must_all_be_there; /* a replacement: a row that is gone is a conflict */
    uint64_t n_deleted;
    effect effect; /* of the last try; lives while the try does */
} change;

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

/* A copy of the fragment with more rows deleted, or its removal when none is left. */
static pn_status delete_in_fragment(change *c, pn_dataset *newest, size_t fragment_i,
                                    const pn_rowset_part *part, effect *e, pn_arena *arena,
                                    pn_error *err)
{
    const pn_fragment *fragment = &newest->fragments[fragment_i];
    const uint64_t *deleted;
    if (part->n_rows != fragment->n_rows)
        return pn_fail(err, PN_ERR_CONFLICT,
                       "%s: fragment %" PRIu32 " was rewritten by another writer", newest->path,
                       fragment->id);
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
                             fragment->n_rows, file, err));
    *copy = *fragment->message;
    copy->deletion_file = file;
    e->fragments[e->n_fragments++] = copy;
    e->updated[e->n_updated++] = copy;
    return PN_OK;
}

static pn_status delete_rows(change *c, pn_dataset *newest, effect *e, pn_arena *arena,
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
        PN_TRY(delete_in_fragment(c, newest, i, part, e, arena, err));
    }
    if (c->must_all_be_there && c->rows && n_here != pn_rowset_count(c->rows))
        return pn_fail(err, PN_ERR_CONFLICT, "%s: a row to replace was removed by another writer",
                       newest->path);
    if (e->n_updated > 0) {
        char *folder = pn_path_join(arena, newest->path, "_deletions");
        if (!folder)
            return pn_fail_nomem(err);
        PN_TRY(pn_folder_sync(folder, err));
    }
    return PN_OK;
}

static pn_status add_fragment(const change *c, Pn__Table__Manifest *next, effect *e,
                              Pn__Table__DataFragment ***in_txn, pn_arena *arena, pn_error *err)
{
    Pn__Table__DataFragment *with_id = PN_ARENA_NEW(arena, Pn__Table__DataFragment, 1);
    Pn__Table__DataFragment *without = PN_ARENA_NEW(arena, Pn__Table__DataFragment, 1);
    *in_txn = PN_ARENA_NEW(arena, Pn__Table__DataFragment *, 1);
    if (!with_id || !without || !*in_txn)
        return pn_fail_nomem(err);
    *with_id = *without = *c->added;
    uint64_t id = next->has_max_fragment_id ? (uint64_t)next->max_fragment_id + 1 : 0;
    for (size_t i = 0; i < e->n_fragments; i++) // the field is younger than the format
        id = PN_MAX(id, e->fragments[i]->id + 1);
    if (id > UINT32_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "the table has used up its fragment ids");
    with_id->has_id = id != 0;
    with_id->id = id;
    next->has_max_fragment_id = 1;
    next->max_fragment_id = (uint32_t)id;
    e->fragments[e->n_fragments++] = with_id;
    (*in_txn)[0] = without; // ids are given at commit, so a transaction has none
    return PN_OK;
}

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
    update->n_new_fragments = 1;
    update->fields_modified = (uint32_t *)(void *)ids;
    update->n_fields_modified = n_leaves;
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

/* A column that came since the data file was written reads as null in it: it must be allowed to. */
static pn_status check_new_columns(const change *c, const pn_dataset *newest, pn_error *err)
{
    for (size_t i = 0; i < newest->schema.n_fields; i++) {
        const pn_field *field = &newest->schema.fields[i];
        bool known = field->nullable;
        for (size_t k = 0; k < c->read->schema.n_fields && !known; k++)
            known = c->read->schema.fields[k].id == field->id;
        if (!known)
            return pn_fail(err, PN_ERR_CONFLICT,
                           "%s: another writer added the column \"%s\", which cannot be null",
                           newest->path, field->name);
    }
    return PN_OK;
}

/* The deletion files of a try that came to nothing. */
static void undo_change(void *context)
{
    change *c = context;
    for (size_t i = 0; i < c->effect.n_updated; i++)
        pn_deletion_remove(c->read->path, c->effect.updated[i]->id,
                           c->effect.updated[i]->deletion_file);
    c->effect = (effect){0};
}

static pn_status apply_change(void *context, pn_dataset *newest, Pn__Table__Manifest *next,
                              Pn__Table__Transaction *txn, pn_arena *arena, bool *nothing,
                              pn_error *err)
{
    change *c = context;
    size_t n = newest->n_fragments + 1;
    effect *e = &c->effect;
    *e = (effect){.fragments = PN_ARENA_NEW(arena, Pn__Table__DataFragment *, n),
                  .updated = PN_ARENA_NEW(arena, Pn__Table__DataFragment *, n),
                  .removed = PN_ARENA_NEW(arena, uint64_t, n)};
    Pn__Table__DataFragment **added = NULL;
    c->n_deleted = 0;
    if (!e->fragments || !e->updated || !e->removed)
        return pn_fail_nomem(err);
    if (c->added)
        PN_TRY(check_new_columns(c, newest, err));
    PN_TRY(delete_rows(c, newest, e, arena, err));
    if (c->added)
        PN_TRY(add_fragment(c, next, e, &added, arena, err));
    *nothing = !c->added && c->n_deleted == 0;
    next->fragments = e->fragments;
    next->n_fragments = e->n_fragments;
    if (e->n_updated > 0) {
        next->has_reader_feature_flags = next->has_writer_feature_flags = 1;
        next->reader_feature_flags |= PN_FLAG_DELETIONS;
        next->writer_feature_flags |= PN_FLAG_DELETIONS;
    }
    if (c->added && c->rows)
        return fill_update(txn, e, added, newest, arena, err);
    if (!c->added)
        return fill_delete(txn, e, c->predicate, arena, err);
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

/* Were rows to delete in a fragment that the other writer compacted? */
static bool moves_rows(const change *c, const Pn__Table__Rewrite *rewrite)
{
    for (size_t g = 0; g < rewrite->n_groups; g++)
        for (size_t i = 0; i < rewrite->groups[g]->n_old_fragments; i++)
            if (names_rows(
                    pn_rowset_find(c->rows, (uint32_t)rewrite->groups[g]->old_fragments[i]->id)))
                return true;
    return false;
}

/* The rows of the format's table of conflicts for Append, and for Delete and Update. What we do not know ends the change. */
static bool conflicts(const void *context, const Pn__Table__Transaction *theirs)
{
    const change *c = context;
    switch ((int)theirs->operation_case) {
    case PN__TABLE__TRANSACTION__OPERATION__NOT_SET:
    case PN__TABLE__TRANSACTION__OPERATION_OVERWRITE:
    case PN__TABLE__TRANSACTION__OPERATION_RESTORE:
    case PN__TABLE__TRANSACTION__OPERATION_CLONE:
        return true;
    case PN__TABLE__TRANSACTION__OPERATION_MERGE:
    case PN__TABLE__TRANSACTION__OPERATION_DATA_REPLACEMENT:
        return c->rows != NULL; // the rows may no longer be what was decided on
    case PN__TABLE__TRANSACTION__OPERATION_REWRITE:
        return c->rows && moves_rows(c, theirs->rewrite);
    default:
        return false;
    }
}

static pn_status run_change(change *c, bool *published, pn_dataset **out, pn_error *err)
{
    const pn_commit_plan plan = {
        .apply = apply_change, .conflicts = conflicts, .undo = undo_change, .context = c};
    return pn_commit_run(c->read, &plan, published, out, err);
}

/* Addresses come from the caller: a fragment that is not there, or a row past its end, is his mistake. */
static pn_status check_rows(const pn_dataset *dataset, const pn_rowset *rows, pn_error *err)
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

static pn_status finish_file(pn_append *append, pn_error *err)
{
    char *folder = pn_path_join(&append->arena, append->dataset->path, "data");
    if (!folder)
        return pn_fail_nomem(err);
    PN_TRY(pn_lance_writer_finish(append->writer, &append->n_rows, &append->size_bytes, err));
    return pn_folder_sync(folder, err);
}

pn_status pn_append_commit(pn_append *append, const pn_rowset *replaced, pn_dataset **out,
                           pn_error *err)
{
    bool replaces = replaced && pn_rowset_count(replaced) > 0;
    bool published = false;
    change c = {
        .read = append->dataset, .rows = replaces ? replaced : NULL, .must_all_be_there = true};
    Pn__Table__DataFragment *added;
    pn_status status = replaces ? check_rows(append->dataset, replaced, err) : PN_OK;
    if (status == PN_OK)
        status = finish_file(append, err);
    if (status == PN_OK && append->n_rows > UINT32_MAX)
        status = pn_fail(err, PN_ERR_LIMIT, "%" PRIu64 " rows in one fragment", append->n_rows);
    if (status == PN_OK)
        status = describe_fragment(append, &added, err);
    bool empty = status == PN_OK && append->n_rows == 0;
    if (status == PN_OK && !empty)
        c.added = added;
    if (empty && !replaces)
        *out = pn_dataset_ref(append->dataset);
    else if (status == PN_OK)
        status = run_change(&c, &published, out, err);
    if (!published || empty)
        (void)(pn_path_remove(append->path, NULL) == PN_OK); // left behind, it only takes room
    pn_append_abort(append);
    return status;
}

pn_status pn_dataset_delete(pn_dataset *dataset, const pn_rowset *rows, const char *predicate,
                            uint64_t *n_deleted, pn_dataset **out, pn_error *err)
{
    bool published;
    change c = {.read = dataset, .rows = rows, .predicate = predicate};
    PN_TRY(check_rows(dataset, rows, err));
    PN_TRY(run_change(&c, &published, out, err));
    *n_deleted = c.n_deleted;
    return PN_OK;
}

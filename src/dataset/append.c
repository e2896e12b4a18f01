/*
 * append.c - create, append, replace, overwrite
 *
 * Rows are written to a new data file first, which nobody sees; then one commit adds the file's fragment and, for replaced
 * rows, marks the old ones deleted (change.c). When the commit has to be applied again on a newer version, only numbers and
 * deletion files are made anew; the data file stays. A table that is made with its rows is the same with version 1: a crash leaves no
 * table, not an empty one.
 *
 * Overwriting is the same with a schema of its own: the version names the new fragment only, and no index. Fragment ids go on
 * counting, though the format would let them start anew: a row address so never means two rows of one table.
 */
#include "dataset/change.h"

#include "base/alloc.h"
#include "column/builder.h"
#include "dataset/data_file.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <string.h>

#define USUAL_FORMAT "2.2"

struct pn_append {
    pn_dataset *dataset; /* NULL: the commit makes the table */
    pn_arena arena;
    pn_schema schema; /* of the rows: the dataset's, or what comes in its place */
    bool overwrites;
    char *path, *format; /* of a table that is made; format NULL: the usual */
    bool joins;          /* likewise: or else append to what another writer made */
    bool made_folder;    /* likewise: which was not there before, and is no table yet */
    pn_data_file file;
    pn_sync_list unsynced;
};

/* ---- create ---- */

/* Schema and schema metadata into the manifest, and into an Overwrite of the transaction. */
static pn_status fill_overwrite(const pn_schema *schema, pn_arena *arena, Pn__Table__Manifest *m,
                                Pn__Table__Transaction *txn, pn_error *err)
{
    Pn__Table__Overwrite *overwrite = PN_ARENA_NEW(arena, Pn__Table__Overwrite, 1);
    Pn__Lance__KeyBytes **pairs =
        PN_ARENA_NEW(arena, Pn__Lance__KeyBytes *, schema->n_metadata + 1);
    if (!overwrite || !pairs)
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

static pn_status check_format(const char *format, uint16_t *minor, pn_error *err)
{
    if (pn_data_format_minor(format ? format : USUAL_FORMAT, minor))
        return PN_OK;
    return pn_fail(err, PN_ERR_UNSUPPORTED,
                   "data files of version \"%s\" are not written; 2.0, 2.1, 2.2 and 2.3 are",
                   format);
}

static pn_status fill_format(const char *format, pn_arena *arena, Pn__Table__Manifest *m,
                             pn_error *err)
{
    static char file_format[] = "lance";
    m->data_format = PN_ARENA_NEW(arena, Pn__Table__DataFormat, 1);
    char *version = pn_arena_strdup(arena, format ? format : USUAL_FORMAT);
    if (!m->data_format || !version)
        return pn_fail_nomem(err);
    pn__table__data_format__init(m->data_format);
    m->data_format->file_format = file_format;
    m->data_format->version = version;
    return PN_OK;
}

/* Nothing is in the way of a new table there. */
static pn_status check_absent(const char *path, pn_arena *arena, pn_error *err)
{
    pn_version_list versions;
    pn_error why = {0};
    pn_status status = pn_manifest_list(path, arena, &versions, &why);
    if (status == PN_OK)
        return pn_fail(err, PN_ERR_EXISTS, "%s: there is a table already", path);
    return status == PN_ERR_NOT_FOUND ? PN_OK : pn_fail(err, status, "%s", why.message);
}

pn_status pn_dataset_create_format(const char *path, const pn_schema *schema, const char *format,
                                   pn_dataset **out, pn_error *err)
{
    pn_arena arena;
    pn_schema own;
    pn_commit_end end;
    uint16_t minor;
    Pn__Table__Manifest manifest = PN__TABLE__MANIFEST__INIT;
    Pn__Table__Transaction txn = PN__TABLE__TRANSACTION__INIT;
    pn_status status = PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    PN_GOTO(done, pn_lance_schema_check(schema, err));
    PN_GOTO(done, pn_schema_copy(schema, &arena, &own, err));
    PN_GOTO(done, check_format(format, &minor, err));
    PN_GOTO(done, check_absent(path, &arena, err));
    PN_GOTO(done, fill_format(format, &arena, &manifest, err));
    pn_lance_schema_assign_ids(&own, 0);
    PN_GOTO(done, pn_lance_writer_check(&own, minor, err));
    PN_GOTO(done, fill_overwrite(&own, &arena, &manifest, &txn, err));
    PN_GOTO(done, pn_dir_make(path, err));
    PN_GOTO(done, pn_commit_create(path, &manifest, &txn, NULL, &end, out, err));
done:
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_dataset_create(const char *path, const pn_schema *schema, pn_dataset **out,
                            pn_error *err)
{
    return pn_dataset_create_format(path, schema, NULL, out, err);
}

/* ---- rows on their way ---- */

/* The file that the rows go to, in the table's folder. */
static pn_status begin_file(pn_append *append, const char *path, const pn_schema *schema,
                            uint16_t minor, pn_error *err)
{
    PN_TRY(pn_schema_copy(schema, &append->arena, &append->schema, err));
    if (!append->dataset || append->overwrites)
        pn_lance_schema_assign_ids(&append->schema, 0);
    return pn_data_file_begin(path, &append->schema, minor, &append->arena, &append->file, err);
}

static pn_status begin(pn_dataset *dataset, const pn_schema *schema, bool overwrites,
                       pn_append **out, pn_error *err)
{
    pn_status status = PN_OK;
    uint16_t minor;
    pn_append *append = pn_alloc_zero(sizeof *append);
    if (!append)
        return pn_fail_nomem(err);
    pn_arena_init(&append->arena, SIZE_MAX);
    append->dataset = pn_dataset_ref(dataset);
    append->overwrites = overwrites;
    PN_GOTO(done, pn_data_file_minor(dataset, &minor, err));
    PN_GOTO(done, begin_file(append, dataset->path, schema, minor, err));
    *out = append;
    append = NULL;
done:
    pn_append_abort(append);
    return status;
}

pn_status pn_append_begin(pn_dataset *dataset, pn_append **out, pn_error *err)
{
    return begin(dataset, &dataset->schema, false, out, err);
}

pn_status pn_overwrite_begin(pn_dataset *dataset, const pn_schema *schema, pn_append **out,
                             pn_error *err)
{
    PN_TRY(pn_lance_schema_check(schema, err));
    return begin(dataset, schema, true, out, err);
}

static pn_status begin_creation(pn_append *append, const char *path, const pn_schema *schema,
                                const char *format, pn_error *err)
{
    uint16_t minor;
    PN_TRY(check_format(format, &minor, err));
    PN_TRY(check_absent(path, &append->arena, err));
    append->path = pn_arena_strdup(&append->arena, path);
    append->format = format ? pn_arena_strdup(&append->arena, format) : NULL;
    if (!append->path || (format && !append->format))
        return pn_fail_nomem(err);
    append->made_folder = !pn_path_exists(path);
    return begin_file(append, path, schema, minor, err);
}

pn_status pn_create_begin(const char *path, const pn_schema *schema, const char *format, bool joins,
                          pn_append **out, pn_error *err)
{
    PN_TRY(pn_lance_schema_check(schema, err));
    pn_append *append = pn_alloc_zero(sizeof *append);
    if (!append)
        return pn_fail_nomem(err);
    pn_arena_init(&append->arena, SIZE_MAX);
    append->joins = joins;
    pn_status status = begin_creation(append, path, schema, format, err);
    if (status == PN_OK)
        *out = append;
    else
        pn_append_abort(append);
    return status;
}

/* A table that was not made leaves no folder, which LanceDB would list as a table. What others put there meanwhile keeps theirs. */
static void remove_folder(pn_append *append)
{
    static const char *const parts[] = {"data", "_transactions", "_versions"};
    for (size_t i = 0; i < PN_COUNT_OF(parts); i++) {
        char *folder = pn_path_join(&append->arena, append->path, parts[i]);
        if (folder)
            (void)pn_dir_remove_empty(folder); // not there, or not empty: it stays
    }
    (void)pn_dir_remove_empty(append->path); // likewise
}

void pn_append_abort(pn_append *append)
{
    if (!append)
        return;
    pn_data_file_discard(&append->file);
    if (append->made_folder)
        remove_folder(append);
    pn_sync_list_reset(&append->unsynced);
    pn_dataset_unref(append->dataset);
    pn_arena_reset(&append->arena);
    pn_free(append);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Names matter in structs only: lists call their item this or that. */
bool pn_same_type(const pn_field *a, const pn_field *b)
{
    if (a->type != b->type || a->n_children != b->n_children || a->size != b->size ||
        a->unit != b->unit || a->precision != b->precision || a->scale != b->scale ||
        a->is_json != b->is_json || !same_text(a->timezone, b->timezone))
        return false;
    for (size_t i = 0; i < a->n_children; i++) {
        if (a->type == PN_TYPE_STRUCT && !same_text(a->children[i].name, b->children[i].name))
            return false;
        if (!pn_same_type(&a->children[i], &b->children[i]))
            return false;
    }
    return true;
}

bool pn_same_columns(const pn_field *a, const pn_field *b, size_t n_a, size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (strcmp(a[i].name, b[i].name) != 0 || a[i].id != b[i].id ||
            a[i].nullable != b[i].nullable || a[i].is_dictionary != b[i].is_dictionary ||
            !pn_same_type(&a[i], &b[i]) ||
            !pn_same_columns(a[i].children, b[i].children, a[i].n_children, b[i].n_children))
            return false;
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
    if (!pn_same_type(field, column->field))
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": another type than the table's",
                       field->name);
    if (column->length != n_rows)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %zu rows, the batch has %zu",
                       field->name, column->length, n_rows);
    if (!field->nullable && pn_array_count_nulls(column) > 0)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" cannot be null", field->name);
    return PN_OK;
}

pn_status pn_rows_in_order(const pn_schema *schema, const pn_batch *batch, pn_arena *arena,
                           pn_array **out, pn_error *err)
{
    pn_array *columns = PN_ARENA_NEW(arena, pn_array, schema->n_fields + 1);
    if (!columns)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < batch->schema->n_fields; i++)
        if (pn_schema_find(schema, pn_str_of(batch->schema->fields[i].name)) < 0)
            return pn_fail(err, PN_ERR_INVALID, "the table has no column \"%s\"",
                           batch->schema->fields[i].name);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const pn_array *given = pn_batch_column(batch, schema->fields[i].name);
        if (given) {
            PN_TRY(check_column(&schema->fields[i], given, batch->n_rows, err));
            columns[i] = *given;
        } else {
            PN_TRY(null_column(&schema->fields[i], batch->n_rows, arena, &columns[i], err));
        }
    }
    *out = columns;
    return PN_OK;
}

pn_status pn_append_batch(pn_append *append, const pn_batch *batch, pn_error *err)
{
    pn_arena arena;
    pn_array *columns;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_rows_in_order(&append->schema, batch, &arena, &columns, err);
    if (status == PN_OK)
        status = pn_data_file_write(&append->file, columns, batch->n_rows, err);
    pn_arena_reset(&arena);
    return status;
}

/* ---- committing them ---- */

typedef struct overwriting {
    const pn_schema *schema;
    const Pn__Table__DataFragment *fragment; /* NULL: without rows */
} overwriting;

static pn_status apply_overwrite(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    const overwriting *o = context;
    Pn__Table__Manifest *m = draft->manifest;
    (void)newest; // whatever it is, it is replaced
    PN_TRY(fill_overwrite(o->schema, draft->arena, m, draft->txn, err));
    draft->index_section = NULL;
    draft->index_section_bytes = 0;
    if (!o->fragment) {
        m->n_fragments = 0;
        return PN_OK;
    }
    Pn__Table__DataFragment *copies = PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment, 2);
    Pn__Table__DataFragment **lists = PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment *, 2);
    if (!copies || !lists)
        return pn_fail_nomem(err);
    copies[0] = copies[1] = *o->fragment;
    lists[0] = &copies[0];
    lists[1] = &copies[1]; // the transaction's has no id
    PN_TRY(pn_draft_give_id(draft, &copies[0], err));
    PN_TRY(pn_draft_give_row_ids(draft, &copies[0], NULL, err));
    m->fragments = lists;
    m->n_fragments = 1;
    draft->txn->overwrite->fragments = lists + 1;
    draft->txn->overwrite->n_fragments = 1;
    return PN_OK;
}

static pn_status commit_overwrite(pn_append *append, const Pn__Table__DataFragment *fragment,
                                  pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    overwriting o = {&append->schema, append->file.n_rows > 0 ? fragment : NULL};
    const pn_commit_plan plan = {.operation = PN_OPERATION_OVERWRITE,
                                 .apply = apply_overwrite,
                                 .context = &o,
                                 .unsynced = &append->unsynced};
    return pn_commit_run(append->dataset, &plan, end, out, err);
}

static pn_status commit_rows(pn_append *append, const Pn__Table__DataFragment *fragment,
                             const pn_rowset *replaced, pn_commit_end *end, pn_dataset **out,
                             pn_error *err)
{
    bool empty = append->file.n_rows == 0;
    pn_change change = {.read = append->dataset,
                        .rows = replaced,
                        .added = empty ? NULL : fragment,
                        .unsynced = &append->unsynced,
                        .must_all_be_there = true};
    if (empty && !replaced) {
        *out = pn_dataset_ref(append->dataset);
        return PN_OK;
    }
    return pn_change_commit(&change, end, out, err);
}

/* ---- committing a table that is made ---- */

static pn_status create_table(pn_append *append, const Pn__Table__DataFragment *fragment,
                              pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    Pn__Table__Manifest manifest = PN__TABLE__MANIFEST__INIT;
    Pn__Table__Transaction txn = PN__TABLE__TRANSACTION__INIT;
    overwriting o = {&append->schema, append->file.n_rows > 0 ? fragment : NULL};
    pn_draft draft = {.arena = &append->arena, .manifest = &manifest, .txn = &txn};
    PN_TRY(fill_format(append->format, &append->arena, &manifest, err));
    PN_TRY(apply_overwrite(&o, NULL, &draft, err));
    return pn_commit_create(append->path, &manifest, &txn, &append->unsynced, end, out, err);
}

/* Another writer made the table meanwhile. */
static pn_status join_table(pn_append *append, const Pn__Table__DataFragment *fragment,
                            pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    uint16_t minor;
    PN_TRY(pn_dataset_open(append->path, 0, &append->dataset, err));
    PN_TRY(pn_data_file_minor(append->dataset, &minor, err));
    const pn_schema *ours = &append->schema, *theirs = pn_dataset_schema(append->dataset);
    if (minor != append->file.minor ||
        !pn_same_columns(ours->fields, theirs->fields, ours->n_fields, theirs->n_fields))
        return pn_fail(err, PN_ERR_CONFLICT,
                       "%s: another writer made the table meanwhile, of other columns",
                       append->path);
    return commit_rows(append, fragment, NULL, end, out, err);
}

static pn_status commit_creation(pn_append *append, const Pn__Table__DataFragment *fragment,
                                 pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    pn_error why = {0};
    pn_status status = create_table(append, fragment, end, out, &why);
    if (status == PN_ERR_EXISTS && append->joins)
        return join_table(append, fragment, end, out, err);
    return status == PN_OK ? PN_OK : pn_fail(err, status, "%s", why.message);
}

pn_status pn_append_commit(pn_append *append, const pn_rowset *replaced, pn_dataset **out,
                           pn_error *err)
{
    bool replaces = replaced && pn_rowset_count(replaced) > 0;
    pn_commit_end end = {0};
    Pn__Table__DataFragment *fragment;
    pn_status status = PN_OK;
    if (replaces && (append->overwrites || !append->dataset))
        status = pn_fail(err, PN_ERR_INVALID, "a table of other rows has none to replace");
    else if (replaces)
        status = pn_change_check_rows(append->dataset, replaced, err);
    if (status == PN_OK)
        status = pn_data_file_finish(&append->file, &append->unsynced, err);
    if (status == PN_OK)
        status = pn_data_file_fragment(&append->file, &append->arena, &fragment, err);
    if (status == PN_OK && !append->dataset)
        status = commit_creation(append, fragment, &end, out, err);
    else if (status == PN_OK && append->overwrites)
        status = commit_overwrite(append, fragment, &end, out, err);
    else if (status == PN_OK)
        status = commit_rows(append, fragment, replaces ? replaced : NULL, &end, out, err);
    if (end.published && append->file.n_rows > 0)
        append->file = (pn_data_file){0}; // the table's now
    append->made_folder = append->made_folder && !end.published;
    pn_append_abort(append);
    return status;
}

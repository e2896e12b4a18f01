/*
 * columns.c - columns come, go and change their names
 *
 * A schema lists fields by id; data files say which ids they hold. So dropping and renaming change the schema alone: a dropped
 * column's values stay in the files and nobody looks for their id. A new column without values is a new id that no file has,
 * which reads as null. One with values adds a second data file to each fragment, of all its rows, deleted ones too, because rows
 * are told by their place.
 *
 * Ids are never used again: the next one is higher than any that the schema or a data file names, or else a new column would show
 * a dropped one's values. The fields' messages are kept as they are, so that what we do not know of them survives.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "dataset/data_file.h"
#include "dataset/index_section.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"

#include <string.h>

enum { BLOCK_ROWS = 8192, MAX_NEW_IDS = 1 << 16 };

static ptrdiff_t find_top(const Pn__Table__Manifest *m, const char *name)
{
    for (size_t i = 0; i < m->n_fields; i++)
        if (m->fields[i]->parent_id < 0 && m->fields[i]->name &&
            strcmp(m->fields[i]->name, name) == 0)
            return (ptrdiff_t)i;
    return -1;
}

static pn_status check_new_name(const pn_dataset *dataset, const Pn__Table__Manifest *m,
                                const char *name, pn_error *err)
{
    const char *fault = pn_lance_name_fault(name);
    if (fault)
        return pn_fail(err, PN_ERR_INVALID, "\"%s\" cannot be a column's name: %s", name, fault);
    if (find_top(m, name) >= 0)
        return pn_fail(err, PN_ERR_EXISTS, "%s: there is a column \"%s\" already", dataset->path,
                       name);
    return PN_OK;
}

static pn_status no_column(const pn_dataset *dataset, const char *name, pn_error *err)
{
    return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no column \"%s\"", dataset->path, name);
}

/* ---- dropping and renaming: Project ---- */

typedef struct projection {
    const char *const *dropped;
    size_t n_dropped;
    const char *from, *to; /* renamed; NULL: none */
} projection;

static pn_status fill_project(pn_draft *draft, pn_error *err)
{
    Pn__Table__Project *project = PN_ARENA_NEW(draft->arena, Pn__Table__Project, 1);
    if (!project)
        return pn_fail_nomem(err);
    pn__table__project__init(project);
    project->schema = draft->manifest->fields;
    project->n_schema = draft->manifest->n_fields;
    project->has_preserves_nullability = project->preserves_nullability = 1;
    draft->txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_PROJECT;
    draft->txn->project = project;
    return PN_OK;
}

static pn_status rename_field(const projection *p, const pn_dataset *newest, pn_draft *draft,
                              pn_error *err)
{
    Pn__Table__Manifest *m = draft->manifest;
    ptrdiff_t at = find_top(m, p->from);
    if (at < 0)
        return no_column(newest, p->from, err);
    PN_TRY(check_new_name(newest, m, p->to, err));
    Pn__Lance__Field **fields = PN_ARENA_NEW(draft->arena, Pn__Lance__Field *, m->n_fields);
    Pn__Lance__Field *renamed = PN_ARENA_NEW(draft->arena, Pn__Lance__Field, 1);
    if (!fields || !renamed)
        return pn_fail_nomem(err);
    memcpy(fields, m->fields, m->n_fields * sizeof(Pn__Lance__Field *));
    *renamed = *fields[at];
    renamed->name = pn_arena_strdup(draft->arena, p->to);
    fields[at] = renamed;
    m->fields = fields;
    return renamed->name ? PN_OK : pn_fail_nomem(err);
}

static bool is_dropped(const Pn__Table__Manifest *m, const bool *gone, size_t i)
{
    for (size_t k = 0; k < i; k++) // parents stand before their children
        if (gone[k] && m->fields[k]->id == m->fields[i]->parent_id)
            return true;
    return false;
}

static pn_status drop_fields(const projection *p, const pn_dataset *newest, pn_draft *draft,
                             pn_error *err)
{
    Pn__Table__Manifest *m = draft->manifest;
    bool *gone = PN_ARENA_NEW(draft->arena, bool, m->n_fields + 1);
    Pn__Lance__Field **fields = PN_ARENA_NEW(draft->arena, Pn__Lance__Field *, m->n_fields + 1);
    size_t n = 0;
    if (!gone || !fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < p->n_dropped; i++) {
        ptrdiff_t at = find_top(m, p->dropped[i]);
        if (at < 0)
            return no_column(newest, p->dropped[i], err);
        gone[at] = true;
    }
    for (size_t i = 0; i < m->n_fields; i++) {
        gone[i] = gone[i] || (m->fields[i]->parent_id >= 0 && is_dropped(m, gone, i));
        if (!gone[i])
            fields[n++] = m->fields[i];
    }
    if (n == 0)
        return pn_fail(err, PN_ERR_INVALID, "%s: the last column cannot be dropped", newest->path);
    m->fields = fields;
    m->n_fields = n;
    return PN_OK;
}

static bool holds_a_field(const Pn__Table__Manifest *m, const Pn__Table__DataFile *file)
{
    for (size_t i = 0; i < file->n_fields; i++)
        for (size_t k = 0; k < m->n_fields; k++)
            if (m->fields[k]->id == file->fields[i])
                return true;
    return false;
}

/* Files without a column that is left are not needed any more; but the last one tells that there are rows. */
static pn_status drop_files(pn_draft *draft, size_t i, pn_error *err)
{
    Pn__Table__Manifest *m = draft->manifest;
    const Pn__Table__DataFragment *old = m->fragments[i];
    Pn__Table__DataFragment *fragment = PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment, 1);
    Pn__Table__DataFile **files =
        PN_ARENA_NEW(draft->arena, Pn__Table__DataFile *, old->n_files + 1);
    if (!fragment || !files)
        return pn_fail_nomem(err);
    *fragment = *old;
    fragment->files = files;
    fragment->n_files = 0;
    for (size_t f = 0; f < old->n_files; f++)
        if (holds_a_field(m, old->files[f]))
            files[fragment->n_files++] = old->files[f];
    if (fragment->n_files == 0 && old->n_files > 0)
        files[fragment->n_files++] = old->files[0];
    if (fragment->n_files < old->n_files)
        m->fragments[i] = fragment;
    return PN_OK;
}

static pn_status copy_fragment_list(pn_draft *draft, pn_error *err)
{
    Pn__Table__Manifest *m = draft->manifest;
    Pn__Table__DataFragment **list =
        PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment *, m->n_fragments + 1);
    if (!list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < m->n_fragments; i++)
        list[i] = m->fragments[i];
    m->fragments = list;
    return PN_OK;
}

static pn_status apply_projection(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    const projection *p = context;
    if (p->from)
        PN_TRY(rename_field(p, newest, draft, err));
    if (p->n_dropped > 0) {
        PN_TRY(drop_fields(p, newest, draft, err));
        PN_TRY(copy_fragment_list(draft, err));
        for (size_t i = 0; i < draft->manifest->n_fragments; i++)
            PN_TRY(drop_files(draft, i, err));
        PN_TRY(pn_indexes_keep_fields(draft, err));
    }
    return fill_project(draft, err);
}

static pn_status decide_projection(void *context, pn_dataset *read, pn_commit_end *end,
                                   pn_dataset **out, pn_error *err)
{
    const pn_commit_plan plan = {
        .operation = PN_OPERATION_PROJECT, .apply = apply_projection, .context = context};
    return pn_commit_run(read, &plan, end, out, err);
}

pn_status pn_dataset_drop_columns(pn_dataset *dataset, const char *const *names, size_t n,
                                  pn_dataset **out, pn_error *err)
{
    projection p = {.dropped = names, .n_dropped = n};
    if (n == 0)
        return pn_fail(err, PN_ERR_INVALID, "no column to drop was named");
    return pn_commit_decided(dataset, decide_projection, &p, out, err);
}

pn_status pn_dataset_rename_column(pn_dataset *dataset, const char *from, const char *to,
                                   pn_dataset **out, pn_error *err)
{
    projection p = {.from = from, .to = to};
    return pn_commit_decided(dataset, decide_projection, &p, out, err);
}

/* ---- adding: Merge ---- */

/* The file of the new column for one fragment. */
typedef struct addition {
    pn_data_file file;
    Pn__Table__DataFile *message;
} addition;

typedef struct adding {
    const pn_field *field; /* as asked for */
    const pn_column_source *source;
    pn_arena arena;
    pn_schema schema; /* of the field alone, with its id */
    pn_dataset *read; /* of the last try */
    addition *additions;
    size_t n_additions;
    pn_sync_list unsynced;
} adding;

/* Above all ids of the schema and of columns that were dropped. */
static int64_t next_field_id(const pn_dataset *dataset)
{
    const Pn__Table__Manifest *m = dataset->manifest.message;
    int64_t next = 0;
    for (size_t i = 0; i < m->n_fields; i++)
        next = PN_MAX(next, (int64_t)m->fields[i]->id + 1);
    for (size_t i = 0; i < m->n_fragments; i++)
        for (size_t f = 0; f < m->fragments[i]->n_files; f++)
            for (size_t k = 0; k < m->fragments[i]->files[f]->n_fields; k++)
                next = PN_MAX(next, (int64_t)m->fragments[i]->files[f]->fields[k] + 1);
    return next;
}

static void discard_files(adding *a)
{
    for (size_t i = 0; i < a->n_additions; i++)
        pn_data_file_discard(&a->additions[i].file);
    a->n_additions = 0;
}

static pn_status check_values(const pn_field *field, const pn_array *values, size_t n,
                              pn_error *err)
{
    if (values->length != n)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %zu values for %zu rows", field->name,
                       values->length, n);
    if (!field->nullable && pn_array_count_nulls(values) > 0)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\" cannot be null", field->name);
    return PN_OK;
}

/* Rows [first, first + n) of a fragment: what the source wants to see in, the column's values out. */
static pn_status fill_block(adding *a, size_t fragment_i, uint32_t first, size_t n,
                            pn_lance_memo *memo, pn_arena *arena, pn_array *values, pn_error *err)
{
    const pn_column_source *source = a->source;
    pn_schema schema = {.fields = PN_ARENA_NEW(arena, pn_field, source->n_columns + 1),
                        .n_fields = source->n_columns};
    pn_array *columns = PN_ARENA_NEW(arena, pn_array, source->n_columns + 1);
    pn_row_addr *addrs = PN_ARENA_NEW(arena, pn_row_addr, n + 1);
    if (!schema.fields || !columns || !addrs)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < source->n_columns; i++) {
        ptrdiff_t at = pn_schema_find(&a->read->schema, pn_str_of(source->columns[i]));
        if (at < 0)
            return no_column(a->read, source->columns[i], err);
        schema.fields[i] = a->read->schema.fields[at];
        PN_TRY(pn_fragment_read(a->read, fragment_i, &a->read->schema.fields[at], first, n, memo,
                                arena, &columns[i], err));
    }
    for (size_t i = 0; i < n; i++)
        addrs[i] = pn_row_addr_make(a->read->fragments[fragment_i].id, first + (uint32_t)i);
    pn_batch batch = {.schema = &schema, .columns = columns, .n_rows = n};
    PN_TRY(source->fill(source->context, &batch, addrs, arena, values, err));
    return check_values(a->field, values, n, err);
}

static pn_status fill_file(adding *a, size_t fragment_i, pn_data_file *file, pn_error *err)
{
    pn_arena arena;
    pn_lance_memo *memo;
    uint32_t n_rows = a->read->fragments[fragment_i].n_rows;
    PN_TRY(pn_lance_memo_create(&memo, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    for (uint32_t first = 0; first < n_rows && status == PN_OK; first += BLOCK_ROWS) {
        size_t n = PN_MIN((size_t)BLOCK_ROWS, (size_t)(n_rows - first));
        pn_array values;
        status = fill_block(a, fragment_i, first, n, memo, &arena, &values, err);
        if (status == PN_OK)
            status = pn_data_file_write(file, &values, n, err);
        pn_arena_reset(&arena);
    }
    pn_lance_memo_free(memo);
    return status == PN_OK ? pn_data_file_finish(file, &a->unsynced, err) : status;
}

static pn_status make_files(adding *a, pn_error *err)
{
    uint16_t minor;
    PN_TRY(pn_data_file_minor(a->read, &minor, err));
    a->additions = PN_ARENA_NEW(&a->arena, addition, a->read->n_fragments + 1);
    if (!a->additions)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < a->read->n_fragments; i++) {
        addition *to = &a->additions[a->n_additions++];
        PN_TRY(pn_data_file_begin(a->read->path, &a->schema, minor, &a->arena, &to->file, err));
        PN_TRY(fill_file(a, i, &to->file, err));
        PN_TRY(pn_data_file_describe(&to->file, &a->arena, &to->message, err));
    }
    return PN_OK;
}

static pn_status extend_fragment(pn_draft *draft, size_t i, Pn__Table__DataFile *file,
                                 pn_error *err)
{
    const Pn__Table__DataFragment *old = draft->manifest->fragments[i];
    Pn__Table__DataFragment *fragment = PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment, 1);
    Pn__Table__DataFile **files =
        PN_ARENA_NEW(draft->arena, Pn__Table__DataFile *, old->n_files + 1);
    if (!fragment || !files)
        return pn_fail_nomem(err);
    for (size_t f = 0; f < old->n_files; f++)
        files[f] = old->files[f];
    files[old->n_files] = file;
    *fragment = *old;
    fragment->files = files;
    fragment->n_files = old->n_files + 1;
    draft->manifest->fragments[i] = fragment;
    return PN_OK;
}

static pn_status extend_schema(const adding *a, pn_draft *draft, pn_error *err)
{
    Pn__Table__Manifest *m = draft->manifest;
    Pn__Lance__Field **more, **all;
    size_t n;
    PN_TRY(pn_lance_schema_encode(&a->schema, draft->arena, &more, &n, err));
    all = PN_ARENA_NEW(draft->arena, Pn__Lance__Field *, m->n_fields + n);
    if (!all)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < m->n_fields + n; i++)
        all[i] = i < m->n_fields ? m->fields[i] : more[i - m->n_fields];
    m->fields = all;
    m->n_fields += n;
    return PN_OK;
}

static pn_status apply_addition(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    const adding *a = context;
    Pn__Table__Manifest *m = draft->manifest;
    Pn__Table__Merge *merge = PN_ARENA_NEW(draft->arena, Pn__Table__Merge, 1);
    if (!merge)
        return pn_fail_nomem(err);
    /* What may come in between leaves fields and fragments as they were (transaction.c). */
    pn_assert(newest->n_fragments == a->read->n_fragments);
    PN_TRY(extend_schema(a, draft, err));
    PN_TRY(copy_fragment_list(draft, err));
    for (size_t i = 0; i < a->n_additions; i++)
        PN_TRY(extend_fragment(draft, i, a->additions[i].message, err));
    pn__table__merge__init(merge);
    merge->fragments = m->fragments;
    merge->n_fragments = m->n_fragments;
    merge->schema = m->fields;
    merge->n_schema = m->n_fields;
    merge->schema_metadata = m->schema_metadata;
    merge->n_schema_metadata = m->n_schema_metadata;
    merge->has_preserves_nullability = 1;
    merge->preserves_nullability = a->field->nullable;
    draft->txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_MERGE;
    draft->txn->merge = merge;
    return PN_OK;
}

static bool has_map(const pn_field *field)
{
    bool found = field->type == PN_TYPE_MAP;
    for (size_t i = 0; i < field->n_children && !found; i++)
        found = has_map(&field->children[i]);
    return found;
}

/* The field as it will be in the schema of `read`. */
static pn_status make_schema(adding *a, pn_error *err)
{
    uint16_t minor = 0;
    PN_TRY(check_new_name(a->read, a->read->manifest.message, a->field->name, err));
    if (!a->source && !a->field->nullable && a->read->n_fragments > 0)
        return pn_fail(err, PN_ERR_INVALID,
                       "column \"%s\" cannot be null, so it needs values for the rows there are",
                       a->field->name);
    if (a->source || has_map(a->field)) // nulls need no file, so they fit a table of any version
        PN_TRY(pn_data_file_minor(a->read, &minor, err));
    if (has_map(a->field) && minor < 2)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "column \"%s\": maps came with version 2.2",
                       a->field->name);
    pn_schema one = {.fields = (pn_field *)(uintptr_t)a->field, .n_fields = 1};
    PN_TRY(pn_lance_schema_check(&one, err));
    if (a->read->manifest.message->n_fields + pn_lance_count_nodes(a->field) > PN_LANCE_MAX_COLUMNS)
        return pn_fail(err, PN_ERR_LIMIT, "%s: a table has at most %d columns and parts of columns",
                       pn_dataset_path(a->read), PN_LANCE_MAX_COLUMNS);
    PN_TRY(pn_schema_copy(&one, &a->arena, &a->schema, err));
    int64_t next = next_field_id(a->read);
    if (next > INT32_MAX - MAX_NEW_IDS)
        return pn_fail(err, PN_ERR_LIMIT, "%s: the table has used up its field ids",
                       pn_dataset_path(a->read));
    pn_lance_schema_assign_ids(&a->schema, (int32_t)next);
    /* or rows could not be added any more; to a table of another version they cannot be anyway */
    return pn_data_file_minor(a->read, &minor, NULL) == PN_OK
               ? pn_lance_writer_check(&a->schema, minor, err)
               : PN_OK;
}

static pn_status decide_addition(void *context, pn_dataset *read, pn_commit_end *end,
                                 pn_dataset **out, pn_error *err)
{
    adding *a = context;
    const pn_commit_plan plan = {.operation = PN_OPERATION_MERGE,
                                 .apply = apply_addition,
                                 .context = a,
                                 .unsynced = &a->unsynced};
    a->read = read;
    pn_arena_init(&a->arena, SIZE_MAX);
    pn_status status = make_schema(a, err);
    if (status == PN_OK && a->source)
        status = make_files(a, err);
    if (status == PN_OK)
        status = pn_commit_run(read, &plan, end, out, err);
    if (!end->published)
        discard_files(a);
    a->n_additions = 0;
    pn_sync_list_reset(&a->unsynced);
    pn_arena_reset(&a->arena);
    return status;
}

pn_status pn_dataset_add_column(pn_dataset *dataset, const pn_field *field,
                                const pn_column_source *source, pn_dataset **out, pn_error *err)
{
    adding a = {.field = field, .source = source};
    return pn_commit_decided(dataset, decide_addition, &a, out, err);
}

static pn_status repeat(void *context, const pn_batch *rows, const pn_row_addr *addrs,
                        pn_arena *arena, pn_array *out, pn_error *err)
{
    const pn_array *value = context;
    uint32_t *zeros = PN_ARENA_NEW(arena, uint32_t, rows->n_rows + 1);
    (void)addrs; // the same for all
    if (!zeros)
        return pn_fail_nomem(err);
    return pn_array_gather(value, zeros, rows->n_rows, arena, out, err);
}

pn_status pn_dataset_add_constant(pn_dataset *dataset, const pn_array *value, pn_dataset **out,
                                  pn_error *err)
{
    const pn_column_source source = {.fill = repeat, .context = (pn_array *)(uintptr_t)value};
    if (value->length != 1)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %zu values for a constant",
                       value->field->name, value->length);
    return pn_dataset_add_column(dataset, value->field, &source, out, err);
}

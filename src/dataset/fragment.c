/*
 * fragment.c - which file of a fragment has which column
 *
 * A fragment is one or more data files with the same rows and different columns. A field that none of them has (added later,
 * or left out when the rows were appended) reads as null: as many nulls as a file of the fragment has rows, whatever the manifest
 * says. A file may list fields that the schema no longer has; they are not looked for, so they do not matter.
 */
#include "dataset/internal.h"

#include "base/alloc.h"
#include "lance/lance_schema.h"

#include <inttypes.h>

static pn_status open_file(pn_dataset *dataset, pn_fragment *fragment, size_t file_i,
                           pn_cached_file **out, pn_error *err)
{
    pn_status status = PN_OK;
    pthread_mutex_lock(&dataset->mu);
    if (!fragment->files[file_i])
        status = pn_file_cache_open(dataset->cache, dataset->path,
                                    fragment->message->files[file_i]->path,
                                    &fragment->files[file_i], err);
    *out = fragment->files[file_i];
    pthread_mutex_unlock(&dataset->mu);
    if (status == PN_OK && pn_lance_file_rows(pn_cached_file_get(*out)) != fragment->n_rows)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s/data/%s: %" PRIu64 " rows, the manifest says %" PRIu32, dataset->path,
                       fragment->message->files[file_i]->path,
                       pn_lance_file_rows(pn_cached_file_get(*out)), fragment->n_rows);
    return status;
}

/* The file that lists the field id, and its column there; SIZE_MAX: none. */
static size_t find_column(const pn_fragment *fragment, int32_t field_id, int32_t *column)
{
    for (size_t f = 0; f < fragment->message->n_files; f++) {
        const Pn__Table__DataFile *file = fragment->message->files[f];
        for (size_t i = 0; i < file->n_fields; i++) {
            if (file->fields[i] == field_id) {
                *column = file->column_indices[i];
                return f;
            }
        }
    }
    *column = -1;
    return SIZE_MAX;
}

static pn_status place(pn_dataset *dataset, size_t fragment_i, const pn_field *field,
                       pn_arena *arena, pn_placement *out, pn_cached_file **cached, pn_error *err)
{
    pn_fragment *fragment = &dataset->fragments[fragment_i];
    pn_schema one = {.fields = (pn_field *)(uintptr_t)field, .n_fields = 1};
    int32_t *ids;
    size_t n_leaves, chosen = SIZE_MAX;
    *cached = NULL;
    PN_TRY(pn_lance_schema_leaf_ids(&one, arena, &ids, &n_leaves, err));
    for (size_t i = 0; i < n_leaves; i++) {
        size_t f = find_column(fragment, ids[i], &ids[i]);
        if (f != SIZE_MAX && chosen != SIZE_MAX && f != chosen)
            return pn_fail(err, PN_ERR_UNSUPPORTED,
                           "%s: column \"%s\" is spread over several files of a fragment",
                           dataset->path, field->name);
        chosen = f != SIZE_MAX ? f : chosen;
    }
    pn_cached_file *opened = NULL; // if it does not have the column, then for its number of rows
    size_t any = chosen != SIZE_MAX ? chosen : 0;
    if (any < fragment->message->n_files)
        PN_TRY(open_file(dataset, fragment, any, &opened, err));
    *cached = chosen != SIZE_MAX ? opened : NULL;
    *out = (pn_placement){.file = *cached ? pn_cached_file_get(*cached) : NULL,
                          .leaf_columns = ids,
                          .n_leaves = n_leaves};
    return PN_OK;
}

pn_status pn_fragment_place(pn_dataset *dataset, size_t fragment_i, const pn_field *field,
                            pn_arena *arena, pn_placement *out, pn_error *err)
{
    pn_cached_file *cached;
    return place(dataset, fragment_i, field, arena, out, &cached, err);
}

static pn_status all_null(const pn_dataset *dataset, const pn_field *field, size_t n,
                          pn_arena *arena, pn_array *out, pn_error *err)
{
    if (!field->nullable)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: column \"%s\" is missing from a fragment",
                       dataset->path, field->name);
    return pn_lance_absent(field, n, arena, out, err);
}

pn_status pn_fragment_read(pn_dataset *dataset, size_t fragment_i, const pn_field *field,
                           uint64_t first, uint64_t n, pn_lance_memo *memo, pn_arena *arena,
                           pn_array *out, pn_error *err)
{
    pn_placement at;
    PN_TRY(pn_fragment_place(dataset, fragment_i, field, arena, &at, err));
    if (!at.file)
        return all_null(dataset, field, (size_t)n, arena, out, err);
    return pn_lance_file_read(at.file, field, at.leaf_columns, at.n_leaves, first, n, memo, arena,
                              out, err);
}

pn_status pn_fragment_take(pn_dataset *dataset, size_t fragment_i, const pn_field *field,
                           const uint64_t *rows, size_t n, pn_lance_memo *memo, pn_arena *arena,
                           pn_array *out, pn_error *err)
{
    pn_placement at;
    PN_TRY(pn_fragment_place(dataset, fragment_i, field, arena, &at, err));
    if (!at.file)
        return all_null(dataset, field, n, arena, out, err);
    return pn_lance_file_take(at.file, field, at.leaf_columns, at.n_leaves, rows, n, memo, arena,
                              out, err);
}

const char *pn_dataset_column_file(const pn_dataset *dataset, size_t fragment_i, const char *column)
{
    const pn_fragment *fragment = &dataset->fragments[fragment_i];
    ptrdiff_t at = pn_schema_find(&dataset->schema, pn_str_of(column));
    int32_t ignored;
    size_t file_i =
        at >= 0 ? find_column(fragment, dataset->schema.fields[at].id, &ignored) : SIZE_MAX;
    return file_i != SIZE_MAX ? fragment->message->files[file_i]->path : "";
}

pn_status pn_dataset_column_memory(pn_dataset *dataset, size_t fragment_i, const char *column,
                                   const pn_mapping **mapping, const char **path, pn_error *err)
{
    ptrdiff_t at = pn_schema_find(&dataset->schema, pn_str_of(column));
    pn_arena arena;
    pn_placement placement;
    if (at < 0)
        return pn_fail(err, PN_ERR_INVALID, "%s: no column \"%s\"", dataset->path, column);
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_fragment_place(dataset, fragment_i, &dataset->schema.fields[at], &arena,
                                         &placement, err);
    if (status == PN_OK && placement.file)
        *mapping = pn_lance_file_mapping(placement.file, path);
    else if (status == PN_OK)
        *mapping = NULL;
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_dataset_vectors(pn_dataset *dataset, size_t fragment_i, const char *column,
                             const pn_vector_run **runs, size_t *n_runs, pn_error *err)
{
    ptrdiff_t at = pn_schema_find(&dataset->schema, pn_str_of(column));
    if (at < 0 || dataset->schema.fields[at].type != PN_TYPE_FIXED_SIZE_LIST ||
        dataset->schema.fields[at].children[0].type != PN_TYPE_FLOAT)
        return pn_fail(err, PN_ERR_INVALID, "%s: no column \"%s\" of float vectors", dataset->path,
                       column);
    pn_arena arena;
    pn_placement placement;
    pn_cached_file *cached;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status =
        place(dataset, fragment_i, &dataset->schema.fields[at], &arena, &placement, &cached, err);
    if (status == PN_OK && !cached) {
        *runs = NULL; // no vector in this fragment: nothing to find
        *n_runs = 0;
    } else if (status == PN_OK) {
        status = pn_cached_file_vectors(dataset->cache, cached, &dataset->schema.fields[at],
                                        placement.leaf_columns[0], runs, n_runs, err);
    }
    pn_arena_reset(&arena);
    return status;
}

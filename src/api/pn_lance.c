/*
 * pn_lance.c - section 9 of pennon.h: any Lance table, by its folder
 *
 * Sections 3 to 7 want a table of pictures; here a table is whatever its schema says.
 */
#include "api/internal.h"

#include "api/facets.h"
#include "dataset/dataset.h"
#include "dataset/summary.h"
#include "transfer/schema_json.h"

#include <stdlib.h>

pn_status pn_check_path(const char *path, pn_error *err)
{
    pn_library_faults();
    if (!path || path[0] == '\0')
        return pn_fail(err, PN_ERR_INVALID, "no table was named");
    return PN_OK;
}

static pn_status open_dataset(const char *path, uint64_t version, pn_dataset **out, pn_error *err)
{
    PN_TRY(pn_check_path(path, err));
    return pn_dataset_open(path, version, out, err);
}

static json_t *info_to_json(const char *path, const pn_dataset *dataset)
{
    pn_dataset_summary sum;
    pn_dataset_summarize(dataset, &sum);
    return json_pack(
        "{s:s*, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:I}",
        "table", path, "version", (json_int_t)pn_dataset_version(dataset), "timestamp_ms",
        (json_int_t)pn_dataset_timestamp_ms(dataset), "operation", sum.operation, "rows",
        (json_int_t)sum.n_rows, "deleted_rows", (json_int_t)sum.n_deleted, "fragments",
        (json_int_t)sum.n_fragments, "data_files", (json_int_t)sum.n_data_files, "deletion_files",
        (json_int_t)sum.n_deletion_files, "data_bytes", (json_int_t)sum.data_bytes, "data_format",
        sum.data_format, "writer", sum.writer, "writer_version", sum.writer_version, "reader_flags",
        (json_int_t)sum.reader_flags, "writer_flags", (json_int_t)sum.writer_flags, "columns",
        (json_int_t)pn_dataset_schema(dataset)->n_fields);
}

pn_status pn_lance_info_json(const char *path, uint64_t version, char **out, pn_error *err)
{
    pn_dataset *dataset;
    PN_TRY(open_dataset(path, version, &dataset, err));
    pn_status status = pn_json_detach(info_to_json(path, dataset), out, err);
    pn_dataset_unref(dataset);
    return status;
}

pn_status pn_lance_schema_json(const char *path, uint64_t version, char **out, pn_error *err)
{
    pn_dataset *dataset;
    pn_arena arena;
    PN_TRY(open_dataset(path, version, &dataset, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status =
        pn_json_detach(pn_schema_to_json(pn_dataset_schema(dataset), &arena), out, err);
    pn_arena_reset(&arena);
    pn_dataset_unref(dataset);
    return status;
}

static json_t *version_to_json(const pn_version_survey *v)
{
    if (v->problem)
        return json_pack("{s:I, s:n, s:n, s:n, s:s}", "version", (json_int_t)v->version,
                         "timestamp_ms", "operation", "rows", "problem", v->problem);
    return json_pack("{s:I, s:I, s:s, s:I, s:n}", "version", (json_int_t)v->version, "timestamp_ms",
                     (json_int_t)v->timestamp_ms, "operation", v->operation, "rows",
                     (json_int_t)v->n_rows, "problem");
}

pn_status pn_lance_versions_json(const char *path, char **out, pn_error *err)
{
    pn_arena arena;
    pn_version_survey *versions;
    size_t n = 0;
    json_t *all = json_array();
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_check_path(path, err);
    if (status == PN_OK)
        status = pn_dataset_survey_versions(path, &arena, &versions, &n, err);
    for (size_t i = 0; status == PN_OK && i < n; i++)
        if (json_array_append_new(all, version_to_json(&versions[i])) != 0)
            status = pn_fail_nomem(err);
    if (status == PN_OK)
        status = pn_json_detach(all, out, err);
    else
        json_decref(all);
    pn_arena_reset(&arena);
    return status;
}

/* ---- statistics ---- */

enum { SMALL_FRAGMENT_ROWS = 100000 };

static int compare_rows(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static json_t *fragments_to_json(const pn_dataset *dataset, pn_arena *arena)
{
    size_t n = pn_dataset_n_fragments(dataset);
    uint64_t *rows = PN_ARENA_NEW(arena, uint64_t, n + 1); // of no fragment: a 0
    uint64_t total = 0, n_small = 0;
    if (!rows)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        pn_fragment_info info;
        pn_dataset_fragment(dataset, i, &info);
        rows[i] = info.physical_rows - info.deleted_rows;
        total += rows[i];
        n_small += rows[i] < SMALL_FRAGMENT_ROWS;
    }
    qsort(rows, n, sizeof *rows, compare_rows);
    size_t last = n > 0 ? n - 1 : 0;
    return json_pack("{s:I, s:I, s:{s:I, s:I, s:f, s:I, s:I, s:I, s:I}}", "count", (json_int_t)n,
                     "small", (json_int_t)n_small, "rows", "min", (json_int_t)rows[0], "max",
                     (json_int_t)rows[last], "mean", n > 0 ? (double)total / (double)n : 0.0, "p25",
                     (json_int_t)rows[last / 4], "p50", (json_int_t)rows[last / 2], "p75",
                     (json_int_t)rows[last * 3 / 4], "p99", (json_int_t)rows[last * 99 / 100]);
}

static pn_status columns_to_json(pn_dataset *dataset, pn_arena *arena, json_t *all, pn_error *err)
{
    const pn_schema *schema = pn_dataset_schema(dataset);
    for (size_t i = 0; i < schema->n_fields; i++) {
        uint64_t bytes;
        char *type = pn_type_text(&schema->fields[i], arena);
        PN_TRY(pn_dataset_column_bytes(dataset, i, &bytes, err));
        if (!type ||
            json_array_append_new(all, json_pack("{s:s, s:s, s:I}", "name", schema->fields[i].name,
                                                 "type", type, "bytes", (json_int_t)bytes)) != 0)
            return pn_fail_nomem(err);
    }
    return PN_OK;
}

/* Takes the columns over. */
static json_t *stats_to_json(const pn_dataset *dataset, const pn_disk_bytes *disk,
                             size_t n_versions, json_t *columns, pn_arena *arena)
{
    pn_dataset_summary sum;
    pn_dataset_summarize(dataset, &sum);
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I}}",
                     "version", (json_int_t)pn_dataset_version(dataset), "rows",
                     (json_int_t)sum.n_rows, "deleted_rows", (json_int_t)sum.n_deleted, "versions",
                     (json_int_t)n_versions, "fragments", fragments_to_json(dataset, arena),
                     "columns", columns, "data_bytes", (json_int_t)sum.data_bytes, "disk_bytes",
                     "data", (json_int_t)disk->data, "deletions", (json_int_t)disk->deletions,
                     "versions", (json_int_t)disk->versions, "transactions",
                     (json_int_t)disk->transactions, "indices", (json_int_t)disk->indices, "other",
                     (json_int_t)disk->other);
}

pn_status pn_lance_stats_json(const char *path, uint64_t version, char **out, pn_error *err)
{
    pn_dataset *dataset;
    pn_arena arena;
    pn_disk_bytes disk;
    pn_version_survey *versions;
    size_t n_versions;
    PN_TRY(open_dataset(path, version, &dataset, err));
    pn_arena_init(&arena, SIZE_MAX);
    json_t *columns = json_array();
    pn_status status = pn_dataset_disk_bytes(path, &disk, err);
    if (status == PN_OK)
        status = pn_dataset_survey_versions(path, &arena, &versions, &n_versions, err);
    if (status == PN_OK)
        status = columns_to_json(dataset, &arena, columns, err);
    if (status == PN_OK)
        status =
            pn_json_detach(stats_to_json(dataset, &disk, n_versions, columns, &arena), out, err);
    else
        json_decref(columns);
    pn_arena_reset(&arena);
    pn_dataset_unref(dataset);
    return status;
}

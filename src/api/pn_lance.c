/*
 * pn_lance.c - section 8 of pennon.h: any Lance table, by its folder
 *
 * Sections 3 to 7 want a table of pictures; here a table is whatever its schema says.
 */
#include "api/internal.h"

#include "api/facets.h"
#include "dataset/dataset.h"
#include "dataset/summary.h"
#include "transfer/schema_json.h"

static pn_status open_dataset(const char *path, uint64_t version, pn_dataset **out, pn_error *err)
{
    if (!path || path[0] == '\0')
        return pn_fail(err, PN_ERR_INVALID, "no table was named");
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

/*
 * pn_transfer.c - section 9 of pennon.h: export and import
 *
 * The caller's options and callbacks become those of the room transfer.
 */
#include "api/internal.h"

#include "transfer/table_export.h"
#include "transfer/table_import.h"

static const char *or_vector(const char *name)
{
    return name ? name : "vector";
}

static pn_status check_format(int format, pn_error *err)
{
    if (format < PN_FORMAT_NDJSON || format > PN_FORMAT_NPY)
        return pn_fail(err, PN_ERR_INVALID, "format %d: there are 0 to %d", format, PN_FORMAT_NPY);
    return PN_OK;
}

/* ---- export ---- */

static bool on_export(void *context, uint64_t n_rows, uint64_t n_all, uint64_t n_bytes)
{
    const pn_export_options *options = context;
    (void)n_bytes;
    if (options->progress)
        options->progress(options->context, n_rows, n_all);
    return !options->cancelled || !options->cancelled(options->context);
}

pn_status pn_lance_export(const char *path, const pn_export_options *options, uint64_t *n_rows,
                          pn_error *err)
{
    pn_export_options ours = PN_EXPORT_OPTIONS_INIT;
    pn_dataset *dataset;
    uint64_t n = 0;
    PN_TRY(pn_check_path(path, err));
    PN_TAKE_OPTIONS(ours, options, err);
    PN_TRY(check_format((int)ours.format, err));
    if (!ours.write)
        return pn_fail(err, PN_ERR_INVALID, "an export without write");
    const pn_export_plan plan = {.format = (pn_row_format)ours.format,
                                 .filter = ours.where && ours.where[0] ? ours.where : NULL,
                                 .limit = ours.limit,
                                 .columns = ours.columns,
                                 .n_columns = ours.n_columns,
                                 .vector_column = or_vector(ours.vector_column),
                                 .write = ours.write,
                                 .write_context = ours.context,
                                 .write_rest = ours.write_rest,
                                 .rest_context = ours.context,
                                 .progress = on_export,
                                 .progress_context = &ours};
    PN_TRY(pn_dataset_open(path, ours.version, &dataset, err));
    pn_status status = pn_table_export(dataset, &plan, &n, err);
    pn_dataset_unref(dataset);
    if (n_rows)
        *n_rows = n;
    return status;
}

/* ---- import ---- */

static bool on_import(void *context, uint64_t n_rows, uint64_t n_bytes)
{
    const pn_import_options *options = context;
    if (options->progress)
        options->progress(options->context, n_rows, n_bytes);
    return !options->cancelled || !options->cancelled(options->context);
}

static pn_status check_import(const pn_import_options *o, pn_error *err)
{
    PN_TRY(check_format((int)o->format, err));
    if (!o->read)
        return pn_fail(err, PN_ERR_INVALID, "an import without read");
    if ((int)o->mode < PN_MODE_APPEND || o->mode > PN_MODE_OVERWRITE)
        return pn_fail(err, PN_ERR_INVALID, "mode %d: there are 0 to %d", (int)o->mode,
                       PN_MODE_OVERWRITE);
    if ((int)o->on_bad_vectors < PN_BAD_VECTORS_ERROR || o->on_bad_vectors > PN_BAD_VECTORS_NULL)
        return pn_fail(err, PN_ERR_INVALID, "on_bad_vectors %d: there are 0 to %d",
                       (int)o->on_bad_vectors, PN_BAD_VECTORS_NULL);
    if (!o->keys && (o->leave_matched || o->leave_unmatched || o->delete_missing))
        return pn_fail(err, PN_ERR_INVALID, "an upsert without keys");
    if (o->delete_where && !o->delete_missing)
        return pn_fail(err, PN_ERR_INVALID, "delete_where without delete_missing");
    return PN_OK;
}

pn_status pn_lance_import(const char *path, const pn_import_options *options,
                          pn_import_report *report, pn_error *err)
{
    pn_import_options ours = PN_IMPORT_OPTIONS_INIT;
    pn_import_counts counts;
    PN_TRY(pn_check_path(path, err));
    PN_TAKE_OPTIONS(ours, options, err);
    PN_TRY(check_import(&ours, err));
    const pn_upsert_options upsert = {.keys = ours.keys,
                                      .n_keys = ours.n_keys,
                                      .leave_matched = ours.leave_matched != 0,
                                      .leave_unmatched = ours.leave_unmatched != 0,
                                      .delete_missing = ours.delete_missing != 0,
                                      .delete_where = ours.delete_where};
    const pn_import_plan plan = {.format = (pn_row_format)ours.format,
                                 .mode = (pn_import_mode)ours.mode,
                                 .schema_json = ours.schema_json,
                                 .data_format = ours.data_format,
                                 .vector_column = or_vector(ours.vector_column),
                                 .on_bad_vectors = (pn_vectors_policy)ours.on_bad_vectors,
                                 .fill_value = ours.fill_value,
                                 .upsert = ours.keys ? &upsert : NULL,
                                 .read = ours.read,
                                 .read_context = ours.context,
                                 .read_rest = ours.read_rest,
                                 .rest_context = ours.context,
                                 .progress = on_import,
                                 .progress_context = &ours};
    PN_TRY(pn_table_import(path, &plan, &counts, err));
    const pn_import_report done = {.struct_bytes = sizeof done,
                                   .n_rows = counts.n_rows,
                                   .n_bad_vectors = counts.n_bad_vectors,
                                   .n_dropped = counts.n_dropped,
                                   .version = counts.version,
                                   .n_inserted = counts.upserted.n_inserted,
                                   .n_updated = counts.upserted.n_updated,
                                   .n_deleted = counts.upserted.n_deleted};
    return report ? pn_give_struct(&done, sizeof done, report, err) : PN_OK;
}

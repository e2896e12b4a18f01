/*
 * dataset_tool.c - the changes of a table one by one, for tests in which LanceDB does the others
 *
 *     dataset_tool TABLE copy|move|delete FILTER     append the rows once more | in the place of the old ones | delete them
 *     dataset_tool TABLE overwrite FILTER            the table becomes these rows
 *     dataset_tool TABLE compact | clean             full, with everything deleted | all old versions, all orphans
 *     dataset_tool TABLE restore VERSION | tag NAME VERSION | untag NAME
 *     dataset_tool TABLE drop NAME | rename NAME NAME | add NAME | fill NAME    add: of nulls; fill: of sevens
 *     dataset_tool TABLE rows                        id, name, flag, vector[1], and the optional number "more", a row a line
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/cleanup.h"
#include "dataset/compact.h"
#include "dataset/tags.h"

static pn_status copy_rows(pn_dataset *t, pn_append *append, const char *filter, pn_error *err)
{
    pn_scan_options options = {.filter = filter};
    pn_scan *scan;
    pn_batch batch = {0};
    const pn_row_addr *addrs;
    PN_TRY(pn_scan_begin(t, &options, &scan, err));
    pn_status status;
    do {
        status = pn_scan_next(scan, &batch, &addrs, err);
        if (status == PN_OK && batch.n_rows > 0)
            status = pn_append_batch(append, &batch, err);
    } while (status == PN_OK && batch.n_rows > 0);
    pn_scan_end(scan);
    return status;
}

static pn_status add_rows(pn_dataset *t, const char *how, const char *filter, pn_dataset **out,
                          pn_error *err)
{
    pn_append *append;
    pn_rowset rows;
    bool moves = strcmp(how, "move") == 0;
    pn_rowset_init(&rows);
    if (strcmp(how, "overwrite") == 0)
        PN_TRY(pn_overwrite_begin(t, pn_dataset_schema(t), &append, err));
    else
        PN_TRY(pn_append_begin(t, &append, err));
    pn_status status = copy_rows(t, append, filter, err);
    if (status == PN_OK && moves)
        status = pn_dataset_filter_rows(t, pn_str_of(filter), &rows, err);
    if (status == PN_OK)
        status = pn_append_commit(append, moves ? &rows : NULL, out, err);
    else
        pn_append_abort(append);
    pn_rowset_reset(&rows);
    return status;
}

static pn_status delete_rows(pn_dataset *t, const char *filter, pn_dataset **out, pn_error *err)
{
    pn_rowset rows;
    uint64_t n;
    PN_TRY(pn_dataset_filter_rows(t, pn_str_of(filter), &rows, err));
    pn_status status = pn_dataset_delete(t, &rows, filter, &n, out, err);
    pn_rowset_reset(&rows);
    return status;
}

static pn_status add_column(pn_dataset *t, const char *name, bool fill, pn_dataset **out,
                            pn_error *err)
{
    pn_field field;
    const int64_t seven = 7;
    pn_field_init(&field, name, PN_TYPE_INT64, true);
    const pn_array value = {.field = &field, .length = 1, .values = &seven};
    return fill ? pn_dataset_add_constant(t, &value, out, err)
                : pn_dataset_add_column(t, &field, NULL, out, err);
}

static void print_row(const pn_batch *batch, size_t i)
{
    const pn_array *name = pn_batch_column(batch, "name"), *flag = pn_batch_column(batch, "flag");
    const pn_array *vector = pn_batch_column(batch, "vector"),
                   *more = pn_batch_column(batch, "more");
    pn_str text = name && pn_array_is_valid(name, i) ? pn_array_bytes(name, i) : pn_str_of("-");
    printf("%" PRId64 " " PN_STR_FORMAT " %s %.4f %s",
           pn_array_i64(pn_batch_column(batch, "id"), i), PN_STR_ARG(text),
           !flag || !pn_array_is_valid(flag, i) ? "-"
           : pn_array_i64(flag, i)              ? "true"
                                                : "false",
           vector && pn_array_is_valid(vector, i) ? (double)pn_array_floats(vector, i)[1] : -1.0,
           more && pn_array_is_valid(more, i) ? "7" : "-");
    printf("\n");
}

static pn_status print_rows(pn_dataset *t, pn_error *err)
{
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    pn_scan *scan;
    pn_batch batch = {0};
    const pn_row_addr *addrs;
    PN_TRY(pn_scan_begin(t, &options, &scan, err));
    pn_status status;
    do {
        status = pn_scan_next(scan, &batch, &addrs, err);
        for (size_t i = 0; status == PN_OK && i < batch.n_rows; i++)
            print_row(&batch, i);
    } while (status == PN_OK && batch.n_rows > 0);
    pn_scan_end(scan);
    return status;
}

static pn_status run(pn_dataset *t, const char *op, const char *a, const char *b, pn_dataset **out,
                     pn_error *err)
{
    const pn_compact_options compact = {.mode = PN_COMPACT_FULL, .deleted_percent = 1};
    const pn_cleanup_options cleanup = {.older_than_ms = 0, .orphan_ms = 0};
    pn_cleanup_report report;
    if (strcmp(op, "delete") == 0)
        return delete_rows(t, a, out, err);
    if (strcmp(op, "compact") == 0)
        return pn_dataset_compact(t, &compact, NULL, out, err);
    if (strcmp(op, "restore") == 0)
        return pn_dataset_restore(t, strtoull(a, NULL, 10), out, err);
    if (strcmp(op, "drop") == 0)
        return pn_dataset_drop_columns(t, &a, 1, out, err);
    if (strcmp(op, "rename") == 0)
        return pn_dataset_rename_column(t, a, b, out, err);
    if (strcmp(op, "add") == 0 || strcmp(op, "fill") == 0)
        return add_column(t, a, op[0] == 'f', out, err);
    if (strcmp(op, "tag") == 0)
        return pn_dataset_tag_create(pn_dataset_path(t), a, strtoull(b, NULL, 10), err);
    if (strcmp(op, "untag") == 0)
        return pn_dataset_tag_delete(pn_dataset_path(t), a, err);
    if (strcmp(op, "clean") == 0)
        return pn_dataset_cleanup(pn_dataset_path(t), &cleanup, &report, err);
    if (strcmp(op, "rows") == 0)
        return print_rows(t, err);
    return add_rows(t, op, a, out, err);
}

int main(int argc, char **argv)
{
    pn_error err = {0};
    pn_dataset *t, *out = NULL;
    if (argc < 3)
        return 2;
    pn_status status = pn_dataset_open(argv[1], 0, &t, &err);
    if (status == PN_OK) {
        status = run(t, argv[2], argc > 3 ? argv[3] : "", argc > 4 ? argv[4] : "", &out, &err);
        pn_dataset_unref(t);
        pn_dataset_unref(status == PN_OK ? out : NULL);
    }
    if (status != PN_OK)
        fprintf(stderr, "%s\n", err.message);
    return status == PN_OK ? 0 : 1;
}

/*
 * test_dataset_fixtures.c - every fixture table, every version, against what LanceDB reads from it
 *
 * All rows are scanned in batches of odd sizes and compared value by value, row addresses included (in tables with stable row
 * ids the client shows those instead, so there addresses are left out).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/rng.h"
#include "dataset/dataset.h"
#include "os/dir.h"
#include "support/expected.h"
#include "support/golden.h"

typedef struct counts {
    size_t tables, columns, addresses;
} counts;

/* All rows of a dataset, as one array a column. */
typedef struct table_rows {
    pn_arena arena;
    const char **names; /* of the columns */
    size_t n_columns;
    pn_array *columns;
    pn_row_addr *addrs;
    size_t n;
} table_rows;

static void read_all(pn_dataset *dataset, size_t batch_rows, table_rows *out)
{
    enum { MAX_BATCHES = 4096 };
    pn_error err = {0};
    pn_scan *scan;
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    const pn_schema *schema = pn_dataset_schema(dataset);
    size_t n_fields = schema->n_fields, n_batches = 0;
    uint64_t n_rows = pn_dataset_count_rows(dataset);
    options.batch_rows = batch_rows;
    pn_arena_init(&out->arena, SIZE_MAX);
    out->names = PN_ARENA_NEW(&out->arena, const char *, n_fields);
    for (size_t c = 0; c < n_fields; c++)
        out->names[out->n_columns++] = schema->fields[c].name;
    options.columns = out->names;
    options.n_columns = n_fields = out->n_columns;
    out->columns = PN_ARENA_NEW(&out->arena, pn_array, n_fields);
    out->addrs = PN_ARENA_NEW(&out->arena, pn_row_addr, n_rows + 1);
    out->n = 0;
    const pn_array **parts = PN_ARENA_NEW(&out->arena, const pn_array *, n_fields *MAX_BATCHES);
    assert_int_equal(pn_scan_begin(dataset, &options, &scan, &err), PN_OK);
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        if (pn_scan_next(scan, &batch, &addrs, &err) != PN_OK)
            fail_msg("%s", err.message);
        if (batch.n_rows == 0)
            break;
        assert_true(n_batches < MAX_BATCHES);
        assert_true(out->n + batch.n_rows <= n_rows);
        memcpy(out->addrs + out->n, addrs, batch.n_rows * sizeof *addrs);
        out->n += batch.n_rows;
        for (size_t c = 0; c < n_fields; c++) { // the batch is gone at the next call: copy
            uint32_t *all = PN_ARENA_NEW(&out->arena, uint32_t, batch.n_rows);
            pn_array *copy = PN_ARENA_NEW(&out->arena, pn_array, 1);
            for (size_t i = 0; i < batch.n_rows; i++)
                all[i] = (uint32_t)i;
            assert_int_equal(
                pn_array_gather(&batch.columns[c], all, batch.n_rows, &out->arena, copy, &err),
                PN_OK);
            copy->field = &schema->fields[pn_schema_find(schema, pn_str_of(out->names[c]))];
            parts[c * MAX_BATCHES + n_batches] = copy;
        }
        n_batches++;
    }
    pn_scan_end(scan);
    for (size_t c = 0; c < n_fields && n_batches > 0; c++)
        assert_int_equal(pn_array_concat(parts + c * MAX_BATCHES, n_batches, &out->arena,
                                         &out->columns[c], &err),
                         PN_OK);
    assert_int_equal(out->n, n_rows);
}

static void check_addresses(const json_t *want, const table_rows *rows)
{
    assert_int_equal(json_array_size(want), rows->n);
    for (size_t i = 0; i < rows->n; i++)
        assert_int_equal(json_integer_value(json_array_get(want, i)), rows->addrs[i]);
}

/* Random addresses, twice some of them, in no order: the same values as in the scan. */
static void check_take(pn_dataset *dataset, const table_rows *rows, pn_rng *rng)
{
    enum { N = 40 };
    pn_row_addr addrs[N];
    uint32_t indices[N];
    pn_arena arena;
    pn_error err = {0};
    pn_batch batch;
    pn_arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < N; i++) {
        indices[i] = (uint32_t)pn_rng_below(rng, rows->n);
        addrs[i] = rows->addrs[indices[i]];
    }
    if (pn_dataset_take(dataset, addrs, N, rows->names, rows->n_columns, &arena, &batch, &err) !=
        PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(batch.n_rows, N);
    for (size_t c = 0; c < batch.schema->n_fields; c++) {
        pn_array want;
        assert_int_equal(pn_array_gather(&rows->columns[c], indices, N, &arena, &want, &err),
                         PN_OK);
        if (!pn_array_equal(&want, &batch.columns[c]))
            fail_msg("%s: take: column \"%s\" differs", pn_dataset_path(dataset),
                     batch.schema->fields[c].name);
    }
    pn_arena_reset(&arena);
}

static void check_columns(pn_dataset *dataset, const json_t *expected, const table_rows *rows,
                          counts *counted)
{
    const json_t *columns = json_object_get(expected, "columns");
    if (rows->n == 0)
        return;
    assert_int_equal(json_object_size(columns), pn_dataset_schema(dataset)->n_fields);
    for (size_t c = 0; c < rows->n_columns; c++) {
        const json_t *want = json_object_get(columns, rows->names[c]);
        assert_non_null(want);
        if (rows->columns[c].field->is_json) // JSON has a binary form of its own
            continue;
        if (!expected_column_equal(want, &rows->columns[c], rows->names[c]))
            fail_msg("%s version %zu: column \"%s\" differs", pn_dataset_path(dataset),
                     (size_t)pn_dataset_version(dataset), rows->names[c]);
        counted->columns++;
    }
}

/* What the fixture's only column of blobs was made of, which the client does not tell. */
static void check_blobs(const table_rows *rows)
{
    for (size_t c = 0; c < rows->n_columns; c++) {
        if (strcmp(rows->names[c], "blob") != 0)
            continue;
        for (size_t i = 0; i < rows->n; i++) {
            assert_int_equal(pn_array_is_valid(&rows->columns[c], i), i % 4 != 3);
            pn_str bytes = pn_array_bytes(&rows->columns[c], i);
            for (size_t k = 0; i % 4 != 3 && k < bytes.len; k++)
                assert_int_equal(bytes.ptr[k], "blob"[k % 4]);
        }
    }
}

static void check_entry(const char *root, const json_t *entry, counts *counted)
{
    pn_arena arena;
    pn_error err = {0};
    pn_dataset *dataset;
    pn_rng rng = pn_rng_seed(11);
    pn_arena_init(&arena, SIZE_MAX);
    const char *table = json_string_value(json_object_get(entry, "table"));
    json_int_t version = json_integer_value(json_object_get(entry, "version"));
    pn_status status =
        pn_dataset_open(pn_path_join(&arena, root, table), (uint64_t)version, &dataset, &err);
    if (status != PN_OK)
        fail_msg("%s", err.message);
    const char *name = json_string_value(json_object_get(entry, "expected"));
    json_t *expected = expected_load(pn_path_join(&arena, root, name));
    assert_int_equal(pn_dataset_version(dataset), version);
    assert_int_equal(pn_dataset_count_rows(dataset),
                     json_integer_value(json_object_get(entry, "rows")));
    static const size_t batch_sizes[] = {0, 7, 1000};
    size_t n_sizes = pn_dataset_count_rows(dataset) > 5000 ? 1 : PN_COUNT_OF(batch_sizes);
    for (size_t i = 0; i < n_sizes; i++) {
        table_rows rows = {0};
        read_all(dataset, batch_sizes[i], &rows);
        check_blobs(&rows);
        check_columns(dataset, expected, &rows, counted);
        if (!strstr(table, "stable")) {
            check_addresses(json_object_get(expected, "rowids"), &rows);
            counted->addresses += rows.n;
        }
        if (rows.n > 0)
            check_take(dataset, &rows, &rng);
        pn_arena_reset(&rows.arena);
    }
    counted->tables++;
    json_decref(expected);
    pn_dataset_unref(dataset);
    pn_arena_reset(&arena);
}

static void every_fixture__reads_as_the_client_reads_it(void **state)
{
    (void)state;
    char root[GOLDEN_PATH_BYTES], path[GOLDEN_PATH_BYTES + 16];
    counts counted = {0};
    json_t *entry;
    size_t i;
    golden_require("lance/fixtures", root);
    (void)snprintf(path, sizeof path, "%s/INDEX.json", root);
    json_t *index = expected_load(path);
    json_array_foreach(index, i, entry) check_entry(root, entry, &counted);
    print_message("%zu entries: %zu equal (%zu columns, %zu addresses)\n", json_array_size(index),
                  counted.tables, counted.columns, counted.addresses);
    assert_int_equal(counted.tables, json_array_size(index));
    json_decref(index);
}

static void versions__are_listed_with_their_operations(void **state)
{
    (void)state;
    static const char *const operations[] = {"create",  "append",       "delete", "delete",
                                             "update",  "update",       "merge",  "project",
                                             "project", "create index", "append", "delete"};
    char root[GOLDEN_PATH_BYTES];
    pn_arena arena;
    pn_error err = {0};
    pn_version_info *versions;
    size_t n;
    golden_require("lance/fixtures/life2.2", root);
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_dataset_list_versions(pn_path_join(&arena, root, "life.lance"), &arena, &versions, &n,
                                 &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n, 16);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(versions[i].version, i + 1);
        assert_true(versions[i].timestamp_ms > 1600000000000);
        if (i < PN_COUNT_OF(operations))
            assert_string_equal(versions[i].operation, operations[i]);
    }
    assert_string_equal(versions[15].operation, "restore");
    assert_int_equal(versions[0].n_rows, 60);
    assert_int_equal(versions[3].n_rows, 59);
    assert_int_equal(versions[15].n_rows, 90);
    pn_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fixture__reads_as_the_client_reads_it),
        cmocka_unit_test(versions__are_listed_with_their_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * small_table.c - rows from ids, and ids from rows
 */
#include "support/small_table.h"

#include "column/builder.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { ID, VECTOR, NAME, METADATA, N_COLUMNS };

void small_table_schema(pn_arena *arena, pn_schema *out)
{
    pn_field *fields = PN_ARENA_NEW(arena, pn_field, N_COLUMNS);
    pn_kv *pair = PN_ARENA_NEW(arena, pn_kv, 1);
    pn_field_init(&fields[ID], "id", PN_TYPE_INT64, false);
    assert_true(pn_field_init_vector(&fields[VECTOR], "vector", SMALL_TABLE_DIM, arena));
    pn_field_init(&fields[NAME], "name", PN_TYPE_STRING, true);
    assert_true(pn_field_init_string_map(&fields[METADATA], "metadata", false, arena));
    *pair = (pn_kv){"made.by", "a test"};
    *out = (pn_schema){fields, N_COLUMNS, pair, 1};
}

static void add_row(pn_builder **builders, int64_t id)
{
    float vector[SMALL_TABLE_DIM];
    char text[40];
    for (int k = 0; k < SMALL_TABLE_DIM; k++)
        vector[k] = (float)id + (float)k / SMALL_TABLE_DIM;
    assert_int_equal(pn_builder_append_i64(builders[ID], id, NULL), PN_OK);
    assert_int_equal(pn_builder_append_floats(builders[VECTOR], vector, SMALL_TABLE_DIM, NULL),
                     PN_OK);
    int n = snprintf(text, sizeof text, "row %" PRId64, id);
    if (id % 7 == 3)
        assert_int_equal(pn_builder_append_null(builders[NAME], NULL), PN_OK);
    else
        assert_int_equal(pn_builder_append_bytes(builders[NAME], text, (size_t)n, NULL), PN_OK);
    if (id % 5 != 0) {
        pn_builder *entries = pn_builder_child(builders[METADATA], 0);
        n = snprintf(text, sizeof text, "%d", (int)(id % 3));
        assert_int_equal(pn_builder_append_bytes(pn_builder_child(entries, 0), "mod", 3, NULL),
                         PN_OK);
        assert_int_equal(
            pn_builder_append_bytes(pn_builder_child(entries, 1), text, (size_t)n, NULL), PN_OK);
        assert_int_equal(pn_builder_close_row(entries, NULL), PN_OK);
    }
    assert_int_equal(pn_builder_close_row(builders[METADATA], NULL), PN_OK);
}

void small_batch_make(int64_t first, size_t n, small_batch *out)
{
    pn_arena_init(&out->arena, SIZE_MAX);
    small_table_schema(&out->arena, &out->schema);
    for (size_t c = 0; c < N_COLUMNS; c++)
        assert_int_equal(pn_builder_create(&out->schema.fields[c], PTRDIFF_MAX,
                                           (pn_builder **)&out->builders[c], NULL),
                         PN_OK);
    for (size_t i = 0; i < n; i++)
        add_row((pn_builder **)out->builders, first + (int64_t)i);
    for (size_t c = 0; c < N_COLUMNS; c++)
        assert_int_equal(pn_builder_view(out->builders[c], &out->arrays[c], NULL), PN_OK);
    out->batch = (pn_batch){.schema = &out->schema, .columns = out->arrays, .n_rows = n};
}

void small_batch_free(small_batch *batch)
{
    for (size_t c = 0; c < N_COLUMNS; c++)
        pn_builder_free(batch->builders[c]);
    pn_arena_reset(&batch->arena);
}

pn_status small_table_create(const char *path, pn_dataset **out, pn_error *err)
{
    pn_arena arena;
    pn_schema schema;
    pn_arena_init(&arena, SIZE_MAX);
    small_table_schema(&arena, &schema);
    pn_status status = pn_dataset_create(path, &schema, out, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status small_table_append(pn_dataset *dataset, int64_t first, size_t n,
                             const pn_rowset *replaced, pn_dataset **out, pn_error *err)
{
    enum { BATCH_ROWS = 100 };
    pn_append *append;
    PN_TRY(pn_append_begin(dataset, &append, err));
    for (size_t at = 0; at < n; at += BATCH_ROWS) {
        small_batch rows;
        small_batch_make(first + (int64_t)at, PN_MIN(n - at, (size_t)BATCH_ROWS), &rows);
        pn_status status = pn_append_batch(append, &rows.batch, err);
        small_batch_free(&rows);
        if (status != PN_OK) {
            pn_append_abort(append);
            return status;
        }
    }
    return pn_append_commit(append, replaced, out, err);
}

pn_status small_table_delete(pn_dataset *dataset, const char *filter, uint64_t *n_deleted,
                             pn_dataset **out, pn_error *err)
{
    pn_rowset rows;
    PN_TRY(pn_dataset_filter_rows(dataset, pn_str_of(filter), &rows, err));
    pn_status status = pn_dataset_delete(dataset, &rows, filter, n_deleted, out, err);
    pn_rowset_reset(&rows);
    return status;
}

pn_status small_table_upsert(pn_dataset *dataset, const pn_batch *batch,
                             const pn_upsert_options *options, pn_dataset **out, pn_error *err)
{
    pn_upsert *upsert;
    pn_upsert_report report;
    PN_TRY(pn_upsert_begin(dataset, batch->schema, options, &upsert, err));
    pn_status status = pn_upsert_batch(upsert, batch, err);
    if (status == PN_OK)
        return pn_upsert_commit(upsert, &report, out, err);
    pn_upsert_abort(upsert);
    return status;
}

static void check_row(const pn_batch *batch, size_t i)
{
    char text[40];
    pn_str value;
    int64_t id = pn_array_i64(&batch->columns[ID], i);
    const float *vector = pn_array_floats(&batch->columns[VECTOR], i);
    for (int k = 0; k < SMALL_TABLE_DIM; k++)
        if (vector[k] != (float)id + (float)k / SMALL_TABLE_DIM)
            fail_msg("id %" PRId64 ": float %d of the vector is wrong", id, k);
    (void)snprintf(text, sizeof text, "row %" PRId64, id);
    bool has_name = pn_array_is_valid(&batch->columns[NAME], i);
    if (has_name != (id % 7 != 3) ||
        (has_name && !pn_str_is(pn_array_bytes(&batch->columns[NAME], i), text)))
        fail_msg("id %" PRId64 ": the name is wrong", id);
    (void)snprintf(text, sizeof text, "%d", (int)(id % 3));
    bool has_mod = pn_array_map_get(&batch->columns[METADATA], i, pn_str_of("mod"), &value);
    if (has_mod != (id % 5 != 0) || (has_mod && !pn_str_is(value, text)))
        fail_msg("id %" PRId64 ": the metadata is wrong", id);
}

int compare_ids(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

int64_t *small_table_read(pn_dataset *dataset, pn_arena *arena, size_t *n)
{
    pn_error err = {0};
    pn_scan *scan;
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    size_t at = 0, n_rows = (size_t)pn_dataset_count_rows(dataset);
    int64_t *ids = PN_ARENA_NEW(arena, int64_t, n_rows + 1);
    if (pn_scan_begin(dataset, &options, &scan, &err) != PN_OK)
        fail_msg("%s", err.message);
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        if (pn_scan_next(scan, &batch, &addrs, &err) != PN_OK)
            fail_msg("%s", err.message);
        if (batch.n_rows == 0)
            break;
        assert_true(at + batch.n_rows <= n_rows);
        for (size_t i = 0; i < batch.n_rows; i++) {
            check_row(&batch, i);
            ids[at++] = pn_array_i64(&batch.columns[ID], i);
        }
    }
    pn_scan_end(scan);
    assert_int_equal(at, n_rows);
    qsort(ids, n_rows, sizeof *ids, compare_ids);
    *n = n_rows;
    return ids;
}

void small_table_expect(pn_dataset *dataset, int64_t first, int64_t step, size_t n)
{
    pn_arena arena;
    size_t got;
    pn_arena_init(&arena, SIZE_MAX);
    int64_t *ids = small_table_read(dataset, &arena, &got);
    if (got != n)
        fail_msg("version %" PRIu64 ": %zu rows, %zu were expected", pn_dataset_version(dataset),
                 got, n);
    for (size_t i = 0; i < n; i++)
        if (ids[i] != first + (int64_t)i * step)
            fail_msg("row %zu has the id %" PRId64 ", %" PRId64 " was expected", i, ids[i],
                     first + (int64_t)i * step);
    pn_arena_reset(&arena);
}

typedef struct copying {
    const char *from, *to;
} copying;

static pn_status copy_one(void *context, const char *path, pn_error *err)
{
    copying *c = context;
    pn_arena arena;
    pn_buffer bytes;
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, PTRDIFF_MAX);
    char *to = pn_path_join(&arena, c->to, path + strlen(c->from) + 1);
    char *folder = pn_arena_strdup(&arena, to);
    *strrchr(folder, '/') = '\0';
    pn_status status = pn_dir_make(folder, err);
    if (status == PN_OK)
        status = pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = pn_file_write_atomic(to, bytes.data, bytes.n_bytes, err);
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}

void small_table_copy_folder(const char *from, const char *to)
{
    pn_error err = {0};
    copying c = {from, to};
    if (pn_dir_walk(from, copy_one, &c, &err) != PN_OK)
        fail_msg("%s", err.message);
}

/*
 * test_scan_dims.c - scans of vectors of any length give each row once, in order, with its values
 *
 * Vectors of 1 to 2,048 floats, more rows than a page of theirs holds, so that pages end inside of batches and batches inside of pages; in
 * batches of several sizes, with rows deleted and with a filter. A plain loop says what should come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/rng.h"
#include "column/builder.h"
#include "dataset/dataset.h"
#include "support/small_table.h"
#include "support/table_place.h"

enum { PAGE_BYTES = 8 << 20, MOST_ROWS = 9001, PART_ROWS = 1500 };

static float value_of(size_t row, size_t d)
{
    return (float)(row % 5003) + (float)d / 2048.0f;
}

/* Rows [first, first + n) appended as one batch. */
static void append_part(pn_append *append, const pn_schema *schema, size_t dim, size_t first,
                        size_t n)
{
    static float vector[2048];
    pn_error err = {0};
    pn_builder *b[2];
    pn_array arrays[2];
    for (size_t c = 0; c < 2; c++)
        EXPECT(PN_OK, pn_builder_create(&schema->fields[c], 1 << 26, &b[c], &err));
    for (size_t row = first; row < first + n; row++) {
        for (size_t d = 0; d < dim; d++)
            vector[d] = value_of(row, d);
        EXPECT(PN_OK, pn_builder_append_i64(b[0], (int64_t)row, &err));
        EXPECT(PN_OK, pn_builder_append_floats(b[1], vector, dim, &err));
    }
    for (size_t c = 0; c < 2; c++)
        EXPECT(PN_OK, pn_builder_view(b[c], &arrays[c], &err));
    const pn_batch batch = {.schema = schema, .columns = arrays, .n_rows = n};
    EXPECT(PN_OK, pn_append_batch(append, &batch, &err));
    for (size_t c = 0; c < 2; c++)
        pn_builder_free(b[c]);
}

/* In two fragments, the first of which is over a page. */
static pn_dataset *make_table(const char *path, size_t dim, size_t n_rows, pn_rng *rng)
{
    pn_error err = {0};
    pn_arena arena;
    pn_field fields[2];
    pn_dataset *t, *next;
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&fields[0], "id", PN_TYPE_INT64, false);
    assert_true(pn_field_init_vector(&fields[1], "vector", (int32_t)dim, &arena));
    const pn_schema schema = {.fields = fields, .n_fields = 2};
    EXPECT(PN_OK, pn_dataset_create(path, &schema, &t, &err));
    for (size_t first = 0; first < n_rows;) {
        pn_append *append;
        size_t end = first == 0 ? n_rows - n_rows / 9 : n_rows;
        EXPECT(PN_OK, pn_append_begin(t, &append, &err));
        while (first < end) {
            size_t some = 1 + (size_t)pn_rng_below(rng, PART_ROWS), n = PN_MIN(end - first, some);
            append_part(append, &schema, dim, first, n);
            first += n;
        }
        EXPECT(PN_OK, pn_append_commit(append, NULL, &next, &err));
        table_place_step(&t, next);
    }
    pn_arena_reset(&arena);
    return t;
}

typedef struct expectation {
    size_t dim, n_rows;
    size_t deleted_by,
        filtered_by; /* rows of that rest by 7 are gone, or asked for; 0: none, all */
} expectation;

static bool is_wanted(const expectation *e, size_t row)
{
    return (e->deleted_by == 0 || row % 7 != e->deleted_by) &&
           (e->filtered_by == 0 || row % 7 == e->filtered_by);
}

static void check_row(const expectation *e, const pn_batch *batch, size_t i, size_t row)
{
    const float *got = pn_array_floats(&batch->columns[1], i);
    if (pn_array_i64(&batch->columns[0], i) != (int64_t)row)
        fail_msg("dim %zu: row %zu comes where %zu should", e->dim,
                 (size_t)pn_array_i64(&batch->columns[0], i), row);
    for (size_t d = 0; d < e->dim; d++)
        if (got[d] != value_of(row, d))
            fail_msg("dim %zu, row %zu: %g at %zu", e->dim, row, (double)got[d], d);
}

static void check_scan(pn_dataset *t, const expectation *e, size_t batch_rows)
{
    static const char *const columns[] = {"id", "vector"};
    char filter[32];
    pn_error err = {0};
    pn_scan *scan;
    pn_batch batch = {.n_rows = 1};
    const pn_row_addr *addrs;
    size_t row = 0;
    (void)snprintf(filter, sizeof filter, "id %% 7 = %zu", e->filtered_by);
    const pn_scan_options options = {.columns = columns,
                                     .n_columns = 2,
                                     .filter = e->filtered_by > 0 ? filter : NULL,
                                     .batch_rows = batch_rows};
    EXPECT(PN_OK, pn_scan_begin(t, &options, &scan, &err));
    while (batch.n_rows > 0) {
        EXPECT(PN_OK, pn_scan_next(scan, &batch, &addrs, &err));
        for (size_t i = 0; i < batch.n_rows; i++, row++) {
            while (row < e->n_rows && !is_wanted(e, row))
                row++;
            check_row(e, &batch, i, row);
        }
    }
    pn_scan_end(scan);
    while (row < e->n_rows && !is_wanted(e, row))
        row++;
    assert_int_equal(row, e->n_rows);
}

/* Over one page and less than two, or as many as make several batches. */
static size_t rows_for(size_t dim, pn_rng *rng)
{
    size_t page_rows = PAGE_BYTES / (dim * sizeof(float));
    size_t n_rows = page_rows + page_rows / 5 + 9 + (size_t)pn_rng_below(rng, 50);
    return PN_MIN(n_rows, (size_t)MOST_ROWS);
}

static void vectors_of_any_length__come_as_they_were(void **state)
{
    static const size_t dims[] = {1,   2,   3,   7,   64,   100,  255,  384,  511,
                                  512, 513, 640, 768, 1000, 1024, 1536, 2047, 2048};
    static const size_t batches[] = {0, 1000, 4096, 5000};
    const table_place *p = *state;
    pn_rng rng = pn_rng_seed(12);
    for (size_t i = 0; i < PN_COUNT_OF(dims); i++) {
        char path[1100];
        pn_error err = {0};
        pn_dataset *next;
        uint64_t n;
        expectation e = {.dim = dims[i], .n_rows = rows_for(dims[i], &rng)};
        (void)snprintf(path, sizeof path, "%s/%zu.lance", p->folder, dims[i]); // fits
        pn_dataset *t = make_table(path, e.dim, e.n_rows, &rng);
        for (size_t k = 0; k < PN_COUNT_OF(batches); k++)
            check_scan(t, &e, batches[k]);
        check_scan(t, &e, 1 + (size_t)pn_rng_below(&rng, 6000));
        e.filtered_by = 3;
        check_scan(t, &e, batches[i % PN_COUNT_OF(batches)]);
        e.filtered_by = 0;
        e.deleted_by = 5;
        EXPECT(PN_OK, small_table_delete(t, "id % 7 = 5", &n, &next, &err));
        table_place_step(&t, next);
        check_scan(t, &e, 0);
        check_scan(t, &e, 1 + (size_t)pn_rng_below(&rng, 6000));
        pn_dataset_unref(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vectors_of_any_length__come_as_they_were, table_place_setup,
                                        table_place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

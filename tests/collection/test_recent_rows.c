/*
 * test_recent_rows.c - copies of rows that no index covers: shared between versions, found by their run, gone with them
 */
#include "collection/recent_rows.h"

#include "base/alloc.h"
#include "collection/run_list.h"
#include "support/scratch_folder.h"
#include "support/small_table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define COLUMN "vector"

static void must(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static pn_status copy_as(pn_dataset *dataset, bool any_length, const pn_recent_rows *before,
                         pn_recent_rows **out, pn_error *err)
{
    size_t fragments[8], n = pn_dataset_n_fragments(dataset);
    assert_true(n <= PN_COUNT_OF(fragments));
    for (size_t i = 0; i < n; i++)
        fragments[i] = i;
    return pn_recent_rows_make(dataset, fragments, n, COLUMN, SMALL_TABLE_DIM, any_length, before,
                               out, err);
}

static pn_status copy_all(pn_dataset *dataset, const pn_recent_rows *before, pn_recent_rows **out,
                          pn_error *err)
{
    return copy_as(dataset, true, before, out, err);
}

static pn_flat_run run_of(pn_dataset *dataset, size_t fragment)
{
    pn_error err = {0};
    pn_run_list list = {0};
    must(pn_run_list_add(&list, dataset, fragment, COLUMN, true, NULL, &err), &err);
    assert_int_equal(list.n, 1);
    pn_flat_run run = list.runs[0];
    pn_free(list.runs);
    return run;
}

/* A new table of rows with ids [0, n) in one fragment. */
static pn_dataset *make_table(scratch_folder *s, size_t n)
{
    pn_error err = {0};
    pn_dataset *empty, *dataset;
    must(small_table_create(scratch_path(s, "t.lance"), &empty, &err), &err);
    must(small_table_append(empty, 0, n, NULL, &dataset, &err), &err);
    pn_dataset_unref(empty);
    return dataset;
}

/* Are the bytes, times their scale, and the centre the vector over its length, but for the error that is told? */
static void check_copy(const pn_flat_copy *copy, const pn_flat_run *run)
{
    assert_non_null(copy);
    assert_int_equal(copy->n_rows, run->n_rows);
    for (uint32_t i = 0; i < run->n_rows; i++) {
        const float *v = run->vectors + (size_t)i * SMALL_TABLE_DIM;
        const uint8_t *bytes = copy->bytes + (size_t)i * SMALL_TABLE_DIM;
        double squares = 0, missing = 0;
        for (size_t d = 0; d < SMALL_TABLE_DIM; d++)
            squares += (double)v[d] * (double)v[d];
        for (size_t d = 0; d < SMALL_TABLE_DIM; d++) {
            double known = (double)copy->centre[d] + (double)copy->scales[i] * (bytes[d] - 128.0);
            double x = (double)v[d] / sqrt(squares > 0 ? squares : 1) - known;
            missing += x * x;
        }
        assert_true(sqrt(missing) <= (double)copy->errors[i] + 1e-5);
        assert_true(copy->errors[i] < 0.02f);
    }
}

static void copies__are_shared_by_versions(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_dataset *first = make_table(s, 300), *second;
    pn_recent_rows *old, *new;
    must(copy_all(first, NULL, &old, &err), &err);
    must(small_table_append(first, 300, 70, NULL, &second, &err), &err);
    must(copy_all(second, old, &new, &err), &err);
    pn_flat_run kept = run_of(second, 0), added = run_of(second, 1);
    const pn_flat_copy *copy = pn_recent_rows_find(old, &kept);
    assert_non_null(copy);
    assert_ptr_equal(pn_recent_rows_find(new, &kept), copy);
    assert_null(pn_recent_rows_find(old, &added));
    pn_recent_rows_unref(old); /* the other one's goes on */
    pn_dataset_unref(first);
    check_copy(copy, &kept);
    check_copy(pn_recent_rows_find(new, &added), &added);
    added.n_rows--; /* another run that begins there */
    assert_null(pn_recent_rows_find(new, &added));
    pn_recent_rows_unref(new);
    assert_null(pn_recent_rows_find(NULL, &kept));
    pn_dataset_unref(second);
}

/* The metadata of a version say whether its vectors are divided by their lengths; the files may be the same. */
static void copies__are_not_shared_where_lengths_count_otherwise(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_dataset *dataset = make_table(s, 300);
    pn_recent_rows *any, *units, *again;
    must(copy_as(dataset, true, NULL, &any, &err), &err);
    must(copy_as(dataset, false, any, &units, &err), &err);
    must(copy_as(dataset, false, units, &again, &err), &err);
    pn_flat_run run = run_of(dataset, 0);
    const pn_flat_copy *divided = pn_recent_rows_find(any, &run);
    assert_non_null(divided);
    assert_null(pn_recent_rows_find(units, &run));
    run.any_length = false;
    assert_non_null(pn_recent_rows_find(units, &run));
    assert_ptr_not_equal(pn_recent_rows_find(units, &run), divided);
    assert_ptr_equal(pn_recent_rows_find(again, &run), pn_recent_rows_find(units, &run));
    pn_recent_rows_unref(any);
    pn_recent_rows_unref(units);
    pn_recent_rows_unref(again);
    pn_dataset_unref(dataset);
}

static void short_runs__have_none(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_dataset *few = make_table(s, PN_RECENT_RUN_ROWS - 1), *dataset;
    pn_recent_rows *recent;
    must(small_table_append(few, 100, PN_RECENT_RUN_ROWS, NULL, &dataset, &err), &err);
    must(copy_all(dataset, NULL, &recent, &err), &err);
    pn_flat_run shorter = run_of(dataset, 0), longer = run_of(dataset, 1);
    assert_null(pn_recent_rows_find(recent, &shorter));
    assert_non_null(pn_recent_rows_find(recent, &longer));
    pn_recent_rows_unref(recent);
    pn_dataset_unref(few);
    pn_dataset_unref(dataset);
}

static void copies__say_when_there_is_no_memory(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_dataset *dataset = make_table(s, 30);
    pn_status status = PN_ERR_NOMEM;
    (void)run_of(dataset, 0); /* its file is open */
    for (int64_t n = 1; status != PN_OK; n++) {
        pn_recent_rows *recent;
        int64_t live = pn_alloc_live();
        pn_alloc_fail_after(n);
        status = copy_all(dataset, NULL, &recent, &err);
        pn_alloc_fail_after(0);
        if (status == PN_OK)
            pn_recent_rows_unref(recent);
        else
            assert_int_equal(status, PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
        assert_true(n < 100);
    }
    pn_dataset_unref(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies__are_shared_by_versions, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(copies__are_not_shared_where_lengths_count_otherwise,
                                        scratch_folder_setup, scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(short_runs__have_none, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(copies__say_when_there_is_no_memory, scratch_folder_setup,
                                        scratch_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_lance_fixtures.c - data files that LanceDB wrote, column by column, against what LanceDB reads from them
 *
 * Tables of several files, deletions and versions are the dataset's business: here are those whose rows are exactly one data
 * file. Each column is read whole, in windows that cut pages and chunks at odd places, and by single rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "os/dir.h"
#include "support/expected.h"
#include "support/golden.h"
#include "support/lance_checks.h"

typedef struct counts {
    size_t files, columns, refused;
    uint64_t decoded; /* pages that cannot be read in parts */
} counts;

/* The only file of the table's data folder; NULL: none or several. */
static char *only_file(const char *table, pn_arena *arena)
{
    char **names;
    size_t n;
    char *folder = pn_path_join(arena, table, "data");
    if (pn_dir_list(folder, arena, &names, &n, NULL) != PN_OK || n != 1)
        return NULL;
    return pn_path_join(arena, folder, names[0]);
}

/* However small the windows are, each page is decoded once. */
static void check_scan(const lance_column *column, const pn_array *whole, counts *counted)
{
    uint64_t n_rows = PN_MAX((uint64_t)whole->length, 1u);
    uint64_t n_pages = lance_column_check_scan(column, whole, n_rows);
    assert_int_equal(lance_column_check_scan(column, whole, n_rows / 40 + 1), n_pages);
    counted->decoded += n_pages;
}

static void check_columns(pn_lance_file *file, const json_t *columns, const char *path,
                          counts *counted)
{
    pn_rng rng = pn_rng_seed(7);
    for (size_t i = 0; i < pn_lance_file_schema(file)->n_fields; i++) {
        pn_arena arena;
        pn_error err = {0};
        pn_array whole;
        lance_column column;
        pn_arena_init(&arena, SIZE_MAX);
        lance_column_make(file, i, &column);
        pn_status status = lance_column_read(&column, &arena, &whole, &err);
        const json_t *want = json_object_get(columns, column.field->name);
        if (status == PN_ERR_UNSUPPORTED) {
            print_message("refused: %s\n", err.message);
            counted->refused++;
        } else if (status != PN_OK) {
            fail_msg("%s", err.message);
        } else if (want && !column.field->is_json) { // JSON is stored in a binary form of its own
            if (!expected_column_equal(want, &whole, column.field->name))
                fail_msg("%s: column \"%s\" differs", path, column.field->name);
            lance_column_check(&column, &whole, &rng);
            check_scan(&column, &whole, counted);
            counted->columns++;
        }
        pn_arena_reset(&arena);
    }
}

/* Tables of one file whose path begins with prefix. */
static void check_fixtures(const char *prefix, counts *counted)
{
    char root[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures", root);
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    json_t *index = expected_load(pn_path_join(&arena, root, "INDEX.json")), *entry;
    size_t i;
    json_array_foreach(index, i, entry)
    {
        pn_error err = {0};
        pn_lance_file *file = NULL;
        const char *table = json_string_value(json_object_get(entry, "table"));
        char *path = only_file(pn_path_join(&arena, root, table), &arena);
        if (strncmp(table, prefix, strlen(prefix)) != 0 || !path)
            continue;
        pn_status status = pn_lance_file_open(path, &file, &err);
        if (status != PN_OK)
            fail_msg("%s", err.message);
        json_int_t rows = json_integer_value(json_object_get(entry, "rows"));
        if ((uint64_t)rows == pn_lance_file_rows(file)) {
            const char *name = json_string_value(json_object_get(entry, "expected"));
            json_t *expected = expected_load(pn_path_join(&arena, root, name));
            check_columns(file, json_object_get(expected, "columns"), path, counted);
            json_decref(expected);
            counted->files++;
        }
        pn_lance_file_close(file);
    }
    json_decref(index);
    pn_arena_reset(&arena);
    print_message("%s: %zu files, %zu columns equal, %zu refused; %zu pages in one piece\n", prefix,
                  counted->files, counted->columns, counted->refused, (size_t)counted->decoded);
}

static void files_of_2_2__read_as_the_client_reads_them(void **state)
{
    (void)state;
    counts counted = {0};
    check_fixtures("v2.2/", &counted);
    assert_true(counted.files >= 8);
    assert_true(counted.decoded >= 50);
    assert_int_equal(counted.refused, 0);
}

static void files_of_2_3__read_as_the_client_reads_them(void **state)
{
    (void)state;
    counts counted = {0};
    check_fixtures("v2.3/", &counted);
    assert_true(counted.files >= 6);
    assert_int_equal(counted.refused, 0);
}

static void files_of_2_0__read_as_the_client_reads_them(void **state)
{
    (void)state;
    counts counted = {0};
    check_fixtures("v2.0/", &counted);
    assert_true(counted.files >= 5);
    assert_int_equal(counted.refused, 0);
}

static void files_of_2_1__read_as_the_client_reads_them(void **state)
{
    (void)state;
    counts counted = {0};
    check_fixtures("v2.1/", &counted);
    assert_true(counted.files >= 6);
}

static void other_tables__read_as_the_client_reads_them(void **state)
{
    (void)state;
    counts counted = {0};
    check_fixtures("special/", &counted);
    check_fixtures("index/", &counted);
    assert_true(counted.files >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_2_2__read_as_the_client_reads_them),
        cmocka_unit_test(files_of_2_3__read_as_the_client_reads_them),
        cmocka_unit_test(files_of_2_0__read_as_the_client_reads_them),
        cmocka_unit_test(files_of_2_1__read_as_the_client_reads_them),
        cmocka_unit_test(other_tables__read_as_the_client_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

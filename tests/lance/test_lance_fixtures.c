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

#include "base/rng.h"
#include "lance/lance_reader.h"
#include "lance/lance_schema.h"
#include "os/dir.h"
#include "support/expected.h"
#include "support/golden.h"

typedef struct counts {
    size_t files, columns, refused;
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

static void read_windows(pn_lance_file *file, const pn_field *field, const int32_t *leaves,
                         size_t n_leaves, const pn_array *whole, pn_rng *rng)
{
    uint64_t n_rows = whole->length;
    for (int round = 0; round < 20 && n_rows > 0; round++) {
        pn_arena arena;
        pn_error err = {0};
        pn_array got, want;
        pn_arena_init(&arena, SIZE_MAX);
        uint64_t first = pn_rng_below(rng, n_rows), n = pn_rng_below(rng, n_rows - first + 1);
        if (pn_lance_file_read(file, field, leaves, n_leaves, first, n, &arena, &got, &err))
            fail_msg("%s: %s", field->name, err.message);
        assert_int_equal(pn_array_slice(whole, (size_t)first, (size_t)n, &arena, &want, NULL),
                         PN_OK);
        if (!pn_array_equal(&got, &want))
            fail_msg("%s: rows %zu + %zu differ", field->name, (size_t)first, (size_t)n);
        pn_arena_reset(&arena);
    }
}

static void take_rows(pn_lance_file *file, const pn_field *field, const int32_t *leaves,
                      size_t n_leaves, const pn_array *whole, pn_rng *rng)
{
    for (int round = 0; round < 20 && whole->length > 0; round++) {
        pn_arena arena;
        pn_error err = {0};
        pn_array got, want;
        uint64_t rows[32];
        uint32_t indices[32];
        size_t n = 0;
        pn_arena_init(&arena, SIZE_MAX);
        uint64_t at = pn_rng_below(rng, whole->length);
        while (n < PN_COUNT_OF(rows) && at < whole->length) {
            rows[n] = at;
            indices[n++] = (uint32_t)at;
            at += pn_rng_below(rng, round % 2 ? 3 : whole->length); // 0: the same row again
        }
        if (pn_lance_file_take(file, field, leaves, n_leaves, rows, n, &arena, &got, &err))
            fail_msg("%s: %s", field->name, err.message);
        assert_int_equal(pn_array_gather(whole, indices, n, &arena, &want, NULL), PN_OK);
        if (!pn_array_equal(&got, &want))
            fail_msg("%s: %zu rows from %zu on differ", field->name, n, (size_t)rows[0]);
        pn_arena_reset(&arena);
    }
}

static void check_columns(pn_lance_file *file, const json_t *columns, const char *path,
                          counts *counted)
{
    const pn_schema *schema = pn_lance_file_schema(file);
    pn_rng rng = pn_rng_seed(7);
    int32_t next = 0;
    for (size_t i = 0; i < schema->n_fields; i++) {
        pn_arena arena;
        pn_error err = {0};
        pn_array whole;
        int32_t leaves[64];
        const pn_field *field = &schema->fields[i];
        size_t n_leaves = pn_lance_count_leaves(field);
        pn_arena_init(&arena, SIZE_MAX);
        assert_true(n_leaves <= PN_COUNT_OF(leaves));
        for (size_t k = 0; k < n_leaves; k++)
            leaves[k] = next++;
        pn_status status = pn_lance_file_read(file, field, leaves, n_leaves, 0,
                                              pn_lance_file_rows(file), &arena, &whole, &err);
        const json_t *want = json_object_get(columns, field->name);
        if (status == PN_ERR_UNSUPPORTED) {
            print_message("refused: %s\n", err.message);
            counted->refused++;
        } else if (status != PN_OK) {
            fail_msg("%s", err.message);
        } else if (want && !field->is_json) { // JSON is stored in a binary form of its own
            if (!expected_column_equal(want, &whole, field->name))
                fail_msg("%s: column \"%s\" differs", path, field->name);
            read_windows(file, field, leaves, n_leaves, &whole, &rng);
            take_rows(file, field, leaves, n_leaves, &whole, &rng);
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
    print_message("%s: %zu files, %zu columns equal, %zu refused\n", prefix, counted->files,
                  counted->columns, counted->refused);
}

static void files_of_2_2__read_as_the_client_reads_them(void **state)
{
    (void)state;
    counts counted = {0};
    check_fixtures("v2.2/", &counted);
    assert_true(counted.files >= 8);
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
        cmocka_unit_test(files_of_2_1__read_as_the_client_reads_them),
        cmocka_unit_test(other_tables__read_as_the_client_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

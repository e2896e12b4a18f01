/*
 * test_vector_indexes.c - LanceDB's indexes of vectors: listed, committed, dropped, whoever else commits meanwhile
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "dataset/compact.h"
#include "dataset/vector_indexes.h"
#include "support/golden.h"
#include "support/scratch_folder.h"
#include "support/small_table.h"

static void must(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("status %d: %s", (int)status, err->message);
}

/* Two fragments of 40 and 60 rows. */
static pn_dataset *make_table(scratch_folder *s)
{
    pn_error err = {0};
    pn_dataset *empty, *one, *two;
    must(small_table_create(scratch_path(s, "t.lance"), &empty, &err), &err);
    must(small_table_append(empty, 0, 40, NULL, &one, &err), &err);
    must(small_table_append(one, 40, 60, NULL, &two, &err), &err);
    pn_dataset_unref(empty);
    pn_dataset_unref(one);
    return two;
}

static const size_t both[] = {0, 1};
static const pn_vector_index_file files[] = {{"auxiliary.idx", 123}, {"index.idx", 45}};

static pn_new_vector_index some_index(uint8_t seed)
{
    pn_new_vector_index x = {.name = "vector_idx",
                             .column = "vector",
                             .fragments = both,
                             .n_fragments = 2,
                             .n_subs = 8,
                             .files = files,
                             .n_files = 2};
    memset(x.uuid, seed, sizeof x.uuid);
    return x;
}

static pn_dataset *add(pn_dataset *dataset, uint8_t seed)
{
    pn_error err = {0};
    pn_dataset *out;
    size_t n_removed;
    bool published;
    const pn_new_vector_index x = some_index(seed);
    must(pn_dataset_add_vector_index(dataset, &x, &n_removed, &published, &out, &err), &err);
    assert_true(published);
    return out;
}

/* The only index there is, or none. */
static const pn_vector_index *only(const pn_dataset *dataset, pn_arena *arena)
{
    pn_vector_index *list;
    size_t n;
    pn_error err = {0};
    must(pn_dataset_vector_indexes(dataset, "vector", arena, &list, &n, &err), &err);
    assert_true(n <= 1);
    return n == 1 ? &list[0] : NULL;
}

static void an_index__is_listed_until_it_is_dropped(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_dataset *table = make_table(s), *first = add(table, 1), *second = add(first, 2), *none;
    size_t n;
    assert_null(only(table, &s->arena));
    const pn_vector_index *x = only(first, &s->arena);
    assert_non_null(x);
    assert_string_equal(x->name, "vector_idx");
    assert_non_null(strstr(x->folder, "/_indices/01010101-0101-0101-0101-010101010101"));
    assert_int_equal(x->table_version, pn_dataset_version(table));
    assert_int_equal(x->n_fragments, 2);
    assert_null(x->refused);
    x = only(second, &s->arena); // in the place of the first
    assert_int_equal(x->uuid[0], 2);
    must(pn_dataset_drop_vector_indexes(second, "vector", &n, &none, &err), &err);
    assert_int_equal(n, 1);
    assert_null(only(none, &s->arena));
    pn_dataset *same;
    must(pn_dataset_drop_vector_indexes(none, "vector", &n, &same, &err), &err);
    assert_int_equal(n, 0);
    assert_int_equal(pn_dataset_version(same), pn_dataset_version(none));
    small_table_expect(same, 0, 1, 100);
    assert_int_equal(pn_dataset_drop_vector_indexes(none, "nothing", &n, &same, &err),
                     PN_ERR_NOT_FOUND);
    pn_dataset_unref(table);
    pn_dataset_unref(first);
    pn_dataset_unref(second);
    pn_dataset_unref(none);
    pn_dataset_unref(same);
}

static void rows_that_come_or_go_meanwhile__do_not_matter(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    uint64_t n_deleted;
    pn_dataset *table = make_table(s), *more, *fewer;
    must(small_table_append(table, 100, 30, NULL, &more, &err), &err);
    must(small_table_delete(more, "id = 5", &n_deleted, &fewer, &err), &err);
    pn_dataset *indexed = add(table, 1); // of the version before both
    const pn_vector_index *x = only(indexed, &s->arena);
    assert_int_equal(pn_dataset_n_fragments(indexed), 3);
    assert_int_equal(pn_dataset_count_rows(indexed), 129);
    assert_int_equal(x->n_fragments, 2);
    assert_int_equal(x->fragments[0], 0);
    assert_int_equal(x->fragments[1], 1);
    pn_dataset_unref(table);
    pn_dataset_unref(more);
    pn_dataset_unref(fewer);
    pn_dataset_unref(indexed);
}

static void fragments_that_are_rewritten_meanwhile__are_not_covered(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    uint64_t n_deleted;
    pn_dataset *table = make_table(s), *thin, *compact, *out;
    pn_compact_options options = PN_COMPACT_OPTIONS_INIT;
    options.mode = PN_COMPACT_FULL;
    options.last_id = 0;
    must(small_table_delete(table, "id >= 40", &n_deleted, &thin, &err), &err); // all of the second
    pn_dataset *indexed = add(table, 1);
    assert_int_equal(only(indexed, &s->arena)->n_fragments, 1);
    must(small_table_delete(indexed, "id < 20", &n_deleted, &out, &err), &err);
    must(pn_dataset_compact(out, &options, NULL, &compact, &err), &err);
    assert_int_equal(only(compact, &s->arena)->n_fragments, 0); // other addresses
    const pn_new_vector_index x = some_index(2);
    pn_dataset *never;
    size_t n_removed;
    bool published = true;
    assert_int_equal(pn_dataset_add_vector_index(table, &x, &n_removed, &published, &never, &err),
                     PN_ERR_CONFLICT);
    assert_false(published);
    assert_non_null(strstr(err.message, "rewritten"));
    small_table_expect(compact, 20, 1, 20);
    pn_dataset_unref(table);
    pn_dataset_unref(thin);
    pn_dataset_unref(indexed);
    pn_dataset_unref(out);
    pn_dataset_unref(compact);
}

static void a_column_that_goes_meanwhile__is_told_of(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_dataset *table = make_table(s), *without, *never;
    must(pn_dataset_drop_columns(table, (const char *const[]){"vector"}, 1, &without, &err), &err);
    const pn_new_vector_index x = some_index(1);
    size_t n_removed;
    bool published = true;
    assert_int_equal(pn_dataset_add_vector_index(table, &x, &n_removed, &published, &never, &err),
                     PN_ERR_NOT_FOUND);
    assert_false(published);
    pn_dataset_unref(table);
    pn_dataset_unref(without);
}

/* As LanceDB wrote them. */
static void fixtures__have_the_indexes_that_were_made(void **state)
{
    scratch_folder *s = *state;
    static const char *const tables[] = {"ivf_pq", "hnsw_sq"};
    char root[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures/index", root);
    for (size_t i = 0; i < PN_COUNT_OF(tables); i++) {
        pn_error err = {0};
        pn_dataset *dataset;
        char *path = pn_arena_printf(&s->arena, "%s/%s.lance", root, tables[i]);
        must(pn_dataset_open(path, 0, &dataset, &err), &err);
        const pn_vector_index *x = only(dataset, &s->arena);
        assert_non_null(x);
        assert_string_equal(x->name, "vector_idx");
        assert_int_equal(x->n_fragments, 1);
        pn_dataset_unref(dataset);
    }
    pn_error err = {0};
    pn_dataset *dataset;
    pn_vector_index *list;
    size_t n;
    char *path = pn_arena_printf(&s->arena, "%s/../life2.2-stable/life.lance", root);
    if (pn_dataset_open(path, 0, &dataset, &err) != PN_OK)
        return; // of another name there
    must(pn_dataset_vector_indexes(dataset, "vector", &s->arena, &list, &n, &err), &err);
    for (size_t i = 0; i < n; i++)
        assert_non_null(strstr(list[i].refused, "stable row ids"));
    pn_dataset_unref(dataset);
}

#define IN_A_FOLDER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(an_index__is_listed_until_it_is_dropped),
        IN_A_FOLDER(rows_that_come_or_go_meanwhile__do_not_matter),
        IN_A_FOLDER(fragments_that_are_rewritten_meanwhile__are_not_covered),
        IN_A_FOLDER(a_column_that_goes_meanwhile__is_told_of),
        IN_A_FOLDER(fixtures__have_the_indexes_that_were_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

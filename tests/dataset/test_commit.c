/*
 * test_commit.c - changes, what they leave on disk, and several writers at once
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataset/cleanup.h"
#include "dataset/dataset.h"
#include "dataset/tags.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/small_table.h"
#include "support/table_place.h"

static size_t count_files(const table_place *p, const char *folder)
{
    pn_arena arena;
    char **names;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_dir_list(pn_path_join(&arena, p->table, folder), &arena, &names, &n, NULL) != PN_OK)
        n = 0;
    pn_arena_reset(&arena);
    return n;
}

static void create__makes_an_empty_version_1(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *again;
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_open(p->table, 0, &t, &err));
    assert_non_null(strstr(err.message, "t.lance"));
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    assert_int_equal(pn_dataset_version(t), 1);
    assert_int_equal(pn_dataset_count_rows(t), 0);
    assert_string_equal(pn_schema_metadata(pn_dataset_schema(t), "made.by"), "a test");
    assert_int_equal(pn_dataset_schema(t)->fields[3].children[0].children[1].id, 6);
    small_table_expect(t, 0, 1, 0);
    EXPECT(PN_ERR_EXISTS, small_table_create(p->table, &again, &err));
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_open(p->table, 2, &again, &err));
    pn_dataset_unref(t);
}

static void create__refuses_schemas_by_name(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t;
    pn_field fields[2];
    pn_field_init(&fields[0], "a", PN_TYPE_INT32, true);
    pn_field_init(&fields[1], "a", PN_TYPE_INT32, true);
    pn_schema schema = {.fields = fields, .n_fields = 0};
    EXPECT(PN_ERR_INVALID, pn_dataset_create(p->table, &schema, &t, &err));
    schema.n_fields = 2;
    EXPECT(PN_ERR_INVALID, pn_dataset_create(p->table, &schema, &t, &err));
    assert_non_null(strstr(err.message, "\"a\""));
    pn_field_init(&fields[1], "", PN_TYPE_INT32, true);
    EXPECT(PN_ERR_INVALID, pn_dataset_create(p->table, &schema, &t, &err));
    pn_field_init(&fields[1], "a`b", PN_TYPE_INT32, true);
    EXPECT(PN_ERR_INVALID, pn_dataset_create(p->table, &schema, &t, &err));
    assert_non_null(strstr(err.message, "\"a`b\" cannot be a column's name: it has a backtick"));
    assert_false(pn_path_exists(p->table));
}

static void append__adds_rows_that_read_back(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *v1, *v2, *v3, *back;
    EXPECT(PN_OK, small_table_create(p->table, &v1, &err));
    EXPECT(PN_OK, small_table_append(v1, 0, 250, NULL, &v2, &err));
    EXPECT(PN_OK, small_table_append(v2, 250, 1, NULL, &v3, &err));
    small_table_expect(v1, 0, 1, 0);
    small_table_expect(v2, 0, 1, 250);
    small_table_expect(v3, 0, 1, 251);
    assert_int_equal(pn_dataset_version(v3), 3);
    assert_int_equal(pn_dataset_n_fragments(v3), 2);
    EXPECT(PN_OK, pn_dataset_open(p->table, 2, &back, &err));
    small_table_expect(back, 0, 1, 250);
    assert_true(pn_dataset_data_bytes(back) > 250 * SMALL_TABLE_DIM * sizeof(float));
    pn_dataset_unref(back);
    EXPECT(PN_OK, small_table_append(v3, 0, 0, NULL, &back, &err)); // no rows: no version
    assert_ptr_equal(back, v3);
    assert_int_equal(count_files(p, "data"), 2);
    pn_dataset_unref(back);
    pn_dataset_unref(v3);
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
}

static void append__checks_its_batches(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    pn_append *append;
    small_batch rows;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, pn_append_begin(t, &append, &err));

    small_batch_make(0, 10, &rows);
    rows.schema.fields[0].name = "number";
    EXPECT(PN_ERR_INVALID, pn_append_batch(append, &rows.batch, &err));
    assert_non_null(strstr(err.message, "number"));
    small_batch_free(&rows);

    small_batch_make(0, 10, &rows);
    rows.schema.fields[0].type = PN_TYPE_UINT64;
    EXPECT(PN_ERR_INVALID, pn_append_batch(append, &rows.batch, &err));
    assert_non_null(strstr(err.message, "\"id\""));
    small_batch_free(&rows);

    small_batch_make(0, 10, &rows); // "id" is missing and cannot be null
    rows.schema.fields++;
    rows.schema.n_fields--;
    rows.batch.columns++;
    EXPECT(PN_ERR_INVALID, pn_append_batch(append, &rows.batch, &err));
    rows.schema.fields--;
    small_batch_free(&rows);

    small_batch_make(0, 10, &rows); // one null vector
    static const uint8_t validity[2] = {0xfe, 0xff};
    rows.arrays[1].validity = validity;
    EXPECT(PN_ERR_INVALID, pn_append_batch(append, &rows.batch, &err));
    assert_non_null(strstr(err.message, "vector"));
    small_batch_free(&rows);

    small_batch_make(0, 10, &rows); // without names, which may be null; in another order
    pn_field swapped[3] = {rows.schema.fields[3], rows.schema.fields[0], rows.schema.fields[1]};
    pn_array arrays[3] = {rows.arrays[3], rows.arrays[0], rows.arrays[1]};
    pn_schema schema = {.fields = swapped, .n_fields = 3};
    pn_batch batch = {.schema = &schema, .columns = arrays, .n_rows = 10};
    EXPECT(PN_OK, pn_append_batch(append, &batch, &err));
    small_batch_free(&rows);
    EXPECT(PN_OK, pn_append_commit(append, NULL, &next, &err));
    const char *names[] = {"name"};
    pn_row_addr addrs[] = {9, 0};
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    EXPECT(PN_OK, pn_dataset_take(next, addrs, 2, names, 1, &arena, &batch, &err));
    assert_int_equal(pn_array_count_nulls(&batch.columns[0]), 2);
    addrs[0] = 10;
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_take(next, addrs, 2, names, 1, &arena, &batch, &err));
    pn_arena_reset(&arena);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

static void an_abandoned_append__leaves_nothing(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t;
    pn_append *append;
    small_batch rows;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, pn_append_begin(t, &append, &err));
    small_batch_make(0, 10, &rows);
    EXPECT(PN_OK, pn_append_batch(append, &rows.batch, &err));
    small_batch_free(&rows);
    pn_append_abort(append);
    assert_int_equal(count_files(p, "data"), 0);
    assert_int_equal(count_files(p, "_versions"), 2); // the manifest and the hint
    pn_dataset_unref(t);
}

static void delete__marks_rows_and_drops_empty_fragments(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *v1, *v2, *v3, *v4, *v5, *v6;
    uint64_t n;
    EXPECT(PN_OK, small_table_create(p->table, &v1, &err));
    EXPECT(PN_OK, small_table_append(v1, 0, 100, NULL, &v2, &err));
    EXPECT(PN_OK, small_table_append(v2, 100, 100, NULL, &v3, &err));
    EXPECT(PN_OK, small_table_delete(v3, "id % 2 = 1", &n, &v4, &err));
    assert_int_equal(n, 100);
    small_table_expect(v4, 0, 2, 100);
    small_table_expect(v3, 0, 1, 200);
    EXPECT(PN_OK, small_table_delete(v4, "id < 120", &n, &v5, &err));
    assert_int_equal(n, 60);
    small_table_expect(v5, 120, 2, 40);
    assert_int_equal(pn_dataset_n_fragments(v5), 1);
    EXPECT(PN_OK, small_table_delete(v5, "id < 120", &n, &v6, &err)); // none left: no version
    assert_int_equal(n, 0);
    assert_ptr_equal(v5, v6);
    pn_dataset_unref(v6);
    EXPECT(PN_OK, small_table_delete(v5, "id >= 0", &n, &v6, &err));
    assert_int_equal(pn_dataset_n_fragments(v6), 0);
    small_table_expect(v6, 0, 1, 0);
    pn_dataset_unref(v5);
    EXPECT(PN_OK, small_table_append(v6, 0, 3, NULL, &v5, &err));
    pn_fragment_info info;
    pn_dataset_fragment(v5, 0, &info);
    assert_int_equal(info.id, 2); // ids are not used again
    small_table_expect(v5, 0, 1, 3);
    pn_dataset *all[] = {v1, v2, v3, v4, v5, v6};
    for (size_t i = 0; i < PN_COUNT_OF(all); i++)
        pn_dataset_unref(all[i]);
}

static void delete__refuses_addresses_that_are_not_there(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *v1, *v2, *out;
    uint64_t n;
    pn_rowset rows;
    pn_rowset_part *part;
    EXPECT(PN_OK, small_table_create(p->table, &v1, &err));
    EXPECT(PN_OK, small_table_append(v1, 0, 10, NULL, &v2, &err));
    pn_rowset_init(&rows);
    assert_int_equal(pn_rowset_part_get(&rows, 7, 10, &part, &err), PN_OK);
    pn_word_bit_set(part->words, 1);
    EXPECT(PN_ERR_INVALID, pn_dataset_delete(v2, &rows, NULL, &n, &out, &err));
    assert_non_null(strstr(err.message, "fragment 7"));
    pn_rowset_reset(&rows);
    pn_rowset_init(&rows);
    assert_int_equal(pn_rowset_part_get(&rows, 0, 10, &part, &err), PN_OK);
    pn_word_bit_set(part->words, 10);
    EXPECT(PN_ERR_INVALID, pn_dataset_delete(v2, &rows, NULL, &n, &out, &err));
    pn_rowset_reset(&rows);
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
}

static void replace__is_one_version(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *v1, *v2, *v3, *v4;
    pn_rowset old;
    EXPECT(PN_OK, small_table_create(p->table, &v1, &err));
    EXPECT(PN_OK, small_table_append(v1, 0, 100, NULL, &v2, &err));
    EXPECT(PN_OK, pn_dataset_filter_rows(v2, pn_str_of("id < 50"), &old, &err));
    EXPECT(PN_OK, small_table_append(v2, 100, 50, &old, &v3, &err));
    assert_int_equal(pn_dataset_version(v3), 3);
    small_table_expect(v3, 50, 1, 100);
    /* The same rows once more, decided on version 2: they are gone by now. */
    EXPECT(PN_ERR_CONFLICT, small_table_append(v2, 200, 50, &old, &v4, &err));
    assert_int_equal(count_files(p, "data"), 2);
    assert_int_equal(count_files(p, "_deletions"), 1);
    assert_int_equal(count_files(p, "_transactions"), 3);
    pn_rowset_reset(&old);
    pn_version_info *versions;
    size_t n;
    EXPECT(PN_OK, pn_dataset_list_versions(p->table, &p->arena, &versions, &n, &err));
    assert_int_equal(n, 3);
    assert_string_equal(versions[0].operation, "create");
    assert_string_equal(versions[1].operation, "append");
    assert_string_equal(versions[2].operation, "update");
    assert_int_equal(versions[2].n_rows, 100);
    pn_dataset_unref(v3);
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
}

static void a_lost_race__is_applied_to_the_newer_version(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *v1, *v2, *a, *b, *c, *d, *e;
    uint64_t n;
    EXPECT(PN_OK, small_table_create(p->table, &v1, &err));
    EXPECT(PN_OK, small_table_append(v1, 0, 100, NULL, &v2, &err));
    /* All decided on version 2, which is the newest for the first of them only. */
    EXPECT(PN_OK, small_table_append(v2, 100, 100, NULL, &a, &err));
    EXPECT(PN_OK, small_table_append(v2, 200, 100, NULL, &b, &err));
    EXPECT(PN_OK, small_table_delete(v2, "id % 2 = 1", &n, &c, &err));
    assert_int_equal(n, 50);
    EXPECT(PN_OK, small_table_delete(v2, "id < 10", &n, &d, &err)); // the same fragment: a union
    assert_int_equal(n, 5);
    EXPECT(PN_OK, small_table_delete(v2, "id >= 0", &n, &e, &err));
    assert_int_equal(n, 45);
    assert_int_equal(pn_dataset_version(e), 7);
    small_table_expect(e, 100, 1, 200);
    pn_dataset *all[] = {v1, v2, a, b, c, d, e};
    for (size_t i = 0; i < PN_COUNT_OF(all); i++)
        pn_dataset_unref(all[i]);
}

static void latest__is_itself_until_somebody_commits(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *v[8], *out;
    EXPECT(PN_OK, small_table_create(p->table, &v[1], &err));
    EXPECT(PN_OK, pn_dataset_latest(v[1], &out, &err));
    assert_ptr_equal(out, v[1]);
    pn_dataset_unref(out);
    for (int i = 2; i < 8; i++)
        EXPECT(PN_OK, small_table_append(v[i - 1], i * 10, 10, NULL, &v[i], &err));
    EXPECT(PN_OK, pn_dataset_latest(v[1], &out, &err));
    assert_int_equal(pn_dataset_version(out), 7);
    small_table_expect(out, 20, 1, 60);
    pn_dataset_unref(out);
    /* A clean-up takes the versions in between. */
    for (unsigned i = 2; i < 7; i++) {
        char *name = pn_arena_printf(&p->arena, "%s/_versions/%020" PRIu64 ".manifest", p->table,
                                     UINT64_MAX - i);
        assert_int_equal(pn_path_remove(name, NULL), PN_OK);
    }
    EXPECT(PN_OK, pn_dataset_latest(v[1], &out, &err));
    assert_int_equal(pn_dataset_version(out), 7);
    pn_dataset_unref(out);
    /* What came in between cannot be looked at any more: that matters to whoever looked at the rows. */
    uint64_t n;
    EXPECT(PN_ERR_CONFLICT, small_table_delete(v[2], "id = 20", &n, &out, &err));
    EXPECT(PN_OK, small_table_append(v[1], 80, 10, NULL, &out, &err));
    assert_int_equal(pn_dataset_version(out), 8);
    small_table_expect(out, 20, 1, 70);
    pn_dataset_unref(out);
    for (int i = 1; i < 8; i++)
        pn_dataset_unref(v[i]);
}

static void append_up_to(pn_dataset **t, uint64_t version, int64_t n)
{
    pn_error err;
    pn_dataset *next;
    while (pn_dataset_version(*t) < version) {
        EXPECT(PN_OK, small_table_append(*t, 0, n, NULL, &next, &err));
        table_place_step(t, next);
    }
}

/* A table that is removed and made anew, with fewer versions than the old one had, as many, or more. */
static void latest__sees_another_table_in_its_place(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *old, *fresh, *out;
    const uint64_t versions[] = {4, 2, 2, 5};
    EXPECT(PN_OK, small_table_create(p->table, &old, &err));
    append_up_to(&old, versions[0], 10);
    for (size_t i = 1; i < PN_COUNT_OF(versions); i++) {
        EXPECT(PN_OK, pn_dataset_latest(old, &out, &err)); // what was committed here is looked at
        assert_ptr_equal(out, old);
        assert_true(pn_dataset_is_kin(out, old));
        pn_dataset_unref(out);
        EXPECT(PN_OK, pn_dir_remove_all(p->table, &err));
        EXPECT(PN_ERR_NOT_FOUND, pn_dataset_latest(old, &out, &err));
        EXPECT(PN_OK, small_table_create(p->table, &fresh, &err));
        append_up_to(&fresh, versions[i], 3);
        EXPECT(PN_OK, pn_dataset_latest(old, &out, &err));
        assert_int_equal(pn_dataset_version(out), versions[i]);
        assert_int_equal(pn_dataset_count_rows(out), 3 * (versions[i] - 1));
        assert_false(pn_dataset_is_kin(out, old));
        pn_dataset_unref(out);
        /* What was decided on the old one does not fit the new one. */
        EXPECT(PN_ERR_CONFLICT, small_table_append(old, 0, 10, NULL, &out, &err));
        assert_non_null(strstr(err.message, "made anew"));
        pn_dataset_unref(old);
        old = fresh;
    }
    pn_dataset_unref(old);
}

/* ---- several processes ---- */

enum { N_WRITERS = 4, N_ROUNDS = 6, ROWS = 20 };

static bool deletes_odd(pn_dataset **t, int64_t first, pn_error *err)
{
    char filter[100];
    uint64_t n;
    pn_dataset *next;
    (void)snprintf(filter, sizeof filter, "id >= %d AND id < %d AND id %% 2 = 1", (int)first,
                   (int)first + ROWS);
    if (small_table_delete(*t, filter, &n, &next, err) != PN_OK)
        return false;
    pn_dataset_unref(*t);
    *t = next;
    return n == ROWS / 2;
}

/* Every round appends a range of its own, deletes the odd half of it, and replaces the rest by itself plus 1,000,000. */
static int writer(const char *table, int which)
{
    pn_error err = {0};
    pn_dataset *t, *next;
    if (pn_dataset_open(table, 0, &t, &err) != PN_OK)
        return 2;
    for (int round = 0; round < N_ROUNDS; round++) {
        int64_t first = which * 10000 + round * ROWS;
        char filter[100];
        pn_rowset old;
        if (small_table_append(t, first, ROWS, NULL, &next, &err) != PN_OK)
            goto failed;
        pn_dataset_unref(t);
        t = next;
        if (!deletes_odd(&t, first, &err))
            goto failed;
        (void)snprintf(filter, sizeof filter, "id = %d", (int)first);
        if (pn_dataset_filter_rows(t, pn_str_of(filter), &old, &err) != PN_OK)
            goto failed;
        pn_status status = small_table_append(t, 1000000 + first, 1, &old, &next, &err);
        pn_rowset_reset(&old);
        if (status != PN_OK)
            goto failed;
        pn_dataset_unref(t);
        t = next;
    }
    pn_dataset_unref(t);
    return 0;
failed:
    (void)fprintf(stderr, "writer %d: %s\n", which, err.message);
    return 1;
}

static void writers_at_once__lose_nothing(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t;
    pid_t children[N_WRITERS];
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    pn_dataset_unref(t);
    for (int i = 0; i < N_WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(writer(p->table, i));
    }
    for (int i = 0; i < N_WRITERS; i++) {
        int code = 0;
        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_int_equal(code, 0);
    }
    EXPECT(PN_OK, pn_dataset_open(p->table, 0, &t, &err));
    assert_int_equal(pn_dataset_version(t), 1 + N_WRITERS * N_ROUNDS * 3);
    size_t n, at = 0;
    int64_t *ids = small_table_read(t, &p->arena, &n);
    assert_int_equal(n, N_WRITERS * N_ROUNDS * (ROWS / 2));
    for (int moved = 0; moved < 2; moved++)
        for (int w = 0; w < N_WRITERS; w++)
            for (int r = 0; r < N_ROUNDS; r++)
                for (int i = moved ? 0 : 2; i < (moved ? 1 : ROWS); i += 2)
                    assert_int_equal(ids[at++], moved * 1000000 + w * 10000 + r * ROWS + i);
    assert_int_equal(at, n);
    /* Lost races leave no files behind: one transaction a version, one deletion file for each that a version made. */
    assert_int_equal(count_files(p, "_transactions"), pn_dataset_version(t));
    assert_int_equal(count_files(p, "data"), N_WRITERS * N_ROUNDS * 2);
    assert_int_equal(count_files(p, "_deletions"), N_WRITERS * N_ROUNDS * 2);
    assert_int_equal(count_files(p, "_versions"), pn_dataset_version(t) + 1);
    pn_dataset_unref(t);
}

static void foreign_tables__are_refused_or_kept_by_the_rules(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    pn_append *append;
    uint64_t n;
    char root[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures", root);

    small_table_copy_folder(golden_join(root, "life2.1/life.lance"), p->table);
    EXPECT(PN_OK, pn_dataset_open(p->table, 0, &t, &err));
    EXPECT(PN_OK, pn_append_begin(t, &append, &err)); // among the columns is a dictionary
    pn_append_abort(append);
    EXPECT(PN_OK, small_table_delete(t, "id < 50", &n, &next, &err)); // needs no data file
    assert_true(n > 0);
    assert_int_equal(pn_dataset_count_rows(next), pn_dataset_count_rows(t) - n);
    pn_dataset_unref(next);
    pn_dataset_unref(t);

    char *old = pn_path_join(&p->arena, p->folder, "old.lance");
    small_table_copy_folder(golden_join(root, "v2.0/images.lance"), old);
    EXPECT(PN_OK, pn_dataset_open(old, 0, &t, &err));
    EXPECT(PN_OK, pn_append_begin(t, &append, &err)); // of the version that LanceDB wrote for years
    pn_append_abort(append);
    pn_dataset_unref(t);

    char *stable = pn_path_join(&p->arena, p->folder, "stable.lance");
    small_table_copy_folder(golden_join(root, "life2.2-stable/life.lance"), stable);
    EXPECT(PN_OK, pn_dataset_open(stable, 0, &t, &err));
    EXPECT(PN_OK, small_table_delete(t, "id < 50", &n, &next, &err));
    assert_int_equal(pn_dataset_count_rows(next), pn_dataset_count_rows(t) - n);
    pn_dataset_unref(next);
    pn_dataset_unref(t);

    char *old_names = pn_path_join(&p->arena, p->folder, "v1.lance");
    small_table_copy_folder(golden_join(root, "special/v1_names.lance"), old_names);
    EXPECT(PN_OK, pn_dataset_open(old_names, 0, &t, &err));
    EXPECT(PN_OK, small_table_delete(t, "id < 3", &n, &next, &err));
    assert_int_equal(n, 3);
    assert_true(pn_path_exists(pn_path_join(&p->arena, old_names, "_versions/3.manifest")));
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

/* Before that happens to a manifest for the first time, somebody appends two rows, in two versions, and cleans up all but the newest. */
typedef struct faster {
    const char *table, *what;
    int64_t next_id;
    bool came;
} faster;

static void append_and_clean(void *context, const char *what, const char *path)
{
    faster *f = context;
    pn_error err;
    pn_dataset *t, *next;
    pn_cleanup_report report;
    const pn_cleanup_options options = {.older_than_ms = 0, .keep_newest = 1, .orphan_ms = -1};
    if (f->came || strcmp(what, f->what) != 0 || !strstr(path, ".manifest"))
        return;
    f->came = true;
    EXPECT(PN_OK, pn_dataset_open(f->table, 0, &t, &err));
    for (int i = 0; i < 2; i++) {
        EXPECT(PN_OK, small_table_append(t, f->next_id++, 1, NULL, &next, &err));
        table_place_step(&t, next);
    }
    pn_clock_sleep_ms(2); // so that the versions are old
    EXPECT(PN_OK, pn_dataset_cleanup(f->table, &options, &report, &err));
    assert_true(report.n_versions >= 1);
    pn_dataset_unref(t);
}

static pn_status append_beside(table_place *p, pn_dataset *t, const char *what, pn_error *err)
{
    faster f = {.table = p->table, .what = what, .next_id = 3};
    pn_dataset *made;
    pn_fd_watch(append_and_clean, &f);
    pn_status status = small_table_append(t, 5, 3, NULL, &made, err);
    pn_fd_watch(NULL, NULL);
    assert_true(f.came);
    if (status == PN_OK)
        pn_dataset_unref(made);
    return status;
}

/* The name of the next version is free when it was made, followed and cleaned up: to take it would be to lose the rows. */
static void expect_no_row_lost(table_place *p, bool has_tag)
{
    pn_error err;
    pn_dataset *t, *next;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, small_table_append(t, 0, 3, NULL, &next, &err));
    table_place_step(&t, next);
    if (has_tag)
        EXPECT(PN_OK, pn_dataset_tag_create(p->table, "kept", 2, &err));
    EXPECT(PN_OK, append_beside(p, t, "write", &err)); // our manifest, under its staging name
    EXPECT(PN_OK, pn_dataset_latest(t, &next, &err));
    table_place_step(&t, next);
    small_table_expect(t, 0, 1, 8);
    pn_dataset_unref(t);
}

static void a_name_that_is_free_again__is_not_taken_for_the_next(void **state)
{
    expect_no_row_lost(*state, false);
}

/* Then the version that was to be followed stays. */
static void a_name_that_is_free_again__is_not_taken_beside_a_tag(void **state)
{
    expect_no_row_lost(*state, true);
}

/* In the very moment it is seen afterwards, and told. */
static void a_version_that_nobody_may_have_seen__is_told_of(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, small_table_append(t, 0, 3, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_ERR_IO, append_beside(p, t, "link", &err));
    assert_non_null(strstr(err.message, "version 3 is written, but: "));
    assert_non_null(strstr(err.message, "look whether the newest version has the change"));
    pn_dataset_unref(t);
}

/* Those that came after it have its rows: it was seen, though neither it nor what it followed is there any more. */
static void a_version_that_was_followed_and_cleaned_up_at_once__is_made(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, small_table_append(t, 0, 3, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_OK, append_beside(p, t, "remove", &err)); // of the staging name, behind the link
    EXPECT(PN_OK, pn_dataset_latest(t, &next, &err));
    table_place_step(&t, next);
    assert_int_equal(pn_dataset_version(t), 5);
    assert_int_equal(pn_dataset_count_rows(t), 8);
    pn_dataset_unref(t);
}

/* Two versions of others, of which the first is cleaned up: what it was is not known. */
static void clean_all_but_newest(const table_place *p, int64_t orphan_ms)
{
    pn_error err;
    pn_cleanup_report report;
    const pn_cleanup_options options = {
        .older_than_ms = 0, .keep_newest = 1, .orphan_ms = orphan_ms};
    pn_clock_sleep_ms(2); // so that the versions are old
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_int_equal(report.n_kept, 1);
}

static pn_dataset *read_before_unknown(table_place *p)
{
    pn_error err;
    pn_dataset *t, *next, *other;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, small_table_append(t, 0, 3, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_OK, small_table_append(t, 3, 1, NULL, &next, &err));
    EXPECT(PN_OK, small_table_append(next, 4, 1, NULL, &other, &err));
    pn_dataset_unref(next);
    pn_dataset_unref(other);
    return t;
}

static void expect_newest(pn_dataset *t, size_t n)
{
    pn_error err;
    pn_dataset *newest;
    EXPECT(PN_OK, pn_dataset_latest(t, &newest, &err));
    small_table_expect(newest, 0, 1, n);
    pn_dataset_unref(newest);
}

static void an_append_after_what_is_not_known__begins_anew(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = read_before_unknown(p), *made;
    clean_all_but_newest(p, -1);
    EXPECT(PN_OK, small_table_append(t, 5, 4, NULL, &made, &err));
    assert_int_equal(pn_dataset_version(made), 5);
    small_table_expect(made, 0, 1, 9);
    pn_dataset_unref(made);
    pn_dataset_unref(t);
}

/* As if they came after that: the table that is there now has them, and all it had. */
static void an_append_after_an_unknown_overwrite__adds_to_what_is_there(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = read_before_unknown(p), *newest, *made;
    pn_append *append;
    small_batch rows;
    small_batch_make(0, 2, &rows);
    EXPECT(PN_OK, pn_dataset_latest(t, &newest, &err));
    EXPECT(PN_OK, pn_overwrite_begin(newest, pn_dataset_schema(newest), &append, &err));
    EXPECT(PN_OK, pn_append_batch(append, &rows.batch, &err));
    EXPECT(PN_OK, pn_append_commit(append, NULL, &made, &err));
    table_place_step(&newest, made);
    EXPECT(PN_OK, small_table_append(newest, 2, 1, NULL, &made, &err));
    table_place_step(&newest, made);
    clean_all_but_newest(p, -1);
    EXPECT(PN_OK, small_table_append(t, 3, 4, NULL, &made, &err));
    small_table_expect(made, 0, 1, 7);
    small_batch_free(&rows);
    pn_dataset_unref(made);
    pn_dataset_unref(newest);
    pn_dataset_unref(t);
}

/* Rows of the old columns are not for a table of others. */
static void an_append_to_other_columns__is_a_conflict(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = read_before_unknown(p), *newest, *made;
    const char *names[] = {"name"};
    EXPECT(PN_OK, pn_dataset_drop_columns(t, names, 1, &newest, &err));
    clean_all_but_newest(p, -1);
    EXPECT(PN_ERR_CONFLICT, small_table_append(t, 5, 4, NULL, &made, &err));
    assert_non_null(strstr(err.message, "cleaned up since: the table has other columns now"));
    EXPECT(PN_OK, pn_dataset_latest(newest, &made, &err));
    assert_int_equal(pn_dataset_version(made), pn_dataset_version(newest));
    pn_dataset_unref(made);
    pn_dataset_unref(newest);
    pn_dataset_unref(t);
}

/* Who cleans up regardless of age takes the file of rows that are on their way for one that nobody needs. */
static void an_append_whose_file_is_gone__is_a_conflict(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = read_before_unknown(p), *made;
    pn_append *append;
    small_batch rows;
    small_batch_make(5, 4, &rows);
    EXPECT(PN_OK, pn_append_begin(t, &append, &err));
    EXPECT(PN_OK, pn_append_batch(append, &rows.batch, &err));
    clean_all_but_newest(p, 0);
    EXPECT(PN_ERR_CONFLICT, pn_append_commit(append, NULL, &made, &err));
    assert_non_null(strstr(err.message, "the file of the new rows was removed, too"));
    expect_newest(t, 5);
    small_batch_free(&rows);
    pn_dataset_unref(t);
}

/* What was decided on rows is decided again, or told. */
static void changes_of_rows_after_what_is_not_known__are_decided_again(void **state)
{
    static const char *const keys[] = {"id"};
    const pn_upsert_options options = {.keys = keys, .n_keys = 1};
    table_place *p = *state;
    pn_error err;
    uint64_t n;
    small_batch rows;
    pn_dataset *t = read_before_unknown(p), *made;
    clean_all_but_newest(p, -1);
    small_batch_make(2, 5, &rows);
    EXPECT(PN_OK, small_table_upsert(t, &rows.batch, &options, &made, &err));
    small_table_expect(made, 0, 1, 7);
    pn_dataset_unref(made);
    EXPECT(PN_ERR_CONFLICT, small_table_delete(t, "id = 1", &n, &made, &err));
    assert_non_null(strstr(err.message, "came in between and was cleaned up since"));
    expect_newest(t, 7);
    small_batch_free(&rows);
    pn_dataset_unref(t);
}

/* From the link of a manifest on, the n_reads-th thing that is opened or read is gone; the first is the folder, to be synced. */
static void lose_after_link(void *context, const char *what, const char *path)
{
    const int64_t *n_reads = context;
    if (strcmp(what, "link") == 0 && strstr(path, ".manifest"))
        pn_fd_fault_reads_after(*n_reads, ENOENT);
}

/* Somebody else commits and cleans up faster than the version made is read back: it is as if that had come just after. */
static void a_version_that_goes_at_once__is_made_all_the_same(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next, *again;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    for (int64_t n = 1; n < 10; n++) {
        int64_t n_reads = n + 1;
        pn_fd_watch(lose_after_link, &n_reads);
        pn_status status = small_table_append(t, n - 1, 1, NULL, &next, &err);
        pn_fd_watch(NULL, NULL);
        pn_fd_fault_reads_after(0, 0);
        if (status != PN_OK)
            fail_msg("without read %d: %s", (int)n_reads, err.message);
        table_place_step(&t, next);
        assert_int_equal(pn_dataset_version(t), n + 1);
        small_table_expect(t, 0, 1, (size_t)n);
    }
    EXPECT(PN_OK, pn_dataset_open(p->table, 0, &again, &err));
    small_table_expect(again, 0, 1, 9);
    pn_dataset_unref(again);
    pn_dataset_unref(t);
}

static void a_table_whose_first_version_goes_at_once__is_made_all_the_same(void **state)
{
    table_place *p = *state;
    pn_error err;
    for (int64_t n_reads = 2; n_reads < 12; n_reads++) {
        pn_dataset *t, *next, *again;
        char *path = pn_arena_printf(&p->arena, "%s-%d", p->table, (int)n_reads);
        pn_fd_watch(lose_after_link, &n_reads);
        pn_status status = small_table_create(path, &t, &err);
        pn_fd_watch(NULL, NULL);
        pn_fd_fault_reads_after(0, 0);
        if (status != PN_OK)
            fail_msg("without read %d: %s", (int)n_reads, err.message);
        assert_int_equal(pn_dataset_version(t), 1);
        EXPECT(PN_OK, small_table_append(t, 0, 5, NULL, &next, &err));
        EXPECT(PN_OK, pn_dataset_open(path, 2, &again, &err));
        small_table_expect(again, 0, 1, 5);
        pn_dataset_unref(again);
        pn_dataset_unref(next);
        pn_dataset_unref(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(create__makes_an_empty_version_1, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(create__refuses_schemas_by_name, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(append__adds_rows_that_read_back, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(append__checks_its_batches, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(an_abandoned_append__leaves_nothing, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(delete__marks_rows_and_drops_empty_fragments,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(delete__refuses_addresses_that_are_not_there,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(replace__is_one_version, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(a_lost_race__is_applied_to_the_newer_version,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(latest__is_itself_until_somebody_commits, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(latest__sees_another_table_in_its_place, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(an_append_after_what_is_not_known__begins_anew,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(an_append_after_an_unknown_overwrite__adds_to_what_is_there,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(an_append_to_other_columns__is_a_conflict,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(an_append_whose_file_is_gone__is_a_conflict,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(changes_of_rows_after_what_is_not_known__are_decided_again,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_free_again__is_not_taken_for_the_next,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_free_again__is_not_taken_beside_a_tag,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(a_version_that_was_followed_and_cleaned_up_at_once__is_made,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(a_version_that_nobody_may_have_seen__is_told_of,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(a_version_that_goes_at_once__is_made_all_the_same,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(
            a_table_whose_first_version_goes_at_once__is_made_all_the_same, table_place_setup,
            table_place_teardown),
        cmocka_unit_test_setup_teardown(writers_at_once__lose_nothing, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(foreign_tables__are_refused_or_kept_by_the_rules,
                                        table_place_setup, table_place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

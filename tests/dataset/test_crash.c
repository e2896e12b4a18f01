/*
 * test_crash.c - the power goes at every single call that changes the disk
 *
 * Each operation runs again and again, with the n-th such call ending the process (or failing with an errno) for n = 1, 2, ...
 * until it gets through; once more with every write cut into pieces. After each the table is opened anew: it is what it was, or what
 * it should become, complete to the last value, takes a further append, and a clean-up leaves no file that no version names. An
 * operation that reported success is always there.
 *
 * A process that ends keeps what it wrote in the kernel's memory. So each death is looked at once more as a power cut, in which
 * whatever was not synced is lost, or half of it is (support/power_cut.h): a version that has its name must have all that it names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataset/check.h"
#include "dataset/cleanup.h"
#include "dataset/compact.h"
#include "dataset/tags.h"
#include "dataset/upsert.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/power_cut.h"
#include "support/small_table.h"
#include "support/table_sight.h"

enum { MAX_CALLS = 400 };

typedef struct operation {
    const char *name;
    pn_status (*run)(const char *table, pn_error *err);
    bool creates;
} operation;

/* ---- operations ---- */

static pn_status run_create(const char *table, pn_error *err)
{
    pn_dataset *t;
    PN_TRY(small_table_create(table, &t, err));
    pn_dataset_unref(t);
    return PN_OK;
}

/* Open the newest version, change it, let go of both. */
static pn_status with_newest(const char *table,
                             pn_status (*change)(pn_dataset *t, pn_dataset **next, pn_error *err),
                             pn_error *err)
{
    pn_dataset *t, *next = NULL;
    PN_TRY(pn_dataset_open(table, 0, &t, err));
    pn_status status = change(t, &next, err);
    pn_dataset_unref(t);
    pn_dataset_unref(status == PN_OK ? next : NULL);
    return status;
}

static pn_status append(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    return small_table_append(t, 100, 100, NULL, next, err);
}

static pn_status delete (pn_dataset *t, pn_dataset **next, pn_error *err)
{
    uint64_t n;
    return small_table_delete(t, "id % 2 = 1", &n, next, err);
}

static pn_status replace(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    pn_rowset old;
    PN_TRY(pn_dataset_filter_rows(t, pn_str_of("id < 40"), &old, err));
    pn_status status = small_table_append(t, 100, 40, &old, next, err);
    pn_rowset_reset(&old);
    return status;
}

/* Ids 80 to 139 with the vectors and names of others: 20 of them are there already. n_columns: that come, from the left. */
static pn_status upsert_columns(pn_dataset *t, size_t n_columns, bool leave_unmatched,
                                pn_dataset **next, pn_error *err)
{
    static const char *const keys[] = {"id"};
    const pn_upsert_options options = {
        .keys = keys, .n_keys = 1, .leave_unmatched = leave_unmatched};
    small_batch rows, others;
    small_batch_make(80, 60, &rows);
    small_batch_make(1080, 60, &others);
    const pn_array columns[4] = {rows.arrays[0], others.arrays[1], others.arrays[2],
                                 rows.arrays[3]};
    const pn_schema schema = {.fields = rows.schema.fields, .n_fields = n_columns};
    const pn_batch batch = {.schema = &schema, .columns = columns, .n_rows = 60};
    pn_status status = small_table_upsert(t, &batch, &options, next, err);
    small_batch_free(&others);
    small_batch_free(&rows);
    return status;
}

static pn_status upsert(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    return upsert_columns(t, 4, false, next, err);
}

static pn_status update(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    return upsert_columns(t, 2, true, next, err);
}

static pn_status overwrite(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    small_batch rows;
    pn_append *append;
    small_batch_make(300, 20, &rows);
    pn_status status = pn_overwrite_begin(t, &rows.schema, &append, err);
    if (status == PN_OK) {
        status = pn_append_batch(append, &rows.batch, err);
        if (status == PN_OK)
            status = pn_append_commit(append, NULL, next, err);
        else
            pn_append_abort(append);
    }
    small_batch_free(&rows);
    return status;
}

static pn_status compact(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    const pn_compact_options options = {.mode = PN_COMPACT_FULL, .deleted_percent = 1};
    return pn_dataset_compact(t, &options, NULL, next, err);
}

static pn_status restore(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    return pn_dataset_restore(t, 2, next, err);
}

static pn_status add_nulls(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    pn_field field;
    pn_field_init(&field, "more", PN_TYPE_STRING, true);
    return pn_dataset_add_column(t, &field, NULL, next, err);
}

static pn_status add_values(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    const int64_t one = 1;
    pn_field field;
    pn_field_init(&field, "more", PN_TYPE_INT64, true);
    const pn_array value = {.field = &field, .length = 1, .values = &one};
    return pn_dataset_add_constant(t, &value, next, err);
}

static pn_status drop(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    static const char *const names[] = {"name"};
    return pn_dataset_drop_columns(t, names, 1, next, err);
}

static pn_status rename_name(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    return pn_dataset_rename_column(t, "name", "title", next, err);
}

#define ON_NEWEST(change)                                                                          \
    static pn_status run_##change(const char *table, pn_error *err)                                \
    {                                                                                              \
        return with_newest(table, change, err);                                                    \
    }
ON_NEWEST(append)
ON_NEWEST(delete)
ON_NEWEST(replace)
ON_NEWEST(upsert)
ON_NEWEST(update)
ON_NEWEST(overwrite)
ON_NEWEST(compact)
ON_NEWEST(restore)
ON_NEWEST(add_nulls)
ON_NEWEST(add_values)
ON_NEWEST(drop)
ON_NEWEST(rename_name)

static pn_status run_tag_create(const char *table, pn_error *err)
{
    return pn_dataset_tag_create(table, "new", 2, err);
}

static pn_status run_tag_move(const char *table, pn_error *err)
{
    return pn_dataset_tag_move(table, "old", 3, err);
}

static pn_status run_tag_delete(const char *table, pn_error *err)
{
    return pn_dataset_tag_delete(table, "old", err);
}

static pn_status run_record(const char *table, pn_error *err)
{
    const pn_check_plan plan = {.record = true};
    pn_check_result result;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dataset_check(table, &plan, &arena, &result, err);
    pn_arena_reset(&arena);
    return status;
}

static const operation operations[] = {
    {"create", run_create, true},
    {"append", run_append, false},
    {"delete", run_delete, false},
    {"replace", run_replace, false},
    {"upsert", run_upsert, false},
    {"update two columns", run_update, false},
    {"overwrite", run_overwrite, false},
    {"compact", run_compact, false},
    {"restore", run_restore, false},
    {"add a column of nulls", run_add_nulls, false},
    {"add a column of values", run_add_values, false},
    {"drop a column", run_drop, false},
    {"rename a column", run_rename_name, false},
    {"create a tag", run_tag_create, false},
    {"move a tag", run_tag_move, false},
    {"delete a tag", run_tag_delete, false},
    {"record checksums", run_record, false},
};

/* Version 1 is empty, 2 has ids 0 to 49, 3 has 0 to 99; the tag "old" names 2. */
static void prepare(const operation *op, const char *table)
{
    pn_error err = {0};
    pn_dataset *v1, *v2, *v3;
    assert_int_equal(pn_dir_remove_all(table, &err), PN_OK);
    if (op->creates)
        return;
    assert_int_equal(small_table_create(table, &v1, &err), PN_OK);
    assert_int_equal(small_table_append(v1, 0, 50, NULL, &v2, &err), PN_OK);
    assert_int_equal(small_table_append(v2, 50, 50, NULL, &v3, &err), PN_OK);
    assert_int_equal(pn_dataset_tag_create(table, "old", 2, &err), PN_OK);
    pn_dataset_unref(v3);
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
}

/* ---- afterwards ---- */

/* Ten rows of the columns that the table has now. */
static void append_more(const char *table, const char *what)
{
    pn_error err = {0};
    pn_dataset *t, *next;
    pn_append *append;
    small_batch rows;
    pn_field fields[4];
    pn_array columns[4];
    size_t n = 0;
    assert_int_equal(pn_dataset_open(table, 0, &t, &err), PN_OK);
    small_batch_make(5000, 10, &rows);
    for (size_t i = 0; i < rows.schema.n_fields; i++) {
        if (pn_schema_find(pn_dataset_schema(t), pn_str_of(rows.schema.fields[i].name)) < 0)
            continue;
        fields[n] = rows.schema.fields[i];
        columns[n++] = rows.arrays[i];
    }
    const pn_schema schema = {.fields = fields, .n_fields = n};
    const pn_batch batch = {.schema = &schema, .columns = columns, .n_rows = 10};
    uint64_t n_before = pn_dataset_count_rows(t);
    if (pn_append_begin(t, &append, &err) != PN_OK ||
        pn_append_batch(append, &batch, &err) != PN_OK ||
        pn_append_commit(append, NULL, &next, &err) != PN_OK)
        fail_msg("%s: a further append: %s", what, err.message);
    assert_int_equal(pn_dataset_count_rows(next), n_before + 10);
    small_batch_free(&rows);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

typedef struct expectation {
    table_sight before, after;
    int64_t n_calls; /* that change the disk, of a run that nothing stops */
    bool is_write[MAX_CALLS];
} expectation;

static void count_call(void *context, const char *what, const char *path)
{
    expectation *e = context;
    (void)path;
    assert_true(e->n_calls < MAX_CALLS);
    e->is_write[e->n_calls++] = strcmp(what, "write") == 0;
}

static expectation learn(const operation *op, const char *table)
{
    pn_error err = {0};
    expectation e = {0};
    prepare(op, table);
    e.before = table_see(table);
    pn_fd_watch(count_call, &e);
    pn_status status = op->run(table, &err);
    pn_fd_watch(NULL, NULL);
    if (status != PN_OK)
        fail_msg("%s: %s", op->name, err.message);
    e.after = table_see(table);
    assert_false(table_sight_equal(&e.before, &e.after));
    return e;
}

/* Old or new, and alive. reported: the operation said that it is done. Returns whether it is the new one. */
static bool inspect(const operation *op, const expectation *e, const char *table, bool reported)
{
    pn_error err = {0};
    table_sight now = table_see(table);
    bool is_new = table_sight_equal(&now, &e->after);
    if (!is_new && !table_sight_equal(&now, &e->before))
        fail_msg("%s: neither the old table nor the new one", op->name);
    if (reported && !is_new)
        fail_msg("%s: it was reported, and is not there", op->name);
    if (now.version == 0 && run_create(table, &err) != PN_OK)
        fail_msg("after a crash in create: %s", err.message);
    append_more(table, op->name);
    table_clean_up(table, -1, op->name);
    table_sight kept = table_see(table);
    assert_int_equal(kept.n_rows, now.n_rows + 10);
    return is_new;
}

/* ---- deaths and errors ---- */

/* In a child that ends at the n-th call. most_bytes: writes are cut into pieces of so many, and it may end between two. True
 * when it got through. */
static bool die_at(const operation *op, const char *table, int64_t n, size_t most_bytes)
{
    pid_t child = fork();
    if (child == 0) {
        pn_error err = {0};
        pn_fd_fault_short(most_bytes);
        pn_fd_fault_after(n, 0);
        pn_status status = op->run(table, &err);
        pn_fd_fault_after(0, 0);
        _exit(status == PN_OK ? 0 : 1);
    }
    int code = 0;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_true(WEXITSTATUS(code) == 0 || WEXITSTATUS(code) == 9);
    return WEXITSTATUS(code) == 0;
}

static void die_everywhere(const char *table, size_t most_bytes)
{
    for (size_t i = 0; i < PN_COUNT_OF(operations); i++) {
        const operation *op = &operations[i];
        int n_old = 0, n_new = 0;
        const expectation e = learn(op, table);
        bool done = false;
        for (int64_t n = 1; !done; n++) {
            assert_true(n < MAX_CALLS);
            prepare(op, table);
            done = die_at(op, table, n, most_bytes);
            if (inspect(op, &e, table, done))
                n_new++;
            else
                n_old++;
        }
        print_message("%s: old %d times, new %d times\n", op->name, n_old, n_new);
        assert_true(n_old >= 1 && n_new >= 1 && n_old + n_new >= 3);
    }
}

/* ---- power cuts ---- */

typedef struct cutting {
    char disk[1024], table[1040], shadow[1040], left[1040];
} cutting;

/* The same, with an account of what was synced. */
static bool cut_at(const operation *op, const cutting *c, int64_t n)
{
    pid_t child = fork();
    if (child == 0) {
        pn_error err = {0};
        power_cut_watch(c->disk, c->shadow);
        pn_fd_fault_after(n, 0);
        pn_status status = op->run(c->table, &err);
        pn_fd_fault_after(0, 0);
        power_cut_unwatch();
        _exit(status == PN_OK ? 0 : 1);
    }
    int code = 0;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_true(WEXITSTATUS(code) == 0 || WEXITSTATUS(code) == 9);
    return WEXITSTATUS(code) == 0;
}

/* Each outcome of the cut takes the disk's place and is looked at. How many are the new version. */
static int inspect_cut(const operation *op, const expectation *e, const cutting *c, bool reported)
{
    int n_new = 0;
    char left[POWER_CUT_KINDS][sizeof c->left + 16];
    for (int kind = 0; kind < POWER_CUT_KINDS; kind++) {
        (void)snprintf(left[kind], sizeof left[kind], "%s.%d", c->left, kind);
        power_cut_leave(c->disk, c->shadow, (power_cut_kind)kind, left[kind]);
    }
    for (int kind = 0; kind < POWER_CUT_KINDS; kind++) {
        char name[128];
        operation told = *op;
        (void)snprintf(name, sizeof name, "%s, cut of kind %d", op->name, kind);
        told.name = name;
        assert_int_equal(pn_dir_remove_all(c->disk, NULL), PN_OK);
        assert_int_equal(pn_path_rename(left[kind], c->disk, NULL), PN_OK);
        n_new += inspect(&told, e, c->table, reported);
    }
    return n_new;
}

static void a_power_cut_at_any_call__leaves_the_old_or_the_new_version(void **state)
{
    cutting c;
    const char *folder = *state;
    (void)snprintf(c.disk, sizeof c.disk, "%s/disk", folder);
    (void)snprintf(c.table, sizeof c.table, "%s/t.lance", c.disk);
    (void)snprintf(c.shadow, sizeof c.shadow, "%s/shadow", folder);
    (void)snprintf(c.left, sizeof c.left, "%s/left", folder);
    assert_int_equal(pn_dir_make(c.disk, NULL), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(operations); i++) {
        const operation *op = &operations[i];
        int n_new = 0, n_all = 0;
        const expectation e = learn(op, c.table);
        bool done = false;
        for (int64_t n = 1; !done; n++) {
            assert_true(n < MAX_CALLS);
            if (n > 1 && e.is_write[n - 2] && e.is_write[n - 1])
                continue; // as after the first: nothing of the file was synced
            prepare(op, c.table);
            power_cut_snapshot(c.disk, c.shadow);
            done = cut_at(op, &c, n);
            n_new += inspect_cut(op, &e, &c, done);
            n_all += POWER_CUT_KINDS;
        }
        print_message("%s: %d cuts, new %d times\n", op->name, n_all, n_new);
        assert_true(n_new >= POWER_CUT_KINDS && n_all > n_new);
    }
}

static void death_at_any_call__leaves_the_old_or_the_new_version(void **state)
{
    char table[1024];
    (void)snprintf(table, sizeof table, "%s/t.lance", (const char *)*state);
    die_everywhere(table, 0);
}

static void death_within_a_write__leaves_the_old_or_the_new_version(void **state)
{
    enum { PIECE = 700 }; // some in each manifest and data file
    char table[1024];
    (void)snprintf(table, sizeof table, "%s/t.lance", (const char *)*state);
    die_everywhere(table, PIECE);
}

static void an_error_at_any_call__leaves_the_old_or_the_new_version(void **state)
{
    static const int numbers[] = {EIO, ENOSPC};
    char table[1024];
    (void)snprintf(table, sizeof table, "%s/t.lance", (const char *)*state);
    for (size_t i = 0; i < PN_COUNT_OF(operations); i++) {
        const operation *op = &operations[i];
        const expectation e = learn(op, table);
        assert_true(e.n_calls < MAX_CALLS);
        for (int64_t n = 1; n <= e.n_calls; n++) {
            pn_error err = {0};
            prepare(op, table);
            pn_fd_fault_after(n, numbers[(size_t)n % PN_COUNT_OF(numbers)]);
            pn_status status = op->run(table, &err);
            pn_fd_fault_after(0, 0);
            if (status != PN_OK) {
                assert_true(status == PN_ERR_IO);
                assert_non_null(strstr(err.message, "/"));
            }
            inspect(op, &e, table, status == PN_OK);
        }
    }
}

/* Clean-up changes no version: the newest is whole whenever it stops, the tagged one, too, and it can be finished. */
static int clean(const char *table, pn_error *err)
{
    const pn_cleanup_options options = {.older_than_ms = 0, .orphan_ms = 0};
    pn_cleanup_report report;
    return pn_dataset_cleanup(table, &options, &report, err);
}

static void make_versions(const char *table)
{
    pn_error err = {0};
    pn_dataset *t, *next;
    assert_int_equal(pn_dir_remove_all(table, &err), PN_OK);
    assert_int_equal(small_table_create(table, &t, &err), PN_OK);
    for (int i = 0; i < 4; i++) {
        uint64_t n;
        char filter[40];
        assert_int_equal(small_table_append(t, i * 10, 10, NULL, &next, &err), PN_OK);
        pn_dataset_unref(t);
        (void)snprintf(filter, sizeof filter, "id = %d", i * 10);
        assert_int_equal(small_table_delete(next, filter, &n, &t, &err), PN_OK);
        pn_dataset_unref(next);
    }
    pn_dataset_unref(t);
    assert_int_equal(pn_dataset_tag_create(table, "kept", 2, &err), PN_OK);
}

static void expect_rows(const char *table, uint64_t version, uint64_t n_rows)
{
    pn_error err = {0};
    pn_arena arena;
    pn_dataset *t;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_dataset_open(table, version, &t, &err) != PN_OK)
        fail_msg("version %d: %s", (int)version, err.message);
    (void)small_table_read(t, &arena, &n);
    assert_int_equal(n, n_rows);
    pn_dataset_unref(t);
    pn_arena_reset(&arena);
}

static void death_in_cleanup__costs_nothing_that_is_needed(void **state)
{
    const char *folder = *state;
    char table[1024];
    bool done = false;
    (void)snprintf(table, sizeof table, "%s/t.lance", folder);
    for (int64_t n = 1; !done; n++) {
        pn_error err = {0};
        pn_version_info *versions;
        size_t n_versions;
        pn_arena arena;
        assert_true(n < 200);
        make_versions(table);
        pid_t child = fork();
        if (child == 0) {
            pn_fd_fault_after(n, 0);
            _exit(clean(table, &err) == PN_OK ? 0 : 1);
        }
        int code = 0;
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_true(WEXITSTATUS(code) == 0 || WEXITSTATUS(code) == 9);
        done = WEXITSTATUS(code) == 0;
        expect_rows(table, 0, 36);
        expect_rows(table, 2, 10);
        if (clean(table, &err) != PN_OK)
            fail_msg("after a death at call %d: %s", (int)n, err.message);
        expect_rows(table, 0, 36);
        expect_rows(table, 2, 10);
        pn_arena_init(&arena, SIZE_MAX);
        assert_int_equal(pn_dataset_list_versions(table, &arena, &versions, &n_versions, &err),
                         PN_OK);
        assert_int_equal(n_versions, 2);
        pn_arena_reset(&arena);
        if (done)
            print_message("  clean-up died %d times\n", (int)n - 1);
    }
}

static int setup(void **state)
{
    pn_arena arena;
    char *folder;
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_dir_make_temporary("test_crash", &arena, &folder, NULL) != PN_OK)
        return 1;
    *state = strdup(folder);
    pn_arena_reset(&arena);
    return 0;
}

static int teardown(void **state)
{
    pn_fd_fault_after(0, 0);
    pn_status status = pn_dir_remove_all(*state, NULL);
    free(*state);
    return status != PN_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(death_at_any_call__leaves_the_old_or_the_new_version, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(death_within_a_write__leaves_the_old_or_the_new_version,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_power_cut_at_any_call__leaves_the_old_or_the_new_version,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_at_any_call__leaves_the_old_or_the_new_version,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(death_in_cleanup__costs_nothing_that_is_needed, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

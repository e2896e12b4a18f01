/*
 * test_crash.c - the power goes at every single call that changes the disk
 *
 * Each operation runs again and again, with the n-th such call ending the process (or failing with an errno) for n = 1, 2, ...
 * until it gets through. After each the table is opened anew: it is what it was, or what it should become, complete to the last
 * value, and takes a further change. An operation that reported success is always there.
 *
 * A process that ends keeps what it wrote in the kernel's memory, so this proves the order of the calls, not that fsync does what it
 * says.
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

#include "dataset/cleanup.h"
#include "dataset/compact.h"
#include "dataset/tags.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/small_table.h"

typedef struct shape {
    int64_t first, step;
    size_t n;
} shape;

typedef struct operation {
    const char *name;
    pn_status (*run)(const char *table, pn_error *err);
    shape before, after;
    bool creates;
} operation;

static pn_status run_create(const char *table, pn_error *err)
{
    pn_dataset *t;
    PN_TRY(small_table_create(table, &t, err));
    pn_dataset_unref(t);
    return PN_OK;
}

static pn_status run_append(const char *table, pn_error *err)
{
    pn_dataset *t, *next = NULL;
    PN_TRY(pn_dataset_open(table, 0, &t, err));
    pn_status status = small_table_append(t, 100, 100, NULL, &next, err);
    pn_dataset_unref(t);
    pn_dataset_unref(status == PN_OK ? next : NULL);
    return status;
}

static pn_status run_delete(const char *table, pn_error *err)
{
    pn_dataset *t, *next = NULL;
    uint64_t n;
    PN_TRY(pn_dataset_open(table, 0, &t, err));
    pn_status status = small_table_delete(t, "id % 2 = 1", &n, &next, err);
    pn_dataset_unref(t);
    pn_dataset_unref(status == PN_OK ? next : NULL);
    return status;
}

static pn_status run_replace(const char *table, pn_error *err)
{
    pn_dataset *t, *next = NULL;
    pn_rowset old;
    PN_TRY(pn_dataset_open(table, 0, &t, err));
    pn_status status = pn_dataset_filter_rows(t, pn_str_of("id < 40"), &old, err);
    if (status == PN_OK) {
        status = small_table_append(t, 100, 40, &old, &next, err);
        pn_rowset_reset(&old);
    }
    pn_dataset_unref(t);
    pn_dataset_unref(status == PN_OK ? next : NULL);
    return status;
}

static pn_status finish(pn_dataset *t, pn_dataset *next, pn_status status)
{
    pn_dataset_unref(t);
    pn_dataset_unref(status == PN_OK ? next : NULL);
    return status;
}

static pn_status run_compact(const char *table, pn_error *err)
{
    const pn_compact_options options = {.mode = PN_COMPACT_FULL, .deleted_percent = 1};
    pn_dataset *t, *next = NULL;
    PN_TRY(pn_dataset_open(table, 0, &t, err));
    pn_status status = pn_dataset_compact(t, &options, NULL, &next, err);
    return finish(t, next, status);
}

static pn_status run_restore(const char *table, pn_error *err)
{
    pn_dataset *t, *next = NULL;
    PN_TRY(pn_dataset_open(table, 0, &t, err));
    pn_status status = pn_dataset_restore(t, 1, &next, err);
    return finish(t, next, status);
}

static const operation operations[] = {
    {"create", run_create, {0, 1, 0}, {0, 1, 0}, true},
    {"append", run_append, {0, 1, 100}, {0, 1, 200}, false},
    {"delete", run_delete, {0, 1, 100}, {0, 2, 50}, false},
    {"replace", run_replace, {0, 1, 100}, {40, 1, 100}, false},
    {"compact", run_compact, {0, 1, 100}, {0, 1, 100}, false},
    {"restore", run_restore, {0, 1, 100}, {0, 1, 0}, false},
};

static void prepare(const operation *op, const char *table)
{
    pn_error err = {0};
    pn_dataset *v1, *v2, *half;
    assert_int_equal(pn_dir_remove_all(table, &err), PN_OK);
    if (op->creates)
        return;
    assert_int_equal(small_table_create(table, &v1, &err), PN_OK);
    if (op->run == run_compact) { // something to do for it
        assert_int_equal(small_table_append(v1, 0, 50, NULL, &half, &err), PN_OK);
        assert_int_equal(small_table_append(half, 50, 50, NULL, &v2, &err), PN_OK);
        pn_dataset_unref(half);
    } else {
        assert_int_equal(small_table_append(v1, 0, 100, NULL, &v2, &err), PN_OK);
    }
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
}

/* Old or new, and alive. reported: the operation said that it is done. Returns whether it is the new one. */
static bool inspect(const operation *op, const char *table, bool reported)
{
    pn_error err = {0};
    pn_dataset *t, *next;
    uint64_t old_version = op->creates ? 0 : op->run == run_compact ? 3 : 2;
    pn_status status = pn_dataset_open(table, 0, &t, &err);
    if (op->creates && status == PN_ERR_NOT_FOUND) {
        assert_false(reported);
        if (small_table_create(table, &t, &err) != PN_OK)
            fail_msg("after a crash in create: %s", err.message);
        pn_dataset_unref(t);
        return false;
    }
    if (status != PN_OK)
        fail_msg("%s: %s", op->name, err.message);
    bool is_new = pn_dataset_version(t) != old_version;
    assert_int_equal(pn_dataset_version(t), old_version + is_new);
    assert_true(is_new || !reported);
    const shape *want = is_new ? &op->after : &op->before;
    small_table_expect(t, want->first, want->step, want->n);
    if (small_table_append(t, 5000, 10, NULL, &next, &err) != PN_OK)
        fail_msg("%s: a further append: %s", op->name, err.message);
    assert_int_equal(pn_dataset_count_rows(next), want->n + 10);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
    return is_new;
}

/* In a child that ends at the n-th call. True when it got through. */
static bool die_at(const operation *op, const char *table, int64_t n)
{
    pid_t child = fork();
    if (child == 0) {
        pn_error err = {0};
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

static void death_at_any_call__leaves_the_old_or_the_new_version(void **state)
{
    const char *folder = *state;
    char table[1024];
    (void)snprintf(table, sizeof table, "%s/t.lance", folder);
    for (size_t i = 0; i < PN_COUNT_OF(operations); i++) {
        int n_old = 0, n_new = 0;
        for (int64_t n = 1;; n++) {
            assert_true(n < 200);
            prepare(&operations[i], table);
            bool done = die_at(&operations[i], table, n);
            if (inspect(&operations[i], table, done))
                n_new++;
            else
                n_old++;
            if (done)
                break;
        }
        print_message("%s: old %d times, new %d times\n", operations[i].name, n_old, n_new);
        assert_true(n_old >= 8);
        assert_true(n_new >= 2);
    }
}

static void an_error_at_any_call__leaves_the_old_or_the_new_version(void **state)
{
    static const int numbers[] = {EIO, ENOSPC};
    const char *folder = *state;
    char table[1024];
    (void)snprintf(table, sizeof table, "%s/t.lance", folder);
    for (size_t i = 0; i < PN_COUNT_OF(operations) * PN_COUNT_OF(numbers); i++) {
        const operation *op = &operations[i / 2];
        bool all_through = false;
        for (int64_t n = 1; !all_through; n++) {
            pn_error err = {0};
            assert_true(n < 200);
            prepare(op, table);
            all_through = die_at(op, table, n); // are there fewer than n calls?
            prepare(op, table);
            pn_fd_fault_after(n, numbers[i % 2]);
            pn_status status = op->run(table, &err);
            pn_fd_fault_after(0, 0);
            if (status != PN_OK) {
                assert_true(status == PN_ERR_IO);
                assert_non_null(strstr(err.message, "/"));
            }
            inspect(op, table, status == PN_OK);
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
        cmocka_unit_test_setup_teardown(an_error_at_any_call__leaves_the_old_or_the_new_version,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(death_in_cleanup__costs_nothing_that_is_needed, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_durability.c - what must be on the disk before what, and what a bad disk leaves
 *
 * The order of a commit is watched call by call: when the manifest gets its name, everything it needs was written, synced, and had
 * its name synced in its folder. Then the disks that fail: full, read-only, and one that damaged the newest manifest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataset/compact.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/small_table.h"

enum { MAX_CALLS = 400 };

typedef struct place {
    pn_arena arena;
    char *folder, *table;
    struct {
        const char *what;
        char *path;
    } calls[MAX_CALLS];
    size_t n_calls;
} place;

static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);
    pn_arena_init(&p->arena, SIZE_MAX);
    if (pn_dir_make_temporary("test_durability", &p->arena, &p->folder, NULL) != PN_OK)
        return 1;
    p->table = pn_path_join(&p->arena, p->folder, "t.lance");
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    pn_fd_watch(NULL, NULL);
    pn_status status = pn_dir_remove_all(p->folder, NULL);
    pn_arena_reset(&p->arena);
    free(p);
    return status != PN_OK;
}

static void take_call(void *context, const char *what, const char *path)
{
    place *p = context;
    assert_true(p->n_calls < MAX_CALLS);
    p->calls[p->n_calls].what = what;
    p->calls[p->n_calls++].path = pn_arena_strdup(&p->arena, path);
}

/* Is there such a call in [from, to)? */
static bool happens(const place *p, const char *what, const char *path, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (strcmp(p->calls[i].what, what) == 0 && strcmp(p->calls[i].path, path) == 0)
            return true;
    return false;
}

static char *folder_of(place *p, const char *path)
{
    return pn_arena_strndup(&p->arena, path, (size_t)(strrchr(path, '/') - path));
}

/* All calls before `link` made their bytes and names last; those after it made the link last. */
static void check_order(place *p, const char *what)
{
    size_t link = 0;
    while (link < p->n_calls && strcmp(p->calls[link].what, "link") != 0)
        link++;
    if (link == p->n_calls)
        fail_msg("%s: nothing was linked", what);
    const char *versions = folder_of(p, p->calls[link].path);
    for (size_t i = 0; i < link; i++) {
        const char *call = p->calls[i].what, *path = p->calls[i].path;
        if (strcmp(call, "write") == 0 && !happens(p, "sync", path, i + 1, link))
            fail_msg("%s: %s was not synced before the commit", what, path);
        if ((strcmp(call, "create") == 0 || strcmp(call, "mkdir") == 0) &&
            strcmp(folder_of(p, path), versions) != 0 &&
            !happens(p, "sync", folder_of(p, path), i + 1, link))
            fail_msg("%s: the name of %s was not synced before the commit", what, path);
    }
    if (!happens(p, "sync", versions, link + 1, p->n_calls))
        fail_msg("%s: the version's name was not synced", what);
    print_message("  %s: %zu calls, linked at %zu\n", what, p->n_calls, link);
    p->n_calls = 0;
}

static void commits__sync_in_order(void **state)
{
    place *p = *state;
    pn_error err = {0};
    pn_dataset *v1, *v2, *v3, *v4, *v5, *v6, *v7;
    pn_rowset old;
    uint64_t n;
    pn_field field;
    const pn_compact_options full = {.mode = PN_COMPACT_FULL};
    pn_fd_watch(take_call, p);
    assert_int_equal(small_table_create(p->table, &v1, &err), PN_OK);
    check_order(p, "create");
    assert_int_equal(small_table_append(v1, 0, 100, NULL, &v2, &err), PN_OK);
    check_order(p, "append");
    assert_int_equal(small_table_delete(v2, "id % 2 = 1", &n, &v3, &err), PN_OK);
    check_order(p, "delete");
    assert_int_equal(pn_dataset_filter_rows(v3, pn_str_of("id < 40"), &old, &err), PN_OK);
    assert_int_equal(small_table_append(v3, 100, 20, &old, &v4, &err), PN_OK);
    check_order(p, "replace");
    assert_int_equal(pn_dataset_compact(v4, &full, NULL, &v5, &err), PN_OK);
    check_order(p, "compact");
    pn_field_init(&field, "more", PN_TYPE_INT64, false);
    const int64_t one = 1;
    const pn_array value = {.field = &field, .length = 1, .values = &one};
    assert_int_equal(pn_dataset_add_constant(v5, &value, &v6, &err), PN_OK);
    check_order(p, "add column");
    assert_int_equal(pn_dataset_restore(v6, 2, &v7, &err), PN_OK);
    check_order(p, "restore");
    pn_fd_watch(NULL, NULL);
    pn_rowset_reset(&old);
    pn_dataset_unref(v7);
    pn_dataset_unref(v6);
    pn_dataset_unref(v5);
    pn_dataset_unref(v4);
    pn_dataset_unref(v3);
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
}

/* Versions 1 (empty), 2 (ids 0..99), 3 (100..149 more). */
static void make_table(const place *p)
{
    pn_error err = {0};
    pn_dataset *v1, *v2, *v3;
    assert_int_equal(small_table_create(p->table, &v1, &err), PN_OK);
    assert_int_equal(small_table_append(v1, 0, 100, NULL, &v2, &err), PN_OK);
    assert_int_equal(small_table_append(v2, 100, 50, NULL, &v3, &err), PN_OK);
    pn_dataset_unref(v3);
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
}

static void write_bytes(const char *path, const uint8_t *bytes, size_t n)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

static void expect_version_2(const place *p)
{
    pn_error err = {0};
    pn_dataset *t;
    if (pn_dataset_open(p->table, 2, &t, &err) != PN_OK)
        fail_msg("version 2: %s", err.message);
    small_table_expect(t, 0, 1, 100);
    pn_dataset_unref(t);
}

/* Opened, its rows read. A damage that cannot be told (a time, a path) may pass; one that can must name the manifest or the file
 * that it no longer fits. */
static pn_status open_and_read(const place *p, pn_error *err)
{
    pn_dataset *t;
    pn_scan *scan;
    pn_batch batch = {0};
    const pn_row_addr *addrs;
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    PN_TRY(pn_dataset_open(p->table, 0, &t, err));
    pn_status status = pn_scan_begin(t, &options, &scan, err);
    if (status == PN_OK) {
        do
            status = pn_scan_next(scan, &batch, &addrs, err);
        while (status == PN_OK && batch.n_rows > 0);
        pn_scan_end(scan);
    }
    pn_dataset_unref(t);
    return status;
}

static void a_damaged_manifest__is_named_and_older_versions_open(void **state)
{
    place *p = *state;
    make_table(p);
    size_t n, n_named = 0, n_passed = 0;
    const char *name = "18446744073709551612.manifest"; // version 3
    char *path = pn_arena_printf(&p->arena, "%s/_versions/%s", p->table, name);
    uint8_t *bytes = golden_read_bytes(path, &n), *copy = malloc(n);
    assert_non_null(copy);
    for (size_t i = 0; i < n; i++) {
        pn_error err = {0};
        write_bytes(path, bytes, i);
        assert_int_equal(open_and_read(p, &err), PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, name));
    }
    expect_version_2(p);
    for (size_t i = 0; i < 4 * n; i++) {
        pn_error err = {0};
        memcpy(copy, bytes, n);
        copy[i / 4] ^= (uint8_t)(1u << (i * 7 % 8));
        write_bytes(path, copy, n);
        pn_status status = open_and_read(p, &err);
        if (status != PN_OK && !strstr(err.message, p->table))
            fail_msg("byte %zu: the error names no file: %s", i / 4, err.message);
        n_named += status != PN_OK && strstr(err.message, name);
        n_passed += status == PN_OK;
    }
    expect_version_2(p);
    print_message(
        "  %zu cuts named; of %zu flips %zu named the manifest, %zu changed nothing that is read\n",
        n, 4 * n, n_named, n_passed);
    assert_true(n_named > n);
    write_bytes(path, bytes, n);
    pn_error err = {0};
    assert_int_equal(open_and_read(p, &err), PN_OK);
    free(copy);
    free(bytes);
}

static void a_disk_that_cannot_be_read__is_named(void **state)
{
    place *p = *state;
    pn_status status = PN_ERR_IO;
    int64_t n = 0;
    make_table(p);
    while (status != PN_OK) {
        pn_error err = {0};
        assert_true(n < 200);
        pn_fd_fault_reads_after(++n, EIO);
        status = open_and_read(p, &err);
        pn_fd_fault_reads_after(0, 0);
        if (status != PN_OK) {
            assert_int_equal(status, PN_ERR_IO);
            if (!strstr(err.message, p->table) || !strstr(err.message, strerror(EIO)))
                fail_msg("read %" PRId64 ": %s", n, err.message);
        }
        expect_version_2(p);
    }
    print_message("  %" PRId64 " reads failed one by one\n", n - 1);
    assert_true(n > 4);
}

/* In a child: append 5,000 rows. Exit status 0: it worked; 1: refused with a file's name; 2: refused without. */
static int append_in_child(const place *p, void (*before)(void))
{
    pid_t child = fork();
    if (child == 0) {
        pn_error err = {0};
        pn_dataset *t, *next;
        before();
        if (pn_dataset_open(p->table, 0, &t, &err) != PN_OK)
            _exit(3);
        pn_status status = small_table_append(t, 1000, 5000, NULL, &next, &err);
        _exit(status == PN_OK ? 0 : status == PN_ERR_IO && strstr(err.message, p->table) ? 1 : 2);
    }
    int code = 0;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    return WEXITSTATUS(code);
}

static void fill_the_disk(void)
{
    struct rlimit limit = {40000, 40000};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(4);
}

static void a_full_disk__leaves_the_old_version(void **state)
{
    place *p = *state;
    pn_error err = {0};
    pn_dataset *t;
    make_table(p);
    assert_int_equal(append_in_child(p, fill_the_disk), 1);
    assert_int_equal(pn_dataset_open(p->table, 0, &t, &err), PN_OK);
    assert_int_equal(pn_dataset_version(t), 3);
    small_table_expect(t, 0, 1, 150);
    pn_dataset_unref(t);
}

/* Root writes everywhere, so it becomes nobody. */
static void give_up_rights(void)
{
    if (geteuid() == 0 && setuid(65534) != 0)
        _exit(4);
}

static void a_read_only_table__can_be_read_and_says_what_it_cannot(void **state)
{
    static const char *const folders[] = {"data", "_versions", "_transactions", "."};
    place *p = *state;
    pn_error err = {0};
    pn_dataset *t;
    make_table(p);
    assert_int_equal(chmod(p->folder, 0755), 0);
    for (size_t i = 0; i < PN_COUNT_OF(folders); i++)
        assert_int_equal(chmod(pn_path_join(&p->arena, p->table, folders[i]), 0555), 0);
    assert_int_equal(append_in_child(p, give_up_rights), 1);
    for (size_t i = PN_COUNT_OF(folders); i-- > 0;)
        assert_int_equal(chmod(pn_path_join(&p->arena, p->table, folders[i]), 0755), 0);
    assert_int_equal(pn_dataset_open(p->table, 0, &t, &err), PN_OK);
    small_table_expect(t, 0, 1, 150);
    pn_dataset_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commits__sync_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_manifest__is_named_and_older_versions_open, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_cannot_be_read__is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk__leaves_the_old_version, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_only_table__can_be_read_and_says_what_it_cannot,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

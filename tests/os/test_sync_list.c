/*
 * test_sync_list.c - nothing is waited for until the list is settled, and then everything is
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/dir.h"
#include "os/sync_list.h"

enum { MAX_CALLS = 200 };

typedef struct place {
    pn_arena arena;
    char *folder;
    char *calls[MAX_CALLS]; /* "sync a", names within the folder, "sync ." for itself */
    size_t n_calls;
} place;

static void take_call(void *context, const char *what, const char *path)
{
    place *p = context;
    const char *name = path + strlen(p->folder);
    assert_true(p->n_calls < MAX_CALLS);
    p->calls[p->n_calls++] =
        pn_arena_printf(&p->arena, "%s %s", what, name[0] == '/' ? name + 1 : ".");
}

static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);
    pn_arena_init(&p->arena, SIZE_MAX);
    if (pn_dir_make_temporary("test_sync_list", &p->arena, &p->folder, NULL) != PN_OK)
        return 1;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    pn_fd_watch(NULL, NULL);
    pn_fd_fault_after(0, 0);
    pn_status status = pn_dir_remove_all(p->folder, NULL);
    pn_arena_reset(&p->arena);
    free(p);
    return status != PN_OK;
}

static char *in(place *p, const char *name)
{
    return pn_path_join(&p->arena, p->folder, name);
}

static void expect(place *p, const char *const *calls, size_t n)
{
    for (size_t i = 0; i < n && i < p->n_calls; i++)
        assert_string_equal(p->calls[i], calls[i]);
    assert_int_equal(p->n_calls, n);
    p->n_calls = 0;
}

static void settling__syncs_files_then_folders_once(void **state)
{
    static const char *const written[] = {"create a", "write a", "create b", "write b"};
    static const char *const synced[] = {"sync a", "sync b", "sync ."};
    place *p = *state;
    pn_error err = {0};
    pn_sync_list list = {.n = 0};
    pn_fd_watch(take_call, p);
    assert_int_equal(pn_sync_list_write(&list, in(p, "a"), "1", 1, &err), PN_OK);
    assert_int_equal(pn_sync_list_add_folder(&list, p->folder, &err), PN_OK);
    assert_int_equal(pn_sync_list_write(&list, in(p, "b"), "22", 2, &err), PN_OK);
    assert_int_equal(pn_sync_list_add_folder(&list, p->folder, &err), PN_OK);
    assert_int_equal(pn_sync_list_write(&list, in(p, "b"), "3", 1, &err), PN_ERR_EXISTS);
    assert_string_equal(p->calls[--p->n_calls], "create b");
    expect(p, written, PN_COUNT_OF(written));
    assert_int_equal(pn_sync_list_settle(&list, &err), PN_OK);
    expect(p, synced, PN_COUNT_OF(synced));
    assert_int_equal(pn_sync_list_settle(&list, &err), PN_OK);
    expect(p, NULL, 0);
    pn_sync_list_reset(&list);
}

static void without_a_list__the_disk_is_waited_for(void **state)
{
    static const char *const calls[] = {"create a", "write a", "sync a", "sync ."};
    place *p = *state;
    pn_error err = {0};
    pn_fd_watch(take_call, p);
    assert_int_equal(pn_sync_list_write(NULL, in(p, "a"), "1", 1, &err), PN_OK);
    assert_int_equal(pn_sync_list_add_folder(NULL, p->folder, &err), PN_OK);
    expect(p, calls, PN_COUNT_OF(calls));
}

static void a_full_list__is_settled(void **state)
{
    place *p = *state;
    pn_error err = {0};
    pn_sync_list list = {.n = 0};
    size_t n_synced = 0;
    pn_fd_watch(take_call, p);
    for (int i = 0; i <= PN_SYNC_LIST_MAX; i++)
        assert_int_equal(
            pn_sync_list_write(&list, in(p, pn_arena_printf(&p->arena, "%d", i)), "1", 1, &err),
            PN_OK);
    assert_int_equal(list.n, 1);
    for (size_t i = 0; i < p->n_calls; i++)
        n_synced += strncmp(p->calls[i], "sync ", 5) == 0;
    assert_int_equal(n_synced, PN_SYNC_LIST_MAX);
    pn_sync_list_reset(&list); // forgotten, and its file closed
    assert_int_equal(list.n, 0);
}

static void an_error__is_told_with_the_name(void **state)
{
    place *p = *state;
    pn_sync_list list = {.n = 0};
    for (int n = 1; n <= 3; n++) { // a's sync, b's, the folder's
        static const char *const names[] = {"a:", "b:", ""};
        pn_error err = {0};
        assert_int_equal(pn_path_remove(in(p, "a"), &err), PN_OK);
        assert_int_equal(pn_path_remove(in(p, "b"), &err), PN_OK);
        assert_int_equal(pn_sync_list_write(&list, in(p, "a"), "1", 1, &err), PN_OK);
        assert_int_equal(pn_sync_list_write(&list, in(p, "b"), "1", 1, &err), PN_OK);
        assert_int_equal(pn_sync_list_add_folder(&list, p->folder, &err), PN_OK);
        pn_fd_fault_after(n, EIO);
        assert_int_equal(pn_sync_list_settle(&list, &err), PN_ERR_IO);
        pn_fd_fault_after(0, 0);
        assert_non_null(strstr(err.message, p->folder));
        assert_non_null(strstr(err.message, names[n - 1]));
        assert_int_equal(list.n, 3);
        pn_sync_list_reset(&list);
    }
}

/* How many files this process has open. */
static size_t count_open(place *p)
{
    char **names;
    size_t n = 0;
    assert_int_equal(pn_dir_list("/proc/self/fd", &p->arena, &names, &n, NULL), PN_OK);
    return n;
}

static void lost_memory__loses_no_descriptor(void **state)
{
    place *p = *state;
    pn_status status = PN_ERR_NOMEM;
    char *path = in(p, "a");
    size_t n_open = count_open(p);
    for (int n = 1; status != PN_OK; n++) {
        pn_error err = {0};
        pn_sync_list list = {.n = 0};
        assert_true(n < 20);
        assert_int_equal(pn_path_remove(path, &err), PN_OK);
        pn_alloc_fail_after(n);
        status = pn_sync_list_write(&list, path, "1", 1, &err);
        if (status == PN_OK)
            status = pn_sync_list_add_folder(&list, p->folder, &err);
        pn_alloc_fail_after(0);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        pn_sync_list_reset(&list);
        assert_int_equal(count_open(p), n_open);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settling__syncs_files_then_folders_once, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_list__the_disk_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_list__is_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error__is_told_with_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_memory__loses_no_descriptor, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

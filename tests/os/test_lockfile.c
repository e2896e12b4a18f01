/*
 * test_lockfile.c - one holder among processes, none after its death
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "support/faults.h"
#include "support/scratch_folder.h"

static int setup(void **state)
{
    return scratch_folder_setup(state);
}

static int teardown(void **state)
{
    return scratch_folder_teardown(state);
}

/* What another process gets. */
static pn_status try_elsewhere(const char *path)
{
    int code = 0;
    pid_t child = fork();
    if (child == 0) {
        pn_lockfile *lock;
        _exit((int)pn_lockfile_take(path, &lock, NULL)); // the kernel frees it
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    return (pn_status)WEXITSTATUS(code);
}

static void lock__has_one_holder(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_lockfile *lock, *second = NULL;
    char *path = scratch_path(s, "lock");
    assert_int_equal(pn_lockfile_take(path, &lock, &err), PN_OK);
    assert_int_equal(try_elsewhere(path), PN_ERR_CONFLICT);
    assert_int_equal(pn_lockfile_take(path, &second, &err), PN_ERR_CONFLICT); // nor here
    assert_null(second);
    assert_non_null(strstr(err.message, path));
    pn_lockfile_release(lock);
    assert_true(pn_path_exists(path));
    assert_int_equal(try_elsewhere(path), PN_OK);
    assert_int_equal(pn_lockfile_take(path, &lock, &err), PN_OK);
    pn_lockfile_release(lock);
    pn_lockfile_release(NULL);
    assert_int_equal(pn_lockfile_take(scratch_path(s, "none/lock"), &lock, &err), PN_ERR_IO);
}

static void a_killed_holder__leaves_the_lock_free(void **state)
{
    scratch_folder *s = *state;
    pn_lockfile *lock;
    int ends[2];
    char byte;
    char *path = scratch_path(s, "lock");
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        pn_lockfile *mine;
        byte = (char)pn_lockfile_take(path, &mine, NULL);
        if (write(ends[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    pn_status while_held = pn_lockfile_take(path, &lock, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(byte, PN_OK);
    assert_int_equal(while_held, PN_ERR_CONFLICT);
    assert_int_equal(pn_lockfile_take(path, &lock, NULL), PN_OK);
    pn_lockfile_release(lock);
}

static pn_status take_and_release(void *context, pn_error *err)
{
    pn_lockfile *lock;
    PN_TRY(pn_lockfile_take(context, &lock, err));
    pn_lockfile_release(lock);
    return PN_OK;
}

static void no_memory__leaves_the_lock_free(void **state)
{
    scratch_folder *s = *state;
    assert_int_equal(faults_each_allocation(take_and_release, scratch_path(s, "lock")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lock__has_one_holder, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_holder__leaves_the_lock_free, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory__leaves_the_lock_free, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

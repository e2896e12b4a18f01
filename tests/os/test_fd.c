/*
 * test_fd.c - whole reads and writes, names that appear at once, and every fault on the way
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "os/dir.h"
#include "os/fd.h"
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

static void expect_content(const char *path, const char *want)
{
    pn_buffer bytes;
    pn_error err = {0};
    pn_buffer_init(&bytes, 1 << 20);
    if (pn_file_read(path, &bytes, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_string_equal(pn_buffer_text(&bytes), want);
    pn_buffer_reset(&bytes);
}

static size_t count_entries(scratch_folder *s)
{
    char **names;
    size_t n;
    assert_int_equal(pn_dir_list(s->path, &s->arena, &names, &n, NULL), PN_OK);
    return n;
}

static void open__keeps_the_rules_of_its_mode(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_fd fd = 77;
    char *path = scratch_path(s, "a");
    assert_int_equal(pn_fd_open(path, PN_OPEN_READ, &fd, &err), PN_ERR_NOT_FOUND);
    assert_int_equal(fd, 77);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(pn_fd_open(path, PN_OPEN_CREATE_NEW, &fd, &err), PN_OK);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(pn_fd_write(fd, path, "abcdef", 6, &err), PN_OK);
    pn_fd_close(fd);
    assert_int_equal(pn_fd_open(path, PN_OPEN_CREATE_NEW, &fd, &err), PN_ERR_EXISTS);
    expect_content(path, "abcdef");
    assert_int_equal(pn_fd_open(path, PN_OPEN_REPLACE, &fd, &err), PN_OK);
    assert_int_equal(pn_fd_write(fd, path, "x", 1, &err), PN_OK);
    pn_fd_close(fd);
    expect_content(path, "x");
    assert_int_equal(pn_fd_open(path, PN_OPEN_APPEND, &fd, &err), PN_OK);
    assert_int_equal(pn_fd_write(fd, path, "yz", 2, &err), PN_OK);
    pn_fd_close(fd);
    expect_content(path, "xyz");
    assert_int_equal(pn_fd_open(scratch_path(s, "a/b"), PN_OPEN_READ, &fd, &err),
                     PN_ERR_NOT_FOUND); // a file is no folder
    assert_int_equal(pn_fd_open(s->path, PN_OPEN_REPLACE, &fd, &err), PN_ERR_IO);
    pn_fd_close(PN_FD_NONE);
}

static void link__takes_the_place_of_what_is_there(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char *link = scratch_file(s, "link", "a file");
    (void)scratch_file(s, "one", "first");
    (void)scratch_file(s, "two", "second");
    assert_int_equal(pn_path_link("one", link, &err), PN_OK);
    expect_content(link, "first");
    assert_int_equal(pn_path_link("two", link, &err), PN_OK);
    expect_content(link, "second");
    expect_content(scratch_path(s, "one"), "first"); // the link was removed, not what it led to
    assert_int_equal(pn_path_link("one", scratch_path(s, "none/link"), &err), PN_ERR_NOT_FOUND);
}

static void info__tells_size_and_kind(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_file_info info, again;
    pn_fd fd;
    char *path = scratch_file(s, "a", "12345");
    assert_int_equal(pn_path_info(path, &info, &err), PN_OK);
    assert_int_equal(info.size_bytes, 5);
    assert_true(info.is_regular);
    assert_false(info.is_folder);
    assert_true(info.modified_ns > (int64_t)1700000000 * 1000000000);
    assert_int_equal(pn_fd_open(path, PN_OPEN_READ, &fd, &err), PN_OK);
    assert_int_equal(pn_fd_info(fd, path, &again, &err), PN_OK);
    assert_int_equal(again.size_bytes, info.size_bytes);
    assert_true(again.modified_ns == info.modified_ns);
    pn_fd_close(fd);
    assert_int_equal(pn_path_info(s->path, &info, &err), PN_OK);
    assert_true(info.is_folder);
    assert_false(info.is_regular);
    assert_int_equal(pn_path_info("/dev/null", &info, &err), PN_OK);
    assert_false(info.is_folder || info.is_regular);
    assert_int_equal(pn_path_info(scratch_path(s, "none"), &info, &err), PN_ERR_NOT_FOUND);
    assert_int_equal(pn_fd_info(-5, "bad", &info, &err), PN_ERR_IO);
    assert_true(pn_path_exists(path));
    assert_false(pn_path_exists(scratch_path(s, "none")));
}

static void read_at__gives_all_bytes_or_an_error(void **state)
{
    scratch_folder *s = *state;
    enum { N = 10000 };
    static char bytes[N + 1], out[N];
    pn_error err = {0};
    pn_fd fd;
    pn_rng rng = pn_rng_seed(1);
    for (int i = 0; i < N; i++)
        bytes[i] = (char)('a' + pn_rng_below(&rng, 26));
    char *path = scratch_file(s, "a", bytes);
    assert_int_equal(pn_fd_open(path, PN_OPEN_READ, &fd, &err), PN_OK);
    for (int round = 0; round < 500; round++) {
        size_t at = pn_rng_below(&rng, N + 1), n = pn_rng_below(&rng, N - at + 1);
        pn_fd_fault_short(round % 2 ? 1 + pn_rng_below(&rng, 700) : 0);
        if (round % 3 == 0)
            pn_fd_fault_reads_after(1 + (int64_t)pn_rng_below(&rng, 5), EINTR);
        memset(out, 0, n);
        assert_int_equal(pn_fd_read_at(fd, path, at, out, n, &err), PN_OK);
        assert_memory_equal(out, bytes + at, n);
    }
    assert_int_equal(pn_fd_read_at(fd, path, N - 5, out, 6, &err), PN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "ends at byte 10000"));
    assert_int_equal(pn_fd_read_at(fd, path, (uint64_t)N + 100, out, 1, &err), PN_ERR_CORRUPT);
    pn_fd_fault_short(100);
    pn_fd_fault_reads_after(3, EIO);
    assert_int_equal(pn_fd_read_at(fd, path, 0, out, 1000, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, path));
    pn_fd_close(fd);
}

static void write__moves_all_bytes_however_short_the_steps(void **state)
{
    scratch_folder *s = *state;
    static char bytes[3001];
    pn_error err = {0};
    char *path = scratch_path(s, "a");
    memset(bytes, 'q', 3000);
    memcpy(bytes, "begin", 5);
    memcpy(bytes + 2997, "end", 3);
    for (size_t step = 1; step < 5000; step = step * 3 + 1) {
        pn_fd fd;
        assert_int_equal(pn_fd_open(path, PN_OPEN_REPLACE, &fd, &err), PN_OK);
        pn_fd_fault_short(step);
        pn_fd_fault_after(1, EINTR); // met by the first of the writes, which is repeated
        assert_int_equal(pn_fd_write(fd, path, bytes, 3000, &err), PN_OK);
        pn_fd_fault_after(1, EINTR);
        assert_int_equal(pn_fd_sync(fd, path, &err), PN_OK);
        pn_fd_close(fd);
        expect_content(path, bytes);
    }
}

static void a_full_disk__is_an_error_with_the_name(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_fd fd;
    char *path = scratch_path(s, "a");
    assert_int_equal(pn_fd_open(path, PN_OPEN_REPLACE, &fd, &err), PN_OK);
    pn_fd_fault_short(10);
    pn_fd_fault_after(3, ENOSPC);
    assert_int_equal(pn_fd_write(fd, path, "0123456789012345678901234567890", 31, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "No space left"));
    expect_content(path, "01234567890123456789");
    pn_fd_fault_after(1, EIO);
    assert_int_equal(pn_fd_sync(fd, path, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "cannot sync"));
    pn_fd_close(fd);
    assert_int_equal(pn_fd_open("/dev/full", PN_OPEN_REPLACE, &fd, &err),
                     PN_OK); // the kernel's own
    assert_int_equal(pn_fd_write(fd, "/dev/full", "a", 1, &err), PN_ERR_IO);
    pn_fd_close(fd);
}

static void on_alarm(int number)
{
    (void)number;
}

static void signals__do_not_end_a_read(void **state)
{
    (void)state;
    pn_error err = {0};
    int ends[2];
    char bytes[10];
    size_t n = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)usleep(60000);
        _exit(write(ends[1], "abc", 3) == 3 ? 0 : 1);
    }
    struct sigaction action = {.sa_handler = on_alarm}, old; // without SA_RESTART
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    (void)sigaction(SIGALRM, &action, &old);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    pn_status status = pn_fd_read_some(ends[0], "pipe", bytes, sizeof bytes, &n, &err);
    (void)setitimer(ITIMER_REAL, &never, NULL);
    (void)sigaction(SIGALRM, &old, NULL);
    (void)waitpid(child, NULL, 0);
    (void)close(ends[1]);
    assert_int_equal(status, PN_OK);
    assert_int_equal(n, 3);
    assert_int_equal(pn_fd_read_some(ends[0], "pipe", bytes, sizeof bytes, &n, &err), PN_OK);
    assert_int_equal(n, 0); // the end
    (void)close(ends[0]);
    assert_int_equal(pn_fd_read_some(-5, "bad", bytes, 1, &n, &err), PN_ERR_IO);
}

static void file_read__appends_up_to_the_maximum(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_buffer bytes;
    char *path = scratch_file(s, "a", "0123456789");
    for (size_t max = 10; max <= 14; max++) {
        pn_buffer_init(&bytes, max);
        assert_int_equal(pn_buffer_append_text(&bytes, "ab", &err), PN_OK);
        pn_fd_fault_short(3);
        assert_int_equal(pn_file_read(path, &bytes, &err), max < 12 ? PN_ERR_LIMIT : PN_OK);
        if (max >= 12)
            assert_string_equal(pn_buffer_text(&bytes), "ab0123456789");
        else
            assert_int_equal(bytes.n_bytes, 2);
        pn_buffer_reset(&bytes);
    }
    pn_buffer_init(&bytes, 100);
    assert_int_equal(pn_file_read(s->path, &bytes, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(pn_file_read(scratch_path(s, "none"), &bytes, &err), PN_ERR_NOT_FOUND);
    assert_int_equal(pn_file_read("/dev/zero", &bytes, &err), PN_ERR_LIMIT); // says no size
    assert_non_null(strstr(err.message, "100"));
    for (int64_t n = 1; n <= 3; n++) { // open, read, and the read that finds the end
        pn_fd_fault_reads_after(n, EIO);
        pn_buffer_clear(&bytes);
        pn_fd_fault_short(0);
        assert_int_equal(pn_file_read(path, &bytes, &err), PN_ERR_IO);
    }
    pn_buffer_reset(&bytes);
}

static void file_read__takes_standard_input_for_a_dash(void **state)
{
    (void)state;
    int ends[2];
    pn_buffer bytes;
    pn_error err = {0};
    pn_buffer_init(&bytes, 100);
    int saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "from a pipe", 11), 11);
    (void)close(ends[1]);
    (void)dup2(ends[0], STDIN_FILENO);
    pn_status status = pn_file_read("-", &bytes, &err);
    if (saved >= 0)
        (void)dup2(saved, STDIN_FILENO);
    (void)close(saved);
    (void)close(ends[0]);
    assert_int_equal(status, PN_OK);
    assert_string_equal(pn_buffer_text(&bytes), "from a pipe");
    pn_buffer_reset(&bytes);
}

static void write_atomic__leaves_the_old_or_the_new_content(void **state)
{
    static const int numbers[] = {EIO, ENOSPC};
    scratch_folder *s = *state;
    pn_error err = {0};
    char *path = scratch_path(s, "a");
    assert_int_equal(pn_file_write_atomic(path, "old", 3, &err), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(numbers); i++) {
        int64_t n = 1;
        for (;; n++) {
            pn_fd_fault_after(n, numbers[i]);
            pn_status status = pn_file_write_atomic(path, "new", 3, &err);
            pn_fd_fault_after(0, 0);
            assert_int_equal(count_entries(s), 1); // no temporary file is left
            if (status == PN_OK)
                break;
            assert_int_equal(status, PN_ERR_IO);
            expect_content(path, n <= 4 ? "old" : "new"); // the fifth is the folder's fsync
            assert_int_equal(pn_file_write_atomic(path, "old", 3, &err), PN_OK);
        }
        assert_int_equal(n, 6); // create, write, fsync, rename, fsync of the folder
        expect_content(path, "new");
        assert_int_equal(pn_file_write_atomic(path, "old", 3, &err), PN_OK);
    }
    assert_int_equal(pn_file_write_atomic(scratch_path(s, "none/a"), "x", 1, &err),
                     PN_ERR_NOT_FOUND);
}

static void overwrite__keeps_the_file_and_leaves_no_tail(void **state)
{
    static const char *const texts[] = {"first", "a longer one", "short", ""};
    scratch_folder *s = *state;
    pn_error err = {0};
    char *path = scratch_path(s, "a"), *other = scratch_path(s, "b");
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        assert_int_equal(pn_file_overwrite(path, texts[i], strlen(texts[i]), &err), PN_OK);
        expect_content(path, texts[i]);
        if (i == 0)
            assert_int_equal(link(path, other), 0);
        expect_content(other, texts[i]);
    }
    pn_fd_fault_after(1, EACCES);
    assert_int_equal(pn_file_overwrite(path, "x", 1, &err), PN_ERR_IO);
    pn_fd_fault_after(2, ENOSPC);
    assert_int_equal(pn_file_overwrite(path, "x", 1, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(pn_file_overwrite(scratch_path(s, "none/a"), "x", 1, &err), PN_ERR_NOT_FOUND);
}

static void write_atomic__finds_its_folder(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char *before = getcwd(NULL, 0);
    assert_int_equal(chdir(s->path), 0);
    pn_status status = pn_file_write_atomic("plain", "x", 1, &err);
    assert_int_equal(chdir(before), 0);
    free(before);
    assert_int_equal(status, PN_OK);
    expect_content(scratch_path(s, "plain"), "x");
    assert_int_equal(pn_file_write_atomic("/dev/none/x", "x", 1, &err), PN_ERR_NOT_FOUND);
}

static pn_status write_it(void *context, pn_error *err)
{
    return pn_file_write_atomic(context, "new", 3, err);
}

static pn_status read_it(void *context, pn_error *err)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, 1000);
    pn_status status = pn_file_read(context, &bytes, err);
    pn_buffer_reset(&bytes);
    return status;
}

static void no_memory__changes_no_file(void **state)
{
    scratch_folder *s = *state;
    char *path = scratch_file(s, "a", "old");
    assert_int_equal(faults_each_allocation(write_it, path), 2);
    expect_content(path, "new");
    assert_int_equal(faults_each_allocation(read_it, path), 2);
    assert_int_equal(count_entries(s), 1);
}

static void rename_if_absent__never_replaces(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char *from = scratch_file(s, "from", "new"), *to = scratch_file(s, "to", "old");
    char *free_name = scratch_path(s, "free");
    /* 0: link() works; EPERM and ENOTSUP: it says that there are no hard links, as some file systems do. */
    static const int links[] = {0, EPERM, ENOTSUP, EMLINK};
    for (size_t i = 0; i < PN_COUNT_OF(links); i++) {
        pn_fd_fault_after(links[i] ? 1 : 0, links[i]);
        assert_int_equal(pn_path_rename_if_absent(from, to, &err), PN_ERR_EXISTS);
        assert_non_null(strstr(err.message, to));
        expect_content(to, "old");
        expect_content(from, "new");
        pn_fd_fault_after(links[i] ? 1 : 0, links[i]);
        assert_int_equal(pn_path_rename_if_absent(from, free_name, &err), PN_OK);
        expect_content(free_name, "new");
        assert_false(pn_path_exists(from));
        assert_int_equal(pn_path_rename(free_name, from, &err), PN_OK);
    }
    pn_fd_fault_after(1, EIO);
    assert_int_equal(pn_path_rename_if_absent(from, free_name, &err), PN_ERR_IO);
    assert_false(pn_path_exists(free_name));
    expect_content(from, "new");
    pn_fd_fault_after(2, EIO); // the old name stays, the change is made
    assert_int_equal(pn_path_rename_if_absent(from, free_name, &err), PN_OK);
    expect_content(free_name, "new");
    assert_int_equal(pn_path_rename_if_absent(scratch_path(s, "none"), scratch_path(s, "x"), &err),
                     PN_ERR_NOT_FOUND);
}

static void rename_if_absent__has_one_winner(void **state)
{
    enum { N = 8 };
    scratch_folder *s = *state;
    char *to = scratch_path(s, "to");
    pid_t children[N];
    int n_won = 0;
    for (int i = 0; i < N; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "from%d", i);
        char *from = scratch_file(s, name, name);
        children[i] = fork();
        if (children[i] == 0) {
            pn_status status = pn_path_rename_if_absent(from, to, NULL);
            _exit(status == PN_OK ? 1 : status == PN_ERR_EXISTS ? 0 : 2);
        }
    }
    for (int i = 0; i < N; i++) {
        int code = 0;
        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_true(WIFEXITED(code) && WEXITSTATUS(code) <= 1);
        n_won += WEXITSTATUS(code);
    }
    assert_int_equal(n_won, 1);
    assert_int_equal(count_entries(s), N);
}

static void rename_and_remove__say_what_failed(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char *a = scratch_file(s, "a", "1"), *b = scratch_file(s, "b", "2");
    pn_fd_fault_after(1, EIO);
    assert_int_equal(pn_path_rename(a, b, &err), PN_ERR_IO);
    expect_content(b, "2");
    assert_int_equal(pn_path_rename(a, b, &err), PN_OK);
    expect_content(b, "1");
    assert_int_equal(pn_path_rename(a, b, &err), PN_ERR_NOT_FOUND);
    pn_fd_fault_after(1, EIO);
    assert_int_equal(pn_path_remove(b, &err), PN_ERR_IO);
    assert_true(pn_path_exists(b));
    assert_int_equal(pn_path_remove(b, &err), PN_OK);
    assert_int_equal(pn_path_remove(b, &err), PN_OK);           // a missing one is fine
    assert_int_equal(pn_path_remove(s->path, &err), PN_ERR_IO); // a folder is not
    assert_int_equal(pn_folder_sync(s->path, &err), PN_OK);
    assert_int_equal(pn_folder_sync(b, &err), PN_ERR_NOT_FOUND);
}

static void errors__become_the_status_that_fits(void **state)
{
    static const struct {
        int number;
        pn_status status;
    } cases[] = {{ENOENT, PN_ERR_NOT_FOUND}, {ENOTDIR, PN_ERR_NOT_FOUND}, {EEXIST, PN_ERR_EXISTS},
                 {ENOMEM, PN_ERR_NOMEM},     {EMFILE, PN_ERR_IO},         {EACCES, PN_ERR_IO}};
    scratch_folder *s = *state;
    char *path = scratch_file(s, "a", "1");
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_fd fd;
        pn_fd_fault_reads_after(1, cases[i].number);
        assert_int_equal(pn_fd_open(path, PN_OPEN_READ, &fd, &err), cases[i].status);
        assert_non_null(strstr(err.message, strerror(cases[i].number)));
        pn_fd_fault_after(1, cases[i].number);
        assert_int_equal(pn_fd_open(path, PN_OPEN_REPLACE, &fd, &err), cases[i].status);
    }
    expect_content(path, "1");
}

static void the_environment__can_order_a_fault(void **state)
{
    scratch_folder *s = *state;
    char *path = scratch_path(s, "a");
    static const struct {
        const char *text;
        int code; /* of the child: 0 it got through, 1 an error, 9 ended by the fault */
    } cases[] = {{"2", 9},   {"2:0", 9}, {"1:5", 1},   {"6:5", 0}, {"", 0},
                 {"x:5", 0}, {"1:x", 0}, {"1:5:6", 0}, {"0", 0}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        int code = 0;
        pid_t child = fork();
        if (child == 0) {
            (void)setenv("PN_FAULT", cases[i].text, 1);
            pn_fd_fault_from_environment();
            _exit(pn_file_write_atomic(path, "x", 1, NULL) == PN_OK ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_true(WIFEXITED(code));
        assert_int_equal(WEXITSTATUS(code), cases[i].code);
    }
    (void)unsetenv("PN_FAULT");
    pn_fd_fault_from_environment();
    assert_int_equal(pn_file_write_atomic(path, "x", 1, NULL), PN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open__keeps_the_rules_of_its_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(link__takes_the_place_of_what_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(info__tells_size_and_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(read_at__gives_all_bytes_or_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(write__moves_all_bytes_however_short_the_steps, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_disk__is_an_error_with_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(signals__do_not_end_a_read, setup, teardown),
        cmocka_unit_test_setup_teardown(file_read__appends_up_to_the_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(file_read__takes_standard_input_for_a_dash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(write_atomic__leaves_the_old_or_the_new_content, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(overwrite__keeps_the_file_and_leaves_no_tail, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(write_atomic__finds_its_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory__changes_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(rename_if_absent__never_replaces, setup, teardown),
        cmocka_unit_test_setup_teardown(rename_if_absent__has_one_winner, setup, teardown),
        cmocka_unit_test_setup_teardown(rename_and_remove__say_what_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(errors__become_the_status_that_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(the_environment__can_order_a_fault, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

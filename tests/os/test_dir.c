/*
 * test_dir.c - listing, walking (links, loops, depth), making and removing folders
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
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

static void list__is_sorted_by_bytes_and_complete(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char **names;
    size_t n = 77;
    char name[16];
    assert_int_equal(pn_dir_list(s->path, &s->arena, &names, &n, &err), PN_OK);
    assert_int_equal(n, 0);
    for (int i = 0; i < 300; i++) { // more than the first array holds
        (void)snprintf(name, sizeof name, "%03d", (i * 77) % 300);
        (void)scratch_file(s, name, "");
    }
    (void)scratch_file(s, ".hidden", "");
    (void)scratch_file(s, "Z", "");
    (void)scratch_file(s, "a", "");
    (void)scratch_file(s, "\xC3\xA9", "");
    assert_int_equal(pn_dir_list(s->path, &s->arena, &names, &n, &err), PN_OK);
    assert_int_equal(n, 304);
    assert_string_equal(names[0], ".hidden");
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "%03d", i);
        assert_string_equal(names[i + 1], name);
    }
    assert_string_equal(names[301], "Z");
    assert_string_equal(names[302], "a");
    assert_string_equal(names[303], "\xC3\xA9");
    assert_int_equal(pn_dir_list(scratch_path(s, "none"), &s->arena, &names, &n, &err),
                     PN_ERR_NOT_FOUND);
    assert_int_equal(pn_dir_list(scratch_path(s, "a"), &s->arena, &names, &n, &err),
                     PN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/a"));
}

typedef struct walked {
    scratch_folder *s;
    char text[4096];
    int stop_at; /* the visit that says CANCELLED; 0: none */
    int n;
} walked;

static pn_status note(void *context, const char *path, pn_error *err)
{
    walked *w = context;
    size_t root = strlen(w->s->path) + 1, used = strlen(w->text);
    (void)snprintf(w->text + used, sizeof w->text - used, "%s ", path + root);
    if (++w->n == w->stop_at)
        return pn_fail(err, PN_ERR_CANCELLED, "enough");
    return PN_OK;
}

static void make_tree(scratch_folder *s)
{
    assert_int_equal(pn_dir_make(scratch_path(s, "b/c"), NULL), PN_OK);
    assert_int_equal(pn_dir_make(scratch_path(s, ".dark"), NULL), PN_OK);
    (void)scratch_file(s, "z", "");
    (void)scratch_file(s, "a", "");
    (void)scratch_file(s, "b/2", "");
    (void)scratch_file(s, "b/1", "");
    (void)scratch_file(s, "b/.hidden", "");
    (void)scratch_file(s, "b/c/deep", "");
    (void)scratch_file(s, ".dark/x", "");
}

static void walk__visits_every_file_in_order(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    walked w = {.s = s};
    make_tree(s);
    assert_int_equal(pn_dir_walk(s->path, note, &w, &err), PN_OK);
    assert_string_equal(w.text, "a b/1 b/2 b/c/deep z ");
    w = (walked){.s = s, .stop_at = 3};
    assert_int_equal(pn_dir_walk(s->path, note, &w, &err), PN_ERR_CANCELLED);
    assert_string_equal(w.text, "a b/1 b/2 ");
    assert_string_equal(err.message, "enough");
    assert_int_equal(pn_dir_walk(scratch_path(s, "none"), note, &w, &err), PN_ERR_NOT_FOUND);
}

static void walk__follows_links_to_files_only(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    walked w = {.s = s};
    make_tree(s);
    assert_int_equal(symlink(s->path, scratch_path(s, "b/loop")), 0);
    assert_int_equal(symlink("..", scratch_path(s, "b/c/up")), 0);
    assert_int_equal(symlink("self", scratch_path(s, "self")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(s, "dangling")), 0);
    assert_int_equal(symlink("../z", scratch_path(s, "b/link")), 0);
    assert_int_equal(mkfifo(scratch_path(s, "fifo"), 0600), 0);
    assert_int_equal(pn_dir_walk(s->path, note, &w, &err), PN_OK);
    assert_string_equal(w.text, "a b/1 b/2 b/c/deep b/link z ");
}

/* path/d/d/d... with depth folders below the root. */
static char *make_deep(scratch_folder *s, int depth)
{
    char *path = scratch_path(s, "deep");
    for (int i = 1; i < depth; i++)
        path = pn_path_join(&s->arena, path, "d");
    assert_int_equal(pn_dir_make(path, NULL), PN_OK);
    return path;
}

static void walk__goes_64_folders_deep(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    walked w = {.s = s};
    char *deepest = make_deep(s, 64);
    FILE *file = fopen(pn_path_join(&s->arena, deepest, "f"), "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(pn_dir_walk(s->path, note, &w, &err), PN_OK);
    assert_int_equal(w.n, 1);
    assert_int_equal(mkdir(pn_path_join(&s->arena, deepest, "d"), 0700), 0);
    assert_int_equal(pn_dir_walk(s->path, note, &w, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "64"));
    assert_int_equal(pn_dir_remove_all(s->path, &err), PN_ERR_LIMIT);
    assert_int_equal(rmdir(pn_path_join(&s->arena, deepest, "d")), 0);
    assert_int_equal(pn_dir_remove_all(s->path, &err), PN_OK);
    assert_false(pn_path_exists(s->path));
}

static void make__makes_parents_and_accepts_what_is_there(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    static const char *const names[] = {"one", "two/three/four", "two//five/", "two/three/four",
                                        "."};
    for (size_t i = 0; i < PN_COUNT_OF(names); i++) {
        pn_file_info info;
        assert_int_equal(pn_dir_make(scratch_path(s, names[i]), &err), PN_OK);
        assert_int_equal(pn_path_info(scratch_path(s, names[i]), &info, &err), PN_OK);
        assert_true(info.is_folder);
    }
    assert_int_equal(pn_dir_make("/", &err), PN_OK);
    (void)scratch_file(s, "file", "");
    assert_int_equal(pn_dir_make(scratch_path(s, "file"), &err), PN_ERR_IO);
    assert_int_equal(pn_dir_make(scratch_path(s, "file/below"), &err), PN_ERR_IO);
    char *before = getcwd(NULL, 0);
    assert_int_equal(chdir(s->path), 0);
    pn_status status = pn_dir_make("relative/below", &err);
    assert_int_equal(chdir(before), 0);
    free(before);
    assert_int_equal(status, PN_OK);
    assert_true(pn_path_exists(scratch_path(s, "relative/below")));
}

static void make__tells_every_fault_and_can_be_repeated(void **state)
{
    scratch_folder *s = *state;
    char *path = scratch_path(s, "x/y");
    int64_t n = 1;
    for (;; n++) {
        pn_error err = {0};
        pn_fd_fault_after(n, ENOSPC);
        pn_status status = pn_dir_make(path, &err);
        pn_fd_fault_after(0, 0);
        if (status == PN_OK)
            break;
        assert_int_equal(status, PN_ERR_IO);
        assert_non_null(strstr(err.message, s->path));
        assert_int_equal(pn_dir_make(path, &err), PN_OK);
        assert_int_equal(pn_dir_remove_all(scratch_path(s, "x"), &err), PN_OK);
    }
    assert_int_equal(n, 5); // two folders, each made and synced into its parent
    assert_true(pn_path_exists(path));
}

/* Another process removes the same folder, and is faster with what is named. */
static void remove_first(void *context, const char *what, const char *path)
{
    const char *const *name = context;
    if (strcmp(path, *name) != 0)
        return;
    assert_int_equal(strcmp(what, "rmdir") == 0 ? rmdir(path) : unlink(path), 0);
}

static void remove_all__may_be_overtaken(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    const char *const names[] = {"a/b/file", "a/b", "a"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = scratch_path(s, names[i]);
        assert_int_equal(pn_dir_make(scratch_path(s, "a/b"), &err), PN_OK);
        assert_int_equal(pn_file_write_atomic(scratch_path(s, "a/b/file"), "x", 1, &err), PN_OK);
        pn_fd_watch(remove_first, &name);
        pn_status status = pn_dir_remove_all(scratch_path(s, "a"), &err);
        pn_fd_watch(NULL, NULL);
        if (status != PN_OK)
            fail_msg("%s: %s", names[i], err.message);
        assert_false(pn_path_exists(scratch_path(s, "a")));
    }
}

static void remove_all__removes_links_not_what_they_name(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    make_tree(s);
    assert_int_equal(pn_dir_make(scratch_path(s, "outside"), &err), PN_OK);
    (void)scratch_file(s, "outside/precious", "1");
    assert_int_equal(symlink(scratch_path(s, "outside"), scratch_path(s, "b/link")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(s, "b/dangling")), 0);
    assert_int_equal(pn_dir_remove_all(scratch_path(s, "b"), &err), PN_OK);
    assert_false(pn_path_exists(scratch_path(s, "b")));
    assert_true(pn_path_exists(scratch_path(s, "outside/precious")));
    assert_int_equal(pn_dir_remove_all(scratch_path(s, "b"), &err), PN_OK); // a missing one is fine
    assert_int_equal(pn_dir_remove_all(scratch_path(s, "a"), &err), PN_OK); // a file too
    assert_false(pn_path_exists(scratch_path(s, "a")));
    assert_int_equal(pn_dir_remove_all(scratch_path(s, "z/below"), &err), PN_ERR_NOT_FOUND);
    pn_fd_fault_after(2, EIO); // the file goes, its folder cannot
    assert_int_equal(pn_dir_remove_all(scratch_path(s, "outside"), &err), PN_ERR_IO);
    assert_true(pn_path_exists(scratch_path(s, "outside")));
    assert_false(pn_path_exists(scratch_path(s, "outside/precious")));
}

static void remove_empty__leaves_what_has_something_in_it(void **state)
{
    scratch_folder *s = *state;
    assert_int_equal(pn_dir_make(scratch_path(s, "one/two"), NULL), PN_OK);
    assert_false(pn_dir_remove_empty(scratch_path(s, "one")));
    assert_true(pn_dir_remove_empty(scratch_path(s, "one/two")));
    assert_false(pn_dir_remove_empty(scratch_path(s, "one/two")));
    (void)scratch_file(s, "one/file", "1");
    assert_false(pn_dir_remove_empty(scratch_path(s, "one")));
    assert_false(pn_dir_remove_empty(scratch_path(s, "one/file")));
    assert_true(pn_path_exists(scratch_path(s, "one/file")));
}

static void join__has_one_slash(void **state)
{
    scratch_folder *s = *state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},           {"a", "/b", "/b"},
        {"/", "b", "/b"},  {"a", "", "a/"},    {"a/b", "c/d", "a/b/c/d"}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++)
        assert_string_equal(pn_path_join(&s->arena, cases[i][0], cases[i][1]), cases[i][2]);
}

static void real__resolves_links(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char *real, *root;
    assert_int_equal(pn_path_real(s->path, &s->arena, &root, &err), PN_OK);
    (void)scratch_file(s, "a", "");
    assert_int_equal(symlink("a", scratch_path(s, "link")), 0);
    assert_int_equal(symlink("loop", scratch_path(s, "loop")), 0);
    assert_int_equal(pn_path_real(scratch_path(s, "./../x/../link"), &s->arena, &real, &err),
                     PN_ERR_NOT_FOUND);
    assert_int_equal(pn_path_real(scratch_path(s, ".//link"), &s->arena, &real, &err), PN_OK);
    assert_string_equal(real, pn_path_join(&s->arena, root, "a"));
    assert_int_equal(pn_path_real(scratch_path(s, "loop"), &s->arena, &real, &err), PN_ERR_IO);
}

static void temporary__is_new_each_time(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    char *a, *b;
    const char *old = getenv("TMPDIR");
    char *kept = old ? strdup(old) : NULL;
    (void)setenv("TMPDIR", s->path, 1);
    pn_status first = pn_dir_make_temporary("t", &s->arena, &a, &err);
    pn_status second = pn_dir_make_temporary("t", &s->arena, &b, &err);
    (void)setenv("TMPDIR", scratch_path(s, "none"), 1);
    pn_status missing = pn_dir_make_temporary("t", &s->arena, &b, &err);
    (void)setenv("TMPDIR", "", 1);
    char *c;
    pn_status usual = pn_dir_make_temporary("t", &s->arena, &c, &err);
    if (kept)
        (void)setenv("TMPDIR", kept, 1);
    else
        (void)unsetenv("TMPDIR");
    free(kept);
    assert_int_equal(first, PN_OK);
    assert_int_equal(second, PN_OK);
    assert_int_equal(missing, PN_ERR_NOT_FOUND);
    assert_int_equal(usual, PN_OK);
    assert_memory_equal(c, "/tmp/t-", 7);
    assert_int_equal(pn_dir_remove_all(c, &err), PN_OK);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, s->path, strlen(s->path));
    assert_true(pn_path_exists(a) && pn_path_exists(b));
}

static pn_status visit_nothing(void *context, const char *path, pn_error *err)
{
    (void)context;
    (void)path;
    (void)err;
    return PN_OK;
}

static pn_status use_everything(void *context, pn_error *err)
{
    pn_arena arena;
    char **names, *path;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dir_list(context, &arena, &names, &n, err);
    if (status == PN_OK)
        status = pn_path_real(context, &arena, &path, err);
    pn_arena_reset(&arena);
    if (status == PN_OK)
        status = pn_dir_walk(context, visit_nothing, NULL, err);
    if (status == PN_OK)
        status = pn_dir_make(context, err);
    return status;
}

static pn_status remove_everything(void *context, pn_error *err)
{
    return pn_dir_remove_all(context, err);
}

static void no_memory__is_said_everywhere(void **state)
{
    scratch_folder *s = *state;
    make_tree(s);
    for (int i = 0; i < 200; i++) {
        char name[60];
        (void)snprintf(name, sizeof name, "a name that is long enough to fill a block %d", i);
        (void)scratch_file(s, name, "");
    }
    assert_true(faults_each_allocation(use_everything, s->path) >= 10);
    assert_true(faults_each_allocation(remove_everything, scratch_path(s, "b")) >= 4);
    pn_arena small;
    char *path;
    pn_arena_init(&small, 0);
    assert_null(pn_path_join(&small, "a", "b"));
    assert_int_equal(pn_dir_make_temporary("t", &small, &path, NULL), PN_ERR_NOMEM);
    assert_int_equal(pn_path_real("/", &small, &path, NULL), PN_ERR_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(list__is_sorted_by_bytes_and_complete, setup, teardown),
        cmocka_unit_test_setup_teardown(walk__visits_every_file_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(walk__follows_links_to_files_only, setup, teardown),
        cmocka_unit_test_setup_teardown(walk__goes_64_folders_deep, setup, teardown),
        cmocka_unit_test_setup_teardown(make__makes_parents_and_accepts_what_is_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(make__tells_every_fault_and_can_be_repeated, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(remove_all__may_be_overtaken, setup, teardown),
        cmocka_unit_test_setup_teardown(remove_all__removes_links_not_what_they_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(remove_empty__leaves_what_has_something_in_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(join__has_one_slash, setup, teardown),
        cmocka_unit_test_setup_teardown(real__resolves_links, setup, teardown),
        cmocka_unit_test_setup_teardown(temporary__is_new_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory__is_said_everywhere, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

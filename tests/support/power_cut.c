/*
 * power_cut.c - a second tree, of what was synced
 *
 *     shadow/bytes/INODE     what the file with this inode had when it was synced last
 *     shadow/names/...       the tree of synced names; its files are links to those in bytes
 *
 * A sync of a file writes its bytes anew, in place, so that all its names have them; a sync of a folder makes its names anew. Each call is
 * told before it is made and may not come to be made, so it is taken into account at the next one.
 */
#include "support/power_cut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "os/dir.h"
#include "os/fd.h"

/* No call of pn_fd's that changes the disk: those are being watched and counted. */

typedef enum call_kind { CALL_NONE, CALL_CREATE, CALL_SYNC } call_kind;

static struct {
    char root[PATH_MAX], shadow[PATH_MAX];
    call_kind pending;
    char path[PATH_MAX];
} watched;

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "power_cut: %s\n", what);
    _exit(7);
}

static void join(char out[PATH_MAX], const char *a, const char *b)
{
    need(snprintf(out, PATH_MAX, "%s/%s", a, b) < PATH_MAX, "a path that is too long");
}

static void path_of_bytes(const char *shadow, ino_t inode, char out[PATH_MAX])
{
    need(snprintf(out, PATH_MAX, "%s/bytes/%llu", shadow, (unsigned long long)inode) < PATH_MAX,
         "a path that is too long");
}

/* The first n bytes of `from`, or all if there are fewer. */
static void copy_bytes(const char *from, size_t n, const char *to)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, SIZE_MAX);
    need(pn_file_read(from, &bytes, NULL) == PN_OK, from);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    need(fd >= 0, to);
    n = n < bytes.n_bytes ? n : bytes.n_bytes;
    need(n == 0 || write(fd, bytes.data, n) == (ssize_t)n, to);
    need(close(fd) == 0, to);
    pn_buffer_reset(&bytes);
}

static void make_folder(const char *path)
{
    struct stat st;
    need(mkdir(path, 0777) == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)), path);
}

/* Names in a folder; none when there is no such folder. */
static char **list(const char *path, pn_arena *arena, size_t *n)
{
    char **names = NULL;
    pn_status status = pn_dir_list(path, arena, &names, n, NULL);
    need(status == PN_OK || status == PN_ERR_NOT_FOUND, path);
    if (status != PN_OK)
        *n = 0;
    return names;
}

static void remove_tree(const char *path)
{
    struct stat st;
    pn_arena arena;
    size_t n;
    if (lstat(path, &st) != 0)
        return;
    if (!S_ISDIR(st.st_mode)) {
        need(unlink(path) == 0, path);
        return;
    }
    pn_arena_init(&arena, SIZE_MAX);
    char **names = list(path, &arena, &n);
    for (size_t i = 0; i < n; i++) {
        char inside[PATH_MAX];
        join(inside, path, names[i]);
        remove_tree(inside);
    }
    need(rmdir(path) == 0, path);
    pn_arena_reset(&arena);
}

/* ---- keeping account ---- */

static void sync_file(const char *path, const struct stat *st, const char *shadow)
{
    char bytes[PATH_MAX];
    path_of_bytes(shadow, st->st_ino, bytes);
    copy_bytes(path, SIZE_MAX, bytes);
}

static void sync_name(const char *path, const char *shadow, const char *name)
{
    struct stat st;
    char bytes[PATH_MAX];
    need(lstat(path, &st) == 0, path);
    if (S_ISDIR(st.st_mode)) {
        make_folder(name);
        return;
    }
    path_of_bytes(shadow, st.st_ino, bytes);
    if (access(bytes, F_OK) != 0)
        copy_bytes("/dev/null", 0, bytes); // it has a name and no bytes
    remove_tree(name);
    need(link(bytes, name) == 0, name);
}

static void sync_folder(const char *path, const char *shadow, const char *names)
{
    pn_arena arena;
    size_t n;
    char inside[PATH_MAX], name[PATH_MAX];
    need(access(names, F_OK) == 0, "a folder was synced whose name was not");
    pn_arena_init(&arena, SIZE_MAX);
    char **gone = list(names, &arena, &n);
    for (size_t i = 0; i < n; i++) {
        join(inside, path, gone[i]);
        join(name, names, gone[i]);
        if (access(inside, F_OK) != 0)
            remove_tree(name);
    }
    char **there = list(path, &arena, &n);
    for (size_t i = 0; i < n; i++) {
        join(inside, path, there[i]);
        join(name, names, there[i]);
        sync_name(inside, shadow, name);
    }
    pn_arena_reset(&arena);
}

static void sync_tree(const char *path, const char *shadow, const char *names)
{
    struct stat st;
    pn_arena arena;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    char **there = list(path, &arena, &n);
    for (size_t i = 0; i < n; i++) {
        char inside[PATH_MAX], name[PATH_MAX];
        join(inside, path, there[i]);
        join(name, names, there[i]);
        need(lstat(inside, &st) == 0, inside);
        if (!S_ISDIR(st.st_mode))
            sync_file(inside, &st, shadow);
        sync_name(inside, shadow, name);
        if (S_ISDIR(st.st_mode))
            sync_tree(inside, shadow, name);
    }
    pn_arena_reset(&arena);
}

void power_cut_snapshot(const char *root, const char *shadow)
{
    char path[PATH_MAX];
    remove_tree(shadow);
    make_folder(shadow);
    join(path, shadow, "bytes");
    make_folder(path);
    join(path, shadow, "names");
    make_folder(path);
    sync_tree(root, shadow, path);
}

/* The call that was told is made now. */
static void take_account(void)
{
    struct stat st;
    char path[PATH_MAX], names[PATH_MAX];
    call_kind pending = watched.pending;
    watched.pending = CALL_NONE;
    if (pending == CALL_NONE || stat(watched.path, &st) != 0)
        return;
    if (pending == CALL_CREATE) { // the inode may have been another file's
        path_of_bytes(watched.shadow, st.st_ino, path);
        need(unlink(path) == 0 || access(path, F_OK) != 0, path);
    } else if (S_ISDIR(st.st_mode)) {
        join(path, watched.shadow, "names");
        join(names, path, watched.path + strlen(watched.root));
        sync_folder(watched.path, watched.shadow, names);
    } else {
        sync_file(watched.path, &st, watched.shadow);
    }
}

static void take_call(void *context, const char *what, const char *path)
{
    size_t n = strlen(watched.root);
    (void)context;
    take_account();
    if (strncmp(path, watched.root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return;
    if (strcmp(what, "sync") == 0)
        watched.pending = CALL_SYNC;
    else if (strcmp(what, "create") == 0 && access(path, F_OK) != 0)
        watched.pending = CALL_CREATE;
    need(snprintf(watched.path, sizeof watched.path, "%s", path) < PATH_MAX, path);
}

void power_cut_watch(const char *root, const char *shadow)
{
    need(snprintf(watched.root, sizeof watched.root, "%s", root) < PATH_MAX, root);
    need(snprintf(watched.shadow, sizeof watched.shadow, "%s", shadow) < PATH_MAX, shadow);
    watched.pending = CALL_NONE;
    pn_fd_watch(take_call, NULL);
}

void power_cut_unwatch(void)
{
    pn_fd_watch(NULL, NULL);
    take_account();
}

/* ---- what is left ---- */

static bool keeps_names(power_cut_kind kind, const char *folder)
{
    const char *name = strrchr(folder, '/');
    bool versions = name && strcmp(name, "/_versions") == 0;
    return kind == POWER_CUT_LOSES_BYTES || kind == POWER_CUT_TEARS_BYTES ||
           (kind == POWER_CUT_KEEPS_VERSIONS && versions) ||
           (kind == POWER_CUT_LOSES_VERSIONS && !versions);
}

static void leave_file(const char *live, const struct stat *st, const char *shadow,
                       power_cut_kind kind, const char *out)
{
    char bytes[PATH_MAX];
    path_of_bytes(shadow, st->st_ino, bytes);
    if (access(bytes, F_OK) == 0)
        copy_bytes(bytes, SIZE_MAX, out);
    else
        copy_bytes(live, kind == POWER_CUT_TEARS_BYTES ? (size_t)st->st_size / 2 : 0, out);
}

static void leave_folder(const char *live, const char *names, const char *shadow,
                         power_cut_kind kind, const char *out)
{
    pn_arena arena;
    size_t n;
    bool kept = keeps_names(kind, live);
    pn_arena_init(&arena, SIZE_MAX);
    make_folder(out);
    char **there = list(kept ? live : names, &arena, &n);
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        char a[PATH_MAX], b[PATH_MAX], c[PATH_MAX];
        join(a, live, there[i]);
        join(b, names, there[i]);
        join(c, out, there[i]);
        need(lstat(kept ? a : b, &st) == 0, b);
        if (S_ISDIR(st.st_mode))
            leave_folder(a, b, shadow, kind, c);
        else if (kept)
            leave_file(a, &st, shadow, kind, c);
        else
            copy_bytes(b, SIZE_MAX, c);
    }
    pn_arena_reset(&arena);
}

void power_cut_leave(const char *root, const char *shadow, power_cut_kind kind, const char *out)
{
    char names[PATH_MAX];
    join(names, shadow, "names");
    remove_tree(out);
    leave_folder(root, names, shadow, kind, out);
}

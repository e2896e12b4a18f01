/*
 * dir.c - folders
 *
 * A walk follows links to files (shops link photos) and not links to folders (a link to a parent never ends). Names are
 * sorted, so that two walks of the same folder give the same order whatever the file system.
 */
#include "os/dir.h"

#include "base/alloc.h"
#include "os/fd.h"
#include "os/internal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 64 };

static pn_status fail_errno(pn_error *err, const char *what, const char *path)
{
    char text[128];
    int number = errno;
    return pn_fail(err, number == ENOENT || number == ENOTDIR ? PN_ERR_NOT_FOUND : PN_ERR_IO,
                   "%s: %s: %s", path, what, strerror_r(number, text, sizeof text));
}

char *pn_path_join(pn_arena *arena, const char *a, const char *b)
{
    if (b[0] == '/' || a[0] == '\0')
        return pn_arena_strdup(arena, b);
    return pn_arena_printf(arena, a[strlen(a) - 1] == '/' ? "%s%s" : "%s/%s", a, b);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static pn_status read_names(DIR *dir, const char *path, pn_arena *arena, char ***names, size_t *n,
                            pn_error *err)
{
    size_t capacity = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir); // one thread per DIR: safe with glibc
        if (!entry)
            return errno == 0 ? PN_OK : fail_errno(err, "cannot read the folder", path);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*n == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            char **more = pn_realloc(*names, capacity * sizeof *more);
            if (!more)
                return pn_fail_nomem(err);
            *names = more;
        }
        (*names)[*n] = pn_arena_strdup(arena, entry->d_name);
        if (!(*names)[*n])
            return pn_fail_nomem(err);
        ++*n;
    }
}

pn_status pn_dir_list(const char *path, pn_arena *arena, char ***names, size_t *n, pn_error *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return fail_errno(err, "cannot open the folder", path);
    char **found = NULL;
    size_t n_found = 0;
    pn_status status = read_names(dir, path, arena, &found, &n_found, err);
    (void)closedir(dir); // reading is over
    if (status == PN_OK && n_found > 0)
        qsort(found, n_found, sizeof *found, compare_names);
    char **copy = status == PN_OK ? PN_ARENA_NEW(arena, char *, n_found + 1) : NULL;
    if (copy) {
        if (n_found > 0)
            memcpy(copy, found, n_found * sizeof *copy);
        *names = copy;
        *n = n_found;
    } else if (status == PN_OK) {
        status = pn_fail_nomem(err);
    }
    pn_free(found);
    return status;
}

static pn_status walk(const char *path, unsigned depth, pn_dir_visit visit, void *context,
                      pn_error *err)
{
    if (depth > MAX_DEPTH)
        return pn_fail(err, PN_ERR_LIMIT, "%s: over %d folders deep", path, MAX_DEPTH);
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char **names;
    size_t n = 0;
    pn_status status = pn_dir_list(path, &arena, &names, &n, err);
    for (size_t i = 0; status == PN_OK && i < n; i++) {
        struct stat entry;
        if (names[i][0] == '.')
            continue;
        pn_arena_mark mark = pn_arena_get_mark(&arena);
        char *full = pn_path_join(&arena, path, names[i]);
        if (!full)
            status = pn_fail_nomem(err);
        else if (lstat(full, &entry) != 0)
            continue; // gone since it was listed
        else if (S_ISDIR(entry.st_mode))
            status = walk(full, depth + 1, visit, context, err);
        else if (stat(full, &entry) == 0 && S_ISREG(entry.st_mode))
            status = visit(context, full, err);
        pn_arena_rewind(&arena, mark);
    }
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_dir_walk(const char *root, pn_dir_visit visit, void *context, pn_error *err)
{
    return walk(root, 0, visit, context, err);
}

static bool is_folder(const char *path)
{
    struct stat entry;
    return stat(path, &entry) == 0 && S_ISDIR(entry.st_mode);
}

/* Make one folder; its name lasts once its parent is synced. */
static pn_status make_one(char *path, pn_error *err)
{
    if (is_folder(path))
        return PN_OK;
    if (pn_fd_mkdir(path) != 0)
        return errno == EEXIST && is_folder(path) ? PN_OK
                                                  : fail_errno(err, "cannot make the folder", path);
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return pn_folder_sync(slash ? "/" : ".", err);
    *slash = '\0';
    pn_status status = pn_folder_sync(path, err);
    *slash = '/';
    return status;
}

pn_status pn_dir_make(const char *path, pn_error *err)
{
    char *part = pn_strdup(path);
    if (!part)
        return pn_fail_nomem(err);
    pn_status status = PN_OK;
    for (char *at = part + 1; status == PN_OK && part[0] != '\0'; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        bool last = *at == '\0';
        *at = '\0';
        status = make_one(part, err);
        if (last)
            break;
        *at = '/';
    }
    pn_free(part);
    return status;
}

static pn_status remove_all(const char *path, unsigned depth, pn_error *err)
{
    struct stat entry;
    if (lstat(path, &entry) != 0)
        return errno == ENOENT ? PN_OK : fail_errno(err, "cannot look at", path);
    if (!S_ISDIR(entry.st_mode))
        return pn_path_remove(path, err);
    if (depth > MAX_DEPTH)
        return pn_fail(err, PN_ERR_LIMIT, "%s: over %d folders deep", path, MAX_DEPTH);
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char **names;
    size_t n = 0;
    pn_status status = pn_dir_list(path, &arena, &names, &n, err);
    for (size_t i = 0; status == PN_OK && i < n; i++) {
        char *full = pn_path_join(&arena, path, names[i]);
        status = full ? remove_all(full, depth + 1, err) : pn_fail_nomem(err);
    }
    pn_arena_reset(&arena);
    if (status == PN_OK && pn_fd_rmdir(path) != 0 && errno != ENOENT) // another was faster
        status = fail_errno(err, "cannot remove the folder", path);
    return status;
}

pn_status pn_dir_remove_all(const char *path, pn_error *err)
{
    return remove_all(path, 0, err);
}

bool pn_dir_remove_empty(const char *path)
{
    return pn_fd_rmdir(path) == 0;
}

pn_status pn_dir_make_temporary(const char *prefix, pn_arena *arena, char **path, pn_error *err)
{
    const char *root = getenv("TMPDIR");
    char *name = pn_arena_printf(arena, "%s/%s-XXXXXX", root && root[0] ? root : "/tmp", prefix);
    if (!name)
        return pn_fail_nomem(err);
    if (!mkdtemp(name))
        return fail_errno(err, "cannot make a temporary folder", name);
    *path = name;
    return PN_OK;
}

pn_status pn_path_real(const char *path, pn_arena *arena, char **out, pn_error *err)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return fail_errno(err, "cannot resolve", path);
    char *copy = pn_arena_strdup(arena, real);
    if (!copy)
        return pn_fail_nomem(err);
    *out = copy;
    return PN_OK;
}

bool pn_path_is_inside(const char *path, const char *folder)
{
    char real[PATH_MAX], root[PATH_MAX];
    if (!realpath(path, real) || !realpath(folder, root))
        return false;
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
    return strncmp(real, root, n) == 0 && (real[n] == '/' || real[n] == '\0');
}

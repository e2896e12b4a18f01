/*
 * dir.h - folders: list, walk, make
 * Threads: pure calls.
 */
#ifndef PN_OS_DIR_H
#define PN_OS_DIR_H

#include "base/arena.h"
#include "base/status.h"

/* Names (not paths) of the entries of a folder, sorted bytewise, without "." and "..". They live in arena. */
PN_NODISCARD pn_status pn_dir_list(const char *path, pn_arena *arena, char ***names, size_t *n,
                                   pn_error *err);

/* Called for every regular file below the root, depth first, names sorted. path is root joined with the
 * relative path. Return other than PN_OK to stop the walk with that status. */
typedef pn_status (*pn_dir_visit)(void *context, const char *path, pn_error *err);

/* Symbolic links to files are followed, links to folders are not (no endless walks). Entries that begin with a dot are
 * left out. At most 64 levels deep. */
PN_NODISCARD pn_status pn_dir_walk(const char *root, pn_dir_visit visit, void *context,
                                   pn_error *err);

/* Make the folder and its missing parents, each synced into its parent. An existing folder is fine. */
PN_NODISCARD pn_status pn_dir_make(const char *path, pn_error *err);
/* Remove a folder and all below it; a missing one is fine. For tests and for `drop`. */
PN_NODISCARD pn_status pn_dir_remove_all(const char *path, pn_error *err);
/* Remove a folder that has nothing in it. One that has, or is not there, stays as it is: false. */
bool pn_dir_remove_empty(const char *path);
/* A new empty folder under $TMPDIR or /tmp, its path in arena. */
PN_NODISCARD pn_status pn_dir_make_temporary(const char *prefix, pn_arena *arena, char **path,
                                             pn_error *err);
/* "a" + "b" -> "a/b" in arena; NULL when there is no memory. An absolute b is returned as it is. */
PN_NODISCARD char *pn_path_join(pn_arena *arena, const char *a, const char *b);
/* Does path lie in folder (or is it the folder itself), once symbolic links are followed? False when either is not there. */
bool pn_path_is_inside(const char *path, const char *folder);
/* Absolute and free of symbolic links. */
PN_NODISCARD pn_status pn_path_real(const char *path, pn_arena *arena, char **out, pn_error *err);

#endif

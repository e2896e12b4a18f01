/*
 * sync_list.h - what must be on the disk before something may refer to it
 *
 * Files are written one after another and put on the list; the disk begins with each at once, and nobody waits. Settling the list
 * waits for all of them: a file system with a journal then writes it once, where a wait after each file would have it written once
 * a file.
 * A zeroed list is an empty one. Threads: one at a time.
 */
#ifndef PN_OS_SYNC_LIST_H
#define PN_OS_SYNC_LIST_H

#include "os/fd.h"

/* Files that are open at the same time at most: one more, and those before it are settled. */
enum { PN_SYNC_LIST_MAX = 32 };

typedef struct pn_sync_item {
    pn_fd fd; /* PN_FD_NONE: a folder */
    char *path;
} pn_sync_item;

typedef struct pn_sync_list {
    pn_sync_item items[PN_SYNC_LIST_MAX];
    size_t n;
} pn_sync_list;

/* A file that is written: fd is the list's from here on, also after an error. list NULL: wait for the disk here. */
PN_NODISCARD pn_status pn_sync_list_add(pn_sync_list *list, pn_fd fd, const char *path,
                                        pn_error *err);
/* A folder in which names were made; naming it again is free. list NULL: wait for the disk here. */
PN_NODISCARD pn_status pn_sync_list_add_folder(pn_sync_list *list, const char *path, pn_error *err);
/* Write a new file, and add it; EXISTS when there is one. */
PN_NODISCARD pn_status pn_sync_list_write(pn_sync_list *list, const char *path, const void *bytes,
                                          size_t n, pn_error *err);

/* All of it is on the disk, and the list is empty. IO: something is not; the list can then only be reset, because the kernel tells of
 * bytes that it lost once, and never again. */
PN_NODISCARD pn_status pn_sync_list_settle(pn_sync_list *list, pn_error *err);

/* Forget all of it, without waiting. */
void pn_sync_list_reset(pn_sync_list *list);

#endif

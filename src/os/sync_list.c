/*
 * sync_list.c - write all, then wait
 *
 * fsync() makes the file system commit its journal, with everything in it: on ext4 the first call of a list takes along what the
 * others need, if their bytes were handed to the disk before it. The calls that follow find little to do, and are made all the
 * same: no standard promises what ext4 does.
 *
 * Files before folders: a name that lasts without its bytes helps nobody.
 */
#include "os/sync_list.h"

#include "base/alloc.h"

#include <string.h>

/* Room for one more. */
static pn_status make_room(pn_sync_list *list, pn_error *err)
{
    return list->n < PN_SYNC_LIST_MAX ? PN_OK : pn_sync_list_settle(list, err);
}

static pn_status put(pn_sync_list *list, pn_fd fd, const char *path, pn_error *err)
{
    PN_TRY(make_room(list, err));
    char *copy = pn_strdup(path);
    if (!copy)
        return pn_fail_nomem(err);
    list->items[list->n++] = (pn_sync_item){fd, copy};
    return PN_OK;
}

pn_status pn_sync_list_add(pn_sync_list *list, pn_fd fd, const char *path, pn_error *err)
{
    pn_status status;
    if (list) {
        pn_fd_begin_write_back(fd, 0, 0);
        status = put(list, fd, path, err);
    } else {
        status = pn_fd_sync(fd, path, err);
    }
    if (!list || status != PN_OK)
        pn_fd_close(fd);
    return status;
}

pn_status pn_sync_list_add_folder(pn_sync_list *list, const char *path, pn_error *err)
{
    if (!list)
        return pn_folder_sync(path, err);
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].fd == PN_FD_NONE && strcmp(list->items[i].path, path) == 0)
            return PN_OK;
    return put(list, PN_FD_NONE, path, err);
}

pn_status pn_sync_list_write(pn_sync_list *list, const char *path, const void *bytes, size_t n,
                             pn_error *err)
{
    pn_fd fd;
    PN_TRY(pn_fd_open(path, PN_OPEN_CREATE_NEW, &fd, err));
    pn_status status = pn_fd_write(fd, path, bytes, n, err);
    if (status == PN_OK)
        return pn_sync_list_add(list, fd, path, err);
    pn_fd_close(fd);
    return status;
}

pn_status pn_sync_list_settle(pn_sync_list *list, pn_error *err)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].fd != PN_FD_NONE)
            PN_TRY(pn_fd_sync(list->items[i].fd, list->items[i].path, err));
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].fd == PN_FD_NONE)
            PN_TRY(pn_folder_sync(list->items[i].path, err));
    pn_sync_list_reset(list);
    return PN_OK;
}

void pn_sync_list_reset(pn_sync_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        pn_fd_close(list->items[i].fd);
        pn_free(list->items[i].path);
    }
    list->n = 0;
}

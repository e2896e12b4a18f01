/*
 * internal.h - between the files of os
 */
#ifndef PN_OS_INTERNAL_H
#define PN_OS_INTERNAL_H

#include <stdbool.h>

/* mkdir and rmdir, counted by the fault switch: -1 and errno. */
int pn_fd_mkdir(const char *path);
int pn_fd_rmdir(const char *path);

/* Counts one call that reads. True: it must fail, errno is set. */
bool pn_fd_read_fault(void);

#endif

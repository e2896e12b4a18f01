/*
 * internal.h - between the files of os
 */
#ifndef PN_OS_INTERNAL_H
#define PN_OS_INTERNAL_H

/* mkdir and rmdir, counted by the fault switch: -1 and errno. */
int pn_fd_mkdir(const char *path);
int pn_fd_rmdir(const char *path);

#endif

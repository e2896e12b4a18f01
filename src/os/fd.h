/*
 * fd.h - files, and nothing else of the kernel's file interface
 *
 * Reads and writes are whole: short reads and writes, EINTR are dealt with here. Errors name the path.
 * A fault switch lets tests make the n-th write, fsync, rename or link fail, or end the process there; two more do so for reads,
 * and make reads and writes short. All are always compiled and off.
 * Threads: a descriptor may be read from several threads at once (pread).
 */
#ifndef PN_OS_FD_H
#define PN_OS_FD_H

#include "base/buffer.h"
#include "base/status.h"

typedef int pn_fd;
#define PN_FD_NONE (-1)

typedef enum pn_open_mode {
    PN_OPEN_READ,
    PN_OPEN_CREATE_NEW, /* write; PN_ERR_EXISTS when the file is there */
    PN_OPEN_REPLACE,    /* write; an old file of that name is truncated */
    PN_OPEN_APPEND      /* write behind what is there; made when it is not */
} pn_open_mode;

typedef struct pn_file_info {
    uint64_t size_bytes;
    int64_t modified_ns; /* since 1970 */
    int64_t changed_ns;  /* the same, of content, name, owner or mode: nobody sets it back */
    bool is_folder;
    bool is_regular;
} pn_file_info;

/* NOT_FOUND, EXISTS, IO. Close-on-exec. */
PN_NODISCARD pn_status pn_fd_open(const char *path, pn_open_mode mode, pn_fd *out, pn_error *err);
void pn_fd_close(pn_fd fd); /* PN_FD_NONE is welcome */

PN_NODISCARD pn_status pn_fd_info(pn_fd fd, const char *path, pn_file_info *out, pn_error *err);
PN_NODISCARD pn_status pn_path_info(const char *path, pn_file_info *out, pn_error *err);
bool pn_path_exists(const char *path);

/* Exactly n bytes at offset; CORRUPT when the file ends before. path is for the message. */
PN_NODISCARD pn_status pn_fd_read_at(pn_fd fd, const char *path, uint64_t offset, void *out,
                                     size_t n, pn_error *err);
/* Up to n bytes from the current position; *n_read 0 at the end (also for pipes). */
PN_NODISCARD pn_status pn_fd_read_some(pn_fd fd, const char *path, void *out, size_t n,
                                       size_t *n_read, pn_error *err);
/* Wait at most timeout_ms, less when a signal comes, for something to read (or the end); files are always ready. A fault
 * counts as ready: the read will tell. */
bool pn_fd_wait_input(pn_fd fd, int timeout_ms);
/* All n bytes behind the current position. */
PN_NODISCARD pn_status pn_fd_write(pn_fd fd, const char *path, const void *bytes, size_t n,
                                   pn_error *err);
/* Let the disk begin with n bytes at offset, and do not wait: a later sync has less to wait for. Only a hint. */
void pn_fd_begin_write_back(pn_fd fd, uint64_t offset, uint64_t n);
/* Wait until the file's bytes are on the disk. */
PN_NODISCARD pn_status pn_fd_sync(pn_fd fd, const char *path, pn_error *err);

/* The whole file appended to out (whose maximum bounds it). path "-" reads standard input. */
PN_NODISCARD pn_status pn_file_read(const char *path, pn_buffer *out, pn_error *err);
/* Write under a temporary name beside path, fsync, rename over path, fsync the folder: path has either its old
 * content or all of the new one. */
PN_NODISCARD pn_status pn_file_write_atomic(const char *path, const void *bytes, size_t n,
                                            pn_error *err);

/* The same without waiting for the disk: readers see the old content or the new one, a power cut may leave neither. */
PN_NODISCARD pn_status pn_file_write_soon(const char *path, const void *bytes, size_t n,
                                          pn_error *err);

/* Write n bytes over those of a file, which is made when there is none, and does not become another one: who reads at the same moment
 * may find a mixture, and a power cut may leave one. Cheap, for what is small and can be doubted. */
PN_NODISCARD pn_status pn_file_overwrite(const char *path, const void *bytes, size_t n,
                                         pn_error *err);

/* Give the file `from` the name `to` if that name is free; EXISTS otherwise. Atomic: link() and unlink(), or
 * renameat2(RENAME_NOREPLACE) where there are no hard links. `from` is gone afterwards in both cases of success. */
PN_NODISCARD pn_status pn_path_rename_if_absent(const char *from, const char *to, pn_error *err);
/* Make path a symbolic link to target, in the place of whatever file is there. */
PN_NODISCARD pn_status pn_path_link(const char *target, const char *path, pn_error *err);
/* Rename over whatever is at `to`. */
PN_NODISCARD pn_status pn_path_rename(const char *from, const char *to, pn_error *err);
/* A missing file is fine. */
PN_NODISCARD pn_status pn_path_remove(const char *path, pn_error *err);
/* fsync the folder itself, so that names made in it last. */
PN_NODISCARD pn_status pn_folder_sync(const char *path, pn_error *err);

/* For tests. The n-th call from now (1 = next) of a kind that changes the disk fails with err_number (an errno)
 * or, when err_number is 0, ends the process at once with status 9. n 0 switches it off. Also read once from the
 * environment as PN_FAULT=n:errno by pn_fd_fault_from_environment(). */
void pn_fd_fault_after(int64_t n, int err_number);
void pn_fd_fault_from_environment(void);
/* For tests. The n-th opening for reading, read or mapping from now fails with err_number; n 0 switches it off. */
void pn_fd_fault_reads_after(int64_t n, int err_number);
/* For tests. No read and no write moves more than most_bytes at once, as the kernel may do; 0: no bound. */
void pn_fd_fault_short(size_t most_bytes);

/* For tests of the order of things: told of each such call before it is made, with "create", "write", "sync", "link", "rename",
 * "remove", "mkdir" or "rmdir" and the path (of what is new, for link and rename). NULL switches it off. One thread at a time. */
void pn_fd_watch(void (*watch)(void *context, const char *what, const char *path), void *context);

#endif

/*
 * fd.c - whole reads, whole writes, errors with names, and a switch that breaks the disk
 *
 * Every call that changes the disk passes fault(): a counter that, when a test has set it, makes the n-th such call fail
 * with a chosen errno or ends the process there, as a power cut would. Calls that read pass pn_fd_read_fault() likewise. A test can
 * also watch the changes go by, each before it is made. In normal use it is two loads.
 *
 * rename-if-absent is link() and unlink(): link() fails with EEXIST when the name is taken, also on NFS, and both
 * names are never gone at once. File systems without hard links get renameat2(RENAME_NOREPLACE).
 */
#include "os/fd.h"

#include "base/alloc.h"
#include "base/str.h"
#include "os/internal.h"
#include "os/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic int64_t fault_countdown; /* 0: off; 1: the next call */
static _Atomic int fault_errno;
static _Atomic int64_t read_fault_countdown;
static _Atomic int read_fault_errno;
static _Atomic size_t most_at_once; /* 0: no bound */

void pn_fd_fault_after(int64_t n, int err_number)
{
    atomic_store(&fault_errno, err_number);
    atomic_store(&fault_countdown, n);
}

void pn_fd_fault_from_environment(void)
{
    const char *text = getenv("PN_FAULT");
    if (!text)
        return;
    pn_str rest = pn_str_of(text);
    int64_t n, number = 0;
    if (pn_str_to_i64(pn_str_split(&rest, ':'), &n) && (!rest.ptr || pn_str_to_i64(rest, &number)))
        pn_fd_fault_after(n, (int)number);
}

void pn_fd_fault_reads_after(int64_t n, int err_number)
{
    atomic_store(&read_fault_errno, err_number);
    atomic_store(&read_fault_countdown, n);
}

void pn_fd_fault_short(size_t most_bytes)
{
    atomic_store(&most_at_once, most_bytes);
}

/* True for the call that the countdown was set to; it is off afterwards. */
static bool count_down(_Atomic int64_t *countdown)
{
    if (PN_LIKELY(atomic_load_explicit(countdown, memory_order_relaxed) == 0))
        return false;
    int64_t left = atomic_fetch_sub(countdown, 1);
    if (left < 1) // two threads met at the end: it stays off
        atomic_store(countdown, 0);
    return left == 1;
}

bool pn_fd_read_fault(void)
{
    if (!count_down(&read_fault_countdown))
        return false;
    errno = atomic_load(&read_fault_errno);
    return true;
}

static size_t at_once(size_t n)
{
    size_t most = atomic_load_explicit(&most_at_once, memory_order_relaxed);
    return most > 0 ? PN_MIN(n, most) : n;
}

static void (*_Atomic watcher)(void *context, const char *what, const char *path);
static void *watcher_context; /* written before watcher, read after it */

void pn_fd_watch(void (*watch)(void *context, const char *what, const char *path), void *context)
{
    watcher_context = context;
    atomic_store(&watcher, watch);
}

/* True: this call must fail, errno is set. */
static bool fault(const char *what, const char *path)
{
    void (*watch)(void *, const char *, const char *) =
        atomic_load_explicit(&watcher, memory_order_acquire);
    if (watch)
        watch(watcher_context, what, path);
    if (!count_down(&fault_countdown))
        return false;
    int number = atomic_load(&fault_errno);
    if (number == 0)
        _exit(9);
    errno = number;
    return true;
}

static pn_status fail_errno(pn_error *err, int number, const char *what, const char *path)
{
    char text[128];
    const char *reason = strerror_r(number, text, sizeof text); // the GNU version returns the text
    pn_status status = number == ENOENT || number == ENOTDIR ? PN_ERR_NOT_FOUND
                       : number == EEXIST                    ? PN_ERR_EXISTS
                       : number == ENOMEM                    ? PN_ERR_NOMEM
                                                             : PN_ERR_IO;
    return pn_fail(err, status, "%s: %s: %s", path, what, reason);
}

pn_status pn_fd_open(const char *path, pn_open_mode mode, pn_fd *out, pn_error *err)
{
    int flags = O_RDONLY;
    if (mode == PN_OPEN_CREATE_NEW)
        flags = O_WRONLY | O_CREAT | O_EXCL;
    else if (mode == PN_OPEN_REPLACE)
        flags = O_WRONLY | O_CREAT | O_TRUNC;
    else if (mode == PN_OPEN_APPEND)
        flags = O_WRONLY | O_CREAT | O_APPEND;
    int fd;
    do {
        bool fails = mode == PN_OPEN_READ ? pn_fd_read_fault() : fault("create", path);
        fd = fails ? -1 : open(path, flags | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return fail_errno(err, errno, mode == PN_OPEN_READ ? "cannot open" : "cannot create", path);
    *out = fd;
    return PN_OK;
}

void pn_fd_close(pn_fd fd)
{
    if (fd != PN_FD_NONE)
        (void)close(fd); // the bytes were synced, or nobody needs them
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void take_info(const struct stat *st, pn_file_info *out)
{
    *out = (pn_file_info){.size_bytes = (uint64_t)st->st_size,
                          .modified_ns = nanoseconds(st->st_mtim),
                          .changed_ns = nanoseconds(st->st_ctim),
                          .is_folder = S_ISDIR(st->st_mode),
                          .is_regular = S_ISREG(st->st_mode)};
}

pn_status pn_fd_info(pn_fd fd, const char *path, pn_file_info *out, pn_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(err, errno, "cannot look at", path);
    take_info(&st, out);
    return PN_OK;
}

pn_status pn_path_info(const char *path, pn_file_info *out, pn_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fail_errno(err, errno, "cannot look at", path);
    take_info(&st, out);
    return PN_OK;
}

bool pn_path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

pn_status pn_fd_read_at(pn_fd fd, const char *path, uint64_t offset, void *out, size_t n,
                        pn_error *err)
{
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = pn_fd_read_fault() ? -1 : pread(fd, at, at_once(n), (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, errno, "cannot read", path);
        if (got == 0)
            return pn_fail(err, PN_ERR_CORRUPT,
                           "%s: the file ends at byte %" PRIu64 ", %zu more were expected", path,
                           offset, n);
        at += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return PN_OK;
}

pn_status pn_fd_read_some(pn_fd fd, const char *path, void *out, size_t n, size_t *n_read,
                          pn_error *err)
{
    ssize_t got;
    do {
        got = pn_fd_read_fault() ? -1 : read(fd, out, at_once(n));
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return fail_errno(err, errno, "cannot read", path);
    *n_read = (size_t)got;
    return PN_OK;
}

pn_status pn_fd_write(pn_fd fd, const char *path, const void *bytes, size_t n, pn_error *err)
{
    const uint8_t *at = bytes;
    while (n > 0) {
        ssize_t put = fault("write", path) ? -1 : write(fd, at, at_once(n));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_errno(err, errno, "cannot write", path);
        at += put;
        n -= (size_t)put;
    }
    return PN_OK;
}

bool pn_fd_wait_input(pn_fd fd, int timeout_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int n = poll(&waiting, 1, timeout_ms);
    return n > 0 || (n < 0 && errno != EINTR); // a signal is no input: the caller looks why it came
}

void pn_fd_begin_write_back(pn_fd fd, uint64_t offset, uint64_t n)
{
    (void)sync_file_range(fd, (off_t)offset, (off_t)n,
                          SYNC_FILE_RANGE_WRITE); // errors are the sync's to tell
}

pn_status pn_fd_sync(pn_fd fd, const char *path, pn_error *err)
{
    int failed;
    do {
        failed = fault("sync", path) ? -1 : fsync(fd);
    } while (failed && errno == EINTR);
    return failed ? fail_errno(err, errno, "cannot sync", path) : PN_OK;
}

static pn_status read_all(pn_fd fd, const char *path, pn_buffer *out, pn_error *err)
{
    enum { PIECE_BYTES = 1 << 16 };
    for (;;) {
        size_t room = PN_MIN((size_t)PIECE_BYTES, out->max_bytes - out->n_bytes);
        size_t got;
        if (room == 0) { // full: is that the end?
            uint8_t one;
            PN_TRY(pn_fd_read_some(fd, path, &one, 1, &got, err));
            return got == 0 ? PN_OK
                            : pn_fail(err, PN_ERR_LIMIT, "%s: over %zu bytes, which is the limit",
                                      path, out->max_bytes);
        }
        PN_TRY(pn_buffer_reserve(out, room, err));
        PN_TRY(pn_fd_read_some(fd, path, out->data + out->n_bytes, room, &got, err));
        if (got == 0)
            return PN_OK;
        out->n_bytes += got;
    }
}

pn_status pn_file_read(const char *path, pn_buffer *out, pn_error *err)
{
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", out, err);
    pn_fd fd;
    PN_TRY(pn_fd_open(path, PN_OPEN_READ, &fd, err));
    pn_file_info info;
    pn_status status = pn_fd_info(fd, path, &info, err);
    if (status == PN_OK && info.is_folder)
        status = pn_fail(err, PN_ERR_INVALID, "%s: is a folder", path);
    if (status == PN_OK && info.is_regular && info.size_bytes > out->max_bytes - out->n_bytes)
        status = pn_fail(err, PN_ERR_LIMIT, "%s: %" PRIu64 " bytes, the limit is %zu", path,
                         info.size_bytes, out->max_bytes - out->n_bytes);
    if (status == PN_OK && info.is_regular)
        status = pn_buffer_reserve(out, (size_t)info.size_bytes, err);
    if (status == PN_OK)
        status = read_all(fd, path, out, err);
    pn_fd_close(fd);
    return status;
}

/* The folder part of path ("." when there is none) in a new string. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return pn_strdup(".");
    return slash == path ? pn_strdup("/") : pn_strndup(path, (size_t)(slash - path));
}

static pn_status write_temporary(const char *temporary, const void *bytes, size_t n, bool waits,
                                 pn_error *err)
{
    pn_fd fd;
    PN_TRY(pn_fd_open(temporary, PN_OPEN_CREATE_NEW, &fd, err));
    pn_status status = pn_fd_write(fd, temporary, bytes, n, err);
    if (status == PN_OK && waits)
        status = pn_fd_sync(fd, temporary, err);
    pn_fd_close(fd);
    return status;
}

static pn_status write_in_place(const char *path, const void *bytes, size_t n, bool waits,
                                pn_error *err)
{
    uint8_t uuid[16];
    char text[PN_UUID_TEXT_BYTES];
    pn_uuid_make(uuid);
    pn_uuid_text(uuid, text);
    pn_status status = PN_OK;
    size_t room = strlen(path) + sizeof text + 8;
    char *temporary = pn_alloc(room);
    char *folder = folder_of(path);
    if (!temporary || !folder)
        PN_GOTO(done, pn_fail_nomem(err));
    (void)snprintf(temporary, room, "%s.%s.tmp", path, text); // room was measured
    status = write_temporary(temporary, bytes, n, waits, err);
    if (status == PN_OK)
        status = pn_path_rename(temporary, path, err);
    if (status != PN_OK) {
        (void)unlink(temporary); // the first error is the one to tell
        goto done;
    }
    if (waits)
        status = pn_folder_sync(folder, err);
done:
    pn_free(folder);
    pn_free(temporary);
    return status;
}

pn_status pn_file_write_atomic(const char *path, const void *bytes, size_t n, pn_error *err)
{
    return write_in_place(path, bytes, n, true, err);
}

pn_status pn_file_write_soon(const char *path, const void *bytes, size_t n, pn_error *err)
{
    return write_in_place(path, bytes, n, false, err);
}

pn_status pn_file_overwrite(const char *path, const void *bytes, size_t n, pn_error *err)
{
    int fd = fault("create", path) ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail_errno(err, errno, "cannot open", path);
    pn_status status = pn_fd_write(fd, path, bytes, n, err);
    if (status == PN_OK && ftruncate(fd, (off_t)n) != 0)
        status = fail_errno(err, errno, "cannot write", path);
    pn_fd_close(fd);
    return status;
}

pn_status pn_path_rename_if_absent(const char *from, const char *to, pn_error *err)
{
    if (!fault("link", to) && link(from, to) == 0) {
        /* The new name is there: whatever happens to the old one, the change is made. */
        if (!fault("remove", from))
            (void)unlink(from);
        return PN_OK;
    }
    if (errno == EPERM || errno == ENOTSUP || errno == EMLINK || errno == ENOSYS) {
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
            return PN_OK;
    }
    return fail_errno(err, errno, "cannot make", to);
}

pn_status pn_path_link(const char *target, const char *path, pn_error *err)
{
    PN_TRY(pn_path_remove(path, err));
    if (fault("link", path) || symlink(target, path) != 0)
        return fail_errno(err, errno, "cannot make", path);
    return PN_OK;
}

pn_status pn_path_rename(const char *from, const char *to, pn_error *err)
{
    if (fault("rename", to) || rename(from, to) != 0)
        return fail_errno(err, errno, "cannot rename", from);
    return PN_OK;
}

pn_status pn_path_remove(const char *path, pn_error *err)
{
    if (fault("remove", path) || (unlink(path) != 0 && errno != ENOENT))
        return fail_errno(err, errno, "cannot remove", path);
    return PN_OK;
}

pn_status pn_folder_sync(const char *path, pn_error *err)
{
    pn_fd fd;
    PN_TRY(pn_fd_open(path, PN_OPEN_READ, &fd, err));
    pn_status status = pn_fd_sync(fd, path, err);
    pn_fd_close(fd);
    return status;
}

/* dir.c makes and removes folders through these, so that they count as calls that change the disk. */
int pn_fd_mkdir(const char *path)
{
    return fault("mkdir", path) ? -1 : mkdir(path, 0777);
}

int pn_fd_rmdir(const char *path)
{
    return fault("rmdir", path) ? -1 : rmdir(path);
}

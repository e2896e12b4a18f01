/*
 * lockfile.c - flock(): the lock goes with the last descriptor, so a killed process leaves none behind
 */
#include "os/lockfile.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct pn_lockfile {
    int fd;
};

pn_status pn_lockfile_take(const char *path, pn_lockfile **out, pn_error *err)
{
    char text[128];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return pn_fail(err, PN_ERR_IO, "%s: cannot open the lock: %s", path,
                       strerror_r(errno, text, sizeof text));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int number = errno;
        (void)close(fd);
        if (number == EWOULDBLOCK)
            return pn_fail(err, PN_ERR_CONFLICT, "%s: another process holds the lock", path);
        return pn_fail(err, PN_ERR_IO, "%s: cannot lock: %s", path,
                       strerror_r(number, text, sizeof text));
    }
    pn_lockfile *lock = pn_alloc(sizeof *lock);
    if (!lock) {
        (void)close(fd);
        return pn_fail_nomem(err);
    }
    lock->fd = fd;
    *out = lock;
    return PN_OK;
}

void pn_lockfile_release(pn_lockfile *lock)
{
    if (!lock)
        return;
    (void)close(lock->fd); // ends the lock
    pn_free(lock);
}

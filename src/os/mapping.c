/*
 * mapping.c - mmap, and nothing clever
 */
#include "os/mapping.h"

#include "os/fd.h"
#include "os/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

pn_status pn_mapping_open(const char *path, pn_mapping *out, pn_error *err)
{
    pn_fd fd;
    pn_file_info info;
    PN_TRY(pn_fd_open(path, PN_OPEN_READ, &fd, err));
    pn_status status = pn_fd_info(fd, path, &info, err);
    if (status == PN_OK && !info.is_regular)
        status = pn_fail(err, PN_ERR_INVALID, "%s: not a regular file", path);
    if (status == PN_OK && info.size_bytes > PTRDIFF_MAX)
        status = pn_fail(err, PN_ERR_LIMIT, "%s: %" PRIu64 " bytes cannot be mapped", path,
                         info.size_bytes);
    void *data = NULL;
    if (status == PN_OK && info.size_bytes > 0) {
        data = pn_fd_read_fault()
                   ? MAP_FAILED
                   : mmap(NULL, (size_t)info.size_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED) {
            char text[128];
            status = pn_fail(err, PN_ERR_IO, "%s: cannot map: %s", path,
                             strerror_r(errno, text, sizeof text));
        }
    }
    pn_fd_close(fd);
    if (status == PN_OK)
        *out = (pn_mapping){.data = data, .n_bytes = (size_t)info.size_bytes};
    return status;
}

void pn_mapping_advise(const pn_mapping *mapping, size_t offset, size_t n, pn_mapping_advice advice)
{
    static const int advices[] = {[PN_MAPPING_NORMAL] = MADV_NORMAL,
                                  [PN_MAPPING_SEQUENTIAL] = MADV_SEQUENTIAL,
                                  [PN_MAPPING_RANDOM] = MADV_RANDOM,
                                  [PN_MAPPING_WILL_NEED] = MADV_WILLNEED,
                                  [PN_MAPPING_NOT_NOW] = MADV_DONTNEED};
    if (offset >= mapping->n_bytes)
        return;
    n = PN_MIN(n, mapping->n_bytes - offset);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t start = offset / page * page;
    uintptr_t address = (uintptr_t)mapping->data + start;
    (void)madvise((void *)address, n + (offset - start), advices[advice]); // advice may be ignored
}

void pn_memory_use_large_pages(void *block, size_t n_bytes)
{
    (void)madvise(block, n_bytes, MADV_HUGEPAGE); // the pages stay small where there are no others
}

void pn_mapping_close(pn_mapping *mapping)
{
    if (mapping->data)
        (void)munmap((void *)(uintptr_t)mapping->data,
                     mapping->n_bytes); // cannot fail for what mmap gave
    *mapping = (pn_mapping){0};
}

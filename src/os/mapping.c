/*
 * mapping.c - mmap, and nothing clever
 */
#include "os/mapping.h"

#include "os/fd.h"
#include "os/internal.h"

#include <errno.h>
#include <fcntl.h>
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

typedef struct pages {
    void *start;
    size_t offset, n_bytes; /* n_bytes 0: none */
} pages;

/* Those that bytes [offset, offset + n) touch. The last may be longer than the file. */
static pages pages_of(const pn_mapping *mapping, size_t offset, size_t n)
{
    if (offset >= mapping->n_bytes || n == 0)
        return (pages){0};
    n = PN_MIN(n, mapping->n_bytes - offset);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), start = offset / page * page;
    size_t n_pages = (n + (offset - start) + page - 1) / page;
    return (pages){(void *)((uintptr_t)mapping->data + start), start, n_pages * page};
}

void pn_mapping_advise(const pn_mapping *mapping, size_t offset, size_t n, pn_mapping_advice advice)
{
    static const int advices[] = {
        [PN_MAPPING_NORMAL] = MADV_NORMAL,        [PN_MAPPING_SEQUENTIAL] = MADV_SEQUENTIAL,
        [PN_MAPPING_RANDOM] = MADV_RANDOM,        [PN_MAPPING_WILL_NEED] = MADV_WILLNEED,
        [PN_MAPPING_LARGE_PAGES] = MADV_HUGEPAGE, [PN_MAPPING_NOT_NOW] = MADV_DONTNEED};
    pages p = pages_of(mapping, offset, n);
    if (p.n_bytes > 0)
        (void)madvise(p.start, p.n_bytes, advices[advice]); // advice may be ignored
}

size_t pn_mapping_resident(const pn_mapping *mapping, size_t offset, size_t n)
{
    enum { PAGES_A_CALL = 4096 };
    unsigned char in_memory[PAGES_A_CALL];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), found = 0;
    pages p = pages_of(mapping, offset, n);
    for (size_t at = 0; at < p.n_bytes; at += PAGES_A_CALL * page) {
        size_t step = PN_MIN(p.n_bytes - at, PAGES_A_CALL * page),
               n_pages = (step + page - 1) / page;
        if (mincore((char *)p.start + at, step, in_memory) != 0)
            memset(in_memory, 1, n_pages);
        for (size_t i = 0; i < n_pages; i++)
            found += (in_memory[i] & 1) * page;
    }
    return found;
}

void pn_mapping_load(const pn_mapping *mapping, size_t offset, size_t n)
{
    pn_mapping_advise(mapping, offset, n, PN_MAPPING_WILL_NEED); // in long reads
#ifdef MADV_POPULATE_READ
    pages p = pages_of(mapping, offset, n);
    if (p.n_bytes > 0)
        (void)madvise(p.start, p.n_bytes, MADV_POPULATE_READ); // an old kernel does not know it
#endif
}

void pn_mapping_evict(const pn_mapping *mapping, const char *path, size_t offset, size_t n)
{
    pages p = pages_of(mapping, offset, n);
    if (p.n_bytes == 0)
        return;
    (void)madvise(p.start, p.n_bytes, MADV_DONTNEED); // they come back when touched
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return; // folded away since: the pages go with the mapping
    (void)posix_fadvise(fd, (off_t)p.offset, (off_t)p.n_bytes, POSIX_FADV_DONTNEED); // a request
    (void)close(fd);                                                                 // read only
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

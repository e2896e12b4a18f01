/*
 * mapping.h - a file as read-only memory
 *
 * The mapping stays valid when the file is unlinked. It must not be truncated by others: our formats are
 * written once and never changed in place. Threads: immutable; may be shared.
 */
#ifndef PN_OS_MAPPING_H
#define PN_OS_MAPPING_H

#include "base/status.h"

typedef struct pn_mapping {
    const uint8_t *data; /* NULL when n_bytes is 0 */
    size_t n_bytes;
} pn_mapping;

typedef enum pn_mapping_advice {
    PN_MAPPING_NORMAL,
    PN_MAPPING_SEQUENTIAL,
    PN_MAPPING_RANDOM,
    PN_MAPPING_WILL_NEED,
    PN_MAPPING_LARGE_PAGES, /* read in as large pages, which many loops will read through; asked for before it is touched */
    PN_MAPPING_NOT_NOW /* take the pages out of this process's memory; they come back when touched */
} pn_mapping_advice;

PN_NODISCARD pn_status pn_mapping_open(const char *path, pn_mapping *out, pn_error *err);
void pn_mapping_advise(const pn_mapping *mapping, size_t offset, size_t n,
                       pn_mapping_advice advice);
/* Ask for large pages under a block of memory that many loops will read through: fewer misses of the address cache. The
 * block should start at a multiple of PN_LARGE_PAGE_BYTES. The system may decline. */
enum { PN_LARGE_PAGE_BYTES = 2 << 20 };
void pn_memory_use_large_pages(void *block, size_t n_bytes);
/*
 * The pages of a part, rounded out to whole pages.
 *
 * resident  bytes of them that lie in memory, whoever brought them there; all of them where the system does not tell (the file of
 *           another user that may not be written)
 * load      into memory, and into this process's
 * evict     out of both; what another process has mapped stays with that. path names the mapping's file; when it names another one by
 *           now, the pages go out of this process alone
 */
size_t pn_mapping_resident(const pn_mapping *mapping, size_t offset, size_t n);
void pn_mapping_load(const pn_mapping *mapping, size_t offset, size_t n);
void pn_mapping_evict(const pn_mapping *mapping, const char *path, size_t offset, size_t n);
void pn_mapping_close(pn_mapping *mapping); /* zeroes it; a zeroed one is welcome */

#endif

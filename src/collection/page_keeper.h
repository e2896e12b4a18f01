/*
 * page_keeper.h - how much of a table's indexes and vectors lies in memory
 *
 * Both are mapped files: what a search touches comes into memory and stays while the system has room. That is right for a machine of
 * its own, and wrong where others need the memory, or where the first searches after a start should not wait for the disk. With a
 * limit a thread sees to both.
 *
 *     bytes of   codes, lists | copies | vectors               in this order: what every search reads first
 *                <------ kept -----> <--- passing through --->
 *
 * All of it is kept where the limit allows; else what fits into three quarters of it. What is kept is read in when the keeper
 * starts and when the table changed. The rest comes in as searches need it, and when both are above the limit, it is let go, 2 MB at a time and
 * round and round: a clock without a second chance, since which pages were used is known to the kernel alone.
 *
 * While searches run it looks every 5 ms whether more came into memory, so the limit may be passed by what a disk, or a copy of it in
 * the system's memory, gives in that time. Not counted: other columns, and what is not mapped.
 *
 * Threads: any.
 */
#ifndef PN_COLLECTION_PAGE_KEEPER_H
#define PN_COLLECTION_PAGE_KEEPER_H

#include "collection/snapshot.h"

typedef struct pn_page_keeper pn_page_keeper;

/* Where it gets the newest version from, with a reference. It is called about once a second, by the keeper's thread. */
typedef pn_status (*pn_page_pin)(void *context, pn_snapshot **out, pn_error *err);

PN_NODISCARD pn_status pn_page_keeper_create(pn_page_pin pin, void *context, pn_page_keeper **out,
                                             pn_error *err);
void pn_page_keeper_free(pn_page_keeper *keeper); /* NULL is welcome */

/* 0, as at first: no limit, and nothing is read in. Errors: IO: no thread. */
PN_NODISCARD pn_status pn_page_keeper_set_limit(pn_page_keeper *keeper, uint64_t bytes,
                                                pn_error *err);

/* How many rounds it made, each a look at what lies in memory. For tests: what is promised of memory is promised after a look. */
uint64_t pn_page_keeper_rounds(const pn_page_keeper *keeper);

/* Around each search. */
void pn_page_keeper_search_begins(pn_page_keeper *keeper);
void pn_page_keeper_search_ends(pn_page_keeper *keeper);

#endif

/*
 * queue.h - a bounded queue of pointers between pipeline stages
 *
 * Pushing into a full queue waits, so that a fast stage cannot run ahead of a slow one by more than the
 * capacity. Closing wakes everybody: pushes fail from then on, pops drain what is left.
 * Threads: any number of producers and consumers.
 */
#ifndef PN_OS_QUEUE_H
#define PN_OS_QUEUE_H

#include "base/status.h"

typedef struct pn_queue pn_queue;

PN_NODISCARD pn_status pn_queue_create(size_t capacity, pn_queue **out, pn_error *err);
void pn_queue_free(
    pn_queue *queue); /* NULL is welcome; items left inside are the caller's business */
PN_NODISCARD bool pn_queue_push(pn_queue *queue, void *item); /* false: closed, item not taken */
PN_NODISCARD bool pn_queue_pop(pn_queue *queue, void **item); /* false: closed and empty */
/* Wait at most timeout_ms; *item NULL when the time ran out. false: closed and empty. */
PN_NODISCARD bool pn_queue_pop_timeout(pn_queue *queue, int64_t timeout_ms, void **item);
void pn_queue_close(pn_queue *queue);
size_t pn_queue_length(pn_queue *queue);

#endif

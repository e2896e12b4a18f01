/*
 * insert_queue.h - who comes while a commit runs joins the next one
 *
 * A commit waits for the disk several times, whatever it commits. So one of the threads that insert commits for all that wait, and those
 * that come meanwhile wait for the next: thirty threads share what one would pay.
 *
 * Threads: any.
 */
#ifndef PN_COLLECTION_INSERT_QUEUE_H
#define PN_COLLECTION_INSERT_QUEUE_H

#include "column/array.h"

#include <pthread.h>

/* Rows of one thread, and what became of them. */
typedef struct pn_insert {
    const pn_batch *batch;
    int64_t first_id;
    pn_status status;
    pn_error err;
    bool is_done; /* guarded by the queue's mu */
    struct pn_insert *next;
} pn_insert;

/* Commit a list of inserts and set their first ids, statuses and errors. */
typedef void (*pn_insert_commit)(void *context, pn_insert *list);
/* Called by a thread whose rows and others' are in, before the next commit. */
typedef void (*pn_insert_after)(void *context);

typedef struct pn_insert_queue {
    pthread_mutex_t mu;
    pthread_cond_t changed;
    pn_insert *first, *last; /* that wait; guarded by mu */
    bool is_running;         /* guarded by mu */
} pn_insert_queue;

void pn_insert_queue_init(pn_insert_queue *queue);
void pn_insert_queue_reset(pn_insert_queue *queue);

/* Returns when the batch is committed, or is not. *first_id as the commit says. */
PN_NODISCARD pn_status pn_insert_queue_run(pn_insert_queue *queue, const pn_batch *batch,
                                           pn_insert_commit commit, pn_insert_after after,
                                           void *context, int64_t *first_id, pn_error *err);

#endif

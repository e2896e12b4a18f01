/*
 * insert_queue.c - a list, and whoever finds nobody committing commits it
 */
#include "collection/insert_queue.h"

/* Of one commit; a larger batch has one of its own. */
enum { MOST_ROWS = 8192 };

void pn_insert_queue_init(pn_insert_queue *queue)
{
    *queue = (pn_insert_queue){.first = NULL};
    pthread_mutex_init(&queue->mu, NULL);
    pthread_cond_init(&queue->changed, NULL);
}

void pn_insert_queue_reset(pn_insert_queue *queue)
{
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mu);
}

static void push(pn_insert_queue *q, pn_insert *insert)
{
    if (q->last)
        q->last->next = insert;
    else
        q->first = insert;
    q->last = insert;
}

/* The first, and what fits beside it. */
static pn_insert *take(pn_insert_queue *q)
{
    pn_insert *list = q->first, *last = list;
    size_t n_rows = last->batch->n_rows;
    while (last->next && n_rows + last->next->batch->n_rows <= MOST_ROWS) {
        last = last->next;
        n_rows += last->batch->n_rows;
    }
    q->first = last->next;
    q->last = q->first ? q->last : NULL;
    last->next = NULL;
    return list;
}

/* Holding mu, which is let go meanwhile. A waiting thread that is told so may be gone with its insert at once. */
static void run_next(pn_insert_queue *q, pn_insert_commit commit, pn_insert_after after,
                     void *context)
{
    pn_insert *list = take(q);
    q->is_running = true;
    pthread_mutex_unlock(&q->mu);
    commit(context, list);
    pthread_mutex_lock(&q->mu);
    for (pn_insert *next; list; list = next) {
        next = list->next;
        list->is_done = true;
    }
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mu);
    after(context);
    pthread_mutex_lock(&q->mu);
    q->is_running = false;
    pthread_cond_broadcast(&q->changed);
}

pn_status pn_insert_queue_run(pn_insert_queue *queue, const pn_batch *batch,
                              pn_insert_commit commit, pn_insert_after after, void *context,
                              int64_t *first_id, pn_error *err)
{
    pn_insert insert = {.batch = batch, .first_id = -1};
    pthread_mutex_lock(&queue->mu);
    push(queue, &insert);
    while (!insert.is_done)
        if (queue->is_running)
            pthread_cond_wait(&queue->changed, &queue->mu);
        else
            run_next(queue, commit, after, context);
    pthread_mutex_unlock(&queue->mu);
    *first_id = insert.first_id;
    return insert.status == PN_OK ? PN_OK : pn_fail(err, insert.status, "%s", insert.err.message);
}

/*
 * queue.c - a ring of pointers, one lock, two conditions
 */
#include "os/queue.h"

#include "base/alloc.h"
#include "os/cond.h"

struct pn_queue {
    pthread_mutex_t mu;
    pthread_cond_t not_empty, not_full;
    void **ring; /* [capacity] */
    size_t capacity;
    size_t first, n; /* guarded by mu */
    bool closed;     /* guarded by mu */
};

pn_status pn_queue_create(size_t capacity, pn_queue **out, pn_error *err)
{
    if (capacity == 0)
        return pn_fail(err, PN_ERR_INVALID, "a queue needs room for one item at least");
    pn_queue *queue = pn_alloc_zero(sizeof *queue);
    void **ring = pn_alloc_array(capacity, sizeof *ring);
    if (!queue || !ring) {
        pn_free(ring);
        pn_free(queue);
        return pn_fail_nomem(err);
    }
    queue->ring = ring;
    queue->capacity = capacity;
    pthread_mutex_init(&queue->mu, NULL);
    pn_cond_init(&queue->not_empty);
    pn_cond_init(&queue->not_full);
    *out = queue;
    return PN_OK;
}

void pn_queue_free(pn_queue *queue)
{
    if (!queue)
        return;
    pthread_mutex_destroy(&queue->mu);
    pthread_cond_destroy(&queue->not_empty);
    pthread_cond_destroy(&queue->not_full);
    pn_free(queue->ring);
    pn_free(queue);
}

bool pn_queue_push(pn_queue *queue, void *item)
{
    pthread_mutex_lock(&queue->mu);
    while (queue->n == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->not_full, &queue->mu);
    bool open = !queue->closed;
    if (open) {
        queue->ring[(queue->first + queue->n++) % queue->capacity] = item;
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->mu);
    return open;
}

/* The lock is held and the queue is not empty. */
static void *take_first(pn_queue *queue)
{
    void *item = queue->ring[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->n--;
    pthread_cond_signal(&queue->not_full);
    return item;
}

bool pn_queue_pop(pn_queue *queue, void **item)
{
    pthread_mutex_lock(&queue->mu);
    while (queue->n == 0 && !queue->closed)
        pthread_cond_wait(&queue->not_empty, &queue->mu);
    bool found = queue->n > 0;
    if (found)
        *item = take_first(queue);
    pthread_mutex_unlock(&queue->mu);
    return found;
}

bool pn_queue_pop_timeout(pn_queue *queue, int64_t timeout_ms, void **item)
{
    const struct timespec until = pn_cond_deadline(timeout_ms);
    pthread_mutex_lock(&queue->mu);
    int waited = 0;
    while (queue->n == 0 && !queue->closed && waited == 0)
        waited = pthread_cond_timedwait(&queue->not_empty, &queue->mu, &until);
    bool open = queue->n > 0 || !queue->closed;
    *item = queue->n > 0 ? take_first(queue) : NULL;
    pthread_mutex_unlock(&queue->mu);
    return open;
}

void pn_queue_close(pn_queue *queue)
{
    pthread_mutex_lock(&queue->mu);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
    pthread_mutex_unlock(&queue->mu);
}

size_t pn_queue_length(pn_queue *queue)
{
    pthread_mutex_lock(&queue->mu);
    size_t n = queue->n;
    pthread_mutex_unlock(&queue->mu);
    return n;
}

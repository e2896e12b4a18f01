/*
 * pool.c - workers that sleep until there is a loop to share
 *
 * A loop is a small record on its caller's stack: the task, the next index, how many are left. It is put on the pool's
 * list; idle workers and the caller take indices from it until none is left, and the caller waits for those that are
 * still being worked on. Several loops may be on the list at once; workers help the oldest first.
 *
 * A worker's number must be unique within a loop, so that tasks can keep scratch per number. The pool's workers have fixed
 * numbers 1 .. n - 1; the caller is 0. Two callers are both 0, but of different loops.
 *
 * A task that starts a loop itself runs it alone: its thread is marked as busy inside a pool.
 */
#include "os/pool.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

typedef struct loop {
    pn_pool_task task;
    void *context;
    size_t n;
    _Atomic size_t next;
    unsigned n_helpers; /* workers inside; guarded by the pool's mu */
    struct loop *behind;
} loop;

struct pn_pool {
    pthread_mutex_t mu;
    pthread_cond_t work, left; /* a loop was added; a helper left a loop */
    loop *first;               /* oldest first; guarded by mu */
    bool ending;               /* guarded by mu */
    unsigned n_workers;
    pn_thread *workers[PN_MAX_THREADS];
    struct worker_start {
        pn_pool *pool;
        unsigned number;
    } starts[PN_MAX_THREADS];
};

struct pn_thread {
    pthread_t thread;
    pn_thread_main main;
    void *context;
};

static _Thread_local bool inside_a_task;

static void work_on(loop *l, unsigned worker)
{
    inside_a_task = true;
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
        if (i >= l->n)
            break;
        l->task(l->context, i, worker);
    }
    inside_a_task = false;
}

/* The oldest loop that still has indices to give away. The lock is held. */
static loop *find_work(pn_pool *pool)
{
    for (loop *l = pool->first; l; l = l->behind)
        if (atomic_load_explicit(&l->next, memory_order_relaxed) < l->n)
            return l;
    return NULL;
}

static void worker_main(void *context)
{
    const struct worker_start *start = context;
    pn_pool *pool = start->pool;
    pthread_mutex_lock(&pool->mu);
    while (!pool->ending) {
        loop *l = find_work(pool);
        if (!l) {
            pthread_cond_wait(&pool->work, &pool->mu);
            continue;
        }
        l->n_helpers++;
        pthread_mutex_unlock(&pool->mu);
        work_on(l, start->number);
        pthread_mutex_lock(&pool->mu);
        l->n_helpers--;
        pthread_cond_broadcast(&pool->left);
    }
    pthread_mutex_unlock(&pool->mu);
}

unsigned pn_cpu_count(void)
{
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return 1;
    int n = CPU_COUNT(&cpus);
    return n < 1 ? 1 : (unsigned)n;
}

pn_status pn_pool_create(unsigned n_threads, pn_pool **out, pn_error *err)
{
    if (n_threads == 0)
        n_threads = PN_MIN(pn_cpu_count(), (unsigned)PN_MAX_THREADS);
    if (n_threads > PN_MAX_THREADS)
        return pn_fail(err, PN_ERR_LIMIT, "%u threads, the limit is %d", n_threads, PN_MAX_THREADS);
    pn_pool *pool = pn_alloc_zero(sizeof *pool);
    if (!pool)
        return pn_fail_nomem(err);
    pthread_mutex_init(&pool->mu, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->left, NULL);
    for (unsigned number = 1; number < n_threads; number++) {
        pool->starts[number] = (struct worker_start){pool, number};
        pn_status status = pn_thread_start(worker_main, &pool->starts[number], "pn-pool",
                                           &pool->workers[pool->n_workers], err);
        if (status != PN_OK) {
            pn_pool_free(pool);
            return status;
        }
        pool->n_workers++;
    }
    *out = pool;
    return PN_OK;
}

void pn_pool_free(pn_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mu);
    pn_assert(!pool->first);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mu);
    for (unsigned i = 0; i < pool->n_workers; i++)
        pn_thread_join(pool->workers[i]);
    pthread_mutex_destroy(&pool->mu);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->left);
    pn_free(pool);
}

unsigned pn_pool_threads(const pn_pool *pool)
{
    return pool ? pool->n_workers + 1 : 1;
}

static void add_loop(pn_pool *pool, loop *l)
{
    pthread_mutex_lock(&pool->mu);
    loop **at = &pool->first;
    while (*at)
        at = &(*at)->behind;
    *at = l;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mu);
}

static void remove_loop(pn_pool *pool, loop *l)
{
    pthread_mutex_lock(&pool->mu);
    loop **at = &pool->first;
    while (*at != l)
        at = &(*at)->behind;
    *at = l->behind;
    while (l->n_helpers > 0)
        pthread_cond_wait(&pool->left, &pool->mu);
    pthread_mutex_unlock(&pool->mu);
}

void pn_pool_for(pn_pool *pool, size_t n, pn_pool_task task, void *context)
{
    if (!pool || pool->n_workers == 0 || n <= 1 || inside_a_task) {
        for (size_t i = 0; i < n; i++)
            task(context, i, 0);
        return;
    }
    loop l = {.task = task, .context = context, .n = n};
    add_loop(pool, &l);
    work_on(&l, 0);
    remove_loop(pool, &l);
}

static void *thread_main(void *context)
{
    pn_thread *thread = context;
    thread->main(thread->context);
    return NULL;
}

pn_status pn_thread_start(pn_thread_main main, void *context, const char *name, pn_thread **out,
                          pn_error *err)
{
    pn_thread *thread = pn_alloc_zero(sizeof *thread);
    if (!thread)
        return pn_fail_nomem(err);
    thread->main = main;
    thread->context = context;
    int number = pthread_create(&thread->thread, NULL, thread_main, thread);
    if (number != 0) {
        pn_free(thread);
        return pn_fail(err, PN_ERR_IO, "cannot start a thread (errno %d)", number);
    }
    char short_name[16];
    (void)snprintf(short_name, sizeof short_name, "%s", name); // the kernel keeps 15 characters
    (void)pthread_setname_np(thread->thread, short_name);      // for debuggers only
    *out = thread;
    return PN_OK;
}

void pn_thread_join(pn_thread *thread)
{
    if (!thread)
        return;
    pthread_join(thread->thread, NULL);
    pn_free(thread);
}

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
 *
 * Waking a sleeper takes some 20 microseconds, which is as long as a small loop takes, and loops come in trains: a hundred
 * for one embedding. So a worker that runs out of work looks for some for a moment before it sleeps, and so does a caller
 * that waits for the last helper. Not where there are more threads than cores: there whoever spins is in the way.
 */
#include "os/pool.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

typedef struct loop {
    pn_pool_task task;
    void *context;
    size_t n;
    _Atomic size_t next;
    /* Workers inside. Changed under the pool's mu; the caller may look without, once the loop is off the list. */
    _Atomic unsigned n_helpers;
    struct loop *behind;
} loop;

struct pn_pool {
    pthread_mutex_t mu;
    pthread_cond_t work, left; /* a loop was added; a helper left a loop */
    loop *first;               /* oldest first; guarded by mu */
    bool ending;               /* guarded by mu */
    _Atomic unsigned n_events; /* changes when a loop is added, or the end is near */
    bool spins;
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

enum { SPIN_NS = 50000, LOOKS = 32 };

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Wait a moment for *value to become other than old. */
static void spin_while(const _Atomic unsigned *value, unsigned old)
{
    int64_t end = pn_clock_monotonic_ns() + SPIN_NS;
    do {
        for (int i = 0; i < LOOKS; i++) {
            if (atomic_load_explicit(value, memory_order_acquire) != old)
                return;
            relax();
        }
    } while (pn_clock_monotonic_ns() < end);
}

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

/* The next loop to help with; NULL at the end. The lock is held, but not all the time. */
static loop *wait_for_work(pn_pool *pool)
{
    bool spun = !pool->spins;
    while (!pool->ending) {
        loop *l = find_work(pool);
        if (l)
            return l;
        if (spun) {
            pthread_cond_wait(&pool->work, &pool->mu);
            continue;
        }
        unsigned seen = atomic_load_explicit(&pool->n_events, memory_order_relaxed);
        pthread_mutex_unlock(&pool->mu);
        spin_while(&pool->n_events, seen);
        pthread_mutex_lock(&pool->mu);
        spun = seen == atomic_load_explicit(&pool->n_events, memory_order_relaxed);
    }
    return NULL;
}

static void worker_main(void *context)
{
    const struct worker_start *start = context;
    pn_pool *pool = start->pool;
    pthread_mutex_lock(&pool->mu);
    for (loop *l; (l = wait_for_work(pool)) != NULL;) {
        atomic_fetch_add_explicit(&l->n_helpers, 1, memory_order_relaxed);
        pthread_mutex_unlock(&pool->mu);
        work_on(l, start->number);
        pthread_mutex_lock(&pool->mu);
        /* The caller may see this at once, and then the loop is gone. */
        atomic_fetch_sub_explicit(&l->n_helpers, 1, memory_order_release);
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
    pool->spins = n_threads <= pn_cpu_count();
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
    atomic_fetch_add_explicit(&pool->n_events, 1, memory_order_release);
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
    atomic_fetch_add_explicit(&pool->n_events, 1, memory_order_release);
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
    pthread_mutex_unlock(&pool->mu);
    /* One helper is the usual case, and it is nearly done. */
    unsigned n = atomic_load_explicit(&l->n_helpers, memory_order_acquire);
    if (n > 0 && pool->spins)
        spin_while(&l->n_helpers, n);
    if (atomic_load_explicit(&l->n_helpers, memory_order_acquire) == 0)
        return;
    pthread_mutex_lock(&pool->mu);
    while (atomic_load_explicit(&l->n_helpers, memory_order_relaxed) > 0)
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

/*
 * pool.h - worker threads
 *
 * The only place where threads are born. A pool of n threads has n - 1 workers: the caller works too.
 * Nested calls from inside a task run on the calling thread alone, so that a pool cannot wait for itself.
 */
#ifndef PN_OS_POOL_H
#define PN_OS_POOL_H

#include "base/status.h"

typedef struct pn_pool pn_pool;

/* n_threads 0: one a core this process may run on. */
PN_NODISCARD pn_status pn_pool_create(unsigned n_threads, pn_pool **out, pn_error *err);
void pn_pool_free(pn_pool *pool);              /* NULL is welcome; no task may be running */
unsigned pn_pool_threads(const pn_pool *pool); /* NULL: 1 */
unsigned pn_cpu_count(void);

/* Call task(context, i, worker) for every i in [0, n), spread over the pool; returns when all are done.
 * worker is in [0, pn_pool_threads()), unique among the calls running at one time within this call.
 * A NULL pool runs them here in order. Two threads may call this on one pool at the same time. */
typedef void (*pn_pool_task)(void *context, size_t i, unsigned worker);
void pn_pool_for(pn_pool *pool, size_t n, pn_pool_task task, void *context);

/* A single thread for a pipeline stage or a background chore. */
typedef struct pn_thread pn_thread;
typedef void (*pn_thread_main)(void *context);
PN_NODISCARD pn_status pn_thread_start(pn_thread_main main, void *context, const char *name,
                                       pn_thread **out, pn_error *err);
void pn_thread_join(pn_thread *thread); /* waits and frees; NULL is welcome */

#endif

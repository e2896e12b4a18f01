/*
 * cond.h - conditions that are waited for no longer than so many milliseconds
 *
 * A condition's time-out goes by the wall clock unless it is told otherwise, and a wall clock that is set would stretch it.
 *
 *     struct timespec until = pn_cond_deadline(ms);
 *     while (!is_so && late == 0)
 *         late = pthread_cond_timedwait(&cond, &mu, &until);
 *
 * Threads: any.
 */
#ifndef PN_OS_COND_H
#define PN_OS_COND_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

void pn_cond_init(pthread_cond_t *cond); /* by the monotonic clock; pthread_cond_destroy() */
/* So many ms from now, for a condition of pn_cond_init(). */
struct timespec pn_cond_deadline(int64_t ms);

#endif

/*
 * cond.c - pthread's conditions by the monotonic clock
 */
#include "os/cond.h"

#include "os/clock.h"

void pn_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct timespec pn_cond_deadline(int64_t ms)
{
    int64_t ns = pn_clock_monotonic_ns() + ms % 1000 * 1000000;
    return (struct timespec){.tv_sec = ms / 1000 + ns / 1000000000, .tv_nsec = ns % 1000000000};
}

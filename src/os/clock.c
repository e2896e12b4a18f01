/*
 * clock.c - the kernel's clocks in nanoseconds
 */
#include "os/clock.h"

#include <errno.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now); // these two clocks always exist
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t pn_clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t pn_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

void pn_clock_sleep_ms(int64_t ms)
{
    if (ms <= 0)
        return;
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

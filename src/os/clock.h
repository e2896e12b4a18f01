/*
 * clock.h - time. Threads: pure calls.
 */
#ifndef PN_OS_CLOCK_H
#define PN_OS_CLOCK_H

#include <stdint.h>

int64_t pn_clock_monotonic_ns(void); /* for measuring */
int64_t pn_clock_wall_ns(void);      /* since 1970-01-01 UTC */
void pn_clock_sleep_ms(int64_t ms);

#endif

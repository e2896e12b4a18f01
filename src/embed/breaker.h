/*
 * breaker.h - when a server has failed often enough to be left alone for a while
 *
 *     closed --3 failures in a row--> open --its time is over--> trying --success--> closed
 *                                       ^                          |
 *                                       +---- failure: twice the time
 *
 * A failure is a request that was given up, with all its attempts; not each attempt, because several requests at once meet the same
 * hiccup. While it is open every request fails at once, which costs nobody time and the server nothing. Then one request, the
 * probe, is let through alone.
 * Threads: plain data; the owner guards it.
 */
#ifndef PN_EMBED_BREAKER_H
#define PN_EMBED_BREAKER_H

#include "base/compiler.h"

enum {
    PN_BREAKER_FAILURES = 3,
    PN_BREAKER_PAUSE_MS_DEFAULT = 5000,
    PN_BREAKER_PAUSE_MS_MAX = 60000
};

typedef enum pn_breaker_state {
    PN_BREAKER_CLOSED,
    PN_BREAKER_OPEN,
    PN_BREAKER_TRYING /* the probe is on its way */
} pn_breaker_state;

typedef enum pn_breaker_leave {
    PN_BREAKER_GO,
    PN_BREAKER_PROBE,  /* go, once: tell how it ended with one of the three below */
    PN_BREAKER_REFUSED /* fail at once */
} pn_breaker_leave;

typedef struct pn_breaker {
    pn_breaker_state state;
    unsigned n_failures; /* in a row */
    int64_t first_pause_ns, pause_ns, open_until_ns;
} pn_breaker;

void pn_breaker_init(pn_breaker *breaker, uint32_t pause_ms); /* 0: the default */

/* May an attempt be made now? */
pn_breaker_leave pn_breaker_ask(pn_breaker *breaker, int64_t now_ns);

void pn_breaker_succeed(pn_breaker *breaker);
void pn_breaker_fail(pn_breaker *breaker, int64_t now_ns);
void pn_breaker_forget(pn_breaker *breaker); /* the probe was cancelled: the next one is a probe */

int64_t pn_breaker_wait_ns(const pn_breaker *breaker,
                           int64_t now_ns); /* until the next probe; 0: now */

#endif

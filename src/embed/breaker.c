/*
 * breaker.c - three states and a clock that the caller reads
 *
 * The clock is an argument, so that tests need not sleep. A success closes it from any state: also one whose request began before
 * the others failed is proof that the server lives.
 */
#include "embed/breaker.h"

void pn_breaker_init(pn_breaker *b, uint32_t pause_ms)
{
    int64_t ms = pause_ms > 0 ? pause_ms : PN_BREAKER_PAUSE_MS_DEFAULT;
    *b = (pn_breaker){.first_pause_ns = ms * 1000000, .pause_ns = ms * 1000000};
}

pn_breaker_leave pn_breaker_ask(pn_breaker *b, int64_t now_ns)
{
    if (b->state == PN_BREAKER_CLOSED)
        return PN_BREAKER_GO;
    if (b->state == PN_BREAKER_TRYING || now_ns < b->open_until_ns)
        return PN_BREAKER_REFUSED;
    b->state = PN_BREAKER_TRYING;
    return PN_BREAKER_PROBE;
}

void pn_breaker_succeed(pn_breaker *b)
{
    b->state = PN_BREAKER_CLOSED;
    b->n_failures = 0;
    b->pause_ns = b->first_pause_ns;
}

void pn_breaker_fail(pn_breaker *b, int64_t now_ns)
{
    static const int64_t longest_ns = (int64_t)PN_BREAKER_PAUSE_MS_MAX * 1000000;
    b->n_failures++;
    if (b->state == PN_BREAKER_TRYING)
        b->pause_ns = PN_MAX(b->first_pause_ns, PN_MIN(2 * b->pause_ns, longest_ns));
    else if (b->state == PN_BREAKER_OPEN || b->n_failures < PN_BREAKER_FAILURES)
        return; // open already: those that were under way do not make it longer
    b->state = PN_BREAKER_OPEN;
    b->open_until_ns = now_ns + b->pause_ns;
}

void pn_breaker_forget(pn_breaker *b)
{
    if (b->state == PN_BREAKER_TRYING)
        b->state = PN_BREAKER_OPEN; // its time is over already
}

int64_t pn_breaker_wait_ns(const pn_breaker *b, int64_t now_ns)
{
    return b->state == PN_BREAKER_OPEN && b->open_until_ns > now_ns ? b->open_until_ns - now_ns : 0;
}

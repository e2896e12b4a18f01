/*
 * patience.c - a picture's time
 *
 *     wall       ----####-------stopped-------####----        used += min(wall, processor) of every stretch between two looks
 *     processor  ----####                     ####----
 *
 * libjpeg decodes in the caller's thread, whose own clock is exact. libvips decodes in threads of its own, some decoders in more of
 * theirs, and the caller waits for them: of their time only the program's sum is known. It holds also what other pictures
 * take at the same time, and may run many times as fast as the wall; the lesser of the two is never more than a clock on the wall
 * would have counted, and stands still while the program does. Beside n other busy threads on a processor that is not
 * theirs alone a picture gets, at worst, its n-th part of the limit, which is a thousand times what a picture takes.
 */
#include "image/patience.h"

#include "base/limits.h"

#include <inttypes.h>
#include <pthread.h>

/* One for all pictures: it is held for a microsecond, and a mutex of its own in each would be made by one thread and taken by those of a
 * library whose locks no checker sees. */
static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER;

static int64_t read_ns(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t); // always there
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void pn_patience_begin(pn_patience *p, const pn_decode_options *options, clockid_t clock)
{
    uint32_t max_ms = options && options->max_ms ? options->max_ms : PN_IMAGE_MAX_MS;
    pthread_mutex_lock(&looking); // hands it all to the threads that ask
    p->max_ns = (int64_t)max_ms * 1000000;
    p->clock = clock;
    p->used_ns = 0;
    p->wall_ns = read_ns(CLOCK_MONOTONIC);
    p->cpu_ns = read_ns(clock);
    pthread_mutex_unlock(&looking);
}

bool pn_patience_is_over(pn_patience *p)
{
    pthread_mutex_lock(&looking);
    const int64_t wall_ns = read_ns(CLOCK_MONOTONIC), cpu_ns = read_ns(p->clock);
    p->used_ns += PN_MIN(wall_ns - p->wall_ns, cpu_ns - p->cpu_ns);
    p->wall_ns = wall_ns;
    p->cpu_ns = cpu_ns;
    const bool over = p->used_ns > p->max_ns;
    pthread_mutex_unlock(&looking);
    return over;
}

pn_status pn_patience_fail(const pn_patience *p, const char *name, pn_error *err)
{
    return pn_fail(err, PN_ERR_LIMIT, "%s: takes longer to decode than %" PRId64 " ms, the limit",
                   name, p->max_ns / 1000000);
}

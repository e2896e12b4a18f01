/*
 * patience.h - how long one picture may take, in time that this program was given
 *
 * A clock on the wall runs on while the program is stopped, or waits on a busy machine, and a good picture would be lost for what
 * others do. So what counts between two looks is the processor's time, and no more of it than passed on the wall.
 *
 * Threads: pn_patience_is_over() may be called from several at once.
 */
#ifndef PN_IMAGE_PATIENCE_H
#define PN_IMAGE_PATIENCE_H

#include "image/decode.h"

#include <time.h>

typedef struct pn_patience {
    int64_t max_ns;
    clockid_t clock;                  /* of the processor's time */
    int64_t used_ns, wall_ns, cpu_ns; /* so far; the two clocks at the last look */
} pn_patience;

/*
 * Begin to count.
 *
 * clock  CLOCK_THREAD_CPUTIME_ID: this thread does all the work, and alone asks. CLOCK_PROCESS_CPUTIME_ID: other threads do it, which
 *        are not known; then all that the program did counts, up to the time that passed.
 */
void pn_patience_begin(pn_patience *patience, const pn_decode_options *options, clockid_t clock);

/* Once it is, it stays so. */
bool pn_patience_is_over(pn_patience *patience);

/* LIMIT, with the limit's number. */
PN_NODISCARD pn_status pn_patience_fail(const pn_patience *patience, const char *name,
                                        pn_error *err);

#endif

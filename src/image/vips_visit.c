/*
 * vips_visit.c - a room with a door: many inside, or one alone
 *
 * Who enters alone closes the door first, so that a steady stream of visitors cannot starve it, and opens it again when the
 * room does not empty in time. Nobody then waits longer than that for another's error text.
 */
#include "image/vips_visit.h"

#include <pthread.h>
#include <time.h>
#include <vips/vips.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static uint64_t n_entered; /* guarded by mu, as all below */
static unsigned n_inside;
static bool door_closed;
static char last_warning[160]; /* belongs to whom the error buffer belongs to */

static void init(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes,
                              CLOCK_MONOTONIC); // a clock that is set must not make us wait
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void clear(void)
{
    vips_error_clear();
    last_warning[0] = '\0';
}

void pn_vips_warned(const char *message)
{
    pthread_mutex_lock(&mu);
    (void)g_strlcpy(last_warning, message, sizeof last_warning); // cut when long
    pthread_mutex_unlock(&mu);
}

void pn_vips_reason(char *to, size_t n)
{
    char *text = vips_error_buffer_copy();
    pthread_mutex_lock(&mu);
    (void)g_strlcpy(to, *text ? text : last_warning, n); // cut when long
    pthread_mutex_unlock(&mu);
    g_free(text);
}

void pn_vips_enter(pn_vips_visit *visit)
{
    pthread_once(&once, init);
    pthread_mutex_lock(&mu);
    while (door_closed)
        pthread_cond_wait(&changed, &mu);
    *visit = (pn_vips_visit){.serial = ++n_entered, .found_empty = n_inside == 0};
    n_inside++;
    if (visit->found_empty)
        clear();
    pthread_mutex_unlock(&mu);
}

bool pn_vips_leave(const pn_vips_visit *visit)
{
    pthread_mutex_lock(&mu);
    bool was_alone = visit->found_empty && visit->serial == n_entered;
    if (--n_inside == 0)
        clear(); // a picture that decodes may leave warnings
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mu);
    return was_alone;
}

bool pn_vips_enter_alone(void)
{
    struct timespec until;
    int late = 0;
    pthread_once(&once, init);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PN_VIPS_ALONE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&mu);
    while (door_closed && !late)
        late = pthread_cond_timedwait(&changed, &mu, &until);
    bool mine = !door_closed;
    if (mine)
        door_closed = true;
    while (mine && n_inside > 0 && !late)
        late = pthread_cond_timedwait(&changed, &mu, &until);
    bool alone = mine && n_inside == 0;
    if (mine && !alone)
        door_closed = false;
    if (alone)
        clear();
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mu);
    return alone;
}

void pn_vips_leave_alone(void)
{
    pthread_mutex_lock(&mu);
    clear();
    door_closed = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mu);
}

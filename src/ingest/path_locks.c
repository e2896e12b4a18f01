/*
 * path_locks.c - a list of the paths in hand
 */
#include "ingest/path_locks.h"

#include "base/compiler.h"

#include <stdbool.h>
#include <string.h>

void pn_path_locks_init(pn_path_locks *locks)
{
    locks->first = NULL;
    pthread_mutex_init(&locks->mu, NULL);
    pthread_cond_init(&locks->released, NULL);
}

void pn_path_locks_reset(pn_path_locks *locks)
{
    pn_assert(!locks->first);
    pthread_cond_destroy(&locks->released);
    pthread_mutex_destroy(&locks->mu);
}

static bool is_held(const pn_path_locks *locks, const char *path)
{
    for (const pn_path_lock *lock = locks->first; lock; lock = lock->next)
        if (strcmp(lock->path, path) == 0)
            return true;
    return false;
}

void pn_path_lock_take(pn_path_locks *locks, pn_path_lock *lock, const char *path)
{
    pthread_mutex_lock(&locks->mu);
    while (is_held(locks, path))
        pthread_cond_wait(&locks->released, &locks->mu);
    *lock = (pn_path_lock){path, locks->first};
    locks->first = lock;
    pthread_mutex_unlock(&locks->mu);
}

void pn_path_lock_release(pn_path_locks *locks, pn_path_lock *lock)
{
    pthread_mutex_lock(&locks->mu);
    pn_path_lock **at = &locks->first;
    while (*at != lock)
        at = &(*at)->next;
    *at = lock->next;
    pthread_cond_broadcast(&locks->released);
    pthread_mutex_unlock(&locks->mu);
}

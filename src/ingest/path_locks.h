/*
 * path_locks.h - uploads of one path come one after another, those of others at once
 *
 * Between an upload's look at the table and its commit nobody else may add the same path. One lock for all would make every upload wait for
 * the others' commits; with one a path they meet in the queue of inserts, and share commits.
 *
 * Threads: any.
 */
#ifndef PN_INGEST_PATH_LOCKS_H
#define PN_INGEST_PATH_LOCKS_H

#include <pthread.h>

/* A path that is being placed; it lies with the thread that does. */
typedef struct pn_path_lock {
    const char *path;
    struct pn_path_lock *next;
} pn_path_lock;

/* As many as threads that upload, so a list is searched as fast as anything. */
typedef struct pn_path_locks {
    pthread_mutex_t mu;
    pthread_cond_t released;
    pn_path_lock *first; /* guarded by mu */
} pn_path_locks;

void pn_path_locks_init(pn_path_locks *locks);
void pn_path_locks_reset(pn_path_locks *locks); /* nothing is held */

/* Wait until nobody holds the path, and hold it. lock is set here; it and path stay where they are until it is released. */
void pn_path_lock_take(pn_path_locks *locks, pn_path_lock *lock, const char *path);
void pn_path_lock_release(pn_path_locks *locks, pn_path_lock *lock);

#endif

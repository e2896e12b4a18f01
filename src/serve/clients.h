/*
 * clients.h - open connections, and when each must have done what is expected of it
 *
 * Threads: any. A client is set and looked at by the thread of its connection, and cut by another.
 */
#ifndef PN_SERVE_CLIENTS_H
#define PN_SERVE_CLIENTS_H

#include "base/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Who sends or takes less than this a second, counted from the beginning of a body or an answer, is not waited for. */
#define PN_SERVE_SLOWEST_BYTES_PER_S 1024

typedef struct pn_client {
    struct pn_client *next, *previous; /* guarded by the clients' mu */
    int socket;                        /* our own descriptor of the connection */
    _Atomic int64_t due_ns;            /* INT64_MAX: it waits for us */
    _Atomic bool is_cut;
} pn_client;

typedef struct pn_clients {
    pthread_mutex_t mu;
    pn_client *first; /* guarded by mu */
    int64_t timeout_ns;
} pn_clients;

void pn_clients_init(pn_clients *clients, unsigned timeout_s);
void pn_clients_reset(pn_clients *clients); /* all of them must be gone */

/* A connection was opened. NULL: no memory or no descriptor left; it is not watched then. */
pn_client *pn_clients_add(pn_clients *clients, int socket);
void pn_clients_remove(pn_clients *clients, pn_client *client); /* NULL is welcome */

/* From now on the client has the timeout, and a second more for each PN_SERVE_SLOWEST_BYTES_PER_S of n_bytes. */
void pn_clients_expect(const pn_clients *clients, pn_client *client, int64_t since_ns,
                       uint64_t n_bytes);
void pn_clients_busy(pn_client *client); /* it waits for us */

/* Cut the lines of those that are late. */
void pn_clients_cut(pn_clients *clients);

#endif

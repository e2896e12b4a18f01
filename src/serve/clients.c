/*
 * clients.c - a connection that trickles is cut
 *
 * The HTTP library drops a connection on which nothing happens for a while. A client that sends one byte every few seconds is
 * never dropped by that, and a few hundred of them hold all the connections there may be. So each stage has an end of its own:
 *
 *     connected, or the last answer taken  -> the request line        timeout
 *     the request line                     -> the end of the headers  timeout
 *     the headers                          -> the end of the body     timeout + 1 s for each KiB that came
 *     the answer is there                  -> all of it taken         timeout + 1 s for each KiB of it
 *
 * A large picture over a slow line gets through as long as it moves; while we compute nobody is late. The service looks five
 * times a second. It may not close what belongs to the connection's thread, whose descriptor may be another file by then: it has
 * a duplicate, and shuts the connection down through that; the thread sees the end and cleans up as for any client that left.
 */
#include "serve/clients.h"

#include "base/alloc.h"
#include "os/clock.h"
#include "os/socket.h"

void pn_clients_init(pn_clients *clients, unsigned timeout_s)
{
    *clients = (pn_clients){.timeout_ns = (int64_t)timeout_s * 1000000000};
    pthread_mutex_init(&clients->mu, NULL);
}

void pn_clients_reset(pn_clients *clients)
{
    pn_assert(!clients->first);
    pthread_mutex_destroy(&clients->mu);
}

pn_client *pn_clients_add(pn_clients *clients, int socket)
{
    pn_client *client = pn_alloc_zero(sizeof *client);
    if (!client)
        return NULL;
    client->socket = pn_socket_duplicate(socket);
    if (client->socket < 0) {
        pn_free(client);
        return NULL;
    }
    pn_clients_expect(clients, client, pn_clock_monotonic_ns(), 0);
    pthread_mutex_lock(&clients->mu);
    client->next = clients->first;
    if (client->next)
        client->next->previous = client;
    clients->first = client;
    pthread_mutex_unlock(&clients->mu);
    return client;
}

void pn_clients_remove(pn_clients *clients, pn_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&clients->mu);
    if (client->next)
        client->next->previous = client->previous;
    if (client->previous)
        client->previous->next = client->next;
    else
        clients->first = client->next;
    pthread_mutex_unlock(&clients->mu);
    pn_socket_close(client->socket);
    pn_free(client);
}

void pn_clients_expect(const pn_clients *clients, pn_client *client, int64_t since_ns,
                       uint64_t n_bytes)
{
    int64_t grace_ns = (int64_t)(n_bytes / PN_SERVE_SLOWEST_BYTES_PER_S) * 1000000000;
    if (client)
        atomic_store(&client->due_ns, since_ns + clients->timeout_ns + grace_ns);
}

void pn_clients_busy(pn_client *client)
{
    if (client)
        atomic_store(&client->due_ns, INT64_MAX);
}

void pn_clients_cut(pn_clients *clients)
{
    int64_t now_ns = pn_clock_monotonic_ns();
    pthread_mutex_lock(&clients->mu);
    for (pn_client *client = clients->first; client; client = client->next)
        if (atomic_load(&client->due_ns) < now_ns && !atomic_exchange(&client->is_cut, true))
            pn_socket_shut_down(client->socket);
    pthread_mutex_unlock(&clients->mu);
}

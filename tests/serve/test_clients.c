/*
 * test_clients.c - who is late is cut, and nobody else
 */
#include "serve/clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "os/clock.h"

enum { N = 4 };

static bool is_ended(int socket)
{
    char byte;
    return recv(socket, &byte, 1, MSG_DONTWAIT) == 0;
}

static void cut__ends_only_who_is_late(void **state)
{
    (void)state;
    pn_clients clients;
    pn_client *client[N];
    int pair[N][2];
    int64_t now_ns = pn_clock_monotonic_ns(), late_ns = now_ns - 2000000000;
    pn_clients_init(&clients, 1);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]), 0);
        client[i] = pn_clients_add(&clients, pair[i][0]);
        assert_non_null(client[i]);
    }
    pn_clients_cut(&clients); // nobody is late yet
    pn_clients_expect(&clients, client[0], late_ns, 0);
    pn_clients_expect(&clients, client[1], late_ns, 0);
    pn_clients_busy(client[1]); // it waits for us
    pn_clients_expect(&clients, client[2], late_ns, 100 * PN_SERVE_SLOWEST_BYTES_PER_S);
    pn_clients_expect(&clients, client[3], now_ns, 0);
    pn_clients_cut(&clients);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(atomic_load(&client[i]->is_cut), i == 0);
        assert_int_equal(is_ended(pair[i][1]), i == 0);
    }
    /* The descriptor of the connection itself is still its owner's. */
    assert_int_equal(close(pair[0][0]), 0);
    pn_clients_cut(&clients);
    static const size_t order[N] = {1, 3, 0, 2}; // from the middle, the ends, the last
    for (size_t i = 0; i < N; i++)
        pn_clients_remove(&clients, client[order[i]]);
    assert_null(clients.first);
    pn_clients_remove(&clients, NULL);
    pn_clients_reset(&clients);
    for (size_t i = 0; i < N; i++) {
        (void)close(pair[i][1]);
        if (i > 0)
            (void)close(pair[i][0]);
    }
}

static void add__without_a_descriptor_watches_nobody(void **state)
{
    (void)state;
    pn_clients clients;
    pn_clients_init(&clients, 1);
    assert_null(pn_clients_add(&clients, -1));
    pn_clients_expect(&clients, NULL, 0, 0);
    pn_clients_busy(NULL);
    pn_clients_reset(&clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut__ends_only_who_is_late),
        cmocka_unit_test(add__without_a_descriptor_watches_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

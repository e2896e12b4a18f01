/*
 * socket.h - as much of sockets as a server's start and end need. Threads: pure calls.
 */
#ifndef PN_OS_SOCKET_H
#define PN_OS_SOCKET_H

#include "base/status.h"

typedef struct pn_socket_address {
    PN_ALIGNED(8) unsigned char bytes[128]; /* a struct sockaddr */
    bool is_ipv6;
} pn_socket_address;

/* "127.0.0.1", "::1", "0.0.0.0"; names are not looked up. INVALID. */
PN_NODISCARD pn_status pn_socket_address_parse(const char *text, uint16_t port,
                                               pn_socket_address *out, pn_error *err);
/* The address of a struct sockaddr as numbers; "?" for NULL and for other families. */
#define PN_SOCKET_TEXT_BYTES 64
void pn_socket_address_text(const void *address, char out[PN_SOCKET_TEXT_BYTES]);
/* Another descriptor of the same socket; -1 when there is none left. */
int pn_socket_duplicate(int descriptor);
/* End the connection in both directions; whoever waits for it sees the end. The descriptor stays open. */
void pn_socket_shut_down(int descriptor);
void pn_socket_close(int descriptor); /* -1 is welcome */

#endif

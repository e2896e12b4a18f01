/*
 * socket.c - addresses from text
 */
#include "os/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

pn_status pn_socket_address_parse(const char *text, uint16_t port, pn_socket_address *out,
                                  pn_error *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    pn_socket_address address = {.is_ipv6 = false};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(address.bytes, &v4, sizeof v4);
    } else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        memcpy(address.bytes, &v6, sizeof v6);
        address.is_ipv6 = true;
    } else {
        return pn_fail(err, PN_ERR_INVALID, "\"%.80s\" is not an IP address to listen on", text);
    }
    *out = address;
    return PN_OK;
}

void pn_socket_address_text(const void *address, char out[PN_SOCKET_TEXT_BYTES])
{
    sa_family_t family = AF_UNSPEC;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    const char *text = NULL;
    if (address)
        memcpy(&family, (const char *)address + offsetof(struct sockaddr, sa_family),
               sizeof family);
    if (family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        text = inet_ntop(AF_INET, &v4.sin_addr, out, PN_SOCKET_TEXT_BYTES);
    } else if (family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        text = inet_ntop(AF_INET6, &v6.sin6_addr, out, PN_SOCKET_TEXT_BYTES);
    }
    if (!text)
        memcpy(out, "?", 2);
}

int pn_socket_duplicate(int descriptor)
{
    return fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

void pn_socket_shut_down(int descriptor)
{
    (void)shutdown(descriptor, SHUT_RDWR); // it may have ended by itself
}

void pn_socket_close(int descriptor)
{
    if (descriptor >= 0)
        (void)close(descriptor); // nothing is unwritten
}

/*
 * test_socket.c - addresses from text
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "os/socket.h"

static void ipv4__becomes_a_sockaddr(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t address;
    } cases[] = {{"127.0.0.1", 0x7F000001}, {"0.0.0.0", 0}, {"255.255.255.255", 0xFFFFFFFF}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_socket_address got;
        struct sockaddr_in address;
        memset(&got, 0xEE, sizeof got);
        assert_int_equal(pn_socket_address_parse(cases[i].text, 8080, &got, NULL), PN_OK);
        assert_false(got.is_ipv6);
        memcpy(&address, got.bytes, sizeof address);
        assert_int_equal(address.sin_family, AF_INET);
        assert_int_equal(ntohs(address.sin_port), 8080);
        assert_int_equal(ntohl(address.sin_addr.s_addr), cases[i].address);
    }
}

static void ipv6__becomes_a_sockaddr(void **state)
{
    (void)state;
    static const char *const texts[] = {"::1", "::", "2001:db8::7", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        pn_socket_address got;
        struct sockaddr_in6 address;
        char text[INET6_ADDRSTRLEN];
        memset(&got, 0xEE, sizeof got);
        assert_int_equal(pn_socket_address_parse(texts[i], 65535, &got, NULL), PN_OK);
        assert_true(got.is_ipv6);
        memcpy(&address, got.bytes, sizeof address);
        assert_int_equal(address.sin6_family, AF_INET6);
        assert_int_equal(ntohs(address.sin6_port), 65535);
        assert_int_equal(address.sin6_scope_id, 0);
        assert_string_equal(inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text), texts[i]);
    }
}

static void other_texts__are_refused_and_leave_the_output(void **state)
{
    (void)state;
    static const char *const texts[] = {"",          "localhost",  "127.0.0.1:80", "127.1",
                                        "256.0.0.1", "1.2.3.4.5",  " 127.0.0.1",   "[::1]",
                                        ":::1",      "0x7f.0.0.1", "fe80::1%eth0", "12345::"};
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        pn_error err = {0};
        pn_socket_address got = {.is_ipv6 = true};
        memset(got.bytes, 0xEE, sizeof got.bytes);
        assert_int_equal(pn_socket_address_parse(texts[i], 80, &got, &err), PN_ERR_INVALID);
        assert_non_null(strstr(err.message, texts[i]));
        assert_true(got.is_ipv6);
        assert_int_equal(got.bytes[0], 0xEE);
    }
}

static void close__takes_a_missing_descriptor(void **state)
{
    (void)state;
    pn_socket_close(-1);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(descriptor >= 0);
    pn_socket_close(descriptor);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1);
}

static void address_text__reads_back_what_was_parsed(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1", "0.0.0.0", "::1", "2001:db8::7"};
    char out[PN_SOCKET_TEXT_BYTES];
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        pn_socket_address address;
        assert_int_equal(pn_socket_address_parse(texts[i], 80, &address, NULL), PN_OK);
        pn_socket_address_text(address.bytes, out);
        assert_string_equal(out, texts[i]);
    }
    pn_socket_address_text(NULL, out);
    assert_string_equal(out, "?");
    struct sockaddr other = {.sa_family = AF_UNIX};
    pn_socket_address_text(&other, out);
    assert_string_equal(out, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4__becomes_a_sockaddr),
        cmocka_unit_test(ipv6__becomes_a_sockaddr),
        cmocka_unit_test(other_texts__are_refused_and_leave_the_output),
        cmocka_unit_test(address_text__reads_back_what_was_parsed),
        cmocka_unit_test(close__takes_a_missing_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

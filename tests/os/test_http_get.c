/*
 * test_http_get.c - one body from a server that answers exactly what the test tells it to
 *
 * The server is a thread with a list of canned answers, one a connection; it keeps what it was asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "os/fd.h"
#include "os/http_get.h"
#include "os/http_url.h"
#include "os/pool.h"
#include "support/scratch_folder.h"

enum { MAX_ANSWERS = 16, REQUEST_BYTES = 4096 };

typedef struct server {
    int listener;
    unsigned port;
    const char *answers[MAX_ANSWERS]; /* "" hangs up; NULL ends the list */
    char asked[MAX_ANSWERS][REQUEST_BYTES];
    size_t n_asked;
    pn_thread *thread;
} server;

static void read_request(int fd, char *out)
{
    size_t n = 0;
    while (n + 1 < REQUEST_BYTES) {
        ssize_t got = read(fd, out + n, REQUEST_BYTES - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        out[n] = '\0';
        if (strstr(out, "\r\n\r\n"))
            break;
    }
}

static void serve(void *context)
{
    server *s = context;
    for (size_t i = 0; i < MAX_ANSWERS && s->answers[i]; i++) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            break;
        read_request(fd, s->asked[i]);
        s->n_asked = i + 1;
        for (size_t n = strlen(s->answers[i]), at = 0; at < n;) {
            ssize_t sent = send(fd, s->answers[i] + at, n - at, MSG_NOSIGNAL);
            if (sent <= 0)
                break;
            at += (size_t)sent;
        }
        (void)shutdown(fd, SHUT_WR);
        char rest[64];
        while (read(fd, rest, sizeof rest) > 0)
            continue;
        (void)close(fd);
    }
}

static void start(server *s, const char *const *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; answers[i]; i++)
        s->answers[i] = answers[i];
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &n), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pn_thread_start(serve, s, "server", &s->thread, NULL), PN_OK);
}

/* Ends when all answers were given, and so fails (hangs until the time limit) when fewer were asked for. */
static void stop(server *s)
{
    (void)shutdown(s->listener, SHUT_RDWR);
    pn_thread_join(s->thread);
    (void)close(s->listener);
}

static const char *url_of(const server *s, const char *path)
{
    static char url[256];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", s->port, path);
    return url;
}

static pn_http_options quick(void)
{
    return (pn_http_options){.pause_ms = 1, .n_attempts = 3, .stall_ms = 1000};
}

static void expect_file(const char *path, const char *text)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, 1 << 20);
    assert_int_equal(pn_file_read(path, &bytes, NULL), PN_OK);
    assert_int_equal(bytes.n_bytes, strlen(text));
    assert_memory_equal(bytes.data, text, strlen(text));
    pn_buffer_reset(&bytes);
}

#define OK_HEAD(length, more) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n" more "\r\n"

static void a_body__goes_into_memory_behind_what_is_there(void **state)
{
    (void)state;
    server s;
    pn_buffer out;
    pn_error err = {0};
    pn_http_options options = quick();
    start(&s, (const char *const[]){OK_HEAD("5", "") "hello", NULL});
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_buffer_append_text(&out, "> ", NULL), PN_OK);
    assert_int_equal(pn_http_get(url_of(&s, "/a?b=c"), &options, &out, &err), PN_OK);
    assert_int_equal(out.n_bytes, 7);
    assert_memory_equal(out.data, "> hello", 7);
    assert_non_null(strstr(s.asked[0], "GET /a?b=c HTTP/1.1\r\n"));
    assert_null(strstr(s.asked[0], "Authorization"));
    assert_null(strstr(s.asked[0], "Range"));
    pn_buffer_reset(&out);
    stop(&s);
}

static void a_cut_file__goes_on_where_it_was(void **state)
{
    scratch_folder *f = *state;
    server s;
    pn_error err = {0};
    pn_http_options options = quick();
    char *part = scratch_path(f, "part");
    start(&s, (const char *const[]){OK_HEAD("10", "ETag: \"one\"\r\n") "0123",
                                    "HTTP/1.1 206 Partial\r\nContent-Length: 6\r\nContent-Range: "
                                    "bytes 4-9/10\r\nETag: \"one\"\r\n\r\n456789",
                                    NULL});
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_OK);
    expect_file(part, "0123456789");
    assert_non_null(strstr(s.asked[1], "Range: bytes=4-\r\n"));
    assert_non_null(strstr(s.asked[1], "If-Range: \"one\"\r\n"));
    stop(&s);
}

static void a_changed_file__starts_anew(void **state)
{
    scratch_folder *f = *state;
    server s;
    pn_error err = {0};
    pn_http_options options = quick();
    char *part = scratch_file(f, "part", "old half");
    char *etag = scratch_file(f, "part.etag", "\"old\"");
    start(&s, (const char *const[]){OK_HEAD("3", "ETag: \"new\"\r\n") "new", NULL});
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_OK);
    assert_non_null(strstr(s.asked[0], "If-Range: \"old\"\r\n"));
    expect_file(part, "new");
    expect_file(etag, "\"new\"");
    stop(&s);
}

static void without_a_strong_etag__nothing_is_continued(void **state)
{
    scratch_folder *f = *state;
    server s;
    pn_error err = {0};
    pn_http_options options = quick();
    char *part = scratch_path(f, "part");
    start(&s, (const char *const[]){OK_HEAD("4", "ETag: W/\"weak\"\r\n") "ab",
                                    OK_HEAD("4", "") "abcd", NULL});
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_OK);
    assert_null(strstr(s.asked[1], "Range"));
    expect_file(part, "abcd");
    assert_false(pn_path_exists(scratch_path(f, "part.etag")));
    stop(&s);
}

static void another_part_than_asked_for__is_not_taken(void **state)
{
    scratch_folder *f = *state;
    server s;
    pn_error err = {0};
    pn_http_options options = quick();
    options.n_attempts = 1;
    char *part = scratch_file(f, "part", "0123");
    (void)scratch_file(f, "part.etag", "\"one\"");
    start(&s, (const char *const[]){"HTTP/1.1 206 Partial\r\nContent-Length: 1\r\nContent-Range: "
                                    "bytes 9-9/10\r\n\r\n9",
                                    NULL});
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "another part"));
    expect_file(part, "0123");
    stop(&s);
}

static void a_whole_part__is_seen_to_be_whole(void **state)
{
    scratch_folder *f = *state;
    server s;
    pn_error err = {0};
    pn_http_options options = quick();
    char *part = scratch_file(f, "part", "0123");
    (void)scratch_file(f, "part.etag", "\"one\"");
    start(&s, (const char *const[]){"HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes "
                                    "*/4\r\n\r\n",
                                    NULL});
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_OK);
    expect_file(part, "0123");
    stop(&s);
    /* and one that is too long starts anew */
    start(&s, (const char *const[]){"HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes "
                                    "*/2\r\n\r\n",
                                    OK_HEAD("2", "") "ab", NULL});
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_OK);
    expect_file(part, "ab");
    stop(&s);
}

static void what_may_pass__is_tried_again(void **state)
{
    (void)state;
    server s;
    pn_buffer out;
    pn_error err = {0};
    pn_http_options options = quick();
    start(&s, (const char *const[]){"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "",
                                    OK_HEAD("2", "") "ok", NULL});
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_http_get(url_of(&s, "/"), &options, &out, &err), PN_OK);
    assert_int_equal(out.n_bytes, 2);
    assert_int_equal(s.n_asked, 3);
    pn_buffer_reset(&out);
    stop(&s);
}

static void attempts__have_an_end(void **state)
{
    (void)state;
    server s;
    pn_buffer out;
    pn_error err = {0};
    pn_http_options options = quick();
    start(&s, (const char *const[]){"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
                                    "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
                                    "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", NULL});
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_http_get(url_of(&s, "/x"), &options, &out, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "/x: HTTP 500"));
    pn_buffer_reset(&out);
    stop(&s);
}

static void a_refusal__is_final_and_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *says;
        pn_status status;
    } cases[] = {
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "404", PN_ERR_NOT_FOUND},
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "a token is needed", PN_ERR_IO},
        {"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "not allowed", PN_ERR_IO},
        {"HTTP/1.1 302 Go\r\nContent-Length: 0\r\n\r\n", "redirect to nowhere", PN_ERR_IO},
        {"HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
         "neither http nor https", PN_ERR_IO},
        {OK_HEAD("200", "") "x", "more than the 10 bytes", PN_ERR_LIMIT},
        {"HTTP/1.1 200 OK\r\n\r\nmore than ten", "more than the 10 bytes", PN_ERR_LIMIT},
        {"what is this?\r\n\r\n", "http", PN_ERR_IO},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        server s;
        pn_buffer out;
        pn_error err = {0};
        pn_http_options options = quick();
        options.max_bytes = 10;
        start(&s, (const char *const[]){cases[i].answer, NULL});
        pn_buffer_init(&out, 100);
        assert_int_equal(pn_http_get(url_of(&s, "/p?secret=1"), &options, &out, &err),
                         cases[i].status);
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s: no \"%s\"", err.message, cases[i].says);
        assert_null(strstr(err.message, "secret"));
        assert_int_equal(out.n_bytes, 0);
        pn_buffer_reset(&out);
        stop(&s);
    }
}

static void redirects__are_followed_so_far(void **state)
{
    (void)state;
    server s;
    pn_buffer out;
    pn_error err = {0};
    pn_http_options options = quick();
    const char *answers[MAX_ANSWERS] = {0};
    for (int i = 0; i <= PN_HTTP_MAX_REDIRECTS; i++)
        answers[i] = "HTTP/1.1 302 Go\r\nLocation: /again?key=k\r\nContent-Length: 0\r\n\r\n";
    start(&s, answers);
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_http_get(url_of(&s, "/first"), &options, &out, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "more than 8 redirects"));
    assert_non_null(strstr(err.message, "/first (redirected to http"));
    assert_null(strstr(err.message, "key"));
    pn_buffer_reset(&out);
    stop(&s);
}

static void the_token__stays_with_its_host(void **state)
{
    (void)state;
    server s, other;
    pn_buffer out;
    pn_error err = {0};
    pn_http_options options = quick();
    char location[256];
    options.token = "hf_SECRET";
    start(&other, (const char *const[]){OK_HEAD("2", "") "ok", NULL});
    (void)snprintf(location, sizeof location,
                   "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:%u/there\r\nContent-Length: "
                   "0\r\n\r\n",
                   other.port);
    start(
        &s,
        (const char *const[]){
            "HTTP/1.1 301 Go\r\nLocation: /same\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            location, NULL});
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_http_get(url_of(&s, "/"), &options, &out, &err), PN_OK);
    assert_non_null(strstr(s.asked[0], "Authorization: Bearer hf_SECRET\r\n"));
    assert_non_null(strstr(s.asked[1], "Authorization: Bearer hf_SECRET\r\n"));
    assert_non_null(strstr(other.asked[0], "GET /there"));
    assert_null(strstr(other.asked[0], "SECRET"));
    pn_buffer_reset(&out);
    stop(&s);
    stop(&other);
    options.token = "hf\r\nHost: elsewhere";
    assert_int_equal(pn_http_get("http://127.0.0.1:1/", &options, &out, &err), PN_ERR_INVALID);
    assert_null(strstr(err.message, "elsewhere"));
}

static void a_private_address__is_refused_when_told_so(void **state)
{
    (void)state;
    pn_buffer out;
    pn_error err = {0};
    pn_http_options options = quick();
    options.private_addresses = PN_HTTP_PRIVATE_NEVER;
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_http_get("http://127.0.0.1:1/", &options, &out, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "private address"));
    assert_int_equal(pn_http_get("http://[::ffff:10.0.0.1]/", &options, &out, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "private address"));
}

static void addresses__are_private_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_private;
    } cases[] = {{"127.0.0.1", true},
                 {"10.1.2.3", true},
                 {"172.16.0.1", true},
                 {"172.32.0.1", false},
                 {"192.168.7.7", true},
                 {"169.254.169.254", true},
                 {"100.64.0.1", true},
                 {"0.0.0.0", true},
                 {"8.8.8.8", false},
                 {"224.0.0.1", true},
                 {"255.255.255.255", true},
                 {"100.128.0.1", false},
                 {"::1", true},
                 {"::", true},
                 {"fe80::1", true},
                 {"fc00::1", true},
                 {"ff02::1", true},
                 {"::ffff:192.168.0.1", true},
                 {"::ffff:8.8.8.8", false},
                 {"64:ff9b::a00:1", true},
                 {"2606:4700::1", false}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        const void *address = &v4;
        if (inet_pton(AF_INET, cases[i].text, &v4.sin_addr) != 1) {
            assert_int_equal(inet_pton(AF_INET6, cases[i].text, &v6.sin6_addr), 1);
            address = &v6;
        }
        if (pn_http_address_is_private(address) != cases[i].is_private)
            fail_msg("%s", cases[i].text);
    }
}

static void urls__are_checked_and_shown_without_secrets(void **state)
{
    (void)state;
    char shown[PN_HTTP_SHOWN_BYTES];
    pn_http_show_url("https://me:pw@hub.example:8443/a/b?token=t#f", shown);
    assert_string_equal(shown, "https://hub.example:8443/a/b");
    pn_http_show_url("%%%", shown);
    assert_null(strstr(shown, "%%%"));
    assert_int_equal(pn_http_check_url("ftp://x/y", NULL), PN_ERR_INVALID);
    assert_int_equal(pn_http_check_url("no url at all", NULL), PN_ERR_INVALID);
    assert_int_equal(pn_http_check_url("HTTPS://x", NULL), PN_OK);
    assert_true(pn_http_same_origin("https://h/a", "HTTPS://H:443/b?c"));
    assert_false(pn_http_same_origin("https://h/a", "http://h/a"));
    assert_false(pn_http_same_origin("https://h/a", "https://h:444/a"));
    assert_false(pn_http_same_origin("https://h/a", "https://h.evil/a"));
}

static bool cancel_at_once(void *context)
{
    (void)context;
    return true;
}

static void cancelling__keeps_the_part(void **state)
{
    scratch_folder *f = *state;
    server s;
    pn_error err = {0};
    pn_http_options options = quick();
    options.cancelled = cancel_at_once;
    char *part = scratch_file(f, "part", "0123");
    start(&s, (const char *const[]){"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", NULL});
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_ERR_CANCELLED);
    expect_file(part, "0123");
    stop(&s);
}

static void a_full_disk__is_told_and_not_tried_again(void **state)
{
    scratch_folder *f = *state;
    server s;
    pn_error err = {0};
    pn_http_options options = quick();
    char *part = scratch_path(f, "part");
    start(&s, (const char *const[]){OK_HEAD("4", "") "abcd", NULL});
    pn_fd_fault_after(3, ENOSPC); // make the part, remove its ETag, write
    assert_int_equal(pn_http_download(url_of(&s, "/f"), part, &options, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "No space left"));
    assert_int_equal(s.n_asked, 1);
    stop(&s);
}

static void a_silent_server__is_given_up(void **state)
{
    (void)state;
    pn_buffer out;
    pn_error err = {0};
    pn_http_options options = quick();
    options.n_attempts = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0); // accepts in the kernel, never answers
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &n), 0);
    server s = {.port = ntohs(address.sin_port)};
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_http_get(url_of(&s, "/slow"), &options, &out, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, "/slow: "));
    (void)close(listener);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body__goes_into_memory_behind_what_is_there),
        TEST(a_cut_file__goes_on_where_it_was),
        TEST(a_changed_file__starts_anew),
        TEST(without_a_strong_etag__nothing_is_continued),
        TEST(another_part_than_asked_for__is_not_taken),
        TEST(a_whole_part__is_seen_to_be_whole),
        TEST(what_may_pass__is_tried_again),
        TEST(attempts__have_an_end),
        TEST(a_refusal__is_final_and_says_why),
        TEST(redirects__are_followed_so_far),
        TEST(the_token__stays_with_its_host),
        TEST(a_private_address__is_refused_when_told_so),
        TEST(addresses__are_private_or_not),
        TEST(urls__are_checked_and_shown_without_secrets),
        TEST(cancelling__keeps_the_part),
        TEST(a_full_disk__is_told_and_not_tried_again),
        TEST(a_silent_server__is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

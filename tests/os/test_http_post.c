/*
 * test_http_post.c - posts to a server that answers exactly what the test tells it to, each on a connection of its own
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "os/clock.h"
#include "os/http_post.h"
#include "os/pool.h"

enum { MAX_ANSWERS = 8, REQUEST_BYTES = 4096 };

typedef struct world {
    int listener;
    const char *answers[MAX_ANSWERS + 1]; /* "" hangs up; "never" keeps the line open */
    char asked[MAX_ANSWERS][REQUEST_BYTES];
    char url[64];
    pn_thread *thread;
    pn_http_poster *poster;
    pn_buffer answer;
    pn_http_post post;
} world;

static void serve(void *context)
{
    world *w = context;
    int kept[MAX_ANSWERS], n_kept = 0;
    for (size_t i = 0; w->answers[i]; i++) {
        int fd = accept(w->listener, NULL, NULL);
        if (fd < 0)
            break;
        size_t n = 0;
        while (n + 1 < REQUEST_BYTES && !strstr(w->asked[i], "{}")) {
            ssize_t got = read(fd, w->asked[i] + n, REQUEST_BYTES - 1 - n);
            if (got <= 0)
                break;
            n += (size_t)got;
        }
        if (strcmp(w->answers[i], "never") == 0) {
            kept[n_kept++] = fd;
            continue;
        }
        (void)!write(fd, w->answers[i], strlen(w->answers[i])); // the client may have hung up
        (void)close(fd);
    }
    for (int i = 0; i < n_kept; i++)
        (void)close(kept[i]);
}

static void start(world *w, const char *const *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    for (size_t i = 0; answers[i]; i++)
        w->answers[i] = answers[i];
    w->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(w->listener, 8), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&address, &n), 0);
    (void)snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u/a?key=k", ntohs(address.sin_port));
    assert_int_equal(pn_thread_start(serve, w, "server", &w->thread, NULL), PN_OK);
    assert_int_equal(pn_http_poster_create(&w->poster, NULL), PN_OK);
    pn_buffer_init(&w->answer, 100);
    w->post = (pn_http_post){
        .url = w->url, .body = "{}", .body_bytes = 2, .timeout_ms = 5000, .answer = &w->answer};
}

static int setup(void **state)
{
    static world w;
    memset(&w, 0, sizeof w);
    w.listener = -1;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    pn_http_poster_free(w->poster);
    (void)shutdown(w->listener, SHUT_RDWR);
    pn_thread_join(w->thread);
    (void)close(w->listener);
    pn_buffer_reset(&w->answer);
    return 0;
}

static void begin_and_finish(world *w)
{
    pn_http_post *done = NULL;
    assert_int_equal(pn_http_poster_begin(w->poster, &w->post, NULL), PN_OK);
    for (int i = 0; i < 1000 && !done; i++)
        assert_int_equal(pn_http_poster_step(w->poster, 20, &done, NULL), PN_OK);
    assert_ptr_equal(done, &w->post);
}

static void post__says_what_it_was_given_and_brings_the_answer(void **state)
{
    world *w = *state;
    start(w, (const char *[]){"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", NULL});
    begin_and_finish(w);
    assert_int_equal(w->post.failure.status, PN_OK);
    assert_int_equal(w->post.status, 200);
    assert_string_equal(pn_buffer_text(&w->answer), "hello");
    assert_non_null(strstr(w->asked[0], "POST /a?key=k HTTP/1.1\r\n"));
    assert_non_null(strstr(w->asked[0], "Content-Type: application/json\r\n"));
    assert_null(strstr(w->asked[0], "Expect"));
}

static void post__tells_of_refusals_pauses_and_redirects(void **state)
{
    world *w = *state;
    start(w, (const char *[]){"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno",
                              "HTTP/1.1 307 No\r\nLocation: http://other.example/x?key=k\r\n\r\n",
                              NULL});
    begin_and_finish(w);
    assert_int_equal(w->post.failure.status, PN_OK);
    assert_int_equal(w->post.status, 429);
    assert_int_equal(w->post.retry_after_s, 7);
    assert_string_equal(pn_buffer_text(&w->answer), "no");
    begin_and_finish(w);
    assert_int_equal(w->post.status, 307);
    assert_int_equal(w->post.retry_after_s, 0);
    assert_string_equal(w->post.redirect,
                        "http://other.example/x"); // not followed: nobody is there
}

static void post__knows_what_may_pass(void **state)
{
    world *w = *state;
    start(w, (const char *[]){"", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut",
                              "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"
                              "01234567890123456789012345678901234567890123456789"
                              "01234567890123456789012345678901234567890123456789!",
                              NULL});
    begin_and_finish(w);
    assert_int_equal(w->post.failure.status, PN_ERR_IO);
    assert_true(w->post.failure_passes);
    begin_and_finish(w);
    assert_true(w->post.failure_passes);
    begin_and_finish(w);
    assert_int_equal(w->post.failure.status, PN_ERR_LIMIT);
    assert_false(w->post.failure_passes);
    assert_null(strstr(w->post.failure.message, "key"));
}

static void post__gives_up_in_time_and_can_be_dropped(void **state)
{
    world *w = *state;
    pn_http_post *done;
    start(w, (const char *[]){"never", "never", "never", NULL}); // it closes none before the end
    w->post.timeout_ms = 100;
    begin_and_finish(w);
    assert_int_equal(w->post.failure.status, PN_ERR_IO);
    assert_true(w->post.failure_passes);
    w->post.timeout_ms = 60000;
    assert_int_equal(pn_http_poster_begin(w->poster, &w->post, NULL), PN_OK);
    assert_int_equal(pn_http_poster_step(w->poster, 50, &done, NULL), PN_OK);
    assert_null(done);
    int64_t before = pn_clock_monotonic_ns();
    pn_http_poster_drop_all(w->poster);
    assert_true(pn_clock_monotonic_ns() - before < 1000000000);
}

static void posts__are_bounded(void **state)
{
    world *w = *state;
    pn_http_post posts[PN_HTTP_POSTS_MAX + 1];
    pn_error err = {0};
    start(w, (const char *[]){NULL});
    for (size_t i = 0; i < PN_HTTP_POSTS_MAX; i++) {
        posts[i] = w->post;
        assert_int_equal(pn_http_poster_begin(w->poster, &posts[i], &err), PN_OK);
    }
    posts[PN_HTTP_POSTS_MAX] = w->post;
    assert_int_equal(pn_http_poster_begin(w->poster, &posts[PN_HTTP_POSTS_MAX], &err),
                     PN_ERR_LIMIT);
    posts[PN_HTTP_POSTS_MAX].url = "ftp://127.0.0.1/";
    pn_http_poster_drop_all(w->poster);
    assert_int_equal(pn_http_poster_begin(w->poster, &posts[PN_HTTP_POSTS_MAX], &err),
                     PN_ERR_INVALID);
}

static void loopback__is_this_machine_by_name(void **state)
{
    (void)state;
    static const char *const ours[] = {"http://localhost", "http://LOCALHOST:9001/x",
                                       "http://127.0.0.1:1", "http://127.9.9.9",
                                       "http://[::1]:80/"};
    static const char *const others[] = {"http://localhost.example.com",
                                         "http://128.0.0.1",
                                         "http://127.0.0.1.example.com",
                                         "http://[::2]",
                                         "http://10.0.0.1",
                                         "nonsense",
                                         ""};
    for (size_t i = 0; i < PN_COUNT_OF(ours); i++)
        assert_true(pn_http_is_loopback(ours[i]));
    for (size_t i = 0; i < PN_COUNT_OF(others); i++)
        assert_false(pn_http_is_loopback(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(post__says_what_it_was_given_and_brings_the_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(post__tells_of_refusals_pauses_and_redirects, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(post__knows_what_may_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(post__gives_up_in_time_and_can_be_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(posts__are_bounded, setup, teardown),
        cmocka_unit_test(loopback__is_this_machine_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * http_post.c - libcurl's multi interface behind begin and step
 *
 * One thread drives all requests, because they wait much and work little: a thread for each would have nothing to do but to
 * be cancelled.
 *
 * A transfer is set up anew for each post; what is worth keeping, the connections, belongs to the multi handle.
 */
#include "os/http_post.h"

#include "base/alloc.h"
#include "os/http_handle.h"

typedef struct transfer {
    CURL *curl; /* NULL: this place is free */
    pn_http_post *post;
    char reason[CURL_ERROR_SIZE];
    pn_error fault; /* of the callback: libcurl only knows that it did not take the bytes */
    size_t refused_bytes;
} transfer;

struct pn_http_poster {
    CURLM *multi;
    struct curl_slist *headers;
    transfer transfers[PN_HTTP_POSTS_MAX];
};

static bool add_header(pn_http_poster *poster, const char *line)
{
    struct curl_slist *longer = curl_slist_append(poster->headers, line);
    if (longer)
        poster->headers = longer;
    return longer != NULL;
}

pn_status pn_http_poster_create(pn_http_poster **out, pn_error *err)
{
    PN_TRY(pn_http_start(err));
    pn_http_poster *poster = pn_alloc_zero(sizeof *poster);
    if (!poster)
        return pn_fail_nomem(err);
    poster->multi = curl_multi_init();
    // "Expect: 100-continue" would cost a round trip, and a second where the server does not know it
    if (!poster->multi || !add_header(poster, "Content-Type: application/json") ||
        !add_header(poster, "Accept: application/json") || !add_header(poster, "Expect:")) {
        pn_http_poster_free(poster);
        return pn_fail_nomem(err);
    }
    *out = poster;
    return PN_OK;
}

static void end_transfer(pn_http_poster *poster, transfer *t)
{
    if (!t->curl)
        return;
    (void)curl_multi_remove_handle(poster->multi, t->curl); // it is there
    curl_easy_cleanup(t->curl);
    *t = (transfer){0};
}

void pn_http_poster_drop_all(pn_http_poster *poster)
{
    for (size_t i = 0; i < PN_HTTP_POSTS_MAX; i++)
        end_transfer(poster, &poster->transfers[i]);
}

void pn_http_poster_free(pn_http_poster *poster)
{
    if (!poster)
        return;
    pn_http_poster_drop_all(poster);
    curl_multi_cleanup(poster->multi);
    curl_slist_free_all(poster->headers);
    pn_free(poster);
}

/* ---- one request */

static size_t on_bytes(char *bytes, size_t one, size_t n, void *context)
{
    transfer *t = context;
    pn_buffer *answer = t->post->answer;
    long status = 0;
    n *= one;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status); // 0 when there is none
    if (status == 200)
        return pn_buffer_append(answer, bytes, n, &t->fault) == PN_OK ? n : 0;
    size_t most = PN_MIN(answer->max_bytes, (size_t)PN_HTTP_MAX_REFUSAL_BYTES);
    size_t room = most - PN_MIN(most, answer->n_bytes);
    t->refused_bytes += n;
    if (t->refused_bytes > 16 * (size_t)PN_HTTP_MAX_REFUSAL_BYTES) // nobody reads that
        return 0;
    return pn_buffer_append(answer, bytes, PN_MIN(n, room), &t->fault) == PN_OK ? n : 0;
}

static pn_status set_up(pn_http_poster *poster, transfer *t, pn_error *err)
{
    static const pn_http_times usual = {0};
    const pn_http_post *post = t->post;
    CURL *c = t->curl;
    PN_TRY(pn_http_handle_set_up(c, &usual, t->reason, err));
    bool ok = curl_easy_setopt(c, CURLOPT_URL, post->url) == CURLE_OK;
    ok &=
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_bytes) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_POSTFIELDS, post->body) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_HTTPHEADER, poster->headers) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)PN_MAX(post->timeout_ms, 1u)) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK; // stopping waits for no resolver
    if (!pn_http_is_https(post->url))
        ok &= curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
    return ok ? PN_OK : pn_fail_nomem(err);
}

static transfer *free_place(pn_http_poster *poster)
{
    for (size_t i = 0; i < PN_HTTP_POSTS_MAX; i++)
        if (!poster->transfers[i].curl)
            return &poster->transfers[i];
    return NULL;
}

pn_status pn_http_poster_begin(pn_http_poster *poster, pn_http_post *post, pn_error *err)
{
    transfer *t = free_place(poster);
    if (!t)
        return pn_fail(err, PN_ERR_LIMIT, "%d requests are under way, the limit",
                       PN_HTTP_POSTS_MAX);
    PN_TRY(pn_http_check_url(post->url, err));
    pn_buffer_clear(post->answer);
    t->post = post;
    t->curl = curl_easy_init();
    if (!t->curl)
        return pn_fail_nomem(err);
    pn_status status = set_up(poster, t, err);
    if (status == PN_OK && curl_multi_add_handle(poster->multi, t->curl) != CURLM_OK)
        status = pn_fail_nomem(err);
    if (status != PN_OK) {
        curl_easy_cleanup(t->curl);
        *t = (transfer){0};
    }
    return status;
}

static void fill_answer(const transfer *t)
{
    pn_http_post *post = t->post;
    curl_off_t asked_s = 0;
    char *next = NULL;
    if (curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &asked_s) == CURLE_OK && asked_s > 0)
        post->retry_after_s = (uint32_t)PN_MIN(asked_s, (curl_off_t)UINT32_MAX);
    if (pn_http_is_redirect(post->status) &&
        curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &next) == CURLE_OK && next)
        pn_http_show_url(next, post->redirect);
}

static void fill_failure(const transfer *t, CURLcode code)
{
    pn_http_post *post = t->post;
    post->failure_passes = pn_http_may_pass(code);
    post->cannot_connect = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    if (t->fault.status != PN_OK)
        post->failure = t->fault;
    else if (code == CURLE_OUT_OF_MEMORY)
        (void)pn_fail_nomem(&post->failure);
    else
        (void)pn_fail(&post->failure, PN_ERR_IO, "%s",
                      t->reason[0] ? t->reason : curl_easy_strerror(code));
}

static pn_http_post *finish(pn_http_poster *poster, transfer *t, CURLcode code)
{
    pn_http_post *post = t->post;
    post->failure = (pn_error){0};
    post->failure_passes = post->cannot_connect = false;
    post->retry_after_s = 0;
    post->redirect[0] = '\0';
    post->status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &post->status);
    (void)curl_easy_getinfo(t->curl, CURLINFO_TOTAL_TIME, &post->seconds);
    // a refusal whose end nobody wanted to read, or that was cut, is one still
    if (code == CURLE_OK || (post->status != 0 && post->status != 200 && t->fault.status == PN_OK))
        fill_answer(t);
    else
        fill_failure(t, code);
    end_transfer(poster, t);
    return post;
}

static pn_http_post *take_finished(pn_http_poster *poster)
{
    int n_left;
    for (CURLMsg *m = curl_multi_info_read(poster->multi, &n_left); m;
         m = curl_multi_info_read(poster->multi, &n_left)) {
        if (m->msg != CURLMSG_DONE)
            continue;
        char *place = NULL;
        CURLcode code = m->data.result; // m ends with its handle
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &place);
        return finish(poster, (transfer *)(void *)place, code);
    }
    return NULL;
}

pn_status pn_http_poster_step(pn_http_poster *poster, int wait_ms, pn_http_post **done,
                              pn_error *err)
{
    int n_running;
    *done = take_finished(poster);
    for (int i = 0; i < 2 && !*done; i++) {
        if (curl_multi_perform(poster->multi, &n_running) != CURLM_OK)
            return pn_fail(err, PN_ERR_IO, "libcurl cannot go on");
        *done = take_finished(poster);
        if (!*done && i == 0 && curl_multi_poll(poster->multi, NULL, 0, wait_ms, NULL) != CURLM_OK)
            return pn_fail(err, PN_ERR_IO, "libcurl cannot wait");
    }
    return PN_OK;
}

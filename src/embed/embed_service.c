/*
 * embed_service.c - the loop that drives a call's requests, and what all calls share
 *
 *     shared, under mu     places taken, queries that wait for one, the breaker, the common pause, counters, idle posters
 *     a call's own         its jobs, a poster (os/http_post.h) with their transfers
 *
 * The loop of a call: start what is due and finds a place; work on the transfers, or nap when there are none; settle what has
 * ended; ask whether anybody still waits. It never blocks longer than a nap, which is what makes stopping quick.
 *
 * 500 says that something went wrong, and not whether with the server or with the input: Roboflow's answers it to a text of more
 * than 77 tokens. Three such questions would open the breaker for everybody. So a request that ends with 500 is followed by a
 * simple one, once; when that is answered, the server lives and the input was at fault.
 *
 * A body is written when its job begins and kept until the job ends, so that at most n_parallel bodies are in memory.
 */
#include "embed/embed_service.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "embed/hosted_wire.h"
#include "os/clock.h"
#include "os/http_post.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

enum { NAP_MS = 20, MAX_IDLE_POSTERS = 8 };

static const int64_t MS = 1000000;

struct pn_embed_service {
    char *secret; /* may be NULL */
    uint32_t n_parallel, deadline_ms, pause_ms;
    pthread_mutex_t mu;
    /* guarded by mu: */
    uint32_t n_taken, n_queries_waiting;
    int64_t not_before_ns; /* Retry-After */
    pn_breaker breaker;
    pn_rng rng;
    pn_embed_service_stats stats;
    pn_http_poster *idle[MAX_IDLE_POSTERS];
    size_t n_idle;
};

typedef enum job_state { JOB_NEW, JOB_PAUSED, JOB_SENT, JOB_DONE } job_state;

typedef struct job {
    pn_http_post post; /* first: the poster hands this back */
    pn_buffer body, answer;
    job_state state;
    bool is_probe;
    unsigned n_attempts;
    int64_t due_ns, deadline_ns;
} job;

/* One pn_embed_service_run(). */
typedef struct call {
    pn_embed_service *service;
    const pn_embed_calls *calls;
    const pn_embed_how *how;
    pn_http_poster *poster;
    job *jobs;
    size_t n_open; /* begun and not done */
    size_t n_sent, n_done;
    bool waits; /* a query, counted in n_queries_waiting */
    char shown[PN_HTTP_SHOWN_BYTES];
} call;

/* ---- what all calls share ---- */

pn_status pn_embed_service_create(const pn_embed_service_options *o, pn_embed_service **out,
                                  pn_error *err)
{
    pn_embed_service *service = pn_alloc_zero(sizeof *service);
    if (!service)
        return pn_fail_nomem(err);
    if (pthread_mutex_init(&service->mu, NULL) != 0) {
        pn_free(service);
        return pn_fail(err, PN_ERR_IO, "cannot make a lock");
    }
    service->n_parallel = o->n_parallel ? o->n_parallel : PN_SERVICE_PARALLEL_DEFAULT;
    service->deadline_ms = o->deadline_ms ? o->deadline_ms : PN_SERVICE_DEADLINE_MS_DEFAULT;
    service->pause_ms = o->pause_ms ? o->pause_ms : PN_SERVICE_PAUSE_MS_DEFAULT;
    service->rng = pn_rng_seed((uint64_t)pn_clock_wall_ns() ^ (uintptr_t)service);
    pn_breaker_init(&service->breaker, o->breaker_pause_ms);
    if (o->secret) {
        service->secret = pn_strdup(o->secret);
        if (!service->secret) {
            pn_embed_service_free(service);
            return pn_fail_nomem(err);
        }
    }
    *out = service;
    return PN_OK;
}

void pn_embed_service_free(pn_embed_service *service)
{
    if (!service)
        return;
    for (size_t i = 0; i < service->n_idle; i++)
        pn_http_poster_free(service->idle[i]);
    pthread_mutex_destroy(&service->mu);
    pn_free(service->secret);
    pn_free(service);
}

void pn_embed_service_get_stats(pn_embed_service *service, pn_embed_service_stats *out)
{
    pthread_mutex_lock(&service->mu);
    *out = service->stats;
    out->breaker = service->breaker.state;
    out->breaker_seconds =
        (double)pn_breaker_wait_ns(&service->breaker, pn_clock_monotonic_ns()) * 1e-9;
    pthread_mutex_unlock(&service->mu);
}

static pn_status take_poster(pn_embed_service *service, pn_http_poster **out, pn_error *err)
{
    pn_http_poster *poster = NULL;
    pthread_mutex_lock(&service->mu);
    if (service->n_idle > 0)
        poster = service->idle[--service->n_idle];
    pthread_mutex_unlock(&service->mu);
    if (!poster)
        return pn_http_poster_create(out, err);
    *out = poster;
    return PN_OK;
}

static void give_poster(pn_embed_service *service, pn_http_poster *poster)
{
    pthread_mutex_lock(&service->mu);
    if (service->n_idle < MAX_IDLE_POSTERS) {
        service->idle[service->n_idle++] = poster;
        poster = NULL;
    }
    pthread_mutex_unlock(&service->mu);
    pn_http_poster_free(poster);
}

/* ---- starting ---- */

static bool is_bulk(const call *c)
{
    return c->how && c->how->urgency == PN_EMBED_BULK;
}

static void set_waiting(call *c, bool waits)
{
    if (c->waits == waits || is_bulk(c))
        return;
    c->waits = waits;
    if (waits)
        c->service->n_queries_waiting++;
    else
        c->service->n_queries_waiting--;
}

static bool has_probe(const call *c)
{
    for (size_t i = 0; i < c->calls->n; i++)
        if (c->jobs[i].is_probe)
            return true;
    return false;
}

typedef enum leave { LEAVE_GO, LEAVE_LATER, LEAVE_NEVER } leave;

/* A place for the job, if there is one and the breaker lets it through. With mu held. */
static leave ask_leave(call *c, job *j, int64_t now)
{
    pn_embed_service *s = c->service;
    if (s->not_before_ns > now)
        return LEAVE_LATER;
    if (s->n_taken >= s->n_parallel || (is_bulk(c) && s->n_queries_waiting > 0)) {
        set_waiting(c, true);
        return LEAVE_LATER;
    }
    if (j->n_attempts == 0) {
        pn_breaker_leave said = pn_breaker_ask(&s->breaker, now);
        if (said == PN_BREAKER_REFUSED && has_probe(c))
            return LEAVE_LATER;
        if (said == PN_BREAKER_REFUSED) {
            s->stats.n_rejected++;
            return LEAVE_NEVER;
        }
        j->is_probe = said == PN_BREAKER_PROBE;
    }
    set_waiting(c, false);
    s->n_taken++;
    s->stats.n_requests++;
    s->stats.n_retries += j->n_attempts > 0;
    return LEAVE_GO;
}

static void give_back_place(call *c)
{
    pthread_mutex_lock(&c->service->mu);
    c->service->n_taken--;
    pthread_mutex_unlock(&c->service->mu);
}

static pn_status refuse(call *c, int64_t now, pn_error *err)
{
    pthread_mutex_lock(&c->service->mu);
    unsigned n = c->service->breaker.n_failures;
    double seconds = (double)pn_breaker_wait_ns(&c->service->breaker, now) * 1e-9;
    pthread_mutex_unlock(&c->service->mu);
    return pn_fail(err, PN_ERR_IO,
                   "%s has failed %u times in a row and is not asked now: try again in %.0f s",
                   c->shown, n, seconds < 1 ? 1.0 : seconds);
}

static pn_status send(call *c, job *j, int64_t now, pn_error *err)
{
    size_t i = (size_t)(j - c->jobs);
    if (j->state == JOB_NEW) {
        c->n_open++;
        j->deadline_ns = now + c->service->deadline_ms * MS;
        PN_TRY(c->calls->write(c->calls->context, i, &j->body, err));
    }
    j->post.url = c->calls->url;
    j->post.body = j->body.data;
    j->post.body_bytes = j->body.n_bytes;
    j->post.answer = &j->answer;
    j->post.timeout_ms = (uint32_t)PN_MAX((j->deadline_ns - now) / MS, (int64_t)1);
    PN_TRY(pn_http_poster_begin(c->poster, &j->post, err));
    j->state = JOB_SENT;
    j->n_attempts++;
    c->n_sent++;
    return PN_OK;
}

static pn_status start_due(call *c, int64_t now, pn_error *err)
{
    pn_embed_service *s = c->service;
    for (size_t i = 0; i < c->calls->n; i++) {
        job *j = &c->jobs[i];
        bool is_due = (j->state == JOB_NEW && c->n_open < s->n_parallel) ||
                      (j->state == JOB_PAUSED && j->due_ns <= now);
        if (!is_due)
            continue;
        pthread_mutex_lock(&s->mu);
        leave said = ask_leave(c, j, now);
        pthread_mutex_unlock(&s->mu);
        if (said == LEAVE_NEVER)
            return refuse(c, now, err);
        if (said == LEAVE_LATER)
            return PN_OK; // so it is for those behind it
        pn_status status = send(c, j, now, err);
        if (status != PN_OK) {
            give_back_place(c);
            return status;
        }
    }
    return PN_OK;
}

/* ---- settling ---- */

typedef enum verdict {
    VERDICT_GOOD,
    VERDICT_AGAIN,   /* may pass */
    VERDICT_REFUSED, /* the server lives, and says no */
    VERDICT_BAD      /* and will be next time */
} verdict;

/* "HTTP 422: what the server says". */
static pn_status tell_status(const call *c, const job *j, pn_status status, const char *hint,
                             pn_error *err)
{
    char said[PN_HOSTED_REFUSAL_BYTES];
    pn_hosted_read_refusal(j->answer.data, j->answer.n_bytes, c->service->secret, said);
    return pn_fail(err, status, "HTTP %ld%s%s%s", j->post.status, hint, said[0] ? ": " : "", said);
}

static verdict judge(const call *c, job *j, pn_error *why)
{
    const pn_http_post *post = &j->post;
    if (post->failure.status != PN_OK) {
        pn_status status = post->failure.status == PN_ERR_NOMEM ? PN_ERR_NOMEM : PN_ERR_IO;
        (void)pn_fail(why, status, "%s", post->failure.message);
        return post->failure_passes ? VERDICT_AGAIN : VERDICT_BAD;
    }
    if (post->status == 200)
        return c->calls->read(c->calls->context, (size_t)(j - c->jobs), &j->answer, why) == PN_OK
                   ? VERDICT_GOOD
                   : VERDICT_BAD;
    if (post->redirect[0] != '\0') {
        (void)pn_fail(why, PN_ERR_IO, "HTTP %ld leads to %s, which is not asked: name that URL",
                      post->status, post->redirect);
        return VERDICT_BAD;
    }
    switch (post->status) {
    case 401:
    case 403:
        (void)tell_status(
            c, j, PN_ERR_IO,
            c->service->secret ? ", the API key is not accepted" : ", an API key is needed", why);
        return VERDICT_REFUSED;
    case 400:
    case 413:
    case 415:
    case 422:
        (void)tell_status(c, j, PN_ERR_INVALID, "", why);
        return VERDICT_REFUSED;
    default:
        (void)tell_status(c, j, PN_ERR_IO, "", why);
        if (post->status == 408 || post->status == 429 || post->status >= 500)
            return VERDICT_AGAIN;
        return post->status >= 400 ? VERDICT_REFUSED : VERDICT_BAD;
    }
}

static bool is_cancelled(const call *c)
{
    return c->how && c->how->cancelled && c->how->cancelled(c->how->context);
}

/* Wait for the one transfer of a poster. */
static bool wait_for_200(const call *c, pn_http_poster *poster, pn_http_post *post)
{
    pn_http_post *done = NULL;
    if (pn_http_poster_begin(poster, post, NULL) != PN_OK)
        return false;
    while (!done)
        if (is_cancelled(c) || pn_http_poster_step(poster, NAP_MS, &done, NULL) != PN_OK)
            break;
    pn_http_poster_drop_all(poster);
    return done && post->failure.status == PN_OK && post->status == 200;
}

/* Does the server answer what it must? Takes a place that is free or not: it is one request, and its call has just given one back. */
static bool answers_a_simple_one(call *c)
{
    pn_embed_service *s = c->service;
    pn_http_poster *poster;
    pn_buffer body, answer;
    if (!c->calls->write_simple || take_poster(s, &poster, NULL) != PN_OK)
        return false;
    pn_buffer_init(&body, c->calls->max_body_bytes);
    pn_buffer_init(&answer, c->calls->max_answer_bytes);
    bool answers = c->calls->write_simple(c->calls->context, &body, NULL) == PN_OK;
    if (answers) {
        pn_http_post post = {.url = c->calls->url,
                             .body = body.data,
                             .body_bytes = body.n_bytes,
                             .timeout_ms = PN_SERVICE_SIMPLE_MS,
                             .answer = &answer};
        pthread_mutex_lock(&s->mu);
        s->n_taken++;
        s->stats.n_requests++;
        pthread_mutex_unlock(&s->mu);
        answers = wait_for_200(c, poster, &post);
        give_back_place(c);
    }
    pn_buffer_reset(&body);
    pn_buffer_reset(&answer);
    give_poster(s, poster);
    return answers;
}

/* Twice as long each time, scattered over the upper half. With mu held. */
static int64_t next_pause_ns(pn_embed_service *s, unsigned n_attempts)
{
    double ms = s->pause_ms;
    for (unsigned i = 1; i < n_attempts && ms < PN_SERVICE_PAUSE_MS_MAX; i++)
        ms *= 2;
    ms = PN_MIN(ms, (double)PN_SERVICE_PAUSE_MS_MAX);
    return (int64_t)(ms * (0.5 + 0.5 * pn_rng_unit(&s->rng)) * (double)MS);
}

/* Will the job be tried again? Then it knows when. */
static bool plan_retry(call *c, job *j, int64_t now)
{
    pn_embed_service *s = c->service;
    unsigned most = is_bulk(c) ? PN_SERVICE_BULK_ATTEMPTS : PN_SERVICE_QUERY_ATTEMPTS;
    pthread_mutex_lock(&s->mu);
    int64_t due = now + next_pause_ns(s, j->n_attempts);
    if (j->post.retry_after_s > 0) {
        int64_t asked = now + (int64_t)j->post.retry_after_s * 1000 * MS;
        due = PN_MAX(due, asked);
        int64_t latest = now + s->deadline_ms * MS;
        s->not_before_ns = PN_MAX(s->not_before_ns, PN_MIN(asked, latest));
    }
    pthread_mutex_unlock(&s->mu);
    if (j->n_attempts >= most || due >= j->deadline_ns)
        return false;
    j->state = JOB_PAUSED;
    j->due_ns = due;
    return true;
}

static void end_job(call *c, job *j, verdict said, int64_t now)
{
    pn_embed_service *s = c->service;
    pthread_mutex_lock(&s->mu);
    if (said == VERDICT_GOOD || said == VERDICT_REFUSED)
        pn_breaker_succeed(&s->breaker);
    else
        pn_breaker_fail(&s->breaker, now);
    s->stats.n_failures += said != VERDICT_GOOD;
    pthread_mutex_unlock(&s->mu);
    j->is_probe = false;
    j->state = JOB_DONE;
    c->n_open--;
    c->n_done++;
    pn_buffer_reset(&j->body);
    pn_buffer_reset(&j->answer);
}

static pn_status settle(call *c, job *j, pn_error *err)
{
    pn_error why = {0};
    int64_t now = pn_clock_monotonic_ns();
    pthread_mutex_lock(&c->service->mu);
    c->service->n_taken--;
    c->service->stats.seconds += j->post.seconds;
    pthread_mutex_unlock(&c->service->mu);
    c->n_sent--;
    verdict said = judge(c, j, &why);
    if (said == VERDICT_AGAIN && plan_retry(c, j, now))
        return PN_OK;
    if (said == VERDICT_AGAIN && j->post.status == 500 && answers_a_simple_one(c)) {
        said = VERDICT_REFUSED;
        (void)tell_status(c, j, PN_ERR_INVALID, ", but not to others: what is wrong with this one?",
                          &why);
    }
    char waits[48] = "", tried[32] = "";
    if (said == VERDICT_AGAIN && j->post.retry_after_s > 0)
        (void)snprintf(waits, sizeof waits, " (it asks for a pause of %" PRIu32 " s)",
                       j->post.retry_after_s); // 42 characters
    if (j->n_attempts > 1)
        (void)snprintf(tried, sizeof tried, ", after %u attempts", j->n_attempts); // 28
    end_job(c, j, said, now);
    if (said == VERDICT_GOOD)
        return PN_OK;
    return pn_fail(err, why.status, "%s: %s%s%s", c->shown, why.message, waits, tried);
}

/* ---- the loop ---- */

static pn_status drive(call *c, pn_error *err)
{
    while (c->n_done < c->calls->n) {
        if (is_cancelled(c))
            return pn_fail(err, PN_ERR_CANCELLED, "stopped");
        PN_TRY(start_due(c, pn_clock_monotonic_ns(), err));
        if (c->n_sent == 0) {
            pn_clock_sleep_ms(NAP_MS);
            continue;
        }
        pn_http_post *done;
        PN_TRY(pn_http_poster_step(c->poster, NAP_MS, &done, err));
        if (done)
            PN_TRY(settle(c, (job *)(void *)done, err));
    }
    return PN_OK;
}

/* Whatever is still under way, or waits, is over. */
static void end_call(call *c)
{
    pn_embed_service *s = c->service;
    pn_http_poster_drop_all(c->poster);
    pthread_mutex_lock(&s->mu);
    set_waiting(c, false);
    s->n_taken -= (uint32_t)c->n_sent;
    if (has_probe(c))
        pn_breaker_forget(&s->breaker);
    pthread_mutex_unlock(&s->mu);
    for (size_t i = 0; i < c->calls->n; i++) {
        pn_buffer_reset(&c->jobs[i].body);
        pn_buffer_reset(&c->jobs[i].answer);
    }
}

pn_status pn_embed_service_run(pn_embed_service *service, const pn_embed_calls *calls,
                               const pn_embed_how *how, pn_error *err)
{
    call c = {.service = service, .calls = calls, .how = how};
    pn_error why = {0};
    if (calls->n == 0)
        return PN_OK;
    PN_TRY(take_poster(service, &c.poster, err));
    size_t bytes;
    c.jobs = pn_size_mul(calls->n, sizeof *c.jobs, &bytes) ? pn_alloc_zero(bytes) : NULL;
    if (!c.jobs) {
        give_poster(service, c.poster);
        return pn_fail_nomem(err);
    }
    for (size_t i = 0; i < calls->n; i++) {
        pn_buffer_init(&c.jobs[i].body, calls->max_body_bytes);
        pn_buffer_init(&c.jobs[i].answer, calls->max_answer_bytes);
    }
    pn_http_show_url(calls->url, c.shown);
    pn_status status = drive(&c, &why);
    end_call(&c);
    give_poster(service, c.poster);
    pn_free(c.jobs);
    if (status != PN_OK) {
        pn_hosted_hide(why.message, service->secret);
        return pn_fail(err, status, "%s", why.message);
    }
    return PN_OK;
}

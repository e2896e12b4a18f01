/*
 * http_post.h - several POSTs at once, from one thread (libcurl)
 *
 *     begin, begin, begin; then  while (step(...) says which one is done)  look at it, perhaps begin it again
 *
 * No redirect is followed: who holds a secret in a URL or a body gives it to the host he named and to no other. For the same reason
 * plain http never takes a proxy; https takes those of the environment, which see nothing of it. Attempts, pauses and what an answer
 * means are the caller's. Connections stay open between requests of one poster.
 * Messages say neither the URL nor a header.
 * Threads: one at a time for each poster.
 */
#ifndef PN_OS_HTTP_POST_H
#define PN_OS_HTTP_POST_H

#include "base/buffer.h"
#include "os/http_url.h"

enum { PN_HTTP_POSTS_MAX = 32, PN_HTTP_MAX_REFUSAL_BYTES = 1 << 16 };

typedef struct pn_http_post {
    /* The caller's, untouched and kept until it is done: */
    const char *url;
    const void *body; /* JSON */
    size_t body_bytes;
    uint32_t timeout_ms; /* for all of it */
    pn_buffer *
        answer; /* emptied first; its maximum bounds the body of a 200, PN_HTTP_MAX_REFUSAL_BYTES any other */

    /* Filled when it is done: */
    pn_error failure;       /* status PN_OK: an answer came, whatever it says. IO, LIMIT, NOMEM */
    bool failure_passes;    /* the same may succeed a little later */
    bool cannot_connect;    /* nothing of the body was sent */
    long status;            /* 200, ...; 0: none came */
    uint32_t retry_after_s; /* 0: not said */
    char redirect[PN_HTTP_SHOWN_BYTES]; /* where a redirect leads; "": none */
    double seconds;
} pn_http_post;

typedef struct pn_http_poster pn_http_poster;
PN_NODISCARD pn_status pn_http_poster_create(pn_http_poster **out, pn_error *err);
void pn_http_poster_free(pn_http_poster *poster); /* drops what runs; NULL is welcome */

/* INVALID (the URL), LIMIT (PN_HTTP_POSTS_MAX are under way), NOMEM. */
PN_NODISCARD pn_status pn_http_poster_begin(pn_http_poster *poster, pn_http_post *post,
                                            pn_error *err);

/* Work on all of them, for at most wait_ms: *done is one that ended, NULL when none did. */
PN_NODISCARD pn_status pn_http_poster_step(pn_http_poster *poster, int wait_ms, pn_http_post **done,
                                           pn_error *err);

/* Stop whatever is under way: the connections are closed, nothing is filled. */
void pn_http_poster_drop_all(pn_http_poster *poster);

#endif

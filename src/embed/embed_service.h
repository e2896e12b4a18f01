/*
 * embed_service.h - requests to a server that embeds: several at once, each tried until it succeeds or is given up
 *
 *     job:  wait for a place -> POST -> 200                       read it
 *                                       no connection, 408, 429, 5xx   pause, again: at most n attempts, and not past the deadline
 *                                       another 4xx                    INVALID or IO at once, with the server's words
 *                                       500 to the last, but           INVALID: it is this input that the server stumbles over
 *                                         write_simple's is answered
 *                                       anything else                  IO at once
 *
 * Pauses double and are scattered, so that many clients do not come back together; what Retry-After says counts for everybody. The
 * breaker (breaker.h) makes requests to a server that is down fail at once. Queries take free places before ingestion does.
 * Messages name the address without its parameters, and never the secret.
 * Threads: any; a call works on its own thread and keeps its connections for the next one.
 */
#ifndef PN_EMBED_EMBED_SERVICE_H
#define PN_EMBED_EMBED_SERVICE_H

#include "base/buffer.h"
#include "embed/breaker.h"
#include "embed/embedder.h"

enum {
    PN_SERVICE_PARALLEL_DEFAULT = 4,
    PN_SERVICE_PARALLEL_MAX = 32,
    PN_SERVICE_DEADLINE_MS_DEFAULT = 60000,
    PN_SERVICE_DEADLINE_MS_MAX = 3600000,
    PN_SERVICE_QUERY_ATTEMPTS = 3, /* somebody waits: half a second of pauses, not ten */
    PN_SERVICE_BULK_ATTEMPTS = 6,
    PN_SERVICE_SIMPLE_MS = 5000, /* for the answer to a simple request */
    PN_SERVICE_PAUSE_MS_DEFAULT = 300,
    PN_SERVICE_PAUSE_MS_MAX = 10000
};

typedef struct pn_embed_service_options {
    const char *secret;        /* kept out of messages; NULL: none */
    uint32_t n_parallel;       /* requests at a time, of all calls together; 0: the default */
    uint32_t deadline_ms;      /* for a request with all its attempts; 0: the default */
    uint32_t pause_ms;         /* before the second attempt; 0: the default */
    uint32_t breaker_pause_ms; /* 0: the default */
} pn_embed_service_options;

typedef struct pn_embed_service pn_embed_service;
PN_NODISCARD pn_status pn_embed_service_create(const pn_embed_service_options *options,
                                               pn_embed_service **out, pn_error *err);
void pn_embed_service_free(pn_embed_service *service); /* NULL is welcome; no call may run */

/* n requests to one URL. */
typedef struct pn_embed_calls {
    const char *url;
    size_t n;
    /* Append the body of the i-th. */
    pn_status (*write)(void *context, size_t i, pn_buffer *body, pn_error *err);
    /* Take the answer to the i-th, a 200. A failure is the server's fault. */
    pn_status (*read)(void *context, size_t i, const pn_buffer *answer, pn_error *err);
    /* Append the body of a request that a server in health answers: it is asked when another one ended with 500. NULL: none. */
    pn_status (*write_simple)(void *context, pn_buffer *body, pn_error *err);
    void *context;
    size_t max_body_bytes, max_answer_bytes;
} pn_embed_calls;

/*
 * Returns when all are done, or when the first has failed; then the others are dropped.
 * how  may be NULL: a query that nobody stops
 *
 * Errors: INVALID (the server refuses the input: 400, 413, 415, 422; or stumbles over it), IO, CANCELLED, NOMEM; those of write.
 */
PN_NODISCARD pn_status pn_embed_service_run(pn_embed_service *service, const pn_embed_calls *calls,
                                            const pn_embed_how *how, pn_error *err);

typedef struct pn_embed_service_stats {
    uint64_t n_requests; /* sent, each attempt */
    uint64_t n_retries;  /* of them, second and later attempts */
    uint64_t n_failures; /* requests given up or refused by the server */
    uint64_t n_rejected; /* that the breaker kept from being made */
    double seconds;      /* of all attempts together */
    pn_breaker_state breaker;
    double breaker_seconds; /* until the next probe; 0: at once */
} pn_embed_service_stats;
void pn_embed_service_get_stats(pn_embed_service *service, pn_embed_service_stats *out);

#endif

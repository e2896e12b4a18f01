/*
 * serve.h - `pennon serve`: the HTTP service and its page
 *
 * One call that runs until it is told to stop. What it answers is docs/REST.md (and /openapi.json, the same for
 * machines). It sees the library through pennon.h only, so another program can offer the same service.
 *
 *     pn_serve_options options = PN_SERVE_OPTIONS_INIT;
 *     pn_process_catch_stop();
 *     status = pn_serve_run(library, table, model, &options, pn_process_stop_flag(), &err);
 */
#ifndef PN_SERVE_SERVE_H
#define PN_SERVE_SERVE_H

#include <pennon.h>
#include <stdatomic.h>

#include "base/status.h"

typedef enum pn_access_log {
    PN_ACCESS_LOG_NONE,
    PN_ACCESS_LOG_TEXT, /* one line a request: time, address, method, path, status, bytes, ms, request id */
    PN_ACCESS_LOG_JSON /* the same as one JSON object a line */
} pn_access_log;

#define PN_SERVE_PORT_DEFAULT 8000
#define PN_SERVE_BODY_BYTES_DEFAULT (32u << 20)
#define PN_SERVE_BODY_BYTES_MIN 1024
#define PN_SERVE_BODY_BYTES_MAX (1u << 30)
#define PN_SERVE_CONNECTIONS_DEFAULT 256
#define PN_SERVE_CONNECTIONS_MIN 1
#define PN_SERVE_CONNECTIONS_MAX 10000
#define PN_SERVE_REQUEST_TIMEOUT_DEFAULT 30
#define PN_SERVE_REQUEST_TIMEOUT_MIN 1
#define PN_SERVE_REQUEST_TIMEOUT_MAX 3600
#define PN_SERVE_DRAIN_TIMEOUT_DEFAULT 10

typedef struct pn_serve_options {
    const char *listen_address; /* an IPv4 or IPv6 address; NULL: "127.0.0.1", this machine only */
    uint16_t port;              /* 0: any free one, told to ready() */
    unsigned n_threads;         /* searches at the same time; 0: one a core */
    uint64_t max_body_bytes;    /* of one request; larger ones get 413 */
    unsigned max_connections;   /* open at the same time; more are closed at once */
    unsigned
        request_timeout_s; /* a client that is late by this is dropped: clients.c says for what */
    unsigned drain_timeout_s; /* for running requests, once *stop is true */
    bool no_index;            /* build none in the background */
    double retention_days;    /* of old versions, as in pn_upkeep_options; 0: they stay */
    bool read_only;           /* refuse /ingest and DELETE with 403 */
    const char *ingest_root;  /* sources on this machine must lie below; NULL: none are taken */
    const char *auth_token;   /* NULL: none; else /ingest and DELETE need `Authorization: Bearer` */
    pn_access_log access_log;
    /* Called once, when the service answers. url: "http://127.0.0.1:8000". May be NULL. */
    void (*ready)(void *context, const char *url);
    /* One line without a newline: access log, start, drain, faults. From any thread, one at a time. May be NULL. */
    void (*log)(void *context, const char *line);
    void *context;
} pn_serve_options;
#define PN_SERVE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        NULL, PN_SERVE_PORT_DEFAULT, 0, PN_SERVE_BODY_BYTES_DEFAULT, PN_SERVE_CONNECTIONS_DEFAULT, \
            PN_SERVE_REQUEST_TIMEOUT_DEFAULT, PN_SERVE_DRAIN_TIMEOUT_DEFAULT, false, 7.0, false,   \
            NULL, NULL, PN_ACCESS_LOG_NONE, NULL, NULL, NULL                                       \
    }

/*
 * Serve the table until *stop is true, then drain: take no new connections, answer 503 to new requests on old ones,
 * finish what runs (cancelling it after drain_timeout_s), and return PN_OK.
 *
 * model  may be NULL: then only searches by id and vector work, and /ingest is refused
 *
 * Errors:  INVALID (an option out of its range, an address that is none, an ingest_root that is no folder); NOT_FOUND
 *          (ingest_root); IO (the port is taken); NOMEM.
 * Threads: the caller's waits; one for the network, n_threads for searches, three for the rest, one for indexes. Several services may
 *          run in one process, over one table too.
 */
PN_NODISCARD pn_status pn_serve_run(pn_library *library, pn_table *table, pn_model *model,
                                    const pn_serve_options *options, const atomic_bool *stop,
                                    pn_error *err);

#endif

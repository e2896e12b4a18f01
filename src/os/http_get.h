/*
 * http_get.h - what a URL holds, into memory or into a file (libcurl)
 *
 * Only http and https. Redirects are followed by hand, at most PN_HTTP_MAX_REDIRECTS of them, so that each is looked at: never
 * from https to http, never from a public address to a private one, and the token goes to the first URL's scheme, host and
 * port alone. A fault that may pass (no connection, a cut, 408, 429, 5xx) is tried again after a pause that doubles; a file goes on
 * where it was cut.
 * Messages name the URL without user, password and query, and never a header.
 * Threads: any; one call is one connection. HTTP proxies of the environment are used, as libcurl does.
 */
#ifndef PN_OS_HTTP_GET_H
#define PN_OS_HTTP_GET_H

#include "base/buffer.h"

enum {
    PN_HTTP_MAX_REDIRECTS = 8,
    PN_HTTP_MAX_URL_BYTES = 8192, /* signed addresses are long */
    PN_HTTP_CONNECT_MS_DEFAULT = 15000,
    PN_HTTP_STALL_MS_DEFAULT = 30000,
    PN_HTTP_ATTEMPTS_DEFAULT = 5,
    PN_HTTP_PAUSE_MS_DEFAULT = 500,
    PN_HTTP_PAUSE_MS_MAX = 60000
};

typedef enum pn_http_private {
    PN_HTTP_PRIVATE_IF_NAMED, /* the URL itself may lead to one; then redirects may, too */
    PN_HTTP_PRIVATE_NEVER
} pn_http_private;

/* Zero is the default of every field. */
typedef struct pn_http_options {
    const char *token; /* "Authorization: Bearer <token>"; NULL: none */
    uint32_t connect_ms;
    uint32_t stall_ms;   /* give up when nothing came for so long; whole seconds count */
    unsigned n_attempts; /* in a row without a new byte */
    uint32_t pause_ms;   /* before the second attempt; doubled for each further one */
    uint64_t max_bytes;  /* of the whole body; 0: no bound for a file (a buffer has its own) */
    pn_http_private private_addresses;
    /* Called some times a second while bytes come; total_bytes 0: not known. */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    bool (*cancelled)(void *context); /* polled at least once a second */
    void *context;
} pn_http_options;

/*
 * Append the body to out, whose maximum bounds it. On failure out is as long as it was.
 * Errors: INVALID (the URL or the token), NOT_FOUND (404), LIMIT, CANCELLED, NOMEM, IO.
 */
PN_NODISCARD pn_status pn_http_get(const char *url, const pn_http_options *options, pn_buffer *out,
                                   pn_error *err);

/*
 * Put the body into the file `part`, or go on with what an earlier call left in it. That one's ETag is kept beside it as
 * "<part>.etag" and asked for with If-Range: when the file has changed since, it starts anew. The caller checks the content and
 * renames it; then both files are his to remove.
 * Errors: those of pn_http_get(); on every one of them what has come so far stays in the file.
 */
PN_NODISCARD pn_status pn_http_download(const char *url, const char *part,
                                        const pn_http_options *options, pn_error *err);

#endif

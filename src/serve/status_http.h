/*
 * status_http.h - pn_status -> HTTP status. Threads: pure.
 */
#ifndef PN_SERVE_STATUS_HTTP_H
#define PN_SERVE_STATUS_HTTP_H

#include "base/status.h"

/* What the request brought: bytes that are corrupt are the client's fault when it sent a picture, ours when it did not. */
typedef enum pn_http_subject { PN_HTTP_SUBJECT_OURS, PN_HTTP_SUBJECT_PICTURE } pn_http_subject;

unsigned pn_http_of_status(pn_status status, pn_http_subject subject);

/* The `code` of an error answer: "invalid", "not_found", ... for statuses; this one for HTTP's own. */
const char *pn_http_code_name(unsigned http_status);

#endif

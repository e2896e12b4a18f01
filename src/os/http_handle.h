/*
 * http_handle.h - what every request has in common, whoever makes it. For os alone
 */
#ifndef PN_OS_HTTP_HANDLE_H
#define PN_OS_HTTP_HANDLE_H

#include "base/status.h"

#include <curl/curl.h>

/* libcurl, once for the process. BUG: it does not start. */
PN_NODISCARD pn_status pn_http_start(pn_error *err);

typedef struct pn_http_times {
    uint32_t connect_ms, stall_ms; /* 0: the default of http_get.h */
} pn_http_times;

/*
 * Only http and https, no redirects that are not looked at, no signals; certificates are verified, with the
 * system's authorities or those in the file that $SSL_CERT_FILE names.
 * reason  [CURL_ERROR_SIZE], as long as the handle lives: what went wrong, in libcurl's words
 */
PN_NODISCARD pn_status pn_http_handle_set_up(CURL *handle, const pn_http_times *times, char *reason,
                                             pn_error *err);

bool pn_http_is_redirect(long status);
/* May the same request succeed a little later? */
bool pn_http_may_pass(CURLcode code);
bool pn_http_status_may_pass(long status);

#endif

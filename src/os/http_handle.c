/*
 * http_handle.c - libcurl's settings that all requests share, and what its codes mean to us
 */
#include "os/http_handle.h"

#include "os/http_get.h"
#include "os/process.h"

#include <pthread.h>

static pthread_once_t started = PTHREAD_ONCE_INIT;
static CURLcode start_code;

static void start_libcurl(void)
{
    start_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

pn_status pn_http_start(pn_error *err)
{
    if (pthread_once(&started, start_libcurl) != 0 || start_code != CURLE_OK)
        return pn_fail(err, PN_ERR_BUG, "libcurl does not start: %s",
                       curl_easy_strerror(start_code));
    return PN_OK;
}

pn_status pn_http_handle_set_up(CURL *c, const pn_http_times *times, char *reason, pn_error *err)
{
    long connect_ms = times->connect_ms > 0 ? (long)times->connect_ms : PN_HTTP_CONNECT_MS_DEFAULT;
    long stall_ms = times->stall_ms > 0 ? (long)times->stall_ms : PN_HTTP_STALL_MS_DEFAULT;
    bool ok = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_USERAGENT, "pennon") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK; // threads
    ok &= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, PN_MAX(stall_ms / 1000, 1L)) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason) == CURLE_OK;
    // libcurl leaves this to programs: authorities of one's own, for a server in one's own house
    const char *authorities = pn_environment("SSL_CERT_FILE");
    if (authorities)
        ok &= curl_easy_setopt(c, CURLOPT_CAINFO, authorities) == CURLE_OK;
    return ok ? PN_OK : pn_fail_nomem(err);
}

bool pn_http_is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool pn_http_may_pass(CURLcode code)
{
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
           code == CURLE_OPERATION_TIMEDOUT || code == CURLE_PARTIAL_FILE ||
           code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

bool pn_http_status_may_pass(long status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

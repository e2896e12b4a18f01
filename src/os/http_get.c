/*
 * http_get.c - one body, however many requests it takes
 *
 *     pn_http_download   repeat   attempt: hop, hop, ... until it is no redirect
 *                                   hop: Range and If-Range when a part is there
 *                                     200 -> the part starts anew      206 -> it goes on      416 of its very length -> it was whole
 *                        until    done, or a fault that stays, or too many attempts without a new byte
 *
 * Redirects are not libcurl's to follow: it would send the token only where it should, but it would also go to a private
 * address for whoever can make a public server say so. The address is looked at when the socket is opened, after
 * the name was resolved, so a name that changes its mind between two looks does not help.
 *
 * Attempts are counted since the last new byte: a line that drops every few minutes still brings a large file home, and a
 * server that always cuts at the same place does not keep us for ever.
 *
 * Everything that can go wrong on our side (the disk, a limit) is kept in `fault` by the callback that saw it, because libcurl only
 * knows that the callback did not take the bytes.
 */
#include "os/http_get.h"

#include "base/alloc.h"
#include "base/str.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/http_handle.h"
#include "os/http_url.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    ETAG_BYTES = 512,
    MAX_REFUSAL_BYTES = 1 << 16, /* of a body that nobody reads */
    MAX_TOKEN_BYTES = 4096,
    NAP_MS = 50
};

typedef struct transfer {
    const pn_http_options *options;
    const char *url; /* as it was asked for */
    CURL *curl;
    struct curl_slist *headers;
    char here[PN_HTTP_MAX_URL_BYTES]; /* where the redirects have led */
    char reason[CURL_ERROR_SIZE];
    char etag[ETAG_BYTES]; /* of the part; "": none that is worth anything */
    char etag_path[PN_HTTP_MAX_URL_BYTES];
    const char *part; /* NULL: into out */
    pn_fd fd;
    pn_buffer *out;
    size_t out_start;
    uint64_t offset; /* bytes that this hop has asked to go on behind */
    uint64_t done, best, refused_bytes;
    bool body;                          /* has begun, and it is the one we want */
    bool named_is_private, is_redirect; /* of the first hop's address; is this a later one? */
    bool met_private;                   /* an address that was not allowed */
    bool passing;                       /* the failure may not come again */
    pn_error fault;
} transfer;

/* ---- the body */

static pn_status keep_etag(transfer *t, pn_error *err)
{
    struct curl_header *header = NULL;
    t->etag[0] = '\0';
    // a weak one does not promise the same bytes
    if (curl_easy_header(t->curl, "ETag", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        header->value[0] == '"' && strlen(header->value) < ETAG_BYTES)
        memcpy(t->etag, header->value, strlen(header->value) + 1);
    if (t->etag[0] == '\0')
        return pn_path_remove(t->etag_path, err);
    return pn_file_write_atomic(t->etag_path, t->etag, strlen(t->etag), err);
}

/* "bytes 100-199/200" -> 100. */
static bool range_starts_at(transfer *t, uint64_t offset)
{
    struct curl_header *header = NULL;
    uint64_t first;
    if (curl_easy_header(t->curl, "Content-Range", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    pn_str rest = pn_str_of(header->value);
    pn_str unit = pn_str_split(&rest, ' ');
    pn_str start = pn_str_split(&rest, '-');
    return pn_str_equal_ignore_case(unit, PN_STR_LITERAL("bytes")) &&
           pn_str_to_u64(start, &first) && first == offset;
}

static long http_status(const transfer *t)
{
    long code = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code); // 0 when there is none
    return code;
}

static pn_status check_size(const transfer *t, uint64_t n_bytes, pn_error *err)
{
    uint64_t most = t->options->max_bytes;
    if (most == 0 || n_bytes <= most)
        return PN_OK;
    return pn_fail(err, PN_ERR_LIMIT, "more than the %" PRIu64 " bytes it should have", most);
}

/* Open what takes the bytes, at its start or behind those that are there. */
static pn_status begin_body(transfer *t, pn_error *err)
{
    curl_off_t n_coming = -1;
    bool goes_on = http_status(t) == 206;
    if (goes_on && (t->offset == 0 || !range_starts_at(t, t->offset))) {
        t->passing = true;
        return pn_fail(err, PN_ERR_IO, "another part was sent than the one asked for");
    }
    if (!goes_on)
        t->offset = 0;
    t->done = t->offset;
    if (curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n_coming) == CURLE_OK &&
        n_coming > 0)
        PN_TRY(check_size(t, t->offset + (uint64_t)n_coming, err));
    if (t->part && !goes_on) {
        PN_TRY(pn_fd_open(t->part, PN_OPEN_REPLACE, &t->fd, err));
        PN_TRY(keep_etag(t, err));
    } else if (t->part) {
        PN_TRY(pn_fd_open(t->part, PN_OPEN_APPEND, &t->fd, err));
    } else {
        t->out->n_bytes = t->out_start;
    }
    t->body = true;
    return PN_OK;
}

static pn_status take_bytes(transfer *t, const void *bytes, size_t n, pn_error *err)
{
    if (!t->body)
        PN_TRY(begin_body(t, err));
    PN_TRY(check_size(t, t->done + n, err));
    if (t->part)
        PN_TRY(pn_fd_write(t->fd, t->part, bytes, n, err));
    else
        PN_TRY(pn_buffer_append(t->out, bytes, n, err));
    t->done += n;
    return PN_OK;
}

static size_t on_bytes(char *bytes, size_t one, size_t n, void *context)
{
    transfer *t = context;
    long code = http_status(t);
    n *= one;
    if (code != 200 && code != 206) {
        t->refused_bytes += n;
        return t->refused_bytes > MAX_REFUSAL_BYTES ? 0 : n;
    }
    return take_bytes(t, bytes, n, &t->fault) == PN_OK ? n : 0;
}

/* ---- what libcurl asks on its way */

static int on_progress(void *context, curl_off_t n_total, curl_off_t n_now, curl_off_t up_total,
                       curl_off_t up_now)
{
    const transfer *t = context;
    const pn_http_options *o = t->options;
    (void)n_now, (void)up_total, (void)up_now;
    if (o->cancelled && o->cancelled(o->context))
        return 1;
    if (o->progress && t->body)
        o->progress(o->context, t->done, n_total > 0 ? t->offset + (uint64_t)n_total : 0);
    return 0;
}

static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    transfer *t = context;
    bool is_private = pn_http_address_is_private(&address->addr);
    if (!t->is_redirect)
        t->named_is_private |= is_private;
    bool allowed = t->options->private_addresses == PN_HTTP_PRIVATE_IF_NAMED && t->named_is_private;
    if (purpose != CURLSOCKTYPE_IPCXN || (is_private && !allowed)) {
        t->met_private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- one request */

static pn_status add_header(transfer *t, const char *name, const char *value, pn_error *err)
{
    char line[MAX_TOKEN_BYTES + 64];
    (void)snprintf(line, sizeof line, "%s%s", name, value); // token and ETag were measured
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (!longer)
        return pn_fail_nomem(err);
    t->headers = longer;
    return PN_OK;
}

static pn_status set_headers(transfer *t, pn_error *err)
{
    char range[40] = "";
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    if (t->options->token && pn_http_same_origin(t->url, t->here))
        PN_TRY(add_header(t, "Authorization: Bearer ", t->options->token, err));
    if (t->offset > 0) {
        (void)snprintf(range, sizeof range, "%" PRIu64 "-", t->offset); // fits
        PN_TRY(add_header(t, "If-Range: ", t->etag, err));
    }
    if (curl_easy_setopt(t->curl, CURLOPT_RANGE, t->offset > 0 ? range : NULL) != CURLE_OK ||
        curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers) != CURLE_OK ||
        curl_easy_setopt(t->curl, CURLOPT_URL, t->here) != CURLE_OK)
        return pn_fail_nomem(err);
    return PN_OK;
}

static pn_status set_up(transfer *t, pn_error *err)
{
    const pn_http_options *o = t->options;
    const pn_http_times times = {o->connect_ms, o->stall_ms};
    CURL *c = t->curl = curl_easy_init();
    if (!c)
        return pn_fail_nomem(err);
    PN_TRY(pn_http_handle_set_up(c, &times, t->reason, err));
    bool ok = curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_XFERINFODATA, t) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK;
    return ok ? PN_OK : pn_fail_nomem(err);
}

static pn_status follow(transfer *t, pn_error *err)
{
    char *next = NULL, shown[PN_HTTP_SHOWN_BYTES];
    (void)curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &next); // NULL when there is none
    if (!next)
        return pn_fail(err, PN_ERR_IO, "a redirect to nowhere");
    pn_http_show_url(next, shown);
    pn_error why = {0};
    if (strlen(next) >= sizeof t->here || pn_http_check_url(next, &why) != PN_OK)
        return pn_fail(err, PN_ERR_IO, "a redirect to %s, which is neither http nor https", shown);
    if (pn_http_is_https(t->here) && !pn_http_is_https(next))
        return pn_fail(err, PN_ERR_IO, "a redirect from https to http: %s", shown);
    memcpy(t->here, next, strlen(next) + 1);
    t->is_redirect = true;
    return PN_OK;
}

/* 416: nothing behind the part. It was whole already when the file has its very length. */
static bool was_whole(transfer *t)
{
    struct curl_header *header = NULL;
    uint64_t total;
    if (curl_easy_header(t->curl, "Content-Range", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    pn_str rest = pn_str_of(header->value);
    (void)pn_str_split(&rest, '/');
    return rest.ptr && pn_str_to_u64(pn_str_trim(rest), &total) && total == t->offset;
}

static pn_status judge_status(transfer *t, long code, pn_error *err)
{
    switch (code) {
    case 401:
        return pn_fail(err, PN_ERR_IO, "HTTP 401: %s",
                       t->options->token ? "the token is not accepted" : "a token is needed");
    case 403:
        return pn_fail(err, PN_ERR_IO, "HTTP 403: not allowed%s",
                       t->options->token ? " with this token" : " without a token");
    case 404:
        return pn_fail(err, PN_ERR_NOT_FOUND, "HTTP 404: there is no such thing");
    case 416:
        // without its ETag the part starts anew
        t->passing = t->offset > 0 && pn_path_remove(t->etag_path, NULL) == PN_OK;
        break;
    default:
        t->passing = pn_http_status_may_pass(code);
        break;
    }
    return pn_fail(err, PN_ERR_IO, "HTTP %ld", code);
}

static pn_status judge_failure(transfer *t, CURLcode code, pn_error *err)
{
    if (t->fault.status != PN_OK) {
        *err = t->fault;
        return err->status;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return pn_fail(err, PN_ERR_CANCELLED, "stopped");
    if (code == CURLE_OUT_OF_MEMORY)
        return pn_fail_nomem(err);
    if (t->met_private)
        return pn_fail(err, PN_ERR_IO, "it leads to a private address");
    t->passing = pn_http_may_pass(code);
    return pn_fail(err, PN_ERR_IO, "%s", t->reason[0] ? t->reason : curl_easy_strerror(code));
}

/* One request; *again: it was a redirect. */
static pn_status hop(transfer *t, bool *again, pn_error *err)
{
    *again = false;
    t->body = t->passing = t->met_private = false;
    t->refused_bytes = 0;
    t->fault = (pn_error){0};
    t->reason[0] = '\0';
    PN_TRY(set_headers(t, err));
    CURLcode code = curl_easy_perform(t->curl);
    long status = http_status(t);
    bool refused = code == CURLE_WRITE_ERROR && t->fault.status == PN_OK;
    if (code != CURLE_OK && !refused)
        return judge_failure(t, code, err);
    if (pn_http_is_redirect(status)) {
        *again = true;
        return follow(t, err);
    }
    if (status == 416 && t->offset > 0 && was_whole(t))
        return PN_OK;
    if (status != 200 && status != 206)
        return judge_status(t, status, err);
    return t->body ? PN_OK : begin_body(t, err);
}

/* ---- attempts */

static pn_status find_part(transfer *t, pn_error *err)
{
    pn_file_info info;
    pn_buffer etag;
    pn_error ignored = {0};
    t->offset = 0;
    t->etag[0] = '\0';
    if (!t->part || pn_path_info(t->part, &info, &ignored) != PN_OK)
        return PN_OK;
    if (!info.is_regular)
        return pn_fail(err, PN_ERR_EXISTS, "%s is in the way", t->part);
    pn_buffer_init(&etag, ETAG_BYTES - 1);
    if (pn_file_read(t->etag_path, &etag, &ignored) == PN_OK && etag.n_bytes > 2 &&
        etag.data[0] == '"' && !memchr(etag.data, '\n', etag.n_bytes)) {
        memcpy(t->etag, etag.data, etag.n_bytes);
        t->etag[etag.n_bytes] = '\0';
        t->offset = info.size_bytes;
    }
    pn_buffer_reset(&etag);
    return PN_OK;
}

static pn_status attempt(transfer *t, pn_error *err)
{
    pn_error why = {0};
    pn_status status = PN_OK;
    bool again = true;
    PN_TRY(find_part(t, err));
    memcpy(t->here, t->url, strlen(t->url) + 1); // measured by begin()
    t->is_redirect = t->named_is_private = false;
    for (int i = 0; again && status == PN_OK; i++) {
        if (i > PN_HTTP_MAX_REDIRECTS)
            status = pn_fail(&why, PN_ERR_IO, "more than %d redirects", PN_HTTP_MAX_REDIRECTS);
        else
            status = hop(t, &again, &why);
    }
    if (t->fd != PN_FD_NONE && status == PN_OK)
        status = pn_fd_sync(t->fd, t->part, &why);
    pn_fd_close(t->fd);
    t->fd = PN_FD_NONE;
    if (status == PN_OK || status == PN_ERR_NOMEM)
        return status == PN_OK ? status : pn_fail_nomem(err);
    char shown[PN_HTTP_SHOWN_BYTES], from[PN_HTTP_SHOWN_BYTES];
    pn_http_show_url(t->here, shown);
    pn_http_show_url(t->url, from);
    if (!t->is_redirect)
        return pn_fail(err, status, "%s: %s", shown, why.message);
    return pn_fail(err, status, "%s (redirected to %s): %s", from, shown, why.message);
}

/* False: cancelled. */
static bool pause_for(const transfer *t, int64_t ms)
{
    const pn_http_options *o = t->options;
    int64_t until = pn_clock_monotonic_ns() + ms * 1000000;
    while (pn_clock_monotonic_ns() < until) {
        if (o->cancelled && o->cancelled(o->context))
            return false;
        pn_clock_sleep_ms(PN_MIN(ms, (int64_t)NAP_MS));
    }
    return true;
}

/* Twice as long each time; longer when the server says so. */
static int64_t pause_of(const transfer *t, unsigned n_failed)
{
    curl_off_t asked_s = 0;
    int64_t ms = t->options->pause_ms > 0 ? t->options->pause_ms : PN_HTTP_PAUSE_MS_DEFAULT;
    for (unsigned i = 1; i < n_failed && ms < PN_HTTP_PAUSE_MS_MAX; i++)
        ms *= 2;
    if (curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &asked_s) == CURLE_OK && asked_s > 0)
        ms = PN_MAX(ms, (int64_t)PN_MIN(asked_s, (curl_off_t)PN_HTTP_PAUSE_MS_MAX) * 1000);
    return PN_MIN(ms, (int64_t)PN_HTTP_PAUSE_MS_MAX);
}

static pn_status run(transfer *t, pn_error *err)
{
    unsigned most = t->options->n_attempts > 0 ? t->options->n_attempts : PN_HTTP_ATTEMPTS_DEFAULT;
    pn_error why = {0};
    for (unsigned n_failed = 0;;) {
        pn_status status = attempt(t, &why);
        if (status == PN_OK)
            return PN_OK;
        if (t->done > t->best)
            n_failed = 0;
        t->best = PN_MAX(t->best, t->done);
        if (!t->passing || ++n_failed >= most) {
            if (err)
                *err = why;
            return status;
        }
        if (!pause_for(t, pause_of(t, n_failed)))
            return pn_fail(err, PN_ERR_CANCELLED, "stopped");
    }
}

/* ---- doors */

static pn_status check_arguments(const char *url, const pn_http_options *options, pn_error *err)
{
    if (strlen(url) >= PN_HTTP_MAX_URL_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "a URL of %zu bytes, the limit is %d", strlen(url),
                       PN_HTTP_MAX_URL_BYTES);
    size_t n = options->token ? strlen(options->token) : 0;
    for (size_t i = 0; i < n; i++)
        if (options->token[i] <= ' ' || options->token[i] > '~' || n > MAX_TOKEN_BYTES)
            return pn_fail(err, PN_ERR_INVALID, "the token is too long or not of plain letters");
    return pn_http_check_url(url, err);
}

/* The usual path of both doors; what is to be filled is set in *t. */
static pn_status fetch(transfer *t, const char *url, const pn_http_options *options, pn_error *err)
{
    static const pn_http_options usual = {0};
    t->options = options ? options : &usual;
    t->url = url;
    PN_TRY(check_arguments(url, t->options, err));
    PN_TRY(pn_http_start(err));
    pn_status status = set_up(t, err);
    if (status == PN_OK)
        status = run(t, err);
    curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->headers);
    return status;
}

pn_status pn_http_get(const char *url, const pn_http_options *options, pn_buffer *out,
                      pn_error *err)
{
    transfer *t = pn_alloc_zero(sizeof *t);
    if (!t)
        return pn_fail_nomem(err);
    t->fd = PN_FD_NONE;
    t->out = out;
    t->out_start = out->n_bytes;
    pn_status status = fetch(t, url, options, err);
    if (status != PN_OK)
        out->n_bytes = t->out_start;
    pn_free(t);
    return status;
}

pn_status pn_http_download(const char *url, const char *part, const pn_http_options *options,
                           pn_error *err)
{
    transfer *t = pn_alloc_zero(sizeof *t);
    if (!t)
        return pn_fail_nomem(err);
    t->fd = PN_FD_NONE;
    t->part = part;
    pn_status status;
    if ((size_t)snprintf(t->etag_path, sizeof t->etag_path, "%s.etag", part) < sizeof t->etag_path)
        status = fetch(t, url, options, err);
    else
        status = pn_fail(err, PN_ERR_LIMIT, "%s: the path is too long", part);
    pn_free(t);
    return status;
}

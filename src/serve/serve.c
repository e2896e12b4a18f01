/*
 * serve.c - libmicrohttpd: connections in, answers out, an orderly end
 *
 * A thread a connection: a slow client waits alone, handlers may block, and the number of connections bounds the threads. The
 * body is collected within its limit before a handler runs; a form is taken apart as it arrives. A body that is too large
 * is read to its end and thrown away, so that the client gets to read why.
 *
 * Drain: when *stop turns true the listening socket is closed to new connections, requests in hand are finished (or given up
 * after the drain time), then the daemon stops.
 */
#include "serve/serve.h"

#include "base/alloc.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/process.h"
#include "os/socket.h"
#include "os/uuid.h"
#include "serve/clients.h"
#include "serve/request.h"
#include "serve/upkeep.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t MAX_ANSWER_BYTES = (size_t)1 << 30;
/* Of a body that is too large this much more is read, so that the client gets to see why; then the line is cut. */
static const uint64_t MAX_DISCARDED_BYTES = (uint64_t)64 << 20;
static const size_t MAX_LOGGED_BYTES = 400;
enum { MAX_FIELDS = 1024 };

typedef struct connection_state {
    pn_request request;
    struct MHD_PostProcessor *form;
    struct server *server;
    pn_client *client;                /* NULL: it is not watched */
    struct MHD_Connection *undecided; /* an urlencoded body: a form, unless it begins like JSON */
    bool too_large, draining;
    char address[PN_SOCKET_TEXT_BYTES];
    pn_error err;
    pn_status status; /* of receiving */
    int64_t start_ns;
} connection_state;

typedef struct server {
    pn_service service;
    _Atomic unsigned n_running;
    pn_clients clients;
} server;

void pn_service_log(pn_service *service, const char *line)
{
    if (!service->options->log)
        return;
    pthread_mutex_lock(&service->log_mu);
    service->options->log(service->options->context, line);
    pthread_mutex_unlock(&service->log_mu);
}

/* ---- receiving ---- */

/* NULL: the state says why. A part of a multipart form may come without a name. */
static pn_form_field *add_field(connection_state *state, const char *name, const char *file_name)
{
    pn_request *request = &state->request;
    if (state->status != PN_OK)
        return NULL;
    if (!name) {
        state->status = pn_fail(&state->err, PN_ERR_INVALID, "a part of the form has no name");
        return NULL;
    }
    if (request->n_fields == MAX_FIELDS) {
        state->status =
            pn_fail(&state->err, PN_ERR_INVALID, "more than %d fields", (int)MAX_FIELDS);
        return NULL;
    }
    pn_form_field *field = PN_ARENA_NEW(&request->arena, pn_form_field, 1);
    char *copy = field ? pn_arena_strdup(&request->arena, name) : NULL;
    if (!copy) {
        state->status = pn_fail_nomem(&state->err);
        return NULL;
    }
    field->name = copy;
    field->file_name =
        file_name && file_name[0] ? pn_arena_strdup(&request->arena, file_name) : NULL;
    pn_buffer_init(&field->value, (size_t)request->service->options->max_body_bytes + 1);
    pn_form_field **end = &request->fields;
    while (*end)
        end = &(*end)->next;
    *end = field;
    request->n_fields++;
    return field;
}

/* A piece of a form field; offset 0 begins one. */
static enum MHD_Result take_form_piece(void *context, enum MHD_ValueKind kind, const char *key,
                                       const char *file_name, const char *type,
                                       const char *encoding, const char *data, uint64_t offset,
                                       size_t n)
{
    connection_state *state = context;
    pn_request *request = &state->request;
    (void)kind;
    (void)type;
    (void)encoding;
    pn_form_field *field = offset > 0 && key ? pn_request_field(request, key) : NULL;
    for (pn_form_field *other = field; other; other = other->next) // the newest of that name
        if (strcmp(other->name, key) == 0)
            field = other;
    if (!field)
        field = add_field(state, key, file_name);
    if (field)
        state->status = pn_buffer_append(&field->value, data, n, &state->err);
    return field && state->status == PN_OK ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_parameter(void *context, enum MHD_ValueKind kind, const char *key,
                                      const char *value)
{
    connection_state *state = context;
    (void)kind;
    pn_form_field *field = add_field(state, key, NULL);
    if (field)
        state->status = pn_buffer_append_text(&field->value, value ? value : "", &state->err);
    return MHD_YES;
}

static void begin_form(connection_state *state, struct MHD_Connection *connection)
{
    state->request.is_form = true;
    state->form = MHD_create_post_processor(connection, 65536, take_form_piece, state);
    if (!state->form && state->status == PN_OK)
        state->status = pn_fail(&state->err, PN_ERR_INVALID,
                                "the form names no boundary of 2 characters or more");
}

static bool looks_like_json(const char *data, size_t n)
{
    pn_str text = pn_str_trim((pn_str){data, n});
    return text.len > 0 && text.ptr[0] == '{';
}

/* False: that is enough, hang up. */
static bool take_piece(connection_state *state, const char *data, size_t n)
{
    pn_request *request = &state->request;
    uint64_t limit = request->service->options->max_body_bytes;
    if (state->undecided && !looks_like_json(data, n))
        begin_form(state, state->undecided);
    state->undecided = NULL;
    request->body_bytes += n;
    pn_clients_expect(&state->server->clients, state->client, state->start_ns, request->body_bytes);
    if (request->body_bytes > limit) {
        state->too_large = true;
        return request->body_bytes <= limit + MAX_DISCARDED_BYTES;
    }
    if (state->form) {
        if (MHD_post_process(state->form, data, n) != MHD_YES && state->status == PN_OK)
            state->status = pn_fail(&state->err, PN_ERR_INVALID, "the form cannot be read");
    } else if (state->status == PN_OK) {
        state->status = pn_buffer_append(&request->body, data, n, &state->err);
    }
    return true;
}

static pn_client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    server *s = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        pn_clients_remove(&s->clients, *slot);
        *slot = NULL;
    } else if (info) {
        *slot = pn_clients_add(&s->clients, info->connect_fd);
    }
}

/* The request line is there, the headers are not yet. What is returned becomes on_request()'s slot: nothing. */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    server *s = context;
    (void)uri;
    pn_clients_expect(&s->clients, client_of(connection), pn_clock_monotonic_ns(), 0);
    return NULL;
}

static connection_state *begin(server *s, struct MHD_Connection *connection, const char *url,
                               const char *method)
{
    connection_state *state = pn_alloc_zero(sizeof *state);
    if (!state)
        return NULL;
    pn_request *request = &state->request;
    uint8_t random[8];
    pn_random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(request->id + 2 * i, 3, "%02x", random[i]); // 16 digits
    request->service = &s->service;
    state->server = s;
    state->client = client_of(connection);
    pn_arena_init(&request->arena, (size_t)s->service.options->max_body_bytes * 2 + (64u << 20));
    pn_buffer_init(&request->body, (size_t)s->service.options->max_body_bytes + 1);
    pn_buffer_init(&request->answer, MAX_ANSWER_BYTES);
    request->path = pn_arena_strdup(&request->arena, url);
    request->method = pn_arena_strdup(&request->arena, method);
    request->etag = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    const char *token = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    request->token = token && strncmp(token, "Bearer ", 7) == 0 ? token + 7 : NULL;
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    /* curl -d sends JSON under this type when nobody says otherwise. */
    if (type && strncmp(type, "application/x-www-form-urlencoded", 33) == 0)
        state->undecided = connection;
    if (type && strncmp(type, "multipart/form-data", 19) == 0)
        begin_form(state, connection);
    request->host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Forwarded-Host");
    if (!request->host)
        request->host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    request->origin = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin");
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    pn_socket_address_text(info ? info->client_addr : NULL, state->address);
    state->draining = atomic_load(s->service.stop);
    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_parameter,
                                    state); // how many does not matter
    state->start_ns = pn_clock_monotonic_ns();
    pn_clients_expect(&s->clients, state->client, state->start_ns, 0);
    atomic_fetch_add(&s->n_running, 1);
    pn_metrics_begin_request(s->service.metrics);
    return state;
}

/* ---- answering ---- */

static void add_headers(struct MHD_Response *response, const pn_request *request)
{
    bool ending = atomic_load(request->service->stop);
    const struct {
        const char *name, *value;
    } headers[] = {
        {"Content-Type", request->type},
        {"X-Request-Id", request->id},
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", request->cache_control ? request->cache_control : "no-store"},
        {"ETag", request->answer_etag[0] ? request->answer_etag : NULL},
        {"Allow", request->allow},
        {"Connection", ending ? "close" : NULL},
        {"Content-Security-Policy",
         "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(headers); i++)
        if (headers[i].value)
            (void)MHD_add_response_header(response, headers[i].name,
                                          headers[i].value); // no memory: one header less
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, pn_request *request)
{
    size_t n = request->answer.n_bytes;
    void *bytes = n > 0 ? request->answer.data : NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    add_headers(response, request);
    enum MHD_Result result = MHD_queue_response(connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Once the service ends it takes no new work; who watches it may still look. */
static bool is_refused(const connection_state *state)
{
    static const char *const watching[] = {"/healthz", "/readyz", "/metrics"};
    for (size_t i = 0; i < PN_COUNT_OF(watching); i++)
        if (strcmp(state->request.path, watching[i]) == 0)
            return false;
    return state->draining;
}

static void run(connection_state *state)
{
    pn_request *request = &state->request;
    if (is_refused(state))
        pn_request_fail(request, 503, "the service is ending");
    else if (state->too_large)
        pn_request_fail(request, 413, "a body of over %" PRIu64 " bytes, which is the limit",
                        request->service->options->max_body_bytes);
    else if (state->status != PN_OK)
        pn_request_fail_status(request, state->status, &state->err, false);
    else
        pn_routes_run(request);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **slot)
{
    server *s = context;
    connection_state *state = *slot;
    (void)version;
    if (!state) {
        *slot = begin(s, connection, url, method);
        return *slot ? MHD_YES : MHD_NO;
    }
    if (*n > 0) {
        bool go_on = take_piece(state, data, *n);
        *n = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    if (state->form) {
        (void)MHD_destroy_post_processor(state->form); // an unfinished form shows in its fields
        state->form = NULL;
    }
    pn_clients_busy(state->client);
    run(state);
    pn_clients_expect(&s->clients, state->client, pn_clock_monotonic_ns(),
                      state->request.answer.n_bytes);
    return send_answer(connection, &state->request);
}

static void write_json_line(const connection_state *state, double seconds, pn_buffer *out)
{
    const pn_request *request = &state->request;
    pn_json_writer json;
    pn_error err = {0};
    const struct {
        const char *key, *text;
    } texts[] = {{"address", state->address},
                 {"method", request->method},
                 {"path", request->path},
                 {"request_id", request->id}};
    pn_json_begin(&json, out);
    pn_json_open(&json, '{');
    pn_json_key(&json, "time");
    pn_json_time_ms(&json, pn_clock_wall_ns() / 1000000);
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        pn_json_key(&json, texts[i].key);
        pn_json_text_n(&json, texts[i].text, PN_MIN(strlen(texts[i].text), MAX_LOGGED_BYTES));
    }
    pn_json_key(&json, "status");
    pn_json_u64(&json, request->status);
    pn_json_key(&json, "bytes");
    pn_json_u64(&json, request->answer.n_bytes);
    pn_json_key(&json, "ms");
    pn_json_double(&json, (double)(int64_t)(seconds * 1e4 + 0.5) / 10);
    pn_json_close(&json, '}');
    if (pn_json_end(&json, &err) != PN_OK)
        pn_buffer_clear(out); // no memory for a line of the log
}

/* Method and path are what the client sent: only what is harmless on a terminal goes into the line. */
static void write_text_line(const connection_state *state, double seconds, pn_buffer *out)
{
    const pn_request *request = &state->request;
    char what[500];
    pn_json_writer time;
    pn_error err = {0};
    (void)snprintf(what, sizeof what, "%.20s %.400s", request->method, request->path); // cut above
    for (char *c = what; *c; c++)
        *c = *c < 0x20 || *c > 0x7E ? '?' : *c;
    pn_json_begin(&time, out);
    pn_json_time_ms(&time, pn_clock_wall_ns() / 1000000);
    if (pn_json_end(&time, &err) != PN_OK ||
        pn_buffer_append_format(out, &err, " %s %s %u %zu bytes %.1f ms %s", state->address, what,
                                request->status, request->answer.n_bytes, seconds * 1e3,
                                request->id) != PN_OK)
        pn_buffer_clear(out); // no memory for a line of the log
}

static void log_request(server *s, const connection_state *state, double seconds)
{
    pn_buffer line;
    if (s->service.options->access_log == PN_ACCESS_LOG_NONE)
        return;
    pn_buffer_init(&line, 8192);
    if (s->service.options->access_log == PN_ACCESS_LOG_JSON)
        write_json_line(state, seconds, &line);
    else
        write_text_line(state, seconds, &line);
    const char *text = line.n_bytes > 0 ? pn_buffer_text(&line) : NULL;
    if (text)
        pn_service_log(&s->service, text);
    pn_buffer_reset(&line);
}

static const char *known_method(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "PATCH"};
    for (size_t i = 0; i < PN_COUNT_OF(known); i++)
        if (strcmp(method, known[i]) == 0)
            return known[i];
    return "other";
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    server *s = context;
    connection_state *state = *slot;
    (void)connection;
    (void)code;
    if (!state)
        return;
    pn_request *request = &state->request;
    double seconds = (double)(pn_clock_monotonic_ns() - state->start_ns) * 1e-9;
    if (state->form)
        (void)MHD_destroy_post_processor(state->form); // the client went away
    if (request->status == 0)
        request->status = state->client && atomic_load(&state->client->is_cut) ? 408 : 499;
    pn_clients_expect(&s->clients, state->client, pn_clock_monotonic_ns(), 0);
    pn_metrics_end_request(s->service.metrics, pn_routes_name(request->path),
                           known_method(request->method), request->status, seconds);
    log_request(s, state, seconds);
    for (pn_form_field *field = request->fields; field; field = field->next)
        pn_buffer_reset(&field->value);
    pn_buffer_reset(&request->body);
    pn_buffer_reset(&request->answer);
    pn_arena_reset(&request->arena);
    pn_free(state);
    *slot = NULL;
    atomic_fetch_sub(&s->n_running, 1);
}

/* ---- the service ---- */

static pn_status check_options(const pn_serve_options *options, pn_error *err)
{
    if (options->max_body_bytes < PN_SERVE_BODY_BYTES_MIN ||
        options->max_body_bytes > PN_SERVE_BODY_BYTES_MAX)
        return pn_fail(err, PN_ERR_LIMIT,
                       "a body limit of %" PRIu64 " bytes: %d to %u are possible",
                       options->max_body_bytes, PN_SERVE_BODY_BYTES_MIN, PN_SERVE_BODY_BYTES_MAX);
    if (options->max_connections < PN_SERVE_CONNECTIONS_MIN ||
        options->max_connections > PN_SERVE_CONNECTIONS_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "%u connections: %d to %d are possible",
                       options->max_connections, PN_SERVE_CONNECTIONS_MIN,
                       PN_SERVE_CONNECTIONS_MAX);
    return PN_OK;
}

static pn_status check_root(const pn_serve_options *options, pn_error *err)
{
    pn_file_info info;
    if (!options->ingest_root)
        return PN_OK;
    PN_TRY(pn_path_info(options->ingest_root, &info, err));
    return info.is_folder ? PN_OK
                          : pn_fail(err, PN_ERR_INVALID, "%s: not a folder", options->ingest_root);
}

static pn_status start(server *s, const pn_socket_address *address, struct MHD_Daemon **out,
                       pn_error *err)
{
    const pn_serve_options *options = s->service.options;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC |
                     MHD_USE_POLL | (address->is_ipv6 ? MHD_USE_IPv6 : 0u);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, address->bytes,
        MHD_OPTION_CONNECTION_LIMIT, options->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        options->request_timeout_s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (!daemon)
        return pn_fail(err, PN_ERR_IO, "cannot listen on %s port %u: is the port taken?",
                       options->listen_address ? options->listen_address : "127.0.0.1",
                       options->port);
    *out = daemon;
    return PN_OK;
}

static void tell_ready(const pn_serve_options *options, struct MHD_Daemon *daemon)
{
    char url[128];
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    const char *host = options->listen_address ? options->listen_address : "127.0.0.1";
    (void)snprintf(url, sizeof url, strchr(host, ':') ? "http://[%s]:%u" : "http://%s:%u",
                   host, // an address fits
                   info ? info->port : options->port);
    if (options->ready)
        options->ready(options->context, url);
}

static void drain(server *s, struct MHD_Daemon *daemon)
{
    int64_t until =
        pn_clock_monotonic_ns() + (int64_t)s->service.options->drain_timeout_s * 1000000000;
    pn_socket_close(MHD_quiesce_daemon(daemon));
    while (atomic_load(&s->n_running) > 0 && pn_clock_monotonic_ns() < until) {
        pn_clients_cut(&s->clients);
        pn_clock_sleep_ms(10);
    }
    atomic_store(&s->service.give_up, true);
}

pn_status pn_serve_run(pn_library *library, pn_table *table, pn_model *model,
                       const pn_serve_options *options, const _Atomic bool *stop, pn_error *err)
{
    server s = {
        .service = {
            .library = library, .table = table, .model = model, .options = options, .stop = stop}};
    struct MHD_Daemon *daemon = NULL;
    pn_upkeep *upkeep = NULL;
    pn_socket_address address;
    PN_TRY(check_options(options, err));
    PN_TRY(check_root(options, err));
    PN_TRY(pn_socket_address_parse(options->listen_address ? options->listen_address : "127.0.0.1",
                                   options->port, &address, err));
    PN_TRY(pn_metrics_create(&s.service.metrics, err));
    pthread_mutex_init(&s.service.log_mu, NULL);
    pn_clients_init(&s.clients, options->request_timeout_s);
    pn_status status = start(&s, &address, &daemon, err);
    if (status == PN_OK)
        status = pn_upkeep_start(&s.service, &upkeep, err);
    if (status == PN_OK) {
        tell_ready(options, daemon);
        while (!atomic_load(stop)) {
            pn_process_wait_for_stop(200);
            pn_clients_cut(&s.clients);
        }
        drain(&s, daemon);
    }
    if (daemon)
        MHD_stop_daemon(daemon);
    pn_upkeep_stop(upkeep);
    pn_clients_reset(&s.clients);
    pthread_mutex_destroy(&s.service.log_mu);
    pn_metrics_free(s.service.metrics);
    return status;
}

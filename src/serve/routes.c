/*
 * routes.c - the table of endpoints: read this first
 */
#include "serve/request.h"

typedef struct route {
    const char *method, *path; /* a path that ends in '/' takes one more part */
    void (*handle)(pn_request *request);
    const char *name;
    bool changes; /* refused under --read-only, and needs the token */
} route;

static const route routes[] = {
    {"POST", "/search", pn_handle_search, "/search", false},
    {"GET", "/search", pn_handle_search, "/search", false},
    {"POST", "/ingest", pn_handle_ingest, "/ingest", true},
    {"GET", "/image/", pn_handle_image, "/image/{id}", false},
    {"GET", "/rows", pn_handle_rows, "/rows", false},
    {"GET", "/rows/", pn_handle_row, "/rows/{id}", false},
    {"DELETE", "/rows/", pn_handle_row, "/rows/{id}", true},
    {"GET", "/facets", pn_handle_facets, "/facets", false},
    {"GET", "/info", pn_handle_info, "/info", false},
    {"GET", "/healthz", pn_handle_health, "/healthz", false},
    {"GET", "/readyz", pn_handle_ready, "/readyz", false},
    {"GET", "/metrics", pn_handle_metrics, "/metrics", false},
    {"GET", "/openapi.json", pn_handle_asset, "/openapi.json", false},
    {"GET", "/", pn_handle_asset, "/", false},
    {"GET", "/app.js", pn_handle_asset, "/app.js", false},
    {"GET", "/app.css", pn_handle_asset, "/app.css", false},
    {"GET", "/icon.svg", pn_handle_asset, "/icon.svg", false},
};

static bool path_matches(const route *r, const char *path)
{
    size_t n = strlen(r->path);
    if (n > 1 && r->path[n - 1] == '/')
        return strncmp(path, r->path, n) == 0 && path[n] != '\0' && !strchr(path + n, '/');
    return strcmp(path, r->path) == 0;
}

const char *pn_routes_name(const char *path)
{
    for (size_t i = 0; i < PN_COUNT_OF(routes); i++)
        if (path_matches(&routes[i], path))
            return routes[i].name;
    return "other";
}

/* Equal, in a time that does not tell how much of it is. */
static bool same_secret(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned difference = n != m;
    for (size_t i = 0; i < n && m > 0; i++)
        difference |= (unsigned char)a[i] ^ (unsigned char)b[i % m];
    return difference == 0;
}

/* A browser says for which page it asks. A page of somebody else must not write here, and without a token nothing else would
 * keep it from that: forms need no leave. With a token it does not know the token. */
static bool is_foreign(const pn_request *request)
{
    if (!request->origin)
        return false;
    const char *host = strstr(request->origin, "://");
    return !host || !request->host ||
           !pn_str_equal_ignore_case(pn_str_of(host + 3), pn_str_of(request->host));
}

static bool is_permitted(pn_request *request, const route *r)
{
    const pn_serve_options *options = request->service->options;
    if (!r->changes)
        return true;
    if (options->read_only) {
        pn_request_fail(request, 403, "this service is read-only");
        return false;
    }
    if (!options->auth_token && is_foreign(request)) {
        pn_request_fail(request, 403, "a page of another site may not change this table");
        return false;
    }
    if (options->auth_token &&
        (!request->token || !same_secret(request->token, options->auth_token))) {
        pn_request_fail(request, 401,
                        "this needs \"Authorization: Bearer\" and the service's token");
        return false;
    }
    return true;
}

void pn_routes_run(pn_request *request)
{
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
    const char *allow = NULL;
    for (size_t i = 0; i < PN_COUNT_OF(routes); i++) {
        if (!path_matches(&routes[i], request->path))
            continue;
        if (strcmp(routes[i].method, method) == 0) {
            if (is_permitted(request, &routes[i]))
                routes[i].handle(request);
            return;
        }
        allow = allow ? (strcmp(routes[i].name, "/rows/{id}") == 0 ? "GET, HEAD, DELETE"
                                                                   : "GET, HEAD, POST")
                      : (strcmp(routes[i].method, "POST") == 0 ? "POST" : "GET, HEAD");
    }
    if (!allow) {
        pn_request_fail(request, 404, "there is nothing at %.200s", request->path);
        return;
    }
    pn_request_fail(request, 405, "%.20s is not possible here; %s is", request->method, allow);
    request->allow = allow;
}

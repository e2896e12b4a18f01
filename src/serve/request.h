/*
 * request.h - one request and its answer, between the HTTP library and the handlers
 */
#ifndef PN_SERVE_REQUEST_H
#define PN_SERVE_REQUEST_H

#include <pennon.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/str.h"
#include "serve/json_writer.h"
#include "serve/metrics.h"
#include "serve/serve.h"

#include <pthread.h>

/* What all requests share. */
typedef struct pn_service {
    pn_library *library;
    pn_table *table;
    pn_model *model; /* may be NULL */
    const pn_serve_options *options;
    const _Atomic bool *stop;
    _Atomic bool give_up; /* the drain time is over: what runs shall end */
    pn_metrics *metrics;
    pthread_mutex_t log_mu; /* one line at a time */
} pn_service;

/* Without a newline. */
void pn_service_log(pn_service *service, const char *line);

/* A field of a form, or a parameter of the address. */
typedef struct pn_form_field {
    char *name;
    char *file_name; /* NULL: not a file */
    pn_buffer value;
    struct pn_form_field *next;
} pn_form_field;

typedef struct pn_request {
    pn_service *service;
    const char *method, *path;
    const char *etag;   /* of If-None-Match; NULL: none */
    const char *token;  /* of Authorization; NULL: none */
    const char *host;   /* of X-Forwarded-Host, else Host; NULL: none */
    const char *origin; /* of Origin: the page that a browser sends this for; NULL: none */
    char id[17];
    bool is_form;
    pn_buffer body;
    size_t body_bytes; /* received so far, in all fields */
    pn_form_field *fields;
    size_t n_fields;
    pn_arena arena;

    unsigned status;
    const char *type;
    pn_buffer answer;
    const char *cache_control; /* NULL: no-store */
    char answer_etag[40];      /* "": none */
    const char *allow;         /* for 405 */
} pn_request;

/* NULL: no such field. Names that are asked for count as known. */
pn_form_field *pn_request_field(const pn_request *request, const char *name);
const char *pn_request_text(const pn_request *request, const char *name); /* NULL: no such field */

/* Answer with the error object. */
__attribute__((format(printf, 3, 4))) void
pn_request_fail(pn_request *request, unsigned http_status, const char *format, ...);
/* The same for an error of the library. */
void pn_request_fail_status(pn_request *request, pn_status status, const pn_error *err,
                            bool about_picture);

/* Route and run. Fills the answer in every case. */
void pn_routes_run(pn_request *request);
/* A constant for metrics: "/search", "/image/{id}", ..., "other". */
const char *pn_routes_name(const char *path);

/* Handlers. */
void pn_handle_search(pn_request *request);
void pn_handle_ingest(pn_request *request);
void pn_handle_rows(pn_request *request);
void pn_handle_row(pn_request *request);
void pn_handle_image(pn_request *request);
void pn_handle_facets(pn_request *request);
void pn_handle_info(pn_request *request);
void pn_handle_health(pn_request *request);
void pn_handle_ready(pn_request *request);
void pn_handle_metrics(pn_request *request);
void pn_handle_asset(pn_request *request);

/* One row as an object. */
void pn_write_row(pn_json_writer *json, const pn_result *row, bool ranked);
/* End the writer into the answer, or fail. */
void pn_request_finish_json(pn_request *request, pn_json_writer *json, unsigned http_status);

#endif

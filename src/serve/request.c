/*
 * request.c - what every handler needs: fields, errors, JSON answers
 */
#include "serve/request.h"

#include "serve/status_http.h"

#include <stdarg.h>
#include <stdio.h>

pn_form_field *pn_request_field(const pn_request *request, const char *name)
{
    for (pn_form_field *field = request->fields; field; field = field->next)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

const char *pn_request_text(const pn_request *request, const char *name)
{
    pn_form_field *field = pn_request_field(request, name);
    return field ? pn_buffer_text(&field->value) : NULL;
}

void pn_request_finish_json(pn_request *request, pn_json_writer *json, unsigned http_status)
{
    pn_error err = {0};
    request->type = "application/json";
    request->status = http_status;
    if (pn_json_end(json, &err) == PN_OK)
        return;
    pn_buffer_clear(&request->answer);
    if (request->status != 500)
        pn_request_fail(request, 500, "%s", err.message);
}

static void write_error(pn_request *request, unsigned http_status, const char *code,
                        const char *message)
{
    pn_json_writer json;
    pn_buffer_clear(&request->answer);
    pn_json_begin(&json, &request->answer);
    pn_json_open(&json, '{');
    pn_json_key(&json, "error");
    pn_json_open(&json, '{');
    pn_json_key(&json, "code");
    pn_json_text(&json, code);
    pn_json_key(&json, "message");
    pn_json_text(&json, message);
    pn_json_key(&json, "request_id");
    pn_json_text(&json, request->id);
    pn_json_close(&json, '}');
    pn_json_close(&json, '}');
    pn_error err = {0};
    if (pn_json_end(&json, &err) != PN_OK)
        pn_buffer_clear(&request->answer); // no memory even for this: the status alone must do
    request->status = http_status;
    request->type = "application/json";
    request->cache_control = NULL;
    request->answer_etag[0] = '\0';
}

void pn_request_fail(pn_request *request, unsigned http_status, const char *format, ...)
{
    char message[PN_ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); // a long message is cut
    va_end(args);
    write_error(request, http_status, pn_http_code_name(http_status), message);
}

/* Has the model's server failed so often that it is not asked now? Then this service is no worse than before, but for a while. */
static bool is_without_server(const pn_model *model)
{
    pn_model_server server = PN_MODEL_SERVER_INIT;
    return model && pn_model_get_server(model, &server, NULL) == PN_OK &&
           server.state != PN_SERVER_ASKED;
}

void pn_request_fail_status(pn_request *request, pn_status status, const pn_error *err,
                            bool about_picture)
{
    unsigned http =
        pn_http_of_status(status, about_picture ? PN_HTTP_SUBJECT_PICTURE : PN_HTTP_SUBJECT_OURS);
    if (status == PN_ERR_IO && is_without_server(request->service->model))
        http = 503;
    write_error(request, http, pn_status_name(status), err->message);
}

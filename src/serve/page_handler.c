/*
 * page_handler.c - the page, /info, health, metrics
 */
#include "base/hash.h"
#include "serve/assets.h"
#include "serve/request.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

void pn_handle_asset(pn_request *request)
{
    pn_error err = {0};
    for (size_t i = 0; i < pn_n_assets; i++) {
        const pn_asset *asset = &pn_assets[i];
        if (strcmp(asset->path, request->path) != 0)
            continue;
        (void)snprintf(request->answer_etag, sizeof request->answer_etag,
                       "\"%016" PRIx64 "\"", // 18 characters
                       pn_hash64(asset->bytes, asset->n_bytes));
        request->status = 200;
        request->type = asset->type;
        request->cache_control =
            "no-cache"; // kept, but asked about: the tag says whether it is the same
        if (request->etag && strcmp(request->etag, request->answer_etag) == 0)
            request->status = 304;
        else if (pn_buffer_append(&request->answer, asset->bytes, asset->n_bytes, &err) != PN_OK)
            pn_request_fail_status(request, err.status, &err, false);
        return;
    }
    pn_request_fail(request, 404, "there is nothing at %.200s", request->path);
}

static void write_table(pn_json_writer *json, const pn_table_info *info)
{
    pn_json_key(json, "table");
    pn_json_open(json, '{');
    pn_json_key(json, "rows");
    pn_json_u64(json, info->n_rows);
    pn_json_key(json, "version");
    pn_json_u64(json, info->version);
    pn_json_key(json, "dim");
    pn_json_u64(json, info->dim);
    pn_json_key(json, "fragments");
    pn_json_u64(json, info->n_fragments);
    pn_json_key(json, "data_bytes");
    pn_json_u64(json, info->data_bytes);
    pn_json_key(json, "timestamp");
    pn_json_time_ms(json, info->timestamp_ms);
    pn_json_close(json, '}');
}

static void write_model(pn_json_writer *json, const pn_model *model)
{
    pn_model_info info;
    pn_json_key(json, "model");
    if (!model) {
        pn_json_null(json);
        return;
    }
    pn_model_get_info(model, &info);
    pn_json_open(json, '{');
    pn_json_key(json, "name");
    pn_json_text(json, info.name);
    pn_json_key(json, "dim");
    pn_json_u64(json, info.dim);
    pn_json_key(json, "preprocess");
    pn_json_text(json, info.preprocess);
    pn_json_key(json, "parameters");
    pn_json_u64(json, info.n_parameters);
    pn_json_close(json, '}');
}

void pn_handle_info(pn_request *request)
{
    pn_error err = {0};
    pn_table_info info;
    pn_json_writer json;
    pn_status status = pn_table_get_info(request->service->table, &info, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, false);
        return;
    }
    pn_json_begin(&json, &request->answer);
    pn_json_open(&json, '{');
    pn_json_key(&json, "version");
    pn_json_text(&json, pn_version());
    write_table(&json, &info);
    write_model(&json, request->service->model);
    pn_json_key(&json, "read_only");
    pn_json_bool(&json, request->service->options->read_only);
    pn_json_close(&json, '}');
    pn_request_finish_json(request, &json, 200);
}

static void plain(pn_request *request, unsigned status, const char *text)
{
    pn_error err = {0};
    request->status = pn_buffer_append_text(&request->answer, text, &err) == PN_OK ? status : 503;
    request->type = "text/plain; charset=utf-8";
}

/* The process lives, whatever its model's server does: that is a second line. */
void pn_handle_health(pn_request *request)
{
    pn_model_server server = PN_MODEL_SERVER_INIT;
    const pn_model *model = request->service->model;
    char text[80] = "ok\n";
    if (model && pn_model_get_server(model, &server, NULL) == PN_OK) {
        static const char *const states[] = {[PN_SERVER_ASKED] = "ok",
                                             [PN_SERVER_LEFT_ALONE] = "left alone",
                                             [PN_SERVER_TRIED] = "being tried"};
        if (server.state == PN_SERVER_LEFT_ALONE)
            (void)snprintf(text, sizeof text, "ok\nmodel server: left alone for %.0f s\n",
                           server.retry_seconds); // at most 60
        else
            (void)snprintf(text, sizeof text, "ok\nmodel server: %s\n", states[server.state]);
    }
    plain(request, 200, text);
}

void pn_handle_ready(pn_request *request)
{
    bool draining = atomic_load(request->service->stop);
    plain(request, draining ? 503 : 200, draining ? "draining\n" : "ready\n");
}

void pn_handle_metrics(pn_request *request)
{
    pn_error err = {0};
    pn_table_info info;
    pn_model_server server = PN_MODEL_SERVER_INIT;
    const pn_model *model = request->service->model;
    bool asks = model && pn_model_get_server(model, &server, NULL) == PN_OK;
    pn_upkeep_status upkeep = PN_UPKEEP_STATUS_INIT;
    pn_table *table = request->service->table;
    bool known = pn_table_get_info(table, &info, &err) == PN_OK &&
                 pn_table_get_upkeep_status(table, &upkeep, &err) == PN_OK;
    pn_status status = pn_metrics_write(
        request->service->metrics, known ? &info : NULL, known ? &upkeep : NULL,
        asks ? &server : NULL, pn_library_cpu(request->service->library), &request->answer, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, false);
        return;
    }
    request->status = 200;
    request->type = "text/plain; version=0.0.4; charset=utf-8";
}

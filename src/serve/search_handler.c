/*
 * search_handler.c - /search, /rows/{id}, /facets
 */
#include "serve/query_json.h"
#include "serve/request.h"

#include <inttypes.h>
#include <stdatomic.h>

void pn_write_row(pn_json_writer *json, const pn_result *row, bool ranked)
{
    char url[40];
    pn_json_open(json, '{');
    pn_json_key(json, "id");
    pn_json_i64(json, row->id);
    if (ranked) {
        pn_json_key(json, "score");
        pn_json_float(json, row->score);
        pn_json_key(json, "distance");
        pn_json_float(json, row->distance);
    }
    pn_json_key(json, "image_path");
    pn_json_text(json, row->path);
    (void)snprintf(url, sizeof url, "/image/%" PRId64, row->id); // 28 characters
    pn_json_key(json, "image_url");
    pn_json_text(json, url);
    pn_json_key(json, "has_image");
    pn_json_bool(json, row->has_thumbnail != 0);
    pn_json_key(json, "timestamp");
    pn_json_time_ms(json, row->timestamp_ms);
    pn_json_key(json, "metadata");
    pn_json_open(json, '{');
    for (size_t i = 0; i < row->n_metadata; i++) {
        pn_json_key(json, row->metadata[i].key);
        pn_json_text(json, row->metadata[i].value);
    }
    pn_json_close(json, '}');
    if (row->vector) {
        pn_json_key(json, "vector");
        pn_json_open(json, '[');
        for (uint32_t i = 0; i < row->vector_dim; i++)
            pn_json_float(json, row->vector[i]);
        pn_json_close(json, ']');
    }
    pn_json_close(json, '}');
}

static void write_ms(pn_json_writer *json, const char *key, double seconds)
{
    pn_json_key(json, key);
    pn_json_double(json, (double)(int64_t)(seconds * 1e6 + 0.5) / 1000); // to a microsecond
}

static void answer(pn_request *request, const pn_results *results)
{
    pn_json_writer json;
    pn_search_stats stats;
    pn_search_effort effort = PN_SEARCH_EFFORT_INIT;
    pn_results_get_stats(results, &stats);
    (void)pn_results_get_effort(results, &effort, NULL); // its size is set
    pn_metrics_search(request->service->metrics, &stats);
    pn_json_begin(&json, &request->answer);
    pn_json_open(&json, '{');
    pn_json_key(&json, "request_id");
    pn_json_text(&json, request->id);
    pn_json_key(&json, "count");
    pn_json_u64(&json, pn_results_count(results));
    write_ms(&json, "took_ms", stats.total_seconds);
    pn_json_key(&json, "results");
    pn_json_open(&json, '[');
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row);
        pn_write_row(&json, &row, true);
    }
    pn_json_close(&json, ']');
    pn_json_key(&json, "stats");
    pn_json_open(&json, '{');
    pn_json_key(&json, "table_version");
    pn_json_u64(&json, stats.table_version);
    pn_json_key(&json, "rows");
    pn_json_u64(&json, stats.n_rows);
    pn_json_key(&json, "matching");
    pn_json_u64(&json, stats.n_matching);
    pn_json_key(&json, "scanned");
    pn_json_u64(&json, stats.n_scanned);
    pn_json_key(&json, "plan");
    pn_json_text(&json, stats.plan);
    pn_json_key(&json, "recall");
    pn_json_double(&json, effort.recall);
    write_ms(&json, "embed_ms", stats.embed_seconds);
    write_ms(&json, "filter_ms", stats.filter_seconds);
    write_ms(&json, "scan_ms", stats.scan_seconds);
    write_ms(&json, "fetch_ms", stats.fetch_seconds);
    pn_json_close(&json, '}');
    pn_json_close(&json, '}');
    pn_request_finish_json(request, &json, 200);
}

static pn_status take_field(pn_asked *asked, pn_form_field *field, pn_arena *arena, pn_error *err)
{
    if (strcmp(field->name, "image") == 0 || strcmp(field->name, "file") == 0) {
        if (field->value.n_bytes == 0) // a form with no picture chosen
            return PN_OK;
        return pn_asked_picture(asked, field->value.data, field->value.n_bytes,
                                field->file_name ? field->file_name : "upload", err);
    }
    const char *text = pn_buffer_text(&field->value);
    if (!text)
        return pn_fail_nomem(err);
    pn_status status = pn_asked_field(asked, field->name, text, arena, err);
    if (status == PN_ERR_NOT_FOUND)
        return pn_fail(err, PN_ERR_INVALID, "\"%.60s\": not a field of a search", field->name);
    return status;
}

/* Fields of a form, or the parameters of the address. Weights last: they belong to terms that must be there first. */
static pn_status asked_from_fields(pn_request *request, pn_asked *asked, pn_error *err)
{
    pn_asked_begin(asked);
    for (int weights = 0; weights <= 1; weights++)
        for (pn_form_field *field = request->fields; field; field = field->next)
            if ((strstr(field->name, "_weight") != NULL) == (weights == 1))
                PN_TRY(take_field(asked, field, &request->arena, err));
    return pn_asked_finish(asked, err);
}

/* Polled while a model's server is waited for: the service ends, and the time it gave its requests is over. */
static int is_given_up(void *context)
{
    const pn_service *service = context;
    return atomic_load(&service->give_up);
}

void pn_handle_search(pn_request *request)
{
    pn_error err = {0};
    pn_asked asked;
    pn_results *results;
    bool is_json = strcmp(request->method, "POST") == 0 && !request->is_form;
    pn_status status =
        is_json ? pn_asked_from_json(request->body.data ? (char *)request->body.data : "",
                                     request->body.n_bytes, &request->arena, &asked, &err)
                : asked_from_fields(request, &asked, &err);
    asked.query.cancelled = is_given_up;
    asked.query.context = request->service;
    if (status == PN_OK)
        status = pn_table_search(request->service->table, request->service->model, &asked.query,
                                 &results, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, asked.has_picture);
        return;
    }
    answer(request, results);
    pn_results_free(results);
}

/* The number behind the last '/'; fails the request when it is none. */
static bool path_id(pn_request *request, int64_t *id)
{
    const char *text = strrchr(request->path, '/') + 1;
    if (pn_str_to_i64(pn_str_of(text), id))
        return true;
    pn_request_fail(request, 404, "\"%.40s\" is not the id of a row", text);
    return false;
}

void pn_handle_row(pn_request *request)
{
    int64_t id;
    pn_error err = {0};
    pn_results *results;
    pn_json_writer json;
    if (!path_id(request, &id))
        return;
    bool delete = strcmp(request->method, "DELETE") == 0;
    uint64_t n_deleted = 0;
    pn_status status = delete
                           ? pn_table_delete_ids(request->service->table, &id, 1, &n_deleted, &err)
                           : pn_table_get(request->service->table, &id, 1, 0, &results, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, false);
        return;
    }
    if (delete &&n_deleted == 0) {
        pn_request_fail(request, 404, "there is no row with id %" PRId64, id);
        return;
    }
    pn_json_begin(&json, &request->answer);
    if (delete) {
        pn_json_open(&json, '{');
        pn_json_key(&json, "deleted");
        pn_json_u64(&json, n_deleted);
        pn_json_close(&json, '}');
    } else {
        pn_result row;
        pn_results_get(results, 0, &row);
        pn_write_row(&json, &row, false);
        pn_results_free(results);
    }
    pn_request_finish_json(request, &json, 200);
}

void pn_handle_facets(pn_request *request)
{
    enum { MAX_VALUES = 50 };
    char *text;
    pn_error err = {0};
    pn_json_writer json;
    pn_status status = pn_table_facets_json(request->service->table, MAX_VALUES, &text, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, false);
        return;
    }
    pn_json_begin(&json, &request->answer);
    pn_json_open(&json, '{');
    pn_json_key(&json, "facets");
    pn_json_raw(&json, text);
    pn_json_close(&json, '}');
    pn_memory_free(text);
    pn_request_finish_json(request, &json, 200);
}

void pn_handle_image(pn_request *request)
{
    int64_t id;
    unsigned char *bytes;
    size_t n;
    pn_error err = {0};
    if (!path_id(request, &id))
        return;
    pn_status status = pn_table_thumbnail(request->service->table, id, &bytes, &n, &err);
    if (status == PN_OK)
        status = pn_buffer_append(&request->answer, bytes, n, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, false);
        return;
    }
    request->status = 200;
    request->type = "image/jpeg";
    request->cache_control = "private, max-age=60";
    pn_memory_free(bytes);
}

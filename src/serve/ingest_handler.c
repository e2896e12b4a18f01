/*
 * ingest_handler.c - /ingest: an uploaded picture, or sources on this machine
 */
#include "base/base64.h"
#include "os/dir.h"
#include "serve/request.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>

enum { MAX_PAIRS = 256, MAX_SOURCES = 64, MAX_ERRORS = 100 };

typedef struct upload {
    const char *path;
    const void *bytes;
    size_t n_bytes;
    pn_pair pairs[MAX_PAIRS];
    size_t n_pairs;
} upload;

static bool add_pairs(pn_request *request, const json_t *metadata, upload *up)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
    {
        const char *text = json_string_value(value);
        if (json_is_null(value))
            continue;
        if (!text && (json_is_number(value) || json_is_boolean(value))) {
            char *copy = pn_arena_alloc(&request->arena, 64);
            size_t n =
                copy ? json_dumpb(value, copy, 63, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : 0;
            if (n > 0 && n < 64) {
                copy[n] = '\0';
                text = copy;
            }
        }
        if (!text || up->n_pairs == MAX_PAIRS) {
            pn_request_fail(request, 400, "metadata: at most %d texts, numbers or booleans",
                            MAX_PAIRS);
            return false;
        }
        up->pairs[up->n_pairs].key = pn_arena_strdup(&request->arena, key);
        up->pairs[up->n_pairs].value = pn_arena_strdup(&request->arena, text);
        if (!up->pairs[up->n_pairs].key || !up->pairs[up->n_pairs].value) {
            pn_request_fail(request, 503, "out of memory");
            return false;
        }
        up->n_pairs++;
    }
    return true;
}

typedef struct uploading {
    const pn_service *service;
    pn_ingest_progress counts;
} uploading;

static void on_uploaded(void *context, const pn_ingest_progress *done)
{
    uploading *u = context;
    u->counts = *done;
}

static int is_upload_given_up(void *context)
{
    const uploading *u = context;
    return atomic_load(&u->service->give_up);
}

static void take_upload(pn_request *request, const upload *up)
{
    int64_t id;
    pn_error err = {0};
    pn_json_writer json;
    if (!request->service->model) {
        pn_request_fail(request, 503, "this service has no model: it cannot take pictures");
        return;
    }
    uploading u = {request->service, {.n_failed = 1}}; // until it is known better
    pn_ingest_options options = PN_INGEST_OPTIONS_INIT;
    options.progress = on_uploaded;
    options.cancelled = is_upload_given_up;
    options.context = &u;
    pn_status status =
        pn_table_ingest_bytes(request->service->table, request->service->model, up->path, up->bytes,
                              up->n_bytes, up->pairs, up->n_pairs, &options, &id, &err);
    pn_metrics_ingest(request->service->metrics, u.counts.n_added, u.counts.n_updated,
                      u.counts.n_unchanged, u.counts.n_failed);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, true);
        return;
    }
    pn_json_begin(&json, &request->answer);
    pn_json_open(&json, '{');
    pn_json_key(&json, "id");
    pn_json_i64(&json, id);
    pn_json_key(&json, "image_path");
    pn_json_text(&json, up->path);
    pn_json_close(&json, '}');
    pn_request_finish_json(request, &json, 201);
}

static void from_form(pn_request *request)
{
    static upload empty;
    upload up = empty;
    pn_form_field *file = pn_request_field(request, "image");
    file = file ? file : pn_request_field(request, "file");
    if (!file || file->value.n_bytes == 0) {
        pn_request_fail(request, 400, "a form field \"image\" with the picture is needed");
        return;
    }
    const char *path = pn_request_text(request, "path"),
               *metadata = pn_request_text(request, "metadata");
    up.path = path && path[0] ? path : file->file_name;
    up.bytes = file->value.data;
    up.n_bytes = file->value.n_bytes;
    if (!up.path || !up.path[0]) {
        pn_request_fail(request, 400, "a form field \"path\" to name the picture by is needed");
        return;
    }
    json_t *object = metadata && metadata[0] ? json_loads(metadata, 0, NULL) : json_object();
    if (!json_is_object(object))
        pn_request_fail(request, 400, "metadata: a JSON object is needed");
    else if (add_pairs(request, object, &up))
        take_upload(request, &up);
    json_decref(object);
}

/* ---- sources on this machine ---- */

typedef struct failures {
    pn_service *service;
    pn_arena *arena;
    pn_pair list[MAX_ERRORS];
    size_t n;
} failures;

static void on_failed(void *context, const char *path, pn_status status, const char *reason)
{
    failures *f = context;
    (void)status;
    if (f->n == MAX_ERRORS)
        return;
    f->list[f->n].key = pn_arena_strdup(f->arena, path);
    f->list[f->n].value = pn_arena_strdup(f->arena, reason);
    f->n += f->list[f->n].key && f->list[f->n].value;
}

/* Polled by the pipeline: the service ends, and the time it gave its requests is over. */
static int is_given_up(void *context)
{
    const failures *f = context;
    return atomic_load(&f->service->give_up);
}

/* The real place of a source, if it lies below the root. */
static char *resolve_source(pn_request *request, const char *source)
{
    char *real;
    const char *given = request->service->options->ingest_root;
    if (!given) {
        pn_request_fail(
            request, 403,
            "this service takes no files of its machine: it was started without --ingest-root");
        return NULL;
    }
    char *joined = pn_path_join(&request->arena, given, source);
    if (!joined || pn_path_real(joined, &request->arena, &real, NULL) != PN_OK) {
        pn_request_fail(request, 404, "there is no source \"%.200s\"", source);
        return NULL;
    }
    if (pn_path_is_inside(real, given))
        return real;
    pn_request_fail(request, 403, "\"%.200s\" lies outside of the folder that may be ingested",
                    source);
    return NULL;
}

static void write_counts(pn_request *request, const pn_ingest_progress *done, const failures *f)
{
    pn_json_writer json;
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {{"added", done->n_added},
                  {"updated", done->n_updated},
                  {"unchanged", done->n_unchanged},
                  {"failed", done->n_failed}};
    pn_json_begin(&json, &request->answer);
    pn_json_open(&json, '{');
    for (size_t i = 0; i < PN_COUNT_OF(counts); i++) {
        pn_json_key(&json, counts[i].key);
        pn_json_u64(&json, counts[i].n);
    }
    pn_json_key(&json, "errors");
    pn_json_open(&json, '[');
    for (size_t i = 0; i < f->n; i++) {
        pn_json_open(&json, '{');
        pn_json_key(&json, "path");
        pn_json_text(&json, f->list[i].key);
        pn_json_key(&json, "reason");
        pn_json_text(&json, f->list[i].value);
        pn_json_close(&json, '}');
    }
    pn_json_close(&json, ']');
    pn_json_close(&json, '}');
    pn_request_finish_json(request, &json, 200);
}

static void from_sources(pn_request *request, const json_t *sources)
{
    const char *paths[MAX_SOURCES];
    size_t n = json_array_size(sources);
    pn_error err = {0};
    pn_ingest_progress done = {0};
    if (n == 0 || n > MAX_SOURCES) {
        pn_request_fail(request, 400, "sources: a list of 1 to %d paths is needed", MAX_SOURCES);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *source = json_string_value(json_array_get(sources, i));
        if (!source) {
            pn_request_fail(request, 400, "sources: a list of texts is needed");
            return;
        }
        paths[i] = resolve_source(request, source);
        if (!paths[i])
            return;
    }
    failures *f = PN_ARENA_NEW(&request->arena, failures, 1);
    if (!f) {
        pn_request_fail(request, 503, "out of memory");
        return;
    }
    f->service = request->service;
    f->arena = &request->arena;
    pn_ingest_options options = PN_INGEST_OPTIONS_INIT;
    options.failed = on_failed;
    options.cancelled = is_given_up;
    options.context = f;
    options.root_folder = request->service->options->ingest_root; // lists and links may point out
    pn_status status = pn_table_ingest(request->service->table, request->service->model, paths, n,
                                       &options, &done, &err);
    pn_metrics_ingest(request->service->metrics, done.n_added, done.n_updated, done.n_unchanged,
                      done.n_failed);
    if (status != PN_OK)
        pn_request_fail_status(request, status, &err, false);
    else
        write_counts(request, &done, f);
}

static void from_object(pn_request *request, const json_t *root)
{
    static upload empty;
    upload up = empty;
    pn_error err = {0};
    uint8_t *bytes;
    const json_t *sources = json_object_get(root, "sources"),
                 *metadata = json_object_get(root, "metadata");
    if (sources) {
        from_sources(request, sources);
        return;
    }
    const char *image = json_string_value(json_object_get(root, "image"));
    up.path = json_string_value(json_object_get(root, "path"));
    if (!image || !up.path || !up.path[0] || (metadata && !json_is_object(metadata))) {
        pn_request_fail(request, 400,
                        "\"image\" (base64) and \"path\", or \"sources\", are needed; \"metadata\" "
                        "is an object");
        return;
    }
    pn_status status =
        pn_base64_decode(pn_str_of(image), &request->arena, &bytes, &up.n_bytes, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, true);
        return;
    }
    up.bytes = bytes;
    if (!metadata || add_pairs(request, metadata, &up))
        take_upload(request, &up);
}

void pn_handle_ingest(pn_request *request)
{
    json_error_t fault;
    if (request->is_form) {
        from_form(request);
        return;
    }
    json_t *root = json_loadb(request->body.data ? (char *)request->body.data : "",
                              request->body.n_bytes, JSON_REJECT_DUPLICATES, &fault);
    if (!request->service->model)
        pn_request_fail(request, 503, "this service has no model: it cannot take pictures");
    else if (json_is_object(root))
        from_object(request, root);
    else
        pn_request_fail(request, 400, "the body is not a JSON object: %s",
                        root ? "something else" : fault.text);
    json_decref(root);
}

/*
 * pn_ingest.c - section 4 of pennon.h: pictures in
 */
#include "api/internal.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "image/thumbnail.h"
#include "ingest/ingest.h"

/* The caller's callbacks have the public structs; the room's have its own. */
typedef struct bridge {
    pn_ingest_options options;
} bridge;

static void to_public(const pn_ingest_counts *counts, pn_ingest_progress *out)
{
    *out = (pn_ingest_progress){.n_found = counts->n_found,
                                .sources_done = counts->sources_done,
                                .n_added = counts->n_added,
                                .n_updated = counts->n_updated,
                                .n_unchanged = counts->n_unchanged,
                                .n_failed = counts->n_failed,
                                .n_committed = counts->n_committed,
                                .bytes_read = counts->bytes_read,
                                .seconds = counts->seconds};
}

static void progress(void *context, const pn_ingest_counts *counts)
{
    const bridge *b = context;
    pn_ingest_progress public_counts;
    to_public(counts, &public_counts);
    b->options.progress(b->options.context, &public_counts);
}

static void failed(void *context, const char *path, pn_status status, const char *reason)
{
    const bridge *b = context;
    b->options.failed(b->options.context, path, status, reason);
}

static bool cancelled(void *context)
{
    const bridge *b = context;
    return b->options.cancelled(b->options.context) != 0;
}

static pn_status check_options(const pn_ingest_options *options, pn_error *err)
{
    if (options->thumbnail_px != 0 && (options->thumbnail_px < PN_THUMBNAIL_SIDE_MIN ||
                                       options->thumbnail_px > PN_THUMBNAIL_SIDE_MAX))
        return pn_fail(err, PN_ERR_LIMIT,
                       "thumbnails of %u pixels: the limits are %d and %d, or 0 for none",
                       options->thumbnail_px, PN_THUMBNAIL_SIDE_MIN, PN_THUMBNAIL_SIDE_MAX);
    if (options->commit_rows > PN_INGEST_COMMIT_ROWS_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "commits of %u rows, the limit is %d",
                       options->commit_rows, PN_INGEST_COMMIT_ROWS_MAX);
    if (options->n_decoders > PN_MAX_THREADS)
        return pn_fail(err, PN_ERR_LIMIT, "%u decoding threads, the limit is %d",
                       options->n_decoders, PN_MAX_THREADS);
    if (!(options->commit_seconds >= 0))
        return pn_fail(err, PN_ERR_INVALID, "a commit every %g seconds: 0 or more is needed",
                       options->commit_seconds);
    return PN_OK;
}

static pn_ingest_settings make_settings(bridge *b, pn_table *table)
{
    const pn_ingest_options *options = &b->options;
    unsigned n_threads = pn_pool_threads(table->library->pool);
    return (pn_ingest_settings){.source = {.path_column = options->path_column,
                                           .timestamp_column = options->timestamp_column,
                                           .base_folder = options->base_folder},
                                .thumbnail_px = options->thumbnail_px,
                                .commit_rows = options->commit_rows,
                                .commit_seconds = options->commit_seconds,
                                .n_decoders = options->n_decoders ? options->n_decoders : n_threads,
                                .progress = options->progress ? progress : NULL,
                                .failed = options->failed ? failed : NULL,
                                .cancelled = options->cancelled ? cancelled : NULL,
                                .context = b,
                                .root = options->root_folder,
                                .paths = &table->uploads};
}

pn_status pn_table_ingest(pn_table *table, pn_model *model, const char *const *sources,
                          size_t n_sources, const pn_ingest_options *options,
                          pn_ingest_progress *out, pn_error *err)
{
    bridge b = {PN_INGEST_OPTIONS_INIT};
    PN_TAKE_OPTIONS(b.options, options, err);
    PN_TRY(check_options(&b.options, err));
    for (size_t i = 0; i < n_sources; i++)
        if (!sources || !sources[i])
            return pn_fail(err, PN_ERR_INVALID, "source %zu is NULL", i + 1);
    PN_TRY(pn_table_check_identity(table, model->embedder, err));
    pn_ingest_settings settings = make_settings(&b, table);
    pn_ingest_counts counts = {0};
    pn_status status =
        pn_ingest_run(table->engine, model->embedder, sources, n_sources, &settings, &counts, err);
    if (out)
        to_public(&counts, out);
    return status;
}

static pn_status check_upload(const char *path, const void *bytes, const pn_pair *metadata,
                              size_t n_metadata, pn_error *err)
{
    if (!path || !bytes)
        return pn_fail(err, PN_ERR_INVALID, "a picture needs a path and its bytes");
    for (size_t i = 0; i < n_metadata; i++)
        if (!metadata || !metadata[i].key || !metadata[i].value)
            return pn_fail(err, PN_ERR_INVALID, "metadata %zu: no key or no value", i + 1);
    return PN_OK;
}

static void report_one(const bridge *b, pn_ingest_outcome outcome, size_t n_bytes)
{
    pn_ingest_progress done = {.n_found = 1, .sources_done = 1, .bytes_read = n_bytes};
    done.n_added = outcome == PN_INGEST_ADDED;
    done.n_updated = outcome == PN_INGEST_UPDATED;
    done.n_unchanged = outcome == PN_INGEST_UNCHANGED;
    done.n_committed = done.n_added + done.n_updated;
    b->options.progress(b->options.context, &done);
}

pn_status pn_table_ingest_bytes(pn_table *table, pn_model *model, const char *path,
                                const void *bytes, size_t n_bytes, const pn_pair *metadata,
                                size_t n_metadata, const pn_ingest_options *options, int64_t *id,
                                pn_error *err)
{
    bridge b = {PN_INGEST_OPTIONS_INIT};
    PN_TAKE_OPTIONS(b.options, options, err);
    PN_TRY(check_options(&b.options, err));
    PN_TRY(check_upload(path, bytes, metadata, n_metadata, err));
    PN_TRY(pn_table_check_identity(table, model->embedder, err));
    pn_ingest_settings settings = make_settings(&b, table);
    pn_kv *pairs = pn_alloc_zero((n_metadata + 1) * sizeof *pairs);
    if (!pairs)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_metadata; i++)
        pairs[i] = (pn_kv){metadata[i].key, metadata[i].value};
    pn_ingest_outcome outcome;
    int64_t row_id = -1;
    const pn_ingest_picture picture = {path, bytes, n_bytes, pairs, n_metadata};
    pn_status status =
        pn_ingest_one(table->engine, model->embedder, &picture, &settings, &outcome, &row_id, err);
    pn_free(pairs);
    if (status != PN_OK)
        return status;
    if (b.options.progress)
        report_one(&b, outcome, n_bytes);
    if (id)
        *id = row_id;
    return PN_OK;
}

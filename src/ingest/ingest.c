/*
 * ingest.c - the pipeline from files to committed rows
 *
 *     source thread         walks folders and lists, drops paths it has seen             -> files     (bounded)
 *     n decoding threads    read, hash, known? decode, resize, thumbnail                 -> decoded   (bounded)
 *     embedding threads     as many at a time as the embedder likes, as many threads too -> embedded  (bounded)
 *     the calling thread    collects rows, commits, reports
 *
 * The queues bound memory: at most a few dozen decoded pictures are in flight, whatever their number on the disk. No stage waits for
 * another one as long as there is work for it, so that no core is idle: a thread that embeds takes the next pictures while another one
 * is in the middle of its own, and while rows are written.
 *
 * A picture that fails is reported by whoever notices and goes no further. A failure of the table (disk full, say) stops
 * everything: the queues are closed, the threads find their pushes refused and end, and the first error is returned.
 * Being cancelled is the same, except that what is embedded already is committed first; so is an embedder that fails, which a
 * server does more often than a disk.
 */
#include "ingest/ingest.h"

#include "base/alloc.h"
#include "base/keyset.h"
#include "base/limits.h"
#include "ingest/prepare.h"
#include "ingest/probe.h"
#include "ingest/row_writer.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/pool.h"
#include "os/queue.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

enum { FILES_QUEUE = 256, DECODED_QUEUE = 48, EMBEDDED_QUEUE = 64, REPORT_EVERY_MS = 100 };

typedef struct run {
    pn_engine *engine;
    pn_embedder *embedder;
    const pn_ingest_settings *settings;
    const char *const *sources;
    size_t n_sources;

    pn_probe *probe;
    pn_queue *files, *decoded, *embedded;
    pn_keyset *seen; /* the source thread's own */
    pn_thread *source_thread;
    pn_thread *decoders[PN_MAX_THREADS];
    unsigned n_decoders;
    _Atomic unsigned n_decoding;
    pn_thread *embedders[PN_MAX_THREADS];
    unsigned n_embedders;
    _Atomic unsigned n_embedding;
    _Atomic bool stop;       /* nothing new is begun */
    _Atomic bool no_vectors; /* likewise, and decoded pictures are dropped, too */

    _Atomic uint64_t n_found, n_unchanged, n_failed, bytes_read;
    _Atomic bool sources_done;
    uint64_t n_added, n_updated, n_committed; /* the calling thread's own */
    int64_t start_ns, last_report_ns, last_commit_ns;

    pthread_mutex_t mu;
    pn_status status; /* the first failure of the run; guarded by mu */
    pn_error error;   /* guarded by mu */
} run;

static void stop_with(run *r, pn_status status, const pn_error *error)
{
    pthread_mutex_lock(&r->mu);
    if (r->status == PN_OK) {
        r->status = status;
        r->error = *error;
    }
    pthread_mutex_unlock(&r->mu);
    atomic_store(&r->stop, true);
    pn_queue_close(r->files);
    pn_queue_close(r->decoded);
}

static void report_failed(run *r, const char *path, pn_status status, const char *reason)
{
    atomic_fetch_add(&r->n_failed, 1);
    if (!r->settings->failed)
        return;
    pthread_mutex_lock(&r->mu);
    r->settings->failed(r->settings->context, path, status, reason);
    pthread_mutex_unlock(&r->mu);
}

/* ---- the source thread ---- */

static pn_status take_item(void *context, pn_ingest_item *item, pn_error *err)
{
    run *r = context;
    bool is_new;
    pn_status status = pn_keyset_add(r->seen, pn_str_of(item->path), &is_new, err);
    if (status != PN_OK || !is_new) {
        pn_ingest_item_free(item);
        return status;
    }
    atomic_fetch_add(&r->n_found, 1);
    pn_error refused = {0};
    status = pn_ingest_item_check(item, &refused);
    if (status != PN_OK) {
        report_failed(r, item->path, status, refused.message);
        pn_ingest_item_free(item);
        return PN_OK;
    }
    if (pn_queue_push(r->files, item))
        return PN_OK;
    pn_ingest_item_free(item);
    return pn_fail(err, PN_ERR_CANCELLED, "stopped");
}

static void take_bad_row(void *context, const char *where, pn_status status, const char *reason)
{
    run *r = context;
    atomic_fetch_add(&r->n_found, 1);
    report_failed(r, where, status, reason);
}

static bool is_stopped(void *context)
{
    run *r = context;
    return atomic_load(&r->stop);
}

static void source_main(void *context)
{
    run *r = context;
    pn_source_sink sink = {
        .context = r, .item = take_item, .bad_row = take_bad_row, .stopped = is_stopped};
    for (size_t i = 0; i < r->n_sources && !atomic_load(&r->stop); i++) {
        pn_error error = {0};
        pn_status status = pn_source_read(r->sources[i], &r->settings->source, &sink, &error);
        if (status != PN_OK && !atomic_load(&r->stop))
            stop_with(r, status, &error);
    }
    atomic_store(&r->sources_done, true);
    pn_queue_close(r->files);
}

/* ---- the decoding threads ---- */

static pn_status read_picture(const pn_ingest_item *item, const char *root, pn_buffer *bytes,
                              pn_error *err)
{
    pn_file_info info;
    PN_TRY(pn_path_info(item->file, &info, err));
    if (root && !pn_path_is_inside(item->file, root))
        return pn_fail(err, PN_ERR_INVALID, "it lies outside of the folder that may be read");
    if (!info.is_regular)
        return pn_fail(err, PN_ERR_INVALID, "%s: not a file", item->file);
    if (info.size_bytes > PN_IMAGE_MAX_FILE_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %" PRIu64 " bytes, the limit is %u", item->file,
                       info.size_bytes, PN_IMAGE_MAX_FILE_BYTES);
    return pn_file_read(item->file, bytes, err);
}

/* *keep: the picture is new or changed and ready to be embedded. */
static pn_status decode_item(run *r, pn_ingest_item *item, bool *keep, pn_error *err)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, PN_IMAGE_MAX_FILE_BYTES);
    *keep = false;
    pn_status status = read_picture(item, r->settings->root, &bytes, err);
    if (status == PN_OK) {
        atomic_fetch_add(&r->bytes_read, bytes.n_bytes);
        status = pn_prepare_hash(item, bytes.data, bytes.n_bytes, err);
    }
    pn_probe_entry known;
    if (status == PN_OK && pn_probe_find(r->probe, item->path, item->content_hash, &known)) {
        if (known.same_content)
            goto done;
        item->replaces = true;
        item->id = known.id;
    }
    if (status == PN_OK)
        status = pn_prepare_picture(item, bytes.data, bytes.n_bytes, r->embedder,
                                    r->settings->thumbnail_px, err);
    *keep = status == PN_OK;
done:
    pn_buffer_reset(&bytes);
    return status;
}

static void decoder_main(void *context)
{
    run *r = context;
    void *popped;
    while (pn_queue_pop(r->files, &popped)) {
        pn_ingest_item *item = popped;
        pn_error error = {0};
        bool keep = false;
        pn_status status =
            atomic_load(&r->stop) ? PN_ERR_CANCELLED : decode_item(r, item, &keep, &error);
        if (status == PN_OK && !keep)
            atomic_fetch_add(&r->n_unchanged, 1);
        else if (status != PN_OK && status != PN_ERR_CANCELLED)
            report_failed(r, item->path, status, error.message);
        if (!keep || !pn_queue_push(r->decoded, item))
            pn_ingest_item_free(item);
    }
    if (atomic_fetch_sub(&r->n_decoding, 1) == 1)
        pn_queue_close(r->decoded); // the last one switches off the light
}

/* ---- the embedding threads ---- */

static bool is_dropped(void *context)
{
    run *r = context;
    return atomic_load(&r->no_vectors);
}

/* Give each item its vector. */
static pn_status embed_all(run *r, pn_ingest_item **items, size_t n, pn_error *err)
{
    const pn_embed_how how = {PN_EMBED_BULK, is_dropped, r};
    size_t dim = r->embedder->dim;
    pn_embed_input *inputs = pn_alloc_array(n, sizeof *inputs);
    float *vectors = pn_alloc_array(n * dim, sizeof *vectors);
    pn_status status = inputs && vectors ? PN_OK : pn_fail_nomem(err);
    for (size_t i = 0; status == PN_OK && i < n; i++)
        inputs[i] = items[i]->input; // lent
    if (status == PN_OK)
        status = r->embedder->embed_images(r->embedder->self, inputs, n, &how, vectors, err);
    for (size_t i = 0; status == PN_OK && i < n; i++) {
        pn_embed_input_free(&items[i]->input);
        items[i]->vector = pn_alloc_array(dim, sizeof *vectors);
        if (!items[i]->vector)
            status = pn_fail_nomem(err);
        else
            memcpy(items[i]->vector, vectors + i * dim, dim * sizeof *vectors);
    }
    pn_free(vectors);
    pn_free(inputs);
    return status;
}

/*
 * The same, but a picture that the embedder refuses spoils no other one: halves are tried until it stands alone. It is reported, and
 * has no vector then. Depth: log2 of the batch.
 */
static pn_status embed_batch(run *r, pn_ingest_item **items, size_t n, pn_error *err)
{
    pn_error refused = {0};
    pn_status status = embed_all(r, items, n, &refused);
    if (status == PN_ERR_INVALID && n > 1) {
        PN_TRY(embed_batch(r, items, n / 2, err));
        return embed_batch(r, items + n / 2, n - n / 2, err);
    }
    if (status == PN_ERR_INVALID) {
        report_failed(r, items[0]->path, status, refused.message);
        return PN_OK;
    }
    return status == PN_OK ? status : pn_fail(err, status, "%s", refused.message);
}

/* What a call of the embedder likes to have, as far as it comes soon. False: there is no more. */
static bool gather(run *r, pn_ingest_item **items, size_t *n)
{
    const pn_embedder *e = r->embedder;
    const size_t batch = e->batch ? e->batch : PN_EMBED_BATCH_DEFAULT;
    const int64_t gather_ms = e->gather_ms ? e->gather_ms : PN_EMBED_GATHER_MS_DEFAULT;
    void *popped = NULL;
    bool more = pn_queue_pop(r->decoded, &popped);
    pn_assert(batch <= PN_EMBED_BATCH_MAX);
    for (*n = 0; more && popped;) {
        items[(*n)++] = popped;
        popped = NULL;
        if (*n < batch)
            more = pn_queue_pop_timeout(r->decoded, gather_ms, &popped);
    }
    return more;
}

/* When the embedder fails, the pictures that have a vector are committed, and no other one gets one. */
static void embed_and_pass(run *r, pn_ingest_item **items, size_t n)
{
    pn_error why = {0};
    pn_status status =
        n > 0 && !atomic_load(&r->no_vectors) ? embed_batch(r, items, n, &why) : PN_OK;
    if (status != PN_OK) {
        atomic_store(&r->no_vectors, true);
        if (status != PN_ERR_CANCELLED)
            stop_with(r, status, &why);
    }
    for (size_t i = 0; i < n; i++)
        if (!items[i]->vector || !pn_queue_push(r->embedded, items[i]))
            pn_ingest_item_free(items[i]);
}

static void embedder_main(void *context)
{
    run *r = context;
    pn_ingest_item *items[PN_EMBED_BATCH_MAX];
    for (bool more = true; more;) {
        size_t n;
        more = gather(r, items, &n);
        embed_and_pass(r, items, n);
    }
    if (atomic_fetch_sub(&r->n_embedding, 1) == 1)
        pn_queue_close(r->embedded); // likewise
}

/* ---- the calling thread ---- */

static void fill_counts(run *r, pn_ingest_counts *counts)
{
    *counts = (pn_ingest_counts){.n_found = atomic_load(&r->n_found),
                                 .sources_done = atomic_load(&r->sources_done),
                                 .n_added = r->n_added,
                                 .n_updated = r->n_updated,
                                 .n_unchanged = atomic_load(&r->n_unchanged),
                                 .n_failed = atomic_load(&r->n_failed),
                                 .n_committed = r->n_committed,
                                 .bytes_read = atomic_load(&r->bytes_read),
                                 .seconds = (double)(pn_clock_monotonic_ns() - r->start_ns) * 1e-9};
}

static void report_progress(run *r)
{
    int64_t now = pn_clock_monotonic_ns();
    if (!r->settings->progress || now - r->last_report_ns < (int64_t)REPORT_EVERY_MS * 1000000)
        return;
    r->last_report_ns = now;
    pn_ingest_counts counts;
    fill_counts(r, &counts);
    pthread_mutex_lock(&r->mu);
    r->settings->progress(r->settings->context, &counts);
    pthread_mutex_unlock(&r->mu);
}

static pn_status commit(run *r, pn_row_writer *writer, pn_error *err)
{
    uint64_t n;
    pn_status status = pn_row_writer_commit(writer, &n, err);
    r->n_committed += n;
    r->last_commit_ns = pn_clock_monotonic_ns();
    return status;
}

static pn_status write_row(run *r, pn_row_writer *writer, const pn_ingest_item *item, pn_error *err)
{
    if (pn_row_writer_is_full(writer))
        PN_TRY(commit(r, writer, err));
    pn_error refused = {0};
    pn_status status = pn_row_writer_add(writer, item, item->id, &refused);
    if (status == PN_ERR_INVALID) {
        report_failed(r, item->path, status, refused.message);
        return PN_OK;
    }
    if (status != PN_OK)
        return pn_fail(err, status, "%s", refused.message);
    r->n_added += !item->replaces;
    r->n_updated += item->replaces;
    return PN_OK;
}

static bool is_time_to_commit(const run *r, const pn_row_writer *writer)
{
    size_t rows =
        r->settings->commit_rows ? r->settings->commit_rows : PN_INGEST_COMMIT_ROWS_DEFAULT;
    double seconds = r->settings->commit_seconds > 0 ? r->settings->commit_seconds
                                                     : PN_INGEST_COMMIT_SECONDS_DEFAULT;
    size_t pending = pn_row_writer_pending(writer);
    return pending >= rows ||
           (pending > 0 && (double)(pn_clock_monotonic_ns() - r->last_commit_ns) * 1e-9 >= seconds);
}

static void check_cancelled(run *r)
{
    pn_error error;
    if (atomic_load(&r->stop) || !r->settings->cancelled ||
        !r->settings->cancelled(r->settings->context))
        return;
    atomic_store(&r->no_vectors, true);
    pn_status status = pn_fail(&error, PN_ERR_CANCELLED, "stopped; what was committed is kept");
    stop_with(r, status, &error);
}

static bool has_failed(run *r)
{
    pthread_mutex_lock(&r->mu);
    bool failed = r->status != PN_OK && r->status != PN_ERR_CANCELLED;
    pthread_mutex_unlock(&r->mu);
    return failed;
}

/* Collect and commit until the embedding threads are done. */
static pn_status write_all(run *r, pn_row_writer *writer, pn_error *err)
{
    pn_status status = PN_OK;
    bool more = true;
    while (more && status == PN_OK) {
        void *popped = NULL;
        more = pn_queue_pop_timeout(r->embedded, REPORT_EVERY_MS, &popped);
        check_cancelled(r);
        report_progress(r);
        pn_ingest_item *item = more ? popped : NULL;
        if (item)
            status = write_row(r, writer, item, err);
        pn_ingest_item_free(item);
        if (status == PN_OK && is_time_to_commit(r, writer))
            status = commit(r, writer, err);
    }
    if (status == PN_OK && pn_row_writer_pending(writer) > 0)
        status = commit(r, writer, err);
    return status != PN_OK && has_failed(r) ? PN_OK
                                            : status; // what failed first is the one to tell
}

static void free_queued(pn_queue *queue)
{
    void *item;
    if (!queue)
        return;
    while (pn_queue_pop(queue, &item))
        pn_ingest_item_free(item);
    pn_queue_free(queue);
}

/* Whatever they are at; usually they have ended. */
static void end_threads(run *r)
{
    pn_queue *const queues[] = {r->files, r->decoded, r->embedded};
    atomic_store(&r->stop, true);
    atomic_store(&r->no_vectors, true);
    for (size_t i = 0; i < PN_COUNT_OF(queues); i++)
        if (queues[i])
            pn_queue_close(queues[i]); // somebody may wait for room
    pn_thread_join(r->source_thread);
    for (unsigned i = 0; i < r->n_decoders; i++)
        pn_thread_join(r->decoders[i]);
    for (unsigned i = 0; i < r->n_embedders; i++)
        pn_thread_join(r->embedders[i]);
}

static pn_status start_threads(run *r, pn_error *err)
{
    const unsigned most = PN_MAX_THREADS;
    const unsigned n_decoders = PN_MIN(PN_MAX(r->settings->n_decoders, 1u), most);
    const unsigned n_embedders = PN_MIN(PN_MAX(r->embedder->n_bulk_calls, 1u), most);
    atomic_store(&r->n_decoding, n_decoders);
    atomic_store(&r->n_embedding, n_embedders);
    PN_TRY(pn_thread_start(source_main, r, "pn-source", &r->source_thread, err));
    for (; r->n_decoders < n_decoders; r->n_decoders++)
        PN_TRY(pn_thread_start(decoder_main, r, "pn-decode", &r->decoders[r->n_decoders], err));
    for (; r->n_embedders < n_embedders; r->n_embedders++)
        PN_TRY(pn_thread_start(embedder_main, r, "pn-embed", &r->embedders[r->n_embedders], err));
    return PN_OK;
}

static pn_status load_known(run *r, pn_error *err)
{
    pn_snapshot *snapshot;
    PN_TRY(r->engine->pin_newest(r->engine->self, &snapshot, err));
    pn_status status = pn_probe_load(r->probe, r->engine, snapshot, err);
    r->engine->unpin(r->engine->self, snapshot);
    return status;
}

static pn_status check_sources(const run *r, pn_error *err)
{
    if (r->n_sources == 0)
        return pn_fail(err, PN_ERR_INVALID,
                       "nothing to ingest: name a folder, a picture, a list, or -");
    for (size_t i = 0; i < r->n_sources; i++) {
        pn_file_info info;
        if (strcmp(r->sources[i], "-") != 0)
            PN_TRY(pn_path_info(r->sources[i], &info, err));
    }
    return PN_OK;
}

static pn_status run_pipeline(run *r, pn_error *err)
{
    pn_status status = PN_OK;
    pn_row_writer *writer = NULL;
    PN_TRY(check_sources(r, err));
    PN_GOTO(done, pn_probe_create(&r->probe, err));
    PN_GOTO(done, pn_keyset_create(&r->seen, err));
    PN_GOTO(done, pn_queue_create(FILES_QUEUE, &r->files, err));
    PN_GOTO(done, pn_queue_create(DECODED_QUEUE, &r->decoded, err));
    PN_GOTO(done, pn_queue_create(EMBEDDED_QUEUE, &r->embedded, err));
    PN_GOTO(done, load_known(r, err));
    PN_GOTO(done, pn_row_writer_create(r->engine, &writer, err));
    PN_GOTO(done, start_threads(r, err));
    status = write_all(r, writer, err);
    if (status != PN_OK) {
        pn_error why = err ? *err : (pn_error){.status = status};
        stop_with(r, status, &why);
    }
done:
    end_threads(r);
    free_queued(r->files);
    free_queued(r->decoded);
    free_queued(r->embedded);
    pn_row_writer_free(writer);
    pn_keyset_free(r->seen);
    pn_probe_free(r->probe);
    if (status == PN_OK && r->status != PN_OK)
        status = pn_fail(err, r->status, "%s", r->error.message);
    return status;
}

pn_status pn_ingest_run(pn_engine *engine, pn_embedder *embedder, const char *const *sources,
                        size_t n_sources, const pn_ingest_settings *settings,
                        pn_ingest_counts *counts, pn_error *err)
{
    run *r = pn_alloc_zero(sizeof *r);
    if (!r)
        return pn_fail_nomem(err);
    r->engine = engine;
    r->embedder = embedder;
    r->settings = settings;
    r->sources = sources;
    r->n_sources = n_sources;
    r->start_ns = r->last_commit_ns = pn_clock_monotonic_ns();
    if (pthread_mutex_init(&r->mu, NULL) != 0) {
        pn_free(r);
        return pn_fail(err, PN_ERR_IO, "cannot make a lock");
    }
    pn_error local = {0};
    pn_status status = run_pipeline(r, err ? err : &local);
    fill_counts(r, counts);
    if (settings->progress)
        settings->progress(settings->context, counts);
    pthread_mutex_destroy(&r->mu);
    pn_free(r);
    return status;
}

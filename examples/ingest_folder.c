/*
 * ingest_folder.c - a folder of pictures becomes a table, with progress, and can be stopped
 *
 *     ingest_folder MODEL TABLE SOURCE [STOP_AFTER]
 *
 * pn_table_ingest() works until the source is exhausted. Meanwhile it calls back: progress() now and then, failed() for each
 * file it could not take, and it asks cancelled(). Ctrl-C raises a flag that cancelled() hands on; so does STOP_AFTER,
 * which stops when that many pictures are in. Stopping loses nothing that was committed: run the program again and it goes on
 * where it was, because pictures that are in the table already are skipped.
 */
#include <pennon.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct watch {
    uint64_t stop_after; /* 0: never */
    uint64_t n_taken;
} watch;

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void on_progress(void *context, const pn_ingest_progress *counts)
{
    watch *w = context;
    w->n_taken = counts->n_added + counts->n_updated;
    fprintf(stderr, "%u of %u%s, %u safe on disk\n",
            (unsigned)(w->n_taken + counts->n_unchanged + counts->n_failed),
            (unsigned)counts->n_found, counts->sources_done ? "" : " so far",
            (unsigned)counts->n_committed);
}

static void on_failed(void *context, const char *path, pn_status status, const char *reason)
{
    (void)context;
    fprintf(stderr, "%s: %s (%s)\n", path, reason, pn_status_name(status));
}

static int is_cancelled(void *context)
{
    const watch *w = context;
    return interrupted || (w->stop_after > 0 && w->n_taken >= w->stop_after);
}

static pn_status take(const char *model_name, const char *path, const char *source, watch *w,
                      pn_ingest_progress *done, pn_error *err)
{
    pn_library *library = NULL;
    pn_model *model = NULL;
    pn_table *table = NULL;
    pn_ingest_options options = PN_INGEST_OPTIONS_INIT;
    options.thumbnail_px = 256;
    options.commit_rows = 64; /* small, to have something to show; 1024 is the default */
    options.progress = on_progress;
    options.failed = on_failed;
    options.cancelled = is_cancelled;
    options.context = w;

    pn_status status = pn_library_open(NULL, &library, err);
    if (status == PN_OK)
        status = pn_model_open(library, model_name, NULL, &model, err);
    if (status == PN_OK)
        status = pn_table_open_or_create(library, path, model, &table, err);
    if (status == PN_OK)
        status = pn_table_ingest(table, model, &source, 1, &options, done, err);

    pn_table_close(table);
    pn_model_close(model);
    pn_library_close(library);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: ingest_folder MODEL TABLE SOURCE [STOP_AFTER]\n");
        return 2;
    }
    watch w = {argc == 5 ? strtoul(argv[4], NULL, 10) : 0, 0};
    pn_ingest_progress done = {0};
    pn_error err = {0};
    signal(SIGINT, on_signal);

    pn_status status = take(argv[1], argv[2], argv[3], &w, &done, &err);
    printf("%u added, %u updated, %u unchanged, %u failed\n", (unsigned)done.n_added,
           (unsigned)done.n_updated, (unsigned)done.n_unchanged, (unsigned)done.n_failed);
    if (status != PN_OK)
        fprintf(stderr, "ingest_folder: %s\n", err.message);
    return status == PN_OK ? 0 : status == PN_ERR_CANCELLED ? 130 : 1;
}

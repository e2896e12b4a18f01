/*
 * cmd_ingest.c - pennon ingest: pictures in
 */
#include "cli/cli.h"
#include "cli/index_progress.h"
#include "cli/json_out.h"
#include "cli/term.h"
#include "os/process.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct arguments {
    pn_common common;
    pn_ingest_options options;
    const char *const *sources; /* part of argv */
    size_t n_sources;
    pn_progress progress;
    bool no_index;
} arguments;

enum {
    KEY_THUMBNAIL = PN_KEY_FIRST_FREE,
    KEY_COMMIT_ROWS,
    KEY_COMMIT_SECONDS,
    KEY_PATH_COLUMN,
    KEY_TIME_COLUMN,
    KEY_BASE,
    KEY_NO_INDEX
};

static const struct argp_option options[] = {
    PN_OPTION_TABLE,
    PN_OPTION_MODEL,
    PN_OPTION_PRECISION,
    PN_OPTION_EXACT_DECODE,
    PN_OPTIONS_SERVER,
    PN_OPTION_PREPROCESS,
    PN_OPTION_THREADS,
    {"thumbnail", KEY_THUMBNAIL, "PX", 0, "longer side of the thumbnails (default 320; 0: none)",
     0},
    {"commit-rows", KEY_COMMIT_ROWS, "N", 0, "commit after N rows (default 1024)", 0},
    {"commit-seconds", KEY_COMMIT_SECONDS, "S", 0, "or after S seconds (default 10)", 0},
    {"path-column", KEY_PATH_COLUMN, "NAME", 0,
     "the column of a list that holds the paths (default: the first of path, image_path, image, "
     "file, filename, filepath)",
     0},
    {"timestamp-column", KEY_TIME_COLUMN, "NAME", 0,
     "the column that holds the time (default: the first of timestamp, date, created_at, taken_at)",
     0},
    {"base", KEY_BASE, "DIR", 0,
     "where relative paths of a list start (default: the list's folder)", 0},
    {"no-index", KEY_NO_INDEX, NULL, 0, "build no index at the end, though one is due", 0},
    PN_OPTIONS_UPKEEP("0"),
    {"quiet", 'q', NULL, 0, "no progress, no summary", 0},
    {"json", PN_KEY_JSON, NULL, 0, "print the summary as JSON", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case KEY_THUMBNAIL:
        args->options.thumbnail_px = (uint32_t)pn_cli_number(arg, 0, 2048, "--thumbnail", state);
        return 0;
    case KEY_COMMIT_ROWS:
        args->options.commit_rows = (uint32_t)pn_cli_number(arg, 1, 65536, "--commit-rows", state);
        return 0;
    case KEY_COMMIT_SECONDS:
        args->options.commit_seconds = pn_cli_double(arg, "--commit-seconds", state);
        if (args->options.commit_seconds <= 0)
            argp_error(state, "--commit-seconds \"%s\": more than 0 is needed", arg);
        return 0;
    case KEY_PATH_COLUMN:
        args->options.path_column = arg;
        return 0;
    case KEY_TIME_COLUMN:
        args->options.timestamp_column = arg;
        return 0;
    case KEY_NO_INDEX:
        args->no_index = true;
        return 0;
    case ARGP_KEY_INIT:
        pn_common_take_upkeep(&args->common, state);
        return 0;
    case KEY_BASE:
        args->options.base_folder = arg;
        return 0;
    case ARGP_KEY_ARGS:
        args->sources = (const char *const *)(state->argv + state->next);
        args->n_sources = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(
            state,
            "what to ingest? A folder, a picture, a .csv or .jsonl list, or - for standard input");
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static void on_progress(void *context, const pn_ingest_progress *counts)
{
    arguments *args = context;
    pn_progress_show(&args->progress, counts);
}

static void on_failed(void *context, const char *path, pn_status status, const char *reason)
{
    arguments *args = context;
    (void)status;
    pn_progress_clear(&args->progress);
    pn_term_print_text(stderr, path, false);
    fputs(": ", stderr);
    pn_term_print_text(stderr, reason, false);
    fputc('\n', stderr);
}

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

static void print_summary(const arguments *args, const pn_ingest_progress *done)
{
    if (args->common.output == PN_OUTPUT_JSON) {
        json_t *all =
            json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "table",
                      pn_cli_json_text(args->common.table), "found", (json_int_t)done->n_found,
                      "added", (json_int_t)done->n_added, "updated", (json_int_t)done->n_updated,
                      "unchanged", (json_int_t)done->n_unchanged, "failed",
                      (json_int_t)done->n_failed, "committed", (json_int_t)done->n_committed,
                      "bytes_read", (json_int_t)done->bytes_read, "seconds", done->seconds);
        (void)pn_cli_print_json(all, JSON_COMPACT | JSON_REAL_PRECISION(6)); // it has told
        putchar('\n');
    } else if (!args->common.quiet) {
        uint64_t embedded = done->n_added + done->n_updated;
        pn_term_print_text(stdout, args->common.table, false);
        printf(": %" PRIu64 " added, %" PRIu64 " updated, %" PRIu64 " unchanged, %" PRIu64
               " failed in %s",
               done->n_added, done->n_updated, done->n_unchanged, done->n_failed,
               pn_term_duration(done->seconds));
        if (done->n_committed != embedded)
            printf(", %" PRIu64 " of them committed", done->n_committed);
        if (embedded > 0 && done->seconds > 0)
            printf(" (%.1f pictures/s)", (double)embedded / done->seconds);
        fputc('\n', stdout);
    }
}

static int exit_code(pn_status status, const pn_ingest_progress *done)
{
    if (status == PN_ERR_CANCELLED)
        return PN_EXIT_STOPPED;
    if (status != PN_OK)
        return PN_EXIT_FAILURE;
    return done->n_failed > 0 && done->n_failed == done->n_found ? PN_EXIT_NOTHING : PN_EXIT_OK;
}

/* What was taken in stays, whatever becomes of the index: searches are exact without it. */
static pn_status build_index(const arguments *args, pn_session *session)
{
    pn_index_options due = PN_INDEX_OPTIONS_INIT;
    pn_index_report report = PN_INDEX_REPORT_INIT;
    due.if_due = 1;
    pn_status status = pn_cli_build_index(session, &due, args->common.quiet, &report);
    if (report.n_rows > 0 && !args->common.quiet && args->common.output != PN_OUTPUT_JSON)
        printf("an index of %s rows in %s\n", pn_term_count(report.n_rows),
               pn_term_duration(report.seconds));
    return status;
}

static int run(arguments *args, pn_session *session)
{
    pn_error err = {0};
    if (!pn_session_begin(session, &args->common))
        return PN_EXIT_FAILURE;
    /* An existing table names its model; a new one needs it named. */
    if (!args->common.model &&
        pn_table_open(session->library, args->common.table, &session->table, &err) == PN_OK) {
        if (!pn_session_open_table_model(session, &args->common))
            return PN_EXIT_FAILURE;
    } else if (err.status != PN_OK && err.status != PN_ERR_NOT_FOUND) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    } else if (!pn_session_open_model(session, &args->common)) {
        return PN_EXIT_FAILURE;
    }
    if (!session->table &&
        pn_table_open_or_create(session->library, args->common.table, session->model,
                                &session->table, &err) != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    if (!pn_session_set_table(session, &args->common))
        return PN_EXIT_FAILURE;
    args->options.progress = on_progress;
    args->options.failed = on_failed;
    args->options.cancelled = on_cancelled;
    args->options.context = args;
    pn_progress_begin(&args->progress, args->common.quiet);
    pn_ingest_progress done = {0};
    pn_status status = pn_table_ingest(session->table, session->model, args->sources,
                                       args->n_sources, &args->options, &done, &err);
    pn_progress_clear(&args->progress);
    print_summary(args, &done);
    if (status != PN_OK)
        pn_cli_error(&err);
    else
        pn_session_keep_up(session, &args->common);
    if (status == PN_OK && !args->no_index)
        status = build_index(args, session);
    return exit_code(status, &done);
}

int pn_cmd_ingest(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "SOURCE...",
        "Take pictures into a table.\v"
        "A SOURCE is a folder (walked), a picture, a .csv or .jsonl list whose other columns "
        "become "
        "metadata, or - for paths or JSON rows on standard input. Pictures that are in the table "
        "with the same "
        "content are skipped; a changed one replaces its row. A bad file is reported and passed "
        "over.",
        NULL,
        NULL,
        NULL};
    arguments args = {.options = PN_INGEST_OPTIONS_INIT};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    pn_process_catch_stop();
    pn_session session = {0};
    int code = run(&args, &session);
    pn_session_end(&session);
    return pn_cli_finish(code);
}

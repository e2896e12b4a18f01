/*
 * model_pull.c - pennon model pull: a download, with a bar for people and lines for logs
 */
#include "cli/cmd_model.h"

#include "cli/json_out.h"
#include "cli/term.h"
#include "os/clock.h"
#include "os/process.h"

#include <string.h>

enum { BAR_COLUMNS = 24, REDRAW_MS = 200, LINE_SECONDS = 10 };

typedef struct view {
    bool is_terminal, quiet, drawn, begun;
    int64_t drawn_ns;
    double line_seconds;
    pn_model_pull_progress last;
} view;

static double rate_of(const pn_model_pull_progress *p)
{
    return p->seconds > 0 ? (double)p->came_bytes / p->seconds : 0;
}

static void draw_bar(const pn_model_pull_progress *p)
{
    double rate = rate_of(p);
    unsigned filled = p->total_bytes > 0
                          ? (unsigned)((double)p->done_bytes / (double)p->total_bytes * BAR_COLUMNS)
                          : 0;
    fputs("\r\033[K[", stderr);
    for (unsigned i = 0; i < BAR_COLUMNS; i++)
        fputc(i < filled ? '#' : '.', stderr);
    fprintf(stderr, "] %s", pn_term_bytes(p->done_bytes));
    fprintf(stderr, " of %s", pn_term_bytes(p->total_bytes));
    if (rate > 0 && p->done_bytes < p->total_bytes) {
        fprintf(stderr, "  %s/s", pn_term_bytes((uint64_t)rate));
        fprintf(stderr, "  %s left",
                pn_term_duration((double)(p->total_bytes - p->done_bytes) / rate));
    }
    fputs("  ", stderr);
    pn_term_print_text(stderr, p->file, false);
    (void)fflush(stderr); // a bar that is not seen harms nothing
}

static void clear_bar(view *v)
{
    if (v->drawn)
        fputs("\r\033[K", stderr);
    v->drawn = false;
}

/* One line for each file, and one now and then inside a large one. */
static void print_line(view *v, const pn_model_pull_progress *p)
{
    bool is_new = !v->begun || p->file_i != v->last.file_i;
    if (!is_new && p->seconds - v->line_seconds < LINE_SECONDS)
        return;
    v->line_seconds = p->seconds;
    fprintf(stderr, "file %zu of %zu, ", p->file_i + 1, p->n_files);
    pn_term_print_text(stderr, p->file, false);
    fprintf(stderr, ": %s", pn_term_bytes(p->done_bytes));
    fprintf(stderr, " of %s in all", pn_term_bytes(p->total_bytes));
    if (!is_new)
        fprintf(stderr, ", %s/s", pn_term_bytes((uint64_t)rate_of(p)));
    fputc('\n', stderr);
}

static void on_progress(void *context, const pn_model_pull_progress *p)
{
    view *v = context;
    int64_t now = pn_clock_monotonic_ns();
    bool is_due = now - v->drawn_ns >= (int64_t)REDRAW_MS * 1000000;
    if (v->is_terminal && is_due && !v->quiet) {
        draw_bar(p);
        v->drawn = true;
        v->drawn_ns = now;
    } else if (!v->is_terminal && !v->quiet) {
        print_line(v, p);
    }
    v->begun = true;
    v->last = *p;
    v->last.file = NULL; // it lives for the call alone
}

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

static void print_done(const pn_model_arguments *args, const view *v, const char *directory)
{
    if (args->common.output == PN_OUTPUT_JSON) {
        json_t *all = json_pack(
            "{s:o, s:o, s:I, s:I, s:I}", "name", pn_cli_json_text(args->names[0]), "directory",
            pn_cli_json_text(directory), "files", (json_int_t)v->last.n_files, "bytes",
            (json_int_t)v->last.total_bytes, "came_bytes", (json_int_t)v->last.came_bytes);
        (void)pn_cli_print_json(all, JSON_COMPACT); // it has told
        putchar('\n');
        return;
    }
    pn_term_print_text(stdout, args->names[0], false);
    printf(": %zu files, %s", v->last.n_files, pn_term_bytes(v->last.total_bytes));
    printf(" (%s came): ", pn_term_bytes(v->last.came_bytes));
    pn_term_print_text(stdout, directory, false);
    fputc('\n', stdout);
}

static void explain(const pn_model_arguments *args, const pn_error *err, bool has_token)
{
    pn_cli_error(err);
    if (err->status == PN_ERR_CANCELLED)
        pn_cli_complain("what has come stays; the same command goes on from there");
    else if (!has_token && strstr(err->message, "HTTP 401"))
        pn_cli_complain(
            "is \"%s\" spelt right? A private model, or one behind a form, wants a token in "
            "HF_TOKEN",
            args->names[0]);
}

int pn_model_run_pull(const pn_model_arguments *args)
{
    pn_error err = {0};
    view v = {.is_terminal = pn_terminal_is(2), .quiet = args->common.quiet};
    pn_model_pull_options options = PN_MODEL_PULL_OPTIONS_INIT;
    char *directory;
    options.base = args->base ? args->base : pn_environment("HF_ENDPOINT");
    options.revision = args->revision;
    options.directory = args->dir;
    options.token = pn_environment("HF_TOKEN");
    options.progress = on_progress;
    options.cancelled = on_cancelled;
    options.context = &v;
    pn_status status = pn_model_pull(args->names[0], &options, &directory, &err);
    clear_bar(&v);
    if (status != PN_OK) {
        explain(args, &err, options.token != NULL);
        return status == PN_ERR_CANCELLED ? PN_EXIT_STOPPED : PN_EXIT_FAILURE;
    }
    print_done(args, &v, directory);
    pn_memory_free(directory);
    return PN_EXIT_OK;
}

/*
 * table_tidy.c - pennon table compact, cleanup: fewer fragments, fewer versions
 *
 * Neither changes what the table says. Compaction comes first: only then do old versions hold bytes that nobody reads.
 */
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/term.h"
#include "os/clock.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>

enum {
    KEY_IF_DUE = PN_KEY_FIRST_FREE,
    KEY_TARGET,
    KEY_DELETED,
    KEY_DRY_RUN,
    KEY_OLDER,
    KEY_KEEP,
    KEY_ORPHANS,
    KEY_DAMAGED
};

typedef struct arguments {
    pn_common common;
    pn_compact_table_options compact;
    pn_cleanup_table_options cleanup;
    bool is_dry_run;
    pn_progress progress;
    int64_t started_ns;
} arguments;

/* "90s", "30m", "12h", "7d", "2w", "0": seconds. */
static double age_of(const char *text, const char *what, struct argp_state *state)
{
    static const char units[] = "smhdw";
    static const double seconds[] = {1, 60, 3600, 86400, 604800};
    size_t n = strspn(text, "0123456789");
    const char *unit = text[n] != '\0' ? strchr(units, text[n]) : NULL;
    double value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (text[i] - '0');
    if (n == 0 || n > 9 || (unit ? text[n + 1] != '\0' : text[n] != '\0' || value != 0))
        argp_error(state, "%s \"%s\": an age is a whole number and s, m, h, d or w, as in 7d", what,
                   text);
    return unit ? value * seconds[unit - units] : 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case KEY_IF_DUE:
        args->compact.if_due = 1;
        return 0;
    case KEY_TARGET:
        args->compact.target_rows = pn_cli_number(arg, 1, UINT32_MAX, "--target-rows", state);
        return 0;
    case KEY_DELETED:
        args->compact.deleted_percent =
            (uint32_t)pn_cli_number(arg, 1, 100, "--deleted-percent", state);
        return 0;
    case KEY_DRY_RUN:
        args->is_dry_run = true;
        return 0;
    case KEY_OLDER:
        args->cleanup.older_than_seconds = age_of(arg, "--older-than", state);
        return 0;
    case KEY_KEEP:
        args->cleanup.keep_newest = pn_cli_number(arg, 1, INT64_MAX, "--keep", state);
        return 0;
    case KEY_ORPHANS:
        args->cleanup.orphans_seconds = age_of(arg, "--orphans", state);
        return 0;
    case KEY_DAMAGED:
        args->cleanup.damaged_too = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is not an option", arg);
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

#define OPTION_DRY_RUN                                                                             \
    {                                                                                              \
        "dry-run", KEY_DRY_RUN, NULL, 0, "change nothing: say what would be done", 0               \
    }

/* ---- compact ---- */

static void on_rows(void *context, uint64_t n_rows, uint64_t n_all)
{
    arguments *args = context;
    double done = n_all > 0 && n_rows < n_all ? (double)n_rows / (double)n_all : -1;
    pn_progress_show_rows(&args->progress, n_rows, done,
                          (double)(pn_clock_monotonic_ns() - args->started_ns) / 1e9);
}

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

static void print_compacted(const arguments *args, const pn_compact_table_report *done)
{
    if (args->common.output == PN_OUTPUT_JSON)
        printf("{\"old_fragments\":%" PRIu64 ",\"new_fragments\":%" PRIu64 ",\"rows\":%" PRIu64
               ",\"version\":%" PRIu64 ",\"dry_run\":%s}\n",
               done->n_old_fragments, done->n_new_fragments, done->n_rows, done->version,
               args->is_dry_run ? "true" : "false");
    else if (args->common.quiet)
        return;
    else if (done->n_old_fragments == 0)
        puts("nothing to do");
    else
        printf("%" PRIu64 " fragments %s %" PRIu64 ", of %s rows (version %" PRIu64 ")\n",
               done->n_old_fragments, args->is_dry_run ? "would become" : "became",
               done->n_new_fragments, pn_term_count(done->n_rows), done->version);
}

static int compact(arguments *args)
{
    pn_error err = {0};
    pn_compact_table_report done = PN_COMPACT_TABLE_REPORT_INIT;
    args->compact.dry_run = args->is_dry_run;
    args->compact.progress = on_rows;
    args->compact.cancelled = on_cancelled;
    args->compact.context = args;
    args->started_ns = pn_clock_monotonic_ns();
    pn_progress_begin(&args->progress, args->common.quiet);
    pn_status status = pn_lance_compact(args->common.table, &args->compact, &done, &err);
    pn_progress_clear(&args->progress);
    if (status == PN_OK) {
        print_compacted(args, &done);
        return PN_EXIT_OK;
    }
    pn_cli_error(&err);
    return status == PN_ERR_CANCELLED ? PN_EXIT_STOPPED : PN_EXIT_FAILURE;
}

int pn_cmd_table_compact(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        {"if-due", KEY_IF_DUE, NULL, 0,
         "only what is due: cheap to ask for after every insert (default: all small neighbours)",
         0},
        {"target-rows", KEY_TARGET, "N", 0, "of a fragment that is left alone (default 1048576)",
         0},
        {"deleted-percent", KEY_DELETED, "N", 0,
         "of a fragment's rows, from which on it is rewritten (default 10)", 0},
        OPTION_DRY_RUN,
        {"quiet", 'q', NULL, 0, "no progress, no summary", 0},
        PN_OPTION_JSON,
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "",
        "Write small fragments of a table into large ones, without their deleted rows.\v"
        "Rows and their order stay as they are. The old fragments stay on disk until \"pennon "
        "table cleanup\" removes the versions that have them. Ctrl-C keeps what was committed.",
        NULL,
        NULL,
        NULL};
    arguments args = {.compact = PN_COMPACT_TABLE_OPTIONS_INIT};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    pn_process_catch_stop();
    return pn_cli_finish(compact(&args));
}

/* ---- cleanup ---- */

static void print_cleaned(const arguments *args, const pn_cleanup_table_report *done)
{
    if (args->common.output == PN_OUTPUT_JSON) {
        printf("{\"versions\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"files\":%" PRIu64
               ",\"orphans\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"dry_run\":%s}\n",
               done->n_versions, done->n_kept, done->n_files, done->n_orphans, done->n_bytes,
               args->is_dry_run ? "true" : "false");
        return;
    }
    printf("%" PRIu64 " versions and %" PRIu64 " files %s, %s; ", done->n_versions, done->n_files,
           args->is_dry_run ? "would go" : "are gone", pn_term_bytes(done->n_bytes));
    printf("%" PRIu64 " versions stay\n", done->n_kept);
}

static int clean_up(arguments *args)
{
    pn_error err = {0};
    pn_cleanup_table_report done = PN_CLEANUP_TABLE_REPORT_INIT;
    args->cleanup.dry_run = args->is_dry_run;
    pn_status status = pn_lance_cleanup(args->common.table, &args->cleanup, &done, &err);
    if (status != PN_OK) {
        pn_cli_error(&err);
        if (status == PN_ERR_CORRUPT && !args->cleanup.damaged_too)
            fputs(
                "Nothing was removed. \"pennon table check\" says what is damaged; with --damaged "
                "such versions go.\n",
                stderr);
        return PN_EXIT_FAILURE;
    }
    print_cleaned(args, &done);
    return PN_EXIT_OK;
}

int pn_cmd_table_cleanup(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        {"older-than", KEY_OLDER, "AGE", 0,
         "versions committed longer ago than this go, as in 12h (default 7d)", 0},
        {"keep", KEY_KEEP, "N", 0, "but the newest N stay in any case (default 1)", 0},
        {"orphans", KEY_ORPHANS, "AGE", 0,
         "files that no version names go when they are older (default 7d)", 0},
        {"damaged", KEY_DAMAGED, NULL, 0,
         "versions that cannot be read, or lack a file, go, too (default: then nothing goes)", 0},
        OPTION_DRY_RUN,
        PN_OPTION_JSON,
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "",
        "Remove old versions of a table, and the files that no version left needs.\v"
        "The newest version and those with a tag stay. Who reads an old version at this moment may "
        "find its files gone; a file without a version may be a commit in the making.",
        NULL,
        NULL,
        NULL};
    arguments args = {.cleanup = PN_CLEANUP_TABLE_OPTIONS_INIT};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    return pn_cli_finish(clean_up(&args));
}

/*
 * table_check.c - pennon table check: is anything of a table damaged?
 */
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/term.h"
#include "os/clock.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>

enum { KEY_NEWEST = PN_KEY_FIRST_FREE, KEY_RECORD };

typedef struct arguments {
    pn_common common;
    pn_check_options options;
    pn_progress progress;
    int64_t started_ns;
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case KEY_NEWEST:
        args->options.newest_only = 1;
        return 0;
    case KEY_RECORD:
        args->options.record = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is not an option", arg);
        return 0;
    case ARGP_KEY_END:
        if (args->options.record &&
            (args->options.newest_only || args->common.at_version > 0 || args->common.at_tag))
            argp_error(state, "--record is for all versions");
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static void on_progress(void *context, uint64_t n_files, uint64_t n_bytes)
{
    arguments *args = context;
    pn_progress_show_files(&args->progress, n_files, n_bytes,
                           (double)(pn_clock_monotonic_ns() - args->started_ns) / 1e9);
}

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

static void print_findings(const json_t *findings)
{
    size_t i;
    json_t *finding;
    json_array_foreach(findings, i, finding)
    {
        pn_term_print_text(stdout, json_string_value(json_object_get(finding, "file")), false);
        fputs(": ", stdout);
        pn_term_print_text(stdout, json_string_value(json_object_get(finding, "reason")), false);
        if (pn_cli_json_number(finding, "version") > 0)
            printf(" (version %" PRIu64 ")", pn_cli_json_number(finding, "version"));
        fputc('\n', stdout);
    }
}

static void print_report(const arguments *args, const json_t *all)
{
    uint64_t without = pn_cli_json_number(all, "files_without_checksum");
    print_findings(json_object_get(all, "findings"));
    if (args->common.quiet)
        return;
    printf("%" PRIu64 " versions, %" PRIu64 " files, %s: ", pn_cli_json_number(all, "versions"),
           pn_cli_json_number(all, "files"), pn_term_bytes(pn_cli_json_number(all, "bytes")));
    puts(json_string_value(json_object_get(all, "state")));
    if (pn_cli_json_number(all, "checksums_recorded") > 0)
        printf("checksums of %" PRIu64 " files are recorded\n",
               pn_cli_json_number(all, "checksums_recorded"));
    else if (without > 0)
        printf("%" PRIu64 " files have no checksum: a changed number in them would not be seen "
               "(--record makes them)\n",
               without);
    if (json_array_size(json_object_get(all, "findings")) == 0)
        return;
    if (json_is_null(json_object_get(all, "last_good")))
        puts("no version of those is good");
    else
        printf("the last good version is %" PRIu64 "\n", pn_cli_json_number(all, "last_good"));
}

static int run(arguments *args)
{
    pn_error err = {0};
    char *text = NULL;
    if (!pn_cli_find_version(&args->common))
        return PN_EXIT_FAILURE;
    args->options.version = args->common.at_version;
    args->options.progress = on_progress;
    args->options.cancelled = on_cancelled;
    args->options.context = args;
    args->started_ns = pn_clock_monotonic_ns();
    pn_progress_begin(&args->progress, args->common.quiet);
    pn_status status = pn_lance_check_json(args->common.table, &args->options, &text, &err);
    pn_progress_clear(&args->progress);
    if (!text) {
        pn_cli_error(&err);
        return status == PN_ERR_CANCELLED ? PN_EXIT_STOPPED : PN_EXIT_FAILURE;
    }
    json_t *all = json_loads(text, 0, NULL);
    pn_memory_free(text);
    if (args->common.output == PN_OUTPUT_JSON) {
        (void)pn_cli_print_json(all, JSON_INDENT(2)); // it has told
        putchar('\n');
    } else {
        print_report(args, all);
        json_decref(all);
    }
    return status == PN_OK ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

int pn_cmd_table_check(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        {"version", PN_KEY_AT_VERSION, "N", 0, "only version N, or that tag", 0},
        {"newest", KEY_NEWEST, NULL, 0, "only the newest version", 0},
        {"record", KEY_RECORD, NULL, 0,
         "when nothing is found, record checksums of all files for later checks", 0},
        {"quiet", 'q', NULL, 0, "no progress, and of the report only what is damaged", 0},
        PN_OPTION_JSON,
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "",
        "Look for damage in every version of a table.\v"
        "Manifests, transactions, data files, deletion files: are they there, whole, and does "
        "every page of every column decode? Does every tag name a version that is there? Status 1 "
        "when anything is damaged; the last good version is told.",
        NULL,
        NULL,
        NULL};
    arguments args = {.options = PN_CHECK_OPTIONS_INIT};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    pn_process_catch_stop();
    return pn_cli_finish(run(&args));
}

/*
 * cmd_index.c - pennon index build, status, check, drop: what makes searches of large tables fast
 */
#include "base/alloc.h"
#include "base/buffer.h"
#include "cli/cli.h"
#include "cli/index_progress.h"
#include "cli/json_out.h"
#include "cli/term.h"
#include "os/fd.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>

enum {
    KEY_ALL = PN_KEY_FIRST_FREE,
    KEY_LOW_MEMORY,
    KEY_LANCEDB,
    KEY_PARTITIONS,
    KEY_TEXTS,
    MAX_TEXTS = 4096
};

typedef struct arguments {
    pn_common common;
    const char *action;
    pn_index_options build;
    const char *texts_file;
} arguments;

static const struct argp_option options[] = {
    PN_OPTION_TABLE,
    PN_OPTION_MODEL,
    PN_OPTION_PRECISION,
    PN_OPTIONS_SERVER,
    {"all", KEY_ALL, NULL, 0, "build: one index of the whole table", 0},
    {"low-memory", KEY_LOW_MEMORY, NULL, 0,
     "build: 80 bytes a row instead of 600; searches read the vectors", 0},
    {"lancedb", KEY_LANCEDB, NULL, 0,
     "build, drop: an index in LanceDB's own format, of the whole table, that LanceDB searches by, "
     "too",
     0},
    {"partitions", KEY_PARTITIONS, "N", 0,
     "build: how many (default: four times the square root of the number of rows; with --lancedb "
     "one "
     "for 1024 rows)",
     0},
    {"texts", KEY_TEXTS, "FILE", 0,
     "build: calibrate with the lines of FILE, texts as your customers type them", 0},
    {"quiet", 'q', NULL, 0, "no progress", 0},
    PN_OPTION_THREADS,
    PN_OPTION_JSON,
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case KEY_ALL:
        args->build.all = 1;
        return 0;
    case KEY_LOW_MEMORY:
        args->build.low_memory = 1;
        return 0;
    case KEY_LANCEDB:
        args->build.lancedb = 1;
        return 0;
    case KEY_PARTITIONS:
        args->build.n_partitions = (uint32_t)pn_cli_number(arg, 1, 1u << 20, "--partitions", state);
        return 0;
    case KEY_TEXTS:
        args->texts_file = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (args->action)
            argp_error(state, "\"%s\": one action at a time", arg);
        args->action = arg;
        return 0;
    case ARGP_KEY_END:
        if (!args->action)
            argp_error(state, "what to do? build, status, check or drop");
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

/* ---- build */

/* Cut text into its lines, in place; empty ones are left out. */
static size_t split_lines(char *text, const char **lines, size_t most)
{
    size_t n = 0;
    for (char *at = text; at && *at && n < most;) {
        char *end = strchr(at, '\n');
        if (end)
            *end = '\0';
        size_t length = strlen(at);
        if (length > 0 && at[length - 1] == '\r')
            at[length - 1] = '\0';
        if (at[0] != '\0')
            lines[n++] = at;
        at = end ? end + 1 : NULL;
    }
    return n;
}

static pn_status read_texts(const char *file, pn_buffer *text, const char **lines, size_t *n)
{
    pn_error err = {0};
    pn_status status = pn_file_read(file, text, &err);
    char *bytes = NULL;
    if (status == PN_OK) {
        status = pn_buffer_append(text, "", 1, &err);
        bytes = (char *)text->data;
    }
    if (status != PN_OK) {
        pn_cli_error(&err);
        return status;
    }
    *n = split_lines(bytes, lines, MAX_TEXTS);
    return PN_OK;
}

static void print_built(const arguments *args, const pn_index_report *report)
{
    if (args->common.output == PN_OUTPUT_JSON) {
        json_t *all = json_pack("{s:I, s:I, s:f}", "rows", (json_int_t)report->n_rows, "replaced",
                                (json_int_t)report->n_replaced, "seconds", report->seconds);
        (void)pn_cli_print_json(all, JSON_COMPACT | JSON_REAL_PRECISION(6)); // it has told
        putchar('\n');
    } else if (report->n_rows == 0) {
        puts("nothing to do: rows without an index are few, and scanned exactly");
    } else {
        printf("an index of %s rows in %s", pn_term_count(report->n_rows),
               pn_term_duration(report->seconds));
        if (report->n_replaced > 0)
            printf(", in the place of %" PRIu64 " older", report->n_replaced);
        putchar('\n');
    }
}

/* Texts that were embedded once are kept; a table that does not say whose vectors it has is taken without any. */
static bool needs_model(const arguments *args, const pn_session *session)
{
    char *text;
    pn_table_info info;
    if (args->texts_file || args->common.model)
        return true;
    if (pn_table_get_info(session->table, &info, NULL) != PN_OK ||
        pn_table_index_status_json(session->table, &text, NULL) != PN_OK)
        return true; /* what is wrong will be told there */
    json_t *all = json_loads(text, 0, NULL);
    bool has_texts = pn_cli_json_number(all, "texts") > 0;
    json_decref(all);
    pn_memory_free(text);
    if (!has_texts && info.model[0] == '\0')
        pn_cli_complain("no model, so the recall of text searches is not promised: name it with "
                        "--model");
    return !has_texts && info.model[0] != '\0';
}

static int run_build(arguments *args, pn_session *session)
{
    static const char *lines[MAX_TEXTS];
    pn_buffer text;
    pn_index_report report = PN_INDEX_REPORT_INIT;
    if (!args->build.lancedb && needs_model(args, session) &&
        !pn_session_open_table_model(session, &args->common))
        return PN_EXIT_FAILURE;
    pn_buffer_init(&text, 64u << 20);
    pn_status status = PN_OK;
    if (args->texts_file) {
        args->build.texts = lines;
        status = read_texts(args->texts_file, &text, lines, &args->build.n_texts);
    }
    if (status == PN_OK)
        status = pn_cli_build_index(session, &args->build, args->common.quiet, &report);
    if (status == PN_OK)
        print_built(args, &report);
    pn_buffer_reset(&text);
    return status == PN_OK              ? PN_EXIT_OK
           : status == PN_ERR_CANCELLED ? PN_EXIT_STOPPED
                                        : PN_EXIT_FAILURE;
}

/* ---- status, check, drop */

/* Names and reasons are another program's. */
static void print_lance(const json_t *index)
{
    const char *refused = json_string_value(json_object_get(index, "refused"));
    fputs("LanceDB's index ", stdout);
    pn_term_print_text(stdout, json_string_value(json_object_get(index, "name")), false);
    if (refused) {
        fputs(" is not used: ", stdout);
        pn_term_print_text(stdout, refused, false);
        fputc('\n', stdout);
        return;
    }
    printf(" (%s, %s): ", json_string_value(json_object_get(index, "kind")),
           json_string_value(json_object_get(index, "distance")));
    printf("%s of the rows without one of pennon's",
           pn_term_count(pn_cli_json_number(index, "rows")));
    printf(", %" PRIu64 " partitions, %s\n", pn_cli_json_number(index, "partitions"),
           pn_term_bytes(pn_cli_json_number(index, "bytes")));
}

static void print_status(const json_t *all)
{
    size_t i;
    json_t *index;
    const json_t *indexes = json_object_get(all, "indexes");
    uint64_t scanned = pn_cli_json_number(all, "uncovered");
    json_array_foreach(json_object_get(all, "lancedb"), i, index)
    {
        scanned -= pn_cli_json_number(index, "rows");
    }
    printf("%s rows by index, ", pn_term_count(pn_cli_json_number(all, "covered")));
    printf("%s scanned exactly%s\n", pn_term_count(scanned),
           json_is_true(json_object_get(all, "due")) ? "; pennon index build is due" : "");
    if (pn_cli_json_number(all, "damaged") > 0) {
        fputs("damaged: ", stdout);
        pn_term_print_text(stdout, json_string_value(json_object_get(all, "damage")), false);
        fputc('\n', stdout);
    }
    if (json_array_size(indexes) > 0)
        printf("%12s  %12s  %10s  %10s  %5s  %s\n", "ROWS", "WHEN BUILT", "PARTITIONS", "SIZE",
               "TEXTS", "FILE");
    json_array_foreach(indexes, i, index)
    {
        printf("%12s", pn_term_count(pn_cli_json_number(index, "rows")));
        printf("  %12s", pn_term_count(pn_cli_json_number(index, "rows_built")));
        printf("  %10" PRIu64 "  %10s  %5s  %s\n", pn_cli_json_number(index, "partitions"),
               pn_term_bytes(pn_cli_json_number(index, "bytes")),
               json_is_true(json_object_get(index, "calibrated_for_texts")) ? "yes" : "no",
               json_string_value(json_object_get(index, "file")));
    }
    json_array_foreach(json_object_get(all, "lancedb"), i, index)
    {
        print_lance(index);
    }
}

static int run_status(const arguments *args, pn_session *session)
{
    char *text;
    pn_error err = {0};
    if (pn_table_index_status_json(session->table, &text, &err) != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    json_t *all = json_loads(text, 0, NULL);
    pn_memory_free(text);
    if (args->common.output != PN_OUTPUT_JSON) {
        print_status(all);
        json_decref(all);
        return PN_EXIT_OK;
    }
    (void)pn_cli_print_json(all, JSON_INDENT(2)); // it has told
    putchar('\n');
    return PN_EXIT_OK;
}

static int run_check(const arguments *args, pn_session *session)
{
    pn_error err = {0};
    (void)args;
    if (pn_table_index_check(session->table, &err) == PN_OK) {
        puts("all indexes are whole");
        return PN_EXIT_OK;
    }
    pn_cli_error(&err);
    return PN_EXIT_FAILURE;
}

static int run_drop(const arguments *args, pn_session *session)
{
    size_t n;
    pn_error err = {0};
    pn_status status = args->build.lancedb ? pn_table_index_drop_lancedb(session->table, &n, &err)
                                           : pn_table_index_drop(session->table, &n, &err);
    if (status != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    printf("%zu removed\n", n);
    return PN_EXIT_OK;
}

/* ---- the command */

/* Options that only mean something to another action, or not beside --lancedb. */
static const char *find_misplaced(const arguments *args, int action)
{
    enum { BUILD = 0, DROP = 3 };
    const pn_index_options *b = &args->build;
    const char *of_build = b->all                 ? "--all"
                           : b->low_memory        ? "--low-memory"
                           : args->texts_file     ? "--texts"
                           : b->n_partitions == 0 ? NULL
                                                  : "--partitions";
    if (action != BUILD && of_build)
        return of_build;
    if (b->lancedb && action != BUILD && action != DROP)
        return "--lancedb";
    return b->lancedb && (b->all || b->low_memory || args->texts_file) ? of_build : NULL;
}

static int run(arguments *args, pn_session *session)
{
    static const char *const names[] = {"build", "status", "check", "drop"};
    int chosen = -1;
    for (int i = 0; i < 4; i++)
        if (strcmp(args->action, names[i]) == 0)
            chosen = i;
    if (chosen < 0) {
        pn_cli_complain("\"%s\": there are build, status, check and drop", args->action);
        return PN_EXIT_USAGE;
    }
    const char *misplaced = find_misplaced(args, chosen);
    if (misplaced) {
        pn_cli_complain("pennon index %s%s has no use for %s", args->action,
                        chosen == 0 ? " --lancedb" : "", misplaced);
        return PN_EXIT_USAGE;
    }
    if (!pn_session_begin(session, &args->common) || !pn_session_open_table(session, &args->common))
        return PN_EXIT_FAILURE;
    switch (chosen) {
    case 0:
        return run_build(args, session);
    case 1:
        return run_status(args, session);
    case 2:
        return run_check(args, session);
    default:
        return run_drop(args, session);
    }
}

int pn_cmd_index(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "ACTION",
        "Build and look after the indexes of a table.\v"
        "build   an index of the rows that have none, as ingest and serve do by themselves\n"
        "status  what the indexes cover\n"
        "check   read them whole\n"
        "drop    remove them: every search is exact again\n",
        NULL,
        NULL,
        NULL};
    arguments args = {.build = PN_INDEX_OPTIONS_INIT};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    pn_process_catch_stop();
    pn_session session = {0};
    int code = run(&args, &session);
    pn_session_end(&session);
    return pn_cli_finish(code);
}

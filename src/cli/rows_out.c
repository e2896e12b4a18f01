/*
 * rows_out.c - pennon table export, head: rows of any table
 *
 * An export to standard output is nothing but rows there; what is told of it goes to standard error.
 */
#include "base/buffer.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/row_files.h"
#include "cli/term.h"
#include "os/clock.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAX_NAMES = 4096,
    KEY_FORMAT = PN_KEY_FIRST_FREE,
    KEY_LIMIT,
    KEY_COLUMN,
    KEY_VECTOR_COLUMN,
    KEY_ROWS
};

typedef struct arguments {
    pn_common common;
    pn_export_options options;
    const char *columns[MAX_NAMES];
    const char *file, *rows_file;
    bool has_format, takes_file;
    pn_row_file out, rest;
    pn_progress progress;
    int64_t started_ns;
} arguments;

static void add_column(arguments *args, const char *name, struct argp_state *state)
{
    if (args->options.n_columns == MAX_NAMES)
        argp_error(state, "at most %d columns", MAX_NAMES);
    args->columns[args->options.n_columns++] = name;
    args->options.columns = args->columns;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case KEY_FORMAT:
        args->options.format = pn_row_format_of(arg, state);
        args->has_format = true;
        return 0;
    case 'w':
        args->options.where = arg;
        return 0;
    case KEY_LIMIT:
        args->options.limit = pn_cli_number(arg, 1, INT64_MAX, "--limit", state);
        return 0;
    case KEY_COLUMN:
        add_column(args, arg, state);
        return 0;
    case KEY_VECTOR_COLUMN:
        args->options.vector_column = arg;
        return 0;
    case KEY_ROWS:
        args->rows_file = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (!args->takes_file || args->file)
            argp_error(state, "\"%s\" is one argument too many", arg);
        args->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (args->takes_file && !args->file)
            argp_error(state, "where to? Name a file, or - for standard output");
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static pn_status write_file(pn_row_file *file, const void *bytes, size_t n, pn_error *err)
{
    pn_status status = pn_fd_write(file->fd, file->part ? file->part : file->path, bytes, n, err);
    if (status == PN_OK)
        file->n_bytes += n;
    return status;
}

static pn_status write_out(void *context, const void *bytes, size_t n, pn_error *err)
{
    return write_file(&((arguments *)context)->out, bytes, n, err);
}

static pn_status write_rest(void *context, const void *bytes, size_t n, pn_error *err)
{
    return write_file(&((arguments *)context)->rest, bytes, n, err);
}

static double seconds_since(int64_t ns)
{
    return (double)(pn_clock_monotonic_ns() - ns) / 1e9;
}

static void on_progress(void *context, uint64_t n_rows, uint64_t n_all)
{
    arguments *args = context;
    pn_progress_show_rows(&args->progress, n_rows, n_all > 0 ? (double)n_rows / (double)n_all : -1,
                          seconds_since(args->started_ns));
}

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

static void print_summary(const arguments *args, uint64_t n_rows)
{
    FILE *out = strcmp(args->file, "-") == 0 ? stderr : stdout;
    double seconds = seconds_since(args->started_ns);
    uint64_t n_bytes = args->out.n_bytes + args->rest.n_bytes;
    if (args->common.output == PN_OUTPUT_JSON)
        fprintf(out, "{\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f}\n", n_rows,
                n_bytes, seconds);
    else if (!args->common.quiet && out == stdout)
        fprintf(out, "%" PRIu64 " rows, %s in %s\n", n_rows, pn_term_bytes(n_bytes),
                pn_term_duration(seconds));
}

/* False: an error is in err. */
static pn_status export_rows(arguments *args, uint64_t *n_rows, pn_error *err)
{
    pn_status status = pn_row_file_create(&args->out, args->file, err);
    if (status == PN_OK && args->rows_file)
        status = pn_row_file_create(&args->rest, args->rows_file, err);
    if (status == PN_OK)
        status = pn_lance_export(args->common.table, &args->options, n_rows, err);
    pn_progress_clear(&args->progress);
    if (status == PN_OK)
        status = pn_row_file_finish(&args->out, err);
    if (status == PN_OK)
        status = pn_row_file_finish(&args->rest, err);
    return status;
}

static int run_export(arguments *args)
{
    pn_error err = {0};
    uint64_t n_rows = 0;
    if (!pn_cli_find_version(&args->common))
        return PN_EXIT_FAILURE;
    args->options.version = args->common.at_version;
    args->options.write = write_out;
    args->options.write_rest = args->rows_file ? write_rest : NULL;
    args->options.progress = on_progress;
    args->options.cancelled = on_cancelled;
    args->options.context = args;
    args->started_ns = pn_clock_monotonic_ns();
    pn_progress_begin(&args->progress, args->common.quiet);
    pn_status status = export_rows(args, &n_rows, &err);
    if (status == PN_OK)
        print_summary(args, n_rows);
    else
        pn_cli_error(&err);
    pn_row_file_close(&args->out);
    pn_row_file_close(&args->rest);
    if (status == PN_ERR_CANCELLED)
        return PN_EXIT_STOPPED;
    return status == PN_OK ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

#define OPTION_WHERE                                                                               \
    {                                                                                              \
        "where", 'w', "EXPR", 0, "only rows that pass the filter", 0                               \
    }
#define OPTION_COLUMN                                                                              \
    {                                                                                              \
        "column", KEY_COLUMN, "NAME", 0, "only this column; may be given often", 0                 \
    }

int pn_cmd_table_export(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        PN_OPTIONS_VERSION,
        {"format", KEY_FORMAT, "FORMAT", 0,
         "ndjson, csv or npy (default: what the file's name ends in, else ndjson)", 0},
        OPTION_WHERE,
        {"limit", KEY_LIMIT, "N", 0, "at most N rows", 0},
        OPTION_COLUMN,
        {"vector-column", KEY_VECTOR_COLUMN, "NAME", 0,
         "npy: the column of vectors (default vector)", 0},
        {"rows", KEY_ROWS, "FILE", 0, "npy: write the other columns as NDJSON into this file", 0},
        {"quiet", 'q', NULL, 0, "no progress, no summary", 0},
        {"json", PN_KEY_JSON, NULL, 0, "print the summary as JSON", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "FILE",
        "Write rows of a table as NDJSON, CSV or a NumPy file.\v"
        "FILE - is standard output. What was exported can be imported again, and gives an equal "
        "table: \"pennon table schema --json\" has its columns.",
        NULL,
        NULL,
        NULL};
    static arguments args; // of many kilobytes
    args.options = (pn_export_options)PN_EXPORT_OPTIONS_INIT;
    args.takes_file = true;
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if (!pn_row_format_complete(&args.options.format, args.has_format, args.file, args.rows_file))
        return PN_EXIT_USAGE;
    pn_process_catch_stop();
    return pn_cli_finish(run_export(&args));
}

/* ---- head ---- */

static pn_status keep_bytes(void *context, const void *bytes, size_t n, pn_error *err)
{
    (void)err;
    return pn_buffer_append(context, bytes, n, NULL);
}

typedef struct short_text {
    char text[1024];
    size_t n;
} short_text;

/* What fits; the rest would not be shown anyway. */
static int keep_some(const char *piece, size_t n, void *context)
{
    short_text *to = context;
    size_t room = sizeof to->text - 1 - to->n;
    n = n < room ? n : room;
    memcpy(to->text + to->n, piece, n);
    to->n += n;
    return n < room ? 0 : -1;
}

/* A value as people write it: texts without quotes, all else as JSON. */
static void print_value(const json_t *value, unsigned width)
{
    short_text all = {{0}, 0};
    if (!json_is_string(value))
        (void)(json_dump_callback(value, keep_some, &all,
                                  JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) ==
               0); // a long one is cut
    pn_term_print(stdout, json_is_string(value) ? json_string_value(value) : all.text, width);
}

/* Rows beside each other, each column as wide as its share of the terminal. */
static void print_rows(const json_t *rows)
{
    enum { LEAST_COLUMNS = 6 };
    const json_t *first = json_array_get(rows, 0);
    unsigned n = (unsigned)json_object_size(first), columns = pn_terminal_columns(1, 100);
    unsigned width = n > 0 && columns / n > LEAST_COLUMNS + 2 ? columns / n - 2 : LEAST_COLUMNS;
    const char *name;
    json_t *row, *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)first, name, value)
    {
        pn_term_print(stdout, name, width);
        fputs("  ", stdout);
    }
    fputc('\n', stdout);
    json_array_foreach(rows, i, row)
    {
        json_object_foreach(row, name, value)
        {
            print_value(value, width);
            fputs("  ", stdout);
        }
        fputc('\n', stdout);
    }
    if (json_array_size(rows) == 0)
        puts("no rows");
}

static bool show_head(const arguments *args, const pn_buffer *bytes)
{
    pn_str rest = {(const char *)bytes->data, bytes->n_bytes};
    json_t *rows = json_array();
    while (rest.ptr && rest.len > 0) {
        pn_str line = pn_str_split(&rest, '\n');
        json_array_append_new(rows, json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, NULL));
    }
    if (args->common.output == PN_OUTPUT_JSON) {
        bool ok = pn_cli_print_json(rows, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
        putchar('\n');
        return ok;
    }
    print_rows(rows);
    json_decref(rows);
    return true;
}

int pn_cmd_table_head(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        PN_OPTIONS_VERSION,
        OPTION_WHERE,
        {"limit", KEY_LIMIT, "N", 0, "how many rows (default 10)", 0},
        OPTION_COLUMN,
        PN_OPTION_JSON,
        {0}};
    static const struct argp argp = {options, parse, "",  "Show the first rows of a table.",
                                     NULL,    NULL,  NULL};
    static arguments args; // of many kilobytes
    pn_error err = {0};
    pn_buffer bytes;
    args.options = (pn_export_options)PN_EXPORT_OPTIONS_INIT;
    args.options.limit = 10;
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if (!pn_cli_find_version(&args.common))
        return PN_EXIT_FAILURE;
    pn_buffer_init(&bytes, (size_t)1 << 30);
    args.options.version = args.common.at_version;
    args.options.write = keep_bytes;
    args.options.context = &bytes;
    bool ok = pn_lance_export(args.common.table, &args.options, NULL, &err) == PN_OK;
    if (ok)
        ok = show_head(&args, &bytes);
    else
        pn_cli_error(&err);
    pn_buffer_reset(&bytes);
    return pn_cli_finish(ok ? PN_EXIT_OK : PN_EXIT_FAILURE);
}

/*
 * rows_in.c - pennon table import, upsert: rows from text
 */
#include "base/buffer.h"
#include "cli/cli.h"
#include "cli/row_files.h"
#include "cli/term.h"
#include "os/clock.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>

enum {
    KEY_FORMAT = PN_KEY_FIRST_FREE,
    KEY_MODE,
    KEY_SCHEMA,
    KEY_VECTOR_COLUMN,
    KEY_BAD_VECTORS,
    KEY_FILL,
    KEY_ROWS,
    KEY_KEYS,
    KEY_LEAVE_MATCHED,
    KEY_LEAVE_UNMATCHED,
    KEY_DELETE_MISSING,
    KEY_DELETE_WHERE,
    KEY_DATA_FORMAT
};
enum { MAX_SCHEMA_BYTES = 16 << 20, MAX_KEYS = 32 };

typedef struct arguments {
    pn_common common;
    pn_import_options options;
    const char *file, *rows_file, *schema_file;
    const char *keys[MAX_KEYS];
    bool has_format;
    pn_row_file in, rest;
    uint64_t n_all; /* bytes of both; 0: not known */
    pn_progress progress;
    int64_t started_ns;
} arguments;

static int word_of(const char *const *words, size_t n, const char *arg, const char *option,
                   struct argp_state *state)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], arg) == 0)
            return (int)i;
    argp_error(state, "%s \"%s\": see --help", option, arg);
    return 0;
}

/* "id,lang" */
static void add_keys(arguments *args, char *list, struct argp_state *state)
{
    args->options.keys = args->keys;
    for (char *at = list; at;) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        if (args->options.n_keys == MAX_KEYS || at[0] == '\0')
            argp_error(state, "a key is 1 to %d columns, with commas between", MAX_KEYS);
        args->keys[args->options.n_keys++] = at;
        at = comma ? comma + 1 : NULL;
    }
}

static void check(const arguments *args, struct argp_state *state)
{
    const pn_import_options *o = &args->options;
    if (!args->file)
        argp_error(state, "from where? Name a file, or - for standard input");
    if (o->keys && o->mode == PN_MODE_OVERWRITE)
        argp_error(state, "an upsert does not overwrite the table: choose one of them");
    if (o->delete_where && !o->delete_missing)
        argp_error(state, "--delete-where says which rows --delete-missing may delete");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char *const modes[] = {"append", "create", "exist_ok", "overwrite"};
    static const char *const policies[] = {"error", "drop", "fill", "null"};
    arguments *args = state->input;
    switch (key) {
    case KEY_FORMAT:
        args->options.format = pn_row_format_of(arg, state);
        args->has_format = true;
        return 0;
    case KEY_MODE:
        args->options.mode = (pn_create_mode)word_of(modes, 4, arg, "--mode", state);
        return 0;
    case KEY_KEYS:
        add_keys(args, arg, state);
        return 0;
    case KEY_LEAVE_MATCHED:
        args->options.leave_matched = 1;
        return 0;
    case KEY_LEAVE_UNMATCHED:
        args->options.leave_unmatched = 1;
        return 0;
    case KEY_DELETE_MISSING:
        args->options.delete_missing = 1;
        return 0;
    case KEY_DELETE_WHERE:
        args->options.delete_where = arg;
        return 0;
    case KEY_SCHEMA:
        args->schema_file = arg;
        return 0;
    case KEY_DATA_FORMAT:
        args->options.data_format = arg;
        return 0;
    case KEY_VECTOR_COLUMN:
        args->options.vector_column = arg;
        return 0;
    case KEY_BAD_VECTORS:
        args->options.on_bad_vectors =
            (pn_bad_vectors)word_of(policies, 4, arg, "--on-bad-vectors", state);
        return 0;
    case KEY_FILL:
        args->options.fill_value = pn_cli_double(arg, "--fill-value", state);
        return 0;
    case KEY_ROWS:
        args->rows_file = arg;
        return 0;
    case ARGP_KEY_INIT:
        pn_common_take_upkeep(&args->common, state);
        return 0;
    case ARGP_KEY_ARG:
        if (args->file)
            argp_error(state, "\"%s\" is one argument too many", arg);
        args->file = arg;
        return 0;
    case ARGP_KEY_END:
        check(args, state);
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static pn_status read_file(pn_row_file *file, void *out, size_t n, size_t *n_read, pn_error *err)
{
    pn_status status =
        pn_fd_read_some(file->fd, strcmp(file->path, "-") == 0 ? "standard input" : file->path, out,
                        n, n_read, err);
    if (status == PN_OK)
        file->n_bytes += *n_read;
    return status;
}

static pn_status read_in(void *context, void *out, size_t n, size_t *n_read, pn_error *err)
{
    return read_file(&((arguments *)context)->in, out, n, n_read, err);
}

static pn_status read_rest(void *context, void *out, size_t n, size_t *n_read, pn_error *err)
{
    return read_file(&((arguments *)context)->rest, out, n, n_read, err);
}

static double seconds_since(int64_t ns)
{
    return (double)(pn_clock_monotonic_ns() - ns) / 1e9;
}

static void on_progress(void *context, uint64_t n_rows, uint64_t n_bytes)
{
    arguments *args = context;
    pn_progress_show_rows(&args->progress, n_rows,
                          args->n_all > 0 ? (double)n_bytes / (double)args->n_all : -1,
                          seconds_since(args->started_ns));
}

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

static void print_json(const arguments *args, const pn_import_report *done, double seconds)
{
    printf("{\"rows\":%" PRIu64, done->n_rows);
    if (args->options.keys)
        printf(",\"inserted\":%" PRIu64 ",\"updated\":%" PRIu64 ",\"deleted\":%" PRIu64,
               done->n_inserted, done->n_updated, done->n_deleted);
    printf(",\"bad_vectors\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"version\":%" PRIu64
           ",\"seconds\":%.3f}\n",
           done->n_bad_vectors, done->n_dropped, done->version, seconds);
}

static void print_summary(const arguments *args, const pn_import_report *done)
{
    double seconds = seconds_since(args->started_ns);
    if (args->common.output == PN_OUTPUT_JSON) {
        print_json(args, done, seconds);
    } else if (!args->common.quiet) {
        pn_term_print_text(stdout, args->common.table, false);
        if (args->options.keys)
            printf(": %" PRIu64 " rows inserted, %" PRIu64 " updated, %" PRIu64 " deleted",
                   done->n_inserted, done->n_updated, done->n_deleted);
        else
            printf(": %" PRIu64 " rows %s", done->n_rows,
                   args->options.mode == PN_MODE_OVERWRITE ? "are the table now" : "added");
        if (done->n_bad_vectors > 0)
            printf(", %" PRIu64 " bad vectors, %" PRIu64 " rows dropped", done->n_bad_vectors,
                   done->n_dropped);
        printf(" in %s (version %" PRIu64 ")\n", pn_term_duration(seconds), done->version);
    }
}

static pn_status open_files(arguments *args, pn_buffer *schema, pn_error *err)
{
    pn_status status = pn_row_file_open(&args->in, args->file, err);
    if (status == PN_OK && args->rows_file)
        status = pn_row_file_open(&args->rest, args->rows_file, err);
    if (status == PN_OK && args->schema_file) {
        status = pn_file_read(args->schema_file, schema, err);
        args->options.schema_json = status == PN_OK ? pn_buffer_text(schema) : NULL;
    }
    uint64_t n_in = pn_row_file_size(&args->in), n_rest = pn_row_file_size(&args->rest);
    args->n_all = n_in > 0 && (n_rest > 0 || !args->rows_file) ? n_in + n_rest : 0;
    return status;
}

/* A table of text alone is no pn_table, and is left as it is. */
static void keep_up(const arguments *args)
{
    pn_session session = {0};
    pn_error ignored = {0};
    if (pn_session_begin(&session, &args->common) &&
        pn_table_open(session.library, args->common.table, &session.table, &ignored) == PN_OK &&
        pn_session_set_table(&session, &args->common))
        pn_session_keep_up(&session, &args->common);
    pn_session_end(&session);
}

static int run(arguments *args)
{
    pn_error err = {0};
    pn_buffer schema;
    pn_import_report done = PN_IMPORT_REPORT_INIT;
    pn_buffer_init(&schema, MAX_SCHEMA_BYTES);
    args->options.read = read_in;
    args->options.read_rest = args->rows_file ? read_rest : NULL;
    args->options.progress = on_progress;
    args->options.cancelled = on_cancelled;
    args->options.context = args;
    args->started_ns = pn_clock_monotonic_ns();
    pn_progress_begin(&args->progress, args->common.quiet);
    pn_status status = open_files(args, &schema, &err);
    if (status == PN_OK)
        status = pn_lance_import(args->common.table, &args->options, &done, &err);
    pn_progress_clear(&args->progress);
    if (status == PN_OK)
        print_summary(args, &done);
    else
        pn_cli_error(&err);
    if (status == PN_OK)
        keep_up(args);
    pn_row_file_close(&args->in);
    pn_row_file_close(&args->rest);
    pn_buffer_reset(&schema);
    if (status == PN_ERR_CANCELLED)
        return PN_EXIT_STOPPED;
    return status == PN_OK ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

/* ---- the two commands ---- */

#define OPTION_FORMAT                                                                              \
    {                                                                                              \
        "format", KEY_FORMAT, "FORMAT", 0,                                                         \
            "ndjson, csv or npy (default: what the file's name ends in, else ndjson)", 0           \
    }
#define OPTIONS_VECTORS                                                                            \
    {"vector-column",                                                                              \
     KEY_VECTOR_COLUMN,                                                                            \
     "NAME",                                                                                       \
     0,                                                                                            \
     "the column of vectors: of npy, and when columns are guessed (default vector)",               \
     0},                                                                                           \
        {"on-bad-vectors",                                                                         \
         KEY_BAD_VECTORS,                                                                          \
         "POLICY",                                                                                 \
         0,                                                                                        \
         "vectors of another length or with a NaN: error (default), drop the row, fill the "       \
         "vector, or null",                                                                        \
         0},                                                                                       \
        {"fill-value", KEY_FILL, "X", 0, "the number to fill with (default 0)", 0},                \
    {                                                                                              \
        "rows", KEY_ROWS, "FILE", 0, "npy: the other columns, as NDJSON", 0                        \
    }
#define OPTIONS_OUTPUT                                                                             \
    {"quiet", 'q', NULL, 0, "no progress, no summary", 0},                                         \
    {                                                                                              \
        "json", PN_KEY_JSON, NULL, 0, "print the summary as JSON", 0                               \
    }

static int with_arguments(const struct argp *argp, bool is_upsert, int argc, char **argv)
{
    arguments args = {.options = PN_IMPORT_OPTIONS_INIT};
    pn_common_init(&args.common);
    argp_parse(argp, argc, argv, 0, NULL, &args);
    if (is_upsert && !args.options.keys) {
        pn_cli_complain("by which columns? Name the key with --key COLUMN[,COLUMN]");
        return PN_EXIT_USAGE;
    }
    if (!pn_row_format_complete(&args.options.format, args.has_format, args.file, args.rows_file))
        return PN_EXIT_USAGE;
    pn_process_catch_stop();
    return pn_cli_finish(run(&args));
}

int pn_cmd_table_import(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        OPTION_FORMAT,
        {"mode", KEY_MODE, "HOW", 0,
         "append: to a table that is there (default); create: a new one; exist_ok: either; "
         "overwrite: these rows and columns in the place of what is there",
         0},
        {"schema", KEY_SCHEMA, "FILE", 0,
         "the columns of a new table, as \"pennon table schema --json\" writes them (default: "
         "guessed from the first rows)",
         0},
        {"data-format", KEY_DATA_FORMAT, "VERSION", 0,
         "of a new table: 2.0, 2.1, 2.2 (default) or 2.3, the version of its data files", 0},
        {"upsert", KEY_KEYS, "COLUMN[,COLUMN]", 0,
         "rows take the place of those that have the same values there; the others are added", 0},
        OPTIONS_VECTORS,
        PN_OPTIONS_UPKEEP("0"),
        OPTIONS_OUTPUT,
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "FILE",
        "Take rows from NDJSON, CSV or a NumPy file into a table.\v"
        "FILE - is standard input. All rows become visible with one commit, or none does; a row "
        "that does not fit is named by line and column.",
        NULL,
        NULL,
        NULL};
    return with_arguments(&argp, false, argc, argv);
}

int pn_cmd_table_upsert(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        {"key", KEY_KEYS, "COLUMN[,COLUMN]", 0, "the columns that rows are matched by", 0},
        {"leave-matched", KEY_LEAVE_MATCHED, NULL, 0, "rows whose key is there change nothing", 0},
        {"leave-unmatched", KEY_LEAVE_UNMATCHED, NULL, 0,
         "rows whose key is not there are not added", 0},
        {"delete-missing", KEY_DELETE_MISSING, NULL, 0,
         "rows of the table whose key does not come are deleted", 0},
        {"delete-where", KEY_DELETE_WHERE, "EXPR", 0, "of them only those that pass the filter", 0},
        OPTION_FORMAT,
        OPTIONS_VECTORS,
        PN_OPTIONS_UPKEEP("0"),
        OPTIONS_OUTPUT,
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "FILE",
        "Take rows into a table in the place of those with the same key, and add the others.\v"
        "FILE - is standard input. Columns that do not come keep their values. All changes are one "
        "commit, or none is made. A key that comes twice is an error; one with a null matches "
        "nothing.",
        NULL,
        NULL,
        NULL};
    return with_arguments(&argp, true, argc, argv);
}

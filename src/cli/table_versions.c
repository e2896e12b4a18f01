/*
 * table_versions.c - pennon table checkout, restore, tag: going back to a version, and finding it again
 *
 * A program that ends has no version "in hand" that a checkout could change: which one is meant is said with each command, by --version,
 * a number or a tag. So checkout only answers the question that comes before: is all of that version still there and whole?
 */
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/term.h"
#include "os/clock.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_WORDS = 3, MAX_TAG_BYTES = 256 };

typedef struct arguments {
    pn_common common;
    const char *words[MAX_WORDS]; /* behind the command */
    int n_words, most, least;
    const char *what; /* they are, when they are too few */
    pn_progress progress;
    int64_t started_ns;
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (args->n_words == args->most)
            argp_error(state, "\"%s\" is one argument too many", arg);
        else
            args->words[args->n_words++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (args->n_words < args->least)
            argp_error(state, "%s", args->what);
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static int print_document(json_t *all)
{
    bool ok = pn_cli_print_json(all, JSON_INDENT(2));
    putchar('\n');
    return ok ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

static int fail(const pn_error *err)
{
    pn_cli_error(err);
    return PN_EXIT_FAILURE;
}

/* ---- checkout ---- */

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

static pn_status check_version(arguments *args, uint64_t version, pn_error *err)
{
    pn_check_options options = PN_CHECK_OPTIONS_INIT;
    char *report = NULL;
    options.version = version;
    options.progress = on_progress;
    options.cancelled = on_cancelled;
    options.context = args;
    args->started_ns = pn_clock_monotonic_ns();
    pn_progress_begin(&args->progress, args->common.quiet);
    pn_status status = pn_lance_check_json(args->common.table, &options, &report, err);
    pn_progress_clear(&args->progress);
    pn_memory_free(report);
    return status;
}

static void print_checkout(const json_t *info)
{
    uint64_t version = pn_cli_json_number(info, "version");
    printf("version %" PRIu64 " of %s, %s: ", version,
           pn_term_time((int64_t)pn_cli_json_number(info, "timestamp_ms")),
           pn_cli_json_string(info, "operation"));
    printf("%s rows, ", pn_term_count(pn_cli_json_number(info, "rows")));
    printf("%" PRIu64 " columns, whole\n", pn_cli_json_number(info, "columns"));
    printf("read it with --version=%" PRIu64 "; go back to it with: pennon table restore %" PRIu64
           "\n",
           version, version);
}

static int check_out(arguments *args)
{
    pn_error err = {0};
    uint64_t version;
    char *text;
    if (pn_lance_find_version(args->common.table, args->words[0], &version, &err) != PN_OK ||
        pn_lance_info_json(args->common.table, version, &text, &err) != PN_OK)
        return fail(&err);
    json_t *info = json_loads(text, 0, NULL);
    pn_memory_free(text);
    pn_status status = check_version(args, version, &err);
    if (status != PN_OK) {
        json_decref(info);
        (void)fail(&err); // told
        return status == PN_ERR_CANCELLED ? PN_EXIT_STOPPED : PN_EXIT_FAILURE;
    }
    if (args->common.output == PN_OUTPUT_JSON)
        return print_document(info);
    print_checkout(info);
    json_decref(info);
    return PN_EXIT_OK;
}

int pn_cmd_table_checkout(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE, {"quiet", 'q', NULL, 0, "no progress", 0}, PN_OPTION_JSON, {0}};
    static const struct argp argp = {
        options,
        parse,
        "VERSION",
        "See whether all of a version, by number or tag, is there and whole, and what it holds.\v"
        "Nothing is changed: a version is read with --version, and made the newest again with "
        "\"pennon table restore\".",
        NULL,
        NULL,
        NULL};
    arguments args = {.most = 1, .least = 1, .what = "which version? Its number, or a tag"};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    pn_process_catch_stop();
    return pn_cli_finish(check_out(&args));
}

/* ---- restore ---- */

static int restore(const arguments *args)
{
    pn_error err = {0};
    uint64_t old_version, version;
    if (pn_lance_find_version(args->common.table, args->words[0], &old_version, &err) != PN_OK ||
        pn_lance_restore(args->common.table, old_version, &version, &err) != PN_OK)
        return fail(&err);
    if (args->common.output == PN_OUTPUT_JSON)
        return print_document(json_pack("{s:I, s:I}", "restored", (json_int_t)old_version,
                                        "version", (json_int_t)version));
    printf("version %" PRIu64 " is version %" PRIu64 " again\n", version, old_version);
    return PN_EXIT_OK;
}

int pn_cmd_table_restore(int argc, char **argv)
{
    static const struct argp_option options[] = {PN_OPTION_TABLE, PN_OPTION_JSON, {0}};
    static const struct argp argp = {
        options,
        parse,
        "VERSION",
        "Make an old version, by number or tag, the newest again.\v"
        "That is a new version with its content; what came after it stays in the versions between.",
        NULL,
        NULL,
        NULL};
    arguments args = {.most = 1, .least = 1, .what = "which version? Its number, or a tag"};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    return pn_cli_finish(restore(&args));
}

/* ---- tag ---- */

static int list_tags(const arguments *args)
{
    pn_error err = {0};
    char *text;
    size_t i;
    json_t *tag;
    if (pn_lance_tags_json(args->common.table, &text, &err) != PN_OK)
        return fail(&err);
    json_t *all = json_loads(text, 0, NULL);
    pn_memory_free(text);
    if (args->common.output == PN_OUTPUT_JSON)
        return print_document(all);
    json_array_foreach(all, i, tag)
    {
        printf("%6" PRIu64 "  ", pn_cli_json_number(tag, "version"));
        pn_term_print_text(stdout, pn_cli_json_string(tag, "name"), false);
        putchar('\n');
    }
    json_decref(all);
    return PN_EXIT_OK;
}

/* create, update or delete; the version is a number or another tag, and the newest when none is named. */
static int change_tag(const arguments *args)
{
    pn_error err = {0};
    uint64_t version = 0;
    const char *action = args->words[0], *name = args->words[1], *table = args->common.table;
    pn_status status = PN_OK;
    if (args->words[2])
        status = pn_lance_find_version(table, args->words[2], &version, &err);
    if (status == PN_OK && strcmp(action, "create") == 0)
        status = pn_lance_tag_create(table, name, version, &err);
    else if (status == PN_OK && strcmp(action, "update") == 0)
        status = pn_lance_tag_update(table, name, version, &err);
    else if (status == PN_OK)
        status = pn_lance_tag_delete(table, name, &err);
    if (status == PN_OK && strcmp(action, "delete") != 0) {
        char tag[MAX_TAG_BYTES]; // a name of digits would be taken for a version
        (void)snprintf(tag, sizeof tag, "tag:%s", name); // cut: no tag, and told so
        status = pn_lance_find_version(table, tag, &version, &err);
    }
    if (status != PN_OK)
        return fail(&err);
    if (args->common.output == PN_OUTPUT_JSON)
        return print_document(
            strcmp(action, "delete") == 0
                ? json_pack("{s:s}", "deleted", name)
                : json_pack("{s:s, s:I}", "name", name, "version", (json_int_t)version));
    return PN_EXIT_OK;
}

int pn_cmd_table_tag(int argc, char **argv)
{
    static const struct argp_option options[] = {PN_OPTION_TABLE, PN_OPTION_JSON, {0}};
    static const struct argp argp = {
        options,
        parse,
        "ACTION [NAME [VERSION]]",
        "Give names to versions.\v"
        "  list                    the tags, and the versions they name\n"
        "  create NAME [VERSION]   a new one, for the newest version or another\n"
        "  update NAME [VERSION]   let one that is there name another version\n"
        "  delete NAME\n\n"
        "Letters, digits, '.', '-' and '_' make a tag, digits alone none. What has one is never "
        "cleaned up. One of digits that LanceDB made, 7 say, is read as tag:7.",
        NULL,
        NULL,
        NULL};
    arguments args = {.most = 3, .least = 1, .what = "what to do? list, create, update or delete"};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    const char *action = args.words[0];
    bool lists = strcmp(action, "list") == 0, deletes = strcmp(action, "delete") == 0;
    if (!lists && !deletes && strcmp(action, "create") != 0 && strcmp(action, "update") != 0)
        pn_cli_complain("\"%s\": there are list, create, update and delete", action);
    else if (lists ? args.n_words > 1 : args.n_words < 2 || (deletes && args.n_words > 2))
        pn_cli_complain("%s takes %s", action,
                        lists     ? "no name"
                        : deletes ? "the name of a tag"
                                  : "the name of a tag, and a version");
    else
        return pn_cli_finish(lists ? list_tags(&args) : change_tag(&args));
    return PN_EXIT_USAGE;
}

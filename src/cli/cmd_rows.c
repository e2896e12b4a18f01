/*
 * cmd_rows.c - pennon list, show, count, delete: rows by name and by filter
 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "os/process.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IDS = 10000, KEY_LIMIT = PN_KEY_FIRST_FREE, KEY_OFFSET, KEY_ID, KEY_VECTORS };

typedef struct arguments {
    pn_common common;
    const char *where;
    uint32_t limit;
    uint64_t offset;
    int64_t ids[MAX_IDS];
    size_t n_ids;
    bool yes, with_vectors, takes_ids;
} arguments;

#define OPTION_WHERE                                                                               \
    {                                                                                              \
        "where", 'w', "EXPR", 0, "only rows that pass the filter", 0                               \
    }
#define OPTION_VECTORS                                                                             \
    {                                                                                              \
        "with-vectors", KEY_VECTORS, NULL, 0, "print the vectors too (with --json)", 0             \
    }

static void add_id(arguments *args, const char *text, struct argp_state *state)
{
    if (args->n_ids == MAX_IDS)
        argp_error(state, "at most %d ids", MAX_IDS);
    if (!pn_str_to_i64(pn_str_of(text), &args->ids[args->n_ids++]))
        argp_error(state, "\"%s\" is not the id of a row", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case 'w':
        args->where = arg;
        return 0;
    case KEY_LIMIT:
        args->limit = (uint32_t)pn_cli_number(arg, 1, 10000, "--limit", state);
        return 0;
    case KEY_OFFSET:
        args->offset = pn_cli_number(arg, 0, UINT32_MAX, "--offset", state);
        return 0;
    case KEY_ID:
        add_id(args, arg, state);
        return 0;
    case KEY_VECTORS:
        args->with_vectors = true;
        return 0;
    case 'y':
        args->yes = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!args->takes_ids)
            argp_error(state, "\"%s\" is not an option", arg);
        add_id(args, arg, state);
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

/* Parse, open the table, run; the frame of all four commands. */
static int with_table(const struct argp *argp, int argc, char **argv, bool takes_ids,
                      int (*run)(arguments *, pn_session *))
{
    static arguments args; /* large, and there is one command a process */
    args = (arguments){.limit = 20, .takes_ids = takes_ids};
    pn_common_init(&args.common);
    argp_parse(argp, argc, argv, 0, NULL, &args);
    pn_session session = {0};
    int code = PN_EXIT_FAILURE;
    if (pn_session_begin(&session, &args.common) && pn_session_open_table(&session, &args.common))
        code = run(&args, &session);
    pn_session_end(&session);
    return pn_cli_finish(code);
}

static int fail(const pn_error *err)
{
    pn_cli_error(err);
    return PN_EXIT_FAILURE;
}

static int show(pn_results *results, const arguments *args)
{
    bool ok = pn_show_results(results, args->common.output, PN_UNRANKED);
    pn_results_free(results);
    return ok ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

static int run_list(arguments *args, pn_session *session)
{
    pn_error err = {0};
    pn_results *results;
    if (pn_table_list(session->table, args->where, args->offset, args->limit, args->with_vectors,
                      &results, &err) != PN_OK)
        return fail(&err);
    return show(results, args);
}

int pn_cmd_list(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        PN_OPTION_AT_VERSION,
        OPTION_WHERE,
        {"limit", KEY_LIMIT, "N", 0, "at most N rows (default 20)", 0},
        {"offset", KEY_OFFSET, "N", 0, "leave out the first N", 0},
        OPTION_VECTORS,
        PN_OPTION_JSON,
        PN_OPTION_TSV,
        {0}};
    static const struct argp argp = {options, parse, "",  "List rows in table order.",
                                     NULL,    NULL,  NULL};
    return with_table(&argp, argc, argv, false, run_list);
}

static int run_show(arguments *args, pn_session *session)
{
    pn_error err = {0};
    pn_results *results;
    if (args->n_ids == 0) {
        pn_cli_complain("which rows? Give their ids");
        return PN_EXIT_USAGE;
    }
    if (pn_table_get(session->table, args->ids, args->n_ids, args->with_vectors, &results, &err) !=
        PN_OK)
        return fail(&err);
    return show(results, args);
}

int pn_cmd_show(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE, PN_OPTION_AT_VERSION, OPTION_VECTORS, PN_OPTION_JSON, PN_OPTION_TSV, {0}};
    static const struct argp argp = {options, parse, "ID...", "Show rows by their ids.",
                                     NULL,    NULL,  NULL};
    return with_table(&argp, argc, argv, true, run_show);
}

static int run_count(arguments *args, pn_session *session)
{
    pn_error err = {0};
    uint64_t n;
    if (pn_table_count(session->table, args->where, &n, &err) != PN_OK)
        return fail(&err);
    printf("%" PRIu64 "\n", n);
    return PN_EXIT_OK;
}

int pn_cmd_count(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE, PN_OPTION_AT_VERSION, OPTION_WHERE, {0}};
    static const struct argp argp = {options, parse, "", "Count rows.", NULL, NULL, NULL};
    return with_table(&argp, argc, argv, false, run_count);
}

/* On a terminal a person is asked; a script must say --yes. */
static bool is_confirmed(const arguments *args, uint64_t n)
{
    char answer[16];
    if (args->yes || n == 0)
        return true;
    if (!pn_terminal_is(0)) {
        pn_cli_complain("this deletes %" PRIu64 " rows: say --yes", n);
        return false;
    }
    fprintf(stderr, "Delete %" PRIu64 " rows of %s? [y/N] ", n, args->common.table);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int run_delete(arguments *args, pn_session *session)
{
    pn_error err = {0};
    uint64_t n = args->n_ids, deleted;
    if ((args->where != NULL) == (args->n_ids > 0)) {
        pn_cli_complain("what to delete? Give either --where EXPR or --id ID");
        return PN_EXIT_USAGE;
    }
    if (args->where && pn_table_count(session->table, args->where, &n, &err) != PN_OK)
        return fail(&err);
    if (!is_confirmed(args, n))
        return PN_EXIT_FAILURE;
    pn_status status =
        args->where ? pn_table_delete_where(session->table, args->where, &deleted, &err)
                    : pn_table_delete_ids(session->table, args->ids, args->n_ids, &deleted, &err);
    if (status != PN_OK)
        return fail(&err);
    if (args->common.output == PN_OUTPUT_JSON)
        printf("{\"deleted\":%" PRIu64 "}\n", deleted);
    else
        printf("%" PRIu64 " rows deleted\n", deleted);
    return PN_EXIT_OK;
}

int pn_cmd_delete(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        OPTION_WHERE,
        {"id", KEY_ID, "ID", 0, "the row with this id; may be given often", 0},
        {"yes", 'y', NULL, 0, "do not ask", 0},
        PN_OPTION_JSON,
        {0}};
    static const struct argp argp = {options, parse, "",  "Delete rows by id or by filter.",
                                     NULL,    NULL,  NULL};
    return with_table(&argp, argc, argv, false, run_delete);
}

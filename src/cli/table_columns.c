/*
 * table_columns.c - pennon table column: columns come, go and change their names
 */
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/json_out.h"

#include <inttypes.h>
#include <string.h>

enum { KEY_VALUE = PN_KEY_FIRST_FREE, KEY_NOT_NULL, KEY_FORCE, MAX_WORDS = 256 };

typedef struct arguments {
    pn_common common;
    const char *words[MAX_WORDS]; /* the action and what it is about */
    size_t n_words;
    const char *value; /* JSON; NULL: none */
    bool is_not_null, is_forced;
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case KEY_VALUE:
        args->value = arg;
        return 0;
    case KEY_NOT_NULL:
        args->is_not_null = true;
        return 0;
    case KEY_FORCE:
        args->is_forced = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->n_words == MAX_WORDS)
            argp_error(state, "more than %d arguments", MAX_WORDS);
        else
            args->words[args->n_words++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (args->n_words == 0)
            argp_error(state, "what to do? add, drop or rename");
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

/* A type alone, or a whole column in JSON where it has parts that the type's text does not tell. */
static pn_status add(const arguments *args, uint64_t *version, pn_error *err)
{
    json_t *column = args->words[2][0] == '{'
                         ? json_loads(args->words[2], 0, NULL)
                         : json_pack("{s:o}", "type", pn_cli_json_text(args->words[2]));
    if (column &&
        (json_object_set_new(column, "name", pn_cli_json_text(args->words[1])) != 0 ||
         (args->is_not_null && json_object_set_new(column, "nullable", json_false()) != 0))) {
        json_decref(column);
        column = NULL;
    }
    char *text = column ? json_dumps(column, JSON_COMPACT) : NULL;
    json_decref(column);
    pn_status status =
        pn_lance_add_column(args->common.table, text ? text : "{", args->value, version, err);
    pn_free_foreign(text);
    return status;
}

static int run(const arguments *args,
               pn_status (*change)(const arguments *, uint64_t *, pn_error *))
{
    pn_error err = {0};
    uint64_t version;
    pn_status status = change(args, &version, &err);
    if (status != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    if (args->common.output == PN_OUTPUT_JSON)
        printf("{\"version\":%" PRIu64 "}\n", version);
    return PN_EXIT_OK;
}

static pn_status drop(const arguments *args, uint64_t *version, pn_error *err)
{
    return pn_lance_drop_columns(args->common.table, args->words + 1, args->n_words - 1,
                                 args->is_forced, version, err);
}

static pn_status change_name(const arguments *args, uint64_t *version, pn_error *err)
{
    return pn_lance_rename_column(args->common.table, args->words[1], args->words[2],
                                  args->is_forced, version, err);
}

typedef struct action {
    const char *name;
    size_t least, most; /* words, with its own */
    pn_status (*change)(const arguments *, uint64_t *, pn_error *);
    const char *takes;
} action;

static const action actions[] = {
    {"add", 3, 3, add, "a name and a type"},
    {"drop", 2, MAX_WORDS, drop, "the names of columns"},
    {"rename", 3, 3, change_name, "the old name and the new one"},
};

int pn_cmd_table_column(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE,
        {"value", KEY_VALUE, "JSON", 0, "add: what all rows have there (default: null)", 0},
        {"not-null", KEY_NOT_NULL, NULL, 0, "add: no row may ever be null there", 0},
        {"force", KEY_FORCE, NULL, 0,
         "drop, rename: also a column that an index or a search of pennon needs", 0},
        PN_OPTION_JSON,
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "ACTION NAME...",
        "Add, drop or rename a column of a table.\v"
        "  add NAME TYPE     one more, as in: add stock int32 --value 0\n"
        "  drop NAME...      their bytes go with the next compaction and clean-up\n"
        "  rename NAME NEW\n\n"
        "A type is written as \"pennon table schema\" writes it; one with parts may be a column in "
        "JSON, as that writes with --json. No data is rewritten.",
        NULL,
        NULL,
        NULL};
    arguments args = {.n_words = 0};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        const action *a = &actions[i];
        if (strcmp(a->name, args.words[0]) != 0)
            continue;
        if (args.n_words >= a->least && args.n_words <= a->most)
            return pn_cli_finish(run(&args, a->change));
        pn_cli_complain("%s takes %s", a->name, a->takes);
        return PN_EXIT_USAGE;
    }
    pn_cli_complain("\"%s\": there are add, drop and rename", args.words[0]);
    return PN_EXIT_USAGE;
}

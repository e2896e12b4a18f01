/*
 * cmd_model.c - pennon model list, info, verify, pull: models as files
 *
 * One command with a second word, because these four belong together and none is needed on an ordinary day. Options that an action
 * has no use for are refused: whoever gives --base to verify expects something that will not happen.
 */
#include "cli/cmd_model.h"

#include "base/alloc.h"
#include "cli/json_out.h"
#include "cli/term.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>

enum {
    KEY_REVISION = PN_KEY_FIRST_FREE,
    KEY_BASE,
    KEY_DIR,
    KEY_GOLDEN,
    KEY_PICTURES,
    MAX_FOLDERS = 256
};

/* ---- list */

/* The folders of the command line and of $PENNON_MODELS (with ':' between them); in one block of memory, pn_free(). */
static const char **all_folders(const pn_model_arguments *args, size_t *n, char **copy)
{
    const char *more = pn_environment("PENNON_MODELS");
    const char **folders = pn_alloc_array(MAX_FOLDERS, sizeof *folders);
    *n = 0;
    *copy = pn_strdup(more ? more : "");
    if (!folders || !*copy)
        return folders;
    for (; *n < args->n_names && *n < MAX_FOLDERS; ++*n)
        folders[*n] = args->names[*n];
    for (char *at = *copy; at && *at && *n < MAX_FOLDERS;) {
        char *colon = strchr(at, ':');
        if (colon)
            *colon = '\0';
        if (*at)
            folders[(*n)++] = at;
        at = colon ? colon + 1 : NULL;
    }
    return folders;
}

static void print_entry(const json_t *entry, unsigned width)
{
    json_int_t dim = json_integer_value(json_object_get(entry, "dim"));
    const char *family = pn_cli_json_string(entry, "family"),
               *problem = pn_cli_json_string(entry, "problem");
    pn_term_print(stdout, pn_cli_json_string(entry, "spec"), width);
    fputs("  ", stdout);
    pn_term_print(stdout, family[0] ? family : "-", 12);
    if (dim > 0)
        printf("  %5" JSON_INTEGER_FORMAT, dim);
    else
        fputs("      -", stdout);
    printf("  %9s  ",
           pn_term_bytes((uint64_t)json_integer_value(json_object_get(entry, "weights_bytes"))));
    const char *where = pn_cli_json_string(entry, "where");
    if (strcmp(where, "cache") == 0) // of a folder the name says it
        where = pn_cli_json_string(entry, "directory");
    pn_term_print_text(stdout, problem[0] ? problem : where, false);
    fputc('\n', stdout);
}

static void print_list(const json_t *all)
{
    size_t i;
    json_t *entry;
    if (json_array_size(all) == 0) {
        puts("no models; bring one with: pennon model pull OWNER/NAME");
        return;
    }
    unsigned width = 0;
    json_array_foreach(all, i, entry)
    {
        width = PN_MAX(width, pn_term_width(pn_cli_json_string(entry, "spec")));
    }
    pn_term_print(stdout, "MODEL", width);
    printf("  %-12s  %5s  %9s  %s\n", "FAMILY", "DIM", "WEIGHTS", "WHERE");
    json_array_foreach(all, i, entry)
    {
        print_entry(entry, width);
    }
}

/* What the library reported, as it is or for people. text is released. */
static int print_report(char *text, pn_output output, void (*print)(const json_t *))
{
    json_t *all = json_loads(text, 0, NULL);
    pn_memory_free(text);
    if (output == PN_OUTPUT_JSON) {
        (void)pn_cli_print_json(all, JSON_INDENT(2)); // it has told
        putchar('\n');
        return PN_EXIT_OK;
    }
    print(all);
    json_decref(all);
    return PN_EXIT_OK;
}

static int run_list(const pn_model_arguments *args)
{
    pn_error err = {0};
    char *text = NULL, *copy = NULL;
    size_t n;
    const char **folders = all_folders(args, &n, &copy);
    bool ok = folders && copy && pn_models_list_json(folders, n, &text, &err) == PN_OK;
    pn_free(copy);
    pn_free(folders);
    if (!ok) {
        if (err.status != PN_OK)
            pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    return print_report(text, args->common.output, print_list);
}

/* ---- info */

static void print_line(const char *name, const char *text)
{
    printf("%-12s", name);
    pn_term_print_text(stdout, text, false);
    fputc('\n', stdout);
}

static void print_encoder(const json_t *all, const char *name)
{
    const json_t *e = json_object_get(all, name);
    printf("%-12swidth %" PRIu64 ", %" PRIu64 " layers, %" PRIu64 " heads\n", name,
           pn_cli_json_number(e, "width"), pn_cli_json_number(e, "layers"),
           pn_cli_json_number(e, "heads"));
}

static void print_info(const json_t *all)
{
    const json_t *image = json_object_get(all, "image"), *words = json_object_get(all, "tokenizer");
    size_t i;
    json_t *file;
    print_line("model", pn_cli_json_string(all, "name"));
    print_line("directory", pn_cli_json_string(all, "directory"));
    printf("family      %s, %s layout\n", pn_cli_json_string(all, "family"),
           pn_cli_json_string(all, "layout"));
    printf("parameters  %s\n", pn_term_count(pn_cli_json_number(all, "parameters")));
    printf("weights     %s, %s\n", pn_term_bytes(pn_cli_json_number(all, "weights_bytes")),
           pn_cli_json_string(all, "weights_type"));
    printf("vectors     %" PRIu64 " floats\n", pn_cli_json_number(all, "dim"));
    printf("pictures    %" PRIu64 "x%" PRIu64 ", patches of %" PRIu64 "\n",
           pn_cli_json_number(image, "width"), pn_cli_json_number(image, "height"),
           pn_cli_json_number(image, "patch"));
    print_encoder(all, "vision");
    print_encoder(all, "text");
    print_line("activation", pn_cli_json_string(all, "activation"));
    print_line("preprocess", pn_cli_json_string(all, "preprocess"));
    printf("tokenizer   %s, %" PRIu64 " tokens, texts of at most %" PRIu64 "\n",
           pn_cli_json_string(words, "kind"), pn_cli_json_number(words, "vocabulary"),
           pn_cli_json_number(words, "context"));
    print_line("precision", pn_cli_json_string(all, "precision"));
    print_line("fingerprint", pn_cli_json_string(all, "fingerprint"));
    print_line("embedder", pn_cli_json_string(all, "identity"));
    puts("files");
    json_array_foreach(json_object_get(all, "files"), i, file)
    {
        printf("  %9s  ", pn_term_bytes(pn_cli_json_number(file, "bytes")));
        pn_term_print_text(stdout, pn_cli_json_string(file, "name"), false);
        fputc('\n', stdout);
    }
}

static int run_info(const pn_model_arguments *args, pn_session *session)
{
    pn_error err = {0};
    char *text;
    if (!pn_session_open_local_model(session, &args->common))
        return PN_EXIT_FAILURE;
    if (pn_model_describe_json(session->model, &text, &err) != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    return print_report(text, args->common.output, print_info);
}

/* ---- the command */

static const struct argp_option options[] = {
    PN_OPTION_PRECISION,
    PN_OPTION_THREADS,
    {"golden", KEY_GOLDEN, "FILE", 0,
     "verify: golden vectors (default: the model's pennon-golden.json, when it is there)", 0},
    {"pictures", KEY_PICTURES, "DIR|N", 0,
     "verify: how many pictures to generate (default 200), or a folder of your own", 0},
    {"revision", KEY_REVISION, "R", 0, "pull: branch, tag or commit (default main)", 0},
    {"base", KEY_BASE, "URL", 0, "pull: the hub (default: $HF_ENDPOINT, else the public one)", 0},
    {"dir", KEY_DIR, "DIR", 0, "pull: into this folder instead of the local hub cache", 0},
    {"quiet", 'q', NULL, 0, "no progress", 0},
    PN_OPTION_JSON,
    {0}};

typedef struct action {
    const char *name;
    const char *takes; /* keys of options that it has a use for, as letters of key_letter() */
    size_t least_names, most_names;
} action;

static const action actions[] = {
    {"list", "j", 0, MAX_FOLDERS},
    {"info", "jpt", 0, 1},
    {"verify", "jptgnq", 0, 1},
    {"pull", "jrbdq", 1, 1},
};

static const action *find_action(const char *name)
{
    for (size_t i = 0; i < PN_COUNT_OF(actions); i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    pn_model_arguments *args = state->input;
    switch (key) {
    case KEY_REVISION:
        args->revision = arg;
        return 0;
    case KEY_BASE:
        args->base = arg;
        return 0;
    case KEY_DIR:
        args->dir = arg;
        return 0;
    case KEY_GOLDEN:
        args->golden = arg;
        return 0;
    case KEY_PICTURES:
        if (arg[strspn(arg, "0123456789")] == '\0')
            args->n_pictures = (uint32_t)pn_cli_number(arg, 20, 10000, "--pictures", state);
        else
            args->pictures = arg;
        return 0;
    case PN_KEY_PRECISION:
        args->precision = arg;
        return pn_common_parse(&args->common, key, arg, state);
    case ARGP_KEY_ARGS:
        args->action = state->argv[state->next];
        args->names = (const char *const *)(state->argv + state->next + 1);
        args->n_names = (size_t)(state->argc - state->next - 1);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "what to do? list, info, verify or pull");
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

/* The option that was given and is of no use to the action; NULL: none. */
static const char *useless_option(const pn_model_arguments *args, const action *a)
{
    const struct {
        char letter;
        bool is_given;
        const char *name;
    } given[] = {{'p', args->precision != NULL, "--precision"},
                 {'t', args->common.n_threads > 0, "--threads"},
                 {'g', args->golden != NULL, "--golden"},
                 {'n', args->n_pictures > 0 || args->pictures, "--pictures"},
                 {'r', args->revision != NULL, "--revision"},
                 {'b', args->base != NULL, "--base"},
                 {'d', args->dir != NULL, "--dir"},
                 {'q', args->common.quiet, "--quiet"}};
    for (size_t i = 0; i < PN_COUNT_OF(given); i++)
        if (given[i].is_given && !strchr(a->takes, given[i].letter))
            return given[i].name;
    return NULL;
}

/* False (and a message): the command line makes no sense. */
static bool check(const pn_model_arguments *args)
{
    const action *a = find_action(args->action);
    const char *useless = a ? useless_option(args, a) : NULL;
    if (!a)
        pn_cli_complain("\"%s\": there are list, info, verify and pull", args->action);
    else if (useless)
        pn_cli_complain("pennon model %s has no use for %s", a->name, useless);
    else if (args->n_names < a->least_names)
        pn_cli_complain("which model? pennon model %s OWNER/NAME", a->name);
    else if (args->n_names > a->most_names)
        pn_cli_complain("pennon model %s takes %s", a->name,
                        a->most_names == 1 ? "one model" : "fewer folders");
    else
        return true;
    return false;
}

static int run_with_library(pn_model_arguments *args)
{
    pn_session session = {0};
    int code = PN_EXIT_FAILURE;
    if (args->n_names > 0)
        args->common.model = args->names[0];
    if (!args->common.model) {
        pn_cli_complain("which model? pennon model %s MODEL, or set PENNON_MODEL", args->action);
        return PN_EXIT_USAGE;
    }
    if (pn_session_begin(&session, &args->common))
        code = strcmp(args->action, "info") == 0
                   ? run_info(args, &session)
                   : pn_model_run_verify(args, &session, args->common.model);
    pn_session_end(&session);
    return code;
}

int pn_cmd_model(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "ACTION [MODEL...]",
        "List, describe, verify or download models.\v"
        "list [FOLDER...]  models in the local hub cache, in the folders and in $PENNON_MODELS\n"
        "info [MODEL]      what a model is\n"
        "verify [MODEL]    each precision against f32, and golden vectors\n"
        "pull OWNER/NAME   download from a hub what pennon reads of a model; $HF_TOKEN for those "
        "that want one\n",
        NULL,
        NULL,
        NULL};
    pn_model_arguments args = {0};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if (!check(&args))
        return PN_EXIT_USAGE;
    pn_process_catch_stop();
    if (strcmp(args.action, "list") == 0)
        return pn_cli_finish(run_list(&args));
    if (strcmp(args.action, "pull") == 0)
        return pn_cli_finish(pn_model_run_pull(&args));
    return pn_cli_finish(run_with_library(&args));
}

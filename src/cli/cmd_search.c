/*
 * cmd_search.c - pennon search: pictures out
 *
 * The order of options matters in one way: --weight belongs to the term before it.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cli/show.h"
#include "os/process.h"

#include <string.h>

enum {
    MAX_TERMS = 32,
    KEY_LIKE = PN_KEY_FIRST_FREE,
    KEY_VECTOR,
    KEY_NOT,
    KEY_VECTORS,
    KEY_EXACT,
    KEY_RECALL,
    KEY_EFFORT,
    KEY_REFINE
};

typedef struct arguments {
    pn_common common;
    pn_query query;
    pn_query_term terms[MAX_TERMS];
    const char *files[MAX_TERMS]; /* of picture and vector terms, read after parsing */
    pn_buffer pictures[MAX_TERMS];
    float *vectors[MAX_TERMS];
    size_t n_terms;
    char words[8192]; /* the bare words, joined */
} arguments;

static const struct argp_option options[] = {
    PN_OPTION_TABLE,
    PN_OPTION_AT_VERSION,
    PN_OPTION_MODEL,
    PN_OPTION_PRECISION,
    PN_OPTION_EXACT_DECODE,
    PN_OPTIONS_SERVER,
    {"text", 'T', "TEXT", 0, "look for TEXT (bare words do the same)", 0},
    {"image", 'i', "FILE", 0, "look for pictures like FILE (- for standard input)", 0},
    {"like", KEY_LIKE, "ID", 0, "more like the row ID", 0},
    {"vector", KEY_VECTOR, "FILE|JSON", 0, "look for a vector: a .npy file, or a JSON array", 0},
    {"not", KEY_NOT, "TEXT", 0, "away from TEXT (weight -0.5)", 0},
    {"weight", 'W', "W", 0, "weight of the term before it (default 1; negative: away from it)", 0},
    {"where", 'w', "EXPR", 0, "only rows that pass, e.g. \"metadata['category'] = 'footwear'\"", 0},
    {"count", 'k', "N", 0, "how many rows (default 10)", 0},
    {"with-vectors", KEY_VECTORS, NULL, 0, "print the rows' vectors too (with --json)", 0},
    {"min-recall", KEY_RECALL, "R", 0,
     "of the nearest rows so many at least, on average: 0.5 to 1 (default 0.95)", 0},
    {"exact", KEY_EXACT, NULL, 0, "look at every row, whatever indexes there are", 0},
    {"effort", KEY_EFFORT, "N", 0, "partitions of each index to look at, instead of --min-recall",
     0},
    {"refine", KEY_REFINE, "N", 0, "look for N times as many rows, and print the nearest", 0},
    PN_OPTION_INDEX_CACHE,
    PN_OPTION_THREADS,
    PN_OPTION_JSON,
    PN_OPTION_TSV,
    {0}};

static pn_query_term *add_term(arguments *args, pn_term_kind kind, struct argp_state *state)
{
    if (args->n_terms == MAX_TERMS)
        argp_error(state, "at most %d things to look for", MAX_TERMS);
    pn_query_term *term = &args->terms[args->n_terms++];
    *term = (pn_query_term)PN_QUERY_TERM_INIT;
    term->kind = kind;
    return term;
}

static void add_word(arguments *args, const char *word, struct argp_state *state)
{
    size_t used = strlen(args->words);
    int n =
        snprintf(args->words + used, sizeof args->words - used, "%s%s", used > 0 ? " " : "", word);
    if (n < 0 || (size_t)n >= sizeof args->words - used)
        argp_error(state, "too many words");
}

static void add_id(arguments *args, const char *text, struct argp_state *state)
{
    pn_query_term *term = add_term(args, PN_TERM_ID, state);
    if (!pn_str_to_i64(pn_str_of(text), &term->id))
        argp_error(state, "--like \"%s\": the id of a row is needed", text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case 'T':
        add_term(args, PN_TERM_TEXT, state)->text = arg;
        return 0;
    case 'i':
        add_term(args, PN_TERM_IMAGE, state)->image_name = arg;
        args->files[args->n_terms - 1] = arg;
        return 0;
    case KEY_LIKE:
        add_id(args, arg, state);
        return 0;
    case KEY_VECTOR:
        (void)add_term(args, PN_TERM_VECTOR, state); // its values are read after parsing
        args->files[args->n_terms - 1] = arg;
        return 0;
    case KEY_NOT:
        add_term(args, PN_TERM_TEXT, state)->text = arg;
        args->terms[args->n_terms - 1].weight = -0.5;
        return 0;
    case 'W':
        if (args->n_terms == 0)
            argp_error(state, "--weight stands behind the term it belongs to");
        args->terms[args->n_terms - 1].weight = pn_cli_double(arg, "--weight", state);
        return 0;
    case 'w':
        args->query.where = arg;
        return 0;
    case 'k':
        args->query.k = (uint32_t)pn_cli_number(arg, 1, 10000, "-k", state);
        return 0;
    case KEY_EXACT:
        args->query.exact = 1;
        return 0;
    case KEY_RECALL:
        args->query.min_recall = pn_cli_double(arg, "--min-recall", state);
        if (!(args->query.min_recall >= 0.5 && args->query.min_recall <= 1))
            argp_error(state, "--min-recall \"%s\": from 0.5 to 1", arg);
        return 0;
    case KEY_EFFORT:
        args->query.effort = (uint32_t)pn_cli_number(arg, 1, 1u << 20, "--effort", state);
        return 0;
    case KEY_REFINE:
        args->query.refine = (uint32_t)pn_cli_number(arg, 1, 100, "--refine", state);
        return 0;
    case ARGP_KEY_INIT:
        pn_common_take_index_cache(&args->common, state);
        return 0;
    case KEY_VECTORS:
        args->query.include_vectors = 1;
        return 0;
    case ARGP_KEY_ARG:
        add_word(args, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (args->words[0] != '\0')
            add_term(args, PN_TERM_TEXT, state)->text = args->words;
        if (args->n_terms == 0)
            argp_error(state,
                       "what to look for? Give words, --image FILE, --like ID or --vector FILE");
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static bool read_files(arguments *args)
{
    for (size_t i = 0; i < args->n_terms; i++) {
        pn_query_term *term = &args->terms[i];
        if (term->kind == PN_TERM_IMAGE) {
            if (!pn_cli_read_picture(args->files[i], &args->pictures[i]))
                return false;
            term->image = args->pictures[i].data ? args->pictures[i].data : (const uint8_t *)"";
            term->image_bytes = args->pictures[i].n_bytes;
        } else if (term->kind == PN_TERM_VECTOR) {
            if (!pn_cli_read_vector(args->files[i], &args->vectors[i], &term->vector_dim))
                return false;
            term->vector = args->vectors[i];
        }
    }
    return true;
}

static bool needs_model(const arguments *args)
{
    for (size_t i = 0; i < args->n_terms; i++)
        if (args->terms[i].kind == PN_TERM_TEXT || args->terms[i].kind == PN_TERM_IMAGE)
            return true;
    return false;
}

static int run(arguments *args, pn_session *session)
{
    pn_error err = {0};
    pn_results *results = NULL;
    if (!read_files(args) || !pn_session_begin(session, &args->common) ||
        !pn_session_open_table(session, &args->common) ||
        !pn_session_set_table(session, &args->common))
        return PN_EXIT_FAILURE;
    if (needs_model(args) && !pn_session_open_table_model(session, &args->common))
        return PN_EXIT_FAILURE;
    args->query.terms = args->terms;
    args->query.n_terms = args->n_terms;
    if (pn_table_search(session->table, session->model, &args->query, &results, &err) != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    bool ok = pn_show_results(results, args->common.output, PN_RANKED);
    pn_results_free(results);
    return ok ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

int pn_cmd_search(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "[WORDS...]",
        "Find pictures by words, by picture, or by a mixture.\v"
        "Examples:\n"
        "  pennon search red sneakers\n"
        "  pennon search --text \"red sneakers\" --weight 0.7 --image shoe.jpg --weight 0.3 --not "
        "leather\n"
        "  pennon search boots --where \"metadata['colour'] = 'black'\" -k 5 --json",
        NULL,
        NULL,
        NULL};
    arguments args = {.query = PN_QUERY_INIT};
    pn_common_init(&args.common);
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    pn_session session = {0};
    int code = run(&args, &session);
    pn_session_end(&session);
    for (size_t i = 0; i < args.n_terms; i++) {
        pn_buffer_reset(&args.pictures[i]);
        pn_free(args.vectors[i]);
    }
    return pn_cli_finish(code);
}

/*
 * cmd_embed.c - pennon embed, tokenize, preprocess: three doors for people who want to check us
 *
 * What goes in is what a user has, what comes out is what a reference implementation can be compared with.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cli/json_out.h"
#include "os/fd.h"

#include <string.h>

enum { MAX_INPUTS = 4096, KEY_MODE = PN_KEY_FIRST_FREE };

typedef struct input {
    bool is_image;
    const char *text;
} input;

typedef struct arguments {
    pn_common common;
    input inputs[MAX_INPUTS];
    size_t n_inputs;
    const char *file, *out;
} arguments;

static void print_embedding(const input *in, const float *vector, uint32_t dim)
{
    char number[PN_NUMBER_TEXT_BYTES];
    printf("{\"kind\":\"%s\",\"input\":", in->is_image ? "image" : "text");
    if (!pn_cli_print_json(pn_cli_json_text(in->text), 0))
        fputs("null", stdout);
    fputs(",\"embedding\":[", stdout);
    for (uint32_t i = 0; i < dim; i++) {
        pn_format_float(vector[i], number);
        printf("%s%s", i > 0 ? "," : "", number);
    }
    fputs("]}\n", stdout);
    (void)fflush(stdout); // it may be long till the next one; asked once, at the end
}

static bool embed_one(pn_model *model, const input *in, float *vector)
{
    pn_error err = {0};
    if (!in->is_image) {
        if (pn_model_embed_text(model, in->text, vector, &err) == PN_OK)
            return true;
        pn_cli_error(&err);
        return false;
    }
    pn_buffer bytes;
    bool ok = pn_cli_read_picture(in->text, &bytes);
    if (ok && pn_model_embed_image(model, bytes.data ? bytes.data : (const uint8_t *)"",
                                   bytes.n_bytes, in->text, vector, &err) != PN_OK) {
        pn_cli_error(&err);
        ok = false;
    }
    pn_buffer_reset(&bytes);
    return ok;
}

static int run_embed(arguments *args, pn_session *session)
{
    pn_model_info info;
    pn_model_get_info(session->model, &info);
    float *vector = pn_alloc_array(info.dim, sizeof *vector);
    int code = vector ? PN_EXIT_OK : PN_EXIT_FAILURE;
    for (size_t i = 0; vector && !ferror(stdout) && i < args->n_inputs; i++) {
        if (embed_one(session->model, &args->inputs[i], vector))
            print_embedding(&args->inputs[i], vector, info.dim);
        else
            code = PN_EXIT_FAILURE; // the others are still worth having
    }
    pn_free(vector);
    return code;
}

static bool tokenize_line(pn_model *model, const char *line, size_t n, size_t number, uint32_t *ids,
                          size_t max_ids)
{
    json_error_t fault;
    pn_error err = {0};
    size_t n_ids;
    json_t *text = json_loadb(line, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
    bool ok = json_is_string(text);
    if (!ok)
        pn_cli_complain("line %zu: %s", number, text ? "not a JSON string" : fault.text);
    if (ok && pn_model_tokenize(model, json_string_value(text), json_string_length(text), ids,
                                max_ids, &n_ids, &err) != PN_OK) {
        pn_cli_complain("line %zu: %s", number, err.message);
        ok = false;
    }
    json_decref(text);
    if (!ok)
        return false;
    fputc('[', stdout);
    for (size_t i = 0; i < n_ids; i++)
        printf("%s%u", i > 0 ? "," : "", ids[i]);
    fputs("]\n", stdout);
    return true;
}

/* One line at a time, so that a pipe gets its answers as it asks. */
static int run_tokenize(arguments *args, pn_session *session)
{
    (void)args;
    pn_model_info info;
    pn_model_get_info(session->model, &info);
    uint32_t *ids = pn_alloc_array(info.context, sizeof *ids);
    pn_buffer line;
    pn_error err = {0};
    // escapes take up to six bytes a character
    pn_buffer_init(&line, 8 * (size_t)PN_TEXT_MAX_BYTES);
    bool ok = ids != NULL;
    size_t number = 0;
    for (int c = getchar(); ok && c != EOF; c = getchar()) {
        uint8_t byte = (uint8_t)c;
        if (c != '\n') {
            ok = pn_buffer_append(&line, &byte, 1, &err) == PN_OK;
            if (!ok)
                pn_cli_complain("line %zu: %s", number + 1, err.message);
            continue;
        }
        ok = tokenize_line(session->model, (const char *)line.data, line.n_bytes, ++number, ids,
                           info.context);
        pn_buffer_clear(&line);
        (void)fflush(stdout); // asked once, at the end
    }
    if (ok && line.n_bytes > 0)
        ok = tokenize_line(session->model, (const char *)line.data, line.n_bytes, number + 1, ids,
                           info.context);
    pn_buffer_reset(&line);
    pn_free(ids);
    return ok ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

static int run_preprocess(arguments *args, pn_session *session)
{
    pn_error err = {0};
    pn_model_info info;
    pn_buffer bytes;
    pn_model_get_info(session->model, &info);
    const uint64_t shape[] = {3, info.image_height, info.image_width};
    float *tensor = pn_alloc_array((size_t)(shape[0] * shape[1] * shape[2]), sizeof *tensor);
    bool ok = pn_cli_read_picture(args->file, &bytes) && tensor;
    if (ok && pn_model_preprocess(session->model, bytes.data ? bytes.data : (const uint8_t *)"",
                                  bytes.n_bytes, args->file, tensor, &err) != PN_OK) {
        pn_cli_error(&err);
        ok = false;
    }
    ok = ok && pn_cli_write_npy(args->out, tensor, shape, 3);
    pn_buffer_reset(&bytes);
    pn_free(tensor);
    return ok ? PN_EXIT_OK : PN_EXIT_FAILURE;
}

static void add_input(arguments *args, bool is_image, const char *text, struct argp_state *state)
{
    if (args->n_inputs == MAX_INPUTS)
        argp_error(state, "at most %d inputs", MAX_INPUTS);
    args->inputs[args->n_inputs++] = (input){is_image, text};
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case 'T':
        add_input(args, false, arg, state);
        return 0;
    case 'i':
        add_input(args, true, arg, state);
        return 0;
    case 'o':
        args->out = arg;
        return 0;
    case KEY_MODE:
        return pn_common_parse(&args->common, PN_KEY_PREPROCESS, arg, state);
    case ARGP_KEY_ARG:
        if (args->file)
            argp_error(state, "one picture at a time");
        args->file = arg;
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static int with_model(const struct argp *argp, int argc, char **argv,
                      bool (*is_complete)(const arguments *),
                      bool (*open)(pn_session *, const pn_common *),
                      int (*run)(arguments *, pn_session *))
{
    static arguments args; /* large, and there is one command a process */
    args = (arguments){0};
    pn_common_init(&args.common);
    args.common.exact_decode = true; /* these commands are for comparing */
    argp_parse(argp, argc, argv, 0, NULL, &args);
    if (!is_complete(&args))
        return PN_EXIT_USAGE;
    pn_session session = {0};
    int code = PN_EXIT_FAILURE;
    if (pn_session_begin(&session, &args.common) && open(&session, &args.common))
        code = run(&args, &session);
    pn_session_end(&session);
    return pn_cli_finish(code);
}

static bool no_file(const arguments *args)
{
    if (args->file)
        pn_cli_complain("\"%s\" is not an option", args->file);
    return !args->file;
}

static bool has_inputs(const arguments *args)
{
    if (args->n_inputs == 0)
        pn_cli_complain("what to embed? Give --text TEXT or --image FILE");
    return args->n_inputs > 0 && no_file(args);
}

static bool has_file_and_out(const arguments *args)
{
    if (!args->file || !args->out)
        pn_cli_complain("give a picture and -o OUT.npy");
    return args->file && args->out;
}

int pn_cmd_embed(int argc, char **argv)
{
    static const struct argp_option options[] = {PN_OPTION_MODEL,
                                                 PN_OPTION_PREPROCESS,
                                                 PN_OPTION_PRECISION,
                                                 PN_OPTIONS_SERVER,
                                                 {"text", 'T', "TEXT", 0, "embed TEXT", 0},
                                                 {"image", 'i', "FILE", 0, "embed a picture", 0},
                                                 PN_OPTION_THREADS,
                                                 PN_OPTION_JSON,
                                                 {0}};
    static const struct argp argp = {
        options,
        parse,
        "",
        "Print the vectors of texts and pictures, one JSON object a line, in the order given.",
        NULL,
        NULL,
        NULL};
    return with_model(&argp, argc, argv, has_inputs, pn_session_open_model, run_embed);
}

int pn_cmd_tokenize(int argc, char **argv)
{
    static const struct argp_option options[] = {PN_OPTION_MODEL, PN_OPTION_JSON, {0}};
    static const struct argp argp = {
        options,
        parse,
        "",
        "Turn texts into token ids: JSON strings on standard input, one a line; arrays out.",
        NULL,
        NULL,
        NULL};
    return with_model(&argp, argc, argv, no_file, pn_session_open_local_model, run_tokenize);
}

int pn_cmd_preprocess(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_MODEL,
        {"mode", KEY_MODE, "MODE", 0, "crop, pad or squash (default: the model's own)", 0},
        {"output", 'o', "OUT.npy", 0,
         "where the float32 [3][H][W] tensor goes (- for standard output)", 0},
        {0}};
    static const struct argp argp = {
        options, parse, "PICTURE", "Write the tensor that a picture becomes.", NULL, NULL, NULL};
    return with_model(&argp, argc, argv, has_file_and_out, pn_session_open_local_model,
                      run_preprocess);
}

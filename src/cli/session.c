/*
 * session.c - common options, and the library, table and model behind a command
 *
 * A table knows which model it was made with, so searching needs no --model: the recorded name is opened and its fingerprint
 * compared. Ingesting into a new table is the one moment when a model must be named.
 */
#include "cli/cli.h"

#include "base/str.h"
#include "cli/term.h"
#include "os/process.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void pn_common_init(pn_common *common)
{
    const char *table = pn_environment("PENNON_TABLE");
    *common = (pn_common){.table = table ? table : "pennon.lance",
                          .model = pn_environment("PENNON_MODEL"),
                          .precision = pn_environment("PENNON_PRECISION")};
}

unsigned long pn_cli_number(const char *text, unsigned long least, unsigned long most,
                            const char *what, struct argp_state *state)
{
    uint64_t value;
    if (!pn_str_to_u64(pn_str_of(text), &value) || value < least || value > most)
        argp_error(state, "%s \"%s\": a whole number from %lu to %lu is needed", what, text, least,
                   most);
    return (unsigned long)value;
}

double pn_cli_double(const char *text, const char *what, struct argp_state *state)
{
    double value;
    if (!pn_str_to_double(pn_str_of(text), &value))
        argp_error(state, "%s \"%s\": a number is needed", what, text);
    return value;
}

error_t pn_common_parse(pn_common *common, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 't':
        common->table = arg;
        return 0;
    case 'm':
        common->model = arg;
        return 0;
    case PN_KEY_PREPROCESS:
        if (strcmp(arg, "crop") != 0 && strcmp(arg, "pad") != 0 && strcmp(arg, "squash") != 0)
            argp_error(state, "--preprocess \"%s\": there are crop, pad and squash", arg);
        common->preprocess = arg;
        return 0;
    case PN_KEY_EXACT_DECODE:
        common->exact_decode = true;
        return 0;
    case PN_KEY_PRECISION:
        common->precision = arg;
        return 0;
    case PN_KEY_THREADS:
        common->n_threads = (unsigned)pn_cli_number(arg, 1, 256, "--threads", state);
        return 0;
    case PN_KEY_AT_VERSION:
        common->at_version = pn_cli_number(arg, 1, INT64_MAX, "--at-version", state);
        return 0;
    case PN_KEY_JSON:
        common->output = PN_OUTPUT_JSON;
        return 0;
    case PN_KEY_TSV:
        common->output = PN_OUTPUT_TSV;
        return 0;
    case 'q':
        common->quiet = true;
        return 0;
    case 'v':
        common->verbose = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void pn_cli_error(const pn_error *err)
{
    fputs("pennon: ", stderr);
    pn_term_print_text(stderr, err->message, true);
    fputc('\n', stderr);
}

void pn_cli_complain(const char *format, ...)
{
    char message[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); // a longer one is cut
    va_end(args);
    fputs("pennon: ", stderr);
    pn_term_print_text(stderr, message, true);
    fputc('\n', stderr);
}

int pn_cli_finish(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        pn_cli_complain("standard output could not be written");
        return code == PN_EXIT_OK ? PN_EXIT_FAILURE : code;
    }
    return code;
}

static void print_log(void *context, int level, const char *message)
{
    (void)context;
    if (level >= 2)
        pn_cli_complain("%s", message);
}

bool pn_session_begin(pn_session *session, const pn_common *common)
{
    pn_error err = {0};
    pn_library_options options = PN_LIBRARY_OPTIONS_INIT;
    options.n_threads = common->n_threads;
    options.log = print_log;
    if (pn_library_open(&options, &session->library, &err) == PN_OK)
        return true;
    pn_cli_error(&err);
    return false;
}

static bool open_model(pn_session *session, const pn_common *common, const char *name,
                       const char *preprocess)
{
    pn_error err = {0};
    pn_model_options options = PN_MODEL_OPTIONS_INIT;
    options.preprocess = common->preprocess ? common->preprocess : preprocess;
    options.precision = common->precision;
    options.exact_decode = common->exact_decode;
    if (pn_model_open(session->library, name, &options, &session->model, &err) == PN_OK)
        return true;
    pn_cli_error(&err);
    return false;
}

bool pn_session_open_model(pn_session *session, const pn_common *common)
{
    if (common->model)
        return open_model(session, common, common->model, NULL);
    pn_cli_complain("which model? Name one with --model DIR, or set PENNON_MODEL");
    return false;
}

bool pn_session_open_table(pn_session *session, const pn_common *common)
{
    pn_error err = {0};
    pn_status status = common->at_version > 0
                           ? pn_table_open_version(session->library, common->table,
                                                   common->at_version, &session->table, &err)
                           : pn_table_open(session->library, common->table, &session->table, &err);
    if (status == PN_OK)
        return true;
    pn_cli_error(&err);
    if (status == PN_ERR_NOT_FOUND && common->at_version == 0)
        pn_cli_complain("make it with: pennon ingest FOLDER --table %s --model MODEL",
                        common->table);
    return false;
}

bool pn_session_open_table_model(pn_session *session, const pn_common *common)
{
    pn_error err = {0};
    pn_table_info info;
    if (pn_table_get_info(session->table, &info, &err) != PN_OK) {
        pn_cli_error(&err);
        return false;
    }
    const char *name = common->model ? common->model : info.model;
    if (name[0] == '\0') {
        pn_cli_complain("%s does not say which model it was made with: name it with --model",
                        common->table);
        return false;
    }
    if (!open_model(session, common, name, info.preprocess[0] ? info.preprocess : NULL))
        return false;
    if (pn_table_check_model(session->table, session->model, &err) == PN_OK)
        return true;
    pn_cli_error(&err);
    return false;
}

void pn_session_end(pn_session *session)
{
    pn_table_close(session->table);
    pn_model_close(session->model);
    pn_library_close(session->library);
    *session = (pn_session){0};
}

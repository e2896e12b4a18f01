/*
 * session.c - common options, and the library, table and model behind a command
 *
 * A table knows which model it was made with, so searching needs no --model: the recorded name is opened and its fingerprint
 * compared. Ingesting into a new table is the one moment when a model must be named.
 */
#include "cli/cli.h"

#include "base/buffer.h"
#include "base/str.h"
#include "cli/term.h"
#include "os/fd.h"
#include "os/process.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEY_FILE_BYTES = 4096 };

void pn_common_init(pn_common *common)
{
    const char *table = pn_environment("PENNON_TABLE");
    *common = (pn_common){.table = table ? table : "pennon.lance",
                          .model = pn_environment("PENNON_MODEL"),
                          .precision = pn_environment("PENNON_PRECISION"),
                          .model_url = pn_environment("PENNON_MODEL_URL"),
                          .compaction_mb = 1024};
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

static double number_up_to(const char *text, double most, const char *unit, const char *what,
                           struct argp_state *state)
{
    double value = pn_cli_double(text, what, state);
    if (!(value >= 0 && value <= most))
        argp_error(state, "%s \"%s\": 0 to %.0f %s", what, text, most, unit);
    return value;
}

/* Of PN_OPTIONS_UPKEEP and PN_OPTION_INDEX_CACHE. */
static error_t parse_table_setting(pn_common *common, int key, const char *arg,
                                   struct argp_state *state)
{
    switch (key) {
    case PN_KEY_COMPACTION:
        common->compaction_mb = number_up_to(arg, 1048576, "MB", "--compaction-size", state);
        return 0;
    case PN_KEY_RETENTION:
        common->retention_days = number_up_to(arg, 36500, "days", "--version-retention", state);
        return 0;
    case PN_KEY_INDEX_CACHE:
        common->index_cache_gb = number_up_to(arg, 1048576, "GB", "--index-cache-size", state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void take_variable(pn_common *common, const char *value, int key, struct argp_state *state)
{
    char text[64];
    if (!value)
        return;
    state->name = state->argv[0];                        // argp has not set it yet
    (void)snprintf(text, sizeof text, "%s", value);      // a longer one is no number
    (void)parse_table_setting(common, key, text, state); // it is a key of it
}

void pn_common_take_upkeep(pn_common *common, struct argp_state *state)
{
    take_variable(common, pn_environment("PENNON_COMPACTION_SIZE"), PN_KEY_COMPACTION, state);
    take_variable(common, pn_environment("PENNON_VERSION_RETENTION"), PN_KEY_RETENTION, state);
}

void pn_common_take_index_cache(pn_common *common, struct argp_state *state)
{
    take_variable(common, pn_environment("PENNON_INDEX_CACHE_SIZE"), PN_KEY_INDEX_CACHE, state);
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
    case PN_KEY_MODEL_URL:
        common->model_url = arg;
        return 0;
    case PN_KEY_API_KEY_FILE:
        common->api_key_file = arg;
        return 0;
    case PN_KEY_API_KEY:
        argp_error(state, "a key on a command line is no secret: put it into $PENNON_API_KEY, or "
                          "into a file for --api-key-file");
        return 0;
    case PN_KEY_ALLOW_HTTP:
        common->allow_http = true;
        return 0;
    case PN_KEY_MODEL_REQUESTS:
        common->n_requests = (unsigned)pn_cli_number(arg, 1, 32, "--model-requests", state);
        return 0;
    case PN_KEY_MODEL_TIMEOUT:
        common->timeout_s = (unsigned)pn_cli_number(arg, 1, 3600, "--model-timeout", state);
        return 0;
    case PN_KEY_THREADS:
        common->n_threads = (unsigned)pn_cli_number(arg, 1, 256, "--threads", state);
        return 0;
    case PN_KEY_AT_VERSION:
        if (arg[0] >= '0' && arg[0] <= '9' && arg[strspn(arg, "0123456789")] == '\0')
            common->at_version = pn_cli_number(arg, 1, INT64_MAX, "version", state);
        else
            common->at_tag = arg;
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
        return parse_table_setting(common, key, arg, state);
    }
}

bool pn_cli_find_version(pn_common *common)
{
    pn_error err = {0};
    uint64_t version;
    if (!common->at_tag)
        return true;
    if (pn_lance_find_version(common->table, common->at_tag, &version, &err) != PN_OK) {
        pn_cli_error(&err);
        return false;
    }
    common->at_version = version;
    common->at_tag = NULL;
    return true;
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

static bool is_server_model(const char *name)
{
    return pn_str_starts_with(pn_str_of(name), "roboflow:");
}

static int is_stopped(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

/* The key of a server, in buffer; NULL: there is none. False: it was named, and cannot be read. */
static bool find_api_key(const pn_common *common, pn_buffer *buffer, const char **out)
{
    pn_error err = {0};
    const char *own = pn_environment("PENNON_API_KEY");
    *out = own ? own : pn_environment("ROBOFLOW_API_KEY");
    if (!common->api_key_file)
        return true;
    char *text = NULL;
    if (pn_file_read(common->api_key_file, buffer, &err) != PN_OK)
        pn_cli_error(&err);
    else
        text = pn_buffer_text(buffer);
    pn_str key = pn_str_trim(pn_str_of(text));
    if (!text)
        return false;
    if (key.len == 0) {
        pn_cli_complain("%s: there is no API key in it", common->api_key_file);
        return false;
    }
    text[(key.ptr - text) + key.len] = '\0';
    *out = key.ptr;
    return true;
}

/* dim: of the table it is for; 0: there is none. */
static bool open_model(pn_session *session, const pn_common *common, const char *name,
                       const char *preprocess, uint32_t dim)
{
    pn_error err = {0};
    pn_buffer key;
    pn_model_options options = PN_MODEL_OPTIONS_INIT;
    options.preprocess = common->preprocess ? common->preprocess : preprocess;
    options.precision = common->precision;
    options.exact_decode = common->exact_decode;
    options.url = common->model_url;
    options.allow_http = common->allow_http;
    options.n_requests = common->n_requests;
    options.deadline_ms = common->timeout_s * 1000;
    options.dim = dim;
    options.cancelled = is_stopped;
    pn_buffer_init(&key, MAX_KEY_FILE_BYTES);
    bool ok = !is_server_model(name) || find_api_key(common, &key, &options.api_key);
    if (ok && pn_model_open(session->library, name, &options, &session->model, &err) != PN_OK) {
        pn_cli_error(&err);
        ok = false;
    }
    pn_buffer_reset(&key);
    return ok;
}

bool pn_session_open_model(pn_session *session, const pn_common *common)
{
    if (common->model)
        return open_model(session, common, common->model, NULL, 0);
    pn_cli_complain("which model? Name one with --model DIR, or set PENNON_MODEL");
    return false;
}

bool pn_session_open_local_model(pn_session *session, const pn_common *common)
{
    if (!common->model || !is_server_model(common->model))
        return pn_session_open_model(session, common);
    pn_cli_complain("%s is computed by a server: what is inside of it is not seen from here",
                    common->model);
    return false;
}

bool pn_session_open_table(pn_session *session, const pn_common *common)
{
    pn_error err = {0};
    pn_common at = *common;
    if (!pn_cli_find_version(&at))
        return false;
    pn_status status = at.at_version > 0
                           ? pn_table_open_version(session->library, common->table, at.at_version,
                                                   &session->table, &err)
                           : pn_table_open(session->library, common->table, &session->table, &err);
    if (status == PN_OK)
        return true;
    pn_cli_error(&err);
    if (status == PN_ERR_NOT_FOUND && at.at_version == 0)
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
    const char *mode = info.preprocess[0] ? info.preprocess : NULL;
    if (mode && (strcmp(mode, "server") == 0) != is_server_model(name))
        mode = NULL; // the table was made with a model of the other kind, which is told below
    if (!open_model(session, common, name, mode, info.dim))
        return false;
    if (pn_table_check_model(session->table, session->model, &err) == PN_OK)
        return true;
    pn_cli_error(&err);
    return false;
}

bool pn_session_set_table(const pn_session *session, const pn_common *common)
{
    pn_error err = {0};
    if (pn_table_set_compaction_size(session->table, common->compaction_mb, &err) == PN_OK &&
        pn_table_set_index_cache_size(session->table, common->index_cache_gb, &err) == PN_OK)
        return true;
    pn_cli_error(&err);
    return false;
}

void pn_session_keep_up(const pn_session *session, const pn_common *common)
{
    pn_error err = {0};
    pn_upkeep_options due = PN_UPKEEP_OPTIONS_INIT;
    due.retention_days = common->retention_days;
    due.cancelled = is_stopped;
    pn_status status = pn_table_upkeep(session->table, &due, NULL, &err);
    if (status != PN_OK && status != PN_ERR_CANCELLED)
        pn_cli_complain("no upkeep: %s", err.message);
}

void pn_session_end(pn_session *session)
{
    pn_table_close(session->table);
    pn_model_close(session->model);
    pn_library_close(session->library);
    *session = (pn_session){0};
}

/*
 * cmd_serve.c - pennon serve: the page and the REST interface
 */
#include "serve/serve.h"

#include "cli/cli.h"
#include "cli/term.h"
#include "os/process.h"

#include <stdio.h>

typedef struct arguments {
    pn_common common;
    pn_serve_options options;
    const pn_session *session;
    double consistency_s;
} arguments;

enum {
    KEY_HOST = PN_KEY_FIRST_FREE,
    KEY_READ_ONLY,
    KEY_INGEST_ROOT,
    KEY_MAX_BODY,
    KEY_TOKEN,
    KEY_CONNECTIONS,
    KEY_TIMEOUT,
    KEY_DRAIN,
    KEY_LOG_JSON,
    KEY_NO_INDEX,
    KEY_CONSISTENCY
};

static const struct argp_option options[] = {
    PN_OPTION_TABLE,
    PN_OPTION_MODEL,
    PN_OPTION_PRECISION,
    PN_OPTION_EXACT_DECODE,
    PN_OPTIONS_SERVER,
    {"host", KEY_HOST, "ADDRESS", 0, "address to listen on (default 127.0.0.1: this machine only)",
     0},
    {"port", 'p', "N", 0, "port (default 8000; 0: any free one)", 0},
    {"read-only", KEY_READ_ONLY, NULL, 0, "refuse /ingest and DELETE", 0},
    {"no-index", KEY_NO_INDEX, NULL, 0, "build no indexes in the background", 0},
    {"ingest-root", KEY_INGEST_ROOT, "DIR", 0, "let /ingest read files of this machine below DIR",
     0},
    {"token", KEY_TOKEN, "TEXT", 0,
     "/ingest and DELETE need \"Authorization: Bearer TEXT\" (default: $PENNON_TOKEN)", 0},
    {"max-body", KEY_MAX_BODY, "MB", 0, "largest request (default 32)", 0},
    {"max-connections", KEY_CONNECTIONS, "N", 0, "open connections at the same time (default 256)",
     0},
    {"timeout", KEY_TIMEOUT, "S", 0,
     "seconds that a client gets to send or to take something (default 30)", 0},
    {"drain", KEY_DRAIN, "S", 0, "seconds that running requests get at the end (default 10)", 0},
    {"read-consistency-interval", KEY_CONSISTENCY, "S", 0,
     "seconds that an answer may be older than what other programs commit (default 0: always the "
     "newest version)",
     0},
    PN_OPTIONS_UPKEEP("7"),
    PN_OPTION_INDEX_CACHE,
    PN_OPTION_THREADS,
    {"verbose", 'v', NULL, 0, "log every request on standard error", 0},
    {"log-json", KEY_LOG_JSON, NULL, 0, "the same as JSON lines", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *args = state->input;
    pn_serve_options *serve = &args->options;
    switch (key) {
    case KEY_HOST:
        serve->listen_address = arg;
        return 0;
    case 'p':
        serve->port = (uint16_t)pn_cli_number(arg, 0, 65535, "--port", state);
        return 0;
    case KEY_READ_ONLY:
        serve->read_only = true;
        return 0;
    case KEY_NO_INDEX:
        serve->no_index = true;
        return 0;
    case KEY_INGEST_ROOT:
        serve->ingest_root = arg;
        return 0;
    case KEY_TOKEN:
        if (arg[0] == '\0')
            argp_error(state, "--token \"\": an empty token keeps nobody out");
        serve->auth_token = arg;
        return 0;
    case KEY_MAX_BODY:
        serve->max_body_bytes = (uint64_t)pn_cli_number(arg, 1, 1024, "--max-body", state) << 20;
        return 0;
    case KEY_CONNECTIONS:
        serve->max_connections =
            (unsigned)pn_cli_number(arg, 1, PN_SERVE_CONNECTIONS_MAX, "--max-connections", state);
        return 0;
    case KEY_TIMEOUT:
        serve->request_timeout_s =
            (unsigned)pn_cli_number(arg, 1, PN_SERVE_REQUEST_TIMEOUT_MAX, "--timeout", state);
        return 0;
    case KEY_DRAIN:
        serve->drain_timeout_s = (unsigned)pn_cli_number(arg, 0, 3600, "--drain", state);
        return 0;
    case KEY_CONSISTENCY:
        args->consistency_s = pn_cli_double(arg, "--read-consistency-interval", state);
        if (!(args->consistency_s >= 0 && args->consistency_s <= 86400))
            argp_error(state, "--read-consistency-interval \"%s\": 0 to 86400 seconds", arg);
        return 0;
    case ARGP_KEY_INIT:
        pn_common_take_upkeep(&args->common, state);
        pn_common_take_index_cache(&args->common, state);
        return 0;
    case KEY_LOG_JSON:
        serve->access_log = PN_ACCESS_LOG_JSON;
        return 0;
    case 'v':
        serve->access_log = PN_ACCESS_LOG_TEXT;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is not an option", arg);
        return 0;
    default:
        return pn_common_parse(&args->common, key, arg, state);
    }
}

static void on_ready(void *context, const char *url)
{
    const arguments *args = context;
    pn_error err = {0};
    pn_table_info info = {0};
    if (pn_table_get_info(args->session->table, &info, &err) != PN_OK)
        pn_cli_error(&err);
    printf("pennon %s serves %s (%s pictures) at %s\n", pn_version(), args->common.table,
           pn_term_count(info.n_rows), url);
    (void)fflush(stdout); // serving does not depend on who reads this line
}

static void on_log(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "%s\n", line);
}

static int run(arguments *args, pn_session *session)
{
    pn_error err = {0};
    if (!pn_session_begin(session, &args->common) ||
        !pn_session_open_table(session, &args->common) ||
        !pn_session_open_table_model(session, &args->common))
        return PN_EXIT_FAILURE;
    if (pn_table_set_read_consistency_interval(session->table, args->consistency_s, &err) !=
        PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    if (!pn_session_set_table(session, &args->common))
        return PN_EXIT_FAILURE;
    args->options.retention_days = args->common.retention_days;
    args->session = session;
    args->options.ready = on_ready;
    args->options.log = on_log;
    args->options.context = args;
    args->options.n_threads = args->common.n_threads;
    if (pn_serve_run(session->library, session->table, session->model, &args->options,
                     pn_process_stop_flag(), &err) == PN_OK)
        return PN_EXIT_OK;
    pn_cli_error(&err);
    return PN_EXIT_FAILURE;
}

int pn_cmd_serve(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "",
        "Serve the search page and the REST interface.\v"
        "Ends on SIGTERM or Ctrl-C, after the requests in hand are answered.",
        NULL,
        NULL,
        NULL};
    arguments args = {.options = PN_SERVE_OPTIONS_INIT};
    pn_common_init(&args.common);
    args.common.retention_days = args.options.retention_days;
    args.options.auth_token = pn_environment("PENNON_TOKEN");
    argp_parse(&argp, argc, argv, 0, NULL, &args);
    pn_process_catch_stop();
    pn_session session = {0};
    int code = run(&args, &session);
    pn_session_end(&session);
    return pn_cli_finish(code);
}

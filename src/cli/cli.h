/*
 * cli.h - what the commands share: exit codes, common options, an open session, errors
 */
#ifndef PN_CLI_CLI_H
#define PN_CLI_CLI_H

#include <argp.h>
#include <pennon.h>
#include <stdbool.h>
#include <stdio.h>

enum {
    PN_EXIT_OK = 0,
    PN_EXIT_FAILURE = 1,  /* the message says why */
    PN_EXIT_USAGE = 2,    /* the command line */
    PN_EXIT_NOTHING = 3,  /* every picture failed */
    PN_EXIT_STOPPED = 130 /* Ctrl-C */
};

typedef enum pn_output { PN_OUTPUT_TABLE, PN_OUTPUT_JSON, PN_OUTPUT_TSV } pn_output;

/* Options that most commands have. Which ones: the command's own argp lists them by key. */
typedef struct pn_common {
    const char *table;      /* never NULL after pn_common_init */
    const char *model;      /* NULL: not named */
    const char *preprocess; /* NULL: the model's own */
    const char *precision;  /* NULL: exact */
    bool exact_decode;
    /* Of a model that a server computes: */
    const char *model_url, *api_key_file; /* NULL: not named */
    bool allow_http;
    unsigned n_requests, timeout_s; /* 0: the default */
    unsigned n_threads;
    double compaction_mb,
        retention_days;       /* of upkeep; each command has its own default of the second */
    double index_cache_gb;    /* 0: no limit */
    unsigned long at_version; /* 0: the newest */
    const char *at_tag;       /* or a tag for it, until pn_cli_find_version(); NULL: none */
    pn_output output;
    bool quiet, verbose;
} pn_common;

/* Keys of the common options, so that commands do not collide with them. */
enum {
    PN_KEY_PREPROCESS = 256,
    PN_KEY_PRECISION,
    PN_KEY_EXACT_DECODE,
    PN_KEY_THREADS,
    PN_KEY_JSON,
    PN_KEY_TSV,
    PN_KEY_AT_VERSION,
    PN_KEY_MODEL_URL,
    PN_KEY_API_KEY_FILE,
    PN_KEY_API_KEY,
    PN_KEY_ALLOW_HTTP,
    PN_KEY_MODEL_REQUESTS,
    PN_KEY_MODEL_TIMEOUT,
    PN_KEY_COMPACTION,
    PN_KEY_RETENTION,
    PN_KEY_INDEX_CACHE,
    PN_KEY_FIRST_FREE
};

#define PN_OPTION_TABLE                                                                            \
    {                                                                                              \
        "table", 't', "DIR", 0, "the table's folder (default: $PENNON_TABLE, else pennon.lance)",  \
            0                                                                                      \
    }
#define PN_OPTION_AT_VERSION                                                                       \
    {                                                                                              \
        "at-version", PN_KEY_AT_VERSION, "N", 0, "as the table was at version N, or at that tag",  \
            0                                                                                      \
    }
/* The same for the subcommands of "pennon table", where there is no other version to confuse it with. The other name works, too. */
#define PN_OPTIONS_VERSION                                                                         \
    {"version", PN_KEY_AT_VERSION, "N", 0, "as the table was at version N, or at that tag", 0},    \
    {                                                                                              \
        "at-version", PN_KEY_AT_VERSION, "N", OPTION_HIDDEN, "", 0                                 \
    }
#define PN_OPTION_MODEL                                                                            \
    {                                                                                              \
        "model", 'm', "MODEL", 0,                                                                  \
            "a folder with a CLIP model, a Hugging Face name in the local cache, or "              \
            "roboflow:VERSION: a server computes it "                                              \
            "(default: $PENNON_MODEL, else the one the table was made with)",                      \
            0                                                                                      \
    }
#define PN_OPTION_PREPROCESS                                                                       \
    {                                                                                              \
        "preprocess", PN_KEY_PREPROCESS, "MODE", 0,                                                \
            "crop, pad or squash (default: the model's own)", 0                                    \
    }
#define PN_OPTION_PRECISION                                                                        \
    {                                                                                              \
        "precision", PN_KEY_PRECISION, "P", 0,                                                     \
            "how the model computes: exact, f32, f16, bf16 or int8 (default: $PENNON_PRECISION, "  \
            "else exact)",                                                                         \
            0                                                                                      \
    }
#define PN_OPTION_EXACT_DECODE                                                                     \
    {                                                                                              \
        "exact-decode", PN_KEY_EXACT_DECODE, NULL, 0,                                              \
            "decode large JPEGs in full, not at the half, quarter or eighth that suffices", 0      \
    }
/* The key itself is nothing for a command line, which every user of the machine can read: --api-key is there to say so, or it would be
 * taken for the beginning of --api-key-file. */
#define PN_OPTIONS_SERVER                                                                          \
    {"model-url",                                                                                  \
     PN_KEY_MODEL_URL,                                                                             \
     "URL",                                                                                        \
     0,                                                                                            \
     "the server of a roboflow: model (default: $PENNON_MODEL_URL, else "                          \
     "https://infer.roboflow.com)",                                                                \
     0},                                                                                           \
        {"api-key-file",                                                                           \
         PN_KEY_API_KEY_FILE,                                                                      \
         "FILE",                                                                                   \
         0,                                                                                        \
         "the file with its API key (default: the key in $PENNON_API_KEY or $ROBOFLOW_API_KEY)",   \
         0},                                                                                       \
        {"api-key", PN_KEY_API_KEY, "KEY", OPTION_HIDDEN, "", 0},                                  \
        {"allow-http",                                                                             \
         PN_KEY_ALLOW_HTTP,                                                                        \
         NULL,                                                                                     \
         0,                                                                                        \
         "http to another machine, too: everybody on the way can read along",                      \
         0},                                                                                       \
        {"model-requests",                                                                         \
         PN_KEY_MODEL_REQUESTS,                                                                    \
         "N",                                                                                      \
         0,                                                                                        \
         "requests to it at a time (default 4)",                                                   \
         0},                                                                                       \
    {                                                                                              \
        "model-timeout", PN_KEY_MODEL_TIMEOUT, "S", 0,                                             \
            "seconds for a request to it, with all its attempts (default 60)", 0                   \
    }
/* Small files and old versions; days: the default of the second, as text. */
#define PN_OPTIONS_UPKEEP(days)                                                                    \
    {"compaction-size",                                                                            \
     PN_KEY_COMPACTION,                                                                            \
     "MB",                                                                                         \
     0,                                                                                            \
     "small data files become one when they amount to this (default 1024; 0: never; or "           \
     "$PENNON_COMPACTION_SIZE)",                                                                   \
     0},                                                                                           \
    {                                                                                              \
        "version-retention", PN_KEY_RETENTION, "DAYS", 0,                                          \
            "older versions go, but for the newest 100 and tagged ones (default " days             \
            "; 0: all stay; or $PENNON_VERSION_RETENTION)",                                        \
            0                                                                                      \
    }
#define PN_OPTION_INDEX_CACHE                                                                      \
    {                                                                                              \
        "index-cache-size", PN_KEY_INDEX_CACHE, "GB", 0,                                           \
            "keep so much of indexes and vectors in memory, and no more (default 0: what the "     \
            "system keeps; or $PENNON_INDEX_CACHE_SIZE)",                                          \
            0                                                                                      \
    }
#define PN_OPTION_THREADS                                                                          \
    {                                                                                              \
        "threads", PN_KEY_THREADS, "N", 0, "worker threads (default: one a core)", 0               \
    }
#define PN_OPTION_JSON                                                                             \
    {                                                                                              \
        "json", PN_KEY_JSON, NULL, 0, "print JSON", 0                                              \
    }
#define PN_OPTION_TSV                                                                              \
    {                                                                                              \
        "tsv", PN_KEY_TSV, NULL, 0, "print tab-separated values", 0                                \
    }

void pn_common_init(pn_common *common);
/* Take a common option: 0, or ARGP_ERR_UNKNOWN when it is none. */
error_t pn_common_parse(pn_common *common, int key, char *arg, struct argp_state *state);

/* What the environment says of PN_OPTIONS_UPKEEP and PN_OPTION_INDEX_CACHE: at ARGP_KEY_INIT, before the command line, which wins. A
 * value that is none ends the program. */
void pn_common_take_upkeep(pn_common *common, struct argp_state *state);
void pn_common_take_index_cache(pn_common *common, struct argp_state *state);

/* The version that at_tag names into at_version. False, and a message, when there is none. */
bool pn_cli_find_version(pn_common *common);

/* A number within limits, or argp_error(). */
unsigned long pn_cli_number(const char *text, unsigned long least, unsigned long most,
                            const char *what, struct argp_state *state);
double pn_cli_double(const char *text, const char *what, struct argp_state *state);

/* What a command works with. Zero it first; pn_session_end() in every case. */
typedef struct pn_session {
    pn_library *library;
    pn_model *model;
    pn_table *table;
} pn_session;

/* Each prints what went wrong and returns false. */
bool pn_session_begin(pn_session *session, const pn_common *common);
bool pn_session_open_model(pn_session *session,
                           const pn_common *common); /* named by option or environment */
/* The same for what needs a look inside: a server's model is refused. */
bool pn_session_open_local_model(pn_session *session, const pn_common *common);
bool pn_session_open_table(pn_session *session, const pn_common *common);
/* The model of an open table, when none was named: the one that is recorded there. */
bool pn_session_open_table_model(pn_session *session, const pn_common *common);
/* compaction_mb and index_cache_gb for the open table. */
bool pn_session_set_table(const pn_session *session, const pn_common *common);
/* What is due of small files and old versions of the open table. What keeps it from that is told, and no failure: the table can be
 * searched as it is. */
void pn_session_keep_up(const pn_session *session, const pn_common *common);
void pn_session_end(pn_session *session);

/* "pennon: message" on standard error; a message of several lines stays as it is. */
void pn_cli_error(const pn_error *err);
__attribute__((format(printf, 1, 2))) void pn_cli_complain(const char *format, ...);

/* Flush standard output: PN_EXIT_FAILURE (and a message) when it could not be written, code otherwise. */
int pn_cli_finish(int code);

/* A command of the program, or a subcommand of one: a table of them ends with a NULL name. */
typedef struct pn_command pn_command;
struct pn_command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is "pennon NAME"; NULL: there are subcommands */
    const char *summary;
    const pn_command *subcommands;
};

/* The subcommands of "pennon table"; each parses its own options and finds its keys of the configuration file by its name. */
extern const pn_command pn_table_commands[];
int pn_cmd_table_info(int argc, char **argv);
int pn_cmd_table_schema(int argc, char **argv);
int pn_cmd_table_versions(int argc, char **argv);
int pn_cmd_table_stats(int argc, char **argv);
int pn_cmd_table_check(int argc, char **argv);
int pn_cmd_table_head(int argc, char **argv);
int pn_cmd_table_export(int argc, char **argv);
int pn_cmd_table_import(int argc, char **argv);
int pn_cmd_table_upsert(int argc, char **argv);
int pn_cmd_table_checkout(int argc, char **argv);
int pn_cmd_table_restore(int argc, char **argv);
int pn_cmd_table_tag(int argc, char **argv);
int pn_cmd_table_column(int argc, char **argv);
int pn_cmd_table_compact(int argc, char **argv);
int pn_cmd_table_cleanup(int argc, char **argv);

/* The commands. argv[0] is "pennon <command>". */
int pn_cmd_ingest(int argc, char **argv);
int pn_cmd_search(int argc, char **argv);
int pn_cmd_serve(int argc, char **argv);
int pn_cmd_info(int argc, char **argv);
int pn_cmd_versions(int argc, char **argv);
int pn_cmd_list(int argc, char **argv);
int pn_cmd_show(int argc, char **argv);
int pn_cmd_count(int argc, char **argv);
int pn_cmd_delete(int argc, char **argv);
int pn_cmd_model(int argc, char **argv);
int pn_cmd_index(int argc, char **argv);
int pn_cmd_embed(int argc, char **argv);
int pn_cmd_tokenize(int argc, char **argv);
int pn_cmd_preprocess(int argc, char **argv);

#endif

/*
 * cmd_info.c - pennon info, versions: what a table says of itself
 */
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/term.h"

#include <inttypes.h>
#include <string.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG)
        argp_error(state, "\"%s\" is not an option", arg);
    return pn_common_parse(state->input, key, arg, state);
}

static void print_columns(json_t *columns)
{
    size_t i;
    json_t *column;
    puts("columns");
    json_array_foreach(columns, i, column)
    {
        const char *name = json_string_value(json_object_get(column, "name"));
        fputs("  ", stdout);
        pn_term_print_text(stdout, name, false);
        printf("%*s", pn_term_width(name) < 16 ? (int)(16 - pn_term_width(name)) : 0, "");
        fputc(' ', stdout);
        pn_term_print_text(stdout, json_string_value(json_object_get(column, "type")), false);
        printf("%s\n", json_is_true(json_object_get(column, "nullable")) ? "" : ", not null");
    }
}

static void print_line(const char *name, const char *text)
{
    printf("%-12s", name);
    pn_term_print_text(stdout, text[0] ? text : "(not recorded)", false);
    fputc('\n', stdout);
}

static void print_info(const pn_common *common, const pn_table_info *info, json_t *columns)
{
    print_line("table", common->table);
    printf("rows        %s\n", pn_term_count(info->n_rows));
    printf("version     %" PRIu64 ", committed %s\n", info->version,
           pn_term_time(info->timestamp_ms));
    printf("fragments   %" PRIu64 "\n", info->n_fragments);
    printf("data        %s\n", pn_term_bytes(info->data_bytes));
    printf("vectors     %" PRIu32 " floats\n", info->dim);
    print_line("model", info->model);
    print_line("preprocess", info->preprocess);
    print_line("embedder", info->identity);
    print_columns(columns);
}

static void print_info_json(const pn_common *common, const pn_table_info *info, json_t *columns)
{
    json_t *all =
        json_pack("{s:o, s:I, s:I, s:s, s:I, s:I, s:i, s:o, s:o, s:o, s:O}", "table",
                  pn_cli_json_text(common->table), "rows", (json_int_t)info->n_rows, "version",
                  (json_int_t)info->version, "timestamp", pn_term_time(info->timestamp_ms),
                  "fragments", (json_int_t)info->n_fragments, "data_bytes",
                  (json_int_t)info->data_bytes, "dim", (int)info->dim, "model",
                  pn_cli_json_text(info->model), "preprocess", pn_cli_json_text(info->preprocess),
                  "embedder", pn_cli_json_text(info->identity), "columns", columns);
    (void)pn_cli_print_json(all, JSON_INDENT(2)); // it has told
    putchar('\n');
}

static int run_info(const pn_common *common, pn_session *session)
{
    pn_error err = {0};
    pn_table_info info;
    char *schema;
    if (pn_table_get_info(session->table, &info, &err) != PN_OK ||
        pn_table_schema_json(session->table, &schema, &err) != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    json_t *columns = json_loads(schema, 0, NULL);
    if (common->output == PN_OUTPUT_JSON)
        print_info_json(common, &info, columns);
    else
        print_info(common, &info, columns);
    json_decref(columns);
    pn_memory_free(schema);
    return PN_EXIT_OK;
}

static void print_version(const pn_version_entry *version)
{
    printf("%6" PRIu64 "  ", version->version);
    if (strcmp(version->operation, "damaged") != 0)
        printf("%s  %12" PRIu64 " rows  ", pn_term_time(version->timestamp_ms), version->n_rows);
    pn_term_print_text(stdout, version->operation, false);
    fputc('\n', stdout);
}

static int run_versions(const pn_common *common, pn_session *session)
{
    pn_error err = {0};
    pn_version_entry *versions;
    size_t n;
    if (pn_table_list_versions(session->table, &versions, &n, &err) != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        if (common->output == PN_OUTPUT_JSON)
            json_array_append_new(all, json_pack("{s:I, s:s, s:I, s:o}", "version",
                                                 (json_int_t)versions[i].version, "timestamp",
                                                 pn_term_time(versions[i].timestamp_ms), "rows",
                                                 (json_int_t)versions[i].n_rows, "operation",
                                                 pn_cli_json_text(versions[i].operation)));
        else
            print_version(&versions[i]);
    }
    if (common->output == PN_OUTPUT_JSON) {
        (void)pn_cli_print_json(all, JSON_INDENT(2)); // it has told
        putchar('\n');
    } else {
        json_decref(all);
    }
    pn_memory_free(versions);
    return PN_EXIT_OK;
}

static int with_table(const struct argp_option *options, const char *what, int argc, char **argv,
                      int (*run)(const pn_common *, pn_session *))
{
    struct argp argp = {options, parse, "", what, NULL, NULL, NULL};
    pn_common common;
    pn_common_init(&common);
    argp_parse(&argp, argc, argv, 0, NULL, &common);
    pn_session session = {0};
    int code = PN_EXIT_FAILURE;
    if (pn_session_begin(&session, &common) && pn_session_open_table(&session, &common))
        code = run(&common, &session);
    pn_session_end(&session);
    return pn_cli_finish(code);
}

int pn_cmd_info(int argc, char **argv)
{
    static const struct argp_option options[] = {
        PN_OPTION_TABLE, PN_OPTION_AT_VERSION, PN_OPTION_JSON, {0}};
    return with_table(options, "Say what a table holds.", argc, argv, run_info);
}

int pn_cmd_versions(int argc, char **argv)
{
    static const struct argp_option options[] = {PN_OPTION_TABLE, PN_OPTION_JSON, {0}};
    return with_table(options, "List the versions of a table.", argc, argv, run_versions);
}

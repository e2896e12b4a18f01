/*
 * table_info.c - pennon table info, schema, versions, stats: what any Lance table says of itself
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

static void print_line(const char *name, const char *text)
{
    printf("%-12s", name);
    pn_term_print_text(stdout, text[0] ? text : "(not recorded)", false);
    fputc('\n', stdout);
}

static void print_info(const char *table, const json_t *all)
{
    print_line("table", table);
    printf("version     %" PRIu64 ", committed %s\n", pn_cli_json_number(all, "version"),
           pn_term_time((int64_t)pn_cli_json_number(all, "timestamp_ms")));
    print_line("operation", pn_cli_json_string(all, "operation"));
    printf("rows        %s", pn_term_count(pn_cli_json_number(all, "rows")));
    if (pn_cli_json_number(all, "deleted_rows") > 0)
        printf(", and %s deleted", pn_term_count(pn_cli_json_number(all, "deleted_rows")));
    printf("\ncolumns     %" PRIu64 "\n", pn_cli_json_number(all, "columns"));
    printf("fragments   %" PRIu64 "\n", pn_cli_json_number(all, "fragments"));
    printf("files       %" PRIu64 " of data, %s; %" PRIu64 " of deletions\n",
           pn_cli_json_number(all, "data_files"),
           pn_term_bytes(pn_cli_json_number(all, "data_bytes")),
           pn_cli_json_number(all, "deletion_files"));
    printf("format      Lance %s\n", pn_cli_json_string(all, "data_format"));
    printf("written by  ");
    pn_term_print_text(stdout, pn_cli_json_string(all, "writer"), false);
    fputc(' ', stdout);
    pn_term_print_text(stdout, pn_cli_json_string(all, "writer_version"), false);
    fputc('\n', stdout);
}

static void print_columns(const json_t *columns, int depth)
{
    size_t i;
    json_t *column;
    json_array_foreach(columns, i, column)
    {
        const char *name = pn_cli_json_string(column, "name");
        int room = 24 - 2 * depth - (int)pn_term_width(name);
        printf("%*s", 2 * depth, "");
        pn_term_print_text(stdout, name, false);
        printf("%*s ", room > 0 ? room : 0, "");
        pn_term_print_text(stdout, pn_cli_json_string(column, "type"), false);
        puts(json_is_true(json_object_get(column, "nullable")) ? "" : ", not null");
        print_columns(json_object_get(column, "children"), depth + 1);
    }
}

static void print_schema(const char *table, const json_t *all)
{
    const char *key;
    json_t *value;
    (void)table;
    print_columns(json_object_get(all, "columns"), 0);
    json_object_foreach(json_object_get(all, "metadata"), key, value)
    {
        fputs("metadata ", stdout);
        pn_term_print_text(stdout, key, false);
        fputs(" = ", stdout);
        pn_term_print_text(stdout, json_string_value(value), false);
        fputc('\n', stdout);
    }
}

static void print_versions(const char *table, const json_t *all)
{
    size_t i;
    json_t *version;
    (void)table;
    json_array_foreach(all, i, version)
    {
        const char *problem = json_string_value(json_object_get(version, "problem"));
        printf("%6" PRIu64 "  ", pn_cli_json_number(version, "version"));
        if (!problem)
            printf("%s  %12" PRIu64 " rows  ",
                   pn_term_time((int64_t)pn_cli_json_number(version, "timestamp_ms")),
                   pn_cli_json_number(version, "rows"));
        pn_term_print_text(stdout, problem ? problem : pn_cli_json_string(version, "operation"),
                           false);
        fputc('\n', stdout);
    }
}

static void print_share(const char *name, uint64_t bytes)
{
    fputs("  ", stdout);
    pn_term_print_text(stdout, name, false);
    printf("%*s %9s\n", pn_term_width(name) < 24 ? (int)(24 - pn_term_width(name)) : 0, "",
           pn_term_bytes(bytes));
}

static void print_stats(const char *table, const json_t *all)
{
    const json_t *fragments = json_object_get(all, "fragments");
    const json_t *rows = json_object_get(fragments, "rows");
    const char *folder;
    json_t *value;
    size_t i;
    print_line("table", table);
    printf("rows        %s", pn_term_count(pn_cli_json_number(all, "rows")));
    if (pn_cli_json_number(all, "deleted_rows") > 0)
        printf(", and %s deleted", pn_term_count(pn_cli_json_number(all, "deleted_rows")));
    printf("\nversions    %" PRIu64 "\n", pn_cli_json_number(all, "versions"));
    printf("fragments   %" PRIu64 ", %" PRIu64 " of them small\n",
           pn_cli_json_number(fragments, "count"), pn_cli_json_number(fragments, "small"));
    printf("  rows      %" PRIu64 " to %" PRIu64 ", half of them up to %" PRIu64 "\n",
           pn_cli_json_number(rows, "min"), pn_cli_json_number(rows, "max"),
           pn_cli_json_number(rows, "p50"));
    printf("columns     %s in this version's data files\n",
           pn_term_bytes(pn_cli_json_number(all, "data_bytes")));
    json_array_foreach(json_object_get(all, "columns"), i, value)
    {
        print_share(pn_cli_json_string(value, "name"), pn_cli_json_number(value, "bytes"));
    }
    puts("on disk     of all versions");
    json_object_foreach(json_object_get(all, "disk_bytes"), folder, value)
    {
        print_share(folder, (uint64_t)json_integer_value(value));
    }
}

/* A document of the library, for people by show or as it is. */
static int with_document(const struct argp_option *options, const char *what, int argc, char **argv,
                         pn_status (*ask)(const char *, uint64_t, char **, pn_error *),
                         void (*show)(const char *, const json_t *))
{
    struct argp argp = {options, parse, "", what, NULL, NULL, NULL};
    pn_common common;
    pn_error err = {0};
    char *text;
    bool ok = true;
    pn_common_init(&common);
    argp_parse(&argp, argc, argv, 0, NULL, &common);
    if (!pn_cli_find_version(&common))
        return PN_EXIT_FAILURE;
    if (ask(common.table, common.at_version, &text, &err) != PN_OK) {
        pn_cli_error(&err);
        return PN_EXIT_FAILURE;
    }
    json_t *all = json_loads(text, 0, NULL);
    pn_memory_free(text);
    if (common.output == PN_OUTPUT_JSON) {
        ok = pn_cli_print_json(all, JSON_INDENT(2));
        putchar('\n');
    } else {
        show(common.table, all);
        json_decref(all);
    }
    return pn_cli_finish(ok ? PN_EXIT_OK : PN_EXIT_FAILURE);
}

static const struct argp_option options[] = {
    PN_OPTION_TABLE, PN_OPTIONS_VERSION, PN_OPTION_JSON, {0}};

int pn_cmd_table_info(int argc, char **argv)
{
    return with_document(options, "Say what a version of a table is made of.", argc, argv,
                         pn_lance_info_json, print_info);
}

int pn_cmd_table_stats(int argc, char **argv)
{
    return with_document(options,
                         "Say how the rows of a table are spread over its fragments, and what its "
                         "columns and its folders take.",
                         argc, argv, pn_lance_stats_json, print_stats);
}

static pn_status ask_for_versions(const char *path, uint64_t version, char **out, pn_error *err)
{
    (void)version;
    return pn_lance_versions_json(path, out, err);
}

int pn_cmd_table_versions(int argc, char **argv)
{
    static const struct argp_option without_version[] = {PN_OPTION_TABLE, PN_OPTION_JSON, {0}};
    return with_document(without_version,
                         "List the versions of a table, also those that cannot be read.", argc,
                         argv, ask_for_versions, print_versions);
}

int pn_cmd_table_schema(int argc, char **argv)
{
    return with_document(options,
                         "List the columns of a table with all that is below them, and its "
                         "metadata.",
                         argc, argv, pn_lance_schema_json, print_schema);
}

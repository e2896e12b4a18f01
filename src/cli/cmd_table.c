/*
 * cmd_table.c - pennon table: the list of its subcommands
 *
 * "pennon info" and its like are about a table of pictures; "pennon table info" is about any Lance table, whoever wrote it. Each line
 * has a function in a file of its own kind, a section in the manual, and where it takes keys of the configuration file an entry in
 * config_keys.c under its name.
 */
#include "cli/cli.h"

const pn_command pn_table_commands[] = {
    {"info", pn_cmd_table_info, "say what a version is made of", NULL},
    {"schema", pn_cmd_table_schema, "list the columns with all that is below them", NULL},
    {"versions", pn_cmd_table_versions, "list the versions, also those that cannot be read", NULL},
    {"stats", pn_cmd_table_stats, "say how the rows are spread and what takes room", NULL},
    {"check", pn_cmd_table_check, "look for damage", NULL},
    {"head", pn_cmd_table_head, "show the first rows", NULL},
    {"export", pn_cmd_table_export, "write rows as NDJSON, CSV or NumPy", NULL},
    {"import", pn_cmd_table_import, "take rows from NDJSON, CSV or NumPy", NULL},
    {"upsert", pn_cmd_table_upsert, "take rows in the place of those with the same key", NULL},
    {"checkout", pn_cmd_table_checkout, "see whether a version can be gone back to", NULL},
    {"restore", pn_cmd_table_restore, "make an old version the newest", NULL},
    {"tag", pn_cmd_table_tag, "give names to versions", NULL},
    {"column", pn_cmd_table_column, "add, drop or rename a column", NULL},
    {"compact", pn_cmd_table_compact, "write small fragments into large ones", NULL},
    {"cleanup", pn_cmd_table_cleanup, "remove old versions and what only they need", NULL},
    {NULL, NULL, NULL, NULL},
};

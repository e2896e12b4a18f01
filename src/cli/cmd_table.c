/*
 * cmd_table.c - pennon table: the list of its subcommands
 *
 * "pennon info" and its like are about a table of pictures; "pennon table info" is about any Lance table, whoever wrote it. Each line
 * has a function in a file table_*.c, a section in the manual, and where it takes keys of the configuration file an entry in
 * config_keys.c under its name.
 */
#include "cli/cli.h"

const pn_command pn_table_commands[] = {
    {"info", pn_cmd_table_info, "say what a version is made of", NULL},
    {"schema", pn_cmd_table_schema, "list the columns with all that is below them", NULL},
    {NULL, NULL, NULL, NULL},
};

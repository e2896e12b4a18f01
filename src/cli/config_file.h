/*
 * config_file.h - options from a YAML file
 * Threads: one.
 */
#ifndef PN_CLI_CONFIG_FILE_H
#define PN_CLI_CONFIG_FILE_H

#include "base/arena.h"
#include "base/status.h"

/* A command line with the file's options in front of the user's own; zero it first. */
typedef struct pn_config {
    pn_arena arena;
    char **argv; /* [argc], and a NULL */
    int argc;
} pn_config;

/*
 * named    the file of --config; NULL: $PENNON_CONFIG, else the first there is of ./pennon.yaml and
 *          $XDG_CONFIG_HOME/pennon/config.yaml, else none
 * command  whose options are wanted: "search"
 * argv     [argc], argv[0] the program; its texts are borrowed
 *
 * Errors:  INVALID (names file, line, column and key), NOT_FOUND (a file that was named), IO, LIMIT, NOMEM.
 */
PN_NODISCARD pn_status pn_config_apply(const char *named, const char *command, int argc,
                                       char **argv, pn_config *out, pn_error *err);
void pn_config_end(pn_config *config);

#endif

/*
 * cmd_model.h - what the actions of pennon model share
 */
#ifndef PN_CLI_CMD_MODEL_H
#define PN_CLI_CMD_MODEL_H

#include "cli/cli.h"

typedef struct pn_model_arguments {
    pn_common common;
    const char *precision; /* of the command line alone; NULL: not given */
    const char *revision, *base, *dir, *golden;
    uint32_t n_pictures;  /* of --pictures, when it is a number */
    const char *pictures; /* and when it is a folder */
    const char *action;
    const char *const *names; /* part of argv */
    size_t n_names;
} pn_model_arguments;

/* Each prints, and returns the exit code. */
int pn_model_run_pull(const pn_model_arguments *args);
int pn_model_run_verify(const pn_model_arguments *args, pn_session *session, const char *spec);

#endif

/*
 * show.h - rows on standard output: a table, JSON, or TSV
 */
#ifndef PN_CLI_SHOW_H
#define PN_CLI_SHOW_H

#include "cli/cli.h"

typedef enum pn_ranked { PN_UNRANKED, PN_RANKED } pn_ranked;

/* Ranked rows have a rank, a score and a distance. False (and a message) when there was no memory. */
bool pn_show_results(const pn_results *results, pn_output output, pn_ranked ranked);

#endif

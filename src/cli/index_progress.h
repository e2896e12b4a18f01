/*
 * index_progress.h - building an index with a word about how far it is: pennon index build, and the end of pennon ingest
 */
#ifndef PN_CLI_INDEX_PROGRESS_H
#define PN_CLI_INDEX_PROGRESS_H

#include "cli/cli.h"

/* Build with a progress and a stop of our own, and say nothing of the result. Errors are printed, but for a CONFLICT of what
 * was only done because it was due: whoever builds does it for us too. */
pn_status pn_cli_build_index(pn_session *session, const pn_index_options *options, bool quiet,
                             pn_index_report *out);

#endif

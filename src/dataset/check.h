/*
 * check.h - is anything of a table damaged?
 *
 * Every version is looked at: its manifest, its transaction, each data file (size, footer, every page of every column decoded, rows counted,
 * texts UTF-8), each deletion file (rows within the fragment, as many as the manifest says); and the checksums of all of them, where the table has
 * some (checksums.h). Beside all versions, every tag: does it name one of them? Threads: one.
 */
#ifndef PN_DATASET_CHECK_H
#define PN_DATASET_CHECK_H

#include "dataset/dataset.h"

typedef struct pn_check_finding {
    uint64_t version; /* the first that needs the file; 0: none, or all */
    const char *file; /* in the table's folder */
    const char *reason;
} pn_check_finding;

typedef struct pn_check_result {
    uint64_t newest;    /* version */
    uint64_t last_good; /* the highest without a finding; 0: none */
    uint64_t n_versions, n_good;
    uint64_t n_files, n_bytes; /* looked at */
    uint64_t n_without_sum;    /* of them: changed values would not be seen */
    uint64_t n_recorded;       /* checksums that the table has now, when they were to be recorded */
    const pn_check_finding *findings;
    size_t n_findings;
} pn_check_result;

typedef struct pn_check_plan {
    uint64_t version; /* only this one; 0: all */
    bool newest_only;
    bool record; /* write checksums of all files, unless there is a finding */
    /* Now and then. False: stop. May be NULL. */
    bool (*progress)(void *context, uint64_t n_files, uint64_t n_bytes);
    void *progress_context;
} pn_check_plan;

/*
 * out     findings live in arena; at most PN_CHECK_MAX_FINDINGS, after which nothing more is looked at
 * Errors: NOT_FOUND (no table, or no such version), CANCELLED, NOMEM, IO when the checksums cannot be written. A damaged file is a finding.
 */
enum { PN_CHECK_MAX_FINDINGS = 10000 };
PN_NODISCARD pn_status pn_dataset_check(const char *table, const pn_check_plan *plan,
                                        pn_arena *arena, pn_check_result *out, pn_error *err);

#endif

/*
 * cleanup.h - old versions go, and the files that only they needed
 */
#ifndef PN_DATASET_CLEANUP_H
#define PN_DATASET_CLEANUP_H

#include "dataset/dataset.h"

/* A file that no version names may be a commit in the making: it is an orphan only after this long. As LanceDB has it. */
#define PN_CLEANUP_ORPHAN_MS_DEFAULT ((int64_t)7 * 24 * 3600 * 1000)

typedef struct pn_cleanup_options {
    int64_t older_than_ms; /* versions committed longer ago than this go; negative: none */
    uint64_t keep_newest;  /* but this many stay in any case; 0 is 1 */
    int64_t orphan_ms;     /* the age of orphans; negative: PN_CLEANUP_ORPHAN_MS_DEFAULT */
    enum { PN_CLEANUP_REMOVE, PN_CLEANUP_REPORT } mode; /* REPORT: only count */
    /*
     * A table of more versions than crowd is thinned out: of those committed longer ago than crowd_ms the last of each minute stays,
     * of those older than an hour the last of each hour. So a million inserts leave some hundred versions, at any of which one can
     * still look back. 0: never.
     */
    uint64_t crowd;
    int64_t crowd_ms;
    /* Versions that cannot be read or lack a file go, but for the newest, tagged and held ones. */
    bool damaged_too;
    const uint64_t *held; /* versions that stay because somebody has them open; NULL: none */
    size_t n_held;
} pn_cleanup_options;
#define PN_CLEANUP_OPTIONS_INIT                                                                    \
    {                                                                                              \
        -1, 1, -1, PN_CLEANUP_REMOVE, 0, 0, false, NULL, 0                                         \
    }

typedef struct pn_cleanup_report {
    uint64_t n_versions; /* removed */
    uint64_t n_kept;     /* versions that stay, tagged ones among them */
    uint64_t n_files;    /* removed: data, deletions, transactions, files of indexes */
    uint64_t n_orphans;  /* of them, named by no version at all */
    uint64_t n_bytes;
} pn_cleanup_report;

/*
 * Remove old versions, never the newest nor a tagged one, then the files that no version left names: of removed versions at once,
 * others when they are old enough.
 *
 * Who has an old version open may find its files gone; older_than_ms is for them. Stopped at any moment the table is whole: the
 * versions go first, what they leave is found the next time, as orphans.
 *
 * Errors: CORRUPT: a version that stays cannot be read, names a file that is not there or is missing itself, or a tag does not fit, then
 *         nothing is removed; UNSUPPORTED: a table with branches or detached versions, which share its files, or a version with what is not known;
 *         IO; CONFLICT: others commit and clean up faster than the versions can be read.
 */
PN_NODISCARD pn_status pn_dataset_cleanup(const char *table, const pn_cleanup_options *options,
                                          pn_cleanup_report *out, pn_error *err);

#endif

/*
 * table_upkeep.h - a table that is written to all day stays one of few files
 *
 *     sweep    by whoever inserts, after the commit: ten fragments of one row become one of ten, ten of those one of a hundred, ten of
 *              those one of a thousand. It takes as long as an insert, one time in nine. Where inserts are faster than folds, and fragments
 *              of thousands come by the dozen, larger ones are swept as well, and who inserts waits for it:
 *              for half the compaction size at most, and what takes more is left to the fold.
 *     fold     in the background: all that is due (dataset/compact_plan.c), up to files of the compaction size. It may take minutes,
 *              in which rows come and are swept: it keeps to the fragments that were there when it began.
 *     clean    old versions go (dataset/cleanup.h): beyond the retention those that are not among the newest PN_VERSIONS_KEPT, and of
 *              thousands that were made within minutes all but the last of each minute. Never one that is tagged, or open here.
 *
 * Indexes stay what they are: what folds do is told in a log that they are read with (fold_log.h), and fragments that different
 * indexes cover are not folded together.
 *
 * Threads: any. One process folds a table at a time; sweeps of several processes at once lose a race now and then, and try again.
 */
#ifndef PN_COLLECTION_TABLE_UPKEEP_H
#define PN_COLLECTION_TABLE_UPKEEP_H

#include "collection/snapshot.h"

/* Fragments of fewer than PN_SWEEP_ROWS are swept. Where there are more than PN_SWEEP_CROWD fragments of fewer than PN_SWEEP_WIDEST, those of fewer than
 * PN_SWEEP_WIDER; where there are more than twice PN_SWEEP_CROWD, all of these. */
enum {
    PN_SWEEP_ROWS = 1000,
    PN_SWEEP_WIDER = 10 * PN_SWEEP_ROWS,
    PN_SWEEP_WIDEST = 100 * PN_SWEEP_ROWS,
    PN_SWEEP_CROWD = 40
};
/* Fragments of fewer rows. */
size_t pn_table_upkeep_count_below(const pn_dataset *dataset, uint64_t rows);

typedef struct pn_table_upkeep {
    const char *table, *indexes; /* folders; borrowed */
    pthread_mutex_t sweep_mu;    /* held while a sweep runs */
    uint32_t first_free;         /* fragments with smaller ids are a fold's; guarded by sweep_mu */
    size_t
        crowd_left; /* fragments that a sweep of a crowd could do nothing about; guarded by sweep_mu */
    pthread_mutex_t mu;
    uint64_t target_bytes;    /* 0: nothing is folded; guarded by mu, like all below */
    int64_t cleaned_ns;       /* when it was last; 0: never */
    uint64_t cleaned_version; /* the newest then */
    pn_engine_upkeep_totals totals;
} pn_table_upkeep;

void pn_table_upkeep_init(pn_table_upkeep *upkeep, const char *table, const char *indexes);
void pn_table_upkeep_reset(pn_table_upkeep *upkeep);

void pn_table_upkeep_set_target(pn_table_upkeep *upkeep, uint64_t bytes);

/* After an insert, with the newest version. What fails is told by the totals, and tried again after the next insert. */
void pn_table_upkeep_sweep(pn_table_upkeep *upkeep, pn_snapshot *newest);

/* Errors: those of pn_dataset_compact() and pn_dataset_cleanup(). Nothing is done while another process folds. */
PN_NODISCARD pn_status pn_table_upkeep_run(pn_table_upkeep *upkeep, pn_snapshot *newest,
                                           const pn_engine_upkeep_options *options,
                                           pn_engine_upkeep_report *out, pn_error *err);

void pn_table_upkeep_totals(pn_table_upkeep *upkeep, pn_engine_upkeep_totals *out);

#endif

/*
 * compact.h - small fragments become large ones
 *
 * Every insert makes a fragment, every delete leaves rows behind that are read and passed over. Compaction writes the rows of
 * neighbouring fragments into one, without the deleted ones, in the same order. The table has the same rows, those that moved behind the
 * others, as LanceDB's compaction leaves them; row addresses change, and the report tells how. Stable row ids stay with their rows where a table has them.
 */
#ifndef PN_DATASET_COMPACT_H
#define PN_DATASET_COMPACT_H

#include "dataset/dataset.h"

typedef enum pn_compact_mode {
    PN_COMPACT_TIERED, /* only what is due: cheap to call after every insert */
    PN_COMPACT_FULL    /* all small neighbours */
} pn_compact_mode;

#define PN_COMPACT_ROWS_DEFAULT ((uint64_t)1 << 20)
#define PN_COMPACT_BYTES_DEFAULT ((uint64_t)4 << 30)
#define PN_COMPACT_DELETED_PERCENT_DEFAULT 10
#define PN_COMPACT_FANOUT_DEFAULT 10

/* Fragments [first, first + n) of a version, counted from 0, which become one of this data file. */
typedef struct pn_compact_fold {
    const char *file;
    size_t first, n;
    uint32_t n_rows; /* of the new one: those that were not deleted, in order */
} pn_compact_fold;

typedef struct pn_compact_options {
    pn_compact_mode mode;
    uint64_t target_rows;  /* of a fragment that is left alone; 0: PN_COMPACT_ROWS_DEFAULT */
    uint64_t target_bytes; /* or of these; 0: PN_COMPACT_BYTES_DEFAULT */
    uint32_t
        deleted_percent; /* of a fragment's rows from which on it is rewritten; 0: the default */
    uint32_t
        fanout; /* TIERED: fragments of a size until they are folded, at least 2; 0: the default */
    const _Atomic bool *cancel; /* NULL, or a flag to stop: what was committed stays */
    /* Now and then: rows written so far, those of lost tries too. False: stop, as by cancel. NULL: nobody asks. */
    bool (*progress)(void *context, uint64_t n_rows);
    void *progress_context;
    /* Only fragments with these ids are touched, and only those of fewer than below_rows rows. Two may so compact one table at
     * once without getting in each other's way. */
    uint32_t first_id, last_id; /* last_id 0: no bound */
    uint64_t below_rows;        /* 0: no bound */
    /* Fragments of different classes are not folded into one, so that a side index covers all of a fragment or nothing. NULL: all
     * are of one class. */
    uint64_t (*class_of)(const void *context, uint32_t fragment_id);
    /* Told of what is written and about to be committed, which may fail or be lost still; a status other than PN_OK ends it. */
    pn_status (*folding)(void *context, pn_dataset *read, const pn_compact_fold *folds, size_t n,
                         pn_error *err);
    bool (*is_stopped)(const void *context); /* asked like cancel; NULL: never */
    void *context;
} pn_compact_options;
#define PN_COMPACT_OPTIONS_INIT                                                                    \
    {                                                                                              \
        PN_COMPACT_TIERED, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL           \
    }

/* What became of which fragments. Immutable; may be shared between threads. */
typedef struct pn_compaction pn_compaction;

typedef struct pn_compacted {
    uint32_t new_fragment; /* id */
    uint32_t n_rows;
    const uint32_t *old_fragments; /* ids, in the order of their rows */
    size_t n_old;
} pn_compacted;

size_t pn_compaction_count(const pn_compaction *compaction);
/* In the order of the commits. Pointers live with the compaction. */
void pn_compaction_get(const pn_compaction *compaction, size_t i, pn_compacted *out);
/* Where a row is now: itself when its fragment was left alone. False: the row was deleted, and is gone. */
PN_NODISCARD bool pn_compaction_map(const pn_compaction *compaction, pn_row_addr addr,
                                    pn_row_addr *out);
void pn_compaction_free(pn_compaction *compaction); /* NULL is welcome */

/*
 * Compact the newest version, in one or several commits of up to PN_COMPACT_COMMIT_BYTES each. Rows that another writer changes or
 * deletes meanwhile are no loss: the plan is made again.
 *
 * report  what was committed, also when an error follows (but INVALID); the caller's. May be NULL
 * out     the newest version; dataset itself, referenced, when there was nothing to do
 *
 * Errors: UNSUPPORTED: a column that is not written, by name; CONFLICT: others were faster again and again; CANCELLED; INVALID.
 */
#define PN_COMPACT_COMMIT_BYTES ((uint64_t)256 << 20)
PN_NODISCARD pn_status pn_dataset_compact(pn_dataset *dataset, const pn_compact_options *options,
                                          pn_compaction **report, pn_dataset **out, pn_error *err);

#endif

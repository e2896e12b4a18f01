/*
 * commit.h - the one rename that makes a version
 */
#ifndef PN_DATASET_COMMIT_H
#define PN_DATASET_COMMIT_H

#include "dataset/internal.h"
#include "dataset/transaction.h"
#include "os/sync_list.h"

/* The next version in the making. All memory of it comes from arena. */
typedef struct pn_draft {
    pn_arena *arena;
    Pn__Table__Manifest *manifest; /* a copy of the newest one's; version, time, writer are set */
    Pn__Table__Transaction *txn;   /* its operation is to be filled */
    const uint8_t *index_section;  /* the newest version's; NULL: none */
    size_t index_section_bytes;
    pn_sync_list *unsynced; /* gets the files that an apply writes */
    bool nothing;           /* set it when there is nothing to commit */
    bool redo; /* set it beside CONFLICT: decided again on the newest version, the change may do */
} pn_draft;

/*
 * Called with the newest version, which may be later than the one the change was decided on: fill the operation of the draft's
 * transaction and change its manifest. CONFLICT ends the commit.
 */
typedef pn_status (*pn_commit_apply)(void *context, pn_dataset *newest, pn_draft *draft,
                                     pn_error *err);

typedef struct pn_commit_plan {
    pn_operation operation;
    /* Is the change about this fragment of `read`? NULL: about none. */
    bool (*touches)(const void *context, uint64_t fragment_id);
    /* What came in between may be cleaned up, and is not known then. OK: begun anew on the newest version the change would be the same;
     * CONFLICT: it would not. NULL: nobody can say. */
    pn_status (*begin_anew)(const void *context, const pn_dataset *newest, pn_error *err);
    pn_commit_apply apply;
    /* Remove the files that the last apply wrote: its version was not published. NULL: it writes none. */
    void (*undo)(void *context);
    void *context;
    pn_sync_list *unsynced; /* what was written before, for the version to name; NULL: nothing */
    /* When the newest version is damaged, apply to `read` instead; the version made has the next number all the same. */
    bool passes_damage;
} pn_commit_plan;

typedef struct pn_commit_end {
    /* A version with the change is visible, also when an error follows (its name may not last a power cut, or it could not be
     * read back): the files it names must stay. */
    bool published;
    bool redo; /* beside CONFLICT: decide again on the newest version */
} pn_commit_end;

/*
 * Commit a change decided on `read`. Transactions since then are judged (transaction.h); a lost race is applied again to the
 * newer version, up to PN_COMMIT_MAX_ATTEMPTS times. Where one is cleaned up, a change that would be the same is begun anew on the newest
 * version, others are to be decided again.
 *
 * end  always written
 * out  the version made, also when somebody has cleaned it up since; the newest one, referenced, when there was nothing to commit
 *
 * Durable on return: whatever the version names, and its manifest, is on the disk before it gets its name, and the name on return.
 */
PN_NODISCARD pn_status pn_commit_run(pn_dataset *read, const pn_commit_plan *plan,
                                     pn_commit_end *end, pn_dataset **out, pn_error *err);

/*
 * For changes that can be decided anew: decide(context, read, ...) reads one version, prepares and runs a commit; as long as that
 * ends in CONFLICT with end->redo it is called again with the newest version. It begins with dataset's newest version.
 */
typedef pn_status (*pn_decide)(void *context, pn_dataset *read, pn_commit_end *end,
                               pn_dataset **out, pn_error *err);
PN_NODISCARD pn_status pn_commit_decided(pn_dataset *dataset, pn_decide decide, void *context,
                                         pn_dataset **out, pn_error *err);

/* Write version 1, once what was written before (NULL: nothing) is on the disk. EXISTS when somebody else did; end and out as above. */
PN_NODISCARD pn_status pn_commit_create(const char *table, Pn__Table__Manifest *manifest,
                                        Pn__Table__Transaction *txn, pn_sync_list *unsynced,
                                        pn_commit_end *end, pn_dataset **out, pn_error *err);

/* ---- what applies have in common ---- */

/* The fragment gets the next id of the table. Whoever commits first gets the lower one. */
PN_NODISCARD pn_status pn_draft_give_id(pn_draft *draft, Pn__Table__DataFragment *fragment,
                                        pn_error *err);

/*
 * In a table with stable row ids: give the rows of a new fragment ids and versions. Elsewhere nothing.
 * A list has an entry a row; NULL: all rows are new in this version.
 */
#define PN_ROW_ID_NEW UINT64_MAX
typedef struct pn_row_history {
    const uint64_t *ids;     /* PN_ROW_ID_NEW: of a row that had none */
    const uint64_t *created; /* the version that made the row; 0: this one */
    const uint64_t *updated; /* the version that changed it last; 0: this one */
} pn_row_history;
PN_NODISCARD pn_status pn_draft_give_row_ids(pn_draft *draft, Pn__Table__DataFragment *fragment,
                                             const pn_row_history *history, pn_error *err);
bool pn_has_row_ids(const Pn__Table__Manifest *manifest);

/* Once the fragments are final: the flags that follow from them. */
void pn_draft_set_flags(pn_draft *draft);

#endif

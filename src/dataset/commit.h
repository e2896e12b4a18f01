/*
 * commit.h - the one rename that makes a version
 */
#ifndef PN_DATASET_COMMIT_H
#define PN_DATASET_COMMIT_H

#include "dataset/internal.h"

/*
 * Called with the newest version, which may be later than the one the change was decided on: fill the operation of
 * txn and change next (a copy of newest's manifest, of which version, time, writer and transaction are set already). All
 * memory for both comes from arena. CONFLICT ends the commit; *nothing true: there is nothing to commit.
 */
typedef pn_status (*pn_commit_apply)(void *context, pn_dataset *newest, Pn__Table__Manifest *next,
                                     Pn__Table__Transaction *txn, pn_arena *arena, bool *nothing,
                                     pn_error *err);

typedef struct pn_commit_plan {
    pn_commit_apply apply;
    /* True when the change cannot stand after this transaction of another writer. */
    bool (*conflicts)(const void *context, const Pn__Table__Transaction *theirs);
    /* Remove the files that the last apply wrote: its version was not published. */
    void (*undo)(void *context);
    void *context;
} pn_commit_plan;

/*
 * Commit a change decided on `read`. Transactions since then are checked against the plan's conflicts; a lost race is
 * applied again to the newer version, up to PN_COMMIT_MAX_ATTEMPTS times.
 *
 * published  true once a version with the change is visible, also when an error follows (its name may not last a power
 *            cut, or it could not be read back): the files it names must stay
 * out        the version made; the newest one, referenced, when there was nothing to commit
 *
 * Durable on return: data is expected to be synced already, transaction and manifest are synced here, then the folder.
 */
PN_NODISCARD pn_status pn_commit_run(pn_dataset *read, const pn_commit_plan *plan, bool *published,
                                     pn_dataset **out, pn_error *err);

/* Write version 1. EXISTS when somebody else did. */
PN_NODISCARD pn_status pn_commit_create(const char *table, Pn__Table__Manifest *manifest,
                                        Pn__Table__Transaction *txn, pn_error *err);

/* 16 random bytes as Lance names data files: 24 binary digits, 26 hex digits, ".lance". */
#define PN_DATA_FILE_NAME_BYTES 64
void pn_commit_data_file_name(char out[PN_DATA_FILE_NAME_BYTES]);

#endif

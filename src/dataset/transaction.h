/*
 * transaction.h - what a commit did, and whether two of them can stand side by side
 */
#ifndef PN_DATASET_TRANSACTION_H
#define PN_DATASET_TRANSACTION_H

#include <table.pb-c.h>

#include "base/status.h"

/* The operations of the format; the first PN_OPERATION_OURS are the ones that we commit. */
typedef enum pn_operation {
    PN_OPERATION_APPEND,
    PN_OPERATION_DELETE,
    PN_OPERATION_UPDATE,
    PN_OPERATION_REWRITE,
    PN_OPERATION_MERGE,
    PN_OPERATION_PROJECT,
    PN_OPERATION_OVERWRITE,
    PN_OPERATION_RESTORE,
    PN_OPERATION_CREATE_INDEX,
    PN_OPERATION_OURS,
    PN_OPERATION_CONFIG = PN_OPERATION_OURS,
    PN_OPERATION_RESERVE,
    PN_OPERATION_REPLACE_DATA,
    PN_OPERATION_OVERLAY,
    PN_OPERATION_MEM_WAL,
    PN_OPERATION_REUSE,
    PN_OPERATION_CLONE,
    PN_OPERATION_BASES,
    PN_OPERATION_UNKNOWN,
    PN_OPERATION_COUNT
} pn_operation;

typedef enum pn_verdict {
    PN_VERDICT_STANDS, /* apply ours on top of theirs */
    PN_VERDICT_REDO,   /* ours was decided on what is no longer so: decide again */
    PN_VERDICT_FAILS   /* the table is another one now */
} pn_verdict;

/* What we want to commit. touches may be NULL: none of the fragments that were there before. */
typedef struct pn_intent {
    pn_operation operation;
    bool (*touches)(const void *context, uint64_t fragment_id);
    const void *context;
} pn_intent;

/* UNKNOWN for a message without an operation, or with one of a newer format. */
pn_operation pn_transaction_operation(const Pn__Table__Transaction *transaction);

/* "append", "delete", ... for people; never NULL. */
const char *pn_transaction_name(const Pn__Table__Transaction *transaction);

/* Can ours be committed after theirs, of which it does not know? theirs may be NULL: nothing can be said. */
pn_verdict pn_transaction_judge(const pn_intent *ours, const Pn__Table__Transaction *theirs);

/* The table's cell, for tests: '+' stands, '!' fails, 'r' redo, or a letter of the legend in transaction.c. */
char pn_transaction_rule(pn_operation ours, pn_operation theirs);

#endif

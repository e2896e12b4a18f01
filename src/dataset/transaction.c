/*
 * transaction.c - the table of conflicts
 *
 * A commit that finds that others were faster asks for each of their transactions whether its own can be applied on top. The
 * answer is a cell of a table, row: ours, column: theirs:
 *
 *     +   it stands
 *     !   it fails: the table was replaced, or nobody can say
 *     r   it must be decided again on the newer version
 *     f   decided again when theirs changed a fragment that ours is about
 *     d   as f; but deletions of one fragment are united when ours is applied, which looks at the rows and the files
 *     i   decided again when theirs indexed a fragment that ours moves
 *     m   decided again when theirs changed the metadata of the schema or of fields
 *
 * An index covers what is left of its fragments when it is committed (vector_indexes.c).
 *
 * What a letter leaves open is decided where there is more to look at than the transaction: whether rows were deleted twice and
 * whether a column came that may not be null is asked of the newest version when the change is applied to it (change.c).
 * "Decided again" is done by the function that decided (compaction, upsert, columns), or told its caller as CONFLICT.
 * Source: the Lance table format's transaction rules, as LanceDB 0.39 follows them.
 */
#include "dataset/transaction.h"

#include <string.h>

/* clang-format off */
static const char rules[PN_OPERATION_OURS][PN_OPERATION_COUNT + 1] = {
    /* theirs: Append Delete Update Rewrite Merge Project Overwrite Restore, create Index Config reServe replace Data,
     *         overlaY mem-Wal reUse cLone Bases, and what we do not know
     *              A D U R M P O R    I C S D    Y W U L B ?  */
    /* append    */ "++++++!!" "++++" "+!+++!",
    /* delete    */ "+ddfr+!!" "+++f" "+!+++!",
    /* update    */ "+ddfr+!!" "+++f" "f++++!",
    /* rewrite   */ "+fffr+!!" "i++f" "f+r++!",
    /* merge     */ "rrrrr!!!" "+m+r" "r!+++!",
    /* project   */ "++++rr!!" "++++" "+!+++!",
    /* overwrite */ "++++++r+" "++++" "+!+++!",
    /* restore   */ "++++++++" "++++" "+!+++!",
    /* index     */ "++++++!!" "+++f" "f!+++!",
};
/* clang-format on */

typedef struct operation_name {
    Pn__Table__Transaction__OperationCase message;
    pn_operation operation;
    const char *name;
} operation_name;

static const operation_name names[] = {
    {PN__TABLE__TRANSACTION__OPERATION_APPEND, PN_OPERATION_APPEND, "append"},
    {PN__TABLE__TRANSACTION__OPERATION_DELETE, PN_OPERATION_DELETE, "delete"},
    {PN__TABLE__TRANSACTION__OPERATION_OVERWRITE, PN_OPERATION_OVERWRITE, "overwrite"},
    {PN__TABLE__TRANSACTION__OPERATION_CREATE_INDEX, PN_OPERATION_CREATE_INDEX, "create index"},
    {PN__TABLE__TRANSACTION__OPERATION_REWRITE, PN_OPERATION_REWRITE, "compact"},
    {PN__TABLE__TRANSACTION__OPERATION_MERGE, PN_OPERATION_MERGE, "merge"},
    {PN__TABLE__TRANSACTION__OPERATION_RESTORE, PN_OPERATION_RESTORE, "restore"},
    {PN__TABLE__TRANSACTION__OPERATION_RESERVE_FRAGMENTS, PN_OPERATION_RESERVE,
     "reserve fragments"},
    {PN__TABLE__TRANSACTION__OPERATION_UPDATE, PN_OPERATION_UPDATE, "update"},
    {PN__TABLE__TRANSACTION__OPERATION_PROJECT, PN_OPERATION_PROJECT, "project"},
    {PN__TABLE__TRANSACTION__OPERATION_UPDATE_CONFIG, PN_OPERATION_CONFIG, "configure"},
    {PN__TABLE__TRANSACTION__OPERATION_DATA_REPLACEMENT, PN_OPERATION_REPLACE_DATA, "replace data"},
    {PN__TABLE__TRANSACTION__OPERATION_DATA_OVERLAY, PN_OPERATION_OVERLAY, "overlay data"},
    {PN__TABLE__TRANSACTION__OPERATION_UPDATE_MEM_WAL, PN_OPERATION_MEM_WAL, "update log state"},
    {PN__TABLE__TRANSACTION__OPERATION_APPEND_REUSE, PN_OPERATION_REUSE, "append fragment reuse"},
    {PN__TABLE__TRANSACTION__OPERATION_CLONE, PN_OPERATION_CLONE, "clone"},
    {PN__TABLE__TRANSACTION__OPERATION_UPDATE_BASES, PN_OPERATION_BASES, "update bases"},
};

static const operation_name *find_name(const Pn__Table__Transaction *transaction)
{
    for (size_t i = 0; transaction && i < PN_COUNT_OF(names); i++)
        if (names[i].message == transaction->operation_case)
            return &names[i];
    return NULL;
}

pn_operation pn_transaction_operation(const Pn__Table__Transaction *transaction)
{
    const operation_name *found = find_name(transaction);
    return found ? found->operation : PN_OPERATION_UNKNOWN;
}

const char *pn_transaction_name(const Pn__Table__Transaction *transaction)
{
    const operation_name *found = find_name(transaction);
    if (found && found->operation == PN_OPERATION_OVERWRITE && transaction->read_version == 0)
        return "create";
    return found ? found->name : "unknown";
}

char pn_transaction_rule(pn_operation ours, pn_operation theirs)
{
    pn_assert(ours < PN_OPERATION_OURS && theirs < PN_OPERATION_COUNT);
    return rules[ours][theirs];
}

/* ---- what theirs is about ---- */

static bool touches(const pn_intent *ours, uint64_t fragment_id)
{
    return ours->touches && ours->touches(ours->context, fragment_id);
}

static bool touches_any(const pn_intent *ours, Pn__Table__DataFragment *const *fragments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (touches(ours, fragments[i]->id))
            return true;
    return false;
}

static bool touches_ids(const pn_intent *ours, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (touches(ours, ids[i]))
            return true;
    return false;
}

static bool touches_rewritten(const pn_intent *ours, const Pn__Table__Rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->n_groups; i++)
        if (touches_any(ours, rewrite->groups[i]->old_fragments,
                        rewrite->groups[i]->n_old_fragments))
            return true;
    return touches_any(ours, rewrite->old_fragments, rewrite->n_old_fragments);
}

static bool touches_replaced(const pn_intent *ours, const Pn__Table__DataReplacement *replacement)
{
    for (size_t i = 0; i < replacement->n_replacements; i++)
        if (touches(ours, replacement->replacements[i]->fragment_id))
            return true;
    return false;
}

static bool shares_fragments(const pn_intent *ours, const Pn__Table__Transaction *theirs)
{
    switch ((int)theirs->operation_case) {
    case PN__TABLE__TRANSACTION__OPERATION_DELETE:
        return touches_any(ours, theirs->delete_->updated_fragments,
                           theirs->delete_->n_updated_fragments) ||
               touches_ids(ours, theirs->delete_->deleted_fragment_ids,
                           theirs->delete_->n_deleted_fragment_ids);
    case PN__TABLE__TRANSACTION__OPERATION_UPDATE:
        return touches_any(ours, theirs->update->updated_fragments,
                           theirs->update->n_updated_fragments) ||
               touches_ids(ours, theirs->update->removed_fragment_ids,
                           theirs->update->n_removed_fragment_ids);
    case PN__TABLE__TRANSACTION__OPERATION_REWRITE:
        return touches_rewritten(ours, theirs->rewrite);
    case PN__TABLE__TRANSACTION__OPERATION_DATA_REPLACEMENT:
        return touches_replaced(ours, theirs->data_replacement);
    case PN__TABLE__TRANSACTION__OPERATION_DATA_OVERLAY:
        return touches_replaced(ours, theirs->data_overlay);
    default:
        return true;
    }
}

/* An index that covers fragments of ours would answer with the addresses that they had. Its bitmap need not be opened to know:
 * a new index covers all there is, or nearly so. Dropping one is nobody's conflict. */
static bool indexes(const Pn__Table__CreateIndex *created)
{
    return created->n_new_indices > 0;
}

static bool changes_schema_metadata(const Pn__Table__UpdateConfig *config)
{
    return config->schema_metadata || config->n_field_metadata > 0;
}

pn_verdict pn_transaction_judge(const pn_intent *ours, const Pn__Table__Transaction *theirs)
{
    switch (pn_transaction_rule(ours->operation, pn_transaction_operation(theirs))) {
    case '+':
    case 'd':
        return PN_VERDICT_STANDS;
    case 'r':
        return PN_VERDICT_REDO;
    case 'f':
        return shares_fragments(ours, theirs) ? PN_VERDICT_REDO : PN_VERDICT_STANDS;
    case 'i':
        return indexes(theirs->create_index) ? PN_VERDICT_REDO : PN_VERDICT_STANDS;
    case 'm':
        return changes_schema_metadata(theirs->update_config) ? PN_VERDICT_REDO : PN_VERDICT_STANDS;
    default:
        return PN_VERDICT_FAILS;
    }
}

/*
 * change.h - rows that go, and rows that come in the same version
 */
#ifndef PN_DATASET_CHANGE_H
#define PN_DATASET_CHANGE_H

#include "dataset/commit.h"

/* The lists of fragments, as they fill when a change is applied. */
struct pn_effect {
    Pn__Table__DataFragment **fragments; /* of the next version */
    size_t n_fragments;
    Pn__Table__DataFragment **updated; /* of the transaction */
    size_t n_updated;
    uint64_t *removed;
    size_t n_removed;
};

typedef struct pn_change {
    pn_dataset *read;                     /* the version it was decided on */
    const pn_rowset *rows;                /* to delete; NULL: none */
    const Pn__Table__DataFragment *added; /* of new rows; NULL: none */
    const pn_row_history *history;        /* of the new rows; NULL: they have none */
    pn_sync_list *unsynced;               /* the plan's: files of the new rows; NULL: none */
    const char *predicate;                /* of a delete, for its record; may be NULL */
    bool must_all_be_there;               /* a replacement: a row that is gone is a conflict */
    uint64_t n_deleted;                   /* by the last try */
    struct pn_effect effect;              /* of the last try; lives while the try does */
} pn_change;

/* An append, an update or a delete, as rows and added say. */
PN_NODISCARD pn_status pn_change_commit(pn_change *change, pn_commit_end *end, pn_dataset **out,
                                        pn_error *err);

/* The parts of its plan (commit.h), for plans that decide anew at each try; context is a pn_change. */
PN_NODISCARD pn_status pn_change_apply(void *context, pn_dataset *newest, pn_draft *draft,
                                       pn_error *err);
void pn_change_undo(void *context);
bool pn_change_touches(const void *context, uint64_t fragment_id);

/* INVALID for addresses that a version does not have. */
PN_NODISCARD pn_status pn_change_check_rows(const pn_dataset *dataset, const pn_rowset *rows,
                                            pn_error *err);

/* Do the bytes of values mean the same? */
bool pn_same_type(const pn_field *a, const pn_field *b);
/* And would a data file for the one list of fields be the same for the other? */
bool pn_same_columns(const pn_field *a, const pn_field *b, size_t n_a, size_t n_b);

/* The columns of a batch by name, in the order of schema; absent ones are null. INVALID: another type, a null where none may
 * be, a column that the schema lacks. They live in arena and with the batch. */
PN_NODISCARD pn_status pn_rows_in_order(const pn_schema *schema, const pn_batch *batch,
                                        pn_arena *arena, pn_array **out, pn_error *err);

#endif

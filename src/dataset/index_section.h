/*
 * index_section.h - the list of indexes that a version carries
 *
 * The indexes are LanceDB's own; we do not read them, but keep the list true: which columns, which fragments.
 */
#ifndef PN_DATASET_INDEX_SECTION_H
#define PN_DATASET_INDEX_SECTION_H

#include "dataset/commit.h"

/* Once the draft's fields are final: indexes of columns that are gone go, too. */
PN_NODISCARD pn_status pn_indexes_keep_fields(pn_draft *draft, pn_error *err);

/* Fragments that are replaced by one with the same rows. */
typedef struct pn_index_move {
    const uint64_t *old_ids;
    size_t n_old;
    uint64_t new_id;
    bool keeps_ids; /* indexes hold ids that stay with their rows, each row's once */
} pn_index_move;

/*
 * Rows move: no index covers the old fragments any more. The new one is covered only where its rows keep their ids and all of
 * them were; elsewhere LanceDB searches its rows one by one until its next optimize.
 */
PN_NODISCARD pn_status pn_indexes_move(pn_draft *draft, const pn_index_move *moves, size_t n,
                                       pn_error *err);

/*
 * For each fragment of a version a number that says which indexes cover it: two fragments of one number are covered alike.
 * classes [n_fragments] is in arena.
 */
PN_NODISCARD pn_status pn_indexes_classes(const pn_dataset *dataset, pn_arena *arena,
                                          uint64_t **classes, pn_error *err);

/* The name of an index of a top-level column, or of what is below it; in arena, NULL: there is none. */
PN_NODISCARD pn_status pn_indexes_find(const pn_dataset *dataset, const pn_field *column,
                                       pn_arena *arena, const char **name, pn_error *err);

#endif

/*
 * index_section.h - the list of indexes that a version carries
 *
 * The indexes are LanceDB's own; here the list is kept true: which columns, which fragments. Those of vectors are told by vector_indexes.h.
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

/*
 * The indexes of one column go, and one comes in their place: into the draft's list, and as its transaction.
 *
 * added      NULL: none comes
 * n_removed  how many segments went
 */
PN_NODISCARD pn_status pn_indexes_replace(pn_draft *draft, int32_t field_id,
                                          Pn__Table__IndexMetadata *added, size_t *n_removed,
                                          pn_error *err);
/* Is this one of that column alone, with a place of its own? */
bool pn_index_is_of(const Pn__Table__IndexMetadata *index, int32_t field_id);

/* The name of an index of a top-level column, or of what is below it; in arena, NULL: there is none. */
PN_NODISCARD pn_status pn_indexes_find(const pn_dataset *dataset, const pn_field *column,
                                       pn_arena *arena, const char **name, pn_error *err);

#endif

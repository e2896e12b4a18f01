/*
 * vector_indexes.h - the indexes of LanceDB that a version has of a column of vectors
 *
 * An index has a name and one or more segments, each a folder below _indices that covers some fragments. What is in the folders is not
 * looked at here.
 */
#ifndef PN_DATASET_VECTOR_INDEXES_H
#define PN_DATASET_VECTOR_INDEXES_H

#include "dataset/dataset.h"

typedef struct pn_vector_index {
    const char *name, *folder; /* of the index; of the segment */
    uint8_t uuid[16];
    uint64_t table_version; /* that it was made of */
    size_t *fragments;      /* [n_fragments] those of this version that it covers, counted from 0 */
    size_t n_fragments;
    const char *refused; /* NULL, or why it cannot be used whatever is in it */
} pn_vector_index;

/* In the order of the list. Everything lives in arena. CORRUPT: the list is damaged. */
PN_NODISCARD pn_status pn_dataset_vector_indexes(const pn_dataset *dataset, const char *column,
                                                 pn_arena *arena, pn_vector_index **out, size_t *n,
                                                 pn_error *err);

/* One that was written in LanceDB's format, kind IVF_PQ by cosine, 8 bits a code, and is to be seen by all. */
typedef struct pn_vector_index_file {
    const char *name;
    uint64_t bytes;
} pn_vector_index_file;

typedef struct pn_new_vector_index {
    const char *name, *column;
    uint8_t uuid[16];        /* its files are in _indices/<uuid>, synced */
    const size_t *fragments; /* [n_fragments] of the version it was made of, counted from 0 */
    size_t n_fragments;
    size_t n_subs;
    const pn_vector_index_file *files;
    size_t n_files;
} pn_new_vector_index;

/*
 * Commit it, in the place of all that the column had. Fragments that went, or got other vectors, meanwhile are not covered.
 *
 * dataset    the version it was made of
 * n_removed  segments that went
 * published  always written: it is in a version now, also when an error follows, and its files must stay
 *
 * Errors: UNSUPPORTED: a table with stable row ids; CONFLICT: nothing is left that it covers; NOT_FOUND: the column is gone.
 */
PN_NODISCARD pn_status pn_dataset_add_vector_index(pn_dataset *dataset,
                                                   const pn_new_vector_index *index,
                                                   size_t *n_removed, bool *published,
                                                   pn_dataset **out, pn_error *err);
/* Commit that the column has none; their files stay for older versions, until those are cleaned up. */
PN_NODISCARD pn_status pn_dataset_drop_vector_indexes(pn_dataset *dataset, const char *column,
                                                      size_t *n_dropped, pn_dataset **out,
                                                      pn_error *err);

#endif

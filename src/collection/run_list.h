/*
 * run_list.h - the vectors of fragments, one after another, as runs to scan or to index
 */
#ifndef PN_COLLECTION_RUN_LIST_H
#define PN_COLLECTION_RUN_LIST_H

#include "dataset/dataset.h"
#include "index/flat_index.h"

/* Zero it first; pn_free(runs) at the end. runs moves when it grows. */
typedef struct pn_run_list {
    pn_flat_run *runs;
    size_t n, capacity;
} pn_run_list;

/* Add one. */
PN_NODISCARD pn_status pn_run_list_push(pn_run_list *list, const pn_flat_run *run, pn_error *err);

/*
 * Add the runs of a fragment, none when it has no vectors: physical rows, with the fragment's deletions.
 *
 * any_length  the vectors need not be unit vectors
 * allowed     words of the fragment that lets rows pass, or NULL
 */
PN_NODISCARD pn_status pn_run_list_add(pn_run_list *list, pn_dataset *dataset, size_t fragment_i,
                                       const char *column, bool any_length, const uint64_t *allowed,
                                       pn_error *err);

#endif

/*
 * run_list.c - the vectors of fragments, one after another, as runs to scan or to index
 */
#include "collection/run_list.h"

#include "base/alloc.h"

static pn_status reserve(pn_run_list *list, size_t more, pn_error *err)
{
    if (list->n + more <= list->capacity)
        return PN_OK;
    size_t capacity = PN_MAX(list->capacity * 2, list->n + more);
    pn_flat_run *grown = pn_realloc(list->runs, capacity * sizeof *grown);
    if (!grown)
        return pn_fail_nomem(err);
    list->runs = grown;
    list->capacity = capacity;
    return PN_OK;
}

pn_status pn_run_list_push(pn_run_list *list, const pn_flat_run *run, pn_error *err)
{
    PN_TRY(reserve(list, 1, err));
    list->runs[list->n++] = *run;
    return PN_OK;
}

pn_status pn_run_list_add(pn_run_list *list, pn_dataset *dataset, size_t fragment_i,
                          const char *column, bool any_length, const uint64_t *allowed,
                          pn_error *err)
{
    pn_fragment_info fragment;
    const pn_vector_run *runs;
    const uint64_t *deleted;
    size_t n;
    pn_dataset_fragment(dataset, fragment_i, &fragment);
    PN_TRY(pn_dataset_vectors(dataset, fragment_i, column, &runs, &n, err));
    PN_TRY(pn_dataset_deletions(dataset, fragment_i, &deleted, err));
    PN_TRY(reserve(list, n, err));
    for (size_t r = 0; r < n; r++)
        list->runs[list->n++] = (pn_flat_run){.vectors = runs[r].vectors,
                                              .fragment_id = fragment.id,
                                              .first_row = runs[r].first_row,
                                              .n_rows = runs[r].n_rows,
                                              .deleted = deleted,
                                              .allowed = allowed,
                                              .any_length = any_length,
                                              .units = runs[r].units};
    return PN_OK;
}

/*
 * recent_rows.c - 8-bit copies of the rows that no index covers yet
 *
 * A copy is known by where its vectors are mapped: while a version holds the file, nothing else can be there. It is of no use to a version
 * by which the same vectors are compared otherwise.
 */
#include "collection/recent_rows.h"

#include "base/alloc.h"
#include "collection/run_list.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct recent_run {
    const float *vectors;
    pn_flat_copy *copy;
} recent_run;

struct pn_recent_rows {
    _Atomic unsigned n_refs;
    pn_dataset *dataset;
    bool any_length;  /* they were divided by their lengths */
    recent_run *runs; /* [n] by vectors */
    size_t n;
};

static int by_vectors(const void *a, const void *b)
{
    const recent_run *x = a, *y = b;
    return ((uintptr_t)x->vectors > (uintptr_t)y->vectors) -
           ((uintptr_t)x->vectors < (uintptr_t)y->vectors);
}

pn_flat_copy *pn_recent_rows_find(const pn_recent_rows *recent, const pn_flat_run *run)
{
    const recent_run key = {.vectors = run->vectors}, *found = NULL;
    if (recent && recent->n > 0 && recent->any_length == run->any_length)
        found = bsearch(&key, recent->runs, recent->n, sizeof key, by_vectors);
    return found && found->copy->n_rows == run->n_rows ? found->copy : NULL;
}

static pn_status list_runs(pn_dataset *dataset, const size_t *fragments, size_t n_fragments,
                           const char *column, bool any_length, pn_run_list *list, pn_error *err)
{
    for (size_t i = 0; i < n_fragments; i++) {
        pn_error why;
        pn_status status =
            pn_run_list_add(list, dataset, fragments[i], column, any_length, NULL, &why);
        if (status == PN_ERR_NOMEM)
            return pn_fail_nomem(err);
    }
    return PN_OK;
}

/* The copy that there is already, or a new one. */
static pn_status copy_run(const pn_flat_run *run, size_t dim, const pn_recent_rows *before,
                          recent_run *out, pn_error *err)
{
    *out = (recent_run){run->vectors, pn_recent_rows_find(before, run)};
    if (!out->copy)
        return pn_flat_copy_make(run, dim, &out->copy, err);
    (void)pn_flat_copy_ref(out->copy);
    return PN_OK;
}

static pn_status copy_runs(const pn_run_list *list, size_t dim, const pn_recent_rows *before,
                           pn_recent_rows *out, pn_error *err)
{
    out->runs = pn_alloc_array(list->n + 1, sizeof *out->runs);
    if (!out->runs)
        return pn_fail_nomem(err);
    for (size_t r = 0; r < list->n; r++) {
        if (list->runs[r].n_rows < PN_RECENT_RUN_ROWS)
            continue;
        PN_TRY(copy_run(&list->runs[r], dim, before, &out->runs[out->n], err));
        out->n++;
    }
    qsort(out->runs, out->n, sizeof *out->runs, by_vectors);
    return PN_OK;
}

pn_status pn_recent_rows_make(pn_dataset *dataset, const size_t *fragments, size_t n_fragments,
                              const char *column, size_t dim, bool any_length,
                              const pn_recent_rows *before, pn_recent_rows **out, pn_error *err)
{
    pn_run_list list = {0};
    pn_recent_rows *recent = pn_alloc_zero(sizeof *recent);
    if (!recent)
        return pn_fail_nomem(err);
    atomic_store(&recent->n_refs, 1);
    recent->dataset = pn_dataset_ref(dataset);
    recent->any_length = any_length;
    pn_status status = list_runs(dataset, fragments, n_fragments, column, any_length, &list, err);
    if (status == PN_OK)
        status = copy_runs(&list, dim, before, recent, err);
    pn_free(list.runs);
    if (status == PN_OK)
        *out = recent;
    else
        pn_recent_rows_unref(recent);
    return status;
}

pn_recent_rows *pn_recent_rows_ref(pn_recent_rows *recent)
{
    if (recent)
        atomic_fetch_add(&recent->n_refs, 1);
    return recent;
}

void pn_recent_rows_unref(pn_recent_rows *recent)
{
    if (!recent || atomic_fetch_sub(&recent->n_refs, 1) != 1)
        return;
    for (size_t r = 0; r < recent->n; r++)
        pn_flat_copy_unref(recent->runs[r].copy);
    pn_free(recent->runs);
    pn_dataset_unref(recent->dataset);
    pn_free(recent);
}

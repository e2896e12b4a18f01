/*
 * lance_indexes.h - the vector indexes that LanceDB made of a table, and what they answer for
 *
 * They belong to a version, as the table's other files do, and cover whole fragments. pennon's own index is preferred where it
 * covers a fragment; where it does not, and LanceDB's does, a search goes through that. An index that cannot be used is named with
 * the reason, and its fragments are scanned. Rows of covered fragments that an index leaves out are scanned, too.
 *
 * How hard to look is measured at the first search (index/lance_ivf.h), once an opened index.
 *
 * Threads: the catalog is guarded by its owner; views are immutable and counted.
 */
#ifndef PN_COLLECTION_LANCE_INDEXES_H
#define PN_COLLECTION_LANCE_INDEXES_H

#include "collection/index_catalog.h"
#include "dataset/vector_indexes.h"
#include "index/lance_ivf.h"

/* Those that are open; zero it first. */
typedef struct pn_lance_catalog {
    struct pn_lance_open **opened;
    size_t n;
} pn_lance_catalog;

void pn_lance_catalog_reset(pn_lance_catalog *catalog);

/* The rows of a fragment that an index has. */
typedef struct pn_lance_part {
    uint32_t id, n_rows;
    const uint64_t *listed;
} pn_lance_part;

/* One index over one version. */
typedef struct pn_lance_view {
    const char *name;
    struct pn_lance_open *opened;
    const pn_lance_ivf *ivf;
    pn_lance_rows rows;
    const pn_lance_part *parts; /* [rows.n] in any order */
    uint64_t n_rows;            /* that a search may return */
} pn_lance_view;

/* One that is not used. */
typedef struct pn_lance_refusal {
    const char *name, *why;
} pn_lance_refusal;

typedef struct pn_lance_views {
    _Atomic unsigned n_refs;
    pn_dataset *dataset; /* keeps the vectors mapped */
    pn_arena arena;
    pn_lance_view *views;
    size_t n_views;
    uint32_t *view_of; /* [fragments of the dataset] or PN_NO_VIEW */
    uint64_t **
        left; /* [fragments of the dataset] rows that no index has, of those in a view; NULL: none */
    pn_lance_refusal *refused;
    size_t n_refused;
} pn_lance_views;

/* own: what pennon's indexes cover of the same version; NULL: nothing. Only NOMEM, and I/O of the table's own files, fail. */
PN_NODISCARD pn_status pn_lance_views_make(pn_lance_catalog *catalog, pn_dataset *dataset,
                                           const char *column, size_t dim, bool any_length,
                                           const pn_index_views *own, pn_lance_views **out,
                                           pn_error *err);
void pn_lance_views_unref(pn_lance_views *views); /* NULL is welcome */

/* The recall by effort, measured when it is first asked for. texts_folder: where texts are kept (index_texts.h). *out NULL: it
 * cannot be measured. Errors: NOMEM, CANCELLED. */
PN_NODISCARD pn_status pn_lance_view_measure(const pn_lance_view *view, size_t dim,
                                             const char *texts_folder, pn_pool *pool,
                                             const _Atomic bool *cancel,
                                             const pn_lance_measure **out, pn_error *err);

/* How many of a view's rows are allowed. */
uint64_t pn_lance_view_count(const pn_lance_view *view, const pn_rowset *allowed);

#endif

/*
 * index_catalog.h - the indexes of a table, and what they cover of a version
 *
 *     <table>.lance/_pennon/index/<uuid>.idx
 *
 * An index covers whole fragments. It is right for a version as far as the version has those fragments, recognised by id, number of rows and
 * file of its vectors, or what those were folded into; what was deleted since is masked, what came since is covered by no index and scanned
 * exactly, and so is a fragment with rows that were deleted when the index was built, as older versions and restored ones have. So an index is
 * never wrong, only more or less useful, and needs no place in the table's transactions: a file that appears is used from the
 * next search on, one that goes away is missed by nobody. A file that is damaged is reported and left out.
 *
 * Several indexes share a table: a large one for most of it and small ones for what came later. Where two cover a fragment the larger one
 * keeps it.
 *
 * Threads: a catalog is guarded by its owner; views are immutable and counted.
 */
#ifndef PN_COLLECTION_INDEX_CATALOG_H
#define PN_COLLECTION_INDEX_CATALOG_H

#include "dataset/dataset.h"
#include "index/index.h"

#define PN_INDEX_SUFFIX ".idx"

typedef struct pn_index_catalog pn_index_catalog;

/* Nothing is opened yet. NOMEM. */
PN_NODISCARD pn_status pn_index_catalog_create(const char *table, pn_index_catalog **out,
                                               pn_error *err);
void pn_index_catalog_free(pn_index_catalog *catalog); /* NULL is welcome */
const char *pn_index_catalog_folder(const pn_index_catalog *catalog);

/* Look whether files came or went since the last look, and open or close them. One look at the file system when nothing did. Only NOMEM
 * and IO of the folder fail; a file that cannot be opened is counted and left out. */
PN_NODISCARD pn_status pn_index_catalog_refresh(pn_index_catalog *catalog, pn_error *err);
/* Changes with every refresh that found something new. */
uint64_t pn_index_catalog_generation(const pn_index_catalog *catalog);
/* Files that could not be opened, and why the last one. */
size_t pn_index_catalog_damaged(const pn_index_catalog *catalog, const char **why);

/* One index over one version. */
typedef struct pn_index_view {
    const pn_index *index;
    const char *path;
    pn_vector_rows rows;
    pn_index_fragment *
        fragments; /* [n_fragments of the index]; without runs: not this index's, in this version */
    pn_flat_run *runs;
    struct pn_shared_mask *mask; /* NULL: every listed row */
    uint64_t n_rows;             /* that a search may return */
} pn_index_view;

#define PN_NO_VIEW UINT32_MAX

typedef struct pn_index_views {
    _Atomic unsigned n_refs;
    pn_dataset *dataset; /* keeps the vectors mapped */
    uint64_t generation;
    pn_index_view *views;
    size_t n_views;
    pn_arena arena;    /* of deletions as moved rows have them */
    uint32_t *view_of; /* [fragments of the dataset] the view that covers it, or PN_NO_VIEW */
    uint64_t n_covered, n_uncovered; /* rows, without deleted ones */
    struct pn_open_index **opened;   /* [n_views] */
} pn_index_views;

/*
 * dataset   a version; any_length: its vectors need not be unit vectors
 * column    of the vectors; dim: their length
 * before    the views of an earlier version, whose masks are kept where nothing was deleted since; NULL is welcome
 */
PN_NODISCARD pn_status pn_index_views_make(const pn_index_catalog *catalog, pn_dataset *dataset,
                                           const char *column, size_t dim, bool any_length,
                                           const pn_index_views *before, pn_index_views **out,
                                           pn_error *err);
pn_index_views *pn_index_views_ref(pn_index_views *views);
void pn_index_views_unref(pn_index_views *views);                   /* NULL is welcome */
const pn_index_mask *pn_index_view_mask(const pn_index_view *view); /* NULL: every listed row */

/* The mask of a view for rows that pass a filter. */
PN_NODISCARD pn_status pn_index_view_filter(const pn_index_view *view, const pn_rowset *allowed,
                                            pn_index_mask **out, pn_error *err);

#endif

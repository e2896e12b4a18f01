/*
 * snapshot.h - one pinned version of a table of this machine, and what is made of it on first use
 *
 * Shared inside this room by the local engine and what it consists of. Counted; immutable but for what mu guards.
 */
#ifndef PN_COLLECTION_SNAPSHOT_H
#define PN_COLLECTION_SNAPSHOT_H

#include "collection/engine.h"
#include "collection/filter_cache.h"
#include "collection/ids.h"
#include "collection/lance_indexes.h"
#include "collection/recent_rows.h"

#include <stdatomic.h>

/* The indexes of a table, shared by the snapshots of an engine, which outlives them. */
typedef struct pn_table_indexes {
    pthread_mutex_t mu;
    pn_index_catalog *catalog; /* guarded by mu */
    pn_index_views *latest;    /* those made last, whose masks the next ones share; guarded by mu */
    pn_lance_catalog lance;    /* LanceDB's own; guarded by mu */
    pn_recent_rows *recent;    /* those made last, which the next ones share; guarded by mu */
    bool was_scanned, is_copying; /* guarded by mu */
} pn_table_indexes;

PN_NODISCARD pn_status pn_table_indexes_init(pn_table_indexes *indexes, const char *table,
                                             pn_error *err);
void pn_table_indexes_reset(
    pn_table_indexes *indexes); /* also of one that was not initialised, all zero */
/* Look for files that came or went; *generation changes when there were any. */
PN_NODISCARD pn_status pn_table_indexes_refresh(pn_table_indexes *indexes, uint64_t *generation,
                                                pn_error *err);

struct pn_snapshot {
    _Atomic unsigned n_refs;
    pn_dataset *dataset;
    uint32_t dim;
    bool any_length; /* nobody says that the vectors have the length 1 */
    uint64_t generation;
    pn_table_indexes *indexes; /* NULL: none are used */
    pthread_mutex_t mu;
    pn_id_index *ids;      /* made on first use; guarded by mu */
    pn_index_views *views; /* likewise */
    pn_lance_views *lance; /* likewise */
    pn_recent_rows *before,
        *recent;    /* of an earlier version, and its own; set once; guarded by mu */
    bool is_copied; /* or cannot be; guarded by mu */
    pn_filter_cache filters;
};

/* Takes the dataset over, also on failure. */
PN_NODISCARD pn_status pn_snapshot_make(pn_dataset *dataset, pn_table_indexes *indexes,
                                        uint64_t generation, pn_snapshot **out, pn_error *err);
void pn_snapshot_unref(pn_snapshot *snapshot); /* NULL is welcome */

/* What the indexes cover of this version; lives with the snapshot. */
PN_NODISCARD pn_status pn_snapshot_views(pn_snapshot *snapshot, const pn_index_views **out,
                                         pn_error *err);
/* And what LanceDB's indexes cover of the rest. */
PN_NODISCARD pn_status pn_snapshot_lance_views(pn_snapshot *snapshot, const pn_lance_views **out,
                                               pn_error *err);
/*
 * Copies of rows that the views leave out, for a search that scans them; NULL when there are none. With may_make what is missing is made, but not
 * for the first search of an engine, which may be its only one. While one thread makes them others do with those of an
 * earlier version. They live with the snapshot.
 */
const pn_recent_rows *pn_snapshot_recent(pn_snapshot *snapshot, const pn_index_views *views,
                                         bool may_make);
PN_NODISCARD pn_status pn_snapshot_ids(pn_snapshot *snapshot, const pn_id_index **out,
                                       pn_error *err);

#endif

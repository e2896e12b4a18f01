/*
 * index_upkeep.h - which rows need an index, and building it beside a table that lives
 *
 * Indexes are levels of a log-structured merge (O'Neil et al. 1996): rows that came since make a small index of their own as soon as there are
 * PN_INDEX_DUE of them (PN_INDEX_DUE_ALIKE beside a large index, whose codes they take), and take along those not much larger than what is
 * built. So a row is built into an index about log2(n) times in its life, a table has few indexes, and rows of another kind than the older ones
 * get partitions of their own. An index most of whose rows are gone is built again with the next one.
 *
 * Nothing is stopped by it: searches use the old files until the new one has its name.
 */
#ifndef PN_COLLECTION_INDEX_UPKEEP_H
#define PN_COLLECTION_INDEX_UPKEEP_H

#include "collection/snapshot.h"
#include "os/lockfile.h"

/* A table of fewer rows is scanned in half a millisecond, by copies (recent_rows.h); PN_INDEX_DUE uncovered rows cost a search .16. */
enum { PN_INDEX_TABLE_ROWS = 20000, PN_INDEX_DUE = 8192, PN_INDEX_DUE_ALIKE = 1024 };

/* Would pn_index_upkeep_build() build something? */
bool pn_index_upkeep_is_due(const pn_index_views *views, bool is_wanted);

/* CONFLICT when another thread or process builds. Leftovers of those that were killed are removed. */
PN_NODISCARD pn_status pn_index_upkeep_lock(const char *folder, pn_lockfile **out, pn_error *err);

/* Holding the lock, with the newest version pinned after it was taken. */
PN_NODISCARD pn_status pn_index_upkeep_build(const char *folder, pn_snapshot *snapshot,
                                             const pn_engine_index_options *options,
                                             pn_engine_index_report *out, pn_error *err);
PN_NODISCARD pn_status pn_index_upkeep_drop(const char *folder, size_t *n_dropped, pn_error *err);

#endif

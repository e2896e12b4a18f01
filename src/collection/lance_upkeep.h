/*
 * lance_upkeep.h - an index in LanceDB's format, as a version of the table
 *
 * Built aside, in <table>.lance/_pennon/lance-index, because LanceDB's clean-up takes away at once what it finds in _indices and no version
 * names; then moved there and committed.
 */
#ifndef PN_COLLECTION_LANCE_UPKEEP_H
#define PN_COLLECTION_LANCE_UPKEEP_H

#include "collection/snapshot.h"

/*
 * Of all rows of the newest version, in the place of the indexes that LanceDB has of the vectors. One at a time: the caller has the lock of
 * index_upkeep.h. Of the options n_partitions, pool, cancel and progress count. Errors: those of pn_lance_ivf_build() and
 * pn_dataset_add_vector_index(), IO.
 */
PN_NODISCARD pn_status pn_lance_upkeep_build(const pn_snapshot *snapshot,
                                             const pn_engine_index_options *options,
                                             pn_engine_index_report *out, pn_error *err);

#endif

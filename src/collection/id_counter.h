/*
 * id_counter.h - the next id of a table, never one that was given before
 *
 * The largest id in the table is not enough: the row with it may have been deleted, and a shop that kept its id would then
 * find another product there. So the counter lies in a file of its own, next_id in the table's folder _pennon, and is raised
 * on disk before the rows are committed: a crash leaves a gap, never an id given twice. The file also says of which version
 * it was true; when another writer has made a newer one, the column of ids is looked at as well. A counter that is damaged is found out;
 * one that is lost is made again from all that the versions' files still hold.
 *
 * The caller holds the table's id lock.
 */
#ifndef PN_COLLECTION_ID_COUNTER_H
#define PN_COLLECTION_ID_COUNTER_H

#include "dataset/dataset.h"

typedef struct pn_ids_wanted {
    size_t n;
    int64_t above;   /* all of the version, as the caller knows; negative: it does not */
    bool were_given; /* ids were given before: that there is no counter says that it was lost */
} pn_ids_wanted;

/* Ids [*first, *first + n) belong to the caller from now on, and are above all of the version.
 * Errors: LIMIT when the ids are used up, IO, CORRUPT. */
PN_NODISCARD pn_status pn_id_counter_take(const char *folder, pn_dataset *dataset,
                                          const pn_ids_wanted *wanted, int64_t *first,
                                          pn_error *err);

/* Ids [next, end), the last that were taken, are given back, and no row of this version or an older one has an id from next on: the next
 * take need not look at the column. Nothing is done when others have taken ids since. When this cannot be written nothing is
 * lost but time. */
void pn_id_counter_settle(const char *folder, uint64_t version, int64_t next, int64_t end);

#endif

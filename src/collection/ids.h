/*
 * ids.h - the id column: row of an id, and one above the largest
 */
#ifndef PN_COLLECTION_IDS_H
#define PN_COLLECTION_IDS_H

#include "dataset/dataset.h"

typedef struct pn_id_index pn_id_index;

/* One scan of the id column; 16 bytes a row. In a table without one, a row's id is its address. */
PN_NODISCARD pn_status pn_id_index_make(pn_dataset *dataset, pn_id_index **out, pn_error *err);
void pn_id_index_free(pn_id_index *index); /* NULL is welcome */
/* Of several rows with one id the first by address. */
PN_NODISCARD bool pn_id_index_find(const pn_id_index *index, int64_t id, pn_row_addr *out);

/* One more than the largest id (0 in an empty table), of all rows or of those in fragments with ids from first_fragment on. */
PN_NODISCARD pn_status pn_next_id(pn_dataset *dataset, uint32_t first_fragment, int64_t *out,
                                  pn_error *err);

/* One more than the largest id that is in a file of a version that can be opened, rows that were deleted too: what is still known of the ids
 * that were given. Each file is read once. */
PN_NODISCARD pn_status pn_next_id_ever(const char *table, int64_t *out, pn_error *err);

#endif

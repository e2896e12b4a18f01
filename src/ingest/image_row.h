/*
 * image_row.h - finished pictures -> rows of the image table
 *
 * Collects the columns of image_schema.h that the table has; others stay null. Rows that replace one keep its id.
 * Threads: one at a time.
 */
#ifndef PN_INGEST_IMAGE_ROW_H
#define PN_INGEST_IMAGE_ROW_H

#include "collection/engine.h"
#include "column/builder.h"
#include "ingest/ingest_item.h"

typedef struct pn_row_batch pn_row_batch;

typedef enum pn_row_ids { PN_ROWS_WITHOUT_IDS, PN_ROWS_WITH_IDS } pn_row_ids;

/* schema: the table's; borrowed for the life of the batch. INVALID when a column cannot be null and we have nothing for it, or when a
 * column has another type than ours. */
PN_NODISCARD pn_status pn_row_batch_create(const pn_schema *schema, pn_row_ids ids,
                                           pn_row_batch **out, pn_error *err);
void pn_row_batch_free(pn_row_batch *rows); /* NULL is welcome */

/* now_ms stands in for a missing timestamp; id is used PN_ROWS_WITH_IDS only. */
PN_NODISCARD pn_status pn_row_batch_add(pn_row_batch *rows, const pn_ingest_item *item, int64_t id,
                                        int64_t now_ms, pn_error *err);
size_t pn_row_batch_length(const pn_row_batch *rows);
/* Lives until the next change of rows. */
PN_NODISCARD pn_status pn_row_batch_view(pn_row_batch *rows, pn_batch *out, pn_error *err);
void pn_row_batch_clear(pn_row_batch *rows);

#endif

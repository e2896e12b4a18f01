/*
 * upsert.h - rows take the place of those that have the same key, or come as new ones (LanceDB: merge insert)
 *
 *     begin(table, columns that come, options) ... batch, batch, ... commit
 *
 * The rows may have fewer columns than the table. A matched row then keeps what it has in the others; in a new one they are null.
 *
 * Keys: numbers, texts, bytes, times, decimals, booleans, of one column or several together. A key with a null matches nothing. A key
 * that comes twice is INVALID, naming it; one that the table has twice updates both rows.
 *
 * Everything is one commit. When another writer commits in between, what he added is looked through: if it has none of the keys the
 * upsert stands, otherwise it is decided again. No key is inserted twice by two upserts at the same time.
 *
 * Memory: the keys that come (upsert_keys.h), 32 bytes for each row that is matched, and a batch of rows. Time: the key columns of
 * the table are read once. The rows that come wait in a data file of the table that no version names.
 * Threads: one at a time.
 */
#ifndef PN_DATASET_UPSERT_H
#define PN_DATASET_UPSERT_H

#include "dataset/dataset.h"

typedef struct pn_upsert_options {
    const char *const *keys; /* columns; at least one */
    size_t n_keys;
    bool leave_matched;         /* rows whose key is in the table already change nothing there */
    bool leave_unmatched;       /* rows whose key is not there are not inserted */
    bool delete_missing;        /* rows of the table whose key did not come are deleted */
    const char *delete_where;   /* of them only those that pass this filter; NULL: all */
    const _Atomic bool *cancel; /* NULL, or a flag to stop: nothing was changed then */
} pn_upsert_options;

typedef struct pn_upsert_report {
    uint64_t n_inserted, n_updated, n_deleted; /* rows of the table */
} pn_upsert_report;

typedef struct pn_upsert pn_upsert;

/*
 * source  the columns that come, by name, among them the keys; of the table's types
 * Errors: INVALID (a column that the table lacks, or of another type; keys; the filter), UNSUPPORTED (a key's type), IO.
 */
PN_NODISCARD pn_status pn_upsert_begin(pn_dataset *dataset, const pn_schema *source,
                                       const pn_upsert_options *options, pn_upsert **out,
                                       pn_error *err);
/* Columns of source, in any order; an absent one is null. INVALID: a key for the second time, by name. */
PN_NODISCARD pn_status pn_upsert_batch(pn_upsert *upsert, const pn_batch *batch, pn_error *err);
/*
 * Ends the upsert in every case. out: the new version; the newest one, referenced, when there was nothing to change.
 * Errors: INVALID: rows to insert lack a column that cannot be null; CONFLICT: the table was replaced, or others were faster again and
 *         again; CANCELLED, LIMIT, IO.
 */
PN_NODISCARD pn_status pn_upsert_commit(pn_upsert *upsert, pn_upsert_report *report,
                                        pn_dataset **out, pn_error *err);
void pn_upsert_abort(pn_upsert *upsert); /* removes its files; NULL is welcome */

#endif

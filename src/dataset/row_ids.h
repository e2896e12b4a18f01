/*
 * row_ids.h - stable row ids and versions of rows <-> what a fragment keeps of them
 *
 * In a table with the feature a fragment lists the id of each of its rows, deleted ones too, and the versions that made and last
 * changed them. Ids stay with a row when it moves to another fragment; indexes of such tables hold ids instead of addresses.
 */
#ifndef PN_DATASET_ROW_IDS_H
#define PN_DATASET_ROW_IDS_H

#include <table.pb-c.h>

#include "base/arena.h"
#include "base/status.h"

/* The ids of a fragment of n rows, in arena. CORRUPT when the bytes list another number; UNSUPPORTED: in a file of their own. */
PN_NODISCARD pn_status pn_row_ids_decode(const Pn__Table__DataFragment *fragment, size_t n,
                                         pn_arena *arena, uint64_t **ids, pn_error *err);
/* The shortest that tells n ids; the bytes are in arena. */
PN_NODISCARD pn_status pn_row_ids_encode(const uint64_t *ids, size_t n, pn_arena *arena,
                                         ProtobufCBinaryData *out, pn_error *err);

/* The version a row of n was made in; 1 where the fragment does not tell (the table is older than the field). */
PN_NODISCARD pn_status pn_row_created_decode(const Pn__Table__DataFragment *fragment, size_t n,
                                             pn_arena *arena, uint64_t **versions, pn_error *err);
/* The version a row was last changed in; the one it was made in where the fragment does not tell. */
PN_NODISCARD pn_status pn_row_updated_decode(const Pn__Table__DataFragment *fragment, size_t n,
                                             pn_arena *arena, uint64_t **versions, pn_error *err);
PN_NODISCARD pn_status pn_row_versions_encode(const uint64_t *versions, size_t n, pn_arena *arena,
                                              ProtobufCBinaryData *out, pn_error *err);

#endif

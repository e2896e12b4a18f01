/*
 * assemble.h - streams of leaves -> one array
 */
#ifndef PN_LANCE_ASSEMBLE_H
#define PN_LANCE_ASSEMBLE_H

#include "column/array.h"
#include "lance/stream.h"

/* streams[i] NULL: the leaf is not in the file and reads as null. All of a column's leaves together. out is in arena. */
PN_NODISCARD pn_status pn_assemble(const pn_field *field, const pn_leaf_path *paths,
                                   pn_stream *const *streams, size_t n_leaves, size_t n_rows,
                                   pn_arena *arena, pn_array *out, pn_error *err);

#endif

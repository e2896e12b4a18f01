/*
 * shred.h - arrays -> entries of each leaf, the way back from assemble
 */
#ifndef PN_LANCE_SHRED_H
#define PN_LANCE_SHRED_H

#include "column/array.h"
#include "lance/stream.h"

/* One entry. value is the row of the leaf's array, meaningful when stop is 0. */
typedef struct pn_entry {
    uint8_t rep, stop;
    size_t value;
} pn_entry;

typedef pn_status (*pn_entry_visit)(void *context, pn_entry entry, const pn_array *leaf,
                                    pn_error *err);

/* The path to the leaf_i-th leaf of a field, and the entries of rows [first, first + n) of its array in order. */
void pn_leaf_path_make(const pn_field *field, size_t leaf_i, pn_leaf_path *out);
PN_NODISCARD pn_status pn_shred(const pn_array *array, size_t first, size_t n,
                                const pn_leaf_path *path, pn_entry_visit visit, void *context,
                                pn_error *err);

/* Append the value at row i to a stream, as page_encode.h wants it; array NULL: a null, which has a slot all the same. The entry
 * is the caller's to append. */
PN_NODISCARD pn_status pn_shred_value(pn_stream *stream, const pn_field *leaf,
                                      const pn_array *array, size_t i, pn_error *err);
/* Values of fixed width without nulls, in an array and in the stream that they shall go to, may be appended as they lie, entries
 * and all. */
bool pn_shred_is_plain(const pn_stream *stream, const pn_array *array);
PN_NODISCARD pn_status pn_shred_plain(pn_stream *stream, const pn_array *array, size_t first,
                                      size_t n, pn_error *err);

#endif

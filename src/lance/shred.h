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

#endif

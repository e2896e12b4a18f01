/*
 * builder.h - append values, get an array
 *
 * A builder owns growable buffers for one field and builders for its children. Append to a nested column by
 * appending to its child first and then closing the row:
 *
 *     pn_builder *entries = pn_builder_child(map, 0);
 *     pn_builder_append_bytes(pn_builder_child(entries, 0), "color", 5, err);   key
 *     pn_builder_append_bytes(pn_builder_child(entries, 1), "red", 3, err);     value
 *     pn_builder_close_row(entries, err);                                       one struct
 *     pn_builder_close_row(map, err);                                           one map of what was appended since
 *
 * An append that fails (LIMIT, NOMEM) may leave a part of its row behind: clear or free the builder then.
 *
 * Threads: one at a time.
 */
#ifndef PN_COLUMN_BUILDER_H
#define PN_COLUMN_BUILDER_H

#include "column/array.h"

typedef struct pn_builder pn_builder;

/* field is borrowed and must outlive the builder and the arrays made. max_bytes bounds each buffer. */
PN_NODISCARD pn_status pn_builder_create(const pn_field *field, size_t max_bytes, pn_builder **out,
                                         pn_error *err);
void pn_builder_free(pn_builder *builder); /* NULL is welcome */
size_t pn_builder_length(const pn_builder *builder);
pn_builder *pn_builder_child(pn_builder *builder, size_t i);

/* INVALID when the field is not nullable. Nested columns get empty/zero children as Arrow wants them. */
PN_NODISCARD pn_status pn_builder_append_null(pn_builder *builder, pn_error *err);
/* BOOL, integers (LIMIT when it does not fit), dates, times, timestamps, durations. */
PN_NODISCARD pn_status pn_builder_append_i64(pn_builder *builder, int64_t value, pn_error *err);
PN_NODISCARD pn_status pn_builder_append_u64(pn_builder *builder, uint64_t value, pn_error *err);
/* Does a value stay finite as HALF, FLOAT or DOUBLE? Infinities and NaN are values of their own. */
bool pn_real_fits(double value, pn_type_id type);
/* HALF, FLOAT, DOUBLE: the nearest, ties to even. LIMIT: it does not fit. */
PN_NODISCARD pn_status pn_builder_append_double(pn_builder *builder, double value, pn_error *err);
/* STRING.., BINARY.., FIXED_SIZE_BINARY and every other fixed-width type as raw bytes (n must match). */
PN_NODISCARD pn_status pn_builder_append_bytes(pn_builder *builder, const void *bytes, size_t n,
                                               pn_error *err);
/* FIXED_SIZE_LIST of FLOAT: n must be the field's size. */
PN_NODISCARD pn_status pn_builder_append_floats(pn_builder *builder, const float *values, size_t n,
                                                pn_error *err);
/* LIST, LARGE_LIST, MAP, STRUCT, FIXED_SIZE_LIST: end one row made of what was appended to the children. */
PN_NODISCARD pn_status pn_builder_close_row(pn_builder *builder, pn_error *err);
/* Copy row i of an array of the same type. */
PN_NODISCARD pn_status pn_builder_append_row(pn_builder *builder, const pn_array *array, size_t i,
                                             pn_error *err);

/* View of what was appended; lives until the next append, clear or free. The children array is in the builder. */
PN_NODISCARD pn_status pn_builder_view(pn_builder *builder, pn_array *out, pn_error *err);
void pn_builder_clear(pn_builder *builder); /* length 0; keeps the memory */

#endif

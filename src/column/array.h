/*
 * array.h - values of one column, as Arrow lays them out
 *
 * A pn_array is a view: all pointers are borrowed from an arena or a mapping, and the function that makes one says
 * which. Immutable; may be shared between threads while its memory lives.
 *
 *     type                values                         offsets        children
 *     BOOL                bits, LSB first                -              -
 *     fixed width         packed little-endian values    -              -
 *     STRING.. BINARY..   bytes                          [length + 1]   -
 *     LIST, LARGE_LIST    -                              [length + 1]   item
 *     MAP                 -                              [length + 1]   entries (STRUCT of key, value)
 *     FIXED_SIZE_LIST     -                              -              item, length * size values
 *     STRUCT              -                              -              members, each of the same length
 *     NULL                -                              -              -
 *
 * Offsets are always 64 bits here, whatever the type's name says, so that no code has two versions; the first may
 * be other than 0. validity is NULL when every value is valid; bits LSB first, 1 = valid. Slots of invalid values
 * have unspecified content (but are there).
 */
#ifndef PN_COLUMN_ARRAY_H
#define PN_COLUMN_ARRAY_H

#include "base/bits.h"
#include "column/type.h"

typedef struct pn_array pn_array;
struct pn_array {
    const pn_field *field;
    size_t length;
    const uint8_t *validity;
    const void *values;
    const int64_t *offsets;
    const pn_array *children;
    size_t n_children;
};

static inline bool pn_array_is_valid(const pn_array *array, size_t i)
{
    return !array->validity || pn_bit_get(array->validity, i);
}

/* STRING, LARGE_STRING, BINARY, LARGE_BINARY, at a valid row. */
static inline pn_str pn_array_bytes(const pn_array *array, size_t i)
{
    return (pn_str){(const char *)array->values + array->offsets[i],
                    (size_t)(array->offsets[i + 1] - array->offsets[i])};
}

/* FIXED_SIZE_LIST of FLOAT: the row's field->size floats. */
static inline const float *pn_array_floats(const pn_array *array, size_t i)
{
    return (const float *)array->children[0].values + i * (size_t)array->field->size;
}

/* Integers of any width, dates, times, timestamps, durations as int64 (UINT64 above INT64_MAX wraps: ask _u64).
 * BOOL gives 0 or 1. */
int64_t pn_array_i64(const pn_array *array, size_t i);
uint64_t pn_array_u64(const pn_array *array, size_t i);
/* HALF, FLOAT, DOUBLE, and integers converted. */
double pn_array_double(const pn_array *array, size_t i);

/* Value of key in row i of a MAP<STRING, STRING>: true and *out set when the map has the key with a non-null value.
 * With a key twice the last one counts. */
PN_NODISCARD bool pn_array_map_get(const pn_array *array, size_t i, pn_str key, pn_str *out);

size_t pn_array_count_nulls(const pn_array *array);

/* Rows [start, start + length): values are shared, bitmaps are copied into arena when start is not a multiple of 8. */
PN_NODISCARD pn_status pn_array_slice(const pn_array *array, size_t start, size_t length,
                                      pn_arena *arena, pn_array *out, pn_error *err);
/* The rows at indices, in that order, copied into arena. */
PN_NODISCARD pn_status pn_array_gather(const pn_array *array, const uint32_t *indices, size_t n,
                                       pn_arena *arena, pn_array *out, pn_error *err);
/* One array after another, same field; copied into arena. n >= 1; of a single array *out is a view of it. */
PN_NODISCARD pn_status pn_array_concat(const pn_array *const *arrays, size_t n, pn_arena *arena,
                                       pn_array *out, pn_error *err);
/* Are both of one shape (types, sizes, nesting; names and units do not count) and equal, value by value (invalid slots ignored,
 * NaN equals NaN)? For tests and checks. */
bool pn_array_equal(const pn_array *a, const pn_array *b);

/* Equal-length arrays under a schema. A borrowed view, like its arrays. */
typedef struct pn_batch {
    const pn_schema *schema;
    const pn_array *columns; /* [schema->n_fields] */
    size_t n_rows;
} pn_batch;

const pn_array *pn_batch_column(const pn_batch *batch, const char *name); /* NULL: no such column */

#endif

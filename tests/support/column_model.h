/*
 * column_model.h - random columns of any nesting, and the plain trees that say what is in them
 *
 * A model_value is one value, written down the slow way: no buffers, no offsets, no bits. Property tests draw a field and a list
 * of model_values, do to the list what the code does to the column, and compare value by value, reading the column's buffers
 * only through the layout that column/array.h promises. Everything lives in the arena that is handed in.
 */
#ifndef PN_TESTS_SUPPORT_COLUMN_MODEL_H
#define PN_TESTS_SUPPORT_COLUMN_MODEL_H

#include "base/rng.h"
#include "column/array.h"
#include "column/builder.h"

typedef struct model_value model_value;
struct model_value {
    bool is_null;
    int64_t i;                /* BOOL, integers, dates, times; UINT64: its bits */
    double f;                 /* HALF, FLOAT, DOUBLE */
    pn_str bytes;             /* STRING.., BINARY.., FIXED_SIZE_BINARY, decimals */
    const model_value *items; /* of a list; entries of a MAP; members of a STRUCT */
    size_t n_items;
};

/* A field of any type; nested ones only while depth > 0. */
void model_random_field(pn_rng *rng, pn_arena *arena, unsigned depth, pn_field *out);
/* n values that fit the field; null only where the field allows it. */
model_value *model_random_values(pn_rng *rng, pn_arena *arena, const pn_field *field, size_t n);

pn_status model_append(pn_builder *builder, const model_value *value, pn_error *err);
/* An array of the values, in a builder: pn_builder_free(). Fails the running test when a value is refused. */
pn_builder *model_build(const pn_field *field, const model_value *values, size_t n, pn_array *out);

/* Is row i of the array this value? */
bool model_is(const pn_array *array, size_t i, const model_value *value);
/* Fails the running test when the array is not exactly these n values. */
void model_expect(const pn_array *array, const model_value *values, size_t n);

#endif

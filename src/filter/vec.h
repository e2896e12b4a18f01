/*
 * vec.h - values of one node for all rows: made, filled, read
 * Memory is the arena's. Threads: one at a time.
 */
#ifndef PN_FILTER_VEC_H
#define PN_FILTER_VEC_H

#include "filter/expr.h"

/* Words whose first n bits are 1. */
static inline uint64_t pn_word_mask(size_t word_i, size_t n)
{
    return (word_i + 1) * 64 <= n ? UINT64_MAX : ((uint64_t)1 << (n % 64)) - 1;
}

/* What the values of a column are to the language. */
pn_kind pn_field_kind(const pn_field *field);

/* n rows, all NULL. */
PN_NODISCARD pn_status pn_vec_create(pn_kind kind, pn_time_unit unit, size_t n, pn_arena *arena,
                                     pn_vec *out, pn_error *err);
/* The rows of an array; row i is index[i], NULL where that is negative. index NULL: rows 0 to n - 1. */
PN_NODISCARD pn_status pn_vec_load(const pn_array *array, const int64_t *index, size_t n,
                                   pn_arena *arena, pn_vec *out, pn_error *err);
/* Which rows are there, without their values. */
PN_NODISCARD pn_status pn_vec_load_validity(const pn_array *array, size_t n, pn_arena *arena,
                                            pn_vec *out, pn_error *err);
/* One value of an array of a scalar kind (kind NULL when it is null). LIMIT: a whole decimal beyond 64 bits. */
PN_NODISCARD pn_status pn_array_value(const pn_array *array, size_t i, pn_value *out,
                                      pn_error *err);

/* The entry of a key in row `row` of a map with text keys; the last one when it is there twice; -1: none. */
int64_t pn_map_find(const pn_array *map, int64_t row, pn_str key);

/* Row i of a scalar kind; of a const vec every row is the same. */
void pn_vec_get(const pn_vec *vec, size_t i, pn_value *out);
/* value is NULL or of the vec's kind. */
void pn_vec_set(pn_vec *vec, size_t i, const pn_value *value);

/* Validity of rows [64 * word_i, ...), of any kind, const or not, for a batch of n rows. */
uint64_t pn_vec_valid_word(const pn_vec *vec, size_t word_i, size_t n);

/* A BOOL vec of n rows from a BOOL or NULL vec that may be const. */
PN_NODISCARD pn_status pn_vec_spread_bool(pn_vec *vec, size_t n, pn_arena *arena, pn_error *err);

/*
 * The order of two values of comparable kinds: numbers among themselves (exact between integers and doubles; NaN is equal
 * to itself and above all), texts and bytes bytewise, FALSE before TRUE, dates and timestamps by the moment.
 */
int pn_value_compare(const pn_value *a, const pn_value *b);

/* out = a op b, op one of EQ NE LT LE GT GE. */
PN_NODISCARD pn_status pn_vec_compare(const pn_vec *a, const pn_vec *b, pn_expr_op op, size_t n,
                                      pn_arena *arena, pn_vec *out, pn_error *err);

/* Convert one value; false when it does not fit. Text is made in arena. *out_of_memory tells why, then. */
PN_NODISCARD bool pn_value_cast(const pn_value *in, pn_type_id type, pn_arena *arena, pn_value *out,
                                bool *out_of_memory);
/* Can values of kind be cast to type at all? */
bool pn_cast_is_possible(pn_kind from, pn_type_id type);
/* Kind and time unit of what a cast gives. */
pn_kind pn_cast_kind(pn_type_id type);
pn_time_unit pn_cast_unit(pn_kind from, pn_time_unit from_unit);

#endif

/*
 * plain_column.h - random columns as a table in a file has them: names that differ, texts that are UTF-8
 *
 * column_model.h draws any column that Arrow allows. What goes through text, and through a data file, is a little less.
 */
#ifndef PN_TESTS_SUPPORT_PLAIN_COLUMN_H
#define PN_TESTS_SUPPORT_PLAIN_COLUMN_H

#include "support/column_model.h"

/* Like model_random_field(); members of a struct have names of their own, one of them odd. */
void plain_random_field(pn_rng *rng, pn_arena *arena, const char *name, unsigned depth,
                        pn_field *out);
/* Like model_random_values(); texts have quotes, commas, line ends, NUL and letters from everywhere. */
model_value *plain_random_values(pn_rng *rng, pn_arena *arena, const pn_field *field, size_t n);

/* Can our writer write it? */
bool plain_is_writable(const pn_field *field);
/* Has a fixed-size list of floating-point numbers at its top: what an import takes for a vector. */
bool plain_is_vector(const pn_field *field);

#endif

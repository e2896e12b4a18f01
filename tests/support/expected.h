/*
 * expected.h - what the reference client reads from a table, as JSON, against our arrays
 *
 * The forms are those of $PN_SHARED_DIR/lance/FORMAT.md, section 17: bytes are {"$bin": hex}, maps {"$map": [[key, value]]},
 * dates and timestamps milliseconds, everything else plain JSON.
 */
#ifndef PN_TESTS_SUPPORT_EXPECTED_H
#define PN_TESTS_SUPPORT_EXPECTED_H

#include <jansson.h>

#include "column/array.h"

/* Parse a JSON file; fails the running test on the spot when that is not possible. json_decref(). */
json_t *expected_load(const char *path);

/* Is value i of array what the JSON says? */
bool expected_value_equal(const json_t *want, const pn_array *array, size_t i);

/* Every value of column; the first difference is printed with its row. want is an array of array->length values. */
bool expected_column_equal(const json_t *want, const pn_array *array, const char *name);

#endif

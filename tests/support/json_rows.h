/*
 * json_rows.h - batches for tests, written as JSON
 *
 *     [{"id": 1, "price": 2.5, "metadata": {"color": "red"}, "tags": ["a", null], "timestamp": "2024-03-17T09:30:00Z"}, {}]
 *
 * Columns that a row does not name are null. Timestamps and dates are texts or plain numbers of the column's unit. A fault in
 * the JSON fails the running test on the spot.
 */
#ifndef PN_TESTS_SUPPORT_JSON_ROWS_H
#define PN_TESTS_SUPPORT_JSON_ROWS_H

#include "column/array.h"
#include "column/builder.h"

typedef struct json_rows {
    const pn_schema *schema;
    pn_builder **builders;
    pn_array *arrays;
    pn_batch batch;
} json_rows;

void json_rows_make(const pn_schema *schema, const char *json, json_rows *out);
void json_rows_free(json_rows *rows); /* a zeroed one is welcome */

/* The table of docs/FILTER.md: one column of every kind that filters know. */
void json_rows_shop_schema(pn_arena *arena, pn_schema *out);

#endif

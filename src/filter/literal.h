/*
 * literal.h - text <-> single values: numbers, dates, times, bytes, type names
 * Threads: pure.
 */
#ifndef PN_FILTER_LITERAL_H
#define PN_FILTER_LITERAL_H

#include "filter/expr.h"

/* An unsigned number as the lexer cuts it: INT, UINT when it is larger, DOUBLE with a point or exponent. */
PN_NODISCARD bool pn_literal_number(pn_str text, pn_value *out);
/* Change the sign in place; false for what is no number or does not fit. */
PN_NODISCARD bool pn_literal_negate(pn_value *value);

/* "2024-03-17" -> DATE (a time behind it is dropped) */
PN_NODISCARD bool pn_literal_date(pn_str text, pn_value *out);
/* "2024-03-17 09:30:00.25" -> TIME in the coarsest of ms, us, ns that holds all its digits */
PN_NODISCARD bool pn_literal_time(pn_str text, pn_value *out);

/* out has room for text.len / 2 bytes. */
PN_NODISCARD bool pn_literal_hex(pn_str text, char *out);

bool pn_literal_is_one_character(pn_str text);

/* A SQL type name, any case: BOOL, INT8..UINT64, FLOAT, DOUBLE, STRING, DATE32, TIMESTAMP, or DECIMAL128 for what is then
 * refused. */
PN_NODISCARD bool pn_literal_type(pn_str name, pn_type_id *out);
/* The name the printer writes. */
const char *pn_literal_type_name(pn_type_id type);

/* value * (units of `from`) in units of `to`; false when it does not fit or is not whole. */
PN_NODISCARD bool pn_time_convert(int64_t value, pn_time_unit from, pn_time_unit to, int64_t *out);

#endif

/*
 * scalar_text.h - values without parts <-> text that reads back as the same value
 *
 *     BOOL                          true, false
 *     integers, TIME, DURATION      decimal, in the column's unit
 *     HALF, FLOAT, DOUBLE           the shortest decimal that reads back the same; NaN, Infinity, -Infinity
 *     STRING                        itself, UTF-8
 *     BINARY, FIXED_SIZE_BINARY     base64
 *     DATE                          2024-03-17 where the year has four digits, a number otherwise
 *     TIMESTAMP                     2024-03-17T09:05:00.250Z, with the digits of the unit; a number otherwise. In UTC.
 *     DECIMAL                       digits with a point
 */
#ifndef PN_TRANSFER_SCALAR_TEXT_H
#define PN_TRANSFER_SCALAR_TEXT_H

#include "base/buffer.h"
#include "column/array.h"
#include "column/builder.h"

bool pn_type_is_scalar(pn_type_id type); /* without parts: not a list, map, struct or null */

/*
 * The text of the valid value i behind out.
 *
 * is_bare  whether JSON writes it without quotes
 *
 * Errors: INVALID for a text that is not UTF-8; UNSUPPORTED for a decimal of an absurd scale; NOMEM, LIMIT.
 */
PN_NODISCARD pn_status pn_scalar_to_text(const pn_array *array, size_t i, pn_buffer *out,
                                         bool *is_bare, pn_error *err);

/* Append the value that text stands for. Errors: INVALID, LIMIT (it does not fit); both say what was there. */
PN_NODISCARD pn_status pn_scalar_from_text(pn_builder *builder, const pn_field *field, pn_str text,
                                           pn_error *err);

#endif

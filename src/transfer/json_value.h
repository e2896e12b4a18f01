/*
 * json_value.h - values of any type <-> JSON
 *
 *     scalars                     as scalar_text.h writes them, in quotes where JSON needs them
 *     LIST, FIXED_SIZE_LIST       [1, 2, null]
 *     STRUCT                      {"member": value}
 *     MAP                         {"key": value} where the keys are texts and each comes once, [[key, value], ...] otherwise
 *     nulls of every kind         null
 *
 * Reading takes both forms of a map, numbers and switches for texts, members in any order, and null for a member that is missing.
 */
#ifndef PN_TRANSFER_JSON_VALUE_H
#define PN_TRANSFER_JSON_VALUE_H

#include "base/buffer.h"
#include "column/array.h"
#include "column/builder.h"

#include <jansson.h>

/* Value i of an array, or null, behind out. Errors: INVALID, UNSUPPORTED name the column; NOMEM, LIMIT. */
PN_NODISCARD pn_status pn_value_to_json(const pn_array *array, size_t i, pn_buffer *out,
                                        pn_error *err);

/* A text as a JSON string behind out. It must be UTF-8. */
PN_NODISCARD pn_status pn_text_to_json(pn_str text, pn_buffer *out, pn_error *err);

/* A document from outside: NUL in texts is welcome, a key that comes twice is not. INVALID says what is wrong and at which character. */
PN_NODISCARD pn_status pn_json_parse(pn_str text, json_t **out, pn_error *err);

/* Append the value to builder, which was made for field; NULL is a null. Errors: INVALID, LIMIT name the column and what was there; a part
 * of the value may be in the builder then. */
PN_NODISCARD pn_status pn_value_from_json(pn_builder *builder, const pn_field *field,
                                          const json_t *value, pn_error *err);

/* Can the values of this field be told apart in JSON? UNSUPPORTED: a struct has two members of one name. */
PN_NODISCARD pn_status pn_value_check_field(const pn_field *field, pn_error *err);

#endif

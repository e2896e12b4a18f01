/*
 * guess_schema.h - the columns of a table that is to be made, from the first rows of what comes
 *
 *     true, false           bool
 *     whole numbers         int64
 *     numbers               double
 *     texts                 string, as is everything of which only nulls were seen
 *     arrays                list of what is in them; of the vector column: fixed_size_list<float> of the most frequent length
 *     objects               map<string, string> where all values are texts, a struct of all members seen otherwise
 *
 * In CSV, what stands in a field decides in the same way: digits with a leading zero are a text, [...] and {...} are JSON. All columns
 * may be null.
 */
#ifndef PN_TRANSFER_GUESS_SCHEMA_H
#define PN_TRANSFER_GUESS_SCHEMA_H

#include "column/type.h"

/*
 * text       whole rows; a last one that is not whole is passed over unless is_all
 * is_csv     otherwise NDJSON
 * vector_column  its name; NULL: none
 * out        in arena
 *
 * Errors: INVALID (not in that form; a column with values of different kinds, by name), NOMEM.
 */
PN_NODISCARD pn_status pn_schema_guess(pn_str text, bool is_all, bool is_csv,
                                       const char *vector_column, pn_arena *arena, pn_schema *out,
                                       pn_error *err);

#endif

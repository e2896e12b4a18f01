/*
 * schema_json.h - the columns of a table <-> JSON
 *
 *     {"columns": [{"name": "id", "type": "int64", "nullable": false},
 *                  {"name": "tags", "type": "list<string>", "nullable": true,
 *                   "children": [{"name": "item", "type": "string", "nullable": true}]}, ...],
 *      "metadata": {"pennon.model": "clip-vit-b-32"}}
 *
 * Types are written as pn_type_text() does. Children stand beside a nested type: the item of a list, the members of a struct, key and
 * value of a map; they say what the type's text does not, names and nullability. A fixed-size list of plain values has none.
 */
#ifndef PN_TRANSFER_SCHEMA_JSON_H
#define PN_TRANSFER_SCHEMA_JSON_H

#include "column/type.h"

#include <jansson.h>

/* A new object; NULL: no memory. Texts that are not UTF-8 are left out of the metadata. arena is scratch. */
json_t *pn_schema_to_json(const pn_schema *schema, pn_arena *arena);

/*
 * The other way, in arena. "nullable" may be left out (true), as may be the children of what its type's text says in full
 * ("list<string>", "map<string, string>"; a struct's may not), "columns" around a plain array of them, and "metadata". "dictionary" is
 * passed over: the values are what counts.
 * Errors: INVALID names the column and what is wrong with it; LIMIT (its depth), NOMEM.
 */
PN_NODISCARD pn_status pn_schema_from_json(const json_t *json, pn_arena *arena, pn_schema *out,
                                           pn_error *err);

#endif

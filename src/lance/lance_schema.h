/*
 * lance_schema.h - Lance `Field` messages <-> pn_schema
 *
 * On disk a schema is a flat list, depth first, with parent ids and type strings ("fixed_size_list:float:512"). In memory
 * it is a tree of pn_field. A fixed-size list of a primitive is one field on disk and a list with an item child in
 * memory; that child has the id -1.
 */
#ifndef PN_LANCE_LANCE_SCHEMA_H
#define PN_LANCE_LANCE_SCHEMA_H

#include <lance.pb-c.h>

#include "column/type.h"

/* Errors: CORRUPT (parents, depth), UNSUPPORTED (a type string, by name), LIMIT. All memory is in arena. */
PN_NODISCARD pn_status pn_lance_schema_decode(Pn__Lance__Field *const *fields, size_t n,
                                              pn_arena *arena, pn_schema *out, pn_error *err);

/*
 * May a table have these columns? Not those that we, or Lance's own reader, would refuse when the table is opened: names with a dot or of
 * Lance's own columns, the same name twice, types that no file can have. Errors: INVALID says which and why; LIMIT.
 */
PN_NODISCARD pn_status pn_lance_schema_check(const pn_schema *schema, pn_error *err);
/* Why no column of a table can be called that; NULL: one can. */
const char *pn_lance_name_fault(const char *name);

/* Depth first; every field but the items of fixed-size lists must have an id. */
PN_NODISCARD pn_status pn_lance_schema_encode(const pn_schema *schema, pn_arena *arena,
                                              Pn__Lance__Field ***fields, size_t *n, pn_error *err);

/* Give all fields ids, depth first, counting up from first_id. */
void pn_lance_schema_assign_ids(pn_schema *schema, int32_t first_id);

/* Leaves of one field or of all, depth first: the columns of a file since version 2.1. */
bool pn_lance_is_leaf(const pn_field *field);
size_t pn_lance_count_leaves(const pn_field *field);
PN_NODISCARD pn_status pn_lance_schema_leaf_ids(const pn_schema *schema, pn_arena *arena,
                                                int32_t **ids, size_t *n, pn_error *err);
/* Nodes of one field, but for the items of fixed-size lists; the ids of the columns that a file of version 2.minor has: of its
 * leaves, before 2.1 of its nodes. */
size_t pn_lance_count_nodes(const pn_field *field);
PN_NODISCARD pn_status pn_lance_schema_column_ids(const pn_schema *schema, uint16_t minor,
                                                  pn_arena *arena, int32_t **ids, size_t *n,
                                                  pn_error *err);

#endif

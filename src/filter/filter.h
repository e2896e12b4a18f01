/*
 * filter.h - SQL-like predicates: text -> tree -> the rows that match
 *
 *     text --parse--> pn_filter --bind(schema)--> the same, typed --eval(batch)--> pn_mask
 *
 * The language is described in docs/FILTER.md: comparisons, AND OR NOT, IN, LIKE, ILIKE, BETWEEN, IS [NOT] NULL, IS
 * [NOT] TRUE|FALSE, arithmetic, string and date functions, regexp_match, timestamp_ms(n), timestamp '...', date '...',
 * CAST, column names (quoted with " or ` or bare), nested struct.field, metadata['key'].
 * Three-valued logic: a row matches when the predicate is TRUE; NULL is not TRUE.
 * Threads: a bound filter is immutable; eval may run in several threads at once.
 */
#ifndef PN_FILTER_FILTER_H
#define PN_FILTER_FILTER_H

#include "column/array.h"
#include "column/mask.h"

typedef struct pn_filter pn_filter;

/*
 * Parse and bind in one step.
 *
 * text    UTF-8; an empty or blank text is INVALID (callers decide what "no filter" is)
 * schema  columns that names may refer to; must outlive the filter
 * arena   where the filter lives
 *
 * Errors: INVALID with three lines: the message with the column ("filter, column 17: unknown column \"colour\"; did
 *         you mean \"color\"?"), the line of the text, and a caret under the place. LIMIT for PN_FILTER_MAX_*.
 */
PN_NODISCARD pn_status pn_filter_compile(pn_str text, const pn_schema *schema, pn_arena *arena,
                                         pn_filter **out, pn_error *err);

/* Indices (ascending) of the top-level columns that eval reads. Lives with the filter. */
const size_t *pn_filter_columns(const pn_filter *filter, size_t *n);

/*
 * Which rows match? batch must be under the filter's schema, but only the columns of pn_filter_columns() need to
 * be there: the others' pn_array may be zeroed.
 * Errors: INVALID for run-time faults (integer division by zero, a CAST that fails); LIMIT; NOMEM.
 */
PN_NODISCARD pn_status pn_filter_eval(const pn_filter *filter, const pn_batch *batch,
                                      pn_arena *scratch, pn_mask *out, pn_error *err);

/* Canonical text: equal filters have equal text. For caches, explain and tests. */
PN_NODISCARD pn_status pn_filter_print(const pn_filter *filter, pn_arena *arena, char **out,
                                       pn_error *err);

#endif

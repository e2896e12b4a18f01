/*
 * facets.h - what a page can filter by, as JSON
 */
#ifndef PN_API_FACETS_H
#define PN_API_FACETS_H

#include "base/status.h"
#include "collection/engine.h"

#include <jansson.h>

/* The keys of the metadata column with their most frequent values, or their range when all are numbers; see
 * pn_table_facets_json(). *out is freed with pn_free(). Cost: one scan of the column. */
PN_NODISCARD pn_status pn_facets_compute(pn_engine *engine, pn_snapshot *snapshot,
                                         size_t max_values, char **out, pn_error *err);

/* Compact text of value (which is released; NULL means there was no memory) in memory of ours. */
PN_NODISCARD pn_status pn_json_detach(json_t *value, char **out, pn_error *err);

#endif

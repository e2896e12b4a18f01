/*
 * search.h - a question, its answer
 *
 *     pin the newest version -> query vector -> exact or indexed search under the filter -> the k rows' columns
 */
#ifndef PN_SEARCH_SEARCH_H
#define PN_SEARCH_SEARCH_H

#include "search/results.h"

/*
 * embedder  may be NULL when no term needs one
 * hits      the caller's: pn_hits_free(), also after a failure
 *
 * k rows come back whenever k rows pass query->where (rows named by ROW terms are not among them).
 * Errors: those of pn_query_vector(), of the filter (INVALID with a caret), LIMIT for k, CANCELLED.
 * Threads: any; a search sees one version of the table from beginning to end.
 */
PN_NODISCARD pn_status pn_search_run(pn_engine *engine, pn_embedder *embedder,
                                     const pn_search_query *query, pn_hits *hits, pn_error *err);

/* Rows by the values of their id column, in that order. NOT_FOUND names the id. */
PN_NODISCARD pn_status pn_search_get(pn_engine *engine, const int64_t *ids, size_t n,
                                     pn_search_vectors vectors, pn_hits *hits, pn_error *err);

/* Rows in table order that pass where (NULL: all), from the offset-th, at most limit (1 to PN_SEARCH_K_MAX). */
PN_NODISCARD pn_status pn_search_list(pn_engine *engine, const char *where, uint64_t offset,
                                      size_t limit, pn_search_vectors vectors, pn_hits *hits,
                                      pn_error *err);

#endif

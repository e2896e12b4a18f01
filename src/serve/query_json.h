/*
 * query_json.h - what was asked, as JSON, a form, or an address -> pn_query
 */
#ifndef PN_SERVE_QUERY_JSON_H
#define PN_SERVE_QUERY_JSON_H

#include <pennon.h>

#include "base/arena.h"

#include <jansson.h>

enum { PN_ASKED_MAX_TERMS = 32 };

typedef struct pn_asked {
    pn_query query; /* points into terms and the arena */
    pn_query_term terms[PN_ASKED_MAX_TERMS];
    size_t n_terms;
    bool has_picture;
} pn_asked;

/* The JSON object of POST /search. All texts are copied into arena. INVALID names the field. */
PN_NODISCARD pn_status pn_asked_from_json(const char *bytes, size_t n, pn_arena *arena,
                                          pn_asked *out, pn_error *err);

/* One field of a form or an address. PN_ERR_NOT_FOUND: not a field of a search. */
PN_NODISCARD pn_status pn_asked_field(pn_asked *asked, const char *name, const char *value,
                                      pn_arena *arena, pn_error *err);
PN_NODISCARD pn_status pn_asked_picture(pn_asked *asked, const void *bytes, size_t n,
                                        const char *name, pn_error *err);
void pn_asked_begin(pn_asked *asked);
/* Weights and negatives in place, terms counted: ready to search. */
PN_NODISCARD pn_status pn_asked_finish(pn_asked *asked, pn_error *err);

/* {"category": "footwear", "colour": ["red","blue"], "price": {"gte": 10, "lt": 50}} -> the filter language. */
PN_NODISCARD pn_status pn_filter_from_json(const json_t *filters, pn_arena *arena, char **out,
                                           pn_error *err);

#endif

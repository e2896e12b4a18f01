/*
 * query.h - what was asked: weighted terms, a filter, k
 *
 * A term is a text, a picture, a row ("more like this") or a plain vector, each with a signed weight.
 * Threads: plain data; borrowed for the length of the call.
 */
#ifndef PN_SEARCH_QUERY_H
#define PN_SEARCH_QUERY_H

#include "base/str.h"
#include "collection/engine.h"
#include "embed/embedder.h"

typedef enum pn_search_term_kind {
    PN_SEARCH_TEXT,
    PN_SEARCH_IMAGE,
    PN_SEARCH_ROW,
    PN_SEARCH_VECTOR
} pn_search_term_kind;

typedef struct pn_search_term {
    pn_search_term_kind kind;
    double weight; /* finite, not 0; negative: away from it */
    pn_str text;   /* TEXT */
    const void *image;
    size_t image_bytes;
    const char *image_name; /* IMAGE; for messages */
    int64_t id;             /* ROW: value of the id column */
    const float *vector;    /* VECTOR: any length but 0 */
    size_t vector_dim;
} pn_search_term;

typedef enum pn_search_vectors {
    PN_SEARCH_WITHOUT_VECTORS,
    PN_SEARCH_WITH_VECTORS
} pn_search_vectors;

typedef struct pn_search_query {
    const pn_search_term *terms;
    size_t n_terms;
    const char *where; /* NULL or blank: every row */
    size_t k;
    pn_search_vectors vectors;
    const _Atomic bool *cancel; /* NULL, or a flag that ends the search with CANCELLED */
    const pn_embed_how *how;    /* for the embedder; NULL: a query that nobody stops */
    bool exact;                 /* these four as in pn_engine_search */
    float min_recall;
    uint32_t partitions, refine;
} pn_search_query;

/* Who embeds, and how. */
typedef struct pn_query_embedder {
    pn_embedder *embedder;   /* may be NULL when no term is a text or a picture */
    const pn_embed_how *how; /* NULL: a query that nobody stops */
} pn_query_embedder;

/*
 * The query vector: sum of weight * unit vector over the terms, made a unit vector again.
 *
 * with      all texts are one call of the embedder
 * dim       of the table
 * out       [dim]
 * rows      [n_terms] addresses of the ROW terms, *n_rows of them: they are not their own neighbours
 *
 * Errors:  INVALID (a weight, a vector, the terms cancel each other out, no embedder), NOT_FOUND (an id), and those of
 *          the decoder and the embedder.
 * Threads: any.
 */
PN_NODISCARD pn_status pn_query_vector(const pn_search_term *terms, size_t n_terms,
                                       const pn_query_embedder *with, pn_engine *engine,
                                       pn_snapshot *snapshot, uint32_t dim, float *out,
                                       pn_row_addr *rows, size_t *n_rows, pn_error *err);

#endif

/*
 * query_vector.c - several wishes, one direction
 *
 *     q = sum over terms of weight * unit vector,   then   q / |q|
 *
 * All vectors of one model lie in one space, so adding directions mixes meanings: 0.7 of a text and 0.3 of a picture;
 * minus 0.5 of "leather" turns away from it. Each term is made a unit vector first, so that weights compare; the sum is
 * made one last, so that a score is a cosine whatever the weights were. Sums are kept in double: opposite terms cancel,
 * and what is left should be the difference and not the rounding.
 *
 * When hardly anything is left (|q| under 1e-4 of the weights' sum) every answer would be noise: that is an error.
 */
#include "search/query.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <inttypes.h>
#include <math.h>

static const double SMALLEST_REST = 1e-4;

static pn_status row_vector(const pn_search_term *term, pn_engine *engine, pn_snapshot *snapshot,
                            uint32_t dim, float *out, pn_row_addr *addr, pn_error *err)
{
    static const char *const columns[] = {PN_COLUMN_VECTOR};
    PN_TRY(engine->find_id(engine->self, snapshot, term->id, addr, err));
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_batch batch;
    pn_status status =
        engine->take(engine->self, snapshot, addr, 1, columns, 1, &arena, &batch, err);
    if (status == PN_OK && !pn_array_is_valid(&batch.columns[0], 0))
        status = pn_fail(err, PN_ERR_INVALID, "row %" PRId64 " has no vector", term->id);
    if (status == PN_OK)
        memcpy(out, pn_array_floats(&batch.columns[0], 0), dim * sizeof *out);
    pn_arena_reset(&arena);
    return status;
}

static pn_status make_unit(float *vector, size_t dim, pn_error *err)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (!isfinite(sum) || sum <= 0)
        return pn_fail(err, PN_ERR_INVALID, "a vector must be finite and not zero");
    double scale = 1.0 / sqrt(sum);
    for (size_t i = 0; i < dim; i++)
        vector[i] = (float)((double)vector[i] * scale);
    return PN_OK;
}

/* A number that can be a weight, and an embedder for it where one is needed. */
static pn_status check_term(const pn_search_term *term, const pn_embedder *embedder, uint32_t dim,
                            pn_error *err)
{
    double weight = term->weight;
    bool needs_model = term->kind == PN_SEARCH_TEXT || term->kind == PN_SEARCH_IMAGE;
    if (!isfinite(weight) || weight == 0 || fabs(weight) > 1e6)
        return pn_fail(err, PN_ERR_INVALID,
                       "weight %g: a weight is a number other than 0, at most 1e6", weight);
    if (needs_model && !embedder)
        return pn_fail(err, PN_ERR_INVALID, "searching by text or picture needs a model");
    if (needs_model && embedder->dim != dim)
        return pn_fail(err, PN_ERR_INVALID,
                       "the model makes vectors of %" PRIu32 " floats, the table has %" PRIu32,
                       embedder->dim, dim);
    // a model has a vector for "" too, but it means nothing to search for
    if (term->kind == PN_SEARCH_TEXT && pn_str_trim(term->text).len == 0)
        return pn_fail(err, PN_ERR_INVALID, "the text to search for is empty");
    return PN_OK;
}

/* All texts in one call: where a server computes them it is one request. *out [texts][dim], the caller's: pn_free(). */
static pn_status embed_texts(const pn_search_term *terms, size_t n_terms,
                             const pn_query_embedder *with, float **out, pn_error *err)
{
    pn_str texts[PN_SEARCH_MAX_TERMS];
    size_t n = 0;
    for (size_t i = 0; i < n_terms; i++)
        if (terms[i].kind == PN_SEARCH_TEXT)
            texts[n++] = terms[i].text;
    if (n == 0)
        return PN_OK;
    float *vectors = pn_alloc_array(n * with->embedder->dim, sizeof *vectors);
    if (!vectors)
        return pn_fail_nomem(err);
    pn_status status =
        with->embedder->embed_texts(with->embedder->self, texts, n, with->how, vectors, err);
    if (status == PN_OK)
        *out = vectors;
    else
        pn_free(vectors);
    return status;
}

/* texts: where the vector of the next text is. */
static pn_status term_vector(const pn_search_term *term, const pn_query_embedder *with,
                             pn_engine *engine, pn_snapshot *snapshot, uint32_t dim,
                             const float **texts, float *out, pn_row_addr *rows, size_t *n_rows,
                             pn_error *err)
{
    switch (term->kind) {
    case PN_SEARCH_TEXT:
        memcpy(out, *texts, dim * sizeof *out);
        *texts += dim;
        return PN_OK;
    case PN_SEARCH_IMAGE:
        return pn_embedder_embed_file(with->embedder, term->image, term->image_bytes,
                                      term->image_name ? term->image_name : "picture", with->how,
                                      out, err);
    case PN_SEARCH_ROW:
        PN_TRY(row_vector(term, engine, snapshot, dim, out, &rows[*n_rows], err));
        ++*n_rows;
        return make_unit(out, dim, err);
    case PN_SEARCH_VECTOR:
        if (term->vector_dim != dim)
            return pn_fail(err, PN_ERR_INVALID, "a vector of %zu floats, the table has %" PRIu32,
                           term->vector_dim, dim);
        memcpy(out, term->vector, dim * sizeof *out);
        return make_unit(out, dim, err);
    }
    return pn_fail(err, PN_ERR_INVALID, "unknown kind of search term");
}

static pn_status finish(const double *sum, double total_weight, uint32_t dim, float *out,
                        pn_error *err)
{
    double square = 0;
    for (size_t i = 0; i < dim; i++)
        square += sum[i] * sum[i];
    double norm = sqrt(square);
    if (!(norm > SMALLEST_REST * total_weight))
        return pn_fail(err, PN_ERR_INVALID,
                       "the terms cancel each other out: nothing is left to search for");
    for (size_t i = 0; i < dim; i++)
        out[i] = (float)(sum[i] / norm);
    return PN_OK;
}

pn_status pn_query_vector(const pn_search_term *terms, size_t n_terms,
                          const pn_query_embedder *with, pn_engine *engine, pn_snapshot *snapshot,
                          uint32_t dim, float *out, pn_row_addr *rows, size_t *n_rows,
                          pn_error *err)
{
    if (n_terms == 0)
        return pn_fail(err, PN_ERR_INVALID,
                       "nothing to search for: give a text, a picture, a row or a vector");
    if (n_terms > PN_SEARCH_MAX_TERMS)
        return pn_fail(err, PN_ERR_LIMIT, "%zu search terms, the limit is %d", n_terms,
                       PN_SEARCH_MAX_TERMS);
    pn_status status = PN_OK;
    double total_weight = 0;
    for (size_t i = 0; i < n_terms; i++)
        PN_TRY(check_term(&terms[i], with->embedder, dim, err));
    float *texts = NULL;
    float *vector = pn_alloc_array(dim, sizeof *vector);
    double *sum = pn_alloc_zero(dim * sizeof *sum);
    *n_rows = 0;
    if (!vector || !sum)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, embed_texts(terms, n_terms, with, &texts, err));
    const float *next_text = texts;
    for (size_t i = 0; i < n_terms; i++) {
        double weight = terms[i].weight;
        PN_GOTO(done, term_vector(&terms[i], with, engine, snapshot, dim, &next_text, vector, rows,
                                  n_rows, err));
        total_weight += fabs(weight);
        for (size_t j = 0; j < dim; j++)
            sum[j] += weight * (double)vector[j];
    }
    status = finish(sum, total_weight, dim, out, err);
done:
    pn_free(texts);
    pn_free(sum);
    pn_free(vector);
    return status;
}

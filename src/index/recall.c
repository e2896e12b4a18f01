/*
 * recall.c - the truth: tiles of rows times all queries, as one matrix product each
 *
 * A tile's products are looked at once; each worker keeps its own k best of every query, and order by (distance, ordinal) is total, so the
 * merge does not depend on who did which tile.
 */
#include "index/recall.h"

#include "base/alloc.h"
#include "index/kmeans.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>

enum { TILE = 256, TURN = 512 };

typedef struct truth {
    const pn_vector_rows *rows;
    const float *packed;
    size_t n, k;
    uint64_t every;
    size_t first_tile;
    float *points, *products; /* [workers][TILE][dim], [workers][TILE][n] */
    pn_topk *best;            /* [workers][n] */
} truth;

static void rank_tile(void *context, size_t tile, unsigned worker)
{
    const truth *t = context;
    const size_t dim = t->rows->dim;
    float *points = t->points + (size_t)worker * TILE * dim;
    float *products = t->products + (size_t)worker * TILE * t->n;
    uint64_t ordinals[TILE];
    size_t m = 0;
    uint64_t first = (uint64_t)(t->first_tile + tile) * TILE;
    for (uint64_t i = first; i < first + TILE && i * t->every < t->rows->n_rows; i++) {
        uint64_t ordinal = i * t->every;
        if (!pn_vector_rows_is_deleted(t->rows, ordinal) &&
            pn_vector_rows_copy(t->rows, ordinal, points + m * dim))
            ordinals[m++] = ordinal;
    }
    pn_gemm gemm = {.c = products,
                    .ldc = t->n,
                    .a = points,
                    .lda = dim,
                    .w = {.packed = t->packed},
                    .m = m,
                    .n = t->n,
                    .k = dim};
    pn_kernels_get()->gemm_f32(&gemm, 0, pn_gemm_panels(t->n));
    for (size_t i = 0; i < m; i++)
        for (size_t q = 0; q < t->n; q++)
            pn_topk_push(&t->best[worker * t->n + q], 1 - products[i * t->n + q], ordinals[i]);
}

static void gather_best(truth *t, size_t n_workers, pn_candidate *nearest)
{
    for (size_t q = 0; q < t->n; q++) {
        pn_topk merged;
        pn_topk_init(&merged, nearest + q * t->k, t->k);
        for (size_t w = 0; w < n_workers; w++)
            pn_topk_merge(&merged, &t->best[w * t->n + q]);
        pn_topk_sort(&merged);
        for (size_t i = merged.n; i < t->k; i++)
            nearest[q * t->k + i] = (pn_candidate){INFINITY, UINT64_MAX};
    }
}

pn_status pn_exact_nearest(const pn_vector_rows *rows, const float *queries, size_t n, size_t k,
                           uint64_t every, pn_pool *pool, const _Atomic bool *cancel,
                           pn_candidate *nearest, pn_error *err)
{
    pn_status status = PN_OK;
    size_t n_workers = pn_pool_threads(pool), dim = rows->dim, panels = pn_gemm_panels(n);
    float *packed = pn_alloc_array(panels * PN_GEMM_PANEL * dim + 1, sizeof *packed);
    pn_candidate *kept = pn_alloc_array(n_workers * n * k + 1, sizeof *kept);
    truth t = {.rows = rows,
               .packed = packed,
               .n = n,
               .k = k,
               .every = every,
               .points = pn_alloc_array(n_workers * TILE * dim, sizeof(float)),
               .products = pn_alloc_array(n_workers * TILE * n + 1, sizeof(float)),
               .best = pn_alloc_array(n_workers * n + 1, sizeof *t.best)};
    if (!packed || !kept || !t.points || !t.products || !t.best)
        PN_GOTO(done, pn_fail_nomem(err));
    pn_kernels_get()->gemm_pack(packed, queries, n, dim, dim, 1);
    for (size_t i = 0; i < n_workers * n; i++)
        pn_topk_init(&t.best[i], kept + i * k, k);
    size_t n_tiles = (size_t)((rows->n_rows / every + TILE) / TILE);
    for (; t.first_tile < n_tiles; t.first_tile += TURN) {
        if (cancel && atomic_load(cancel))
            PN_GOTO(done, pn_fail(err, PN_ERR_CANCELLED, "the search was stopped"));
        pn_pool_for(pool, PN_MIN(n_tiles - t.first_tile, (size_t)TURN), rank_tile, &t);
    }
    gather_best(&t, n_workers, nearest);
done:
    pn_free(packed);
    pn_free(kept);
    pn_free(t.points);
    pn_free(t.products);
    pn_free(t.best);
    return status;
}

/*
 * kmeans.c - Lloyd's algorithm, seeded and balanced
 *
 * Points are compared with all centroids by one matrix product a tile, and the nearest is the greatest of x . c - |c|^2 / 2.
 * Only this part is spread over threads; the means are summed by one thread in the order of the points, which costs
 * 1/k of the comparison and makes the result independent of the number of threads.
 *
 * Balance: before each mean, every centroid with less than a quarter of its fair share moves beside the largest one,
 * which Lloyd's next turn cuts in two. Searches pay for the largest partitions, and builders for the smallest.
 */
#include "index/kmeans.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#include <stdatomic.h>
#include <string.h>

enum { TILE = 128 };

pn_status pn_centroids_init(const float *centroids, size_t k, size_t dim, pn_centroids *out,
                            pn_error *err)
{
    const pn_kernels *kernels = pn_kernels_get();
    size_t panels = pn_gemm_panels(k);
    pn_centroids c = {.packed = pn_alloc_array(panels * PN_GEMM_PANEL * dim, sizeof(float)),
                      .bias = pn_alloc_array(k, sizeof(float)),
                      .k = k,
                      .dim = dim};
    if (!c.packed || !c.bias) {
        pn_centroids_reset(&c);
        return pn_fail_nomem(err);
    }
    kernels->gemm_pack(c.packed, centroids, k, dim, dim, 1);
    for (size_t i = 0; i < k; i++)
        c.bias[i] = -0.5f * kernels->dot_f32(centroids + i * dim, centroids + i * dim, dim);
    *out = c;
    return PN_OK;
}

void pn_centroids_reset(pn_centroids *centroids)
{
    pn_free(centroids->packed);
    pn_free(centroids->bias);
    *centroids = (pn_centroids){0};
}

void pn_centroids_compare(const pn_centroids *centroids, const float *points, size_t n,
                          float *nearness)
{
    pn_gemm gemm = {.c = nearness,
                    .ldc = centroids->k,
                    .a = points,
                    .lda = centroids->dim,
                    .w = {.packed = centroids->packed},
                    .bias = centroids->bias,
                    .m = n,
                    .n = centroids->k,
                    .k = centroids->dim};
    pn_kernels_get()->gemm_f32(&gemm, 0, pn_gemm_panels(centroids->k));
}

typedef struct assignment {
    const float *points;
    size_t n;
    const pn_centroids *centroids;
    float *nearness; /* [workers][TILE][k] */
    uint32_t *labels;
} assignment;

/* The codewords of a group of axes: for them there is a kernel, and one panel is what it wants. */
static void assign_to_16(const assignment *a, size_t first, size_t n)
{
    const pn_centroids *c = a->centroids;
    uint8_t nearest[TILE];
    pn_kernels_get()->nearest_of_16(nearest, c->packed, c->bias, a->points + first * c->dim, c->dim,
                                    n, c->dim);
    for (size_t i = 0; i < n; i++)
        a->labels[first + i] = nearest[i];
}

static void assign_tile(void *context, size_t tile, unsigned worker)
{
    const assignment *a = context;
    size_t first = tile * TILE, n = PN_MIN(a->n - first, (size_t)TILE), k = a->centroids->k;
    if (k == PN_CODE_ENTRIES) {
        assign_to_16(a, first, n);
        return;
    }
    float *nearness = a->nearness + (size_t)worker * TILE * k;
    pn_centroids_compare(a->centroids, a->points + first * a->centroids->dim, n, nearness);
    for (size_t i = 0; i < n; i++) {
        const float *row = nearness + i * k;
        uint32_t best = 0;
        for (uint32_t c = 1; c < k; c++)
            best = row[c] > row[best] ? c : best;
        a->labels[first + i] = best;
    }
}

static void means(const float *points, size_t n, const uint32_t *labels, const pn_kmeans_options *o,
                  float *centroids, uint32_t *counts)
{
    memset(counts, 0, o->k * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[labels[i]]++;
    for (size_t c = 0; c < o->k; c++)
        if (counts[c] > 0)
            memset(centroids + c * o->dim, 0, o->dim * sizeof *centroids);
    for (size_t i = 0; i < n; i++) {
        float *sum = centroids + labels[i] * o->dim;
        for (size_t d = 0; d < o->dim; d++)
            sum[d] += points[i * o->dim + d];
    }
    for (size_t c = 0; c < o->k; c++)
        for (size_t d = 0; counts[c] > 0 && d < o->dim; d++)
            centroids[c * o->dim + d] /= (float)counts[c];
}

/* Small partitions take half of the largest: two centroids a hair apart, which the next turn parts. */
static void balance(const pn_kmeans_options *o, size_t n, float *centroids, uint32_t *counts)
{
    for (size_t c = 0; c < o->k; c++) {
        if ((uint64_t)counts[c] * o->k * 4 >= n)
            continue;
        size_t largest = 0;
        for (size_t i = 1; i < o->k; i++)
            largest = counts[i] > counts[largest] ? i : largest;
        float *from = centroids + largest * o->dim, *to = centroids + c * o->dim;
        for (size_t d = 0; d < o->dim; d++) {
            float apart = from[d] * (d % 2 ? 1e-3f : -1e-3f);
            to[d] = from[d] + apart;
            from[d] -= apart;
        }
        counts[c] = counts[largest] / 2;
        counts[largest] -= counts[c];
    }
}

/* k different points, or all of them over and over. */
static void choose_start(const float *points, size_t n, const pn_kmeans_options *o, uint32_t *order,
                         float *centroids)
{
    pn_rng rng = pn_rng_seed(o->seed);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t c = 0; c < o->k; c++) {
        size_t at = c % n, other = at + (size_t)pn_rng_below(&rng, n - at);
        uint32_t chosen = order[other];
        order[other] = order[at];
        order[at] = chosen;
        memcpy(centroids + c * o->dim, points + chosen * o->dim, o->dim * sizeof *centroids);
    }
}

pn_status pn_kmeans(const float *points, size_t n, const pn_kmeans_options *o, float *centroids,
                    pn_error *err)
{
    pn_status status = PN_OK;
    uint32_t *labels = pn_alloc_array(n + 1, sizeof *labels);
    uint32_t *counts = pn_alloc_array(o->k, sizeof *counts);
    float *nearness =
        pn_alloc_array((size_t)pn_pool_threads(o->pool) * TILE * o->k, sizeof *nearness);
    pn_centroids packed = {0};
    if (!labels || !counts || !nearness)
        PN_GOTO(done, pn_fail_nomem(err));
    if (n == 0) {
        memset(centroids, 0, o->k * o->dim * sizeof *centroids);
        goto done;
    }
    choose_start(points, n, o, labels, centroids);
    for (unsigned turn = 0; turn < o->iterations; turn++) {
        if (o->cancel && atomic_load(o->cancel))
            PN_GOTO(done, pn_fail(err, PN_ERR_CANCELLED, "the work was stopped"));
        PN_GOTO(done, pn_centroids_init(centroids, o->k, o->dim, &packed, err));
        assignment a = {points, n, &packed, nearness, labels};
        pn_pool_for(o->pool, (n + TILE - 1) / TILE, assign_tile, &a);
        pn_centroids_reset(&packed);
        means(points, n, labels, o, centroids, counts);
        if (turn + 2 < o->iterations)
            balance(o, n, centroids, counts);
    }
done:
    pn_centroids_reset(&packed);
    pn_free(labels);
    pn_free(counts);
    pn_free(nearness);
    return status;
}

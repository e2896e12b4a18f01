/*
 * kmeans.h - Lloyd's algorithm, seeded and balanced
 */
#ifndef PN_INDEX_KMEANS_H
#define PN_INDEX_KMEANS_H

#include "base/status.h"
#include "os/pool.h"

typedef struct pn_kmeans_options {
    size_t dim, k;
    unsigned iterations;
    uint64_t seed;
    pn_pool *pool;              /* NULL: this thread */
    const _Atomic bool *cancel; /* NULL, or a flag that ends the work with PN_ERR_CANCELLED */
} pn_kmeans_options;

/*
 * k centroids of n points.
 *
 * points     [n][dim]; with fewer points than k, points repeat as centroids
 * centroids  [k][dim], the caller's
 *
 * A centroid without points, or with very few, takes half of the largest one's, so that no partition becomes much
 * larger than the mean. Same points and seed give the same centroids, for any pool.
 * Cost: iterations * n * k * dim multiply-adds. Errors: NOMEM, CANCELLED.
 * Source: Lloyd 1982.
 */
PN_NODISCARD pn_status pn_kmeans(const float *points, size_t n, const pn_kmeans_options *options,
                                 float *centroids, pn_error *err);

/* Centroids in the form in which many rows are compared with them. */
typedef struct pn_centroids {
    float *packed, *bias; /* panels; [k] -|c|^2 / 2 */
    size_t k, dim;
} pn_centroids;

PN_NODISCARD pn_status pn_centroids_init(const float *centroids, size_t k, size_t dim,
                                         pn_centroids *out, pn_error *err);
void pn_centroids_reset(pn_centroids *centroids);

/* nearness [n][k] of points [n][dim] (stride dim): x . c - |c|^2 / 2, greatest for the nearest centroid. */
void pn_centroids_compare(const pn_centroids *centroids, const float *points, size_t n,
                          float *nearness);

#endif

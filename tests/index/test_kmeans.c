/*
 * test_kmeans.c - centroids: the same for any pool, none empty, clusters found
 */
#include "index/kmeans.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "support/faults.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MOST_POINTS = 5000, MOST_DIM = 40, MOST_K = 100 };

static float points[MOST_POINTS * MOST_DIM], centroids[MOST_K * MOST_DIM];
static float other[MOST_K * MOST_DIM];
static float nearness[MOST_POINTS * MOST_K];

/* Points around `clusters` places; sizes fall like 1, 1/2, 1/3 when skewed. */
static void fill(size_t n, size_t dim, size_t clusters, bool skewed, uint64_t seed)
{
    static float middles[MOST_K * MOST_DIM];
    pn_rng rng = pn_rng_seed(seed);
    for (size_t i = 0; i < clusters * dim; i++)
        middles[i] = (float)pn_rng_normal(&rng) * 10;
    for (size_t i = 0; i < n; i++) {
        size_t c = i % clusters;
        if (skewed)
            c = (size_t)pow((double)clusters, pn_rng_unit(&rng)) - 1;
        for (size_t d = 0; d < dim; d++)
            points[i * dim + d] = middles[c * dim + d] + (float)pn_rng_normal(&rng);
    }
}

static void run(size_t n, const pn_kmeans_options *o, float *out)
{
    pn_error err = {0};
    if (pn_kmeans(points, n, o, out, &err) != PN_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < o->k * o->dim; i++)
        assert_true(isfinite(out[i]));
}

/* Points a centroid, by brute force. */
static void count(size_t n, const pn_kmeans_options *o, size_t *counts, double *error)
{
    pn_centroids packed;
    assert_int_equal(pn_centroids_init(centroids, o->k, o->dim, &packed, NULL), PN_OK);
    pn_centroids_compare(&packed, points, n, nearness);
    pn_centroids_reset(&packed);
    memset(counts, 0, o->k * sizeof *counts);
    *error = 0;
    for (size_t i = 0; i < n; i++) {
        size_t best = 0;
        double least = INFINITY;
        for (size_t c = 0; c < o->k; c++) {
            double distance = (double)pn_kernels_get()->l2sq_f32(points + i * o->dim,
                                                                 centroids + c * o->dim, o->dim);
            double length =
                (double)pn_kernels_get()->dot_f32(points + i * o->dim, points + i * o->dim, o->dim);
            double told = length - 2 * (double)nearness[i * o->k + c];
            assert_true(fabs(told - distance) < 1e-4 * (1 + length + distance));
            best = distance < least ? c : best;
            least = PN_MIN(least, distance);
        }
        counts[best]++;
        *error += least / (double)n / (double)o->dim;
    }
}

static void kmeans__finds_clusters_and_leaves_none_empty(void **state)
{
    (void)state;
    static const size_t ks[] = {1, 2, 15, 16, 17, 50};
    size_t counts[MOST_K];
    double error;
    for (size_t i = 0; i < PN_COUNT_OF(ks); i++)
        for (size_t dim = 1; dim <= MOST_DIM; dim += 13) {
            pn_kmeans_options o = {.dim = dim, .k = ks[i], .iterations = 12, .seed = i};
            fill(2000, dim, ks[i], i % 2, i);
            run(2000, &o, centroids);
            count(2000, &o, counts, &error);
            for (size_t c = 0; c < ks[i]; c++)
                assert_true(counts[c] > 0);
            /* 1 around each place, 100 between places: some two of them may share a centroid, not most */
            if (dim > 10 && !(error < 30))
                fail_msg("k %zu, dim %zu: %g", ks[i], dim, error);
        }
}

/* Without balance, a tenth of the points on one centroid is usual here, a half possible. */
static void kmeans__balances(void **state)
{
    (void)state;
    size_t counts[MOST_K], most = 0;
    double error;
    pn_kmeans_options o = {.dim = 8, .k = 50, .iterations = 15, .seed = 9};
    fill(MOST_POINTS, 8, 40, true, 9);
    run(MOST_POINTS, &o, centroids);
    count(MOST_POINTS, &o, counts, &error);
    for (size_t c = 0; c < o.k; c++)
        most = PN_MAX(most, counts[c]);
    assert_true(most < MOST_POINTS / 50 * 4);
}

static void kmeans__is_the_same_for_any_pool(void **state)
{
    (void)state;
    static const unsigned threads[] = {1, 2, 4};
    static const size_t ks[] = {7, 16, 60};
    for (size_t i = 0; i < PN_COUNT_OF(ks); i++) {
        pn_kmeans_options o = {.dim = 20, .k = ks[i], .iterations = 8, .seed = 5};
        fill(MOST_POINTS, 20, 30, true, 5);
        run(MOST_POINTS, &o, centroids);
        for (size_t t = 0; t < PN_COUNT_OF(threads); t++) {
            assert_int_equal(pn_pool_create(threads[t], &o.pool, NULL), PN_OK);
            run(MOST_POINTS, &o, other);
            pn_pool_free(o.pool);
            assert_memory_equal(centroids, other, ks[i] * 20 * sizeof *other);
        }
        o.pool = NULL;
        o.seed = 6;
        run(MOST_POINTS, &o, other);
        assert_memory_not_equal(centroids, other, ks[i] * 20 * sizeof *other);
    }
}

static void kmeans__of_fewer_points_than_centroids(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 20; n++) {
        pn_kmeans_options o = {.dim = 3, .k = 16 + n % 2, .iterations = 10, .seed = n};
        fill(n, 3, 7, false, n);
        run(n, &o, centroids);
        for (size_t i = 0; i < n; i++) { // every point is somebody's
            float least = INFINITY;
            for (size_t c = 0; c < o.k; c++)
                least =
                    PN_MIN(least, pn_kernels_get()->l2sq_f32(points + i * 3, centroids + c * 3, 3));
            assert_true(least < 40); // of 300 between clusters
        }
    }
}

static void kmeans__of_one_point_over_and_over(void **state)
{
    (void)state;
    for (int zero = 0; zero <= 1; zero++) {
        pn_kmeans_options o = {.dim = 5, .k = 16, .iterations = 10, .seed = 1};
        for (size_t i = 0; i < 500 * 5; i++)
            points[i] = zero ? 0 : (float)(i % 5) + 1;
        run(500, &o, centroids);
        float least = INFINITY;
        for (size_t c = 0; c < o.k; c++)
            least = PN_MIN(least, pn_kernels_get()->l2sq_f32(points, centroids + c * 5, 5));
        assert_true(least < 1e-3f);
    }
}

static pn_status some_kmeans(void *context, pn_error *err)
{
    return pn_kmeans(points, 300, context, centroids, err);
}

static void kmeans__stops_when_told_and_without_memory(void **state)
{
    (void)state;
    _Atomic bool cancel = true;
    pn_kmeans_options o = {.dim = 4, .k = 9, .iterations = 3, .cancel = &cancel};
    pn_error err = {0};
    fill(300, 4, 9, false, 1);
    assert_int_equal(some_kmeans(&o, &err), PN_ERR_CANCELLED);
    atomic_store(&cancel, false);
    assert_int_equal(faults_each_allocation(some_kmeans, &o), 3 + 3 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kmeans__finds_clusters_and_leaves_none_empty),
        cmocka_unit_test(kmeans__balances),
        cmocka_unit_test(kmeans__is_the_same_for_any_pool),
        cmocka_unit_test(kmeans__of_fewer_points_than_centroids),
        cmocka_unit_test(kmeans__of_one_point_over_and_over),
        cmocka_unit_test(kmeans__stops_when_told_and_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

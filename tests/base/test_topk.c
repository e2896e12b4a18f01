/*
 * test_topk.c - the bounded heap against sorting everything
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/topk.h"

enum { MOST = 400 };

static int compare(const void *left, const void *right)
{
    const pn_candidate *a = left, *b = right;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Few different distances, so that ids decide often. */
static size_t make_candidates(pn_rng *rng, pn_candidate *out)
{
    static const float odd[] = {-INFINITY, -0.0f, 0.0f, INFINITY, 1e-45f};
    size_t n = pn_rng_below(rng, MOST);
    uint64_t n_distances = 1 + pn_rng_below(rng, 50);
    for (size_t i = 0; i < n; i++) {
        out[i].id = i;
        out[i].distance = pn_rng_below(rng, 10) == 0 ? odd[pn_rng_below(rng, 5)]
                                                     : (float)pn_rng_below(rng, n_distances) * 0.5f;
    }
    for (size_t i = n; i > 1; i--) {
        size_t j = pn_rng_below(rng, i);
        pn_candidate swap = out[j];
        out[j] = out[i - 1];
        out[i - 1] = swap;
    }
    return n;
}

static void expect_nearest(const pn_topk *got, pn_candidate *all, size_t n)
{
    qsort(all, n, sizeof *all, compare);
    assert_int_equal(got->n, PN_MIN(n, got->k));
    for (size_t i = 0; i < got->n; i++) {
        assert_true(got->heap[i].id == all[i].id);
        assert_true(got->heap[i].distance == all[i].distance);
    }
}

static void push__keeps_what_sorting_would_put_first(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(8);
    for (int round = 0; round < 500; round++) {
        pn_candidate all[MOST], heap[MOST + 10];
        size_t n = make_candidates(&rng, all);
        pn_topk topk;
        pn_topk_init(&topk, heap, 1 + pn_rng_below(&rng, MOST + 10));
        for (size_t i = 0; i < n; i++)
            pn_topk_push(&topk, all[i].distance, all[i].id);
        pn_topk_sort(&topk);
        expect_nearest(&topk, all, n);
    }
}

static void merge__is_as_if_one_heap_had_seen_all(void **state)
{
    (void)state;
    enum { N_PARTS = 5, K = 40 };
    pn_rng rng = pn_rng_seed(9);
    for (int round = 0; round < 300; round++) {
        pn_candidate all[MOST], heaps[N_PARTS][K];
        pn_topk parts[N_PARTS];
        size_t n = make_candidates(&rng, all);
        for (int p = 0; p < N_PARTS; p++)
            pn_topk_init(&parts[p], heaps[p], K);
        for (size_t i = 0; i < n; i++)
            pn_topk_push(&parts[pn_rng_below(&rng, N_PARTS)], all[i].distance, all[i].id);
        for (int p = 1; p < N_PARTS; p++)
            pn_topk_merge(&parts[0], &parts[p]);
        pn_topk_sort(&parts[0]);
        expect_nearest(&parts[0], all, n);
    }
}

static void nan__is_never_kept(void **state)
{
    (void)state;
    pn_candidate heap[3];
    pn_topk topk;
    pn_topk_init(&topk, heap, 3);
    pn_topk_push(&topk, NAN, 1);
    assert_int_equal(topk.n, 0);
    for (uint64_t id = 10; id < 14; id++) {
        pn_topk_push(&topk, 1.0f, id);
        pn_topk_push(&topk, NAN, 1);
        pn_topk_push(&topk, -NAN, 0);
    }
    pn_topk_sort(&topk);
    assert_int_equal(topk.n, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(heap[i].id, 10 + i);
}

static void before__is_a_total_order_of_distance_then_id(void **state)
{
    (void)state;
    pn_candidate near = {1.0f, 9}, far = {2.0f, 1}, twin = {1.0f, 10};
    assert_true(pn_candidate_before(near, far));
    assert_false(pn_candidate_before(far, near));
    assert_true(pn_candidate_before(near, twin));
    assert_false(pn_candidate_before(twin, near));
    assert_false(pn_candidate_before(near, near));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push__keeps_what_sorting_would_put_first),
        cmocka_unit_test(merge__is_as_if_one_heap_had_seen_all),
        cmocka_unit_test(nan__is_never_kept),
        cmocka_unit_test(before__is_a_total_order_of_distance_then_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

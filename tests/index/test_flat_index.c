/*
 * test_flat_index.c - the exact scan against a double loop
 *
 * Seeded random tables of several fragments and runs, with deleted and allowed rows, twins (equal vectors, so equal distances) and NaN
 * rows; every answer is compared, row by row, with one made by the slowest possible code.
 */
#include "index/flat_index.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "index/flat_copy.h"
#include "kernels/kernels.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MAX_RUNS = 8, MAX_FRAGMENT_ROWS = 12000, N_CASES = 300 };

typedef struct table {
    pn_flat_run runs[MAX_RUNS];
    size_t n_runs, dim;
    void *owned[4 * MAX_RUNS];
    size_t n_owned;
    float *query;
} table;

static void *own(table *t, void *memory)
{
    assert_non_null(memory);
    t->owned[t->n_owned++] = memory;
    return memory;
}

static void fill_unit(pn_rng *rng, float *v, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        v[i] = (float)pn_rng_normal(rng);
        sum += (double)v[i] * (double)v[i];
    }
    for (size_t i = 0; i < dim; i++)
        v[i] = (float)((double)v[i] / sqrt(sum));
}

/* Words with about share of the bits set; NULL now and then. */
static const uint64_t *random_bits(pn_rng *rng, table *t, size_t n_rows, double share)
{
    if (pn_rng_below(rng, 3) == 0)
        return NULL;
    uint64_t *words = own(t, pn_alloc_zero(pn_words_for_bits(n_rows + 1) * 8));
    for (size_t i = 0; i < n_rows; i++)
        if (pn_rng_unit(rng) < share)
            pn_word_bit_set(words, i);
    return words;
}

static _Atomic uint8_t *units_of(table *t, bool is_claimed, size_t n_rows)
{
    return is_claimed ? own(t, pn_alloc_zero(n_rows / 64 + 1)) : NULL;
}

/* One fragment, cut into one or two runs; the second begins at any row. */
static void add_fragment(pn_rng *rng, table *t, uint32_t id, size_t n_rows)
{
    static const double shares[] = {0, 0.001, 0.05, 0.5, 1};
    float *vectors = own(t, pn_alloc_array(n_rows * t->dim + 1, sizeof(float)));
    const size_t kind = pn_rng_below(rng, 4); // of any length, unit vectors, two that should be
    const bool any_length = kind == 0, is_claimed = kind >= 2;
    for (size_t i = 0; i < n_rows; i++) {
        float *v = vectors + i * t->dim;
        if (i > 0 && pn_rng_below(rng, 5) == 0) // a twin of an earlier row
            memcpy(v, vectors + pn_rng_below(rng, i) * t->dim, t->dim * sizeof *v);
        else
            fill_unit(rng, v, t->dim);
        float factor = (float)pn_rng_below(rng, 30) / 4; // sometimes 0
        bool is_scaled = any_length || (kind == 3 && pn_rng_below(rng, 200) == 0);
        for (size_t d = 0; is_scaled && d < t->dim; d++)
            v[d] *= factor;
        if (is_claimed && pn_rng_below(rng, 500) == 0)
            v[pn_rng_below(rng, t->dim)] = INFINITY;
        if (pn_rng_below(rng, 50) == 0)
            v[pn_rng_below(rng, t->dim)] = NAN;
    }
    const uint64_t *deleted = random_bits(rng, t, n_rows, shares[pn_rng_below(rng, 4)]);
    const uint64_t *allowed = random_bits(rng, t, n_rows, shares[pn_rng_below(rng, 5)]);
    size_t cut = n_rows > 1 && pn_rng_below(rng, 2) ? pn_rng_below(rng, n_rows) : n_rows;
    t->runs[t->n_runs++] = (pn_flat_run){vectors, id,      0,          (uint32_t)cut,
                                         deleted, allowed, any_length, units_of(t, is_claimed, cut),
                                         0,       NULL};
    if (cut < n_rows)
        t->runs[t->n_runs++] = (pn_flat_run){vectors + cut * t->dim,
                                             id,
                                             (uint32_t)cut,
                                             (uint32_t)(n_rows - cut),
                                             deleted,
                                             allowed,
                                             any_length,
                                             units_of(t, is_claimed, n_rows - cut),
                                             0,
                                             NULL};
}

static void make_table(pn_rng *rng, table *t)
{
    static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 129, 700, 5000, MAX_FRAGMENT_ROWS};
    static const size_t dims[] = {1, 2, 3, 4, 7, 16, 33, 130};
    *t = (table){.dim = dims[pn_rng_below(rng, PN_COUNT_OF(dims))]};
    size_t n_fragments = 1 + pn_rng_below(rng, MAX_RUNS / 2);
    for (size_t f = 0; f < n_fragments; f++)
        add_fragment(rng, t, (uint32_t)(3 * f), sizes[pn_rng_below(rng, PN_COUNT_OF(sizes))]);
    t->query = own(t, pn_alloc_array(t->dim, sizeof(float)));
    fill_unit(rng, t->query, t->dim);
}

static void copy_runs(table *t)
{
    pn_error err = {0};
    for (size_t r = 0; r < t->n_runs; r++) {
        pn_flat_copy *copy;
        if (pn_flat_copy_make(&t->runs[r], t->dim, &copy, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_int_equal(copy->n_rows, t->runs[r].n_rows);
        t->runs[r].copy = copy;
    }
}

static void free_table(table *t)
{
    for (size_t r = 0; r < t->n_runs; r++)
        pn_flat_copy_unref((pn_flat_copy *)t->runs[r].copy);
    for (size_t i = 0; i < t->n_owned; i++)
        pn_free(t->owned[i]);
}

static int compare(const void *a, const void *b)
{
    const pn_candidate *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* That a product is divided by: 1 where it is known, or should be and is but for rounding. */
static float length_of(const pn_flat_run *run, const float *v, size_t dim)
{
    float length = pn_kernels_get()->norm_f32(v, dim);
    bool is_trusted = !run->any_length && !run->units;
    return is_trusted || (run->units && fabsf(length - 1) <= 0.001f) ? 1 : length;
}

/* All rows that count, sorted. */
static pn_candidate *truth(const table *t, size_t *n)
{
    size_t total = 1;
    for (size_t r = 0; r < t->n_runs; r++)
        total += t->runs[r].n_rows;
    pn_candidate *all = pn_alloc_array(total, sizeof *all);
    assert_non_null(all);
    *n = 0;
    for (size_t r = 0; r < t->n_runs; r++)
        for (uint32_t i = 0; i < t->runs[r].n_rows; i++) {
            const pn_flat_run *run = &t->runs[r];
            uint32_t row = run->first_row + i;
            const float *v = run->vectors + i * t->dim;
            float length = length_of(run, v, t->dim);
            float dot = pn_kernels_get()->dot_f32(t->query, v, t->dim);
            float d = 1.0f - (length > 0 ? dot / length : dot);
            if ((run->allowed && !pn_word_bit_get(run->allowed, row)) ||
                (run->deleted && pn_word_bit_get(run->deleted, row)) || isnan(d) ||
                !isfinite(length))
                continue;
            all[(*n)++] = (pn_candidate){d, pn_row_addr_make(run->fragment_id, row)};
        }
    qsort(all, *n, sizeof *all, compare);
    return all;
}

/* n_above: rows that have to be found, those that the bar is below. */
static void check_search(const table *t, const pn_candidate *want, size_t n_above, size_t n_want,
                         size_t k, pn_pool *pool)
{
    float bar = n_above < n_want ? 1 - want[n_above].distance : -INFINITY;
    pn_error err = {0};
    pn_topk topk;
    pn_candidate *heap = pn_alloc_array(k, sizeof *heap);
    assert_non_null(heap);
    pn_topk_init(&topk, heap, k);
    if (pn_flat_search(t->runs, t->n_runs, t->query, t->dim, bar, pool, NULL, &topk, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_in_range(topk.n, PN_MIN(k, n_above), PN_MIN(k, n_want));
    for (size_t i = 0; i < PN_MIN(k, n_above); i++) {
        double by_hand = 0, squares = 0;
        if (heap[i].id != want[i].id || heap[i].distance != want[i].distance)
            fail_msg("place %zu of %zu: row %" PRIx64 " at %.9g, expected %" PRIx64 " at %.9g", i,
                     topk.n, heap[i].id, (double)heap[i].distance, want[i].id,
                     (double)want[i].distance);
        for (size_t r = 0; r < t->n_runs && i < 20; r++) { // the distance itself, in double
            const pn_flat_run *run = &t->runs[r];
            uint32_t row = (uint32_t)heap[i].id;
            if (run->fragment_id != heap[i].id >> 32 || row < run->first_row ||
                row - run->first_row >= run->n_rows)
                continue;
            for (size_t d = 0; d < t->dim; d++) {
                double x = (double)run->vectors[(row - run->first_row) * t->dim + d];
                by_hand += (double)t->query[d] * x;
                squares += x * x;
            }
            if ((run->any_length || run->units) && squares > 0)
                by_hand /= sqrt(squares);
            assert_true(fabs(1 - by_hand - (double)heap[i].distance) < 1e-5);
        }
    }
    pn_free(heap);
}

static void flat_search__equals_the_double_loop_with_any_threads_and_copies(void **state)
{
    (void)state;
    static const size_t ks[] = {1, 2, 10, 100, 30000};
    pn_error err = {0};
    pn_pool *pools[3] = {NULL};
    assert_int_equal(pn_pool_create(2, &pools[1], &err), PN_OK);
    assert_int_equal(pn_pool_create(5, &pools[2], &err), PN_OK);
    for (uint64_t seed = 0; seed < N_CASES; seed++) {
        pn_rng rng = pn_rng_seed(seed);
        table t;
        size_t n;
        make_table(&rng, &t);
        pn_candidate *want = truth(&t, &n);
        size_t k = ks[pn_rng_below(&rng, PN_COUNT_OF(ks))];
        for (size_t turn = 0; turn < 2; turn++) {
            size_t n_above = pn_rng_below(&rng, PN_MIN(k, n) + 1);
            for (size_t p = 0; p < PN_COUNT_OF(pools); p++) {
                check_search(&t, want, n, n, k, pools[p]);
                check_search(&t, want, n_above, n, k, pools[p]);
            }
            if (turn == 0)
                copy_runs(&t);
        }
        pn_free(want);
        free_table(&t);
    }
    pn_pool_free(pools[1]);
    pn_pool_free(pools[2]);
}

/* Vectors that are all but zero: every distance is 1, and the smaller address comes first, whatever fragment is looked at first. */
static void flat_search__tells_ties_of_all_but_zeros_by_address(void **state)
{
    (void)state;
    enum { WIDTH = 4 };
    pn_error err = {0};
    const float query[WIDTH] = {1}, nearer[WIDTH] = {1e-26f},
                farther[2 * WIDTH] = {-1e-26f, 0, 0, 0, -2e-26f};
    pn_flat_run runs[] = {
        {.vectors = nearer, .fragment_id = 7, .n_rows = 1, .any_length = true},
        {.vectors = farther, .fragment_id = 2, .n_rows = 2, .any_length = true},
    };
    for (int turn = 0; turn < 2; turn++) {
        pn_candidate heap[1];
        pn_topk topk;
        pn_topk_init(&topk, heap, 1);
        assert_int_equal(pn_flat_search(runs, 2, query, WIDTH, -INFINITY, NULL, NULL, &topk, &err),
                         PN_OK);
        assert_int_equal(topk.n, 1);
        assert_true(heap[0].distance == 1);
        assert_int_equal(heap[0].id, pn_row_addr_make(2, 0));
        for (size_t r = 0; turn == 0 && r < 2; r++) {
            pn_flat_copy *copy;
            assert_int_equal(pn_flat_copy_make(&runs[r], WIDTH, &copy, &err), PN_OK);
            runs[r].copy = copy;
        }
    }
    for (size_t r = 0; r < 2; r++)
        pn_flat_copy_unref((pn_flat_copy *)runs[r].copy);
}

/* A block of unit vectors is known for one once it was read whole, and only then. */
static void units__are_found_out_once(void **state)
{
    (void)state;
    enum { N = 200, WIDTH = 8 };
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(11);
    float vectors[N * WIDTH], query[WIDTH];
    _Atomic uint8_t units[N / 64 + 1] = {0};
    uint64_t few[N / 64 + 1] = {1, 1, 1, 1};
    pn_candidate heap[1];
    pn_topk topk;
    for (size_t i = 0; i < N; i++)
        fill_unit(&rng, vectors + i * WIDTH, WIDTH);
    fill_unit(&rng, query, WIDTH);
    for (size_t d = 0; d < WIDTH; d++) // as far away as can be, but for its length of -5
        vectors[(size_t)70 * WIDTH + d] = -5 * query[d];
    pn_flat_run run = {.vectors = vectors, .n_rows = N, .allowed = few, .units = units};
    for (int turn = 0; turn < 3; turn++) {
        pn_topk_init(&topk, heap, 1);
        assert_int_equal(pn_flat_search(&run, 1, query, WIDTH, -INFINITY, NULL, NULL, &topk, &err),
                         PN_OK);
        assert_int_equal(topk.n, 1);
        for (size_t b = 0; b < PN_COUNT_OF(units); b++)
            assert_int_equal(units[b], turn > 0 && b != 1);
        run.allowed = NULL;
    }
}

static void flat_search__stops_when_told(void **state)
{
    (void)state;
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(7);
    table t = {.dim = 4};
    _Atomic bool cancel = true;
    pn_candidate heap[3];
    pn_topk topk;
    add_fragment(&rng, &t, 0, 9000);
    t.query = own(&t, pn_alloc_array(t.dim, sizeof(float)));
    fill_unit(&rng, t.query, t.dim);
    pn_topk_init(&topk, heap, 3);
    assert_int_equal(
        pn_flat_search(t.runs, t.n_runs, t.query, 4, -INFINITY, NULL, &cancel, &topk, &err),
        PN_ERR_CANCELLED);
    assert_int_equal(topk.n, 0);
    free_table(&t);
}

static void flat_search__of_nothing_is_nothing(void **state)
{
    (void)state;
    pn_error err = {0};
    float query[2] = {1, 0};
    pn_candidate heap[3];
    pn_topk topk;
    pn_topk_init(&topk, heap, 3);
    assert_int_equal(pn_flat_search(NULL, 0, query, 2, -INFINITY, NULL, NULL, &topk, &err), PN_OK);
    assert_int_equal(topk.n, 0);
}

static void flat_copy__says_when_there_is_no_memory(void **state)
{
    (void)state;
    const float vectors[] = {1, 0, 0, 1};
    const pn_flat_run run = {.vectors = vectors, .n_rows = 2};
    for (int64_t n = 1;; n++) {
        pn_error err = {0};
        pn_flat_copy *copy;
        int64_t live = pn_alloc_live();
        pn_alloc_fail_after(n);
        pn_status status = pn_flat_copy_make(&run, 2, &copy, &err);
        pn_alloc_fail_after(0);
        if (status == PN_OK) {
            pn_flat_copy_unref(copy);
            break;
        }
        assert_int_equal(status, PN_ERR_NOMEM);
        assert_int_equal(pn_alloc_live(), live);
        assert_true(n < 100);
    }
}

static void flat_search__says_when_there_is_no_memory(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(9);
    table t;
    make_table(&rng, &t);
    copy_runs(&t);
    for (int64_t n = 1;; n++) {
        pn_error err = {0};
        pn_candidate heap[3];
        pn_topk topk;
        pn_topk_init(&topk, heap, 3);
        int64_t live = pn_alloc_live();
        pn_alloc_fail_after(n);
        pn_status status =
            pn_flat_search(t.runs, t.n_runs, t.query, t.dim, -INFINITY, NULL, NULL, &topk, &err);
        pn_alloc_fail_after(0);
        assert_int_equal(pn_alloc_live(), live);
        if (status == PN_OK)
            break;
        assert_int_equal(status, PN_ERR_NOMEM);
        assert_true(n < 100);
    }
    free_table(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_search__equals_the_double_loop_with_any_threads_and_copies),
        cmocka_unit_test(flat_search__tells_ties_of_all_but_zeros_by_address),
        cmocka_unit_test(units__are_found_out_once),
        cmocka_unit_test(flat_search__stops_when_told),
        cmocka_unit_test(flat_search__of_nothing_is_nothing),
        cmocka_unit_test(flat_copy__says_when_there_is_no_memory),
        cmocka_unit_test(flat_search__says_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_pq.c - codes of residuals: tables say what the decoded row says, and losses are those that happen
 */
#include "index/pq.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "support/faults.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { N = 3000, MOST_DIM = 100, QUERIES = 200 };

typedef struct fixture {
    pn_pq_training training;
    pn_arena arena;
    pn_pq pq;
    float residuals[N * MOST_DIM], queries[QUERIES * MOST_DIM], projected[N * MOST_DIM];
    double moment[MOST_DIM * MOST_DIM];
    uint8_t codes[N * MOST_DIM];
} fixture;

static fixture f;
static const float zeros[MOST_DIM];

/* Axes of different importance to rows and to queries. */
static void fill(size_t dim, size_t n_groups, double scale)
{
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(dim);
    for (size_t i = 0; i < N * dim; i++)
        f.residuals[i] = (float)(scale * pn_rng_normal(&rng) / sqrt(1 + (double)(i % dim)));
    for (size_t i = 0; i < QUERIES * dim; i++)
        f.queries[i] =
            (float)(pn_rng_normal(&rng) / sqrt((double)dim) / sqrt((double)(dim - i % dim)));
    for (size_t q = 0; q < QUERIES; q++)
        pn_kernels_get()->normalise_f32(f.queries + q * dim, dim);
    assert_int_equal(pn_second_moment(f.queries, QUERIES, dim, f.moment, &err), PN_OK);
    f.training = (pn_pq_training){.residuals = f.residuals,
                                  .n = N,
                                  .dim = dim,
                                  .n_groups = n_groups,
                                  .moment = f.moment,
                                  .seed = 1};
    pn_arena_init(&f.arena, SIZE_MAX);
}

static float *pack(const pn_pq *pq)
{
    float *packed =
        pn_alloc_array(pn_gemm_panels(pq->n_axes) * PN_GEMM_PANEL * pq->dim, sizeof *packed);
    assert_non_null(packed);
    pn_kernels_get()->gemm_pack(packed, pq->encode, pq->n_axes, pq->dim, pq->dim, 1);
    return packed;
}

static void encode(void)
{
    float *packed = pack(&f.pq);
    pn_pq_encode(&f.pq, packed, f.residuals, N, f.projected, f.codes);
    pn_free(packed);
}

/* What pq->query makes of vectors. */
static void turn(const float *vectors, size_t n, float *out)
{
    const pn_pq *pq = &f.pq;
    float *packed =
        pn_alloc_array(pn_gemm_panels(pq->n_axes) * PN_GEMM_PANEL * pq->dim, sizeof *packed);
    assert_non_null(packed);
    pn_kernels_get()->gemm_pack(packed, pq->query, pq->n_axes, pq->dim, pq->dim, 1);
    pn_pq_turn(pq, packed, vectors, n, out);
    pn_free(packed);
}

static void train(size_t dim, size_t n_groups, double scale)
{
    pn_error err = {0};
    fill(dim, n_groups, scale);
    if (pn_pq_train(&f.training, &f.arena, &f.pq, &err) != PN_OK)
        fail_msg("%s", err.message);
    encode();
}

static void second_moment__is_the_sum_of_products(void **state)
{
    (void)state;
    static const size_t dims[] = {4, 17, 100};
    for (size_t k = 0; k < PN_COUNT_OF(dims); k++) {
        size_t dim = dims[k];
        fill(dim, 4, 1);
        assert_int_equal(pn_second_moment(f.residuals, N, dim, f.moment, NULL), PN_OK);
        for (size_t i = 0; i < dim; i++)
            for (size_t j = 0; j < dim; j += 3) {
                double sum = 0;
                for (size_t r = 0; r < N; r++)
                    sum += (double)f.residuals[r * dim + i] * (double)f.residuals[r * dim + j];
                assert_true(fabs(sum / N - f.moment[i * dim + j]) < 1e-6);
            }
    }
}

static void check_groups(const pn_pq *pq)
{
    assert_int_equal(pq->group_starts[0], 0);
    assert_int_equal(pq->group_starts[pq->n_groups], pq->n_axes);
    assert_true(pq->n_axes <= pq->dim);
    for (size_t g = 0; g < pq->n_groups; g++) {
        assert_true(pq->group_starts[g] < pq->group_starts[g + 1]);
        assert_true(pq->group_starts[g + 1] - pq->group_starts[g] <= PN_PQ_MAX_GROUP);
    }
    for (size_t a = 1; a < pq->n_axes; a++)
        assert_true(pq->spread[a] <= pq->spread[a - 1]);
}

/* The sum of the entries of a row's codes, and the sum of what the tables stand for. */
static void check_tables(const pn_pq *pq, const float *query, const float *turned_mean)
{
    static uint8_t entries[MOST_DIM * PN_PQ_ENTRIES];
    static float turned[MOST_DIM], scratch[MOST_DIM * (1 + PN_PQ_ENTRIES)];
    pn_pq_tables tables = {.entries = entries};
    pn_pq_turn_query(pq, query, turned);
    pn_pq_tables_make(pq, turned, turned_mean, scratch, &tables);
    for (size_t i = 0; i < N; i += 37) {
        double exact = 0;
        uint32_t sum = 0;
        for (size_t g = 0; g < pq->n_groups; g++) {
            uint8_t code = f.codes[i * pq->n_groups + g];
            assert_true(code < PN_PQ_ENTRIES);
            sum += entries[g * PN_PQ_ENTRIES + code];
            for (size_t a = pq->group_starts[g]; a < pq->group_starts[g + 1]; a++) {
                double t = 0;
                for (size_t d = 0; d < pq->dim; d++)
                    t += (double)query[d] * (double)pq->query[a * pq->dim + d];
                exact +=
                    (t - (double)turned_mean[a]) * (double)pq->codewords[a * PN_PQ_ENTRIES + code];
            }
        }
        double told = (double)tables.low + (double)tables.step * sum;
        assert_true(fabs(told - exact) <= 0.51 * (double)tables.step * (double)pq->n_groups + 1e-5);
    }
}

static void tables__say_what_the_decoded_row_says(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{4, 4}, {5, 4}, {17, 8}, {64, 64}, {100, 12}, {100, 100}};
    float turned[MOST_DIM];
    for (size_t i = 0; i < PN_COUNT_OF(sizes); i++) {
        train(sizes[i][0], sizes[i][1], 0.3);
        check_groups(&f.pq);
        for (size_t q = 0; q < 5; q++)
            check_tables(&f.pq, f.queries + q * f.pq.dim, zeros);
        /* the last of the questions stands for their mean */
        turn(f.queries + (QUERIES - 1) * f.pq.dim, 1, turned);
        for (size_t q = 0; q < 5; q++)
            check_tables(&f.pq, f.queries + q * f.pq.dim, turned);
        pn_arena_reset(&f.arena);
    }
}

/* Without codes, query and encode undo each other when no axis is left out. */
static void axes__keep_the_product_of_query_and_row(void **state)
{
    (void)state;
    train(20, 20, 1);
    assert_int_equal(f.pq.n_axes, 20);
    for (size_t q = 0; q < 20; q++)
        for (size_t i = 0; i < 100; i++) {
            double product = 0, turned = 0;
            for (size_t d = 0; d < 20; d++)
                product += (double)f.queries[q * 20 + d] * (double)f.residuals[i * 20 + d];
            for (size_t a = 0; a < 20; a++)
                turned +=
                    (double)pn_kernels_get()->dot_f32(f.queries + q * 20, f.pq.query + a * 20, 20) *
                    (double)f.projected[i * 20 + a];
            assert_true(fabs(product - turned) < 1e-4);
        }
    pn_arena_reset(&f.arena);
}

/* Each row with a vector of its own, and all with the same. */
static void decoded_products__are_those_of_the_decoded_rows(void **state)
{
    (void)state;
    static float turned[QUERIES * MOST_DIM], products[2][QUERIES];
    train(64, 16, 0.5);
    const pn_pq *pq = &f.pq;
    turn(f.queries, QUERIES, turned);
    pn_pq_decoded_products(pq, turned, pq->n_axes, f.codes, QUERIES, products[0]);
    pn_pq_decoded_products(pq, turned, 0, f.codes, QUERIES, products[1]);
    for (size_t i = 0; i < 2 * (size_t)QUERIES; i++) {
        size_t row = i % QUERIES;
        const float *vector = f.queries + (i < QUERIES ? row : 0) * pq->dim;
        double product = 0;
        for (size_t g = 0; g < pq->n_groups; g++)
            for (size_t a = pq->group_starts[g]; a < pq->group_starts[g + 1]; a++)
                for (size_t d = 0; d < pq->dim; d++)
                    product +=
                        (double)vector[d] * (double)pq->query[a * pq->dim + d] *
                        (double)pq->codewords[a * PN_PQ_ENTRIES + f.codes[row * pq->n_groups + g]];
        assert_true(fabs(product - (double)products[i / QUERIES][row]) < 1e-4);
    }
    pn_arena_reset(&f.arena);
}

/* Loss and spread of the tables against what happens over all rows, averaged over queries: they are their variances. */
static void losses__are_those_that_happen(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{17, 8}, {64, 16}, {100, 12}};
    static uint8_t entries[MOST_DIM * PN_PQ_ENTRIES];
    static float turned[MOST_DIM], scratch[MOST_DIM * (1 + PN_PQ_ENTRIES)];
    for (size_t k = 0; k < PN_COUNT_OF(sizes); k++) {
        train(sizes[k][0], sizes[k][1], 0.5);
        size_t dim = f.pq.dim, groups = f.pq.n_groups;
        double told = 0, happened = 0, told_spread = 0, spread = 0, energy, loss;
        for (size_t q = 0; q < 50; q++) {
            pn_pq_tables tables = {.entries = entries};
            pn_pq_turn_query(&f.pq, f.queries + q * dim, turned);
            pn_pq_tables_make(&f.pq, turned, zeros, scratch, &tables);
            told += (double)tables.loss * (double)tables.loss;
            told_spread += (double)tables.spread * (double)tables.spread;
            for (size_t i = 0; i < N; i++) {
                uint32_t sum = 0;
                for (size_t g = 0; g < groups; g++)
                    sum += entries[g * PN_PQ_ENTRIES + f.codes[i * groups + g]];
                double product = (double)pn_kernels_get()->dot_f32(f.queries + q * dim,
                                                                   f.residuals + i * dim, dim);
                double error = product - (double)tables.low - (double)tables.step * sum;
                happened += error * error / N;
                spread += product * product / N;
            }
        }
        if (told / happened < 0.7 || told / happened > 1.3)
            fail_msg("dim %zu: told %g, happened %g", dim, told, happened);
        assert_true(told_spread / spread > 0.7 && told_spread / spread < 1.3);
        assert_true(happened < spread / 2); // codes are worth something
        pn_pq_measure(&f.pq, f.projected, f.codes, N, &energy, &loss);
        double losses = 0, spreads = 0;
        for (size_t a = 0; a < f.pq.n_axes; a++) {
            losses += (double)f.pq.loss[a];
            spreads += (double)f.pq.spread[a];
        }
        assert_true(fabs(loss / losses - 1) < 1e-3);
        assert_true(fabs(energy / spreads - 1) < 1e-3);
        pn_arena_reset(&f.arena);
    }
}

/* Rows three times as long as those of the training, half of them turned around: every axis is measured anew, the codes stay. */
static void adapt__measures_rows_of_another_kind(void **state)
{
    (void)state;
    pn_error err = {0};
    pn_pq adapted;
    const float times = 3;
    train(64, 16, 0.5);
    for (size_t i = 0; i < (size_t)N * 64; i++)
        f.residuals[i] *= i / 64 % 2 ? times : -times;
    float *packed = pack(&f.pq);
    assert_int_equal(
        pn_pq_adapt(&f.pq, packed, f.residuals, N, times * times, &f.arena, &adapted, &err), PN_OK);
    pn_free(packed);
    assert_ptr_equal(adapted.codewords, f.pq.codewords);
    assert_ptr_equal(adapted.encode, f.pq.encode);
    assert_true(adapted.tail == times * times * f.pq.tail);
    encode();
    for (size_t g = 0; g < f.pq.n_groups; g++)
        for (size_t a = f.pq.group_starts[g]; a < f.pq.group_starts[g + 1]; a++) {
            double energy = 0, loss = 0;
            for (size_t i = 0; i < N; i++) {
                size_t code = f.codes[i * f.pq.n_groups + g];
                double y = (double)f.projected[i * f.pq.n_axes + a];
                double d = y - (double)f.pq.codewords[a * PN_PQ_ENTRIES + code];
                energy += y * y / N;
                loss += d * d / N;
            }
            assert_true(fabs((double)adapted.spread[a] / energy - 1) < 1e-5);
            assert_true(fabs((double)adapted.loss[a] / loss - 1) < 1e-5);
            assert_true(fabs((double)(adapted.spread[a] / f.pq.spread[a]) - 9) < 0.01);
            assert_true(adapted.loss[a] > 2 * f.pq.loss[a]); // the codewords do not reach so far
        }
    pn_arena_reset(&f.arena);
}

static pn_status adapt_some(void *context, pn_error *err)
{
    pn_arena arena;
    pn_pq adapted;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_pq_adapt(&f.pq, context, f.residuals, N, 1, &arena, &adapted, err);
    pn_arena_reset(&arena);
    return status;
}

static void adapt__says_when_there_is_no_memory(void **state)
{
    (void)state;
    train(8, 4, 1);
    float *packed = pack(&f.pq);
    assert_true(faults_each_allocation(adapt_some, packed) >= 3);
    pn_free(packed);
    pn_arena_reset(&f.arena);
}

static void train__is_the_same_for_any_pool(void **state)
{
    (void)state;
    train(64, 32, 1);
    pn_pq alone = f.pq;
    pn_arena arena = f.arena;
    fill(64, 32, 1);
    assert_int_equal(pn_pool_create(4, &f.training.pool, NULL), PN_OK);
    assert_int_equal(pn_pq_train(&f.training, &f.arena, &f.pq, NULL), PN_OK);
    pn_pool_free(f.training.pool);
    assert_int_equal(alone.n_axes, f.pq.n_axes);
    size_t n = alone.n_axes * 64 * sizeof(float);
    assert_memory_equal(alone.encode, f.pq.encode, n);
    assert_memory_equal(alone.query, f.pq.query, n);
    assert_memory_equal(alone.codewords, f.pq.codewords, alone.n_axes * 16 * sizeof(float));
    assert_memory_equal(alone.loss, f.pq.loss, alone.n_axes * sizeof(float));
    pn_arena_reset(&arena);
    pn_arena_reset(&f.arena);
}

static void train__of_rows_and_queries_that_say_nothing(void **state)
{
    (void)state;
    pn_error err = {0};
    fill(16, 8, 0); // all residuals are zero
    memset(f.moment, 0, sizeof f.moment);
    assert_int_equal(pn_pq_train(&f.training, &f.arena, &f.pq, &err), PN_OK);
    encode();
    check_groups(&f.pq);
    check_tables(&f.pq, f.queries, zeros);
    pn_arena_reset(&f.arena);
    fill(16, 8, 1);
    for (size_t i = 0; i < N; i++) // on one line
        for (size_t d = 1; d < 16; d++)
            f.residuals[i * 16 + d] = f.residuals[i * 16];
    assert_int_equal(pn_pq_train(&f.training, &f.arena, &f.pq, &err), PN_OK);
    encode();
    check_groups(&f.pq);
    check_tables(&f.pq, f.queries, zeros);
    pn_arena_reset(&f.arena);
}

static pn_status train_some(void *context, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_pq_train(context, &arena, &f.pq, err);
    pn_arena_reset(&arena);
    return status;
}

static void train__says_when_there_is_no_memory(void **state)
{
    (void)state;
    fill(8, 4, 1);
    f.training.n = 50;
    assert_true(faults_each_allocation(train_some, &f.training) > 20);
    pn_arena_reset(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_moment__is_the_sum_of_products),
        cmocka_unit_test(tables__say_what_the_decoded_row_says),
        cmocka_unit_test(axes__keep_the_product_of_query_and_row),
        cmocka_unit_test(decoded_products__are_those_of_the_decoded_rows),
        cmocka_unit_test(losses__are_those_that_happen),
        cmocka_unit_test(adapt__measures_rows_of_another_kind),
        cmocka_unit_test(adapt__says_when_there_is_no_memory),
        cmocka_unit_test(train__is_the_same_for_any_pool),
        cmocka_unit_test(train__of_rows_and_queries_that_say_nothing),
        cmocka_unit_test(train__says_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

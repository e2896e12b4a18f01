/*
 * test_index.c - the index against the exact scan
 *
 * What must always hold: as many rows as were asked for and may be returned, each once, each allowed, at its exact distance, in
 * order. What must hold on average: the recall that was asked for. With everything looked at, the answer is the exact one.
 */
#include "index/index.h"

#include "base/alloc.h"
#include "base/bits.h"
#include "index/recall.h"
#include "kernels/kernels.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/faults.h"
#include "support/scratch_folder.h"
#include "support/vector_table.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { K = 10, MOST_K = 3000, TEXTS = 100 };

/* ---- building and asking */

typedef struct fixture {
    vector_table table;
    float *texts;
    pn_index *index;
    uint64_t *allowed; /* by ordinal; NULL: all */
    pn_index_mask *mask;
    float *query;
} fixture;

static void must(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("status %d: %s", (int)status, err->message);
}

static void build(fixture *f, scratch_folder *s, pn_index_build_options o)
{
    pn_error err = {0};
    char *path = scratch_path(s, "index");
    must(pn_index_build(&f->table.rows, &o, path, &err), &err);
    must(pn_index_open(path, &f->index, &err), &err);
    must(pn_index_check(f->index, &err), &err);
}

static void make_fixture(fixture *f, const vector_table_options *options)
{
    *f = (fixture){0};
    vector_table_make(options, &f->table);
    f->texts = vector_table_texts(&f->table, TEXTS, options->seed + 1);
    f->query = pn_alloc_array(options->dim, sizeof *f->query);
    assert_non_null(f->query);
}

static void free_fixture(fixture *f)
{
    pn_index_mask_free(f->mask);
    pn_index_close(f->index);
    pn_free(f->allowed);
    pn_free(f->texts);
    pn_free(f->query);
    vector_table_free(&f->table);
}

/* The words of a fragment out of those of all rows. */
static uint64_t *fragment_words(const fixture *f, size_t fragment)
{
    size_t n = f->table.fragments[fragment].n_rows;
    uint64_t *words = pn_alloc_zero(pn_words_for_bits(n + 1) * sizeof *words);
    assert_non_null(words);
    for (size_t i = 0; i < n; i++)
        if (!f->allowed || pn_word_bit_get(f->allowed, f->table.starts[fragment] + i))
            pn_word_bit_set(words, i);
    return words;
}

static void use_mask(fixture *f, bool filtered)
{
    pn_error err = {0};
    uint64_t *words[VECTOR_TABLE_MAX_FRAGMENTS] = {0};
    for (size_t i = 0; filtered && i < f->table.options.n_fragments; i++)
        words[i] = fragment_words(f, i);
    pn_index_mask_free(f->mask);
    f->mask = NULL;
    must(pn_index_mask_make(f->index, &f->table.rows,
                            filtered ? (const uint64_t *const *)words : NULL, &f->mask, &err),
         &err);
    for (size_t i = 0; i < VECTOR_TABLE_MAX_FRAGMENTS; i++)
        pn_free(words[i]);
}

/* The true k nearest of what may be returned; returns how many. */
static size_t truth(fixture *f, size_t k, pn_candidate *heap)
{
    pn_error err = {0};
    pn_topk topk;
    pn_flat_run runs[2 * VECTOR_TABLE_MAX_FRAGMENTS];
    size_t n = f->table.options.n_fragments;
    uint64_t *words[VECTOR_TABLE_MAX_FRAGMENTS];
    for (size_t i = 0; i < n; i++) {
        words[i] = fragment_words(f, i);
        for (size_t r = 0; r < 2; r++) {
            runs[2 * i + r] = f->table.runs[2 * i + r];
            runs[2 * i + r].allowed = words[i];
        }
    }
    pn_topk_init(&topk, heap, k);
    must(pn_flat_search(runs, 2 * n, f->query, f->table.options.dim, -INFINITY, NULL, NULL, &topk,
                        &err),
         &err);
    for (size_t i = 0; i < n; i++)
        pn_free(words[i]);
    return topk.n;
}

static double exact_distance(const fixture *f, size_t row)
{
    size_t dim = f->table.options.dim;
    const float *v = f->table.vectors + row * dim;
    double product = 0, squares = 0;
    for (size_t d = 0; d < dim; d++) {
        product += (double)f->query[d] * (double)v[d];
        squares += (double)v[d] * (double)v[d];
    }
    if (!f->table.options.any_length)
        return 1 - product;
    return squares > 1e-60 ? 1 - product / sqrt(squares) : 1; // below, floats see nothing
}

/* What must hold of every answer. */
static void check_answer(const fixture *f, const pn_topk *found)
{
    for (size_t i = 0; i < found->n; i++) {
        size_t row = vector_table_row(&f->table, found->heap[i].id);
        if (f->allowed)
            assert_true(pn_word_bit_get(f->allowed, row));
        assert_false(vector_table_is_deleted(&f->table, row));
        assert_true(fabs(exact_distance(f, row) - (double)found->heap[i].distance) < 1e-5);
        if (i > 0)
            assert_true(pn_candidate_before(found->heap[i - 1], found->heap[i]));
    }
}

/* The answer to one question, checked, with what other indexes have found (NULL: nothing); returns how many. */
static size_t ask_with(const fixture *f, pn_query_kind kind, pn_index_effort effort,
                       const pn_index_bar *bar, pn_index_turned *turned, size_t k,
                       pn_candidate *heap, pn_index_stats *stats)
{
    pn_error err = {0};
    pn_topk found;
    pn_index_query query = {.vector = f->query,
                            .kind = kind,
                            .effort = effort,
                            .rows = &f->table.rows,
                            .mask = f->mask,
                            .bar = bar,
                            .turned = turned};
    pn_topk_init(&found, heap, k);
    must(pn_index_search(f->index, &query, &found, stats, &err), &err);
    check_answer(f, &found);
    return found.n;
}

/* Ask and check; returns the recall. */
static double ask(fixture *f, pn_query_kind kind, pn_index_effort effort, size_t k)
{
    static pn_candidate heap[MOST_K], want[MOST_K];
    pn_index_stats stats;
    size_t n_found = ask_with(f, kind, effort, NULL, NULL, k, heap, &stats);
    size_t n = truth(f, k, want), good = 0;
    assert_int_equal(n_found, n);
    for (size_t i = 0; i < n_found; i++)
        good += heap[i].distance <= want[n - 1].distance + 1e-6f;
    bool all = effort.partitions == UINT32_MAX && isinf(effort.rows);
    for (size_t i = 0; all && i < n; i++)
        if (heap[i].id != want[i].id || fabsf(heap[i].distance - want[i].distance) > 1e-6f)
            fail_msg("place %zu of %zu: %zu at %.9g instead of %zu at %.9g", i, n,
                     vector_table_row(&f->table, heap[i].id), (double)heap[i].distance,
                     vector_table_row(&f->table, want[i].id), (double)want[i].distance);
    return n > 0 ? (double)good / (double)n : 1;
}

static const pn_index_effort everything = {.partitions = UINT32_MAX, .rows = INFINITY};

static void any_query(fixture *f, pn_rng *rng, pn_query_kind *kind)
{
    size_t dim = f->table.options.dim;
    *kind = pn_rng_below(rng, 2) ? PN_QUERY_TEXT : PN_QUERY_PICTURE;
    if (*kind == PN_QUERY_PICTURE)
        vector_table_picture(&f->table, rng, f->query);
    else
        memcpy(f->query, f->texts + pn_rng_below(rng, TEXTS) * dim, dim * sizeof *f->query);
}

/* ---- exactly */

/* The k nearest as a flat scan has them: rows, order, distances. */
static void expect_exact(fixture *f, pn_query_kind kind, size_t k, pn_pool *pool)
{
    pn_error err = {0};
    pn_topk found;
    pn_index_stats stats;
    pn_candidate *heap = pn_alloc_array(2 * k, sizeof *heap);
    assert_non_null(heap);
    pn_topk_init(&found, heap, k);
    pn_index_query query = {
        .vector = f->query, .kind = kind, .rows = &f->table.rows, .mask = f->mask};
    must(pn_index_search_exact(f->index, &query, pool, &found, &stats, &err), &err);
    assert_int_equal(found.n, truth(f, k, heap + k));
    for (size_t i = 0; i < found.n; i++) {
        assert_true(heap[i].id == heap[k + i].id);
        assert_true(heap[i].distance == heap[k + i].distance);
    }
    assert_true(stats.n_exact <= stats.n_scanned);
    pn_free(heap);
}

/* What bounds might stumble over: near twins that only floats tell apart, lengths from next to nothing to a million, zeros,
 * vectors of one axis. */
static void make_awkward(fixture *f, pn_rng *rng)
{
    size_t dim = f->table.options.dim, n = f->table.options.n_rows;
    for (size_t i = 0; i < n; i++) {
        float *v = f->table.vectors + i * dim, factor;
        uint64_t how = pn_rng_below(rng, 8);
        if (how < 3 && i > 50) {
            memcpy(v, f->table.vectors + pn_rng_below(rng, 50) * dim, dim * sizeof *v);
            float *value = &v[pn_rng_below(rng, dim)];
            *value = how == 0 ? *value : nextafterf(*value, how == 1 ? 2 : -2);
        } else if (how == 3 && f->table.options.any_length) {
            static const float factors[] = {1e-24f, 1e-20f, 1e-10f, 1e6f, 1e15f, 1e18f, 1e25f};
            factor = factors[pn_rng_below(rng, PN_COUNT_OF(factors))];
            for (size_t d = 0; d < dim; d++)
                v[d] *= factor;
        } else if (how == 4) {
            memset(v, 0, dim * sizeof *v);
            v[pn_rng_below(rng, dim)] = pn_rng_below(rng, 3) ? 1 : 0;
        }
    }
}

static void search_exact__is_the_flat_scan_to_the_bit(void **state)
{
    static const size_t dims[] = {4, 33, 64, 100, 200};
    pn_pool *pool;
    pn_error err = {0};
    must(pn_pool_create(3, &pool, &err), &err);
    for (uint64_t seed = 0; seed < 10; seed++) {
        fixture f;
        pn_rng rng = pn_rng_seed(seed);
        make_fixture(&f, &(vector_table_options){1500, dims[seed / 2], 20, 3, seed % 2, seed});
        make_awkward(&f, &rng);
        build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
        for (size_t i = 0; i < 30; i++) {
            pn_query_kind kind;
            any_query(&f, &rng, &kind);
            size_t row = pn_rng_below(&rng, 1500);
            if (i % 2 && pn_kernels_get()->norm_f32(f.table.vectors + row * dims[seed / 2],
                                                    dims[seed / 2]) > 1e-3f)
                (void)pn_vector_rows_copy(&f.table.rows, row, f.query);
            if (i >= 20) {
                vector_table_delete(&f.table, row);
                use_mask(&f, false);
            }
            expect_exact(&f, kind, 1 + pn_rng_below(&rng, 40), i % 3 ? pool : NULL);
        }
        memset(f.query, 0, dims[seed / 2] * sizeof *f.query);
        expect_exact(&f, PN_QUERY_PICTURE, 50, pool);
        expect_exact(&f, PN_QUERY_PICTURE, 2000, pool);
        free_fixture(&f);
    }
    pn_pool_free(pool);
}

/* Most rows are told by their copies, or nothing would be gained. */
static void search_exact__reads_few_vectors(void **state)
{
    pn_error err = {0};
    fixture f;
    make_fixture(&f, &(vector_table_options){20000, 64, 100, 2, false, 5});
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    pn_rng rng = pn_rng_seed(3);
    for (size_t i = 0; i < 20; i++) {
        pn_query_kind kind;
        any_query(&f, &rng, &kind);
        pn_candidate heap[K];
        pn_topk found;
        pn_index_stats stats;
        pn_topk_init(&found, heap, K);
        pn_index_query query = {.vector = f.query, .kind = kind, .rows = &f.table.rows};
        must(pn_index_search_exact(f.index, &query, NULL, &found, &stats, &err), &err);
        assert_int_equal(stats.n_scanned, 20000);
        assert_true(stats.n_exact >= K && stats.n_exact < 2000);
    }
    free_fixture(&f);
}

static void search_exact__needs_copies_memory_and_time(void **state)
{
    pn_error err = {0};
    fixture f;
    pn_candidate heap[K];
    pn_topk found;
    pn_index_stats stats;
    _Atomic bool cancel = true;
    make_fixture(&f, &(vector_table_options){2000, 16, 10, 2, false, 5});
    build(&f, *state, (pn_index_build_options){.low_memory = true});
    pn_index_query query = {.vector = f.query, .rows = &f.table.rows};
    pn_rng rng = pn_rng_seed(3);
    vector_table_picture(&f.table, &rng, f.query);
    pn_topk_init(&found, heap, K);
    assert_int_equal(pn_index_search_exact(f.index, &query, NULL, &found, &stats, &err),
                     PN_ERR_INVALID);
    pn_index_close(f.index);
    build(&f, *state, (pn_index_build_options){0});
    query.cancel = &cancel;
    assert_int_equal(pn_index_search_exact(f.index, &query, NULL, &found, &stats, &err),
                     PN_ERR_CANCELLED);
    query.cancel = NULL;
    for (int64_t nth = 1; nth < 1000; nth++) {
        pn_alloc_fail_after(nth);
        pn_status status = pn_index_search_exact(f.index, &query, NULL, &found, &stats, &err);
        pn_alloc_fail_after(0);
        if (status == PN_OK)
            break;
        assert_int_equal(status, PN_ERR_NOMEM);
        assert_int_equal(found.n, 0);
    }
    assert_int_equal(found.n, K);
    free_fixture(&f);
}

/* ---- recall */

static double mean_recall(fixture *f, pn_query_kind kind, pn_index_effort effort, size_t n)
{
    double sum = 0;
    pn_rng rng = pn_rng_seed(77);
    float *texts = vector_table_texts(&f->table, n, 4711);
    for (size_t i = 0; i < n; i++) {
        if (kind == PN_QUERY_TEXT)
            memcpy(f->query, texts + i * f->table.options.dim,
                   f->table.options.dim * sizeof *f->query);
        else
            vector_table_picture(&f->table, &rng, f->query);
        sum += ask(f, kind, effort, K);
    }
    pn_free(texts);
    return sum / (double)n;
}

static void expect_recall(fixture *f)
{
    static const float wanted[] = {0.8f, 0.9f, 0.95f, 0.98f};
    for (int kind = 0; kind < PN_QUERY_KINDS; kind++)
        for (size_t i = 0; i < PN_COUNT_OF(wanted); i++) {
            float promised;
            pn_index_effort effort =
                pn_index_effort_for(f->index, (pn_query_kind)kind, wanted[i], 1, K, &promised);
            assert_true(promised >= wanted[i] || (promised <= 0 && isinf(effort.rows)));
            double recall = mean_recall(f, (pn_query_kind)kind, effort, 100);
            if (recall < (double)wanted[i] - 0.03)
                fail_msg("kind %d: %.3f instead of %.3f", kind, recall, (double)wanted[i]);
        }
    for (int kind = 0; kind < PN_QUERY_KINDS; kind++)
        assert_true(mean_recall(f, (pn_query_kind)kind, everything, 20) >= 1);
}

static void search__finds_the_recall_that_is_asked_for(void **state)
{
    for (size_t fragments = 1; fragments <= 5; fragments += 4) {
        fixture f;
        make_fixture(&f, &(vector_table_options){20000, 64, 150, fragments, false, fragments});
        build(&f, *state,
              (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS, .table_version = 9});
        pn_index_info info;
        pn_index_info_get(f.index, &info);
        assert_int_equal(info.n_rows, 20000);
        assert_int_equal(info.n_listed, 20000);
        assert_int_equal(info.table_version, 9);
        assert_int_equal(info.n_fragments, fragments);
        assert_true(info.has_copies && info.has_texts);
        for (size_t i = 0; i < fragments; i++) {
            pn_index_fragment fragment;
            pn_index_fragment_get(f.index, i, &fragment);
            assert_int_equal(fragment.id, f.table.fragments[i].id);
            assert_int_equal(fragment.n_rows, f.table.fragments[i].n_rows);
            assert_string_equal(fragment.name, f.table.fragments[i].name);
        }
        expect_recall(&f);
        free_fixture(&f);
    }
}

static void kind_of__tells_texts_from_pictures(void **state)
{
    fixture f;
    make_fixture(&f, &(vector_table_options){2000, 32, 20, 1, false, 3});
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(pn_index_kind_of(f.index, f.texts + i * 32), PN_QUERY_TEXT);
        assert_int_equal(pn_index_kind_of(f.index, f.table.vectors + i * 32), PN_QUERY_PICTURE);
    }
    free_fixture(&f);
}

/* ---- shapes of vectors and of tables */

static void check_some(fixture *f, size_t n)
{
    static const size_t ks[] = {1, 2, 10, 100, MOST_K};
    pn_rng rng = pn_rng_seed(5);
    for (size_t i = 0; i < n; i++) {
        pn_query_kind kind;
        float recall;
        any_query(f, &rng, &kind);
        (void)ask(f, kind, everything, ks[i % PN_COUNT_OF(ks)]);
        (void)ask(f, kind, pn_index_effort_for(f->index, kind, 0.9f, 1, K, &recall),
                  ks[i % PN_COUNT_OF(ks)]);
    }
}

static void search__is_exact_for_every_dimension(void **state)
{
    static const size_t dims[] = {4, 5, 7, 64, 96, 100, 768};
    for (size_t i = 0; i < PN_COUNT_OF(dims); i++)
        for (int variant = 0; variant < 4; variant++) {
            fixture f;
            if (dims[i] > 100 && variant != 0)
                continue;
            make_fixture(&f, &(vector_table_options){1500, dims[i], 20, 3, variant == 1, i});
            build(&f, *state,
                  (pn_index_build_options){.texts = variant == 2 ? NULL : f.texts,
                                           .n_texts = variant == 2 ? 0 : TEXTS,
                                           .low_memory = variant == 3});
            check_some(&f, 10);
            free_fixture(&f);
        }
}

static void build__takes_sizes_of_its_own(void **state)
{
    static const struct {
        size_t partitions, groups;
    } sizes[] = {{1, 4}, {2, 3}, {3, 8}, {1000000, 5}, {10, 1000}};
    for (size_t i = 0; i < PN_COUNT_OF(sizes); i++) {
        fixture f;
        pn_index_info info;
        make_fixture(&f, &(vector_table_options){1600, 300, 20, 1, false, i});
        build(&f, *state,
              (pn_index_build_options){.n_partitions = sizes[i].partitions,
                                       .code_groups = sizes[i].groups});
        pn_index_info_get(f.index, &info);
        assert_int_equal(info.n_partitions, PN_MIN(sizes[i].partitions, (size_t)100));
        check_some(&f, 5);
        free_fixture(&f);
    }
}

static void set_row(fixture *f, size_t row, float value)
{
    size_t dim = f->table.options.dim;
    for (size_t d = 0; d < dim; d++)
        f->table.vectors[row * dim + d] = value;
}

/* Infinite vectors are found neither here nor there: an infinite distance means nothing, so the truth leaves them out as well. */
static void hide_infinite_rows(fixture *f)
{
    size_t n = f->table.options.n_rows, dim = f->table.options.dim;
    f->allowed = pn_alloc_zero(pn_words_for_bits(n) * sizeof *f->allowed);
    assert_non_null(f->allowed);
    for (size_t i = 0; i < n; i++)
        if (isfinite(pn_kernels_get()->norm_f32(f->table.vectors + i * dim, dim)))
            pn_word_bit_set(f->allowed, i);
}

static void search__knows_zeros_and_leaves_out_what_is_no_number(void **state)
{
    fixture f;
    make_fixture(&f, &(vector_table_options){2000, 24, 10, 2, true, 8});
    for (size_t i = 0; i < 2000; i += 50)
        set_row(&f, i, 0);
    for (size_t i = 7; i < 2000; i += 100) {
        f.table.vectors[i * 24 + i % 24] = i % 200 == 7 ? NAN : -INFINITY;
        f.table.vectors[(i + 1) * 24] = 3e38f;
        f.table.vectors[(i + 1) * 24 + 1] = 3e38f; // its length is infinite
        set_row(&f, i + 2, 1e-39f);                // a length of nothing
    }
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    pn_index_info info;
    pn_index_info_get(f.index, &info);
    assert_int_equal(info.n_listed, 2000 - 40);
    hide_infinite_rows(&f);
    check_some(&f, 20);
    set_row(&f, 0, 0);
    memset(f.query, 0, 24 * sizeof *f.query); // no direction at all: everything is at 1
    (void)ask(&f, PN_QUERY_PICTURE, everything, 50);
    free_fixture(&f);
}

static void search__orders_twins_by_address(void **state)
{
    fixture f;
    make_fixture(&f, &(vector_table_options){3000, 32, 15, 3, false, 10});
    for (size_t i = 100; i < 3000; i++)
        if (i % 4 != 0)
            memcpy(f.table.vectors + i * 32, f.table.vectors + i % 100 * 32, 32 * sizeof(float));
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    check_some(&f, 20);
    for (size_t i = 0; i < 20; i++) {
        memcpy(f.query, f.table.vectors + i * 32, 32 * sizeof(float));
        (void)ask(&f, PN_QUERY_PICTURE, everything, 7);
    }
    free_fixture(&f);
}

static void search__of_one_vector_a_thousand_times(void **state)
{
    fixture f;
    make_fixture(&f, &(vector_table_options){1200, 16, 1, 1, false, 11});
    for (size_t i = 1; i < 1200; i++)
        memcpy(f.table.vectors + i * 16, f.table.vectors, 16 * sizeof(float));
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    check_some(&f, 10);
    free_fixture(&f);
}

/* ---- deletions and filters */

static void search__never_returns_what_is_deleted(void **state)
{
    fixture f;
    make_fixture(&f, &(vector_table_options){3000, 32, 15, 4, false, 12});
    for (size_t i = 0; i < 3000; i += 3) // before the index is made
        vector_table_delete(&f.table, i);
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    pn_index_info info;
    pn_index_info_get(f.index, &info);
    assert_int_equal(info.n_listed, 2000);
    check_some(&f, 5);
    for (size_t i = 0; i < 3000; i += 2) // and behind it
        vector_table_delete(&f.table, i);
    use_mask(&f, false);
    assert_int_equal(pn_index_mask_count(f.mask), 1000);
    check_some(&f, 20);
    free_fixture(&f);
}

static void search__does_without_fragments_that_are_gone(void **state)
{
    fixture f;
    pn_error err = {0};
    make_fixture(&f, &(vector_table_options){2000, 16, 15, 4, false, 13});
    build(&f, *state, (pn_index_build_options){0});
    pn_index_fragment left[4];
    memcpy(left, f.table.fragments, sizeof left);
    left[0].n_runs = left[2].n_runs = 0;
    pn_vector_rows rows;
    must(pn_vector_rows_init(left, 4, 16, false, &rows, &err), &err);
    assert_int_equal(pn_vector_rows_count(&rows), 1000);
    must(pn_index_mask_make(f.index, &rows, NULL, &f.mask, &err), &err);
    assert_int_equal(pn_index_mask_count(f.mask), 1000);
    static pn_candidate heap[MOST_K];
    pn_topk found;
    pn_index_stats stats;
    pn_index_query query = {
        .vector = f.table.vectors, .effort = everything, .rows = &rows, .mask = f.mask};
    pn_topk_init(&found, heap, MOST_K);
    must(pn_index_search(f.index, &query, &found, &stats, &err), &err);
    assert_int_equal(found.n, 1000);
    for (size_t i = 0; i < found.n; i++)
        assert_true(heap[i].id >> 32 == left[1].id || heap[i].id >> 32 == left[3].id);
    query.mask = NULL;
    assert_int_equal(pn_index_search(f.index, &query, &found, &stats, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "gone"));
    pn_vector_rows_reset(&rows);
    must(pn_vector_rows_init(left, 3, 16, false, &rows, &err), &err);
    assert_int_equal(pn_index_search(f.index, &query, &found, &stats, &err), PN_ERR_INVALID);
    pn_vector_rows_reset(&rows);
    free_fixture(&f);
}

/* One row in `every`: at random, or whole clusters, or only clusters far from the query's. */
static void make_filter(fixture *f, int how, double share, pn_rng *rng)
{
    size_t n = f->table.options.n_rows, dim = f->table.options.dim;
    if (!f->allowed)
        f->allowed = pn_alloc_array(pn_words_for_bits(n), sizeof *f->allowed);
    assert_non_null(f->allowed);
    memset(f->allowed, 0, pn_words_for_bits(n) * sizeof *f->allowed);
    uint32_t first = (uint32_t)pn_rng_below(rng, f->table.options.n_clusters);
    uint32_t span = (uint32_t)ceil(share * (double)f->table.options.n_clusters);
    for (size_t i = 0; i < n; i++) {
        const float *middle = f->table.middles + f->table.cluster[i] * dim;
        bool far = pn_kernels_get()->dot_f32(f->query, middle, dim) < 0;
        bool in = f->table.cluster[i] - first < span;
        if (how == 0 ? pn_rng_unit(rng) < share
                     : (how == 1 ? in : far && pn_rng_unit(rng) < 2 * share))
            pn_word_bit_set(f->allowed, i);
    }
}

static void search__fills_k_whatever_the_filter(void **state)
{
    static const double shares[] = {0.5, 0.1, 0.01, 0.001, 0.0001, 0};
    fixture f;
    pn_rng rng = pn_rng_seed(14);
    make_fixture(&f, &(vector_table_options){20000, 32, 100, 3, false, 14});
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    for (size_t s = 0; s < PN_COUNT_OF(shares); s++)
        for (int how = 0; how < 3; how++) {
            double sum = 0;
            enum { TURNS = 8 };
            for (size_t i = 0; i < TURNS; i++) {
                pn_query_kind kind;
                float promised;
                any_query(&f, &rng, &kind);
                make_filter(&f, how, shares[s], &rng);
                use_mask(&f, true);
                double share = (double)pn_index_mask_count(f.mask) / 20000;
                sum += ask(&f, kind, pn_index_effort_for(f.index, kind, 0.95f, share, K, &promised),
                           K);
                (void)ask(&f, kind, everything, i % 2 ? K : 500);
            }
            if (sum / TURNS < 0.88)
                fail_msg("share %g, kind of filter %d: recall %.3f", shares[s], how, sum / TURNS);
        }
    free_fixture(&f);
}

/* Small tables of all sorts, each asked often: what must always hold does. */
static void random_table(scratch_folder *s, uint64_t seed, size_t n_queries)
{
    static const size_t dims[] = {4, 8, 12, 33, 64};
    pn_rng rng = pn_rng_seed(seed);
    fixture f;
    make_fixture(&f, &(vector_table_options){1000 + pn_rng_below(&rng, 2000),
                                             dims[pn_rng_below(&rng, PN_COUNT_OF(dims))],
                                             1 + pn_rng_below(&rng, 60),
                                             1 + pn_rng_below(&rng, VECTOR_TABLE_MAX_FRAGMENTS),
                                             pn_rng_below(&rng, 2), seed});
    bool texts = pn_rng_below(&rng, 2);
    build(&f, s,
          (pn_index_build_options){.texts = texts ? f.texts : NULL,
                                   .n_texts = texts ? TEXTS : 0,
                                   .low_memory = pn_rng_below(&rng, 2),
                                   .n_partitions = pn_rng_below(&rng, 2) ? 0 : 20,
                                   .seed = seed});
    for (size_t i = 0; i < n_queries; i++) {
        pn_query_kind kind;
        any_query(&f, &rng, &kind);
        make_filter(&f, (int)pn_rng_below(&rng, 3), pn_rng_unit(&rng), &rng);
        vector_table_delete(&f.table, pn_rng_below(&rng, f.table.options.n_rows));
        use_mask(&f, true);
        pn_index_effort effort = {.partitions = (uint32_t)pn_rng_below(&rng, 50),
                                  .rows = (float)pn_rng_below(&rng, 6),
                                  .gap = pn_rng_below(&rng, 2) ? INFINITY
                                                               : (float)pn_rng_unit(&rng) - 0.5f};
        size_t k = 1 + pn_rng_below(&rng, pn_rng_below(&rng, 2) ? 20 : MOST_K - 1);
        (void)ask(&f, kind, pn_rng_below(&rng, 2) ? everything : effort, k);
        pn_index_info info;
        pn_index_info_get(f.index, &info);
        if (info.has_copies && i % 4 == 0)
            expect_exact(&f, kind, k, NULL);
    }
    free_fixture(&f);
}

static void search__random_tables_filters_and_questions(void **state)
{
    for (uint64_t seed = 100; seed < 120; seed++)
        random_table(*state, seed, 100);
}

/* ---- the same file */

/* An index of 20,000 rows, to be like. */
static void build_large(fixture *f, scratch_folder *s, size_t dim)
{
    pn_error err = {0};
    make_fixture(f, &(vector_table_options){20000, dim, 150, 1, false, 30});
    pn_index_build_options o = {.texts = f->texts, .n_texts = TEXTS, .code_groups = 8};
    must(pn_index_build(&f->table.rows, &o, scratch_path(s, "large"), &err), &err);
    must(pn_index_open(scratch_path(s, "large"), &f->index, &err), &err);
}

static bool scans_all(const pn_index *index)
{
    pn_index_info info;
    pn_index_info_get(index, &info);
    return info.scans_all;
}

/* Rows in clusters that the other index has never seen. */
static void build__takes_codes_and_efforts_of_another_index(void **state)
{
    static const size_t sizes[] = {1024, 1500, 6000, 20000};
    fixture large;
    build_large(&large, *state, 64);
    assert_false(scans_all(large.index));
    for (size_t i = 0; i < PN_COUNT_OF(sizes); i++) {
        fixture f;
        make_fixture(&f, &(vector_table_options){sizes[i], 64, 40, 2, false, 31 + i});
        vector_table_delete(&f.table, 7);
        build(
            &f, *state,
            (pn_index_build_options){.texts = large.texts, .n_texts = TEXTS, .like = large.index});
        assert_true(scans_all(f.index));
        for (int kind = 0; kind < PN_QUERY_KINDS; kind++) {
            float here, there;
            pn_index_effort effort =
                pn_index_effort_for(f.index, (pn_query_kind)kind, 0.9f, 1, K, &here);
            (void)pn_index_effort_for(large.index, (pn_query_kind)kind, 0.9f, 1, K, &there);
            assert_true(here == there && here >= 0.9f && isfinite(effort.rows));
        }
        expect_recall(&f);
        free_fixture(&f);
    }
    free_fixture(&large);
}

/* One of its own size measures how far it has to go. */
static void build__takes_only_codes_for_many_rows(void **state)
{
    fixture large, f;
    build_large(&large, *state, 16);
    make_fixture(&f, &(vector_table_options){PN_INDEX_ALIKE_ROWS + 1, 16, 200, 1, false, 33});
    build(&f, *state,
          (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS, .like = large.index});
    assert_false(scans_all(f.index));
    expect_recall(&f);
    free_fixture(&f);
    free_fixture(&large);
}

static void build__takes_no_codes_that_do_not_fit(void **state)
{
    fixture large, f;
    pn_error err = {0};
    build_large(&large, *state, 16);
    pn_index_build_options o = {.like = large.index};
    char *path = scratch_path(*state, "index");
    make_fixture(&f, &(vector_table_options){1000, 16, 10, 1, false, 34});
    assert_int_equal(pn_index_build(&f.table.rows, &o, path, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "codes with texts for an index without"));
    o.texts = f.texts;
    o.n_texts = TEXTS;
    must(pn_index_build(&f.table.rows, &o, path, &err), &err);
    f.table.rows.dim = 8;
    assert_int_equal(pn_index_build(&f.table.rows, &o, path, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "codes for 16 values for vectors of 8"));
    free_fixture(&f);
    free_fixture(&large);
}

/* ---- several indexes of one table */

static void expect_first(const pn_candidate *found, const pn_candidate *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(found[i].id == wanted[i].id);
        assert_true(found[i].distance == wanted[i].distance);
    }
}

/* With the bar at place n - 1 the first n are found, twins of that place among them, and what is behind them need not be. */
static void check_bar(fixture *f, pn_query_kind kind, size_t n)
{
    pn_candidate whole[K], some[K];
    pn_index_stats stats;
    assert_int_equal(ask_with(f, kind, everything, NULL, NULL, K, whole, &stats), K);
    const pn_index_bar bar = {1 - whole[n - 1].distance - 1e-6f, -INFINITY};
    const pn_index_bar beyond = {3, -INFINITY}; /* what no row reaches */
    size_t n_found = ask_with(f, kind, everything, &bar, NULL, K, some, &stats);
    assert_true(n_found >= n);
    expect_first(some, whole, n);
    assert_true(stats.by_codes > -INFINITY);
    assert_int_equal(ask_with(f, kind, everything, &beyond, NULL, K, some, &stats), 0);
    assert_int_equal(stats.n_exact, 0);
}

/* Its own bars from the start change nothing but the work, whether all partitions are visited or some. */
static void check_own_bar(fixture *f, pn_query_kind kind, uint32_t partitions)
{
    pn_candidate without[K], with[K];
    pn_index_stats stats, stats_with;
    const pn_index_effort effort = {.partitions = partitions, .rows = 4, .gap = INFINITY};
    size_t n = ask_with(f, kind, effort, NULL, NULL, K, without, &stats);
    assert_int_equal(n, K);
    const pn_index_bar bar = {1 - without[K - 1].distance - 1e-6f, stats.by_codes};
    assert_int_equal(ask_with(f, kind, effort, &bar, NULL, K, with, &stats_with), K);
    expect_first(with, without, K);
    assert_true(stats_with.by_codes == stats.by_codes);
    assert_true(stats_with.n_refined <= stats.n_refined);
}

static void search__takes_the_bar_of_other_indexes(void **state)
{
    pn_rng rng = pn_rng_seed(61);
    fixture f;
    make_fixture(&f, &(vector_table_options){3000, 32, 40, 2, false, 60});
    for (size_t i = 2000; i < 3000; i++) /* twins */
        memcpy(f.table.vectors + i * 32, f.table.vectors + (i - 2000) * 32, 32 * sizeof(float));
    build(&f, *state, (pn_index_build_options){.texts = f.texts, .n_texts = TEXTS});
    pn_index_info info;
    pn_index_info_get(f.index, &info);
    for (size_t i = 0; i < 60; i++) {
        pn_query_kind kind;
        if (i % 20 == 0) {
            vector_table_delete(&f.table, 5 + i);
            use_mask(&f, false);
        }
        any_query(&f, &rng, &kind);
        check_bar(&f, kind, 1 + pn_rng_below(&rng, K));
        check_own_bar(&f, kind, (uint32_t)info.n_partitions);
        check_own_bar(&f, kind, (uint32_t)info.n_partitions / 3);
    }
    free_fixture(&f);
}

/* Whatever is kept of a question for the next index, answers are those of one that is asked alone. */
static void search__keeps_the_turned_query_for_the_same_codes(void **state)
{
    pn_rng rng = pn_rng_seed(63);
    fixture large, f;
    build_large(&large, *state, 64);
    make_fixture(&f, &(vector_table_options){2000, 64, 40, 1, false, 62});
    build(&f, *state,
          (pn_index_build_options){.texts = large.texts, .n_texts = TEXTS, .like = large.index});
    const fixture *both[] = {&large, &f};
    for (size_t i = 0; i < 40; i++) {
        float values[64];
        pn_index_turned turned = {0, values};
        uint64_t first = 0;
        pn_query_kind kind;
        any_query(&large, &rng, &kind);
        memcpy(f.query, large.query, sizeof values);
        for (size_t j = 0; j < 4; j++) {
            pn_candidate alone[K], with[K];
            pn_index_stats stats;
            const pn_index_effort effort = {.partitions = 40, .rows = 4, .gap = INFINITY};
            /* the other kind has other codes, after which it is turned again */
            kind = j == 3 ? (pn_query_kind)(PN_QUERY_TEXT - kind) : kind;
            size_t n = ask_with(both[j % 2], kind, effort, NULL, NULL, K, alone, &stats);
            assert_int_equal(ask_with(both[j % 2], kind, effort, NULL, &turned, K, with, &stats),
                             n);
            expect_first(with, alone, n);
            first = j == 0 ? turned.codes : first;
            assert_true(turned.codes != 0 && (turned.codes == first) == (j < 3));
        }
    }
    free_fixture(&f);
    free_fixture(&large);
}

static void expect_same_files(scratch_folder *s, const char *a, const char *b)
{
    pn_error err = {0};
    pn_buffer x, y;
    pn_buffer_init(&x, SIZE_MAX);
    pn_buffer_init(&y, SIZE_MAX);
    must(pn_file_read(scratch_path(s, a), &x, &err), &err);
    must(pn_file_read(scratch_path(s, b), &y, &err), &err);
    assert_int_equal(x.n_bytes, y.n_bytes);
    assert_memory_equal(x.data, y.data, x.n_bytes);
    pn_buffer_reset(&x);
    pn_buffer_reset(&y);
}

static void build__writes_the_same_file_for_any_pool(void **state)
{
    scratch_folder *s = *state;
    static const char *const names[] = {"none", "one", "four", "again"};
    static const unsigned threads[] = {0, 1, 4, 4};
    pn_error err = {0};
    fixture f;
    make_fixture(&f, &(vector_table_options){5000, 48, 40, 3, true, 20});
    f.table.vectors[48 * 77] = NAN;
    vector_table_delete(&f.table, 99);
    for (size_t i = 0; i < PN_COUNT_OF(names); i++) {
        pn_pool *pool = NULL;
        if (threads[i] > 0)
            must(pn_pool_create(threads[i], &pool, &err), &err);
        pn_index_build_options o = {.texts = f.texts, .n_texts = TEXTS, .pool = pool, .seed = 3};
        must(pn_index_build(&f.table.rows, &o, scratch_path(s, names[i]), &err), &err);
        expect_same_files(s, names[0], names[i]);
        if (i == 0)
            must(pn_index_open(scratch_path(s, names[0]), &f.index, &err), &err);
        o.like = f.index;
        must(pn_index_build(&f.table.rows, &o, scratch_path(s, "like"), &err), &err);
        if (i == 0)
            must(pn_path_rename(scratch_path(s, "like"), scratch_path(s, "first"), &err), &err);
        else
            expect_same_files(s, "first", "like");
        pn_pool_free(pool);
    }
    free_fixture(&f);
}

/* ---- failures */

static size_t count_files(scratch_folder *s)
{
    char **names;
    size_t n;
    pn_arena arena;
    pn_error err = {0};
    pn_arena_init(&arena, SIZE_MAX);
    must(pn_dir_list(s->path, &arena, &names, &n, &err), &err);
    pn_arena_reset(&arena);
    return n;
}

static void build__refuses_what_is_too_small(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    fixture f;
    pn_index_build_options o = {0};
    make_fixture(&f, &(vector_table_options){1000, 8, 10, 2, false, 21});
    vector_table_delete(&f.table, 500);
    assert_int_equal(pn_index_build(&f.table.rows, &o, scratch_path(s, "x"), &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "1000"));
    assert_non_null(strstr(err.message, "999"));
    free_fixture(&f);

    make_fixture(&f, &(vector_table_options){1001, 8, 10, 2, false, 21});
    f.table.vectors[0] = NAN;
    must(pn_index_build(&f.table.rows, &o, scratch_path(s, "x"), &err), &err);
    must(pn_path_remove(scratch_path(s, "x"), &err), &err);
    f.table.vectors[8] = NAN;
    assert_int_equal(pn_index_build(&f.table.rows, &o, scratch_path(s, "x"), &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "not numbers"));
    f.table.rows.dim = 3;
    assert_int_equal(pn_index_build(&f.table.rows, &o, scratch_path(s, "x"), &err), PN_ERR_LIMIT);
    f.table.rows.dim = 2049;
    assert_int_equal(pn_index_build(&f.table.rows, &o, scratch_path(s, "x"), &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "2048"));
    f.table.rows.dim = 8;
    f.texts[8 * 3] = NAN;
    o.texts = f.texts;
    o.n_texts = 10;
    assert_int_equal(pn_index_build(&f.table.rows, &o, scratch_path(s, "x"), &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "text 3"));
    f.table.fragments[1].n_runs = 0;
    assert_int_equal(pn_index_build(&f.table.rows, &o, scratch_path(s, "x"), &err), PN_ERR_INVALID);
    assert_int_equal(count_files(s), 0);
    free_fixture(&f);
}

typedef struct building {
    fixture f;
    pn_index *like;
    char *path;
    pn_pool *pool;
    _Atomic bool cancel;
    size_t told, cancel_at;
} building;

static void count_progress(void *context, const char *stage, double done)
{
    building *b = context;
    (void)stage;
    assert_true(done >= 0 && done <= 1);
    if (++b->told == b->cancel_at)
        atomic_store(&b->cancel, true);
}

static pn_status build_once(void *context, pn_error *err)
{
    building *b = context;
    pn_index_build_options o = {.texts = b->f.texts,
                                .n_texts = 20,
                                .pool = b->pool,
                                .like = b->like,
                                .n_partitions = 4,
                                .cancel = &b->cancel,
                                .progress = count_progress,
                                .context = b};
    b->told = 0;
    atomic_store(&b->cancel, false);
    return pn_index_build(&b->f.table.rows, &o, b->path, err);
}

static void start_building(building *b, scratch_folder *s)
{
    *b = (building){.path = scratch_path(s, "index")};
    make_fixture(&b->f, &(vector_table_options){1000, 8, 10, 2, false, 22});
}

static void build__leaves_nothing_when_it_is_stopped(void **state)
{
    building b;
    start_building(&b, *state);
    size_t n = 0;
    pn_error err = {0};
    must(build_once(&b, &err), &err);
    n = b.told;
    must(pn_path_remove(b.path, &err), &err);
    for (b.cancel_at = 1; b.cancel_at < n; b.cancel_at++) {
        assert_int_equal(build_once(&b, &err), PN_ERR_CANCELLED);
        assert_int_equal(count_files(*state), 0);
    }
    must(build_once(&b, &err), &err); // told that it is done, which is too late
    assert_int_equal(count_files(*state), 1);
    free_fixture(&b.f);
}

/* The blocks of one build: too many to refuse each in turn, so as many as can be refused between two of them are skipped. */
static void build__leaves_nothing_without_memory(void **state)
{
    building b;
    pn_error err = {0};
    start_building(&b, *state);
    int64_t live = pn_alloc_live();
    for (int threads = 0; threads <= 3; threads += 3) {
        if (threads > 0)
            must(pn_pool_create(3, &b.pool, &err), &err);
        live = pn_alloc_live();
        int64_t n = 1;
        for (;; n += n < 300 ? 1 : n / 40) {
            pn_alloc_fail_after(n);
            pn_status status = build_once(&b, &err);
            pn_alloc_fail_after(0);
            assert_int_equal(pn_alloc_live(), live);
            if (status == PN_OK)
                break;
            assert_int_equal(status, PN_ERR_NOMEM);
            assert_string_equal(err.message, "out of memory");
            assert_int_equal(count_files(*state), 0);
        }
        assert_true(n > 300);
        must(pn_path_remove(b.path, &err), &err);
    }
    pn_pool_free(b.pool);
    free_fixture(&b.f);
}

static void build__like_another_leaves_nothing_without_memory(void **state)
{
    building b;
    pn_error err = {0};
    start_building(&b, *state);
    must(build_once(&b, &err), &err);
    must(pn_index_open(b.path, &b.like, &err), &err);
    must(pn_path_remove(b.path, &err), &err);
    int64_t live = pn_alloc_live(), n = 1;
    for (;; n++) {
        pn_alloc_fail_after(n);
        pn_status status = build_once(&b, &err);
        pn_alloc_fail_after(0);
        assert_int_equal(pn_alloc_live(), live);
        if (status == PN_OK)
            break;
        assert_int_equal(status, PN_ERR_NOMEM);
        assert_int_equal(count_files(*state), 0);
    }
    assert_true(n > 50);
    pn_index_close(b.like);
    free_fixture(&b.f);
}

static void build__leaves_nothing_when_the_disk_fails(void **state)
{
    building b;
    pn_error err = {0};
    start_building(&b, *state);
    for (int reads = 0; reads <= 1; reads++) {
        size_t failed = 0;
        for (int64_t n = 1;; n++) {
            (reads ? pn_fd_fault_reads_after : pn_fd_fault_after)(n, reads ? EIO : ENOSPC);
            pn_status status = build_once(&b, &err);
            pn_fd_fault_after(0, 0);
            pn_fd_fault_reads_after(0, 0);
            if (status == PN_OK)
                break;
            failed++;
            assert_int_equal(status, PN_ERR_IO);
            assert_non_null(strstr(err.message, "index"));
            assert_int_equal(count_files(*state), 0);
        }
        assert_true(failed > 20);
        must(pn_path_remove(b.path, &err), &err);
    }
    free_fixture(&b.f);
}

/* A failure of the work, whatever it is, leaves an older index as it was. */
static void build__keeps_the_old_index_until_the_new_one_is_there(void **state)
{
    building b;
    pn_error err = {0};
    start_building(&b, *state);
    must(pn_file_write_atomic(b.path, "old", 3, &err), &err);
    pn_fd_fault_after(5, ENOSPC);
    assert_int_equal(build_once(&b, &err), PN_ERR_IO);
    pn_fd_fault_after(0, 0);
    pn_file_info info;
    must(pn_path_info(b.path, &info, &err), &err);
    assert_int_equal(info.size_bytes, 3);
    must(build_once(&b, &err), &err);
    must(pn_index_open(b.path, &b.f.index, &err), &err);
    free_fixture(&b.f);
}

static pn_status open_and_search(void *context, pn_error *err)
{
    building *b = context;
    pn_index *index;
    pn_index_mask *mask;
    pn_index_stats stats;
    pn_candidate heap[K];
    pn_topk found;
    PN_TRY(pn_index_open(b->path, &index, err));
    pn_status status = pn_index_mask_make(index, &b->f.table.rows, NULL, &mask, err);
    if (status == PN_OK) {
        pn_index_query query = {.vector = b->f.table.vectors,
                                .effort = everything,
                                .rows = &b->f.table.rows,
                                .mask = mask};
        pn_topk_init(&found, heap, K);
        status = pn_index_search(index, &query, &found, &stats, err);
        pn_index_mask_free(mask);
    }
    pn_index_close(index);
    return status;
}

static void search__says_when_there_is_no_memory_and_when_it_is_stopped(void **state)
{
    building b;
    pn_error err = {0};
    start_building(&b, *state);
    must(build_once(&b, &err), &err);
    assert_true(faults_each_allocation(open_and_search, &b) > 10);
    must(pn_index_open(b.path, &b.f.index, &err), &err);
    pn_candidate heap[K];
    pn_topk found;
    pn_index_stats stats;
    pn_topk_init(&found, heap, K);
    atomic_store(&b.cancel, true);
    pn_index_query query = {.vector = b.f.table.vectors,
                            .effort = everything,
                            .rows = &b.f.table.rows,
                            .cancel = &b.cancel};
    assert_int_equal(pn_index_search(b.f.index, &query, &found, &stats, &err), PN_ERR_CANCELLED);
    assert_int_equal(found.n, 0);
    free_fixture(&b.f);
}

/* ---- the truth that calibrations use */

static void exact_nearest__is_the_flat_search(void **state)
{
    (void)state;
    enum { N = 7 };
    fixture f;
    pn_error err = {0};
    pn_candidate nearest[N * K], want[K];
    make_fixture(&f, &(vector_table_options){3000, 20, 30, 3, true, 30});
    for (size_t i = 0; i < 3000; i += 9)
        vector_table_delete(&f.table, i);
    for (uint64_t every = 1; every <= 4; every += 3) {
        f.allowed = pn_alloc_zero(pn_words_for_bits(3000) * sizeof *f.allowed);
        for (size_t i = 0; i < 3000; i += every)
            pn_word_bit_set(f.allowed, i);
        must(pn_exact_nearest(&f.table.rows, f.texts, N, K, every, NULL, NULL, nearest, &err),
             &err);
        for (size_t q = 0; q < N; q++) {
            memcpy(f.query, f.texts + q * 20, 20 * sizeof(float));
            assert_int_equal(truth(&f, K, want), K);
            for (size_t i = 0; i < K; i++) {
                assert_true(fabsf(nearest[q * K + i].distance - want[i].distance) < 1e-5f);
                assert_true(fabs(exact_distance(&f, nearest[q * K + i].id) -
                                 (double)nearest[q * K + i].distance) < 1e-5);
            }
        }
        pn_free(f.allowed);
        f.allowed = NULL;
    }
    free_fixture(&f);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exact_nearest__is_the_flat_search),
        TEST(search_exact__is_the_flat_scan_to_the_bit),
        TEST(search_exact__reads_few_vectors),
        TEST(search_exact__needs_copies_memory_and_time),
        TEST(kind_of__tells_texts_from_pictures),
        TEST(search__is_exact_for_every_dimension),
        TEST(build__takes_sizes_of_its_own),
        TEST(search__knows_zeros_and_leaves_out_what_is_no_number),
        TEST(search__orders_twins_by_address),
        TEST(search__of_one_vector_a_thousand_times),
        TEST(search__never_returns_what_is_deleted),
        TEST(search__does_without_fragments_that_are_gone),
        TEST(search__random_tables_filters_and_questions),
        TEST(build__refuses_what_is_too_small),
        TEST(build__leaves_nothing_when_it_is_stopped),
        TEST(build__leaves_nothing_without_memory),
        TEST(build__like_another_leaves_nothing_without_memory),
        TEST(search__takes_the_bar_of_other_indexes),
        TEST(search__keeps_the_turned_query_for_the_same_codes),
        TEST(build__leaves_nothing_when_the_disk_fails),
        TEST(build__keeps_the_old_index_until_the_new_one_is_there),
        TEST(search__says_when_there_is_no_memory_and_when_it_is_stopped),
        TEST(build__takes_codes_and_efforts_of_another_index),
        TEST(build__takes_only_codes_for_many_rows),
        TEST(build__takes_no_codes_that_do_not_fit),
        TEST(build__writes_the_same_file_for_any_pool),
        TEST(search__fills_k_whatever_the_filter),
        TEST(search__finds_the_recall_that_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

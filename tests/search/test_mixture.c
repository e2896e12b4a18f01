/*
 * test_mixture.c - mixtures, weights, filters and ties, against vectors that are known
 *
 * The rows are the axes of an 8-dimensional space and directions between them, so that every cosine can be told in advance.
 */
#include "search/search.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/limits.h"
#include "support/fake_embedder.h"
#include "support/image_table.h"

typedef struct world {
    scratch_folder *scratch;
    pn_engine *engine;
    fake_embedder fake;
} world;

/* Rows 0 to 7 are the axes; 8 and 9 both lie between the axes 0 and 1, and 10 opposite to axis 0. */
enum { N_ROWS = 11 };

static int setup(void **state)
{
    static world w;
    memset(&w, 0, sizeof w);
    void *scratch;
    if (scratch_folder_setup(&scratch) != 0)
        return 1;
    w.scratch = scratch;
    fake_embedder_make(&w.fake);
    w.engine = image_table_make(w.scratch, "t.lance", FAKE_DIM, "fake:1");
    static float vectors[N_ROWS][FAKE_DIM];
    memset(vectors, 0, sizeof vectors);
    image_table_row rows[N_ROWS];
    static char paths[N_ROWS][8];
    for (size_t i = 0; i < N_ROWS; i++) {
        if (i < FAKE_DIM)
            vectors[i][i] = 1;
        else if (i < 10)
            vectors[i][0] = vectors[i][1] = sqrtf(0.5f);
        else
            vectors[i][0] = -1;
        (void)snprintf(paths[i], sizeof paths[i], "%zu", i);
        rows[i] = (image_table_row){.path = paths[i], .vector = vectors[i], .key = "half"};
        rows[i].value = i % 2 ? "odd" : "even";
    }
    image_table_append(w.engine, FAKE_DIM, rows, N_ROWS);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    pn_engine_free(w->engine);
    void *scratch = w->scratch;
    return scratch_folder_teardown(&scratch);
}

static const float *axis(size_t i, float length)
{
    static float vectors[8][FAKE_DIM]; // used in turn
    static size_t next;
    float *v = vectors[next++ % 8];
    memset(v, 0, sizeof vectors[0]);
    v[i] = length;
    return v;
}

static pn_search_term vector_term(const float *vector, double weight)
{
    return (pn_search_term){
        .kind = PN_SEARCH_VECTOR, .weight = weight, .vector = vector, .vector_dim = FAKE_DIM};
}

static pn_status search(world *w, const pn_search_term *terms, size_t n, const char *where,
                        size_t k, pn_hits *hits, pn_error *err)
{
    const pn_search_query query = {.terms = terms, .n_terms = n, .where = where, .k = k};
    return pn_search_run(w->engine, &w->fake.door, &query, hits, err);
}

/* The ids in their order, and the cosine of the first. */
static void expect(world *w, const pn_search_term *terms, size_t n, const char *where, size_t k,
                   const int64_t *ids, size_t n_ids, double first)
{
    pn_error err = {0};
    pn_hits hits;
    if (search(w, terms, n, where, k, &hits, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(hits.n, n_ids);
    for (size_t i = 0; i < n_ids; i++)
        if (hits.hits[i].id != ids[i])
            fail_msg("place %zu: row %d, expected %d", i, (int)hits.hits[i].id, (int)ids[i]);
    if (n_ids > 0 && !(fabs(1 - (double)hits.hits[0].distance - first) < 1e-6))
        fail_msg("a cosine of %.9g, expected %.9g", 1 - (double)hits.hits[0].distance, first);
    pn_hits_free(&hits);
}

#define IDS(...) (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / 8

static void mixture__is_the_unit_vector_of_the_weighted_sum(void **state)
{
    world *w = *state;
    pn_search_term t[2] = {vector_term(axis(0, 1), 1), vector_term(axis(1, 1), 1)};
    expect(w, t, 2, NULL, 2, IDS(8, 9), 1); // half of each; equal rows by address
    t[1].weight = 0.75;                     // (1, 0.75) / 1.25
    expect(w, t, 2, NULL, 4, IDS(8, 9, 0, 1), (1 + 0.75) / 1.25 * sqrt(0.5));
    t[0].weight = 0.2;
    expect(w, t, 2, NULL, 1, IDS(1), 0.75 / sqrt(0.75 * 0.75 + 0.04));
}

static void mixture__compares_directions_not_lengths(void **state)
{
    world *w = *state;
    pn_search_term t[2] = {vector_term(axis(2, 1000), 1), vector_term(axis(3, 0.001f), 2)};
    expect(w, t, 2, NULL, 2, IDS(3, 2), 2 / sqrt(5));
    t[0].weight = 1e6; // only the ratio counts
    t[1].weight = 5e5;
    expect(w, t, 2, NULL, 2, IDS(2, 3), 2 / sqrt(5));
    t[0].weight = 1e-9;
    t[1].weight = 5e-10;
    expect(w, t, 2, NULL, 2, IDS(2, 3), 2 / sqrt(5));
}

static void mixture__turns_away_from_negative_weights(void **state)
{
    world *w = *state;
    pn_search_term t[2] = {vector_term(axis(1, 1), 1), vector_term(axis(0, 1), -1)};
    expect(w, t, 2, NULL, 2, IDS(1, 10), sqrt(0.5));
    t[0] = vector_term(axis(0, 1), -3); // away from it alone
    expect(w, t, 1, NULL, 1, IDS(10), 1);
}

static void mixture__knows_rows_and_texts(void **state)
{
    world *w = *state;
    pn_search_term row = {.kind = PN_SEARCH_ROW, .weight = 1, .id = 8};
    expect(w, &row, 1, NULL, 2, IDS(9, 0), 1); // itself left out
    pn_search_term two[2] = {row, {.kind = PN_SEARCH_ROW, .weight = -1, .id = 1}};
    expect(w, two, 2, NULL, 1, IDS(0), sqrt(0.5) / sqrt(2 - sqrt(2)));
    pn_search_term text = {.kind = PN_SEARCH_TEXT, .weight = 1, .text = pn_str_of("ddd")};
    float vector[FAKE_DIM];
    fake_text_vector(text.text, vector);
    expect(w, &text, 1, NULL, 1, IDS('d' % FAKE_DIM), (double)vector['d' % FAKE_DIM]);
}

static void where__leaves_k_rows_whenever_k_pass(void **state)
{
    world *w = *state;
    pn_search_term t = vector_term(axis(0, 1), 1);
    expect(w, &t, 1, "metadata['half'] = 'odd'", 2, IDS(9, 1), sqrt(0.5));
    expect(w, &t, 1, "id >= 9", 100, IDS(9, 10), sqrt(0.5));
    expect(w, &t, 1, "id = 10", 1, IDS(10), -1);
    expect(w, &t, 1, " \n", 1, IDS(0), 1); // blank: every row
    expect(w, &t, 1, "id > 100", 5, NULL, 0, 0);
    pn_search_term row = {.kind = PN_SEARCH_ROW, .weight = 1, .id = 9};
    expect(w, &row, 1, "id = 9", 5, NULL, 0, 0); // only itself passes
}

static void ties__stand_in_the_order_of_the_table(void **state)
{
    world *w = *state;
    pn_search_term t = vector_term(axis(5, 1), 1);
    expect(w, &t, 1, NULL, 6, IDS(5, 0, 1, 2, 3, 4), 1); // all but the first at cosine 0
    expect(w, &t, 1, NULL, 3, IDS(5, 0, 1), 1);          // the same beginning for a smaller k
    expect(w, &t, 1, NULL, 10000, IDS(5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10), 1);
}

static void search__refuses_what_makes_no_sense(void **state)
{
    world *w = *state;
    pn_error err = {0};
    pn_search_term many[PN_SEARCH_MAX_TERMS + 1];
    for (size_t i = 0; i <= PN_SEARCH_MAX_TERMS; i++)
        many[i] = vector_term(axis(0, 1), 1);
    const pn_search_term good = many[0];
    float nan_vector[FAKE_DIM] = {NAN}, huge[FAKE_DIM] = {INFINITY};
    const struct {
        pn_search_term terms[2];
        size_t n, k;
        pn_status status;
        const char *where, *message;
    } cases[] = {
        {{good}, 0, 5, PN_ERR_INVALID, NULL, "nothing to search for"},
        {{good}, 1, 0, PN_ERR_LIMIT, NULL, ""},
        {{good}, 1, PN_SEARCH_K_MAX + 1, PN_ERR_LIMIT, NULL, ""},
        {{good}, 1, 5, PN_ERR_INVALID, "id = ", "^"},
        {{vector_term(axis(0, 1), 0)}, 1, 5, PN_ERR_INVALID, NULL, "weight 0"},
        {{vector_term(axis(0, 1), (double)NAN)}, 1, 5, PN_ERR_INVALID, NULL, "weight"},
        {{vector_term(axis(0, 1), 2e6)}, 1, 5, PN_ERR_INVALID, NULL, "weight"},
        {{vector_term(axis(0, 0), 1)}, 1, 5, PN_ERR_INVALID, NULL, "finite and not zero"},
        {{vector_term(nan_vector, 1)}, 1, 5, PN_ERR_INVALID, NULL, "finite and not zero"},
        {{vector_term(huge, 1)}, 1, 5, PN_ERR_INVALID, NULL, "finite and not zero"},
        {{good, vector_term(axis(0, 2), -1)}, 2, 5, PN_ERR_INVALID, NULL, "cancel each other out"},
        {{{.kind = PN_SEARCH_VECTOR, .weight = 1, .vector = nan_vector, .vector_dim = 7}},
         1,
         5,
         PN_ERR_INVALID,
         NULL,
         "a vector of 7 floats"},
        {{{.kind = PN_SEARCH_ROW, .weight = 1, .id = 99}}, 1, 5, PN_ERR_NOT_FOUND, NULL, "99"},
        {{{.kind = PN_SEARCH_TEXT, .weight = 1, .text = {" ", 1}}},
         1,
         5,
         PN_ERR_INVALID,
         NULL,
         "empty"},
        {{{.kind = (pn_search_term_kind)9, .weight = 1}}, 1, 5, PN_ERR_INVALID, NULL, "unknown"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_hits hits;
        pn_status got =
            search(w, cases[i].terms, cases[i].n, cases[i].where, cases[i].k, &hits, &err);
        pn_hits_free(&hits);
        if (got != cases[i].status || !strstr(err.message, cases[i].message))
            fail_msg("case %zu: status %d, \"%s\"", i, got, err.message);
    }
    pn_hits hits;
    assert_int_equal(search(w, many, PN_SEARCH_MAX_TERMS + 1, NULL, 5, &hits, &err), PN_ERR_LIMIT);
    pn_hits_free(&hits);
    pn_search_term text = {.kind = PN_SEARCH_TEXT, .weight = 1, .text = pn_str_of("x")};
    const pn_search_query no_model = {.terms = &text, .n_terms = 1, .k = 1};
    assert_int_equal(pn_search_run(w->engine, NULL, &no_model, &hits, &err), PN_ERR_INVALID);
    pn_hits_free(&hits);
    const _Atomic bool stop = true;
    const pn_search_query stopped = {.terms = &good, .n_terms = 1, .k = 1, .cancel = &stop};
    assert_int_equal(pn_search_run(w->engine, NULL, &stopped, &hits, &err), PN_ERR_CANCELLED);
    pn_hits_free(&hits);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mixture__is_the_unit_vector_of_the_weighted_sum),
        TEST(mixture__compares_directions_not_lengths),
        TEST(mixture__turns_away_from_negative_weights),
        TEST(mixture__knows_rows_and_texts),
        TEST(where__leaves_k_rows_whenever_k_pass),
        TEST(ties__stand_in_the_order_of_the_table),
        TEST(search__refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

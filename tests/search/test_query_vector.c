/*
 * test_query_vector.c - terms, mixed the way the header says, and wishes that have no direction
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "search/query.h"
#include "support/faults.h"
#include "support/search_table.h"

enum { DIM = SEARCH_TABLE_DIM };

/* Rows 1 to 3: east, twice as long; north; between both. */
static const char rows_json[] = "[{\"id\": 1, \"vector\": [2, 0, 0, 0], \"image_path\": \"a\", "
                                "\"metadata\": {}, \"timestamp\": 1}, "
                                "{\"id\": 2, \"vector\": [0, 1, 0, 0], \"image_path\": \"b\", "
                                "\"metadata\": {}, \"timestamp\": 2}, "
                                "{\"id\": 3, \"vector\": [3, 4, 0, 0], \"image_path\": \"c\", "
                                "\"metadata\": {}, \"timestamp\": 3}]";

/* 1 x 1 pixel, 24 bits: blue 0, green 3, red 4. */
static const unsigned char picture[] = {
    'B', 'M', 58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24,
    0,   0,   0,  0, 0, 4, 0, 0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 0};

typedef struct world {
    search_table table;
    pn_embedder words;
    pn_snapshot *snapshot;
    const pn_search_term *terms; /* for runs with faults */
    size_t n_terms;
} world;

static world the_world;

static int setup(void **state)
{
    world *w = &the_world;
    search_table_make(NULL, &w->table);
    search_table_append(&w->table, rows_json);
    search_words_init(&w->words);
    *state = w;
    return w->table.engine->pin(w->table.engine->self, &w->snapshot, NULL) != PN_OK;
}

static int teardown(void **state)
{
    world *w = *state;
    w->table.engine->unpin(w->table.engine->self, w->snapshot);
    search_table_free(&w->table);
    return pn_alloc_live() != 0;
}

static pn_status ask(world *w, const pn_search_term *terms, size_t n, float *out, pn_row_addr *rows,
                     size_t *n_rows, pn_error *err)
{
    return pn_query_vector(terms, n, &(pn_query_embedder){&w->words, NULL}, w->table.engine,
                           w->snapshot, DIM, out, rows, n_rows, err);
}

static pn_search_term text_term(const char *text, double weight)
{
    return (pn_search_term){.kind = PN_SEARCH_TEXT, .weight = weight, .text = pn_str_of(text)};
}

static pn_search_term row_term(int64_t id, double weight)
{
    return (pn_search_term){.kind = PN_SEARCH_ROW, .weight = weight, .id = id};
}

static pn_search_term vector_term(const float *vector, size_t dim, double weight)
{
    return (pn_search_term){
        .kind = PN_SEARCH_VECTOR, .weight = weight, .vector = vector, .vector_dim = dim};
}

static void expect_direction(const float *got, double x, double y, double z)
{
    const double want[DIM] = {x, y, z, 0};
    double length = sqrt(x * x + y * y + z * z);
    for (size_t i = 0; i < DIM; i++)
        if (fabs((double)got[i] - want[i] / length) > 1e-6)
            fail_msg("(%g, %g, %g), expected (%g, %g, %g)", (double)got[0], (double)got[1],
                     (double)got[2], x / length, y / length, z / length);
}

static void one_term__is_its_own_unit_vector(void **state)
{
    world *w = *state;
    static const float vector[DIM] = {0, 0, 50, 0};
    float got[DIM];
    pn_row_addr rows[1];
    size_t n_rows;
    const struct {
        pn_search_term term;
        double x, y, z;
        size_t n_rows;
    } cases[] = {
        {text_term("north", 3), 0, 1, 0, 0},
        {text_term("north", -0.5), 0, -1, 0, 0},
        {row_term(1, 1), 1, 0, 0, 1},
        {row_term(3, 2), 3, 4, 0, 1},
        {vector_term(vector, DIM, 1e-6), 0, 0, 1, 0},
        {{.kind = PN_SEARCH_IMAGE, .weight = 1, .image = picture, .image_bytes = sizeof picture},
         4,
         3,
         0,
         0},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        if (ask(w, &cases[i].term, 1, got, rows, &n_rows, &err) != PN_OK)
            fail_msg("case %zu: %s", i, err.message);
        expect_direction(got, cases[i].x, cases[i].y, cases[i].z);
        assert_int_equal(n_rows, cases[i].n_rows);
    }
}

static void several_terms__are_added_with_their_weights(void **state)
{
    world *w = *state;
    float got[DIM];
    pn_row_addr rows[4], addr;
    size_t n_rows;
    const pn_search_term terms[] = {text_term("east", 0.7), row_term(2, 0.3), text_term("up", -0.5),
                                    row_term(3, 5)};
    assert_int_equal(ask(w, terms, 4, got, rows, &n_rows, NULL), PN_OK);
    expect_direction(got, 0.7 + 5 * 0.6, 0.3 + 5 * 0.8, -0.5);
    assert_int_equal(n_rows, 2);
    assert_int_equal(w->table.engine->find_id(w->table.engine->self, w->snapshot, 2, &addr, NULL),
                     PN_OK);
    assert_true(rows[0] == addr);
}

static void random_mixes__are_those_of_the_formula(void **state)
{
    world *w = *state;
    pn_rng rng = pn_rng_seed(4);
    for (int round = 0; round < 500; round++) {
        float vectors[PN_SEARCH_MAX_TERMS][DIM], got[DIM];
        pn_search_term terms[PN_SEARCH_MAX_TERMS];
        pn_row_addr rows[PN_SEARCH_MAX_TERMS];
        double sum[DIM] = {0}, length = 0;
        size_t n = 1 + pn_rng_below(&rng, PN_SEARCH_MAX_TERMS), n_rows;
        for (size_t t = 0; t < n; t++) {
            double square = 0, weight = pn_rng_normal(&rng);
            for (size_t i = 0; i < DIM; i++) {
                vectors[t][i] = (float)(pn_rng_normal(&rng) * 100);
                square += (double)vectors[t][i] * (double)vectors[t][i];
            }
            for (size_t i = 0; i < DIM; i++)
                sum[i] += weight * (double)vectors[t][i] / sqrt(square);
            terms[t] = vector_term(vectors[t], DIM, weight);
        }
        for (size_t i = 0; i < DIM; i++)
            length += sum[i] * sum[i];
        assert_int_equal(ask(w, terms, n, got, rows, &n_rows, NULL), PN_OK);
        for (size_t i = 0; i < DIM; i++)
            assert_true(fabs((double)got[i] - sum[i] / sqrt(length)) < 1e-5);
    }
}

static void wishes_without_a_direction__are_refused(void **state)
{
    world *w = *state;
    static const float zero[DIM] = {0}, nan[DIM] = {NAN}, infinite[DIM] = {INFINITY},
                       good[DIM] = {1};
    static const pn_search_term nothing[PN_SEARCH_MAX_TERMS + 1];
    const pn_search_term opposite[] = {text_term("east", 1), row_term(1, -1)};
    const struct {
        pn_search_term term;
        pn_status status;
        const char *message;
    } cases[] = {
        {text_term("east", 0), PN_ERR_INVALID, "weight 0"},
        {text_term("east", (double)NAN), PN_ERR_INVALID, "weight nan"},
        {text_term("east", -(double)INFINITY), PN_ERR_INVALID, "weight -inf"},
        {text_term("east", 1.1e6), PN_ERR_INVALID, "at most 1e6"},
        {text_term(" \t\n", 1), PN_ERR_INVALID, "the text to search for is empty"},
        {text_term("south", 1), PN_ERR_NOT_FOUND, "no such word"},
        {row_term(99, 1), PN_ERR_NOT_FOUND, "there is no row with id 99"},
        {vector_term(zero, DIM, 1), PN_ERR_INVALID, "finite and not zero"},
        {vector_term(nan, DIM, 1), PN_ERR_INVALID, "finite and not zero"},
        {vector_term(infinite, DIM, 1), PN_ERR_INVALID, "finite and not zero"},
        {vector_term(good, DIM - 1, 1), PN_ERR_INVALID, "a vector of 3 floats, the table has 4"},
        {{.kind = PN_SEARCH_IMAGE,
          .weight = 1,
          .image = "no picture",
          .image_bytes = 10,
          .image_name = "x.png"},
         PN_ERR_UNSUPPORTED,
         "x.png"},
        {{.kind = (pn_search_term_kind)9, .weight = 1}, PN_ERR_INVALID, "unknown kind"},
    };
    float got[DIM];
    pn_row_addr rows[PN_SEARCH_MAX_TERMS + 1];
    size_t n_rows;
    pn_error err = {0};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        assert_int_equal(ask(w, &cases[i].term, 1, got, rows, &n_rows, &err), cases[i].status);
        if (!strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
    }
    assert_int_equal(ask(w, opposite, 2, got, rows, &n_rows, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "cancel each other out"));
    assert_int_equal(ask(w, nothing, 0, got, rows, &n_rows, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "nothing to search for"));
    assert_int_equal(ask(w, nothing, PN_SEARCH_MAX_TERMS + 1, got, rows, &n_rows, &err),
                     PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "33 search terms, the limit is 32"));
}

static void words_and_pictures__need_a_model_of_the_right_width(void **state)
{
    world *w = *state;
    const pn_search_term term = text_term("east", 1);
    pn_embedder wide = w->words;
    float got[DIM];
    pn_row_addr rows[1];
    size_t n_rows;
    pn_error err = {0};
    wide.dim = 512;
    assert_int_equal(pn_query_vector(&term, 1, &(pn_query_embedder){NULL, NULL}, w->table.engine,
                                     w->snapshot, DIM, got, rows, &n_rows, &err),
                     PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "needs a model"));
    assert_int_equal(pn_query_vector(&term, 1, &(pn_query_embedder){&wide, NULL}, w->table.engine,
                                     w->snapshot, DIM, got, rows, &n_rows, &err),
                     PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "vectors of 512 floats, the table has 4"));
    const pn_search_term row = row_term(2, 1); // a row needs none
    assert_int_equal(pn_query_vector(&row, 1, &(pn_query_embedder){NULL, NULL}, w->table.engine,
                                     w->snapshot, DIM, got, rows, &n_rows, &err),
                     PN_OK);
}

static void a_row_without_a_vector__is_no_example(void **state)
{
    (void)state;
    pn_arena arena;
    pn_field fields[2];
    pn_schema schema = {.fields = fields, .n_fields = 2};
    search_table table;
    pn_snapshot *snapshot;
    pn_error err = {0};
    float got[DIM];
    pn_row_addr rows[1];
    size_t n_rows;
    const pn_search_term term = row_term(8, 1);
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&fields[0], "id", PN_TYPE_INT64, true);
    assert_true(pn_field_init_vector(&fields[1], "vector", DIM, &arena));
    fields[1].nullable = true;
    search_table_make(&schema, &table);
    search_table_append(&table, "[{\"id\": 7, \"vector\": [1, 0, 0, 0]}, {\"id\": 8}]");
    assert_int_equal(table.engine->pin(table.engine->self, &snapshot, &err), PN_OK);
    assert_int_equal(pn_query_vector(&term, 1, &(pn_query_embedder){NULL, NULL}, table.engine,
                                     snapshot, DIM, got, rows, &n_rows, &err),
                     PN_ERR_INVALID);
    assert_string_equal(err.message, "row 8 has no vector");
    table.engine->unpin(table.engine->self, snapshot);
    search_table_free(&table);
    pn_arena_reset(&arena);
}

static pn_status run_once(void *context, pn_error *err)
{
    world *w = context;
    float got[DIM];
    pn_row_addr rows[4];
    size_t n_rows;
    return ask(w, w->terms, w->n_terms, got, rows, &n_rows, err);
}

static void no_memory__is_said_and_leaves_nothing(void **state)
{
    world *w = *state;
    static const float vector[DIM] = {0, 0, 50, 0};
    const pn_search_term terms[] = {row_term(2, 1), vector_term(vector, DIM, 2),
                                    text_term("up", 1)};
    w->terms = terms;
    w->n_terms = 3;
    assert_int_equal(run_once(w, NULL), PN_OK); // what stays in memory is there now
    assert_true(faults_each_allocation(run_once, w) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_term__is_its_own_unit_vector, setup, teardown),
        cmocka_unit_test_setup_teardown(several_terms__are_added_with_their_weights, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(random_mixes__are_those_of_the_formula, setup, teardown),
        cmocka_unit_test_setup_teardown(wishes_without_a_direction__are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(words_and_pictures__need_a_model_of_the_right_width, setup,
                                        teardown),
        cmocka_unit_test(a_row_without_a_vector__is_no_example),
        cmocka_unit_test_setup_teardown(no_memory__is_said_and_leaves_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

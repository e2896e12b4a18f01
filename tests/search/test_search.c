/*
 * test_search.c - questions to a table against a list of its rows
 *
 * Rows have random vectors, so that no two distances are equal; the list is sorted by cosine in double and cut as the header
 * promises: k rows whenever k pass the filter, without those that the question names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "search/search.h"
#include "support/faults.h"
#include "support/search_table.h"

enum { DIM = SEARCH_TABLE_DIM, N_ROWS = 120 };

static const char *const colors[] = {"red", "green", "blue"};

typedef struct world {
    search_table table;
    pn_embedder words;
    float vectors[N_ROWS][DIM]; /* of row id */
} world;

static world the_world;

/* Two appends, so that there are two fragments; ids count from 0; the color of row id is id % 3. */
static int setup(void **state)
{
    world *w = &the_world;
    pn_rng rng = pn_rng_seed(11);
    search_table_make(NULL, &w->table);
    search_words_init(&w->words);
    for (int half = 0; half < 2; half++) {
        static char json[N_ROWS * 200];
        size_t n = (size_t)snprintf(json, sizeof json, "[");
        for (int id = half * N_ROWS / 2; id < (half + 1) * N_ROWS / 2; id++) {
            double v[DIM], square = 0;
            for (int i = 0; i < DIM; i++) {
                v[i] = pn_rng_normal(&rng);
                square += v[i] * v[i];
            }
            for (int i = 0; i < DIM; i++)
                w->vectors[id][i] = (float)(v[i] / sqrt(square));
            n += (size_t)snprintf(
                json + n, sizeof json - n,
                "%s{\"id\": %d, \"vector\": [%.9g, %.9g, %.9g, %.9g], \"image_path\": \"%d.jpg\", "
                "\"metadata\": {\"color\": \"%s\"}, \"timestamp\": %d}",
                n > 1 ? "," : "", id, (double)w->vectors[id][0], (double)w->vectors[id][1],
                (double)w->vectors[id][2], (double)w->vectors[id][3], id, colors[id % 3], id);
        }
        (void)snprintf(json + n, sizeof json - n, "]");
        search_table_append(&w->table, json);
    }
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    pn_alloc_fail_after(0);
    search_table_free(&w->table);
    return pn_alloc_live() != 0;
}

/* ---- the model */

typedef struct neighbour {
    int64_t id;
    double distance;
} neighbour;

static int compare(const void *left, const void *right)
{
    const neighbour *a = left, *b = right;
    return (a->distance > b->distance) - (a->distance < b->distance);
}

static size_t nearest(const world *w, const double *query, int color, const int64_t *left_out,
                      size_t n_left_out, neighbour *out)
{
    size_t n = 0;
    for (int64_t id = 0; id < N_ROWS; id++) {
        double dot = 0, square = 0;
        bool named = false;
        for (size_t i = 0; i < n_left_out; i++)
            named = named || left_out[i] == id;
        if (named || (color >= 0 && id % 3 != color))
            continue;
        for (size_t i = 0; i < DIM; i++) {
            dot += query[i] * (double)w->vectors[id][i];
            square += query[i] * query[i];
        }
        out[n++] = (neighbour){id, 1 - dot / sqrt(square)};
    }
    qsort(out, n, sizeof *out, compare);
    return n;
}

static void expect_hits(const pn_hits *hits, const neighbour *want, size_t n)
{
    assert_int_equal(hits->n, n);
    for (size_t i = 0; i < n; i++) {
        const pn_hit *hit = &hits->hits[i];
        char path[24];
        (void)snprintf(path, sizeof path, "%" PRId64 ".jpg", want[i].id);
        if (hit->id != want[i].id || fabs((double)hit->distance - want[i].distance) > 1e-5)
            fail_msg("place %zu: row %" PRId64 " at %g, expected %" PRId64 " at %g", i, hit->id,
                     (double)hit->distance, want[i].id, want[i].distance);
        assert_string_equal(hit->path, path);
        assert_true(hit->timestamp_ms == want[i].id);
        assert_int_equal(hit->n_metadata, 1);
        assert_string_equal(hit->metadata[0].value, colors[want[i].id % 3]);
    }
}

/* ---- run */

static void run__finds_the_nearest_rows_that_pass(void **state)
{
    world *w = *state;
    static const char *const filters[] = {
        "metadata['color'] = 'red'", "metadata['color'] = 'green'", "metadata['color'] = 'blue'"};
    pn_rng rng = pn_rng_seed(12);
    for (int round = 0; round < 300; round++) {
        neighbour want[N_ROWS];
        pn_search_term terms[6];
        int64_t named[6];
        double query[DIM] = {0};
        size_t n_terms = 1 + pn_rng_below(&rng, 6), k = 1 + pn_rng_below(&rng, 2 * N_ROWS),
               n_named = 0;
        int color = (int)pn_rng_below(&rng, 4) - 1;
        for (size_t t = 0; t < n_terms; t++) {
            int64_t id = (int64_t)pn_rng_below(&rng, N_ROWS);
            double weight = 0.5 + pn_rng_unit(&rng);
            bool is_row = pn_rng_below(&rng, 2);
            terms[t] = (pn_search_term){.kind = is_row ? PN_SEARCH_ROW : PN_SEARCH_VECTOR,
                                        .weight = weight,
                                        .id = id,
                                        .vector = w->vectors[id],
                                        .vector_dim = DIM};
            if (is_row)
                named[n_named++] = id;
            for (size_t i = 0; i < DIM; i++)
                query[i] += weight * (double)w->vectors[id][i];
        }
        pn_search_query asked = {.terms = terms,
                                 .n_terms = n_terms,
                                 .where = color >= 0  ? filters[color]
                                          : round % 2 ? NULL
                                                      : " \n",
                                 .k = k};
        pn_hits hits;
        pn_error err = {0};
        size_t n_pass = nearest(w, query, color, named, n_named, want);
        if (pn_search_run(w->table.engine, NULL, &asked, &hits, &err) != PN_OK)
            fail_msg("%s", err.message);
        expect_hits(&hits, want, PN_MIN(k, n_pass));
        assert_int_equal(hits.stats.n_rows, N_ROWS);
        assert_int_equal(hits.stats.n_matching, color >= 0 ? N_ROWS / 3 : N_ROWS);
        assert_true(hits.times.total_ns >= hits.times.embed_ns + hits.times.fetch_ns);
        pn_hits_free(&hits);
    }
}

static void run__asks_the_model_for_words(void **state)
{
    world *w = *state;
    static const double up[DIM] = {0, 0, 1, 0};
    neighbour want[N_ROWS];
    pn_search_term term = {.kind = PN_SEARCH_TEXT, .weight = 1, .text = PN_STR_LITERAL("up")};
    pn_search_query asked = {
        .terms = &term, .n_terms = 1, .k = 9, .vectors = PN_SEARCH_WITH_VECTORS};
    pn_hits hits;
    assert_int_equal(pn_search_run(w->table.engine, &w->words, &asked, &hits, NULL), PN_OK);
    (void)nearest(w, up, -1, NULL, 0, want);
    expect_hits(&hits, want, 9);
    for (size_t i = 0; i < hits.n; i++)
        assert_memory_equal(hits.hits[i].vector, w->vectors[hits.hits[i].id], sizeof w->vectors[0]);
    pn_hits_free(&hits);
}

static void run__refuses_what_cannot_be_answered(void **state)
{
    world *w = *state;
    const atomic_bool stop = true;
    pn_search_term term = {
        .kind = PN_SEARCH_VECTOR, .weight = 1, .vector = w->vectors[0], .vector_dim = DIM};
    const struct {
        pn_search_query query;
        pn_status status;
        const char *message;
    } cases[] = {
        {{.terms = &term, .n_terms = 1, .k = 0}, PN_ERR_LIMIT, "0 results asked for"},
        {{.terms = &term, .n_terms = 1, .k = PN_SEARCH_K_MAX + 1}, PN_ERR_LIMIT, "10001 results"},
        {{.n_terms = 0, .k = 1}, PN_ERR_INVALID, "nothing to search for"},
        {{.terms = &term, .n_terms = 1, .k = 1, .where = "colour = 1"},
         PN_ERR_INVALID,
         "unknown column"},
        {{.terms = &term, .n_terms = 1, .k = 1, .cancel = &stop}, PN_ERR_CANCELLED, "stopped"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_hits hits;
        assert_int_equal(pn_search_run(w->table.engine, NULL, &cases[i].query, &hits, &err),
                         cases[i].status);
        if (!strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
        assert_int_equal(hits.n, 0);
        pn_hits_free(&hits);
    }
}

/* ---- get and list */

static void get__gives_rows_in_the_order_of_the_ids(void **state)
{
    world *w = *state;
    static const int64_t ids[] = {100, 3, 3, 0, N_ROWS - 1}, missing[] = {5, 1000, 6};
    pn_hits hits;
    pn_error err = {0};
    assert_int_equal(pn_search_get(w->table.engine, ids, PN_COUNT_OF(ids),
                                   PN_SEARCH_WITHOUT_VECTORS, &hits, &err),
                     PN_OK);
    assert_int_equal(hits.n, PN_COUNT_OF(ids));
    for (size_t i = 0; i < hits.n; i++)
        assert_int_equal(hits.hits[i].id, ids[i]);
    pn_hits_free(&hits);
    assert_int_equal(pn_search_get(w->table.engine, ids, 0, PN_SEARCH_WITHOUT_VECTORS, &hits, &err),
                     PN_OK);
    assert_int_equal(hits.n, 0);
    pn_hits_free(&hits);
    assert_int_equal(
        pn_search_get(w->table.engine, missing, 3, PN_SEARCH_WITHOUT_VECTORS, &hits, &err),
        PN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "1000"));
    pn_hits_free(&hits);
    assert_int_equal(pn_search_get(w->table.engine, ids, PN_SEARCH_K_MAX + 1,
                                   PN_SEARCH_WITHOUT_VECTORS, &hits, &err),
                     PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "10001 rows asked for, the limit is 10000"));
    pn_hits_free(&hits);
}

static void list__pages_through_the_rows_that_pass(void **state)
{
    world *w = *state;
    static const struct {
        const char *where;
        int64_t first, step;
        size_t n;
    } filters[] = {{NULL, 0, 1, N_ROWS},
                   {"  ", 0, 1, N_ROWS},
                   {"metadata['color'] = 'green'", 1, 3, N_ROWS / 3},
                   {"id < 0", 0, 1, 0}};
    static const size_t limits[] = {1, 7, N_ROWS / 3, N_ROWS, 1000};
    for (size_t f = 0; f < PN_COUNT_OF(filters); f++)
        for (size_t l = 0; l < PN_COUNT_OF(limits); l++)
            for (size_t offset = 0; offset < N_ROWS + 10; offset += 13) {
                pn_hits hits;
                pn_error err = {0};
                size_t left = filters[f].n > offset ? filters[f].n - offset : 0;
                if (pn_search_list(w->table.engine, filters[f].where, offset, limits[l],
                                   PN_SEARCH_WITHOUT_VECTORS, &hits, &err) != PN_OK)
                    fail_msg("%s", err.message);
                assert_int_equal(hits.n, PN_MIN(left, limits[l]));
                for (size_t i = 0; i < hits.n; i++)
                    assert_int_equal(hits.hits[i].id,
                                     filters[f].first + (int64_t)(offset + i) * filters[f].step);
                pn_hits_free(&hits);
            }
}

static void list__refuses_bad_limits_and_filters(void **state)
{
    world *w = *state;
    pn_hits hits;
    pn_error err = {0};
    assert_int_equal(
        pn_search_list(w->table.engine, NULL, 0, 0, PN_SEARCH_WITHOUT_VECTORS, &hits, &err),
        PN_ERR_LIMIT);
    assert_int_equal(pn_search_list(w->table.engine, NULL, 0, PN_SEARCH_K_MAX + 1,
                                    PN_SEARCH_WITHOUT_VECTORS, &hits, &err),
                     PN_ERR_LIMIT);
    assert_int_equal(
        pn_search_list(w->table.engine, "id =", 0, 5, PN_SEARCH_WITHOUT_VECTORS, &hits, &err),
        PN_ERR_INVALID);
    pn_hits_free(&hits);
}

/* ---- no memory */

static pn_status run_once(void *context, pn_error *err)
{
    world *w = context;
    pn_search_term terms[] = {
        {.kind = PN_SEARCH_ROW, .weight = 1, .id = 7},
        {.kind = PN_SEARCH_VECTOR, .weight = 1, .vector = w->vectors[0], .vector_dim = DIM}};
    pn_search_query asked = {.terms = terms, .n_terms = 2, .where = "id > 5", .k = 400};
    pn_hits hits;
    pn_status status = pn_search_run(w->table.engine, NULL, &asked, &hits, err);
    assert_int_equal(hits.n, status == PN_OK ? N_ROWS - 7 : 0);
    pn_hits_free(&hits);
    return status;
}

static pn_status get_once(void *context, pn_error *err)
{
    world *w = context;
    int64_t ids[200];
    pn_hits hits;
    for (size_t i = 0; i < PN_COUNT_OF(ids); i++)
        ids[i] = (int64_t)i % N_ROWS;
    pn_status status =
        pn_search_get(w->table.engine, ids, PN_COUNT_OF(ids), PN_SEARCH_WITH_VECTORS, &hits, err);
    pn_hits_free(&hits);
    return status;
}

static pn_status list_once(void *context, pn_error *err)
{
    world *w = context;
    pn_hits hits;
    pn_status status =
        pn_search_list(w->table.engine, "id <> 3", 2, 1000, PN_SEARCH_WITH_VECTORS, &hits, err);
    pn_hits_free(&hits);
    return status;
}

static void no_memory__is_said_and_leaves_nothing(void **state)
{
    world *w = *state;
    const faults_work works[] = {run_once, get_once, list_once};
    for (size_t i = 0; i < PN_COUNT_OF(works); i++) {
        assert_int_equal(works[i](w, NULL), PN_OK); // what stays in memory is there now
        assert_true(faults_each_allocation(works[i], w) >= 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__finds_the_nearest_rows_that_pass),
        cmocka_unit_test(run__asks_the_model_for_words),
        cmocka_unit_test(run__refuses_what_cannot_be_answered),
        cmocka_unit_test(get__gives_rows_in_the_order_of_the_ids),
        cmocka_unit_test(list__pages_through_the_rows_that_pass),
        cmocka_unit_test(list__refuses_bad_limits_and_filters),
        cmocka_unit_test(no_memory__is_said_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/*
 * test_index_codes.c - what a built file has of a row's codes: the score that a scan gives is the product that they stand for
 *
 * With r the residual of a row, r' what its codes stand for, m a vector that questions are like, F the row's factor:
 *
 *     score = m . r + F (q - m) . r'
 *
 * computed here in double from the vectors, m being the centroid for pictures, and the mean of the texts for them.
 */
#include "index/internal.h"

#include "base/alloc.h"
#include "support/scratch_folder.h"
#include "support/vector_table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { ROWS = 4000, DIM = 48, TEXTS = 100, GROUPS = 16, QUERIES = 20, NEAREST = 10 };

typedef struct fixture {
    vector_table table;
    float *texts;
    pn_index *index;
} fixture;

static void must(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("status %d: %s", (int)status, err->message);
}

static void setup(fixture *f, scratch_folder *s, bool with_texts)
{
    pn_error err = {0};
    vector_table_make(&(vector_table_options){ROWS, DIM, 40, 2, false, 3}, &f->table);
    f->texts = vector_table_texts(&f->table, TEXTS, 4);
    char *path = scratch_path(s, "index");
    pn_index_build_options o = {.texts = with_texts ? f->texts : NULL,
                                .n_texts = with_texts ? TEXTS : 0,
                                .n_partitions = 30,
                                .code_groups = GROUPS};
    must(pn_index_build(&f->table.rows, &o, path, &err), &err);
    must(pn_index_open(path, &f->index, &err), &err);
}

static void teardown(fixture *f)
{
    pn_index_close(f->index);
    pn_free(f->texts);
    vector_table_free(&f->table);
}

/* ---- a row, in double */

typedef struct decoded_row {
    double centroid[DIM], r[DIM], coded[DIM]; /* coded: what its codes stand for */
    double factor;
} decoded_row;

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (size_t d = 0; d < DIM; d++)
        sum += a[d] * b[d];
    return sum;
}

static void widen(const float *x, double *out)
{
    for (size_t d = 0; d < DIM; d++)
        out[d] = (double)x[d];
}

static const uint8_t *block_of(const pn_index *x, size_t book, size_t p, size_t row)
{
    return x->codes[book] +
           (x->block_starts[p] + row / PN_CODE_BLOCK) * pn_code_block_bytes(GROUPS);
}

static void decode(const fixture *f, size_t book, size_t p, size_t row, decoded_row *out)
{
    const pn_index *x = f->index;
    const pn_pq *pq = &x->books[book];
    const uint8_t *block = block_of(x, book, p, row);
    const float *vector = f->table.vectors + (size_t)x->order[x->starts[p] + row] * DIM;
    *out = (decoded_row){0};
    for (size_t d = 0; d < DIM; d++) {
        out->centroid[d] = (double)x->centroid_scales[p] * ((int)x->centroids[p * DIM + d] - 128);
        out->r[d] = (double)vector[d] - out->centroid[d];
    }
    for (size_t g = 0; g < GROUPS; g++) {
        size_t in = row % PN_CODE_BLOCK;
        unsigned code = block[g * PN_CODE_ENTRIES + in % PN_CODE_ENTRIES];
        code = in < PN_CODE_ENTRIES ? code & 15 : code >> 4;
        for (size_t a = pq->group_starts[g]; a < pq->group_starts[g + 1]; a++)
            for (size_t d = 0; d < DIM; d++)
                out->coded[d] += (double)pq->codewords[a * PN_PQ_ENTRIES + code] *
                                 (double)pq->query[a * DIM + d];
    }
    out->factor = 1 + (double)block[(size_t)GROUPS * PN_CODE_ENTRIES + row % PN_CODE_BLOCK] / 128;
}

/* ---- the factor */

static void check_factors(const fixture *f, size_t book, double share)
{
    size_t n_larger = 0;
    for (size_t p = 0; p < f->index->facts.n_partitions; p++)
        for (size_t row = 0; row < f->index->starts[p + 1] - f->index->starts[p]; row++) {
            decoded_row it;
            decode(f, book, p, row, &it);
            double whole = dot(it.r, it.r), coded = dot(it.r, it.coded);
            double wanted = coded > 0 ? 1 + share * (whole / coded - 1) : 3;
            wanted = whole > 1e-12 ? PN_MAX(PN_MIN(wanted, 1 + 255.0 / 128), 1.0) : 1;
            if (fabs(wanted - it.factor) > 1.0 / 128)
                fail_msg("partition %zu, row %zu: a factor of %g instead of %g", p, row, it.factor,
                         wanted);
            n_larger += it.factor > 1;
        }
    assert_true(n_larger > ROWS / 2);
}

/* ---- scores */

typedef struct scan {
    const fixture *f;
    size_t book;
    const float *query;
    pn_pq_tables tables;
    uint8_t entries[GROUPS * PN_CODE_ENTRIES];
    double alone, corrected; /* sums of |errors| of near rows, by codes alone and by the score */
} scan;

static void prepare(scan *s)
{
    static float turned[DIM], scratch[DIM + GROUPS * PN_CODE_ENTRIES];
    const pn_pq *pq = &s->f->index->books[s->book];
    s->tables.entries = s->entries;
    pn_pq_turn_query(pq, s->query, turned);
    pn_pq_tables_make(pq, turned, s->f->index->turned_means[s->book], scratch, &s->tables);
}

/* All rows of partition p in the table order of the file; those whose product is at least `near` are compared. */
static void check_partition(scan *s, size_t p, bool by_centroid, double near)
{
    static uint32_t rows[ROWS + PN_CODE_BLOCK];
    static int16_t scores[ROWS + PN_CODE_BLOCK];
    const pn_index *x = s->f->index;
    const float step = s->tables.step,
                offset_step = x->offsets[s->book * x->facts.n_partitions + p];
    size_t n = x->starts[p + 1] - x->starts[p];
    pn_codes codes = {.blocks = block_of(x, s->book, p, 0), .n_rows = n, .n_groups = GROUPS};
    pn_code_query query = {.tables = s->entries,
                           .zero = (int16_t)lrintf(-s->tables.low / step),
                           .offset_scale = (int16_t)lrintf(128 * offset_step / step),
                           .least = INT16_MIN};
    double q[DIM], mean[DIM];
    widen(s->query, q);
    widen(x->means + s->book * DIM, mean);
    assert_int_equal(pn_kernels_get()->scan_codes(rows, scores, &codes, &query), n);
    for (size_t row = 0; row < n; row++) {
        decoded_row it;
        decode(s->f, s->book, p, row, &it);
        const double *m = by_centroid ? it.centroid : mean;
        double exact = dot(q, it.r), score = (double)step * scores[row];
        double formula = dot(m, it.r) + it.factor * (dot(q, it.coded) - dot(m, it.coded));
        /* half a step an entry and one of the zero, times a factor of 3; half a step of the offset, and its scale's rounding */
        double allowed = (double)step * (3 * (GROUPS + 1) / 2 + 3) + (double)offset_step;
        if (fabs(score - formula) > allowed)
            fail_msg("book %zu, partition %zu, row %zu: %g instead of %g", s->book, p, row, score,
                     formula);
        if (exact + dot(q, it.centroid) >= near) {
            s->alone += fabs(dot(q, it.coded) - exact);
            s->corrected += fabs(score - exact);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The product of the row in place NEAREST. */
static double near_product(const fixture *f, const float *query)
{
    static double products[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        products[i] = (double)pn_kernels_get()->dot_f32(query, f->table.vectors + i * DIM, DIM);
    qsort(products, ROWS, sizeof *products, by_value);
    return products[NEAREST - 1];
}

/* Of near rows, errors have to be less than `most` of those without factors and offsets. */
static void check_scores(const fixture *f, pn_query_kind kind, double most)
{
    pn_rng rng = pn_rng_seed(5);
    bool has_texts = f->index->facts.n_texts > 0;
    float picture[DIM], *texts = vector_table_texts(&f->table, QUERIES, 6);
    scan s = {.f = f, .book = has_texts ? (size_t)kind : 0};
    for (size_t i = 0; i < QUERIES; i++) {
        vector_table_picture(&f->table, &rng, picture);
        s.query = kind == PN_QUERY_TEXT ? texts + i * DIM : picture;
        prepare(&s);
        double near = near_product(f, s.query);
        for (size_t p = 0; p < f->index->facts.n_partitions; p++)
            check_partition(&s, p, has_texts && kind == PN_QUERY_PICTURE, near);
    }
    pn_free(texts);
    if (s.corrected > most * s.alone)
        fail_msg("kind %d: errors of near rows are %.3f of what they were", (int)kind,
                 s.corrected / s.alone);
}

static void scores__are_the_products_that_codes_stand_for(void **state)
{
    fixture f;
    setup(&f, *state, true);
    check_factors(&f, PN_QUERY_PICTURE, 0.5);
    check_factors(&f, PN_QUERY_TEXT, 0.5);
    check_scores(&f, PN_QUERY_PICTURE, 0.8);
    check_scores(&f, PN_QUERY_TEXT, 0.8);
    teardown(&f);
}

/* One set of codes for both kinds: they know nothing of what is asked. */
static void scores__without_texts_are_for_both_kinds(void **state)
{
    fixture f;
    setup(&f, *state, false);
    check_factors(&f, PN_QUERY_PICTURE, 0.25);
    check_scores(&f, PN_QUERY_PICTURE, 0.9);
    check_scores(&f, PN_QUERY_TEXT, 1.1);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scores__are_the_products_that_codes_stand_for,
                                        scratch_folder_setup, scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(scores__without_texts_are_for_both_kinds,
                                        scratch_folder_setup, scratch_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

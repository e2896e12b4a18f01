/*
 * bench_filters.c - searches with a filter: recall and time at every selectivity
 *
 *     bench_filters DATA ROWS TABLE [--queries N] [--threads N]
 *
 * DATA is a folder made by bench_vectors; TABLE is made there, with an index, and may be removed afterwards. Rows come into the table
 * in an order in which neighbours lie together: halved at the two-means of the rows, each half again, and so on. So a range of ids
 * is rows of one kind, as a category is, at any size. Three sorts of filter let pass so many of all rows:
 *
 *     independent     id % m = r                       says nothing of what is asked
 *     correlated      a range around the true nearest  "shoes", asked for shoes
 *     contradicting   a range around the farthest row  "lamps", asked for shoes
 *
 * One line of JSON each. first: a filter that was never seen, which is evaluated; again: the same one. Recall is measured
 * against an exact search with the same filter. Threads: 1, so that the times are those of one core.
 */
#include "clip_table.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART = 50000, LEAF = 8, SAMPLE = 256, TURNS = 4, SORTS = 3 };

static const char *const sort_names[SORTS] = {"independent", "correlated", "contradicting"};
static const char *const kind_names[CLIP_KINDS] = {"image", "text"};
static const double shares[] = {1, 0.5, 0.1, 0.01, 0.001, 0.0001, 0.00001};

/* ---- an order in which neighbours lie together */

static const float *row(const clip_table *t, uint32_t i)
{
    return t->base + (size_t)i * CLIP_DIM;
}

/* The axis between the means of two halves of a sample. */
static void find_axis(const clip_table *t, const uint32_t *rows, size_t n, pn_rng *rng, float *axis)
{
    float ends[2][CLIP_DIM];
    for (size_t e = 0; e < 2; e++)
        memcpy(ends[e], row(t, rows[pn_rng_below(rng, n)]), sizeof ends[e]);
    for (int turn = 0; turn < TURNS; turn++) {
        float sums[2][CLIP_DIM] = {{0}};
        for (size_t i = 0; i < SAMPLE; i++) {
            const float *x = row(t, rows[pn_rng_below(rng, n)]);
            const pn_kernels *k = pn_kernels_get();
            size_t e = k->dot_f32(x, ends[1], CLIP_DIM) > k->dot_f32(x, ends[0], CLIP_DIM);
            for (size_t d = 0; d < CLIP_DIM; d++)
                sums[e][d] += x[d];
        }
        for (size_t e = 0; e < 2; e++) {
            memcpy(ends[e], sums[e], sizeof ends[e]);
            pn_kernels_get()->normalise_f32(ends[e], CLIP_DIM);
        }
    }
    for (size_t d = 0; d < CLIP_DIM; d++)
        axis[d] = ends[1][d] - ends[0][d];
}

typedef struct place {
    float at;
    uint32_t row;
} place;

static int by_place(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return x->at != y->at ? (x->at > y->at) - (x->at < y->at)
                          : (x->row > y->row) - (x->row < y->row);
}

/* Ranges of 2^level parts, all of the level before the next: no recursion. */
static void order_rows(const clip_table *t, uint32_t *rows, size_t n)
{
    pn_rng rng = pn_rng_seed(7);
    place *places = pn_alloc_array(n, sizeof *places);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    for (size_t parts = 1; n / parts > LEAF; parts *= 2)
        for (size_t p = 0; p < parts; p++) {
            float axis[CLIP_DIM];
            size_t first = n * p / parts, end = n * (p + 1) / parts;
            find_axis(t, rows + first, end - first, &rng, axis);
            for (size_t i = first; i < end; i++)
                places[i] =
                    (place){pn_kernels_get()->dot_f32(row(t, rows[i]), axis, CLIP_DIM), rows[i]};
            qsort(places + first, end - first, sizeof *places, by_place);
            for (size_t i = first; i < end; i++)
                rows[i] = places[i].row;
        }
    pn_free(places);
}

/* ---- the matrix */

typedef struct matrix {
    clip_table table;
    size_t n, n_queries;
    uint32_t *rows; /* [n] by id */
} matrix;

/* The id of the row that is nearest, or farthest. */
static size_t extreme_row(const matrix *m, const float *query, bool nearest)
{
    size_t best = 0;
    float best_score = -INFINITY;
    for (size_t i = 0; i < m->n; i++) {
        float score = pn_kernels_get()->dot_f32(query, row(&m->table, m->rows[i]), CLIP_DIM);
        score = nearest ? score : -score;
        if (score > best_score)
            best = i, best_score = score;
    }
    return best;
}

/* Every query gets a filter of its own. */
static void make_filter(const matrix *m, size_t sort, double share, size_t query, size_t middle,
                        char *out, size_t n_out)
{
    size_t span = PN_MAX((size_t)(share * (double)m->n + 0.5), (size_t)1), every = m->n / span;
    size_t first = middle < span / 2 ? 0 : PN_MIN(middle - span / 2, m->n - span);
    if (sort == 0)
        snprintf(out, n_out, "id %% %zu = %zu AND id >= -%zu", every, query * 7919 % every, query);
    else
        snprintf(out, n_out, "id >= %zu AND id < %zu AND id >= -%zu", first, first + span, query);
}

typedef struct cell {
    double recall;
    size_t n_by_index, n_found;
    int64_t *first, *again; /* [n_queries] */
} cell;

static void ask(matrix *m, const float *query, const char *filter, cell *c, size_t i)
{
    clip_answer answer, truth;
    clip_table_search(&m->table, query, filter, false, &answer);
    c->first[i] = answer.ns;
    clip_table_search(&m->table, query, filter, false, &answer);
    c->again[i] = answer.ns;
    clip_table_search(&m->table, query, filter, true, &truth);
    if (answer.n != truth.n)
        clip_stop("%s: %zu rows, the exact search has %zu", filter, answer.n, truth.n);
    c->recall += clip_recall(&answer, &truth);
    c->n_by_index += answer.stats.n_indexes > 0;
    c->n_found += answer.n;
}

static void run_cell(matrix *m, size_t kind, size_t sort, double share, const size_t *middles)
{
    size_t n = m->n_queries;
    cell c = {.first = pn_alloc_array(n, sizeof *c.first),
              .again = pn_alloc_array(n, sizeof *c.again)};
    for (size_t i = 0; i < n; i++) {
        char filter[160];
        make_filter(m, sort, share, i, middles[i], filter, sizeof filter);
        ask(m, m->table.queries[kind] + i * CLIP_DIM, filter, &c, i);
    }
    printf("{\"rows\": %zu, \"kind\": \"%s\", \"filter\": \"%s\", \"share\": %g, \"recall\": %.4f, "
           "\"found\": %.1f, \"by_index\": %.2f, \"first_p50_us\": %.0f, \"again_p50_us\": %.0f, "
           "\"again_p99_us\": %.0f}\n",
           m->n, kind_names[kind], sort_names[sort], share, c.recall / (double)n,
           (double)c.n_found / (double)n, (double)c.n_by_index / (double)n,
           clip_percentile_us(c.first, n, 0.5), clip_percentile_us(c.again, n, 0.5),
           clip_percentile_us(c.again, n, 0.99));
    (void)fflush(stdout);
    pn_free(c.first);
    pn_free(c.again);
}

static void run_kind(matrix *m, size_t kind)
{
    size_t *middles = pn_alloc_zero(m->n_queries * sizeof *middles);
    for (size_t sort = 0; sort < SORTS; sort++) {
        for (size_t i = 0; sort > 0 && i < m->n_queries; i++)
            middles[i] = extreme_row(m, m->table.queries[kind] + i * CLIP_DIM, sort == 1);
        for (size_t s = 0; s < PN_COUNT_OF(shares); s++)
            run_cell(m, kind, sort, shares[s], middles);
    }
    pn_free(middles);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        clip_stop("usage: bench_filters DATA ROWS TABLE [--queries N] [--threads N]");
    matrix m = {.n = strtoull(argv[2], NULL, 10), .n_queries = 100};
    unsigned threads = 1;
    for (int i = 4; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--queries") == 0)
            m.n_queries = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--threads") == 0)
            threads = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else
            clip_stop("no such option: %s", argv[i]);
    }
    clip_table_create(argv[1], argv[3], threads, &m.table);
    if (m.n == 0 || m.n > m.table.n_base)
        clip_stop("DATA has %zu rows", m.table.n_base);
    for (size_t kind = 0; kind < CLIP_KINDS; kind++)
        m.n_queries = PN_MIN(m.n_queries, m.table.n_queries[kind]);
    m.rows = pn_alloc_array(m.n, sizeof *m.rows);
    order_rows(&m.table, m.rows, m.n);
    for (size_t first = 0; first < m.n; first += PART)
        clip_table_append(&m.table, m.table.base, m.rows + first, PN_MIN(m.n - first, (size_t)PART),
                          (int64_t)first);
    (void)clip_table_build_index(&m.table, true);
    for (size_t kind = 0; kind < CLIP_KINDS; kind++)
        run_kind(&m, kind);
    pn_free(m.rows);
    clip_table_free(&m.table);
    return 0;
}

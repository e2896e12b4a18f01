/*
 * index_effort.c - how hard to look for which recall
 *
 * No labels are needed: exact search of 200 pictures and up to 200 texts is the truth. The efforts of a grid (partitions x rows) are tried on
 * them, but for those that could only reach what a cheaper one reached already; for each of a ladder of recalls the cheapest effort that reached
 * it is kept. Cost is counted in bytes that a search reads, not in time, so that the same table gives the same index.
 *
 * What is kept is the recall that the mean of all such queries has with a certainty of 95 %, by the spread of those that were asked: the efforts
 * are chosen among many on a few queries, and the luckiest of them would disappoint.
 *
 * Filters: the same for one row in 16, at the recall of the default. If one row in s passes and partitions grow with s^w, then w follows
 * from the two; between and below, the law is trusted.
 *
 * A filter may also leave only what is far from the question, where no number of partitions is the right one. So every effort knows
 * the gap that was left between what the next partition promised and the k-th place, and a search with a filter goes on until
 * its own is no larger than the usual one: recall .94 where it was .72. More than ten results are found in the same way.
 */
#include "index/internal.h"

#include "base/alloc.h"
#include "index/recall.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { NEAREST = 10, SPARSE = 16 };
#define CONFIDENCE 1.645 /* standard errors below which a mean is in 5 of 100 cases */

static const float ladder[PN_EFFORTS_MAX] = {0.7f,   0.8f,  0.85f,  0.9f,  0.92f,  0.94f,
                                             0.95f,  0.96f, 0.965f, 0.97f, 0.975f, 0.98f,
                                             0.985f, 0.99f, 0.995f, 0.998f};
static const float row_steps[] = {0.7f, 1, 1.4f, 2, 2.8f, 4, 5.5f, 8, 12};
static const uint32_t partition_steps[] = {4,   6,   8,    12,   16,   24,   32,
                                           48,  64,  96,   128,  192,  256,  384,
                                           512, 768, 1024, 1536, 2048, 3072, 4096};

/* ---- one effort, measured */

typedef struct measurement {
    const pn_calibration *c;
    const pn_index_mask *mask;
    const pn_candidate *truth; /* [n][NEAREST] */
    pn_index_effort effort;
    float *recalls, *costs, *gaps; /* [n] */
    _Atomic int failed;
} measurement;

static float recall_of(const pn_candidate *found, size_t n, const pn_candidate *truth)
{
    size_t exist = 0, good = 0;
    while (exist < NEAREST && isfinite(truth[exist].distance))
        exist++;
    if (exist == 0)
        return 1;
    /* twins of the last place are as good as the one in the truth */
    float limit = truth[exist - 1].distance + 1e-6f;
    for (size_t i = 0; i < n; i++)
        good += found[i].distance <= limit;
    return (float)PN_MIN(good, exist) / (float)exist;
}

static void measure_query(void *context, size_t i, unsigned worker)
{
    measurement *m = context;
    const pn_calibration *c = m->c;
    (void)worker;
    pn_candidate heap[NEAREST];
    pn_topk found;
    pn_index_stats stats;
    pn_topk_init(&found, heap, NEAREST);
    pn_index_query query = {.vector = c->queries + i * c->rows->dim,
                            .kind = c->kind,
                            .effort = m->effort,
                            .rows = c->rows,
                            .mask = m->mask,
                            .cancel = c->cancel};
    pn_status status = pn_index_search(c->index, &query, &found, &stats, NULL);
    if (status != PN_OK) {
        atomic_store(&m->failed, (int)status);
        return;
    }
    m->gaps[i] = stats.gap;
    m->recalls[i] = recall_of(heap, found.n, m->truth + i * NEAREST);
    const pn_index_trailer *facts = &c->index->facts;
    size_t book = c->kind < facts->n_books ? c->kind : 0;
    /* codes in a row, copies here and there: a line of the latter costs about three of the former */
    m->costs[i] = (float)stats.n_scanned * (float)facts->n_groups[book] / 2 +
                  (float)stats.n_refined * (float)c->rows->dim * 3 +
                  (float)stats.n_partitions * 256;
}

static pn_status measure_failed(pn_status status, pn_error *err)
{
    if (status == PN_ERR_NOMEM)
        return pn_fail_nomem(err);
    return pn_fail(err, status, "calibration was stopped");
}

/* What the mean of such queries is no less than, with the certainty of CONFIDENCE. */
static double sure_recall(const float *recalls, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)recalls[i];
        squares += (double)recalls[i] * (double)recalls[i];
    }
    double mean = sum / (double)n, variance = PN_MAX(squares / (double)n - mean * mean, 0.0);
    return PN_MAX(mean - CONFIDENCE * sqrt(variance / (double)n), 0.0);
}

/* Of two sorts the lower recall counts. */
static pn_status measure(measurement *m, float *recall, float *cost, pn_error *err)
{
    size_t n = m->c->n, n_apart = m->c->n_apart;
    pn_pool_for(m->c->pool, n, measure_query, m);
    if (atomic_load(&m->failed))
        return measure_failed((pn_status)atomic_load(&m->failed), err);
    double costs = 0, least = sure_recall(m->recalls + n_apart, n - n_apart);
    if (n_apart > 0)
        least = PN_MIN(least, sure_recall(m->recalls, n_apart));
    for (size_t i = 0; i < n; i++)
        costs += (double)m->costs[i];
    *recall = (float)least;
    *cost = (float)(costs / (double)n);
    return PN_OK;
}

/* ---- the ladder */

static int by_value(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The gap that half of the queries had left at most, and that all had. */
static void sort_gaps(const measurement *m, float *usual, float *widest)
{
    size_t n = m->c->n;
    qsort(m->gaps, n, sizeof *m->gaps, by_value);
    *usual = m->gaps[n / 2];
    *widest = m->gaps[n - 1];
}

/* An effort joins every step of the ladder that it reaches more cheaply; whether there is one. */
static bool offer(const measurement *m, pn_effort_row *efforts, float *costs, float recall,
                  float cost)
{
    bool joined = false;
    float usual, widest;
    sort_gaps(m, &usual, &widest);
    for (size_t i = 0; i < PN_EFFORTS_MAX; i++)
        if (recall >= ladder[i] && (efforts[i].recall <= 0 || cost < costs[i])) {
            efforts[i] = (pn_effort_row){.recall = recall,
                                         .rows = m->effort.rows,
                                         .partitions = m->effort.partitions,
                                         .gap = usual,
                                         .widest_gap = widest};
            costs[i] = cost;
            joined = true;
        }
    return joined;
}

/* What is known of a number of partitions from a lower effort for the rows. */
typedef struct known {
    bool measured;
    float recall, cost;
    float gain;  /* in recall, since the measurement before */
    float reach; /* by the next effort, at most */
} known;

/* The next effort for the rows gains less than the last one did; but steps are uneven, and some are left out. */
static float next_gain(const known *k)
{
    const float least = 0.001f;
    return PN_MAX(2 * k->gain, least);
}

/* A higher effort for the rows costs more than the lower one did. So it is hopeless when all the steps of the ladder that it might reach
 * are reached more cheaply already. */
static bool is_hopeless(const known *k, const pn_effort_row *efforts, const float *costs)
{
    if (!k->measured)
        return false;
    for (size_t i = 0; i < PN_EFFORTS_MAX && ladder[i] <= k->reach; i++)
        if (efforts[i].recall <= 0 || costs[i] > k->cost)
            return false;
    return true;
}

/* Rows' efforts from low to high, until the ladder is reached to its end and one is good for nothing; with each, partitions until they help no
 * more: then it is the rows' effort that lacks. */
static pn_status climb(measurement *m, pn_effort_row *efforts, pn_error *err)
{
    float costs[PN_EFFORTS_MAX] = {0};
    known known_of[PN_COUNT_OF(partition_steps)] = {0};
    uint32_t n_partitions = m->c->index->facts.n_partitions;
    bool is_useful = true;
    for (size_t r = 0; is_useful && r < PN_COUNT_OF(row_steps); r++) {
        float last = 0;
        is_useful = efforts[PN_EFFORTS_MAX - 1].recall <= 0;
        for (size_t p = 0; p < PN_COUNT_OF(partition_steps); p++) {
            uint32_t partitions = PN_MIN(partition_steps[p], n_partitions);
            known *k = &known_of[p];
            if (is_hopeless(k, efforts, costs)) {
                k->reach += next_gain(k);
                last = 0; /* nothing to compare the next with */
                continue;
            }
            known now = {.measured = true};
            m->effort =
                (pn_index_effort){.partitions = partitions, .rows = row_steps[r], .gap = INFINITY};
            PN_TRY(measure(m, &now.recall, &now.cost, err));
            now.gain = k->measured ? now.recall - k->recall : 1;
            now.reach = now.recall + next_gain(&now);
            *k = now;
            is_useful |= offer(m, efforts, costs, now.recall, now.cost);
            if (partitions == n_partitions || now.recall >= ladder[PN_EFFORTS_MAX - 1] ||
                (now.recall >= ladder[0] / 2 && now.recall < last + 0.002f))
                break;
            last = now.recall;
        }
    }
    return PN_OK;
}

/* ---- filters */

/* The least number of partitions that reaches a recall. */
static pn_status partitions_for(measurement *m, float wanted, uint32_t *out, pn_error *err)
{
    float recall = 0, cost;
    uint32_t n_partitions = m->c->index->facts.n_partitions;
    *out = n_partitions;
    for (size_t p = 0; p < PN_COUNT_OF(partition_steps); p++) {
        m->effort.partitions = PN_MIN(partition_steps[p], n_partitions);
        PN_TRY(measure(m, &recall, &cost, err));
        if (recall >= wanted || m->effort.partitions == n_partitions) {
            *out = m->effort.partitions;
            break;
        }
    }
    return PN_OK;
}

/* One row in SPARSE, by its ordinal. */
static pn_status sparse_mask(const pn_calibration *c, pn_index_mask **out, pn_error *err)
{
    const pn_vector_rows *rows = c->rows;
    size_t n_words = 0, at = 0;
    for (size_t f = 0; f < rows->n_fragments; f++)
        n_words += rows->fragments[f].n_rows / 64 + 1;
    uint64_t *words = pn_alloc_zero((n_words + 1) * sizeof *words);
    const uint64_t **allowed = pn_alloc_array(rows->n_fragments + 1, sizeof *allowed);
    pn_status status = words && allowed ? PN_OK : pn_fail_nomem(err);
    for (size_t f = 0; status == PN_OK && f < rows->n_fragments; f++) {
        uint32_t n = rows->fragments[f].n_rows;
        for (uint32_t i = 0; i < n; i++)
            if ((rows->fragment_starts[f] + i) % SPARSE == 0)
                words[at + i / 64] |= (uint64_t)1 << i % 64;
        allowed[f] = words + at;
        at += n / 64 + 1;
    }
    if (status == PN_OK)
        status = pn_index_mask_make(c->index, rows, allowed, out, err);
    pn_free(words);
    pn_free(allowed);
    return status;
}

static pn_status measure_widening(measurement *m, pn_candidate *truth, float *widening,
                                  pn_error *err)
{
    const pn_calibration *c = m->c;
    pn_index_mask *mask = NULL;
    uint32_t all, few;
    float recall;
    pn_status status = PN_OK;
    pn_index_effort start =
        pn_index_effort_for(c->index, c->kind, PN_MIN_RECALL_DEFAULT, 1, NEAREST, &recall);
    if (recall <= 0) {
        *widening = 0.5f;
        return PN_OK;
    }
    start.gap = INFINITY;
    m->effort = start;
    PN_GOTO(done, partitions_for(m, recall, &all, err));
    PN_GOTO(done, sparse_mask(c, &mask, err));
    PN_GOTO(done, pn_exact_nearest(c->rows, c->queries, c->n, NEAREST, SPARSE, c->pool, c->cancel,
                                   truth, err));
    m->mask = mask;
    m->effort = start;
    PN_GOTO(done, partitions_for(m, recall, &few, err));
    double w = log((double)few / (double)PN_MAX(all, 1u)) / log(SPARSE);
    *widening = (float)PN_MAX(PN_MIN(w, 1.0), 0.1);
done:
    pn_index_mask_free(mask);
    m->mask = NULL;
    return status;
}

pn_status pn_index_calibrate(const pn_calibration *c, pn_effort_row *efforts, float *widening,
                             pn_error *err)
{
    pn_status status = PN_OK;
    pn_candidate *truth = pn_alloc_array(c->n * NEAREST + 1, sizeof *truth);
    measurement m = {.c = c,
                     .truth = truth,
                     .recalls = pn_alloc_array(c->n + 1, sizeof(float)),
                     .costs = pn_alloc_array(c->n + 1, sizeof(float)),
                     .gaps = pn_alloc_array(c->n + 1, sizeof(float))};
    if (!truth || !m.recalls || !m.costs || !m.gaps)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_exact_nearest(c->rows, c->queries, c->n, NEAREST, 1, c->pool, c->cancel, truth,
                                   err));
    PN_GOTO(done, climb(&m, efforts, err));
    PN_GOTO(done, measure_widening(&m, truth, widening, err));
done:
    pn_free(truth);
    pn_free(m.recalls);
    pn_free(m.costs);
    pn_free(m.gaps);
    return status;
}

/* ---- asking */

pn_query_kind pn_index_kind_of(const pn_index *index, const float *query)
{
    if (index->facts.n_texts == 0)
        return PN_QUERY_PICTURE;
    const pn_kernels *kernels = pn_kernels_get();
    size_t dim = index->facts.dim;
    const float *picture = index->means, *text = index->means + dim;
    float to_picture = kernels->l2sq_f32(query, picture, dim);
    return kernels->l2sq_f32(query, text, dim) < to_picture ? PN_QUERY_TEXT : PN_QUERY_PICTURE;
}

/* Without texts to calibrate by there are only pictures. */
static const pn_effort_row *efforts_of(const pn_index *index, pn_query_kind *kind)
{
    if (index->facts.n_texts == 0)
        *kind = PN_QUERY_PICTURE;
    return index->efforts + (size_t)*kind * PN_EFFORTS_MAX;
}

pn_index_effort pn_index_effort_for(const pn_index *index, pn_query_kind kind, float min_recall,
                                    double share, size_t k, float *recall)
{
    const pn_effort_row *efforts = efforts_of(index, &kind), *chosen = NULL;
    for (size_t i = 0; i < PN_EFFORTS_MAX && !chosen; i++)
        if (efforts[i].recall > 0 && efforts[i].recall >= min_recall)
            chosen = &efforts[i];
    uint32_t most = index->facts.n_partitions;
    *recall = chosen ? chosen->recall : 0;
    if (!chosen)
        return (pn_index_effort){.partitions = most, .rows = INFINITY, .gap = INFINITY};
    double widened = chosen->partitions;
    if (share > 0 && share < 1)
        widened *= pow(share, -(double)index->facts.widening[kind]);
    return (pn_index_effort){.partitions = widened < most ? (uint32_t)widened : most,
                             .rows = chosen->rows,
                             .gap = share < 1 || k > NEAREST ? chosen->gap : INFINITY,
                             .widest_gap = chosen->widest_gap};
}

pn_index_effort pn_index_effort_at(const pn_index *index, pn_query_kind kind, uint32_t partitions,
                                   float *recall)
{
    const pn_effort_row *efforts = efforts_of(index, &kind), *chosen = NULL, *first = NULL;
    for (size_t i = 0; i < PN_EFFORTS_MAX; i++) {
        if (efforts[i].recall <= 0)
            continue;
        first = first ? first : &efforts[i];
        if (efforts[i].partitions <= partitions)
            chosen = &efforts[i];
    }
    *recall = chosen ? chosen->recall : 0;
    chosen = chosen ? chosen : first;
    return (pn_index_effort){
        .partitions = partitions, .rows = chosen ? chosen->rows : INFINITY, .gap = INFINITY};
}

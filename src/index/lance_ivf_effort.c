/*
 * lance_ivf_effort.c - how much a LanceDB index finds with which effort
 *
 * LanceDB leaves both to its user: how many partitions (nprobes), and how many rows are compared by their vectors
 * (refine_factor). Here a recall is asked for, so it is measured, once when the index is opened:
 *
 *     sample    S = 65,536 rows, spread evenly over the index and so over its partitions
 *     queries   256 rows of the table, and up to 256 texts
 *     truth     the nearest of the sample, by all of its vectors; not the query itself
 *     by code   the sample sorted by what the codes say
 *
 * A row of the truth is found with p partitions and r refined rows if its partition is among the p nearest and fewer than r rows of those
 * partitions precede it by code. So one walk down the sorted sample gives the recall of all efforts at once.
 *
 * With s = S / N the sample's share, the k nearest of all are about s k of the sample, and r of all about s r: both are
 * counted in the sample and given out divided by s, both rounded to the safe side. Of a large index the least that can be counted, one
 * row, stands for 1 / s: more than k, and farther away, so that the recall promised is less than what is found.
 *
 * A filter that lets the share f pass makes the k-th place that of k / f: partitions are chosen for that many.
 *
 * Texts are measured by themselves, where there are some: what finds nine of ten neighbours of a picture finds two of a text's. A
 * query is of the kind whose mean is nearer. One that lies farther from that mean, or from its best centroid, than nearly all
 * that were measured is promised nothing: a text where only pictures were, or a picture of what the table has not.
 */
#include "index/lance_ivf_parts.h"

#include "base/alloc.h"
#include "kernels/kernels.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE_ROWS = 65536,
    LEAST_ROWS = 256,
    QUERIES = 256,
    BLOCK_ROWS = 64,
    BY_CODE = 4096, /* of the sample that are sorted: what codes place behind them is not found */
    MOST_TRUTH = 1000
};
static const size_t class_k[PN_LANCE_K_CLASSES] = {10, 100, 1000};

typedef struct sampled {
    uint64_t position;
    uint32_t partition;
    const float *vector;
    const pn_flat_run *run;
} sampled;

typedef struct asking {
    const float *vector;
    pn_row_addr self; /* UINT64_MAX: a text */
} asking;

typedef uint16_t hits[PN_LANCE_K_CLASSES][PN_LANCE_PROBE_LEVELS][PN_LANCE_REFINE_LEVELS];

typedef struct totals {
    double sum[PN_LANCE_K_CLASSES][PN_LANCE_PROBE_LEVELS][PN_LANCE_REFINE_LEVELS];
    double squares[PN_LANCE_K_CLASSES][PN_LANCE_PROBE_LEVELS][PN_LANCE_REFINE_LEVELS];
    size_t n;
} totals;

typedef struct measuring {
    const pn_lance_ivf *ivf;
    const pn_lance_rows *rows;
    const _Atomic bool *cancel;
    sampled *sample;
    size_t n_sample;
    double share; /* of the index's rows that are in the sample */
    asking *queries;
    float *best; /* [n_queries] product with the best centroid */
    size_t n_queries, n_pictures;
    float *dots;    /* [n_queries][n_sample] exact */
    float *stored;  /* IVF_FLAT: the same with the vectors as the index has them */
    uint8_t *codes; /* IVF_PQ: [n_sample][n_subs]: a row's lie apart in the index */
    pn_lance_measure *out;
    uint32_t ranks[PN_LANCE_REFINE_LEVELS]; /* of the sample */
    size_t truth[PN_LANCE_K_CLASSES];       /* rows of the sample that are to be found */
    pthread_mutex_t mu;
    totals *totals;      /* [PN_LANCE_KINDS]; guarded by mu */
    _Atomic bool failed; /* no memory */
} measuring;

static float best_product(const pn_lance_ivf *ivf, const float *query, float *products)
{
    float best = -INFINITY;
    pn_kernels_get()->dot_many_f32(products, query, ivf->centroids, ivf->n_partitions, ivf->dim);
    for (size_t i = 0; i < ivf->n_partitions; i++)
        best = PN_MAX(best, products[i]);
    return best;
}

/* ---- the sample ---- */

static bool copy_unit(const float *vector, const pn_flat_run *run, size_t dim, float *out)
{
    float length = pn_kernels_get()->norm_f32(vector, dim);
    float by = 1 / pn_vector_divisor(length, run->any_length);
    for (size_t i = 0; i < dim; i++)
        out[i] = vector[i] * by;
    return isfinite(length) && isfinite(by);
}

static void take_sample(measuring *m)
{
    const pn_lance_ivf *ivf = m->ivf;
    uint64_t n = PN_MIN(ivf->n_rows, (uint64_t)SAMPLE_ROWS);
    uint32_t partition = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t position = i * ivf->n_rows / n;
        while (position >= ivf->starts[partition + 1])
            partition++;
        sampled *s = &m->sample[m->n_sample];
        s->vector = pn_lance_vector_at(m->rows, ivf->dim, ivf->ids[position], &s->run);
        if (!s->vector || !isfinite(pn_kernels_get()->norm_f32(s->vector, ivf->dim)))
            continue;
        s->position = position;
        s->partition = partition;
        m->n_sample++;
    }
    m->share = (double)m->n_sample / (double)PN_MAX(ivf->n_rows, (uint64_t)1);
}

static pn_status take_queries(measuring *m, const float *texts, size_t n_texts, pn_arena *arena,
                              pn_error *err)
{
    size_t dim = m->ivf->dim, n = PN_MIN((size_t)QUERIES, m->n_sample);
    float *vectors = pn_arena_alloc_aligned(arena, 64, n * dim * sizeof *vectors + 1);
    m->queries = PN_ARENA_NEW(arena, asking, n + QUERIES);
    m->best = PN_ARENA_NEW(arena, float, n + QUERIES);
    if (!vectors || !m->queries || !m->best)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const sampled *s = &m->sample[i * m->n_sample / n];
        if (copy_unit(s->vector, s->run, dim, vectors + m->n_queries * dim)) {
            m->queries[m->n_queries] =
                (asking){vectors + m->n_queries * dim, m->ivf->ids[s->position]};
            m->n_queries++;
        }
    }
    m->n_pictures = m->n_queries;
    size_t n_taken = PN_MIN(n_texts, (size_t)QUERIES);
    for (size_t i = 0; i < n_taken; i++)
        m->queries[m->n_queries++] = (asking){texts + i * n_texts / n_taken * dim, UINT64_MAX};
    return PN_OK;
}

/* Room for products, and what stands for the rows of the sample in the index. */
static pn_status take_codes(measuring *m, pn_arena *arena, pn_error *err)
{
    const pn_lance_ivf *ivf = m->ivf;
    size_t n = m->n_queries * m->n_sample, n_subs = ivf->n_subs;
    m->dots = pn_arena_alloc_aligned(arena, 64, n * sizeof *m->dots);
    m->stored = ivf->is_flat ? pn_arena_alloc_aligned(arena, 64, n * sizeof *m->stored) : NULL;
    m->codes = PN_ARENA_NEW(arena, uint8_t, m->n_sample * n_subs + 1);
    if (!m->dots || (ivf->is_flat && !m->stored) || !m->codes)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < m->n_sample && !ivf->is_flat; i++) {
        const uint64_t *starts = ivf->starts + m->sample[i].partition;
        const uint8_t *code = ivf->codes + starts[0] * n_subs + (m->sample[i].position - starts[0]);
        for (size_t sub = 0; sub < n_subs; sub++)
            m->codes[i * n_subs + sub] = code[sub * (starts[1] - starts[0])];
    }
    return PN_OK;
}

static uint32_t grown(uint32_t level)
{
    return level + PN_MAX(level * 2 / 5, 1u);
}

static void make_levels(measuring *m)
{
    pn_lance_measure *out = m->out;
    uint32_t n = (uint32_t)m->ivf->n_partitions;
    uint32_t probes = 1, rank = 1;
    while (out->n_probe_levels + 1 < PN_LANCE_PROBE_LEVELS && probes < n) {
        out->probes[out->n_probe_levels++] = probes;
        probes = grown(probes);
    }
    out->probes[out->n_probe_levels++] = n;
    for (; out->n_refine_levels < PN_LANCE_REFINE_LEVELS && rank <= BY_CODE; rank = grown(rank)) {
        m->ranks[out->n_refine_levels] = rank;
        out->refined[out->n_refine_levels++] = (uint32_t)ceil(rank / m->share);
    }
    for (size_t c = 0; c < PN_LANCE_K_CLASSES; c++)
        m->truth[c] = (size_t)ceil((double)class_k[c] * m->share);
}

/* ---- exact ---- */

static void multiply_block(const measuring *m, const float *vectors, size_t first, size_t n,
                           float *out)
{
    for (size_t q = 0; q < m->n_queries; q++)
        pn_kernels_get()->dot_many_f32(out + q * m->n_sample + first, m->queries[q].vector, vectors,
                                       n, m->ivf->dim);
}

static const float *stored_vector(const pn_lance_ivf *ivf, uint64_t position)
{
    size_t r = 0;
    while (position >= ivf->runs[r].first_row + ivf->runs[r].n_rows)
        r++;
    return ivf->runs[r].vectors + (size_t)(position - ivf->runs[r].first_row) * ivf->dim;
}

static void compare_block(void *context, size_t block, unsigned worker)
{
    measuring *m = context;
    (void)worker;
    size_t dim = m->ivf->dim, first = block * BLOCK_ROWS;
    size_t n = PN_MIN((size_t)BLOCK_ROWS, m->n_sample - first);
    if (m->cancel && atomic_load_explicit(m->cancel, memory_order_relaxed))
        return;
    float *vectors = pn_alloc_aligned(64, n * dim * sizeof *vectors);
    if (!vectors) {
        atomic_store(&m->failed, true);
        return;
    }
    for (size_t i = 0; i < n; i++)
        (void)copy_unit(m->sample[first + i].vector, m->sample[first + i].run, dim,
                        vectors + i * dim); // finite, as all of the sample
    multiply_block(m, vectors, first, n, m->dots);
    for (size_t i = 0; i < n && m->stored; i++)
        memcpy(vectors + i * dim, stored_vector(m->ivf, m->sample[first + i].position),
               dim * sizeof *vectors);
    if (m->stored)
        multiply_block(m, vectors, first, n, m->stored);
    pn_free(vectors);
}

/* ---- one query ---- */

enum { NOT_TRUE = UINT16_MAX };

/* Marks the nearest of the sample with their places. Returns how many there are. */
static size_t mark_truth(const measuring *m, size_t q, pn_arena *arena, uint16_t *place)
{
    size_t most = PN_MIN(m->truth[PN_LANCE_K_CLASSES - 1], m->n_sample);
    pn_topk nearest;
    pn_candidate *heap = PN_ARENA_NEW(arena, pn_candidate, most + 1);
    if (!heap)
        return 0;
    pn_topk_init(&nearest, heap, most);
    for (size_t i = 0; i < m->n_sample; i++) {
        place[i] = NOT_TRUE;
        if (m->ivf->ids[m->sample[i].position] != m->queries[q].self)
            pn_topk_push(&nearest, -m->dots[q * m->n_sample + i], i);
    }
    pn_topk_sort(&nearest);
    for (size_t i = 0; i < nearest.n; i++)
        place[nearest.heap[i].id] = (uint16_t)i;
    return nearest.n;
}

/* As pn_lance_scores() does. */
static float score_of(const measuring *m, const pn_lance_tables *tables, size_t q, size_t i)
{
    size_t n = m->ivf->n_subs;
    if (m->ivf->is_flat)
        return m->stored[q * m->n_sample + i];
    float score = tables->base[m->sample[i].partition];
    for (size_t sub = 0; sub < n; sub++)
        score += tables->entries[sub * PN_LANCE_PQ_ENTRIES + m->codes[i * n + sub]];
    return score;
}

static void sort_by_code(const measuring *m, const pn_lance_tables *tables, size_t q,
                         pn_topk *by_code)
{
    for (size_t i = 0; i < m->n_sample; i++)
        if (m->ivf->ids[m->sample[i].position] != m->queries[q].self)
            pn_topk_push(by_code, -score_of(m, tables, q, i), i);
    pn_topk_sort(by_code);
}

/* The level from which on so many partitions are looked at. */
static size_t level_of(const uint32_t *levels, size_t n, uint32_t needed)
{
    size_t i = 0;
    while (i < n && levels[i] < needed)
        i++;
    return i;
}

static bool rank_partitions(const measuring *m, const pn_lance_tables *tables, pn_arena *arena,
                            uint8_t *levels)
{
    size_t n = m->ivf->n_partitions;
    pn_topk order;
    pn_candidate *heap = PN_ARENA_NEW(arena, pn_candidate, n);
    if (!heap)
        return false;
    pn_topk_init(&order, heap, n);
    for (size_t i = 0; i < n; i++) {
        levels[i] = (uint8_t)m->out->n_probe_levels; // never: its centroid is beyond numbers
        pn_topk_push(&order, -tables->nearness[i], i);
    }
    pn_topk_sort(&order);
    for (size_t i = 0; i < order.n; i++)
        levels[order.heap[i].id] =
            (uint8_t)level_of(m->out->probes, m->out->n_probe_levels, (uint32_t)i + 1);
    return true;
}

static void walk(const measuring *m, const pn_topk *by_code, const uint16_t *place,
                 const uint8_t *levels, hits found)
{
    uint32_t passed[PN_LANCE_PROBE_LEVELS] = {0};
    size_t n_probes = m->out->n_probe_levels, n_ranks = m->out->n_refine_levels;
    for (size_t i = 0; i < by_code->n; i++) {
        size_t row = by_code->heap[i].id;
        for (size_t p = levels[m->sample[row].partition]; p < n_probes; p++) {
            passed[p]++;
            size_t r = place[row] == NOT_TRUE ? n_ranks : level_of(m->ranks, n_ranks, passed[p]);
            for (size_t c = 0; c < PN_LANCE_K_CLASSES && r < n_ranks; c++)
                found[c][p][r] = (uint16_t)(found[c][p][r] + (place[row] < m->truth[c]));
        }
    }
}

static void add_hits(measuring *m, size_t q, size_t n_true, hits found)
{
    pthread_mutex_lock(&m->mu);
    totals *t = &m->totals[q < m->n_pictures ? PN_LANCE_PICTURES : PN_LANCE_TEXTS];
    for (size_t c = 0; c < PN_LANCE_K_CLASSES; c++)
        for (size_t p = 0; p < m->out->n_probe_levels; p++) {
            double sum = 0, all = (double)PN_MIN(n_true, m->truth[c]);
            for (size_t r = 0; r < m->out->n_refine_levels; r++) {
                sum += found[c][p][r];
                t->sum[c][p][r] += sum / all;
                t->squares[c][p][r] += sum / all * (sum / all);
            }
        }
    t->n++;
    pthread_mutex_unlock(&m->mu);
}

static bool ask(measuring *m, size_t q, pn_arena *arena)
{
    pn_lance_tables tables;
    pn_topk by_code;
    size_t n_codes = PN_MIN((size_t)BY_CODE, m->n_sample);
    uint16_t *place = PN_ARENA_NEW(arena, uint16_t, m->n_sample);
    uint8_t *levels = PN_ARENA_NEW(arena, uint8_t, m->ivf->n_partitions);
    pn_candidate *heap = PN_ARENA_NEW(arena, pn_candidate, n_codes);
    hits *found = PN_ARENA_NEW(arena, hits, 1);
    if (!place || !levels || !heap || !found ||
        pn_lance_tables_make(m->ivf, m->queries[q].vector, arena, &tables, NULL) != PN_OK ||
        !rank_partitions(m, &tables, arena, levels))
        return false;
    size_t n_true = mark_truth(m, q, arena, place);
    if (n_true == 0)
        return false;
    pn_topk_init(&by_code, heap, n_codes);
    sort_by_code(m, &tables, q, &by_code);
    walk(m, &by_code, place, levels, *found);
    m->best[q] = best_product(m->ivf, m->queries[q].vector, tables.nearness);
    add_hits(m, q, n_true, *found);
    return true;
}

static void ask_one(void *context, size_t q, unsigned worker)
{
    measuring *m = context;
    pn_arena arena;
    (void)worker;
    if (m->cancel && atomic_load_explicit(m->cancel, memory_order_relaxed))
        return;
    pn_arena_init(&arena, SIZE_MAX);
    if (!ask(m, q, &arena))
        atomic_store(&m->failed, true);
    pn_arena_reset(&arena);
}

/* ---- all ---- */

static float low_bound(const totals *t, double sum, double squares)
{
    double n = (double)t->n, mean = sum / n;
    double variance = PN_MAX(squares / n - mean * mean, 0.0);
    return (float)PN_MAX(mean - sqrt(variance / n), 0.0);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* What all but one in a hundred reach. The values are sorted. */
static float nearly_least(float *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 100];
}

/* Where queries [first, first + n) lie. */
static void find_place(const measuring *m, size_t kind, size_t first, size_t n)
{
    float products[QUERIES] = {0}, *mean = m->out->kinds[kind].mean;
    size_t dim = m->ivf->dim;
    for (size_t q = first; q < first + n; q++)
        for (size_t i = 0; i < dim; i++)
            mean[i] += m->queries[q].vector[i] / (float)n;
    for (size_t q = 0; q < n; q++)
        products[q] = pn_kernels_get()->dot_f32(mean, m->queries[first + q].vector, dim);
    m->out->kinds[kind].least_mean = nearly_least(products, n);
    m->out->kinds[kind].least_best = nearly_least(m->best + first, n);
}

static void conclude(const measuring *m)
{
    for (size_t kind = 0; kind < PN_LANCE_KINDS; kind++) {
        const totals *t = &m->totals[kind];
        m->out->kinds[kind].is_measured = t->n > 0;
        if (t->n == 0)
            continue;
        find_place(m, kind, kind == PN_LANCE_PICTURES ? 0 : m->n_pictures, t->n);
        for (size_t c = 0; c < PN_LANCE_K_CLASSES; c++)
            for (size_t p = 0; p < m->out->n_probe_levels; p++)
                for (size_t r = 0; r < m->out->n_refine_levels; r++)
                    m->out->kinds[kind].recall[c][p][r] =
                        low_bound(t, t->sum[c][p][r], t->squares[c][p][r]);
    }
}

static pn_status measure(measuring *m, const float *texts, size_t n_texts, pn_pool *pool,
                         pn_arena *arena, pn_error *err)
{
    m->sample = PN_ARENA_NEW(arena, sampled, SAMPLE_ROWS);
    m->totals = PN_ARENA_NEW(arena, totals, PN_LANCE_KINDS);
    if (!m->sample || !m->totals)
        return pn_fail_nomem(err);
    take_sample(m);
    if (m->n_sample < LEAST_ROWS)
        return pn_fail(err, PN_ERR_NOT_FOUND, "only %zu rows of the index have vectors",
                       m->n_sample);
    PN_TRY(take_queries(m, texts, n_texts, arena, err));
    PN_TRY(take_codes(m, arena, err));
    make_levels(m);
    pn_pool_for(pool, (m->n_sample + BLOCK_ROWS - 1) / BLOCK_ROWS, compare_block, m);
    if (!atomic_load(&m->failed))
        pn_pool_for(pool, m->n_queries, ask_one, m);
    if (m->cancel && atomic_load(m->cancel))
        return pn_fail(err, PN_ERR_CANCELLED, "the search was stopped");
    if (atomic_load(&m->failed))
        return pn_fail_nomem(err);
    conclude(m);
    return PN_OK;
}

pn_status pn_lance_ivf_measure(const pn_lance_ivf *ivf, const pn_lance_rows *rows,
                               const float *texts, size_t n_texts, pn_pool *pool,
                               const _Atomic bool *cancel, pn_lance_measure *out, pn_error *err)
{
    pn_arena arena;
    pn_lance_measure result = {0};
    measuring m = {.ivf = ivf, .rows = rows, .cancel = cancel, .out = &result};
    pn_arena_init(&arena, SIZE_MAX);
    pthread_mutex_init(&m.mu, NULL);
    pn_status status = measure(&m, texts, n_texts, pool, &arena, err);
    pthread_mutex_destroy(&m.mu);
    pn_arena_reset(&arena);
    if (status == PN_OK)
        *out = result;
    return status;
}

/* ---- choosing ---- */

/* The class of places down to this one; PN_LANCE_K_CLASSES: none. */
static size_t class_of(double share, size_t k)
{
    size_t c = 0;
    double place = (double)k / PN_MAX(share, 1e-9);
    while (c < PN_LANCE_K_CLASSES && place > (double)class_k[c])
        c++;
    return c;
}

/* The kind whose mean is nearer; PN_LANCE_KINDS: the query is like none. */
static size_t kind_of(const pn_lance_ivf *ivf, const pn_lance_measure *measure, const float *query)
{
    const pn_kernels *k = pn_kernels_get();
    size_t found = PN_LANCE_KINDS;
    float nearest = -INFINITY, product = 0;
    for (size_t kind = 0; kind < PN_LANCE_KINDS; kind++) {
        const float *mean = measure->kinds[kind].mean;
        float with = k->dot_f32(mean, query, ivf->dim);
        float nearness = with - k->dot_f32(mean, mean, ivf->dim) / 2;
        if (!measure->kinds[kind].is_measured || nearness <= nearest)
            continue;
        nearest = nearness;
        product = with;
        found = kind;
    }
    return found < PN_LANCE_KINDS && product >= measure->kinds[found].least_mean ? found
                                                                                 : PN_LANCE_KINDS;
}

/* What was measured of queries like this one, and for as many rows; NULL: nothing. */
static const float (*recalls_for(const pn_lance_ivf *ivf, const pn_lance_measure *measure,
                                 const pn_lance_wish *wish))[PN_LANCE_REFINE_LEVELS]
{
    size_t c = class_of(wish->share, wish->k), kind = kind_of(ivf, measure, wish->query);
    if (c == PN_LANCE_K_CLASSES || kind == PN_LANCE_KINDS)
        return NULL;
    float *products = pn_alloc_array(ivf->n_partitions, sizeof *products);
    if (!products)
        return NULL; // the exact answer that follows will tell
    float best = best_product(ivf, wish->query, products);
    pn_free(products);
    return best >= measure->kinds[kind].least_best ? measure->kinds[kind].recall[c] : NULL;
}

/* In units of one table entry, or of one multiply-add of a vector: both are about a third of a nanosecond. */
static double cost_of(const pn_lance_ivf *ivf, uint32_t partitions, double refined)
{
    double rows = (double)partitions * (double)ivf->n_rows / (double)ivf->n_partitions;
    double row = ivf->is_flat ? (double)ivf->dim / 4 : (double)ivf->n_subs + 4;
    return rows * row + refined * ((double)ivf->dim / 4 + 200);
}

/* Refined rows are counted among those that may be returned: with a filter, fewer do as well. */
static uint32_t refined_of(uint32_t refined, const pn_lance_wish *wish)
{
    double wanted = ceil((double)refined * PN_MIN(wish->share, 1.0));
    return (uint32_t)PN_MAX(wanted, (double)PN_MIN(wish->k, (size_t)UINT32_MAX));
}

pn_lance_effort pn_lance_ivf_effort_for(const pn_lance_ivf *ivf, const pn_lance_measure *measure,
                                        const pn_lance_wish *wish, float *recall)
{
    pn_lance_effort best = {(uint32_t)ivf->n_partitions, UINT32_MAX};
    double least = HUGE_VAL;
    const float(*measured)[PN_LANCE_REFINE_LEVELS] = recalls_for(ivf, measure, wish);
    *recall = 0;
    for (size_t p = 0; measured && p < measure->n_probe_levels; p++)
        for (size_t r = 0; r < measure->n_refine_levels; r++) {
            uint32_t refined = refined_of(measure->refined[r], wish);
            double cost = cost_of(ivf, measure->probes[p], refined);
            if (measured[p][r] < wish->min_recall || cost >= least)
                continue;
            least = cost;
            best = (pn_lance_effort){measure->probes[p], refined};
            *recall = measured[p][r];
        }
    return best;
}

pn_lance_effort pn_lance_ivf_effort_at(const pn_lance_ivf *ivf, const pn_lance_measure *measure,
                                       const pn_lance_wish *wish, uint32_t partitions,
                                       float *recall)
{
    static const float nearly = 0.002f; // the last rows are many, and bring little
    size_t p = 0, r = measure->n_refine_levels - 1;
    const float(*measured)[PN_LANCE_REFINE_LEVELS] = recalls_for(ivf, measure, wish);
    while (p + 1 < measure->n_probe_levels && measure->probes[p + 1] <= partitions)
        p++;
    float most = measured ? measured[p][r] : 0;
    while (measured && r > 0 && measured[p][r - 1] >= most - nearly)
        r--;
    *recall = measured ? measured[p][r] : 0;
    return (pn_lance_effort){partitions, refined_of(measure->refined[r], wish)};
}

/*
 * index_search.c - the k nearest, from the most promising partition on
 *
 *     queue of regions and partitions, by what they may hold at best
 *       region      its partitions join the queue
 *       partition   4-bit codes of its rows -> those that may still reach the k-th place
 *                     -> 8-bit copies: score within known limits
 *     until the effort is spent, and k rows are found
 *     what may be among the k nearest by its limits -> the vectors themselves
 *
 * What a partition may hold at best: q . centroid + s sqrt(2 ln n), the greatest of n normal numbers, with s the standard deviation of
 * q . residual for this very query (pn_pq_tables.spread), scaled by how wide the partition is. Against q . centroid alone the same recall
 * takes a third of the partitions for pictures and a fifth for texts, whose best rows are nowhere near a centroid. n counts
 * the rows that may be returned, so a filter changes the order too. How many partitions are scanned is the effort; stopping instead
 * where the bound falls below the k-th place was measured to scan four times as many at the same recall.
 *
 * What a row may be at best is its sum of codes plus so many times the error of such sums for this query.
 *
 * The queue has no order within 1/1000 of a cosine: 4,096 buckets, filled in no time, where a heap of 7,000 partitions would cost
 * more than the partitions of a picture query do.
 */
#include "index/internal.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { BUCKETS = 4096, NOTHING = -1, REFINE_AT = 64, START_ROWS = 32, PREFETCH = 6 };
#define PRIORITY_LOW (-1.0f) /* of the lowest bucket */
#define PRIORITY_RANGE 3.0f
#define COPY_ERRORS 4.0f /* standard deviations between a copy's score and its limits */
#define SUM_ERROR 1e-5f  /* of the sums themselves, where limits have to hold for certain */

/* A row whose score is known within limits. */
typedef struct refined {
    uint32_t position;
    float high;
} refined;

typedef struct search {
    const pn_index *x;
    const pn_index_query *q;
    const pn_kernels *kernels;
    pn_index_stats stats;
    size_t dim, k;

    pn_query16 rounded;
    float margin,
        certain; /* between a copy's score and its limits: this many times the copy's error, and so much */
    const pn_pq *pq;
    const uint8_t *codes;
    pn_pq_tables tables;

    int32_t heads[BUCKETS],
        *next;       /* [n_regions + n_partitions] lists of the queue; regions come first */
    float *products; /* [n_partitions] q . centroid */
    int bucket;      /* the highest that may have something */

    uint32_t *rows; /* [largest partition], what a scan finds */
    uint16_t *sums;
    uint32_t *pending; /* positions to be refined */
    size_t n_pending, pending_capacity;
    refined *refined;
    size_t n_refined, refined_capacity;
    pn_topk best; /* of lower limits, as distances -low */
    const float *reaches, *losses;
    uint32_t n_scanned; /* partitions */
} search;

/* ---- memory */

static pn_status reserve(search *s, size_t more, pn_error *err)
{
    if (s->n_pending + more > s->pending_capacity) {
        size_t capacity = 2 * (s->n_pending + more);
        uint32_t *grown = pn_realloc(s->pending, capacity * sizeof *grown);
        if (!grown)
            return pn_fail_nomem(err);
        s->pending = grown;
        s->pending_capacity = capacity;
    }
    if (s->n_refined + s->n_pending + more > s->refined_capacity) {
        size_t capacity = 2 * (s->n_refined + s->n_pending + more);
        refined *grown = pn_realloc(s->refined, capacity * sizeof *grown);
        if (!grown)
            return pn_fail_nomem(err);
        s->refined = grown;
        s->refined_capacity = capacity;
    }
    return PN_OK;
}

/* ---- the query in the forms it is needed in */

void pn_index_round_query(const float *query, size_t dim, pn_query16 *out)
{
    float most = 0, lost = 0;
    for (size_t d = 0; d < dim; d++)
        most = PN_MAX(most, fabsf(query[d]));
    out->step = most > 0 ? most / (float)pn_i16_limit(dim) : 1;
    for (size_t d = 0; d < dim; d++) {
        out->values[d] = (int16_t)lrintf(query[d] / out->step);
        float missing = query[d] - out->step * (float)out->values[d];
        lost += missing * missing;
    }
    out->lost = sqrtf(lost);
}

/*
 * Errors of a copy point anywhere, so a query's product with one is its length over the root of dim, give or take. When everything is
 * looked at (rows' effort without end) limits are certain instead: the product is at most the length, and rounding the query adds
 * at most what it took from it, times the lengths of a centroid (1) and a residual (2).
 */
static void choose_margin(search *s)
{
    s->margin = PN_MIN(COPY_ERRORS / sqrtf((float)s->dim), 1.0f);
    if (isfinite(s->q->effort.rows))
        return;
    s->margin = 1;
    s->certain = 3 * s->rounded.lost + SUM_ERROR;
}

static pn_status prepare(search *s, pn_arena *arena, pn_error *err)
{
    const pn_index *x = s->x;
    size_t book = s->q->kind < x->facts.n_books ? s->q->kind : 0;
    size_t largest = x->largest + PN_CODE_BLOCK;
    s->pq = &x->books[book];
    s->codes = x->codes[book];
    s->rounded.values = PN_ARENA_NEW(arena, int16_t, s->dim);
    s->tables.entries = PN_ARENA_NEW(arena, uint8_t, s->pq->n_groups * PN_CODE_ENTRIES);
    float *scratch = PN_ARENA_NEW(arena, float, s->pq->n_axes + s->pq->n_groups * PN_CODE_ENTRIES);
    s->next = PN_ARENA_NEW(arena, int32_t, x->facts.n_regions + x->facts.n_partitions);
    s->products = PN_ARENA_NEW(arena, float, x->facts.n_partitions);
    s->rows = PN_ARENA_NEW(arena, uint32_t, largest);
    s->sums = PN_ARENA_NEW(arena, uint16_t, largest);
    pn_candidate *best = PN_ARENA_NEW(arena, pn_candidate, s->k);
    if (!s->rounded.values || !s->tables.entries || !scratch || !s->next || !s->products ||
        !s->rows || !s->sums || !best)
        return pn_fail_nomem(err);
    pn_topk_init(&s->best, best, s->k);
    pn_index_round_query(s->q->vector, s->dim, &s->rounded);
    choose_margin(s);
    pn_pq_tables_make(s->pq, s->q->vector, scratch, &s->tables);
    s->reaches = s->q->mask ? s->q->mask->reaches[book] : x->reaches[book];
    s->losses = x->losses + book * x->facts.n_partitions;
    return PN_OK;
}

/* The score that a row has to reach to matter; below everything while there are fewer than k. */
static float bar(const search *s)
{
    return s->best.n < s->k ? -INFINITY : -s->best.heap[0].distance;
}

/* ---- the queue */

static void enqueue(search *s, size_t item, float priority)
{
    float at = (priority - PRIORITY_LOW) / PRIORITY_RANGE * BUCKETS;
    int bucket = at > 0 ? (int)PN_MIN(at, (float)(BUCKETS - 1)) : 0;
    bucket = PN_MIN(bucket, s->bucket); /* never behind what was taken already */
    s->next[item] = s->heads[bucket];
    s->heads[bucket] = (int32_t)item;
}

/* The next item, or NOTHING when the queue is empty. */
static int32_t dequeue(search *s)
{
    for (; s->bucket >= 0; s->bucket--) {
        int32_t item = s->heads[s->bucket];
        if (item == NOTHING)
            continue;
        s->heads[s->bucket] = s->next[item];
        return item;
    }
    return NOTHING;
}

static void start_queue(search *s)
{
    const pn_index *x = s->x;
    for (int i = 0; i < BUCKETS; i++)
        s->heads[i] = NOTHING;
    s->bucket = BUCKETS - 1;
    for (size_t r = 0; r < x->facts.n_regions; r++) {
        if (s->q->mask && s->q->mask->counts[r] == 0)
            continue;
        float product = s->kernels->dot_f32(s->q->vector, x->regions + r * s->dim, s->dim);
        enqueue(s, r, product + s->tables.spread * s->reaches[r]);
    }
}

static void open_region(search *s, size_t r)
{
    const pn_index *x = s->x;
    for (size_t p = x->region_starts[r]; p < x->region_starts[r + 1]; p++) {
        size_t item = x->facts.n_regions + p;
        if (s->q->mask && s->q->mask->counts[item] == 0)
            continue;
        int32_t product =
            s->kernels->dot_i16_i8(s->rounded.values, x->centroids + p * s->dim, s->dim);
        s->products[p] = (float)product * s->rounded.step * x->centroid_scales[p];
        enqueue(s, item, s->products[p] + s->tables.spread * s->reaches[item]);
    }
}

/* ---- rows */

static bool is_wanted(const search *s, uint32_t position)
{
    return (s->q->mask->bits[position / 64] >> position % 64 & 1) != 0;
}

/* While there is no bar: the sum that the best few of n rows reach. */
static uint32_t sum_of_best(const uint16_t *sums, size_t n, size_t wanted)
{
    enum { STEPS = 256, SHIFT = 8 };
    uint32_t counts[STEPS] = {0};
    for (size_t i = 0; i < n; i++)
        counts[sums[i] >> SHIFT]++;
    size_t found = 0;
    for (uint32_t step = STEPS; step-- > 0;) {
        found += counts[step];
        if (found >= wanted)
            return step << SHIFT;
    }
    return 0;
}

float pn_index_exact_score(const pn_index *x, const pn_index_query *q, uint32_t position)
{
    const pn_kernels *kernels = pn_kernels_get();
    const size_t dim = x->facts.dim;
    const float *vector = pn_vector_rows_at(q->rows, x->order[position]);
    float product = kernels->dot_f32(q->vector, vector, dim);
    if (!q->rows->any_length)
        return product;
    float length = kernels->norm_f32(vector, dim);
    return length > 0 ? product / length : 0;
}

uint64_t pn_index_row_addr(const pn_index *x, const pn_vector_rows *rows, uint32_t position)
{
    return pn_vector_rows_addr(rows, x->order[position]);
}

static void keep_refined(search *s, uint32_t position, float low, float high)
{
    if (high < bar(s))
        return;
    s->refined[s->n_refined++] = (refined){position, high};
    pn_topk_push(&s->best, -low, position);
}

/* Scores of what is pending, from the copies of partition p, whose rows they are. */
static void refine(search *s, size_t p)
{
    const pn_index *x = s->x;
    for (size_t i = 0; i < s->n_pending; i++) {
        uint32_t at = s->pending[i];
        if (!x->copies) {
            float score = pn_index_exact_score(x, s->q, at);
            keep_refined(s, at, score, score);
            continue;
        }
        if (i + PREFETCH < s->n_pending) {
            const int8_t *ahead = x->copies + (size_t)s->pending[i + PREFETCH] * s->dim;
            for (size_t d = 0; d < s->dim; d += 64)
                PN_PREFETCH(ahead + d);
        }
        int32_t product =
            s->kernels->dot_i16_i8(s->rounded.values, x->copies + (size_t)at * s->dim, s->dim);
        float score = s->products[p] + (float)product * s->rounded.step * x->scales[at];
        float error = s->margin * x->errors[at] + s->certain;
        keep_refined(s, at, score - error, score + error);
    }
    s->stats.n_refined += s->n_pending;
    s->n_pending = 0;
}

/* Put found rows of partition p whose sums are in [from, upto) into the queue of those to be refined. */
static void await(search *s, size_t p, size_t n, float from, uint32_t upto)
{
    for (size_t i = 0; i < n; i++)
        if (s->sums[i] < upto && !((float)s->sums[i] < from))
            s->pending[s->n_pending++] = s->x->starts[p] + s->rows[i];
}

/* Leave those of n found rows of partition p that may be returned. */
static size_t drop_unwanted(search *s, size_t p, size_t n)
{
    size_t m = 0;
    if (!s->q->mask)
        return n;
    for (size_t i = 0; i < n; i++)
        if (is_wanted(s, s->x->starts[p] + s->rows[i])) {
            s->rows[m] = s->rows[i];
            s->sums[m++] = s->sums[i];
        }
    return m;
}

/* The sum of codes that a row of partition p needs to be worth a look now; NaN and below zero: any. */
static float sum_needed(const search *s, size_t p)
{
    float slack = s->q->effort.rows * s->tables.loss * sqrtf(s->losses[p]);
    return (bar(s) - slack - s->products[p] - s->tables.low) / s->tables.step;
}

static pn_status scan_partition(search *s, size_t p, pn_error *err)
{
    const pn_index *x = s->x;
    uint32_t n_rows = x->starts[p + 1] - x->starts[p];
    const size_t block_bytes = s->pq->n_groups * PN_CODE_ENTRIES;
    pn_codes codes = {s->codes + x->block_starts[p] * block_bytes, n_rows, s->pq->n_groups};
    float needed = sum_needed(s, p);
    if (needed > (float)UINT16_MAX)
        return PN_OK;
    uint32_t least = needed > 0 ? (uint32_t)ceilf(needed) : 0, all = UINT16_MAX + 1;
    size_t n = s->kernels->scan_codes(s->rows, s->sums, &codes, s->tables.entries, least);
    s->stats.n_scanned += n_rows;
    s->stats.n_partitions++;
    n = drop_unwanted(s, p, n);
    PN_TRY(reserve(s, n, err));
    size_t start_rows = PN_MAX(2 * s->k, (size_t)START_ROWS);
    if (s->best.n < s->k && n > start_rows) {
        /* the best few first: they set the bar for the others */
        uint32_t cut = sum_of_best(s->sums, n, start_rows);
        await(s, p, n, (float)cut, all);
        refine(s, p);
        await(s, p, n, sum_needed(s, p), cut);
    } else {
        await(s, p, n, 0, all);
    }
    refine(s, p);
    return PN_OK;
}

/* ---- the end: exact scores of those whose limits reach the bar */

static void finish(search *s, pn_topk *topk)
{
    const pn_vector_rows *rows = s->q->rows;
    float least = bar(s);
    size_t n = 0;
    for (size_t i = 0; i < s->n_refined; i++)
        if (s->refined[i].high >= least)
            s->refined[n++] = s->refined[i];
    for (size_t i = 0; i < n; i++) {
        if (i + 2 < n) {
            const float *ahead = pn_vector_rows_at(rows, s->x->order[s->refined[i + 2].position]);
            for (size_t d = 0; d < s->dim; d += 16)
                PN_PREFETCH(ahead + d);
        }
        uint32_t position = s->refined[i].position;
        pn_topk_push(topk, 1.0f - pn_index_exact_score(s->x, s->q, position),
                     pn_index_row_addr(s->x, rows, position));
    }
    s->stats.n_exact = n;
    pn_topk_sort(topk);
}

/* What the queue holds at best, above the k-th place. */
static float gap(const search *s)
{
    return PRIORITY_LOW + (float)(s->bucket + 1) * (PRIORITY_RANGE / BUCKETS) - bar(s);
}

static bool is_enough(search *s)
{
    if (s->best.n < s->k || s->stats.n_partitions < s->q->effort.partitions)
        return false;
    float left = gap(s);
    if (left > s->q->effort.gap)
        return false;
    s->stats.gap = left;
    return true;
}

static pn_status walk(search *s, pn_error *err)
{
    start_queue(s);
    s->stats.gap = -INFINITY;
    for (int32_t item; (item = dequeue(s)) != NOTHING;) {
        if (s->q->cancel && atomic_load_explicit(s->q->cancel, memory_order_relaxed))
            return pn_fail(err, PN_ERR_CANCELLED, "the search was stopped");
        if ((size_t)item < s->x->facts.n_regions)
            open_region(s, (size_t)item);
        else if (is_enough(s))
            break;
        else
            PN_TRY(scan_partition(s, (size_t)item - s->x->facts.n_regions, err));
    }
    return PN_OK;
}

pn_status pn_index_search(const pn_index *index, const pn_index_query *query, pn_topk *topk,
                          pn_index_stats *stats, pn_error *err)
{
    pn_arena arena;
    PN_TRY(pn_index_check_rows(index, query->rows, query->mask == NULL, err));
    search *s = pn_alloc_zero(sizeof *s);
    if (!s)
        return pn_fail_nomem(err);
    pn_arena_init(&arena, SIZE_MAX);
    s->x = index;
    s->q = query;
    s->kernels = pn_kernels_get();
    s->dim = index->facts.dim;
    s->k = topk->k;
    pn_status status = prepare(s, &arena, err);
    if (status == PN_OK)
        status = walk(s, err);
    if (status == PN_OK) {
        finish(s, topk);
        *stats = s->stats;
    }
    pn_arena_reset(&arena);
    pn_free(s->pending);
    pn_free(s->refined);
    pn_free(s);
    return status;
}

/*
 * index_search.c - the k nearest, from the most promising partition on
 *
 *     queue of regions and partitions, by what they may hold at best
 *       region      its partitions join the queue
 *       partition   4-bit codes of its rows, their factors and offsets -> those that may still be among the k best
 *     until the effort is spent, and k rows are found
 *     the rows found -> index_refine.c
 *
 * What a partition may hold at best: q . centroid + s sqrt(2 ln n), the greatest of n normal numbers, with s the standard deviation of
 * q . residual for this very query (pn_pq_tables.spread), scaled by how wide the partition is. Against q . centroid alone the same recall
 * takes a third of the partitions for pictures and a fifth for texts, whose best rows are nowhere near a centroid. n counts
 * the rows that may be returned, so a filter changes the order too. How many partitions are scanned is the effort; stopping instead
 * where the bound falls below the k-th place was measured to scan four times as many at the same recall.
 *
 * What a row may be at best is its score by codes plus so many times the error of their sums for this query. It has to reach the k-th score by
 * codes, not the k-th score, known from copies on the way: codes miss more of near rows than of others, and of those near one query more than
 * near another. The row's own factor and offset (index_build.c) take most of that back, but not all.
 *
 * Codes of the next partition are fetched while those of one are looked at.
 *
 * A small index beside a large one is scanned whole, and knows from the start what its rows have to reach: without a queue, and with the query
 * already turned for its codes, it costs a question 5 microseconds instead of 13.
 *
 * The queue has no order within 1/1000 of a cosine: 4,096 buckets, filled in no time, where a heap of 7,000 partitions would cost
 * more than the partitions of a picture query do.
 */
#include "index/index_refine.h"

#include "base/arena.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { BUCKETS = 4096, NOTHING = -1, AHEAD = 2, TOGETHER = 64, MOST_FOUND = 4096 };
#define PRIORITY_LOW (-1.0f) /* of the lowest bucket */
#define PRIORITY_RANGE 3.0f
#define OFFSET_STEPS 128.0f /* in which offset_scale is counted */

typedef struct search {
    const pn_index *x;
    const pn_index_query *q;
    const pn_kernels *kernels;
    pn_index_stats stats;
    size_t dim, k;

    pn_refiner refiner;
    const pn_pq *pq;
    const uint8_t *codes;
    pn_pq_tables tables;
    pn_code_query wanted; /* of a scan */

    /* the queue: [BUCKETS] first items, [n_regions + n_partitions] the next of each; regions come first */
    int32_t *heads, *next;
    int bucket; /* the highest that may have something */
    struct {
        uint32_t partition;
        int bucket;
    } ahead[AHEAD]; /* out of the queue, their codes on the way */
    size_t n_ahead;

    uint32_t *rows; /* [largest partition], what a scan finds */
    int16_t *scores;
    const float *reaches, *losses, *offsets; /* of the set of codes */
} search;

/* Numbers out of a damaged file may be anything, NaN as well. */
static int32_t to_16_bits(float x)
{
    return x > INT16_MIN ? (int32_t)PN_MIN(rintf(x), (float)INT16_MAX) : INT16_MIN;
}

/* The query as the codes see it: 1/8 of a megabyte to read, unless the index before has read it. */
static const float *turn(const search *s, size_t book, float *scratch)
{
    pn_index_turned *kept = s->q->turned;
    if (kept && kept->codes == s->x->turns[book] && kept->codes != 0)
        return kept->values;
    float *turned = kept ? kept->values : scratch;
    pn_pq_turn_query(s->pq, s->q->vector, turned);
    if (kept)
        kept->codes = s->x->turns[book];
    return turned;
}

static pn_status prepare(search *s, pn_arena *arena, pn_error *err)
{
    const pn_index *x = s->x;
    size_t book = s->q->kind < x->facts.n_books ? s->q->kind : 0;
    size_t largest = x->largest + PN_CODE_BLOCK;
    s->pq = &x->books[book];
    s->codes = x->codes[book];
    s->tables.entries = PN_ARENA_NEW(arena, uint8_t, s->pq->n_groups * PN_CODE_ENTRIES);
    float *scratch =
        PN_ARENA_NEW(arena, float, 2 * s->pq->n_axes + s->pq->n_groups * PN_CODE_ENTRIES);
    size_t n_items = (size_t)x->facts.n_regions + x->facts.n_partitions;
    s->next = pn_arena_alloc(arena, n_items * sizeof *s->next);
    s->heads = pn_arena_alloc(arena, BUCKETS * sizeof *s->heads);
    s->rows = pn_arena_alloc(arena, largest * sizeof *s->rows);
    s->scores = pn_arena_alloc(arena, largest * sizeof *s->scores);
    if (!s->tables.entries || !scratch || !s->next || !s->heads || !s->rows || !s->scores)
        return pn_fail_nomem(err);
    PN_TRY(pn_refiner_init(&s->refiner, x, s->q, s->k, arena, err));
    pn_pq_tables_make(s->pq, turn(s, book, scratch), x->turned_means[book], scratch + s->pq->n_axes,
                      &s->tables);
    s->wanted.tables = s->tables.entries;
    s->wanted.zero = (int16_t)to_16_bits(-s->tables.low / s->tables.step);
    s->losses = x->losses + book * x->facts.n_partitions;
    s->offsets = x->offsets + book * x->facts.n_partitions;
    s->reaches = s->q->mask ? s->q->mask->reaches[book] : x->reaches[book];
    return PN_OK;
}

/* ---- the queue */

static void enqueue(search *s, size_t item, float priority)
{
    float at = (priority - PRIORITY_LOW) * (BUCKETS / PRIORITY_RANGE);
    int bucket = (int)pn_clamp_step(at, BUCKETS);
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

/* Partitions [first, first + n) join the queue. Which come first is decided by the upper bytes of the query, half of the work: they are off
 * by 1/2000 of a cosine. */
static void enqueue_partitions(search *s, size_t first, size_t n)
{
    const pn_index *x = s->x;
    const pn_query16 *query = &s->refiner.query;
    const float step = 256 * query->step;
    const int32_t offset = 128 * query->of.high_sum;
    int32_t sums[TOGETHER];
    s->kernels->dot_many_i8_u8(sums, query->of.high, x->centroids + first * s->dim, n, s->dim);
    for (size_t i = 0; i < n; i++) {
        size_t p = first + i, item = x->facts.n_regions + p;
        if (s->q->mask && s->q->mask->counts[item] == 0)
            continue;
        float product = (float)(sums[i] - offset) * step * x->centroid_scales[p];
        enqueue(s, item, product + s->tables.spread * s->reaches[item]);
    }
}

static void open_region(search *s, size_t r)
{
    const size_t end = s->x->region_starts[r + 1];
    for (size_t p = s->x->region_starts[r]; p < end; p += TOGETHER)
        enqueue_partitions(s, p, PN_MIN(end - p, (size_t)TOGETHER));
}

/* Take from the queue until AHEAD partitions are on the way, or it is empty. */
static void look_ahead(search *s)
{
    const size_t n_regions = s->x->facts.n_regions;
    while (s->n_ahead < AHEAD) {
        int32_t item = dequeue(s);
        if (item == NOTHING)
            return;
        if ((size_t)item < n_regions) {
            open_region(s, (size_t)item);
            continue;
        }
        s->ahead[s->n_ahead].partition = (uint32_t)((size_t)item - n_regions);
        s->ahead[s->n_ahead++].bucket = s->bucket;
    }
}

/* ---- rows */

static bool is_wanted(const search *s, uint32_t position)
{
    return (s->q->mask->bits[position / 64] >> position % 64 & 1) != 0;
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
            s->scores[m++] = s->scores[i];
        }
    return m;
}

/* Where the codes of partition p begin; of the number of partitions: where all end. */
static const uint8_t *codes_of(const search *s, size_t p)
{
    return s->codes + s->x->block_starts[p] * pn_code_block_bytes(s->pq->n_groups);
}

/* The score that a row needs to be worth a look now, in steps of the tables; NaN and far below zero: any. product: query . centroid. */
static float score_needed(const search *s, float product, float slack)
{
    return (pn_refiner_codes_bar(&s->refiner) - slack - product) / s->tables.step;
}

static float centroid_product(const search *s, size_t p)
{
    const pn_query16 *query = &s->refiner.query;
    int32_t product = s->kernels->dot_i16_u8(&query->of, s->x->centroids + p * s->dim, s->dim);
    return (float)product * query->step * s->x->centroid_scales[p];
}

static pn_status scan_partition(search *s, size_t p, pn_error *err)
{
    const pn_index *x = s->x;
    const uint32_t first = x->starts[p], n_rows = x->starts[p + 1] - first;
    const float slack = s->q->effort.rows * s->tables.loss * sqrtf(s->losses[p]);
    const float product = centroid_product(s, p), needed = score_needed(s, product, slack);
    if (needed > (float)INT16_MAX)
        return PN_OK;
    pn_codes codes = {.blocks = codes_of(s, p), .n_rows = n_rows, .n_groups = s->pq->n_groups};
    if (s->n_ahead > 0) {
        codes.ahead = codes_of(s, s->ahead[0].partition);
        codes.ahead_bytes = (size_t)(codes_of(s, s->ahead[0].partition + 1) - codes.ahead);
    }
    s->wanted.least = to_16_bits(needed);
    s->wanted.offset_scale =
        (int16_t)PN_MAX(to_16_bits(OFFSET_STEPS * s->offsets[p] / s->tables.step), 0);
    size_t n = s->kernels->scan_codes(s->rows, s->scores, &codes, &s->wanted);
    s->stats.n_scanned += n_rows;
    s->stats.n_partitions++;
    n = drop_unwanted(s, p, n);
    PN_TRY(pn_refiner_reserve(&s->refiner, n, err));
    for (size_t i = 0; i < n; i++)
        pn_refiner_add(&s->refiner, first + s->rows[i], product,
                       product + s->tables.step * (float)s->scores[i], slack);
    return PN_OK;
}

/* What the queue holds at best, above the k-th place. */
static float gap(const search *s)
{
    return PRIORITY_LOW + (float)(s->ahead[0].bucket + 1) * (PRIORITY_RANGE / BUCKETS) -
           pn_refiner_bar(&s->refiner);
}

static bool is_enough(search *s)
{
    if (s->stats.n_partitions < s->q->effort.partitions)
        return false;
    pn_refiner_look(&s->refiner);
    if (!isfinite(pn_refiner_bar(&s->refiner)))
        return false;
    float left = gap(s);
    if (left > s->q->effort.gap)
        return false;
    s->stats.gap = left;
    return true;
}

static pn_status visit(search *s, size_t p, pn_error *err)
{
    if (s->q->cancel && atomic_load_explicit(s->q->cancel, memory_order_relaxed))
        return pn_fail(err, PN_ERR_CANCELLED, "the search was stopped");
    PN_TRY(scan_partition(s, p, err));
    if (s->refiner.n_found > MOST_FOUND)
        pn_refiner_look(&s->refiner);
    return PN_OK;
}

static pn_status walk(search *s, pn_error *err)
{
    start_queue(s);
    for (look_ahead(s); s->n_ahead > 0 && !is_enough(s); look_ahead(s)) {
        size_t p = s->ahead[0].partition;
        memmove(s->ahead, s->ahead + 1, --s->n_ahead * sizeof *s->ahead);
        PN_TRY(visit(s, p, err));
    }
    return PN_OK;
}

/* All partitions as they lie: with a bar from the start their order is of no use. */
static pn_status visit_all(search *s, pn_error *err)
{
    const size_t n_regions = s->x->facts.n_regions, n = s->x->facts.n_partitions;
    for (size_t p = 0; p < n; p++) {
        s->n_ahead = p + 1 < n;
        s->ahead[0].partition = (uint32_t)(p + 1);
        if (!s->q->mask || s->q->mask->counts[n_regions + p] > 0)
            PN_TRY(visit(s, p, err));
    }
    return PN_OK;
}

static bool is_all_visited(const search *s)
{
    return isfinite(s->refiner.bar.score) && isfinite(s->refiner.bar.by_codes) &&
           s->q->effort.partitions >= s->x->facts.n_partitions;
}

pn_status pn_index_search(const pn_index *index, const pn_index_query *query, pn_topk *topk,
                          pn_index_stats *stats, pn_error *err)
{
    PN_TRY(pn_index_check_rows(index, query->rows, query->mask == NULL, err));
    pn_arena arena = pn_index_scratch_take(index->scratch);
    search *s = PN_ARENA_NEW(&arena, search, 1);
    pn_status status = s ? PN_OK : pn_fail_nomem(err);
    if (status == PN_OK) {
        s->x = index;
        s->q = query;
        s->kernels = pn_kernels_get();
        s->dim = index->facts.dim;
        s->k = topk->k;
        status = prepare(s, &arena, err);
    }
    if (status == PN_OK) {
        s->stats.gap = -INFINITY;
        status = is_all_visited(s) ? visit_all(s, err) : walk(s, err);
    }
    if (status == PN_OK) {
        pn_refiner_look(&s->refiner);
        s->stats.n_exact = pn_refiner_finish(&s->refiner, topk);
        s->stats.n_refined = s->refiner.n_looked_at;
        s->stats.by_codes = pn_refiner_codes_bar(&s->refiner);
        *stats = s->stats;
    }
    pn_index_scratch_give(index->scratch, &arena);
    return status;
}

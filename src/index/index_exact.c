/*
 * index_exact.c - the exact answer out of the 8-bit copies
 *
 *     seed    an ordinary search: its k-th distance is a bar that the answer cannot fall behind
 *     scan    every copy -> the most that the row's score may be; below the bar it is done with
 *     doubt   the others -> the vectors themselves, as a flat scan compares them
 *
 * A copy is a quarter of a vector, so the answer of a flat scan comes at a quarter of its bytes. It is the same answer, to the bit and
 * in its order: what is returned was compared by the same sums, and what was dropped is farther for certain (copy_bound.h).
 *
 * 1,000,000 x 512, k = 10: between 10 and 1,000 rows are in doubt. Copies are read at 92 % of the rate of a loop that only reads them, by one
 * thread; without asking for those 16 rows ahead at 70 %.
 */
#include "index/internal.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "index/copy_bound.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>

enum { SEED_PARTITIONS = 64, PARTITIONS_A_TASK = 8, ROWS_AHEAD = 16, LINE = 64 };
#define SEED_ROWS 3.0f

typedef struct worker_state {
    pn_topk best;
    uint64_t n_copies, n_exact;
} worker_state;

typedef struct exact {
    const pn_index *x;
    const pn_index_query *q;
    const pn_kernels *kernels;
    size_t dim;
    pn_query16 rounded;
    pn_copy_bound bound;
    float bar; /* no row with a lower score is in the answer */
    worker_state *workers;
} exact;

static float bar_of(const exact *e, const worker_state *w)
{
    return w->best.n < w->best.k ? e->bar : PN_MAX(e->bar, 1.0f - w->best.heap[0].distance);
}

/* Both halves of a copy that is looked at ROWS_AHEAD rows later; behind the last one there may be anything: this does not fault. */
static PN_ALWAYS_INLINE void fetch_ahead(const pn_index *x, size_t position, size_t half)
{
    const uint8_t *upper = pn_index_upper_half(x, position + ROWS_AHEAD);
    const uint8_t *lower = pn_index_lower_half(x, upper);
    for (size_t i = 0; i < half; i += LINE) {
        PN_PREFETCH_FAR(upper + i);
        PN_PREFETCH_FAR(lower + i);
    }
}

/* Rows [first, end) of partition p, one after the other as they lie. */
static void scan_partition(const exact *e, worker_state *w, size_t p)
{
    const pn_index *x = e->x;
    const uint64_t *bits = e->q->mask ? e->q->mask->bits : NULL;
    const size_t half = pn_half_bytes(e->dim);
    const float step = e->rounded.step, scale = x->centroid_scales[p];
    const float product =
        (float)e->kernels->dot_i16_u8(&e->rounded.of, x->centroids + p * e->dim, e->dim) * step *
        scale;
    for (uint32_t at = x->starts[p]; at < x->starts[p + 1]; at++) {
        if (bits && (bits[at / 64] >> at % 64 & 1) == 0)
            continue;
        const uint8_t *upper = pn_index_upper_half(x, at), *lower = pn_index_lower_half(x, upper);
        fetch_ahead(x, at, half);
        float own = (float)e->kernels->dot_i16_halves(&e->rounded.of, upper, lower, half) * step;
        float high =
            product + own * x->scales[at] +
            pn_copy_bound_slack(&e->bound, pn_copy_bound_length(&e->bound, scale + x->scales[at]),
                                x->errors[at]);
        w->n_copies++;
        if (high < bar_of(e, w))
            continue;
        w->n_exact++;
        pn_topk_push(&w->best, 1.0f - pn_index_exact_score(x, e->q, at),
                     pn_index_row_addr(x, e->q->rows, at));
    }
}

static void scan_task(void *context, size_t task, unsigned worker)
{
    exact *e = context;
    const pn_index *x = e->x;
    size_t first = task * PARTITIONS_A_TASK;
    size_t end = PN_MIN(first + PARTITIONS_A_TASK, (size_t)x->facts.n_partitions);
    for (size_t p = first; p < end; p++) {
        if (e->q->cancel && atomic_load_explicit(e->q->cancel, memory_order_relaxed))
            return;
        if (!e->q->mask || e->q->mask->counts[x->facts.n_regions + p] > 0)
            scan_partition(e, &e->workers[worker], p);
    }
}

/* A bar to begin with: that of k rows that are good, whether they are the best or not. */
static pn_status find_bar(exact *e, pn_candidate *heap, size_t k, pn_error *err)
{
    pn_topk found;
    pn_index_stats stats;
    pn_index_query seed = *e->q;
    seed.effort =
        (pn_index_effort){.partitions = SEED_PARTITIONS, .rows = SEED_ROWS, .gap = INFINITY};
    pn_topk_init(&found, heap, k);
    PN_TRY(pn_index_search(e->x, &seed, &found, &stats, err));
    e->bar = found.n < k ? -INFINITY : 1.0f - heap[k - 1].distance;
    return PN_OK;
}

static pn_status prepare(exact *e, size_t k, unsigned n_workers, pn_arena *arena, pn_error *err)
{
    size_t n_kept;
    if (!pn_size_mul(n_workers, k, &n_kept))
        return pn_fail_nomem(err);
    e->workers = PN_ARENA_NEW(arena, worker_state, n_workers);
    pn_candidate *heaps = PN_ARENA_NEW(arena, pn_candidate, n_kept);
    if (!e->workers || !heaps)
        return pn_fail_nomem(err);
    PN_TRY(pn_index_round_query(e->q->vector, e->dim, arena, &e->rounded, err));
    e->bound = pn_copy_bound_of(e->q->vector, e->dim, &e->rounded);
    PN_TRY(find_bar(e, heaps, k, err));
    for (unsigned w = 0; w < n_workers; w++) {
        e->workers[w] = (worker_state){0};
        pn_topk_init(&e->workers[w].best, heaps + w * k, k);
    }
    return PN_OK;
}

pn_status pn_index_search_exact(const pn_index *index, const pn_index_query *query, pn_pool *pool,
                                pn_topk *topk, pn_index_stats *stats, pn_error *err)
{
    pn_arena arena;
    if (!index->copies)
        return pn_fail(err, PN_ERR_INVALID, "%s: an index without copies bounds no distance",
                       index->path);
    unsigned n_workers = pn_pool_threads(pool);
    exact e = {.x = index, .q = query, .kernels = pn_kernels_get(), .dim = index->facts.dim};
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = prepare(&e, topk->k, n_workers, &arena, err);
    if (status == PN_OK) {
        size_t n_tasks = (index->facts.n_partitions + PARTITIONS_A_TASK - 1) / PARTITIONS_A_TASK;
        pn_pool_for(pool, n_tasks, scan_task, &e);
        if (query->cancel && atomic_load(query->cancel))
            status = pn_fail(err, PN_ERR_CANCELLED, "the search was stopped");
    }
    if (status == PN_OK) {
        *stats = (pn_index_stats){.n_partitions = index->facts.n_partitions, .gap = -INFINITY};
        for (unsigned w = 0; w < n_workers; w++) {
            pn_topk_merge(topk, &e.workers[w].best);
            stats->n_scanned += e.workers[w].n_copies;
            stats->n_exact += e.workers[w].n_exact;
        }
        stats->n_refined = stats->n_scanned;
        pn_topk_sort(topk);
    }
    pn_arena_reset(&arena);
    return status;
}

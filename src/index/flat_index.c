/*
 * flat_index.c - every vector, once
 *
 * Runs are cut into tasks of 4,096 rows, handed to the pool; each worker keeps its own k best, and the merge of those is the
 * answer. Order is by (distance, address), which is total, so neither the cut nor the number of threads shows in the result.
 *
 * Within a task, blocks of 64 rows: a block without an allowed row is not read at all (a filter of 1 % skips half of them), a
 * full one is a matrix-vector product, and only rows that are allowed are pushed. Of a run with copies, vectors are read only of rows
 * whose copies leave it open whether they reach the bar.
 */
#include "index/flat_index.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "index/copy_bound.h"
#include "index/flat_copy.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>

enum { TASK_ROWS = 4096, BLOCK_ROWS = 64 };

typedef struct task {
    const pn_flat_run *run;
    uint32_t first, n; /* rows of the run */
} task;

typedef struct search {
    const task *tasks;
    const float *query;
    size_t dim;
    const _Atomic bool *cancel;
    pn_topk *best; /* one a worker */
    void (*dot_many)(float *, const float *, const float *, size_t, size_t);
    float (*norm)(const float *, size_t);
    int32_t (*dot_copy)(const pn_i16_vector *, const uint8_t *, size_t);
    float bar;          /* rows below may be left out */
    pn_query16 rounded; /* for copies */
    pn_copy_bound bound;
} search;

/* Bits of 64 rows from `row` of the fragment on, which need not be a multiple of 64. */
static uint64_t bits_at(const uint64_t *words, uint32_t row, size_t n)
{
    size_t word = row / 64, shift = row % 64;
    uint64_t bits = words[word] >> shift;
    if (shift > 0 && shift + n > 64)
        bits |= words[word + 1] << (64 - shift);
    return bits;
}

/* Dot products with a unit query into cosines. */
static bool divide_by_length(const search *s, const float *vectors, uint64_t wanted,
                             bool any_length, float *dots)
{
    bool all_units = true;
    for (uint64_t left = wanted; left != 0; left &= left - 1) {
        unsigned i = pn_lowest_bit(left);
        float divisor = pn_vector_divisor(s->norm(vectors + i * s->dim, s->dim), any_length);
        dots[i] /= divisor; /* by NaN: no direction to compare, and no answer */
        all_units &= divisor == 1;
    }
    return all_units;
}

/* Once all 64 rows of a block were seen to be unit vectors, nobody looks again; rows that are dots already, all or those wanted. */
static void divide_unless_units(const search *s, const pn_flat_run *run, uint32_t first,
                                uint64_t rows, bool is_whole, float *dots)
{
    _Atomic uint8_t *known = &run->units[first / BLOCK_ROWS];
    if (atomic_load_explicit(known, memory_order_relaxed) != 0)
        return;
    if (divide_by_length(s, run->vectors + (size_t)first * s->dim, rows, false, dots) && is_whole)
        atomic_store_explicit(known, 1, memory_order_relaxed);
}

/* Those of the rows that may reach the k-th score. */
static uint64_t by_copies(const search *s, const pn_flat_run *run, uint32_t first, uint64_t wanted,
                          const pn_topk *best)
{
    const pn_flat_copy *copy = run->copy;
    const float bar = best->n < best->k ? s->bar : PN_MAX(s->bar, 1.0f - best->heap[0].distance);
    if (bar == -INFINITY)
        return wanted;
    float from_centre = 0;
    uint64_t reaching = 0;
    s->dot_many(&from_centre, s->query, copy->centre, 1, s->dim);
    for (uint64_t left = wanted; left != 0; left &= left - 1) {
        unsigned i = pn_lowest_bit(left);
        size_t row = (size_t)first + i;
        float product = (float)s->dot_copy(&s->rounded.of, copy->bytes + row * s->dim, s->dim);
        float lengths = copy->centre_length + pn_copy_bound_length(&s->bound, copy->scales[row]);
        float high = from_centre + product * s->rounded.step * copy->scales[row] +
                     pn_copy_bound_slack(&s->bound, lengths, copy->errors[row]);
        reaching |= (uint64_t) !(high < bar) << i; /* NaN is for the vector to tell */
    }
    return reaching;
}

static void scan_block(const search *s, const pn_flat_run *run, uint32_t first, size_t n,
                       pn_topk *best)
{
    float dots[BLOCK_ROWS];
    uint32_t row = run->first_row + first;
    uint64_t all = n == 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1, wanted = all;
    if (run->allowed)
        wanted &= bits_at(run->allowed, row, n);
    if (run->deleted)
        wanted &= ~bits_at(run->deleted, row, n);
    if (run->copy)
        wanted = by_copies(s, run, first, wanted, best);
    if (wanted == 0)
        return;
    const float *vectors = run->vectors + (size_t)first * s->dim;
    bool is_whole = (size_t)pn_popcount64(wanted) * 4 >= n;
    if (is_whole) {
        s->dot_many(dots, s->query, vectors, n, s->dim);
    } else {
        for (uint64_t left = wanted; left != 0; left &= left - 1) {
            unsigned i = pn_lowest_bit(left);
            s->dot_many(&dots[i], s->query, vectors + i * s->dim, 1, s->dim);
        }
    }
    if (run->any_length)
        (void)divide_by_length(s, vectors, wanted, true, dots);
    else if (run->units)
        divide_unless_units(s, run, first, is_whole ? all : wanted, is_whole, dots);
    for (uint64_t left = wanted; left != 0; left &= left - 1) {
        unsigned i = pn_lowest_bit(left);
        pn_topk_push(best, 1.0f - dots[i], pn_row_addr_make(run->fragment_id, row + i));
    }
}

static void run_task(void *context, size_t i, unsigned worker)
{
    const search *s = context;
    const task *t = &s->tasks[i];
    if (s->cancel && atomic_load_explicit(s->cancel, memory_order_relaxed))
        return;
    for (uint32_t at = 0; at < t->n; at += BLOCK_ROWS)
        scan_block(s, t->run, t->first + at, PN_MIN((size_t)BLOCK_ROWS, (size_t)(t->n - at)),
                   &s->best[worker]);
}

static task *cut(const pn_flat_run *runs, size_t n_runs, size_t *n_tasks)
{
    size_t n = 0;
    for (size_t i = 0; i < n_runs; i++)
        n += runs[i].n_rows / TASK_ROWS + 1;
    task *tasks = pn_alloc_array(n + 1, sizeof *tasks);
    *n_tasks = 0;
    for (size_t i = 0; tasks && i < n_runs; i++)
        for (uint32_t first = 0; first < runs[i].n_rows; first += TASK_ROWS)
            tasks[(*n_tasks)++] =
                (task){&runs[i], first, PN_MIN((uint32_t)TASK_ROWS, runs[i].n_rows - first)};
    return tasks;
}

static pn_status round_query(search *s, const pn_flat_run *runs, size_t n_runs, pn_arena *arena,
                             pn_error *err)
{
    bool has_copies = false;
    for (size_t i = 0; i < n_runs; i++)
        has_copies |= runs[i].copy != NULL;
    if (!has_copies)
        return PN_OK;
    PN_TRY(pn_index_round_query(s->query, s->dim, arena, &s->rounded, err));
    s->bound = pn_copy_bound_of(s->query, s->dim, &s->rounded);
    return PN_OK;
}

pn_status pn_flat_search(const pn_flat_run *runs, size_t n_runs, const float *query, size_t dim,
                         float bar, pn_pool *pool, const _Atomic bool *cancel, pn_topk *topk,
                         pn_error *err)
{
    pn_status status = PN_OK;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    size_t n_tasks, n_workers = pn_pool_threads(pool), k = topk->k;
    task *tasks = cut(runs, n_runs, &n_tasks);
    pn_topk *best = pn_alloc_array(n_workers, sizeof *best);
    size_t n_kept;
    pn_candidate *kept =
        pn_size_mul(n_workers, k, &n_kept) ? pn_alloc_array(n_kept, sizeof *kept) : NULL;
    if (!tasks || !best || !kept)
        PN_GOTO(done, pn_fail_nomem(err));
    for (size_t i = 0; i < n_workers; i++)
        pn_topk_init(&best[i], kept + i * k, k);
    const pn_kernels *kernels = pn_kernels_get();
    search s = {.tasks = tasks,
                .query = query,
                .dim = dim,
                .cancel = cancel,
                .best = best,
                .dot_many = kernels->dot_many_f32,
                .norm = kernels->norm_f32,
                .dot_copy = kernels->dot_i16_u8,
                .bar = bar};
    PN_GOTO(done, round_query(&s, runs, n_runs, &arena, err));
    pn_pool_for(pool, n_tasks, run_task, &s);
    if (cancel && atomic_load(cancel))
        PN_GOTO(done, pn_fail(err, PN_ERR_CANCELLED, "the search was stopped"));
    for (size_t i = 0; i < n_workers; i++)
        pn_topk_merge(topk, &best[i]);
    pn_topk_sort(topk);
done:
    pn_arena_reset(&arena);
    pn_free(kept);
    pn_free(best);
    pn_free(tasks);
    return status;
}

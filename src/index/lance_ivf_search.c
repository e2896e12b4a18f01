/*
 * lance_ivf_search.c - from a query to rows, by a LanceDB index
 *
 *     centroids   the partitions nearest to the query come first
 *     codes       x is about c + codewords, so q . x is about q . c + a sum of table entries: the tables are the query's own, made once
 *     vectors     the best by code are compared by the table's vectors, in the order in which they lie
 *
 * LanceDB ranks by the distance of q - c to the codewords, for which it makes tables anew in every partition. The product
 * ranks unit vectors as well: a code stands for the mean of its rows, and the mean of their products with q is its product.
 *
 * Whether a row is there, not deleted and allowed is only asked of rows that would be kept.
 */
#include "index/lance_ivf_parts.h"

#include "base/alloc.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { BLOCK_ROWS = 256 };

/* ---- scores ---- */

pn_status pn_lance_tables_make(const pn_lance_ivf *ivf, const float *query, pn_arena *arena,
                               pn_lance_tables *out, pn_error *err)
{
    const pn_kernels *k = pn_kernels_get();
    size_t n = ivf->n_partitions;
    *out = (pn_lance_tables){.query = query,
                             .nearness = PN_ARENA_NEW(arena, float, n),
                             .base = PN_ARENA_NEW(arena, float, n),
                             .entries =
                                 PN_ARENA_NEW(arena, float, ivf->n_subs *PN_LANCE_PQ_ENTRIES + 1)};
    if (!out->nearness || !out->base || !out->entries)
        return pn_fail_nomem(err);
    k->dot_many_f32(out->nearness, query, ivf->centroids, n, ivf->dim);
    for (size_t i = 0; i < n; i++) {
        out->base[i] = ivf->metric == PN_LANCE_DOT ? 0 : out->nearness[i];
        out->nearness[i] += ivf->bias[i];
    }
    size_t width = ivf->n_subs > 0 ? ivf->dim / ivf->n_subs : 0;
    for (size_t m = 0; m < ivf->n_subs; m++)
        k->dot_many_f32(out->entries + m * PN_LANCE_PQ_ENTRIES, query + m * width,
                        ivf->codebook + m * PN_LANCE_PQ_ENTRIES * width, PN_LANCE_PQ_ENTRIES,
                        width);
    return PN_OK;
}

static void add_codes(const pn_lance_ivf *ivf, const pn_lance_tables *tables, size_t partition,
                      uint64_t first, size_t n, float *out)
{
    size_t n_rows = (size_t)(ivf->starts[partition + 1] - ivf->starts[partition]);
    const uint8_t *codes = ivf->codes + ivf->starts[partition] * ivf->n_subs + first;
    for (size_t i = 0; i < n; i++)
        out[i] = tables->base[partition];
    for (size_t m = 0; m < ivf->n_subs; m++) {
        const float *entries = tables->entries + m * PN_LANCE_PQ_ENTRIES;
        const uint8_t *code = codes + m * n_rows;
        for (size_t i = 0; i < n; i++)
            out[i] += entries[code[i]];
    }
}

static void multiply_vectors(const pn_lance_ivf *ivf, const pn_lance_tables *tables, uint64_t first,
                             size_t n, float *out)
{
    const pn_kernels *k = pn_kernels_get();
    for (size_t r = 0; r < ivf->n_runs && n > 0; r++) {
        const pn_lance_run *run = &ivf->runs[r];
        if (first >= run->first_row + run->n_rows)
            continue;
        size_t at = (size_t)(first - run->first_row);
        size_t here = PN_MIN(n, (size_t)run->n_rows - at);
        k->dot_many_f32(out, tables->query, run->vectors + at * ivf->dim, here, ivf->dim);
        out += here;
        first += here;
        n -= here;
    }
}

void pn_lance_scores(const pn_lance_ivf *ivf, const pn_lance_tables *tables, size_t partition,
                     uint64_t first, size_t n, float *out)
{
    if (ivf->is_flat)
        multiply_vectors(ivf, tables, ivf->starts[partition] + first, n, out);
    else
        add_codes(ivf, tables, partition, first, n, out);
}

/* ---- rows ---- */

static const pn_lance_fragment *find_fragment(const pn_lance_rows *rows, uint32_t id)
{
    size_t low = 0, high = rows->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (rows->fragments[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < rows->n && rows->fragments[low].id == id ? &rows->fragments[low] : NULL;
}

static const pn_flat_run *find_run(const pn_lance_fragment *fragment, uint32_t row)
{
    size_t low = 0, high = fragment->n_runs;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const pn_flat_run *run = &fragment->runs[mid];
        if (row < run->first_row)
            high = mid;
        else if (row - run->first_row < run->n_rows)
            return run;
        else
            low = mid + 1;
    }
    return NULL;
}

const float *pn_lance_vector_at(const pn_lance_rows *rows, size_t dim, pn_row_addr addr,
                                const pn_flat_run **run)
{
    uint32_t row = (uint32_t)addr;
    const pn_lance_fragment *fragment = find_fragment(rows, (uint32_t)(addr >> 32));
    *run = fragment ? find_run(fragment, row) : NULL;
    return *run ? (*run)->vectors + (size_t)(row - (*run)->first_row) * dim : NULL;
}

/* ---- the search ---- */

typedef struct search {
    const pn_lance_ivf *ivf;
    const pn_lance_query *query;
    const pn_kernels *kernels;
    pn_lance_tables tables;
    pn_topk partitions; /* all of them, nearest first */
    pn_topk best;       /* by code; distances are negative scores */
    pn_lance_stats stats;
} search;

/* The parts of a rowset are found again and again in the same fragment. */
typedef struct place {
    uint32_t id;
    bool is_known;
    const pn_lance_fragment *fragment; /* NULL: its rows are not searched */
    const uint64_t *allowed;           /* NULL: none, where there is a filter */
} place;

static void go_to(const search *s, uint32_t id, place *at)
{
    if (at->is_known && at->id == id)
        return;
    const pn_rowset_part *part = s->query->allowed ? pn_rowset_find(s->query->allowed, id) : NULL;
    *at = (place){id, true, find_fragment(s->query->rows, id), part ? part->words : NULL};
}

static bool may_be_returned(const search *s, pn_row_addr addr, place *at)
{
    uint32_t row = (uint32_t)addr;
    go_to(s, (uint32_t)(addr >> 32), at);
    if (!at->fragment || (s->query->allowed && !at->allowed))
        return false;
    if (at->allowed && !pn_word_bit_get(at->allowed, row))
        return false;
    const pn_flat_run *run = find_run(at->fragment, row);
    return run && !(run->deleted && pn_word_bit_get(run->deleted, row));
}

static void scan_partition(search *s, size_t p)
{
    float scores[BLOCK_ROWS] = {0};
    place at = {0};
    const pn_lance_ivf *ivf = s->ivf;
    uint64_t n = ivf->starts[p + 1] - ivf->starts[p];
    for (uint64_t first = 0; first < n; first += BLOCK_ROWS) {
        size_t block = (size_t)PN_MIN((uint64_t)BLOCK_ROWS, n - first);
        const uint64_t *ids = ivf->ids + ivf->starts[p] + first;
        pn_lance_scores(ivf, &s->tables, p, first, block, scores);
        for (size_t i = 0; i < block; i++) {
            pn_candidate c = {-scores[i], ids[i]};
            if (s->best.n == s->best.k && !pn_candidate_before(c, s->best.heap[0]))
                continue;
            if (may_be_returned(s, ids[i], &at))
                pn_topk_push(&s->best, c.distance, c.id);
        }
    }
    s->stats.n_scanned += n;
    s->stats.n_partitions++;
}

static int by_address(const void *a, const void *b)
{
    const pn_candidate *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void refine(search *s, pn_topk *topk)
{
    qsort(s->best.heap, s->best.n, sizeof *s->best.heap, by_address);
    for (size_t i = 0; i < s->best.n; i++) {
        const pn_flat_run *run;
        uint64_t addr = s->best.heap[i].id;
        const float *x = pn_lance_vector_at(s->query->rows, s->ivf->dim, addr, &run);
        pn_assert(x != NULL); // or it would not be among the best
        float dot = s->kernels->dot_f32(s->query->vector, x, s->ivf->dim);
        float length = s->kernels->norm_f32(x, s->ivf->dim);
        float score = dot / pn_vector_divisor(length, run->any_length);
        pn_topk_push(topk, 1.0f - score, addr); // as pn_flat_search() does, to the bit
    }
    s->stats.n_refined += s->best.n;
}

static pn_status begin(search *s, size_t k, pn_arena *arena, pn_error *err)
{
    size_t n = s->ivf->n_partitions;
    size_t n_best = (size_t)PN_MIN((uint64_t)PN_MAX(s->query->effort.refined, k), s->ivf->n_rows);
    pn_candidate *partitions = PN_ARENA_NEW(arena, pn_candidate, n);
    pn_candidate *best = PN_ARENA_NEW(arena, pn_candidate, n_best + 1);
    if (!partitions || !best)
        return pn_fail_nomem(err);
    PN_TRY(pn_lance_tables_make(s->ivf, s->query->vector, arena, &s->tables, err));
    pn_topk_init(&s->partitions, partitions, n);
    for (size_t i = 0; i < n; i++)
        pn_topk_push(&s->partitions, -s->tables.nearness[i], i);
    pn_topk_sort(&s->partitions);
    pn_topk_init(&s->best, best, n_best > 0 ? n_best : 1);
    return PN_OK;
}

static pn_status run(search *s, pn_topk *topk, pn_arena *arena, pn_error *err)
{
    const _Atomic bool *cancel = s->query->cancel;
    PN_TRY(begin(s, topk->k, arena, err));
    size_t enough = PN_MIN(topk->k, s->best.k);
    for (size_t i = 0; i < s->partitions.n; i++) {
        if (i >= s->query->effort.partitions && s->best.n >= enough)
            break;
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
            return pn_fail(err, PN_ERR_CANCELLED, "the search was stopped");
        scan_partition(s, s->partitions.heap[i].id);
    }
    refine(s, topk);
    return PN_OK;
}

pn_status pn_lance_ivf_search(const pn_lance_ivf *ivf, const pn_lance_query *query, pn_topk *topk,
                              pn_lance_stats *stats, pn_error *err)
{
    pn_arena arena;
    search s = {.ivf = ivf, .query = query, .kernels = pn_kernels_get()};
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = run(&s, topk, &arena, err);
    pn_arena_reset(&arena);
    PN_TRY(status);
    pn_topk_sort(topk);
    *stats = s.stats;
    return PN_OK;
}

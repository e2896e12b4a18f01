/*
 * index_refine.c - from rows that codes found to rows whose scores are known
 *
 *     found, best first
 *       upper half of the copy, 4 bits a value     -> the score within limits; below the bar it is done with
 *       lower half                                 -> the score within a twentieth of those
 *     what may be among the k nearest by its limits -> the vectors themselves
 *
 * A row costs what its bytes cost to fetch from memory, 6 ns for 64 of them however they are asked for; the arithmetic is done
 * meanwhile. So the fewer bytes the better. Rows wait until the walk is over: then the best come first and set the bar, and most of the
 * others are never looked at, by codes that were near enough to the bar of their time. And the upper half of a copy alone decides of
 * nine rows in ten.
 *
 * What rows are next is known, so they are fetched while those before them are looked at: into the second-level cache, which waits
 * for more lines at once than the first does (22 ns for 256 bytes, instead of 30), one row for every row that is looked at.
 */
#include "index/index_refine.h"

#include <math.h>
#include <string.h>

enum { ROWS_AHEAD = 16, DOUBTS = 8, STEPS = 256, LINE = 64, VECTORS_AHEAD = 6 };
#define COPY_ERRORS 4.0f /* standard deviations between a copy's score and its limits */
#define HALF_ERRORS                                                                                \
    3.5f /* and that of its upper half, in most of the rows for which this is wrong codes were, too */
#define SUM_ERROR 1e-5f /* of the sums themselves, where limits have to hold for certain */
#define HALF_STEP 4.61f /* standard deviation of 0 to 15, which the lower half is, in scales */
#define MIDDLE 120.5f   /* a byte is 16 * its upper half - 128 + 7.5, give or take */

/* ---- the query in the forms it is needed in */

pn_status pn_index_round_query(const float *query, size_t dim, pn_arena *arena, pn_query16 *out,
                               pn_error *err)
{
    const size_t n = 2 * pn_half_bytes(dim);
    int16_t *values = PN_ARENA_NEW(arena, int16_t, n);
    int8_t *high = PN_ARENA_NEW(arena, int8_t, n), *low = PN_ARENA_NEW(arena, int8_t, n);
    if (!values || !high || !low)
        return pn_fail_nomem(err);
    float most = 0, lost = 0;
    for (size_t d = 0; d < dim; d++)
        most = PN_MAX(most, fabsf(query[d]));
    const float limit = (float)pn_i16_limit(n), step = most > 0 ? most / limit : 1,
                factor = 1 / step;
    int32_t sum = 0, high_sum = 0;
    for (size_t d = 0; d < dim; d++) {
        int32_t value = pn_round_to_int(PN_MAX(PN_MIN(query[d] * factor, limit), -limit));
        int32_t upper = (value + 128) >> 8;
        float missing = query[d] - step * (float)value;
        values[d] = (int16_t)value;
        high[d] = (int8_t)upper;
        low[d] = (int8_t)(value - 256 * upper);
        lost += missing * missing;
        sum += value;
        high_sum += upper;
    }
    *out = (pn_query16){{values, high, low, sum, high_sum}, step, sqrtf(lost)};
    return PN_OK;
}

/*
 * Errors of a copy point anywhere, so a query's product with one is its length over the root of dim, give or take. When everything is
 * looked at (rows' effort without end) limits are certain instead: the product is at most the length, and rounding the query adds
 * at most what it took from it, times the lengths of a centroid (1) and a residual (2). Half a copy says nothing for certain.
 */
static void choose_margins(pn_refiner *r)
{
    float root = sqrtf((float)r->dim);
    r->is_certain = !isfinite(r->q->effort.rows);
    r->margin = r->is_certain ? 1 : PN_MIN(COPY_ERRORS / root, 1.0f);
    r->certain = r->is_certain ? 3 * r->query.lost + SUM_ERROR : 0;
    r->coarse = PN_MIN(HALF_ERRORS * HALF_STEP, 8 * root);
}

pn_status pn_refiner_init(pn_refiner *r, const pn_index *index, const pn_index_query *query,
                          size_t k, pn_arena *arena, pn_error *err)
{
    const pn_index_bar none = {-INFINITY, -INFINITY};
    *r = (pn_refiner){.x = index,
                      .q = query,
                      .bar = query->bar ? *query->bar : none,
                      .kernels = pn_kernels_get(),
                      .dim = index->facts.dim,
                      .half = pn_half_bytes(index->facts.dim),
                      .arena = arena};
    pn_candidate *best = PN_ARENA_NEW(arena, pn_candidate, k);
    pn_candidate *codes = PN_ARENA_NEW(arena, pn_candidate, k);
    if (!best || !codes)
        return pn_fail_nomem(err);
    pn_topk_init(&r->best, best, k);
    pn_topk_init(&r->codes, codes, k);
    PN_TRY(pn_index_round_query(query->vector, r->dim, arena, &r->query, err));
    choose_margins(r);
    return PN_OK;
}

/* ---- memory */

static void *grown(pn_arena *arena, const void *old, size_t used_bytes, size_t bytes)
{
    void *bigger = pn_arena_alloc(arena, bytes);
    if (bigger && used_bytes > 0)
        memcpy(bigger, old, used_bytes);
    return bigger;
}

/* Sizes are at most a few times the rows of the index, whose copies alone are larger. */
pn_status pn_refiner_reserve(pn_refiner *r, size_t more, pn_error *err)
{
    size_t wanted = r->n_found + more;
    if (wanted > r->capacity) {
        size_t bytes = 2 * wanted * sizeof *r->found;
        pn_found_row *found = grown(r->arena, r->found, r->n_found * sizeof *found, bytes);
        pn_found_row *ordered = pn_arena_alloc(r->arena, bytes);
        if (!found || !ordered)
            return pn_fail_nomem(err);
        r->found = found;
        r->ordered = ordered;
        r->capacity = 2 * wanted;
    }
    wanted += r->n_refined;
    if (wanted > r->refined_capacity) {
        pn_refined_row *refined = grown(r->arena, r->refined, r->n_refined * sizeof *refined,
                                        2 * wanted * sizeof *refined);
        if (!refined)
            return pn_fail_nomem(err);
        r->refined = refined;
        r->refined_capacity = 2 * wanted;
    }
    return PN_OK;
}

/* ---- scores */

float pn_index_exact_score(const pn_index *x, const pn_index_query *q, uint32_t position)
{
    const pn_kernels *kernels = pn_kernels_get();
    const size_t dim = x->facts.dim;
    const float *vector = pn_vector_rows_at(q->rows, x->order[position]);
    float product = kernels->dot_f32(q->vector, vector, dim);
    return product / pn_vector_divisor(kernels->norm_f32(vector, dim), q->rows->any_length);
}

uint64_t pn_index_row_addr(const pn_index *x, const pn_vector_rows *rows, uint32_t position)
{
    return pn_vector_rows_addr(rows, x->order[position]);
}

static PN_ALWAYS_INLINE void prefetch(const void *at, size_t n)
{
    for (size_t i = 0; i < n; i += LINE)
        PN_PREFETCH_FAR((const char *)at + i);
}

static PN_ALWAYS_INLINE void prefetch_vector(const pn_refiner *r, uint32_t position)
{
    prefetch(pn_vector_rows_at(r->q->rows, r->x->order[position]), r->dim * sizeof(float));
}

static PN_ALWAYS_INLINE void prefetch_upper(const pn_refiner *r, uint32_t position)
{
    prefetch(pn_index_upper_half(r->x, position), r->half);
    PN_PREFETCH_FAR(r->x->scales + position);
}

static PN_ALWAYS_INLINE void prefetch_lower(const pn_refiner *r, uint32_t position)
{
    prefetch(pn_index_lower_half(r->x, pn_index_upper_half(r->x, position)), r->half);
    PN_PREFETCH_FAR(r->x->errors + position);
}

/* Is the row in doubt, by the upper half of its copy? */
static bool is_in_doubt(const pn_refiner *r, const pn_found_row *row, float bar)
{
    float scale = r->x->scales[row->position];
    int32_t halves =
        r->kernels->dot_i8_u4(r->query.of.high, pn_index_upper_half(r->x, row->position), r->half);
    float product = 16 * (float)halves - MIDDLE * (float)r->query.of.high_sum;
    float score = row->product + product * 256 * r->query.step * scale;
    return !(score + r->coarse * scale < bar);
}

static void keep(pn_refiner *r, uint32_t position, float low, float high)
{
    if (high < pn_refiner_bar(r))
        return;
    PN_PREFETCH_FAR(r->x->order + position); /* it leads to the vector */
    r->refined[r->n_refined++] = (pn_refined_row){position, high};
    pn_topk_push(&r->best, -low, position);
}

static void look_at_copy(pn_refiner *r, const pn_found_row *row)
{
    const pn_index *x = r->x;
    const uint8_t *upper = pn_index_upper_half(x, row->position);
    int32_t product =
        r->kernels->dot_i16_halves(&r->query.of, upper, pn_index_lower_half(x, upper), r->half);
    float score = row->product + (float)product * r->query.step * x->scales[row->position];
    float error = r->margin * x->errors[row->position] + r->certain;
    keep(r, row->position, score - error, score + error);
}

/* Upper halves, one after the other; those in doubt wait until their lower halves have come. */
static void look_at_copies(pn_refiner *r, const pn_found_row *rows, size_t n)
{
    const pn_found_row *waiting[DOUBTS];
    size_t n_doubts = 0, n_done = 0;
    for (size_t i = 0; i < PN_MIN(n, (size_t)ROWS_AHEAD); i++)
        prefetch_upper(r, rows[i].position);
    for (size_t i = 0; i < n; i++) {
        if (i + ROWS_AHEAD < n)
            prefetch_upper(r, rows[i + ROWS_AHEAD].position);
        if (!r->is_certain && !is_in_doubt(r, &rows[i], pn_refiner_bar(r)))
            continue;
        prefetch_lower(r, rows[i].position);
        if (n_doubts - n_done == DOUBTS)
            look_at_copy(r, waiting[n_done++ % DOUBTS]);
        waiting[n_doubts++ % DOUBTS] = &rows[i];
    }
    while (n_done < n_doubts)
        look_at_copy(r, waiting[n_done++ % DOUBTS]);
}

/* Without copies there are only the vectors. */
static void look_at_vectors(pn_refiner *r, const pn_found_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i + VECTORS_AHEAD < n)
            prefetch_vector(r, rows[i + VECTORS_AHEAD].position);
        float score = pn_index_exact_score(r->x, r->q, rows[i].position);
        keep(r, rows[i].position, score, score);
    }
}

/* ---- the order */

/* Those found that reach the bar of codes, into ordered, best first but for what is alike within a step; returns how many. */
static size_t order(pn_refiner *r)
{
    const float bar = pn_refiner_codes_bar(r);
    size_t n = 0, starts[STEPS + 1] = {0};
    float best = -INFINITY, least = INFINITY;
    for (size_t i = 0; i < r->n_found; i++) {
        pn_found_row row = r->found[i];
        if (row.most < bar)
            continue;
        best = PN_MAX(best, row.most);
        least = PN_MIN(least, row.most);
        r->found[n++] = row;
    }
    r->n_found = n;
    /* nothing to choose where everything is looked at, however little of it codes promise */
    float factor = isfinite(best) && best > least ? (float)(STEPS - 1) / (best - least) : 0;
    for (size_t i = 0; i < n; i++)
        starts[1 + pn_clamp_step((best - r->found[i].most) * factor, STEPS)]++;
    for (size_t i = 0; i < STEPS; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < n; i++) {
        size_t step = pn_clamp_step((best - r->found[i].most) * factor, STEPS);
        r->ordered[starts[step]++] = r->found[i];
    }
    return n;
}

void pn_refiner_look(pn_refiner *r)
{
    const size_t n = order(r);
    r->n_looked_at += n;
    r->n_found = 0;
    if (r->x->copies)
        look_at_copies(r, r->ordered, n);
    else
        look_at_vectors(r, r->ordered, n);
}

/* ---- the end */

size_t pn_refiner_finish(pn_refiner *r, pn_topk *topk)
{
    const float least = pn_refiner_bar(r);
    size_t n = 0;
    for (size_t i = 0; i < r->n_refined; i++)
        if (r->refined[i].high >= least)
            r->refined[n++] = r->refined[i];
    for (size_t i = 0; i < PN_MIN(n, (size_t)VECTORS_AHEAD); i++)
        prefetch_vector(r, r->refined[i].position);
    for (size_t i = 0; i < n; i++) {
        if (i + VECTORS_AHEAD < n)
            prefetch_vector(r, r->refined[i + VECTORS_AHEAD].position);
        uint32_t position = r->refined[i].position;
        pn_topk_push(topk, 1.0f - pn_index_exact_score(r->x, r->q, position),
                     pn_index_row_addr(r->x, r->q->rows, position));
    }
    pn_topk_sort(topk);
    return n;
}

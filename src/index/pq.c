/*
 * pq.c - product quantization of residuals, fitted to the queries
 *
 *     moment of queries  -> L              Cholesky
 *     residuals          -> L^T S L -> V   their second moment, turned; its principal axes, greatest variance first
 *     variances          -> groups         reverse water-filling: log2 of what an axis varies over the water, until 4 bits are full
 *     each group         -> 16 codewords   k-means, one group a task
 *
 * All but the codewords is in double: V L^T and V L^-1 are applied to every row and every query, and errors of theirs would be
 * errors of all. Two sets of codes of 512 dimensions take 2 s of two cores, most of it the k-means over 32,768 residuals.
 */
#include "index/pq.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "index/eigen.h"
#include "index/kmeans.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* How much of the identity joins the moment of the queries: directions that the sample has not seen count a little. */
#define RIDGE 0.05

/* ---- axes */

static double trace(const double *m, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += m[i * n + i];
    return sum;
}

/* L of moment / trace + ridge; always positive definite. */
static void factor_moment(const double *moment, size_t n, double *l)
{
    double all = trace(moment, n);
    for (size_t i = 0; i < n * n; i++)
        l[i] = all > 0 ? moment[i] / all * (1 - RIDGE) : 0;
    for (size_t i = 0; i < n; i++)
        l[i * n + i] += (all > 0 ? RIDGE : 1) / (double)n;
    bool positive = pn_cholesky(l, n);
    pn_assert(positive);
}

/* By products of tiles: rows^T rows / n. */
pn_status pn_second_moment(const float *rows, size_t n, size_t dim, double *out, pn_error *err)
{
    enum { TILE = 512 };
    const pn_kernels *kernels = pn_kernels_get();
    size_t panels = pn_gemm_panels(dim);
    float *packed = pn_alloc_array(panels * PN_GEMM_PANEL * TILE, sizeof *packed);
    float *turned = pn_alloc_array(dim * TILE, sizeof *turned);
    float *sum = pn_alloc_array(dim * dim, sizeof *sum);
    if (!packed || !turned || !sum) {
        pn_free(packed);
        pn_free(turned);
        pn_free(sum);
        return pn_fail_nomem(err);
    }
    memset(out, 0, dim * dim * sizeof *out);
    for (size_t first = 0; first < n; first += TILE) {
        size_t m = PN_MIN(n - first, (size_t)TILE);
        const float *tile = rows + first * dim;
        for (size_t r = 0; r < m; r++)
            for (size_t d = 0; d < dim; d++)
                turned[d * m + r] = tile[r * dim + d];
        kernels->gemm_pack(packed, tile, dim, m, 1, dim);
        pn_gemm gemm = {.c = sum,
                        .ldc = dim,
                        .a = turned,
                        .lda = m,
                        .w = {.packed = packed},
                        .m = dim,
                        .n = dim,
                        .k = m};
        kernels->gemm_f32(&gemm, 0, panels);
        for (size_t i = 0; i < dim * dim; i++)
            out[i] += (double)sum[i] / (double)n;
    }
    pn_free(packed);
    pn_free(turned);
    pn_free(sum);
    return PN_OK;
}

/* out = L^T s L, for a lower triangle L. */
static void sandwich(const double *l, const double *s, size_t n, double *scratch, double *out)
{
    memset(scratch, 0, n * n * sizeof *scratch);
    for (size_t i = 0; i < n; i++) /* scratch = s L */
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j <= k; j++)
                scratch[i * n + j] += s[i * n + k] * l[k * n + j];
    memset(out, 0, n * n * sizeof *out);
    for (size_t k = 0; k < n; k++) /* out = L^T scratch */
        for (size_t i = 0; i <= k; i++)
            for (size_t j = 0; j < n; j++)
                out[i * n + j] += l[k * n + i] * scratch[k * n + j];
}

/* encode = v L^T (a row of v with L^T), query = v L^-1: row by row. */
static void axes_of(const double *v, const double *l, size_t n, size_t axis, float *encode,
                    float *query)
{
    const double *row = v + axis * n;
    pn_assert(n <= PN_INDEX_MAX_DIM);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t k = 0; k <= i; k++)
            sum += row[k] * l[i * n + k];
        encode[i] = (float)sum;
    }
    /* q . r = t . y with t = V^T L^-1 q: the row of v times L^-1, i.e. x L = row, solved from the end along rows of L. */
    double x[PN_INDEX_MAX_DIM];
    memcpy(x, row, n * sizeof *x);
    for (size_t j = n; j-- > 0;) {
        x[j] /= l[j * n + j];
        for (size_t k = 0; k < j; k++)
            x[k] -= x[j] * l[j * n + k];
    }
    for (size_t i = 0; i < n; i++)
        query[i] = (float)x[i];
}

/* ---- groups */

/* log2 of the levels an axis is worth when everything above `water` is coded. */
static double bits_of(double variance, double water)
{
    return variance > water ? 0.5 * log2(variance / water) : 0;
}

static double find_water(const double *variance, size_t n, double bits)
{
    double low = variance[0] * 1e-12, high = variance[0];
    for (int turn = 0; turn < 100; turn++) {
        double water = sqrt(low * high), sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += bits_of(variance[i], water);
        if (sum > bits)
            low = water;
        else
            high = water;
    }
    return high;
}

/* Cut the axes into n_groups groups of about four bits. starts [n_groups + 1]; returns the number of axes used. */
static size_t cut_groups(const double *variance, size_t dim, size_t n_groups, uint32_t *starts)
{
    double water = variance[0] > 0 ? find_water(variance, dim, 4.0 * (double)n_groups) : 0;
    double bits = 0;
    size_t axis = 0;
    for (size_t g = 0; g < n_groups; g++) {
        starts[g] = (uint32_t)axis;
        size_t width = 0, others = n_groups - g - 1;
        while (axis < dim && width < PN_PQ_MAX_GROUP && (width == 0 || bits < 4) &&
               dim - axis > others) {
            bits += bits_of(variance[axis++], water);
            width++;
        }
        bits = bits > 4 ? bits - 4 : 0;
    }
    starts[n_groups] = (uint32_t)axis;
    return axis;
}

typedef struct trainer {
    const pn_pq_training *t;
    pn_pq pq;
    double *l, *moment, *scratch, *values, *vectors;
    float *projected, *packed;
    float *codewords, *bias; /* of pq, while they are made */
    uint8_t *codes;
    _Atomic int failed; /* a pn_status out of a task */
} trainer;

static pn_status train_group(trainer *t, size_t group)
{
    const size_t n = t->t->n, first = t->pq.group_starts[group];
    const size_t width = t->pq.group_starts[group + 1] - first;
    float centroids[PN_PQ_ENTRIES * PN_PQ_MAX_GROUP];
    float *codewords = t->codewords + first * PN_PQ_ENTRIES,
          *bias = t->bias + group * PN_PQ_ENTRIES;
    float *points = pn_alloc_array(n * width + 1, sizeof *points);
    if (!points)
        return PN_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        memcpy(points + i * width, t->projected + i * t->pq.n_axes + first, width * sizeof *points);
    pn_kmeans_options options = {
        .dim = width, .k = PN_PQ_ENTRIES, .iterations = 16, .seed = t->t->seed + first};
    pn_status status = pn_kmeans(points, n, &options, centroids, NULL);
    for (size_t c = 0; status == PN_OK && c < PN_PQ_ENTRIES; c++) {
        bias[c] = 0;
        for (size_t d = 0; d < width; d++) {
            float x = centroids[c * width + d];
            codewords[d * PN_PQ_ENTRIES + c] = x;
            bias[c] -= 0.5f * x * x;
        }
    }
    pn_free(points);
    return status;
}

static void train_group_task(void *context, size_t group, unsigned worker)
{
    trainer *t = context;
    (void)worker;
    pn_status status = train_group(t, group);
    if (status != PN_OK)
        atomic_store(&t->failed, (int)status);
}

/* Mean squared error of every axis after coding. */
static void measure_loss(const pn_pq *pq, const float *projected, size_t n, const uint8_t *codes,
                         float *loss)
{
    for (size_t g = 0; g < pq->n_groups; g++)
        for (size_t axis = pq->group_starts[g]; axis < pq->group_starts[g + 1]; axis++) {
            double sum = 0;
            for (size_t i = 0; i < n; i++) {
                double d =
                    (double)projected[i * pq->n_axes + axis] -
                    (double)pq->codewords[axis * PN_PQ_ENTRIES + codes[i * pq->n_groups + g]];
                sum += d * d;
            }
            loss[axis] = (float)(sum / (double)n);
        }
}

static void free_trainer(trainer *t)
{
    pn_free(t->l);
    pn_free(t->moment);
    pn_free(t->scratch);
    pn_free(t->values);
    pn_free(t->vectors);
    pn_free(t->projected);
    pn_free(t->packed);
    pn_free(t->codes);
}

/* V and the variances along it, then encode and query of the axes that get codes. */
static pn_status find_axes(trainer *t, pn_arena *arena, pn_error *err)
{
    const size_t dim = t->t->dim, n_groups = t->t->n_groups;
    factor_moment(t->t->moment, dim, t->l);
    PN_TRY(pn_second_moment(t->t->residuals, t->t->n, dim, t->moment, err));
    sandwich(t->l, t->moment, dim, t->scratch, t->vectors);
    memcpy(t->moment, t->vectors, dim * dim * sizeof *t->moment);
    PN_TRY(pn_eigen_symmetric(t->moment, dim, t->values, t->vectors, err));
    for (size_t a = 0; a < dim; a++)
        t->values[a] = PN_MAX(t->values[a], 0.0);
    uint32_t *starts = PN_ARENA_NEW(arena, uint32_t, n_groups + 1);
    if (!starts)
        return pn_fail_nomem(err);
    size_t n_axes = cut_groups(t->values, dim, n_groups, starts);
    float *encode = PN_ARENA_NEW(arena, float, n_axes *dim);
    float *query = PN_ARENA_NEW(arena, float, n_axes *dim);
    float *spread = PN_ARENA_NEW(arena, float, n_axes);
    if (!encode || !query || !spread)
        return pn_fail_nomem(err);
    for (size_t a = 0; a < n_axes; a++) {
        axes_of(t->vectors, t->l, dim, a, encode + a * dim, query + a * dim);
        spread[a] = (float)t->values[a];
    }
    double tail = 0;
    for (size_t a = n_axes; a < dim; a++)
        tail += t->values[a];
    /* queries have the variance 1 along every axis, by the choice of L: so the tail is that of q . r */
    t->pq = (pn_pq){.dim = dim,
                    .n_axes = n_axes,
                    .n_groups = n_groups,
                    .group_starts = starts,
                    .encode = encode,
                    .query = query,
                    .spread = spread,
                    .tail = (float)tail};
    return PN_OK;
}

static void project(const pn_pq *pq, const float *packed, const float *rows, size_t n, float *out)
{
    pn_gemm gemm = {.c = out,
                    .ldc = pq->n_axes,
                    .a = rows,
                    .lda = pq->dim,
                    .w = {.packed = packed},
                    .m = n,
                    .n = pq->n_axes,
                    .k = pq->dim};
    pn_kernels_get()->gemm_f32(&gemm, 0, pn_gemm_panels(pq->n_axes));
}

static void encode_projected(const pn_pq *pq, const float *projected, size_t n, uint8_t *codes)
{
    enum { TILE = 256 };
    const pn_kernels *kernels = pn_kernels_get();
    uint8_t column[TILE];
    for (size_t first = 0; first < n; first += TILE) {
        size_t m = PN_MIN(n - first, (size_t)TILE);
        for (size_t g = 0; g < pq->n_groups; g++) {
            size_t axis = pq->group_starts[g], width = pq->group_starts[g + 1] - axis;
            kernels->nearest_of_16(column, pq->codewords + axis * PN_PQ_ENTRIES,
                                   pq->bias + g * PN_PQ_ENTRIES,
                                   projected + first * pq->n_axes + axis, pq->n_axes, m, width);
            for (size_t i = 0; i < m; i++)
                codes[(first + i) * pq->n_groups + g] = column[i];
        }
    }
}

static pn_status find_codewords(trainer *t, pn_arena *arena, pn_error *err)
{
    pn_pq *pq = &t->pq;
    size_t n = t->t->n;
    t->codewords = PN_ARENA_NEW(arena, float, pq->n_axes *PN_PQ_ENTRIES);
    t->bias = PN_ARENA_NEW(arena, float, pq->n_groups *PN_PQ_ENTRIES);
    float *loss = PN_ARENA_NEW(arena, float, pq->n_axes);
    t->packed = pn_alloc_array(pn_gemm_panels(pq->n_axes) * PN_GEMM_PANEL * pq->dim, sizeof(float));
    t->projected = pn_alloc_array(n * pq->n_axes, sizeof *t->projected);
    t->codes = pn_alloc_array(n, pq->n_groups);
    if (!t->codewords || !t->bias || !loss || !t->packed || !t->projected || !t->codes)
        return pn_fail_nomem(err);
    pn_kernels_get()->gemm_pack(t->packed, pq->encode, pq->n_axes, pq->dim, pq->dim, 1);
    project(pq, t->packed, t->t->residuals, n, t->projected);
    pn_pool_for(t->t->pool, pq->n_groups, train_group_task, t);
    if (atomic_load(&t->failed))
        return pn_fail_nomem(err); /* nothing else can happen to a k-means that nobody stops */
    pq->codewords = t->codewords;
    pq->bias = t->bias;
    encode_projected(pq, t->projected, n, t->codes);
    measure_loss(pq, t->projected, n, t->codes, loss);
    pq->loss = loss;
    return PN_OK;
}

pn_status pn_pq_train(const pn_pq_training *training, pn_arena *arena, pn_pq *out, pn_error *err)
{
    pn_status status = PN_OK;
    size_t dim = training->dim;
    trainer t = {.t = training,
                 .l = pn_alloc_array(dim * dim, sizeof(double)),
                 .moment = pn_alloc_array(dim * dim, sizeof(double)),
                 .scratch = pn_alloc_array(dim * dim, sizeof(double)),
                 .values = pn_alloc_array(dim, sizeof(double)),
                 .vectors = pn_alloc_array(dim * dim, sizeof(double))};
    if (!t.l || !t.moment || !t.scratch || !t.values || !t.vectors)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, find_axes(&t, arena, err));
    PN_GOTO(done, find_codewords(&t, arena, err));
    *out = t.pq;
done:
    free_trainer(&t);
    return status;
}

static void measure_spread(const pn_pq *pq, const float *projected, size_t n, float *spread)
{
    for (size_t a = 0; a < pq->n_axes; a++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)projected[i * pq->n_axes + a] * (double)projected[i * pq->n_axes + a];
        spread[a] = (float)(sum / (double)n);
    }
}

pn_status pn_pq_adapt(const pn_pq *pq, const float *packed, const float *residuals, size_t n,
                      float tail_scale, pn_arena *arena, pn_pq *out, pn_error *err)
{
    float *projected = pn_alloc_array(n * pq->n_axes, sizeof *projected);
    uint8_t *codes = pn_alloc_array(n, pq->n_groups);
    float *spread = PN_ARENA_NEW(arena, float, pq->n_axes);
    float *loss = PN_ARENA_NEW(arena, float, pq->n_axes);
    pn_status status = projected && codes && spread && loss ? PN_OK : pn_fail_nomem(err);
    if (status == PN_OK) {
        pn_pq_encode(pq, packed, residuals, n, projected, codes);
        measure_spread(pq, projected, n, spread);
        measure_loss(pq, projected, n, codes, loss);
        *out = *pq;
        out->spread = spread;
        out->loss = loss;
        out->tail = pq->tail * tail_scale;
    }
    pn_free(projected);
    pn_free(codes);
    return status;
}

void pn_pq_encode(const pn_pq *pq, const float *packed, const float *residuals, size_t n,
                  float *scratch, uint8_t *codes)
{
    project(pq, packed, residuals, n, scratch);
    encode_projected(pq, scratch, n, codes);
}

void pn_pq_measure(const pn_pq *pq, const float *projected, const uint8_t *codes, size_t n,
                   double *energy, double *loss)
{
    double energies = 0, losses = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t g = 0; g < pq->n_groups; g++) {
            size_t code = codes[i * pq->n_groups + g];
            for (size_t a = pq->group_starts[g]; a < pq->group_starts[g + 1]; a++) {
                double y = (double)projected[i * pq->n_axes + a];
                double d = y - (double)pq->codewords[a * PN_PQ_ENTRIES + code];
                energies += y * y;
                losses += d * d;
            }
        }
    *energy = n > 0 ? energies / (double)n : 0;
    *loss = n > 0 ? losses / (double)n : 0;
}

void pn_pq_turn(const pn_pq *pq, const float *packed, const float *vectors, size_t n, float *out)
{
    project(pq, packed, vectors, n, out);
}

void pn_pq_decoded_products(const pn_pq *pq, const float *turned, size_t stride,
                            const uint8_t *codes, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        const float *t = turned + i * stride;
        const uint8_t *code = codes + i * pq->n_groups;
        float sum = 0;
        for (size_t g = 0; g < pq->n_groups; g++)
            for (size_t a = pq->group_starts[g]; a < pq->group_starts[g + 1]; a++)
                sum += t[a] * pq->codewords[a * PN_PQ_ENTRIES + code[g]];
        out[i] = sum;
    }
}

/* ---- queries */

static void float_tables(const pn_pq *pq, const float *turned, float *tables, float *least,
                         float *widest)
{
    *least = 0;
    *widest = 0;
    for (size_t g = 0; g < pq->n_groups; g++) {
        float *entry = tables + g * PN_PQ_ENTRIES;
        memset(entry, 0, PN_PQ_ENTRIES * sizeof *entry);
        for (size_t a = pq->group_starts[g]; a < pq->group_starts[g + 1]; a++)
            for (size_t c = 0; c < PN_PQ_ENTRIES; c++)
                entry[c] += turned[a] * pq->codewords[a * PN_PQ_ENTRIES + c];
        float low = entry[0], high = entry[0];
        for (size_t c = 1; c < PN_PQ_ENTRIES; c++) {
            low = PN_MIN(low, entry[c]);
            high = PN_MAX(high, entry[c]);
        }
        for (size_t c = 0; c < PN_PQ_ENTRIES; c++)
            entry[c] -= low;
        *least += low;
        *widest = PN_MAX(*widest, high - low);
    }
}

/* Codewords out of a damaged file may be anything, NaN as well. */
static uint8_t to_entry(float x)
{
    return x > 0 ? (uint8_t)PN_MIN(x, (float)PN_CODE_MAX_ENTRY) : 0;
}

void pn_pq_turn_query(const pn_pq *pq, const float *query, float *turned)
{
    pn_kernels_get()->dot_many_f32(turned, query, pq->query, pq->n_axes, pq->dim);
}

void pn_pq_tables_make(const pn_pq *pq, const float *turned, const float *turned_mean,
                       float *scratch, pn_pq_tables *tables)
{
    float *less = scratch, *entries = scratch + pq->n_axes;
    float widest;
    double spread = (double)pq->tail, loss = spread;
    for (size_t a = 0; a < pq->n_axes; a++) {
        spread += (double)turned[a] * (double)turned[a] * (double)pq->spread[a];
        less[a] = turned[a] - turned_mean[a];
        loss += (double)less[a] * (double)less[a] * (double)pq->loss[a];
    }
    tables->spread = (float)sqrt(spread);
    tables->loss = (float)sqrt(loss);
    float_tables(pq, less, entries, &tables->low, &widest);
    tables->step = widest > 0 ? widest / PN_CODE_MAX_ENTRY : 1;
    const float factor = 1 / tables->step;
    for (size_t i = 0; i < pq->n_groups * PN_PQ_ENTRIES; i++)
        tables->entries[i] = to_entry(entries[i] * factor + 0.5f);
}

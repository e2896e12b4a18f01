/*
 * index_partition.c - finding the partitions, and every row's
 *
 *     sample        64 rows a partition
 *       regions     k-means of a part of the sample: the root of the number of partitions
 *       partitions  k-means inside every region, as many as its share of the sample
 *     all rows      nearest partition of the four nearest regions
 *
 * Two levels make training and assignment cost the root of what one level costs: at three million rows and 6,928
 * partitions a row is compared with 415 centroids instead of 6,928, and finds the nearest of all but for a few percent of the
 * rows, which the second nearest serves as well.
 *
 * Centroids are rounded to 8 bits before anything is measured from them, so that a search reads dim bytes a partition.
 */
#include "index/index_builder.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    SAMPLE_A_PARTITION = 64,
    REGION_SAMPLE = 256,
    REGIONS_TRIED = 4,
    ITERATIONS = 10,
    ASSIGN_TILE = 1024
};

/* ---- regions and partitions */

static uint32_t greatest(const float *x, size_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

static pn_status train_regions(pn_index_builder *b, pn_error *err)
{
    size_t n = PN_MIN(b->n_sample, b->n_regions * REGION_SAMPLE), step = b->n_sample / n;
    float *points = pn_alloc_array(n * b->dim, sizeof *points);
    if (!points)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        pn_index_builder_gather(b, &b->sample[i * step], 1, points + i * b->dim);
    pn_kmeans_options options = {.dim = b->dim,
                                 .k = b->n_regions,
                                 .iterations = ITERATIONS,
                                 .seed = b->options->seed,
                                 .pool = b->options->pool,
                                 .cancel = b->options->cancel};
    pn_status status = pn_kmeans(points, n, &options, b->regions, err);
    pn_free(points);
    PN_TRY(status);
    return pn_centroids_init(b->regions, b->n_regions, b->dim, &b->region_compare, err);
}

static void sample_tile(void *context, size_t tile, unsigned worker)
{
    pn_index_builder *b = context;
    (void)worker;
    size_t first = tile * ASSIGN_TILE, n = PN_MIN(b->n_sample - first, (size_t)ASSIGN_TILE);
    float *points = pn_alloc_array(n * b->dim, sizeof *points);
    float *nearness = pn_alloc_array(n * b->n_regions, sizeof *nearness);
    if (points && nearness) {
        pn_index_builder_gather(b, b->sample + first, n, points);
        pn_centroids_compare(&b->region_compare, points, n, nearness);
        for (size_t i = 0; i < n; i++)
            b->sample_regions[first + i] = greatest(nearness + i * b->n_regions, b->n_regions);
    } else {
        pn_index_builder_fail(b, PN_ERR_NOMEM);
    }
    pn_free(points);
    pn_free(nearness);
}

/* Every region gets its share of the partitions, at least one. */
static void share_partitions(pn_index_builder *b, const uint32_t *counts)
{
    size_t spare = b->n_partitions - b->n_regions, given = 0;
    double passed = 0;
    b->region_starts[0] = 0;
    for (size_t r = 0; r < b->n_regions; r++) {
        passed += counts[r];
        size_t upto = (size_t)(passed / (double)b->n_sample * (double)spare + 0.5);
        upto = r + 1 == b->n_regions ? spare : PN_MIN(upto, spare);
        b->region_starts[r + 1] = b->region_starts[r] + 1 + (uint32_t)(upto - given);
        given = upto;
    }
}

/* Round the centroids of a region to 8 bits, and measure from the rounded ones. */
static void round_centroids(pn_index_builder *b, size_t first, size_t n)
{
    for (size_t p = first; p < first + n; p++) {
        float *c = b->centroids + p * b->dim, most = 0;
        for (size_t d = 0; d < b->dim; d++)
            most = PN_MAX(most, fabsf(c[d]));
        float scale = pn_index_scale(most);
        for (size_t d = 0; d < b->dim; d++) {
            float rounded = rintf(c[d] / scale);
            b->rounded[p * b->dim + d] = (uint8_t)(128 + (int)rounded);
            c[d] = scale * rounded;
        }
        b->rounded_scales[p] = scale;
    }
}

static void train_region(void *context, size_t r, unsigned worker)
{
    pn_index_builder *b = context;
    (void)worker;
    size_t first = b->region_starts[r], k = b->region_starts[r + 1] - first, n = 0;
    for (size_t i = 0; i < b->n_sample; i++)
        n += b->sample_regions[i] == r;
    float *points = pn_alloc_array(n * b->dim + 1, sizeof *points);
    if (!points) {
        pn_index_builder_fail(b, PN_ERR_NOMEM);
        return;
    }
    size_t m = 0;
    for (size_t i = 0; i < b->n_sample; i++)
        if (b->sample_regions[i] == r)
            pn_index_builder_gather(b, &b->sample[i], 1, points + b->dim * m++);
    pn_kmeans_options options = {.dim = b->dim,
                                 .k = k,
                                 .iterations = ITERATIONS,
                                 .seed = b->options->seed + r,
                                 .cancel = b->options->cancel};
    pn_status status = pn_kmeans(points, n, &options, b->centroids + first * b->dim, NULL);
    pn_free(points);
    if (status == PN_OK) {
        round_centroids(b, first, k);
        status = pn_centroids_init(b->centroids + first * b->dim, k, b->dim,
                                   &b->partition_compare[r], NULL);
    }
    pn_index_builder_fail(b, status);
}

static pn_status train_partitions(pn_index_builder *b, pn_error *err)
{
    PN_TRY(pn_index_builder_choose(b, b->n_partitions * SAMPLE_A_PARTITION, b->options->seed,
                                   &b->sample, &b->n_sample, err));
    PN_TRY(pn_index_builder_go_on(b, "training", 0, err));
    b->sample_regions = pn_alloc_array(b->n_sample, sizeof *b->sample_regions);
    uint32_t *counts = PN_ARENA_NEW(&b->arena, uint32_t, b->n_regions);
    if (!b->sample_regions || !counts)
        return pn_fail_nomem(err);
    PN_TRY(train_regions(b, err));
    PN_TRY(pn_index_builder_go_on(b, "training", 0.2, err));
    pn_pool_for(b->options->pool, (b->n_sample + ASSIGN_TILE - 1) / ASSIGN_TILE, sample_tile, b);
    PN_TRY(pn_index_builder_failure(b, err));
    for (size_t i = 0; i < b->n_sample; i++)
        counts[b->sample_regions[i]]++;
    share_partitions(b, counts);
    PN_TRY(pn_index_builder_go_on(b, "training", 0.3, err));
    pn_pool_for(b->options->pool, b->n_regions, train_region, b);
    return pn_index_builder_failure(b, err);
}

/* ---- every row to its partition */

typedef struct assign_scratch {
    float *points, *near_regions, *gathered, *nearness, *best;
    uint32_t *rows, (*tried)[REGIONS_TRIED];
    bool *good;
} assign_scratch;

static void nearest_regions(const float *nearness, size_t n, uint32_t *out)
{
    for (size_t t = 0; t < REGIONS_TRIED; t++) {
        uint32_t best = PN_NOT_LISTED;
        for (uint32_t r = 0; r < n; r++) {
            bool taken = false;
            for (size_t s = 0; s < t; s++)
                taken |= out[s] == r;
            if (!taken && (best == PN_NOT_LISTED || nearness[r] > nearness[best]))
                best = r;
        }
        out[t] = best;
    }
}

/* The rows of a tile that try region r, compared with its partitions. */
static void assign_in_region(pn_index_builder *b, const assign_scratch *s, size_t r, size_t n,
                             uint32_t *labels)
{
    const pn_centroids *c = &b->partition_compare[r];
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < REGIONS_TRIED; t++)
            if (s->tried[i][t] == r) {
                memcpy(s->gathered + m * b->dim, s->points + i * b->dim,
                       b->dim * sizeof *s->gathered);
                s->rows[m++] = (uint32_t)i;
            }
    if (m == 0)
        return;
    pn_centroids_compare(c, s->gathered, m, s->nearness);
    for (size_t j = 0; j < m; j++) {
        uint32_t best = greatest(s->nearness + j * c->k, c->k), row = s->rows[j];
        float near = s->nearness[j * c->k + best];
        uint32_t partition = b->region_starts[r] + best;
        if (labels[row] == PN_NOT_LISTED || near > s->best[row]) {
            labels[row] = partition;
            s->best[row] = near;
        }
    }
}

static void assign_rows(pn_index_builder *b, const assign_scratch *s, uint64_t first, size_t n)
{
    uint32_t *labels = b->labels + first;
    for (size_t i = 0; i < n; i++) {
        labels[i] = PN_NOT_LISTED;
        /* what is deleted may have no vector at all */
        s->good[i] = !pn_vector_rows_is_deleted(b->rows, first + i) &&
                     pn_vector_rows_copy(b->rows, first + i, s->points + i * b->dim);
        if (!s->good[i])
            memset(s->points + i * b->dim, 0, b->dim * sizeof *s->points);
    }
    pn_centroids_compare(&b->region_compare, s->points, n, s->near_regions);
    for (size_t i = 0; i < n; i++)
        nearest_regions(s->near_regions + i * b->n_regions, b->n_regions, s->tried[i]);
    for (size_t r = 0; r < b->n_regions; r++)
        assign_in_region(b, s, r, n, labels);
    for (size_t i = 0; i < n; i++)
        labels[i] = s->good[i] ? labels[i] : PN_NOT_LISTED;
}

static void assign_tile(void *context, size_t tile, unsigned worker)
{
    pn_index_builder *b = context;
    (void)worker;
    size_t most = 0;
    for (size_t r = 0; r < b->n_regions; r++)
        most = PN_MAX(most, (size_t)(b->region_starts[r + 1] - b->region_starts[r]));
    assign_scratch s = {.points = pn_alloc_array(ASSIGN_TILE * b->dim, sizeof(float)),
                        .near_regions = pn_alloc_array(ASSIGN_TILE * b->n_regions, sizeof(float)),
                        .gathered = pn_alloc_array(ASSIGN_TILE * b->dim, sizeof(float)),
                        .nearness = pn_alloc_array(ASSIGN_TILE * most, sizeof(float)),
                        .best = pn_alloc_array(ASSIGN_TILE, sizeof(float)),
                        .rows = pn_alloc_array(ASSIGN_TILE, sizeof(uint32_t)),
                        .tried = pn_alloc_array(ASSIGN_TILE, sizeof *s.tried),
                        .good = pn_alloc_array(ASSIGN_TILE, sizeof(bool))};
    uint64_t first = (uint64_t)(b->first_tile + tile) * ASSIGN_TILE;
    size_t n = (size_t)PN_MIN(b->rows->n_rows - first, (uint64_t)ASSIGN_TILE);
    if (s.points && s.near_regions && s.gathered && s.nearness && s.best && s.rows && s.tried &&
        s.good)
        assign_rows(b, &s, first, n);
    else
        pn_index_builder_fail(b, PN_ERR_NOMEM);
    pn_free(s.points);
    pn_free(s.near_regions);
    pn_free(s.gathered);
    pn_free(s.nearness);
    pn_free(s.best);
    pn_free(s.rows);
    pn_free(s.tried);
    pn_free(s.good);
}

/* Counting sort of the rows by partition. */
static void sort_rows(pn_index_builder *b)
{
    uint64_t n_rows = b->rows->n_rows;
    memset(b->starts, 0, (b->n_partitions + 1) * sizeof *b->starts);
    for (uint64_t i = 0; i < n_rows; i++)
        if (b->labels[i] != PN_NOT_LISTED)
            b->starts[b->labels[i] + 1]++;
    for (size_t p = 0; p < b->n_partitions; p++)
        b->starts[p + 1] += b->starts[p];
    b->n_listed = b->starts[b->n_partitions];
    for (uint64_t i = 0; i < n_rows; i++) {
        b->positions[i] = PN_NOT_LISTED;
        if (b->labels[i] == PN_NOT_LISTED)
            continue;
        uint32_t at = b->starts[b->labels[i]]++;
        b->positions[i] = at;
        b->order[at] = (uint32_t)i;
    }
    for (size_t p = b->n_partitions; p > 0; p--) /* each start has become the next one's */
        b->starts[p] = b->starts[p - 1];
    b->starts[0] = 0;
}

static pn_status assign_all(pn_index_builder *b, pn_error *err)
{
    enum { TURN = 256 }; /* tiles between two looks at the clock */
    size_t n_tiles = (size_t)((b->rows->n_rows + ASSIGN_TILE - 1) / ASSIGN_TILE);
    b->labels = pn_alloc_array((size_t)b->rows->n_rows, sizeof *b->labels);
    b->positions = pn_alloc_array((size_t)b->rows->n_rows, sizeof *b->positions);
    b->order = pn_alloc_array((size_t)b->rows->n_rows, sizeof *b->order);
    b->starts = pn_alloc_array(b->n_partitions + 1, sizeof *b->starts);
    if (!b->labels || !b->positions || !b->order || !b->starts)
        return pn_fail_nomem(err);
    for (size_t first = 0; first < n_tiles; first += TURN) {
        PN_TRY(pn_index_builder_go_on(b, "assigning", (double)first / (double)n_tiles, err));
        b->first_tile = first;
        pn_pool_for(b->options->pool, PN_MIN(n_tiles - first, (size_t)TURN), assign_tile, b);
        PN_TRY(pn_index_builder_failure(b, err));
    }
    sort_rows(b);
    if (b->n_listed < PN_INDEX_MIN_ROWS)
        return pn_fail(err, PN_ERR_INVALID,
                       "an index needs at least %d vectors, these are %" PRIu64
                       ": the others are not numbers",
                       PN_INDEX_MIN_ROWS, b->n_listed);
    return PN_OK;
}

pn_status pn_index_builder_partition(pn_index_builder *b, pn_error *err)
{
    b->regions = pn_alloc_array(b->n_regions * b->dim, sizeof *b->regions);
    b->region_starts = pn_alloc_array(b->n_regions + 1, sizeof *b->region_starts);
    b->centroids = pn_alloc_array(b->n_partitions * b->dim, sizeof *b->centroids);
    b->rounded = pn_alloc_array(b->n_partitions, b->dim);
    b->rounded_scales = pn_alloc_array(b->n_partitions, sizeof *b->rounded_scales);
    b->partition_compare = pn_alloc_zero(b->n_regions * sizeof *b->partition_compare);
    if (!b->regions || !b->region_starts || !b->centroids || !b->rounded || !b->rounded_scales ||
        !b->partition_compare)
        return pn_fail_nomem(err);
    PN_TRY(train_partitions(b, err));
    return assign_all(b, err);
}

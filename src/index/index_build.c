/*
 * index_build.c - from vectors to an index file
 *
 *     partitions    index_partition.c
 *     codes         pq.h, fitted to the residuals of 32,768 rows, once for pictures and once for texts
 *     copies        residuals in 8 bits
 *     efforts       index_effort.c: recall measured on pictures like those of the table, and on texts that the codes were not fitted to
 *
 * Copies are most of the file, and are written partition by partition while codes are kept until the end: so the builder needs about
 * 100 bytes a row, however long the vectors.
 *
 * Which queries will come? Pictures like those of the table, so their moment is that of the rows; texts like those that were
 * given. Without texts there is one set of codes, and text queries are searched with it.
 *
 * Codes know the texts that they were fitted to: at one million, efforts that promised .95 by those very texts kept .938 of others. So a
 * part of the texts is set aside to be asked.
 *
 * How many codes? 32 would be read in half of the time, but take twice to four times as many copies. Of three million .951 of the ten nearest
 * pictures are found in 93 us by either, and .988 in 165 us by 64 and in 235 us by 32; texts are farther from what they look for.
 *
 * Rows that join a large index's get the codes of that one: fitting some takes 1.2 s and measuring efforts 1.1, whatever the rows, and
 * 4,096 rows are partitioned and coded in a twentieth of that.
 */
#include "index/index_builder.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CODE_SAMPLE = 32768,
    CODE_GROUPS = 64,
    ALIKE_SAMPLE = 4096, /* of codes that are taken from another index */
    MOMENT_SAMPLE = 4096,
    CALIBRATION_ROWS = 200,
    CALIBRATION_TEXTS = 200, /* at most, and a quarter of them */
    LEAST_PARTITION = 16,    /* rows, in the mean */
    LEAST_ASKED = 50,        /* unless there are fewer than twice as many: then a half */
    ALIKE_PARTITION = 32,    /* rows, of an index that is scanned whole: a block of codes */
    CHUNK_ROWS = 1024,
    TURN_ROWS = 1024 * PN_COPY_BLOCK /* written between two looks at the clock */
};

#define LEAST_ALIKE_EFFORT 2.0f /* for the rows of an index that is scanned whole */
#define FACTOR_SHARE 0.5f
#define FACTOR_SHARE_OF_ANY 0.25f /* where pictures and texts have the same codes */

/* ---- what the steps share */

pn_status pn_index_builder_go_on(const pn_index_builder *b, const char *stage, double done,
                                 pn_error *err)
{
    const pn_index_build_options *o = b->options;
    if (o->cancel && atomic_load(o->cancel))
        return pn_fail(err, PN_ERR_CANCELLED, "building the index was stopped");
    if (o->progress)
        o->progress(o->context, stage, done);
    return PN_OK;
}

void pn_index_builder_fail(pn_index_builder *b, pn_status status)
{
    int none = PN_OK;
    if (status != PN_OK)
        atomic_compare_exchange_strong(&b->failed, &none, (int)status);
}

pn_status pn_index_builder_failure(const pn_index_builder *b, pn_error *err)
{
    pn_status status = (pn_status)atomic_load(&b->failed);
    if (status == PN_ERR_NOMEM)
        return pn_fail_nomem(err);
    return status == PN_OK ? PN_OK : pn_fail(err, status, "building the index was stopped");
}

pn_status pn_index_builder_choose(const pn_index_builder *b, size_t n, uint64_t seed,
                                  uint32_t **out, size_t *n_out, pn_error *err)
{
    const pn_vector_rows *rows = b->rows;
    uint64_t left = b->n_live, wanted = PN_MIN((uint64_t)n, left);
    uint32_t *chosen = pn_alloc_array((size_t)wanted, sizeof *chosen);
    if (!chosen)
        return pn_fail_nomem(err);
    pn_rng rng = pn_rng_seed(seed);
    size_t m = 0;
    for (uint64_t i = 0; i < rows->n_rows && m < wanted; i++) /* Knuth's algorithm S */
        if (!pn_vector_rows_is_deleted(rows, i) && pn_rng_below(&rng, left--) < wanted - m)
            chosen[m++] = (uint32_t)i;
    *out = chosen;
    *n_out = m;
    return PN_OK;
}

void pn_index_builder_gather(const pn_index_builder *b, const uint32_t *ordinals, size_t n,
                             float *out)
{
    for (size_t i = 0; i < n; i++) /* zeros in the place of what is no number do no harm here */
        (void)pn_vector_rows_copy(b->rows, ordinals[i], out + i * b->dim);
}

/* ---- codes */

static void subtract_centroid(const pn_index_builder *b, size_t partition, size_t n, float *rows)
{
    const float *centroid = b->centroids + partition * b->dim;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < b->dim; d++)
            rows[i * b->dim + d] -= centroid[d];
}

/* Residuals of a sample, in the order of the rows. */
static pn_status sample_residuals(const pn_index_builder *b, size_t most, float **out,
                                  size_t *n_out, pn_error *err)
{
    uint32_t *chosen;
    size_t n, m = 0;
    PN_TRY(pn_index_builder_choose(b, most, b->options->seed + 1, &chosen, &n, err));
    float *residuals = pn_alloc_array(n * b->dim + 1, sizeof *residuals);
    for (size_t i = 0; residuals && i < n; i++) {
        uint32_t partition = b->labels[chosen[i]];
        if (partition == PN_NOT_LISTED)
            continue;
        pn_index_builder_gather(b, &chosen[i], 1, residuals + m * b->dim);
        subtract_centroid(b, partition, 1, residuals + m++ * b->dim);
    }
    pn_free(chosen);
    if (!residuals)
        return pn_fail_nomem(err);
    *out = residuals;
    *n_out = m;
    return PN_OK;
}

static size_t count_asked(size_t n_texts)
{
    size_t quarter = PN_MIN(n_texts / 4, (size_t)CALIBRATION_TEXTS);
    return PN_MIN(PN_MAX(quarter, (size_t)LEAST_ASKED), n_texts / 2);
}

typedef struct lone_text {
    float nearest; /* the cosine of another text */
    size_t at;
} lone_text;

static int by_loneliness(const void *a, const void *b)
{
    const lone_text *x = a, *y = b;
    int order = (x->nearest > y->nearest) - (x->nearest < y->nearest);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static void find_lone_texts(const pn_index_builder *b, lone_text *texts)
{
    const pn_index_build_options *o = b->options;
    for (size_t i = 0; i < o->n_texts; i++)
        texts[i] = (lone_text){-INFINITY, i};
    for (size_t i = 1; i < o->n_texts; i++)
        for (size_t j = 0; j < i; j++) {
            float product =
                b->kernels->dot_f32(o->texts + i * b->dim, o->texts + j * b->dim, b->dim);
            texts[i].nearest = PN_MAX(texts[i].nearest, product);
            texts[j].nearest = PN_MAX(texts[j].nearest, product);
        }
    qsort(texts, o->n_texts, sizeof *texts, by_loneliness);
}

/* n of the texts are drawn, because a list may have an order, as every other text in another language. They come first then. */
static void draw_texts(lone_text *texts, size_t n_texts, size_t n, uint64_t seed)
{
    pn_rng rng = pn_rng_seed(seed);
    for (size_t i = 0; i < n; i++) {
        size_t drawn = i + pn_rng_below(&rng, n_texts - i);
        lone_text t = texts[i];
        texts[i] = texts[drawn];
        texts[drawn] = t;
    }
}

/*
 * What customers type is less like the list than the texts of the list are like each other: by texts of the list drawn at random .90 was promised
 * of a million rows where other texts found .87. So half of those that are asked are least like any other. Where there is no
 * such difference they may find more than others do, so the other half is drawn, and the lower recall counts. Of one text nothing
 * can be set aside.
 */
static pn_status share_texts(pn_index_builder *b, pn_error *err)
{
    const pn_index_build_options *o = b->options;
    size_t wanted = count_asked(o->n_texts), bytes = b->dim * sizeof(float);
    if (o->n_texts == 0)
        return PN_OK;
    b->n_asked = PN_MAX(wanted, (size_t)1);
    b->n_lone = wanted / 2;
    b->n_fitted = o->n_texts - wanted;
    b->asked_texts = PN_ARENA_NEW(&b->arena, float, b->n_asked * b->dim);
    b->fitted_texts = PN_ARENA_NEW(&b->arena, float, b->n_fitted * b->dim);
    lone_text *texts = PN_ARENA_NEW(&b->arena, lone_text, o->n_texts);
    if (!b->asked_texts || !b->fitted_texts || !texts)
        return pn_fail_nomem(err);
    find_lone_texts(b, texts);
    draw_texts(texts + b->n_lone, o->n_texts - b->n_lone, wanted - b->n_lone, o->seed + 4);
    for (size_t i = 0; i < b->n_asked; i++)
        memcpy(b->asked_texts + i * b->dim, o->texts + texts[i].at * b->dim, bytes);
    for (size_t i = 0; i < b->n_fitted; i++)
        memcpy(b->fitted_texts + i * b->dim, o->texts + texts[wanted + i].at * b->dim, bytes);
    return PN_OK;
}

/* Means of what queries of each kind look like; without texts, theirs is zero and nobody is near it. */
static pn_status find_means(pn_index_builder *b, pn_error *err)
{
    b->means = PN_ARENA_NEW(&b->arena, float, PN_QUERY_KINDS * b->dim);
    if (!b->means)
        return pn_fail_nomem(err);
    for (size_t p = 0; p < b->n_partitions; p++) {
        float share =
            (float)(b->starts[p + 1] - b->starts[p]) / (float)PN_MAX(b->n_listed, (uint64_t)1);
        for (size_t d = 0; d < b->dim; d++)
            b->means[d] += share * b->centroids[p * b->dim + d];
    }
    for (size_t i = 0; i < b->options->n_texts; i++)
        for (size_t d = 0; d < b->dim; d++)
            b->means[PN_QUERY_TEXT * b->dim + d] +=
                b->options->texts[i * b->dim + d] / (float)b->options->n_texts;
    return PN_OK;
}

/* Second moment of the queries of a kind. */
static pn_status query_moment(const pn_index_builder *b, size_t kind, double *moment, pn_error *err)
{
    const pn_index_build_options *o = b->options;
    if (kind == PN_QUERY_TEXT)
        return pn_second_moment(b->fitted_texts, b->n_fitted, b->dim, moment, err);
    uint32_t *chosen;
    size_t n;
    PN_TRY(pn_index_builder_choose(b, MOMENT_SAMPLE, o->seed + 2, &chosen, &n, err));
    float *x = pn_alloc_array(n * b->dim, sizeof *x);
    pn_status status = x ? PN_OK : pn_fail_nomem(err);
    if (status == PN_OK) {
        pn_index_builder_gather(b, chosen, n, x);
        status = pn_second_moment(x, n, b->dim, moment, err);
    }
    pn_free(chosen);
    pn_free(x);
    return status;
}

/* For the products of rows with the axes of a set of codes. */
static pn_status pack_book(pn_index_builder *b, size_t book, const pn_pq *pq, pn_error *err)
{
    const size_t n = pn_gemm_panels(pq->n_axes) * PN_GEMM_PANEL * b->dim;
    b->packed[book] = pn_alloc_array(n, sizeof(float));
    b->packed_query[book] = pn_alloc_array(n, sizeof(float));
    b->turned_means[book] = pn_alloc_array(pq->n_axes, sizeof(float));
    if (!b->packed[book] || !b->packed_query[book] || !b->turned_means[book])
        return pn_fail_nomem(err);
    b->kernels->gemm_pack(b->packed[book], pq->encode, pq->n_axes, b->dim, b->dim, 1);
    b->kernels->gemm_pack(b->packed_query[book], pq->query, pq->n_axes, b->dim, b->dim, 1);
    b->kernels->dot_many_f32(b->turned_means[book], b->means + book * b->dim, pq->query, pq->n_axes,
                             b->dim);
    return PN_OK;
}

static pn_status train_codes(pn_index_builder *b, pn_error *err)
{
    const pn_index_build_options *o = b->options;
    float *residuals = NULL;
    pn_status status = PN_OK;
    double *moment = pn_alloc_array(b->dim * b->dim, sizeof *moment);
    pn_pq_training training = {.dim = b->dim, .moment = moment, .seed = o->seed, .pool = o->pool};
    if (!moment)
        return pn_fail_nomem(err);
    PN_GOTO(done, sample_residuals(b, CODE_SAMPLE, &residuals, &training.n, err));
    training.residuals = residuals;
    for (size_t book = 0; book < b->n_books; book++) {
        PN_GOTO(done, pn_index_builder_go_on(b, "codes", 0.5 * (double)book, err));
        training.n_groups = b->n_groups[book];
        PN_GOTO(done, query_moment(b, book, moment, err));
        PN_GOTO(done, pn_pq_train(&training, &b->arena, &b->books[book], err));
        PN_GOTO(done, pack_book(b, book, &b->books[book], err));
    }
done:
    pn_free(residuals);
    pn_free(moment);
    return status;
}

/* The codes of another index, and how well they do for these rows. */
static pn_status take_codes(pn_index_builder *b, const pn_index *like, pn_error *err)
{
    float *residuals;
    size_t n;
    PN_TRY(pn_index_builder_go_on(b, "codes", 0, err));
    PN_TRY(sample_residuals(b, ALIKE_SAMPLE, &residuals, &n, err));
    if (n == 0) /* none of the sample is a number */
        memset(residuals, 0, b->dim * sizeof *residuals);
    n = PN_MAX(n, (size_t)1);
    float now = b->kernels->dot_f32(residuals, residuals, n * b->dim) / (float)n;
    float scale = like->facts.residual > 0 ? now / like->facts.residual : 1;
    pn_status status = PN_OK;
    for (size_t book = 0; status == PN_OK && book < b->n_books; book++) {
        const pn_pq *pq = &like->books[book];
        status = pack_book(b, book, pq, err);
        if (status == PN_OK)
            status = pn_pq_adapt(pq, b->packed[book], residuals, n, scale, &b->arena,
                                 &b->books[book], err);
    }
    pn_free(residuals);
    return status;
}

/* ---- rows into codes and copies */

/* The copy of a residual in 8 bits, its halves into rows of pn_half_bytes(dim), which are zeros. */
static void copy_row(const float *r, size_t dim, uint8_t *upper, uint8_t *lower, float *scale,
                     float *error)
{
    const size_t half = pn_half_bytes(dim);
    float lost = 0;
    *scale = pn_copy_scale(r, dim);
    const float factor = 1 / *scale;
    for (size_t d = 0; d < dim; d++) {
        unsigned byte = pn_copy_byte(r[d], *scale, factor, &lost), shift = d < half ? 0 : 4;
        upper[d < half ? d : d - half] |= (uint8_t)(byte >> 4 << shift);
        lower[d < half ? d : d - half] |= (uint8_t)((byte & 15) << shift);
    }
    *error = pn_copy_error(lost);
}

/* Of n rows, the first of which is at a position. */
static void copy_rows(pn_index_builder *b, const float *residuals, size_t n, size_t position)
{
    const size_t half = pn_half_bytes(b->dim);
    for (size_t i = 0; i < n; i++) {
        size_t at = position + i - b->first_row;
        uint8_t *block = b->copies + at / PN_COPY_BLOCK * PN_COPY_BLOCK * 2 * half;
        uint8_t *upper = block + at % PN_COPY_BLOCK * half;
        copy_row(residuals + i * b->dim, b->dim, upper, upper + PN_COPY_BLOCK * half,
                 &b->scales[position + i], &b->errors[position + i]);
    }
}

/* Codes [n][groups] into a partition's blocks, from its row `first` on. */
static void fill_blocks(const uint8_t *codes, size_t first, size_t n, size_t n_groups,
                        uint8_t *blocks)
{
    for (size_t i = 0; i < n; i++) {
        size_t row = first + i, in_block = row % PN_CODE_BLOCK;
        uint8_t *block = blocks + row / PN_CODE_BLOCK * pn_code_block_bytes(n_groups);
        unsigned shift = in_block < PN_CODE_ENTRIES ? 0 : 4;
        for (size_t g = 0; g < n_groups; g++)
            block[g * PN_CODE_ENTRIES + in_block % PN_CODE_ENTRIES] |=
                (uint8_t)(codes[i * n_groups + g] << shift);
    }
}

typedef struct code_scratch {
    float *residuals, *projected; /* [CHUNK_ROWS][dim] */
    uint8_t *codes;               /* [CHUNK_ROWS][n_groups] */
    float *turned;                /* [dim] */
    float *decoded, *expected;    /* [CHUNK_ROWS] */
} code_scratch;

static uint8_t *block_of(const pn_index_builder *b, size_t book, size_t partition, size_t row)
{
    size_t block = b->block_starts[partition] + row / PN_CODE_BLOCK;
    return b->codes[book] + block * pn_code_block_bytes(b->n_groups[book]);
}

/* The factor of a row whose product with what its codes stand for is `decoded`, of `whole`. */
static uint8_t factor_of(float decoded, float whole, float share)
{
    float most = (float)UINT8_MAX;
    float beyond = decoded > 0 ? (whole / decoded - 1) * share * 128 : most;
    return whole > 0 && beyond > 0 ? (uint8_t)PN_MIN(beyond + 0.5f, most) : 0;
}

/*
 * From the sum of a row's codes to its score. Codes stand for r', which is as near as possible to the residual r, and so shorter: what they
 * miss is a part of r, and just a question that is near the row has much in common with it. With m a vector that questions are like,
 *
 *     q . r  =  m . r + (q - m) . r  ~  m . r + F (q - m) . r',        F = 1 + share * (|r|^2 / r . r' - 1)
 *
 * where a share of 1 would be right for q - m along r, 0 for what has nothing to do with r. A picture in whose neighbourhood the row lies is
 * like the centroid; texts are like their mean. Tables are of q less the mean of all (M), which a factor leaves as it is: so the offset of a row
 * is m . r - F (m - M) . r'. Of the ten nearest, .95 are among so many best of the rows scanned, by 64 codes:
 *
 *                                  sums alone    with factor and offset
 *     pictures, three million            540       105
 *     texts, one million                 830       100
 *     pictures, 16,000 real ones          28        17
 *     texts, the same                     85        40
 *
 * Without texts one set of codes serves both kinds, and m is the mean of pictures: a centroid is nothing that texts are like.
 */
static void correct_rows(pn_index_builder *b, const code_scratch *s, size_t book, size_t partition,
                         size_t at, size_t n)
{
    const pn_pq *pq = &b->books[book];
    const float *centroid = b->centroids + partition * b->dim, *mean = b->means + book * b->dim;
    const bool is_near = book == PN_QUERY_PICTURE && b->n_books > 1;
    const float *like = is_near ? centroid : mean;
    const float share = b->n_books > 1 ? FACTOR_SHARE : FACTOR_SHARE_OF_ANY;
    pn_pq_turn(pq, b->packed_query[book], s->residuals, n, s->projected);
    pn_pq_decoded_products(pq, s->projected, pq->n_axes, s->codes, n, s->decoded);
    if (is_near) {
        b->kernels->dot_many_f32(s->turned, centroid, pq->query, pq->n_axes, b->dim);
        for (size_t a = 0; a < pq->n_axes; a++)
            s->turned[a] -= b->turned_means[book][a];
        pn_pq_decoded_products(pq, s->turned, 0, s->codes, n, s->expected);
    }
    for (size_t i = 0; i < n; i++) {
        const float *r = s->residuals + i * b->dim;
        size_t row = at + i - b->starts[partition];
        uint8_t factor = factor_of(s->decoded[i], b->kernels->dot_f32(r, r, b->dim), share);
        block_of(b, book, partition,
                 row)[b->n_groups[book] * PN_CODE_ENTRIES + row % PN_CODE_BLOCK] = factor;
        b->offsets[book][at + i] = b->kernels->dot_f32(like, r, b->dim) -
                                   (is_near ? (1 + (float)factor / 128) * s->expected[i] : 0);
    }
}

/* n rows of a partition, whose position is `at`. */
static void code_chunk(pn_index_builder *b, const code_scratch *s, size_t partition, size_t at,
                       size_t n)
{
    pn_partition_sums *sums = &b->sums[partition];
    size_t first = at - b->starts[partition];
    pn_index_builder_gather(b, b->order + at, n, s->residuals);
    subtract_centroid(b, partition, n, s->residuals);
    sums->residual += (double)b->kernels->dot_f32(s->residuals, s->residuals, n * b->dim);
    for (size_t book = 0; book < b->n_books; book++) {
        double energy, loss;
        pn_pq_encode(&b->books[book], b->packed[book], s->residuals, n, s->projected, s->codes);
        pn_pq_measure(&b->books[book], s->projected, s->codes, n, &energy, &loss);
        sums->energies[book] += energy * (double)n;
        sums->losses[book] += loss * (double)n;
        fill_blocks(s->codes, first, n, b->n_groups[book], block_of(b, book, partition, 0));
        correct_rows(b, s, book, partition, at, n);
    }
    if (b->copies)
        copy_rows(b, s->residuals, n, at);
}

/* The rows of a partition that belong to this turn, a chunk at a time: a partition may be most of the table, where one picture
 * stands in for all that are missing. */
static void code_partition(void *context, size_t i, unsigned worker)
{
    pn_index_builder *b = context;
    (void)worker;
    size_t p = b->first_partition + i, at = PN_MAX((size_t)b->starts[p], b->first_row);
    size_t end = PN_MIN((size_t)b->starts[p + 1], b->end_row);
    if (at >= end)
        return;
    size_t most = PN_MIN(end - at, (size_t)CHUNK_ROWS);
    code_scratch s = {.residuals = pn_alloc_array(most * b->dim, sizeof(float)),
                      .projected = pn_alloc_array(most * b->dim, sizeof(float)),
                      .codes = pn_alloc_array(most, PN_MAX(b->n_groups[0], b->n_groups[1])),
                      .turned = pn_alloc_array(b->dim, sizeof(float)),
                      .decoded = pn_alloc_array(most, sizeof(float)),
                      .expected = pn_alloc_array(most, sizeof(float))};
    if (!s.residuals || !s.projected || !s.codes || !s.turned || !s.decoded || !s.expected)
        pn_index_builder_fail(b, PN_ERR_NOMEM);
    else
        for (size_t n; at < end; at += n) {
            n = PN_MIN(end - at, most);
            code_chunk(b, &s, p, at, n);
        }
    pn_free(s.residuals);
    pn_free(s.projected);
    pn_free(s.codes);
    pn_free(s.turned);
    pn_free(s.decoded);
    pn_free(s.expected);
}

/* The offsets of a partition's rows in steps of its own, now that all are known. */
static void round_offsets(pn_index_builder *b, size_t book, size_t partition)
{
    const float *offsets = b->offsets[book] + b->starts[partition];
    size_t n = b->starts[partition + 1] - b->starts[partition];
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = PN_MAX(most, fabsf(offsets[i]));
    float step = pn_index_scale(most);
    b->offset_steps[book * b->n_partitions + partition] = step;
    for (size_t i = 0; i < n; i++)
        block_of(b, book, partition,
                 i)[b->n_groups[book] * PN_CODE_ENTRIES + PN_CODE_BLOCK + i % PN_CODE_BLOCK] =
            (uint8_t)(int8_t)rintf(offsets[i] / step);
}

static pn_status prepare_codes(pn_index_builder *b, pn_error *err)
{
    b->block_starts = pn_alloc_array(b->n_partitions + 1, sizeof *b->block_starts);
    b->scales = pn_alloc_array((size_t)b->n_listed, sizeof *b->scales);
    b->errors = pn_alloc_array((size_t)b->n_listed, sizeof *b->errors);
    b->sums = pn_alloc_zero(b->n_partitions * sizeof *b->sums);
    b->offset_steps = PN_ARENA_NEW(&b->arena, float, PN_QUERY_KINDS * b->n_partitions);
    if (!b->block_starts || !b->scales || !b->errors || !b->sums || !b->offset_steps)
        return pn_fail_nomem(err);
    size_t blocks = 0;
    for (size_t p = 0; p <= b->n_partitions; p++) {
        b->block_starts[p] = blocks;
        blocks += p < b->n_partitions ? pn_code_blocks(b->starts[p + 1] - b->starts[p]) : 0;
    }
    for (size_t book = 0; book < b->n_books; book++) {
        b->codes[book] = pn_alloc_zero(blocks * pn_code_block_bytes(b->n_groups[book]));
        b->offsets[book] = pn_alloc_array((size_t)b->n_listed, sizeof *b->offsets[book]);
        if (!b->codes[book] || !b->offsets[book])
            return pn_fail_nomem(err);
    }
    if (b->options->low_memory)
        return PN_OK;
    b->copies = pn_alloc((size_t)pn_index_copies_bytes(PN_MIN(b->n_listed, TURN_ROWS), b->dim));
    return b->copies ? PN_OK : pn_fail_nomem(err);
}

static pn_status write_copies(pn_index_builder *b, pn_index_writer *writer, pn_error *err)
{
    PN_TRY(prepare_codes(b, err));
    PN_TRY(pn_index_writer_begin(writer, PN_SECTION_COPIES, err));
    for (; b->first_row < b->n_listed; b->first_row = b->end_row) {
        double done = (double)b->first_row / (double)b->n_listed;
        PN_TRY(pn_index_builder_go_on(b, "coding", done, err));
        b->end_row = PN_MIN((size_t)b->n_listed, b->first_row + TURN_ROWS);
        while (b->starts[b->first_partition + 1] <= b->first_row)
            b->first_partition++;
        size_t n = 0, bytes = (size_t)pn_index_copies_bytes(b->end_row - b->first_row, b->dim);
        if (b->copies)
            memset(b->copies, 0, bytes);
        while (b->first_partition + n < b->n_partitions &&
               b->starts[b->first_partition + n] < b->end_row)
            n++;
        pn_pool_for(b->options->pool, n, code_partition, b);
        PN_TRY(pn_index_builder_failure(b, err));
        if (b->copies)
            PN_TRY(pn_index_writer_add(writer, b->copies, bytes, err));
    }
    for (size_t book = 0; book < b->n_books; book++)
        for (size_t p = 0; p < b->n_partitions; p++)
            round_offsets(b, book, p);
    return PN_OK;
}

/* ---- the other sections */

static pn_status write_pq(pn_index_builder *b, size_t book, pn_index_writer *w, pn_error *err)
{
    const pn_pq *pq = &b->books[book];
    const size_t axes = pq->n_axes, groups = pq->n_groups;
    const struct {
        const void *bytes;
        size_t n;
    } parts[PN_PQ_SECTIONS] = {
        {pq->group_starts, (groups + 1) * sizeof(uint32_t)},
        {pq->encode, axes * b->dim * sizeof(float)},
        {pq->query, axes * b->dim * sizeof(float)},
        {pq->codewords, axes * PN_PQ_ENTRIES * sizeof(float)},
        {pq->bias, groups * PN_PQ_ENTRIES * sizeof(float)},
        {pq->spread, axes * sizeof(float)},
        {pq->loss, axes * sizeof(float)},
        {b->codes[book], b->block_starts[b->n_partitions] * pn_code_block_bytes(groups)}};
    for (size_t i = 0; i < PN_PQ_SECTIONS; i++)
        PN_TRY(pn_index_writer_section(
            w, (pn_index_section)(PN_SECTION_PQ + book * PN_PQ_SECTIONS + i), parts[i].bytes,
            parts[i].n, err));
    pn_index_writer_facts(w)->n_axes[book] = (uint32_t)axes;
    pn_index_writer_facts(w)->tails[book] = pq->tail;
    return PN_OK;
}

static pn_status write_fragments(pn_index_builder *b, pn_index_writer *w, pn_error *err)
{
    size_t n = b->rows->n_fragments;
    pn_fragment_record *records = PN_ARENA_NEW(&b->arena, pn_fragment_record, n + 1);
    if (!records)
        return pn_fail_nomem(err);
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const pn_index_fragment *f = &b->rows->fragments[i];
        records[i] = (pn_fragment_record){f->id, f->n_rows, at};
        at += strlen(f->name) + 1;
    }
    PN_TRY(pn_index_writer_section(w, PN_SECTION_FRAGMENTS, records, n * sizeof *records, err));
    PN_TRY(pn_index_writer_begin(w, PN_SECTION_NAMES, err));
    for (size_t i = 0; i < n; i++) {
        const char *name = b->rows->fragments[i].name;
        PN_TRY(pn_index_writer_add(w, name, strlen(name) + 1, err));
    }
    return n > 0 ? PN_OK : pn_index_writer_add(w, "", 1, err);
}

/* Mean |centroid - region|^2. */
static pn_status write_region_spreads(pn_index_builder *b, pn_index_writer *w, pn_error *err)
{
    float *regions = PN_ARENA_NEW(&b->arena, float, b->n_regions);
    if (!regions)
        return pn_fail_nomem(err);
    for (size_t r = 0; r < b->n_regions; r++) {
        uint32_t first = b->region_starts[r], end = b->region_starts[r + 1];
        for (uint32_t p = first; p < end; p++)
            regions[r] +=
                b->kernels->l2sq_f32(b->centroids + p * b->dim, b->regions + r * b->dim, b->dim) /
                (float)(end - first);
    }
    return pn_index_writer_section(w, PN_SECTION_REGION_SPREADS, regions,
                                   b->n_regions * sizeof *regions, err);
}

/* The variances of a book over those of all rows. Of the axes that are not coded only the mean is known, and |residual|^2. */
static void compare_partitions(const pn_index_builder *b, size_t book, double mean, float *spreads,
                               float *losses)
{
    double spread = 0, loss = 0, tail = (double)b->books[book].tail;
    for (size_t p = 0; p < b->n_partitions; p++) {
        const pn_partition_sums *sums = &b->sums[p];
        double n = b->starts[p + 1] - b->starts[p];
        double beyond = mean > 0 ? tail * sums->residual / mean : tail * n;
        spread += sums->energies[book] + beyond;
        loss += sums->losses[book] + beyond;
        spreads[p] = n > 0 ? (float)((sums->energies[book] + beyond) / n) : 0;
        losses[p] = n > 0 ? (float)((sums->losses[book] + beyond) / n) : 0;
    }
    for (size_t p = 0; p < b->n_partitions; p++) {
        spreads[p] = spread > 0 ? spreads[p] / (float)(spread / (double)b->n_listed) : 1;
        losses[p] = loss > 0 ? losses[p] / (float)(loss / (double)b->n_listed) : 1;
    }
}

/* Where pictures look, in partitions near them, a partition is as wide as it is along all axes: by that measure 32 partitions find
 * .98 of the ten nearest, by the queries' .94 (300,000 rows). Texts look at partitions from afar: .976 and .971 with 512. And codes miss as
 * much of near rows in one partition as in another: .98 take 396 copies, by partitions' own errors 507; of texts 686 and 380 (one million). */
static void plain_measures(const pn_index_builder *b, double mean, float *spreads, float *losses)
{
    for (size_t p = 0; p < b->n_partitions; p++) {
        double n = b->starts[p + 1] - b->starts[p], own = n > 0 ? b->sums[p].residual / n : 0;
        spreads[p] = mean > 0 ? (float)(own / mean) : 1;
        losses[p] = 1;
    }
}

static pn_status write_spreads(pn_index_builder *b, pn_index_writer *w, pn_error *err)
{
    size_t n = b->n_partitions;
    double sum = 0;
    float *spreads = PN_ARENA_NEW(&b->arena, float, PN_QUERY_KINDS *n);
    float *losses = PN_ARENA_NEW(&b->arena, float, PN_QUERY_KINDS *n);
    if (!spreads || !losses)
        return pn_fail_nomem(err);
    for (size_t p = 0; p < n; p++)
        sum += b->sums[p].residual;
    double mean = sum / (double)b->n_listed;
    for (size_t book = 0; book < b->n_books; book++)
        compare_partitions(b, book, mean, spreads + book * n, losses + book * n);
    plain_measures(b, mean, spreads + PN_QUERY_PICTURE * n, losses + PN_QUERY_PICTURE * n);
    pn_index_writer_facts(w)->residual = (float)mean;
    PN_TRY(pn_index_writer_section(w, PN_SECTION_SPREADS, spreads,
                                   PN_QUERY_KINDS * n * sizeof *spreads, err));
    PN_TRY(pn_index_writer_section(w, PN_SECTION_LOSSES, losses,
                                   PN_QUERY_KINDS * n * sizeof *losses, err));
    return write_region_spreads(b, w, err);
}

static pn_status write_arrays(pn_index_builder *b, pn_index_writer *w, pn_error *err)
{
    const struct {
        pn_index_section section;
        const void *bytes;
        size_t n;
    } arrays[] = {
        {PN_SECTION_ORDER, b->order, (size_t)b->n_listed * sizeof *b->order},
        {PN_SECTION_POSITIONS, b->positions, (size_t)b->rows->n_rows * sizeof *b->positions},
        {PN_SECTION_STARTS, b->starts, (b->n_partitions + 1) * sizeof *b->starts},
        {PN_SECTION_REGIONS, b->regions, b->n_regions * b->dim * sizeof *b->regions},
        {PN_SECTION_REGION_STARTS, b->region_starts, (b->n_regions + 1) * sizeof *b->region_starts},
        {PN_SECTION_CENTROIDS, b->rounded, b->n_partitions * b->dim},
        {PN_SECTION_CENTROID_SCALES, b->rounded_scales,
         b->n_partitions * sizeof *b->rounded_scales},
        {PN_SECTION_SCALES, b->scales,
         b->options->low_memory ? 0 : (size_t)b->n_listed * sizeof *b->scales},
        {PN_SECTION_ERRORS, b->errors,
         b->options->low_memory ? 0 : (size_t)b->n_listed * sizeof *b->errors},
    };
    for (size_t i = 0; i < PN_COUNT_OF(arrays); i++)
        PN_TRY(pn_index_writer_section(w, arrays[i].section, arrays[i].bytes, arrays[i].n, err));
    PN_TRY(write_spreads(b, w, err));
    PN_TRY(pn_index_writer_section(w, PN_SECTION_MEANS, b->means,
                                   PN_QUERY_KINDS * b->dim * sizeof *b->means, err));
    PN_TRY(pn_index_writer_section(w, PN_SECTION_OFFSETS, b->offset_steps,
                                   PN_QUERY_KINDS * b->n_partitions * sizeof *b->offset_steps,
                                   err));
    PN_TRY(write_fragments(b, w, err));
    for (size_t book = 0; book < b->n_books; book++)
        PN_TRY(write_pq(b, book, w, err));
    pn_index_trailer *facts = pn_index_writer_facts(w);
    facts->n_rows = b->rows->n_rows;
    facts->n_listed = b->n_listed;
    facts->table_version = b->options->table_version;
    facts->dim = (uint32_t)b->dim;
    facts->n_regions = (uint32_t)b->n_regions;
    facts->n_partitions = (uint32_t)b->n_partitions;
    facts->n_fragments = (uint32_t)b->rows->n_fragments;
    facts->n_books = (uint32_t)b->n_books;
    for (size_t book = 0; book < b->n_books; book++)
        facts->n_groups[book] = (uint16_t)b->n_groups[book];
    facts->n_texts = (uint32_t)PN_MIN(b->options->n_texts, (size_t)UINT32_MAX);
    return PN_OK;
}

/* ---- calibration */

/* A row of the partition of another; it may be the row itself. */
static uint32_t neighbour_of(const pn_index_builder *b, uint32_t ordinal, pn_rng *rng)
{
    uint32_t partition = b->labels[ordinal], start = b->starts[partition];
    return b->order[start + pn_rng_below(rng, b->starts[partition + 1] - start)];
}

/* Where a picture comes from: a row, moved toward another or along the difference of two, all of its partition. */
static void move_picture(const pn_index_builder *b, const float *pair, bool toward, float *q)
{
    const float half = 0.5f, reach = 0.4f;
    for (size_t d = 0; d < b->dim; d++)
        q[d] += toward ? half * (pair[d] - q[d]) : reach * (pair[d] - pair[b->dim + d]);
}

/*
 * Pictures that are like those of the table but not among them. Half of them lie between two rows, as a picture does that shows what the
 * table has; half lie off a row, and those are hard to find, because beside a row there is little else. What share of the ten nearest is found
 * of either, and of 600 pictures from elsewhere; 4,000 to 16,000 of the rows are real, 300,000 are made of them:
 *
 *     partitions, rows    8, 2                16, 2               32, 3               64, 5
 *      4,000      .911 .888 | .903    .944 .938 | .958    .980 .976 | .983    .993 .994 | .996
 *      8,000      .923 .888 | .892    .961 .945 | .955    .981 .977 | .987    .993 .993 | .998
 *     16,000      .894 .863 | .872    .933 .919 | .934    .969 .959 | .973    .989 .984 | .993
 *    300,000      .856 .771 | .839    .877 .815 | .916    .912 .869 | .968    .946 .914 | .985
 *
 * By the first alone .9 would be promised where there is less; by the second alone .95 takes twice as long as by both.
 */
static pn_status picture_queries(const pn_index_builder *b, float **out, size_t *n_out,
                                 pn_error *err)
{
    uint32_t *chosen;
    size_t n, m = 0;
    PN_TRY(pn_index_builder_choose(b, CALIBRATION_ROWS, b->options->seed + 3, &chosen, &n, err));
    float *queries = pn_alloc_array((n + 1) * b->dim, sizeof *queries);
    float *pair = pn_alloc_array(2 * b->dim, sizeof *pair);
    pn_rng rng = pn_rng_seed(b->options->seed);
    for (size_t i = 0; queries && pair && i < n; i++) {
        float *q = queries + m * b->dim;
        if (b->labels[chosen[i]] == PN_NOT_LISTED)
            continue;
        uint32_t near[2] = {neighbour_of(b, chosen[i], &rng), neighbour_of(b, chosen[i], &rng)};
        pn_index_builder_gather(b, &chosen[i], 1, q);
        pn_index_builder_gather(b, near, 2, pair);
        move_picture(b, pair, i % 2 == 0, q);
        m += b->kernels->normalise_f32(q, b->dim) > 0;
    }
    pn_free(chosen);
    pn_free(pair);
    if (!queries || !pair) {
        pn_free(queries);
        return pn_fail_nomem(err);
    }
    *out = queries;
    *n_out = m;
    return PN_OK;
}

/* efforts of the index become those that are measured, one kind after the other. */
static pn_status calibrate(pn_index_builder *b, pn_index *index, pn_effort_row *efforts,
                           pn_error *err)
{
    const pn_index_build_options *o = b->options;
    float *queries;
    size_t n;
    PN_TRY(pn_index_builder_go_on(b, "calibrating", 0, err));
    PN_TRY(picture_queries(b, &queries, &n, err));
    pn_calibration calibration = {.index = index,
                                  .rows = b->rows,
                                  .queries = queries,
                                  .n = n,
                                  .kind = PN_QUERY_PICTURE,
                                  .pool = o->pool,
                                  .cancel = o->cancel};
    pn_status status = pn_index_calibrate(&calibration, efforts, &index->facts.widening[0], err);
    pn_free(queries);
    PN_TRY(status);
    if (o->n_texts == 0)
        return PN_OK;
    PN_TRY(pn_index_builder_go_on(b, "calibrating", 0.5, err));
    calibration.queries = b->asked_texts;
    calibration.n = b->n_asked;
    calibration.n_apart = b->n_lone;
    calibration.kind = PN_QUERY_TEXT;
    return pn_index_calibrate(&calibration, efforts + PN_EFFORTS_MAX, &index->facts.widening[1],
                              err);
}

/* The efforts are measured on the file as far as it is written, and become its last section. */
static pn_status measure_efforts(pn_index_builder *b, pn_index_writer *w, pn_effort_row *efforts,
                                 pn_error *err)
{
    pn_index index = {0};
    PN_TRY(pn_index_writer_map(w, &index.mapping, err));
    index.facts = *pn_index_writer_facts(w);
    pn_index_place_arrays(&index, index.mapping.data);
    index.efforts = efforts;
    pn_status status = pn_index_derive(&index, err);
    if (status == PN_OK)
        status = calibrate(b, &index, efforts, err);
    memcpy(pn_index_writer_facts(w)->widening, index.facts.widening, sizeof index.facts.widening);
    pn_mapping_close(&index.mapping);
    pn_index_free_derived(&index);
    return status;
}

/* No partition is left out, so that rows of all of them compete by their codes: where the other index gets by with little, because it asks few, that is
 * not enough (.82 instead of .90 of 20,000 rows). */
static void take_efforts(const pn_index *like, size_t n_partitions, pn_index_trailer *facts,
                         pn_effort_row *efforts)
{
    for (size_t i = 0; i < (size_t)PN_QUERY_KINDS * PN_EFFORTS_MAX; i++) {
        efforts[i] = like->efforts[i];
        if (efforts[i].recall > 0) {
            efforts[i].partitions = (uint32_t)n_partitions;
            efforts[i].rows = PN_MAX(efforts[i].rows, LEAST_ALIKE_EFFORT);
            efforts[i].gap = efforts[i].widest_gap = INFINITY;
        }
    }
    memcpy(facts->widening, like->facts.widening, sizeof facts->widening);
}

static bool is_alike(const pn_index_builder *b)
{
    return b->options->like && b->n_live <= PN_INDEX_ALIKE_ROWS;
}

static pn_status write_efforts(pn_index_builder *b, pn_index_writer *w, pn_error *err)
{
    pn_effort_row *efforts =
        PN_ARENA_NEW(&b->arena, pn_effort_row, (size_t)PN_QUERY_KINDS * PN_EFFORTS_MAX);
    if (!efforts)
        return pn_fail_nomem(err);
    if (is_alike(b))
        take_efforts(b->options->like, b->n_partitions, pn_index_writer_facts(w), efforts);
    else
        PN_TRY(measure_efforts(b, w, efforts, err));
    return pn_index_writer_section(w, PN_SECTION_EFFORTS, efforts,
                                   (size_t)PN_QUERY_KINDS * PN_EFFORTS_MAX * sizeof *efforts, err);
}

/* ---- all of it */

static size_t count_groups(const pn_index_builder *b)
{
    size_t groups = b->options->code_groups ? b->options->code_groups : CODE_GROUPS;
    groups = PN_MIN(PN_MIN(groups, b->dim), (size_t)PN_CODE_MAX_GROUPS);
    groups = groups / PN_CODE_GROUPS_STEP * PN_CODE_GROUPS_STEP;
    return PN_MAX(groups, (size_t)PN_CODE_GROUPS_STEP);
}

static void choose_sizes(pn_index_builder *b)
{
    double n = (double)b->n_live;
    size_t wanted = b->options->n_partitions ? b->options->n_partitions : (size_t)(4 * sqrt(n));
    size_t least = is_alike(b) ? ALIKE_PARTITION : LEAST_PARTITION;
    b->n_partitions = PN_MAX(PN_MIN(wanted, (size_t)b->n_live / least), (size_t)1);
    b->n_regions = (size_t)PN_MAX(sqrt((double)b->n_partitions), 1.0);
    b->n_books = b->options->n_texts > 0 ? 2 : 1;
    for (size_t book = 0; book < PN_INDEX_BOOKS; book++)
        b->n_groups[book] =
            b->options->like ? b->options->like->facts.n_groups[book] : count_groups(b);
}

static void free_builder(pn_index_builder *b)
{
    pn_free(b->sample);
    pn_free(b->sample_regions);
    pn_free(b->regions);
    pn_centroids_reset(&b->region_compare);
    pn_free(b->region_starts);
    pn_free(b->centroids);
    pn_free(b->rounded);
    pn_free(b->rounded_scales);
    for (size_t r = 0; b->partition_compare && r < b->n_regions; r++)
        pn_centroids_reset(&b->partition_compare[r]);
    pn_free(b->partition_compare);
    pn_free(b->labels);
    pn_free(b->starts);
    pn_free(b->order);
    pn_free(b->positions);
    pn_free(b->block_starts);
    pn_free(b->scales);
    pn_free(b->errors);
    pn_free(b->sums);
    pn_free(b->copies);
    for (size_t book = 0; book < PN_INDEX_BOOKS; book++) {
        pn_free(b->packed[book]);
        pn_free(b->packed_query[book]);
        pn_free(b->turned_means[book]);
        pn_free(b->codes[book]);
        pn_free(b->offsets[book]);
    }
    pn_arena_reset(&b->arena);
}

static pn_status check_input(const pn_vector_rows *rows, const pn_index_build_options *options,
                             pn_error *err)
{
    if (rows->dim > PN_INDEX_MAX_DIM || rows->dim < PN_CODE_GROUPS_STEP)
        return pn_fail(err, PN_ERR_LIMIT, "an index of vectors of %zu values: from %d to %d",
                       rows->dim, PN_CODE_GROUPS_STEP, PN_INDEX_MAX_DIM);
    for (size_t f = 0; f < rows->n_fragments; f++)
        if (rows->fragments[f].n_runs == 0 && rows->fragments[f].n_rows > 0)
            return pn_fail(err, PN_ERR_INVALID, "an index without the vectors of fragment %u",
                           rows->fragments[f].id);
    if (options->like && options->like->facts.dim != rows->dim)
        return pn_fail(err, PN_ERR_INVALID, "codes for %u values for vectors of %zu",
                       options->like->facts.dim, rows->dim);
    if (options->like && (options->like->facts.n_texts > 0) != (options->n_texts > 0))
        return pn_fail(err, PN_ERR_INVALID, "codes %s texts for an index %s",
                       options->n_texts > 0 ? "without" : "with",
                       options->n_texts > 0 ? "with them" : "without");
    for (size_t i = 0; i < options->n_texts; i++)
        if (!isfinite(pn_kernels_get()->norm_f32(options->texts + i * rows->dim, rows->dim)))
            return pn_fail(err, PN_ERR_INVALID, "the vector of text %zu is not a number", i);
    return PN_OK;
}

pn_status pn_index_build(const pn_vector_rows *rows, const pn_index_build_options *options,
                         const char *path, pn_error *err)
{
    PN_TRY(check_input(rows, options, err));
    pn_status status = PN_OK;
    pn_index_writer *writer = NULL;
    pn_index_builder b = {.rows = rows,
                          .options = options,
                          .kernels = pn_kernels_get(),
                          .dim = rows->dim,
                          .n_live = pn_vector_rows_count(rows)};
    if (b.n_live < PN_INDEX_MIN_ROWS)
        return pn_fail(err, PN_ERR_INVALID, "an index needs at least %d rows, these are %" PRIu64,
                       PN_INDEX_MIN_ROWS, b.n_live);
    pn_arena_init(&b.arena, SIZE_MAX);
    choose_sizes(&b);
    PN_GOTO(done, pn_index_builder_partition(&b, err));
    PN_GOTO(done, share_texts(&b, err));
    PN_GOTO(done, find_means(&b, err));
    PN_GOTO(done, options->like ? take_codes(&b, options->like, err) : train_codes(&b, err));
    PN_GOTO(done, pn_index_writer_create(path, &writer, err));
    PN_GOTO(done, write_copies(&b, writer, err));
    PN_GOTO(done, write_arrays(&b, writer, err));
    PN_GOTO(done, write_efforts(&b, writer, err));
    PN_GOTO(done, pn_index_writer_finish(writer, err));
    if (options->progress) /* too late to be cancelled */
        options->progress(options->context, "done", 1);
done:
    pn_index_writer_free(writer);
    free_builder(&b);
    return status;
}

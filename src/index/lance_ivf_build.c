/*
 * lance_ivf_build.c - an index in LanceDB's format: partitions, codes, two files
 *
 *     1  sample     rows, evenly spread: 64 a partition, 32,768 at least
 *     2  centroids  k-means of the sample
 *     3  codebooks  k-means of 256 codewords for each eight axes of the sample's residuals
 *     4  rows       each to its nearest centroid, its residual to the nearest codewords
 *     5  files      rows by partition; in one, all first bytes come before all second ones
 *
 * Vectors are made units first, as LanceDB does for the distance "cosine": its queries by cosine then find what these codes say. Eight
 * axes a byte, where LanceDB's own default is sixteen: twice the codes, and half of the rows to be compared by their vectors.
 */
#include "index/lance_ivf_build.h"

#include <lance_index.pb-c.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "index/kmeans.h"
#include "index/lance_ivf_parts.h"
#include "kernels/kernels.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    PARTITION_ROWS = 1024,
    SAMPLE_A_PARTITION = 64,
    LEAST_SAMPLE = 32768,
    MOST_SAMPLE = 262144,
    CODEBOOK_SAMPLE = 32768,
    CENTROID_TURNS = 12,
    CODEBOOK_TURNS = 10,
    AXES_A_BYTE = 8,
    BLOCK_ROWS = 128,
    BLOCKS_AT_ONCE = 256, /* between two looks at progress */
    TENSOR_FLOAT = 2
};
static const uint32_t NOT_LISTED = UINT32_MAX;

typedef struct building {
    const pn_vector_rows *rows;
    const pn_lance_build_options *options;
    const pn_kernels *kernels;
    pn_arena arena;
    size_t dim, n_partitions, n_subs, width;
    float *sample; /* [n_sample][dim] unit vectors */
    size_t n_sample;
    float *centroids; /* [n_partitions][dim] */
    pn_centroids compare;
    float *codebook;     /* [n_subs][256][width] */
    pn_centroids *words; /* [n_subs] the same */
    size_t first_block;
    uint32_t *labels; /* [n_rows] */
    uint8_t *codes;   /* [n_rows][n_subs] */
    uint64_t *starts; /* [n_partitions + 1] */
    uint32_t *order;  /* [n_listed] ordinals by partition */
    _Atomic bool failed;
} building;

static pn_status go_on(const building *b, const char *stage, double done, pn_error *err)
{
    if (b->options->progress)
        b->options->progress(b->options->context, stage, done);
    if (b->options->cancel && atomic_load(b->options->cancel))
        return pn_fail(err, PN_ERR_CANCELLED, "stopped");
    return atomic_load(&b->failed) ? pn_fail_nomem(err) : PN_OK;
}

/* ---- shapes ---- */

static size_t choose_subs(size_t dim)
{
    size_t n = PN_MAX(dim / AXES_A_BYTE, (size_t)1);
    while (dim % n != 0)
        n--;
    return n;
}

static pn_status choose_shape(building *b, pn_error *err)
{
    uint64_t n = pn_vector_rows_count(b->rows);
    if (n < PN_LANCE_IVF_MIN_ROWS)
        return pn_fail(err, PN_ERR_INVALID, "%llu rows with vectors: an index needs %d",
                       (unsigned long long)n, (int)PN_LANCE_IVF_MIN_ROWS);
    if (b->dim > PN_INDEX_MAX_DIM)
        return pn_fail(err, PN_ERR_LIMIT, "vectors of %zu floats; an index takes up to %d", b->dim,
                       PN_INDEX_MAX_DIM);
    size_t wanted = b->options->n_partitions;
    b->n_partitions = wanted > 0 ? wanted : (size_t)(n / PARTITION_ROWS) + 1;
    b->n_partitions = PN_MIN(b->n_partitions, (size_t)(n / 16));
    b->n_subs = choose_subs(b->dim);
    b->width = b->dim / b->n_subs;
    return PN_OK;
}

/* ---- training ---- */

static pn_status take_sample(building *b, pn_error *err)
{
    size_t wanted = PN_MAX(b->n_partitions * SAMPLE_A_PARTITION, (size_t)LEAST_SAMPLE);
    wanted = PN_MIN(wanted, (size_t)MOST_SAMPLE);
    uint64_t n = b->rows->n_rows, most = PN_MIN((uint64_t)wanted, n);
    b->sample = pn_alloc_aligned(64, (size_t)most * b->dim * sizeof *b->sample);
    if (!b->sample)
        return pn_fail_nomem(err);
    for (uint64_t i = 0; i < most; i++) {
        uint64_t ordinal = i * n / most;
        if (!pn_vector_rows_is_deleted(b->rows, ordinal))
            b->n_sample += pn_vector_rows_copy(b->rows, ordinal, b->sample + b->n_sample * b->dim);
    }
    return b->n_sample > 0 ? PN_OK : pn_fail(err, PN_ERR_INVALID, "no vector is a number");
}

static pn_status train_centroids(building *b, pn_error *err)
{
    const pn_kmeans_options o = {.dim = b->dim,
                                 .k = b->n_partitions,
                                 .iterations = CENTROID_TURNS,
                                 .seed = b->options->seed,
                                 .pool = b->options->pool,
                                 .cancel = b->options->cancel};
    b->centroids = PN_ARENA_NEW(&b->arena, float, b->n_partitions * b->dim);
    if (!b->centroids)
        return pn_fail_nomem(err);
    PN_TRY(go_on(b, "partitions", 0, err));
    PN_TRY(pn_kmeans(b->sample, b->n_sample, &o, b->centroids, err));
    return pn_centroids_init(b->centroids, b->n_partitions, b->dim, &b->compare, err);
}

/* The partitions of n rows; nearness [n][n_partitions] is scratch. */
static void assign(const building *b, const float *vectors, size_t n, float *nearness,
                   uint32_t *labels)
{
    pn_centroids_compare(&b->compare, vectors, n, nearness);
    for (size_t i = 0; i < n; i++) {
        const float *row = nearness + i * b->n_partitions;
        uint32_t best = 0;
        for (uint32_t p = 1; p < b->n_partitions; p++)
            best = row[p] > row[best] ? p : best;
        labels[i] = best;
    }
}

static void subtract(const building *b, float *vector, uint32_t partition)
{
    const float *c = b->centroids + partition * b->dim;
    for (size_t i = 0; i < b->dim; i++)
        vector[i] -= c[i];
}

/* What is left of the sample's first rows, in their place; returns how many. */
static pn_status leave_residuals(building *b, size_t *n, pn_error *err)
{
    uint32_t labels[BLOCK_ROWS];
    *n = PN_MIN(b->n_sample, (size_t)CODEBOOK_SAMPLE);
    float *nearness = pn_alloc_array(BLOCK_ROWS * b->n_partitions, sizeof *nearness);
    if (!nearness)
        return pn_fail_nomem(err);
    for (size_t first = 0; first < *n; first += BLOCK_ROWS) {
        size_t block = PN_MIN((size_t)BLOCK_ROWS, *n - first);
        assign(b, b->sample + first * b->dim, block, nearness, labels);
        for (size_t i = 0; i < block; i++)
            subtract(b, b->sample + (first + i) * b->dim, labels[i]);
    }
    pn_free(nearness);
    return PN_OK;
}

/* Rows are in the order of the table: the residuals that are learnt from have to be of all of it. */
static void spread_sample(building *b)
{
    size_t n = PN_MIN(b->n_sample, (size_t)CODEBOOK_SAMPLE);
    for (size_t i = 0; i < n; i++)
        memmove(b->sample + i * b->dim, b->sample + i * b->n_sample / n * b->dim,
                b->dim * sizeof *b->sample);
}

static pn_status train_sub(building *b, size_t sub, size_t n, float *points, pn_error *err)
{
    const pn_kmeans_options o = {.dim = b->width,
                                 .k = PN_LANCE_PQ_ENTRIES,
                                 .iterations = CODEBOOK_TURNS,
                                 .seed = b->options->seed + sub,
                                 .pool = b->options->pool,
                                 .cancel = b->options->cancel};
    float *words = b->codebook + sub * PN_LANCE_PQ_ENTRIES * b->width;
    for (size_t i = 0; i < n; i++)
        memcpy(points + i * b->width, b->sample + i * b->dim + sub * b->width,
               b->width * sizeof *points);
    PN_TRY(pn_kmeans(points, n, &o, words, err));
    return pn_centroids_init(words, PN_LANCE_PQ_ENTRIES, b->width, &b->words[sub], err);
}

static pn_status train_codebooks(building *b, pn_error *err)
{
    size_t n;
    b->codebook = PN_ARENA_NEW(&b->arena, float, PN_LANCE_PQ_ENTRIES * b->dim);
    b->words = PN_ARENA_NEW(&b->arena, pn_centroids, b->n_subs);
    if (!b->codebook || !b->words)
        return pn_fail_nomem(err);
    spread_sample(b);
    PN_TRY(leave_residuals(b, &n, err));
    float *points = pn_alloc_array(n * b->width, sizeof *points);
    if (!points)
        return pn_fail_nomem(err);
    pn_status status = PN_OK;
    for (size_t sub = 0; sub < b->n_subs && status == PN_OK; sub++) {
        status = go_on(b, "codes", (double)sub / (double)b->n_subs, err);
        if (status == PN_OK)
            status = train_sub(b, sub, n, points, err);
    }
    pn_free(points);
    pn_free(b->sample);
    b->sample = NULL;
    return status;
}

/* ---- rows ---- */

/* The nearest codeword of one part of n residuals. */
static void encode_sub(const building *b, size_t sub, const float *residuals, size_t n,
                       float *nearness, uint8_t *codes)
{
    const pn_centroids *words = &b->words[sub];
    const pn_gemm gemm = {.c = nearness,
                          .ldc = PN_LANCE_PQ_ENTRIES,
                          .a = residuals + sub * b->width,
                          .lda = b->dim,
                          .w = {.packed = words->packed},
                          .bias = words->bias,
                          .m = n,
                          .n = PN_LANCE_PQ_ENTRIES,
                          .k = b->width};
    b->kernels->gemm_f32(&gemm, 0, pn_gemm_panels(PN_LANCE_PQ_ENTRIES));
    for (size_t i = 0; i < n; i++) {
        const float *row = nearness + i * PN_LANCE_PQ_ENTRIES;
        size_t best = 0;
        for (size_t w = 1; w < PN_LANCE_PQ_ENTRIES; w++)
            best = row[w] > row[best] ? w : best;
        codes[i * b->n_subs + sub] = (uint8_t)best;
    }
}

static void encode_block(void *context, size_t at, unsigned worker)
{
    building *b = context;
    (void)worker;
    uint32_t ordinals[BLOCK_ROWS] = {0}, labels[BLOCK_ROWS];
    size_t n = 0, most = PN_MAX(b->n_partitions, (size_t)PN_LANCE_PQ_ENTRIES);
    uint64_t first = (b->first_block + at) * BLOCK_ROWS;
    uint64_t end = PN_MIN(first + BLOCK_ROWS, b->rows->n_rows);
    float *vectors = pn_alloc_aligned(64, BLOCK_ROWS * b->dim * sizeof *vectors);
    float *nearness = pn_alloc_aligned(64, BLOCK_ROWS * most * sizeof *nearness);
    uint8_t *codes = pn_alloc(BLOCK_ROWS * b->n_subs);
    if (!vectors || !nearness || !codes) {
        atomic_store(&b->failed, true);
        end = first;
    }
    for (uint64_t row = first; row < end; row++) {
        b->labels[row] = NOT_LISTED;
        ordinals[n] = (uint32_t)row;
        if (!pn_vector_rows_is_deleted(b->rows, row))
            n += pn_vector_rows_copy(b->rows, row, vectors + n * b->dim);
    }
    if (n > 0)
        assign(b, vectors, n, nearness, labels);
    for (size_t i = 0; i < n; i++) {
        subtract(b, vectors + i * b->dim, labels[i]);
        b->labels[ordinals[i]] = labels[i];
    }
    for (size_t sub = 0; sub < b->n_subs && n > 0; sub++)
        encode_sub(b, sub, vectors, n, nearness, codes);
    for (size_t i = 0; i < n; i++)
        memcpy(b->codes + (size_t)ordinals[i] * b->n_subs, codes + i * b->n_subs, b->n_subs);
    pn_free(vectors);
    pn_free(nearness);
    pn_free(codes);
}

static pn_status encode_rows(building *b, pn_error *err)
{
    size_t n_rows = (size_t)b->rows->n_rows, n = (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    b->labels = PN_ARENA_NEW(&b->arena, uint32_t, n_rows);
    b->codes = PN_ARENA_NEW(&b->arena, uint8_t, n_rows * b->n_subs);
    if (!b->labels || !b->codes)
        return pn_fail_nomem(err);
    for (b->first_block = 0; b->first_block < n; b->first_block += BLOCKS_AT_ONCE) {
        PN_TRY(go_on(b, "rows", (double)b->first_block / (double)n, err));
        pn_pool_for(b->options->pool, PN_MIN((size_t)BLOCKS_AT_ONCE, n - b->first_block),
                    encode_block, b);
    }
    return go_on(b, "rows", 1, err);
}

static pn_status sort_rows(building *b, pn_error *err)
{
    size_t n_rows = (size_t)b->rows->n_rows;
    b->starts = PN_ARENA_NEW(&b->arena, uint64_t, b->n_partitions + 1);
    b->order = PN_ARENA_NEW(&b->arena, uint32_t, n_rows);
    uint64_t *next = PN_ARENA_NEW(&b->arena, uint64_t, b->n_partitions);
    if (!b->starts || !b->order || !next)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_rows; i++)
        if (b->labels[i] != NOT_LISTED)
            b->starts[b->labels[i] + 1]++;
    for (size_t p = 0; p < b->n_partitions; p++) {
        b->starts[p + 1] += b->starts[p];
        next[p] = b->starts[p];
    }
    for (size_t i = 0; i < n_rows; i++)
        if (b->labels[i] != NOT_LISTED)
            b->order[next[b->labels[i]]++] = (uint32_t)i;
    return PN_OK;
}

/* ---- files ---- */

static pn_status add_message(pn_lance_writer *w, const ProtobufCMessage *message, pn_error *err)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = pn_alloc(n + 1);
    if (!bytes)
        return pn_fail_nomem(err);
    n = protobuf_c_message_pack(message, bytes);
    pn_status status = pn_lance_writer_add_global(w, bytes, n, err);
    pn_free(bytes);
    return status;
}

static void fill_tensor(float *values, uint32_t *shape, uint32_t rows, size_t dim,
                        Pn__LanceIndex__Tensor *out)
{
    pn__lance_index__tensor__init(out);
    shape[0] = rows;
    shape[1] = (uint32_t)dim;
    out->has_data_type = out->has_data = 1;
    out->data_type = TENSOR_FLOAT;
    out->shape = shape;
    out->n_shape = 2;
    out->data = (ProtobufCBinaryData){rows * dim * sizeof *values, (uint8_t *)values};
}

/* "lance:flat": a list of as many empty texts as there are partitions. */
static pn_status add_flat(building *b, pn_lance_writer *w, pn_error *err)
{
    pn_buffer text;
    pn_buffer_init(&text, 64u << 20);
    pn_status status = pn_buffer_append_text(&text, "[", err);
    for (size_t i = 0; i < b->n_partitions && status == PN_OK; i++)
        status = pn_buffer_append_text(&text, i == 0 ? "\"\"" : ",\"\"", err);
    if (status == PN_OK)
        status = pn_buffer_append(&text, "]", 2, err); // with its end
    if (status == PN_OK)
        status = pn_lance_writer_add_metadata(w, "lance:flat", (const char *)text.data, err);
    pn_buffer_reset(&text);
    return status;
}

static pn_status fill_coarse(building *b, pn_lance_writer *w, pn_error *err)
{
    uint32_t shape[2];
    Pn__LanceIndex__Tensor centroids;
    Pn__LanceIndex__Ivf ivf = PN__LANCE_INDEX__IVF__INIT;
    fill_tensor(b->centroids, shape, (uint32_t)b->n_partitions, b->dim, &centroids);
    ivf.n_offsets = ivf.n_lengths = b->n_partitions; // of a graph, which there is not
    ivf.offsets = PN_ARENA_NEW(&b->arena, uint64_t, b->n_partitions);
    ivf.lengths = PN_ARENA_NEW(&b->arena, uint32_t, b->n_partitions);
    ivf.centroids = &centroids;
    if (!ivf.offsets || !ivf.lengths)
        return pn_fail_nomem(err);
    PN_TRY(add_message(w, &ivf.base, err));
    PN_TRY(pn_lance_writer_add_metadata(w, "lance:ivf", "1", err));
    PN_TRY(pn_lance_writer_add_metadata(w, "lance:index",
                                        "{\"type\":\"IVF_PQ\",\"distance_type\":\"cosine\"}", err));
    return add_flat(b, w, err);
}

static pn_status write_coarse(building *b, const char *path, uint64_t *bytes, pn_error *err)
{
    pn_lance_writer *w;
    uint64_t n_rows;
    pn_field field = {.name = "__flat_marker", .type = PN_TYPE_UINT64, .id = 0};
    const pn_schema schema = {.fields = &field, .n_fields = 1};
    PN_TRY(pn_lance_writer_create(path, &schema, &w, err));
    pn_status status = fill_coarse(b, w, err);
    if (status == PN_OK)
        status = pn_lance_writer_finish(w, NULL, &n_rows, bytes, err);
    pn_lance_writer_close(w);
    return status;
}

static pn_status add_partition_table(building *b, pn_lance_writer *w, pn_error *err)
{
    Pn__LanceIndex__Ivf ivf = PN__LANCE_INDEX__IVF__INIT;
    ivf.n_offsets = ivf.n_lengths = b->n_partitions;
    ivf.offsets = b->starts;
    ivf.lengths = PN_ARENA_NEW(&b->arena, uint32_t, b->n_partitions);
    if (!ivf.lengths)
        return pn_fail_nomem(err);
    for (size_t p = 0; p < b->n_partitions; p++)
        ivf.lengths[p] = (uint32_t)(b->starts[p + 1] - b->starts[p]);
    PN_TRY(add_message(w, &ivf.base, err));
    return pn_lance_writer_add_metadata(w, "lance:ivf", "1", err);
}

static pn_status add_codebook(building *b, pn_lance_writer *w, pn_error *err)
{
    char storage[256];
    uint32_t shape[2];
    Pn__LanceIndex__Tensor codebook;
    fill_tensor(b->codebook, shape, PN_LANCE_PQ_ENTRIES, b->dim, &codebook);
    PN_TRY(add_message(w, &codebook.base, err));
    (void)snprintf(storage, sizeof storage,
                   "[\"{\\\"codebook_position\\\":2,\\\"nbits\\\":8,\\\"num_sub_vectors\\\":%zu,"
                   "\\\"dimension\\\":%zu,\\\"codebook_tensor\\\":[],\\\"transposed\\\":true}\"]",
                   b->n_subs, b->dim); // fits
    PN_TRY(pn_lance_writer_add_metadata(w, "distance_type", "cosine", err));
    return pn_lance_writer_add_metadata(w, "storage_metadata", storage, err);
}

/* The rows of one partition: their addresses, and their codes byte by byte. */
static pn_status append_partition(building *b, size_t p, const pn_schema *schema,
                                  pn_lance_writer *w, pn_error *err)
{
    const uint32_t *order = b->order + b->starts[p];
    size_t n = (size_t)(b->starts[p + 1] - b->starts[p]);
    uint64_t *ids = pn_alloc_array(n + 1, sizeof *ids);
    uint8_t *codes = pn_alloc_array(n + 1, b->n_subs);
    pn_status status = ids && codes ? PN_OK : pn_fail_nomem(err);
    for (size_t i = 0; i < n && status == PN_OK; i++) {
        ids[i] = pn_vector_rows_addr(b->rows, order[i]);
        for (size_t sub = 0; sub < b->n_subs; sub++)
            codes[sub * n + i] = b->codes[(size_t)order[i] * b->n_subs + sub];
    }
    if (status == PN_OK && n > 0) {
        const pn_array bytes = {
            .field = schema->fields[1].children, .length = n * b->n_subs, .values = codes};
        pn_array columns[] = {
            {.field = &schema->fields[0], .length = n, .values = ids},
            {.field = &schema->fields[1], .length = n, .children = &bytes, .n_children = 1}};
        const pn_batch batch = {.schema = schema, .columns = columns, .n_rows = n};
        status = pn_lance_writer_append(w, &batch, err);
    }
    pn_free(ids);
    pn_free(codes);
    return status;
}

static pn_status fill_fine(building *b, const pn_schema *schema, pn_lance_writer *w, pn_error *err)
{
    PN_TRY(add_partition_table(b, w, err));
    PN_TRY(add_codebook(b, w, err));
    for (size_t p = 0; p < b->n_partitions; p++)
        PN_TRY(append_partition(b, p, schema, w, err));
    return PN_OK;
}

static pn_status write_fine(building *b, const char *path, pn_lance_built *out, pn_error *err)
{
    pn_lance_writer *w;
    pn_field item = {.name = "item", .type = PN_TYPE_UINT8, .nullable = true, .id = -1};
    pn_field fields[] = {{.name = "_rowid", .type = PN_TYPE_UINT64, .nullable = true, .id = 0},
                         {.name = "__pq_code",
                          .type = PN_TYPE_FIXED_SIZE_LIST,
                          .nullable = true,
                          .size = (int32_t)b->n_subs,
                          .id = 1,
                          .children = &item,
                          .n_children = 1}};
    const pn_schema schema = {.fields = fields, .n_fields = 2};
    PN_TRY(pn_lance_writer_create(path, &schema, &w, err));
    pn_status status = fill_fine(b, &schema, w, err);
    if (status == PN_OK)
        status = pn_lance_writer_finish(w, NULL, &out->n_rows, &out->fine_bytes, err);
    pn_lance_writer_close(w);
    return status;
}

/* ---- all ---- */

static pn_status build(building *b, const char *folder, pn_lance_built *out, pn_error *err)
{
    PN_TRY(choose_shape(b, err));
    PN_TRY(take_sample(b, err));
    PN_TRY(train_centroids(b, err));
    PN_TRY(train_codebooks(b, err));
    PN_TRY(encode_rows(b, err));
    PN_TRY(sort_rows(b, err));
    const char *coarse = pn_arena_printf(&b->arena, "%s/index.idx", folder);
    const char *fine = pn_arena_printf(&b->arena, "%s/auxiliary.idx", folder);
    if (!coarse || !fine)
        return pn_fail_nomem(err);
    out->n_partitions = b->n_partitions;
    out->n_subs = b->n_subs;
    PN_TRY(write_coarse(b, coarse, &out->coarse_bytes, err));
    return write_fine(b, fine, out, err);
}

pn_status pn_lance_ivf_build(const pn_vector_rows *rows, const pn_lance_build_options *options,
                             const char *folder, pn_lance_built *out, pn_error *err)
{
    pn_lance_built built = {0};
    building b = {.rows = rows, .options = options, .kernels = pn_kernels_get(), .dim = rows->dim};
    pn_arena_init(&b.arena, SIZE_MAX);
    pn_status status = build(&b, folder, &built, err);
    pn_free(b.sample);
    pn_centroids_reset(&b.compare);
    for (size_t sub = 0; b.words && sub < b.n_subs; sub++)
        pn_centroids_reset(&b.words[sub]);
    pn_arena_reset(&b.arena);
    if (status == PN_OK)
        *out = built;
    return status;
}

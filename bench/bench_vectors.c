/*
 * bench_vectors.c - millions of vectors that look like CLIP's, and their exact neighbours
 *
 *     bench_vectors DATA ROWS OUT [--product] [--threads N] [--k K]
 *
 * DATA is the folder of real vectors with its EMBEDDINGS.md: new rows are made from those of its news set by the
 * neighbour-difference bootstrap that is described there. Into the folder OUT go
 *
 *     base.f32               [ROWS][512] unit vectors; a longer file that is there already is used as it is
 *     qi.f32, qt.f32         queries: held-out pictures, texts        (both unit vectors)
 *     ct.f32                 other texts, which no query repeats: for calibration
 *     gti.ROWS, gtt.ROWS     int32 queries, int32 k, int32 ids [queries][k], float scores [queries][k]
 *
 * --product moves the rows into the narrower cone of product photos. Row r is made from r alone, by any thread.
 *
 * DATA may be "-": then the vectors that rows are made from are made up as well, for those who have no real ones. They lie in a cone,
 * in themes and topics of power-law spectrum, and texts in another cone, each near a topic. Figures of the two kinds of data do not
 * compare.
 */
#include "base/alloc.h"
#include "base/topk.h"
#include "kernels/kernels.h"
#include "os/clock.h"
#include "os/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DIM = 512, NEIGHBOURS = 64, MIXED = 16, CHUNK = 4096, TILE = 256, MAX_QUERIES = 1000 };

static const uint64_t seed = 42;

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_vectors: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *p = pn_alloc_array(n, size);
    if (p == NULL)
        stop("memory", "none left");
    return p;
}

/* ---- .npy files of two dimensions */

typedef struct matrix {
    size_t rows, columns;
    float *values;      /* f32 and f16 files */
    uint16_t *integers; /* u16 files */
} matrix;

static matrix read_npy(const char *folder, const char *name)
{
    char path[4096], header[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        stop(path, strerror(errno));
    uint8_t start[10];
    if (fread(start, 1, sizeof start, file) != sizeof start || memcmp(start, "\x93NUMPY", 6) != 0)
        stop(path, "no .npy file");
    size_t header_size = start[8] + 256u * start[9];
    if (header_size >= sizeof header || fread(header, 1, header_size, file) != header_size)
        stop(path, "cut");
    header[header_size] = '\0';
    const char *shape = strstr(header, "'shape': (");
    matrix m = {.columns = 1};
    if (shape == NULL || sscanf(shape, "'shape': (%zu, %zu", &m.rows, &m.columns) < 1 ||
        m.rows > 1u << 24 || m.columns > 1u << 16)
        stop(path, "a shape this program does not read");
    size_t n = m.rows * m.columns, size = strstr(header, "<f4") != NULL ? 4 : 2;
    void *raw = allocate(n, size);
    if (fread(raw, size, n, file) != n)
        stop(path, "cut");
    fclose(file);
    if (strstr(header, "<u2") != NULL) {
        m.integers = raw;
    } else if (size == 4) {
        m.values = raw;
    } else {
        m.values = allocate(n, sizeof(float));
        pn_kernels_get()->f16_to_f32(m.values, raw, n);
        pn_free(raw);
    }
    return m;
}

static void normalise_rows(matrix *m)
{
    for (size_t i = 0; i < m->rows; i++)
        pn_kernels_get()->normalise_f32(m->values + i * m->columns, m->columns);
}

/* ---- the generator */

typedef struct generator {
    matrix anchors, neighbours, mean;
    bool product;
} generator;

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t next(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    return mix(*state);
}

static double uniform(uint64_t *state)
{
    return (double)(next(state) >> 40) / 16777216.0;
}

static double gauss(uint64_t *state)
{
    uint64_t z = next(state);
    double sum = (double)(z & 65535) + (double)(z >> 16 & 65535) + (double)(z >> 32 & 65535) +
                 (double)(z >> 48);
    return (sum - 131070) / 37837.2;
}

static void scale_to_unit(double *x)
{
    double sum = 0;
    for (size_t d = 0; d < DIM; d++)
        sum += x[d] * x[d];
    for (size_t d = 0; d < DIM; d++)
        x[d] /= sqrt(sum);
}

static uint64_t stream_of(uint64_t row)
{
    return mix(seed + UINT64_C(0x9E3779B97F4A7C15) * (row + 1));
}

static void fresh(const generator *g, uint64_t row, double *x)
{
    uint64_t state = stream_of(row);
    (void)next(&state);
    (void)next(&state);
    uint64_t anchor = next(&state) % g->anchors.rows;
    double reach = 1.2 * sqrt(uniform(&state)), own = 1;
    size_t order[NEIGHBOURS];
    for (size_t i = 0; i < NEIGHBOURS; i++)
        order[i] = i;
    memset(x, 0, DIM * sizeof *x);
    for (size_t k = 0; k < MIXED; k++) {
        size_t j = k + next(&state) % (NEIGHBOURS - k), swapped = order[k];
        order[k] = order[j];
        order[j] = swapped;
        double share = reach / 4 * gauss(&state);
        own -= share;
        const float *other = g->anchors.values +
                             (size_t)g->neighbours.integers[anchor * NEIGHBOURS + order[k]] * DIM;
        for (size_t d = 0; d < DIM; d++)
            x[d] += share * (double)other[d];
    }
    for (size_t d = 0; d < DIM; d++)
        x[d] += own * (double)g->anchors.values[anchor * DIM + d];
    scale_to_unit(x);
}

/* A row, or at times the twin of an earlier one. */
static void make_row(const generator *g, uint64_t row, float *out)
{
    double x[DIM];
    uint64_t state = stream_of(row);
    double u = uniform(&state), v = uniform(&state);
    if (row == 0 || u >= 0.08) {
        fresh(g, row, x);
    } else {
        fresh(g, (uint64_t)(v * (double)row), x);
        if (u >= 0.02) {
            for (size_t d = 0; d < DIM; d++)
                x[d] += 0.04 / sqrt(512) * gauss(&state);
            scale_to_unit(x);
        }
    }
    if (g->product) {
        for (size_t d = 0; d < DIM; d++)
            x[d] += 0.34 * (double)g->mean.values[d];
        scale_to_unit(x);
    }
    for (size_t d = 0; d < DIM; d++)
        out[d] = (float)x[d];
}

typedef struct make_job {
    const generator *g;
    float *rows;
    uint64_t first;
} make_job;

static void make_one(void *context, size_t i, unsigned worker)
{
    const make_job *job = context;
    (void)worker;
    make_row(job->g, job->first + i, job->rows + i * DIM);
}

static void progress(const char *what, uint64_t done, uint64_t of)
{
    fprintf(stderr, "\r%s: %3.0f %%%s", what, 100.0 * (double)done / (double)of,
            done == of ? "\n" : "");
}

static void write_base(const char *path, const generator *g, uint64_t n, pn_pool *pool)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        stop(path, strerror(errno));
    float *rows = allocate(CHUNK, DIM * sizeof *rows);
    for (uint64_t first = 0; first < n; first += CHUNK) {
        size_t count = (size_t)PN_MIN(n - first, (uint64_t)CHUNK);
        make_job job = {g, rows, first};
        pn_pool_for(pool, count, make_one, &job);
        if (fwrite(rows, DIM * sizeof *rows, count, file) != count)
            stop(path, strerror(errno));
        progress("rows", first + count, n);
    }
    if (fclose(file) != 0)
        stop(path, strerror(errno));
    pn_free(rows);
}

/* ---- vectors that are made up

   A picture is cone + theme + topic + its own, a text another cone + the same theme and topic + its own. What is drawn has the
   variance 1/(i + 1) along axis i of a basis turned at random: neither kind of index can profit from the axes. */

enum { MADE_UP = 4096, THEMES = 40, TOPICS = 400, MADE_UP_QUERIES = 500, MADE_UP_TEXTS = 800 };
#define CONE 0.7
#define TEXT_CONE 0.75

typedef struct made_up {
    float *basis, *themes, *topics; /* [DIM][DIM]; [THEMES][DIM]; [TOPICS][DIM] */
    uint64_t state;
} made_up;

static void draw(made_up *m, double length, float *x)
{
    double own[DIM], sum = 0;
    for (size_t i = 0; i < DIM; i++) {
        own[i] = gauss(&m->state) / sqrt((double)i + 1);
        sum += own[i] * own[i];
    }
    for (size_t i = 0; i < DIM; i++) {
        float share = (float)(length * own[i] / sqrt(sum));
        for (size_t d = 0; d < DIM; d++)
            x[d] += share * m->basis[i * DIM + d];
    }
}

static void turn_axes(made_up *m)
{
    const pn_kernels *kernels = pn_kernels_get();
    for (size_t i = 0; i < DIM; i++) {
        float *axis = m->basis + i * DIM;
        for (size_t d = 0; d < DIM; d++)
            axis[d] = (float)gauss(&m->state);
        for (size_t j = 0; j < i; j++) {
            float share = kernels->dot_f32(axis, m->basis + j * DIM, DIM);
            for (size_t d = 0; d < DIM; d++)
                axis[d] -= share * m->basis[j * DIM + d];
        }
        kernels->normalise_f32(axis, DIM);
    }
}

static float *zeros(size_t rows)
{
    float *x = allocate(rows * DIM, sizeof *x);
    memset(x, 0, rows * DIM * sizeof *x);
    return x;
}

static made_up make_up(void)
{
    made_up m = {zeros(DIM), zeros(THEMES), zeros(TOPICS), seed};
    turn_axes(&m);
    for (size_t i = 0; i < THEMES; i++)
        draw(&m, 0.4, m.themes + i * DIM);
    for (size_t i = 0; i < TOPICS; i++) {
        memcpy(m.topics + i * DIM, m.themes + i % THEMES * DIM, DIM * sizeof(float));
        draw(&m, 0.35, m.topics + i * DIM);
    }
    return m;
}

/* n rows around the cone, which is axis `axis`; of a topic so much. */
static matrix make_up_rows(made_up *m, size_t n, size_t axis, double cone, float topic)
{
    matrix out = {.rows = n, .columns = DIM, .values = zeros(n)};
    for (size_t i = 0; i < n; i++) {
        float *x = out.values + i * DIM;
        const float *middle = m->topics + next(&m->state) % TOPICS * DIM;
        for (size_t d = 0; d < DIM; d++)
            x[d] = (float)cone * m->basis[axis * DIM + d] + topic * middle[d];
        draw(m, 0.45 * (0.5 + uniform(&m->state)), x);
    }
    normalise_rows(&out);
    return out;
}

static matrix neighbours_of(const matrix *rows)
{
    matrix out = {.rows = rows->rows, .columns = NEIGHBOURS};
    out.integers = allocate(rows->rows * NEIGHBOURS, sizeof *out.integers);
    for (size_t i = 0; i < rows->rows; i++) {
        pn_candidate heap[NEIGHBOURS];
        pn_topk nearest;
        pn_topk_init(&nearest, heap, NEIGHBOURS);
        for (size_t j = 0; j < rows->rows; j++)
            if (j != i)
                pn_topk_push(
                    &nearest,
                    -pn_kernels_get()->dot_f32(rows->values + i * DIM, rows->values + j * DIM, DIM),
                    j);
        pn_topk_sort(&nearest);
        for (size_t k = 0; k < NEIGHBOURS; k++)
            out.integers[i * NEIGHBOURS + k] = (uint16_t)heap[k].id;
    }
    return out;
}

/* ---- exact neighbours: the rows, tile by tile, times all queries */

typedef struct truth {
    const matrix *queries;
    const float *packed, *rows;
    uint64_t first;
    size_t n_rows, k;
    pn_topk *nearest; /* [queries] */
    float *scores;    /* [panels][n_rows][16] */
} truth;

/* One panel of 16 queries with all rows of the chunk. */
static void rank_panel(void *context, size_t panel, unsigned worker)
{
    const truth *t = context;
    (void)worker;
    size_t first = panel * PN_GEMM_PANEL;
    size_t n = PN_MIN(t->queries->rows - first, (size_t)PN_GEMM_PANEL);
    float *scores = t->scores + panel * t->n_rows * PN_GEMM_PANEL;
    pn_gemm gemm = {.c = scores,
                    .ldc = n,
                    .a = t->rows,
                    .lda = DIM,
                    .w = {.packed = t->packed + panel * DIM * PN_GEMM_PANEL},
                    .m = t->n_rows,
                    .n = n,
                    .k = DIM};
    pn_kernels_get()->gemm_f32(&gemm, 0, 1);
    for (size_t r = 0; r < t->n_rows; r++)
        for (size_t q = 0; q < n; q++)
            pn_topk_push(&t->nearest[first + q], -scores[r * n + q], t->first + r);
}

static void write_truth(const char *path, pn_topk *nearest, size_t n_queries, size_t k)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        stop(path, strerror(errno));
    int32_t head[2] = {(int32_t)n_queries, (int32_t)k};
    fwrite(head, sizeof head, 1, file);
    for (size_t q = 0; q < n_queries; q++) {
        pn_topk_sort(&nearest[q]);
        for (size_t i = 0; i < k; i++) {
            int32_t id = (int32_t)nearest[q].heap[i].id;
            fwrite(&id, sizeof id, 1, file);
        }
    }
    for (size_t q = 0; q < n_queries; q++)
        for (size_t i = 0; i < k; i++) {
            float score = -nearest[q].heap[i].distance;
            fwrite(&score, sizeof score, 1, file);
        }
    if (fclose(file) != 0)
        stop(path, strerror(errno));
}

static void find_truth(const char *base, const char *out, uint64_t n_rows, const matrix *queries,
                       size_t k, pn_pool *pool)
{
    size_t n = queries->rows, panels = pn_gemm_panels(n);
    float *packed = allocate(panels * PN_GEMM_PANEL, DIM * sizeof *packed);
    pn_kernels_get()->gemm_pack(packed, queries->values, n, DIM, DIM, 1);
    pn_topk *nearest = allocate(n, sizeof *nearest);
    pn_candidate *candidates = allocate(n * k, sizeof *candidates);
    for (size_t q = 0; q < n; q++)
        pn_topk_init(&nearest[q], candidates + q * k, k);
    float *rows = allocate(TILE, DIM * sizeof *rows);
    float *scores = allocate(panels * PN_GEMM_PANEL, TILE * sizeof *scores);
    FILE *file = fopen(base, "rb");
    if (file == NULL)
        stop(base, strerror(errno));
    for (uint64_t first = 0; first < n_rows; first += TILE) {
        size_t count = (size_t)PN_MIN(n_rows - first, (uint64_t)TILE);
        if (fread(rows, DIM * sizeof *rows, count, file) != count)
            stop(base, "too short");
        truth t = {queries, packed, rows, first, count, k, nearest, scores};
        pn_pool_for(pool, panels, rank_panel, &t);
        if (first % (TILE * 64) == 0)
            progress("neighbours", first, n_rows);
    }
    progress("neighbours", n_rows, n_rows);
    fclose(file);
    write_truth(out, nearest, n, k);
    pn_free(packed);
    pn_free(nearest);
    pn_free(candidates);
    pn_free(rows);
    pn_free(scores);
}

/* ---- queries */

static void write_matrix(const char *folder, const char *name, const matrix *m)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL ||
        fwrite(m->values, sizeof(float), m->rows * m->columns, file) != m->rows * m->columns ||
        fclose(file) != 0)
        stop(path, strerror(errno));
}

/* The rows of m that no row of other repeats. */
static matrix without(const matrix *m, const matrix *other)
{
    matrix out = {.columns = DIM, .values = allocate(m->rows, DIM * sizeof(float))};
    for (size_t i = 0; i < m->rows; i++) {
        bool repeated = false;
        for (size_t j = 0; j < other->rows && !repeated; j++)
            repeated = pn_kernels_get()->dot_f32(m->values + i * DIM, other->values + j * DIM,
                                                 DIM) > 0.995f;
        if (!repeated)
            memcpy(out.values + out.rows++ * DIM, m->values + i * DIM, DIM * sizeof(float));
    }
    return out;
}

/* ---- what rows and queries are made from */

typedef struct sources {
    matrix anchors, neighbours, mean, pictures, texts, others;
} sources;

static sources real_sources(const char *data)
{
    sources s = {read_npy(data, "embeddings/clip-vitb32-news/base.f16.npy"),
                 read_npy(data, "embeddings/clip-vitb32-news/base_knn64.u16.npy"),
                 read_npy(data, "embeddings/clip-vitb32-news/pca_mean.f32.npy"),
                 read_npy(data, "embeddings/clip-vitb32-news/image_queries.f16.npy"),
                 read_npy(data, "embeddings/clip-vitb32-text/lvis1203.f16.npy"),
                 read_npy(data, "clip-text-vectors/vectors.f16.npy")};
    normalise_rows(&s.anchors);
    normalise_rows(&s.pictures);
    normalise_rows(&s.texts);
    normalise_rows(&s.others);
    return s;
}

static sources made_up_sources(void)
{
    made_up m = make_up();
    sources s = {.anchors = make_up_rows(&m, MADE_UP, 0, CONE, 1)};
    s.neighbours = neighbours_of(&s.anchors);
    s.mean = (matrix){.rows = 1, .columns = DIM, .values = m.basis};
    s.pictures = make_up_rows(&m, MADE_UP_QUERIES, 0, CONE, 1);
    s.texts = make_up_rows(&m, MADE_UP_QUERIES, 1, TEXT_CONE, 0.3f);
    s.others = make_up_rows(&m, MADE_UP_TEXTS, 1, TEXT_CONE, 0.3f);
    return s;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        stop("usage", "bench_vectors DATA ROWS OUT [--product] [--threads N] [--k K]");
    const char *data = argv[1], *out = argv[3];
    uint64_t n_rows = strtoull(argv[2], NULL, 10);
    generator g = {0};
    unsigned threads = 0;
    size_t k = 100;
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--product") == 0)
            g.product = true;
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--k") == 0 && i + 1 < argc)
            k = strtoul(argv[++i], NULL, 10);
        else
            stop(argv[i], "no such option");
    }
    if (n_rows < k || k == 0)
        stop("rows", "fewer than k");
    pn_error err;
    pn_pool *pool;
    if (pn_pool_create(threads, &pool, &err) != PN_OK)
        stop("threads", err.message);

    sources from = strcmp(data, "-") == 0 ? made_up_sources() : real_sources(data);
    g.anchors = from.anchors, g.neighbours = from.neighbours, g.mean = from.mean;
    matrix pictures = from.pictures, texts = from.texts;
    pictures.rows = PN_MIN(pictures.rows, (size_t)MAX_QUERIES);
    texts.rows = PN_MIN(texts.rows, (size_t)MAX_QUERIES);
    matrix calibration = without(&from.others, &texts);

    mkdir(out, 0777);
    write_matrix(out, "qi.f32", &pictures);
    write_matrix(out, "qt.f32", &texts);
    write_matrix(out, "ct.f32", &calibration);
    char base[4096], path[4096];
    snprintf(base, sizeof base, "%s/base.f32", out);
    struct stat st;
    if (stat(base, &st) != 0 || (uint64_t)st.st_size < n_rows * DIM * sizeof(float))
        write_base(base, &g, n_rows, pool);
    snprintf(path, sizeof path, "%s/gti.%" PRIu64, out, n_rows);
    find_truth(base, path, n_rows, &pictures, k, pool);
    snprintf(path, sizeof path, "%s/gtt.%" PRIu64, out, n_rows);
    find_truth(base, path, n_rows, &texts, k, pool);
    pn_pool_free(pool);
    return 0;
}

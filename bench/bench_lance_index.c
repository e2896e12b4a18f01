/*
 * bench_lance_index.c - pennon through an index that LanceDB, or pennon for LanceDB, made: recall, speed
 *
 *     bench_lance_index DATA ROWS TABLE [--queries N] [--kind i|t] [--recalls R,...] [--threads N]
 *
 * DATA is a folder made by bench_vectors, TABLE a table with its first ROWS vectors in their order, as bench/ann_lancedb.mjs makes one.
 * What is asked is the engine, as the program asks it. Lines as of bench_index.c, with partitions in the place of what is refined.
 */
#include "base/alloc.h"
#include "collection/local_engine.h"
#include "os/clock.h"
#include "os/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 512, K = 10 };

static pn_error err;

static void must(pn_status status)
{
    if (status == PN_OK)
        return;
    fprintf(stderr, "bench_lance_index: %s\n", err.message);
    exit(1);
}

static double seconds(void)
{
    return (double)pn_clock_monotonic_ns() * 1e-9;
}

typedef struct bench {
    const char *data, *table, *recalls, *kinds;
    size_t n_rows, n_queries;
    unsigned threads;
    pn_mapping vectors, truth;
    size_t n, k;
    const float *scores; /* [n][k] of the truth */
    pn_engine *engine;
    pn_snapshot *snapshot;
    pn_pool *pool;
} bench;

static void map(const bench *b, const char *name, char kind, const char *tail, pn_mapping *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%c%s", b->data, name, kind, tail);
    must(pn_mapping_open(path, out, &err));
}

static void load_queries(bench *b, char kind)
{
    char tail[32];
    snprintf(tail, sizeof tail, ".%zu", b->n_rows);
    map(b, "q", kind, ".f32", &b->vectors);
    map(b, "gt", kind, tail, &b->truth);
    const int32_t *head = (const int32_t *)b->truth.data;
    b->k = (size_t)head[1];
    b->scores = (const float *)(head + 2 + (size_t)head[0] * b->k);
    b->n = PN_MIN((size_t)head[0], b->n_queries);
}

typedef struct asked {
    const bench *b;
    float recall;
    double *latencies, *right, promised, scanned, partitions;
    const char *plan;
} asked;

static void ask(void *context, size_t i, unsigned worker)
{
    asked *a = context;
    const bench *b = a->b;
    (void)worker;
    i %= b->n;
    pn_candidate heap[K];
    pn_topk top;
    pn_engine_search_stats stats;
    pn_topk_init(&top, heap, K);
    const pn_engine_search search = {
        .query = (const float *)b->vectors.data + i * DIM, .k = K, .min_recall = a->recall};
    double t = seconds();
    must(b->engine->search(b->engine->self, b->snapshot, &search, &top, &stats, &err));
    a->latencies[i] = seconds() - t;
    size_t good = 0;
    for (size_t j = 0; j < top.n; j++)
        good += 1 - top.heap[j].distance >= b->scores[i * b->k + K - 1] - 1e-6f;
    a->right[i] = (double)good / K;
    a->promised = (double)stats.recall;
    a->scanned = (double)stats.n_scanned;
    a->partitions = (double)stats.n_partitions;
    a->plan = stats.plan;
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

static void run(bench *b, char kind, float recall)
{
    asked a = {.b = b, .recall = recall};
    a.latencies = pn_alloc_zero(b->n * sizeof(double));
    a.right = pn_alloc_zero(b->n * sizeof(double));
    double t = seconds();
    ask(&a, 0, 0); // maps, opens and measures
    double first = seconds() - t;
    for (size_t i = 0; i < b->n; i++)
        ask(&a, i, 0);
    t = seconds();
    for (size_t i = 0; i < b->n; i++)
        ask(&a, i, 0);
    double one = (double)b->n / (seconds() - t), sum = 0;
    for (size_t i = 0; i < b->n; i++)
        sum += a.right[i];
    qsort(a.latencies, b->n, sizeof(double), by_value);
    double p50 = a.latencies[b->n / 2] * 1e6, p99 = a.latencies[b->n * 99 / 100] * 1e6;
    t = seconds();
    pn_pool_for(b->pool, 2 * b->n, ask, &a);
    double two = 2 * (double)b->n / (seconds() - t);
    printf("pennon-lance\t%zu\trecall=%g\t%s\t%.4f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.3f\t%s\t"
           "first %.3f s\n",
           b->n_rows, (double)recall, kind == 'i' ? "image" : "text", sum / (double)b->n, one, p50,
           p99, two, a.scanned, a.partitions, a.promised, a.plan, first);
    fflush(stdout);
    pn_free(a.latencies);
    pn_free(a.right);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_lance_index DATA ROWS TABLE [--queries N] [--kind i|t] "
                        "[--recalls R,...] [--threads N]\n");
        return 2;
    }
    bench b = {.data = argv[1],
               .n_rows = strtoull(argv[2], NULL, 10),
               .table = argv[3],
               .n_queries = 1000,
               .recalls = ".9,.95,.99",
               .kinds = "it",
               .threads = 2};
    for (int i = 4; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--queries") == 0)
            b.n_queries = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--kind") == 0)
            b.kinds = argv[i + 1];
        else if (strcmp(argv[i], "--recalls") == 0)
            b.recalls = argv[i + 1];
        else if (strcmp(argv[i], "--threads") == 0)
            b.threads = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    must(pn_pool_create(b.threads, &b.pool, &err));
    must(pn_local_engine_open(b.table, NULL, &b.engine, &err));
    must(b.engine->pin(b.engine->self, &b.snapshot, &err));
    for (const char *kind = b.kinds; *kind; kind++) {
        load_queries(&b, *kind);
        for (const char *at = b.recalls; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : "")
            run(&b, *kind, strtof(at, NULL));
        pn_mapping_close(&b.vectors);
        pn_mapping_close(&b.truth);
    }
    b.engine->unpin(b.engine->self, b.snapshot);
    pn_engine_free(b.engine);
    pn_pool_free(b.pool);
    return 0;
}

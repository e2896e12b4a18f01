/*
 * bench_index.c - nearest neighbours: recall, speed, building
 *
 *     bench_index DATA ROWS INDEX build  [--low-memory] [--partitions N] [--groups N] [--threads N] [--no-texts]
 *     bench_index DATA ROWS INDEX search [--queries N] [--kind i|t] [--efforts P:Z,...] [--recalls R,...]
 *     bench_index DATA ROWS INDEX exact  [--queries N] [--kind i|t] [--threads N]
 *
 * DATA is a folder made by bench_vectors, ROWS how many of its vectors. One line a setting, values between tabs:
 *
 *     pennon  rows  setting  image|text  recall@10  queries/s  p50 us  p99 us  queries/s on 2 threads  scanned  refined  exact
 *
 * the first nine as those of the peers that bench/ann.py puts beside it. Lines with # in front tell of building and size. A returned
 * row is right when its score reaches that of the true tenth less 1e-6, so that exact twins cost nobody anything.
 *
 * exact tells the rates of a loop that only reads the vectors (read), of the flat scan, and of the exact answer out of the index's copies
 * (bound), all in GB of vectors a second: what a scan of them would have to read. Least time of several turns; both answers have to be the same.
 */
#include "base/alloc.h"
#include "index/index.h"
#include "os/clock.h"
#include "os/mapping.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { DIM = 512, RUN = 1 << 20, K = 10, MOST_TURNS = 5 };
#define TURNS_S 1.5 /* as of ann_peer.hpp */

static pn_error err;

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_index: %s: %s\n", what, why);
    exit(1);
}

static void must(pn_status status)
{
    if (status != PN_OK)
        stop("failed", err.message);
}

static void *allocate(size_t n, size_t size)
{
    void *p = pn_alloc_zero((n + 1) * size);
    if (!p)
        stop("memory", "none left");
    return p;
}

static double seconds(void)
{
    return (double)pn_clock_monotonic_ns() * 1e-9;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* ---- data and options */

typedef struct queries {
    pn_mapping vectors, truth;
    size_t n, k;
    const float *scores; /* [n][k] of the truth */
} queries;

typedef struct bench {
    const char *folder, *file;
    size_t n_rows, n_queries;
    const char *efforts, *recalls, *kinds;
    bool low_memory, no_texts;
    size_t partitions, groups;
    unsigned threads;

    pn_mapping base, texts;
    queries kind[PN_QUERY_KINDS];
    pn_flat_run *runs;
    pn_index_fragment fragment;
    pn_vector_rows rows;
    pn_pool *pool;
    pn_index *index;
} bench;

static void map(const bench *b, const char *name, pn_mapping *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", b->folder, name);
    must(pn_mapping_open(path, out, &err));
}

static void load(bench *b)
{
    static const char letters[] = "it";
    map(b, "base.f32", &b->base);
    map(b, "ct.f32", &b->texts);
    for (size_t s = 0; s < PN_QUERY_KINDS; s++) {
        char name[64];
        queries *q = &b->kind[s];
        snprintf(name, sizeof name, "q%c.f32", letters[s]);
        map(b, name, &q->vectors);
        snprintf(name, sizeof name, "gt%c.%zu", letters[s], b->n_rows);
        map(b, name, &q->truth);
        const int32_t *head = (const int32_t *)q->truth.data;
        q->n = (size_t)head[0];
        q->k = (size_t)head[1];
        q->scores = (const float *)(head + 2 + q->n * q->k);
    }
    size_t n_runs = (b->n_rows + RUN - 1) / RUN;
    b->runs = allocate(n_runs, sizeof *b->runs);
    for (size_t i = 0; i < n_runs; i++)
        b->runs[i] = (pn_flat_run){.vectors = (const float *)b->base.data + i * RUN * DIM,
                                   .first_row = (uint32_t)(i * RUN),
                                   .n_rows = (uint32_t)PN_MIN((size_t)RUN, b->n_rows - i * RUN)};
    b->fragment = (pn_index_fragment){
        .id = 0, .n_rows = (uint32_t)b->n_rows, .name = "base", .runs = b->runs, .n_runs = n_runs};
    must(pn_vector_rows_init(&b->fragment, 1, DIM, false, &b->rows, &err));
    must(pn_pool_create(b->threads, &b->pool, &err));
}

static void note(const bench *b, const char *what, double value)
{
    printf("#\tpennon\t%zu\t%s\t%.3f\n", b->n_rows, what, value);
    fflush(stdout);
}

/* ---- building */

static double stage_start;
static const char *stage_now;

static void progress(void *context, const char *stage, double done)
{
    const bench *b = context;
    (void)done;
    if (stage_now && strcmp(stage, stage_now) == 0)
        return;
    if (stage_now) {
        char name[64];
        snprintf(name, sizeof name, "build_%s_cpu_s", stage_now);
        note(b, name, cpu_seconds() - stage_start);
    }
    stage_now = stage;
    stage_start = cpu_seconds();
}

static void build(bench *b)
{
    pn_index_build_options o = {.pool = b->pool,
                                .seed = 1,
                                .n_partitions = b->partitions,
                                .code_groups = b->groups,
                                .low_memory = b->low_memory,
                                .texts = b->no_texts ? NULL : (const float *)b->texts.data,
                                .n_texts = b->no_texts ? 0 : b->texts.n_bytes / (DIM * 4),
                                .progress = progress,
                                .context = b};
    double t = seconds(), cpu = cpu_seconds();
    must(pn_index_build(&b->rows, &o, b->file, &err));
    note(b, "build_s", seconds() - t);
    note(b, "build_cpu_s", cpu_seconds() - cpu);
    struct stat st;
    if (stat(b->file, &st) == 0)
        note(b, "disk_mib", (double)st.st_size / 1048576);
}

/* ---- searching */

typedef struct run {
    const bench *b;
    const queries *q;
    size_t n; /* of them */
    pn_query_kind kind;
    pn_index_effort effort;
    double *latencies, *recalls; /* [n] */
    pn_index_stats *stats;       /* [n] */
} run;

static void search_one(void *context, size_t i, unsigned worker)
{
    run *r = context;
    (void)worker;
    i %= r->n;
    pn_candidate heap[K];
    pn_topk top;
    pn_topk_init(&top, heap, K);
    pn_index_query query = {.vector = (const float *)r->q->vectors.data + i * DIM,
                            .kind = r->kind,
                            .effort = r->effort,
                            .rows = &r->b->rows};
    double t = seconds();
    must(pn_index_search(r->b->index, &query, &top, &r->stats[i], &err));
    r->latencies[i] = seconds() - t;
    size_t good = 0;
    for (size_t j = 0; j < top.n; j++)
        good += 1 - heap[j].distance >= r->q->scores[i * r->q->k + K - 1] - 1e-6f;
    r->recalls[i] = (double)good / K;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const bench *b, pn_query_kind kind, pn_index_effort effort, const char *setting)
{
    size_t n = PN_MIN(b->n_queries, b->kind[kind].n);
    run r = {b,
             &b->kind[kind],
             n,
             kind,
             effort,
             allocate(n, sizeof(double)),
             allocate(n, sizeof(double)),
             allocate(n, sizeof(pn_index_stats))};
    double recall = 0, scanned = 0, refined = 0, exact = 0, best = 1e9;
    for (size_t i = 0; i < n; i++) /* and what they touch becomes warm */
        search_one(&r, i, 0);
    double *times = allocate(n, sizeof *times), start = seconds();
    for (int turn = 0; turn < MOST_TURNS && (turn == 0 || seconds() - start < TURNS_S); turn++) {
        double t = seconds();
        for (size_t i = 0; i < n; i++)
            search_one(&r, i, 0);
        t = seconds() - t;
        if (t < best)
            memcpy(times, r.latencies, n * sizeof *times);
        best = PN_MIN(best, t);
    }
    for (size_t i = 0; i < n; i++) {
        recall += r.recalls[i] / (double)n;
        scanned += (double)r.stats[i].n_scanned / (double)n;
        refined += (double)r.stats[i].n_refined / (double)n;
        exact += (double)r.stats[i].n_exact / (double)n;
    }
    qsort(times, n, sizeof *times, by_value);
    double p50 = times[n / 2], p99 = times[n * 99 / 100], t = seconds();
    size_t n_two = best > 1 ? n : 4 * n;
    pn_pool_for(b->pool, n_two, search_one, &r);
    double two = seconds() - t;
    printf("pennon\t%zu\t%s\t%s\t%.4f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", b->n_rows,
           setting, kind == PN_QUERY_PICTURE ? "image" : "text", recall, (double)n / best,
           p50 * 1e6, p99 * 1e6, (double)n_two / two, scanned, refined, exact);
    fflush(stdout);
    pn_free(times);
    pn_free(r.latencies);
    pn_free(r.recalls);
    pn_free(r.stats);
}

static void search_efforts(const bench *b, pn_query_kind kind)
{
    const char *at = b->efforts;
    while (at && *at) {
        char *end, setting[64];
        unsigned long p = strtoul(at, &end, 10);
        float z = *end == ':' ? strtof(end + 1, &end) : 2.0f;
        snprintf(setting, sizeof setting, "partitions=%lu rows=%.1f", p, (double)z);
        measure(b, kind, (pn_index_effort){(uint32_t)p, z, INFINITY, 0}, setting);
        at = *end == ',' ? end + 1 : end;
        if (end == at && *end != 0)
            stop("--efforts", at);
    }
}

static void search_recalls(const bench *b, pn_query_kind kind)
{
    const char *at = b->recalls;
    while (at && *at) {
        char *end, setting[96];
        float wanted = strtof(at, &end), expected;
        pn_index_effort e = pn_index_effort_for(b->index, kind, wanted, 1, K, &expected);
        snprintf(setting, sizeof setting, "recall=%.3f (%u, %.1f: %.3f)", (double)wanted,
                 e.partitions, (double)e.rows, (double)expected);
        measure(b, kind, e, setting);
        at = *end == ',' ? end + 1 : end;
    }
}

/* Memory of the process that no file backs, and the file of the index, which is mapped. */
static double memory_mib(const bench *b)
{
    char line[256];
    long kib = 0;
    struct stat st;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    if (f)
        fclose(f);
    return (double)kib / 1024 + (stat(b->file, &st) == 0 ? (double)st.st_size / 1048576 : 0);
}

/* From nothing to the first answer. */
static void open_index(bench *b)
{
    pn_candidate heap[K];
    pn_topk top;
    pn_index_stats stats;
    double t = seconds();
    must(pn_index_open(b->file, &b->index, &err));
    float recall;
    pn_index_query query = {.vector = (const float *)b->kind[PN_QUERY_PICTURE].vectors.data,
                            .effort = pn_index_effort_for(b->index, PN_QUERY_PICTURE,
                                                          PN_MIN_RECALL_DEFAULT, 1, K, &recall),
                            .rows = &b->rows};
    pn_topk_init(&top, heap, K);
    must(pn_index_search(b->index, &query, &top, &stats, &err));
    note(b, "open_s", seconds() - t);
}

static void search(bench *b)
{
    for (size_t s = 0; s < PN_QUERY_KINDS; s++)
        if (strchr(b->kinds, "it"[s])) {
            search_efforts(b, (pn_query_kind)s);
            search_recalls(b, (pn_query_kind)s);
        }
}

/* ---- the exact answer */

typedef struct reading {
    const uint64_t *words;
    size_t n; /* of a part */
    _Atomic uint64_t sum;
} reading;

enum { PART_WORDS = 1 << 20, SUMS = 8 };

static void read_part(void *context, size_t i, unsigned worker)
{
    reading *r = context;
    (void)worker;
    const uint64_t *words = r->words + i * PART_WORDS;
    size_t n = PN_MIN((size_t)PART_WORDS, r->n - i * PART_WORDS);
    uint64_t sums[SUMS] = {0};
    for (size_t at = 0; at + SUMS <= n; at += SUMS)
        for (size_t s = 0; s < SUMS; s++)
            sums[s] += words[at + s];
    for (size_t s = 0; s < SUMS; s++)
        atomic_fetch_add(&r->sum, sums[s]);
}

static void read_all(const bench *b)
{
    reading r = {(const uint64_t *)b->base.data, b->n_rows * DIM / 2, 0};
    pn_pool_for(b->pool, (r.n + PART_WORDS - 1) / PART_WORDS, read_part, &r);
}

/* One question in the three ways; adds to their times. */
static void exact_one(const bench *b, pn_query_kind kind, size_t i, double *times)
{
    pn_candidate scanned[K], bounded[K];
    pn_topk by_scan, by_bound;
    pn_index_stats stats;
    const float *vector = (const float *)b->kind[kind].vectors.data + i * DIM;
    const pn_index_query query = {.vector = vector, .kind = kind, .rows = &b->rows};
    pn_topk_init(&by_scan, scanned, K);
    pn_topk_init(&by_bound, bounded, K);
    double t = seconds();
    read_all(b);
    times[0] = seconds() - t;
    t = seconds();
    must(pn_flat_search(b->runs, b->fragment.n_runs, vector, DIM, -INFINITY, b->pool, NULL,
                        &by_scan, &err));
    times[1] = seconds() - t;
    t = seconds();
    must(pn_index_search_exact(b->index, &query, b->pool, &by_bound, &stats, &err));
    times[2] = seconds() - t;
    for (size_t j = 0; j < K; j++)
        if (scanned[j].id != bounded[j].id || scanned[j].distance != bounded[j].distance)
            stop("exact", "the two answers differ");
}

static void exact(const bench *b)
{
    enum { WAYS = 3 };
    static const char *const ways[WAYS] = {"read", "flat", "bound"};
    const double bytes = (double)b->n_rows * DIM * sizeof(float);
    for (size_t s = 0; s < PN_QUERY_KINDS; s++) {
        double least[WAYS] = {INFINITY, INFINITY, INFINITY}, times[WAYS];
        for (size_t i = 0; strchr(b->kinds, "it"[s]) && i < PN_MIN(b->n_queries, b->kind[s].n);
             i++) {
            exact_one(b, (pn_query_kind)s, i, times);
            for (size_t w = 0; w < WAYS; w++)
                least[w] = fmin(least[w], times[w]);
        }
        for (size_t w = 0; w < WAYS && isfinite(least[w]); w++) {
            char name[64];
            snprintf(name, sizeof name, "exact_%c_%s_gb_s", "it"[s], ways[w]);
            note(b, name, bytes / least[w] * 1e-9);
        }
    }
}

/* ---- the command line */

static void parse(bench *b, int argc, char **argv)
{
    for (int i = 5; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--low-memory") == 0)
            b->low_memory = true;
        else if (strcmp(name, "--no-texts") == 0)
            b->no_texts = true;
        else if (strcmp(name, "--partitions") == 0)
            b->partitions = strtoull(value, NULL, 10), i++;
        else if (strcmp(name, "--groups") == 0)
            b->groups = strtoull(value, NULL, 10), i++;
        else if (strcmp(name, "--threads") == 0)
            b->threads = (unsigned)strtoul(value, NULL, 10), i++;
        else if (strcmp(name, "--queries") == 0)
            b->n_queries = strtoull(value, NULL, 10), i++;
        else if (strcmp(name, "--kind") == 0)
            b->kinds = value, i++;
        else if (strcmp(name, "--efforts") == 0)
            b->efforts = value, i++;
        else if (strcmp(name, "--recalls") == 0)
            b->recalls = value, i++;
        else
            stop("no such option", name);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5)
        stop("usage", "bench_index DATA ROWS INDEX build|search|exact [options]");
    bench b = {.folder = argv[1],
               .n_rows = strtoull(argv[2], NULL, 10),
               .file = argv[3],
               .n_queries = 1000,
               .kinds = "it"};
    parse(&b, argc, argv);
    load(&b);
    if (strcmp(argv[4], "build") == 0) {
        build(&b);
        return 0;
    }
    open_index(&b);
    if (strcmp(argv[4], "exact") == 0)
        exact(&b);
    else
        search(&b);
    note(&b, "memory_mib", memory_mib(&b));
    return 0;
}

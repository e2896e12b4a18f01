/*
 * bench_inserts.c - how many rows a second, one by one, each on the disk when its insert returns?
 *
 *     bench_inserts FOLDER [WRITERS] [SECONDS] [DIM]        default 1 5 512
 *
 * One line of JSON each:
 *
 *     sync      4 KiB at the end of one file, then fdatasync, again and again: what the disk can acknowledge
 *     inserts   rows of a vector and a path, by so many threads, with the folding that inserting does by itself
 *
 * FOLDER gets a table and a file, which are removed at the end.
 */
#include "collection/image_schema.h"
#include "collection/local_engine.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "column/builder.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WRITERS = 256, MAX_INSERTS = 1 << 20, MAX_DIM = 4096 };

typedef struct bench {
    pn_engine *engine;
    pn_schema schema; /* vector and path; the engine gives ids */
    size_t dim, n_writers;
    double seconds;
    int64_t end_ns;
    atomic_size_t n;
    int64_t *took_ns; /* [MAX_INSERTS] */
} bench;

static void need(pn_status status, const pn_error *err)
{
    if (status == PN_OK)
        return;
    fprintf(stderr, "bench_inserts: %s\n", err->message);
    exit(1);
}

static void insert(bench *b, size_t i, pn_builder *builders[2])
{
    float vector[MAX_DIM];
    char path[32];
    pn_array arrays[2];
    pn_error err = {0};
    int64_t id;
    pn_rng rng = pn_rng_seed(i);
    double squares = 0;
    for (size_t d = 0; d < b->dim; d++) {
        vector[d] = (float)pn_rng_below(&rng, 2001) / 1000 - 1;
        squares += (double)vector[d] * (double)vector[d];
    }
    for (size_t d = 0; d < b->dim; d++)
        vector[d] /= (float)sqrt(squares);
    (void)snprintf(path, sizeof path, "%zu", i);
    for (size_t c = 0; c < 2; c++)
        pn_builder_clear(builders[c]);
    need(pn_builder_append_floats(builders[0], vector, b->dim, &err), &err);
    need(pn_builder_append_bytes(builders[1], path, strlen(path), &err), &err);
    for (size_t c = 0; c < 2; c++)
        need(pn_builder_view(builders[c], &arrays[c], &err), &err);
    const pn_batch batch = {.schema = &b->schema, .columns = arrays, .n_rows = 1};
    need(b->engine->insert(b->engine->self, &batch, &id, &err), &err);
}

static void *write_rows(void *context)
{
    bench *b = context;
    pn_builder *builders[2];
    pn_error err = {0};
    for (size_t c = 0; c < 2; c++)
        need(pn_builder_create(&b->schema.fields[c], 1 << 20, &builders[c], &err), &err);
    for (int64_t start = pn_clock_monotonic_ns(); start < b->end_ns;) {
        size_t i = atomic_fetch_add(&b->n, 1);
        if (i >= MAX_INSERTS)
            break;
        insert(b, i, builders);
        int64_t end = pn_clock_monotonic_ns();
        b->took_ns[i] = end - start;
        start = end;
    }
    for (size_t c = 0; c < 2; c++)
        pn_builder_free(builders[c]);
    return NULL;
}

static int compare(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static void measure_inserts(bench *b)
{
    pthread_t threads[MAX_WRITERS];
    int64_t start = pn_clock_monotonic_ns();
    b->end_ns = start + (int64_t)(b->seconds * 1e9);
    for (size_t t = 0; t < b->n_writers; t++)
        if (pthread_create(&threads[t], NULL, write_rows, b) != 0) {
            fprintf(stderr, "bench_inserts: no thread\n");
            exit(1);
        }
    for (size_t t = 0; t < b->n_writers; t++)
        (void)pthread_join(threads[t], NULL); // cannot fail
    double seconds = (double)(pn_clock_monotonic_ns() - start) / 1e9;
    size_t n = atomic_load(&b->n) < MAX_INSERTS ? atomic_load(&b->n) : MAX_INSERTS;
    qsort(b->took_ns, n, sizeof *b->took_ns, compare);
    printf("{\"what\": \"inserts\", \"writers\": %zu, \"rows\": %zu, \"per_s\": %.1f, \"p50_ms\": "
           "%.2f, \"p99_ms\": %.2f}\n",
           b->n_writers, n, (double)n / seconds, (double)b->took_ns[n / 2] / 1e6,
           (double)b->took_ns[n * 99 / 100] / 1e6);
}

static void measure_disk(const char *folder, double seconds)
{
    static const char block[4096];
    char path[4096];
    pn_error err = {0};
    pn_fd fd;
    size_t n = 0;
    (void)snprintf(path, sizeof path, "%s/sync", folder);
    need(pn_fd_open(path, PN_OPEN_REPLACE, &fd, &err), &err);
    int64_t start = pn_clock_monotonic_ns(), now = start;
    for (; now < start + (int64_t)(seconds * 1e9); n++, now = pn_clock_monotonic_ns()) {
        need(pn_fd_write(fd, path, block, sizeof block, &err), &err);
        need(pn_fd_sync(fd, path, &err), &err);
    }
    pn_fd_close(fd);
    need(pn_path_remove(path, &err), &err);
    printf("{\"what\": \"sync\", \"per_s\": %.1f}\n", (double)n * 1e9 / (double)(now - start));
}

int main(int argc, char **argv)
{
    static bench b = {.n_writers = 1, .seconds = 5, .dim = 512};
    pn_error err = {0};
    pn_arena arena;
    pn_schema full;
    if (argc < 2) {
        fprintf(stderr, "bench_inserts: usage: bench_inserts FOLDER [WRITERS] [SECONDS] [DIM]\n");
        return 2;
    }
    if (argc > 2)
        b.n_writers = (size_t)strtoul(argv[2], NULL, 10);
    if (argc > 3)
        b.seconds = strtod(argv[3], NULL);
    if (argc > 4)
        b.dim = (size_t)strtoul(argv[4], NULL, 10);
    if (b.n_writers < 1 || b.n_writers > MAX_WRITERS || b.dim < 1 || b.dim > MAX_DIM ||
        !(b.seconds > 0)) {
        fprintf(stderr, "bench_inserts: 1 to %d writers, vectors of 1 to %d\n", MAX_WRITERS,
                MAX_DIM);
        return 2;
    }
    pn_arena_init(&arena, SIZE_MAX);
    const char *table = pn_path_join(&arena, argv[1], "inserts.lance");
    b.took_ns = pn_alloc_array(MAX_INSERTS, sizeof *b.took_ns);
    if (!table || !b.took_ns)
        need(pn_fail_nomem(&err), &err);
    need(pn_dir_make(argv[1], &err), &err);
    measure_disk(argv[1], b.seconds / 5);
    need(pn_image_schema_make(b.dim, "bench", "bench", "none", &arena, &full, &err), &err);
    b.schema = (pn_schema){.fields = full.fields + 1,
                           .n_fields = 2}; // not the id, not what may be left out
    full.n_fields = 3;
    need(pn_local_engine_create(table, &full, NULL, &b.engine, &err), &err);
    measure_inserts(&b);
    pn_engine_free(b.engine);
    need(pn_dir_remove_all(table, &err), &err);
    pn_free(b.took_ns);
    pn_arena_reset(&arena);
    return 0;
}

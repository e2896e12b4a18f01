/*
 * bench_table.c - what does a table cost beside the disk and the memory it lies in?
 *
 *     bench_table FOLDER [ROWS] [DIM] [ROUNDS]        default 300000 512 21
 *
 * Rows of an int64 and a vector. One line of JSON each:
 *
 *     write    bytes of as many vectors, 8 MiB at a time, and fsync: what the disk gives
 *     append   the same rows as one commit, durable on return; ratio: of the disk's speed
 *     open     the table and what it says of itself
 *     memory   a sum over as many bytes, at most a GiB, that lie in memory: what the memory gives one thread
 *     scan     the same sum over the vector column, batch by batch; ratio: of the memory's speed
 *     take     1,000 random rows, both columns
 *
 * Reading is warm: the file was written just before. Of open, scan and take the median and the least of ROUNDS, of scan of at most 5.
 * FOLDER gets twice the bytes of the vectors, which are removed at the end unless KEEP is set in the environment.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "dataset/dataset.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_ROWS = 4096,
    WRITE_BYTES = 8 << 20,
    TAKE_ROWS = 1000,
    SCAN_ROUNDS = 5,
    MAX_ROUNDS = 1001
};

typedef struct bench {
    const char *folder;
    char table[4096], raw[4096];
    size_t n_rows, dim, rounds;
    float *vectors; /* [BATCH_ROWS][dim] */
    int64_t ids[BATCH_ROWS];
    double seconds[MAX_ROUNDS];
} bench;

static void need(pn_status status, const pn_error *err)
{
    if (status == PN_OK)
        return;
    fprintf(stderr, "bench_table: %s\n", err->message);
    exit(1);
}

static double now(void)
{
    return (double)pn_clock_monotonic_ns() / 1e9;
}

static int compare(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static double median(bench *b, size_t n)
{
    qsort(b->seconds, n, sizeof *b->seconds, compare);
    return b->seconds[n / 2];
}

/* Every byte is looked at, and the answer is used. */
static uint64_t sum_of(const void *bytes, size_t n)
{
    const uint64_t *words = bytes;
    uint64_t sum = 0;
    for (size_t i = 0; i < n / sizeof *words; i++)
        sum += words[i];
    return sum;
}

static double vector_bytes(const bench *b)
{
    return (double)b->n_rows * (double)b->dim * sizeof(float);
}

/* ---- in ---- */

static double write_raw(bench *b)
{
    pn_error err = {0};
    pn_fd fd;
    size_t left = b->n_rows * b->dim * sizeof(float);
    uint8_t *block = pn_alloc(WRITE_BYTES);
    if (!block)
        exit(1);
    memset(block, 0x5A, WRITE_BYTES);
    double start = now();
    need(pn_fd_open(b->raw, PN_OPEN_REPLACE, &fd, &err), &err);
    for (size_t n; left > 0; left -= n) {
        n = left < WRITE_BYTES ? left : (size_t)WRITE_BYTES;
        need(pn_fd_write(fd, b->raw, block, n, &err), &err);
    }
    need(pn_fd_sync(fd, b->raw, &err), &err);
    double seconds = now() - start;
    pn_fd_close(fd);
    pn_free(block);
    need(pn_path_remove(b->raw, &err), &err);
    printf("{\"what\":\"write\",\"seconds\":%.3f,\"mb_per_s\":%.0f}\n", seconds,
           vector_bytes(b) / seconds / 1e6);
    return seconds;
}

static void append_all(bench *b, pn_dataset *empty)
{
    pn_error err = {0};
    pn_append *append;
    pn_dataset *made;
    const pn_schema *schema = pn_dataset_schema(empty);
    need(pn_append_begin(empty, &append, &err), &err);
    for (size_t first = 0, n; first < b->n_rows; first += n) {
        n = b->n_rows - first < BATCH_ROWS ? b->n_rows - first : (size_t)BATCH_ROWS;
        for (size_t i = 0; i < n; i++)
            b->ids[i] = (int64_t)(first + i);
        pn_array items = {
            .field = &schema->fields[1].children[0], .length = n * b->dim, .values = b->vectors};
        pn_array columns[2] = {
            {.field = &schema->fields[0], .length = n, .values = b->ids},
            {.field = &schema->fields[1], .length = n, .children = &items, .n_children = 1}};
        pn_batch batch = {schema, columns, n};
        need(pn_append_batch(append, &batch, &err), &err);
    }
    need(pn_append_commit(append, NULL, &made, &err), &err);
    pn_dataset_unref(made);
}

static void bench_append(bench *b, double disk_seconds)
{
    pn_error err = {0};
    pn_arena arena;
    pn_field fields[2];
    pn_schema schema = {.fields = fields, .n_fields = 2};
    pn_dataset *empty;
    pn_arena_init(&arena, SIZE_MAX);
    pn_field_init(&fields[0], "id", PN_TYPE_INT64, false);
    if (!pn_field_init_vector(&fields[1], "vector", (int32_t)b->dim, &arena))
        exit(1);
    need(pn_dataset_create(b->table, &schema, &empty, &err), &err);
    double start = now();
    append_all(b, empty);
    double seconds = now() - start;
    pn_dataset_unref(empty);
    pn_arena_reset(&arena);
    printf("{\"what\":\"append\",\"seconds\":%.3f,\"mb_per_s\":%.0f,\"ratio\":%.2f}\n", seconds,
           vector_bytes(b) / seconds / 1e6, disk_seconds / seconds);
}

/* ---- out ---- */

static void bench_open(bench *b)
{
    pn_error err = {0};
    for (size_t i = 0; i < b->rounds; i++) {
        pn_dataset *dataset;
        double start = now();
        need(pn_dataset_open(b->table, 0, &dataset, &err), &err);
        if (pn_dataset_count_rows(dataset) != b->n_rows)
            exit(1);
        b->seconds[i] = now() - start;
        pn_dataset_unref(dataset);
    }
    double middle = median(b, b->rounds);
    printf("{\"what\":\"open\",\"ms\":%.3f,\"least_ms\":%.3f}\n", middle * 1e3,
           b->seconds[0] * 1e3);
}

/* Bytes a second that a sum gets out of memory. */
static double bench_memory_speed(bench *b)
{
    size_t n =
        (size_t)vector_bytes(b) < (size_t)1 << 30 ? (size_t)vector_bytes(b) : (size_t)1 << 30;
    uint8_t *block = pn_alloc(n);
    volatile uint64_t sum = 0;
    if (!block)
        exit(1);
    memset(block, 1, n);
    for (size_t i = 0; i < SCAN_ROUNDS; i++) {
        double start = now();
        sum += sum_of(block, n);
        b->seconds[i] = now() - start;
    }
    double speed = (double)n / median(b, SCAN_ROUNDS);
    pn_free(block);
    printf("{\"what\":\"memory\",\"gb_per_s\":%.2f}\n", speed / 1e9);
    return speed;
}

static uint64_t scan_once(pn_dataset *dataset)
{
    static const char *const column = "vector";
    pn_error err = {0};
    pn_scan *scan;
    pn_scan_options options = {.columns = &column, .n_columns = 1};
    uint64_t sum = 0;
    need(pn_scan_begin(dataset, &options, &scan, &err), &err);
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        need(pn_scan_next(scan, &batch, &addrs, &err), &err);
        if (batch.n_rows == 0)
            break;
        sum += sum_of(pn_array_floats(&batch.columns[0], 0),
                      batch.n_rows * (size_t)batch.columns[0].field->size * sizeof(float));
    }
    pn_scan_end(scan);
    return sum;
}

static void bench_scan(bench *b, pn_dataset *dataset, double memory_speed)
{
    volatile uint64_t sum = 0;
    for (size_t i = 0; i < SCAN_ROUNDS; i++) {
        double start = now();
        sum += scan_once(dataset);
        b->seconds[i] = now() - start;
    }
    double speed = vector_bytes(b) / median(b, SCAN_ROUNDS);
    printf("{\"what\":\"scan\",\"gb_per_s\":%.2f,\"ratio\":%.2f}\n", speed / 1e9,
           speed / memory_speed);
}

static void bench_take(bench *b, pn_dataset *dataset)
{
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(3);
    pn_row_addr addrs[TAKE_ROWS];
    for (size_t i = 0; i < b->rounds; i++) {
        pn_arena arena;
        pn_batch batch;
        pn_arena_init(&arena, SIZE_MAX);
        for (size_t k = 0; k < TAKE_ROWS; k++)
            addrs[k] = pn_rng_below(&rng, b->n_rows);
        double start = now();
        need(pn_dataset_take(dataset, addrs, TAKE_ROWS, NULL, 0, &arena, &batch, &err), &err);
        b->seconds[i] = now() - start;
        for (size_t k = 0; k < TAKE_ROWS; k++)
            if (((const int64_t *)batch.columns[0].values)[k] != (int64_t)addrs[k])
                exit(1);
        pn_arena_reset(&arena);
    }
    double middle = median(b, b->rounds);
    printf("{\"what\":\"take\",\"rows\":%d,\"ms\":%.3f,\"least_ms\":%.3f}\n", TAKE_ROWS,
           middle * 1e3, b->seconds[0] * 1e3);
}

static void run(bench *b)
{
    pn_error err = {0};
    pn_dataset *dataset;
    pn_rng rng = pn_rng_seed(1);
    b->vectors = pn_alloc(BATCH_ROWS * b->dim * sizeof(float));
    if (!b->vectors)
        exit(1);
    for (size_t i = 0; i < BATCH_ROWS * b->dim; i++)
        b->vectors[i] = (float)pn_rng_unit(&rng) - 0.5f;
    double disk_seconds = write_raw(b);
    bench_append(b, disk_seconds);
    bench_open(b);
    double speed = bench_memory_speed(b);
    need(pn_dataset_open(b->table, 0, &dataset, &err), &err);
    bench_scan(b, dataset, speed);
    bench_take(b, dataset);
    pn_dataset_unref(dataset);
    if (!getenv("KEEP"))
        need(pn_dir_remove_all(b->table, &err), &err);
    pn_free(b->vectors);
}

int main(int argc, char **argv)
{
    static bench b;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_table FOLDER [ROWS] [DIM] [ROUNDS]\n");
        return 2;
    }
    b.folder = argv[1];
    b.n_rows = argc > 2 ? strtoul(argv[2], NULL, 10) : 300000;
    b.dim = argc > 3 ? strtoul(argv[3], NULL, 10) : 512;
    b.rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 21;
    if (b.n_rows == 0 || b.n_rows > UINT32_MAX || b.dim == 0 || b.dim > 8192 || b.rounds == 0 ||
        b.rounds > MAX_ROUNDS) {
        fprintf(stderr, "bench_table: numbers out of range\n");
        return 2;
    }
    (void)snprintf(b.table, sizeof b.table, "%s/table.lance",
                   b.folder); // a cut path does not exist
    (void)snprintf(b.raw, sizeof b.raw, "%s/raw", b.folder);
    run(&b);
    return 0;
}

/*
 * bench_limits.c - how near are the encoders to what this machine can do?
 *
 *     bench_limits [--model DIR] [--threads N] [--seconds S] [--precision P]
 *
 * Pictures are bound by arithmetic, a query alone by the bytes of the weights. So the same run measures both limits and the
 * encoders between them:
 *
 *     f32 multiply-adds, int8 ones (VNNI)     loops over registers (peak_*.c), on one thread and on N
 *     reads from memory                       256 MiB a thread, more than any cache
 *     pictures, 8 and 32 at once              their multiply-adds / time / the f32 peak, also for narrow weights
 *     a text of 8 tokens alone                its time / (bytes of the weights it reads / bandwidth)
 *
 * Short windows, many of them, before and after: the best one is the machine's, since neighbours only take. The encoders' figure is
 * the median, with the best beside it. Without --precision: f32, f16 and int8 one after another. Counted are the multiply-adds of
 * products and attention that have to be done: of the last block only one row is needed after k and v. Weights are counted once
 * each; a text query that finds part of them in a cache can take less than its floor.
 */
#include "base/alloc.h"
#include "clip/clip.h"
#include "kernels/cpu.h"
#include "kernels/kernels.h"
#include "os/clock.h"
#include "os/dir.h"
#include "peak.h"
#include "random_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOWS = 40,
    TURNS = 16,
    LEAST_RUNS = 5,
    MAX_RUNS = 4096,
    MAX_THREADS = 64,
    TOKENS = 8,
    DEEPEST = 32
};

static const size_t READ_BYTES = (size_t)256 << 20;

typedef struct limits {
    double fma, int8, bytes; /* a second: multiply-adds, of int8, read */
} limits;

static const peak_loops *find_loops(void)
{
#ifdef PN_BENCH_X86
    unsigned cpu = pn_cpu_detect();
    if (cpu & PN_CPU_AVX512)
        return &peak_avx512;
    if (cpu & PN_CPU_AVX2)
        return &peak_avx2;
#endif
    stop("no loops for this processor", NULL);
}

/* ---- the machine */

typedef enum what { FMA, INT8, READ } what;

typedef struct window {
    const peak_loops *loops;
    what what;
    long rounds;
    uint8_t *memory; /* READ_BYTES a thread */
    double results[MAX_THREADS * TURNS];
} window;

static void run_window(void *context, size_t i, unsigned worker)
{
    (void)worker;
    window *w = context;
    if (w->what == FMA)
        w->results[i] = w->loops->fma(w->rounds, 0.25f);
    else if (w->what == INT8)
        w->results[i] = w->loops->int8(w->rounds, 0x01020304);
    else
        w->results[i] = w->loops->read(w->memory + i * (READ_BYTES / TURNS), READ_BYTES / TURNS);
}

/* The best rate of some windows: work of all threads a second. Many turns a window, so that a thread that wakes late has its share. */
static double best_rate(window *w, unsigned threads, pn_pool *pool, double work, int windows)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < windows; i++) {
        int64_t start = pn_clock_monotonic_ns();
        pn_pool_for(threads > 1 ? pool : NULL, (size_t)threads * TURNS, run_window, w);
        least = PN_MIN(least, pn_clock_monotonic_ns() - start);
    }
    return work * threads * TURNS / ((double)least / 1e9);
}

static limits measure_limits(const peak_loops *loops, uint8_t *memory, unsigned threads,
                             pn_pool *pool)
{
    window w = {.loops = loops, .rounds = 40000, .memory = memory};
    limits l = {0};
    l.fma = best_rate(&w, threads, pool, loops->fma_round * (double)w.rounds, WINDOWS);
    w.what = INT8;
    if (loops->int8)
        l.int8 = best_rate(&w, threads, pool, loops->int8_round * (double)w.rounds, WINDOWS);
    w.what = READ;
    l.bytes = best_rate(&w, threads, pool, (double)READ_BYTES / TURNS, WINDOWS / 4);
    return l;
}

static limits better(limits a, limits b)
{
    return (limits){PN_MAX(a.fma, b.fma), PN_MAX(a.int8, b.int8), PN_MAX(a.bytes, b.bytes)};
}

static void print_limits(const limits *l, unsigned threads)
{
    printf("{\"case\":\"machine\",\"threads\":%u,\"fma_f32_gmac_s\":%.1f,\"int8_gmac_s\":%.1f,"
           "\"read_gb_s\":%.2f}\n",
           threads, l->fma / 1e9, l->int8 / 1e9, l->bytes / 1e9);
    fflush(stdout);
}

/* ---- what an encoder has to do */

static double block_macs(double rows, double queries, double width)
{
    return rows * 2 * width * width + queries * 2 * width * width + queries * 8 * width * width +
           queries * 2 * rows * width;
}

static double picture_macs(const pn_clip_info *i)
{
    double patches = (double)(i->image_width / i->patch_px) * (i->image_height / i->patch_px);
    double rows = patches + 1, width = i->vision_width;
    return patches * 3 * i->patch_px * i->patch_px * width +
           (i->vision_layers - 1) * block_macs(rows, rows, width) + block_macs(rows, 1, width) +
           width * i->dim;
}

/* A value of a weight, and of a bias or norm; int8 has a scale and a sum for each column. */
static double text_bytes(const pn_clip_info *i, pn_clip_precision p)
{
    double value = p == PN_CLIP_INT8 ? 1 : p == PN_CLIP_F16 || p == PN_CLIP_BF16 ? 2 : 4;
    double width = i->text_width, columns = 9 * width * i->text_layers + i->dim;
    double weights = 12 * width * width * i->text_layers + width * i->dim;
    return weights * value + columns * 4 * (p == PN_CLIP_INT8 ? 3 : 1) +
           4 * width * i->text_layers * 4 + 2 * TOKENS * width * 4;
}

/* ---- the encoders */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

typedef struct work {
    const pn_clip *clip;
    pn_pool *pool;
    float *pixels; /* [DEEPEST][3][S][S] */
    uint32_t ids[CONTEXT];
    float *out;
    double seconds;
} work;

static void embed(const work *w, size_t pictures)
{
    static const size_t length = TOKENS;
    pn_error err = {0};
    pn_status status = pictures > 0 ? pn_clip_embed_images(w->clip, w->pixels, pictures,
                                                           PN_CLIP_UNIT, w->pool, w->out, &err)
                                    : pn_clip_embed_ids(w->clip, w->ids, &length, 1, PN_CLIP_UNIT,
                                                        w->pool, w->out, &err);
    if (status != PN_OK)
        stop("embed", &err);
}

/* Seconds of a call: the median, and the best. pictures 0: the text. */
static double time_calls(const work *w, size_t pictures, double *best)
{
    static double times[MAX_RUNS];
    int n = 0;
    double sum = 0;
    embed(w, pictures);
    while (n < MAX_RUNS && (n < LEAST_RUNS || sum < w->seconds)) {
        int64_t start = pn_clock_monotonic_ns();
        embed(w, pictures);
        times[n] = (double)(pn_clock_monotonic_ns() - start) / 1e9;
        sum += times[n++];
    }
    qsort(times, (size_t)n, sizeof times[0], ascending);
    *best = times[0];
    return times[n / 2];
}

typedef struct result {
    pn_clip_precision precision;
    size_t pictures;      /* 0: the text */
    double seconds, best; /* of a call: the median, the least */
    double macs, bytes;   /* of a call */
} result;

static const size_t batches[] = {8, 32, 0};

static void run_precision(work *w, const char *dir, const char *cache, pn_clip_precision p,
                          result *out)
{
    const pn_clip_options how = {w->pool, p, cache};
    pn_error err = {0};
    pn_clip *clip = NULL;
    if (pn_clip_open(dir, &how, &clip, &err) != PN_OK)
        stop("open", &err);
    w->clip = clip;
    const pn_clip_info *info = pn_clip_get_info(clip);
    for (size_t i = 0; i < PN_COUNT_OF(batches); i++, out++) {
        *out = (result){.precision = p,
                        .pictures = batches[i],
                        .macs = picture_macs(info) * (double)batches[i],
                        .bytes = text_bytes(info, p)};
        out->seconds = time_calls(w, batches[i], &out->best);
    }
    pn_clip_close(clip);
}

static void print_result(const result *r, const limits *l, unsigned threads)
{
    const char *precision = pn_clip_precision_name(r->precision);
    double items = r->pictures > 0 ? (double)r->pictures : 1, floor_s = r->bytes / l->bytes;
    if (r->pictures > 0)
        printf("{\"case\":\"image-%zu\",\"precision\":\"%s\",\"threads\":%u,\"ms_item_med\":%.3f,"
               "\"ms_item_min\":%.3f,\"gmac\":%.3f,\"of_fma_peak_med\":%.3f,\"of_fma_peak_best\":%."
               "3f}\n",
               r->pictures, precision, threads, r->seconds * 1e3 / items, r->best * 1e3 / items,
               r->macs / 1e9 / items, r->macs / r->seconds / l->fma, r->macs / r->best / l->fma);
    else
        printf("{\"case\":\"text-%d\",\"precision\":\"%s\",\"threads\":%u,\"ms_med\":%.3f,\"ms_"
               "min\":%.3f,"
               "\"weights_mb\":%.1f,\"floor_ms\":%.3f,\"times_floor_med\":%.2f,\"times_floor_"
               "best\":%.2f}\n",
               TOKENS, precision, threads, r->seconds * 1e3, r->best * 1e3, r->bytes / 1e6,
               floor_s * 1e3, r->seconds / floor_s, r->best / floor_s);
}

static void make_inputs(work *w)
{
    size_t n = (size_t)DEEPEST * 3 * IMAGE * IMAGE;
    uint32_t state = 12345;
    w->pixels = pn_alloc_array(n, sizeof *w->pixels);
    w->out = pn_alloc_array((size_t)DEEPEST * 4096, sizeof *w->out);
    if (!w->pixels || !w->out)
        stop("no memory", NULL);
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        w->pixels[i] = (float)(state >> 8) / 16777216.0f * 4.0f - 2.0f;
    }
    w->ids[0] = START;
    for (uint32_t i = 1; i + 1 < TOKENS; i++)
        w->ids[i] = i * 7919;
    w->ids[TOKENS - 1] = END;
}

typedef struct options {
    const char *model;
    bool one;
    pn_clip_precision precision;
    unsigned threads;
    double seconds;
} options;

static options parse_options(int argc, char **argv)
{
    options o = {.seconds = 2, .threads = 2};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--model") == 0)
            o.model = value;
        else if (strcmp(name, "--threads") == 0)
            o.threads = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--seconds") == 0)
            o.seconds = strtod(value, NULL);
        else if (strcmp(name, "--precision") == 0 &&
                 pn_clip_precision_parse(pn_str_of(value), &o.precision))
            o.one = true;
        else
            stop(name, NULL);
    }
    if (o.threads == 0 || o.threads > MAX_THREADS)
        stop("--threads", NULL);
    return o;
}

static void run(const options *o, const char *dir, const char *cache)
{
    static const pn_clip_precision all[] = {PN_CLIP_F32, PN_CLIP_F16, PN_CLIP_INT8};
    const peak_loops *loops = find_loops();
    pn_error err = {0};
    work w = {.seconds = o->seconds};
    if (pn_pool_create(o->threads, &w.pool, &err) != PN_OK)
        stop("threads", &err);
    uint8_t *memory = aligned_alloc(64, READ_BYTES * o->threads);
    if (!memory)
        stop("no memory", NULL);
    memset(memory, 1, READ_BYTES * o->threads);
    make_inputs(&w);
    limits one = measure_limits(loops, memory, 1, w.pool);
    limits l = measure_limits(loops, memory, o->threads, w.pool);
    result results[PN_COUNT_OF(all)][PN_COUNT_OF(batches)];
    const size_t n = o->one ? 1 : PN_COUNT_OF(all);
    for (size_t i = 0; i < n; i++) {
        run_precision(&w, dir, cache, o->one ? o->precision : all[i], results[i]);
        limits again = measure_limits(loops, memory, o->threads, w.pool);
        l = better(l, again);
    }
    print_limits(&one, 1);
    print_limits(&l, o->threads);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < PN_COUNT_OF(batches); k++)
            print_result(&results[i][k], &l, o->threads);
    free(memory);
    pn_free(w.pixels);
    pn_free(w.out);
    pn_pool_free(w.pool);
}

int main(int argc, char **argv)
{
    options o = parse_options(argc, argv);
    pn_arena arena;
    pn_error err = {0};
    char *dir = NULL;
    pn_arena_init(&arena, 1u << 20);
    if (pn_dir_make_temporary("bench-limits", &arena, &dir, &err) != PN_OK)
        stop("folder", &err);
    if (!o.model)
        write_model(dir, find_shape("b32"), false);
    run(&o, o.model ? o.model : dir, dir);
    if (pn_dir_remove_all(dir, &err) != PN_OK)
        stop("cannot remove the folder", &err);
    pn_arena_reset(&arena);
    return 0;
}

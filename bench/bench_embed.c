/*
 * bench_embed.c - how long does a picture take, and how long a query?
 *
 *     bench_embed [--model DIR] [--threads N] [--seconds S] [--case NAME] [--dump FILE] [--precision P] [--cache DIR]
 *     bench_embed --write DIR [--type f32|f16] [--shape b32|b16|l14]     write a model of random weights and stop
 *
 * Without --model, a ViT-B/32 of random weights is written into a temporary folder first: only shapes decide the speed. Inputs
 * are made by a formula that other programs can repeat (embed_peer.mjs does): a generator of 32-bit numbers for the pixels,
 * and texts of exactly the named number of tokens (a case that is longer than the model's context is left out). Every case is warmed up, then timed for S seconds; the answer is
 * one line of JSON with the minimum and the median of a call in milliseconds. 0 seconds: one call, not warmed up. --dump
 * writes the vectors of the last case run, as f32, for comparison. At the end: what memory the process has.
 */
#include "base/alloc.h"
#include "clip/clip.h"
#include "kernels/kernels.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/process.h"
#include "random_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *model, *write, *type, *only, *dump, *cache;
    const shape *shape;
    pn_clip_precision precision;
    unsigned threads;
    double seconds;
} options;

/* ---- the cases */

typedef struct bench_case {
    const char *name;
    bool is_text;
    size_t batch, tokens;
} bench_case;

static const bench_case cases[] = {
    {"image-1", false, 1, 0}, {"image-8", false, 8, 0},     {"image-32", false, 32, 0},
    {"text-8", true, 1, 8},   {"text-20", true, 1, 20},     {"text-77", true, 1, 77},
    {"text-8x8", true, 8, 8}, {"text-20x32", true, 32, 20},
};

typedef struct input {
    float *pixels;
    uint32_t *ids;
    size_t *lengths;
    float *out;
} input;

/* A text of c->tokens ids, from start to end; filled up where the model looks at all places. Returns its length. */
static size_t make_text(const bench_case *c, size_t i, const pn_clip *clip, uint32_t *row)
{
    enum { SPECIAL = 408 }; // 49000 of CLIP's 49408 ids are plain ones
    const pn_tokenizer *t = pn_clip_tokenizer(clip);
    const pn_clip_info *info = pn_clip_get_info(clip);
    for (size_t j = 0; j < c->tokens; j++)
        row[j] = (uint32_t)((j * 7919 + i * 104729) % (info->vocabulary - SPECIAL));
    if (pn_tokenizer_start_id(t) != PN_TOKENIZER_NO_ID)
        row[0] = pn_tokenizer_start_id(t);
    row[c->tokens - 1] = pn_tokenizer_end_id(t);
    if (!pn_tokenizer_pads(t))
        return c->tokens;
    for (size_t j = c->tokens; j < info->context; j++)
        row[j] = pn_tokenizer_pad_id(t);
    return info->context;
}

static input make_input(const bench_case *c, const pn_clip *clip)
{
    const pn_clip_info *info = pn_clip_get_info(clip);
    const size_t n = (size_t)3 * info->image_width * info->image_height * c->batch;
    input in = {0};
    in.out = pn_alloc_array(c->batch * info->dim, sizeof *in.out);
    in.pixels = c->is_text ? NULL : pn_alloc_array(n, sizeof *in.pixels);
    in.ids = c->is_text ? pn_alloc_zero(c->batch * info->context * sizeof *in.ids) : NULL;
    in.lengths = pn_alloc_array(c->batch, sizeof *in.lengths);
    if (!in.out || !in.lengths || !(in.pixels || in.ids))
        stop("no memory", NULL);
    uint32_t state = 12345;
    for (size_t i = 0; in.pixels && i < n; i++) {
        state = state * 1664525u + 1013904223u;
        in.pixels[i] = (float)(state >> 8) / 16777216.0f * 4.0f - 2.0f;
    }
    for (size_t i = 0; in.ids && i < c->batch; i++)
        in.lengths[i] = make_text(c, i, clip, in.ids + i * info->context);
    return in;
}

static void free_input(input *in)
{
    pn_free(in->pixels);
    pn_free(in->ids);
    pn_free(in->lengths);
    pn_free(in->out);
}

static double call(const pn_clip *clip, const bench_case *c, const input *in, pn_pool *pool)
{
    pn_error err = {0};
    int64_t start = pn_clock_monotonic_ns();
    pn_status status = c->is_text ? pn_clip_embed_ids(clip, in->ids, in->lengths, c->batch,
                                                      PN_CLIP_UNIT, pool, in->out, &err)
                                  : pn_clip_embed_images(clip, in->pixels, c->batch, PN_CLIP_UNIT,
                                                         pool, in->out, &err);
    if (status != PN_OK)
        stop(c->name, &err);
    return (double)(pn_clock_monotonic_ns() - start) / 1e6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum { MAX_RUNS = 4096, LEAST_RUNS = 5, WARM_UP = 2 };

static void run_case(const pn_clip *clip, const bench_case *c, pn_pool *pool, const options *o)
{
    static double times[MAX_RUNS];
    const size_t dim = pn_clip_get_info(clip)->dim;
    input in = make_input(c, clip);
    const bool timed = o->seconds > 0; /* else only for --dump */
    for (int i = 0; timed && i < WARM_UP; i++)
        (void)call(clip, c, &in, pool);
    int n = 0;
    double sum = 0;
    while (n < MAX_RUNS && (n < (timed ? LEAST_RUNS : 1) || sum < o->seconds * 1000))
        sum += times[n++] = call(clip, c, &in, pool);
    qsort(times, (size_t)n, sizeof times[0], ascending);
    printf("{\"name\":\"pennon\",\"case\":\"%s\",\"batch\":%zu,\"tokens\":%zu,\"threads\":%u,"
           "\"level\":\"%s\",\"precision\":\"%s\",\"ms_min\":%.3f,\"ms_med\":%.3f,\"ms_item_med\":%"
           ".3f,\"runs\":%d}\n",
           c->name, c->batch, c->tokens, pn_pool_threads(pool), pn_kernels_get()->level,
           pn_clip_precision_name(o->precision), times[0], times[n / 2],
           times[n / 2] / (double)c->batch, n);
    fflush(stdout);
    if (o->dump) {
        FILE *file = fopen(o->dump, "wb");
        if (!file || fwrite(in.out, sizeof *in.out, c->batch * dim, file) != c->batch * dim)
            stop(o->dump, NULL);
        if (fclose(file) != 0)
            stop(o->dump, NULL);
    }
    free_input(&in);
}

/* What is the process's own, and what is mapped from files: weights, when they were prepared before, can be given back. */
static void print_memory(void)
{
    char line[256];
    double anon = 0, mapped = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "RssAnon:", 8) == 0)
            anon = strtod(line + 8, NULL) / 1024;
        if (strncmp(line, "RssFile:", 8) == 0)
            mapped = strtod(line + 8, NULL) / 1024;
    }
    if (file)
        (void)fclose(file);
    printf("{\"name\":\"pennon\",\"case\":\"memory\",\"anon_mib\":%.1f,\"file_mib\":%.1f}\n", anon,
           mapped);
}

static void run(const char *dir, const options *o)
{
    pn_error err = {0};
    pn_pool *pool = NULL;
    pn_clip *clip = NULL;
    if (pn_pool_create(o->threads, &pool, &err) != PN_OK)
        stop("threads", &err);
    int64_t start = pn_clock_monotonic_ns();
    const pn_clip_options how = {pool, o->precision, o->cache};
    if (pn_clip_open(dir, &how, &clip, &err) != PN_OK)
        stop("open", &err);
    double ms = (double)(pn_clock_monotonic_ns() - start) / 1e6;
    pn_process_usage usage;
    pn_process_get_usage(&usage);
    printf("{\"name\":\"pennon\",\"case\":\"open\",\"threads\":%u,\"ms\":%.1f,\"rss_mib\":%" PRIu64
           ",\"prepared\":%s}\n",
           pn_pool_threads(pool), ms, usage.resident_bytes >> 20,
           pn_clip_get_info(clip)->prepared ? "true" : "false");
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++)
        if ((!o->only || strcmp(o->only, cases[i].name) == 0) &&
            cases[i].tokens <= pn_clip_get_info(clip)->context)
            run_case(clip, &cases[i], pool, o);
    print_memory();
    pn_clip_close(clip);
    pn_pool_free(pool);
}

static options parse_options(int argc, char **argv)
{
    options o = {.seconds = 3, .type = "f32", .cache = "", .shape = find_shape("b32")};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--model") == 0)
            o.model = value;
        else if (strcmp(name, "--write") == 0)
            o.write = value;
        else if (strcmp(name, "--shape") == 0)
            o.shape = find_shape(value);
        else if (strcmp(name, "--type") == 0)
            o.type = value;
        else if (strcmp(name, "--case") == 0)
            o.only = value;
        else if (strcmp(name, "--dump") == 0)
            o.dump = value;
        else if (strcmp(name, "--threads") == 0)
            o.threads = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--cache") == 0)
            o.cache = value;
        else if (strcmp(name, "--precision") == 0) {
            if (!pn_clip_precision_parse(pn_str_of(value), &o.precision))
                stop(value, NULL);
        } else if (strcmp(name, "--seconds") == 0)
            o.seconds = strtod(value, NULL);
        else
            stop(name, NULL);
    }
    return o;
}

int main(int argc, char **argv)
{
    options o = parse_options(argc, argv);
    pn_arena arena;
    pn_error err = {0};
    char *dir = NULL;
    pn_arena_init(&arena, 1u << 20);
    if (o.write) {
        if (pn_dir_make(o.write, &err) != PN_OK)
            stop("folder", &err);
        write_model(o.write, o.shape, strcmp(o.type, "f16") == 0);
    } else if (o.model) {
        run(o.model, &o);
    } else {
        if (pn_dir_make_temporary("bench-embed", &arena, &dir, &err) != PN_OK)
            stop("folder", &err);
        write_model(dir, o.shape, strcmp(o.type, "f16") == 0);
        run(dir, &o);
        if (pn_dir_remove_all(dir, &err) != PN_OK)
            stop("cannot remove the model", &err);
    }
    pn_arena_reset(&arena);
    return 0;
}

/*
 * bench_embed.c - how long does a picture take, and how long a query?
 *
 *     bench_embed [--model DIR] [--threads N] [--seconds S] [--case NAME] [--dump FILE] [--precision P] [--cache DIR]
 *     bench_embed --write DIR [--type f32|f16] [--shape b32|b16|l14]     write a model of random weights and stop
 *
 * Without --model, a ViT-B/32 of random weights is written into a temporary folder first: only shapes decide the speed. Inputs
 * are made by a formula that other programs can repeat (embed_peer.mjs does): a generator of 32-bit numbers for the pixels,
 * and texts of exactly the named number of tokens. Every case is warmed up, then timed for S seconds; the answer is
 * one line of JSON with the minimum and the median of a call in milliseconds. --dump writes the vectors of the last case
 * run, as f32, for comparison.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "clip/clip.h"
#include "kernels/kernels.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/process.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OpenAI's ViTs. Heads are 64 wide, hidden layers four times the width. */
typedef struct shape {
    const char *name;
    uint64_t patch, vision_width, vision_layers, text_width, text_layers, dim;
} shape;

typedef struct options {
    const char *model, *write, *type, *only, *dump, *cache;
    const shape *shape;
    pn_clip_precision precision;
    unsigned threads;
    double seconds;
} options;

static void stop(const char *what, const pn_error *err)
{
    fprintf(stderr, "bench_embed: %s%s%s\n", what, err ? ": " : "", err ? err->message : "");
    exit(1);
}

/* ---- a model of random weights */

enum { IMAGE = 224, CONTEXT = 77, VOCABULARY = 49408, START = 49406, END = 49407 };

static const shape shapes[] = {{"b32", 32, 768, 12, 512, 12, 512},
                               {"b16", 16, 768, 12, 512, 12, 512},
                               {"l14", 14, 1024, 24, 768, 12, 768}};

/* Runs twice over the list of tensors: once to write the header, once the data. */
typedef struct writer {
    FILE *file;
    bool data; /* the second run */
    bool half;
    uint64_t offset;
    pn_rng rng;
} writer;

/* Uniform with the given spread around middle: cheap, and as good as normal here. */
static void put_values(writer *w, uint64_t n, double spread, double middle)
{
    for (uint64_t i = 0; i < n; i++) {
        float value = (float)(middle + (pn_rng_unit(&w->rng) - 0.5) * 3.46 * spread);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (w->half) {
            /* f16, cut off: values lie between 2^-14 and 4, or become zero */
            int32_t exponent = (int32_t)(bits >> 23 & 255) - 112;
            uint16_t h = (uint16_t)(bits >> 16 & 0x8000);
            if (exponent > 0)
                h = (uint16_t)(h | exponent << 10 | (bits >> 13 & 1023));
            (void)fwrite(&h, sizeof h, 1, w->file); /* ferror() is asked at the end */
        } else {
            (void)fwrite(&value, sizeof value, 1, w->file);
        }
    }
}

static void put(writer *w, const char *name, const uint64_t dims[4], double spread, double middle)
{
    uint64_t n = 1;
    char sizes[100] = "";
    for (size_t i = 0; i < 4 && dims[i] > 0; i++) {
        size_t used = strlen(sizes);
        (void)snprintf(sizes + used, sizeof sizes - used, "%s%" PRIu64, i ? "," : "", dims[i]);
        n *= dims[i];
    }
    if (w->data) {
        put_values(w, n, spread, middle);
        return;
    }
    uint64_t end = w->offset + n * (w->half ? 2 : 4);
    fprintf(w->file,
            "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
            w->offset ? "," : "", name, w->half ? "F16" : "F32", sizes, w->offset, end);
    w->offset = end;
}

static void put_pair(writer *w, const char *stem, uint64_t n, uint64_t k)
{
    char name[160];
    const uint64_t weight[4] = {n, k}, bias[4] = {n};
    (void)snprintf(name, sizeof name, "%s.weight", stem);
    put(w, name, weight, k ? 1 / sqrt((double)k) : 0.1, k ? 0 : 1);
    (void)snprintf(name, sizeof name, "%s.bias", stem);
    put(w, name, bias, 0.05, 0);
}

static void put_blocks(writer *w, const char *part, uint64_t width, uint64_t layers)
{
    static const char *const square[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                         "self_attn.out_proj"};
    char stem[128];
    for (uint64_t i = 0; i < layers; i++) {
        for (size_t j = 0; j < 4; j++) {
            (void)snprintf(stem, sizeof stem, "%s.encoder.layers.%" PRIu64 ".%s", part, i,
                           square[j]);
            put_pair(w, stem, width, width);
        }
        for (int j = 1; j <= 2; j++) {
            (void)snprintf(stem, sizeof stem, "%s.encoder.layers.%" PRIu64 ".layer_norm%d", part, i,
                           j);
            put_pair(w, stem, width, 0);
            (void)snprintf(stem, sizeof stem, "%s.encoder.layers.%" PRIu64 ".mlp.fc%d", part, i, j);
            put_pair(w, stem, j == 1 ? 4 * width : width, j == 1 ? width : 4 * width);
        }
    }
}

static void put_model(writer *w, const shape *m)
{
    const uint64_t patch[4] = {m->vision_width, 3, m->patch, m->patch},
                   class_dims[4] = {m->vision_width};
    const uint64_t grid = (IMAGE / m->patch) * (IMAGE / m->patch);
    const uint64_t places[4] = {1 + grid, m->vision_width},
                   projection[4] = {m->dim, m->vision_width};
    const uint64_t tokens[4] = {VOCABULARY, m->text_width}, context[4] = {CONTEXT, m->text_width};
    const uint64_t text_projection[4] = {m->dim, m->text_width}, scalar[4] = {1};
    put(w, "vision_model.embeddings.patch_embedding.weight", patch, 0.018, 0);
    put(w, "vision_model.embeddings.class_embedding", class_dims, 0.5, 0);
    put(w, "vision_model.embeddings.position_embedding.weight", places, 0.2, 0);
    put_pair(w, "vision_model.pre_layrnorm", m->vision_width, 0);
    put_blocks(w, "vision_model", m->vision_width, m->vision_layers);
    put_pair(w, "vision_model.post_layernorm", m->vision_width, 0);
    put(w, "visual_projection.weight", projection, 0.036, 0);
    put(w, "text_model.embeddings.token_embedding.weight", tokens, 0.5, 0);
    put(w, "text_model.embeddings.position_embedding.weight", context, 0.2, 0);
    put_blocks(w, "text_model", m->text_width, m->text_layers);
    put_pair(w, "text_model.final_layer_norm", m->text_width, 0);
    put(w, "text_projection.weight", text_projection, 0.044, 0);
    put(w, "logit_scale", scalar, 0, 4.6);
}

static FILE *create(const char *dir, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        stop(path, NULL);
    return file;
}

static void finish(FILE *file)
{
    if (ferror(file) || fclose(file) != 0)
        stop("cannot write", NULL);
}

static void write_tokenizer(const char *dir)
{
    FILE *file = create(dir, "vocab.json");
    fprintf(file, "{");
    for (unsigned i = 0; i < 512; i++) {
        unsigned b = i % 256, hidden = 0;
        for (unsigned c = 0; c < b; c++)
            hidden += c < 33 || (c > 126 && c < 161) || c == 173;
        bool is_hidden = b < 33 || (b > 126 && b < 161) || b == 173;
        fprintf(file, "\"\\u%04x%s\":%u,", is_hidden ? 256 + hidden : b, i < 256 ? "" : "</w>", i);
    }
    for (unsigned i = 512; i < START; i++)
        fprintf(file, "\"t%u\":%u,", i, i);
    fprintf(file, "\"<|startoftext|>\":%d,\"<|endoftext|>\":%d}", START, END);
    finish(file);
    file = create(dir, "merges.txt");
    fprintf(file, "#version: 0.2\n");
    finish(file);
}

static void write_model(const char *dir, const shape *m, bool half)
{
    FILE *file = create(dir, "model.safetensors");
    writer w = {.file = file, .half = half, .rng = pn_rng_seed(1)};
    uint64_t length = 0;
    (void)fwrite(&length, sizeof length, 1, file); /* room for it */
    fprintf(file, "{");
    put_model(&w, m);
    fprintf(file, "}");
    length = (uint64_t)ftell(file) - sizeof length;
    w.data = true;
    put_model(&w, m);
    rewind(file);
    (void)fwrite(&length, sizeof length, 1, file);
    finish(file);
    file = create(dir, "config.json");
    const uint64_t vision_heads = m->vision_width / 64, text_heads = m->text_width / 64;
    fprintf(file,
            "{\"model_type\":\"clip\",\"projection_dim\":%" PRIu64
            ",\"text_config\":{\"hidden_size\":%" PRIu64 ",\"intermediate_size\":%" PRIu64
            ",\"num_hidden_layers\":%" PRIu64 ",\"num_attention_heads\":%" PRIu64
            "},\"vision_config\":{\"hidden_size\":%" PRIu64 ",\"intermediate_size\":%" PRIu64
            ",\"num_hidden_layers\":%" PRIu64 ",\"num_attention_heads\":%" PRIu64
            ",\"patch_size\":%" PRIu64 "}}",
            m->dim, m->text_width, 4 * m->text_width, m->text_layers, text_heads, m->vision_width,
            4 * m->vision_width, m->vision_layers, vision_heads, m->patch);
    finish(file);
    write_tokenizer(dir);
}

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

static input make_input(const bench_case *c, size_t dim)
{
    const size_t n = (size_t)3 * IMAGE * IMAGE * c->batch;
    input in = {0};
    in.out = pn_alloc_array(c->batch * dim, sizeof *in.out);
    in.pixels = c->is_text ? NULL : pn_alloc_array(n, sizeof *in.pixels);
    in.ids = c->is_text ? pn_alloc_zero(c->batch * CONTEXT * sizeof *in.ids) : NULL;
    in.lengths = pn_alloc_array(c->batch, sizeof *in.lengths);
    if (!in.out || !in.lengths || !(in.pixels || in.ids))
        stop("no memory", NULL);
    uint32_t state = 12345;
    for (size_t i = 0; in.pixels && i < n; i++) {
        state = state * 1664525u + 1013904223u;
        in.pixels[i] = (float)(state >> 8) / 16777216.0f * 4.0f - 2.0f;
    }
    for (size_t i = 0; in.ids && i < c->batch; i++) {
        uint32_t *row = in.ids + i * CONTEXT;
        row[0] = START;
        for (size_t j = 1; j + 1 < c->tokens; j++)
            row[j] = (uint32_t)((j * 7919 + i * 104729) % 49000);
        row[c->tokens - 1] = END;
        in.lengths[i] = c->tokens;
    }
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
    input in = make_input(c, dim);
    for (int i = 0; i < WARM_UP; i++)
        (void)call(clip, c, &in, pool);
    int n = 0;
    double sum = 0;
    while (n < MAX_RUNS && (n < LEAST_RUNS || sum < o->seconds * 1000))
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
        finish(file);
    }
    free_input(&in);
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
        if (!o->only || strcmp(o->only, cases[i].name) == 0)
            run_case(clip, &cases[i], pool, o);
    pn_clip_close(clip);
    pn_pool_free(pool);
}

static const shape *find_shape(const char *name)
{
    for (size_t i = 0; i < PN_COUNT_OF(shapes); i++)
        if (strcmp(name, shapes[i].name) == 0)
            return &shapes[i];
    stop(name, NULL);
    return NULL;
}

static options parse_options(int argc, char **argv)
{
    options o = {.seconds = 3, .type = "f32", .cache = "", .shape = &shapes[0]};
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

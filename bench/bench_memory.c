/*
 * bench_memory.c - does memory stay where it is, however many pictures are embedded?
 *
 *     bench_memory --model DIR --folder DIR [--pictures N] [--every N] [--precision P] [--threads N] [--cache DIR]
 *
 * The whole way of a picture: file, decoder, resize, encoder, 8 at a time; the files of the folder over and over. Every so many
 * pictures one line of JSON: what is the process's own (RssAnon), what is mapped from files (RssFile: prepared weights, which
 * the system can take back) and the most that was ever resident (VmHWM). The last line says how much RssAnon lies above its value
 * before the first picture, and how much it grew from the first sample to the last.
 */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "embed/local.h"
#include "image/decode.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/pool.h"
#include "random_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8, MAX_FILES = 4096 };

typedef struct options {
    const char *model, *folder, *cache;
    unsigned long pictures, every;
    unsigned threads;
    pn_clip_precision precision;
} options;

typedef struct memory {
    double anon, file, peak; /* MiB */
} memory;

static memory measure(void)
{
    memory m = {0};
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "RssAnon:", 8) == 0)
            m.anon = strtod(line + 8, NULL) / 1024;
        if (strncmp(line, "RssFile:", 8) == 0)
            m.file = strtod(line + 8, NULL) / 1024;
        if (strncmp(line, "VmHWM:", 6) == 0)
            m.peak = strtod(line + 6, NULL) / 1024;
    }
    if (file)
        (void)fclose(file);
    return m;
}

static memory print_sample(unsigned long n)
{
    memory m = measure();
    printf("{\"pictures\":%lu,\"anon_mib\":%.2f,\"file_mib\":%.2f,\"peak_mib\":%.2f}\n", n, m.anon,
           m.file, m.peak);
    fflush(stdout);
    return m;
}

static void prepare(pn_embedder *e, const char *path, pn_embed_input *input)
{
    pn_error err = {0};
    pn_buffer bytes;
    pn_image image = {0};
    const pn_decode_options how = {.shrink_to_px = e->shrink_to_px};
    pn_buffer_init(&bytes, PN_IMAGE_MAX_FILE_BYTES);
    if (pn_file_read(path, &bytes, &err) != PN_OK ||
        pn_image_decode(bytes.data, bytes.n_bytes, path, &how, &image, &err) != PN_OK)
        stop("picture", &err);
    const pn_embed_picture picture = {bytes.data, bytes.n_bytes, &image};
    if (e->prepare_image(e->self, &picture, input, &err) != PN_OK)
        stop("picture", &err);
    pn_image_free(&image);
    pn_buffer_reset(&bytes);
}

static void run(const options *o, pn_embedder *e, char **names, size_t n_names, pn_arena *arena)
{
    pn_error err = {0};
    char *paths[MAX_FILES];
    pn_embed_input inputs[BATCH] = {{0}};
    float *out = pn_alloc_array((size_t)BATCH * e->dim, sizeof *out);
    if (!out)
        stop("no memory", NULL);
    for (size_t i = 0; i < n_names; i++)
        paths[i] = pn_path_join(arena, o->folder, names[i]);
    memory before = print_sample(0), first = {0}, last = {0};
    for (unsigned long n = 0; n < o->pictures;) {
        for (size_t i = 0; i < BATCH; i++)
            prepare(e, paths[(n + i) % n_names], &inputs[i]);
        if (e->embed_images(e->self, inputs, BATCH, NULL, out, &err) != PN_OK)
            stop("embed", &err);
        for (size_t i = 0; i < BATCH; i++)
            pn_embed_input_free(&inputs[i]);
        n += BATCH;
        if (n / o->every == (n - BATCH) / o->every && n < o->pictures)
            continue;
        last = print_sample(n);
        if (first.anon == 0)
            first = last;
    }
    printf("{\"above_start_mib\":%.2f,\"grown_since_first_sample_mib\":%.2f}\n",
           last.anon - before.anon, last.anon - first.anon);
    pn_free(out);
}

static options parse_options(int argc, char **argv)
{
    options o = {.pictures = 100000, .every = 1000, .threads = 2};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--model") == 0)
            o.model = value;
        else if (strcmp(name, "--folder") == 0)
            o.folder = value;
        else if (strcmp(name, "--cache") == 0)
            o.cache = value;
        else if (strcmp(name, "--pictures") == 0)
            o.pictures = strtoul(value, NULL, 10);
        else if (strcmp(name, "--every") == 0)
            o.every = strtoul(value, NULL, 10);
        else if (strcmp(name, "--threads") == 0)
            o.threads = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--precision") != 0 ||
                 !pn_clip_precision_parse(pn_str_of(value), &o.precision))
            stop(name, NULL);
    }
    if (!o.model || !o.folder || o.every == 0)
        stop("--model and --folder are needed", NULL);
    return o;
}

int main(int argc, char **argv)
{
    options o = parse_options(argc, argv);
    pn_error err = {0};
    pn_pool *pool = NULL;
    pn_embedder *e = NULL;
    pn_arena arena;
    char **names = NULL;
    size_t n = 0;
    pn_arena_init(&arena, 16u << 20);
    if (pn_image_library_init(&err) != PN_OK || pn_pool_create(o.threads, &pool, &err) != PN_OK ||
        pn_dir_list(o.folder, &arena, &names, &n, &err) != PN_OK)
        stop(o.folder, &err);
    if (n == 0 || n > MAX_FILES)
        stop("no files, or too many", NULL);
    const pn_local_options local = {
        .model = o.model, .pool = pool, .cache = o.cache, .precision = o.precision};
    if (pn_local_embedder_create(&local, &e, &err) != PN_OK)
        stop("open", &err);
    run(&o, e, names, n, &arena);
    pn_embedder_free(e);
    pn_pool_free(pool);
    pn_arena_reset(&arena);
    return 0;
}

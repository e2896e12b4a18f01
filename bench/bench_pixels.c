/*
 * bench_pixels.c - what does a picture cost before it reaches the tower, and what does shrinking it while it is decoded change?
 *
 *     bench_pixels --model DIR [--thumbnail PX] [--shrink PX] [--cosine P] FOLDER
 *
 * Every picture goes through what a decoding thread of `pennon ingest` does: read, hash, decode (as small as the model and the
 * thumbnail allow), resize and normalise, thumbnail. The answer is one line of JSON: the processor time of each stage in
 * milliseconds, the mean over all pictures, of three passes the one with the least sum. entropy_ms is a part of
 * decode_ms: the decoding of the same files at an eighth, which leaves little but the Huffman codes. --shrink is the
 * least side that decoding has to leave, instead of the model's own. --cosine embeds every picture twice instead, from its
 * shrunk and from its full pixels, at precision P, and says how far the vectors are apart.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "embed/local.h"
#include "image/decode.h"
#include "image/thumbnail.h"
#include "ingest/prepare.h"
#include "os/dir.h"
#include "os/fd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PASSES = 3, MAX_PICTURES = 4096 };

typedef struct times {
    double read, hash, entropy, decode, prepare, thumbnail;
} times;

typedef struct bench {
    pn_embedder *embedder;
    uint32_t thumbnail_px;
    const char *paths[MAX_PICTURES];
    size_t n;
    pn_arena arena;
} bench;

static void stop(const char *what, const pn_error *err)
{
    fprintf(stderr, "bench_pixels: %s%s%s\n", what, err ? ": " : "", err ? err->message : "");
    exit(1);
}

/* Processor time since the last call with the same clock; of all threads, as a decoder may have its own. */
static double lap_ms(double *last)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    double now = (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6, lap = now - *last;
    *last = now;
    return lap;
}

static void must(pn_status status, const char *what, const pn_error *err)
{
    if (status != PN_OK)
        stop(what, err);
}

static pn_image decode(const pn_buffer *bytes, const char *path, const pn_decode_options *options)
{
    pn_error err = {0};
    pn_image image = {0};
    must(pn_image_decode(bytes->data, bytes->n_bytes, path, options, &image, &err), path, &err);
    return image;
}

static pn_buffer read_file(const char *path)
{
    pn_error err = {0};
    pn_buffer bytes;
    pn_buffer_init(&bytes, PN_IMAGE_MAX_FILE_BYTES);
    must(pn_file_read(path, &bytes, &err), path, &err);
    return bytes;
}

/* The input of embed_images(), the caller's. */
static pn_embed_input prepare(const bench *b, const char *path, const pn_buffer *bytes,
                              const pn_image *image)
{
    pn_error err = {0};
    pn_embed_input input = {0};
    const pn_embed_picture picture = {bytes->data, bytes->n_bytes, image};
    must(b->embedder->prepare_image(b->embedder->self, &picture, &input, &err), path, &err);
    return input;
}

static void time_picture(const bench *b, const char *path, times *sum)
{
    double clock = 0;
    pn_error err = {0};
    pn_ingest_item *item = pn_ingest_item_create(path, path);
    pn_decode_options options = pn_prepare_decoding(b->embedder, b->thumbnail_px);
    (void)lap_ms(&clock); // the start
    pn_buffer bytes = read_file(path);
    sum->read += lap_ms(&clock);
    must(pn_prepare_hash(item, bytes.data, bytes.n_bytes, &err), "hash", &err);
    sum->hash += lap_ms(&clock);
    pn_image image = decode(&bytes, path, &options);
    sum->decode += lap_ms(&clock);
    pn_embed_input input = prepare(b, path, &bytes, &image);
    pn_embed_input_free(&input);
    sum->prepare += lap_ms(&clock);
    if (b->thumbnail_px > 0)
        must(pn_thumbnail_make(&image, b->thumbnail_px, &item->thumbnail, &err), "thumbnail", &err);
    pn_image_free(&image);
    sum->thumbnail += lap_ms(&clock);
    image = decode(&bytes, path, &(pn_decode_options){.shrink_to_px = 1});
    pn_image_free(&image);
    sum->entropy += lap_ms(&clock);
    pn_buffer_reset(&bytes);
    pn_ingest_item_free(item);
}

static double total(const times *t)
{
    return t->read + t->hash + t->decode + t->prepare + t->thumbnail;
}

static void time_all(const bench *b)
{
    times best = {0};
    for (int pass = 0; pass < PASSES; pass++) {
        times sum = {0};
        for (size_t i = 0; i < b->n; i++)
            time_picture(b, b->paths[i], &sum);
        if (pass == 0 || total(&sum) < total(&best))
            best = sum;
    }
    double n = (double)b->n;
    printf("{\"pictures\":%zu,\"shrink_to_px\":%u,\"thumbnail_px\":%u,\"read_ms\":%.3f,\"hash_ms\":"
           "%.3f,"
           "\"decode_ms\":%.3f,\"entropy_ms\":%.3f,\"prepare_ms\":%.3f,\"thumbnail_ms\":%.3f,"
           "\"pixels_ms\":%.3f}\n",
           b->n, (unsigned)b->embedder->shrink_to_px, (unsigned)b->thumbnail_px, best.read / n,
           best.hash / n, best.decode / n, best.entropy / n, best.prepare / n, best.thumbnail / n,
           total(&best) / n);
}

static void embed(const bench *b, const pn_buffer *bytes, const char *path,
                  const pn_decode_options *options, float *vector)
{
    pn_error err = {0};
    pn_image image = decode(bytes, path, options);
    pn_embed_input input = prepare(b, path, bytes, &image);
    must(b->embedder->embed_images(b->embedder->self, &input, 1, NULL, vector, &err), path, &err);
    pn_embed_input_free(&input);
    pn_image_free(&image);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* How many of the 10 nearest of each picture stay among the 10 nearest, all by exact search. */
static double recall_at_10(const float *full, const float *shrunk, size_t n, size_t dim)
{
    enum { K = 10 };
    size_t kept = 0, *nearest[2];
    double *scores = pn_alloc_array(n, sizeof *scores);
    nearest[0] = pn_alloc_array(K, sizeof(size_t));
    nearest[1] = pn_alloc_array(K, sizeof(size_t));
    for (size_t i = 0; i < n; i++) {
        for (int side = 0; side < 2; side++) {
            const float *query = (side ? shrunk : full) + i * dim;
            for (size_t j = 0; j < n; j++) {
                scores[j] = j == i ? -2 : 0;
                for (size_t d = 0; d < dim && j != i; d++)
                    scores[j] += (double)query[d] * (double)full[j * dim + d];
            }
            for (size_t k = 0; k < K; k++) {
                size_t best = 0;
                for (size_t j = 1; j < n; j++)
                    best = scores[j] > scores[best] ? j : best;
                nearest[side][k] = best;
                scores[best] = -3;
            }
        }
        for (size_t k = 0; k < K; k++)
            for (size_t j = 0; j < K; j++)
                kept += nearest[0][k] == nearest[1][j];
    }
    pn_free(nearest[1]);
    pn_free(nearest[0]);
    pn_free(scores);
    return (double)kept / (double)(n * K);
}

static void compare_all(const bench *b)
{
    size_t dim = b->embedder->dim;
    const pn_decode_options whole = PN_DECODE_OPTIONS_INIT;
    const pn_decode_options options = pn_prepare_decoding(b->embedder, b->thumbnail_px);
    float *full = pn_alloc_array(b->n * dim, sizeof *full),
          *shrunk = pn_alloc_array(b->n * dim, sizeof *shrunk);
    double *cosines = pn_alloc_array(b->n, sizeof *cosines), sum = 0;
    for (size_t i = 0; i < b->n; i++) {
        pn_buffer bytes = read_file(b->paths[i]);
        embed(b, &bytes, b->paths[i], &whole, full + i * dim);
        embed(b, &bytes, b->paths[i], &options, shrunk + i * dim);
        cosines[i] = 0;
        for (size_t d = 0; d < dim; d++)
            cosines[i] += (double)full[i * dim + d] * (double)shrunk[i * dim + d];
        sum += cosines[i];
        pn_buffer_reset(&bytes);
    }
    double recall = b->n > 10 ? recall_at_10(full, shrunk, b->n, dim) : 1;
    qsort(cosines, b->n, sizeof *cosines, compare_doubles);
    printf("{\"pictures\":%zu,\"shrink_to_px\":%u,\"thumbnail_px\":%u,\"cosine_min\":%.6f,\"cosine_"
           "p05\":%.6f,"
           "\"cosine_mean\":%.6f,\"recall_at_10\":%.4f}\n",
           b->n, (unsigned)b->embedder->shrink_to_px, (unsigned)b->thumbnail_px, cosines[0],
           cosines[b->n / 20], sum / (double)b->n, recall);
    pn_free(cosines);
    pn_free(shrunk);
    pn_free(full);
}

static pn_status add_path(void *context, const char *path, pn_error *err)
{
    bench *b = context;
    char *copy = pn_arena_strdup(&b->arena, path);
    if (!copy)
        return pn_fail_nomem(err);
    if (b->n < MAX_PICTURES)
        b->paths[b->n++] = copy;
    return PN_OK;
}

int main(int argc, char **argv)
{
    static bench b = {.thumbnail_px = PN_THUMBNAIL_SIDE_DEFAULT};
    pn_local_options local = {.precision = PN_CLIP_EXACT};
    const char *cosine = NULL, *shrink = NULL;
    pn_error err = {0};
    int i = 1;
    for (; i + 2 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--model") == 0)
            local.model = value;
        else if (strcmp(argv[i], "--thumbnail") == 0)
            b.thumbnail_px = (uint32_t)atoi(value);
        else if (strcmp(argv[i], "--shrink") == 0)
            shrink = value;
        else if (strcmp(argv[i], "--cosine") == 0)
            cosine = value;
    }
    if (i + 1 != argc || !local.model)
        stop("bench_pixels --model DIR [--thumbnail PX] [--shrink PX] [--cosine P] FOLDER", NULL);
    if (cosine && !pn_clip_precision_parse(pn_str_of(cosine), &local.precision))
        stop("an unknown precision", NULL);
    pn_arena_init(&b.arena, 64u << 20);
    must(pn_local_embedder_create(&local, &b.embedder, &err), "model", &err);
    if (shrink)
        b.embedder->shrink_to_px = (uint32_t)atoi(shrink);
    must(pn_dir_walk(argv[i], add_path, &b, &err), "pictures", &err);
    if (cosine)
        compare_all(&b);
    else
        time_all(&b);
    pn_embedder_free(b.embedder);
    pn_arena_reset(&b.arena);
    return 0;
}

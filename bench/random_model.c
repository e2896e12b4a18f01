/*
 * random_model.c - the writer of such models
 *
 * Twice over the list of tensors: the header, then the data. Weights are uniform and as large as make activations behave.
 */
#include "random_model.h"

#include "base/rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void stop(const char *what, const pn_error *err)
{
    fprintf(stderr, "%s%s%s\n", what, err ? ": " : "", err ? err->message : "");
    exit(1);
}

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

void write_model(const char *dir, const shape *m, bool half)
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

const shape *find_shape(const char *name)
{
    for (size_t i = 0; i < PN_COUNT_OF(shapes); i++)
        if (strcmp(name, shapes[i].name) == 0)
            return &shapes[i];
    stop(name, NULL);
    return NULL;
}

/*
 * tiny_clip.c - making, writing and computing a small CLIP
 */
#include "support/tiny_clip.h"

#include "base/rng.h"
#include "support/golden.h"
#include "support/safetensors_file.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

tiny_spec tiny_spec_odd(void)
{
    return (tiny_spec){.vision = {20, 3, 5, 33, 0, NULL},
                       .text = {12, 2, 2, 30, 0, NULL},
                       .image_width = 11,
                       .image_height = 17,
                       .patch = 5,
                       .context = 9,
                       .dim = 7,
                       .activation = "gelu",
                       .seed = 5};
}

/* ---- making */

static void add(tiny_clip *c, pn_rng *rng, double scale, double offset, const char *name,
                uint64_t d0, uint64_t d1, uint64_t d2, uint64_t d3)
{
    if (c->n == TINY_MAX_TENSORS)
        fail_msg("too many tensors");
    tiny_tensor *t = &c->tensors[c->n++];
    const uint64_t dims[] = {d0, d1, d2, d3};
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    t->n = 1;
    t->n_dims = 0;
    for (size_t i = 0; i < 4 && dims[i] > 0; i++) {
        t->dims[t->n_dims++] = dims[i];
        t->n *= dims[i];
    }
    t->values = malloc(t->n * sizeof *t->values);
    if (!t->values)
        fail_msg("no memory");
    for (size_t i = 0; i < t->n; i++) {
        double value = offset + pn_rng_normal(rng) * scale;
        value = fmax(-1.9, fmin(1.9, value));
        t->values[i] = (float)(floor(value * 64 + 0.5) / 64);
    }
}

static void add_norm(tiny_clip *c, pn_rng *rng, const char *stem, uint64_t width)
{
    char name[160];
    (void)snprintf(name, sizeof name, "%s.weight", stem);
    add(c, rng, 0.2, 1, name, width, 0, 0, 0);
    (void)snprintf(name, sizeof name, "%s.bias", stem);
    add(c, rng, 0.2, 0, name, width, 0, 0, 0);
}

static void add_linear(tiny_clip *c, pn_rng *rng, const char *stem, uint64_t n, uint64_t k)
{
    char name[160];
    (void)snprintf(name, sizeof name, "%s.weight", stem);
    add(c, rng, 0.8 / sqrt((double)k), 0, name, n, k, 0, 0);
    (void)snprintf(name, sizeof name, "%s.bias", stem);
    add(c, rng, 0.1, 0, name, n, 0, 0, 0);
}

static uint32_t head_width(const tiny_encoder *e)
{
    return e->head_width ? e->head_width : e->width / e->heads;
}

static tiny_pruned block_of(const tiny_encoder *e, uint32_t i)
{
    return e->pruned ? e->pruned[i] : (tiny_pruned){e->heads, e->mlp};
}

static void add_blocks(tiny_clip *c, pn_rng *rng, const char *part, const tiny_encoder *e)
{
    static const char *const square[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    char stem[128];
    for (uint32_t i = 0; i < e->layers; i++) {
        const tiny_pruned b = block_of(e, i);
        const uint32_t attention = b.heads * head_width(e);
        for (size_t j = 0; j < 4; j++) {
            (void)snprintf(stem, sizeof stem, "%s.encoder.layers.%u.self_attn.%s", part, i,
                           square[j]);
            add_linear(c, rng, stem, j < 3 ? attention : e->width, j < 3 ? e->width : attention);
        }
        for (size_t j = 1; j <= 2; j++) {
            (void)snprintf(stem, sizeof stem, "%s.encoder.layers.%u.layer_norm%zu", part, i, j);
            add_norm(c, rng, stem, e->width);
        }
        (void)snprintf(stem, sizeof stem, "%s.encoder.layers.%u.mlp.fc1", part, i);
        add_linear(c, rng, stem, b.mlp, e->width);
        (void)snprintf(stem, sizeof stem, "%s.encoder.layers.%u.mlp.fc2", part, i);
        add_linear(c, rng, stem, e->width, b.mlp);
    }
}

void tiny_clip_make(tiny_clip *c, const tiny_spec *s)
{
    memset(c, 0, sizeof *c);
    c->spec = *s;
    pn_rng rng = pn_rng_seed(s->seed);
    const uint64_t wv = s->vision.width, wt = s->text.width, p = s->patch;
    const uint64_t patches = (s->image_width / p) * (s->image_height / p);
    add(c, &rng, 0.15, 0, "vision_model.embeddings.patch_embedding.weight", wv, 3, p, p);
    add(c, &rng, 0.5, 0, "vision_model.embeddings.class_embedding", wv, 0, 0, 0);
    add(c, &rng, 0.3, 0, "vision_model.embeddings.position_embedding.weight", 1 + patches, wv, 0,
        0);
    add_norm(c, &rng, "vision_model.pre_layrnorm", wv);
    add_blocks(c, &rng, "vision_model", &s->vision);
    add_norm(c, &rng, "vision_model.post_layernorm", wv);
    add(c, &rng, 0.3, 0, "visual_projection.weight", s->dim, wv, 0, 0);
    add(c, &rng, 0.5, 0, "text_model.embeddings.token_embedding.weight", TINY_VOCABULARY, wt, 0, 0);
    add(c, &rng, 0.3, 0, "text_model.embeddings.position_embedding.weight", s->context, wt, 0, 0);
    add_blocks(c, &rng, "text_model", &s->text);
    add_norm(c, &rng, "text_model.final_layer_norm", wt);
    add(c, &rng, 0.3, 0, "text_projection.weight", s->dim, wt, 0, 0);
    add(c, &rng, 0, 1.5, "logit_scale", 0, 0, 0, 0);
}

void tiny_clip_free(tiny_clip *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->tensors[i].values);
    c->n = 0;
}

static tiny_tensor *look(tiny_clip *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->tensors[i].name, name) == 0)
            return &c->tensors[i];
    return NULL;
}

tiny_tensor *tiny_clip_find(tiny_clip *c, const char *name)
{
    tiny_tensor *t = look(c, name);
    if (!t)
        fail_msg("no tensor %s", name);
    return t;
}

void tiny_clip_drop(tiny_clip *c, const char *name)
{
    tiny_tensor *t = tiny_clip_find(c, name);
    free(t->values);
    *t = c->tensors[--c->n];
}

void tiny_clip_rename(tiny_clip *c, const char *name, const char *to)
{
    tiny_tensor *t = tiny_clip_find(c, name);
    (void)snprintf(t->name, sizeof t->name, "%s", to);
}

/* ---- writing */

static void write_text(const char *dir, const char *name, const char *text)
{
    golden_write_bytes(golden_join(dir, name), text, strlen(text));
}

/* GPT-2's visible stand-ins for bytes. */
static uint32_t stand_in(uint32_t byte)
{
    bool visible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    if (visible)
        return byte;
    uint32_t hidden = 0;
    for (uint32_t b = 0; b < byte; b++)
        hidden += !((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174);
    return 256 + hidden;
}

static void write_tokenizer(const char *dir)
{
    char *json = malloc(64 * TINY_VOCABULARY), *at = json;
    if (!json)
        fail_msg("no memory");
    at += sprintf(at, "{");
    for (uint32_t i = 0; i < 512; i++)
        at += sprintf(at, "\"\\u%04x%s\": %u, ", stand_in(i % 256), i < 256 ? "" : "</w>", i);
    (void)sprintf(at, "\"<|startoftext|>\": %d, \"<|endoftext|>\": %d}", TINY_START, TINY_END);
    write_text(dir, "vocab.json", json);
    write_text(dir, "merges.txt", "#version: 0.2\n");
    free(json);
}

static void write_huggingface_config(const tiny_clip *c, const char *dir)
{
    const tiny_spec *s = &c->spec;
    char json[2048];
    (void)snprintf(
        json, sizeof json,
        "{\"model_type\": \"clip\", \"projection_dim\": %u,"
        " \"text_config\": {\"hidden_size\": %u, \"num_hidden_layers\": %u,"
        " \"num_attention_heads\": %u, \"intermediate_size\": %u, \"hidden_act\": \"%s\","
        " \"vocab_size\": %d, \"max_position_embeddings\": %u, \"eos_token_id\": %d},"
        " \"vision_config\": {\"hidden_size\": %u, \"num_hidden_layers\": %u,"
        " \"num_attention_heads\": %u, \"intermediate_size\": %u, \"hidden_act\": \"%s\","
        " \"image_size\": [%u, %u], \"patch_size\": %u}}",
        s->dim, s->text.width, s->text.layers, s->text.heads, s->text.mlp, s->activation,
        TINY_VOCABULARY, s->context, TINY_END, s->vision.width, s->vision.layers, s->vision.heads,
        s->vision.mlp, s->activation, s->image_height, s->image_width, s->patch);
    write_text(dir, "config.json", json);
}

static void write_open_clip_config(const tiny_clip *c, const char *dir, bool custom_text)
{
    const tiny_spec *s = &c->spec;
    char json[2048];
    /* a ratio that floor(ratio * width) turns back into the size */
    (void)snprintf(
        json, sizeof json,
        "{\"model_cfg\": {\"embed_dim\": %u, \"quick_gelu\": %s, \"custom_text\": %s,"
        " \"vision_cfg\": {\"image_size\": [%u, %u], \"layers\": %u, \"width\": %u,"
        " \"head_width\": %u, \"mlp_ratio\": %.17g, \"patch_size\": %u},"
        " \"text_cfg\": {\"context_length\": %u, \"vocab_size\": %d, \"width\": %u, \"heads\": %u,"
        " \"layers\": %u, \"mlp_ratio\": %.17g}}}",
        s->dim, strcmp(s->activation, "quick_gelu") == 0 ? "true" : "false",
        custom_text ? "true" : "false", s->image_height, s->image_width, s->vision.layers,
        s->vision.width, head_width(&s->vision), (s->vision.mlp + 0.01) / s->vision.width, s->patch,
        s->context, TINY_VOCABULARY, s->text.width, s->text.heads, s->text.layers,
        (s->text.mlp + 0.01) / s->text.width);
    write_text(dir, "open_clip_config.json", json);
}

/* Hugging Face's name of one tensor in OpenAI's words; false for q, k and v, which are joined. */
static bool openai_name(const char *name, const char *text, char out[160])
{
    static const char *const words[][2] = {
        {"vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"},
        {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
        {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
        {"vision_model.pre_layrnorm", "visual.ln_pre"},
        {"vision_model.post_layernorm", "visual.ln_post"},
        {"vision_model.encoder.layers", "visual.transformer.resblocks"},
        {"visual_projection.weight", "visual.proj"},
        {"text_model.embeddings.token_embedding.weight", "%token_embedding.weight"},
        {"text_model.embeddings.position_embedding.weight", "%positional_embedding"},
        {"text_model.final_layer_norm", "%ln_final"},
        {"text_model.encoder.layers", "%transformer.resblocks"},
        {"text_projection.weight", "%text_projection"},
    };
    static const char *const inner[][2] = {{".self_attn.out_proj", ".attn.out_proj"},
                                           {".layer_norm1", ".ln_1"},
                                           {".layer_norm2", ".ln_2"},
                                           {".mlp.fc1", ".mlp.c_fc"},
                                           {".mlp.fc2", ".mlp.c_proj"}};
    if (strstr(name, ".q_proj") || strstr(name, ".k_proj") || strstr(name, ".v_proj"))
        return false;
    char head[160], rest[96];
    (void)snprintf(head, sizeof head, "%s", name);
    rest[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i][0]);
        if (strncmp(name, words[i][0], n) != 0)
            continue;
        bool is_text = words[i][1][0] == '%';
        (void)snprintf(head, sizeof head, "%s%s", is_text ? text : "", words[i][1] + is_text);
        (void)snprintf(rest, sizeof rest, "%s", name + n);
    }
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        char *at = strstr(rest, inner[i][0]);
        if (!at)
            continue;
        char tail[96];
        (void)snprintf(tail, sizeof tail, "%s", at + strlen(inner[i][0]));
        *at = '\0';
        (void)snprintf(out, 160, "%s%s%s%s", head, rest, inner[i][1], tail);
        return true;
    }
    (void)snprintf(out, 160, "%s%s", head, rest);
    return true;
}

static void add_transposed(tensor_file *file, const char *name, const char *dtype,
                           const tiny_tensor *t)
{
    float *turned = malloc(t->n * sizeof *turned);
    const uint64_t dims[] = {t->dims[1], t->dims[0]};
    for (size_t i = 0; i < t->dims[0]; i++)
        for (size_t j = 0; j < t->dims[1]; j++)
            turned[j * t->dims[0] + i] = t->values[i * t->dims[1] + j];
    tensor_file_add(file, name, dtype, dims, 2, turned);
    free(turned);
}

/* attn.in_proj_weight and _bias of every block: q, then k, then v. */
static void add_joined(tensor_file *file, tiny_clip *c, const char *dtype, const char *prefix,
                       const char *text, bool is_text, uint32_t layers)
{
    static const char *const endings[] = {"weight", "bias"};
    for (uint32_t i = 0; i < layers; i++)
        for (size_t e = 0; e < 2; e++) {
            char name[200];
            float *joined = NULL;
            size_t n = 0;
            const tiny_tensor *t = NULL;
            for (size_t j = 0; j < 3; j++) {
                (void)snprintf(name, sizeof name, "%s.encoder.layers.%u.self_attn.%c_proj.%s",
                               is_text ? "text_model" : "vision_model", i, "qkv"[j], endings[e]);
                t = tiny_clip_find(c, name);
                joined = realloc(joined, (n + t->n) * sizeof *joined);
                memcpy(joined + n, t->values, t->n * sizeof *joined);
                n += t->n;
            }
            const uint64_t dims[] = {3 * t->dims[0], t->dims[1]};
            (void)snprintf(name, sizeof name, "%s%stransformer.resblocks.%u.attn.in_proj_%s",
                           prefix, is_text ? text : "visual.", i, endings[e]);
            tensor_file_add(file, name, dtype, dims, t->n_dims, joined);
            free(joined);
        }
}

static void collect_openai(tensor_file *file, tiny_clip *c, const char *dtype, const char *prefix,
                           const char *text)
{
    for (size_t i = 0; i < c->n; i++) {
        const tiny_tensor *t = &c->tensors[i];
        char name[160], full[200];
        if (!openai_name(t->name, text, name))
            continue;
        (void)snprintf(full, sizeof full, "%s%s", prefix, name);
        if (strstr(t->name, "projection.weight"))
            add_transposed(file, full, dtype, t);
        else
            tensor_file_add(file, full, dtype, t->dims, t->n_dims, t->values);
    }
    add_joined(file, c, dtype, prefix, text, false, c->spec.vision.layers);
    add_joined(file, c, dtype, prefix, text, true, c->spec.text.layers);
}

void tiny_clip_write(const tiny_clip *clip, const char *dir, tiny_layout layout, const char *dtype,
                     const char *prefix)
{
    tiny_clip copy = *clip; /* looking up wants a non-const one and changes nothing */
    tensor_file file;
    tensor_file_init(&file);
    if (layout == TINY_HUGGINGFACE) {
        for (size_t i = 0; i < clip->n; i++) {
            const tiny_tensor *t = &clip->tensors[i];
            char name[200];
            (void)snprintf(name, sizeof name, "%s%s", prefix, t->name);
            tensor_file_add(&file, name, dtype, t->dims, t->n_dims, t->values);
        }
        write_huggingface_config(clip, dir);
    } else {
        collect_openai(&file, &copy, dtype, prefix, layout == TINY_CUSTOM_TEXT ? "text." : "");
    }
    if (layout == TINY_OPEN_CLIP || layout == TINY_CUSTOM_TEXT)
        write_open_clip_config(clip, dir, layout == TINY_CUSTOM_TEXT);
    size_t n;
    uint8_t *bytes = tensor_file_bytes(&file, &n);
    golden_write_bytes(golden_join(dir, "model.safetensors"), bytes, n);
    golden_bytes_free(bytes);
    tensor_file_free(&file);
    write_tokenizer(dir);
}

/* ---- the reference */

typedef struct matrix {
    size_t rows, cols;
    double *at;
} matrix;

static matrix new_matrix(size_t rows, size_t cols)
{
    matrix m = {rows, cols, calloc(rows * cols + 1, sizeof(double))};
    if (!m.at)
        fail_msg("no memory");
    return m;
}

static const float *values_of(tiny_clip *c, const char *part, const char *name)
{
    char full[160];
    (void)snprintf(full, sizeof full, "%s%s", part, name);
    tiny_tensor *t = look(c, full);
    return t ? t->values : NULL;
}

static void norm(tiny_clip *c, const char *stem, matrix *x, matrix *out)
{
    const float *w = values_of(c, stem, ".weight"), *b = values_of(c, stem, ".bias");
    for (size_t i = 0; i < x->rows; i++) {
        double mean = 0, variance = 0;
        const double *row = x->at + i * x->cols;
        for (size_t j = 0; j < x->cols; j++)
            mean += row[j] / (double)x->cols;
        for (size_t j = 0; j < x->cols; j++)
            variance += (row[j] - mean) * (row[j] - mean) / (double)x->cols;
        for (size_t j = 0; j < x->cols; j++)
            out->at[i * x->cols + j] =
                (row[j] - mean) / sqrt(variance + (double)1e-5f) * (double)w[j] + (double)b[j];
    }
}

static matrix linear(tiny_clip *c, const char *stem, const matrix *x, size_t n)
{
    matrix y = new_matrix(x->rows, n);
    const float *w = values_of(c, stem, ".weight"), *b = values_of(c, stem, ".bias");
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = b ? (double)b[j] : 0;
            for (size_t k = 0; k < x->cols; k++)
                sum += x->at[i * x->cols + k] * (double)w[j * x->cols + k];
            y.at[i * n + j] = sum;
        }
    return y;
}

static double activate(const char *name, double x)
{
    if (strcmp(name, "quick_gelu") == 0)
        return x / (1 + exp(-1.702 * x));
    if (strcmp(name, "gelu") == 0)
        return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static void attend(const matrix *q, const matrix *k, const matrix *v, size_t heads, bool causal,
                   matrix *out)
{
    size_t d = q->cols / heads, n = q->rows;
    double *s = calloc(n + 1, sizeof *s);
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < n; i++) {
            size_t seen = causal ? i + 1 : n;
            double most = -1e300, sum = 0;
            for (size_t j = 0; j < seen; j++) {
                s[j] = 0;
                for (size_t e = 0; e < d; e++)
                    s[j] += q->at[i * q->cols + h * d + e] * k->at[j * q->cols + h * d + e];
                s[j] /= sqrt((double)d);
                most = fmax(most, s[j]);
            }
            for (size_t j = 0; j < seen; j++)
                sum += s[j] = exp(s[j] - most);
            for (size_t e = 0; e < d; e++) {
                double value = 0;
                for (size_t j = 0; j < seen; j++)
                    value += s[j] / sum * v->at[j * q->cols + h * d + e];
                out->at[i * q->cols + h * d + e] = value;
            }
        }
    free(s);
}

static void plus(matrix *x, matrix *y)
{
    for (size_t i = 0; i < x->rows * x->cols; i++)
        x->at[i] += y->at[i];
    free(y->at);
}

static void run_blocks(tiny_clip *c, const char *part, const tiny_encoder *e, bool causal,
                       matrix *x)
{
    char stem[128];
#define STEM(text) ((void)snprintf(stem, sizeof stem, "%s.encoder.layers.%u." text, part, i), stem)
    matrix h = new_matrix(x->rows, x->cols);
    for (uint32_t i = 0; i < e->layers; i++) {
        norm(c, STEM("layer_norm1"), x, &h);
        const tiny_pruned b = block_of(e, i);
        const uint32_t attention = b.heads * head_width(e);
        matrix q = linear(c, STEM("self_attn.q_proj"), &h, attention);
        matrix k = linear(c, STEM("self_attn.k_proj"), &h, attention);
        matrix v = linear(c, STEM("self_attn.v_proj"), &h, attention);
        matrix seen = new_matrix(x->rows, attention);
        attend(&q, &k, &v, b.heads, causal, &seen);
        free(q.at);
        free(k.at);
        free(v.at);
        matrix o = linear(c, STEM("self_attn.out_proj"), &seen, e->width);
        free(seen.at);
        plus(x, &o);
        norm(c, STEM("layer_norm2"), x, &h);
        matrix m = linear(c, STEM("mlp.fc1"), &h, b.mlp);
        for (size_t j = 0; j < m.rows * m.cols; j++)
            m.at[j] = activate(c->spec.activation, m.at[j]);
        o = linear(c, STEM("mlp.fc2"), &m, e->width);
        free(m.at);
        plus(x, &o);
    }
    free(h.at);
#undef STEM
}

/* Norm and projection of one row. */
static void finish(tiny_clip *c, const char *stem, const char *projection, const matrix *x,
                   size_t row, double *out)
{
    matrix one = new_matrix(1, x->cols);
    memcpy(one.at, x->at + row * x->cols, x->cols * sizeof *one.at);
    norm(c, stem, &one, &one);
    matrix y = linear(c, projection, &one, c->spec.dim);
    memcpy(out, y.at, c->spec.dim * sizeof *out);
    free(one.at);
    free(y.at);
}

void tiny_clip_image(tiny_clip *c, const float *pixels, double *out)
{
    const tiny_spec *s = &c->spec;
    const size_t p = s->patch, gw = s->image_width / p, gh = s->image_height / p;
    const size_t width = s->vision.width;
    matrix flat = new_matrix(gw * gh, 3 * p * p);
    for (size_t i = 0; i < gw * gh; i++)
        for (size_t ch = 0; ch < 3; ch++)
            for (size_t y = 0; y < p; y++)
                for (size_t x = 0; x < p; x++)
                    flat.at[i * flat.cols + (ch * p + y) * p + x] =
                        (double)pixels[(ch * s->image_height + i / gw * p + y) * s->image_width +
                                       i % gw * p + x];
    matrix embedded = linear(c, "vision_model.embeddings.patch_embedding", &flat, width);
    matrix x = new_matrix(1 + gw * gh, width);
    const float *class_embedding = values_of(c, "vision_model.embeddings.", "class_embedding");
    const float *position = values_of(c, "vision_model.embeddings.", "position_embedding.weight");
    for (size_t i = 0; i < x.rows; i++)
        for (size_t j = 0; j < width; j++)
            x.at[i * width + j] =
                (double)position[i * width + j] +
                (i == 0 ? (double)class_embedding[j] : embedded.at[(i - 1) * width + j]);
    norm(c, "vision_model.pre_layrnorm", &x, &x);
    run_blocks(c, "vision_model", &s->vision, false, &x);
    finish(c, "vision_model.post_layernorm", "visual_projection", &x, 0, out);
    free(flat.at);
    free(embedded.at);
    free(x.at);
}

void tiny_clip_text(tiny_clip *c, const uint32_t *ids, size_t n, double *out)
{
    const size_t width = c->spec.text.width;
    const float *token = values_of(c, "text_model.embeddings.", "token_embedding.weight");
    const float *position = values_of(c, "text_model.embeddings.", "position_embedding.weight");
    matrix x = new_matrix(n, width);
    size_t end = 0;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] > ids[end])
            end = i;
        for (size_t j = 0; j < width; j++)
            x.at[i * width + j] =
                (double)token[ids[i] * width + j] + (double)position[i * width + j];
    }
    run_blocks(c, "text_model", &c->spec.text, true, &x);
    finish(c, "text_model.final_layer_norm", "text_projection", &x, end, out);
    free(x.at);
}

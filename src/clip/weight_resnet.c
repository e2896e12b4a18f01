/*
 * weight_resnet.c - a ModifiedResNet from its tensors
 *
 *     conv [out][in][y][x], batch norm (gamma, beta, mean, variance)   ->   W' [out][y][x][in] = W gamma / sqrt(variance + eps)
 *                                                                           bias'             = beta - mean gamma / sqrt(...)
 *
 * The order of places before channels is that of the rows the products read (resnet.c).
 */
#include "clip/resnet.h"
#include "clip/weight_loader.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef pn_weight_loader loader;

static const float BATCH_NORM_EPS = 1e-5f;
enum { EXPANSION = 4 }; /* a bottleneck's output, in its own widths */

/* A convolution to be loaded, and the norm behind it. */
typedef struct conv_place {
    const char *conv, *norm; /* stems, without the part */
    uint32_t in, out, side;
} conv_place;

static pn_status find_norm(loader *l, const char *stem, size_t n, const pn_tensor *out[4])
{
    static const char *const endings[] = {".weight", ".bias", ".running_mean", ".running_var"};
    const uint64_t dims[] = {n};
    char full[PN_TENSOR_NAME_BYTES], name[PN_TENSOR_NAME_BYTES];
    pn_loader_name(l, false, l->names->vision, stem, full);
    for (size_t i = 0; i < 4; i++) {
        uint64_t before = l->w->n_parameters;
        pn_loader_join(name, full, endings[i], "");
        PN_TRY(pn_loader_find(l, name, dims, 1, &out[i]));
        if (i >= 2) /* statistics are no parameters */
            l->w->n_parameters = before;
    }
    return PN_OK;
}

/* Factor and summand of each output channel: into factors [n], bias [n]. */
static pn_status read_norm(loader *l, const pn_tensor *const norm[4], size_t n, float *factors,
                           float *bias)
{
    float *values = l->scratch; /* three vectors: gamma is read into its place */
    PN_TRY(pn_loader_take_values(l, norm[0], 0, n, factors));
    PN_TRY(pn_loader_take_values(l, norm[1], 0, n, bias));
    PN_TRY(pn_loader_take_values(l, norm[2], 0, n, values));
    PN_TRY(pn_loader_take_values(l, norm[3], 0, n, values + n));
    for (size_t i = 0; i < n; i++) {
        factors[i] /= sqrtf(values[n + i] + BATCH_NORM_EPS);
        bias[i] -= values[i] * factors[i];
        if (!isfinite(factors[i]) || !isfinite(bias[i]))
            return pn_loader_not_finite(l, norm[3]->name);
    }
    return PN_OK;
}

/* [out][in][places] times its channel's factor -> [out][places][in] */
static void fold(loader *l, const pn_tensor *t, const conv_place *p, const float *factors,
                 float *values)
{
    const size_t places = (size_t)p->side * p->side, k = places * p->in;
    for (size_t o = 0; o < p->out; o++) {
        pn_tensor_widen(t, o * k, k, l->scratch);
        for (size_t i = 0; i < p->in; i++)
            for (size_t place = 0; place < places; place++)
                values[o * k + place * p->in + i] = l->scratch[i * places + place] * factors[o];
    }
}

static pn_status fill_conv(loader *l, const conv_place *p, const pn_tensor *const norm[4],
                           pn_matrix *m, float *bias, pn_linear *out)
{
    size_t n;
    float *memory = NULL;
    if (pn_size_mul(p->out, m->k + 1, &n))
        memory = pn_alloc_array(n, sizeof *memory);
    if (!memory)
        return pn_fail_nomem(l->err);
    float *factors = memory + p->out * m->k;
    pn_status status = read_norm(l, norm, p->out, factors, bias);
    if (status == PN_OK) {
        fold(l, m->sources[0].tensor, p, factors, memory);
        m->values = memory;
        status = pn_matrix_pack(l, m, out);
    }
    pn_free(memory);
    return status;
}

static pn_status load_conv(loader *l, const conv_place *p, pn_conv *out)
{
    const uint64_t dims[] = {p->out, p->in, p->side, p->side};
    const pn_tensor *norm[4] = {0};
    /* values: any pointer says that they are folded, and so what type they get, before they are there */
    static const float none[1] = {0};
    pn_matrix m = {
        .n_sources = 1, .rows = p->out, .k = (size_t)p->side * p->side * p->in, .values = none};
    char stem[PN_TENSOR_NAME_BYTES], name[PN_TENSOR_NAME_BYTES];
    float *bias = NULL;
    pn_loader_name(l, false, l->names->vision, p->conv, stem);
    pn_loader_join(name, stem, ".weight", "");
    PN_TRY(pn_loader_find(l, name, dims, 4, &m.sources[0].tensor));
    PN_TRY(find_norm(l, p->norm, p->out, norm));
    PN_TRY(pn_loader_floats(l, p->out, &bias));
    if (pn_loader_fills(l))
        PN_TRY(fill_conv(l, p, norm, &m, bias, &out->linear));
    else
        PN_TRY(pn_matrix_pack(l, &m, &out->linear));
    out->linear.bias = bias;
    out->side = p->side;
    return PN_OK;
}

static pn_status load_stem(loader *l, pn_conv stem[3])
{
    const uint32_t width = l->config->resnet.width, half = PN_MAX(width / 2, 1u);
    const conv_place places[] = {{"conv1", "bn1", 3, half, 3},
                                 {"conv2", "bn2", half, half, 3},
                                 {"conv3", "bn3", half, width, 3}};
    for (size_t i = 0; i < PN_COUNT_OF(places); i++)
        PN_TRY(load_conv(l, &places[i], &stem[i]));
    return PN_OK;
}

/* in: channels of the input; they become planes * EXPANSION */
static pn_status load_bottleneck(loader *l, const char *folder, uint32_t in, uint32_t planes,
                                 uint32_t stride, pn_bottleneck *out)
{
    static const char *const names[][2] = {
        {"conv1", "bn1"}, {"conv2", "bn2"}, {"conv3", "bn3"}, {"downsample.0", "downsample.1"}};
    const uint32_t wide = planes * EXPANSION;
    const uint32_t shapes[][3] = {
        {in, planes, 1}, {planes, planes, 3}, {planes, wide, 1}, {in, wide, 1}};
    pn_conv *const convs[] = {&out->conv[0], &out->conv[1], &out->conv[2], &out->shortcut};
    bool has_shortcut = stride > 1 || in != wide;
    for (size_t i = 0; i < (has_shortcut ? 4u : 3u); i++) {
        char conv[PN_TENSOR_NAME_BYTES], norm[PN_TENSOR_NAME_BYTES];
        pn_loader_join(conv, folder, names[i][0], "");
        pn_loader_join(norm, folder, names[i][1], "");
        const conv_place p = {conv, norm, shapes[i][0], shapes[i][1], shapes[i][2]};
        PN_TRY(load_conv(l, &p, convs[i]));
    }
    out->stride = stride;
    return PN_OK;
}

static pn_status load_stages(loader *l, pn_resnet_weights *w)
{
    const pn_resnet_config *c = &l->config->resnet;
    uint32_t in = c->width;
    size_t at = 0;
    for (uint32_t stage = 0; stage < PN_RESNET_STAGES; stage++) {
        uint32_t planes = c->width << stage;
        for (uint32_t i = 0; i < c->layers[stage]; i++) {
            char folder[PN_TENSOR_NAME_BYTES];
            (void)snprintf(folder, sizeof folder, "layer%" PRIu32 ".%" PRIu32 ".", stage + 1, i);
            PN_TRY(load_bottleneck(l, folder, in, planes, stage > 0 && i == 0 ? 2 : 1,
                                   &w->blocks[at++]));
            in = planes * EXPANSION;
        }
    }
    return PN_OK;
}

/* One matrix under name, [n][width], and its bias. */
static pn_status load_product(loader *l, const char *name, size_t n, pn_linear *out)
{
    const uint64_t dims[] = {n, l->config->vision.width};
    pn_matrix m = {.n_sources = 1, .rows = n, .k = l->config->vision.width};
    char stem[PN_TENSOR_NAME_BYTES], full[PN_TENSOR_NAME_BYTES];
    pn_loader_name(l, false, l->names->vision, name, stem);
    pn_loader_join(full, stem, ".weight", "");
    PN_TRY(pn_loader_find(l, full, dims, 2, &m.sources[0].tensor));
    PN_TRY(pn_matrix_pack(l, &m, out));
    return pn_loader_vector(l, stem, ".bias", n, &out->bias);
}

static pn_status load_pooling(loader *l, pn_resnet_weights *w)
{
    const size_t width = l->config->vision.width;
    const uint64_t dims[] = {1 + (uint64_t)pn_clip_patches(l->config), width};
    char name[PN_TENSOR_NAME_BYTES];
    pn_loader_name(l, false, l->names->vision, "attnpool.positional_embedding", name);
    PN_TRY(pn_loader_values(l, name, dims, 2, &w->positions));
    static const char *const qkv[] = {"attnpool.q_proj", "attnpool.k_proj", "attnpool.v_proj"};
    for (size_t i = 0; i < 3; i++)
        PN_TRY(load_product(l, qkv[i], width, &w->qkv[i]));
    return load_product(l, "attnpool.c_proj", l->w->dim, &w->out);
}

pn_status pn_loader_resnet(loader *l, pn_resnet_weights **out)
{
    const pn_resnet_config *c = &l->config->resnet;
    if (!*out) { /* the second walk fills the same one */
        size_t n = 0;
        for (size_t i = 0; i < PN_RESNET_STAGES; i++)
            n += c->layers[i];
        pn_resnet_weights *w = PN_ARENA_NEW(&l->w->arena, pn_resnet_weights, 1);
        if (w)
            w->blocks = PN_ARENA_NEW(&l->w->arena, pn_bottleneck, n);
        if (!w || !w->blocks)
            return pn_fail_nomem(l->err);
        w->n_blocks = n;
        *out = w;
    }
    PN_TRY(load_stem(l, (*out)->stem));
    PN_TRY(load_stages(l, *out));
    return load_pooling(l, *out);
}

/*
 * resnet.c - a ModifiedResNet as matrix products
 *
 * A picture is a matrix with one row for each place and the channels side by side. A convolution of 1 x 1 is then a product
 * as it is; one of 3 x 3 is a product of rows nine times as long, gathered from the neighbours, with zeros beyond the edge.
 *
 *     x [places][channels]  --gather-->  wide [places][9 channels]  --product-->  y [places][channels out]
 *
 * Pictures go through one at a time: their matrices fill the cache, and the gathered one takes some megabytes.
 */
#include "clip/resnet.h"

#include "clip/block.h"

#include <math.h>
#include <string.h>

typedef struct grid {
    float *at;
    uint32_t height, width, channels;
} grid;

typedef struct resnet {
    pn_forward f;
    const pn_clip_config *c;
    const pn_resnet_weights *w;
    float *buffers[4]; /* of the largest grid each */
    float *gathered;
} resnet;

static size_t places(const grid *g)
{
    return (size_t)g->height * g->width;
}

/* ---- steps */

static void relu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

typedef struct gathering {
    const grid *in;
    float *out;
    uint32_t stride, out_width;
} gathering;

/* One row of places: each with its 3 x 3 neighbours, those beyond the edge zero. */
static void gather_line(void *context, size_t y, unsigned worker)
{
    (void)worker; /* every line has its own rows */
    const gathering *g = context;
    const grid *in = g->in;
    const size_t c = in->channels;
    float *out = g->out + y * g->out_width * 9 * c;
    for (size_t x = 0; x < g->out_width; x++)
        for (int dy = -1; dy <= 1; dy++)
            for (int dx = -1; dx <= 1; dx++, out += c) {
                int64_t from_y = (int64_t)(y * g->stride) + dy,
                        from_x = (int64_t)(x * g->stride) + dx;
                if (from_y < 0 || from_y >= in->height || from_x < 0 || from_x >= in->width)
                    memset(out, 0, c * sizeof *out);
                else
                    memcpy(out, in->at + ((size_t)from_y * in->width + (size_t)from_x) * c,
                           c * sizeof *out);
            }
}

/* A convolution of stride 1 or 2 (3 x 3 only), padded by one, into the buffer at `to`. */
static grid convolve(const resnet *r, const pn_conv *conv, const grid *in, uint32_t stride,
                     void (*activate)(float *, size_t), float *to)
{
    grid out = {to, (in->height - 1) / stride + 1, (in->width - 1) / stride + 1,
                (uint32_t)conv->linear.n};
    const float *rows = in->at;
    if (conv->side > 1) {
        gathering g = {in, r->gathered, stride, out.width};
        pn_spread(&r->f, out.height, (double)places(&out) * (double)conv->linear.k, gather_line,
                  &g);
        rows = r->gathered;
    }
    pn_gemm gemm = {.c = out.at,
                    .ldc = out.channels,
                    .a = rows,
                    .lda = conv->linear.k,
                    .m = places(&out),
                    .activate = activate};
    pn_linear_run_all(&r->f, &conv->linear, gemm);
    return out;
}

/* The mean of every 2 x 2 places; a last odd line or column is dropped, as the reference does. */
static grid halve(const grid *in, float *to)
{
    const grid out = {to, in->height / 2, in->width / 2, in->channels};
    const size_t c = in->channels, line = in->width * c;
    for (size_t y = 0; y < out.height; y++)
        for (size_t x = 0; x < out.width; x++) {
            const float *from = in->at + 2 * y * line + 2 * x * c;
            float *at = to + (y * out.width + x) * c;
            for (size_t i = 0; i < c; i++)
                at[i] = 0.25f * (from[i] + from[c + i] + from[line + i] + from[line + c + i]);
        }
    return out;
}

/* ---- parts */

static grid run_stem(const resnet *r, const grid *pixels)
{
    float *const *b = r->buffers;
    grid x = convolve(r, &r->w->stem[0], pixels, 2, relu, b[1]);
    x = convolve(r, &r->w->stem[1], &x, 1, relu, b[2]);
    x = convolve(r, &r->w->stem[2], &x, 1, relu, b[1]);
    return halve(&x, b[0]);
}

/* x lies in buffers[0], and so does the result. */
static grid run_bottleneck(const resnet *r, const pn_bottleneck *block, const grid *x)
{
    float *const *b = r->buffers;
    grid h = convolve(r, &block->conv[0], x, 1, relu, b[1]);
    h = convolve(r, &block->conv[1], &h, 1, relu, b[2]);
    if (block->stride > 1)
        h = halve(&h, b[1]);
    grid sum = convolve(r, &block->conv[2], &h, 1, NULL, b[3]), from = *x;
    if (block->shortcut.side > 0) {
        if (block->stride > 1)
            from = halve(x, b[1]);
        from = convolve(r, &block->shortcut, &from, 1, NULL, b[2]);
    }
    for (size_t i = 0; i < places(&sum) * sum.channels; i++)
        sum.at[i] += from.at[i];
    relu(sum.at, places(&sum) * sum.channels);
    memcpy(b[0], sum.at, places(&sum) * sum.channels * sizeof *b[0]);
    sum.at = b[0];
    return sum;
}

/* Row 0 becomes the mean of the others; positions are added to all. */
static void make_tokens(const resnet *r, const grid *x, float *rows, size_t stride)
{
    const size_t width = x->channels, n = places(x);
    memset(rows, 0, width * sizeof *rows);
    for (size_t place = 0; place < n; place++)
        for (size_t j = 0; j < width; j++)
            rows[j] += x->at[place * width + j] / (float)n;
    for (size_t token = 0; token <= n; token++)
        for (size_t j = 0; j < width; j++) {
            float value = token == 0 ? rows[j] : x->at[(token - 1) * width + j];
            rows[token * stride + j] = value + r->w->positions[token * width + j];
        }
}

static void pool(const resnet *r, const grid *x, float *out)
{
    const pn_forward *f = &r->f;
    const pn_activations *a = &f->act;
    const size_t tokens = 1 + places(x), column = pn_qkv_stride(x->channels);
    size_t *starts = a->indices;
    starts[0] = starts[2] = 0;
    starts[1] = tokens;
    starts[3] = 1;
    make_tokens(r, x, a->x, a->x_stride);
    for (size_t i = 1; i <= 2; i++) {
        pn_gemm kv = {.c = a->wide + i * column,
                      .ldc = a->wide_stride,
                      .a = a->x,
                      .lda = a->x_stride,
                      .m = tokens};
        pn_linear_run_all(f, &r->w->qkv[i], kv);
    }
    pn_gemm q = {.c = a->query, .ldc = a->x_stride, .a = a->x, .lda = a->x_stride, .m = 1};
    pn_linear_run_all(f, &r->w->qkv[0], q);
    const pn_sequences s = {.n = 1, .starts = starts, .ones = starts + 2};
    const pn_attention attention = {.sequences = &s,
                                    .heads = f->config->heads,
                                    .head_width = f->config->head_width,
                                    .query_starts = s.ones,
                                    .q = a->query,
                                    .q_stride = a->x_stride,
                                    .k = a->wide + column,
                                    .v = a->wide + 2 * column,
                                    .kv_stride = a->wide_stride,
                                    .out = a->normed,
                                    .out_stride = a->x_stride};
    pn_attention_run(f, &attention);
    pn_gemm last = {.c = out, .ldc = r->w->out.n, .a = a->normed, .lda = a->x_stride, .m = 1};
    pn_linear_run_all(f, &r->w->out, last);
}

/* [3][H][W] -> [places][3] */
static grid take_pixels(const resnet *r, const float *pixels)
{
    const grid g = {r->buffers[0], r->c->image_height, r->c->image_width, 3};
    const size_t n = places(&g);
    for (size_t i = 0; i < n; i++)
        for (size_t channel = 0; channel < 3; channel++)
            g.at[i * 3 + channel] = pixels[channel * n + i];
    return g;
}

static void run_picture(const resnet *r, const float *pixels, float *out)
{
    const grid input = take_pixels(r, pixels);
    grid x = run_stem(r, &input);
    for (size_t i = 0; i < r->w->n_blocks; i++)
        x = run_bottleneck(r, &r->w->blocks[i], &x);
    pool(r, &x, out);
}

/* ---- memory */

/* The largest grid and the largest gathered matrix: in the stem, or in the first stage behind it. */
static bool sizes_of(const pn_clip_config *c, size_t *grid_floats, size_t *gathered_floats)
{
    size_t stem = (size_t)((c->image_height + 1) / 2) * ((c->image_width + 1) / 2), pixels;
    size_t width =
        PN_MAX(c->resnet.width, 4u); /* of a channel's worth, also for the pixels themselves */
    if (!pn_size_mul((size_t)c->image_height * c->image_width, 3, &pixels) ||
        !pn_size_mul(stem, width, grid_floats))
        return false;
    *grid_floats = PN_MAX(*grid_floats, pixels);
    return pn_size_mul(*grid_floats, 9, gathered_floats);
}

pn_status pn_resnet_run(const pn_clip_config *c, const pn_resnet_weights *w, const float *pixels,
                        size_t n, const pn_clip_means *means, float *out, pn_error *err)
{
    resnet r = {.f = {.kernels = pn_kernels_get(), .pool = means->pool, .config = &c->vision},
                .c = c,
                .w = w};
    const pn_activation_sizes sizes = {.rows = 1 + (size_t)pn_clip_patches(c),
                                       .sequences = 1,
                                       .longest = 1 + (size_t)pn_clip_patches(c),
                                       .width = c->vision.width,
                                       .head_width = c->vision.head_width,
                                       .wide = 3 * pn_qkv_stride(c->vision.width),
                                       .threads = pn_pool_threads(means->pool)};
    size_t one, gathered, total, bytes;
    if (!sizes_of(c, &one, &gathered) || !pn_size_mul(one, PN_COUNT_OF(r.buffers), &total) ||
        !pn_size_add(total, gathered, &total) || !pn_size_mul(total, sizeof(float), &bytes))
        return pn_fail_nomem(err);
    float *memory = pn_scratch_take(means->scratch, bytes);
    if (!memory)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < PN_COUNT_OF(r.buffers); i++)
        r.buffers[i] = memory + i * one;
    r.gathered = memory + PN_COUNT_OF(r.buffers) * one;
    pn_status status = pn_activations_init(&sizes, means->scratch, &r.f.act, err);
    const size_t picture = (size_t)3 * c->image_height * c->image_width;
    for (size_t i = 0; status == PN_OK && i < n; i++)
        run_picture(&r, pixels + i * picture, out + i * w->out.n);
    pn_activations_reset(&r.f.act);
    pn_scratch_give(means->scratch, memory);
    return status;
}

/*
 * vision.c - a vision transformer
 *
 *     pixels [3][H][W]   cut into a grid of p x p patches (what is left over at the right and below is not used)
 *     patches [1 + grid][3 p p]   row 0 is empty, the others flattened in (channel, y, x) order
 *       | times the patch matrix: a convolution whose step is its size
 *     x [1 + grid][width]   row 0 becomes the class embedding; + position embedding; norm
 *       | blocks
 *     row 0 of each picture: norm, projection -> [dim]
 *
 * SigLIP has no row 0, no norm before the blocks, and pools with a head that attends to all rows.
 *
 * The empty row 0 costs one row of one product and saves a product per picture: rows of all pictures have one stride.
 *
 * Pictures go through in groups of about a thousand rows (20 of ViT-B/32, 5 of ViT-B/16): enough for the products to be
 * at their full speed, and the memory stays the same whatever the batch.
 *
 * Where there are enough of them, a thread takes some pictures (4 of ViT-B/32, one of ViT-B/16) through the whole encoder by itself: it waits
 * for the others once a batch, and not at the end of each of a hundred loops, for a core that somebody else has just taken.
 */
#include "clip/vision.h"

#include "clip/block.h"
#include "clip/resnet.h"

#include <stdatomic.h>
#include <string.h>

enum { GROUP_ROWS = 1024 };

typedef struct vision {
    pn_forward f;
    const pn_clip_config *c;
    const pn_clip_weights *w;
    size_t tokens; /* patches, and the class token in the families that have one */
} vision;

typedef struct group {
    const vision *v;
    const float *pixels;
} group;

/* The rows of one picture: zeros for a class token, then its patches. */
static void take_patches(void *context, size_t i, unsigned worker)
{
    (void)worker; /* every picture has its own rows */
    const group *g = context;
    const pn_clip_config *c = g->v->c;
    const pn_activations *a = &g->v->f.act;
    const size_t p = c->patch, plane = (size_t)c->image_height * c->image_width;
    const size_t columns = c->image_width / p, depth = 3 * p * p;
    const float *picture = g->pixels + i * 3 * plane;
    float *rows = a->wide + i * g->v->tokens * a->wide_stride;
    if (c->class_token) {
        memset(rows, 0, depth * sizeof *rows);
        rows += a->wide_stride;
    }
    for (size_t patch = 0; patch < pn_clip_patches(c); patch++) {
        size_t top = patch / columns * p, left = patch % columns * p;
        float *out = rows + patch * a->wide_stride;
        for (size_t channel = 0; channel < 3; channel++)
            for (size_t y = 0; y < p; y++, out += p)
                memcpy(out, picture + channel * plane + (top + y) * c->image_width + left,
                       p * sizeof *out);
    }
}

static void add_positions(void *context, size_t i, unsigned worker)
{
    (void)worker; /* as above */
    const group *g = context;
    const pn_clip_weights *w = g->v->w;
    const pn_activations *a = &g->v->f.act;
    const size_t width = g->v->c->vision.width;
    float *rows = a->x + i * g->v->tokens * a->x_stride;
    for (size_t j = 0; w->class_embedding && j < width; j++)
        rows[j] = w->class_embedding[j];
    for (size_t token = 0; token < g->v->tokens; token++)
        for (size_t j = 0; j < width; j++)
            rows[token * a->x_stride + j] += w->vision_position[token * width + j];
}

/* n rows to their vectors. */
static void project(const vision *v, const float *rows, size_t n, float *out)
{
    const pn_forward *f = &v->f;
    const pn_clip_weights *w = v->w;
    if (!w->vision_projection.w.packed) {
        for (size_t i = 0; i < n; i++)
            memcpy(out + i * w->dim, rows + i * f->act.x_stride, w->dim * sizeof *out);
        return;
    }
    pn_gemm projection = {.c = out, .ldc = w->dim, .a = rows, .lda = f->act.x_stride, .m = n};
    pn_linear_run_all(f, &w->vision_projection, projection);
}

static void run_group(const vision *v, const float *pixels, size_t n, float *out)
{
    const pn_forward *f = &v->f;
    const pn_activations *a = &f->act;
    const pn_clip_weights *w = v->w;
    const size_t rows = n * v->tokens, width = v->c->vision.width;
    group g = {v, pixels};
    pn_spread(f, n, (double)rows * (double)w->patch.k, take_patches, &g);
    pn_gemm patches = {
        .c = a->x, .ldc = a->x_stride, .a = a->wide, .lda = a->wide_stride, .m = rows};
    pn_linear_run_all(f, &w->patch, patches);
    pn_spread(f, n, (double)(rows * width), add_positions, &g);
    if (w->pre_norm.weight)
        pn_norm_run(f, &w->pre_norm, a->x, a->x, rows, a->x_stride);

    /* starts [n + 1], which are the pooled rows too, and 0 .. n */
    size_t *starts = a->indices, *ones = a->indices + n + 1;
    for (size_t i = 0; i <= n; i++) {
        starts[i] = i * v->tokens;
        ones[i] = i;
    }
    const bool probe = v->c->vision.pooling == PN_POOL_PROBE;
    const pn_sequences s = {
        .n = n, .starts = starts, .pooled = probe ? NULL : starts, .ones = ones};
    pn_blocks_run(f, w->vision_blocks, &s);
    pn_norm_run(f, &w->post_norm, a->normed, a->x, probe ? rows : n, a->x_stride);
    if (probe)
        pn_head_run(f, &w->head, w->probe_query, &s);
    project(v, probe ? a->x : a->normed, n, out);
}

static pn_status run_groups(const pn_clip_config *c, const pn_clip_weights *w, const float *pixels,
                            size_t n, const pn_clip_means *means, float *out, pn_error *err)
{
    vision v = {.f = {.kernels = pn_kernels_get(), .pool = means->pool, .config = &c->vision},
                .c = c,
                .w = w,
                .tokens = pn_clip_rows(c)};
    const size_t most = PN_MIN(n, PN_MAX(GROUP_ROWS / v.tokens, (size_t)1));
    size_t rows;
    if (!pn_size_mul(most, v.tokens, &rows))
        return pn_fail_nomem(err);
    const size_t attention = pn_attention_width(&c->vision);
    const pn_activation_sizes sizes = {
        .rows = rows,
        .sequences = most,
        .longest = v.tokens,
        .width = PN_MAX((size_t)c->vision.width, attention),
        .head_width = c->vision.head_width,
        .wide = PN_MAX(PN_MAX(3 * pn_qkv_stride(attention), (size_t)c->vision.mlp), w->patch.k),
        .row_bytes = pn_linear_row_bytes(&w->vision_blocks->qkv),
        .threads = pn_pool_threads(means->pool)};
    PN_TRY(pn_activations_init(&sizes, means->scratch, &v.f.act, err));
    const size_t picture = (size_t)3 * c->image_height * c->image_width;
    for (size_t i = 0; i < n; i += most)
        run_group(&v, pixels + i * picture, PN_MIN(most, n - i), out + i * w->dim);
    pn_activations_reset(&v.f.act);
    return PN_OK;
}

/* ---- a thread's own pictures */

typedef struct sharing {
    const pn_clip_config *c;
    const pn_clip_weights *w;
    const float *pixels;
    size_t n, n_shares;
    pn_clip_means means; /* a thread's: without a pool */
    float *out;
    _Atomic bool failed;
} sharing;

static void run_share(void *context, size_t i, unsigned worker)
{
    (void)worker; /* each takes scratch of its own */
    sharing *s = context;
    const size_t first = s->n * i / s->n_shares, end = s->n * (i + 1) / s->n_shares;
    const size_t picture = (size_t)3 * s->c->image_height * s->c->image_width;
    pn_status status = run_groups(s->c, s->w, s->pixels + first * picture, end - first, &s->means,
                                  s->out + first * s->w->dim, NULL);
    if (status != PN_OK)
        atomic_store(&s->failed, true);
}

pn_status pn_vision_run(const pn_clip_config *c, const pn_clip_weights *w, const float *pixels,
                        size_t n, const pn_clip_means *means, float *out, pn_error *err)
{
    if (w->resnet)
        return pn_resnet_run(c, w->resnet, pixels, n, means, out, err);
    const size_t threads = pn_pool_threads(means->pool);
    const size_t picture = (size_t)3 * c->image_height * c->image_width;
    sharing s = {.c = c,
                 .w = w,
                 .pixels = pixels,
                 .n = n / threads * threads,
                 .n_shares = pn_share_count(n, pn_clip_rows(c), threads),
                 .means = {.scratch = means->scratch},
                 .out = out};
    if (s.n_shares == 0)
        return run_groups(c, w, pixels, n, means, out, err);
    pn_pool_for(means->pool, s.n_shares, run_share, &s);
    if (s.failed)
        return pn_fail_nomem(err);
    /* Those that would leave a thread without work are everybody's. */
    return s.n == n
               ? PN_OK
               : run_groups(c, w, pixels + s.n * picture, n - s.n, means, out + s.n * w->dim, err);
}

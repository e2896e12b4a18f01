/*
 * block.c - norm, attention, norm, MLP; and the last block, of which only one row a sequence is needed
 *
 * Shapes, for R rows of all sequences together:
 *
 *     x [R][W] --norm1--> normed [R][W] --qkv--> wide [R][3 A'] --attention--> normed [R][A]
 *     x += normed out^T
 *     x        --norm2--> normed [R][W] --fc1, activation--> wide [R][M]
 *     x += wide fc2^T
 *
 * A is W, or less in a block that heads were pruned from; A' is A rounded up to whole panels. Products of few rows (a query of
 * 8 tokens, one picture) are cut by columns: each task takes some panels for all rows, which reads every weight once, and the
 * weights' bytes are what counts. With many rows each thread has rows of its own too, the same ones in every loop of every
 * block: a row that another core has just written costs more to fetch than weights that both read. Who is done early helps
 * the others, so the threads still end together. (8 pictures of ViT-B/32 in f32 on 2 cores: 4 % less time where the cores
 * share their cache badly, 1 % where well.)
 *
 * The last block computes k and v for all rows, but q, the output product and the MLP for the pooled rows only: the
 * same result, and one block less of twelve for a picture.
 */
#include "clip/block.h"

#include "base/limits.h"

#include <stdatomic.h>
#include <string.h>

/* Handing out a loop costs a few microseconds while the pool is awake; a core does some 60,000 multiply-adds in one. */
static const double WORTH_SHARING = 2e5;

enum { WHOLE_TILES = 42, PART_ROWS = 4 * WHOLE_TILES }; /* tiles have 14, 6 or 4 rows */
enum { SHARED_ROWS_MAX = 4096 }; /* of all threads at once: 20 to 50 KB each */

/* A loop in which every worker has a range of its own, and helps with the others' when that is done. */
typedef struct homed_loop {
    pn_pool_task task;
    void *context;
    size_t n, n_homes;
    _Atomic size_t next[PN_MAX_THREADS];
} homed_loop;

static void run_from_home(void *context, size_t i, unsigned worker)
{
    (void)i; /* whoever comes has the same to do */
    homed_loop *l = context;
    for (size_t k = 0; k < l->n_homes; k++) {
        size_t home = (worker + k) % l->n_homes, end = l->n * (home + 1) / l->n_homes, at;
        while ((at = atomic_fetch_add_explicit(&l->next[home], 1, memory_order_relaxed)) < end)
            l->task(l->context, at, worker);
    }
}

void pn_spread(const pn_forward *f, size_t n, double work, pn_pool_task task, void *context)
{
    const size_t threads = pn_pool_threads(f->pool);
    if (work < WORTH_SHARING || threads == 1) {
        pn_pool_for(NULL, n, task, context);
        return;
    }
    homed_loop l = {.task = task, .context = context, .n = n, .n_homes = threads};
    for (size_t home = 0; home < threads; home++)
        atomic_init(&l.next[home], n * home / threads);
    pn_pool_for(f->pool, threads, run_from_home, &l);
}

size_t pn_share_least(size_t rows, size_t threads)
{
    const size_t least = (PART_ROWS + rows - 1) / rows;
    return threads > 1 && least * rows <= SHARED_ROWS_MAX / threads ? least : 0;
}

size_t pn_share_count(size_t n, size_t rows, size_t threads)
{
    const size_t least = pn_share_least(rows, threads);
    return least > 0 ? n / threads / least * threads : 0;
}

enum { NORM_ROWS = 8 };         /* a task's */
enum { ROUNDED_AT_ONCE = 512 }; /* on the stack, between two conversions */

/* ---- products */

typedef struct product {
    const pn_forward *f;
    pn_gemm gemm;
    size_t panel_begin, panel_end, panels_each;
    size_t strips, parts; /* of panels; of rows */
} product;

/* Rows [begin, end) of a product. */
static pn_gemm rows_of(pn_gemm gemm, size_t begin, size_t end)
{
    gemm.c += begin * gemm.ldc;
    gemm.m = end - begin;
    if (gemm.w.type == PN_PANEL_I8) {
        gemm.a8.rows += begin * gemm.a8.stride;
        gemm.a8.step += begin;
        gemm.a8.low += begin;
    } else if (gemm.w.type == PN_PANEL_BF16_PAIRS) {
        gemm.a16.rows = (const uint16_t *)gemm.a16.rows + begin * gemm.a16.stride;
    } else {
        gemm.a += begin * gemm.lda;
    }
    return gemm;
}

static size_t part_start(const product *p, size_t part)
{
    size_t row = p->gemm.m * part / p->parts;
    return part == p->parts ? row : (row + WHOLE_TILES / 2) / WHOLE_TILES * WHOLE_TILES;
}

static void run_panels(void *context, size_t i, unsigned worker)
{
    (void)worker; /* products need no scratch */
    const product *p = context;
    const size_t part = i / p->strips;
    const pn_gemm gemm = rows_of(p->gemm, part_start(p, part), part_start(p, part + 1));
    size_t begin = p->panel_begin + i % p->strips * p->panels_each;
    size_t end = PN_MIN(begin + p->panels_each, p->panel_end);
    if (gemm.w.type == PN_PANEL_I8)
        p->f->kernels->gemm_i8(&gemm, begin, end);
    else if (gemm.w.type == PN_PANEL_BF16_PAIRS)
        p->f->kernels->gemm_bf16(&gemm, begin, end);
    else
        p->f->kernels->gemm_f32(&gemm, begin, end);
}

/* out[i] = in[i] rounded to bf16. */
static void round_row(const pn_kernels *kernels, float *out, const float *in, size_t n)
{
    uint16_t halves[ROUNDED_AT_ONCE];
    for (size_t i = 0, some; i < n; i += some) {
        some = PN_MIN(n - i, (size_t)ROUNDED_AT_ONCE);
        kernels->f32_to_bf16(halves, in + i, some);
        kernels->bf16_to_f32(out + i, halves, some);
    }
}

static void pair_row(const pn_kernels *kernels, uint16_t *out, const float *in, size_t n)
{
    kernels->f32_to_bf16(out, in, n);
    if (n < pn_gemm_bf16_depth(n))
        out[n] = 0;
}

static void convert_rows(void *context, size_t i, unsigned worker)
{
    (void)worker; /* every row has its own place */
    const product *p = context;
    const pn_kernels *kernels = p->f->kernels;
    const pn_gemm *g = &p->gemm;
    const pn_activations *a = &p->f->act;
    size_t end = PN_MIN((i + 1) * NORM_ROWS, g->m);
    for (size_t r = i * NORM_ROWS; r < end; r++) {
        const float *in = g->a + r * g->lda;
        void *out = a->bytes + r * a->bytes_stride;
        if (g->w.type == PN_PANEL_I8)
            kernels->quantise_u8(out, a->steps + r, a->lows + r, in, g->k);
        else if (g->w.type == PN_PANEL_BF16_PAIRS)
            pair_row(kernels, out, in, g->k);
        else
            round_row(kernels, out, in, g->k);
    }
}

/* The rows of a as the product reads them: in 8 bits, as bf16, or rounded to it. */
static void convert(const pn_forward *f, pn_gemm *gemm)
{
    const pn_activations *a = &f->act;
    product p = {.f = f, .gemm = *gemm};
    double work = 2.0 * (double)gemm->m * (double)gemm->k;
    pn_spread(f, (gemm->m + NORM_ROWS - 1) / NORM_ROWS, work, convert_rows, &p);
    if (gemm->w.type == PN_PANEL_I8) {
        gemm->a8 = (pn_rows_u8){a->bytes, a->bytes_stride, a->steps, a->lows};
    } else if (gemm->w.type == PN_PANEL_BF16_PAIRS) {
        gemm->a16 = (pn_rows_bf16){a->bytes, a->bytes_stride / sizeof(uint16_t)};
    } else {
        gemm->a = (const float *)(const void *)a->bytes;
        gemm->lda = a->bytes_stride / sizeof(float);
    }
}

/* Eight values' worth of arithmetic for every byte of weights that is read: with few rows reading takes longer. */
static double work_of(const pn_gemm *gemm, size_t panels)
{
    size_t rows = PN_MAX(gemm->m, (size_t)8);
    double work = (double)rows * (double)(panels * PN_GEMM_PANEL * gemm->k);
    return gemm->w.type == PN_PANEL_I8           ? work / 4
           : gemm->w.type == PN_PANEL_BF16_PAIRS ? work / 2
                                                 : work;
}

void pn_linear_run(const pn_forward *f, const pn_linear *linear, pn_gemm gemm, size_t panel_begin,
                   size_t panel_end)
{
    gemm.w = linear->w;
    gemm.bias = linear->bias;
    gemm.n = linear->n;
    gemm.k = linear->k;
    if (pn_linear_row_bytes(linear) > 0)
        convert(f, &gemm);
    const size_t threads = pn_pool_threads(f->pool), panels = panel_end - panel_begin;
    const size_t parts = PN_MIN(gemm.m / PART_ROWS, threads);
    /* Eight tasks a thread even out their speeds; pairs of panels are what the kernels like. */
    size_t each = parts > 1 ? 2 : panels / (8 * threads);
    each = PN_MAX(each + each % 2, (size_t)2);
    const size_t strips = (panels + each - 1) / each;
    product p = {f, gemm, panel_begin, panel_end, each, strips, PN_MAX(parts, (size_t)1)};
    pn_spread(f, strips * p.parts, work_of(&gemm, panels), run_panels, &p);
}

void pn_linear_run_all(const pn_forward *f, const pn_linear *linear, pn_gemm gemm)
{
    pn_linear_run(f, linear, gemm, 0, pn_gemm_panels(linear->n));
}

/* ---- norms */

typedef struct norming {
    const pn_forward *f;
    const pn_norm *norm;
    float *out;
    const float *in;
    size_t rows, stride;
} norming;

static void norm_rows(void *context, size_t i, unsigned worker)
{
    (void)worker; /* nor does a norm */
    const norming *n = context;
    size_t end = PN_MIN((i + 1) * NORM_ROWS, n->rows);
    for (size_t r = i * NORM_ROWS; r < end; r++)
        n->f->kernels->layer_norm_f32(n->out + r * n->stride, n->in + r * n->stride,
                                      n->norm->weight, n->norm->bias, n->f->config->width,
                                      n->f->config->eps);
}

void pn_norm_run(const pn_forward *f, const pn_norm *norm, float *out, const float *in, size_t rows,
                 size_t stride)
{
    norming n = {f, norm, out, in, rows, stride};
    double work = 8.0 * (double)rows * f->config->width;
    pn_spread(f, (rows + NORM_ROWS - 1) / NORM_ROWS, work, norm_rows, &n);
}

/* ---- blocks */

static void (*activation_of(const pn_forward *f))(float *, size_t)
{
    switch (f->config->activation) {
    case PN_CLIP_QUICK_GELU:
        return f->kernels->quick_gelu_f32;
    case PN_CLIP_GELU:
        return f->kernels->gelu_f32;
    case PN_CLIP_GELU_TANH:
        return f->kernels->gelu_tanh_f32;
    }
    pn_assert(false);
    return NULL;
}

static void add_attention(const pn_forward *f, const pn_block *b, size_t rows)
{
    const pn_activations *a = &f->act;
    pn_gemm out = {.c = a->x,
                   .ldc = a->x_stride,
                   .a = a->normed,
                   .lda = a->x_stride,
                   .m = rows,
                   .accumulate = true};
    pn_linear_run_all(f, &b->out, out);
}

static void add_mlp(const pn_forward *f, const pn_block *b, const float *in, size_t rows)
{
    const pn_activations *a = &f->act;
    pn_gemm fc1 = {.c = a->wide,
                   .ldc = a->wide_stride,
                   .a = in,
                   .lda = a->x_stride,
                   .m = rows,
                   .activate = activation_of(f)};
    pn_linear_run_all(f, &b->fc1, fc1);
    pn_gemm fc2 = {.c = a->x,
                   .ldc = a->x_stride,
                   .a = a->wide,
                   .lda = a->wide_stride,
                   .m = rows,
                   .accumulate = true};
    pn_linear_run_all(f, &b->fc2, fc2);
}

/* What the block's first product reads: normed, or x itself when the norms stand behind the sums. */
static float *first_input(const pn_forward *f, const pn_block *b, size_t rows)
{
    const pn_activations *a = &f->act;
    if (f->config->post_norm)
        return a->x;
    pn_norm_run(f, &b->norm1, a->normed, a->x, rows, a->x_stride);
    return a->normed;
}

/* The rest of the block behind attention, for rows [0, rows). */
static void finish_block(const pn_forward *f, const pn_block *b, size_t rows)
{
    const pn_activations *a = &f->act;
    add_attention(f, b, rows);
    if (f->config->post_norm) {
        pn_norm_run(f, &b->norm1, a->x, a->x, rows, a->x_stride);
        add_mlp(f, b, a->x, rows);
        pn_norm_run(f, &b->norm2, a->x, a->x, rows, a->x_stride);
    } else {
        pn_norm_run(f, &b->norm2, a->normed, a->x, rows, a->x_stride);
        add_mlp(f, b, a->normed, rows);
    }
}

static pn_attention attention_of(const pn_forward *f, const pn_block *b, const pn_sequences *s)
{
    const pn_activations *a = &f->act;
    const size_t qkv_stride = pn_qkv_stride(b->attention);
    const float *k = a->wide + qkv_stride, *first = s->first_shared ? k : s->first_kv;
    const size_t first_stride =
        s->first_shared ? qkv_stride : pn_first_row_stride(f->config); /* from k to v */
    return (pn_attention){.sequences = s,
                          .heads = b->heads,
                          .head_width = f->config->head_width,
                          .query_starts = s->starts,
                          .q = a->wide,
                          .q_stride = a->wide_stride,
                          .k = k,
                          .v = k + qkv_stride,
                          .first_k = first,
                          .first_v = first ? first + first_stride : NULL,
                          .kv_stride = a->wide_stride,
                          .out = a->normed,
                          .out_stride = a->x_stride,
                          .in_bytes =
                              b->qkv.w.type == PN_PANEL_I8 && !s->causal && f->kernels->fast_i8};
}

size_t pn_first_row_stride(const pn_encoder_config *config)
{
    return pn_qkv_stride(pn_attention_width(config));
}

static void keep_first(const pn_forward *f, const pn_block *b, const pn_sequences *s)
{
    const float *k = f->act.wide + pn_qkv_stride(b->attention);
    if (!s->keep_first)
        return;
    memcpy(s->keep_first, k, b->attention * sizeof *k);
    memcpy(s->keep_first + pn_first_row_stride(f->config), k + pn_qkv_stride(b->attention),
           b->attention * sizeof *k);
}

static void run_block(const pn_forward *f, const pn_block *b, const pn_sequences *s)
{
    const pn_activations *a = &f->act;
    const size_t rows = s->starts[s->n];
    const float *in = first_input(f, b, rows);
    pn_gemm qkv = {.c = a->wide, .ldc = a->wide_stride, .a = in, .lda = a->x_stride, .m = rows};
    pn_linear_run_all(f, &b->qkv, qkv);
    keep_first(f, b, s);
    const pn_attention attention = attention_of(f, b, s);
    pn_attention_run(f, &attention);
    if (s->first_shared) /* it sees itself alone */
        memcpy(a->normed, attention.v, b->attention * sizeof *a->normed);
    finish_block(f, b, rows);
}

/* Row pooled[i] becomes row i. Pooled rows ascend, so no row is overwritten before it is read. */
static void keep_pooled(const pn_forward *f, const pn_sequences *s, float *matrix)
{
    const size_t stride = f->act.x_stride;
    for (size_t i = 0; i < s->n; i++)
        if (s->pooled[i] != i)
            memcpy(matrix + i * stride, matrix + s->pooled[i] * stride,
                   f->config->width * sizeof *matrix);
}

/* k and v of all rows of `in`. */
static void make_keys(const pn_forward *f, const pn_block *b, const pn_sequences *s,
                      const float *in)
{
    const pn_activations *a = &f->act;
    const size_t panels = pn_gemm_panels(b->attention);
    pn_gemm kv = {
        .c = a->wide, .ldc = a->wide_stride, .a = in, .lda = a->x_stride, .m = s->starts[s->n]};
    pn_linear_run(f, &b->qkv, kv, panels, 3 * panels);
}

/* One query each, in act.query. */
static void attend_once(const pn_forward *f, const pn_block *b, const pn_sequences *s)
{
    pn_attention attention = attention_of(f, b, s);
    attention.query_starts = s->ones;
    attention.q = f->act.query;
    attention.q_stride = f->act.x_stride;
    pn_attention_run(f, &attention);
}

static void run_last_block(const pn_forward *f, const pn_block *b, const pn_sequences *s)
{
    const pn_activations *a = &f->act;
    float *in = first_input(f, b, s->starts[s->n]);
    make_keys(f, b, s, in);
    keep_first(f, b, s);
    keep_pooled(f, s, a->x);
    if (in != a->x)
        keep_pooled(f, s, in);
    pn_gemm q = {.c = a->query, .ldc = a->x_stride, .a = in, .lda = a->x_stride, .m = s->n};
    pn_linear_run(f, &b->qkv, q, 0, pn_gemm_panels(b->attention));
    attend_once(f, b, s);
    finish_block(f, b, s->n);
}

void pn_blocks_run(const pn_forward *f, const pn_block *blocks, const pn_sequences *s)
{
    const uint32_t whole = s->pooled ? f->config->layers - 1 : f->config->layers;
    const size_t kept = 2 * pn_first_row_stride(f->config);
    pn_sequences at = *s;
    for (uint32_t i = 0; i < f->config->layers; i++) {
        at.first_kv = s->first_kv ? s->first_kv + i * kept : NULL;
        at.keep_first = s->keep_first ? s->keep_first + i * kept : NULL;
        if (i < whole)
            run_block(f, &blocks[i], &at);
        else
            run_last_block(f, &blocks[i], &at);
    }
}

void pn_head_run(const pn_forward *f, const pn_block *head, const float *probe_query,
                 const pn_sequences *s)
{
    const pn_activations *a = &f->act;
    const size_t bytes = f->config->width * sizeof *probe_query;
    make_keys(f, head, s, a->normed);
    for (size_t i = 0; i < s->n; i++) {
        memcpy(a->query + i * a->x_stride, probe_query, bytes);
        memset(a->x + i * a->x_stride, 0, bytes); /* nothing to add to */
    }
    attend_once(f, head, s);
    finish_block(f, head, s->n);
}

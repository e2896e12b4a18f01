/*
 * attention.c - softmax(q k^T / sqrt(d)) v, one head of one sequence at a time
 *
 *     k [tokens][d]  --pack-->  panels          v [tokens][d]  --pack-->  panels
 *                                 |                                         |
 *     q [48 rows][d]  --------> scores [48][tokens] --softmax--> x ------>  out [48][d]
 *
 * Both products are the kernels' packed product, with k and v in the role of the weights. Packing costs two passes
 * over k and v and is repaid by every row of q. Scores are made 48 rows at a time, so that they stay in the cache for
 * any length.
 *
 * A causal row takes the softmax over the tokens it may see; the scores behind them become zeros before the second
 * product. (The first product computes them for nothing: at most 77 x 77 x 64 multiply-adds.)
 *
 * A shared first row (block.h) lies elsewhere. Its sequences are packed from one row earlier, which is some other row of
 * the matrix or the one in front of it, and what came of that row is replaced in the panels.
 *
 * In 8 bits both products run on bytes, where the level is fast at it and the sequence is long (ViT-L/14: 257 tokens, where
 * attention in f32 is a sixth of the time of a model in 8 bits). Tokens are the columns of k, each with its own scale;
 * channels those of v. The mean of k over the tokens is taken away first: it adds the same to all scores of a query, which a
 * softmax does not see, but would eat most of the range when a channel is far from zero everywhere. Scores go through the
 * softmax straight into bytes of 255 exp(score - largest), and are divided by the sum of just those bytes, so that their
 * rounding shifts no weight. Source of the mean: Zhang et al. 2024, SageAttention. Texts stay in f32: short, causal, cheap.
 */
#include "clip/block.h"

#include <math.h>
#include <string.h>

typedef struct job {
    const pn_forward *f;
    const pn_attention *a;
} job;

typedef struct head {
    const float *q, *k, *v;
    const float *first_k, *first_v; /* of the shared row, or NULL */
    float *out;
    size_t n_queries, n_tokens, width;
} head;

static head head_of(const job *j, size_t i)
{
    const pn_attention *a = j->a;
    const size_t width = a->head_width;
    const size_t sequence = i / a->heads, column = i % a->heads * width;
    const bool elsewhere = a->first_k;
    const size_t token = a->sequences->starts[sequence], query = a->query_starts[sequence];
    const size_t back = elsewhere ? a->kv_stride : 0;
    return (head){.q = a->q + query * a->q_stride + column,
                  .k = a->k + token * a->kv_stride + column - back,
                  .v = a->v + token * a->kv_stride + column - back,
                  .first_k = elsewhere ? a->first_k + column : NULL,
                  .first_v = elsewhere ? a->first_v + column : NULL,
                  .out = a->out + query * a->out_stride + column,
                  .n_queries = a->query_starts[sequence + 1] - query,
                  .n_tokens = a->sequences->starts[sequence + 1] - token + elsewhere,
                  .width = width};
}

/* ---- in f32 */

/* scores [rows][stride], of queries first_query and on. */
static void softmax_rows(const job *j, const head *h, size_t first_query, size_t rows,
                         float *scores)
{
    const size_t stride = j->f->act.scores_stride;
    const float scale = 1.0f / sqrtf((float)h->width);
    for (size_t r = 0; r < rows; r++) {
        float *row = scores + r * stride;
        /* the queries are the last ones of the sequence */
        size_t position = h->n_tokens - h->n_queries + first_query + r;
        size_t seen = j->a->sequences->causal ? position + 1 : h->n_tokens;
        j->f->kernels->softmax_f32(row, seen, scale);
        if (seen < h->n_tokens)
            memset(row + seen, 0, (h->n_tokens - seen) * sizeof *row);
    }
}

/* The shared row is token 0: the first column of k's first panel, the first line of each of v's. */
static void put_first(const head *h, float *packed_k, float *packed_v)
{
    for (size_t p = 0; p < h->width; p++)
        packed_k[p * PN_GEMM_PANEL] = h->first_k[p];
    for (size_t column = 0; column < h->width; column += PN_GEMM_PANEL)
        memcpy(packed_v + column * h->n_tokens, h->first_v + column,
               PN_MIN(h->width - column, (size_t)PN_GEMM_PANEL) * sizeof *packed_v);
}

static void run_f32(const job *j, const head *h, float *scratch)
{
    const pn_attention *a = j->a;
    const pn_kernels *kernels = j->f->kernels;
    const size_t stride = j->f->act.scores_stride, token_panels = pn_gemm_panels(h->n_tokens);
    float *packed_k = scratch;
    float *packed_v = packed_k + token_panels * PN_GEMM_PANEL * h->width;
    float *scores = packed_v + pn_gemm_panels(h->width) * PN_GEMM_PANEL * h->n_tokens;
    kernels->gemm_pack(packed_k, h->k, h->n_tokens, h->width, a->kv_stride, 1);
    kernels->gemm_pack(packed_v, h->v, h->width, h->n_tokens, 1, a->kv_stride);
    if (h->first_k)
        put_first(h, packed_k, packed_v);

    for (size_t first = 0; first < h->n_queries; first += PN_ATTENTION_ROWS) {
        size_t rows = PN_MIN(h->n_queries - first, (size_t)PN_ATTENTION_ROWS);
        pn_gemm qk = {.c = scores,
                      .ldc = stride,
                      .a = h->q + first * a->q_stride,
                      .lda = a->q_stride,
                      .w = {.packed = packed_k},
                      .m = rows,
                      .n = h->n_tokens,
                      .k = h->width};
        kernels->gemm_f32(&qk, 0, token_panels);
        softmax_rows(j, h, first, rows, scores);
        pn_gemm sv = {.c = h->out + first * a->out_stride,
                      .ldc = a->out_stride,
                      .a = scores,
                      .lda = stride,
                      .w = {.packed = packed_v},
                      .m = rows,
                      .n = h->width,
                      .k = h->n_tokens};
        kernels->gemm_f32(&sv, 0, pn_gemm_panels(h->width));
    }
}

/* ---- in 8 bits */

/* One side of a product in the role of the weights. */
typedef struct packed_i8 {
    int8_t *panels;
    float *scale, *sums;
} packed_i8;

typedef struct scratch_i8 {
    packed_i8 k, v;
    float *panel; /* [k][16] of f32 */
    float *mean;  /* [width] */
    float *scores;
    uint8_t *rows; /* [48][rows_stride]: q, and then what the softmax makes of the scores */
    size_t rows_stride;
    float *steps, *lows, *zeros; /* [48] */
} scratch_i8;

/* Memory handed out from the front; without memory, only what would be handed out is counted. */
typedef struct cursor {
    float *memory;
    size_t used;
} cursor;

static float *take(cursor *at, size_t floats)
{
    float *taken = at->memory ? at->memory + at->used : NULL;
    at->used += pn_gemm_panels(floats) * PN_GEMM_PANEL; /* whole cache lines */
    return taken;
}

static packed_i8 take_packed(cursor *at, size_t n, size_t k)
{
    const size_t columns = pn_gemm_panels(n) * PN_GEMM_PANEL;
    packed_i8 p = {.panels = (int8_t *)take(at, columns * pn_gemm_i8_depth(k) / sizeof(float))};
    p.scale = take(at, columns);
    p.sums = take(at, columns);
    return p;
}

static scratch_i8 lay_out(size_t tokens, size_t width, size_t scores_stride, cursor *at)
{
    const size_t longer = PN_MAX(tokens, width);
    scratch_i8 s = {.k = take_packed(at, tokens, width), .v = take_packed(at, width, tokens)};
    s.panel = take(at, longer * PN_GEMM_PANEL);
    s.mean = take(at, width);
    s.scores = take(at, PN_ATTENTION_ROWS * scores_stride);
    s.rows_stride = pn_row_stride(pn_gemm_i8_depth(longer) / sizeof(float)) * sizeof(float);
    s.rows = (uint8_t *)take(at, PN_ATTENTION_ROWS * s.rows_stride / sizeof(float));
    s.steps = take(at, PN_ATTENTION_ROWS);
    s.lows = take(at, PN_ATTENTION_ROWS);
    s.zeros = take(at, PN_ATTENTION_ROWS);
    return s;
}

/* Of some channels over the tokens. */
static PN_ALWAYS_INLINE void mean_of(const head *h, size_t stride, size_t channel, const size_t n,
                                     float *mean)
{
    float sum[PN_GEMM_PANEL] = {0};
    for (size_t t = 0; t < h->n_tokens; t++)
        for (size_t i = 0; i < n; i++)
            sum[i] += h->k[t * stride + channel + i];
    for (size_t i = 0; i < n; i++)
        mean[channel + i] = sum[i] / (float)h->n_tokens;
}

static void find_mean(const head *h, size_t stride, float *mean)
{
    const size_t whole = h->width / PN_GEMM_PANEL * PN_GEMM_PANEL;
    for (size_t c = 0; c < whole; c += PN_GEMM_PANEL)
        mean_of(h, stride, c, PN_GEMM_PANEL, mean); /* a constant: the loop becomes vectors */
    for (size_t c = whole; c < h->width; c++)
        mean_of(h, stride, c, 1, mean);
}

static void pack_k(const pn_kernels *kernels, const head *h, size_t stride, const scratch_i8 *s)
{
    const size_t bytes = PN_GEMM_PANEL * pn_gemm_i8_depth(h->width);
    find_mean(h, stride, s->mean);
    for (size_t t = 0; t < h->n_tokens; t += PN_GEMM_PANEL) {
        size_t columns = PN_MIN(h->n_tokens - t, (size_t)PN_GEMM_PANEL);
        kernels->gemm_pack(s->panel, h->k + t * stride, columns, h->width, stride, 1);
        for (size_t p = 0; p < h->width; p++)
            for (size_t i = 0; i < PN_GEMM_PANEL; i++)
                s->panel[p * PN_GEMM_PANEL + i] -= s->mean[p];
        kernels->gemm_pack_i8(s->k.panels + t / PN_GEMM_PANEL * bytes, s->k.scale + t,
                              s->k.sums + t, s->panel, h->width);
    }
}

static void pack_v(const pn_kernels *kernels, const head *h, size_t stride, const scratch_i8 *s)
{
    const size_t bytes = PN_GEMM_PANEL * pn_gemm_i8_depth(h->n_tokens);
    for (size_t c = 0; c < h->width; c += PN_GEMM_PANEL) {
        size_t columns = PN_MIN(h->width - c, (size_t)PN_GEMM_PANEL);
        kernels->gemm_pack(s->panel, h->v + c, columns, h->n_tokens, 1, stride);
        kernels->gemm_pack_i8(s->v.panels + c / PN_GEMM_PANEL * bytes, s->v.scale + c,
                              s->v.sums + c, s->panel, h->n_tokens);
    }
}

static void run_rows_i8(const job *j, const head *h, const scratch_i8 *s, size_t first, size_t rows)
{
    const pn_attention *a = j->a;
    const pn_kernels *kernels = j->f->kernels;
    const size_t stride = j->f->act.scores_stride;
    const float scale = 1.0f / sqrtf((float)h->width);
    for (size_t r = 0; r < rows; r++)
        kernels->quantise_u8(s->rows + r * s->rows_stride, s->steps + r, s->lows + r,
                             h->q + (first + r) * a->q_stride, h->width);
    const pn_gemm qk = {.c = s->scores,
                        .ldc = stride,
                        .a8 = {s->rows, s->rows_stride, s->steps, s->lows},
                        .w = {s->k.panels, s->k.scale, s->k.sums, PN_PANEL_I8},
                        .m = rows,
                        .n = h->n_tokens,
                        .k = h->width};
    kernels->gemm_i8(&qk, 0, pn_gemm_panels(h->n_tokens));
    for (size_t r = 0; r < rows; r++)
        kernels->softmax_u8(s->rows + r * s->rows_stride, s->steps + r, s->scores + r * stride,
                            h->n_tokens, scale);
    const pn_gemm sv = {.c = h->out + first * a->out_stride,
                        .ldc = a->out_stride,
                        .a8 = {s->rows, s->rows_stride, s->steps, s->zeros},
                        .w = {s->v.panels, s->v.scale, s->v.sums, PN_PANEL_I8},
                        .m = rows,
                        .n = h->width,
                        .k = h->n_tokens};
    kernels->gemm_i8(&sv, 0, pn_gemm_panels(h->width));
}

static void run_i8(const job *j, const head *h, float *scratch)
{
    const pn_kernels *kernels = j->f->kernels;
    pn_assert(scratch); /* what is taken from it is memory, not a count */
    cursor at = {.memory = scratch};
    const scratch_i8 s = lay_out(h->n_tokens, h->width, j->f->act.scores_stride, &at);
    pack_k(kernels, h, j->a->kv_stride, &s);
    pack_v(kernels, h, j->a->kv_stride, &s);
    memset(s.zeros, 0, PN_ATTENTION_ROWS * sizeof *s.zeros);
    for (size_t first = 0; first < h->n_queries; first += PN_ATTENTION_ROWS)
        run_rows_i8(j, h, &s, first, PN_MIN(h->n_queries - first, (size_t)PN_ATTENTION_ROWS));
}

/* ---- all heads */

/* Queries that repay making bytes of k and v. */
enum { LEAST_QUERIES_I8 = 32 };

static void run_head(void *context, size_t i, unsigned worker)
{
    const job *j = context;
    const head h = head_of(j, i);
    float *scratch = j->f->act.attention + worker * j->f->act.attention_floats;
    if (j->a->in_bytes && h.n_queries >= LEAST_QUERIES_I8)
        run_i8(j, &h, scratch);
    else
        run_f32(j, &h, scratch);
}

size_t pn_attention_floats(size_t longest, size_t head_width, size_t scores_stride)
{
    const size_t k = pn_gemm_panels(longest) * PN_GEMM_PANEL * head_width;
    const size_t v = pn_gemm_panels(head_width) * PN_GEMM_PANEL * longest;
    cursor in_bytes = {0};
    (void)lay_out(longest, head_width, scores_stride, &in_bytes); /* counted only */
    return PN_MAX(k + v + PN_ATTENTION_ROWS * scores_stride, in_bytes.used);
}

void pn_attention_run(const pn_forward *forward, const pn_attention *attention)
{
    job j = {forward, attention};
    const pn_sequences *s = attention->sequences;
    double queries = (double)attention->query_starts[s->n];
    double tokens = (double)s->starts[s->n] / (double)s->n;
    double work = (queries * 2 + tokens * (double)s->n) * tokens *
                  (double)(attention->heads * attention->head_width);
    pn_spread(forward, s->n * attention->heads, work, run_head, &j);
}

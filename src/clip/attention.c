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
 * the matrix, and what came of that row is replaced in the panels.
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
    const bool shared = a->sequences->first_shared;
    const size_t token = a->sequences->starts[sequence] - shared, query = a->query_starts[sequence];
    return (head){.q = a->q + query * a->q_stride + column,
                  .k = a->k + token * a->kv_stride + column,
                  .v = a->v + token * a->kv_stride + column,
                  .first_k = shared ? a->k + column : NULL,
                  .first_v = shared ? a->v + column : NULL,
                  .out = a->out + query * a->out_stride + column,
                  .n_queries = a->query_starts[sequence + 1] - query,
                  .n_tokens = a->sequences->starts[sequence + 1] - token,
                  .width = width};
}

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

static void run_head(void *context, size_t i, unsigned worker)
{
    const job *j = context;
    const head h = head_of(j, i);
    float *scratch = j->f->act.attention + worker * j->f->act.attention_floats;
    run_f32(j, &h, scratch);
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

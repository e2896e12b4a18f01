/*
 * text.c - a text transformer that computes no more rows than its vector depends on
 *
 *     ids            <start> a red shirt <end>  . . . padding, never looked at . . .
 *     x [tokens][width]   token embedding + position embedding
 *       | blocks with a causal mask
 *     row of <end>: norm, projection -> [dim]
 *
 * The vector of a text is the row of its end token, and no row sees what comes after it. So only the rows up to the
 * end token are computed: exactly the same result, for 8 tokens instead of 77.
 *
 * Which row that is: the first end token, or in models whose configuration has the legacy value, the first place of the
 * largest id. The two differ only for a text that contains special tokens itself.
 *
 * A BERT (Chinese-CLIP) looks both ways and pools its first row; padding is masked there, so leaving it out is exact too. In
 * SigLIP the padding takes part: all positions are computed, and the last one is the vector's.
 *
 * Texts of a batch lie behind each other without padding, in groups of about a thousand rows. With a causal mask the row
 * of <start> sees nothing but itself, so it is the same in all texts and computed once: by the first group, which leaves its keys
 * and values for all that follow (first_row.h). Two threads of a Zen 4, ViT-B/32, 8 tokens: 10 % less time in int8, 8 in f16, none in
 * f32, where the weights' bytes take all of it; on one thread 8 to 10 in each.
 */
#include "clip/text.h"

#include "base/alloc.h"
#include "clip/block.h"

#include <inttypes.h>
#include <stdatomic.h>

enum { GROUP_ROWS = 1024 };

typedef struct text {
    pn_forward f;
    const pn_clip_config *c;
    const pn_clip_weights *w;
    const uint32_t *ids;
    const size_t *lengths;
    size_t *used; /* [n] tokens up to the pooled one */
    pn_first_row *first_row;
    pn_scratch *scratch;
    float *out;
} text;

static pn_status check_ids(const pn_clip_config *c, const uint32_t *ids, size_t length,
                           size_t text_i, pn_error *err)
{
    if (length < 1 || length > c->context)
        return pn_fail(err, PN_ERR_INVALID, "text %zu: %zu tokens, 1 to %" PRIu32 " are possible",
                       text_i, length, c->context);
    for (size_t i = 0; i < length; i++)
        if (ids[i] >= c->vocabulary)
            return pn_fail(err, PN_ERR_INVALID,
                           "text %zu: token %" PRIu32 " in a vocabulary of %" PRIu32, text_i,
                           ids[i], c->vocabulary);
    return PN_OK;
}

/* How many ids count, up to and including the one to pool at. */
static pn_status find_end(const pn_clip_config *c, const uint32_t *ids, size_t length,
                          size_t text_i, size_t *used, pn_error *err)
{
    size_t largest = 0, end = length;
    for (size_t i = 0; i < length; i++) {
        if (ids[i] > ids[largest])
            largest = i;
        if (end == length && (int64_t)ids[i] == c->end_token)
            end = i;
    }
    if (c->end_token < 0)
        end = largest;
    if (end == length)
        return pn_fail(err, PN_ERR_INVALID, "text %zu: no end token %" PRId64, text_i,
                       c->end_token);
    *used = end + 1;
    return PN_OK;
}

/* How many rows a text has. */
static pn_status count_rows(const pn_clip_config *c, const uint32_t *ids, size_t length,
                            size_t text_i, size_t *used, pn_error *err)
{
    PN_TRY(check_ids(c, ids, length, text_i, err));
    if (c->text.pooling == PN_POOL_END)
        return find_end(c, ids, length, text_i, used, err);
    while (!c->padded && length > 1 && ids[length - 1] == c->pad_token)
        length--; /* padding that the caller's row may have, and that takes no part */
    *used = c->padded ? c->context : length;
    return PN_OK;
}

/* Texts [first, *end) that fit a group. Their rows are returned. */
static size_t next_group(const text *t, size_t first, size_t n, size_t *end)
{
    size_t rows = t->used[first], i = first + 1;
    while (i < n && rows + t->used[i] <= GROUP_ROWS)
        rows += t->used[i++];
    *end = i;
    return rows;
}

/* Do the texts begin with the same token (they all do: <start>), and see no further from it? None may be that token
 * alone: its vector's row must be its own. */
static bool first_is_one(const text *t, size_t first, size_t end)
{
    if (!t->c->text.causal || t->c->text.pooling != PN_POOL_END)
        return false;
    for (size_t i = first; i < end; i++)
        if (t->used[i] < 2 || t->ids[i * t->c->context] != t->ids[first * t->c->context])
            return false;
    return true;
}

/* The rows of texts [first, end) into x; of the first rows n_first. */
static void embed_tokens(const text *t, size_t first, size_t end, size_t n_first)
{
    const pn_activations *a = &t->f.act;
    const size_t width = t->c->text.width;
    float *row = a->x;
    for (size_t i = first; i < end; i++)
        for (size_t p = i - first >= n_first; p < t->used[i]; p++, row += a->x_stride) {
            size_t id = p < t->lengths[i] ? t->ids[i * t->c->context + p] : t->c->pad_token;
            pn_tensor_widen(t->w->token_embedding, id * width, width, row);
            const float *position = t->w->text_position + p * width;
            for (size_t j = 0; j < width; j++)
                row[j] += position[j];
        }
}

/* Where the rows of texts [first, end) lie, without those of the first rows that are not in the matrix. */
static void place_rows(const text *t, size_t first, size_t end, size_t n_first, pn_sequences *s)
{
    const size_t n = end - first;
    size_t *starts = t->f.act.indices, *ones = starts + n + 1, *pooled = ones + n + 1;
    const bool elsewhere = n_first < n;
    starts[0] = s->first_shared;
    ones[0] = 0;
    for (size_t i = 0; i < n; i++) {
        starts[i + 1] = starts[i] + t->used[first + i] - elsewhere;
        pooled[i] = t->c->text.pooling == PN_POOL_FIRST ? starts[i] : starts[i + 1] - 1;
        ones[i + 1] = i + 1;
    }
    s->n = n;
    s->starts = starts;
    s->ones = ones;
    s->pooled = pooled;
}

static void run_group(const text *t, size_t first, size_t end, float *out)
{
    pn_forward f = t->f;
    const pn_activations *a = &f.act;
    const uint32_t token = t->ids[first * t->c->context];
    const bool one = first_is_one(t, first, end);
    pn_sequences s = {.causal = t->c->text.causal};
    if (one)
        s.first_kv = pn_first_row_find(t->first_row, token);
    if (s.first_kv)
        f.act.wide += f.act.wide_stride; /* attention reads from one row earlier */
    else if (one)
        s.keep_first = pn_first_row_begin(t->first_row, token);
    s.first_shared = one && !s.first_kv && end - first > 1;
    const size_t n_first = s.first_kv ? 0 : s.first_shared ? 1 : end - first;
    embed_tokens(t, first, end, n_first);
    place_rows(t, first, end, n_first, &s);
    if (t->w->embedding_norm.weight)
        pn_norm_run(&f, &t->w->embedding_norm, a->x, a->x, s.starts[s.n], a->x_stride);
    pn_blocks_run(&f, t->w->text_blocks, &s);
    if (s.keep_first)
        pn_first_row_end(t->first_row);
    const float *rows = a->x;
    if (t->w->final_norm.weight) {
        pn_norm_run(&f, &t->w->final_norm, a->normed, a->x, s.n, a->x_stride);
        rows = a->normed;
    }
    pn_gemm projection = {.c = out, .ldc = t->w->dim, .a = rows, .lda = a->x_stride, .m = s.n};
    pn_linear_run_all(&f, &t->w->text_projection, projection);
}

/* What the largest group of texts [first, end) needs. */
static pn_activation_sizes sizes_of(const text *t, size_t first, size_t end)
{
    const pn_encoder_config *e = &t->c->text;
    const size_t attention = pn_attention_width(e);
    pn_activation_sizes sizes = {.width = PN_MAX((size_t)e->width, attention),
                                 .head_width = e->head_width,
                                 .wide = PN_MAX(3 * pn_qkv_stride(attention), (size_t)e->mlp),
                                 .row_bytes = pn_linear_row_bytes(&t->w->text_blocks->qkv),
                                 .threads = pn_pool_threads(t->f.pool)};
    for (size_t i = first, next; i < end; i = next) {
        size_t rows = next_group(t, i, end, &next);
        sizes.rows = PN_MAX(sizes.rows, rows);
        sizes.sequences = PN_MAX(sizes.sequences, next - i);
    }
    for (size_t i = first; i < end; i++)
        sizes.longest = PN_MAX(sizes.longest, t->used[i]);
    return sizes;
}

/* Texts [first, end) on t's pool. */
static pn_status run_groups(text t, size_t first, size_t end, pn_error *err)
{
    const pn_activation_sizes sizes = sizes_of(&t, first, end);
    PN_TRY(pn_activations_init(&sizes, t.scratch, &t.f.act, err));
    for (size_t i = first, next; i < end; i = next) {
        (void)next_group(&t, i, end, &next); /* the rows were counted before */
        run_group(&t, i, next, t.out + i * t.w->dim);
    }
    pn_activations_reset(&t.f.act);
    return PN_OK;
}

/* ---- a thread's own texts */

typedef struct sharing {
    text t;       /* a thread's: without a pool */
    size_t *ends; /* of each share */
    _Atomic bool failed;
} sharing;

static void run_share(void *context, size_t i, unsigned worker)
{
    (void)worker; /* each takes scratch of its own */
    sharing *s = context;
    const size_t first = i > 0 ? s->ends[i - 1] : 0;
    if (first < s->ends[i] && run_groups(s->t, first, s->ends[i], NULL) != PN_OK)
        atomic_store(&s->failed, true);
}

/* Shares have about as many rows each; one that a long text leaves empty has no texts. */
static void cut(const text *t, size_t n, size_t n_rows, size_t *ends, size_t n_shares)
{
    size_t share = 0, before = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t middle = before + t->used[i] / 2;
        while (share < middle * n_shares / n_rows)
            ends[share++] = i;
        before += t->used[i];
    }
    while (share < n_shares)
        ends[share++] = n;
}

static pn_status run_texts(const text *t, size_t n, pn_error *err)
{
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++)
        n_rows += t->used[i];
    const size_t n_shares = pn_share_count(n_rows, 1, pn_pool_threads(t->f.pool));
    if (n_shares == 0)
        return run_groups(*t, 0, n, err);
    sharing s = {.t = *t, .ends = pn_scratch_take(t->scratch, n_shares * sizeof *s.ends)};
    if (!s.ends)
        return pn_fail_nomem(err);
    s.t.f.pool = NULL;
    cut(t, n, n_rows, s.ends, n_shares);
    pn_pool_for(t->f.pool, n_shares, run_share, &s);
    pn_scratch_give(t->scratch, s.ends);
    return s.failed ? pn_fail_nomem(err) : PN_OK;
}

size_t pn_text_first_row_floats(const pn_encoder_config *config)
{
    return (size_t)config->layers * 2 * pn_first_row_stride(config);
}

pn_status pn_text_run(const pn_clip_config *c, const pn_clip_weights *w, const uint32_t *ids,
                      const size_t *lengths, size_t n, const pn_clip_means *means, float *out,
                      pn_error *err)
{
    text t = {.f = {.kernels = pn_kernels_get(), .pool = means->pool, .config = &c->text},
              .c = c,
              .w = w,
              .ids = ids,
              .lengths = lengths,
              .first_row = means->first_row,
              .scratch = means->scratch,
              .out = out};
    size_t bytes;
    if (pn_size_mul(n, sizeof *t.used, &bytes))
        t.used = pn_scratch_take(means->scratch, bytes);
    if (!t.used)
        return pn_fail_nomem(err);
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < n; i++)
        status = count_rows(c, ids + i * c->context, lengths[i], i, &t.used[i], err);
    if (status == PN_OK)
        status = run_texts(&t, n, err);
    pn_scratch_give(means->scratch, t.used);
    return status;
}

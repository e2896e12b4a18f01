/*
 * block.h - one transformer block, shared by both encoders
 *
 *     x = x + attention(norm1(x))              x = norm1(x + attention(x))
 *     x = x + mlp(norm2(x))          or        x = norm2(x + mlp(x))          in BERT
 *
 * The rows of several sequences (pictures, texts) lie behind each other in one matrix, whatever their lengths: products run
 * over all rows at once, and only attention knows where a sequence ends.
 *
 * Causal sequences that begin with the same token have the same first row in every block, since that row sees nothing but
 * itself. It need not be computed more than once: in one matrix, or, when its keys and values were kept, at all.
 */
#ifndef PN_CLIP_BLOCK_H
#define PN_CLIP_BLOCK_H

#include "clip/activations.h"
#include "clip/weights.h"

/* Sequence i has rows [starts[i], starts[i + 1]); after the last block only row pooled[i] is needed. */
typedef struct pn_sequences {
    size_t n;
    const size_t *starts; /* [n + 1] */
    const size_t *
        pooled; /* [n], ascending; the last row of its sequence when causal. NULL: all rows are needed */
    const size_t *ones; /* [n + 1]: 0, 1, ... n */
    bool first_shared;  /* row 0 of the matrix is the first row of every sequence; starts[0] is 1 */
    /* Keys and values of the first row of every sequence, which is not in the matrix; NULL: it is. [layers][2][stride], stride
     * that of pn_first_row_stride(). There has to be memory for one row in front of act.wide. */
    const float *first_kv;
    float *keep_first; /* the same, to be filled from row 0 of the matrix; NULL: not wanted */
    bool causal;       /* a row sees the rows before it and itself; otherwise all of its sequence */
} pn_sequences;

/* What every step of a forward pass needs. */
typedef struct pn_forward {
    const pn_kernels *kernels;
    pn_pool *pool;
    const pn_encoder_config *config;
    pn_activations act;
} pn_forward;

/* Floats of one of the two. */
size_t pn_first_row_stride(const pn_encoder_config *config);

/*
 * Run all blocks over forward->act.x. On return row i of act.x is the pooled row of sequence i, before the last norm; or
 * all rows are there, when nothing is pooled.
 * Threads: spread over forward->pool; the result is the same for any number of threads, and for a sequence alone or
 * among others.
 */
void pn_blocks_run(const pn_forward *forward, const pn_block *blocks,
                   const pn_sequences *sequences);

/*
 * Attention pooling: one query, the same for all sequences, attends to all rows of a sequence; then an MLP.
 * The rows are in act.normed; on return row i of act.x is the vector of sequence i.
 */
void pn_head_run(const pn_forward *forward, const pn_block *head, const float *probe_query,
                 const pn_sequences *sequences);

/* c = a W^T + bias for m rows: columns of panels [begin, end) of the matrix, spread over the pool. gemm: c, ldc, a, lda, m,
 * accumulate and activate are the caller's, the rest comes from linear. */
void pn_linear_run(const pn_forward *forward, const pn_linear *linear, pn_gemm gemm,
                   size_t panel_begin, size_t panel_end);
/* All columns. */
void pn_linear_run_all(const pn_forward *forward, const pn_linear *linear, pn_gemm gemm);

/* out[i] = norm(in[i]) for rows [0, rows), both stride apart; out may be in. */
void pn_norm_run(const pn_forward *forward, const pn_norm *norm, float *out, const float *in,
                 size_t rows, size_t stride);

/* Sequences of so many rows that a thread has to have for the products to be fast, when each runs its own without the others. 0: there is
 * one thread, or all of them at once would hold too many rows. */
size_t pn_share_least(size_t rows, size_t threads);
/* Into how many shares of that size at least n sequences are cut: as many for each thread, of about the same size. 0: there are too few. */
size_t pn_share_count(size_t n, size_t rows, size_t threads);

/* pn_pool_for(), or a plain loop when the work (in multiply-adds) is not worth waking anybody. */
void pn_spread(const pn_forward *forward, size_t n, double work, pn_pool_task task, void *context);

/* What attention computes, for one block. Queries of sequence i: rows [query_starts[i], query_starts[i + 1]) of q;
 * they are the last ones of their sequence when causal. */
typedef struct pn_attention {
    const pn_sequences *sequences;
    size_t heads, head_width;
    const size_t *query_starts; /* [n + 1] */
    const float *q;
    size_t q_stride;
    const float *k, *v; /* rows as in sequences->starts */
    const float *first_k,
        *first_v; /* of the first row of every sequence, where it lies elsewhere; or NULL */
    size_t kv_stride;
    float *out; /* rows as q */
    size_t out_stride;
    bool in_bytes; /* products in 8 bits, where a sequence is long enough */
} pn_attention;
void pn_attention_run(const pn_forward *forward, const pn_attention *attention);

/* Scratch of one thread, for sequences of up to `longest` rows. */
size_t pn_attention_floats(size_t longest, size_t head_width, size_t scores_stride);

#endif

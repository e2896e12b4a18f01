/*
 * kernels.h - arithmetic on plain arrays: one struct of function pointers
 *
 * pn_kernels_get() returns the table for this processor, filled once, low to high: every instruction set overwrites
 * the entries it does better, and what it leaves alone stays portable. Callers fetch the pointer outside their loops.
 *
 * All kernels are pure: no allocation, no errors, no threads, any length (also 0), any alignment, tails handled
 * inside, nothing read or written outside the arrays. Outputs come first, as in memcpy; an output may be the same
 * array as an input where this is said, and may not overlap it otherwise.
 *
 * Accuracy classes, against the same sum in double:
 *
 *     exact      the same bits on every level
 *     reduction  |error| <= 1e-6 x sum of |terms| x (1 + n / 65536): the order of the additions is the level's own
 *     pointwise  |error| <= 1e-6 x max(1, |x|) for every value
 *
 * Within one level everything is deterministic, and results do not depend on how a call is cut: dot_many_f32 gives
 * bit for bit what dot_f32 gives, and a row of a product is the same whatever other rows it is computed with.
 *
 * Threads: the table is immutable after the first call; all kernels may run anywhere.
 */
#ifndef PN_KERNELS_KERNELS_H
#define PN_KERNELS_KERNELS_H

#include "base/compiler.h"

/*
 * One product with packed weights: c = activate(a x W^T + bias), or c += a x W^T + bias.
 *
 * Weights are packed once into panels of PN_GEMM_PANEL columns; in a panel the columns of one depth lie side by side, so
 * that a tile reads it from front to back:
 *
 *     F32, F16, BF16   W [n][k]   ->   packed [ceil(n / 16)][k][16], columns behind n filled with zeros
 *     I8               W [n][k]   ->   packed [ceil(n / 16)][ceil(k / 4)][16][4], and depths behind k as well
 *     BF16_PAIRS       W [n][k]   ->   packed [ceil(n / 16)][ceil(k / 2)][16][2], likewise
 *
 * F16 and BF16 are widened as they are read, exactly, so weights that fit give the bits of F32 at half of the traffic.
 * Every element of c is one sum over k = 0, 1, 2, ..., in this order on every level, so a row of c depends only on its
 * own row of a: the same for any m, and for any division of the panels over threads.
 *
 * I8: a weight is scale[column] * w with w in [-127, 127], a row's value step[row] * u + low[row] with u in [0, 255]. Then
 *
 *     c = step[row] * scale[column] * sum(u w)  +  low[row] * sums[column]  +  bias,      sums = scale * sum(w)
 *
 * The integer sum is exact on every level and fits 32 bits for k up to 66,000.
 *
 * BF16_PAIRS: rows are rounded to bf16, too, and sums are f32: for every pair of depths the product of its second, then that
 * of its first. That is the reduction class for the rounded factors; of the sum of unrounded ones each term is off by
 * up to 2^-8 of it. Whether a value below 2^-126 counts as zero is the level's own.
 */
enum { PN_GEMM_PANEL = 16, PN_GEMM_I8_DEPTH = 4 };

typedef enum pn_panel_type {
    PN_PANEL_F32,
    PN_PANEL_F16,
    PN_PANEL_BF16,
    PN_PANEL_I8,
    PN_PANEL_BF16_PAIRS
} pn_panel_type;

typedef struct pn_panels {
    const void *packed;
    const float *scale, *sums; /* I8: [panels * 16] */
    pn_panel_type type;
} pn_panels;

/* Rows of bytes, made by quantise_u8(). */
typedef struct pn_rows_u8 {
    const uint8_t *rows; /* [m], stride apart, of k values and up to 3 zeros */
    size_t stride;
    const float *step, *low; /* [m] */
} pn_rows_u8;

/* Rows of bf16, made by f32_to_bf16(). */
typedef struct pn_rows_bf16 {
    const void *rows; /* [m], stride values apart, of k values and a zero when k is odd */
    size_t stride;
} pn_rows_bf16;

typedef struct pn_gemm {
    float *c; /* [m][n], rows ldc apart; only the first n columns are written */
    size_t ldc;
    const float *a; /* [m][k], rows lda apart. Strides of a large power of two are slow: pad them */
    size_t lda;
    pn_rows_u8 a8;    /* I8: in the place of a */
    pn_rows_bf16 a16; /* BF16_PAIRS: in the place of a */
    pn_panels w;
    const float *bias; /* [n], or NULL for none */
    size_t m, n, k;
    bool accumulate;                      /* += instead of =; without an activation then */
    void (*activate)(float *x, size_t n); /* gelu_f32 or a sibling; NULL for none */
} pn_gemm;

static inline size_t pn_gemm_panels(size_t n)
{
    return n / PN_GEMM_PANEL + (n % PN_GEMM_PANEL != 0);
}

/* The depth of I8 panels and rows. */
static inline size_t pn_gemm_i8_depth(size_t k)
{
    return (k + PN_GEMM_I8_DEPTH - 1) / PN_GEMM_I8_DEPTH * PN_GEMM_I8_DEPTH;
}

/* The depth of BF16_PAIRS panels and rows. */
static inline size_t pn_gemm_bf16_depth(size_t k)
{
    return k + k % 2;
}

/* One direction of a resize: output i is the sum of n[i] inputs from first[i] on, each times its weight in 2^-22. */
enum { PN_RESAMPLE_FRACTION_BITS = 22 };
typedef struct pn_taps {
    const uint32_t *first, *n; /* [n_out] */
    const int32_t *weights;    /* [n_out][most] */
    size_t most, n_out;
} pn_taps;

/*
 * Product-quantised rows: a row is n_groups codes of 4 bits, each the number of one of 16 entries of its group's table, and
 * what is wanted of a row is the sum of its entries. 32 rows make a block, in which a group's 32 codes lie together, so that
 * one byte shuffle looks up a whole register of them (Andre, Kermarrec, Le Scouarnec: Cache locality is not enough, VLDB 2015):
 *
 *     block  [n_groups][16]      byte j: row j in the low half, row j + 16 in the high half
 *            [32] factors        of the rows, in 1/128 beyond 1
 *            [32] offsets        of the rows, with a sign
 *     tables [n_groups][16]      of at most 127
 *
 * A row's own factor and offset make its score out of the sum, in 16 bits that keep to their limits instead of wrapping around:
 *
 *     x = sum - zero
 *     score = x + 2 ((x factor + 128) / 256) + (offset offset_scale + 64) / 128, each rounded down
 *
 * Two entries fit a byte, so that half of the additions are of bytes. n_groups is a multiple of 4 and at most 256, so that sums fit 15
 * bits. Codes behind n_rows may be anything.
 */
enum {
    PN_CODE_BLOCK = 32,
    PN_CODE_ENTRIES = 16,
    PN_CODE_MAX_ENTRY = 127,
    PN_CODE_GROUPS_STEP = 4,
    PN_CODE_MAX_GROUPS = 256,
    PN_CODE_MAX_SUM = PN_CODE_MAX_GROUPS * PN_CODE_MAX_ENTRY /* 32,512 */
};

typedef struct pn_code_query {
    const uint8_t *tables;
    int16_t zero, offset_scale; /* the latter is not below 0 */
    int32_t least;              /* the score that is wanted */
} pn_code_query;

typedef struct pn_codes {
    const uint8_t *blocks;
    size_t n_rows, n_groups;
    /* What will be looked at next, fetched meanwhile into the second-level cache, block by block: from memory that takes half of the
     * time of fetching it when it is wanted, and two thirds of asking for all of it at once. NULL and 0: nothing. */
    const uint8_t *ahead;
    size_t ahead_bytes;
} pn_codes;

static inline size_t pn_code_blocks(size_t n_rows)
{
    return n_rows / PN_CODE_BLOCK + (n_rows % PN_CODE_BLOCK != 0);
}

static inline size_t pn_code_block_bytes(size_t n_groups)
{
    return n_groups * PN_CODE_ENTRIES + 2 * (size_t)PN_CODE_BLOCK;
}

/*
 * A vector in 16 bits, for its products with rows of 8 bits, in the forms that the levels multiply: as numbers, and each as
 * two bytes with signs, value = 256 high + low.
 *
 * Rows are bytes, offset by 128: a byte stands for byte - 128. Or they are two halves of 4 bits, apart, so that the upper one alone,
 * half of the memory, tells most of it. A half of dim values is pn_half_bytes(dim) bytes, value i in the low four bits of
 * byte i, and value pn_half_bytes(dim) + i in its high four bits.
 */
typedef struct pn_i16_vector {
    const int16_t *values;    /* [n] at most pn_i16_limit(n), so that no order of a sum overflows */
    const int8_t *high, *low; /* [n] */
    int32_t sum, high_sum;    /* of values; of high */
} pn_i16_vector;

static inline size_t pn_half_bytes(size_t dim)
{
    return dim / 2 + dim % 2;
}

/* What a value of a vector of n may reach; 32,639 is 256 * 127 + 127. */
static inline int32_t pn_i16_limit(size_t n)
{
    size_t limit = (size_t)INT32_MAX / (128 * (n > 0 ? n : 1));
    return limit < 32639 ? (int32_t)limit : 32639;
}

typedef struct pn_kernels {
    /* "portable"; "avx2", "avx512", "avx512bf16", "amx"; "neon", "dotprod", "i8mm": the highest that wrote into the table. */
    const char *level;
    bool fast_i8; /* making both sides of a product into bytes is repaid by gemm_i8, in attention */

    /* ---- distance. Class: reduction. Sums run over n values; vectors need not be normalised. */

    /* Sum of a[i] * b[i]. */
    float (*dot_f32)(const float *a, const float *b, size_t n);
    /* Sum of (a[i] - b[i])^2. */
    float (*l2sq_f32)(const float *a, const float *b, size_t n);
    /* Square root of the sum of a[i]^2. */
    float (*norm_f32)(const float *a, size_t n);
    /* out[i] = query . rows[i], rows [n_rows][dim] contiguous: the inner loop of exact search. Bound by memory. */
    void (*dot_many_f32)(float *out, const float *query, const float *rows, size_t n_rows,
                         size_t dim);
    /* out[i] = |query - rows[i]|^2. */
    void (*l2sq_many_f32)(float *out, const float *query, const float *rows, size_t n_rows,
                          size_t dim);
    /* x /= |x| in place; returns |x|. A vector of zeros stays as it is. */
    float (*normalise_f32)(float *x, size_t n);

    /* ---- codes. Class: exact. Rows of PN_CODE_BLOCK and the products that rank them; see pn_codes above. */

    /* The rows of codes whose score is at least query->least: their numbers into rows, ascending, and their scores;
     * returns how many. rows and scores have room for codes->n_rows rounded up to PN_CODE_BLOCK. */
    size_t (*scan_codes)(uint32_t *rows, int16_t *scores, const pn_codes *codes,
                         const pn_code_query *query);
    /* Sum of a->values[i] * (b[i] - 128) over n values. */
    int32_t (*dot_i16_u8)(const pn_i16_vector *a, const uint8_t *b, size_t n);
    /* The same of rows in halves of n bytes, a byte being 16 * its upper half + its lower one: a has 2 n values. */
    int32_t (*dot_i16_halves)(const pn_i16_vector *a, const uint8_t *upper, const uint8_t *lower,
                              size_t n);
    /* out[r] = sum of a[i] * rows[r][i] over dim values, rows [n_rows][dim]. */
    void (*dot_many_i8_u8)(int32_t *out, const int8_t *a, const uint8_t *rows, size_t n_rows,
                           size_t dim);
    /* Sum of a[i] * the half i, [0, 15], over the 2 n values in n bytes. */
    int32_t (*dot_i8_u4)(const int8_t *a, const uint8_t *halves, size_t n);
    /* out[i] = the nearest of 16 codewords to row i: that with the greatest row . codeword + bias[codeword], the first among equals.
     * codewords [dims][16], bias [16]; rows of dims values, stride apart. Class of the sums: reduction. */
    void (*nearest_of_16)(uint8_t *out, const float *codewords, const float *bias,
                          const float *rows, size_t stride, size_t n_rows, size_t dims);

    /* ---- convert. Class: exact (a NaN stays a NaN, its payload may change). in need not be aligned. */

    void (*f16_to_f32)(float *out, const void *in, size_t n);
    void (*bf16_to_f32)(float *out, const void *in, size_t n);
    /* To the nearest, ties to even; too large becomes infinity. out need not be aligned. */
    void (*f32_to_f16)(void *out, const float *in, size_t n);
    void (*f32_to_bf16)(void *out, const float *in, size_t n);
    /* in[i] ~ *step * out[i] + *low, with *low the least value and 255 steps up to the largest; nearest, ties to even. n
     * finite values; out has room for pn_gemm_i8_depth(n), filled up with zeros. All alike: *step is 0. */
    void (*quantise_u8)(uint8_t *out, float *step, float *low, const float *in, size_t n);

    /* ---- activation. Class: pointwise. */

    /* out[i] = (in[i] - mean) / sqrt(variance + eps) * weight[i] + bias[i], biased variance. out may be in. */
    void (*layer_norm_f32)(float *out, const float *in, const float *weight, const float *bias,
                           size_t n, float eps);
    /* x[i] = exp(scale * x[i]) / sum, in place, without overflow; scale > 0. */
    void (*softmax_f32)(float *x, size_t n, float scale);
    /* out[i] ~ 255 exp(scale * (x[i] - largest)), off by 0.52 at most, and *step = 1 / sum of out: what gemm_i8 takes as a
     * row, with a low of 0. n finite values; out has room for pn_gemm_i8_depth(n), filled up with zeros. */
    void (*softmax_u8)(uint8_t *out, float *step, const float *x, size_t n, float scale);
    /* In place. x/2 (1 + erf(x / sqrt 2)) */
    void (*gelu_f32)(float *x, size_t n);
    /* x / (1 + exp(-1.702 x)) */
    void (*quick_gelu_f32)(float *x, size_t n);
    /* x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
    void (*gelu_tanh_f32)(float *x, size_t n);

    /* ---- gemm. Class: reduction. */

    /* W[j][p] = w[j * n_stride + p * k_stride], for n columns of depth k, into packed: pn_gemm_panels(n) * k *
     * PN_GEMM_PANEL floats. Panels are independent: packed + i * k * PN_GEMM_PANEL holds columns 16 i and on. */
    void (*gemm_pack)(float *packed, const float *w, size_t n, size_t k, size_t n_stride,
                      size_t k_stride);
    /* One F32 panel of depth k to an I8 panel, scale [16] and sums [16]: the largest weight of a column becomes 127. */
    void (*gemm_pack_i8)(int8_t *packed, float *scale, float *sums, const float *panel, size_t k);
    /* The columns of panels [panel_begin, panel_end). Several threads may do different panels of one product; even
     * numbers of panels are faster. gemm_f32 takes panels of F32, F16 and BF16. */
    void (*gemm_f32)(const pn_gemm *gemm, size_t panel_begin, size_t panel_end);
    void (*gemm_i8)(const pn_gemm *gemm, size_t panel_begin, size_t panel_end);
    /* One F32 panel of depth k to a BF16_PAIRS panel, each weight to the nearest, ties to even. */
    void (*gemm_pack_bf16)(void *packed, const float *panel, size_t k);
    void (*gemm_bf16)(const pn_gemm *gemm, size_t panel_begin, size_t panel_end);
    bool
        bf16_is_fast; /* gemm_bf16 takes half of the time of gemm_f32; elsewhere it is portable C */

    /* ---- resample. Class: exact. A sum is rounded, (sum + 2^21) >> 22, and clamped to [0, 255]; the sizes of the weights
     * of one output add up to at most 127 (2^16 + 2^8 + 1), just below 2^23. */

    /* RGB rows in [n_rows][n_in][3] -> out [n_rows][taps->n_out][3], pixels weighted. */
    void (*resample_across_u8)(uint8_t *out, const uint8_t *in, size_t n_in, size_t n_rows,
                               const pn_taps *taps);
    /* One row of n bytes out of n_rows rows below each other, in [n_rows][n], rows weighted. */
    void (*resample_down_u8)(uint8_t *out, const uint8_t *in, size_t n, const int32_t *weights,
                             size_t n_rows);
} pn_kernels;

/* The table for this processor, at most as high as PN_CPU (portable|avx2|avx512|avx512bf16|amx|neon|dotprod|i8mm) allows. */
const pn_kernels *pn_kernels_get(void);

/* Fill *out with the table of one level, for tests that compare them. False when this processor (or this build) does
 * not have the level, or its name is unknown. PN_CPU does not matter here. */
PN_NODISCARD bool pn_kernels_init_level(pn_kernels *out, const char *level);

#endif

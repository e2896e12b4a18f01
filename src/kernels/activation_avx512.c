/*
 * activation_avx512.c - layer norm, softmax and the three gelus with 16 lanes
 *
 * The same formulas as activation_avx2.c. vrndscaleps takes the whole part and vscalefps puts it into the exponent,
 * overflow, underflow and subnormals included, which saves half of the work of 2^x; tails cost only their mask.
 */
#if !defined(__AVX512F__) || !defined(__AVX512DQ__)
#    error "build this file with -mavx512f -mavx512dq"
#endif
#include "kernels/internal.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { LANES = 16 };

static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xFFFFu : 0xFFFFu >> (LANES - n));
}

static inline __m512 exp2_split(__m512 whole, __m512 rest)
{
    __m512 p = _mm512_set1_ps(PN_EXP2[PN_EXP2_TERMS - 1]);
    for (int i = PN_EXP2_TERMS - 2; i >= 0; i--)
        p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(PN_EXP2[i]));
    p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, whole);
}

/* Infinities are held where x - whole is a number; a NaN, the second operand, passes. */
static inline __m512 held(__m512 x)
{
    return _mm512_max_ps(_mm512_set1_ps(-300.0f), _mm512_min_ps(_mm512_set1_ps(300.0f), x));
}

static inline __m512 exp2_of(__m512 x)
{
    x = held(x);
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return exp2_split(whole, _mm512_sub_ps(x, whole));
}

static inline __m512 exp_of(__m512 x)
{
    x = held(x);
    __m512 log2e = _mm512_set1_ps(PN_LOG2_E);
    __m512 whole = _mm512_roundscale_ps(_mm512_mul_ps(x, log2e),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 rest = _mm512_fmsub_ps(x, log2e, whole);
    rest = _mm512_fmadd_ps(x, _mm512_set1_ps(PN_LOG2_E_REST), rest);
    return exp2_split(whole, rest);
}

static void layer_norm(float *out, const float *in, const float *weight, const float *bias,
                       size_t n, float eps)
{
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += LANES)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask_of(n - i), in + i));
    float mean = n > 0 ? _mm512_reduce_add_ps(sum) / (float)n : 0;
    __m512 means = _mm512_set1_ps(mean);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = mask_of(n - i);
        __m512 d = _mm512_maskz_sub_ps(mask, _mm512_maskz_loadu_ps(mask, in + i), means);
        squares = _mm512_fmadd_ps(d, d, squares);
    }
    float variance = n > 0 ? _mm512_reduce_add_ps(squares) / (float)n : 0;
    __m512 factor = _mm512_set1_ps(1.0f / sqrtf(variance + eps));
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = mask_of(n - i);
        __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, in + i), means);
        d = _mm512_fmadd_ps(_mm512_mul_ps(d, factor), _mm512_maskz_loadu_ps(mask, weight + i),
                            _mm512_maskz_loadu_ps(mask, bias + i));
        _mm512_mask_storeu_ps(out + i, mask, d);
    }
}

static void softmax(float *x, size_t n, float scale)
{
    __m512 low = _mm512_set1_ps(-INFINITY);
    __m512 most = low;
    for (size_t i = 0; i < n; i += LANES)
        most = _mm512_max_ps(most, _mm512_mask_loadu_ps(low, mask_of(n - i), x + i));
    __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(most));
    __m512 factor = _mm512_set1_ps(scale), sum = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = mask_of(n - i);
        __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), top);
        v = exp_of(_mm512_mul_ps(v, factor));
        sum = _mm512_mask_add_ps(sum, mask, sum, v);
        _mm512_mask_storeu_ps(x + i, mask, v);
    }
    __m512 share = _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(sum));
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = mask_of(n - i);
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), share);
        _mm512_mask_storeu_ps(x + i, mask, v);
    }
}

/* 255 2^x for x <= 0, to a fiftieth: what a byte needs. */
static inline __m512i byte_exp2_of(__m512 x)
{
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 rest = _mm512_sub_ps(x, whole);
    __m512 p = _mm512_set1_ps(255.0f * PN_EXP2[3]);
    for (int i = 2; i >= 0; i--)
        p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(255.0f * PN_EXP2[i]));
    p = _mm512_fmadd_ps(p, rest, _mm512_set1_ps(255.0f));
    return _mm512_cvtps_epi32(_mm512_scalef_ps(p, whole));
}

static void softmax_u8(uint8_t *out, float *step, const float *x, size_t n, float scale)
{
    __m512 low = _mm512_set1_ps(-INFINITY), most = low;
    for (size_t i = 0; i < n; i += LANES)
        most = _mm512_max_ps(most, _mm512_mask_loadu_ps(low, mask_of(n - i), x + i));
    __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(most));
    __m512 factor = _mm512_set1_ps(scale * PN_LOG2_E);
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = mask_of(n - i);
        __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), top);
        __m512i bytes = byte_exp2_of(_mm512_mul_ps(v, factor));
        sum = _mm512_mask_add_epi32(sum, mask, sum, bytes);
        _mm512_mask_cvtusepi32_storeu_epi8(out + i, mask, bytes);
    }
    memset(out + n, 0, pn_gemm_i8_depth(n) - n);
    *step = n > 0 ? 1.0f / (float)_mm512_reduce_add_epi32(sum) : 0;
}

static inline __m512 gelu_of(__m512 x)
{
    __m512 t = _mm512_min_ps(_mm512_set1_ps(PN_TAIL_END), _mm512_abs_ps(x));
    __m512 g = _mm512_set1_ps(PN_TAIL[PN_TAIL_TERMS - 1]);
    for (int i = PN_TAIL_TERMS - 2; i >= 0; i--)
        g = _mm512_fmadd_ps(g, t, _mm512_set1_ps(PN_TAIL[i]));
    __m512 minus_g = _mm512_xor_ps(_mm512_mul_ps(g, t), _mm512_set1_ps(-0.0f));
    __m512 q = _mm512_mul_ps(exp2_of(minus_g), _mm512_set1_ps(0.5f));
    __mmask16 negative = _mm512_movepi32_mask(_mm512_castps_si512(x));
    __m512 phi = _mm512_mask_sub_ps(q, (__mmask16)~negative, _mm512_set1_ps(1.0f), q);
    return _mm512_mul_ps(x, phi);
}

static inline __m512 sigmoid_times(__m512 x, __m512 minus_argument)
{
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), exp2_of(minus_argument)));
}

static inline __m512 quick_gelu_of(__m512 x)
{
    return sigmoid_times(x, _mm512_mul_ps(x, _mm512_set1_ps(-PN_QUICK_GELU_FACTOR * PN_LOG2_E)));
}

static inline __m512 gelu_tanh_of(__m512 x)
{
    __m512 cubic =
        _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-PN_GELU_TANH_CUBIC * PN_LOG2_E),
                        _mm512_set1_ps(-PN_GELU_TANH_LINEAR * PN_LOG2_E));
    return sigmoid_times(x, _mm512_mul_ps(x, cubic));
}

static PN_ALWAYS_INLINE void map(float *x, size_t n, __m512 (*f)(__m512))
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = mask_of(n - i);
        _mm512_mask_storeu_ps(x + i, mask, f(_mm512_maskz_loadu_ps(mask, x + i)));
    }
}

static void gelu(float *x, size_t n)
{
    map(x, n, gelu_of);
}

static void quick_gelu(float *x, size_t n)
{
    map(x, n, quick_gelu_of);
}

static void gelu_tanh(float *x, size_t n)
{
    map(x, n, gelu_tanh_of);
}

void pn_activation_init_avx512(pn_kernels *k)
{
    k->layer_norm_f32 = layer_norm;
    k->softmax_f32 = softmax;
    k->softmax_u8 = softmax_u8;
    k->gelu_f32 = gelu;
    k->quick_gelu_f32 = quick_gelu;
    k->gelu_tanh_f32 = gelu_tanh;
}

/*
 * activation_neon.c - layer norm, softmax and the three gelus with 4 lanes
 *
 * The formulas of activation_avx2.c. A tail goes through a zero-filled copy of four values.
 */
#if !defined(__ARM_NEON)
#    error "this file is for 64-bit Arm"
#endif
#include "kernels/internal.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

enum { LANES = 4 };

static inline float32x4_t load(const float *x, size_t n)
{
    if (n >= LANES)
        return vld1q_f32(x);
    float tail[LANES] = {0};
    memcpy(tail, x, n * sizeof *x);
    return vld1q_f32(tail);
}

static inline void store(float *x, size_t n, float32x4_t v)
{
    float tail[LANES];
    vst1q_f32(tail, v);
    memcpy(x, tail, PN_MIN(n, (size_t)LANES) * sizeof *x);
}

/* Lanes behind n become zero. */
static inline float32x4_t cut(float32x4_t v, size_t n)
{
    if (n >= LANES)
        return v;
    float tail[LANES];
    vst1q_f32(tail, v);
    return load(tail, n);
}

static inline float32x4_t exp2_split(float32x4_t whole, float32x4_t rest)
{
    float32x4_t p = vdupq_n_f32(PN_EXP2[PN_EXP2_TERMS - 1]);
    for (int i = PN_EXP2_TERMS - 2; i >= 0; i--)
        p = vfmaq_f32(vdupq_n_f32(PN_EXP2[i]), p, rest);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, rest);
    int32x4_t n = vcvtnq_s32_f32(vminq_f32(vmaxq_f32(whole, vdupq_n_f32(-250)), vdupq_n_f32(250)));
    int32x4_t half = vshrq_n_s32(n, 1);
    int32x4_t bias = vdupq_n_s32(127);
    float32x4_t s1 = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
    float32x4_t s2 = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vsubq_s32(n, half), bias), 23));
    return vmulq_f32(vmulq_f32(p, s1), s2);
}

/* min and max pass a NaN on. */
static inline float32x4_t held(float32x4_t x)
{
    return vmaxq_f32(vdupq_n_f32(-300), vminq_f32(vdupq_n_f32(300), x));
}

static inline float32x4_t exp2_of(float32x4_t x)
{
    x = held(x);
    float32x4_t whole = vrndnq_f32(x);
    return exp2_split(whole, vsubq_f32(x, whole));
}

static inline float32x4_t exp_of(float32x4_t x)
{
    x = held(x);
    float32x4_t log2e = vdupq_n_f32(PN_LOG2_E);
    float32x4_t whole = vrndnq_f32(vmulq_f32(x, log2e));
    float32x4_t rest = vfmaq_f32(vnegq_f32(whole), x, log2e);
    return exp2_split(whole, vfmaq_f32(rest, x, vdupq_n_f32(PN_LOG2_E_REST)));
}

static void layer_norm(float *out, const float *in, const float *weight, const float *bias,
                       size_t n, float eps)
{
    float32x4_t sum = vdupq_n_f32(0), squares = vdupq_n_f32(0);
    for (size_t i = 0; i < n; i += LANES)
        sum = vaddq_f32(sum, load(in + i, n - i));
    float mean = n > 0 ? vaddvq_f32(sum) / (float)n : 0;
    float32x4_t means = vdupq_n_f32(mean);
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t d = cut(vsubq_f32(load(in + i, n - i), means), n - i);
        squares = vfmaq_f32(squares, d, d);
    }
    float variance = n > 0 ? vaddvq_f32(squares) / (float)n : 0;
    float32x4_t factor = vdupq_n_f32(1.0f / sqrtf(variance + eps));
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t d = vmulq_f32(vsubq_f32(load(in + i, n - i), means), factor);
        store(out + i, n - i, vfmaq_f32(load(bias + i, n - i), d, load(weight + i, n - i)));
    }
}

static void softmax(float *x, size_t n, float scale)
{
    float most = -INFINITY;
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    float32x4_t sum = vdupq_n_f32(0), top = vdupq_n_f32(most), factor = vdupq_n_f32(scale);
    for (size_t i = 0; i < n; i += LANES) {
        float32x4_t v = exp_of(vmulq_f32(vsubq_f32(load(x + i, n - i), top), factor));
        sum = vaddq_f32(sum, cut(v, n - i));
        store(x + i, n - i, v);
    }
    float32x4_t share = vdupq_n_f32(1.0f / vaddvq_f32(sum));
    for (size_t i = 0; i < n; i += LANES)
        store(x + i, n - i, vmulq_f32(load(x + i, n - i), share));
}

static inline float32x4_t gelu_of(float32x4_t x)
{
    float32x4_t t = vminq_f32(vdupq_n_f32(PN_TAIL_END), vabsq_f32(x));
    float32x4_t g = vdupq_n_f32(PN_TAIL[PN_TAIL_TERMS - 1]);
    for (int i = PN_TAIL_TERMS - 2; i >= 0; i--)
        g = vfmaq_f32(vdupq_n_f32(PN_TAIL[i]), g, t);
    float32x4_t q = vmulq_n_f32(exp2_of(vnegq_f32(vmulq_f32(g, t))), 0.5f);
    uint32x4_t negative = vcltzq_f32(x);
    return vmulq_f32(x, vbslq_f32(negative, q, vsubq_f32(vdupq_n_f32(1.0f), q)));
}

static inline float32x4_t sigmoid_times(float32x4_t x, float32x4_t minus_argument)
{
    return vdivq_f32(x, vaddq_f32(vdupq_n_f32(1.0f), exp2_of(minus_argument)));
}

static inline float32x4_t quick_gelu_of(float32x4_t x)
{
    return sigmoid_times(x, vmulq_n_f32(x, -PN_QUICK_GELU_FACTOR * PN_LOG2_E));
}

static inline float32x4_t gelu_tanh_of(float32x4_t x)
{
    float32x4_t cubic = vfmaq_f32(vdupq_n_f32(-PN_GELU_TANH_LINEAR * PN_LOG2_E), vmulq_f32(x, x),
                                  vdupq_n_f32(-PN_GELU_TANH_CUBIC * PN_LOG2_E));
    return sigmoid_times(x, vmulq_f32(x, cubic));
}

static PN_ALWAYS_INLINE void map(float *x, size_t n, float32x4_t (*f)(float32x4_t))
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1q_f32(x + i, f(vld1q_f32(x + i)));
    if (i < n)
        store(x + i, n - i, f(load(x + i, n - i)));
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

void pn_activation_init_neon(pn_kernels *k)
{
    k->layer_norm_f32 = layer_norm;
    k->softmax_f32 = softmax;
    k->gelu_f32 = gelu;
    k->quick_gelu_f32 = quick_gelu;
    k->gelu_tanh_f32 = gelu_tanh;
}

/*
 * activation_portable.c - layer norm, softmax and the three gelus, the definition
 *
 * Written with the C library's exp and erf, value by value. The mean and the variance are summed in double: two
 * passes, so that a large mean does not eat the variance.
 */
#include "kernels/internal.h"

#include <math.h>
#include <string.h>

static void layer_norm(float *out, const float *in, const float *weight, const float *bias,
                       size_t n, float eps)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)in[i];
    double mean = n > 0 ? sum / (double)n : 0;
    for (size_t i = 0; i < n; i++)
        squares += ((double)in[i] - mean) * ((double)in[i] - mean);
    double variance = n > 0 ? squares / (double)n : 0;
    double factor = 1 / sqrt(variance + (double)eps);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(((double)in[i] - mean) * factor) * weight[i] + bias[i];
}

static void softmax(float *x, size_t n, float scale)
{
    float most = -INFINITY;
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf((x[i] - most) * scale);
        sum += (double)x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sum);
}

static void softmax_u8(uint8_t *out, float *step, const float *x, size_t n, float scale)
{
    float most = -INFINITY;
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)lrintf(255.0f * expf((x[i] - most) * scale));
        sum += out[i];
    }
    memset(out + n, 0, pn_gemm_i8_depth(n) - n);
    *step = n > 0 ? 1.0f / (float)sum : 0; /* the largest makes 255 */
}

static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * erfcf(x[i] * -0.70710678118654752f); /* erfc keeps small tails exact */
}

static void quick_gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] / (1.0f + expf(-PN_QUICK_GELU_FACTOR * x[i]));
}

static void gelu_tanh(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float cubic = x[i] * (PN_GELU_TANH_LINEAR + PN_GELU_TANH_CUBIC * x[i] * x[i]);
        x[i] = x[i] / (1.0f + expf(-cubic));
    }
}

void pn_activation_init_portable(pn_kernels *k)
{
    k->layer_norm_f32 = layer_norm;
    k->softmax_f32 = softmax;
    k->softmax_u8 = softmax_u8;
    k->gelu_f32 = gelu;
    k->quick_gelu_f32 = quick_gelu;
    k->gelu_tanh_f32 = gelu_tanh;
}

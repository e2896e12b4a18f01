/*
 * distance_portable.c - dot products and squared distances, the definition
 *
 * Four partial sums instead of one: it is what lets any compiler use the pipelines, and it keeps the rounding error
 * of long sums down. The vector levels use more partial sums; the class "reduction" in kernels.h covers both.
 */
#include "kernels/internal.h"

#include <math.h>

static float dot(const float *a, const float *b, size_t n)
{
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < n; i++)
        s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

static float l2sq(const float *a, const float *b, size_t n)
{
    float s0 = 0, s1 = 0;
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        float d0 = a[i] - b[i];
        float d1 = a[i + 1] - b[i + 1];
        s0 += d0 * d0;
        s1 += d1 * d1;
    }
    if (i < n)
        s0 += (a[i] - b[i]) * (a[i] - b[i]);
    return s0 + s1;
}

static float norm(const float *a, size_t n)
{
    return sqrtf(dot(a, a, n));
}

static float normalise(float *x, size_t n)
{
    float length = norm(x, n);
    for (size_t i = 0; length > 0 && i < n; i++)
        x[i] /= length;
    return length;
}

static void dot_many(float *out, const float *query, const float *rows, size_t n_rows, size_t dim)
{
    for (size_t i = 0; i < n_rows; i++)
        out[i] = dot(query, rows + i * dim, dim);
}

static void l2sq_many(float *out, const float *query, const float *rows, size_t n_rows, size_t dim)
{
    for (size_t i = 0; i < n_rows; i++)
        out[i] = l2sq(query, rows + i * dim, dim);
}

void pn_distance_init_portable(pn_kernels *k)
{
    k->dot_f32 = dot;
    k->l2sq_f32 = l2sq;
    k->norm_f32 = norm;
    k->normalise_f32 = normalise;
    k->dot_many_f32 = dot_many;
    k->l2sq_many_f32 = l2sq_many;
}

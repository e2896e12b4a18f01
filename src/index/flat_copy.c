/*
 * flat_copy.c - 8-bit copies of a run's vectors: which rows cannot be among the nearest, for a quarter of the bytes
 *
 * Each row has a scale of its own, and the length of what its bytes lack, which bounds what they say of a score (copy_bound.h). Vectors of
 * a model have a few dimensions that are large in all of them: relative to the mean of the run, which takes those away, .010 of
 * a unit vector is lacking, and .027 without (median, 512 dimensions made like CLIP's).
 */
#include "index/flat_copy.h"

#include "base/alloc.h"
#include "index/internal.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* r: what is left of the vector without the centre. */
static void copy_row(const float *r, size_t dim, uint8_t *bytes, float *scale, float *error)
{
    float lost = 0;
    *scale = pn_copy_scale(r, dim);
    const float factor = 1 / *scale;
    for (size_t d = 0; d < dim; d++)
        bytes[d] = pn_copy_byte(r[d], *scale, factor, &lost);
    *error = pn_copy_error(lost);
}

/* What a row's products are divided by; NaN: it is no number. */
static float divisor_of(const pn_flat_run *run, size_t dim, size_t i)
{
    float length = pn_kernels_get()->norm_f32(run->vectors + i * dim, dim);
    if (!isfinite(length))
        return NAN;
    return run->any_length || run->units ? pn_vector_divisor(length, run->any_length) : 1;
}

/* Without it the few dimensions that are large in every vector of a model would take most of the 8 bits. */
static void find_centre(pn_flat_copy *copy, const pn_flat_run *run, size_t dim, float *divisors)
{
    size_t n = 0;
    memset(copy->centre, 0, dim * sizeof *copy->centre);
    for (size_t i = 0; i < run->n_rows; i++) {
        divisors[i] = divisor_of(run, dim, i);
        n += !isnan(divisors[i]);
        for (size_t d = 0; d < dim && !isnan(divisors[i]); d++)
            copy->centre[d] += run->vectors[i * dim + d] / divisors[i];
    }
    for (size_t d = 0; d < dim && n > 0; d++)
        copy->centre[d] /= (float)n;
    copy->centre_length = pn_kernels_get()->norm_f32(copy->centre, dim);
}

static void fill(pn_flat_copy *copy, const pn_flat_run *run, size_t dim, float *r)
{
    float *divisors = copy->scales; /* until a row has its scale */
    find_centre(copy, run, dim, divisors);
    for (size_t i = 0; i < run->n_rows; i++) {
        const float *v = run->vectors + i * dim, divisor = divisors[i];
        uint8_t *bytes = copy->bytes + i * dim;
        if (isnan(divisor)) {
            memset(bytes, 128, dim);
            copy->scales[i] = 0;
            copy->errors[i] = INFINITY;
            continue;
        }
        for (size_t d = 0; d < dim; d++)
            r[d] = v[d] / divisor - copy->centre[d];
        copy_row(r, dim, bytes, &copy->scales[i], &copy->errors[i]);
    }
}

static void free_copy(pn_flat_copy *copy)
{
    if (!copy)
        return;
    pn_free(copy->centre);
    pn_free(copy->bytes);
    pn_free(copy->scales);
    pn_free(copy->errors);
    pn_free(copy);
}

pn_status pn_flat_copy_make(const pn_flat_run *run, size_t dim, pn_flat_copy **out, pn_error *err)
{
    size_t n = run->n_rows, n_bytes;
    pn_status status = PN_OK;
    float *r = pn_alloc_array(dim + 1, sizeof *r);
    pn_flat_copy *copy = pn_alloc_zero(sizeof *copy);
    if (!copy || !r || !pn_size_mul(n, dim, &n_bytes))
        PN_GOTO(done, pn_fail_nomem(err));
    atomic_store(&copy->n_refs, 1);
    copy->n_rows = run->n_rows;
    copy->centre = pn_alloc_array(dim + 1, sizeof *copy->centre);
    copy->bytes = pn_alloc_array(PN_MAX(n_bytes, (size_t)1), 1);
    copy->scales = pn_alloc_array(n + 1, sizeof *copy->scales);
    copy->errors = pn_alloc_array(n + 1, sizeof *copy->errors);
    if (!copy->centre || !copy->bytes || !copy->scales || !copy->errors)
        PN_GOTO(done, pn_fail_nomem(err));
    fill(copy, run, dim, r);
    *out = copy;
done:
    pn_free(r);
    if (status != PN_OK)
        free_copy(copy);
    return status;
}

pn_flat_copy *pn_flat_copy_ref(pn_flat_copy *copy)
{
    atomic_fetch_add(&copy->n_refs, 1);
    return copy;
}

void pn_flat_copy_unref(pn_flat_copy *copy)
{
    if (copy && atomic_fetch_sub(&copy->n_refs, 1) == 1)
        free_copy(copy);
}

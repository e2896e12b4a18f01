/*
 * weight_find.c - one tensor of the walk: found under its name, compared with the shape it must have, widened
 */
#include "clip/weight_loader.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>

void pn_tensor_widen(const pn_tensor *t, size_t first, size_t n, float *out)
{
    const pn_kernels *k = pn_kernels_get();
    pn_assert(first <= t->n_values && n <= t->n_values - first);
    if (t->dtype == PN_DTYPE_F16)
        k->f16_to_f32(out, t->data + 2 * first, n);
    else if (t->dtype == PN_DTYPE_BF16)
        k->bf16_to_f32(out, t->data + 2 * first, n);
    else if (n > 0)
        memcpy(out, t->data + 4 * first, n * sizeof *out);
}

/* ---- finding a tensor */

/* a + b + c. All pieces are the house's own, so the room is always enough. */
void pn_loader_join(char out[PN_TENSOR_NAME_BYTES], const char *a, const char *b, const char *c)
{
    int n = snprintf(out, PN_TENSOR_NAME_BYTES, "%s%s%s", a, b, c);
    pn_assert(n >= 0 && n < PN_TENSOR_NAME_BYTES);
}

/* prefix + naming's text part (for the text encoder) + part + name */
void pn_loader_name(const pn_weight_loader *l, bool is_text, const char *part, const char *name,
                    char out[PN_TENSOR_NAME_BYTES])
{
    int n = snprintf(out, PN_TENSOR_NAME_BYTES, "%s%s%s%s", l->naming->prefix,
                     is_text ? l->naming->text : "", part, name);
    pn_assert(n > 0 && n < PN_TENSOR_NAME_BYTES);
}

/* timm writes tables with a 1 in front of their shape, which changes nothing about the values. */
static bool same_shape(const pn_tensor *t, const uint64_t *dims, uint32_t n_dims)
{
    const uint64_t *there = t->dims;
    uint32_t n = t->n_dims;
    for (; n_dims >= 2 && n > n_dims && there[0] == 1; n--)
        there++;
    return n == n_dims && memcmp(there, dims, n * sizeof *dims) == 0;
}

pn_status pn_loader_find(pn_weight_loader *l, const char *name, const uint64_t *dims,
                         uint32_t n_dims, const pn_tensor **out)
{
    const pn_tensor *t = pn_safetensors_find(l->tensors, name);
    if (!t)
        return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s is missing", name);
    if (t->dtype != PN_DTYPE_F32 && t->dtype != PN_DTYPE_F16 && t->dtype != PN_DTYPE_BF16)
        return pn_fail(l->err, PN_ERR_UNSUPPORTED, "tensor %s: %s weights", name, t->dtype_name);
    if (!same_shape(t, dims, n_dims)) {
        char found[PN_SHAPE_TEXT_BYTES], wanted[PN_SHAPE_TEXT_BYTES];
        pn_shape_text(t->dims, t->n_dims, found);
        pn_shape_text(dims, n_dims, wanted);
        return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s: shape %s, the configuration says %s",
                       name, found, wanted);
    }
    size_t i = (size_t)(t - pn_safetensors_at(l->tensors, 0));
    if (!l->used[i])
        l->w->n_parameters += t->n_values;
    l->used[i] = true;
    *out = t;
    return PN_OK;
}

pn_status pn_loader_floats(pn_weight_loader *l, size_t n, float **out)
{
    size_t bytes;
    void *piece = NULL;
    if (!pn_size_mul(n, sizeof **out, &bytes))
        return pn_fail_nomem(l->err);
    PN_TRY(pn_weight_store_take(&l->w->store, bytes, &piece, l->err));
    *out = piece;
    return PN_OK;
}

pn_status pn_loader_not_finite(pn_weight_loader *l, const char *name)
{
    return pn_fail(l->err, PN_ERR_CORRUPT, "tensor %s: not all values are finite", name);
}

/* ---- vectors and tables */

/* n values of t from first on, behind each other at out. */
pn_status pn_loader_take_values(pn_weight_loader *l, const pn_tensor *t, size_t first, size_t n,
                                float *out)
{
    pn_tensor_widen(t, first, n, out);
    pn_hasher_update(l->hasher, out, n * sizeof *out);
    return isfinite(l->kernels->dot_f32(out, out, n)) ? PN_OK : pn_loader_not_finite(l, t->name);
}

pn_status pn_loader_values(pn_weight_loader *l, const char *name, const uint64_t *dims,
                           uint32_t n_dims, const float **out)
{
    const pn_tensor *t = NULL;
    float *values = NULL;
    PN_TRY(pn_loader_find(l, name, dims, n_dims, &t));
    pn_assert(t);
    PN_TRY(pn_loader_floats(l, t->n_values, &values));
    if (pn_loader_fills(l))
        PN_TRY(pn_loader_take_values(l, t, 0, t->n_values, values));
    *out = values;
    return PN_OK;
}

pn_status pn_loader_vector(pn_weight_loader *l, const char *stem, const char *ending, size_t n,
                           const float **out)
{
    char name[PN_TENSOR_NAME_BYTES];
    pn_loader_join(name, stem, ending, "");
    const uint64_t dims[] = {n};
    return pn_loader_values(l, name, dims, 1, out);
}

pn_status pn_loader_norm(pn_weight_loader *l, const char *stem, size_t width, pn_norm *out)
{
    PN_TRY(pn_loader_vector(l, stem, ".weight", width, &out->weight));
    return pn_loader_vector(l, stem, ".bias", width, &out->bias);
}

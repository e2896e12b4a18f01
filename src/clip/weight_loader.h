/*
 * weight_loader.h - what the walk over a model's tensors carries along; for this room's loading files alone
 *
 * weights.c walks over the parts of the model and knows their names; weight_panels.c turns matrices into panels.
 */
#ifndef PN_CLIP_WEIGHT_LOADER_H
#define PN_CLIP_WEIGHT_LOADER_H

#include "clip/tensor_names.h"
#include "clip/weight_store.h"
#include "clip/weights.h"

typedef struct pn_weight_loader {
    const pn_safetensors *tensors;
    const pn_clip_naming *naming;
    const pn_tensor_names *names;
    const pn_clip_config *config;
    pn_clip_precision precision;
    const pn_kernels *kernels;
    pn_pool *pool;
    pn_clip_weights *w;
    pn_hasher *hasher;     /* of all values, in FILL */
    bool *used;            /* [count of tensors] */
    float *scratch;        /* [threads][2][scratch_floats] */
    size_t scratch_floats; /* 16 rows of the deepest matrix */
    pn_error *err;
} pn_weight_loader;

/* Up to three tensors, or pieces of one, that become one matrix. */
typedef struct pn_matrix_source {
    const pn_tensor *tensor;
    size_t first_row; /* of a piece, in rows of k values */
} pn_matrix_source;

/*
 * One matrix to pack.
 *
 * in_block    a product of a transformer block: stored in 8 bits when that is the precision
 * gamma, beta the norm before the product, [k], to be folded into it; NULL: none
 * balance     with gamma: [k] of the store, becomes the norm's weight (its bias becomes zero)
 */
typedef struct pn_matrix {
    pn_matrix_source sources[3];
    size_t n_sources;
    size_t rows; /* of each source */
    size_t k;
    bool transposed; /* stored [k][rows] */
    bool in_block;
    const float *gamma, *beta;
    float *balance;
    float *folded_bias; /* [16 * panels]: what beta adds to the bias; NULL without gamma */
} pn_matrix;

/* Panels, scale and sums of *out; n and k too, not the bias. */
PN_NODISCARD pn_status pn_matrix_pack(pn_weight_loader *loader, const pn_matrix *matrix,
                                      pn_linear *out);

/* How the blocks' matrices are stored under this precision, for tensors of this type. */
pn_panel_type pn_panel_type_of(pn_clip_precision precision, pn_dtype dtype, bool in_block);

/* A piece of the store for n floats. */
PN_NODISCARD pn_status pn_loader_floats(pn_weight_loader *loader, size_t n, float **out);
static inline bool pn_loader_fills(const pn_weight_loader *loader)
{
    return loader->w->store.phase == PN_STORE_FILL;
}
PN_NODISCARD pn_status pn_loader_not_finite(pn_weight_loader *loader, const char *name);

#endif

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

/* ---- weight_find.c */

enum { PN_TENSOR_NAME_BYTES = 256 };

/* a + b + c. All pieces are the house's own, so the room is always enough. */
void pn_loader_join(char out[PN_TENSOR_NAME_BYTES], const char *a, const char *b, const char *c);
/* prefix + the naming's text part (for the text encoder) + part + name */
void pn_loader_name(const pn_weight_loader *loader, bool is_text, const char *part,
                    const char *name, char out[PN_TENSOR_NAME_BYTES]);
/* The tensor of this name and shape, ticked off. CORRUPT: missing, or of another shape; UNSUPPORTED: its type. */
PN_NODISCARD pn_status pn_loader_find(pn_weight_loader *loader, const char *name,
                                      const uint64_t *dims, uint32_t n_dims, const pn_tensor **out);
/* A piece of the store for n floats. */
PN_NODISCARD pn_status pn_loader_floats(pn_weight_loader *loader, size_t n, float **out);
/* FILL only: n values of t from first on, widened, hashed, and CORRUPT when one is not finite. */
PN_NODISCARD pn_status pn_loader_take_values(pn_weight_loader *loader, const pn_tensor *t,
                                             size_t first, size_t n, float *out);
/* A whole tensor as f32 in the store. */
PN_NODISCARD pn_status pn_loader_values(pn_weight_loader *loader, const char *name,
                                        const uint64_t *dims, uint32_t n_dims, const float **out);
/* The same for stem + ending, [n]; and for stem.weight and stem.bias. */
PN_NODISCARD pn_status pn_loader_vector(pn_weight_loader *loader, const char *stem,
                                        const char *ending, size_t n, const float **out);
PN_NODISCARD pn_status pn_loader_norm(pn_weight_loader *loader, const char *stem, size_t width,
                                      pn_norm *out);
PN_NODISCARD pn_status pn_loader_not_finite(pn_weight_loader *loader, const char *name);

static inline bool pn_loader_fills(const pn_weight_loader *loader)
{
    return loader->w->store.phase == PN_STORE_FILL;
}

/* ---- weight_block.c, weight_resnet.c: parts of a model. *out of blocks is made on the first walk. */

PN_NODISCARD pn_status pn_loader_blocks(pn_weight_loader *loader, bool is_text, pn_block **out);
/* The pooling head, and its probe's query, [width]. */
PN_NODISCARD pn_status pn_loader_head(pn_weight_loader *loader, pn_block *out,
                                      const float **probe_query);
PN_NODISCARD pn_status pn_loader_resnet(pn_weight_loader *loader, pn_resnet_weights **out);
/* Values of the deepest matrix of a ResNet of this width: 3 x 3 places of 8 widths. */
enum { PN_RESNET_DEEPEST = 72 };

/* ---- weight_panels.c */

/* Up to three tensors, or pieces of one, that become one matrix. */
typedef struct pn_matrix_source {
    const pn_tensor *tensor;
    size_t first_row; /* of a piece, in rows of k values */
} pn_matrix_source;

/*
 * One matrix to pack.
 *
 * values      [rows][k], when they are not the tensor's own as they lie there: then its one source says only whose they are
 * in_block    a product of a transformer block: in 8 bits, or in bf16 rows and all, when that is the precision
 * gamma, beta the norm before the product, [k], to be folded into it; NULL: none
 * balance     with gamma: [k] of the store, becomes the norm's weight (its bias becomes zero)
 */
typedef struct pn_matrix {
    pn_matrix_source sources[3];
    size_t n_sources;
    size_t rows; /* of each source */
    size_t k;
    const float *values;
    bool transposed; /* stored [k][rows] */
    bool in_block;
    const float *gamma, *beta;
    float *balance;
    float *folded_bias; /* [16 * panels]: what beta adds to the bias; NULL without gamma */
} pn_matrix;

/* Panels, scale and sums of *out; n and k too, not the bias. */
PN_NODISCARD pn_status pn_matrix_pack(pn_weight_loader *loader, const pn_matrix *matrix,
                                      pn_linear *out);

/* How matrices are stored under this precision on this processor, for tensors of this type. */
pn_panel_type pn_panel_type_of(pn_clip_precision precision, pn_dtype dtype, bool in_block);

#endif

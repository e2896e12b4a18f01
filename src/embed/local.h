/*
 * local.h - a CLIP model of this machine behind the embedder's door
 */
#ifndef PN_EMBED_LOCAL_H
#define PN_EMBED_LOCAL_H

#include "clip/clip.h"
#include "embed/embedder.h"

typedef struct pn_local_options {
    const char *model;      /* directory or hub name, as pn_clip_locate() takes it */
    const char *preprocess; /* "crop", "pad", "squash"; NULL: the model's own */
    pn_pool *pool;          /* borrowed; NULL: one thread */
    pn_clip_precision precision;
    const char *cache; /* as pn_clip_options has it */
    bool
        exact_decode; /* large JPEGs in full, instead of at the half, quarter or eighth that is still twice the input */
} pn_local_options;

/* Errors: those of pn_clip_locate() and pn_clip_open(); INVALID for the mode. */
PN_NODISCARD pn_status pn_local_embedder_create(const pn_local_options *options, pn_embedder **out,
                                                pn_error *err);

/* The model behind a local embedder, for `pennon tokenize` and friends; NULL for another kind. */
const pn_clip *pn_local_embedder_clip(const pn_embedder *embedder);
const pn_preprocess *pn_local_embedder_preprocess(const pn_embedder *embedder);

/* For those who make tensors in their own way, one behind another: floats of one; tensors [n][floats] -> out [n][dim], unit
 * length. Of a local embedder only. */
size_t pn_local_embedder_tensor_floats(const pn_embedder *embedder);
PN_NODISCARD pn_status pn_local_embedder_embed_tensors(const pn_embedder *embedder,
                                                       const float *tensors, size_t n, float *out,
                                                       pn_error *err);

#endif

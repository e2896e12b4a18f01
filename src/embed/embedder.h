/*
 * embedder.h - whatever turns pixels and words into unit vectors of one space
 *
 * A struct of functions: the local model now, a hosted API or a cache in front of either later. identity says which
 * space the vectors live in; vectors of two identities never meet in one table.
 * Threads: all functions of an embedder may be called from any thread at any time.
 */
#ifndef PN_EMBED_EMBEDDER_H
#define PN_EMBED_EMBEDDER_H

#include "base/str.h"
#include "image/image.h"

typedef struct pn_embedder pn_embedder;

struct pn_embedder {
    void *self;
    uint32_t dim;
    const char *
        identity; /* "<model fingerprint>:<preprocessing mode>": equal identity, comparable vectors */
    const char *model; /* a name for people: directory or hub name */

    /* JPEGs may be decoded smaller as long as their shorter side keeps this many pixels (image/decode.h); 0: never. */
    uint32_t shrink_to_px;
    /* Turn a picture into the input of embed_images (resize, crop, normalise): input_floats values. Meant to run in the
     * decoding threads. */
    size_t input_floats;
    pn_status (*prepare_image)(void *self, const pn_image *image, float *input, pn_error *err);
    /* inputs [n][input_floats] -> out [n][dim], unit length. */
    pn_status (*embed_images)(void *self, const float *inputs, size_t n, float *out, pn_error *err);
    /* n texts -> out [n][dim], unit length. */
    pn_status (*embed_texts)(void *self, const pn_str *texts, size_t n, float *out, pn_error *err);
    void (*free)(void *self);
};

/* One picture from the bytes of its file: decode, prepare, embed. name is for messages. out [dim]. */
PN_NODISCARD pn_status pn_embedder_embed_file(pn_embedder *embedder, const void *bytes, size_t n,
                                              const char *name, float *out, pn_error *err);

void pn_embedder_free(pn_embedder *embedder); /* NULL is welcome */

#endif

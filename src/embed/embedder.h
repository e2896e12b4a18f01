/*
 * embedder.h - whatever turns pixels and words into unit vectors of one space
 *
 * A struct of functions: a model of this machine (local.h), or one that a server computes (hosted.h). identity says which space the
 * vectors live in; vectors of two identities never meet in one table.
 * Threads: all functions of an embedder may be called from any thread at any time.
 */
#ifndef PN_EMBED_EMBEDDER_H
#define PN_EMBED_EMBEDDER_H

#include "base/str.h"
#include "image/image.h"

typedef struct pn_embedder pn_embedder;

/* A picture: its file and what it shows. Borrowed. */
typedef struct pn_embed_picture {
    const void *bytes;
    size_t n_bytes;
    const pn_image *image; /* decoded, perhaps at shrink_to_px */
} pn_embed_picture;

/* What a picture becomes on its way to embed_images(): pixels for a model, a JPEG for a server. pn_embed_input_free(). */
typedef struct pn_embed_input {
    void *data; /* owned */
    size_t n_bytes;
} pn_embed_input;

void pn_embed_input_free(pn_embed_input *input); /* a zeroed one is welcome */

typedef enum pn_embed_urgency {
    PN_EMBED_QUERY, /* somebody waits for it */
    PN_EMBED_BULK   /* ingestion: queries go first */
} pn_embed_urgency;

/* How a call is to be made; NULL in its place: a query that nobody stops. */
typedef struct pn_embed_how {
    pn_embed_urgency urgency;
    bool (*cancelled)(void *context); /* polled by the calling thread while it waits; NULL: never */
    void *context;
} pn_embed_how;

struct pn_embedder {
    void *self;
    uint32_t dim;
    const char *
        identity; /* "<model fingerprint>:<preprocessing mode>": equal identity, comparable vectors */
    const char *model;      /* a name for people: directory, hub name, "roboflow:ViT-B-16" */
    const char *preprocess; /* "crop", "pad", "squash"; "server": not ours to choose */

    /* Calls of embed_images() are cheapest with so many pictures; 0: PN_EMBED_BATCH_DEFAULT. Whoever has fewer waits gather_ms for
     * another one first; 0: PN_EMBED_GATHER_MS_DEFAULT. */
    size_t batch;
    uint32_t gather_ms;
    /* So many bulk calls of embed_images() at a time make use of all there is; 0: one. */
    uint32_t n_bulk_calls;

    /* JPEGs may be decoded smaller as long as their shorter side keeps this many pixels (image/decode.h); 0: never. */
    uint32_t shrink_to_px;
    /* Turn a picture into the input of embed_images: resize, crop, normalise; or pack. Meant to run in the decoding threads. */
    pn_status (*prepare_image)(void *self, const pn_embed_picture *picture, pn_embed_input *input,
                               pn_error *err);
    /* n inputs -> out [n][dim], unit length. INVALID: one of them is refused, and it may be that the others are not. */
    pn_status (*embed_images)(void *self, const pn_embed_input *inputs, size_t n,
                              const pn_embed_how *how, float *out, pn_error *err);
    /* n texts -> out [n][dim], unit length. */
    pn_status (*embed_texts)(void *self, const pn_str *texts, size_t n, const pn_embed_how *how,
                             float *out, pn_error *err);
    void (*free)(void *self);
};

enum { PN_EMBED_BATCH_DEFAULT = 16, PN_EMBED_BATCH_MAX = 256, PN_EMBED_GATHER_MS_DEFAULT = 5 };

/* One picture from the bytes of its file: decode, prepare, embed. name is for messages. out [dim]. */
PN_NODISCARD pn_status pn_embedder_embed_file(pn_embedder *embedder, const void *bytes, size_t n,
                                              const char *name, const pn_embed_how *how, float *out,
                                              pn_error *err);

void pn_embedder_free(pn_embedder *embedder); /* NULL is welcome */

#endif

/*
 * clip.h - one CLIP model: pixels and words -> vectors
 *
 * A model is a directory as published: safetensors (f32, f16, bf16; one file, or shards with their index) in the
 * Hugging Face, open_clip or original OpenAI layout, its configuration and its tokenizer. Weights stay mapped.
 * Threads: a model is immutable after opening and may be used from any thread; each call brings its own scratch.
 */
#ifndef PN_CLIP_CLIP_H
#define PN_CLIP_CLIP_H

#include "base/arena.h"
#include "clip/precision.h"
#include "clip/preprocess.h"
#include "clip/tokenizer.h"
#include "os/pool.h"

typedef struct pn_clip pn_clip;

typedef struct pn_clip_info {
    const char *family;       /* "clip", "chinese-clip", "siglip" */
    const char *layout;       /* "huggingface", "open_clip", "openai" */
    const char *weights_type; /* "f32", "f16", "bf16" */
    uint32_t dim;             /* of the embeddings */
    uint32_t context;         /* text positions */
    uint32_t vocabulary;
    uint32_t image_width, image_height, patch_px;
    uint32_t vision_width, vision_layers, vision_heads;
    uint32_t text_width, text_layers, text_heads;
    const char *activation; /* "quick_gelu", "gelu", "gelu_tanh" of the vision encoder */
    uint64_t n_parameters;
    uint64_t weights_bytes; /* of the files */
    pn_clip_precision precision;
    bool prepared;      /* the weights were mapped as a former opening had left them */
    double logit_scale; /* exp() taken */
    char fingerprint
        [33]; /* 32 hex digits: architecture, weights, tokenizer; not the preprocessing */
} pn_clip_info;

/*
 * Find a model's directory. spec is a directory, or a Hugging Face name "owner/model" looked up in the local hub
 * cache ($HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub; refs/main, else the only snapshot). Nothing is
 * ever downloaded.
 * Errors: NOT_FOUND, naming every place looked at.
 */
PN_NODISCARD pn_status pn_clip_locate(const char *spec, pn_arena *arena, char **dir, pn_error *err);

/* For who fills and lists that cache: its folder, and the folder in it of an "owner/model": "models--owner--model". NULL: none of
 * the variables is set; it is no such name; no memory. */
const char *pn_clip_hub_folder(pn_arena *arena);
const char *pn_clip_hub_entry(const char *name, pn_arena *arena);

typedef struct pn_clip_options {
    pn_pool *pool; /* prepares the weights; NULL: one thread */
    pn_clip_precision precision;
    /* The folder where prepared weights are kept for the next opening, which then only maps them (weight_cache.h). NULL: the
     * environment's; "": none. */
    const char *cache;
} pn_clip_options;

/*
 * Open the model in dir. options NULL: {NULL, PN_CLIP_EXACT, ""}.
 * Errors:  NOT_FOUND (names the file), CORRUPT (names the tensor and the fault), UNSUPPORTED (names the setting or
 *          the architecture), LIMIT, NOMEM.
 * Cost:    reads and packs all weights, or maps them as they were packed before; see bench_embed.
 */
PN_NODISCARD pn_status pn_clip_open(const char *dir, const pn_clip_options *options, pn_clip **out,
                                    pn_error *err);
void pn_clip_close(pn_clip *clip); /* NULL is welcome */

const pn_clip_info *pn_clip_get_info(const pn_clip *clip);
const pn_tokenizer *pn_clip_tokenizer(const pn_clip *clip);
/* The preprocessing of the model's own configuration. */
const pn_preprocess *pn_clip_preprocess(const pn_clip *clip);

/* pixels [n][3][H][W] normalised -> out [n][dim], L2-normalised when normalise is PN_CLIP_UNIT. pool may be NULL.
 * INVALID for n 0; NOMEM. */
typedef enum pn_clip_norm { PN_CLIP_RAW, PN_CLIP_UNIT } pn_clip_norm;
PN_NODISCARD pn_status pn_clip_embed_images(const pn_clip *clip, const float *pixels, size_t n,
                                            pn_clip_norm norm, pn_pool *pool, float *out,
                                            pn_error *err);

/* How many pictures a thread should embed at a time, without a pool, where each of so many threads does so: then together they are as fast
 * as with one. 0: they would need too much memory, or the model is not made for it; a pool is better. */
size_t pn_clip_share_images(const pn_clip *clip, size_t threads);

/* ids [n][context], row i has lengths[i] ids (start ... end), the rest is ignored. Only positions up to the end
 * token are computed: the causal mask makes this exact. out [n][dim]. */
PN_NODISCARD pn_status pn_clip_embed_ids(const pn_clip *clip, const uint32_t *ids,
                                         const size_t *lengths, size_t n, pn_clip_norm norm,
                                         pn_pool *pool, float *out, pn_error *err);

#endif

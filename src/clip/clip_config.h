/*
 * clip_config.h - the numbers of one model, from its JSON or from its tensors' shapes
 *
 * Three layouts are published: Hugging Face (config.json), open_clip (open_clip_config.json) and OpenAI's original
 * state dictionary, which has no configuration at all. What a configuration leaves out has the default of the
 * framework it belongs to. Settings that change the computation and are not implemented are refused by name: a model
 * that opens computes what its authors meant.
 */
#ifndef PN_CLIP_CLIP_CONFIG_H
#define PN_CLIP_CLIP_CONFIG_H

#include "clip/preprocess.h"
#include "clip/safetensors.h"

/* Each has to hold some published model with room to spare, and keeps every product of two of them in 64 bits. */
enum {
    PN_CLIP_MAX_WIDTH = 16384,
    PN_CLIP_MAX_MLP = 65536,
    PN_CLIP_MAX_LAYERS = 256,
    PN_CLIP_MAX_IMAGE_PX = 8192,
    PN_CLIP_MAX_PATCH_PX = 256,
    PN_CLIP_MAX_PATCHES = 16384,
    PN_CLIP_MAX_CONTEXT = 4096,
    PN_CLIP_MAX_VOCABULARY = 1 << 24
};

typedef enum pn_clip_layout {
    PN_CLIP_HUGGINGFACE,
    PN_CLIP_OPEN_CLIP,
    PN_CLIP_OPENAI
} pn_clip_layout;

typedef enum pn_clip_activation {
    PN_CLIP_QUICK_GELU,
    PN_CLIP_GELU,
    PN_CLIP_GELU_TANH
} pn_clip_activation;

/* One transformer. */
typedef struct pn_encoder_config {
    uint32_t width, layers, heads, mlp; /* heads divides width */
    pn_clip_activation activation;
    float eps; /* of the layer norms */
} pn_encoder_config;

typedef struct pn_clip_config {
    pn_clip_layout layout;
    pn_encoder_config vision, text;
    uint32_t image_width, image_height, patch; /* pixels */
    uint32_t context, vocabulary;
    uint32_t dim;      /* 0: not said, the projection's shape decides */
    int64_t end_token; /* pool at its first place; -1: at the first place of the largest id */
    pn_preprocess preprocess;
} pn_clip_config;

/*
 * How the tensors of a model are named. Which of the known architectures it is shows in a few marker tensors.
 *
 * prefix  put in front of every name by some exporter ("model.", "module."), "" for most
 * text    put in front of the text encoder's names by open_clip's custom_text ("text."), "" for most
 */
typedef struct pn_clip_naming {
    pn_clip_layout
        layout; /* OPEN_CLIP and OPENAI share their names; this is HUGGINGFACE or OPENAI */
    const char *prefix;
    const char *text;
} pn_clip_naming;

/* Errors: UNSUPPORTED, naming the architecture; CORRUPT when it is nothing we know. */
PN_NODISCARD pn_status pn_clip_naming_detect(const pn_safetensors *tensors, pn_clip_naming *out,
                                             pn_error *err);

/*
 * Read the configuration of the model in dir.
 *
 * Errors:  NOT_FOUND (config.json of a Hugging Face model), CORRUPT (names file, key and fault), UNSUPPORTED (names the
 *          setting), LIMIT.
 */
PN_NODISCARD pn_status pn_clip_config_load(const char *dir, const pn_safetensors *tensors,
                                           const pn_clip_naming *naming, pn_clip_config *out,
                                           pn_error *err);

const char *pn_clip_layout_name(pn_clip_layout layout);             /* "huggingface", ... */
const char *pn_clip_activation_name(pn_clip_activation activation); /* "quick_gelu", ... */

/* Patches of a picture; with the class token one more. Pixels right and below of the last whole patch are not used. */
static inline uint32_t pn_clip_patches(const pn_clip_config *config)
{
    return (config->image_width / config->patch) * (config->image_height / config->patch);
}

#endif

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

/* Families differ in what they learn; their parts are the same few. */
typedef enum pn_clip_family {
    PN_FAMILY_CLIP,
    PN_FAMILY_CHINESE_CLIP, /* a BERT for the texts */
    PN_FAMILY_SIGLIP        /* attention pooling; texts always of full length */
} pn_clip_family;

/* Which row of the last block becomes the vector. */
typedef enum pn_pooling {
    PN_POOL_FIRST, /* the class token */
    PN_POOL_END,   /* the end token's: no row behind it is computed */
    PN_POOL_LAST,  /* the last one */
    PN_POOL_PROBE  /* none: a head of its own attends to all of them */
} pn_pooling;

/* One transformer. Blocks of a pruned one may have fewer heads and a narrower hidden layer, each its own: weights.h. */
typedef struct pn_encoder_config {
    uint32_t width, layers, heads, mlp;
    uint32_t head_width; /* times heads: the width, or a little more when pruning left an odd one */
    pn_clip_activation activation;
    float eps;      /* of the layer norms */
    bool causal;    /* a row sees itself and the rows before it */
    bool post_norm; /* norms behind the sums, as in BERT, instead of before the products */
    pn_pooling pooling;
} pn_encoder_config;

/* Values of q, of k and of v in a block that nothing was pruned from. */
static inline uint32_t pn_attention_width(const pn_encoder_config *config)
{
    return config->heads * config->head_width;
}

/* A ModifiedResNet: width 0 for a transformer. Its attention pooling is in pn_clip_config.vision. */
typedef struct pn_resnet_config {
    uint32_t width, layers[4];
} pn_resnet_config;

typedef struct pn_clip_config {
    pn_clip_layout layout;
    pn_clip_family family;
    pn_encoder_config vision, text;
    pn_resnet_config resnet;
    uint32_t image_width, image_height,
        patch;        /* pixels; of a ResNet, 32 go into one place of its last grid */
    bool class_token; /* a row before the patches' */
    uint32_t context, vocabulary;
    uint32_t positions; /* of texts that the model has; at least the context */
    bool padded;        /* texts are filled up to the context with pad_token, which takes part */
    uint32_t pad_token;
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
typedef struct pn_tensor_names pn_tensor_names;
typedef struct pn_clip_naming {
    pn_clip_layout
        layout; /* OPEN_CLIP and OPENAI share their names; this is HUGGINGFACE or OPENAI */
    const pn_tensor_names *names; /* tensor_names.h */
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

const char *pn_clip_family_name(pn_clip_family family); /* "clip", "chinese-clip", "siglip" */

/* Patches of a picture; with a class token there is one row more. Pixels right and below of the last whole patch are not used. */
static inline uint32_t pn_clip_patches(const pn_clip_config *config)
{
    return (config->image_width / config->patch) * (config->image_height / config->patch);
}
static inline uint32_t pn_clip_rows(const pn_clip_config *config)
{
    return pn_clip_patches(config) + (config->class_token ? 1 : 0);
}

#endif

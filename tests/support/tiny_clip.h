/*
 * tiny_clip.h - a seeded CLIP of any shape: written in every layout, and computed the slow way in double
 *
 * The values are multiples of 1/64, so that f32, f16 and bf16 files hold the same numbers. The reference is plain
 * loops over the formulas of docs/CLIP.md and shares no code with the program.
 */
#ifndef PN_TESTS_SUPPORT_TINY_CLIP_H
#define PN_TESTS_SUPPORT_TINY_CLIP_H

#include <stddef.h>
#include <stdint.h>

enum { TINY_VOCABULARY = 514, TINY_START = 512, TINY_END = 513, TINY_MAX_TENSORS = 128 };

/* What is left of one block of a pruned encoder. */
typedef struct tiny_pruned {
    uint32_t heads, mlp;
} tiny_pruned;

typedef struct tiny_encoder {
    uint32_t width, layers, heads, mlp;
    uint32_t head_width;       /* 0: width / heads */
    const tiny_pruned *pruned; /* [layers]; NULL: nothing was pruned */
} tiny_encoder;

typedef struct tiny_spec {
    tiny_encoder vision, text;
    uint32_t image_width, image_height, patch, context, dim;
    const char *activation; /* as Hugging Face calls it */
    uint64_t seed;
} tiny_spec;

typedef struct tiny_tensor {
    char name[96]; /* Hugging Face's */
    uint64_t dims[4];
    size_t n_dims, n;
    float *values;
} tiny_tensor;

typedef struct tiny_clip {
    tiny_spec spec;
    tiny_tensor tensors[TINY_MAX_TENSORS];
    size_t n;
} tiny_clip;

/* A small one with odd sizes: widths 20 and 12, 17 x 11 pixels. */
tiny_spec tiny_spec_odd(void);

void tiny_clip_make(tiny_clip *clip, const tiny_spec *spec);
void tiny_clip_free(tiny_clip *clip);
tiny_tensor *tiny_clip_find(tiny_clip *clip,
                            const char *name); /* fails the test when there is none */
void tiny_clip_drop(tiny_clip *clip, const char *name);
void tiny_clip_rename(tiny_clip *clip, const char *name, const char *to);

typedef enum tiny_layout {
    TINY_HUGGINGFACE,
    TINY_OPEN_CLIP,
    TINY_CUSTOM_TEXT,
    TINY_OPENAI
} tiny_layout;

/* Weights, configuration (OPENAI: none) and tokenizer into the folder dir. prefix goes in front of every tensor's name. */
void tiny_clip_write(const tiny_clip *clip, const char *dir, tiny_layout layout, const char *dtype,
                     const char *prefix);

/* pixels [3][H][W] or ids [n] -> out [dim], not normalised. */
void tiny_clip_image(tiny_clip *clip, const float *pixels, double *out);
void tiny_clip_text(tiny_clip *clip, const uint32_t *ids, size_t n, double *out);

#endif

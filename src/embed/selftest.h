/*
 * selftest.h - does this model compute here what it should?
 *
 * (a) The arithmetic: vectors of generated pictures and fixed texts at each precision against f32, and whether the same
 *     neighbours come out. (b) Golden vectors beside the model, computed by somebody else: golden_vectors.h.
 * Threads: any.
 */
#ifndef PN_EMBED_SELFTEST_H
#define PN_EMBED_SELFTEST_H

#include "embed/golden_vectors.h"
#include "embed/local.h"

enum {
    PN_SELFTEST_PICTURES_DEFAULT = 200,
    PN_SELFTEST_PICTURES_MIN = 20,
    PN_SELFTEST_PICTURES_MAX = 10000,
    PN_SELFTEST_PRECISIONS = PN_CLIP_INT8 + 1
};

typedef struct pn_selftest_options {
    const char *model;
    pn_pool *pool;     /* borrowed; NULL: one thread */
    const char *cache; /* as pn_clip_options has it */
    bool
        one_precision; /* only `precision`, against f32, and the golden vectors at it; else all, and those at EXACT */
    pn_clip_precision precision;
    uint32_t n_pictures; /* 0: the default, or all of the folder */
    const char *folder;  /* of pictures, below it too; NULL: generated ones */
    const char *golden;  /* NULL: PN_GOLDEN_FILE in the model's folder, when it is there */
    void (*progress)(void *context, pn_clip_precision precision); /* before each; may be NULL */
    bool (*cancelled)(void *context);                             /* may be NULL */
    void *context;
} pn_selftest_options;

typedef struct pn_selftest_line {
    pn_clip_precision precision;
    double image_cosine, text_cosine; /* the least over all inputs */
    double recall; /* mean share of f32's 10 nearest pictures that are among the 10 nearest here */
    double needs_cosine, needs_recall;
    double seconds; /* of embedding the pictures */
    bool passed;
} pn_selftest_line;

typedef struct pn_selftest_report {
    bool passed;
    char problem[PN_ERROR_MESSAGE_BYTES]; /* the first; "" when passed */
    pn_selftest_line lines[PN_SELFTEST_PRECISIONS];
    size_t n_lines;
    uint32_t n_pictures, n_texts;
    bool has_golden;
    size_t n_golden_pictures, n_golden_texts;
    pn_golden_report golden;
} pn_selftest_report;

/*
 * Run all of it. A model that does not compute what it should is no error of this call: out->passed.
 * Files of the folder that are no pictures are left out.
 * Errors: those of opening the model and of reading the golden file and the folder; INVALID (too few pictures); CANCELLED.
 * Cost:   n_pictures pictures for f32 and for each precision; one precision's weights are in memory at a time.
 */
PN_NODISCARD pn_status pn_selftest_run(const pn_selftest_options *options, pn_selftest_report *out,
                                       pn_error *err);

#endif

/*
 * random_model.h - models of OpenAI's shapes and random weights: only shapes decide the speed
 */
#ifndef PN_BENCH_RANDOM_MODEL_H
#define PN_BENCH_RANDOM_MODEL_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { IMAGE = 224, CONTEXT = 77, VOCABULARY = 49408, START = 49406, END = 49407 };

/* OpenAI's ViTs. Heads are 64 wide, hidden layers four times the width. */
typedef struct shape {
    const char *name;
    uint64_t patch, vision_width, vision_layers, text_width, text_layers, dim;
} shape;

/* "b32", "b16" or "l14"; ends the program on another name. */
const shape *find_shape(const char *name);

/* Write model and tokenizer into dir, which must exist; with f16 weights when half. */
void write_model(const char *dir, const shape *m, bool half);

/* Say what is wrong and end the program with status 1. */
_Noreturn void stop(const char *what, const pn_error *err);

#endif

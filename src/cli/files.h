/*
 * files.h - whole files for commands: pictures, vectors, .npy
 */
#ifndef PN_CLI_FILES_H
#define PN_CLI_FILES_H

#include "base/buffer.h"

/* Read a picture file ("-": standard input); prints what is wrong and returns false. Reset the buffer in every case. */
bool pn_cli_read_picture(const char *path, pn_buffer *out);

/* A vector from a NumPy file of float16, float32 or float64, or from JSON text ("[0.1, ...]", or a file that holds it). *out is freed with
 * pn_free(). */
bool pn_cli_read_vector(const char *text, float **out, size_t *dim);

/* NumPy format 1.0, float32, C order; path "-": standard output. */
bool pn_cli_write_npy(const char *path, const float *values, const uint64_t *shape, size_t n_dims);

#endif

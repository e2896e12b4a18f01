/*
 * golden.h - reference arrays for tests: .npy files, differences, cosines
 *
 * The goldens lie under $PN_SHARED_DIR/golden. A test that needs them starts with golden_require(), which skips it
 * with a clear message when the folder is absent. Every other fault (a damaged file, another type than expected)
 * fails the running test on the spot, so that callers need no error paths.
 *
 *     char path[GOLDEN_PATH_BYTES];
 *     golden_require("golden/clip/models/clip-gelu", path);           skips when not there
 *     golden_array want;
 *     golden_load(golden_join(path, "golden/image_embeds.npy"), 'f', &want);
 *     assert_true(golden_max_difference(got, want.f32, want.n) <= 2e-5);
 *     golden_free(&want);
 */
#ifndef PN_TESTS_SUPPORT_GOLDEN_H
#define PN_TESTS_SUPPORT_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOLDEN_PATH_BYTES 1024
#define GOLDEN_MAX_DIMS 8

/* A NumPy array in C order. type is 'f' (f4), 'i' (i4) or 'u' (u1); exactly one of the pointers is set. */
typedef struct golden_array {
    char type;
    size_t n_dims;
    size_t dims[GOLDEN_MAX_DIMS];
    size_t n; /* values in all */
    float *f32;
    int32_t *i32;
    uint8_t *u8;
} golden_array;

/* $PN_SHARED_DIR (default /work/shared) joined with relative, in out. Skips the running test when there is no such
 * file or folder. */
void golden_require(const char *relative, char out[GOLDEN_PATH_BYTES]);
/* The same without the skip: is it there? */
bool golden_find(const char *relative, char out[GOLDEN_PATH_BYTES]);
/* "folder/name" in one of eight static buffers used in turn: valid for the next seven calls. */
const char *golden_join(const char *folder, const char *name);

/* Load a .npy file of version 1 whose type is f4, i4 or u1. type: what is expected. */
void golden_load(const char *path, char type, golden_array *out);
void golden_free(golden_array *array); /* a zeroed one is welcome */

/* A whole file in memory, with a NUL behind it (not counted); golden_bytes_free(). */
uint8_t *golden_read_bytes(const char *path, size_t *n);
void golden_bytes_free(uint8_t *bytes);
/* Write a file, for tests that build damaged ones. */
void golden_write_bytes(const char *path, const void *bytes, size_t n);

/* Differences over n values; NaN counts as infinity. */
double golden_max_difference(const float *a, const float *b, size_t n);
double golden_mean_difference(const float *a, const float *b, size_t n);
double golden_max_difference_u8(const uint8_t *a, const uint8_t *b, size_t n);
double golden_mean_difference_u8(const uint8_t *a, const uint8_t *b, size_t n);
/* Largest |a - b| / max(|b|, floor). */
double golden_max_relative(const float *a, const float *b, size_t n, double floor_value);
/* Cosine of two vectors, and the least cosine over the rows of two matrices. */
double golden_cosine(const float *a, const float *b, size_t n);
double golden_min_row_cosine(const float *a, const float *b, size_t rows, size_t cols);

#endif

/*
 * npy.h - NumPy files of floats, as bytes
 *
 * "\x93NUMPY", version, length, a Python dictionary padded to 64 bytes; then the numbers, row by row.
 * Source: numpy.lib.format, versions 1.0 to 3.0. Threads: pure.
 */
#ifndef PN_BASE_NPY_H
#define PN_BASE_NPY_H

#include "base/buffer.h"
#include "base/str.h"

enum { PN_NPY_FIRST_BYTES = 12, PN_NPY_MAX_DIMS = 8 };

typedef struct pn_npy_header {
    size_t n_dims;
    uint64_t shape[PN_NPY_MAX_DIMS];
    size_t number_bytes; /* 2: float16, 4: float32, 8: float64; little-endian */
} pn_npy_header;

/* Bytes of the whole head, told by its first PN_NPY_FIRST_BYTES; 0: not a NumPy file. */
size_t pn_npy_header_bytes(const uint8_t first[PN_NPY_FIRST_BYTES]);

/* Errors: INVALID says what the array is instead: other numbers, other order, a shape that is none; LIMIT: too many dimensions. */
PN_NODISCARD pn_status pn_npy_header_parse(pn_str head, pn_npy_header *out, pn_error *err);

/* The head of an array of float32 of this shape, of at most PN_NPY_MAX_DIMS, behind out. */
PN_NODISCARD pn_status pn_npy_header_append(const uint64_t *shape, size_t n_dims, pn_buffer *out,
                                            pn_error *err);

/* n numbers of an array, exactly. bytes: n * number_bytes of them, aligned to nothing. */
void pn_npy_numbers(const pn_npy_header *header, const void *bytes, size_t n, double *out);

#endif

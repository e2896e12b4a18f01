/*
 * npy_header.h - the head of a NumPy file with a matrix of floats
 *
 * "\x93NUMPY", version, length, a Python dictionary padded to 64 bytes; then the numbers, row by row.
 * Source: numpy.lib.format, versions 1.0 to 3.0. Threads: pure.
 */
#ifndef PN_TRANSFER_NPY_HEADER_H
#define PN_TRANSFER_NPY_HEADER_H

#include "base/buffer.h"
#include "base/str.h"

typedef struct pn_npy_header {
    uint64_t n_rows;
    uint64_t n_columns;
    size_t number_bytes; /* 4: float32, 8: float64; little-endian */
} pn_npy_header;

/* Bytes of the whole head, told by its first 12; 0: not a NumPy file. */
size_t pn_npy_header_bytes(const uint8_t first[12]);

/* Errors: INVALID says what the array is instead: other numbers, other order, other shape. */
PN_NODISCARD pn_status pn_npy_header_parse(pn_str head, pn_npy_header *out, pn_error *err);

/* The head of float32[n_rows][n_columns] behind out. */
PN_NODISCARD pn_status pn_npy_header_append(uint64_t n_rows, uint64_t n_columns, pn_buffer *out,
                                            pn_error *err);

#endif

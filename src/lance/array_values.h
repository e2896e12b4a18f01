/*
 * array_values.h - a page of a file of version 2.0: an array encoding -> values of a run of rows
 */
#ifndef PN_LANCE_ARRAY_VALUES_H
#define PN_LANCE_ARRAY_VALUES_H

#include "lance/values.h"

/* Where encodings find their bytes. */
typedef struct pn_array_buffers {
    const pn_slice *page, *column;
    size_t n_page, n_column;
} pn_array_buffers;

/* Values of consecutive rows, each with its validity. */
typedef struct pn_array_values {
    pn_values values;
    const uint8_t *valid; /* a byte a value; NULL: all */
} pn_array_values;

/* Rows [first, first + n) of the page; d->leaf is what they are. Borrowed from the buffers or made in d->arena. */
PN_NODISCARD pn_status pn_array_values_decode(pn_decoder *d, const pn_array_buffers *buffers,
                                              const Pn__Lance__ArrayEncoding *how, uint64_t first,
                                              size_t n, pn_array_values *out);

/* Lists [first, first + n) of a page: where the items of each end, counted from the page's first item, and where those of the
 * first begin. is_null has a byte a list. */
PN_NODISCARD pn_status pn_array_list_decode(pn_decoder *d, const pn_array_buffers *buffers,
                                            const Pn__Lance__ArrayList *how, uint64_t first,
                                            size_t n, uint64_t *begin, uint64_t *ends,
                                            uint8_t *is_null);

/* The fixed-size list of plain floats without nulls that this encoding is, as it lies in the page; NULL: it is another. */
const uint8_t *pn_array_plain_floats(const pn_array_buffers *buffers,
                                     const Pn__Lance__ArrayEncoding *how, uint64_t n_rows,
                                     uint32_t dim);

#endif

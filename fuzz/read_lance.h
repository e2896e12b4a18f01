/*
 * read_lance.h - bytes as a Lance data file, and a column of it read in every way
 */
#ifndef PN_FUZZ_READ_LANCE_H
#define PN_FUZZ_READ_LANCE_H

#include "lance/lance_reader.h"

/* Traps: what does not hold is a finding. */
void fuzz_must(bool holds);

/* The bytes as a file in memory, opened; NULL when it is refused, with an error that names it. fuzz_close_lance() in both cases. */
typedef struct fuzz_lance {
    int fd;
    char path[64];
    pn_lance_file *file;
} fuzz_lance;
void fuzz_open_lance(const uint8_t *bytes, size_t n, fuzz_lance *out);
void fuzz_close_lance(fuzz_lance *lance);

/* Up to FUZZ_MAX_ROWS rows of one field: whole, in windows, chosen ones, as mapped vectors. What is read twice must be equal. */
enum { FUZZ_MAX_LEAVES = 64, FUZZ_MAX_ROWS = 2000 };
void fuzz_read_field(const fuzz_lance *lance, const pn_field *field, const int32_t *leaves,
                     size_t n_leaves);

#endif

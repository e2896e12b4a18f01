/*
 * lance_checks.h - a column of a data file read in all ways, which must agree
 */
#ifndef PN_TESTS_SUPPORT_LANCE_CHECKS_H
#define PN_TESTS_SUPPORT_LANCE_CHECKS_H

#include "base/rng.h"
#include "lance/lance_reader.h"

#define LANCE_CHECKS_MAX_LEAVES 64

/* A top-level field of a file that was written alone: its leaves are consecutive columns. */
typedef struct lance_column {
    pn_lance_file *file;
    const pn_field *field;
    int32_t leaves[LANCE_CHECKS_MAX_LEAVES];
    size_t n_leaves;
} lance_column;

/* Field i of the file's schema. */
void lance_column_make(pn_lance_file *file, size_t field_i, lance_column *out);

/* All rows; the status is for the caller to judge. */
pn_status lance_column_read(const lance_column *column, pn_arena *arena, pn_array *out,
                            pn_error *err);

/* Random windows and random single rows must equal the same rows of whole; fails the running test otherwise. */
void lance_column_check(const lance_column *column, const pn_array *whole, pn_rng *rng);

/* Window after window with a memo must equal the same rows of whole. Returns how many pages were decoded as a whole. */
uint64_t lance_column_check_scan(const lance_column *column, const pn_array *whole,
                                 uint64_t window);

#endif

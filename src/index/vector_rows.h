/*
 * vector_rows.h - the vectors of a table as one sequence
 *
 * An index numbers the rows of the fragments it covers: ordinal = the fragment's first ordinal + the offset in the fragment,
 * deleted rows included, so that a deletion moves nobody. 32 bits are enough for four billion rows.
 */
#ifndef PN_INDEX_VECTOR_ROWS_H
#define PN_INDEX_VECTOR_ROWS_H

#include "base/status.h"
#include "index/flat_index.h"

typedef struct pn_index_fragment {
    uint32_t id;
    uint32_t n_rows; /* physical rows */
    const char
        *name; /* of the file with its vectors: a fragment with another one is another fragment */
    const pn_flat_run *runs; /* its vectors, ascending and without gaps. `allowed` is ignored */
    size_t n_runs;           /* 0: the fragment is gone, and its vectors are not asked for */
} pn_index_fragment;

typedef struct pn_vector_rows {
    const pn_index_fragment *fragments;
    size_t n_fragments, dim;
    bool
        any_length; /* the vectors are to be divided by their lengths; else those that are no unit vectors are */
    uint64_t n_rows;           /* ordinals */
    uint64_t *fragment_starts; /* [n_fragments + 1] first ordinal of a fragment; owned */
    const pn_flat_run **runs;  /* [n_runs], in order; owned */
    uint64_t *starts;          /* [n_runs + 1] first ordinal of a run; owned */
    size_t n_runs;
} pn_vector_rows;

/* fragments and what they point to are borrowed. INVALID when runs leave gaps; LIMIT beyond 2^32 - 2 rows; NOMEM. */
PN_NODISCARD pn_status pn_vector_rows_init(const pn_index_fragment *fragments, size_t n_fragments,
                                           size_t dim, bool any_length, pn_vector_rows *out,
                                           pn_error *err);
void pn_vector_rows_reset(pn_vector_rows *rows);

/* Where a row is in the table now. */
pn_row_addr pn_vector_rows_addr(const pn_vector_rows *rows, uint64_t ordinal);

/* The vector of a row where it lies, of any length. */
const float *pn_vector_rows_at(const pn_vector_rows *rows, uint64_t ordinal);
/* Rows that are neither deleted nor gone with their fragment. */
uint64_t pn_vector_rows_count(const pn_vector_rows *rows);
bool pn_vector_rows_is_deleted(const pn_vector_rows *rows, uint64_t ordinal);

/* A copy of unit length; zeros stay zeros. False, and zeros, for a vector with a NaN or an infinity. */
bool pn_vector_rows_copy(const pn_vector_rows *rows, uint64_t ordinal, float *out);

#endif

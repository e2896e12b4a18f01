/*
 * lance_ivf_build.h - an index in LanceDB's format, IVF_PQ by cosine
 *
 * Both programs search by it, and LanceDB goes on with it: its optimize() merges what it made of later rows with this.
 */
#ifndef PN_INDEX_LANCE_IVF_BUILD_H
#define PN_INDEX_LANCE_IVF_BUILD_H

#include "index/vector_rows.h"

enum { PN_LANCE_IVF_MIN_ROWS = 1000 };

typedef struct pn_lance_build_options {
    size_t n_partitions; /* 0: a partition for every 1,024 rows */
    uint64_t seed;
    pn_pool *pool;
    const _Atomic bool *cancel;
    /* NULL, or told about progress: done of 1, and what is being done (a constant) */
    void (*progress)(void *context, const char *stage, double done);
    void *context;
} pn_lance_build_options;

typedef struct pn_lance_built {
    uint64_t n_rows; /* listed: neither deleted nor no number */
    size_t n_partitions, n_subs;
    uint64_t coarse_bytes, fine_bytes; /* of index.idx and auxiliary.idx */
} pn_lance_built;

/*
 * folder   there already, and empty; the two files in it are synced, the folder is the caller's
 *
 * Errors: INVALID (fewer rows than the smallest index), LIMIT (dim), NOMEM, IO, CANCELLED. Files may be left then.
 * Cost: two passes over the vectors, about n_partitions + 256 times dim multiply-adds a row, and dim / 8 + 4 bytes of memory.
 * Same rows, options and kernels give the same files, for any number of threads.
 */
PN_NODISCARD pn_status pn_lance_ivf_build(const pn_vector_rows *rows,
                                          const pn_lance_build_options *options, const char *folder,
                                          pn_lance_built *out, pn_error *err);

#endif

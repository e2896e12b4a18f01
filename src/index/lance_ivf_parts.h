/*
 * lance_ivf_parts.h - what an open LanceDB index consists of, for those who search and measure it
 */
#ifndef PN_INDEX_LANCE_IVF_PARTS_H
#define PN_INDEX_LANCE_IVF_PARTS_H

#include "base/arena.h"
#include "index/lance_ivf.h"
#include "lance/lance_reader.h"

enum { PN_LANCE_PQ_ENTRIES = 256 };

typedef enum pn_lance_metric { PN_LANCE_L2, PN_LANCE_COSINE, PN_LANCE_DOT } pn_lance_metric;

typedef struct pn_lance_listed {
    uint32_t id, n_rows;
    uint64_t *words;
} pn_lance_listed;

struct pn_lance_ivf {
    pn_arena arena;
    pn_lance_file *coarse, *fine; /* index.idx, auxiliary.idx */
    bool is_flat;
    pn_lance_metric metric;
    size_t dim, n_partitions;
    uint64_t n_rows;
    const float *centroids; /* [n_partitions][dim] */
    const float *bias; /* [n_partitions] -|c|^2 / 2, or 0 where partitions are chosen by product */
    uint64_t *starts;  /* [n_partitions + 1] */
    const uint64_t *ids; /* [n_rows] row addresses */
    /* IVF_PQ: n_subs bytes a row, of its residual (of itself: dot); a partition's first bytes lie together, then its second ones... */
    size_t n_subs;
    const float *codebook; /* [n_subs][256][dim / n_subs] */
    const uint8_t *codes;
    /* IVF_FLAT: the vectors, as the file has them. */
    const pn_lance_run *runs;
    size_t n_runs;
    pn_lance_listed *listed; /* [n_listed] fragments covered, sorted by id */
    size_t n_listed;
};

/* What a query makes of the codes. */
typedef struct pn_lance_tables {
    const float *query;
    float *nearness; /* [n_partitions] the greater, the sooner it is looked at */
    float *base; /* [n_partitions] q . c, or 0: the share of a row's score that its partition has */
    float *entries; /* [n_subs][256] q . codeword */
} pn_lance_tables;

/* All arrays are in arena. */
PN_NODISCARD pn_status pn_lance_tables_make(const pn_lance_ivf *ivf, const float *query,
                                            pn_arena *arena, pn_lance_tables *out, pn_error *err);

/* What rows [first, first + n) of a partition, counted from its first, are worth: about q . x. */
void pn_lance_scores(const pn_lance_ivf *ivf, const pn_lance_tables *tables, size_t partition,
                     uint64_t first, size_t n, float *out);

/* The vector of an address where it lies, and its run; NULL: not among rows. */
const float *pn_lance_vector_at(const pn_lance_rows *rows, size_t dim, pn_row_addr addr,
                                const pn_flat_run **run);

#endif

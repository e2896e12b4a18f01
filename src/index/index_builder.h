/*
 * index_builder.h - what the steps of building an index hand each other
 */
#ifndef PN_INDEX_INDEX_BUILDER_H
#define PN_INDEX_INDEX_BUILDER_H

#include "index/internal.h"
#include "index/kmeans.h"
#include "kernels/kernels.h"

/* Over the rows of a partition: |residual|^2, and along the axes of each set of codes what they vary and what the codes miss. */
typedef struct pn_partition_sums {
    double residual, energies[PN_INDEX_BOOKS], losses[PN_INDEX_BOOKS];
} pn_partition_sums;

typedef struct pn_index_builder {
    const pn_vector_rows *rows;
    const pn_index_build_options *options;
    const pn_kernels *kernels;
    pn_arena arena;
    uint64_t n_live; /* rows that are not deleted */
    size_t dim, n_regions, n_partitions, n_books, n_groups[PN_INDEX_BOOKS];

    uint32_t *sample; /* ordinals, ascending */
    size_t n_sample;
    uint32_t *sample_regions; /* [n_sample] */

    float *regions; /* [n_regions][dim] */
    pn_centroids region_compare;
    uint32_t *region_starts; /* [n_regions + 1] */
    float *centroids;        /* [n_partitions][dim], rounded to 8 bits */
    uint8_t *rounded;        /* offset by 128 */
    float *rounded_scales;
    pn_centroids *partition_compare; /* [n_regions] */

    size_t first_tile; /* of the tiles being done */
    uint32_t *labels;  /* [n_rows] partition, or PN_NOT_LISTED */
    uint32_t *starts, *order, *positions;
    uint64_t n_listed;

    float *fitted_texts, *asked_texts; /* [n_fitted][dim], [n_asked][dim] */
    size_t n_fitted, n_asked, n_lone;  /* the first n_lone of the asked are least like others */

    pn_pq books[PN_INDEX_BOOKS];
    float *packed[PN_INDEX_BOOKS], *packed_query[PN_INDEX_BOOKS];
    float *means;                        /* [kinds][dim] of queries */
    float *turned_means[PN_INDEX_BOOKS]; /* [n_axes] */
    size_t *block_starts;                /* [n_partitions + 1] */
    uint8_t *codes[PN_INDEX_BOOKS];
    float *offsets[PN_INDEX_BOOKS]; /* [n_listed] of rows, until all of a partition are known */
    float *offset_steps;            /* [kinds][n_partitions] */
    float *scales, *errors;         /* [n_listed] */
    pn_partition_sums *sums;        /* [n_partitions] */
    size_t first_row, end_row, first_partition; /* positions being written, and where they begin */
    uint8_t *copies;                            /* theirs, in blocks; NULL: low memory */
    _Atomic int failed;                         /* a pn_status out of a task */
} pn_index_builder;

/* Tell about progress; CANCELLED when that is wanted. */
PN_NODISCARD pn_status pn_index_builder_go_on(const pn_index_builder *b, const char *stage,
                                              double done, pn_error *err);
/* A failure inside a task, where no pn_error is: the first is kept, and becomes the status of pn_index_builder_failure(). */
void pn_index_builder_fail(pn_index_builder *b, pn_status status);
PN_NODISCARD pn_status pn_index_builder_failure(const pn_index_builder *b, pn_error *err);

/* n different rows that are not deleted, ascending; fewer when there are fewer. *out is the caller's. */
PN_NODISCARD pn_status pn_index_builder_choose(const pn_index_builder *b, size_t n, uint64_t seed,
                                               uint32_t **out, size_t *n_out, pn_error *err);
void pn_index_builder_gather(const pn_index_builder *b, const uint32_t *ordinals, size_t n,
                             float *out);

/* Find the partitions and list every row: fills everything down to n_listed. */
PN_NODISCARD pn_status pn_index_builder_partition(pn_index_builder *b, pn_error *err);

#endif

/*
 * internal.h - an open index, and how its file is laid out
 *
 *     section 0 | section 1 | ... | trailer
 *
 * Sections begin at multiples of 64 bytes; the trailer, of fixed size, names where. All numbers are little-endian. Nothing is
 * parsed at open: arrays are used where they are mapped.
 *
 * A copy is the residual in 8 bits, offset by 128, as two halves of 4 bits (kernels.h) of h = pn_half_bytes(dim) bytes each, so that
 * the upper one can be read without the lower. The halves of 64 rows lie together:
 *
 *     upper halves of positions 0 to 63 | lower halves of 0 to 63 | upper halves of 64 to 127 | ...
 *
 * With 512 values that is 16 KB of each, pages of one kind; and a scan of all copies reads the file from front to back. The last
 * block is filled up with zeros.
 *
 * Codes of a partition are blocks of 32 rows, each with the rows' factors and offsets behind the codes (kernels.h); what they are is told in
 * index_build.c.
 */
#ifndef PN_INDEX_INTERNAL_H
#define PN_INDEX_INTERNAL_H

#include "index/index.h"
#include "index/index_scratch.h"
#include "index/pq.h"
#include "kernels/kernels.h"
#include "os/mapping.h"

#include <math.h>

enum {
    PN_INDEX_FORMAT = 4,
    PN_COPY_BLOCK = 64,
    PN_INDEX_ALIGN = 64,
    PN_EFFORTS_MAX = 16,
    PN_INDEX_BOOKS = PN_QUERY_KINDS
};

typedef enum pn_index_section {
    PN_SECTION_COPIES,          /* u8 [ceil(n_listed / 64)][2][64][h] */
    PN_SECTION_SCALES,          /* f32 [n_listed]; of a copy */
    PN_SECTION_ERRORS,          /* f32 [n_listed] length of what the copy lacks */
    PN_SECTION_ORDER,           /* u32 [n_listed] ordinal by position */
    PN_SECTION_POSITIONS,       /* u32 [n_rows] position by ordinal; PN_NOT_LISTED */
    PN_SECTION_STARTS,          /* u32 [n_partitions + 1] first position of a partition */
    PN_SECTION_REGIONS,         /* f32 [n_regions][dim] */
    PN_SECTION_REGION_STARTS,   /* u32 [n_regions + 1] first partition of a region */
    PN_SECTION_REGION_SPREADS,  /* f32 [n_regions] mean |centroid - region|^2 */
    PN_SECTION_CENTROIDS,       /* u8 [n_partitions][dim], offset by 128 */
    PN_SECTION_CENTROID_SCALES, /* f32 [n_partitions] */
    PN_SECTION_SPREADS, /* f32 [kinds][n_partitions] variance of q . residual over that of all rows, in each set of codes */
    PN_SECTION_LOSSES, /* f32 [kinds][n_partitions] the same of the codes' error */
    PN_SECTION_OFFSETS, /* f32 [kinds][n_partitions] what a step of its rows' offsets is worth, in each set of codes */
    PN_SECTION_MEANS,     /* f32 [kinds][dim] of queries */
    PN_SECTION_EFFORTS,   /* pn_effort_row [kinds][PN_EFFORTS_MAX] */
    PN_SECTION_FRAGMENTS, /* pn_fragment_record [n_fragments] */
    PN_SECTION_NAMES,     /* NUL-terminated */
    PN_SECTION_PQ, /* of the first set of codes: six arrays in the order of pn_pq, then the codes */
    PN_PQ_SECTIONS = 8,
    PN_INDEX_SECTIONS = PN_SECTION_PQ + PN_INDEX_BOOKS * PN_PQ_SECTIONS
} pn_index_section;

#define PN_NOT_LISTED UINT32_MAX

typedef struct pn_fragment_record {
    uint32_t id, n_rows;
    uint64_t name_at;
} pn_fragment_record;

/* A point of the calibration, in ascending order of recall; unused rows have the recall 0. */
typedef struct pn_effort_row {
    float recall, rows;
    uint32_t partitions;
    float gap, widest_gap;
} pn_effort_row;

typedef struct pn_index_place {
    uint64_t offset, bytes, hash;
} pn_index_place;

typedef struct pn_index_trailer {
    pn_index_place sections[PN_INDEX_SECTIONS];
    uint64_t n_rows, n_listed, table_version, file_bytes;
    uint32_t dim, n_regions, n_partitions, n_fragments;
    uint32_t n_books;
    uint16_t n_groups[PN_INDEX_BOOKS];
    uint32_t n_axes[PN_INDEX_BOOKS];
    float residual; /* mean |residual|^2 */
    float tails[PN_INDEX_BOOKS];
    uint32_t n_texts; /* of the calibration */
    float widening
        [PN_QUERY_KINDS]; /* partitions grow with this power of 1 / the share of rows that may be returned */
    uint32_t format;
    uint64_t hash; /* of everything before */
    char magic[8];
} pn_index_trailer;

struct pn_index {
    pn_mapping mapping;
    char *path;
    pn_index_trailer facts;

    const uint8_t *copies; /* NULL: low memory */
    const float *scales, *errors;
    const uint32_t *order, *positions, *starts;
    const float *regions;
    const uint32_t *region_starts;
    const float *region_spreads;
    const uint8_t *centroids;
    const float *centroid_scales, *spreads, *losses, *offsets;
    const float *means;
    const pn_effort_row *efforts;
    const pn_fragment_record *fragments;
    const char *names;
    pn_pq books[PN_INDEX_BOOKS];
    const uint8_t *codes[PN_INDEX_BOOKS];
    size_t *block_starts;      /* [n_partitions + 1] in blocks; owned */
    size_t largest;            /* rows of the largest partition */
    uint32_t *unlisted;        /* [n_rows - n_listed] offsets in their fragments; owned */
    uint64_t *unlisted_starts; /* [n_fragments + 1] a fragment's first of them; owned */
    /* [n_regions + n_partitions], in standard deviations of q . residual: how far above its centroid the best row of a region or partition
     * is expected; owned */
    float *reaches[PN_INDEX_BOOKS];
    float *turned_means[PN_INDEX_BOOKS]; /* [n_axes] of queries, as a book turns them; owned */
    uint64_t turns[PN_INDEX_BOOKS];      /* hashes of what a book turns queries by */
    pn_index_scratch *scratch;           /* of searches; owned */
};

/* Point the index's arrays into bytes (a mapping, or what is written of one so far) as trailer says. */
void pn_index_place_arrays(pn_index *index, const uint8_t *bytes);
/* Make the owned arrays. */
PN_NODISCARD pn_status pn_index_derive(pn_index *index, pn_error *err);
void pn_index_free_derived(pn_index *index); /* also after a failure */

/* INVALID when rows are not of the index's fragments, or, with all_there, when a fragment is gone. */
PN_NODISCARD pn_status pn_index_check_rows(const pn_index *index, const pn_vector_rows *rows,
                                           bool all_there, pn_error *err);

/* Bytes of the copies of n rows. */
static inline uint64_t pn_index_copies_bytes(uint64_t n, size_t dim)
{
    return (n + PN_COPY_BLOCK - 1) / PN_COPY_BLOCK * PN_COPY_BLOCK * 2 * pn_half_bytes(dim);
}

static inline const uint8_t *pn_index_upper_half(const pn_index *index, size_t position)
{
    const size_t half = pn_half_bytes(index->facts.dim);
    return index->copies +
           (position / PN_COPY_BLOCK * PN_COPY_BLOCK * 2 + position % PN_COPY_BLOCK) * half;
}

/* That which belongs to an upper one. */
static inline const uint8_t *pn_index_lower_half(const pn_index *index, const uint8_t *upper)
{
    return upper + PN_COPY_BLOCK * pn_half_bytes(index->facts.dim);
}

/* A query in 16 bits, whose products with bytes fit 32. It has 2 * pn_half_bytes(dim) values; behind dim they are zeros. */
typedef struct pn_query16 {
    pn_i16_vector of;
    float step; /* of one */
    float lost; /* length of what rounding took */
} pn_query16;
/* Errors: NOMEM. */
PN_NODISCARD pn_status pn_index_round_query(const float *query, size_t dim, pn_arena *arena,
                                            pn_query16 *out, pn_error *err);

/* What a step of an 8-bit number is worth when `most` becomes 127. Below 1e-30 all are zero, which no distance notices: so
 * 1 / scale is finite. */
static inline float pn_index_scale(float most)
{
    return most > 1e-30f ? most / 127 : 1;
}

/* To the nearest, of at most 2^22, without a call: added to 1.5 * 2^23 a number has no fraction left, in the bits of its mantissa. */
static inline int32_t pn_round_to_int(float x)
{
    const float shift = 12582912.0f;
    union {
        float value;
        int32_t bits;
    } u = {.value = x + shift}, zero = {.value = shift};
    return u.bits - zero.bits;
}

/* A copy in 8 bits: the scale of a row, its bytes one by one, and the length of what they lack, from the sum of its squares. */
static inline float pn_copy_scale(const float *row, size_t dim)
{
    float most = 0;
    for (size_t d = 0; d < dim; d++)
        most = PN_MAX(most, fabsf(row[d]));
    return pn_index_scale(most);
}
static inline uint8_t pn_copy_byte(float x, float scale, float factor, float *lost)
{
    int32_t value = pn_round_to_int(x * factor); /* factor: 1 / scale */
    float missing = x - scale * (float)value;
    *lost += missing * missing;
    return (uint8_t)(128 + value);
}
static inline float pn_copy_error(float lost)
{
    return sqrtf(lost) * 1.0001f; /* a bound, whatever the order of the sum */
}

/* Which of n steps: x itself, of what is a number and not outside. */
static inline size_t pn_clamp_step(float x, size_t n)
{
    return x > 0 ? (size_t)PN_MIN(x, (float)(n - 1)) : 0;
}

/* The score of a row by its vector, the number that a flat scan has for it; and its address. */
float pn_index_exact_score(const pn_index *index, const pn_index_query *query, uint32_t position);
uint64_t pn_index_row_addr(const pn_index *index, const pn_vector_rows *rows, uint32_t position);

struct pn_index_mask {
    uint64_t n_rows;
    uint64_t *bits;                 /* [n_listed] by position */
    uint32_t *counts;               /* [n_regions + n_partitions] */
    float *reaches[PN_INDEX_BOOKS]; /* as those of the index, of the rows left */
};

/* reaches of each book, for so many rows in each region and partition; pn_free() them, also after a failure. */
PN_NODISCARD pn_status pn_index_reaches(const pn_index *index, const uint32_t *counts,
                                        float **reaches, pn_error *err);

/* ---- writing: sections one after another, the trailer last */

typedef struct pn_index_writer pn_index_writer;
/* Into a new file beside path; path appears by pn_index_writer_finish(). */
PN_NODISCARD pn_status pn_index_writer_create(const char *path, pn_index_writer **out,
                                              pn_error *err);
PN_NODISCARD pn_status pn_index_writer_begin(pn_index_writer *writer, pn_index_section section,
                                             pn_error *err);
PN_NODISCARD pn_status pn_index_writer_add(pn_index_writer *writer, const void *bytes, size_t n,
                                           pn_error *err);
PN_NODISCARD pn_status pn_index_writer_section(pn_index_writer *writer, pn_index_section section,
                                               const void *bytes, size_t n, pn_error *err);
/* What is written so far, as memory; the sections of facts are set. */
PN_NODISCARD pn_status pn_index_writer_map(pn_index_writer *writer, pn_mapping *out, pn_error *err);
pn_index_trailer *pn_index_writer_facts(pn_index_writer *writer);
PN_NODISCARD pn_status pn_index_writer_finish(pn_index_writer *writer, pn_error *err);
void pn_index_writer_free(
    pn_index_writer *writer); /* removes what is not finished; NULL is welcome */

/* ---- calibration */

typedef struct pn_calibration {
    const pn_index *index;
    const pn_vector_rows *rows;
    const float *queries; /* [n][dim] unit vectors */
    size_t n, n_apart;    /* the first n_apart are measured by themselves; 0: all are of one sort */
    pn_query_kind kind;
    pn_pool *pool;
    const _Atomic bool *cancel;
} pn_calibration;

/* efforts [PN_EFFORTS_MAX]; *widening as in the trailer. */
PN_NODISCARD pn_status pn_index_calibrate(const pn_calibration *calibration, pn_effort_row *efforts,
                                          float *widening, pn_error *err);

#endif

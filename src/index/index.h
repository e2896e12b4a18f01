/*
 * index.h - approximate nearest neighbours of unit vectors, by inverted lists
 *
 * Rows lie in partitions around centroids. A search goes through the partitions from the most promising on, adds up 4-bit codes of
 * their rows, refines the best by 8-bit copies (the upper four bits first), and the last few by the vectors themselves. How far it goes is decided for
 * every query: it stops when what is left can no longer improve the k-th place with the probability asked for.
 *
 *     file, mapped                            bytes a row
 *     codes      pq.h, one set a kind of query    34 each: 4 bits a code, and 2 bytes that make a score of them
 *     copies     residual in 8 bits, scale      512 + 8
 *     order      ordinal by position, and back    8
 *
 * An index is immutable. It covers the fragments it was built from; it knows nothing of deletions and filters, which a search
 * brings along. A row that was not a number at building is not found.
 *
 * Threads: an open index may be searched by many threads.
 * Source:  Jegou, Douze, Schmid 2011 (inverted lists of residual codes); DESIGN in docs/SEARCH.md.
 */
#ifndef PN_INDEX_INDEX_H
#define PN_INDEX_INDEX_H

#include "base/topk.h"
#include "column/rowset.h"
#include "index/vector_rows.h"
#include "os/mapping.h"
#include "os/pool.h"

typedef struct pn_index pn_index;

/* Pictures look for pictures; texts lie elsewhere (their best cosine is .3 where a picture's is .9), and need other codes
 * and more effort. */
typedef enum pn_query_kind { PN_QUERY_PICTURE, PN_QUERY_TEXT, PN_QUERY_KINDS } pn_query_kind;

#define PN_MIN_RECALL_DEFAULT 0.95f

typedef struct pn_index_build_options {
    size_t n_partitions; /* 0: four times the root of the number of rows */
    size_t code_groups;  /* 4-bit codes a row, of each set: 0 for 64 */
    bool
        low_memory; /* without the 8-bit copies: 80 bytes a row instead of 600, and refinement reads the vectors */
    const float
        *texts; /* [n_texts][dim] unit vectors of texts like those that will be asked; NULL: none */
    size_t n_texts;
    /* NULL, or an open index whose codes are taken instead of fitting some: for rows that join those of a larger one. Fewer than
     * PN_INDEX_ALIKE_ROWS take its efforts as well: all of their partitions are scanned, which is less work than it is to find out which. */
    const pn_index *like;
    uint64_t seed, table_version;
    pn_pool *pool;
    const _Atomic bool *cancel;
    /* NULL, or told about progress: done of 1, and what is being done (a constant) */
    void (*progress)(void *context, const char *stage, double done);
    void *context;
} pn_index_build_options;

/*
 * Build an index over rows and write it to path, atomically.
 *
 * Errors: INVALID (fewer rows than the smallest index, PN_INDEX_MIN_ROWS; vectors of another length than those of an index to be like, or
 * texts where that has none, or the other way round), LIMIT (dim), NOMEM, IO, CANCELLED. Nothing is left at path then.
 * Cost: two passes over the vectors and about 2 * 512 * dim multiply-adds a row; then 2.5 s for codes and efforts, from one million rows on
 * ten times that, and none of it for an index that takes both from another.
 * Same rows, options and kernels give the same file, for any number of threads.
 */
enum { PN_INDEX_MIN_ROWS = 1000, PN_INDEX_ALIKE_ROWS = 32768 };
PN_NODISCARD pn_status pn_index_build(const pn_vector_rows *rows,
                                      const pn_index_build_options *options, const char *path,
                                      pn_error *err);

/* Errors: NOT_FOUND; CORRUPT, UNSUPPORTED (another format), named. Small sections are checked against their hashes; codes and
 * copies by pn_index_check(). */
PN_NODISCARD pn_status pn_index_open(const char *path, pn_index **out, pn_error *err);
void pn_index_close(pn_index *index); /* NULL is welcome */
PN_NODISCARD pn_status pn_index_check(const pn_index *index, pn_error *err);

typedef struct pn_index_info {
    uint64_t n_rows, n_listed, table_version, file_bytes;
    size_t dim, n_partitions, n_fragments;
    bool has_texts, has_copies;
    bool scans_all; /* every effort scans all partitions */
} pn_index_info;
void pn_index_info_get(const pn_index *index, pn_index_info *out);
/* Fragment i: its id, rows and the name of the file with its vectors, which lives with the index. */
void pn_index_fragment_get(const pn_index *index, size_t i, pn_index_fragment *out);

/* The file in memory. What searches read first comes before the copies or after them; they only refine. No copies: of 0 bytes. */
typedef struct pn_index_memory {
    const pn_mapping *mapping;
    const char *path;
    size_t copies_offset, copies_bytes;
} pn_index_memory;
void pn_index_memory_get(const pn_index *index, pn_index_memory *out);

/* The rows of fragment i that no search returns, as offsets, ascending: they were deleted, or not a number, when it was built. Live with
 * the index, those of all fragments one behind the other. */
size_t pn_index_unlisted(const pn_index *index, size_t i, const uint32_t **out);

/* Which kind of queries a vector resembles: that whose mean is nearer. */
pn_query_kind pn_index_kind_of(const pn_index *index, const float *query);

/* How hard to look. */
typedef struct pn_index_effort {
    uint32_t partitions; /* the most that are scanned, of those with rows that may be returned */
    float
        rows; /* standard deviations by which a row, by its codes, may fall short of the k-th by codes */
    /* And no sooner than the best that the next partition promises is above the k-th place by no more than this; INFINITY: at once. */
    float gap;
    float
        widest_gap; /* that any search left which was measured; where rows are missing here and there, no more needs to be closed */
} pn_index_effort;

/*
 * The least effort whose recall was at least min_recall when the index was built, for queries of this kind; recall what it was,
 * less one standard error. share: of the rows, how many may be returned: the fewer, the farther off is the k-th, and the more partitions
 * may hold it; k: results. When no effort measured was enough, *recall is 0 and everything is looked at.
 */
pn_index_effort pn_index_effort_for(const pn_index *index, pn_query_kind kind, float min_recall,
                                    double share, size_t k, float *recall);

/* The effort with so many partitions, its other parts those of the calibrated one next below; *recall what that one had, 0 when there is
 * none. */
pn_index_effort pn_index_effort_at(const pn_index *index, pn_query_kind kind, uint32_t partitions,
                                   float *recall);

/*
 * Which rows of an index may be returned: neither deleted, nor gone with their fragment, and let pass by a filter.
 *
 * rows      of the index's fragments, in its order; one without runs is gone
 * allowed   NULL: all; [n_fragments] words of each fragment, NULL where none is allowed
 *
 * Cost: one look at every row that is allowed. Errors: NOMEM. Immutable; many searches may share it.
 */
typedef struct pn_index_mask pn_index_mask;
PN_NODISCARD pn_status pn_index_mask_make(const pn_index *index, const pn_vector_rows *rows,
                                          const uint64_t *const *allowed, pn_index_mask **out,
                                          pn_error *err);
uint64_t pn_index_mask_count(const pn_index_mask *mask);
void pn_index_mask_free(pn_index_mask *mask); /* NULL is welcome */

/* What k rows reach that were found elsewhere, in other indexes of the same table; rows that do not reach it are left out. */
typedef struct pn_index_bar {
    float score;    /* the k-th; -INFINITY: none are known */
    float by_codes; /* the k-th by codes, which others' codes are compared with */
} pn_index_bar;

/* A query as one index's codes see it, for the next one: indexes that were made like another have the same codes. */
typedef struct pn_index_turned {
    uint64_t codes; /* whose it is; 0: nobody's yet */
    float *values;  /* [dim], the caller's */
} pn_index_turned;

typedef struct pn_index_query {
    const float *vector; /* [dim], unit length */
    pn_query_kind kind;
    pn_index_effort effort;
    const pn_vector_rows *rows; /* of the index's fragments, in its order: the vectors */
    const pn_index_mask *mask;  /* NULL: every row, and then no fragment may be gone */
    const pn_index_bar *bar;    /* NULL: nothing was found elsewhere */
    pn_index_turned *turned;    /* NULL: no other index is asked */
    const _Atomic bool *cancel;
} pn_index_query;

typedef struct pn_index_stats {
    uint64_t n_partitions, n_scanned, n_refined, n_exact;
    float gap;      /* that was left at the end; -INFINITY: nothing was left */
    float by_codes; /* the k-th score by codes, or the bar's, if that is higher */
} pn_index_stats;

/*
 * The k nearest rows by 1 - cosine, exact distances, at most topk->k; ids are row addresses. Sorted.
 * Fewer than k come back only when fewer rows are listed and in the mask, or reach the bar. Same index and query give the same answer.
 */
PN_NODISCARD pn_status pn_index_search(const pn_index *index, const pn_index_query *query,
                                       pn_topk *topk, pn_index_stats *stats, pn_error *err);

/*
 * The answer of a flat scan of the listed rows in the mask, the same rows in the same order at the same distances, out of a quarter of the
 * bytes: a copy says how near a row is at best, and only rows that may be among the k nearest are read themselves. query->effort does not
 * matter. stats: n_scanned copies, n_exact vectors.
 *
 * Errors: INVALID (rows of another index; an index of low memory has no copies), NOMEM, CANCELLED.
 * Threads: the work is spread over pool, which may be NULL.
 */
PN_NODISCARD pn_status pn_index_search_exact(const pn_index *index, const pn_index_query *query,
                                             pn_pool *pool, pn_topk *topk, pn_index_stats *stats,
                                             pn_error *err);

#endif

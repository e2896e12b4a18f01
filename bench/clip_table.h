/*
 * clip_table.h - a table of the vectors that bench_vectors made, behind the engine's door
 *
 * For benchmarks of the whole way: whatever fails ends the program and says why.
 */
#ifndef PN_BENCH_CLIP_TABLE_H
#define PN_BENCH_CLIP_TABLE_H

#include "base/arena.h"
#include "collection/local_engine.h"
#include "os/mapping.h"

enum { CLIP_DIM = 512, CLIP_K = 10, CLIP_KINDS = 2 };

typedef struct clip_table {
    pn_engine *engine;
    pn_pool *pool;     /* NULL: the calling thread */
    pn_schema schema;  /* id, vector */
    const float *base; /* [n_base][CLIP_DIM] of DATA */
    size_t n_base;
    const float *queries[CLIP_KINDS]; /* [n_queries][CLIP_DIM], pictures and texts */
    size_t n_queries[CLIP_KINDS];
    const float *texts; /* [n_texts][CLIP_DIM] to calibrate with */
    size_t n_texts;
    pn_arena arena;
    pn_mapping maps[4];
} clip_table;

/* Make the empty table folder, which must not be there; data is a folder of bench_vectors. n_threads 1: no pool. */
void clip_table_create(const char *data, const char *folder, unsigned n_threads, clip_table *out);
void clip_table_free(clip_table *table);

/* Rows with the ids first_id, first_id + 1, ...; row i is vectors + rows[i] * CLIP_DIM, rows NULL: i. */
void clip_table_append(clip_table *table, const float *vectors, const uint32_t *rows, size_t n,
                       int64_t first_id);
/* Those with ids in [first, end). */
void clip_table_delete(clip_table *table, int64_t first, int64_t end);
/* Build what is due, or with all one index of everything; how many rows it has. */
uint64_t clip_table_build_index(clip_table *table, bool all);

typedef struct clip_answer {
    size_t n;
    float distances[CLIP_K];
    int64_t ids[CLIP_K];
    pn_engine_search_stats stats;
    int64_t ns;     /* pin, search and the ids: what a caller waits for */
    int64_t pin_ns; /* of these, to see the newest version */
} clip_answer;
void clip_table_search(clip_table *table, const float *query, const char *filter, bool exact,
                       clip_answer *out);
/* The share of right ones: as near as the last of the truth, but for rounding. */
double clip_recall(const clip_answer *answer, const clip_answer *truth);

PN_PRINTF(1, 2) _Noreturn void clip_stop(const char *format, ...);
/* Sorts; share in [0, 1). */
double clip_percentile_us(int64_t *ns, size_t n, double share);

#endif

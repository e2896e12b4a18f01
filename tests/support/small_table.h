/*
 * small_table.h - tables for tests whose every row can be computed from its id
 *
 *     id        int64, not null
 *     vector    fixed_size_list<float>[16], not null     id + k / 16
 *     name      string, nullable                         "row <id>"; null when id % 7 = 3
 *     metadata  map<string,string>, not null             {"mod": id % 3}; empty when id % 5 = 0
 *
 * small_table_read() checks all of that, so a test only has to know which ids should be there.
 */
#ifndef PN_TESTS_SUPPORT_SMALL_TABLE_H
#define PN_TESTS_SUPPORT_SMALL_TABLE_H

#include "dataset/dataset.h"
#include "dataset/upsert.h"

#define SMALL_TABLE_DIM 16

void small_table_schema(pn_arena *arena, pn_schema *out);

/* A batch of rows with ids [first, first + n); small_batch_free(). */
typedef struct small_batch {
    pn_arena arena;
    pn_schema schema;
    void *builders[4];
    pn_array arrays[4];
    pn_batch batch;
} small_batch;
void small_batch_make(int64_t first, size_t n, small_batch *out);
void small_batch_free(small_batch *batch);

pn_status small_table_create(const char *path, pn_dataset **out, pn_error *err);
/* Append ids [first, first + n), in several batches, and delete the rows of replaced (NULL: none) in one version. */
pn_status small_table_append(pn_dataset *dataset, int64_t first, size_t n,
                             const pn_rowset *replaced, pn_dataset **out, pn_error *err);
/* Delete what passes the filter. */
pn_status small_table_delete(pn_dataset *dataset, const char *filter, uint64_t *n_deleted,
                             pn_dataset **out, pn_error *err);

/* All of a batch in one upsert. */
pn_status small_table_upsert(pn_dataset *dataset, const pn_batch *batch,
                             const pn_upsert_options *options, pn_dataset **out, pn_error *err);

/* For qsort(): int64_t, ascending. */
int compare_ids(const void *left, const void *right);
/* The ids in ascending order, in arena. Every value of every row is checked; a fault fails the running test. */
int64_t *small_table_read(pn_dataset *dataset, pn_arena *arena, size_t *n);
/* Is the table exactly the ids first, first + step, ... (n of them)? Fails the test when not. */
void small_table_expect(pn_dataset *dataset, int64_t first, int64_t step, size_t n);

/* Copy a folder with all in it. */
void small_table_copy_folder(const char *from, const char *to);

#endif

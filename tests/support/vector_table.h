/*
 * vector_table.h - vectors in clusters, as a table's fragments
 *
 * A row is the middle of its cluster, moved more along the first axes than along the last, and made a unit vector; so
 * neighbours lie together and few axes say most, as of pictures. Texts lie around a place of their own, far from all rows.
 */
#ifndef PN_TESTS_SUPPORT_VECTOR_TABLE_H
#define PN_TESTS_SUPPORT_VECTOR_TABLE_H

#include "base/rng.h"
#include "index/vector_rows.h"

enum { VECTOR_TABLE_MAX_FRAGMENTS = 8 };

typedef struct vector_table_options {
    size_t n_rows, dim, n_clusters, n_fragments;
    bool any_length; /* lengths between 1/2 and 5 */
    uint64_t seed;
} vector_table_options;

typedef struct vector_table {
    vector_table_options options;
    float *vectors;    /* [n_rows][dim]: may be changed by the test */
    float *middles;    /* [n_clusters][dim] */
    uint32_t *cluster; /* [n_rows] */
    uint64_t *deleted[VECTOR_TABLE_MAX_FRAGMENTS];
    uint32_t starts[VECTOR_TABLE_MAX_FRAGMENTS + 1]; /* first row of a fragment */
    pn_index_fragment fragments[VECTOR_TABLE_MAX_FRAGMENTS];
    pn_flat_run runs[2 * VECTOR_TABLE_MAX_FRAGMENTS]; /* two a fragment */
    pn_vector_rows rows;
} vector_table;

void vector_table_make(const vector_table_options *options, vector_table *out);
void vector_table_free(vector_table *table);

/* A unit vector that may have been a row. */
void vector_table_picture(const vector_table *table, pn_rng *rng, float *out);
/* [n][dim] unit vectors; pn_free(). */
float *vector_table_texts(const vector_table *table, size_t n, uint64_t seed);

/* By ordinal. */
void vector_table_delete(vector_table *table, size_t row);
bool vector_table_is_deleted(const vector_table *table, size_t row);
/* The row of an address. */
size_t vector_table_row(const vector_table *table, uint64_t addr);

#endif

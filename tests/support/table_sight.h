/*
 * table_sight.h - what a reader sees of a table, in a form that can be compared
 *
 * A sight is a few hashes over everything that a table promises to keep: its rows, value by value, in whatever order and whichever
 * files they lie; the names of its columns; its tags. Two sights that are the same are the same table. What a test expects is hashed
 * from batches of its own in the same way.
 */
#ifndef PN_TESTS_SUPPORT_TABLE_SIGHT_H
#define PN_TESTS_SUPPORT_TABLE_SIGHT_H

#include "dataset/dataset.h"

typedef struct table_sight {
    uint64_t version; /* the newest; 0: there is no table */
    uint64_t n_rows, rows;
    uint64_t columns;
    uint64_t tags; /* names and versions */
    uint64_t n_sums;
} table_sight;

/* Of the newest version. Whatever cannot be read fails the running test. */
table_sight table_see(const char *table);
bool table_sight_equal(const table_sight *a, const table_sight *b);

/* The rows of a version, or of a batch, whatever their order: of several batches the sum. columns NULL: all. */
uint64_t sight_of_rows(pn_dataset *dataset, const char *const *columns, size_t n_columns);
uint64_t sight_of_batch(const pn_batch *batch);

/*
 * Clean the table up, of orphans of any age: then each file left is named by a version (or is a tag, a version, or one of pennon's own), and
 * none is half a one. what is for the message that fails the running test.
 */
void table_clean_up(const char *table, int64_t older_than_ms, const char *what);

#endif

/*
 * search_table.h - a table in a temporary folder, its rows from JSON, and an embedder that knows three words
 */
#ifndef PN_TESTS_SUPPORT_SEARCH_TABLE_H
#define PN_TESTS_SUPPORT_SEARCH_TABLE_H

#include "collection/engine.h"
#include "embed/embedder.h"

enum { SEARCH_TABLE_DIM = 4 };

typedef struct search_table {
    pn_arena arena;
    char *folder, *path;
    pn_schema schema;
    pn_engine *engine;
} search_table;

/* schema NULL: an image table with vectors of 4 floats. */
void search_table_make(const pn_schema *schema, search_table *out);
/* Rows as in json_rows.h. */
void search_table_append(search_table *table, const char *json);
void search_table_free(search_table *table);

/*
 * "east" is (1, 0, 0, 0), "north" (0, 1, 0, 0), "up" (0, 0, 1, 0) and every other text NOT_FOUND. A picture is the direction
 * of its mean (red, green, blue, 0). Nothing to free.
 */
void search_words_init(pn_embedder *out);

#endif

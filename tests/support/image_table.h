/*
 * image_table.h - image tables and pictures for tests of what is above the engine
 *
 * Pictures are bitmaps of one colour, which every decoder reads exactly. Rows are written without a pipeline.
 */
#ifndef PN_TESTS_SUPPORT_IMAGE_TABLE_H
#define PN_TESTS_SUPPORT_IMAGE_TABLE_H

#include "collection/engine.h"
#include "support/scratch_folder.h"

enum { BITMAP_SIDE_PX = 4, BITMAP_BYTES = 54 + BITMAP_SIDE_PX * BITMAP_SIDE_PX * 3 };

/* A bitmap of one colour, 0xRRGGBB. */
void bitmap_make(uint32_t colour, uint8_t out[BITMAP_BYTES]);
/* The same as a file of the scratch folder; its path. */
char *bitmap_file(scratch_folder *s, const char *name, uint32_t colour);

/* A new table name in the scratch folder; pn_engine_free(). */
pn_engine *image_table_make(scratch_folder *s, const char *name, uint32_t dim,
                            const char *identity);

typedef struct image_table_row {
    const char *path;
    const float *vector;     /* [dim] */
    const char *key, *value; /* its metadata; key NULL: none */
} image_table_row;
/* In one version; ids count on from what is there. */
void image_table_append(pn_engine *engine, uint32_t dim, const image_table_row *rows, size_t n);

/* Rows that pass the filter (NULL: all) in the newest version. */
uint64_t image_table_count(pn_engine *engine, const char *filter);

#endif

/*
 * image_table.c - image tables and pictures for tests
 */
#include "support/image_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/endian.h"
#include "collection/local_engine.h"
#include "column/builder.h"

enum { N_COLUMNS = 4 }; // vector, path, metadata, timestamp; the ids come by themselves

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

void bitmap_make(uint32_t colour, uint8_t out[BITMAP_BYTES])
{
    memset(out, 0, 54);
    memcpy(out, "BM", 2);
    pn_store_le32(out + 2, BITMAP_BYTES);
    pn_store_le32(out + 10, 54); // where the pixels are
    pn_store_le32(out + 14, 40); // bytes of the header that follows
    pn_store_le32(out + 18, BITMAP_SIDE_PX);
    pn_store_le32(out + 22, BITMAP_SIDE_PX);
    out[26] = 1;  // planes
    out[28] = 24; // bits a pixel
    for (size_t i = 54; i < BITMAP_BYTES; i += 3) {
        out[i] = (uint8_t)colour;
        out[i + 1] = (uint8_t)(colour >> 8);
        out[i + 2] = (uint8_t)(colour >> 16);
    }
}

char *bitmap_file(scratch_folder *s, const char *name, uint32_t colour)
{
    uint8_t bytes[BITMAP_BYTES];
    char *path = scratch_path(s, name);
    bitmap_make(colour, bytes);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

pn_engine *image_table_make(scratch_folder *s, const char *name, uint32_t dim, const char *identity)
{
    pn_error err = {0};
    pn_schema schema;
    pn_engine *engine = NULL;
    check(pn_image_schema_make(dim, identity, "test", "none", &s->arena, &schema, &err), &err);
    check(pn_local_engine_create(scratch_path(s, name), &schema, NULL, &engine, &err), &err);
    return engine;
}

static void append_row(pn_builder **b, uint32_t dim, const image_table_row *row)
{
    pn_error err = {0};
    check(pn_builder_append_floats(b[0], row->vector, dim, &err), &err);
    check(pn_builder_append_bytes(b[1], row->path, strlen(row->path), &err), &err);
    if (row->key) {
        pn_builder *entries = pn_builder_child(b[2], 0);
        check(
            pn_builder_append_bytes(pn_builder_child(entries, 0), row->key, strlen(row->key), &err),
            &err);
        check(pn_builder_append_bytes(pn_builder_child(entries, 1), row->value, strlen(row->value),
                                      &err),
              &err);
        check(pn_builder_close_row(entries, &err), &err);
    }
    check(pn_builder_close_row(b[2], &err), &err);
    check(pn_builder_append_i64(b[3], 0, &err), &err);
}

void image_table_append(pn_engine *engine, uint32_t dim, const image_table_row *rows, size_t n)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_info info;
    pn_builder *builders[N_COLUMNS];
    pn_array arrays[N_COLUMNS];
    check(engine->pin(engine->self, &snapshot, &err), &err);
    engine->info(engine->self, snapshot, &info);
    pn_schema schema = {.fields = info.schema->fields + 1, .n_fields = N_COLUMNS}; // behind the id
    for (size_t c = 0; c < N_COLUMNS; c++)
        check(pn_builder_create(&schema.fields[c], 1 << 26, &builders[c], &err), &err);
    for (size_t i = 0; i < n; i++)
        append_row(builders, dim, &rows[i]);
    for (size_t c = 0; c < N_COLUMNS; c++)
        check(pn_builder_view(builders[c], &arrays[c], &err), &err);
    pn_batch batch = {.schema = &schema, .columns = arrays, .n_rows = n};
    check(engine->append(engine->self, snapshot, &batch, NULL, &err), &err);
    for (size_t c = 0; c < N_COLUMNS; c++)
        pn_builder_free(builders[c]);
    engine->unpin(engine->self, snapshot);
}

uint64_t image_table_count(pn_engine *engine, const char *filter)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    uint64_t count = 0;
    check(engine->pin(engine->self, &snapshot, &err), &err);
    check(engine->filter(engine->self, snapshot, filter, NULL, &count, &err), &err);
    engine->unpin(engine->self, snapshot);
    return count;
}

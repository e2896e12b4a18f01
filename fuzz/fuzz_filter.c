/*
 * fuzz_filter.c - any bytes as a filter
 *
 * The text is compiled against a schema with a column of every kind, and evaluated over a fixed batch of 70 rows. What is accepted
 * must be printed as a text that compiles, prints the same, and matches the same rows; the arenas have a maximum, so that
 * memory is bounded too. The batch is made by builders once.
 */
#include "base/arena.h"
#include "column/builder.h"
#include "filter/filter.h"

#include <string.h>

enum { N_ROWS = 70, N_COLUMNS = 9, ARENA_BYTES = 256 << 20 };

static pn_arena schema_arena;
static pn_schema schema;
static pn_array arrays[N_COLUMNS];
static pn_batch batch;

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void make_schema(void)
{
    pn_arena_init(&schema_arena, SIZE_MAX);
    pn_field *f = PN_ARENA_NEW(&schema_arena, pn_field, N_COLUMNS);
    pn_field *size = PN_ARENA_NEW(&schema_arena, pn_field, 1);
    pn_field item;
    must(f && size);
    pn_field_init(&f[0], "id", PN_TYPE_INT64, true);
    pn_field_init(&f[1], "price", PN_TYPE_DOUBLE, true);
    pn_field_init(&f[2], "title", PN_TYPE_STRING, true);
    pn_field_init(&f[3], "available", PN_TYPE_BOOL, true);
    pn_field_init(&f[4], "timestamp", PN_TYPE_TIMESTAMP, true);
    pn_field_init(&f[5], "weight", PN_TYPE_FLOAT, true);
    must(pn_field_init_string_map(&f[6], "metadata", true, &schema_arena));
    pn_field_init(&item, "item", PN_TYPE_STRING, true);
    must(pn_field_init_list(&f[7], "tags", &item, true, &schema_arena));
    pn_field_init(&f[8], "size", PN_TYPE_STRUCT, true);
    pn_field_init(&size[0], "width", PN_TYPE_UINT64, true);
    f[8].children = size;
    f[8].n_children = 1;
    schema = (pn_schema){.fields = f, .n_fields = N_COLUMNS};
}

static void add_text(pn_builder *builder, const char *text)
{
    must(pn_builder_append_bytes(builder, text, strlen(text), NULL) == PN_OK);
}

static void add_row(pn_builder **b, int64_t i)
{
    static const char *const texts[] = {"",           "red",      "Gr\xc3\xbcn", "5.5",
                                        "2024-01-01", "\xff\xfe", "true"};
    const char *text = texts[i % 7];
    must(pn_builder_append_i64(b[0], i % 3 ? i - 5 : INT64_MIN, NULL) == PN_OK);
    must(pn_builder_append_double(b[1], i % 4 ? (double)i / 3 : 1e308 * 10, NULL) == PN_OK);
    add_text(b[2], text);
    must(pn_builder_append_i64(b[3], i % 2, NULL) == PN_OK);
    must(pn_builder_append_i64(b[4], i % 5 ? 1700000000000 + i : INT64_MAX, NULL) == PN_OK);
    must(pn_builder_append_double(b[5], 0.1 * (double)i, NULL) == PN_OK);
    pn_builder *entries = pn_builder_child(b[6], 0);
    add_text(pn_builder_child(entries, 0), "a");
    add_text(pn_builder_child(entries, 1), text);
    must(pn_builder_close_row(entries, NULL) == PN_OK);
    must(pn_builder_close_row(b[6], NULL) == PN_OK);
    add_text(pn_builder_child(b[7], 0), text);
    must(pn_builder_close_row(b[7], NULL) == PN_OK);
    must(pn_builder_append_u64(pn_builder_child(b[8], 0), UINT64_MAX - (uint64_t)i, NULL) == PN_OK);
    must(pn_builder_close_row(b[8], NULL) == PN_OK);
}

static void make_batch(void)
{
    static pn_builder *builders[N_COLUMNS]; // live as long as the process
    make_schema();
    for (size_t c = 0; c < N_COLUMNS; c++)
        must(pn_builder_create(&schema.fields[c], 1 << 20, &builders[c], NULL) == PN_OK);
    for (int64_t i = 0; i < N_ROWS; i++) {
        if (i % 6 != 5) {
            add_row(builders, i);
            continue;
        }
        for (size_t c = 0; c < N_COLUMNS; c++)
            must(pn_builder_append_null(builders[c], NULL) == PN_OK);
    }
    for (size_t c = 0; c < N_COLUMNS; c++)
        must(pn_builder_view(builders[c], &arrays[c], NULL) == PN_OK);
    batch = (pn_batch){.schema = &schema, .columns = arrays, .n_rows = N_ROWS};
}

static void check_printed(const pn_filter *filter, const pn_mask *mask, pn_status evaluated,
                          pn_arena *arena)
{
    char *printed, *again_printed;
    pn_filter *again;
    pn_mask again_mask;
    if (pn_filter_print(filter, arena, &printed, NULL) != PN_OK)
        return; // no memory
    pn_status status = pn_filter_compile(pn_str_of(printed), &schema, arena, &again, NULL);
    if (status == PN_ERR_LIMIT || status == PN_ERR_NOMEM)
        return;
    must(status == PN_OK);
    must(pn_filter_print(again, arena, &again_printed, NULL) == PN_OK);
    must(strcmp(printed, again_printed) == 0);
    status = pn_filter_eval(again, &batch, arena, &again_mask, NULL);
    must(status == evaluated || status == PN_ERR_NOMEM);
    if (status == PN_OK)
        must(memcmp(mask->words, again_mask.words, sizeof(uint64_t) * 2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pn_arena arena;
    pn_filter *filter;
    pn_mask mask;
    pn_error err = {0};
    if (!batch.schema)
        make_batch();
    pn_arena_init(&arena, ARENA_BYTES);
    pn_status status =
        pn_filter_compile(pn_str_make((const char *)data, size), &schema, &arena, &filter, &err);
    if (status == PN_OK) {
        status = pn_filter_eval(filter, &batch, &arena, &mask, &err);
        must(status == PN_OK || err.message[0] != '\0');
        check_printed(filter, &mask, status, &arena);
    } else {
        must(err.message[0] != '\0' && pn_str_is_utf8(pn_str_of(err.message)));
    }
    pn_arena_reset(&arena);
    return 0;
}

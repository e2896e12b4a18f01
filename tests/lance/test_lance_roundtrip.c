/*
 * test_lance_roundtrip.c - random tables through our writer and our reader
 *
 * A seed makes a schema (types, nesting, which fields may be null), rows, the version and the sizes of the batches they are
 * appended in. What comes back must be equal, read in any way. PN_ROUNDTRIP_SEEDS in the environment asks for more seeds than
 * usual. Behind that: which layout a page gets, where LanceDB reads only one (tests/lance_client/run_lance_rewritten.sh).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "column/builder.h"
#include "lance/container.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/how_many.h"
#include "support/lance_checks.h"

enum { MAX_DEPTH = 4, MAX_COLUMNS = 6, WIDE_BYTES = 40000 };

typedef struct maker {
    pn_rng rng;
    pn_arena *arena;
    unsigned null_percent, empty_percent;
    bool has_maps;         /* since version 2.2 */
    bool has_null_structs; /* since version 2.1 */
} maker;

static const pn_type_id LEAF_TYPES[] = {
    PN_TYPE_BOOL,         PN_TYPE_INT8,
    PN_TYPE_INT16,        PN_TYPE_INT32,
    PN_TYPE_INT64,        PN_TYPE_UINT8,
    PN_TYPE_UINT16,       PN_TYPE_UINT32,
    PN_TYPE_UINT64,       PN_TYPE_HALF,
    PN_TYPE_FLOAT,        PN_TYPE_DOUBLE,
    PN_TYPE_STRING,       PN_TYPE_STRING,
    PN_TYPE_LARGE_STRING, PN_TYPE_BINARY,
    PN_TYPE_LARGE_BINARY, PN_TYPE_DATE32,
    PN_TYPE_DATE64,       PN_TYPE_TIME32,
    PN_TYPE_TIME64,       PN_TYPE_TIMESTAMP,
    PN_TYPE_DURATION,     PN_TYPE_DECIMAL128,
    PN_TYPE_DECIMAL256,   PN_TYPE_FIXED_SIZE_BINARY,
};

static uint64_t below(maker *m, uint64_t n)
{
    return pn_rng_below(&m->rng, n);
}

static void make_field(maker *m, unsigned depth, const char *name, bool nullable, pn_field *out);

static void make_children(maker *m, unsigned depth, size_t n, pn_field *parent)
{
    parent->n_children = n;
    parent->children = PN_ARENA_NEW(m->arena, pn_field, n);
    for (size_t i = 0; i < n; i++)
        make_field(m, depth + 1,
                   parent->type == PN_TYPE_STRUCT ? pn_arena_printf(m->arena, "m%zu", i) : "item",
                   below(m, 2), &parent->children[i]);
}

static void make_vector(maker *m, pn_field *out)
{
    static const pn_type_id items[] = {PN_TYPE_FLOAT, PN_TYPE_HALF, PN_TYPE_UINT8, PN_TYPE_INT64};
    out->type = PN_TYPE_FIXED_SIZE_LIST;
    out->size = (int32_t)(1 + below(m, 20));
    out->n_children = 1;
    out->children = PN_ARENA_NEW(m->arena, pn_field, 1);
    pn_field_init(&out->children[0], "item", items[below(m, PN_COUNT_OF(items))], true);
}

static void make_field(maker *m, unsigned depth, const char *name, bool nullable, pn_field *out)
{
    pn_field_init(out, name, LEAF_TYPES[below(m, PN_COUNT_OF(LEAF_TYPES))], nullable);
    out->unit = (pn_time_unit)below(m, 4);
    if (out->type == PN_TYPE_TIME32)
        out->unit = (pn_time_unit)below(m, 2);
    if (out->type == PN_TYPE_TIME64)
        out->unit = (pn_time_unit)(2 + below(m, 2));
    if (out->type == PN_TYPE_TIMESTAMP && below(m, 2))
        out->timezone = "UTC";
    if (out->type == PN_TYPE_FIXED_SIZE_BINARY)
        out->size = (int32_t)(1 + below(m, 9));
    if (out->type == PN_TYPE_DECIMAL128 || out->type == PN_TYPE_DECIMAL256) {
        out->precision = 30;
        out->scale = 4;
    }
    if ((pn_type_is_variable(out->type) || pn_type_is_integer(out->type)) && below(m, 4) == 0) {
        static const pn_type_id indices[] = {PN_TYPE_INT32, PN_TYPE_UINT32, PN_TYPE_INT64};
        out->is_dictionary = true;
        out->index_type = indices[below(m, PN_COUNT_OF(indices))];
    }
    uint64_t kind = depth < MAX_DEPTH ? below(m, 10) : 9;
    out->is_dictionary = out->is_dictionary && kind > 5;
    if (kind < 2) {
        out->type = kind == 0 ? PN_TYPE_LIST : PN_TYPE_LARGE_LIST;
        make_children(m, depth, 1, out);
    } else if (kind == 2 || kind == 5) {
        out->type = PN_TYPE_STRUCT;
        make_children(m, depth, 1 + (size_t)below(m, 3), out);
    } else if (kind == 3 && m->has_maps) {
        assert_true(pn_field_init_string_map(out, name, nullable, m->arena));
    } else if (kind == 4) {
        make_vector(m, out);
    }
}

/* ---- values ---- */

static bool percent(maker *m, unsigned n)
{
    return below(m, 100) < n;
}

static void append_value(maker *m, pn_builder *b, const pn_field *field)
{
    pn_error err = {0};
    static uint8_t bytes[WIDE_BYTES];
    pn_status status;
    size_t width = field->n_children == 0 ? pn_type_width(field) : 0;
    bool nullable = field->nullable && (m->has_null_structs || field->type != PN_TYPE_STRUCT);
    if (nullable && percent(m, m->null_percent)) {
        status = pn_builder_append_null(b, &err);
    } else if (field->type == PN_TYPE_BOOL) {
        status = pn_builder_append_i64(b, (int64_t)below(m, 2), &err);
    } else if (pn_type_is_variable(field->type)) {
        size_t n = (size_t)(percent(m, m->empty_percent) ? 0
                            : percent(m, 2) ? below(m, percent(m, 1) ? sizeof bytes : 6000)
                                            : below(m, 24));
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)('a' + below(m, 26));
        status = pn_builder_append_bytes(b, bytes, n, &err);
    } else if (width > 0) {
        for (size_t i = 0; i < width; i++)
            bytes[i] = (uint8_t)below(m, 256);
        if (field->type == PN_TYPE_HALF || field->type == PN_TYPE_FLOAT ||
            field->type == PN_TYPE_DOUBLE)
            status = pn_builder_append_double(b, (double)below(m, 2000) - 1000.5, &err);
        else
            status = pn_builder_append_bytes(b, bytes, width, &err);
    } else {
        size_t n = field->type == PN_TYPE_FIXED_SIZE_LIST ? (size_t)field->size
                   : field->type == PN_TYPE_STRUCT        ? 1
                   : percent(m, m->empty_percent)         ? 0
                   : percent(m, 1)                        ? (size_t)below(m, 200)
                                                          : (size_t)below(m, 4);
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < field->n_children; c++)
                append_value(m, pn_builder_child(b, c), &field->children[c]);
        status = pn_builder_close_row(b, &err);
    }
    if (status != PN_OK)
        fail_msg("%s", err.message);
}

typedef struct table {
    pn_arena arena;
    pn_schema schema;
    pn_builder *builders[MAX_COLUMNS];
    pn_array arrays[MAX_COLUMNS];
    size_t n_rows;
} table;

static void make_table(uint64_t seed, uint16_t minor, table *t)
{
    static const size_t ROWS[] = {0, 1, 2, 7, 100, 1023, 1024, 1025, 3000};
    static const unsigned PERCENTS[] = {0, 0, 1, 20, 60, 100};
    pn_arena_init(&t->arena, SIZE_MAX);
    maker m = {.rng = pn_rng_seed(seed),
               .arena = &t->arena,
               .has_maps = minor > 1,
               .has_null_structs = minor > 0};
    t->n_rows = ROWS[below(&m, PN_COUNT_OF(ROWS))];
    t->schema.n_fields = 1 + (size_t)below(&m, MAX_COLUMNS);
    t->schema.fields = PN_ARENA_NEW(&t->arena, pn_field, t->schema.n_fields);
    for (size_t i = 0; i < t->schema.n_fields; i++) {
        pn_field *field = &t->schema.fields[i];
        make_field(&m, 0, pn_arena_printf(&t->arena, "c%zu", i), below(&m, 2), field);
        m.null_percent = PERCENTS[below(&m, PN_COUNT_OF(PERCENTS))];
        m.empty_percent = PERCENTS[below(&m, PN_COUNT_OF(PERCENTS))];
        assert_int_equal(pn_builder_create(field, SIZE_MAX / 2, &t->builders[i], NULL), PN_OK);
        for (size_t row = 0; row < t->n_rows; row++)
            append_value(&m, t->builders[i], field);
        assert_int_equal(pn_builder_view(t->builders[i], &t->arrays[i], NULL), PN_OK);
    }
    pn_lance_schema_assign_ids(&t->schema, 0);
}

static void free_table(table *t)
{
    for (size_t i = 0; i < t->schema.n_fields; i++)
        pn_builder_free(t->builders[i]);
    pn_arena_reset(&t->arena);
}

/* Rows in batches of random size, some empty, each under a schema of its own that is gone after the append. */
static void append_batches(const table *t, pn_lance_writer *writer, pn_rng *rng)
{
    pn_error err = {0};
    for (size_t row = 0; row < t->n_rows;) {
        pn_arena arena;
        pn_schema schema;
        pn_array columns[MAX_COLUMNS];
        pn_arena_init(&arena, SIZE_MAX);
        size_t n = (size_t)pn_rng_below(rng, PN_MIN(t->n_rows - row, (size_t)700) + 1);
        assert_int_equal(pn_schema_copy(&t->schema, &arena, &schema, NULL), PN_OK);
        for (size_t i = 0; i < schema.n_fields; i++)
            assert_int_equal(pn_array_slice(&t->arrays[i], row, n, &arena, &columns[i], NULL),
                             PN_OK);
        pn_batch batch = {&schema, columns, n};
        if (pn_lance_writer_append(writer, &batch, &err) != PN_OK)
            fail_msg("append: %s", err.message);
        row += n;
        pn_arena_reset(&arena);
    }
}

static void check_file(const table *t, const char *path, uint16_t minor, pn_rng *rng, uint64_t seed)
{
    pn_error err = {0};
    pn_lance_file *file = NULL;
    if (pn_lance_file_open(path, &file, &err) != PN_OK)
        fail_msg("seed %zu: %s", (size_t)seed, err.message);
    assert_int_equal(pn_lance_file_rows(file), t->n_rows);
    assert_int_equal(pn_lance_file_major(file), 2);
    assert_int_equal(pn_lance_file_minor(file), minor);
    assert_int_equal(pn_lance_file_schema(file)->n_fields, t->schema.n_fields);
    for (size_t i = 0; i < t->schema.n_fields; i++) {
        pn_arena arena;
        pn_array whole;
        lance_column column;
        pn_arena_init(&arena, SIZE_MAX);
        lance_column_make(file, i, &column);
        char *want = pn_type_text(&t->schema.fields[i], &arena);
        assert_string_equal(pn_type_text(column.field, &arena), want);
        if (lance_column_read(&column, &arena, &whole, &err) != PN_OK)
            fail_msg("seed %zu, %s %s: %s", (size_t)seed, column.field->name, want, err.message);
        if (!pn_array_equal(&whole, &t->arrays[i]))
            fail_msg("seed %zu, %s %s: differs", (size_t)seed, column.field->name, want);
        lance_column_check(&column, &whole, rng);
        pn_arena_reset(&arena);
    }
    pn_lance_file_close(file);
}

static void check_seed(const char *folder, uint64_t seed)
{
    table t = {0};
    pn_error err = {0};
    pn_lance_writer *writer = NULL;
    uint64_t n_rows, size_bytes;
    pn_file_info info;
    pn_rng rng = pn_rng_seed(seed + 1000000);
    uint16_t minor = (uint16_t)(seed % 4);
    make_table(seed, minor, &t);
    char *path = pn_path_join(&t.arena, folder, "t.lance");
    if (pn_lance_writer_create_version(path, &t.schema, minor, &writer, &err) != PN_OK)
        fail_msg("seed %zu: %s", (size_t)seed, err.message);
    append_batches(&t, writer, &rng);
    if (pn_lance_writer_finish(writer, NULL, &n_rows, &size_bytes, &err) != PN_OK)
        fail_msg("seed %zu: %s", (size_t)seed, err.message);
    pn_lance_writer_close(writer);
    assert_int_equal(n_rows, t.n_rows);
    assert_int_equal(pn_path_info(path, &info, NULL), PN_OK);
    assert_int_equal(info.size_bytes, size_bytes);
    check_file(&t, path, minor, &rng, seed);
    assert_int_equal(pn_path_remove(path, NULL), PN_OK);
    free_table(&t);
}

static void random_tables__come_back_equal(void **state)
{
    (void)state;
    pn_arena arena;
    char *folder;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("pn-roundtrip", &arena, &folder, NULL), PN_OK);
    uint64_t n = how_many("PN_ROUNDTRIP_SEEDS", 80);
    for (uint64_t seed = 0; seed < n; seed++)
        check_seed(folder, seed);
    assert_int_equal(pn_dir_remove_all(folder, NULL), PN_OK);
    pn_arena_reset(&arena);
}

/* ---- layouts ---- */

/* Rows of struct<list<string>>: N a null struct, E an empty list, I a list of a null and a word, W a list of a wide word. */
static void write_rows(const char *path, const char *rows, uint16_t minor)
{
    static const char wide[WIDE_BYTES];
    pn_error err = {0};
    pn_field parts[2], item;
    uint64_t n_rows, size_bytes;
    pn_field_init(&parts[0], "s", PN_TYPE_STRUCT, true);
    pn_field_init(&parts[1], "l", PN_TYPE_LIST, true);
    pn_field_init(&item, "item", PN_TYPE_STRING, true);
    parts[0].children = &parts[1];
    parts[1].children = &item;
    parts[0].n_children = parts[1].n_children = 1;
    pn_schema schema = {.fields = parts, .n_fields = 1};
    pn_builder *b;
    pn_lance_writer *writer = NULL;
    pn_array array;
    pn_lance_schema_assign_ids(&schema, 0);
    assert_int_equal(pn_builder_create(&parts[0], SIZE_MAX / 2, &b, &err), PN_OK);
    for (const char *r = rows; *r; r++) {
        pn_builder *list = pn_builder_child(b, 0), *words = pn_builder_child(list, 0);
        if (*r == 'N') {
            assert_int_equal(pn_builder_append_null(b, &err), PN_OK);
            continue;
        }
        if (*r == 'I')
            assert_int_equal(pn_builder_append_null(words, &err), PN_OK);
        if (*r != 'E')
            assert_int_equal(
                pn_builder_append_bytes(words, wide, *r == 'W' ? sizeof wide : 4, &err), PN_OK);
        assert_int_equal(pn_builder_close_row(list, &err), PN_OK);
        assert_int_equal(pn_builder_close_row(b, &err), PN_OK);
    }
    assert_int_equal(pn_builder_view(b, &array, &err), PN_OK);
    pn_batch batch = {&schema, &array, strlen(rows)};
    assert_int_equal(pn_lance_writer_create_version(path, &schema, minor, &writer, &err), PN_OK);
    assert_int_equal(pn_lance_writer_append(writer, &batch, &err), PN_OK);
    assert_int_equal(pn_lance_writer_finish(writer, NULL, &n_rows, &size_bytes, &err), PN_OK);
    pn_lance_writer_close(writer);
    pn_builder_free(b);
}

/* "m256 " for a mini-block page with these layers, f full-zip, c constant. */
static void tell_pages(const char *path, char *out, size_t n_out)
{
    pn_container file;
    pn_error err = {0};
    size_t n = 0;
    assert_int_equal(pn_container_open(&file, path, &err), PN_OK);
    for (size_t i = 0; i < file.columns[0].n_pages; i++) {
        const Pn__Lance__PageLayout *page = file.columns[0].pages[i].layout;
        bool mini = page->layout_case == PN__LANCE__PAGE_LAYOUT__LAYOUT_MINI_BLOCK;
        bool zip = page->layout_case == PN__LANCE__PAGE_LAYOUT__LAYOUT_FULL_ZIP;
        const int32_t *layers = mini  ? page->mini_block->layers
                                : zip ? page->full_zip->layers
                                      : page->constant->layers;
        n += (size_t)snprintf(out + n, n_out - n, "%s%s%d%d%d", i > 0 ? " " : "",
                              mini  ? "m"
                              : zip ? "f"
                                    : "c",
                              layers[0], layers[1], layers[2]);
    }
    pn_container_close(&file);
}

static void pages__have_the_layout_that_is_read_everywhere(void **state)
{
    static const struct {
        const char *rows, *pages;
        uint16_t minor;
    } cases[] = {
        {"IIEI", "m353", 2},           // in every page alike, whether there are null structs or not
        {"INIEN", "m353", 2},          //
        {"II", "m323", 2},             //
        {"INI", "m353", 2},            // no empty list, but a level of the list's own
        {"NNN", "c353", 2},            // nothing at all
        {"IWNW", "m353", 2},           // wide values have chunks of their own
        {"IWNW", "f323 c353 f323", 1}, // where these are small, pages without nulls
        {"NINEWWIE", "m353 f323 c353", 1},
    };
    (void)state;
    pn_arena arena;
    char *folder, seen[64];
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("pn-layouts", &arena, &folder, NULL), PN_OK);
    char *path = pn_path_join(&arena, folder, "t.lance");
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        write_rows(path, cases[i].rows, cases[i].minor);
        tell_pages(path, seen, sizeof seen);
        if (strcmp(seen, cases[i].pages) != 0)
            fail_msg("%s: pages %s, want %s", cases[i].rows, seen, cases[i].pages);
        assert_int_equal(pn_path_remove(path, NULL), PN_OK);
    }
    assert_int_equal(pn_dir_remove_all(folder, NULL), PN_OK);
    pn_arena_reset(&arena);
}

/* ---- dictionaries ---- */

/* A column of n strings, of which n_different differ, with an index of 8 bits; nulls between. */
static pn_status write_dictionary(const char *path, size_t n, size_t n_different, pn_error *err)
{
    pn_field field;
    pn_builder *b;
    pn_array array;
    pn_lance_writer *writer = NULL;
    uint64_t n_rows, size_bytes;
    pn_field_init(&field, "d", PN_TYPE_STRING, true);
    field.is_dictionary = true;
    field.index_type = PN_TYPE_INT8;
    pn_schema schema = {.fields = &field, .n_fields = 1};
    pn_lance_schema_assign_ids(&schema, 0);
    assert_int_equal(pn_builder_create(&field, SIZE_MAX / 2, &b, err), PN_OK);
    for (size_t i = 0; i < n; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "value %zu", i % n_different);
        assert_int_equal(i % 7 == 3 ? pn_builder_append_null(b, err)
                                    : pn_builder_append_bytes(b, text, (size_t)length, err),
                         PN_OK);
    }
    assert_int_equal(pn_builder_view(b, &array, err), PN_OK);
    pn_batch batch = {&schema, &array, n};
    assert_int_equal(pn_lance_writer_create(path, &schema, &writer, err), PN_OK);
    assert_int_equal(pn_lance_writer_append(writer, &batch, err), PN_OK);
    pn_status status = pn_lance_writer_finish(writer, NULL, &n_rows, &size_bytes, err);
    pn_lance_writer_close(writer);
    pn_builder_free(b);
    return status;
}

static void a_dictionary__has_each_value_once_and_no_more_than_its_index_counts(void **state)
{
    (void)state;
    pn_arena arena;
    pn_error err = {0};
    pn_container file;
    char *folder;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("pn-dictionary", &arena, &folder, NULL), PN_OK);
    char *path = pn_path_join(&arena, folder, "t.lance");
    assert_int_equal(write_dictionary(path, 5000, 128, &err), PN_OK);
    assert_int_equal(pn_container_open(&file, path, &err), PN_OK);
    const Pn__Lance__PageLayout *page = file.columns[0].pages[0].layout;
    assert_int_equal(page->layout_case, PN__LANCE__PAGE_LAYOUT__LAYOUT_MINI_BLOCK);
    assert_int_equal(page->mini_block->n_dictionary_items, 128);
    assert_string_equal(file.descriptor->schema->fields[0]->logical_type, "dict:string:int8:false");
    pn_container_close(&file);
    assert_int_equal(pn_path_remove(path, NULL), PN_OK);
    assert_int_equal(write_dictionary(path, 5000, 129, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "over 128 different values"));
    assert_int_equal(pn_dir_remove_all(folder, NULL), PN_OK);
    pn_arena_reset(&arena);
}

/* ---- beside the rows ---- */

static void what_is_added__is_read_back(void **state)
{
    enum { BYTES = 100000 };
    (void)state;
    pn_error err = {0};
    pn_arena arena;
    pn_lance_writer *writer;
    pn_lance_file *file;
    char *folder;
    uint64_t n_rows, n_bytes;
    uint8_t *bytes = pn_alloc_zero(BYTES);
    pn_str got;
    pn_field field = {.name = "id", .type = PN_TYPE_UINT64, .id = 0};
    const pn_schema schema = {.fields = &field, .n_fields = 1};
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("lance", &arena, &folder, &err), PN_OK);
    const char *path = pn_path_join(&arena, folder, "extra.lance");
    bytes[BYTES - 1] = 7;
    assert_int_equal(pn_lance_writer_create(path, &schema, &writer, &err), PN_OK);
    assert_int_equal(pn_lance_writer_add_global(writer, "first", 5, &err), PN_OK);
    assert_int_equal(pn_lance_writer_add_metadata(writer, "key", "\"value\"", &err), PN_OK);
    assert_int_equal(pn_lance_writer_add_global(writer, bytes, BYTES, &err), PN_OK);
    assert_int_equal(pn_lance_writer_add_metadata(writer, "empty", "", &err), PN_OK);
    assert_int_equal(pn_lance_writer_finish(writer, NULL, &n_rows, &n_bytes, &err), PN_OK);
    pn_lance_writer_close(writer);
    assert_int_equal(pn_lance_file_open(path, &file, &err), PN_OK);
    assert_int_equal(pn_lance_file_metadata(file, "key", &got, &err), PN_OK);
    assert_true(pn_str_is(got, "\"value\""));
    assert_int_equal(pn_lance_file_metadata(file, "empty", &got, &err), PN_OK);
    assert_int_equal(got.len, 0);
    assert_int_equal(pn_lance_file_metadata(file, "other", &got, &err), PN_ERR_CORRUPT);
    assert_int_equal(pn_lance_file_global(file, 1, &got, &err), PN_OK);
    assert_true(pn_str_is(got, "first"));
    assert_int_equal(pn_lance_file_global(file, 2, &got, &err), PN_OK);
    assert_int_equal(got.len, BYTES);
    assert_memory_equal(got.ptr, bytes, BYTES);
    assert_int_equal((uintptr_t)got.ptr % 64, 0);
    assert_int_equal(pn_lance_file_global(file, 3, &got, &err), PN_ERR_CORRUPT);
    assert_int_equal(pn_lance_file_global(file, UINT64_MAX, &got, &err), PN_ERR_CORRUPT);
    pn_lance_file_close(file);
    assert_int_equal(pn_dir_remove_all(folder, &err), PN_OK);
    pn_free(bytes);
    pn_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dictionary__has_each_value_once_and_no_more_than_its_index_counts),
        cmocka_unit_test(pages__have_the_layout_that_is_read_everywhere),
        cmocka_unit_test(random_tables__come_back_equal),
        cmocka_unit_test(what_is_added__is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

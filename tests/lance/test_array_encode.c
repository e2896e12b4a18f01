/*
 * test_array_encode.c - the pages of version 2.0 that pennon writes, against those that LanceDB writes of the same rows
 *
 * Files of LanceDB are read and written anew: each page must have the same encodings, numbers and sizes of buffers. Behind that
 * what no such file shows: pages that are full, what is refused, and memory that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "column/builder.h"
#include "lance/array_writer.h"
#include "lance/container.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"
#include "os/dir.h"
#include "support/faults.h"
#include "support/golden.h"
#include "support/lance_checks.h"

enum { MAX_COLUMNS = 64 };

/* ---- pages as text ---- */

static void tell(const Pn__Lance__ArrayEncoding *how, pn_buffer *out);

static void tell_nullable(const Pn__Lance__ArrayNullable *how, pn_buffer *out)
{
    if (how->kind_case == PN__LANCE__ARRAY_NULLABLE__KIND_ALL_NULLS) {
        assert_int_equal(pn_buffer_append_text(out, "nulls", NULL), PN_OK);
        return;
    }
    bool some = how->kind_case == PN__LANCE__ARRAY_NULLABLE__KIND_SOME_NULLS;
    assert_int_equal(pn_buffer_append_text(out, some ? "some(" : "all(", NULL), PN_OK);
    if (some)
        tell(how->some_nulls->validity, out);
    tell(some ? how->some_nulls->values : how->no_nulls->values, out);
    assert_int_equal(pn_buffer_append_text(out, ")", NULL), PN_OK);
}

static void tell_two(const char *name, uint64_t number, const Pn__Lance__ArrayEncoding *first,
                     const Pn__Lance__ArrayEncoding *second, pn_buffer *out)
{
    assert_int_equal(pn_buffer_append_format(out, NULL, "%s %zu(", name, (size_t)number), PN_OK);
    tell(first, out);
    if (second)
        tell(second, out);
    assert_int_equal(pn_buffer_append_text(out, ")", NULL), PN_OK);
}

static void tell(const Pn__Lance__ArrayEncoding *how, pn_buffer *out)
{
    switch ((int)how->kind_case) {
    case PN__LANCE__ARRAY_ENCODING__KIND_FLAT:
        assert_non_null(how->flat->buffer);
        assert_int_equal(pn_buffer_append_format(out, NULL, "flat %zu@%zu", (size_t)how->flat->bits,
                                                 (size_t)how->flat->buffer->index),
                         PN_OK);
        break;
    case PN__LANCE__ARRAY_ENCODING__KIND_NULLABLE:
        tell_nullable(how->nullable, out);
        break;
    case PN__LANCE__ARRAY_ENCODING__KIND_FIXED_LIST:
        tell_two("fixed", how->fixed_list->dimension, how->fixed_list->items, NULL, out);
        break;
    case PN__LANCE__ARRAY_ENCODING__KIND_BINARY:
        tell_two("binary", how->binary->null_adjustment, how->binary->indices, how->binary->bytes,
                 out);
        break;
    case PN__LANCE__ARRAY_ENCODING__KIND_DICTIONARY:
        tell_two("dictionary", how->dictionary->n_items, how->dictionary->indices,
                 how->dictionary->items, out);
        break;
    case PN__LANCE__ARRAY_ENCODING__KIND_LIST:
        assert_int_equal(how->list->null_adjustment, how->list->n_items + 1);
        tell_two("list", how->list->n_items, how->list->offsets, NULL, out);
        break;
    default:
        assert_int_equal(how->kind_case, PN__LANCE__ARRAY_ENCODING__KIND_STRUCT_);
        assert_int_equal(pn_buffer_append_text(out, "struct", NULL), PN_OK);
    }
}

/* Pages of no rows say nothing, but for structs. */
static void tell_column(const pn_file_column *column, pn_buffer *out)
{
    for (size_t p = 0; p < column->n_pages; p++) {
        const pn_file_page *page = &column->pages[p];
        if (page->n_rows == 0 && page->array->kind_case != PN__LANCE__ARRAY_ENCODING__KIND_STRUCT_)
            continue;
        assert_int_equal(pn_buffer_append_format(out, NULL, "%zu rows ", (size_t)page->n_rows),
                         PN_OK);
        tell(page->array, out);
        for (size_t b = 0; b < page->n_buffers; b++)
            assert_int_equal(pn_buffer_append_format(out, NULL, " %zu", page->buffers[b].n), PN_OK);
        assert_int_equal(pn_buffer_append_text(out, "; ", NULL), PN_OK);
    }
}

static char *column_text(const char *path, size_t column, pn_buffer *out)
{
    pn_container file;
    pn_error err = {0};
    if (pn_container_open(&file, path, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_true(column < file.n_columns && file.minor == 0);
    pn_buffer_clear(out);
    tell_column(&file.columns[column], out);
    pn_container_close(&file);
    return pn_buffer_text(out);
}

/* ---- files ---- */

typedef struct place {
    pn_arena arena;
    char *folder, *path;
} place;

static void place_make(place *p)
{
    pn_arena_init(&p->arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("pn-arrays", &p->arena, &p->folder, NULL), PN_OK);
    p->path = pn_path_join(&p->arena, p->folder, "t.lance");
}

static void place_leave(place *p)
{
    assert_int_equal(pn_dir_remove_all(p->folder, NULL), PN_OK);
    pn_arena_reset(&p->arena);
}

static pn_status write_file(const char *path, const pn_schema *schema, const pn_array *arrays,
                            size_t n_rows, pn_error *err)
{
    pn_lance_writer *writer = NULL;
    uint64_t written, size_bytes;
    const pn_batch batch = {schema, arrays, n_rows};
    pn_status status = pn_lance_writer_create_version(path, schema, 0, &writer, err);
    if (status == PN_OK)
        status = pn_lance_writer_append(writer, &batch, err);
    if (status == PN_OK)
        status = pn_lance_writer_finish(writer, NULL, &written, &size_bytes, err);
    pn_lance_writer_close(writer);
    return status;
}

static void check_file(const char *path, const pn_array *arrays, size_t n_rows)
{
    pn_error err = {0};
    pn_lance_file *file = NULL;
    pn_rng rng = pn_rng_seed(5);
    if (pn_lance_file_open(path, &file, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(pn_lance_file_rows(file), n_rows);
    for (size_t i = 0; i < pn_lance_file_schema(file)->n_fields; i++) {
        lance_column column;
        pn_arena arena;
        pn_array got;
        pn_arena_init(&arena, SIZE_MAX);
        lance_column_make(file, i, &column);
        if (lance_column_read(&column, &arena, &got, &err) != PN_OK)
            fail_msg("%s", err.message);
        if (!pn_array_equal(&got, &arrays[i]))
            fail_msg("column \"%s\" differs", column.field->name);
        lance_column_check(&column, &got, &rng);
        pn_arena_reset(&arena);
    }
    pn_lance_file_close(file);
}

/* ---- as LanceDB ---- */

static char *only_file(const char *table, pn_arena *arena)
{
    char **names;
    size_t n;
    char *folder = pn_path_join(arena, table, "data");
    assert_int_equal(pn_dir_list(folder, arena, &names, &n, NULL), PN_OK);
    assert_int_equal(n, 1);
    return pn_path_join(arena, folder, names[0]);
}

/* Columns in which the two differ, but for strings of which LanceDB makes a dictionary. */
static size_t count_differences(const char *theirs, const char *ours, size_t n_columns)
{
    pn_buffer a, b;
    size_t n = 0;
    pn_buffer_init(&a, 1u << 20);
    pn_buffer_init(&b, 1u << 20);
    for (size_t i = 0; i < n_columns; i++) {
        const char *want = column_text(theirs, i, &a), *got = column_text(ours, i, &b);
        bool other = strstr(want, "dictionary") && !strstr(got, "dictionary");
        if (strcmp(want, got) != 0 && !other)
            print_message("%s, column %zu: %s instead of %s\n", theirs, i, got, want);
        n += strcmp(want, got) != 0 && !other;
    }
    pn_buffer_reset(&a);
    pn_buffer_reset(&b);
    return n;
}

static void rewrite(const char *theirs, size_t n_different)
{
    pn_error err = {0};
    place p;
    pn_lance_file *file = NULL;
    pn_array arrays[MAX_COLUMNS];
    place_make(&p);
    if (pn_lance_file_open(theirs, &file, &err) != PN_OK)
        fail_msg("%s", err.message);
    const pn_schema *schema = pn_lance_file_schema(file);
    size_t n_rows = (size_t)pn_lance_file_rows(file), n_columns = pn_lance_file_columns(file);
    for (size_t i = 0; i < schema->n_fields; i++) {
        lance_column column;
        lance_column_make(file, i, &column);
        if (lance_column_read(&column, &p.arena, &arrays[i], &err) != PN_OK)
            fail_msg("%s", err.message);
    }
    if (write_file(p.path, schema, arrays, n_rows, &err) != PN_OK)
        fail_msg("%s", err.message);
    check_file(p.path, arrays, n_rows);
    assert_int_equal(count_differences(theirs, p.path, n_columns), n_different);
    pn_lance_file_close(file);
    place_leave(&p);
}

static void pages__are_those_that_LanceDB_writes(void **state)
{
    static const struct {
        const char *table;
        size_t n_different;
    } cases[] = {
        {"v2.0/types5.lance", 1},    // the one that is compressed
        {"v2.0/types600.lance", 1},  //
        {"v2.0/vectors1.lance", 0},  //
        {"v2.0/vectors70.lance", 2}, // items of null vectors are null there
        {"v2.0/images.lance", 0},
    };
    (void)state;
    char root[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures", root);
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++)
        rewrite(only_file(golden_join(root, cases[i].table), &arena), cases[i].n_different);
    pn_arena_reset(&arena);
}

/* ---- tables of our own ---- */

/* parts: list<struct<n: int8, names: list<string>>>, near: vectors, word: a dictionary, flag: bool. All but structs may be null. */
typedef struct table {
    pn_field fields[4], item, members[2], name, number;
    pn_schema schema;
    pn_builder *builders[4];
    pn_array arrays[4];
} table;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static void table_schema(table *t)
{
    pn_field_init(&t->fields[0], "parts", PN_TYPE_LIST, true);
    pn_field_init(&t->item, "item", PN_TYPE_STRUCT, true);
    pn_field_init(&t->members[0], "n", PN_TYPE_INT8, true);
    pn_field_init(&t->members[1], "names", PN_TYPE_LARGE_LIST, true);
    pn_field_init(&t->name, "item", PN_TYPE_STRING, true);
    pn_field_init(&t->fields[1], "near", PN_TYPE_FIXED_SIZE_LIST, true);
    pn_field_init(&t->number, "item", PN_TYPE_FLOAT, true);
    pn_field_init(&t->fields[2], "word", PN_TYPE_STRING, true);
    pn_field_init(&t->fields[3], "flag", PN_TYPE_BOOL, true);
    t->fields[0].children = &t->item;
    t->item.children = t->members;
    t->members[1].children = &t->name;
    t->fields[1].children = &t->number;
    t->fields[0].n_children = t->members[1].n_children = t->fields[1].n_children = 1;
    t->item.n_children = 2;
    t->fields[1].size = 3;
    t->fields[2].is_dictionary = true;
    t->fields[2].index_type = PN_TYPE_INT16;
    t->schema = (pn_schema){.fields = t->fields, .n_fields = 4};
    pn_lance_schema_assign_ids(&t->schema, 0);
}

static void append_part(table *t, size_t k)
{
    pn_error err = {0};
    pn_builder *item = pn_builder_child(t->builders[0], 0), *n = pn_builder_child(item, 0);
    pn_builder *names = pn_builder_child(item, 1), *name = pn_builder_child(names, 0);
    check(k % 5 == 2 ? pn_builder_append_null(n, &err)
                     : pn_builder_append_i64(n, (int64_t)(k % 100), &err),
          &err);
    for (size_t i = 0; i < k % 3; i++)
        check(k % 7 == 1 ? pn_builder_append_null(name, &err)
                         : pn_builder_append_bytes(name, "a name", (k + i) % 6, &err),
              &err);
    check(k % 11 == 3 && k % 3 == 0 ? pn_builder_append_null(names, &err)
                                    : pn_builder_close_row(names, &err),
          &err);
    check(pn_builder_close_row(item, &err), &err);
}

static void append_row(table *t, size_t row)
{
    pn_error err = {0};
    char text[32];
    int n = snprintf(text, sizeof text, "word %zu", row % 9);
    for (size_t k = 0; k < row % 4; k++)
        append_part(t, row + k);
    check(row % 12 == 4 ? pn_builder_append_null(t->builders[0], &err)
                        : pn_builder_close_row(t->builders[0], &err),
          &err);
    for (size_t k = 0; k < 3; k++)
        check(row % 10 == 7 ? pn_builder_append_null(pn_builder_child(t->builders[1], 0), &err)
                            : pn_builder_append_double(pn_builder_child(t->builders[1], 0),
                                                       (double)(row + k), &err),
              &err);
    check(pn_builder_close_row(t->builders[1], &err), &err);
    check(row % 4 == 1 ? pn_builder_append_null(t->builders[2], &err)
                       : pn_builder_append_bytes(t->builders[2], text, (size_t)n, &err),
          &err);
    check(row % 6 == 5 ? pn_builder_append_null(t->builders[3], &err)
                       : pn_builder_append_i64(t->builders[3], row % 2 == 0, &err),
          &err);
}

static void table_make(table *t, size_t n_rows)
{
    pn_error err = {0};
    table_schema(t);
    for (size_t i = 0; i < 4; i++)
        check(pn_builder_create(&t->fields[i], SIZE_MAX / 2, &t->builders[i], &err), &err);
    for (size_t row = 0; row < n_rows; row++)
        append_row(t, row);
    for (size_t i = 0; i < 4; i++)
        check(pn_builder_view(t->builders[i], &t->arrays[i], &err), &err);
}

static void table_free(table *t)
{
    for (size_t i = 0; i < 4; i++)
        pn_builder_free(t->builders[i]);
}

static void columns_without_rows__have_no_page_but_structs(void **state)
{
    static const size_t struct_column = 1;
    (void)state;
    pn_error err = {0};
    table t = {0};
    place p;
    pn_buffer text;
    place_make(&p);
    table_make(&t, 0);
    check(write_file(p.path, &t.schema, t.arrays, 0, &err), &err);
    check_file(p.path, t.arrays, 0);
    pn_buffer_init(&text, 1u << 20);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(column_text(p.path, i, &text),
                            i == struct_column ? "0 rows struct; " : "");
    pn_buffer_reset(&text);
    table_free(&t);
    place_leave(&p);
}

/* ---- pages that are full ---- */

typedef struct page_seen {
    size_t column, n_rows, n_items;
} page_seen;

typedef struct pages_seen {
    page_seen pages[4096];
    size_t n;
} pages_seen;

static pn_status take_page(void *context, size_t column, const pn_encoded_page *page,
                           uint64_t n_rows, pn_error *err)
{
    (void)err;
    pages_seen *seen = context;
    Pn__Lance__ArrayEncoding *how =
        pn__lance__array_encoding__unpack(NULL, page->layout.n_bytes, page->layout.data);
    assert_non_null(how);
    bool is_list = how->kind_case == PN__LANCE__ARRAY_ENCODING__KIND_LIST;
    assert_true(seen->n < PN_COUNT_OF(seen->pages));
    seen->pages[seen->n++] =
        (page_seen){column, (size_t)n_rows, is_list ? (size_t)how->list->n_items : 0};
    pn__lance__array_encoding__free_unpacked(how, NULL);
    return PN_OK;
}

/* Does a page of the column end behind so many rows? */
static bool ends_at(const pages_seen *seen, size_t column, size_t n_rows)
{
    size_t end = 0;
    for (size_t i = 0; i < seen->n && end < n_rows; i++)
        end += seen->pages[i].column == column ? seen->pages[i].n_rows : 0;
    return end == n_rows;
}

/* The pages of a list, and of the columns below that have a row for each of its items. Returns how many items. */
static size_t check_lists(const pages_seen *seen, size_t list, const size_t *below, size_t n_below)
{
    size_t n_items = 0, n_pages = 0;
    for (size_t i = 0; i < seen->n; i++) {
        if (seen->pages[i].column != list)
            continue;
        n_pages++;
        n_items += seen->pages[i].n_items;
        for (size_t k = 0; k < n_below; k++)
            assert_true(ends_at(seen, below[k], n_items));
    }
    assert_true(n_pages > 2);
    return n_items;
}

static void a_page_of_lists__ends_those_below_and_a_struct_has_one(void **state)
{
    enum { PARTS, ITEM, N, NAMES, NAME, NEAR };
    enum { ROWS = 9000 };
    static const size_t below_parts[] = {N, NAMES}, below_names[] = {NAME};
    static pages_seen seen;
    (void)state;
    pn_error err = {0};
    table t = {0};
    pn_array_writer *w = NULL;
    table_make(&t, ROWS);
    const pn_batch batch = {&t.schema, t.arrays, ROWS};
    check(pn_array_writer_create(&t.schema, 16384, SIZE_MAX, take_page, &seen, &w, &err), &err);
    assert_int_equal(pn_array_writer_columns(w), 8);
    check(pn_array_writer_append(w, &batch, &err), &err);
    check(pn_array_writer_finish(w, &err), &err);
    pn_array_writer_free(w);
    size_t n_parts = check_lists(&seen, PARTS, below_parts, 2), n_structs = 0;
    check_lists(&seen, NAMES, below_names, 1);
    for (size_t i = 0; i < seen.n; i++) {
        if (seen.pages[i].column == ITEM)
            assert_int_equal(seen.pages[i].n_rows, n_parts);
        n_structs += seen.pages[i].column == ITEM;
    }
    assert_int_equal(n_structs, 1);
    assert_true(ends_at(&seen, PARTS, ROWS) && ends_at(&seen, NEAR, ROWS));
    table_free(&t);
}

/* ---- refusals ---- */

static void a_null_of_a_struct__is_refused_by_name(void **state)
{
    (void)state;
    pn_error err = {0};
    table t = {0};
    place p;
    place_make(&p);
    table_make(&t, 30);
    check(pn_builder_append_null(pn_builder_child(t.builders[0], 0), &err), &err);
    check(pn_builder_close_row(t.builders[0], &err), &err);
    pn_array parts[4];
    memcpy(parts, t.arrays, sizeof parts);
    check(pn_builder_view(t.builders[0], &parts[0], &err), &err);
    pn_schema one = {.fields = t.fields, .n_fields = 1};
    assert_int_equal(write_file(p.path, &one, parts, 31, &err), PN_ERR_UNSUPPORTED);
    assert_string_equal(err.message, "column \"parts\": a null of \"item\": data files of version "
                                     "2.0 have no null structs, those of 2.1 to 2.3 have");
    assert_int_equal(pn_dir_remove_all(p.path, NULL), PN_OK); // nothing was left there
    t.item.nullable = false;
    assert_int_equal(write_file(p.path, &one, parts, 31, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "\"item\" cannot be null"));
    table_free(&t);
    place_leave(&p);
}

static void a_map__is_refused_with_what_can_be_written(void **state)
{
    (void)state;
    pn_error err = {0};
    place p;
    pn_field map;
    pn_lance_writer *writer = NULL;
    place_make(&p);
    assert_true(pn_field_init_string_map(&map, "m", true, &p.arena));
    pn_schema schema = {.fields = &map, .n_fields = 1};
    pn_lance_schema_assign_ids(&schema, 0);
    for (uint16_t minor = 0; minor < 2; minor++) {
        assert_int_equal(pn_lance_writer_create_version(p.path, &schema, minor, &writer, &err),
                         PN_ERR_UNSUPPORTED);
        assert_string_equal(err.message,
                            "column \"m\": writing maps before version 2.2 is not supported; a "
                            "list of structs of key and value is");
    }
    place_leave(&p);
}

static void blobs__are_refused_in_every_version(void **state)
{
    (void)state;
    pn_error err = {0};
    place p;
    pn_field field;
    pn_kv mark = {"lance-encoding:blob", "true"};
    pn_lance_writer *writer = NULL;
    place_make(&p);
    pn_field_init(&field, "b", PN_TYPE_LARGE_BINARY, true);
    field.metadata = &mark;
    field.n_metadata = 1;
    const pn_schema schema = {.fields = &field, .n_fields = 1};
    for (uint16_t minor = 0; minor < 4; minor++) {
        assert_int_equal(pn_lance_writer_create_version(p.path, &schema, minor, &writer, &err),
                         PN_ERR_UNSUPPORTED);
        assert_string_equal(err.message, "column \"b\": writing blobs is not supported");
    }
    place_leave(&p);
}

/* n_different strings and, between them, nulls. */
static pn_status write_words(const char *path, size_t n_different, bool nulls, pn_error *err)
{
    pn_field field;
    pn_builder *b;
    pn_array array;
    pn_field_init(&field, "d", PN_TYPE_STRING, true);
    field.is_dictionary = true;
    field.index_type = PN_TYPE_INT8;
    pn_schema schema = {.fields = &field, .n_fields = 1};
    pn_lance_schema_assign_ids(&schema, 0);
    check(pn_builder_create(&field, SIZE_MAX / 2, &b, err), err);
    for (size_t i = 0; i < 300; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "value %zu", i % n_different);
        check(nulls && i >= n_different && i % 2 == 1
                  ? pn_builder_append_null(b, err)
                  : pn_builder_append_bytes(b, text, (size_t)length, err),
              err);
    }
    check(pn_builder_view(b, &array, err), err);
    pn_status status = write_file(path, &schema, &array, 300, err);
    if (status == PN_OK)
        check_file(path, &array, 300);
    pn_builder_free(b);
    return status;
}

static void the_null_of_a_dictionary__is_one_of_its_items(void **state)
{
    (void)state;
    pn_error err = {0};
    place p;
    place_make(&p);
    check(write_words(p.path, 127, true, &err), &err);
    assert_int_equal(pn_dir_remove_all(p.folder, NULL), PN_OK);
    assert_int_equal(pn_dir_make(p.folder, NULL), PN_OK);
    check(write_words(p.path, 128, false, &err), &err);
    assert_int_equal(pn_dir_remove_all(p.folder, NULL), PN_OK);
    assert_int_equal(pn_dir_make(p.folder, NULL), PN_OK);
    assert_int_equal(write_words(p.path, 128, true, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "over 128 different values with the null, which"));
    assert_int_equal(write_words(p.path, 129, false, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "over 128 different values, which"));
    place_leave(&p);
}

/* ---- faults ---- */

typedef struct writing {
    const table *t;
    const char *path;
} writing;

static pn_status write_once(void *context, pn_error *err)
{
    const writing *w = context;
    PN_TRY(write_file(w->path, &w->t->schema, w->t->arrays, 200, err));
    return pn_dir_remove_all(w->path, NULL);
}

static void memory_that_is_not_there__is_said(void **state)
{
    (void)state;
    table t = {0};
    place p;
    place_make(&p);
    table_make(&t, 200);
    writing w = {&t, p.path};
    assert_true(faults_each_allocation(write_once, &w) > 40);
    table_free(&t);
    place_leave(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages__are_those_that_LanceDB_writes),
        cmocka_unit_test(columns_without_rows__have_no_page_but_structs),
        cmocka_unit_test(a_page_of_lists__ends_those_below_and_a_struct_has_one),
        cmocka_unit_test(a_null_of_a_struct__is_refused_by_name),
        cmocka_unit_test(a_map__is_refused_with_what_can_be_written),
        cmocka_unit_test(blobs__are_refused_in_every_version),
        cmocka_unit_test(the_null_of_a_dictionary__is_one_of_its_items),
        cmocka_unit_test(memory_that_is_not_there__is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

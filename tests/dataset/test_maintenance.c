/*
 * test_maintenance.c - restore, overwrite, tags, columns and clean-up
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/limits.h"
#include "column/builder.h"
#include "dataset/cleanup.h"
#include "dataset/compact.h"
#include "dataset/internal.h"
#include "dataset/tags.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/small_table.h"
#include "support/table_place.h"

/* Versions 1 (empty), 2 (0..99), 3 (0..149), 4 (without the odd ones). */
static pn_dataset *make_table(const table_place *p)
{
    pn_error err;
    pn_dataset *t, *next;
    uint64_t n;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, small_table_append(t, 0, 100, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_OK, small_table_append(t, 100, 50, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_OK, small_table_delete(t, "id % 2 = 1", &n, &next, &err));
    table_place_step(&t, next);
    return t;
}

static size_t count_files(const table_place *p, const char *folder)
{
    pn_arena arena;
    char **names;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_dir_list(pn_path_join(&arena, p->table, folder), &arena, &names, &n, NULL) != PN_OK)
        n = 0;
    pn_arena_reset(&arena);
    return n;
}

static void restore__brings_a_version_back(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *back, *more;
    EXPECT(PN_OK, pn_dataset_restore(t, 2, &back, &err));
    assert_int_equal(pn_dataset_version(back), 5);
    small_table_expect(back, 0, 1, 100);
    EXPECT(PN_OK, small_table_append(back, 100, 10, NULL, &more, &err));
    pn_fragment_info info;
    pn_dataset_fragment(more, 1, &info);
    assert_int_equal(info.id, 2); // 1 was given before
    small_table_expect(more, 0, 1, 110);
    pn_dataset_unref(more);
    pn_dataset_unref(back);
    EXPECT(PN_OK, pn_dataset_restore(t, 4, &back, &err)); // decided on 4, committed on 6
    assert_int_equal(pn_dataset_version(back), 7);
    small_table_expect(back, 0, 2, 75);
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_restore(back, 70, &more, &err));
    EXPECT(PN_ERR_CONFLICT, small_table_append(t, 500, 10, NULL, &more, &err)); // of version 4
    assert_non_null(strstr(err.message, "restore"));
    pn_dataset_unref(back);
    pn_dataset_unref(t);
}

static void overwrite__is_another_table(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next, *other;
    pn_append *append, *second;
    pn_field field;
    pn_array array;
    pn_builder *builder;
    pn_field_init(&field, "number", PN_TYPE_INT32, true);
    const pn_schema schema = {.fields = &field, .n_fields = 1};
    EXPECT(PN_OK, pn_builder_create(&field, 1 << 20, &builder, &err));
    for (int i = 0; i < 20; i++)
        EXPECT(PN_OK, pn_builder_append_i64(builder, i * i, &err));
    EXPECT(PN_OK, pn_builder_view(builder, &array, &err));
    const pn_batch batch = {.schema = &schema, .columns = &array, .n_rows = 20};
    EXPECT(PN_OK, pn_overwrite_begin(t, &schema, &append, &err));
    EXPECT(PN_OK, pn_overwrite_begin(t, &schema, &second, &err));
    EXPECT(PN_OK, pn_append_batch(append, &batch, &err));
    EXPECT(PN_OK, small_table_append(t, 1000, 10, NULL, &other, &err)); // replaced, too
    pn_dataset_unref(other);
    EXPECT(PN_OK, pn_append_commit(append, NULL, &next, &err));
    assert_int_equal(pn_dataset_count_rows(next), 20);
    assert_int_equal(pn_dataset_schema(next)->n_fields, 1);
    EXPECT(PN_ERR_CONFLICT, pn_append_commit(second, NULL, &other, &err)); // the user decides
    EXPECT(PN_ERR_CONFLICT, small_table_append(t, 1000, 10, NULL, &other, &err));
    pn_rowset rows;
    EXPECT(PN_OK, pn_dataset_filter_rows(next, pn_str_of("number = 361"), &rows, &err));
    assert_int_equal(pn_rowset_count(&rows), 1);
    assert_int_equal(rows.parts[0].fragment_id, 3); // addresses mean one row only
    pn_rowset_reset(&rows);
    EXPECT(PN_OK, pn_dataset_restore(next, 4, &other, &err));
    small_table_expect(other, 0, 2, 75);
    pn_dataset_unref(other);
    pn_builder_free(builder);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

static void tags__name_versions(void **state)
{
    static const char *const bad[] = {"", ".a", "a.", "a/b", "a b", "a..b", "x.lock", "\xc3\xa9"};
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p);
    uint64_t version;
    pn_tag *tags;
    size_t n;
    EXPECT(PN_OK, pn_dataset_tags(p->table, &p->arena, &tags, &n, &err));
    assert_int_equal(n, 0);
    EXPECT(PN_OK, pn_dataset_tag_create(p->table, "summer-2.0_a", 2, &err));
    EXPECT(PN_OK, pn_dataset_tag_create(p->table, "all", 3, &err));
    EXPECT(PN_ERR_EXISTS, pn_dataset_tag_create(p->table, "all", 2, &err));
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_tag_create(p->table, "none", 9, &err));
    EXPECT(PN_OK, pn_dataset_tag_version(p->table, "all", &version, &err));
    assert_int_equal(version, 3);
    EXPECT(PN_OK, pn_dataset_tag_move(p->table, "all", 4, &err));
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_tag_move(p->table, "none", 4, &err));
    EXPECT(PN_OK, pn_dataset_tags(p->table, &p->arena, &tags, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(tags[0].name, "all");
    assert_int_equal(tags[0].version, 4);
    assert_string_equal(tags[1].name, "summer-2.0_a");
    assert_int_equal(count_files(p, "_refs/tags"), 2); // nothing else was left
    EXPECT(PN_OK, pn_dataset_tag_delete(p->table, "all", &err));
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_tag_delete(p->table, "all", &err));
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_tag_version(p->table, "all", &version, &err));
    for (size_t i = 0; i < PN_COUNT_OF(bad); i++)
        EXPECT(PN_ERR_INVALID, pn_dataset_tag_create(p->table, bad[i], 2, &err));
    pn_dataset_unref(t);
}

static void write_tag(const table_place *p, const char *name, const char *text)
{
    pn_error err;
    char *path =
        pn_arena_printf((pn_arena *)(uintptr_t)&p->arena, "%s/_refs/tags/%s.json", p->table, name);
    EXPECT(PN_OK, pn_file_write_atomic(path, text, strlen(text), &err));
}

static void tag_files__are_read_carefully(void **state)
{
    static const char *const damaged[] = {"",
                                          "{",
                                          "[]",
                                          "{\"version\"}",
                                          "{\"version\":}",
                                          "{\"version\":\"3\"}",
                                          "{\"version\":-1}",
                                          "{\"version\":3",
                                          "{\"versions\":3}",
                                          "{\"metadata\":{\"version\":3}}",
                                          "{\"a\":\"\\\",\"version\":3}",
                                          "{\"version\":3.5}",
                                          "{\"version\":3,\"branch\":nulm}",
                                          "{\"version\":3,"};
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p);
    uint64_t version;
    EXPECT(PN_OK, pn_dataset_tag_create(p->table, "a", 2, &err));
    write_tag(p, "a",
              "{\"metadata\": {\"version\": 9, \"x\": [\"}\", \"\\\"\"]},\"branch\":null,\n "
              "\"version\" : 3 , \"createdAt\":\"2020-01-01T00:00:00Z\"}");
    EXPECT(PN_OK, pn_dataset_tag_version(p->table, "a", &version, &err));
    assert_int_equal(version, 3);
    EXPECT(PN_OK, pn_dataset_tag_move(p->table, "a", 2, &err)); // keeps what it does not know
    pn_buffer text;
    pn_buffer_init(&text, 4096);
    char *path = pn_arena_printf(&p->arena, "%s/_refs/tags/a.json", p->table);
    EXPECT(PN_OK, pn_file_read(path, &text, &err));
    assert_non_null(strstr(pn_buffer_text(&text), "\"x\": [\"}\", \"\\\"\"]"));
    assert_non_null(strstr(pn_buffer_text(&text), "2020-01-01"));
    pn_buffer_reset(&text);
    for (size_t i = 0; i < PN_COUNT_OF(damaged); i++) {
        write_tag(p, "a", damaged[i]);
        EXPECT(PN_ERR_CORRUPT, pn_dataset_tag_version(p->table, "a", &version, &err));
        assert_non_null(strstr(err.message, "a.json"));
    }
    write_tag(p, "a", "{\"branch\":\"b\",\"version\":3}");
    EXPECT(PN_ERR_UNSUPPORTED, pn_dataset_tag_version(p->table, "a", &version, &err));
    EXPECT(PN_ERR_UNSUPPORTED, pn_dataset_tag_move(p->table, "a", 2, &err));
    assert_non_null(strstr(err.message, "\"a\" is of a branch"));
    pn_dataset_unref(t);
}

/* ---- columns ---- */

static void drop_and_rename__change_the_schema_alone(void **state)
{
    static const char *const dropped[] = {"metadata", "name"}, *const all[] = {"id", "vector"};
    static const char *const none[] = {"name"};
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next, *renamed;
    pn_rowset rows;
    EXPECT(PN_OK, pn_dataset_rename_column(t, "name", "title", &renamed, &err));
    EXPECT(PN_OK, pn_dataset_filter_rows(renamed, pn_str_of("title = 'row 4'"), &rows, &err));
    assert_int_equal(pn_rowset_count(&rows), 1);
    pn_rowset_reset(&rows);
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_rename_column(renamed, "name", "x", &next, &err));
    EXPECT(PN_ERR_EXISTS, pn_dataset_rename_column(renamed, "title", "id", &next, &err));
    EXPECT(PN_ERR_INVALID, pn_dataset_rename_column(renamed, "title", "a.b", &next, &err));
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_drop_columns(renamed, none, 1, &next, &err));
    EXPECT(PN_OK,
           pn_dataset_rename_column(t, "title", "name", &next, &err)); // of the newest version
    table_place_step(&t, next);
    pn_dataset_unref(renamed);
    EXPECT(PN_OK, pn_dataset_drop_columns(t, dropped, 2, &next, &err));
    table_place_step(&t, next);
    assert_int_equal(pn_dataset_schema(t)->n_fields, 2);
    assert_int_equal(pn_dataset_count_rows(t), 75);
    EXPECT(PN_ERR_INVALID, pn_dataset_drop_columns(t, all, 2, &next, &err));
    assert_int_equal(count_files(p, "data"), 2);
    /* A column of a dropped one's name is another column. */
    pn_field field;
    pn_field_init(&field, "name", PN_TYPE_STRING, true);
    EXPECT(PN_OK, pn_dataset_add_column(t, &field, NULL, &next, &err));
    table_place_step(&t, next);
    assert_int_equal(pn_dataset_schema(t)->fields[2].id, 7);
    EXPECT(PN_OK, pn_dataset_filter_rows(t, pn_str_of("name IS NULL"), &rows, &err));
    assert_int_equal(pn_rowset_count(&rows), 75);
    pn_rowset_reset(&rows);
    pn_dataset_unref(t);
}

static pn_status squares(void *context, const pn_batch *rows, const pn_row_addr *addrs,
                         pn_arena *arena, pn_array *out, pn_error *err)
{
    const pn_field *field = context;
    int64_t *values = PN_ARENA_NEW(arena, int64_t, rows->n_rows + 1);
    (void)addrs;
    if (!values)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        int64_t id = pn_array_i64(&rows->columns[0], i);
        values[i] = id * id;
    }
    *out = (pn_array){.field = field, .length = rows->n_rows, .values = values};
    return PN_OK;
}

static void add_column__writes_values_for_all_rows(void **state)
{
    static const char *const id[] = {"id"};
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next;
    pn_field field, text;
    pn_array value;
    pn_builder *builder;
    pn_rowset rows;
    pn_field_init(&field, "square", PN_TYPE_INT64, false);
    const pn_column_source source = {id, 1, squares, &field};
    EXPECT(PN_ERR_INVALID, pn_dataset_add_column(t, &field, NULL, &next, &err));
    EXPECT(PN_OK, pn_dataset_add_column(t, &field, &source, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_ERR_EXISTS, pn_dataset_add_column(t, &field, &source, &next, &err));
    pn_field_init(&text, "shop", PN_TYPE_STRING, true);
    EXPECT(PN_OK, pn_builder_create(&text, 1 << 20, &builder, &err));
    EXPECT(PN_OK, pn_builder_append_bytes(builder, "north", 5, &err));
    EXPECT(PN_OK, pn_builder_view(builder, &value, &err));
    EXPECT(PN_OK, pn_dataset_add_constant(t, &value, &next, &err));
    table_place_step(&t, next);
    pn_builder_free(builder);
    EXPECT(PN_OK, pn_dataset_filter_rows(t, pn_str_of("square = id * id AND shop = 'north'"), &rows,
                                         &err));
    assert_int_equal(pn_rowset_count(&rows), 75);
    pn_rowset_reset(&rows);
    const pn_compact_options options = {.mode = PN_COMPACT_FULL};
    EXPECT(PN_OK, pn_dataset_compact(t, &options, NULL, &next, &err)); // three files become one
    table_place_step(&t, next);
    assert_int_equal(t->n_fragments, 1);
    assert_int_equal(t->fragments[0].message->n_files, 1);
    EXPECT(PN_OK, pn_dataset_filter_rows(t, pn_str_of("square = id * id AND shop = 'north'"), &rows,
                                         &err));
    assert_int_equal(pn_rowset_count(&rows), 75);
    pn_rowset_reset(&rows);
    pn_dataset_unref(t);
}

/* What no reader would open must not become a version: of a new table, of an overwritten one, or by a column that comes. */
static void columns__that_could_not_be_read_again_are_refused(void **state)
{
    static const struct {
        const char *name;
        pn_type_id type;
        int32_t precision;
        pn_time_unit unit;
        const char *zone, *message;
    } cases[] = {
        {"a", PN_TYPE_FIXED_SIZE_BINARY, .message = "column \"a\": its size is 0"},
        {"a", PN_TYPE_TIME32, .unit = PN_UNIT_MICRO, .message = "a time32 counts s or ms"},
        {"a", PN_TYPE_TIME64, .unit = PN_UNIT_MILLI, .message = "a time64 counts us or ns"},
        {"a", PN_TYPE_TIMESTAMP, .zone = "+01:00", .message = "its time zone has a colon"},
        {"a", PN_TYPE_DECIMAL128, .precision = 39, .message = "a decimal128 has 1 to 38 digits"},
        {"a", PN_TYPE_DECIMAL256, .precision = 77, .message = "a decimal256 has 1 to 76 digits"},
        {"a", PN_TYPE_STRUCT, .message = "a struct without members"},
        {"b.c", PN_TYPE_INT8, .message = "\"b.c\" cannot be a column's name: it has a dot"},
        {"", PN_TYPE_INT8, .message = "\"\" cannot be a column's name: it is empty"},
        {"_rowid", PN_TYPE_INT8, .message = "Lance has a column of its own by that name"},
    };
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next;
    char *other = pn_arena_printf(&p->arena, "%s-other", p->table);
    uint64_t version = pn_dataset_version(t);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field field;
        pn_append *append;
        pn_field_init(&field, cases[i].name, cases[i].type, true);
        field.precision = cases[i].precision;
        field.unit = cases[i].unit;
        field.timezone = cases[i].zone;
        const pn_schema schema = {.fields = &field, .n_fields = 1};
        EXPECT(PN_ERR_INVALID, pn_dataset_add_column(t, &field, NULL, &next, &err));
        assert_non_null(strstr(err.message, cases[i].message));
        EXPECT(PN_ERR_INVALID, pn_overwrite_begin(t, &schema, &append, &err));
        EXPECT(PN_ERR_INVALID, pn_dataset_create(other, &schema, &next, &err));
        assert_non_null(strstr(err.message, cases[i].message));
    }
    EXPECT(PN_ERR_INVALID, pn_dataset_rename_column(t, "name", "_rowaddr", &next, &err));
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_open(other, 0, &next, &err));
    EXPECT(PN_OK, pn_dataset_latest(t, &next, &err));
    assert_int_equal(pn_dataset_version(next), version);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

static void columns__of_parts_that_do_not_fit_are_refused(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next;
    pn_field field, item, members[2];
    pn_field_init(&field, "a", PN_TYPE_STRUCT, true);
    pn_field_init(&members[0], "same", PN_TYPE_INT8, true);
    pn_field_init(&members[1], "same", PN_TYPE_INT16, true);
    field.children = members;
    field.n_children = 2;
    EXPECT(PN_ERR_INVALID, pn_dataset_add_column(t, &field, NULL, &next, &err));
    assert_non_null(strstr(err.message, "two members have the name \"same\""));
    assert_true(pn_field_init_string_map(&field, "a", true, &p->arena));
    field.children[0].children[0].nullable = true;
    EXPECT(PN_ERR_INVALID, pn_dataset_add_column(t, &field, NULL, &next, &err));
    assert_non_null(strstr(err.message, "the keys of a map cannot be null"));
    pn_field_init(&item, "item", PN_TYPE_STRUCT, true);
    item.children = members;
    item.n_children = 1;
    pn_field_init(&field, "a", PN_TYPE_FIXED_SIZE_LIST, true);
    field.size = 2;
    field.children = &item;
    field.n_children = 1;
    EXPECT(PN_ERR_INVALID, pn_dataset_add_column(t, &field, NULL, &next, &err));
    assert_non_null(strstr(err.message, "what could not be read again: column \"a\""));

    /* what is read, but not written, would keep all rows out from then on */
    char *other = pn_arena_printf(&p->arena, "%s-other", p->table);
    const pn_schema schema = {.fields = &field, .n_fields = 1};
    pn_field_init(&item, "item", PN_TYPE_BOOL, true);
    field.size = 9;
    EXPECT(PN_ERR_UNSUPPORTED, pn_dataset_add_column(t, &field, NULL, &next, &err));
    assert_non_null(strstr(err.message, "writing this fixed-size list is not supported"));
    EXPECT(PN_ERR_UNSUPPORTED, pn_dataset_create(other, &schema, &next, &err));
    pn_field_init(&item, "item", PN_TYPE_DOUBLE, true);
    field.size = INT32_MAX;
    EXPECT(PN_ERR_UNSUPPORTED, pn_dataset_add_column(t, &field, NULL, &next, &err));
    assert_non_null(strstr(err.message, "writing values that wide is not supported"));
    pn_dataset_unref(t);
}

/* Parts of columns count, and those that are there already. */
static void columns__are_as_many_as_can_be_read(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next;
    size_t there = t->manifest.message->n_fields;
    char *other = pn_arena_printf(&p->arena, "%s-other", p->table);
    pn_field wide, *members = PN_ARENA_NEW(&p->arena, pn_field, PN_LANCE_MAX_COLUMNS);
    assert_non_null(members);
    for (size_t i = 0; i < PN_LANCE_MAX_COLUMNS; i++)
        pn_field_init(&members[i], pn_arena_printf(&p->arena, "m%zu", i), PN_TYPE_INT8, true);
    pn_field_init(&wide, "wide", PN_TYPE_STRUCT, true);
    wide.children = members;
    wide.n_children = PN_LANCE_MAX_COLUMNS - there;
    EXPECT(PN_ERR_LIMIT, pn_dataset_add_column(t, &wide, NULL, &next, &err));
    wide.n_children--;
    EXPECT(PN_OK, pn_dataset_add_column(t, &wide, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_ERR_LIMIT, pn_dataset_add_column(t, &members[0], NULL, &next, &err));
    pn_dataset_unref(t);
    EXPECT(PN_OK, pn_dataset_open(p->table, 0, &t, &err));
    pn_dataset_unref(t);
    wide.n_children = PN_LANCE_MAX_COLUMNS;
    const pn_schema schema = {.fields = &wide, .n_fields = 1};
    EXPECT(PN_ERR_LIMIT, pn_dataset_create(other, &schema, &next, &err));
}

/* ---- clean-up ---- */

static void cleanup__keeps_what_is_needed(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next;
    pn_cleanup_report report;
    pn_cleanup_options options = PN_CLEANUP_OPTIONS_INIT;
    const pn_compact_options full = {.mode = PN_COMPACT_FULL};
    EXPECT(PN_OK, pn_dataset_compact(t, &full, NULL, &next, &err)); // version 5
    table_place_step(&t, next);
    EXPECT(PN_OK, pn_dataset_tag_create(p->table, "kept", 2, &err));
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err)); // nothing is asked for
    assert_int_equal(report.n_versions + report.n_files, 0);
    assert_int_equal(report.n_kept, 5);
    options.older_than_ms = 3600 * 1000;
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_int_equal(report.n_versions, 0);
    const struct timespec moment = {.tv_nsec = 5000000};
    (void)nanosleep(&moment, NULL); // so that the newest but one is older than now
    options.older_than_ms = 0;
    options.mode = PN_CLEANUP_REPORT;
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_int_equal(report.n_versions, 3);
    assert_int_equal(count_files(p, "_versions"), 6);
    options.mode = PN_CLEANUP_REMOVE;
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_int_equal(report.n_versions, 3);
    assert_int_equal(report.n_kept, 2);
    assert_int_equal(report.n_orphans, 0);
    assert_int_equal(report.n_files, 1 + 2 + 3); // a data file, two deletion files, transactions
    assert_int_equal(count_files(p, "_versions"), 3);
    assert_int_equal(count_files(p, "data"), 2);
    assert_int_equal(count_files(p, "_deletions"), 0);
    assert_int_equal(count_files(p, "_transactions"), 2);
    small_table_expect(t, 0, 2, 75);
    EXPECT(PN_OK, pn_dataset_open(p->table, 2, &next, &err));
    small_table_expect(next, 0, 1, 100);
    pn_dataset_unref(next);
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_open(p->table, 3, &next, &err));
    pn_dataset_unref(t);
}

static void cleanup__finds_orphans_when_they_are_old(void **state)
{
    static const char *const orphans[] = {
        "data/x.lance",           "_deletions/0-1-1.bin",       "_transactions/1-x.txn",
        "_indices/abc/index.idx", "_versions/1.manifest#x",     "data/y.lance#3",
        "_pennon/next_id.3.tmp",  "_pennon/index/x.idx.4.part", "_pennon/index/folds.log.5.tmp"};
    static const char *const strangers[] = {"data/notes.txt", "_pennon/x.lance",
                                            "_pennon/index/x.idx"};
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p);
    pn_cleanup_report report;
    pn_cleanup_options options = PN_CLEANUP_OPTIONS_INIT;
    EXPECT(PN_OK, pn_dir_make(pn_path_join(&p->arena, p->table, "_indices/abc"), &err));
    EXPECT(PN_OK, pn_dir_make(pn_path_join(&p->arena, p->table, "_pennon/index"), &err));
    for (size_t i = 0; i < PN_COUNT_OF(orphans) + PN_COUNT_OF(strangers); i++) {
        const char *name =
            i < PN_COUNT_OF(orphans) ? orphans[i] : strangers[i - PN_COUNT_OF(orphans)];
        EXPECT(PN_OK, pn_file_write_atomic(pn_path_join(&p->arena, p->table, name), "x", 1, &err));
    }
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err)); // too young
    assert_int_equal(report.n_files, 0);
    const struct timespec moment = {.tv_nsec = 5000000};
    (void)nanosleep(&moment, NULL);
    options.orphan_ms = 0;
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_int_equal(report.n_orphans, PN_COUNT_OF(orphans));
    assert_int_equal(report.n_files, PN_COUNT_OF(orphans));
    for (size_t i = 0; i < PN_COUNT_OF(orphans); i++)
        assert_false(pn_path_exists(pn_path_join(&p->arena, p->table, orphans[i])));
    for (size_t i = 0; i < PN_COUNT_OF(strangers); i++)
        assert_true(pn_path_exists(pn_path_join(&p->arena, p->table, strangers[i])));
    small_table_expect(t, 0, 2, 75);
    pn_dataset_unref(t);
}

/* Versions of one minute: the last one of it stays, and one that somebody reads. */
static void cleanup__thins_a_crowd_out(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *old, *next;
    pn_cleanup_report report;
    uint64_t *held;
    pn_cleanup_options options = {
        .older_than_ms = -1, .orphan_ms = -1, .crowd = 30, .crowd_ms = 3600000};
    EXPECT(PN_OK, pn_dataset_open(p->table, 3, &old, &err));
    for (int64_t i = 0; i < 30; i++) {
        EXPECT(PN_OK, small_table_append(t, 1000 + i, 1, NULL, &next, &err));
        pn_dataset_unref(t);
        t = next;
    }
    size_t before = count_files(p, "_versions");
    EXPECT(PN_OK, pn_dataset_pinned(old, &p->arena, &held, &options.n_held, &err));
    assert_int_equal(options.n_held, 1);
    assert_int_equal(held[0], 3);
    options.held = held;
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err)); // too young
    assert_int_equal(report.n_versions, 0);
    options.crowd_ms = -1;
    options.crowd = 1000;
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err)); // too few
    assert_int_equal(report.n_versions, 0);
    options.crowd = 30;
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_in_range(report.n_kept, 2, 3); // a minute may have ended meanwhile
    assert_int_equal(count_files(p, "_versions"), before - report.n_versions);
    pn_dataset_unref(old);
    EXPECT(PN_OK, pn_dataset_open(p->table, 3, &old, &err));
    EXPECT(PN_OK, pn_dataset_latest(old, &next, &err)); // over the gap
    assert_int_equal(pn_dataset_version(next), pn_dataset_version(t));
    pn_dataset_unref(next);
    pn_dataset_unref(old);
    pn_dataset_unref(t);
}

static void cleanup__removes_nothing_when_it_cannot_know(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p);
    pn_cleanup_report report;
    pn_cleanup_options options = {.older_than_ms = 0, .orphan_ms = 0};
    char *path = pn_manifest_path(p->table, 2, PN_MANIFEST_V2, &p->arena);
    EXPECT(PN_OK, pn_dir_make(pn_path_join(&p->arena, p->table, "_refs/branches"), &err));
    char *branch = pn_path_join(&p->arena, p->table, "_refs/branches/b.json");
    EXPECT(PN_OK, pn_file_write_atomic(branch, "{}", 2, &err));
    EXPECT(PN_ERR_UNSUPPORTED, pn_dataset_cleanup(p->table, &options, &report, &err));
    EXPECT(PN_OK, pn_path_remove(branch, &err));
    EXPECT(PN_OK, pn_file_write_atomic(path, "LANC", 4, &err));
    EXPECT(PN_ERR_CORRUPT, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_non_null(strstr(err.message, path));
    assert_int_equal(count_files(p, "_versions"), 5);
    assert_int_equal(count_files(p, "data"), 2);
    small_table_expect(t, 0, 2, 75);
    pn_dataset_unref(t);
}

/* Somebody else cleans up at the same time: what is listed may be gone when it is opened. */
static void versions_that_go_meanwhile__stand_in_nobodys_way(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *again;
    pn_cleanup_report report, whole;
    const pn_cleanup_options options = {.mode = PN_CLEANUP_REPORT, .older_than_ms = 0};
    uint64_t newest = pn_dataset_version(t), n_without_one = 0, n_failed = 0;
    pn_fd_fault_reads_after(1, ENOENT);
    EXPECT(PN_OK, pn_dataset_open(p->table, 0, &again, &err));
    assert_int_equal(pn_dataset_version(again), newest);
    pn_dataset_unref(again);
    pn_fd_fault_reads_after(1, ENOENT); // by its number it is asked for once
    EXPECT(PN_ERR_NOT_FOUND, pn_dataset_open(p->table, newest, &again, &err));
    pn_fd_fault_reads_after(0, 0);
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &whole, &err));
    for (int n = 1; n < 40; n++) {
        pn_fd_fault_reads_after(n, ENOENT);
        pn_status status = pn_dataset_cleanup(p->table, &options, &report, &err);
        pn_fd_fault_reads_after(0, 0);
        n_failed += status != PN_OK;
        n_without_one += status == PN_OK && report.n_versions == whole.n_versions - 1;
    }
    assert_true(n_without_one >= whole.n_versions);
    assert_int_equal(n_failed, 0); // when the newest is gone, all are listed anew
    pn_dataset_unref(t);
}

/* Versions share their files: all of those that lack one are damaged. */
static void cleanup__removes_every_version_that_lacks_a_file(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_arena arena;
    pn_dataset *t, *next;
    pn_append *append;
    pn_schema schema;
    pn_cleanup_report report;
    const pn_cleanup_options options = {.older_than_ms = -1, .damaged_too = true};
    pn_arena_init(&arena, SIZE_MAX);
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    EXPECT(PN_OK, small_table_append(t, 0, 10, NULL, &next, &err));
    table_place_step(&t, next);
    char *lost = pn_path_join(&arena, p->table, "data");
    lost = pn_path_join(&arena, lost, t->fragments[0].message->files[0]->path);
    EXPECT(PN_OK, small_table_append(t, 10, 10, NULL, &next, &err));
    table_place_step(&t, next);
    small_table_schema(&arena, &schema);
    EXPECT(PN_OK, pn_overwrite_begin(t, &schema, &append, &err));
    EXPECT(PN_OK, pn_append_commit(append, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_OK, pn_path_remove(lost, &err));
    EXPECT(PN_OK, pn_dataset_cleanup(p->table, &options, &report, &err));
    assert_int_equal(report.n_versions, 2);
    assert_int_equal(report.n_kept, 2);
    pn_dataset_unref(t);
    pn_arena_reset(&arena);
}

typedef struct meanwhile {
    pn_dataset *t;
    int64_t n_rows, n_reads;
    bool came;
} meanwhile;

/* When the first version goes, somebody commits two, and of what is opened and read then the n_reads-th thing is gone (the first
 * is the folder). */
static void commit_two(void *context, const char *what, const char *path)
{
    meanwhile *m = context;
    pn_error err;
    if (m->came || strcmp(what, "remove") != 0 || !strstr(path, ".manifest"))
        return;
    m->came = true;
    for (int i = 0; i < 2; i++, m->n_rows++) {
        pn_dataset *next;
        EXPECT(PN_OK, small_table_append(m->t, m->n_rows, 1, NULL, &next, &err));
        table_place_step(&m->t, next);
    }
    pn_fd_fault_reads_after(m->n_reads, ENOENT);
}

static void versions_that_come_and_go_meanwhile__stand_in_nobodys_way(void **state)
{
    table_place *p = *state;
    pn_error err;
    meanwhile m = {.n_rows = 0};
    pn_cleanup_report report;
    const pn_cleanup_options options = {.mode = PN_CLEANUP_REMOVE, .older_than_ms = 0};
    uint64_t n_skipped = 0, n_all = 0;
    EXPECT(PN_OK, small_table_create(p->table, &m.t, &err));
    for (m.n_reads = 2; m.n_reads < 16; m.n_reads++) {
        pn_dataset *next;
        m.came = false;
        EXPECT(PN_OK, small_table_append(m.t, m.n_rows++, 1, NULL, &next, &err));
        table_place_step(&m.t, next);
        pn_clock_sleep_ms(2); // so that there is an old version
        pn_fd_watch(commit_two, &m);
        pn_status status = pn_dataset_cleanup(p->table, &options, &report, &err);
        pn_fd_watch(NULL, NULL);
        pn_fd_fault_reads_after(0, 0);
        assert_true(m.came);
        if (status != PN_OK)
            fail_msg("without read %d: %s", (int)m.n_reads, err.message);
        n_skipped += report.n_kept == 2; // the newest that was listed, and the newest
        n_all += report.n_kept == 3;
        small_table_expect(m.t, 0, 1, (size_t)m.n_rows);
    }
    assert_true(n_skipped > 0 && n_all > 0);
    assert_int_equal(n_skipped + n_all, 14);
    pn_dataset_unref(m.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(restore__brings_a_version_back, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(overwrite__is_another_table, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(tags__name_versions, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(tag_files__are_read_carefully, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(drop_and_rename__change_the_schema_alone, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(add_column__writes_values_for_all_rows, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(columns__that_could_not_be_read_again_are_refused,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(columns__of_parts_that_do_not_fit_are_refused,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(columns__are_as_many_as_can_be_read, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(cleanup__keeps_what_is_needed, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(cleanup__finds_orphans_when_they_are_old, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(cleanup__thins_a_crowd_out, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(cleanup__removes_nothing_when_it_cannot_know,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(cleanup__removes_every_version_that_lacks_a_file,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(versions_that_go_meanwhile__stand_in_nobodys_way,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(versions_that_come_and_go_meanwhile__stand_in_nobodys_way,
                                        table_place_setup, table_place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

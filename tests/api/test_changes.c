/*
 * test_changes.c - section 10 of pennon.h, and the upsert and overwrite of section 9, as its users have them
 */
#include <pennon.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "dataset/tags.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/small_table.h"
#include "support/table_place.h"

static pn_error err;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != PN_OK)                                                                       \
            fail_msg("%s: %s", #call, err.message);                                                \
    } while (0)
#define FAILS(status, part, call)                                                                  \
    do {                                                                                           \
        assert_int_equal((call), (status));                                                        \
        if (!strstr(err.message, part))                                                            \
            fail_msg("%s: no \"%s\" in: %s", #call, part, err.message);                            \
    } while (0)

/* ---- texts in and out ---- */

typedef struct text {
    const char *in;
    char out[4096];
    size_t n;
} text;

static pn_status read_some(void *context, void *out, size_t n, size_t *n_read, pn_error *e)
{
    text *t = context;
    (void)e;
    *n_read = strlen(t->in) < n ? strlen(t->in) : n;
    memcpy(out, t->in, *n_read);
    t->in += *n_read;
    return PN_OK;
}

static pn_status write_some(void *context, const void *bytes, size_t n, pn_error *e)
{
    text *t = context;
    (void)e;
    assert_true(t->n + n < sizeof t->out);
    memcpy(t->out + t->n, bytes, n);
    t->n += n;
    t->out[t->n] = '\0';
    return PN_OK;
}

static pn_status import_text(const char *table, const char *rows, pn_import_options options,
                             pn_import_report *report)
{
    text t = {.in = rows};
    options.read = read_some;
    options.context = &t;
    return pn_lance_import(table, &options, report, &err);
}

static void expect_rows(const char *table, uint64_t version, const char *want)
{
    text t = {.n = 0};
    pn_export_options options = PN_EXPORT_OPTIONS_INIT;
    options.version = version;
    options.write = write_some;
    options.context = &t;
    OK(pn_lance_export(table, &options, NULL, &err));
    assert_string_equal(t.out, want);
}

static const char rows_1_to_3[] = "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n"
                                  "{\"id\":3,\"name\":\"c\"}\n";

/* Versions 1, without rows, and 2. */
static const char *make_table(void **state)
{
    const char *table = ((table_place *)*state)->table;
    pn_import_options options = PN_IMPORT_OPTIONS_INIT;
    options.mode = PN_MODE_CREATE;
    options.schema_json =
        "[{\"name\":\"id\",\"type\":\"int64\"},{\"name\":\"name\",\"type\":\"string\"}]";
    OK(import_text(table, "", options, NULL));
    options.mode = PN_MODE_APPEND;
    options.schema_json = NULL;
    OK(import_text(table, rows_1_to_3, options, NULL));
    return table;
}

/* ---- section 9 ---- */

static void upsert__replaces_adds_and_deletes(void **state)
{
    static const char *const keys[] = {"id"};
    const char *table = make_table(state);
    pn_import_options options = PN_IMPORT_OPTIONS_INIT;
    pn_import_report report = PN_IMPORT_REPORT_INIT;
    options.keys = keys;
    options.n_keys = 1;
    OK(import_text(table, "{\"id\":3,\"name\":\"C\"}\n{\"id\":4,\"name\":\"d\"}\n", options,
                   &report));
    assert_int_equal(report.n_rows, 2);
    assert_int_equal(report.n_inserted, 1);
    assert_int_equal(report.n_updated, 1);
    assert_int_equal(report.n_deleted, 0);
    assert_int_equal(report.version, 3);
    expect_rows(table, 0,
                "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n{\"id\":3,\"name\":\"C\"}\n"
                "{\"id\":4,\"name\":\"d\"}\n");
    options.leave_matched = options.leave_unmatched = options.delete_missing = 1;
    options.delete_where = "id < 4";
    OK(import_text(table, "id\n2\n9\n", (options.format = PN_FORMAT_CSV, options), &report));
    assert_int_equal(report.n_inserted + report.n_updated, 0);
    assert_int_equal(report.n_deleted, 2);
    expect_rows(table, 0, "{\"id\":2,\"name\":\"b\"}\n{\"id\":4,\"name\":\"d\"}\n");
    expect_rows(table, 2, rows_1_to_3); // which is still there
}

static void upsert__keeps_what_does_not_come(void **state)
{
    static const char *const keys[] = {"name"};
    const char *table = make_table(state);
    pn_import_options options = PN_IMPORT_OPTIONS_INIT;
    options.keys = keys;
    options.n_keys = 1;
    OK(pn_lance_add_column(table, "{\"name\":\"stock\",\"type\":\"int32\"}", "7", NULL, &err));
    OK(import_text(table, "{\"name\":\"b\",\"stock\":0}\n{\"name\":\"e\",\"stock\":5}\n", options,
                   NULL));
    expect_rows(
        table, 0,
        "{\"id\":1,\"name\":\"a\",\"stock\":7}\n{\"id\":3,\"name\":\"c\",\"stock\":7}\n"
        "{\"id\":2,\"name\":\"b\",\"stock\":0}\n{\"id\":null,\"name\":\"e\",\"stock\":5}\n");
}

static void upsert__names_mistakes(void **state)
{
    static const char *const keys[] = {"id"}, *const strange[] = {"sku"};
    const char *table = make_table(state);
    pn_import_options options = PN_IMPORT_OPTIONS_INIT;
    options.delete_missing = 1;
    FAILS(PN_ERR_INVALID, "without keys", import_text(table, "", options, NULL));
    options = (pn_import_options)PN_IMPORT_OPTIONS_INIT;
    options.keys = keys;
    options.n_keys = 1;
    FAILS(PN_ERR_INVALID, "the key id = 1 is in two of the rows: 1 and 2",
          import_text(table, "{\"id\":1}\n{\"id\":1}\n", options, NULL));
    FAILS(PN_ERR_INVALID, "the table has no column \"price\"",
          import_text(table, "{\"id\":1,\"price\":2}\n", options, NULL));
    FAILS(PN_ERR_INVALID, "the key column \"id\" is not in the rows",
          import_text(table, "{\"name\":\"x\"}\n", options, NULL));
    options.keys = strange;
    FAILS(PN_ERR_INVALID, "the key column \"sku\" is not in the table",
          import_text(table, "{\"name\":\"x\"}\n", options, NULL));
    options.delete_where = "id > 1";
    FAILS(PN_ERR_INVALID, "without delete_missing", import_text(table, "", options, NULL));
    options.delete_where = NULL;
    options.mode = PN_MODE_OVERWRITE;
    FAILS(PN_ERR_INVALID, "does not overwrite", import_text(table, "", options, NULL));
    options.mode = (pn_create_mode)4;
    FAILS(PN_ERR_INVALID, "mode 4", import_text(table, "", options, NULL));
    expect_rows(table, 0, rows_1_to_3);
}

static void overwrite__brings_its_own_columns(void **state)
{
    const char *table = make_table(state);
    pn_import_options options = PN_IMPORT_OPTIONS_INIT;
    pn_import_report report = PN_IMPORT_REPORT_INIT;
    options.mode = PN_MODE_OVERWRITE;
    OK(import_text(table, "{\"sku\":\"x\",\"price\":1.5}\n", options, &report));
    assert_int_equal(report.version, 3);
    expect_rows(table, 0, "{\"sku\":\"x\",\"price\":1.5}\n");
    expect_rows(table, 2, rows_1_to_3);
    FAILS(PN_ERR_INVALID, "line 2", import_text(table, "{\"sku\":\"y\"}\n{", options, NULL));
    expect_rows(table, 0, "{\"sku\":\"x\",\"price\":1.5}\n"); // nothing of it came
    uint64_t version;
    OK(pn_lance_restore(table, 2, &version, &err));
    assert_int_equal(version, 4);
    expect_rows(table, 0, rows_1_to_3);
    /* Where there is none, it makes one. */
    OK(pn_dir_remove_all(table, &err));
    OK(import_text(table, rows_1_to_3, options, &report));
    expect_rows(table, 0, rows_1_to_3);
}

/* A report of an older program, which ends before the counts of upserts. */
static void older_structs__are_filled_as_far_as_they_go(void **state)
{
    const char *table = make_table(state);
    pn_import_options options = PN_IMPORT_OPTIONS_INIT;
    pn_import_report report = PN_IMPORT_REPORT_INIT;
    options.struct_bytes = offsetof(pn_import_options, keys);
    options.keys = (const char *const *)&options; // not there for the library
    options.n_keys = 1000;
    report.struct_bytes = offsetof(pn_import_report, n_inserted);
    report.n_inserted = 77;
    OK(import_text(table, "{\"id\":9,\"name\":null}\n", options, &report));
    assert_int_equal(report.n_rows, 1);
    assert_int_equal(report.n_inserted, 77);
    report.struct_bytes = 0;
    FAILS(PN_ERR_INVALID, "", import_text(table, "", options, &report));
}

/* ---- section 10 ---- */

static void versions__have_names(void **state)
{
    const char *table = make_table(state);
    uint64_t version = 0;
    char *json;
    OK(pn_lance_tags_json(table, &json, &err));
    assert_string_equal(json, "[]");
    pn_memory_free(json);
    OK(pn_lance_tag_create(table, "spring", 1, &err));
    OK(pn_lance_tag_create(table, "newest", 0, &err));
    FAILS(PN_ERR_EXISTS, "spring", pn_lance_tag_create(table, "spring", 2, &err));
    FAILS(PN_ERR_NOT_FOUND, "9", pn_lance_tag_create(table, "late", 9, &err));
    FAILS(PN_ERR_INVALID, "", pn_lance_tag_create(table, "no spaces", 1, &err));
    OK(pn_lance_find_version(table, "newest", &version, &err));
    assert_int_equal(version, 2);
    OK(pn_lance_find_version(table, "17", &version, &err));
    assert_int_equal(version, 17);
    FAILS(PN_ERR_INVALID, "from 1", pn_lance_find_version(table, "0", &version, &err));
    FAILS(PN_ERR_NOT_FOUND, "summer", pn_lance_find_version(table, "summer", &version, &err));
    OK(pn_lance_find_version(table, "tag:newest", &version, &err));
    assert_int_equal(version, 2);
    FAILS(PN_ERR_NOT_FOUND, "\"17\"", pn_lance_find_version(table, "tag:17", &version, &err));
    FAILS(PN_ERR_INVALID, "number of a version", pn_lance_tag_create(table, "2", 1, &err));
    OK(pn_dataset_tag_create(table, "2", 1, &err)); // as LanceDB does
    OK(pn_lance_find_version(table, "tag:2", &version, &err));
    assert_int_equal(version, 1);
    OK(pn_lance_find_version(table, "2", &version, &err));
    assert_int_equal(version, 2);
    OK(pn_lance_tag_delete(table, "2", &err));
    OK(pn_lance_tag_update(table, "spring", 2, &err));
    FAILS(PN_ERR_NOT_FOUND, "summer", pn_lance_tag_update(table, "summer", 2, &err));
    OK(pn_lance_tags_json(table, &json, &err));
    assert_string_equal(
        json, "[{\"name\":\"newest\",\"version\":2},{\"name\":\"spring\",\"version\":2}]");
    pn_memory_free(json);
    OK(pn_lance_tag_delete(table, "spring", &err));
    FAILS(PN_ERR_NOT_FOUND, "spring", pn_lance_tag_delete(table, "spring", &err));
    FAILS(PN_ERR_NOT_FOUND, "9", pn_lance_restore(table, 9, NULL, &err));
    FAILS(PN_ERR_NOT_FOUND, "", pn_lance_restore("/nowhere", 1, NULL, &err));
    FAILS(PN_ERR_NOT_FOUND, "", pn_lance_tags_json("/nowhere", &json, &err));
    FAILS(PN_ERR_NOT_FOUND, "", pn_lance_tag_create("/nowhere", "x", 1, &err));
    FAILS(PN_ERR_INVALID, "no table", pn_lance_tag_create("", "x", 1, &err));
}

static void columns__come_go_and_change_names(void **state)
{
    const char *table = make_table(state);
    static const char *const id[] = {"id"}, *const all[] = {"id", "stock"}, *const no[] = {"no"};
    uint64_t version;
    OK(pn_lance_rename_column(table, "name", "title", 0, &version, &err));
    assert_int_equal(version, 3);
    OK(pn_lance_drop_columns(table, id, 1, 0, &version, &err));
    OK(pn_lance_add_column(table, "{\"name\":\"tags\",\"type\":\"list<string>\"}", "[\"x\"]",
                           &version, &err));
    OK(pn_lance_add_column(table, "{\"name\":\"none\",\"type\":\"double\"}", NULL, &version, &err));
    assert_int_equal(version, 6);
    expect_rows(table, 0,
                "{\"title\":\"a\",\"tags\":[\"x\"],\"none\":null}\n"
                "{\"title\":\"b\",\"tags\":[\"x\"],\"none\":null}\n"
                "{\"title\":\"c\",\"tags\":[\"x\"],\"none\":null}\n");
    FAILS(PN_ERR_EXISTS, "tags",
          pn_lance_add_column(table, "{\"name\":\"tags\",\"type\":\"int8\"}", NULL, NULL, &err));
    FAILS(PN_ERR_INVALID, "",
          pn_lance_add_column(table, "{\"name\":\"x\",\"type\":\"int8\"}", "\"much\"", NULL, &err));
    FAILS(PN_ERR_INVALID, "the value: ",
          pn_lance_add_column(table, "{\"name\":\"x\",\"type\":\"int8\"}", "{", NULL, &err));
    FAILS(PN_ERR_INVALID, "the column: ", pn_lance_add_column(table, "stock", NULL, NULL, &err));
    FAILS(PN_ERR_INVALID, "",
          pn_lance_add_column(table, "{\"name\":\"x\",\"type\":\"rope\"}", NULL, NULL, &err));
    FAILS(PN_ERR_INVALID, "cannot be null",
          pn_lance_add_column(table, "{\"name\":\"x\",\"type\":\"int8\",\"nullable\":false}", NULL,
                              NULL, &err));
    FAILS(PN_ERR_NOT_FOUND, "\"id\"", pn_lance_drop_columns(table, all, 2, 0, NULL, &err));
    FAILS(PN_ERR_NOT_FOUND, "\"no\"", pn_lance_drop_columns(table, no, 1, 0, NULL, &err));
    FAILS(PN_ERR_EXISTS, "\"tags\"", pn_lance_rename_column(table, "title", "tags", 0, NULL, &err));
    FAILS(PN_ERR_INVALID, "dot", pn_lance_rename_column(table, "title", "a.b", 0, NULL, &err));
    FAILS(PN_ERR_INVALID, "", pn_lance_drop_columns(table, NULL, 1, 0, NULL, &err));
    FAILS(PN_ERR_INVALID, "", pn_lance_rename_column(table, NULL, "x", 0, NULL, &err));
}

/* LanceDB made the B-tree; a drop of its column takes it along, which has to be wanted. */
static void columns_with_an_index__are_dropped_by_force(void **state)
{
    const char *table = ((table_place *)*state)->table;
    static const char *const id[] = {"id"};
    char from[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures/life2.2/life.lance", from);
    small_table_copy_folder(from, table);
    OK(pn_lance_restore(table, 14, NULL, &err));
    FAILS(PN_ERR_INVALID, "column \"id\" has the index \"id_idx\"",
          pn_lance_drop_columns(table, id, 1, 0, NULL, &err));
    OK(pn_lance_rename_column(table, "id", "number", 0, NULL,
                              &err)); // it knows the column by its number
    OK(pn_lance_rename_column(table, "number", "id", 0, NULL, &err));
    OK(pn_lance_drop_columns(table, id, 1, 1, NULL, &err));
    OK(pn_lance_add_column(table, "{\"name\":\"id\",\"type\":\"int8\"}", NULL, NULL, &err));
    OK(pn_lance_drop_columns(table, id, 1, 0, NULL, &err)); // another one, without an index
}

static int stop(void *context)
{
    ++*(int *)context;
    return 1;
}

static void compaction_and_cleanup__count_first(void **state)
{
    const char *table = make_table(state);
    pn_import_options more = PN_IMPORT_OPTIONS_INIT;
    pn_compact_table_options compact = PN_COMPACT_TABLE_OPTIONS_INIT;
    pn_compact_table_report folded = PN_COMPACT_TABLE_REPORT_INIT;
    pn_cleanup_table_options cleanup = PN_CLEANUP_TABLE_OPTIONS_INIT;
    pn_cleanup_table_report cleaned = PN_CLEANUP_TABLE_REPORT_INIT;
    int n_asked = 0;
    for (int i = 0; i < 4; i++)
        OK(import_text(table, "{\"id\":9,\"name\":\"z\"}\n", more, NULL));
    compact.dry_run = 1;
    OK(pn_lance_compact(table, &compact, &folded, &err));
    assert_int_equal(folded.n_old_fragments, 5);
    assert_int_equal(folded.n_new_fragments, 1);
    assert_int_equal(folded.n_rows, 7);
    assert_int_equal(folded.version, 6); // as it was
    compact.dry_run = 0;
    compact.cancelled = stop;
    compact.context = &n_asked;
    FAILS(PN_ERR_CANCELLED, "stopped", pn_lance_compact(table, &compact, &folded, &err));
    assert_true(n_asked > 0);
    compact.cancelled = NULL;
    OK(pn_lance_compact(table, &compact, &folded, &err));
    assert_int_equal(folded.n_old_fragments, 5);
    assert_int_equal(folded.version, 7);
    OK(pn_lance_compact(table, &compact, &folded, &err));
    assert_int_equal(folded.n_old_fragments, 0);
    assert_int_equal(folded.version, 7);
    compact.deleted_percent = 101;
    FAILS(PN_ERR_INVALID, "", pn_lance_compact(table, &compact, &folded, &err));
    compact.struct_bytes = 1;
    FAILS(PN_ERR_INVALID, "", pn_lance_compact(table, &compact, &folded, &err));

    OK(pn_lance_cleanup(table, &cleanup, &cleaned, &err)); // all are young
    assert_int_equal(cleaned.n_versions, 0);
    OK(pn_lance_tag_create(table, "kept", 2, &err));
    cleanup.older_than_seconds = 0;
    cleanup.keep_newest = 2;
    cleanup.dry_run = 1;
    OK(pn_lance_cleanup(table, &cleanup, &cleaned, &err));
    assert_int_equal(cleaned.n_versions, 4);
    assert_int_equal(cleaned.n_kept, 3);
    expect_rows(table, 3,
                "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n"
                "{\"id\":3,\"name\":\"c\"}\n{\"id\":9,\"name\":\"z\"}\n");
    cleanup.dry_run = 0;
    OK(pn_lance_cleanup(table, &cleanup, &cleaned, &err));
    assert_int_equal(cleaned.n_versions, 4);
    expect_rows(table, 2, rows_1_to_3);
    text t = {.n = 0};
    pn_export_options gone = PN_EXPORT_OPTIONS_INIT;
    gone.version = 3;
    gone.write = write_some;
    gone.context = &t;
    FAILS(PN_ERR_NOT_FOUND, "3", pn_lance_export(table, &gone, NULL, &err));
    cleanup.older_than_seconds = 1e300;
    FAILS(PN_ERR_INVALID, "age", pn_lance_cleanup(table, &cleanup, &cleaned, &err));
    FAILS(PN_ERR_NOT_FOUND, "", pn_lance_cleanup("/nowhere", NULL, NULL, &err));
    FAILS(PN_ERR_NOT_FOUND, "", pn_lance_compact("/nowhere", NULL, NULL, &err));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, table_place_setup, table_place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(upsert__replaces_adds_and_deletes),
        TEST(upsert__keeps_what_does_not_come),
        TEST(upsert__names_mistakes),
        TEST(overwrite__brings_its_own_columns),
        TEST(older_structs__are_filled_as_far_as_they_go),
        TEST(versions__have_names),
        TEST(columns__come_go_and_change_names),
        TEST(columns_with_an_index__are_dropped_by_force),
        TEST(compaction_and_cleanup__count_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_check.c - damage is found, and named; and what reads differently is never called sound
 *
 * A table of several versions, files and deletions is copied, one byte of one file is changed, or the file is cut, removed or replaced, and
 * the check is asked. Beside it every version is read from end to end: when that fails or gives other values, the check must not be content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "base/rng.h"
#include "dataset/check.h"
#include "dataset/checksums.h"
#include "dataset/dataset.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/scratch_folder.h"
#include "support/small_table.h"

enum { MAX_FILES = 64, N_VERSIONS = 5 };

/* The files of a table, by their paths in its folder. */
typedef struct file_list {
    const char *root;
    pn_arena *arena;
    const char *files[MAX_FILES];
    size_t n;
} file_list;

static pn_status list_file(void *context, const char *path, pn_error *err)
{
    file_list *list = context;
    (void)err;
    assert_true(list->n < MAX_FILES);
    list->files[list->n] = pn_arena_strdup(list->arena, path + strlen(list->root) + 1);
    list->n++;
    return PN_OK;
}

static void make_table(const char *path)
{
    pn_dataset *d[N_VERSIONS];
    uint64_t n;
    assert_int_equal(small_table_create(path, &d[0], NULL), PN_OK);
    assert_int_equal(small_table_append(d[0], 0, 50, NULL, &d[1], NULL), PN_OK);
    assert_int_equal(small_table_delete(d[1], "id % 6 = 1", &n, &d[2], NULL), PN_OK);
    assert_int_equal(small_table_append(d[2], 50, 30, NULL, &d[3], NULL), PN_OK);
    assert_int_equal(small_table_delete(d[3], "id > 70", &n, &d[4], NULL), PN_OK);
    for (int i = 0; i < N_VERSIONS; i++)
        pn_dataset_unref(d[i]);
}

static void check(const char *table, const pn_check_plan *plan, pn_arena *arena,
                  pn_check_result *out)
{
    pn_error err = {0};
    if (pn_dataset_check(table, plan, arena, out, &err) != PN_OK)
        fail_msg("%s", err.message);
}

static bool names(const pn_check_result *result, const char *file)
{
    for (size_t i = 0; i < result->n_findings; i++)
        if (strcmp(result->findings[i].file, file) == 0)
            return true;
    return false;
}

/* ---- what a reader sees ---- */

/* A damaged manifest may tell of other columns. */
static bool has_our_columns(const pn_dataset *dataset)
{
    static const pn_type_id types[] = {PN_TYPE_INT64, PN_TYPE_FIXED_SIZE_LIST, PN_TYPE_STRING,
                                       PN_TYPE_MAP};
    static const char *const columns[] = {"id", "vector", "name", "metadata"};
    const pn_schema *schema = pn_dataset_schema(dataset);
    if (schema->n_fields != 4)
        return false;
    for (size_t i = 0; i < 4; i++)
        if (schema->fields[i].type != types[i] || strcmp(schema->fields[i].name, columns[i]) != 0)
            return false;
    const pn_field *entries = &schema->fields[3].children[0];
    return schema->fields[1].size == SMALL_TABLE_DIM &&
           schema->fields[1].children[0].type == PN_TYPE_FLOAT && entries->n_children == 2 &&
           pn_type_is_variable(entries->children[0].type) &&
           pn_type_is_variable(entries->children[1].type);
}

/* A hash over every value of a version; 0: it cannot be read, 2: it is another table. */
static uint64_t read_version(const char *table, uint64_t version)
{
    static const uint64_t prime = 0x9E3779B97F4A7C15u;
    pn_dataset *dataset;
    pn_scan *scan;
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    uint64_t sum = 1;
    if (pn_dataset_open(table, version, &dataset, NULL) != PN_OK)
        return 0;
    if (!has_our_columns(dataset)) {
        pn_dataset_unref(dataset);
        return 2;
    }
    assert_int_equal(pn_scan_begin(dataset, &options, &scan, NULL), PN_OK);
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        if (pn_scan_next(scan, &batch, &addrs, NULL) != PN_OK) {
            sum = 0;
            break;
        }
        if (batch.n_rows == 0)
            break;
        for (size_t row = 0; row < batch.n_rows; row++) {
            const pn_array *map = &batch.columns[3];
            sum = sum * prime + pn_hash64(&((const int64_t *)batch.columns[0].values)[row], 8);
            sum = sum * prime + pn_hash64(pn_array_floats(&batch.columns[1], row),
                                          SMALL_TABLE_DIM * sizeof(float));
            sum = sum * prime + pn_array_is_valid(&batch.columns[2], row);
            if (pn_array_is_valid(&batch.columns[2], row))
                sum = sum * prime + pn_hash64(pn_array_bytes(&batch.columns[2], row).ptr,
                                              pn_array_bytes(&batch.columns[2], row).len);
            for (int64_t e = map->offsets[row]; e < map->offsets[row + 1]; e++)
                for (size_t k = 0; k < 2; k++) {
                    pn_str text = pn_array_bytes(&map->children[0].children[k], (size_t)e);
                    sum = sum * prime + pn_hash64(text.ptr, text.len);
                }
            sum = sum * prime + (uint64_t)(map->offsets[row + 1] - map->offsets[row]);
        }
    }
    pn_scan_end(scan);
    pn_dataset_unref(dataset);
    return sum;
}

static void read_all(const char *table, uint64_t sums[N_VERSIONS])
{
    for (uint64_t v = 1; v <= N_VERSIONS; v++)
        sums[v - 1] = read_version(table, v);
}

/* ---- damage ---- */

typedef struct damage {
    scratch_folder *s;
    char *table;
    file_list list;
    uint64_t sound[N_VERSIONS]; /* what the versions read as */
    size_t n_tried, n_harmful, n_found;
} damage;

static void set_up(damage *d, scratch_folder *s, bool record)
{
    pn_check_result result;
    const pn_check_plan plan = {.record = record};
    *d = (damage){.s = s, .table = scratch_path(s, "t")};
    make_table(d->table);
    check(d->table, &plan, &s->arena, &result);
    assert_int_equal(result.n_findings, 0);
    assert_int_equal(result.n_versions, N_VERSIONS);
    assert_int_equal(result.last_good, N_VERSIONS);
    /* 5 manifests, 5 transactions, 2 data files, 3 deletion files: the last delete goes into both fragments, or one. */
    assert_true(result.n_files >= 14);
    assert_int_equal(result.n_recorded, record ? result.n_files : 0);
    d->list = (file_list){.root = d->table, .arena = &s->arena};
    assert_int_equal(pn_dir_walk(d->table, list_file, &d->list, NULL), PN_OK);
    read_all(d->table, d->sound);
    for (int v = 0; v < N_VERSIONS; v++)
        assert_true(d->sound[v] != 0);
}

/* The file holds these bytes now. Did it matter, and was it found? */
static void try_damage(damage *d, const char *file, bool has_sums)
{
    pn_arena arena;
    pn_check_result result;
    const pn_check_plan plan = {0};
    uint64_t now[N_VERSIONS];
    bool is_harmful = false;
    pn_arena_init(&arena, SIZE_MAX);
    check(d->table, &plan, &arena, &result);
    read_all(d->table, now);
    for (uint64_t v = 1; v <= N_VERSIONS; v++) {
        bool differs = now[v - 1] != d->sound[v - 1];
        is_harmful = is_harmful || differs;
        if (has_sums && differs && result.last_good == v)
            fail_msg("%s: version %d reads differently and is called good", file, (int)v);
        if (now[v - 1] == 0 && result.last_good == v)
            fail_msg("%s: version %d cannot be read and is called good", file, (int)v);
    }
    d->n_tried++;
    d->n_harmful += is_harmful;
    d->n_found += result.n_findings > 0;
    if (has_sums && !names(&result, file))
        fail_msg("%s: a changed file is not named", file);
    if (is_harmful && result.n_findings == 0 && result.n_without_sum == 0)
        fail_msg("%s: the table reads differently and is called sound", file);
    pn_arena_reset(&arena);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    pn_fd fd;
    assert_int_equal(pn_fd_open(path, PN_OPEN_REPLACE, &fd, NULL), PN_OK);
    assert_int_equal(pn_fd_write(fd, path, bytes, n, NULL), PN_OK);
    pn_fd_close(fd);
}

/* Flip bits and cut at places spread over the file, and at each of its last 80 bytes when it is large. */
static void damage_file(damage *d, const char *file, bool has_sums, size_t n_places)
{
    pn_buffer whole;
    pn_arena arena;
    pn_rng rng = pn_rng_seed(5);
    pn_arena_init(&arena, SIZE_MAX);
    char *path = pn_path_join(&arena, d->table, file);
    pn_buffer_init(&whole, 1u << 24);
    assert_int_equal(pn_file_read(path, &whole, NULL), PN_OK);
    for (size_t i = 0; i < n_places; i++) {
        size_t at = i % 2 == 0
                        ? pn_rng_below(&rng, whole.n_bytes)
                        : whole.n_bytes - 1 - pn_rng_below(&rng, PN_MIN(whole.n_bytes, 900u));
        uint8_t was = whole.data[at];
        if (i % 5 == 4) {
            write_file(path, whole.data, at);
        } else {
            whole.data[at] ^= (uint8_t)(1u << pn_rng_below(&rng, 8));
            write_file(path, whole.data, whole.n_bytes);
        }
        try_damage(d, file, has_sums);
        whole.data[at] = was;
    }
    write_file(path, whole.data, whole.n_bytes);
    pn_buffer_reset(&whole);
    pn_arena_reset(&arena);
}

static bool is_table_file(const char *file)
{
    return strncmp(file, "_pennon/", 8) != 0 && strstr(file, "latest_version_hint") == NULL;
}

static void check__finds_every_changed_byte_with_checksums(void **state)
{
    damage d;
    set_up(&d, *state, true);
    for (size_t i = 0; i < d.list.n; i++)
        if (is_table_file(d.list.files[i]))
            damage_file(&d, d.list.files[i], true, 25);
    assert_int_equal(d.n_found, d.n_tried);
    assert_true(d.n_harmful > d.n_tried / 10); // the test does harm
    print_message("%zu damages, %zu of them change what is read\n", d.n_tried, d.n_harmful);
}

static void check__is_not_content_without_checksums(void **state)
{
    damage d;
    set_up(&d, *state, false);
    for (size_t i = 0; i < d.list.n; i++)
        if (is_table_file(d.list.files[i]))
            damage_file(&d, d.list.files[i], false, 25);
    assert_true(d.n_found > d.n_tried / 4);
    print_message("%zu damages, %zu of them change what is read, %zu found\n", d.n_tried,
                  d.n_harmful, d.n_found);
}

static void check__names_missing_and_replaced_files(void **state)
{
    for (int record = 0; record < 2; record++) {
        damage d;
        pn_check_result result;
        const pn_check_plan plan = {0};
        scratch_folder *s = *state;
        assert_int_equal(pn_dir_remove_all(scratch_path(s, "t"), NULL), PN_OK);
        set_up(&d, s, record);
        for (size_t i = 0; i < d.list.n; i++) {
            const char *file = d.list.files[i];
            char *path = pn_path_join(&s->arena, d.table, file);
            char *aside = scratch_path(s, "aside");
            if (!is_table_file(file))
                continue;
            assert_int_equal(pn_path_rename(path, aside, NULL), PN_OK);
            check(d.table, &plan, &s->arena, &result);
            /* A transaction stands in its manifest, too; the oldest manifests may have been cleaned up. */
            bool may_go =
                strncmp(file, "_transactions", 13) == 0 ||
                (strncmp(file, "_versions", 9) == 0 && strstr(file, "610.manifest") == NULL);
            if (!may_go && !names(&result, file))
                fail_msg("%s is missing, and nobody says so", file);
            assert_int_equal(pn_path_rename(aside, path, NULL), PN_OK);
            check(d.table, &plan, &s->arena, &result);
            assert_int_equal(result.n_findings, 0);
        }
    }
}

/* A data file in another's place: as many rows, other values. */
static void check__finds_a_replaced_file(void **state)
{
    scratch_folder *s = *state;
    pn_check_result result;
    pn_dataset *empty, *a, *b;
    char *table = scratch_path(s, "t"), *data = scratch_path(s, "t/data");
    pn_buffer bytes;
    assert_int_equal(small_table_create(table, &empty, NULL), PN_OK);
    assert_int_equal(small_table_append(empty, 100, 20, NULL, &a, NULL), PN_OK);
    assert_int_equal(small_table_append(a, 200, 20, NULL, &b, NULL), PN_OK);
    const pn_check_plan record = {.record = true}, plan = {0};
    check(table, &record, &s->arena, &result);
    assert_int_equal(result.n_findings, 0);
    const char *column = pn_dataset_schema(b)->fields[0].name;
    const char *replaced = pn_dataset_column_file(b, 1, column);
    char *first = pn_path_join(&s->arena, data, pn_dataset_column_file(b, 0, column));
    char *second = pn_path_join(&s->arena, data, replaced);
    pn_buffer_init(&bytes, 1u << 24);
    assert_int_equal(pn_file_read(first, &bytes, NULL), PN_OK);
    write_file(second, bytes.data, bytes.n_bytes);
    check(table, &plan, &s->arena, &result);
    assert_int_equal(result.n_findings, 1);
    assert_string_equal(result.findings[0].file + 5, replaced);
    assert_int_equal(result.findings[0].version, 3);
    assert_int_equal(result.last_good, 2);
    assert_int_equal(result.n_good, 2);
    /* Damage is not recorded as if it were good. */
    check(table, &record, &s->arena, &result);
    assert_int_equal(result.n_recorded, 0);
    check(table, &plan, &s->arena, &result);
    assert_int_equal(result.n_findings, 1);
    pn_buffer_reset(&bytes);
    pn_dataset_unref(empty);
    pn_dataset_unref(a);
    pn_dataset_unref(b);
}

static void check__knows_its_own_list(void **state)
{
    damage d;
    pn_check_result result;
    const pn_check_plan plan = {0};
    set_up(&d, *state, true);
    check(d.table, &plan, &d.s->arena, &result);
    assert_int_equal(result.n_without_sum, 0);
    char *path = pn_path_join(&d.s->arena, d.table, PN_CHECKSUMS_FILE);
    pn_buffer bytes;
    pn_buffer_init(&bytes, 1u << 20);
    assert_int_equal(pn_file_read(path, &bytes, NULL), PN_OK);
    for (size_t at = 0; at < bytes.n_bytes; at += 37) {
        bytes.data[at] ^= 1;
        write_file(path, bytes.data, bytes.n_bytes);
        check(d.table, &plan, &d.s->arena, &result);
        if (!names(&result, PN_CHECKSUMS_FILE))
            fail_msg("a changed byte %zu of the list", at);
        bytes.data[at] ^= 1;
        write_file(path, bytes.data, at);
        check(d.table, &plan, &d.s->arena, &result);
        assert_true(names(&result, PN_CHECKSUMS_FILE));
    }
    pn_buffer_reset(&bytes);
}

static void check__names_tags_that_keep_nothing(void **state)
{
    static const struct {
        const char *file, *text, *reason; /* reason NULL: nothing is wrong */
    } cases[] = {
        {"_refs/tags/cut.json", "{\"branch\": null, \"vers", "tells no version"},
        {"_refs/tags/none.json", "", "tells no version"},
        {"_refs/tags/lost.json", "{\"version\": 77}", "names version 77, which is not there"},
        {"_refs/tags/size.json", "{\"version\": 3, \"manifestSize\": 3}", "a manifest of 3 bytes"},
        {"_refs/tags/fine.json", "{\"version\": 3}", NULL},
        {"_refs/tags/side.json", "{\"branch\": \"side\", \"version\": 77}", NULL},
        {"_refs/tags/new.json#1", "{", NULL},
    };
    damage d;
    pn_check_result result;
    set_up(&d, *state, false);
    assert_int_equal(pn_dir_make(scratch_path(d.s, "t/_refs/tags"), NULL), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        char *path = pn_path_join(&d.s->arena, d.table, cases[i].file);
        pn_check_plan plan = {0};
        write_file(path, cases[i].text, strlen(cases[i].text));
        check(d.table, &plan, &d.s->arena, &result);
        assert_int_equal(result.n_findings, cases[i].reason ? 1 : 0);
        assert_int_equal(result.n_good, N_VERSIONS);
        if (cases[i].reason) {
            assert_string_equal(result.findings[0].file, cases[i].file);
            assert_int_equal(result.findings[0].version, 0);
            assert_non_null(strstr(result.findings[0].reason, cases[i].reason));
            plan.newest_only = true; // whose rows no tag changes
            check(d.table, &plan, &d.s->arena, &result);
            assert_int_equal(result.n_findings, 0);
            assert_int_equal(pn_path_remove(path, NULL), PN_OK);
        }
    }
}

static void check__looks_at_what_it_is_told(void **state)
{
    scratch_folder *s = *state;
    pn_check_result result;
    pn_error err = {0};
    char *table = scratch_path(s, "t");
    make_table(table);
    pn_check_plan plan = {.newest_only = true};
    check(table, &plan, &s->arena, &result);
    assert_int_equal(result.n_versions, 1);
    assert_int_equal(result.last_good, N_VERSIONS);
    plan = (pn_check_plan){.version = 2};
    check(table, &plan, &s->arena, &result);
    assert_int_equal(result.n_versions, 1);
    assert_int_equal(result.last_good, 2);
    plan.version = 99;
    assert_int_equal(pn_dataset_check(table, &plan, &s->arena, &result, &err), PN_ERR_NOT_FOUND);
    plan = (pn_check_plan){.newest_only = true, .record = true};
    assert_int_equal(pn_dataset_check(table, &plan, &s->arena, &result, &err), PN_ERR_INVALID);
    plan = (pn_check_plan){0};
    assert_int_equal(pn_dataset_check(scratch_path(s, "none"), &plan, &s->arena, &result, &err),
                     PN_ERR_NOT_FOUND);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(check__finds_every_changed_byte_with_checksums),
        TEST(check__is_not_content_without_checksums),
        TEST(check__names_missing_and_replaced_files),
        TEST(check__finds_a_replaced_file),
        TEST(check__knows_its_own_list),
        TEST(check__names_tags_that_keep_nothing),
        TEST(check__looks_at_what_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

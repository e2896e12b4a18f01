/*
 * test_manifest.c - damaged and strange manifests, and what of a foreign one survives a commit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "dataset/manifest.h"
#include "dataset/transaction.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/small_table.h"

typedef struct place {
    pn_arena arena;
    char *folder, *table;
} place;

/* A table of 100 rows in two fragments, some deleted: version 4. */
static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);
    pn_dataset *v1, *v2, *v3, *v4;
    uint64_t n;
    pn_arena_init(&p->arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("test_manifest", &p->arena, &p->folder, NULL), PN_OK);
    p->table = pn_path_join(&p->arena, p->folder, "t.lance");
    assert_int_equal(small_table_create(p->table, &v1, NULL), PN_OK);
    assert_int_equal(small_table_append(v1, 0, 50, NULL, &v2, NULL), PN_OK);
    assert_int_equal(small_table_append(v2, 50, 50, NULL, &v3, NULL), PN_OK);
    assert_int_equal(small_table_delete(v3, "id % 10 = 0", &n, &v4, NULL), PN_OK);
    pn_dataset_unref(v4);
    pn_dataset_unref(v3);
    pn_dataset_unref(v2);
    pn_dataset_unref(v1);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    pn_status status = pn_dir_remove_all(p->folder, NULL);
    pn_arena_reset(&p->arena);
    free(p);
    return status != PN_OK;
}

static pn_status open_table(const place *p, pn_dataset **out, pn_error *err)
{
    *err = (pn_error){0};
    return pn_dataset_open(p->table, 0, out, err);
}

static void a_cut_manifest__is_named_and_not_passed_over(void **state)
{
    place *p = *state;
    pn_error err;
    pn_dataset *t;
    size_t n;
    char *path = pn_manifest_path(p->table, 4, PN_MANIFEST_V2, &p->arena);
    uint8_t *bytes = golden_read_bytes(path, &n);
    for (size_t cut = 0; cut < n; cut++) {
        golden_write_bytes(path, bytes, cut);
        assert_int_equal(open_table(p, &t, &err), PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, path));
    }
    golden_bytes_free(bytes);
    assert_int_equal(pn_dataset_open(p->table, 3, &t, &err), PN_OK); // by its number it is there
    small_table_expect(t, 0, 1, 100);
    pn_dataset_unref(t);
}

/* Every bit of the newest manifest: the table opens or says why not, and so does reading all of it. */
static void a_flipped_bit__never_gets_further_than_an_error(void **state)
{
    place *p = *state;
    pn_error err;
    pn_dataset *t;
    size_t n, n_opened = 0;
    char *path = pn_manifest_path(p->table, 4, PN_MANIFEST_V2, &p->arena);
    uint8_t *bytes = golden_read_bytes(path, &n);
    for (size_t bit = 0; bit < n * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        golden_write_bytes(path, bytes, n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (open_table(p, &t, &err) != PN_OK) {
            assert_true(err.message[0] != '\0');
            continue;
        }
        pn_scan *scan;
        pn_batch batch = {.n_rows = 1};
        const pn_row_addr *addrs;
        pn_scan_options options = PN_SCAN_OPTIONS_INIT;
        n_opened++;
        assert_int_equal(pn_scan_begin(t, &options, &scan, &err), PN_OK);
        pn_status status = PN_OK;
        while (status == PN_OK && batch.n_rows > 0)
            status = pn_scan_next(scan, &batch, &addrs, &err);
        assert_true(status == PN_OK || err.message[0] != '\0');
        pn_scan_end(scan);
        pn_dataset_unref(t);
    }
    print_message("%zu of %zu flipped bits still open\n", n_opened, n * 8);
    golden_bytes_free(bytes);
}

/* LanceDB makes such columns; read as C's texts two of them could have one name. */
static void a_name_with_a_nul__is_refused(void **state)
{
    place *p = *state;
    pn_error err;
    pn_dataset *t;
    size_t n, n_names = 0;
    char *path = pn_manifest_path(p->table, 4, PN_MANIFEST_V2, &p->arena);
    uint8_t *bytes = golden_read_bytes(path, &n);
    for (size_t i = 0; i + 6 < n; i++)
        if (memcmp(bytes + i, "vector", 6) == 0) {
            bytes[i + 3] = '\0';
            n_names++;
        }
    assert_true(n_names > 0);
    golden_write_bytes(path, bytes, n);
    golden_bytes_free(bytes);
    assert_int_equal(open_table(p, &t, &err), PN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "has a NUL byte in it"));
}

/* The newest manifest changed by edit, as the next version; the status of opening it. */
static pn_status open_edited(const place *p, void (*edit)(Pn__Table__Manifest *), pn_error *err)
{
    pn_arena arena;
    pn_version_list list;
    pn_manifest manifest;
    pn_buffer bytes;
    pn_dataset *t;
    Pn__Table__Transaction none = PN__TABLE__TRANSACTION__INIT;
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, 1 << 20);
    assert_int_equal(pn_manifest_list(p->table, &arena, &list, err), PN_OK);
    assert_int_equal(pn_manifest_read(p->table, 4, list.scheme, &manifest, err), PN_OK);
    manifest.message->version = 5;
    edit(manifest.message);
    assert_int_equal(pn_manifest_encode(manifest.message, NULL, 0, &none, &bytes, err), PN_OK);
    char *path = pn_manifest_path(p->table, manifest.message->version, list.scheme, &arena);
    golden_write_bytes(path, bytes.data, bytes.n_bytes);
    pn_status status = open_table(p, &t, err);
    if (status == PN_OK) { // the second place where it may be noticed: when the rows are read
        pn_scan *scan;
        pn_batch batch = {.n_rows = 1};
        const pn_row_addr *addrs;
        pn_scan_options options = PN_SCAN_OPTIONS_INIT;
        assert_int_equal(pn_scan_begin(t, &options, &scan, err), PN_OK);
        while (status == PN_OK && batch.n_rows > 0)
            status = pn_scan_next(scan, &batch, &addrs, err);
        pn_scan_end(scan);
        pn_dataset_unref(t);
    }
    assert_int_equal(pn_path_remove(path, err), PN_OK);
    manifest.message->version = 4;
    pn_manifest_free(&manifest);
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}

static void edit_nothing(Pn__Table__Manifest *m)
{
    (void)m;
}
static void edit_reader_flag(Pn__Table__Manifest *m)
{
    m->has_reader_feature_flags = 1;
    m->reader_feature_flags |= 64;
}
static void edit_format(Pn__Table__Manifest *m)
{
    memcpy(m->data_format->version, "0.1", 3);
}
static void edit_same_id(Pn__Table__Manifest *m)
{
    m->fragments[1]->id = m->fragments[0]->id;
    m->fragments[1]->has_id = 1;
}
static void edit_deleted(Pn__Table__Manifest *m)
{
    m->fragments[0]->deletion_file->num_deleted_rows = 51;
}
static void edit_count(Pn__Table__Manifest *m)
{
    m->fragments[0]->deletion_file->num_deleted_rows = 4;
}
static void edit_path(Pn__Table__Manifest *m)
{
    memcpy(m->fragments[0]->files[0]->path, "../../../", 9);
}
static void edit_missing(Pn__Table__Manifest *m)
{
    memcpy(m->fragments[0]->files[0]->path, "x", 1);
}
static void edit_rows(Pn__Table__Manifest *m)
{
    m->fragments[1]->physical_rows++;
}
static void edit_no_file(Pn__Table__Manifest *m)
{
    pn__table__data_file__free_unpacked(m->fragments[1]->files[0], NULL);
    m->fragments[1]->n_files = 0;
    m->fragments[1]->physical_rows = UINT32_MAX;
}
static void
edit_no_column(Pn__Table__Manifest
                   *m) // no file has one of the columns, and nobody knows the rows but the manifest
{
    for (size_t f = 0; f < m->n_fragments; f++) {
        m->fragments[f]->physical_rows = UINT32_MAX;
        for (size_t i = 0; i < m->fragments[f]->n_files; i++) {
            m->fragments[f]->files[i]->n_fields = 0;
            m->fragments[f]->files[i]->n_column_indices = 0;
        }
    }
    for (size_t i = 0; i < m->n_fields; i++)
        m->fields[i]->nullable = m->fields[i]->has_nullable = 1;
}
static void edit_columns(Pn__Table__Manifest *m)
{
    m->fragments[0]->files[0]->n_column_indices--;
}
static void edit_column(Pn__Table__Manifest *m)
{
    m->fragments[0]->files[0]->column_indices[0] = 1000;
}
static void edit_type(Pn__Table__Manifest *m)
{
    memcpy(m->fields[0]->logical_type, "in464", 5);
}
static void edit_parent(Pn__Table__Manifest *m)
{
    m->fields[4]->id = m->fields[4]->parent_id;
}
static void edit_deletion_file(Pn__Table__Manifest *m)
{
    m->fragments[0]->deletion_file->id++;
}
static void edit_big_fragment(Pn__Table__Manifest *m)
{
    m->fragments[0]->id = (uint64_t)1 << 33;
    m->fragments[0]->has_id = 1;
}
static void edit_base(Pn__Table__Manifest *m)
{
    m->fragments[0]->files[0]->has_base_id = 1;
    m->fragments[0]->files[0]->base_id = 3;
}

static void strange_manifests__are_refused_by_name(void **state)
{
    place *p = *state;
    static const struct {
        void (*edit)(Pn__Table__Manifest *);
        pn_status status;
        const char *says;
    } cases[] = {
        {edit_nothing, PN_OK, ""},
        {edit_reader_flag, PN_ERR_UNSUPPORTED, "flags"},
        {edit_format, PN_ERR_UNSUPPORTED, "0.1"},
        {edit_same_id, PN_ERR_CORRUPT, "the id 0"},
        {edit_deleted, PN_ERR_CORRUPT, "more deleted rows"},
        {edit_count, PN_ERR_CORRUPT, ".bin: deletes "},
        {edit_path, PN_ERR_UNSUPPORTED, "outside"},
        {edit_missing, PN_ERR_CORRUPT, "missing"},
        {edit_rows, PN_ERR_CORRUPT, "51"},
        {edit_no_file, PN_ERR_CORRUPT, "4294967295 rows and no data file"},
        {edit_no_column, PN_ERR_CORRUPT, "the manifest says 4294967295"},
        {edit_columns, PN_ERR_CORRUPT, "number of fields"},
        {edit_column, PN_ERR_CORRUPT, "column"},
        {edit_type, PN_ERR_UNSUPPORTED, "in464"},
        {edit_parent, PN_ERR_CORRUPT, "twice"},
        {edit_deletion_file, PN_ERR_CORRUPT, "_deletions/"},
        {edit_big_fragment, PN_ERR_LIMIT, "fragment"},
        {edit_base, PN_ERR_UNSUPPORTED, "outside"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_status status = open_edited(p, cases[i].edit, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].says))
            fail_msg("case %zu: status %d: %s", i, status, err.message);
    }
}

static void edit_writer_flag(Pn__Table__Manifest *m)
{
    m->has_writer_feature_flags = 1;
    m->writer_feature_flags |= 64;
}

static void unknown_writer_flags__stop_writers_only(void **state)
{
    place *p = *state;
    pn_error err = {0};
    pn_dataset *t, *next;
    pn_manifest manifest;
    pn_buffer bytes;
    uint64_t n;
    Pn__Table__Transaction none = PN__TABLE__TRANSACTION__INIT;
    pn_buffer_init(&bytes, 1 << 20);
    assert_int_equal(pn_manifest_read(p->table, 4, PN_MANIFEST_V2, &manifest, &err), PN_OK);
    manifest.message->version = 5;
    edit_writer_flag(manifest.message);
    assert_int_equal(pn_manifest_encode(manifest.message, NULL, 0, &none, &bytes, &err), PN_OK);
    golden_write_bytes(pn_manifest_path(p->table, 5, PN_MANIFEST_V2, &p->arena), bytes.data,
                       bytes.n_bytes);
    assert_int_equal(open_table(p, &t, &err), PN_OK);
    assert_int_equal(pn_dataset_count_rows(t), 90);
    assert_int_equal(small_table_delete(t, "id = 1", &n, &next, &err), PN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "writer flags"));
    assert_int_equal(small_table_append(t, 0, 1, NULL, &next, &err), PN_ERR_UNSUPPORTED);
    pn_dataset_unref(t);
    pn_manifest_free(&manifest);
    pn_buffer_reset(&bytes);
}

static void the_hint__may_be_anything(void **state)
{
    place *p = *state;
    static const char *const hints[] = {"",
                                        "{",
                                        "{\"version\":1}",
                                        "{\"version\":99999}",
                                        "version",
                                        "{\"version\":-1}",
                                        "{\"version\": 99999999999999999999999}"};
    char *path = pn_path_join(&p->arena, p->table, "_versions/latest_version_hint.json");
    for (size_t i = 0; i < PN_COUNT_OF(hints); i++) {
        pn_error err;
        pn_dataset *t, *latest;
        golden_write_bytes(path, hints[i], strlen(hints[i]));
        assert_int_equal(open_table(p, &t, &err), PN_OK);
        assert_int_equal(pn_dataset_version(t), 4);
        assert_int_equal(pn_dataset_latest(t, &latest, &err), PN_OK);
        assert_int_equal(pn_dataset_version(latest), 4);
        pn_dataset_unref(latest);
        pn_dataset_unref(t);
    }
}

/* A message without the fields that a commit is there to change, packed. */
static size_t pack_rest(Pn__Table__Manifest *m, uint8_t **out)
{
    Pn__Table__Manifest copy = *m;
    copy.n_fragments = 0;
    copy.version = 0;
    copy.timestamp = NULL;
    copy.transaction_file = NULL;
    copy.writer_version = NULL;
    copy.has_index_section = copy.has_transaction_section = 0;
    copy.has_reader_feature_flags = copy.has_writer_feature_flags = 0;
    *out = malloc(pn__table__manifest__get_packed_size(&copy));
    return pn__table__manifest__pack(&copy, *out);
}

static void a_commit__keeps_what_it_does_not_know(void **state)
{
    place *p = *state;
    static const char *const tables[] = {"index/scalar.lance", "index/ivf_pq_delta.lance",
                                         "life2.2/life.lance", "special/sidefolder.lance"};
    char root[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures", root);
    for (size_t i = 0; i < PN_COUNT_OF(tables); i++) {
        pn_error err = {0};
        pn_dataset *t, *next;
        pn_manifest before, after;
        uint64_t n;
        uint8_t *rest_before, *rest_after;
        char *copy = pn_arena_printf(&p->arena, "%s/%zu.lance", p->folder, i);
        small_table_copy_folder(golden_join(root, tables[i]), copy);
        assert_int_equal(pn_dataset_open(copy, 0, &t, &err), PN_OK);
        if (small_table_delete(t, "id >= 3 AND id <= 5", &n, &next, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_true(n > 0);
        assert_int_equal(pn_dataset_count_rows(next) + n, pn_dataset_count_rows(t));
        assert_int_equal(
            pn_manifest_read(copy, pn_dataset_version(t), PN_MANIFEST_V2, &before, &err), PN_OK);
        assert_int_equal(
            pn_manifest_read(copy, pn_dataset_version(next), PN_MANIFEST_V2, &after, &err), PN_OK);
        assert_int_equal(before.index_section_bytes, after.index_section_bytes);
        if (before.index_section_bytes > 0)
            assert_memory_equal(before.index_section, after.index_section,
                                before.index_section_bytes);
        size_t n_before = pack_rest(before.message, &rest_before);
        assert_int_equal(n_before, pack_rest(after.message, &rest_after));
        assert_memory_equal(rest_before, rest_after, n_before);
        assert_int_equal(after.message->reader_feature_flags & 1, 1);
        assert_string_equal(pn_transaction_name(after.transaction), "delete");
        free(rest_before);
        free(rest_after);
        pn_manifest_free(&before);
        pn_manifest_free(&after);
        pn_dataset_unref(next);
        pn_dataset_unref(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cut_manifest__is_named_and_not_passed_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_name_with_a_nul__is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flipped_bit__never_gets_further_than_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(strange_manifests__are_refused_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_writer_flags__stop_writers_only, setup, teardown),
        cmocka_unit_test_setup_teardown(the_hint__may_be_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(a_commit__keeps_what_it_does_not_know, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_array_values.c - what files of version 2.0 may hold beside what their fixtures show: blobs, and strings in lz4
 *
 * Both files of fuzz/corpus/lance_file are LanceDB's own (0.39): five blobs, which are a word, a null, nothing, 70 letters and a word;
 * 300 strings "word word 0" onwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/endian.h"
#include "os/dir.h"
#include "support/golden.h"
#include "support/lance_checks.h"

enum { BLOBS = 5, STRINGS = 300 };

static const char *corpus(const char *name)
{
    static char path[1024];
    const char *source = getenv("PN_SOURCE_DIR");
    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/fuzz/corpus/lance_file/%s", source, name);
    return path;
}

/* The second column, behind the id. */
static pn_status read_second(const char *path, pn_arena *arena, pn_array *out, pn_error *err)
{
    pn_lance_file *file = NULL;
    lance_column column;
    pn_rng rng = pn_rng_seed(9);
    PN_TRY(pn_lance_file_open(path, &file, err));
    lance_column_make(file, 1, &column);
    pn_status status = lance_column_read(&column, arena, out, err);
    if (status == PN_OK)
        lance_column_check(&column, out, &rng);
    pn_lance_file_close(file);
    return status;
}

static void blobs__are_read_from_where_they_lie(void **state)
{
    static const char seventy[] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const char *const want[BLOBS] = {"hello", NULL, "", seventy, "zz"};
    (void)state;
    pn_error err = {0};
    pn_arena arena;
    static pn_array got;
    pn_arena_init(&arena, SIZE_MAX);
    if (read_second(corpus("blob_2_0.lance"), &arena, &got, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(got.length, BLOBS);
    for (size_t i = 0; i < BLOBS; i++) {
        assert_int_equal(pn_array_is_valid(&got, i), want[i] != NULL);
        if (want[i])
            assert_true(pn_str_is(pn_array_bytes(&got, i), want[i]));
    }
    pn_arena_reset(&arena);
}

/* Positions and sizes of the five: 0, 5; 1, 0; 0, 0; 64, 70; 192, 2. Where they stand in the file; NULL: nowhere. */
static uint8_t *find_descriptors(uint8_t *bytes, size_t n)
{
    static const uint64_t want[] = {0, 5, 1, 0, 0, 0, 64, 70, 192, 2};
    for (size_t at = 0; at + sizeof want <= n; at++) {
        size_t same = 0;
        while (same < PN_COUNT_OF(want) && pn_load_le64(bytes + at + 8 * same) == want[same])
            same++;
        if (same == PN_COUNT_OF(want))
            return bytes + at;
    }
    return NULL;
}

static void a_blob_outside_of_the_file__is_refused(void **state)
{
    static const uint64_t cases[][2] = {
        {1u << 20, 1}, {0, 1u << 20}, {UINT64_MAX, 2}, {2, UINT64_MAX}};
    (void)state;
    pn_error err = {0};
    pn_arena arena;
    static pn_array got;
    size_t n;
    char *folder;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("pn-blobs", &arena, &folder, NULL), PN_OK);
    const char *path = pn_path_join(&arena, folder, "b.lance");
    uint8_t *bytes = golden_read_bytes(corpus("blob_2_0.lance"), &n);
    uint8_t *descriptors = find_descriptors(bytes, n);
    assert_non_null(descriptors);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_store_le64(descriptors + 48, cases[i][0]);
        pn_store_le64(descriptors + 56, cases[i][1]);
        golden_write_bytes(path, bytes, n);
        assert_int_equal(read_second(path, &arena, &got, &err), PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "a blob lies outside of the file"));
    }
    golden_bytes_free(bytes);
    assert_int_equal(pn_dir_remove_all(folder, NULL), PN_OK);
    pn_arena_reset(&arena);
}

static void strings_in_lz4__are_read(void **state)
{
    (void)state;
    pn_error err = {0};
    pn_arena arena;
    static pn_array got;
    pn_arena_init(&arena, SIZE_MAX);
    if (read_second(corpus("lz4_2_0.lance"), &arena, &got, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(got.length, STRINGS);
    for (size_t i = 0; i < STRINGS; i++) {
        char want[32];
        (void)snprintf(want, sizeof want, "word word %zu", i);
        assert_true(pn_str_is(pn_array_bytes(&got, i), want));
    }
    pn_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blobs__are_read_from_where_they_lie),
        cmocka_unit_test(a_blob_outside_of_the_file__is_refused),
        cmocka_unit_test(strings_in_lz4__are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

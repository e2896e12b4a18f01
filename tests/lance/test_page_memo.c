/*
 * test_page_memo.c - whose page is in hand
 *
 * In the file product_2_2.lance, "cat" is a string column with a dictionary and "strs" a list of strings: the pages of both are decoded
 * as a whole. A memo must give them to every pn_field that means the same column, and to none that makes something else of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "support/lance_checks.h"

typedef struct place {
    pn_arena arena;
    pn_lance_file *file;
    pn_lance_memo *memo;
    lance_column cat, strs;
} place;

static void find_column(pn_lance_file *file, const char *name, lance_column *out)
{
    ptrdiff_t at = pn_schema_find(pn_lance_file_schema(file), pn_str_of(name));
    assert_true(at >= 0);
    lance_column_make(file, (size_t)at, out);
    assert_int_equal(out->n_leaves, 1);
}

static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);
    pn_error err = {0};
    const char *source_dir = getenv("PN_SOURCE_DIR");
    assert_non_null(p);
    assert_non_null(source_dir);
    pn_arena_init(&p->arena, SIZE_MAX);
    char *path =
        pn_arena_printf(&p->arena, "%s/fuzz/corpus/lance_file/product_2_2.lance", source_dir);
    assert_non_null(path);
    if (pn_lance_file_open(path, &p->file, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(pn_lance_memo_create(&p->memo, NULL), PN_OK);
    find_column(p->file, "cat", &p->cat);
    find_column(p->file, "strs", &p->strs);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    pn_lance_memo_free(p->memo);
    pn_lance_file_close(p->file);
    pn_arena_reset(&p->arena);
    free(p);
    return 0;
}

/* Rows 1 and 2 of the column, as field; with no memo they must be the same, or be refused the same. */
static pn_status read_as(place *p, const pn_field *field, const lance_column *column)
{
    pn_error err = {0}, plain_err = {0};
    pn_array got, want;
    pn_status status =
        pn_lance_file_read(p->file, field, column->leaves, 1, 1, 2, p->memo, &p->arena, &got, &err);
    assert_int_equal(pn_lance_file_read(p->file, field, column->leaves, 1, 1, 2, NULL, &p->arena,
                                        &want, &plain_err),
                     status);
    assert_string_equal(err.message, plain_err.message);
    if (status == PN_OK)
        assert_true(pn_array_equal(&got, &want));
    return status;
}

static void one_page__serves_all_copies_of_a_field(void **state)
{
    place *p = *state;
    pn_field copy, renamed = *p->strs.field;
    assert_int_equal(pn_field_copy(p->strs.field, &p->arena, &copy, NULL), PN_OK);
    renamed.name = "of the same type";
    assert_int_equal(read_as(p, p->strs.field, &p->strs), PN_OK);
    assert_int_equal(read_as(p, &copy, &p->strs), PN_OK);
    assert_int_equal(read_as(p, &renamed, &p->strs), PN_OK);
    assert_int_equal(read_as(p, p->strs.field, &p->strs), PN_OK);
    assert_int_equal(pn_lance_memo_decoded(p->memo), 1);
}

static void a_page__is_not_given_to_a_field_of_another_type(void **state)
{
    place *p = *state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(read_as(p, p->cat.field, &p->cat), PN_OK);
        assert_int_equal(read_as(p, p->strs.field, &p->cat), PN_ERR_CORRUPT);
        assert_int_equal(read_as(p, p->strs.field, &p->strs), PN_OK);
        assert_int_equal(read_as(p, p->cat.field, &p->strs), PN_ERR_CORRUPT);
    }
    assert_int_equal(pn_lance_memo_decoded(p->memo), 2);
}

/* A binary is read as a string is; a list of 64-bit offsets, as one of 32. But each has its own page in hand. */
static void a_page__is_decoded_once_for_each_type(void **state)
{
    place *p = *state;
    pn_field binary = *p->cat.field, large = *p->strs.field;
    binary.type = PN_TYPE_BINARY;
    large.type = PN_TYPE_LARGE_LIST;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(read_as(p, p->cat.field, &p->cat), PN_OK);
        assert_int_equal(read_as(p, &binary, &p->cat), PN_OK);
        assert_int_equal(read_as(p, p->strs.field, &p->strs), PN_OK);
        assert_int_equal(read_as(p, &large, &p->strs), PN_OK);
    }
    assert_int_equal(pn_lance_memo_decoded(p->memo), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_page__serves_all_copies_of_a_field, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page__is_not_given_to_a_field_of_another_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_page__is_decoded_once_for_each_type, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

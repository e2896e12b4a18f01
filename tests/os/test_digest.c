/*
 * test_digest.c - digests of files against published ones, and against git's
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/compiler.h"
#include "os/digest.h"
#include "support/scratch_folder.h"

static void files__have_the_published_digests(void **state)
{
    scratch_folder *f = *state;
    static const struct {
        const char *text, *want;
        pn_digest_kind kind;
    } cases[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         PN_DIGEST_SHA256}, // FIPS 180-2, B.1
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", PN_DIGEST_SHA256},
        {"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", PN_DIGEST_GIT_BLOB}, // git's empty blob
        {"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a", PN_DIGEST_GIT_BLOB},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        char got[PN_DIGEST_TEXT_BYTES];
        char *path = scratch_file(f, "file", cases[i].text);
        assert_int_equal(pn_digest_file(path, cases[i].kind, got, NULL), PN_OK);
        assert_string_equal(got, cases[i].want);
    }
}

static void a_missing_file__leaves_the_output(void **state)
{
    scratch_folder *f = *state;
    char got[PN_DIGEST_TEXT_BYTES] = "as it was";
    pn_error err = {0};
    assert_int_equal(pn_digest_file(scratch_path(f, "none"), PN_DIGEST_SHA256, got, &err),
                     PN_ERR_NOT_FOUND);
    assert_string_equal(got, "as it was");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files__have_the_published_digests, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(a_missing_file__leaves_the_output, scratch_folder_setup,
                                        scratch_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

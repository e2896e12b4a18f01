/*
 * test_mapping.c - files as memory
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/mapping.h"
#include "support/scratch_folder.h"

static int setup(void **state)
{
    return scratch_folder_setup(state);
}

static int teardown(void **state)
{
    return scratch_folder_teardown(state);
}

static void mapping__is_the_file_and_outlives_its_name(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_mapping map = {0};
    char *path = scratch_file(s, "a", "the content");
    assert_int_equal(pn_mapping_open(path, &map, &err), PN_OK);
    assert_int_equal(map.n_bytes, 11);
    assert_int_equal(pn_path_remove(path, &err), PN_OK);
    assert_memory_equal(map.data, "the content", 11);
    pn_mapping_close(&map);
    assert_null(map.data);
    assert_int_equal(map.n_bytes, 0);
    pn_mapping_close(&map);
}

static void an_empty_file__is_no_memory(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_mapping map = {(const uint8_t *)"dirty", 5};
    assert_int_equal(pn_mapping_open(scratch_file(s, "a", ""), &map, &err), PN_OK);
    assert_null(map.data);
    assert_int_equal(map.n_bytes, 0);
    pn_mapping_advise(&map, 0, 10, PN_MAPPING_WILL_NEED);
    pn_mapping_close(&map);
}

static void open__refuses_what_is_no_file(void **state)
{
    scratch_folder *s = *state;
    pn_error err = {0};
    pn_mapping map = {NULL, 77};
    char *path = scratch_file(s, "a", "x");
    assert_int_equal(pn_mapping_open(scratch_path(s, "none"), &map, &err), PN_ERR_NOT_FOUND);
    assert_int_equal(pn_mapping_open(s->path, &map, &err), PN_ERR_INVALID);
    assert_int_equal(pn_mapping_open("/dev/zero", &map, &err), PN_ERR_INVALID);
    pn_fd_fault_reads_after(2, ENOMEM); // open, then mmap
    assert_int_equal(pn_mapping_open(path, &map, &err), PN_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(map.n_bytes, 77); // an output is written on success only
    for (int i = 0; i < 2000; i++) {   // no descriptor is left open
        pn_fd_fault_reads_after(2, ENOMEM);
        assert_int_equal(pn_mapping_open(path, &map, &err), PN_ERR_IO);
    }
    assert_int_equal(pn_mapping_open(path, &map, &err), PN_OK);
    pn_mapping_close(&map);
}

static void advice__changes_no_byte(void **state)
{
    scratch_folder *s = *state;
    enum { N = 50000 };
    static char bytes[N + 1];
    pn_error err = {0};
    pn_mapping map;
    for (int i = 0; i < N; i++)
        bytes[i] = (char)('a' + i % 23);
    assert_int_equal(pn_mapping_open(scratch_file(s, "a", bytes), &map, &err), PN_OK);
    for (pn_mapping_advice a = PN_MAPPING_NORMAL; a <= PN_MAPPING_NOT_NOW; a++)
        for (size_t offset = 0; offset < N + 5000; offset += 4095) {
            pn_mapping_advise(&map, offset, 5000, a);
            pn_mapping_advise(&map, offset, SIZE_MAX, a);
            pn_mapping_advise(&map, offset, 0, a);
        }
    pn_mapping_advise(&map, SIZE_MAX, SIZE_MAX, PN_MAPPING_NOT_NOW);
    assert_memory_equal(map.data, bytes, N);
    pn_mapping_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mapping__is_the_file_and_outlives_its_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_empty_file__is_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(open__refuses_what_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(advice__changes_no_byte, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * scratch_folder.c - made before a test, gone after it
 */
#include "support/scratch_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "os/dir.h"
#include "os/fd.h"

int scratch_folder_setup(void **state)
{
    static scratch_folder s;
    pn_arena_init(&s.arena, SIZE_MAX);
    *state = &s;
    return pn_dir_make_temporary("pn_test", &s.arena, &s.path, NULL) != PN_OK;
}

int scratch_folder_teardown(void **state)
{
    scratch_folder *s = *state;
    pn_alloc_fail_after(0);
    pn_fd_fault_after(0, 0);
    pn_fd_fault_reads_after(0, 0);
    pn_fd_fault_short(0);
    pn_status status = pn_dir_remove_all(s->path, NULL);
    pn_arena_reset(&s->arena);
    return status != PN_OK || pn_alloc_live() != 0;
}

char *scratch_path(scratch_folder *s, const char *name)
{
    char *path = pn_path_join(&s->arena, s->path, name);
    assert_non_null(path);
    return path;
}

char *scratch_file(scratch_folder *s, const char *name, const char *text)
{
    char *path = scratch_path(s, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

/*
 * scratch_folder.h - a temporary folder and an arena for one test
 *
 * For cmocka_unit_test_setup_teardown(test, scratch_folder_setup, scratch_folder_teardown): *state is the scratch_folder. The
 * teardown switches all faults off, removes the folder and fails when an allocation is left.
 */
#ifndef PN_TESTS_SUPPORT_SCRATCH_FOLDER_H
#define PN_TESTS_SUPPORT_SCRATCH_FOLDER_H

#include "base/arena.h"

typedef struct scratch_folder {
    pn_arena arena;
    char *path;
} scratch_folder;

int scratch_folder_setup(void **state);
int scratch_folder_teardown(void **state);

/* path/name, in the arena. */
char *scratch_path(scratch_folder *s, const char *name);
/* The same, holding text. */
char *scratch_file(scratch_folder *s, const char *name, const char *text);

#endif

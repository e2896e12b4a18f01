/*
 * stage.h - a temporary folder that a test fills with copies of reference files
 */
#ifndef PN_TESTS_SUPPORT_STAGE_H
#define PN_TESTS_SUPPORT_STAGE_H

#include "support/golden.h"

typedef struct stage {
    char dir[GOLDEN_PATH_BYTES];
} stage;

/* A new empty folder. Fails the running test when that cannot be. */
void stage_make(stage *s);
/* Copy from_dir/name into the stage; a missing file is left out. */
void stage_copy(const stage *s, const char *from_dir, const char *name);
/* Copy every regular file of from_dir. */
void stage_copy_all(const stage *s, const char *from_dir);
void stage_write(const stage *s, const char *name, const void *bytes, size_t n);
void stage_write_text(const stage *s, const char *name, const char *text);
/* Remove the folder and all in it. */
void stage_remove(stage *s);

#endif

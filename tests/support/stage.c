/*
 * stage.c - temporary folders for tests, on top of os/dir.h
 */
#include "support/stage.h"

#include "os/dir.h"
#include "os/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

void stage_make(stage *s)
{
    pn_arena arena;
    pn_error err = {0};
    char *path = NULL;
    pn_arena_init(&arena, 1u << 20);
    if (pn_dir_make_temporary("pennon-test", &arena, &path, &err) != PN_OK)
        fail_msg("%s", err.message);
    if (strlen(path) >= sizeof s->dir)
        fail_msg("path too long");
    (void)snprintf(s->dir, sizeof s->dir, "%s", path);
    pn_arena_reset(&arena);
}

void stage_copy(const stage *s, const char *from_dir, const char *name)
{
    const char *from = golden_join(from_dir, name);
    pn_file_info info;
    pn_error err = {0};
    if (pn_path_info(from, &info, &err) != PN_OK || !info.is_regular)
        return;
    size_t n;
    uint8_t *bytes = golden_read_bytes(from, &n);
    stage_write(s, name, bytes, n);
    golden_bytes_free(bytes);
}

void stage_copy_all(const stage *s, const char *from_dir)
{
    pn_arena arena;
    pn_error err = {0};
    char **names = NULL;
    size_t n = 0;
    pn_arena_init(&arena, 1u << 20);
    if (pn_dir_list(from_dir, &arena, &names, &n, &err) != PN_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++)
        stage_copy(s, from_dir, names[i]);
    pn_arena_reset(&arena);
}

void stage_write(const stage *s, const char *name, const void *bytes, size_t n)
{
    golden_write_bytes(golden_join(s->dir, name), bytes, n);
}

void stage_write_text(const stage *s, const char *name, const char *text)
{
    stage_write(s, name, text, strlen(text));
}

void stage_remove(stage *s)
{
    pn_error err = {0};
    if (pn_dir_remove_all(s->dir, &err) != PN_OK)
        print_message("left behind: %s\n", err.message);
}

/*
 * table_place.c - a temporary folder with room for one table
 */
#include "support/table_place.h"

#include "os/dir.h"

#include <stdlib.h>

int table_place_setup(void **state)
{
    table_place *p = calloc(1, sizeof *p);
    if (!p)
        return 1;
    pn_arena_init(&p->arena, SIZE_MAX);
    if (pn_dir_make_temporary("test_table", &p->arena, &p->folder, NULL) != PN_OK)
        return 1;
    p->table = pn_path_join(&p->arena, p->folder, "t.lance");
    *state = p;
    return 0;
}

int table_place_teardown(void **state)
{
    table_place *p = *state;
    pn_status status = pn_dir_remove_all(p->folder, NULL);
    pn_arena_reset(&p->arena);
    free(p);
    return status != PN_OK;
}

void table_place_step(pn_dataset **t, pn_dataset *next)
{
    pn_dataset_unref(*t);
    *t = next;
}

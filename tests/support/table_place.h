/*
 * table_place.h - a temporary folder with room for one table, and calls whose status is expected
 *
 * For cmocka_unit_test_setup_teardown(test, table_place_setup, table_place_teardown): *state is the table_place.
 */
#ifndef PN_TESTS_SUPPORT_TABLE_PLACE_H
#define PN_TESTS_SUPPORT_TABLE_PLACE_H

#include "base/arena.h"
#include "dataset/dataset.h"

typedef struct table_place {
    pn_arena arena;
    char *folder, *table; /* folder/t.lance, which is not there yet */
} table_place;

int table_place_setup(void **state);
int table_place_teardown(void **state);

/* The next version in the place of the one in hand. */
void table_place_step(pn_dataset **t, pn_dataset *next);

/* Statuses, with the message when they differ. There is a pn_error err. */
#define EXPECT(status, call)                                                                       \
    do {                                                                                           \
        err = (pn_error){0};                                                                       \
        pn_status got_status = (call);                                                             \
        if (got_status != (status))                                                                \
            fail_msg("%s: status %d: %s", #call, got_status, err.message);                         \
    } while (0)

#endif

/*
 * test_compact.c - what is folded, what it costs, and where the rows went
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "dataset/compact.h"
#include "dataset/compact_plan.h"
#include "dataset/internal.h"
#include "os/dir.h"
#include "support/golden.h"
#include "support/small_table.h"
#include "support/table_place.h"

/* ---- the plan alone ---- */

static void one_row_at_a_time__leaves_few_fragments_and_rewrites_little(void **state)
{
    enum { ROWS = 1000000 };
    const pn_compact_options options = {.mode = PN_COMPACT_TIERED,
                                        .target_rows = 1 << 20,
                                        .target_bytes = (uint64_t)4 << 30,
                                        .deleted_percent = 10,
                                        .fanout = 10};
    pn_compact_item items[200];
    size_t n = 0, most = 0;
    uint64_t written = 0;
    pn_arena arena;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    for (int row = 0; row < ROWS; row++) {
        pn_compact_group *groups;
        size_t n_groups;
        items[n++] = (pn_compact_item){.n_live = 1, .n_bytes = 5000};
        assert_int_equal(pn_compact_plan(items, n, &options, &arena, &groups, &n_groups, NULL),
                         PN_OK);
        assert_true(n_groups <= 1);
        if (n_groups == 1) {
            pn_compact_item sum = {0};
            assert_int_equal(groups[0].first + groups[0].n, n); // the newest rows
            for (size_t i = groups[0].first; i < n; i++) {
                sum.n_live += items[i].n_live;
                sum.n_bytes = sum.n_live * 2100;
            }
            n = groups[0].first;
            items[n++] = sum;
            written += sum.n_live;
        }
        most = PN_MAX(most, n);
        pn_arena_reset(&arena);
    }
    print_message("  %zu fragments at most, %zu in the end; a row was rewritten %.2f times\n", most,
                  n, (double)written / ROWS);
    assert_true(most <= 54);
    assert_true(written <= (uint64_t)6 * ROWS);
}

/* Whatever sizes come, and however classes change: few stay, groups are whole and apart, nothing too large is made. */
static void any_sizes__leave_few_fragments(void **state)
{
    pn_rng rng = pn_rng_seed(11);
    pn_arena arena;
    size_t most = 0;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    for (int round = 0; round < 20; round++) {
        const pn_compact_options options = {.mode = round % 2 ? PN_COMPACT_FULL : PN_COMPACT_TIERED,
                                            .target_rows = 10000,
                                            .target_bytes = (uint64_t)4 << 30,
                                            .deleted_percent = 10,
                                            .fanout = 10};
        static pn_compact_item items[5000];
        size_t n = 0;
        uint64_t total = 0;
        for (int insert = 0; insert < 3000; insert++) {
            pn_compact_group *groups;
            size_t n_groups, to = 0;
            uint64_t rows = 1 + pn_rng_below(&rng, (uint64_t)1 << pn_rng_below(&rng, 13));
            items[n++] = (pn_compact_item){.n_live = rows, .n_bytes = rows};
            total += rows;
            assert_int_equal(pn_compact_plan(items, n, &options, &arena, &groups, &n_groups, NULL),
                             PN_OK);
            for (size_t i = 0, g = 0; i < n;
                 g += g < n_groups && groups[g].first + groups[g].n == i) {
                pn_compact_item sum = items[i++];
                if (g < n_groups && groups[g].first == i - 1) {
                    assert_true(groups[g].n > 1);
                    for (; i < groups[g].first + groups[g].n; i++) {
                        sum.n_live += items[i].n_live;
                        sum.n_bytes += items[i].n_bytes;
                    }
                    assert_true(sum.n_live <= options.target_rows);
                }
                items[to++] = sum;
            }
            n = to;
            pn_arena_reset(&arena);
        }
        size_t n_full = (size_t)(total / (options.target_rows / 2)) + 1;
        most = PN_MAX(most, n > n_full ? n - n_full : 0);
    }
    print_message("  %zu fragments beside the full ones at most\n", most);
    assert_true(most < 60);
}

static void classes_and_deletions__are_minded(void **state)
{
    const pn_compact_options options = {.mode = PN_COMPACT_FULL,
                                        .target_rows = 1000,
                                        .target_bytes = 1 << 30,
                                        .deleted_percent = 10,
                                        .fanout = 10};
    const pn_compact_item items[] = {
        {.n_live = 10, .class = 1},
        {.n_live = 10, .class = 1},        /* 0: one group */
        {.n_live = 10, .class = 2},        /* alone in its class */
        {.n_live = 900},                   /* full */
        {.n_live = 900, .n_deleted = 99},  /* under a tenth */
        {.n_live = 900, .n_deleted = 100}, /* 5: rewritten alone */
        {.n_live = 300},
        {.n_live = 400}, /* 6: one group, */
        {.n_live = 400}, /* with which it would be too much */
    };
    pn_compact_group *groups;
    size_t n;
    pn_arena arena;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(
        pn_compact_plan(items, PN_COUNT_OF(items), &options, &arena, &groups, &n, NULL), PN_OK);
    assert_int_equal(n, 3);
    assert_int_equal(groups[0].first, 0);
    assert_int_equal(groups[0].n, 2);
    assert_int_equal(groups[1].first, 5);
    assert_int_equal(groups[1].n, 1);
    assert_int_equal(groups[2].first, 6);
    assert_int_equal(groups[2].n, 2);
    pn_arena_reset(&arena);
}

/* ---- on tables ---- */

/* id and address of each row, in the order of a scan. */
static size_t read_rows(pn_dataset *t, pn_arena *arena, int64_t **ids, pn_row_addr **addrs)
{
    const char *columns[] = {"id"};
    pn_scan_options options = {.columns = columns, .n_columns = 1};
    size_t n = 0, total = (size_t)pn_dataset_count_rows(t);
    pn_scan *scan;
    pn_batch batch;
    const pn_row_addr *at;
    *ids = PN_ARENA_NEW(arena, int64_t, total + 1);
    *addrs = PN_ARENA_NEW(arena, pn_row_addr, total + 1);
    assert_int_equal(pn_scan_begin(t, &options, &scan, NULL), PN_OK);
    for (;;) {
        assert_int_equal(pn_scan_next(scan, &batch, &at, NULL), PN_OK);
        for (size_t i = 0; i < batch.n_rows; i++, n++) {
            (*ids)[n] = pn_array_i64(&batch.columns[0], i);
            (*addrs)[n] = at[i];
        }
        if (batch.n_rows == 0)
            break;
    }
    pn_scan_end(scan);
    assert_int_equal(n, total);
    return n;
}

/* The same rows in the same order, at the addresses that the report tells. */
static void check_moves(const pn_compaction *report, pn_dataset *before, pn_dataset *after)
{
    pn_arena arena;
    int64_t *old_ids, *new_ids;
    pn_row_addr *old_addrs, *new_addrs, addr;
    pn_arena_init(&arena, SIZE_MAX);
    size_t n = read_rows(before, &arena, &old_ids, &old_addrs);
    assert_int_equal(read_rows(after, &arena, &new_ids, &new_addrs), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(old_ids[i], new_ids[i]);
        assert_true(pn_compaction_map(report, old_addrs[i], &addr));
        assert_int_equal(addr, new_addrs[i]);
    }
    for (size_t i = 0; i < before->n_fragments; i++) {
        const uint64_t *deleted;
        assert_int_equal(pn_dataset_deletions(before, i, &deleted, NULL), PN_OK);
        for (uint32_t row = 0; deleted && row < before->fragments[i].n_rows; row++) {
            bool there =
                pn_compaction_map(report, pn_row_addr_make(before->fragments[i].id, row), &addr);
            bool moved = pn_dataset_find_fragment(after, before->fragments[i].id) == SIZE_MAX;
            assert_int_equal(there, !moved || !pn_word_bit_get(deleted, row));
        }
    }
    pn_arena_reset(&arena);
}

static void full__folds_small_neighbours_and_drops_deleted_rows(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next, *before;
    pn_compaction *report;
    pn_compacted made;
    uint64_t n;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    for (int i = 0; i < 5; i++) {
        EXPECT(PN_OK, small_table_append(t, i * 300, 300, NULL, &next, &err));
        table_place_step(&t, next);
    }
    EXPECT(PN_OK, small_table_delete(t, "id % 3 = 1 AND id < 900", &n, &next, &err));
    table_place_step(&t, next);
    before = pn_dataset_ref(t);
    const pn_compact_options options = {.mode = PN_COMPACT_FULL};
    EXPECT(PN_OK, pn_dataset_compact(t, &options, &report, &next, &err));
    table_place_step(&t, next);
    assert_int_equal(pn_dataset_n_fragments(t), 1);
    assert_int_equal(pn_dataset_version(t), 8);
    assert_int_equal(pn_compaction_count(report), 1);
    pn_compaction_get(report, 0, &made);
    assert_int_equal(made.n_old, 5);
    assert_int_equal(made.new_fragment, 5);
    assert_int_equal(made.n_rows, 1200);
    check_moves(report, before, t);
    pn_compaction_free(report);
    pn_fragment_info info;
    pn_dataset_fragment(t, 0, &info);
    assert_int_equal(info.deleted_rows, 0);
    assert_int_equal(t->manifest.message->reader_feature_flags & PN_FLAG_DELETIONS, 0);
    EXPECT(PN_OK, pn_dataset_compact(t, &options, &report, &next, &err)); // nothing is left to do
    assert_ptr_equal(next, t);
    assert_int_equal(pn_compaction_count(report), 0);
    pn_compaction_free(report);
    pn_dataset_unref(next);
    pn_dataset_unref(before);
    pn_dataset_unref(t);
}

static void inserts_with_upkeep__stay_few_and_whole(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    const pn_compact_options options = PN_COMPACT_OPTIONS_INIT;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    for (int i = 0; i < 250; i++) {
        EXPECT(PN_OK, small_table_append(t, i, 1, NULL, &next, &err));
        table_place_step(&t, next);
        EXPECT(PN_OK, pn_dataset_compact(t, &options, NULL, &next, &err));
        table_place_step(&t, next);
        assert_true(pn_dataset_n_fragments(t) <= 27);
    }
    small_table_expect(t, 0, 1, 250);
    pn_dataset_unref(t);
}

/* Deletes, replacements and appends decided on versions before a compaction, and compactions before those. */
static void others_meanwhile__are_minded(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *old, *next;
    uint64_t n;
    const pn_compact_options options = {.mode = PN_COMPACT_FULL};
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    for (int i = 0; i < 3; i++) {
        EXPECT(PN_OK, small_table_append(t, i * 10, 10, NULL, &next, &err));
        table_place_step(&t, next);
    }
    old = pn_dataset_ref(t);
    EXPECT(PN_OK, pn_dataset_compact(t, &options, NULL, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_ERR_CONFLICT, small_table_delete(old, "id = 7", &n, &next, &err)); // its row moved
    assert_non_null(strstr(err.message, "compact"));
    EXPECT(PN_OK, small_table_append(old, 30, 10, NULL, &next, &err)); // needs no address
    table_place_step(&t, next);
    EXPECT(PN_OK, small_table_delete(t, "id = 7", &n, &next, &err));
    table_place_step(&t, next);
    EXPECT(PN_OK, pn_dataset_compact(old, &options, NULL, &next, &err)); // begins with the newest
    table_place_step(&t, next);
    assert_int_equal(pn_dataset_count_rows(t), 39);
    assert_int_equal(pn_dataset_n_fragments(t), 1);
    pn_dataset_unref(old);
    pn_dataset_unref(t);
}

static void a_flag__stops_it(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    _Atomic bool cancel = true;
    pn_compact_options options = {.mode = PN_COMPACT_FULL, .cancel = &cancel};
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    for (int i = 0; i < 3; i++) {
        EXPECT(PN_OK, small_table_append(t, i * 10, 10, NULL, &next, &err));
        table_place_step(&t, next);
    }
    EXPECT(PN_ERR_CANCELLED, pn_dataset_compact(t, &options, NULL, &next, &err));
    options.cancel = NULL;
    options.fanout = 1;
    EXPECT(PN_ERR_INVALID, pn_dataset_compact(t, &options, NULL, &next, &err));
    EXPECT(PN_OK, pn_dataset_latest(t, &next, &err));
    assert_ptr_equal(next, t);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

/* Every allocation fails once, and all after it: an error, the table as it was or compacted, and nothing leaks. */
static void no_memory__is_an_error(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    const pn_compact_options options = {.mode = PN_COMPACT_FULL};
    pn_status status = PN_ERR_NOMEM;
    int64_t n = 0;
    EXPECT(PN_OK, small_table_create(p->table, &t, &err));
    for (int i = 0; i < 3; i++) {
        EXPECT(PN_OK, small_table_append(t, i * 10, 10, NULL, &next, &err));
        table_place_step(&t, next);
    }
    while (status != PN_OK) {
        int64_t live = pn_alloc_live();
        err = (pn_error){0};
        pn_alloc_fail_after(++n);
        status = pn_dataset_compact(t, &options, NULL, &next, &err);
        pn_alloc_fail_after(0);
        if (status == PN_OK) {
            table_place_step(&t, next);
        } else {
            assert_int_equal(status, PN_ERR_NOMEM);
            assert_true(pn_alloc_live() <= live + 6); // files that t keeps open
        }
        assert_true(n < 2000);
    }
    print_message("  %d allocations failed\n", (int)n - 1);
    EXPECT(PN_OK, pn_dataset_latest(t, &next, &err));
    table_place_step(&t, next);
    small_table_expect(t, 0, 1, 30);
    assert_int_equal(pn_dataset_n_fragments(t), 1);
    pn_dataset_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_at_a_time__leaves_few_fragments_and_rewrites_little),
        cmocka_unit_test(any_sizes__leave_few_fragments),
        cmocka_unit_test(classes_and_deletions__are_minded),
        cmocka_unit_test_setup_teardown(full__folds_small_neighbours_and_drops_deleted_rows,
                                        table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(inserts_with_upkeep__stay_few_and_whole, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(others_meanwhile__are_minded, table_place_setup,
                                        table_place_teardown),
        cmocka_unit_test_setup_teardown(a_flag__stops_it, table_place_setup, table_place_teardown),
        cmocka_unit_test_setup_teardown(no_memory__is_an_error, table_place_setup,
                                        table_place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_race.c - threads of one process that append, delete, upsert, fold, clean and read one table, all at once
 *
 * Each writer has ids of its own, so that what the table must be in the end is known whatever the order was; each is told of every
 * change that it is in, and tries again when another was faster. Readers look at one version after another meanwhile: no id is twice
 * in any of them, and every value is that of its id. All share one dataset, and so its cache of open files: for ThreadSanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "dataset/cleanup.h"
#include "dataset/compact.h"
#include "dataset/upsert.h"
#include "os/clock.h"
#include "os/pool.h"
#include "support/small_table.h"
#include "support/table_place.h"
#include "support/table_sight.h"

enum {
    FIRST_ROWS = 300, /* of which the deleter leaves the odd ones */
    STEPS = 15,
    STEP_ROWS = 10,
    WRITER_IDS = 1000, /* a writer's range of ids */
    MAX_TRIES = 400,
    MOST_ROWS = 4000
};

typedef struct race {
    pn_dataset *root; /* version 2, which stays open */
    const char *table;
    atomic_int n_writers; /* that are not done */
    atomic_int n_faults;
    atomic_size_t n_read, n_folds, n_cleaned, n_conflicts;
} race;

typedef struct runner {
    race *r;
    int64_t first_id;
} runner;

static void fault(race *r, const char *who, const pn_error *err)
{
    atomic_fetch_add(&r->n_faults, 1);
    print_error("%s: %s\n", who, err->message);
}

/* A change of the newest version, decided again when another was faster. */
typedef pn_status (*change)(pn_dataset *newest, int64_t id, pn_dataset **out, pn_error *err);

static bool do_change(race *r, const char *who, change how, int64_t id)
{
    pn_error err = {0};
    pn_status status = PN_ERR_CONFLICT;
    for (int i = 0; i < MAX_TRIES && status == PN_ERR_CONFLICT; i++) {
        pn_dataset *newest, *made = NULL;
        err = (pn_error){0};
        status = pn_dataset_latest(r->root, &newest, &err);
        if (status != PN_OK)
            break;
        status = how(newest, id, &made, &err);
        pn_dataset_unref(status == PN_OK ? made : NULL);
        pn_dataset_unref(newest);
        atomic_fetch_add(&r->n_conflicts, status == PN_ERR_CONFLICT);
    }
    if (status != PN_OK)
        fault(r, who, &err);
    return status == PN_OK;
}

static pn_status append(pn_dataset *newest, int64_t id, pn_dataset **out, pn_error *err)
{
    return small_table_append(newest, id, STEP_ROWS, NULL, out, err);
}

static pn_status delete_even(pn_dataset *newest, int64_t id, pn_dataset **out, pn_error *err)
{
    char filter[80];
    uint64_t n;
    (void)snprintf(filter, sizeof filter, "id >= %" PRId64 " AND id < %" PRId64 " AND id %% 2 = 0",
                   id, id + FIRST_ROWS / STEPS);
    return small_table_delete(newest, filter, &n, out, err);
}

/* Half of the rows are there already, from the step before. */
static pn_status upsert(pn_dataset *newest, int64_t id, pn_dataset **out, pn_error *err)
{
    static const char *const keys[] = {"id"};
    const pn_upsert_options options = {.keys = keys, .n_keys = 1};
    small_batch rows;
    small_batch_make(id, (size_t)2 * STEP_ROWS, &rows);
    pn_status status = small_table_upsert(newest, &rows.batch, &options, out, err);
    small_batch_free(&rows);
    return status;
}

static void write_steps(const runner *x, const char *who, change how, int64_t step)
{
    for (int i = 0; i < STEPS; i++)
        if (!do_change(x->r, who, how, x->first_id + i * step))
            break;
    atomic_fetch_sub(&x->r->n_writers, 1);
}

static void append_main(void *context)
{
    write_steps(context, "append", append, STEP_ROWS);
}

static void delete_main(void *context)
{
    write_steps(context, "delete", delete_even, FIRST_ROWS / STEPS);
}

static void upsert_main(void *context)
{
    write_steps(context, "upsert", upsert, STEP_ROWS);
}

/* ---- while they write ---- */

static bool goes_on(race *r)
{
    return atomic_load(&r->n_writers) > 0;
}

static pn_status fold(pn_dataset *newest, int64_t id, pn_dataset **out, pn_error *err)
{
    const pn_compact_options options = {.mode = PN_COMPACT_FULL, .deleted_percent = 1};
    (void)id;
    return pn_dataset_compact(newest, &options, NULL, out, err);
}

static void fold_main(void *context)
{
    race *r = ((runner *)context)->r;
    while (goes_on(r) && do_change(r, "fold", fold, 0)) {
        atomic_fetch_add(&r->n_folds, 1);
        pn_clock_sleep_ms(3);
    }
}

/* All versions go but some of the newest, and those that are open. */
static void clean_main(void *context)
{
    race *r = ((runner *)context)->r;
    while (goes_on(r)) {
        pn_error err = {0};
        pn_arena arena;
        uint64_t *held;
        pn_cleanup_report report = {0};
        pn_cleanup_options options = {.older_than_ms = 0, .keep_newest = 20, .orphan_ms = -1};
        pn_arena_init(&arena, SIZE_MAX);
        pn_status status = pn_dataset_pinned(r->root, &arena, &held, &options.n_held, &err);
        options.held = held;
        if (status == PN_OK)
            status = pn_dataset_cleanup(r->table, &options, &report, &err);
        if (status != PN_OK)
            fault(r, "clean", &err);
        atomic_fetch_add(&r->n_cleaned, report.n_versions);
        pn_arena_reset(&arena);
        pn_clock_sleep_ms(10);
    }
}

/* Is a row that of its id? Without cmocka, which is for one thread. */
static bool is_sound(const pn_batch *batch, size_t i)
{
    char text[40];
    int64_t id = pn_array_i64(&batch->columns[0], i);
    const float *vector = pn_array_floats(&batch->columns[1], i);
    for (int k = 0; k < SMALL_TABLE_DIM; k++)
        if (vector[k] != (float)id + (float)k / SMALL_TABLE_DIM)
            return false;
    (void)snprintf(text, sizeof text, "row %" PRId64, id);
    return pn_array_is_valid(&batch->columns[2], i) == (id % 7 != 3) &&
           (id % 7 == 3 || pn_str_is(pn_array_bytes(&batch->columns[2], i), text));
}

static pn_status read_rows(pn_dataset *t, int64_t *ids, size_t *n, pn_error *err)
{
    pn_scan *scan;
    pn_batch batch = {.n_rows = 1};
    const pn_row_addr *addrs;
    const pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    pn_status status = PN_OK;
    *n = 0;
    PN_TRY(pn_scan_begin(t, &options, &scan, err));
    while (status == PN_OK && batch.n_rows > 0) {
        status = pn_scan_next(scan, &batch, &addrs, err);
        for (size_t i = 0; status == PN_OK && i < batch.n_rows; i++) {
            ids[(*n)++] = pn_array_i64(&batch.columns[0], i);
            if (*n == MOST_ROWS || !is_sound(&batch, i))
                status = pn_fail(err, PN_ERR_BUG, "the row of the id %" PRId64, ids[*n - 1]);
        }
    }
    pn_scan_end(scan);
    PN_TRY(status);
    qsort(ids, *n, sizeof *ids, compare_ids);
    for (size_t i = 1; i < *n; i++)
        if (ids[i] == ids[i - 1])
            return pn_fail(err, PN_ERR_BUG, "the id %" PRId64 " is there twice", ids[i]);
    return *n == pn_dataset_count_rows(t) ? PN_OK : pn_fail(err, PN_ERR_BUG, "rows are missing");
}

static void read_main(void *context)
{
    race *r = ((runner *)context)->r;
    int64_t *ids = pn_alloc_array(MOST_ROWS, sizeof *ids);
    while (ids && goes_on(r)) {
        pn_error err = {0};
        pn_dataset *t = NULL;
        size_t n;
        pn_status status = pn_dataset_latest(r->root, &t, &err);
        if (status == PN_OK)
            status = read_rows(t, ids, &n, &err);
        if (status != PN_OK)
            fault(r, "read", &err);
        pn_dataset_unref(t);
        atomic_fetch_add(&r->n_read, 1);
    }
    pn_free(ids);
}

/* ---- */

static const struct {
    void (*main)(void *context);
    int64_t first_id;
    bool writes;
} crew[] = {
    {append_main, (int64_t)1 * WRITER_IDS, true},
    {append_main, (int64_t)2 * WRITER_IDS, true},
    {delete_main, 0, true},
    {upsert_main, (int64_t)3 * WRITER_IDS, true},
    {upsert_main, (int64_t)4 * WRITER_IDS, true},
    {fold_main, 0, false},
    {clean_main, 0, false},
    {read_main, 0, false},
    {read_main, 0, false},
};

static size_t add_ids(int64_t *ids, size_t n, int64_t first, int64_t step, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ids[n++] = first + (int64_t)i * step;
    return n;
}

static void check_end(race *r)
{
    static int64_t expected[MOST_ROWS], ids[MOST_ROWS];
    pn_error err = {0};
    pn_dataset *t;
    size_t n = add_ids(expected, 0, 1, 2, FIRST_ROWS / 2), n_read;
    for (int w = 1; w <= 4; w++)
        n = add_ids(expected, n, (int64_t)w * WRITER_IDS, 1, (size_t)STEP_ROWS * (STEPS + (w > 2)));
    EXPECT(PN_OK, pn_dataset_latest(r->root, &t, &err));
    EXPECT(PN_OK, read_rows(t, ids, &n_read, &err));
    assert_int_equal(n_read, n);
    assert_memory_equal(ids, expected, n * sizeof *ids);
    pn_dataset_unref(t);
}

static void threads_of_all_kinds__lose_nothing(void **state)
{
    table_place *p = *state;
    pn_error err = {0};
    pn_dataset *empty;
    pn_thread *threads[PN_COUNT_OF(crew)];
    runner runners[PN_COUNT_OF(crew)];
    race r = {.table = p->table};
    EXPECT(PN_OK, small_table_create(p->table, &empty, &err));
    EXPECT(PN_OK, small_table_append(empty, 0, FIRST_ROWS, NULL, &r.root, &err));
    pn_dataset_unref(empty);
    for (size_t i = 0; i < PN_COUNT_OF(crew); i++)
        r.n_writers += crew[i].writes;
    for (size_t i = 0; i < PN_COUNT_OF(crew); i++) {
        runners[i] = (runner){&r, crew[i].first_id};
        EXPECT(PN_OK, pn_thread_start(crew[i].main, &runners[i], "crew", &threads[i], &err));
    }
    for (size_t i = 0; i < PN_COUNT_OF(crew); i++)
        pn_thread_join(threads[i]);
    assert_int_equal(r.n_faults, 0);
    check_end(&r);
    pn_dataset_unref(r.root);
    table_clean_up(p->table, 0, "a race");
    print_message(
        "%zu versions read, %zu folds, %zu versions cleaned up, %zu changes decided again\n",
        r.n_read, r.n_folds, r.n_cleaned, r.n_conflicts);
    assert_true(r.n_read > 0 && r.n_folds > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_of_all_kinds__lose_nothing, table_place_setup,
                                        table_place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

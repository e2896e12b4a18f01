/*
 * test_engine_faults.c - no memory, a bad disk and odd tables behind the engine's door
 *
 * A change that fails leaves the old version and whole: the table is opened again after each fault, and its rows are counted.
 */
#include "collection/local_engine.h"

#include "base/alloc.h"
#include "collection/id_counter.h"
#include "collection/ids.h"
#include "dataset/dataset.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"
#include "os/pool.h"
#include "support/faults.h"
#include "support/json_rows.h"
#include "support/scratch_folder.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { DIM = 2 };

typedef struct world {
    scratch_folder *folder;
    char *path;
    pn_schema schema;
    pn_schema row_schema; /* without the id, which the engine gives */
    json_rows rows;       /* three, under row_schema */
} world;

static world the_world;

static const char rows_json[] =
    "[{\"vector\": [1, 0], \"image_path\": \"a\", \"metadata\": {\"k\": \"1\"}, \"timestamp\": 1}, "
    "{\"vector\": [0, 1], \"image_path\": \"b\", \"metadata\": {}, \"timestamp\": 2}, "
    "{\"vector\": [1, 1], \"image_path\": \"c\", \"metadata\": {}, \"timestamp\": 3}]";

static int setup(void **state)
{
    world *w = &the_world;
    void *folder;
    *w = (world){0};
    if (scratch_folder_setup(&folder) != 0)
        return 1;
    w->folder = folder;
    w->path = scratch_path(w->folder, "images.lance");
    assert_int_equal(
        pn_image_schema_make(DIM, "test", "model", "none", &w->folder->arena, &w->schema, NULL),
        PN_OK);
    w->row_schema = (pn_schema){.fields = w->schema.fields + 1, .n_fields = w->schema.n_fields - 1};
    json_rows_make(&w->row_schema, rows_json, &w->rows);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    void *folder = w->folder;
    pn_alloc_fail_after(0);
    json_rows_free(&w->rows);
    return scratch_folder_teardown(&folder);
}

static pn_engine *make_table(world *w)
{
    pn_error err = {0};
    pn_engine *engine = NULL;
    if (pn_local_engine_create(w->path, &w->schema, NULL, &engine, &err) != PN_OK)
        fail_msg("%s", err.message);
    return engine;
}

static pn_status append(pn_engine *engine, const pn_batch *batch, pn_error *err)
{
    return engine->append(engine->self, NULL, batch, NULL, err);
}

/* Make the table with its three rows and leave it closed. */
static void make_closed(world *w)
{
    pn_engine *engine = make_table(w);
    assert_int_equal(append(engine, &w->rows.batch, NULL), PN_OK);
    pn_engine_free(engine);
}

static uint64_t count_rows(world *w)
{
    pn_error err = {0};
    pn_dataset *dataset;
    if (pn_dataset_open(w->path, 0, &dataset, &err) != PN_OK)
        fail_msg("%s", err.message);
    uint64_t n = pn_dataset_count_rows(dataset);
    pn_dataset_unref(dataset);
    return n;
}

/* ---- no memory */

static pn_status visit(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                       pn_error *err)
{
    (void)addrs, (void)err;
    *(size_t *)context += batch->n_rows;
    return PN_OK;
}

static pn_status read_everything(pn_engine *e, pn_snapshot *snapshot, pn_error *err)
{
    static const float query[DIM] = {1, 0};
    static const char *const columns[] = {PN_COLUMN_IMAGE_PATH};
    pn_candidate heap[3];
    pn_topk topk;
    pn_engine_search_stats stats;
    pn_engine_search asked = {.query = query, .k = 3, .filter = "id < 100"};
    pn_row_addr addr;
    pn_rowset rows;
    uint64_t count;
    size_t n = 0;
    pn_topk_init(&topk, heap, 3);
    PN_TRY(e->search(e->self, snapshot, &asked, &topk, &stats, err));
    PN_TRY(e->find_id(e->self, snapshot, 1, &addr, err));
    PN_TRY(e->filter(e->self, snapshot, "id > 0", &rows, &count, err));
    pn_rowset_reset(&rows);
    assert_int_equal(count, 2);
    PN_TRY(e->filter(e->self, snapshot, NULL, NULL, &count, err));
    assert_int_equal(count, 3);
    PN_TRY(e->filter(e->self, snapshot, "id = 0", NULL, &count, err));
    assert_int_equal(count, 1);
    PN_TRY(e->scan(e->self, snapshot, columns, 1, NULL, visit, &n, err));
    assert_int_equal(n, 3);
    return PN_OK;
}

static pn_status open_and_read(void *context, pn_error *err)
{
    const world *w = context;
    pn_engine *engine;
    pn_snapshot *snapshot;
    PN_TRY(pn_local_engine_open(w->path, NULL, &engine, err));
    pn_status status = engine->pin(engine->self, &snapshot, err);
    if (status == PN_OK) {
        status = read_everything(engine, snapshot, err);
        engine->unpin(engine->self, snapshot);
    }
    pn_engine_free(engine);
    return status;
}

static void reading_without_memory__says_so_and_leaves_nothing(void **state)
{
    world *w = *state;
    make_closed(w);
    assert_true(faults_each_allocation(open_and_read, w) > 30);
    assert_int_equal(count_rows(w), 3);
}

/* Open, let another engine append, and pin: the snapshot is a new one. */
static pn_status pin_after_a_change(void *context, pn_error *err)
{
    world *w = context;
    pn_engine *engine, *other;
    pn_snapshot *snapshot;
    pn_alloc_fail_after(0);
    assert_int_equal(pn_local_engine_open(w->path, NULL, &engine, NULL), PN_OK);
    assert_int_equal(pn_local_engine_open(w->path, NULL, &other, NULL), PN_OK);
    assert_int_equal(append(other, &w->rows.batch, NULL), PN_OK);
    pn_engine_free(other);
    pn_status status = PN_ERR_NOMEM;
    for (int64_t n = 1; status == PN_ERR_NOMEM; n++) {
        pn_alloc_fail_after(n);
        status = engine->pin(engine->self, &snapshot, err);
        pn_alloc_fail_after(0);
    }
    if (status == PN_OK) {
        pn_engine_info info;
        engine->info(engine->self, snapshot, &info);
        assert_int_equal(info.n_rows, count_rows(w));
        engine->unpin(engine->self, snapshot);
    }
    pn_engine_free(engine);
    return status;
}

static void pin_without_memory__keeps_the_old_snapshot(void **state)
{
    world *w = *state;
    pn_error err = {0};
    make_closed(w);
    assert_int_equal(pin_after_a_change(w, &err), PN_OK);
    assert_string_equal(err.message, "out of memory");
}

typedef enum change { APPEND, DELETE } change;

/* One change with a fault set by `arm`, n = 1, 2, ... until it gets through: never half of it. */
static int64_t change_under_faults(world *w, change what, void (*arm)(int64_t n), pn_status wanted)
{
    uint64_t n_rows = 3, n_deleted;
    for (int64_t n = 1; n < 2000; n += 1 + n / 8) {
        pn_error err = {0};
        pn_engine *engine;
        assert_int_equal(pn_dir_remove_all(w->path, NULL),
                         PN_OK); // a fault behind the commit leaves rows
        make_closed(w);
        assert_int_equal(pn_local_engine_open(w->path, NULL, &engine, NULL), PN_OK);
        arm(n);
        pn_status status = what == APPEND ? append(engine, &w->rows.batch, &err)
                                          : engine->delete_where(engine->self, "image_path = 'a'",
                                                                 &n_deleted, &err);
        arm(0);
        pn_engine_free(engine);
        uint64_t after = count_rows(w);
        if (status != PN_OK && status != wanted)
            fail_msg("fault %" PRId64 ": status %d: %s", n, status, err.message);
        if (status == PN_OK)
            assert_int_equal(after, what == APPEND ? n_rows + 3 : n_rows - n_deleted);
        else if (after != n_rows && !(what == APPEND && after == n_rows + 3) &&
                 !(what == DELETE && after + 1 == n_rows))
            fail_msg("fault %" PRId64 ": %" PRIu64 " rows became %" PRIu64, n, n_rows, after);
        if (status == PN_OK)
            return n;
    }
    fail_msg("it never gets through");
    return 0;
}

static void arm_disk(int64_t n)
{
    pn_fd_fault_after(n, EIO);
}

static void changes_under_faults__are_whole_or_not_there(void **state)
{
    world *w = *state;
    make_closed(w);
    assert_true(change_under_faults(w, APPEND, pn_alloc_fail_after, PN_ERR_NOMEM) > 20);
    assert_true(change_under_faults(w, APPEND, arm_disk, PN_ERR_IO) > 3);
    assert_true(change_under_faults(w, DELETE, pn_alloc_fail_after, PN_ERR_NOMEM) > 10);
    assert_true(change_under_faults(w, DELETE, arm_disk, PN_ERR_IO) >= 1);
}

static void arm_reads(int64_t n)
{
    pn_fd_fault_reads_after(n, EIO);
}

static void reads_that_fail__are_said(void **state)
{
    world *w = *state;
    int64_t n = 1;
    make_closed(w);
    for (;; n++) {
        pn_error err = {0};
        arm_reads(n);
        pn_status status = open_and_read(w, &err);
        arm_reads(0);
        if (status == PN_OK)
            break;
        assert_int_equal(status, PN_ERR_IO);
    }
    assert_true(n > 3);
}

/* ---- ids */

static void ids__are_looked_up_in_any_order(void **state)
{
    world *w = *state;
    static const char json[] = "[{\"id\": 30, \"vector\": [1, 0], \"image_path\": \"\", "
                               "\"metadata\": {}, \"timestamp\": 1},"
                               " {\"id\": -5, \"vector\": [1, 0], \"image_path\": \"\", "
                               "\"metadata\": {}, \"timestamp\": 1},"
                               " {\"id\": 30, \"vector\": [1, 0], \"image_path\": \"\", "
                               "\"metadata\": {}, \"timestamp\": 1},"
                               " {\"id\": 7, \"vector\": [1, 0], \"image_path\": \"\", "
                               "\"metadata\": {}, \"timestamp\": 1}]";
    static const struct {
        int64_t id;
        int row; /* -1: none */
    } cases[] = {{30, 0}, {-5, 1}, {7, 3}, {-6, -1}, {8, -1}, {31, -1}, {INT64_MIN, -1}};
    pn_engine *engine = make_table(w);
    pn_snapshot *snapshot;
    json_rows rows;
    pn_error err = {0};
    json_rows_make(&w->schema, json, &rows);
    assert_int_equal(append(engine, &rows.batch, &err), PN_OK);
    json_rows_free(&rows);
    assert_int_equal(engine->pin(engine->self, &snapshot, &err), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_row_addr addr = 77;
        pn_status status = engine->find_id(engine->self, snapshot, cases[i].id, &addr, &err);
        assert_int_equal(status, cases[i].row < 0 ? PN_ERR_NOT_FOUND : PN_OK);
        assert_int_equal(addr, cases[i].row < 0 ? 77 : cases[i].row); // the first of two
    }
    engine->unpin(engine->self, snapshot);
    assert_int_equal(append(engine, &w->rows.batch, &err), PN_OK); // ids 31, 32, 33
    assert_int_equal(engine->pin(engine->self, &snapshot, &err), PN_OK);
    for (int64_t id = 31; id <= 33; id++) {
        pn_row_addr addr;
        assert_int_equal(engine->find_id(engine->self, snapshot, id, &addr, &err), PN_OK);
    }
    engine->unpin(engine->self, snapshot);
    pn_engine_free(engine);
}

static void ids__end_with_the_largest_number(void **state)
{
    world *w = *state;
    static const char json[] = "[{\"id\": 9223372036854775807, \"vector\": [1, 0], \"image_path\": "
                               "\"\", \"metadata\": {}, \"timestamp\": 1}]";
    pn_engine *engine = make_table(w);
    json_rows rows;
    pn_error err = {0};
    json_rows_make(&w->schema, json, &rows);
    assert_int_equal(append(engine, &rows.batch, &err), PN_OK);
    json_rows_free(&rows);
    assert_int_equal(append(engine, &w->rows.batch, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "used up its ids"));
    pn_engine_free(engine);
    assert_int_equal(count_rows(w), 1);
}

static void the_counter__is_read_with_suspicion(void **state)
{
    world *w = *state;
    static const struct {
        const char *text;
        pn_status status;
    } cases[] = {
        {"0 100\n", PN_OK},
        {"1 2\n", PN_OK},
        {"1 2\n1 2\n", PN_ERR_CORRUPT},
        {"ids 1 2\n", PN_ERR_CORRUPT},
        {"ids 1 2 0000000000000000\n", PN_ERR_CORRUPT},
        {"", PN_ERR_CORRUPT},
        {"\n", PN_ERR_CORRUPT},
        {"1\n", PN_ERR_CORRUPT},
        {"1 2", PN_ERR_CORRUPT},
        {"1 2 \n", PN_ERR_CORRUPT},
        {"-1 2\n", PN_ERR_CORRUPT},
        {" 1 2\n", PN_ERR_CORRUPT},
        {"1 -2\n", PN_ERR_CORRUPT},
        {"1 x\n", PN_ERR_CORRUPT},
        {"1 "
         "2222222222222222222222222222222222222222222222222222222222222222222222222222222222222\n",
         PN_ERR_CORRUPT},
        {"0 9223372036854775806\n", PN_ERR_LIMIT},
    };
    make_closed(w);
    char *folder = pn_path_join(&w->folder->arena, w->path, "_pennon");
    char *file = pn_path_join(&w->folder->arena, folder, "next_id");
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_dataset *dataset;
        pn_error err = {0};
        int64_t first = -77;
        const pn_ids_wanted wanted = {.n = 3, .above = -1};
        assert_int_equal(pn_dataset_open(w->path, 0, &dataset, NULL), PN_OK);
        assert_int_equal(pn_file_write_atomic(file, cases[i].text, strlen(cases[i].text), NULL),
                         PN_OK);
        pn_status status = pn_id_counter_take(folder, dataset, &wanted, &first, &err);
        if (status != cases[i].status)
            fail_msg("\"%s\": status %d: %s", cases[i].text, status, err.message);
        assert_int_equal(first, i == 0 ? 100 : i == 1 ? 3 : -77);
        pn_dataset_unref(dataset);
    }
}

static pn_status take_ids(void *context, pn_error *err)
{
    pn_dataset *dataset = context;
    int64_t first;
    const pn_ids_wanted one = {.n = 1, .above = -1, .were_given = true};
    pn_arena arena;
    pn_alloc_fail_after(0); // set again below: the path is the test's
    pn_arena_init(&arena, SIZE_MAX);
    char *folder = pn_path_join(&arena, pn_dataset_path(dataset), "_pennon");
    pn_status status = PN_ERR_NOMEM;
    for (int64_t n = 1; status == PN_ERR_NOMEM; n++) {
        pn_alloc_fail_after(n);
        status = pn_id_counter_take(folder, dataset, &one, &first, err);
        pn_alloc_fail_after(0);
    }
    pn_alloc_fail_after(1);
    pn_id_counter_settle(folder, 5, first + 1, first + 1); // has nobody to tell, and does no harm
    pn_alloc_fail_after(0);
    pn_arena_reset(&arena);
    return status;
}

static void the_counter_without_memory__says_so(void **state)
{
    world *w = *state;
    pn_dataset *dataset;
    pn_error err = {0};
    make_closed(w);
    assert_int_equal(pn_dataset_open(w->path, 0, &dataset, NULL), PN_OK);
    assert_int_equal(take_ids(dataset, &err), PN_OK);
    assert_string_equal(err.message, "out of memory");
    pn_dataset_unref(dataset);
}

static pn_status index_ids(void *context, pn_error *err)
{
    pn_id_index *ids;
    int64_t next;
    PN_TRY(pn_id_index_make(context, &ids, err));
    pn_id_index_free(ids);
    pn_id_index_free(NULL);
    return pn_next_id(context, 0, &next, err);
}

static void an_index_of_ids__needs_memory(void **state)
{
    world *w = *state;
    pn_dataset *dataset;
    make_closed(w);
    assert_int_equal(pn_dataset_open(w->path, 0, &dataset, NULL), PN_OK);
    assert_int_equal(index_ids(dataset, NULL), PN_OK); // what stays in memory is there now
    assert_true(faults_each_allocation(index_ids, dataset) > 4);
    pn_dataset_unref(dataset);
}

/* ---- schemas */

static void image_schema__has_limits(void **state)
{
    world *w = *state;
    pn_schema schema = {.n_fields = 77};
    pn_error err = {0};
    uint32_t dim;
    pn_arena small;
    assert_int_equal(pn_image_schema_make(0, "", "", "", &w->folder->arena, &schema, &err),
                     PN_ERR_LIMIT);
    assert_int_equal(pn_image_schema_make(8193, "", "", "", &w->folder->arena, &schema, &err),
                     PN_ERR_LIMIT);
    assert_string_equal(err.message, "vectors of 8193 floats, the limit is 8192");
    for (size_t most = 0; most < 3000; most += 100) {
        pn_arena_init(&small, most);
        pn_status status = pn_image_schema_make(4, "", "", "", &small, &schema, &err);
        assert_true(status == PN_ERR_NOMEM || status == PN_OK);
        pn_arena_reset(&small);
        if (status == PN_OK)
            break;
        assert_int_equal(schema.n_fields, 77);
    }
    static const struct {
        pn_type_id list, item;
        int32_t size;
        pn_status status;
    } cases[] = {
        {PN_TYPE_FIXED_SIZE_LIST, PN_TYPE_FLOAT, 1, PN_OK},
        {PN_TYPE_FIXED_SIZE_LIST, PN_TYPE_FLOAT, 8192, PN_OK},
        {PN_TYPE_FIXED_SIZE_LIST, PN_TYPE_FLOAT, 8193, PN_ERR_INVALID},
        {PN_TYPE_FIXED_SIZE_LIST, PN_TYPE_FLOAT, 0, PN_ERR_INVALID},
        {PN_TYPE_FIXED_SIZE_LIST, PN_TYPE_DOUBLE, 4, PN_ERR_INVALID},
        {PN_TYPE_LIST, PN_TYPE_FLOAT, 4, PN_ERR_INVALID},
        {PN_TYPE_FLOAT, PN_TYPE_FLOAT, 4, PN_ERR_INVALID},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_field item, vector;
        pn_field_init(&item, "item", cases[i].item, true);
        pn_field_init(&vector, "vector", cases[i].list, true);
        vector.size = cases[i].size;
        vector.children = &item, vector.n_children = 1;
        schema = (pn_schema){.fields = &vector, .n_fields = 1};
        assert_int_equal(pn_image_schema_check(&schema, "t.lance", &dim, &err), cases[i].status);
        if (cases[i].status == PN_OK)
            assert_int_equal(dim, cases[i].size);
    }
    assert_non_null(strstr(err.message, "t.lance: column \"vector\": its type is float;"));
}

/* ---- two processes */

typedef struct holder {
    pn_lockfile *lock;
    atomic_bool released;
} holder;

static void hold_a_while(void *context)
{
    holder *h = context;
    pn_clock_sleep_ms(40);
    atomic_store(&h->released, true);
    pn_lockfile_release(h->lock);
}

static void append__waits_for_the_lock_of_another(void **state)
{
    world *w = *state;
    pn_error err = {0};
    pn_thread *thread;
    holder h = {0};
    make_closed(w);
    pn_engine *engine;
    assert_int_equal(pn_local_engine_open(w->path, NULL, &engine, &err), PN_OK);
    char *lock = pn_path_join(&w->folder->arena, w->path, "_pennon/ids.lock");
    assert_int_equal(pn_lockfile_take(lock, &h.lock, &err), PN_OK);
    assert_int_equal(pn_thread_start(hold_a_while, &h, "holder", &thread, &err), PN_OK);
    assert_int_equal(append(engine, &w->rows.batch, &err), PN_OK);
    assert_true(atomic_load(&h.released));
    pn_thread_join(thread);
    pn_engine_free(engine);
    pn_engine_free(NULL);
    assert_int_equal(count_rows(w), 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(reading_without_memory__says_so_and_leaves_nothing),
        TEST(pin_without_memory__keeps_the_old_snapshot),
        TEST(changes_under_faults__are_whole_or_not_there),
        TEST(reads_that_fail__are_said),
        TEST(ids__are_looked_up_in_any_order),
        TEST(ids__end_with_the_largest_number),
        TEST(the_counter__is_read_with_suspicion),
        TEST(the_counter_without_memory__says_so),
        TEST(an_index_of_ids__needs_memory),
        TEST(image_schema__has_limits),
        TEST(append__waits_for_the_lock_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

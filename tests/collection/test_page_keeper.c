/*
 * test_page_keeper.c - how much of a table lies in memory, as the system itself tells it
 *
 * Two numbers: what of the table's files this process has mapped in (smaps), and what of them lies in the machine's memory (mincore). On
 * a file system that lives in memory the second one is all of them, always, and only the first is looked at.
 */
#include "collection/local_engine.h"
#include "support/vector_table.h"

#include "base/alloc.h"
#include "collection/image_schema.h"
#include "column/builder.h"
#include "index/index.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/mapping.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { DIM = 256, ROWS = 20000, K = 10, MB = 1 << 20, LIMIT = 8 * MB, SEARCHES = 120 };
/* Until then what must come at some time has come, or never will. */
enum { PATIENCE_MS = 300000 };
#define VECTOR_BYTES ((size_t)ROWS * DIM * sizeof(float))

typedef struct world {
    pn_arena arena;
    char *folder, *path, *data, *index;
    pn_pool *pool;
    pn_engine *engine;
    vector_table table;
    bool can_evict; /* the file system is not memory itself */
} world;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static void append(const world *w, const pn_schema *schema)
{
    pn_error err = {0};
    pn_builder *b[3];
    pn_array arrays[3];
    int64_t first_id;
    for (size_t c = 0; c < 3; c++)
        check(pn_builder_create(&schema->fields[c], 1 << 26, &b[c], &err), &err);
    for (size_t i = 0; i < ROWS; i++) {
        check(pn_builder_append_i64(b[0], (int64_t)i, &err), &err);
        check(pn_builder_append_floats(b[1], w->table.vectors + i * DIM, DIM, &err), &err);
        check(pn_builder_append_bytes(b[2], "x", 1, &err), &err);
    }
    for (size_t c = 0; c < 3; c++)
        check(pn_builder_view(b[c], &arrays[c], &err), &err);
    pn_batch batch = {.schema = schema, .columns = arrays, .n_rows = ROWS};
    check(w->engine->insert(w->engine->self, &batch, &first_id, &err), &err);
    for (size_t c = 0; c < 3; c++)
        pn_builder_free(b[c]);
}

/* ---- what is in memory */

/* The only file of a folder. */
static char *file_in(world *w, const char *folder, const char *ending)
{
    pn_error err = {0};
    char **names, *found = NULL;
    size_t n;
    check(pn_dir_list(folder, &w->arena, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++)
        if (strstr(names[i], ending))
            found = pn_path_join(&w->arena, folder, names[i]);
    assert_non_null(found);
    return found;
}

static size_t in_machine(const char *path)
{
    pn_error err = {0};
    pn_mapping map;
    check(pn_mapping_open(path, &map, &err), &err);
    size_t n = pn_mapping_resident(&map, 0, map.n_bytes);
    pn_mapping_close(&map);
    return n;
}

static size_t in_process(const char *path)
{
    char line[4352];
    bool is_ours = false;
    size_t sum = 0, kib;
    FILE *f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] < 'A' || line[0] > 'Z') // the line of a mapping
            is_ours = strstr(line, path) != NULL;
        else if (is_ours && sscanf(line, "Rss: %zu kB", &kib) == 1)
            sum += kib << 10;
    }
    (void)fclose(f);
    return sum;
}

/* Of the vectors' file and the index. */
static size_t in_memory(const world *w, size_t (*where)(const char *))
{
    return where(w->data) + where(w->index);
}

static void evict(const char *path)
{
    pn_error err = {0};
    pn_mapping map;
    check(pn_mapping_open(path, &map, &err), &err);
    pn_mapping_evict(&map, path, 0, map.n_bytes);
    pn_mapping_close(&map);
}

/* ---- the world */

static void open_engine(world *w)
{
    pn_error err = {0};
    pn_engine_free(w->engine);
    check(pn_local_engine_open(w->path, w->pool, &w->engine, &err), &err);
}

static void close_and_evict(world *w)
{
    pn_engine_free(w->engine);
    w->engine = NULL;
    evict(w->data);
    evict(w->index);
}

static int setup(void **state)
{
    static world w;
    pn_error err = {0};
    pn_schema full;
    pn_engine_index_report report;
    const pn_engine_index_options options = {.is_wanted = true, .pool = NULL};
    memset(&w, 0, sizeof w);
    pn_arena_init(&w.arena, SIZE_MAX);
    vector_table_make(&(vector_table_options){ROWS, DIM, 200, 1, false, 7}, &w.table);
    check(pn_image_schema_make(DIM, "test", "test model", "none", &w.arena, &full, &err), &err);
    check(pn_dir_make_temporary("pennon-pages", &w.arena, &w.folder, &err), &err);
    w.path = pn_path_join(&w.arena, w.folder, "images.lance");
    check(pn_pool_create(2, &w.pool, &err), &err);
    full.n_fields = 3; /* id, vector, path */
    check(pn_local_engine_create(w.path, &full, w.pool, &w.engine, &err), &err);
    append(&w, &full);
    check(w.engine->index_build(w.engine->self, &options, &report, &err), &err);
    w.data = file_in(&w, pn_path_join(&w.arena, w.path, "data"), ".lance");
    w.index = file_in(&w, pn_path_join(&w.arena, w.path, "_pennon/index"), ".idx");
    close_and_evict(&w);
    w.can_evict = in_memory(&w, in_machine) == 0;
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    pn_error err = {0};
    pn_engine_free(w->engine);
    pn_pool_free(w->pool);
    check(pn_dir_remove_all(w->folder, &err), &err);
    vector_table_free(&w->table);
    pn_arena_reset(&w->arena);
    return 0;
}

/* all: 8,000 rows by their vectors, else by the index. */
static void search(const world *w, size_t n, bool all, pn_candidate *heap)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_topk topk;
    pn_engine_search_stats stats;
    for (size_t i = 0; i < n; i++) {
        const pn_engine_search asked = {.query = w->table.vectors + i * 97 % ROWS * DIM,
                                        .filter = all ? "id >= 0 AND id < 8000" : NULL};
        pn_topk_init(&topk, heap, K);
        check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
        check(w->engine->search(w->engine->self, snapshot, &asked, &topk, &stats, &err), &err);
        w->engine->unpin(w->engine->self, snapshot);
        assert_int_equal(topk.n, K);
    }
}

/* ---- promises */

static bool is_within(const world *w, size_t limit)
{
    return in_memory(w, in_process) <= limit &&
           (!w->can_evict || in_memory(w, in_machine) <= limit);
}

/* However long the keeper's thread has to wait for a processor. Small searches go on: without any it looks once a second. */
static void wait_for_rounds(const world *w, uint64_t n)
{
    pn_candidate found[K];
    uint64_t end = pn_local_engine_memory_rounds(w->engine) + n;
    while (pn_local_engine_memory_rounds(w->engine) < end) {
        search(w, 1, false, found);
        pn_clock_sleep_ms(1);
    }
}

static void a_limit__is_kept_while_searches_run(void **state)
{
    world *w = *state;
    pn_error err = {0};
    pn_candidate before[K], after[K];
    open_engine(w);
    search(w, 1, true, before);
    search(w, 200, false, after);
    assert_true(in_memory(w, in_process) > LIMIT + 2 * MB); // the numbers see what searches do
    check(pn_local_engine_set_index_cache(w->engine, LIMIT, &err), &err);
    size_t n_within = 0, n_above = 0;
    for (size_t i = 0; i < SEARCHES; i++) {
        search(w, 1, i % 2 == 0, after);
        wait_for_rounds(w, 2); // the first may have begun before the search ended
        *(in_memory(w, in_process) <= LIMIT + MB ? &n_within : &n_above) += 1;
    }
    print_message("%zu times within the limit, %zu above\n", n_within, n_above);
    assert_true(n_within > 2 * n_above); // what a disk gives meanwhile may be above
    search(w, 1, true, after);
    assert_memory_equal(before, after, sizeof before);
    wait_for_rounds(w, 3); // the system may be reading ahead yet
    for (int ms = 0; ms < PATIENCE_MS && !is_within(w, LIMIT + MB); ms += 50)
        pn_clock_sleep_ms(50);
    assert_true(is_within(w, LIMIT + MB)); // the MB: of other columns
    check(pn_local_engine_set_index_cache(w->engine, 0, &err), &err);
    for (size_t i = 0; i < 3; i++)
        search(w, 1, true, after);
    assert_true(in_memory(w, in_process) > (size_t)8000 * DIM * 4); // it is gone
}

static void room_for_all__is_filled_before_anybody_asks(void **state)
{
    world *w = *state;
    pn_error err = {0};
    close_and_evict(w);
    open_engine(w);
    assert_true(in_memory(w, in_process) < VECTOR_BYTES);
    check(pn_local_engine_set_index_cache(w->engine, (uint64_t)1 << 30, &err), &err);
    for (int ms = 0; ms < PATIENCE_MS && in_process(w->data) < VECTOR_BYTES; ms += 20)
        pn_clock_sleep_ms(20);
    assert_true(in_process(w->data) >= VECTOR_BYTES);
    assert_true(in_machine(w->data) >= VECTOR_BYTES);
    pn_mapping map;
    check(pn_mapping_open(w->index, &map, &err), &err);
    assert_true(in_process(w->index) >= map.n_bytes);
    pn_mapping_close(&map);
}

static void little_room__is_for_what_every_search_reads(void **state)
{
    world *w = *state;
    pn_error err = {0};
    pn_index *index;
    pn_index_memory m;
    close_and_evict(w);
    check(pn_index_open(w->index, &index, &err), &err);
    pn_index_memory_get(index, &m);
    size_t lists = m.mapping->n_bytes - m.copies_bytes;
    assert_true(lists < LIMIT / 4 * 3 && lists + m.copies_bytes + VECTOR_BYTES > LIMIT);
    if (w->can_evict)
        pn_mapping_evict(m.mapping, m.path, 0, m.mapping->n_bytes);
    open_engine(w);
    check(pn_local_engine_set_index_cache(w->engine, LIMIT, &err), &err);
    for (int ms = 0; ms < PATIENCE_MS && in_process(w->index) < LIMIT / 4 * 3 - MB; ms += 20)
        pn_clock_sleep_ms(20);
    size_t end = m.copies_offset + m.copies_bytes;
    assert_true(pn_mapping_resident(m.mapping, 0, m.copies_offset) >= m.copies_offset);
    assert_true(pn_mapping_resident(m.mapping, end, m.mapping->n_bytes - end) >=
                m.mapping->n_bytes - end);
    assert_true(in_process(w->index) >= lists);
    assert_true(in_process(w->data) < VECTOR_BYTES / 4);
    pn_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit__is_kept_while_searches_run),
        cmocka_unit_test(room_for_all__is_filled_before_anybody_asks),
        cmocka_unit_test(little_room__is_for_what_every_search_reads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

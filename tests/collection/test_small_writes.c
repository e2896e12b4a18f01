/*
 * test_small_writes.c - row by row, all day: few files, no row lost, none twice, and searches all along
 *
 * PN_SMALL_WRITES is the number of rows, and PN_SMALL_WRITES_TOGETHER that of rows that 32 threads insert one by one;
 * PN_SMALL_WRITES_KEEP a folder where the tables stay, for a look at them by others. PN_SMALL_WRITES_PROCESSES is the number of those that two
 * processes insert.
 */
#include "collection/local_engine.h"
#include "collection/table_upkeep.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "column/builder.h"
#include "dataset/dataset.h"
#include "kernels/kernels.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/process.h"
#include "support/how_many.h"
#include "support/small_table.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants some of the above first */
#include <cmocka.h>

enum { DIM = 16, MAX_FILES = 100, WRITERS = 8 };

typedef struct world {
    pn_arena arena;
    char *folder, *path;
    pn_engine *engine;
    pn_schema schema; /* vector and path; the engine gives ids */
    bool folds_all;   /* upkeep folds all small files, whether it is due or not */
    atomic_bool stop;
    atomic_size_t n_failed, most_files, n_searches;
    int64_t *search_ns;
    size_t max_searches;
} world;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

/* name: of the table, for who keeps it. */
static world *make_world(const char *name)
{
    pn_error err = {0};
    pn_schema full;
    world *w = pn_alloc_zero(sizeof *w);
    assert_non_null(w);
    const char *keep = pn_environment("PN_SMALL_WRITES_KEEP");
    pn_arena_init(&w->arena, SIZE_MAX);
    check(pn_image_schema_make(DIM, "test", "test model", "none", &w->arena, &full, &err), &err);
    full.n_fields = 3; /* id, vector, path */
    w->schema = (pn_schema){.fields = full.fields + 1, .n_fields = 2};
    check(pn_dir_make_temporary("pennon-small", &w->arena, &w->folder, &err), &err);
    w->path = pn_arena_printf(&w->arena, "%s/%s.lance", keep ? keep : w->folder, name);
    assert_non_null(w->path);
    w->max_searches = 1000000;
    w->search_ns = pn_alloc_array(w->max_searches, sizeof *w->search_ns);
    assert_non_null(w->search_ns);
    check(pn_local_engine_create(w->path, &full, NULL, &w->engine, &err), &err);
    return w;
}

static void free_world(world *w)
{
    pn_error err = {0};
    pn_engine_free(w->engine);
    check(pn_dir_remove_all(w->folder, &err), &err);
    pn_free(w->search_ns);
    pn_arena_reset(&w->arena);
    pn_free(w);
}

/* The vector of row i is a direction of its own. */
static void make_vector(size_t i, float *out)
{
    pn_rng rng = pn_rng_seed(i);
    for (size_t d = 0; d < DIM; d++)
        out[d] = (float)pn_rng_below(&rng, 2001) / 1000 - 1;
    pn_kernels_get()->normalise_f32(out, DIM);
}

/* Rows [first, first + n) at once; the path is the number. */
static pn_status insert_rows(world *w, size_t first, size_t n, int64_t *id, pn_error *err)
{
    pn_builder *builders[2] = {NULL, NULL};
    pn_array arrays[2];
    pn_status status = PN_OK;
    for (size_t c = 0; c < 2; c++)
        PN_GOTO(done, pn_builder_create(&w->schema.fields[c], 1 << 20, &builders[c], err));
    for (size_t i = first; i < first + n; i++) {
        float vector[DIM];
        char text[32];
        make_vector(i, vector);
        (void)snprintf(text, sizeof text, "%zu", i);
        PN_GOTO(done, pn_builder_append_floats(builders[0], vector, DIM, err));
        PN_GOTO(done, pn_builder_append_bytes(builders[1], text, strlen(text), err));
    }
    for (size_t c = 0; c < 2; c++)
        PN_GOTO(done, pn_builder_view(builders[c], &arrays[c], err));
    const pn_batch batch = {.schema = &w->schema, .columns = arrays, .n_rows = n};
    status = w->engine->insert(w->engine->self, &batch, id, err);
done:
    for (size_t c = 0; c < 2; c++)
        pn_builder_free(builders[c]);
    return status;
}

static pn_status insert(world *w, size_t i, int64_t *id, pn_error *err)
{
    return insert_rows(w, i, 1, id, err);
}

static pn_engine_info info_of(world *w)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_info info;
    check(w->engine->pin_newest(w->engine->self, &snapshot, &err), &err);
    w->engine->info(w->engine->self, snapshot, &info);
    w->engine->unpin(w->engine->self, snapshot);
    return info;
}

/* ---- every row once ---- */

typedef struct seen {
    bool *paths, *ids;
    size_t n;
} seen;

static pn_status see(void *context, const pn_batch *batch, const pn_row_addr *addrs, pn_error *err)
{
    seen *s = context;
    (void)addrs;
    (void)err;
    for (size_t i = 0; i < batch->n_rows; i++) {
        pn_str path = pn_array_bytes(&batch->columns[1], i);
        uint64_t row, id = (uint64_t)pn_array_i64(&batch->columns[0], i);
        assert_true(pn_str_to_u64(path, &row) && row < s->n && id < s->n);
        assert_false(s->paths[row] || s->ids[id]);
        s->paths[row] = s->ids[id] = true;
    }
    return PN_OK;
}

static void check_all_there(world *w, size_t n)
{
    static const char *const columns[] = {PN_COLUMN_ID, PN_COLUMN_IMAGE_PATH};
    pn_error err = {0};
    pn_snapshot *snapshot;
    seen s = {pn_alloc_zero(n + 1), pn_alloc_zero(n + 1), n};
    check(w->engine->pin_newest(w->engine->self, &snapshot, &err), &err);
    check(w->engine->scan(w->engine->self, snapshot, columns, 2, NULL, see, &s, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    for (size_t i = 0; i < n; i++)
        assert_true(s.paths[i] && s.ids[i]);
    pn_free(s.paths);
    pn_free(s.ids);
}

/* ---- who else is there ---- */

static void upkeep_main(void *context)
{
    world *w = context;
    pn_engine_upkeep_options options = PN_ENGINE_UPKEEP_OPTIONS_INIT;
    options.all = w->folds_all;
    pn_process_be_patient();
    while (!atomic_load(&w->stop)) {
        pn_error err = {0};
        pn_engine_upkeep_report report;
        pn_engine_index_report built;
        const pn_engine_index_options as_due = {.cancel = &w->stop};
        pn_status status = w->engine->upkeep(w->engine->self, &options, &report, &err);
        if (status == PN_OK)
            status = w->engine->index_build(w->engine->self, &as_due, &built, &err);
        bool other_builds = w->folds_all && status == PN_ERR_CONFLICT; // the other process
        if (status != PN_OK && status != PN_ERR_CANCELLED && !other_builds) {
            print_error("upkeep: %s\n", err.message);
            atomic_fetch_add(&w->n_failed, 1);
        }
        pn_clock_sleep_ms(w->folds_all ? 20 : 200);
    }
}

static void search_once(world *w, size_t i)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_info info;
    pn_engine_search_stats stats;
    pn_candidate found[5];
    pn_topk topk;
    float query[DIM];
    int64_t start = pn_clock_monotonic_ns();
    make_vector(i, query);
    const pn_engine_search asked = {.query = query, .k = 5};
    pn_topk_init(&topk, found, 5);
    pn_status status = w->engine->pin(w->engine->self, &snapshot, &err);
    if (status == PN_OK) {
        w->engine->info(w->engine->self, snapshot, &info);
        if (info.n_fragments > atomic_load(&w->most_files))
            atomic_store(&w->most_files, info.n_fragments); // one thread does
        status = w->engine->search(w->engine->self, snapshot, &asked, &topk, &stats, &err);
        w->engine->unpin(w->engine->self, snapshot);
    }
    bool wrong = status != PN_OK || topk.n != PN_MIN((uint64_t)5, info.n_rows);
    if (wrong)
        print_error("search: %s\n", err.message);
    atomic_fetch_add(&w->n_failed, wrong);
    size_t n = atomic_load(&w->n_searches);
    w->search_ns[n % w->max_searches] = pn_clock_monotonic_ns() - start;
    atomic_store(&w->n_searches, n + 1);
}

static void search_main(void *context)
{
    world *w = context;
    for (size_t i = 0; !atomic_load(&w->stop); i++) {
        search_once(w, i);
        pn_clock_sleep_ms(5);
    }
}

static int by_value(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* The last row that was inserted is found. */
static void check_newest(world *w, size_t i)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_candidate found[1];
    pn_topk topk;
    pn_engine_search_stats stats;
    float query[DIM];
    make_vector(i, query);
    const pn_engine_search asked = {.query = query, .k = 1};
    pn_topk_init(&topk, found, 1);
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    check(w->engine->search(w->engine->self, snapshot, &asked, &topk, &stats, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    assert_int_equal(topk.n, 1);
    assert_true(found[0].distance < 1e-5f);
}

/* Upkeep, and somebody who searches all the time. */
typedef struct crew {
    world *w;
    pn_thread *upkeep, *searcher;
} crew;

static crew start_crew(world *w)
{
    pn_error err = {0};
    crew c = {.w = w};
    check(pn_thread_start(upkeep_main, w, "upkeep", &c.upkeep, &err), &err);
    check(pn_thread_start(search_main, w, "search", &c.searcher, &err), &err);
    return c;
}

static void end_crew(crew *c, size_t n, int64_t start)
{
    world *w = c->w;
    double seconds = (double)(pn_clock_monotonic_ns() - start) * 1e-9;
    atomic_store(&w->stop, true);
    pn_thread_join(c->upkeep);
    pn_thread_join(c->searcher);
    assert_int_equal(atomic_load(&w->n_failed), 0);
    assert_true(atomic_load(&w->most_files) < MAX_FILES);
    check_all_there(w, n);
    pn_engine_upkeep_totals totals;
    w->engine->upkeep_totals(w->engine->self, &totals);
    if (totals.n_failures > 0)
        fail_msg("%" PRIu64 " failures of upkeep: %s", totals.n_failures,
                 totals.last_error.message);
    assert_true(totals.n_folds > 0);
    size_t n_searches = PN_MIN(atomic_load(&w->n_searches), w->max_searches);
    qsort(w->search_ns, n_searches, sizeof *w->search_ns, by_value);
    print_message("%zu rows in %.1f s, %.0f a second; %zu files at most, %" PRIu64 " now, %" PRIu64
                  " folds, %" PRIu64 " versions gone; %zu searches, median %.2f ms, p99 %.2f ms\n",
                  n, seconds, (double)n / seconds, atomic_load(&w->most_files),
                  info_of(w).n_fragments, totals.n_folds, totals.n_versions_removed, n_searches,
                  (double)w->search_ns[n_searches / 2] * 1e-6,
                  (double)w->search_ns[n_searches * 99 / 100] * 1e-6);
}

static void rows_one_by_one__leave_few_files(void **state)
{
    size_t n = (size_t)how_many("PN_SMALL_WRITES", 2000);
    world *w = make_world("one_by_one");
    pn_error err = {0};
    crew c = start_crew(w);
    (void)state;
    int64_t start = pn_clock_monotonic_ns(), told = start;
    for (size_t i = 0; i < n; i++) {
        int64_t id;
        check(insert(w, i, &id, &err), &err);
        assert_int_equal(id, i);
        if (i % 97 == 0)
            check_newest(w, i);
        pn_engine_info info = info_of(w);
        assert_int_equal(info.n_rows, i + 1);
        assert_true(info.n_fragments < MAX_FILES);
        if (pn_clock_monotonic_ns() - told > INT64_C(60000000000)) {
            told = pn_clock_monotonic_ns();
            print_message("%zu rows, %" PRIu64 " files, version %" PRIu64 ", %.0f a second\n",
                          i + 1, info.n_fragments, info.version,
                          (double)i / (double)(told - start) * 1e9);
        }
    }
    end_crew(&c, n, start);
    free_world(w);
}

/* ---- a crowd ---- */

/* Fragments of a thousand rows and more are left to the upkeep while they are few, and folded by who inserts when they are not. */
static void a_crowd_of_larger_files__is_folded_by_an_insert(void **state)
{
    enum { AT_ONCE = 1100 };
    world *w = make_world("crowd");
    pn_error err = {0};
    int64_t id;
    size_t n = 0;
    (void)state;
    for (size_t i = 1; i <= PN_SWEEP_CROWD; i++, n += AT_ONCE) {
        check(insert_rows(w, n, AT_ONCE, &id, &err), &err);
        assert_int_equal(id, n);
        assert_int_equal(info_of(w).n_fragments, i);
    }
    check(insert_rows(w, n, AT_ONCE, &id, &err), &err);
    assert_true(info_of(w).n_fragments < PN_SWEEP_CROWD / 2);
    check_all_there(w, n + AT_ONCE);
    free_world(w);
}

/* But an insert does not fold a whole table, however many files others made of it: the upkeep does. */
static void a_crowd_too_large_to_wait_for__is_left_to_the_upkeep(void **state)
{
    enum { AT_ONCE = 1100, FILES = 2 * PN_SWEEP_CROWD + 5 };
    world *w = make_world("large crowd");
    pn_error err = {0};
    pn_engine_upkeep_report report;
    pn_engine_upkeep_options options = PN_ENGINE_UPKEEP_OPTIONS_INIT;
    int64_t id;
    size_t n = 0;
    (void)state;
    pn_local_engine_set_compaction(w->engine, 0);
    for (size_t i = 0; i < FILES; i++, n += AT_ONCE)
        check(insert_rows(w, n, AT_ONCE, &id, &err), &err);
    pn_local_engine_set_compaction(w->engine, 1 << 20); /* an eighth of what they have */
    check(insert(w, n, &id, &err), &err);
    assert_int_equal(info_of(w).n_fragments, FILES + 1);
    check(w->engine->upkeep(w->engine->self, &options, &report, &err), &err);
    assert_true(info_of(w).n_fragments < PN_SWEEP_CROWD);
    check_all_there(w, n + 1);
    free_world(w);
}

/* ---- together ---- */

typedef struct writer {
    world *w;
    size_t first, n;
    pn_error err;
    pn_status status;
} writer;

static void writer_main(void *context)
{
    writer *x = context;
    for (size_t i = x->first; i < x->first + x->n && x->status == PN_OK; i++) {
        int64_t id;
        x->status = insert(x->w, i, &id, &x->err);
    }
}

static void write_together(world *w, size_t n_writers, size_t n_each)
{
    pn_thread *threads[64];
    static writer writers[64];
    pn_error err = {0};
    for (size_t i = 0; i < n_writers; i++) {
        writers[i] = (writer){.w = w, .first = i * n_each, .n = n_each};
        check(pn_thread_start(writer_main, &writers[i], "writer", &threads[i], &err), &err);
    }
    for (size_t i = 0; i < n_writers; i++)
        pn_thread_join(threads[i]);
    for (size_t i = 0; i < n_writers; i++)
        check(writers[i].status, &writers[i].err);
}

static void inserts_at_once__share_a_commit(void **state)
{
    enum { EACH = 60 };
    world *w = make_world("shared");
    (void)state;
    write_together(w, WRITERS, EACH);
    check_all_there(w, (size_t)WRITERS * EACH);
    pn_engine_info info = info_of(w);
    print_message("%d inserts of %d threads: %" PRIu64 " versions\n", WRITERS * EACH, WRITERS,
                  info.version);
    assert_true(info.version < (uint64_t)WRITERS * EACH * 3 / 4);
    assert_true(info.n_fragments < MAX_FILES);
    free_world(w);
}

static void a_closed_engine__leaves_no_gap_in_the_ids(void **state)
{
    world *w = make_world("closed");
    pn_error err = {0};
    int64_t id;
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        if (i % 9 == 5) {
            pn_engine_free(w->engine);
            w->engine = NULL;
            check(pn_local_engine_open(w->path, NULL, &w->engine, &err), &err);
        }
        check(insert(w, i, &id, &err), &err);
        assert_int_equal(id, i);
    }
    check_all_there(w, 40);
    free_world(w);
}

/* Rows i = 100, 101, ... of another table of that name. */
static void make_anew(world *w, size_t n)
{
    pn_error err = {0};
    pn_schema full;
    int64_t id = -1;
    world other = {.schema = w->schema};
    check(pn_dir_remove_all(w->path, &err), &err);
    check(pn_image_schema_make(DIM, "test", "test model", "none", &w->arena, &full, &err), &err);
    full.n_fields = 3;
    check(pn_local_engine_create(w->path, &full, NULL, &other.engine, &err), &err);
    for (size_t i = 0; i < n; i++) {
        check(insert(&other, 100 + i, &id, &err), &err);
        assert_int_equal(id, i);
    }
    pn_engine_free(other.engine);
}

static void expect_nearest(world *w, size_t i, int64_t id)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_candidate heap[1];
    pn_topk topk;
    pn_row_addr addr;
    pn_engine_search_stats stats;
    float query[DIM];
    make_vector(i, query);
    const pn_engine_search search = {.query = query, .k = 1, .exact = true};
    pn_topk_init(&topk, heap, 1);
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    check(w->engine->search(w->engine->self, snapshot, &search, &topk, &stats, &err), &err);
    check(w->engine->find_id(w->engine->self, snapshot, id, &addr, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    assert_true(topk.n == 1 && heap[0].id == addr && fabsf(heap[0].distance) < 1e-5f);
}

/* A table is removed and made anew while an engine has it open: the engine finds the new rows, gives ids that follow theirs and not those
 * that it had put aside, and brings nothing of the old table back. */
static void a_table_in_the_place_of_another__is_what_counts(void **state)
{
    world *w = make_world("anew");
    pn_error err = {0};
    int64_t id = -1;
    (void)state;
    for (size_t round = 0; round < 3; round++) { // fewer rows than the old one had, and more
        const size_t n = round == 1 ? 60 : 7;
        for (size_t i = 0; i < 20; i++)
            check(insert(w, i, &id, &err), &err);
        make_anew(w, n);
        expect_nearest(w, 101, 1);
        assert_int_equal(info_of(w).n_rows, n);
        check(insert(w, 50, &id, &err), &err);
        assert_int_equal(id, n);
        expect_nearest(w, 50, (int64_t)n);
        expect_nearest(w, 100, 0);
        assert_int_equal(info_of(w).n_rows, n + 1);
    }
    /* Without a look in between. */
    make_anew(w, 3);
    check(insert(w, 51, &id, &err), &err);
    assert_int_equal(id, 3);
    expect_nearest(w, 51, 3);
    free_world(w);
}

static void rows_of_many_threads__leave_few_files(void **state)
{
    enum { THREADS = 32 };
    size_t n = (size_t)how_many("PN_SMALL_WRITES_TOGETHER", 3200) / THREADS * THREADS;
    world *w = make_world("many_threads");
    (void)state;
    int64_t start = pn_clock_monotonic_ns();
    crew c = start_crew(w);
    write_together(w, THREADS, n / THREADS);
    end_crew(&c, n, start);
    free_world(w);
}

/* ---- two processes ---- */

typedef struct given {
    int64_t *ids; /* in any order: what a process put aside and did not need is a gap */
    bool *paths;
    size_t n, most;
} given;

static pn_status take_given(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                            pn_error *err)
{
    given *g = context;
    (void)addrs;
    (void)err;
    for (size_t i = 0; i < batch->n_rows; i++) {
        uint64_t row;
        assert_true(g->n < g->most);
        assert_true(pn_str_to_u64(pn_array_bytes(&batch->columns[1], i), &row) && row < g->most);
        if (g->paths[row])
            fail_msg("row %d is there twice", (int)row);
        g->paths[row] = true;
        g->ids[g->n++] = pn_array_i64(&batch->columns[0], i);
    }
    return PN_OK;
}

/* Rows [0, n), each once, and no id twice. */
static void check_given(world *w, size_t n)
{
    static const char *const columns[] = {PN_COLUMN_ID, PN_COLUMN_IMAGE_PATH};
    pn_error err = {0};
    pn_snapshot *snapshot;
    given g = {pn_alloc_array(n, sizeof *g.ids), pn_alloc_zero(n), 0, n};
    assert_true(g.ids && g.paths);
    check(w->engine->pin_newest(w->engine->self, &snapshot, &err), &err);
    check(w->engine->scan(w->engine->self, snapshot, columns, 2, NULL, take_given, &g, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    assert_int_equal(g.n, n);
    qsort(g.ids, n, sizeof *g.ids, compare_ids);
    for (size_t i = 1; i < n; i++)
        if (g.ids[i] == g.ids[i - 1])
            fail_msg("the id %" PRId64 " was given twice", g.ids[i]);
    pn_free(g.ids);
    pn_free(g.paths);
}

/* Rows [first, first + n) from two threads, while a third folds. 0: all were acknowledged, and upkeep found nothing to complain of. */
static int write_and_keep(world *w, size_t first, size_t n)
{
    pn_error err = {0};
    pn_thread *upkeep, *other;
    pn_engine_upkeep_totals totals;
    if (pn_local_engine_open(w->path, NULL, &w->engine, &err) != PN_OK)
        return 2;
    w->folds_all = true;
    writer writers[2] = {{.w = w, .first = first, .n = n / 2},
                         {.w = w, .first = first + n / 2, .n = n - n / 2}};
    if (pn_thread_start(upkeep_main, w, "upkeep", &upkeep, &err) != PN_OK ||
        pn_thread_start(writer_main, &writers[0], "writer", &other, &err) != PN_OK)
        return 2;
    writer_main(&writers[1]);
    pn_thread_join(other);
    atomic_store(&w->stop, true);
    pn_thread_join(upkeep);
    w->engine->upkeep_totals(w->engine->self, &totals);
    for (size_t i = 0; i < 2; i++)
        if (writers[i].status != PN_OK)
            print_error("insert: %s\n", writers[i].err.message);
    if (totals.n_failures > 0)
        print_error("upkeep: %s\n", totals.last_error.message);
    print_message("%zu rows: %" PRIu64 " folds of %" PRIu64 " files\n", n, totals.n_folds,
                  totals.n_folded);
    pn_engine_free(w->engine);
    bool good = writers[0].status == PN_OK && writers[1].status == PN_OK;
    return good && totals.n_failures == 0 && atomic_load(&w->n_failed) == 0 && totals.n_folds > 0
               ? 0
               : 1;
}

static void two_processes_with_upkeep__lose_nothing(void **state)
{
    size_t n = (size_t)how_many("PN_SMALL_WRITES_PROCESSES", 400) / 2;
    world *w = make_world("two_processes");
    pid_t children[2];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            int code = write_and_keep(w, i * n, n);
            (void)fflush(NULL);
            _exit(code);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        int code;
        assert_int_equal(waitpid(children[i], &code, 0), children[i]);
        assert_true(WIFEXITED(code));
        assert_int_equal(WEXITSTATUS(code), 0);
    }
    check_given(w, 2 * n);
    pn_engine_info info = info_of(w);
    print_message("two processes: %zu rows, version %" PRIu64 ", %" PRIu64 " files\n", 2 * n,
                  info.version, info.n_fragments);
    assert_true(info.n_fragments < MAX_FILES);
    free_world(w);
}

/* How many a second, by threads: for docs/SPEED.md. */
static void inserts_a_second__are_told(void **state)
{
    static const size_t threads[] = {1, 8, 32};
    (void)state;
    if (!pn_environment("PN_SMALL_WRITES_SPEED"))
        skip();
    for (size_t t = 0; t < PN_COUNT_OF(threads); t++) {
        world *w = make_world("speed");
        size_t each = 4000 / threads[t] / (threads[t] == 1 ? 4 : 1);
        int64_t start = pn_clock_monotonic_ns();
        write_together(w, threads[t], each);
        double seconds = (double)(pn_clock_monotonic_ns() - start) * 1e-9;
        print_message("%zu threads: %.0f rows a second, %" PRIu64 " versions for %zu rows\n",
                      threads[t], (double)(each * threads[t]) / seconds, info_of(w).version,
                      each * threads[t]);
        free_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_processes_with_upkeep__lose_nothing), // first: it forks
        cmocka_unit_test(a_closed_engine__leaves_no_gap_in_the_ids),
        cmocka_unit_test(a_table_in_the_place_of_another__is_what_counts),
        cmocka_unit_test(inserts_at_once__share_a_commit),
        cmocka_unit_test(rows_one_by_one__leave_few_files),
        cmocka_unit_test(a_crowd_of_larger_files__is_folded_by_an_insert),
        cmocka_unit_test(a_crowd_too_large_to_wait_for__is_left_to_the_upkeep),
        cmocka_unit_test(rows_of_many_threads__leave_few_files),
        cmocka_unit_test(inserts_a_second__are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

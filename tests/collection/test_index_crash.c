/*
 * test_index_crash.c - the power goes at every call that changes the disk while indexes are built, replaced, followed and dropped
 *
 * As tests/dataset/test_crash.c, for what lies beside the table. An index changes no row, so the table is always the same one; after each
 * death, or error, it is opened anew: no index is damaged, each row is covered as before the operation or as after it, exact answers are
 * right and the others nearly so, the operation can be done again, and a build of everything leaves one index and no half a file.
 *
 * An index is written in a hundred pieces, and dying in one is much like dying in the next: of the writes every
 * PN_INDEX_CRASH_STEP-th (9) is tried, of all other calls each. 1: all.
 */
#include "collection/local_engine.h"
#include "support/how_many.h"
#include "support/living_table.h"
#include "support/scratch_folder.h"
#include "support/small_table.h"
#include "support/table_sight.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "dataset/cleanup.h"
#include "kernels/kernels.h"
#include "os/dir.h"
#include "os/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants some of the above first */
#include <cmocka.h>

enum { MAX_CALLS = 2000, TEXTS = 12, K = 10, QUERIES = 12, STEP = 9, FINISHED = 4 };

typedef struct world {
    scratch_folder *s;
    char *table, *from; /* what is worked on, and what it is a copy of */
    living_model model; /* of both */
    size_t n_inspected;
} world;

typedef struct operation {
    const char *name;
    void (*prepare)(world *w);
    pn_status (*run)(const char *table, pn_engine *engine, pn_error *err);
    bool in_steps; /* what is covered goes little by little */
} operation;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

/* ---- operations ---- */

static pn_status build(pn_engine *engine, pn_engine_index_options options, pn_error *err)
{
    pn_engine_index_report report;
    options.is_wanted = true;
    return engine->index_build(engine->self, &options, &report, err);
}

static pn_status run_build(const char *table, pn_engine *engine, pn_error *err)
{
    float texts[TEXTS * LIVING_DIM];
    pn_rng rng = pn_rng_seed(4);
    (void)table;
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++)
        texts[i] = (float)pn_rng_normal(&rng);
    for (size_t i = 0; i < TEXTS; i++)
        pn_kernels_get()->normalise_f32(texts + i * LIVING_DIM, LIVING_DIM);
    return build(engine, (pn_engine_index_options){.texts = texts, .n_texts = TEXTS}, err);
}

static pn_status run_keep_up(const char *table, pn_engine *engine, pn_error *err)
{
    (void)table;
    return build(engine, (pn_engine_index_options){0}, err);
}

static pn_status run_build_all(const char *table, pn_engine *engine, pn_error *err)
{
    (void)table;
    return build(engine, (pn_engine_index_options){.all = true}, err);
}

static pn_status run_drop(const char *table, pn_engine *engine, pn_error *err)
{
    size_t n;
    (void)table;
    return engine->index_drop(engine->self, &n, err);
}

static pn_status run_fold(const char *table, pn_engine *engine, pn_error *err)
{
    const pn_engine_upkeep_options all = {.all = true, .retention_ms = -1};
    pn_engine_upkeep_report report;
    (void)table;
    return engine->upkeep(engine->self, &all, &report, err);
}

static pn_status run_clean_up(const char *table, pn_engine *engine, pn_error *err)
{
    const pn_cleanup_options all = {.older_than_ms = 0, .orphan_ms = 0};
    pn_cleanup_report report;
    (void)engine;
    return pn_dataset_cleanup(table, &all, &report, err);
}

/* ---- what they begin with ---- */

static pn_engine *open_table(const char *table)
{
    pn_error err = {0};
    pn_engine *engine;
    check(pn_local_engine_open(table, NULL, &engine, &err), &err);
    return engine;
}

static void with_engine(world *w, pn_status (*run)(const char *, pn_engine *, pn_error *))
{
    pn_error err = {0};
    pn_engine *engine = open_table(w->from);
    check(run(w->from, engine, &err), &err);
    pn_engine_free(engine);
}

/* The model's steps: rows that come and rows that go. */
static void step(world *w, living_kind kind, size_t n)
{
    pn_error err = {0};
    int64_t first_id;
    const living_step step = {.kind = kind, .seed = n + 5, .n = n};
    pn_engine *engine = open_table(w->from);
    check(living_do(w->from, engine, &w->model, &step, &first_id, &err), &err);
    living_foresee(&w->model, &step);
    pn_engine_free(engine);
}

/* 1200 rows without an index. */
static void prepare_rows(world *w)
{
    pn_error err = {0};
    check(pn_dir_remove_all(w->from, &err), &err);
    living_create(w->from, &w->model);
}

/* An index most of whose rows are gone, and 900 rows that have none. */
static void prepare_old_index(world *w)
{
    prepare_rows(w);
    with_engine(w, run_build);
    for (size_t n = 2; n <= 3; n++)
        step(w, LIVING_DELETE, n);
    step(w, LIVING_APPEND, 900);
}

static char *index_folder(const world *w, const char *table)
{
    return pn_arena_printf(&w->s->arena, "%s/_pennon/index", table);
}

static pn_status copy_index(void *context, const char *path, pn_error *err)
{
    char to[1100];
    pn_buffer bytes;
    const char *aside = context;
    if (!pn_str_ends_with(pn_str_of(path), ".idx"))
        return PN_OK;
    (void)snprintf(to, sizeof to, "%s/%s", aside, strrchr(path, '/') + 1); // fits
    pn_buffer_init(&bytes, SIZE_MAX);
    pn_status status = pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = pn_file_write_atomic(to, bytes.data, bytes.n_bytes, err);
    pn_buffer_reset(&bytes);
    return status;
}

/* Two indexes: that of a build which died before the one it replaces went away. And half of a third. */
static void prepare_two_indexes(world *w)
{
    pn_error err = {0};
    char *aside = scratch_path(w->s, "aside"), *folder = index_folder(w, w->from);
    prepare_old_index(w);
    check(pn_dir_remove_all(aside, &err), &err);
    check(pn_dir_make(aside, &err), &err);
    check(pn_dir_walk(folder, copy_index, aside, &err), &err);
    with_engine(w, run_build_all);
    check(pn_dir_walk(aside, copy_index, folder, &err), &err);
    check(pn_file_write_atomic(pn_path_join(&w->s->arena, folder, "x.idx.1.part"), "half", 4, &err),
          &err);
}

/* An index over some small files, and rows of them deleted since. */
static void prepare_small_files(world *w)
{
    prepare_rows(w);
    for (size_t i = 0; i < 3; i++)
        step(w, LIVING_APPEND, 100);
    with_engine(w, run_build);
    step(w, LIVING_DELETE, 20);
}

static const operation operations[] = {
    {"the first index", prepare_rows, run_build, false},
    {"an index in the place of another", prepare_old_index, run_keep_up, false},
    {"one index of all", prepare_two_indexes, run_build_all, false},
    {"no index", prepare_two_indexes, run_drop, true},
    {"files folded under an index", prepare_small_files, run_fold, false},
    {"a clean-up", prepare_two_indexes, run_clean_up, false},
};

/* ---- what there is ---- */

typedef struct sight {
    uint64_t n_covered;
    size_t n_indexes, n_texts;
} sight;

static sight see(pn_engine *engine, const char *what)
{
    pn_error err = {0};
    pn_arena arena;
    pn_snapshot *snapshot;
    pn_engine_info info;
    pn_engine_index_status found;
    pn_arena_init(&arena, SIZE_MAX);
    check(engine->pin_newest(engine->self, &snapshot, &err), &err);
    engine->info(engine->self, snapshot, &info);
    check(engine->index_status(engine->self, snapshot, &arena, &found, &err), &err);
    if (found.n_damaged > 0)
        fail_msg("%s: %s", what, found.damage);
    assert_int_equal(found.n_covered + found.n_uncovered, info.n_rows);
    check(engine->index_check(engine->self, &err), &err);
    sight seen = {found.n_covered, found.n_indexes, found.n_texts};
    engine->unpin(engine->self, snapshot);
    pn_arena_reset(&arena);
    return seen;
}

static void search(pn_engine *engine, pn_snapshot *snapshot, const float *query, bool exact,
                   pn_candidate *found)
{
    pn_error err = {0};
    pn_topk topk;
    pn_engine_search_stats stats;
    const pn_engine_search asked = {.query = query, .k = K, .exact = exact};
    pn_topk_init(&topk, found, K);
    check(engine->search(engine->self, snapshot, &asked, &topk, &stats, &err), &err);
    assert_int_equal(topk.n, K);
    pn_topk_sort(&topk);
}

/* Of the nearest, how many are found? */
static void check_recall(pn_engine *engine, const char *what)
{
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(8);
    pn_snapshot *snapshot;
    size_t n_found = 0;
    check(engine->pin_newest(engine->self, &snapshot, &err), &err);
    for (size_t q = 0; q < QUERIES; q++) {
        float query[LIVING_DIM];
        pn_candidate exact[K], quick[K];
        for (size_t d = 0; d < LIVING_DIM; d++)
            query[d] = (float)pn_rng_normal(&rng);
        pn_kernels_get()->normalise_f32(query, LIVING_DIM);
        search(engine, snapshot, query, true, exact);
        search(engine, snapshot, query, false, quick);
        for (size_t i = 0; i < K; i++)
            n_found += quick[i].distance <= exact[K - 1].distance;
    }
    engine->unpin(engine->self, snapshot);
    if (n_found < (size_t)QUERIES * K * 8 / 10)
        fail_msg("%s: of %d neighbours %zu are found", what, QUERIES * K, n_found);
}

typedef struct expectation {
    sight before, after;
    int64_t calls[MAX_CALLS]; /* which to die at */
    size_t n_calls, n_all;
    size_t step;
} expectation;

static void choose_call(void *context, const char *what, const char *path)
{
    expectation *e = context;
    (void)path;
    e->n_all++;
    assert_true(e->n_all < MAX_CALLS);
    if (strcmp(what, "write") != 0 || e->n_all % e->step == 0)
        e->calls[e->n_calls++] = (int64_t)e->n_all;
}

static void take_copy(const world *w)
{
    pn_error err = {0};
    check(pn_dir_remove_all(w->table, &err), &err);
    small_table_copy_folder(w->from, w->table);
}

static void learn(world *w, const operation *op, expectation *e)
{
    pn_error err = {0};
    *e = (expectation){.step = (size_t)how_many("PN_INDEX_CRASH_STEP", STEP)};
    assert_true(e->step > 0);
    op->prepare(w);
    take_copy(w);
    pn_engine *engine = open_table(w->table);
    e->before = see(engine, op->name);
    pn_fd_watch(choose_call, e);
    pn_status status = op->run(w->table, engine, &err);
    pn_fd_watch(NULL, NULL);
    check(status, &err);
    e->after = see(engine, op->name);
    pn_engine_free(engine);
    e->calls[e->n_calls++] = (int64_t)e->n_all + 1; // it gets through
}

static bool is_between(const operation *op, const expectation *e, const sight *now)
{
    if (op->in_steps)
        return now->n_covered <= e->before.n_covered && now->n_indexes <= e->before.n_indexes;
    /* The old index and the new one may both be there. */
    return (now->n_covered == e->before.n_covered || now->n_covered == e->after.n_covered) &&
           now->n_indexes <= e->before.n_indexes + 1 &&
           (now->n_texts == e->before.n_texts || now->n_texts == e->after.n_texts);
}

static pn_status count_file(void *context, const char *path, pn_error *err)
{
    size_t *n = context;
    (void)err;
    if (strstr(path, ".tmp") || strstr(path, ".part"))
        fail_msg("%s is left behind", path);
    *n += pn_str_ends_with(pn_str_of(path), ".idx");
    return PN_OK;
}

/* Whatever was left: one index of all, and nothing that is half a file. */
static void finish(world *w, const operation *op)
{
    pn_error err = {0};
    size_t n_files = 0;
    pn_engine *engine = open_table(w->table);
    check(run_build_all(w->table, engine, &err), &err);
    sight now = see(engine, op->name);
    assert_int_equal(now.n_indexes, 1);
    check_recall(engine, op->name);
    pn_engine_free(engine);
    table_clean_up(w->table, -1, op->name);
    check(pn_dir_walk(index_folder(w, w->table), count_file, &n_files, &err), &err);
    assert_int_equal(n_files, 1);
    assert_true(living_is(w->table, &w->model));
}

/* Stopped somewhere, or done. */
static void inspect(world *w, const operation *op, const expectation *e, bool reported)
{
    pn_error err = {0};
    assert_true(living_is(w->table, &w->model));
    pn_engine *engine = open_table(w->table);
    sight now = see(engine, op->name);
    if (!is_between(op, e, &now))
        fail_msg("%s: %zu indexes cover %" PRIu64 " rows", op->name, now.n_indexes, now.n_covered);
    if (reported && (now.n_covered != e->after.n_covered || now.n_indexes != e->after.n_indexes))
        fail_msg("%s: it was reported, and is not there", op->name);
    living_check_searches(engine, &w->model, now.n_covered);
    check_recall(engine, op->name);
    check(op->run(w->table, engine, &err), &err);
    now = see(engine, op->name);
    assert_int_equal(now.n_covered, e->after.n_covered);
    check_recall(engine, op->name);
    pn_engine_free(engine);
    if (w->n_inspected++ % FINISHED == 0 || reported)
        finish(w, op);
}

/* ---- deaths and errors ---- */

/* In a child that ends at the n-th call; of writes that come in pieces it may be between two. True when it got through. */
static bool die_at(const world *w, const operation *op, int64_t n, size_t most_bytes)
{
    pid_t child = fork();
    if (child == 0) {
        pn_error err = {0};
        pn_engine *engine = open_table(w->table);
        pn_fd_fault_short(most_bytes);
        pn_fd_fault_after(n, 0);
        pn_status status = op->run(w->table, engine, &err);
        pn_fd_fault_after(0, 0);
        _exit(status == PN_OK ? 0 : 1);
    }
    int code = 0;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_true(WEXITSTATUS(code) == 0 || WEXITSTATUS(code) == 9);
    return WEXITSTATUS(code) == 0;
}

static void set_up(world *w, void **state)
{
    *w = (world){.s = *state};
    w->table = scratch_path(w->s, "t.lance");
    w->from = scratch_path(w->s, "from.lance");
}

static void death_at_any_call__leaves_old_indexes_or_new_ones(void **state)
{
    static world w;
    static expectation e;
    set_up(&w, state);
    for (size_t i = 0; i < PN_COUNT_OF(operations); i++) {
        const operation *op = &operations[i];
        bool done = false;
        learn(&w, op, &e);
        for (size_t c = 0; c < e.n_calls; c++) {
            take_copy(&w);
            done = die_at(&w, op, e.calls[c], 0);
            inspect(&w, op, &e, done);
        }
        assert_true(done);
        print_message("  %s: %zu deaths at %zu calls\n", op->name, e.n_calls - 1, e.n_all);
    }
}

/* The same where each write is cut into pieces, so that files are of every length. */
static void death_within_a_write__leaves_old_indexes_or_new_ones(void **state)
{
    enum { PIECE = 1500 };
    static world w;
    static expectation e;
    pn_rng rng = pn_rng_seed(21);
    set_up(&w, state);
    for (size_t i = 0; i < PN_COUNT_OF(operations); i++) {
        const operation *op = &operations[i];
        size_t n = 0;
        bool done = false;
        learn(&w, op, &e);
        for (int64_t at = 1; !done; at += 1 + (int64_t)pn_rng_below(&rng, 2 * e.step - 1)) {
            assert_true(at < MAX_CALLS);
            take_copy(&w);
            done = die_at(&w, op, at, PIECE);
            n += !done;
            inspect(&w, op, &e, done);
        }
        print_message("  %s: %zu deaths\n", op->name, n);
    }
}

static void an_error_at_any_call__is_named_and_leaves_old_indexes_or_new_ones(void **state)
{
    static const int numbers[] = {EIO, ENOSPC};
    static world w;
    static expectation e;
    set_up(&w, state);
    for (size_t i = 0; i < PN_COUNT_OF(operations); i++) {
        const operation *op = &operations[i];
        size_t n_refused = 0;
        learn(&w, op, &e);
        for (size_t c = 0; c < e.n_calls; c++) {
            pn_error err = {0};
            take_copy(&w);
            pn_engine *engine = open_table(w.table);
            pn_fd_fault_after(e.calls[c], numbers[c % PN_COUNT_OF(numbers)]);
            pn_status status = op->run(w.table, engine, &err);
            pn_fd_fault_after(0, 0);
            (void)see(engine, op->name); // the engine goes on
            pn_engine_free(engine);
            if (status != PN_OK) {
                n_refused++;
                assert_int_equal(status, PN_ERR_IO);
                if (!strstr(err.message, w.table))
                    fail_msg("%s, call %d: %s", op->name, (int)e.calls[c], err.message);
            }
            inspect(&w, op, &e, false);
        }
        print_message("  %s: %zu of %zu errors refused\n", op->name, n_refused, e.n_calls - 1);
        assert_true(n_refused > 0);
    }
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(death_at_any_call__leaves_old_indexes_or_new_ones),
        TEST(death_within_a_write__leaves_old_indexes_or_new_ones),
        TEST(an_error_at_any_call__is_named_and_leaves_old_indexes_or_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

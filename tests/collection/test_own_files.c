/*
 * test_own_files.c - pennon's own files beside a table, with any bit flipped or cut at any byte
 *
 * next_id, folds.log and texts.bin are damaged in one place, as tests/api/test_damage.c damages the table's files. Then an id is one that
 * was never given, and answers are the same; or there is an error that names the file, and what it says to do helps. A power cut
 * while ids are given, at any call that changes the disk, gives none twice and damages nothing.
 *
 * PN_DAMAGES: of the longer files each byte is damaged (0), or each 7th.
 */
#include "collection/id_counter.h"
#include "collection/ids.h"
#include "collection/index_texts.h"
#include "collection/local_engine.h"
#include "support/golden.h"
#include "support/how_many.h"
#include "support/living_table.h"
#include "support/power_cut.h"
#include "support/scratch_folder.h"

#include "base/rng.h"
#include "dataset/cleanup.h"
#include "kernels/kernels.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants some of the above first */
#include <cmocka.h>

enum { TEXTS = 12, INSERTS = 10 };

typedef struct world {
    scratch_folder *s;
    char *table, *folder; /* of pennon's files */
    living_model model;
    uint64_t n_steps;
} world;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static void set_up(world *w, void **state, const char *name)
{
    *w = (world){.s = *state};
    w->table = scratch_path(w->s, name);
    w->folder = pn_path_join(&w->s->arena, w->table, "_pennon");
    living_create(w->table, &w->model);
}

static pn_engine *open_table(const world *w)
{
    pn_error err = {0};
    pn_engine *engine;
    check(pn_local_engine_open(w->table, NULL, &engine, &err), &err);
    return engine;
}

static pn_status do_step(world *w, living_kind kind, size_t n, int64_t *first_id, pn_error *err)
{
    const living_step step = {.kind = kind, .seed = ++w->n_steps, .n = n};
    pn_engine *engine = open_table(w);
    pn_status status = living_do(w->table, engine, &w->model, &step, first_id, err);
    pn_engine_free(engine);
    if (status == PN_OK)
        living_foresee(&w->model, &step);
    return status;
}

static int64_t step(world *w, living_kind kind, size_t n)
{
    pn_error err = {0};
    int64_t first_id;
    check(do_step(w, kind, n, &first_id, &err), &err);
    return first_id;
}

static void delete_where(const world *w, const char *filter)
{
    pn_error err = {0};
    pn_engine *engine = open_table(w);
    uint64_t n;
    check(engine->delete_where(engine->self, filter, &n, &err), &err);
    assert_true(n > 0);
    pn_engine_free(engine);
}

static void fold(const world *w)
{
    const pn_engine_upkeep_options all = {.all = true, .retention_ms = -1};
    pn_engine_upkeep_report report;
    pn_error err = {0};
    pn_engine *engine = open_table(w);
    check(engine->upkeep(engine->self, &all, &report, &err), &err);
    pn_engine_free(engine);
}

static void clean_up(const world *w)
{
    const pn_cleanup_options all = {.older_than_ms = 0, .orphan_ms = 0};
    pn_cleanup_report report;
    pn_error err = {0};
    check(pn_dataset_cleanup(w->table, &all, &report, &err), &err);
}

/* ---- one damage ---- */

typedef struct own_file {
    const char *path;
    uint8_t *bytes;
    size_t n;
} own_file;

static own_file take_file(const world *w, const char *name)
{
    own_file f = {.path = pn_path_join(&w->s->arena, w->folder, name)};
    f.bytes = golden_read_bytes(f.path, &f.n);
    assert_true(f.n > 0);
    return f;
}

static void flip(own_file *f, size_t at, unsigned bit)
{
    f->bytes[at] ^= (uint8_t)(1u << bit);
    golden_write_bytes(f->path, f->bytes, f->n);
    f->bytes[at] ^= (uint8_t)(1u << bit);
}

static void check_message(const own_file *f, const pn_error *err)
{
    if (!strstr(err->message, f->path) || !strstr(err->message, "remove it"))
        fail_msg("%s is damaged, and the error is: %s", f->path, err->message);
}

/* ---- ids ---- */

/* Rows with ids from 0 on that the engine gives and that go again; of the files that had them nothing is left. */
static void give_and_forget(world *w)
{
    for (int64_t i = 0; i < INSERTS; i++)
        assert_int_equal(step(w, LIVING_INSERT, 0), i);
    delete_where(w, "id >= 0");
    fold(w);
    clean_up(w);
}

static pn_status take_id(const world *w, int64_t *first, pn_error *err)
{
    const pn_ids_wanted one = {.n = 1, .above = -1, .were_given = true};
    pn_dataset *dataset;
    check(pn_dataset_open(w->table, 0, &dataset, err), err);
    pn_status status = pn_id_counter_take(w->folder, dataset, &one, first, err);
    pn_dataset_unref(dataset);
    return status;
}

static void a_damaged_counter__gives_no_id_twice(void **state)
{
    static world w;
    int64_t first;
    size_t n_refused = 0;
    set_up(&w, state, "t.lance");
    give_and_forget(&w);
    own_file f = take_file(&w, "next_id");
    for (size_t at = 0; at < f.n; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            pn_error err = {0};
            flip(&f, at, bit);
            check(take_id(&w, &first, &err), &err); // the other line is whole
            assert_int_equal(first, INSERTS);
        }
    for (size_t n = 0; n < f.n; n++) {
        pn_error err = {0};
        golden_write_bytes(f.path, f.bytes, n);
        first = -7;
        if (take_id(&w, &first, &err) == PN_OK) {
            assert_int_equal(first, INSERTS);
            continue;
        }
        check_message(&f, &err);
        assert_int_equal(first, -7);
        n_refused++;
    }
    assert_true(n_refused > f.n / 3 && n_refused < f.n * 2 / 3);
    golden_bytes_free(f.bytes);
}

/* Both lines, each in a place of its own. */
static void a_counter_damaged_twice__is_refused_by_inserts_until_it_is_removed(void **state)
{
    static world w;
    pn_error err = {0};
    int64_t first;
    set_up(&w, state, "t.lance");
    for (int64_t i = 0; i < INSERTS; i++)
        assert_int_equal(step(&w, LIVING_INSERT, 0), i);
    delete_where(&w, "id >= 3");
    own_file f = take_file(&w, "next_id");
    f.bytes[f.n / 2 + 5] ^= 1;
    flip(&f, 5, 1);
    assert_int_equal(do_step(&w, LIVING_INSERT, 0, &first, &err), PN_ERR_CORRUPT);
    check_message(&f, &err);
    assert_int_equal(remove(f.path), 0);
    assert_int_equal(step(&w, LIVING_INSERT, 0), INSERTS);
    golden_bytes_free(f.bytes);
}

/* Where the ids that were given can still be found: in deleted rows, and in older versions. */
static void a_lost_counter__is_made_again_from_all_versions(void **state)
{
    static const char *const bare[] = {NULL, "1 2\n", "999 1\n"}; // NULL: it is gone
    for (size_t i = 0; i < 2 * PN_COUNT_OF(bare); i++) {
        static world w;
        char name[32];
        (void)snprintf(name, sizeof name, "t%zu.lance", i);
        set_up(&w, state, name);
        for (int64_t id = 0; id < INSERTS; id++)
            assert_int_equal(step(&w, LIVING_INSERT, 0), id);
        delete_where(&w, "id > 3");
        if (i % 2 == 0)
            fold(&w); // the newest version has no trace of them
        else
            clean_up(&w); // the only version has them in files, as deleted rows
        own_file f = take_file(&w, "next_id");
        assert_int_equal(remove(f.path), 0);
        if (bare[i / 2])
            golden_write_bytes(f.path, bare[i / 2], strlen(bare[i / 2]));
        assert_int_equal(step(&w, LIVING_INSERT, 0), INSERTS);
        golden_bytes_free(f.bytes);
    }
}

/* What an older program wrote, and nothing in the table says better. */
static void a_bare_counter__is_believed_where_it_says_more(void **state)
{
    static world w;
    set_up(&w, state, "t.lance");
    give_and_forget(&w);
    char *path = pn_path_join(&w.s->arena, w.folder, "next_id");
    golden_write_bytes(path, "3 500\n", 6);
    assert_int_equal(step(&w, LIVING_INSERT, 0), 500);
    assert_int_equal(step(&w, LIVING_INSERT, 0), 501);
}

/* ---- a power cut ---- */

typedef struct reported {
    int64_t largest; /* id that an insert was reported with */
} reported;

enum { MAX_CALLS = 400, STEP = 5 };

/* Those of the counter, and what comes right behind; of all others some. */
typedef struct calls {
    int64_t chosen[MAX_CALLS];
    size_t n, n_all;
    bool was_counter;
} calls;

static void choose_call(void *context, const char *what, const char *path)
{
    calls *c = context;
    bool is_counter = strstr(path, "/next_id") != NULL;
    (void)what;
    assert_true(++c->n_all < MAX_CALLS - 1);
    if (is_counter || c->was_counter || c->n_all % STEP == 0)
        c->chosen[c->n++] = (int64_t)c->n_all;
    c->was_counter = is_counter;
}

/* Two engines after another, so that what the first gave back is taken by the second. */
static void insert_and_close(world *w, reported *r)
{
    pn_error err = {0};
    for (int i = 0; i < 2; i++) {
        pn_engine *engine = open_table(w);
        for (int k = 0; k < 2; k++) {
            int64_t id;
            const living_step one = {.kind = LIVING_INSERT, .seed = ++w->n_steps};
            if (living_do(w->table, engine, &w->model, &one, &id, &err) != PN_OK)
                _exit(1);
            living_foresee(&w->model, &one);
            r->largest = id;
        }
        pn_engine_free(engine);
    }
}

static bool cut_at(world *w, const char *disk, const char *shadow, int64_t n, reported *r)
{
    pid_t child = fork();
    if (child == 0) {
        power_cut_watch(disk, shadow);
        pn_fd_fault_after(n, 0);
        insert_and_close(w, r);
        pn_fd_fault_after(0, 0);
        power_cut_unwatch();
        _exit(0);
    }
    int code = 0;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_true(WEXITSTATUS(code) == 0 || WEXITSTATUS(code) == 9);
    return WEXITSTATUS(code) == 0;
}

static void inspect_cut(const world *w, const char *disk, const char *left, const reported *r)
{
    pn_error err = {0};
    int64_t id;
    static living_model model; // large
    const living_step one = {.kind = LIVING_INSERT, .seed = 99};
    check(pn_dir_remove_all(disk, &err), &err);
    check(pn_path_rename(left, disk, &err), &err);
    model = w->model;
    pn_engine *engine = open_table(w);
    check(living_do(w->table, engine, &model, &one, &id, &err), &err);
    pn_engine_free(engine);
    if (id <= r->largest)
        fail_msg("the id %" PRId64 " is given again, %" PRId64 " was the last", id, r->largest);
    (void)living_check_ids(w->table);
}

static void a_power_cut__gives_no_id_twice(void **state)
{
    static world w;
    pn_error err = {0};
    set_up(&w, state, "disk/t.lance");
    for (int i = 0; i < 3; i++)
        (void)step(&w, LIVING_INSERT, 0);
    delete_where(&w, "id >= 1");
    char *disk = scratch_path(w.s, "disk"), *from = scratch_path(w.s, "from");
    char *shadow = scratch_path(w.s, "shadow");
    reported *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(r != MAP_FAILED);
    power_cut_snapshot(disk, shadow);
    power_cut_leave(disk, shadow, POWER_CUT_LOSES_ALL, from);
    bool done = false;
    calls c = {.n = 0};
    static world again; // the model goes on
    again = w;
    pn_fd_watch(choose_call, &c);
    insert_and_close(&again, r);
    pn_fd_watch(NULL, NULL);
    c.chosen[c.n++] = (int64_t)c.n_all + 1; // it gets through
    for (size_t i = 0; i < c.n; i++) {
        char left[POWER_CUT_KINDS][256];
        check(pn_dir_remove_all(disk, &err), &err);
        power_cut_snapshot(from, shadow);
        power_cut_leave(from, shadow, POWER_CUT_LOSES_ALL, disk);
        power_cut_snapshot(disk, shadow);
        r->largest = 2;
        done = cut_at(&w, disk, shadow, c.chosen[i], r);
        for (int kind = 0; kind < POWER_CUT_KINDS; kind++) {
            (void)snprintf(left[kind], sizeof left[kind], "%s/left.%d", w.s->path, kind);
            power_cut_leave(disk, shadow, (power_cut_kind)kind, left[kind]);
        }
        for (int kind = 0; kind < POWER_CUT_KINDS; kind++)
            inspect_cut(&w, disk, left[kind], r);
    }
    print_message("  %zu cuts at %zu calls\n", c.n - 1, c.n_all);
    assert_true(done && r->largest == 6);
    assert_int_equal(munmap(r, sizeof *r), 0);
}

/* ---- the log of folds ---- */

static void build_index(const world *w, size_t n_texts)
{
    float texts[TEXTS * LIVING_DIM];
    pn_rng rng = pn_rng_seed(4);
    pn_error err = {0};
    pn_engine_index_report report;
    const pn_engine_index_options options = {
        .is_wanted = true, .all = true, .texts = texts, .n_texts = n_texts};
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++)
        texts[i] = (float)pn_rng_normal(&rng);
    for (size_t i = 0; i < TEXTS; i++)
        pn_kernels_get()->normalise_f32(texts + i * LIVING_DIM, LIVING_DIM);
    pn_engine *engine = open_table(w);
    check(engine->index_build(engine->self, &options, &report, &err), &err);
    pn_engine_free(engine);
}

/* Rows that the indexes cover, after searches that found what the model says; and how many files are damaged. */
static uint64_t search(const world *w, uint64_t seed, size_t n_damaged)
{
    pn_arena arena;
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_index_status status;
    pn_engine *engine = open_table(w);
    pn_arena_init(&arena, SIZE_MAX);
    living_check_searches(engine, &w->model, seed);
    check(engine->pin_newest(engine->self, &snapshot, &err), &err);
    check(engine->index_status(engine->self, snapshot, &arena, &status, &err), &err);
    engine->unpin(engine->self, snapshot);
    uint64_t n = status.n_covered;
    assert_int_equal(status.n_damaged, n_damaged);
    pn_engine_free(engine);
    pn_arena_reset(&arena);
    return n;
}

static void a_damaged_log_of_folds__changes_no_answer(void **state)
{
    static world w;
    size_t n_less = 0, n_tried = 0, stride = how_many("PN_DAMAGES", 7) == 0 ? 1 : 7;
    pn_rng rng = pn_rng_seed(11);
    set_up(&w, state, "t.lance");
    for (size_t i = 0; i < 3; i++)
        (void)step(&w, LIVING_APPEND, 100);
    build_index(&w, TEXTS);
    (void)step(&w, LIVING_DELETE, 20);
    fold(&w);
    (void)step(&w, LIVING_DELETE, 30);
    fold(&w);
    own_file f = take_file(&w, "index/folds.log");
    uint64_t sound = search(&w, 1, 0);
    assert_int_equal(sound, w.model.now.n_rows);
    for (size_t at = 0; at < f.n; at += 1 + pn_rng_below(&rng, 2 * stride - 1)) {
        flip(&f, at, (unsigned)pn_rng_below(&rng, 8));
        uint64_t n = search(&w, at, 0);
        golden_write_bytes(f.path, f.bytes, at);
        n_less += n < sound;
        n_less += search(&w, at, 0) < sound;
        n_tried += 2;
    }
    print_message("  %zu damages, %zu cost an index\n", n_tried, n_less);
    assert_true(n_less > n_tried / 2);
    golden_write_bytes(f.path, f.bytes, f.n);
    assert_int_equal(search(&w, 1, 0), sound);
    golden_bytes_free(f.bytes);
}

/* ---- the texts ---- */

static pn_status read_texts(const world *w, size_t *n, pn_error *err)
{
    const float *texts;
    pn_arena arena;
    char *folder = pn_path_join(&w->s->arena, w->folder, "index");
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_index_texts_read(folder, LIVING_DIM, &arena, &texts, n, err);
    pn_arena_reset(&arena);
    return status;
}

static void damaged_texts__are_refused(void **state)
{
    static world w;
    size_t n;
    set_up(&w, state, "t.lance");
    build_index(&w, TEXTS);
    own_file f = take_file(&w, "index/texts.bin");
    for (size_t at = 0; at < f.n; at++) {
        pn_error err = {0};
        for (unsigned bit = 0; bit < 8; bit++) {
            flip(&f, at, bit);
            assert_int_equal(read_texts(&w, &n, &err), PN_ERR_CORRUPT);
            check_message(&f, &err);
        }
        golden_write_bytes(f.path, f.bytes, at);
        assert_int_equal(read_texts(&w, &n, &err), PN_ERR_CORRUPT);
        check_message(&f, &err);
    }
    golden_write_bytes(f.path, f.bytes, f.n);
    assert_int_equal(read_texts(&w, &n, NULL), PN_OK);
    assert_int_equal(n, TEXTS);
    golden_bytes_free(f.bytes);
}

/* Searches go on; a build says what to do, which helps. */
static void damaged_texts__end_a_build_and_no_search(void **state)
{
    static world w;
    pn_error err = {0};
    pn_engine_index_report report;
    const pn_engine_index_options all = {.is_wanted = true, .all = true};
    set_up(&w, state, "t.lance");
    build_index(&w, TEXTS);
    own_file f = take_file(&w, "index/texts.bin");
    flip(&f, f.n - 1, 3);
    assert_int_equal(search(&w, 5, 1), w.model.now.n_rows);
    pn_engine *engine = open_table(&w);
    assert_int_equal(engine->index_build(engine->self, &all, &report, &err), PN_ERR_CORRUPT);
    check_message(&f, &err);
    assert_int_equal(remove(f.path), 0);
    check(engine->index_build(engine->self, &all, &report, &err), &err);
    pn_engine_free(engine);
    assert_int_equal(search(&w, 6, 0), w.model.now.n_rows);
    golden_bytes_free(f.bytes);
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_damaged_counter__gives_no_id_twice),
        TEST(a_counter_damaged_twice__is_refused_by_inserts_until_it_is_removed),
        TEST(a_lost_counter__is_made_again_from_all_versions),
        TEST(a_bare_counter__is_believed_where_it_says_more),
        TEST(a_power_cut__gives_no_id_twice),
        TEST(a_damaged_log_of_folds__changes_no_answer),
        TEST(damaged_texts__are_refused),
        TEST(damaged_texts__end_a_build_and_no_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

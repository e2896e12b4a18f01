/*
 * test_kill.c - a process that changes a table is killed at any moment, again and again
 *
 * A child does step after step to a table (support/living_table.h) and says through a pipe which it begins and which are done. The
 * parent kills it (SIGKILL) in the middle of one, at a moment drawn from how long such steps take. Then the table is what the last step left
 * that was said to be done, or what the one begun makes of it, to the last value; its tags, too. Every file of every version is
 * sound, no id was given twice, the indexes are whole and what they find is there, a further row goes in, and a clean-up leaves no file
 * that nobody names. The next child goes on with that same table.
 *
 * tests/dataset/test_crash.c stops single changes at every call that writes; here it is any instruction, of changes that build on one
 * another and on what earlier deaths left.
 *
 * PN_TABLE_KILLS is how often (40), PN_TABLE_KILLS_SEED where it starts (1).
 */
#include "collection/local_engine.h"
#include "support/how_many.h"
#include "support/living_table.h"
#include "support/scratch_folder.h"
#include "support/table_sight.h"

#include "base/rng.h"
#include "dataset/check.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants some of the above first */
#include <cmocka.h>

enum { KILLS = 40, KILLS_A_TABLE = 40, STEPS_A_CHILD = 12, MESSAGE_BYTES = 640 };

typedef enum news { NEWS_BEGIN, NEWS_DONE, NEWS_FAILED } news;

/* What the child says; smaller than what a pipe takes at once. */
typedef struct message {
    news what;
    uint64_t step;
    int64_t first_id; /* of DONE */
    int64_t ns;       /* of DONE: how long it took */
    char text[MESSAGE_BYTES];
} message;

typedef struct tally {
    uint64_t n_old, n_new; /* begun when the child died, and the table is that before or after it */
    uint64_t n_same;       /* begun, and both are the same */
    int64_t n_done, sum_ns; /* that came to their end, and the time of all */
} tally;

typedef struct hunt {
    scratch_folder *s;
    char *table;
    uint64_t seed, next_step;
    pn_rng rng;
    living_model model;
    int64_t most_id; /* of all that were given */
    tally kinds[LIVING_KINDS];
    uint64_t n_kills, n_between, n_survived, n_steps;
} hunt;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

/* ---- the child ---- */

static void say(int pipe_end, const message *m)
{
    if (write(pipe_end, m, sizeof *m) != (ssize_t)sizeof *m)
        _exit(3);
}

static void do_one(hunt *h, pn_engine *engine, int pipe_end, uint64_t i)
{
    pn_error err = {0};
    const living_step step = living_plan(&h->model, h->seed, i);
    message m = {.what = NEWS_BEGIN, .step = i};
    say(pipe_end, &m);
    int64_t start = pn_clock_monotonic_ns();
    pn_status status = living_do(h->table, engine, &h->model, &step, &m.first_id, &err);
    m.ns = pn_clock_monotonic_ns() - start;
    m.what = status == PN_OK ? NEWS_DONE : NEWS_FAILED;
    (void)snprintf(m.text, sizeof m.text, "%s: %s", living_kind_name(step.kind), err.message);
    say(pipe_end, &m);
    if (status != PN_OK)
        _exit(2);
    living_foresee(&h->model, &step);
}

static void live(hunt *h, int pipe_end)
{
    pn_error err = {0};
    pn_engine *engine;
    if (pn_local_engine_open(h->table, NULL, &engine, &err) != PN_OK) {
        message m = {.what = NEWS_FAILED};
        (void)snprintf(m.text, sizeof m.text, "opening: %s", err.message);
        say(pipe_end, &m);
        _exit(2);
    }
    for (uint64_t i = h->next_step; i < h->next_step + STEPS_A_CHILD; i++)
        do_one(h, engine, pipe_end, i);
    pn_engine_free(engine);
    _exit(0);
}

/* ---- the parent ---- */

static bool hear(int pipe_end, message *out)
{
    size_t n = 0;
    while (n < sizeof *out) {
        ssize_t got = read(pipe_end, (char *)out + n, sizeof *out - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    return true;
}

static void sleep_ns(int64_t ns)
{
    const struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    (void)nanosleep(&time, NULL); // a signal makes it shorter, which is as good
}

/* From the beginning of a step to somewhat behind its usual end. */
static void wait_within(hunt *h, uint64_t i)
{
    const living_step step = living_plan(&h->model, h->seed, i);
    const tally *t = &h->kinds[step.kind];
    int64_t usual = t->n_done > 0 ? t->sum_ns / t->n_done : 5000000;
    sleep_ns((int64_t)pn_rng_below(&h->rng, (uint64_t)usual * 3 / 2));
}

/* A step that is done becomes the model's. */
static void take_done(hunt *h, const message *m)
{
    const living_step step = living_plan(&h->model, h->seed, m->step);
    tally *t = &h->kinds[step.kind];
    if (m->first_id >= 0 && m->first_id <= h->most_id)
        fail_msg("the id %" PRId64 " was given before", m->first_id);
    h->most_id = PN_MAX(h->most_id, m->first_id);
    living_foresee(&h->model, &step);
    h->next_step = m->step + 1;
    h->n_steps++;
    t->n_done++;
    t->sum_ns += m->ns;
}

/* Follow the child to its end, killing it in the step that was drawn. Returns whether it died in a step, next_step. */
static bool follow(hunt *h, pid_t child, int pipe_end)
{
    uint64_t victim = h->next_step + pn_rng_below(&h->rng, STEPS_A_CHILD * 3 / 4);
    bool in_step = false;
    message m;
    while (hear(pipe_end, &m)) {
        if (m.what == NEWS_FAILED)
            fail_msg("seed %" PRIu64 ", step %" PRIu64 ": %s", h->seed, m.step, m.text);
        in_step = m.what == NEWS_BEGIN;
        if (m.what == NEWS_DONE)
            take_done(h, &m);
        if (in_step && m.step == victim) {
            wait_within(h, victim);
            assert_int_equal(kill(child, SIGKILL), 0);
        }
    }
    return in_step;
}

/* Before or after the step that was begun? The model becomes what the table is. */
static void judge(hunt *h, bool in_step)
{
    static living_model after;
    bool is_before = living_is(h->table, &h->model);
    if (!in_step) {
        if (!is_before)
            fail_msg("seed %" PRIu64 ", step %" PRIu64 ": not what was done", h->seed,
                     h->next_step - 1);
        h->n_between++;
        return;
    }
    const living_step step = living_plan(&h->model, h->seed, h->next_step);
    tally *t = &h->kinds[step.kind];
    after = h->model;
    living_foresee(&after, &step);
    bool is_after = living_is(h->table, &after);
    if (!is_before && !is_after)
        fail_msg("seed %" PRIu64 ", step %" PRIu64 ", %s: neither the old table nor the new one",
                 h->seed, h->next_step, living_kind_name(step.kind));
    t->n_same += is_before && is_after;
    t->n_old += is_before && !is_after;
    t->n_new += is_after && !is_before;
    if (is_after)
        h->model = after; // keys and names that it took stay taken
    h->next_step++;
}

static void check_files(hunt *h)
{
    const pn_check_plan plan = {0};
    pn_check_result result;
    pn_error err = {0};
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    check(pn_dataset_check(h->table, &plan, &arena, &result, &err), &err);
    if (result.n_findings > 0)
        fail_msg("seed %" PRIu64 ", step %" PRIu64 ": %s: %s", h->seed, h->next_step,
                 result.findings[0].file, result.findings[0].reason);
    pn_arena_reset(&arena);
}

static void check_indexes(pn_engine *engine)
{
    pn_error err = {0};
    pn_arena arena;
    pn_snapshot *snapshot;
    pn_engine_index_status found;
    pn_arena_init(&arena, SIZE_MAX);
    check(engine->pin_newest(engine->self, &snapshot, &err), &err);
    check(engine->index_status(engine->self, snapshot, &arena, &found, &err), &err);
    if (found.n_damaged > 0)
        fail_msg("an index: %s", found.damage);
    engine->unpin(engine->self, snapshot);
    check(engine->index_check(engine->self, &err), &err);
    pn_arena_reset(&arena);
}

/* One more row, by the engine, which the model then has, too. */
static void add_a_row(hunt *h, pn_engine *engine)
{
    pn_error err = {0};
    int64_t first_id;
    const living_step step = {.kind = LIVING_INSERT, .seed = h->n_kills};
    check(living_do(h->table, engine, &h->model, &step, &first_id, &err), &err);
    if (first_id <= h->most_id)
        fail_msg("seed %" PRIu64 ", step %" PRIu64 ": the id %" PRId64 " was given before", h->seed,
                 h->next_step, first_id);
    h->most_id = first_id;
    living_foresee(&h->model, &step);
    assert_true(living_is(h->table, &h->model));
}

static void inspect(hunt *h)
{
    pn_error err = {0};
    pn_engine *engine;
    check_files(h);
    h->most_id = PN_MAX(h->most_id, living_check_ids(h->table));
    check(pn_local_engine_open(h->table, NULL, &engine, &err), &err);
    check_indexes(engine);
    living_check_searches(engine, &h->model, h->n_kills);
    add_a_row(h, engine);
    pn_engine_free(engine);
    table_clean_up(h->table, h->n_kills % 2 == 0 ? 0 : -1, "a kill");
    assert_true(living_is(h->table, &h->model));
}

static void kill_once(hunt *h)
{
    int ends[2], code;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        live(h, ends[1]);
    }
    (void)close(ends[1]);
    bool in_step = follow(h, child, ends[0]);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &code, 0), child);
    if (WIFSIGNALED(code)) {
        assert_int_equal(WTERMSIG(code), SIGKILL);
        h->n_kills++;
    } else {
        assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
        h->n_survived++;
    }
    judge(h, in_step);
    inspect(h);
}

static void start_table(hunt *h)
{
    pn_error err = {0};
    check(pn_dir_remove_all(h->table, &err), &err);
    living_create(h->table, &h->model);
    h->most_id = -1;
    h->seed++;
}

static void tell(const hunt *h)
{
    print_message(
        "%" PRIu64 " kills, %" PRIu64 " steps done, %" PRIu64
        " of the deaths between two of them; in the midst of one, by what the table is:\n",
        h->n_kills, h->n_steps, h->n_between);
    for (int k = 0; k < LIVING_KINDS; k++) {
        const tally *t = &h->kinds[k];
        print_message("  %-17s old %4" PRIu64 ", new %4" PRIu64 ", the same %4" PRIu64
                      "; done %5" PRId64 ", %.1f ms each\n",
                      living_kind_name((living_kind)k), t->n_old, t->n_new, t->n_same, t->n_done,
                      t->n_done > 0 ? (double)t->sum_ns / (double)t->n_done * 1e-6 : 0.0);
    }
}

static void a_killed_process__leaves_what_it_was_told_or_what_it_had_begun(void **state)
{
    static hunt h;
    uint64_t n_kills = how_many("PN_TABLE_KILLS", KILLS),
             first = how_many("PN_TABLE_KILLS_SEED", 1);
    h = (hunt){.s = *state,
               .table = scratch_path(*state, "t.lance"),
               .seed = first - 1,
               .rng = pn_rng_seed(first)};
    for (uint64_t i = 0; h.n_kills < n_kills; i++) {
        assert_true(i < 2 * n_kills + 10);
        if (i % KILLS_A_TABLE == 0)
            start_table(&h);
        kill_once(&h);
    }
    tell(&h);
    uint64_t n_old = 0, n_new = 0;
    for (int k = 0; k < LIVING_KINDS; k++) {
        n_old += h.kinds[k].n_old;
        n_new += h.kinds[k].n_new;
    }
    assert_true(n_old > n_kills / 10 &&
                n_new >= n_kills / 500); // the moments are in the midst of it
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_killed_process__leaves_what_it_was_told_or_what_it_had_begun, scratch_folder_setup,
            scratch_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

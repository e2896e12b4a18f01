/*
 * test_pool.c - every index once, scratch per worker, loops in loops and loops side by side
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"
#include "os/pool.h"
#include "support/faults.h"

enum { MOST = 5000, MOST_WORKERS = 16 };

typedef struct counting {
    pn_pool *pool;
    atomic_int calls[MOST];
    atomic_int inside[MOST_WORKERS]; /* calls that run as this worker now */
    atomic_int n_shared;             /* two at one time as the same worker */
    unsigned n_workers;
    atomic_bool cancel;
    atomic_int n_worked;
} counting;

static void count(void *context, size_t i, unsigned worker)
{
    counting *c = context;
    atomic_fetch_add(&c->calls[i], 1);
    if (worker >= c->n_workers || atomic_fetch_add(&c->inside[worker], 1) != 0)
        atomic_fetch_add(&c->n_shared, 1);
    if (i % 97 == 0)
        pn_clock_sleep_ms(1);
    atomic_fetch_sub(&c->inside[worker % MOST_WORKERS], 1);
}

static counting *make_counting(pn_pool *pool)
{
    counting *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->pool = pool;
    c->n_workers = pn_pool_threads(pool);
    return c;
}

static bool counted_once(const counting *c, size_t n)
{
    for (size_t i = 0; i < MOST; i++)
        if (atomic_load(&c->calls[i]) != (i < n))
            return false;
    return atomic_load(&c->n_shared) == 0;
}

static void for__calls_every_index_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 7, 100, MOST};
    static const unsigned threads[] = {1, 2, 3, 8};
    for (size_t t = 0; t < PN_COUNT_OF(threads); t++) {
        pn_pool *pool;
        assert_int_equal(pn_pool_create(threads[t], &pool, NULL), PN_OK);
        assert_int_equal(pn_pool_threads(pool), threads[t]);
        for (size_t i = 0; i < PN_COUNT_OF(sizes); i++) {
            counting *c = make_counting(pool);
            pn_pool_for(pool, sizes[i], count, c);
            assert_true(counted_once(c, sizes[i]));
            free(c);
        }
        pn_pool_free(pool);
    }
    assert_int_equal(pn_alloc_live(), 0);
}

static void remember_order(void *context, size_t i, unsigned worker)
{
    size_t *next = context;
    assert_int_equal(worker, 0);
    assert_int_equal(i, *next);
    ++*next;
}

static void no_pool__runs_here_in_order(void **state)
{
    (void)state;
    size_t next = 0;
    assert_int_equal(pn_pool_threads(NULL), 1);
    pn_pool_for(NULL, 1000, remember_order, &next);
    assert_int_equal(next, 1000);
    pn_pool_free(NULL);
}

typedef struct nesting {
    pn_pool *pool;
    atomic_int n_inner;
    atomic_int n_foreign; /* inner calls on another thread than their outer call */
} nesting;

static _Thread_local int thread_mark;

static void inner(void *context, size_t i, unsigned worker)
{
    nesting *n = context;
    (void)i;
    if (worker != 0 || thread_mark == 0)
        atomic_fetch_add(&n->n_foreign, 1);
    atomic_fetch_add(&n->n_inner, 1);
}

static void outer(void *context, size_t i, unsigned worker)
{
    nesting *n = context;
    (void)worker;
    thread_mark = 1;
    pn_pool_for(n->pool, i, inner, n);
    thread_mark = 0;
}

static void a_loop_inside_a_task__stays_on_its_thread(void **state)
{
    (void)state;
    nesting n = {0};
    assert_int_equal(pn_pool_create(4, &n.pool, NULL), PN_OK);
    pn_pool_for(n.pool, 100, outer, &n);
    assert_int_equal(atomic_load(&n.n_inner), 100 * 99 / 2);
    assert_int_equal(atomic_load(&n.n_foreign), 0);
    /* Afterwards the caller's loops are spread again. */
    counting *c = make_counting(n.pool);
    pn_pool_for(n.pool, 500, count, c);
    assert_true(counted_once(c, 500));
    free(c);
    pn_pool_free(n.pool);
}

static void count_unless_cancelled(void *context, size_t i, unsigned worker)
{
    counting *c = context;
    atomic_fetch_add(&c->calls[i], 1);
    (void)worker;
    if (atomic_load(&c->cancel))
        return;
    if (atomic_fetch_add(&c->n_worked, 1) == 20)
        atomic_store(&c->cancel, true);
    pn_clock_sleep_ms(1);
}

static void a_cancelled_loop__still_ends_and_visits_all(void **state)
{
    (void)state;
    pn_pool *pool;
    assert_int_equal(pn_pool_create(4, &pool, NULL), PN_OK);
    counting *c = make_counting(pool);
    pn_pool_for(pool, MOST, count_unless_cancelled, c);
    assert_true(counted_once(c, MOST));
    assert_in_range(atomic_load(&c->n_worked), 21, 21 + 4);
    free(c);
    pn_pool_free(pool);
}

typedef struct caller {
    pn_pool *pool;
    bool good;
} caller;

static void call_often(void *context)
{
    caller *who = context;
    who->good = true;
    for (int round = 0; round < 30; round++) {
        counting *c = calloc(1, sizeof *c);
        c->n_workers = pn_pool_threads(who->pool);
        pn_pool_for(who->pool, 300, count, c);
        who->good = who->good && counted_once(c, 300);
        free(c);
    }
}

static void callers_at_once__share_a_pool(void **state)
{
    (void)state;
    pn_pool *pool;
    caller callers[4];
    pn_thread *threads[4];
    assert_int_equal(pn_pool_create(3, &pool, NULL), PN_OK);
    for (int i = 0; i < 4; i++) {
        callers[i] = (caller){.pool = pool};
        assert_int_equal(
            pn_thread_start(call_often, &callers[i], "a long name of a caller", &threads[i], NULL),
            PN_OK);
    }
    for (int i = 0; i < 4; i++) {
        pn_thread_join(threads[i]);
        assert_true(callers[i].good);
    }
    pn_pool_free(pool);
    pn_thread_join(NULL);
    assert_int_equal(pn_alloc_live(), 0);
}

static void create__has_a_limit_and_a_default(void **state)
{
    (void)state;
    pn_error err = {0};
    pn_pool *pool;
    assert_int_equal(pn_pool_create(PN_MAX_THREADS + 1, &pool, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "256"));
    assert_true(pn_cpu_count() >= 1);
    assert_int_equal(pn_pool_create(0, &pool, &err), PN_OK);
    assert_int_equal(pn_pool_threads(pool), PN_MIN(pn_cpu_count(), (unsigned)PN_MAX_THREADS));
    pn_pool_free(pool);
}

static pn_status create_and_free(void *context, pn_error *err)
{
    (void)context;
    pn_pool *pool;
    PN_TRY(pn_pool_create(5, &pool, err));
    pn_pool_free(pool);
    return PN_OK;
}

static void no_memory__ends_the_threads_that_were_started(void **state)
{
    (void)state;
    assert_int_equal(faults_each_allocation(create_and_free, NULL), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for__calls_every_index_once),
        cmocka_unit_test(no_pool__runs_here_in_order),
        cmocka_unit_test(a_loop_inside_a_task__stays_on_its_thread),
        cmocka_unit_test(a_cancelled_loop__still_ends_and_visits_all),
        cmocka_unit_test(callers_at_once__share_a_pool),
        cmocka_unit_test(create__has_a_limit_and_a_default),
        cmocka_unit_test(no_memory__ends_the_threads_that_were_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

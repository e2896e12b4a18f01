/*
 * test_queue.c - the bound, the order, the end, and the time
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
#include "base/rng.h"
#include "os/clock.h"
#include "os/pool.h"
#include "os/queue.h"
#include "support/faults.h"

static void *item_of(size_t value)
{
    static char places[100000];
    assert_true(value < sizeof places);
    return &places[value];
}

static void items__come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(2);
    for (size_t capacity = 1; capacity < 40; capacity = capacity * 2 + 1) {
        pn_queue *queue;
        size_t in = 0, out = 0;
        assert_int_equal(pn_queue_create(capacity, &queue, NULL), PN_OK);
        for (int step = 0; step < 3000; step++) {
            void *item;
            if (in - out < capacity && pn_rng_below(&rng, 2)) {
                assert_true(pn_queue_push(queue, item_of(in++)));
            } else if (in > out) {
                assert_true(step % 2 ? pn_queue_pop(queue, &item)
                                     : pn_queue_pop_timeout(queue, 1000, &item));
                assert_ptr_equal(item, item_of(out++));
            }
            assert_int_equal(pn_queue_length(queue), in - out);
        }
        pn_queue_free(queue);
    }
    pn_queue_free(NULL);
    assert_int_equal(pn_alloc_live(), 0);
}

typedef struct worker {
    pn_queue *queue;
    size_t first, n;
    size_t n_taken;
    bool in_order; /* as far as one producer's items go */
    atomic_bool started, done;
    bool result;
    pn_thread *thread;
} worker;

enum { N_PRODUCERS = 4, N_CONSUMERS = 3, EACH = 3000 };

static void produce(void *context)
{
    worker *w = context;
    w->result = true;
    for (size_t i = 0; i < w->n; i++)
        w->result = pn_queue_push(w->queue, item_of(w->first + i)) && w->result;
}

static atomic_int taken[N_PRODUCERS * EACH];
static atomic_bool over_the_bound;

static void consume(void *context)
{
    worker *w = context;
    size_t last[N_PRODUCERS] = {0};
    void *item;
    w->in_order = true;
    while (pn_queue_pop(w->queue, &item)) {
        size_t value = (size_t)((char *)item - (char *)item_of(0)), producer = value / EACH;
        if (pn_queue_length(w->queue) > 8)
            atomic_store(&over_the_bound, true);
        atomic_fetch_add(&taken[value], 1);
        w->in_order = w->in_order && value % EACH + 1 > last[producer];
        last[producer] = value % EACH + 1;
        w->n_taken++;
    }
}

static void start(worker *w, pn_thread_main main_function)
{
    assert_int_equal(pn_thread_start(main_function, w, "worker", &w->thread, NULL), PN_OK);
}

static void many_producers__lose_and_double_nothing(void **state)
{
    (void)state;
    pn_queue *queue;
    worker producers[N_PRODUCERS], consumers[N_CONSUMERS];
    size_t n = 0;
    assert_int_equal(pn_queue_create(8, &queue, NULL), PN_OK);
    for (size_t i = 0; i < N_CONSUMERS; i++) {
        consumers[i] = (worker){.queue = queue};
        start(&consumers[i], consume);
    }
    for (size_t i = 0; i < N_PRODUCERS; i++) {
        producers[i] = (worker){.queue = queue, .first = i * EACH, .n = EACH};
        start(&producers[i], produce);
    }
    for (size_t i = 0; i < N_PRODUCERS; i++)
        pn_thread_join(producers[i].thread);
    pn_queue_close(queue);
    for (size_t i = 0; i < N_CONSUMERS; i++) {
        pn_thread_join(consumers[i].thread);
        assert_true(consumers[i].in_order);
        n += consumers[i].n_taken;
    }
    pn_queue_free(queue);
    assert_int_equal(n, N_PRODUCERS * EACH);
    for (size_t i = 0; i < N_PRODUCERS * EACH; i++)
        assert_int_equal(atomic_load(&taken[i]), 1);
    for (size_t i = 0; i < N_PRODUCERS; i++)
        assert_true(producers[i].result);
    assert_false(atomic_load(&over_the_bound));
}

static void push_one(void *context)
{
    worker *w = context;
    atomic_store(&w->started, true);
    w->result = pn_queue_push(w->queue, item_of(w->first));
    atomic_store(&w->done, true);
}

static void pop_one(void *context)
{
    worker *w = context;
    void *item;
    atomic_store(&w->started, true);
    w->result = pn_queue_pop(w->queue, &item);
    atomic_store(&w->done, true);
}

static void wait_until_it_waits(worker *w)
{
    while (!atomic_load(&w->started))
        pn_clock_sleep_ms(1);
    pn_clock_sleep_ms(20);
    assert_false(atomic_load(&w->done));
}

static void a_full_queue__makes_a_push_wait(void **state)
{
    (void)state;
    void *item;
    worker w = {.first = 3};
    assert_int_equal(pn_queue_create(2, &w.queue, NULL), PN_OK);
    assert_true(pn_queue_push(w.queue, item_of(1)));
    assert_true(pn_queue_push(w.queue, item_of(2)));
    start(&w, push_one);
    wait_until_it_waits(&w);
    assert_int_equal(pn_queue_length(w.queue), 2);
    assert_true(pn_queue_pop(w.queue, &item));
    pn_thread_join(w.thread);
    assert_true(w.result);
    assert_int_equal(pn_queue_length(w.queue), 2);
    for (size_t i = 2; i <= 3; i++) {
        assert_true(pn_queue_pop(w.queue, &item));
        assert_ptr_equal(item, item_of(i));
    }
    pn_queue_free(w.queue);
}

static void close__wakes_those_who_wait(void **state)
{
    (void)state;
    worker pushing = {.first = 3}, popping = {0};
    void *item = NULL;
    assert_int_equal(pn_queue_create(1, &pushing.queue, NULL), PN_OK);
    assert_int_equal(pn_queue_create(1, &popping.queue, NULL), PN_OK);
    assert_true(pn_queue_push(pushing.queue, item_of(1)));
    start(&pushing, push_one);
    start(&popping, pop_one);
    wait_until_it_waits(&pushing);
    wait_until_it_waits(&popping);
    pn_queue_close(pushing.queue);
    pn_queue_close(popping.queue);
    pn_thread_join(pushing.thread);
    pn_thread_join(popping.thread);
    assert_false(pushing.result);
    assert_false(popping.result);
    assert_false(pn_queue_push(pushing.queue, item_of(4)));
    assert_true(pn_queue_pop(pushing.queue, &item)); // what is left comes out
    assert_ptr_equal(item, item_of(1));
    assert_false(pn_queue_pop(pushing.queue, &item));
    assert_false(pn_queue_pop_timeout(pushing.queue, 1000, &item));
    assert_null(item);
    pn_queue_close(pushing.queue); // twice is fine
    pn_queue_free(pushing.queue);
    pn_queue_free(popping.queue);
}

static void push_late(void *context)
{
    worker *w = context;
    pn_clock_sleep_ms(20);
    w->result = pn_queue_push(w->queue, item_of(w->first));
}

static void a_timeout__ends_the_wait_and_no_earlier(void **state)
{
    (void)state;
    static const int64_t times_ms[] = {-5, 0, 1, 60};
    worker w = {.first = 9};
    void *item;
    assert_int_equal(pn_queue_create(4, &w.queue, NULL), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(times_ms); i++) {
        int64_t begin = pn_clock_monotonic_ns();
        item = &w;
        assert_true(pn_queue_pop_timeout(w.queue, times_ms[i], &item));
        assert_null(item);
        assert_true(pn_clock_monotonic_ns() - begin >= times_ms[i] * 1000000);
    }
    int64_t begin = pn_clock_monotonic_ns();
    start(&w, push_late);
    assert_true(pn_queue_pop_timeout(w.queue, 60000, &item));
    assert_ptr_equal(item, item_of(9));
    assert_true(pn_clock_monotonic_ns() - begin < (int64_t)30 * 1000000000);
    pn_thread_join(w.thread);
    pn_queue_free(w.queue);
}

static pn_status create_and_free(void *context, pn_error *err)
{
    (void)context;
    pn_queue *queue;
    PN_TRY(pn_queue_create(5, &queue, err));
    pn_queue_free(queue);
    return PN_OK;
}

static void create__refuses_what_cannot_be(void **state)
{
    (void)state;
    pn_queue *queue;
    assert_int_equal(pn_queue_create(0, &queue, NULL), PN_ERR_INVALID);
    assert_int_equal(pn_queue_create(SIZE_MAX, &queue, NULL), PN_ERR_NOMEM);
    assert_int_equal(faults_each_allocation(create_and_free, NULL), 2);
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items__come_out_in_the_order_they_went_in),
        cmocka_unit_test(many_producers__lose_and_double_nothing),
        cmocka_unit_test(a_full_queue__makes_a_push_wait),
        cmocka_unit_test(close__wakes_those_who_wait),
        cmocka_unit_test(a_timeout__ends_the_wait_and_no_earlier),
        cmocka_unit_test(create__refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_mask.c - word-wise algebra against one bool a row
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "column/mask.h"

enum { MOST_ROWS = 400 };

typedef struct pair {
    pn_mask mask;
    bool bits[MOST_ROWS];
} pair;

static void make_random(pn_rng *rng, pn_arena *arena, size_t n, pair *out)
{
    bool all = pn_rng_below(rng, 2);
    size_t n_flips = pn_rng_below(rng, 2) ? pn_rng_below(rng, n + 1) : pn_rng_below(rng, 3);
    assert_int_equal(pn_mask_create(n, all, arena, &out->mask, NULL), PN_OK);
    for (size_t i = 0; i < n; i++)
        out->bits[i] = all;
    for (size_t flip = 0; n > 0 && flip < n_flips; flip++) {
        size_t i = pn_rng_below(rng, n);
        out->mask.words[i / 64] ^= (uint64_t)1 << (i % 64);
        out->bits[i] = !out->bits[i];
    }
}

static void expect(const pair *p)
{
    size_t n = p->mask.n_rows, count = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pn_word_bit_get(p->mask.words, i), p->bits[i]);
        count += p->bits[i];
    }
    for (size_t i = n; i < pn_words_for_bits(n) * 64; i++)
        assert_false(pn_word_bit_get(p->mask.words, i)); // the tail is kept clear
    assert_int_equal(pn_mask_count(&p->mask), count);
    for (size_t from = 0; from <= n + 70; from++) {
        size_t next = from;
        while (next < n && !p->bits[next])
            next++;
        assert_int_equal(pn_mask_next(&p->mask, from), PN_MIN(next, n));
    }
}

static void operations__do_to_bits_what_they_do_to_bools(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 127, 128, 129, 191, 192, 300, MOST_ROWS};
    pn_rng rng = pn_rng_seed(1);
    for (int round = 0; round < 400; round++) {
        pn_arena arena;
        pair a, b;
        size_t n = sizes[pn_rng_below(&rng, PN_COUNT_OF(sizes))];
        uint64_t what = pn_rng_below(&rng, 4);
        pn_arena_init(&arena, SIZE_MAX);
        make_random(&rng, &arena, n, &a);
        make_random(&rng, &arena, n, &b);
        expect(&a);
        if (what == 0)
            pn_mask_and(&a.mask, &b.mask);
        else if (what == 1)
            pn_mask_or(&a.mask, &b.mask);
        else if (what == 2)
            pn_mask_and_not(&a.mask, &b.mask);
        else
            pn_mask_not(&a.mask);
        for (size_t i = 0; i < n; i++)
            a.bits[i] = what == 0   ? a.bits[i] && b.bits[i]
                        : what == 1 ? a.bits[i] || b.bits[i]
                        : what == 2 ? a.bits[i] && !b.bits[i]
                                    : !a.bits[i];
        expect(&a);
        expect(&b); // only read
        pn_arena_reset(&arena);
    }
}

static void create__says_when_there_is_no_room(void **state)
{
    (void)state;
    pn_arena arena;
    pn_error err = {0};
    pn_mask mask = {.n_rows = 77};
    pn_arena_init(&arena, 4096);
    assert_int_equal(pn_mask_create(1000000, true, &arena, &mask, &err), PN_ERR_NOMEM);
    assert_int_equal(pn_mask_create(SIZE_MAX - 100, true, &arena, &mask, &err), PN_ERR_NOMEM);
    assert_int_equal(mask.n_rows, 77); // untouched
    pn_arena_reset(&arena);
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations__do_to_bits_what_they_do_to_bools),
        cmocka_unit_test(create__says_when_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

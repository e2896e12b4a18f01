/*
 * test_arena.c - bump allocation: alignment, the maximum, marks, and what AddressSanitizer sees
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/rng.h"

#ifdef __SANITIZE_ADDRESS__
#    include <sanitizer/asan_interface.h>
#endif

static int setup(void **state)
{
    static pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    *state = &arena;
    return 0;
}

static int teardown(void **state)
{
    pn_arena_reset(*state);
    pn_alloc_fail_after(0);
    return pn_alloc_live() != 0;
}

static void memory__is_aligned_apart_and_stays_as_written(void **state)
{
    enum { N = 2000 };
    pn_arena *arena = *state;
    static unsigned char *blocks[N];
    static size_t sizes[N];
    pn_rng rng = pn_rng_seed(1);
    for (int i = 0; i < N; i++) {
        size_t alignment = (size_t)1 << pn_rng_below(&rng, 13);
        sizes[i] = pn_rng_below(&rng, i % 100 == 0 ? 300000 : 200);
        blocks[i] = i % 2 ? pn_arena_alloc(arena, sizes[i])
                          : pn_arena_alloc_aligned(arena, alignment, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % (i % 2 ? 16 : alignment), 0);
        memset(blocks[i], i % 251, sizes[i]);
    }
    for (int i = 0; i < N; i++)
        for (size_t b = 0; b < sizes[i]; b++)
            if (blocks[i][b] != i % 251)
                fail_msg("block %d was written over at byte %zu", i, b);
}

static void the_maximum__bounds_what_malloc_gives(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 1, 100, 4096, 5000, 10000, 100000, 3000000};
    for (size_t i = 0; i < PN_COUNT_OF(limits); i++) {
        pn_arena arena;
        size_t total = 0;
        pn_arena_init(&arena, limits[i]);
        while (pn_arena_alloc(&arena, 96))
            total += 96;
        assert_true(arena.used_bytes <= limits[i]);
        /* Headers and rounding cost a little; what is left over is less than one more block could be. */
        assert_true(total + 500 + limits[i] / 8 >= limits[i]);
        assert_null(pn_arena_alloc(&arena, limits[i] + 1));
        pn_arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
        assert_true(arena.max_bytes == limits[i]);
    }
}

static void absurd_sizes__are_refused(void **state)
{
    pn_arena *arena = *state;
    assert_null(pn_arena_alloc(arena, SIZE_MAX));
    assert_null(pn_arena_alloc(arena, PTRDIFF_MAX));
    assert_null(pn_arena_alloc_aligned(arena, 4096, (size_t)PTRDIFF_MAX - 4095));
    assert_null(pn_arena_alloc_zero(arena, SIZE_MAX / 2, 3));
    assert_null(pn_arena_alloc_zero(arena, SIZE_MAX / 4 + 2, 4));
    assert_null(pn_arena_strndup(arena, "a", SIZE_MAX));
    assert_null(arena->head);
    assert_non_null(pn_arena_alloc(arena, 1));
}

static void zero_bytes__are_memory_too(void **state)
{
    pn_arena *arena = *state;
    assert_non_null(pn_arena_alloc(arena, 0));
    assert_non_null(pn_arena_alloc_zero(arena, 0, 8));
    assert_non_null(pn_arena_alloc_zero(arena, 8, 0));
    assert_string_equal(pn_arena_strndup(arena, NULL, 0), "");
}

static void zeroed_memory__is_zero_after_a_rewind(void **state)
{
    pn_arena *arena = *state;
    assert_non_null(pn_arena_alloc(arena, 8)); // a block to stay in
    pn_arena_mark mark = pn_arena_get_mark(arena);
    memset(pn_arena_alloc(arena, 1000), 0xEE, 1000);
    pn_arena_rewind(arena, mark);
    unsigned char *zeros = PN_ARENA_NEW(arena, unsigned char, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zeros[i], 0);
}

static void texts__are_copied_and_ended(void **state)
{
    pn_arena *arena = *state;
    char source[] = "a row of words";
    char *copy = pn_arena_strdup(arena, source), *part = pn_arena_strndup(arena, source, 5);
    source[0] = 'X';
    assert_string_equal(copy, "a row of words");
    assert_string_equal(part, "a row");
    assert_string_equal(pn_arena_printf(arena, "%s/%d/%s", "a", 17, ""), "a/17/");
    char *wide = pn_arena_printf(arena, "%050000d", 7);
    assert_int_equal(strlen(wide), 50000);
    assert_int_equal(wide[49999], '7');
    assert_string_equal(copy, "a row of words");
}

static void rewind__takes_back_what_came_after_the_mark(void **state)
{
    pn_arena *arena = *state;
    pn_rng rng = pn_rng_seed(2);
    pn_arena_mark empty = pn_arena_get_mark(arena);
    char *kept = pn_arena_strdup(arena, "kept");
    for (int round = 0; round < 200; round++) {
        pn_arena_mark outer = pn_arena_get_mark(arena);
        size_t used = arena->used_bytes;
        char *first = pn_arena_alloc(arena, 32);
        memset(first, 1, 32);
        pn_arena_mark inner = pn_arena_get_mark(arena);
        for (uint64_t i = pn_rng_below(&rng, 20); i > 0; i--)
            memset(pn_arena_alloc(arena, (size_t)i * 500), 2, (size_t)i * 500);
        pn_arena_rewind(arena, inner);
        for (int i = 0; i < 32; i++)
            assert_int_equal(first[i], 1);
        pn_arena_rewind(arena, outer);
        assert_int_equal(arena->used_bytes, used);
    }
    assert_string_equal(kept, "kept");
    pn_arena_rewind(arena, empty);
    assert_null(arena->head);
    assert_int_equal(arena->used_bytes, 0);
}

static void clear__keeps_one_block_for_what_comes_next(void **state)
{
    enum { ROUNDS = 8, BYTES = 5000, TIMES = 40 };
    pn_arena *arena = *state;
    pn_arena_clear(arena);
    assert_null(arena->head);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t asked = pn_alloc_asked_bytes();
        for (int i = 0; i < TIMES; i++) {
            char *bytes = pn_arena_alloc(arena, BYTES);
            assert_non_null(bytes);
            memset(bytes, i, BYTES);
        }
        if (round >= 2)
            assert_int_equal(pn_alloc_asked_bytes(), asked);
        size_t used = arena->used_bytes;
        pn_arena_clear(arena);
        assert_non_null(arena->head);
        assert_in_range(arena->used_bytes, BYTES, used);
    }
}

static void unused_memory__is_poisoned(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    pn_arena *arena = *state;
    char *first = pn_arena_alloc(arena, 32);
    assert_false(__asan_address_is_poisoned(first));
    assert_false(__asan_address_is_poisoned(first + 31));
    assert_true(__asan_address_is_poisoned(first + 32));
    pn_arena_mark mark = pn_arena_get_mark(arena);
    char *second = pn_arena_alloc(arena, 100);
    assert_ptr_equal(second, first + 32);
    assert_false(__asan_address_is_poisoned(second + 99));
    assert_true(__asan_address_is_poisoned(second + 100));
    pn_arena_rewind(arena, mark);
    assert_true(__asan_address_is_poisoned(second));
    assert_true(__asan_address_is_poisoned(second + 99));
    assert_false(__asan_address_is_poisoned(first + 31));
#else
    (void)state;
    skip();
#endif
}

static void no_memory__is_null_and_leaves_the_arena_usable(void **state)
{
    pn_arena *arena = *state;
    char *kept = pn_arena_strdup(arena, "kept");
    pn_alloc_fail_after(1);
    assert_null(pn_arena_alloc(arena, 1 << 20));
    assert_null(PN_ARENA_NEW(arena, char, 1 << 20));
    assert_null(pn_arena_printf(arena, "%09999d", 1));
    assert_non_null(pn_arena_alloc(arena, 16)); // still in the first block
    pn_alloc_fail_after(0);
    assert_string_equal(kept, "kept");
    assert_non_null(pn_arena_alloc(arena, 1 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory__is_aligned_apart_and_stays_as_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_maximum__bounds_what_malloc_gives, setup, teardown),
        cmocka_unit_test_setup_teardown(absurd_sizes__are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(zero_bytes__are_memory_too, setup, teardown),
        cmocka_unit_test_setup_teardown(zeroed_memory__is_zero_after_a_rewind, setup, teardown),
        cmocka_unit_test_setup_teardown(texts__are_copied_and_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(rewind__takes_back_what_came_after_the_mark, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(clear__keeps_one_block_for_what_comes_next, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unused_memory__is_poisoned, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory__is_null_and_leaves_the_arena_usable, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

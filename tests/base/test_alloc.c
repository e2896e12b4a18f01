/*
 * test_alloc.c - the one malloc: counting, refusing, failing on demand
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"

static void live__counts_every_way_to_get_and_to_free(void **state)
{
    (void)state;
    int64_t before = pn_alloc_live();
    void *blocks[] = {
        pn_alloc(10),        pn_alloc_zero(10), pn_alloc_array(3, 7), pn_alloc_aligned(64, 10),
        pn_realloc(NULL, 5), pn_strdup("abc"),  pn_strndup("abc", 2), pn_alloc(0)};
    for (size_t i = 0; i < PN_COUNT_OF(blocks); i++)
        assert_non_null(blocks[i]);
    assert_int_equal(pn_alloc_live(), before + (int64_t)PN_COUNT_OF(blocks));
    blocks[0] = pn_realloc(blocks[0], 1000); // the same block, larger
    assert_non_null(blocks[0]);
    assert_int_equal(pn_alloc_live(), before + (int64_t)PN_COUNT_OF(blocks));
    for (size_t i = 0; i < PN_COUNT_OF(blocks); i++)
        pn_free(blocks[i]);
    pn_free(NULL);
    assert_int_equal(pn_alloc_live(), before);
}

static void free_foreign__does_not_count(void **state)
{
    (void)state;
    int64_t before = pn_alloc_live();
    pn_free_foreign(malloc(10));
    pn_free_foreign(NULL);
    assert_int_equal(pn_alloc_live(), before);
}

static void zero_bytes__give_a_block_that_can_grow(void **state)
{
    (void)state;
    char *block = pn_alloc(0);
    assert_non_null(block);
    block = pn_realloc(block, 0);
    assert_non_null(block);
    block = pn_realloc(block, 100);
    assert_non_null(block);
    memset(block, 7, 100);
    block = pn_realloc(block, 200);
    for (int i = 0; i < 100; i++)
        assert_int_equal(block[i], 7);
    pn_free(block);
    unsigned char *zeros = pn_alloc_zero(300);
    for (int i = 0; i < 300; i++)
        assert_int_equal(zeros[i], 0);
    pn_free(zeros);
}

static void absurd_sizes__are_refused(void **state)
{
    (void)state;
    volatile size_t most = SIZE_MAX; // the compiler must not see it coming
    int64_t before = pn_alloc_live();
    assert_null(pn_alloc(most));
    assert_null(pn_alloc((size_t)PTRDIFF_MAX + (most != 0)));
    assert_null(pn_alloc_zero(most));
    assert_null(pn_alloc_aligned(64, most));
    assert_null(pn_realloc(NULL, most));
    assert_null(pn_alloc_array(most / 2, 3));     // wraps
    assert_null(pn_alloc_array(most / 4 + 2, 4)); // wraps to something small
    assert_null(pn_strndup("", most));
    char *block = pn_alloc(4);
    memcpy(block, "abc", 4);
    assert_null(pn_realloc(block, most));
    assert_string_equal(block, "abc"); // still the caller's
    pn_free(block);
    assert_int_equal(pn_alloc_live(), before);
}

static void aligned__is_aligned(void **state)
{
    (void)state;
    for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
        void *block = pn_alloc_aligned(alignment, alignment == 8 ? 0 : 100);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % alignment, 0);
        pn_free(block);
    }
}

static void strndup__ends_in_a_nul(void **state)
{
    (void)state;
    static const char text[] = {'a', '\0', 'b', 'c'};
    char *copy = pn_strndup(text, 4);
    assert_memory_equal(copy, "a\0bc", 5);
    pn_free(copy);
    copy = pn_strndup(text, 0);
    assert_string_equal(copy, "");
    pn_free(copy);
    copy = pn_strdup("");
    assert_string_equal(copy, "");
    pn_free(copy);
}

static void fail_after__fails_the_nth_and_all_behind_it(void **state)
{
    (void)state;
    int64_t before = pn_alloc_live();
    for (int64_t n = 1; n < 10; n++) {
        void *blocks[10] = {0};
        pn_alloc_fail_after(n);
        for (int64_t i = 0; i < 10; i++) {
            blocks[i] = i % 2 ? pn_alloc(1) : pn_alloc_aligned(16, 1);
            assert_int_equal(blocks[i] != NULL, i + 1 < n);
        }
        char *kept = blocks[0];
        assert_null(pn_realloc(kept, 100));
        assert_null(pn_strdup("a"));
        pn_alloc_fail_after(0);
        for (int i = 0; i < 10; i++)
            pn_free(blocks[i]);
        assert_int_equal(pn_alloc_live(), before);
    }
    void *block = pn_alloc(1);
    assert_non_null(block);
    pn_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live__counts_every_way_to_get_and_to_free),
        cmocka_unit_test(free_foreign__does_not_count),
        cmocka_unit_test(zero_bytes__give_a_block_that_can_grow),
        cmocka_unit_test(absurd_sizes__are_refused),
        cmocka_unit_test(aligned__is_aligned),
        cmocka_unit_test(strndup__ends_in_a_nul),
        cmocka_unit_test(fail_after__fails_the_nth_and_all_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

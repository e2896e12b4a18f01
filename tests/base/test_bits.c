/*
 * test_bits.c - bitmaps of bytes and of words against an array of bools
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/bits.h"
#include "base/rng.h"

enum { N_BITS = 300 };

static void sizes__round_up(void **state)
{
    (void)state;
    for (size_t n = 0; n < 1000; n++) {
        assert_int_equal(pn_bytes_for_bits(n), (n + 7) / 8);
        assert_int_equal(pn_words_for_bits(n), (n + 63) / 64);
    }
    assert_true(pn_bytes_for_bits(SIZE_MAX) == SIZE_MAX / 8 + 1); // where n + 7 would wrap
    assert_true(pn_words_for_bits(SIZE_MAX) == SIZE_MAX / 64 + 1);
}

static void bits__are_an_array_of_bools(void **state)
{
    (void)state;
    bool model[N_BITS] = {0};
    uint8_t bytes[(N_BITS + 7) / 8] = {0};
    uint64_t words[(N_BITS + 63) / 64] = {0};
    pn_rng rng = pn_rng_seed(4);
    for (int round = 0; round < 2000; round++) {
        size_t i = pn_rng_below(&rng, N_BITS);
        model[i] = pn_rng_below(&rng, 3) > 0;
        if (model[i]) {
            pn_bit_set(bytes, i);
            pn_word_bit_set(words, i);
        } else {
            pn_bit_clear(bytes, i);
            words[i / 64] &= ~((uint64_t)1 << i % 64);
        }
        for (size_t b = 0; b < N_BITS; b++) {
            assert_int_equal(pn_bit_get(bytes, b), model[b]);
            assert_int_equal(pn_word_bit_get(words, b), model[b]);
        }
        assert_memory_equal(bytes, words, sizeof bytes); // the same bits in the same order
    }
}

static void words__are_counted_and_searched(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(5);
    for (int round = 0; round < 1000; round++) {
        uint64_t word = pn_rng_u64(&rng) & pn_rng_u64(&rng) & pn_rng_u64(&rng);
        word |= (uint64_t)1 << pn_rng_below(&rng, 64);
        unsigned n = 0, lowest = 64;
        for (unsigned i = 0; i < 64; i++)
            if (word >> i & 1u) {
                lowest = lowest == 64 ? i : lowest;
                n++;
            }
        assert_int_equal(pn_popcount64(word), n);
        assert_int_equal(pn_lowest_bit(word), lowest);
    }
    assert_int_equal(pn_popcount64(0), 0);
    assert_int_equal(pn_popcount64(UINT64_MAX), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes__round_up),
        cmocka_unit_test(bits__are_an_array_of_bools),
        cmocka_unit_test(words__are_counted_and_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_hash.c - XXH3's published values, and pieces against the whole
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"

#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_SCALAR // the definition, beside what the library made of it
#include <xxhash.h>

static void hashes__are_xxh3(void **state)
{
    (void)state;
    char text[PN_HASH_TEXT_BYTES];
    assert_true(pn_hash64("", 0) == 0x2D06800538D394C2u); // as xxhsum -H3 and -H2 print them
    pn_hash128_text("", 0, text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
    assert_int_equal(strlen(text), PN_HASH_TEXT_BYTES - 1);
    assert_true(pn_hash64("a", 1) != pn_hash64("b", 1));
    assert_true(pn_hash64("a", 1) != pn_hash64("a\0", 2));
}

/* The library chooses among several loops by the processor; files on disks hold what they gave. */
static void long_ones__hash_as_the_plain_code_does(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    uint8_t *bytes = malloc(N);
    pn_rng rng = pn_rng_seed(8);
    for (size_t i = 0; i < N; i++)
        bytes[i] = (uint8_t)pn_rng_u64(&rng);
    for (int round = 0; round < 2000; round++) {
        size_t n = round == 0 ? N : pn_rng_below(&rng, round < 1000 ? 600 : 9000);
        char text[PN_HASH_TEXT_BYTES], want[PN_HASH_TEXT_BYTES];
        const XXH128_hash_t hash = XXH3_128bits(bytes, n);
        (void)snprintf(want, sizeof want, "%016llx%016llx", (unsigned long long)hash.high64,
                       (unsigned long long)hash.low64);
        pn_hash128_text(bytes, n, text);
        assert_string_equal(text, want);
        assert_true(pn_hash64(bytes, n) == XXH3_64bits(bytes, n));
    }
    free(bytes);
}

static void pieces__hash_as_the_whole(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint8_t bytes[N];
    pn_rng rng = pn_rng_seed(6);
    for (size_t i = 0; i < N; i++)
        bytes[i] = (uint8_t)pn_rng_u64(&rng);
    for (int round = 0; round < 200; round++) {
        char whole[PN_HASH_TEXT_BYTES], pieces[PN_HASH_TEXT_BYTES];
        size_t n = pn_rng_below(&rng, N + 1);
        pn_hasher *hasher = pn_hasher_create();
        assert_non_null(hasher);
        for (size_t at = 0; at < n;) {
            size_t piece = 1 + pn_rng_below(&rng, n - at);
            pn_hasher_update(hasher, bytes + at, piece);
            at += piece;
            pn_hasher_text(hasher, pieces); // looking changes nothing
        }
        pn_hasher_text(hasher, pieces);
        pn_hasher_free(hasher);
        pn_hash128_text(bytes, n, whole);
        assert_string_equal(pieces, whole);
    }
}

static void no_memory__is_null(void **state)
{
    (void)state;
    int64_t live = pn_alloc_live();
    pn_alloc_fail_after(1);
    assert_null(pn_hasher_create());
    pn_alloc_fail_after(0);
    pn_hasher_free(NULL);
    assert_int_equal(pn_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes__are_xxh3),
        cmocka_unit_test(long_ones__hash_as_the_plain_code_does),
        cmocka_unit_test(pieces__hash_as_the_whole),
        cmocka_unit_test(no_memory__is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

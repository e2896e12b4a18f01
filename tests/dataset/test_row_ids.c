/*
 * test_row_ids.c - stable row ids: what is written reads back, what is damaged is refused
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/rng.h"
#include "dataset/row_ids.h"

static void expect(const uint8_t *data, size_t n_bytes, const uint64_t *want, size_t n)
{
    pn_arena arena;
    pn_error err = {0};
    uint64_t *ids;
    Pn__Table__DataFragment fragment = PN__TABLE__DATA_FRAGMENT__INIT;
    fragment.has_inline_row_ids = 1;
    fragment.inline_row_ids = (ProtobufCBinaryData){n_bytes, (uint8_t *)(uintptr_t)data};
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_row_ids_decode(&fragment, n, &arena, &ids, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_memory_equal(ids, want, n * sizeof *ids);
    for (size_t other = 0; other < n + 2; other++) // another number of rows is noticed
        if (other != n)
            assert_int_equal(pn_row_ids_decode(&fragment, other, &arena, &ids, &err),
                             PN_ERR_CORRUPT);
    pn_arena_reset(&arena);
}

static void each_kind_of_segment__is_read(void **state)
{
    /* As LanceDB writes them: a range, the bitmap of its update of ids 0, 1, 2, 4, and by hand the others. */
    static const uint8_t range[] = {0x0a, 6, 0x0a, 4, 0x08, 60, 0x10, 64};
    static const uint8_t bits[] = {0x0a, 7, 0x1a, 5, 0x10, 5, 0x1a, 1, 0x17};
    static const uint8_t far_holes[] = {0x0a, 18, 0x12, 16, 0x08, 10, 0x10, 16, 0x1a, 10,
                                        0x0a, 8,  0x08, 11, 0x12, 4,  0,    0,  3,    0};
    static const uint8_t array[] = {0x0a, 14, 0x2a, 12, 0x12, 10, 0x12, 8, 9, 0, 0, 0, 2, 0, 0, 0};
    static const uint64_t want_range[] = {60, 61, 62, 63}, want_bits[] = {0, 1, 2, 4};
    static const uint64_t want_far[] = {10, 12, 13, 15}, want_array[] = {9, 2};
    (void)state;
    expect(range, sizeof range, want_range, 4);
    expect(bits, sizeof bits, want_bits, 4);
    expect(far_holes, sizeof far_holes, want_far, 4);
    expect(array, sizeof array, want_array, 2);
}

static void round_trip(const uint64_t *ids, size_t n, size_t most_bytes)
{
    pn_arena arena;
    pn_error err = {0};
    ProtobufCBinaryData out;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_row_ids_encode(ids, n, &arena, &out, &err), PN_OK);
    expect(out.data, out.len, ids, n);
    if (out.len > most_bytes)
        fail_msg("%zu ids took %zu bytes", n, out.len);
    pn_arena_reset(&arena);
}

static void any_list__reads_back(void **state)
{
    static uint64_t ids[3000];
    pn_rng rng = pn_rng_seed(5);
    (void)state;
    round_trip(ids, 0, 0);
    for (size_t i = 0; i < 3000; i++)
        ids[i] = 1000 + i;
    round_trip(ids, 1, 16);
    round_trip(ids, 3000, 16); // one range
    for (size_t i = 0; i < 3000; i++)
        ids[i] = i + i / 10;
    round_trip(ids, 3000, 500); // a bit an id
    for (size_t i = 0; i < 3000; i++)
        ids[i] = i * 1000000007;
    round_trip(ids, 3000, 24100);
    for (int round = 0; round < 200; round++) {
        size_t n = 1 + (size_t)pn_rng_below(&rng, 300);
        uint64_t id = pn_rng_below(&rng, 1000);
        for (size_t i = 0; i < n; i++) { // ascents of any length, some gaps, some falls
            ids[i] = id;
            uint64_t dice = pn_rng_below(&rng, 40);
            id = dice == 0 ? pn_rng_below(&rng, 100000) : id + 1 + (dice < 5 ? dice : 0);
        }
        round_trip(ids, n, n * 9 + 64);
    }
}

/* A range cannot tell an end beyond the last number, nor a bitmap a span that has no count. */
static void ids_at_the_end_of_all_numbers__read_back(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 40; n++) {
        uint64_t ids[40], *back;
        pn_arena arena;
        pn_error err = {0};
        Pn__Table__DataFragment fragment = PN__TABLE__DATA_FRAGMENT__INIT;
        pn_arena_init(&arena, SIZE_MAX);
        for (int from_zero = 0; from_zero < 2; from_zero++) {
            for (size_t i = 0; i < n; i++)
                ids[i] = from_zero && i + 1 < n ? i : UINT64_MAX - (n - 1 - i);
            fragment.has_inline_row_ids = 1;
            assert_int_equal(pn_row_ids_encode(ids, n, &arena, &fragment.inline_row_ids, &err),
                             PN_OK);
            assert_int_equal(pn_row_ids_decode(&fragment, n, &arena, &back, &err), PN_OK);
            assert_memory_equal(back, ids, n * sizeof *ids);
        }
        pn_arena_reset(&arena);
    }
}

static void versions__read_back(void **state)
{
    uint64_t versions[100], *back;
    pn_arena arena;
    pn_error err = {0};
    Pn__Table__DataFragment fragment = PN__TABLE__DATA_FRAGMENT__INIT;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < 100; i++)
        versions[i] = 3 + i / 30;
    fragment.has_inline_created_at = 1;
    assert_int_equal(
        pn_row_versions_encode(versions, 100, &arena, &fragment.inline_created_at, &err), PN_OK);
    assert_int_equal(pn_row_created_decode(&fragment, 100, &arena, &back, &err), PN_OK);
    assert_memory_equal(back, versions, sizeof versions);
    assert_int_equal(pn_row_updated_decode(&fragment, 100, &arena, &back, &err), PN_OK);
    assert_memory_equal(back, versions, sizeof versions);
    assert_int_equal(pn_row_created_decode(&fragment, 50, &arena, &back, &err), PN_ERR_CORRUPT);
    /* Of LanceDB's compaction: ids 5 and 7 to 9 of version 1, then rows 0 to 3 of version 4: the second span begins anew. */
    static uint8_t compacted[] = {0x0a, 13, 0x0a, 9, 0x1a, 7, 0x08, 5, 0x10, 10, 0x1a, 1, 0x1d,
                                  0x10, 1,  0x0a, 8, 0x0a, 4, 0x0a, 2, 0x10, 4,  0x10, 4};
    const uint64_t want[] = {1, 1, 1, 1, 4, 4, 4, 4};
    fragment.inline_created_at = (ProtobufCBinaryData){sizeof compacted, compacted};
    assert_int_equal(pn_row_created_decode(&fragment, 8, &arena, &back, &err), PN_OK);
    assert_memory_equal(back, want, sizeof want);
    pn_arena_reset(&arena);
}

static void damaged_bytes__are_refused(void **state)
{
    uint64_t ids[40], *back;
    pn_arena arena;
    pn_error err = {0};
    ProtobufCBinaryData out;
    Pn__Table__DataFragment fragment = PN__TABLE__DATA_FRAGMENT__INIT;
    (void)state;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_row_ids_decode(&fragment, 40, &arena, &back, &err), PN_ERR_CORRUPT);
    for (size_t i = 0; i < 40; i++)
        ids[i] = i * 3 % 41;
    assert_int_equal(pn_row_ids_encode(ids, 40, &arena, &out, &err), PN_OK);
    fragment.has_inline_row_ids = 1;
    for (size_t i = 0; i < out.len * 8; i++) { // any bit: refused, or ids for all rows
        out.data[i / 8] ^= (uint8_t)(1u << i % 8);
        fragment.inline_row_ids = out;
        pn_status status = pn_row_ids_decode(&fragment, 40, &arena, &back, &err);
        assert_true(status == PN_OK || status == PN_ERR_CORRUPT);
        out.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    fragment.has_external_row_ids = 1;
    assert_int_equal(pn_row_ids_decode(&fragment, 40, &arena, &back, &err), PN_ERR_UNSUPPORTED);
    pn_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_segment__is_read),
        cmocka_unit_test(any_list__reads_back),
        cmocka_unit_test(ids_at_the_end_of_all_numbers__read_back),
        cmocka_unit_test(versions__read_back),
        cmocka_unit_test(damaged_bytes__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

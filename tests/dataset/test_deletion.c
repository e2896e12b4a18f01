/*
 * test_deletion.c - deletion files: every container kind of the bitmaps, and damage
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <roaring/roaring.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/endian.h"
#include "base/rng.h"
#include "dataset/deletion.h"
#include "os/dir.h"
#include "os/fd.h"

enum { N_ROWS = 300000 };

static pn_status parse(const void *bytes, size_t n, uint32_t n_rows, uint64_t **words,
                       pn_error *err)
{
    return pn_deletion_parse(bytes, n, "some.bin", true, n_rows, words, err);
}

/* Sparse, dense, in runs, empty: by the kind, which also decides whether runs are kept as such. */
static roaring_bitmap_t *random_bitmap(pn_rng *rng, int kind)
{
    roaring_bitmap_t *bitmap = roaring_bitmap_create();
    for (int i = 0; i < 3 && kind > 0; i++) {
        uint32_t first = (uint32_t)pn_rng_below(rng, N_ROWS);
        if (kind == 1)
            for (int k = 0; k < 500; k++)
                roaring_bitmap_add(bitmap, (uint32_t)pn_rng_below(rng, N_ROWS));
        if (kind == 2)
            for (int k = 0; k < 60000; k++)
                roaring_bitmap_add(bitmap, (uint32_t)pn_rng_below(rng, N_ROWS));
        uint64_t end = first + 1 + pn_rng_below(rng, 100000);
        if (kind >= 3)
            roaring_bitmap_add_range(bitmap, first, PN_MIN((uint64_t)N_ROWS, end));
    }
    if (kind == 5) // runs and arrays mixed
        for (int k = 0; k < 40; k++)
            roaring_bitmap_add(bitmap, (uint32_t)pn_rng_below(rng, N_ROWS));
    if (kind >= 4)
        roaring_bitmap_run_optimize(bitmap);
    return bitmap;
}

static void bitmaps__of_every_kind_are_read(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(3);
    for (int round = 0; round < 60; round++) {
        pn_error err = {0};
        uint64_t *words, n = 0;
        roaring_bitmap_t *bitmap = random_bitmap(&rng, round % 6);
        size_t n_bytes = roaring_bitmap_portable_size_in_bytes(bitmap);
        char *bytes = pn_alloc(n_bytes);
        assert_int_equal(roaring_bitmap_portable_serialize(bitmap, bytes), n_bytes);
        if (parse(bytes, n_bytes, N_ROWS, &words, &err) != PN_OK)
            fail_msg("kind %d: %s", round % 6, err.message);
        for (uint32_t i = 0; i < N_ROWS; i++)
            n += pn_word_bit_get(words, i);
        assert_int_equal(n, roaring_bitmap_get_cardinality(bitmap));
        roaring_uint32_iterator_t *row = roaring_create_iterator(bitmap);
        for (; row->has_value; roaring_advance_uint32_iterator(row))
            assert_true(pn_word_bit_get(words, row->current_value));
        roaring_free_uint32_iterator(row);
        pn_free(words);
        pn_free(bytes);
        roaring_bitmap_free(bitmap);
    }
}

static void what_is_written__reads_back(void **state)
{
    (void)state;
    pn_arena arena;
    char *folder;
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(5);
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(pn_dir_make_temporary("test_deletion", &arena, &folder, &err), PN_OK);
    static const uint32_t sizes[] = {1, 63, 64, 65, 65535, 65536, 65537, 200000};
    for (size_t s = 0; s < PN_COUNT_OF(sizes) * 3; s++) {
        uint32_t n_rows = sizes[s / 3];
        uint64_t n = 0, *back;
        uint64_t *words = PN_ARENA_NEW(&arena, uint64_t, pn_words_for_bits(n_rows));
        for (uint32_t i = 0; i < n_rows; i++) {
            if (pn_rng_below(&rng, s % 3 == 0 ? 100 : s % 3 == 1 ? 2 : 1) != 0)
                continue;
            pn_word_bit_set(words, i);
            n++;
        }
        Pn__Table__DeletionFile file;
        assert_int_equal(pn_deletion_write(folder, 4, 17, words, n_rows, NULL, &file, &err), PN_OK);
        assert_int_equal(file.num_deleted_rows, n);
        if (pn_deletion_read(folder, 4, &file, n_rows, &back, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_memory_equal(back, words, pn_words_for_bits(n_rows) * sizeof *words);
        pn_free(back);
        pn_deletion_remove(folder, 4, &file);
        assert_int_equal(pn_deletion_read(folder, 4, &file, n_rows, &back, &err), PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "_deletions/4-17-"));
    }
    assert_int_equal(pn_dir_remove_all(folder, NULL), PN_OK);
    pn_arena_reset(&arena);
}

static void damaged_bitmaps__are_refused_by_name(void **state)
{
    (void)state;
    /* one array container of rows 3 and 7: cookie, count, key and cardinality - 1, offset, values */
    static const uint8_t good[] = {0x3a, 0x30, 0,  0, 1, 0, 0, 0, 0, 0,
                                   1,    0,    16, 0, 0, 0, 3, 0, 7, 0};
    static const struct {
        size_t at;
        uint8_t value;
        const char *says;
    } faults[] = {{0, 0x3c, "cookie"},      {4, 2, "cut short"},    {6, 2, "cut short"},
                  {10, 2, "cut short"},     {10, 0, "behind"},      {16, 7, "order"},
                  {16, 9, "deletes row 9"}, {19, 1, "deletes row"}, {8, 1, "deletes row"}};
    pn_error err = {0};
    uint64_t *words;
    uint8_t bytes[sizeof good];
    assert_int_equal(parse(good, sizeof good, 8, &words, &err), PN_OK);
    assert_int_equal(words[0], 1u << 3 | 1u << 7);
    pn_free(words);
    for (size_t i = 0; i < PN_COUNT_OF(faults); i++) {
        memcpy(bytes, good, sizeof good);
        bytes[faults[i].at] = faults[i].value;
        assert_int_equal(parse(bytes, sizeof bytes, 8, &words, &err), PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "some.bin"));
        if (!strstr(err.message, faults[i].says))
            fail_msg("fault %zu: %s", i, err.message);
    }
    for (size_t n = 0; n < sizeof good; n++)
        assert_int_equal(parse(good, n, 8, &words, &err), PN_ERR_CORRUPT);
}

static void runs__stay_in_their_container(void **state)
{
    (void)state;
    /* cookie with one container, run flag, key 0, cardinality, one run of 5 from 0xfffe */
    uint8_t bytes[] = {0x3b, 0x30, 0, 0, 1, 0, 0, 4, 0, 1, 0, 0xfe, 0xff, 4, 0};
    pn_error err = {0};
    uint64_t *words;
    assert_int_equal(parse(bytes, sizeof bytes, 100000, &words, &err), PN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "run"));
    bytes[13] = 1; // two rows: to the container's end
    assert_int_equal(parse(bytes, sizeof bytes, 100000, &words, &err), PN_OK);
    assert_true(pn_word_bit_get(words, 0xffff) && pn_word_bit_get(words, 0xfffe));
    assert_false(pn_word_bit_get(words, 0x10000));
    pn_free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitmaps__of_every_kind_are_read),
        cmocka_unit_test(what_is_written__reads_back),
        cmocka_unit_test(damaged_bitmaps__are_refused_by_name),
        cmocka_unit_test(runs__stay_in_their_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_rowset.c - a set of row addresses against one bool an address
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "column/rowset.h"
#include "support/faults.h"

enum { N_FRAGMENTS = 40, MOST_ROWS = 150 };

static uint32_t fragment_id(size_t fragment)
{
    return fragment + 1 == N_FRAGMENTS ? UINT32_MAX : (uint32_t)(fragment * 7);
}

static uint32_t fragment_rows(size_t fragment)
{
    return (uint32_t)(fragment * 13 % MOST_ROWS);
}

static void set__holds_what_was_put_in(void **state)
{
    (void)state;
    static bool in[N_FRAGMENTS][MOST_ROWS], made[N_FRAGMENTS];
    pn_rng rng = pn_rng_seed(3);
    pn_rowset set;
    uint64_t count = 0;
    pn_rowset_init(&set);
    for (int i = 0; i < 3000; i++) {
        size_t f = pn_rng_below(&rng, N_FRAGMENTS);
        uint32_t n_rows = fragment_rows(f);
        pn_rowset_part *part;
        assert_int_equal(pn_rowset_part_get(&set, fragment_id(f), n_rows, &part, NULL), PN_OK);
        assert_int_equal(part->fragment_id, fragment_id(f));
        assert_int_equal(part->n_rows, n_rows);
        made[f] = true;
        if (n_rows == 0)
            continue;
        size_t row = pn_rng_below(&rng, n_rows);
        assert_int_equal(pn_word_bit_get(part->words, row), in[f][row]);
        pn_word_bit_set(part->words, row);
        count += !in[f][row];
        in[f][row] = true;
        assert_int_equal(pn_rowset_count(&set), count);
    }
    for (size_t p = 1; p < set.n_parts; p++)
        assert_true(set.parts[p - 1].fragment_id < set.parts[p].fragment_id);
    for (size_t f = 0; f < N_FRAGMENTS; f++) {
        const pn_rowset_part *part = pn_rowset_find(&set, fragment_id(f));
        assert_int_equal(part != NULL, made[f]);
        assert_null(pn_rowset_find(&set, fragment_id(f) ^ 1)); // no neighbour of it
        for (uint32_t row = 0; row < 2 * MOST_ROWS; row++)     // also past the fragment's end
            assert_int_equal(pn_rowset_has(&set, pn_row_addr_make(fragment_id(f), row)),
                             row < MOST_ROWS && in[f][row]);
    }
    pn_rowset_reset(&set);
    assert_int_equal(pn_rowset_count(&set), 0);
    assert_false(pn_rowset_has(&set, 0));
    assert_int_equal(pn_alloc_live(), 0);
}

static void a_fragment__has_one_number_of_rows(void **state)
{
    (void)state;
    pn_rowset set;
    pn_rowset_part *part;
    pn_error err = {0};
    pn_rowset_init(&set);
    assert_int_equal(pn_rowset_part_get(&set, 5, 10, &part, &err), PN_OK);
    assert_int_equal(pn_rowset_part_get(&set, 5, 11, &part, &err), PN_ERR_BUG);
    assert_string_equal(err.message, "fragment 5 has 10 rows and 11 rows");
    assert_int_equal(set.n_parts, 1);
    pn_rowset_reset(&set);
}

static pn_status fill(void *context, pn_error *err)
{
    pn_rowset set;
    pn_status status = PN_OK;
    (void)context;
    pn_rowset_init(&set);
    for (uint32_t f = 40; status == PN_OK && f-- > 0;) {
        pn_rowset_part *part;
        size_t before = set.n_parts;
        status = pn_rowset_part_get(&set, f, 100, &part, err);
        assert_int_equal(set.n_parts, before + (status == PN_OK));
        if (status == PN_OK)
            pn_word_bit_set(part->words, f);
    }
    assert_int_equal(pn_rowset_count(&set), set.n_parts);
    pn_rowset_reset(&set);
    return status;
}

static void no_memory__adds_nothing(void **state)
{
    (void)state;
    assert_int_equal(faults_each_allocation(fill, NULL), 40 + 4); // the list grows 8, 16, 32, 64
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set__holds_what_was_put_in),
        cmocka_unit_test(a_fragment__has_one_number_of_rows),
        cmocka_unit_test(no_memory__adds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

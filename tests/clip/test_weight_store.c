/*
 * test_weight_store.c - prepared weights as a file: what comes back is what was written, or nothing
 */
#include "base/alloc.h"
#include "clip/weight_store.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/scratch_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static const char KEY[PN_HASH_TEXT_BYTES] = "0123456789abcdef0123456789abcdef";
static const size_t PIECES[] = {1, 64, 0, 100, 70000, 4};

/* The walk that all phases make; pieces into out. */
static pn_status walk(pn_weight_store *store, void *out[PN_COUNT_OF(PIECES)])
{
    for (size_t i = 0; i < PN_COUNT_OF(PIECES); i++)
        PN_TRY(pn_weight_store_take(store, PIECES[i], &out[i], NULL));
    return PN_OK;
}

static void fill(pn_weight_store *store)
{
    void *pieces[PN_COUNT_OF(PIECES)];
    pn_weight_store_init(store);
    assert_int_equal(walk(store, pieces), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(PIECES); i++)
        assert_null(pieces[i]);
    assert_int_equal(pn_weight_store_begin_fill(store, NULL), PN_OK);
    memset(store->memory, 0, store->capacity);
    assert_int_equal(walk(store, pieces), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(PIECES); i++) {
        assert_int_equal((uintptr_t)pieces[i] % 64, 0);
        memset(pieces[i], (int)(i * 40 + 7), PIECES[i]);
    }
}

static char *save(scratch_folder *s, const char *name)
{
    pn_weight_store store = {0};
    const pn_store_facts facts = {.logit_scale = 12.5, .n_parameters = 77, .dim = 5};
    char *path = scratch_path(s, name);
    pn_error err = {0};
    fill(&store);
    if (pn_weight_store_save(&store, path, KEY, NULL, &facts, &err) != PN_OK)
        fail_msg("%s", err.message);
    pn_weight_store_reset(&store);
    return path;
}

static void file__gives_back_pieces_and_facts(void **state)
{
    char *path = save(*state, "a.weights");
    pn_weight_store store = {0};
    pn_store_facts facts;
    void *pieces[PN_COUNT_OF(PIECES)];
    assert_int_equal(pn_weight_store_map(&store, path, KEY, NULL, &facts, NULL), PN_OK);
    assert_true(facts.logit_scale == 12.5 && facts.n_parameters == 77 && facts.dim == 5);
    assert_int_equal(walk(&store, pieces), PN_OK);
    assert_int_equal(store.used, store.capacity);
    for (size_t i = 0; i < PN_COUNT_OF(PIECES); i++)
        for (size_t j = 0; j < PIECES[i]; j++)
            assert_int_equal(((const uint8_t *)pieces[i])[j], (uint8_t)(i * 40 + 7));
    /* a walk that wants more than there is */
    void *more;
    pn_error err = {0};
    assert_int_equal(pn_weight_store_take(&store, 1, &more, &err), PN_ERR_CORRUPT);
    assert_int_equal(pn_weight_store_take(&store, SIZE_MAX, &more, &err), PN_ERR_NOMEM);
    pn_weight_store_reset(&store);
}

static void expect_refused(const char *path, const char *key, pn_status want)
{
    pn_weight_store store = {0};
    pn_store_facts facts;
    pn_error err = {0};
    pn_status got = pn_weight_store_map(&store, path, key, NULL, &facts, &err);
    if (got != want || !strstr(err.message, path))
        fail_msg("status %d, expected %d: %s", got, want, err.message);
}

static void file__of_another_key_is_passed_over(void **state)
{
    char *path = save(*state, "a.weights");
    static const char other[PN_HASH_TEXT_BYTES] = "0123456789abcdef0123456789abcdee";
    expect_refused(path, other, PN_ERR_NOT_FOUND);
    expect_refused(scratch_path(*state, "nothing"), KEY, PN_ERR_NOT_FOUND);
}

static void file__cut_anywhere_is_refused(void **state)
{
    char *path = save(*state, "a.weights"), *cut = scratch_path(*state, "cut");
    size_t n;
    uint8_t *bytes = golden_read_bytes(path, &n);
    for (size_t length = 0; length < n; length += length < 300 ? 1 : 997) {
        golden_write_bytes(cut, bytes, length);
        expect_refused(cut, KEY, PN_ERR_CORRUPT);
    }
    golden_bytes_free(bytes);
}

/* Every bit of the header, and one in each 500 bytes of the rest, padding of the header apart: nobody reads that. */
static void file__with_a_flipped_bit_is_refused(void **state)
{
    char *path = save(*state, "a.weights"), *flipped = scratch_path(*state, "flipped");
    size_t n, accepted = 0;
    uint8_t *bytes = golden_read_bytes(path, &n);
    for (size_t bit = 0; bit < n * 8; bit += bit < 300 * 8 ? 1 : 3999) {
        pn_weight_store store = {0};
        pn_store_facts facts;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        golden_write_bytes(flipped, bytes, n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (pn_weight_store_map(&store, flipped, KEY, NULL, &facts, NULL) != PN_OK)
            continue;
        assert_true(bit / 8 < 4096 && bytes[bit / 8] == 0); /* the header's padding */
        accepted++;
        pn_weight_store_reset(&store);
    }
    print_message("  %zu flips in padding\n", accepted);
    golden_bytes_free(bytes);
}

static void save__leaves_nothing_beside_when_it_fails(void **state)
{
    scratch_folder *s = *state;
    pn_weight_store store = {0};
    const pn_store_facts facts = {0};
    char *path = scratch_path(s, "b.weights"), **names;
    size_t n;
    fill(&store);
    int failed = 0;
    for (int64_t fault = 1; fault < 20; fault++) {
        pn_error err = {0};
        pn_fd_fault_after(fault, 28 /* ENOSPC */);
        pn_status status = pn_weight_store_save(&store, path, KEY, NULL, &facts, &err);
        pn_fd_fault_after(0, 0);
        if (status == PN_OK)
            break;
        failed++;
        assert_int_equal(status, PN_ERR_IO);
        assert_non_null(strstr(err.message, "b.weights"));
        assert_int_equal(pn_dir_list(s->path, &s->arena, &names, &n, NULL), PN_OK);
        assert_int_equal(n, 0);
    }
    assert_true(failed >= 4); /* opening, three writes, the rename */
    pn_weight_store_reset(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file__gives_back_pieces_and_facts, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(file__of_another_key_is_passed_over, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(file__cut_anywhere_is_refused, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(file__with_a_flipped_bit_is_refused, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(save__leaves_nothing_beside_when_it_fails,
                                        scratch_folder_setup, scratch_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

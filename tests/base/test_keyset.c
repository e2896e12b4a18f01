/*
 * test_keyset.c - a set of texts against a sorted list, and with no memory
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/keyset.h"
#include "base/rng.h"
#include "support/faults.h"

static void add__says_what_is_new(void **state)
{
    (void)state;
    enum { N_TEXTS = 3000 };
    static bool seen[N_TEXTS];
    size_t n = 0;
    pn_rng rng = pn_rng_seed(7);
    pn_keyset *set;
    assert_int_equal(pn_keyset_create(&set, NULL), PN_OK);
    assert_int_equal(pn_keyset_count(set), 0);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        size_t which = pn_rng_below(&rng, N_TEXTS);
        int length = snprintf(text, sizeof text, "folder/%zu.jpg", which);
        bool is_new = seen[which];
        assert_int_equal(pn_keyset_has(set, pn_str_make(text, (size_t)length)), seen[which]);
        assert_int_equal(pn_keyset_add(set, pn_str_make(text, (size_t)length), &is_new, NULL),
                         PN_OK);
        assert_int_equal(is_new, !seen[which]);
        n += !seen[which];
        seen[which] = true;
        assert_int_equal(pn_keyset_count(set), n);
    }
    pn_keyset_free(set);
    assert_int_equal(pn_alloc_live(), 0);
}

static void texts__are_told_apart_by_every_byte(void **state)
{
    (void)state;
    static const pn_str texts[] = {{NULL, 0},  {"a", 1},    {"a\0", 2}, {"a\0b", 3},
                                   {"\0a", 2}, {"A", 1},    {" a", 2},  {"a\0c", 3},
                                   {"b", 1},   {"a\0b", 3}, {"", 0},    {NULL, 0}};
    pn_keyset *set;
    assert_int_equal(pn_keyset_create(&set, NULL), PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        bool is_new;
        assert_int_equal(pn_keyset_add(set, texts[i], &is_new, NULL), PN_OK);
        assert_int_equal(is_new, i < 9);
    }
    assert_int_equal(pn_keyset_count(set), 9);
    pn_keyset_free(set);
    pn_keyset_free(NULL);
}

static pn_status fill(void *context, pn_error *err)
{
    (void)context;
    pn_keyset *set;
    PN_TRY(pn_keyset_create(&set, err));
    pn_status status = PN_OK;
    size_t added = 0;
    for (int i = 0; status == PN_OK && i < 800; i++) { // enough for the table to grow a few times
        bool is_new;
        status = pn_keyset_add(set, pn_str_make((const char *)&i, sizeof i), &is_new, err);
        added += status == PN_OK;
    }
    assert_int_equal(pn_keyset_count(set), added);
    pn_keyset_free(set);
    return status;
}

static void no_memory__adds_nothing(void **state)
{
    (void)state;
    assert_true(faults_each_allocation(fill, NULL) > 800);
}

static void a_failed_add__can_be_repeated(void **state)
{
    (void)state;
    pn_keyset *set;
    assert_int_equal(pn_keyset_create(&set, NULL), PN_OK);
    for (int i = 0; i < 2000; i++) {
        bool is_new = false;
        pn_str text = pn_str_make((const char *)&i, sizeof i);
        for (int64_t n = 1; !is_new; n++) {
            pn_alloc_fail_after(n);
            pn_status status = pn_keyset_add(set, text, &is_new, NULL);
            pn_alloc_fail_after(0);
            assert_int_equal(is_new, status == PN_OK);
        }
        assert_int_equal(pn_keyset_count(set), i + 1);
    }
    for (int i = 0; i < 2000; i++) {
        bool is_new;
        assert_int_equal(pn_keyset_add(set, pn_str_make((const char *)&i, sizeof i), &is_new, NULL),
                         PN_OK);
        assert_false(is_new);
    }
    pn_keyset_free(set);
    assert_int_equal(pn_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add__says_what_is_new),
        cmocka_unit_test(texts__are_told_apart_by_every_byte),
        cmocka_unit_test(no_memory__adds_nothing),
        cmocka_unit_test(a_failed_add__can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

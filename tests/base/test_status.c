/*
 * test_status.c - error messages: filled, wrapped, cut between characters, never allocated
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"

static void fail__fills_the_error_and_returns_the_status(void **state)
{
    (void)state;
    pn_error err = {0};
    assert_int_equal(pn_fail(&err, PN_ERR_LIMIT, "%s: %d columns", "t.lance", 7), PN_ERR_LIMIT);
    assert_int_equal(err.status, PN_ERR_LIMIT);
    assert_string_equal(err.message, "t.lance: 7 columns");
    assert_int_equal(pn_fail(NULL, PN_ERR_IO, "nobody listens"), PN_ERR_IO);
    assert_int_equal(pn_fail_wrap(NULL, PN_ERR_IO, "nobody listens"), PN_ERR_IO);
    assert_int_equal(pn_fail_nomem(NULL), PN_ERR_NOMEM);
}

static void nomem__allocates_nothing(void **state)
{
    (void)state;
    pn_error err = {0};
    pn_alloc_fail_after(1);
    assert_int_equal(pn_fail_nomem(&err), PN_ERR_NOMEM);
    pn_alloc_fail_after(0);
    assert_int_equal(err.status, PN_ERR_NOMEM);
    assert_string_equal(err.message, "out of memory");
}

static void wrap__puts_the_context_in_front(void **state)
{
    (void)state;
    pn_error err = {0};
    (void)pn_fail(&err, PN_ERR_CORRUPT, "page 3: too short");
    assert_int_equal(pn_fail_wrap(&err, PN_ERR_IO, "%s: ", "a.lance"), PN_ERR_IO);
    assert_int_equal(err.status, PN_ERR_IO);
    assert_string_equal(err.message, "a.lance: page 3: too short");
    pn_error empty = {0};
    (void)pn_fail_wrap(&empty, PN_ERR_IO, "alone");
    assert_string_equal(empty.message, "alone");
}

/* Text of n bytes made of characters of 1 to 4 bytes; returns its length, which is n or a little less. */
static size_t make_text(pn_rng *rng, size_t n, char *out)
{
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x9A\xB2"};
    size_t at = 0;
    for (;;) {
        size_t length = 1 + pn_rng_below(rng, 4);
        if (at + length > n)
            break;
        memcpy(out + at, characters[length - 1], length);
        at += length;
    }
    out[at] = '\0';
    return at;
}

static void expect_cut(const pn_error *err, const char *whole)
{
    size_t n = strlen(err->message), n_whole = strlen(whole);
    assert_true(pn_str_is_utf8(pn_str_of(err->message)));
    assert_memory_equal(err->message, whole, n);
    if (n_whole < PN_ERROR_MESSAGE_BYTES)
        assert_int_equal(n, n_whole);
    else
        assert_in_range(n, PN_ERROR_MESSAGE_BYTES - 4, PN_ERROR_MESSAGE_BYTES - 1);
}

static void long_messages__are_cut_between_characters(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(13);
    for (int round = 0; round < 3000; round++) {
        char text[1024];
        pn_error err;
        memset(&err, 0xEE, sizeof err);
        (void)make_text(&rng, 480 + pn_rng_below(&rng, 60), text);
        (void)pn_fail(&err, PN_ERR_IO, "%s", text);
        expect_cut(&err, text);
    }
}

static void wrapped_messages__are_cut_between_characters(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(14);
    for (int round = 0; round < 3000; round++) {
        char inner[512], outer[1024], whole[2048];
        pn_error err = {0};
        (void)make_text(&rng, pn_rng_below(&rng, 500), inner);
        (void)make_text(&rng, pn_rng_below(&rng, round % 3 ? 60 : 800), outer);
        (void)pn_fail(&err, PN_ERR_IO, "%s", inner);
        (void)pn_fail_wrap(&err, PN_ERR_IO, "%s", outer);
        (void)snprintf(whole, sizeof whole, "%s%s", outer, inner);
        if (strlen(outer) < PN_ERROR_MESSAGE_BYTES - 4)
            expect_cut(&err, whole);
        else
            assert_true(pn_str_is_utf8(pn_str_of(err.message)));
    }
}

static void wrap__survives_a_message_without_an_end(void **state)
{
    (void)state;
    pn_error err = {.status = PN_ERR_IO};
    memset(err.message, 'm', sizeof err.message); // as a stranger may hand in
    (void)pn_fail_wrap(&err, PN_ERR_IO, "ctx: ");
    assert_int_equal(strlen(err.message), PN_ERROR_MESSAGE_BYTES - 1);
    assert_memory_equal(err.message, "ctx: mmm", 8);
}

static void every_status__has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = PN_OK; a <= PN_ERR_BUG; a++) {
        const char *name = pn_status_text((pn_status)a);
        assert_string_not_equal(name, "unknown");
        for (int b = PN_OK; b < a; b++)
            assert_string_not_equal(name, pn_status_text((pn_status)b));
    }
    assert_string_equal(pn_status_text(PN_OK), "ok");
    assert_string_equal(pn_status_text(PN_ERR_NOT_FOUND), "not_found");
    assert_string_equal(pn_status_text((pn_status)99), "unknown");
}

static pn_status try_it(pn_status inner, int *reached)
{
    PN_TRY(inner);
    ++*reached;
    return PN_OK;
}

static pn_status go_to_it(pn_status inner, int *reached)
{
    pn_status status = PN_ERR_BUG;
    PN_GOTO(done, inner);
    ++*reached;
done:
    return status;
}

static void try_and_goto__stop_at_a_failure(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(try_it(PN_ERR_IO, &reached), PN_ERR_IO);
    assert_int_equal(go_to_it(PN_ERR_LIMIT, &reached), PN_ERR_LIMIT);
    assert_int_equal(reached, 0);
    assert_int_equal(try_it(PN_OK, &reached), PN_OK);
    assert_int_equal(go_to_it(PN_OK, &reached), PN_OK);
    assert_int_equal(reached, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail__fills_the_error_and_returns_the_status),
        cmocka_unit_test(nomem__allocates_nothing),
        cmocka_unit_test(wrap__puts_the_context_in_front),
        cmocka_unit_test(long_messages__are_cut_between_characters),
        cmocka_unit_test(wrapped_messages__are_cut_between_characters),
        cmocka_unit_test(wrap__survives_a_message_without_an_end),
        cmocka_unit_test(every_status__has_a_name_of_its_own),
        cmocka_unit_test(try_and_goto__stop_at_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

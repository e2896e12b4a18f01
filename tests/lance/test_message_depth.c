/*
 * test_message_depth.c - messages nested too deep, and texts that would be cut, are seen before they are unpacked
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "lance/message_depth.h"

#include <lance.pb-c.h>

enum { ROOM = 1 << 18 };

/* "Any compression of (any compression of (...))", n of each, written from the inside out: 2 messages a step. */
static uint8_t *nest(size_t n, size_t *n_bytes)
{
    uint8_t *bytes = malloc(ROOM);
    size_t at = ROOM;
    assert_non_null(bytes);
    for (size_t i = 0; i < 2 * n; i++) {
        size_t length = ROOM - at;
        int width = length < 0x80 ? 1 : length < 0x4000 ? 2 : 3;
        for (int k = width - 1; k >= 0; k--)
            bytes[--at] = (uint8_t)((length >> (7 * k) & 0x7f) | (k < width - 1 ? 0x80 : 0));
        bytes[--at] = i % 2 == 0 ? 3 << 3 | 2 : 10 << 3 | 2; // General.values, Compression.general
    }
    *n_bytes = ROOM - at;
    memmove(bytes, bytes + at, *n_bytes);
    return bytes;
}

static bool is_fine(size_t n)
{
    size_t n_bytes;
    uint8_t *bytes = nest(n, &n_bytes);
    bool fine = pn_message_depth_is_fine(&pn__lance__compression__descriptor, bytes, n_bytes);
    free(bytes);
    return fine;
}

static void depth__has_a_limit(void **state)
{
    (void)state;
    assert_true(is_fine(1));
    assert_true(is_fine(PN_MESSAGE_MAX_DEPTH / 2));
    assert_false(is_fine(PN_MESSAGE_MAX_DEPTH / 2 + 1));
    assert_false(is_fine(20000));
}

/* It is what it was meant to be: the same bytes unpack, as deep as they are. */
static void nested_messages__unpack(void **state)
{
    (void)state;
    size_t n_bytes, depth = 0;
    uint8_t *bytes = nest(30, &n_bytes);
    Pn__Lance__Compression *message = pn__lance__compression__unpack(NULL, n_bytes, bytes);
    assert_non_null(message);
    for (const Pn__Lance__Compression *at = message; at && at->general; at = at->general->values)
        depth++;
    assert_int_equal(depth, 30);
    pn__lance__compression__free_unpacked(message, NULL);
    free(bytes);
}

static void damaged_messages__are_left_to_unpacking(void **state)
{
    static const uint8_t cut[] = {10 << 3 | 2, 200},
                         endless[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    (void)state;
    assert_true(pn_message_depth_is_fine(&pn__lance__compression__descriptor, NULL, 0));
    assert_true(pn_message_depth_is_fine(&pn__lance__compression__descriptor, cut, sizeof cut));
    assert_true(
        pn_message_depth_is_fine(&pn__lance__compression__descriptor, endless, sizeof endless));
}

static void texts__end_at_no_nul(void **state)
{
    char name[] = "a_b";
    Pn__Lance__Field field = PN__LANCE__FIELD__INIT, *fields[] = {&field};
    Pn__Lance__Schema schema = PN__LANCE__SCHEMA__INIT;
    uint8_t bytes[64];
    (void)state;
    field.name = name;
    schema.fields = fields;
    schema.n_fields = 1;
    size_t n = pn__lance__schema__pack(&schema, bytes);
    assert_true(n < sizeof bytes);
    assert_true(pn_message_texts_are_whole(&pn__lance__schema__descriptor, bytes, n));
    assert_true(pn_message_texts_are_whole(&pn__lance__schema__descriptor, NULL, 0));
    uint8_t *mark = memchr(bytes, '_', n);
    assert_non_null(mark);
    *mark = '\0';
    assert_false(pn_message_texts_are_whole(&pn__lance__schema__descriptor, bytes, n));
    assert_true(pn_message_texts_are_whole(&pn__lance__schema__descriptor, bytes, n - 1)); // cut
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth__has_a_limit),
        cmocka_unit_test(nested_messages__unpack),
        cmocka_unit_test(damaged_messages__are_left_to_unpacking),
        cmocka_unit_test(texts__end_at_no_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_uuid.c - version 4, as text, all different
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdlib.h>

#include "os/uuid.h"

enum { N = 2000 };

static int compare(const void *left, const void *right)
{
    return memcmp(left, right, 16);
}

static void uuids__are_version_4_and_different(void **state)
{
    (void)state;
    static uint8_t all[N][16];
    for (int i = 0; i < N; i++) {
        pn_uuid_make(all[i]);
        assert_int_equal(all[i][6] >> 4, 4);
        assert_int_equal(all[i][8] >> 6, 2); // the variant of RFC 4122
    }
    qsort(all, N, sizeof all[0], compare);
    for (int i = 1; i < N; i++)
        assert_memory_not_equal(all[i - 1], all[i], 16);
}

static void text__is_lower_case_with_dashes(void **state)
{
    (void)state;
    static const uint8_t uuid[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0x4D, 0xEF,
                                     0x80, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE};
    char text[PN_UUID_TEXT_BYTES];
    memset(text, 'x', sizeof text);
    pn_uuid_text(uuid, text);
    assert_string_equal(text, "01234567-89ab-4def-8012-3456789abcde");
}

static void random_bytes__fill_exactly_what_was_asked_for(void **state)
{
    (void)state;
    static uint8_t bytes[100002], other[100000];
    pn_random_bytes(bytes + 1, 100000); // more than the kernel gives at once uninterrupted
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[100001], 0);
    size_t counts[256] = {0};
    for (size_t i = 1; i <= 100000; i++)
        counts[bytes[i]]++;
    for (size_t i = 0; i < 256; i++) // 391 each; 7 standard deviations
        assert_in_range(counts[i], 250, 530);
    pn_random_bytes(other, sizeof other);
    assert_memory_not_equal(bytes + 1, other, sizeof other);
    pn_random_bytes(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuids__are_version_4_and_different),
        cmocka_unit_test(text__is_lower_case_with_dashes),
        cmocka_unit_test(random_bytes__fill_exactly_what_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

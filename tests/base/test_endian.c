/*
 * test_endian.c - least significant byte first, at every alignment
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/endian.h"

static void loads__take_the_least_significant_byte_first(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88};
    assert_int_equal(pn_load_le16(bytes), 0x8201);
    assert_int_equal(pn_load_le32(bytes), 0x84038201u);
    assert_true(pn_load_le64(bytes) == 0x8807860584038201u);
}

static void stores__are_the_inverse_at_any_address(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        uint8_t bytes[24];
        memset(bytes, 0xEE, sizeof bytes);
        pn_store_le64(bytes + shift, 0x1122334455667788u);
        assert_int_equal(bytes[shift], 0x88);
        assert_int_equal(bytes[shift + 7], 0x11);
        assert_int_equal(bytes[shift + 8], 0xEE);
        assert_true(pn_load_le64(bytes + shift) == 0x1122334455667788u);
        pn_store_le32(bytes + shift, 0xAABBCCDDu);
        assert_true(pn_load_le64(bytes + shift) == 0x11223344AABBCCDDu);
        pn_store_le16(bytes + shift, 0x0102);
        assert_true(pn_load_le64(bytes + shift) == 0x11223344AABB0102u);
        assert_int_equal(pn_load_le16(bytes + shift), 0x0102);
        assert_int_equal(pn_load_le32(bytes + shift), 0xAABB0102u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads__take_the_least_significant_byte_first),
        cmocka_unit_test(stores__are_the_inverse_at_any_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

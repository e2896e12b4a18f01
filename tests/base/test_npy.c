/*
 * test_npy.c - heads of NumPy files, and the numbers behind them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "base/endian.h"
#include "base/half.h"
#include "base/npy.h"

static void half__is_worth_what_the_standard_says(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= UINT16_MAX; bits++) {
        unsigned exponent = bits >> 10 & 31, mantissa = bits & 1023;
        double value = pn_half_value((uint16_t)bits);
        double magnitude =
            exponent == 0 ? ldexp(mantissa, -24) : ldexp(mantissa + 1024, (int)exponent - 25);
        assert_int_equal(!signbit(value), bits < 0x8000);
        if (exponent < 31 && fabs(value) != magnitude)
            fail_msg("%04x: %a, not %a", bits, value, magnitude);
        if (exponent == 31)
            assert_true(mantissa == 0 ? isinf(value) : isnan(value));
    }
}

/* A head of version 1.0, as NumPy pads it. */
static pn_str head_of(const char *dictionary, char *room)
{
    size_t n = strlen(dictionary), all = (10 + n + 1 + 63) / 64 * 64;
    memset(room, ' ', all);
    memcpy(room, "\x93NUMPY\x01\x00", 8);
    pn_store_le16((uint8_t *)room + 8, (uint16_t)(all - 10));
    memcpy(room + 10, dictionary, n);
    room[all - 1] = '\n';
    return pn_str_make(room, all);
}

static void head__says_what_the_array_is(void **state)
{
    (void)state;
    static const struct {
        const char *dictionary;
        size_t number_bytes, n_dims;
        uint64_t shape[3];
    } cases[] = {
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (3, 512), }", 2, 2, {3, 512}},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (512,), }", 4, 1, {512}},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (), }", 8, 0, {0}},
        {"{'shape': (1,2,0), 'fortran_order': False, 'descr': '<f2'}", 2, 3, {1, 2, 0}},
    };
    char room[512];
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_npy_header header;
        pn_str head = head_of(cases[i].dictionary, room);
        memset(&header, 0xAA, sizeof header);
        assert_int_equal(pn_npy_header_bytes((const uint8_t *)head.ptr), head.len);
        assert_int_equal(pn_npy_header_parse(head, &header, NULL), PN_OK);
        assert_int_equal(header.number_bytes, cases[i].number_bytes);
        assert_int_equal(header.n_dims, cases[i].n_dims);
        for (size_t d = 0; d < header.n_dims; d++)
            assert_int_equal(header.shape[d], cases[i].shape[d]);
    }
}

static void head__names_what_is_not_taken(void **state)
{
    (void)state;
    static const struct {
        const char *dictionary, *message;
    } cases[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2), }", "holds '>f4', not float16"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1, 2), }", "holds '<i8', not float16"},
        {"{'descr': [('a', '<f2')], 'fortran_order': False, 'shape': (1,), }", "holds [('a', not"},
        {"{'descr': '\x1b[2J', 'fortran_order': False, 'shape': (1,), }", "holds ', not"},
        {"{'fortran_order': False, 'shape': (1,), }", "holds something, not"},
        {"{'descr': '<f2', 'fortran_order': True, 'shape': (1, 2), }", "ordered by columns"},
        {"{'descr': '<f2', 'shape': (1, 2), }", "ordered by columns"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (1, x), }", "no shape"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (,), }", "no shape"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2", "no shape"},
        {"{'descr': '<f2', 'fortran_order': False, }", "no shape"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (18446744073709551616,), }",
         "no shape"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
         "more than 8 dimensions"},
    };
    char room[512];
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_npy_header header;
        if (pn_npy_header_parse(head_of(cases[i].dictionary, room), &header, &err) == PN_OK)
            fail_msg("case %zu is taken", i);
        if (!strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
    }
    assert_int_equal(pn_npy_header_bytes((const uint8_t *)"\x93NUMPY\x04\x00\x10\x00\x00\x00"), 0);
    assert_int_equal(pn_npy_header_bytes((const uint8_t *)"\x93NUMPY\x02\x00\x10\x00\x01\x00"),
                     12 + 16 + 65536);
    assert_int_equal(pn_npy_header_bytes((const uint8_t *)"[1, 2, 3, 4]"), 0);
}

static void head__written_reads_back(void **state)
{
    (void)state;
    static const struct {
        size_t n_dims;
        uint64_t shape[PN_NPY_MAX_DIMS];
        const char *text;
    } cases[] = {
        {2, {UINT64_MAX, 768}, "'shape': (18446744073709551615, 768), }"},
        {1, {512}, "'shape': (512,), }"},
        {3, {3, 224, 224}, "'shape': (3, 224, 224), }"},
        {0, {0}, "'shape': (), }"},
        {PN_NPY_MAX_DIMS, {UINT64_MAX, 1, 2, 3, 4, 5, 6, UINT64_MAX}, "1, 2, 3, 4, 5, 6, "},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_buffer bytes;
        pn_npy_header header;
        pn_buffer_init(&bytes, 4096);
        assert_int_equal(pn_npy_header_append(cases[i].shape, cases[i].n_dims, &bytes, NULL),
                         PN_OK);
        assert_int_equal(bytes.n_bytes % 64, 0);
        assert_int_equal(pn_npy_header_bytes(bytes.data), bytes.n_bytes);
        pn_str head = pn_str_make((const char *)bytes.data, bytes.n_bytes);
        assert_int_equal(pn_npy_header_parse(head, &header, NULL), PN_OK);
        assert_int_equal(header.number_bytes, 4);
        assert_int_equal(header.n_dims, cases[i].n_dims);
        assert_memory_equal(header.shape, cases[i].shape, cases[i].n_dims * sizeof *header.shape);
        assert_non_null(strstr(pn_buffer_text(&bytes) + 10, cases[i].text));
        pn_buffer_reset(&bytes);
    }
}

static void numbers__are_read_exactly_wherever_they_lie(void **state)
{
    (void)state;
    static const uint8_t halves[] = "x\x00\x3C\x00\xC0\xFF\x7B\x01\x00\x00\xFC";
    static const double worth[] = {1, -2, 65504, 0x1p-24, -INFINITY};
    static const float singles[] = {0.1f, -INFINITY, FLT_MAX};
    static const double doubles[] = {0.1, 1e300, -0.0};
    uint8_t moved[64];
    double out[5];
    pn_npy_numbers(&(pn_npy_header){.number_bytes = 2}, halves + 1, 5, out);
    assert_memory_equal(out, worth, sizeof worth);
    memcpy(moved + 1, singles, sizeof singles);
    pn_npy_numbers(&(pn_npy_header){.number_bytes = 4}, moved + 1, 3, out);
    for (size_t i = 0; i < 3; i++)
        assert_true(out[i] == (double)singles[i]);
    memcpy(moved + 1, doubles, sizeof doubles);
    pn_npy_numbers(&(pn_npy_header){.number_bytes = 8}, moved + 1, 3, out);
    assert_memory_equal(out, doubles, sizeof doubles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half__is_worth_what_the_standard_says),
        cmocka_unit_test(head__says_what_the_array_is),
        cmocka_unit_test(head__names_what_is_not_taken),
        cmocka_unit_test(head__written_reads_back),
        cmocka_unit_test(numbers__are_read_exactly_wherever_they_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

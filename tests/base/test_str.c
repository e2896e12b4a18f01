/*
 * test_str.c - borrowed text: comparing, splitting, numbers whatever the locale, UTF-8
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/str.h"

static const pn_str nothing = {NULL, 0};

static void equal__compares_every_byte(void **state)
{
    (void)state;
    assert_true(pn_str_equal(nothing, PN_STR_LITERAL("")));
    assert_true(pn_str_is(nothing, ""));
    assert_true(pn_str_equal(nothing, pn_str_of(NULL)));
    assert_true(pn_str_equal(pn_str_make("a\0b", 3), pn_str_make("a\0b", 3)));
    assert_false(pn_str_equal(pn_str_make("a\0b", 3), pn_str_make("a\0c", 3)));
    assert_false(pn_str_is(pn_str_of("ab"), "a"));
    assert_false(pn_str_is(pn_str_of("ab"), "abc"));
}

static void compare__is_the_order_of_bytes(void **state)
{
    (void)state;
    static const pn_str sorted[] = {{"", 0},
                                    {"\0", 1},
                                    {"A", 1},
                                    {"AB", 2},
                                    {"B", 1},
                                    {"a", 1},
                                    {"a\0", 2},
                                    {"aa", 2},
                                    {"z", 1},
                                    {"\xC3\xA9", 2},
                                    {"\xE2\x82\xAC", 3},
                                    {"\xFF", 1}};
    for (size_t a = 0; a < PN_COUNT_OF(sorted); a++)
        for (size_t b = 0; b < PN_COUNT_OF(sorted); b++) {
            int order = pn_str_compare(sorted[a], sorted[b]);
            assert_int_equal(order > 0, a > b);
            assert_int_equal(order < 0, a < b);
        }
    assert_int_equal(pn_str_compare(nothing, nothing), 0);
    assert_true(pn_str_compare(nothing, sorted[1]) < 0);
}

static void ignore_case__folds_ascii_only(void **state)
{
    (void)state;
    assert_true(pn_str_equal_ignore_case(pn_str_of("Is NULL"), pn_str_of("iS null")));
    assert_true(pn_str_equal_ignore_case(nothing, pn_str_of("")));
    assert_false(pn_str_equal_ignore_case(pn_str_of("ab"), pn_str_of("abc")));
    assert_false(pn_str_equal_ignore_case(pn_str_of("\xC3\x89"), pn_str_of("\xC3\xA9")));
    /* Neighbours of the letters: '@' and '`', '[' and '{' differ by the same bit as 'A' and 'a'. */
    assert_false(pn_str_equal_ignore_case(pn_str_of("@"), pn_str_of("`")));
    assert_false(pn_str_equal_ignore_case(pn_str_of("["), pn_str_of("{")));
}

static void starts_and_ends__are_found(void **state)
{
    (void)state;
    pn_str text = pn_str_of("photo.jpg");
    assert_true(pn_str_starts_with(text, "photo"));
    assert_true(pn_str_starts_with(text, "photo.jpg"));
    assert_true(pn_str_starts_with(text, ""));
    assert_false(pn_str_starts_with(text, "photo.jpgs"));
    assert_false(pn_str_starts_with(text, "Photo"));
    assert_true(pn_str_ends_with(text, ".jpg"));
    assert_true(pn_str_ends_with(text, ""));
    assert_false(pn_str_ends_with(text, "a photo.jpg"));
    assert_false(pn_str_ends_with(text, ".jp"));
    assert_true(pn_str_starts_with(nothing, ""));
    assert_true(pn_str_ends_with(nothing, ""));
    assert_false(pn_str_starts_with(nothing, "a"));
    assert_false(pn_str_ends_with(nothing, "a"));
}

static void trim__takes_white_space_off_both_ends(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {" ", ""},
                                           {" \t\n\v\f\r", ""},
                                           {"a", "a"},
                                           {" a b ", "a b"},
                                           {"\n\na\tb", "a\tb"},
                                           {"a\xC2\xA0", "a\xC2\xA0"}}; // a no-break space stays
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++)
        assert_true(pn_str_is(pn_str_trim(pn_str_of(cases[i][0])), cases[i][1]));
    assert_int_equal(pn_str_trim(nothing).len, 0);
}

static void split__gives_every_part_back(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *parts[4];
    } cases[] = {{"", 1, {""}},
                 {"a", 1, {"a"}},
                 {",", 2, {"", ""}},
                 {"a,b", 2, {"a", "b"}},
                 {"a,,b", 3, {"a", "", "b"}},
                 {",a,", 3, {"", "a", ""}}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        size_t n = 0;
        for (pn_str rest = pn_str_of(cases[i].text); rest.ptr; n++) {
            pn_str part = pn_str_split(&rest, ',');
            assert_true(n < cases[i].n);
            assert_true(pn_str_is(part, cases[i].parts[n]));
        }
        assert_int_equal(n, cases[i].n);
    }
    pn_str rest = nothing;
    assert_int_equal(pn_str_split(&rest, ',').len, 0);
    assert_null(rest.ptr);
}

static void u64__takes_digits_up_to_the_last_value(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "00", "7", "007", "18446744073709551615"};
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "1\xC2",
                                      "a",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150"};
    for (size_t i = 0; i < PN_COUNT_OF(good); i++) {
        uint64_t value = 1;
        assert_true(pn_str_to_u64(pn_str_of(good[i]), &value));
        assert_true(value == strtoull(good[i], NULL, 10));
    }
    for (size_t i = 0; i < PN_COUNT_OF(bad); i++) {
        uint64_t value = 77;
        assert_false(pn_str_to_u64(pn_str_of(bad[i]), &value));
        assert_int_equal(value, 77);
    }
    uint64_t value = 77;
    assert_false(pn_str_to_u64(nothing, &value));
    assert_false(pn_str_to_u64(pn_str_make("1\0", 2), &value)); // the whole of it
    assert_true(pn_str_to_u64(pn_str_make("123", 2), &value));
    assert_int_equal(value, 12);
}

static void i64__takes_a_sign_and_both_ends(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0", "-0", "+7", "-7", "9223372036854775807", "-9223372036854775808"};
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "--1",
                                      "+-1",
                                      "- 1",
                                      "1-",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551617",
                                      "-18446744073709551616"};
    for (size_t i = 0; i < PN_COUNT_OF(good); i++) {
        int64_t value = 1;
        assert_true(pn_str_to_i64(pn_str_of(good[i]), &value));
        assert_true(value == strtoll(good[i], NULL, 10));
    }
    for (size_t i = 0; i < PN_COUNT_OF(bad); i++) {
        int64_t value = 77;
        assert_false(pn_str_to_i64(pn_str_of(bad[i]), &value));
        assert_int_equal(value, 77);
    }
    pn_rng rng = pn_rng_seed(15);
    for (int i = 0; i < 10000; i++) {
        char text[32];
        int64_t value, want = (int64_t)(pn_rng_u64(&rng) >> pn_rng_below(&rng, 64));
        want = pn_rng_below(&rng, 2) ? want : -(want >> 1);
        (void)snprintf(text, sizeof text, "%" PRId64, want);
        assert_true(pn_str_to_i64(pn_str_of(text), &value));
        assert_true(value == want);
    }
}

static void double__takes_decimal_numbers_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},        {"-0", -0.0},       {"1.5", 1.5},
                {"+1.5", 1.5},   {".5", 0.5},        {"5.", 5},
                {"1e3", 1000},   {"1E-3", 0.001},    {"1e+3", 1000},
                {"1e-400", 0.0}, {"5e-324", 5e-324}, {"1.7976931348623157e308", DBL_MAX}};
    static const char *const bad[] = {"",    ".",     "-",      "e",        "1e",  "1e+",  "1.2.3",
                                      " 1",  "1 ",    "inf",    "-inf",     "nan", "NAN",  "0x1p3",
                                      "1,5", "1e400", "-1e400", "infinity", "1f",  "1_000"};
    for (size_t i = 0; i < PN_COUNT_OF(good); i++) {
        double value = 77;
        assert_true(pn_str_to_double(pn_str_of(good[i].text), &value));
        assert_memory_equal(&value, &good[i].value, sizeof value);
    }
    for (size_t i = 0; i < PN_COUNT_OF(bad); i++) {
        double value = 77;
        assert_false(pn_str_to_double(pn_str_of(bad[i]), &value));
        assert_true(value == 77);
    }
    double value;
    char zeros[200];
    memset(zeros, '0', sizeof zeros);
    assert_true(pn_str_to_double(pn_str_make(zeros, 127), &value));
    assert_true(value == 0);
    assert_false(pn_str_to_double(pn_str_make(zeros, 128), &value)); // longer than any number needs
    assert_false(pn_str_to_double(pn_str_make("1\0", 2), &value));
    assert_false(pn_str_to_double(nothing, &value));
}

static double any_double(pn_rng *rng)
{
    double value;
    do {
        uint64_t bits = pn_rng_u64(rng);
        if (pn_rng_below(rng, 8) == 0)
            bits &= 0x800FFFFFFFFFFFFFu >> pn_rng_below(rng, 3); // subnormal or small
        memcpy(&value, &bits, sizeof value);
        if (pn_rng_below(rng, 3) == 0)
            value = (double)(int64_t)(pn_rng_below(rng, 2000000) - 1000000) / 1000;
    } while (!isfinite(value));
    return value;
}

static void formatted_doubles__are_the_shortest_that_read_back(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(16);
    for (int i = 0; i < 20000; i++) {
        char text[PN_NUMBER_TEXT_BYTES], shortest[64];
        double value = any_double(&rng), back;
        pn_format_double(value, text);
        assert_true(pn_str_to_double(pn_str_of(text), &back));
        assert_true(back == value);
        for (int digits = 1; digits <= 17; digits++) {
            (void)snprintf(shortest, sizeof shortest, "%.*g", digits, value);
            if (strtod(shortest, NULL) == value)
                break;
        }
        assert_true(strlen(text) <= strlen(shortest)); // "120" and "1.2e+02" are one number
    }
}

static void formatted_floats__are_the_shortest_that_read_back(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(17);
    for (int i = 0; i < 20000; i++) {
        char text[PN_NUMBER_TEXT_BYTES], shortest[64];
        uint32_t bits = (uint32_t)pn_rng_u64(&rng);
        float value;
        if (i % 8 == 0)
            bits &= 0x807FFFFFu >> pn_rng_below(&rng, 3);
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        pn_format_float(value, text);
        assert_true(strtof(text, NULL) == value);
        for (int digits = 1; digits <= 9; digits++) {
            (void)snprintf(shortest, sizeof shortest, "%.*g", digits, (double)value);
            if (strtof(shortest, NULL) == value)
                break;
        }
        assert_true(strlen(text) <= strlen(shortest)); // "120" and "1.2e+02" are one number
    }
}

static void numbers__do_not_follow_the_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
    bool found = false;
    for (size_t i = 0; !found && i < PN_COUNT_OF(names); i++)
        found = setlocale(LC_ALL, names[i]) != NULL;
    double value;
    char text[PN_NUMBER_TEXT_BYTES];
    bool parsed = pn_str_to_double(pn_str_of("2.5"), &value) && value == 2.5;
    bool comma = pn_str_to_double(pn_str_of("2,5"), &value);
    pn_format_double(2.5, text);
    struct lconv *conventions = localeconv();
    bool has_comma = conventions->decimal_point[0] == ',';
    setlocale(LC_ALL, "C");
    assert_true(parsed);
    assert_false(comma);
    assert_string_equal(text, "2.5");
    if (!has_comma)
        print_message("no locale with a decimal comma is installed\n");
}

/* The definition: Unicode 15, table 3-7. */
static bool naive_is_utf8(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned char c = p[i];
        size_t more = c < 0x80 ? 0 : c >= 0xC2 && c <= 0xDF ? 1 : c >= 0xE0 && c <= 0xEF ? 2 : 3;
        if ((c >= 0x80 && c < 0xC2) || c > 0xF4 || n - i <= more)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((p[i + k] & 0xC0u) != 0x80)
                return false;
        if ((c == 0xE0 && p[i + 1] < 0xA0) || (c == 0xED && p[i + 1] > 0x9F) ||
            (c == 0xF0 && p[i + 1] < 0x90) || (c == 0xF4 && p[i + 1] > 0x8F))
            return false;
        i += more + 1;
    }
    return true;
}

static void utf8__is_what_unicode_says(void **state)
{
    (void)state;
    static const unsigned char interesting[] = {
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
        0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF, 0xBE};
    enum { N = sizeof interesting };
    unsigned char text[4];
    int n_good = 0;
    for (size_t all = 0; all < (size_t)N * N * N * N; all++) {
        for (size_t i = 0, rest = all; i < 4; i++, rest /= N)
            text[i] = interesting[rest % N];
        for (size_t n = 1 + all % 4; n <= 4; n += 3) {
            bool want = naive_is_utf8(text, n);
            n_good += want;
            if (pn_str_is_utf8(pn_str_make((const char *)text, n)) != want)
                fail_msg("%02x %02x %02x %02x, %zu bytes", text[0], text[1], text[2], text[3], n);
        }
    }
    assert_true(n_good > 1000);
    assert_true(pn_str_is_utf8(nothing));
}

static void hex_digits_and_counts(void **state)
{
    static const char digits[] = "0123456789abcdef", capitals[] = "0123456789ABCDEF";
    (void)state;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(pn_hex_digit(digits[i]), i);
        assert_int_equal(pn_hex_digit(capitals[i]), i);
    }
    for (const char *c = "/:@G`g \xB1"; *c; c++)
        assert_int_equal(pn_hex_digit(*c), -1);
    assert_int_equal(pn_hex_digit('\0'), -1);
    assert_int_equal(pn_str_count(pn_str_of("a,b,,"), ','), 3);
    assert_int_equal(pn_str_count(pn_str_of(""), ','), 0);
    assert_int_equal(pn_str_count((pn_str){NULL, 0}, ','), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_digits_and_counts),
        cmocka_unit_test(equal__compares_every_byte),
        cmocka_unit_test(compare__is_the_order_of_bytes),
        cmocka_unit_test(ignore_case__folds_ascii_only),
        cmocka_unit_test(starts_and_ends__are_found),
        cmocka_unit_test(trim__takes_white_space_off_both_ends),
        cmocka_unit_test(split__gives_every_part_back),
        cmocka_unit_test(u64__takes_digits_up_to_the_last_value),
        cmocka_unit_test(i64__takes_a_sign_and_both_ends),
        cmocka_unit_test(double__takes_decimal_numbers_only),
        cmocka_unit_test(formatted_doubles__are_the_shortest_that_read_back),
        cmocka_unit_test(formatted_floats__are_the_shortest_that_read_back),
        cmocka_unit_test(numbers__do_not_follow_the_locale),
        cmocka_unit_test(utf8__is_what_unicode_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

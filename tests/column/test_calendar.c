/*
 * test_calendar.c - every day of ten thousand years against the C library, and texts that are no times
 */
#define _GNU_SOURCE /* timegm */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>
#include <time.h>

#include "base/rng.h"
#include "column/calendar.h"

static const int64_t FIRST_DAY = -719528, LAST_DAY = 2932896, DAY_MS = 86400000;

static void days__are_those_of_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = FIRST_DAY; day <= LAST_DAY; day += day % 100 == 0 ? 1 : 3) {
        struct tm tm;
        time_t seconds = (time_t)(day * 86400);
        int64_t got;
        char text[PN_CALENDAR_TEXT_BYTES], want[PN_CALENDAR_TEXT_BYTES];
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(pn_calendar_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, &got));
        assert_true(got == day);
        (void)snprintf(want, sizeof want, "%04d-%02d-%02d", (tm.tm_year + 1900) % 10000,
                       (tm.tm_mon + 1) % 100, tm.tm_mday % 100);
        pn_calendar_format_date(day, text);
        assert_string_equal(text, want);
    }
}

/* A date is one when timegm() does not have to move it. */
static void days__that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const int years[] = {0, 1, 4, 100, 400, 1900, 1970, 2000, 2023, 2024, 2100, 9999};
    for (size_t y = 0; y < PN_COUNT_OF(years); y++)
        for (int month = -1; month <= 14; month++)
            for (int day = -1; day <= 33; day++) {
                struct tm tm = {.tm_year = years[y] - 1900, .tm_mon = month - 1, .tm_mday = day};
                int64_t got = 77;
                time_t seconds = timegm(&tm);
                bool exists = month >= 1 && tm.tm_year == years[y] - 1900 &&
                              tm.tm_mon == month - 1 && tm.tm_mday == day;
                assert_int_equal(pn_calendar_days(years[y], month, day, &got), exists);
                assert_true(got == (exists ? (int64_t)seconds / 86400 : 77));
            }
    int64_t got;
    assert_false(pn_calendar_days(-1, 1, 1, &got));
    assert_false(pn_calendar_days(10000, 1, 1, &got));
    assert_false(pn_calendar_days(INT64_MIN, INT64_MAX, INT64_MIN, &got));
}

static void texts__come_back_as_the_same_millisecond(void **state)
{
    (void)state;
    pn_rng rng = pn_rng_seed(2);
    for (int i = 0; i < 20000; i++) {
        int64_t ms = FIRST_DAY * DAY_MS +
                     (int64_t)pn_rng_below(&rng, (uint64_t)((LAST_DAY - FIRST_DAY + 1) * DAY_MS));
        int64_t back;
        char text[PN_CALENDAR_TEXT_BYTES];
        pn_calendar_format_ms(ms, text);
        assert_true(pn_calendar_parse_ms(pn_str_of(text), &back));
        if (back != ms)
            fail_msg("%s: %" PRId64 ", expected %" PRId64, text, back, ms);
    }
}

static void times_outside_the_calendar__are_plain_numbers(void **state)
{
    (void)state;
    const struct {
        int64_t days;
        const char *text;
    } cases[] = {{FIRST_DAY, "0000-01-01"},
                 {FIRST_DAY - 1, "-719529"},
                 {LAST_DAY, "9999-12-31"},
                 {LAST_DAY + 1, "2932897"},
                 {INT64_MIN, "-9223372036854775808"},
                 {INT64_MAX, "9223372036854775807"}};
    const struct {
        int64_t ms;
        const char *text;
    } times[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {-1, "1969-12-31T23:59:59.999Z"},
                 {FIRST_DAY * DAY_MS, "0000-01-01T00:00:00.000Z"},
                 {FIRST_DAY * DAY_MS - 1, "-62167219200001"},
                 {(LAST_DAY + 1) * DAY_MS - 1, "9999-12-31T23:59:59.999Z"},
                 {(LAST_DAY + 1) * DAY_MS, "253402300800000"},
                 {INT64_MIN, "-9223372036854775808"},
                 {INT64_MAX, "9223372036854775807"}};
    char text[PN_CALENDAR_TEXT_BYTES];
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_calendar_format_date(cases[i].days, text);
        assert_string_equal(text, cases[i].text);
    }
    for (size_t i = 0; i < PN_COUNT_OF(times); i++) {
        pn_calendar_format_ms(times[i].ms, text);
        assert_string_equal(text, times[i].text);
    }
}

static void units__become_milliseconds_rounded_down(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        pn_time_unit unit;
        int64_t ms;
    } cases[] = {
        {5, PN_UNIT_SECOND, 5000},
        {-5, PN_UNIT_SECOND, -5000},
        {INT64_MAX / 1000, PN_UNIT_SECOND, INT64_MAX / 1000 * 1000},
        {INT64_MAX / 1000 + 1, PN_UNIT_SECOND, INT64_MAX},
        {INT64_MIN / 1000, PN_UNIT_SECOND, INT64_MIN / 1000 * 1000},
        {INT64_MIN / 1000 - 1, PN_UNIT_SECOND, INT64_MIN},
        {INT64_MIN, PN_UNIT_MILLI, INT64_MIN},
        {1999, PN_UNIT_MICRO, 1},
        {-1, PN_UNIT_MICRO, -1},
        {-1000, PN_UNIT_MICRO, -1},
        {-1001, PN_UNIT_MICRO, -2},
        {1999999, PN_UNIT_NANO, 1},
        {-1, PN_UNIT_NANO, -1},
        {INT64_MIN, PN_UNIT_NANO, INT64_MIN / 1000000 - 1},
        {INT64_MAX, PN_UNIT_NANO, INT64_MAX / 1000000},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++)
        assert_true(pn_calendar_to_ms(cases[i].value, cases[i].unit) == cases[i].ms);
}

static void parse__reads_what_the_header_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01", 0},
        {"1970/01/02", 86400000},
        {"  1970-01-01\n", 0},
        {"1970-01-01T00:01", 60000},
        {"1970-01-01 00:01:02", 62000},
        {"1970-01-01t00:01:02z", 62000},
        {"1970-01-01T00:00:01.5", 1500},
        {"1970-01-01T00:00:01.25Z", 1250},
        {"1970-01-01T00:00:01.123999999999999999999", 1123},
        {"1970-01-01T08:00:00+08:00", 0},
        {"1970-01-01T08:00:00+0800", 0},
        {"1970-01-01T08:00+08", 0},
        {"1970-01-01T00:00-01:30", 5400000},
        {"1970-01-01T23:59:59.999-23:59", 86399999 + 86340000},
        {"0000-01-01T00:00:00Z", -62167219200000},
        {"0000-02-29", -62162121600000},
        {"9999-12-31T23:59:59.999", 253402300799999},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        int64_t ms = 0;
        if (!pn_calendar_parse_ms(pn_str_of(cases[i].text), &ms) || ms != cases[i].ms)
            fail_msg("%s: %" PRId64, cases[i].text, ms);
    }
}

static void parse__refuses_everything_else(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "2024",
        "2024-",
        "2024-3-17",
        "24-03-17",
        "2024-03",
        "2024-03-",
        "2024-03-1",
        "2024-03-17-",
        "2024-03/17",
        "2024.03.17",
        "20240317",
        "-024-03-17",
        "2024-13-01",
        "2024-00-01",
        "2024-02-30",
        "2023-02-29",
        "2024-03-17T",
        "2024-03-17x09:05",
        "2024-03-17T9:05",
        "2024-03-17T09",
        "2024-03-17T09:",
        "2024-03-17T09:5",
        "2024-03-17T09-05",
        "2024-03-17T24:00",
        "2024-03-17T09:60",
        "2024-03-17T09:05:60",
        "2024-03-17T09:05:",
        "2024-03-17T09:05:3",
        "2024-03-17T09:05.25", // a fraction is one of seconds
        "2024-03-17T09:05:30.",
        "2024-03-17T09:05:30.Z",
        "2024-03-17T09:05:30,25",
        "2024-03-17T09:05Zulu",
        "2024-03-17T09:05ZZ",
        "2024-03-17T09:05 UTC",
        "2024-03-17T09:05+",
        "2024-03-17T09:05+8",
        "2024-03-17T09:05+08:",
        "2024-03-17T09:05+08:0",
        "2024-03-17T09:05+080",
        "2024-03-17T09:05+08000",
        "2024-03-17T09:05+24:00",
        "2024-03-17T09:05+08:60",
        "2024-03-17T09:05*08:00",
    };
    for (size_t i = 0; i < PN_COUNT_OF(texts); i++) {
        int64_t ms = 77;
        if (pn_calendar_parse_ms(pn_str_of(texts[i]), &ms) || ms != 77)
            fail_msg("\"%s\" was taken for %" PRId64, texts[i], ms);
    }
}

/* A good text, cut anywhere. */
static void parse__reads_nothing_behind_the_text(void **state)
{
    (void)state;
    static const char good[] = "2024-03-17T09:05:30.250+08:00";
    int64_t ms;
    for (size_t n = 0; n < sizeof good; n++) {
        char text[sizeof good];
        memcpy(text, good, n);
        memset(text + n, '0', sizeof text - n); // digits that must not be looked at
        bool whole = n == 10 || n == 16 || n == 19 || (n >= 21 && n <= 23) || n == 26 || n == 29;
        assert_int_equal(pn_calendar_parse_ms(pn_str_make(text, n), &ms), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days__are_those_of_the_c_library),
        cmocka_unit_test(days__that_do_not_exist_are_refused),
        cmocka_unit_test(texts__come_back_as_the_same_millisecond),
        cmocka_unit_test(times_outside_the_calendar__are_plain_numbers),
        cmocka_unit_test(units__become_milliseconds_rounded_down),
        cmocka_unit_test(parse__reads_what_the_header_lists),
        cmocka_unit_test(parse__refuses_everything_else),
        cmocka_unit_test(parse__reads_nothing_behind_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

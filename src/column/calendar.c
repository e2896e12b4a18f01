/*
 * calendar.c - Gregorian arithmetic without tables and without the C library's time zones
 *
 * Days are counted from 0000-03-01, so that the leap day is the last of a year: month lengths then follow
 * (153 * m + 2) / 5, and 400 years are always 146,097 days.
 * Source: E. G. Richards, "Calendars", in the Explanatory Supplement to the Astronomical Almanac, 3rd ed., 15.11.
 */
#include "column/calendar.h"

#include <inttypes.h>
#include <stdio.h>

enum { DAYS_TO_1970 = 719468 }; /* from 0000-03-01 to 1970-01-01 */
static const int64_t MS_PER_DAY = 86400000;

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

int64_t pn_calendar_to_ms(int64_t value, pn_time_unit unit)
{
    switch (unit) {
    case PN_UNIT_SECOND:
        if (value > INT64_MAX / 1000)
            return INT64_MAX;
        return value < INT64_MIN / 1000 ? INT64_MIN : value * 1000;
    case PN_UNIT_MILLI:
        return value;
    case PN_UNIT_MICRO:
        return floor_div(value, 1000);
    case PN_UNIT_NANO:
        return floor_div(value, 1000000);
    }
    return value;
}

/* days since 1970 -> year, month, day */
static void civil(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t m = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

bool pn_calendar_days(int64_t year, int64_t month, int64_t day, int64_t *out)
{
    if (year < 0 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * 146097 + day_of_era - DAYS_TO_1970;
    int64_t back_year, back_month, back_day;
    civil(days, &back_year, &back_month, &back_day);
    if (back_month != month || back_day != day)
        return false; // 30 February and the like come back as another day
    *out = days;
    return true;
}

static bool in_range(int64_t days)
{
    return days >= -719528 && days <= 2932896; // 0000-01-01 to 9999-12-31
}

void pn_calendar_format_date(int64_t days, char out[PN_CALENDAR_TEXT_BYTES])
{
    if (!in_range(days)) {
        (void)snprintf(out, PN_CALENDAR_TEXT_BYTES, "%" PRId64, days); // 20 characters at most
        return;
    }
    int64_t year, month, day;
    civil(days, &year, &month, &day);
    (void)snprintf(out, PN_CALENDAR_TEXT_BYTES, "%04d-%02d-%02d", (int)year, (int)month, // 10
                   (int)day);
}

void pn_calendar_format_ms(int64_t ms, char out[PN_CALENDAR_TEXT_BYTES])
{
    int64_t days = floor_div(ms, MS_PER_DAY);
    if (!in_range(days)) {
        (void)snprintf(out, PN_CALENDAR_TEXT_BYTES, "%" PRId64, ms); // 20 characters at most
        return;
    }
    int rest = (int)(ms - days * MS_PER_DAY);
    char date[PN_CALENDAR_TEXT_BYTES];
    pn_calendar_format_date(days, date);
    (void)snprintf(out, PN_CALENDAR_TEXT_BYTES, "%.10sT%02d:%02d:%02d.%03dZ", date, // 24
                   rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
}

/* Take exactly n digits off *text. */
static bool take_digits(pn_str *text, size_t n, int64_t *out)
{
    uint64_t value;
    if (text->len < n || !pn_str_to_u64((pn_str){text->ptr, n}, &value))
        return false;
    *out = (int64_t)value;
    text->ptr += n;
    text->len -= n;
    return true;
}

static bool take_char(pn_str *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    text->ptr++;
    text->len--;
    return true;
}

static bool take_fraction_ms(pn_str *text, int64_t *ms)
{
    int64_t scale = 100;
    size_t n = 0;
    for (*ms = 0; text->len > 0 && text->ptr[0] >= '0' && text->ptr[0] <= '9'; n++) {
        *ms += (text->ptr[0] - '0') * scale;
        scale /= 10;
        text->ptr++;
        text->len--;
    }
    return n > 0;
}

static bool take_zone_ms(pn_str *text, int64_t *offset_ms)
{
    *offset_ms = 0;
    if (text->len == 0 || take_char(text, 'Z') || take_char(text, 'z'))
        return true;
    bool minus = text->ptr[0] == '-';
    if (!minus && text->ptr[0] != '+')
        return false;
    text->ptr++;
    text->len--;
    int64_t hours, minutes = 0;
    if (!take_digits(text, 2, &hours))
        return false;
    bool colon = take_char(text, ':'); // "+0800" and "+08" are as good as "+08:00"
    if ((colon || text->len > 0) && !take_digits(text, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *offset_ms = (hours * 60 + minutes) * 60000 * (minus ? -1 : 1);
    return true;
}

static bool take_time_ms(pn_str *text, int64_t *ms)
{
    int64_t hour, minute, second = 0, fraction = 0;
    if (!take_digits(text, 2, &hour) || !take_char(text, ':') || !take_digits(text, 2, &minute))
        return false;
    if (take_char(text, ':')) {
        if (!take_digits(text, 2, &second))
            return false;
        if (take_char(text, '.') && !take_fraction_ms(text, &fraction))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    return true;
}

bool pn_calendar_parse_ms(pn_str text, int64_t *out)
{
    int64_t year, month, day, days, time_ms = 0, zone_ms = 0;
    text = pn_str_trim(text);
    if (!take_digits(&text, 4, &year) || text.len == 0)
        return false;
    char separator = text.ptr[0];
    if ((separator != '-' && separator != '/') || !take_char(&text, separator) ||
        !take_digits(&text, 2, &month) || !take_char(&text, separator) ||
        !take_digits(&text, 2, &day) || !pn_calendar_days(year, month, day, &days))
        return false;
    if (text.len > 0) {
        if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
            return false;
        if (!take_time_ms(&text, &time_ms) || !take_zone_ms(&text, &zone_ms) || text.len > 0)
            return false;
    }
    *out = days * MS_PER_DAY + time_ms - zone_ms;
    return true;
}

/*
 * calendar.h - days and milliseconds since 1970 <-> ISO 8601 text, in UTC
 *
 * The proleptic Gregorian calendar, years 0000 to 9999. Threads: pure.
 */
#ifndef PN_COLUMN_CALENDAR_H
#define PN_COLUMN_CALENDAR_H

#include "base/str.h"
#include "column/type.h"

#define PN_CALENDAR_TEXT_BYTES 40

/* A timestamp of any unit as milliseconds, rounded down; saturates at the ends of int64. */
int64_t pn_calendar_to_ms(int64_t value, pn_time_unit unit);

/* "2024-03-17" and "2024-03-17T09:05:00.000Z"; years outside the range give the plain number. */
void pn_calendar_format_date(int64_t days, char out[PN_CALENDAR_TEXT_BYTES]);
void pn_calendar_format_ms(int64_t ms, char out[PN_CALENDAR_TEXT_BYTES]);

/* Days since 1970-01-01 of a date; false when there is no such day. */
PN_NODISCARD bool pn_calendar_days(int64_t year, int64_t month, int64_t day, int64_t *out);

/*
 * "2024-03-17" (also with '/'), optionally followed by 'T' or a blank and "09:05", "09:05:30", "09:05:30.25" and
 * "Z", "+08:00", "+0800" or "+08"; without a zone it is UTC; "t" and "z" will do. False for anything else. Digits beyond milliseconds are dropped.
 */
PN_NODISCARD bool pn_calendar_parse_ms(pn_str text, int64_t *out);

#endif

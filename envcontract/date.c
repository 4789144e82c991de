/* envcontract/date.c: days, for what ends on one. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "envcontract/internal.h"

enum {
    DATE_BYTES = 10, /* 2027-01-31 */
    MONTHS = 12,
    DAY_SECONDS = 24 * 60 * 60,
    EPOCH_DAYS = 719162, /* from 0001-01-01 to 1970-01-01 */
};

static int number_at(const char *text, size_t length)
{
    int64_t number = -1;
    return str_to_int64(text, length, &number) == 0 ? (int)number : -1;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month)
{
    static const int days[MONTHS] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t before = year - 1, days = before * 365 + before / 4 - before / 100 + before / 400;
    for (int earlier = 1; earlier < month; earlier++)
        days += days_of_month(year, earlier);
    return days + day - 1 - EPOCH_DAYS;
}

bool date_parse(const char *text, size_t length, int64_t *days)
{
    if (length != DATE_BYTES || strspn(text, "0123456789-") < DATE_BYTES || text[4] != '-' ||
        text[7] != '-' || memchr(text, '-', 4))
        return false;
    int year = number_at(text, 4), month = number_at(text + 5, 2), day = number_at(text + 8, 2);
    if (year < 1 || month < 1 || month > MONTHS || day < 1 || day > days_of_month(year, month))
        return false;
    if (days)
        *days = days_since_epoch(year, month, day);
    return true;
}

int64_t date_today(void)
{
    return clock_unix_seconds() / DAY_SECONDS;
}

/* tests/unit/envcontract_date.c: days. */
#include "tests/lib/unit.h"

#include <string.h>
#include <time.h>

#include "envcontract/internal.h"

static void a_day_that_there_is_counts_from_1970(void **state)
{
    static const struct {
        const char *text;
        int64_t days;
    } list[] = {
        {"1970-01-01", 0},     {"1970-01-02", 1},       {"1969-12-31", -1},
        {"2000-02-29", 11016}, {"2000-03-01", 11017},   {"2024-12-31", 20088},
        {"2027-01-31", 20849}, {"9999-12-31", 2932896},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        int64_t days = 0;
        assert_true(date_parse(list[i].text, strlen(list[i].text), &days));
        if (days != list[i].days)
            fail_msg("%s: %lld", list[i].text, (long long)days);
    }
}

static void what_is_no_day_is_refused(void **state)
{
    static const char *const list[] = {
        "",           "2027-1-31",  "2027-01-32", "2027-02-29", "1900-02-29",  "2027-13-01",
        "2027-00-10", "2027-01-00", "0000-01-01", "2027/01/31", "2027-01-31T", "-027-01-31",
        "20270131--", "2027-01-3x", "soon",       "2027--1-31", "2027-01- 1",  "2027-01-+1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (date_parse(list[i], strlen(list[i]), NULL))
            fail_msg("%s", list[i]);
}

static void today_is_the_day_of_utc(void **state)
{
    enum { DAY_SECONDS = 24 * 60 * 60 };
    int64_t before = time(NULL) / DAY_SECONDS, today = date_today();

    (void)state;
    assert_true(today == before || today == time(NULL) / DAY_SECONDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_that_there_is_counts_from_1970),
        cmocka_unit_test(what_is_no_day_is_refused),
        cmocka_unit_test(today_is_the_day_of_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Numbers, sizes, durations, dates and encodings: what passes, what does not and what is said. */
#include "tests/unit/envcontract_types.h"

static void a_size_is_a_number_with_a_unit_or_without(void **state)
{
    static const struct good_value good[] = {
        {TYPE_BYTES, "0"},     {TYPE_BYTES, "4096"}, {TYPE_BYTES, "007"},
        {TYPE_BYTES, "1B"},    {TYPE_BYTES, "10kB"}, {TYPE_BYTES, "10KB"},
        {TYPE_BYTES, "10MB"},  {TYPE_BYTES, "3GB"},  {TYPE_BYTES, "2TB"},
        {TYPE_BYTES, "1PB"},   {TYPE_BYTES, "9EB"},  {TYPE_BYTES, "512KiB"},
        {TYPE_BYTES, "64MiB"}, {TYPE_BYTES, "1GiB"}, {TYPE_BYTES, "1TiB"},
        {TYPE_BYTES, "1PiB"},  {TYPE_BYTES, "7EiB"}, {TYPE_BYTES, "9223372036854775807"},
    };
    static const struct bad_value bad[] = {
        {TYPE_BYTES, "", "type", "0 characters, expected a number of bytes such as"},
        {TYPE_BYTES, "MB", "type", "trouble at character 1"},
        {TYPE_BYTES, "-1", "type", "trouble at character 1"},
        {TYPE_BYTES, "10M", "type", "no unit of bytes at character 3"},
        {TYPE_BYTES, "10mb", "type", "no unit of bytes at character 3"},
        {TYPE_BYTES, "10 MB", "type", "no unit of bytes at character 3"},
        {TYPE_BYTES, "1.5GB", "type", "no unit of bytes at character 2"},
        {TYPE_BYTES, "10MBs", "type", "no unit of bytes at character 3"},
        {TYPE_BYTES, "1e3", "type", "no unit of bytes at character 2"},
        {TYPE_BYTES, "9223372036854775808", "type", "more than 64 bits hold"},
        {TYPE_BYTES, "8EiB", "type", "more than 64 bits hold"},
        {TYPE_BYTES, "99999999999999999999999999999999", "type", "more than 64 bits hold"},
        {TYPE_BYTES, "10MB\n", "type", "a line break at the end"},
        {TYPE_BYTES, "\xd9\xa1", "type", "trouble at character 1"},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void sizes_are_compared_as_bytes(void **state)
{
    (void)state;
    struct contract_rules rules = {
        .type = TYPE_BYTES, .min = bound(TYPE_BYTES, "1MB"), .max = bound(TYPE_BYTES, "1MiB")};
    assert_good(&rules, "1000kB");
    assert_good(&rules, "1000000");
    assert_good(&rules, "1024KiB");
    assert_bad(&rules, "999999", "min", "below the minimum of 1MB");
    assert_bad(&rules, "1048577B", "max", "above the maximum of 1MiB");
    struct contract_bound unused;
    assert_int_equal(types_parse_bound(TYPE_BYTES, "1.5MB", &unused), -1);
    assert_int_equal(types_parse_bound(TYPE_BYTES, "8EiB", &unused), -1);
}

static void a_date_is_a_day_of_the_calendar(void **state)
{
    static const struct good_value good[] = {
        {TYPE_DATE, "2027-01-31"}, {TYPE_DATE, "2024-02-29"}, {TYPE_DATE, "2000-02-29"},
        {TYPE_DATE, "0001-01-01"}, {TYPE_DATE, "9999-12-31"},
    };
    static const struct bad_value bad[] = {
        {TYPE_DATE, "", "type", "expected a day such as 2027-01-31"},
        {TYPE_DATE, "2027-02-29", "type", "a day that the calendar does not have"},
        {TYPE_DATE, "1900-02-29", "type", "a day that the calendar does not have"},
        {TYPE_DATE, "2027-04-31", "type", "a day that the calendar does not have"},
        {TYPE_DATE, "2027-00-10", "type", "a day that the calendar does not have"},
        {TYPE_DATE, "2027-13-10", "type", "a day that the calendar does not have"},
        {TYPE_DATE, "0000-01-01", "type", "a day that the calendar does not have"},
        {TYPE_DATE, "2027-01-00", "type", "a day that the calendar does not have"},
        {TYPE_DATE, "2027-1-31", "type", "trouble at character 7"},
        {TYPE_DATE, "31.01.2027", "type", "trouble at character 3"},
        {TYPE_DATE, "2027/01/31", "type", "trouble at character 5"},
        {TYPE_DATE, "2027-01-31T00:00:00Z", "type", "trouble at character 11"},
        {TYPE_DATE, "2027-01", "type", "7 characters, expected a day"},
        {TYPE_DATE, "99999-01-31", "type", "trouble at character 5"},
        {TYPE_DATE,
         "\xef\xbc\x92"
         "027-01-3",
         "type", "trouble at character 1"},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void dates_are_compared_by_the_calendar(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_DATE,
                                   .min = bound(TYPE_DATE, "2026-12-31"),
                                   .max = bound(TYPE_DATE, "2027-02-01")};
    assert_good(&rules, "2026-12-31");
    assert_good(&rules, "2027-02-01");
    assert_bad(&rules, "2026-12-30", "min", "below the minimum of 2026-12-31");
    assert_bad(&rules, "2027-02-02", "max", "above the maximum of 2027-02-01");
}

static void hex_is_pairs_of_digits(void **state)
{
    static const struct good_value good[] = {
        {TYPE_HEX, "00"}, {TYPE_HEX, "deadBEEF"}, {TYPE_HEX, "0123456789abcdefABCDEF"}};
    static const struct bad_value bad[] = {
        {TYPE_HEX, "", "type", "0 characters, expected pairs of hexadecimal digits"},
        {TYPE_HEX, "abc", "type", "an odd number of digits"},
        {TYPE_HEX, "0xab", "type", "trouble at character 2"},
        {TYPE_HEX, "ab cd", "type", "trouble at character 3"},
        {TYPE_HEX, "abcg", "type", "trouble at character 4"},
        {TYPE_HEX, "ab\ncd", "type", "a line break inside"},
        {TYPE_HEX,
         "\xc3\xa4"
         "b",
         "type", "trouble at character 1"},
    };
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void min_bytes_counts_pairs_of_hex(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_HEX, .min_bytes = 4};
    assert_good(&rules, "0123abcd");
    assert_bad(&rules, "0123ab", "length", "3 bytes after decoding, expected at least 4");
    assert_bad(&rules, "ab", "length", "1 byte after decoding");
    assert_bad(&rules, "0123a", "type", "an odd number of digits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_is_a_number_with_a_unit_or_without),
        cmocka_unit_test(sizes_are_compared_as_bytes),
        cmocka_unit_test(a_date_is_a_day_of_the_calendar),
        cmocka_unit_test(dates_are_compared_by_the_calendar),
        cmocka_unit_test(hex_is_pairs_of_digits),
        cmocka_unit_test(min_bytes_counts_pairs_of_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/unit/base_str.c */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/str.h"

static void texts_are_compared_whole_at_the_start_and_at_the_end(void **state)
{
    (void)state;
    assert_true(str_eq("a", "a"));
    assert_false(str_eq("a", "b"));
    assert_false(str_eq("a", NULL));
    assert_true(str_eq(NULL, NULL));
    assert_true(str_starts("vault:x", "vault:"));
    assert_false(str_starts("vau", "vault:"));
    assert_true(str_ends("a.json", ".json"));
    assert_false(str_ends("json", ".json"));
    assert_true(str_ends("x", ""));
}

static void a_whole_number_is_read_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t number;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"42", 42},
        {"007", 7},
        {"-17", -17},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "0x1",
        "1e3",
        "--1",
        "1\n",
        "a",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999999",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t number = -1;
        assert_int_equal(str_to_int64(good[i].text, strlen(good[i].text), &number), 0);
        assert_true(number == good[i].number);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t number = 99;
        assert_int_equal(str_to_int64(bad[i], strlen(bad[i]), &number), -1);
        assert_int_equal(number, 99);
    }
    int64_t number;
    assert_int_equal(str_to_int64("12345", 2, &number), 0);
    assert_int_equal(number, 12);
    assert_int_equal(str_to_int64("1\0", 2, &number), -1);
}

static void durations_have_units_and_may_be_sums(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"500ms", 500},      {"30s", 30000},
        {"5m", 300000},      {"2h", 7200000},
        {"30d", 2592000000}, {"1w", 604800000},
        {"1h30m", 5400000},  {"1m500ms", 60500},
        {"0s", 0},           {"9223372036854775807ms", INT64_MAX},
    };
    static const char *const bad[] = {
        "",
        "5",
        "s",
        "5 s",
        "-5s",
        "1.5h",
        "5S",
        "5x",
        "1h30",
        "1h ",
        " 1h",
        "5sec",
        "5mm",
        "5m s",
        "ms5",
        "9223372036854775808ms",
        "15250284452472w",
        "9223372036854775807ms1ms",
        "99999999999999999999s",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t ms = -1;
        assert_int_equal(str_to_duration(good[i].text, strlen(good[i].text), &ms), 0);
        assert_true(ms == good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ms = 99;
        assert_int_equal(str_to_duration(bad[i], strlen(bad[i]), &ms), -1);
        assert_int_equal(ms, 99);
    }
}

static void a_written_duration_reads_as_the_same(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {250, "250ms"},
        {5400000, "1h30m"},
        {60500, "1m500ms"},
        {2592000000, "30d"},
        {90061001, "1d1h1m1s1ms"},
        {INT64_MAX, "106751991167d7h12m55s807ms"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF b = BUF_INIT(100);
        int64_t ms;
        str_add_duration(&b, cases[i].ms);
        assert_string_equal(buf_text(&b), cases[i].text);
        assert_int_equal(str_to_duration(b.data, b.len, &ms), 0);
        assert_true(ms == cases[i].ms);
    }
    AUTO_BUF b = BUF_INIT(100);
    str_add_duration(&b, -5000);
    buf_addc(&b, ' ');
    str_add_duration(&b, INT64_MIN);
    assert_string_equal(buf_text(&b), "-5s -106751991167d7h12m55s808ms");
}

static void go_durations_are_read_as_vault_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"0", 0},
        {"60", 60000},
        {"+3", 3000},
        {"60s", 60000},
        {"1.5h", 5400000},
        {"1h2m3s", 3723000},
        {".5s", 500},
        {"2.s", 2000},
        {"100ms", 100},
        {"1d", 86400000},
        {"1ns", 1},
        {"1us", 1},
        {"1500us", 2},
        {"3\xC2\xB5s", 1},
        {"3\xCE\xBCs", 1},
        {"0.000000000001h", 1},
        {"9223372036s", 9223372036000},
        {"0.1m", 6000},
        {"1.0000000000000000000000000000000001s", 1000},
    };
    static const char *const bad[] = {
        "",
        "+",
        "-5s",
        "-5",
        ".s",
        "s",
        "1.5",
        "1h30",
        "5 s",
        "1x",
        "1..5s",
        "9223372037",
        "9223372037s",
        "18446744073709551616",
        "200000000w",
        "1w",
        "5s ",
        "9999999999999999h",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t ms = -1;
        assert_int_equal(str_to_go_duration(good[i].text, strlen(good[i].text), &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ms = 99;
        assert_int_equal(str_to_go_duration(bad[i], strlen(bad[i]), &ms), -1);
        assert_int_equal(ms, 99);
    }
}

static void go_booleans_are_the_twelve_words(void **state)
{
    (void)state;
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    static const char *const bad[] = {"", "yes", "tRUE", "on", "10", "true "};
    bool value;

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        assert_int_equal(str_to_go_bool(yes[i], &value), 0);
        assert_true(value);
        assert_int_equal(str_to_go_bool(no[i], &value), 0);
        assert_false(value);
        assert_int_equal(str_to_go_bool(bad[i], &value), -1);
    }
}

static void globs_match_the_whole_text(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"**", "abc", true},
        {"abc", "abc", true},
        {"abc", "abcd", false},
        {"abc*", "abcd", true},
        {"*.neon.tech", "ep-1.neon.tech", true},
        {"*.neon.tech", "ep-1.neon.tech.evil", false},
        {"ep-prod-*.neon.tech", "ep-prod-7.eu.neon.tech", true},
        {"sk_live_*", "sk_test_1", false},
        {"a*b*c", "a1b2b3c", true},
        {"a*b*c", "a1b2b3", false},
        {"?", "a", true},
        {"?", "", false},
        {"??", "\xC3\xBC", true},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},
        {"[!a-c]x", "dx", true},
        {"[^a-c]x", "bx", false},
        {"[]a]", "]", true},
        {"[a-]", "-", true},
        {"[\\]]", "]", true},
        {"[a\\-c]", "b", false},
        {"[abc", "[abc", true},
        {"[", "[", true},
        {"*[0-9]", "v12", true},
        {"*[", "ab[", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\\\", "\\", true},
        {"a\\", "a\\", true},
        {"[\x80-\xFF]", "\xE9", true},
        {"*a*", "bbb", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool matches = str_glob(cases[i].pattern, cases[i].text, strlen(cases[i].text));
        if (matches != cases[i].matches)
            fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].text);
    }
    assert_true(str_glob("a*c", "a\0c", 3));
    assert_false(str_glob("a", "a\0", 2));
}

static void a_glob_stops_where_its_steps_end(void **state)
{
    uint64_t steps = 100;

    (void)state;
    assert_true(str_glob_within("a*c", "abbbc", 5, &steps));
    assert_in_range(steps, 80, 99);
    steps = 3;
    assert_false(str_glob_within("a*c", "abbbc", 5, &steps));
    assert_int_equal(steps, 0);
    assert_false(str_glob_within("*", "a", 1, &steps)); /* none left is none left */
}

static void a_glob_of_many_stars_does_not_explode(void **state)
{
    (void)state;
    char pattern[202], text[5001];

    /* Exponential in the stars for a matcher that tries each: it would not come back. */
    for (size_t i = 0; i < 200; i += 2)
        memcpy(pattern + i, "*a", 2);
    memcpy(pattern + 200, "b", 2);
    memset(text, 'a', sizeof text);
    assert_false(str_glob(pattern, text, sizeof text));
}

static void every_byte_matches_itself_when_quoted(void **state)
{
    (void)state;

    for (unsigned byte = 1; byte < 256; byte++) {
        const char pattern[] = {'\\', (char)byte, '\0'}, text[] = {(char)byte, '\0'};
        assert_true(str_glob(pattern, text, 1));
        assert_true(str_glob("?", text, 1));
        assert_true(str_glob("*", text, 1));
    }
}

static void the_nearest_name_is_proposed_when_it_is_near(void **state)
{
    (void)state;
    static const char *const names[] = {"--profile", "--contract", "--format", "--json", NULL};

    assert_string_equal(str_nearest("--proflie", names), "--profile");  /* swapped */
    assert_string_equal(str_nearest("--contrct", names), "--contract"); /* dropped */
    assert_string_equal(str_nearest("--forrmat", names), "--format");   /* doubled */
    assert_string_equal(str_nearest("--jsan", names), "--json");        /* replaced */
    assert_string_equal(str_nearest("--JSON", names), "--json");
    assert_string_equal(str_nearest("--json", names), "--json");
    assert_null(str_nearest("--colour", names));
    assert_null(str_nearest("", names));
    assert_null(str_nearest("x", (const char *const[]){NULL}));
}

static void a_swap_counts_once(void **state)
{
    (void)state;
    static const char *const names[] = {"abc", NULL};

    assert_string_equal(str_nearest("acb", names), "abc"); /* one change in three letters */
    assert_null(str_nearest("cab", names));
}

static void a_third_of_the_letters_is_the_limit(void **state)
{
    (void)state;
    static const char *const names[] = {"abcdef", NULL};

    assert_string_equal(str_nearest("abcdxx", names), "abcdef");
    assert_null(str_nearest("abcxxx", names));
}

static void names_that_are_too_long_are_passed_over(void **state)
{
    (void)state;
    char longest[STR_NEAREST_BYTES + 1], longer[STR_NEAREST_BYTES + 2];
    memset(longest, 'n', sizeof longest);
    memset(longer, 'n', sizeof longer);
    longest[STR_NEAREST_BYTES] = longer[STR_NEAREST_BYTES + 1] = '\0';
    const char *const names[] = {longer, longest, NULL};

    assert_ptr_equal(str_nearest(longest, names), longest);
    assert_null(str_nearest(longer, names));
}

static void white_space_is_trimmed_at_both_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text, *trimmed;
    } cases[] = {{" \t\r\n\v\f x y \n", "x y"}, {"xy", "xy"}, {"   ", ""}, {"", ""}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *start = cases[i].text;
        size_t length = strlen(start);
        str_trim(&start, &length);
        assert_int_equal(length, strlen(cases[i].trimmed));
        assert_memory_equal(start, cases[i].trimmed, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_compared_whole_at_the_start_and_at_the_end),
        cmocka_unit_test(a_whole_number_is_read_and_nothing_else),
        cmocka_unit_test(durations_have_units_and_may_be_sums),
        cmocka_unit_test(a_written_duration_reads_as_the_same),
        cmocka_unit_test(go_durations_are_read_as_vault_reads_them),
        cmocka_unit_test(go_booleans_are_the_twelve_words),
        cmocka_unit_test(globs_match_the_whole_text),
        cmocka_unit_test(a_glob_stops_where_its_steps_end),
        cmocka_unit_test(a_glob_of_many_stars_does_not_explode),
        cmocka_unit_test(every_byte_matches_itself_when_quoted),
        cmocka_unit_test(the_nearest_name_is_proposed_when_it_is_near),
        cmocka_unit_test(a_swap_counts_once),
        cmocka_unit_test(a_third_of_the_letters_is_the_limit),
        cmocka_unit_test(names_that_are_too_long_are_passed_over),
        cmocka_unit_test(white_space_is_trimmed_at_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

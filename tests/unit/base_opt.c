/* tests/unit/base_opt.c */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/opt.h"
#include "tests/lib/heap.h"

static struct {
    bool json, quiet;
    int verbose;
    const char *contract, *log;
    int64_t timeout_ms;
} got;

static const struct opt common[] = {
    {"--contract", 'c', OPT_STRING, "FILE", NULL, "read this contract", &got.contract},
    {"--timeout", 0, OPT_DURATION, "DURATION", NULL, "for the whole command", &got.timeout_ms},
    {"--log", 0, OPT_CHOICE, NULL, "text|json", "how log lines look", &got.log},
    {0},
};
static const struct opt own[] = {
    {"--json", 'j', OPT_FLAG, NULL, NULL, "print one JSON document", &got.json},
    {"--quiet", 'q', OPT_FLAG, NULL, NULL, "say less", &got.quiet},
    {"--verbose", 'v', OPT_COUNT, NULL, NULL, "say more", &got.verbose},
    {0},
};
static const struct opt *const tables[] = {own, common, NULL};

/* opt_parse of WORDS, up to NULL. What it finds lies in a static array until the next call. */
static int parse(const char *const *words, struct opt_result *result, struct err *err)
{
    static char *argv[16];
    size_t count = 0;

    while (words[count])
        count++;
    assert_true(count < ARRAY_LEN(argv));
    memcpy(argv, words, (count + 1) * sizeof *argv); /* literals: nobody writes to them */
    memset(&got, 0, sizeof got);
    return opt_parse(argv, tables, result, err);
}

#define PARSE(result, err, ...) parse((const char *const[]){__VA_ARGS__, NULL}, (result), (err))

static void assert_usage_error(const struct err *err, const char *text)
{
    assert_int_equal(err->kind, ERR_USAGE);
    assert_string_equal(err->text, text);
}

static void options_may_stand_anywhere_before_the_dashes(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "one", "--json", "-", "--contract=a.json", "two",
                           "--timeout", "1m", "--log=json", "--", "--quiet", "three"),
                     0);
    const char **words = result.words;
    assert_int_equal(result.word_count, 3);
    assert_string_equal(words[0], "one");
    assert_string_equal(words[1], "-");
    assert_string_equal(words[2], "two");
    assert_null(words[3]);
    assert_true(got.json);
    assert_false(got.quiet);
    assert_string_equal(got.contract, "a.json");
    assert_int_equal(got.timeout_ms, 60000);
    assert_string_equal(got.log, "json");
    assert_string_equal(result.rest[0], "--quiet");
    assert_string_equal(result.rest[1], "three");
    assert_null(result.rest[2]);
    free(words);
}

static void no_arguments_are_no_words_and_no_rest(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;
    char *none[] = {NULL};

    assert_int_equal(opt_parse(none, tables, &result, &err), 0);
    assert_int_equal(result.word_count, 0);
    assert_null(result.words[0]);
    free(result.words);
    assert_null(result.rest);
}

static void dashes_alone_have_an_empty_rest(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--"), 0);
    free(result.words);
    assert_non_null(result.rest);
    assert_null(result.rest[0]);
}

static void letters_may_be_joined_and_counted(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "-vvj", "-v", "--verbose", "-qcfile"), 0);
    free(result.words);
    assert_int_equal(got.verbose, 4);
    assert_true(got.json);
    assert_true(got.quiet);
    assert_string_equal(got.contract, "file");

    assert_int_equal(PARSE(&result, &err, "-c", "other"), 0);
    free(result.words);
    assert_string_equal(got.contract, "other");
    assert_int_equal(result.word_count, 0);
}

static void the_last_of_two_values_counts_and_may_be_empty(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--contract=a=b", "--contract="), 0);
    free(result.words);
    assert_string_equal(got.contract, "");
}

static void an_unknown_option_gets_the_nearest_one_and_keeps_its_value_quiet(void **state)
{
    (void)state;
    struct opt_result result = {.word_count = 77};
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--contrcat=s3cret"), -1);
    assert_usage_error(&err, "there is no option '--contrcat'");
    assert_string_equal(err.hint, "Did you mean '--contract'?");
    assert_int_equal(result.word_count, 77);

    assert_int_equal(PARSE(&result, &err, "--something-else"), -1);
    assert_string_equal(err.hint, "'--help' lists the options.");

    assert_int_equal(PARSE(&result, &err, "-vx=s3cret"), -1);
    assert_usage_error(&err, "there is no option '-x'");
    assert_int_equal(PARSE(&result, &err, "-\xC3\xBC"), -1);
    assert_usage_error(&err, "there is no option '-\xC3\xBC'");
}

static void a_part_of_a_name_is_not_the_name(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--js"), -1);
    assert_int_equal(PARSE(&result, &err, "--jsonx"), -1);
    assert_int_equal(PARSE(&result, &err, "--=x"), -1);
}

static void a_flag_takes_no_value(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--json=yes"), -1);
    assert_usage_error(&err, "option '--json' takes no value");
    assert_int_equal(PARSE(&result, &err, "--verbose=2"), -1);
    assert_usage_error(&err, "option '--verbose' takes no value");
}

static void a_missing_value_is_an_error(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--contract"), -1);
    assert_usage_error(&err, "option '--contract' needs a value");
    assert_string_equal(err.hint, "Write '--contract=FILE'.");
    assert_int_equal(PARSE(&result, &err, "-c"), -1);
    assert_usage_error(&err, "option '--contract' needs a value");
    assert_int_equal(PARSE(&result, &err, "--contract", "--", "x"), -1);
    assert_usage_error(&err, "option '--contract' needs a value");
    assert_int_equal(PARSE(&result, &err, "--log"), -1);
    assert_string_equal(err.hint, "Write '--log=text|json'.");
}

static void an_option_is_not_taken_for_the_value_of_another(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--contract", "--timeout=1s"), -1);
    assert_usage_error(&err, "option '--contract' needs a value");
    assert_int_equal(PARSE(&result, &err, "--contract", "-1"), 0); /* no option of ours */
    free(result.words);
    assert_string_equal(got.contract, "-1");
}

static void a_wrong_choice_lists_the_right_ones(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "tex", "texts", "text|json", "|", "yaml"};
    struct opt_result result;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char argument[64];
        (void)snprintf(argument, sizeof argument, "--log=%s", bad[i]);
        assert_int_equal(PARSE(&result, &err, argument), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_text_has(err.text, "text|json");
        assert_null(got.log);
    }
}

static void a_wrong_duration_says_how_to_write_one(void **state)
{
    (void)state;
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(PARSE(&result, &err, "--timeout", "5"), -1);
    assert_usage_error(&err, "option '--timeout': '5' is not a duration");
    assert_text_has(err.hint, "500ms");
}

static void every_allocation_that_fails_is_a_named_error(void **state)
{
    (void)state;
    NEEDS_HEAP();
    struct opt_result result;
    struct err err = ERR_INIT;

    for (long k = 0; k < 3; k++) { /* words, names, the name typed */
        heap_fail_after(k);
        int status = PARSE(&result, &err, "--contrcat");
        heap_fail_after(-1);
        assert_int_equal(status, -1);
        assert_int_equal(err.kind, ERR_RESOURCE);
    }
}

static void an_option_for_several_values_keeps_them_in_order(void **state)
{
    (void)state;
    struct opt_strings folders = {0};
    const struct opt many[] = {
        {"--drift", 'd', OPT_STRINGS, "DIR", NULL, "look there too", &folders}, {0}};
    const struct opt *const only[] = {many, NULL};
    char one[] = "--drift=a", two[] = "--drift", three[] = "b", four[] = "-dc";
    char *argv[OPT_MAX_STRINGS + 2] = {one, two, three, four, NULL};
    struct opt_result result;
    struct err err = ERR_INIT;

    assert_int_equal(opt_parse(argv, only, &result, &err), 0);
    free(result.words);
    assert_int_equal(folders.count, 3);
    assert_string_equal(folders.list[0], "a");
    assert_string_equal(folders.list[2], "c");
    assert_null(folders.list[3]);

    folders = (struct opt_strings){0};
    for (size_t i = 0; i <= OPT_MAX_STRINGS; i++)
        argv[i] = one;
    argv[OPT_MAX_STRINGS + 1] = NULL;
    assert_int_equal(opt_parse(argv, only, &result, &err), -1);
    assert_usage_error(&err, "option '--drift' is given more than 64 times");
}

static void help_is_aligned_and_at_most_80_columns_wide(void **state)
{
    (void)state;
    static const struct opt table[] = {
        {"--output", 'o', OPT_STRING, "FILE", NULL,
         "write to FILE, with mode 0600, to a temporary name first that is renamed when all is "
         "there",
         &got.contract},
        {"--json", 0, OPT_FLAG, NULL, NULL, "print one JSON document", &got.json},
        {"--log", 0, OPT_CHOICE, NULL, "text|json", "how log lines look", &got.log},
        {"--format", 0, OPT_CHOICE, "FORMAT", "env|dotenv|json|shell|github|kubernetes|systemd",
         "what is written", &got.log},
        {"--a-name-that-is-too-long-for-the-column", 0, OPT_FLAG, NULL, NULL, "a flag", &got.json},
        {0},
    };
    AUTO_BUF b = BUF_INIT(100000);

    opt_help(&b, table);
    assert_string_equal(
        buf_text(&b),
        "  -o, --output FILE    write to FILE, with mode 0600, to a temporary name first\n"
        "                       that is renamed when all is there\n"
        "      --json           print one JSON document\n"
        "      --log text|json  how log lines look\n"
        "      --format FORMAT  what is written (env, dotenv, json, shell, github,\n"
        "                       kubernetes, systemd)\n"
        "      --a-name-that-is-too-long-for-the-column\n"
        "                       a flag\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_anywhere_before_the_dashes),
        cmocka_unit_test(no_arguments_are_no_words_and_no_rest),
        cmocka_unit_test(dashes_alone_have_an_empty_rest),
        cmocka_unit_test(letters_may_be_joined_and_counted),
        cmocka_unit_test(the_last_of_two_values_counts_and_may_be_empty),
        cmocka_unit_test(an_unknown_option_gets_the_nearest_one_and_keeps_its_value_quiet),
        cmocka_unit_test(a_part_of_a_name_is_not_the_name),
        cmocka_unit_test(a_flag_takes_no_value),
        cmocka_unit_test(a_missing_value_is_an_error),
        cmocka_unit_test(an_option_is_not_taken_for_the_value_of_another),
        cmocka_unit_test(a_wrong_choice_lists_the_right_ones),
        cmocka_unit_test(a_wrong_duration_says_how_to_write_one),
        cmocka_unit_test(every_allocation_that_fails_is_a_named_error),
        cmocka_unit_test(an_option_for_several_values_keeps_them_in_order),
        cmocka_unit_test(help_is_aligned_and_at_most_80_columns_wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/unit/envcontract_types.c: every type and every constraint, good values and bad ones. */
#include "tests/unit/envcontract_types.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID "123e4567-e89b-12d3-a456-426614174000"

static const struct good_value good[] = {
    {TYPE_STRING, "anything at all \xff"},
    {TYPE_ENUM, "x"},
    {TYPE_BOOL, "true"},
    {TYPE_BOOL, "FALSE"},
    {TYPE_BOOL, "Yes"},
    {TYPE_BOOL, "no"},
    {TYPE_BOOL, "oN"},
    {TYPE_BOOL, "off"},
    {TYPE_BOOL, "1"},
    {TYPE_BOOL, "0"},
    {TYPE_INT, "0"},
    {TYPE_INT, "-9223372036854775808"},
    {TYPE_INT, "9223372036854775807"},
    {TYPE_NUMBER, "0"},
    {TYPE_NUMBER, "-0.5"},
    {TYPE_NUMBER, "1e9"},
    {TYPE_NUMBER, "1.25E-3"},
    {TYPE_NUMBER, "10"},
    {TYPE_PORT, "1"},
    {TYPE_PORT, "65535"},
    {TYPE_DURATION, "500ms"},
    {TYPE_DURATION, "30s"},
    {TYPE_DURATION, "1h30m"},
    {TYPE_DURATION, "30d"},
    {TYPE_URL, "https://acme.io"},
    {TYPE_URL, "https://[::1]:8443/x?y#z"},
    {TYPE_URL, "file:///etc/motd"},
    {TYPE_URL, "https://medium.com/@acme"},
    {TYPE_POSTGRES_URL, "postgres://u:p@h/d"},
    {TYPE_POSTGRES_URL, "postgresql://h"},
    {TYPE_POSTGRES_URL, "postgresql+asyncpg://u:p%40@h:5432/d?ssl=require"},
    {TYPE_POSTGRES_URL, "postgresql+psycopg://u@/d?host=/run/postgresql"},
    {TYPE_POSTGRES_URL, "postgresql:///d"},
    {TYPE_POSTGRES_URL, "postgresql://h1:5432,h2:5433/d"},
    {TYPE_POSTGRES_URL, "postgresql://h/d?user=a@tenant"},
    {TYPE_REDIS_URL, "redis://:p@cache:6379/0"},
    {TYPE_REDIS_URL, "rediss://cache"},
    {TYPE_REDIS_URL, "redis://cache/"},
    {TYPE_REDIS_URL, "unix:///run/redis.sock?db=1"},
    {TYPE_EMAIL, "ops@acme.io"},
    {TYPE_EMAIL, "first.last+tag@mail.acme-inc.co.uk"},
    {TYPE_EMAIL, "root@localhost"},
    {TYPE_UUID, UUID},
    {TYPE_UUID, "123E4567-E89B-12D3-A456-426614174000"},
    {TYPE_BASE64, "YWJj"},
    {TYPE_BASE64, "YWI="},
    {TYPE_BASE64, "YWI"},
    {TYPE_BASE64, "_-8="},
    {TYPE_PATH, "/no/such/file"},
    {TYPE_PATH, "relative"},
};

static const struct bad_value bad[] = {
    {TYPE_BOOL, "truth", "type", "5 characters, expected true, false"},
    {TYPE_BOOL, "2", "type", "1 character, expected"},
    {TYPE_BOOL, "true ", "type", "white space at the end"},
    {TYPE_INT, "12x", "type", "trouble at character 3"},
    {TYPE_INT, "1.0", "type", "trouble at character 2"},
    {TYPE_INT, "+1", "type", "trouble at character 1"},
    {TYPE_INT, "9223372036854775808", "type", "19 characters, expected a whole number of 64 bits"},
    {TYPE_INT, " 1", "type", "white space at the start"},
    {TYPE_INT, "1\n", "type", "a line break at the end"},
    {TYPE_INT, "\"1\"", "type", "quotes around it"},
    {TYPE_NUMBER, "1.", "type", "expected a number as JSON writes it"},
    {TYPE_NUMBER, ".5", "type", "trouble at character 1"},
    {TYPE_NUMBER, "01", "type", "a leading zero at character 1"},
    {TYPE_NUMBER, "1e", "type", "expected a number"},
    {TYPE_NUMBER, "nan", "type", "trouble at character 1"},
    {TYPE_NUMBER, "0x10", "type", "trouble at character 2"},
    {TYPE_NUMBER, "1e999", "type", "expected a number"},
    {TYPE_NUMBER, "1 ", "type", "white space at the end"},
    {TYPE_PORT, "0", "type", "a port from 1 to 65535"},
    {TYPE_PORT, "65536", "type", "a port from 1 to 65535"},
    {TYPE_PORT, "-1", "type", "trouble at character 1"},
    {TYPE_PORT, "80/tcp", "type", "trouble at character 3"},
    {TYPE_DURATION, "30", "type", "a duration such as"},
    {TYPE_DURATION, "soon", "type", "a duration such as"},
    {TYPE_URL, "acme.io", "type", "expected a URL: no scheme"},
    {TYPE_URL, "https://acme.io/a b", "type", "white space at byte 18"},
    {TYPE_URL, "https://", "host", "no host"},
    {TYPE_URL, "https:///x", "host", "no host"},
    {TYPE_POSTGRES_URL, "mysql://h/d", "scheme", "expected `postgres`, `postgresql`"},
    {TYPE_POSTGRES_URL, "host=h dbname=d", "type", "expected a PostgreSQL URL: white space"},
    {TYPE_POSTGRES_URL, "postgresql://u:12/34@h/d", "type", "an '@' behind the host"},
    {TYPE_POSTGRES_URL, "postgresql://u:12?34@h/d", "type", "an '@' in the query"},
    {TYPE_POSTGRES_URL, "postgresql://u:12#34@h/d", "type", "a '#', which not all"},
    {TYPE_POSTGRES_URL, "postgresql://u:p@h:x/d", "type", "a port that is not a number"},
    {TYPE_REDIS_URL, "http://cache", "scheme", "expected `redis`, `rediss` or `unix`"},
    {TYPE_REDIS_URL, "redis://", "host", "no host"},
    {TYPE_REDIS_URL, "redis://cache/app", "type", "a database's number"},
    {TYPE_EMAIL, "ops", "type", "one e-mail address"},
    {TYPE_EMAIL, "@acme.io", "type", "trouble at character 1"},
    {TYPE_EMAIL, "ops@", "type", "one e-mail address"},
    {TYPE_EMAIL, "ops@acme..io", "type", "trouble at character 10"},
    {TYPE_EMAIL, "ops@-acme.io", "type", "trouble at character 5"},
    {TYPE_EMAIL, "ops@acme-", "type", "trouble at character 9"},
    {TYPE_EMAIL, ".ops@acme.io", "type", "trouble at character 1"},
    {TYPE_EMAIL, "Ops <ops@acme.io>", "type", "trouble at character 4"},
    {TYPE_EMAIL, "a@b,c@d", "type", "trouble at character 4"},
    {TYPE_UUID, "123e4567e89b12d3a456426614174000", "type", "trouble at character 9"},
    {TYPE_UUID, "123e4567-e89b-12d3-a456-42661417400g", "type", "trouble at character 36"},
    {TYPE_UUID, "123e4567-e89b", "type", "13 characters, expected a UUID"},
    {TYPE_UUID, "{" UUID "}", "type", "trouble at character 1"},
    {TYPE_UUID, UUID "0", "type", "trouble at character 37"},
    {TYPE_BASE64, "YW\xc3\xb6j", "type", "4 characters, expected base64"},
    {TYPE_BASE64, "YWJj YWJj", "type", "trouble at character 5"},
    {TYPE_BASE64, "YWJjY", "type", "5 characters, expected base64"},
    {TYPE_BASE64, "+/8_", "type", "expected base64"},
};

static void good_values_pass(void **state)
{
    (void)state;
    assert_all_good(good, ARRAY_LEN(good));
}

static void bad_values_are_described(void **state)
{
    (void)state;
    assert_all_bad(bad, ARRAY_LEN(bad));
}

static void a_nul_byte_is_refused_in_every_type(void **state)
{
    (void)state;
    for (unsigned type = 0; type < CONTRACT_TYPE_COUNT; type++) {
        AUTO_FINDINGS findings = FINDINGS_INIT;
        struct contract_rules rules = {.type = (enum contract_type)type};
        validate(&rules, true, "ab\0c", 4, &findings);
        assert_int_equal(findings.count, 1);
        assert_string_equal(findings.list[0].rule, "type");
        assert_text_has(findings.list[0].message, "NUL byte at byte 3");
    }
}

static void every_type_has_a_name_and_its_constraints(void **state)
{
    (void)state;
    assert_string_equal(contract_type_name(TYPE_POSTGRES_URL), "postgres-url");
    assert_int_equal(contract_type_constraints(TYPE_BASE64), HAS_MIN_BYTES);
    assert_int_equal(contract_type_constraints(TYPE_LIST), HAS_ITEM);
    for (unsigned type = 0; type < CONTRACT_TYPE_COUNT; type++)
        assert_non_null(contract_type_name((enum contract_type)type));
}

static void bounds_include_both_ends(void **state)
{
    (void)state;
    static const struct {
        enum contract_type type;
        const char *min, *max, *low, *high, *below, *above;
    } cases[] = {
        {TYPE_INT, "-5", "10", "-5", "10", "-6", "11"},
        {TYPE_NUMBER, "0.5", "1e2", "0.50", "100", "0.49", "100.01"},
        {TYPE_PORT, "1024", "2048", "1024", "2048", "80", "2049"},
        {TYPE_DURATION, "1s", "2m", "1000ms", "120s", "999ms", "3m"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct contract_rules rules = {.type = cases[i].type,
                                       .min = bound(cases[i].type, cases[i].min),
                                       .max = bound(cases[i].type, cases[i].max)};
        assert_good(&rules, cases[i].low);
        assert_good(&rules, cases[i].high);
        assert_bad(&rules, cases[i].below, "min", "below the minimum of ");
        assert_bad(&rules, cases[i].below, "min", cases[i].min);
        assert_bad(&rules, cases[i].above, "max", "above the maximum of ");
        assert_bad(&rules, cases[i].above, "max", cases[i].max);
    }
}

static void a_bound_is_of_its_type(void **state)
{
    (void)state;
    struct contract_bound unused;
    assert_int_equal(types_parse_bound(TYPE_INT, "1.5", &unused), -1);
    assert_int_equal(types_parse_bound(TYPE_DURATION, "5", &unused), -1);
    assert_int_equal(types_parse_bound(TYPE_PORT, "70000", &unused), -1);
    assert_int_equal(types_parse_bound(TYPE_NUMBER, "x", &unused), -1);
    assert_int_equal(types_parse_bound(TYPE_STRING, "5", &unused), -1);
    struct contract_bound two_minutes = bound(TYPE_DURATION, "2m");
    assert_int_equal(two_minutes.integer, 120000);
}

static const char *const stages[] = {"dev", "staging", "prod", NULL};

static void values_are_listed_and_the_nearest_is_proposed(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_ENUM, .values = stages};
    assert_good(&rules, "staging");
    AUTO_FINDINGS findings = FINDINGS_INIT;
    validate(&rules, false, "stagin", 6, &findings);
    assert_int_equal(findings.count, 1);
    assert_string_equal(findings.list[0].rule, "values");
    assert_text_has(findings.list[0].message,
                    "6 characters, expected one of `dev`, `staging`, `prod`");
    assert_text_has(findings.list[0].hint, "Did you mean `staging`?");
    assert_bad(&rules, "Dev", "values", "3 characters");
    assert_bad(&rules, "prod ", "values", "white space at the end");
}

static void a_secret_gets_no_nearest_value(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_STRING, .values = stages};
    AUTO_FINDINGS findings = FINDINGS_INIT;
    validate(&rules, true, "stagin", 6, &findings);
    assert_int_equal(findings.count, 1);
    assert_null(findings.list[0].hint);
    assert_text_has(findings.list[0].message, "one of the 3 values in the contract");
    assert_text_lacks(findings.list[0].message, "staging");
}

static void many_values_are_counted(void **state)
{
    (void)state;
    static const char *const many[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", NULL};
    struct contract_rules rules = {.type = TYPE_ENUM, .values = many};
    assert_bad(&rules, "zzzz", "values", "`h` and 2 more");
}

static void length_counts_characters(void **state)
{
    (void)state;
    struct contract_rules rules = {
        .type = TYPE_STRING, .has_length = true, .length_min = 2, .length_max = 3};
    assert_good(&rules, "\xc3\xb6\xc3\xb6\xc3\xb6");
    assert_bad(&rules, "a", "length", "1 character, expected 2 to 3");
    assert_bad(&rules, "abcd", "length", "4 characters, expected 2 to 3");
    rules.length_max = SIZE_MAX;
    assert_bad(&rules, "a", "length", "expected at least 2");
    rules.length_min = rules.length_max = 5;
    assert_bad(&rules, "a", "length", "expected exactly 5");
}

static void min_bytes_counts_after_decoding(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_BASE64, .min_bytes = 4};
    assert_good(&rules, "YWJjZA==");
    assert_bad(&rules, "YWJj", "length", "3 bytes after decoding, expected at least 4");
    assert_bad(&rules, "YWJ*", "type", "base64");
}

static void a_prefix_is_named(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_STRING, .prefix = "re_"};
    assert_good(&rules, "re_");
    assert_bad(&rules, "sk_0123456789 ", "prefix",
               "14 characters, expected the prefix `re_`, white space at the end");
    assert_bad(&rules, "re", "prefix", "2 characters");
}

static void a_pattern_matches_the_whole_value(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_STRING, .pattern = "sk_(live|test)_.+"};
    assert_good(&rules, "sk_live_1");
    assert_bad(&rules, "xsk_live_1", "pattern", "expected to match `sk_(live|test)_.+`");
    assert_bad(&rules, "sk_live_1\n", "pattern", "a line break at the end");
    assert_bad(&rules, "sk_live_", "pattern", "8 characters");
    rules.pattern = "a|ab";
    assert_good(&rules, "ab");
    rules.pattern = "a$";
    assert_bad(&rules, "a\n", "pattern", "2 characters");
    rules.pattern = ".\xc3\xb6";
    assert_good(&rules, "\xc3\xa4\xc3\xb6");
    rules.pattern = "..";
    assert_bad(&rules, "\xff\xff", "pattern", "no UTF-8 at byte 1");
}

static void a_pattern_that_runs_away_is_given_up(void **state)
{
    (void)state;
    char value[65];
    memset(value, 'a', sizeof value - 1);
    value[63] = '!';
    value[64] = '\0';
    struct contract_rules rules = {.type = TYPE_STRING, .pattern = "(a|aa)+"};
    assert_bad(&rules, value, "pattern", "was given up after 1000000 steps");
}

static void a_pattern_that_digs_too_deep_is_given_up(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    char *value = malloc(LENGTH + 1);
    assert_non_null(value);
    memset(value, 'a', LENGTH);
    value[LENGTH] = '\0';
    struct contract_rules rules = {.type = TYPE_STRING, .pattern = "(?:a|b)*"};
    assert_bad(&rules, value, "pattern", "was given up at 10000 choices inside of one another");
    free(value);
}

static void a_broken_pattern_is_named_with_its_byte(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(types_check_pattern("a(b", &err), -1);
    assert_int_equal(err.kind, ERR_CONTRACT);
    assert_text_has(err.text, "at byte 4");
    assert_int_equal(types_check_pattern("a(b)", &err), 0);
    struct contract_rules rules = {.type = TYPE_STRING, .pattern = "["};
    assert_bad(&rules, "x", "pattern", "does not compile");
}

static void a_cache_gives_what_a_fresh_pattern_gives(void **state)
{
    (void)state;
    AUTO_PATTERN_CACHE cache = {0};
    struct err err = ERR_INIT;
    char texts[200][8];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) { /* more than there are places */
            (void)snprintf(texts[i], sizeof texts[i], "x%d", i);
            assert_int_equal(pattern_match(&cache, texts[i], texts[i], strlen(texts[i]), &err),
                             PATTERN_MATCHES);
            assert_int_equal(pattern_match(&cache, texts[i], "x", 1, &err), PATTERN_DIFFERS);
        }
    }
}

/* ---- URLs ----------------------------------------------------------------------------------- */

static const char *const https_only[] = {"https", NULL};
static const char *const acme_hosts[] = {"*.acme.io", "localhost", NULL};
static const char *const prod_hosts[] = {"*.prod.acme.io", NULL};
static const char *const sockets[] = {"/*", NULL};

static void schemes_are_restricted(void **state)
{
    (void)state;
    struct contract_url_rules url = {.scheme = https_only};
    struct contract_rules rules = {.type = TYPE_URL, .url = &url};
    assert_good(&rules, "HTTPS://acme.io");
    assert_bad(&rules, "http://acme.io", "scheme", "expected `https`");
}

static void hosts_are_restricted(void **state)
{
    (void)state;
    struct contract_url_rules url = {.host = acme_hosts, .deny_host = prod_hosts};
    struct contract_rules rules = {.type = TYPE_POSTGRES_URL, .url = &url};
    assert_good(&rules, "postgresql://u@db.acme.io/d");
    assert_good(&rules, "postgresql://u@DB.Acme.IO./d");
    assert_good(&rules, "postgresql://u@a.acme.io,localhost:5433/d");
    assert_good(&rules, "postgresql:///d?host=localhost");
    assert_bad(&rules, "postgresql://u@acme.io.evil.io/d", "host",
               "another host, expected `*.acme.io` or `localhost`");
    assert_bad(&rules, "postgresql:///d", "host", "no host");
    assert_bad(&rules, "postgresql://u@localhost,evil.io/d", "host", "another host");
    assert_bad(&rules, "postgresql://u@localhost/d?host=evil.io", "host", "another host");
    assert_bad(&rules, "postgresql://u@localhost/d?h%6Fst=localhost,evil.io", "host", "another");
    assert_bad(&rules, "postgresql://u@localhost/d?hostaddr=10.0.0.1", "host", "another host");
    assert_bad(&rules, "postgresql://u@/d?host=evil.io&host=localhost", "host", "another host");
    assert_bad(&rules, "postgresql://u@/d?host=x.prod.acme.io:5432", "host", "denied");
    assert_good(&rules, "postgresql+psycopg://u@/d?host=a.acme.io:5432&host=b.acme.io:5433");
    assert_bad(&rules, "postgresql://u@db.prod.acme.io/d", "host", "denied: `*.prod.acme.io`");
    url = (struct contract_url_rules){.host = sockets};
    assert_good(&rules, "postgresql://u@%2Frun%2Fpostgresql/d");
    assert_good(&rules, "postgresql:///d?host=/run/postgresql");
}

static void ports_are_restricted_defaults_included(void **state)
{
    (void)state;
    static const uint16_t ports[] = {5432, 6432};
    struct contract_url_rules url = {.ports = ports, .port_count = 2};
    struct contract_rules rules = {.type = TYPE_POSTGRES_URL, .url = &url};
    assert_good(&rules, "postgresql://h/d");
    assert_good(&rules, "postgresql://h:6432/d");
    assert_good(&rules, "postgresql://h:,g:5432/d");
    assert_bad(&rules, "postgresql://h:1/d", "port", "another port, expected 5432 or 6432");
    assert_bad(&rules, "postgresql://h,g:1/d", "port", "another port");
    assert_bad(&rules, "postgresql://h:5432/d?port=1", "port", "another port");
    rules.type = TYPE_URL;
    assert_bad(&rules, "custom://h/d", "port", "another port");
}

static void users_and_passwords_are_asked_for_or_forbidden(void **state)
{
    (void)state;
    static const char *const app_users[] = {"app_?", NULL};
    struct contract_url_rules url = {
        .user = DEMAND_PRESENT, .user_patterns = app_users, .password = DEMAND_PRESENT};
    struct contract_rules rules = {.type = TYPE_POSTGRES_URL, .url = &url};
    assert_good(&rules, "postgresql://app_a:p@h/d");
    assert_good(&rules, "postgresql://h/d?user=app_b&password=p");
    assert_bad(&rules, "postgresql://root:p@h/d", "user", "another user, expected `app_?`");
    assert_bad(&rules, "postgresql://app_a:p@h/d?user=root", "user", "another user");
    assert_bad(&rules, "postgresql://:p@h/d", "user", "no user");
    assert_bad(&rules, "postgresql://app_a@h/d", "password", "no password");
    assert_bad(&rules, "postgresql://app_a:@h/d", "password", "no password");
    url = (struct contract_url_rules){.user = DEMAND_ABSENT, .password = DEMAND_ABSENT};
    assert_good(&rules, "postgresql://h/d");
    assert_bad(&rules, "postgresql://u@h/d", "user", "a user, expected none");
    assert_bad(&rules, "postgresql://:p@h/d", "password", "a password, expected none");
    assert_bad(&rules, "postgresql://h/d?password=p", "password", "a password, expected none");
}

static void query_parameters_are_held_to_their_values(void **state)
{
    (void)state;
    static const char *const modes[] = {"require", "verify-*", NULL};
    static const struct contract_query_rule query[] = {
        {.name = "sslmode", .demand = DEMAND_PRESENT, .values = modes},
        {.name = "options", .demand = DEMAND_ABSENT},
        {.name = "target", .values = modes},
    };
    struct contract_url_rules url = {.query = query, .query_count = 3};
    struct contract_rules rules = {.type = TYPE_POSTGRES_URL, .url = &url};
    assert_good(&rules, "postgresql://h/d?sslmode=require");
    assert_good(&rules, "postgresql://h/d?ssl%6Dode=verify%2Dfull&target=require");
    assert_bad(&rules, "postgresql://h/d", "query",
               "no `sslmode` in the query, expected `require` or `verify-*`");
    assert_bad(&rules, "postgresql://h/d?sslmode=disable", "query", "another `sslmode`");
    assert_bad(&rules, "postgresql://h/d?sslmode", "query", "another `sslmode`");
    assert_bad(&rules, "postgresql://h/d?sslmode=require&sslmode=disable", "query",
               "more than once");
    assert_bad(&rules, "postgresql://h/d?sslmode=require&options=x", "query", "expected none");
    assert_bad(&rules, "postgresql://h/d?sslmode=require&target=x", "query", "another `target`");
}

/* ---- paths ---------------------------------------------------------------------------------- */

static void paths_are_looked_at_where_the_contract_says_so(void **state)
{
    (void)state;
    char folder[] = "/tmp/agent-test-XXXXXX", file[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/file", folder);
    FILE *made = fopen(file, "we");
    assert_non_null(made);
    assert_int_equal(fclose(made), 0);

    struct contract_path_rules path = {.must_exist = true};
    struct contract_rules rules = {.type = TYPE_PATH, .path = &path};
    assert_good(&rules, file);
    assert_good(&rules, folder);
    assert_bad(&rules, "/no/such/file", "path", "No such file or directory");
    path.kind = PATH_OF_FOLDER;
    assert_good(&rules, folder);
    assert_bad(&rules, file, "path", "expected a folder");
    path.kind = PATH_OF_NO_FOLDER;
    assert_bad(&rules, folder, "path", "it is a folder");
    path = (struct contract_path_rules){.kind = PATH_OF_FOLDER};
    assert_good(&rules, "/no/such/folder");
    path = (struct contract_path_rules){.readable = true};
    assert_good(&rules, file);
    assert_bad(&rules, "/no/such/file", "path", "No such file or directory");
    if (geteuid() != 0) { /* root reads everything */
        assert_int_equal(chmod(file, 0), 0);
        assert_bad(&rules, file, "path", "expected to be readable: Permission denied");
    }
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void all_that_is_wrong_is_said_at_once(void **state)
{
    (void)state;
    struct contract_rules rules = {.type = TYPE_BASE64,
                                   .has_length = true,
                                   .length_min = 10,
                                   .length_max = 20,
                                   .prefix = "ab",
                                   .pattern = "[a-z]+",
                                   .values = stages};
    AUTO_FINDINGS findings = FINDINGS_INIT;
    validate(&rules, true, "a b!", 4, &findings);
    assert_int_equal(findings.count, 5);
    static const char *const expected[] = {"type", "values", "length", "prefix", "pattern"};
    for (size_t i = 0; i < findings.count; i++)
        assert_string_equal(findings.list[i].rule, expected[i]);
    assert_int_equal(findings.errors, 5);
}

#define CANARY "Zq7Xw9KjVb3Gf5Ht"

/* No four bytes in a row of the canary in TEXT. */
static void assert_silent(const char *text)
{
    for (size_t i = 0; i + 4 <= strlen(CANARY); i++) {
        char piece[5] = {0};
        memcpy(piece, CANARY + i, 4);
        assert_text_lacks(text, piece);
    }
}

static void no_message_has_four_bytes_of_a_value(void **state)
{
    static const char *const frames[] = {
        "%s",
        "1%s",
        "10MB%s",
        "%s.acme.io_%s",
        "10.0.0.%s",
        "10.0.0.0/%s",
        "%s::1",
        "1.2.3-%s_",
        "2027-01-%s",
        "ab%s",
        "{\"a\": \"%s\", \"b\": %s}",
        "[\"%s\"",
        "\"%s\\x",
        "-----BEGIN %s-----\n%s!\n-----END %s-----\n",
        "-----BEGIN A-----\n%s\n-----END %s-----\n",
        "%s.%s.%s",
        "%s,,%s",
        "https://%s:%s@%s/%s?%s=%s#%s x",
        "\xff%s\n",
    };
    (void)state;
    for (unsigned type = 0; type < CONTRACT_TYPE_COUNT; type++) {
        struct contract_rules item = {.type = TYPE_INT, .values = stages, .prefix = "re_"};
        struct contract_rules rules = {.type = (enum contract_type)type,
                                       .values = stages,
                                       .prefix = "re_",
                                       .pattern = "[a-z]+",
                                       .has_length = true,
                                       .length_max = 1,
                                       .item = &item};
        for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
            AUTO_FINDINGS findings = FINDINGS_INIT;
            AUTO_BUF value = BUF_INIT(1024);
            for (const char *c = frames[i]; *c; c++)
                if (c[0] == '%' && c[1] == 's')
                    buf_adds(&value, CANARY), c++;
                else
                    buf_addc(&value, *c);
            validate(&rules, i % 2 == 0, buf_text(&value), value.len, &findings);
            assert_true(findings.count > 0);
            for (size_t k = 0; k < findings.count; k++) {
                assert_silent(findings.list[k].message);
                assert_silent(findings.list[k].hint ? findings.list[k].hint : "");
            }
        }
    }
}

static void a_subject_stands_before_the_message(void **state)
{
    (void)state;
    AUTO_FINDINGS findings = FINDINGS_INIT;
    struct contract_variable variable = {.name = "NAME"};
    struct validation v = {.variable = &variable,
                           .position = &nowhere,
                           .subject = "the default: ",
                           .findings = &findings};
    struct contract_rules rules = {.type = TYPE_INT};
    types_validate(&v, &rules, "x", 1);
    assert_int_equal(findings.count, 1);
    assert_text_has(findings.list[0].message, "the default: 1 character, expected a whole number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values_pass),
        cmocka_unit_test(bad_values_are_described),
        cmocka_unit_test(a_nul_byte_is_refused_in_every_type),
        cmocka_unit_test(every_type_has_a_name_and_its_constraints),
        cmocka_unit_test(bounds_include_both_ends),
        cmocka_unit_test(a_bound_is_of_its_type),
        cmocka_unit_test(values_are_listed_and_the_nearest_is_proposed),
        cmocka_unit_test(a_secret_gets_no_nearest_value),
        cmocka_unit_test(many_values_are_counted),
        cmocka_unit_test(length_counts_characters),
        cmocka_unit_test(min_bytes_counts_after_decoding),
        cmocka_unit_test(a_prefix_is_named),
        cmocka_unit_test(a_pattern_matches_the_whole_value),
        cmocka_unit_test(a_pattern_that_runs_away_is_given_up),
        cmocka_unit_test(a_pattern_that_digs_too_deep_is_given_up),
        cmocka_unit_test(a_broken_pattern_is_named_with_its_byte),
        cmocka_unit_test(a_cache_gives_what_a_fresh_pattern_gives),
        cmocka_unit_test(schemes_are_restricted),
        cmocka_unit_test(hosts_are_restricted),
        cmocka_unit_test(ports_are_restricted_defaults_included),
        cmocka_unit_test(users_and_passwords_are_asked_for_or_forbidden),
        cmocka_unit_test(query_parameters_are_held_to_their_values),
        cmocka_unit_test(paths_are_looked_at_where_the_contract_says_so),
        cmocka_unit_test(all_that_is_wrong_is_said_at_once),
        cmocka_unit_test(no_message_has_four_bytes_of_a_value),
        cmocka_unit_test(a_subject_stands_before_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

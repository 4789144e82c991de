/* tests/unit/envcontract_fences.c: what belongs to another profile, and the database's authority. */
#include "tests/unit/envcontract_values.h"

#define PROFILES "'profile': {'var': 'R', 'values': ['dev', 'staging', 'prod']}, "
#define VARS                                                                                     \
    "'vars': {'R': {}, 'U': {'type': 'postgres-url', 'required': false}, 'H': {'type': 'host', " \
    "'required': false}, 'S': {'required': false}, 'L': {'type': 'list', 'item': {'type': "      \
    "'url'}, "                                                                                   \
    "'required': false}, 'M': {'type': 'enum', 'values': ['neon', 'local'], 'required': false}}"
#define FENCES(fences) "{'contract': 1, " PROFILES VARS ",\n'fences': {" fences "}}"
#define AUTHORITY(keys) \
    "{'contract': 1, " PROFILES VARS ",\n'database': {'url': 'U', 'authority': {" keys "}}}"

static void fences_are_of_profiles_and_few(void **state)
{
    static const struct wrong list[] = {
        {FENCES("'prodd': {'values': ['x']}"), 2, 12, "/fences/prodd",
         "'prodd' is no profile of the contract", "'prod'"},
        {FENCES("'prod': {'host': ['x']}"), 2, 21, "/fences/prod/host", "unknown key 'host'",
         "'hosts'"},
        {FENCES("'prod': {'hosts': 'x'}"), 2, 30, "/fences/prod/hosts",
         "'hosts' takes a list of strings", NULL},
        {FENCES("'prod': {'hosts': ['']}"), 2, 31, "/fences/prod/hosts/0",
         "an empty string in 'hosts'", NULL},
        {"{'contract': 1, 'vars': {}, 'fences': {'prod': {'values': ['x']}}}", 1, 40,
         "/fences/prod", "the profile 'prod' in a contract without 'profile'", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_ceiling_of_globs_keeps_the_cost_small(void **state)
{
    static char text[16 * 1024];
    size_t length = (size_t)snprintf(
        text, sizeof text, "{'contract': 1, " PROFILES VARS ", 'fences': {'prod': {'values': ['x'");

    (void)state;
    for (int i = 0; i < CONTRACT_MAX_FENCE_GLOBS; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, ", 'x%d*'", i);
    (void)snprintf(text + length, sizeof text - length, "]}}}");
    struct loaded l = load_text(text);
    (void)find_finding(&l, "all fences together have at most 256 globs");
    assert_int_equal(l.findings.count, 1);
    unload(&l);
    length = (size_t)snprintf(text, sizeof text,
                              "{'contract': 1, " PROFILES VARS
                              ", 'fences': {'prod': {'values': ['%0*d']}}}",
                              CONTRACT_MAX_GLOB_BYTES + 1, 0);
    l = load_text(text);
    (void)find_finding(&l, "a glob of a fence has at most 256 bytes");
    unload(&l);
}

static void what_belongs_to_one_profile_is_an_error_in_every_other(void **state)
{
    static const struct {
        const char *variable, *value, *message; /* NULL: nothing */
    } list[] = {
        {"S", "sk_live_canary-4f",
         "a value of the profile 'prod' (`sk_live_*`), and this is "
         "'staging'"},
        {"S", "xsk_live_canary", NULL},
        {"S", "sk_test_canary", NULL}, /* its own */
        {"U", "postgresql://u:canary@EP-prod-7.neon.tech./x",
         "a host of the profile 'prod' (`ep-PROD-*.neon.tech`), and this is 'staging'"},
        {"U", "postgresql://u@localhost/x?host=a.b,ep-prod-7.neon.tech",
         "a host of the profile 'prod' (`ep-PROD-*.neon.tech`), and this is 'staging'"},
        {"U", "postgresql://a.b,ep-prod-7.neon.tech/x",
         "a host of the profile 'prod' (`ep-PROD-*.neon.tech`), and this is 'staging'"},
        {"U", "postgresql://u@localhost/x?hostaddr=10.1.2.3",
         "a host of the profile 'prod' (`10.1.*`), and this is 'staging'"},
        {"U", "postgresql+psycopg://u@/x?host=ep-prod-7.neon.tech&host=ep-stg-7.neon.tech",
         "a host of the profile 'prod' (`ep-PROD-*.neon.tech`), and this is 'staging'"},
        {"U", "postgresql+psycopg://u@/x?host=a.b&host=ep-prod-7.neon.tech:5432",
         "a host of the profile 'prod' (`ep-PROD-*.neon.tech`), and this is 'staging'"},
        {"U", "postgresql://ep-stg-7.neon.tech/x", NULL},
        {"H", "ep-prod-7.Neon.tech",
         "a host of the profile 'prod' (`ep-PROD-*.neon.tech`), and this is 'staging'"},
        {"S", "ep-prod-7.neon.tech", NULL}, /* no host by its type */
        {"L", "https://a.b,https://ep-prod-7.neon.tech",
         "a host of the profile 'prod' (`ep-PROD-*.neon.tech`), and this is 'staging'"},
        {"L", "https://a.b,https://b.c", NULL},
    };
    struct held h = hold(FENCES("'prod': {'hosts': ['ep-PROD-*.neon.tech', '10.1.*'], 'values': "
                                "['sk_live_*']}, 'staging': {'hosts': ['ep-stg-*'], 'values': "
                                "['sk_test_*']}"),
                         "staging");

    (void)state;
    give(&h, "R", "staging");
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        give(&h, list[i].variable, list[i].value);
        check_held(&h);
        if (list[i].message)
            (void)assert_one(&h, "fence", list[i].variable, list[i].message);
        else
            assert_clean(&h.l);
        give(&h, list[i].variable, NULL);
    }
    value_of(&h, "S")->resolved = false;
    check_held(&h);
    assert_clean(&h.l);
    let_go(&h);
}

static void globs_without_end_are_given_up_and_that_is_an_error(void **state)
{
    enum { BYTES = 1024 * 1024 - 1 };
    char glob[CONTRACT_MAX_GLOB_BYTES + 1] = "*", *value = malloc(BYTES + 1), text[4096];

    (void)state;
    assert_non_null(value);
    memset(glob + 1, 'a', sizeof glob - 3);
    glob[sizeof glob - 2] = '?'; /* no end that could be compared first */
    glob[sizeof glob - 3] = 'b';
    memset(value, 'a', BYTES);
    value[BYTES] = '\0';
    size_t length = (size_t)snprintf(
        text, sizeof text, "{'contract': 1, " PROFILES VARS ", 'fences': {'prod': {'values': ['x'");
    for (int i = 0; i < 2; i++) /* 256 times a million steps each */
        length += (size_t)snprintf(text + length, sizeof text - length, ", '%s'", glob);
    (void)snprintf(text + length, sizeof text - length, "]}}}");
    struct held h = hold(text, "dev");
    give(&h, "R", "dev");
    give(&h, "S", value);
    check_held(&h);
    assert_int_equal(h.l.findings.count, 1);
    assert_int_equal(find_finding(&h.l, "what is beyond them was not looked at")->severity,
                     FINDING_ERROR);
    let_go(&h);
    free(value);
}

static void an_authority_names_a_variable_and_its_hosts(void **state)
{
    static const struct wrong list[] = {
        {AUTHORITY("'hosts': {'neon': ['x']}"), 2, 26, "/database/authority",
         "'authority' has no 'var'", NULL},
        {AUTHORITY("'var': 'MM', 'hosts': {'neon': ['x']}"), 2, 47, "/database/authority/var",
         "'MM' is no variable of the contract", NULL},
        {AUTHORITY("'var': 'M', 'hosts': {'nion': ['x']}"), 2, 62, "/database/authority/hosts/nion",
         "'nion' is no value of the authority's variable", "'neon'"},
        {AUTHORITY("'var': 'M', 'hosts': {'neon': 'x'}"), 2, 70, "/database/authority/hosts/neon",
         "'hosts' takes a list of strings", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void the_database_is_where_its_authority_says(void **state)
{
    static const char other[] = "another host than M, the database's authority, allows: expected ";
    static const struct {
        const char *authority, *url, *expected; /* NULL: nothing wrong */
    } list[] = {
        {"neon", "postgresql://u@EP-1.neon.tech/x", NULL},
        {"neon", "postgresql://u@localhost/x", "`*.neon.tech`"},
        {"neon", "postgresql:///x", "`*.neon.tech`"},
        {"local", "postgresql://u@localhost/x", NULL},
        {"local", "postgresql:///x", NULL}, /* the folder of sockets */
        {"local", "postgresql://%2Frun%2Fpg/x", NULL},
        {"local", "postgresql:///x?host=/run/pg", NULL},
        {"local", "postgresql://localhost,ep-1.neon.tech/x", "`localhost` or `/*`"},
        {"local", "postgresql://localhost/x?host=ep-1.neon.tech", "`localhost` or `/*`"},
        {NULL, "postgresql://u@anywhere/x", NULL}, /* for `required` to say */
        {"local", NULL, NULL},
    };
    struct held h = hold(AUTHORITY("'var': 'M', 'hosts': {'neon': ['*.neon.tech'], 'local': "
                                   "['localhost', '/*']}"),
                         "dev");

    (void)state;
    give(&h, "R", "dev");
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        char message[256];
        give(&h, "M", list[i].authority);
        give(&h, "U", list[i].url);
        check_held(&h);
        (void)snprintf(message, sizeof message, "%s%s", other,
                       list[i].expected ? list[i].expected : "");
        if (list[i].expected)
            assert_string_equal(assert_one(&h, "authority", "U", message)->pointer,
                                "/database/authority");
        else
            assert_clean(&h.l);
    }
    let_go(&h);
}

static void a_value_without_hosts_is_no_authority(void **state)
{
    struct held h = hold(AUTHORITY("'var': 'M', 'hosts': {'neon': ['*.neon.tech']}"), "dev");

    (void)state;
    give(&h, "R", "dev");
    give(&h, "M", "local");
    give(&h, "U", "postgresql://localhost/x");
    check_held(&h);
    (void)assert_one(&h, "authority", "M", "M has a value for which no hosts are named");
    let_go(&h);
}

/* A URL of three hundred thousand hosts, each of which has its authority. */
static void hosts_that_were_not_looked_at_are_of_no_other_authority(void **state)
{
    enum { HOSTS = 300 * 1000, GLOBS = 20 };
    AUTO_BUF text = BUF_INIT(4096), url = BUF_INIT(SECRET_MAX_BYTES);

    (void)state;
    buf_adds(&text,
             "{'contract': 1, " PROFILES VARS ", 'database': {'url': 'U', 'authority': {'var': "
             "'M', 'hosts': {'neon': [");
    for (int i = 0; i < GLOBS; i++)
        buf_addf(&text, "'no.%d.example', ", i);
    buf_adds(&text, "'a']}}}}");
    buf_adds(&url, "postgresql://");
    for (int i = 0; i < HOSTS; i++)
        buf_adds(&url, "a,");
    buf_adds(&url, "a/db");
    struct held h = hold(buf_text(&text), "dev");
    give(&h, "R", "dev");
    give(&h, "M", "neon");
    give(&h, "U", buf_text(&url));
    check_held(&h);
    assert_int_equal(h.l.findings.count, 1);
    assert_string_equal(h.l.findings.list[0].rule, "contract");
    assert_text_has(h.l.findings.list[0].message, "what is beyond them was not looked at");
    let_go(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fences_are_of_profiles_and_few),
        cmocka_unit_test(a_ceiling_of_globs_keeps_the_cost_small),
        cmocka_unit_test(what_belongs_to_one_profile_is_an_error_in_every_other),
        cmocka_unit_test(globs_without_end_are_given_up_and_that_is_an_error),
        cmocka_unit_test(an_authority_names_a_variable_and_its_hosts),
        cmocka_unit_test(the_database_is_where_its_authority_says),
        cmocka_unit_test(a_value_without_hosts_is_no_authority),
        cmocka_unit_test(hosts_that_were_not_looked_at_are_of_no_other_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A place in Vault or in the sealed store is written to by the rotation of one variable. */
#include "tests/unit/envcontract_load.h"

#define ROTATED(source, keys) \
    "{'secret': true, 'source': '" source "', 'rotate': {'strategy': 'random'" keys "}}"
#define HOOKED(source) \
    "{'secret': true, 'source': '" source "', 'rotate': {'strategy': 'hook', 'hook': ['h']}}"
#define COMPOSED(password, rotate)                                                              \
    "{'secret': true, 'type': 'postgres-url', 'compose': 'postgresql://{user}:{password}@h/d'," \
    " 'source': {'user': 'vault:kv/app#user', 'password': '" password "'}, 'rotate': {" rotate  \
    "}}"
/* A on line 2, B on line 3. */
#define TWO(a, b) "{'contract': 1, 'vars': {\n'A': " a ",\n'B': " b "}}"
#define PROFILED(a, b)                                                                   \
    "{'contract': 1, 'profile': {'var': 'P', 'values': ['dev', 'prod']}, 'vars': {'P': " \
    "{},\n'A': " a ",\n'B': " b "}}"
#define LOGINS "'strategy': 'pg-two-login', 'owner': 'o', 'logins': "

static void a_place_is_rotated_by_one_variable(void **state)
{
    static const struct wrong list[] = {
        {TWO(ROTATED("vault:kv/app#p", ""), ROTATED("vault:kv/app#p", "")), 3, 51, "/vars/B/rotate",
         "'B' rotates 'vault:kv/app#p', which 'A' rotates (line 2)", "by one of both"},
        {TWO(HOOKED("sealed:KEY"), ROTATED("sealed:KEY", "")), 3, 47, "/vars/B/rotate",
         "'B' rotates 'sealed:KEY', which 'A' rotates (line 2)", NULL},
        {TWO(ROTATED("vault:kv/data/app#p", ""), HOOKED("vault:kv/app#p")), 3, 51, "/vars/B/rotate",
         "'vault:kv/app#p'", NULL},
        {TWO(HOOKED("vault:kv/app#p"), COMPOSED("vault:kv/app#p", "'strategy': 'random'")), 3, 167,
         "/vars/B/rotate", "'B' rotates 'vault:kv/app#p', which 'A' rotates (line 2)", NULL},
        {TWO(HOOKED("vault:kv/app#user"), COMPOSED("vault:kv/app#p", LOGINS "['a', 'b']")), 3, 167,
         "/vars/B/rotate", "'vault:kv/app#user'", NULL},
        {TWO(ROTATED("vault:kv/app#p", ", 'keep': 1"), HOOKED("vault:kv/app#A_PREVIOUS")), 3, 60,
         "/vars/B/rotate", "'vault:kv/app#A_PREVIOUS', which 'A' rotates", NULL},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void a_mirror_is_no_place_that_another_rotation_writes(void **state)
{
    static const struct wrong list[] = {
        {TWO(ROTATED("vault:kv/a#p", ""),
             ROTATED("vault:kv/b#p", ",\n'mirrors': ['sealed:X', 'vault:kv/a#p']")),
         4, 25, "/vars/B/rotate/mirrors/1",
         "a mirror of 'B' is 'vault:kv/a#p', which 'A' rotates (line 2)", "only read it"},
        {TWO(ROTATED("vault:kv/a#p", ", 'mirrors': ['vault:kv/b#p']"), ROTATED("vault:kv/b#p", "")),
         3, 49, "/vars/B/rotate", "'B' rotates 'vault:kv/b#p', which is a mirror of 'A' (line 2)",
         NULL},
        {TWO(ROTATED("vault:kv/a#p", ", 'mirrors': ['sealed:X']"),
             ROTATED("vault:kv/b#p", ", 'mirrors': ['sealed:X']")),
         3, 94, "/vars/B/rotate/mirrors/0",
         "a mirror of 'B' is 'sealed:X', which is a mirror of 'A' (line 2)", NULL},
        {TWO(ROTATED("vault:kv/a#p", ", 'mirrors': ['vault:kv/data/a#p']"), "{}"), 2, 94,
         "/vars/A/rotate/mirrors/0", "a mirror of 'A' is 'vault:kv/a#p', which is what it rotates",
         "by itself"},
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
}

static void what_is_only_read_or_another_place_is_no_conflict(void **state)
{
    static const char *const right[] = {
        TWO(ROTATED("vault:kv/app#p", ""), ROTATED("vault:kv/app#q", "")),
        TWO(ROTATED("vault:kv/app#p", ""), ROTATED("vault:kv/other#p", "")),
        TWO(ROTATED("vault:kv/app#p", ""), ROTATED("sealed:p", "")),
        TWO(ROTATED("vault:kv/app/data/x#p", ""), ROTATED("vault:kv/app/x#p", "")),
        /* one reads what the other one rotates */
        TWO(ROTATED("vault:kv/app#p", ""), "{'source': 'vault:kv/app#p'}"),
        TWO(ROTATED("vault:kv/app#p", ""),
            "{'source': 'vault:kv/app#p', 'rotate': {'strategy': 'none', 'why': 'x'}}"),
        TWO(ROTATED("vault:kv/app#p", ", 'mirrors': ['vault:kv/app#q']"),
            "{'source': 'vault:kv/app#q'}"),
        /* the user stays */
        TWO(COMPOSED("vault:kv/app#p", "'strategy': 'random'"),
            COMPOSED("vault:kv/app#q", "'strategy': 'random'")),
        TWO(ROTATED("vault:kv/app#p", ", 'keep': 0"), HOOKED("vault:kv/app#A_PREVIOUS")),
    };

    (void)state;
    assert_all_right(right, ARRAY_LEN(right));
}

static void a_mount_is_what_the_contract_says(void **state)
{
#define KV(mount) "{'contract': 1, 'vault': {'kv': {'" mount "': 2}}, 'vars': {\n"
#define DEEP                                                                                 \
    "'A': " ROTATED("vault:kv/team/data/app#p", "") ","                                      \
                                                    "\n'B': " ROTATED("vault:kv/team/app#p", \
                                                                      "") "}}"
    static const struct wrong list[] = {
        {KV("kv/team") DEEP, 3, 56, "/vars/B/rotate", "'vault:kv/team/app#p'", NULL},
        {KV("kv/team/") DEEP, 3, 56, "/vars/B/rotate", "'vault:kv/team/app#p'", NULL},
    };
    struct loaded other = load_text(KV("kv") DEEP);

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
    assert_clean(&other);
    unload(&other);
}

static void a_place_is_rotated_by_one_variable_in_each_profile(void **state)
{
#define IN_PROD(source)                                                                 \
    "{'secret': true, 'source': 'vault:kv/other#p', 'rotate': {'strategy': 'random'}, " \
    "'profiles': {'prod': {'source': '" source "'}}}"
    static const struct wrong list[] = {
        /* the second profile of those in which nothing lies over A */
        {PROFILED(ROTATED("vault:kv/{profile}#p", ""), IN_PROD("vault:kv/prod#p")), 3, 53,
         "/vars/B/rotate", "'B' rotates 'vault:kv/prod#p', which 'A' rotates (line 2)", NULL},
        {PROFILED(ROTATED("vault:kv/x#p", ", 'mirrors': ['vault:kv/{profile}#p']"),
                  IN_PROD("vault:kv/prod#p")),
         3, 53, "/vars/B/rotate", "which is a mirror of 'A' (line 2)", NULL},
    };
    static const char *const right[] = {
        PROFILED(ROTATED("vault:kv/{profile}#p", ""), IN_PROD("vault:kv/dev#p")),
        PROFILED(ROTATED("vault:kv/{profile}#{lower_name}", ""),
                 ROTATED("vault:kv/{profile}#{lower_name}", "")),
    };

    (void)state;
    assert_all_wrong(list, ARRAY_LEN(list));
    assert_all_right(right, ARRAY_LEN(right));
}

static void what_base_says_is_told_of_each_variable(void **state)
{
    struct loaded l = load_text(
        "{'contract': 1, 'base': {'secret': true, 'source': 'vault:kv/app#p',\n"
        "'rotate': {'strategy': 'random'}}, 'vars': {\n'A': {},\n'B': {},\n'C': {'rotate': "
        "{'strategy': 'none', 'why': 'x'}}}}");
    const struct finding *f = find_finding(&l, "'B' rotates 'vault:kv/app#p', which 'A' rotates "
                                               "(line 3)");

    (void)state;
    assert_int_equal(l.findings.count, 1);
    assert_int_equal(f->line, 4);
    assert_string_equal(f->variable, "B");
    unload(&l);
}

static void another_file_is_named_with_its_line(void **state)
{
    struct loaded l;

    (void)state;
    new_folder(&l);
    write_contract(&l, "contract.json",
                   "{'contract': 1, 'include': ['more.json'], 'vars': {'A': " ROTATED(
                       "vault:kv/app#p", "") "}}");
    write_contract(&l, "more.json",
                   "{'contract': 1, 'vars': {\n\n'B': " ROTATED("vault:kv/app#p", "") "}}");
    load(&l);
    const struct finding *f = find_finding(&l, "'B' rotates 'vault:kv/app#p', which 'A' rotates "
                                               "(line 1 of '");
    assert_int_equal(f->line, 3);
    assert_non_null(strstr(f->file, "more.json"));
    unload(&l);
}

/* Mirrors of `base` are multiplied by the variables. */
static void places_without_end_are_an_error(void **state)
{
    enum { MIRRORS = 900, VARIABLES = 9000, ROOM = 2 * 1024 * 1024 };
    char *text = malloc(ROOM);
    struct loaded l;
    int at;

    (void)state;
    assert_non_null(text);
    at = snprintf(text, ROOM,
                  "{'contract': 1, 'base': {'secret': true, 'source': "
                  "'vault:kv/{name}#p', 'rotate': {'strategy': 'random', 'mirrors': [");
    for (int i = 0; i < MIRRORS; i++)
        at += snprintf(text + at, (size_t)(ROOM - at), "%s'vault:kv/{name}#m%d'", i ? "," : "", i);
    at += snprintf(text + at, (size_t)(ROOM - at), "]}}, 'vars': {");
    for (int i = 0; i < VARIABLES; i++)
        at += snprintf(text + at, (size_t)(ROOM - at), "%s'V%d': {}", i ? "," : "", i);
    assert_in_range(snprintf(text + at, (size_t)(ROOM - at), "}}"), 2, 2);
    new_folder(&l);
    write_contract(&l, "contract.json", text);
    load(&l);
    assert_non_null(find_finding(&l, "the places that rotations write to have more than 16777216 "
                                     "bytes together"));
    assert_int_equal(l.findings.count, 1);
    unload(&l);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_rotated_by_one_variable),
        cmocka_unit_test(a_mirror_is_no_place_that_another_rotation_writes),
        cmocka_unit_test(what_is_only_read_or_another_place_is_no_conflict),
        cmocka_unit_test(a_mount_is_what_the_contract_says),
        cmocka_unit_test(a_place_is_rotated_by_one_variable_in_each_profile),
        cmocka_unit_test(what_base_says_is_told_of_each_variable),
        cmocka_unit_test(another_file_is_named_with_its_line),
        cmocka_unit_test(places_without_end_are_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

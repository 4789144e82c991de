/* Paths of references → paths of requests. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "vault/internal.h"

static char *request(const char *path, size_t mount_length)
{
    struct err err = ERR_INIT;
    char *out = NULL;

    if (path_request(path, mount_length, &out, &err) != 0)
        fail_msg("'%s': %s", path, err.text);
    return out;
}

static void assert_request(const char *path, size_t mount_length, const char *expected)
{
    char *out = request(path, mount_length);

    assert_string_equal(out, expected);
    free(out);
}

static void data_goes_behind_the_mount_once(void **state)
{
    (void)state;
    assert_request("secret/acme/db", strlen("secret"), "secret/data/acme/db");
    assert_request("secret/data/acme/db", strlen("secret"), "secret/data/acme/db");
    assert_request("secret/database/db", strlen("secret"), "secret/data/database/db");
    assert_request("team/kv/app", strlen("team/kv"), "team/kv/data/app");
    assert_request("secret/acme/db", 0, "secret/acme/db");
}

static void every_byte_is_encoded_or_refused(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char path[] = {'s', '/', 'a', (char)c, 'b', '\0'}, expected[16];
        AUTO_BUF out = BUF_INIT(VAULT_PATH_MAX_BYTES);
        struct err err = ERR_INIT;
        int result = path_encode(path, &out, &err);

        if (c < 0x20 || c == 0x7f) {
            assert_int_equal(result, -1);
            assert_int_equal(err.kind, ERR_CONTRACT);
            continue;
        }
        assert_int_equal(result, 0);
        if (c == '/')
            (void)snprintf(expected, sizeof expected, "s/a/b");
        else if (isalnum(c) || strchr("-._~", c))
            (void)snprintf(expected, sizeof expected, "s/a%cb", c);
        else
            (void)snprintf(expected, sizeof expected, "s/a%%%02Xb", (unsigned)c);
        assert_string_equal(buf_text(&out), expected);
    }
}

static void what_would_become_another_path_is_refused(void **state)
{
    static const char *const paths[] = {"s//a",        "/s/a", "s/a/",  "s/./a",      "s/../sys/x",
                                        "..",          ".",    "",      "s/%2e%2e/x", "s/a%2Fb",
                                        "s/a\r\nX: y", "s/..", "s/a%00"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct err err = ERR_INIT;
        char *out = NULL;
        if (path_request(paths[i], 0, &out, &err) != -1)
            fail_msg("'%s' was let through", paths[i]);
        assert_int_equal(err.kind, ERR_CONTRACT);
        assert_null(out);
    }
}

static void dots_and_percents_inside_a_segment_stay(void **state)
{
    (void)state;
    assert_request("s/a..b", 0, "s/a..b");
    assert_request("s/...", 0, "s/...");
    assert_request("s/100%", 0, "s/100%25");
    assert_request("s/50% off?#;", 0, "s/50%25%20off%3F%23%3B");
}

static void a_login_is_known_by_its_second_last_segment(void **state)
{
    (void)state;
    assert_true(path_is_login("database/creds/app"));
    assert_true(path_is_login("team/db/creds/app"));
    assert_true(path_is_login("database/static-creds/app"));
    assert_true(path_is_login("ldap/static-cred/app"));
    assert_false(path_is_login("creds/app"));
    assert_false(path_is_login("database/creds"));
    assert_false(path_is_login("secret/mycreds/app"));
    assert_false(path_is_login("secret/creds/a/b"));
}

static void a_mount_ends_at_a_slash(void **state)
{
    (void)state;
    assert_true(path_is_below("secret/a", "secret", 6));
    assert_false(path_is_below("secrets/a", "secret", 6));
    assert_false(path_is_below("secret", "secret", 6));
    assert_int_equal(path_prefix("a/b/c", 1), 1);
    assert_int_equal(path_prefix("a/b/c", 2), 3);
    assert_int_equal(path_prefix("a/b", 5), 3);
    assert_int_equal(path_segments("a/b/c"), 3);
}

static void a_path_too_long_is_named(void **state)
{
    char path[VAULT_PATH_MAX_BYTES + 2];
    struct err err = ERR_INIT;
    char *out = NULL;

    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(path_request(path, 0, &out, &err), -1);
    assert_text_has(err.text, "longer than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_goes_behind_the_mount_once),
        cmocka_unit_test(every_byte_is_encoded_or_refused),
        cmocka_unit_test(what_would_become_another_path_is_refused),
        cmocka_unit_test(dots_and_percents_inside_a_segment_stay),
        cmocka_unit_test(a_login_is_known_by_its_second_last_segment),
        cmocka_unit_test(a_mount_ends_at_a_slash),
        cmocka_unit_test(a_path_too_long_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

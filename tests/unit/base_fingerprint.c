/* tests/unit/base_fingerprint.c: equal where key, name and value are, and a key that is kept. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/fingerprint.h"

#define KEY       "0123456789abcdef0123456789abcdef"
#define OTHER_KEY "0123456789abcdef0123456789abcdeF"

static struct secret of(const char *text)
{
    return secret_borrow(text, strlen(text));
}

static void fingerprint(const char *key, const char *name, const char *value,
                        char out[static FINGERPRINT_TEXT_BYTES])
{
    struct secret k = of(key), v = of(value);
    struct err err = ERR_INIT;
    assert_int_equal(fingerprint_of(&k, name, &v, out, &err), 0);
    assert_int_equal(strlen(out), 2 * FINGERPRINT_BYTES);
}

static void equal_values_have_equal_fingerprints_and_others_have_not(void **state)
{
    (void)state;
    static const struct {
        const char *key, *name, *value;
    } others[] = {{OTHER_KEY, "A", "value"}, {KEY "x", "A", "value"}, {KEY, "B", "value"},
                  {KEY, "A", "valuf"},       {KEY, "A", ""},          {KEY, "Av", "alue"}};
    char first[FINGERPRINT_TEXT_BYTES], second[FINGERPRINT_TEXT_BYTES];
    fingerprint(KEY, "A", "value", first);
    fingerprint(KEY, "A", "value", second);
    assert_string_equal(first, second);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        fingerprint(others[i].key, others[i].name, others[i].value, second);
        assert_string_not_equal(first, second);
    }
}

/* Hosts with different versions of agent must still agree; the bytes were computed with Python:
 * blake2b(b"A\0value", digest_size=32, key=blake2b(KEY).digest(),
 *         person=b"agent.fingerpr.1").hexdigest()[:16] */
static void a_fingerprint_stays_what_it_was(void **state)
{
    (void)state;
    char text[FINGERPRINT_TEXT_BYTES];
    fingerprint(KEY, "A", "value", text);
    assert_string_equal(text, "b89bf1458b28fc4a");
}

/* ---- the key's file --------------------------------------------------------------------------- */

static char path[] = "/tmp/agent-fingerprint-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    return close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static int read_key(const char *content, mode_t mode, struct secret *out, struct err *err)
{
    struct err ignored = ERR_INIT;
    assert_int_equal(file_replace(path, content, strlen(content), mode, &ignored), 0);
    return fingerprint_key_read(path, out, err);
}

static void white_space_around_a_key_is_nothing(void **state)
{
    (void)state;
    AUTO_SECRET first = SECRET_INIT, second = SECRET_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(read_key(KEY, 0600, &first, &err), 0);
    assert_int_equal(read_key(KEY " \r\n", 0400, &second, &err), 0);
    assert_true(secret_equal(&first, &second));
    assert_int_equal(secret_length(&first), strlen(KEY));
}

static void a_key_that_is_short_long_or_seen_by_others_is_refused(void **state)
{
    (void)state;
    static char much[FINGERPRINT_KEY_MAX_BYTES + 2];
    memset(much, 'k', sizeof much - 1);
    const struct {
        const char *content, *why, *hint;
        mode_t mode;
    } cases[] = {
        {"CANARY7890123456789012345678901\n", "too short: it has 32 bytes", "openssl rand", 0600},
        {"", "too short", "openssl rand", 0600},
        {much, "longer than 4096 bytes", "", 0600},
        {KEY, "can be read by others", "chmod", 0640},
        {KEY, "can be read by others", "chmod", 0604},
        {KEY, "can be written by others", "chmod", 0620},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct secret key = SECRET_INIT;
        struct err err = ERR_INIT;
        assert_int_equal(read_key(cases[i].content, cases[i].mode, &key, &err), -1);
        assert_int_equal(err.kind, ERR_FILE);
        assert_text_has(err.text, path);
        assert_text_has(err.text, cases[i].why);
        assert_text_has(err.hint, cases[i].hint);
        assert_text_lacks(err.text, "CANARY");
        assert_false(secret_is_set(&key));
    }
}

static void a_key_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct secret key = SECRET_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(fingerprint_key_read("/no/such/key", &key, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, "'/no/such/key'");
    assert_string_equal(err.file, "/no/such/key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_have_equal_fingerprints_and_others_have_not),
        cmocka_unit_test(a_fingerprint_stays_what_it_was),
        cmocka_unit_test(white_space_around_a_key_is_nothing),
        cmocka_unit_test(a_key_that_is_short_long_or_seen_by_others_is_refused),
        cmocka_unit_test(a_key_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}

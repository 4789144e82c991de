/* Stale copies: only what they are of, only for so long. */
#include "tests/lib/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "vault/stale.h"

enum { NOW_S = 1000000, HOUR_S = 3600 };

static char folder[] = "/tmp/agent-test-stale.XXXXXX";
static char *directory, *key_file;
static struct err err;

static const struct stale_subject subject = {"acme", "prod", "API_TOKEN", "vault:secret/app#token"};

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    directory = file_join(folder, "copies");
    key_file = file_join(folder, "key");
    return directory && key_file ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    int result = file_remove_tree(folder, &err);
    free(directory);
    free(key_file);
    return result;
}

static int clean(void **state)
{
    (void)state;
    (void)unlink(key_file);
    return file_remove_tree(directory, &err);
}

static struct stale *opened(void)
{
    struct stale *s = NULL;

    assert_int_equal(stale_open(directory, key_file, true, &s, &err), 0);
    return s;
}

static void keep(const struct stale *s, const char *value, int64_t now_s, int64_t expires_s)
{
    struct secret bytes = secret_borrow(value, strlen(value));

    assert_int_equal(stale_keep(s, &subject, &bytes, now_s, expires_s, &err), 0);
}

static void assert_refused(const struct stale *s, const struct stale_subject *of, int64_t now_s,
                           enum err_kind kind, const char *words)
{
    AUTO_SECRET value = SECRET_INIT;
    int64_t age_s = -1;

    err_clear(&err);
    assert_int_equal(stale_get(s, of, now_s, HOUR_S, &value, &age_s, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_text_has(err.text, words);
    assert_false(secret_is_set(&value));
    assert_int_equal(age_s, -1);
}

static void assert_copy(const struct stale *s, int64_t now_s, const char *wanted, int64_t age_s)
{
    AUTO_SECRET value = SECRET_INIT;
    int64_t age = -1;

    assert_int_equal(stale_get(s, &subject, now_s, HOUR_S, &value, &age, &err), 0);
    assert_string_equal(secret_reveal(&value), wanted);
    assert_int_equal(age, age_s);
}

static void a_copy_is_good_up_to_its_age(void **state)
{
    struct stale *s = opened();

    (void)state;
    assert_refused(s, &subject, NOW_S, ERR_SOURCE_MISSING, "there is no copy");
    keep(s, "value\nof two lines", NOW_S, 0);
    assert_copy(s, NOW_S, "value\nof two lines", 0);
    assert_copy(s, NOW_S + HOUR_S, "value\nof two lines", HOUR_S);
    assert_refused(s, &subject, NOW_S + HOUR_S + 1, ERR_SOURCE_MISSING,
                   "1h1s old, and stale_ok is 1h");
    assert_copy(s, NOW_S - STALE_CLOCK_SLACK_S, "value\nof two lines", 0);
    assert_refused(s, &subject, NOW_S - STALE_CLOCK_SLACK_S - 1, ERR_SOURCE_MISSING, "future");
    keep(s, "", NOW_S + 2 * HOUR_S, 0);
    assert_copy(s, NOW_S + 2 * HOUR_S, "", 0);
    stale_free(s);
}

static void no_copy_outlives_its_lease(void **state)
{
    struct stale *s = opened();

    (void)state;
    keep(s, "v", NOW_S, NOW_S + 60);
    assert_copy(s, NOW_S + 59, "v", 59);
    assert_refused(s, &subject, NOW_S + 60, ERR_SOURCE_MISSING, "lease has ended");
    stale_free(s);
}

static void a_copy_is_of_one_variable_source_profile_and_project(void **state)
{
    struct stale_subject other[] = {subject, subject, subject, subject};
    struct stale *s = opened();

    (void)state;
    keep(s, "v", NOW_S, 0);
    other[0].profile = "staging";
    other[1].project = NULL;
    other[2].variable = "API_TOKEN_2";
    for (size_t i = 0; i < 3; i++)
        assert_refused(s, &other[i], NOW_S, ERR_SOURCE_MISSING, "there is no copy");
    other[3].origin = "vault:secret/app#other";
    assert_refused(s, &other[3], NOW_S, ERR_SOURCE_DATA, "another source");
    stale_free(s);
}

/* The one file of the folder. */
static char *copy_path(void)
{
    DIR *open_folder = opendir(directory);
    char *path = NULL;

    assert_non_null(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder));)
        if (str_ends(entry->d_name, ".stale"))
            path = file_join(directory, entry->d_name);
    assert_int_equal(closedir(open_folder), 0);
    assert_non_null(path);
    return path;
}

static void nobody_else_sees_or_changes_it(void **state)
{
    struct stat st;
    struct stale *s = opened();

    (void)state;
    keep(s, "the value of a canary", NOW_S, 0);
    AUTO_FREE char *path = copy_path();
    AUTO_BUF bytes = BUF_INIT(4096);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(key_file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(file_read_all(path, &bytes, &err), 0);
    assert_null(memmem(bytes.data, bytes.len, "canary", 6));
    for (size_t at = 0; at < bytes.len; at++) {
        bytes.data[at] ^= 1;
        assert_int_equal(file_replace(path, bytes.data, bytes.len, 0600, &err), 0);
        assert_refused(s, &subject, NOW_S, ERR_SOURCE_DATA, "does not open");
        bytes.data[at] ^= 1;
    }
    assert_int_equal(chmod(path, 0644), 0);
    assert_refused(s, &subject, NOW_S, ERR_FILE, "can be read by others");
    stale_free(s);
}

static void open_refused(bool make, const char *words)
{
    struct stale *s = NULL;

    assert_int_equal(stale_open(directory, key_file, make, &s, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_text_has(err.text, words);
    assert_null(s);
}

static void a_folder_or_key_that_others_can_open_is_refused(void **state)
{
    (void)state;
    open_refused(false, "open the folder of stale copies");
    stale_free(opened());
    assert_int_equal(chmod(directory, 0750), 0);
    open_refused(true, "open to others (mode 0750)");
    assert_text_has(err.hint, "chmod 0700");
    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(chmod(key_file, 0640), 0);
    open_refused(true, "can be read by others");
    assert_int_equal(file_replace(key_file, "short", 5, 0600, &err), 0);
    open_refused(true, "has 5 bytes, not 32");
    assert_int_equal(unlink(key_file), 0);
    open_refused(false, "open the key file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_copy_is_good_up_to_its_age, clean),
        cmocka_unit_test_setup(no_copy_outlives_its_lease, clean),
        cmocka_unit_test_setup(a_copy_is_of_one_variable_source_profile_and_project, clean),
        cmocka_unit_test_setup(nobody_else_sees_or_changes_it, clean),
        cmocka_unit_test_setup(a_folder_or_key_that_others_can_open_is_refused, clean),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

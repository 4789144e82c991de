/* The sealed store: what is written is read, and nothing else is. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "vault/sealed.h"
#include "vault/source.h"

static char folder[] = "/tmp/agent-test-sealed.XXXXXX";
static char *store_path, *key_path;
static struct err err;

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    store_path = file_join(folder, "sealed.json");
    key_path = file_join(folder, "keys/mine");
    return !store_path || !key_path || setenv("AGENT_SEALED_KEY_FILE", key_path, 1) != 0 ||
           unsetenv("AGENT_SEALED") != 0 || unsetenv("AGENT_SEALED_PASSPHRASE_FILE") != 0;
}

static int remove_folder(void **state)
{
    (void)state;
    free(store_path);
    free(key_path);
    return file_remove_tree(folder, &err);
}

static int clean(void **state)
{
    (void)state;
    (void)unlink(store_path);
    err_clear(&err);
    return setenv("AGENT_SEALED_KEY_FILE", key_path, 1);
}

static struct secret text(const char *bytes)
{
    return secret_borrow(bytes, strlen(bytes));
}

static void make_key(const char *path, char out[static SEALED_PUBLIC_BYTES])
{
    bool made;

    assert_int_equal(sealed_key_make(path, out, &made, &err), 0);
}

static void set(struct sealed *store, const char *name, const char *value)
{
    struct secret bytes = text(value);
    bool changed = false;

    assert_int_equal(sealed_set(store, name, &bytes, false, &changed, &err), 0);
    assert_true(changed);
}

/* A store for our key, with three values; saved. */
static void make_store(void)
{
    char public_key[SEALED_PUBLIC_BYTES];
    struct sealed *store = NULL;

    make_key(key_path, public_key);
    assert_int_equal(sealed_new(store_path, &store, &err), 0);
    assert_int_equal(sealed_add_recipient(store, "anna", public_key, &err), 0);
    assert_int_equal(sealed_rekey(store, &err), 0);
    set(store, "BETA", "the value of beta");
    set(store, "ALPHA", "the value of alpha");
    set(store, "GAMMA", "");
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
}

static struct sealed *load(void)
{
    struct sealed *store = NULL;

    assert_int_equal(sealed_load(store_path, &store, &err), 0);
    return store;
}

static struct sealed *unlocked(void)
{
    const struct sealed_access access = {0};
    struct sealed *store = load();

    assert_int_equal(sealed_unlock(store, &access, &err), 0);
    return store;
}

static void assert_value(const struct sealed *store, const char *name, const char *wanted)
{
    AUTO_SECRET value = SECRET_INIT;

    assert_int_equal(sealed_get(store, name, &value, &err), 0);
    assert_string_equal(secret_reveal(&value), wanted);
}

static void read_store(struct buf *out)
{
    *out = BUF_INIT(SEALED_MAX_BYTES);
    assert_int_equal(file_read_all(store_path, out, &err), 0);
}

static void write_store(const char *bytes, size_t length)
{
    assert_int_equal(file_replace(store_path, bytes, length, 0644, &err), 0);
}

/* The store's text with the first FROM replaced. */
static void replace(const char *from, const char *to)
{
    AUTO_BUF before, after = BUF_INIT(SEALED_MAX_BYTES);

    read_store(&before);
    const char *at = strstr(buf_text(&before), from);
    assert_non_null(at);
    buf_add(&after, before.data, (size_t)(at - before.data));
    buf_adds(&after, to);
    buf_adds(&after, at + strlen(from));
    write_store(after.data, after.len);
}

static void load_refused(enum err_kind kind, unsigned line, unsigned column, const char *words)
{
    struct sealed *store = NULL;

    err_clear(&err);
    assert_int_equal(sealed_load(store_path, &store, &err), -1);
    assert_null(store);
    assert_int_equal(err.kind, kind);
    assert_text_has(err.text, words);
    assert_string_equal(err.file, store_path);
    assert_int_equal(err.line, line);
    assert_int_equal(err.column, column);
}

/* ---- what is written is read ------------------------------------------------------------------- */

static void what_was_set_is_there_for_its_key(void **state)
{
    (void)state;
    make_store();
    struct sealed *store = unlocked();
    assert_int_equal(sealed_count(store), 3);
    assert_string_equal(sealed_name(store, 0), "ALPHA");
    assert_string_equal(sealed_name(store, 2), "GAMMA");
    assert_value(store, "ALPHA", "the value of alpha");
    assert_value(store, "BETA", "the value of beta");
    assert_value(store, "GAMMA", "");
    sealed_free(store);
}

static void a_line_is_a_name_and_only_its_own_changes(void **state)
{
    AUTO_BUF before, after;
    struct secret value = text("another");
    bool changed;

    (void)state;
    make_store();
    read_store(&before);
    struct sealed *store = unlocked();
    assert_int_equal(sealed_set(store, "BETA", &value, false, &changed, &err), 0);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    read_store(&after);
    const char *a = buf_text(&before), *b = buf_text(&after);
    unsigned differing = 0;
    while (*a && *b) {
        size_t one = strcspn(a, "\n"), other = strcspn(b, "\n");
        if (one != other || memcmp(a, b, one) != 0) {
            differing++;
            assert_true(str_starts(b, "    \"BETA\": \""));
        }
        a += one + 1;
        b += other + 1;
    }
    assert_int_equal(differing, 1);
    assert_true(!*a && !*b);
}

static void the_same_value_again_changes_nothing_unless_asked(void **state)
{
    AUTO_BUF before, after;
    struct secret value = text("the value of beta");
    bool changed = true;

    (void)state;
    make_store();
    read_store(&before);
    struct sealed *store = unlocked();
    assert_int_equal(sealed_set(store, "BETA", &value, false, &changed, &err), 0);
    assert_false(changed);
    assert_int_equal(sealed_save(store, &err), 0);
    read_store(&after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    assert_int_equal(sealed_set(store, "BETA", &value, true, &changed, &err), 0);
    assert_true(changed);
    assert_value(store, "BETA", "the value of beta");
    sealed_free(store);
}

static void a_name_that_is_not_there_has_its_nearest(void **state)
{
    AUTO_SECRET value = SECRET_INIT;

    (void)state;
    make_store();
    struct sealed *store = unlocked();
    assert_int_equal(sealed_get(store, "ALPAH", &value, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_MISSING);
    assert_text_has(err.hint, "'ALPHA'");
    assert_int_equal(sealed_remove(store, "BETA", &err), 0);
    assert_false(sealed_has(store, "BETA"));
    assert_int_equal(sealed_count(store), 2);
    assert_int_equal(sealed_remove(store, "BETA", &err), -1);
    assert_text_has(err.hint, "'agent seal list'"); /* nobody wants to put it there */
    assert_int_equal(sealed_get(store, "NOTHING_LIKE_IT", &value, &err), -1);
    assert_text_has(err.hint, "'agent seal set NOTHING_LIKE_IT'");
    sealed_free(store);
}

static void what_no_environment_could_carry_is_not_set(void **state)
{
    static char large[SEALED_VALUE_MAX_BYTES + 2];
    struct secret nul = secret_borrow("a\0b", 3), most;
    struct secret value = text("v");
    bool changed;

    (void)state;
    make_store();
    struct sealed *store = unlocked();
    assert_int_equal(sealed_set(store, "A", &nul, false, &changed, &err), -1);
    assert_text_has(err.text, "NUL");
    memset(large, 'x', SEALED_VALUE_MAX_BYTES + 1);
    most = secret_borrow(large, SEALED_VALUE_MAX_BYTES + 1);
    assert_int_equal(sealed_set(store, "A", &most, false, &changed, &err), -1);
    large[SEALED_VALUE_MAX_BYTES] = '\0';
    most = secret_borrow(large, SEALED_VALUE_MAX_BYTES);
    assert_int_equal(sealed_set(store, "A", &most, false, &changed, &err), 0);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    store = unlocked();
    assert_value(store, "A", large);
    const char *const bad[] = {"", "1A", "A-B", "A B", "A\"", "Ä", "A="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(sealed_set(store, bad[i], &value, false, &changed, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
    }
    sealed_free(store);
}

/* ---- what was not written by us ---------------------------------------------------------------- */

static void every_prefix_of_a_store_is_an_error_with_its_place(void **state)
{
    AUTO_BUF whole;
    struct sealed *store = NULL;

    (void)state;
    make_store();
    read_store(&whole);
    for (size_t length = 0; length + 1 < whole.len; length++) { /* the last newline is no loss */
        write_store(whole.data, length);
        err_clear(&err);
        assert_int_equal(sealed_load(store_path, &store, &err), -1);
        assert_int_equal(err.kind, ERR_FILE);
        assert_true(err.line > 0 && err.column > 0);
    }
    write_store(whole.data, whole.len - 1);
    sealed_free(load());
}

static void what_is_wrong_is_named_with_line_and_column(void **state)
{
    static const struct {
        const char *from, *to;
        unsigned line, column;
        const char *words;
    } cases[] = {
        {"\"sealed\": 1", "\"sealed\": 2", 2, 13, "version 2"},
        {"\"sealed\": 1", "\"sealed\": 99999999999999999999", 2, 13, "at most"},
        {"\"sealed\"", "\"Sealed\"", 2, 3, "expected \"sealed\""},
        {"\"anna\"", "\"an na\"", 4, 6, "a label has letters"},
        {"\"anna\"", "\"an\\u0061\"", 4, 8, "no place in"},
        {"\"public\": \"", "\"public\": \"!", 4, 25, "not base64 of 32 bytes"},
        {"\"BETA\"", "\"ALPHA\"", 9, 1, "'ALPHA' has another value in line 8"},
        {"\"BETA\"", "\"BE-TA\"", 9, 6, "a name has letters"},
        {"\"BETA\": \"", "\"BETA\": \"*", 9, 14, "'BETA' is not base64"},
        {"\"BETA\": \"", "\"BETA\": 1, \"", 9, 13, "expected a sealed value"},
        {"\"end\"", "\"fin\"", 11, 10, "expected \"end\""},
        {"\"end\"\n  }\n}\n", "\"end\"\n  }\n}\n{}", 14, 1, "behind the end"},
        {"    \"BETA\"", "<<<<<<< ours\n    \"BETA\"", 9, 1, "a merge that was not finished"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)unlink(store_path);
        make_store();
        replace(cases[i].from, cases[i].to);
        load_refused(ERR_FILE, cases[i].line, cases[i].column, cases[i].words);
        assert_true(strlen(err.hint) > 20); /* what to do is said each time */
    }
}

static void a_line_that_a_merge_repeated_counts_once_wherever_it_stands(void **state)
{
    AUTO_BUF whole, line = BUF_INIT(4096);

    (void)state;
    make_store();
    read_store(&whole);
    const char *at = strstr(whole.data, "    \"ALPHA\"");
    buf_add(&line, at, strcspn(at, "\n") + 1);
    buf_adds(&line, "    \"\"");
    replace("    \"\"", buf_text(&line));
    struct sealed *store = unlocked();
    assert_int_equal(sealed_count(store), 3);
    assert_value(store, "ALPHA", "the value of alpha");
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    AUTO_BUF after;
    read_store(&after);
    assert_string_equal(buf_text(&after), buf_text(&whole));
}

static void a_store_behind_a_link_is_read_and_not_replaced(void **state)
{
    AUTO_FREE char *real = file_join(folder, "real.json");
    struct sealed *store = NULL;
    struct stat st;

    (void)state;
    make_store();
    assert_int_equal(rename(store_path, real) | symlink(real, store_path), 0);
    store = unlocked();
    set(store, "NEW", "canary-new");
    assert_int_equal(sealed_save(store, &err), -1);
    assert_int_equal(err.kind, ERR_FILE);
    assert_non_null(strstr(err.text, "is a symbolic link"));
    assert_int_equal(lstat(store_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    sealed_free(store);
    assert_int_equal(unlink(real), 0);
}

static void a_file_that_is_too_large_is_not_read(void **state)
{
    (void)state;
    AUTO_FD fd = open(store_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, SEALED_MAX_BYTES + 1), 0);
    load_refused(ERR_FILE, 0, 0, "longer than");
}

static void a_changed_or_moved_value_does_not_open(void **state)
{
    AUTO_SECRET value = SECRET_INIT;
    AUTO_BUF whole;

    (void)state;
    make_store();
    replace("\"ALPHA\"", "\"OTHER\""); /* moved to another name */
    struct sealed *store = unlocked();
    assert_int_equal(sealed_get(store, "OTHER", &value, &err), -1);
    assert_int_equal(err.kind, ERR_SOURCE_DATA);
    assert_int_equal(err.line, 8);
    assert_text_has(err.text, "sealed value of 'OTHER' does not open");
    assert_value(store, "BETA", "the value of beta"); /* the others do */
    sealed_free(store);

    read_store(&whole);
    char *at = strstr(whole.data, "\"BETA\": \"") + strlen("\"BETA\": \"") + 50;
    *at = *at == 'A' ? 'B' : 'A';
    write_store(whole.data, whole.len);
    store = unlocked();
    assert_int_equal(sealed_get(store, "BETA", &value, &err), -1);
    assert_int_equal(sealed_rekey(store, &err), -1); /* nothing is lost on the way to a new key */
    struct secret again = text("set again");
    bool changed = false;
    assert_int_equal(sealed_set(store, "BETA", &again, false, &changed, &err), 0);
    assert_value(store, "BETA", "set again");
    sealed_free(store);
}

/* ---- who can open it ----------------------------------------------------------------------------- */

static void unlock_refused(enum err_kind kind, const char *words)
{
    const struct sealed_access access = {0};
    struct sealed *store = load();

    err_clear(&err);
    assert_int_equal(sealed_unlock(store, &access, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_text_has(err.text, words);
    sealed_free(store);
}

static void another_key_is_refused_with_the_recipients_and_itself(void **state)
{
    AUTO_FREE char *other = file_join(folder, "other");
    char public_key[SEALED_PUBLIC_BYTES];

    (void)state;
    make_store();
    make_key(other, public_key);
    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", other, 1), 0);
    unlock_refused(ERR_SOURCE_DENIED, public_key);
    assert_text_has(err.text, "anna (agent-public-1:");
    assert_text_has(err.hint, "rekey --add agent-public-1:");
    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", "/no/such/key", 1), 0);
    unlock_refused(ERR_SOURCE_DENIED, "there is no key file '/no/such/key'");
    assert_text_has(err.hint, "--key-only");
}

static void a_key_that_others_can_read_is_refused(void **state)
{
    AUTO_FREE char *link_path = file_join(folder, "link");

    (void)state;
    make_store();
    assert_int_equal(chmod(key_path, 0640), 0);
    unlock_refused(ERR_FILE, "can be read by others");
    assert_text_has(err.hint, "chmod");
    assert_int_equal(chmod(key_path, 0600), 0);
    assert_int_equal(symlink(key_path, link_path), 0);
    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", link_path, 1), 0);
    unlock_refused(ERR_FILE, "symbolic link");
    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", folder, 1), 0);
    unlock_refused(ERR_FILE, "not a file");
}

static void a_new_key_is_for_its_owner_alone(void **state)
{
    AUTO_FREE char *path = file_join(folder, "deep/er/key");
    AUTO_FREE char *first = file_join(folder, "deep");
    char public_key[SEALED_PUBLIC_BYTES], again[SEALED_PUBLIC_BYTES];
    struct stat st;
    bool made;

    (void)state;
    assert_int_equal(sealed_key_make(path, public_key, &made, &err), 0);
    assert_true(made);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(first, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(sealed_key_make(path, again, &made, &err), 0);
    assert_false(made);
    assert_string_equal(public_key, again);
}

/* Makes the key of PATH once START is closed, and writes its public half to OUT. */
static void make_at_once(const char *path, int start, int out)
{
    char public_key[SEALED_PUBLIC_BYTES], unused;
    bool made;

    if (read(start, &unused, 1) != 0 || sealed_key_make(path, public_key, &made, &err) != 0 ||
        write(out, public_key, sizeof public_key) != sizeof public_key)
        _exit(1);
    _exit(0);
}

static void keys_that_are_made_at_once_are_one(void **state)
{
    enum { MAKERS = 8, ROUNDS = 8 };
    AUTO_FREE char *path = file_join(folder, "raced");
    char there[SEALED_PUBLIC_BYTES], told[SEALED_PUBLIC_BYTES];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int start[2], out[2], status;
        assert_int_equal(pipe(start) | pipe(out), 0);
        for (int i = 0; i < MAKERS; i++) {
            pid_t child = fork();
            assert_true(child >= 0);
            if (child > 0)
                continue;
            (void)close(start[1]);
            make_at_once(path, start[0], out[1]);
        }
        (void)close(start[1]);
        for (int i = 0; i < MAKERS; i++)
            assert_true(wait(&status) > 0 && status == 0);
        assert_int_equal(sealed_key_public(path, there, &err), 0);
        for (int i = 0; i < MAKERS; i++) {
            assert_int_equal(read(out[0], told, sizeof told), sizeof told);
            assert_string_equal(told, there);
        }
        assert_int_equal(close(start[0]) | close(out[0]) | close(out[1]) | unlink(path), 0);
    }
}

static void a_key_file_has_one_key(void **state)
{
    static const char *const bad[] = {"", "# nothing\n\n", "agent-private-1:AAAA\n",
                                      "agent-public-1:x\n"};
    AUTO_FREE char *path = file_join(folder, "bad");
    char public_key[SEALED_PUBLIC_BYTES];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(file_replace(path, bad[i], strlen(bad[i]), 0600, &err), 0);
        assert_int_equal(sealed_key_public(path, public_key, &err), -1);
        assert_int_equal(err.kind, ERR_FILE);
        assert_string_equal(err.file, path);
        assert_text_has(err.hint, "AGENT_SEALED_KEY_FILE");
    }
}

static void recipients_come_and_go_with_a_new_data_key(void **state)
{
    AUTO_FREE char *other = file_join(folder, "ci");
    char public_key[SEALED_PUBLIC_BYTES];
    struct sealed_recipient_view view;
    AUTO_BUF before, after;

    (void)state;
    make_store();
    read_store(&before);
    make_key(other, public_key);
    struct sealed *store = unlocked();
    assert_int_equal(sealed_add_recipient(store, "anna", public_key, &err), -1);
    assert_int_equal(sealed_add_recipient(store, "c i", public_key, &err), -1);
    assert_int_equal(sealed_add_recipient(store, "ci", "agent-private-1:AAAA", &err), -1);
    assert_text_has(err.text, "private key");
    assert_int_equal(sealed_add_recipient(store, "ci", public_key, &err), 0);
    assert_int_equal(sealed_add_recipient(store, "again", public_key, &err), -1);
    assert_int_equal(sealed_rekey(store, &err), 0);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    read_store(&after);
    assert_null(strstr(buf_text(&after), strstr(buf_text(&before), "    \"ALPHA\"")));

    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", other, 1), 0);
    store = unlocked();
    assert_int_equal(sealed_recipient_count(store), 2);
    sealed_recipient(store, 1, &view);
    assert_string_equal(view.label, "ci");
    assert_string_equal(view.public_key, public_key);
    assert_value(store, "ALPHA", "the value of alpha");
    assert_int_equal(sealed_remove_recipient(store, "nobody", &err), -1);
    assert_int_equal(sealed_remove_recipient(store, "anna", &err), 0);
    assert_int_equal(sealed_remove_recipient(store, "ci", &err), -1);
    assert_text_has(err.text, "last recipient");
    assert_true(sealed_keeps_us(store));
    assert_int_equal(sealed_rekey(store, &err), 0);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", key_path, 1), 0);
    unlock_refused(ERR_SOURCE_DENIED, "is for no recipient");
}

static void a_recipient_that_somebody_wrote_in_is_found(void **state)
{
    AUTO_BUF line = BUF_INIT(4096);

    (void)state;
    make_store();
    AUTO_BUF whole;
    read_store(&whole);
    const char *at = strstr(whole.data, "    \"anna\"");
    buf_add(&line, at, strcspn(at, "\n"));
    buf_adds(&line, ",\n    \"eve\"");
    replace("    \"anna\"", buf_text(&line));
    unlock_refused(ERR_SOURCE_DATA, "recipients was changed");
}

static void a_passphrase_opens_it_and_survives_a_rekey(void **state)
{
    AUTO_FREE char *file = file_join(folder, "passphrase");
    struct secret passphrase = text("a long passphrase");
    const struct sealed_access by_file = {.passphrase_file = file};
    struct sealed_recipient_view view;

    (void)state;
    make_store();
    struct sealed *store = unlocked();
    assert_int_equal(sealed_add_passphrase(store, "office", &passphrase, &err), 0);
    assert_int_equal(sealed_rekey(store, &err), 0);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    assert_int_equal(file_replace(file, "a long passphrase\n", 18, 0600, &err), 0);
    store = load();
    assert_int_equal(sealed_unlock(store, &by_file, &err), 0);
    assert_value(store, "ALPHA", "the value of alpha");
    assert_int_equal(sealed_rekey(store, &err), 0); /* nobody types anything for it */
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_recipient(store, 1, &view);
    assert_true(view.by_passphrase);
    sealed_free(store);

    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", "/no/such/key", 1), 0);
    assert_int_equal(setenv("AGENT_SEALED_PASSPHRASE_FILE", file, 1), 0);
    store = unlocked();
    assert_value(store, "BETA", "the value of beta");
    sealed_free(store);
    assert_int_equal(file_replace(file, "another passphrase", 18, 0600, &err), 0);
    unlock_refused(ERR_SOURCE_DENIED, "the passphrase is another one");
    assert_int_equal(chmod(file, 0644), 0);
    unlock_refused(ERR_FILE, "can be read by others");
    assert_int_equal(unsetenv("AGENT_SEALED_PASSPHRASE_FILE"), 0);
}

static void a_set_of_sources_opens_the_store_once(void **state)
{
    struct source_set *set_ = NULL;
    const struct vault_settings settings = {.folder = folder};
    struct source_request requests[] = {{.ref = {.kind = REF_SEALED, .path = "ALPHA"}},
                                        {.ref = {.kind = REF_SEALED, .path = "NOT_THERE"}},
                                        {.ref = {.kind = REF_SEALED, .path = "BETA"}}};

    (void)state;
    make_store();
    assert_int_equal(source_set_new(&settings, NULL, &set_, &err), 0);
    assert_int_equal(source_resolve(set_, requests, 1, CLOCK_NEVER, &err), 0);
    assert_int_equal(unlink(store_path), 0); /* it is open */
    secret_release(&requests[0].value);
    assert_int_equal(source_resolve(set_, requests, 3, CLOCK_NEVER, &err), 0);
    assert_string_equal(secret_reveal(&requests[0].value), "the value of alpha");
    assert_int_equal(requests[1].state, SOURCE_ABSENT);
    assert_text_has(requests[1].err.text, "has no 'NOT_THERE'");
    assert_string_equal(secret_reveal(&requests[2].value), "the value of beta");
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        secret_release(&requests[i].value);
    source_set_free(set_);
}

static void a_lock_is_held_by_one_at_a_time(void **state)
{
    int first = -1, second = -1;

    (void)state;
    assert_int_equal(sealed_lock(store_path, CLOCK_NEVER, &first, &err), 0);
    assert_int_equal(sealed_lock(store_path, clock_in_ms(1), &second, &err), -1);
    assert_text_has(err.text, "changed by somebody else");
    assert_int_equal(close(first), 0);
    assert_int_equal(sealed_lock(store_path, clock_in_ms(1), &second, &err), 0);
    assert_int_equal(close(second), 0);
}

static void what_rotations_keep_has_names_of_its_own(void **state)
{
    struct secret bytes = text("{}");
    struct sealed *store;
    bool changed;

    (void)state;
    make_store();
    store = unlocked();
    set(store, "ALPHA.pending", "{\"a\": 1}");
    set(store, "ALPHA.receipts", "{}");
    assert_int_equal(sealed_set(store, "ALPHA.other", &bytes, false, &changed, &err), -1);
    assert_int_equal(sealed_set(store, ".pending", &bytes, false, &changed, &err), -1);
    assert_int_equal(sealed_set(store, "A.B.pending", &bytes, false, &changed, &err), -1);
    assert_int_equal(sealed_save(store, &err), 0);
    sealed_free(store);
    store = unlocked();
    assert_value(store, "ALPHA.pending", "{\"a\": 1}");
    assert_true(sealed_is_record("ALPHA.pending"));
    assert_false(sealed_is_record("ALPHA"));
    assert_int_equal(sealed_check_name("ALPHA.pending", &err), -1); /* nobody sets it by hand */
    sealed_free(store);
}

static void it_is_read_again_without_asking_for_the_key(void **state)
{
    struct sealed *store, *again = NULL, *rekeyed;
    AUTO_SECRET value = SECRET_INIT;

    (void)state;
    make_store();
    store = unlocked();
    rekeyed = unlocked();
    set(rekeyed, "DELTA", "written meanwhile");
    assert_int_equal(sealed_save(rekeyed, &err), 0);
    assert_int_equal(setenv("AGENT_SEALED_KEY_FILE", "/nowhere", 1), 0);
    assert_int_equal(sealed_load_again(store, &again, &err), 0);
    assert_value(again, "DELTA", "written meanwhile");
    sealed_free(again);
    assert_int_equal(sealed_rekey(rekeyed, &err), 0);
    assert_int_equal(sealed_save(rekeyed, &err), 0);
    assert_int_equal(sealed_load_again(store, &again, &err), 0);
    const struct sealed_access access = {0};
    assert_int_equal(sealed_unlock(again, &access, &err), -1); /* by another data key now */
    sealed_free(again);
    sealed_free(rekeyed);
    sealed_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_set_is_there_for_its_key, clean),
        cmocka_unit_test_setup(a_line_is_a_name_and_only_its_own_changes, clean),
        cmocka_unit_test_setup(the_same_value_again_changes_nothing_unless_asked, clean),
        cmocka_unit_test_setup(a_name_that_is_not_there_has_its_nearest, clean),
        cmocka_unit_test_setup(what_no_environment_could_carry_is_not_set, clean),
        cmocka_unit_test_setup(every_prefix_of_a_store_is_an_error_with_its_place, clean),
        cmocka_unit_test_setup(what_is_wrong_is_named_with_line_and_column, clean),
        cmocka_unit_test_setup(a_line_that_a_merge_repeated_counts_once_wherever_it_stands, clean),
        cmocka_unit_test_setup(a_store_behind_a_link_is_read_and_not_replaced, clean),
        cmocka_unit_test_setup(a_file_that_is_too_large_is_not_read, clean),
        cmocka_unit_test_setup(a_changed_or_moved_value_does_not_open, clean),
        cmocka_unit_test_setup(another_key_is_refused_with_the_recipients_and_itself, clean),
        cmocka_unit_test_setup(a_key_that_others_can_read_is_refused, clean),
        cmocka_unit_test_setup(a_new_key_is_for_its_owner_alone, clean),
        cmocka_unit_test_setup(keys_that_are_made_at_once_are_one, clean),
        cmocka_unit_test_setup(a_key_file_has_one_key, clean),
        cmocka_unit_test_setup(recipients_come_and_go_with_a_new_data_key, clean),
        cmocka_unit_test_setup(a_recipient_that_somebody_wrote_in_is_found, clean),
        cmocka_unit_test_setup(a_passphrase_opens_it_and_survives_a_rekey, clean),
        cmocka_unit_test_setup(a_set_of_sources_opens_the_store_once, clean),
        cmocka_unit_test_setup(a_lock_is_held_by_one_at_a_time, clean),
        cmocka_unit_test_setup(what_rotations_keep_has_names_of_its_own, clean),
        cmocka_unit_test_setup(it_is_read_again_without_asking_for_the_key, clean),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

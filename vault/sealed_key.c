/* sealed_key.c: key files, passphrases, and opening the sealed store with them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/terminal.h"
#include "vault/sealed_store.h"

#define PUBLIC_PREFIX  "agent-public-1:"
#define PRIVATE_PREFIX "agent-private-1:"

_Static_assert(sizeof PUBLIC_PREFIX + CRYPT_KEY_TEXT_BYTES <= SEALED_PUBLIC_BYTES, "as text");

enum {
    KEY_FILE_MODE = 0600,
    KEY_FOLDER_MODE = 0700,
    PASSPHRASE_MAX_BYTES = 4 * 1024,
    PASSPHRASE_LEAST_BYTES = 8, /* of a new one: less is guessed in no time */
    NAMES_BYTES = 1024,         /* of the recipients in a message */
};

/* ---- keys as text ---------------------------------------------------------------------------- */

void sealed_public_text(const uint8_t public_key[static CRYPT_KEY_BYTES],
                        char out[static SEALED_PUBLIC_BYTES])
{
    char key[CRYPT_KEY_TEXT_BYTES];

    crypt_key_text(public_key, key);
    (void)snprintf(out, SEALED_PUBLIC_BYTES, PUBLIC_PREFIX "%s", key); /* there is room for it */
}

int sealed_public_parse(const char *text, uint8_t out[static CRYPT_KEY_BYTES], struct err *err)
{
    uint8_t key[CRYPT_KEY_BYTES];
    size_t length = strlen(text), prefix = strlen(PUBLIC_PREFIX), written;

    if (str_starts(text, PRIVATE_PREFIX)) {
        err_set(err, ERR_USAGE, "that is a private key, where a public one is wanted");
        return err_hint(err,
                        "It was seen by whoever can list processes, and by the shell's history: "
                        "make another one.");
    }
    if (!str_starts(text, PUBLIC_PREFIX) ||
        crypt_from_base64(text + prefix, length - prefix, key, sizeof key, &written) != 0 ||
        written != sizeof key) {
        err_set(err, ERR_USAGE, "that is no public key");
        return err_hint(err, "One begins with '" PUBLIC_PREFIX
                             "'; 'agent seal init --key-only' prints it.");
    }
    memcpy(out, key, sizeof key);
    return 0;
}

/* ---- the key file ---------------------------------------------------------------------------- */

/* The one line of TEXT that is a key; others are empty or begin with '#'. */
static int parse_key_file(const char *path, const struct buf *text, struct secret *out,
                          struct err *err)
{
    const char *at = buf_text(text), *end = at + text->len;
    size_t prefix = strlen(PRIVATE_PREFIX), written;
    uint8_t raw[CRYPT_KEY_BYTES];
    unsigned keys = 0;
    int result = 0;

    for (unsigned line = 1; at < end && result == 0; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *start = at;
        size_t length = (size_t)((newline ? newline : end) - at);
        at = newline ? newline + 1 : end;
        str_trim(&start, &length);
        if (length == 0 || *start == '#')
            continue;
        if (length < prefix || memcmp(start, PRIVATE_PREFIX, prefix) != 0 ||
            crypt_from_base64(start + prefix, length - prefix, raw, sizeof raw, &written) != 0 ||
            written != sizeof raw || ++keys > 1) {
            (void)err_set(err, ERR_FILE, "the key file has %s",
                          keys > 1 ? "a second key" : "a line that is no private key of agent's");
            result = err_at(err, path, line, 1);
        }
    }
    if (result == 0 && keys == 0) {
        (void)err_set(err, ERR_FILE, "'%s' has no key in it", path);
        result = err_at(err, path, 0, 0);
    }
    if (result != 0)
        (void)err_hint(err, "A key file has one line, as 'agent seal init --key-only' makes it: "
                            "name another one in AGENT_SEALED_KEY_FILE.");
    else
        result = secret_set(out, (const char *)raw, sizeof raw, err);
    mem_wipe(raw, sizeof raw);
    return result;
}

static int open_key_file(const char *path, int *fd, struct err *err)
{
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

    if (opened >= 0) {
        *fd = opened;
        return 0;
    }
    if (errno == ELOOP) {
        (void)err_set(err, ERR_FILE, "the key file '%s' is a symbolic link", path);
        (void)err_hint(err, "Name the file that it points to in AGENT_SEALED_KEY_FILE.");
        return err_at(err, path, 0, 0);
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return err_errno(err, ERR_SOURCE_DENIED, "the key file '%s'", path);
    (void)err_errno(err, ERR_FILE, "open the key file '%s'", path);
    return err_at(err, path, 0, 0);
}

int sealed_key_read(const char *path, struct secret *private_key, struct err *err)
{
    AUTO_BUF text = BUF_INIT(SEALED_KEY_FILE_BYTES);
    AUTO_FD fd = -1;
    struct stat st;

    if (open_key_file(path, &fd, err) != 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return err_errno(err, ERR_FILE, "look at the key file '%s'", path);
    if (!S_ISREG(st.st_mode)) {
        (void)err_set(err, ERR_FILE, "the key file '%s' is not a file", path);
        (void)err_hint(err, "Name one in AGENT_SEALED_KEY_FILE.");
        return err_at(err, path, 0, 0);
    }
    if (file_check_mode(fd, path, true, err) != 0 || file_read_fd(fd, path, &text, err) != 0)
        return -1;
    return parse_key_file(path, &text, private_key, err);
}

int sealed_key_public(const char *path, char out[static SEALED_PUBLIC_BYTES], struct err *err)
{
    AUTO_SECRET private_key = SECRET_INIT;
    uint8_t public_key[CRYPT_KEY_BYTES];

    if (sealed_key_read(path, &private_key, err) != 0 ||
        crypt_public(&private_key, public_key, err) != 0)
        return -1;
    sealed_public_text(public_key, out);
    return 0;
}

/* Every folder of PATH that is not there yet. */
static int make_folders(const char *path, struct err *err)
{
    AUTO_FREE char *folder = file_folder(path);

    if (!folder)
        return err_nomem(err);
    for (char *slash = folder + 1; *folder; slash++) {
        slash = strchr(slash, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(folder, KEY_FOLDER_MODE) != 0 && errno != EEXIST)
            return err_errno(err, ERR_FILE, "make the folder '%s'", folder);
        if (!slash)
            break;
        *slash = '/';
    }
    return 0;
}

int sealed_key_make(const char *path, char out[static SEALED_PUBLIC_BYTES], bool *made,
                    struct err *err)
{
    AUTO_SECRET private_key = SECRET_INIT;
    AUTO_BUF text = BUF_INIT(SEALED_KEY_FILE_BYTES);
    uint8_t public_key[CRYPT_KEY_BYTES];
    char public_text[SEALED_PUBLIC_BYTES];

    if (access(path, F_OK) == 0 || errno != ENOENT) {
        *made = false;
        return sealed_key_public(path, out, err);
    }
    if (crypt_new_pair(&private_key, public_key, err) != 0 || make_folders(path, err) != 0)
        return -1;
    sealed_public_text(public_key, public_text);
    buf_addf(&text,
             "# The private key of agent's sealed stores. Whoever has it can read what is "
             "sealed for\n# %s\n" PRIVATE_PREFIX,
             public_text);
    crypt_add_base64(&text, secret_reveal(&private_key), secret_length(&private_key));
    buf_addc(&text, '\n');
    if (buf_check(&text, ERR_FILE, "the key file", err) != 0 ||
        file_make(path, buf_text(&text), text.len, KEY_FILE_MODE, made, err) != 0)
        return -1;
    if (!*made) /* somebody else's, who was faster: a store may be sealed for it already */
        return sealed_key_public(path, out, err);
    memcpy(out, public_text, sizeof public_text);
    return 0;
}

/* ---- passphrases ----------------------------------------------------------------------------- */

static int passphrase_from_file(const char *path, struct secret *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(PASSPHRASE_MAX_BYTES);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0) {
        (void)err_errno(err, ERR_FILE, "open the passphrase's file '%s'", path);
        return err_at(err, path, 0, 0);
    }
    if (fstat(fd, &st) != 0)
        return err_errno(err, ERR_FILE, "look at '%s'", path);
    /* a pipe (process substitution, /dev/fd/3) has no mode that means something */
    if (S_ISREG(st.st_mode) && file_check_mode(fd, path, true, err) != 0)
        return -1;
    if (file_read_fd(fd, path, &text, err) != 0)
        return -1;
    size_t length = text.len > 0 && text.data[text.len - 1] == '\n' ? text.len - 1 : text.len;
    if (length == 0) {
        (void)err_set(err, ERR_FILE, "there is no passphrase in '%s'", path);
        return err_at(err, path, 0, 0);
    }
    return secret_set(out, buf_text(&text), length, err);
}

int sealed_passphrase(const char *file, const char *label, bool twice, int64_t deadline_ms,
                      struct secret *out, struct err *err)
{
    AUTO_SECRET passphrase = SECRET_INIT;
    char what[NAMES_BYTES];

    (void)snprintf(what, sizeof what, "the passphrase of '%s'", label);
    if (file ? passphrase_from_file(file, &passphrase, err) != 0
             : terminal_ask(what, twice, deadline_ms ? deadline_ms : CLOCK_NEVER, &passphrase,
                            err) != 0)
        return -1;
    if (twice && secret_length(&passphrase) < PASSPHRASE_LEAST_BYTES)
        return err_set(err, ERR_USAGE, "a new passphrase has at least %d bytes",
                       PASSPHRASE_LEAST_BYTES);
    *out = passphrase;
    passphrase = SECRET_INIT;
    return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int tampered(const struct sealed *store, unsigned line, const char *what, struct err *err)
{
    (void)err_set(err, ERR_SOURCE_DATA, "the sealed store does not open: %s", what);
    (void)err_at(err, store->path, line, 1);
    return err_hint(err,
                    "It was changed by something else than agent. Take it from the repository's "
                    "history.");
}

/* RECIPIENT's wrapped key becomes the store's; the list of recipients has to be what it was made
 * with. */
static int unwrap(struct sealed *store, const struct sealed_recipient *recipient,
                  const struct secret *private_key, struct err *err)
{
    AUTO_SECRET key = SECRET_INIT;
    uint8_t tag[CRYPT_TAG_BYTES];

    if (crypt_unwrap(recipient->wrapped, private_key, &key, err) != 0)
        return err->kind == ERR_SOURCE_DATA
                   ? tampered(store, recipient->line, "this recipient's key was changed", err)
                   : -1;
    if (sealed_list_tag(store, &key, tag, err) != 0)
        return -1;
    if (!crypt_same(tag, store->tag, sizeof tag))
        return tampered(store, store->recipients[0].line,
                        "the list of recipients was changed by somebody without the key", err);
    memcpy(store->opened_by, recipient->public_key, sizeof store->opened_by);
    store->key = key;
    key = SECRET_INIT;
    return 0;
}

static int not_for_us(const struct sealed *store, const char *tried, struct err *err)
{
    AUTO_BUF names = BUF_INIT(NAMES_BYTES);
    char text[SEALED_PUBLIC_BYTES];

    for (size_t i = 0; i < store->recipient_count; i++) {
        const struct sealed_recipient *recipient = &store->recipients[i];
        if (names.len + SEALED_LABEL_BYTES + SEALED_PUBLIC_BYTES + sizeof(" (), ...") >
            NAMES_BYTES) {
            buf_adds(&names, ", ...");
            break;
        }
        sealed_public_text(recipient->public_key, text);
        buf_addf(&names, "%s%s (%s)", i ? ", " : "", recipient->label,
                 recipient->by_passphrase ? "a passphrase" : text);
    }
    return err_set(err, ERR_SOURCE_DENIED, "'%s' does not open: %s; it is sealed for: %s",
                   store->path, tried, buf_text(&names));
}

static bool has_passphrase(const struct sealed *store)
{
    for (size_t i = 0; i < store->recipient_count; i++)
        if (store->recipients[i].by_passphrase)
            return true;
    return false;
}

static const char *passphrase_labels(const struct sealed *store)
{
    for (size_t i = 0; i < store->recipient_count; i++)
        if (store->recipients[i].by_passphrase)
            return store->recipients[i].label;
    return "";
}

/* The passphrase is tried with each recipient that has one: their salts differ. */
static int unlock_by_passphrase(struct sealed *store, const char *file, int64_t deadline_ms,
                                struct err *err)
{
    AUTO_SECRET passphrase = SECRET_INIT;

    if (!has_passphrase(store))
        return not_for_us(store, "it has no passphrase", err);
    if (sealed_passphrase(file, passphrase_labels(store), false, deadline_ms, &passphrase, err) !=
        0)
        return -1;
    for (size_t i = 0; i < store->recipient_count; i++) {
        const struct sealed_recipient *recipient = &store->recipients[i];
        AUTO_SECRET private_key = SECRET_INIT;
        uint8_t public_key[CRYPT_KEY_BYTES];
        if (!recipient->by_passphrase)
            continue;
        if (crypt_passphrase_key(&passphrase, &recipient->cost, &private_key, err) != 0 ||
            crypt_public(&private_key, public_key, err) != 0)
            return -1;
        if (crypt_same(public_key, recipient->public_key, sizeof public_key))
            return unwrap(store, recipient, &private_key, err);
    }
    (void)not_for_us(store, "the passphrase is another one", err);
    return err_hint(err, "A file's last newline does not count; every other byte does.");
}

/* 1: unlocked; 0: there is no such file, or its key is for no recipient (ERR says which); -1. */
static int unlock_by_file(struct sealed *store, const char *path, struct err *err)
{
    AUTO_SECRET private_key = SECRET_INIT;
    uint8_t public_key[CRYPT_KEY_BYTES];
    char text[SEALED_PUBLIC_BYTES], tried[NAMES_BYTES];

    if (sealed_key_read(path, &private_key, err) != 0) {
        if (err->sys_errno != ENOENT && err->sys_errno != ENOTDIR)
            return -1;
        (void)snprintf(tried, sizeof tried, "there is no key file '%.*s'", NAMES_BYTES / 2, path);
        (void)not_for_us(store, tried, err);
        (void)err_hint(err, "Name it in AGENT_SEALED_KEY_FILE. Without one: 'agent seal init "
                            "--key-only' makes it, and somebody who can open the store runs 'agent "
                            "seal rekey --add PUBLICKEY --label NAME'.");
        return 0;
    }
    if (crypt_public(&private_key, public_key, err) != 0)
        return -1;
    for (size_t i = 0; i < store->recipient_count; i++)
        if (!store->recipients[i].by_passphrase &&
            crypt_same(public_key, store->recipients[i].public_key, sizeof public_key))
            return unwrap(store, &store->recipients[i], &private_key, err) == 0 ? 1 : -1;
    sealed_public_text(public_key, text);
    (void)snprintf(tried, sizeof tried, "the key of '%.*s' (%s) is for no recipient",
                   NAMES_BYTES / 2, path, text);
    (void)not_for_us(store, tried, err);
    (void)err_hint(err, "Somebody who can open it runs 'agent seal rekey --add %s --label NAME'.",
                   text);
    return 0;
}

int sealed_unlock(struct sealed *store, const struct sealed_access *access, struct err *err)
{
    const char *file = getenv("AGENT_SEALED_PASSPHRASE_FILE");
    AUTO_FREE char *path = NULL;

    if (secret_is_set(&store->key))
        return 0;
    if (access->passphrase_file || access->ask_passphrase)
        return unlock_by_passphrase(store, access->passphrase_file, access->deadline_ms, err);
    if (sealed_key_path(&path, err) == 0) {
        int unlocked = unlock_by_file(store, path, err);
        if (unlocked != 0)
            return unlocked > 0 ? 0 : -1;
    }
    if (!has_passphrase(store))
        return -1;
    struct err no_file = *err;
    if (unlock_by_passphrase(store, file && *file ? file : NULL, access->deadline_ms, err) == 0)
        return 0;
    if (err->sys_errno != ENXIO)
        return -1;
    *err = no_file; /* nobody to ask */
    return err_hint(err, "There is no terminal to ask for the passphrase: name its file in "
                         "AGENT_SEALED_PASSPHRASE_FILE.");
}

#include "base/fingerprint.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

/* So that the same key used for anything else gives other bytes (blake2b's personalisation). */
static const unsigned char purpose[crypto_generichash_blake2b_PERSONALBYTES] = "agent.fingerpr.1";
static const unsigned char no_salt[crypto_generichash_blake2b_SALTBYTES];

static int refuse_short(const char *path, struct err *err)
{
    err_set(err, ERR_FILE, "the key in '%s' is too short: it has %d bytes at least", path,
            FINGERPRINT_KEY_MIN_BYTES);
    err_at(err, path, 0, 0);
    return err_hint(err, "Make one with: (umask 077; openssl rand -hex 32 >FILE)");
}

int fingerprint_key_read(const char *path, struct secret *out, struct err *err)
{
    AUTO_BUF content = BUF_INIT(FINGERPRINT_KEY_MAX_BYTES);
    /* O_NONBLOCK: a pipe that nobody writes to is not waited for. */
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        err_errno(err, ERR_FILE, "open the key '%s'", path);
        return err_at(err, path, 0, 0);
    }
    if (file_check_mode(fd, path, true, err) != 0 || file_read_fd(fd, path, &content, err) != 0)
        return -1;
    const char *start = buf_text(&content);
    size_t length = content.len;
    str_trim(&start, &length);
    if (length < FINGERPRINT_KEY_MIN_BYTES)
        return refuse_short(path, err);
    return secret_set(out, start, length, err);
}

int fingerprint_of(const struct secret *key, const char *name, const struct secret *value,
                   char out[static FINGERPRINT_TEXT_BYTES], struct err *err)
{
    unsigned char short_key[crypto_generichash_blake2b_KEYBYTES_MAX];
    unsigned char hash[crypto_generichash_blake2b_BYTES];
    crypto_generichash_blake2b_state state;

    if (sodium_init() < 0)
        return err_set(err, ERR_RESOURCE, "libsodium could not be started");
    /* A key file may be longer than the hash's key; the results are unused: with lengths within its
     * limits, which these are, it has no way to fail. */
    (void)crypto_generichash_blake2b(short_key, sizeof short_key,
                                     (const unsigned char *)secret_reveal(key), secret_length(key),
                                     NULL, 0);
    (void)crypto_generichash_blake2b_init_salt_personal(&state, short_key, sizeof short_key,
                                                        sizeof hash, no_salt, purpose);
    /* With its NUL: no name and value read as another name and value. */
    (void)crypto_generichash_blake2b_update(&state, (const unsigned char *)name, strlen(name) + 1);
    (void)crypto_generichash_blake2b_update(
        &state, (const unsigned char *)(secret_is_set(value) ? secret_reveal(value) : ""),
        secret_length(value));
    (void)crypto_generichash_blake2b_final(&state, hash, sizeof hash);
    (void)sodium_bin2hex(out, FINGERPRINT_TEXT_BYTES, hash, FINGERPRINT_BYTES);
    sodium_memzero(short_key, sizeof short_key);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(hash, sizeof hash);
    return 0;
}

/* generate.c: see rotate/internal.h and rotate/generate.h. The strategy `random` is random.c's. */
#include "rotate/generate.h"

#include <string.h>

#include "base/crypt.h"
#include "base/mem.h"

enum {
    BYTE_VALUES = 256,
    ALPHABET_LEAST = 2, /* of one character nothing can be told */
    PASSWORD_CHARACTERS = 32,
    LAST_VISIBLE = 0x7e, /* of ASCII; the first is behind the blank */
};

/* Letters and digits: no shell, dotenv file, SQL, URL or YAML gives one of them a meaning. (A YAML
 * reader may take "1e5" for a number; with 22 and more of them, that chance is the one to guess it.) */
#define PLAIN_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* ---- passwords ----------------------------------------------------------------------------------- */

static int bad_alphabet(struct err *err, const char *why)
{
    (void)err_set(err, ERR_CONTRACT, "the alphabet of a password %s", why);
    return err_hint(err, "Leave 'alphabet' out: letters and digits need no quoting anywhere.");
}

static int check_alphabet(const char *alphabet, struct err *err)
{
    bool seen[BYTE_VALUES] = {false};

    for (const char *at = alphabet; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte <= ' ' || byte > LAST_VISIBLE)
            return bad_alphabet(err, "has a character that is no visible one of ASCII");
        if (seen[byte])
            return bad_alphabet(err, "has a character twice, which makes it the likelier one");
        seen[byte] = true;
    }
    return strlen(alphabet) < ALPHABET_LEAST ? bad_alphabet(err, "has less than two characters")
                                             : 0;
}

/* How many characters out of SIZE make GENERATE_MIN_BITS. (Exact where it matters: only powers of two
 * could hit 2^128 itself, and those are exact in floating point.) */
static size_t characters_needed(size_t size)
{
    size_t count = 0;

    for (long double ways = 1; ways < 0x1p128L; ways *= (long double)size)
        count++;
    return count;
}

static int check_length(size_t length, size_t alphabet, struct err *err)
{
    size_t needed = characters_needed(alphabet);

    if (length < needed) {
        (void)err_set(err, ERR_CONTRACT,
                      "a password of %zu characters out of %zu has less than %d bits", length,
                      alphabet, GENERATE_MIN_BITS);
        return err_hint(err, "It takes at least %zu characters: \"length\": %zu.", needed, needed);
    }
    if (length > GENERATE_MAX_BYTES)
        return err_set(err, ERR_CONTRACT, "a password of %zu characters is longer than %d", length,
                       GENERATE_MAX_BYTES);
    return 0;
}

/* Each character as likely as the others: bytes beyond the last whole multiple of SIZE are thrown
 * away and drawn again. */
static int draw(const char *alphabet, size_t size, size_t length, struct buf *out, struct err *err)
{
    unsigned char drawn[BYTE_VALUES];
    size_t usable = BYTE_VALUES - BYTE_VALUES % size;

    while (out->len < length && !out->no_memory) {
        if (crypt_random(drawn, sizeof drawn, err) != 0)
            return -1;
        for (size_t i = 0; i < sizeof drawn && out->len < length && !out->no_memory; i++)
            if (drawn[i] < usable)
                buf_addc(out, alphabet[drawn[i] % size]);
    }
    mem_wipe(drawn, sizeof drawn);
    return buf_check(out, ERR_CONTRACT, "the password", err);
}

int generate_password(size_t length, const char *alphabet, struct secret *out, struct err *err)
{
    const char *letters = alphabet ? alphabet : PLAIN_ALPHABET;
    AUTO_BUF text = BUF_INIT(GENERATE_MAX_BYTES);

    if (check_alphabet(letters, err) != 0 || check_length(length, strlen(letters), err) != 0 ||
        draw(letters, strlen(letters), length, &text, err) != 0)
        return -1;
    return secret_set(out, buf_text(&text), text.len, err);
}

/* ---- keys ---------------------------------------------------------------------------------------- */

/* Whatever the bytes are, the same steps: no table is looked into by a secret. */
static char hex_digit(unsigned char four_bits)
{
    unsigned is_letter = (9U - four_bits) >> 31U;

    return (char)('0' + four_bits + is_letter * ('a' - '0' - 10));
}

static void add_hex(struct buf *out, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        buf_addc(out, hex_digit(bytes[i] >> 4U));
        buf_addc(out, hex_digit(bytes[i] & 0xfU));
    }
}

/* RFC 4648, 5, without padding. */
static void add_base64url(struct buf *out, const unsigned char *bytes, size_t length)
{
    crypt_add_base64(out, bytes, length);
    while (out->len > 0 && out->data[out->len - 1] == '=')
        out->data[--out->len] = '\0';
    for (size_t i = 0; i < out->len; i++)
        out->data[i] = out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i];
}

static void add_encoded(struct buf *out, enum rotate_encoding encoding, const unsigned char *bytes,
                        size_t length)
{
    switch (encoding) {
    case ROTATE_BASE64:
        crypt_add_base64(out, bytes, length);
        break;
    case ROTATE_BASE64URL:
        add_base64url(out, bytes, length);
        break;
    case ROTATE_HEX:
        add_hex(out, bytes, length);
        break;
    }
}

int generate_key(size_t bytes, enum rotate_encoding encoding, struct secret *out, struct err *err)
{
    if (bytes < GENERATE_MIN_BYTES) {
        (void)err_set(err, ERR_CONTRACT, "a key of %zu bytes has less than %d bits", bytes,
                      GENERATE_MIN_BITS);
        return err_hint(err, "It takes at least %d: \"bytes\": %d.", GENERATE_MIN_BYTES,
                        GENERATE_BYTES);
    }
    if (bytes > GENERATE_MAX_BYTES)
        return err_set(err, ERR_CONTRACT, "a key of %zu bytes is longer than %d", bytes,
                       GENERATE_MAX_BYTES);
    AUTO_BUF raw = BUF_INIT(GENERATE_MAX_BYTES);
    AUTO_BUF text = BUF_INIT((size_t)GENERATE_MAX_BYTES * 2);
    char *room = buf_reserve(&raw, bytes);
    if (!room)
        return err_nomem(err);
    if (crypt_random(room, bytes, err) != 0)
        return -1;
    buf_commit(&raw, bytes);
    add_encoded(&text, encoding, (const unsigned char *)raw.data, raw.len);
    if (buf_check(&text, ERR_CONTRACT, "the key", err) != 0)
        return -1;
    return secret_set(out, buf_text(&text), text.len, err);
}

int generate_value(const struct rotate_spec *spec, struct secret *out, struct err *err)
{
    int result;

    if (spec->bytes == 0 && (spec->length > 0 || spec->alphabet))
        result = generate_password(spec->length > 0 ? spec->length : PASSWORD_CHARACTERS,
                                   spec->alphabet, out, err);
    else
        result = generate_key(spec->bytes > 0 ? spec->bytes : GENERATE_BYTES, spec->encoding, out,
                              err);
    return result == 0 ? 0 : err_wrap(err, "generate '%s'", spec->variable);
}

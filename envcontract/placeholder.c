/* envcontract/placeholder.c: texts that stand where a value should be. */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "envcontract/internal.h"

enum {
    PLACEHOLDER_BYTES = 128, /* longer texts are no placeholders, but for their fillings */
    FILLING_BYTES = 6,       /* x's in a row at the end: sk_live_xxxxxx */
};

/* Compared in lower case without separators and marks at the end: "CHANGE_ME!" is changeme. */
static const char *const words[] = {
    "changeme",    "changethis", "changeit",   "replaceme", "replacethis",  "fillme",
    "fillmein",    "fillin",     "insertme",   "insertkey", "setme",        "fixme",
    "todo",        "tbd",        "tba",        "na",        "null",         "undefined",
    "placeholder", "example",    "examplekey", "sample",    "dummy",        "redacted",
    "masked",      "yourkey",    "yoursecret", "yourtoken", "yourpassword", "yourapikey",
    "mysecretkey", "somesecret", "secrethere",
};

/* The first word of several: "your-clerk-key", "REPLACE_WITH_A_KEY", "todo: ask Ann". */
static const char *const beginnings[] = {
    "your-",        "your_",       "your ",        "example-",     "example_",     "placeholder-",
    "placeholder_", "changeme",    "change-me",    "change_me",    "todo:",        "todo ",
    "replace-me",   "replace_me",  "replace-with", "replace_with", "replace with", "insert-your",
    "insert_your",  "insert your", "insert-key",   "insert_key",   "put-your",     "put_your",
    "put your",     "enter-your",  "enter_your",   "enter your",
};

static const char *const endings[] = {"-here", "_here", "-goes-here", "_placeholder"};

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '.' || c == ' ';
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* "-", "...", "****", "xxx": nothing but one filling character. */
static bool is_filling(const char *bytes, size_t length)
{
    char first = lower(bytes[0]);
    if (!strchr("-*.?_#", first) && (first != 'x' || length < 3))
        return false;
    for (size_t i = 1; i < length; i++)
        if (lower(bytes[i]) != first)
            return false;
    return true;
}

/* re_xxxxxx, and "sk_test_..." cut short by whoever wrote the example. */
static bool ends_in_filling(const char *bytes, size_t length)
{
    static const char dots[] = "...", ellipsis[] = "\xe2\x80\xa6";
    size_t count = 0;
    while (count < length && lower(bytes[length - 1 - count]) == 'x')
        count++;
    if (count >= FILLING_BYTES)
        return true;
    return length > 3 && (memcmp(bytes + length - 3, dots, 3) == 0 ||
                          memcmp(bytes + length - 3, ellipsis, 3) == 0);
}

static bool is_word(const char *bytes, size_t length)
{
    char squeezed[PLACEHOLDER_BYTES + 1];
    size_t count = 0;
    while (length > 0 && strchr("!?:;,", bytes[length - 1]))
        length--;
    for (size_t i = 0; i < length; i++)
        if (!is_separator(bytes[i]))
            squeezed[count++] = lower(bytes[i]);
    squeezed[count] = '\0';
    if (strcmp(squeezed, "n/a") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (squeezed[0] == words[i][0] && strcmp(squeezed, words[i]) == 0)
            return true;
    return false;
}

static bool begins_or_ends(const char *bytes, size_t length)
{
    char first = lower(bytes[0]);
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        size_t size = strlen(beginnings[i]);
        if (first == beginnings[i][0] && length >= size &&
            strncasecmp(bytes, beginnings[i], size) == 0)
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t size = strlen(endings[i]);
        if (length >= size && strncasecmp(bytes + length - size, endings[i], size) == 0)
            return true;
    }
    return false;
}

bool placeholder_is(const char *bytes, size_t length)
{
    str_trim(&bytes, &length);
    if (length == 0 || memchr(bytes, '\0', length))
        return false;
    if (ends_in_filling(bytes, length) || is_filling(bytes, length))
        return true;
    if (length > PLACEHOLDER_BYTES)
        return false;
    char first = bytes[0], last = bytes[length - 1];
    if (length >= 2 && first == '<' && last == '>')
        return true;
    if (length >= 4 && first == '{' && bytes[1] == '{' && last == '}')
        return true;
    return is_word(bytes, length) || begins_or_ends(bytes, length);
}

/* ${NAME} or ${NAME:-...} anywhere: what a shell or Compose would have filled in. */
static bool has_shell_reference(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    for (const char *at = bytes; (at = memmem(at, (size_t)(end - at), "${", 2)); at += 2) {
        const char *c = at + 2;
        while (c < end && (*c == '_' || (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                           (*c >= 'A' && *c <= 'Z')))
            c++;
        if (c == at + 2 || c == end)
            continue;
        if (*c == '}')
            return true;
        if (*c == ':' && end - c > 1)
            c++;
        if (strchr("-+?=", *c)) /* ${NAME:-a default}; without a '}' behind it no other has one */
            return memchr(c, '}', (size_t)(end - c));
    }
    return false;
}

/* $(NAME) anywhere: Kubernetes leaves it so where it knows no such variable. In small letters it is
 * rather a shell's. */
static bool has_kubernetes_reference(const char *bytes, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *end = bytes + length;
    for (const char *at = bytes; (at = memmem(at, (size_t)(end - at), "$(", 2)); at += 2) {
        const char *c = at + 2;
        while (c < end && *c && strchr(letters, *c))
            c++;
        if (c > at + 2 && c < end && *c == ')')
            return true;
    }
    return false;
}

const char *placeholder_unresolved(const char *bytes, size_t length)
{
    static const struct {
        const char *beginning, *words;
    } signs[] = {
        {"vault:v1:", "ciphertext"}, /* of Vault's transit engine */
        {"vault:", "a reference to Vault"},
        {"sealed:", "a reference to the sealed store"},
        {"ENC[", "ciphertext"},
        {"$ANSIBLE_VAULT;", "ciphertext"},
        {"age-encryption.org/", "ciphertext"},
        {"-----BEGIN AGE ENCRYPTED FILE-----", "ciphertext"},
        {"-----BEGIN PGP MESSAGE-----", "ciphertext"},
        {"op://", "a reference to a password manager"},
    };
    str_trim(&bytes, &length);
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        size_t size = strlen(signs[i].beginning);
        if (length >= size && memcmp(bytes, signs[i].beginning, size) == 0)
            return signs[i].words;
    }
    return has_shell_reference(bytes, length) || has_kubernetes_reference(bytes, length)
               ? "a reference to another variable"
               : NULL;
}

/* envcontract/output.c: values written in the formats of `fetch`, or refused by name.
 *
 * Each format has one reader that it is written for, and whatever that reader would change is
 * refused here:
 *   env     docker --env-file: the line as it is, no quotes. Its reader takes lines of less than
 *           64 KiB and UTF-8 only, and drops a carriage return at the end of a line.
 *   json    RFC 8259: UTF-8.
 *   dotenv  python-dotenv: UTF-8; it fills in ${NAME} in any quotes, and a quoted value can't end
 *           in a backslash.
 *   shell   bash and dash: any bytes but NUL. */
#include <string.h>

#include "base/str.h"
#include "envcontract/internal.h"

enum { ENV_LINE_MAX_BYTES = 64 * 1024 - 2 }; /* Go's bufio.Scanner, with room for CR LF */

/* Why the format can't carry the value, as the end of a sentence, or NULL. */
typedef const char *refusal;

static bool is_utf8(const char *bytes, size_t length)
{
    for (size_t at = 0, step; at < length; at += step)
        if ((step = str_utf8(bytes + at, length - at)) == 0)
            return false;
    return true;
}

static bool has(const char *bytes, size_t length, char c)
{
    return length > 0 && memchr(bytes, c, length);
}

static bool is_shell_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c != '_' && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
            !(c > name && *c >= '0' && *c <= '9'))
            return false;
    return *name != '\0';
}

static refusal write_env(const char *name, const char *bytes, size_t length, struct buf *out)
{
    if (has(bytes, length, '\n'))
        return "a line break in the value: an env file has one line for each variable";
    if (length > 0 && bytes[length - 1] == '\r')
        return "a carriage return at the end of the value, which docker drops";
    if (!is_utf8(bytes, length))
        return "a value that is not UTF-8, which docker refuses";
    if (strlen(name) + 1 + length > ENV_LINE_MAX_BYTES)
        return "a value of 64 KiB or more, which docker does not read";
    buf_addf(out, "%s=", name);
    buf_add(out, bytes, length);
    buf_addc(out, '\n');
    return NULL;
}

static refusal write_json(const char *name, const char *bytes, size_t length, bool first,
                          struct buf *out)
{
    if (!is_utf8(bytes, length))
        return "a value that is not UTF-8, and JSON carries nothing else";
    if (!first)
        buf_addc(out, ',');
    str_add_json(out, name, strlen(name));
    buf_addc(out, ':');
    str_add_json(out, bytes, length);
    return NULL;
}

static refusal write_shell(const char *name, const char *bytes, size_t length, struct buf *out)
{
    buf_addf(out, "export %s=", name);
    str_add_shell(out, bytes, length);
    buf_addc(out, '\n');
    return NULL;
}

/* ---- dotenv --------------------------------------------------------------------------------- */

/* python-dotenv fills in ${NAME} and ${NAME:-default} wherever they stand, and has no escape. */
static bool has_reference(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    for (const char *at = bytes; length > 0 && (at = memmem(at, (size_t)(end - at), "${", 2));) {
        at += 2;
        const char *stop = at;
        while (stop < end && *stop != '}' && *stop != ':')
            stop++;
        if (stop == end)
            return false; /* no '}' behind this one, so none behind a later one */
        if (*stop == '}')
            return true;
        if (end - stop > 1 && stop[1] == '-' && has(stop, (size_t)(end - stop), '}'))
            return true;
    }
    return false;
}

/* Letters, digits and marks that mean nothing to any reader, docker and shells included. */
static bool is_plain(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!(bytes[i] >= 'a' && bytes[i] <= 'z') && !(bytes[i] >= 'A' && bytes[i] <= 'Z') &&
            !(bytes[i] >= '0' && bytes[i] <= '9') && !strchr("@%+=:,./_-", bytes[i]))
            return false;
    return true;
}

/* Whether the reader takes the bytes as they stand, backslashes included. */
static bool is_unquotable(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] <= ' ' || (unsigned char)bytes[i] >= 0x7f)
            return false;
    return length > 0 && bytes[0] != '\'' && bytes[0] != '"';
}

static void add_quoted(struct buf *out, char quote, const char *bytes, size_t length)
{
    buf_addc(out, quote);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\r') {
            buf_adds(out, "\\r"); /* a file's bare CR is read as a line break */
            continue;
        }
        if (bytes[i] == '\\' || bytes[i] == quote)
            buf_addc(out, '\\');
        buf_addc(out, bytes[i]);
    }
    buf_addc(out, quote);
}

/* The quotes that most readers understand in the same way: none, then '...' without escapes. */
static refusal write_dotenv(const char *name, const char *bytes, size_t length, struct buf *out)
{
    if (!is_utf8(bytes, length))
        return "a value that is not UTF-8, which python-dotenv refuses";
    if (has_reference(bytes, length))
        return "${...} in the value, which python-dotenv fills in and cannot be told not to";
    bool backslash_last = length > 0 && bytes[length - 1] == '\\';
    if (backslash_last && !is_unquotable(bytes, length))
        return "a backslash at the end of a value that needs quotes, which python-dotenv misreads";

    buf_addf(out, "%s=", name);
    if (is_plain(bytes, length) || backslash_last)
        buf_add(out, bytes, length);
    else if (has(bytes, length, '\r'))
        add_quoted(out, '"', bytes, length);
    else
        add_quoted(out, '\'', bytes, length);
    buf_addc(out, '\n');
    return NULL;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct {
    const char *name, *other; /* what to try in its place */
} formats[] = {
    [FORMAT_ENV] = {"env", "json, dotenv or shell"},
    [FORMAT_JSON] = {"json", "shell"},
    [FORMAT_DOTENV] = {"dotenv", "json or shell"},
    [FORMAT_SHELL] = {"shell", "json"},
};

static refusal write_value(enum value_format format, const char *name, const char *bytes,
                           size_t length, bool first, struct buf *out)
{
    if (format != FORMAT_JSON && !is_shell_name(name))
        return "a name that is no identifier";
    if (has(bytes, length, '\0'))
        return "a NUL byte in the value";
    switch (format) {
    case FORMAT_ENV:
        return write_env(name, bytes, length, out);
    case FORMAT_JSON:
        return write_json(name, bytes, length, first, out);
    case FORMAT_DOTENV:
        return write_dotenv(name, bytes, length, out);
    case FORMAT_SHELL:
        return write_shell(name, bytes, length, out);
    }
    return "an unknown format"; /* a defect of the caller, said where it shows */
}

int value_write(enum value_format format, const char *name, const struct secret *bytes, bool first,
                struct buf *out, struct err *err)
{
    const char *text = secret_is_set(bytes) ? secret_reveal(bytes) : "";
    refusal why = write_value(format, name, text, secret_length(bytes), first, out);
    if (why) {
        (void)err_set(err, ERR_VIOLATION, "'%s' cannot be written as %s: %s", name,
                      formats[format].name, why);
        return err_hint(err, "Use --format %s.", formats[format].other);
    }
    return buf_check(out, ERR_VIOLATION, "the output", err);
}

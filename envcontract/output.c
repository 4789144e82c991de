/* envcontract/output.c: values written in the formats of `fetch`, or refused by name.
 *
 * Each format has one reader that it is written for, and whatever that reader would change is
 * refused:
 *   env         docker --env-file: the line as it is, no quotes. Its reader takes lines of less than
 *               64 KiB and UTF-8 only, and drops a carriage return at the end of a line.
 *   dotenv      python-dotenv: UTF-8; it fills in ${NAME} in any quotes, and a quoted value can't
 *               end in a backslash.
 *   json        RFC 8259: UTF-8.
 *   shell       bash and dash: any bytes but NUL.
 *   github      the file of $GITHUB_ENV: output_github.c
 *   kubernetes  a Secret's manifest: output_kubernetes.c
 *   systemd     EnvironmentFile=: output_systemd.c */
#include "envcontract/output.h"

#include <string.h>

#include "base/str.h"

enum { ENV_LINE_MAX_BYTES = 64 * 1024 - 2 }; /* Go's bufio.Scanner, with room for CR LF */

bool output_is_utf8(const struct outgoing *value)
{
    for (size_t at = 0, step; at < value->length; at += step)
        if ((step = str_utf8(value->bytes + at, value->length - at)) == 0)
            return false;
    return true;
}

static bool has(const char *bytes, size_t length, char c)
{
    return length > 0 && memchr(bytes, c, length);
}

bool output_has(const struct outgoing *value, char c)
{
    return has(value->bytes, value->length, c);
}

bool output_is_plain(const struct outgoing *value)
{
    for (size_t i = 0; i < value->length; i++) {
        char c = value->bytes[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !(c && strchr("@%+=:,./_-", c)))
            return false;
    }
    return true;
}

static bool is_shell_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c != '_' && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
            !(c > name && *c >= '0' && *c <= '9'))
            return false;
    return *name != '\0';
}

static refusal write_env(struct buf *out, const struct outgoing *value)
{
    if (output_has(value, '\n'))
        return "a line break in the value: an env file has one line for each variable";
    if (value->length > 0 && value->bytes[value->length - 1] == '\r')
        return "a carriage return at the end of the value, which docker drops";
    if (!output_is_utf8(value))
        return "a value that is not UTF-8, which docker refuses";
    if (strlen(value->name) + 1 + value->length > ENV_LINE_MAX_BYTES)
        return "a value of 64 KiB or more, which docker does not read";
    buf_addf(out, "%s=", value->name);
    buf_add(out, value->bytes, value->length);
    buf_addc(out, '\n');
    return NULL;
}

static refusal write_json(struct buf *out, const struct outgoing *value, bool first)
{
    if (!output_is_utf8(value))
        return "a value that is not UTF-8, and JSON carries nothing else";
    if (!first)
        buf_addc(out, ',');
    str_add_json(out, value->name, strlen(value->name));
    buf_addc(out, ':');
    str_add_json(out, value->bytes, value->length);
    return NULL;
}

static refusal write_shell(struct buf *out, const struct outgoing *value)
{
    buf_addf(out, "export %s=", value->name);
    str_add_shell(out, value->bytes, value->length);
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

static bool has_any(const struct outgoing *value, const char *set)
{
    for (; *set; set++)
        if (output_has(value, *set))
            return true;
    return false;
}

enum dotenv_quotes { QUOTES_NONE, QUOTES_SINGLE, QUOTES_DOUBLE, QUOTES_IMPOSSIBLE };

/* What most readers understand in the same way. Node's readers have no escapes but \n and \r, shells
 * and compose fill in $NAME between "..."; what only python-dotenv understands comes last. */
static enum dotenv_quotes dotenv_quotes(const struct outgoing *value)
{
    bool bare = is_unquotable(value->bytes, value->length);

    if (output_is_plain(value) || (bare && output_has(value, '\\') && !has_any(value, "'\"`#")))
        return QUOTES_NONE;
    if (value->bytes[value->length - 1] == '\\') /* what is empty is plain */
        return bare ? QUOTES_NONE : QUOTES_IMPOSSIBLE;
    if (output_has(value, '\r'))
        return QUOTES_DOUBLE;
    return output_has(value, '\'') && !has_any(value, "\"\\$`") ? QUOTES_DOUBLE : QUOTES_SINGLE;
}

static refusal write_dotenv(struct buf *out, const struct outgoing *value)
{
    if (!output_is_utf8(value))
        return "a value that is not UTF-8, which python-dotenv refuses";
    if (has_reference(value->bytes, value->length))
        return "${...} in the value, which python-dotenv fills in and cannot be told not to";
    enum dotenv_quotes quotes = dotenv_quotes(value);
    if (quotes == QUOTES_IMPOSSIBLE)
        return "a backslash at the end of a value that needs quotes, which python-dotenv misreads";

    buf_addf(out, "%s=", value->name);
    if (quotes == QUOTES_NONE)
        buf_add(out, value->bytes, value->length);
    else
        add_quoted(out, quotes == QUOTES_DOUBLE ? '"' : '\'', value->bytes, value->length);
    buf_addc(out, '\n');
    return NULL;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct {
    const char *name, *other; /* what to try in its place */
} formats[] = {
    [FORMAT_ENV] = {"env", "json, dotenv or shell"},
    [FORMAT_DOTENV] = {"dotenv", "json or shell"},
    [FORMAT_JSON] = {"json", "shell or kubernetes"},
    [FORMAT_SHELL] = {"shell", "json"},
    [FORMAT_GITHUB] = {"github", "shell"},
    [FORMAT_KUBERNETES] = {"kubernetes", "json or shell"},
    [FORMAT_SYSTEMD] = {"systemd", "json or shell"},
};

enum value_format value_format_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eq(word, formats[i].name))
            return (enum value_format)i;
    return FORMAT_ENV;
}

static refusal write_value(struct value_writer *w, const struct outgoing *value, bool *failed,
                           struct err *err)
{
    if (w->format != FORMAT_JSON && !is_shell_name(value->name))
        return "a name that is no identifier";
    if (output_has(value, '\0'))
        return "a NUL byte in the value";
    switch (w->format) {
    case FORMAT_ENV:
        return write_env(w->out, value);
    case FORMAT_DOTENV:
        return write_dotenv(w->out, value);
    case FORMAT_JSON:
        return write_json(w->out, value, w->count == 0);
    case FORMAT_SHELL:
        return write_shell(w->out, value);
    case FORMAT_GITHUB:
        return output_github(w, value, failed, err);
    case FORMAT_KUBERNETES:
        return output_kubernetes(w, value);
    case FORMAT_SYSTEMD:
        return output_systemd(w, value);
    }
    return "an unknown format"; /* a defect of the caller, said where it shows */
}

/* A format is named only when it carries the value. */
static int hint_at_another(enum value_format format, const struct outgoing *value, struct err *err)
{
    if (output_has(value, '\0'))
        return err_hint(err, "No process can be given it, in no format: encode it, in base64 say.");
    if (!output_is_utf8(value))
        return err_hint(err, "Use --format shell or kubernetes, which carry any other byte.");
    return err_hint(err, "Use --format %s.", formats[format].other);
}

int values_begin(struct value_writer *w, struct err *err)
{
    w->count = w->data_bytes = 0;
    if (w->format == FORMAT_KUBERNETES)
        return output_kubernetes_begin(w, err);
    if (w->format == FORMAT_JSON)
        buf_addc(w->out, '{');
    return 0;
}

int values_add(struct value_writer *w, const char *name, const struct secret *bytes, bool secret,
               struct err *err)
{
    const struct outgoing value = {
        .name = name,
        .bytes = secret_is_set(bytes) ? secret_reveal(bytes) : "",
        .length = secret_length(bytes),
        .secret = secret,
    };
    bool failed = false;
    refusal why = write_value(w, &value, &failed, err);

    if (failed)
        return -1;
    if (why) {
        (void)err_set(err, ERR_VIOLATION, "'%s' cannot be written as %s: %s", name,
                      formats[w->format].name, why);
        return hint_at_another(w->format, &value, err);
    }
    w->count++;
    return buf_check(w->out, ERR_RESOURCE, "the output", err);
}

int values_end(struct value_writer *w, struct err *err)
{
    if (w->format == FORMAT_KUBERNETES)
        output_kubernetes_end(w);
    if (w->format == FORMAT_JSON)
        buf_adds(w->out, "}\n");
    if (w->masks && buf_check(w->masks, ERR_RESOURCE, "the masks", err) != 0)
        return -1;
    return buf_check(w->out, ERR_RESOURCE, "the output", err);
}

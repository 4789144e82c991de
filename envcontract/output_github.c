/* envcontract/output_github.c: values for the file that $GITHUB_ENV names, and the commands that make
 * the runner mask them.
 *
 * The file's syntax (GitHub, "Workflow commands", "Multiline strings") is
 *     NAME<<DELIMITER
 *     value
 *     DELIMITER
 * and the value ends at the first line that is the delimiter: a random one that the value has not.
 * The runner reads it as UTF-8 (what is none becomes U+FFFD), ends lines at LF alone, and refuses or
 * ignores names of its own.
 *
 * A mask hides a text within one line of the log, so each line of a secret is masked by itself. The
 * runner takes %25, %0D and %0A back, and complains of blank masks. */
#include "envcontract/output.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/redact_parts.h"
#include "base/str.h"

enum {
    DELIMITER_RANDOM_BYTES = 16,
    DELIMITER_BYTES = sizeof("agent_") + 2 * DELIMITER_RANDOM_BYTES,
};

static int make_delimiter(char out[static DELIMITER_BYTES], struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[DELIMITER_RANDOM_BYTES];
    char *at = out + strlen("agent_");

    /* Up to 256 bytes come whole, without interruption (getrandom(2)). */
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_errno(err, ERR_RESOURCE, "get random bytes for a delimiter");
    memcpy(out, "agent_", strlen("agent_"));
    for (size_t i = 0; i < sizeof random; i++) {
        *at++ = digits[random[i] >> 4];
        *at++ = digits[random[i] & 15];
    }
    *at = '\0';
    return 0;
}

static int delimiter_for(const struct outgoing *value, char out[static DELIMITER_BYTES],
                         struct err *err)
{
    do {
        if (make_delimiter(out, err) != 0)
            return -1;
    } while (value->length > 0 && memmem(value->bytes, value->length, out, strlen(out)));
    return 0;
}

/* What the runner does not let a step set (its documentation, "Default environment variables"). */
static bool belongs_to_the_runner(const char *name)
{
    return str_starts(name, "GITHUB_") || str_starts(name, "RUNNER_") ||
           str_eq(name, "NODE_OPTIONS");
}

static void add_mask(struct buf *masks, const char *line, size_t length)
{
    const char *text = line;
    size_t rest = length;

    str_trim(&text, &rest);
    if (rest == 0)
        return;
    if (line[length - 1] == '\r') /* the end of the line, to who prints it */
        length--;
    buf_adds(masks, "::add-mask::");
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '%')
            buf_adds(masks, "%25");
        else if (line[i] == '\r')
            buf_adds(masks, "%0D");
        else
            buf_addc(masks, line[i]);
    }
    buf_addc(masks, '\n');
}

static void add_masks(struct buf *masks, const char *bytes, size_t length)
{
    const char *line = bytes, *end = bytes + length;

    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        add_mask(masks, line, (size_t)(stop - line));
        line = newline ? newline + 1 : end;
    }
}

/* A redact_form_sink. */
static int add_part_masks(void *masks, const char *part, size_t length, struct err *err)
{
    (void)err;
    add_masks(masks, part, length);
    return 0;
}

refusal output_github(struct value_writer *w, const struct outgoing *value, bool *failed,
                      struct err *err)
{
    char delimiter[DELIMITER_BYTES];

    if (belongs_to_the_runner(value->name))
        return "a name that GitHub's runner keeps for itself";
    if (!output_is_utf8(value))
        return "a value that is not UTF-8, which GitHub's runner changes";
    if (delimiter_for(value, delimiter, err) != 0) {
        *failed = true;
        return NULL;
    }
    if (value->secret && w->masks) {
        add_masks(w->masks, value->bytes, value->length);
        /* What may come out without the rest of it: a URL's password. */
        if (redact_each_part(value->bytes, value->length, add_part_masks, w->masks, err) != 0) {
            *failed = true;
            return NULL;
        }
    }
    buf_addf(w->out, "%s<<%s\n", value->name, delimiter);
    buf_add(w->out, value->bytes, value->length);
    buf_addf(w->out, "\n%s\n", delimiter);
    return NULL;
}

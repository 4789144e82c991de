/* envcontract/drift_lines.c: Dockerfiles and .env files, and the $NAME of Compose.
 *
 * ENV gives a name to every process of the image. ARG is the build's: one that the contract declares
 * counts, others are nobody's business here. What CMD and ENTRYPOINT say in shell form is read when
 * the container starts. A .env file sets names: it is an example, or somebody's values, and no use. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/str.h"
#include "envcontract/drift_lex.h"
#include "envcontract/drift_shell.h"

void drift_read_interpolated(struct drift *d, size_t offset, size_t length)
{
    const char *text = d->text, *end = text + offset + length;

    for (const char *at = text + offset; (at = memchr(at, '$', (size_t)(end - at)));) {
        bool is_dollar = at + 1 < end && at[1] == '$';
        bool has_brace = at + 1 < end && at[1] == '{';
        size_t start = (size_t)(at - text) + 1 + has_brace;
        size_t name = is_dollar ? 0 : shell_name_length(d, start);
        if (name > 0)
            drift_add(d, DRIFT_READ, text + start, name, start);
        at += 1 + (is_dollar || has_brace);
    }
}

/* ---- Dockerfile ----------------------------------------------------------------------------- */

/* Past one value: up to white space that is neither quoted nor escaped. */
static size_t value_end(const struct drift *d, size_t at, size_t end)
{
    char quote = '\0';

    for (; at < end; at++) {
        char c = d->text[at];
        if (c == '\\')
            at++;
        else if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == ' ' || c == '\t' || c == '\n')
            break;
    }
    return at < end ? at : end;
}

/* Past white space, the backslashes that join lines, and comments between them. */
static size_t skip_blank(const struct drift *d, size_t at, size_t end)
{
    for (bool line_begins = false; at < end; at++) {
        char c = d->text[at];
        if (c == '#' && line_begins)
            at = lex_line_end(d, at);
        else if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\\')
            break;
        line_begins = d->text[at] == '\n' || (line_begins && c != '\\');
    }
    return at < end ? at : end;
}

/* ENV A=1 B=2, or ENV A 1. */
static void read_pairs(struct drift *d, size_t at, size_t end)
{
    while ((at = skip_blank(d, at, end)) < end) {
        size_t length = shell_name_length(d, at);
        bool is_pair = at + length < end && d->text[at + length] == '=';
        if (length > 0)
            drift_add(d, DRIFT_GIVEN, d->text + at, length, at);
        if (!is_pair)
            return; /* the older form has one name */
        at = value_end(d, at + length, end);
    }
}

static void read_arguments(struct drift *d, size_t at, size_t end)
{
    at = skip_blank(d, at, end);
    size_t length = shell_name_length(d, at);
    if (drift_declares(d, d->text + at, length))
        drift_add(d, DRIFT_GIVEN, d->text + at, length, at);
}

static bool is_instruction(const struct drift *d, size_t at, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(d->text + at, word, length) == 0;
}

static void read_instruction(struct drift *d, size_t at, size_t end)
{
    size_t length = shell_name_length(d, at), rest = at + length;
    bool starts = is_instruction(d, at, length, "CMD") ||
                  is_instruction(d, at, length, "ENTRYPOINT");

    if (is_instruction(d, at, length, "ENV"))
        read_pairs(d, rest, end);
    else if (is_instruction(d, at, length, "ARG"))
        read_arguments(d, rest, end);
    else if (starts && d->text[skip_blank(d, rest, end)] != '[')
        drift_read_interpolated(d, rest, end - rest);
}

/* Where the instruction that begins at AT ends: it goes on behind a backslash, over comments. */
static size_t instruction_end(const struct drift *d, size_t at)
{
    for (;;) {
        size_t end = lex_line_end(d, at), last = end;
        bool is_comment = d->text[at + strspn(d->text + at, " \t")] == '#';
        while (last > at && strchr(" \t\r", d->text[last - 1]))
            last--;
        bool goes_on = is_comment || (last > at && d->text[last - 1] == '\\');
        if (!goes_on || end + 1 >= d->length)
            return end;
        at = end + 1;
    }
}

/* A here-document (RUN <<EOF) in the instruction from AT to END: its end, else END. */
static size_t heredoc_end(const struct drift *d, size_t at, size_t end)
{
    const char *mark = memmem(d->text + at, end - at, "<<", 2);
    size_t start = mark ? (size_t)(mark - d->text) + 2 : end;

    start += strspn(d->text + start, "-\"'");
    size_t length = mark ? shell_name_length(d, start) : 0;
    if (length == 0)
        return end;
    for (at = end + 1; at < d->length; at = end + 1) {
        end = lex_line_end(d, at);
        at += strspn(d->text + at, "\t");
        if (end - at == length && memcmp(d->text + at, d->text + start, length) == 0)
            break;
    }
    return end;
}

void drift_read_dockerfile(struct drift *d)
{
    for (size_t at = 0; at < d->length;) {
        size_t start = at + strspn(d->text + at, " \t\r");
        size_t end = lex_line_end(d, at);
        if (start < end && d->text[start] != '#') {
            end = instruction_end(d, start);
            read_instruction(d, start, end);
            end = heredoc_end(d, start, end);
        }
        at = end + 1;
    }
}

/* ---- .env ----------------------------------------------------------------------------------- */

/* Past a value that may be quoted, over several lines. */
static size_t dotenv_value_end(const struct drift *d, size_t at)
{
    char quote = d->text[at];

    if (quote != '"' && quote != '\'')
        return lex_line_end(d, at);
    for (size_t i = at + 1; i < d->length; i++) {
        if (d->text[i] == '\\' && quote == '"')
            i++;
        else if (d->text[i] == quote)
            return lex_line_end(d, i);
    }
    return lex_line_end(d, at); /* never closed: then it is no quote */
}

void drift_read_dotenv(struct drift *d)
{
    for (size_t at = 0; at < d->length;) {
        size_t start = at + strspn(d->text + at, " \t\r"), end = lex_line_end(d, at);
        if (str_starts(d->text + start, "export "))
            start += strlen("export ");
        size_t length = shell_name_length(d, start), behind = start + length;
        behind += strspn(d->text + behind, " \t");
        if (length > 0 && d->text[behind] == '=') {
            drift_add(d, DRIFT_ASSIGNED, d->text + start, length, start);
            behind += 1 + strspn(d->text + behind + 1, " \t");
            end = dotenv_value_end(d, behind);
        }
        at = end + 1;
    }
}

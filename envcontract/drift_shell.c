/* envcontract/drift_shell.c: the names that a shell script takes from outside.
 *
 *   $X  ${X}  ${X:-default}  ${X:?}  also in "…", $(…), `…` and here-documents; printenv X;
 *   [[ -v X ]]
 *
 * and not what it sets itself: by NAME=, for, read, local, …; a name that it sets later counts when
 * it is asked for in a way that allows for its absence (${X:-…}, [ -z "$X" ]) or on the way to its own value
 * (X="$X more"). Comments, '…' and quoted here-documents are text. POSIX gives upper case to the
 * environment: a name with a small letter counts only when it is declared. */
#include "envcontract/drift_shell.h"

#include <string.h>

#include "base/mem.h"
#include "envcontract/drift_lex.h"

static char byte_at(const struct shell *s, size_t at)
{
    return at < s->d->length ? s->d->text[at] : '\0';
}

/* False: too deep, and what opens here is text. */
static bool push(struct shell *s, enum shell_kind kind)
{
    bool is_quoted = s->levels[s->depth].kind == SHELL_QUOTE ||
                     (s->levels[s->depth].kind == SHELL_BRACE && s->levels[s->depth].is_quoted);

    if (s->depth + 1 == SHELL_MAX_NESTED)
        return false;
    s->levels[++s->depth] = (struct shell_level){
        .kind = kind, .is_quoted = is_quoted, .at_command = true, .parens = 2};
    return true;
}

static void pop(struct shell *s)
{
    if (s->depth > 0)
        s->depth--;
}

/* ---- $ -------------------------------------------------------------------------------------- */

/* ${…} at s->at, its brace (TESTED: by -z or -n): the name, then what is made of it is read as a level of its own. */
static void read_brace(struct shell *s, bool tested)
{
    const struct drift *d = s->d;
    size_t at = s->at + 1;
    char mark = byte_at(s, at);

    at += mark == '#' || mark == '!';
    size_t length = shell_name_length(d, at), behind = at + length;
    s->at = behind;
    if (length > 0) {
        behind += byte_at(s, behind) == ':';
        char form = byte_at(s, behind);
        bool is_asked = form != '\0' && strchr("-=?+", form);
        shell_reads(s, at, length, is_asked || tested);
        if (is_asked && form == '=')
            shell_sets(s, at, length);
        if (mark == '!' && byte_at(s, at + length) == '}')
            drift_add_computed(s->d, at);
    }
    (void)push(s, SHELL_BRACE); /* too deep: its rest is text */
}

/* Whether the dollar at s->at is what `-z` or `-n` looks at: -z $X, -z "$X". */
static bool is_tested(const struct shell *s)
{
    const char *text = s->d->text;
    size_t at = s->at;

    at -= at > 0 && text[at - 1] == '"';
    return at >= 3 && text[at - 1] == ' ' && (text[at - 2] == 'z' || text[at - 2] == 'n') &&
           text[at - 3] == '-';
}

/* What follows a dollar, which s->at is at. */
static void read_dollar(struct shell *s)
{
    char next = byte_at(s, s->at + 1);
    size_t length = shell_name_length(s->d, s->at + 1);

    if (length > 0) {
        shell_reads(s, s->at + 1, length, is_tested(s));
        s->at += 1 + length;
    } else if (next == '{') {
        bool tested = is_tested(s);
        s->at++;
        read_brace(s, tested);
    } else if (next == '(' && byte_at(s, s->at + 2) == '(') {
        (void)push(s, SHELL_NUMBERS); /* too deep: text */
        s->at += 3;
    } else if (next == '(') {
        (void)push(s, SHELL_CODE); /* too deep: text */
        s->at += 2;
    } else if (next != '\0' && strchr("@*#?-$!0123456789", next)) {
        s->at += 2;
    } else {
        s->at++;
    }
}

/* ---- quotes --------------------------------------------------------------------------------- */

/* '…' from the quote at s->at on; with ESCAPES (behind a dollar) a backslash quotes. */
static void skip_quoted(struct shell *s, bool escapes)
{
    const struct drift *d = s->d;

    for (s->at++; s->at < d->length && d->text[s->at] != '\''; s->at++)
        if (escapes && d->text[s->at] == '\\')
            s->at++;
    s->at++;
}

/* ---- here-documents ------------------------------------------------------------------------- */

/* `<<` at s->at: remember what ends it. */
static void read_heredoc_start(struct shell *s)
{
    const struct drift *d = s->d;
    struct shell_heredoc here = {0};

    s->at += 2;
    here.strips_tabs = byte_at(s, s->at) == '-';
    s->at += here.strips_tabs;
    s->at += strspn(d->text + s->at, " \t");
    char quote = byte_at(s, s->at);
    here.is_quoted = quote == '\'' || quote == '"' || quote == '\\';
    s->at += here.is_quoted;
    here.start = s->at;
    if (quote == '\'' || quote == '"') {
        while (s->at < d->length && d->text[s->at] != quote && d->text[s->at] != '\n')
            s->at++;
        here.length = s->at - here.start;
        s->at += byte_at(s, s->at) == quote;
    } else {
        s->at += strcspn(d->text + s->at, " \t\n;&|<>()");
        here.length = s->at - here.start;
    }
    if (s->heredoc_count < SHELL_MAX_HEREDOCS && here.length > 0)
        s->heredocs[s->heredoc_count++] = here;
}

/* The names in one line of a here-document that is not quoted. */
static void read_heredoc_line(struct shell *s, size_t start, size_t end)
{
    const struct drift *d = s->d;

    for (size_t i = start; i < end; i++) {
        if (d->text[i] == '\\') {
            i++;
        } else if (d->text[i] == '$') {
            bool has_brace = i + 1 < end && d->text[i + 1] == '{';
            size_t at = i + 1 + has_brace, length = shell_name_length(d, at);
            char behind = byte_at(s, at + length);
            if (length > 0)
                shell_reads(s, at, length, has_brace && behind != '\0' && strchr(":-?+", behind));
        }
    }
}

/* The bodies of those that began on the line before s->at. */
static void read_heredocs(struct shell *s)
{
    const struct drift *d = s->d;

    for (size_t i = 0; i < s->heredoc_count; i++) {
        const struct shell_heredoc *here = &s->heredocs[i];
        while (s->at < d->length) {
            size_t end = lex_line_end(d, s->at), start = s->at;
            while (here->strips_tabs && start < end && d->text[start] == '\t')
                start++;
            s->at = end < d->length ? end + 1 : end;
            if (end > start && d->text[end - 1] == '\r')
                end--;
            if (end - start == here->length &&
                memcmp(d->text + start, d->text + here->start, here->length) == 0)
                break;
            if (!here->is_quoted)
                read_heredoc_line(s, start, end);
        }
    }
    s->heredoc_count = 0;
}

/* ---- code ----------------------------------------------------------------------------------- */

/* ((…)) at s->at: its names are counters of the script's own. */
static void read_numbers(struct shell *s)
{
    const struct drift *d = s->d;
    size_t line_end = s->at < s->numbers_open_until ? s->at : lex_line_end(d, s->at);
    const char *close = memmem(d->text + s->at, line_end - s->at, "))", 2);
    size_t end = close ? (size_t)(close - d->text) : s->at + 2;

    if (!close && line_end > s->numbers_open_until)
        s->numbers_open_until = line_end; /* it is not looked for again on this line */
    for (s->at += 2; s->at < end;) {
        size_t length = shell_name_length(d, s->at);
        if (length > 0 && d->text[s->at - 1] != '$')
            shell_sets(s, s->at, length);
        s->at += length > 0 ? length : 1;
    }
    s->at = close ? end + 2 : end;
    if (s->at > d->length)
        s->at = d->length;
}

static void read_parenthesis(struct shell *s)
{
    bool at_command = s->levels[s->depth].at_command && !s->levels[s->depth].in_word;

    if (byte_at(s, s->at + 1) == ')') { /* NAME() */
        s->levels[s->depth].in_word = false;
        s->levels[s->depth].at_command = true;
        s->levels[s->depth].words = WORDS_OF_COMMAND;
        s->at += 2;
    } else if (byte_at(s, s->at + 1) == '(' &&
               (at_command || s->levels[s->depth].words == WORDS_FOR)) {
        read_numbers(s);
    } else {
        shell_word_byte(s, false); /* NAME=(…) stays one word */
        (void)push(s, SHELL_CODE); /* too deep: text */
        s->at++;
    }
}

static void read_line_end(struct shell *s)
{
    shell_command_end(s);
    s->at++;
    if (s->heredoc_count > 0)
        read_heredocs(s);
}

/* What ends a word. False: C does not. */
static bool read_separator(struct shell *s, char c)
{
    switch (c) {
    case '\n':
        read_line_end(s);
        return true;
    case ' ':
    case '\t':
    case '\r':
    case '>':
        shell_word_end(s);
        break;
    case ';':
    case '&':
    case '|':
        shell_command_end(s);
        break;
    case ')': /* also behind a pattern of `case` */
        shell_command_end(s);
        if (s->depth > 0 && s->levels[s->depth].kind == SHELL_CODE)
            pop(s);
        break;
    case '<':
        shell_word_end(s);
        if (byte_at(s, s->at + 1) == '<' && byte_at(s, s->at + 2) != '<') {
            read_heredoc_start(s);
            return true;
        }
        s->at += byte_at(s, s->at + 1) == '<' ? 2 : 0; /* <<< has a word behind it */
        break;
    default:
        return false;
    }
    s->at++;
    return true;
}

static void read_backtick(struct shell *s)
{
    if (s->levels[s->depth].kind == SHELL_BACKTICK) {
        shell_command_end(s);
        pop(s);
    } else {
        (void)push(s, SHELL_BACKTICK); /* too deep: text */
    }
    s->at++;
}

static void read_code(struct shell *s, char c)
{
    if (read_separator(s, c))
        return;
    if (c == '#' && !s->levels[s->depth].in_word) {
        s->at = lex_line_end(s->d, s->at);
        return;
    }
    if (c == '(') {
        read_parenthesis(s);
        return;
    }
    if (c == '`' && s->levels[s->depth].kind == SHELL_BACKTICK) {
        read_backtick(s);
        return;
    }
    shell_word_byte(s, !strchr("'\"$`\\", c));
    if (c == '\'')
        skip_quoted(s, s->at > 0 && byte_at(s, s->at - 1) == '$');
    else if (c == '$')
        read_dollar(s);
    else if (c == '`')
        read_backtick(s);
    else if (c == '\\')
        s->at += 2;
    else {
        if (c == '"')
            (void)push(s, SHELL_QUOTE); /* too deep: text */
        s->at++;
    }
}

/* Within "…", ${…} and $((…)). */
static void read_text(struct shell *s, char c)
{
    struct shell_level *level = &s->levels[s->depth];

    if (c == '$') {
        read_dollar(s);
        return;
    }
    if (c == '`') {
        read_backtick(s);
        return;
    }
    if (c == '\'' && level->kind == SHELL_BRACE && !level->is_quoted) {
        skip_quoted(s, false);
        return;
    }
    if (c == '"' && level->kind == SHELL_QUOTE)
        pop(s);
    else if (c == '"')
        (void)push(s, SHELL_QUOTE); /* too deep: text */
    else if (c == '}' && level->kind == SHELL_BRACE)
        pop(s);
    else if (level->kind == SHELL_NUMBERS && c == '(')
        level->parens++;
    else if (level->kind == SHELL_NUMBERS && c == ')' && --level->parens == 0)
        pop(s);
    s->at += c == '\\' ? 2 : 1;
}

void drift_read_shell(struct drift *d)
{
    struct shell s = {.d = d};

    d->token_count = 0;
    s.levels[0] = (struct shell_level){.kind = SHELL_CODE, .at_command = true};
    while (s.at < d->length && !d->no_memory) {
        char c = d->text[s.at];
        enum shell_kind kind = s.levels[s.depth].kind;
        if (kind == SHELL_CODE || kind == SHELL_BACKTICK)
            read_code(&s, c);
        else
            read_text(&s, c);
    }
    s.at = d->length;
    while (s.depth > 0) {
        shell_word_end(&s);
        pop(&s);
    }
    shell_word_end(&s);
    shell_settle(&s);
}

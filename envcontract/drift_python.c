/* envcontract/drift_python.c: the names that Python code asks the environment for.
 *
 *   os.environ["X"]  os.environ.get("X")  "X" in os.environ  os.getenv('X')
 *
 * and the same by what `import`, `from os import environ as e`, `env = os.environ`, `get = os.getenv`
 * and a parameter's default call them; and the fields of settings classes (drift_settings.c). Setting or deleting a name is no use of it. */
#include "envcontract/drift_read.h"

#include <string.h>

#include "base/str.h"

enum { MAX_BOUND = 32 }; /* names that stand for os, environ or getenv in one file */

enum meaning { MEANS_OS, MEANS_ENVIRON, MEANS_GETENV };

/* A name of the file that stands for one of them. */
struct bound {
    unsigned start, length;
    enum meaning meaning;
};

struct python_names {
    struct drift *d;
    struct bound list[MAX_BOUND];
    size_t count;
};

static void bind(struct python_names *names, size_t i, enum meaning meaning)
{
    const struct drift_token *token = &names->d->tokens[i];

    if (token->kind == TOKEN_NAME && names->count < MAX_BOUND)
        names->list[names->count++] = (struct bound){token->start, token->length, meaning};
}

/* Whether token I is a name with that meaning, and no attribute of something else. */
static bool means(const struct python_names *names, size_t i, enum meaning meaning)
{
    const struct drift *d = names->d;

    if (d->tokens[i].kind != TOKEN_NAME || (i > 0 && token_is(d, i - 1, '.')))
        return false;
    for (size_t k = 0; k < names->count; k++)
        if (names->list[k].meaning == meaning &&
            token_has(d, i, d->text + names->list[k].start, names->list[k].length))
            return true;
    return false;
}

static bool is_environ_word(const struct drift *d, size_t i)
{
    return token_is_name(d, i, "environ") || token_is_name(d, i, "environb");
}

static bool is_getenv_word(const struct drift *d, size_t i)
{
    return token_is_name(d, i, "getenv") || token_is_name(d, i, "getenvb");
}

/* `import os as o, sys` at token I, `import`. */
static void read_import(struct python_names *names, size_t i)
{
    const struct drift *d = names->d;

    for (i++; d->tokens[i].kind == TOKEN_NAME || token_is(d, i, ',') || token_is(d, i, '.'); i++) {
        bool begins = token_is_name(d, i - 1, "import") || token_is(d, i - 1, ',');
        if (!begins || !token_is_name(d, i, "os"))
            continue;
        if (token_is_name(d, i + 1, "as"))
            bind(names, i + 2, MEANS_OS);
        else
            bind(names, i, MEANS_OS);
    }
}

/* `from os import (environ as e, getenv)` at token I, `from`. */
static void read_from(struct python_names *names, size_t i)
{
    const struct drift *d = names->d;

    if (!token_is_name(d, i + 1, "os") || !token_is_name(d, i + 2, "import"))
        return;
    for (i += 3; d->tokens[i].kind == TOKEN_NAME || token_is(d, i, ',') || token_is(d, i, '(');
         i++) {
        bool is_environ = is_environ_word(d, i);
        if (!is_environ && !is_getenv_word(d, i))
            continue;
        bool renamed = token_is_name(d, i + 1, "as") && d->tokens[i + 2].kind == TOKEN_NAME;
        i += renamed ? 2 : 0;
        bind(names, i, is_environ ? MEANS_ENVIRON : MEANS_GETENV);
    }
}

/* Token I is where a name is asked for, and END must follow it. */
static void take(struct drift *d, size_t i)
{
    const struct drift_token *token = &d->tokens[i];
    bool ends = token_is(d, i + 1, ',') || token_is(d, i + 1, ')') || token_is(d, i + 1, ']');

    if (token->kind == TOKEN_STRING && ends)
        drift_add(d, DRIFT_READ, d->text + token->start, token->length, token->start);
    else if (token->kind != TOKEN_END && !token_is(d, i, ')'))
        drift_add_computed(d, token->start);
}

/* The arguments of a call, whose bracket is token I: the first, or the one that is called key. */
static void take_argument(struct drift *d, size_t i)
{
    if (!token_is(d, i, '('))
        return;
    if (token_is_name(d, i + 1, "key") && token_is(d, i + 2, '=') && !token_is(d, i + 3, '='))
        take(d, i + 3);
    else
        take(d, i + 1);
}

enum { MAX_INDEX_TOKENS = 256 }; /* of what stands between the brackets */

/* environ[…], whose bracket is token I; BEFORE is the token before the expression. */
static void take_item(struct drift *d, size_t i, size_t before)
{
    size_t end = token_closing(d, i, MAX_INDEX_TOKENS);
    bool is_set = token_is(d, end + 1, '=') && !token_is(d, end + 2, '=');

    if (!is_set && !token_is_name(d, before, "del"))
        take(d, i + 1);
}

enum { MAX_LINE_TOKENS = 512 }; /* looked back over, for where a logical line begins */

static size_t line_begin(const struct drift *d, size_t i)
{
    for (size_t most = MAX_LINE_TOKENS; i > 0 && d->tokens[i].kind != TOKEN_LINE; i--)
        if (most-- == 0)
            return SIZE_MAX;
    return d->tokens[i].kind == TOKEN_LINE ? i + 1 : i;
}

/* NAME = …, NAME: type = …, def f(NAME: type = …): the name that EQUALS gives a meaning; what stands
 * behind the meaning begins at token BEHIND. */
static void bind_assigned(struct python_names *names, size_t equals, size_t behind,
                          enum meaning meaning)
{
    const struct drift *d = names->d;
    bool ends = d->tokens[behind].kind == TOKEN_LINE || d->tokens[behind].kind == TOKEN_END;
    size_t first = line_begin(d, equals), depth = 0, i = equals;

    if (equals == 0 || first == SIZE_MAX)
        return;
    if (ends) {
        bool is_typed = token_is(d, first + 1, ':') && !token_is_name(d, first, "else") &&
                        !token_is_name(d, first, "try") && !token_is_name(d, first, "finally");
        bind(names, is_typed ? first : equals - 1, meaning);
        return;
    }
    first += token_is_name(d, first, "async");
    if (!token_is_name(d, first, "def") || !(token_is(d, behind, ',') || token_is(d, behind, ')')))
        return;
    for (; --i > first; depth += token_is(d, i, ')') || token_is(d, i, ']')) {
        bool opens = token_is(d, i, '(') || token_is(d, i, '[');
        if (depth == 0 && (opens || token_is(d, i, ',')))
            break;
        depth -= opens;
    }
    if (i > first)
        bind(names, i + 1, meaning);
}

/* What is done with the environment itself; token I is the one behind it, BEFORE the one before. */
static void read_environ(struct python_names *names, size_t i, size_t before)
{
    struct drift *d = names->d;
    bool has_before = before < i;

    if (token_is(d, i, '[')) {
        take_item(d, i, has_before ? before : d->token_count);
        return;
    }
    if (token_is(d, i, '.')) {
        if (token_is_name(d, i + 1, "get") || token_is_name(d, i + 1, "pop") ||
            token_is_name(d, i + 1, "setdefault"))
            take_argument(d, i + 2);
        if (has_before && token_is(d, before, '=') && token_is_name(d, i + 1, "get"))
            bind_assigned(names, before, i + 2, MEANS_GETENV);
        return;
    }
    if (!has_before)
        return;
    if (token_is_name(d, before, "in") && before > 0) {
        size_t value = before - 1 - (token_is_name(d, before - 1, "not") && before > 1);
        const struct drift_token *token = &d->tokens[value];
        if (token->kind == TOKEN_STRING)
            drift_add(d, DRIFT_READ, d->text + token->start, token->length, token->start);
    } else if (token_is(d, before, '=')) {
        bind_assigned(names, before, i, MEANS_ENVIRON);
    }
}

/* What is done with getenv itself; token I is the one behind it, BEFORE the one before. */
static void read_getenv(struct python_names *names, size_t i, size_t before)
{
    if (token_is(names->d, i, '('))
        take_argument(names->d, i);
    else if (before < i && token_is(names->d, before, '='))
        bind_assigned(names, before, i, MEANS_GETENV);
}

/* The token behind the expression that begins at I, when that is the environment; else 0. */
static size_t environ_end(const struct python_names *names, size_t i)
{
    if (means(names, i, MEANS_ENVIRON))
        return i + 1;
    if (means(names, i, MEANS_OS) && token_is(names->d, i + 1, '.') &&
        is_environ_word(names->d, i + 2))
        return i + 3;
    return 0;
}

void drift_read_python(struct drift *d)
{
    struct python_names names = {.d = d};
    struct drift_classes classes = {.count = 0};

    if (!drift_tokenise_python(d))
        return;
    for (size_t i = 0; d->tokens[i].kind != TOKEN_END; i++) {
        if (d->tokens[i].kind != TOKEN_NAME)
            continue;
        bool begins = i == 0 || d->tokens[i - 1].kind == TOKEN_LINE || token_is(d, i - 1, ';') ||
                      token_is(d, i - 1, ':');
        size_t end = environ_end(&names, i), before = i > 0 ? i - 1 : SIZE_MAX;
        if (end > 0)
            read_environ(&names, end, before);
        else if (means(&names, i, MEANS_GETENV))
            read_getenv(&names, i + 1, before);
        else if (means(&names, i, MEANS_OS) && token_is(d, i + 1, '.') && is_getenv_word(d, i + 2))
            read_getenv(&names, i + 3, before);
        else if (begins && token_is_name(d, i, "import"))
            read_import(&names, i);
        else if (begins && token_is_name(d, i, "from"))
            read_from(&names, i);
        else if (begins && token_is_name(d, i, "class"))
            drift_read_settings(d, i, &classes);
        else
            drift_rename_settings(d, i, &classes);
    }
}
